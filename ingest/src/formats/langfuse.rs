//! Langfuse: its ingestion API, what its API gives back, and what it exports.

use std::borrow::Cow;
use std::collections::HashMap;

use schemas::{Flag, Meter, ReportedCost, Text};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, precedence};
use crate::envelope::{self, Envelope};
use crate::formats::{gemini, openai};
use crate::item::IgnoreReason;
use crate::json::{Json, Kind, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, rest};

/// Langfuse's ingestion API: a batch of events, or one of them. Only generations are model calls. An update carries
/// what changed, so one that brings usage amends the generation it names.
/// <https://api.reference.langfuse.com/#tag/ingestion>, checked 2026-11-22.
pub(crate) fn langfuse<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let events = match object.get("batch") {
        Some(batch) => batch.array().ok_or_else(|| Problem::wrong_type("batch", batch, "an array"))?,
        None => vec![json],
    };
    // Merged events live only as long as this batch is read.
    let (merged, outer) = (merge(&events), envelope.shorter());
    let traces: HashMap<String, Object<'_>> = events.iter().filter_map(|event| trace(*event)).collect();
    for (index, event) in events.into_iter().enumerate() {
        let event = match merged.get(index) {
            Some(Merged::Into) => {
                // What it says is in a later event of the same generation.
                out.ignore(IgnoreReason::StreamFragment);
                continue;
            }
            Some(Merged::Whole(text)) => match Json::parse(text) {
                Ok(whole) => whole,
                Err(_) => event,
            },
            _ => event,
        };
        if let Err(problem) = out.room("batch") {
            out.reject(problem, None);
            break;
        }
        let mut own = outer.clone();
        if let Some(trace) = trace_of(event).and_then(|id| traces.get(&id)) {
            of_trace(trace, &mut own, out);
        }
        if let Err(problem) = langfuse_event(event, own, out) {
            out.reject(problem, Some(event));
        }
    }
    Ok(())
}

/// What became of an event that shares its generation with others of the batch.
enum Merged {
    /// It stands alone.
    Alone,
    /// A later event holds what it said.
    Into,
    /// The last event, with everything the earlier ones said.
    Whole(String),
}

/// Puts the partial events of each generation together: a later field replaces an earlier one, as Langfuse does.
fn merge(events: &[Json<'_>]) -> Vec<Merged> {
    let opened: Vec<Option<(String, bool, Object<'_>)>> = events.iter().map(|event| generation(*event)).collect();
    let mut merged: Vec<Merged> = events.iter().map(|_| Merged::Alone).collect();
    for (index, event) in opened.iter().enumerate() {
        let Some((id, ..)) = event else { continue };
        let same = |other: &&Option<(String, bool, Object<'_>)>| other.as_ref().is_some_and(|(found, ..)| found == id);
        if opened[index + 1..].iter().any(|other| same(&other)) {
            merged[index] = Merged::Into;
            continue;
        }
        let parts: Vec<_> = opened[..=index].iter().filter(same).flatten().collect();
        if parts.len() > 1 {
            let body = super::stream::overlay(parts.iter().map(|(_, _, body)| body));
            let kind = if parts.iter().any(|(_, created, _)| *created) { "create" } else { "update" };
            merged[index] = Merged::Whole(format!("{{\"type\":\"generation-{kind}\",\"body\":{body}}}"));
        }
    }
    merged
}

/// Id of a generation, whether the event creates it, and its body.
fn generation<'a>(event: Json<'a>) -> Option<(String, bool, Object<'a>)> {
    let event = event.object()?;
    let kind = event.string("type").filter(|kind| kind.starts_with("generation-"))?;
    let body = event.object("body")?;
    Some((body.string("id")?.into_owned(), kind == "generation-create", body))
}

/// Id and body of a trace, of the event that creates it: it says whose the generations of it are.
fn trace<'a>(event: Json<'a>) -> Option<(String, Object<'a>)> {
    let event = event.object()?;
    let body = event.object("body").filter(|_| event.is("type", "trace-create"))?;
    Some((body.string("id")?.into_owned(), body))
}

/// Id of the trace that an observation is of.
fn trace_of(event: Json<'_>) -> Option<String> {
    Some(event.object()?.object("body")?.string("traceId")?.into_owned())
}

/// Who and what a trace belongs to, and so its observations.
pub(super) fn of_trace(trace: &Object<'_>, envelope: &mut Envelope<'_>, out: &Out<'_>) {
    let text = |name: &str| envelope::owned(trace, name).unwrap_or(None);
    if let Some(user) = text("userId").or_else(|| text("user_id")) {
        envelope.claim_user(&user, out.config);
    }
    envelope.claimed.session = text("sessionId").or_else(|| text("session_id"));
    envelope.claimed.environment = text("environment");
    if let Some(metadata) = trace.object("metadata") {
        envelope.claimed.team = envelope::owned(&metadata, "team").unwrap_or(None);
    }
    for tag in trace.array("tags").unwrap_or_default().into_iter().filter_map(Json::string) {
        let (key, value) = tag.split_once(':').unwrap_or((&tag, "true"));
        envelope.add_label(key, value, true, out.config);
    }
}

/// The first of some names; exports to storage spell them with `_`.
fn either<'a>(body: &Object<'a>, names: &[&'static str]) -> Result<Option<Cow<'a, str>>> {
    match body.first(names) {
        Some((name, _)) => envelope::text(body, name),
        None => Ok(None),
    }
}

/// What stands under a name as an object, or as the text of one.
fn nested(body: &Object<'_>, names: &[&'static str]) -> Option<String> {
    let (_, value) = body.first(names)?;
    match value.kind() {
        Kind::Object => Some(value.text().to_owned()),
        Kind::String => value.string().map(Cow::into_owned).filter(|text| text.starts_with('{')),
        _ => None,
    }
}

fn opened(text: &Option<String>) -> Option<Object<'_>> {
    Json::parse_object(text.as_deref()?).map(|(_, object)| object)
}

fn langfuse_event<'a>(json: Json<'a>, mut envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    const USAGE: [&str; 3] = ["usageDetails", "usage_details", "usage"];
    let event = json.object().ok_or_else(|| Problem::wrong_type("batch", json, "objects"))?;
    let kind = event.string("type").unwrap_or_default();
    // Its API gives observations back without an event around them.
    let given_back = (event.has("traceId") || event.has("trace_id")) && !event.has("body");
    let body = match given_back {
        true => event.clone(),
        false => event.object("body").ok_or_else(|| Problem::missing("body", "every ingestion event has one"))?,
    };
    let embedding = kind.starts_with("embedding-") || body.is("type", "EMBEDDING");
    let generation = kind.starts_with("generation-") || body.is("type", "GENERATION") || embedding;
    let usage_value = body.first(&USAGE).map(|(_, value)| value);
    if !generation || (kind.ends_with("-update") && usage_value.is_none()) {
        out.ignore(IgnoreReason::NotAModelCall);
        return Ok(());
    }
    let operation = if embedding { "embeddings" } else { "chat" };
    let mut call = Call::new("langfuse.ingestion", operation, precedence::SPAN);
    call.model = either(&body, &["model", "provided_model_name", "providedModelName"])?;
    for (holder, name) in [(&body, "startTime"), (&body, "start_time"), (&event, "timestamp")] {
        call.time = call.time.or(envelope::time(holder, name)?);
    }
    let parameters = nested(&body, &["modelParameters", "model_parameters"]);
    if let Some(parameters) = opened(&parameters) {
        call.context.requested_tier = envelope::owned(&parameters, "service_tier")?;
    }
    let usage = nested(&body, &USAGE);
    let part = match (opened(&usage), usage_value) {
        (Some(usage), _) => langfuse_usage(&usage)?,
        (None, Some(value)) => return Err(Problem::wrong_type("usageDetails", value, "an object")),
        (None, None) => {
            call.flags.set(Flag::UsageMissing);
            Part::default()
        }
    };
    call.raw_usage = Cow::Owned(usage.unwrap_or_default());
    call.parts = smallvec![part];
    call.reported_cost = reported(&body)?;
    envelope.event_id = envelope::text(&body, "id")?;
    envelope.source = Some(Cow::Borrowed("langfuse"));
    envelope.amends = kind.ends_with("-update");
    describe(&body, &mut envelope, out)?;
    out.call(call, envelope, json);
    Ok(())
}

/// What Langfuse says a generation costs, in dollars.
fn reported(body: &Object<'_>) -> Result<Option<ReportedCost>> {
    let dollars = |cost: ReportedCost| ReportedCost { currency: Text::const_new("USD"), ..cost };
    let details = nested(body, &["costDetails", "cost_details"]);
    let stated = opened(&details).map(|costs| envelope::cost(&costs, "total", "stated_by_producer")).transpose()?;
    if let Some(cost) = stated.flatten() {
        return Ok(Some(dollars(cost)));
    }
    const TOTAL: [&str; 3] = ["calculatedTotalCost", "totalCost", "total_cost"];
    let found = TOTAL.iter().find_map(|name| envelope::cost(body, name, "stated_by_producer").ok().flatten());
    Ok(found.map(dollars))
}

/// Who and what an observation belongs to, where its trace has not said so.
fn describe(body: &Object<'_>, envelope: &mut Envelope<'_>, out: &Out<'_>) -> Result<()> {
    if let Some(user) = either(body, &["userId", "user_id"])? {
        envelope.claim_user(&user, out.config);
    }
    if let Some(environment) = envelope::owned(body, "environment")? {
        envelope.claimed.environment = Some(environment);
    }
    if envelope.claimed.session.is_none() {
        let session = either(body, &["sessionId", "session_id", "traceId", "trace_id"])?;
        envelope.claimed.session = session.map(Text::from);
    }
    let metadata = nested(body, &["metadata"]);
    if let Some(team) = opened(&metadata).and_then(|metadata| envelope::owned(&metadata, "team").unwrap_or(None)) {
        envelope.claimed.team = Some(team);
    }
    Ok(())
}

/// Gemini's usage as Langfuse's handler for LangChain hands it on: buckets by modality, what of them was cached apart, and
/// `input` and `output` what is left (`_parse_usage_model` of langfuse-python, read 2026-11-29). Its total is Gemini's.
fn by_modality(usage: &Object<'_>) -> Result<Part> {
    let counts = Counts::new(usage, "usageDetails");
    let mut part = Part::default();
    let thoughts = ["thoughts_token_count", "output_reasoning", "output_reasoning_tokens"];
    let thoughts = counts.alias(&thoughts)?.unwrap_or(0);
    let cached = counts.alias(&["cached_content_token_count", "input_cache_read", "input_cached_tokens"])?.unwrap_or(0);
    let (mut sum, mut apart, mut text) = (0, 0, 0);
    for (name, value) in usage.iter().filter(|(_, value)| !value.is_null()) {
        let lower = name.to_ascii_lowercase();
        let meter = match &*lower {
            "total" | "unit" => continue,
            _ if thoughts > 0 && (lower.starts_with("thoughts_") || lower.starts_with("output_reasoning")) => continue,
            "cached_content_token_count" | "input_cache_read" | "input_cached_tokens" => continue,
            "input" | "input_modality_text" | "input_modality_document" | "tool_use_prompt_token_count" => {
                Meter::InputTextTokens
            }
            "input_modality_audio" => Meter::InputAudioTokens,
            "input_modality_image" => Meter::InputImageTokens,
            "input_modality_video" => Meter::InputVideoTokens,
            "cached_modality_audio" => Meter::CacheReadAudioTokens,
            "cached_modality_image" => Meter::CacheReadImageTokens,
            "cached_modality_text" | "cached_modality_document" | "cached_modality_video" => Meter::CacheReadTextTokens,
            "output" | "output_modality_text" => Meter::OutputTextTokens,
            "output_modality_audio" => Meter::OutputAudioTokens,
            "output_modality_image" => Meter::OutputImageTokens,
            _ => {
                if value.text() != "0" {
                    part.flags.set(Flag::UnknownUsageField);
                }
                continue;
            }
        };
        let count = counts.or_zero(name)?;
        sum += count;
        if lower.starts_with("cached_modality_") {
            apart += count;
        }
        if meter == Meter::InputTextTokens {
            text += count;
        }
        part.usage.add(meter, count);
    }
    // Without its modalities, the cache is inside the text.
    if apart == 0 && cached > 0 {
        part.usage
            .set(Meter::InputTextTokens, rest(text, "usageDetails.input_modality_text", &[(cached, "its cache")])?);
        part.usage.add(Meter::CacheReadTextTokens, cached);
    }
    part.usage.add(Meter::OutputReasoningTokens, thoughts);
    if let Some(total) = counts.count("total")?.filter(|total| *total > 0) {
        if total != sum + thoughts {
            let message = format!("usageDetails.total is {total} but its buckets add up to {}", sum + thoughts);
            return Err(Problem::contradiction("usageDetails.total", message));
        }
        part.checked = "total = sum of buckets";
    }
    Ok(part)
}

/// Langfuse's buckets are exclusive; its OpenAI-shaped objects are not, and neither are those of emitters that pass an
/// inclusive input on beside its details: there the total is input and output alone.
pub(super) fn langfuse_usage(usage: &Object<'_>) -> Result<Part> {
    let nested = |name: &str| usage.get(name).is_some_and(|value| value.object().is_some());
    if usage.has("prompt_tokens") {
        return openai::usage(usage, &openai::CHAT, "");
    }
    if usage.has("input_tokens") && (nested("input_tokens_details") || nested("output_tokens_details")) {
        return openai::usage(usage, &openai::RESPONSES, "");
    }
    if usage.iter().any(|(name, _)| name.contains("_modality_")) {
        return by_modality(usage);
    }
    if usage.has("prompt_token_count") || usage.has("promptTokenCount") {
        return gemini::usage(usage);
    }
    let counts = Counts::new(usage, "usageDetails");
    let mut part = Part::default();
    // Its older counts may be of something else than tokens.
    if let Some(unit) = usage.string("unit").filter(|unit| !unit.eq_ignore_ascii_case("tokens")) {
        let (input, output) = (counts.or_zero("input")?, counts.or_zero("output")?);
        match unit.to_ascii_uppercase().as_str() {
            "CHARACTERS" => part.usage.add(Meter::InputCharacters, input),
            "SECONDS" => part.usage.add(Meter::InputAudioSeconds, input),
            "IMAGES" => part.usage.add(Meter::OutputImages, output),
            _ => part.flags.set(Flag::UnknownUsageField),
        }
        return Ok(part);
    }
    // Sums of input and output, and of what their details hold.
    let (mut plain, mut details, mut predicted) = ([0, 0], [0, 0], 0);
    // LangChain tells what was written by how long it is kept, and in some versions as a whole beside that
    // (`_create_usage_metadata` of langchain-anthropic, `_parse_usage_model` of langfuse-python; not opened).
    let kept = |time: &str| {
        counts.alias(&[&*format!("input_ephemeral_{time}_input_tokens"), &*format!("ephemeral_{time}_input_tokens")])
    };
    let kept = kept("5m")?.unwrap_or(0) + kept("1h")?.unwrap_or(0);
    let mut written = 0;
    for (name, value) in usage.iter() {
        let (meter, side, detail) = match name {
            _ if value.is_null() => continue,
            "total" | "totalTokens" | "total_tokens" | "unit" | "inputCost" | "outputCost" | "totalCost" => continue,
            "input" | "input_tokens" | "promptTokens" => (Meter::InputTextTokens, 0, false),
            "input_cached_tokens"
            | "input_cache_read"
            | "cache_read_input_tokens"
            | "input_cached"
            | "cacheReadInputTokens"
            | "cached_tokens" => (Meter::CacheReadTextTokens, 0, true),
            "input_cache_creation" | "cache_creation_input_tokens" | "input_cache_write" | "cacheWriteInputTokens" => {
                match counts.or_zero(name)? {
                    0 => continue,
                    whole if whole == kept => continue,
                    _ => part.flags.set(Flag::Assumed5m),
                }
                (Meter::CacheWrite5mTokens, 0, true)
            }
            "input_cache_creation_5m"
            | "input_ephemeral_5m_input_tokens"
            | "ephemeral_5m_input_tokens"
            | "cache_write_5m_input_tokens" => (Meter::CacheWrite5mTokens, 0, true),
            "input_cache_creation_1h"
            | "input_ephemeral_1h_input_tokens"
            | "ephemeral_1h_input_tokens"
            | "cache_write_1h_input_tokens" => (Meter::CacheWrite1hTokens, 0, true),
            "input_audio_tokens" | "input_audio" => (Meter::InputAudioTokens, 0, true),
            "input_image_tokens" | "input_image" => (Meter::InputImageTokens, 0, true),
            "output" | "output_tokens" | "completionTokens" => (Meter::OutputTextTokens, 1, false),
            "output_reasoning_tokens" | "output_reasoning" | "reasoning_tokens" => {
                (Meter::OutputReasoningTokens, 1, true)
            }
            "output_audio_tokens" | "output_audio" => (Meter::OutputAudioTokens, 1, true),
            // What was predicted is output, whether it was taken or not.
            "output_accepted_prediction_tokens" | "output_rejected_prediction_tokens" => {
                predicted += counts.or_zero(name)?;
                (Meter::OutputTextTokens, 1, true)
            }
            _ if value.text() == "0" => continue,
            _ => {
                part.flags.set(Flag::UnknownUsageField);
                continue;
            }
        };
        let count = counts.or_zero(name)?;
        if matches!(meter, Meter::CacheWrite5mTokens | Meter::CacheWrite1hTokens) {
            written += count;
        }
        if detail {
            details[side] += count
        } else {
            plain[side] += count
        }
        part.usage.add(meter, count);
    }
    let total = counts.alias(&["total", "totalTokens", "total_tokens"])?;
    let (sum, outer) = (plain[0] + plain[1] + details[0] + details[1], plain[0] + plain[1]);
    match total {
        None => {}
        Some(total) if total == sum => part.checked = "total = sum of buckets",
        Some(total) if total == outer => {
            part.checked = "total = input + output, which include their details";
            let text = rest(plain[0], "usageDetails.input", &[(details[0], "its details")])?;
            part.usage.set(Meter::InputTextTokens, text);
            let text = rest(plain[1], "usageDetails.output", &[(details[1], "its details")])?;
            part.usage.set(Meter::OutputTextTokens, text + predicted);
        }
        // LiteLLM takes what was read out of the input, and leaves in what was written
        // (https://github.com/BerriAI/litellm/pull/26919, read 2026-11-30).
        Some(total) if written > 0 && total == sum - written => {
            part.checked = "total = input + output + cache reads, where the input includes what was written";
            let text = rest(plain[0], "usageDetails.input", &[(written, "what was written")])?;
            part.usage.set(Meter::InputTextTokens, text);
        }
        // Where the whole stands beside its parts, the handler took both from the input, down to nothing: the total
        // tells it.
        Some(total) if kept > 0 && plain[0] == 0 && total > sum => {
            part.flags.set(Flag::TotalMismatch);
            part.usage.set(Meter::InputTextTokens, total - sum);
        }
        // A total alone does not say which way its tokens went.
        Some(total) if sum == 0 && total > 0 && !usage.has("input") && !usage.has("output") => {
            part.flags.set(Flag::UsageMissing);
            part.flags.set(Flag::UnknownUsageField);
        }
        Some(total) => {
            let message = format!(
                "usageDetails.total is {total} but its buckets add up to {sum}, and input and output alone to {outer}"
            );
            return Err(Problem::contradiction("usageDetails.total", message));
        }
    }
    if part.usage.get(Meter::CacheWrite5mTokens).is_zero() {
        part.flags.clear(Flag::Assumed5m);
    }
    Ok(part)
}
