//! The rows of a price book as they are published: one JSON object each, never edited once published.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use schemas::{Meter, Price, Text};
use serde::{Deserialize, Serialize};

use super::rate_card::InternalRate;
use super::terms::{Commitment, Ladder};
use super::when::When;
use crate::period::Period;

/// One row of `ref.prices`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Row {
    /// What holds for the whole book.
    Book(Book),
    /// A biller and the names it goes by.
    Provider(Provider),
    /// Something that has prices, and the model names that mean it.
    Sku(Sku),
    /// A model name that means a SKU for a while.
    Alias(Alias),
    /// A pattern of model names that means a SKU.
    Pattern(Pattern),
    /// Prices of some meters of a SKU under one set of conditions.
    Rate(Rate),
    /// A published factor on prices (data residency, regional endpoints).
    Uplift(Uplift),
    /// A negotiated factor on list prices.
    Discount(Discount),
    /// An exchange rate to the reporting currency.
    Fx(Fx),
    /// Days on which time-of-day prices do not hold.
    Calendar(Calendar),
    /// Capacity or use paid in advance.
    Commitment(Commitment),
    /// Prices that fall with the volume of a period, and free allowances.
    Ladder(Ladder),
    /// What a unit of value is charged on for.
    InternalRate(InternalRate),
    /// A model that calls are compared with.
    Baseline(Baseline),
    /// Models that may stand for one another.
    Alternatives(Alternatives),
}

/// What holds for the whole book.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Book {
    /// ISO 4217 currency that reports are in.
    pub reporting_currency: Text,
}

/// A biller and the names it goes by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    pub provider: Text,
    /// Other names of the same price list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Text>,
    /// What the provider's responses call its tiers, where the rows call them otherwise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tiers: BTreeMap<Text, Text>,
    /// Prefixes of model names that mean nothing (`models/`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strip: Vec<Text>,
    /// Whether a name that means nothing is tried again with its `-20260423` written as `-2026-04-23`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dashed_dates: bool,
}

/// Something that has prices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sku {
    pub sku: Text,
    pub provider: Text,
    /// Model names that mean exactly this.
    pub models: Vec<Text>,
    /// Beginnings of model names that mean this; the longest wins, an exact name always does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<Text>,
    /// Whether a model name followed by a date (`-2026-04-23`, `-20260423`, `@20260423`) means this too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub snapshots: bool,
    /// Premium, standard or economy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Text>,
    pub currency: Text,
    /// Minimum and rounding of quantities.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quantities: BTreeMap<Meter, QuantityRule>,
}

/// How a used quantity becomes a billed one.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuantityRule {
    /// Least that is billed when anything was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Exact>,
    /// Quantities are billed in whole steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Exact>,
    /// Most that is billed, however much was used (a fee per prompt, not per query).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Exact>,
    /// Which way to the whole step.
    #[serde(default)]
    pub round: Round,
}

/// Which way a quantity is rounded to a whole step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Round {
    /// Every step begun is billed.
    #[default]
    Up,
    /// To the nearest step, half a step upwards.
    Nearest,
}

/// A model name that means a SKU for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alias {
    pub provider: Text,
    pub model: Text,
    pub sku: Text,
    pub period: Period,
    pub provenance: Provenance,
}

/// A pattern of model names that means a SKU, tried where no exact name does: the first that fits, by `order`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pattern {
    pub provider: Text,
    pub order: u32,
    pub sku: Text,
    pub matches: Matcher,
}

/// Which model names a [`Pattern`] fits, in lower case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Matcher {
    Equals(Text),
    StartsWith(Text),
    EndsWith(Text),
    Contains(Text),
    Regex(Text),
    Any(Vec<Matcher>),
    All(Vec<Matcher>),
    Not(Box<Matcher>),
}

/// Where a figure comes from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Provenance {
    /// Page it was read on.
    #[serde(default)]
    pub source: Text,
    /// Day somebody read it there.
    #[serde(default)]
    pub checked: Text,
    /// `published`, or how it was come by otherwise.
    #[serde(default)]
    pub basis: Text,
    /// Remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Text>,
}

/// Prices of some meters of a SKU under one set of conditions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rate {
    pub sku: Text,
    #[serde(default, skip_serializing_if = "When::is_empty")]
    pub when: When,
    /// Quantity the prices are for.
    pub per: i64,
    pub prices: BTreeMap<Meter, Exact>,
    /// Meters whose price is another meter's, by a stated fallback: made explicit when the file was read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub derived: BTreeMap<Meter, Meter>,
    /// Precedence among rows that match, instead of the number of conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<i32>,
    pub period: Period,
    pub provenance: Provenance,
}

/// A published factor on prices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Uplift {
    pub skus: Vec<Text>,
    pub when: When,
    pub factor: Exact,
    /// Meters it applies to; empty for all that count tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub meters: Vec<Meter>,
    pub period: Period,
    pub provenance: Provenance,
}

/// A negotiated factor on list prices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Discount {
    pub id: Text,
    /// Provider it was agreed with; null for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Text>,
    /// SKUs it covers; empty for all of the provider.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skus: Vec<Text>,
    pub when: When,
    pub factor: Exact,
    /// Amount added to each call, in the currency of the SKU: a margin, or the fee of a gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_call: Option<Exact>,
    /// Meters it applies to; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub meters: Vec<Meter>,
    pub period: Period,
    pub provenance: Provenance,
}

/// An exchange rate to the reporting currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fx {
    /// ISO 4217 currency of the amount.
    pub from: Text,
    /// Reporting currency for one of it.
    pub rate: Exact,
    pub period: Period,
    pub provenance: Provenance,
}

/// Days on which time-of-day prices do not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Calendar {
    pub calendar: Text,
    pub days: Vec<chrono::NaiveDate>,
    pub period: Period,
    pub provenance: Provenance,
}

/// A model that calls are compared with: what they would have cost without the decision to route them elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    pub sku: Text,
    /// Routing lane whose calls are compared; null for every call that states one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Text>,
    /// Tokens the baseline would have counted for one of the call's; one when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Exact>,
    pub period: Period,
    pub provenance: Provenance,
}

/// Models that may stand for one another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alternatives {
    pub skus: Vec<Text>,
    pub compare: Compare,
    pub period: Period,
    pub provenance: Provenance,
}

/// What alternatives have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Compare {
    /// Models approved for the same work: the cheapest of the class of the call's own.
    Class,
    /// One model as several providers sell it: the cheapest of the others.
    Providers,
}

/// A decimal read from its own text, so that no float stands between a file and a price.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Exact(pub Decimal);

impl Exact {
    /// As a price.
    pub fn price(self) -> Price {
        Price(self.0)
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Exact {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
        let value = plain.then(|| Decimal::from_str_exact(text).ok()).flatten();
        let value = value.ok_or_else(|| format!("{text:?} is not a plain decimal number of at most 28 digits"))?;
        let value = value.normalize();
        if value.scale() > Price::SCALE {
            return Err(format!(
                "{text} has more than {} decimal places; state it per a larger quantity",
                Price::SCALE
            ));
        }
        Ok(Exact(value))
    }
}

impl Serialize for Exact {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl serde::de::Visitor<'_> for Digits {
            type Value = Exact;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Exact, E> {
                text.parse().map_err(E::custom)
            }
        }
        // Asking for text makes the YAML reader hand over the digits as written.
        deserializer.deserialize_str(Digits)
    }
}

fn is_false(value: &bool) -> bool {
    !value
}
