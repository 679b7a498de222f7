//! What must be looked at again, and when. Hints only: whoever takes one looks at the state to see what is due, so a
//! hint too many does no harm and undoing a transaction need only bring back the hints it took.

use std::collections::BTreeSet;

use schemas::{Id128, Timestamp};

/// Keys by the time they are due.
#[derive(Debug, Default)]
pub struct Agenda {
    due: BTreeSet<(Timestamp, Id128)>,
    /// Taken in the open transaction.
    taken: Vec<(Timestamp, Id128)>,
}

impl Agenda {
    /// Notes a key.
    pub fn note(&mut self, at: Timestamp, id: Id128) {
        self.due.insert((at, id));
    }

    /// Takes the next key that is due at `now`.
    pub fn take(&mut self, now: Timestamp) -> Option<Id128> {
        if self.due.first()?.0 > now {
            return None;
        }
        let first = self.due.pop_first()?;
        self.taken.push(first);
        Some(first.1)
    }

    /// The transaction is committed.
    pub fn promote(&mut self) {
        self.taken.clear();
    }

    /// The transaction is aborted: what it took is due again.
    pub fn undo(&mut self) {
        self.due.extend(self.taken.drain(..));
    }

    /// Hints held.
    pub fn len(&self) -> usize {
        self.due.len()
    }
}
