//! What spans hand on from a provider as JSON: those of the Vercel AI SDK in `ai.response.providerMetadata` (spans that others
//! published, read 2026-11-29), those of the Agent Development Kit in `gcp.vertex.agent.llm_response`, Logfire's in
//! `gen_ai.usage.raw` and `response_data`.

use std::borrow::Cow;

use smallvec::smallvec;

use super::batch::{Attributes, Value};
use super::names::{self, Names, names};
use crate::assemble::{Call, Tokens};
use crate::envelope;
use crate::formats::{ai_sdk, anthropic, gemini, openai};
use crate::json::{Json, Object};
use crate::printed;
use crate::problem::Result;
use crate::usage::Counts;

/// What the Agent Development Kit keeps of Gemini's answer, which counts what was thought and cached (spans in its public code, read
/// 2026-11-29).
fn kept_answer(attributes: &Attributes<'_>, call: &mut Call<'_>) -> Option<()> {
    let (_, Value::Text(text)) = attributes.get(names!["gcp.vertex.agent.llm_response"])? else { return None };
    let answer = Json::parse(text).ok().and_then(Json::object)?;
    let value = answer.get("usage_metadata")?;
    let part = gemini::usage(&value.object().filter(|usage| usage.has("prompt_token_count"))?).ok()?;
    call.parts = smallvec![part];
    call.raw_usage = Cow::Owned(value.text().to_owned());
    Some(())
}

/// What LiteLLM keeps of an answer's usage, as Python prints it: details that its spans do not name (spans that others published,
/// read 2026-11-30).
fn kept_usage(attributes: &Attributes<'_>, call: &mut Call<'_>) -> Option<()> {
    let (_, Value::Text(text)) = attributes.get(names!["metadata.usage_object"])? else { return None };
    let plain = printed::json(text).map_or(Cow::Borrowed(&**text), Cow::Owned);
    let usage = Json::parse(&plain).ok().and_then(Json::object)?;
    let same = |name: &str, names: &Names| {
        let stated = Counts::new(&usage, "").count(name).ok().flatten();
        stated.is_some() && attributes.count(names).is_ok_and(|count| count == stated)
    };
    if attributes.has(names::CACHE_READ)
        || !same("prompt_tokens", names::INPUT)
        || !same("completion_tokens", names::OUTPUT)
    {
        return None;
    }
    let part = openai::usage(&usage, &openai::CHAT, call.model.as_deref().unwrap_or_default()).ok()?;
    call.parts = smallvec![part];
    call.raw_usage = Cow::Owned(plain.to_string());
    Some(())
}

/// Reads the calls of a span from what the provider said; `false` where the span's own counts are all there is.
pub(super) fn read(attributes: &Attributes<'_>, call: &mut Call<'_>) -> Result<bool> {
    let kept = kept_answer(attributes, call).or_else(|| kept_usage(attributes, call));
    let kept = kept.or_else(|| raw_usage(attributes, call));
    if kept.or_else(|| kept_response(attributes, call)).is_some() {
        return Ok(true);
    }
    let Some((_, Value::Text(text))) = attributes.get(names!["ai.response.providerMetadata"]) else { return Ok(false) };
    let Some(metadata) = Json::parse(text).ok().and_then(Json::object) else { return Ok(false) };
    if let Some(about) = metadata.object("openai").or_else(|| metadata.object("azure")) {
        let tier = envelope::owned(&about, "serviceTier")?.filter(|tier| tier != "auto");
        call.context.service_tier = call.context.service_tier.take().or(tier);
    }
    if ai_sdk::handed_on(&metadata, call)? {
        return Ok(true);
    }
    cache_alone(&metadata, attributes, call)
}

/// Older versions hand on the counts of the cache alone, which stand beside their prompt. What a span says itself goes
/// before, but of what Bedrock wrote it says nothing.
fn cache_alone(metadata: &Object<'_>, attributes: &Attributes<'_>, call: &mut Call<'_>) -> Result<bool> {
    let Some((read, written)) = ai_sdk::cache_alone(metadata)? else { return Ok(false) };
    let count = |names: &Names| attributes.count(names);
    let stated = count(names::CACHE_READ)?;
    if attributes.has(names::CACHE_WRITE)
        || attributes.has(names::UNCACHED)
        || (stated.is_some() && !metadata.has("bedrock"))
    {
        return Ok(false);
    }
    let (input, output) = (count(names::INPUT)?.unwrap_or(0), count(names::OUTPUT)?.unwrap_or(0));
    let cache_read = stated.or(read).unwrap_or(0);
    let tokens = Tokens { input, cache_read, written, output, ..Tokens::default() };
    call.parts = smallvec![tokens.part("input excludes cache")];
    Ok(true)
}

/// What Logfire keeps of an answer: its usage in the provider's spelling, of which its spans name two counts
/// (`logfire/_internal/integrations/llm_providers` of pydantic/logfire, *not opened*: from knowledge of it).
fn kept_response(attributes: &Attributes<'_>, call: &mut Call<'_>) -> Option<()> {
    let (_, Value::Text(text)) = attributes.get(names!["response_data"])? else { return None };
    let answer = Json::parse(text).ok().and_then(Json::object)?;
    let value = answer.get("usage")?;
    let usage = value.object()?;
    let counts = Counts::new(&usage, "");
    let same = |spelt: &[&str], names: &Names| {
        let stated = counts.alias(spelt).ok().flatten();
        stated.is_some() && attributes.count(names).is_ok_and(|count| count.is_none() || count == stated)
    };
    if attributes.has(names::CACHE_READ)
        || !same(&["prompt_tokens", "input_tokens"], names::INPUT)
        || !same(&["completion_tokens", "output_tokens"], names::OUTPUT)
    {
        return None;
    }
    spelled(value, &usage, call)
}

/// The usage as the provider stated it, which newer versions of Logfire hand on whole: their own count of the input includes Claude's
/// caches and tells none of them (`USAGE_RAW` of its `llm_providers/semconv.py`, and spans of its tests, read in copies 2026-11-30).
fn raw_usage(attributes: &Attributes<'_>, call: &mut Call<'_>) -> Option<()> {
    let (_, Value::Text(text)) = attributes.get(names!["gen_ai.usage.raw"])? else { return None };
    let value = Json::parse(text).ok()?;
    let usage = value.object()?;
    let output = Counts::new(&usage, "").alias(&["completion_tokens", "output_tokens"]).ok().flatten();
    let same = attributes.count(names::OUTPUT).is_ok_and(|count| count.is_none() || count == output);
    if same { spelled(value, &usage, call) } else { None }
}

/// Reads a provider's usage by how it is spelled.
fn spelled(value: Json<'_>, usage: &Object<'_>, call: &mut Call<'_>) -> Option<()> {
    let model = call.model.as_deref().unwrap_or_default();
    call.parts = match () {
        () if usage.has("prompt_tokens") => smallvec![openai::usage(usage, &openai::CHAT, model).ok()?],
        () if usage.has("total_tokens") => smallvec![openai::usage(usage, &openai::RESPONSES, model).ok()?],
        () if usage.has("input_tokens") => anthropic::parts(usage, call.model.as_deref()).ok()?,
        () => return None,
    };
    call.raw_usage = Cow::Owned(value.text().to_owned());
    Some(())
}
