//! Reads the tables back: what reports and the ledger use.
//!
//! A [`LakeReader`] sees a table as of the commit that was newest when it began to scan, files that are being written or
//! were left by a crash not among them. A table nobody has written yet is empty, not an error.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::{ArrayRef, Date32Array, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Field, SchemaRef};
use chrono::{Datelike, NaiveDate};
use deltalake_core::DeltaTable;
use deltalake_core::kernel::LogicalFileView;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use crate::catalogue::TableSpec;
use crate::lake::{Lake, LakeConfig};
use crate::log::{EVENT_DATE, app_id};

mod cells;
mod charges;
mod file;
mod ledger;
mod snapshot;
mod spend;
mod states;

pub(crate) use file::StoredFile;

pub use cells::Cells;
pub use charges::charges_of;
pub use ledger::{Disagreement, LakeLedger, LedgerRow, SourceKey};
pub use snapshot::{Snapshot, TableFile};
pub use spend::{Counts, Spend};

/// Days, in UTC: `[from, until)`. An open end is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Days {
    /// First day.
    pub from: Option<NaiveDate>,
    /// Day after the last.
    pub until: Option<NaiveDate>,
}

impl Days {
    /// Every day.
    pub const ALL: Days = Days { from: None, until: None };

    /// True when the day is among them.
    pub fn contain(&self, day: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day < until)
    }
}

/// Reads the tables of a lake. Its methods block.
#[derive(Debug, Clone)]
pub struct LakeReader {
    lake: Lake,
}

/// Batches of a scan, in no particular order of rows. Each has the columns asked for, in that order.
pub struct Scan {
    lake: Lake,
    spec: &'static TableSpec,
    table: DeltaTable,
    schema: SchemaRef,
    opening: BoxStream<'static, Opened>,
    /// Files of it that were not taken yet.
    waiting: usize,
    open: Option<(ParquetRecordBatchStream<StoredFile>, Path, i32)>,
    /// For each column that a file had not, or only nulls of, a batch of nulls.
    nulls: Vec<Option<ArrayRef>>,
}

/// A file whose metadata was read, or why it could not be.
type Opened = (TableFile, Result<ParquetRecordBatchStreamBuilder<StoredFile>, ParquetError>);

/// Rows of a batch at most.
const BATCH_ROWS: usize = 8192;

/// Files opened ahead of the one that is read: what a store takes to answer is waited for once for so many.
const OPENED_AHEAD: usize = 8;

/// Opens files, in their order, ahead of who takes them.
fn opening(lake: &Lake, store: Arc<dyn ObjectStore>, files: &[TableFile]) -> BoxStream<'static, Opened> {
    let runtime = lake.handle().clone();
    let open = move |file: TableFile| {
        let stored = StoredFile::new(store.clone(), file.path.clone(), file.bytes);
        // A task of its own: an answer is taken when it comes, however long the rows of another file take.
        let task = runtime.spawn(ParquetRecordBatchStreamBuilder::new(stored));
        async move { (file, task.await.unwrap_or_else(|error| Err(ParquetError::External(Box::new(error))))) }
    };
    futures::stream::iter(files.to_vec()).map(open).buffered(OPENED_AHEAD).boxed()
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "scan of {} files at version {:?}", self.files(), self.version())
    }
}

impl LakeReader {
    /// Opens a lake for reading.
    ///
    /// # Errors
    /// When its address cannot be understood.
    pub fn open(config: &LakeConfig) -> anyhow::Result<Self> {
        Ok(LakeReader { lake: Lake::open_read_only(config)? })
    }

    /// True when there is something at the lake's address: tables, though they may be empty.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub fn exists(&self) -> anyhow::Result<bool> {
        let root = self.lake.path("")?;
        let listed = self.lake.wait(self.lake.store().list_with_delimiter(Some(&root)));
        match self.lake.told(listed.with_context(|| format!("list the lake at {}", self.lake.address()))) {
            Ok(found) => Ok(!found.common_prefixes.is_empty()),
            Err(error) if matches!(error.downcast_ref(), Some(StoreError::NotFound { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads a lake that is open already.
    pub fn new(lake: &Lake) -> Self {
        LakeReader { lake: lake.clone() }
    }

    /// Scans `charges`.
    ///
    /// # Errors
    /// As [`LakeReader::scan`].
    pub fn charges(&self, columns: &[&str], days: Days) -> anyhow::Result<Scan> {
        self.scan("charges", columns, days)
    }

    /// Scans a table: its columns are listed in `schemas/lake`.
    ///
    /// # Errors
    /// When the lake cannot be read, or there is no such table or column.
    pub fn scan(&self, table: &str, columns: &[&str], days: Days) -> anyhow::Result<Scan> {
        self.snapshot(table, days, None)?.scan(columns)
    }
}

/// Day of a file, since 1970.
pub(crate) fn day_of(file: &LogicalFileView) -> anyhow::Result<i32> {
    let day = file.partition_values_map().remove(EVENT_DATE).flatten();
    let day: Option<NaiveDate> = day.and_then(|day| day.parse().ok());
    let day = day.with_context(|| format!("file {} states no event_date", file.path()))?;
    Ok(day.num_days_from_ce() - NaiveDate::default().num_days_from_ce())
}

impl Scan {
    /// Version of the table that is read; `None` when there is no table yet.
    pub fn version(&self) -> Option<u64> {
        self.table.version()
    }

    /// Offset of the table's topic up to which that version has everything; `None` when it has nothing of it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn position(&self, partition: i32) -> anyhow::Result<Option<i64>> {
        if self.table.version().is_none() {
            return Ok(None);
        }
        let log_store = self.table.log_store();
        let app_id = app_id(self.spec.name, self.spec.topic, partition);
        let reading = self.table.snapshot()?.transaction_version(log_store.as_ref(), &app_id);
        self.lake.wait(reading).with_context(|| format!("read the position of {app_id}"))
    }

    /// Files still to be read.
    pub fn files(&self) -> usize {
        self.waiting + usize::from(self.open.is_some())
    }

    /// Columns of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn next_batch(&mut self) -> anyhow::Result<Option<RecordBatch>> {
        loop {
            if let Some((stream, path, day)) = &mut self.open {
                match self.lake.wait(stream.next()) {
                    Some(batch) => {
                        let batch = batch.with_context(|| format!("read {path}"))?;
                        return complete(&self.schema, &batch, *day, &mut self.nulls).map(Some);
                    }
                    None => self.open = None,
                }
            }
            let Some((TableFile { path, day, .. }, opened)) = self.lake.wait(self.opening.next()) else {
                return Ok(None);
            };
            self.waiting -= 1;
            let builder = self.lake.told(opened.map_err(|error| self.unopened(&path, error)))?;
            let blank = only_nulls(builder.metadata());
            let wanted = builder.schema().fields().iter().enumerate();
            let wanted = wanted
                .filter(|(index, field)| !blank.contains(index) && self.schema.field_with_name(field.name()).is_ok());
            let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.map(|(index, _)| index));
            self.open = Some((builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()?, path, day));
        }
    }
}

/// The columns, not nested ones, that have no value in the whole file, by their places in its schema: what is no more than a
/// length need not be unpacked.
fn only_nulls(file: &ParquetMetaData) -> Vec<usize> {
    let schema = file.file_metadata().schema_descr();
    let leaves = schema.columns().iter().enumerate().filter(|(_, leaf)| leaf.path().parts().len() == 1);
    let blank = leaves.filter(|(leaf, _)| {
        file.row_groups().iter().all(|group| {
            let nulls = group.column(*leaf).statistics().and_then(Statistics::null_count_opt);
            nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(group.num_rows()))
        })
    });
    blank.map(|(leaf, _)| schema.get_column_root_idx(leaf)).collect()
}

/// Adds the partition column and columns without a value in the file, and puts all in the order asked for.
fn complete(
    schema: &SchemaRef,
    batch: &RecordBatch,
    day: i32,
    nulls: &mut [Option<ArrayRef>],
) -> anyhow::Result<RecordBatch> {
    let rows = batch.num_rows();
    let columns = schema.fields().iter().zip(nulls).map(|(field, nulls)| match batch.column_by_name(field.name()) {
        _ if field.name() == EVENT_DATE => Ok(Arc::new(Date32Array::from_value(day, rows)) as ArrayRef),
        Some(column) => typed(column, field),
        None => Ok(nulls.get_or_insert_with(|| new_null_array(field.data_type(), BATCH_ROWS)).slice(0, rows)),
    });
    of_columns(schema, columns.collect::<anyhow::Result<_>>()?, rows)
}

/// Columns by name, in the order of a schema; those the batch lacks are null.
pub(crate) fn in_schema(schema: &SchemaRef, batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let rows = batch.num_rows();
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => typed(column, field),
        None => Ok(new_null_array(field.data_type(), rows)),
    });
    of_columns(schema, columns.collect::<anyhow::Result<_>>()?, rows)
}

/// A column, in the type of a field.
fn typed(column: &ArrayRef, field: &Field) -> anyhow::Result<ArrayRef> {
    match column.data_type() == field.data_type() {
        true => Ok(column.clone()),
        false => Ok(arrow::compute::cast(column, field.data_type())?),
    }
}

/// A batch that may have no columns.
fn of_columns(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> anyhow::Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

impl Scan {
    /// Why a file could not be opened; the log says that it is there.
    fn unopened(&self, path: &Path, error: ParquetError) -> anyhow::Error {
        let table = self.spec.name;
        let gone = matches!(
            self.lake.wait(self.table.log_store().object_store(None).head(path)),
            Err(StoreError::NotFound { .. })
        );
        let error = anyhow::Error::new(error);
        if gone {
            return error.context(format!(
                "the file {path} of the table {table} is gone, though its log has it; restore it from a backup or an \
                 earlier version of the object"
            ));
        }
        error.context(format!("open {path} of the table {table}"))
    }
}

impl Iterator for Scan {
    type Item = anyhow::Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_batch();
        if batch.is_err() {
            (self.opening, self.waiting, self.open) = (futures::stream::empty().boxed(), 0, None);
        }
        batch.transpose()
    }
}

/// Keeps the newest value of each key.
fn newest<K: std::hash::Hash + Eq, V>(into: &mut HashMap<K, (i64, V)>, key: K, rank: i64, value: V) {
    match into.entry(key) {
        std::collections::hash_map::Entry::Vacant(place) => {
            place.insert((rank, value));
        }
        std::collections::hash_map::Entry::Occupied(mut place) if place.get().0 < rank => {
            place.insert((rank, value));
        }
        std::collections::hash_map::Entry::Occupied(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
    use arrow::datatypes::{DataType, Field};
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::file::properties::{EnabledStatistics, WriterProperties};

    use super::*;

    /// Places of the columns that a file of two row groups is found to have no value in.
    fn blank(statistics: EnabledStatistics) -> Vec<usize> {
        let nested = |value: Option<i64>| {
            let field = Arc::new(Field::new("inner", DataType::Int64, true));
            Arc::new(StructArray::from(vec![(field, Arc::new(Int64Array::from(vec![value; 2])) as ArrayRef)]))
                as ArrayRef
        };
        let group = |late: Option<i64>| {
            let columns: [(&str, ArrayRef); 5] = [
                ("nested", nested(None)),
                ("never", Arc::new(StringArray::new_null(2))),
                ("once", Arc::new(StringArray::from(vec![None, Some("")]))),
                ("late", Arc::new(Int64Array::from(vec![late; 2]))),
                ("nor_this", Arc::new(Int64Array::from(vec![None; 2]))),
            ];
            RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| (name, values, true))).unwrap()
        };
        let properties = WriterProperties::builder().set_statistics_enabled(statistics).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), group(None).schema(), Some(properties)).unwrap();
        for late in [None, Some(7)] {
            writer.write(&group(late)).unwrap();
            writer.flush().unwrap();
        }
        let file = bytes::Bytes::from(writer.into_inner().unwrap());
        only_nulls(ParquetRecordBatchReaderBuilder::try_new(file).unwrap().metadata())
    }

    #[test]
    fn a_column_is_left_packed_when_every_row_group_says_that_it_has_only_nulls() {
        assert_eq!(blank(EnabledStatistics::Chunk), [1, 4]);
        assert!(blank(EnabledStatistics::None).is_empty(), "nothing is known, so everything is read");
    }
}
