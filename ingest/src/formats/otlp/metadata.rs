//! What spans hand on from a provider as JSON: those of the Vercel AI SDK in `ai.response.providerMetadata` (spans that others
//! published, read 2026-11-29), those of the Agent Development Kit in `gcp.vertex.agent.llm_response`.

use std::borrow::Cow;

use smallvec::smallvec;

use super::batch::{Attributes, Value};
use super::names::{self, Names, names};
use crate::assemble::{Call, Tokens};
use crate::envelope;
use crate::formats::{ai_sdk, gemini, openai};
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
    if kept_answer(attributes, call).or_else(|| kept_usage(attributes, call)).is_some() {
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
    match metadata.object("anthropic") {
        Some(about) => cache_alone(&about, attributes, call),
        None => Ok(false),
    }
}

/// Older versions hand on the counts of the cache alone, which stand beside their prompt. What a span says of its cache
/// itself goes before.
fn cache_alone(about: &Object<'_>, attributes: &Attributes<'_>, call: &mut Call<'_>) -> Result<bool> {
    let counts = Counts::new(about, "ai.response.providerMetadata.anthropic");
    let Some(cache_read) = counts.count("cacheReadInputTokens")? else { return Ok(false) };
    if attributes.has(names::CACHE_READ) || attributes.has(names::UNCACHED) {
        return Ok(false);
    }
    let written = counts.or_zero("cacheCreationInputTokens")?;
    let count = |names: &Names| attributes.count(names).map(|found| found.unwrap_or(0));
    let (input, output) = (count(names::INPUT)?, count(names::OUTPUT)?);
    let tokens = Tokens { input, cache_read, written, output, ..Tokens::default() };
    call.parts = smallvec![tokens.part("input excludes cache")];
    Ok(true)
}
