//! The Vercel AI SDK: what its calls give back, and what it hands on from a provider. Its own counts leave out, by version, what
//! Anthropic wrote to a cache, what Gemini thought and whatever was searched for; the provider's usage has all of it
//! (<https://ai-sdk.dev/docs/reference/ai-sdk-core/generate-text> and results that others published, read 2026-11-29).

use std::borrow::Cow;

use schemas::{Flag, Meter};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, Tokens, precedence};
use crate::envelope::{self, Envelope, time};
use crate::formats::{anthropic, gemini, openai};
use crate::json::{Json, NameSet, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw, rest};

/// The result of a call: its steps are the calls of the model. Usage of the whole is that of the last of them, or their sum.
pub(crate) fn result<'a>(json: Json<'a>, object: &Object<'a>, envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    // Houses that log a call leave little of it but its model and usage, beside fields of their own.
    let envelope = if object.has("response") { envelope } else { envelope.read(object, out.config)? };
    let steps = object.array("steps").unwrap_or_default();
    let told = |step: &Object<'_>| step.has("response") && step.object("usage").is_some();
    let steps: Vec<Object<'a>> = steps.into_iter().filter_map(Json::object).filter(told).collect();
    for step in if steps.is_empty() { std::slice::from_ref(object) } else { &steps[..] } {
        let mut call = Call::new("ai_sdk.result", "chat", precedence::SPAN);
        let response = step.object("response").unwrap_or_else(|| step.clone());
        call.model = envelope::text(&response, "modelId")?;
        if step.has("response") {
            call.response_id = envelope::text(&response, "id")?;
        }
        call.time = time(&response, "timestamp")?;
        let metadata = step.object("providerMetadata").or_else(|| step.object("experimental_providerMetadata"));
        if !metadata.as_ref().is_some_and(|metadata| handed_on(metadata, &mut call).unwrap_or(false)) {
            let value = step.get("usage").ok_or_else(|| Problem::missing("usage", "the result of a call has it"))?;
            call.raw_usage = Cow::Borrowed(raw(Some(value)));
            let used = value.object().unwrap_or_default();
            let beside = metadata.as_ref().map(|metadata| with_cache(metadata, &used)).transpose()?.flatten();
            call.parts = smallvec![match beside {
                Some(part) => part,
                None => usage(&used, call.model.as_deref().unwrap_or(""))?,
            }];
        }
        let mut own = envelope.clone();
        if steps.len() > 1 {
            // An id that was sent is that of all steps together.
            own.event_id = call.response_id.clone();
        }
        out.call(call, own, json);
    }
    Ok(())
}

/// The exclusive vector of its own counts; those of its fourth version have OpenAI's older names, and what its providers hand
/// it since the sixth has an object for either side.
pub(super) fn usage(usage: &Object<'_>, model: &str) -> Result<Part> {
    if usage.object("inputTokens").is_some() || usage.object("outputTokens").is_some() {
        return by_side(usage);
    }
    if usage.has("inputTokens") {
        return openai::usage(usage, &openai::AI_SDK, model);
    }
    let counts = Counts::new(usage, "usage");
    let mut part = Part::default();
    part.usage.add(Meter::InputTextTokens, counts.or_zero("promptTokens")?);
    part.usage.add(Meter::OutputTextTokens, counts.or_zero("completionTokens")?);
    if !usage.has("promptTokens") {
        part.flags.set(Flag::PartialStream);
    }
    Ok(part)
}

/// Counts of either side, each with its total (<https://github.com/vercel/ai/blob/main/packages/provider/src/language-model/v3>,
/// `LanguageModelV3Usage`, read 2026-11-29): the cache is inside the input, reasoning inside the output.
fn by_side(usage: &Object<'_>) -> Result<Part> {
    let (input, output) =
        (usage.object("inputTokens").unwrap_or_default(), usage.object("outputTokens").unwrap_or_default());
    let (input, output) = (Counts::new(&input, "usage.inputTokens"), Counts::new(&output, "usage.outputTokens"));
    let (read, written) = (input.or_zero("cacheRead")?, input.or_zero("cacheWrite")?);
    let uncached = match input.count("noCache")? {
        Some(uncached) => uncached,
        None => {
            rest(input.or_zero("total")?, "usage.inputTokens.total", &[(read, "cacheRead"), (written, "cacheWrite")])?
        }
    };
    let reasoning = output.or_zero("reasoning")?;
    let text = rest(output.or_zero("total")?, "usage.outputTokens.total", &[(reasoning, "reasoning")])?;
    let tokens = Tokens { input: uncached, cache_read: read, written, output: text, reasoning, ..Tokens::default() };
    let mut part = tokens.part("input = uncached + cache read + cache written");
    static INPUT: NameSet = NameSet::new(&["total", "noCache", "cacheRead", "cacheWrite"]);
    static OUTPUT: NameSet = NameSet::new(&["total", "text", "reasoning"]);
    if input.has_unknown(&INPUT) || output.has_unknown(&OUTPUT) {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}

/// What versions before the sixth say of a cache, where they do not hand its provider's usage on: read, and written. They
/// hand it on beside an input without it (`@ai-sdk/anthropic` and `@ai-sdk/amazon-bedrock`, *not opened*).
pub(super) fn cache_alone(metadata: &Object<'_>) -> Result<Option<(Option<i64>, i64)>> {
    let about = match metadata.object("anthropic") {
        Some(about) => Some(about),
        None => metadata.object("bedrock").and_then(|about| about.object("usage")),
    };
    let Some(about) = about else { return Ok(None) };
    let counts = Counts::new(&about, "providerMetadata");
    let read = counts.count("cacheReadInputTokens")?;
    let written = counts.alias(&["cacheCreationInputTokens", "cacheWriteInputTokens"])?;
    Ok((read.is_some() || written.is_some()).then_some((read, written.unwrap_or(0))))
}

/// The counts of a result beside which the metadata says what a cache gave and took; `None` where they say so themselves.
fn with_cache(metadata: &Object<'_>, used: &Object<'_>) -> Result<Option<Part>> {
    if used.has("inputTokenDetails") || used.object("inputTokens").is_some() {
        return Ok(None);
    }
    let Some((read, written)) = cache_alone(metadata)? else { return Ok(None) };
    let counts = Counts::new(used, "usage");
    let input = counts.alias(&["inputTokens", "promptTokens"])?.unwrap_or(0);
    let output = counts.alias(&["outputTokens", "completionTokens"])?.unwrap_or(0);
    let cache_read = counts.count("cachedInputTokens")?.or(read).unwrap_or(0);
    let tokens = Tokens { input, cache_read, written, output, ..Tokens::default() };
    Ok(Some(tokens.part("input excludes cache")))
}

/// Reads the calls from the usage object of the provider; `false` where that is not handed on.
pub(super) fn handed_on(metadata: &Object<'_>, call: &mut Call<'_>) -> Result<bool> {
    if let Some(value) = metadata.object("anthropic").and_then(|about| about.get("usage"))
        && let Some(usage) = value.object().filter(|usage| usage.has("input_tokens"))
    {
        let requested = call.context.requested_tier.take();
        call.context = anthropic::context(&usage)?;
        call.context.requested_tier = requested;
        call.parts = anthropic::parts(&usage, call.model.as_deref())?;
        call.raw_usage = Cow::Owned(value.text().to_owned());
        return Ok(true);
    }
    let google = metadata.object("google").or_else(|| metadata.object("vertex"));
    if let Some(about) = google
        && let Some(value) = about.get("usageMetadata")
        && let Some(usage) = value.object().filter(|usage| usage.has("promptTokenCount"))
    {
        let mut part = gemini::usage(&usage)?;
        let searches = gemini::searches(call.model.as_deref().unwrap_or(""), gemini::queries(&about));
        part.usage.add(Meter::WebSearches, searches);
        call.parts = smallvec![part];
        call.raw_usage = Cow::Owned(value.text().to_owned());
        return Ok(true);
    }
    Ok(false)
}
