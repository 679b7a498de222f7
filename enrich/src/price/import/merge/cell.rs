//! One price of one meter for one kind of call, before it becomes part of a row.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemas::{Meter, Text};

use crate::price::when::{Batch, Choice, When};

/// What kind of call a price is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// Whatever the tier, the speed, and in a batch or not: tools.
    pub anyhow: bool,
    pub tier: Option<Text>,
    pub batch: bool,
    pub speed: Option<Text>,
    pub region: Option<Text>,
    pub residency: Option<Text>,
    pub resolution: Option<Text>,
    pub size: Option<Text>,
    pub quality: Option<Text>,
    pub search_context: Option<Text>,
    /// Input tokens the price begins at; 0 for any number.
    pub above: i64,
}

impl Kind {
    /// The same for calls of any size.
    pub fn of_any_size(&self) -> Kind {
        Kind { above: 0, ..self.clone() }
    }

    /// Whether nothing is said but perhaps the size.
    pub fn is_standard(&self) -> bool {
        self.of_any_size() == Kind::default()
    }

    /// What a row states; `None` when it states something that packages know nothing of.
    pub fn of(when: &When) -> Option<Kind> {
        let one = |choice: &Option<Choice>| match choice {
            None => Some(None),
            Some(Choice::One(text)) => Some(Some(text.clone())),
            Some(_) => None,
        };
        let any = |text: &Option<Text>| text.as_deref() == Some("any");
        if when.hours.is_some() || when.endpoint.is_some() || when.is_contract() {
            return None;
        }
        let (tier, speed) = (one(&when.tier)?, one(&when.speed)?);
        let anyhow = any(&tier) && matches!(when.batch, Some(Batch::Both(_)));
        let said = |text: Option<Text>| text.filter(|text| text != "any");
        Some(Kind {
            anyhow,
            tier: said(tier),
            batch: matches!(when.batch, Some(Batch::Only(true))),
            speed: said(speed),
            region: one(&when.region)?,
            residency: one(&when.residency)?,
            resolution: one(&when.resolution)?,
            size: one(&when.size)?,
            quality: one(&when.quality)?,
            search_context: one(&when.search_context)?,
            above: when.band.map_or(0, |band| band.above.or(band.from).unwrap_or(0)),
        })
    }

    /// For people: `tier flex, above 272000`.
    pub fn words(&self) -> String {
        let mut words = Vec::new();
        for (name, value) in [
            ("tier", &self.tier),
            ("speed", &self.speed),
            ("region", &self.region),
            ("residency", &self.residency),
            ("resolution", &self.resolution),
            ("size", &self.size),
            ("quality", &self.quality),
            ("search context", &self.search_context),
        ] {
            words.extend(value.as_ref().map(|value| format!("{name} {value}")));
        }
        if self.batch {
            words.push("batch".to_string());
        }
        if self.above > 0 {
            words.push(format!("above {}", self.above));
        }
        if words.is_empty() { "standard".to_string() } else { words.join(", ") }
    }
}

/// Who states a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Litellm,
    Genai,
    Both,
}

/// A price as it is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub price: Decimal,
    pub per: i64,
    pub who: Who,
}

impl Cell {
    /// Price of one.
    pub fn unit(&self) -> Decimal {
        self.price / Decimal::from(self.per)
    }

    /// The same price for the quantity that prices of the meter are stated for.
    pub fn usual(self, meter: Meter) -> Cell {
        let per = match meter {
            _ if self.per == 3600 => return self,
            Meter::InputCharacters => 1_000_000,
            _ if meter.is_tokens() => 1_000_000,
            Meter::WebSearches
            | Meter::FileSearches
            | Meter::MapsGroundings
            | Meter::RerankSearches
            | Meter::SearchQueries
            | Meter::OcrPages
            | Meter::AnnotatedPages
            | Meter::CodeSessions
            | Meter::Requests => 1000,
            _ => 1,
        };
        // Twelve significant digits mend what is left of binary fractions, and touch no published price.
        let price = self.price * Decimal::from(per) / Decimal::from(self.per);
        Cell { price: super::super::snapped(price).normalize(), per, ..self }
    }
}

/// The prices of a model on one day.
pub(super) type Table = BTreeMap<(Kind, Meter), Cell>;

/// A price in `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    pub cell: Cell,
}

/// The prices of a model over time, in order.
pub(super) type Series = BTreeMap<(Kind, Meter), Vec<Step>>;

/// A model as a package lists it.
#[derive(Debug, Clone, Default)]
pub(super) struct Listed {
    pub table: Table,
    /// Page, where it names one.
    pub source: String,
    /// Whether it writes text, and so has a class.
    pub writes: bool,
    /// Whether the fee for a search is one for a prompt, however many queries it took.
    pub search_once: bool,
    /// Factors on all tokens, and for which calls.
    pub uplifts: BTreeSet<(Uplifted, Decimal)>,
}

/// Calls a published factor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Uplifted {
    Residency(&'static str),
    NotGlobal,
    Fast,
}
