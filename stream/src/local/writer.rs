//! The one thread that writes: it takes what waits, writes it in one SQLite transaction, and answers everybody.
//!
//! A commit costs a flush to disk whatever it holds, so callers that come together share one: that is what makes many
//! small appends (HTTP) and many stages affordable.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use rusqlite::{Connection, params};

use super::store::{NEWEST, RECORDS, insert_into, row_id};

/// Most bytes written in one SQLite transaction, unless a single request is larger.
const GROUP_BYTES_MAX: usize = 32 << 20;

/// A record on its way to a partition.
#[derive(Debug)]
pub(crate) struct Append {
    /// Place of the partition in [`Heads`].
    pub(crate) slot: usize,
    pub(crate) partition_id: i64,
    /// Whether what it supersedes is destroyed with it.
    pub(crate) newest_only: bool,
    /// Milliseconds; `None`: when it is written.
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Option<Bytes>,
    pub(crate) payload: Option<Bytes>,
    pub(crate) codec: u8,
    pub(crate) headers: Option<Vec<u8>>,
}

/// How far a reader has come in a partition.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    pub(crate) reader: Arc<str>,
    pub(crate) slot: usize,
    pub(crate) partition_id: i64,
    pub(crate) place: Place,
}

/// Where a reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) next_offset: i64,
    pub(crate) transaction: i64,
    /// True where it holds nothing back. Not known of a place that an earlier run has left.
    pub(crate) all_out: bool,
}

/// What one caller wants written: all of it or nothing.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) appends: Vec<Append>,
    pub(crate) positions: Vec<Position>,
    /// Deletes what lies before an offset: slot, partition id, offset.
    pub(crate) prune: Option<(usize, i64, i64)>,
    /// Deletes these rows.
    pub(crate) delete_rows: Vec<i64>,
    /// Is written only if the partition (its slot) ends at this offset by then.
    pub(crate) only_if: Option<(usize, i64)>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// All of it is written.
    All,
    /// Nothing: the partition had grown.
    Nothing,
}

impl Append {
    /// Its timestamp, and when it is appended if that is another.
    fn times(&self, now: i64) -> (i64, Option<i64>) {
        let timestamp = self.timestamp.unwrap_or(now);
        (timestamp, (timestamp != now).then_some(now))
    }
}

impl Request {
    fn bytes(&self) -> usize {
        let size = |append: &Append| {
            append.payload.as_ref().map_or(0, Bytes::len) + append.key.as_ref().map_or(0, Bytes::len) + 64
        };
        self.appends.iter().map(size).sum()
    }

    fn destroys(&self) -> bool {
        self.appends.iter().any(|append| append.newest_only)
    }
}

/// A request and where its answer goes.
pub(crate) type Job = (Request, SyncSender<Result<Written, String>>);

/// How long emptying the write-ahead log may wait for readers.
const EMPTYING_MAX: Duration = Duration::from_secs(20);

/// What is committed, as every thread of this process sees it.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// First offset kept, by partition.
    pub(crate) first: Vec<i64>,
    /// Offset after the last record, by partition.
    pub(crate) next: Vec<i64>,
    /// By reader and partition.
    pub(crate) places: HashMap<(Arc<str>, usize), Place>,
    /// Grows with every commit.
    pub(crate) commits: u64,
    /// Why nothing can be written any more.
    pub(crate) failed: Option<String>,
}

/// [`Heads`], and a way to wait for them to change.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    heads: Mutex<Heads>,
    changed: Condvar,
}

impl Shared {
    pub(crate) fn heads(&self) -> MutexGuard<'_, Heads> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits, for reasons other than a commit.
    pub(crate) fn wake(&self) {
        drop(self.heads());
        self.changed.notify_all();
    }

    /// Waits until there are more commits than `seen`, until woken, or at most this long.
    pub(crate) fn wait(&self, seen: u64, at_most: Duration) {
        let heads = self.heads();
        if heads.commits == seen && heads.failed.is_none() {
            drop(self.changed.wait_timeout(heads, at_most));
        }
    }
}

/// The writing side of the file.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) shared: Arc<Shared>,
    /// Time of the last append: append times never go backwards, whatever the clock does.
    pub(crate) clock_millis: i64,
}

impl Writer {
    /// Writes until every sender is gone.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut bytes = first.0.bytes();
            let mut group = vec![first];
            while bytes < GROUP_BYTES_MAX {
                match jobs.try_recv() {
                    Ok(job) => {
                        bytes += job.0.bytes();
                        group.push(job);
                    }
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            let group = self.agreed(group);
            let outcome = self.commit(&group).map_err(|error| format!("{error:#}"));
            if outcome.is_ok() {
                self.publish(&group);
            }
            let destroys = group.iter().any(|(request, _)| request.destroys());
            let emptied = match (&outcome, destroys) {
                (Ok(()), true) => self.destroyed().map_err(|error| format!("{error:#}")),
                _ => Ok(()),
            };
            for (request, answer) in group {
                let outcome = if request.destroys() { outcome.clone().and(emptied.clone()) } else { outcome.clone() };
                // A caller that went away does not need to know.
                let _ = answer.send(outcome.map(|()| Written::All));
            }
            self.shared.changed.notify_all();
        }
    }

    /// The requests whose condition holds when those before them are written; the others are answered.
    fn agreed(&self, group: Vec<Job>) -> Vec<Job> {
        if group.iter().all(|(request, _)| request.only_if.is_none()) {
            return group;
        }
        let mut next = self.shared.heads().next.clone();
        let mut agreed = Vec::new();
        for (request, answer) in group {
            if request.only_if.is_some_and(|(slot, end)| next[slot] != end) {
                let _ = answer.send(Ok(Written::Nothing));
                continue;
            }
            request.appends.iter().for_each(|append| next[append.slot] += 1);
            agreed.push((request, answer));
        }
        agreed
    }

    fn commit(&mut self, group: &[Job]) -> Result<()> {
        let mut next = {
            let heads = self.shared.heads();
            if let Some(reason) = &heads.failed {
                return Err(anyhow!("{reason}"));
            }
            heads.next.clone()
        };
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        self.clock_millis = self.clock_millis.max(i64::try_from(wall).unwrap_or(i64::MAX));
        if group.iter().any(|(request, _)| request.destroys()) {
            // Only now: it costs a write for every page that is freed, and retention frees many.
            self.connection.pragma_update(None, "secure_delete", true).context("set secure_delete")?;
        }
        self.connection.execute_batch("BEGIN IMMEDIATE").context("begin a transaction")?;
        let written = group.iter().try_for_each(|(request, _)| self.write(request, &mut next));
        if let Err(error) = written {
            // Nothing was committed, so the callers may try again.
            let _ = self.connection.execute_batch("ROLLBACK");
            return Err(error);
        }
        if let Err(error) = self.connection.execute_batch("COMMIT") {
            // Whether it will be there after a crash is unknown, so nothing may build on either answer in this process.
            let _ = self.connection.execute_batch("ROLLBACK");
            let reason =
                format!("a commit failed ({error}); check the disk and start again: what was committed is kept");
            self.shared.heads().failed = Some(reason.clone());
            return Err(anyhow!("{reason}"));
        }
        Ok(())
    }

    fn write(&self, request: &Request, next: &mut [i64]) -> Result<()> {
        let connection = &self.connection;
        let mut insert = connection.prepare_cached(&insert_into(RECORDS))?;
        let mut advanced: HashMap<i64, i64> = HashMap::new();
        let mut newest = Vec::new();
        for append in &request.appends {
            let offset = next[append.slot];
            next[append.slot] += 1;
            advanced.insert(append.partition_id, offset + 1);
            if append.newest_only {
                newest.push((row_id(append.partition_id, offset), append));
                continue;
            }
            let (timestamp, appended) = append.times(self.clock_millis);
            insert
                .execute(params![
                    row_id(append.partition_id, offset),
                    timestamp,
                    appended,
                    append.key.as_deref(),
                    append.payload.as_deref(),
                    append.codec,
                    append.headers.as_deref(),
                ])
                .context("append a record")?;
        }
        if !newest.is_empty() {
            self.replace(&newest)?;
        }
        let mut update = connection.prepare_cached("UPDATE partitions SET next_offset = ?2 WHERE id = ?1")?;
        for (partition_id, next_offset) in advanced {
            update.execute(params![partition_id, next_offset])?;
        }
        let mut upsert = connection.prepare_cached(
            "INSERT INTO offsets (reader, partition_id, next_offset, transaction_number) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET next_offset = ?3, transaction_number = ?4",
        )?;
        for position in &request.positions {
            let Place { next_offset, transaction, .. } = position.place;
            upsert
                .execute(params![&*position.reader, position.partition_id, next_offset, transaction])
                .context("commit a position")?;
        }
        if let Some((_, partition_id, before)) = request.prune {
            let mut delete = connection.prepare_cached("DELETE FROM records WHERE id >= ?1 AND id < ?2")?;
            delete.execute(params![row_id(partition_id, 0), row_id(partition_id, before)]).context("delete records")?;
            let mut update = connection.prepare_cached("UPDATE partitions SET first_offset = ?2 WHERE id = ?1")?;
            update.execute(params![partition_id, before])?;
        }
        let mut delete = connection.prepare_cached("DELETE FROM records WHERE id = ?1")?;
        for id in &request.delete_rows {
            delete.execute(params![id]).context("compact")?;
        }
        Ok(())
    }

    /// Writes records that destroy what they supersede.
    ///
    /// Deleting single rows would not do: SQLite moves rows when it balances a tree, and `secure_delete` leaves what
    /// stood where they were. So the table is emptied, every page it had is overwritten with zeros, and what is still
    /// held is written again. There are few such records.
    fn replace(&self, newest: &[(i64, &Append)]) -> Result<()> {
        type Row = (i64, i64, Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>, u8, Option<Vec<u8>>);
        let bytes = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| bytes.to_vec());
        let mut rows: HashMap<(i64, Option<Vec<u8>>), Row> = HashMap::new();
        let mut select = self.connection.prepare_cached(
            "SELECT id >> 40, id, timestamp, appended, key, payload, codec, headers FROM newest ORDER BY id",
        )?;
        let mut found = select.query([])?;
        while let Some(row) = found.next()? {
            let key: Option<Vec<u8>> = row.get(4)?;
            let kept = (row.get(1)?, row.get(2)?, row.get(3)?, key.clone(), row.get(5)?, row.get(6)?, row.get(7)?);
            rows.insert((row.get(0)?, key), kept);
        }
        drop(found);
        for (id, append) in newest {
            let (timestamp, appended) = append.times(self.clock_millis);
            let (key, payload) = (bytes(&append.key), bytes(&append.payload));
            let row = (*id, timestamp, appended, key.clone(), payload, append.codec, append.headers.clone());
            rows.insert((append.partition_id, key), row);
        }
        let mut rows: Vec<Row> = rows.into_values().collect();
        rows.sort_unstable_by_key(|row| row.0);
        // Without a condition SQLite frees whole pages.
        self.connection.execute("DELETE FROM newest", []).context("destroy superseded records")?;
        let mut insert = self.connection.prepare_cached(&insert_into(NEWEST))?;
        for (id, timestamp, appended, key, payload, codec, headers) in rows {
            insert
                .execute(params![id, timestamp, appended, key, payload, codec, headers])
                .context("append a record")?;
        }
        Ok(())
    }

    /// Empties the write-ahead log, which holds pages as they were, into the file.
    fn destroyed(&self) -> Result<()> {
        let began = Instant::now();
        loop {
            let busy: i64 = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            if busy == 0 {
                return self.connection.pragma_update(None, "secure_delete", false).context("unset secure_delete");
            }
            // A reader of another process holds an older state of the file.
            ensure!(
                began.elapsed() < EMPTYING_MAX,
                "the new keys are written, but the old ones are still in the write-ahead log, which somebody has been \
                 reading for {} s: end whoever reads the data folder, and run this again",
                EMPTYING_MAX.as_secs()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Makes a committed group visible. Ends and positions move together, so "all read" is never seen half-way.
    fn publish(&self, group: &[Job]) {
        let mut heads = self.shared.heads();
        for (request, _) in group {
            for append in &request.appends {
                heads.next[append.slot] += 1;
            }
            for position in &request.positions {
                heads.places.insert((position.reader.clone(), position.slot), position.place);
            }
            if let Some((slot, _, before)) = request.prune {
                heads.first[slot] = before;
            }
        }
        heads.commits += 1;
    }
}
