//! A buffer on its way into the table: sorted, cut by day, encoded, put and committed with its offsets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Instant;

use anyhow::{Context, bail};
use arrow::array::AsArray;
use arrow::datatypes::{Date32Type, SchemaRef};
use arrow::row::{RowConverter, SortField};
use chrono::NaiveDate;
use deltalake_core::kernel::Add;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, PutMode, PutOptions};
use rayon::prelude::*;
use schemas::Timestamp;
use tokio::task::JoinSet;

use crate::chunk::{Chunk, Chunks};
use crate::file::{Encoded, Form};
use crate::lake::Lake;
use crate::log::{EVENT_DATE, Move, TableLog};
use crate::metrics::TableMetrics;
use crate::rows::Rows;

/// Rows handed to the Parquet writer at a time, to bound the copy that sorting makes.
const WRITE_ROWS: usize = 16 * 1024;

/// Files on their way to the store at a time.
const UPLOADS: usize = 8;

/// A buffer that was taken out of its table.
#[derive(Debug)]
pub(crate) struct Flush {
    pub lake: Lake,
    pub log: Arc<Mutex<TableLog>>,
    pub schema: SchemaRef,
    pub chunks: Vec<Chunk>,
    pub moves: Vec<Move>,
    /// Begins the names of its files: no other flush of any writer has it.
    pub name: String,
    pub began: Instant,
    /// When its first file may be written, by the clock of this machine.
    pub written_at: Timestamp,
    pub now: Timestamp,
    pub metrics: TableMetrics,
    #[expect(dead_code, reason = "it is there to be given back")]
    pub held: Held,
}

/// Bytes that a flush holds, given back with it, however it ends.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: usize,
    writing: Arc<AtomicUsize>,
    metrics: TableMetrics,
}

impl Held {
    pub(crate) fn new(bytes: usize, writing: &Arc<AtomicUsize>, metrics: &TableMetrics) -> Self {
        writing.fetch_add(bytes, Ordering::Relaxed);
        metrics.held(bytes, 0);
        Held { bytes, writing: writing.clone(), metrics: metrics.clone() }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.writing.fetch_sub(self.bytes, Ordering::Relaxed);
        self.metrics.held(0, self.bytes);
    }
}

/// The rows of one file, in order: chunk and row within it.
struct DayFile {
    day: i32,
    places: Vec<(usize, usize)>,
}

impl Flush {
    /// Writes the rows and commits them with their offsets. On an error nothing is known.
    pub(crate) fn run<R: Rows>(mut self) -> anyhow::Result<()> {
        let lake = self.lake.clone();
        lake.told(self.write_and_commit::<R>().with_context(|| format!("write the table {}", R::TABLE)))
    }

    fn write_and_commit<R: Rows>(&mut self) -> anyhow::Result<()> {
        let chunks = std::mem::take(&mut self.chunks);
        let rows: usize = chunks.iter().map(Chunk::rows).sum();
        let adds = self.write::<R>(&chunks)?;
        drop(chunks);
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.lake.wait_for(R::TABLE, log.commit(&adds, &self.moves, self.written_at, self.now))?;
        self.metrics.flushed(rows, adds.len(), adds.iter().map(|add| add.size).sum(), self.began.elapsed());
        tracing::info!(table = R::TABLE, version, rows, files = adds.len(), "committed");
        Ok(())
    }

    /// Writes a file for each day. They are invisible until they are committed.
    fn write<R: Rows>(&self, chunks: &[Chunk]) -> anyhow::Result<Vec<Add>> {
        let store = self.log.lock().unwrap_or_else(PoisonError::into_inner).store();
        let mut adds = Vec::new();
        let mut uploads = JoinSet::new();
        let files = self.files::<R>(chunks)?;
        // The first column is in the file's path and its log entry, as Delta wants it.
        let chunks = Chunks::new(&self.schema, chunks, 1);
        let form = Form::new(chunks.schema(), R::SORT, R::LOOKUPS)?.repeating(chunks.repeating())?;
        // Files side by side where there are many, else the columns of the one.
        let parallel = files.len() <= 1;
        let encoders = self.lake.encoders();
        let encoded = |DayFile { day, places }: DayFile| {
            let slices = places.chunks(WRITE_ROWS).map(|places| Ok(chunks.slice(places)));
            form.encode(slices, places.len(), parallel).map(|encoded| (day, encoded))
        };
        let mut put = |(day, encoded): (i32, Encoded)| {
            let add = add_of(day, &self.name, &encoded, self.now, true);
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
            files.into_iter().try_for_each(|file| put(encoders.install(|| encoded(file))?))?;
        } else {
            let (done, ready) = mpsc::channel();
            std::thread::scope(|scope| {
                let encoding = scope.spawn(move || {
                    // Nobody takes it any more: another file could not be put.
                    let each = |file| done.send(encoded(file)).ok();
                    encoders.install(|| files.into_par_iter().try_for_each(each))
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

    /// Sorts the chunks and cuts them by day: the rows of each file, in order.
    fn files<R: Rows>(&self, chunks: &[Chunk]) -> anyhow::Result<Vec<DayFile>> {
        let sort: Vec<usize> =
            R::SORT.iter().map(|name| self.schema.index_of(name)).collect::<Result<_, _>>().context("sort rows")?;
        let fields = sort.iter().map(|index| SortField::new(self.schema.field(*index).data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let mut keys = Vec::with_capacity(chunks.len());
        let mut order: Vec<(i32, usize, usize)> = Vec::new();
        for (number, chunk) in chunks.iter().enumerate() {
            let column = |index: usize| chunk.column(index, self.schema.field(index).data_type());
            let sorted = sort.iter().map(|index| column(*index)).collect::<Result<Vec<_>, _>>()?;
            keys.push(converter.convert_columns(&sorted)?);
            let days = column(0)?;
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
