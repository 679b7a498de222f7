//! The margin of units of value: what they bring in by the internal rate card, less what the calls behind them cost.
//!
//! The query finds how many units were delivered at which price, and what the calls of the workloads that delivered them
//! cost. Here prices and units are multiplied, exactly and rounded once, and set beside the cost. A margin is only where
//! both sides are whole and in one currency: units without a price are shown as such, and withhold it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use anyhow::{Context, ensure};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, i256};
use enrich::price::UnitPrice;
use schemas::{PICO, Timestamp};
use sink::LakeReader;

use super::question::{CALENDAR, Request, fill, literal};
use super::{Answer, engine, ratio, show};

/// Columns that both charges and facts have.
const DIMENSIONS: [&str; 11] = [
    "tenant",
    "team",
    "project",
    "cost_center",
    "business_unit",
    "environment",
    "customer",
    "application",
    "feature",
    "use_case",
    "workload_profile",
];

/// Makes sure that units can be grouped by these names.
pub(super) fn known(by: &[String]) -> anyhow::Result<()> {
    for name in by {
        ensure!(
            DIMENSIONS.contains(&name.as_str()) || CALENDAR.contains(&name.as_str()),
            "--by {name}: no such dimension of the margin, where units and costs meet; these are {}, and {}",
            DIMENSIONS.join(", "),
            CALENDAR.join(", ")
        );
    }
    Ok(())
}

/// Answers with the margin, by these internal prices.
///
/// # Errors
/// When a dimension is unknown, the lake cannot be read, or a sum needs more than 38 digits.
pub fn margin(reader: &LakeReader, request: &Request, prices: &[UnitPrice]) -> anyhow::Result<Answer> {
    let sql = sql(request, prices)?;
    let days = request.period.days();
    let charges = reader.snapshot("charges", days, None)?;
    let version = charges.version();
    let tables = [charges, reader.snapshot("facts", days, None)?];
    let found = engine::query(&tables, &sql).context("answer the report margin")?;
    let rows = ratio::add(&table(&found, &lines(&pieces(&found)?)?)?, request.what.ratios())?;
    Ok(Answer { request: request.clone(), sql, version, rows })
}

/// The query, with the prices in it.
///
/// # Errors
/// When a dimension is unknown.
pub fn sql(request: &Request, prices: &[UnitPrice]) -> anyhow::Result<String> {
    let text = request.sql()?;
    if prices.is_empty() {
        // As it stands, the card has no row.
        let (before, rest) = text.split_once("/*rate card*/").context("the query has no rate card")?;
        return Ok(format!("{before}{}", rest.replacen("/*end*/", "", 1)));
    }
    let text_of = |value: Option<&str>| match value {
        Some(value) => format!("'{}'", value.replace('\'', "''")),
        None => "CAST(NULL AS VARCHAR)".to_owned(),
    };
    let bound = |at: Timestamp, open: Timestamp, stands_for: &str| match at == open {
        true => format!("TIMESTAMPTZ '{stands_for} 00:00:00+00'"),
        false => literal(at),
    };
    let mut card = String::new();
    for (at, price) in prices.iter().enumerate() {
        let scope = &price.scope;
        let scopes = [&scope.customer, &scope.project, &scope.team, &scope.workload];
        let scopes: Vec<String> = scopes.iter().map(|value| text_of(value.as_deref())).collect();
        let names = match at {
            0 => ["of_unit", "of_customer", "of_project", "of_team", "of_workload", "unit_price", "price_currency"]
                .into_iter()
                .chain(["precedence", "valid_from", "valid_to"])
                .map(|name| format!(" AS {name}"))
                .collect::<Vec<_>>(),
            _ => vec![String::new(); 10],
        };
        let values = [text_of(Some(price.unit.as_str()))].into_iter().chain(scopes).chain([
            format!("CAST('{}' AS DECIMAL(38, 12))", price.price),
            text_of(Some(price.currency.as_str())),
            scope.precedence().to_string(),
            bound(price.from, Timestamp::MIN, "1677-09-22"),
            bound(price.to, Timestamp::MAX, "2262-01-01"),
        ]);
        let columns: Vec<String> = values.zip(names).map(|(value, name)| value + &name).collect();
        let _ = write!(card, "{}SELECT {}", if at == 0 { "" } else { "\n  UNION ALL " }, columns.join(", "));
    }
    fill(&text, "rate card", &card)
}

/// A row of the query: units of one price, or calls and their cost.
#[derive(Debug, Clone, Default)]
struct Piece {
    /// Its place in the query's answer.
    row: u64,
    dimensions: Vec<Option<String>>,
    unit: Option<String>,
    currency: Option<String>,
    unit_price: Option<i128>,
    units: Option<i128>,
    requests: i64,
    unpriced_requests: i64,
    cost: Option<i128>,
}

/// A row of the report: a unit in one currency. Every figure stands in one row only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Line {
    /// A row of the query that has the same dimensions.
    row: u64,
    unit: Option<String>,
    currency: Option<String>,
    /// Units that have a price in this currency.
    units: Option<i128>,
    /// Units that have none.
    unrated_units: Option<i128>,
    unit_price: Option<i128>,
    chargeback: Option<i128>,
    requests: i64,
    unpriced_requests: i64,
    cost: Option<i128>,
    /// By all units that were delivered, with a price or without.
    cost_per_unit: Option<i128>,
    margin: Option<i128>,
}

/// What is known of a unit in one currency.
#[derive(Debug, Default)]
struct Side {
    prices: BTreeMap<i128, i128>,
    requests: i64,
    unpriced_requests: i64,
    cost: Option<i128>,
}

/// A unit of one group, in all its currencies.
#[derive(Debug, Default)]
struct Unit {
    row: u64,
    unrated: Option<i128>,
    sides: BTreeMap<String, Side>,
}

/// Sets units and costs beside each other, in the order in which the query gives them.
fn lines(pieces: &[Piece]) -> anyhow::Result<Vec<Line>> {
    let mut places: BTreeMap<(&[Option<String>], &Option<String>), usize> = BTreeMap::new();
    let mut units: Vec<(&Option<String>, Unit)> = Vec::new();
    for piece in pieces {
        let place = *places.entry((&piece.dimensions, &piece.unit)).or_insert_with(|| {
            units.push((&piece.unit, Unit { row: piece.row, ..Unit::default() }));
            units.len() - 1
        });
        let unit = &mut units[place].1;
        let Some(currency) = &piece.currency else {
            unit.unrated = sum(unit.unrated, piece.units)?;
            continue;
        };
        let side = unit.sides.entry(currency.clone()).or_default();
        if let Some((price, count)) = piece.unit_price.zip(piece.units) {
            let counted = side.prices.entry(price).or_default();
            *counted = counted.checked_add(count).context("a sum needs more than 38 digits")?;
        }
        side.cost = sum(side.cost, piece.cost)?;
        side.requests = side.requests.saturating_add(piece.requests);
        side.unpriced_requests = side.unpriced_requests.saturating_add(piece.unpriced_requests);
    }
    let mut lines = Vec::new();
    for (name, unit) in units {
        let whole = unit.unrated.is_none() && unit.sides.len() == 1;
        let one_cost = unit.sides.values().filter(|side| side.cost.is_some()).count() == 1;
        let mut delivered = unit.unrated;
        for count in unit.sides.values().flat_map(|side| side.prices.values()) {
            delivered = sum(delivered, Some(*count))?;
        }
        let mut unrated = unit.unrated;
        for (currency, side) in unit.sides {
            let mut line = line(&side)?;
            if !whole {
                line.margin = None;
            }
            let costs = line.cost.zip(delivered).filter(|_| one_cost);
            line.cost_per_unit = costs.and_then(|(cost, units)| ratio::divide(cost, units, 1));
            (line.row, line.unit, line.currency) = (unit.row, name.clone(), Some(currency));
            // The units of a line that has none of its own, so that what has no price stands beside what it cost.
            if line.units.is_none() {
                line.unrated_units = unrated.take();
            }
            lines.push(line);
        }
        if unrated.is_some() {
            let (row, unit) = (unit.row, name.clone());
            lines.push(Line { row, unit, unrated_units: unrated, ..Line::default() });
        }
    }
    Ok(lines)
}

fn line(side: &Side) -> anyhow::Result<Line> {
    let (mut units, mut exact) = (None, i256::ZERO);
    for (price, count) in &side.prices {
        units = sum(units, Some(*count))?;
        let product = i256::from_i128(*price).checked_mul(i256::from_i128(*count));
        exact = product.and_then(|product| exact.checked_add(product)).context("a sum needs more than 38 digits")?;
    }
    let chargeback = units.map(|_| rounded(exact)).transpose()?;
    let unit_price = match side.prices.keys().collect::<Vec<_>>()[..] {
        [price] => Some(*price),
        _ => units.zip(chargeback).and_then(|(units, chargeback)| ratio::divide(chargeback, units, 1)),
    };
    let margin = chargeback
        .zip(side.cost)
        .map(|(chargeback, cost)| chargeback.checked_sub(cost).context("a margin needs more than 38 digits"));
    let (requests, unpriced_requests, cost) = (side.requests, side.unpriced_requests, side.cost);
    let margin = margin.transpose()?;
    Ok(Line { units, unit_price, chargeback, requests, unpriced_requests, cost, margin, ..Line::default() })
}

fn sum(total: Option<i128>, more: Option<i128>) -> anyhow::Result<Option<i128>> {
    match (total, more) {
        (Some(total), Some(more)) => total.checked_add(more).context("a sum needs more than 38 digits").map(Some),
        (total, more) => Ok(total.or(more)),
    }
}

/// A product of two numbers in 10^-12, in 10^-12: to the nearest, halves to the even one.
fn rounded(exact: i256) -> anyhow::Result<i128> {
    let pico = i256::from_i128(PICO);
    let whole = exact.checked_div(pico).and_then(|whole| whole.to_i128());
    let rest = exact.checked_rem(pico).and_then(|rest| rest.to_i128());
    let (whole, rest) = whole.zip(rest).context("an amount needs more than 38 digits")?;
    let twice = rest.unsigned_abs() * 2;
    let away = twice > PICO as u128 || (twice == PICO as u128 && whole % 2 != 0);
    Ok(if away { whole + rest.signum() } else { whole })
}

/// The query's answer, row by row.
fn pieces(found: &RecordBatch) -> anyhow::Result<Vec<Piece>> {
    let place = |name: &str| found.schema().index_of(name).with_context(|| format!("the answer has no column {name}"));
    let unit = place("unit")?;
    let (price, units, cost) = (place("unit_price")?, place("units")?, place("effective_cost")?);
    let counts = [place("requests")?, place("unpriced_requests")?];
    let mut pieces = Vec::with_capacity(found.num_rows());
    for row in 0..found.num_rows() {
        let words = |at: usize| match found.column(at).is_null(row) {
            true => Ok(None),
            false => show::cell(found, at, row).map(Some),
        };
        let number = |at: usize| ratio::picos(found.column(at), row);
        let count = |at: usize| {
            let column = found.column(at).as_primitive_opt::<Int64Type>().context("a count is no whole number")?;
            Ok::<_, anyhow::Error>(if column.is_null(row) { 0 } else { column.value(row) })
        };
        pieces.push(Piece {
            row: row as u64,
            dimensions: (0..unit).map(words).collect::<anyhow::Result<_>>()?,
            unit: words(unit)?,
            currency: words(unit + 1)?,
            unit_price: number(price)?,
            units: number(units)?,
            requests: count(counts[0])?,
            unpriced_requests: count(counts[1])?,
            cost: number(cost)?,
        });
    }
    Ok(pieces)
}

/// The report's rows as columns; dimensions are those of the query's answer.
fn table(found: &RecordBatch, lines: &[Line]) -> anyhow::Result<RecordBatch> {
    let unit = found.schema().index_of("unit").context("the answer has no column unit")?;
    let rows: UInt64Array = lines.iter().map(|line| line.row).collect();
    let (mut fields, mut columns): (Vec<Arc<Field>>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for at in 0..unit {
        fields.push(found.schema().fields()[at].clone());
        columns.push(take(found.column(at), &rows, None)?);
    }
    let mut put = |name: &str, column: ArrayRef| {
        fields.push(Arc::new(Field::new(name, column.data_type().clone(), true)));
        columns.push(column);
    };
    let words = |of: fn(&Line) -> Option<&str>| Arc::new(lines.iter().map(of).collect::<StringArray>()) as ArrayRef;
    let numbers = |of: fn(&Line) -> Option<i128>| -> anyhow::Result<ArrayRef> {
        let numbers: Decimal128Array = lines.iter().map(of).collect();
        Ok(Arc::new(numbers.with_data_type(DataType::Decimal128(38, 12))))
    };
    let counts = |of: fn(&Line) -> i64| Arc::new(lines.iter().map(of).collect::<Int64Array>()) as ArrayRef;
    put("unit", words(|line| line.unit.as_deref()));
    put("currency", words(|line| line.currency.as_deref()));
    put("units", numbers(|line| line.units)?);
    put("unrated_units", numbers(|line| line.unrated_units)?);
    put("unit_price", numbers(|line| line.unit_price)?);
    put("chargeback", numbers(|line| line.chargeback)?);
    put("requests", counts(|line| line.requests));
    put("unpriced_requests", counts(|line| line.unpriced_requests));
    put("effective_cost", numbers(|line| line.cost)?);
    put("cost_per_unit", numbers(|line| line.cost_per_unit)?);
    put("margin", numbers(|line| line.margin)?);
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

#[cfg(test)]
mod tests;
