//! Why an event has the price it has: every row that is about its meters, and what became of it.

use schemas::{Meter, Price, Text, Timestamp, UsageEvent};
use serde::Serialize;

use super::book::PriceBook;

/// A row that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Considered {
    /// Meter it prices.
    pub meter: Meter,
    /// Row.
    pub rate_id: Text,
    /// Where the row was read.
    pub origin: Text,
    /// Whether it is a contract's.
    pub contract: bool,
    /// Price of `per` of the meter.
    pub price: Price,
    /// Quantity the price is for.
    pub per: i64,
    /// First instant it holds; null for ever.
    pub valid_from: Option<Timestamp>,
    /// First instant it no longer holds; null for open.
    pub valid_to: Option<Timestamp>,
    /// `used`, or why it was not: the condition that is not met, the period, or the row that goes before.
    pub verdict: Text,
}

impl PriceBook {
    /// Every row about the meters of an event, in the order they are tried.
    pub fn explain(&self, event: &UsageEvent) -> Vec<Considered> {
        let Some(resolved) = self.resolve(event) else { return Vec::new() };
        let (sku, context) = (resolved.sku, resolved.context(event, &event.claimed));
        let mut rows = Vec::new();
        for used in event.usage.iter().filter(|used| !used.quantity.is_zero()) {
            for (contract, (start, end)) in
                [(true, sku.ranges[used.meter as usize][1]), (false, sku.ranges[used.meter as usize][0])]
            {
                let mut winner: Option<&Text> = None;
                for rate in &sku.rates[start as usize..end as usize] {
                    let condition = &sku.conditions[rate.condition];
                    let verdict = match condition.refusal(&context) {
                        Some(what) => format!("not met: {what}").into(),
                        None if event.event_time < rate.from => Text::const_new("not yet valid"),
                        None if event.event_time >= rate.to => Text::const_new("no longer valid"),
                        None => match winner {
                            Some(winner) => format!("after {winner}").into(),
                            None => {
                                winner = Some(&rate.id);
                                Text::const_new("used")
                            }
                        },
                    };
                    let ever = |time: Timestamp| (time != Timestamp::MIN && time != Timestamp::MAX).then_some(time);
                    rows.push(Considered {
                        meter: used.meter,
                        rate_id: rate.id.clone(),
                        origin: self.origins.get(rate.origin as usize).cloned().unwrap_or_default(),
                        contract,
                        price: rate.price,
                        per: rate.per,
                        valid_from: ever(rate.from),
                        valid_to: ever(rate.to),
                        verdict,
                    });
                }
            }
        }
        rows
    }
}
