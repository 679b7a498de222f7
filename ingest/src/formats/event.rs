//! Our documented event, the plain JSON envelope around a provider's body, and CloudEvents around either.

use std::borrow::Cow;

use schemas::{Flag, Meter, RejectReason};
use smallvec::{SmallVec, smallvec};

use crate::assemble::{Call, Out, Part, precedence};
use crate::decode::readable;
use crate::envelope::{self, Envelope};
use crate::formats::{
    self, ai_sdk, anthropic, bedrock, families, gemini, house, langfuse, ollama, openai, resource, runs, stream,
};
use crate::item::IgnoreReason;
use crate::json::{self, Json, Kind, Object, deeper_than};
use crate::number;
use crate::pieces;
use crate::problem::{Problem, Result};
use crate::recognise::{self, Shape};
use crate::usage::{Counts, raw};

/// CloudEvents 1.0, structured mode: attributes beside `data`.
pub(crate) fn cloud_event<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    wrappers: u8,
    out: &mut Out<'_>,
) -> Result<()> {
    let version = envelope::text(object, "specversion")?.unwrap_or_default();
    let kind = envelope::text(object, "type")?.unwrap_or_default();
    out.recognised(&envelope.wrapped, &kind_name(&kind), "specversion and type");
    if !version.starts_with("1.") {
        let message = "specversion is not 1.0, the only version of CloudEvents that is read";
        return Err(Problem::new(RejectReason::InvalidField, "specversion", message));
    }
    envelope.event_id = envelope::text(object, "id")?;
    envelope.source = envelope::text(object, "source")?;
    if envelope.event_id.is_none() {
        return Err(Problem::missing("id", "CloudEvents are identified by source and id"));
    }
    if envelope.source.is_none() {
        return Err(Problem::missing("source", "CloudEvents are identified by source and id"));
    }
    envelope.time = envelope::time(object, "time")?;
    // Extension attributes may claim a team and the like; `subject` is the customer, as OpenMeter uses it.
    envelope.claimed.customer = envelope::owned(object, "subject")?;
    if let Some(team) = envelope::owned(object, "team")? {
        envelope.claimed.team = Some(team);
    }
    if let Some(data) = object.get("data") {
        return cloud_event_data(json, data, &kind, envelope, wrappers, out);
    }
    if let Some(encoded) = object.get("data_base64") {
        // Decoded bytes do not live as long as the record, so they are read here and now.
        let text = encoded.string().ok_or_else(|| Problem::wrong_type("data_base64", encoded, "a string"))?;
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text.as_bytes());
        let no_json = || Problem::new(RejectReason::Malformed, "data_base64", "data_base64 is not base64 of JSON");
        let decoded = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(no_json)?;
        if deeper_than(decoded.as_bytes(), crate::DEPTH_MAX) {
            return Err(no_json());
        }
        return match Json::parse(&decoded) {
            Ok(data) => cloud_event_data(json, data, &kind, envelope, wrappers, out),
            Err(_) => captured(&decoded, envelope, wrappers, out).map_err(|_| no_json()),
        };
    }
    Err(Problem::missing("data", "put the usage event or the provider's response there"))
}

/// The data of a CloudEvent, in whichever mode it came.
pub(crate) fn cloud_event_data<'a>(
    json: Json<'a>,
    data: Json<'a>,
    kind: &str,
    envelope: Envelope<'a>,
    wrappers: u8,
    out: &mut Out<'_>,
) -> Result<()> {
    let object = match data.kind() {
        Kind::Object => data.object().unwrap_or_default(),
        // A captured stream: its chunks, or the text of its events.
        Kind::Array => {
            chunks(data, envelope, wrappers, out);
            return Ok(());
        }
        Kind::String => return captured(&data.string().unwrap_or_default(), envelope, wrappers, out),
        _ => return Err(Problem::wrong_type("data", data, "an object, or a captured stream")),
    };
    if let Some(fact) = resource::fact_kind(kind) {
        return resource::fact(fact, &object, envelope, out);
    }
    match kind {
        "ai.gpu.usage" => resource::gpu(json, &object, envelope, out),
        "ai.seat.period" => resource::seat(json, &object, envelope, out),
        "ai.credit.usage" => resource::credits(json, &object, envelope, out),
        "ai.ledger.entry" => resource::ledger(json, &object, envelope, out),
        "ai.usage" if object.has("response") || object.has("body") => wrapped(json, &object, envelope, wrappers, out),
        "ai.usage" => match recognise::recognise(&object) {
            // A provider's body put into the data as it is.
            Some((shape, _)) if !matches!(shape, Shape::Usage | Shape::Envelope) => {
                formats::item(data, Some(shape), envelope, wrappers + 1, out);
                Ok(())
            }
            _ => usage(json, &object, envelope, out),
        },
        _ if object.has("tokens") && object.has("model") => {
            formats::item(data, Some(Shape::OpenMeter), envelope, wrappers + 1, out);
            Ok(())
        }
        _ => {
            formats::item(data, None, envelope, wrappers + 1, out);
            Ok(())
        }
    }
}

/// One count of tokens in the style of OpenMeter: `tokens`, `model` and which way they went
/// (<https://openmeter.io/docs/metering/guides/usage-of-ai>, from documentation only).
pub(crate) fn openmeter<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let mut call = Call::new("openmeter.tokens", "chat", precedence::STATED);
    call.model = envelope::text(object, "model")?;
    if let Some(provider) = envelope::text(object, "provider")? {
        envelope.provider = Some(envelope::provider_name(&provider));
    }
    let tokens = Counts::new(object, "data").need("tokens")?;
    let kind = envelope::text(object, "type")?
        .ok_or_else(|| Problem::missing("data.type", "say whether the tokens are `input` or `output`"))?;
    one_way(&mut call, tokens, &kind, "data.type")?;
    out.call(call, envelope, json);
    Ok(())
}

/// Tokens that went one way, which has many names.
fn one_way(call: &mut Call<'_>, tokens: i64, kind: &str, field: &str) -> Result<()> {
    let meter = match kind {
        "input" | "prompt" | "system" => Meter::InputTextTokens,
        "output" | "completion" => Meter::OutputTextTokens,
        "cached" | "cache_read" | "cached_input" => Meter::CacheReadTextTokens,
        "reasoning" => Meter::OutputReasoningTokens,
        _ => {
            let message = format!("{field} is none of input, output, cached, reasoning");
            return Err(Problem::new(RejectReason::InvalidField, field, message));
        }
    };
    let mut part = Part::default();
    part.usage.add(meter, tokens);
    call.parts = smallvec![part];
    call.raw_usage = Cow::Owned(format!("{{\"tokens\":{tokens}}}"));
    Ok(())
}

/// True for a count of tokens on its way to one of Stripe's meters: other events there count something else.
pub(crate) fn is_stripe_meter(object: &Object<'_>) -> bool {
    const FIELDS: [&str; 3] = ["value", "model", "token_type"];
    object.has("event_name")
        && object.object("payload").is_some_and(|payload| FIELDS.iter().all(|name| payload.has(name)))
}

/// One count of tokens as Stripe's token meters send it, one way a record; the model stands behind its provider
/// (<https://docs.stripe.com/billing/token-billing>, not opened; events in the code of its SDKs and tests, read 2026-11-30).
pub(crate) fn stripe<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let mut call = Call::new("stripe.meter_event", "chat", precedence::STATED);
    call.time = envelope::time(object, "timestamp")?;
    let payload = object.object("payload").unwrap_or_default();
    let model = envelope::text(&payload, "model")?.map(Cow::into_owned).unwrap_or_default();
    call.model = match model.split_once('/') {
        Some((provider, model)) => {
            envelope.provider = Some(envelope::provider_name(provider));
            Some(Cow::Owned(model.to_owned()))
        }
        None => Some(Cow::Owned(model)),
    };
    let kind = envelope::text(&payload, "token_type")?.unwrap_or_default();
    one_way(&mut call, Counts::new(&payload, "payload").need("value")?, &kind, "payload.token_type")?;
    if let Some(id) = envelope::text(object, "identifier")? {
        envelope.event_id = Some(Cow::Owned(id.into_owned()));
        envelope.source = Some(Cow::Borrowed("stripe"));
    }
    envelope.claimed.customer = envelope::owned(&payload, "stripe_customer_id")?;
    out.call(call, envelope, json);
    Ok(())
}

/// Types of CloudEvents are the producer's words: only ours and short ones are repeated.
fn kind_name(kind: &str) -> Cow<'_, str> {
    let plain = kind.len() <= 64 && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
    Cow::Borrowed(if plain && !kind.is_empty() { kind } else { "event" })
}

/// A provider's body inside our own fields.
pub(crate) fn wrapped<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    envelope: Envelope<'a>,
    wrappers: u8,
    out: &mut Out<'_>,
) -> Result<()> {
    let stated = recognise::body(object);
    // What only happens to hold a call means something else by our names: `agent` may be a node of a graph.
    let unread = stated.is_none().then(|| envelope.clone());
    let wrapped = envelope.read(object, out.config);
    let body = stated.or_else(|| recognise::captured(object));
    let (_, body) = body.ok_or_else(|| Problem::missing("response", "put it there"))?;
    // The model of an envelope is what was asked for; the body says what served.
    let mut envelope = match (wrapped, unread) {
        (Err(_), Some(unread)) => unread,
        (wrapped, _) => wrapped?,
    };
    // What go-vcr calls an id is the place within the recording: every recording has a first one.
    if object.has("request") && object.object("request").is_some_and(|request| request.has("proto_major")) {
        envelope.event_id = None;
    }
    if envelope.requested_model.is_none() {
        envelope.requested_model = envelope.model.clone();
    }
    match body.kind() {
        Kind::Object => stream::items(vec![Ok(body.into())], None, envelope, wrappers + 1, out),
        // A captured stream: its chunks, or the text of its events.
        Kind::Array => chunks(body, envelope, wrappers, out),
        Kind::String => {
            let text = body.string().unwrap_or_default();
            captured(&text, envelope, wrappers, out).map_err(|problem| prose(problem, &text))?;
        }
        kind => {
            let message = format!("the body is of type {}; send the provider's JSON", kind.as_str());
            out.reject(Problem::new(RejectReason::InvalidField, "response", message), Some(json));
        }
    }
    Ok(())
}

/// What is wrong with a text that is no answer as a provider sends it: where it does not even begin like one, people wrote or read it.
fn prose(problem: Problem, text: &str) -> Problem {
    if problem.reason != RejectReason::Malformed || text.trim_ascii_start().starts_with(['{', '[', '"']) {
        return problem;
    }
    let message = "the answer is prose, and nothing beside it says what it used: send the provider's whole answer";
    Problem::new(RejectReason::UnknownFormat, "response", message)
}

/// The records of a list within one object, each told by itself.
pub(crate) fn records<'a>(object: &Object<'a>, mut envelope: Envelope<'a>, wrappers: u8, out: &mut Out<'_>) {
    if let Some(run) = runs::run(object) {
        return runs::read(run, envelope, wrappers, out);
    }
    let found = recognise::records(object).or_else(|| Some(("", recognise::several(object)?)));
    let (name, list) = found.unwrap_or_default();
    // The answers of a batch of Gemini whose requests were sent within it.
    if name == "inlinedResponses" {
        envelope.price_context.batch = true;
        // Each is a call of its own, and no frame of another.
        for answer in list {
            let inner = answer.object().and_then(|answer| answer.get("response"));
            formats::item(inner.unwrap_or(answer), None, envelope.clone(), wrappers + 1, out);
        }
        return;
    }
    if name == "steps" {
        // A trajectory names the model once, where its steps do not.
        let agent = object.object("agent").unwrap_or_default();
        envelope.model = envelope.model.take().or(envelope::owned(&agent, "model_name").unwrap_or(None));
    }
    if name == "observations" {
        langfuse::of_trace(object, &mut envelope, out);
    }
    if let Some(about) = object.object("data").and_then(|data| data.object("attributes")).filter(|_| name == "spans") {
        // What Datadog is sent says once for all spans whose they are.
        envelope.claimed.application = envelope::owned(&about, "ml_app").unwrap_or(None);
        envelope.claimed.session = envelope::owned(&about, "session_id").unwrap_or(None);
        for tag in about.array("tags").unwrap_or_default().into_iter().filter_map(Json::string) {
            let (key, value) = tag.split_once(':').unwrap_or((&tag, "true"));
            envelope.add_label(key, value, true, out.config);
        }
    }
    stream::items(list.into_iter().map(|record| Ok(record.into())).collect(), None, envelope, wrappers + 1, out);
}

/// The chunks of a captured stream.
fn chunks<'a>(body: Json<'a>, envelope: Envelope<'a>, wrappers: u8, out: &mut Out<'_>) {
    // Frames that were kept as the texts they came as.
    if let Some(frames) = stream::joined(body).or_else(|| pieces::joined(body)) {
        if let Err(problem) = captured(&frames, envelope, wrappers, out) {
            out.reject(problem, Some(body));
        }
        return;
    }
    let chunks = body.array().unwrap_or_default().into_iter().map(|chunk| Ok(chunk.into())).collect();
    stream::items(chunks, None, envelope, wrappers + 1, out);
}

/// The text of a captured answer: a document, or the events of a stream.
pub(crate) fn captured<'a>(text: &'a str, envelope: Envelope<'a>, wrappers: u8, out: &mut Out<'_>) -> Result<()> {
    if deeper_than(text.as_bytes(), crate::DEPTH_MAX) {
        return Err(Problem::new(RejectReason::TooLarge, "response", "the body nests too deeply"));
    }
    let trimmed = text.trim_ascii();
    let plain = readable(trimmed);
    let text = plain.as_deref().unwrap_or(text);
    let spread = stream::on_one_line(text);
    let mut printed = None;
    let documents = stream::documents_within(spread.as_deref().unwrap_or(text).trim_ascii(), &mut printed)?;
    stream::items(documents, None, envelope, wrappers + 1, out);
    Ok(())
}

/// A line of an OpenAI batch output: the response of one request, billed as batch.
pub(crate) fn openai_batch_line<'a>(
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    wrappers: u8,
    out: &mut Out<'_>,
) -> Result<()> {
    envelope.event_id = envelope.event_id.or(envelope::text(object, "id")?);
    envelope.price_context.batch = true;
    if let Some(result) = object.object("batch_result") {
        // xAI names the answer by the call it is of (<https://docs.x.ai/developers/advanced-api-usage/batch-api>, read in a copy of
        // it 2026-11-29).
        envelope.provider.get_or_insert_with(|| "x_ai".into());
        match result.object("response").and_then(|response| response.iter().next().map(|(_, answer)| answer)) {
            Some(answer) => formats::item(answer, None, envelope, wrappers + 1, out),
            None => out.ignore(IgnoreReason::FailedCall),
        }
        return Ok(());
    }
    let response = object.object("response").unwrap_or_default();
    if !response.has("body")
        && let Some((shape, _)) = recognise::recognise(&response).filter(|(shape, _)| recognise::is_call(*shape))
    {
        // Fireworks puts the body there itself, and so does Vertex, which repeats the request and states no error
        // (<https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/batch>, read 2026-11-29).
        if object.has("request") && object.has("status") {
            envelope.provider.get_or_insert_with(|| "gcp.vertex_ai".into());
        }
        let response = object.get("response").ok_or_else(|| Problem::missing("response", "it is the answer"))?;
        formats::item(response, Some(shape), envelope, wrappers + 1, out);
        return Ok(());
    }
    // The body of a response that went well says so with an `error` of null.
    match response.get("body").filter(|body| body.object().is_some_and(|body| body.get("error").is_none())) {
        Some(body) => formats::item(body, None, envelope, wrappers + 1, out),
        None => out.ignore(IgnoreReason::FailedCall),
    }
    Ok(())
}

/// A line of an Anthropic batch result: the message of one request, billed as batch.
pub(crate) fn anthropic_batch_line<'a>(
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    wrappers: u8,
    out: &mut Out<'_>,
) -> Result<()> {
    envelope.price_context.batch = true;
    match object.object("result").and_then(|result| result.get("message")) {
        Some(message) => formats::item(message, Some(Shape::AnthropicMessage), envelope, wrappers + 1, out),
        None => out.ignore(IgnoreReason::FailedCall),
    }
    Ok(())
}

/// A line of a Gemini or Vertex batch output. A `key` is the producer's name for the request, and no key of an API.
pub(crate) fn gemini_batch_line<'a>(
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    wrappers: u8,
    out: &mut Out<'_>,
) -> Result<()> {
    envelope.price_context.batch = true;
    if object.has("processed_time") {
        envelope.provider.get_or_insert_with(|| "gcp.vertex_ai".into());
    }
    match object.get("response").filter(|response| response.object().is_some_and(|response| !response.is_empty())) {
        Some(response) => formats::item(response, Some(Shape::Gemini), envelope, wrappers + 1, out),
        None => out.ignore(IgnoreReason::FailedCall),
    }
    Ok(())
}

/// A line of a Bedrock batch output: the body the model answered, billed as batch.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-results.html>, not opened.
pub(crate) fn bedrock_batch_line<'a>(
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    wrappers: u8,
    out: &mut Out<'_>,
) -> Result<()> {
    envelope.price_context.batch = true;
    envelope.provider.get_or_insert_with(|| "aws.bedrock".into());
    match object.get("modelOutput").filter(|output| output.object().is_some_and(|output| !output.is_empty())) {
        Some(output) => formats::item(output, None, envelope, wrappers + 1, out),
        None => out.ignore(IgnoreReason::FailedCall),
    }
    Ok(())
}

/// Our documented event: usage by meter name, or a provider's usage object.
pub(crate) fn usage<'a>(json: Json<'a>, object: &Object<'a>, envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let mut envelope = envelope.read(object, out.config)?;
    complete(object, &mut envelope)?;
    let value = object.get("usage");
    // Open WebUI keeps what Ollama counted in its words and OpenAI's (chats that others published, 2026-12-01).
    if let Some(used) =
        value.and_then(Json::object).filter(|used| used.has("prompt_eval_count") && used.has("eval_count"))
    {
        out.call(ollama::response(&used)?, envelope, json);
        return Ok(());
    }
    // Columns of tables hold it as text, and houses give it other names.
    let text = match value {
        Some(value) => {
            let whole = || {
                let used = value.object()?;
                house::renamed(&used, is_anthropic(&envelope)).map(Cow::Owned)
            };
            value.string().filter(|text| text.starts_with('{')).or_else(whole)
        }
        None => house::counts(object, is_anthropic(&envelope)).map(Cow::Owned),
    };
    let parsed = text.as_deref().and_then(|text| Some(Json::parse_object(text)?.1));
    let found = parsed.or_else(|| value?.object()).ok_or_else(|| match value {
        Some(value) => Problem::wrong_type("usage", value, "an object"),
        None => {
            Problem::missing("usage", "send the meters by name, or the provider's usage object, or its whole response")
        }
    })?;
    let mut call = Call::new("ai.usage", "chat", precedence::STATED);
    call.raw_usage = match &text {
        Some(text) => Cow::Owned(text.clone().into_owned()),
        None => Cow::Borrowed(raw(value)),
    };
    let stated = envelope::text(object, "usage_format")?;
    let model = envelope.model.as_deref().unwrap_or("");
    // Who bills decides what a name both of them use means: the event's word, the operator's, the model's family.
    let provider = envelope.provider.clone().or_else(|| out.config.provider.as_deref().map(envelope::provider_name));
    let provider = provider.or_else(|| families::family(model).map(Into::into));
    let style = style(&found, stated.as_deref(), provider.as_deref().unwrap_or(""))?;
    if provider.is_none() && style == Style::Meters {
        return Err(Problem::missing("provider", "name who bills for the call (openai, anthropic, aws.bedrock, ...)"));
    }
    if style == Style::Anthropic {
        call.context = anthropic::context(&found)?;
    }
    call.parts = spelled(&found, style, model)?;
    out.call(call, envelope, json);
    Ok(())
}

/// Who served the call, as it is stated, or by the family of its model; empty where nobody knows.
fn provider<'e>(envelope: &'e Envelope<'_>) -> &'e str {
    let stated = envelope.provider.as_deref().filter(|provider| !provider.is_empty());
    stated.or_else(|| families::family(envelope.model.as_deref()?)).unwrap_or("")
}

/// True for a call whose counts its maker writes beside those of its cache.
fn is_anthropic(envelope: &Envelope<'_>) -> bool {
    provider(envelope) == "anthropic"
}

/// A flat record: token counts and what they belong to in one object, as houses log them.
pub(crate) fn flat<'a>(json: Json<'a>, object: &Object<'a>, envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let mut envelope = envelope.read(object, out.config)?;
    let mut call = Call::new("flat_usage", "chat", precedence::STATED);
    call.model = envelope::text(object, "resolved_model")?;
    complete(object, &mut envelope)?;
    if envelope.model.is_none()
        && let Some(about) = object.object("metadata")
    {
        // LiveKit's metrics.
        envelope.model = house::model(&about).map(Into::into);
        let served = || house::provider(&about).map(|name| envelope::provider_name(&name));
        envelope.provider = envelope.provider.take().or_else(served);
    }
    if envelope.model.is_none() {
        return Err(Problem::missing("model", "name the model that served the call"));
    }
    if object.has("tokens_in") {
        gateway_metadata(object, &mut envelope, out);
    }
    // The second is what Cloudflare's gateway logs; what its cache answered was no call.
    let plain = [("promptTokens", "completionTokens"), ("tokens_in", "tokens_out")];
    let camel = house::in_camel(object, is_anthropic(&envelope));
    if let Some((input, output)) = plain.into_iter().find(|(input, _)| camel.is_none() && object.has(input)) {
        let counts = Counts::new(object, "");
        let mut part = Part::default();
        part.usage.add(Meter::InputTextTokens, counts.or_zero(input)?);
        part.usage.add(Meter::OutputTextTokens, counts.or_zero(output)?);
        part.flags.set(Flag::UnknownUsageField);
        call.parts = smallvec![part];
        if input == "tokens_in" && object.get("cached").and_then(Json::boolean) == Some(true) {
            call.cost_basis = Some(schemas::CostBasis::GatewayCache);
        }
        in_its_words(object, &envelope, &mut call);
    } else {
        let provider = provider(&envelope);
        let model = envelope.model.as_deref().unwrap_or("");
        call.parts = match detailed(object, provider) {
            Some((text, style)) => spelled(&Object::of(&text).unwrap_or_default(), style, model)?,
            None => {
                let named = |counts: &Object<'_>| {
                    spelled(counts, provider_style(counts, provider).unwrap_or(Style::OpenAiChat), model)
                };
                match camel.or_else(|| house::with_caches(object)) {
                    Some(text) => named(&Object::of(&text).unwrap_or_default())?,
                    None => named(object)?,
                }
            }
        };
    }
    // Everything else in the record is not usage, so a field that is not known says nothing, unless it counts tokens.
    if !object.iter().any(|(name, value)| is_unknown_count(name, value)) {
        call.parts.iter_mut().for_each(|part| part.flags.clear(Flag::UnknownUsageField));
    }
    let counts = object.iter().filter(|(name, _)| name.ends_with("okens") || name.starts_with("tokens_"));
    let counts: Vec<String> = counts.map(|(name, value)| format!("\"{name}\":{}", value.text())).collect();
    call.raw_usage = Cow::Owned(format!("{{{}}}", counts.join(",")));
    out.call(call, envelope, json);
    Ok(())
}

/// The beginning of an answer that Cloudflare's gateway keeps beside its two counts. Where it is the whole, it says what was cached
/// (<https://developers.cloudflare.com/api/resources/ai_gateway/subresources/logs/>, not opened: from knowledge of it, 2026-11-30).
fn in_its_words(object: &Object<'_>, envelope: &Envelope<'_>, call: &mut Call<'_>) {
    let Some(text) = object.string("response_head").filter(|text| text.starts_with('{')) else { return };
    let Some(answer) = Object::of(&text) else { return };
    let Some((_, value)) = answer.first(&["usage", "usageMetadata"]) else { return };
    let Some(usage) = value.object() else { return };
    let Some(style) = provider_style(&usage, provider(envelope)) else { return };
    let Ok(parts) = spelled(&usage, style, envelope.model.as_deref().unwrap_or("")) else { return };
    call.parts = parts;
    let id = answer.first(&["id", "responseId"]).and_then(|(_, id)| id.string());
    call.response_id = id.filter(|id| id.len() <= crate::TEXT_BYTES_MAX).map(|id| Cow::Owned(id.into_owned()));
}

/// What a record of a house says under names of its own: the model and who serves it, the cost, an id, a time.
fn complete<'a>(object: &Object<'a>, envelope: &mut Envelope<'a>) -> Result<()> {
    if envelope.model.is_none() {
        envelope.model = house::model(object).map(Into::into);
    }
    if envelope.provider.is_none() {
        envelope.provider = house::provider(object).map(|name| envelope::provider_name(&name));
    }
    for name in ["reported_cost", "response_cost", "cost_usd", "total_cost", "cost"] {
        if envelope.reported_cost.is_none() {
            // A claim in a form that is not known is no reason to lose the call.
            envelope.reported_cost = envelope::cost(object, name, "stated_by_producer").unwrap_or(None);
        }
    }
    for name in ["request_id", "call_id", "event_id"] {
        if envelope.event_id.is_none() {
            envelope.event_id = envelope::text(object, name)?;
        }
    }
    for name in ["created", "created_at", "ts"] {
        if envelope.time.is_none() {
            envelope.time = envelope::time(object, name)?;
        }
    }
    // Names that may say something else: what is no time there is none.
    const TIMES: [&str; 10] = [
        "createdAt",
        "datetime",
        "date",
        "event_time",
        "start_time",
        "startTime",
        "started_at",
        "startedAt",
        "logged_at",
        "request_timestamp",
    ];
    for name in TIMES {
        if envelope.time.is_none() {
            envelope.time = envelope::time(object, name).unwrap_or(None);
        }
    }
    Ok(())
}

/// What a caller of Cloudflare's gateway says of a call: an object, or the text of one.
fn gateway_metadata(object: &Object<'_>, envelope: &mut Envelope<'_>, out: &Out<'_>) {
    let kept = object.get("metadata").map(|value| value.string().unwrap_or(Cow::Borrowed(value.text())));
    let kept = kept.unwrap_or_default();
    let Some((_, metadata)) = Json::parse_object(&kept) else { return };
    for (label, value) in metadata.iter().filter_map(|(label, value)| Some((label, value.string()?))) {
        match label {
            "user" | "user_id" | "userId" => envelope.claim_user(&value, out.config),
            _ => envelope.add_label(label, &value, true, out.config),
        }
    }
}

/// The counts of a row of the `llm` tool: input and output in columns, and in another, as text, whatever else the provider's usage
/// has (<https://llm.datasette.io/en/stable/logging.html>, not opened; rows that others published, read 2026-11-29). Together they
/// are that usage again.
fn detailed(object: &Object<'_>, provider: &str) -> Option<(String, Style)> {
    let details = object.get("token_details")?;
    let text = details.string().unwrap_or(Cow::Borrowed(details.text()));
    let (_, parsed) = Json::parse_object(&text)?;
    let gemini = parsed.iter().any(|(name, _)| name.ends_with("TokenCount") || name.ends_with("TokensDetails"));
    let chat = parsed.has("prompt_tokens_details") || parsed.has("completion_tokens_details");
    let (style, input, output) = match () {
        () if gemini => (Style::Gemini, "promptTokenCount", "candidatesTokenCount"),
        () if chat => (Style::OpenAiChat, "prompt_tokens", "completion_tokens"),
        () => {
            let style = provider_style(&parsed, provider).filter(|style| *style == Style::Anthropic);
            let anthropic = parsed.iter().any(|(name, _)| name.starts_with("cache_")) || provider == "anthropic";
            (
                style.unwrap_or(if anthropic { Style::Anthropic } else { Style::OpenAiResponses }),
                "input_tokens",
                "output_tokens",
            )
        }
    };
    let mut whole = String::from("{");
    for (name, from) in [(input, "input_tokens"), (output, "output_tokens")] {
        json::put_field(&mut whole, name, object.get(from)?.text());
    }
    for (name, value) in parsed.iter().filter(|(name, _)| *name != input && *name != output) {
        json::put_field(&mut whole, name, value.text());
    }
    whole.push('}');
    Some((whole, style))
}

/// True for a count of tokens whose name no spelling has: it may be one that is billed apart.
fn is_unknown_count(name: &str, value: Json<'_>) -> bool {
    let spelled = openai::is_known(name) || anthropic::is_known(name) || bedrock::is_known(name);
    let known = spelled || house::is_of_a_cache(name);
    let bound = name.starts_with("max") || name.contains("limit") || name.contains("context");
    let counts = name.ends_with("_tokens") || name.ends_with("Tokens");
    counts && !known && !bound && value.kind() == Kind::Number && value.text() != "0"
}

/// The calls of a usage object in one of the spellings.
fn spelled(usage: &Object<'_>, style: Style, model: &str) -> Result<SmallVec<[Part; 1]>> {
    Ok(match style {
        Style::Meters => smallvec![meters(usage)?],
        Style::OpenAiChat => smallvec![openai::usage(usage, &openai::CHAT, model)?],
        Style::OpenAiResponses => smallvec![openai::usage(usage, &openai::RESPONSES, model)?],
        Style::Anthropic => anthropic::parts(usage, Some(model))?,
        Style::Gemini => smallvec![gemini::usage(usage)?],
        Style::Converse => smallvec![bedrock::usage(usage)?],
        Style::AiSdk => smallvec![ai_sdk::usage(usage, model)?],
    })
}

/// How the `usage` of an event is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Meters,
    OpenAiChat,
    OpenAiResponses,
    Anthropic,
    Gemini,
    Converse,
    /// The Vercel AI SDK's: Converse's names, but the cache inside the input.
    AiSdk,
}

/// By the producer's word, else by the names used. `input_tokens` alone is written by both Anthropic (cache excluded)
/// and OpenAI (cache included): the provider decides, and where no cache is mentioned they mean the same.
fn style(usage: &Object<'_>, stated: Option<&str>, provider: &str) -> Result<Style> {
    match stated {
        Some("meters") => return Ok(Style::Meters),
        Some("openai.chat_completion") => return Ok(Style::OpenAiChat),
        Some("openai.response") => return Ok(Style::OpenAiResponses),
        Some("anthropic.message") => return Ok(Style::Anthropic),
        Some("gemini.generate_content") => return Ok(Style::Gemini),
        Some("bedrock.converse") => return Ok(Style::Converse),
        Some(_) => {
            let message = "usage_format is none of meters, openai.chat_completion, openai.response, \
                           anthropic.message, gemini.generate_content, bedrock.converse";
            return Err(Problem::new(RejectReason::InvalidField, "usage_format", message));
        }
        None => {}
    }
    if usage.iter().any(|(name, _)| name.parse::<Meter>().is_ok()) {
        return Ok(Style::Meters);
    }
    if let Some(style) = provider_style(usage, provider) {
        return Ok(style);
    }
    if usage.is_empty() {
        return Ok(Style::Meters);
    }
    let message = "usage holds neither meter names nor a provider's fields; FORMATS.md lists both";
    Err(Problem::new(RejectReason::InvalidField, "usage", message))
}

/// How a provider's counts are spelled, told by their names.
fn provider_style(usage: &Object<'_>, provider: &str) -> Option<Style> {
    if usage.has("prompt_tokens") {
        return Some(Style::OpenAiChat);
    }
    if usage.has("promptTokenCount") || usage.has("prompt_token_count") {
        return Some(Style::Gemini);
    }
    const AI_SDK: [&str; 4] = ["cachedInputTokens", "inputTokenDetails", "reasoningTokens", "promptTokens"];
    if AI_SDK.iter().any(|name| usage.has(name)) || usage.object("inputTokens").is_some() {
        return Some(Style::AiSdk);
    }
    if usage.has("inputTokens") {
        return Some(Style::Converse);
    }
    if !usage.has("input_tokens") {
        return None;
    }
    let anthropic = ["cache_creation", "cache_creation_input_tokens", "cache_read_input_tokens", "iterations"];
    match provider {
        "openai" | "azure.ai.openai" => Some(Style::OpenAiResponses),
        _ if usage.has("input_tokens_details") || usage.has("output_tokens_details") && usage.has("total_tokens") => {
            Some(Style::OpenAiResponses)
        }
        // A cache under OpenAI's name is inside the input, as OpenAI has it.
        "anthropic"
            if !["cached_tokens", "cache_hit_tokens"].iter().any(|name| is_inside(usage, name, "input_tokens")) =>
        {
            Some(Style::Anthropic)
        }
        _ if anthropic.iter().any(|name| usage.has(name)) => Some(Style::Anthropic),
        _ => Some(Style::OpenAiResponses),
    }
}

/// True for a count that fits into another.
fn is_inside(usage: &Object<'_>, part: &str, whole: &str) -> bool {
    let count = |name: &str| number::count(usage.get(name)?.number()?).ok();
    count(part).is_some_and(|part| part > 0 && Some(part) <= count(whole))
}

/// Disjoint quantities by the names of the registry. Tokens, requests and searches are whole; times may be fractions.
pub(crate) fn meters(usage: &Object<'_>) -> Result<Part> {
    let counts = Counts::new(usage, "usage");
    let mut part = Part { checked: "", ..Part::default() };
    let mut total = 0;
    let mut seen: SmallVec<[Meter; 8]> = SmallVec::new();
    for (name, value) in usage.iter() {
        if name == "total_tokens" || value.is_null() {
            continue;
        }
        let Ok(meter) = name.parse::<Meter>() else {
            let shown = if name.len() <= 64 { name } else { "a long name" };
            let message = format!("usage.{shown} is not a meter; FORMATS.md lists the meters");
            return Err(Problem::new(RejectReason::InvalidField, &format!("usage.{shown}"), message));
        };
        if seen.contains(&meter) {
            return Err(Problem::contradiction(&counts.path(name), format!("usage.{name} is there twice")));
        }
        seen.push(meter);
        let digits = value.number().ok_or_else(|| Problem::wrong_type(&counts.path(name), value, "a number"))?;
        let problem = |error| Problem::number(&counts.path(name), value, error);
        if meter.is_tokens() {
            let count = number::count(digits).map_err(problem)?;
            total += count;
            part.usage.add(meter, count);
        } else {
            part.usage.add_quantity(meter, number::quantity(digits).map_err(problem)?);
        }
    }
    if let Some(stated) = counts.count("total_tokens")? {
        if stated != total {
            let message = format!("usage.total_tokens is {stated} but the token meters add up to {total}");
            return Err(Problem::contradiction("usage.total_tokens", message));
        }
        part.checked = "total = sum of token meters";
    }
    Ok(part)
}
