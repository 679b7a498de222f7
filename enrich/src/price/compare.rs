//! What the same usage costs elsewhere: on the baseline it was routed away from, on the cheapest approved model of its
//! class, at another provider. Counterfactuals all: nothing here changes a cost.

use schemas::{Counterfactual, CounterfactualKind, Dimensions, Money, PICO, Text, UsageEvent};

use super::amount::{gcd, round_half_even};
use super::book::{PriceBook, SkuRates};
use super::evaluate::{COARSE, MILLION, Matched, Priced, holding, select, uncached, usage};
use super::row::Compare;

/// What is asked of another SKU.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// At the standard tier, outside a batch and without a cache, as the first step of the waterfall is.
    plainly: bool,
    /// Its tokens for one of the call's, in millionths.
    tokens: i128,
}

impl PriceBook {
    pub(super) fn compare(
        &self,
        event: &UsageEvent,
        owner: &Dimensions,
        sku: &SkuRates,
        matched: &[Matched<'_>],
        priced: &mut Priced,
    ) {
        let time = event.event_time;
        // Another model would not have been asked to draw, speak or search.
        if self.comparisons.is_empty() || !matched.iter().all(|line| line.used.meter.is_tokens()) {
            return;
        }
        let mut push = |kind, cost: Money, of: &SkuRates, basis: &str| {
            let (currency, basis) = (of.currency.clone(), Text::from(format!("{}: {basis}", of.name)));
            priced.counterfactuals.push(Counterfactual { kind, cost, currency, basis });
        };
        if let Some(lane) = owner.routing_lane.as_ref().or(event.claimed.routing_lane.as_ref()) {
            let baseline = self.comparisons.baselines.iter().find(|baseline| {
                baseline.lane.as_ref().is_none_or(|own| own == lane) && baseline.from <= time && time < baseline.to
            });
            if let Some(baseline) = baseline {
                let other = &self.skus[baseline.sku as usize];
                let asked = Asked { plainly: true, tokens: baseline.tokens };
                if let Some(cost) = self.elsewhere(event, owner, other, asked) {
                    push(CounterfactualKind::BaselineModel, cost, other, "list, standard tier, uncached");
                }
            }
        }
        for (compare, kind) in [
            (Compare::Class, CounterfactualKind::CheapestEqualClass),
            (Compare::Providers, CounterfactualKind::OtherProvider),
        ] {
            let lists = self.comparisons.alternatives.iter().filter(|list| {
                list.compare == compare
                    && list.from <= time
                    && time < list.to
                    && list.skus.iter().any(|other| self.skus[*other as usize].name == sku.name)
            });
            let others = lists.flat_map(|list| &list.skus).map(|other| &self.skus[*other as usize]);
            let comparable = others.filter(|other| {
                let itself = other.name == sku.name;
                other.currency == sku.currency
                    && match compare {
                        Compare::Class => other.class.is_some() && other.class == sku.class,
                        Compare::Providers => !itself,
                    }
            });
            let asked = Asked { plainly: false, tokens: MILLION };
            let priced_there =
                comparable.filter_map(|other| Some((self.elsewhere(event, owner, other, asked)?, other)));
            if let Some((cost, other)) = priced_there.min_by_key(|(cost, other)| (*cost, &other.name)) {
                push(kind, cost, other, "list");
            }
        }
    }

    /// What the usage costs there at list; `None` when some of it has no price.
    fn elsewhere(&self, event: &UsageEvent, owner: &Dimensions, other: &SkuRates, asked: Asked) -> Option<Money> {
        let context = self.context(event, owner, other);
        let conditions = if asked.plainly { holding(other, &context.standard()) } else { holding(other, &context) };
        let mut sum = 0i128;
        let mut whole = true;
        let mut lines = smallvec::SmallVec::<[(i128, i128); 8]>::new();
        for used in usage(event, other).filter(|used| used.meter.is_tokens()) {
            let meter = if asked.plainly { uncached(used.meter) } else { used.meter };
            let rate = select(other, conditions, meter, event.event_time, false).ok()?;
            whole &= used.quantity.picos() % PICO == 0;
            lines.push((used.quantity.picos(), rate.numerator));
        }
        // As in `settle`: whole tokens leave room for prices of many digits.
        let (unit, factor, denominator) = if other.denominator <= COARSE || !whole {
            (1, 1, other.denominator)
        } else {
            let common = gcd(PICO, other.denominator);
            (PICO, PICO / common, other.denominator / common)
        };
        for (picos, numerator) in lines {
            sum = sum.checked_add((picos / unit).checked_mul(numerator)?.checked_mul(factor)?)?;
        }
        if asked.tokens == MILLION {
            return Money::from_picos(round_half_even(sum, denominator));
        }
        Money::from_picos(round_half_even(sum.checked_mul(asked.tokens)?, denominator.checked_mul(MILLION)?))
    }
}
