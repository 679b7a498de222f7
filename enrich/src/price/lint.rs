//! What is worth a look in a valid book.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemas::{Meter, ReferenceRow, Text};

use super::row::Row;
use crate::finding::Finding;

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
    warnings
}
