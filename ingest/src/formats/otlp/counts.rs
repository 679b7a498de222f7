//! The exclusive vector of a span or log record.

use schemas::{Flag, Meter};

use super::batch::{Attributes, Scope, Value};
use super::names::{self, Names};
use crate::assemble::{Part, Tokens};
use crate::envelope::Envelope;
use crate::formats::{families, langfuse, openai};
use crate::json::{Json, Object};
use crate::problem::Result;
use crate::usage::{Counts, rest};

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
    let part_of = |names: &Names, details: &Names, field: &str| match count(names)? {
        0 => detail(attributes, details, field),
        stated => Ok(stated),
    };
    let read = part_of(names::CACHE_READ, names::INPUT_DETAILS, "cache_read")?;
    let (short, long) = (attributes.count(names::CACHE_WRITE_5M)?, attributes.count(names::CACHE_WRITE_1H)?);
    // Braintrust's SDK for Java states the parts alone.
    let parts = short.unwrap_or(0) + long.unwrap_or(0);
    let written = part_of(names::CACHE_WRITE, names::INPUT_DETAILS, "cache_creation")?.max(parts);
    let reasoning = part_of(names::REASONING, names::OUTPUT_DETAILS, "reasoning")?;
    let audio_in = part_of(names::INPUT_AUDIO, names::INPUT_DETAILS, "audio")?;
    let audio_out = part_of(names::OUTPUT_AUDIO, names::OUTPUT_DETAILS, "audio")?;
    let total = attributes.count(names::TOTAL)?;
    let provider = provider.or_else(|| model.and_then(families::family));
    let (uncached, checked) = match attributes.count(names::UNCACHED)? {
        Some(uncached) => (uncached, "uncached as stated"),
        None if inclusive(provider, scope, input, output, read + written, total) => {
            let caches = [(read, "cache_read.input_tokens"), (written, "cache_creation.input_tokens")];
            let uncached = rest(input, "gen_ai.usage.input_tokens", &caches)?;
            (uncached, "input = uncached + cache read + cache written")
        }
        None => (input, "input excludes cache"),
    };
    let (image_in, image_out) = (count(names::INPUT_IMAGE)?, count(names::OUTPUT_IMAGE)?);
    // What of the sounds and images came from a cache is in both counts. Where nobody says how much, it is what does not fit.
    let told = attributes.count(names::CACHED_IMAGE)?.map(|cached| cached.min(read).min(image_in));
    let cached_audio = match attributes.count(names::CACHED_AUDIO)? {
        Some(cached) => cached.min(read).min(audio_in),
        None => (audio_in + image_in - told.unwrap_or(0) - uncached).clamp(0, read.min(audio_in)),
    };
    let audio_in = audio_in - cached_audio;
    let unfit = (audio_in + image_in - uncached).clamp(0, image_in.min(read - cached_audio));
    let cached_image = told.unwrap_or(unfit).min(read - cached_audio);
    let image_in = image_in - cached_image;
    // There is no meter of a video that a cache held.
    let video_in = count(names::INPUT_VIDEO)?.min((uncached - audio_in - image_in).max(0));
    let modalities =
        [(audio_in, "prompt_details.audio"), (image_in, "image.input_tokens"), (video_in, "video.input_tokens")];
    let text_in = rest(uncached, "gen_ai.usage.input_tokens", &modalities)?;
    // Reasoning is inside the output, unless it does not fit or the total says that it stands beside it (as in the
    // counts of Gemini that some emitters pass on).
    let beside = reasoning > output
        || attributes.has(names::REASONING_BESIDE)
        || total.is_some_and(|total| reasoning > 0 && total == input + output + reasoning)
        || total.is_some_and(|total| reasoning > 0 && total == input + read + written + output + reasoning);
    let inside = if beside { 0 } else { reasoning };
    let text_out = rest(
        output,
        "gen_ai.usage.output_tokens",
        &[
            (inside, "reasoning.output_tokens"),
            (audio_out, "completion_details.audio"),
            (image_out, "image.output_tokens"),
        ],
    )?;
    let cache_read = read - cached_audio - cached_image;
    let tokens = Tokens { input: text_in, cache_read, output: text_out, reasoning, ..Tokens::default() };
    let tokens = tokens.written(written, short, long);
    let mut part = tokens.part(checked);
    part.usage.add(Meter::CacheReadAudioTokens, cached_audio);
    part.usage.add(Meter::CacheReadImageTokens, cached_image);
    part.usage.add(Meter::InputImageTokens, image_in);
    part.usage.add(Meter::InputVideoTokens, video_in);
    part.usage.add(Meter::OutputImageTokens, image_out);
    part.usage.add(Meter::InputAudioTokens, audio_in);
    part.usage.add(Meter::OutputAudioTokens, audio_out);
    if attributes.count(names::INPUT)?.is_none() {
        // Half of a usage is not a whole one: a stream that was cut off, or an emitter that hides the input.
        envelope.flags.set(Flag::PartialStream);
    }
    Ok(part)
}

/// A part of a count that LangSmith writes into the text of an object (its SDK's `input_token_details`, in spans that others published,
/// read 2026-11-29).
fn detail(attributes: &Attributes<'_>, names: &Names, field: &str) -> Result<i64> {
    let Some((name, Value::Text(text))) = attributes.get(names) else { return Ok(0) };
    match Json::parse(text).ok().and_then(Json::object) {
        Some(details) => Counts::new(&details, name).or_zero(field),
        None => Ok(0),
    }
}

/// Usage as the text of a JSON object, which some tools write instead of attributes.
fn embedded(attributes: &Attributes<'_>, model: Option<&str>) -> Result<Option<Part>> {
    let stated = |names: &Names| match attributes.get(names) {
        Some((_, Value::Text(text))) => Some(text.to_string()),
        _ => None,
    };
    if let Some(text) = stated(names::LANGFUSE_USAGE)
        && let Some(usage) = Object::of(&text)
    {
        return langfuse::langfuse_usage(&usage).map(Some);
    }
    if let Some(text) = stated(names::MLFLOW_USAGE)
        && let Some(usage) = Object::of(&text)
    {
        return openai::usage(&usage, &openai::RESPONSES, model.unwrap_or("")).map(Some);
    }
    Ok(None)
}

/// Whether the input count includes what was read from and written to a cache. In order: a stated total decides; a
/// cache larger than the input cannot be inside it; OpenLLMetry's Bedrock and OpenLIT's Anthropic and Bedrock
/// instrumentations pass the provider's own exclusive count on; everything else follows the conventions, which include it.
/// OpenLLMetry's for Anthropic adds the cache itself (its `_set_token_usage`, read 2026-11-27), and so does its Bedrock's after version
/// 0.62.3 (<https://github.com/traceloop/openllmetry/issues/4449> and its `test_cache_token_folding.py`, read in copies 2026-11-30).
fn inclusive(
    provider: Option<&str>,
    scope: &Scope<'_>,
    input: i64,
    output: i64,
    cache: i64,
    total: Option<i64>,
) -> bool {
    if cache == 0 {
        return true;
    }
    match total {
        Some(total) if total == input + output => {}
        Some(total) if total == input + output + cache => return false,
        _ => {}
    }
    let bedrock =
        scope.name.starts_with("opentelemetry.instrumentation.bedrock") && !is_after(&scope.version, [0, 62, 3]);
    let passes_on = bedrock || scope.name.starts_with("openlit");
    let exclusive_provider = matches!(provider, Some("anthropic" | "aws.bedrock"));
    cache <= input && !(passes_on && exclusive_provider)
}

/// True for a version after another; one that is not written as numbers is none.
fn is_after(version: &str, last: [u32; 3]) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    let told: Option<Vec<u32>> = (0..3).map(|_| numbers.next().flatten()).collect();
    told.is_some_and(|told| told[..] > last[..])
}
