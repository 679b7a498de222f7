//! Terms whose price of a call depends on what was used before it: rows, and how a book checks and keeps them.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use schemas::{Meter, Text, Timestamp};
use serde::{Deserialize, Serialize};

use super::row::{Exact, Provenance};
use crate::period::{Dated, Period};

/// When a running total begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Every {
    /// Each day, by the clock of the zone.
    Day,
    /// Each month, by the clock of the zone.
    #[default]
    Month,
    /// Never: one total for `[valid_from, valid_to)`.
    Term,
}

/// Whose use is counted in one total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// Each billing account has its own.
    #[default]
    Account,
    /// All accounts share one.
    Organisation,
}

/// Prices that fall, or begin, with the volume of a period. A free allowance is one whose first band costs nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ladder {
    pub id: Text,
    /// Billing account it holds for; null for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Text>,
    #[serde(default)]
    pub scope: Scope,
    /// SKUs counted together.
    pub covers: Vec<Text>,
    /// Meters counted together.
    pub meters: Vec<Meter>,
    #[serde(default)]
    pub every: Every,
    /// IANA time zone its days and months follow.
    pub timezone: Text,
    /// Quantity the prices of its bands are for.
    #[serde(default = "one")]
    pub per: i64,
    /// From nothing upwards; each unit costs what its own band says.
    pub bands: Vec<Band>,
    pub period: Period,
    pub provenance: Provenance,
}

/// What units of a part of the volume cost: a price of their own, or a factor on what the call was charged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Band {
    /// Units that come before it.
    pub from: Exact,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<Exact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Exact>,
}

/// How a commitment is paid and used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CommitmentKind {
    /// `quantity` units at `price` for `per` seconds each, used or idle.
    Provisioned,
    /// `price` for the whole of `[valid_from, valid_to)`, an equal part for each of its days.
    Reserved,
    /// `quantity` of money at contracted prices for `price`, in each period; what is not used of it is paid too.
    CommittedSpend,
    /// The same, once: what is left at `valid_to` expires.
    Prepaid,
}

impl CommitmentKind {
    /// Whether calls use it up by what they cost; the others are capacity, whose calls carry the basis `committed`.
    pub fn is_drawn_down(self) -> bool {
        matches!(self, CommitmentKind::CommittedSpend | CommitmentKind::Prepaid)
    }
}

/// Capacity or use paid in advance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Commitment {
    pub id: Text,
    /// Billing account that holds it; null when all share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Text>,
    /// Team that pays for what nobody used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<Text>,
    pub kind: CommitmentKind,
    pub quantity: Exact,
    /// SKUs whose use it covers; empty for all in its currency.
    pub covers: Vec<Text>,
    pub price: Exact,
    #[serde(default = "one")]
    pub per: i64,
    pub currency: Text,
    #[serde(default)]
    pub every: Every,
    pub timezone: Text,
    pub period: Period,
    pub provenance: Provenance,
}

fn one() -> i64 {
    1
}

/// A row with the zone it follows, and when it holds.
#[derive(Debug, Clone)]
pub(crate) struct Held<T> {
    pub row: T,
    pub zone: Tz,
    pub from: Timestamp,
    pub to: Timestamp,
}

impl<T> Held<T> {
    /// Whether it holds then.
    pub fn holds(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.to
    }
}

/// The terms of a book, in the order of their ids and starts.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    pub ladders: Vec<Held<Ladder>>,
    pub commitments: Vec<Held<Commitment>>,
}

/// What is wrong with a row, and what would mend it.
pub(crate) type Wrong = (String, &'static str);

/// What both kinds of rows have.
pub(crate) trait Term: Clone {
    /// Its name: rows of one name follow one another.
    fn id(&self) -> &Text;
    /// When it holds.
    fn period(&self) -> Period;
    /// Zone its days and months follow.
    fn timezone(&self) -> &Text;
    /// SKUs it is about.
    fn covers(&self) -> &[Text];
    /// Everything wrong with the row by itself.
    fn check(&self) -> Option<Wrong>;
}

impl Term for Ladder {
    fn id(&self) -> &Text {
        &self.id
    }

    fn period(&self) -> Period {
        self.period
    }

    fn timezone(&self) -> &Text {
        &self.timezone
    }

    fn covers(&self) -> &[Text] {
        &self.covers
    }

    fn check(&self) -> Option<Wrong> {
        let rises = self.bands.windows(2).all(|pair| pair[0].from < pair[1].from);
        let from_nothing = self.bands.first().is_some_and(|band| band.from.0.is_zero());
        let stated = |band: &Band| {
            let one = band.factor.xor(band.price);
            one.is_some_and(|value| !value.0.is_sign_negative())
        };
        if !rises || !from_nothing {
            return Some(("bands do not rise from 0".into(), "state them in order, the first from: 0"));
        }
        if !self.bands.iter().all(stated) {
            return Some(("a band has no price".into(), "give each a factor or a price, not below 0 and not both"));
        }
        if self.covers.is_empty() || self.meters.is_empty() || self.per <= 0 {
            return Some((
                "says not what is counted".into(),
                "name the skus it covers and the meters, and a positive per",
            ));
        }
        let endless = self.every == Every::Term && self.period.valid_from.is_none();
        endless.then_some(("is counted over a term that never began".into(), "state valid_from"))
    }
}

impl Term for Commitment {
    fn id(&self) -> &Text {
        &self.id
    }

    fn period(&self) -> Period {
        self.period
    }

    fn timezone(&self) -> &Text {
        &self.timezone
    }

    fn covers(&self) -> &[Text] {
        &self.covers
    }

    fn check(&self) -> Option<Wrong> {
        if self.price.0.is_sign_negative() || self.quantity.0.is_sign_negative() || self.quantity.0.is_zero() {
            return Some(("has a negative price or no quantity".into(), "state what is paid, and for how much"));
        }
        if self.per <= 0 {
            return Some(("per is not positive".into(), "state the seconds the price is for"));
        }
        if self.period.valid_from.is_none() {
            return Some(("never began".into(), "state valid_from"));
        }
        let endless = self.kind == CommitmentKind::Reserved && self.period.valid_to.is_none();
        endless.then_some(("is spread over a term that never ends".into(), "state valid_to"))
    }
}

/// Rows of each name as they follow one another; what contradicts itself goes to `wrong` with the place of its row.
pub(crate) fn held<T: Term>(rows: &[(&str, &T)], wrong: &mut dyn FnMut(&str, Wrong)) -> Vec<Held<T>> {
    let mut by_id: BTreeMap<&Text, Dated<(&T, Tz)>> = BTreeMap::new();
    for (place, row) in rows {
        if let Some(found) = row.check() {
            wrong(place, found);
        }
        if row.period().from() >= row.period().to() {
            wrong(place, ("valid_to is not after valid_from".into(), "terms hold in [valid_from, valid_to)"));
        }
        let Ok(zone) = row.timezone().parse::<Tz>() else {
            wrong(place, (format!("{:?} is no time zone", row.timezone()), "use an IANA name such as Europe/Berlin"));
            continue;
        };
        if by_id.entry(row.id()).or_default().add(row.period(), (*row, zone)).is_some() {
            wrong(
                place,
                (format!("{:?} is there twice for the same time", row.id()), "date it, or give it another id"),
            );
        }
    }
    let spans = by_id.values().flat_map(|rows| {
        rows.spans()
            .map(|(from, to, (row, zone))| Held { row: (*row).clone(), zone: *zone, from, to })
            .collect::<Vec<_>>()
    });
    spans.collect()
}

/// Two ladders that could both price one unit.
pub(crate) fn clash(ladders: &[Held<Ladder>]) -> Option<(&Ladder, &Ladder)> {
    let meets = |a: &Held<Ladder>, b: &Held<Ladder>| {
        let party = a.row.account.is_none() || b.row.account.is_none() || a.row.account == b.row.account;
        let sku = a.row.covers.iter().any(|sku| b.row.covers.contains(sku));
        party && sku && a.row.meters.iter().any(|meter| b.row.meters.contains(meter)) && a.from < b.to && b.from < a.to
    };
    let pairs =
        ladders.iter().enumerate().flat_map(|(at, one)| ladders[at + 1..].iter().map(move |other| (one, other)));
    pairs.into_iter().find(|(one, other)| meets(one, other)).map(|(one, other)| (&one.row, &other.row))
}
