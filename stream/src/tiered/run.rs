//! An immutable file of entries sorted by key.
//!
//! Entries are packed into blocks of about a page, each with a checksum. Memory holds a filter over the keys, the first
//! key of each block, and a sample of arrivals.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use schemas::Timestamp;

use super::filter::Filter;

/// A block is closed when it is larger than this: what one look reads.
const BLOCK_BYTES: usize = 4_096;

/// Written and scanned in pieces of this size.
const PIECE_BYTES: usize = 256 * 1_024;

/// Arrivals kept of each file, to tell how many of its entries came before a time.
const SAMPLES_MAX: usize = 1_024;

/// Key, arrival, length of the value.
const HEADER_BYTES: usize = 16 + 8 + 4;

/// After the entries of a block.
const CHECKSUM_BYTES: usize = 8;

/// In place of the length: the key was removed.
const REMOVED: u32 = u32::MAX;

/// An entry as it is in a file; without a value the key was removed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) key: u128,
    pub(super) received_at: Timestamp,
    pub(super) value: Option<&'a [u8]>,
}

/// A sorted file.
#[derive(Debug)]
pub(super) struct Run {
    file: File,
    filter: Filter,
    /// First key of each block.
    firsts: Vec<u128>,
    /// Where each block begins, and where the last one ends.
    starts: Vec<u64>,
    /// Keys, the removed ones among them.
    pub(super) entries: usize,
    values: usize,
    /// Arrivals of values, in order: every so many of the sorted keys, and keys are hashes.
    samples: Vec<Timestamp>,
    /// Latest arrival of a value.
    latest: Timestamp,
    /// What had been forgotten when the file was written: its entries stay until more is.
    frontier: Timestamp,
    /// How often its entries have been merged.
    pub(super) level: u32,
}

impl Run {
    pub(super) fn may_hold(&self, key: u128) -> bool {
        self.filter.may_hold(key)
    }

    /// Looks a key up that the filter may hold, and hands its entry on.
    pub(super) fn find<T>(&self, key: u128, found: impl FnOnce(Entry<'_>) -> T) -> io::Result<Option<T>> {
        let Some(block) = self.firsts.partition_point(|first| *first <= key).checked_sub(1) else { return Ok(None) };
        let (start, end) = (self.starts[block], self.starts[block + 1]);
        let mut bytes = vec![0; (end - start) as usize];
        self.file.read_exact_at(&mut bytes, start)?;
        let mut rest = checked(&bytes)?;
        while !rest.is_empty() {
            let entry = take(&mut rest)?;
            if entry.key >= key {
                return Ok((entry.key == key).then(|| found(entry)));
            }
        }
        Ok(None)
    }

    /// True when the entry is a value that has not been forgotten.
    pub(super) fn shows(&self, entry: &Entry<'_>, frontier: Timestamp) -> bool {
        entry.value.is_some() && (entry.received_at >= frontier || self.frontier == frontier)
    }

    /// True when nothing in it shows any more.
    pub(super) fn is_forgotten(&self, frontier: Timestamp) -> bool {
        self.values == 0 || (self.latest < frontier && self.frontier < frontier)
    }

    /// Arrivals of what shows, each standing for so many entries. Exact for small files.
    pub(super) fn arrivals(&self, frontier: Timestamp) -> (&[Timestamp], usize) {
        let hidden = match self.frontier == frontier {
            true => 0,
            false => self.samples.partition_point(|sample| *sample < frontier),
        };
        (&self.samples[hidden..], self.values.div_ceil(self.samples.len().max(1)))
    }

    /// About how many values have been forgotten since it was written.
    pub(super) fn hidden(&self, frontier: Timestamp) -> usize {
        let (shown, weight) = self.arrivals(frontier);
        (self.samples.len() - shown.len()) * weight
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.filter.bytes() + self.firsts.len() * (size_of::<u128>() + size_of::<u64>())
    }

    pub(super) fn scan(&self) -> io::Result<Scan<'_>> {
        let mut scan = Scan { run: self, block: 0, piece: Vec::new(), at: 0, block_end: 0 };
        scan.settle()?;
        Ok(scan)
    }
}

/// Writes a file, in the order of keys.
pub(super) struct RunWriter {
    piece: Vec<u8>,
    block_start: usize,
    written: u64,
    stride: usize,
    run: Run,
}

impl RunWriter {
    /// Begins a file that is to hold at most so many keys.
    pub(super) fn new(file: File, keys_max: usize, frontier: Timestamp, level: u32) -> Self {
        let run = Run {
            file,
            filter: Filter::with_room(keys_max),
            firsts: Vec::new(),
            starts: vec![0],
            entries: 0,
            values: 0,
            samples: Vec::new(),
            latest: Timestamp::MIN,
            frontier,
            level,
        };
        let piece = Vec::with_capacity(PIECE_BYTES + 2 * BLOCK_BYTES);
        RunWriter { piece, block_start: 0, written: 0, stride: keys_max.div_ceil(SAMPLES_MAX).max(1), run }
    }

    /// Adds a value.
    pub(super) fn value(
        &mut self,
        key: u128,
        received_at: Timestamp,
        put: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<()> {
        if self.run.values.is_multiple_of(self.stride) {
            self.run.samples.push(received_at);
        }
        self.run.values += 1;
        self.run.latest = self.run.latest.max(received_at);
        self.begin(key, received_at, 0);
        let from = self.piece.len();
        put(&mut self.piece);
        let length = u32::try_from(self.piece.len() - from).ok().filter(|length| *length != REMOVED);
        let length = length.ok_or_else(|| io::Error::other("a value of 4 GiB"))?;
        self.piece[from - 4..from].copy_from_slice(&length.to_le_bytes());
        self.end()
    }

    /// Adds that a key was removed.
    pub(super) fn removed(&mut self, key: u128) -> io::Result<()> {
        self.begin(key, Timestamp::MIN, REMOVED);
        self.end()
    }

    fn begin(&mut self, key: u128, received_at: Timestamp, length: u32) {
        if self.piece.len() == self.block_start {
            self.run.firsts.push(key);
        }
        self.run.entries += 1;
        self.run.filter.insert(key);
        self.piece.extend_from_slice(&key.to_be_bytes());
        self.piece.extend_from_slice(&received_at.micros().to_le_bytes());
        self.piece.extend_from_slice(&length.to_le_bytes());
    }

    fn end(&mut self) -> io::Result<()> {
        if self.piece.len() - self.block_start >= BLOCK_BYTES {
            self.close_block();
        }
        if self.piece.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    fn close_block(&mut self) {
        let sum = checksum(&self.piece[self.block_start..]);
        self.piece.extend_from_slice(&sum);
        self.run.starts.push(self.written + self.piece.len() as u64);
        self.block_start = self.piece.len();
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.len() > self.block_start {
            self.close_block();
        }
        (&self.run.file).write_all(&self.piece)?;
        self.written += self.piece.len() as u64;
        self.piece.clear();
        self.block_start = 0;
        Ok(())
    }

    /// The finished file.
    pub(super) fn finish(mut self) -> io::Result<Run> {
        self.flush()?;
        self.run.samples.sort_unstable();
        self.run.firsts.shrink_to_fit();
        self.run.starts.shrink_to_fit();
        Ok(self.run)
    }
}

/// Goes through a file from its first entry to its last.
pub(super) struct Scan<'a> {
    pub(super) run: &'a Run,
    /// The block after the one it is in.
    block: usize,
    piece: Vec<u8>,
    /// The next entry within the piece, and where its block's entries end.
    at: usize,
    block_end: usize,
}

impl Scan<'_> {
    /// The entry it stands at; `None` after the last.
    pub(super) fn entry(&self) -> io::Result<Option<Entry<'_>>> {
        if self.at == self.block_end {
            return Ok(None);
        }
        take(&mut &self.piece[self.at..self.block_end]).map(Some)
    }

    /// Goes to the next entry.
    pub(super) fn advance(&mut self) -> io::Result<()> {
        let length = self.entry()?.map_or(0, |entry| HEADER_BYTES + entry.value.map_or(0, <[u8]>::len));
        self.at += length;
        self.settle()
    }

    /// Enters the next block when this one is at its end.
    fn settle(&mut self) -> io::Result<()> {
        if self.at < self.block_end || self.block == self.run.firsts.len() {
            return Ok(());
        }
        let starts = &self.run.starts;
        let mut start = if self.block_end == 0 { 0 } else { self.block_end + CHECKSUM_BYTES };
        if start == self.piece.len() {
            let from = starts[self.block];
            let blocks = starts[self.block + 1..].partition_point(|end| *end <= from + PIECE_BYTES as u64).max(1);
            self.piece.resize((starts[self.block + blocks] - from) as usize, 0);
            self.run.file.read_exact_at(&mut self.piece, from)?;
            start = 0;
        }
        let length = (starts[self.block + 1] - starts[self.block]) as usize;
        let entries = checked(&self.piece[start..start + length])?.len();
        (self.at, self.block_end) = (start, start + entries);
        self.block += 1;
        Ok(())
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a file is damaged ({what}); start the service again"))
}

/// Recognises a block. No other process reads it, so any hash will do.
fn checksum(entries: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = DefaultHasher::new();
    hasher.write(entries);
    hasher.finish().to_le_bytes()
}

/// The entries of a block, once its checksum is found right.
fn checked(block: &[u8]) -> io::Result<&[u8]> {
    let (entries, sum) =
        block.split_last_chunk::<CHECKSUM_BYTES>().ok_or_else(|| damaged("a block without a checksum"))?;
    if checksum(entries) != *sum {
        return Err(damaged("its checksum is wrong"));
    }
    Ok(entries)
}

/// Takes the first of some entries.
fn take<'a>(rest: &mut &'a [u8]) -> io::Result<Entry<'a>> {
    let truncated = || damaged("an entry is cut off");
    let (key, after) = rest.split_first_chunk().ok_or_else(truncated)?;
    let (received_at, after) = after.split_first_chunk().ok_or_else(truncated)?;
    let (length, after) = after.split_first_chunk().ok_or_else(truncated)?;
    let length = u32::from_le_bytes(*length);
    let (value, after) = match length {
        REMOVED => (None, after),
        length => {
            let (value, after) = after.split_at_checked(length as usize).ok_or_else(truncated)?;
            (Some(value), after)
        }
    };
    *rest = after;
    let received_at = Timestamp::from_micros(i64::from_le_bytes(*received_at));
    Ok(Entry { key: u128::from_be_bytes(*key), received_at, value })
}
