//! From the bytes of a record to its items: bounds, encoding, headers; then each item goes to `formats`.

use std::borrow::Cow;
use std::sync::OnceLock;

use schemas::codec::Format;
use schemas::{Correction, RejectReason, Timestamp};

use crate::access_log;
use crate::assemble::Out;
use crate::cassette;
use crate::collector;
use crate::composed;
use crate::config::{Config, DEPTH_MAX};
use crate::dump;
use crate::encoded;
use crate::envelope::{Envelope, provider_name};
use crate::formats::{self, otlp, stream, stream::malformed, table};
use crate::head;
use crate::httprr;
use crate::item::{Decoded, IgnoreReason, Item, RawRecord};
use crate::journal;
use crate::json::{self, Json};
use crate::logfmt;
use crate::php;
use crate::printed;
use crate::problem::{Problem, Result};
use crate::recognise::Shape;
use crate::replay::Original;
use crate::typed;
use crate::unquoted;

/// Decodes a raw record. Never fails: whatever cannot be used is among the items as a rejection.
pub fn decode(record: &RawRecord<'_>, config: &Config) -> Decoded {
    let original = Original::of(record, config);
    let as_original = original.map(|original| original.record(record));
    let record = as_original.as_ref().unwrap_or(record);
    let mut out = Out::new(record, config);
    out.arrived = original.map_or(record.timestamp, |original| original.arrived);
    if let Err(problem) = record_items(record, config, &mut out) {
        out.reject(problem, None);
    }
    if let Some(plain) = without_types(record, &out) {
        let mut again = Out::new(record, config);
        again.arrived = out.arrived;
        let read = payload_items(record, plain.as_bytes(), config, &mut again);
        if read.is_ok() && again.items.iter().any(|item| matches!(item, Item::Event(_))) {
            out = again;
        }
    }
    if out.items.is_empty() {
        // A batch or a list of nothing: the record is accounted for all the same.
        out.ignore(IgnoreReason::StatusOnly);
    }
    let Out { recognised_as, evidence, items, claims_not_allowed, .. } = out;
    Decoded { recognised_as, evidence, items, claims_not_allowed }
}

/// True where nothing of a record could be used.
fn is_rejected(out: &Out<'_>) -> bool {
    !out.items.is_empty() && out.items.iter().all(|item| matches!(item, Item::Rejected(_)))
}

/// What a record is without the types of its values, where with them nothing of it could be used.
fn without_types(record: &RawRecord<'_>, out: &Out<'_>) -> Option<String> {
    // Values of OTLP have types, too, which it cannot do without.
    let unread = is_rejected(out) && !out.recognised_as.starts_with("otlp.");
    let payload = record.payload.filter(|payload| unread && payload.len() <= out.config.record_bytes_max)?;
    typed::json(std::str::from_utf8(payload).ok()?)
}

/// When the first call or fact in a raw record was made, as [`decode`] would read it; `None` where the record does not say. Costs
/// less than to decode it.
pub fn event_time(record: &RawRecord<'_>, config: &Config) -> Option<Timestamp> {
    let mut out = Out::for_its_time(record, config);
    // What goes wrong after a time was told does not make it untold.
    let _ = record_items(record, config, &mut out);
    out.time
}

fn record_items<'r>(record: &'r RawRecord<'r>, config: &'r Config, out: &mut Out<'r>) -> Result<()> {
    let Some(payload) = record.payload else {
        out.ignore(IgnoreReason::Tombstone);
        return Ok(());
    };
    if payload.is_empty() {
        return Err(Problem::new(RejectReason::Empty, "", "the record is empty: send one event or one batch"));
    }
    let bounded = |length: usize| match length > config.record_bytes_max {
        true => Err(too_large(length, config)),
        false => Ok(()),
    };
    bounded(payload.len())?;
    if encoded::is_zipped(payload) {
        let unzipped = unzip(payload, config)?;
        return payload_items(record, &unzipped, config, out);
    }
    payload_items(record, payload, config, out)
}

fn too_large(length: usize, config: &Config) -> Problem {
    let message = format!("the record is {length} bytes long; the most is {}", config.record_bytes_max);
    Problem::new(RejectReason::TooLarge, "", message)
}

/// A zipped record. Stops at the bound of any record, so a bomb costs no more than a large record.
fn unzip(payload: &[u8], config: &Config) -> Result<Vec<u8>> {
    let unzipped = encoded::unzipped(payload, config.record_bytes_max as u64).ok_or_else(|| {
        let message = "the record begins like gzip or zlib but cannot be unzipped";
        Problem::new(RejectReason::Malformed, "", message)
    })?;
    match unzipped.len() > config.record_bytes_max {
        true => Err(too_large(unzipped.len(), config)),
        false => Ok(unzipped),
    }
}

/// Text as UTF-8, whatever Unicode encoding its byte order mark announces.
fn text_of(payload: &[u8]) -> Result<Cow<'_, str>> {
    if let Some(events) = encoded::unframed(payload) {
        return Ok(Cow::Owned(events));
    }
    let units = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks(2).map(|pair| unit([pair[0], *pair.get(1).unwrap_or(&0)]));
        char::decode_utf16(units).collect::<std::result::Result<String, _>>()
    };
    let wide = match payload {
        [0xff, 0xfe, rest @ ..] => units(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => units(rest, u16::from_be_bytes),
        _ => {
            let text = std::str::from_utf8(payload).map_err(|error| {
                let message = format!("the record is not UTF-8 text from byte {}", error.valid_up_to());
                Problem::new(RejectReason::Malformed, "", message)
            })?;
            return Ok(Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)));
        }
    };
    let message = "the record begins like UTF-16 text, but is none";
    wide.map(Cow::Owned).map_err(|_| Problem::new(RejectReason::Malformed, "", message))
}

/// The signal of a protobuf batch of OTLP, and how that was told: by the operator or the header where they name OTLP and
/// the bytes are no JSON, else by its structure.
fn otlp_signal(payload: &[u8], named: Option<(Shape, &'static str)>) -> Option<(otlp::Signal, &'static str)> {
    let json = matches!(payload.trim_ascii_start().first(), Some(b'{' | b'['));
    match named {
        Some((Shape::OtlpTraces, evidence)) if !json => Some((otlp::Signal::Traces, evidence)),
        Some((Shape::OtlpLogs, evidence)) if !json => Some((otlp::Signal::Logs, evidence)),
        Some((Shape::OtlpMetrics, evidence)) if !json => Some((otlp::Signal::Metrics, evidence)),
        // The tag of the one field all three have.
        None if payload.first() == Some(&0x0a) => {
            otlp::signal(payload).map(|signal| (signal, "protobuf fields of an OTLP batch"))
        }
        _ => None,
    }
}

fn payload_items<'r>(record: &'r RawRecord<'r>, payload: &[u8], config: &'r Config, out: &mut Out<'r>) -> Result<()> {
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
    if let Some((signal, evidence)) = otlp_signal(payload, setting) {
        let shape = match signal {
            otlp::Signal::Traces => Shape::OtlpTraces,
            otlp::Signal::Logs => Shape::OtlpLogs,
            otlp::Signal::Metrics => Shape::OtlpMetrics,
        };
        out.recognised("", shape.as_str(), evidence);
        return otlp::protobuf(payload, signal, out);
    }
    let text = text_of(payload)?;
    let bare = composed::lines(text.trim_ascii());
    let (head, text) = stream::head_and_body(bare.as_deref().unwrap_or(&text).trim_ascii());
    let envelope = head::of_answer(head);
    let joined = if head.is_empty() { None } else { head::unchunked(head, text) };
    let text = joined.as_deref().map_or(text, str::trim_ascii);
    if head::has_failed(head) && !text.starts_with(['{', '[']) {
        out.recognised("", Shape::Error.as_str(), "a status of HTTP from 400 on");
        out.ignore(IgnoreReason::FailedCall);
        return Ok(());
    }
    let plain = readable(text);
    let text = plain.as_deref().unwrap_or(text);
    if text.is_empty() {
        return Err(Problem::new(RejectReason::Empty, "", "the record holds only white space"));
    }
    // Nearly every record is one object, and how deep it is shows as it is read.
    let object = Json::parse_object_within(text, DEPTH_MAX);
    if object.is_none() && json::deeper_than(text.as_bytes(), DEPTH_MAX) {
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
    if let Some(document) = object {
        stream::items(vec![Ok(document.into())], hint, envelope, 0, out);
        return Ok(());
    }
    if stream::is_table(text) {
        return table::rows(text, hint, out);
    }
    let spread = stream::on_one_line(text);
    let mut printed = None;
    let documents = stream::documents_within(spread.as_deref().unwrap_or(text), &mut printed)?;
    stream::items(documents, hint, envelope, 0, out);
    Ok(())
}

/// What is written down otherwise than as JSON, as the JSON it would be.
pub(crate) fn readable(text: &str) -> Option<String> {
    // Nearly every record, of which the dictionaries of Ruby and Elixir alone could still make something else.
    if text.starts_with("{\"") {
        return printed::json(text).or_else(|| journal::json(text));
    }
    let plain = encoded::plain(text).or_else(|| unquoted::json(text)).or_else(|| printed::json(text));
    if plain.is_some() || text.starts_with('{') {
        return plain;
    }
    // The others begin with words.
    let plain = httprr::json(text).or_else(|| php::json(text)).or_else(|| cassette::json(text));
    let plain = plain.or_else(|| collector::json(text)).or_else(|| access_log::json(text));
    plain.or_else(|| logfmt::json(text)).or_else(|| dump::json(text))
}

fn named(name: &str) -> Result<Shape> {
    name.trim().parse().map_err(|_| {
        let message = "header spend-format names no known format; FORMATS.md lists them";
        Problem::new(RejectReason::UnknownFormat, "spend-format", message)
    })
}

/// CloudEvents in Kafka's binary mode: attributes are `ce_` headers, the value is the data.
fn binary_cloud_event<'a>(record: &'a RawRecord<'a>, text: &'a str, out: &mut Out<'_>) -> Result<()> {
    let header = |name: &str| record.header(name).filter(|value| !value.is_empty() && value.len() <= 512);
    let kind = header("ce_type").ok_or_else(|| Problem::missing("ce_type", "send the event's type"))?;
    let mut envelope = Envelope::default();
    envelope.wrapped = Cow::Borrowed("cloudevents/");
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
    out.items.push(Item::Correction(Box::new(correction)));
    Ok(())
}
