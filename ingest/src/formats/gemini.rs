//! Gemini and Vertex `generateContent`: the prompt includes what was read from a cache; thoughts stand beside the
//! candidates, and prompts of tool use beside the prompt. `total = prompt + candidates + thoughts + tool use`
//! (<https://ai.google.dev/api/generate-content#UsageMetadata>, checked 2026-11-22).

use std::borrow::Cow;

use schemas::{CostBasis, Flag, Meter};
use smallvec::smallvec;

use crate::assemble::{Call, Part, precedence};
use crate::envelope::{self, time};
use crate::json::Object;
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw, rest};

const USAGE_FIELDS: &[&str] = &[
    "promptTokenCount",
    "cachedContentTokenCount",
    "candidatesTokenCount",
    "responseTokenCount",
    "thoughtsTokenCount",
    "toolUsePromptTokenCount",
    "totalTokenCount",
    "promptTokensDetails",
    "cacheTokensDetails",
    "candidatesTokensDetails",
    "responseTokensDetails",
    "toolUsePromptTokensDetails",
    "trafficType",
    "serviceTier",
    "prompt_token_count",
    "cached_content_token_count",
    "candidates_token_count",
    "response_token_count",
    "thoughts_token_count",
    "tool_use_prompt_token_count",
    "total_token_count",
    "prompt_tokens_details",
    "cache_tokens_details",
    "candidates_tokens_details",
    "response_tokens_details",
    "tool_use_prompt_tokens_details",
    "traffic_type",
    "service_tier",
];

/// A whole response.
pub(crate) fn response<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("gemini.generate_content", "generate_content", precedence::PROVIDER);
    call.usual_provider = "gcp.gemini";
    let text = |names: [&'static str; 2]| -> Result<Option<Cow<'a, str>>> {
        match object.first(&names) {
            Some((name, _)) => envelope::text(object, name),
            None => Ok(None),
        }
    };
    call.model = text(["modelVersion", "model_version"])?.map(last_segment);
    call.response_id = text(["responseId", "response_id"])?;
    let created = object.first(&["createTime", "create_time"]);
    call.time = created.map(|(name, _)| time(object, name)).transpose()?.flatten();
    let found = object.first(&["usageMetadata", "usage_metadata"]);
    let Some((name, value)) = found else {
        call.flags.set(Flag::UsageMissing);
        call.parts = smallvec![Part::default()];
        return Ok(call);
    };
    let usage = value.object().ok_or_else(|| Problem::wrong_type(name, value, "an object"))?;
    call.raw_usage = Cow::Borrowed(raw(Some(value)));
    let traffic = usage.string("trafficType").or_else(|| usage.string("traffic_type"));
    // Vertex states the kind of traffic and the time of creation, which Gemini's own API usually does not.
    if traffic.is_some() || created.is_some() {
        call.usual_provider = "gcp.vertex_ai";
    }
    if object.has("embedding") || object.has("embeddings") {
        call.operation = Cow::Borrowed("embeddings");
    }
    match traffic.as_deref() {
        Some("ON_DEMAND_PRIORITY") => call.context.service_tier = Some("priority".into()),
        Some("ON_DEMAND_FLEX") => call.context.service_tier = Some("flex".into()),
        Some("PROVISIONED_THROUGHPUT") => call.cost_basis = Some(CostBasis::Committed),
        _ => {}
    }
    if let Some(tier) = usage.string("serviceTier").or_else(|| object.string("serviceTier")) {
        call.context.service_tier = Some(tier.to_ascii_lowercase().into());
    }
    const COUNTS: [&str; 6] = [
        "promptTokenCount",
        "totalTokenCount",
        "candidatesTokenCount",
        "prompt_token_count",
        "total_token_count",
        "candidates_token_count",
    ];
    if !COUNTS.iter().any(|name| usage.has(name)) {
        // The kind of traffic alone, as in all frames but the last.
        call.flags.set(Flag::UsageMissing);
    }
    let mut part = self::usage(&usage)?;
    grounding(object, call.model.as_deref().unwrap_or(""), &mut part);
    call.parts = smallvec![part];
    Ok(call)
}

/// A message of a Live session: usage, where it is stated, is that of one turn and not of the session so far. Sessions name
/// their model once, in `setup` (<https://ai.google.dev/api/live#UsageMetadata>, not opened).
pub(crate) fn live<'a>(object: &Object<'a>) -> Result<Option<Call<'a>>> {
    if object.object("usageMetadata").is_none_or(|usage| usage.is_empty()) {
        return Ok(None);
    }
    Ok(Some(Call { extractor: "gemini.live", ..response(object)? }))
}

/// An interaction: thoughts and tool use stand beside input and output, the cache inside the input. Gemini writes snake
/// case, Vertex camel case (<https://googleapis.github.io/js-genai/release_docs/> `Interactions.Usage` and
/// <https://docs.cloud.google.com/gemini-enterprise-agent-platform/reference/rest/v1beta1/Usage>, read 2026-11-27).
pub(crate) fn interaction<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    const FIELDS: &[&str] = &[
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
        "output_tokens_by_modality",
        "outputTokensByModality",
    ];
    let mut call = Call::new("gemini.interaction", "generate_content", precedence::PROVIDER);
    call.usual_provider = "gcp.gemini";
    call.model = envelope::text(object, "model")?.map(last_segment);
    call.response_id = envelope::text(object, "id")?;
    call.time = time(object, "created")?;
    let value = object.get("usage");
    let usage = value.and_then(crate::json::Json::object).unwrap_or_default();
    call.raw_usage = Cow::Borrowed(raw(value));
    let counts = Counts::new(&usage, "usage");
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
    let uncached = rest(input, "usage.total_input_tokens", &[(cached, "usage.total_cached_tokens")])?;
    part.usage.add(Meter::InputTextTokens, uncached + tool_use);
    part.usage.add(Meter::CacheReadTextTokens, cached);
    part.usage.add(Meter::OutputTextTokens, output);
    part.usage.add(Meter::OutputReasoningTokens, thoughts);
    // Modalities of the input and counts of grounding tools are not told apart yet, and say so.
    if counts.has_unknown(FIELDS) {
        part.flags.set(Flag::UnknownUsageField);
    }
    call.parts = smallvec![part];
    Ok(call)
}

/// Embeddings: Vertex counts tokens for each text; Gemini's own answers hold none
/// (<https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>, not opened).
pub(crate) fn embedding<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("gemini.embedding", "embeddings", precedence::PROVIDER);
    call.usual_provider = if object.has("predictions") { "gcp.vertex_ai" } else { "gcp.gemini" };
    let mut tokens = None;
    for prediction in object.array("predictions").unwrap_or_default() {
        let embedding = prediction.object().and_then(|prediction| prediction.object("embeddings"));
        if let Some(statistics) = embedding.and_then(|embedding| embedding.object("statistics")) {
            let count = Counts::new(&statistics, "predictions.embeddings.statistics").or_zero("token_count")?;
            tokens = Some(tokens.unwrap_or(0) + count);
        }
    }
    let mut part = Part::default();
    match tokens {
        Some(tokens) => {
            call.raw_usage = Cow::Owned(format!("{{\"token_count\":{tokens}}}"));
            part.usage.add(Meter::InputTextTokens, tokens);
        }
        None => call.flags.set(Flag::UsageMissing),
    }
    call.parts = smallvec![part];
    Ok(call)
}

/// `models/gemini-2.5-pro` and `publishers/google/models/gemini-2.5-pro` are the model at their end.
fn last_segment(model: Cow<'_, str>) -> Cow<'_, str> {
    match model {
        Cow::Borrowed(text) => Cow::Borrowed(text.rsplit('/').next().unwrap_or(text)),
        Cow::Owned(text) => Cow::Owned(text.rsplit('/').next().unwrap_or(&text).to_owned()),
    }
}

/// Tokens of one kind by modality. Documents are billed as text, and so is cached video, for which there is no meter.
#[derive(Default, Clone, Copy)]
struct Modalities {
    audio: i64,
    image: i64,
    video: i64,
}

fn modalities(counts: &Counts<'_, '_>, names: &[&'static str]) -> Result<Modalities> {
    let mut found = Modalities::default();
    let Some((name, value)) = counts.object.first(names) else { return Ok(found) };
    let path = counts.path(name);
    let list = value.array().ok_or_else(|| Problem::wrong_type(&path, value, "an array"))?;
    for entry in list {
        let entry = entry.object().ok_or_else(|| Problem::wrong_type(&path, entry, "an object"))?;
        let inner = Counts::new(&entry, &path);
        let tokens = inner.alias(&["tokenCount", "token_count"])?.unwrap_or(0);
        match entry.string("modality").as_deref().map(str::to_ascii_uppercase).as_deref() {
            Some("AUDIO") => found.audio += tokens,
            Some("IMAGE") => found.image += tokens,
            Some("VIDEO") => found.video += tokens,
            _ => {}
        }
    }
    Ok(found)
}

/// The exclusive vector.
pub(crate) fn usage(object: &Object<'_>) -> Result<Part> {
    let counts = Counts::new(object, "usageMetadata");
    let mut part = Part::default();
    let count = |names: &[&str]| counts.alias(names).map(|found| found.unwrap_or(0));
    let prompt = count(&["promptTokenCount", "prompt_token_count"])?;
    let cached = count(&["cachedContentTokenCount", "cached_content_token_count"])?;
    let candidates =
        count(&["candidatesTokenCount", "candidates_token_count", "responseTokenCount", "response_token_count"])?;
    let mut thoughts = count(&["thoughtsTokenCount", "thoughts_token_count"])?;
    let tool_use = count(&["toolUsePromptTokenCount", "tool_use_prompt_token_count"])?;
    let total = counts.alias(&["totalTokenCount", "total_token_count"])?;

    let sum = prompt + candidates + thoughts + tool_use;
    part.checked = match total {
        None => "",
        Some(total) if total == sum => "total = prompt + candidates + thoughts + tool use",
        // Models that think without saying how much show it in the total.
        Some(total) if total > sum && thoughts == 0 => {
            thoughts = total - sum;
            part.flags.set(Flag::HiddenReasoning);
            "total = prompt + candidates + tool use + hidden thoughts"
        }
        Some(total) => {
            let message = format!(
                "usageMetadata.totalTokenCount is {total} but promptTokenCount {prompt} + candidatesTokenCount \
                 {candidates} + thoughtsTokenCount {thoughts} + toolUsePromptTokenCount {tool_use} is {sum}"
            );
            return Err(Problem::contradiction("usageMetadata.totalTokenCount", message));
        }
    };

    let read = modalities(&counts, &["promptTokensDetails", "prompt_tokens_details"])?;
    let mut hit = modalities(&counts, &["cacheTokensDetails", "cache_tokens_details"])?;
    let tools = modalities(&counts, &["toolUsePromptTokensDetails", "tool_use_prompt_tokens_details"])?;
    let written = modalities(
        &counts,
        &["candidatesTokensDetails", "candidates_tokens_details", "responseTokensDetails", "response_tokens_details"],
    )?;
    let mut read = read;
    if counts.object.first(&["promptTokensDetails", "prompt_tokens_details"]).is_none() {
        // Details of the cache alone: what was read is at least that.
        read = hit;
    }
    hit.audio = hit.audio.min(read.audio);
    hit.image = hit.image.min(read.image);
    hit.video = hit.video.min(read.video);
    // Without a split, cached tokens are text as far as the text goes; the rest can only be video, images, audio.
    if counts.object.first(&["cacheTokensDetails", "cache_tokens_details"]).is_none() {
        let mut overlap = (cached + read.audio + read.image + read.video - prompt).clamp(0, cached);
        let mut within = |tokens: i64| {
            let taken = tokens.min(overlap);
            overlap -= taken;
            taken
        };
        (hit.video, hit.image, hit.audio) = (within(read.video), within(read.image), within(read.audio));
    }
    let cached_plain = rest(
        cached,
        "usageMetadata.cachedContentTokenCount",
        &[(hit.audio, "cacheTokensDetails AUDIO"), (hit.image, "cacheTokensDetails IMAGE")],
    )?;
    let (audio, image, video) = (read.audio - hit.audio, read.image - hit.image, read.video - hit.video);
    let plain = rest(
        prompt,
        "usageMetadata.promptTokenCount",
        &[
            (cached, "usageMetadata.cachedContentTokenCount"),
            (audio, "promptTokensDetails AUDIO"),
            (image, "promptTokensDetails IMAGE"),
            (video, "promptTokensDetails VIDEO"),
        ],
    )?;
    let tool_text = rest(
        tool_use,
        "usageMetadata.toolUsePromptTokenCount",
        &[(tools.audio + tools.image + tools.video, "toolUsePromptTokensDetails other than TEXT")],
    )?;
    let text_out = rest(
        candidates,
        "usageMetadata.candidatesTokenCount",
        &[(written.audio, "candidatesTokensDetails AUDIO"), (written.image, "candidatesTokensDetails IMAGE")],
    )?;
    let vector = &mut part.usage;
    vector.add(Meter::InputTextTokens, plain + tool_text);
    vector.add(Meter::CacheReadTextTokens, cached_plain);
    vector.add(Meter::CacheReadAudioTokens, hit.audio);
    vector.add(Meter::CacheReadImageTokens, hit.image);
    vector.add(Meter::InputAudioTokens, audio + tools.audio);
    vector.add(Meter::InputImageTokens, image + tools.image);
    vector.add(Meter::InputVideoTokens, video + tools.video);
    vector.add(Meter::OutputTextTokens, text_out);
    vector.add(Meter::OutputReasoningTokens, thoughts);
    vector.add(Meter::OutputAudioTokens, written.audio);
    vector.add(Meter::OutputImageTokens, written.image);
    if counts.has_unknown(USAGE_FIELDS) {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}

/// Searches: by the query from Gemini 3 on, by the grounded prompt before
/// (<https://ai.google.dev/gemini-api/docs/google-search>, checked 2026-11-22).
fn grounding(object: &Object<'_>, model: &str, part: &mut Part) {
    let Some(candidates) = object.get("candidates").filter(|value| value.text().contains("groundingMetadata")) else {
        return;
    };
    let mut queries = 0;
    for candidate in candidates.array().unwrap_or_default() {
        let grounding = candidate.object().and_then(|candidate| candidate.object("groundingMetadata"));
        let found = grounding.and_then(|grounding| grounding.array("webSearchQueries")).unwrap_or_default();
        queries += found.len() as i64;
    }
    let older = model.starts_with("gemini-1") || model.starts_with("gemini-2");
    part.usage.add(Meter::WebSearches, if older { queries.min(1) } else { queries });
}
