//! Rows as columns, waiting for their file.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use rayon::prelude::*;

use crate::column::Column;
use crate::file::Slice;

/// A run of rows. Of some two hundred columns most are null in every row, and those take no memory.
#[derive(Debug)]
pub(crate) struct Chunk {
    rows: usize,
    /// `None` is null in every row.
    columns: Vec<Option<ArrayRef>>,
}

impl Chunk {
    /// Makes columns of rows, on every processor.
    pub(crate) fn new<T: Sync>(columns: &[Column<T>], rows: &[&T]) -> Self {
        let filled = columns.par_iter().map(|column| {
            let mut array = column.filled(rows);
            (array.null_count() < array.len()).then(|| {
                array.shrink_to_fit();
                array
            })
        });
        Chunk { rows: rows.len(), columns: filled.collect() }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.columns.iter().flatten().map(|array| array.get_array_memory_size()).sum()
    }

    /// A column of a type, nulls and all.
    pub(crate) fn column(&self, index: usize, of: &DataType) -> ArrayRef {
        self.columns.get(index).cloned().flatten().unwrap_or_else(|| new_null_array(of, self.rows))
    }
}

/// The columns of some chunks that have a value in any row, from which rows are taken in any order.
#[derive(Debug)]
pub(crate) struct Chunks {
    schema: SchemaRef,
    /// Of each column its array of every chunk.
    columns: Vec<Vec<ArrayRef>>,
}

impl Chunks {
    /// Puts chunks of a schema side by side, without the first `skipped` of its columns.
    pub(crate) fn new(schema: &Schema, chunks: &[Chunk], skipped: usize) -> Self {
        let longest = chunks.iter().map(Chunk::rows).max().unwrap_or_default();
        // One for all columns of a type: rows of a chunk that has no values are looked up in it.
        let mut nulls: HashMap<DataType, ArrayRef> = HashMap::new();
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for (index, field) in schema.fields().iter().enumerate().skip(skipped) {
            let found = |chunk: &Chunk| chunk.columns.get(index).is_some_and(Option::is_some);
            if !chunks.iter().any(found) {
                continue;
            }
            let of = field.data_type();
            let mut array = |chunk: &Chunk| match chunk.columns.get(index) {
                Some(Some(array)) => array.clone(),
                _ => nulls.entry(of.clone()).or_insert_with(|| new_null_array(of, longest)).clone(),
            };
            columns.push(chunks.iter().map(&mut array).collect());
            fields.push(field.clone());
        }
        Chunks { schema: Arc::new(Schema::new(fields)), columns }
    }

    /// The columns there are.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Rows, each named by its chunk and its place in it.
    pub(crate) fn slice<'a>(&'a self, places: &'a [(usize, usize)]) -> Places<'a> {
        Places { chunks: self, places }
    }
}

/// Rows of chunks. A column is copied in their order when it is asked for.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    chunks: &'a Chunks,
    places: &'a [(usize, usize)],
}

impl Slice for Places<'_> {
    fn rows(&self) -> usize {
        self.places.len()
    }

    fn column(&self, index: usize) -> Result<ArrayRef, ArrowError> {
        let arrays = self.chunks.columns[index].iter().map(AsRef::as_ref);
        interleave(&arrays.collect::<Vec<_>>(), self.places)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::column::{self, long};

    /// A row of three columns.
    type Row = [Option<i64>; 3];

    #[test]
    fn a_column_that_some_chunks_lack_is_null_in_their_rows_and_one_that_all_lack_is_left_out() {
        let columns: Vec<Column<Row>> = vec![
            long("always", "", "", |row: &Row| row[0]),
            long("sometimes", "", "", |row: &Row| row[1]),
            long("never", "", "", |row: &Row| row[2]),
        ];
        let chunk = |rows: &[Row]| Chunk::new(&columns, &rows.iter().collect::<Vec<_>>());
        let bare = chunk(&[[Some(1), None, None]]);
        let full = chunk(&[[Some(2), Some(20), None], [Some(3), None, None], [Some(4), Some(40), None]]);
        assert!(bare.bytes() < full.bytes());
        let (schema, chunks) = (column::schema(&columns), [bare, full]);
        let columns_from = |skipped| {
            let of = Chunks::new(&schema, &chunks, skipped).schema();
            of.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
        };
        assert_eq!(columns_from(0), ["always", "sometimes"]);
        assert_eq!(columns_from(1), ["sometimes"]);
        let chunks = Chunks::new(&schema, &chunks, 0);
        let places = [(1, 2), (0, 0), (1, 0), (1, 1)];
        let slice = chunks.slice(&places);
        let values = |index| slice.column(index).unwrap().as_primitive::<Int64Type>().iter().collect::<Vec<_>>();
        assert_eq!(values(0), [Some(4), Some(1), Some(2), Some(3)]);
        assert_eq!(values(1), [Some(40), None, Some(20), None]);
    }
}
