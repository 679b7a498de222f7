//! OpenAI's bodies, and those of servers that speak like it: `prompt_tokens` (or `input_tokens`) includes what was read
//! from and written to a cache, `completion_tokens` (or `output_tokens`) includes reasoning.

mod media;
mod responses;
mod spelling;
mod usage;

use std::borrow::Cow;

use schemas::{Flag, Meter, PriceContext, ReportedCost, Text};
use smallvec::{SmallVec, smallvec};

pub(crate) use media::{image, is_grok_heard, is_prediction, live_session, ocr, speech, transcription};
pub(crate) use responses::{response, tools};
pub(crate) use spelling::{AI_SDK, CHAT, CODEX, IMAGES, RESPONSES, SPEECH, Spelling};
use spelling::{CAMEL, YANDEX};
pub(crate) use usage::{CLAUDE_LIFETIMES, is_known, usage};

use crate::assemble::{Call, Part, precedence};
use crate::envelope::{self, time};
use crate::formats::{copilot, families, gemini};
use crate::json::{Json, Kind, Object};
use crate::number;
use crate::problem::{Problem, Result};
use crate::usage::{Counts, Flags, Usage, raw, rest};

/// The usage of a body or a chunk. Groq streams it within its own field, beside none or one of zeros.
pub(crate) fn stated<'a>(object: &Object<'a>) -> Option<Json<'a>> {
    let usage = object.get("usage");
    let Some(groq) = object.object("x_groq").and_then(|groq| groq.get("usage")) else { return usage };
    let is_zero = |(_, count): (&str, Json<'a>)| count.kind() != Kind::Number || matches!(count.text(), "0" | "0.0");
    let empty = usage.and_then(Json::object).is_none_or(|usage| usage.iter().all(is_zero));
    if empty { Some(groq) } else { usage }
}

/// The tier that served a call. `auto` is a request, not a tier. Mistral says it with the counts (answers that others published, read
/// 2026-11-30).
fn served_tier(object: &Object<'_>, usage: Option<&Object<'_>>) -> Result<Option<Text>> {
    let told = envelope::owned(object, "service_tier")?;
    let told = told.or_else(|| envelope::owned(usage?, "service_tier").unwrap_or(None));
    Ok(told.filter(|tier| tier != "auto"))
}

/// What all of these bodies have in common.
fn call<'a>(
    object: &Object<'a>,
    extractor: &'static str,
    operation: &'static str,
    spelling: &Spelling,
) -> Result<Call<'a>> {
    let mut call = Call::new(extractor, operation, precedence::PROVIDER);
    let model = match envelope::text(object, "model")? {
        Some(model) => Some(model),
        // watsonx.ai
        None => envelope::text(object, "model_id")?,
    };
    let usage_value = stated(object);
    let usage_object = match usage_value {
        Some(value) => Some(value.object().ok_or_else(|| Problem::wrong_type("usage", value, "an object"))?),
        None => None,
    };
    // Harnesses that run many models keep the choices of a chat and count as the Responses do.
    let otherwise =
        |found: &Object<'_>| !found.has(CHAT.input) && found.has(RESPONSES.input) && found.has(RESPONSES.output);
    let counted_otherwise = extractor == "openai.chat_completion" && usage_object.as_ref().is_some_and(otherwise);
    let spelling = if counted_otherwise { &RESPONSES } else { spelling };
    let name = model.as_deref().unwrap_or("");
    call.provider = families::by_fields(object, usage_object.as_ref()).map(Text::const_new);
    let vertex = usage_object.as_ref().and_then(|usage| usage.object("extra_properties")?.object("google"));
    let traffic = vertex.and_then(|google| google.string("traffic_type"));
    call.response_id = envelope::text(object, "id")?;
    // Servers without a clock write a zero.
    let created =
        ["created", "created_at"].into_iter().find(|name| object.get(name).is_some_and(|at| at.text() != "0"));
    call.time = created.map(|name| time(object, name)).transpose()?.flatten();
    call.context =
        PriceContext { service_tier: served_tier(object, usage_object.as_ref())?, ..PriceContext::default() };
    call.raw_usage = Cow::Borrowed(raw(usage_value));
    call.parts = match &usage_object {
        // What was drawn is counted by the piece where only its cost is stated.
        Some(found) if extractor == "openai.image" && !found.has(spelling.input) => smallvec![Part::default()],
        Some(found) => compound(object, usage(found, spelling, name)?, spelling, name)?,
        None => {
            call.flags.set(Flag::UsageMissing);
            smallvec![Part::default()]
        }
    };
    if extractor != "openai.image" && call.parts.iter().all(|part| part.usage.is_empty()) {
        // Servers that do not count write zeros.
        call.flags.set(Flag::UsageMissing);
    }
    match call.provider.as_deref() {
        Some("vercel") => {
            let told = families::gateway(object).unwrap_or_default();
            call.reported_cost = envelope::cost(&told, "cost", "billed_by_provider").unwrap_or(None);
        }
        // It may be paid in other coins: of all its names for the cost one is always in dollars (answers that others published, read
        // 2026-11-30).
        Some("nano_gpt") => {
            let told = object.object("x_nanogpt_pricing").unwrap_or_default();
            let mut costs = ["costUsd", "usdCost", "cost", "amount"].iter();
            call.reported_cost =
                costs.find_map(|name| envelope::cost(&told, name, "billed_by_provider").unwrap_or(None));
        }
        // Its own coin stands beside dollars (answers that others published, read 2026-11-30).
        Some("venice") => {
            let told = object.object("cost").unwrap_or_default();
            call.reported_cost = envelope::cost(&told, "usd", "billed_by_provider").unwrap_or(None);
        }
        _ => {}
    }
    // Bifrost says in the answer itself that its cache gave it.
    let debug = || object.object("extra_fields")?.object("cache_debug")?.get("cache_hit")?.boolean();
    if object.has("extra_fields") && debug() == Some(true) {
        call.cost_basis = Some(schemas::CostBasis::GatewayCache);
    }
    if call.provider.as_deref().is_some_and(families::is_self_hosted) {
        call.cost_basis = Some(schemas::CostBasis::SelfHosted);
    }
    copilot::told(object, &mut call);
    if let Some(found) = &usage_object {
        let told = call.reported_cost.take();
        call.reported_cost = reported_cost(found)?.or_else(|| envelope::gateway_cost(found)).or(told);
        if object.has("text") && found.has("prompt_audio_seconds") {
            // What Mistral heard is counted like a chat.
            call.operation = Cow::Borrowed("transcription");
        }
        call.context.search_context = envelope::owned(found, "search_context_size")?;
        if found.get("is_byok").and_then(Json::boolean) == Some(true) {
            call.cost_basis = Some(schemas::CostBasis::BringYourOwnKey);
        }
    }
    if let Some(traffic) = &traffic {
        gemini::served(traffic, &mut call);
    }
    call.model = model;
    Ok(call)
}

/// Groq's compound systems run several models and say what each used: the bill is theirs
/// (<https://console.groq.com/docs/compound>, not opened). They must add up to the whole.
fn compound(object: &Object<'_>, whole: Part, spelling: &Spelling, system: &str) -> Result<SmallVec<[Part; 1]>> {
    let Some(models) = object.object("usage_breakdown").and_then(|found| found.array("models")) else {
        return Ok(smallvec![whole]);
    };
    let mut parts: SmallVec<[Part; 1]> = SmallVec::new();
    let mut sum = Usage::default();
    for (index, entry) in models.iter().enumerate() {
        let path = format!("usage_breakdown.models[{index}]");
        let entry = entry.object().ok_or_else(|| Problem::wrong_type(&path, *entry, "an object"))?;
        let Some(used) = entry.object("usage") else { continue };
        let mut part = usage(&used, spelling, system)?;
        part.iteration = i32::try_from(index).unwrap_or(i32::MAX);
        part.model = envelope::owned(&entry, "model")?.filter(|own| own != system);
        part.flags.set(Flag::IterationsExpanded);
        sum.add_all(&part.usage);
        parts.push(part);
    }
    // The whole may leave out what of it was reasoning.
    let told = |usage: &Usage| {
        let mut usage = usage.clone();
        let reasoning = usage.get(Meter::OutputReasoningTokens);
        usage.set(Meter::OutputReasoningTokens, 0);
        usage.add_quantity(Meter::OutputTextTokens, reasoning);
        usage.vector()
    };
    match parts.is_empty() || told(&sum) != told(&whole.usage) {
        true => Ok(smallvec![whole]),
        false => Ok(parts),
    }
}

/// What OpenRouter, xAI and Perplexity say a call cost.
pub(super) fn reported_cost(usage: &Object<'_>) -> Result<Option<ReportedCost>> {
    if let Some(ticks) = usage.get("cost_in_usd_ticks") {
        // Ten billion ticks are a dollar.
        let digits = ticks.number().unwrap_or_default();
        let dollars = number::money(&format!("{digits}e-10"))
            .map_err(|error| Problem::number("usage.cost_in_usd_ticks", ticks, error))?;
        return Ok(Some(ReportedCost { amount: dollars, currency: "USD".into(), basis: "billed_by_provider".into() }));
    }
    match usage.get("cost") {
        Some(value) if value.kind() == Kind::Object => {
            let inner = value.object().unwrap_or_default();
            envelope::cost(&inner, "total_cost", "billed_by_provider")
        }
        Some(_) => envelope::cost(usage, "cost", "billed_by_provider"),
        None => envelope::cost(usage, "estimated_cost", "estimate_of_provider"),
    }
}

/// Chat Completions.
pub(crate) fn chat<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let other = object.get("usage").filter(|usage| !usage.text().contains("prompt_tokens"));
    let other = other.and_then(Json::object);
    let spelling = match &other {
        Some(usage) if usage.has("promptTokens") => &CAMEL,
        Some(usage) if usage.has("inputTextTokens") => &YANDEX,
        _ => &CHAT,
    };
    let mut found = call(object, "openai.chat_completion", "chat", spelling)?;
    let sides = [CHAT.output, RESPONSES.input, RESPONSES.output];
    let alone = |usage: &Object<'_>| usage.has(CHAT.total) && !sides.iter().any(|name| usage.has(name));
    if object.has("choices") && other.as_ref().is_some_and(alone) {
        // MiniMax's first interface states a total alone: what of it was put out is not told.
        found.flags.set(Flag::UsageMissing);
    }
    if spelling.input != CHAT.input {
        found.time = found.time.or(time(object, "timeCreated")?);
        found.usual_provider = if spelling.input == YANDEX.input { "yandex" } else { "unknown" };
    }
    if object.has("api_format") || object.has("apiFormat") {
        // Oracle's: its models have names that Bedrock's have, too.
        found.usual_provider = "unknown";
    }
    if found.model.is_none() && (object.has("choices") || object.is("object", "chat.completion")) {
        // Some never name it (ERNIE, Jamba): counted, and visibly unpriced.
        found.usual_provider = "unknown";
    }
    if found.model.is_none() && object.has("conversation_id") {
        // Mistral's agents name the model with each of their outputs.
        let outputs = object.array("outputs").unwrap_or_default();
        found.model = outputs.into_iter().filter_map(Json::object).find_map(|output| output.string("model"));
        found.usual_provider = "mistral_ai";
    }
    if found.parts.iter().all(|part| part.usage.get(Meter::OutputTextTokens).is_zero())
        && found.model.as_deref().is_some_and(|model| model.contains("embed"))
    {
        found.operation = Cow::Borrowed("embeddings");
    }
    // Search models look something up for every call:
    // https://platform.openai.com/docs/guides/tools-web-search, checked 2026-11-22.
    if found.model.as_deref().is_some_and(|model| model.starts_with("gpt-") && model.contains("-search-")) {
        found.parts[0].usage.add(Meter::WebSearches, 1);
    }
    if found.parts.iter().all(|part| {
        !part.usage.get(Meter::InputAudioSeconds).is_zero() && part.usage.get(Meter::InputTextTokens).is_zero()
    }) {
        found.operation = Cow::Borrowed("transcription");
    }
    if object.object("content").is_some_and(|content| content.has("video_url")) {
        found.operation = Cow::Borrowed("video_generation");
    }
    if let Some(choices) = object.get("choices").filter(|choices| choices.text().contains("\"executed_tools\"")) {
        executed(choices, &mut found.parts[0].usage);
    }
    Ok(found)
}

/// Tools that Groq ran for an answer, each with its type: searches and visits of pages are billed by the call, the time of
/// code and browsers by the hour (<https://console.groq.com/docs/compound>, and answers that others published, read
/// 2026-11-29). A stream says each twice, without its result and with it: both have its index.
fn executed(choices: Json<'_>, usage: &mut Usage) {
    let mut seen: Vec<&str> = Vec::new();
    for choice in choices.array().unwrap_or_default().into_iter().filter_map(Json::object) {
        let said = choice.object("message").or_else(|| choice.object("delta")).unwrap_or_default();
        for tool in said.array("executed_tools").unwrap_or_default().into_iter().filter_map(Json::object) {
            if let Some(index) = tool.get("index").map(Json::text) {
                if seen.contains(&index) {
                    continue;
                }
                seen.push(index);
            }
            match tool.string("type").as_deref() {
                Some("search" | "web_search" | "browser_search" | "browser.search") => usage.add(Meter::WebSearches, 1),
                Some("visit" | "visit_website" | "browser.open") => usage.add(Meter::WebFetches, 1),
                _ => {}
            }
        }
    }
}

/// Legacy completions.
pub(crate) fn completion<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    call(object, "openai.completion", "text_completion", &CHAT)
}

/// Embeddings. Most have no id and no time.
pub(crate) fn embedding<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let reranked = object.object("usage").filter(|usage| usage.has("rerank_units"));
    let mut found = match &reranked {
        // Pinecone counts requests of a reranker (<https://docs.pinecone.io/reference/api/latest/inference/rerank>, not opened).
        Some(usage) => reranked_by_units(object, usage)?,
        None => call(object, "openai.embedding", "embeddings", &CHAT)?,
    };
    if found.model.is_none() {
        found.usual_provider = "unknown";
    }
    // Rerankers of embedders answer in the same form.
    let first = object.get("data").or_else(|| object.get("results"));
    if object.has("rankings") {
        found.operation = Cow::Borrowed("rerank");
        found.usual_provider = "nvidia";
    }
    if first.is_some_and(|list| list.text().get(..200).unwrap_or(list.text()).contains("\"relevance_score\"")) {
        found.operation = Cow::Borrowed("rerank");
    }
    // Voyage counts images in pixels, by which they are billed and for which there is no meter, and as tokens in the total
    // (<https://docs.voyageai.com/reference/multimodal-embeddings-api>, not opened).
    if let Some(usage) = object.object("usage").filter(|usage| usage.has("image_pixels") || usage.has("video_pixels")) {
        let counts = Counts::new(&usage, "usage");
        let text = counts.or_zero("text_tokens")?;
        let images = rest(counts.need("total_tokens")?, "usage.total_tokens", &[(text, "usage.text_tokens")])?;
        let vector = &mut found.parts[0].usage;
        vector.set(Meter::InputTextTokens, text);
        vector.set(Meter::InputImageTokens, images);
    }
    Ok(found)
}

/// An answer of a reranker that counts its units alone.
fn reranked_by_units<'a>(object: &Object<'a>, usage: &Object<'a>) -> Result<Call<'a>> {
    let mut found = Call::new("openai.embedding", "rerank", precedence::PROVIDER);
    found.usual_provider = "pinecone";
    found.model = envelope::text(object, "model")?;
    found.raw_usage = Cow::Borrowed(raw(object.get("usage")));
    let mut part = Part::default();
    part.usage.add(Meter::RerankSearches, Counts::new(usage, "usage").need("rerank_units")?);
    found.parts = smallvec![part];
    Ok(found)
}

/// Moderations: OpenAI's are free, but counted. Mistral bills the tokens it read; its total is another number, of which no page says
/// what it holds (answers that others published, read 2026-11-29).
pub(crate) fn moderation<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut found = Call::new("openai.moderation", "moderation", precedence::PROVIDER);
    found.model = envelope::text(object, "model")?;
    found.response_id = envelope::text(object, "id")?;
    let mut part = Part { flags: Flags::default(), ..Part::default() };
    if found.response_id.as_deref().is_some_and(|id| id.starts_with("modr-")) {
        found.provider = Some("openai".into());
        part.usage.add(Meter::Requests, 1);
    } else if let Some(usage) = object.object("usage") {
        let counts = Counts::new(&usage, "usage");
        let read = counts.need("prompt_tokens")?;
        part.usage.add(Meter::InputTextTokens, read);
        part.usage.add(Meter::OutputTextTokens, counts.or_zero("completion_tokens")?);
        if counts.count("total_tokens")?.is_some_and(|total| total != read) {
            part.flags.set(Flag::TotalMismatch);
        }
        found.raw_usage = Cow::Borrowed(raw(object.get("usage")));
    } else {
        found.flags.set(Flag::UsageMissing);
    }
    found.usual_provider = found.model.as_deref().and_then(families::family).unwrap_or("unknown");
    found.parts = smallvec![part];
    Ok(found)
}
