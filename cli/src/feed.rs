//! Feeds a data folder from the sample and from files, each record once: how far a source was read is written in the
//! same append as its records, so a run that was killed goes on where it stopped and a second run adds nothing.
//!
//! A file is gone on with only if it still begins with all that was read of it; otherwise it is another file under an old
//! name, as after a log was rotated or a table exported again, and is read from its beginning.

use std::collections::HashMap;
use std::iter::Peekable;
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
use stream::{Log, OutRecord, StoredRecord};

use crate::input::{self, FileRecord, FileRecords, Foreign};
use crate::traffic::{Shape, Traffic};

/// How far each source was read.
const POSITIONS: &str = "up.positions";

/// Records of one append. Each waits for the disk, and so does everybody else who writes meanwhile.
const APPEND_RECORDS: usize = 4_000;

/// Bytes of one append.
const APPEND_BYTES: usize = 8 << 20;

/// Header of a raw record that came from a file: `FILE:LINE`, or the number of the document in it. Read by people alone: it
/// says where to mend what was rejected.
const FILE: &str = "spend-file";

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
    Sample {
        seed: u64,
        start: Timestamp,
        span_seconds: i64,
        count: u64,
        fed: u64,
    },
    File {
        fed: u64,
        /// The chain of what was fed; folders of the release before have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chain: Option<Id128>,
    },
}

/// What feeding a source did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fed {
    /// Records appended now.
    pub new: u64,
    /// Records that an earlier run had appended.
    pub before: u64,
}

/// What feeding a file did.
#[derive(Debug, Default)]
pub struct FedFile {
    /// Its records.
    pub fed: Fed,
    /// It no longer begins with what an earlier run had read of it, and was read from its beginning.
    pub is_changed: bool,
    /// When the oldest of the records appended now counts as arrived.
    pub oldest: Option<Timestamp>,
    /// Why its end was left for the next run.
    pub unread: Option<Unread>,
}

/// Why what a file ends with was not read.
#[derive(Debug)]
pub enum Unread {
    /// The last line has no end and is not whole: somebody may be writing it still.
    Half,
    /// It cannot be opened, or not be read from some place on.
    Broken(anyhow::Error),
    /// It is something that holds no usage.
    Foreign(Foreign),
}

/// Where in which file a raw record stood, if it came from one.
pub fn file_of(record: &StoredRecord) -> Option<String> {
    let header = record.headers.iter().find(|(name, _)| name == FILE);
    header.map(|(_, place)| String::from_utf8_lossy(place).into_owned())
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

    /// Feeds a file, or what is left of it; all of it when it has changed in what was fed.
    ///
    /// # Errors
    /// When the log cannot be written. That the file cannot be read is no error: there are others.
    pub fn file(&mut self, path: &Path, now: Timestamp) -> anyhow::Result<FedFile> {
        let Begun { path, key, mut records, before, mut chain, is_changed, is_believed } = match self.begin(path) {
            Ok(Some(begun)) => begun,
            Ok(None) => return Ok(FedFile::default()),
            Err(error) => {
                let unread = match error.downcast_ref::<Foreign>().copied() {
                    Some(foreign) => Unread::Foreign(foreign),
                    None => Unread::Broken(error),
                };
                return Ok(FedFile { unread: Some(unread), ..FedFile::default() });
            }
        };
        let (topic, partitions, config) = (self.topic.clone(), self.partitions, self.config.clone());
        let (mut fed, mut latest, mut oldest, mut unread) = (before, None, None::<Timestamp>, None);
        if is_believed {
            self.log.append(vec![reached(&key, &Position::File { fed, chain: Some(chain) })?])?;
        }
        let new = self.append(&key, || {
            let (mut batch, mut bytes) = (Vec::new(), 0);
            while batch.len() < APPEND_RECORDS && bytes < APPEND_BYTES {
                let record = match records.next() {
                    None => break,
                    Some(Ok(record)) if !record.is_half => record,
                    Some(Ok(_)) => {
                        unread = Some(Unread::Half);
                        break;
                    }
                    Some(Err(error)) => {
                        unread = Some(Unread::Broken(error));
                        batch.clear();
                        break;
                    }
                };
                bytes += record.payload.len();
                chain = link(chain, &record);
                let told = record.timestamp.or_else(|| event_time(&record, &config, now));
                let timestamp = told.or(latest).unwrap_or(now).min(now);
                latest = Some(timestamp);
                oldest = Some(oldest.map_or(timestamp, |oldest| oldest.min(timestamp)));
                let place = (FILE.to_owned(), Bytes::from(format!("{}:{}", path.display(), record.number)));
                let headers = record.headers.into_iter().map(|(name, value)| (name, Bytes::from(value)));
                batch.push(OutRecord {
                    topic: topic.clone(),
                    partition: u32::try_from(fed % u64::from(partitions)).unwrap_or(0),
                    key: None,
                    payload: Some(Bytes::from(record.payload)),
                    headers: headers.chain([place]).collect(),
                    timestamp: Some(timestamp),
                });
                fed += 1;
            }
            Ok((batch, Position::File { fed, chain: Some(chain) }))
        })?;
        Ok(FedFile { fed: Fed { new, before }, is_changed, oldest, unread })
    }

    /// Opens a file where it is to be gone on with; `None` when it is empty.
    fn begin(&self, path: &Path) -> anyhow::Result<Option<Begun>> {
        let path: PathBuf = path.canonicalize().with_context(|| format!("find {}", path.display()))?;
        let mut records = input::open(&path)?.peekable();
        // A file that begins otherwise is another file, though it has the name of one that was read: logs rotate.
        let first = match records.peek() {
            None => return Ok(None),
            Some(Ok(record)) => hash_parts([record.payload.as_slice()]),
            Some(Err(_)) => Id128::default(),
        };
        let key = format!("file/{}/{first}", path.display());
        let (known, known_chain) = match self.positions.get(&key) {
            Some(Position::File { fed, chain }) => (*fed, *chain),
            _ => (0, None),
        };
        let Some(chain) = skip(&mut records, known, known_chain)? else {
            let (records, chain) = (input::open(&path)?.peekable(), Id128::default());
            return Ok(Some(Begun { path, key, records, before: 0, chain, is_changed: true, is_believed: false }));
        };
        let is_believed = known > 0 && known_chain.is_none();
        Ok(Some(Begun { path, key, records, before: known, chain, is_changed: false, is_believed }))
    }

    /// Appends what is made until nothing is, each batch together with how far it comes; the next one is made meanwhile, for an
    /// append waits for the disk. Gives how many records there were.
    fn append(
        &mut self,
        key: &str,
        mut make: impl FnMut() -> anyhow::Result<(Vec<OutRecord>, Position)>,
    ) -> anyhow::Result<u64> {
        let (log, mut fed, mut newest) = (self.log, 0, None);
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
                batch.push(reached(key, &position)?);
                if batches.send(batch).is_err() {
                    // An append has failed, and says why below.
                    break Ok(());
                }
                fed += count;
                newest = Some(position);
                (self.progress)(count);
            };
            drop(batches);
            let appended = appending.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            appended.context("append to the log").and(made)
        })?;
        if let Some(position) = newest {
            self.positions.insert(key.to_owned(), position);
        }
        Ok(fed)
    }
}

/// A file that is to be gone on with.
struct Begun {
    /// Where it is, links followed.
    path: PathBuf,
    key: String,
    /// What is left of it.
    records: Peekable<FileRecords>,
    /// Records that were fed, and their chain.
    before: u64,
    chain: Id128,
    is_changed: bool,
    /// It is gone on with by the bare count of the release before, which is believed once.
    is_believed: bool,
}

/// The record that says how far a source was read.
fn reached(key: &str, position: &Position) -> anyhow::Result<OutRecord> {
    Ok(OutRecord {
        topic: POSITIONS.into(),
        partition: 0,
        key: Some(Bytes::from(key.to_owned())),
        payload: Some(Bytes::from(serde_json::to_vec(position)?)),
        headers: Vec::new(),
        timestamp: None,
    })
}

/// Skips what was fed and gives its chain; `None` when the file does not begin with it. Without a known chain the count is
/// believed, if there are that many.
fn skip(
    records: &mut impl Iterator<Item = anyhow::Result<FileRecord>>,
    fed: u64,
    known: Option<Id128>,
) -> anyhow::Result<Option<Id128>> {
    let mut chain = Id128::default();
    for _ in 0..fed {
        let Some(record) = records.next() else { return Ok(None) };
        chain = link(chain, &record?);
    }
    Ok((fed == 0 || known.is_none_or(|known| known == chain)).then_some(chain))
}

/// The chain after one more record: the same for two files only when all their records up to there are. A release that cuts
/// files otherwise takes those that were fed for changed ones.
fn link(chain: Id128, record: &FileRecord) -> Id128 {
    let time = record.timestamp.map_or(i64::MIN, Timestamp::micros).to_be_bytes();
    let headers = record.headers.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    hash_parts([chain.0.as_slice(), record.payload.as_slice(), time.as_slice()].into_iter().chain(headers))
}

/// When a record of a file arrived, if nobody wrote that down: when its call was made.
fn event_time(record: &FileRecord, config: &ingest::Config, now: Timestamp) -> Option<Timestamp> {
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
        let record = FileRecord { number: 1, timestamp: None, headers: Vec::new(), payload, is_half: false };
        let now = "2026-11-29T00:00:00Z".parse().unwrap();
        let made = "2026-11-02T03:04:05Z".parse().unwrap();
        assert_eq!(event_time(&record, &config, now), Some(made));
        assert_eq!(event_time(&record, &ingest::Config::default(), now), None);
    }

    fn local(folder: &Path) -> stream::local::LocalLog {
        let mut catalogue = schemas::topics::catalogue(&[RAW]);
        catalogue.push(topic());
        stream::local::LocalLog::open(folder, &catalogue, None).unwrap()
    }

    /// A folder, a log in it, and where a file in it may be written.
    fn place(file: &str) -> (tempfile::TempDir, stream::local::LocalLog, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (log, file) = (local(folder.path()), folder.path().join(file));
        (folder, log, file)
    }

    /// Feeds a file as a run of its own does.
    fn feed(log: &dyn Log, path: &Path) -> FedFile {
        let mut told = |_: u64| {};
        let mut feeder = Feeder::new(log, Arc::default(), &mut told, &|| false).unwrap();
        feeder.file(path, Timestamp::from_millis(1_795_000_000_000)).unwrap()
    }

    fn counts(fed: &FedFile) -> (u64, u64, bool) {
        (fed.fed.new, fed.fed.before, fed.is_changed)
    }

    #[test]
    fn a_file_that_changed_in_what_was_read_of_it_is_read_from_its_beginning() {
        let (_folder, log, file) = place("calls");
        for (text, expected) in [
            ("{\"log\":1}\n{\"a\":1}\n{\"a\":2}\n", (3, 0, false)),
            ("{\"log\":1}\n{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", (1, 3, false)),
            // Rotated: shorter, of the same length, and longer, behind the same first line.
            ("{\"log\":1}\n{\"b\":1}\n", (2, 0, true)),
            ("{\"log\":1}\n{\"c\":1}\n", (2, 0, true)),
            ("{\"log\":1}\n{\"c\":1}\n", (0, 2, false)),
            ("{\"log\":1}\n{\"d\":1}\n{\"d\":2}\n{\"d\":3}\n", (4, 0, true)),
            // A table whose later rows were exported anew.
            ("day,calls\n1,10\n2,20\n", (2, 0, false)),
            ("day,calls\n1,10\n2,25\n3,30\n", (3, 0, true)),
            ("day,calls\n1,10\n2,25\n3,30\n4,40\n", (1, 3, false)),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(counts(&feed(&log, &file)), expected, "{text}");
        }
    }

    #[test]
    fn a_raw_record_says_where_in_which_file_it_stood() {
        let (_folder, log, file) = place("calls");
        std::fs::write(&file, "{\"a\":1}\n\n{\"a\":2}\n").unwrap();
        feed(&log, &file);
        let mut places = Vec::new();
        for partition in 0..log.partitions(RAW).unwrap().unwrap() {
            places.extend(log.read(RAW, partition, 0, 10).unwrap().iter().filter_map(file_of));
        }
        places.sort();
        let file = file.canonicalize().unwrap().display().to_string();
        assert_eq!(places, [format!("{file}:1"), format!("{file}:3")]);
    }

    #[test]
    fn a_line_that_is_being_written_is_left_for_the_next_run() {
        let (_folder, log, file) = place("calls");
        for (text, expected, is_half) in [
            ("{\"a\":1}\n{\"a\":", (1, 0, false), true),
            ("{\"a\":1}\n{\"a\":2", (0, 1, false), true),
            ("{\"a\":1}\n{\"a\":2}", (1, 1, false), false),
            ("{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", (1, 2, false), false),
        ] {
            std::fs::write(&file, text).unwrap();
            let fed = feed(&log, &file);
            let left = matches!(fed.unread, Some(Unread::Half));
            assert_eq!((counts(&fed), left), (expected, is_half), "{text}");
        }
    }

    #[test]
    fn of_a_file_that_cannot_be_read_to_its_end_the_last_batch_waits_until_it_can() {
        let (_folder, log, file) = place("calls.gz");
        // Enough for two batches, and of numbers that do not shrink to nothing.
        let line = |nth: usize| format!("{{\"a\":\"{}\"}}\n", hash_parts([nth.to_be_bytes().as_slice()]));
        let lines: String = (0..APPEND_RECORDS + 3_000).map(line).collect();
        let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut zipped, lines.as_bytes()).unwrap();
        let zipped = zipped.finish().unwrap();
        let batch = APPEND_RECORDS as u64;

        std::fs::write(&file, &zipped[..zipped.len() - 1_000]).unwrap();
        let fed = feed(&log, &file);
        assert!(matches!(fed.unread, Some(Unread::Broken(_))), "{fed:?}");
        assert_eq!(counts(&fed), (batch, 0, false));
        std::fs::write(&file, &zipped).unwrap();
        let fed = feed(&log, &file);
        assert!(fed.unread.is_none(), "{fed:?}");
        assert_eq!(counts(&fed), (3_000, batch, false));
    }

    #[test]
    fn a_count_of_the_release_before_is_believed_once() {
        let (_folder, log, file) = place("calls");
        std::fs::write(&file, "{\"a\":1}\n{\"a\":2}\n").unwrap();
        let path = file.canonicalize().unwrap();
        let first = hash_parts([b"{\"a\":1}".as_slice()]);
        let mut record =
            reached(&format!("file/{}/{first}", path.display()), &Position::File { fed: 2, chain: None }).unwrap();
        assert_eq!(record.payload.as_deref(), Some(br#"{"file":{"fed":2}}"#.as_slice()));
        log.append(vec![record.clone()]).unwrap();
        assert_eq!(counts(&feed(&log, &file)), (0, 2, false));
        std::fs::write(&file, "{\"a\":1}\n{\"b\":2}\n").unwrap();
        assert_eq!(counts(&feed(&log, &file)), (2, 0, true), "its chain was remembered");

        // More than there is can only be of another file.
        record.payload = Some(Bytes::from_static(br#"{"file":{"fed":3}}"#));
        log.append(vec![record]).unwrap();
        assert_eq!(counts(&feed(&log, &file)), (2, 0, true));
    }

    #[test]
    fn an_append_that_fails_ends_the_feeding_and_says_why() {
        let folder = tempfile::tempdir().unwrap();
        drop(local(folder.path()));
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
