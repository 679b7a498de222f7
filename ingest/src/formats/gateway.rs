//! Records of gateways and tracing tools: LiteLLM and Langfuse.

use std::borrow::Cow;

use schemas::{CostBasis, Flag, Meter, ReportedCost, Text};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, precedence};
use crate::envelope::{self, Envelope, provider_name, time};
use crate::formats::{gemini, openai};
use crate::identity;
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw, rest};

/// LiteLLM's StandardLoggingPayload: an OpenAI usage object whatever the provider, every cache count inside the prompt
/// (<https://docs.litellm.ai/docs/proxy/logging_spec>, checked 2026-11-22).
pub(crate) fn litellm<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let mut call = Call::new("litellm.standard_logging", "chat", precedence::GATEWAY);
    let kind = object.string("call_type").unwrap_or_default();
    call.operation = Cow::Borrowed(match kind.trim_start_matches('a') {
        "embedding" => "embeddings",
        "text_completion" => "text_completion",
        "image_generation" | "image_edit" => "image_generation",
        "transcription" => "transcription",
        "speech" => "speech",
        "rerank" => "rerank",
        "moderation" => "moderation",
        _ => "chat",
    });
    call.provider = envelope::text(object, "custom_llm_provider")?.map(|name| provider_name(&name));
    call.model = envelope::text(object, "model")?;
    call.requested_model = envelope::owned(object, "model_group")?;
    call.response_id = envelope::text(object, "id")?;
    call.time = time(object, "startTime")?;
    call.reported_cost = envelope::cost(object, "response_cost", "estimate_at_list_price")?;
    if call.reported_cost.is_none() {
        // Rows of its database call it so.
        call.reported_cost = envelope::cost(object, "spend", "estimate_at_list_price")?;
    }
    let metadata = object.object("metadata").unwrap_or_default();
    let counted = |usage: &Json<'a>| usage.object().is_some_and(|usage| usage.has("prompt_tokens"));
    let answer = || object.object("response").and_then(|response| response.get("usage"));
    let stated = metadata.get("usage_object").filter(&counted).or_else(|| answer().filter(&counted));
    let text = match stated {
        Some(usage) => usage.text().to_owned(),
        // Older versions state the three counts alone.
        None => {
            let counts = ["prompt_tokens", "completion_tokens", "total_tokens"].into_iter();
            let counts = counts.filter_map(|name| object.get(name).map(|value| format!("\"{name}\":{}", value.text())));
            format!("{{{}}}", counts.collect::<Vec<_>>().join(","))
        }
    };
    let model = call.model.as_deref().unwrap_or("").to_owned();
    let part = match Json::parse(&text).ok().and_then(Json::object) {
        Some(only) if only.has("prompt_tokens") => openai::usage(&only, &openai::CHAT, &model)?,
        _ => {
            call.flags.set(Flag::UsageMissing);
            Part::default()
        }
    };
    if let Some(usage) = metadata.object("usage_object") {
        call.context.speed = envelope::owned(&usage, "speed")?.filter(|speed| speed != "standard");
        call.context.residency =
            envelope::owned(&usage, "inference_geo")?.filter(|geo| !matches!(geo.as_str(), "global" | "not_available"));
    }
    let used = !part.usage.vector().is_empty();
    if object.is("status", "failure") && !used {
        out.ignore(IgnoreReason::FailedCall);
        return Ok(());
    }
    call.parts = smallvec![part];
    call.raw_usage = Cow::Owned(text);
    if object.get("cache_hit").is_some_and(|hit| {
        hit.boolean() == Some(true) || hit.string().is_some_and(|hit| hit.eq_ignore_ascii_case("true"))
    }) {
        call.cost_basis = Some(CostBasis::GatewayCache);
        // A cached answer repeats the id of the call it was copied from, but is not that call.
        call.response_id = None;
    }
    if let Some(parameters) = object.object("model_parameters") {
        call.context.requested_tier = envelope::owned(&parameters, "service_tier")?;
    }
    envelope.event_id = match envelope::text(object, "litellm_call_id")? {
        Some(id) => Some(id),
        None => envelope::text(object, "request_id")?,
    };
    envelope.source = Some(Cow::Borrowed("litellm"));
    let first = |names: &[&str]| -> Result<Option<Text>> {
        for name in names {
            if let Some(found) = envelope::owned(&metadata, name)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    };
    envelope.key_id = first(&["user_api_key_alias", "user_api_key_hash"])?.map(|key| identity::key_id(&key));
    envelope.claimed.team = first(&["user_api_key_team_alias", "user_api_key_team_id"])?;
    envelope.claimed.business_unit = first(&["user_api_key_org_id"])?;
    envelope.claimed.customer = envelope::owned(object, "end_user")?;
    envelope.claimed.session = envelope::owned(object, "trace_id")?;
    if let Some(user) = envelope::text(&metadata, "user_api_key_user_id")? {
        envelope.claim_user(&user, out.config);
    }
    if let Some(logged) = metadata.object("spend_logs_metadata") {
        envelope.add_tags(&logged, out.config);
    }
    for tag in object.array("request_tags").unwrap_or_default() {
        if let Some(tag) = tag.string() {
            let (key, value) = tag.split_once(':').unwrap_or((&tag, "true"));
            envelope.add_tag(key, value, out.config);
        }
    }
    out.call(call, envelope, json);
    Ok(())
}

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
    let (merged, outer) = (merge(&events), shorter(&envelope));
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
        if let Err(problem) = langfuse_event(event, outer.clone(), out) {
            out.reject(problem, Some(event));
        }
    }
    Ok(())
}

/// The same envelope, for bodies that live less long.
fn shorter<'s>(envelope: &'s Envelope<'_>) -> Envelope<'s> {
    envelope.clone()
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

fn langfuse_event<'a>(json: Json<'a>, mut envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let event = json.object().ok_or_else(|| Problem::wrong_type("batch", json, "objects"))?;
    let kind = event.string("type").unwrap_or_default();
    // Its API gives observations back without an event around them.
    let body = match event.has("traceId") && !event.has("body") {
        true => event.clone(),
        false => event.object("body").ok_or_else(|| Problem::missing("body", "every ingestion event has one"))?,
    };
    let generation = kind.starts_with("generation-") || body.is("type", "GENERATION") || body.is("type", "EMBEDDING");
    let usage_value = body.get("usageDetails").or_else(|| body.get("usage"));
    if !generation || (kind.ends_with("-update") && usage_value.is_none()) {
        out.ignore(IgnoreReason::NotAModelCall);
        return Ok(());
    }
    let mut call = Call::new("langfuse.ingestion", "chat", precedence::SPAN);
    call.model = envelope::text(&body, "model")?;
    call.time = match time(&body, "startTime")? {
        Some(start) => Some(start),
        None => time(&event, "timestamp")?,
    };
    if let Some(parameters) = body.object("modelParameters") {
        call.context.requested_tier = envelope::owned(&parameters, "service_tier")?;
    }
    call.raw_usage = Cow::Borrowed(raw(usage_value));
    let part = match usage_value.map(|value| (value, value.object())) {
        Some((_, Some(usage))) => langfuse_usage(&usage)?,
        Some((value, None)) => return Err(Problem::wrong_type("usageDetails", value, "an object")),
        None => {
            call.flags.set(Flag::UsageMissing);
            Part::default()
        }
    };
    call.parts = smallvec![part];
    if let Some(costs) = body.object("costDetails") {
        call.reported_cost = envelope::cost(&costs, "total", "stated_by_producer")?
            .map(|cost| ReportedCost { currency: "USD".into(), ..cost });
    }
    envelope.event_id = envelope::text(&body, "id")?;
    envelope.source = Some(Cow::Borrowed("langfuse"));
    envelope.amends = kind.ends_with("-update");
    envelope.claimed.environment = envelope::owned(&body, "environment")?;
    envelope.claimed.session = envelope::owned(&body, "traceId")?;
    if let Some(metadata) = body.object("metadata") {
        envelope.claimed.team = envelope::owned(&metadata, "team").unwrap_or(None);
    }
    out.call(call, envelope, json);
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
                part.flags.set(Flag::Assumed5m);
                (Meter::CacheWrite5mTokens, 0, true)
            }
            "input_cache_creation_5m" => (Meter::CacheWrite5mTokens, 0, true),
            "input_cache_creation_1h" => (Meter::CacheWrite1hTokens, 0, true),
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
