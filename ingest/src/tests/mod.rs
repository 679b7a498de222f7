//! Tests of the whole crate: raw bytes in, items out. Fixtures are composed from the providers' documentation.

mod anthropic;
mod apps;
mod audited;
mod bad_input;
mod bodies;
mod captured;
mod cassettes;
mod corpus;
mod door;
mod emitters;
mod event;
mod exports;
mod found;
mod held;
mod http;
mod local_files;
mod matrix;
mod mutations;
mod natives;
mod not_billed;
mod observers;
mod openai;
mod otlp_wire;
mod prints;
mod providers;
mod published;
mod published_within;
mod quirks;
mod recordings;
mod relays;
mod reports;
mod resources;
mod seen;
mod services;
mod sparse;
mod stage;
mod stores;
mod streams;
mod tools;
mod transcripts;
mod traps;
mod unseen;
mod wild;

use std::sync::Arc;

use schemas::{Rejection, Timestamp, UsageEvent};

use crate::users::Keys;
use crate::{Config, Decoded, IgnoreReason, Item, RawRecord, decode};

pub(crate) fn arrival() -> Timestamp {
    "2026-08-01T10:00:00Z".parse().unwrap()
}

pub(crate) fn config() -> Config {
    Config { users: Some(Arc::new(Keys::new(|| *b"sixteen byte key"))), ..Config::default() }
}

pub(crate) fn record<'a>(payload: &'a [u8], headers: &'a [(&'a str, &'a [u8])]) -> RawRecord<'a> {
    RawRecord {
        topic: "usage.raw",
        partition: 3,
        offset: 42,
        timestamp: arrival(),
        key: None,
        headers,
        payload: Some(payload),
    }
}

pub(crate) fn decoded(payload: &str) -> Decoded {
    keep(payload.as_bytes());
    decode(&record(payload.as_bytes(), &[]), &config())
}

/// Writes a fixture down in the folder that `FUZZ_SEEDS` names, if it does: `fuzz/run` begins with them.
fn keep(payload: &[u8]) {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS") else { return };
    let name = schemas::ids::hash_parts([payload]).to_string();
    std::fs::write(std::path::Path::new(&folder).join(name), payload).unwrap();
}

pub(crate) fn events(decoded: &Decoded) -> Vec<&UsageEvent> {
    let items = decoded.items.iter();
    let event = items.filter_map(|item| match item {
        Item::Event(event) => Some(&**event),
        _ => None,
    });
    event.collect()
}

/// The one event of a record.
pub(crate) fn event(payload: &str) -> UsageEvent {
    let decoded = decoded(payload);
    match events(&decoded)[..] {
        [event] => event.clone(),
        _ => panic!("not one event: {decoded:#?}"),
    }
}

/// The one rejection of a record.
pub(crate) fn rejection(payload: &str) -> Rejection {
    let decoded = decoded(payload);
    match &decoded.items[..] {
        [Item::Rejected(rejection)] => rejection.clone(),
        _ => panic!("not one rejection: {decoded:#?}"),
    }
}

/// The usage of an event on one line.
pub(crate) fn line(event: &UsageEvent) -> String {
    let meters: Vec<String> =
        event.usage.iter().map(|metered| format!("{} {}", metered.meter, metered.quantity)).collect();
    let flags: Vec<&str> = event.flags.iter().map(|flag| flag.as_str()).collect();
    let flags = if flags.is_empty() { String::new() } else { format!(" [{}]", flags.join(", ")) };
    format!("{} {}: {}{flags}", event.provider, event.model, meters.join(", "))
}

/// The meters of an event, by their names.
pub(crate) fn meters(event: &UsageEvent) -> String {
    let mut meters: Vec<String> =
        event.usage.iter().map(|metered| format!("{} {}", metered.meter, metered.quantity)).collect();
    meters.sort();
    meters.join(", ")
}

/// Why each item of a record is ignored, all of which are.
#[track_caller]
pub(crate) fn ignored(payload: &str) -> Vec<IgnoreReason> {
    let read = decoded(payload);
    let reason = |item: &Item| match item {
        Item::Ignored { reason, .. } => *reason,
        _ => panic!("not ignored: {read:#?}"),
    };
    read.items.iter().map(reason).collect()
}

/// A batch of one span, with attributes that are texts.
pub(crate) fn span(scope: &str, name: &str, attributes: &[(&str, &str)]) -> String {
    let attribute = |(key, value): &(&str, &str)| {
        let value = serde_json::Value::from(*value);
        format!(r#"{{"key":"{key}","value":{{"stringValue":{value}}}}}"#)
    };
    let attributes: Vec<String> = attributes.iter().map(attribute).collect();
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"scope":{{"name":"{scope}"}},"spans":[{{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId":"00f067aa0ba902b7","name":"{name}","startTimeUnixNano":"1785578390000000000","attributes":[{}]}}]}}]}}]}}"#,
        attributes.join(",")
    )
}

/// Checks the events of a record, one line each.
#[track_caller]
pub(crate) fn check(payload: &str, recognised_as: &str, expected: &[&str]) {
    let decoded = decoded(payload);
    assert_eq!(decoded.recognised_as, recognised_as, "{decoded:#?}");
    let lines: Vec<String> = events(&decoded).into_iter().map(line).collect();
    assert_eq!(lines, expected, "{decoded:#?}");
}

/// Checks that a record is rejected for this reason, naming this field, with these words in the message.
#[track_caller]
pub(crate) fn check_rejected(payload: &str, reason: &str, field: &str, words: &[&str]) {
    let rejection = rejection(payload);
    assert_eq!((rejection.reason.as_str(), &*rejection.field), (reason, field), "{rejection:#?}");
    for word in words {
        assert!(rejection.message.contains(word), "{word:?} is not in {:?}", rejection.message);
    }
}
