//! The log on Kafka, seen from outside: read without a group, append all or nothing.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};

use super::client::{self, ANSWER_TIMEOUT, Events};
use super::fate::Step;
use super::producer::{Failure, Producer, headers};
use super::reader::{Read, Reader, Unreadable};
use crate::log::{Log, StoredRecord};
use crate::processor::OutRecord;
use crate::settings::Connection;

/// Readers kept open for the next call that goes on where the last one ended.
const READERS_MAX: usize = 32;

/// Time one transaction of an append may take.
const APPEND_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the partition counts of topics are believed.
const COUNTS_AGE_MAX: Duration = Duration::from_secs(10);

/// Topics of a Kafka cluster.
pub struct KafkaLog {
    connection: Connection,
    /// Transactional id of appends.
    id: String,
    single: ThreadedProducer<Reports>,
    together: Mutex<Option<Producer>>,
    /// Appends of several records, until somebody has the producer.
    waiting: Mutex<Vec<Waiting>>,
    readers: Mutex<HashMap<(String, u32), Open>>,
    counts: Mutex<Option<(Instant, std::collections::BTreeMap<String, u32>)>>,
}

/// A reader and where it stands.
struct Open {
    reader: Reader,
    /// Every record below was given out.
    next: i64,
    /// The partition was read to here.
    read_to: i64,
}

/// Tells the caller that waits for it what became of a record.
struct Reports(Events);

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<SyncSender<Result<(), KafkaError>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let result = result.as_ref().map(|_| ()).map_err(|(error, _)| error.clone());
        // Nobody waits any more when the caller gave up.
        let _ = waiting.send(result);
    }
}

impl KafkaLog {
    /// Connects. Appends of several records use a transactional id that no other process has; it begins with `name`.
    ///
    /// # Errors
    /// When no broker answers or a setting is not accepted.
    pub fn connect(connection: &Connection, name: &str) -> anyhow::Result<Self> {
        let id = format!("{name}.append.{}.{:x}", std::process::id(), super::now().micros());
        Self::connect_as(connection, id)
    }

    /// Connects for a service, whose appends of several records use the same transactional id after every start: the brokers
    /// remember an id for days, and rights can be given to it. A second process with the id fences the first off.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_as(connection: &Connection, id: String) -> anyhow::Result<Self> {
        client::prepare(connection)?;
        let counts = client::partition_counts(connection)?;
        let single = client::idempotent(connection)
            .create_with_context(Reports(Events::default()))
            .context("create Kafka client: check the --kafka settings")?;
        Ok(KafkaLog {
            connection: connection.clone(),
            id,
            single,
            together: Mutex::new(None),
            waiting: Mutex::default(),
            readers: Mutex::default(),
            counts: Mutex::new(Some((Instant::now(), counts))),
        })
    }

    fn counts(&self) -> anyhow::Result<std::collections::BTreeMap<String, u32>> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, counts)) = &*counts
            && at.elapsed() < COUNTS_AGE_MAX
        {
            return Ok(counts.clone());
        }
        let fresh = client::partition_counts(&self.connection)?;
        *counts = Some((Instant::now(), fresh.clone()));
        Ok(fresh)
    }

    fn check(&self, topic: &str, partition: u32) -> anyhow::Result<()> {
        match self.partitions(topic)? {
            None => bail!(
                "there is no topic {topic}: create topics with `spendstream topics apply`, or this user may not see it \
                 (ACLs: deploy/RUNBOOK.md)"
            ),
            Some(count) => ensure!(partition < count, "{topic} has {count} partitions, so none numbered {partition}"),
        }
        Ok(())
    }

    fn append_one(&self, record: &OutRecord) -> anyhow::Result<()> {
        let (report, delivered) = sync_channel(1);
        let mut base: BaseRecord<'_, [u8], [u8], _> =
            BaseRecord::with_opaque_to(&record.topic, Box::new(report)).partition(record.partition as i32);
        base.key = record.key.as_deref();
        base.payload = record.payload.as_deref();
        base.timestamp = record.timestamp.map(schemas::Timestamp::millis);
        base.headers = headers(&record.headers);
        let deadline = Instant::now() + APPEND_TIMEOUT;
        while let Err((error, back)) = self.single.send(base) {
            ensure!(
                error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) && Instant::now() < deadline,
                "append to {}: {error}",
                record.topic
            );
            base = back;
            std::thread::sleep(Duration::from_millis(5));
        }
        // The client reports within its message timeout, whatever happens; the bound is for a client that is broken.
        let result = delivered.recv_timeout(APPEND_TIMEOUT * 2).context("wait for the broker's acknowledgement")?;
        result.with_context(|| format!("append to {}", record.topic))
    }

    /// Appends that come while another is being written share the next transaction.
    fn append_together(&self, records: Vec<OutRecord>) -> anyhow::Result<()> {
        let (done, written) = sync_channel(1);
        let lock = || self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        lock().push(Waiting { records, done });
        let mut slot = self.together.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever held the producer before has answered this one, or left it for us.
        if let Ok(result) = written.try_recv() {
            return result.map_err(anyhow::Error::msg);
        }
        let waiting = std::mem::take(&mut *lock());
        match self.write(&mut slot, &waiting) {
            Err(failure) if waiting.len() > 1 && matches!(failure.step, Step::Produce | Step::Flush) => {
                // None of them is written, and one of them may be the reason: each by itself.
                for one in &waiting {
                    one.answer(self.write(&mut slot, std::slice::from_ref(one)));
                }
            }
            result => {
                waiting.iter().for_each(|one| one.answer(result.clone()));
            }
        }
        drop(slot);
        let result = written.recv().context("the append was left out")?;
        result.map_err(anyhow::Error::msg)
    }

    fn write(&self, slot: &mut Option<Producer>, waiting: &[Waiting]) -> Result<(), NotWritten> {
        let producer = match slot.take() {
            Some(producer) => producer,
            None => {
                let client = client::appending(&self.connection, &self.id, APPEND_TIMEOUT);
                let opened = Producer::with(&client, &self.id, APPEND_TIMEOUT).and_then(|opened| Ok(opened?));
                opened.map_err(|error| NotWritten { step: Step::Begin, error: format!("{error:#}") })?
            }
        };
        let write = || {
            producer.begin()?;
            for record in waiting.iter().flat_map(|one| &one.records) {
                producer.send(record.into())?;
            }
            producer.commit()
        };
        // After a failure never used again: the next append takes the id over, which settles whatever is open.
        write().map_err(|Failure { step, error }| NotWritten { step, error: error.to_string() })?;
        *slot = Some(producer);
        Ok(())
    }
}

/// An append that waits for its transaction.
struct Waiting {
    records: Vec<OutRecord>,
    done: SyncSender<Result<(), String>>,
}

impl Waiting {
    fn answer(&self, result: Result<(), NotWritten>) {
        // Nobody waits any more when the caller gave up.
        let _ = self.done.send(result.map_err(|failure| failure.to_string()));
    }
}

/// A transaction of appends that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("append: {step:?} failed: {error}")]
struct NotWritten {
    step: Step,
    error: String,
}

impl Log for KafkaLog {
    fn topics(&self) -> anyhow::Result<Vec<(String, u32)>> {
        let counts = client::partition_counts(&self.connection)?;
        Ok(counts.into_iter().filter(|(name, _)| !name.starts_with("__")).collect())
    }

    fn partitions(&self, topic: &str) -> anyhow::Result<Option<u32>> {
        if let Some(count) = self.counts()?.get(topic) {
            return Ok(Some(*count));
        }
        // It may have been created since.
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(self.counts()?.get(topic).copied())
    }

    fn range(&self, topic: &str, partition: u32) -> anyhow::Result<Range<i64>> {
        self.check(topic, partition)?;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (topic.to_owned(), partition);
        let mut kept = readers.remove(&key);
        let (mut open, (first, end)) = client::patiently(|left| {
            // After trouble the next one asks with a new client.
            let open = match kept.take() {
                Some(open) => open,
                None => {
                    let reader = Reader::open(&self.connection, topic, partition as i32, None)?;
                    Open { reader, next: -1, read_to: -1 }
                }
            };
            let range = open.reader.range_within(left)?;
            anyhow::Ok((open, range))
        })?;
        if open.next < 0 {
            open.next = first;
        }
        if readers.len() >= READERS_MAX {
            readers.clear();
        }
        readers.insert(key, open);
        Ok(first..end)
    }

    fn read(&self, topic: &str, partition: u32, from: i64, bytes_max: usize) -> anyhow::Result<Vec<StoredRecord>> {
        let range = self.range(topic, partition)?;
        let from = from.max(range.start);
        let key = (topic.to_owned(), partition);
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        let mut open = match kept.filter(|open| open.next == from) {
            Some(open) => open,
            None => {
                let reader = Reader::open(&self.connection, topic, partition as i32, Some(from))?;
                Open { reader, next: from, read_to: -1 }
            }
        };
        let mut records = Vec::new();
        let mut bytes = 0;
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        while from < range.end && open.read_to < range.end && (records.is_empty() || bytes < bytes_max) {
            let denied = match open.reader.next(Duration::from_millis(100)) {
                Ok(Read::Record(fetched)) => {
                    let record = stored(&fetched.record());
                    bytes += record.size();
                    open.next = record.offset + 1;
                    records.push(record);
                    false
                }
                Ok(Read::End(offset)) => {
                    open.read_to = offset;
                    false
                }
                Ok(Read::Nothing) => {
                    ensure!(
                        Instant::now() < deadline,
                        "{topic}/{partition} could not be read to offset {} within {} s",
                        range.end,
                        ANSWER_TIMEOUT.as_secs()
                    );
                    false
                }
                // A broker that has just come back may say so of a topic that another one has given the range of.
                Err(error) if Instant::now() < deadline && is_denied(&error) => true,
                Err(error) => return Err(error),
            };
            if denied {
                std::thread::sleep(client::ASK_AGAIN);
                open.reader = Reader::open(&self.connection, topic, partition as i32, Some(open.next))?;
            }
        }
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS_MAX {
            readers.insert(key, open);
        }
        Ok(records)
    }

    fn append(&self, records: Vec<OutRecord>) -> anyhow::Result<()> {
        for record in &records {
            self.check(&record.topic, record.partition)?;
        }
        match &records[..] {
            [] => Ok(()),
            [record] => self.append_one(record),
            _ => self.append_together(records),
        }
    }

    fn append_if_end(&self, end: i64, records: Vec<OutRecord>) -> anyhow::Result<bool> {
        let Some(first) = records.first() else { return Ok(true) };
        for record in &records {
            self.check(&record.topic, record.partition)?;
        }
        // Everybody who appends like this to the topic has one transactional id: who opens it settles what the one before
        // had open, and fences it off. So nobody else can commit between the look at the end and the commit.
        let id = format!("spendstream.{}", first.topic);
        let producer = Producer::with(&client::appending(&self.connection, &id, APPEND_TIMEOUT), &id, APPEND_TIMEOUT)?
            .with_context(|| {
                format!("take over the transactional id {id}, which is needed to append to {}", first.topic)
            })?;
        if self.range(&first.topic, first.partition)?.end != end {
            return Ok(false);
        }
        let write = || {
            producer.begin()?;
            records.iter().try_for_each(|record| producer.send(record.into()))?;
            producer.commit()
        };
        match write() {
            Ok(()) => Ok(true),
            Err(failure) if failure.fenced() => Ok(false),
            Err(Failure { step, error }) => bail!("append to {}: {step:?} failed: {error}", first.topic),
        }
    }
}

/// Whether a client was told that there is no such partition.
fn is_denied(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Unreadable>().is_some_and(Unreadable::is_denied)
}

/// A record with bytes of its own.
fn stored(record: &crate::Record<'_>) -> StoredRecord {
    StoredRecord {
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key.map(Bytes::copy_from_slice),
        payload: record.payload.map(Bytes::copy_from_slice),
        headers: record
            .headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Bytes::copy_from_slice(value)))
            .collect(),
    }
}
