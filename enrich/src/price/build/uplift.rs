//! Uplifts: published factors, written out as rates before anything is looked up.

use std::collections::HashMap;

use schemas::{Price, Text};

use super::{Builder, Draft, Placed, json, short_hash};
use crate::price::amount::fraction;
use crate::price::book::CompiledRate;
use crate::price::condition::Condition;
use crate::price::row::{Row, Uplift};

impl Builder<'_> {
    /// Makes an explicit rate of every stated rate an uplift applies to. Uplifts apply one after the other, so a call
    /// that meets two is priced by both.
    pub(super) fn uplifts(
        &mut self,
        by_name: &HashMap<Text, u32>,
        calendars: &HashMap<&str, &[chrono::NaiveDate]>,
        drafts: &mut [Vec<Draft>],
    ) {
        let uplift = |(place, row): &'_ Placed| match row {
            Row::Uplift(uplift) if uplift.period.known_at(self.as_of) => Some((place.clone(), uplift.clone())),
            _ => None,
        };
        let mut uplifts: Vec<(String, Uplift)> = self.rows.iter().filter_map(uplift).collect();
        // A rate raised twice is named by both uplifts in this order, wherever their rows stand.
        uplifts.sort_by_cached_key(|(_, uplift)| json(uplift));
        for (place, uplift) in &uplifts {
            self.positive(place, uplift.factor, "factor");
            let change = self.condition(place, &uplift.when, calendars);
            for name in &uplift.skus {
                let Some(sku) = by_name.get(name) else {
                    self.error(place, format!("sku {name:?} is not in the book"), "add it under skus");
                    continue;
                };
                let drafts = &mut drafts[*sku as usize];
                let mut raised = Vec::new();
                for draft in drafts.iter() {
                    raised.extend(self.raise(place, uplift, &change, draft));
                }
                // A stated price for the same calls goes before a computed one.
                raised.retain(|raised| {
                    let same =
                        |draft: &Draft| draft.rate.meter == raised.rate.meter && draft.condition == raised.condition;
                    !drafts.iter().any(|draft| draft.stated && same(draft))
                });
                drafts.extend(raised);
            }
        }
    }

    fn raise(&mut self, place: &str, uplift: &Uplift, change: &Condition, draft: &Draft) -> Option<Draft> {
        let meter = draft.rate.meter;
        let applies = if uplift.meters.is_empty() { meter.is_tokens() } else { uplift.meters.contains(&meter) };
        let condition = draft.condition.changed_by(change, &uplift.when).filter(|_| applies && !draft.rate.contract)?;
        let (from, to) = (draft.rate.from.max(uplift.period.from()), draft.rate.to.min(uplift.period.to()));
        if from >= to || condition == draft.condition {
            return None;
        }
        let price = draft.rate.price.0.checked_mul(uplift.factor.0).map(|price| price.normalize());
        let raised = price
            .filter(|price| price.scale() <= Price::SCALE)
            .and_then(|price| Some((price, fraction(price, draft.rate.per)?)));
        let Some((price, fraction)) = raised else {
            self.error(place, format!("price of {meter} becomes too fine"), "state the raised prices as rates");
            return None;
        };
        let id = short_hash([draft.rate.id.as_bytes(), uplift.factor.0.to_string().as_bytes(), &json(&uplift.when)]);
        let rank = draft.rate.rank + condition.specificity() - draft.condition.specificity();
        let rate = CompiledRate { from, to, price: Price(price), id, rank, ..draft.rate.clone() };
        Some(Draft { rate, condition, fraction, stated: false })
    }
}
