//! What was rejected, what has become of it, and reading it once more.
//!
//! Nothing is kept beside the topics. `usage.rejected` says what was rejected and when; copies on `usage.corrections` say
//! what was read once more and when. An item is *open* when its newest rejection is not older than the newest copy of its
//! record: a copy that was rejected again arrived exactly then.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use bytes::Bytes;
use ingest::{Config, Decoded, Item, Original, RawRecord};
use schemas::codec::Format;
use schemas::ids::hash_parts;
use schemas::{Batch, RejectReason, Rejection, Text, Timestamp, topics};
use stream::{Log, OutRecord, StoredRecord};

/// Most raw records looked at together: each takes some hundred bytes of memory.
const RECORDS_MAX: usize = 500_000;

/// Records and bytes of one append.
const APPEND_RECORDS: usize = 500;
const APPEND_BYTES: usize = 4 << 20;

/// Which rejections are meant.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this reason.
    pub reason: Option<RejectReason>,
    /// Only records of this raw topic.
    pub topic: Option<Text>,
    /// Only what was rejected from then on.
    pub since: Option<Timestamp>,
    /// Only what was rejected before.
    pub until: Option<Timestamp>,
}

impl Filter {
    fn takes(&self, rejection: &Rejection) -> bool {
        let at = rejection.received_at;
        self.reason.is_none_or(|reason| reason == rejection.reason)
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
    }
}

/// Where a raw record stands: topic, partition, offset.
pub type Place = (Text, i32, i64);

/// What has become of a rejected item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its raw record is there to be read once more.
    Open,
    /// Its record was read once more, and it has not been rejected since.
    Replayed,
    /// Its raw record is not there any more.
    Expired,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            State::Open => "open",
            State::Replayed => "replayed",
            State::Expired => "expired",
        })
    }
}

/// The rejections of one raw record: the newest of each item, with its state.
#[derive(Debug, Clone, Default)]
pub struct Rejected {
    /// By item.
    pub items: BTreeMap<i32, (Rejection, State)>,
    /// When its newest copy arrived.
    replayed: Option<Timestamp>,
}

impl Rejected {
    /// Items that can be read once more.
    pub fn open(&self) -> impl Iterator<Item = &Rejection> {
        self.items.values().filter(|(_, state)| *state == State::Open).map(|(rejection, _)| rejection)
    }
}

/// Everything rejected that the filter takes, by place.
///
/// # Errors
/// When the log cannot be read, or holds more than fits into memory.
pub fn find(log: &dyn Log, filter: &Filter) -> anyhow::Result<BTreeMap<Place, Rejected>> {
    let mut found: BTreeMap<Place, Rejected> = BTreeMap::new();
    let format = Format::<Batch<Rejection>>::new();
    for partition in 0..log.partitions(topics::REJECTED)?.context("there is no topic usage.rejected")? {
        stream::log::scan(log, topics::REJECTED, partition, 0, |record| {
            let Some(payload) = &record.payload else { return Ok(()) };
            let batch = format.decode(payload).with_context(|| format!("read usage.rejected/{partition}"))?;
            for rejection in batch.items {
                let position = &rejection.position;
                if filter.topic.as_ref().is_some_and(|topic| *topic != position.topic)
                    || filter.since.is_some_and(|since| rejection.received_at < since)
                {
                    continue;
                }
                let place = (position.topic.clone(), position.partition, position.offset);
                let item = position.item;
                let items = &mut found.entry(place).or_default().items;
                let newest = items.get(&item).is_none_or(|(known, _)| known.received_at <= rejection.received_at);
                if newest {
                    items.insert(item, (rejection, State::Open));
                }
            }
            ensure!(
                found.len() <= RECORDS_MAX,
                "more than {RECORDS_MAX} raw records were rejected: narrow it by --since"
            );
            Ok(())
        })?;
    }
    find_copies(log, &mut found)?;
    let first = first_offsets(log, &found)?;
    for ((topic, partition, offset), record) in &mut found {
        let kept = first.get(&(topic.clone(), *partition)).is_some_and(|first| offset >= first);
        for (rejection, state) in record.items.values_mut() {
            *state = match record.replayed {
                Some(replayed) if rejection.received_at < replayed => State::Replayed,
                _ if kept => State::Open,
                _ => State::Expired,
            };
        }
        record.items.retain(|_, (rejection, _)| filter.takes(rejection));
    }
    found.retain(|_, record| !record.items.is_empty());
    Ok(found)
}

/// Notes when the newest copy of each record arrived.
fn find_copies(log: &dyn Log, found: &mut BTreeMap<Place, Rejected>) -> anyhow::Result<()> {
    let config = Config::default();
    for partition in 0..log.partitions(topics::CORRECTIONS)?.context("there is no topic usage.corrections")? {
        stream::log::scan(log, topics::CORRECTIONS, partition, 0, |stored| {
            let record = stored.borrow();
            let raw = RawRecord {
                topic: topics::CORRECTIONS,
                partition: partition as i32,
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key,
                headers: &record.headers,
                payload: record.payload,
            };
            if let Some(original) = Original::of(&raw, &config)
                && let Some(rejected) = found.get_mut(&(original.topic.into(), original.partition, original.offset))
            {
                rejected.replayed = rejected.replayed.max(Some(stored.timestamp));
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The first offset there is of every raw partition that is named; none where the topic is gone.
fn first_offsets(log: &dyn Log, found: &BTreeMap<Place, Rejected>) -> anyhow::Result<BTreeMap<(Text, i32), i64>> {
    let mut first = BTreeMap::new();
    for (topic, partition, _) in found.keys() {
        let key = (topic.clone(), *partition);
        if first.contains_key(&key) {
            continue;
        }
        let partitions = log.partitions(topic)?.unwrap_or(0);
        if let Ok(number) = u32::try_from(*partition)
            && number < partitions
        {
            first.insert(key, log.range(topic, number)?.start);
        }
    }
    Ok(first)
}

/// A raw record that was rejected, where it still stands as it did.
///
/// # Errors
/// When the log cannot be read.
pub fn original(log: &dyn Log, place: &Place, hash: schemas::Id128) -> anyhow::Result<Option<StoredRecord>> {
    let (topic, partition, offset) = place;
    let partition = u32::try_from(*partition).context("a partition has no sign")?;
    let found = log.read(topic, partition, *offset, 1)?.into_iter().next();
    // A topic that was deleted and made again has other records at the same offsets.
    let same = |record: &StoredRecord| {
        record.offset == *offset && hash_parts([record.payload.as_deref().unwrap_or_default()]) == hash
    };
    Ok(found.filter(same))
}

/// The copy of a raw record that is read once more, arriving now.
pub fn copy(place: &Place, record: &StoredRecord, partitions: u32, now: Timestamp) -> OutRecord {
    let (topic, partition, offset) = place;
    let original = Original { topic, partition: *partition, offset: *offset, arrived: record.timestamp };
    OutRecord {
        topic: topics::CORRECTIONS.into(),
        partition: partition.unsigned_abs() % partitions.max(1),
        key: None,
        payload: record.payload.clone(),
        headers: original.headers(&record.headers),
        timestamp: Some(now),
    }
}

/// What ingest would make of a copy.
pub fn decode(copy: &OutRecord, config: &Config) -> Decoded {
    let headers: Vec<(&str, &[u8])> = copy.headers.iter().map(|(name, value)| (name.as_str(), &**value)).collect();
    let record = RawRecord {
        topic: &copy.topic,
        partition: copy.partition as i32,
        offset: 0,
        timestamp: copy.timestamp.unwrap_or(Timestamp::MIN),
        key: None,
        headers: &headers,
        payload: copy.payload.as_deref(),
    };
    ingest::decode(&record, config)
}

/// True when reading once more mends nothing: no item would be usable, or every open item would be rejected again for the
/// same reason and field.
fn unchanged(open: &[&Rejection], decoded: &Decoded) -> bool {
    let again = |old: &&Rejection| {
        decoded.items.iter().any(|item| match item {
            Item::Rejected(new) => {
                new.position.item == old.position.item && new.reason == old.reason && new.field == old.field
            }
            _ => false,
        })
    };
    decoded.items.iter().all(|item| matches!(item, Item::Rejected(_))) || open.iter().all(again)
}

/// What reading once more did.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Replayed {
    /// Raw records copied.
    pub replayed: Vec<String>,
    /// Their items that had been rejected.
    pub items: u64,
    /// Raw records that would be rejected as before: left alone.
    pub unchanged: u64,
    /// Raw records that are not there any more.
    pub expired: Vec<String>,
}

/// Copies the raw records of open rejections to the corrections topic, unless they would be rejected as before. With
/// `dry_run` it only says what it would do.
///
/// # Errors
/// When the log cannot be read or written. What was copied until then stays copied, and is not copied again.
pub fn replay(
    log: &dyn Log,
    found: &BTreeMap<Place, Rejected>,
    config: &Config,
    now: Timestamp,
    dry_run: bool,
) -> anyhow::Result<Replayed> {
    let partitions = log.partitions(topics::CORRECTIONS)?.context("there is no topic usage.corrections")?;
    let mut done = Replayed::default();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for (place, rejected) in found {
        let (topic, partition, offset) = place;
        let name = format!("{topic}/{partition}/{offset}");
        let open: Vec<&Rejection> = rejected.open().collect();
        let Some(first) = open.first() else {
            if rejected.items.values().any(|(_, state)| *state == State::Expired) {
                done.expired.push(name);
            }
            continue;
        };
        let Some(record) = original(log, place, first.payload_hash)? else {
            done.expired.push(name);
            continue;
        };
        // Later than what it replaces, also where the clock of the producer was ahead.
        let arrives = open.iter().map(|rejection| rejection.received_at.plus_seconds(1)).fold(now, Timestamp::max);
        let copy = copy(place, &record, partitions, arrives);
        if unchanged(&open, &decode(&copy, config)) {
            done.unchanged += 1;
            continue;
        }
        done.items += open.len() as u64;
        done.replayed.push(name);
        bytes += record.size();
        batch.push(copy);
        if batch.len() >= APPEND_RECORDS || bytes >= APPEND_BYTES {
            append(log, &mut batch, dry_run)?;
            bytes = 0;
        }
    }
    append(log, &mut batch, dry_run)?;
    Ok(done)
}

fn append(log: &dyn Log, batch: &mut Vec<OutRecord>, dry_run: bool) -> anyhow::Result<()> {
    let batch = std::mem::take(batch);
    if dry_run || batch.is_empty() {
        return Ok(());
    }
    let largest = batch.iter().map(|record| record.payload.as_ref().map_or(0, Bytes::len)).max().unwrap_or(0);
    log.append(batch).with_context(|| {
        format!(
            "copy records to usage.corrections (the largest has {largest} bytes; its max.message.bytes must allow that)"
        )
    })
}
