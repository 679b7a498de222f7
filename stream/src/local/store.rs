//! The file: schema, format version, lock, and how records lie in it.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use rusqlite::{Connection, OpenFlags, params};
use schemas::topics::{Kept, Partitions, TopicSpec};
use schemas::wire::{Reader, put_bytes, put_long};

use crate::private;

/// Name of the file inside the data folder.
pub const FILE: &str = "spendstream.db";

/// Name of the lock inside the data folder.
const LOCK: &str = "spendstream.lock";

/// Marks the file as ours (`SPND`).
const APPLICATION_ID: i32 = 0x5350_4e44;

/// Format of the file: what this release writes, and the only one it reads.
const FORMAT: i32 = 1;

/// A record's row id is its partition's id and its offset: one B-tree in log order, without an index beside it.
const OFFSET_BITS: u32 = 40;

/// Payloads from this size on are compressed: batches hold the same names over and over.
const COMPRESS_BYTES_MIN: usize = 1024;

/// Of Zstandard, below its ordinary levels: of batches of events, charges and their changelog it makes 1.10 to 1.14 times what level
/// 1 makes, in 0.56 to 0.78 of the time (`zstd --fast=3 -b -B262144`, 2026-11-29, on what `up --sample 60000` had written).
const COMPRESSION_LEVEL: i32 = -3;

const SCHEMA: &str = "
CREATE TABLE topics (
    name TEXT PRIMARY KEY,
    partitions INTEGER NOT NULL,
    kept TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE partitions (
    id INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    first_offset INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    UNIQUE (topic, partition)
);
CREATE TABLE offsets (
    reader TEXT NOT NULL,
    partition_id INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    transaction_number INTEGER NOT NULL,
    PRIMARY KEY (reader, partition_id)
) WITHOUT ROWID;
-- For people with a SQLite shell.
CREATE VIEW log AS
    SELECT p.topic, p.partition, r.id & 0xFFFFFFFFFF AS offset, datetime(r.timestamp / 1000, 'unixepoch') AS time,
           r.key, r.payload, r.codec
    FROM records r JOIN partitions p ON p.id = r.id >> 40;
";

/// Table of records.
pub(crate) const RECORDS: &str = "records";

/// Table of records of topics that keep only the newest of each key, so that what is superseded can be destroyed: its pages
/// hold nothing else. People with a SQLite shell do not see it in `log`.
pub(crate) const NEWEST: &str = "newest";

/// Adds a row to one of the two tables.
pub(crate) fn insert_into(table: &str) -> String {
    format!(
        "INSERT INTO {table} (id, timestamp, appended, key, payload, codec, headers) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    )
}

/// Makes one of the two tables, if it is not there.
fn create(table: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (
    -- partitions.id << 40 | offset
    id INTEGER PRIMARY KEY,
    -- Milliseconds since 1970; appended is null where it equals timestamp.
    timestamp INTEGER NOT NULL,
    appended INTEGER,
    key BLOB,
    payload BLOB,
    -- 0 as it is, 1 its size (four bytes, little endian) and zstd.
    codec INTEGER NOT NULL,
    headers BLOB
);"
    )
}

/// Tells this file from every other: tables that were filled from another one are not filled on from it.
const IDENTITY: &str = "
CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL);
INSERT INTO identity SELECT lower(hex(randomblob(16))) WHERE NOT EXISTS (SELECT 1 FROM identity);
";

/// The row id of the record at an offset.
pub(crate) const fn row_id(partition_id: i64, offset: i64) -> i64 {
    (partition_id << OFFSET_BITS) | offset
}

/// The offset in a row id.
pub(crate) const fn offset_of(row_id: i64) -> i64 {
    row_id & ((1 << OFFSET_BITS) - 1)
}

/// A topic as the file has it.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) partitions: u32,
    pub(crate) kept: Kept,
    /// Place of each partition in the lists of this process.
    pub(crate) slots: Vec<usize>,
}

impl Topic {
    /// Whether records that are superseded are destroyed.
    pub(crate) fn newest_only(&self) -> bool {
        matches!(self.kept, Kept::Newest(_))
    }

    /// The table its records are in.
    pub(crate) fn table(&self) -> &'static str {
        if self.newest_only() { NEWEST } else { RECORDS }
    }
}

/// A partition as the file has it.
#[derive(Debug, Clone)]
pub(crate) struct Partition {
    pub(crate) id: i64,
    pub(crate) first: i64,
    pub(crate) next: i64,
}

/// What the file held when it was opened.
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) topics: HashMap<String, Topic>,
    pub(crate) partitions: Vec<Partition>,
}

/// Another process has the folder.
#[derive(Debug, thiserror::Error)]
#[error(
    "{folder} is in use by {owner}: only one process can write to it. Stop that one, or use another folder with --data"
)]
struct Locked {
    folder: String,
    owner: String,
}

/// Whether the folder could not be opened because another process has it.
pub(crate) fn is_locked(error: &anyhow::Error) -> bool {
    error.is::<Locked>()
}

/// A folder that this process has to itself. The lock goes with the process, however it ends.
#[derive(Debug)]
pub(crate) struct FolderLock(File);

impl Drop for FolderLock {
    /// Closing the file is not enough: a child that another thread is just starting has a copy of it until it runs its program.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Takes the folder for this process.
pub(crate) fn lock(folder: &Path) -> Result<FolderLock> {
    let path = folder.join(LOCK);
    let mut file =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).with_context(|| {
            format!("cannot write to {}: make the folder writable, or use another one with --data", folder.display())
        })?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // Who holds it is only for the message.
            let _ = file.read_to_string(&mut owner);
            let owner = owner.trim();
            let owner = if owner.is_empty() { "another process".to_owned() } else { format!("process {owner}") };
            return Err(Locked { folder: folder.display().to_string(), owner }.into());
        }
        Err(TryLockError::Error(error)) => bail!("cannot lock {}: {error}", path.display()),
    }
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())?;
    Ok(FolderLock(file))
}

/// Opens the file for writing, making it first where there is none.
pub(crate) fn open_writer(path: &Path) -> Result<Connection> {
    // SQLite gives what it puts beside the file (`-wal`, `-shm`) the rights of the file.
    if let Err(error) = private::new_file().open(path)
        && error.kind() != ErrorKind::AlreadyExists
    {
        return Err(error).with_context(|| format!("make {}", path.display()));
    }
    let mut connection = Connection::open(path).with_context(|| format!("open {}", path.display()))?;
    // Only pages of a new file take the size: large pages suit batches of some hundred kilobytes.
    connection.pragma_update(None, "page_size", 8192)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    ensure!(
        mode == "wal",
        "{} cannot have a write-ahead log (a network file system?): use a local folder",
        path.display()
    );
    // FULL: the write-ahead log is flushed at every commit, so what was acknowledged survives a power cut as well.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 8192)?;
    connection.pragma_update(None, "journal_size_limit", 128 << 20)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.set_prepared_statement_cache_capacity(32);
    let format: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if format == 0 && tables == 0 {
        let transaction = connection.transaction()?;
        transaction.execute_batch(&create(RECORDS))?;
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.commit().context("create the tables")?;
    }
    check_format(&connection, path)?;
    connection.execute_batch(&create(NEWEST)).context("create the table of newest records")?;
    connection.execute_batch(IDENTITY).context("name the file")?;
    Ok(connection)
}

/// Opens the file for reading.
pub(crate) fn open_reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).with_context(|| format!("open {}", path.display()))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -4_096)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    Ok(connection)
}

/// Refuses a file of another format, or of somebody else.
pub(crate) fn check_format(connection: &Connection, path: &Path) -> Result<()> {
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    ensure!(
        application == APPLICATION_ID,
        "{} is not a Spendstream file: use another folder with --data",
        path.display()
    );
    let format: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    ensure!(
        format == FORMAT,
        "{} has format {format} and this release knows {FORMAT}: open it with the release that wrote it, or replay its input into a new folder",
        path.display()
    );
    Ok(())
}

/// Adds the topics that are missing. Raw and internal topics all have `partitions`; `None` keeps what the file has.
pub(crate) fn ensure_topics(
    connection: &mut Connection,
    specs: &[TopicSpec],
    partitions: Option<u32>,
    default_partitions: u32,
) -> Result<()> {
    let transaction = connection.transaction()?;
    let existing: Option<u32> = transaction.query_row("SELECT max(partitions) FROM topics", [], |row| row.get(0))?;
    if let (Some(existing), Some(asked)) = (existing, partitions) {
        ensure!(
            existing == asked,
            "the folder has topics of {existing} partitions, not {asked}: leave --partitions out, or replay its input into a new folder"
        );
    }
    let partitions = existing.or(partitions).unwrap_or(default_partitions);
    ensure!((1..=schemas::ids::SLOTS).contains(&partitions), "--partitions must be 1 to {}", schemas::ids::SLOTS);
    for spec in specs {
        let count = if spec.partitions == Partitions::One { 1 } else { partitions };
        transaction.execute(
            "INSERT INTO topics (name, partitions, kept) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET kept = ?3",
            params![spec.name, count, kept_text(spec.kept)],
        )?;
        for number in 0..count {
            transaction.execute(
                "INSERT OR IGNORE INTO partitions (topic, partition, first_offset, next_offset) VALUES (?1, ?2, 0, 0)",
                params![spec.name, number],
            )?;
        }
    }
    transaction.commit().context("create topics")
}

/// Reads what topics there are.
pub(crate) fn catalogue(connection: &Connection) -> Result<Catalogue> {
    let mut topics = HashMap::new();
    let mut rows = connection.prepare("SELECT name, partitions, kept FROM topics")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let (name, kept): (String, String) = (row.get(0)?, row.get(2)?);
        let kept = parse_kept(&kept).with_context(|| format!("retention {kept:?} of topic {name} is unknown"))?;
        topics.insert(name, Topic { partitions: row.get(1)?, kept, slots: Vec::new() });
    }
    let mut partitions = Vec::new();
    let mut rows =
        connection.prepare("SELECT id, topic, first_offset, next_offset FROM partitions ORDER BY topic, partition")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let topic: String = row.get(1)?;
        let entry = topics.get_mut(&topic).with_context(|| format!("partition of unknown topic {topic}"))?;
        entry.slots.push(partitions.len());
        partitions.push(Partition { id: row.get(0)?, first: row.get(2)?, next: row.get(3)? });
    }
    Ok(Catalogue { topics, partitions })
}

fn kept_text(kept: Kept) -> String {
    match kept {
        Kept::For(time) => format!("for {}", time.as_secs()),
        Kept::Compacted(lag) => format!("compacted {}", lag.as_secs()),
        Kept::Newest(within) => format!("newest {}", within.as_secs()),
        Kept::Forever => "forever".to_owned(),
    }
}

fn parse_kept(text: &str) -> Option<Kept> {
    let seconds = |text: &str| text.parse().ok().map(Duration::from_secs);
    match text.split_once(' ') {
        Some(("for", time)) => seconds(time).map(Kept::For),
        Some(("compacted", lag)) => seconds(lag).map(Kept::Compacted),
        Some(("newest", within)) => seconds(within).map(Kept::Newest),
        None if text == "forever" => Some(Kept::Forever),
        _ => None,
    }
}

/// A payload as it is stored, and its codec.
pub(crate) fn pack(payload: Bytes) -> (Bytes, u8) {
    use std::cell::RefCell;
    thread_local! {
        static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    }
    if payload.len() < COMPRESS_BYTES_MIN {
        return (payload, 0);
    }
    let packed = COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = zstd::bulk::Compressor::new(COMPRESSION_LEVEL).ok();
        }
        let compressed = slot.as_mut()?.compress(&payload).ok()?;
        // The size goes first: the reader allocates once, and no more than a record may have.
        let mut packed = Vec::with_capacity(compressed.len() + 4);
        packed.extend_from_slice(&u32::try_from(payload.len()).ok()?.to_le_bytes());
        packed.extend_from_slice(&compressed);
        Some(packed)
    });
    match packed {
        Some(packed) if packed.len() < payload.len() => (Bytes::from(packed), 1),
        _ => (payload, 0),
    }
}

/// The payload that was stored, at most `bytes_max` of it.
pub(crate) fn unpack(stored: &[u8], codec: u8, bytes_max: usize) -> Result<Bytes> {
    match codec {
        0 => Ok(Bytes::copy_from_slice(stored)),
        1 => {
            let (size, stored) = stored.split_first_chunk::<4>().context("damaged payload")?;
            let size = u32::from_le_bytes(*size) as usize;
            ensure!(size <= bytes_max, "payload claims {size} bytes, more than {bytes_max}");
            Ok(Bytes::from(zstd::bulk::decompress(stored, size).context("decompress payload")?))
        }
        other => bail!("payload has codec {other}, which this release does not know"),
    }
}

/// Headers as they are stored: how many, then name and value, each with its length; `None` where there are none.
pub(crate) fn pack_headers(headers: &[(String, Bytes)]) -> Option<Vec<u8>> {
    if headers.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    put_long(&mut out, headers.len() as i64);
    for (name, value) in headers {
        put_bytes(&mut out, name.as_bytes());
        put_bytes(&mut out, value);
    }
    Some(out)
}

/// The headers that were stored.
pub(crate) fn unpack_headers(stored: &[u8]) -> Result<Vec<(String, Bytes)>> {
    let mut reader = Reader::new(stored);
    let count = reader.length()?;
    let mut headers = Vec::with_capacity(count);
    for _ in 0..count {
        let name = reader.text()?.to_owned();
        let length = reader.length()?;
        headers.push((name, Bytes::copy_from_slice(reader.take(length)?)));
    }
    reader.finish()?;
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_free_when_its_lock_is_dropped_though_a_child_has_a_copy_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        let copy = held.0.try_clone().unwrap();
        assert!(is_locked(&lock(folder.path()).unwrap_err()));
        drop(held);
        lock(folder.path()).unwrap();
        drop(copy);
    }
}
