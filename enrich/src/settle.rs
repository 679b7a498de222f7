//! What a period costs besides its calls: free allowances, ladders over a volume, the draw-down of commitments and
//! prepaid credits, and capacity that is paid used or idle.
//!
//! Enrich charges every call by itself, because it sees no account whole. Here all charges of a period are seen, in the
//! order of their times and ids, and what they cost together otherwise than one by one becomes [`Entry`]s, beside them
//! and never in their place. Pure: the same charges in any order give the same entries, with the same ids.

mod calendar;
mod draw;
mod entries;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemas::{Charge, ChargeCategory, CostBasis, Id128, Meter, Money, Quantity, Text, Timestamp};

use self::calendar::{Span, date_of};
use self::entries::Entries;
pub use self::entries::{Entry, Payer};
use crate::price::PriceBook;
use crate::price::terms::{Every, Held, Ladder, Scope};

/// Why a period cannot be settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsettled {
    /// An amount of these terms needs more than 38 digits.
    TooLarge(Text),
}

impl std::fmt::Display for Unsettled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unsettled::TooLarge(term) => {
                write!(f, "amounts of {term} need more than 38 digits; check its price and per")
            }
        }
    }
}

impl std::error::Error for Unsettled {}

/// A charge, as far as terms look at it.
#[derive(Debug, Clone)]
pub struct Use {
    time: Timestamp,
    id: Id128,
    sku: Text,
    basis: CostBasis,
    currency: Text,
    account: Option<Text>,
    cost: Money,
    lines: Vec<(Meter, Quantity, Money)>,
    payer: Payer,
}

impl Use {
    /// Of a charge that stands; none when no terms of the book are about it.
    pub fn of(charge: &Charge, book: &PriceBook) -> Option<Use> {
        let (event, sku) = (&charge.event, charge.sku.clone()?);
        let ladders = book.terms.ladders.iter().any(|ladder| ladder.row.covers.contains(&sku));
        let covers = |covers: &[Text]| covers.is_empty() || covers.contains(&sku);
        let commitments = book.terms.commitments.iter().any(|one| covers(&one.row.covers));
        if event.stated_cost.is_some() || !(ladders || commitments) {
            return None;
        }
        let line = |line: &schemas::Line| (line.meter, line.billed_quantity, line.contracted_cost);
        Some(Use {
            time: event.event_time,
            id: event.dedup_key,
            sku,
            basis: event.cost_basis,
            currency: charge.costs.currency.clone(),
            account: charge.owner.billing_account.clone(),
            cost: charge.costs.contracted?,
            lines: charge.lines.iter().map(line).collect(),
            payer: Payer::of(charge),
        })
    }
}

/// From when on charges must be read to settle what was used from `from` on: where the running totals begin.
pub fn counted_from(book: &PriceBook, from: Timestamp) -> Timestamp {
    let ladders = book.terms.ladders.iter().filter(|held| held.to > from);
    let ladders = ladders.map(|held| Span::of(held.row.every, held, from));
    let commitments = book.terms.commitments.iter().filter(|held| held.to > from);
    let commitments = commitments.map(|held| {
        let every = if held.row.kind.is_drawn_down() { held.row.every } else { Every::Day };
        Span::of(every, held, from)
    });
    let starts = ladders.chain(commitments).flatten().map(|span| span.from);
    starts.chain([from]).min().unwrap_or(from)
}

/// What all uses from [`counted_from`] on come to in `[from, to)`, besides what each was charged. Both are the beginning
/// of a day (UTC); capacity is charged for days that have begun by `now`, what was not used for periods that are over.
///
/// # Errors
/// When an amount needs more than 38 digits.
pub fn settle(
    book: &PriceBook,
    mut uses: Vec<Use>,
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<Vec<Entry>, Unsettled> {
    uses.sort_by_key(|one| (one.time, one.id));
    let mut entries = Entries::new(from, to);
    let mut totals = Totals::default();
    let mut drawn = draw::Drawn::default();
    for one in uses.iter().filter(|one| one.basis == CostBasis::OnDemand) {
        let left = climb(book, one, &mut totals, &mut entries)?;
        drawn.draw(book, one, left, &mut entries)?;
    }
    drawn.unused(book, (from, to), now, &mut entries)?;
    draw::capacity(book, &uses, (from, to), now, &mut entries)?;
    Ok(entries.finish())
}

/// Units used so far: of a ladder, of an account or of all, since the start of its period.
type Totals = BTreeMap<(usize, Option<Text>, Timestamp), i128>;

/// Takes a call up its ladders; what it costs then.
fn climb(book: &PriceBook, one: &Use, totals: &mut Totals, entries: &mut Entries) -> Result<i128, Unsettled> {
    let mut left = one.cost.picos();
    for (meter, quantity, cost) in &one.lines {
        let found = book.terms.ladders.iter().enumerate().find(|(_, held)| counts(held, one, *meter));
        let Some((number, held)) = found else { continue };
        let too_large = || Unsettled::TooLarge(held.row.id.clone());
        let span = Span::of(held.row.every, held, one.time).ok_or_else(too_large)?;
        let account = one.account.clone().filter(|_| held.row.scope == Scope::Account);
        let total = totals.entry((number, account, span.from)).or_default();
        let then = banded(&held.row, *total, quantity.picos(), cost.picos()).ok_or_else(too_large)?;
        *total = total.checked_add(quantity.picos()).ok_or_else(too_large)?;
        let difference = then.checked_sub(cost.picos()).ok_or_else(too_large)?;
        left = left.checked_add(difference).ok_or_else(too_large)?;
        entries.add(
            &held.row.id,
            ChargeCategory::Adjustment,
            &one.payer,
            &one.currency,
            date_of(one.time),
            difference,
        )?;
    }
    Ok(left)
}

fn counts(held: &Held<Ladder>, one: &Use, meter: Meter) -> bool {
    let mine = held.row.account.is_none() || held.row.account == one.account;
    mine && held.holds(one.time) && held.row.meters.contains(&meter) && held.row.covers.contains(&one.sku)
}

/// What `quantity` units cost that come after `before` others, of a call charged `cost`: each part by its own band.
fn banded(ladder: &Ladder, before: i128, quantity: i128, cost: i128) -> Option<i128> {
    let mut sum = 0i128;
    for (at, band) in ladder.bands.iter().enumerate() {
        let start = picos(band.from.0)?.max(before) - before;
        let end = match ladder.bands.get(at + 1) {
            Some(next) => (picos(next.from.0)?.max(before) - before).min(quantity),
            None => quantity,
        };
        if start >= end {
            continue;
        }
        let part = match (band.price, band.factor) {
            (Some(price), _) => scaled(end - start, price.0, ladder.per)?,
            (None, Some(factor)) => {
                // What is charged for the units up to here less that up to there: all parts add up to the cost.
                let part = times(cost, end, quantity)? - times(cost, start, quantity)?;
                scaled(part, factor.0, 1)?
            }
            (None, None) => times(cost, end - start, quantity)?,
        };
        sum = sum.checked_add(part)?;
    }
    Some(sum)
}

/// A decimal in picounits, rounded towards zero.
fn picos(value: rust_decimal::Decimal) -> Option<i128> {
    let scale = 10i128.checked_pow(value.scale())?;
    times(value.mantissa(), schemas::PICO, scale)
}

/// `amount * price / per`, to the nearest, halves to even.
fn scaled(amount: i128, price: rust_decimal::Decimal, per: i64) -> Option<i128> {
    times(amount, price.mantissa(), 10i128.checked_pow(price.scale())?.checked_mul(per.into())?)
}

/// `a * b / d`, exactly, to the nearest whole number, halves to the even one.
fn times(a: i128, b: i128, d: i128) -> Option<i128> {
    let sign = a.signum() * b.signum() * d.signum();
    let (a, b, d) = (a.unsigned_abs(), b.unsigned_abs(), d.unsigned_abs());
    if d == 0 {
        return None;
    }
    // The remainder of b is what the exact product may be formed with.
    let (whole, rest) = (b / d, b % d);
    let (quotient, remainder) = crate::allocate::times_over(a, rest, d);
    let floor = a.checked_mul(whole)?.checked_add(quotient)?;
    let up = match remainder.cmp(&(d - remainder)) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Greater => 1,
        std::cmp::Ordering::Equal => floor & 1,
    };
    Some(sign * i128::try_from(floor.checked_add(up)?).ok()?)
}
