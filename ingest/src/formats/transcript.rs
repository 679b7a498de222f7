//! Local transcripts of coding agents, one JSON object a line. Both repeat themselves: Claude Code writes a line for each
//! block of a message, its usage growing; Codex repeats the newest counts whenever rate limits change.

use std::borrow::Cow;

use schemas::Text;
use smallvec::smallvec;

use crate::assemble::{Call, Out, precedence};
use crate::envelope::{self, Envelope, time};
use crate::formats::{anthropic, openai};
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::problem::{Problem, Result};
use crate::usage::raw;

/// A line of Claude Code (`~/.claude/projects/*/*.jsonl`). All lines of one message have its id and growing counts: the
/// largest copy is the call. Layout read in public parsers of these files, 2026-11-23; it is not documented.
pub(crate) fn claude_code<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let message = object.object("message").filter(|message| message.object("usage").is_some());
    let Some(message) = message.filter(|_| object.is("type", "assistant")) else {
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
    call.time = time(object, "timestamp")?;
    envelope.claimed.application = Some(Text::const_new("claude-code"));
    envelope.claimed.session = envelope::owned(object, "sessionId")?;
    if let Some(request) = envelope::text(object, "requestId")? {
        envelope.event_id = Some(request);
        envelope.source = Some(Cow::Borrowed("claude-code"));
    }
    out.call(call, envelope, json);
    Ok(())
}

/// A line of Codex (`~/.codex/sessions/**/rollout-*.jsonl`). Only `token_count` has counts: those of the last request
/// and the running total, which tells requests apart. Session and model stand on other lines ([`super::stream`] keeps
/// them while it reads a file). Layout read in public parsers of these files, 2026-11-23; it is not documented.
pub(crate) fn codex<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let payload = object.object("payload").unwrap_or_default();
    let counts = payload.object("info").filter(|_| payload.is("type", "token_count"));
    let Some(info) = counts.filter(|info| info.object("last_token_usage").is_some_and(|last| !last.is_empty())) else {
        out.ignore(IgnoreReason::NotAModelCall);
        return Ok(());
    };
    let mut call = Call::new("codex.transcript", "chat", precedence::AGENT);
    call.usual_provider = "openai";
    call.time = time(object, "timestamp")?;
    call.raw_usage = Cow::Borrowed(raw(info.get("last_token_usage")));
    let last = info.object("last_token_usage").unwrap_or_default();
    call.parts = smallvec![openai::usage(&last, &openai::CODEX, "")?];
    envelope.claimed.application = Some(Text::const_new("codex"));
    let session = envelope.claimed.session.clone();
    let running = info.object("total_token_usage").and_then(|total| total.get("total_tokens")?.number());
    match (session, running) {
        (Some(session), Some(running)) => {
            envelope.event_id = Some(Cow::Owned(format!("{session}/{running}")));
            envelope.source = Some(Cow::Borrowed("codex"));
        }
        _ if envelope.event_id.is_none() => {
            let message =
                "the line names no session: send the whole transcript as one record, or give the line an `id`";
            return Err(Problem::new(schemas::RejectReason::MissingField, "session_meta", message));
        }
        _ => {}
    }
    out.call(call, envelope, json);
    Ok(())
}

/// What the lines of a Codex transcript say about those that follow: session and model.
pub(crate) fn codex_context(object: &Object<'_>, envelope: &mut Envelope<'_>) {
    let Some(payload) = object.object("payload") else { return };
    let text = |name: &str| payload.string(name).filter(|text| text.len() <= crate::TEXT_BYTES_MAX).map(Text::from);
    if object.is("type", "session_meta") {
        envelope.claimed.session = text("id").or_else(|| envelope.claimed.session.take());
        envelope.provider = text("model_provider").or_else(|| envelope.provider.take());
    }
    if object.is("type", "turn_context") {
        envelope.model = text("model").or_else(|| envelope.model.take());
    }
}
