//! What a benchmark rests on: versions and files of the tables, price books, and the queries as they were run.

use std::collections::BTreeMap;

use anyhow::Context;
use schemas::Money;
use serde::Serialize;
use sink::read::Snapshot;

use super::Query;
use super::figures::Sums;

/// A file of a table.
#[derive(Debug, Clone, Serialize)]
pub struct File {
    /// Its path within the table.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its rows.
    pub rows: Option<u64>,
    /// SHA-256 of its content.
    pub sha256: String,
}

/// A table, at the version that was read.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its version; null when nobody has written it yet.
    pub version: Option<u64>,
    /// Rows of the files, those of other times and those that were known later among them.
    pub rows: u64,
    /// The files of the two quarters.
    pub files: Vec<File>,
}

/// A price book, and what was priced by it.
#[derive(Debug, Clone, Serialize)]
pub struct Book {
    /// Its version.
    pub version: String,
    /// Calls.
    pub requests: String,
    /// Rows of charges.
    pub charges: String,
}

/// What a benchmark rests on.
#[derive(Debug, Clone, Serialize)]
pub struct Evidence {
    /// Program that made it.
    pub program: String,
    /// The tables.
    pub tables: Vec<Table>,
    /// Price books of the quarter.
    pub price_books: Vec<Book>,
    /// Price books of the quarter before.
    pub price_books_before: Vec<Book>,
    /// The queries, in the order they were run.
    pub queries: Vec<Query>,
}

pub(super) fn gather(tables: &[Snapshot], now: &Sums, then: &Sums, queries: Vec<Query>) -> anyhow::Result<Evidence> {
    Ok(Evidence {
        program: format!("spendstream {}", env!("CARGO_PKG_VERSION")),
        tables: tables.iter().map(table).collect::<anyhow::Result<_>>()?,
        price_books: books(now)?,
        price_books_before: books(then)?,
        queries,
    })
}

fn table(snapshot: &Snapshot) -> anyhow::Result<Table> {
    let files = snapshot.files().iter().map(|file| {
        let sha256 =
            snapshot.sha256(file).with_context(|| format!("hash the files of the table {}", snapshot.name()))?;
        Ok(File { path: file.path.to_string(), bytes: file.bytes, rows: file.rows, sha256 })
    });
    let files = files.collect::<anyhow::Result<Vec<_>>>()?;
    let rows = files.iter().filter_map(|file| file.rows).sum();
    Ok(Table { name: snapshot.name(), version: snapshot.version(), rows, files })
}

fn books(sums: &Sums) -> anyhow::Result<Vec<Book>> {
    let count = |of: &BTreeMap<String, i128>, name: &str| {
        let count = Money::from_picos(of.get(name).copied().unwrap_or(0));
        count.map(|count| count.to_string()).context("a count needs more than 38 digits")
    };
    let book = |line: &super::figures::Line| {
        Ok(Book {
            version: line.words.get("book_version").cloned().unwrap_or_default(),
            requests: count(&line.sums, "requests")?,
            charges: count(&line.sums, "charges")?,
        })
    };
    sums.books.iter().map(book).collect()
}
