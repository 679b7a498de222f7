//! Calls without a price are charged anew, by themselves, once a price book knows one.

use schemas::ids::hash_parts;
use schemas::{CorrectionReason, Id128, PricingStatus, Timestamp};
use stream::Halt;

use super::{Desk, Rules, Turn, lacks_a_price};
use crate::calls::Open;
use crate::charge::Cause;
use crate::price::Priced;

/// Calls tried in one transaction: a new book that prices a million old calls must not make one transaction of them.
const TRIED_PER_TRANSACTION_MAX: usize = 2_000;

/// Which open calls are still to be tried. Not state: found again from it after a restart or an abort.
#[derive(Debug, Default)]
pub(super) struct Healing {
    queue: Vec<Id128>,
    /// When the newest price book took effect that the queue was made for.
    adopted: Option<Timestamp>,
}

impl Healing {
    /// A call was charged without a price: perhaps a book newer than the one it was charged by knows it already.
    pub(super) fn note(&mut self, key: Id128) {
        if self.adopted.is_some() {
            self.queue.push(key);
        }
    }
}

impl Desk {
    /// Tries open calls with every price book that has taken effect since they were last tried. The clock decides only
    /// when that is: each is booked at the time its book took effect.
    pub(super) fn heal(&mut self, turn: &mut Turn<'_>) -> Result<(), Halt> {
        let now = turn.now;
        let effective = turn.prices.iter().map(|(effective_at, _)| *effective_at).filter(|at| *at <= now);
        let Some(adopted) = effective.last() else { return Ok(()) };
        if self.healing.adopted != Some(adopted) {
            self.healing.adopted = Some(adopted);
            let untried = self.calls.open.iter().filter(|(_, open)| open.tried < adopted);
            let mut queue: Vec<_> = untried.map(|(key, open)| (open.came_in, *key)).collect();
            queue.sort_unstable();
            self.healing.queue = queue.into_iter().map(|(_, key)| key).collect();
        }
        for _ in 0..TRIED_PER_TRANSACTION_MAX {
            let Some(key) = self.healing.queue.pop() else { break };
            self.try_books(turn, key, adopted)?;
        }
        Ok(())
    }

    fn try_books(&mut self, turn: &mut Turn<'_>, key: Id128, adopted: Timestamp) -> Result<(), Halt> {
        let versions = turn.prices.clone();
        for (effective_at, book) in versions.iter().filter(|(effective_at, _)| *effective_at <= adopted) {
            let open = self.calls.open.get(&key).filter(|open| open.tried < *effective_at).copied();
            let Some(open) = open else { continue };
            let Some(standing) = self.calls.standing.get(&key)? else { return Ok(()) };
            self.calls.open.insert(key, Open { tried: *effective_at, ..open });
            let Some(row) = self.standing_row(turn, &key, &standing, None)? else {
                turn.books.count("unreversible", 1);
                return Ok(());
            };
            if !is_better(&book.price(&row.event), row.status, row.unpriced.len()) {
                continue;
            }
            let rules = Rules { book: book.clone(), directory: self.charged_by(turn, &standing)?.directory };
            let cause = Cause {
                booked_at: *effective_at,
                reason: Some(CorrectionReason::Reprice),
                correction_id: Some(hash_parts([b"heal".as_slice(), &key.0, book.version().as_bytes()])),
            };
            let event = row.event.clone();
            self.replace(turn, row, event, standing, &rules, cause)?;
        }
        self.release(turn, key)
    }
}

fn is_better(priced: &Priced, before: PricingStatus, unpriced_before: usize) -> bool {
    let gained = before == PricingStatus::Unpriced && priced.status != PricingStatus::Unpriced;
    gained || !lacks_a_price(priced.status) || priced.unpriced.len() < unpriced_before
}
