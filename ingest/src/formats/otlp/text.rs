//! OTLP as JSON: names in lower camel case (older emitters: snake case), 64-bit integers as strings, ids as hexadecimal
//! (emitters that map protobuf to JSON by its general rules: base64).
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>, checked 2026-11-22.

use std::borrow::Cow;

use schemas::Timestamp;

use super::batch::{Attributes, Batch, Entry, Id, Scope, Signal, Value, nanoseconds};
use super::exported;
use crate::formats::log_lines;
use crate::json::{self, Json, Kind, Object, Opened, Walk};
use crate::problem::{Problem, Result};

/// Walks resources, scopes and entries. An entry that cannot be used does not spoil the others.
pub(super) fn read<'a>(object: &Object<'a>, signal: Signal, most: usize) -> Result<Batch<'a>> {
    let Names { resources, scopes, entries } = names(signal);
    let mut batch = Batch::default();
    // Loggers and the Collector's older files write what belongs to one resource by itself.
    let alone = scopes.iter().any(|name| object.has(name));
    let listed = if alone { Opened::default() } else { list(object, resources)? };
    let listed = listed.filter_map(|(_, resource)| resource);
    for resource in listed.chain(alone.then(|| object.clone())) {
        batch.resources.push(resource.object("resource").map(|inner| attributes(&inner)).unwrap_or_default());
        for scope in list(&resource, scopes)?.filter_map(|(_, scope)| scope) {
            let about = scope.object("scope").or_else(|| scope.object("instrumentationLibrary")).unwrap_or_default();
            batch.scopes.push(Scope {
                name: about.string("name").unwrap_or_default(),
                version: about.string("version").unwrap_or_default(),
            });
            for (json, object) in list(&scope, entries)? {
                let entry = match object {
                    Some(object) => Ok(entry(json, &object)),
                    None => Err((Problem::wrong_type(entries[0], json, "objects"), Some(json))),
                };
                batch.push(entry, most);
            }
        }
    }
    Ok(batch)
}

/// What the levels of a batch are called: those of the protocol, in either spelling, and those of its versions before 1.0
/// (`instrumentationLibrarySpans`), which Tempo still answers with, its resources as `batches`
/// (<https://grafana.com/docs/tempo/latest/api_docs/>, not opened; traces others published, 2026-11-29).
struct Names {
    resources: &'static [&'static str],
    scopes: &'static [&'static str],
    entries: &'static [&'static str],
}

fn names(signal: Signal) -> Names {
    match signal {
        Signal::Traces => Names {
            resources: &["resourceSpans", "resource_spans", "batches"],
            scopes: &["scopeSpans", "scope_spans", "instrumentationLibrarySpans"],
            entries: &["spans"],
        },
        Signal::Logs => Names {
            resources: &["resourceLogs", "resource_logs"],
            scopes: &["scopeLogs", "scope_logs", "instrumentationLibraryLogs"],
            entries: &["logRecords", "log_records", "logs"],
        },
        Signal::Metrics => Names {
            resources: &["resourceMetrics", "resource_metrics"],
            scopes: &["scopeMetrics", "scope_metrics"],
            entries: &["metrics"],
        },
    }
}

fn list<'a>(object: &Object<'a>, names: &[&'static str]) -> Result<Opened<'a>> {
    match object.first(names) {
        Some((name, value)) => value.opened().ok_or_else(|| Problem::wrong_type(name, value, "an array")),
        None => Ok(Opened::default()),
    }
}

fn entry<'a>(json: Json<'a>, object: &Object<'a>) -> Entry<'a> {
    let name = object.first(&["name", "eventName", "event_name"]).and_then(|(_, name)| name.string());
    let body = object.get("body").and_then(|body| match body.object() {
        Some(inner) => match inner.first(&["stringValue", "string_value"]) {
            Some((_, text)) => text.string(),
            // What a receiver has parsed, where it may be of a call.
            None if log_lines::may_be_of_a_call(body.text().as_bytes()) => {
                let mut whole = String::new();
                put(body, &mut whole).map(|()| Cow::Owned(whole))
            }
            None => None,
        },
        None => body.string(),
    });
    let times = [
        "startTimeUnixNano",
        "start_time_unix_nano",
        "timeUnixNano",
        "time_unix_nano",
        "observedTimeUnixNano",
        "observed_time_unix_nano",
    ];
    let stated = times.iter().filter_map(|name| digits(object.get(name)?)?.parse().ok());
    Entry {
        name: name.unwrap_or_default(),
        body,
        trace_id: id(object, &["traceId", "trace_id"]),
        span_id: id(object, &["spanId", "span_id"]),
        parent_id: id(object, &["parentSpanId", "parent_span_id"]),
        time: stated.filter_map(nanoseconds).next(),
        attributes: attributes(object),
        json: Some(json),
        ..Entry::default()
    }
}

/// Attributes as OTLP writes them, or, as several exporters do, as one plain object.
fn attributes<'a>(object: &Object<'a>) -> Attributes<'a> {
    let mut found = Attributes::default();
    let Some(attributes) = object.get("attributes") else { return found };
    if let Some(plain) = attributes.object() {
        exported::fill(&mut found, "", &plain, 0);
        return found;
    }
    listed(&mut found, attributes);
    // Ax tells in an event of the span what the call used (its source in public code, 2026-11-30); other events hold what was said.
    let events = object.get("events").filter(|events| events.text().contains("\"gen_ai.usage\""));
    for event in events.and_then(Json::array).unwrap_or_default().into_iter().filter_map(Json::object) {
        if let Some(used) = event.get("attributes").filter(|_| event.is("name", "gen_ai.usage")) {
            listed(&mut found, used);
        }
    }
    found
}

/// Attributes as a list of names and values.
fn listed<'a>(found: &mut Attributes<'a>, list: Json<'a>) {
    let mut walk = Walk::new(list);
    if !walk.enter(b'[') {
        return;
    }
    while walk.element() {
        let Some(pair) = pair(&mut walk) else { return };
        if let (Some(key), Some(value)) = pair {
            found.push(key, value);
        }
    }
}

/// The name and the value of the attribute that comes next, each where it can be used; `None` where there is nothing more to read.
fn pair<'a>(walk: &mut Walk<'a>) -> Option<(Option<Cow<'a, str>>, Option<Value<'a>>)> {
    let (mut key, mut found) = (None, None);
    if !walk.enter(b'{') {
        walk.value()?;
        return Some((None, None));
    }
    while let Some(name) = walk.field() {
        match &*name {
            "key" => key = walk.value()?.string(),
            "value" if walk.enter(b'{') => {
                found = None;
                while let Some(kind) = walk.field() {
                    let value = walk.value()?;
                    found = found.or_else(|| typed(&kind, value));
                }
            }
            "value" => {
                walk.value()?;
                found = None;
            }
            _ => {
                walk.value()?;
            }
        }
    }
    Some((key, found))
}

/// The attributes of a log record as the JSON object that a receiver has made them of.
pub(super) fn attributes_of(record: Json<'_>) -> Option<String> {
    let mut whole = String::new();
    put_fields(record.object()?.array("attributes")?, &mut whole)?;
    Some(whole)
}

/// Writes names and values as an object.
fn put_fields(fields: Vec<Json<'_>>, whole: &mut String) -> Option<()> {
    whole.push('{');
    for field in fields.into_iter().filter_map(Json::object) {
        json::put_field(whole, &field.string("key")?, "");
        match field.get("value") {
            Some(value) => put(value, whole)?,
            None => whole.push_str("null"),
        }
    }
    whole.push('}');
    Some(())
}

/// Writes a value with its types as the JSON it would be; `None` where it is none. How deeply it nests was checked with the record.
fn put(value: Json<'_>, whole: &mut String) -> Option<()> {
    let typed = value.object()?;
    let Some((kind, value)) = typed.iter().next() else {
        whole.push_str("null");
        return Some(());
    };
    match kind {
        "kvlistValue" | "kvlist_value" => put_fields(value.object()?.array("values").unwrap_or_default(), whole)?,
        "arrayValue" | "array_value" => {
            whole.push('[');
            for element in value.object()?.array("values").unwrap_or_default() {
                if !whole.ends_with('[') {
                    whole.push(',');
                }
                put(element, whole)?;
            }
            whole.push(']');
        }
        "intValue" | "int_value" | "doubleValue" | "double_value" => {
            let digits = digits(value)?;
            // Infinity is written as a text, and is no number of JSON.
            let number = Json::parse(&digits).ok().filter(|number| number.kind() == Kind::Number);
            whole.push_str(number.map_or("null", Json::text));
        }
        "boolValue" | "bool_value" => whole.push_str(value.text()),
        "bytesValue" | "bytes_value" => whole.push_str("null"),
        _ => json::quote(whole, &value.string()?),
    }
    Some(())
}

fn typed<'a>(kind: &str, value: Json<'a>) -> Option<Value<'a>> {
    match kind {
        "intValue" | "int_value" | "doubleValue" | "double_value" => digits(value).map(Value::Number),
        "arrayValue" | "array_value" | "kvlistValue" | "kvlist_value" | "bytesValue" | "bytes_value" => {
            Some(Value::Nested)
        }
        _ => plain_value(value),
    }
}

pub(super) fn plain_value(value: Json<'_>) -> Option<Value<'_>> {
    match value.kind() {
        Kind::Null => None,
        Kind::String => value.string().map(Value::Text),
        Kind::Number => Some(Value::Number(Cow::Borrowed(value.text()))),
        Kind::Bool => value.boolean().map(Value::Bool),
        Kind::Array | Kind::Object => Some(Value::Nested),
    }
}

/// Trace and span ids in lower-case hexadecimal.
fn id<'a>(object: &Object<'a>, names: &[&'static str]) -> Option<Id<'a>> {
    identity(object.first(names)?.1)
}

/// An id, however it is written.
pub(super) fn identity(id: Json<'_>) -> Option<Id<'_>> {
    lower_hexadecimal(id).map(Id::Digits)
}

pub(super) fn lower_hexadecimal(id: Json<'_>) -> Option<Cow<'_, str>> {
    if id.kind() == Kind::Object {
        return bytes(&id.object()?).map(|bytes| Cow::Owned(hexadecimal(&bytes)));
    }
    let text = id.string().filter(|id| !id.is_empty() && id.len() <= 64)?;
    if text.ends_with('=')
        && let Ok(bytes) = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text.as_bytes())
    {
        return Some(Cow::Owned(hexadecimal(&bytes)));
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Cow::Owned(text.to_ascii_lowercase()));
    }
    Some(text)
}

/// A time of JavaScript: seconds, and nanoseconds beside them.
pub(super) fn halves(value: Json<'_>) -> Option<Timestamp> {
    let [seconds, rest] = value.array()?[..] else { return None };
    let number = |value: Json<'_>| value.number()?.parse::<u64>().ok();
    nanoseconds(number(seconds)?.checked_mul(1_000_000_000)?.checked_add(number(rest)?)?)
}

/// The digits of a number. Who keeps in JSON what JavaScript decoded from protobuf has its 64 bits as two halves (queues of Langfuse
/// that others published, read 2026-11-30).
fn digits(value: Json<'_>) -> Option<Cow<'_, str>> {
    let Some(halves) = value.object() else { return value.number().map(Cow::Borrowed) };
    // They are written with a sign.
    let half = |name: &str| halves.get(name)?.number()?.parse::<i64>().ok();
    let (low, high) = (half("low")?, half("high")?);
    let whole = (i128::from(high) << 32) | i128::from(low & 0xffff_ffff);
    Some(Cow::Owned(whole.to_string()))
}

/// The bytes of an id, as JavaScript's `Buffer` and `Uint8Array` become JSON.
fn bytes(id: &Object<'_>) -> Option<Vec<u8>> {
    let byte = |value: Json<'_>| value.number()?.parse::<u8>().ok();
    let bytes: Option<Vec<u8>> = match id.array("data") {
        Some(list) if id.is("type", "Buffer") => list.into_iter().map(byte).collect(),
        _ => id.iter().map(|(_, value)| byte(value)).collect(),
    };
    bytes.filter(|bytes| matches!(bytes.len(), 8 | 16))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = vec![0; 2 * bytes.len()];
    for (pair, byte) in text.as_chunks_mut().0.iter_mut().zip(bytes) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    String::from_utf8(text).expect("these digits are ASCII")
}
