//! What the same usage costs elsewhere: on the baseline it was routed away from, on the cheapest approved model of its
//! class, at another provider. Counterfactuals all: nothing here changes a cost.

use schemas::{Counterfactual, CounterfactualKind, Dimensions, Money, Quantity, Text, UsageEvent};
use smallvec::SmallVec;

use super::book::{CompiledRate, SkuRates};
use super::evaluate::{Evaluation, MILLION, select, total, uncached, usage};
use super::name::Resolved;
use super::row::Compare;

/// What is asked of another SKU.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// At the standard tier, outside a batch and without a cache, as the first step of the waterfall is.
    plainly: bool,
    /// Its tokens for one of the call's, in millionths.
    tokens: i128,
}

impl Resolved<'_> {
    /// Adds what other models would have cost, as far as the book says which to compare with.
    pub(super) fn compare(
        &self,
        event: &UsageEvent,
        owner: &Dimensions,
        evaluation: &Evaluation<'_>,
        others: &mut Vec<Counterfactual>,
    ) {
        let (time, skus, comparisons) = (event.event_time, &self.book.skus, &self.book.comparisons);
        // Another model would not have been asked to draw, speak or search.
        if comparisons.is_empty() || !evaluation.lines.iter().all(|line| line.used.meter.is_tokens()) {
            return;
        }
        let itself = |other: &SkuRates| std::ptr::eq(other, self.sku);
        let mut push = |kind, cost: Money, of: &SkuRates, basis: &str| {
            let (currency, basis) = (of.currency.clone(), Text::from(format!("{}: {basis}", of.name)));
            others.push(Counterfactual { kind, cost, currency, basis });
        };
        if let Some(lane) = owner.routing_lane.as_ref().or(event.claimed.routing_lane.as_ref()) {
            let baseline = comparisons.baselines.iter().find(|baseline| {
                baseline.lane.as_ref().is_none_or(|own| own == lane) && baseline.from <= time && time < baseline.to
            });
            if let Some(baseline) = baseline {
                let other = &skus[baseline.sku as usize];
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
            let lists = comparisons.alternatives.iter().filter(|list| {
                list.compare == compare
                    && list.from <= time
                    && time < list.to
                    && list.skus.iter().any(|other| itself(&skus[*other as usize]))
            });
            let others = lists.flat_map(|list| &list.skus).map(|other| &skus[*other as usize]);
            let comparable = others.filter(|other| {
                other.currency == self.sku.currency
                    && match compare {
                        Compare::Class => other.class.is_some() && other.class == self.sku.class,
                        Compare::Providers => !itself(other),
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
        let context = Resolved { sku: other, ..*self }.context(event, owner);
        let conditions = other.conditions.met(&if asked.plainly { context.standard() } else { context });
        let mut parts = SmallVec::<[(Quantity, &CompiledRate); 8]>::new();
        for used in usage(event, other).filter(|used| used.meter.is_tokens()) {
            let meter = if asked.plainly { uncached(used.meter) } else { used.meter };
            parts.push((used.quantity, select(other, conditions, meter, event.event_time, false).ok()?));
        }
        total(other, &parts, asked.tokens)
    }
}
