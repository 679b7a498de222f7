//! One Parquet file: encoded, with the statistics that its entry in the log carries.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, LogicalType, Type as PhysicalType, ZstdLevel};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnDescriptor, ColumnPath, SchemaDescriptor};
use rayon::prelude::*;
use schemas::Timestamp;
use serde_json::{Map, Value, json};

/// Text in statistics is cut to this length; longer values are left out, as a cut maximum would be wrong.
const STATISTICS_TEXT_MAX: usize = 64;

/// Columns, besides those a table is sorted by, times and positions, that people filter by: their bounds go into the
/// log. The bounds of all columns would make the log as large as the data of a small file.
const FILTERED: &[&str] = &[
    "team",
    "project",
    "environment",
    "provider",
    "model",
    "use_case",
    "class",
    "granularity",
    "kafka_partition",
    "kafka_offset",
];

/// Files with fewer rows have no page statistics: a page index would be larger than what it saves reading.
const PAGED_ROWS: usize = 10_000;

/// Files with fewer rows are packed with Snappy: Zstandard sets up memory for every column, which takes longer than packing
/// what is in it, and such files are soon merged.
const ZSTD_ROWS: usize = 2_000;

/// A row group ends before it would have more rows.
const GROUP_ROWS: usize = 1 << 20;

/// A file in memory.
#[derive(Debug)]
pub struct Encoded {
    /// What the file holds.
    pub bytes: Bytes,
    /// Its rows.
    pub rows: i64,
    /// What the log says about them, as JSON.
    pub statistics: String,
    /// How the file's name ends, by what it is packed with.
    pub ending: &'static str,
}

/// What files of one schema have in common: reckoned once, however many there are.
#[derive(Debug)]
pub struct Form {
    schema: SchemaRef,
    /// Its columns as Parquet counts them: every leaf of a nested one is one.
    leaves: SchemaDescriptor,
    sorted: Vec<SortingColumn>,
    /// Columns with a bloom filter instead of a dictionary.
    lookups: Vec<ColumnPath>,
    /// Leaves whose bounds go into the log.
    stated: Vec<usize>,
    /// Leaves that have a dictionary in files of few rows, too.
    repeating: Vec<bool>,
    /// How files of few rows are written.
    small: WriterPropertiesPtr,
}

impl Form {
    /// The form of files of a schema that are sorted by some columns. In some columns, the `lookups`, single values are looked up.
    ///
    /// # Errors
    /// When a column has a type that Parquet does not know.
    pub fn new(schema: SchemaRef, sort: &[&str], lookups: &[&str]) -> anyhow::Result<Self> {
        let leaves = ArrowSchemaConverter::new().convert(&schema)?;
        let flat = |leaf: &ColumnDescriptor| (leaf.path().parts().len() == 1).then(|| leaf.name().to_owned());
        let names: Vec<Option<String>> = leaves.columns().iter().map(|leaf| flat(leaf)).collect();
        let place = |name: &&str| names.iter().position(|leaf| leaf.as_deref() == Some(*name));
        let sorted = sort.iter().filter_map(place).map(|column| SortingColumn {
            column_idx: column as i32,
            descending: false,
            nulls_first: true,
        });
        let stated = names.iter().zip(leaves.columns()).enumerate().filter(|(_, (name, leaf))| {
            let is_time = matches!(leaf.logical_type_ref(), Some(LogicalType::Timestamp { .. }));
            let listed = |name: &String| sort.contains(&name.as_str()) || FILTERED.contains(&name.as_str());
            name.as_ref().is_some_and(|name| is_time || listed(name))
        });
        let stated = stated.map(|(index, _)| index).collect();
        let lookups = lookups.iter().map(|name| ColumnPath::from(*name)).collect();
        let is_text = |leaf: &ColumnDescriptor| leaf.physical_type() == PhysicalType::BYTE_ARRAY;
        let repeating = leaves.columns().iter().map(|leaf| is_text(leaf)).collect();
        let (sorted, small) = (sorted.collect(), WriterPropertiesPtr::default());
        Form { schema, leaves, sorted, lookups, stated, repeating: Vec::new(), small }.repeating(repeating)
    }

    /// Says of each leaf whether its values repeat within few rows. All text is taken to.
    ///
    /// # Errors
    /// When its files cannot be written like that.
    pub fn repeating(self, leaves: Vec<bool>) -> anyhow::Result<Self> {
        let form = Form { repeating: leaves, ..self };
        let small = Arc::new(form.properties(ZSTD_ROWS - 1)?);
        Ok(Form { small, ..form })
    }

    /// How a file of about so many rows is written.
    fn properties(&self, rows: usize) -> Result<WriterProperties, ParquetError> {
        let small = rows < ZSTD_ROWS;
        let mut properties = WriterProperties::builder()
            .set_compression(if small { Compression::SNAPPY } else { Compression::ZSTD(ZstdLevel::try_new(1)?) })
            .set_statistics_enabled(if rows < PAGED_ROWS { EnabledStatistics::Chunk } else { EnabledStatistics::Page })
            .set_offset_index_disabled(rows < PAGED_ROWS)
            .set_created_by(format!("spendstream {}", env!("CARGO_PKG_VERSION")))
            .set_sorting_columns(Some(self.sorted.clone()));
        // Looking up what is there once, in a table that is made for thousands of values, takes longer than packing it.
        let varied = self.leaves.columns().iter().zip(&self.repeating).filter(|(_, repeats)| small && !**repeats);
        for (leaf, _) in varied {
            properties = properties.set_column_dictionary_enabled(leaf.path().clone(), false);
        }
        for path in &self.lookups {
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_bloom_filter_enabled(path.clone(), true)
                // It is folded to what its values need.
                .set_column_bloom_filter_max_ndv(path.clone(), rows.max(1) as u64);
        }
        Ok(properties.build())
    }

    /// Encodes about so many rows, as they come, as a file; `parallel` where its columns, which do not depend on one another, are
    /// encoded on every processor.
    ///
    /// # Errors
    /// When rows cannot be had, or are of another schema.
    pub fn encode(
        &self,
        slices: impl Iterator<Item = anyhow::Result<impl Slice>>,
        rows: usize,
        parallel: bool,
    ) -> anyhow::Result<Encoded> {
        let small = rows < ZSTD_ROWS;
        let properties = if small { self.small.clone() } else { Arc::new(self.properties(rows)?) };
        let mut file = SerializedFileWriter::new(Vec::new(), self.leaves.root_schema_ptr(), properties)?;
        let factory = ArrowRowGroupWriterFactory::new(&file, self.schema.clone());
        let (mut columns, mut group_rows, mut groups) = (Vec::new(), 0, 0);
        for slice in slices {
            let slice = slice?;
            if !columns.is_empty() && group_rows + slice.rows() > GROUP_ROWS {
                close(&mut file, std::mem::take(&mut columns), parallel)?;
                (group_rows, groups) = (0, groups + 1);
            }
            if columns.is_empty() {
                columns = factory.create_column_writers(groups)?;
            }
            let roots = (0..self.leaves.num_columns()).map(|leaf| self.leaves.get_column_root_idx(leaf));
            let mut writers: Vec<Vec<&mut ArrowColumnWriter>> =
                self.schema.fields().iter().map(|_| Vec::new()).collect();
            roots.zip(&mut columns).for_each(|(root, writer)| writers[root].push(writer));
            let write = |(index, writers): (usize, Vec<&mut ArrowColumnWriter>)| {
                let leaves = compute_leaves(self.schema.field(index), &slice.column(index)?)?;
                writers.into_iter().zip(leaves).try_for_each(|(writer, leaf)| writer.write(&leaf))
            };
            if parallel {
                writers.into_par_iter().enumerate().try_for_each(write)?;
            } else {
                writers.into_iter().enumerate().try_for_each(write)?;
            }
            group_rows += slice.rows();
        }
        close(&mut file, columns, parallel)?;
        let metadata = file.finish()?;
        let statistics = self.statistics(&metadata);
        let rows = metadata.file_metadata().num_rows();
        let ending = if small { "snappy.parquet" } else { "zstd.parquet" };
        Ok(Encoded { bytes: Bytes::from(std::mem::take(file.inner_mut())), rows, statistics, ending })
    }

    /// Statistics as Delta wants them: JSON. Decimals are left out, because JSON numbers become floats in many readers.
    fn statistics(&self, metadata: &ParquetMetaData) -> String {
        let (mut least, mut most, mut nulls) = (Map::new(), Map::new(), Map::new());
        for index in &self.stated {
            let leaf = self.leaves.column(*index);
            let groups = metadata.row_groups().iter().map(|group| group.column(*index).statistics());
            let Some(groups) = groups.collect::<Option<Vec<_>>>().filter(|groups| !groups.is_empty()) else { continue };
            if let Some(count) = groups.iter().map(|group| group.null_count_opt()).sum::<Option<u64>>() {
                nulls.insert(leaf.name().to_owned(), count.into());
            }
            if let Some((low, high)) = bounds(&groups, leaf.logical_type_ref()) {
                least.insert(leaf.name().to_owned(), low);
                most.insert(leaf.name().to_owned(), high);
            }
        }
        json!({
            "numRecords": metadata.file_metadata().num_rows(),
            "minValues": least,
            "maxValues": most,
            "nullCount": nulls,
        })
        .to_string()
    }
}

/// Rows, of which columns are asked for one by one, by several threads.
pub trait Slice: Sync {
    /// How many.
    fn rows(&self) -> usize;

    /// A column, by its place in the schema.
    ///
    /// # Errors
    /// When it cannot be had.
    fn column(&self, index: usize) -> Result<ArrayRef, ArrowError>;
}

impl Slice for RecordBatch {
    fn rows(&self) -> usize {
        self.num_rows()
    }

    fn column(&self, index: usize) -> Result<ArrayRef, ArrowError> {
        Ok(self.column(index).clone())
    }
}

/// Columns of a file that its statistics say have no value. Not those of lists and structs: an empty list is a value.
pub(crate) fn empty_columns(metadata: &ParquetMetaData) -> Vec<String> {
    let columns = metadata.file_metadata().schema_descr().columns();
    let flat = columns.iter().enumerate().filter(|(_, column)| column.path().parts().len() == 1);
    let empty = flat.filter(|(index, _)| {
        metadata.row_groups().iter().all(|group| {
            let nulls = group.column(*index).statistics().and_then(Statistics::null_count_opt);
            nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(group.num_rows()))
        })
    });
    empty.map(|(_, column)| column.name().to_owned()).collect()
}

/// Ends a row group.
fn close(
    file: &mut SerializedFileWriter<Vec<u8>>,
    columns: Vec<ArrowColumnWriter>,
    parallel: bool,
) -> Result<(), ParquetError> {
    if columns.is_empty() {
        return Ok(());
    }
    let close = |column: ArrowColumnWriter| column.close();
    let chunks: Result<Vec<_>, _> =
        if parallel { columns.into_par_iter().map(close).collect() } else { columns.into_iter().map(close).collect() };
    let mut group = file.next_row_group()?;
    chunks?.into_iter().try_for_each(|chunk| chunk.append_to_row_group(&mut group))?;
    group.close()?;
    Ok(())
}

fn bounds(groups: &[&Statistics], logical: Option<&LogicalType>) -> Option<(Value, Value)> {
    let present = groups.iter().filter(|group| group.min_bytes_opt().is_some());
    match logical {
        Some(LogicalType::Timestamp { .. }) => {
            let (low, high) = longs(present)?;
            let text = |micros| {
                let time = Timestamp::from_micros(micros).to_datetime()?;
                Some(Value::from(time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()))
            };
            Some((text(low)?, text(high)?))
        }
        Some(LogicalType::String) => {
            let text = |value: &ByteArray| String::from_utf8(value.data().to_vec()).ok();
            let (mut low, mut high): (Option<String>, Option<String>) = (None, None);
            for group in present {
                let Statistics::ByteArray(values) = group else { return None };
                if !(values.min_is_exact() && values.max_is_exact()) {
                    return None;
                }
                let (min, max) = (text(values.min_opt()?)?, text(values.max_opt()?)?);
                if min.len() > STATISTICS_TEXT_MAX || max.len() > STATISTICS_TEXT_MAX {
                    return None;
                }
                low = Some(low.map_or(min.clone(), |low| low.min(min)));
                high = Some(high.map_or(max.clone(), |high| high.max(max)));
            }
            Some((low?.into(), high?.into()))
        }
        Some(LogicalType::Decimal { .. }) => None,
        _ => longs(present).map(|(low, high)| (low.into(), high.into())),
    }
}

fn longs<'a>(groups: impl Iterator<Item = &'a &'a Statistics>) -> Option<(i64, i64)> {
    let mut bounds: Option<(i64, i64)> = None;
    for group in groups {
        let (min, max) = match group {
            Statistics::Int64(values) => (*values.min_opt()?, *values.max_opt()?),
            Statistics::Int32(values) => (i64::from(*values.min_opt()?), i64::from(*values.max_opt()?)),
            _ => return None,
        };
        bounds = Some(bounds.map_or((min, max), |(low, high)| (low.min(min), high.max(max))));
    }
    bounds
}
