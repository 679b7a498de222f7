//! What tracing tools and gateways export, one call a record: LangChain and LangSmith, Helicone, Portkey, Azure API
//! Management. Where the provider's own body is inside, it is read; the tool's counts only stand in for it.
//! No sample of real traffic was at hand for Helicone, Portkey and API Management: they are read from documentation only.

use std::borrow::Cow;

use schemas::{FactKind, Flag, Meter, Quantity, ReportedCost, Text};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, Tokens, precedence};
use crate::envelope::{self, Envelope, host_provider, provider_name, time};
use crate::formats::{self, families, langchain, openai, resource};
use crate::head;
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::problem::{Problem, Result};
use crate::recognise::recognise;
use crate::usage::{Counts, raw, rest};

/// A message of LangChain: `input_tokens` includes the cache, `output_tokens` the reasoning
/// (<https://python.langchain.com/api_reference/core/messages/langchain_core.messages.ai.UsageMetadata.html>, from memory,
/// not opened).
pub(crate) fn langchain<'a>(object: &Object<'a>, envelope: &Envelope<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("langchain.message", "chat", precedence::SPAN);
    // Written down by LangChain itself, the message stands within its `kwargs`.
    let inner = object.object("kwargs");
    let object = inner.as_ref().unwrap_or(object);
    let value = object.get("usage_metadata").or_else(|| object.get("usageMetadata"));
    let usage = value.and_then(Json::object).unwrap_or_default();
    call.raw_usage = Cow::Borrowed(raw(value));
    // What Flowise keeps is in camel case.
    let about = langchain::about(object).or_else(|| object.object("responseMetadata")).unwrap_or_default();
    call.model = match envelope::text(&about, "model_name")? {
        Some(model) => Some(model),
        None => envelope::text(&about, "model")?,
    };
    call.parts = match langchain::stated(object).filter(|_| value.is_none()) {
        Some(stated) => {
            call.raw_usage = Cow::Borrowed(raw(Some(stated)));
            langchain::parts(&stated.object().unwrap_or_default(), call.model.as_deref().unwrap_or(""))?
        }
        None => smallvec![langchain_usage(&usage, call.model.as_deref().unwrap_or(""))?],
    };
    // LangChain names the API that was spoken: many others speak OpenAI's.
    let owner = call.model.as_deref().and_then(families::family);
    let spoken = |name: &str| name == "openai" && owner.is_some_and(|owner| owner != "openai");
    call.provider =
        envelope::text(&about, "model_provider")?.map(|name| provider_name(&name)).filter(|name| !spoken(name));
    call.context.service_tier = envelope::owned(&about, "service_tier")?.filter(|tier| tier != "auto");
    // `run-...` and `lc_...` are LangChain's own ids.
    let id = envelope::text(object, "id")?.filter(|id| !id.starts_with("run-") && !id.starts_with("lc_"));
    call.response_id = match envelope::text(&about, "id")? {
        Some(id) => Some(id),
        None => id,
    };
    call.time = time(&about, "created_at").unwrap_or(None);
    if let Some(answer) = about.object("ResponseMetadata") {
        // Bedrock's, as boto3 hands it on.
        call.response_id = envelope::text(&answer, "RequestId")?.or(call.response_id);
        call.time = answer.get("HTTPHeaders").and_then(head::date).or(call.time);
    }
    if call.response_id.is_none() {
        call.response_id = langchain::generated(object);
    }
    // Some of its integrations never name the model: what was used is counted, and visibly unpriced.
    if call.model.is_none() && envelope.model.is_none() {
        let asked = envelope.requested_model.as_ref().map(|model| Cow::Owned(model.to_string()));
        call.model = asked.or(Some(Cow::Borrowed("unknown")));
    }
    Ok(call)
}

fn langchain_usage(usage: &Object<'_>, model: &str) -> Result<Part> {
    let counts = Counts::new(usage, "usage_metadata");
    let (input, output) = (counts.need("input_tokens")?, counts.or_zero("output_tokens")?);
    let details = counts.inner("input_token_details")?.unwrap_or_default();
    let within = Counts::new(&details, "usage_metadata.input_token_details");
    let (read, written) = (within.or_zero("cache_read")?, within.or_zero("cache_creation")?);
    let short = within.or_zero("ephemeral_5m_input_tokens")?;
    let long = within.or_zero("ephemeral_1h_input_tokens")?;
    let written = written.max(short + long);
    let audio = within.or_zero("audio")?;
    let details = counts.inner("output_token_details")?.unwrap_or_default();
    let within = Counts::new(&details, "usage_metadata.output_token_details");
    let (reasoning, audio_out) = (within.or_zero("reasoning")?, within.or_zero("audio")?);
    let total = counts.count("total_tokens")?.filter(|total| *total > 0);
    // LangChain.js left Anthropic's cache beside the input: what is larger than the input cannot be inside it. Older versions did
    // not count what Gemini thought, which shows in the total alone, or left it beside the output (messages that others published,
    // read 2026-11-29).
    let exclusive = read + written > input;
    let beside = reasoning > 0 && total == Some(input + output + reasoning);
    let hidden = total.map_or(0, |total| total - input - output).max(0);
    let hidden = if model.contains("gemini") && reasoning == 0 { hidden } else { 0 };
    let (inside_read, inside_written) = if exclusive { (0, 0) } else { (read, written) };
    let uncached = rest(
        input,
        "usage_metadata.input_tokens",
        &[(inside_read, "input_token_details.cache_read"), (inside_written, "cache_creation"), (audio, "audio")],
    )?;
    let text = rest(
        output,
        "usage_metadata.output_tokens",
        &[(if beside { 0 } else { reasoning }, "output_token_details.reasoning"), (audio_out, "audio")],
    )?;
    let caches = if exclusive { read + written } else { 0 };
    let sums = [input + output, input + output + caches, input + output + hidden];
    if let Some(total) = total.filter(|total| !beside && !sums.contains(total)) {
        let message = format!(
            "usage_metadata.total_tokens is {total} but input_tokens {input} + output_tokens {output} is {}",
            input + output
        );
        return Err(Problem::contradiction("usage_metadata.total_tokens", message));
    }
    let stated = short + long > 0;
    let tokens = Tokens {
        input: uncached,
        cache_read: read,
        written: if stated { 0 } else { written },
        written_5m: if stated { written - long } else { 0 },
        written_1h: long,
        output: text,
        reasoning: reasoning + hidden,
    };
    let mut part = tokens.part("input = uncached + cache read + cache written");
    if hidden > 0 {
        part.flags.set(Flag::HiddenReasoning);
    }
    if exclusive {
        part.flags.set(Flag::TotalMismatch);
    }
    part.usage.add(Meter::InputAudioTokens, audio);
    part.usage.add(Meter::OutputAudioTokens, audio_out);
    Ok(part)
}

/// A run of LangSmith. Only runs of type `llm` are model calls; chains, tools and retrievers repeat or cost nothing
/// (<https://docs.langchain.com/langsmith/run-data-format>, from documentation only).
pub(crate) fn langsmith<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let kind = object.string("run_type").unwrap_or_default();
    if kind != "llm" && kind != "embedding" {
        out.ignore(if kind == "chain" { IgnoreReason::AgentSpan } else { IgnoreReason::NotAModelCall });
        return Ok(());
    }
    let operation = if kind == "embedding" { "embeddings" } else { "chat" };
    let mut call = Call::new("langsmith.run", operation, precedence::SPAN);
    let extra = object.object("extra").unwrap_or_default();
    let metadata = extra.object("metadata").unwrap_or_default();
    call.provider = envelope::text(&metadata, "ls_provider")?.map(|name| provider_name(&name));
    let asked = envelope::text(&metadata, "ls_model_name")?;
    call.time = time(object, "start_time")?;
    let outputs = object.object("outputs").unwrap_or_default();
    call.requested_model = asked.as_deref().map(Text::from);
    call.model = answered_by(&outputs).or(asked);
    let usage =
        outputs.get("usage_metadata").or_else(|| metadata.get("usage_metadata")).or_else(|| generated(&outputs));
    let answered = outputs.get("usage");
    call.parts = match (usage.and_then(Json::object), answered.and_then(Json::object)) {
        (Some(found), _) => {
            call.raw_usage = Cow::Borrowed(raw(usage));
            smallvec![langchain_usage(&found, call.model.as_deref().unwrap_or(""))?]
        }
        // Wrappers of a provider's SDK keep its answer as it was.
        (None, Some(found)) if found.has("prompt_tokens") => {
            call.raw_usage = Cow::Borrowed(raw(answered));
            smallvec![openai::usage(&found, &openai::CHAT, call.model.as_deref().unwrap_or(""))?]
        }
        // Its API gives a run back with the details of its counts.
        (None, _) if object.has("prompt_token_details") || object.has("completion_token_details") => {
            let text = details(object);
            let found = Json::parse_object(&text).map(|(_, found)| found).unwrap_or_default();
            let part = langchain_usage(&found, call.model.as_deref().unwrap_or(""))?;
            call.raw_usage = Cow::Owned(text.clone());
            smallvec![part]
        }
        // The run's own counts say nothing of caches.
        (None, _) => {
            let (part, raw) = plain(object, "prompt_tokens", "completion_tokens")?;
            call.raw_usage = Cow::Owned(raw);
            smallvec![part]
        }
    };
    call.reported_cost = claimed_cost(object, "total_cost");
    if call.parts.iter().all(|part| part.usage.is_empty()) && object.get("outputs").is_none() {
        // What failed used nothing, and what still runs is reported again.
        let failed = object.get("error").is_some();
        if failed || object.get("end_time").is_none() {
            out.ignore(if failed { IgnoreReason::FailedCall } else { IgnoreReason::StatusOnly });
            return Ok(());
        }
    }
    envelope.event_id = envelope::text(object, "id")?;
    envelope.source = Some(Cow::Borrowed("langsmith"));
    let session = ["thread_id", "session_id", "conversation_id"];
    envelope.claimed.session = match first(&metadata, &session)? {
        Some(thread) => Some(thread),
        None => envelope::owned(object, "trace_id")?,
    };
    envelope.claimed.project = envelope::owned(object, "session_name")?;
    envelope.claimed.team = envelope::owned(&metadata, "team").unwrap_or(None);
    envelope.claimed.environment = first(&metadata, &["environment", "env"])?;
    if let Some(user) = first(&metadata, &["user_id", "user"])? {
        envelope.claim_user(&user, out.config);
    }
    out.call(call, envelope, json);
    Ok(())
}

/// The counts of a run and their details, as LangChain spells them.
fn details(run: &Object<'_>) -> String {
    const NAMES: [(&str, &str); 5] = [
        ("prompt_tokens", "input_tokens"),
        ("completion_tokens", "output_tokens"),
        ("total_tokens", "total_tokens"),
        ("prompt_token_details", "input_token_details"),
        ("completion_token_details", "output_token_details"),
    ];
    let found = NAMES.iter().filter_map(|(from, to)| Some(format!("\"{to}\":{}", run.get(from)?.text())));
    format!("{{{}}}", found.collect::<Vec<_>>().join(","))
}

/// The message of the first generation, where LangChain's own tracer puts it.
fn first_message<'a>(outputs: &Object<'a>) -> Option<Object<'a>> {
    let first = |list: Json<'a>| list.array().and_then(|list| list.first().copied());
    let generation = first(outputs.get("generations")?)?;
    let generation = first(generation).unwrap_or(generation).object()?;
    let message = generation.object("message")?;
    Some(message.object("kwargs").unwrap_or(message))
}

/// The model that the answer names: the run knows what was asked for.
fn answered_by<'a>(outputs: &Object<'a>) -> Option<Cow<'a, str>> {
    let about = first_message(outputs).and_then(|message| message.object("response_metadata"));
    let named = |about: &Object<'a>| about.string("model_name").or_else(|| about.string("model"));
    let whole = || outputs.string("model").filter(|_| outputs.has("choices"));
    let model = about.as_ref().and_then(named).or_else(whole)?;
    Some(model).filter(|model| !model.is_empty() && model.len() <= crate::TEXT_BYTES_MAX)
}

/// The usage in that message.
fn generated<'a>(outputs: &Object<'a>) -> Option<Json<'a>> {
    let message = first_message(outputs)?;
    message.get("usage_metadata").filter(|usage| usage.object().is_some_and(|usage| usage.has("input_tokens")))
}

/// A request of Helicone (<https://docs.helicone.ai/features/webhooks>, from documentation only). Its cache counts are
/// inside the prompt if the total says so, else beside it.
pub(crate) fn helicone<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    wrappers: u8,
    out: &mut Out<'_>,
) -> Result<()> {
    envelope.event_id = envelope::text(object, "request_id")?;
    envelope.source = Some(Cow::Borrowed("helicone"));
    for name in ["request_created_at", "created_at"] {
        envelope.time = envelope.time.or(time(object, name)?);
    }
    for name in ["request_user_id", "user_id"] {
        if let Some(user) = envelope::text(object, name)? {
            envelope.claim_user(&user, out.config);
        }
    }
    for name in ["request_properties", "properties"] {
        if let Some(properties) = object.object(name) {
            envelope.add_tags(&properties, out.config);
        }
    }
    envelope.model = first(object, &["response_model", "model", "request_model"])?;
    envelope.provider = envelope::text(object, "provider")?.map(|name| provider_name(&name.to_ascii_lowercase()));
    let metadata = object.object("metadata").unwrap_or_default();
    let cost = ["cost", "cost_usd", "costUSD"]
        .iter()
        .find_map(|name| claimed_cost(object, name).or_else(|| claimed_cost(&metadata, name)));
    envelope.reported_cost = cost;
    // Rows of its database count costs in billionths of a dollar.
    if object.has("cache_reference_id")
        && let Some(cost) = &mut envelope.reported_cost
    {
        cost.amount = schemas::Money::from_picos(cost.amount.picos() / 1_000_000_000).unwrap_or_default();
    }
    let copied = object.string("cache_reference_id").is_some_and(|id| id.bytes().any(|byte| !b"0-".contains(&byte)));
    if copied {
        envelope.cost_basis = Some(schemas::CostBasis::GatewayCache);
    }
    let status =
        ["response_status", "status"].iter().find_map(|name| Counts::new(object, "").count(name).ok().flatten());
    let status = status.unwrap_or(200);
    if let Some(body) = body(object, "response_body") {
        envelope.precedence = Some(precedence::GATEWAY);
        formats::item(body, None, envelope, wrappers + 1, out);
        return Ok(());
    }
    // Its webhooks send the body as text.
    let text = object.get("response_body").and_then(Json::string).unwrap_or_default();
    if Json::parse_object(&text).is_some_and(|(_, body)| body.has("usage") && recognise(&body).is_some()) {
        envelope.precedence = Some(precedence::GATEWAY);
        return formats::event::captured(&text, envelope.shorter(), wrappers, out);
    }
    let (part, raw) = match object.has("prompt_tokens") {
        true => plain(object, "prompt_tokens", "completion_tokens")?,
        false => plain(&metadata, "promptTokens", "completionTokens")?,
    };
    if status >= 400 && part.usage.is_empty() {
        out.ignore(IgnoreReason::FailedCall);
        return Ok(());
    }
    let mut call = Call::new("helicone.request", "chat", precedence::GATEWAY);
    call.raw_usage = Cow::Owned(raw);
    if part.usage.is_empty() {
        call.flags.set(Flag::UsageMissing);
    }
    call.parts = smallvec![part];
    out.call(call, envelope, json);
    Ok(())
}

/// A log of Portkey (<https://portkey.ai/docs/product/observability/logs-export>, read in a copy 2026-11-30).
pub(crate) fn portkey<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    wrappers: u8,
    out: &mut Out<'_>,
) -> Result<()> {
    envelope.event_id = envelope::text(object, "id")?;
    envelope.source = Some(Cow::Borrowed("portkey"));
    envelope.time = time(object, "created_at")?;
    envelope.model = first(object, &["ai_model"])?;
    envelope.provider = match first(object, &["ai_provider", "ai_org"])? {
        Some(name) => Some(provider_name(&name)),
        None => object.string("request_url").and_then(|url| host_provider(&url)).map(Text::const_new),
    };
    if let Some(address) = object.string("request_url") {
        head::place(&address, &mut envelope.price_context);
    }
    envelope.claimed.session = envelope::owned(object, "trace_id")?;
    if let Some(metadata) = object.object("metadata") {
        if let Some(user) = first(&metadata, &["_user", "user", "user_id"])? {
            envelope.claim_user(&user, out.config);
        }
        // Whatever names a person is no tag.
        let labels = metadata.iter().filter(|(name, _)| !matches!(*name, "_user" | "user" | "user_id"));
        for (label, value) in labels.filter_map(|(label, value)| Some((label, value.string()?))) {
            envelope.add_label(label, &value, true, out.config);
        }
    }
    // It is counted in cents.
    envelope.reported_cost = claimed_cost(object, "cost");
    if let Some(cost) = &mut envelope.reported_cost {
        cost.amount = schemas::Money::from_picos(cost.amount.picos() / 100).unwrap_or_default();
    }
    let answered = object.string("cache_status").map(|status| status.to_ascii_lowercase());
    if matches!(answered.as_deref(), Some("hit" | "semantic hit" | "semantic_hit")) {
        envelope.cost_basis = Some(schemas::CostBasis::GatewayCache);
    } else if let Some(body) = body(object, "response") {
        envelope.precedence = Some(precedence::GATEWAY);
        formats::item(body, None, envelope, wrappers + 1, out);
        return Ok(());
    }
    let (part, raw) = plain(object, "req_units", "res_units")?;
    if object.get("is_success").and_then(Json::boolean) == Some(false) && part.usage.is_empty() {
        out.ignore(IgnoreReason::FailedCall);
        return Ok(());
    }
    let mut call = Call::new("portkey.log", "chat", precedence::GATEWAY);
    call.raw_usage = Cow::Owned(raw);
    call.parts = smallvec![part];
    out.call(call, envelope, json);
    Ok(())
}

/// An entry of `ApiManagementGatewayLlmLog`, as a diagnostic record or a row of the table. Long messages are cut over
/// several entries of one correlation id, of which only those with counts are the call
/// (<https://learn.microsoft.com/azure/azure-monitor/reference/tables/apimanagementgatewayllmlog>, from documentation
/// only).
pub(crate) fn apim<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let properties = object.object("properties").unwrap_or_default();
    let about = |name: &str| {
        let lower = format!("{}{}", name[..1].to_ascii_lowercase(), &name[1..]);
        [object, &properties].into_iter().find_map(|place| place.get(name).or_else(|| place.get(&lower)))
    };
    let text = |name: &str| about(name).and_then(Json::string).filter(|text| text.len() <= crate::TEXT_BYTES_MAX);
    let count = |name: &str| -> Result<Option<i64>> {
        let Some(value) = about(name) else { return Ok(None) };
        let digits = value.number().ok_or_else(|| Problem::wrong_type(name, value, "a whole number"))?;
        crate::number::count(digits).map(Some).map_err(|error| Problem::number(name, value, error))
    };
    let (input, output) = (count("PromptTokens")?.unwrap_or(0), count("CompletionTokens")?.unwrap_or(0));
    let total = count("TotalTokens")?.unwrap_or(0);
    if input + output == 0 {
        // A later part of a long message.
        out.ignore(IgnoreReason::StreamFragment);
        return Ok(());
    }
    if total > 0 && total != input + output {
        let sum = input + output;
        let message = format!("TotalTokens is {total} but PromptTokens {input} + CompletionTokens {output} is {sum}");
        return Err(Problem::contradiction("TotalTokens", message));
    }
    let part = Tokens { input, output, ..Tokens::default() }.part("total = prompt + completion");
    let mut call = Call::new("azure.apim_llm_log", "chat", precedence::GATEWAY);
    call.usual_provider = "azure.ai.openai";
    // The deployment is what the operator called it; only the model name is a model.
    call.model = match text("ModelName").filter(|name| !name.is_empty()) {
        Some(model) => Some(model),
        None => {
            call.flags.set(Flag::AliasedModel);
            text("DeploymentName")
        }
    };
    envelope.resource = text("DeploymentName").map(Text::from);
    call.context.region = text("Region").map(Text::from);
    call.time = match object.has("TimeGenerated") {
        true => time(object, "TimeGenerated")?,
        false => time(object, "time")?,
    };
    call.raw_usage =
        Cow::Owned(format!("{{\"PromptTokens\":{input},\"CompletionTokens\":{output},\"TotalTokens\":{total}}}"));
    call.parts = smallvec![part];
    envelope.event_id = text("CorrelationId");
    envelope.source = Some(Cow::Borrowed("azure.apim"));
    out.call(call, envelope, json);
    Ok(())
}

/// A decision of a Keeptrusts gateway, as JSON or a row of CSV: an outcome, and a call where tokens were used. Fields are
/// those of its event model (<https://docs.keeptrusts.com/docs/roles/data-engineer> and `/docs/cli/events`, read
/// 2026-11-27); no export could be had, so this is from documentation only.
pub(crate) fn keeptrusts<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    envelope.event_id = envelope::text(object, "id")?;
    envelope.source = Some(Cow::Borrowed("keeptrusts"));
    envelope.time = time(object, "timestamp")?;
    envelope.provider = envelope::text(object, "provider")?.map(|name| provider_name(&name));
    envelope.resource = envelope::owned(object, "gateway_id")?;
    envelope.claimed.team = first(object, &["team", "consumer_group"])?;
    envelope.claimed.application = first(object, &["consumer"])?;
    for name in ["user", "user_id"] {
        if let Some(user) = envelope::text(object, name)? {
            envelope.claim_user(&user, out.config);
        }
    }
    if let Some(metadata) = object.object("metadata") {
        envelope.add_tags(&metadata, out.config);
    }
    let decision = first(object, &["decision", "verdict"])?;
    let decision = decision.ok_or_else(|| Problem::missing("decision", "say what the gateway decided"))?;
    // The past tense is what outcomes are called elsewhere.
    let outcome: Text = match decision.as_str() {
        "allow" => "allowed".into(),
        "block" => "blocked".into(),
        "redact" => "redacted".into(),
        "escalate" => "escalated".into(),
        _ => decision,
    };
    let mut about = envelope.clone();
    about.response_id = None;
    let fact =
        resource::Stated { kind: FactKind::Outcome, name: outcome, quantity: Quantity::from_units(1), value: None };
    resource::state(fact, None, about, out)?;
    // What was stopped before it reached a model used nothing.
    let (part, raw) = plain(object, "input_tokens", "output_tokens")?;
    if part.usage.is_empty() {
        return Ok(());
    }
    let mut call = Call::new("keeptrusts.event", "chat", precedence::GATEWAY);
    call.model = envelope::text(object, "model")?;
    call.raw_usage = Cow::Owned(raw);
    call.reported_cost = claimed_cost(object, "cost");
    call.parts = smallvec![part];
    out.call(call, envelope, json);
    Ok(())
}

/// The provider's body within an export, if it is one that states usage.
fn body<'a>(object: &Object<'a>, name: &str) -> Option<Json<'a>> {
    let body = object.get(name)?;
    let inner = body.object()?;
    recognise(&inner).filter(|_| inner.has("usage") || inner.has("usageMetadata")).map(|_| body)
}

fn first(object: &Object<'_>, names: &[&str]) -> Result<Option<Text>> {
    for name in names {
        if let Some(found) = envelope::owned(object, name)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// A cost in dollars as a plain number; what is none is not kept.
fn claimed_cost(object: &Object<'_>, name: &str) -> Option<ReportedCost> {
    let amount = crate::number::money(object.get(name)?.number()?).ok()?;
    Some(ReportedCost { amount, currency: Text::const_new("USD"), basis: "stated_by_producer".into() })
}

/// Input and output and no more, with the caches some exports state beside them.
fn plain(object: &Object<'_>, input_name: &str, output_name: &str) -> Result<(Part, String)> {
    let counts = Counts::new(object, "");
    let (input, output) = (counts.or_zero(input_name)?, counts.or_zero(output_name)?);
    let read = counts.alias(&["prompt_cache_read_tokens", "cache_read_tokens"])?.unwrap_or(0);
    let written = counts.alias(&["prompt_cache_write_tokens", "cache_write_tokens"])?.unwrap_or(0);
    let total = counts.alias(&["total_tokens", "totalTokens", "total_units"])?.unwrap_or(0);
    let inside = read + written > 0 && total == input + output && read + written <= input;
    let uncached = if inside { input - read - written } else { input };
    let mut checked = "";
    if total > 0 {
        if total != input + output && total != input + output + read + written {
            let message = format!(
                "total is {total} but {input_name} {input} + {output_name} {output} is {}, with caches {}",
                input + output,
                input + output + read + written
            );
            return Err(Problem::contradiction(input_name, message));
        }
        checked = "total = input + output";
    }
    let mut part = Tokens { input: uncached, cache_read: read, written, output, ..Tokens::default() }.part(checked);
    if !object.has(input_name) && !object.has(output_name) {
        part.flags.set(Flag::UsageMissing);
    }
    let raw = format!(
        "{{\"{input_name}\":{input},\"{output_name}\":{output},\"cache_read\":{read},\"cache_write\":{written}}}"
    );
    Ok((part, raw))
}
