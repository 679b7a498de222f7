//! Rows as columns, waiting for their file.

use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use rayon::prelude::*;

use crate::column::Column;
use crate::file::Slice;
use crate::packed::{Packed, gather, repeats};

/// A run of rows. Of some two hundred columns most are null in every row, and those take no memory.
#[derive(Debug)]
pub(crate) struct Chunk {
    rows: usize,
    /// `None` is null in every row.
    columns: Vec<Option<Packed>>,
}

impl Chunk {
    /// Makes columns of rows, on every processor.
    pub(crate) fn new<T: Sync>(columns: &[Column<T>], rows: &[&T]) -> Self {
        let packed = columns.par_iter().map(|column| Packed::new(column.filled(rows)));
        Chunk { rows: rows.len(), columns: packed.collect() }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.columns.iter().flatten().map(Packed::bytes).sum()
    }

    fn packed(&self, index: usize) -> Option<&Packed> {
        self.columns.get(index)?.as_ref()
    }

    /// A column of a type, nulls and all.
    pub(crate) fn column(&self, index: usize, of: &DataType) -> Result<ArrayRef, ArrowError> {
        self.packed(index).map_or_else(|| Ok(new_null_array(of, self.rows)), |packed| packed.whole(of))
    }
}

/// The columns of some chunks that have a value in any row, from which rows are taken in any order.
#[derive(Debug)]
pub(crate) struct Chunks<'a> {
    schema: SchemaRef,
    /// Of each column what every chunk has of it.
    columns: Vec<Vec<Option<&'a Packed>>>,
}

impl<'a> Chunks<'a> {
    /// Puts chunks of a schema side by side, without the first `skipped` of its columns.
    pub(crate) fn new(schema: &Schema, chunks: &'a [Chunk], skipped: usize) -> Self {
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for (index, field) in schema.fields().iter().enumerate().skip(skipped) {
            let parts: Vec<_> = chunks.iter().map(|chunk| chunk.packed(index)).collect();
            if parts.iter().any(Option::is_some) {
                columns.push(parts);
                fields.push(field.clone());
            }
        }
        Chunks { schema: Arc::new(Schema::new(fields)), columns }
    }

    /// The columns there are.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Of each leaf of the columns whether it is text that repeats.
    pub(crate) fn repeating(&self) -> Vec<bool> {
        let columns = self.schema.fields().iter().zip(&self.columns);
        columns.flat_map(|(field, parts)| repeats(field.data_type(), parts)).collect()
    }

    /// Rows, each named by its chunk and its place in it.
    pub(crate) fn slice(&'a self, places: &'a [(usize, usize)]) -> Places<'a> {
        Places { chunks: self, places }
    }
}

/// Rows of chunks. A column is copied in their order when it is asked for.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    chunks: &'a Chunks<'a>,
    places: &'a [(usize, usize)],
}

impl Slice for Places<'_> {
    fn rows(&self) -> usize {
        self.places.len()
    }

    fn column(&self, index: usize) -> Result<ArrayRef, ArrowError> {
        gather(self.chunks.schema.field(index).data_type(), &self.chunks.columns[index], self.places)
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
