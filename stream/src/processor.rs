//! What a service implements: a [`Processor`] per source partition, the same on Kafka and on one machine.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schemas::{Skip, Timestamp};

use crate::again::Again;
use crate::books::Books;
use crate::reference::ReferenceSink;

/// A record as it was read. Borrowed: it lives as long as the batch it came in.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// Offset within the partition. Offsets grow but are not contiguous: transaction markers take some.
    pub offset: i64,
    /// Kafka timestamp.
    pub timestamp: Timestamp,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value; null is a tombstone.
    pub payload: Option<&'a [u8]>,
    /// Headers, in order.
    pub headers: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Record<'a> {
    /// The first header of this name, compared without case.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// A record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutRecord {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: u32,
    /// Key.
    pub key: Option<Bytes>,
    /// Value; null is a tombstone.
    pub payload: Option<Bytes>,
    /// Headers.
    pub headers: Vec<(String, Bytes)>,
    /// Timestamp; `None` lets the log set it.
    pub timestamp: Option<Timestamp>,
}

/// What one transaction of one source partition writes.
#[derive(Debug, Default)]
pub struct Output {
    /// Records for other stages.
    pub records: Vec<OutRecord>,
    /// State changes for the changelog: key and value, null to delete. Written in this order.
    pub changes: Vec<(Bytes, Option<Bytes>)>,
}

/// The moment a batch is processed. Decides when things are emitted, never what comes out.
#[derive(Debug, Clone)]
pub struct Tick {
    /// Wall clock.
    pub now: Timestamp,
    /// True when nothing more was waiting in the source partition.
    pub caught_up: bool,
    /// True when somebody waits for what is held back, and nothing else is under way. A transaction follows another until
    /// [`Processor::due_at`] says that nothing is held back any more.
    pub hurry: bool,
    /// Orders to go on past something.
    pub skips: Arc<Vec<Skip>>,
}

/// A source partition and what surrounds it.
#[derive(Debug, Clone)]
pub struct Source {
    /// Topic it belongs to.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: u32,
    /// Partitions of the topic.
    pub partitions: u32,
    /// Topology generation: grows when the number of partitions changes. Batches carry it.
    pub generation: i32,
    /// Partitions of each topic the stage writes to.
    pub targets: Arc<std::collections::HashMap<String, u32>>,
    /// The topic, for what was read from it before.
    pub again: Again,
}

impl Source {
    /// Partitions of a topic the stage writes to.
    ///
    /// # Panics
    /// When the stage did not list the topic in [`Stage::outputs`]: a mistake in the stage, not in its input.
    pub fn target_partitions(&self, topic: &str) -> u32 {
        *self.targets.get(topic).unwrap_or_else(|| panic!("stage does not list {topic} among its outputs"))
    }
}

/// Why a partition cannot go on. It stops, says so, and waits for an operator; other partitions go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// An internal record cannot be decoded: our fault, or a newer writer's.
    #[error(
        "record at offset {offset} cannot be decoded: {error}. Upgrade this service, or skip the record with `spendstream skip --offset {offset}`"
    )]
    Undecodable {
        /// Offset of the record.
        offset: i64,
        /// Why.
        error: String,
    },
    /// Batches of a source are missing: they expired or were deleted while the stage was stopped.
    #[error(
        "batches {expected}..{found} of {source_topic}/{source_partition} are missing before offset {offset}. Restore them, or go on with `spendstream skip --source {source_topic}/{source_partition} --sequence {found}`"
    )]
    Gap {
        /// Source of the batch.
        source_topic: String,
        /// Its partition.
        source_partition: i32,
        /// Sequence that should have come.
        expected: i64,
        /// Sequence that came.
        found: i64,
        /// Offset it came at.
        offset: i64,
    },
    /// Raw records are gone: they expired or were deleted before the stage had read them. Batches of internal topics say
    /// themselves what is missing, see [`Halt::Gap`].
    #[error(
        "records {from}..{to} expired or were deleted before they were read. Restore them, or go on without them with `spendstream skip --offset {from}`"
    )]
    Expired {
        /// Offset to read next.
        from: i64,
        /// First offset there is.
        to: i64,
    },
    /// What it goes by is about something else than what it reads, or is not whole any more.
    #[error("{why}: `spendstream skip --source {source_topic}/{source_partition} --sequence {sequence}`")]
    Unfounded {
        /// What is wrong, and what else can be done.
        why: String,
        /// The topic it is about.
        source_topic: String,
        /// Its partition.
        source_partition: i32,
        /// Number of what is there now, which an order has to name: see who stops with it.
        sequence: i64,
    },
    /// State or reference data cannot be used.
    #[error("{0}")]
    State(String),
}

impl Halt {
    /// The order that lets a stage or table go on past what stopped it; none where no order helps.
    pub fn skip(&self, reader: &str, topic: &str, partition: u32) -> Option<String> {
        let what = match self {
            Halt::Undecodable { offset, .. } => format!("--offset {offset}"),
            Halt::Gap { source_topic, source_partition, found, .. } => {
                format!("--source {source_topic}/{source_partition} --sequence {found}")
            }
            Halt::Expired { from, .. } => format!("--offset {from}"),
            Halt::Unfounded { source_topic, source_partition, sequence, .. } => {
                format!("--source {source_topic}/{source_partition} --sequence {sequence}")
            }
            Halt::State(_) => return None,
        };
        Some(format!("spendstream skip --stage {reader} --topic {topic} --partition {partition} {what} --reason WHY"))
    }

    /// True when an order for the reader that stopped lets it go on.
    pub fn is_lifted_by(&self, order: &Skip) -> bool {
        let goes_on = match self {
            Halt::Gap { source_topic, source_partition, found, .. } => {
                order.accepts(source_topic, *source_partition, *found)
            }
            Halt::Unfounded { source_topic, source_partition, sequence, .. } => {
                order.accepts(source_topic, *source_partition, *sequence)
            }
            _ => false,
        };
        goes_on || self.offset().is_some_and(|offset| order.leaves_out(offset))
    }

    /// True when one of these orders is for this partition of the reader that stopped, and lets it go on.
    pub(crate) fn is_lifted(&self, orders: &[Skip], reader: &str, topic: &str, partition: u32) -> bool {
        orders.iter().any(|order| order.is_for(reader, topic, partition) && self.is_lifted_by(order))
    }

    /// Offset of the record it stopped at, where there is one: what comes before it is good.
    pub fn offset(&self) -> Option<i64> {
        match self {
            Halt::Undecodable { offset, .. } | Halt::Gap { offset, .. } | Halt::Expired { from: offset, .. } => {
                Some(*offset)
            }
            Halt::Unfounded { .. } | Halt::State(_) => None,
        }
    }
}

/// The pure work of a stage on one source partition.
///
/// Within a transaction the runtime calls `process` any number of times, then `finish` once. Then either `promote`, when
/// the transaction is committed, or `undo`, after which the same records come again. A transaction without records
/// (a heartbeat) calls `finish` alone. Same input, same state, same reference data: same output, whatever the clock says.
pub trait Processor: Send {
    /// Takes back one entry of the changelog, in the order written.
    fn restore(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Halt>;

    /// The last entry was taken back: what follows from all of them together can be made now, once.
    ///
    /// # Errors
    /// When an entry turns out to be none of ours.
    fn restored(&mut self) -> Result<(), Halt> {
        self.promote();
        Ok(())
    }

    /// Takes a run of records, in offset order.
    fn process(&mut self, records: &[Record<'_>], tick: &Tick, books: &mut Books) -> Result<(), Halt>;

    /// Closes the transaction: writes out batches, upserts, heartbeats and state changes.
    fn finish(&mut self, tick: &Tick, books: &mut Books, out: &mut Output) -> Result<(), Halt>;

    /// When the first of what is held back is to be written, by the wall clock; `None` where nothing is. A transaction is
    /// closed then, or with the next heartbeat, though no records come. Asked once the state is restored and after
    /// `finish`.
    fn due_at(&self) -> Option<Timestamp> {
        None
    }

    /// The transaction is committed: what it changed is now the state.
    fn promote(&mut self);

    /// The transaction is aborted: the state is what it was before it.
    fn undo(&mut self);

    /// Gives out everything the state holds, as entries for a changelog (slot, key, value): how it moves when the number
    /// of partitions changes. [`Processor::restore`] takes the entries of any slots back, whichever partitions held them
    /// before; an entry for every slot of the partition may carry what concerns them all.
    ///
    /// # Errors
    /// When state that is not in memory cannot be read.
    fn export(&self, entry: &mut dyn FnMut(u32, Bytes, Bytes)) -> Result<(), Halt>;

    /// Bytes of state held, estimated, for metrics.
    fn state_bytes(&self) -> usize {
        0
    }
}

/// What of its changelog a stage needs to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Its books, which stand at the end: it keeps nothing else.
    Books,
    /// What it wrote within this time: the changelog is kept by time.
    Within(Duration),
    /// All there is: the changelog is compacted.
    Everything,
}

/// A stage of the pipeline: what it reads and writes, and how it makes processors.
pub trait Stage: Send + Sync {
    /// Name: `ingest`, `enrich`, `combine`, `merge`. Part of group, changelog and transactional ids.
    fn name(&self) -> &'static str;

    /// The one topic it reads.
    fn input(&self) -> &str;

    /// Topics it writes to, the changelog and the ledger left out.
    fn outputs(&self) -> Vec<String>;

    /// True when what it writes grows with its keys rather than with its records: it is given larger transactions.
    fn sums(&self) -> bool {
        false
    }

    /// What it needs of its changelog to go on.
    fn needs(&self) -> Needs {
        Needs::Everything
    }

    /// Reference data it needs, read to the end before it starts and kept up to date.
    fn references(&self) -> Vec<Arc<dyn ReferenceSink>> {
        Vec::new()
    }

    /// A processor for one source partition, with empty state.
    fn processor(&self, source: &Source) -> Box<dyn Processor>;
}

/// A number of a topic's id: tables keep numbers, and orders name them.
pub fn topic_number(id: &str) -> i64 {
    let hash = schemas::ids::hash_parts([b"topic".as_slice(), id.as_bytes()]);
    let (first, _) = hash.0.split_at(8);
    first.iter().fold(0, |number, byte| number << 8 | i64::from(*byte)) & i64::MAX
}

/// The rest of a flush, for any thread.
pub type Write = Box<dyn FnOnce() -> anyhow::Result<()> + Send>;

/// A table outside the log that owns its offsets: what [`crate::kafka::run_table`] drives.
pub trait Table: Send {
    /// Name: part of the group id.
    fn name(&self) -> &str;

    /// The one topic it reads.
    fn input(&self) -> &str;

    /// Is told which topic its records come from, before partitions are assigned: a number of its id ([`crate::topic_number`]), `None`
    /// where brokers give none. A topic of the same name may be another one.
    fn comes_from(&mut self, _topic: Option<i64>) {}

    /// Takes partitions over: says from which offset to read each (`None`: from the beginning).
    fn assign(&mut self, partitions: &[u32]) -> anyhow::Result<Vec<(u32, Option<i64>)>>;

    /// Why a partition that was just assigned may not be read: the table holds another topic of the name. It is asked again after the
    /// next order.
    fn refuses(&self, _partition: u32) -> Option<Halt> {
        None
    }

    /// Gives partitions up; what is buffered for them is dropped, to be read again by whoever has them next.
    fn revoke(&mut self, partitions: &[u32]);

    /// Every order of an operator so far to go on past something. Comes before the records it may concern; records that are
    /// to be left out do not come at all.
    fn heed(&mut self, _orders: &Arc<Vec<Skip>>) {}

    /// Buffers records of one partition, in offset order. `position` is the offset after the last of them.
    fn append(&mut self, partition: u32, records: &[Record<'_>], position: i64) -> Result<(), Halt>;

    /// True when the buffer should be written now, by size or age.
    fn due(&self, now: Timestamp) -> bool;

    /// Bytes buffered or being written: the driver stops reading above the bound it is given.
    fn buffered_bytes(&self) -> usize;

    /// True while it takes no more, however little is buffered, because what it took goes out too slowly. The driver keeps
    /// the partitions and reads on when it is false.
    fn is_full(&self) -> bool {
        false
    }

    /// Writes the buffer and commits it with its offsets. On an error nothing is known: the driver assigns again.
    fn flush(&mut self, now: Timestamp) -> anyhow::Result<()>;

    /// Takes the buffer out and returns what writes and commits it, so that more can be buffered meanwhile; `None` when
    /// nothing is left to do. One write at a time, and none while partitions change hands: the driver lets it end
    /// first. When it fails nothing is known, neither of it nor of what was buffered since.
    fn begin_flush(&mut self, now: Timestamp) -> anyhow::Result<Option<Write>> {
        self.flush(now).map(|()| None)
    }
}
