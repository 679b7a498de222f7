//! The benchmark as rows, one for each figure: for a spreadsheet or a table of all quarters.

use std::sync::Arc;

use anyhow::Context;
use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray};
use schemas::Money;

use super::Benchmark;
use super::measures::{Figure, Measure};

type Words = fn(&Benchmark, &Measure, &Figure) -> Option<String>;
type Amount = fn(&Figure) -> Option<&str>;

const WORDS: [(&str, Words); 8] = [
    ("quarter", |benchmark, _, _| Some(benchmark.quarter.clone())),
    ("as_of", |benchmark, _, _| benchmark.as_of.clone()),
    ("measure", |_, measure, _| Some(measure.name.to_owned())),
    ("unit", |_, measure, _| Some(measure.unit.to_owned())),
    ("profile", |_, _, figure| Some(figure.profile.clone())),
    ("subject", |_, _, figure| figure.subject.clone()),
    ("tenant", |_, _, figure| figure.tenant.clone()),
    ("currency", |_, _, figure| figure.currency.clone()),
];

const AMOUNTS: [(&str, Amount); 7] = [
    ("numerator", |figure| Some(&figure.numerator)),
    ("denominator", |figure| figure.denominator.as_deref()),
    ("value", |figure| Some(&figure.value)),
    ("answered", |figure| Some(&figure.coverage.answered)),
    ("of", |figure| Some(&figure.coverage.of)),
    ("coverage", |figure| figure.coverage.share.as_deref()),
    ("previous", |figure| Some(&figure.previous)),
];

/// Every figure. A value without coverage is null, never 0.
///
/// # Errors
/// When a figure needs more than 38 digits.
pub fn rows(benchmark: &Benchmark) -> anyhow::Result<RecordBatch> {
    let figures = || benchmark.measures.iter().flat_map(|measure| measure.figures.iter().map(move |of| (measure, of)));
    let words = WORDS.iter().map(|(name, read)| {
        let column = figures().map(|(measure, figure)| read(benchmark, measure, figure));
        (*name, Arc::new(column.collect::<StringArray>()) as ArrayRef)
    });
    let amounts = AMOUNTS.iter().map(|(name, read)| {
        let column = figures().map(|(_, figure)| read(figure)?.parse().ok().map(Money::picos));
        let column = column.collect::<Decimal128Array>().with_precision_and_scale(38, 12);
        anyhow::Ok((*name, Arc::new(column.with_context(|| format!("column {name}"))?) as ArrayRef))
    });
    let columns = words.map(Ok).chain(amounts).collect::<anyhow::Result<Vec<_>>>()?;
    // Every column may be null, so that the schema is the same whatever the figures.
    Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))?)
}
