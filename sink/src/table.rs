//! A table that takes records and writes them exactly once: what the runtime drives.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arrow::array::AsArray;
use arrow::datatypes::{Date32Type, SchemaRef};
use rayon::prelude::*;
use schemas::{Id128, Lineage, Skip, Text, Timestamp};
use stream::{Halt, Record, Table, Write};

use crate::chunk::Chunk;
use crate::column::{self, Column};
use crate::flush::{Flush, Held};
use crate::lake::{Lake, LakeConfig};
use crate::log::{Move, TableLog};
use crate::metrics::TableMetrics;
use crate::rows::{Origin, Row, Rows, SourceBatch, all_columns};

/// Rows kept as they were decoded before they become Arrow columns. Fewer cost more per row, more take more memory.
const PENDING_ROWS: usize = 1024;

/// Positions alone (heartbeats, no rows) are committed this often, so that an idle table's log does not grow.
const POSITION_AGE_SECONDS: i64 = 3600;

/// A table of the lake that takes records.
pub struct LakeTable<R: Rows> {
    rows: R,
    lake: Lake,
    /// Shared with the flush that is on its way.
    log: Arc<Mutex<TableLog>>,
    columns: Vec<Column<Row<R::Item>>>,
    schema: SchemaRef,
    buffers: BTreeMap<u32, Buffer<R::Item>>,
    bytes_max: usize,
    age_max_micros: i64,
    /// When [`Table::due`] first saw rows, and first saw a position alone.
    rows_since: Cell<Option<Timestamp>>,
    moved_since: Cell<Option<Timestamp>>,
    /// Names this writer's files: no two writers share it.
    writer: String,
    flushes: u64,
    metrics: TableMetrics,
    /// Bytes of the flush that is on its way.
    writing: Arc<AtomicUsize>,
    /// Waiting bytes that the metrics know of.
    counted: usize,
    /// Orders of operators.
    orders: Arc<Vec<Skip>>,
    /// Which topic of the name its records come from, where that is known.
    topic: Option<i64>,
    /// Partitions of which the table holds another topic, and what to say of it.
    foreign: BTreeMap<u32, Halt>,
}

/// What waits of one partition.
struct Buffer<T> {
    /// Where the table stands.
    from: Option<i64>,
    /// Where it will stand. `None` while it has nothing, and while it stands in another topic and begins this one.
    to: Option<i64>,
    pending: Vec<Row<T>>,
    /// Where the newest row of a key is among the pending.
    newest: HashMap<Id128, usize>,
    chunks: Vec<Chunk>,
    bytes: usize,
    /// Last sequence of each source.
    sources: HashMap<(Text, i32), i64>,
}

impl<T> Buffer<T> {
    fn starting_at(from: Option<i64>) -> Self {
        let (pending, newest, chunks) = (Vec::new(), HashMap::new(), Vec::new());
        Buffer { from, to: from, pending, newest, chunks, bytes: 0, sources: HashMap::new() }
    }

    /// One that begins a topic, whatever the table has of another one of the name.
    fn beginning(from: Option<i64>) -> Self {
        Buffer { to: None, ..Self::starting_at(from) }
    }

    fn has_moved(&self) -> bool {
        self.to.is_some() && self.to != self.from
    }

    fn has_rows(&self) -> bool {
        !self.pending.is_empty() || !self.chunks.is_empty()
    }
}

impl<R: Rows> std::fmt::Debug for LakeTable<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "table {} of {}", R::TABLE, self.lake.address())
    }
}

impl<R: Rows> LakeTable<R> {
    /// Opens the table, or creates it.
    ///
    /// # Errors
    /// When the lake cannot be reached, or holds a table of this name with other column types.
    pub fn open(lake: &Lake, config: &LakeConfig) -> anyhow::Result<Self> {
        let columns = all_columns::<R>();
        let schema = column::schema(&columns);
        let comments: Vec<String> = columns.iter().map(Column::comment).collect();
        let metrics = lake.metrics().table(R::TABLE);
        let log = TableLog::new(lake.table(R::TABLE)?, R::TABLE, R::TOPIC, metrics.clone());
        let log = lake.told(lake.wait_for(R::TABLE, log.open(R::ABOUT, &schema, &comments)))?;
        Ok(LakeTable {
            rows: R::new(),
            lake: lake.clone(),
            log: Arc::new(Mutex::new(log)),
            columns,
            schema,
            buffers: BTreeMap::new(),
            bytes_max: config.lake_buffer_bytes,
            age_max_micros: i64::try_from(config.lake_file_age.as_micros()).unwrap_or(i64::MAX),
            rows_since: Cell::new(None),
            moved_since: Cell::new(None),
            writer: uuid::Uuid::new_v4().simple().to_string(),
            flushes: 0,
            metrics,
            writing: Arc::default(),
            counted: 0,
            orders: Arc::default(),
            topic: None,
            foreign: BTreeMap::new(),
        })
    }

    /// How a partition goes on that the table has to `position`, of the topic of this number where it says so.
    fn goes_on(&self, partition: u32, position: Option<i64>, topic: Option<i64>) -> Result<Buffer<R::Item>, Halt> {
        let (Some(position), Some(ours)) = (position, self.topic) else { return Ok(Buffer::starting_at(position)) };
        if topic == Some(ours) {
            return Ok(Buffer::starting_at(Some(position)));
        }
        // One order does for the topic, whichever of its partitions it names.
        let ordered = |skip: &Skip| {
            let source = skip.source_partition.unwrap_or_default();
            skip.stage == R::TABLE && skip.topic == R::TOPIC && skip.accepts(R::TOPIC, source, ours)
        };
        match topic {
            _ if self.orders.iter().any(ordered) => Ok(Buffer::beginning(Some(position))),
            // Earlier releases did not say.
            None => Ok(Buffer::starting_at(Some(position))),
            Some(_) => Err(Halt::Unfounded {
                why: format!(
                    "{topic} was deleted and created again, or this lake was filled from another cluster or data folder: the table {table} \
                     has {topic}/{partition} up to offset {position}, and would take other records for these. Bring the old one back, \
                     or choose another --lake. Where the topic was made anew on purpose, add its records from the first to the table \
                     (one order does for all partitions)",
                    topic = R::TOPIC,
                    table = R::TABLE,
                ),
                source_topic: R::TOPIC.to_owned(),
                source_partition: partition as i32,
                sequence: ours,
            }),
        }
    }

    /// Takes the records apart and checks their lineage, changing nothing yet.
    #[expect(clippy::type_complexity, reason = "two results of one pass, used once")]
    fn take_apart(
        &self,
        partition: u32,
        records: &[Record<'_>],
    ) -> Result<(Vec<Row<R::Item>>, HashMap<(Text, i32), i64>, usize), Halt> {
        let buffer = self.buffers.get(&partition).ok_or_else(|| {
            Halt::State(format!("partition {partition} of {} is not assigned to the table {}", R::TOPIC, R::TABLE))
        })?;
        let rows = &self.rows;
        let taken: Vec<_> = records.par_iter().map(|record| rows.decode(record)).collect();
        let mut seen = HashMap::new();
        let mut rows = Vec::new();
        let mut bytes = 0;
        for (record, decoded) in records.iter().zip(taken) {
            let offset = record.offset;
            if buffer.to.is_some_and(|to| offset < to) {
                let to = buffer.to.unwrap_or_default();
                return Err(Halt::State(format!(
                    "record {offset} of {}/{partition} came to the table {} again, which has everything before {to}",
                    R::TOPIC,
                    R::TABLE
                )));
            }
            let decoded = decoded.map_err(|error| Halt::Undecodable { offset, error })?;
            let mut source = None;
            if let Some(lineage) = &decoded.lineage {
                let ordered = || {
                    let ours = |skip: &&Skip| skip.is_for(R::TABLE, R::TOPIC, partition);
                    let Lineage { source_topic, source_partition, sequence, .. } = lineage;
                    self.orders.iter().filter(ours).any(|skip| skip.accepts(source_topic, *source_partition, *sequence))
                };
                if !is_next(&buffer.sources, &mut seen, lineage, ordered, offset)? {
                    continue;
                }
                source = Some(Arc::new(SourceBatch::from(lineage)));
            }
            bytes += record.payload.map_or(0, <[u8]>::len);
            rows.extend(decoded.items.into_iter().enumerate().map(|(index, item)| {
                let (partition, item_index) = (partition as i32, index as i32);
                Row { item, origin: Origin { partition, offset, item: item_index, source: source.clone() } }
            }));
        }
        Ok((rows, seen, bytes))
    }

    /// Turns pending rows into columns.
    fn settle(columns: &[Column<Row<R::Item>>], buffer: &mut Buffer<R::Item>) {
        if buffer.pending.is_empty() {
            return;
        }
        let came: Vec<&Row<R::Item>> = buffer.pending.iter().collect();
        // A day's rows side by side: a file is gathered from every chunk.
        let days = columns[0].filled(&came);
        let mut rows: Vec<_> = days.as_primitive::<Date32Type>().values().iter().zip(came).collect();
        rows.sort_by_key(|(day, _)| **day);
        let rows: Vec<&Row<R::Item>> = rows.into_iter().map(|(_, row)| row).collect();
        let chunk = Chunk::new(columns, &rows);
        // Letting go of rows takes as long as some columns do.
        buffer.pending.par_drain(..).for_each(drop);
        buffer.newest.clear();
        buffer.chunks.push(chunk);
        buffer.bytes = buffer.chunks.iter().map(Chunk::bytes).sum();
    }

    /// Takes the buffers out, and lets new ones begin where they end. `None` where nothing has moved.
    fn take_out(&mut self, now: Timestamp) -> Option<Flush> {
        let moves: Vec<Move> = self
            .buffers
            .iter()
            .filter(|(_, buffer)| buffer.has_moved())
            .filter_map(|(partition, buffer)| Some(Move { partition: *partition, from: buffer.from, to: buffer.to? }))
            .collect();
        // The first range stands for all of them in the files' names: the commit lists every one.
        let first = moves.first()?;
        self.flushes += 1;
        let name = format!(
            "{}-{:04}-{:020}-{:020}+{}-{}-{:06}",
            R::TOPIC,
            first.partition,
            first.from.unwrap_or(0),
            first.to,
            moves.len() - 1,
            self.writer,
            self.flushes
        );
        let (began, written_at) = (Instant::now(), stream::now());
        let mut chunks = Vec::new();
        for buffer in self.buffers.values_mut() {
            Self::settle(&self.columns, buffer);
            chunks.append(&mut buffer.chunks);
            let mut next =
                if buffer.to.is_some() { Buffer::starting_at(buffer.to) } else { Buffer::beginning(buffer.from) };
            next.sources = std::mem::take(&mut buffer.sources);
            *buffer = next;
        }
        let held = Held::new(chunks.iter().map(Chunk::bytes).sum(), &self.writing, &self.metrics);
        self.count();
        let (lake, log, schema, metrics) =
            (self.lake.clone(), self.log.clone(), self.schema.clone(), self.metrics.clone());
        Some(Flush { lake, log, schema, chunks, moves, name, began, written_at, now, metrics, held })
    }

    /// Bytes that wait for a flush.
    fn waiting(&self) -> usize {
        self.buffers.values().map(|buffer| buffer.bytes).sum()
    }

    /// Tells how many bytes wait.
    fn count(&mut self) {
        let waiting = self.waiting();
        self.metrics.held(waiting, self.counted);
        self.counted = waiting;
    }
}

/// True when the batch is the next of its source, or an operator has ordered to go on with it; false when it was seen before.
fn is_next(
    known: &HashMap<(Text, i32), i64>,
    seen: &mut HashMap<(Text, i32), i64>,
    lineage: &Lineage,
    ordered: impl Fn() -> bool,
    offset: i64,
) -> Result<bool, Halt> {
    let source = (lineage.source_topic.clone(), lineage.source_partition);
    // The first batch of a source after an assignment sets the mark: everything before it is in the table, because
    // offsets say so.
    if let Some(expected) = seen.get(&source).or_else(|| known.get(&source)).map(|sequence| sequence + 1) {
        if lineage.sequence < expected {
            return Ok(false);
        }
        if lineage.sequence != expected && !ordered() {
            return Err(Halt::Gap {
                source_topic: lineage.source_topic.to_string(),
                source_partition: lineage.source_partition,
                expected,
                found: lineage.sequence,
                offset,
            });
        }
    }
    seen.insert(source, lineage.sequence);
    Ok(true)
}

impl<R: Rows> Table for LakeTable<R> {
    fn name(&self) -> &str {
        R::TABLE
    }

    fn input(&self) -> &str {
        R::TOPIC
    }

    fn comes_from(&mut self, topic: Option<i64>) {
        self.topic = topic;
    }

    fn assign(&mut self, partitions: &[u32]) -> anyhow::Result<Vec<(u32, Option<i64>)>> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = log.stand(partitions, self.topic);
        let stand = self.lake.told(self.lake.wait_for(R::TABLE, reading));
        drop(log);
        let mut from = Vec::with_capacity(partitions.len());
        for (partition, (position, topic)) in partitions.iter().copied().zip(stand?) {
            self.foreign.remove(&partition);
            let buffer = self.goes_on(partition, position, topic).unwrap_or_else(|halt| {
                self.foreign.insert(partition, halt);
                Buffer::starting_at(position)
            });
            from.push((partition, buffer.to));
            self.buffers.insert(partition, buffer);
        }
        Ok(from)
    }

    fn refuses(&self, partition: u32) -> Option<Halt> {
        self.foreign.get(&partition).cloned()
    }

    fn revoke(&mut self, partitions: &[u32]) {
        for partition in partitions {
            self.buffers.remove(partition);
        }
        self.count();
    }

    fn heed(&mut self, orders: &Arc<Vec<Skip>>) {
        self.orders = orders.clone();
    }

    fn append(&mut self, partition: u32, records: &[Record<'_>], position: i64) -> Result<(), Halt> {
        let (rows, seen, bytes) = self.take_apart(partition, records)?;
        let Some(buffer) = self.buffers.get_mut(&partition) else { return Ok(()) };
        buffer.sources.extend(seen);
        buffer.bytes += bytes + rows.len() * size_of::<Row<R::Item>>();
        for row in rows {
            let key = R::key(&row.item);
            match key.and_then(|key| buffer.newest.get(&key).copied()) {
                Some(place) => buffer.pending[place] = row,
                None => {
                    if let Some(key) = key {
                        buffer.newest.insert(key, buffer.pending.len());
                    }
                    buffer.pending.push(row);
                }
            }
            if buffer.pending.len() >= PENDING_ROWS {
                Self::settle(&self.columns, buffer);
            }
        }
        buffer.to = Some(position.max(buffer.to.unwrap_or(position)));
        self.count();
        Ok(())
    }

    fn due(&self, now: Timestamp) -> bool {
        let older = |since: &Cell<Option<Timestamp>>, waits: bool, age_max_micros: i64| {
            // A clock that was set back would else hold rows back until it has caught up.
            let from = if waits { Some(since.get().map_or(now, |since| since.min(now))) } else { None };
            since.set(from);
            from.is_some_and(|from| now.micros_since(from) >= age_max_micros)
        };
        let rows = older(&self.rows_since, self.buffers.values().any(Buffer::has_rows), self.age_max_micros);
        let moved = self.buffers.values().any(Buffer::has_moved);
        let moved = older(&self.moved_since, moved, POSITION_AGE_SECONDS * 1_000_000);
        rows || moved || self.waiting() >= self.bytes_max
    }

    fn buffered_bytes(&self) -> usize {
        self.waiting() + self.writing.load(Ordering::Relaxed)
    }

    fn flush(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let flushed = self.begin_flush(now).and_then(|write| write.map_or(Ok(()), |write| write()));
        if flushed.is_err() {
            // Nothing is known any more: whoever assigns again reads the table.
            self.buffers.clear();
            self.count();
        }
        flushed
    }

    fn begin_flush(&mut self, now: Timestamp) -> anyhow::Result<Option<Write>> {
        self.rows_since.set(None);
        self.moved_since.set(None);
        Ok(self.take_out(now).map(|flush| Box::new(move || flush.run::<R>()) as Write))
    }
}
