//! Local transcripts of coding agents, one JSON object a line. Both repeat themselves: Claude Code writes a line for each
//! block of a message, its usage growing; Codex repeats the newest counts whenever rate limits change.

use std::borrow::Cow;

use schemas::{Flag, Meter, Text};

use crate::assemble::{Call, Out, Part, Tokens, precedence};
use crate::envelope::{self, Envelope, time};
use crate::formats::anthropic;
use crate::item::IgnoreReason;
use crate::json::{Json, NameSet, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw};

/// A line of Claude Code, of its files (`~/.claude/projects/*/*.jsonl`) or of what `claude -p` prints as `stream-json`.
/// All lines of one message have its id and growing counts: the largest copy is the call. Layout read in public parsers
/// of these files, 2026-11-23; it is not documented.
pub(crate) fn claude_code<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    // What an agent beneath this one says is told on the way, perhaps besides a file of its own: one message, one call.
    let told = object.object("data").and_then(|data| data.object("message")).filter(|_| object.is("type", "progress"));
    let line = told.as_ref().unwrap_or(object);
    let message = line.object("message").filter(|message| message.object("usage").is_some());
    let Some(message) = message.filter(|_| line.is("type", "assistant")) else {
        out.ignore(IgnoreReason::NotAModelCall);
        return Ok(());
    };
    if message.is("model", "<synthetic>") {
        // Written by the agent itself, for instance about an error.
        out.ignore(IgnoreReason::NotAModelCall);
        return Ok(());
    }
    let mut call = anthropic::message(&message)?;
    call.extractor = "claude_code.transcript";
    call.precedence = precedence::AGENT;
    // Lines of one message are written at different times; the message has one.
    call.time = time(line, "timestamp")?;
    let application = if of_qwen_code(&message, &mut call) { "qwen-code" } else { "claude-code" };
    envelope.claimed.application = Some(Text::const_new(application));
    envelope.claimed.session = session(object)?;
    let request = match envelope::text(line, "requestId")? {
        Some(request) => Some(request),
        None => unrequested(&call, &envelope),
    };
    if let Some(request) = request {
        envelope.event_id = Some(request);
        envelope.source = Some(Cow::Borrowed("claude-code"));
    }
    out.call(call, envelope, json);
    Ok(())
}

/// Whether Qwen Code printed a line in the words of Claude Code: its input holds the cache, as its total says, which Claude Code has not
/// (its `createUsage` in public code, read 2026-12-01).
fn of_qwen_code(message: &Object<'_>, call: &mut Call<'_>) -> bool {
    let Some(usage) = message.object("usage").filter(|usage| usage.has("total_tokens")) else { return false };
    let [part] = &mut call.parts[..] else { return false };
    if call.model.as_deref().is_none_or(|model| model.contains("claude")) {
        return false;
    }
    let counts = Counts::new(&usage, "usage");
    let count = |name: &str| counts.or_zero(name).unwrap_or(0);
    let (input, cached) = (count("input_tokens"), count("cache_read_input_tokens"));
    if cached <= input && count("total_tokens") == input + count("output_tokens") {
        part.usage.set(Meter::InputTextTokens, input - cached);
        part.checked = "total = input + output";
    }
    if usage.iter().all(|(name, _)| name == "total_tokens" || anthropic::is_known(name)) {
        part.flags.clear(Flag::UnknownUsageField);
    }
    true
}

/// What tells the lines of one message from others where Anthropic has not served it: those who speak like it name no request, and Claude
/// Code repeats their lines as well (<https://github.com/ccusage/ccusage/pull/985>, read in a copy 2026-11-30). Ids that are short are drawn
/// from few, and mean something in their session alone.
fn unrequested<'a>(call: &Call<'_>, envelope: &Envelope<'_>) -> Option<Cow<'a, str>> {
    const SHORT: usize = 20;
    let id = call.response_id.as_deref().filter(|id| !id.is_empty() && envelope.event_id.is_none())?;
    match &envelope.claimed.session {
        Some(session) if id.len() < SHORT => Some(Cow::Owned(format!("{session}/{id}"))),
        _ => Some(Cow::Owned(id.to_owned())),
    }
}

/// The session of a line: files and standard output of Claude Code spell it differently.
fn session(object: &Object<'_>) -> Result<Option<Text>> {
    match envelope::owned(object, "sessionId")? {
        Some(session) => Ok(Some(session)),
        None => envelope::owned(object, "session_id"),
    }
}

/// The `result` line of `claude -p` with `--output-format json` or `stream-json`: what the process has used up to now,
/// model by model (<https://code.claude.com/docs/en/agent-sdk/cost-tracking>, checked 2026-11-28; that it is a running
/// total, a maintainer confirms at <https://github.com/anthropics/claude-code/issues/83239>).
///
/// It holds no id of a call, so nothing could tell its calls from the lines, log events and answers that report them
/// one by one: by itself it is a summary and not billable. Where it is all there is, the operator says so by the
/// header or the topic's setting, and it is an event for each model.
pub(crate) fn claude_result<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    evidence: &str,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    if evidence != super::stream::SETTING {
        out.ignore(IgnoreReason::RunSummary);
        return Ok(());
    }
    let Some(value) = object.get("modelUsage") else {
        return Err(Problem::missing("modelUsage", "the result says what each model used in newer versions"));
    };
    let models = value.object().ok_or_else(|| Problem::wrong_type("modelUsage", value, "an object"))?;
    let mut call = Call::new("claude_code.result", "chat", precedence::AGENT);
    call.usual_provider = "anthropic";
    call.raw_usage = Cow::Borrowed(raw(Some(value)));
    call.reported_cost = envelope::cost(object, "total_cost_usd", "estimate_at_list_price")?;
    // Lifetimes of the cache and the tier are stated for the run alone: they say something about a run of one model.
    let whole = object.object("usage").filter(|_| models.iter().count() == 1);
    if let Some(whole) = &whole {
        call.context = anthropic::context(whole)?;
    }
    for (index, (model, used)) in models.iter().enumerate() {
        let used = used.object().ok_or_else(|| Problem::wrong_type("modelUsage", used, "objects by model"))?;
        let mut part = of_model(&used, whole.as_ref())?;
        part.iteration = i32::try_from(index).unwrap_or(i32::MAX);
        // The name may end with the size of the context that was asked for.
        let name = model.split('[').next().unwrap_or(model);
        if name.is_empty() || name.len() > crate::TEXT_BYTES_MAX {
            return Err(Problem::missing("modelUsage", "each of its names is that of a model"));
        }
        match call.model {
            None => call.model = Some(Cow::Owned(name.to_owned())),
            Some(_) => part.model = Some(name.into()),
        }
        call.parts.push(part);
    }
    if call.parts.is_empty() {
        // It ended before any call was made.
        out.ignore(IgnoreReason::FailedCall);
        return Ok(());
    }
    envelope.claimed.application = Some(Text::const_new("claude-code"));
    envelope.claimed.session = session(object)?;
    if envelope.event_id.is_none() {
        envelope.event_id = envelope::text(object, "uuid")?;
        envelope.source = Some(Cow::Borrowed("claude-code"));
    }
    out.call(call, envelope, json);
    Ok(())
}

/// What one model used in a run; the cache stands beside the input.
fn of_model(used: &Object<'_>, whole: Option<&Object<'_>>) -> Result<Part> {
    static FIELDS: NameSet = NameSet::new(&[
        "inputTokens",
        "outputTokens",
        "cacheReadInputTokens",
        "cacheCreationInputTokens",
        "webSearchRequests",
        "costUSD",
        "contextWindow",
        "maxOutputTokens",
        "canonicalModel",
        "provider",
    ]);
    let counts = Counts::new(used, "modelUsage");
    let written = counts.or_zero("cacheCreationInputTokens")?;
    let split = whole.and_then(|whole| whole.object("cache_creation")).unwrap_or_default();
    let split = Counts::new(&split, "usage.cache_creation");
    let (short, long) = (split.or_zero("ephemeral_5m_input_tokens")?, split.or_zero("ephemeral_1h_input_tokens")?);
    // In a longer process `usage` is of the last turn alone: then its lifetimes are not those of the whole.
    let stated = short + long == written;
    let tokens = Tokens {
        input: counts.need("inputTokens")?,
        cache_read: counts.or_zero("cacheReadInputTokens")?,
        written: if stated { 0 } else { written },
        written_5m: if stated { short } else { 0 },
        written_1h: if stated { long } else { 0 },
        output: counts.need("outputTokens")?,
        reasoning: 0,
    };
    let mut part = tokens.part("prompt = input + cache read + cache written");
    part.usage.add(Meter::WebSearches, counts.or_zero("webSearchRequests")?);
    if counts.has_unknown(&FIELDS) {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}
