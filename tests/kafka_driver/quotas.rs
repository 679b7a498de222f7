//! Brokers that let a client write only so much a second.

use spendstream_tests::conformance::{self, Sent, appear, balance, send};
use stream::log::ledger;

use crate::{PATIENCE, Run, kafka};

#[test]
fn a_transaction_that_is_too_large_for_a_quota_is_halved_until_it_is_committed_in_time() {
    let run = Run::new("quota", 1);
    let [input, ..] = conformance::names(run.prefix);
    let mut sent = Sent::default();
    let split = run.start("a", &["--stages", "split"]);
    // Batch after batch: a transaction takes whole ones.
    for _ in 0..14 {
        send(&*run.log, run.prefix, &mut sent, 500);
        run.until("split is through", || {
            let books = ledger(&*run.log).unwrap();
            let mut counts = books.iter().filter(|entry| *entry.topic == *input).flat_map(|entry| &entry.counts);
            counts.any(|count| count.name == "deposits" && count.count == sent.0.len() as i64)
        });
    }
    let (well, log) = split.stop(PATIENCE);
    assert!(well, "{log}");
    // What comes of all of them together takes a dozen seconds, and a transaction may last four.
    kafka().limit("spendstream-quota", 18_000.0);
    let slow = ["--kafka", "client.id=spendstream-quota", "--kafka", "compression.type=none"];
    let mut sum = run.start("a", &[&["--stages", "sum", "--batch-bytes-max", "512KiB"], &slow[..]].concat());
    sum.wait_for("transaction failed", PATIENCE);
    run.until("all of it comes out", || appear(&*run.log, run.prefix) == sent.0.len());
    balance(&*run.log, run.prefix);
}
