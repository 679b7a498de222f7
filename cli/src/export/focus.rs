//! Cost and usage in the columns of FOCUS 1.2: the query that ships, over the charges of a version of the lake.

use anyhow::Context;
use arrow::array::RecordBatch;
use sink::read::Snapshot;

use super::Request;
use crate::reports::engine;
use crate::reports::question::{Period, bounded};

/// As it ships, for DuckDB and for us.
const FILE: &str = include_str!("../../../schemas/lake/focus.sql");

/// The query of a request.
pub(super) fn sql(request: &Request) -> anyhow::Result<String> {
    bounded(FILE, Period { from: request.from, to: request.to }, request.as_of)
}

/// Its rows, whose order is the query's.
pub(super) fn answer(charges: &Snapshot, sql: &str) -> anyhow::Result<RecordBatch> {
    stream::memory::small_pages();
    engine::query(std::slice::from_ref(charges), sql).context(
        "ask for the rows of FOCUS; when they are too many for memory, export fewer days at a time with --from and --to",
    )
}
