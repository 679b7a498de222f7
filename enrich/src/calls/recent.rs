//! Events in full, so that a charge can be rebuilt in order to be taken back.

use std::collections::VecDeque;

use schemas::UsageEvent;
use schemas::wire::{Reader, Wire};

/// No event is at this address.
pub(super) const NOWHERE: u64 = u64::MAX >> 1;

/// A window over the log of charged events, in bytes. Addresses grow for ever; what falls out at the front is gone.
#[derive(Debug)]
pub(crate) struct Recent {
    bytes: VecDeque<u8>,
    /// Address of the first byte held.
    base: u64,
    /// Address after the last byte of the last committed transaction.
    committed: u64,
    bytes_max: usize,
}

impl Recent {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Recent { bytes: VecDeque::new(), base: 0, committed: 0, bytes_max }
    }

    fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    /// Keeps an encoded event; its address.
    pub(crate) fn push(&mut self, event: &[u8]) -> u64 {
        let address = self.end();
        self.bytes.extend(&(event.len() as u32).to_le_bytes());
        self.bytes.extend(event);
        address
    }

    /// The event at an address; `None` when it is gone.
    pub(crate) fn get(&self, address: u64) -> Option<Box<UsageEvent>> {
        Wire::get(&mut Reader::new(&self.encoded(address)?)).ok()
    }

    /// The event at an address, encoded.
    pub(crate) fn encoded(&self, address: u64) -> Option<Vec<u8>> {
        let at = usize::try_from(address.checked_sub(self.base)?).ok()?;
        let mut length = [0; 4];
        for (index, byte) in length.iter_mut().enumerate() {
            *byte = *self.bytes.get(at + index)?;
        }
        let length = u32::from_le_bytes(length) as usize;
        if at + 4 + length > self.bytes.len() {
            return None;
        }
        Some(self.slices(at + 4, length).concat())
    }

    /// What the open transaction added, in two parts, with its address.
    pub(crate) fn added(&self) -> (u64, [&[u8]; 2]) {
        let from = (self.committed - self.base) as usize;
        (self.committed, self.slices(from, self.bytes.len() - from))
    }

    /// Some of the bytes: the ring they lie in may have its seam among them.
    fn slices(&self, from: usize, length: usize) -> [&[u8]; 2] {
        let (front, back) = self.bytes.as_slices();
        let to = from + length;
        let seam = front.len();
        [&front[from.min(seam)..to.min(seam)], &back[from.max(seam) - seam..to.max(seam) - seam]]
    }

    /// Takes back what a transaction added.
    pub(crate) fn restore(&mut self, address: u64, bytes: &[u8]) {
        if address != self.end() {
            // The changelog begins later than the partition did: its older records have expired.
            self.bytes.clear();
            self.base = address;
        }
        self.bytes.extend(bytes);
        self.promote();
    }

    /// What was added stays, and what is beyond the bound goes.
    pub(crate) fn promote(&mut self) {
        self.committed = self.end();
        let excess = self.bytes.len().saturating_sub(self.bytes_max);
        self.bytes.drain(..excess);
        self.base += excess as u64;
    }

    /// What was added goes.
    pub(crate) fn undo(&mut self) {
        self.bytes.truncate((self.committed - self.base) as usize);
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_given_out_whole_wherever_the_ring_has_its_seam() {
        let mut recent = Recent::new(300);
        let (mut held, mut seams) = (Vec::new(), 0);
        for length in 0..200u8 {
            let event = vec![length; usize::from(length % 50)];
            let address = recent.push(&event);
            assert_eq!(recent.encoded(address), Some(event.clone()));
            held.extend_from_slice(&u32::from(length % 50).to_le_bytes());
            held.extend_from_slice(&event);
            seams += usize::from(!recent.bytes.as_slices().1.is_empty());
            if length % 3 == 0 {
                assert_eq!(recent.added().1.concat(), held);
                recent.promote();
                held.clear();
            }
        }
        assert!(seams > 0, "the ring never had a seam");
        assert_eq!(recent.encoded(0), None, "what fell out is gone");
    }
}
