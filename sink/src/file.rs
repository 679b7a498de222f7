//! One Parquet file: encoded, with the statistics that its entry in the log carries.

use std::sync::{Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowWriterOptions, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression, LogicalType, ZstdLevel};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
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
}

/// Encodes batches of one schema, of about this many rows together, as a file: sorted by `sort` as they come, and with a
/// bloom filter instead of a dictionary for each of `lookups`.
///
/// # Errors
/// When a batch cannot be had, or is of another schema.
pub fn encode(
    schema: SchemaRef,
    batches: impl Iterator<Item = anyhow::Result<RecordBatch>>,
    rows: usize,
    sort: &[&str],
    lookups: &[&str],
) -> anyhow::Result<Encoded> {
    // Counted as Parquet counts: every leaf of a nested column is one.
    let leaves = ArrowSchemaConverter::new().convert(&schema)?;
    let leaf = |name: &&str| leaves.columns().iter().position(|leaf| leaf.path().string() == *name);
    let sorted = sort.iter().filter_map(leaf).map(|column| SortingColumn {
        column_idx: column as i32,
        descending: false,
        nulls_first: true,
    });
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(if rows < PAGED_ROWS { EnabledStatistics::Chunk } else { EnabledStatistics::Page })
        .set_offset_index_disabled(rows < PAGED_ROWS)
        .set_created_by(format!("spendstream {}", env!("CARGO_PKG_VERSION")))
        .set_sorting_columns(Some(sorted.collect()));
    for name in lookups {
        let path = ColumnPath::from(*name);
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_max_ndv(path, rows.max(1) as u64);
    }
    let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
    let writer = ArrowWriter::try_new_with_options(Vec::new(), schema.clone(), options)?;
    let (mut file, factory) = writer.into_serialized_writer()?;
    let (mut columns, mut group_rows, mut groups) = (Vec::new(), 0, 0);
    for batch in batches {
        let batch = batch?;
        if !columns.is_empty() && group_rows + batch.num_rows() > GROUP_ROWS {
            close(&mut file, std::mem::take(&mut columns))?;
            (group_rows, groups) = (0, groups + 1);
        }
        if columns.is_empty() {
            columns = factory.create_column_writers(groups)?;
        }
        let fields = schema.fields().iter().zip(batch.columns());
        let leaves = fields.map(|(field, column)| compute_leaves(field, column)).collect::<Result<Vec<_>, _>>()?;
        side_by_side(columns.iter_mut().zip(leaves.into_iter().flatten()), |(column, leaf)| column.write(&leaf))?;
        group_rows += batch.num_rows();
    }
    close(&mut file, columns)?;
    let metadata = file.finish()?;
    let statistics = statistics(&metadata, sort);
    let rows = metadata.file_metadata().num_rows();
    Ok(Encoded { bytes: Bytes::from(std::mem::take(file.inner_mut())), rows, statistics })
}

/// Ends a row group.
fn close(file: &mut SerializedFileWriter<Vec<u8>>, columns: Vec<ArrowColumnWriter>) -> Result<(), ParquetError> {
    if columns.is_empty() {
        return Ok(());
    }
    let mut chunks: Vec<Option<ArrowColumnChunk>> = columns.iter().map(|_| None).collect();
    side_by_side(columns.into_iter().zip(&mut chunks), |(column, chunk)| {
        *chunk = Some(column.close()?);
        Ok(())
    })?;
    let mut group = file.next_row_group()?;
    chunks.into_iter().flatten().try_for_each(|chunk| chunk.append_to_row_group(&mut group))?;
    group.close()?;
    Ok(())
}

/// Works on columns on every processor: encoding them is most of what writing takes, and none depends on another.
fn side_by_side<T: Send>(
    columns: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> Result<(), ParquetError> + Sync,
) -> Result<(), ParquetError> {
    let columns = Mutex::new(columns);
    let share = || {
        loop {
            let next = columns.lock().unwrap_or_else(PoisonError::into_inner).next();
            match next {
                Some(column) => work(column)?,
                None => return Ok(()),
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(share)).collect();
        let own = share();
        let ends =
            others.into_iter().map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ends.fold(own, Result::and)
    })
}

/// Statistics as Delta wants them: JSON. Decimals are left out, because JSON numbers become floats in many readers.
fn statistics(metadata: &ParquetMetaData, sort: &[&str]) -> String {
    let (mut least, mut most, mut nulls) = (Map::new(), Map::new(), Map::new());
    let columns = metadata.row_groups().first().map(|group| group.columns()).unwrap_or_default();
    for (index, column) in columns.iter().enumerate() {
        if column.column_path().parts().len() > 1 {
            continue;
        }
        let name = column.column_path().string();
        let is_time = matches!(column.column_descr().logical_type_ref(), Some(LogicalType::Timestamp { .. }));
        if !(is_time || sort.contains(&name.as_str()) || FILTERED.contains(&name.as_str())) {
            continue;
        }
        let groups = metadata.row_groups().iter().map(|group| group.column(index).statistics());
        let Some(groups) = groups.collect::<Option<Vec<_>>>() else { continue };
        if let Some(count) = groups.iter().map(|group| group.null_count_opt()).sum::<Option<u64>>() {
            nulls.insert(name.clone(), count.into());
        }
        if let Some((low, high)) = bounds(&groups, column.column_descr().logical_type_ref()) {
            least.insert(name.clone(), low);
            most.insert(name, high);
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
