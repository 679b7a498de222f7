//! Lineage and the conservation ledger: every internal batch says where it comes from and what has gone before.

use crate::wire::{Reader, Wire, WireError};
use crate::{Id128, Money, Text, Timestamp, record};

record! {
    /// Money of one currency.
    #[derive(Eq)]
    pub struct CurrencySum {
        /// ISO 4217 currency.
        pub currency: Text,
        /// Sum.
        pub amount: Money,
    }
}

record! {
    /// Opens every internal batch.
    pub struct Lineage {
        /// Format of the batch. A newer one than the reader knows is refused, not guessed.
        pub format: i32,
        /// Service and topic-partition that produced it: the source partition.
        pub source_topic: Text,
        /// Partition of the source topic.
        pub source_partition: i32,
        /// Partitions the source topic has in this generation.
        pub source_partitions: i32,
        /// Topology generation the writer works in: grows when the number of partitions changes. Sequences go on.
        pub generation: i32,
        /// Counts batches from this source partition to this target partition, from 0.
        pub sequence: i64,
        /// First source offset this batch covers.
        pub source_from: i64,
        /// Source offset after the last one it covers.
        pub source_to: i64,
        /// Nothing with an earlier arrival follows from this source, but for labels: see the design.
        pub watermark: Timestamp,
        /// Items from this source partition to this target partition so far, this batch included.
        pub items_total: i64,
        /// Their money so far, this batch included, by currency.
        pub money_total: Vec<CurrencySum>,
        /// True on the last batch of a source that a generation leaves out.
        pub ends_generation: bool,
    }
}

/// One record of an internal topic: lineage, then items (none in a heartbeat).
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<T> {
    /// Where it comes from.
    pub lineage: Lineage,
    /// What it holds.
    pub items: Vec<T>,
}

impl<T: BatchItem> Wire for Batch<T> {
    fn schema(named: &mut std::collections::BTreeSet<&'static str>) -> serde_json::Value {
        let lineage = Lineage::schema(named);
        let items = Vec::<T>::schema(named);
        serde_json::json!({
            "type": "record",
            "name": T::BATCH,
            "namespace": "spendstream",
            "doc": "One record of an internal topic: its lineage, then its items (none in a heartbeat).",
            "fields": [
                crate::wire::field("lineage", "Where it comes from.", lineage, None),
                crate::wire::field("items", "What it holds.", items, Some(serde_json::json!([]))),
            ],
        })
    }
    fn put(&self, out: &mut Vec<u8>) {
        self.lineage.put(out);
        self.items.put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Batch { lineage: Wire::get(from)?, items: Wire::get(from)? })
    }
}

/// An item of an internal batch.
pub trait BatchItem: Wire + Carries {
    /// Name of the batch's schema.
    const BATCH: &'static str;
}

/// What is counted in the books for an item of a batch, or for what is read of one.
pub trait Carries {
    /// Effective cost the item carries, for the ledger; `None` when it carries none.
    fn money(&self) -> Option<(&Text, Money)> {
        None
    }
}

impl Carries for crate::EventItem {}
impl BatchItem for crate::EventItem {
    const BATCH: &'static str = "EventBatch";
}
impl Carries for crate::Fact {}
impl BatchItem for crate::Fact {
    const BATCH: &'static str = "FactBatch";
}
impl Carries for crate::Rejection {}
impl BatchItem for crate::Rejection {
    const BATCH: &'static str = "RejectionBatch";
}
impl BatchItem for crate::Charge {
    const BATCH: &'static str = "ChargeBatch";
}
impl<T: BatchItem> BatchItem for Box<T> {
    const BATCH: &'static str = T::BATCH;
}
impl<T: Carries> Carries for Box<T> {
    fn money(&self) -> Option<(&Text, Money)> {
        (**self).money()
    }
}
impl Carries for crate::Costs {
    fn money(&self) -> Option<(&Text, Money)> {
        self.effective.map(|amount| (&self.currency, amount))
    }
}
impl Carries for crate::Charge {
    fn money(&self) -> Option<(&Text, Money)> {
        self.costs.money()
    }
}
impl BatchItem for crate::PartialItem {
    const BATCH: &'static str = "PartialBatch";
}
impl Carries for crate::PartialItem {
    fn money(&self) -> Option<(&Text, Money)> {
        match self {
            crate::PartialItem::Window(partial) => Some((&partial.key.currency, partial.sums.effective)),
            // A budget sums what windows sum already.
            crate::PartialItem::Budget(_) => None,
        }
    }
}

record! {
    /// A named count of one stage.
    #[derive(Eq)]
    pub struct Count {
        /// Name (`records`, `events`, `rejected.malformed`, `duplicates`, ...). `DESIGN.md` of `schemas` lists them.
        pub name: Text,
        /// Count since the stage began.
        pub count: i64,
        /// Money that goes with it, by currency; empty where none does.
        pub money: Vec<CurrencySum>,
    }
}

record! {
    /// How far one stage has read one source.
    #[derive(Eq)]
    pub struct Received {
        /// Source topic (what `Lineage::source_topic` said).
        pub source_topic: Text,
        /// Source partition.
        pub source_partition: i32,
        /// Partitions the source topic has.
        pub source_partitions: i32,
        /// Generation of the last batch taken.
        pub generation: i32,
        /// Last sequence taken.
        pub sequence: i64,
        /// Items the headers claim up to there.
        pub items_claimed: i64,
        /// Items counted here up to there.
        pub items_counted: i64,
        /// Money the headers claim up to there.
        pub money_claimed: Vec<CurrencySum>,
        /// Money added up here up to there.
        pub money_counted: Vec<CurrencySum>,
        /// Sequences an operator skipped.
        pub skipped: i64,
        /// Watermark of the source.
        pub watermark: Timestamp,
        /// True when a later generation has no such source: nothing more is expected of it.
        pub ended: bool,
    }
}

record! {
    /// How much one stage has sent to one target partition.
    #[derive(Eq)]
    pub struct Sent {
        /// Target topic.
        pub topic: Text,
        /// Target partition.
        pub partition: i32,
        /// Last sequence sent; -1 before the first.
        pub sequence: i64,
        /// Items so far.
        pub items: i64,
        /// Money so far.
        pub money: Vec<CurrencySum>,
    }
}

record! {
    /// The books of one stage for one source partition, as of one transaction. Upserted on `spend.ledger` within it.
    pub struct LedgerEntry {
        /// Stage: ingest, enrich, combine, merge, sink.
        pub stage: Text,
        /// Topic it reads.
        pub topic: Text,
        /// Partition it reads.
        pub partition: i32,
        /// Transaction number, counted per source partition.
        pub transaction: i64,
        /// Offset after the last record read.
        pub next_offset: i64,
        /// Named counts.
        pub counts: Vec<Count>,
        /// How far each source was read.
        pub received: Vec<Received>,
        /// How much was sent to each target.
        pub sent: Vec<Sent>,
        /// Watermark of the stage.
        pub watermark: Timestamp,
        /// When it was written.
        pub emitted_at: Timestamp,
    }
}

record! {
    /// An operator's order to go on past something a stage stopped at. Itself an entry of the ledger.
    #[derive(Eq)]
    pub struct Skip {
        /// Stage that stopped.
        pub stage: Text,
        /// Topic it reads.
        pub topic: Text,
        /// Partition it reads.
        pub partition: i32,
        /// Record to leave out, where a record could not be decoded.
        pub offset: Option<i64>,
        /// Source whose sequence has a gap.
        pub source_topic: Option<Text>,
        /// Its partition.
        pub source_partition: Option<i32>,
        /// First sequence to accept again.
        pub sequence: Option<i64>,
        /// Why, in the operator's words.
        pub reason: Text,
        /// When it was ordered.
        pub ordered_at: Timestamp,
    }
}

impl Skip {
    /// True when it is for this reader, a stage or a table, of this partition.
    pub fn is_for(&self, reader: &str, topic: &str, partition: u32) -> bool {
        self.stage == reader && self.topic == topic && self.partition == partition as i32
    }

    /// True when it has the record at this offset left out.
    pub fn leaves_out(&self, offset: i64) -> bool {
        self.offset == Some(offset)
    }

    /// True when it lets its reader go on with this batch of a source, whatever is missing before it.
    pub fn accepts(&self, source_topic: &str, source_partition: i32, sequence: i64) -> bool {
        self.source_topic.as_deref() == Some(source_topic)
            && self.source_partition == Some(source_partition)
            && self.sequence == Some(sequence)
    }
}

record! {
    /// How many partitions of a topic are in use. The newest record of each topic on `spend.topology` holds.
    ///
    /// Kafka's own count is only an upper bound: partitions beyond this one are idle.
    #[derive(Eq)]
    pub struct TopicLayout {
        /// Topic.
        pub topic: Text,
        /// Partitions in use: `partition = slot mod partitions`.
        pub partitions: i32,
        /// Topology generation this holds from; 0 is how the topic was created.
        pub generation: i32,
        /// When it was decided.
        pub decided_at: Timestamp,
    }
}

record! {
    /// One row of reference data, immutable. Its key is its id.
    pub struct ReferenceRow {
        /// Set it belongs to: prices, owners, budgets, routes.
        pub set: Text,
        /// Hash of the set and the body.
        pub row_id: Id128,
        /// File and row it was read from, for messages.
        pub origin: Text,
        /// The row as JSON.
        pub body: Text,
    }
}

record! {
    /// Names the rows that make one version of a set, and from when it holds.
    pub struct Manifest {
        /// Set.
        pub set: Text,
        /// Version: content hash of its rows, in hexadecimal.
        pub version: Text,
        /// Records that arrived at or after this use this version.
        pub effective_at: Timestamp,
        /// Rows, in order.
        pub rows: Vec<Id128>,
        /// When it was published.
        pub published_at: Timestamp,
    }
}

/// One record of a `ref.*` topic.
#[derive(Debug, Clone, PartialEq)]
pub enum ReferenceItem {
    /// A row.
    Row(ReferenceRow),
    /// A version.
    Manifest(Manifest),
}

crate::wire_union!(ReferenceItem { Row(ReferenceRow), Manifest(Manifest) });
