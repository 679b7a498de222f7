//! What is worth a look in a valid book.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemas::{Meter, ReferenceRow, Text};

use super::row::Row;
use crate::finding::Finding;
use crate::period::Period;

/// A price this many times another of the same SKU and meter is more often a slip of the decimal point than a price.
const JUMP: u32 = 50;

/// Warnings about published rows.
pub(crate) fn warnings(rows: &[ReferenceRow]) -> Vec<Finding> {
    let mut warnings = Vec::new();
    let mut lowest: BTreeMap<(Text, Meter), Decimal> = BTreeMap::new();
    let parsed: Vec<_> =
        rows.iter().filter_map(|row| Some((row, serde_json::from_str::<Row>(&row.body).ok()?))).collect();
    for (_, row) in &parsed {
        let Row::Rate(rate) = row else { continue };
        for (meter, price) in rate.prices.iter().filter(|(_, price)| !price.0.is_zero()) {
            let unit = price.0 / Decimal::from(rate.per);
            let lowest = lowest.entry((rate.sku.clone(), *meter)).or_insert(unit);
            *lowest = unit.min(*lowest);
        }
    }
    for (row, rate) in &parsed {
        let Row::Rate(rate) = rate else { continue };
        let mut warn = |message: String, remedy: &str| {
            let (file, place) = row.origin.split_once(": ").unwrap_or((&row.origin, ""));
            warnings.push(Finding::warning(file, place, message, remedy));
        };
        if rate.provenance.source.is_empty() || rate.provenance.checked.is_empty() {
            warn("has no source or no day it was checked".to_string(), "state source and checked");
        }
        for (meter, price) in &rate.prices {
            // A fallback's price is the other meter's, and said there.
            let Some(lowest) = lowest.get(&(rate.sku.clone(), *meter)).filter(|_| !rate.derived.contains_key(meter))
            else {
                continue;
            };
            let unit = price.0 / Decimal::from(rate.per);
            let Some(times) = unit.checked_div(*lowest) else { continue };
            if times > Decimal::from(JUMP) {
                let message =
                    format!("{} per {} {meter} is {} times its lowest price", price.0, rate.per, times.normalize());
                warn(message, "check the decimal point");
            }
        }
    }
    for (row, rate) in &parsed {
        let Row::InternalRate(rate) = rate else { continue };
        if rate.provenance.source.is_empty() {
            let (file, place) = row.origin.split_once(": ").unwrap_or((&row.origin, ""));
            let remedy = "state in source who decided it, and where";
            warnings.push(Finding::warning(file, place, format!("{} has no source", rate.unit), remedy));
        }
    }
    warnings.extend(stretches(&parsed));
    warnings
}

/// Times a price has and has not: gaps between rows of one price, and ends that a later row makes void.
fn stretches(parsed: &[(&ReferenceRow, Row)]) -> Vec<Finding> {
    type Place<'a> = (&'a Text, String, Meter);
    let mut by_place: BTreeMap<Place<'_>, Vec<(Period, &ReferenceRow)>> = BTreeMap::new();
    for (row, rate) in parsed {
        let Row::Rate(rate) = rate else { continue };
        let when = serde_json::to_string(&rate.when).unwrap_or_default();
        for meter in rate.prices.keys().filter(|meter| !rate.derived.contains_key(*meter)) {
            by_place.entry((&rate.sku, when.clone(), *meter)).or_default().push((rate.period, row));
        }
    }
    let mut warnings = Vec::new();
    for ((sku, _, meter), mut rows) in by_place {
        rows.sort_by_key(|(period, _)| (period.from(), period.known_from));
        for pair in rows.windows(2) {
            let [(first, _), (second, row)] = pair else { continue };
            let mut warn = |message: String, remedy: &str| {
                let (file, place) = row.origin.split_once(": ").unwrap_or((&row.origin, ""));
                warnings.push(Finding::warning(file, place, message, remedy));
            };
            if first.to() < second.from() {
                let message = format!("{meter} of {sku} has no price from {} to {}", first.to(), second.from());
                warn(message, "calls of that time are unpriced: add the row, or leave it so");
            } else if let Some(to) = first.valid_to
                && second.from() < to
                && second.known_from <= first.known_from
            {
                let message = format!(
                    "{meter} of {sku} is said to hold until {to}, and this row takes over at {}",
                    second.from()
                );
                warn(message, "leave out the end, or mend one of them");
            }
        }
    }
    warnings
}
