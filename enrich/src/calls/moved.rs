//! State on its way to another partition, because the number of partitions changes.
//!
//! Everything is given out by the slot of its call. Numbers that mean something in one partition only (of texts, of
//! offsets) are replaced by what they stand for, and given out anew where it arrives.

use std::collections::BTreeMap;

use bytes::Bytes;
use schemas::wire::{Reader, Wire, WireError, put_bytes, put_long};
use schemas::{Correction, Id128, Text, ids};
use stream::Halt;

use super::changelog::{
    get_clock, get_linked, get_open, get_settled, get_standing, get_weak, put_clock, put_linked, put_open, put_settled,
    put_standing, put_weak,
};
use super::recent::NOWHERE;
use super::{Calls, Open, Place, Standing, slot_of};
use crate::desk::MOVED_KEY;

/// Format this release writes.
const FORMAT: u8 = 3;

/// Format of releases that sent every event along: its place in the log was one of a partition that is not named.
const FORMAT_WITH_EVENTS: u8 = 2;

/// An entry is closed when it is larger than this.
const ENTRY_BYTES: usize = 256 * 1024;

const STANDING: u8 = b's';
const WEAK: u8 = b'w';
const LINK: u8 = b'l';
const PARKED: u8 = b'p';
const SETTLED: u8 = b'd';
const OPEN: u8 = b'o';

/// Rows of one slot, packed until they are enough for an entry.
#[derive(Default)]
struct Parcel {
    entries: u32,
    names: BTreeMap<u16, Text>,
    rows: i64,
    bytes: Vec<u8>,
}

struct Parcels<'a> {
    calls: &'a Calls,
    by_slot: BTreeMap<u32, Parcel>,
    entry: &'a mut dyn FnMut(u32, Bytes, Bytes),
}

/// Gives out everything. Each of these slots gets at least one entry, so that the clock arrives where they go.
pub(super) fn export(
    calls: &Calls,
    partition: u32,
    slots: impl Iterator<Item = u32>,
    entry: &mut dyn FnMut(u32, Bytes, Bytes),
) -> Result<(), Halt> {
    let by_slot = slots.map(|slot| (slot, Parcel::default())).collect();
    let mut parcels = Parcels { calls, by_slot, entry };
    calls.standing.for_each(|key, standing| {
        let slot = u32::from(standing.slot);
        let parcel = parcels.by_slot.entry(slot).or_default();
        for id in [standing.topic, standing.book, standing.directory] {
            parcel.names.entry(id).or_insert_with(|| calls.names.text(id).into());
        }
        let came_in = standing.came_in.seen_from_elsewhere(partition);
        // What can be read again where it came from stays there.
        let kept = if standing.in_log() { None } else { calls.kept.encoded(standing.address) };
        parcels.add(slot, STANDING, key, |out| {
            put_standing(&Standing { came_in, address: 0, ..*standing }, out);
            put_bytes(out, &kept.unwrap_or_default());
        });
    })?;
    calls.weak.for_each(|key, weak| parcels.add(ids::slot(*key), WEAK, key, |out| put_weak(weak, out)))?;
    calls.links.for_each(|key, linked| parcels.add(ids::slot(*key), LINK, key, |out| put_linked(linked, out)))?;
    for (key, list) in calls.parked.iter() {
        let Some(first) = list.first() else { continue };
        parcels.add(u32::from(slot_of(&first.tenant, &first.call_key)), PARKED, key, |out| list.put(out));
    }
    calls.settled.for_each(|key, settled| {
        parcels.add(u32::from(settled.slot), SETTLED, key, |out| put_settled(settled, out));
    })?;
    for (key, open) in calls.open.iter() {
        let Some(standing) = calls.standing.get(key)? else { continue };
        let open = Open { came_in: open.came_in.seen_from_elsewhere(partition), ..*open };
        parcels.add(u32::from(standing.slot), OPEN, key, |out| put_open(&open, out));
    }
    parcels.finish();
    Ok(())
}

impl Parcels<'_> {
    fn add(&mut self, slot: u32, kind: u8, key: &Id128, put: impl FnOnce(&mut Vec<u8>)) {
        let parcel = self.by_slot.entry(slot).or_default();
        parcel.rows += 1;
        parcel.bytes.push(kind);
        key.put(&mut parcel.bytes);
        put(&mut parcel.bytes);
        if parcel.bytes.len() > ENTRY_BYTES {
            parcel.send(slot, self.calls, self.entry);
        }
    }

    fn finish(mut self) {
        for (slot, parcel) in &mut self.by_slot {
            if parcel.rows > 0 || parcel.entries == 0 {
                parcel.send(*slot, self.calls, self.entry);
            }
        }
    }
}

impl Parcel {
    fn send(&mut self, slot: u32, calls: &Calls, entry: &mut dyn FnMut(u32, Bytes, Bytes)) {
        let mut value = vec![FORMAT];
        put_clock(calls.clock, &mut value);
        put_long(&mut value, self.names.len() as i64);
        for (id, text) in &self.names {
            put_long(&mut value, i64::from(*id));
            text.put(&mut value);
        }
        put_long(&mut value, self.rows);
        value.append(&mut self.bytes);
        let mut key = vec![MOVED_KEY, slot as u8];
        key.extend_from_slice(&self.entries.to_be_bytes());
        entry(slot, Bytes::from(key), Bytes::from(value));
        *self = Parcel { entries: self.entries + 1, ..Parcel::default() };
    }
}

/// Takes one entry in.
pub(super) fn take_over(calls: &mut Calls, value: &[u8]) -> Result<(), Halt> {
    let corrupt = |what: String| Halt::State(format!("state of enrich from another partition cannot be read: {what}"));
    let Some((&format @ (FORMAT | FORMAT_WITH_EVENTS), rest)) = value.split_first() else {
        return Err(corrupt(format!(
            "its format is not one that this release reads ({FORMAT_WITH_EVENTS}, {FORMAT}); use the release that wrote it"
        )));
    };
    let mut from = Reader::new(rest);
    let corrupt = |error: WireError| corrupt(error.to_string());
    calls.clock = calls.clock.later(get_clock(&mut from).map_err(corrupt)?);
    let mut names = BTreeMap::new();
    for (theirs, text) in get_names(&mut from).map_err(corrupt)? {
        names.insert(theirs, calls.names.id(&text)?);
    }
    get_rows(calls, format, &names, &mut from).and_then(|()| from.finish()).map_err(corrupt)
}

fn get_names(from: &mut Reader<'_>) -> Result<Vec<(u16, Text)>, WireError> {
    let name = |from: &mut Reader<'_>| {
        let id = u16::try_from(from.long()?).map_err(|_| from.invalid("number of a text above 65535"))?;
        Ok((id, Text::get(from)?))
    };
    (0..from.length()?).map(|_| name(from)).collect()
}

fn get_rows(calls: &mut Calls, format: u8, names: &BTreeMap<u16, u16>, from: &mut Reader<'_>) -> Result<(), WireError> {
    for _ in 0..from.length()? {
        let kind = from.take(1)?[0];
        let key = Id128::get(from)?;
        match kind {
            STANDING => {
                let mut standing = get_standing(from)?;
                for id in [&mut standing.topic, &mut standing.book, &mut standing.directory] {
                    *id = *names.get(id).ok_or_else(|| from.invalid("number of a text that is not named"))?;
                }
                let length = from.length()?;
                let event = from.take(length)?;
                if format == FORMAT_WITH_EVENTS {
                    standing.came_in = Place::NOWHERE;
                }
                standing.address = if event.is_empty() { NOWHERE } else { calls.kept.push(event) };
                calls.standing.restore(key, Some(standing));
            }
            WEAK => calls.weak.restore(key, Some(get_weak(from)?)),
            LINK => calls.links.restore(key, Some(get_linked(from)?)),
            PARKED => calls.parked.restore(key, Some(Vec::<Correction>::get(from)?)),
            SETTLED => calls.settled.restore(key, Some(get_settled(from)?)),
            OPEN => calls.open.restore(key, Some(get_open(from)?)),
            _ => return Err(from.invalid("a row of unknown kind")),
        }
    }
    Ok(())
}
