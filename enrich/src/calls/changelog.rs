//! One transaction's changes as one packed record, and back.
//!
//! Ids are unique, so a record for each would be all overhead, and compaction would keep them for ever: there is one
//! record a transaction, kept by time. It names every text it refers to by number, so it can be read without those
//! before it.

use std::collections::BTreeMap;

use bytes::Bytes;
use schemas::wire::{Reader, Wire, WireError, put_bytes, put_long};
use schemas::{Correction, Id128, Text, Timestamp};
use stream::{Aged, Halt, TxMap};

use super::{Calls, Clock, Linked, Marks, Open, Settled, Standing, Weak};

/// Format this release writes, and the only one it reads.
const FORMAT: u8 = 3;

/// What a row takes at most, nearly always: memory that has to grow is copied.
const ROW_BYTES: usize = 96;

pub(super) fn delta(calls: &Calls) -> Option<Vec<u8>> {
    let waiting = calls.parked.changed().next().is_some() || calls.open.changed().next().is_some();
    if !waiting && !calls.ids_changed() && calls.clock == calls.committed {
        return None;
    }
    let standing = calls.standing.changed();
    let mut names = BTreeMap::new();
    for standing in standing.iter().filter_map(|(_, value)| *value) {
        for id in [standing.topic, standing.book, standing.directory] {
            names.insert(id, calls.names.text(id));
        }
    }
    let (address, events) = calls.recent.added();
    // Of events, which are most of it, there is one copy, made into memory of the right size.
    let events_length = events.iter().map(|part| part.len()).sum::<usize>();
    let (weak, links) = (calls.weak.changed(), calls.links.changed());
    let rows = standing.len() + weak.len() + links.len();
    let mut out = Vec::with_capacity(events_length + ROW_BYTES * rows + 1024);
    out.push(FORMAT);
    put_clock(calls.clock, &mut out);
    put_long(&mut out, names.len() as i64);
    for (id, text) in names {
        put_long(&mut out, i64::from(id));
        put_bytes(&mut out, text.as_bytes());
    }
    put_long(&mut out, address as i64);
    put_long(&mut out, events_length as i64);
    events.iter().for_each(|part| out.extend_from_slice(part));
    put_rows(&mut out, &standing, put_standing);
    put_rows(&mut out, &weak, put_weak);
    put_rows(&mut out, &links, put_linked);
    put_rows(&mut out, &sorted(&calls.parked), |list, out| list.put(out));
    put_rows(&mut out, &calls.settled.changed(), put_settled);
    put_rows(&mut out, &sorted(&calls.open), put_open);
    Some(out)
}

pub(super) fn restore(calls: &mut Calls, value: &[u8]) -> Result<(), Halt> {
    let corrupt = |what: String| Halt::State(format!("the changelog of enrich cannot be read: {what}"));
    match value.first() {
        Some(&FORMAT) => {}
        Some(other) => {
            return Err(corrupt(format!(
                "format {other} is not the one of this release ({FORMAT}); use the release that wrote it"
            )));
        }
        None => return Err(corrupt("an entry is empty".to_owned())),
    }
    let mut from = Reader::new(&value[1..]);
    let read = read(calls, &mut from).and_then(|()| from.finish());
    read.map_err(|error| corrupt(error.to_string()))
}

fn read(calls: &mut Calls, from: &mut Reader<'_>) -> Result<(), WireError> {
    calls.clock = get_clock(from)?;
    for _ in 0..from.length()? {
        let id = u16::try_from(from.long()?).map_err(|_| from.invalid("number of a text above 65535"))?;
        calls.names.restore(id, Text::get(from)?);
    }
    let address = from.long()? as u64;
    let length = from.length()?;
    let events = from.take(length)?;
    calls.recent.restore(address, events);
    get_rows(from, get_standing, |key, value| calls.standing.restore(key, value))?;
    get_rows(from, get_weak, |key, value| calls.weak.restore(key, value))?;
    get_rows(from, get_linked, |key, value| calls.links.restore(key, value))?;
    get_rows(from, Vec::<Correction>::get, |key, value| calls.parked.restore(key, value))?;
    get_rows(from, get_settled, |key, value| calls.settled.restore(key, value))?;
    get_rows(from, get_open, |key, value| calls.open.restore(key, value))
}

pub(super) fn put_clock(clock: Clock, out: &mut Vec<u8>) {
    for time in [clock.latest, clock.frontier, clock.checked] {
        time.put(out);
    }
}

pub(super) fn get_clock(from: &mut Reader<'_>) -> Result<Clock, WireError> {
    Ok(Clock { latest: Wire::get(from)?, frontier: Wire::get(from)?, checked: Wire::get(from)? })
}

pub(super) fn put_weak(weak: &Weak, out: &mut Vec<u8>) {
    weak.received_at.put(out);
    put_long(out, weak.keys.len() as i64);
    weak.keys.iter().for_each(|key| key.put(out));
}

pub(super) fn get_weak(from: &mut Reader<'_>) -> Result<Weak, WireError> {
    let received_at = Wire::get(from)?;
    let keys = (0..from.length()?).map(|_| Id128::get(from)).collect::<Result<_, _>>()?;
    Ok(Weak { keys, received_at })
}

pub(super) fn put_linked(linked: &Linked, out: &mut Vec<u8>) {
    linked.stronger.put(out);
    linked.received_at.put(out);
}

pub(super) fn get_linked(from: &mut Reader<'_>) -> Result<Linked, WireError> {
    Ok(Linked { stronger: Wire::get(from)?, received_at: Wire::get(from)? })
}

pub(super) fn put_settled(settled: &Settled, out: &mut Vec<u8>) {
    settled.received_at.put(out);
    out.push(settled.slot);
}

pub(super) fn get_settled(from: &mut Reader<'_>) -> Result<Settled, WireError> {
    Ok(Settled { received_at: Wire::get(from)?, slot: array::<1>(from)?[0] })
}

pub(super) fn put_open(open: &Open, out: &mut Vec<u8>) {
    put_bytes(out, &open.event);
    open.tried.put(out);
}

pub(super) fn get_open(from: &mut Reader<'_>) -> Result<Open, WireError> {
    let length = from.length()?;
    Ok(Open { event: Bytes::copy_from_slice(from.take(length)?), tried: Wire::get(from)? })
}

/// Changes by key, in an order that does not depend on the map.
fn sorted<V: Clone>(map: &TxMap<Id128, V>) -> Vec<(Id128, Option<&V>)> {
    let mut rows: Vec<_> = map.changed().map(|(key, value)| (*key, value)).collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    rows
}

fn put_rows<V>(out: &mut Vec<u8>, rows: &[(Id128, Option<&V>)], put: impl Fn(&V, &mut Vec<u8>)) {
    put_long(out, rows.len() as i64);
    for (key, value) in rows {
        key.put(out);
        out.push(u8::from(value.is_some()));
        if let Some(value) = value {
            put(value, out);
        }
    }
}

fn get_rows<V>(
    from: &mut Reader<'_>,
    get: impl Fn(&mut Reader<'_>) -> Result<V, WireError>,
    mut restore: impl FnMut(Id128, Option<V>),
) -> Result<(), WireError> {
    for _ in 0..from.length()? {
        let key = Id128::get(from)?;
        let value = if bool::get(from)? { Some(get(from)?) } else { None };
        restore(key, value);
    }
    Ok(())
}

pub(super) fn put_standing(standing: &Standing, out: &mut Vec<u8>) {
    out.extend_from_slice(&standing.content.to_le_bytes());
    out.extend_from_slice(&standing.fingerprint.to_le_bytes());
    out.extend_from_slice(&standing.source.to_le_bytes());
    out.push(standing.marks.0);
    out.push(standing.slot);
    standing.received_at.put(out);
    for number in [standing.offset, standing.events_offset, standing.address as i64] {
        put_long(out, number);
    }
    for number in [standing.partition, standing.item, standing.precedence, standing.revision] {
        put_long(out, i64::from(number));
    }
    put_long(out, i64::from(standing.size));
    for id in [standing.topic, standing.book, standing.directory] {
        put_long(out, i64::from(id));
    }
}

pub(super) fn get_standing(from: &mut Reader<'_>) -> Result<Standing, WireError> {
    Ok(Standing {
        content: u64::from_le_bytes(array(from)?),
        fingerprint: u64::from_le_bytes(array(from)?),
        source: u32::from_le_bytes(array(from)?),
        marks: Marks(array::<1>(from)?[0]),
        slot: array::<1>(from)?[0],
        received_at: Wire::get(from)?,
        offset: from.long()?,
        events_offset: from.long()?,
        address: from.long()? as u64,
        partition: i32::get(from)?,
        item: i32::get(from)?,
        precedence: i32::get(from)?,
        revision: i32::get(from)?,
        size: u32::get(from)?,
        topic: name(from)?,
        book: name(from)?,
        directory: name(from)?,
    })
}

fn array<const N: usize>(from: &mut Reader<'_>) -> Result<[u8; N], WireError> {
    let mut bytes = [0; N];
    bytes.copy_from_slice(from.take(N)?);
    Ok(bytes)
}

fn name(from: &mut Reader<'_>) -> Result<u16, WireError> {
    u16::try_from(from.long()?).map_err(|_| from.invalid("number of a text above 65535"))
}

impl Aged for Standing {
    fn received_at(&self) -> Timestamp {
        self.received_at
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_standing(self, out);
    }

    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        get_standing(from)
    }
}

impl Aged for Weak {
    fn received_at(&self) -> Timestamp {
        self.received_at
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_weak(self, out);
    }

    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        get_weak(from)
    }
}

impl Aged for Linked {
    fn received_at(&self) -> Timestamp {
        self.received_at
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_linked(self, out);
    }

    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        get_linked(from)
    }
}

impl Aged for Settled {
    fn received_at(&self) -> Timestamp {
        self.received_at
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_settled(self, out);
    }

    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        get_settled(from)
    }
}
