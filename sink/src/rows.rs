//! What a table is made of: which topic it reads, how a record becomes rows, and which columns a row has.

use std::sync::Arc;

use schemas::codec::{Format, Items};
use schemas::projection::Projection;
use schemas::wire::Wire;
use schemas::{Batch, BatchItem, Id128, Lineage, Text};
use stream::Record;
use stream::books::BATCH_FORMAT;

use crate::column::{self, Column};

mod alerts;
mod batches;
mod budgets;
mod charges;
mod facts;
mod ledger;
mod rejected;
mod windows;

pub use alerts::Alerts;
pub use batches::{Amount, BatchRow, Batches};
pub use budgets::Budgets;
pub use charges::Charges;
pub(crate) use charges::meter_name;
pub use facts::Facts;
pub use ledger::Ledger;
pub use rejected::Rejected;
pub use windows::Windows;

/// Where a row comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Partition of the topic the table reads.
    pub partition: i32,
    /// Offset of the record.
    pub offset: i64,
    /// Index of the item within the record.
    pub item: i32,
    /// Lineage of the batch; `None` on topics that hold one item a record.
    pub source: Option<Arc<SourceBatch>>,
}

/// The internal batch a row came in.
#[derive(Debug, Clone)]
pub struct SourceBatch {
    /// Source topic.
    pub topic: Text,
    /// Source partition.
    pub partition: i32,
    /// Topology generation.
    pub generation: i32,
    /// Sequence from this source partition to this target partition.
    pub sequence: i64,
}

impl From<&Lineage> for SourceBatch {
    fn from(lineage: &Lineage) -> Self {
        SourceBatch {
            topic: lineage.source_topic.clone(),
            partition: lineage.source_partition,
            generation: lineage.generation,
            sequence: lineage.sequence,
        }
    }
}

/// An item on its way to a table.
#[derive(Debug)]
pub struct Row<T> {
    /// The item.
    pub item: T,
    /// Where it comes from.
    pub origin: Origin,
}

/// A record, taken apart.
#[derive(Debug)]
pub struct Decoded<T> {
    /// Lineage, on internal topics.
    pub lineage: Option<Lineage>,
    /// Items; none in a heartbeat and in a tombstone.
    pub items: Vec<T>,
}

/// A table of the lake.
pub trait Rows: Send + Sync + 'static {
    /// What a row is made from.
    type Item: Send + Sync + 'static;
    /// Name of the table.
    const TABLE: &'static str;
    /// The topic it reads.
    const TOPIC: &'static str;
    /// One sentence on what a row is.
    const ABOUT: &'static str;
    /// Columns that rows are sorted by within a file, so that readers can skip pages.
    const SORT: &'static [&'static str];
    /// Columns people look single values up in: they get a bloom filter instead of a dictionary.
    const LOOKUPS: &'static [&'static str] = &[];

    /// Made once per table.
    fn new() -> Self;

    /// Takes a record apart.
    ///
    /// # Errors
    /// When it was not written by this system, or by a newer release of it.
    fn decode(&self, record: &Record<'_>) -> Result<Decoded<Self::Item>, String>;

    /// Day the row belongs to, since 1970, in UTC: the `event_date` partition.
    fn event_date(item: &Self::Item) -> i32;

    /// What a newer row replaces an older one by; `None` where every row counts. Only the newest of those that wait
    /// for the same file is written.
    fn key(_: &Self::Item) -> Option<Id128> {
        None
    }

    /// The columns, `event_date` and the origin left out.
    fn columns() -> Vec<Column<Row<Self::Item>>>;
}

/// Every column of a table, `event_date` first and the origin last.
pub fn all_columns<R: Rows>() -> Vec<Column<Row<R::Item>>> {
    let mut columns =
        vec![column::date("event_date", "Partition of the table.", |row: &Row<R::Item>| R::event_date(&row.item))];
    columns.extend(R::columns());
    columns.extend(origin_columns());
    columns
}

fn origin_columns<T: 'static>() -> Vec<Column<Row<T>>> {
    use column::{int, long, text};
    vec![
        int("kafka_partition", "", "Partition of the topic the table reads.", |row| Some(row.origin.partition)),
        long("kafka_offset", "", "Offset of the record in it.", |row| Some(row.origin.offset)),
        int("batch_item", "", "Index of the item within the record, from 0.", |row| Some(row.origin.item)),
        text("source_topic", "Topic the producing stage read.", |row| Some(row.origin.source.as_ref()?.topic.as_str())),
        int("source_partition", "", "Partition the producing stage read.", |row| {
            Some(row.origin.source.as_ref()?.partition)
        }),
        int("generation", "", "Topology generation; grows when the number of partitions changes.", |row| {
            Some(row.origin.source.as_ref()?.generation)
        }),
        long("sequence", "", "Batch of that source partition to this partition, counted from 0.", |row| {
            Some(row.origin.source.as_ref()?.sequence)
        }),
    ]
}

/// Opens a record of an internal topic: its lineage, and its items one after the other.
fn open<'a, P: Projection<Of: BatchItem>>(
    format: &Format<Batch<P::Of>>,
    record: &Record<'a>,
) -> Result<(Lineage, Items<'a, P>), String> {
    let payload = record.payload.ok_or_else(|| "the record has no value".to_owned())?;
    let (lineage, items) = format.open(payload).map_err(|error| error.to_string())?;
    match lineage.format {
        BATCH_FORMAT => Ok((lineage, items)),
        other => Err(format!("batch format {other} is newer than this release ({BATCH_FORMAT})")),
    }
}

fn items_of_batch<T: BatchItem>(format: &Format<Batch<T>>, record: &Record<'_>) -> Result<Decoded<T>, String> {
    let (lineage, mut left) = open::<T>(format, record)?;
    let mut items = Vec::new();
    while let Some(item) = left.read().map_err(|error| error.to_string())? {
        items.push(item);
    }
    Ok(Decoded { lineage: Some(lineage), items })
}

/// Takes a record of a topic with one item a record apart; a tombstone holds none.
fn single_item<T: Wire>(format: &Format<T>, record: &Record<'_>) -> Result<Decoded<T>, String> {
    let items = match record.payload {
        None => Vec::new(),
        Some(payload) => vec![format.decode(payload).map_err(|error| error.to_string())?],
    };
    Ok(Decoded { lineage: None, items })
}
