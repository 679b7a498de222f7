//! What Gemini CLI keeps on its own machine: chats (`~/.gemini/tmp/*/chats/session-*.json`, newer ones with a line for each
//! message) and the telemetry it writes to a file. Counts are Gemini's: `input` is the prompt with what was cached inside,
//! `thoughts` and `tool` stand beside `output` and `input` (the types of google-gemini/gemini-cli,
//! `packages/core/src/services/chatRecordingTypes.ts` and `telemetry/file-exporters.ts`, read 2026-11-29; undocumented).

use std::borrow::Cow;

use schemas::{CostBasis, Flag, Text, Timestamp};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, Tokens, precedence};
use crate::config::is_identifier;
use crate::envelope::{self, Envelope, time};
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::number;
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw, rest};

/// True for a chat, or for a line of one that is told by itself.
pub(crate) fn is_chat(object: &Object<'_>) -> bool {
    let chat = object.has("sessionId") && object.has("projectHash");
    let answer = || object.is("type", "gemini") && object.has("id") && object.has("timestamp");
    let change = || object.iter().all(|(name, _)| matches!(name, "$set" | "$rewindTo"));
    chat || answer() || (!object.is_empty() && change())
}

/// True for a line that somebody other than the model said, when nothing else is known of it.
pub(crate) fn is_remark(object: &Object<'_>) -> bool {
    let said = object.string("type").is_some_and(|kind| matches!(&*kind, "user" | "info" | "warning" | "error"));
    said && ["id", "timestamp", "content"].iter().all(|name| object.has(name))
        && object.iter().all(|(name, _)| matches!(name, "id" | "timestamp" | "type" | "content" | "displayContent"))
}

/// A chat with its messages, a line of one, or a change to one, which may hold its messages once more.
pub(crate) fn chat<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    chat_context(object, &mut envelope);
    let changed = object.object("$set");
    let Some(value) = changed.as_ref().unwrap_or(object).get("messages") else {
        return message(json, envelope, out);
    };
    let messages = value.array().ok_or_else(|| Problem::wrong_type("messages", value, "an array"))?;
    if messages.is_empty() {
        out.ignore(IgnoreReason::NotAModelCall);
    }
    for said in messages {
        out.room("messages")?;
        if let Err(problem) = message(said, envelope.clone(), out) {
            out.reject(problem, Some(said));
        }
    }
    Ok(())
}

/// What the first line of a chat says about those that follow.
pub(crate) fn chat_context(object: &Object<'_>, envelope: &mut Envelope<'_>) {
    let session = object.string("sessionId").filter(|session| is_identifier(session));
    if let Some(session) = session {
        envelope.claimed.session = Some(session.into());
    }
}

/// A message. A line is written anew when its counts become known, under the same id.
fn message<'a>(json: Json<'a>, mut envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let object = json.object().ok_or_else(|| Problem::wrong_type("messages", json, "objects"))?;
    if !object.is("type", "gemini") {
        out.ignore(IgnoreReason::NotAModelCall);
        return Ok(());
    }
    let Some(value) = object.get("tokens") else {
        out.ignore(IgnoreReason::StreamFragment);
        return Ok(());
    };
    let tokens = value.object().ok_or_else(|| Problem::wrong_type("tokens", value, "an object"))?;
    let mut call = Call::new("gemini_cli.session", "chat", precedence::AGENT);
    call.usual_provider = "gcp.gemini";
    call.model = envelope::text(&object, "model")?;
    call.time = time(&object, "timestamp")?;
    call.raw_usage = Cow::Borrowed(raw(Some(value)));
    call.parts = smallvec![part(&Counts::new(&tokens, "tokens"), &CHAT)?];
    envelope.claimed.application = Some(Text::const_new("gemini-cli"));
    envelope.event_id = envelope::text(&object, "id")?.or(envelope.event_id);
    envelope.source = Some(Cow::Borrowed("gemini-cli"));
    out.call(call, envelope, json);
    Ok(())
}

/// The name of the event that a record of the telemetry file is of.
fn event_name<'a>(object: &Object<'a>) -> Option<Cow<'a, str>> {
    let attributes = object.object("attributes")?;
    let name = attributes.string("event.name").or_else(|| object.string("name"))?;
    ["gemini_cli.", "qwen-code."].iter().any(|start| name.starts_with(start)).then_some(name)
}

/// Gemini CLI and what was made of it, as their telemetry names them.
pub(crate) const WRITERS: [&str; 2] = ["gemini-cli", "qwen-code"];

/// True for what it says of a request once more, in the names of the conventions.
fn repeats(object: &Object<'_>) -> bool {
    let details = || {
        let attributes = object.object("attributes");
        attributes.is_some_and(|found| found.is("event.name", "gen_ai.client.inference.operation.details"))
    };
    let writer = |name: &str| {
        object
            .get(name)
            .is_some_and(|value| WRITERS.iter().any(|writer| value.text().contains(&format!("\"{writer}\""))))
    };
    (writer("instrumentationScope") || writer("resource")) && details()
}

/// True for a record of the telemetry file: a log record or a span of its own, or metrics as the SDK holds them.
pub(crate) fn is_telemetry(object: &Object<'_>) -> bool {
    event_name(object).is_some() || repeats(object) || (object.has("scopeMetrics") && object.has("resource"))
}

/// A record of the telemetry file. The same request sent over OTLP has the same identity.
pub(crate) fn telemetry<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    if object.has("scopeMetrics") {
        out.ignore(IgnoreReason::TokenMetric);
        return Ok(());
    }
    if repeats(object) {
        out.ignore(IgnoreReason::AgentSpan);
        return Ok(());
    }
    let name = event_name(object).unwrap_or_default();
    let attributes = object.object("attributes").unwrap_or_default();
    if !name.ends_with(".api_response") {
        out.ignore(IgnoreReason::NotAModelCall);
        return Ok(());
    }
    let qwen = name.starts_with("qwen");
    let application = if qwen { "qwen-code" } else { "gemini-cli" };
    let mut call = Call::new("gemini_cli.telemetry", "chat", precedence::AGENT);
    call.provider = Some(Text::const_new("gcp.gemini")).filter(|_| !qwen);
    call.model = envelope::text(&attributes, "model")?;
    call.time = match recorded(object) {
        Some(found) => Some(found),
        None => time(&attributes, "event.timestamp")?.or(time(object, "timestamp")?),
    };
    signed_in(attributes.string("auth_type").as_deref(), &mut call);
    let counted = attributes.iter().filter(|(name, value)| name.ends_with("_token_count") && !value.is_null());
    let counted: Vec<String> = counted.map(|(name, value)| format!("\"{name}\":{}", value.text())).collect();
    call.raw_usage = Cow::Owned(format!("{{{}}}", counted.join(",")));
    call.parts = smallvec![part(&Counts::new(&attributes, "attributes"), &TELEMETRY)?];
    envelope.claimed.application = Some(Text::const_new(application));
    envelope.claimed.session = envelope::owned(&attributes, "session.id")?;
    let sequence = match envelope::text(&attributes, "response_id")? {
        Some(response) => Some(response),
        None => envelope::text(&attributes, "event.timestamp")?,
    };
    if let (Some(session), Some(sequence)) = (&envelope.claimed.session, sequence) {
        envelope.event_id = Some(Cow::Owned(format!("{session}/{sequence}")));
        envelope.source = Some(Cow::Borrowed(application));
    }
    for name in ["user.email", "user.id"] {
        if let Some(user) = envelope::text(&attributes, name)?.filter(|_| envelope.claimed.user.is_none()) {
            envelope.claim_user(&user, out.config);
        }
    }
    out.call(call, envelope, json);
    Ok(())
}

/// How somebody signed in says who is paid, and whether a request costs anything by itself (`AuthType` of
/// `packages/core/src/core/contentGenerator.ts`, read 2026-11-29).
pub(super) fn signed_in(auth_type: Option<&str>, call: &mut Call<'_>) {
    match auth_type {
        // With an account of Google: free, or part of a subscription.
        Some("oauth-personal") => call.cost_basis = Some(CostBasis::Included),
        Some("vertex-ai") => call.provider = Some(Text::const_new("gcp.vertex_ai")),
        _ => {}
    }
}

/// The time of a record as the SDK holds it, seconds and nanoseconds: the time that it sends over OTLP.
fn recorded(object: &Object<'_>) -> Option<Timestamp> {
    let pair = object.array("hrTime")?;
    let [seconds, nanos] = pair[..] else { return None };
    let (seconds, nanos) = (number::count(seconds.number()?).ok()?, number::count(nanos.number()?).ok()?);
    Some(Timestamp::from_micros(seconds * 1_000_000 + nanos / 1_000))
}

/// Names of the counts.
struct Names {
    input: &'static str,
    output: &'static str,
    cached: &'static str,
    thoughts: &'static str,
    tool: &'static str,
    total: &'static str,
}

const CHAT: Names =
    Names { input: "input", output: "output", cached: "cached", thoughts: "thoughts", tool: "tool", total: "total" };

const TELEMETRY: Names = Names {
    input: "input_token_count",
    output: "output_token_count",
    cached: "cached_content_token_count",
    thoughts: "thoughts_token_count",
    tool: "tool_token_count",
    total: "total_token_count",
};

fn part(counts: &Counts<'_, '_>, names: &Names) -> Result<Part> {
    let (input, output) = (counts.or_zero(names.input)?, counts.or_zero(names.output)?);
    let (cached, tool) = (counts.or_zero(names.cached)?, counts.or_zero(names.tool)?);
    let mut thoughts = counts.or_zero(names.thoughts)?;
    // Where the answer stated no total, a zero is written.
    let total = counts.count(names.total)?.filter(|total| *total > 0);
    let sum = input + output + thoughts + tool;
    let mut hidden = false;
    let checked = match total {
        None => "",
        Some(total) if total == sum => "total = input + output + thoughts + tool",
        Some(total) if total > sum && thoughts == 0 => {
            (thoughts, hidden) = (total - sum, true);
            "total = input + output + tool + hidden thoughts"
        }
        Some(total) => {
            let field = counts.path(names.total);
            let message = format!(
                "{field} is {total} but input {input} + output {output} + thoughts {thoughts} + tool {tool} is {sum}"
            );
            return Err(Problem::contradiction(&field, message));
        }
    };
    let uncached = rest(input, &counts.path(names.input), &[(cached, names.cached)])?;
    let tokens =
        Tokens { input: uncached + tool, cache_read: cached, output, reasoning: thoughts, ..Tokens::default() };
    let mut part = tokens.part(checked);
    if hidden {
        part.flags.set(Flag::HiddenReasoning);
    }
    if sum == 0 {
        part.flags.set(Flag::UsageMissing);
    }
    Ok(part)
}
