//! What calls are compared with.

use std::collections::HashMap;

use rust_decimal::Decimal;
use schemas::Text;

use super::Builder;
use crate::price::book::{Comparisons, CompiledAlternatives, CompiledBaseline};
use crate::price::row::Row;

/// Models that one call is compared with at most.
const ALTERNATIVES_MAX: usize = 16;

impl Builder<'_> {
    pub(super) fn comparisons(&mut self, by_name: &HashMap<Text, u32>) -> Comparisons {
        let mut comparisons = Comparisons::default();
        for (place, row) in self.rows {
            match row {
                Row::Baseline(baseline) if baseline.period.known_at(self.as_of) => {
                    let ratio = baseline.tokens.map_or(Decimal::ONE, |tokens| tokens.0);
                    let micros = ratio.checked_mul(Decimal::from(1_000_000));
                    let micros = micros.filter(|micros| micros.fract().is_zero() && *micros > Decimal::ZERO);
                    let (Some(sku), Some(micros)) = (by_name.get(&baseline.sku), micros) else {
                        let message =
                            format!("sku {:?} is not in the book, or tokens {ratio} is no ratio", baseline.sku);
                        self.error(place, message, "name a sku; state tokens above zero with at most 6 decimal places");
                        continue;
                    };
                    let (from, to) = (baseline.period.from(), baseline.period.to());
                    let same = |other: &&CompiledBaseline| other.lane == baseline.lane && other.from == from;
                    if comparisons.baselines.iter().any(|other| same(&other)) {
                        self.error(
                            place,
                            "the lane has two baselines from the same time",
                            "keep one, or date the later one",
                        );
                    }
                    comparisons.baselines.push(CompiledBaseline {
                        lane: baseline.lane.clone(),
                        sku: *sku,
                        tokens: micros.trunc().mantissa(),
                        from,
                        to,
                    });
                }
                Row::Alternatives(alternatives) if alternatives.period.known_at(self.as_of) => {
                    let mut skus = Vec::new();
                    for name in &alternatives.skus {
                        match by_name.get(name) {
                            Some(sku) => skus.push(*sku),
                            None => self.error(place, format!("sku {name:?} is not in the book"), "add it under skus"),
                        }
                    }
                    if skus.len() > ALTERNATIVES_MAX {
                        let message = format!("{} alternatives; every call would be priced at each", skus.len());
                        self.error(place, message, format!("keep the {ALTERNATIVES_MAX} that matter"));
                    }
                    comparisons.alternatives.push(CompiledAlternatives {
                        compare: alternatives.compare,
                        skus,
                        from: alternatives.period.from(),
                        to: alternatives.period.to(),
                    });
                }
                _ => {}
            }
        }
        comparisons.baselines.sort_by_key(|baseline| std::cmp::Reverse((baseline.lane.is_some(), baseline.from)));
        comparisons
    }
}
