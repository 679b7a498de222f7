//! A table that takes records and writes them exactly once: what the runtime drives.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use anyhow::{Context, bail};
use arrow::array::AsArray;
use arrow::datatypes::{Date32Type, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use chrono::NaiveDate;
use deltalake_core::kernel::Add;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, PutMode, PutOptions};
use rayon::prelude::*;
use schemas::{Id128, Lineage, Text, Timestamp};
use stream::{Halt, Record, Table};
use tokio::task::JoinSet;

use crate::chunk::{Chunk, Chunks};
use crate::column::{self, Column};
use crate::file::{Encoded, Layout, encode};
use crate::lake::{Lake, LakeConfig};
use crate::log::{EVENT_DATE, Move, TableLog};
use crate::metrics::TableMetrics;
use crate::rows::{Origin, Row, Rows, SourceBatch, all_columns};

/// Rows kept as they were decoded before they become Arrow columns. Fewer cost more per row, more take more memory.
const PENDING_ROWS: usize = 1024;

/// Rows handed to the Parquet writer at a time, to bound the copy that sorting makes.
const WRITE_ROWS: usize = 16 * 1024;

/// Files on their way to the store at a time.
const UPLOADS: usize = 8;

/// Positions alone (heartbeats, no rows) are committed this often, so that an idle table's log does not grow.
const POSITION_AGE_SECONDS: i64 = 3600;

/// A table of the lake that takes records.
pub struct LakeTable<R: Rows> {
    rows: R,
    lake: Lake,
    log: TableLog,
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
}

/// The rows of one file, in order: chunk and row within it.
struct DayFile {
    day: i32,
    places: Vec<(usize, usize)>,
}

/// What waits of one partition.
struct Buffer<T> {
    /// Where the table stands.
    from: Option<i64>,
    /// Where it will stand.
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
        let log = lake.told(lake.wait(log.open(R::ABOUT, &schema, &comments)))?;
        Ok(LakeTable {
            rows: R::new(),
            lake: lake.clone(),
            log,
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
        })
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
                if !is_next(&buffer.sources, &mut seen, lineage, offset)? {
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
        let rows: Vec<&Row<R::Item>> = buffer.pending.iter().collect();
        let chunk = Chunk::new(columns, &rows);
        // Letting go of rows takes as long as some columns do.
        buffer.pending.par_drain(..).for_each(drop);
        buffer.newest.clear();
        buffer.chunks.push(chunk);
        buffer.bytes = buffer.chunks.iter().map(Chunk::bytes).sum();
    }

    /// Sorts the chunks and cuts them by day: the rows of each file, in order.
    fn files(&self, chunks: &[Chunk]) -> anyhow::Result<Vec<DayFile>> {
        let sort: Vec<usize> =
            R::SORT.iter().map(|name| self.schema.index_of(name)).collect::<Result<_, _>>().context("sort rows")?;
        let fields = sort.iter().map(|index| SortField::new(self.schema.field(*index).data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let mut keys = Vec::with_capacity(chunks.len());
        let mut order: Vec<(i32, usize, usize)> = Vec::new();
        for (number, chunk) in chunks.iter().enumerate() {
            let column = |index: usize| chunk.column(index, self.schema.field(index).data_type());
            keys.push(converter.convert_columns(&sort.iter().map(|index| column(*index)).collect::<Vec<_>>())?);
            let days = column(0);
            let days = days.as_primitive::<Date32Type>();
            order.extend(days.values().iter().enumerate().map(|(row, day)| (*day, number, row)));
        }
        order.sort_unstable_by(|a, b| {
            let by_key = || keys[a.1].row(a.2).cmp(&keys[b.1].row(b.2));
            // Equal keys stay in the order they came.
            a.0.cmp(&b.0).then_with(by_key).then_with(|| (a.1, a.2).cmp(&(b.1, b.2)))
        });
        let mut files: Vec<DayFile> = Vec::new();
        for (day, chunk, row) in order {
            match files.last_mut() {
                Some(file) if file.day == day => file.places.push((chunk, row)),
                _ => files.push(DayFile { day, places: vec![(chunk, row)] }),
            }
        }
        Ok(files)
    }

    /// Writes a file for each day. They are invisible until they are committed.
    fn write(&mut self, chunks: &[Chunk], moves: &[Move], now: Timestamp) -> anyhow::Result<Vec<Add>> {
        self.flushes += 1;
        // The first range stands for all of them: the commit lists every one.
        let first = moves.first().context("a flush moves at least one partition")?;
        let others = moves.len() - 1;
        let name = format!(
            "{}-{:04}-{:020}-{:020}+{others}-{}-{:06}",
            R::TOPIC,
            first.partition,
            first.from.unwrap_or(0),
            first.to,
            self.writer,
            self.flushes
        );
        let store = self.log.store();
        let schema = Arc::new(Schema::new(self.schema.fields()[1..].to_vec()));
        let mut adds = Vec::new();
        let mut uploads = JoinSet::new();
        let files = self.files(chunks)?;
        let chunks = Chunks::new(self.schema.clone(), chunks);
        let empty: Vec<&str> = chunks.empty().collect();
        // Files side by side where there are many, else the columns of the one.
        let parallel = files.len() <= 1;
        let encoded = |DayFile { day, places }: DayFile| {
            // The first column is in the file's path and its log entry, as Delta wants it.
            let slices = places.chunks(WRITE_ROWS).map(|places| Ok(chunks.slice(places, 1)));
            let layout = Layout { rows: places.len(), sort: R::SORT, lookups: R::LOOKUPS, empty: &empty, parallel };
            encode(schema.clone(), slices, layout).map(|encoded| (day, encoded))
        };
        let mut put = |(day, encoded): (i32, Encoded)| {
            let add = add_of(day, &name, &encoded, now, true);
            let path = add.path.clone();
            adds.push(add);
            let store = store.clone();
            uploads.spawn_on(async move { upload(store.as_ref(), &path, encoded.bytes).await }, self.lake.handle());
            if uploads.len() >= UPLOADS {
                self.lake.wait(uploads.join_next()).context("an upload was started")???;
            }
            anyhow::Ok(())
        };
        if parallel {
            files.into_iter().try_for_each(|file| put(encoded(file)?))?;
        } else {
            let (done, ready) = mpsc::channel();
            std::thread::scope(|scope| {
                let encoding = scope.spawn(move || {
                    // Nobody takes it any more: another file could not be put.
                    files.into_par_iter().try_for_each(|file| done.send(encoded(file)).ok())
                });
                let put = ready.into_iter().try_for_each(|file| put(file?));
                encoding.join().map_or_else(|panic| std::panic::resume_unwind(panic), |_| put)
            })?;
        }
        while let Some(uploaded) = self.lake.wait(uploads.join_next()) {
            uploaded??;
        }
        adds.sort_unstable_by(|a: &Add, b| a.path.cmp(&b.path));
        Ok(adds)
    }

    fn write_and_commit(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let moves: Vec<Move> = self
            .buffers
            .iter()
            .filter(|(_, buffer)| buffer.to != buffer.from)
            .filter_map(|(partition, buffer)| Some(Move { partition: *partition, from: buffer.from, to: buffer.to? }))
            .collect();
        if moves.is_empty() {
            return Ok(());
        }
        let (began, written_at) = (Instant::now(), stream::now());
        let buffers = std::mem::take(&mut self.buffers);
        let mut after: BTreeMap<u32, Buffer<R::Item>> = BTreeMap::new();
        let mut chunks = Vec::new();
        for (partition, mut buffer) in buffers {
            Self::settle(&self.columns, &mut buffer);
            chunks.append(&mut buffer.chunks);
            let mut next = Buffer::starting_at(buffer.to);
            next.sources = buffer.sources;
            after.insert(partition, next);
        }
        let rows: usize = chunks.iter().map(Chunk::rows).sum();
        let adds = self.write(&chunks, &moves, now)?;
        drop(chunks);
        let committing = self.log.commit(&adds, &moves, written_at, now);
        let version = self.lake.wait(committing)?;
        self.metrics.flushed(rows, adds.len(), adds.iter().map(|add| add.size).sum(), began.elapsed());
        tracing::info!(table = R::TABLE, version, rows, files = adds.len(), "committed");
        self.buffers = after;
        Ok(())
    }
}

/// True when the batch is the next of its source; false when it was seen before.
fn is_next(
    known: &HashMap<(Text, i32), i64>,
    seen: &mut HashMap<(Text, i32), i64>,
    lineage: &Lineage,
    offset: i64,
) -> Result<bool, Halt> {
    let source = (lineage.source_topic.clone(), lineage.source_partition);
    // The first batch of a source after an assignment sets the mark: everything before it is in the table, because
    // offsets say so.
    if let Some(expected) = seen.get(&source).or_else(|| known.get(&source)).map(|sequence| sequence + 1) {
        if lineage.sequence < expected {
            return Ok(false);
        }
        if lineage.sequence != expected {
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

/// The date as the path writes it. Readers know the years 1 to 9999.
fn date_of(day: i32) -> String {
    let least = NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default();
    let most = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or_default();
    let date = NaiveDate::from_epoch_days(day).unwrap_or(if day < 0 { least } else { most });
    date.clamp(least, most).to_string()
}

/// The entry of a file in the log; `data_change` where its rows are new to the table.
pub(crate) fn add_of(day: i32, name: &str, file: &Encoded, now: Timestamp, data_change: bool) -> Add {
    let date = date_of(day);
    Add {
        path: format!("{EVENT_DATE}={date}/{name}.{}", file.ending),
        partition_values: [(EVENT_DATE.to_owned(), Some(date))].into(),
        size: file.bytes.len() as i64,
        modification_time: now.millis(),
        data_change,
        stats: Some(file.statistics.clone()),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

/// Puts a file whose name no other writer has.
pub(crate) async fn upload(store: &dyn ObjectStore, path: &str, bytes: bytes::Bytes) -> anyhow::Result<()> {
    let path = Path::from(path);
    let size = bytes.len() as u64;
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    match store.put_opts(&path, bytes.into(), options).await {
        Ok(_) => Ok(()),
        // The name is ours alone, so what is there is what an attempt of ours wrote before its answer was lost.
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
            use object_store::ObjectStoreExt;
            let found = store.head(&path).await.with_context(|| format!("look at {path}"))?.size;
            if found != size {
                bail!("{path} has {found} bytes where {size} were written");
            }
            Ok(())
        }
        Err(error) => Err(error).with_context(|| format!("write {path}")),
    }
}

impl<R: Rows> Table for LakeTable<R> {
    fn name(&self) -> &str {
        R::TABLE
    }

    fn input(&self) -> &str {
        R::TOPIC
    }

    fn assign(&mut self, partitions: &[u32]) -> anyhow::Result<Vec<(u32, Option<i64>)>> {
        let reading = self.log.positions(partitions);
        let positions = self.lake.told(self.lake.wait(reading))?;
        for (partition, position) in partitions.iter().zip(&positions) {
            self.buffers.insert(*partition, Buffer::starting_at(*position));
        }
        Ok(partitions.iter().copied().zip(positions).collect())
    }

    fn revoke(&mut self, partitions: &[u32]) {
        for partition in partitions {
            self.buffers.remove(partition);
        }
        self.metrics.buffered(self.buffered_bytes());
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
        self.metrics.buffered(self.buffered_bytes());
        Ok(())
    }

    fn due(&self, now: Timestamp) -> bool {
        let older = |since: &Cell<Option<Timestamp>>, waits: bool, age_max_micros: i64| {
            let from = if waits { Some(since.get().unwrap_or(now)) } else { None };
            since.set(from);
            from.is_some_and(|from| now.micros_since(from) >= age_max_micros)
        };
        let rows = older(&self.rows_since, self.buffers.values().any(Buffer::has_rows), self.age_max_micros);
        let moved = self.buffers.values().any(|buffer| buffer.to != buffer.from);
        let moved = older(&self.moved_since, moved, POSITION_AGE_SECONDS * 1_000_000);
        rows || moved || self.buffered_bytes() >= self.bytes_max
    }

    fn buffered_bytes(&self) -> usize {
        self.buffers.values().map(|buffer| buffer.bytes).sum()
    }

    fn flush(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.rows_since.set(None);
        self.moved_since.set(None);
        let flushed = self.write_and_commit(now).with_context(|| format!("write the table {}", R::TABLE));
        let flushed = self.lake.told(flushed);
        if flushed.is_err() {
            // Nothing is known any more: whoever assigns again reads the table.
            self.buffers.clear();
        }
        self.metrics.buffered(self.buffered_bytes());
        flushed
    }
}
