//! Keeps tables fast and small: merges small files into larger ones, and deletes what no query can need any more.
//!
//! Nothing a reader sees is rewritten. A merge writes a new file and then, in one commit, adds it and marks its sources
//! as removed; these stay where they are until vacuum, so a query that began earlier reads on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use deltalake_core::DeltaTable;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{Action, Add, Remove, Transaction};
use deltalake_core::protocol::DeltaOperation;
use deltalake_core::table::config::TablePropertiesExt;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use rand::Rng;
use schemas::Timestamp;
use stream::Shutdown;

use crate::catalogue::{TABLES, TableSpec};
use crate::compact::{DataFile, plan};
use crate::file::{Form, empty_columns};
use crate::flush::{add_of, upload};
use crate::lake::{Lake, LakeConfig};
use crate::log::{EVENT_DATE, load, still_young};
use crate::merge::{INPUT_ROWS, Merge};
use crate::metrics::Outcome;
use crate::read::{StoredFile, day_of};
use crate::unneeded::unneeded;

/// How often a merge is committed again while writers keep taking the version it was meant for.
const COMMIT_ATTEMPTS: u32 = 8;

/// Vacuum lists a whole table: once a day is often enough for files that are a week old.
const VACUUM_EVERY_SECONDS: i64 = 86_400;

/// What a pass over one table did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Files that were replaced.
    pub replaced: usize,
    /// Files that replaced them.
    pub written: usize,
    /// Merges that another compactor was quicker with.
    pub lost: usize,
}

/// Compacts and vacuums the tables of a lake.
#[derive(Debug, Clone)]
pub struct Maintenance {
    lake: Lake,
    config: LakeConfig,
}

impl Maintenance {
    /// For a lake that is open for writing.
    pub fn new(lake: &Lake, config: &LakeConfig) -> Self {
        Maintenance { lake: lake.clone(), config: config.clone() }
    }

    /// Works every so often until shutdown, on a thread of its own. Failures are logged and tried again next time; a panic
    /// ends the process.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(self, shutdown: &Shutdown) -> anyhow::Result<()> {
        shutdown.spawn("maintenance", move |shutdown| self.run(shutdown))
    }

    fn run(&self, shutdown: &Shutdown) {
        if self.config.lake_compact_every.is_zero() {
            return;
        }
        let mut vacuumed_at = Timestamp::MIN;
        // Two instances that were started together would otherwise merge the same files at the same time, one in vain.
        let (least, most) = (self.config.lake_compact_every / 2, self.config.lake_compact_every * 3 / 2);
        while !shutdown.wait(rand::rng().random_range(least..=most)) {
            let now = stream::now();
            let vacuum = now.micros_since(vacuumed_at) >= VACUUM_EVERY_SECONDS * 1_000_000;
            for table in TABLES.iter().take_while(|_| !shutdown.is_set()) {
                if let Err(error) = self.compact(table.name, now) {
                    tracing::warn!(table = table.name, error = format!("{error:#}"), "table not compacted");
                }
                if vacuum && let Err(error) = self.vacuum(table.name, now) {
                    tracing::warn!(table = table.name, error = format!("{error:#}"), "table not vacuumed");
                }
            }
            if vacuum {
                vacuumed_at = now;
            }
        }
    }

    /// Merges the small files of a table.
    ///
    /// # Errors
    /// When there is no such table, or the lake cannot be read or written. What was merged before that stays merged.
    pub fn compact(&self, table: &str, now: Timestamp) -> anyhow::Result<Compacted> {
        let Some((spec, mut handle)) = self.open(table)? else { return Ok(Compacted::default()) };
        let (mut done, mut failure) = (Compacted::default(), None);
        for group in plan(data_files(&handle)?, now.days(), self.config.lake_file_bytes as u64) {
            let merged = self.merge(spec, &mut handle, &group, now);
            match merged.with_context(|| format!("merge {} files of the table {table}", group.len())) {
                Ok(true) => {
                    done.replaced += group.len();
                    done.written += 1;
                }
                Ok(false) => done.lost += 1,
                // A file that cannot be read must not keep other days from being merged.
                Err(error) => failure = Some(failure.unwrap_or(error)),
            }
        }
        self.lake.metrics().table(table).compacted(done.replaced);
        if done != Compacted::default() {
            tracing::info!(table, replaced = done.replaced, written = done.written, lost = done.lost, "compacted");
        }
        failure.map_or(Ok(done), Err)
    }

    /// Deletes files that have not been part of the table for `--lake-vacuum-after`; gives how many.
    ///
    /// # Errors
    /// When there is no such table, or the lake cannot be read or written. What was deleted before that stays deleted.
    pub fn vacuum(&self, table: &str, now: Timestamp) -> anyhow::Result<usize> {
        let Some((spec, mut handle)) = self.open(table)? else { return Ok(0) };
        // A clock that is ahead would delete what queries and writers still need, so the one that is behind counts.
        let now = self.lake.store_time()?.min(now);
        self.lake.wait_for(table, retain(spec, &mut handle, self.config.lake_vacuum_after))?;
        let after = i64::try_from(self.config.lake_vacuum_after.as_micros()).unwrap_or(i64::MAX);
        let before = Timestamp::from_micros(now.micros().saturating_sub(after));
        let deleted =
            self.lake.wait_for(table, vacuum(&handle, before)).with_context(|| format!("vacuum the table {table}"))?;
        self.lake.metrics().table(table).vacuumed(deleted);
        if deleted > 0 {
            tracing::info!(table, deleted, "vacuumed");
        }
        Ok(deleted)
    }

    /// The table at its newest version; `None` where there is none yet.
    fn open(&self, table: &str) -> anyhow::Result<Option<(&'static TableSpec, DeltaTable)>> {
        let spec = crate::catalogue::table(table).with_context(|| format!("the lake has no table {table}"))?;
        let mut handle = self.lake.table(table)?;
        self.lake.wait(async {
            if !handle.verify_deltatable_existence().await.with_context(|| format!("look for the table {table}"))? {
                return Ok(None);
            }
            load(&mut handle, table).await?;
            Ok(Some((spec, handle)))
        })
    }

    /// Writes one file with the rows of a group and puts it in their place; false when another compactor was quicker.
    fn merge(
        &self,
        spec: &TableSpec,
        table: &mut DeltaTable,
        group: &[DataFile],
        now: Timestamp,
    ) -> anyhow::Result<bool> {
        let day = group.first().context("a group has files")?.day;
        let written_at = stream::now();
        let fence = self.lake.wait(fence(spec, table))?;
        let store = table.log_store().object_store(None);
        let mut inputs = Vec::with_capacity(group.len());
        for file in group {
            inputs.push(FileRows::open(&self.lake, store.clone(), file)?);
        }
        let schema = merged_schema(table, &inputs)?;
        inputs.iter_mut().for_each(|input| input.schema = schema.clone());
        let rows = inputs.iter().map(|input| input.rows).sum();
        let merge = Merge::new(inputs, schema, spec.sort)?;
        let encoded = Form::new(merge.schema(), spec.sort, spec.lookups)?.encode(merge, rows, true)?;
        if usize::try_from(encoded.rows) != Ok(rows) {
            bail!("{} rows were merged of {rows}", encoded.rows);
        }
        let name = format!("{}-merged-{}", spec.topic, uuid::Uuid::new_v4().simple());
        let add = add_of(day, &name, &encoded, now, false);
        self.lake.wait(upload(store.as_ref(), &add.path, encoded.bytes))?;
        still_young(written_at)?;
        let target = i64::try_from(self.config.lake_file_bytes).unwrap_or(i64::MAX);
        let replaced = self.lake.wait_for(spec.name, replace(spec, table, fence, group, &add, target, now))?;
        let metrics = self.lake.metrics().table(spec.name);
        metrics.commit(if replaced { Outcome::Committed } else { Outcome::Conflict });
        if !replaced && let Err(error) = self.lake.wait(store.delete(&Path::from(add.path.as_str()))) {
            tracing::debug!(%error, path = add.path, "file of a lost merge is left for vacuum");
        }
        Ok(replaced)
    }
}

/// Makes the log remember for as long as files are kept: what was removed (a file whose removal is forgotten looks like
/// one that was never part of the table, and is then as old as its contents), and the versions that need it.
async fn retain(spec: &TableSpec, table: &mut DeltaTable, after: Duration) -> anyhow::Result<()> {
    let properties = table.snapshot()?.table_config();
    if properties.deleted_file_retention_duration() == after && properties.log_retention_duration() == after {
        return Ok(());
    }
    let interval = format!("interval {} seconds", after.as_secs());
    let properties = ["delta.deletedFileRetentionDuration", "delta.logRetentionDuration"];
    let set = table.clone().set_tbl_properties();
    let set = set.with_properties(properties.map(|name| (name.to_owned(), interval.clone())).into());
    *table = set.await.with_context(|| format!("set how long the table {} keeps files", spec.name))?;
    Ok(())
}

/// Deletes the data files that have not been part of a table since `before`; gives how many.
async fn vacuum(table: &DeltaTable, before: Timestamp) -> anyhow::Result<usize> {
    let log_store = table.log_store();
    let store = log_store.object_store(None);
    let snapshot = table.snapshot()?;
    // What is committed after this was written after it too, and is too young to be deleted.
    let live: HashSet<Path> = snapshot.log_data().iter().map(|file| file.object_store_path()).collect();
    let removed: HashMap<Path, Timestamp> = snapshot
        .all_tombstones(log_store.as_ref())
        .map_ok(|file| {
            let at = Timestamp::from_micros(file.deletion_timestamp().unwrap_or(0).saturating_mul(1000));
            let path = file.path();
            (Path::parse(path.as_ref()).unwrap_or_else(|_| Path::from(path.as_ref())), at)
        })
        .try_collect()
        .await
        .context("read which files were removed")?;
    let stored =
        store.list(None).map_ok(|file| (file.location, Timestamp::from_micros(file.last_modified.timestamp_micros())));
    let stored: Vec<_> = stored.try_collect().await.context("list the files of the table")?;
    let doomed = unneeded(stored, &live, &removed, before);
    let mut deleting = store.delete_stream(futures::stream::iter(doomed).map(Ok).boxed());
    let mut deleted = 0;
    while let Some(file) = deleting.next().await {
        match file {
            Ok(_) => deleted += 1,
            // Another sink's vacuum was quicker.
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error).context("delete what was replaced or left behind"),
        }
    }
    Ok(deleted)
}

/// What the log calls the number of merges so far: the fence between compactors.
fn fence_id(spec: &TableSpec) -> String {
    format!("{}/compaction", spec.name)
}

async fn fence(spec: &TableSpec, table: &DeltaTable) -> anyhow::Result<Option<i64>> {
    let log_store = table.log_store();
    let fence = table.snapshot()?.transaction_version(log_store.as_ref(), fence_id(spec)).await;
    fence.with_context(|| format!("read the position of {}", fence_id(spec)))
}

/// Puts a file in the place of others, in one commit; false when they are not all there any more.
///
/// Delta's own check lets two commits remove the same file as long as neither changes data, which would leave every row
/// twice. So nothing is left to it: before each attempt the log is read to its end, the fence must stand where the merge
/// began and every source must be in the table, and the attempt is for the very next version or fails.
async fn replace(
    spec: &TableSpec,
    table: &mut DeltaTable,
    fence_before: Option<i64>,
    group: &[DataFile],
    add: &Add,
    target_size: i64,
    now: Timestamp,
) -> anyhow::Result<bool> {
    let sources: HashSet<&str> = group.iter().map(|file| file.path.as_str()).collect();
    let mut failure = None;
    for attempt in 0..=COMMIT_ATTEMPTS {
        table.update_state().await.with_context(|| format!("read the log of the table {}", spec.name))?;
        let mut removes = Vec::with_capacity(group.len());
        for file in table.snapshot()?.log_data().iter() {
            if file.path() == add.path.as_str() {
                // An attempt whose answer was lost.
                return Ok(true);
            }
            if sources.contains(file.path().as_ref()) {
                let deletion_timestamp = Some(now.millis());
                removes.push(Action::Remove(Remove { deletion_timestamp, ..file.remove_action(false) }));
            }
        }
        if removes.len() != sources.len() || fence(spec, table).await? != fence_before {
            return Ok(false);
        }
        if attempt == COMMIT_ATTEMPTS {
            break;
        }
        let merges =
            Transaction::new_with_last_update(fence_id(spec), fence_before.unwrap_or_default() + 1, Some(now.millis()));
        let properties = CommitProperties::default()
            .with_application_transactions(vec![merges])
            .with_max_retries(0)
            .with_cleanup_expired_logs(Some(false));
        let actions = removes.into_iter().chain([Action::Add(add.clone())]).collect();
        let operation = DeltaOperation::Optimize { predicate: None, target_size };
        let commit = CommitBuilder::from(properties).with_actions(actions);
        match commit.build(Some(table.snapshot()?), table.log_store(), operation).await {
            Ok(commit) => {
                table.state = Some(commit.snapshot());
                return Ok(true);
            }
            Err(error) => {
                tracing::info!(table = spec.name, %error, attempt, "merge was not committed at first; reading the table");
                failure = Some(error);
            }
        }
    }
    Err(failure.context("a commit is tried at least once")?).context("commit the merge")
}

fn data_files(table: &DeltaTable) -> anyhow::Result<Vec<DataFile>> {
    let mut files = Vec::new();
    for file in table.snapshot()?.log_data().iter() {
        if file.deletion_vector_descriptor().is_some() {
            // Something else deleted rows of it; merging would bring them back.
            continue;
        }
        let path = file.path().into_owned();
        files.push(DataFile { day: day_of(&file)?, path, bytes: u64::try_from(file.size()).unwrap_or_default() });
    }
    Ok(files)
}

/// The columns that any input has values in, in the order of the table. Columns of a newer release are among them: what this one
/// does not know is carried along.
fn merged_schema(table: &DeltaTable, inputs: &[FileRows]) -> anyhow::Result<SchemaRef> {
    let of_table = table.snapshot()?.snapshot().arrow_schema();
    let mut fields: Vec<Field> = Vec::new();
    for field in of_table.fields().iter().filter(|field| field.name() != EVENT_DATE) {
        let found = inputs.iter().filter_map(|input| input.schema.field_with_name(field.name()).ok());
        fields.extend(fullest(found).map(|found| found.clone().with_nullable(true)));
    }
    let unknown = inputs.iter().flat_map(|input| input.schema.fields().iter());
    if let Some(unknown) = unknown.into_iter().find(|field| !fields.iter().any(|known| known.name() == field.name())) {
        bail!("a file has a column {} that the table does not have", unknown.name());
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// Of a column as several files have it, the newest: names of files tell no order, but records within records only ever gain
/// fields.
fn fullest<'a>(found: impl Iterator<Item = &'a Field>) -> Option<&'a Field> {
    fn leaves(kind: &DataType) -> usize {
        match kind {
            DataType::Struct(fields) => fields.iter().map(|field| leaves(field.data_type())).sum(),
            DataType::List(item) | DataType::Map(item, _) => leaves(item.data_type()),
            _ => 1,
        }
    }
    found.max_by_key(|field| leaves(field.data_type()))
}

/// Rows of a file, in its order.
struct FileRows {
    lake: Lake,
    stream: ParquetRecordBatchStream<StoredFile>,
    path: String,
    /// Columns with a value in any row; no others are read. Once inputs are put together: those of all of them.
    schema: SchemaRef,
    rows: usize,
}

impl FileRows {
    fn open(lake: &Lake, store: Arc<dyn ObjectStore>, file: &DataFile) -> anyhow::Result<Self> {
        let stored = StoredFile::new(store, Path::parse(&file.path)?, file.bytes);
        let builder = lake.wait(ParquetRecordBatchStreamBuilder::new(stored));
        let builder = builder.with_context(|| format!("open {}", file.path))?;
        let rows = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
        let empty = empty_columns(builder.metadata());
        let fields = builder.schema().fields().iter().enumerate();
        let (roots, fields): (Vec<usize>, Vec<FieldRef>) = fields
            .filter(|(_, field)| !empty.contains(field.name()))
            .map(|(root, field)| (root, field.clone()))
            .unzip();
        let read = ProjectionMask::roots(builder.parquet_schema(), roots);
        let stream = builder.with_projection(read).with_batch_size(INPUT_ROWS).build();
        let stream = stream.with_context(|| format!("open {}", file.path))?;
        let schema = Arc::new(Schema::new(fields));
        Ok(FileRows { lake: lake.clone(), stream, path: file.path.clone(), schema, rows })
    }
}

impl Iterator for FileRows {
    type Item = anyhow::Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.lake.wait(self.stream.next())?;
        let batch = batch.with_context(|| format!("read {}", self.path));
        Some(batch.and_then(|batch| crate::read::in_schema(&self.schema, &batch)))
    }
}

#[cfg(test)]
mod tests;
