//! Gemini and Vertex `generateContent`: the prompt includes what was read from a cache; thoughts stand beside the
//! candidates, and prompts of tool use beside the prompt. `total = prompt + candidates + thoughts + tool use`
//! (<https://ai.google.dev/api/generate-content#UsageMetadata>, checked 2026-11-22).

use std::borrow::Cow;

use schemas::{CostBasis, Flag, Meter};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, precedence};
use crate::envelope::{self, Envelope, time};
use crate::item::IgnoreReason;
use crate::json::{Json, Kind, NameSet, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw, rest};

static USAGE_FIELDS: NameSet = NameSet::new(&[
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
    // Embeddings
    "promptTokenDetails",
    "prompt_token_details",
    envelope::GATEWAY,
]);

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
    if call.model.is_none() {
        // What houses write beside the usage.
        call.model = text(["modelId", "model"]).ok().flatten().map(last_segment);
    }
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
    if let Some(traffic) = &traffic {
        served(traffic, &mut call);
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
    call.reported_cost = envelope::gateway_cost(&usage);
    Ok(call)
}

/// What Vertex says about how it served a call.
pub(super) fn served(traffic: &str, call: &mut Call<'_>) {
    match traffic {
        "ON_DEMAND_PRIORITY" => call.context.service_tier = Some("priority".into()),
        "ON_DEMAND_FLEX" => call.context.service_tier = Some("flex".into()),
        "PROVISIONED_THROUGHPUT" => call.cost_basis = Some(CostBasis::Committed),
        _ => {}
    }
}

/// True for an event of the Agent Development Kit: Gemini's usage in a record of what an agent said.
pub(crate) fn is_agent_event(object: &Object<'_>) -> bool {
    object.has("author") && (object.has("invocationId") || object.has("invocation_id"))
}

/// An event of the Agent Development Kit. Pieces of a streamed answer are marked `partial`; the last event repeats their
/// counts (<https://google.github.io/adk-docs/events/>, read in events that others published, 2026-11-29).
pub(crate) fn agent_event<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    if object.get("partial").and_then(Json::boolean) == Some(true) {
        out.ignore(IgnoreReason::StreamFragment);
        return Ok(());
    }
    let mut call = response(object)?;
    envelope.precedence = Some(precedence::SPAN);
    call.time = time(object, "timestamp")?.or(call.time);
    if envelope.event_id.is_none() {
        envelope.event_id = envelope::text(object, "id")?;
        envelope.source.get_or_insert(Cow::Borrowed("adk"));
    }
    if envelope.claimed.agent.is_none() {
        envelope.claimed.agent = envelope::owned(object, "author")?;
    }
    out.call(call, envelope, json);
    Ok(())
}

/// A message of a Live session: usage, where it is stated, is that of one turn and not of the session so far. Sessions name
/// their model once, in `setup` (<https://ai.google.dev/api/live#UsageMetadata>, not opened).
pub(crate) fn live<'a>(object: &Object<'a>) -> Result<Option<Call<'a>>> {
    if object.object("usageMetadata").is_none_or(|usage| usage.is_empty()) {
        return Ok(None);
    }
    Ok(Some(Call { extractor: "gemini.live", ..response(object)? }))
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
pub(super) fn last_segment(model: Cow<'_, str>) -> Cow<'_, str> {
    match model {
        Cow::Borrowed(text) => Cow::Borrowed(text.rsplit('/').next().unwrap_or(text)),
        Cow::Owned(text) => Cow::Owned(text.rsplit('/').next().unwrap_or(&text).to_owned()),
    }
}

/// Tokens of one kind by modality. Documents are billed as text, and so is cached video, for which there is no meter.
#[derive(Default, Clone, Copy)]
pub(super) struct Modalities {
    pub audio: i64,
    pub image: i64,
    pub video: i64,
}

impl Modalities {
    /// What of these was read from a cache that is not split: its tokens are text as far as the text of the prompt goes; the
    /// rest can only be video, images, audio.
    pub(super) fn cached(self, prompt: i64, cached: i64) -> Self {
        let mut overlap = (cached + self.audio + self.image + self.video - prompt).clamp(0, cached.max(0));
        let mut within = |tokens: i64| {
            let taken = tokens.min(overlap);
            overlap -= taken;
            taken
        };
        let (video, image, audio) = (within(self.video), within(self.image), within(self.audio));
        Modalities { audio, image, video }
    }
}

pub(super) fn modalities(counts: &Counts<'_, '_>, names: &[&'static str]) -> Result<Modalities> {
    let mut found = Modalities::default();
    let Some((name, value)) = counts.object.first(names) else { return Ok(found) };
    let path = counts.path(name);
    let list = value.array().ok_or_else(|| Problem::wrong_type(&path, value, "an array"))?;
    // JavaScript prints `[Object]` for those that are too deep.
    for entry in list.into_iter().filter(|entry| entry.kind() != Kind::Null) {
        let entry = entry.object().ok_or_else(|| Problem::wrong_type(&path, entry, "an object"))?;
        let inner = Counts::new(&entry, &path);
        let tokens = inner.alias(&["tokenCount", "token_count", "tokens"])?.unwrap_or(0);
        match entry.string("modality").as_deref().map(str::to_ascii_uppercase).as_deref() {
            Some("AUDIO") => found.audio += tokens,
            Some("IMAGE") => found.image += tokens,
            Some("VIDEO") => found.video += tokens,
            _ => {}
        }
    }
    Ok(found)
}

/// Modalities of the prompt; embeddings spell them otherwise (<https://ai.google.dev/api/embeddings>, and answers that others
/// published, read 2026-11-29).
const READ: [&str; 4] = ["promptTokensDetails", "prompt_tokens_details", "promptTokenDetails", "prompt_token_details"];

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
    // Servers that do not add up write a zero.
    let total = counts.alias(&["totalTokenCount", "total_token_count"])?.filter(|total| *total > 0);

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

    let read = modalities(&counts, &READ)?;
    let mut hit = modalities(&counts, &["cacheTokensDetails", "cache_tokens_details"])?;
    let tools = modalities(&counts, &["toolUsePromptTokensDetails", "tool_use_prompt_tokens_details"])?;
    let written = modalities(
        &counts,
        &["candidatesTokensDetails", "candidates_tokens_details", "responseTokensDetails", "response_tokens_details"],
    )?;
    let mut read = read;
    if counts.object.first(&READ).is_none() {
        // Details of the cache alone: what was read is at least that.
        read = hit;
    }
    hit.audio = hit.audio.min(read.audio);
    hit.image = hit.image.min(read.image);
    hit.video = hit.video.min(read.video);
    if counts.object.first(&["cacheTokensDetails", "cache_tokens_details"]).is_none() {
        hit = read.cached(prompt, cached);
    }
    let cached_plain = rest(
        cached,
        "usageMetadata.cachedContentTokenCount",
        &[(hit.audio, "cacheTokensDetails AUDIO"), (hit.image, "cacheTokensDetails IMAGE")],
    )?;
    let (audio, image, video) = (read.audio - hit.audio, read.image - hit.image, read.video - hit.video);
    // What tools read may come out of a cache, too: what is more than the prompt holds (an answer that others published, read
    // 2026-11-29).
    let tools_other = tools.audio + tools.image + tools.video;
    let beyond = (cached + audio + image + video - prompt).clamp(0, (tool_use - tools_other).max(0)).min(cached);
    let plain = rest(
        prompt,
        "usageMetadata.promptTokenCount",
        &[
            (cached - beyond, "usageMetadata.cachedContentTokenCount"),
            (audio, "promptTokensDetails AUDIO"),
            (image, "promptTokensDetails IMAGE"),
            (video, "promptTokensDetails VIDEO"),
        ],
    )?;
    let tool_text = rest(
        tool_use,
        "usageMetadata.toolUsePromptTokenCount",
        &[
            (tools_other, "toolUsePromptTokensDetails other than TEXT"),
            (beyond, "usageMetadata.cachedContentTokenCount beyond the prompt"),
        ],
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
    if counts.has_unknown(&USAGE_FIELDS) {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}

/// Searches: by the query from Gemini 3 on, by the grounded prompt before
/// (<https://ai.google.dev/gemini-api/docs/google-search>, checked 2026-11-22).
fn grounding(object: &Object<'_>, model: &str, part: &mut Part) {
    const METADATA: [&str; 2] = ["groundingMetadata", "grounding_metadata"];
    let grounded = |value: &Json<'_>| METADATA.iter().any(|name| value.text().contains(name));
    // An event of the Agent Development Kit has it beside the usage.
    let mut queries = queries(object);
    let candidates = object.get("candidates").filter(grounded).and_then(Json::array).unwrap_or_default();
    let mut mapped = 0;
    for candidate in candidates.into_iter().filter_map(Json::object) {
        queries += self::queries(&candidate);
        mapped = mapped.max(i64::from(is_mapped(&candidate)));
    }
    part.usage.add(Meter::MapsGroundings, mapped);
    part.usage.add(Meter::WebSearches, searches(model, queries));
}

/// True for an answer that places of Google Maps support, which is billed by the prompt
/// (<https://ai.google.dev/gemini-api/docs/maps-grounding>, not opened: written from knowledge of it).
fn is_mapped(candidate: &Object<'_>) -> bool {
    let grounding = candidate.first(&["groundingMetadata", "grounding_metadata"]).and_then(|(_, found)| found.object());
    let chunks = grounding.and_then(|found| found.first(&["groundingChunks", "grounding_chunks"])?.1.array());
    chunks.unwrap_or_default().into_iter().filter_map(Json::object).any(|chunk| chunk.get("maps").is_some())
}

/// The queries in the grounding metadata of a candidate.
pub(super) fn queries(object: &Object<'_>) -> i64 {
    let grounding = object.first(&["groundingMetadata", "grounding_metadata"]).and_then(|(_, found)| found.object());
    let list = grounding.and_then(|grounding| grounding.first(&["webSearchQueries", "web_search_queries"]));
    list.and_then(|(_, list)| list.array()).map_or(0, |list| i64::try_from(list.len()).unwrap_or(i64::MAX))
}

/// What is billed of so many queries of one call.
pub(super) fn searches(model: &str, queries: i64) -> i64 {
    let older = model.starts_with("gemini-1") || model.starts_with("gemini-2");
    if older { queries.min(1) } else { queries }
}
