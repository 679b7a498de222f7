//! The books of every stage as `spend.ledger` tells them: followed entry by entry, so that they can be weighed at every
//! moment there was, not only at the last one.

use std::collections::BTreeMap;

use bytes::Bytes;
use schemas::codec::Format;
use schemas::{LedgerEntry, topics};
use spendstream_cli::ledger;
use stream::Log;

/// Bytes read at a time.
const READ_BYTES: usize = 4 << 20;

/// What the topic has said so far.
pub struct Books<'a> {
    log: &'a dyn Log,
    format: Format<LedgerEntry>,
    next: i64,
    places: BTreeMap<Bytes, usize>,
    newest: Vec<LedgerEntry>,
}

impl<'a> Books<'a> {
    /// Nothing read yet.
    pub fn new(log: &'a dyn Log) -> Self {
        Books { log, format: Format::new(), next: 0, places: BTreeMap::new(), newest: Vec::new() }
    }

    /// The newest books of every stage and partition, as far as they were read.
    pub fn entries(&self) -> &[LedgerEntry] {
        &self.newest
    }

    /// Reads what was written since the last call.
    pub fn refresh(&mut self) {
        self.follow(|_, _| {});
    }

    /// Reads what was written since the last call, and weighs the books after every single entry: those that changed with
    /// each, all of them at the end. A stage writes its entry before anybody can read what it sent, so every beginning of
    /// the topic must add up. Gives how many did.
    ///
    /// # Panics
    /// When one does not.
    pub fn weigh(&mut self) -> usize {
        let mut weighed = 0;
        self.follow(|entries, changed| {
            let found = ledger::check_again(entries, changed);
            assert!(found.is_empty(), "the ledger did not add up for a moment: {found:#?}");
            weighed += 1;
        });
        let found = ledger::check(&self.newest, None).breaks;
        assert!(found.is_empty(), "the ledger does not add up: {found:#?}");
        weighed
    }

    fn follow(&mut self, mut each: impl FnMut(&[LedgerEntry], usize)) {
        loop {
            let records = self.log.read(topics::LEDGER, 0, self.next, READ_BYTES).expect("the ledger can be read");
            let Some(last) = records.last() else { return };
            self.next = last.offset + 1;
            for record in records {
                let (key, payload) = record.key.zip(record.payload).expect("books have a key and a value");
                let entry = self.format.decode(&payload).expect("books can be decoded");
                let place = *self.places.entry(key).or_insert(self.newest.len());
                match self.newest.get_mut(place) {
                    Some(known) => *known = entry,
                    None => self.newest.push(entry),
                }
                each(&self.newest, place);
            }
        }
    }
}
