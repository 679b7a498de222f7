//! Sorted files become one: read a batch at a time, so that memory does not grow with what is merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use anyhow::Context;
use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};

/// Rows of one input at a time: wide rows times many inputs is what a merge holds in memory.
pub(crate) const INPUT_ROWS: usize = 1024;

/// Rows handed on at a time.
const OUTPUT_ROWS: usize = 8 * 1024;

/// Batches of sorted inputs, in one order.
///
/// An input that is not sorted (a file something else wrote) comes out whole all the same, only not in order.
pub(crate) struct Merge<I> {
    inputs: Vec<I>,
    schema: SchemaRef,
    converter: RowConverter,
    sort: Vec<usize>,
    /// The batch each input stands in: its index in `held`, its keys, and the row.
    places: Vec<Option<(usize, Rows, usize)>>,
    heap: BinaryHeap<Reverse<(OwnedRow, usize)>>,
    /// Batches that rows waiting to be handed on come from.
    held: Vec<RecordBatch>,
    waiting: Vec<(usize, usize)>,
    begun: bool,
}

impl<I: Iterator<Item = anyhow::Result<RecordBatch>>> Merge<I> {
    /// Merges inputs of one schema.
    pub(crate) fn new(inputs: Vec<I>, schema: SchemaRef, sort: &[&str]) -> anyhow::Result<Self> {
        let sort: Vec<usize> = sort.iter().filter_map(|name| schema.index_of(name).ok()).collect();
        let fields = sort.iter().map(|index| SortField::new(schema.field(*index).data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let places = inputs.iter().map(|_| None).collect();
        let (heap, held, waiting) = (BinaryHeap::new(), Vec::new(), Vec::new());
        Ok(Merge { inputs, schema, converter, sort, places, heap, held, waiting, begun: false })
    }

    /// Puts an input's next row on the heap, from its next batch where this one is at its end.
    fn advance(&mut self, input: usize) -> anyhow::Result<()> {
        let step = self.places[input].take().map(|(batch, keys, row)| (batch, keys, row + 1));
        let mut place = step.filter(|(_, keys, row)| *row < keys.num_rows());
        while place.is_none() {
            let Some(batch) = self.inputs[input].next().transpose()? else { return Ok(()) };
            if batch.num_rows() > 0 {
                let columns: Vec<_> = self.sort.iter().map(|index| batch.column(*index).clone()).collect();
                place = Some((self.held.len(), self.converter.convert_columns(&columns)?, 0));
                self.held.push(batch);
            }
        }
        if let Some((_, keys, row)) = &place {
            self.heap.push(Reverse((keys.row(*row).owned(), input)));
        }
        self.places[input] = place;
        Ok(())
    }

    /// Hands on what waits, and lets go of batches no input stands in any more.
    fn hand_on(&mut self) -> anyhow::Result<RecordBatch> {
        let held: Vec<&RecordBatch> = self.held.iter().collect();
        let batch = interleave_record_batch(&held, &self.waiting).context("merge rows")?;
        self.waiting.clear();
        let mut kept = Vec::new();
        for (index, _, _) in self.places.iter_mut().flatten() {
            kept.push(self.held[*index].clone());
            *index = kept.len() - 1;
        }
        self.held = kept;
        Ok(batch)
    }

    fn next_batch(&mut self) -> anyhow::Result<Option<RecordBatch>> {
        if !self.begun {
            self.begun = true;
            (0..self.inputs.len()).try_for_each(|input| self.advance(input))?;
        }
        while self.waiting.len() < OUTPUT_ROWS {
            let Some(Reverse((_, input))) = self.heap.pop() else { break };
            if let Some((batch, _, row)) = &self.places[input] {
                self.waiting.push((*batch, *row));
            }
            self.advance(input)?;
        }
        if self.waiting.is_empty() { Ok(None) } else { self.hand_on().map(Some) }
    }

    /// Columns of the batches.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

impl<I: Iterator<Item = anyhow::Result<RecordBatch>>> Iterator for Merge<I> {
    type Item = anyhow::Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    fn batch(schema: &SchemaRef, rows: &[(Option<&str>, i64)]) -> anyhow::Result<RecordBatch> {
        let keys = StringArray::from_iter(rows.iter().map(|row| row.0));
        let values = Int64Array::from_iter_values(rows.iter().map(|row| row.1));
        Ok(RecordBatch::try_new(schema.clone(), vec![Arc::new(keys), Arc::new(values)])?)
    }

    #[test]
    fn rows_of_all_inputs_come_out_once_and_in_order() {
        let fields = vec![Field::new("key", DataType::Utf8, true), Field::new("value", DataType::Int64, false)];
        let schema = Arc::new(Schema::new(fields));
        let inputs = vec![
            vec![batch(&schema, &[(None, 1), (Some("b"), 2)]), batch(&schema, &[]), batch(&schema, &[(Some("d"), 3)])],
            vec![],
            vec![batch(&schema, &[(Some("a"), 4), (Some("b"), 5), (Some("e"), 6)])],
        ];
        let inputs = inputs.into_iter().map(Vec::into_iter).collect();
        let merged = Merge::new(inputs, schema, &["key", "no such column"]).unwrap();
        let values: Vec<i64> =
            merged.flat_map(|batch| batch.unwrap().column(1).as_primitive::<Int64Type>().values().to_vec()).collect();
        assert_eq!(values, [1, 4, 2, 5, 3, 6]);
    }

    #[test]
    fn more_rows_than_are_handed_on_at_a_time_are_merged_without_holding_them_all() {
        let schema = Arc::new(Schema::new(vec![Field::new("value", DataType::Int64, false)]));
        let input = |start: i64| {
            let schema = schema.clone();
            (0..30).map(move |number| {
                let values = (0..1000).map(|row| start + (number * 1000 + row) * 3);
                let values = Int64Array::from_iter_values(values);
                Ok(RecordBatch::try_new(schema.clone(), vec![Arc::new(values)])?)
            })
        };
        let mut merged = Merge::new(vec![input(0), input(1), input(2)], schema.clone(), &["value"]).unwrap();
        let mut next = 0;
        while let Some(batch) = merged.next() {
            assert!(merged.held.len() <= 3, "{} batches are held", merged.held.len());
            for value in batch.unwrap().column(0).as_primitive::<Int64Type>().values() {
                assert_eq!(*value, next);
                next += 1;
            }
        }
        assert_eq!(next, 90_000);
    }
}
