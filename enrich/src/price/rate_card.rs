//! The internal rate card: what units of value (a resolution, a document) are charged on for, as dated rows of the book.
//!
//! It prices what was delivered, not what was used, so no charge looks at it: reports set its amounts beside the costs.

use std::collections::BTreeMap;

use schemas::{Money, PICO, ReferenceRow, Text, Timestamp, is_currency_code};
use serde::{Deserialize, Serialize};
use stream::reference::Compiled;

use super::row::{Exact, Provenance, Row};
use crate::period::{Contradiction, Dated, Period};

/// A price of one unit, for all or for some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InternalRate {
    /// Name of the unit, as facts state it.
    pub unit: Text,
    /// For whom; all, when nothing is stated.
    #[serde(default)]
    pub scope: Scope,
    /// For one unit.
    pub price: Exact,
    pub currency: Text,
    pub period: Period,
    pub provenance: Provenance,
}

/// For whom a price holds: whoever meets all that is stated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Customer the unit was delivered to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<Text>,
    /// Project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Text>,
    /// Team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<Text>,
    /// Workload that delivered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Text>,
}

impl Scope {
    /// Larger goes first: the scope that states more; of those that state as many, the one that states the customer, then
    /// the project, then the team. No two scopes that differ in what they state are alike.
    pub fn precedence(&self) -> u32 {
        let stated =
            [&self.customer, &self.project, &self.team, &self.workload].map(|value| u32::from(value.is_some()));
        let order = stated.iter().fold(0, |bits, one| bits * 2 + one);
        stated.iter().sum::<u32>() * 16 + order
    }
}

/// A price while it holds: `[from, to)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitPrice {
    /// Name of the unit, as facts state it.
    pub unit: Text,
    /// For whom.
    pub scope: Scope,
    /// Of one unit.
    pub price: Money,
    /// ISO 4217 currency of the price.
    pub currency: Text,
    /// First instant; [`Timestamp::MIN`] when it always held.
    pub from: Timestamp,
    /// First instant it no longer holds; [`Timestamp::MAX`] when no end is known.
    pub to: Timestamp,
}

/// The internal prices of one version of the book.
#[derive(Debug, Default)]
pub struct RateCard(Vec<InternalRate>);

impl Compiled for RateCard {
    const SET: &'static str = super::SET;

    fn compile(version: &str, rows: &[&ReferenceRow]) -> anyhow::Result<Self> {
        let mut card = Vec::new();
        for row in rows {
            let parsed = serde_json::from_str(&row.body)
                .map_err(|error| anyhow::anyhow!("prices {version}: row {} ({}): {error}", row.row_id, row.origin))?;
            if let Row::InternalRate(rate) = parsed {
                card.push(rate);
            }
        }
        Ok(RateCard(card))
    }
}

impl RateCard {
    /// What was known then of which price holds when: by unit and scope, oldest first.
    pub fn prices(&self, as_of: Timestamp) -> Vec<UnitPrice> {
        let known = self.0.iter().filter(|rate| rate.period.known_at(as_of));
        let mut by_scope: BTreeMap<(&Text, &Scope), Dated<&InternalRate>> = BTreeMap::new();
        for rate in known {
            // The book was validated.
            by_scope.entry((&rate.unit, &rate.scope)).or_default().add(rate.period, rate);
        }
        let mut prices = Vec::new();
        for rows in by_scope.values() {
            for (from, to, rate) in rows.spans() {
                let Some(price) = money(rate.price) else { continue };
                let InternalRate { unit, scope, currency, .. } = (*rate).clone();
                prices.push(UnitPrice { unit, scope, price, currency, from, to });
            }
        }
        prices
    }
}

/// A price as money; `None` when it is finer than a picounit, or needs more than 38 digits.
fn money(price: Exact) -> Option<Money> {
    let value = price.0.normalize();
    let scale = 10i128.checked_pow(value.scale())?;
    (PICO % scale == 0).then(|| value.mantissa().checked_mul(PICO / scale)).flatten().and_then(Money::from_picos)
}

/// Everything wrong with these rows, each with its place, what is wrong and what would mend it.
pub(super) fn check<'a>(
    rows: impl Iterator<Item = (&'a str, &'a InternalRate)>,
    wrong: &mut dyn FnMut(&str, String, &'static str),
) {
    let mut by_scope: BTreeMap<(&Text, &Scope), Dated<()>> = BTreeMap::new();
    for (place, rate) in rows {
        if rate.unit.trim().is_empty() {
            wrong(place, "names no unit".into(), "name it as your facts do (resolutions, documents)");
        }
        if rate.price.0.is_sign_negative() {
            wrong(place, format!("price {} is negative", rate.price.0), "state 0 for what is given away");
        } else if money(rate.price).is_none() {
            let message = format!("price {} is too fine or too large", rate.price.0);
            wrong(place, message, "state it for one unit, with at most 12 decimal places");
        }
        if !is_currency_code(&rate.currency) {
            wrong(place, format!("currency {:?} is no ISO 4217 code", rate.currency), "write it as USD or EUR");
        }
        if rate.period.from() >= rate.period.to() {
            let remedy = "a price holds in [valid_from, valid_to)";
            wrong(place, "valid_to is not after valid_from".into(), remedy);
        }
        let message = match by_scope.entry((&rate.unit, &rate.scope)).or_default().add(rate.period, ()) {
            None => continue,
            Some(Contradiction::SameStart) => format!("{} has two prices from the same time", rate.unit),
            Some(Contradiction::Overlap) => format!("{} has two prices at one time", rate.unit),
        };
        wrong(place, message, "keep one, date the later one by valid_from, or say for whom it is");
    }
}
