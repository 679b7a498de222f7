//! What must be looked at again, and when. Hints only: whoever takes one looks at the state to see what is due, so a
//! hint too many does no harm and undoing a transaction need only bring back the hints it took.

use std::collections::BTreeMap;

use schemas::{Id128, Timestamp};

/// Keys by the time they are due. Few times, many keys each: windows end together.
#[derive(Debug, Default)]
pub struct Agenda {
    due: BTreeMap<Timestamp, Keys>,
    /// Taken in the open transaction.
    taken: Vec<(Timestamp, Id128)>,
}

impl Agenda {
    /// Notes a key.
    pub fn note(&mut self, at: Timestamp, id: Id128) {
        self.due.entry(at).or_default().add(id);
    }

    /// Takes the next key that is due at `now`: by time, then by key.
    pub fn take(&mut self, now: Timestamp) -> Option<Id128> {
        let mut first = self.due.first_entry().filter(|first| *first.key() <= now)?;
        let at = *first.key();
        let id = first.get_mut().next()?;
        if first.get().list.is_empty() {
            first.remove();
        }
        self.taken.push((at, id));
        Some(id)
    }

    /// When the first key is due.
    pub fn first_at(&self) -> Option<Timestamp> {
        self.due.first_key_value().map(|(at, _)| *at)
    }

    /// The transaction is committed.
    pub fn promote(&mut self) {
        self.taken.clear();
    }

    /// The transaction is aborted: what it took is due again.
    pub fn undo(&mut self) {
        for (at, id) in std::mem::take(&mut self.taken) {
            self.note(at, id);
        }
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.due.values().map(|keys| size_of::<(Timestamp, Keys)>() + keys.list.capacity() * size_of::<Id128>()).sum()
    }
}

/// Keys that are due together; never empty. A list, for it takes half the memory of a set and a fraction of the time to
/// fill: order and repetitions are seen to when keys are taken, or when the list is full.
#[derive(Debug, Default)]
struct Keys {
    list: Vec<Id128>,
    /// True while the list is in descending order and without repetitions.
    sorted: bool,
}

impl Keys {
    fn add(&mut self, id: Id128) {
        if self.list.len() == self.list.capacity() {
            self.sort();
            // Room for as many again, or the next keys would have it sorted each time.
            if self.list.len() > self.list.capacity() / 2 {
                self.list.reserve(self.list.len());
            }
        }
        self.list.push(id);
        self.sorted = false;
    }

    /// Takes the least.
    fn next(&mut self) -> Option<Id128> {
        self.sort();
        self.list.pop()
    }

    fn sort(&mut self) {
        if !self.sorted {
            self.list.sort_unstable_by(|a, b| b.cmp(a));
            self.list.dedup();
            self.sorted = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn id(number: u8) -> Id128 {
        Id128([number; 16])
    }

    fn taken(agenda: &mut Agenda, now: i64) -> Vec<Id128> {
        std::iter::from_fn(|| agenda.take(at(now))).collect()
    }

    proptest! {
        #[test]
        fn keys_come_by_time_then_by_key_each_once_and_again_after_an_abort(
            noted in proptest::collection::vec((0..6i64, any::<u8>()), 0..400),
            now in 0..6i64,
        ) {
            let mut agenda = Agenda::default();
            noted.iter().for_each(|&(time, number)| agenda.note(at(time), id(number)));
            let due: std::collections::BTreeSet<_> = noted.iter().filter(|(time, _)| *time <= now).collect();
            let due: Vec<_> = due.into_iter().map(|&(_, number)| id(number)).collect();
            prop_assert_eq!(&taken(&mut agenda, now), &due);
            agenda.undo();
            prop_assert_eq!(&taken(&mut agenda, now), &due);
            agenda.promote();
            agenda.undo();
            prop_assert_eq!(taken(&mut agenda, now), []);
        }
    }

    #[test]
    fn a_key_noted_again_and_again_takes_no_more_memory() {
        let mut agenda = Agenda::default();
        (0..=255).for_each(|number| agenda.note(at(1), id(number)));
        let bytes = agenda.bytes();
        (0..100_000).for_each(|number| agenda.note(at(1), id(number as u8)));
        assert!(agenda.bytes() <= 2 * bytes, "{} bytes became {}", bytes, agenda.bytes());
        assert_eq!(taken(&mut agenda, 1).len(), 256);
    }
}
