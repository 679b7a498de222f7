//! Requests of coding agents as log records: Claude Code (which also writes spans), Codex, Gemini CLI (and Qwen Code, which
//! descends from it). Each row of [`AGENTS`] says which event carries the usage and what its counts mean.

use std::borrow::Cow;

use schemas::{CostBasis, Text};
use smallvec::smallvec;

use super::names::{self, Names, names};
use super::{Item, reported};
use crate::assemble::{Call, Out, Part, Tokens, precedence};
use crate::envelope::Envelope;
use crate::formats::gemini_cli;
use crate::number;
use crate::problem::Result;
use crate::usage::rest;

/// How an agent writes down a request.
struct Agent {
    extractor: &'static str,
    application: &'static str,
    /// Ends of the names of its event; older versions leave the prefix out.
    events: &'static [&'static str],
    provider: &'static str,
    counts: Counts,
    session: &'static Names,
    /// What, with the session, tells requests apart.
    sequence: &'static Names,
}

/// Names of counts.
struct Counts {
    input: &'static Names,
    output: &'static Names,
    cache_read: &'static Names,
    cache_write: &'static Names,
    reasoning: &'static Names,
    tool_use: &'static Names,
    /// The input holds the cache; otherwise it stands beside it.
    input_includes_cache: bool,
    /// The output holds the reasoning; otherwise it stands beside it.
    output_includes_reasoning: bool,
}

const AGENTS: &[Agent] = &[
    // Counts are Anthropic's; the cost is an estimate at list price, which subscribers do not pay
    // (https://docs.claude.com/en/docs/claude-code/monitoring-usage, checked 2026-11-22). Its spans have the same names for
    // them; a span and a log record of one request have its id (spans that others published, read 2026-11-29).
    Agent {
        extractor: "otlp.claude_code",
        application: "claude-code",
        events: &["claude_code.api_request", "api_request", "claude_code.llm_request"],
        provider: "anthropic",
        counts: Counts {
            input: names!["input_tokens"],
            output: names!["output_tokens"],
            cache_read: names!["cache_read_tokens"],
            cache_write: names!["cache_creation_tokens"],
            reasoning: names![],
            tool_use: names![],
            input_includes_cache: false,
            output_includes_reasoning: true,
        },
        session: names!["session.id", "session_id"],
        sequence: names!["event.sequence", "event_sequence"],
    },
    // Counts are those of OpenAI's Responses; `tool_token_count` is the total. Only the event of a completed response
    // has them (https://developers.openai.com/codex/config-advanced, and openai/codex codex-rs/otel, read as public
    // test data on 2026-11-23).
    Agent {
        extractor: "otlp.codex",
        application: "codex",
        events: &["codex.sse_event", "codex.websocket_event"],
        provider: "openai",
        counts: Counts {
            input: names!["input_token_count"],
            output: names!["output_token_count"],
            cache_read: names!["cached_token_count"],
            cache_write: names!["cache_write_token_count"],
            reasoning: names!["reasoning_token_count"],
            tool_use: names![],
            input_includes_cache: true,
            output_includes_reasoning: true,
        },
        session: names!["conversation.id", "conversation_id"],
        sequence: names!["response.id", "event.timestamp", "event_timestamp"],
    },
    // Counts are Gemini's: cache inside the input, thoughts and tool use beside
    // (https://github.com/google-gemini/gemini-cli/blob/main/docs/cli/telemetry.md, not opened again).
    Agent {
        extractor: "otlp.gemini_cli",
        application: "gemini-cli",
        events: &["gemini_cli.api_response", "qwen-code.api_response"],
        provider: "gcp.gemini",
        counts: Counts {
            input: names!["input_token_count"],
            output: names!["output_token_count"],
            cache_read: names!["cached_content_token_count"],
            cache_write: names![],
            reasoning: names!["thoughts_token_count"],
            tool_use: names!["tool_token_count"],
            input_includes_cache: true,
            output_includes_reasoning: false,
        },
        session: names!["session.id", "session_id"],
        sequence: names!["response_id", "event.timestamp", "event_timestamp"],
    },
];

/// True for the event of a request, by its name and the count that it has.
pub(super) fn is_request(event: &str, has: impl Fn(&str) -> bool) -> bool {
    AGENTS.iter().any(|agent| agent.events.contains(&event) && has(agent.counts.input.first()))
}

/// The call in a log record, or span, of this name; `None` when it is not an agent's.
pub(super) fn call<'a>(
    name: &str,
    item: Item<'_, 'a>,
    envelope: &mut Envelope<'a>,
    out: &Out<'_>,
) -> Result<Option<Call<'a>>> {
    let attributes = item.attributes;
    let is = |agent: &&Agent| agent.events.contains(&name) && attributes.has(agent.counts.input);
    let Some(agent) = AGENTS.iter().find(is) else { return Ok(None) };
    let mut call = Call::new(agent.extractor, "chat", precedence::AGENT);
    call.model = attributes.text(names!["model"]);
    let qwen = name.starts_with("qwen");
    call.provider = Some(Text::const_new(agent.provider)).filter(|_| !qwen);
    call.response_id = attributes.text(names!["response.id"]);
    let written = || number::time_text(&attributes.text(names!["event.timestamp", "event_timestamp"])?);
    call.time = item.entry.time.or_else(written);
    call.parts = smallvec![part(item, &agent.counts)?];
    call.raw_usage = Cow::Owned(attributes.raw(|name| name.ends_with("_tokens") || name.ends_with("_token_count")));
    call.reported_cost = reported(attributes, names!["cost_usd"], "estimate_at_list_price");
    call.context.speed = attributes.text(names!["speed"]).map(Text::from).filter(|speed| speed != "normal");
    // Signed in with a subscription, a request adds no marginal cost.
    if attributes.text(names!["auth_mode"]).is_some_and(|mode| mode.eq_ignore_ascii_case("chatgpt")) {
        call.cost_basis = Some(CostBasis::Included);
    }
    if agent.extractor == "otlp.gemini_cli" {
        gemini_cli::signed_in(attributes.text(names!["auth_type"]).as_deref(), &mut call);
    }
    let application = if qwen { "qwen-code" } else { agent.application };
    envelope.claimed.application = Some(application.into());
    envelope.claimed.session = attributes.text(agent.session).map(Text::from);
    let user = names!["user.email", "user.account_uuid", "user.account_id", "user.id"];
    if let Some(user) = attributes.text(user) {
        envelope.claim_user(&user, out.config);
    }
    // Spans, log records and transcripts know a request of Claude Code by one id. Others have none: session and sequence
    // tell their requests apart.
    let request = attributes.text(names!["request_id"]);
    let sequence = || Some(format!("{}/{}", envelope.claimed.session.as_ref()?, attributes.text(agent.sequence)?));
    if let Some(id) = request.or_else(|| sequence().map(Cow::Owned)) {
        envelope.event_id = Some(id);
        envelope.source = Some(Cow::Borrowed(application));
    }
    Ok(Some(call))
}

/// True for what an agent says of its requests in the names of the conventions, after it has said it in its own: Gemini CLI, and Qwen
/// Code, write each answer twice, with all counts in their own event alone (`logApiResponse`, read 2026-11-29).
pub(super) fn repeats(item: Item<'_, '_>) -> bool {
    let is_writer = |name: &str| gemini_cli::WRITERS.contains(&name);
    is_writer(&item.scope.name) || item.resource.text(names::SERVICE).is_some_and(|service| is_writer(&service))
}

fn part(item: Item<'_, '_>, names: &Counts) -> Result<Part> {
    let count = |names: &Names| item.attributes.count(names).map(|found| found.unwrap_or(0));
    let (input, output) = (count(names.input)?, count(names.output)?);
    let (read, written) = (count(names.cache_read)?, count(names.cache_write)?);
    let (reasoning, tool_use) = (count(names.reasoning)?, count(names.tool_use)?);
    let uncached = match names.input_includes_cache {
        true => {
            rest(input, names.input.first(), &[(read, names.cache_read.first()), (written, names.cache_write.first())])?
        }
        false => input,
    };
    let text = match names.output_includes_reasoning {
        true => rest(output, names.output.first(), &[(reasoning, names.reasoning.first())])?,
        false => output,
    };
    let tokens =
        Tokens { input: uncached + tool_use, cache_read: read, written, output: text, reasoning, ..Tokens::default() };
    Ok(tokens.part(""))
}
