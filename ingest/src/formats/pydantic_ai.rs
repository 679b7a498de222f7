//! Messages of Pydantic AI, as it dumps them. Its counts are made of the provider's by genai-prices: the cache is inside the input,
//! reasoning inside the output, and sounds are inside both (<https://ai.pydantic.dev/api/usage/>, not opened; messages that others
//! published, read 2026-11-29).

use std::borrow::Cow;

use schemas::Meter;
use smallvec::smallvec;

use crate::assemble::{Call, Out, Tokens, precedence};
use crate::envelope::{self, Envelope, provider_name, time};
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::problem::Result;
use crate::usage::{Counts, raw, rest};

/// True for a message of the kind that names it: parts that say what they are.
pub(crate) fn is_message(object: &Object<'_>) -> bool {
    let part = || object.first_of("parts");
    // Printed, a message leaves out the kinds.
    if !object.has("kind") && object.has("model_name") && object.has("parts") {
        let usage = object.object("usage");
        return usage.is_some_and(|usage| usage.has("input_tokens") || usage.has("request_tokens"));
    }
    let asked =
        |name: &str| matches!(name, "parts" | "instructions" | "timestamp" | "run_id" | "conversation_id" | "metadata");
    if !object.has("kind") && object.has("parts") && object.iter().all(|(name, _)| asked(name)) {
        return part().is_some_and(|part| part.has("content") && part.has("timestamp"));
    }
    (object.is("kind", "response") && object.object("usage").is_some() || object.is("kind", "request"))
        && part().is_some_and(|part| part.has("part_kind"))
}

pub(crate) fn message<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let Some(value) = object.get("usage").filter(|_| !object.is("kind", "request")) else {
        out.ignore(IgnoreReason::NotAModelCall);
        return Ok(());
    };
    let usage = value.object().unwrap_or_default();
    let mut call = Call::new("pydantic_ai.message", "chat", precedence::SPAN);
    call.model = envelope::text(object, "model_name")?;
    call.provider = envelope::text(object, "provider_name")?.map(|name| provider_name(&name));
    for name in ["provider_response_id", "vendor_id"] {
        if call.response_id.is_none() {
            call.response_id = envelope::text(object, name)?;
        }
    }
    call.time = time(object, "timestamp")?;
    call.raw_usage = Cow::Borrowed(raw(Some(value)));
    let counts = Counts::new(&usage, "usage");
    let details = counts.inner("details")?.unwrap_or_default();
    let details = Counts::new(&details, "usage.details");
    // Its first version called them so.
    let input = counts.alias(&["input_tokens", "request_tokens"])?.unwrap_or(0);
    let output = counts.alias(&["output_tokens", "response_tokens"])?.unwrap_or(0);
    let (read, written) = (counts.or_zero("cache_read_tokens")?, counts.or_zero("cache_write_tokens")?);
    let (heard, cached_heard) = (counts.or_zero("input_audio_tokens")?, counts.or_zero("cache_audio_read_tokens")?);
    let said = counts.or_zero("output_audio_tokens")?;
    let reasoning = details.alias(&["reasoning_tokens", "thoughts_tokens", "thinking_tokens"])?.unwrap_or(0);
    let cached_heard = cached_heard.min(heard).min(read);
    let text_read = read - cached_heard;
    let plain = rest(
        input,
        "usage.input_tokens",
        &[
            (text_read, "usage.cache_read_tokens"),
            (written, "usage.cache_write_tokens"),
            (heard, "usage.input_audio_tokens"),
        ],
    )?;
    let reasoning = if reasoning <= output - said { reasoning } else { 0 };
    let text = rest(output, "usage.output_tokens", &[(reasoning, "reasoning_tokens"), (said, "output_audio_tokens")])?;
    // Newer versions keep how long Anthropic's caches live.
    let (short, long) = (details.count("cache_write_5m_tokens")?, details.count("cache_write_1h_tokens")?);
    let tokens = Tokens { input: plain, cache_read: text_read, output: text, reasoning, ..Tokens::default() };
    let tokens = tokens.written(written, short, long);
    let mut part = tokens.part("input = uncached + cache read + cache written");
    part.usage.add(Meter::InputAudioTokens, heard - cached_heard);
    part.usage.add(Meter::CacheReadAudioTokens, cached_heard);
    part.usage.add(Meter::OutputAudioTokens, said);
    call.parts = smallvec![part];
    out.call(call, envelope, json);
    Ok(())
}
