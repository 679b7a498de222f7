//! Copies of one call count once: the winner is charged, whichever comes first.

use std::cmp::Ordering;

use schemas::{CorrectionReason, Costs, IdentityKind, UsageEvent};
use stream::Halt;

use super::{Desk, Turn, tally};
use crate::calls::{Marks, Place, Standing, call_id};
use crate::charge::Cause;

impl Desk {
    /// Takes an event in, with what was `written` of it in the batch it came in.
    pub(super) fn event(
        &mut self,
        turn: &mut Turn<'_>,
        event: Box<UsageEvent>,
        written: Option<&[u8]>,
        came_in: Place,
    ) -> Result<(), Halt> {
        turn.books.count("events", 1);
        self.calls.clock.latest = self.calls.clock.latest.max(event.received_at);
        if matches!(event.identity, IdentityKind::Span | IdentityKind::EventId) {
            let call = call_id(&event.tenant, &event.call_key);
            if let Some(linked) = self.calls.links.get(&call)? {
                let stronger = linked.stronger;
                turn.books.count("forwarded", 1);
                return self.resend(turn, event, stronger);
            }
        }
        let key = event.dedup_key;
        let mut copy = Standing::of(&event, came_in, &self.growing, &mut self.calls.names)?;
        let Some(standing) = self.calls.standing.get(&key)? else {
            // Of a call that was made after the frontier no copy can have been forgotten.
            copy.marks.set(Marks::UNVERIFIED, event.event_time < self.calls.clock.frontier);
            let rules = self.rules(turn, event.received_at, None)?;
            self.establish(turn, event, written, copy, &rules, Cause::arrival(copy.received_at))?;
            return self.release(turn, key);
        };
        let rules = self.rules(turn, event.received_at, Some(&standing))?;
        let owner = rules.directory.attribute(&event).owner;
        let costs = rules.book.costs_for(&event, &owner);
        if copy.content == standing.content {
            self.equal_copy(turn, event, copy, standing, &costs)?;
        } else {
            self.other_copy(turn, event, copy, standing, &costs)?;
        }
        self.release(turn, key)
    }

    /// A copy that says the same. It only matters when it should have been the one charged, and would have been charged
    /// otherwise.
    fn equal_copy(
        &mut self,
        turn: &mut Turn<'_>,
        event: Box<UsageEvent>,
        mut copy: Standing,
        standing: Standing,
        costs: &Costs,
    ) -> Result<(), Halt> {
        tally(turn.books, "duplicates", 1, costs)?;
        if copy.rank(&standing, &self.calls.names) != Ordering::Less {
            return Ok(());
        }
        inherit(&mut copy, &standing);
        let theirs = self.rules(turn, standing.received_at, Some(&standing))?;
        let ours = self.rules(turn, copy.received_at, Some(&standing))?;
        let same_book = theirs.book.version() == ours.book.version();
        let same_rules = same_book && theirs.directory.version() == ours.directory.version();
        if same_rules && copy.stands_for(&standing) {
            // The row stays as it is; later copies are compared with the better one.
            let charged = Standing {
                came_in: standing.came_in,
                fingerprint: standing.fingerprint,
                address: standing.address,
                revision: standing.revision,
                book: standing.book,
                directory: standing.directory,
                ..copy
            };
            return self.remember(&event, charged);
        }
        self.supersede(turn, event, copy, standing, costs)
    }

    /// A copy that says something else.
    fn other_copy(
        &mut self,
        turn: &mut Turn<'_>,
        event: Box<UsageEvent>,
        mut copy: Standing,
        mut standing: Standing,
        costs: &Costs,
    ) -> Result<(), Halt> {
        let better = copy.rank(&standing, &self.calls.names) == Ordering::Less;
        let conflict = copy.contradicts(&standing);
        tally(turn.books, if conflict { "conflicts" } else { "superseded" }, 1, costs)?;
        if better {
            inherit(&mut copy, &standing);
            if conflict {
                copy.marks.set(Marks::CONFLICT, true);
            }
            return self.supersede(turn, event, copy, standing, costs);
        }
        if conflict && !standing.marks.has(Marks::CONFLICT) {
            // The charge stands, but whoever reads it should see that another copy disagrees.
            let key = event.dedup_key;
            let Some(row) = self.standing_row(turn, &key, &standing, None)? else { return Ok(()) };
            let charged = row.event.clone();
            let rules = self.charged_by(turn, &standing)?;
            standing.marks.set(Marks::CONFLICT, true);
            let cause =
                Cause { booked_at: copy.received_at, reason: Some(CorrectionReason::Supersede), correction_id: None };
            return self.replace(turn, row, charged, standing, &rules, cause);
        }
        Ok(())
    }

    /// Charges a better copy in place of the one that stands. Where that one is no longer at hand it keeps standing, and
    /// the difference is counted.
    fn supersede(
        &mut self,
        turn: &mut Turn<'_>,
        event: Box<UsageEvent>,
        copy: Standing,
        standing: Standing,
        costs: &Costs,
    ) -> Result<(), Halt> {
        let Some(row) = self.standing_row(turn, &event.dedup_key, &standing, None)? else {
            return tally(turn.books, "unreversible", 1, costs);
        };
        let rules = self.rules(turn, copy.received_at, Some(&standing))?;
        let cause =
            Cause { booked_at: copy.received_at, reason: Some(CorrectionReason::Supersede), correction_id: None };
        self.replace(turn, row, event, copy, &rules, cause)
    }
}

/// What belongs to the call rather than to one copy of it passes on to the next winner.
fn inherit(copy: &mut Standing, standing: &Standing) {
    let chosen = Marks(Marks::BOOK_CHOSEN.0 | Marks::DIRECTORY_CHOSEN.0 | Marks::UNVERIFIED.0);
    copy.marks = Marks(copy.marks.0 | (standing.marks.0 & chosen.0));
    if copy.same_source(standing) && standing.marks.has(Marks::CONFLICT) {
        copy.marks.set(Marks::CONFLICT, true);
    }
}
