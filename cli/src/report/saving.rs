//! What a choice saved: what it would have cost otherwise, less what it cost. Both are list prices, in the order route,
//! batch or tier, cache, contract, each step with the later ones off, so that no saving counts twice. `savings.sql` says the
//! same to an engine.

use schemas::{CounterfactualKind, Money};

/// A counterfactual of a charge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Other<'a> {
    pub kind: CounterfactualKind,
    pub cost: Money,
    pub currency: &'a str,
    pub basis: &'a str,
}

/// What a charge cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub list: Money,
    pub effective: Money,
    /// Billed by use. What a seat, a commitment or a machine of one's own covers costs the same with and without a cache.
    pub on_demand: bool,
}

impl Cost {
    /// What a counterfactual of the charge is set against; `None` where nothing was saved by it, or nobody knows how much.
    pub fn beside(self, other: Other<'_>, all: &[Other<'_>]) -> Option<Money> {
        use schemas::CounterfactualKind::{BaselineModel, Retail, StandardTier, Unbatched, Uncached};
        let one = |kinds: &[CounterfactualKind]| all.iter().find(|one| kinds.contains(&one.kind)).map(|one| one.cost);
        match other.kind {
            Retail => (!self.on_demand).then_some(self.effective),
            _ if !self.on_demand => None,
            Unbatched | StandardTier if other.basis != "list" => one(&[Uncached]),
            BaselineModel => Some(one(&[Unbatched, StandardTier]).or_else(|| one(&[Uncached])).unwrap_or(self.list)),
            _ => Some(self.list),
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::CounterfactualKind::{BaselineModel, CheapestEqualClass, Retail, Unbatched, Uncached};

    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn other(kind: CounterfactualKind, cost: &str, basis: &'static str) -> Other<'static> {
        Other { kind, cost: money(cost), currency: "USD", basis }
    }

    /// What each counterfactual of a charge that costs 4 at list and 3.2 under contract saved.
    fn check(on_demand: bool, others: &[Other<'_>], saved: &[Option<&str>]) {
        let effective = if on_demand { money("3.2") } else { Money::ZERO };
        let cost = Cost { list: money("4"), effective, on_demand };
        let found = others.iter().map(|other| Some(other.cost.checked_sub(cost.beside(*other, others)?).unwrap()));
        let saved: Vec<Option<Money>> = saved.iter().map(|amount| amount.map(money)).collect();
        assert_eq!(found.collect::<Vec<_>>(), saved);
    }

    #[test]
    fn each_step_is_set_against_the_next_so_that_savings_add_up() {
        let (uncached, plainly) = (other(Uncached, "10", "list"), other(Unbatched, "20", "list, uncached"));
        let baseline = other(BaselineModel, "50", "gpt-9: list, standard tier, uncached");
        check(true, &[uncached, plainly, baseline], &[Some("6"), Some("10"), Some("30")]);
        check(true, &[uncached, baseline], &[Some("6"), Some("40")]);
        check(true, &[baseline], &[Some("46")]);
        // Without a cache, batch is the last step before the contract.
        check(true, &[other(Unbatched, "8", "list")], &[Some("4")]);
        // What the cache took off is not known, so neither is what was left for the batch.
        check(true, &[plainly], &[None]);
        check(true, &[other(CheapestEqualClass, "3", "mini: list")], &[Some("-1")]);
    }

    #[test]
    fn what_a_subscription_covers_saves_nothing_by_a_cache() {
        check(false, &[other(Uncached, "10", "list"), other(Retail, "4", "list")], &[None, Some("4")]);
    }
}
