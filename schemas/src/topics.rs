//! The catalogue of topics: names, keys, partitions, retention. `spendstream topics` applies and compares it.

use std::time::Duration;

/// Raw usage, as producers write it.
pub const RAW: &str = "usage.raw";
/// Corrections, a raw topic that jobs write.
pub const CORRECTIONS: &str = "usage.corrections";
/// Normalised events, corrections and links, by call key.
pub const EVENTS: &str = "usage.events";
/// Facts, by tenant and workload.
pub const FACTS: &str = "usage.facts";
/// Rejected items, in the source's partition.
pub const REJECTED: &str = "usage.rejected";
/// Charges, in the partition of their event.
pub const CHARGES: &str = "usage.charges";
/// Partial sums, by aggregate key.
pub const PARTIALS: &str = "spend.partials";
/// Window upserts, by window key.
pub const WINDOWS: &str = "spend.windows";
/// Budget upserts, by budget id.
pub const BUDGET_STATE: &str = "budget.state";
/// Threshold crossings, by budget id.
pub const ALERTS: &str = "spend.alerts";
/// The books of every stage, by stage, topic and partition.
pub const LEDGER: &str = "spend.ledger";
/// Orders to go on past something a stage stopped at.
pub const SKIPS: &str = "spend.skips";
/// How many partitions of each topic are in use.
pub const TOPOLOGY: &str = "spend.topology";
/// Price books.
pub const REF_PRICES: &str = "ref.prices";
/// Directories.
pub const REF_OWNERS: &str = "ref.owners";
/// Budgets.
pub const REF_BUDGETS: &str = "ref.budgets";
/// Alert routes.
pub const REF_ROUTES: &str = "ref.routes";
/// Keys that users are pseudonymised with. Only ingest and `spendstream forget` read it; nobody else may.
pub const REF_USERS: &str = "ref.users";

/// How the number of partitions of a topic is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitions {
    /// As many as raw topics have.
    Raw,
    /// As many as internal topics have (at most [`crate::ids::SLOTS`]).
    Internal,
    /// One: read whole by every instance.
    One,
}

/// How long records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Deleted after this long.
    For(Duration),
    /// The newest record of each key; nothing younger than this is compacted away.
    Compacted(Duration),
    /// The newest record of each key, for secrets that are destroyed by replacing them: what a record supersedes is gone
    /// from disk within this long.
    Newest(Duration),
    /// Until somebody deletes it.
    Forever,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name.
    pub name: String,
    /// Partitions.
    pub partitions: Partitions,
    /// Retention.
    pub kept: Kept,
}

const DAY: Duration = Duration::from_secs(86_400);

/// A key that was replaced is gone from the log within this long. On Kafka most of it is the cleaner's pause between two
/// looks (`log.cleaner.backoff.ms`, 15 seconds unless the brokers say otherwise); the local driver destroys at once.
pub const SECRETS_GONE_WITHIN: Duration = Duration::from_secs(60);

/// Topic of a stage's changelog: its state, written in the transaction of its outputs.
pub fn changelog(stage: &str, input: &str) -> String {
    format!("{stage}.{input}.changelog")
}

/// Topics whose partition says which slots of state their reader holds. Their number of partitions is one number, and
/// it changes only together with that state. Topics that no stage reads keep theirs, whatever becomes of this one.
pub const SLOTTED: [&str; 3] = [EVENTS, CHARGES, PARTIALS];

/// Every topic of an installation with these raw topics (`usage.corrections` is always among them).
pub fn catalogue(raw: &[&str]) -> Vec<TopicSpec> {
    let topic = |name: &str, partitions, kept| TopicSpec { name: name.to_owned(), partitions, kept };
    let month = Kept::For(35 * DAY);
    let compacted = Kept::Compacted(7 * DAY);
    // A changelog is compacted as soon as the cleaner likes: restoring reads only the newest value of a key.
    let state = Kept::Compacted(Duration::ZERO);
    let mut topics = Vec::new();
    for name in raw.iter().copied().chain([CORRECTIONS]) {
        let kept = if name == CORRECTIONS { month } else { Kept::For(7 * DAY) };
        topics.push(topic(name, Partitions::Raw, kept));
        topics.push(topic(&changelog("ingest", name), Partitions::Raw, state));
    }
    topics.extend([
        topic(EVENTS, Partitions::Internal, month),
        topic(FACTS, Partitions::Internal, month),
        topic(REJECTED, Partitions::Raw, month),
        topic(CHARGES, Partitions::Internal, month),
        topic(PARTIALS, Partitions::Internal, month),
        topic(WINDOWS, Partitions::Internal, compacted),
        topic(BUDGET_STATE, Partitions::Internal, compacted),
        topic(ALERTS, Partitions::Internal, Kept::For(90 * DAY)),
        topic(LEDGER, Partitions::One, Kept::Compacted(Duration::ZERO)),
        topic(SKIPS, Partitions::One, Kept::Forever),
        topic(TOPOLOGY, Partitions::One, Kept::Forever),
        topic(REF_PRICES, Partitions::One, Kept::Forever),
        topic(REF_OWNERS, Partitions::One, Kept::Forever),
        topic(REF_BUDGETS, Partitions::One, Kept::Forever),
        topic(REF_ROUTES, Partitions::One, Kept::Forever),
        topic(REF_USERS, Partitions::One, Kept::Newest(SECRETS_GONE_WITHIN)),
        // Deduplication state is kept by time, a week beyond the horizon: ids are unique, so compaction would keep them
        // for ever.
        topic(&changelog("enrich", EVENTS), Partitions::Internal, Kept::For(42 * DAY)),
        topic(&changelog("combine", CHARGES), Partitions::Internal, state),
        topic(&changelog("merge", PARTIALS), Partitions::Internal, state),
    ]);
    topics
}
