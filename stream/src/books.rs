//! The books of one stage on one source partition: transaction number, positions, lineage in and out, counts.
//!
//! Kept by the runtime, written to the changelog and to `spend.ledger` in every transaction, undone with it. A stage
//! only says what it counts; sequences, gaps and sums are looked after here.

mod open;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use schemas::codec::Format;
use schemas::wire::{Reader, Wire, put_long};
use schemas::{Batch, BatchItem, Count, CurrencySum, LedgerEntry, Lineage, Money, Received, Sent, Text, Timestamp};

use crate::processor::{Halt, OutRecord, Output, Record, Source, Tick};

pub use open::Opened;

/// Format of batches this release writes, and the newest it reads.
pub const BATCH_FORMAT: i32 = 1;

/// Largest batch: leaves room under Kafka's default limit of one megabyte a record.
pub const BATCH_BYTES_MAX: usize = 512 * 1024;

/// A raw partition's watermark stays this far behind the latest arrival: what arrives beneath it only restates windows.
pub const WATERMARK_BEHIND_SECONDS: i64 = 30;

/// Header of a batch's record: when the latest of what went into it had arrived on its raw topic, in microseconds since 1970, big-endian.
const ARRIVED: &str = "spend-arrived";

/// Key of the books in a changelog. No stage's own key begins with a zero byte.
pub const BOOKS_KEY: &[u8] = b"\0books";

#[derive(Debug, Clone, Default)]
struct Pages {
    transaction: i64,
    next_offset: Option<i64>,
    counts: BTreeMap<Text, (i64, Vec<CurrencySum>)>,
    received: BTreeMap<(Text, i32), Received>,
    sent: BTreeMap<(Text, i32), Sent>,
    watermark: Option<Timestamp>,
}

/// True when a record of an internal topic is a batch without items. Whoever cannot tell is told false.
pub(crate) fn is_heartbeat(payload: &[u8]) -> bool {
    let mut from = Reader::new(schemas::codec::datum(payload));
    Lineage::get(&mut from).is_ok() && from.long() == Ok(0) && from.finish().is_ok()
}

/// The books of one stage on one source partition.
#[derive(Debug)]
pub struct Books {
    stage: &'static str,
    source: Source,
    now: Pages,
    committed: Pages,
    /// First offset of the open transaction.
    from: Option<i64>,
    /// When the latest of what was taken so far had arrived, where batches said so.
    arrived: Option<Timestamp>,
}

/// Adds an amount to a list of sums by currency.
///
/// # Errors
/// When the sum leaves 38 digits.
pub fn add_money(sums: &mut Vec<CurrencySum>, currency: &Text, amount: Money) -> Result<(), Halt> {
    let overflow = |_| Halt::State(format!("a sum of {currency} needs more than 38 digits"));
    match sums.iter_mut().find(|sum| sum.currency == *currency) {
        Some(sum) => sum.amount.accrue(amount).map_err(overflow),
        None => {
            sums.push(CurrencySum { currency: currency.clone(), amount });
            sums.sort_by(|a, b| a.currency.cmp(&b.currency));
            Ok(())
        }
    }
}

impl Books {
    /// Empty books.
    pub fn new(stage: &'static str, source: Source) -> Self {
        Books { stage, source, now: Pages::default(), committed: Pages::default(), from: None, arrived: None }
    }

    /// Books as an entry of the changelog left them.
    pub fn restore(&mut self, entry: LedgerEntry) {
        let pages = Pages {
            transaction: entry.transaction,
            next_offset: Some(entry.next_offset),
            counts: entry.counts.into_iter().map(|count| (count.name, (count.count, count.money))).collect(),
            sent: entry.sent.into_iter().map(|sent| ((sent.topic.clone(), sent.partition), sent)).collect(),
            watermark: Some(entry.watermark),
            received: entry
                .received
                .into_iter()
                .map(|row| ((row.source_topic.clone(), row.source_partition), row))
                .collect(),
        };
        self.committed = pages.clone();
        self.now = pages;
        self.from = None;
    }

    /// The source partition.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Number of the last transaction, committed or open.
    pub fn transaction(&self) -> i64 {
        self.now.transaction
    }

    /// Number of the last committed transaction.
    pub fn committed_transaction(&self) -> i64 {
        self.committed.transaction
    }

    /// Offset to read next; `None` before the first transaction.
    pub fn next_offset(&self) -> Option<i64> {
        self.now.next_offset
    }

    /// Notes that the records in `[from, to)` were taken. Called by the runtime.
    pub fn advance(&mut self, from: i64, to: i64) {
        self.from.get_or_insert(from);
        self.now.next_offset = Some(to);
    }

    /// Adds to a named count.
    pub fn count(&mut self, name: &str, by: i64) {
        if by != 0 {
            match self.now.counts.get_mut(name) {
                Some((count, _)) => *count += by,
                None => {
                    self.now.counts.insert(name.into(), (by, Vec::new()));
                }
            }
        }
    }

    /// Adds to a named count and to the money that goes with it.
    ///
    /// # Errors
    /// When the sum leaves 38 digits.
    pub fn count_money(&mut self, name: &str, by: i64, currency: &Text, amount: Money) -> Result<(), Halt> {
        // Nearly always there already: then no text is made.
        let (count, money) = match self.now.counts.get_mut(name) {
            Some(page) => page,
            None => self.now.counts.entry(name.into()).or_default(),
        };
        *count += by;
        add_money(money, currency, amount)
    }

    /// A named count so far.
    pub fn counted(&self, name: &str) -> i64 {
        self.now.counts.get(name).map_or(0, |(count, _)| *count)
    }

    /// The least watermark over every source partition; [`Timestamp::MIN`] until all of them were heard.
    pub fn watermark(&self) -> Timestamp {
        let mut least: Option<Timestamp> = None;
        let mut heard: BTreeMap<&Text, (i32, i32)> = BTreeMap::new();
        for ((topic, _), page) in self.now.received.iter().filter(|(_, page)| !page.ended) {
            let (count, partitions) = heard.entry(topic).or_default();
            *count += 1;
            *partitions = (*partitions).max(page.source_partitions);
            least = Some(least.map_or(page.watermark, |least| least.min(page.watermark)));
        }
        if heard.values().any(|(count, partitions)| count < partitions) {
            return self.now.watermark.unwrap_or(Timestamp::MIN);
        }
        // Never backwards, also when a source appears that is behind.
        least.unwrap_or(Timestamp::MIN).max(self.now.watermark.unwrap_or(Timestamp::MIN))
    }

    /// When the latest of what was taken had arrived on its raw topic; `None` where that is not known. Watermarks would not do: the one of
    /// a source is the least of its own sources, and one of these that is idle tells its watermark every ten seconds.
    pub(crate) fn arrived(&self) -> Option<Timestamp> {
        let raw = self.now.watermark.filter(|watermark| self.now.received.is_empty() && *watermark > Timestamp::MIN);
        self.arrived.or(raw.map(|watermark| watermark.plus_seconds(WATERMARK_BEHIND_SECONDS)))
    }

    /// Notes what a batch's record says of the arrival of what is in it.
    fn note_arrival(&mut self, record: &Record<'_>) {
        let micros = record.header(ARRIVED).and_then(|value| value.try_into().ok()).map(i64::from_be_bytes);
        self.arrived = self.arrived.max(micros.map(Timestamp::from_micros));
    }

    /// From now on these topics have this many partitions: nothing more is expected of sources beyond.
    pub(crate) fn end_sources(&mut self, topics: &[String], partitions: u32) {
        for ((topic, partition), page) in &mut self.now.received {
            if *partition >= partitions as i32 && topics.iter().any(|named| *topic == **named) {
                page.ended = true;
            }
        }
    }

    /// Sets the watermark of a stage that reads raw records and so has no headers to take it from. Never backwards.
    pub fn set_watermark(&mut self, watermark: Timestamp) {
        self.now.watermark = Some(watermark.max(self.now.watermark.unwrap_or(Timestamp::MIN)));
    }

    /// The header of the next batch to a target, which is booked as sent.
    fn header(&mut self, topic: &str, partition: u32, items: i64, money: &[CurrencySum]) -> Result<Lineage, Halt> {
        let to = self.now.next_offset.unwrap_or(0);
        let watermark = self.watermark();
        let sent = self.now.sent.entry((topic.into(), partition as i32)).or_insert_with(|| Sent {
            topic: topic.into(),
            partition: partition as i32,
            sequence: -1,
            items: 0,
            money: Vec::new(),
        });
        sent.sequence += 1;
        sent.items += items;
        for sum in money {
            add_money(&mut sent.money, &sum.currency, sum.amount)?;
        }
        Ok(Lineage {
            format: BATCH_FORMAT,
            source_topic: Text::from(&*self.source.topic),
            source_partition: self.source.partition as i32,
            source_partitions: self.source.partitions as i32,
            generation: self.source.generation,
            sequence: sent.sequence,
            source_from: self.from.unwrap_or(to),
            source_to: to,
            watermark,
            items_total: sent.items,
            money_total: sent.money.clone(),
            ends_generation: false,
        })
    }

    /// Opens the next transaction: numbers it and gives its entry. Called by the runtime after `finish`.
    pub fn close(&mut self, now: Timestamp) -> LedgerEntry {
        self.now.transaction += 1;
        self.now.watermark = Some(self.watermark());
        self.entry(now)
    }

    /// The books as an entry of the ledger.
    pub fn entry(&self, now: Timestamp) -> LedgerEntry {
        let pages = &self.now;
        LedgerEntry {
            stage: self.stage.into(),
            topic: Text::from(&*self.source.topic),
            partition: self.source.partition as i32,
            transaction: pages.transaction,
            next_offset: pages.next_offset.unwrap_or(0),
            counts: pages
                .counts
                .iter()
                .map(|(name, (count, money))| Count { name: name.clone(), count: *count, money: money.clone() })
                .collect(),
            received: pages.received.values().cloned().collect(),
            sent: pages.sent.values().cloned().collect(),
            watermark: pages.watermark.unwrap_or(Timestamp::MIN),
            emitted_at: now,
        }
    }

    /// True when the open transaction took or sent items, or upserts, which are no batches and have a key: heartbeats do
    /// neither.
    pub(crate) fn moved(&self, output: &Output) -> bool {
        let taken = |pages: &Pages| pages.received.values().map(|row| row.items_counted).sum::<i64>();
        let sent = |pages: &Pages| pages.sent.values().map(|sent| sent.items).sum::<i64>();
        // Raw records come without headers, so there are no heartbeats among them.
        let raw = self.now.received.is_empty() && self.now.next_offset != self.committed.next_offset;
        let upserts = output.records.iter().any(|record| record.key.is_some());
        raw || upserts || taken(&self.now) != taken(&self.committed) || sent(&self.now) != sent(&self.committed)
    }

    /// The transaction is committed.
    pub fn promote(&mut self) {
        self.committed = self.now.clone();
        self.from = None;
    }

    /// The transaction is aborted.
    pub fn undo(&mut self) {
        self.now = self.committed.clone();
        self.from = None;
    }
}

/// Packs items into batches, one buffer per target partition, encoded as they are pushed.
#[derive(Debug)]
pub struct BatchWriter<T: BatchItem> {
    topic: Arc<str>,
    format: Format<Batch<T>>,
    open: Vec<Chunk>,
    full: Vec<(u32, Chunk)>,
    heartbeat_at: Timestamp,
    watermarked: bool,
    beats: bool,
    /// The one partition written to, where it is the source's own.
    own: Option<u32>,
    /// Batches that were given out, to be filled again once nobody else holds them: a new buffer for each would be copied
    /// as it grows, into fresh pages.
    given: Vec<Bytes>,
}

#[derive(Debug, Default)]
struct Chunk {
    /// Room for the header, then the items; empty while there are none.
    bytes: Vec<u8>,
    items: i64,
    money: Vec<CurrencySum>,
}

/// Room that is left in front of items for their header, which is made after them. One that is larger is put there all the
/// same, for the price of moving them.
const HEADER_BYTES: usize = 512;

/// Buffers kept to be filled again, of half a megabyte as a rule: about as many as two partitions fill each that share a
/// transaction behind a backlog.
const GIVEN_MAX: usize = 8;

/// Idle sources send header-only batches this often, so that watermarks and the ledger move on.
const HEARTBEAT_SECONDS: i64 = 1;

impl<T: BatchItem> BatchWriter<T> {
    /// A writer for a topic with this many partitions.
    pub fn new(topic: &str, partitions: u32) -> Self {
        let open = (0..partitions).map(|_| Chunk::default()).collect();
        BatchWriter {
            topic: topic.into(),
            format: Format::new(),
            open,
            full: Vec::new(),
            heartbeat_at: Timestamp::MIN,
            watermarked: true,
            beats: true,
            own: None,
            given: Vec::new(),
        }
    }

    /// For side channels (enrich sending a copy on to another key): batches neither hold the watermark back nor beat.
    pub fn without_watermark(self) -> Self {
        BatchWriter { watermarked: false, ..self.without_heartbeats() }
    }

    /// For topics whose readers wait for no watermark, as tables do not: idle partitions get nothing.
    pub fn without_heartbeats(mut self) -> Self {
        self.beats = false;
        self
    }

    /// For a topic partitioned as the source is, whose records stay in their partition: no other partition gets a
    /// heartbeat, and a reader of this one waits for no other source.
    pub fn within_partition(mut self, partition: u32) -> Self {
        self.own = Some(partition);
        self
    }

    /// Partitions of the target.
    pub fn partitions(&self) -> u32 {
        self.open.len() as u32
    }

    /// Adds an item for a partition.
    ///
    /// # Errors
    /// When the money of one batch leaves 38 digits.
    pub fn push(&mut self, partition: u32, item: &T) -> Result<(), Halt> {
        self.add(partition, item.money(), |bytes| item.put(bytes))
    }

    /// Adds an item that is encoded already, with the money it carries.
    ///
    /// # Errors
    /// When the money of one batch leaves 38 digits.
    pub fn push_encoded(&mut self, partition: u32, item: &[u8], money: Option<(&Text, Money)>) -> Result<(), Halt> {
        self.add(partition, money, |bytes| bytes.extend_from_slice(item))
    }

    fn add(
        &mut self,
        partition: u32,
        money: Option<(&Text, Money)>,
        put: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Halt> {
        if self.open[partition as usize].items == 0 {
            self.open[partition as usize].bytes = self.buffer();
        }
        let chunk = &mut self.open[partition as usize];
        put(&mut chunk.bytes);
        chunk.items += 1;
        if let Some((currency, amount)) = money {
            add_money(&mut chunk.money, currency, amount)?;
        }
        if chunk.bytes.len() > HEADER_BYTES + BATCH_BYTES_MAX && chunk.items > 1 {
            // The item that went over the bound stays: one item is bounded by ingest, far below the record limit.
            self.full.push((partition, std::mem::take(chunk)));
        }
        Ok(())
    }

    /// A buffer with room for a header: one that was given out and came back, or a new one.
    fn buffer(&mut self) -> Vec<u8> {
        let back = self.given.iter().position(Bytes::is_unique);
        let back = back.and_then(|at| self.given.swap_remove(at).try_into_mut().ok());
        let mut bytes = back.map_or_else(Vec::new, Vec::from);
        bytes.clear();
        bytes.resize(HEADER_BYTES, 0);
        bytes
    }

    /// Writes everything out, and a heartbeat to partitions that got nothing for a second.
    ///
    /// # Errors
    /// When a cumulative sum leaves 38 digits.
    pub fn finish(&mut self, tick: &Tick, books: &mut Books, out: &mut Output) -> Result<(), Halt> {
        let due = tick.now.micros_since(self.heartbeat_at) >= HEARTBEAT_SECONDS * 1_000_000;
        if due {
            self.heartbeat_at = tick.now;
            // Whoever has no more to write needs them no more.
            self.given.pop();
        }
        let beat = self.beats && due;
        for (partition, chunk) in std::mem::take(&mut self.full) {
            self.write(partition, chunk, books, out)?;
        }
        for partition in 0..self.partitions() {
            let chunk = std::mem::take(&mut self.open[partition as usize]);
            if chunk.items > 0 || (beat && self.own.is_none_or(|own| own == partition)) {
                self.write(partition, chunk, books, out)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, partition: u32, chunk: Chunk, books: &mut Books, out: &mut Output) -> Result<(), Halt> {
        let mut lineage = books.header(&self.topic, partition, chunk.items, &chunk.money)?;
        if self.own.is_some() {
            lineage.source_partitions = 1;
        }
        if !self.watermarked {
            lineage.watermark = Timestamp::MAX;
            lineage.source_partitions = 0;
        }
        let mut header = Vec::with_capacity(HEADER_BYTES);
        self.format.put_header(&mut header);
        lineage.put(&mut header);
        if chunk.items > 0 {
            put_long(&mut header, chunk.items);
        }
        let payload = behind(&header, chunk.bytes);
        let mut headers = Vec::new();
        if chunk.items > 0 {
            let arrived = books.arrived().map(|at| Bytes::copy_from_slice(&at.micros().to_be_bytes()));
            headers.extend(arrived.map(|at| (ARRIVED.to_owned(), at)));
            if self.given.len() < GIVEN_MAX {
                self.given.push(payload.clone());
            }
        }
        out.records.push(OutRecord {
            topic: self.topic.clone(),
            partition,
            key: None,
            payload: Some(payload),
            headers,
            timestamp: None,
        });
        Ok(())
    }

    /// Forgets what was pushed since the last `finish`: the transaction was aborted.
    pub fn undo(&mut self) {
        self.open.iter_mut().for_each(|chunk| *chunk = Chunk::default());
        self.full.clear();
    }
}

/// A batch: its header in front of its items, in the room that was left for it.
fn behind(header: &[u8], mut items: Vec<u8>) -> Bytes {
    let room = items.len().min(HEADER_BYTES);
    let from = room.saturating_sub(header.len());
    items.splice(from..room, header.iter().copied());
    items.push(0);
    Bytes::from(items).slice(from..)
}

#[cfg(test)]
mod tests {
    use schemas::{EventItem, fixture};

    use super::*;

    fn source(topic: &str) -> Source {
        Source {
            topic: topic.into(),
            partition: 0,
            partitions: 1,
            generation: 1,
            targets: Arc::default(),
            again: crate::Again::default(),
        }
    }

    #[test]
    fn a_buffer_is_filled_again_once_its_batch_is_let_go_of_and_never_before() {
        let (mut books, mut writer) = (Books::new("ingest", source("usage.raw")), BatchWriter::new("usage.events", 1));
        let tick = Tick { now: Timestamp::from_millis(1), caught_up: false, hurry: false, skips: Arc::default() };
        let items = fixture::event_batch().items;
        let mut write = |items: &[EventItem]| {
            let mut out = Output::default();
            items.iter().for_each(|item| writer.push(0, item).unwrap());
            writer.finish(&tick, &mut books, &mut out).unwrap();
            out.records.remove(0).payload.unwrap()
        };
        let read = |payload: &[u8]| Format::<Batch<EventItem>>::new().decode(payload).unwrap().items;
        let (first, second) = (write(&items), write(&items[1..]));
        assert_eq!((read(&first), read(&second)), (items.clone(), items[1..].to_vec()));
        let end = first.as_ptr_range().end;
        drop(first);
        let third = write(&items);
        assert_eq!((read(&second), read(&third)), (items[1..].to_vec(), items.clone()));
        assert_eq!(third.as_ptr_range().end, end);
    }

    #[test]
    fn buffers_are_kept_for_a_backlog_and_let_go_of_when_there_is_no_more() {
        let partitions = 3 * GIVEN_MAX as u32;
        let mut books = Books::new("ingest", source("usage.raw"));
        let mut writer = BatchWriter::new("usage.events", partitions);
        let item = fixture::event_batch().items.remove(0);
        let mut now = Timestamp::from_millis(1);
        let mut finish = |writer: &mut BatchWriter<EventItem>| {
            now = now.plus_seconds(HEARTBEAT_SECONDS);
            let tick = Tick { now, caught_up: false, hurry: false, skips: Arc::default() };
            let mut out = Output::default();
            writer.finish(&tick, &mut books, &mut out).unwrap();
            out.records.len()
        };
        (0..partitions).for_each(|partition| writer.push(partition, &item).unwrap());
        assert_eq!(finish(&mut writer), partitions as usize);
        assert_eq!(writer.given.len(), GIVEN_MAX);
        for _ in 0..GIVEN_MAX {
            finish(&mut writer);
        }
        assert!(writer.given.is_empty());
    }

    #[test]
    fn a_header_that_needs_more_room_than_was_left_moves_the_items() {
        for length in [0, 1, HEADER_BYTES, HEADER_BYTES + 1, 3 * HEADER_BYTES] {
            let (header, items) = (vec![7; length], [vec![0; HEADER_BYTES], vec![1, 2]].concat());
            assert_eq!(behind(&header, items), [&header[..], &[1, 2, 0]].concat());
            assert_eq!(behind(&header, Vec::new()), [&header[..], &[0]].concat());
        }
    }

    fn received(partition: i32, watermark: Timestamp) -> Received {
        Received {
            source_topic: "usage.events".into(),
            source_partition: partition,
            source_partitions: 2,
            generation: 1,
            sequence: 0,
            items_claimed: 0,
            items_counted: 0,
            money_claimed: Vec::new(),
            money_counted: Vec::new(),
            skipped: 0,
            watermark,
            ended: false,
        }
    }

    #[test]
    fn the_least_watermark_of_any_source_decides_what_is_final() {
        let mut books = Books::new("combine", source("usage.charges"));
        assert_eq!(books.watermark(), Timestamp::MIN);
        let (early, late) = (Timestamp::from_millis(1_000), Timestamp::from_millis(2_000));
        // A side channel has no watermark of its own.
        let heard = vec![received(0, late), received(1, early), received(2, Timestamp::MAX)];
        books.restore(LedgerEntry { received: heard, watermark: Timestamp::MIN, ..books.entry(late) });
        assert_eq!((books.watermark(), books.arrived()), (early, None));
    }

    #[test]
    fn a_batch_says_when_the_latest_of_what_went_into_it_arrived_and_a_heartbeat_says_nothing() {
        let tick = Tick { now: Timestamp::from_millis(1), caught_up: false, hurry: false, skips: Arc::default() };
        let early = Timestamp::from_millis(1_000_000);
        let late = early.plus_seconds(5);
        let sent = |partition, arrived: Timestamp, items: &[EventItem]| {
            let mut raw = Books::new("ingest", Source { partition, ..source("usage.raw") });
            assert_eq!(raw.arrived(), None, "nothing is known yet");
            raw.set_watermark(arrived.plus_seconds(-WATERMARK_BEHIND_SECONDS));
            let (mut writer, mut out) = (BatchWriter::new("usage.events", 1), Output::default());
            items.iter().for_each(|item| writer.push(0, item).unwrap());
            writer.finish(&tick, &mut raw, &mut out).unwrap();
            out.records.remove(0)
        };
        let mut books = Books::new("enrich", source("usage.events"));
        let mut open = |batch: &OutRecord| {
            let headers = batch.headers.iter().map(|(name, value)| (&**name, &value[..])).collect();
            let record =
                Record { offset: 0, timestamp: tick.now, key: None, payload: batch.payload.as_deref(), headers };
            assert!(books.open::<EventItem>(&Format::new(), &record, &tick).unwrap().is_some());
            books.arrived()
        };
        let items = fixture::event_batch().items;
        assert_eq!(open(&sent(0, late, &[])), None);
        assert_eq!(open(&sent(1, early, &items)), Some(early));
        assert_eq!(open(&sent(2, late, &items)), Some(late));
        assert_eq!(open(&sent(3, early, &items)), Some(late), "another source is behind");
        assert_eq!(open(&OutRecord { headers: Vec::new(), ..sent(4, early, &items) }), Some(late), "an older release");
    }
}
