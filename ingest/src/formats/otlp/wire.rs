//! OTLP as protobuf. Only the handful of fields that matter are read, by number, so no generated code is needed: the
//! whole reader is a loop over fields. Field numbers are those of `opentelemetry-proto` 1.x, which never change
//! (<https://github.com/open-telemetry/opentelemetry-proto>, checked 2026-11-22).

use std::borrow::Cow;

use schemas::RejectReason;

use super::batch::{Attributes, Batch, Entry, Id, Scope, Signal, Value, nanoseconds};
use super::names;
use crate::formats::log_lines;
use crate::json;
use crate::problem::{self, Problem};

/// Bytes that are no message.
#[derive(Debug, Clone, Copy)]
struct Malformed;

impl From<Malformed> for Problem {
    fn from(_: Malformed) -> Self {
        let message = "the record is not a protobuf message of OTLP, or was cut off";
        Problem::new(RejectReason::Malformed, "", message)
    }
}

type Result<T> = std::result::Result<T, Malformed>;

/// One field's value. Groups are not part of proto3.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The fields of one message, in order; ends with an error where the bytes are no message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    #[inline]
    fn varint(&mut self) -> Option<u64> {
        // Tags, lengths and small numbers take a byte.
        if let [byte @ 0..=0x7f, rest @ ..] = self.0 {
            self.0 = rest;
            return Some(u64::from(*byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for (index, byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
            if byte & 0x80 == 0 {
                self.0 = &self.0[index + 1..];
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let length = usize::try_from(length).ok()?;
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let tag = self.varint()?;
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let length = self.varint()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Wire::Fixed32
            }
            _ => return None,
        };
        Some((tag >> 3, wire)).filter(|(number, _)| *number > 0)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Wire<'a>)>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // Nearly every field is a few bytes.
        if let [tag @ 0x08..=0x7f, length @ 0..=0x7f, rest @ ..] = self.0
            && tag & 7 == 2
            && let Some((taken, rest)) = rest.split_at_checked(usize::from(*length))
        {
            self.0 = rest;
            return Some(Ok((u64::from(tag >> 3), Wire::Bytes(taken))));
        }
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(Malformed))
    }
}

/// Walks resources, scopes and entries.
pub(super) fn read(bytes: &[u8], signal: Signal, most: usize) -> problem::Result<Batch<'_>> {
    let mut batch = Batch::default();
    for field in Fields(bytes) {
        // TracesData, LogsData and MetricsData have one field: resources.
        let (1, Wire::Bytes(resource)) = field? else { continue };
        batch.resources.push(Attributes::default());
        let mut about = Attributes::default();
        for field in Fields(resource) {
            match field? {
                (1, Wire::Bytes(inner)) => attributes(inner, 1, &mut about)?,
                (2, Wire::Bytes(scope)) => read_scope(scope, signal, most, &mut batch)?,
                _ => {}
            }
        }
        if let Some(resource) = batch.resources.last_mut() {
            *resource = about;
        }
    }
    Ok(batch)
}

fn read_scope<'a>(bytes: &'a [u8], signal: Signal, most: usize, batch: &mut Batch<'a>) -> Result<()> {
    batch.scopes.push(Scope::default());
    batch.expect(Fields(bytes).filter(|field| matches!(field, Ok((2, _)))).count(), most);
    for field in Fields(bytes) {
        match field? {
            (1, Wire::Bytes(about)) => {
                let mut scope = Scope::default();
                for field in Fields(about) {
                    match field? {
                        (1, Wire::Bytes(name)) => scope.name = text(name),
                        (2, Wire::Bytes(version)) => scope.version = text(version),
                        _ => {}
                    }
                }
                if let Some(last) = batch.scopes.last_mut() {
                    *last = scope;
                }
            }
            (2, Wire::Bytes(entry)) => {
                let entry = match signal {
                    Signal::Traces => span(entry),
                    Signal::Logs => log_record(entry),
                    Signal::Metrics => metric(entry),
                };
                batch.push(Ok(entry?), most);
            }
            _ => {}
        }
    }
    Ok(())
}

fn span(bytes: &[u8]) -> Result<Entry<'_>> {
    let mut entry = Entry::default();
    for field in Fields(bytes) {
        match field? {
            (1, Wire::Bytes(id)) => entry.trace_id = identity(id),
            (2, Wire::Bytes(id)) => entry.span_id = identity(id),
            (4, Wire::Bytes(id)) => entry.parent_id = identity(id),
            (5, Wire::Bytes(name)) => entry.name = text(name),
            (7, Wire::Fixed64(time)) => entry.time = nanoseconds(time),
            (9, Wire::Bytes(pair)) => attribute(pair, &mut entry.attributes)?,
            _ => {}
        }
    }
    Ok(entry)
}

fn log_record(bytes: &[u8]) -> Result<Entry<'_>> {
    let mut entry = Entry { wire: Some(bytes), ..Entry::default() };
    let mut observed = None;
    for field in Fields(bytes) {
        match field? {
            (1, Wire::Fixed64(time)) => entry.time = nanoseconds(time),
            (5, Wire::Bytes(body)) => {
                entry.body = match value(body)? {
                    Some(Value::Text(text)) => Some(text),
                    Some(Value::Nested) => parsed(body).map(Cow::Owned),
                    _ => None,
                };
            }
            (6, Wire::Bytes(pair)) => attribute(pair, &mut entry.attributes)?,
            (9, Wire::Bytes(id)) => entry.trace_id = identity(id),
            (10, Wire::Bytes(id)) => entry.span_id = identity(id),
            (11, Wire::Fixed64(time)) => observed = nanoseconds(time),
            (12, Wire::Bytes(name)) => entry.name = text(name),
            _ => {}
        }
    }
    entry.time = entry.time.or(observed);
    Ok(entry)
}

fn metric(bytes: &[u8]) -> Result<Entry<'_>> {
    let mut entry = Entry::default();
    for field in Fields(bytes) {
        if let (1, Wire::Bytes(name)) = field? {
            entry.name = text(name);
        }
    }
    Ok(entry)
}

/// All attributes of a message whose field `number` holds them.
fn attributes<'a>(bytes: &'a [u8], number: u64, into: &mut Attributes<'a>) -> Result<()> {
    for field in Fields(bytes) {
        if let (found, Wire::Bytes(pair)) = field?
            && found == number
        {
            attribute(pair, into)?;
        }
    }
    Ok(())
}

fn attribute<'a>(pair: &'a [u8], into: &mut Attributes<'a>) -> Result<()> {
    let (mut key, mut found): (&[u8], _) = (&[], None);
    for field in Fields(pair) {
        match field? {
            (1, Wire::Bytes(name)) => key = name,
            (2, Wire::Bytes(inner)) => found = value(inner)?,
            _ => {}
        }
    }
    if let Some(value) = found {
        // A name that is known is known to be text.
        let known = names::known(key);
        let name = known.map_or_else(|| text(key), |known| Cow::Borrowed(known.name));
        into.add(name, known, value);
    }
    Ok(())
}

/// An `AnyValue`. Lists and maps are not opened, so nesting costs nothing.
fn value(bytes: &[u8]) -> Result<Option<Value<'_>>> {
    let mut found = None;
    for field in Fields(bytes) {
        found = match field? {
            (1, Wire::Bytes(string)) => Some(Value::Text(text(string))),
            (2, Wire::Varint(flag)) => Some(Value::Bool(flag != 0)),
            (3, Wire::Varint(number)) => Some(Value::Whole(number as i64)),
            (4, Wire::Fixed64(bits)) => Some(Value::Number(Cow::Owned(f64::from_bits(bits).to_string()))),
            (5..=7, Wire::Bytes(_)) => Some(Value::Nested),
            _ => found,
        };
    }
    Ok(found)
}

/// Most levels of a body that are read.
const LEVELS_MAX: u8 = 16;

/// What a receiver has parsed, as the JSON it was, where it may be of a call.
fn parsed(body: &[u8]) -> Option<String> {
    if !log_lines::may_be_of_a_call(body) {
        return None;
    }
    let mut whole = String::with_capacity(body.len());
    put(body, 0, &mut whole)?;
    Some(whole)
}

/// The attributes of a log record as the JSON object that a receiver has made them of.
pub(super) fn attributes_of(record: &[u8]) -> Option<String> {
    let mut whole = String::new();
    put_pairs(record, 6, 0, &mut whole)?;
    Some(whole)
}

/// Writes the pairs that a message holds under this number as an object.
fn put_pairs(message: &[u8], number: u64, level: u8, whole: &mut String) -> Option<()> {
    whole.push('{');
    for field in Fields(message) {
        let (found, Wire::Bytes(pair)) = field.ok()? else { continue };
        if found == number {
            put_pair(pair, level, whole)?;
        }
    }
    whole.push('}');
    Some(())
}

fn put_pair(pair: &[u8], level: u8, whole: &mut String) -> Option<()> {
    let (mut key, mut inner): (Cow<'_, str>, &[u8]) = (Cow::Borrowed(""), &[]);
    for field in Fields(pair) {
        match field.ok()? {
            (1, Wire::Bytes(name)) => key = text(name),
            (2, Wire::Bytes(value)) => inner = value,
            _ => {}
        }
    }
    json::put_field(whole, &key, "");
    put(inner, level, whole)
}

/// Writes an `AnyValue` as JSON; `None` where it is none, or nests too deeply.
fn put(value: &[u8], level: u8, whole: &mut String) -> Option<()> {
    let Some(field) = Fields(value).next() else {
        whole.push_str("null");
        return Some(());
    };
    match field.ok()? {
        (1, Wire::Bytes(string)) => json::quote(whole, &text(string)),
        (2, Wire::Varint(flag)) => whole.push_str(if flag == 0 { "false" } else { "true" }),
        (3, Wire::Varint(number)) => whole.push_str(&(number as i64).to_string()),
        (4, Wire::Fixed64(bits)) => whole.push_str(&serde_json::Value::from(f64::from_bits(bits)).to_string()),
        (5, Wire::Bytes(list)) if level < LEVELS_MAX => {
            whole.push('[');
            for element in Fields(list) {
                let (1, Wire::Bytes(element)) = element.ok()? else { continue };
                if !whole.ends_with('[') {
                    whole.push(',');
                }
                put(element, level + 1, whole)?;
            }
            whole.push(']');
        }
        (6, Wire::Bytes(list)) if level < LEVELS_MAX => put_pairs(list, 1, level + 1, whole)?,
        (7, Wire::Bytes(_)) => whole.push_str("null"),
        _ => return None,
    }
    Some(())
}

/// Protobuf strings are UTF-8; what is not is replaced, since a name that is wrong is no reason to lose a call.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

fn identity(bytes: &[u8]) -> Option<Id<'_>> {
    (!bytes.is_empty() && bytes.len() <= 32).then_some(Id::Bytes(bytes))
}

/// Which signal a message carries, told by its first entry: a span begins with ids of 16 and 8 bytes, a log record
/// states its time as a fixed 64-bit number, a metric neither. `None` when the bytes are no such message, or an entry
/// could not be found to tell.
pub(crate) fn signal(bytes: &[u8]) -> Option<Signal> {
    fn first(bytes: &[u8], wanted: u64) -> Option<&[u8]> {
        let mut found = None;
        for field in Fields(bytes) {
            match field.ok()? {
                (number, Wire::Bytes(inner)) if number == wanted && found.is_none() => found = Some(inner),
                _ => {}
            }
        }
        found
    }
    let entry = first(first(first(bytes, 1)?, 2)?, 2)?;
    let fields: Vec<(u64, Wire<'_>)> = Fields(entry).collect::<Result<_>>().ok()?;
    let bytes_of = |wanted: u64, length: usize| {
        fields.iter().any(|(number, wire)| *number == wanted && matches!(wire, Wire::Bytes(b) if b.len() == length))
    };
    let fixed = |wanted: u64| fields.iter().any(|(number, wire)| *number == wanted && matches!(wire, Wire::Fixed64(_)));
    if bytes_of(1, 16) && bytes_of(2, 8) {
        return Some(Signal::Traces);
    }
    if fixed(1) || fixed(11) {
        return Some(Signal::Logs);
    }
    let named = fields.first().is_some_and(|(number, wire)| {
        *number == 1
            && matches!(wire, Wire::Bytes(name) if std::str::from_utf8(name).is_ok_and(|name| !name.is_empty()))
    });
    let data = fields.iter().any(|(number, wire)| matches!(number, 5 | 7 | 9..=11) && matches!(wire, Wire::Bytes(_)));
    (named && data).then_some(Signal::Metrics)
}
