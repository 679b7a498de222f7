//! OpenAI's bodies, and those of servers that speak like it: `prompt_tokens` (or `input_tokens`) includes what was read
//! from and written to a cache, `completion_tokens` (or `output_tokens`) includes reasoning.

mod spelling;

use std::borrow::Cow;

use schemas::{Flag, Meter, PriceContext, ReportedCost, Text};
use smallvec::{SmallVec, smallvec};

pub(crate) use spelling::{AI_SDK, CHAT, CODEX, IMAGES, RESPONSES, SPEECH, Spelling};
use spelling::{CAMEL, INPUT_DETAIL_FIELDS, OUTPUT_DETAIL_FIELDS, USAGE_FIELDS, YANDEX};

use crate::assemble::{Call, Part, precedence};
use crate::envelope::{self, time};
use crate::formats::{families, gemini};
use crate::json::{Json, Kind, NameSet, Object};
use crate::number;
use crate::problem::{Problem, Result};
use crate::usage::{Counts, Flags, Usage, raw, rest};

/// Anthropic's names of its cache counts.
const ANTHROPIC_CACHES: [&str; 2] = ["cache_read_input_tokens", "cache_creation_input_tokens"];

/// The exclusive vector of a usage object.
pub(crate) fn usage(object: &Object<'_>, spelling: &Spelling, model: &str) -> Result<Part> {
    let counts = Counts::new(object, "usage");
    let names = &spelling.names;
    let mut part = Part::default();
    let output = counts.or_zero(spelling.output)?;
    // Servers that do not add up write a zero; embedders (Voyage, Jina) write the total alone, which is all input.
    let total = counts.count(spelling.total)?;
    let input = match (counts.count(spelling.input)?, total) {
        (Some(input), _) => input,
        (None, Some(total)) if !object.has(spelling.output) => total,
        // Videos of Seedance are all output, and what they were asked with is not counted.
        (None, Some(total)) if total == output => 0,
        (None, _) => counts.need(spelling.input)?,
    };
    let total = total.filter(|total| *total > 0);
    let mut unknown = unknown_fields(object, &USAGE_FIELDS);

    let (mut cached, mut written, mut written_1h, mut lasting) = (None, None, 0, false);
    let (mut audio, mut image, mut video) = (0, 0, 0);
    let (mut cached_audio, mut cached_image) = (0, 0);
    let (mut cached_split, mut searched) = (false, None);
    if let Some((name, value)) = object.first(spelling.input_details) {
        if value.kind() == Kind::String
            && let Some(whole) = spelling::unprinted(object)
            && let Some((_, whole)) = Json::parse_object(&whole)
        {
            return usage(&whole, spelling, model);
        }
        let details = counts.inner(name)?.unwrap_or_default();
        let inner = counts.within(name, &details);
        cached = inner.alias(&[
            "cached_tokens",
            "cachedTokens",
            "cacheReadTokens",
            "cache_read_input_tokens",
            "cached_read_tokens",
        ])?;
        written = inner.alias(&[
            "cache_write_tokens",
            "cache_creation_tokens",
            "cacheWriteTokens",
            "cache_creation_input_tokens",
            "cached_write_tokens",
        ])?;
        // LiteLLM and Qwen pass Anthropic's lifetimes on.
        for name in ["cache_creation_token_details", "cache_creation"] {
            if let Some(split) = inner.inner(name)? {
                written_1h = inner.within(name, &split).or_zero("ephemeral_1h_input_tokens")?;
                lasting = true;
            }
        }
        searched = inner.count("search_tokens")?;
        audio = inner.or_zero("audio_tokens")?;
        image = inner.or_zero("image_tokens")?;
        video = inner.or_zero("video_tokens")?;
        if let Some(split) = inner.inner("cached_tokens_details")? {
            let split = inner.within("cached_tokens_details", &split);
            cached_audio = split.or_zero("audio_tokens")?.min(audio);
            cached_image = split.or_zero("image_tokens")?.min(image);
            cached_split = true;
        }
        unknown |= unknown_fields(&details, &INPUT_DETAIL_FIELDS);
    }
    // The same counts under the names other emitters give them; never added up.
    let cached_names = [
        "cached_tokens",
        "num_cached_tokens",
        "cached_prompt_text_tokens",
        "cache_read_input_tokens",
        "prompt_cache_hit_tokens",
        "cached_input_tokens",
        "cachedInputTokens",
        "cache_read_tokens",
        "input_tokens_cache_read",
    ];
    let written_names = [
        "cache_creation_input_tokens",
        "cache_write_input_tokens",
        "cache_creation_tokens",
        "cache_write_tokens",
        "input_tokens_cache_write",
        "cacheWriteInputTokens",
    ];
    let cached = agree(names.cached, cached, counts.alias(&cached_names)?)?;
    let written = agree(names.written, written, counts.alias(&written_names)?)?;
    let written_1h = written_1h.min(written);
    // Anthropic's writes have two prices; others have one, and no lifetime to assume.
    let of_two = || model.contains("claude") || object.has("cache_creation_input_tokens");
    if written > 0 && !lasting && of_two() {
        part.flags.set(Flag::Assumed5m);
    }
    if let (Some(hit), Some(miss)) =
        (counts.count("prompt_cache_hit_tokens")?, counts.count("prompt_cache_miss_tokens")?)
        && hit + miss != input
    {
        let message = format!(
            "usage.prompt_cache_hit_tokens {hit} + usage.prompt_cache_miss_tokens {miss} is not {} {input}",
            names.input
        );
        return Err(Problem::contradiction("usage.prompt_cache_hit_tokens", message));
    }
    // Without a split, cached tokens are text as far as the text goes; the rest can only be audio, then images.
    let overlap = cached + written + audio + image + video - input;
    if !cached_split && overlap > 0 && cached > 0 {
        cached_audio = overlap.min(audio).min(cached);
        cached_image = (overlap - cached_audio).min(image).min(cached - cached_audio);
    }
    let cached_text = (cached - cached_audio - cached_image).max(0);
    let (audio, image) = (audio - cached_audio, image - cached_image);
    // Gateways that pass Anthropic's counts on may leave its caches beside the input, where they are: what is larger than
    // the input cannot be inside it (<https://github.com/BerriAI/litellm/pull/23342>, read 2026-11-29).
    let apart = total == Some(input + output + cached + written) && object.has("input_tokens_cache_read");
    let exclusive = cached + written > input && ANTHROPIC_CACHES.iter().any(|name| object.has(name))
        || (apart && cached + written > 0);
    let (cached_inside, written_inside) = if exclusive { (0, 0) } else { (cached, written) };
    let uncached = rest(
        input,
        names.input,
        &[
            (cached_inside, names.cached),
            (written_inside, names.written),
            (audio, names.audio_in),
            (image + video, names.image_in),
        ],
    )?;

    let (mut reasoning, mut audio_out, mut image_out, mut text_out) = (None, 0, 0, None);
    if let Some((name, _)) = object.first(spelling.output_details)
        && let Some(details) = counts.inner(name)?
    {
        let inner = counts.within(name, &details);
        reasoning = inner.alias(&["reasoning_tokens", "reasoningTokens"])?;
        audio_out = inner.or_zero("audio_tokens")?;
        image_out = inner.or_zero("image_tokens")?;
        text_out = inner.count("text_tokens")?;
        unknown |= unknown_fields(&details, &OUTPUT_DETAIL_FIELDS);
    }
    // Perplexity counts the reasoning of deep research beside everything else; others repeat at the top what their
    // details say is inside the output.
    let top = counts
        .alias(&["reasoning_tokens", "reasoning_output_tokens", "reasoningTokens", "reasoningOutputTokens"])?
        .unwrap_or(0);
    let perplexity = || object.has("num_search_queries") || object.has("citation_tokens") || model.contains("sonar");
    let (reasoning, beside) = match reasoning {
        Some(reasoning) if reasoning > 0 => (reasoning, 0),
        _ if top > 0 && perplexity() => (0, top),
        _ => (top, 0),
    };
    let audio_seconds = counts.quantity_or_none("prompt_audio_seconds")?;

    // What Mistral's connectors put into a prompt stands beside it, and is input.
    let connected = match counts.or_zero("connector_tokens")? {
        // So may what Qianfan's search puts there.
        0 => counts.count("search_tokens")?.or(searched).unwrap_or(0),
        connected => connected,
    };
    // GigaChat leaves what its cache gave out of the prompt and of the total
    // (<https://developers.sber.ru/docs/ru/gigachat/api/reference/rest/post-chat>, not opened; public clients, read 2026-11-29).
    let precached = counts.or_zero("precached_prompt_tokens")?;
    // Snowflake bills what its guard reads at a price of its own, for which there is no meter: it stands in the total, and
    // raises a flag (<https://docs.snowflake.com/en/sql-reference/functions/complete-snowflake-cortex>, not opened).
    let guarded = counts.alias(&["guardrails_tokens", "guard_tokens"])?.unwrap_or(0);
    let mut found = 0;

    let sum = input + output;
    let mut additive = 0;
    part.checked = match total {
        None => {
            found = connected;
            ""
        }
        Some(total) if connected > 0 && total == sum + connected => {
            found = connected;
            "total = prompt + completion + connectors"
        }
        Some(total) if exclusive && total == sum + cached + written => {
            "total = prompt + cache read + cache written + completion"
        }
        Some(total) if total == sum => "total = prompt + completion",
        Some(total) if guarded > 0 && total == sum + guarded => "total = prompt + completion + guardrails",
        // xAI counts reasoning beside the completion: https://docs.x.ai/docs/guides/reasoning, checked 2026-11-22.
        Some(total) if reasoning > 0 && total == sum + reasoning => {
            additive = reasoning;
            "total = prompt + completion + reasoning"
        }
        // Gemini's OpenAI endpoint shows thinking in the total alone.
        Some(total) if total > sum && model.contains("gemini") => {
            additive = total - sum;
            part.flags.set(Flag::HiddenReasoning);
            "total = prompt + completion + hidden reasoning"
        }
        // Mistral counts audio tokens in the total alone and bills audio by the second.
        Some(total) if total > sum && audio_seconds.is_some() => {
            part.flags.set(Flag::TotalMismatch);
            "total = prompt + completion + audio billed by the second"
        }
        Some(total) => {
            let message = format!(
                "usage.{} is {total} but {} {input} + {} {output} is {sum}",
                spelling.total, names.input, names.output
            );
            return Err(Problem::contradiction(&counts.path(spelling.total), message));
        }
    };
    if exclusive && !apart {
        part.flags.set(Flag::TotalMismatch);
    }
    let mut inside = if additive > 0 && !part.flags.list().contains(&Flag::HiddenReasoning) { 0 } else { reasoning };
    // Some that serve open models count reasoning with another tokenizer than the whole, or beside it: more than the whole is no
    // part of it. Billed is the completion, which the total confirms (<https://github.com/Effect-TS/effect/pull/8170>, read
    // 2026-11-29).
    if inside > output && total == Some(sum) && spelling.input == CHAT.input {
        inside = 0;
        part.flags.set(Flag::TotalMismatch);
    }
    let plain = rest(
        output,
        names.output,
        &[(inside, names.reasoning), (audio_out, names.audio_out), (image_out, names.other_out)],
    )?;
    let vector = &mut part.usage;
    vector.add(Meter::InputTextTokens, uncached + found);
    vector.add(Meter::CacheReadTextTokens, cached_text + precached);
    vector.add(Meter::CacheWrite5mTokens, written - written_1h);
    vector.add(Meter::CacheWrite1hTokens, written_1h);
    vector.add(Meter::InputAudioTokens, audio);
    vector.add(Meter::CacheReadAudioTokens, cached_audio);
    vector.add(Meter::InputImageTokens, image);
    vector.add(Meter::CacheReadImageTokens, cached_image);
    vector.add(Meter::InputVideoTokens, video);
    vector.add(Meter::OutputReasoningTokens, inside + additive + beside);
    vector.add(Meter::OutputAudioTokens, audio_out);
    vector.add(Meter::OutputImageTokens, image_out);
    match text_out {
        // An image model that says how much of its output was text.
        Some(text) if spelling.plain_output != Meter::OutputTextTokens => {
            vector.add(Meter::OutputTextTokens, text.min(plain));
            vector.add(spelling.plain_output, plain - text.min(plain));
        }
        _ => vector.add(spelling.plain_output, plain),
    }
    if let Some(seconds) = audio_seconds {
        vector.add_quantity(Meter::InputAudioSeconds, seconds);
    }
    extras(&counts, vector, &mut unknown)?;
    if unknown {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}

impl Counts<'_, '_> {
    /// Mistral writes an empty object where there is no audio.
    fn quantity_or_none(&self, name: &str) -> Result<Option<schemas::Quantity>> {
        match self.object.get(name) {
            Some(value) if value.kind() == Kind::Object => Ok(None),
            _ => Ok(self.quantity(name)?.filter(|quantity| !quantity.is_zero())),
        }
    }
}

/// True for the name of a count, or of anything else in a usage object, that is read.
pub(crate) fn is_known(name: &str) -> bool {
    USAGE_FIELDS.contains(name)
}

/// Two readings of one count. Zero is what emitters write for a count they do not keep.
fn agree(name: &'static str, first: Option<i64>, second: Option<i64>) -> Result<i64> {
    match (first.unwrap_or(0), second.unwrap_or(0)) {
        (a, b) if a == b || b == 0 => Ok(a),
        (0, b) => Ok(b),
        (a, b) => {
            let message = format!("{name} is {a} but the same count under another name is {b}");
            Err(Problem::contradiction(name, message))
        }
    }
}

fn unknown_fields(object: &Object<'_>, known: &NameSet) -> bool {
    object.iter().any(|(name, value)| !known.contains(name) && !matches!(value.text(), "0" | "0.0" | "null"))
}

/// What OpenRouter, xAI, Mistral and Perplexity count besides tokens.
fn extras(counts: &Counts<'_, '_>, vector: &mut Usage, unknown: &mut bool) -> Result<()> {
    vector.add(Meter::SearchQueries, counts.or_zero("num_search_queries")?);
    // Citations are input the provider added; Perplexity prices them like input.
    vector.add(Meter::InputTextTokens, counts.or_zero("citation_tokens")?);
    // xAI bills live search by the source, for which there is no meter yet.
    *unknown |= counts.or_zero("num_sources_used")? > 0;
    // xAI says which of its tools ran: https://docs.x.ai/docs/guides/tools/overview, checked 2026-11-27 in answers that
    // others published. Searches of X are billed like those of the web.
    if let Some(tools) = counts.inner("server_side_tool_usage_details")? {
        let tools = counts.within("server_side_tool_usage_details", &tools);
        vector.add(Meter::WebSearches, tools.or_zero("web_search_calls")? + tools.or_zero("x_search_calls")?);
        vector.add(Meter::CodeSessions, tools.or_zero("code_interpreter_calls")?);
        let files = tools.or_zero("file_search_calls")? + tools.or_zero("document_search_calls")?;
        vector.add(Meter::FileSearches, files);
        *unknown |= tools.or_zero("image_generation_calls")? > 0;
    }
    if let Some(connectors) = counts.inner("connectors")? {
        let connectors = counts.within("connectors", &connectors);
        let searches = connectors.or_zero("web_search")? + connectors.or_zero("web_search_premium")?;
        vector.add(Meter::WebSearches, searches);
        vector.add(Meter::CodeSessions, connectors.or_zero("code_interpreter")?);
        vector.add(Meter::FileSearches, connectors.or_zero("document_library")?);
        vector.add(Meter::OutputImages, connectors.or_zero("image_generation")?);
        static KNOWN: NameSet = NameSet::new(&[
            "web_search",
            "web_search_premium",
            "code_interpreter",
            "document_library",
            "image_generation",
        ]);
        *unknown |= unknown_fields(connectors.object, &KNOWN);
    }
    // Perplexity's agents say how often each of their tools ran (answers that others published, read 2026-11-29).
    if let Some(tools) = counts.inner("tool_calls_details")? {
        let tools = counts.within("tool_calls_details", &tools);
        for (name, tool) in tools.object.iter().filter_map(|(name, tool)| Some((name, tool.object()?))) {
            let calls = tools.within(name, &tool).or_zero("invocation")?;
            match name {
                "search_web" => vector.add(Meter::WebSearches, calls),
                "fetch_url" => vector.add(Meter::WebFetches, calls),
                _ => *unknown |= calls > 0,
            }
        }
    }
    for name in ["server_tool_use", "server_tool_use_details"] {
        if let Some(tools) = counts.inner(name)? {
            vector.add(Meter::WebSearches, counts.within(name, &tools).or_zero("web_search_requests")?);
            break;
        }
    }
    Ok(())
}

/// The tier that served a call. `auto` is a request, not a tier.
fn served_tier(object: &Object<'_>) -> Result<Option<Text>> {
    Ok(envelope::owned(object, "service_tier")?.filter(|tier| tier != "auto"))
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
    // Groq streams its usage within its own field.
    let groq = || object.object("x_groq").and_then(|groq| groq.get("usage"));
    let usage_value = object.get("usage").or_else(groq);
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
    call.context = PriceContext { service_tier: served_tier(object)?, ..PriceContext::default() };
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
    if call.provider.as_deref() == Some("vercel") {
        let told = families::gateway(object).unwrap_or_default();
        call.reported_cost = envelope::cost(&told, "cost", "billed_by_provider").unwrap_or(None);
    }
    // Bifrost says in the answer itself that its cache gave it.
    let debug = || object.object("extra_fields")?.object("cache_debug")?.get("cache_hit")?.boolean();
    if object.has("extra_fields") && debug() == Some(true) {
        call.cost_basis = Some(schemas::CostBasis::GatewayCache);
    }
    if call.provider.as_deref().is_some_and(families::is_self_hosted) {
        call.cost_basis = Some(schemas::CostBasis::SelfHosted);
    }
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
    let spelling = match other.and_then(Json::object) {
        Some(usage) if usage.has("promptTokens") => &CAMEL,
        Some(usage) if usage.has("inputTextTokens") => &YANDEX,
        _ => &CHAT,
    };
    let mut found = call(object, "openai.chat_completion", "chat", spelling)?;
    if spelling.input != CHAT.input {
        found.time = found.time.or(time(object, "timeCreated")?);
        found.usual_provider = if spelling.input == YANDEX.input { "yandex" } else { "unknown" };
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
    if found.model.as_deref().is_some_and(|model| model.contains("embed"))
        && found.parts.iter().all(|part| part.usage.get(Meter::OutputTextTokens).is_zero())
    {
        found.operation = Cow::Borrowed("embeddings");
    }
    // Search models look something up for every call:
    // https://platform.openai.com/docs/guides/tools-web-search, checked 2026-11-22.
    if found.model.as_deref().is_some_and(|model| model.starts_with("gpt-") && model.contains("-search-")) {
        found.parts[0].usage.add(Meter::WebSearches, 1);
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

/// Responses, and what Realtime calls `response`.
pub(crate) fn response<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut found = call(object, "openai.response", "chat", &RESPONSES)?;
    if object.is("object", "realtime.response") || object.is("object", "response.compaction") {
        // The session names the model, not its responses.
        found.usual_provider = "openai";
    }
    if found.model.is_none() && object.string("response_id").is_some_and(|id| id.starts_with("resp_")) {
        // The Agents SDK keeps of a response its output, its usage and its id.
        found.response_id = envelope::text(object, "response_id")?;
        found.usual_provider = "openai";
    }
    // Where the usage counts the tools, the calls in the output are those again.
    let counted = object.object("usage").is_some_and(|usage| usage.has("server_side_tool_usage_details"));
    if !counted
        && let Some(output) = object.get("output")
        && output.text().contains("_call\"")
    {
        tools(output, &mut found.parts[0].usage);
    }
    // Who logs a response may leave its output out, or its calls, and Codex' own endpoint leaves it empty (answers
    // that others published, read 2026-11-30): what is left says how often was searched.
    if !counted
        && found.parts[0].usage.get(Meter::WebSearches).is_zero()
        && let Some(tools) = object.object("tool_usage")
        && let Some(searches) = tools.object("web_search")
    {
        let searches = Counts::new(&searches, "tool_usage.web_search").or_zero("num_requests")?;
        found.parts[0].usage.add(Meter::WebSearches, searches);
    }
    found.parts.extend(drawn(object)?);
    Ok(found)
}

/// Images that a response drew: tokens of an image model, billed beside the response's own. The tool's settings name the
/// model (answers that others published, read 2026-11-28).
fn drawn(object: &Object<'_>) -> Result<Option<Part>> {
    let counted = |usage: &Object<'_>| usage.has("input_tokens") && usage.has("output_tokens");
    let counts = object.object("tool_usage").and_then(|tools| tools.object("image_gen")).filter(counted);
    let Some(counts) = counts else { return Ok(None) };
    let mut part = usage(&counts, &IMAGES, "")?;
    if part.usage.is_empty() {
        return Ok(None);
    }
    let tools = object.array("tools").unwrap_or_default().into_iter().filter_map(Json::object);
    let model = tools.filter(|tool| tool.is("type", "image_generation")).find_map(|tool| tool.string("model"));
    let model = model.filter(|model| model.len() <= crate::TEXT_BYTES_MAX);
    part.model = Some(model.as_deref().unwrap_or("unknown").into());
    part.iteration = 1;
    part.flags.set(Flag::IterationsExpanded);
    Ok(Some(part))
}

/// Tools that are billed by the call. Opening a page or searching within one is part of the search before it.
pub(crate) fn tools(output: Json<'_>, usage: &mut Usage) {
    let mut containers: Vec<Cow<'_, str>> = Vec::new();
    for item in output.array().unwrap_or_default() {
        let Some(item) = item.object() else { continue };
        match item.string("type").as_deref() {
            Some("web_search_call") => {
                let action = item.object("action").and_then(|action| action.string("type"));
                if action.is_none_or(|action| action == "search") {
                    usage.add(Meter::WebSearches, 1);
                }
            }
            Some("file_search_call") => usage.add(Meter::FileSearches, 1),
            Some("code_interpreter_call") => {
                let container = item.string("container_id").unwrap_or_default();
                if !containers.contains(&container) {
                    containers.push(container);
                    usage.add(Meter::CodeSessions, 1);
                }
            }
            _ => {}
        }
    }
}

/// Images: tokens, where the model bills by them; else pieces of a size and quality.
pub(crate) fn image<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut found = call(object, "openai.image", "image_generation", &IMAGES)?;
    // Vertex answers with the images of Imagen as predictions.
    let predictions = object.array("predictions");
    // OpenAI's images do not name their model; others' do, or say which filter saw them (Zhipu).
    let zhipu = object.array("content_filter").is_some();
    found.usual_provider = match (&predictions, found.model.as_deref()) {
        (Some(_), _) => "gcp.vertex_ai",
        (None, Some(model)) => families::family(model).unwrap_or("unknown"),
        (None, None) if zhipu => "zai",
        (None, None) => "openai",
    };
    // Grok's images state what they cost and no tokens; Seedream's how many they are, which is what is billed.
    let counted = object.object("usage").is_some_and(|usage| usage.has("input_tokens"));
    if let Some(usage) = object.object("usage").filter(|usage| !counted && usage.has("generated_images")) {
        let images = Counts::new(&usage, "usage").or_zero("generated_images")?;
        found.parts[0].usage.add(Meter::OutputImages, images);
    } else if !counted {
        // What was filtered is not billed.
        let images = match predictions {
            Some(predictions) => predictions.iter().filter(|prediction| is_prediction(prediction)).count(),
            None => object.array("data").unwrap_or_default().len(),
        };
        found.parts[0].usage.add(Meter::OutputImages, i64::try_from(images).unwrap_or(i64::MAX));
        found.raw_usage = Cow::Owned(format!("{{\"images\":{images}}}"));
        found.flags.clear(Flag::UsageMissing);
    }
    found.context.size = envelope::owned(object, "size")?;
    found.context.quality = envelope::owned(object, "quality")?;
    Ok(found)
}

/// True for an image among Vertex's predictions; others say why one was filtered, or how safe the prompt is
/// (<https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api>, documentation only).
pub(crate) fn is_prediction(prediction: &Json<'_>) -> bool {
    prediction.object().is_some_and(|image| {
        (image.has("bytesBase64Encoded") || image.has("gcsUri"))
            && image.string("mimeType").is_some_and(|kind| kind.starts_with("image/"))
    })
}

/// Transcriptions: tokens or seconds.
pub(crate) fn transcription<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let usage_object = object.object("usage").unwrap_or_default();
    if !usage_object.is_empty() && !usage_object.is("type", "duration") {
        let found = call(object, "openai.transcription", "transcription", &RESPONSES)?;
        return Ok(Call { usual_provider: "openai", ..found });
    }
    let mut found = Call::new("openai.transcription", "transcription", precedence::PROVIDER);
    found.usual_provider = "openai";
    found.model = envelope::text(object, "model")?;
    found.provider = families::by_fields(object, None).map(Text::const_new);
    if usage_object.is_empty() && object.get("duration").is_none() {
        // Groq says nothing but the text, unless it is asked for more.
        found.flags.set(Flag::UsageMissing);
        found.parts = smallvec![Part::default()];
        return Ok(found);
    }
    // Older and other servers state the length of the audio alone, which is not yet rounded as the provider bills it.
    let seconds = match usage_object.is_empty() {
        true => {
            let seconds = Counts::new(object, "").quantity("duration")?;
            found.raw_usage = Cow::Owned(format!("{{\"duration\":{}}}", raw(object.get("duration"))));
            seconds.ok_or_else(|| Problem::missing("duration", "send the length of the audio in seconds"))?
        }
        false => {
            let seconds = Counts::new(&usage_object, "usage").quantity("seconds")?;
            found.raw_usage = Cow::Borrowed(raw(object.get("usage")));
            seconds.ok_or_else(|| Problem::missing("usage.seconds", "send the billed duration"))?
        }
    };
    let mut part = Part { checked: "", ..Part::default() };
    part.usage.add_quantity(Meter::InputAudioSeconds, seconds);
    found.parts = smallvec![part];
    Ok(found)
}

/// Speech as a stream ends in an event with tokens: text in, audio out
/// (<https://platform.openai.com/docs/api-reference/audio/speech-audio-done-event>, checked 2026-11-22).
pub(crate) fn speech<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let found = call(object, "openai.speech", "speech", &SPEECH)?;
    Ok(Call { usual_provider: "openai", ..found })
}

/// Mistral's text recognition: pages, annotated or not (<https://docs.mistral.ai/api/#tag/ocr>, not opened).
pub(crate) fn ocr<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut found = Call::new("mistral.ocr", "ocr", precedence::PROVIDER);
    found.model = envelope::text(object, "model")?;
    // Upstage's parser of documents counts them in `usage` (<https://console.upstage.ai/api/document-digitization/document-parsing>,
    // not opened: written from knowledge of the service).
    let (name, pages) = match object.has("usage_info") {
        true => ("usage_info", "pages_processed"),
        false => ("usage", "pages"),
    };
    found.usual_provider = if name == "usage" { "upstage" } else { "mistral_ai" };
    found.raw_usage = Cow::Borrowed(raw(object.get(name)));
    let usage_info = object.object(name).unwrap_or_default();
    let pages = Counts::new(&usage_info, name).need(pages)?;
    let annotated = object.get("document_annotation").is_some();
    let mut part = Part::default();
    part.usage.add(if annotated { Meter::AnnotatedPages } else { Meter::OcrPages }, pages);
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
