//! A log in one SQLite file.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow, bail, ensure};
use bytes::Bytes;
use rusqlite::{Connection, params};
use schemas::Timestamp;
use schemas::topics::TopicSpec;

use super::store::{self, Catalogue, FolderLock, Partition, Topic, offset_of, row_id};
use super::writer::{Append, Job, Place, Position, Request, Shared, Writer, Written};
use crate::log::{Log, StoredRecord};
use crate::processor::OutRecord;

/// Partitions of raw and internal topics in a new folder, unless told otherwise.
pub const DEFAULT_PARTITIONS: u32 = 4;

/// Largest record.
pub const RECORD_BYTES_MAX: usize = 16 << 20;

/// Requests that wait for the writer; beyond, callers wait.
const WAITING_MAX: usize = 256;

/// Connections kept open for reading.
const READERS_KEPT: usize = 16;

/// A log in one SQLite file.
///
/// Committed appends survive `kill -9` and power cuts. One process at a time may write; others can [`LocalLog::inspect`].
#[derive(Debug)]
pub struct LocalLog {
    path: PathBuf,
    topics: HashMap<String, Topic>,
    partitions: Vec<Partition>,
    shared: Arc<Shared>,
    readers: Mutex<Vec<Connection>>,
    /// `None` when the folder is only looked at.
    writer: Option<WriterThread>,
}

#[derive(Debug)]
struct WriterThread {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    _lock: FolderLock,
}

impl LocalLog {
    /// Opens the log in a folder, made first where there is none, with at least these topics.
    ///
    /// Topics that are sized by installation get `partitions`; `None` keeps what the folder has, or takes
    /// [`DEFAULT_PARTITIONS`] for a new one.
    ///
    /// # Errors
    /// One sentence with the remedy: another process has the folder, it cannot be written, its format is another
    /// release's, or its topics have another number of partitions.
    pub fn open(folder: &Path, topics: &[TopicSpec], partitions: Option<u32>) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("make folder {}", folder.display()))?;
        let lock = store::lock(folder)?;
        let path = folder.join(store::FILE);
        let mut connection = store::open_writer(&path)?;
        store::ensure_topics(&mut connection, topics, partitions, DEFAULT_PARTITIONS)?;
        let catalogue = store::catalogue(&connection)?;
        let clock_millis = connection.query_row(
            // Any recent record will do: the clock is only kept from jumping far back.
            "SELECT coalesce(max(coalesce(appended, timestamp)), 0) FROM (SELECT appended, timestamp FROM records ORDER BY id DESC LIMIT 1)",
            [],
            |row| row.get(0),
        )?;
        let shared = Arc::new(Shared::default());
        load_heads(&connection, &catalogue, &shared)?;
        let (jobs, receiver) = sync_channel(WAITING_MAX);
        let writer = Writer { connection, shared: shared.clone(), clock_millis };
        let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(move || writer.run(&receiver));
        let thread = Some(thread.context("start the writer")?);
        let writer = Some(WriterThread { jobs: Some(jobs), thread, _lock: lock });
        let Catalogue { topics, partitions } = catalogue;
        Ok(LocalLog { path, topics, partitions, shared, readers: Mutex::default(), writer })
    }

    /// Opens the log in a folder to look at it, also while another process writes to it. Appending is refused.
    ///
    /// # Errors
    /// When there is no such file or it cannot be read.
    pub fn inspect(folder: &Path) -> Result<Self> {
        let path = folder.join(store::FILE);
        ensure!(path.is_file(), "{} holds no Spendstream data: `spendstream up` makes it", folder.display());
        let connection = store::open_reader(&path)?;
        store::check_format(&connection, &path)?;
        let Catalogue { topics, partitions } = store::catalogue(&connection)?;
        let readers = Mutex::new(vec![connection]);
        Ok(LocalLog { path, topics, partitions, shared: Arc::default(), readers, writer: None })
    }

    /// How far a stage or table has come in a partition, as committed, with its transaction number.
    ///
    /// # Errors
    /// When the file cannot be read or there is no such partition.
    pub fn position(&self, reader: &str, topic: &str, partition: u32) -> Result<Option<(i64, i64)>> {
        let slot = self.slot(topic, partition)?;
        let id = self.partitions[slot].id;
        self.reading(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT next_offset, transaction_number FROM offsets WHERE reader = ?1 AND partition_id = ?2",
            )?;
            let mut rows = select.query(params![reader, id])?;
            Ok(rows.next()?.map(|row| Ok::<_, rusqlite::Error>((row.get(0)?, row.get(1)?))).transpose()?)
        })
    }

    /// What tells this file from every other.
    pub(crate) fn identity(&self) -> Result<String> {
        self.reading(|connection| Ok(connection.query_row("SELECT id FROM identity", [], |row| row.get(0))?))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn topic(&self, topic: &str) -> Result<&Topic> {
        self.topics.get(topic).ok_or_else(|| anyhow!("there is no topic {topic}"))
    }

    pub(crate) fn topic_names(&self) -> impl Iterator<Item = (&String, &Topic)> {
        self.topics.iter()
    }

    pub(crate) fn slot(&self, topic: &str, partition: u32) -> Result<usize> {
        let slots = &self.topic(topic)?.slots;
        let slot = slots.get(partition as usize).copied();
        slot.ok_or_else(|| anyhow!("topic {topic} has {} partitions, there is no partition {partition}", slots.len()))
    }

    pub(crate) fn partition(&self, slot: usize) -> &Partition {
        &self.partitions[slot]
    }

    /// A record as it is written. Compresses: meant for the caller's thread.
    pub(crate) fn prepare(&self, record: OutRecord) -> Result<Append> {
        let slot = self.slot(&record.topic, record.partition)?;
        let size = record.payload.as_ref().map_or(0, Bytes::len) + record.key.as_ref().map_or(0, Bytes::len);
        ensure!(
            size <= RECORD_BYTES_MAX,
            "a record for {} has {size} bytes, more than {RECORD_BYTES_MAX}",
            record.topic
        );
        let (payload, codec) = match record.payload {
            Some(payload) => {
                let (payload, codec) = store::pack(payload);
                (Some(payload), codec)
            }
            None => (None, 0),
        };
        Ok(Append {
            slot,
            newest_only: self.topic(&record.topic)?.newest_only(),
            partition_id: self.partitions[slot].id,
            timestamp: record.timestamp.map(Timestamp::millis),
            key: record.key,
            payload,
            codec,
            headers: store::pack_headers(&record.headers),
        })
    }

    /// A position as it is written.
    pub(crate) fn prepare_position(&self, reader: &Arc<str>, slot: usize, place: Place) -> Position {
        Position { reader: reader.clone(), slot, partition_id: self.partitions[slot].id, place }
    }

    /// Writes a request; on return it is durable and visible.
    pub(crate) fn write(&self, request: Request) -> Result<()> {
        let Written::All = self.try_write(request)? else {
            bail!("nothing was written, though nothing was asked first")
        };
        Ok(())
    }

    fn try_write(&self, request: Request) -> Result<Written> {
        let writer = self.writer.as_ref().context("the folder was opened only to look at")?;
        let jobs = writer.jobs.as_ref().context("the log is closed")?;
        let (answer, outcome) = sync_channel(1);
        let stopped = "the writer has stopped: start again";
        jobs.send((request, answer)).map_err(|_| anyhow!("{stopped}"))?;
        match outcome.recv() {
            Ok(Ok(written)) => Ok(written),
            Ok(Err(reason)) => bail!("{reason}"),
            Err(_) => bail!("{stopped}"),
        }
    }

    /// Runs a read on a connection of its own.
    pub(crate) fn reading<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match kept {
            Some(connection) => connection,
            None => store::open_reader(&self.path)?,
        };
        let result = read(&connection);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS_KEPT {
            readers.push(connection);
        }
        result
    }
}

fn load_heads(connection: &Connection, catalogue: &Catalogue, shared: &Shared) -> Result<()> {
    let mut heads = shared.heads();
    heads.first = catalogue.partitions.iter().map(|partition| partition.first).collect();
    heads.next = catalogue.partitions.iter().map(|partition| partition.next).collect();
    let slots: HashMap<i64, usize> = catalogue.partitions.iter().enumerate().map(|(slot, p)| (p.id, slot)).collect();
    let mut rows = connection.prepare("SELECT reader, partition_id, next_offset, transaction_number FROM offsets")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let reader: String = row.get(0)?;
        let id: i64 = row.get(1)?;
        let slot = *slots.get(&id).with_context(|| format!("position of {reader} in unknown partition {id}"))?;
        let place = Place { next_offset: row.get(2)?, transaction: row.get(3)?, all_out: false };
        heads.places.insert((reader.into(), slot), place);
    }
    Ok(())
}

impl Log for LocalLog {
    fn topics(&self) -> Result<Vec<(String, u32)>> {
        let mut topics: Vec<_> = self.topics.iter().map(|(name, topic)| (name.clone(), topic.partitions)).collect();
        topics.sort_unstable();
        Ok(topics)
    }

    fn partitions(&self, topic: &str) -> Result<Option<u32>> {
        Ok(self.topics.get(topic).map(|topic| topic.partitions))
    }

    fn range(&self, topic: &str, partition: u32) -> Result<Range<i64>> {
        let slot = self.slot(topic, partition)?;
        if self.writer.is_some() {
            let heads = self.shared.heads();
            return Ok(heads.first[slot]..heads.next[slot]);
        }
        let id = self.partitions[slot].id;
        self.reading(|connection| {
            let mut select =
                connection.prepare_cached("SELECT first_offset, next_offset FROM partitions WHERE id = ?1")?;
            Ok(select.query_row(params![id], |row| Ok(row.get(0)?..row.get(1)?))?)
        })
    }

    fn read(&self, topic: &str, partition: u32, from: i64, bytes_max: usize) -> Result<Vec<StoredRecord>> {
        let slot = self.slot(topic, partition)?;
        let id = self.partitions[slot].id;
        // What this process has not published yet is left for the next read: ends and records then always agree.
        let to = if self.writer.is_some() { row_id(id, self.shared.heads().next[slot]) } else { row_id(id + 1, 0) };
        let select = format!(
            "SELECT id, timestamp, key, payload, codec, headers FROM {} WHERE id >= ?1 AND id < ?2 ORDER BY id",
            self.topic(topic)?.table()
        );
        self.reading(|connection| {
            let mut select = connection.prepare_cached(&select)?;
            let mut rows = select.query(params![row_id(id, from.max(0)), to])?;
            let mut records = Vec::new();
            let mut bytes = 0;
            while let Some(row) = rows.next()? {
                let offset = offset_of(row.get(0)?);
                let blob = |column| Ok::<_, anyhow::Error>(row.get_ref(column)?.as_blob_or_null()?);
                let payload = match blob(3)? {
                    Some(stored) => Some(store::unpack(stored, row.get(4)?, RECORD_BYTES_MAX)),
                    None => None,
                };
                let payload = payload.transpose().with_context(|| format!("{topic}/{partition} offset {offset}"))?;
                let record = StoredRecord {
                    offset,
                    timestamp: Timestamp::from_millis(row.get(1)?),
                    key: blob(2)?.map(Bytes::copy_from_slice),
                    payload,
                    headers: blob(5)?.map(store::unpack_headers).transpose()?.unwrap_or_default(),
                };
                let size = record.size();
                if bytes + size > bytes_max && !records.is_empty() {
                    break;
                }
                bytes += size;
                records.push(record);
            }
            Ok(records)
        })
    }

    fn append(&self, records: Vec<OutRecord>) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let appends = records.into_iter().map(|record| self.prepare(record)).collect::<Result<_>>()?;
        self.write(Request { appends, ..Request::default() })
    }

    fn append_if_end(&self, end: i64, records: Vec<OutRecord>) -> Result<bool> {
        let appends: Vec<Append> = records.into_iter().map(|record| self.prepare(record)).collect::<Result<_>>()?;
        let Some(first) = appends.first() else { return Ok(true) };
        let only_if = Some((first.slot, end));
        Ok(self.try_write(Request { appends, only_if, ..Request::default() })? == Written::All)
    }
}

impl Drop for LocalLog {
    fn drop(&mut self) {
        if let Some(writer) = &mut self.writer {
            // Without senders the writer ends; only then may the lock go.
            writer.jobs = None;
            if let Some(thread) = writer.thread.take() {
                let _ = thread.join();
            }
        }
    }
}
