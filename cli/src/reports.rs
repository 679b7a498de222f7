//! Reports that are asked for by name, dimensions and period: SQL that ships as files, run over the tables of the lake.
//!
//! A [`Request`] becomes the text of one query ([`question`]); the engine answers it in exact decimals ([`engine`]);
//! ratios are added outside of SQL, where a division would make floats ([`ratio`]); [`show`] and [`page`] give the
//! answer its form. The same text runs in DuckDB.

pub mod benchmark;
pub mod engine;
pub mod margin;
pub mod page;
pub mod question;
pub mod ratio;
pub mod show;

use anyhow::Context;
use arrow::array::RecordBatch;
use sink::LakeReader;

pub use question::{Period, Request, What};

/// An answer, and what it was made from.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was asked.
    pub request: Request,
    /// The query that was run.
    pub sql: String,
    /// Version of the table `charges`; `None` when nobody has written it yet.
    pub version: Option<u64>,
    /// Its rows.
    pub rows: RecordBatch,
}

/// Answers a request.
///
/// # Errors
/// When a dimension is unknown, or the lake cannot be read.
pub fn ask(reader: &LakeReader, request: &Request) -> anyhow::Result<Answer> {
    let sql = request.sql()?;
    let charges = reader.snapshot("charges", request.period.days(), None)?;
    let rows = engine::query(std::slice::from_ref(&charges), &sql)
        .with_context(|| format!("answer the report {}", request.what.name()))?;
    let rows = ratio::add(&rows, request.what.ratios())?;
    Ok(Answer { request: request.clone(), sql, version: charges.version(), rows })
}
