//! Price data of others, read into rows of ours: each with the meaning its own library gives it.
//!
//! An importer writes out what its source leaves to code: fallbacks, defaults and precedence become rows. A book made of
//! one source therefore answers as that source's library does, and `tests/oracles` checks that it does.

mod genai;
mod litellm;
mod literal;
mod merge;

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemas::{Meter, ReferenceRow, Text};

use super::build::Placed;
use super::row::{Exact, Provenance, Rate, Row};
use super::when::{Any, Batch, Choice, When};
use crate::finding::Finding;
use crate::period::Period;

pub use merge::{Merged, Sources, merge};

/// Whose data it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `model_prices_and_context_window.json` of the package `litellm`.
    Litellm,
    /// `data.py` of the Python package `genai-prices`.
    GenaiPrices,
}

/// What to import, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whose data it is.
    pub source: Source,
    /// Version of the package, for the provenance of every row.
    pub version: String,
    /// Day somebody fetched it, `2026-11-23`.
    pub checked: String,
    /// Keeps every digit. Otherwise prices are rounded to twelve significant digits, which mends the remains of binary
    /// fractions (`1.3200000000000002e-07`) and touches no published price.
    pub exact: bool,
}

/// Rows made of somebody's data.
#[derive(Debug)]
pub struct Imported {
    /// Rows ready to be published or compiled.
    pub rows: Vec<ReferenceRow>,
    /// What could not be taken over, one sentence each.
    pub remarks: Vec<String>,
}

/// Reads the data of a package into rows, and validates the book they make.
///
/// # Errors
/// What is wrong with the data, or with the book that it makes.
pub fn import(text: &str, options: &Options) -> Result<Imported, Vec<Finding>> {
    let name = match options.source {
        Source::Litellm => "litellm",
        Source::GenaiPrices => "genai-prices",
    };
    let provenance = Provenance {
        source: Text::const_new(""),
        checked: options.checked.as_str().into(),
        basis: format!("{name} {} data", options.version).into(),
        note: None,
    };
    let mut sheet = Sheet { file: name, provenance, exact: options.exact, rows: Vec::new(), remarks: Vec::new() };
    let read = match options.source {
        Source::Litellm => litellm::read(text, &mut sheet),
        Source::GenaiPrices => genai::read(text, &mut sheet),
    };
    read.map_err(|message| {
        vec![Finding::error(name, "", message, "give the file of that name from the package, unchanged")]
    })?;
    let rows = super::file::publish(&sheet.rows)?;
    Ok(Imported { rows, remarks: sheet.remarks })
}

/// Rows being written.
struct Sheet {
    file: &'static str,
    provenance: Provenance,
    exact: bool,
    rows: Vec<Placed>,
    remarks: Vec<String>,
}

/// Prices of one kind of call, before they become rows.
#[derive(Debug, Clone, Default, PartialEq)]
struct Prices {
    /// Price of one of the meter.
    each: BTreeMap<Meter, Decimal>,
    /// Meters whose price is another's because the source says nothing of them.
    derived: BTreeMap<Meter, Meter>,
}

impl Prices {
    fn set(&mut self, meter: Meter, price: Option<Decimal>) {
        if let Some(price) = price {
            self.each.insert(meter, price);
        }
    }

    /// States a price, or else that of another meter.
    fn set_or_like(&mut self, meter: Meter, price: Option<Decimal>, like: Meter) {
        match (price, self.each.get(&like).copied()) {
            (Some(price), _) => self.set(meter, Some(price)),
            (None, Some(price)) => {
                self.each.insert(meter, price);
                self.derived.insert(meter, like);
            }
            (None, None) => {}
        }
    }
}

/// Where and when prices hold.
#[derive(Debug, Clone, Default)]
struct Place {
    when: When,
    rank: i32,
    period: Period,
    /// Why the prices are not published ones.
    derived: Option<&'static str>,
}

impl Sheet {
    fn put(&mut self, row: &str, value: Row) {
        self.rows.push((format!("{}: {row}", self.file), value));
    }

    /// Writes prices of one of each meter: tokens per million, everything else each.
    fn rates(&mut self, sku: &Text, place: &Place, prices: &Prices, source: &str) {
        for (tokens, per) in [(true, 1_000_000), (false, 1)] {
            let each = prices.each.iter().filter(|(meter, _)| meter.is_tokens() == tokens);
            let each = each.map(|(meter, price)| (*meter, price.checked_mul(Decimal::from(per)).unwrap_or(*price)));
            let each: BTreeMap<_, _> = each.collect();
            let derived = prices.derived.iter().filter(|(meter, _)| each.contains_key(*meter));
            let derived = derived.map(|(meter, like)| (*meter, *like)).collect();
            self.rates_per(sku, place, &Prices { each, derived }, per, source);
        }
    }

    /// Writes prices of a quantity of each meter, or of a larger one if their digits need it.
    fn rates_per(&mut self, sku: &Text, place: &Place, prices: &Prices, least: i64, source: &str) {
        if prices.each.is_empty() {
            return;
        }
        let digits = |price: &Decimal| if self.exact { *price } else { snapped(*price) };
        let chosen: Vec<(Meter, Decimal)> = prices.each.iter().map(|(meter, price)| (*meter, digits(price))).collect();
        let quantities = [1, 1_000, 1_000_000, 1_000_000_000].map(|more| (more, least * more));
        let fit = quantities.into_iter().find_map(|(more, per)| Some((per, scaled(&chosen, more)?)));
        let Some((per, prices_per)) = fit else {
            return self.remarks.push(format!("{sku}: a price has too many digits"));
        };
        let mut provenance = Provenance { source: source.into(), ..self.provenance.clone() };
        if let Some(why) = place.derived {
            provenance.basis = format!("derived: {why}").into();
        }
        let rate = Rate {
            sku: sku.clone(),
            when: place.when.clone(),
            per,
            derived: prices.derived.clone(),
            prices: prices_per,
            rank: Some(place.rank),
            period: place.period,
            provenance,
        };
        self.put(&format!("sku {sku}"), Row::Rate(rate));
    }
}

/// Prices for a quantity, if all of them fit a price.
fn scaled(prices: &[(Meter, Decimal)], per: i64) -> Option<BTreeMap<Meter, Exact>> {
    let scaled = |price: Decimal| {
        let price = price.checked_mul(Decimal::from(per))?.normalize();
        (price.scale() <= schemas::Price::SCALE).then_some(Exact(price))
    };
    prices.iter().map(|(meter, price)| Some((*meter, scaled(*price)?))).collect()
}

/// Twelve significant digits.
fn snapped(price: Decimal) -> Decimal {
    price.round_sf(12).unwrap_or(price)
}

/// A decimal number, also in scientific notation.
fn decimal(digits: &str) -> Option<Decimal> {
    Decimal::from_str_exact(digits).or_else(|_| Decimal::from_scientific(digits)).ok().map(|value| value.normalize())
}

fn any() -> Option<Choice> {
    Some(Choice::One(Text::const_new("any")))
}

fn one(value: &str) -> Option<Choice> {
    Some(Choice::One(value.into()))
}

/// Whatever tier and speed a call had, outside a batch.
fn whenever() -> When {
    When { tier: any(), speed: any(), ..When::default() }
}

/// The same, in a batch or not.
fn always() -> When {
    When { batch: Some(Batch::Both(Any::Any)), ..whenever() }
}
