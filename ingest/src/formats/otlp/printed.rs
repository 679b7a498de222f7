//! Spans that are no OTLP: as the SDK for Python prints them (`ConsoleSpanExporter`, and what test exporters keep), and flat records
//! whose fields are named by the conventions, as access logs of Envoy's AI gateway are
//! (<https://opentelemetry-python.readthedocs.io/en/latest/sdk/trace.export.html>, not opened; spans and logs that others published,
//! read 2026-11-29).

use std::borrow::Cow;

use super::batch::{Attributes, Batch, Entry, Id, Signal, Value};
use super::names::{lined, names};
use super::{exported, read, text};
use crate::assemble::Out;
use crate::envelope::{Envelope, time};
use crate::json::{Json, Kind, Object};

/// Identities of a flat record: the SDK's, Honeycomb's and Dynatrace's, and the columns of Phoenix.
const TRACE: [&str; 5] = ["trace_id", "trace.trace_id", "trace.id", "context.trace_id", "traceId"];
const SPAN: [&str; 5] = ["span_id", "trace.span_id", "span.id", "context.span_id", "spanId"];

/// What OpenInference calls the kinds of spans. Phoenix keeps them in a column of its own, under a name that others use for the kinds
/// of OpenTelemetry.
const KINDS: [&str; 11] = [
    "AGENT",
    "CHAIN",
    "LLM",
    "TOOL",
    "RETRIEVER",
    "EMBEDDING",
    "RERANKER",
    "GUARDRAIL",
    "EVALUATOR",
    "PROMPT",
    "UNKNOWN",
];

/// True for a span with its identity in `context`, as the SDK for Python prints it, or as the one for JavaScript keeps it.
pub(crate) fn is_span(object: &Object<'_>) -> bool {
    let identified = |context: Object<'_>| context.first(&TRACE).is_some() && context.first(&SPAN).is_some();
    object.object("attributes").is_some() && object.has("name") && context(object).is_some_and(identified)
}

fn context<'a>(object: &Object<'a>) -> Option<Object<'a>> {
    object.object("context").or_else(|| object.object("_spanContext"))
}

/// True for a record that states counts under the names of the conventions.
pub(crate) fn is_flat(object: &Object<'_>) -> bool {
    const COUNTS: [&str; 6] = [
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "gen_ai.usage.output_tokens",
        // Stores whose names have no dots: Loki's, columns of tables.
        "gen_ai_usage_input_tokens",
        "gen_ai_usage_output_tokens",
    ];
    let stated = |name: &str| object.get(name).is_some();
    const COLUMNS: [&str; 3] = [
        "attributes.llm.token_count.prompt",
        "attributes.gen_ai.usage.input_tokens",
        "attributes.gen_ai.usage.output_tokens",
    ];
    // Elasticsearch keeps names with dots as objects within one another.
    let within = || object.object("gen_ai")?.object("usage");
    COUNTS.iter().chain(&COLUMNS).any(|name| stated(name))
        || within().is_some_and(|usage| usage.has("input_tokens") || usage.has("output_tokens"))
}

/// An id that Elasticsearch keeps in an object of its own.
fn of_a_document<'a>(object: &Object<'a>, name: &str) -> Option<Json<'a>> {
    object.object(name)?.get("id")
}

pub(crate) fn span<'a>(json: Json<'a>, object: &Object<'a>, envelope: &Envelope<'a>, out: &mut Out<'_>) {
    let context = context(object);
    let inner = object.object("attributes").filter(|_| context.is_some());
    let mut batch = Batch::default();
    if let Some(resource) = object.object("resource") {
        batch.resources.push(exported::of_resource(&resource));
    }
    let about = context.as_ref().unwrap_or(object);
    let start = ["start_time", "time", "timestamp", "ts", "Timestamp", "@timestamp", "_time"]
        .iter()
        .find_map(|name| time(object, name).ok().flatten());
    let start = start.or_else(|| text::halves(object.get("startTime")?));
    let parent = object.get("parent_id").or_else(|| object.object("parent")?.get("span_id"));
    let parent =
        parent.or_else(|| object.object("parentSpanContext")?.get("spanId")).or_else(|| object.get("parentSpanId"));
    let mut attributes = attributes(inner.as_ref().unwrap_or(object));
    let told = attributes.has(names!["openinference.span.kind"]);
    if let Some(kind) = object.string("span_kind").filter(|kind| !told && KINDS.contains(&&**kind)) {
        attributes.push(Cow::Borrowed("openinference.span.kind"), Value::Text(kind));
    }
    let entry = Entry {
        name: object.first(&["name", "span.name"]).and_then(|(_, name)| name.string()).unwrap_or_default(),
        trace_id: (about.first(&TRACE).map(|(_, id)| id).or_else(|| of_a_document(about, "trace")))
            .and_then(|id| hexadecimal(id, 32)),
        span_id: (about.first(&SPAN).map(|(_, id)| id).or_else(|| of_a_document(about, "span")))
            .and_then(|id| hexadecimal(id, 16)),
        parent_id: parent.and_then(|id| hexadecimal(id, 16)),
        time: start,
        attributes,
        json: Some(json),
        ..Entry::default()
    };
    batch.push(Ok(entry), 1);
    read(batch, Signal::Traces, Some(envelope), out);
}

/// Attributes as they are, those of objects within one another joined by dots; tables put `attributes.` before each.
fn attributes<'a>(object: &Object<'a>) -> Attributes<'a> {
    let mut found = Attributes::default();
    exported::fill(&mut found, "", object, 0);
    let named_otherwise = |name: &str| name.starts_with(COLUMN) || name.starts_with("gen_ai_");
    if object.iter().any(|(name, _)| named_otherwise(name)) {
        let columns: Vec<_> = found.iter().map(|(name, value)| (name.to_owned(), value.to_owned_value())).collect();
        found = Attributes::default();
        for (name, value) in columns {
            let plain = name.strip_prefix(COLUMN).unwrap_or(&name);
            let name = lined(plain).map_or_else(|| Cow::Owned(plain.to_owned()), Cow::Borrowed);
            found.push(name, value);
        }
    }
    found
}

const COLUMN: &str = "attributes.";

/// An id as hexadecimal digits, whether it is printed so or as a number.
fn hexadecimal<'a>(id: Json<'a>, digits: usize) -> Option<Id<'a>> {
    let digits = match id.kind() {
        Kind::Number => id.text().parse::<u128>().ok().map(|id| Cow::Owned(format!("{id:0digits$x}"))),
        _ => id.string().map(|text| match text.strip_prefix("0x") {
            Some(text) => Cow::Owned(text.to_owned()),
            None => text,
        }),
    };
    digits.filter(|id| !id.is_empty() && id.len() <= 64).map(Id::Digits)
}
