//! OpenTelemetry as JSON: spans and logs of model calls, and metrics, which are only kept to check completeness.
//!
//! Since semantic conventions 1.40 `gen_ai.usage.input_tokens` includes what was read from and written to a cache; older
//! emitters differ, so what an emitter means is told by its provider and scope (see [`inclusive`]). Only leaf calls are
//! billable: spans of agents and workflows repeat the usage of their children.
//! <https://github.com/open-telemetry/semantic-conventions-genai>, checked 2026-11-22.

use std::borrow::Cow;

use schemas::{Flag, Meter, Text, Timestamp};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, precedence};
use crate::envelope::{Envelope, provider_name};
use crate::formats::openai;
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::number;
use crate::problem::{Problem, Result};
use crate::usage::rest;

/// What attributes are attached to, as one list: a later attribute of the same name counts.
#[derive(Default, Clone)]
struct Attributes<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Attributes<'a> {
    fn read(object: &Object<'a>) -> Self {
        let mut found = Vec::new();
        for entry in object.array("attributes").unwrap_or_default() {
            let Some(entry) = entry.object() else { continue };
            let value = entry.object("value").and_then(|value| value.iter().next().map(|(_, value)| value));
            if let (Some(key), Some(value)) = (entry.string("key"), value) {
                found.push((key, value));
            }
        }
        Attributes(found)
    }

    fn get(&self, names: &[&str]) -> Option<(&str, Json<'a>)> {
        names.iter().find_map(|name| {
            let found = self.0.iter().rev().find(|(key, value)| key == name && !value.is_null());
            found.map(|(key, value)| (key.as_ref(), *value))
        })
    }

    fn text(&self, names: &[&str]) -> Option<Cow<'a, str>> {
        let (_, value) = self.get(names)?;
        value
            .string()
            .or_else(|| value.number().map(Cow::Borrowed))
            .filter(|text| !text.is_empty() && text.len() <= 512)
    }

    fn count(&self, names: &[&str]) -> Result<Option<i64>> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        let digits = value.number().ok_or_else(|| Problem::wrong_type(name, value, "a whole number"))?;
        number::count(digits).map(Some).map_err(|error| Problem::number(name, value, error))
    }
}

const INPUT: &[&str] =
    &["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "llm.usage.prompt_tokens"];
const OUTPUT: &[&str] = &[
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
];
const CACHE_READ: &[&str] = &[
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.input_tokens.cached",
    "llm.token_count.prompt_details.cache_read",
];
const CACHE_WRITE: &[&str] = &[
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
];
const REASONING: &[&str] = &[
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "llm.token_count.completion_details.reasoning",
];
const TOTAL: &[&str] = &["gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens"];

/// Spans.
pub(crate) fn traces<'a>(object: &Object<'a>, envelope: &Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    each(object, ["resourceSpans", "resource_spans"], ["scopeSpans", "scope_spans"], "spans", out, |item, out| {
        span(item, envelope.clone(), out)
    })
}

/// Logs: events of coding agents, and semantic convention events that carry usage.
pub(crate) fn logs<'a>(object: &Object<'a>, envelope: &Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    each(object, ["resourceLogs", "resource_logs"], ["scopeLogs", "scope_logs"], "logRecords", out, |item, out| {
        log_record(item, envelope.clone(), out)
    })
}

/// Metrics sum up calls that are reported one by one elsewhere: never priced.
pub(crate) fn metrics(object: &Object<'_>, out: &mut Out<'_>) -> Result<()> {
    each(
        object,
        ["resourceMetrics", "resource_metrics"],
        ["scopeMetrics", "scope_metrics"],
        "metrics",
        out,
        |_, out| {
            out.ignore(IgnoreReason::TokenMetric);
            Ok(())
        },
    )
}

/// One span, log record or metric with what it stands under.
struct Item<'a> {
    json: Json<'a>,
    object: Object<'a>,
    attributes: Attributes<'a>,
    resource: Attributes<'a>,
    scope: Option<Cow<'a, str>>,
}

/// Walks resource, scope and item. An item that cannot be used does not spoil the others.
fn each<'a>(
    object: &Object<'a>,
    resources: [&'static str; 2],
    scopes: [&'static str; 2],
    items: &'static str,
    out: &mut Out<'_>,
    mut take: impl FnMut(Item<'a>, &mut Out<'_>) -> Result<()>,
) -> Result<()> {
    let list = |object: &Object<'a>, names: &[&'static str]| -> Result<Vec<Json<'a>>> {
        match object.first(names) {
            Some((name, value)) => value.array().ok_or_else(|| Problem::wrong_type(name, value, "an array")),
            None => Ok(Vec::new()),
        }
    };
    let before = out.items.len();
    for resource in list(object, &resources)? {
        let Some(resource) = resource.object() else { continue };
        let attributes = resource.object("resource").map(|inner| Attributes::read(&inner)).unwrap_or_default();
        for scope in list(&resource, &scopes)? {
            let Some(scope) = scope.object() else { continue };
            let name = scope.object("scope").and_then(|inner| inner.string("name"));
            for json in list(&scope, &[items, "log_records"])? {
                if out.is_full() {
                    let message = format!("the record holds more than {} items", out.config.items_max);
                    out.reject(Problem::new(schemas::RejectReason::TooLarge, items, message), None);
                    return Ok(());
                }
                let Some(object) = json.object() else {
                    out.reject(Problem::wrong_type(items, json, "objects"), Some(json));
                    continue;
                };
                let item = Item {
                    json,
                    attributes: Attributes::read(&object),
                    object,
                    resource: attributes.clone(),
                    scope: name.clone(),
                };
                if let Err(problem) = take(item, out) {
                    out.reject(problem, Some(json));
                }
            }
        }
    }
    if out.items.len() == before {
        out.ignore(IgnoreReason::NotAModelCall);
    }
    Ok(())
}

/// One span.
fn span<'a>(item: Item<'a>, mut envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let attributes = &item.attributes;
    let operation = attributes.text(&["gen_ai.operation.name", "llm.request.type", "openinference.span.kind"]);
    let operation = operation.map(|name| name.to_ascii_lowercase()).unwrap_or_default();
    let agent = matches!(
        operation.as_str(),
        "invoke_agent" | "create_agent" | "invoke_workflow" | "agent" | "chain" | "workflow" | "task"
    );
    // The Vercel AI SDK's outer spans repeat what their `.doGenerate` and `.doStream` children say.
    let name = item.object.string("name").unwrap_or_default();
    let vercel = name.starts_with("ai.") && !name.contains(".do");
    let has_usage = attributes.get(INPUT).is_some() || attributes.get(OUTPUT).is_some();
    if agent || (vercel && has_usage) {
        out.ignore(IgnoreReason::AgentSpan);
        return Ok(());
    }
    if !has_usage || matches!(operation.as_str(), "execute_tool" | "tool" | "retriever" | "guardrail" | "evaluator") {
        out.ignore(IgnoreReason::NotAModelCall);
        return Ok(());
    }
    let mut call = model_call("otlp.traces", &item)?;
    if !operation.is_empty() && operation != "llm" {
        call.operation = Cow::Owned(if operation == "completion" { "text_completion".to_owned() } else { operation });
    }
    call.time = nanoseconds(&item.object, &["startTimeUnixNano", "start_time_unix_nano"]);
    envelope.trace_id = id(&item.object, &["traceId", "trace_id"]);
    envelope.span_id = id(&item.object, &["spanId", "span_id"]);
    describe(&item, &mut envelope, out);
    out.call(call, envelope, item.json);
    Ok(())
}

/// Trace and span ids in lower-case hexadecimal, as OTLP/JSON writes them.
fn id<'a>(object: &Object<'a>, names: &[&'static str]) -> Option<Cow<'a, str>> {
    let (_, value) = object.first(names)?;
    value.string().filter(|id| !id.is_empty() && id.len() <= 64).map(|id| Cow::Owned(id.to_ascii_lowercase()))
}

fn nanoseconds(object: &Object<'_>, names: &[&'static str]) -> Option<Timestamp> {
    let (_, value) = object.first(names)?;
    let digits = value.number()?;
    let nanoseconds: i64 = digits.parse().ok()?;
    Some(nanoseconds).filter(|time| *time > 0).map(|time| Timestamp::from_micros(time / 1_000))
}

/// One log record: `claude_code.api_request`, or any record with a model and token counts of the conventions.
fn log_record<'a>(item: Item<'a>, mut envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let attributes = &item.attributes;
    let name = attributes.text(&["event.name"]).or_else(|| item.object.string("eventName"));
    let name = name.or_else(|| item.object.object("body").and_then(|body| body.string("stringValue")));
    let time = nanoseconds(&item.object, &["timeUnixNano", "time_unix_nano", "observedTimeUnixNano"]);
    let name = name.unwrap_or_default();
    if name.ends_with("api_request") && attributes.get(&["input_tokens"]).is_some() {
        return claude_code(item, time, envelope, out);
    }
    if attributes.get(INPUT).is_none() {
        out.ignore(IgnoreReason::NotAModelCall);
        return Ok(());
    }
    let mut call = model_call("otlp.logs", &item)?;
    call.time = time;
    // A log record belongs to the span it was written in: that is the call.
    envelope.trace_id = id(&item.object, &["traceId", "trace_id"]);
    envelope.span_id = id(&item.object, &["spanId", "span_id"]);
    describe(&item, &mut envelope, out);
    out.call(call, envelope, item.json);
    Ok(())
}

/// A request of Claude Code. Its counts are Anthropic's (cache beside the input); its cost is an estimate at list
/// price, which subscribers do not pay (<https://docs.claude.com/en/docs/claude-code/monitoring-usage>, 2026-11-22).
fn claude_code<'a>(
    item: Item<'a>,
    time: Option<Timestamp>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let attributes = &item.attributes;
    let mut call = Call::new("otlp.claude_code", "chat", precedence::AGENT);
    call.provider = Some(Text::const_new("anthropic"));
    call.model = attributes.text(&["model"]);
    call.response_id = attributes.text(&["request_id"]);
    call.time = time;
    let count = |name: &str| attributes.count(&[name]).map(|found| found.unwrap_or(0));
    let mut part = Part::default();
    part.usage.add(Meter::InputTextTokens, count("input_tokens")?);
    part.usage.add(Meter::CacheReadTextTokens, count("cache_read_tokens")?);
    let written = count("cache_creation_tokens")?;
    part.usage.add(Meter::CacheWrite5mTokens, written);
    if written > 0 {
        part.flags.set(Flag::Assumed5m);
    }
    part.usage.add(Meter::OutputTextTokens, count("output_tokens")?);
    call.parts = smallvec![part];
    call.raw_usage = Cow::Owned(counts_text(attributes, |name| name.ends_with("_tokens")));
    call.reported_cost = reported(attributes, &["cost_usd"], "estimate_at_list_price")?;
    call.context.speed = attributes.text(&["speed"]).map(Text::from).filter(|speed| speed != "normal");
    envelope.claimed.application = Some("claude-code".into());
    envelope.claimed.session = attributes.text(&["session.id"]).map(Text::from);
    if let Some(user) = attributes.text(&["user.email", "user.account_uuid", "user.id"]) {
        envelope.claim_user(&user, out.config);
    }
    // Neither id nor span: session and sequence tell requests apart.
    if let (Some(session), Some(sequence)) = (&envelope.claimed.session, attributes.text(&["event.sequence"])) {
        envelope.event_id = Some(Cow::Owned(format!("{session}/{sequence}")));
        envelope.source = Some(Cow::Borrowed("claude-code"));
    }
    describe(&item, &mut envelope, out);
    out.call(call, envelope, item.json);
    Ok(())
}

/// What the semantic conventions and their older spellings say of a model call.
fn model_call<'a>(extractor: &'static str, item: &Item<'a>) -> Result<Call<'a>> {
    let attributes = &item.attributes;
    let mut call = Call::new(extractor, "chat", precedence::SPAN);
    let provider = attributes.text(&["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"]);
    call.provider = provider.as_deref().map(provider_name);
    let requested = attributes.text(&["gen_ai.request.model", "llm.request.model", "llm.model_name"]);
    call.model = attributes.text(&["gen_ai.response.model", "llm.response.model"]).or_else(|| requested.clone());
    call.requested_model = requested.map(Text::from);
    call.response_id = attributes.text(&["gen_ai.response.id"]);
    let served = attributes.text(&["openai.response.service_tier", "gen_ai.openai.response.service_tier"]);
    call.context.service_tier = served.map(Text::from).filter(|tier| tier != "auto");
    let asked = attributes.text(&["openai.request.service_tier", "gen_ai.openai.request.service_tier"]);
    call.context.requested_tier = asked.map(Text::from);
    call.reported_cost = reported(
        attributes,
        &["gen_ai.usage.cost", "gen_ai.cost.total_tokens", "llm.cost.total"],
        "stated_by_producer",
    )?;

    let input = attributes.count(INPUT)?.unwrap_or(0);
    let output = attributes.count(OUTPUT)?.unwrap_or(0);
    let read = attributes.count(CACHE_READ)?.unwrap_or(0);
    let written = attributes.count(CACHE_WRITE)?.unwrap_or(0);
    let reasoning = attributes.count(REASONING)?.unwrap_or(0);
    let provider = call.provider.as_deref().or_else(|| call.model.as_deref().and_then(openai::family));
    let mut part = Part::default();
    let total = attributes.count(TOTAL)?;
    let uncached = if inclusive(provider, item.scope.as_deref(), input, output, read + written, total) {
        part.checked = "input = uncached + cache read + cache written";
        let name = "gen_ai.usage.input_tokens";
        rest(input, name, &[(read, "cache_read.input_tokens"), (written, "cache_creation.input_tokens")])?
    } else {
        part.checked = "input excludes cache";
        input
    };
    let text = rest(output, "gen_ai.usage.output_tokens", &[(reasoning, "reasoning.output_tokens")])?;
    part.usage.add(Meter::InputTextTokens, uncached);
    part.usage.add(Meter::CacheReadTextTokens, read);
    part.usage.add(Meter::CacheWrite5mTokens, written);
    if written > 0 {
        part.flags.set(Flag::Assumed5m);
    }
    part.usage.add(Meter::OutputTextTokens, text);
    part.usage.add(Meter::OutputReasoningTokens, reasoning);
    call.parts = smallvec![part];
    call.raw_usage = Cow::Owned(counts_text(attributes, |name| {
        name.starts_with("gen_ai.usage.") || name.starts_with("llm.token_count.") || name.starts_with("llm.usage.")
    }));
    Ok(call)
}

/// Whether the input count includes what was read from and written to a cache. In order: a stated total decides; a
/// cache larger than the input cannot be inside it; OpenLLMetry's and OpenLIT's Anthropic and Bedrock instrumentations
/// pass the provider's own exclusive count on; everything else follows the conventions, which include it.
fn inclusive(
    provider: Option<&str>,
    scope: Option<&str>,
    input: i64,
    output: i64,
    cache: i64,
    total: Option<i64>,
) -> bool {
    if cache == 0 {
        return true;
    }
    match total {
        Some(total) if total == input + output => {}
        Some(total) if total == input + output + cache => return false,
        _ => {}
    }
    let passes_on = scope.is_some_and(|scope| {
        scope.starts_with("opentelemetry.instrumentation.anthropic")
            || scope.starts_with("opentelemetry.instrumentation.bedrock")
            || scope.starts_with("openlit")
    });
    let exclusive_provider = matches!(provider, Some("anthropic" | "aws.bedrock"));
    cache <= input && !(passes_on && exclusive_provider)
}

/// Who and what the call belongs to.
fn describe<'a>(item: &Item<'a>, envelope: &mut Envelope<'a>, out: &Out<'_>) {
    let both = |names: &[&str]| item.attributes.text(names).or_else(|| item.resource.text(names)).map(Text::from);
    if envelope.source.is_none() {
        envelope.source = item.resource.text(&["service.name"]);
    }
    let claimed = &mut envelope.claimed;
    let fill = |slot: &mut Option<Text>, found: Option<Text>| {
        if slot.is_none() {
            *slot = found;
        }
    };
    fill(&mut claimed.application, both(&["service.name"]));
    fill(&mut claimed.environment, both(&["deployment.environment.name", "deployment.environment"]));
    fill(&mut claimed.session, both(&["gen_ai.conversation.id", "session.id"]));
    fill(&mut claimed.agent, both(&["gen_ai.agent.name"]));
    fill(&mut claimed.team, both(&["team", "team.name"]));
    fill(&mut claimed.project, both(&["project", "service.namespace"]));
    fill(&mut claimed.run_id, both(&["mlflow.run_id", "wandb.run_id", "k8s.job.name"]));
    if claimed.user.is_none()
        && let Some(user) = both(&["user.id", "enduser.id"])
    {
        envelope.claim_user(&user, out.config);
    }
    // Resource attributes describe where a call ran; attributes of the call itself may hold contents.
    const TAGS: &[&str] =
        &["k8s.namespace.name", "k8s.deployment.name", "cloud.account.id", "server.address", "cost_center"];
    for name in TAGS {
        if let Some(value) = both(&[name]) {
            envelope.add_tag(name, &value, out.config);
        }
    }
    if let Some(region) = both(&["cloud.region"]) {
        envelope.add_tag("cloud.region", &region, out.config);
    }
}

fn reported(attributes: &Attributes<'_>, names: &[&str], basis: &'static str) -> Result<Option<schemas::ReportedCost>> {
    let Some((name, value)) = attributes.get(names) else { return Ok(None) };
    let digits = value.number().ok_or_else(|| Problem::wrong_type(name, value, "a number"))?;
    let amount = number::money(digits).map_err(|error| Problem::number(name, value, error))?;
    Ok(Some(schemas::ReportedCost { amount, currency: "USD".into(), basis: basis.into() }))
}

/// The counts as they were sent, as one object.
fn counts_text(attributes: &Attributes<'_>, wanted: impl Fn(&str) -> bool) -> String {
    let counts = attributes.0.iter().filter(|(name, value)| wanted(name) && value.number().is_some());
    let counts: Vec<String> = counts.map(|(name, value)| format!("\"{name}\":{}", value.text())).collect();
    format!("{{{}}}", counts.join(","))
}
