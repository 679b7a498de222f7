//! What an object is, by the fields that only that format has. Rules are tried in order; each names its evidence, and a
//! test proves that no example of one format satisfies the rule of another that stands before it.

use crate::formats::otlp::{exported, printed};
use crate::formats::{bifrost, langchain, log_lines, notebook, rows};
use crate::json::Object;

mod asked;
mod export;
mod marker;
mod plain;
mod refused;
mod remarks;
mod resources;
mod shape;
mod usage;
mod within;
mod wrapping;

use export::by_export;
use marker::by_marker;
pub(crate) use marker::is_failed;
use refused::State;
pub use shape::Shape;
use usage::by_usage;
pub(crate) use within::{body, captured, is_call, records, several, speaks_of_a_call};
pub(crate) use wrapping::FLAT;
use wrapping::by_wrapping;

/// What an object is and the evidence for it; `None` when it is nothing known.
pub(crate) fn recognise(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    let level = LEVEL.get();
    if level >= LEVELS_MAX {
        return None;
    }
    LEVEL.set(level + 1);
    let found = told(object);
    LEVEL.set(level);
    found
}

/// Most levels that are looked into to tell what the outermost is. Several rules look at what lies within, and each looks again from
/// every level, so without a bound the looks would double with each.
const LEVELS_MAX: u8 = 7;

thread_local! {
    /// How deep the look that is being taken is. It is nothing but the depth of the calls: it begins and ends at zero.
    static LEVEL: std::cell::Cell<u8> = const { std::cell::Cell::new(0) };
}

fn told(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    // The commonest envelopes have nothing that any other rule looks for.
    if plain::is_envelope(object) {
        return Some((Shape::Envelope, "response"));
    }
    by_evidence(object)
}

/// By the rules, one after the other.
fn by_evidence(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if object.has("base_resp") && refused::is_error(object) {
        return Some((Shape::Error, "base_resp.status_code"));
    }
    // The commonest bodies say what they are; Bifrost's log says it of what it logged.
    if object.has("object") && bifrost::is_entry(object) {
        return Some((Shape::Bifrost, "provider, status and token_usage"));
    }
    if object.has("object")
        && let Some(found) = by_marker(object)
    {
        return Some(found);
    }
    if object.has("specversion") && object.has("type") {
        return Some((Shape::CloudEvent, "specversion and type"));
    }
    for (names, shape) in [
        (["resourceSpans", "resource_spans"], Shape::OtlpTraces),
        (["scopeSpans", "instrumentationLibrarySpans"], Shape::OtlpTraces),
        (["resourceLogs", "resource_logs"], Shape::OtlpLogs),
        (["scopeLogs", "instrumentationLibraryLogs"], Shape::OtlpLogs),
        (["resourceMetrics", "resource_metrics"], Shape::OtlpMetrics),
    ] {
        if let Some((name, _)) = object.first(&names) {
            return Some((shape, name));
        }
    }
    if printed::is_span(object) {
        return Some((Shape::OtelSpan, "attributes, and a context with ids"));
    }
    if notebook::is_notebook(object) {
        return Some((Shape::Notebook, "nbformat and cells"));
    }
    let known = by_marker(object).or_else(|| by_export(object)).or_else(|| by_usage(object));
    let recorded = || {
        let state = refused::is_recorded_state(object);
        state.then_some((Shape::Status, "a recorded answer that is no call"))
    };
    known.or_else(|| by_store(object)).or_else(recorded).or_else(|| by_wrapping(object)).or_else(|| by_failure(object))
}

/// What says that nothing came of a call, or nothing yet.
fn by_failure(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if refused::is_error(object) {
        return Some((Shape::Error, "what is wrong, and nothing of a call"));
    }
    if langchain::is_fragment(object) {
        return Some((Shape::Fragment, "a piece of a message"));
    }
    if let Some(evidence) = remarks::evidence(object) {
        return Some((Shape::Fragment, evidence));
    }
    if object.is("op", "d") && object.has("before") {
        return Some((Shape::Status, "a row that was deleted"));
    }
    match refused::state(object) {
        Some(State::Running) => Some((Shape::Status, "the state of a job that still runs")),
        Some(State::Failed) => Some((Shape::Error, "the state of a job that failed")),
        None if resources::is_listed(object) => Some((Shape::Status, "a resource, or a list of them")),
        None => None,
    }
}

/// What a row of a page or of a log is, told by itself alone: a look at what lies within each would be taken once more on every level.
fn row(object: &Object<'_>) -> Option<Shape> {
    by_marker(object).or_else(|| by_export(object)).map(|(shape, _)| shape)
}

/// By what stores and consoles make of spans and log records.
fn by_store(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if rows::is_answer(object) {
        return Some((Shape::Rows, "columns, and rows of their values"));
    }
    if log_lines::is_answer(object) {
        return Some((Shape::LogLines, "streams or rows of lines"));
    }
    if exported::is_entry(object) {
        return Some((Shape::StoredSpan, "ids of a trace, and attributes"));
    }
    if exported::is_trace(object) {
        return Some((Shape::StoredTrace, "spans with ids of a trace, and attributes"));
    }
    let batches = object.first_of("batches");
    let tempo = batches.is_some_and(|batch| batch.has("scopeSpans") || batch.has("instrumentationLibrarySpans"));
    tempo.then_some((Shape::OtlpTraces, "batches of spans"))
}
