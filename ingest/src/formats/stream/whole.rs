//! The body that a stream's frames make together: a later count replaces an earlier one, for counts are cumulative, and a
//! frame without a count changes nothing.

use std::fmt::Write;

use super::frames::Stream;
use crate::formats::openai;
use crate::json::{self, Json, Kind, Object};
use crate::recognise::{Shape, is_failed};
use crate::usage::Counts;

impl<'a> Stream<'a> {
    /// The last chunk with usage is a whole body but for its choices. A chunk alone, without usage, says nothing.
    pub(super) fn chat(&self) -> Option<(Shape, String, bool)> {
        let last = self.frames.iter().rev().find(|frame| chunk_usage(frame).is_some());
        let named = |frame: &&Object<'a>| frame.string("model").is_some_and(|model| !model.is_empty());
        // Models on Bedrock that speak like OpenAI leave counting to its last frame.
        const METRICS: &str = "amazon-bedrock-invocationMetrics";
        let metrics = self.frames.iter().rev().find_map(|frame| frame.get(METRICS));
        if let Some(metrics) = metrics.filter(|_| last.is_none()) {
            let mut text = String::from("{");
            put(&mut text, "model", self.frames.iter().rev().find_map(|frame| frame.get("model")));
            put(&mut text, "id", self.frames.iter().rev().find_map(|frame| frame.get("id")));
            put(&mut text, METRICS, Some(metrics));
            text.push('}');
            return Some((Shape::BedrockInvoke, text, true));
        }
        if last.is_none() && (self.frames.len() == 1 || !self.frames.iter().any(|frame| named(&frame))) {
            return None;
        }
        let mut text = String::from("{\"object\":\"chat.completion\"");
        // Fields that name the provider are kept with those that name the call.
        const NAMES: [&str; 15] = [
            "id",
            "created",
            "model",
            "service_tier",
            "system_fingerprint",
            "provider",
            "prompt_filter_results",
            "search_results",
            "time_info",
            "model_id",
            "model_version",
            "base_resp",
            "copilot_usage",
            "cost",
            METRICS,
        ];
        for name in NAMES {
            // Frames of Azure's content filters have an empty id and model, and were made in 1970.
            let told = |value: &Json<'a>| !matches!(value.text(), "\"\"" | "0");
            put(&mut text, name, self.frames.iter().rev().find_map(|frame| frame.get(name).filter(told)));
        }
        if let Some(frame) = last {
            let groq = frame.object("x_groq").and_then(|groq| groq.get("id"));
            put(&mut text, "x_groq", groq);
            put(&mut text, "usage", chunk_usage(frame));
        }
        // Choices hold contents: only those are kept that say which tools ran, or whom a gateway asked.
        let tools = |choices: &Json<'a>| {
            ["\"executed_tools\"", "\"provider_metadata\""].iter().any(|name| choices.text().contains(name))
        };
        let choices = self.frames.iter().filter_map(|frame| frame.get("choices").filter(tools)?.array()).flatten();
        let choices: Vec<&str> = choices.map(Json::text).collect();
        if !choices.is_empty() {
            put_raw(&mut text, "choices", &format!("[{}]", choices.join(",")));
        }
        text.push('}');
        Some((Shape::OpenAiChat, text, last.is_some()))
    }

    /// The frame with the last usage is the whole but for its choices. One alone may be a whole body.
    pub(super) fn completion(&self) -> Option<(Shape, String, bool)> {
        let counted = self.frames.iter().rev().find(|frame| chunk_usage(frame).is_some());
        let frame = counted.or_else(|| self.frames.last())?;
        let text = overlay([frame].into_iter());
        Some((Shape::OpenAiCompletion, text, counted.is_some() || self.frames.len() == 1))
    }

    /// The final event holds the whole response; without one, the last response seen.
    pub(super) fn response(&self) -> Option<(Shape, String, bool)> {
        let of = |frame: &Object<'a>| frame.get("response").filter(|response| response.object().is_some());
        let last = self.frames.iter().rev().find(|frame| frame.string("type").is_some_and(|kind| is_final(&kind)));
        if let Some(response) = last.and_then(of) {
            let failed = response.object().is_some_and(|response| is_failed(&response, last));
            let shape = if failed { Shape::Error } else { Shape::OpenAiResponse };
            return Some((shape, response.text().to_owned(), true));
        }
        // Perplexity's agents put the response into the event itself (streams that others published, read 2026-12-01).
        if let Some(whole) = last.filter(|last| last.object("usage").is_some() && last.has("id")) {
            let fields = whole.iter().filter(|(name, _)| !matches!(*name, "type" | "object"));
            let mut text = String::from("{\"object\":\"response\"");
            fields.for_each(|(name, value)| put(&mut text, name, Some(value)));
            text.push('}');
            return Some((Shape::OpenAiResponse, text, true));
        }
        if self.frames.len() == 1 {
            return None;
        }
        let begun = self.frames.iter().rev().find_map(of)?;
        Some((Shape::OpenAiResponse, begun.text().to_owned(), false))
    }

    /// The message that was started, its usage overlaid with that of the deltas.
    pub(super) fn anthropic(&self) -> Option<(Shape, String, bool)> {
        let start = self.frames.iter().find_map(|frame| frame.object("message"));
        // Bedrock may tell its cache in the last frame alone (<https://github.com/BerriAI/litellm/pull/36878>, read in a copy 2026-11-30).
        let counts = |frame: &&Object<'a>| frame.is("type", "message_delta") || frame.is("type", "message_stop");
        let deltas = self.frames.iter().filter(counts);
        // Some put it where the first documentation did.
        let usage = |frame: &Object<'a>| frame.object("usage").or_else(|| frame.object("delta")?.object("usage"));
        let deltas: Vec<Object<'a>> = deltas.filter_map(usage).collect();
        if start.is_none() && deltas.is_empty() {
            return None;
        }
        let begun = start.as_ref().and_then(|message| message.object("usage"));
        // A count never shrinks: servers that speak like Anthropic leave zeros where they do not count again.
        let mut usage = overlay_counts(begun.iter().chain(&deltas));
        if let Some(split) = begun.as_ref().and_then(|begun| grown(begun, &deltas)) {
            usage.pop();
            let _ = write!(usage, ",\"cache_creation\":{split}}}");
        }
        let metrics = self.frames.iter().rev().find_map(|frame| frame.object("amazon-bedrock-invocationMetrics"));
        if let Some(metrics) = &metrics {
            cached_as_metered(metrics, begun.iter().chain(&deltas), &mut usage);
        }
        let mut text = String::from("{\"type\":\"message\"");
        for name in ["id", "model"] {
            put(&mut text, name, start.as_ref().and_then(|message| message.get(name)));
        }
        // A request that was refused before anything was put out is not billed.
        let stopped = |frame: &Object<'a>| frame.object("delta")?.get("stop_reason");
        put(&mut text, "stop_reason", self.frames.iter().rev().find_map(stopped));
        put(&mut text, "copilot_usage", self.frames.iter().rev().find_map(|frame| frame.get("copilot_usage")));
        // Bedrock's own counts, in the last frame of its streams, say who served it.
        if metrics.is_some() {
            text.push_str(",\"amazon-bedrock-invocationMetrics\":{}");
        }
        let _ = write!(text, ",\"usage\":{usage}}}");
        Some((Shape::AnthropicMessage, text, !deltas.is_empty()))
    }

    /// Counts of later frames over those of earlier ones; a frame with only a traffic type resets nothing.
    pub(super) fn gemini(&self) -> Option<(Shape, String, bool)> {
        let usage = |frame: &Object<'a>| frame.first(&["usageMetadata", "usage_metadata"])?.1.object();
        let usages: Vec<Object<'a>> = self.frames.iter().filter_map(usage).collect();
        let mut text = String::from("{");
        for names in [RESPONSE_ID, ["modelVersion", "model_version"], ["createTime", "create_time"]] {
            put(&mut text, names[0], self.frames.iter().rev().find_map(|frame| Some(frame.first(&names)?.1)));
        }
        let candidates = |frame: &Object<'a>| frame.get("candidates");
        let grounded = |value: &Json<'a>| {
            ["\"webSearchQueries\"", "\"web_search_queries\"", "\"maps\""]
                .iter()
                .any(|name| value.text().contains(name))
        };
        put(&mut text, "candidates", self.frames.iter().rev().filter_map(candidates).find(grounded));
        if !usages.is_empty() {
            put_raw(&mut text, "usageMetadata", &overlay(usages.iter()));
        }
        text.push('}');
        Some((Shape::Gemini, text, self.frames.iter().any(is_finished)))
    }

    /// The first event names the interaction and its model, the last one has the usage.
    pub(super) fn interaction(&self) -> Option<(Shape, String, bool)> {
        let told: Vec<Object<'a>> = self.frames.iter().filter_map(|frame| frame.object("interaction")).collect();
        if told.is_empty() {
            return None;
        }
        let counted = told.iter().any(|interaction| interaction.get("usage").is_some());
        Some((Shape::GeminiInteraction, overlay(told.iter()), counted))
    }

    /// The first event names the conversation, pieces of what was said the model, and the last one has the usage.
    pub(super) fn conversation(&self) -> Option<(Shape, String, bool)> {
        let done = self.frames.iter().rev().find(|frame| frame.is("type", "conversation.response.done"));
        let mut text = String::from("{\"object\":\"conversation.response\"");
        put(&mut text, "conversation_id", self.frames.iter().find_map(|frame| frame.get("conversation_id")));
        put(&mut text, "created_at", self.frames.iter().find_map(|frame| frame.get("created_at")));
        put(&mut text, "model", self.frames.iter().find_map(|frame| frame.get("model")));
        put(&mut text, "usage", done.and_then(|done| done.get("usage")));
        text.push('}');
        (done.is_some() || self.frames.len() > 1).then_some((Shape::OpenAiChat, text, done.is_some()))
    }

    /// The first event has the id, the last one the billed units. The last event of the first API holds the whole.
    pub(super) fn cohere(&self) -> Option<(Shape, String, bool)> {
        if let Some(whole) = self.frames.iter().rev().find_map(|frame| frame.get("response")) {
            return Some((Shape::Cohere, whole.text().to_owned(), true));
        }
        let deltas = self.frames.iter().filter_map(|frame| frame.object("delta"));
        let usage = deltas.filter_map(|delta| delta.get("usage")).next_back()?;
        let mut text = String::from("{");
        put(&mut text, "id", self.frames.iter().find_map(|frame| frame.get("id")));
        put(&mut text, "usage", Some(usage));
        text.push('}');
        Some((Shape::Cohere, text, true))
    }

    /// The last frame has the whole text, and the details where they were asked for.
    pub(super) fn tgi(&self) -> Option<(Shape, String, bool)> {
        let details = self.frames.iter().rev().find_map(|frame| frame.get("details"));
        if details.is_none() && self.frames.len() == 1 {
            return None;
        }
        let mut text = String::from("{");
        put(&mut text, "details", details);
        text.push('}');
        Some((Shape::Tgi, text, self.frames.iter().any(|frame| frame.get("generated_text").is_some())))
    }

    /// The last frame that counts has the counts of the whole.
    pub(super) fn workers_ai(&self) -> Option<(Shape, String, bool)> {
        let usage = self.frames.iter().rev().find_map(|frame| frame.get("usage"));
        if usage.is_none() && self.frames.len() == 1 {
            return None;
        }
        let mut text = String::from("{");
        put(&mut text, "usage", usage);
        text.push('}');
        Some((Shape::WorkersAi, text, usage.is_some()))
    }

    /// The metadata event holds the usage.
    pub(super) fn converse(&self) -> Option<(Shape, String, bool)> {
        let metadata = self.frames.iter().rev().find_map(|frame| frame.object("metadata"))?;
        let mut text = String::from("{\"output\":{}");
        for name in ["usage", "serviceTier", "performanceConfig"] {
            put(&mut text, name, metadata.get(name));
        }
        text.push('}');
        Some((Shape::BedrockConverse, text, true))
    }
}

/// Lifetimes of cache writes, where more was written than the start of a message says: its tools ran on the server, and each
/// turn of theirs writes again. Only the sum is stated then; the lifetime is the one that was asked for.
fn grown(begun: &Object<'_>, deltas: &[Object<'_>]) -> Option<String> {
    let split = begun.object("cache_creation").filter(|_| deltas.iter().all(|delta| !delta.has("cache_creation")))?;
    let count = |object: &Object<'_>, name: &str| Counts::new(object, "").count(name).ok().flatten();
    let written = deltas.iter().rev().find_map(|delta| count(delta, "cache_creation_input_tokens"))?;
    let (short, long) = (count(&split, "ephemeral_5m_input_tokens")?, count(&split, "ephemeral_1h_input_tokens")?);
    let more = written - short - long;
    if more <= 0 || short + long == 0 {
        return None;
    }
    let (short, long) = if short == 0 { (0, long + more) } else { (short + more, long) };
    Some(format!("{{\"ephemeral_5m_input_tokens\":{short},\"ephemeral_1h_input_tokens\":{long}}}"))
}

/// What Bedrock's own counts say of the cache, where the usage of its frames says nothing.
fn cached_as_metered<'o, 'a: 'o>(
    metrics: &Object<'a>,
    stated: impl Iterator<Item = &'o Object<'a>> + Clone,
    usage: &mut String,
) {
    const NAMES: [(&str, &str); 2] = [
        ("cacheReadInputTokenCount", "cache_read_input_tokens"),
        ("cacheWriteInputTokenCount", "cache_creation_input_tokens"),
    ];
    for (metered, name) in NAMES {
        let count = metrics.get(metered).filter(|count| count.text() != "0" && !count.is_null());
        if let Some(count) = count.filter(|_| usage.len() > 2 && !stated.clone().any(|usage| usage.has(name))) {
            usage.pop();
            let _ = write!(usage, ",\"{name}\":{}}}", count.text());
        }
    }
}

/// The usage of a chunk, where servers put it: at the top, within Groq's own field, or (Moonshot) within the choice.
fn chunk_usage<'a>(frame: &Object<'a>) -> Option<Json<'a>> {
    let within = |object: Object<'a>| object.get("usage");
    let found = openai::stated(frame).or_else(|| {
        // Choices hold contents: they are only opened where one of them may hold usage.
        let choices = frame.get("choices").filter(|choices| choices.text().contains("\"usage\""))?;
        choices.array()?.into_iter().filter_map(Json::object).find_map(within)
    });
    // Snowflake writes an empty object into the chunks without counts, SGLang details alone.
    let counts = |usage: Object<'a>| usage.iter().any(|(_, value)| matches!(value.kind(), Kind::Number | Kind::String));
    found.filter(|usage| usage.object().is_some_and(counts))
}

/// Names of the id of a Gemini response. SDKs of Python write snake case.
pub(super) const RESPONSE_ID: [&str; 2] = ["responseId", "response_id"];

/// True for a Gemini frame that says why the answer ended. SDKs write a null into all the others.
pub(super) fn is_finished(frame: &Object<'_>) -> bool {
    let Some(candidates) = frame.get("candidates") else { return false };
    ["\"finishReason\"", "\"finish_reason\""].iter().any(|name| {
        candidates.text().match_indices(name).any(|(at, _)| {
            let value = candidates.text()[at + name.len()..].trim_ascii_start();
            value.strip_prefix(':').is_some_and(|value| !value.trim_ascii_start().starts_with("null"))
        })
    })
}

/// Events of the Responses API (and of Realtime) after which nothing follows.
pub(super) fn is_final(kind: &str) -> bool {
    matches!(kind, "response.completed" | "response.incomplete" | "response.failed" | "response.done")
}

fn put(text: &mut String, name: &str, value: Option<Json<'_>>) {
    if let Some(value) = value {
        put_raw(text, name, value.text());
    }
}

fn put_raw(text: &mut String, name: &str, value: &str) {
    if text.len() > 1 {
        text.push(',');
    }
    let _ = write!(text, "\"{name}\":{value}");
}

/// One object with every field's last value.
pub(in crate::formats) fn overlay<'o, 'a: 'o>(objects: impl Iterator<Item = &'o Object<'a>>) -> String {
    laid_over(objects, |_| true)
}

/// As [`overlay`], but a zero replaces nothing.
pub(in crate::formats) fn overlay_counts<'o, 'a: 'o>(objects: impl Iterator<Item = &'o Object<'a>>) -> String {
    laid_over(objects, |value| value.text() != "0")
}

fn laid_over<'o, 'a: 'o>(objects: impl Iterator<Item = &'o Object<'a>>, replaces: impl Fn(Json<'a>) -> bool) -> String {
    let mut fields: Vec<(&str, Json<'a>)> = Vec::new();
    for object in objects {
        for (name, value) in object.iter().filter(|(_, value)| !value.is_null()) {
            match fields.iter_mut().find(|(known, _)| *known == name) {
                Some(field) if replaces(value) => field.1 = value,
                Some(_) => {}
                None => fields.push((name, value)),
            }
        }
    }
    let mut text = String::from("{");
    for (name, value) in fields {
        if text.len() > 1 {
            text.push(',');
        }
        json::quote(&mut text, name);
        text.push(':');
        text.push_str(value.text());
    }
    text.push('}');
    text
}
