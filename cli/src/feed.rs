//! Feeds a data folder from the sample and from files, each record once: how far a source was read is written in the
//! same append as its records, so a run that was killed goes on where it stopped and a second run adds nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use ingest::{Item, RawRecord};
use schemas::ids::hash_parts;
use schemas::topics::{Kept, Partitions, RAW, TopicSpec};
use schemas::{Flag, Id128, Timestamp};
use serde::{Deserialize, Serialize};
use stream::{Log, OutRecord};

use crate::input;
use crate::traffic::{Shape, Traffic};

/// How far each source was read.
const POSITIONS: &str = "up.positions";

/// Records of one append. Each waits for the disk, and so does everybody else who writes meanwhile.
const APPEND_RECORDS: usize = 4_000;

/// Bytes of one append.
const APPEND_BYTES: usize = 8 << 20;

/// The topic this module needs beside the catalogue.
pub fn topic() -> TopicSpec {
    TopicSpec {
        name: POSITIONS.to_owned(),
        partitions: Partitions::One,
        kept: Kept::Compacted(std::time::Duration::ZERO),
    }
}

/// How far a source was read. The sample's parameters are part of it: it goes on as it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Position {
    Sample { seed: u64, start: Timestamp, span_seconds: i64, count: u64, fed: u64 },
    File { fed: u64 },
}

/// What feeding a source did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fed {
    /// Records appended now.
    pub new: u64,
    /// Records that an earlier run had appended.
    pub before: u64,
}

/// Appends records to `usage.raw` and remembers how far it came.
pub struct Feeder<'a> {
    log: &'a dyn Log,
    topic: Arc<str>,
    partitions: u32,
    positions: HashMap<String, Position>,
    config: ingest::Config,
    /// Told after every append how many records it had.
    progress: &'a mut dyn FnMut(u64),
    /// Asked before every append whether to go on.
    stopping: &'a dyn Fn() -> bool,
}

impl std::fmt::Debug for Feeder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "feeder of {} with {} sources", self.topic, self.positions.len())
    }
}

impl<'a> Feeder<'a> {
    /// Reads how far every source has come.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn new(
        log: &'a dyn Log,
        progress: &'a mut dyn FnMut(u64),
        stopping: &'a dyn Fn() -> bool,
    ) -> anyhow::Result<Self> {
        let partitions = log.partitions(RAW)?.with_context(|| format!("there is no topic {RAW}"))?;
        let mut positions = HashMap::new();
        stream::log::scan(log, POSITIONS, 0, 0, |record| {
            if let (Some(key), Some(payload)) = (&record.key, &record.payload) {
                let position = serde_json::from_slice(payload).context("read how far a source came")?;
                positions.insert(String::from_utf8_lossy(key).into_owned(), position);
            }
            Ok(())
        })?;
        let config = ingest::Config::default();
        Ok(Feeder { log, topic: RAW.into(), partitions, positions, config, progress, stopping })
    }

    /// Feeds the sample, or what is left of the one that was begun.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn sample(&mut self, seed: u64, count: u64, now: Timestamp) -> anyhow::Result<Fed> {
        let (start, span_seconds) = sample_span(now);
        let begun = self.positions.get("sample").cloned();
        let Position::Sample { seed, start, span_seconds, count, fed } =
            begun.unwrap_or(Position::Sample { seed, start, span_seconds, count, fed: 0 })
        else {
            anyhow::bail!("the position of the sample is that of a file");
        };
        let skip = usize::try_from(fed).context("skip what was fed")?;
        let left = usize::try_from(count - fed.min(count)).context("--sample is too large for this machine")?;
        let mut traffic = Traffic::new(seed, Shape::Sample, start, span_seconds, count).skip(skip).take(left);
        let mut done = Fed { new: 0, before: fed };
        loop {
            let partitions = self.partitions;
            let records: Vec<OutRecord> = traffic
                .by_ref()
                .take(APPEND_RECORDS)
                .map(|record| OutRecord {
                    topic: self.topic.clone(),
                    partition: record.slot % partitions,
                    key: record.key.map(Bytes::from),
                    payload: Some(Bytes::from(record.payload)),
                    headers: record.headers.into_iter().map(|(name, value)| (name, Bytes::from(value))).collect(),
                    timestamp: Some(record.timestamp),
                })
                .collect();
            if records.is_empty() || (self.stopping)() {
                return Ok(done);
            }
            done.new += records.len() as u64;
            let position = Position::Sample { seed, start, span_seconds, count, fed: fed + done.new };
            self.append("sample", position, records)?;
        }
    }

    /// Feeds a file, or what is left of it.
    ///
    /// # Errors
    /// When the file cannot be read or the log cannot be written.
    pub fn file(&mut self, path: &Path, now: Timestamp) -> anyhow::Result<Fed> {
        let path: PathBuf = path.canonicalize().with_context(|| format!("find {}", path.display()))?;
        let mut records = input::open(&path)?.peekable();
        // A file that begins otherwise is another file, though it has the name of one that was read: logs rotate.
        let first = match records.peek() {
            None => return Ok(Fed::default()),
            Some(Ok(record)) => hash_parts([record.payload.as_slice()]),
            Some(Err(_)) => Id128::default(),
        };
        let key = format!("file/{}/{first}", path.display());
        let before = match self.positions.get(&key) {
            Some(Position::File { fed }) => *fed,
            _ => 0,
        };
        let mut records = records.skip(usize::try_from(before).context("skip what was fed")?);
        let mut done = Fed { new: 0, before };
        let mut latest = None;
        loop {
            let (mut batch, mut bytes) = (Vec::new(), 0);
            while batch.len() < APPEND_RECORDS && bytes < APPEND_BYTES {
                let Some(record) = records.next() else { break };
                let record = record.with_context(|| format!("read {}", path.display()))?;
                bytes += record.payload.len();
                let timestamp =
                    record.timestamp.or_else(|| self.event_time(&record, now)).or(latest).unwrap_or(now).min(now);
                latest = Some(timestamp);
                let number = before + done.new + batch.len() as u64;
                batch.push(OutRecord {
                    topic: self.topic.clone(),
                    partition: u32::try_from(number % u64::from(self.partitions)).unwrap_or(0),
                    key: None,
                    payload: Some(Bytes::from(record.payload)),
                    headers: record.headers.into_iter().map(|(name, value)| (name, Bytes::from(value))).collect(),
                    timestamp: Some(timestamp),
                });
            }
            if batch.is_empty() || (self.stopping)() {
                return Ok(done);
            }
            done.new += batch.len() as u64;
            self.append(&key, Position::File { fed: before + done.new }, batch)?;
        }
    }

    /// When a record of a file arrived, if nobody wrote that down: when its call was made.
    fn event_time(&self, record: &input::FileRecord, now: Timestamp) -> Option<Timestamp> {
        let headers: Vec<(&str, &[u8])> =
            record.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let raw = RawRecord {
            topic: RAW,
            partition: 0,
            offset: 0,
            // Ingest refuses times far ahead of their arrival.
            timestamp: now,
            key: None,
            headers: &headers,
            payload: Some(&record.payload),
        };
        let items = ingest::decode(&raw, &self.config).items;
        items.iter().find_map(|item| match item {
            Item::Event(event) if !event.flags.contains(&Flag::TimeAssumed) => Some(event.event_time),
            Item::Fact(fact) => Some(fact.event_time),
            _ => None,
        })
    }

    fn append(&mut self, key: &str, position: Position, mut records: Vec<OutRecord>) -> anyhow::Result<()> {
        let count = records.len() as u64;
        records.push(OutRecord {
            topic: POSITIONS.into(),
            partition: 0,
            key: Some(Bytes::from(key.to_owned())),
            payload: Some(Bytes::from(serde_json::to_vec(&position)?)),
            headers: Vec::new(),
            timestamp: None,
        });
        self.log.append(records).context("append to the log")?;
        self.positions.insert(key.to_owned(), position);
        (self.progress)(count);
        Ok(())
    }
}

/// The day the sample tells of: the last 24 hours, but within one month (UTC), so that its budgets tell one story.
fn sample_span(now: Timestamp) -> (Timestamp, i64) {
    use chrono::Datelike;
    const DAY: i64 = 86_400;
    // Retries come up to 90 seconds after the last call; nothing should come from the future.
    let end = now.plus_seconds(-180);
    let month = end.to_datetime().and_then(|time| {
        time.date_naive().with_day(1).map(|day| Timestamp::from(day.and_time(chrono::NaiveTime::MIN).and_utc()))
    });
    let start = end.plus_seconds(-DAY);
    match month {
        // A few minutes of a new month tell nothing: the last day of the old one does.
        Some(month) if month > start && end.micros_since(month) < 7_200_000_000 => {
            (month.plus_seconds(-DAY - 180), DAY)
        }
        Some(month) if month > start => (month, end.micros_since(month) / 1_000_000),
        _ => (start, DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(now: &str) -> (String, i64) {
        let (start, seconds) = sample_span(now.parse().unwrap());
        (start.to_string(), seconds)
    }

    #[test]
    fn the_sample_tells_of_one_month() {
        assert_eq!(span("2026-11-22T12:03:00Z"), ("2026-11-21T12:00:00Z".to_owned(), 86_400));
        assert_eq!(span("2026-12-01T00:30:00Z"), ("2026-11-29T23:57:00Z".to_owned(), 86_400));
        assert_eq!(span("2026-12-01T09:03:00Z"), ("2026-12-01T00:00:00Z".to_owned(), 32_400));
    }
}
