//! The measures, each defined once: what is divided by what, and what share of the events could answer.

use std::collections::BTreeSet;

use anyhow::Context;
use schemas::Money;
use serde::Serialize;

use super::budgets;
use super::figures::{Line, Named, Scope, Sums};
use crate::reports::ratio::divide;

/// What a measure says whose inputs are absent.
pub const NO_COVERAGE: &str = "no coverage";

/// What share of the events could answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Events that could.
    pub answered: String,
    /// Of so many.
    pub of: String,
    /// Their share; null when there were none.
    pub share: Option<String>,
}

/// A measure of one scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// `all`, a workload profile, or `none stated`.
    pub profile: String,
    /// Budget and period, or unit of value, where the measure is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Tenant, where the measure keeps tenants apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Currency, where it is of money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The numerator, exact.
    pub numerator: String,
    /// The denominator; null where nothing is divided.
    pub denominator: Option<String>,
    /// The measure, rounded half-even to 12 places, or `no coverage`.
    pub value: String,
    /// What share of the events could answer.
    pub coverage: Coverage,
    /// The value in the quarter before, or `no coverage`.
    pub previous: String,
}

/// A measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub definition: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// What the numerator is.
    pub numerator: &'static str,
    /// What the denominator is; null where nothing is divided.
    pub denominator: Option<&'static str>,
    /// What coverage compares.
    pub coverage: &'static str,
    /// For all calls and for each workload profile.
    pub figures: Vec<Figure>,
}

/// A measure over the sums of charges.
struct Definition {
    name: &'static str,
    definition: &'static str,
    unit: &'static str,
    numerator: (&'static str, &'static str),
    denominator: Option<(&'static str, &'static str)>,
    /// Who could answer, of whom, and how that reads.
    coverage: (&'static str, &'static str, &'static str),
}

const PRICED: (&str, &str, &str) = ("priced_calls", "calls", "calls with a whole price, of all calls");
const CLASSED: (&str, &str, &str) =
    ("classed_calls", "calls", "calls whose model has a class in the price book, of all calls");

const OF_CALLS: [Definition; 8] = [
    Definition {
        name: "governed_spend",
        definition: "Effective cost of all charges, net of corrections.",
        unit: "currency",
        numerator: ("effective_cost", "effective cost"),
        denominator: None,
        coverage: PRICED,
    },
    Definition {
        name: "governed_requests",
        definition: "Calls, net of corrections, of whatever currency. Seats, machines, credits, entries of the ledger and \
                     shares of shared charges are no calls.",
        unit: "calls",
        numerator: ("calls", "calls"),
        denominator: None,
        coverage: ("calls", "calls", "every call counts"),
    },
    Definition {
        name: "cost_per_request",
        definition: "Effective cost of a call that has a whole price. Seats, machines, credits, entries of the ledger and shares \
                     of shared charges are no calls.",
        unit: "currency per call",
        numerator: ("priced_calls_cost", "effective cost of calls with a whole price"),
        denominator: Some(("priced_calls", "calls with a whole price")),
        coverage: PRICED,
    },
    Definition {
        name: "premium_share_of_spend",
        definition: "Part of the spend that goes to premium models, of models that have a class.",
        unit: "share",
        numerator: ("premium_cost", "effective cost of calls of premium models"),
        denominator: Some(("classed_cost", "effective cost of calls of models with a class")),
        coverage: CLASSED,
    },
    Definition {
        name: "premium_share_of_requests",
        definition: "Part of the calls that premium models served, of models that have a class.",
        unit: "share",
        numerator: ("premium_calls", "calls of premium models"),
        denominator: Some(("classed_calls", "calls of models with a class")),
        coverage: CLASSED,
    },
    Definition {
        name: "cache_hit_rate",
        definition: "Part of the text input tokens that was read from a prompt cache.",
        unit: "share",
        numerator: ("cache_read_tokens", "text tokens read from a cache"),
        denominator: Some(("input_tokens", "text input tokens: uncached, read from a cache and written to one")),
        coverage: ("input_calls", "calls", "calls with text input tokens, of all calls"),
    },
    Definition {
        name: "cache_savings",
        definition: "What calls billed by use would have cost at list without a prompt cache, less what they cost at list.",
        unit: "currency",
        numerator: ("cache_saved", "list cost without a cache less list cost"),
        denominator: None,
        coverage: (
            "compared_calls",
            "cached_calls",
            "calls whose cost without a cache is known, of calls billed by use that used one",
        ),
    },
    Definition {
        name: "cost_per_active_user",
        definition: "Effective cost of charges that name a user, seats among them, by user who has calls or cost left when \
                     corrections are taken off. A user who was forgotten and comes back is another.",
        unit: "currency per user",
        numerator: ("user_cost", "effective cost of charges that name a user"),
        denominator: Some(("users", "different users with calls or cost")),
        coverage: ("user_calls", "calls", "calls that name a user, of all calls"),
    },
];

/// All measures of a quarter beside those of the quarter before.
pub(super) fn measures(now: &Sums, then: &Sums) -> anyhow::Result<Vec<Measure>> {
    let mut measures = OF_CALLS.iter().map(|of| calls(of, now, then)).collect::<anyhow::Result<Vec<_>>>()?;
    measures.push(outcomes(now, then)?);
    measures.push(value_units(now, then)?);
    measures.push(budgets::measure(now, then)?);
    Ok(measures)
}

fn calls(of: &Definition, now: &Sums, then: &Sums) -> anyhow::Result<Measure> {
    // Sums of money do not mix; calls and tokens are what they are in every currency.
    let of_money = of.unit.starts_with("currency") || of.name.ends_with("of_spend");
    let (now, then) = (now.calls_by_scope(of_money), then.calls_by_scope(of_money));
    let scopes: BTreeSet<_> = now.keys().chain(then.keys()).collect();
    let nothing = Named::new();
    let mut figures = Vec::new();
    for key in scopes {
        let (sums, before) = (now.get(key).unwrap_or(&nothing), then.get(key).unwrap_or(&nothing));
        let mut figure = Found::of(of, sums).figure(profile(&key.0), &Found::of(of, before))?;
        figure.currency.clone_from(&key.1);
        figures.push(figure);
    }
    if figures.is_empty() {
        figures.push(Found::default().figure("all".to_owned(), &Found::default())?);
    }
    Ok(Measure {
        name: of.name,
        definition: of.definition,
        unit: of.unit,
        numerator: of.numerator.1,
        denominator: of.denominator.map(|(_, says)| says),
        coverage: of.coverage.2,
        figures,
    })
}

fn outcomes(now: &Sums, then: &Sums) -> anyhow::Result<Measure> {
    let found = |sums: &Sums, scope: &Scope| {
        let of = |name: &str| sums.outcomes.get(scope).and_then(|sums| sums.get(name)).copied().unwrap_or(0);
        let attempts = sums.over_currencies(scope, "calls").saturating_add(of("blocked"));
        Found {
            numerator: of("blocked_or_escalated"),
            denominator: Some(of("outcomes")),
            answered: of("outcomes"),
            of: attempts,
        }
    };
    let mut scopes: BTreeSet<Scope> = now.outcomes.keys().chain(then.outcomes.keys()).cloned().collect();
    scopes.insert(Scope::All);
    let figures = scopes.iter().map(|scope| found(now, scope).figure(profile(scope), &found(then, scope)));
    Ok(Measure {
        name: "blocked_or_escalated_rate",
        definition: "Part of the stated outcomes that were blocked or escalated, however their names are capitalised.",
        unit: "share",
        numerator: "outcomes named blocked or escalated",
        denominator: Some("outcomes of any name"),
        coverage: "stated outcomes, of calls and blocked calls",
        figures: figures.collect::<anyhow::Result<Vec<_>>>()?,
    })
}

fn value_units(now: &Sums, then: &Sums) -> anyhow::Result<Measure> {
    type Unit = (Option<String>, Option<String>);
    let unit = |line: &Line| -> Unit { (line.words.get("workload_profile").cloned(), line.words.get("name").cloned()) };
    let units = |sums: &Sums, of: &Unit| {
        let lines = sums.value_units.iter().filter(|line| unit(line) == *of);
        lines.fold(0, |total: i128, line| total.saturating_add(line.sums.get("units").copied().unwrap_or(0)))
    };
    let mut figures = Vec::new();
    // Units that were delivered in the quarter before alone are named, too.
    for of in now.value_units.iter().chain(&then.value_units).map(unit).collect::<BTreeSet<_>>() {
        let scope = Scope::Profile(of.0.clone());
        let paid = now.paid_in(&scope).union(&then.paid_in(&scope)).cloned().map(Some).collect::<BTreeSet<_>>();
        let currencies = if paid.is_empty() { BTreeSet::from([None]) } else { paid };
        for currency in currencies {
            let found = |sums: &Sums| {
                let paid_in = sums.paid_in(&scope);
                // Parts of a cost are no cost: of two currencies neither is what a unit takes.
                let whole = paid_in.len() == 1 && currency.as_ref().is_some_and(|currency| paid_in.contains(currency));
                let place = currency.clone().map(|currency| (scope.clone(), currency));
                let named = place.and_then(|place| sums.calls.get(&place));
                Found {
                    numerator: named.and_then(|named| named.get("effective_cost")).copied().unwrap_or(0),
                    denominator: Some(units(sums, &of)),
                    answered: if whole { sums.over_currencies(&scope, "priced_calls") } else { 0 },
                    of: sums.over_currencies(&scope, "calls"),
                }
            };
            let mut figure = found(now).figure(profile(&scope), &found(then))?;
            (figure.subject, figure.currency) = (of.1.clone(), currency);
            figures.push(figure);
        }
    }
    if figures.is_empty() {
        figures.push(Found::default().figure("all".to_owned(), &Found::default())?);
    }
    Ok(Measure {
        name: "cost_per_value_unit",
        definition: "Effective cost of a workload profile, by unit of value that a workload of that name delivered; what states no \
                     workload stands beside the calls that state none. Only where the whole cost is in one currency.",
        unit: "currency per unit",
        numerator: "effective cost of the workload profile",
        denominator: Some("units delivered"),
        coverage: "calls of the profile with a whole price, of its calls; none where it cost money of two currencies",
        figures,
    })
}

/// What a figure is made of.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub numerator: i128,
    pub denominator: Option<i128>,
    pub answered: i128,
    pub of: i128,
}

impl Found {
    fn of(definition: &Definition, sums: &Named) -> Self {
        let sum = |name: &str| sums.get(name).copied().unwrap_or(0);
        Found {
            numerator: sum(definition.numerator.0),
            denominator: definition.denominator.map(|(name, _)| sum(name)),
            answered: sum(definition.coverage.0),
            of: sum(definition.coverage.1),
        }
    }

    fn value(&self) -> anyhow::Result<String> {
        // Money that was charged for no call at all, a seat or an entry of a ledger, is money all the same, also beside calls
        // that have no price: coverage says that there are some.
        let beside_calls = self.denominator.is_none() && self.numerator != 0;
        if self.answered <= 0 && !beside_calls {
            return Ok(NO_COVERAGE.to_owned());
        }
        match self.denominator {
            None => amount(self.numerator),
            Some(denominator) => match divide(self.numerator, denominator, 1) {
                Some(value) => amount(value),
                None => Ok(NO_COVERAGE.to_owned()),
            },
        }
    }

    pub(super) fn figure(&self, profile: String, before: &Found) -> anyhow::Result<Figure> {
        Ok(Figure {
            profile,
            subject: None,
            tenant: None,
            currency: None,
            numerator: amount(self.numerator)?,
            denominator: self.denominator.map(amount).transpose()?,
            value: self.value()?,
            coverage: Coverage {
                answered: amount(self.answered)?,
                of: amount(self.of)?,
                share: divide(self.answered, self.of, 1).map(amount).transpose()?,
            },
            previous: before.value()?,
        })
    }
}

fn profile(scope: &Scope) -> String {
    match scope {
        Scope::All => "all".to_owned(),
        Scope::Profile(Some(name)) => name.clone(),
        Scope::Profile(None) => "none stated".to_owned(),
    }
}

fn amount(picos: i128) -> anyhow::Result<String> {
    Money::from_picos(picos).map(|amount| amount.to_string()).context("a figure needs more than 38 digits")
}

#[cfg(test)]
mod tests {
    use schemas::PICO;

    use super::*;

    fn sums(named: &[(&str, i128)]) -> Sums {
        let named: Named = named.iter().map(|(name, value)| ((*name).to_owned(), value * PICO)).collect();
        let mut sums = Sums::default();
        sums.calls.insert((Scope::All, "USD".to_owned()), named);
        sums
    }

    fn figure(measures: &[Measure], name: &str) -> Figure {
        measures.iter().find(|measure| measure.name == name).unwrap().figures[0].clone()
    }

    #[test]
    fn a_measure_whose_inputs_are_absent_says_so_and_is_never_nothing() {
        let now = sums(&[("calls", 10), ("priced_calls", 8), ("priced_calls_cost", 2)]);
        let measures = measures(&now, &Sums::default()).unwrap();
        let cost = figure(&measures, "cost_per_request");
        assert_eq!((cost.value.as_str(), cost.previous.as_str()), ("0.25", NO_COVERAGE));
        assert_eq!(cost.coverage.share.as_deref(), Some("0.8"));
        for absent in [
            "premium_share_of_spend",
            "cache_hit_rate",
            "cache_savings",
            "cost_per_active_user",
            "blocked_or_escalated_rate",
            "cost_per_value_unit",
            "budget_variance",
        ] {
            assert_eq!(figure(&measures, absent).value, NO_COVERAGE, "{absent}");
        }
    }

    #[test]
    fn what_was_charged_for_no_call_is_spend() {
        let measures = measures(&sums(&[("effective_cost", 100)]), &Sums::default()).unwrap();
        let spend = figure(&measures, "governed_spend");
        assert_ne!(spend.value, NO_COVERAGE);
        assert_eq!((spend.value, spend.coverage.share), (spend.numerator, None));
        assert_eq!(figure(&measures, "cost_per_request").value, NO_COVERAGE);
    }

    #[test]
    fn the_quarter_before_stands_beside_each_figure() {
        let (now, then) = (sums(&[("calls", 10)]), sums(&[("calls", 7)]));
        let requests = figure(&measures(&now, &then).unwrap(), "governed_requests");
        assert_eq!((requests.value.as_str(), requests.previous.as_str()), ("10", "7"));
    }

    /// Sums of a profile's calls in a currency.
    fn paid(profile: &str, currency: &str, cost: i128, calls: i128) -> ((Scope, String), Named) {
        let named = [("effective_cost", cost), ("calls", calls), ("priced_calls", calls)];
        let named = named.map(|(name, value)| (name.to_owned(), value * PICO));
        ((Scope::Profile(Some(profile.to_owned())), currency.to_owned()), named.into())
    }

    fn units(profile: Option<&str>, name: &str, units: i128) -> Line {
        let words = [("workload_profile", profile), ("name", Some(name))];
        let words = words.into_iter().filter_map(|(name, word)| Some((name.to_owned(), word?.to_owned())));
        Line { words: words.collect(), sums: [("units".to_owned(), units * PICO)].into() }
    }

    /// Figures of a measure: profile, subject, currency, value, the quarter before.
    fn lines(now: &Sums, then: &Sums, name: &str) -> Vec<String> {
        let measures = measures(now, then).unwrap();
        let measure = measures.iter().find(|measure| measure.name == name).unwrap();
        let line = |figure: &Figure| {
            let words = [figure.subject.as_deref(), figure.currency.as_deref()].map(|word| word.unwrap_or("-"));
            format!("{} {} {} {}", figure.profile, words.join(" "), figure.value, figure.previous)
        };
        measure.figures.iter().map(line).collect()
    }

    #[test]
    fn a_unit_has_a_cost_only_where_all_of_it_is_in_one_currency() {
        let now = Sums {
            calls: [paid("bot", "EUR", 3, 1), paid("bot", "USD", 8, 4), paid("desk", "USD", 8, 4)].into(),
            value_units: vec![units(Some("bot"), "answers", 4), units(Some("desk"), "answers", 4)],
            ..Sums::default()
        };
        let then = Sums { calls: [paid("bot", "USD", 6, 4)].into(), ..now.clone() };
        assert_eq!(
            lines(&now, &then, "cost_per_value_unit"),
            [
                "bot answers EUR no coverage no coverage",
                "bot answers USD no coverage 1.5",
                "desk answers USD 2 no coverage"
            ]
        );
    }

    #[test]
    fn units_without_calls_and_those_of_the_quarter_before_say_that_they_have_no_coverage() {
        let unpriced =
            ((Scope::Profile(Some("new".to_owned())), "USD".to_owned()), [("calls".to_owned(), PICO)].into());
        let now = Sums {
            calls: [paid("bot", "USD", 8, 4), unpriced].into(),
            value_units: vec![
                units(None, "answers", 4),
                units(Some("idle"), "answers", 4),
                units(Some("new"), "answers", 1),
            ],
            ..Sums::default()
        };
        let then = Sums {
            calls: [paid("bot", "USD", 6, 4)].into(),
            value_units: vec![units(Some("bot"), "answers", 3)],
            ..Sums::default()
        };
        assert_eq!(
            lines(&now, &then, "cost_per_value_unit"),
            [
                "none stated answers - no coverage no coverage",
                "bot answers USD no coverage 2",
                "idle answers - no coverage no coverage",
                "new answers - no coverage no coverage",
            ]
        );
    }

    #[test]
    fn what_is_no_money_is_one_figure_of_all_currencies() {
        let now = Sums { calls: [paid("bot", "EUR", 3, 1), paid("bot", "USD", 8, 4)].into(), ..Sums::default() };
        assert_eq!(lines(&now, &now, "governed_requests"), ["bot - - 5 5"]);
        assert_eq!(lines(&now, &now, "governed_spend"), ["bot - EUR 3 3", "bot - USD 8 8"]);
    }

    #[test]
    fn spend_beside_calls_without_a_price_is_spend_and_its_coverage_says_so() {
        let spend = figure(
            &measures(&sums(&[("effective_cost", 100), ("calls", 5)]), &Sums::default()).unwrap(),
            "governed_spend",
        );
        assert_eq!((spend.value.as_str(), spend.coverage.share.as_deref()), ("100", Some("0")));
    }
}
