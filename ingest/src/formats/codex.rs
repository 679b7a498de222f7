//! Codex: the lines of its transcripts (`~/.codex/sessions/**/rollout-*.jsonl`), and what its app server tells the clients that drive it
//! over JSON-RPC. Both say after each request what it used and what the session has used so far, so a request has one identity in
//! either (layouts read in public parsers of the files, 2026-11-23, and in notifications that others published, 2026-11-30; they are not
//! documented).

use std::borrow::Cow;

use schemas::Text;
use smallvec::smallvec;

use crate::assemble::{Call, Out, precedence};
use crate::envelope::{self, Envelope, time};
use crate::formats::openai;
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw};

/// True for a message of the app server: its method says of what it tells, or it answers with the thread that was begun.
pub(crate) fn is_message(object: &Object<'_>) -> bool {
    const ABOUT: [&str; 5] = ["thread/", "turn/", "item/", "account/", "codex/event"];
    let method = || object.string("method").is_some_and(|method| ABOUT.iter().any(|about| method.starts_with(about)));
    (object.has("params") && method()) || thread(object).is_some() || is_printed(object)
}

/// True for a line that older versions of `codex exec --json` printed: an event as the MCP server sends it, without what is around it.
fn is_printed(object: &Object<'_>) -> bool {
    const KINDS: [&str; 6] =
        ["token_count", "session_configured", "task_started", "task_complete", "agent_message", "agent_reasoning"];
    object.has("msg")
        && object.iter().all(|(name, _)| matches!(name, "id" | "msg"))
        && object.object("msg").and_then(|told| told.string("type")).is_some_and(|kind| KINDS.contains(&&*kind))
}

/// An event of the MCP server, or of those lines.
fn told<'a>(object: &Object<'a>) -> Option<Object<'a>> {
    match object.object("params") {
        Some(params) => params.object("msg"),
        None => object.object("msg"),
    }
}

/// What the app server says of a thread that was begun, and its id.
fn thread<'a>(object: &Object<'a>) -> Option<(Object<'a>, Text)> {
    let begun = object.object("result").filter(|begun| begun.has("thread") && object.has("id"))?;
    let id = text(&begun.object("thread")?, "id")?;
    Some((begun, id))
}

/// True for a line of newer versions that says of one request what it used, by the id of its answer. The running count beside it repeats
/// it (lines in public parsers of the files and their tests, read 2026-11-30).
fn is_record(object: &Object<'_>) -> bool {
    object.is("type", "token_usage_record")
}

/// What a request used, and the session so far.
struct Used<'a> {
    last: Json<'a>,
    running: Option<&'a str>,
    spelling: &'static openai::Spelling,
}

fn used<'a>(object: &Object<'a>) -> Option<Used<'a>> {
    let of = |counts: Object<'a>, last: &str, total: &str, count: &str, spelling| {
        let last = counts.get(last).filter(|last| last.object().is_some_and(|last| !last.is_empty()))?;
        let running = counts.object(total).and_then(|total| total.get(count)?.number());
        Some(Used { last, running, spelling })
    };
    if let Some(told) = told(object) {
        let told = told.is("type", "token_count").then_some(told)?;
        return match told.object("info") {
            Some(info) => of(info, "last_token_usage", "total_token_usage", "total_tokens", &openai::CODEX),
            // The first versions counted the request alone.
            None if told.has("input_tokens") && told.has("output_tokens") => {
                let last = object.object("params").map_or_else(|| object.get("msg"), |params| params.get("msg"))?;
                Some(Used { last, running: None, spelling: &openai::CODEX })
            }
            None => None,
        };
    }
    if let Some(params) = object.object("params") {
        return of(params.object("tokenUsage")?, "last", "total", "totalTokens", &openai::AI_SDK);
    }
    let payload = object.object("payload")?;
    if is_record(object) {
        let last = payload.get("usage").filter(|usage| usage.object().is_some_and(|usage| !usage.is_empty()))?;
        let running = payload.object("thread_token_usage").and_then(|thread| thread.get("total_tokens")?.number());
        return Some(Used { last, running, spelling: &openai::CODEX });
    }
    let payload = Some(payload).filter(|payload| payload.is("type", "token_count"))?;
    of(payload.object("info")?, "last_token_usage", "total_token_usage", "total_tokens", &openai::CODEX)
}

/// True for counts of nothing, whatever their total: how full the context is by Codex's own estimate, once it was compacted or
/// did not fit (`recompute_token_usage` and `fill_to_context_window` of openai/codex, read in copies 2026-11-30). No request was made.
fn is_estimate(used: &Used<'_>) -> bool {
    let Some(last) = used.last.object() else { return false };
    let count = |names: &[&str]| Counts::new(&last, "").alias(names).ok().flatten().unwrap_or(0);
    count(&["input_tokens", "inputTokens"]) == 0 && count(&["output_tokens", "outputTokens"]) == 0
}

/// A line or a message; only those with counts are calls. Session and model stand on others ([`super::stream`] keeps them while it
/// reads a file).
pub(crate) fn line<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let Some(Used { last, running, spelling }) = used(object).filter(|used| !is_estimate(used)) else {
        out.ignore(IgnoreReason::NotAModelCall);
        return Ok(());
    };
    let record = object.object("payload").filter(|_| is_record(object));
    if envelope.recorded && record.is_none() {
        out.ignore(IgnoreReason::RunSummary);
        return Ok(());
    }
    let mut call = Call::new("codex.transcript", "chat", precedence::AGENT);
    call.usual_provider = "openai";
    if let Some(record) = &record {
        call.response_id = envelope::text(record, "response_id")?.map(|id| Cow::Owned(id.into_owned()));
        envelope.claimed.session = text(record, "thread_id").or(envelope.claimed.session);
    }
    call.time = time(object, "timestamp")?;
    call.raw_usage = Cow::Borrowed(raw(Some(last)));
    call.parts = smallvec![openai::usage(&last.object().unwrap_or_default(), spelling, "")?];
    envelope.claimed.application = Some(Text::const_new("codex"));
    let alone = running.is_none() && (told(object).is_some() || call.response_id.is_some());
    if object.has("params") || object.has("msg") || record.is_some() {
        envelope.claimed.session =
            object.object("params").and_then(|params| about(&params)).or(envelope.claimed.session);
        // What was used was certainly billed: counted, and visibly unpriced.
        envelope.model.get_or_insert(Text::const_new("unknown"));
    }
    match (envelope.claimed.session.clone(), running) {
        (Some(session), Some(running)) => {
            envelope.event_id = Some(Cow::Owned(format!("{session}/{running}")));
            envelope.source = Some(Cow::Borrowed("codex"));
        }
        // Nothing but its place tells such a request from the next.
        _ if alone => {}
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

/// The thread that a notification is about.
fn about(params: &Object<'_>) -> Option<Text> {
    let meta = || params.object("_meta").and_then(|meta| text(&meta, "threadId"));
    text(params, "threadId").or_else(|| text(params, "conversationId")).or_else(meta)
}

/// What a line says about those that follow: session and model.
pub(crate) fn context(object: &Object<'_>, envelope: &mut Envelope<'_>) {
    if let Some((begun, id)) = thread(object) {
        envelope.claimed.session = Some(id);
        envelope.model = text(&begun, "model").or_else(|| envelope.model.take());
        envelope.provider = text(&begun, "modelProvider").or_else(|| envelope.provider.take());
    }
    if let Some(told) = told(object).filter(|told| told.is("type", "session_configured")) {
        envelope.claimed.session = text(&told, "session_id").or_else(|| text(&told, "thread_id"));
        envelope.model = text(&told, "model").or_else(|| envelope.model.take());
        envelope.provider = text(&told, "model_provider_id").or_else(|| envelope.provider.take());
    }
    envelope.recorded |= is_record(object);
    let Some(payload) = object.object("payload") else { return };
    if object.is("type", "session_meta") {
        // So `up --input` shortens that of a file with records.
        envelope.recorded |= payload.has("token_usage_records");
        envelope.claimed.session = text(&payload, "id").or_else(|| envelope.claimed.session.take());
        envelope.provider = text(&payload, "model_provider").or_else(|| envelope.provider.take());
    }
    if object.is("type", "turn_context") {
        envelope.model = text(&payload, "model").or_else(|| envelope.model.take());
    }
}

fn text(object: &Object<'_>, name: &str) -> Option<Text> {
    object.string(name).filter(|text| text.len() <= crate::TEXT_BYTES_MAX).map(Text::from)
}
