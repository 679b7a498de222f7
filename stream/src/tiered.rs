//! A map that a transaction can take back, whose older part is on disk.

mod filter;
mod run;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io;
use std::sync::Arc;

use schemas::wire::{Reader, WireError};
use schemas::{Id128, Timestamp};

use crate::processor::Halt;
use crate::scratch::Scratch;
use crate::state::TxMap;
use run::{Entry, Run, RunWriter, Scan};

/// So many files of one size become one of the next.
const FANOUT: usize = 4;

/// Files are merged up to so many entries: the lane waits while it is done, a few tenths of a second for these.
const MERGED_ENTRIES_MAX: usize = 2_000_000;

/// A value that can be put on disk, and that belongs to a moment.
pub trait Aged: Clone {
    /// When it arrived: the older ones go to disk, and are forgotten, first.
    fn received_at(&self) -> Timestamp;

    /// Appends it.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads what [`Aged::put`] wrote.
    ///
    /// # Errors
    /// When the bytes are something else.
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError>;
}

/// A map by hashed ids that remembers more than fits into memory. What changes is in memory and can be taken back, as in a
/// [`TxMap`]; what is committed and old is moved to sorted files by [`Tiered::seal`]. Where an entry is changes nothing
/// but the time it takes to find it.
#[derive(Debug)]
pub struct Tiered<V> {
    recent: TxMap<Id128, V>,
    /// Removed keys of which a file may hold an older value.
    gone: TxMap<Id128, ()>,
    /// From the oldest to the newest: of a key in several the newest holds.
    runs: Vec<Run>,
    /// What arrived before it is forgotten, unless it came after that was said.
    frontier: Timestamp,
    scratch: Arc<Scratch>,
    reads: Cell<u64>,
}

/// What a [`Tiered`] map takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// Entries in memory.
    pub memory_entries: usize,
    /// Bytes of memory they take.
    pub memory_bytes: usize,
    /// Entries in files, without those that are forgotten; about, for large files.
    pub disk_entries: usize,
    /// Bytes of those files.
    pub disk_bytes: u64,
    /// Bytes of memory that finding them takes: filters and indexes.
    pub index_bytes: usize,
    /// Number of files.
    pub files: usize,
}

impl<V: Aged> Tiered<V> {
    /// An empty map that uses this folder once [`Tiered::seal`] is called.
    pub fn new(scratch: Arc<Scratch>) -> Self {
        Tiered {
            recent: TxMap::default(),
            gone: TxMap::default(),
            runs: Vec::new(),
            frontier: Timestamp::MIN,
            scratch,
            reads: Cell::new(0),
        }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn get(&self, key: &Id128) -> Result<Option<V>, Halt> {
        if let Some(value) = self.recent.get(key) {
            return Ok(Some(value.clone()));
        }
        if self.runs.is_empty() || self.gone.get(key).is_some() {
            return Ok(None);
        }
        self.on_disk(number(key)).map_err(|error| self.scratch.unusable(&error))
    }

    fn on_disk(&self, key: u128) -> io::Result<Option<V>> {
        for run in self.runs.iter().rev().filter(|run| run.may_hold(key)) {
            self.reads.set(self.reads.get() + 1);
            let shown = |entry: Entry<'_>| entry.value.filter(|_| run.shows(&entry, self.frontier)).map(decode::<V>);
            if let Some(newest) = run.find(key, shown)? {
                return newest.transpose();
            }
        }
        Ok(None)
    }

    fn may_be_on_disk(&self, key: &Id128) -> bool {
        self.runs.iter().any(|run| run.may_hold(number(key)))
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: Id128, value: V) {
        self.gone.remove(&key);
        self.recent.insert(key, value);
    }

    /// Removes a key.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn remove(&mut self, key: &Id128) -> Result<(), Halt> {
        if self.get(key)?.is_some() {
            self.recent.remove(key);
            if self.may_be_on_disk(key) {
                self.gone.insert(*key, ());
            }
        }
        Ok(())
    }

    /// Sets a value that came from the changelog: nothing to undo.
    pub fn restore(&mut self, key: Id128, value: Option<V>) {
        let gone = value.is_none() && self.may_be_on_disk(&key);
        if gone || !self.gone.is_empty() {
            self.gone.restore(key, gone.then_some(()));
        }
        self.recent.restore(key, value);
    }

    /// Keys changed in the open transaction, in order, with their new values (`None`: removed).
    pub fn changed(&self) -> Vec<(Id128, Option<&V>)> {
        let keys = self.recent.changed().map(|(key, _)| *key);
        let mut keys: Vec<Id128> = keys.chain(self.gone.changed().map(|(key, _)| *key)).collect();
        // As numbers they are compared without a call.
        keys.sort_unstable_by_key(number);
        keys.dedup();
        keys.into_iter().map(|key| (key, self.recent.get(&key))).collect()
    }

    /// True when the open transaction has changed something.
    pub fn is_changed(&self) -> bool {
        self.recent.changed().next().is_some() || self.gone.changed().next().is_some()
    }

    /// The changes stay.
    pub fn promote(&mut self) {
        self.recent.promote();
        self.gone.promote();
    }

    /// The changes go.
    pub fn undo(&mut self) {
        self.recent.undo();
        self.gone.undo();
    }

    /// Forgets what arrived before a moment, for good: between transactions only. The moment never moves back.
    pub fn forget(&mut self, frontier: Timestamp) {
        self.frontier = frontier;
        // Only from the oldest on: a file that holds the newest value of a key must not go before one with an older value.
        let forgotten = self.runs.iter().take_while(|run| run.is_forgotten(frontier)).count();
        self.runs.drain(..forgotten);
        let mut gone = Vec::new();
        let runs = &self.runs;
        self.recent.retain(|key, value| {
            let kept = value.received_at() >= frontier;
            if !kept && runs.iter().any(|run| run.may_hold(number(key))) {
                gone.push(*key);
            }
            kept
        });
        gone.into_iter().for_each(|key| self.gone.restore(key, Some(())));
    }

    /// Moves the older half of memory to disk, and merges files where there are many: between transactions only.
    ///
    /// # Errors
    /// When a file cannot be written or read. Everything is where it was, then.
    pub fn seal(&mut self) -> Result<(), Halt> {
        debug_assert!(!self.is_changed(), "a transaction is open");
        let sealed = self.seal_half().and_then(|()| self.merge());
        sealed.map_err(|error| self.scratch.unusable(&error))
    }

    /// Writes files anew that hold more that is forgotten than is not: between transactions only.
    ///
    /// # Errors
    /// When a file cannot be written or read. Everything is where it was, then.
    pub fn tidy(&mut self) -> Result<(), Halt> {
        let frontier = self.frontier;
        let stale = self.runs.iter().position(|run| run.hidden(frontier) * 2 > run.entries);
        let Some(at) = stale else { return Ok(()) };
        let level = self.runs[at].level;
        self.replace(at, at + 1, level).map_err(|error| self.scratch.unusable(&error))
    }

    fn seal_half(&mut self) -> io::Result<()> {
        let mut arrivals: Vec<Timestamp> = self.recent.iter().map(|(_, value)| value.received_at()).collect();
        let middle = arrivals.len() / 2;
        let edge = match arrivals.is_empty() {
            true => Timestamp::MIN,
            false => *arrivals.select_nth_unstable(middle).1,
        };
        drop(arrivals);
        let values = self.recent.iter().filter(|(_, value)| value.received_at() <= edge);
        let values = values.map(|(key, value)| (number(key), Some(value)));
        let gone = self.gone.iter().filter(|(key, ())| self.may_be_on_disk(key)).map(|(key, ())| (number(key), None));
        let mut rows: Vec<(u128, Option<&V>)> = values.chain(gone).collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        if !rows.is_empty() {
            let mut writer = RunWriter::new(self.scratch.file()?, rows.len(), self.frontier, 0);
            for (key, value) in rows {
                match value {
                    Some(value) => writer.value(key, value.received_at(), |out| value.put(out))?,
                    None => writer.removed(key)?,
                }
            }
            let run = writer.finish()?;
            self.runs.push(run);
        }
        self.recent.retain(|_, value| value.received_at() > edge);
        self.recent.shrink_to_fit();
        self.gone = TxMap::default();
        Ok(())
    }

    /// Merges the newest files while there are enough of one level.
    fn merge(&mut self) -> io::Result<()> {
        while let Some(from) = self.runs.len().checked_sub(FANOUT) {
            let newest = &self.runs[from..];
            let level = newest[0].level;
            let entries: usize = newest.iter().map(|run| run.entries).sum();
            if newest.iter().any(|run| run.level != level) || entries > MERGED_ENTRIES_MAX {
                return Ok(());
            }
            self.replace(from, self.runs.len(), level + 1)?;
        }
        Ok(())
    }

    /// Puts one file in the place of some that follow on one another, without what is of no use any more.
    fn replace(&mut self, from: usize, to: usize, level: u32) -> io::Result<()> {
        let (older, merged) = (&self.runs[..from], &self.runs[from..to]);
        let keys = merged.iter().map(|run| run.entries).sum();
        let mut writer = RunWriter::new(self.scratch.file()?, keys, self.frontier, level);
        newest(merged, |run, entry| match entry.value.filter(|_| run.shows(&entry, self.frontier)) {
            Some(value) => writer.value(entry.key, entry.received_at, |out| out.extend_from_slice(value)),
            None if older.iter().any(|run| run.may_hold(entry.key)) => writer.removed(entry.key),
            None => Ok(()),
        })?;
        let run = writer.finish()?;
        self.runs.splice(from..to, (run.entries > 0).then_some(run));
        Ok(())
    }

    /// Hands out every entry, in no particular order.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn for_each(&self, mut each: impl FnMut(&Id128, &V)) -> Result<(), Halt> {
        self.recent.iter().for_each(|(key, value)| each(key, value));
        let scanned = newest(&self.runs, |run, entry| {
            let key = Id128(entry.key.to_be_bytes());
            let hidden = self.recent.get(&key).is_some() || self.gone.get(&key).is_some();
            if let Some(value) = entry.value.filter(|_| !hidden && run.shows(&entry, self.frontier)) {
                each(&key, &decode(value)?);
            }
            Ok(())
        });
        scanned.map_err(|error| self.scratch.unusable(&error))
    }

    /// When entries arrived, and how many each of these stands for: exact in memory, samples of large files.
    pub fn arrivals(&self) -> impl Iterator<Item = (Timestamp, usize)> {
        let recent = self.recent.iter().map(|(_, value)| (value.received_at(), 1));
        recent.chain(self.runs.iter().flat_map(|run| {
            let (arrivals, weight) = run.arrivals(self.frontier);
            arrivals.iter().map(move |arrival| (*arrival, weight))
        }))
    }

    /// What it takes.
    pub fn room(&self) -> Room {
        let on_disk = |run: &Run| {
            let (arrivals, weight) = run.arrivals(self.frontier);
            arrivals.len() * weight
        };
        Room {
            memory_entries: self.recent.len(),
            // A byte of control beside each place of a table.
            memory_bytes: self.recent.capacity() * (size_of::<(Id128, V)>() + 1)
                + self.gone.capacity() * (size_of::<Id128>() + 1),
            disk_entries: self.runs.iter().map(on_disk).sum(),
            disk_bytes: self.runs.iter().map(Run::file_bytes).sum(),
            index_bytes: self.runs.iter().map(Run::memory_bytes).sum(),
            files: self.runs.len(),
        }
    }

    /// Bytes of memory its tables will take after the next transaction: twice what they take when they are nearly full.
    pub fn memory_bytes_next(&self) -> usize {
        let Room { memory_bytes, memory_entries, .. } = self.room();
        let full = memory_entries > self.recent.capacity() / 4 * 3;
        if full { memory_bytes * 2 } else { memory_bytes }
    }

    /// How often a file was read to find a key since this was last asked.
    pub fn take_reads(&self) -> u64 {
        self.reads.take()
    }
}

/// Ids sort as their bytes do.
fn number(key: &Id128) -> u128 {
    u128::from_be_bytes(key.0)
}

fn decode<V: Aged>(value: &[u8]) -> io::Result<V> {
    V::get(&mut Reader::new(value)).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Goes through some files, from the oldest to the newest, in the order of keys: the newest entry of each.
fn newest(runs: &[Run], mut each: impl FnMut(&Run, Entry<'_>) -> io::Result<()>) -> io::Result<()> {
    let mut scans = runs.iter().map(Run::scan).collect::<io::Result<Vec<Scan<'_>>>>()?;
    loop {
        let mut least: Option<(u128, usize)> = None;
        for (index, scan) in scans.iter().enumerate() {
            if let Some(entry) = scan.entry()?
                && least.is_none_or(|(key, _)| entry.key <= key)
            {
                least = Some((entry.key, index));
            }
        }
        let Some((least, index)) = least else { return Ok(()) };
        if let Some(entry) = scans[index].entry()? {
            each(scans[index].run, entry)?;
        }
        for scan in &mut scans {
            if scan.entry()?.is_some_and(|entry| entry.key == least) {
                scan.advance()?;
            }
        }
    }
}
