//! Corrections: a job names a charge as it knows it, and what to put in its place.

use schemas::{Charge, Correction, CorrectionReason, Id128};
use stream::Halt;

use super::{Desk, Rules, Turn};
use crate::calls::{Marks, Place, Settled, Standing, slot_of};
use crate::charge::{Cause, fingerprint, short};

/// What to do with a correction now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Apply,
    /// The charge it names is not there, or not yet.
    Wait,
    /// The charge it names has been replaced since; revisions only grow.
    Stale,
}

impl Desk {
    pub(super) fn correction(&mut self, turn: &mut Turn<'_>, correction: Correction) -> Result<(), Halt> {
        turn.books.count("corrections", 1);
        self.calls.clock.latest = self.calls.clock.latest.max(correction.received_at);
        let waiting = self.calls.parked.get(&correction.dedup_key);
        let parked = waiting.is_some_and(|list| list.iter().any(|one| one.correction_id == correction.correction_id));
        if parked || self.calls.settled.get(&correction.correction_id)?.is_some() {
            turn.books.count("corrections.ignored", 1);
            return Ok(());
        }
        match self.judge(&correction)? {
            Verdict::Apply => {
                let key = correction.dedup_key;
                self.apply(turn, &correction)?;
                self.release(turn, key)
            }
            Verdict::Stale => {
                self.settle(turn, &correction, "corrections.ignored");
                Ok(())
            }
            Verdict::Wait => {
                if self.calls.park(correction) {
                    turn.books.count("corrections.parked", 1);
                } else {
                    turn.books.count("corrections.refused", 1);
                }
                Ok(())
            }
        }
    }

    /// Applies what waited for a call to be as it is now.
    pub(super) fn release(&mut self, turn: &mut Turn<'_>, key: Id128) -> Result<(), Halt> {
        while let Some(list) = self.calls.parked.get(&key) {
            let verdicts = list.iter().map(|one| self.judge(one)).collect::<Result<Vec<_>, _>>()?;
            let ready = verdicts.iter().position(|verdict| *verdict != Verdict::Wait);
            let Some(ready) = ready else { return Ok(()) };
            let mut rest = list.clone();
            let correction = rest.remove(ready);
            if rest.is_empty() {
                self.calls.parked.remove(&key);
            } else {
                self.calls.parked.insert(key, rest);
            }
            turn.books.count("corrections.parked", -1);
            match self.judge(&correction)? {
                Verdict::Apply => self.apply(turn, &correction)?,
                Verdict::Stale | Verdict::Wait => self.settle(turn, &correction, "corrections.ignored"),
            }
        }
        Ok(())
    }

    fn judge(&self, correction: &Correction) -> Result<Verdict, Halt> {
        let Some(standing) = self.calls.standing.get(&correction.dedup_key)? else {
            return Ok(if self.forgotten(correction).is_some() { Verdict::Apply } else { Verdict::Wait });
        };
        let content = correction.expected_content.is_none_or(|content| short(content) == standing.content);
        Ok(match correction.expected_revision {
            Some(expected) if expected < standing.revision => Verdict::Stale,
            Some(expected) if expected > standing.revision => Verdict::Wait,
            _ if content => Verdict::Apply,
            // No other content can ever have this revision.
            Some(_) => Verdict::Stale,
            None => Verdict::Wait,
        })
    }

    /// The charge a correction carries, when it is of a call that is no longer remembered and is the one it expects.
    fn forgotten<'a>(&self, correction: &'a Correction) -> Option<&'a Charge> {
        let carried = correction.reversed.as_deref()?;
        let event = &carried.event;
        let content = correction.expected_content.is_none_or(|content| content == event.content_hash);
        let revision = correction.expected_revision.is_none_or(|revision| revision == carried.revision);
        let sane = (0..i32::MAX).contains(&carried.revision);
        let gone = event.received_at < self.calls.clock.frontier && event.dedup_key == correction.dedup_key;
        Some(carried).filter(|_| content && revision && sane && gone)
    }

    fn settle(&mut self, turn: &mut Turn<'_>, correction: &Correction, count: &str) {
        turn.books.count(count, 1);
        let slot = slot_of(&correction.tenant, &correction.call_key);
        let settled = Settled { received_at: correction.received_at, slot };
        self.calls.settled.insert(correction.correction_id, settled);
    }

    fn apply(&mut self, turn: &mut Turn<'_>, correction: &Correction) -> Result<(), Halt> {
        let Some((row, standing)) = self.corrected(turn, correction)? else {
            self.settle(turn, correction, "corrections.refused");
            return Ok(());
        };
        // A directory that nobody published cannot have split the charge that is carried.
        let rules = match turn.directory(&row.directory_version) {
            Some(_) => self.corrected_rules(turn, correction, &row)?,
            None => None,
        };
        let Some(rules) = rules else {
            self.settle(turn, correction, "corrections.refused");
            return Ok(());
        };
        self.settle(turn, correction, "corrections.applied");
        let (event, mut next) = match &correction.replacement {
            Some(event) => {
                let mut next = Standing::of(event, Place::NOWHERE, &self.growing, &mut self.calls.names)?;
                // An operator's word is an amendment made when it arrived.
                next.marks.set(Marks::AMENDS, true);
                next.received_at = correction.received_at;
                (event.clone(), next)
            }
            None => (row.event.clone(), standing),
        };
        let (book, directory) = chooses(correction);
        let kept = Marks(standing.marks.0 & (Marks::BOOK_CHOSEN.0 | Marks::DIRECTORY_CHOSEN.0));
        next.marks = Marks(next.marks.0 | kept.0);
        next.marks.set(Marks::BOOK_CHOSEN, book || kept.has(Marks::BOOK_CHOSEN));
        next.marks.set(Marks::DIRECTORY_CHOSEN, directory || kept.has(Marks::DIRECTORY_CHOSEN));
        let cause = Cause {
            booked_at: correction.received_at,
            reason: Some(correction.reason),
            correction_id: Some(correction.correction_id),
        };
        self.replace(turn, row, event, next, &rules, cause)
    }

    /// The charge to be taken back and what is known of it; `None` when it is not at hand.
    fn corrected(&mut self, turn: &Turn<'_>, correction: &Correction) -> Result<Option<(Charge, Standing)>, Halt> {
        let key = correction.dedup_key;
        if correction.replacement.as_ref().is_some_and(|event| event.dedup_key != key) {
            return Ok(None);
        }
        let carried = correction.reversed.as_deref();
        if let Some(standing) = self.calls.standing.get(&key)? {
            return Ok(self.standing_row(turn, &key, &standing, carried)?.map(|row| (row, standing)));
        }
        let Some(carried) = self.forgotten(correction).cloned() else { return Ok(None) };
        let mut standing = Standing::of(&carried.event, Place::NOWHERE, &self.growing, &mut self.calls.names)?;
        standing.revision = carried.revision;
        standing.fingerprint = fingerprint(&carried);
        // It is remembered again from now on.
        standing.received_at = correction.received_at;
        Ok(Some((carried, standing)))
    }

    /// What the corrected charge is made with; `None` when the correction names a price book nobody published.
    fn corrected_rules(&self, turn: &Turn<'_>, correction: &Correction, row: &Charge) -> Result<Option<Rules>, Halt> {
        let (book, directory) = chooses(correction);
        let book = match &correction.book_version {
            Some(version) => turn.book(version),
            None if book => Some(turn.book_at(correction.received_at)?),
            None => turn.book(&row.book_version),
        };
        let directory = match directory {
            true => Some(turn.directory_at(correction.received_at)?),
            false => turn.directory(&row.directory_version),
        };
        Ok(book.zip(directory).map(|(book, directory)| Rules { book, directory }))
    }

    /// The reference data a standing charge was made with.
    pub(super) fn charged_by(&self, turn: &Turn<'_>, standing: &Standing) -> Result<Rules, Halt> {
        let names = &self.calls.names;
        let (book, directory) = (names.text(standing.book), names.text(standing.directory));
        match (turn.book(book), turn.directory(directory)) {
            (Some(book), Some(directory)) => Ok(Rules { book, directory }),
            _ => Err(Halt::State(format!(
                "price book {book} or directory {directory} is no longer published; reference topics must never be deleted"
            ))),
        }
    }
}

/// Whether a correction chooses the price book, and whether it chooses the directory, anew.
fn chooses(correction: &Correction) -> (bool, bool) {
    let named = correction.book_version.is_some();
    match correction.reason {
        CorrectionReason::Reprice => (true, correction.replacement.is_some()),
        CorrectionReason::Reattribute => (named || correction.replacement.is_some(), true),
        CorrectionReason::Supersede | CorrectionReason::Link | CorrectionReason::Amend => (true, true),
    }
}
