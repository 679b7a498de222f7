//! A compiled book: everything an evaluation looks up.

use std::collections::BTreeMap;

use hashbrown::HashMap as FastMap;
use schemas::{Meter, Money, Price, Quantity, Text, Timestamp};
use smallvec::SmallVec;

use super::condition::{ConditionSet, Values};
use super::matching::Matching;
use super::row::{Compare, Exact, Round};
use super::terms::Terms;

/// Meters there are.
pub(crate) const METERS: usize = Meter::ALL.len();
/// One version of the price book, compiled.
#[derive(Debug)]
pub struct PriceBook {
    pub(crate) version: Text,
    pub(crate) reporting_currency: Text,
    pub(crate) values: Values,
    pub(crate) provider_names: FastMap<Text, u32>,
    pub(crate) providers: Vec<PriceList>,
    pub(crate) skus: Vec<SkuRates>,
    pub(crate) fx: FastMap<Text, Vec<FxRate>>,
    pub(crate) terms: Terms,
    pub(crate) comparisons: Comparisons,
    /// Where each row was read, by the number rates know it by.
    pub(crate) origins: Vec<Text>,
}

/// What calls are compared with.
#[derive(Debug, Default)]
pub(crate) struct Comparisons {
    /// Those of a lane before those of any, the latest start first.
    pub baselines: Vec<CompiledBaseline>,
    pub alternatives: Vec<CompiledAlternatives>,
}

impl Comparisons {
    /// Whether there is nothing to compare with.
    pub fn is_empty(&self) -> bool {
        self.baselines.is_empty() && self.alternatives.is_empty()
    }
}

/// A model that the calls of a lane are compared with.
#[derive(Debug)]
pub(crate) struct CompiledBaseline {
    pub lane: Option<Text>,
    pub sku: u32,
    /// Tokens for one token, in millionths.
    pub tokens: i128,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// Models that may stand for one another.
#[derive(Debug)]
pub(crate) struct CompiledAlternatives {
    pub compare: Compare,
    pub skus: Vec<u32>,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// The model names of one biller.
#[derive(Debug, Default)]
pub(crate) struct PriceList {
    pub tiers: BTreeMap<Text, Text>,
    pub strip: Vec<Text>,
    /// What a model name means, the latest start first.
    pub models: FastMap<Text, SmallVec<[Meaning; 1]>>,
    /// Longest first.
    pub prefixes: Vec<(Text, u32)>,
    /// In the order they are tried.
    pub patterns: Vec<(u32, Matching, u32)>,
    pub dashed_dates: bool,
}

/// What a model name means in a period.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meaning {
    pub from: Timestamp,
    pub to: Timestamp,
    pub sku: u32,
    pub aliased: bool,
}

/// The rates of one SKU, laid out for look-up.
#[derive(Debug)]
pub(crate) struct SkuRates {
    pub name: Text,
    pub class: Option<Text>,
    pub currency: Text,
    pub snapshots: bool,
    /// Common denominator of all its prices, in picounits of money per picounit of a meter.
    pub denominator: i128,
    pub conditions: ConditionSet,
    /// Sorted so that, per meter, the first that matches wins.
    pub rates: Vec<CompiledRate>,
    /// Per meter the range of its public rates, then that of its contract rates.
    pub ranges: Box<[[(u32, u32); 2]; METERS]>,
    pub has_contracts: bool,
    pub discounts: Vec<CompiledDiscount>,
    pub quantities: Vec<(Meter, QuantityRounding)>,
}

/// Where a rate stands among those of its meter: public before contract, then the precedence, highest first.
pub(crate) type Precedence = (bool, std::cmp::Reverse<(i32, i32, Timestamp, Timestamp)>);

/// One price of one meter.
#[derive(Debug, Clone)]
pub(crate) struct CompiledRate {
    pub meter: Meter,
    pub condition: u8,
    pub contract: bool,
    pub published: bool,
    pub party: i32,
    pub rank: i32,
    pub from: Timestamp,
    pub to: Timestamp,
    pub known: Timestamp,
    /// Of the SKU's common denominator.
    pub numerator: i128,
    /// Picounits of money for one unit of the meter, where that comes out even.
    pub each: Option<i64>,
    pub price: Price,
    pub per: i64,
    pub id: Text,
    /// Row it was read from.
    pub origin: u32,
}

impl CompiledRate {
    /// Smaller goes first.
    pub fn precedence(&self) -> Precedence {
        (self.contract, std::cmp::Reverse((self.party, self.rank, self.from, self.known)))
    }
}

/// A negotiated factor on the list prices of a SKU.
#[derive(Debug)]
pub(crate) struct CompiledDiscount {
    pub id: Text,
    pub condition: u8,
    /// One bit per meter.
    pub meters: u64,
    pub rank: (i32, i32),
    pub from: Timestamp,
    pub to: Timestamp,
    pub factor: Exact,
    /// In millionths.
    pub micros: i128,
    /// Added to each call: as stated, and as an amount.
    pub per_call: Option<(Price, Money)>,
}

/// How a used quantity becomes a billed one, in picounits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QuantityRounding {
    pub minimum: i128,
    pub step: i128,
    pub maximum: i128,
    pub round: Round,
}

impl QuantityRounding {
    /// The billed quantity. Nothing used is nothing billed.
    pub fn apply(&self, used: Quantity) -> Option<Quantity> {
        let mut picos = used.picos();
        if picos <= 0 {
            return Some(used);
        }
        if self.step > 0 {
            let offset = match self.round {
                Round::Up => self.step - 1,
                Round::Nearest => self.step / 2,
            };
            picos = picos.checked_add(offset)? / self.step * self.step;
        }
        Quantity::from_picos(picos.max(self.minimum).min(self.maximum))
    }
}

/// An exchange rate to the reporting currency.
#[derive(Debug)]
pub(crate) struct FxRate {
    pub from: Timestamp,
    pub to: Timestamp,
    pub mantissa: i128,
    pub scale: i128,
    pub id: Text,
}
