//! Spans that are no OTLP: as the SDK for Python prints them (`ConsoleSpanExporter`, and what test exporters keep), and flat records
//! whose fields are named by the conventions, as access logs of Envoy's AI gateway are
//! (<https://opentelemetry-python.readthedocs.io/en/latest/sdk/trace.export.html>, not opened; spans and logs that others published,
//! read 2026-11-29).

use std::borrow::Cow;

use super::batch::{Attributes, Batch, Entry, Signal};
use super::read;
use crate::assemble::Out;
use crate::envelope::{Envelope, time};
use crate::json::{Json, Kind, Object};

/// True for a span with its identity in `context`.
pub(crate) fn is_span(object: &Object<'_>) -> bool {
    object.object("attributes").is_some()
        && object.has("name")
        && object.object("context").is_some_and(|context| context.has("trace_id") && context.has("span_id"))
}

/// True for a record that states counts under the names of the conventions.
pub(crate) fn is_flat(object: &Object<'_>) -> bool {
    const COUNTS: [&str; 4] = [
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "gen_ai.usage.output_tokens",
    ];
    COUNTS.iter().any(|name| object.get(name).is_some())
}

pub(crate) fn span<'a>(json: Json<'a>, object: &Object<'a>, envelope: &Envelope<'a>, out: &mut Out<'_>) {
    let context = object.object("context");
    let inner = object.object("attributes").filter(|_| context.is_some());
    let mut batch = Batch::default();
    if let Some(resource) = object.object("resource") {
        batch.resources.push(attributes(&resource.object("attributes").unwrap_or(resource)));
    }
    let about = context.as_ref().unwrap_or(object);
    let start = ["start_time", "time", "timestamp", "ts"].iter().find_map(|name| time(object, name).ok().flatten());
    let parent = object.get("parent_id").or_else(|| object.object("parent")?.get("span_id"));
    let entry = Entry {
        name: object.string("name").unwrap_or_default(),
        trace_id: about.get("trace_id").and_then(|id| hexadecimal(id, 32)),
        span_id: about.get("span_id").and_then(|id| hexadecimal(id, 16)),
        parent_id: parent.and_then(|id| hexadecimal(id, 16)),
        time: start,
        attributes: attributes(inner.as_ref().unwrap_or(object)),
        json: Some(json),
        ..Entry::default()
    };
    batch.push(Ok(entry), 1);
    read(batch, Signal::Traces, Some(envelope), out);
}

fn attributes<'a>(object: &Object<'a>) -> Attributes<'a> {
    let mut found = Attributes::default();
    for (name, value) in object.fields() {
        if let Some(value) = super::text::plain_value(value) {
            found.push(name, value);
        }
    }
    found
}

/// An id as hexadecimal digits, whether it is printed so or as a number.
fn hexadecimal<'a>(id: Json<'a>, digits: usize) -> Option<Cow<'a, str>> {
    match id.kind() {
        Kind::Number => id.text().parse::<u128>().ok().map(|id| Cow::Owned(format!("{id:0digits$x}"))),
        _ => id.string().map(|text| match text.strip_prefix("0x") {
            Some(text) => Cow::Owned(text.to_owned()),
            None => text,
        }),
    }
    .filter(|id| !id.is_empty() && id.len() <= 64)
}
