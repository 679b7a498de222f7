//! The one thread that writes: it takes what waits, writes it in one SQLite transaction, and answers everybody.
//!
//! A commit costs a flush to disk whatever it holds, so callers that come together share one: that is what makes many
//! small appends (HTTP) and many stages affordable.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use rusqlite::{Connection, params};

use super::store::row_id;

/// Most bytes written in one SQLite transaction, unless a single request is larger.
const GROUP_BYTES_MAX: usize = 32 << 20;

/// A record on its way to a partition.
#[derive(Debug)]
pub(crate) struct Append {
    /// Place of the partition in [`Heads`].
    pub(crate) slot: usize,
    pub(crate) partition_id: i64,
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
    pub(crate) next_offset: i64,
    pub(crate) transaction: i64,
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
}

impl Request {
    fn bytes(&self) -> usize {
        let size = |append: &Append| {
            append.payload.as_ref().map_or(0, Bytes::len) + append.key.as_ref().map_or(0, Bytes::len) + 64
        };
        self.appends.iter().map(size).sum()
    }
}

/// A request and where its answer goes.
pub(crate) type Job = (Request, SyncSender<Result<(), String>>);

/// What is committed, as every thread of this process sees it.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// First offset kept, by partition.
    pub(crate) first: Vec<i64>,
    /// Offset after the last record, by partition.
    pub(crate) next: Vec<i64>,
    /// Position and transaction number, by reader and partition.
    pub(crate) positions: HashMap<(Arc<str>, usize), (i64, i64)>,
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
            let outcome = self.commit(&group).map_err(|error| format!("{error:#}"));
            if outcome.is_ok() {
                self.publish(&group);
            }
            for (_, answer) in group {
                // A caller that went away does not need to know.
                let _ = answer.send(outcome.clone());
            }
            self.shared.changed.notify_all();
        }
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
        let mut insert = connection.prepare_cached(
            "INSERT INTO records (id, timestamp, appended, key, payload, codec, headers) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let mut advanced: HashMap<i64, i64> = HashMap::new();
        for append in &request.appends {
            let offset = next[append.slot];
            next[append.slot] += 1;
            let timestamp = append.timestamp.unwrap_or(self.clock_millis);
            let appended = (timestamp != self.clock_millis).then_some(self.clock_millis);
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
            advanced.insert(append.partition_id, offset + 1);
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
            upsert
                .execute(params![&*position.reader, position.partition_id, position.next_offset, position.transaction])
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

    /// Makes a committed group visible. Ends and positions move together, so "all read" is never seen half-way.
    fn publish(&self, group: &[Job]) {
        let mut heads = self.shared.heads();
        for (request, _) in group {
            for append in &request.appends {
                heads.next[append.slot] += 1;
            }
            for position in &request.positions {
                let key = (position.reader.clone(), position.slot);
                heads.positions.insert(key, (position.next_offset, position.transaction));
            }
            if let Some((slot, _, before)) = request.prune {
                heads.first[slot] = before;
            }
        }
        heads.commits += 1;
    }
}
