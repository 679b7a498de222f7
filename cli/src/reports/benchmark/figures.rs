//! What the benchmark's queries found: sums by name, for each workload profile and for all together.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;

use crate::reports::{ratio, show};

/// Of what: all calls, or those of a workload profile. A profile without a name is that of calls that state none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    All,
    Profile(Option<String>),
}

/// Named sums, in 10^-12.
pub(super) type Named = BTreeMap<String, i128>;

/// A row whose words name it.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pub words: BTreeMap<String, String>,
    pub sums: Named,
}

/// What was found for a quarter.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    /// Sums of charges, by scope and currency.
    pub calls: BTreeMap<(Scope, String), Named>,
    /// Sums of outcomes, by scope.
    pub outcomes: BTreeMap<Scope, Named>,
    /// Units of value, by workload and name.
    pub value_units: Vec<Line>,
    /// Budgets.
    pub budgets: Vec<Line>,
    /// Price books.
    pub books: Vec<Line>,
}

impl Sums {
    /// Takes in what a query found.
    pub(super) fn add(&mut self, query: &str, by_profile: bool, rows: &RecordBatch) -> anyhow::Result<()> {
        for row in 0..rows.num_rows() {
            let line = line(rows, row)?;
            let scope = match by_profile {
                true => Scope::Profile(line.words.get("workload_profile").cloned()),
                false => Scope::All,
            };
            match query {
                "charges" | "cache" | "users" => {
                    let currency = line.words.get("currency").cloned().context("a charge has no currency")?;
                    self.calls.entry((scope, currency)).or_default().extend(line.sums);
                }
                "outcomes" => self.outcomes.entry(scope).or_default().extend(line.sums),
                "value_units" => self.value_units.push(line),
                "budgets" => self.budgets.push(line),
                _ => self.books.push(line),
            }
        }
        Ok(())
    }

    /// Sums of charges by scope: each currency by itself, or, of what is no money, all together.
    pub(super) fn calls_by_scope(&self, of_money: bool) -> BTreeMap<(Scope, Option<String>), Named> {
        let mut found: BTreeMap<(Scope, Option<String>), Named> = BTreeMap::new();
        for ((scope, currency), sums) in &self.calls {
            let place = found.entry((scope.clone(), of_money.then(|| currency.clone()))).or_default();
            for (name, sum) in sums {
                let total = place.entry(name.clone()).or_default();
                *total = total.saturating_add(*sum);
            }
        }
        found
    }

    /// Currencies in which a scope has a cost, or calls that are known to cost nothing.
    pub(super) fn paid_in(&self, scope: &Scope) -> BTreeSet<String> {
        let has = |sums: &Named, name: &str| sums.get(name).is_some_and(|sum| *sum != 0);
        let paid = self
            .calls
            .iter()
            .filter(|((of, _), sums)| of == scope && (has(sums, "effective_cost") || has(sums, "priced_calls")));
        paid.map(|((_, currency), _)| currency.clone()).collect()
    }

    /// A sum over all currencies: of what is no money.
    pub(super) fn over_currencies(&self, scope: &Scope, name: &str) -> i128 {
        let of = self.calls.iter().filter(|((of, _), _)| of == scope);
        of.filter_map(|(_, sums)| sums.get(name)).fold(0, |total, sum| total.saturating_add(*sum))
    }
}

fn line(rows: &RecordBatch, row: usize) -> anyhow::Result<Line> {
    let mut line = Line::default();
    for (at, field) in rows.schema().fields().iter().enumerate() {
        let column = rows.column(at);
        if column.is_null(row) {
            continue;
        }
        let name = field.name().clone();
        match column.data_type() {
            DataType::Int64 | DataType::Decimal128(..) => {
                line.sums.insert(name, ratio::picos(column, row)?.unwrap_or_default());
            }
            DataType::Utf8 => {
                line.words.insert(name, column.as_string::<i32>().value(row).to_owned());
            }
            _ => {
                line.words.insert(name, show::cell(rows, at, row)?);
            }
        }
    }
    Ok(line)
}
