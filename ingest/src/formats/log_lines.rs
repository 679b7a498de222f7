//! Lines that a log store gives back or is sent: Loki's streams and CloudWatch's query results. A line that is JSON is read like any
//! record; others are what programs print.
//!
//! <https://grafana.com/docs/loki/latest/reference/loki-http-api/>,
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetQueryResults.html>, not opened (2026-11-29).

use std::borrow::Cow;

use schemas::RejectReason;

use crate::assemble::Out;
use crate::envelope::Envelope;
use crate::formats::{self, otlp::exported, stream::logged};
use crate::item::IgnoreReason;
use crate::json::{Json, Object, deeper_than};
use crate::logfmt;
use crate::printed;
use crate::problem::{Problem, Result};
use crate::recognise;

/// Longest labels that a call is looked for in: those of a stream are read anew with each of its lines, of which a record has thousands.
const LABELS_BYTES_MAX: usize = 16 * 1024;

/// True for streams of lines, and for rows of a query that hold a message.
pub(crate) fn is_answer(object: &Object<'_>) -> bool {
    streams(object).is_some() || rows(object).is_some()
}

/// Loki's streams: as they are pushed, and as a query answers.
fn streams<'a>(object: &Object<'a>) -> Option<Vec<Json<'a>>> {
    let list = object.array("streams").or_else(|| object.object("data")?.array("result"))?;
    let first = list.first()?.object()?;
    (first.has("stream") && first.has("values")).then_some(list)
}

/// CloudWatch's rows: fields with their values.
fn rows<'a>(object: &Object<'a>) -> Option<Vec<Json<'a>>> {
    let list = object.array("results").filter(|_| object.has("statistics") || object.has("status"))?;
    let first = list.first()?.array()?.first()?.object()?;
    (first.has("field") && first.has("value")).then_some(list)
}

pub(crate) fn read<'a>(object: &Object<'a>, envelope: &Envelope<'a>, wrappers: u8, out: &mut Out<'_>) -> Result<()> {
    for stream in streams(object).unwrap_or_default().into_iter().filter_map(Json::object) {
        let mut envelope = envelope.clone();
        if let Some(labels) = stream.object("stream") {
            envelope.add_labels(&labels, out.config);
        }
        for value in stream.array("values").unwrap_or_default().into_iter().filter_map(Json::array) {
            out.room("values")?;
            let mut own = envelope.clone();
            own.time = value.first().and_then(|time| crate::number::time_text(&time.string()?));
            // What a log record of OTLP had as attributes, a query answers among the labels.
            let labels = [value.get(2).copied(), stream.get("stream")].into_iter().flatten();
            let labels = labels.map(Json::text).filter(|labels| labels.len() <= LABELS_BYTES_MAX);
            let mut records = labels.filter(|labels| labels.contains("\"event_name\""));
            if let Some(record) = records.next().map(|labels| format!("{{\"attributes\":{labels}}}"))
                && let Ok(record) = Json::parse(&record)
                && record.object().is_some_and(|record| exported::is_entry(&record))
            {
                formats::item(record, None, own.shorter(), wrappers + 1, out);
                continue;
            }
            line(value.get(1).and_then(|line| line.string()), own, wrappers, out);
        }
    }
    for row in rows(object).unwrap_or_default().into_iter().filter_map(Json::array) {
        out.room("results")?;
        let fields = || row.iter().filter_map(|field| field.object());
        let named = |name: &str| fields().find(|field| field.is("field", name)).and_then(|field| field.string("value"));
        let mut own = envelope.clone();
        own.time = named("@timestamp").and_then(|time| crate::number::time_text(&time));
        line(named("@message"), own, wrappers, out);
    }
    Ok(())
}

fn line(text: Option<Cow<'_, str>>, envelope: Envelope<'_>, wrappers: u8, out: &mut Out<'_>) {
    let text = text.unwrap_or_default();
    if deeper_than(text.as_bytes(), crate::DEPTH_MAX) {
        return out.reject(Problem::new(RejectReason::TooLarge, "line", "the line nests too deeply"), None);
    }
    let text = as_json(&text).map_or(text, Cow::Owned);
    match entry(&text) {
        Some(entry) => formats::item(entry, None, envelope.shorter(), wrappers + 1, out),
        None => out.ignore(IgnoreReason::NotAModelCall),
    }
}

/// The object that a line is, or ends with.
fn entry(text: &str) -> Option<Json<'_>> {
    Json::parse(text).ok().or_else(|| logged(text)).filter(|entry| entry.object().is_some())
}

/// A line that is written otherwise than as JSON, as the JSON it would be.
fn as_json(text: &str) -> Option<String> {
    let pairs = if text.starts_with('{') { None } else { logfmt::json(text) };
    pairs.or_else(|| if logged(text).is_none() { printed::within(text) } else { None })
}

/// False for what says nothing of what a call used, as nearly all that programs print.
pub(crate) fn may_be_of_a_call(text: &[u8]) -> bool {
    ["oken", "sage"].iter().any(|word| memchr::memmem::find(text, word.as_bytes()).is_some())
}

/// Reads a line that speaks of a call, or only one that is an answer; `false`, and nothing is read, where it does not.
pub(crate) fn call(text: &str, answers_only: bool, envelope: &Envelope<'_>, out: &mut Out<'_>) -> bool {
    if deeper_than(text.as_bytes(), crate::DEPTH_MAX) {
        return false;
    }
    let plain = as_json(text);
    let text = plain.as_deref().unwrap_or(text);
    let answers = |line: Json<'_>| {
        line.object().and_then(|line| recognise::recognise(&line)).is_some_and(|(shape, _)| recognise::is_call(shape))
    };
    let told = |line: Json<'_>| if answers_only { answers(line) } else { recognise::speaks_of_a_call(line) };
    let Some(entry) = entry(text).filter(|entry| told(*entry)) else { return false };
    formats::item(entry, None, envelope.shorter(), 1, out);
    true
}
