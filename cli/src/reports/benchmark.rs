//! The quarterly benchmark: measures of one quarter beside the quarter before, each with its definition, numerator,
//! denominator and coverage, and the evidence they rest on.
//!
//! The same quarter of the same tables gives the same bytes: no clock is read. As of a moment of knowledge it is made of
//! what was booked, received or emitted by then. A measure whose inputs are absent says so; it is never 0.

mod budgets;
mod evidence;
mod figures;
mod measures;
mod print;
mod rows;

use anyhow::Context;
use schemas::Timestamp;
use serde::Serialize;
use sink::LakeReader;
use sink::read::{Days, Snapshot};

use super::engine;
use super::question::{Period, bounded, dimensions, fill};
pub use evidence::Evidence;
use figures::Sums;
pub use measures::{Coverage, Figure, Measure};
pub use print::{page, table};
pub use quarter::Quarter;
pub use rows::rows;

mod quarter;

/// The benchmark of a quarter.
#[derive(Debug, Clone, Serialize)]
pub struct Benchmark {
    /// The quarter, as `2026Q4`.
    pub quarter: String,
    /// The one before.
    pub previous_quarter: String,
    /// What was known later is left out; null is all that the tables hold.
    pub as_of: Option<String>,
    /// Last day of the quarter with charges, where that is not its last day: it is still running, or nothing was used
    /// since.
    pub charges_until: Option<String>,
    /// The measures.
    pub measures: Vec<Measure>,
    /// What they rest on.
    pub evidence: Evidence,
}

/// The queries, by name, as they ship.
const QUERIES: [(&str, &str); 7] = [
    ("charges", include_str!("../../../schemas/lake/reports/benchmark/charges.sql")),
    ("users", include_str!("../../../schemas/lake/reports/benchmark/users.sql")),
    ("cache", include_str!("../../../schemas/lake/reports/benchmark/cache.sql")),
    ("outcomes", include_str!("../../../schemas/lake/reports/benchmark/outcomes.sql")),
    ("value_units", include_str!("../../../schemas/lake/reports/benchmark/value_units.sql")),
    ("budgets", include_str!("../../../schemas/lake/reports/benchmark/budgets.sql")),
    ("books", include_str!("../../../schemas/lake/reports/benchmark/books.sql")),
];

/// Queries that are asked once for each workload profile and once for all together.
const BY_PROFILE: [&str; 4] = ["charges", "users", "cache", "outcomes"];

/// Makes the benchmark.
///
/// # Errors
/// When the lake cannot be read.
pub fn benchmark(reader: &LakeReader, quarter: Quarter, as_of: Option<Timestamp>) -> anyhow::Result<Benchmark> {
    let previous = quarter.previous();
    let both = Period { from: previous.days().from, to: quarter.days().to };
    let tables = [
        reader.snapshot("charges", both.days(), None)?,
        reader.snapshot("facts", both.days(), None)?,
        // States are filed under the UTC day of their period's first instant: of months that begin east of Greenwich that is in
        // the quarter before.
        reader.snapshot("budgets", Days::ALL, None)?,
    ];
    let mut asked = Vec::new();
    let then = sums(&tables, previous, as_of, &mut asked)?;
    let now = sums(&tables, quarter, as_of, &mut asked)?;
    Ok(Benchmark {
        quarter: quarter.to_string(),
        previous_quarter: previous.to_string(),
        as_of: as_of.map(|at| at.to_string()),
        charges_until: charges_until(&now, quarter),
        measures: measures::measures(&now, &then)?,
        evidence: evidence::gather(&tables, &now, &then, asked)?,
    })
}

/// The last day with charges, unless it is the quarter's last.
fn charges_until(sums: &Sums, quarter: Quarter) -> Option<String> {
    let days = sums.books.iter().filter_map(|line| line.words.get("last_day"));
    let end = quarter.days().to?.to_string();
    days.max().filter(|day| **day < end).cloned()
}

/// A query that was run.
#[derive(Debug, Clone, Serialize)]
pub struct Query {
    /// Its name and what it was asked for.
    pub name: String,
    /// Its text.
    pub sql: String,
}

/// What the queries find for a quarter.
fn sums(
    tables: &[Snapshot],
    quarter: Quarter,
    as_of: Option<Timestamp>,
    asked: &mut Vec<Query>,
) -> anyhow::Result<Sums> {
    let mut sums = Sums::default();
    for (name, file) in QUERIES {
        let groupings: &[Option<&str>] = match BY_PROFILE.contains(&name) {
            true => &[None, Some("workload_profile")],
            false => &[None],
        };
        for by in groupings {
            let mut sql = bounded(file, quarter.days(), as_of)?;
            if BY_PROFILE.contains(&name) {
                let by: Vec<String> = by.iter().map(|name| (*name).to_owned()).collect();
                sql = fill(&sql, "by", &dimensions(&by)?)?;
            }
            let used: Vec<Snapshot> = tables.iter().filter(|table| reads(&sql, table.name())).cloned().collect();
            let rows = engine::query(&used, &sql).with_context(|| format!("ask for {name} of {quarter}"))?;
            sums.add(name, by.is_some(), &rows)?;
            let by = by.map_or(String::new(), |by| format!(" by {by}"));
            asked.push(Query { name: format!("{name} of {quarter}{by}"), sql });
        }
    }
    Ok(sums)
}

/// True when a query reads a table.
fn reads(sql: &str, table: &str) -> bool {
    sql.contains(&format!("FROM {table}"))
}
