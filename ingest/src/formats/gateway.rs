//! Records of gateways and tracing tools: LiteLLM and Langfuse.

use std::borrow::Cow;

use schemas::{CostBasis, Flag, Meter, ReportedCost, Text};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, precedence};
use crate::envelope::{self, Envelope, provider_name, time};
use crate::formats::openai;
use crate::identity;
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw};

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
    let metadata = object.object("metadata").unwrap_or_default();
    let stated = metadata.get("usage_object");
    let text = match stated.filter(|usage| usage.object().is_some_and(|usage| usage.has("prompt_tokens"))) {
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
    let used = !part.usage.vector().is_empty();
    if object.is("status", "failure") && !used {
        out.ignore(IgnoreReason::FailedCall);
        return Ok(());
    }
    call.parts = smallvec![part];
    call.raw_usage = Cow::Owned(text);
    if object.get("cache_hit").is_some_and(|hit| hit.boolean() == Some(true) || hit.text() == "\"True\"") {
        call.cost_basis = Some(CostBasis::GatewayCache);
        // A cached answer repeats the id of the call it was copied from, but is not that call.
        call.response_id = None;
    }
    if let Some(parameters) = object.object("model_parameters") {
        call.context.requested_tier = envelope::owned(&parameters, "service_tier")?;
    }
    envelope.event_id = envelope::text(object, "litellm_call_id")?;
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
    for event in events {
        if out.is_full() {
            let message = format!("the record holds more than {} items", out.config.items_max);
            out.reject(Problem::new(schemas::RejectReason::TooLarge, "batch", message), None);
            break;
        }
        if let Err(problem) = langfuse_event(event, envelope.clone(), out) {
            out.reject(problem, Some(event));
        }
    }
    Ok(())
}

fn langfuse_event<'a>(json: Json<'a>, mut envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let event = json.object().ok_or_else(|| Problem::wrong_type("batch", json, "objects"))?;
    let kind = event.string("type").unwrap_or_default();
    let body = event.object("body").ok_or_else(|| Problem::missing("body", "every ingestion event has one"))?;
    let generation = kind.starts_with("generation-") || body.is("type", "GENERATION");
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

/// Langfuse's buckets are exclusive; its OpenAI-shaped legacy objects are not.
fn langfuse_usage(usage: &Object<'_>) -> Result<Part> {
    if usage.has("prompt_tokens") || usage.has("promptTokens") {
        if usage.has("prompt_tokens") {
            return openai::usage(usage, &openai::CHAT, "");
        }
        let counts = Counts::new(usage, "usage");
        let mut part = Part::default();
        part.usage.add(Meter::InputTextTokens, counts.or_zero("promptTokens")?);
        part.usage.add(Meter::OutputTextTokens, counts.or_zero("completionTokens")?);
        return Ok(part);
    }
    let counts = Counts::new(usage, "usageDetails");
    let mut part = Part::default();
    let mut sum = 0;
    for (name, value) in usage.iter() {
        let meter = match name {
            _ if value.is_null() => continue,
            "total" | "unit" | "inputCost" | "outputCost" | "totalCost" => continue,
            "input" | "input_tokens" => Meter::InputTextTokens,
            "input_cached_tokens" | "input_cache_read" | "cache_read_input_tokens" => Meter::CacheReadTextTokens,
            "input_cache_creation" | "cache_creation_input_tokens" | "input_cache_write" => Meter::CacheWrite5mTokens,
            "input_cache_creation_5m" => Meter::CacheWrite5mTokens,
            "input_cache_creation_1h" => Meter::CacheWrite1hTokens,
            "input_audio_tokens" | "input_audio" => Meter::InputAudioTokens,
            "input_image_tokens" => Meter::InputImageTokens,
            "output" | "output_tokens" => Meter::OutputTextTokens,
            "output_reasoning_tokens" | "output_reasoning" => Meter::OutputReasoningTokens,
            "output_audio_tokens" | "output_audio" => Meter::OutputAudioTokens,
            _ => {
                part.flags.set(Flag::UnknownUsageField);
                continue;
            }
        };
        let count = counts.or_zero(name)?;
        sum += count;
        part.usage.add(meter, count);
        if meter == Meter::CacheWrite5mTokens && name != "input_cache_creation_5m" && count > 0 {
            part.flags.set(Flag::Assumed5m);
        }
    }
    if let Some(total) = counts.count("total")? {
        if total != sum {
            let message = format!("usageDetails.total is {total} but its buckets add up to {sum}");
            return Err(Problem::contradiction("usageDetails.total", message));
        }
        part.checked = "total = sum of buckets";
    }
    Ok(part)
}
