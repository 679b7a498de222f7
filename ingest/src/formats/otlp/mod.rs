//! OpenTelemetry: spans and logs of model calls, and metrics, which are only kept to check completeness.
//!
//! Since semantic conventions 1.40 `gen_ai.usage.input_tokens` includes what was read from and written to a cache; older
//! emitters differ, so what an emitter means is told by its totals, its provider and its scope (see [`counts`]). Only
//! leaf calls are billable: spans of agents and workflows repeat the usage of their children (see [`role`]).
//! <https://github.com/open-telemetry/semantic-conventions-genai>, checked 2026-11-22.

mod agents;
mod batch;
mod counts;
pub(crate) mod exported;
mod genkit;
mod held;
mod mastra;
mod metadata;
mod names;
pub(crate) mod printed;
mod role;
mod text;
mod wire;

use std::borrow::Cow;

use schemas::{CostBasis, Flag, Meter, RejectReason, Text};
use smallvec::smallvec;

use self::batch::{Attributes, Batch, Entry, Id, Scope};
use self::names::{Names, names};
use self::role::Role;
use crate::assemble::{Call, Out, Part, precedence};
use crate::config::is_identifier;
use crate::envelope::{Envelope, has_word, host_provider, provider_name};
use crate::formats::log_lines;
use crate::head;
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::number;
use crate::problem::{Problem, Result};

pub(crate) use self::batch::Signal;
pub(crate) use self::wire::signal;

/// A batch as JSON.
pub(crate) fn json<'a>(object: &Object<'a>, signal: Signal, envelope: &Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let batch = text::read(object, signal, out.config.items_max)?;
    read(batch, signal, Some(envelope), out);
    Ok(())
}

/// A batch as protobuf.
pub(crate) fn protobuf(bytes: &[u8], signal: Signal, out: &mut Out<'_>) -> Result<()> {
    let batch = wire::read(bytes, signal, out.config.items_max)?;
    read(batch, signal, None, out);
    Ok(())
}

/// One entry and what it stands under.
#[derive(Clone, Copy)]
struct Item<'b, 'a> {
    entry: &'b Entry<'a>,
    attributes: &'b Attributes<'a>,
    resource: &'b Attributes<'a>,
    scope: &'b Scope<'a>,
}

fn read<'a>(batch: Batch<'a>, signal: Signal, envelope: Option<&Envelope<'a>>, out: &mut Out<'_>) {
    let Batch { resources, scopes, entries, cut } = batch;
    if entries.is_empty() {
        return out.ignore(IgnoreReason::NotAModelCall);
    }
    let mut roles = match signal {
        Signal::Traces => role::of_each(&entries).into_iter(),
        _ => Vec::new().into_iter(),
    };
    // A call of a span is known by its id, too: an event and a link.
    out.items.reserve(2 * entries.len());
    let own = || envelope.cloned().unwrap_or_default();
    let (no_attributes, no_scope) = (Attributes::default(), Scope::default());
    for entry in &entries {
        let role = roles.next().unwrap_or(Role::Other);
        let entry = match entry {
            Ok(entry) => entry,
            Err((problem, json)) => {
                out.reject(problem.clone(), *json);
                continue;
            }
        };
        let item = Item {
            entry,
            attributes: &entry.attributes,
            resource: resources.get(entry.resource).unwrap_or(&no_attributes),
            scope: scopes.get(entry.scope).unwrap_or(&no_scope),
        };
        let done = match signal {
            Signal::Traces => span(item, role, own(), out),
            Signal::Logs => log_record(item, own(), out),
            Signal::Metrics => {
                // Metrics sum up calls that are reported one by one elsewhere: never priced.
                out.ignore(IgnoreReason::TokenMetric);
                Ok(())
            }
        };
        if let Err(problem) = done {
            out.reject(problem, entry.json);
        }
    }
    if cut {
        let message = format!("the record holds more than {} items", out.config.items_max);
        out.reject(Problem::new(RejectReason::TooLarge, "", message), None);
    }
}

/// One span: a request of a coding agent, or whatever the conventions say of it.
fn span<'a>(item: Item<'_, 'a>, role: Role, mut envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    if let Some(call) = agents::call(&item.entry.name, item, &mut envelope, out)? {
        describe(item, &mut envelope, out);
        out.call(call, envelope, item.entry.json);
        return Ok(());
    }
    if let Some(call) = genkit::call(item.attributes)? {
        send(call, item, envelope, out);
        return Ok(());
    }
    by_role(role, "otlp.traces", item, envelope, out)
}

/// One log record: a request of a coding agent, or any record with token counts of the conventions. It belongs to the span
/// it was written in: that is the call.
fn log_record<'a>(item: Item<'_, 'a>, mut envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let named = item.attributes.text(names!["event.name", "event_name"]);
    let name = named.or_else(|| Some(item.entry.name.clone()).filter(|name| !name.is_empty()));
    let name = name.or_else(|| item.entry.body.clone().filter(|body| body.len() <= 64)).unwrap_or_default();
    if let Some(call) = agents::call(&name, item, &mut envelope, out)? {
        describe(item, &mut envelope, out);
        out.call(call, envelope, item.entry.json);
        return Ok(());
    }
    if name.ends_with(".agent.turn") {
        // Copilot tells of each answer, and again of the turn it was given in.
        out.ignore(IgnoreReason::AgentSpan);
        return Ok(());
    }
    let counted = item.attributes.has(names::INPUT) || item.attributes.has(names::OUTPUT);
    if !counted && of_a_program(item, &envelope, out) {
        return Ok(());
    }
    let role = if counted { role::of(item.entry) } else { Role::Other };
    by_role(role, "otlp.logs", item, envelope, out)
}

/// Reads what a program printed, as the Collector's receivers of files and containers pass it on: in the body, or parsed, in the
/// attributes; `false` where it speaks of no call.
fn of_a_program<'a>(item: Item<'_, 'a>, envelope: &Envelope<'a>, out: &mut Out<'_>) -> bool {
    const PARSED: &Names = names![
        "usage",
        "usageMetadata",
        "token_usage",
        "tokens",
        "prompt_tokens",
        "input_tokens",
        "promptTokens",
        "inputTokens",
    ];
    let entry = item.entry;
    let attributes = || match (entry.json, entry.wire) {
        (Some(json), _) => text::attributes_of(json),
        (None, Some(bytes)) => wire::attributes_of(bytes),
        (None, None) => None,
    };
    let parsed = if item.attributes.has(PARSED) { attributes() } else { None };
    let lines = [entry.body.as_deref(), parsed.as_deref()]
        .map(|line| line.filter(|line| log_lines::may_be_of_a_call(line.as_bytes())));
    if lines.iter().all(Option::is_none) {
        return false;
    }
    // The span it was printed in is seldom that of the call, so it is not named; but a call within a span is told of by spans, too, and only
    // an answer that has an id is known to be the same.
    let mut own = envelope.clone();
    own.time = own.time.or(entry.time);
    describe(item, &mut own, out);
    lines.into_iter().flatten().any(|line| log_lines::call(line, entry.span_id.is_some(), &own, out))
}

/// Bills model calls; whatever repeats one or is none is not billable.
fn by_role<'a>(
    role: Role,
    extractor: &'static str,
    item: Item<'_, 'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let operation = match role {
        Role::Model(_) | Role::Unstated if agents::repeats(item) => {
            out.ignore(IgnoreReason::AgentSpan);
            return Ok(());
        }
        Role::Repeats => {
            out.ignore(IgnoreReason::AgentSpan);
            return Ok(());
        }
        Role::Other => {
            out.ignore(IgnoreReason::NotAModelCall);
            return Ok(());
        }
        Role::Model(operation) => Some(operation),
        Role::Unstated => None,
    };
    let mut call = model_call(extractor, item, &mut envelope)?;
    let used = call.parts.iter().any(|part| !part.usage.is_empty());
    if !used && call.reported_cost.is_none() && item.attributes.has(names!["error.type"]) {
        out.ignore(IgnoreReason::FailedCall);
        return Ok(());
    }
    call.operation = operation.unwrap_or(call.operation);
    if call.operation == "image_generation" {
        call.parts.iter_mut().for_each(Part::draw);
    }
    if !used {
        // Nobody calls a model for nothing: counts of zero are what instrumentations write of what they do not count.
        call.flags.set(Flag::UsageMissing);
    }
    send(call, item, envelope, out);
    Ok(())
}

/// A call under the identity, the time and the names of its entry.
fn send<'a>(mut call: Call<'a>, item: Item<'_, 'a>, mut envelope: Envelope<'a>, out: &mut Out<'_>) {
    call.time = item.entry.time;
    envelope.trace_id = item.entry.trace_id.as_ref().map(Id::digits);
    envelope.span_id = item.entry.span_id.as_ref().map(Id::digits);
    describe(item, &mut envelope, out);
    out.call(call, envelope, item.entry.json);
}

/// What the semantic conventions and their older spellings say of a model call.
fn model_call<'a>(extractor: &'static str, item: Item<'_, 'a>, envelope: &mut Envelope<'a>) -> Result<Call<'a>> {
    let attributes = item.attributes;
    let mut call = Call::new(extractor, "chat", precedence::SPAN);
    call.provider = provider(attributes);
    let requested = attributes.text(names::REQUEST_MODEL).map(unquoted);
    call.model = attributes.text(names::RESPONSE_MODEL).or_else(|| requested.clone());
    call.requested_model = requested.map(Text::from);
    call.response_id = attributes.text(names::RESPONSE_ID);
    if call.response_id.is_none() && call.provider.as_deref() == Some("aws.bedrock") {
        call.response_id = attributes.text(names::AWS_REQUEST_ID);
    }
    // OpenRouter broadcasts what it served under its own name; the system is whom it asked (payloads others published, 2026-11-30).
    if call.model.as_deref().is_some_and(|model| model.contains('/'))
        && item.resource.text(names::SERVICE).as_deref() == Some("openrouter")
    {
        call.provider = Some(Text::const_new("openrouter"));
    }
    if call.model.is_none() {
        answered(attributes, &mut call);
    }
    let served = attributes.text(names::TIER);
    call.context.service_tier = served.map(Text::from).filter(|tier| tier != "auto");
    let asked = attributes.text(names!["openai.request.service_tier", "gen_ai.openai.request.service_tier"]);
    call.context.requested_tier = asked.map(Text::from);
    if let Some(host) = attributes.text(names::HOST) {
        head::place(&host, &mut call.context);
    }
    call.reported_cost = reported(attributes, names::COST, "stated_by_producer").or_else(|| langfuse_cost(attributes));
    call.raw_usage = Cow::Owned(attributes.raw(names::is_usage));
    unprefix(&mut call, item.scope);
    // What Copilot's users ask is paid for by its seats and credits. Its log records do not say who serves it.
    if call.provider.is_none() && item.scope.name.contains("copilot") {
        call.provider = Some(Text::const_new("github"));
    }
    if call.provider.as_deref() == Some("github")
        && (item.scope.name.contains("copilot") || attributes.has(names!["github.copilot.nano_aiu"]))
    {
        call.cost_basis = Some(CostBasis::Included);
    }
    if metadata::read(attributes, &mut call)? {
        return Ok(call);
    }
    if !attributes.has(names::INPUT)
        && !attributes.has(names::OUTPUT)
        && let Some(characters) = attributes.count(names::CHARACTERS)?
    {
        let mut part = Part::default();
        part.usage.add(Meter::InputCharacters, characters);
        call.parts = smallvec![part];
        call.raw_usage = Cow::Owned(format!("{{\"characters\":{characters}}}"));
        return Ok(call);
    }
    let mut part = counts::part(attributes, call.provider.as_deref(), call.model.as_deref(), item.scope, envelope)?;
    if call.model.as_deref().is_some_and(|model| has_word(model, "gemini")) {
        hidden(attributes, &mut part)?;
    }
    if !attributes.has(names::INPUT) && !attributes.has(names::OUTPUT) {
        part.flags.set(Flag::UsageMissing);
        envelope.flags.clear(Flag::PartialStream);
    }
    call.parts = smallvec![part];
    Ok(call)
}

/// Takes the provider off the model it stands before. DSPy, CrewAI and smolagents name models as LiteLLM does; others so where they say
/// whom they asked, too.
fn unprefix(call: &mut Call<'_>, scope: &Scope<'_>) {
    let Some((prefix, rest)) = call.model.as_deref().and_then(|model| model.split_once('/')) else { return };
    let named = provider_name(prefix);
    let of_litellm = ["dspy", "crewai", "smolagents"].iter().any(|framework| scope.name.contains(framework));
    let known = || DIRECT.contains(&named.as_str());
    let same = call.provider.as_deref() == Some(&*named);
    if !rest.is_empty() && (same && named.as_str() != "openrouter" || of_litellm && call.provider.is_none() && known())
    {
        call.model = Some(Cow::Owned(rest.to_owned()));
        call.provider = Some(named);
    }
}

/// Providers that LiteLLM puts before a model, and that no maker of models is called.
const DIRECT: [&str; 16] = [
    "openai",
    "anthropic",
    "gcp.gemini",
    "gcp.vertex_ai",
    "aws.bedrock",
    "azure.ai.openai",
    "azure.ai.inference",
    "groq",
    "openrouter",
    "together_ai",
    "fireworks",
    "x_ai",
    "cohere",
    "deepinfra",
    "cerebras",
    "perplexity",
];

/// Model and id of an answer that MLflow keeps whole, where it keeps neither by itself (traces others published, 2026-11-29).
fn answered(attributes: &Attributes<'_>, call: &mut Call<'_>) {
    for names in [names!["mlflow.spanOutputs"], names!["mlflow.spanInputs"]] {
        let Some((_, batch::Value::Text(text))) = attributes.get(names) else { continue };
        let Some((_, kept)) = Json::parse_object(text) else { continue };
        let short = |name: &str| kept.string(name).filter(|text| is_identifier(text));
        if let Some(model) = short("model").filter(|_| call.model.is_none()) {
            call.model = Some(Cow::Owned(model.into_owned()));
            call.response_id = call.response_id.take().or_else(|| Some(Cow::Owned(short("id")?.into_owned())));
        }
    }
}

/// Thinking of Gemini that an instrumentation leaves out shows in the total it passes on, as in Gemini's own answers
/// (OpenLLMetry's for `google-generativeai` and Vertex, read 2026-11-29).
fn hidden(attributes: &Attributes<'_>, part: &mut Part) -> Result<()> {
    let count = |names: &Names| attributes.count(names);
    // Langfuse's spans have an object of all counts in the place of the input, and no total beside it.
    let Some(total) = count(names::TOTAL)? else { return Ok(()) };
    if let (Some(input), Some(output), None | Some(0)) =
        (count(names::INPUT)?, count(names::OUTPUT)?, count(names::REASONING)?)
        && total > input + output
        && count(names::CACHE_READ)?.is_none_or(|cached| cached <= input)
    {
        part.usage.add(Meter::OutputReasoningTokens, total - input - output);
        part.flags.set(Flag::HiddenReasoning);
    }
    Ok(())
}

/// MLflow writes its attributes as JSON, texts in quotes.
fn unquoted(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) => Cow::Owned(inner.to_owned()),
        None => text,
    }
}

/// Who serves a call. Instrumentations of an SDK name the SDK's provider even when it points elsewhere, so a host that
/// belongs to one provider alone knows better.
fn provider(attributes: &Attributes<'_>) -> Option<Text> {
    let stated = attributes.text(names::PROVIDER);
    // The Vercel AI SDK calls Vercel's gateway so.
    let stated = stated.map(|name| if name == "gateway" { Cow::Borrowed("vercel") } else { name });
    let stated =
        stated.map(|name| provider_name(&unquoted(name))).filter(|name| !names::FRAMEWORKS.contains(&name.as_str()));
    let host = attributes.text(names::HOST).and_then(|host| host_provider(&host));
    match (stated.as_deref(), host) {
        (None | Some("openai"), Some(host)) => Some(Text::const_new(host)),
        _ => stated,
    }
}

/// Who and what the call belongs to.
fn describe<'a>(item: Item<'_, 'a>, envelope: &mut Envelope<'a>, out: &Out<'_>) {
    let both = |names: &Names| item.attributes.text(names).or_else(|| item.resource.text(names)).map(Text::from);
    if envelope.source.is_none() {
        envelope.source = item.resource.text(names::SERVICE);
    }
    let claimed = &mut envelope.claimed;
    for (slot, names) in [
        (&mut claimed.application, names::SERVICE),
        (&mut claimed.environment, names::ENVIRONMENT),
        (&mut claimed.session, names::SESSION),
        (&mut claimed.agent, names::AGENT),
        (&mut claimed.team, names::TEAM),
        (&mut claimed.project, names::PROJECT),
        (&mut claimed.cost_center, names!["cost_center"]),
        (&mut claimed.customer, names::CUSTOMER),
        (&mut claimed.feature, names::FEATURE),
        (&mut claimed.run_id, names::RUN_ID),
    ] {
        if slot.is_none() && (item.attributes.has(names) || item.resource.has(names)) {
            *slot = both(names);
        }
    }
    // OpenInference keeps what its caller says of a call as the text of one object.
    if claimed.team.is_none()
        && let Some((_, batch::Value::Text(text))) = item.attributes.get(names!["metadata"])
        && let Some((_, metadata)) = Json::parse_object(text)
    {
        claimed.team = crate::envelope::owned(&metadata, "team").unwrap_or(None);
    }
    if claimed.user.is_none()
        && let Some(user) = both(names::USER)
    {
        envelope.claim_user(&user, out.config);
    }
    // Resource attributes describe where a call ran; attributes of the call itself may hold contents.
    const TAGS: &[&Names] = &[
        names!["k8s.namespace.name"],
        names!["k8s.deployment.name"],
        names!["k8s.cluster.name"],
        names!["cloud.account.id"],
        names!["cloud.region"],
        names!["server.address"],
        names!["cost_center"],
    ];
    for tag in TAGS.iter().filter(|tag| item.attributes.has(tag) || item.resource.has(tag)) {
        if let Some(value) = both(tag) {
            envelope.add_tag(tag.first(), &value, out.config);
        }
    }
    // Labels that the Collector's Kubernetes processor took from the workload (its older spelling is plural).
    // Workloads have many labels: only those the operator lists are kept as tags.
    for (label, value) in item.resource.labels() {
        let listed = out.config.tag_keys.as_ref().is_some_and(|keys| keys.contains(label));
        envelope.add_label(label, value, listed, out.config);
    }
}

/// What Langfuse's SDK says a generation costs: the text of an object.
fn langfuse_cost(attributes: &Attributes<'_>) -> Option<schemas::ReportedCost> {
    let (_, batch::Value::Text(text)) = attributes.get(names!["langfuse.observation.cost_details"])? else {
        return None;
    };
    let (_, costs) = Json::parse_object(text)?;
    crate::envelope::cost(&costs, "total", "stated_by_producer").ok().flatten()
}

/// A claim about the cost. It is kept beside ours, so one that is no number (NaN is common) loses no call.
fn reported(attributes: &Attributes<'_>, names: &Names, basis: &'static str) -> Option<schemas::ReportedCost> {
    let (_, digits) = attributes.digits(names).ok()??;
    let amount = number::money(&digits).ok()?;
    Some(schemas::ReportedCost { amount, currency: "USD".into(), basis: basis.into() })
}
