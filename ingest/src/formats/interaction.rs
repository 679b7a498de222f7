//! Gemini Interactions: thoughts and tool use stand beside input and output, the cache inside the input. Gemini writes snake
//! case, Vertex camel case (<https://googleapis.github.io/js-genai/release_docs/> `Interactions.Usage` and
//! <https://docs.cloud.google.com/gemini-enterprise-agent-platform/reference/rest/v1beta1/Usage>, read 2026-11-27; modalities
//! and grounding in bodies that others published, 2026-11-29).

use std::borrow::Cow;

use schemas::{Flag, Meter};
use smallvec::smallvec;

use super::gemini::{last_segment, modalities, searches};
use crate::assemble::{Call, Part, precedence};
use crate::envelope::{self, time};
use crate::json::{Json, NameSet, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw, rest};

static FIELDS: NameSet = NameSet::new(&[
    "total_input_tokens",
    "totalInputTokens",
    "total_output_tokens",
    "totalOutputTokens",
    "total_thought_tokens",
    "totalThoughtTokens",
    "total_tool_use_tokens",
    "totalToolUseTokens",
    "total_cached_tokens",
    "totalCachedTokens",
    "total_tokens",
    "totalTokens",
    "input_tokens_by_modality",
    "inputTokensByModality",
    "output_tokens_by_modality",
    "outputTokensByModality",
    "cached_tokens_by_modality",
    "cachedTokensByModality",
    "tool_use_tokens_by_modality",
    "toolUseTokensByModality",
    "grounding_tool_count",
    "groundingToolCount",
    // The same tokens before and after the cache, and model call by model call.
    "raw_prompt_token",
    "rawPromptToken",
    "model_invocation_token_counts",
    "modelInvocationTokenCounts",
    "non_grounding_model_invocation_token_counts",
    "nonGroundingModelInvocationTokenCounts",
]);

/// A whole interaction, or what the events of its stream add up to.
pub(crate) fn interaction<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("gemini.interaction", "generate_content", precedence::PROVIDER);
    call.usual_provider = "gcp.gemini";
    // An interaction with an agent names that instead.
    call.model = match envelope::text(object, "model")? {
        Some(model) => Some(last_segment(model)),
        None => envelope::text(object, "agent")?,
    };
    call.response_id = envelope::text(object, "id")?;
    call.time = time(object, "created")?;
    call.context.service_tier = envelope::owned(object, "service_tier")?.filter(|tier| tier != "auto");
    let value = object.get("usage");
    if value.is_none() {
        call.flags.set(Flag::UsageMissing);
    }
    call.raw_usage = Cow::Borrowed(raw(value));
    let usage = value.and_then(Json::object).unwrap_or_default();
    call.parts = smallvec![self::usage(&usage, call.model.as_deref().unwrap_or(""))?];
    Ok(call)
}

/// The exclusive vector.
fn usage(usage: &Object<'_>, model: &str) -> Result<Part> {
    let counts = Counts::new(usage, "usage");
    let count = |names: &[&str]| counts.alias(names).map(|found| found.unwrap_or(0));
    let input = count(&["total_input_tokens", "totalInputTokens"])?;
    let output = count(&["total_output_tokens", "totalOutputTokens"])?;
    let mut thoughts = count(&["total_thought_tokens", "totalThoughtTokens"])?;
    let tool_use = count(&["total_tool_use_tokens", "totalToolUseTokens"])?;
    let cached = count(&["total_cached_tokens", "totalCachedTokens"])?;
    let sum = input + output + thoughts + tool_use;
    let mut part = Part { checked: "total = input + output + thoughts + tool use", ..Part::default() };
    match counts.alias(&["total_tokens", "totalTokens"])? {
        // As elsewhere at Gemini, thinking may show in the total alone.
        Some(total) if total > sum && thoughts == 0 => {
            thoughts = total - sum;
            part.flags.set(Flag::HiddenReasoning);
        }
        Some(total) if total != sum => {
            let message = format!("usage.total_tokens is {total} but its parts add up to {sum}");
            return Err(Problem::contradiction("usage.total_tokens", message));
        }
        _ => {}
    }
    let read = modalities(&counts, &["input_tokens_by_modality", "inputTokensByModality"])?;
    let hit = match usage.first(&["cached_tokens_by_modality", "cachedTokensByModality"]) {
        Some((name, _)) => modalities(&counts, &[name])?,
        None => read.cached(input, cached),
    };
    let written = modalities(&counts, &["output_tokens_by_modality", "outputTokensByModality"])?;
    let [audio, image, video] =
        [read.audio - hit.audio, read.image - hit.image, read.video - hit.video].map(|left| left.max(0));
    let cached_text =
        rest(cached, "usage.total_cached_tokens", &[(hit.audio, "its audio"), (hit.image, "its images")])?;
    let uncached = rest(
        input,
        "usage.total_input_tokens",
        &[
            (cached, "usage.total_cached_tokens"),
            (audio, "input_tokens_by_modality audio"),
            (image, "input_tokens_by_modality image"),
            (video, "input_tokens_by_modality video"),
        ],
    )?;
    let text = rest(
        output,
        "usage.total_output_tokens",
        &[(written.audio, "output_tokens_by_modality audio"), (written.image, "output_tokens_by_modality image")],
    )?;
    let vector = &mut part.usage;
    vector.add(Meter::InputTextTokens, uncached + tool_use);
    vector.add(Meter::CacheReadTextTokens, cached_text);
    vector.add(Meter::InputAudioTokens, audio);
    vector.add(Meter::CacheReadAudioTokens, hit.audio);
    vector.add(Meter::InputImageTokens, image);
    vector.add(Meter::CacheReadImageTokens, hit.image);
    vector.add(Meter::InputVideoTokens, video);
    vector.add(Meter::OutputTextTokens, text);
    vector.add(Meter::OutputReasoningTokens, thoughts);
    vector.add(Meter::OutputAudioTokens, written.audio);
    vector.add(Meter::OutputImageTokens, written.image);
    // There is no meter for video that is written, nor for grounding tools other than these two.
    let mut unknown = written.video > 0 || counts.has_unknown(&FIELDS);
    let tools = usage.first(&["grounding_tool_count", "groundingToolCount"]).and_then(|(_, tools)| tools.array());
    for tool in tools.unwrap_or_default().into_iter().filter_map(Json::object) {
        let count = Counts::new(&tool, "usage.grounding_tool_count").or_zero("count")?;
        match tool.string("type").as_deref() {
            Some("google_search") => part.usage.add(Meter::WebSearches, searches(model, count)),
            Some("google_maps") => part.usage.add(Meter::MapsGroundings, count),
            _ => unknown |= count > 0,
        }
    }
    if unknown {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}
