//! What is paid in advance: amounts of money that calls use up, and capacity that costs the same used or idle.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use schemas::{ChargeCategory, CostBasis, Timestamp};

use super::calendar::{Span, date_of, midnight};
use super::entries::{Entries, Payer};
use super::{Unsettled, Use, picos, times};
use crate::allocate::shares;
use crate::price::PriceBook;
use crate::price::terms::{Commitment, CommitmentKind, Held};

/// Money used up so far, of a commitment, since the start of its period.
#[derive(Debug, Default)]
pub(super) struct Drawn(BTreeMap<(usize, Timestamp), i128>);

impl Drawn {
    /// Lets a call use up what is paid in advance: what ends first is used first, what goes beyond all of it stays as it
    /// was charged. `left` is what the call costs so far.
    pub(super) fn draw(
        &mut self,
        book: &PriceBook,
        one: &Use,
        mut left: i128,
        entries: &mut Entries,
    ) -> Result<(), Unsettled> {
        let mut payable: Vec<(usize, &Held<Commitment>, Span)> = Vec::new();
        for (number, held) in book.terms.commitments.iter().enumerate() {
            if held.row.kind.is_drawn_down() && covers(held, one) && held.row.currency == one.currency {
                let span = Span::of(held.row.every, held, one.time).ok_or_else(|| too_large(held))?;
                payable.push((number, held, span));
            }
        }
        payable.sort_by_key(|(number, _, span)| (span.to, *number));
        for (number, held, span) in payable {
            let drawn = self.0.entry((number, span.from)).or_default();
            let room = picos(held.row.quantity.0).ok_or_else(|| too_large(held))? - *drawn;
            let part = left.min(room);
            if part <= 0 {
                continue;
            }
            let (before, after) = (paid(held, *drawn)?, paid(held, *drawn + part)?);
            *drawn += part;
            left -= part;
            let difference = (after - before) - part;
            let day = date_of(one.time);
            entries.add(&held.row.id, ChargeCategory::Credit, &one.payer, &one.currency, day, difference)?;
        }
        Ok(())
    }

    /// What is paid for and was not used by the end of a period.
    pub(super) fn unused(
        &self,
        book: &PriceBook,
        (from, to): (Timestamp, Timestamp),
        now: Timestamp,
        entries: &mut Entries,
    ) -> Result<(), Unsettled> {
        for (number, held) in book.terms.commitments.iter().enumerate() {
            if !held.row.kind.is_drawn_down() {
                continue;
            }
            let mut at = from.max(held.from);
            while at < to && at < held.to {
                let span = Span::of(held.row.every, held, at).ok_or_else(|| too_large(held))?;
                if span.to > now || span.to == Timestamp::MAX {
                    break;
                }
                let drawn = self.0.get(&(number, span.from)).copied().unwrap_or_default();
                let all = picos(held.row.quantity.0).ok_or_else(|| too_large(held))?;
                let rest = paid(held, all)? - paid(held, drawn)?;
                let last = date_of(Timestamp::from_micros(span.to.micros() - 1));
                let payer = idle(held);
                entries.add(&held.row.id, ChargeCategory::Purchase, &payer, &held.row.currency, last, rest)?;
                at = span.to;
            }
        }
        Ok(())
    }
}

/// What is paid for the first `drawn` picounits of a commitment.
fn paid(held: &Held<Commitment>, drawn: i128) -> Result<i128, Unsettled> {
    let all = picos(held.row.quantity.0);
    let paid = all.zip(picos(held.row.price.0)).and_then(|(all, price)| times(drawn, price, all));
    paid.ok_or_else(|| too_large(held))
}

/// Charges every day of capacity to those whose calls it served that day, by what these would have cost; a day on which
/// it served none, to whoever holds it.
pub(super) fn capacity(
    book: &PriceBook,
    uses: &[Use],
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
    entries: &mut Entries,
) -> Result<(), Unsettled> {
    for held in book.terms.commitments.iter().filter(|held| !held.row.kind.is_drawn_down()) {
        let mut date = date_of(from);
        while date < date_of(Timestamp::from_micros(to.micros() - 1)).succ_opt().unwrap_or(NaiveDate::MAX) {
            let next = date.succ_opt().unwrap_or(NaiveDate::MAX);
            let bounds = midnight(held.zone, date).zip(midnight(held.zone, next)).ok_or_else(|| too_large(held))?;
            let day = Span { from: bounds.0.max(held.from), to: bounds.1.min(held.to) };
            if day.from < day.to && day.from <= now {
                let cost = until(held, day.to)? - until(held, day.from)?;
                charge_day(held, uses, day, date, cost, entries)?;
            }
            date = next;
        }
    }
    Ok(())
}

/// What capacity has cost from its beginning to a time. Differences of it add up to the whole, whatever is rounded.
fn until(held: &Held<Commitment>, time: Timestamp) -> Result<i128, Unsettled> {
    let start = held.row.period.from();
    let cost = match held.row.kind {
        CommitmentKind::Provisioned => {
            let (price, units) = (held.row.price.0, held.row.quantity.0);
            let picoseconds = i128::from(time.micros_since(start)) * 1_000_000;
            let rate = price.mantissa().checked_mul(units.mantissa());
            let denominator = 10i128.checked_pow(price.scale() + units.scale());
            let denominator = denominator.and_then(|scale| scale.checked_mul(held.row.per.into()));
            rate.zip(denominator).and_then(|(rate, denominator)| times(picoseconds, rate, denominator))
        }
        _ => {
            // Every day of the calendar costs the same, however many hours it has.
            let end = held.row.period.to();
            let last = |time: Timestamp| {
                let before = Timestamp::from_micros(time.micros() - 1).to_datetime()?;
                Some(before.with_timezone(&held.zone).date_naive())
            };
            let first = start.to_datetime().map(|time| time.with_timezone(&held.zone).date_naive());
            let days = |time: Timestamp| Some(i128::from((last(time)? - first?).num_days()) + 1);
            let passed = if time <= start { Some(0) } else { days(time) };
            passed.zip(days(end)).and_then(|(passed, all)| times(picos(held.row.price.0)?, passed, all))
        }
    };
    cost.ok_or_else(|| too_large(held))
}

fn charge_day(
    held: &Held<Commitment>,
    uses: &[Use],
    day: Span,
    date: NaiveDate,
    cost: i128,
    entries: &mut Entries,
) -> Result<(), Unsettled> {
    let (start, end) = (uses.partition_point(|one| one.time < day.from), uses.partition_point(|one| one.time < day.to));
    let mut served: BTreeMap<&Payer, u128> = BTreeMap::new();
    for one in &uses[start..end] {
        if one.basis == CostBasis::Committed && covers(held, one) && one.cost.picos() > 0 {
            let weight = served.entry(&one.payer).or_default();
            *weight = weight.checked_add(one.cost.picos().unsigned_abs()).ok_or_else(|| too_large(held))?;
        }
    }
    let (term, currency) = (&held.row.id, &held.row.currency);
    if served.is_empty() {
        return entries.add(term, ChargeCategory::Purchase, &idle(held), currency, date, cost);
    }
    let weights: Vec<u128> = served.values().copied().collect();
    let cost = schemas::Money::from_picos(cost).ok_or_else(|| too_large(held))?;
    for (payer, share) in served.keys().zip(shares(cost, &weights)) {
        entries.add(term, ChargeCategory::Purchase, payer, currency, date, share.picos())?;
    }
    Ok(())
}

fn covers(held: &Held<Commitment>, one: &Use) -> bool {
    let mine = held.row.account.is_none() || held.row.account == one.account;
    mine && held.holds(one.time) && (held.row.covers.is_empty() || held.row.covers.contains(&one.sku))
}

fn idle(held: &Held<Commitment>) -> Payer {
    let row = &held.row;
    let provider = row.covers.first().and_then(|sku| sku.split_once('/')).map_or("commitment", |(name, _)| name);
    Payer::idle(provider, &row.id, row.team.as_ref(), row.account.as_ref())
}

fn too_large(held: &Held<Commitment>) -> Unsettled {
    Unsettled::TooLarge(held.row.id.clone())
}
