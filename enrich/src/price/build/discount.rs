//! Discounts: negotiated factors on list prices, looked up per call since there may be one per customer.

use std::collections::HashMap;

use schemas::Text;

use super::{Builder, Placed};
use crate::price::book::{CompiledDiscount, PriceBook};
use crate::price::row::{Discount, Row};

impl Builder<'_> {
    pub(super) fn discounts(
        &mut self,
        book: &mut PriceBook,
        by_name: &HashMap<Text, u32>,
        calendars: &HashMap<&str, &[chrono::NaiveDate]>,
    ) {
        for (origin, (place, row)) in self.rows.iter().enumerate() {
            let Row::Discount(discount) = row else { continue };
            if !discount.period.known_at(self.as_of) {
                continue;
            }
            self.positive(place, discount.factor, "factor");
            if discount.factor.0 >= rust_decimal::Decimal::TEN {
                let message = format!("factor {} is that many times the list price", discount.factor.0);
                self.error(place, message, "write what is left of it: 0.92 for 8 % off");
            }
            let micros = discount.factor.0.checked_mul(rust_decimal::Decimal::from(1_000_000));
            let Some(micros) = micros.filter(|micros| micros.fract().is_zero()) else {
                self.error(
                    place,
                    "factor is too large or has more than 6 decimal places",
                    "round it as the contract does",
                );
                continue;
            };
            let fee = discount.per_call.map(|fee| (fee.price(), fee.0.to_string().parse::<schemas::Money>()));
            if discount.per_call.is_some_and(|fee| fee.0.is_sign_negative()) || matches!(fee, Some((_, Err(_)))) {
                self.error(place, "per_call is negative or has more than 12 decimal places", "state a plain amount");
            }
            if !discount.when.is_contract() {
                self.error(place, "names no tenant, account or team", "say in when whose contract it is");
            }
            let condition = self.condition(place, &discount.when.whatever_the_tier(), calendars);
            let skus = self.covered(place, discount, book, by_name);
            for sku in skus {
                let sku = &mut book.skus[sku as usize];
                let number = self.number_condition(sku, origin as u32, condition.clone());
                let meters = discount.meters.iter().fold(0u64, |bits, meter| bits | 1 << *meter as u64);
                sku.discounts.push(CompiledDiscount {
                    id: discount.id.clone(),
                    condition: number,
                    meters: if meters == 0 { u64::MAX } else { meters },
                    rank: (condition.party(), condition.specificity()),
                    from: discount.period.from(),
                    to: discount.period.to(),
                    factor: discount.factor,
                    micros: micros.trunc().mantissa(),
                    per_call: fee.as_ref().and_then(|(price, amount)| Some((*price, *amount.as_ref().ok()?))),
                });
                sku.discounts.sort_by_key(|discount| std::cmp::Reverse((discount.rank, discount.from)));
                let tied = sku.discounts.windows(2).any(|pair| {
                    let both = sku.conditions[pair[0].condition].both(&sku.conditions[pair[1].condition]);
                    pair[0].rank == pair[1].rank
                        && pair[0].from == pair[1].from
                        && pair[0].meters & pair[1].meters != 0
                        && both.is_some()
                });
                if tied {
                    self.error(place, "ties with another discount: a call could meet both", "make one more specific");
                }
            }
        }
    }

    fn covered(
        &mut self,
        place: &str,
        discount: &Discount,
        book: &PriceBook,
        by_name: &HashMap<Text, u32>,
    ) -> Vec<u32> {
        if !discount.skus.is_empty() {
            let mut covered = Vec::new();
            for name in &discount.skus {
                match by_name.get(name) {
                    Some(sku) => covered.push(*sku),
                    None => self.error(place, format!("sku {name:?} is not in the book"), "add it under skus"),
                }
            }
            return covered;
        }
        let Some(name) = &discount.provider else { return (0..book.skus.len() as u32).collect() };
        let Some(number) = book.provider_names.get(name) else {
            self.error(place, format!("provider {name:?} is not in the book"), "add the provider");
            return Vec::new();
        };
        let sold_there = |(_, row): &&Placed| match row {
            Row::Sku(sku) => book.provider_names.get(&sku.provider) == Some(number),
            _ => false,
        };
        let names = self.rows.iter().filter(sold_there).filter_map(|(_, row)| match row {
            Row::Sku(sku) => by_name.get(&sku.sku).copied(),
            _ => None,
        });
        names.collect()
    }
}
