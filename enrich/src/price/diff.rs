//! What one book says otherwise than another.

use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;
use schemas::{Meter, ReferenceRow, Text};

use super::row::{Exact, Rate, Row};

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Only in the newer book.
    Added(String),
    /// Only in the older book.
    Gone(String),
    /// A price of the same meter, for the same calls, from the same day.
    Price {
        /// SKU, meter and calls.
        what: String,
        /// As it was: price and quantity.
        old: String,
        /// As it is.
        new: String,
        /// How far the new is from the old, in percent; none from nothing.
        percent: Option<Decimal>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Added(what) => write!(f, "+ {what}"),
            Change::Gone(what) => write!(f, "- {what}"),
            Change::Price { what, old, new, percent } => {
                write!(f, "~ {what}: {old} -> {new}")?;
                percent.map_or(Ok(()), |percent| write!(f, " ({percent:+}%)"))
            }
        }
    }
}

/// Compares two books, in the order of SKU, calls and meter. Where and when somebody checked a row is no difference.
pub fn diff(old: &[ReferenceRow], new: &[ReferenceRow]) -> Vec<Change> {
    let (old, new) = (Side::of(old), Side::of(new));
    let mut changes = Vec::new();
    for (what, rate) in &old.prices {
        match new.prices.get(what) {
            None => changes.push((what.clone(), Change::Gone(format!("{what}: {}", shown(rate))))),
            Some(other) if unit(rate) != unit(other) => {
                let hundred = Decimal::from(100);
                let percent = ((unit(other) - unit(rate)) * hundred).checked_div(unit(rate));
                let percent = percent.map(|percent| percent.round_dp(2).normalize());
                let (old, new) = (shown(rate), shown(other));
                changes.push((what.clone(), Change::Price { what: what.clone(), old, new, percent }));
            }
            Some(_) => {}
        }
    }
    for (what, rate) in new.prices.iter().filter(|(what, _)| !old.prices.contains_key(*what)) {
        changes.push((what.clone(), Change::Added(format!("{what}: {}", shown(rate)))));
    }
    let only = |mine: &BTreeMap<String, usize>, theirs: &BTreeMap<String, usize>| -> Vec<String> {
        mine.keys().filter(|row| !theirs.contains_key(*row)).cloned().collect()
    };
    changes.extend(only(&old.others, &new.others).into_iter().map(|row| (row.clone(), Change::Gone(row))));
    changes.extend(only(&new.others, &old.others).into_iter().map(|row| (row.clone(), Change::Added(row))));
    changes.sort_by(|(a, _), (b, _)| a.cmp(b));
    changes.into_iter().map(|(_, change)| change).collect()
}

fn unit((price, per): &(Exact, i64)) -> Decimal {
    price.0.checked_div(Decimal::from(*per)).unwrap_or_default()
}

fn shown((price, per): &(Exact, i64)) -> String {
    format!("{} per {per}", price.0)
}

/// A book taken apart: its prices by what they are for, and its other rows as they are.
#[derive(Debug, Default)]
struct Side {
    prices: BTreeMap<String, (Exact, i64)>,
    others: BTreeMap<String, usize>,
}

impl Side {
    fn of(rows: &[ReferenceRow]) -> Self {
        let mut side = Side::default();
        for row in rows {
            match serde_json::from_str::<Row>(&row.body) {
                Ok(Row::Rate(rate)) => {
                    for (meter, price) in &rate.prices {
                        side.prices.insert(place(&rate, *meter), (*price, rate.per));
                    }
                }
                Ok(row) => *side.others.entry(text(&row)).or_default() += 1,
                // Rows are read before they are compared.
                Err(_) => *side.others.entry(row.body.to_string()).or_default() += 1,
            }
        }
        side
    }
}

/// What a price is for: `openai/gpt-5 output_text_tokens {"tier":"flex"} from 2026-08-21T00:00:00Z`.
fn place(rate: &Rate, meter: Meter) -> String {
    let mut place = format!("{} {meter}", rate.sku);
    if !rate.when.is_empty() {
        place += &format!(" {}", serde_json::to_string(&rate.when).unwrap_or_default());
    }
    for (name, time) in
        [("from", rate.period.valid_from), ("to", rate.period.valid_to), ("known", rate.period.known_from)]
    {
        if let Some(time) = time {
            place += &format!(" {name} {time}");
        }
    }
    place
}

/// A row that is no rate, without where it was read.
fn text(row: &Row) -> String {
    let value = serde_json::to_value(row).unwrap_or_default();
    let Some((kind, mut said)) =
        value.as_object().and_then(|row| row.iter().next()).map(|(k, v)| (k.clone(), v.clone()))
    else {
        return String::new();
    };
    if let Some(said) = said.as_object_mut() {
        said.remove("provenance");
    }
    let name = said.get("sku").or_else(|| said.get("id")).and_then(|name| name.as_str()).map(Text::from);
    format!("{}{kind} {said}", name.map(|name| format!("{name} ")).unwrap_or_default())
}
