//! From the bytes of a record to its items: bounds, encoding, headers; then each item goes to `formats`.

use std::borrow::Cow;
use std::sync::OnceLock;

use schemas::codec::Format;
use schemas::{Correction, RejectReason};

use crate::assemble::Out;
use crate::config::{Config, DEPTH_MAX};
use crate::envelope::{Envelope, provider_name};
use crate::formats::{self, stream, stream::malformed};
use crate::item::{Decoded, IgnoreReason, Item, RawRecord};
use crate::json::{self, Json};
use crate::problem::{Problem, Result};
use crate::recognise::Shape;

/// Decodes a raw record. Never fails: whatever cannot be used is among the items as a rejection.
pub fn decode(record: &RawRecord<'_>, config: &Config) -> Decoded {
    let mut out = Out::new(record, config);
    if let Err(problem) = record_items(record, config, &mut out) {
        out.reject(problem, None);
    }
    Decoded { recognised_as: out.recognised_as, evidence: out.evidence, items: out.items }
}

fn record_items<'r>(record: &'r RawRecord<'r>, config: &'r Config, out: &mut Out<'r>) -> Result<()> {
    let Some(payload) = record.payload else {
        out.ignore(IgnoreReason::Tombstone);
        return Ok(());
    };
    if payload.is_empty() {
        return Err(Problem::new(RejectReason::Empty, "", "the record is empty: send one event or one batch"));
    }
    if payload.len() > config.record_bytes_max {
        let message = format!("the record is {} bytes long; the most is {}", payload.len(), config.record_bytes_max);
        return Err(Problem::new(RejectReason::TooLarge, "", message));
    }
    let setting = match record.header("spend-format") {
        Some(name) => Some((named(name)?, "header spend-format")),
        None => config.formats.get(record.topic).map(|shape| (*shape, "topic setting")),
    };
    if record.topic == config.corrections_topic && payload.starts_with(&[0xc3, 0x01]) {
        return correction(record, payload, out);
    }
    if let Some((Shape::Correction, _)) = setting {
        return correction(record, payload, out);
    }
    let text = match std::str::from_utf8(payload) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii(),
        Err(error) => {
            let message = format!("the record is not UTF-8 text from byte {}", error.valid_up_to());
            return Err(Problem::new(RejectReason::Malformed, "", message));
        }
    };
    if text.is_empty() {
        return Err(Problem::new(RejectReason::Empty, "", "the record holds only white space"));
    }
    if json::deeper_than(text.as_bytes(), DEPTH_MAX) {
        let message = format!("the record nests deeper than {DEPTH_MAX} levels");
        return Err(Problem::new(RejectReason::TooLarge, "", message));
    }
    if record.header("ce_specversion").is_some() {
        return binary_cloud_event(record, text, out);
    }
    let hint = setting.map(|(shape, evidence)| {
        out.recognised("", shape.as_str(), evidence);
        shape
    });
    let documents = stream::documents(text)?;
    stream::items(documents, hint, &Envelope::default(), 0, out);
    Ok(())
}

fn named(name: &str) -> Result<Shape> {
    name.trim().parse().map_err(|_| {
        let message = "header spend-format names no known format; FORMATS.md lists them";
        Problem::new(RejectReason::UnknownFormat, "spend-format", message)
    })
}

/// CloudEvents in Kafka's binary mode: attributes are `ce_` headers, the value is the data.
fn binary_cloud_event<'r>(record: &'r RawRecord<'r>, text: &'r str, out: &mut Out<'r>) -> Result<()> {
    let header = |name: &str| record.header(name).filter(|value| !value.is_empty() && value.len() <= 512);
    let kind = header("ce_type").ok_or_else(|| Problem::missing("ce_type", "send the event's type"))?;
    let mut envelope = Envelope { wrapped: Cow::Borrowed("cloudevents/"), ..Envelope::default() };
    out.recognised("cloudevents/", kind, "header ce_type");
    if !header("ce_specversion").is_some_and(|version| version.starts_with("1.")) {
        let message = "ce_specversion is not 1.0, the only version of CloudEvents that is read";
        return Err(Problem::new(RejectReason::InvalidField, "ce_specversion", message));
    }
    envelope.event_id = header("ce_id").map(Cow::Borrowed);
    envelope.source = header("ce_source").map(Cow::Borrowed);
    if envelope.event_id.is_none() {
        return Err(Problem::missing("ce_id", "CloudEvents are identified by source and id"));
    }
    if envelope.source.is_none() {
        return Err(Problem::missing("ce_source", "CloudEvents are identified by source and id"));
    }
    if let Some(time) = header("ce_time") {
        let parsed = crate::number::time_text(time);
        let invalid =
            || Problem::new(RejectReason::InvalidField, "ce_time", "ce_time is not a time: send RFC 3339 text");
        envelope.time = Some(parsed.ok_or_else(invalid)?);
    }
    envelope.claimed.team = header("ce_team").map(Into::into);
    envelope.provider = header("ce_provider").map(provider_name);
    let json = Json::parse(text).map_err(|error| malformed(&error))?;
    if let Err(problem) = formats::event::cloud_event_data(json, json, kind, envelope, 0, out) {
        out.reject(problem, Some(json));
    }
    Ok(())
}

/// A correction written by a job, as Avro or JSON. Trusted on one topic only: it takes money back.
fn correction<'r>(record: &'r RawRecord<'r>, payload: &[u8], out: &mut Out<'r>) -> Result<()> {
    static FORMAT: OnceLock<Format<Correction>> = OnceLock::new();
    out.recognised("", Shape::Correction.as_str(), "header spend-format or Avro on the corrections topic");
    if record.topic != out.config.corrections_topic {
        let message = format!("corrections are only taken from {}", out.config.corrections_topic);
        return Err(Problem::new(RejectReason::UnknownFormat, "spend-format", message));
    }
    let decoded = if payload.starts_with(b"{") {
        serde_json::from_slice::<Correction>(payload).map_err(|error| malformed(&error))
    } else {
        FORMAT.get_or_init(Format::new).decode(payload).map_err(|error| match error {
            schemas::codec::CodecError::UnknownSchema { .. } => {
                Problem::new(RejectReason::UnknownSchema, "", error.to_string())
            }
            _ => Problem::new(RejectReason::Malformed, "", "the record is neither an Avro nor a JSON correction"),
        })
    };
    let mut correction = decoded?;
    correction.received_at = record.timestamp;
    out.items.push(Item::Correction(correction));
    Ok(())
}
