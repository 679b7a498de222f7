//! One transaction's changes as packed records, and back.
//!
//! Ids are unique, so a record for each would be all overhead, and compaction would keep them for ever: there are as few
//! records a transaction as may be, kept by time. Each names every text it refers to by number, so it can be read without
//! those before it.

use std::collections::BTreeMap;

use schemas::wire::{Reader, Wire, WireError, put_bytes, put_long};
use schemas::{Correction, Id128, Text, Timestamp};
use stream::{Aged, BATCH_BYTES_MAX, Halt, TxMap};

use super::recent::NOWHERE;
use super::{Calls, Clock, Linked, Marks, Open, Place, Settled, Standing, Weak};

/// Format this release writes, and the only one it reads.
const FORMAT: u8 = 3;

/// A record is closed when it is larger than this: brokers refuse what is very large.
const RECORD_BYTES: usize = if cfg!(test) { 700 } else { BATCH_BYTES_MAX };

/// What a standing charge takes at most, nearly always: memory that has to grow is copied.
const STANDING_BYTES: usize = 80;

/// What the other rows take besides what they hold in full, about.
const ROW_BYTES: usize = 16;

/// A key and its new value; `None` where it was removed.
type Row<'a, V> = (Id128, Option<&'a V>);

/// Changes of a transaction, or those of them that one record holds.
struct Changes<'a> {
    /// Where the events are in [`Calls::kept`].
    address: u64,
    /// Those events that cannot be read again, in full and in two parts.
    events: [&'a [u8]; 2],
    standing: &'a [Row<'a, Standing>],
    weak: &'a [Row<'a, Weak>],
    links: &'a [Row<'a, Linked>],
    parked: &'a [Row<'a, Vec<Correction>>],
    settled: &'a [Row<'a, Settled>],
    open: &'a [Row<'a, Open>],
}

/// The transaction's changes as records in the order to restore them; none when nothing has changed.
pub(super) fn delta(calls: &Calls) -> Vec<Vec<u8>> {
    let waiting = calls.parked.changed().next().is_some() || calls.open.changed().next().is_some();
    if !waiting && !calls.ids_changed() && calls.clock == calls.committed {
        return Vec::new();
    }
    let (address, events) = calls.kept.added();
    let mut left = Changes {
        address,
        events,
        standing: &calls.standing.changed(),
        weak: &calls.weak.changed(),
        links: &calls.links.changed(),
        parked: &sorted(&calls.parked),
        settled: &calls.settled.changed(),
        open: &sorted(&calls.open),
    };
    let mut records = Vec::new();
    loop {
        let part = left.split();
        // What the clock says to forget goes after the last row has come, as it did when they were made.
        let clock = if left.is_empty() { calls.clock } else { calls.committed };
        records.push(part.encode(clock, calls));
        if left.is_empty() {
            return records;
        }
    }
}

impl<'a> Changes<'a> {
    /// Takes as much out as one record holds.
    fn split(&mut self) -> Changes<'a> {
        let (mut room, address) = (RECORD_BYTES, self.address);
        let events = self.events.each_mut().map(|bytes| {
            let (part, rest) = bytes.split_at(bytes.len().min(room));
            *bytes = rest;
            room -= part.len();
            part
        });
        self.address += length(&events) as u64;
        let room = &mut room;
        let parked = |list: &Vec<Correction>| {
            let mut bytes = Vec::new();
            list.put(&mut bytes);
            bytes.len()
        };
        Changes {
            address,
            events,
            standing: split(&mut self.standing, room, |_| STANDING_BYTES),
            weak: split(&mut self.weak, room, |weak| ROW_BYTES + weak.keys.len() * size_of::<Id128>()),
            links: split(&mut self.links, room, |linked| ROW_BYTES + linked.stronger.len()),
            parked: split(&mut self.parked, room, parked),
            settled: split(&mut self.settled, room, |_| ROW_BYTES),
            open: split(&mut self.open, room, |_| ROW_BYTES),
        }
    }

    fn is_empty(&self) -> bool {
        length(&self.events) == 0
            && self.standing.is_empty()
            && self.weak.is_empty()
            && self.links.is_empty()
            && self.parked.is_empty()
            && self.settled.is_empty()
            && self.open.is_empty()
    }

    fn encode(&self, clock: Clock, calls: &Calls) -> Vec<u8> {
        let (mut names, mut before) = (BTreeMap::new(), None);
        for standing in self.standing.iter().filter_map(|(_, value)| *value) {
            let ids = [standing.topic, standing.book, standing.directory];
            // Nearly always those of the row before it.
            if before.replace(ids) != Some(ids) {
                names.extend(ids.map(|id| (id, calls.names.text(id))));
            }
        }
        let rows = self.standing.len() * (STANDING_BYTES + size_of::<Id128>());
        let mut out = Vec::with_capacity(length(&self.events) + rows + 1024);
        out.push(FORMAT);
        put_clock(clock, &mut out);
        put_long(&mut out, names.len() as i64);
        for (id, text) in names {
            put_long(&mut out, i64::from(id));
            put_bytes(&mut out, text.as_bytes());
        }
        put_long(&mut out, self.address as i64);
        put_long(&mut out, length(&self.events) as i64);
        self.events.iter().for_each(|part| out.extend_from_slice(part));
        put_rows(&mut out, self.standing, |standing, out| put_standing(&written(standing), out));
        put_rows(&mut out, self.weak, put_weak);
        put_rows(&mut out, self.links, put_linked);
        put_rows(&mut out, self.parked, |list, out| list.put(out));
        put_rows(&mut out, self.settled, put_settled);
        put_rows(&mut out, self.open, put_open);
        out
    }
}

fn length(events: &[&[u8]; 2]) -> usize {
    events[0].len() + events[1].len()
}

/// Takes rows while there is room; the last one may need more of it than there is.
fn split<'a, V>(rows: &mut &'a [Row<'a, V>], room: &mut usize, size: impl Fn(&V) -> usize) -> &'a [Row<'a, V>] {
    let mut count = 0;
    while *room > 0 && count < rows.len() {
        *room = room.saturating_sub(size_of::<Id128>() + 1 + rows[count].1.map_or(0, &size));
        count += 1;
    }
    let (part, rest) = rows.split_at(count);
    *rows = rest;
    part
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
    calls.kept.restore(address, events);
    get_rows(from, get_standing, |key, value| calls.standing.restore(key, value.map(restored)))?;
    get_rows(from, get_weak, |key, value| calls.weak.restore(key, value))?;
    get_rows(from, get_linked, |key, value| calls.links.restore(key, value))?;
    get_rows(from, Vec::<Correction>::get, |key, value| calls.parked.restore(key, value))?;
    get_rows(from, get_settled, |key, value| calls.settled.restore(key, value))?;
    get_rows(from, get_open, |key, value| calls.open.restore(key, value))
}

/// A standing charge as it is written: where its event is in memory means nothing to the next process.
fn written(standing: &Standing) -> Standing {
    if standing.in_log() { Standing { address: 0, ..*standing } } else { *standing }
}

/// As it is read back.
fn restored(standing: Standing) -> Standing {
    if standing.in_log() { Standing { address: NOWHERE, ..standing } } else { standing }
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
    // Earlier releases had the event here.
    put_bytes(out, &[]);
    put_long(out, open.came_in.0);
    open.tried.put(out);
}

pub(super) fn get_open(from: &mut Reader<'_>) -> Result<Open, WireError> {
    let event = from.length()?;
    from.take(event)?;
    let came_in = if event == 0 { Place(from.long()?) } else { Place::NOWHERE };
    Ok(Open { came_in, tried: Wire::get(from)? })
}

/// Changes by key, in an order that does not depend on the map.
fn sorted<V: Clone>(map: &TxMap<Id128, V>) -> Vec<Row<'_, V>> {
    let mut rows: Vec<_> = map.changed().map(|(key, value)| (*key, value)).collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    rows
}

fn put_rows<V>(out: &mut Vec<u8>, rows: &[Row<'_, V>], put: impl Fn(&V, &mut Vec<u8>)) {
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
    for number in [standing.offset, standing.came_in.0, standing.address as i64] {
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
        came_in: Place(from.long()?),
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
