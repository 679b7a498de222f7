//! What opencode stores of its sessions (`~/.local/share/opencode/storage`, `opencode export`): messages and their parts.
//!
//! The cache is never inside `input`. Whether reasoning is inside `output` changed: it stands beside it since opencode takes it
//! out (`output: outputTokens - reasoningTokens`), and before it was inside wherever the provider counts it there. A `total`
//! tells; without one, versions that had none are assumed. Read in `getUsage` of anomalyco/opencode
//! (`packages/opencode/src/session`), older and newer, 2026-11-29; undocumented.

use std::borrow::Cow;

use schemas::{Flag, Text};
use smallvec::{SmallVec, smallvec};

use crate::assemble::{Call, Out, Part, Tokens, precedence};
use crate::envelope::{self, Envelope, provider_name, time};
use crate::item::IgnoreReason;
use crate::json::{Json, NameSet, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw};

/// True for a message of a model.
fn is_answer(object: &Object<'_>) -> bool {
    let second =
        || object.is("type", "assistant") && object.object("model").is_some_and(|model| model.has("providerID"));
    ((object.has("modelID") && object.has("providerID")) || second()) && object.object("tokens").is_some()
}

/// True for anything in its storage: messages, alone or with their parts, parts, sessions, and an exported session.
pub(crate) fn is_stored(object: &Object<'_>) -> bool {
    if is_answer(object) {
        return true;
    }
    let belongs = object.string("sessionID").is_some_and(|session| session.starts_with("ses_"));
    let part = || object.has("messageID") && object.has("type");
    let asked = || object.is("role", "user") && object.object("time").is_some();
    let session = || {
        object.string("id").is_some_and(|id| id.starts_with("ses_"))
            && object.object("time").is_some()
            && (object.has("projectID") || object.has("directory"))
    };
    let whole = || {
        let told = |info: &Object<'_>| is_stored(info);
        (object.has("parts") || object.has("messages")) && object.object("info").is_some_and(|info| told(&info))
    };
    (belongs && (part() || asked())) || session() || whole()
}

/// True for what the second version tells its clients of a session while it runs (events that others published, 2026-11-30).
pub(crate) fn is_event(object: &Object<'_>) -> bool {
    object.object("data").is_some_and(|data| data.string("sessionID").is_some())
}

/// What the beginning of a step says of its end: whose model answers.
pub(crate) fn context(object: &Object<'_>, envelope: &mut Envelope<'_>) {
    let Some(data) = object.object("data").filter(|_| object.is("type", "session.step.started")) else { return };
    let Some(model) = data.object("model") else { return };
    let text = |object: &Object<'_>, name: &str| {
        object.string(name).filter(|text| text.len() <= crate::TEXT_BYTES_MAX).map(Text::from)
    };
    envelope.claimed.session = text(&data, "sessionID");
    envelope.model = text(&model, "id");
    envelope.provider = text(&model, "providerID");
}

/// An event of a session: the end of a step is a call. Its model stands in the event that began the step, and is only taken from one of
/// the same session, since several run side by side.
fn event<'a>(json: Json<'a>, object: &Object<'a>, mut envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let data = object.object("data").unwrap_or_default();
    if !object.is("type", "session.step.ended") || data.object("tokens").is_none() {
        let reason = if data.has("tokens") { IgnoreReason::RunSummary } else { IgnoreReason::NotAModelCall };
        out.ignore(reason);
        return Ok(());
    }
    let session = envelope::owned(&data, "sessionID")?;
    if envelope.claimed.session.is_some() && envelope.claimed.session != session {
        (envelope.model, envelope.provider) = (None, None);
    }
    let mut call = Call::new("opencode.message", "chat", precedence::AGENT);
    call.time = time(object, "created")?;
    call.raw_usage = Cow::Borrowed(raw(data.get("tokens")));
    call.reported_cost = envelope::cost(&data, "cost", "estimate_at_list_price")?.filter(|cost| !cost.amount.is_zero());
    // This version takes reasoning out of the output wherever a provider counts it there.
    call.parts = smallvec![tokens(&data, false)?];
    // What was used was certainly billed: counted, and visibly unpriced.
    envelope.model.get_or_insert(Text::const_new("unknown"));
    envelope.claimed.application = Some(Text::const_new("opencode"));
    envelope.claimed.session = session;
    envelope.event_id = match envelope::text(&data, "assistantMessageID")? {
        Some(message) => Some(message),
        None => envelope::text(object, "id")?.or(envelope.event_id),
    };
    envelope.source = Some(Cow::Borrowed("opencode"));
    out.call(call, envelope, json);
    Ok(())
}

/// Whatever was stored: only messages of a model are calls, and of a session its messages.
pub(crate) fn stored<'a>(json: Json<'a>, object: &Object<'a>, envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    if object.has("data") && is_event(object) {
        return event(json, object, envelope, out);
    }
    let Some(value) = object.get("messages") else {
        return message(json, object, envelope, out);
    };
    let messages = value.array().ok_or_else(|| Problem::wrong_type("messages", value, "an array"))?;
    if messages.is_empty() {
        out.ignore(IgnoreReason::NotAModelCall);
    }
    for said in messages {
        out.room("messages")?;
        let read = match said.object() {
            Some(object) => message(said, &object, envelope.clone(), out),
            None => Err(Problem::wrong_type("messages", said, "objects")),
        };
        if let Err(problem) = read {
            out.reject(problem, Some(said));
        }
    }
    Ok(())
}

/// A message, alone or as the `info` beside its parts. The message has the counts of its last request and the cost of all; a
/// part that ends a step has those of its own, so where the parts are there, they are the calls.
fn message<'a>(json: Json<'a>, object: &Object<'a>, mut envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let inner = object.object("info");
    let info = inner.as_ref().unwrap_or(object);
    if !is_answer(info) || info.is("role", "user") {
        // A session adds up its messages.
        let reason = if info.has("tokens") { IgnoreReason::RunSummary } else { IgnoreReason::NotAModelCall };
        out.ignore(reason);
        return Ok(());
    }
    let mut call = Call::new("opencode.message", "chat", precedence::AGENT);
    // The second version keeps both in one object, and reasoning always beside the output.
    let model = info.object("model").filter(|model| model.has("providerID") && !info.has("modelID"));
    let second = model.is_some();
    call.provider = envelope::text(model.as_ref().unwrap_or(info), "providerID")?.map(|name| provider_name(&name));
    call.model = match &model {
        Some(model) => envelope::text(model, "id")?,
        None => envelope::text(info, "modelID")?,
    };
    let clock = info.object("time").unwrap_or_default();
    call.time = time(&clock, "created")?;
    call.raw_usage = Cow::Borrowed(raw(info.get("tokens")));
    call.reported_cost = envelope::cost(info, "cost", "estimate_at_list_price")?.filter(|cost| !cost.amount.is_zero());
    let inside = !second && reasons_inside(call.provider.as_deref().unwrap_or(""));
    let ended = |part: &Object<'a>| part.is("type", "step-finish");
    let parts = object.array("parts").unwrap_or_default();
    let steps: Vec<Object<'a>> = parts.into_iter().filter_map(Json::object).filter(ended).collect();
    let holders = if steps.is_empty() { std::slice::from_ref(info) } else { &steps[..] };
    let mut used: SmallVec<[Part; 1]> = SmallVec::new();
    for (index, holder) in holders.iter().enumerate() {
        let mut part = tokens(holder, inside)?;
        part.iteration = i32::try_from(index).unwrap_or(i32::MAX);
        used.push(part);
    }
    if used.iter().all(|part| part.usage.is_empty()) {
        // Written when the request begins, and again when it ends.
        let failed = info.get("error").is_some();
        if failed || clock.get("completed").is_none() {
            out.ignore(if failed { IgnoreReason::FailedCall } else { IgnoreReason::StatusOnly });
            return Ok(());
        }
        call.flags.set(Flag::UsageMissing);
    }
    call.parts = used;
    envelope.claimed.application = Some(Text::const_new("opencode"));
    envelope.claimed.session = envelope::owned(info, "sessionID")?.or(envelope.claimed.session);
    envelope.claimed.agent = match envelope::owned(info, "agent")? {
        Some(agent) => Some(agent),
        None => envelope::owned(info, "mode")?,
    };
    envelope.event_id = envelope::text(info, "id")?.or(envelope.event_id);
    envelope.source = Some(Cow::Borrowed("opencode"));
    out.call(call, envelope, json);
    Ok(())
}

/// True where reasoning was counted inside the output before opencode took it out: everywhere but at Google.
fn reasons_inside(provider: &str) -> bool {
    !matches!(provider, "gcp.gemini" | "gcp.vertex_ai")
}

/// The exclusive vector of a message or a step.
fn tokens(holder: &Object<'_>, inside: bool) -> Result<Part> {
    let value = holder.get("tokens").ok_or_else(|| Problem::missing("tokens", "a step that ended has its counts"))?;
    let tokens = value.object().ok_or_else(|| Problem::wrong_type("tokens", value, "an object"))?;
    let counts = Counts::new(&tokens, "tokens");
    let cache = counts.inner("cache")?.unwrap_or_default();
    let cache = counts.within("cache", &cache);
    let (input, output) = (counts.need("input")?, counts.need("output")?);
    let (read, written) = (cache.or_zero("read")?, cache.or_zero("write")?);
    let reasoning = counts.or_zero("reasoning")?;
    let plain = input + output;
    let whole = plain + read + written;
    let total = counts.count("total")?.filter(|total| *total > 0);
    let (text, checked, mismatch) = match total {
        Some(total) if total == whole + reasoning => {
            (output, "total = input + output + reasoning + cache read + cache written", false)
        }
        Some(total) if total == whole && reasoning <= output => {
            (output - reasoning, "total = input + output + cache read + cache written", false)
        }
        // Some providers' totals leave the cache out.
        Some(total) if total == plain + reasoning => (output, "total = input + output + reasoning", false),
        Some(total) if total == plain && reasoning <= output => (output - reasoning, "total = input + output", false),
        None if inside && reasoning <= output => (output - reasoning, "", false),
        None => (output, "", false),
        // Totals are the provider's own, which adds up differently here and there.
        Some(_) => (output, "", true),
    };
    let tokens = Tokens { input, cache_read: read, written, output: text, reasoning, ..Tokens::default() };
    let mut part = tokens.part(checked);
    if mismatch {
        part.flags.set(Flag::TotalMismatch);
    }
    static COUNTS: NameSet = NameSet::new(&["input", "output", "reasoning", "cache", "total"]);
    static CACHE: NameSet = NameSet::new(&["read", "write"]);
    if counts.has_unknown(&COUNTS) || cache.has_unknown(&CACHE) {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}
