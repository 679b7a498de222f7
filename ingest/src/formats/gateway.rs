//! Records of LiteLLM.

use std::borrow::Cow;

use schemas::{CostBasis, Flag, Meter, Text};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, precedence};
use crate::envelope::{self, Envelope, provider_name, time};
use crate::formats::{anthropic, cohere, gemini, openai};
use crate::head;
use crate::identity;
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::problem::Result;
use crate::recognise::{Shape, recognise};

/// LiteLLM's StandardLoggingPayload: an OpenAI usage object whatever the provider, every cache count inside the prompt
/// (<https://docs.litellm.ai/docs/proxy/logging_spec>, checked 2026-11-22).
pub(crate) fn litellm<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    // What its callbacks are given has the payload within.
    if let Some(payload) = object.object("standard_logging_object").filter(|_| !object.has("prompt_tokens")) {
        return litellm(json, &payload, envelope, out);
    }
    let mut call = Call::new("litellm.standard_logging", "chat", precedence::GATEWAY);
    let kind = object.string("call_type").unwrap_or_default();
    call.operation = Cow::Borrowed(match kind.trim_start_matches('a') {
        "embedding" => "embeddings",
        "text_completion" => "text_completion",
        "image_generation" | "image_edit" => "image_generation",
        "transcription" => "transcription",
        "speech" => "speech",
        "rerank" => "rerank",
        "moderation" => "moderation",
        "ocr" => "ocr",
        "video_generation" | "create_video" => "video_generation",
        _ => "chat",
    });
    call.context.batch = kind.ends_with("retrieve_batch");
    let seller = envelope::text(object, "custom_llm_provider")?;
    call.provider = seller.as_deref().map(provider_name);
    call.model = envelope::text(object, "model")?;
    if let (Some(seller), Some(routed)) = (&seller, &call.model) {
        let (model, region) = unrouted(routed, seller);
        call.context.region = region.map(Text::from);
        if model.len() < routed.len() {
            call.model = Some(Cow::Owned(model.to_owned()));
        }
    }
    if let Some(address) = object.string("api_base") {
        head::place(&address, &mut call.context);
    }
    call.requested_model = envelope::owned(object, "model_group")?;
    // In rows of its database, the id of the request is that of the answer.
    call.response_id = match envelope::text(object, "id")? {
        Some(id) => Some(id),
        None => envelope::text(object, "request_id")?,
    };
    call.time = time(object, if object.has("startTime") { "startTime" } else { "start_time" })?;
    call.time = call.time.or(time(object, "timestamp").unwrap_or(None));
    call.reported_cost = envelope::cost(object, "response_cost", "estimate_at_list_price")?;
    if call.reported_cost.is_none() {
        // Rows of its database call it so.
        call.reported_cost = envelope::cost(object, "spend", "estimate_at_list_price")?;
    }
    // Exports of its tables hold it as text.
    let kept = object.get("metadata").map(|value| value.string().unwrap_or(Cow::Borrowed(value.text())));
    let kept = kept.unwrap_or_default();
    let metadata = Json::parse_object(&kept).map(|(_, parsed)| parsed).unwrap_or_default();
    let counted = |usage: &Json<'_>| usage.object().is_some_and(|usage| usage.has("prompt_tokens"));
    const ANSWERS: [&str; 3] = ["response", "complete_streaming_response", "async_complete_streaming_response"];
    let answer = ANSWERS.iter().find_map(|name| object.object(name));
    let usage = answer.as_ref().and_then(|answer| answer.get("usage"));
    let stated = metadata.get("usage_object").filter(counted).or_else(|| usage.filter(counted));
    // What houses log with its ids beside the provider's usage.
    let stated = stated.or_else(|| object.get("usage").filter(counted));
    // The answer itself, in the provider's own words, says more than the three counts.
    let own = if stated.is_none() { answer.as_ref().and_then(own_tokens) } else { None };
    let text = match stated {
        Some(usage) => usage.text().to_owned(),
        // Older versions state the three counts alone.
        None => {
            let counts = ["prompt_tokens", "completion_tokens", "total_tokens"].into_iter();
            let counts = counts.filter_map(|name| object.get(name).map(|value| format!("\"{name}\":{}", value.text())));
            format!("{{{}}}", counts.collect::<Vec<_>>().join(","))
        }
    };
    let model = call.model.as_deref().unwrap_or("").to_owned();
    let mut part = match Object::of(&text) {
        Some(only) if only.has("prompt_tokens") => openai::usage(&only, &openai::CHAT, &model)?,
        _ => {
            call.flags.set(Flag::UsageMissing);
            Part::default()
        }
    };
    // Tools that ran for a response are only told by what it put out.
    if part.usage.get(Meter::WebSearches).is_zero()
        && let Some(output) = answer.as_ref().and_then(|answer| answer.get("output"))
        && output.text().contains("_call\"")
        && stated.is_some()
    {
        openai::tools(output, &mut part.usage);
    }
    if let Some(usage) = metadata.object("usage_object") {
        call.context.speed = envelope::owned(&usage, "speed")?.filter(|speed| speed != "standard");
        let geo =
            envelope::owned(&usage, "inference_geo")?.filter(|geo| !matches!(geo.as_str(), "global" | "not_available"));
        call.context.residency = geo.or(call.context.residency.take());
    }
    let used = !part.usage.is_empty();
    if object.is("status", "failure") && !used {
        out.ignore(IgnoreReason::FailedCall);
        return Ok(());
    }
    let paid = call.reported_cost.as_ref().is_some_and(|cost| cost.amount.picos() != 0);
    if !used && !paid && is_of_no_model(&kind) {
        out.ignore(IgnoreReason::NotAModelCall);
        return Ok(());
    }
    let drawn = call.operation == "image_generation";
    let answer = answer.filter(|_| drawn || !used);
    match answer.as_ref().and_then(own_counts).or(own) {
        Some(answered) => {
            call.parts = answered.parts;
            call.raw_usage = Cow::Owned(answered.raw_usage.into_owned());
        }
        None => {
            if drawn {
                part.draw();
            }
            if !used {
                call.flags.set(Flag::UsageMissing);
            }
            call.parts = smallvec![part];
            call.raw_usage = Cow::Owned(text);
        }
    }
    if object.get("cache_hit").is_some_and(|hit| {
        hit.boolean() == Some(true) || hit.string().is_some_and(|hit| hit.eq_ignore_ascii_case("true"))
    }) {
        call.cost_basis = Some(CostBasis::GatewayCache);
        // A cached answer repeats the id of the call it was copied from, but is not that call.
        call.response_id = None;
    }
    if let Some(parameters) = object.object("model_parameters") {
        call.context.requested_tier = envelope::owned(&parameters, "service_tier")?;
        if drawn {
            let said = |name: &str| envelope::owned(&parameters, name).unwrap_or(None).filter(|said| said != "auto");
            (call.context.size, call.context.quality) = (said("size"), said("quality"));
        }
    }
    envelope.event_id = match envelope::text(object, "litellm_call_id")? {
        Some(id) => Some(id),
        None => envelope::text(object, "request_id")?,
    };
    envelope.source = Some(Cow::Borrowed("litellm"));
    let first = |names: &[&str]| -> Result<Option<Text>> {
        for name in names {
            if let Some(found) = envelope::owned(&metadata, name)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    };
    // What the payload says in its metadata, rows of its database have as columns.
    let or = |found: Option<Text>, column: &str| match found {
        Some(found) => Ok(Some(found)),
        None => envelope::owned(object, column),
    };
    let key = or(first(&["user_api_key_alias", "user_api_key_hash"])?, "api_key")?;
    envelope.key_id = key.map(|key| identity::key_id(&key));
    envelope.claimed.team = or(first(&["user_api_key_team_alias", "user_api_key_team_id"])?, "team_id")?;
    envelope.claimed.business_unit = or(first(&["user_api_key_org_id"])?, "organization_id")?;
    envelope.claimed.customer = envelope::owned(object, "end_user")?;
    envelope.claimed.session = or(envelope::owned(object, "trace_id")?, "session_id")?;
    if let Some(user) = or(first(&["user_api_key_user_id"])?, "user")? {
        envelope.claim_user(&user, out.config);
    }
    if let Some(logged) = metadata.object("spend_logs_metadata") {
        envelope.add_tags(&logged, out.config);
    }
    let listed = object.get("request_tags").and_then(Json::string).unwrap_or_default();
    let listed = object.array("request_tags").or_else(|| Json::parse(&listed).ok()?.array());
    for tag in listed.unwrap_or_default() {
        if let Some(tag) = tag.string() {
            let (key, value) = tag.split_once(':').unwrap_or((&tag, "true"));
            envelope.add_tag(key, value, out.config);
        }
    }
    out.call(call, envelope, json);
    Ok(())
}

/// A model by the provider's own name, and the region LiteLLM was told beside it: what it routes by stands before the name
/// (`vertex_ai/`, `bedrock/converse/`, `bedrock/us-west-2/`; <https://docs.litellm.ai/docs/providers/bedrock>, checked 2026-11-30).
fn unrouted<'m>(routed: &'m str, seller: &str) -> (&'m str, Option<&'m str>) {
    // `bedrock_converse` and the like are what it calls its own parts of a provider.
    let whole = ["bedrock", "vertex_ai"].into_iter().find(|whole| seller.starts_with(whole)).unwrap_or(seller);
    let prefixed = [seller, whole].into_iter().find_map(|name| routed.strip_prefix(name)?.strip_prefix('/'));
    let mut model = prefixed.filter(|model| !model.is_empty()).unwrap_or(routed);
    if whole != "bedrock" {
        return (model, None);
    }
    const ROUTES: [&str; 5] = ["converse/", "converse_like/", "invoke/", "mantle/", "openai/"];
    model = ROUTES.iter().find_map(|route| model.strip_prefix(route)).unwrap_or(model);
    let is_region = |text: &str| text.matches('-').count() >= 2 && text.ends_with(|last: char| last.is_ascii_digit());
    match model.split_once('/') {
        Some((region, model)) if is_region(region) && !model.is_empty() => (model, Some(region)),
        _ => (model, None),
    }
}

/// True for what is logged like a call, and asks no model: files, batches and tools, and whatever is listed, fetched or taken back.
fn is_of_no_model(kind: &str) -> bool {
    const WORDS: [&str; 13] = [
        "batch",
        "file",
        "fine_tuning",
        "mcp_tool",
        "list",
        "delete",
        "retrieve",
        "cancel",
        "get_",
        "assistants",
        "thread",
        "vector_store",
        "container",
    ];
    WORDS.iter().any(|word| kind.contains(word))
}

/// The tokens of an answer in the spelling of whoever gave it, and the tools they ran.
fn own_tokens<'a>(answer: &Object<'a>) -> Option<Call<'a>> {
    let call = match recognise(answer)?.0 {
        Shape::OpenAiResponse => openai::response(answer),
        Shape::AnthropicMessage => anthropic::message(answer),
        Shape::Gemini => gemini::response(answer),
        _ => return None,
    };
    call.ok().filter(|call| call.parts.len() == 1 && !call.parts[0].usage.is_empty())
}

/// What an answer itself counts, where LiteLLM knows no tokens of it or not which: searches of a reranker, images, sound, pages.
fn own_counts<'a>(answer: &Object<'a>) -> Option<Call<'a>> {
    let call = match recognise(answer)?.0 {
        Shape::Cohere => cohere::response(answer),
        Shape::OpenAiImage => openai::image(answer),
        Shape::OpenAiTranscription => openai::transcription(answer),
        Shape::MistralOcr => openai::ocr(answer),
        _ => return None,
    };
    call.ok().filter(|call| call.parts.iter().any(|part| !part.usage.is_empty()))
}
