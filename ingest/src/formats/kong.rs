//! What Kong's AI gateway adds to the log of a request, as any of its logging plugins writes it: an entry in `ai` for each plugin
//! that called a model (<https://developer.konghq.com/ai-gateway/ai-audit-log-reference/> and the analytics filter of the
//! gateway's public source, which spells the counts `prompt_tokens` where the page says `prompt_token`; read 2026-11-29).

use std::borrow::Cow;

use schemas::{CostBasis, Flag};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, Tokens, precedence};
use crate::envelope::{self, Envelope, provider_name, time};
use crate::formats::openai;
use crate::identity;
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::number;
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw};

/// True for a log with an entry of a plugin that called a model.
pub(crate) fn is_log(object: &Object<'_>) -> bool {
    object.object("ai").is_some_and(|ai| !entries(&ai).is_empty())
}

/// The entries with usage, by the name of their plugin (`proxy`, `ai-proxy`, `ai-request-transformer`, ...).
fn entries<'a>(ai: &Object<'a>) -> Vec<(Cow<'a, str>, Object<'a>)> {
    let called = |entry: &Object<'a>| {
        let meta = entry.object("meta");
        let named = meta.is_some_and(|meta| meta.has("provider_name") || meta.has("request_model"));
        named && entry.object("usage").is_some()
    };
    ai.fields().filter_map(|(name, value)| Some((name, value.object().filter(called)?))).collect()
}

/// A log: one call for each entry.
pub(crate) fn log<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let ai = object.object("ai").unwrap_or_default();
    let entries = entries(&ai);
    if entries.is_empty() {
        return Err(Problem::missing("ai", "the log holds no usage: the plugin's `log_statistics` turns it on"));
    }
    envelope.time = time(object, "started_at")?.or(envelope.time);
    envelope.source = Some(Cow::Borrowed("kong"));
    if let Some(consumer) = object.object("consumer") {
        envelope.key_id = envelope::text(&consumer, "id")?.map(|id| identity::key_id(&id));
        for name in ["custom_id", "username"] {
            if let Some(user) = envelope::text(&consumer, name)?.filter(|_| envelope.claimed.user.is_none()) {
                envelope.claim_user(&user, out.config);
            }
        }
    }
    for name in ["service", "route"] {
        if let Some(found) = object.object(name).and_then(|place| place.string("name")) {
            envelope.add_tag(name, &found, out.config);
        }
    }
    if let Some(workspace) = object.string("workspace_name") {
        envelope.add_tag("workspace", &workspace, out.config);
    }
    let request = match object.object("request") {
        Some(request) => envelope::text(&request, "id")?,
        None => None,
    };
    let status = object.object("response").and_then(|response| response.get("status")?.number());
    let failed = status.and_then(|status| number::count(status).ok()).is_some_and(|status| status >= 400);
    for (plugin, entry) in entries {
        out.room("ai")?;
        let mut envelope = envelope.clone();
        if let Some(request) = &request {
            envelope.event_id = Some(Cow::Owned(format!("{request}/{plugin}")));
        }
        match call(&entry, &plugin) {
            Ok(call) if failed && call.parts.iter().all(|part| part.usage.is_empty()) => {
                out.ignore(IgnoreReason::FailedCall);
            }
            Ok(call) => out.call(call, envelope, json),
            Err(problem) => out.reject(problem, Some(json)),
        }
    }
    Ok(())
}

/// The call of one plugin. Before version 3.11 Kong keeps no more of the usage than its two counts, and what was cached is not
/// told (<https://developer.konghq.com/ai-gateway/ai-audit-log-reference/>, its source read 2026-11-30).
fn call<'a>(entry: &Object<'a>, plugin: &str) -> Result<Call<'a>> {
    let mut call = Call::new("kong.ai_log", "chat", precedence::GATEWAY);
    let meta = entry.object("meta").unwrap_or_default();
    let known = |name: &str| Ok::<_, Problem>(envelope::text(&meta, name)?.filter(|text| text != "UNSPECIFIED"));
    call.provider = known("provider_name")?.map(|name| provider_name(&name));
    let requested = known("request_model")?;
    call.requested_model = requested.as_deref().map(Into::into);
    call.model = known("response_model")?.or(requested);
    if call.model.as_deref().is_some_and(|model| model.contains("embed")) {
        call.operation = Cow::Borrowed("embeddings");
    }
    let usage = entry.object("usage").unwrap_or_default();
    call.raw_usage = Cow::Borrowed(raw(entry.get("usage")));
    let path = format!("ai.{}.usage", if plugin.len() <= 64 { plugin } else { "plugin" });
    let counts = Counts::new(&usage, &path);
    let input = counts.alias(&["prompt_tokens", "prompt_token"])?.unwrap_or(0);
    let output = counts.alias(&["completion_tokens", "completion_token"])?.unwrap_or(0);
    const DETAILS: [&str; 2] = ["prompt_tokens_details", "completion_tokens_details"];
    let mut part = if DETAILS.iter().any(|name| usage.object(name).is_some()) {
        // Beside the provider's counts stand its own, of times and money.
        let mut part = openai::usage(&usage, &openai::CHAT, call.model.as_deref().unwrap_or_default())?;
        part.flags.clear(Flag::UnknownUsageField);
        part
    } else {
        sides(&counts, input, output)?
    };
    if input + output == 0 {
        part.flags.set(Flag::UsageMissing);
    }
    call.parts = smallvec![part];
    // Reckoned from the prices in its own configuration; zero where there are none.
    call.reported_cost = envelope::cost(&usage, "cost", "stated_by_producer")?.filter(|cost| !cost.amount.is_zero());
    let hit = entry.object("cache").and_then(|cache| cache.string("cache_status"));
    if hit.is_some_and(|status| status.eq_ignore_ascii_case("hit")) {
        call.cost_basis = Some(CostBasis::GatewayCache);
    }
    Ok(call)
}

/// The two counts alone, and whether they are all there is.
fn sides(counts: &Counts<'_, '_>, input: i64, output: i64) -> Result<Part> {
    // What it could not count, it writes as zero.
    let total = counts.count("total_tokens")?.filter(|total| *total > 0);
    if let Some(total) = total.filter(|total| *total != input + output) {
        let field = counts.path("total_tokens");
        let message = format!("{field} is {total} but its prompt {input} + completion {output} is {}", input + output);
        return Err(Problem::contradiction(&field, message));
    }
    let checked = if total.is_some() { "total = prompt + completion" } else { "" };
    Ok(Tokens { input, output, ..Tokens::default() }.part(checked))
}
