//! What enrich remembers of calls, so that each is charged once: all of it can be undone, written down and restored.
//!
//! Ids are in memory while they are new, and on disk after that: see [`Tiered`].

mod changelog;
mod moved;
mod names;
mod recent;
mod standing;

use std::sync::Arc;

use bytes::Bytes;
use schemas::{Correction, Id128, Text, Timestamp, UsageEvent};
use smallvec::SmallVec;
use stream::{Halt, Room, Scratch, Tiered, TxMap};

pub(crate) use names::Names;
pub(crate) use recent::Recent;
pub(crate) use standing::{Marks, Place, Standing, call_id, slot_of};

use crate::config::Limits;

/// A call key that turned out to be the weaker one of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Linked {
    /// The stronger call key.
    pub(crate) stronger: Text,
    /// Arrival of the event that knew both.
    pub(crate) received_at: Timestamp,
}

/// The charges standing under a call key that another may be stronger than.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Weak {
    /// Their dedup keys.
    pub(crate) keys: SmallVec<[Id128; 1]>,
    /// Latest arrival among them: it is needed as long as one of them is remembered.
    pub(crate) received_at: Timestamp,
}

/// A call without a price, or with half of one, remembered until a price book has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    /// Where its event came in: those that came together are tried together.
    pub(crate) came_in: Place,
    /// When the newest price book it was tried with took effect.
    pub(crate) tried: Timestamp,
}

/// A correction that was done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    /// When it arrived.
    pub(crate) received_at: Timestamp,
    /// Slot of its call.
    pub(crate) slot: u8,
}

/// State of one partition.
#[derive(Debug)]
pub(crate) struct Calls {
    /// Standing charges, by dedup key.
    pub(crate) standing: Tiered<Standing>,
    /// Charges standing under a key that another may be stronger than, by [`call_id`].
    pub(crate) weak: Tiered<Weak>,
    /// Links, by [`call_id`] of the weaker key.
    pub(crate) links: Tiered<Linked>,
    /// Corrections that wait for their charge, by dedup key.
    pub(crate) parked: TxMap<Id128, Vec<Correction>>,
    /// Corrections done with.
    pub(crate) settled: Tiered<Settled>,
    /// Calls without a price, by dedup key.
    pub(crate) open: TxMap<Id128, Open>,
    /// The newest events in full, of those that can be read again. In memory alone.
    recent: Recent,
    /// The newest of the other events, in the changelog too.
    kept: Recent,
    /// Topics and versions.
    pub(crate) names: Names,
    pub(crate) clock: Clock,
    committed: Clock,
    /// The frontier when open calls were last looked through.
    swept: Timestamp,
    limits: Limits,
}

/// How far arrivals have come, and before which of them nothing is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Latest arrival seen.
    pub(crate) latest: Timestamp,
    /// What arrived before this is forgotten; [`Timestamp::MIN`] while nothing is.
    pub(crate) frontier: Timestamp,
    /// Edge of the horizon when it was last looked at.
    checked: Timestamp,
}

impl Clock {
    /// Of two partitions whose state comes together: what either has forgotten is forgotten.
    fn later(self, other: Clock) -> Clock {
        Clock {
            latest: self.latest.max(other.latest),
            frontier: self.frontier.max(other.frontier),
            checked: self.checked.max(other.checked),
        }
    }
}

const CLOCK: Clock = Clock { latest: Timestamp::MIN, frontier: Timestamp::MIN, checked: Timestamp::MIN };

/// Forgetting by age walks over every id, so it is done in steps.
const HORIZON_STEP_SECONDS: i64 = 3_600;

/// When no more ids may be kept, an eighth is forgotten at once: that walks over every id.
const FREED_SHARE: usize = 8;

impl Calls {
    pub(crate) fn new(limits: Limits, scratch: &Arc<Scratch>) -> Self {
        Calls {
            standing: Tiered::new(scratch.clone()),
            weak: Tiered::new(scratch.clone()),
            links: Tiered::new(scratch.clone()),
            parked: TxMap::default(),
            settled: Tiered::new(scratch.clone()),
            open: TxMap::default(),
            recent: Recent::new(limits.recent_bytes_max),
            kept: Recent::new(limits.kept_bytes_max),
            names: Names::default(),
            clock: CLOCK,
            committed: CLOCK,
            swept: Timestamp::MIN,
            limits,
        }
    }

    /// Keeps the event of a charge; its address.
    pub(crate) fn keep(&mut self, event: &[u8], standing: &Standing) -> u64 {
        if standing.in_log() { self.recent.push(event) } else { self.kept.push(event) }
    }

    /// The event a charge was made of, while it is in memory.
    pub(crate) fn charged_event(&self, key: &Id128, standing: &Standing) -> Option<Box<UsageEvent>> {
        let held = if standing.in_log() { &self.recent } else { &self.kept };
        held.get(standing.address).filter(|event| event.dedup_key == *key)
    }

    /// Remembers an unpriced call until a price is known. False when there are too many already.
    pub(crate) fn keep_open(&mut self, key: Id128, came_in: Place, tried: Timestamp) -> bool {
        if self.open.len() >= self.limits.open_max && self.open.get(&key).is_none() {
            return false;
        }
        self.open.insert(key, Open { came_in, tried });
        true
    }

    /// Parks a correction. False when there are too many already.
    pub(crate) fn park(&mut self, correction: Correction) -> bool {
        let key = correction.dedup_key;
        let waiting = self.parked.get(&key).map_or(0, Vec::len);
        if waiting >= self.limits.parked_per_call_max || (waiting == 0 && self.parked.len() >= self.limits.parked_max) {
            return false;
        }
        let list = self.parked.entry(&key, Vec::new);
        list.push(correction);
        list.sort_by_key(|waiting| (waiting.received_at, waiting.correction_id));
        true
    }

    /// Decides at the end of a transaction what is to be forgotten once it is committed; the corrections that expire.
    ///
    /// The clock has a part in it only so that a record stamped in the future cannot make us forget the present.
    pub(crate) fn age(&mut self, now: Timestamp) -> usize {
        let edge = self.clock.latest.min(now).plus_seconds(-self.limits.horizon_seconds);
        let mut frontier = self.clock.frontier;
        let step = HORIZON_STEP_SECONDS * 1_000_000;
        if edge.micros_since(self.clock.checked) >= step {
            self.clock.checked = edge;
            let aged = self.arrivals().any(|(received_at, _)| received_at < edge);
            let expired = self.parked.iter().flat_map(|(_, list)| list).any(|waiting| waiting.received_at < edge);
            if aged || expired {
                frontier = frontier.max(edge);
            }
        }
        let remembered: usize =
            [self.standing.room(), self.links.room(), self.settled.room()].map(entries).iter().sum();
        if remembered > self.limits.ids_max {
            let excess = remembered - self.limits.ids_max;
            frontier = frontier.max(self.arrival_at(excess + self.limits.ids_max / FREED_SHARE));
        }
        if frontier == self.clock.frontier {
            return 0;
        }
        self.clock.frontier = frontier;
        let waiting = self.parked.iter().flat_map(|(_, list)| list);
        waiting.filter(|waiting| waiting.received_at < frontier).count()
    }

    /// Arrivals of ids, and how many of them each stands for.
    fn arrivals(&self) -> impl Iterator<Item = (Timestamp, usize)> {
        self.standing.arrivals().chain(self.links.arrivals()).chain(self.settled.arrivals())
    }

    /// A time by which at least the `count` oldest had arrived.
    fn arrival_at(&self, count: usize) -> Timestamp {
        let mut arrivals: Vec<(Timestamp, usize)> = self.arrivals().collect();
        arrivals.sort_unstable();
        let mut passed = 0;
        let edge = arrivals.iter().find(|(_, ids)| {
            passed += ids;
            passed > count
        });
        let edge = edge.or(arrivals.last()).map_or(Timestamp::MIN, |(arrival, _)| *arrival);
        // Beyond it by the least there is: many may have arrived at that very moment, and the bound holds for them too.
        Timestamp::from_micros(edge.micros().saturating_add(1))
    }

    /// Moves what arrived longest ago to disk while memory is full. Only what is committed: within a transaction that has
    /// changed something it does nothing.
    ///
    /// # Errors
    /// When the disk is full or cannot be read.
    pub(crate) fn make_room(&mut self) -> Result<(), Halt> {
        if self.ids_changed() {
            return Ok(());
        }
        let bytes = [
            self.standing.memory_bytes_next(),
            self.weak.memory_bytes_next(),
            self.links.memory_bytes_next(),
            self.settled.memory_bytes_next(),
        ];
        let total: usize = bytes.iter().sum();
        if total > self.limits.ids_bytes_max {
            // A small table would make small files and hardly any room.
            let [standing, weak, links, settled] = bytes.map(|bytes| bytes > total / 8);
            standing.then(|| self.standing.seal()).transpose()?;
            weak.then(|| self.weak.seal()).transpose()?;
            links.then(|| self.links.seal()).transpose()?;
            settled.then(|| self.settled.seal()).transpose()?;
        }
        if self.swept < self.clock.frontier {
            self.swept = self.clock.frontier;
            self.standing.tidy()?;
            self.weak.tidy()?;
            self.links.tidy()?;
            self.settled.tidy()?;
            return self.sweep_open();
        }
        Ok(())
    }

    fn ids_changed(&self) -> bool {
        self.standing.is_changed() || self.weak.is_changed() || self.links.is_changed() || self.settled.is_changed()
    }

    /// Forgets open calls whose charge is forgotten.
    fn sweep_open(&mut self) -> Result<(), Halt> {
        let mut forgotten = Vec::new();
        for (key, _) in self.open.iter() {
            if self.standing.get(key)?.is_none() {
                forgotten.push(*key);
            }
        }
        forgotten.into_iter().for_each(|key| self.open.restore(key, None));
        Ok(())
    }

    fn forget(&mut self) {
        let frontier = self.clock.frontier;
        self.standing.forget(frontier);
        self.weak.forget(frontier);
        self.links.forget(frontier);
        self.settled.forget(frontier);
        let mut parked: Vec<(Id128, Vec<Correction>)> = Vec::new();
        for (key, list) in self.parked.iter() {
            let rest: Vec<_> = list.iter().filter(|waiting| waiting.received_at >= frontier).cloned().collect();
            if rest.len() < list.len() {
                parked.push((*key, rest));
            }
        }
        for (key, rest) in parked {
            self.parked.restore(key, (!rest.is_empty()).then_some(rest));
        }
    }

    /// The transaction's changes as entries of the changelog; none when there are none.
    pub(crate) fn delta(&self) -> Vec<Vec<u8>> {
        changelog::delta(self)
    }

    /// Takes back one entry of the changelog.
    pub(crate) fn restore(&mut self, value: &[u8]) -> Result<(), Halt> {
        let before = self.clock.frontier;
        changelog::restore(self, value)?;
        if self.clock.frontier > before {
            self.forget();
        }
        self.committed = self.clock;
        self.make_room()
    }

    /// Gives out everything this partition holds, by slot: see [`moved`].
    pub(crate) fn export(
        &self,
        partition: u32,
        slots: impl Iterator<Item = u32>,
        entry: &mut dyn FnMut(u32, Bytes, Bytes),
    ) -> Result<(), Halt> {
        moved::export(self, partition, slots, entry)
    }

    /// Takes what was given out of another partition.
    pub(crate) fn take_over(&mut self, value: &[u8]) -> Result<(), Halt> {
        let before = self.clock.frontier;
        moved::take_over(self, value)?;
        self.kept.promote();
        if self.clock.frontier > before {
            self.forget();
        }
        self.committed = self.clock;
        self.make_room()
    }

    pub(crate) fn promote(&mut self) {
        self.standing.promote();
        self.weak.promote();
        self.links.promote();
        self.parked.promote();
        self.settled.promote();
        self.open.promote();
        self.recent.promote();
        self.kept.promote();
        if self.clock.frontier > self.committed.frontier {
            self.forget();
        }
        self.committed = self.clock;
    }

    pub(crate) fn undo(&mut self) {
        self.standing.undo();
        self.weak.undo();
        self.links.undo();
        self.parked.undo();
        self.settled.undo();
        self.open.undo();
        self.recent.undo();
        self.kept.undo();
        self.clock = self.committed;
    }

    /// What each kind of id takes, by name.
    pub(crate) fn rooms(&self) -> [(&'static str, Room); 4] {
        [
            ("call", self.standing.room()),
            ("weak_key", self.weak.room()),
            ("link", self.links.room()),
            ("correction", self.settled.room()),
        ]
    }

    /// How often a file was read to find an id since this was last asked.
    pub(crate) fn take_disk_reads(&self) -> u64 {
        self.standing.take_reads() + self.weak.take_reads() + self.links.take_reads() + self.settled.take_reads()
    }

    /// Bytes of memory held, estimated from the room the tables have taken.
    pub(crate) fn bytes(&self) -> usize {
        let ids: usize = self.rooms().iter().map(|(_, room)| room.memory_bytes + room.index_bytes).sum();
        ids + self.open.capacity() * size_of::<(Id128, Open)>() + self.recent.bytes() + self.kept.bytes()
    }
}

fn entries(room: Room) -> usize {
    room.memory_entries + room.disk_entries
}
