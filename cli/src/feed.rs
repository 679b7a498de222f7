//! Feeds a data folder from the sample and from files, each record once: how far a source was read is written in the
//! same append as its records, so a run that was killed goes on where it stopped and a second run adds nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use anyhow::Context;
use bytes::Bytes;
use ingest::RawRecord;
use schemas::ids::hash_parts;
use schemas::topics::{Kept, Partitions, RAW, TopicSpec};
use schemas::{Id128, Timestamp};
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
    config: Arc<ingest::Config>,
    /// Told of every batch on its way how many records it has.
    progress: &'a mut dyn FnMut(u64),
    /// Asked before every batch whether to go on.
    stopping: &'a dyn Fn() -> bool,
}

impl std::fmt::Debug for Feeder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "feeder of {} with {} sources", self.topic, self.positions.len())
    }
}

impl<'a> Feeder<'a> {
    /// Reads how far every source has come. Records of files are read by `config`, as ingest will, for when their calls were made.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn new(
        log: &'a dyn Log,
        config: Arc<ingest::Config>,
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
        Ok(Feeder { log, topic: RAW.into(), partitions, positions, config, progress, stopping })
    }

    /// True when the folder is one of the sample: some of it was fed.
    pub fn has_begun_sample(&self) -> bool {
        self.positions.contains_key("sample")
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
        let (topic, partitions) = (self.topic.clone(), self.partitions);
        let mut new = 0;
        self.append("sample", || {
            let records = traffic.by_ref().take(APPEND_RECORDS).map(|record| OutRecord {
                topic: topic.clone(),
                partition: record.slot % partitions,
                key: record.key.map(Bytes::from),
                payload: Some(Bytes::from(record.payload)),
                headers: record.headers.into_iter().map(|(name, value)| (name, Bytes::from(value))).collect(),
                timestamp: Some(record.timestamp),
            });
            let records: Vec<OutRecord> = records.collect();
            new += records.len() as u64;
            Ok((records, Position::Sample { seed, start, span_seconds, count, fed: fed + new }))
        })
        .map(|new| Fed { new, before: fed })
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
        let (topic, partitions, config) = (self.topic.clone(), self.partitions, self.config.clone());
        let (mut fed, mut latest) = (before, None);
        self.append(&key, || {
            let (mut batch, mut bytes) = (Vec::new(), 0);
            while batch.len() < APPEND_RECORDS && bytes < APPEND_BYTES {
                let Some(record) = records.next() else { break };
                let record = record.with_context(|| format!("read {}", path.display()))?;
                bytes += record.payload.len();
                let told = record.timestamp.or_else(|| event_time(&record, &config, now));
                let timestamp = told.or(latest).unwrap_or(now).min(now);
                latest = Some(timestamp);
                batch.push(OutRecord {
                    topic: topic.clone(),
                    partition: u32::try_from(fed % u64::from(partitions)).unwrap_or(0),
                    key: None,
                    payload: Some(Bytes::from(record.payload)),
                    headers: record.headers.into_iter().map(|(name, value)| (name, Bytes::from(value))).collect(),
                    timestamp: Some(timestamp),
                });
                fed += 1;
            }
            Ok((batch, Position::File { fed }))
        })
        .map(|new| Fed { new, before })
    }

    /// Appends what is made until nothing is, each batch together with how far it comes; the next one is made meanwhile, for an
    /// append waits for the disk. Gives how many records there were.
    fn append(
        &mut self,
        key: &str,
        mut make: impl FnMut() -> anyhow::Result<(Vec<OutRecord>, Position)>,
    ) -> anyhow::Result<u64> {
        let (log, mut fed, mut reached) = (self.log, 0, None);
        std::thread::scope(|scope| {
            let (batches, waiting) = sync_channel::<Vec<OutRecord>>(1);
            let appending = scope.spawn(move || waiting.into_iter().try_for_each(|batch| log.append(batch)));
            let made = loop {
                let (mut batch, position) = match make() {
                    Ok(made) => made,
                    Err(error) => break Err(error),
                };
                if batch.is_empty() || (self.stopping)() {
                    break Ok(());
                }
                let count = batch.len() as u64;
                batch.push(OutRecord {
                    topic: POSITIONS.into(),
                    partition: 0,
                    key: Some(Bytes::from(key.to_owned())),
                    payload: Some(Bytes::from(serde_json::to_vec(&position)?)),
                    headers: Vec::new(),
                    timestamp: None,
                });
                if batches.send(batch).is_err() {
                    // An append has failed, and says why below.
                    break Ok(());
                }
                fed += count;
                reached = Some(position);
                (self.progress)(count);
            };
            drop(batches);
            let appended = appending.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            appended.context("append to the log").and(made)
        })?;
        if let Some(position) = reached {
            self.positions.insert(key.to_owned(), position);
        }
        Ok(fed)
    }
}

/// When a record of a file arrived, if nobody wrote that down: when its call was made.
fn event_time(record: &input::FileRecord, config: &ingest::Config, now: Timestamp) -> Option<Timestamp> {
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
    ingest::event_time(&raw, config)
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
    fn records_of_a_house_format_arrive_when_their_calls_were_made() {
        let mapping = "formats:\n- name: acme\n  when: {$.kind: call}\n  fields: {id: $.id, time: $.at, source: acme, provider: \
                       openai, model: $.m, usage.input_text_tokens: $.n}\n";
        let mappings = ingest::Mapping::parse("formats.yaml", mapping).unwrap();
        let config = ingest::Config { mappings, ..ingest::Config::default() };
        let payload = br#"{"kind":"call","id":"1","at":"2026-11-02T03:04:05Z","m":"gpt-4o","n":1000}"#.to_vec();
        let record = input::FileRecord { number: 1, timestamp: None, headers: Vec::new(), payload };
        let now = "2026-11-29T00:00:00Z".parse().unwrap();
        let made = "2026-11-02T03:04:05Z".parse().unwrap();
        assert_eq!(event_time(&record, &config, now), Some(made));
        assert_eq!(event_time(&record, &ingest::Config::default(), now), None);
    }

    #[test]
    fn an_append_that_fails_ends_the_feeding_and_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let mut catalogue = schemas::topics::catalogue(&[RAW]);
        catalogue.push(topic());
        drop(stream::local::LocalLog::open(folder.path(), &catalogue, None).unwrap());
        // Opened only to look at, so it refuses what is appended.
        let log = stream::local::LocalLog::inspect(folder.path()).unwrap();
        let mut told = |_: u64| {};
        let mut feeder = Feeder::new(&log, Arc::default(), &mut told, &|| false).unwrap();
        let error = format!("{:#}", feeder.sample(1, 50_000, Timestamp::from_millis(1_795_000_000_000)).unwrap_err());
        assert!(error.starts_with("append to the log: ") && error.contains("only to look at"), "{error}");
    }

    #[test]
    fn the_sample_tells_of_one_month() {
        assert_eq!(span("2026-11-22T12:03:00Z"), ("2026-11-21T12:00:00Z".to_owned(), 86_400));
        assert_eq!(span("2026-12-01T00:30:00Z"), ("2026-11-29T23:57:00Z".to_owned(), 86_400));
        assert_eq!(span("2026-12-01T09:03:00Z"), ("2026-12-01T00:00:00Z".to_owned(), 32_400));
    }
}
