//! What every driver must do, said with two small stages that run on either.
//!
//! Deposits arrive on `<prefix>.in`, as text. `split` packs them into batches by account on `<prefix>.mid`; `sum` adds
//! them up and writes each with its place and the balance after it to `<prefix>.out`. So a deposit that is lost, taken
//! twice, or taken on wrong state shows in the outputs, and what the books and the changelog say must agree with them.

mod check;
mod stages;

pub use check::{Sent, again, appear, balance, keep_busy, order_skip, order_skip_to, send, settled};
pub use stages::{Deposit, Split, Sum};

use schemas::topics::{self, Kept, Partitions, TopicSpec};
use std::time::Duration;

/// Topics of one run of the two stages.
pub fn topics(prefix: &str) -> Vec<TopicSpec> {
    let day = Kept::For(Duration::from_secs(86_400));
    let compacted = Kept::Compacted(Duration::ZERO);
    let topic = |name: String, partitions, kept| TopicSpec { name, partitions, kept };
    let [input, middle, output] = names(prefix);
    vec![
        topic(topics::changelog("split", &input), Partitions::Internal, compacted),
        topic(topics::changelog("sum", &middle), Partitions::Internal, compacted),
        topic(input, Partitions::Internal, day),
        topic(middle, Partitions::Internal, day),
        topic(output, Partitions::Internal, day),
        topic(topics::LEDGER.to_owned(), Partitions::One, compacted),
        topic(topics::SKIPS.to_owned(), Partitions::One, Kept::Forever),
        topic(topics::TOPOLOGY.to_owned(), Partitions::One, Kept::Forever),
    ]
}

/// Input, middle and output topic.
pub fn names(prefix: &str) -> [String; 3] {
    ["in", "mid", "out"].map(|name| format!("{prefix}.{name}"))
}
