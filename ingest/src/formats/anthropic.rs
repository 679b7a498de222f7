//! Anthropic's bodies: `input_tokens` excludes what was read from and written to a cache; `output_tokens` includes
//! thinking. When `usage.iterations` is there, the bill is the sum over it: the top level leaves compaction and
//! advisor calls out (<https://docs.claude.com/en/build-with-claude/compaction>, checked 2026-11-22).

use std::borrow::Cow;

use schemas::{CostBasis, Flag, Meter, PriceContext, Text};
use smallvec::{SmallVec, smallvec};

use crate::assemble::{Call, Part, precedence};
use crate::envelope;
use crate::formats::{copilot, families, house, openai};
use crate::json::{Json, NameSet, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw, rest};

static USAGE_FIELDS: NameSet = NameSet::new(&[
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_read_tokens",
    "cache_creation_tokens",
    "cache_write_tokens",
    "cache_creation",
    "output_tokens_details",
    "server_tool_use",
    "service_tier",
    "speed",
    "inference_geo",
    "iterations",
    "type",
    "model",
    "fallback_credit",
    // New API
    "claude_cache_creation_5_m_tokens",
    "claude_cache_creation_1_h_tokens",
    "usage_semantic",
    "usage_source",
    "billing_usage",
    envelope::GATEWAY,
    // Moonshot: the same counts as OpenAI spells them
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "prompt_tokens_details",
    "completion_tokens_details",
    "cached_tokens",
    // OpenRouter
    "cost",
    "cost_details",
    "is_byok",
]);

/// A whole message.
pub(crate) fn message<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("anthropic.message", "chat", precedence::PROVIDER);
    call.model = envelope::text(object, "model")?;
    call.response_id = envelope::text(object, "id")?;
    // Bedrock and Vertex mark the ids of the messages they serve.
    call.provider = match call.response_id.as_deref() {
        Some(id) if id.starts_with("msg_bdrk_") => Some(Text::const_new("aws.bedrock")),
        Some(id) if id.starts_with("msg_vrtx_") => Some(Text::const_new("gcp.vertex_ai")),
        _ if object.has("amazon-bedrock-invocationMetrics") => Some(Text::const_new("aws.bedrock")),
        _ => None,
    };
    // Others' models speak like Anthropic on their makers' servers.
    let others = call.model.as_deref().filter(|model| families::is_owned(model));
    call.usual_provider = others.map_or("anthropic", |model| families::family(model).unwrap_or("unknown"));
    // An event of a session of Managed Agents, which does not name the model of its agent
    // (<https://platform.claude.com/docs/en/managed-agents/events-and-streaming>, not opened; events in public code, 2026-11-30).
    call.time = envelope::time(object, "processed_at")?;
    let Some(value) = object.get("usage").or_else(|| object.get("model_usage")) else {
        call.flags.set(Flag::UsageMissing);
        call.parts = smallvec![Part::default()];
        return Ok(call);
    };
    let usage = value.object().ok_or_else(|| Problem::wrong_type("usage", value, "an object"))?;
    call.raw_usage = Cow::Borrowed(raw(Some(value)));
    call.context = context(&usage)?;
    call.reported_cost = envelope::gateway_cost(&usage);
    if usage.has("is_byok") {
        // OpenRouter speaks like Anthropic, too (answers that others published, read 2026-11-29).
        call.provider = Some(Text::const_new("openrouter"));
        call.reported_cost = envelope::cost(&usage, "cost", "billed_by_provider").unwrap_or(None);
        if usage.get("is_byok").and_then(Json::boolean) == Some(true) {
            call.cost_basis = Some(CostBasis::BringYourOwnKey);
        }
    }
    let model = call.model.as_deref();
    let read = parts(&usage, model);
    // Houses that log nothing but model and usage may shorten the names of its caches.
    let odd = |parts: &[Part]| parts.iter().any(|part| part.flags.has(Flag::UnknownUsageField));
    let renamed = match &read {
        Ok(parts) if !odd(parts) => None,
        _ => house::with_caches(&usage),
    };
    call.parts = match renamed {
        Some(text) => parts(&Object::of(&text).unwrap_or_default(), model)?,
        None => read?,
    };
    copilot::told(object, &mut call);
    if object.is("stop_reason", "refusal") && !call.parts.iter().any(Part::puts_out) {
        // Its tokens are told, and not billed ([`answered`]).
        call.parts.clear();
    }
    Ok(call)
}

/// True for the name of a count, or of anything else in a usage object, that is read.
pub(crate) fn is_known(name: &str) -> bool {
    USAGE_FIELDS.contains(name)
}

/// What the price depends on.
pub(crate) fn context(usage: &Object<'_>) -> Result<PriceContext> {
    let tier = envelope::owned(usage, "service_tier")?;
    Ok(PriceContext {
        batch: tier.as_deref() == Some("batch"),
        service_tier: tier,
        speed: envelope::owned(usage, "speed")?,
        residency: envelope::owned(usage, "inference_geo")?
            .filter(|geo| !matches!(geo.as_str(), "global" | "not_available")),
        ..PriceContext::default()
    })
}

/// The model calls of a usage object: one, or one for each of its iterations.
pub(crate) fn parts(usage: &Object<'_>, model: Option<&str>) -> Result<SmallVec<[Part; 1]>> {
    let iterations = usage.array("iterations").unwrap_or_default();
    if iterations.is_empty() {
        return Ok(smallvec![part(usage, "usage")?]);
    }
    let mut parts: SmallVec<[Part; 1]> = SmallVec::new();
    let (mut last_message, mut first_input) = (0, 0);
    let mut fallback = None;
    // Input and output of message entries, of those and fallbacks, of all, and of the last message.
    let (mut messages, mut same_model, mut all, mut last) = ([0, 0], [0, 0], [0, 0], [0, 0]);
    for (index, value) in iterations.iter().enumerate() {
        let path = format!("usage.iterations[{index}]");
        let entry = value.object().ok_or_else(|| Problem::wrong_type(&path, *value, "an object"))?;
        let mut part = part(&entry, &path)?;
        part.iteration = i32::try_from(index).unwrap_or(i32::MAX);
        part.model = envelope::owned(&entry, "model")?.filter(|own| Some(own.as_str()) != model);
        let counts = Counts::new(&entry, &path);
        let tokens = [counts.or_zero("input_tokens")?, counts.or_zero("output_tokens")?];
        let kind = envelope::text(&entry, "type")?;
        let kind = kind.as_deref().unwrap_or("message");
        let add = |sum: &mut [i64; 2]| (sum[0], sum[1]) = (sum[0] + tokens[0], sum[1] + tokens[1]);
        add(&mut all);
        if index == 0 {
            first_input = tokens[0];
        }
        if kind == "message" {
            add(&mut messages);
            last = tokens;
            last_message = index;
        }
        if kind == "fallback_message" {
            fallback = Some(index);
            last_message = index;
        }
        if part.model.is_none() && kind != "compaction" {
            add(&mut same_model);
        }
        if iterations.len() > 1 {
            part.flags.set(Flag::IterationsExpanded);
        }
        part.checked = "bill = sum of iterations";
        parts.push(part);
    }
    let counts = Counts::new(usage, "usage");
    let top = [counts.or_zero("input_tokens")?, counts.or_zero("output_tokens")?];
    // A stream states the input of the first, as it began, and all output.
    let streamed = [first_input, all[1]];
    if ![messages, same_model, all, last, streamed].contains(&top) {
        // What the Agent SDK sums up over a run lists the iterations of its last turn alone (results that others
        // published, read 2026-11-30). A message never counts more than its iterations.
        if top[0] >= all[0] && top[1] >= all[1] {
            let mut whole = part(usage, "usage")?;
            whole.flags.set(Flag::TotalMismatch);
            return Ok(smallvec![whole]);
        }
        let message = format!(
            "usage.input_tokens {} and usage.output_tokens {} are neither the sum of usage.iterations ({} and {}) nor \
             of its message entries ({} and {})",
            top[0], top[1], all[0], all[1], messages[0], messages[1]
        );
        return Err(Problem::contradiction("usage.iterations", message));
    }
    // Iterations do not say what of their output was thinking: where there is one alone, the whole says it of that.
    if let [only] = &mut parts[..]
        && top == last
        && only.usage.get(Meter::OutputReasoningTokens).is_zero()
    {
        let thinking = thinking(&counts)?;
        let text = rest(top[1], "usage.output_tokens", &[(thinking, "usage.output_tokens_details.thinking_tokens")])?;
        only.usage.set(Meter::OutputReasoningTokens, thinking);
        only.usage.set(Meter::OutputTextTokens, text);
    }
    // Tools are counted once for the whole body: they belong to the message the caller got.
    let tools: &mut Part = &mut parts[last_message];
    server_tools(&counts, tools)?;
    if counts.has_unknown(&USAGE_FIELDS) {
        tools.flags.set(Flag::UnknownUsageField);
    }
    if let Some(fallback) = fallback {
        answered(&mut parts, fallback);
    }
    Ok(parts)
}

/// Leaves out the attempts that were refused before they put anything out, which are not billed: another model was asked after them
/// (<https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback>, not opened; its release note of June 2026 in copies, read
/// 2026-11-30).
fn answered(parts: &mut SmallVec<[Part; 1]>, fallback: usize) {
    parts.retain(|part| part.puts_out() || usize::try_from(part.iteration).is_ok_and(|index| index >= fallback));
}

fn part(usage: &Object<'_>, path: &str) -> Result<Part> {
    let counts = Counts::new(usage, path);
    let mut part = Part::default();
    let vector = &mut part.usage;
    let input = counts.need("input_tokens")?;
    // Houses that log the counts flat shorten their names.
    let read = counts.alias(&["cache_read_input_tokens", "cache_read_tokens"])?.unwrap_or(0);
    let whole = Whole::of(&counts, input)?;
    let read = if read == 0 { whole.as_ref().map_or(0, |whole| whole.cached) } else { read };
    vector.add(Meter::CacheReadTextTokens, read);
    let output = counts.or_zero("output_tokens")?;
    let thinking = thinking(&counts)?;
    let text = rest(output, "usage.output_tokens", &[(thinking, "usage.output_tokens_details.thinking_tokens")])?;
    vector.add(Meter::OutputReasoningTokens, thinking);
    vector.add(Meter::OutputTextTokens, text);

    let written = counts.alias(&["cache_creation_input_tokens", "cache_creation_tokens", "cache_write_tokens"])?;
    let uncached = match whole {
        Some(whole) => rest(
            whole.input,
            "usage.prompt_tokens",
            &[(read, "cache_read_input_tokens"), (written.unwrap_or(0), "cache_creation_input_tokens")],
        )?,
        None => input,
    };
    vector.add(Meter::InputTextTokens, uncached);
    let split = match counts.inner("cache_creation")? {
        Some(split) => {
            let inner = Counts::new(&split, "usage.cache_creation");
            (inner.or_zero("ephemeral_5m_input_tokens")?, inner.or_zero("ephemeral_1h_input_tokens")?)
        }
        None => (0, 0),
    };
    let split = match written {
        Some(written) if written > 0 && split == (0, 0) => renamed_lifetimes(&counts, written)?,
        _ => split,
    };
    part.checked = "prompt = input + cache read + cache written";
    match (written, split) {
        // No lifetime is stated: the shorter, which is the default.
        (Some(written), (0, 0)) if written > 0 => {
            vector.add(Meter::CacheWrite5mTokens, written);
            part.flags.set(Flag::Assumed5m);
        }
        (Some(written), (short, long)) if written != short + long => {
            let message = format!(
                "{} is {written} but usage.cache_creation.ephemeral_5m_input_tokens {short} + \
                 ephemeral_1h_input_tokens {long} is {}",
                counts.path("cache_creation_input_tokens"),
                short + long
            );
            return Err(Problem::contradiction(&counts.path("cache_creation_input_tokens"), message));
        }
        (_, (short, long)) => {
            vector.add(Meter::CacheWrite5mTokens, short);
            vector.add(Meter::CacheWrite1hTokens, long);
        }
    }
    if path == "usage" {
        server_tools(&counts, &mut part)?;
    }
    if counts.has_unknown(&USAGE_FIELDS) {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}

/// A prompt with its caches inside, where relays put the counts of OpenAI into Anthropic's names: New API says so in `billing_usage`
/// and repeats them there, Moonshot repeats them beside (answers that others published, read 2026-12-01).
struct Whole {
    input: i64,
    cached: i64,
}

impl Whole {
    fn of(counts: &Counts<'_, '_>, input: i64) -> Result<Option<Self>> {
        let told = counts.object.object("billing_usage").filter(|billed| billed.is("semantic", "openai"));
        let repeated = told.and_then(|billed| billed.object("openai_usage"));
        let spelt = Counts::new(repeated.as_ref().unwrap_or(counts.object), "usage");
        let prompt = spelt.count("prompt_tokens")?.filter(|prompt| *prompt > 0 && *prompt == input);
        let details = spelt.inner("prompt_tokens_details")?.unwrap_or_default();
        let cached = Counts::new(&details, "usage.prompt_tokens_details").count("cached_tokens")?;
        let cached = cached.or(spelt.count("cached_tokens")?);
        // Beside the counts nobody says how they are meant, so the cache must be told once more.
        let told = repeated.is_some() || cached.is_some_and(|cached| cached > 0 && cached <= input);
        Ok(prompt.filter(|_| told).map(|input| Whole { input, cached: cached.unwrap_or(0) }))
    }
}

/// How long what was written lasts, where New API says so for all of it.
fn renamed_lifetimes(counts: &Counts<'_, '_>, written: i64) -> Result<(i64, i64)> {
    let [short, long] = openai::CLAUDE_LIFETIMES.map(|name| counts.or_zero(name));
    let (short, long) = (short?, long?);
    Ok(if short + long == written { (short, long) } else { (0, 0) })
}

/// What of an output was thinking.
fn thinking(counts: &Counts<'_, '_>) -> Result<i64> {
    let Some(details) = counts.inner("output_tokens_details")? else { return Ok(0) };
    let names = ["thinking_tokens", "reasoning_tokens"];
    Ok(Counts::new(&details, "usage.output_tokens_details").alias(&names)?.unwrap_or(0))
}

fn server_tools(counts: &Counts<'_, '_>, part: &mut Part) -> Result<()> {
    let Some(tools) = counts.inner("server_tool_use")? else { return Ok(()) };
    let inner = Counts::new(&tools, "usage.server_tool_use");
    part.usage.add(Meter::WebSearches, inner.or_zero("web_search_requests")?);
    part.usage.add(Meter::WebFetches, inner.or_zero("web_fetch_requests")?);
    part.usage.add(Meter::CodeSessions, inner.or_zero("code_execution_requests")?);
    // New tools begin as zeros in everybody's answers.
    static KNOWN: NameSet = NameSet::new(&["web_search_requests", "web_fetch_requests", "code_execution_requests"]);
    if inner.object.iter().any(|(name, count)| !KNOWN.contains(name) && !matches!(count.text(), "0" | "null")) {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(())
}
