//! A log seen from outside: read, append, list. What commands, the HTTP front door and tests need of either driver.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use schemas::codec::Format;
use schemas::wire::Wire;
use schemas::{LedgerEntry, Manifest, ReferenceItem, ReferenceRow, Skip, Text, Timestamp, topics};

use crate::processor::{OutRecord, Record};
use crate::reference;

/// Bytes asked for at a time when a topic is read to its end.
const SCAN_BYTES: usize = 4 << 20;

/// A manifest names at most this many rows, so that it fits into one record.
pub const MANIFEST_ROWS_MAX: usize = 50_000;

/// A record that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Offset within the partition.
    pub offset: i64,
    /// Kafka timestamp.
    pub timestamp: Timestamp,
    /// Key.
    pub key: Option<Bytes>,
    /// Value; null is a tombstone.
    pub payload: Option<Bytes>,
    /// Headers, in order.
    pub headers: Vec<(String, Bytes)>,
}

impl StoredRecord {
    /// The record as processors see it.
    pub fn borrow(&self) -> Record<'_> {
        Record {
            offset: self.offset,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            payload: self.payload.as_deref(),
            headers: self.headers.iter().map(|(name, value)| (name.as_str(), &**value)).collect(),
        }
    }

    /// Bytes of key, value and headers.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.key.as_ref().map_or(0, Bytes::len) + self.payload.as_ref().map_or(0, Bytes::len) + headers
    }
}

/// Topics of partitions of records. Calls block: on an async thread wrap them in `spawn_blocking`.
pub trait Log: Send + Sync {
    /// Every topic with its number of partitions, by name.
    ///
    /// # Errors
    /// When the log cannot be reached.
    fn topics(&self) -> anyhow::Result<Vec<(String, u32)>>;

    /// Partitions of a topic; `None` when there is no such topic.
    ///
    /// # Errors
    /// When the log cannot be reached.
    fn partitions(&self, topic: &str) -> anyhow::Result<Option<u32>>;

    /// Offsets of the committed records: `[first, end)`. Not every offset in between holds one.
    ///
    /// # Errors
    /// When the log cannot be reached or there is no such partition.
    fn range(&self, topic: &str, partition: u32) -> anyhow::Result<Range<i64>>;

    /// Committed records from an offset on, in order: at least one unless there is none, then up to `bytes_max`.
    /// An offset before the first record means the first record.
    ///
    /// # Errors
    /// When the log cannot be reached or there is no such partition.
    fn read(&self, topic: &str, partition: u32, from: i64, bytes_max: usize) -> anyhow::Result<Vec<StoredRecord>>;

    /// Appends all of the records or none; on return they are durable and visible.
    ///
    /// # Errors
    /// When a topic or partition does not exist (nothing is written), or the log cannot be reached (then it may be
    /// unknown whether they were written: repeating is at-least-once, and identities downstream make it exact).
    fn append(&self, records: Vec<OutRecord>) -> anyhow::Result<()>;

    /// As [`Log::append`], to one partition, and only if it still ends where the caller has read it to. False, and nothing
    /// is written, when others have appended meanwhile: read on, decide again, call again. Of callers that decide by what
    /// they have read, none undoes what another has done.
    ///
    /// # Errors
    /// As [`Log::append`].
    fn append_if_end(&self, end: i64, records: Vec<OutRecord>) -> anyhow::Result<bool>;
}

/// Between two looks whether superseded records are gone.
const GONE_LOOK_EVERY: Duration = Duration::from_secs(1);

/// Origin of the row that is appended only to close a segment.
const SEAL: &str = "seal";

/// Sees to it that nothing superseded is left in a topic of [`schemas::topics::Kept::Newest`], and waits for it: true when
/// it is so, false when it was not within `patience`.
///
/// On Kafka the segment that is written to is never cleaned, and a segment ends only when a record comes after its time: so
/// a record without meaning is appended once that time is over. The local driver has nothing left to destroy.
///
/// # Errors
/// When the log cannot be read or written.
pub fn destroy_superseded(log: &dyn Log, topic: &str, patience: Duration) -> anyhow::Result<bool> {
    let began = Instant::now();
    let segment = patience / 12 + Duration::from_millis(500);
    let mut seal_at = began + segment;
    loop {
        let mut keys = HashSet::new();
        let mut superseded = false;
        scan(log, topic, 0, 0, |record| {
            let key = record.key.clone().unwrap_or_default();
            superseded |= *key != *SEAL.as_bytes() && !keys.insert(key);
            Ok(())
        })?;
        if !superseded {
            return Ok(true);
        }
        if began.elapsed() > patience {
            return Ok(false);
        }
        if Instant::now() >= seal_at {
            let seal = ReferenceRow {
                set: Text::default(),
                row_id: Default::default(),
                origin: SEAL.into(),
                body: Text::default(),
            };
            let payload = Format::<ReferenceItem>::new().encode(&ReferenceItem::Row(seal));
            log.append(vec![out(topic, SEAL.to_owned(), payload)]).context("close the segment")?;
            seal_at = Instant::now() + segment;
        }
        std::thread::sleep(GONE_LOOK_EVERY);
    }
}

/// Calls `each` on every record from `from` up to the end that the partition has now. Returns that end.
///
/// # Errors
/// When the log cannot be read, and whatever `each` fails with.
pub fn scan(
    log: &dyn Log,
    topic: &str,
    partition: u32,
    from: i64,
    mut each: impl FnMut(&StoredRecord) -> anyhow::Result<()>,
) -> anyhow::Result<i64> {
    let range = log.range(topic, partition)?;
    let mut next = from.max(range.start);
    while next < range.end {
        let records = log.read(topic, partition, next, SCAN_BYTES)?;
        let Some(last) = records.last() else { break };
        next = last.offset + 1;
        records.iter().filter(|record| record.offset < range.end).try_for_each(&mut each)?;
    }
    Ok(range.end.max(from))
}

/// Decodes every record of a single-partition topic from `from` on; returns the items and where to go on.
fn items<T: Wire>(log: &dyn Log, topic: &str, from: i64) -> anyhow::Result<(Vec<T>, i64)> {
    let format = Format::<T>::new();
    let mut items = Vec::new();
    let end = scan(log, topic, 0, from, |record| {
        let payload =
            record.payload.as_deref().with_context(|| format!("{topic} offset {}: no value", record.offset))?;
        items.push(format.decode(payload).with_context(|| format!("{topic} offset {}", record.offset))?);
        Ok(())
    })?;
    Ok((items, end))
}

/// What is on a reference topic (`ref.<set>`) from an offset on, and where to go on.
///
/// # Errors
/// When the log cannot be read or an item cannot be decoded.
pub fn reference_items(log: &dyn Log, topic: &str, from: i64) -> anyhow::Result<(Vec<ReferenceItem>, i64)> {
    items(log, topic, from)
}

/// Every order to skip something.
///
/// # Errors
/// When the log cannot be read or an order cannot be decoded.
pub fn skips(log: &dyn Log) -> anyhow::Result<Vec<Skip>> {
    Ok(items(log, topics::SKIPS, 0)?.0)
}

/// Orders to skip something from an offset on, and where to go on.
pub(crate) fn skips_from(log: &dyn Log, from: i64) -> anyhow::Result<(Vec<Skip>, i64)> {
    items(log, topics::SKIPS, from)
}

/// Orders a stage to go on past something it stopped at.
///
/// # Errors
/// When the order names nothing to skip, or cannot be written.
pub fn order_skip(log: &dyn Log, skip: &Skip) -> anyhow::Result<()> {
    let gap = skip.source_topic.is_some() && skip.source_partition.is_some() && skip.sequence.is_some();
    ensure!(skip.offset.is_some() || gap, "a skip names an offset, or a source and the sequence to go on with");
    let key = format!("{}/{}/{}", skip.stage, skip.topic, skip.partition);
    log.append(vec![out(topics::SKIPS, key, Format::new().encode(skip))]).context("order the skip")
}

/// The books of every stage as they stand: the newest entry of each (stage, topic, partition).
///
/// # Errors
/// When the log cannot be read or an entry cannot be decoded.
pub fn ledger(log: &dyn Log) -> anyhow::Result<Vec<LedgerEntry>> {
    let format = Format::<LedgerEntry>::new();
    let mut newest = BTreeMap::new();
    scan(log, topics::LEDGER, 0, 0, |record| {
        match (&record.key, &record.payload) {
            (Some(key), Some(payload)) => newest.insert(key.clone(), payload.clone()),
            (Some(key), None) => newest.remove(key),
            (None, _) => None,
        };
        Ok(())
    })?;
    let decode = |(key, payload): (&Bytes, &Bytes)| {
        format.decode(payload).with_context(|| format!("ledger entry {}", String::from_utf8_lossy(key)))
    };
    newest.iter().map(decode).collect()
}

/// Key of the books of a stage for one source partition on `spend.ledger`.
pub fn ledger_key(stage: &str, topic: &str, partition: u32) -> String {
    format!("{stage}/{topic}/{partition}")
}

/// What publishing a set did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The newest version has exactly these rows already: nothing was written.
    Unchanged {
        /// The version.
        version: Text,
    },
    /// A new version was written.
    New {
        /// The version.
        version: Text,
        /// Records that arrive from then on use it.
        effective_at: Timestamp,
        /// Rows it has.
        rows: usize,
        /// Rows that no earlier version had.
        rows_new: usize,
        /// Rows of the version before that it does not have.
        rows_gone: usize,
    },
}

impl std::fmt::Display for Published {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Published::Unchanged { version } => write!(f, "unchanged: version {version} is the newest already"),
            Published::New { version, effective_at, rows, rows_new, rows_gone } => {
                write!(
                    f,
                    "version {version}: {rows} rows, {rows_new} of them new, {rows_gone} of the version before gone, \
                     effective {effective_at}"
                )
            }
        }
    }
}

/// Publishes rows as the newest version of a set: the rows that are not there yet and the manifest, in one append.
///
/// It takes effect `effective_after_seconds` after `now`, so that every service has read it by then
/// ([`reference::EFFECTIVE_AFTER_SECONDS`]). The first version of a set is effective at once: there is nothing that
/// anybody could use until then, and it holds for whatever is older anyway. The rows must have been validated.
///
/// # Errors
/// When the set has too many rows, or the log cannot be read or written.
pub fn publish_reference(
    log: &dyn Log,
    set: &str,
    rows: &[ReferenceRow],
    now: Timestamp,
    effective_after_seconds: i64,
) -> anyhow::Result<Published> {
    let (published, records) = version(log, set, rows, now, effective_after_seconds)?;
    if !records.is_empty() {
        log.append(records).with_context(|| format!("publish {set}"))?;
    }
    Ok(published)
}

/// What [`publish_reference`] would do; nothing is written.
///
/// # Errors
/// As [`publish_reference`].
pub fn compare_reference(
    log: &dyn Log,
    set: &str,
    rows: &[ReferenceRow],
    now: Timestamp,
    effective_after_seconds: i64,
) -> anyhow::Result<Published> {
    version(log, set, rows, now, effective_after_seconds).map(|(published, _)| published)
}

/// The version that rows make, and the records that publish it; none when it is the newest already.
fn version(
    log: &dyn Log,
    set: &str,
    rows: &[ReferenceRow],
    now: Timestamp,
    effective_after_seconds: i64,
) -> anyhow::Result<(Published, Vec<OutRecord>)> {
    ensure!(rows.len() <= MANIFEST_ROWS_MAX, "{set} has {} rows, more than {MANIFEST_ROWS_MAX}", rows.len());
    let topic = format!("ref.{set}");
    ensure!(log.partitions(&topic)?.is_some(), "there is no topic {topic}: create it with `spendstream topics apply`");
    let (items, _) = reference_items(log, &topic, 0).with_context(|| format!("read {topic}"))?;
    let mut known = HashSet::new();
    let mut newest: Option<Manifest> = None;
    for item in items {
        match item {
            ReferenceItem::Row(row) => {
                known.insert(row.row_id);
            }
            ReferenceItem::Manifest(manifest) => newest = Some(manifest),
        }
    }
    let effective_at = newest.as_ref().map_or(now, |newest| {
        // Behind the one before in any case: a version is in force until a later one is.
        let behind = Timestamp::from_micros(newest.effective_at.micros().saturating_add(1));
        now.plus_seconds(effective_after_seconds).max(behind)
    });
    let manifest = reference::manifest(set, rows, now, effective_at);
    let version = manifest.version.clone();
    let before = newest.map(|newest| newest.rows);
    if before.as_ref() == Some(&manifest.rows) {
        return Ok((Published::Unchanged { version }, Vec::new()));
    }
    let now_there: HashSet<_> = manifest.rows.iter().collect();
    let rows_gone = before.iter().flatten().filter(|row| !now_there.contains(row)).count();
    let format = Format::<ReferenceItem>::new();
    let mut records = Vec::new();
    for row in rows.iter().filter(|row| known.insert(row.row_id)) {
        let payload = format.encode(&ReferenceItem::Row(row.clone()));
        records.push(out(&topic, row.row_id.to_string(), payload));
    }
    let rows_new = records.len();
    let key = format!("manifest/{version}/{}", effective_at.micros());
    records.push(out(&topic, key, format.encode(&ReferenceItem::Manifest(manifest))));
    Ok((Published::New { version, effective_at, rows: rows.len(), rows_new, rows_gone }, records))
}

/// Writes rows that replace those of the same origin, if the topic still ends where the caller has read it to; see
/// [`Log::append_if_end`].
///
/// # Errors
/// When the log cannot be written.
pub fn replace_rows(log: &dyn Log, topic: &str, end: i64, rows: Vec<ReferenceRow>) -> anyhow::Result<bool> {
    let format = Format::<ReferenceItem>::new();
    let record = |row: ReferenceRow| {
        let key = row.origin.to_string();
        out(topic, key, format.encode(&ReferenceItem::Row(row)))
    };
    log.append_if_end(end, rows.into_iter().map(record).collect()).with_context(|| format!("write {topic}"))
}

fn out(topic: &str, key: String, payload: Vec<u8>) -> OutRecord {
    OutRecord {
        topic: Arc::from(topic),
        partition: 0,
        key: Some(Bytes::from(key)),
        payload: Some(Bytes::from(payload)),
        headers: Vec::new(),
        timestamp: None,
    }
}
