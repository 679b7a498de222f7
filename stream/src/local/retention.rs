//! Deletes what is too old, and of compacted topics what is superseded. Never what a stage or table has still to read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use rusqlite::params;
use schemas::Timestamp;
use schemas::ids::hash_parts;
use schemas::topics::Kept;

use super::LocalLog;
use super::store::{offset_of, row_id};
use super::writer::Request;
use crate::clock;
use crate::shutdown::Shutdown;

/// Between two rounds.
const INTERVAL: Duration = Duration::from_secs(60);

/// Records deleted in one transaction: more would hold up everybody who writes.
const DELETE_MAX: usize = 2_000;

/// A partition is compacted when it has this many records more than after the last time, and twice as many.
const COMPACT_RECORDS_MIN: i64 = 10_000;

/// A stage or table that runs, and the partitions it reads.
pub(super) type Reads = (Arc<str>, Vec<usize>);

/// Cleans up until told to stop.
pub(super) fn run(log: &LocalLog, readers: Vec<Reads>, shutdown: &Shutdown) -> Result<()> {
    let mut cleaner = Cleaner::new(readers);
    while !shutdown.wait(INTERVAL) {
        cleaner.round(log, clock::now(), shutdown)?;
    }
    Ok(())
}

/// Deletes for whoever reads.
#[derive(Debug, Default)]
pub(super) struct Cleaner {
    readers: Vec<Reads>,
    /// What compaction left behind, by slot: records then, and the end then.
    compacted: HashMap<usize, (i64, i64)>,
}

impl Cleaner {
    pub(super) fn new(readers: Vec<Reads>) -> Self {
        Cleaner { readers, compacted: HashMap::new() }
    }

    /// The least position of those who read a partition now: what somebody read who is gone is kept for nobody.
    fn read_by_all(&self, log: &LocalLog, slot: usize, end: i64) -> i64 {
        let heads = log.shared().heads();
        let readers = self.readers.iter().filter(|(_, slots)| slots.contains(&slot));
        let positions = readers.map(|(reader, _)| {
            let place = heads.places.get(&(reader.clone(), slot));
            place.map_or(heads.first[slot], |place| place.next_offset)
        });
        positions.min().unwrap_or(end)
    }

    /// Cleans every topic once.
    pub(super) fn round(&mut self, log: &LocalLog, now: Timestamp, shutdown: &Shutdown) -> Result<()> {
        let topics: Vec<_> = log.topic_names().map(|(_, topic)| topic.clone()).collect();
        for topic in topics {
            for slot in topic.slots {
                match topic.kept {
                    _ if shutdown.is_set() => return Ok(()),
                    // What supersedes a record destroys it, see `writer`.
                    Kept::Forever | Kept::Newest(_) => {}
                    Kept::For(time) => self.delete_older(log, slot, before(now, time))?,
                    Kept::Compacted(lag) => self.compact(log, slot, before(now, lag))?,
                }
            }
        }
        Ok(())
    }

    fn compact(&mut self, log: &LocalLog, slot: usize, before_millis: i64) -> Result<()> {
        let (count, end) = self.compacted.get(&slot).copied().unwrap_or_default();
        let next = log.shared().heads().next[slot];
        if next - end < COMPACT_RECORDS_MIN.max(count) {
            return Ok(());
        }
        let id = log.partition(slot).id;
        let floor = self.read_by_all(log, slot, next);
        // Newest first: the first time a key is seen is its newest record. Sixteen bytes a key are held meanwhile.
        let (superseded, kept) = log.reading(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT id, coalesce(appended, timestamp), key, payload IS NULL FROM records WHERE id >= ?1 AND id < ?2 ORDER BY id DESC",
            )?;
            let mut rows = select.query(params![row_id(id, 0), row_id(id, next)])?;
            let (mut seen, mut superseded, mut kept) = (HashSet::new(), Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let row_id: i64 = row.get(0)?;
                let key = row.get_ref(2)?.as_blob_or_null()?.map(|key| hash_parts([key]));
                let newest = key.is_none_or(|key| seen.insert(key));
                let may_go = row.get::<_, i64>(1)? < before_millis && offset_of(row_id) < floor;
                // A tombstone has done its work once what it deletes is gone: deleting goes oldest first.
                let tombstone: bool = row.get(3)?;
                match may_go && (!newest || tombstone) {
                    true => superseded.push(row_id),
                    false => kept += 1,
                }
            }
            Ok((superseded, kept))
        })?;
        for rows in superseded.rchunks(DELETE_MAX) {
            let delete_rows = rows.iter().rev().copied().collect();
            log.write(Request { delete_rows, ..Request::default() })?;
        }
        self.compacted.insert(slot, (kept, next));
        Ok(())
    }

    /// Deletes from the front what was appended before a time. Stated timestamps do not count: old input is not deleted
    /// before it was read.
    fn delete_older(&self, log: &LocalLog, slot: usize, before_millis: i64) -> Result<()> {
        let id = log.partition(slot).id;
        loop {
            let (first, next) = {
                let heads = log.shared().heads();
                (heads.first[slot], heads.next[slot])
            };
            let floor = self.read_by_all(log, slot, next);
            // Append times only grow, so the old ones are a run at the front.
            let (deleted, last) = log.reading(|connection| {
                let mut select = connection.prepare_cached(
                    "SELECT id, coalesce(appended, timestamp) FROM records WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3",
                )?;
                let mut rows = select.query(params![row_id(id, first), row_id(id, floor), DELETE_MAX as i64])?;
                let (mut deleted, mut last) = (0, first);
                while let Some(row) = rows.next()? {
                    if row.get::<_, i64>(1)? >= before_millis {
                        break;
                    }
                    deleted += 1;
                    last = offset_of(row.get(0)?) + 1;
                }
                Ok((deleted, last))
            })?;
            if deleted > 0 {
                log.write(Request { prune: Some((slot, id, last)), ..Request::default() })?;
            }
            if deleted < DELETE_MAX {
                return Ok(());
            }
        }
    }
}

fn before(now: Timestamp, time: Duration) -> i64 {
    now.millis().saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}
