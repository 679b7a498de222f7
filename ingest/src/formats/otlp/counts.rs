//! The exclusive vector of a span or log record.

use schemas::{Flag, Meter};

use super::batch::{Attributes, Scope};
use super::names::{self, Names};
use crate::assemble::{Part, Tokens};
use crate::envelope::Envelope;
use crate::formats::{families, gateway, openai};
use crate::json::Json;
use crate::problem::Result;
use crate::usage::rest;

pub(super) fn part<'a>(
    attributes: &Attributes<'a>,
    provider: Option<&str>,
    model: Option<&str>,
    scope: &Scope<'a>,
    envelope: &mut Envelope<'a>,
) -> Result<Part> {
    if let Some(part) = embedded(attributes, model)? {
        return Ok(part);
    }
    let count = |names: &Names| attributes.count(names).map(|found| found.unwrap_or(0));
    let (input, output) = (count(names::INPUT)?, count(names::OUTPUT)?);
    let (read, written) = (count(names::CACHE_READ)?, count(names::CACHE_WRITE)?);
    let reasoning = count(names::REASONING)?;
    let (audio_in, audio_out) = (count(names::INPUT_AUDIO)?, count(names::OUTPUT_AUDIO)?);
    let total = attributes.count(names::TOTAL)?;
    let provider = provider.or_else(|| model.and_then(families::family));
    let (uncached, checked) = match attributes.count(names::UNCACHED)? {
        Some(uncached) => (uncached, "uncached as stated"),
        None if inclusive(provider, &scope.name, input, output, read + written, total) => {
            let caches = [(read, "cache_read.input_tokens"), (written, "cache_creation.input_tokens")];
            let uncached = rest(input, "gen_ai.usage.input_tokens", &caches)?;
            (uncached, "input = uncached + cache read + cache written")
        }
        None => (input, "input excludes cache"),
    };
    let text_in = rest(uncached, "gen_ai.usage.input_tokens", &[(audio_in, "prompt_details.audio")])?;
    // Reasoning is inside the output, unless it does not fit or the total says that it stands beside it (as in the
    // counts of Gemini that some emitters pass on).
    let beside = reasoning > output
        || total.is_some_and(|total| reasoning > 0 && total == input + output + reasoning)
        || total.is_some_and(|total| reasoning > 0 && total == input + read + written + output + reasoning);
    let inside = if beside { 0 } else { reasoning };
    let text_out = rest(
        output,
        "gen_ai.usage.output_tokens",
        &[(inside, "reasoning.output_tokens"), (audio_out, "completion_details.audio")],
    )?;
    let tokens = Tokens { input: text_in, cache_read: read, written, output: text_out, reasoning, ..Tokens::default() };
    let mut part = tokens.part(checked);
    part.usage.add(Meter::InputAudioTokens, audio_in);
    part.usage.add(Meter::OutputAudioTokens, audio_out);
    if attributes.count(names::INPUT)?.is_none() {
        // Half of a usage is not a whole one: a stream that was cut off, or an emitter that hides the input.
        envelope.flags.set(Flag::PartialStream);
    }
    Ok(part)
}

/// Usage as the text of a JSON object, which some tools write instead of attributes.
fn embedded(attributes: &Attributes<'_>, model: Option<&str>) -> Result<Option<Part>> {
    let stated = |names: &Names| match attributes.get(names) {
        Some((_, super::batch::Value::Text(text))) => Some(text.to_string()),
        _ => None,
    };
    if let Some(text) = stated(names::LANGFUSE_USAGE)
        && let Some(usage) = Json::parse(&text).ok().and_then(Json::object)
    {
        return gateway::langfuse_usage(&usage).map(Some);
    }
    if let Some(text) = stated(names::MLFLOW_USAGE)
        && let Some(usage) = Json::parse(&text).ok().and_then(Json::object)
    {
        return openai::usage(&usage, &openai::RESPONSES, model.unwrap_or("")).map(Some);
    }
    Ok(None)
}

/// Whether the input count includes what was read from and written to a cache. In order: a stated total decides; a
/// cache larger than the input cannot be inside it; OpenLLMetry's Bedrock and OpenLIT's Anthropic and Bedrock
/// instrumentations pass the provider's own exclusive count on; everything else follows the conventions, which include it.
/// OpenLLMetry's for Anthropic adds the cache itself (its `_set_token_usage`, read 2026-11-27).
fn inclusive(provider: Option<&str>, scope: &str, input: i64, output: i64, cache: i64, total: Option<i64>) -> bool {
    if cache == 0 {
        return true;
    }
    match total {
        Some(total) if total == input + output => {}
        Some(total) if total == input + output + cache => return false,
        _ => {}
    }
    let passes_on = scope.starts_with("opentelemetry.instrumentation.bedrock") || scope.starts_with("openlit");
    let exclusive_provider = matches!(provider, Some("anthropic" | "aws.bedrock"));
    cache <= input && !(passes_on && exclusive_provider)
}
