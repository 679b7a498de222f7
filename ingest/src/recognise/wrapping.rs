//! By what an object wraps: an answer beside its request, a line of a batch, a list of records, a row of a house.

use std::cell::LazyCell;

use super::within::{RECORDS_SEEN, is_counted, several, speaks_of_a_call, uncounted};
use super::{Shape, body, captured, recognise, records, refused};
use crate::encoded;
use crate::formats::otlp::printed;
use crate::formats::{bedrock, bedrock_agent, billing, gemini_cli, house, langchain, media, speech};
use crate::json::{Json, Kind, Object};
use crate::number;

/// By what it wraps.
pub(super) fn by_wrapping(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if langchain::repeats(object) {
        return Some((Shape::Fragment, "an event of a runnable that ends no call of a model"));
    }
    if let Some(batch) = object.array("batch") {
        let first = batch.first().and_then(|first| first.object());
        if first.is_some_and(|first| first.has("body") && first.has("type")) {
            return Some((Shape::Langfuse, "batch of type and body"));
        }
    }
    const CONVERSE: [&str; 6] = [
        "messageStart",
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "contentBlockIndex",
    ];
    if let Some(name) = CONVERSE.iter().find(|name| object.has(name)) {
        return Some((Shape::BedrockConverseEvent, *name));
    }
    // Messages of the Vercel AI SDK name the model there.
    if let Some(metadata) = object.object("metadata").filter(|metadata| !metadata.has("model"))
        && metadata.object("usage").is_some_and(|usage| usage.has("inputTokens"))
    {
        return Some((Shape::BedrockConverseEvent, "metadata.usage.inputTokens"));
    }
    if let Some(name) = bedrock_agent::told(object) {
        return Some((Shape::BedrockAgent, name));
    }
    if object.has("recordId") && object.has("modelOutput") {
        return Some((Shape::BedrockBatchLine, "recordId and modelOutput"));
    }
    if is_gemini_batch_line(object) {
        return Some((Shape::GeminiBatchLine, "key or processed_time, and a response with usageMetadata"));
    }
    if is_speech_request(object) {
        return Some((Shape::OpenAiSpeechRequest, "input and voice of a request, and no usage"));
    }
    if object.has("event_type") && object.has("is_finished") {
        return Some((Shape::CohereEvent, "event_type and is_finished"));
    }
    // Looking into what an object holds is looked at once: twice on each level would be endless for what is nested deeply.
    let held = body(object);
    let failed = refused::is_failed_answer(object);
    let headed = bedrock::has_counts(object);
    // What Nova and Cohere embed is only counted there.
    let embeds = |body: Json<'_>| match body.object() {
        // Recorders keep the body as a text, or as the Base64 of one.
        Some(kept) => {
            kept.has("embeddings")
                || uncounted(&kept).is_some()
                || kept.string("string").is_some_and(|text| speaks_of_vectors(&text))
        }
        None => body.string().is_some_and(|text| speaks_of_vectors(&text)),
    };
    let answered = (headed || failed)
        && held.is_some_and(|(_, body)| is_counted(object) || (speaks_of_a_call(body) && !(headed && embeds(body))));
    let kept = LazyCell::new(|| captured(object));
    if headed && !answered && kept.is_none() {
        return Some((Shape::BedrockHeaders, "headers with counts of tokens"));
    }
    if object.has("custom_id") && object.has("method") && object.has("body") {
        return Some((Shape::Status, "a request of a batch"));
    }
    if speech::is_counted_in_headers(object) {
        return Some((Shape::ElevenLabsSpeech, "headers with character-cost"));
    }
    if failed && !answered && (held.is_some() || kept.is_none()) {
        return Some((Shape::Error, "a status of HTTP from 400 on"));
    }
    if let Some((name, _)) = held {
        return Some((Shape::Envelope, name));
    }
    if object.has("usage") && object.has("model") {
        return Some((Shape::Usage, "usage and model"));
    }
    if let Some((name, list)) = records(object)
        && list
            .iter()
            .take(RECORDS_SEEN)
            .filter_map(|record| record.object())
            .any(|record| recognise(&record).is_some())
    {
        return Some((Shape::Records, name));
    }
    if printed::is_flat(object) {
        return Some((Shape::OtelSpan, "counts named by the conventions"));
    }
    // What houses write themselves: the names are OpenAI's, Anthropic's or Bedrock's, beside whatever else they note.
    if let Some(name) = FLAT.iter().find(|name| object.has(name)) {
        if is_summed(object) {
            return Some((Shape::Status, "counts of several requests"));
        }
        return Some((Shape::FlatUsage, *name));
    }
    if object.has("data") && object.has("has_more") && object.has("next_page") {
        return Some((Shape::Status, "a page of a report"));
    }
    if object.has("eventSource") && object.has("eventName") && (object.has("awsRegion") || object.has("eventVersion")) {
        return Some((Shape::Status, "an entry of CloudTrail, which counts nothing"));
    }
    if object.object("protoPayload").is_some_and(|entry| entry.has("methodName") && entry.has("serviceName")) {
        return Some((Shape::Status, "an entry of Google Cloud's audit log, which counts nothing"));
    }
    if let Some(evidence) = billing::told(object) {
        return Some((Shape::Status, evidence));
    }
    if object.has("max_budget") && object.has("event") {
        return Some((Shape::Status, "a gateway's budget event"));
    }
    if object.has("category") && object.has("operationName") && object.has("resourceId") {
        return Some((Shape::Status, "another category of Azure's diagnostic logs"));
    }
    if let Some((name, _)) = *kept {
        return Some((Shape::Envelope, name));
    }
    if several(object).is_some() {
        return Some((Shape::Records, "calls with ids of their own"));
    }
    if house::is_record(object) {
        return Some((Shape::Usage, "a model and counts under names of a house"));
    }
    if object.has("op_name") && object.has("started_at") && object.has("project_id") {
        return Some((Shape::Sum, "a call of Weave that is none of a model"));
    }
    gemini_cli::is_remark(object).then_some((Shape::GeminiCliChat, "id, timestamp, type and content"))
}

/// True for a line of a batch output: Gemini's have a `key` and nothing else around the response, Vertex's say when
/// they were processed.
fn is_gemini_batch_line(object: &Object<'_>) -> bool {
    let gemini = object.has("key")
        && object.iter().all(|(name, _)| matches!(name, "key" | "response" | "error" | "metadata" | "status"));
    let vertex = object.has("processed_time") && object.has("request");
    (gemini || vertex)
        && match object.object("response") {
            Some(response) => response.has("usageMetadata") || response.has("candidates"),
            None => object.object("error").is_some() || vertex,
        }
}

/// True for the text of a body with embeddings.
fn speaks_of_vectors(text: &str) -> bool {
    let plain = encoded::plain(text);
    plain.as_deref().unwrap_or(text).contains("\"embeddings\"")
}

/// True for a captured request for speech whose answer, if it is there, is sound and no usage.
fn is_speech_request(object: &Object<'_>) -> bool {
    let spoken = |request: &Object<'_>| {
        request.has("voice") && request.get("input").is_some_and(|input| input.kind() == Kind::String)
    };
    if spoken(object) {
        return object.has("model");
    }
    let Some(request) = object.object("request") else { return false };
    let counted = || object.get("response").is_some_and(|response| response.text().contains("usage"));
    let posted = || media::posted(&request).and_then(|text| Some(spoken(&Json::parse_object(&text)?.1)));
    (spoken(&request) || request.object("body").is_some_and(|body| spoken(&body)) || posted() == Some(true))
        && !counted()
}

/// True for a row of somebody's report: it says how many requests it sums up, which other records report.
pub(super) fn is_summed(object: &Object<'_>) -> bool {
    const NAMES: [&str; 8] = [
        "requests",
        "n_requests",
        "num_requests",
        "num_model_requests",
        "request_count",
        "requestCount",
        "total_requests",
        "api_requests",
    ];
    let several =
        |count: Json<'_>| count.number().and_then(|count| number::count(count).ok()).is_some_and(|count| count > 1);
    NAMES.iter().any(|name| object.get(name).is_some_and(several))
}

/// Counts that stand in a record itself, one of which makes a record with a model a call.
pub(crate) const FLAT: [&str; 5] = ["prompt_tokens", "input_tokens", "promptTokens", "inputTokens", "tokens_in"];
