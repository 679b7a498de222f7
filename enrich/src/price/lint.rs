//! What is worth a look in a valid book.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemas::{Meter, ReferenceRow, Text, Timestamp};

use super::row::{Rate, Row};
use super::when::{Batch, When};
use crate::finding::Finding;
use crate::period::Period;

/// A price this many times another of the same SKU and meter is more often a slip of the decimal point than a price.
const JUMP: u32 = 50;

/// Days before which the days of a calendar should be known: those of a year are published two months before it begins.
const CALENDAR_DAYS: i64 = 60;

/// Warnings about published rows, on the day of `now`.
pub(crate) fn warnings(rows: &[ReferenceRow], now: Timestamp) -> Vec<Finding> {
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
    warnings.extend(batches(&parsed));
    warnings.extend(contracts(&parsed));
    warnings.extend(calendars(&parsed, now));
    warnings
}

fn about(row: &ReferenceRow, message: String, remedy: &str) -> Finding {
    let (file, place) = row.origin.split_once(": ").unwrap_or((&row.origin, ""));
    Finding::warning(file, place, message, remedy)
}

/// Batches that are not half of the standard price, nor another round percentage of it for all tokens alike.
fn batches(parsed: &[(&ReferenceRow, Row)]) -> Vec<Finding> {
    let said = |when: &When| serde_json::to_string(when).unwrap_or_default();
    let unit = |rate: &Rate, meter: Meter| Some(rate.prices.get(&meter)?.0 / Decimal::from(rate.per));
    let mut standard: BTreeMap<(&Text, String), Vec<&Rate>> = BTreeMap::new();
    for (_, row) in parsed {
        let Row::Rate(rate) = row else { continue };
        if rate.when.batch.is_none() {
            standard.entry((&rate.sku, said(&rate.when))).or_default().push(rate);
        }
    }
    let within = |ratio: Decimal| (ratio - Decimal::new(5, 1)).abs() <= Decimal::new(25, 3);
    let round = |ratio: Decimal| ratio < Decimal::ONE && (ratio * Decimal::from(20)).fract().is_zero();
    let mut warnings = Vec::new();
    for (row, rate) in parsed {
        let Row::Rate(rate) = rate else { continue };
        if rate.when.batch != Some(Batch::Only(true)) {
            continue;
        }
        let mut when = When { batch: None, ..rate.when.clone() };
        // A price up to where long prompts begin is half of one that says nothing of size.
        when.band = when.band.filter(|band| band.above.is_some() || band.from.is_some());
        let bases = standard.get(&(&rate.sku, said(&when))).into_iter().flatten();
        let bases: Vec<&&Rate> = bases.filter(|base| base.period.overlaps(&rate.period)).collect();
        let ratios = |base: &&&Rate| -> Vec<(Meter, Decimal)> {
            let of = |meter| Some((meter, unit(rate, meter)?.checked_div(unit(base, meter)?)?));
            [Meter::InputTextTokens, Meter::OutputTextTokens].into_iter().filter_map(of).collect()
        };
        let fits = |ratios: &Vec<(Meter, Decimal)>| {
            let alike = ratios.iter().all(|(_, ratio)| round(*ratio) && *ratio == ratios[0].1);
            alike || ratios.iter().all(|(_, ratio)| within(*ratio))
        };
        let found: Vec<_> = bases.iter().map(ratios).filter(|ratios| !ratios.is_empty()).collect();
        if let Some(first) = found.first()
            && !found.iter().any(fits)
            && let Some((meter, ratio)) = first.iter().find(|(_, ratio)| !within(*ratio))
        {
            let percent = (ratio * Decimal::from(100)).round_dp(1).normalize();
            let message = format!("a batch is {percent} % of the standard price of {meter}, and not half");
            warnings.push(about(row, message, "compare both with the page: a batch is half nearly everywhere"));
        }
    }
    warnings
}

/// Prices of contracts that say nothing of size, of what costs more at list in long prompts; factors that are no discount.
fn contracts(parsed: &[(&ReferenceRow, Row)]) -> Vec<Finding> {
    let mut by_size: std::collections::BTreeSet<(&Text, Meter)> = Default::default();
    for (_, row) in parsed {
        if let Row::Rate(rate) = row
            && rate.when.band.is_some()
        {
            by_size.extend(rate.prices.keys().map(|meter| (&rate.sku, *meter)));
        }
    }
    let mut warnings = Vec::new();
    for (row, discount) in parsed {
        if let Row::Discount(discount) = discount
            && discount.factor.0 > Decimal::ONE
        {
            let message = format!("factor {} makes it dearer than the list price", discount.factor.0);
            warnings.push(about(row, message, "write what is left of the list price: 0.92 for 8 % off"));
        }
    }
    for (row, rate) in parsed {
        let Row::Rate(rate) = rate else { continue };
        if rate.when.is_contract()
            && rate.when.band.is_none()
            && let Some(meter) = rate.prices.keys().find(|meter| by_size.contains(&(&rate.sku, **meter)))
        {
            let message =
                format!("{meter} of {} has other prices at list for long prompts; this holds for those too", rate.sku);
            warnings.push(about(row, message, "say in when.band up to which size it holds, or agree on one for all"));
        }
    }
    warnings
}

/// Calendars whose last day is over, or soon.
fn calendars(parsed: &[(&ReferenceRow, Row)], now: Timestamp) -> Vec<Finding> {
    let soon = now.plus_seconds(CALENDAR_DAYS * 86_400).to_datetime().map(|time| time.date_naive());
    let mut warnings = Vec::new();
    for (row, calendar) in parsed {
        let Row::Calendar(calendar) = calendar else { continue };
        let last = calendar.days.iter().max().copied();
        if soon.is_some_and(|soon| last.is_none_or(|last| last < soon)) {
            let last = last.map_or("none".to_string(), |last| last.to_string());
            let message = format!(
                "calendar {} has no day after {last}: prices by the hour take every later one for a working day",
                calendar.calendar
            );
            warnings.push(about(row, message, "add the days of the coming year"));
        }
    }
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
