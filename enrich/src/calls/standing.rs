//! What is known of one call, and which of two copies of it wins.

use std::cmp::Ordering;

use schemas::{Flag, Id128, PICO, Text, Timestamp, UsageEvent};

use super::names::Names;
use crate::charge::short;
use schemas::ids::{SLOTS, call_slot, hash_parts};
use stream::Halt;

/// Where a batch is in `usage.events`: an offset, and above it the partition, where that is not the one that knows the
/// call, by one more than its number. Numbers that are small are written in few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(pub(super) i64);

/// Bits of an offset: 256 partitions, in each of which as many batches as nobody writes.
const OFFSET_BITS: u32 = 48;

impl Place {
    /// The event is charged otherwise than it came.
    pub(crate) const NOWHERE: Place = Place(-1);

    /// In the partition that knows the call.
    pub(crate) fn here(offset: i64) -> Self {
        Place(offset)
    }

    /// The same place, for a partition that takes the call over from this one.
    pub(super) fn seen_from_elsewhere(self, here: u32) -> Self {
        if self.0 >> OFFSET_BITS == 0 { Place((i64::from(here) + 1) << OFFSET_BITS | self.0) } else { self }
    }

    /// Partition and offset; `None` where there is no such batch.
    pub(crate) fn resolve(self, here: u32) -> Option<(u32, i64)> {
        let offset = self.0 & ((1 << OFFSET_BITS) - 1);
        match self.0 >> OFFSET_BITS {
            ..0 => None,
            0 => Some((here, offset)),
            above => Some((u32::try_from(above - 1).ok()?, offset)),
        }
    }
}

/// What the standing charge of a call is based on: the copy that won so far, and how it was charged.
///
/// 88 bytes with its key's 16 beside it; a test holds it to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Arrival of the copy.
    pub(crate) received_at: Timestamp,
    /// Offset of its raw record.
    pub(crate) offset: i64,
    /// Where the batch the charged copy came in is in `usage.events`.
    pub(crate) came_in: Place,
    /// First eight bytes of its content hash. Compared only with copies of the same 16-byte key.
    pub(crate) content: u64,
    /// Recognises the charge row, so that no other is ever taken back in its place.
    pub(crate) fingerprint: u64,
    /// Where the charged event is in memory: see [`super::Calls::keep`].
    pub(crate) address: u64,
    /// Partition of its raw record.
    pub(crate) partition: i32,
    /// Index within the raw record.
    pub(crate) item: i32,
    /// Precedence of its source.
    pub(crate) precedence: i32,
    /// Whole units used, for sources whose copies grow; otherwise 0.
    pub(crate) size: u32,
    /// Hash of its source.
    pub(crate) source: u32,
    /// Revision of the standing charge.
    pub(crate) revision: i32,
    /// Raw topic.
    pub(crate) topic: u16,
    /// Price book it was charged by.
    pub(crate) book: u16,
    /// Directory it was charged by.
    pub(crate) directory: u16,
    /// [`Marks`].
    pub(crate) marks: Marks,
    /// Slot of the call: where this belongs when the number of partitions changes.
    pub(crate) slot: u8,
}

/// Yes-or-no facts about a standing charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Marks(pub(crate) u8);

impl Marks {
    /// The copy replaces earlier ones by its producer's word.
    pub(crate) const AMENDS: Marks = Marks(1);
    /// The copy is of a stream that broke off.
    pub(crate) const PARTIAL: Marks = Marks(2);
    /// The copy comes from a source whose copies grow.
    pub(crate) const GROWS: Marks = Marks(4);
    /// Another copy from the same source contradicted it.
    pub(crate) const CONFLICT: Marks = Marks(8);
    /// A correction chose the price book: later copies keep to it.
    pub(crate) const BOOK_CHOSEN: Marks = Marks(16);
    /// A correction chose the directory: later copies keep to it.
    pub(crate) const DIRECTORY_CHOSEN: Marks = Marks(32);
    /// Charged beyond the frontier.
    pub(crate) const UNVERIFIED: Marks = Marks(64);
    /// The copy states no time: its arrival stands in, and its content hash leaves the time out.
    pub(crate) const UNTIMED: Marks = Marks(128);
    /// The copy is by its nature a step on the way to another.
    const STEP: Marks = Marks(Marks::AMENDS.0 | Marks::PARTIAL.0 | Marks::GROWS.0);

    pub(crate) fn has(self, mark: Marks) -> bool {
        self.0 & mark.0 != 0
    }

    pub(crate) fn set(&mut self, mark: Marks, on: bool) {
        self.0 = if on { self.0 | mark.0 } else { self.0 & !mark.0 };
    }

    /// Remarks that belong on the charge row.
    pub(crate) fn flags(self) -> Vec<Flag> {
        let marks = [(Marks::CONFLICT, Flag::Conflict), (Marks::UNVERIFIED, Flag::Unverified)];
        marks.into_iter().filter(|(mark, _)| self.has(*mark)).map(|(_, flag)| flag).collect()
    }
}

impl Standing {
    /// Whether the charged event can be read again where it came from.
    pub(crate) fn in_log(&self) -> bool {
        self.came_in != Place::NOWHERE
    }

    /// What a copy brings. How it is charged is filled in when it is.
    pub(crate) fn of(event: &UsageEvent, came_in: Place, growing: &[Text], names: &mut Names) -> Result<Self, Halt> {
        let grows = growing.contains(&event.extractor);
        let mut marks = Marks::default();
        marks.set(Marks::AMENDS, event.amends);
        marks.set(Marks::PARTIAL, event.flags.contains(&Flag::PartialStream));
        marks.set(Marks::GROWS, grows);
        marks.set(Marks::CONFLICT, event.flags.contains(&Flag::Conflict));
        marks.set(Marks::UNTIMED, event.flags.contains(&Flag::TimeAssumed));
        Ok(Standing {
            received_at: event.received_at,
            offset: event.position.offset,
            came_in,
            content: short(event.content_hash),
            fingerprint: 0,
            address: 0,
            partition: event.position.partition,
            item: event.position.item,
            precedence: event.precedence,
            size: if grows { whole_units(event) } else { 0 },
            source: (short(hash_parts([event.source.as_bytes()])) >> 32) as u32,
            revision: 0,
            topic: names.id(&event.position.topic)?,
            book: 0,
            directory: 0,
            marks,
            slot: slot_of(&event.tenant, &event.call_key),
        })
    }

    /// The winner among copies comes first. A total order of the copies themselves: when they are processed, and in
    /// which order, has no part in it.
    ///
    /// An amendment beats everything, the latest amendment the rest. Then the smaller precedence, then a whole stream
    /// before a broken one, then of a growing source the largest, then the earliest arrival, then the raw position.
    pub(crate) fn rank(&self, other: &Self, names: &Names) -> Ordering {
        let amends = self.marks.has(Marks::AMENDS);
        let by_amendment = other.marks.has(Marks::AMENDS).cmp(&amends);
        let arrival = |a: &Self, b: &Self| {
            let by_topic = || names.text(a.topic).cmp(names.text(b.topic));
            let place = |s: &Self| (s.partition, s.offset, s.item);
            a.received_at.cmp(&b.received_at).then_with(by_topic).then_with(|| place(a).cmp(&place(b)))
        };
        if amends && by_amendment == Ordering::Equal {
            return arrival(other, self);
        }
        by_amendment
            .then_with(|| self.precedence.cmp(&other.precedence))
            .then_with(|| self.marks.has(Marks::PARTIAL).cmp(&other.marks.has(Marks::PARTIAL)))
            .then_with(|| other.size.cmp(&self.size))
            .then_with(|| arrival(self, other))
    }

    /// True when two copies with different content cannot both be right: one source, and neither copy is by its nature
    /// a step on the way to the other.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        self.content != other.content
            && self.same_source(other)
            && !self.marks.has(Marks::STEP)
            && !other.marks.has(Marks::STEP)
    }

    /// True when a copy with the same content would be charged alike and ranks alike but for when and where it arrived.
    pub(crate) fn stands_for(&self, other: &Self) -> bool {
        let kind = |standing: &Self| standing.marks.0 & (Marks::STEP.0 | Marks::UNTIMED.0);
        let untimed = self.marks.has(Marks::UNTIMED) && self.received_at != other.received_at;
        self.same_source(other) && self.size == other.size && kind(self) == kind(other) && !untimed
    }

    /// True when both copies come from one source.
    pub(crate) fn same_source(&self, other: &Self) -> bool {
        (self.precedence, self.source) == (other.precedence, other.source)
    }
}

/// Everything used, in whole units; only compared between copies of one call.
fn whole_units(event: &UsageEvent) -> u32 {
    let units = event.usage.iter().map(|used| used.quantity.picos() / PICO).fold(0i128, i128::saturating_add);
    u32::try_from(units.max(0)).unwrap_or(u32::MAX)
}

/// The slot of a call; there are 256.
pub(crate) fn slot_of(tenant: &str, call_key: &str) -> u8 {
    (call_slot(tenant, call_key) % SLOTS) as u8
}

/// Recognises a call by a key it may be known by.
pub(crate) fn call_id(tenant: &str, call_key: &str) -> Id128 {
    hash_parts([b"call".as_slice(), tenant.as_bytes(), call_key.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_means_the_same_in_whichever_partition_the_call_ends_up() {
        let place = Place::here(7);
        assert_eq!(place.resolve(3), Some((3, 7)));
        let moved = place.seen_from_elsewhere(3);
        assert_eq!(moved.resolve(5), Some((3, 7)));
        assert_eq!(moved.seen_from_elsewhere(5), moved);
        assert_eq!(Place::here(0).seen_from_elsewhere(0).resolve(1), Some((0, 0)));
        assert_eq!(Place::NOWHERE.seen_from_elsewhere(3), Place::NOWHERE);
        assert_eq!(Place::NOWHERE.resolve(3), None);
    }
}
