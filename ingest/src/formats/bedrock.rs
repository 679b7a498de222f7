//! Bedrock: Converse bodies (`inputTokens` excludes the cache) and model invocation logs.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html> and
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html>, checked 2026-11-22.

use std::borrow::Cow;

use schemas::{Flag, Meter, RejectReason, Text};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, Tokens, precedence};
use crate::envelope::{self, Envelope, time};
use crate::formats::stream::{logged, overlay_counts};
use crate::formats::{self, anthropic, openai};
use crate::item::IgnoreReason;
use crate::json::{Json, NameSet, Object, deeper_than};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw};
use crate::{head, number};

static USAGE_FIELDS: NameSet = NameSet::new(&[
    "inputTokens",
    "outputTokens",
    "totalTokens",
    "cacheReadInputTokens",
    "cacheReadInputTokenCount",
    "cacheWriteInputTokens",
    "cacheWriteInputTokenCount",
    "cacheCreationInputTokens",
    "cacheDetails",
    "serverToolUsage",
    envelope::GATEWAY,
]);

/// A whole Converse response. It names neither model nor id: both come from the envelope.
pub(crate) fn converse<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("bedrock.converse", "chat", precedence::PROVIDER);
    call.usual_provider = "aws.bedrock";
    let value = object.get("usage").ok_or_else(|| Problem::missing("usage", "send the response's usage"))?;
    let usage = value.object().ok_or_else(|| Problem::wrong_type("usage", value, "an object"))?;
    call.raw_usage = Cow::Borrowed(raw(Some(value)));
    served(object, &mut call)?;
    // As the SDKs for Python and for JavaScript hand it on.
    for (metadata, name) in [("ResponseMetadata", "RequestId"), ("$metadata", "requestId")] {
        if let Some(metadata) = object.object(metadata) {
            call.response_id = envelope::text(&metadata, name)?.map(|id| Cow::Owned(id.into_owned()));
        }
    }
    call.time = object.object("ResponseMetadata").and_then(|metadata| head::date(metadata.get("HTTPHeaders")?));
    call.parts = smallvec![self::usage(&usage)?];
    call.reported_cost = envelope::gateway_cost(&usage);
    Ok(call)
}

/// How a body says that it was served.
fn served(body: &Object<'_>, call: &mut Call<'_>) -> Result<()> {
    if let Some(tier) = body.object("serviceTier") {
        call.context.service_tier = envelope::owned(&tier, "type")?;
    }
    if let Some(performance) = body.object("performanceConfig") {
        call.context.speed = envelope::owned(&performance, "latency")?.filter(|latency| latency != "standard");
    }
    Ok(())
}

/// The exclusive vector of a Converse usage object.
pub(crate) fn usage(object: &Object<'_>) -> Result<Part> {
    let counts = Counts::new(object, "usage");
    let mut checked = "";
    let input = counts.need("inputTokens")?;
    let output = counts.or_zero("outputTokens")?;
    // Both spellings are sent with the same number.
    let read = counts.alias(&["cacheReadInputTokens", "cacheReadInputTokenCount"])?.unwrap_or(0);
    // The last is how Claude Code, and what reads its files, spells it.
    let written = ["cacheWriteInputTokens", "cacheWriteInputTokenCount", "cacheCreationInputTokens"];
    let (mut short, mut long) = (0, 0);
    for entry in object.array("cacheDetails").unwrap_or_default() {
        let entry = entry.object().ok_or_else(|| Problem::wrong_type("usage.cacheDetails", entry, "an object"))?;
        let tokens = Counts::new(&entry, "usage.cacheDetails").or_zero("inputTokens")?;
        if entry.is("ttl", "1h") { long += tokens } else { short += tokens }
    }
    // Where it is left out, its details say how much it is.
    let written = counts.alias(&written)?.unwrap_or(short + long);
    if let Some(total) = counts.count("totalTokens")? {
        if total == input + output + read + written {
            checked = "total = input + cache read + cache written + output";
        } else if total == input + output {
            checked = "total = input + output";
        } else {
            let message = format!(
                "usage.totalTokens is {total} but inputTokens {input} + outputTokens {output} is {}, with cache {}",
                input + output,
                input + output + read + written
            );
            return Err(Problem::contradiction("usage.totalTokens", message));
        }
    }
    let unstated = if short + long == 0 { written } else { 0 };
    if short + long + unstated != written {
        let message =
            format!("usage.cacheWriteInputTokens is {written} but usage.cacheDetails add up to {}", short + long);
        return Err(Problem::contradiction("usage.cacheWriteInputTokens", message));
    }
    let tokens = Tokens {
        input,
        cache_read: read,
        written: unstated,
        written_5m: short,
        written_1h: long,
        output,
        ..Tokens::default()
    };
    let mut part = tokens.part(checked);
    // It is there in every answer, and nearly always empty; what it counts are named as Anthropic names them.
    let mut unknown = counts.has_unknown(&USAGE_FIELDS);
    if let Some(tools) = counts.inner("serverToolUsage")? {
        let tools = counts.within("serverToolUsage", &tools);
        static KNOWN: NameSet =
            NameSet::new(&["webSearchRequests", "web_search_requests", "webFetchRequests", "web_fetch_requests"]);
        let searches = tools.alias(&["webSearchRequests", "web_search_requests"])?.unwrap_or(0);
        let fetches = tools.alias(&["webFetchRequests", "web_fetch_requests"])?.unwrap_or(0);
        part.usage.add(Meter::WebSearches, searches);
        part.usage.add(Meter::WebFetches, fetches);
        unknown |= tools.has_unknown(&KNOWN);
    }
    if unknown {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}

/// True for the name of a count, or of anything else in a usage object, that is read.
pub(crate) fn is_known(name: &str) -> bool {
    USAGE_FIELDS.contains(name)
}

/// InvokeModel in the spelling of Titan (`inputTextTokenCount`) or Llama (`generation_token_count`). The last frame of
/// any stream has Bedrock's own counts, which are the bill
/// (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html>, from documentation only).
pub(crate) fn invoke<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let embedded = object.has("embedding") || object.has("embeddings");
    let operation = if embedded { "embeddings" } else { "chat" };
    let mut call = Call::new("bedrock.invoke_model", operation, precedence::PROVIDER);
    call.usual_provider = "aws.bedrock";
    call.model = envelope::text(object, "model")?;
    call.response_id = envelope::text(object, "id")?;
    let (mut read, mut written) = (0, 0);
    let (input, output) = match object.object("amazon-bedrock-invocationMetrics") {
        Some(metrics) => {
            let counts = Counts::new(&metrics, "amazon-bedrock-invocationMetrics");
            read = counts.or_zero("cacheReadInputTokenCount")?;
            written = counts.or_zero("cacheWriteInputTokenCount")?;
            (counts.or_zero("inputTokenCount")?, counts.or_zero("outputTokenCount")?)
        }
        None => {
            let counts = Counts::new(object, "");
            let input = counts.alias(&["inputTextTokenCount", "prompt_token_count"])?;
            let output = counts.alias(&["totalOutputTextTokenCount", "generation_token_count"])?;
            if input.is_none() && output.is_none() {
                // Titan counts no tokens of an image.
                call.flags.set(Flag::UsageMissing);
            }
            let (input, mut output) = (input.unwrap_or(0), output.unwrap_or(0));
            for result in object.array("results").unwrap_or_default() {
                if let Some(result) = result.object() {
                    output += Counts::new(&result, "results").or_zero("tokenCount")?;
                }
            }
            (input, output)
        }
    };
    call.raw_usage = Cow::Owned(format!(
        "{{\"inputTokenCount\":{input},\"outputTokenCount\":{output},\"cacheReadInputTokenCount\":{read},\
         \"cacheWriteInputTokenCount\":{written}}}"
    ));
    call.parts = smallvec![Tokens { input, cache_read: read, written, output, ..Tokens::default() }.part("")];
    Ok(call)
}

/// True for an answer whose head has Bedrock's counts.
pub(crate) fn has_counts(object: &Object<'_>) -> bool {
    head::headers(object).is_some_and(|headers| head::header(headers, COUNTED[0].0).is_some())
}

/// Headers of Bedrock's answers, and what they count.
const COUNTED: [(&str, &str); 4] = [
    ("x-amzn-bedrock-input-token-count", "inputTokenCount"),
    ("x-amzn-bedrock-output-token-count", "outputTokenCount"),
    ("x-amzn-bedrock-cache-read-input-token-count", "cacheReadInputTokenCount"),
    ("x-amzn-bedrock-cache-write-input-token-count", "cacheWriteInputTokenCount"),
];

/// An answer of a model (of Mistral, Cohere, ...) that counts nothing itself: the head it came with does. Recorders and the AWS
/// SDK for Python keep it (recordings that others published, read 2026-11-29).
pub(crate) fn counted_in_headers<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let headers = head::headers(object).ok_or_else(|| Problem::missing("headers", "they have the counts"))?;
    let mut counts = [0; 4];
    for ((header, _), count) in COUNTED.iter().zip(&mut counts) {
        if let Some(digits) = head::header(headers, header) {
            let invalid = || Problem::new(RejectReason::InvalidField, header, format!("{header} is no whole number"));
            *count = number::count(&digits).map_err(|_| invalid())?;
        }
    }
    let [input, output, cache_read, written] = counts;
    let mut call = Call::new("bedrock.response_headers", "chat", precedence::PROVIDER);
    call.provider = Some(Text::const_new("aws.bedrock"));
    let told = || object.object("ResponseMetadata")?.string("RequestId").filter(|id| id.len() <= crate::TEXT_BYTES_MAX);
    call.response_id = head::header(headers, "x-amzn-requestid").or_else(told);
    call.time = head::date(headers);
    let shown: Vec<String> =
        COUNTED.iter().zip(counts).map(|((_, name), count)| format!("\"{name}\":{count}")).collect();
    call.raw_usage = Cow::Owned(format!("{{{}}}", shown.join(",")));
    call.parts = smallvec![Tokens { input, cache_read, written, output, ..Tokens::default() }.part("")];
    call.usual_provider = "aws.bedrock";
    Ok(call)
}

/// One entry of the model invocation log.
pub(crate) fn log<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let mut call = Call::new("bedrock.invocation_log", "chat", precedence::PROVIDER);
    call.provider = Some(Text::const_new("aws.bedrock"));
    call.response_id = envelope::text(object, "requestId")?;
    call.time = time(object, "timestamp")?;
    call.context.region = envelope::owned(object, "region")?;
    let model = envelope::text(object, "modelId")?.ok_or_else(|| Problem::missing("modelId", "the log names it"))?;
    let (input, output) = (object.object("input").unwrap_or_default(), object.object("output").unwrap_or_default());
    if object.has("errorCode") && object.get("errorCode").is_some() && !output.has("outputTokenCount") {
        out.ignore(IgnoreReason::FailedCall);
        return Ok(());
    }
    if object.is("operation", "CountTokens") {
        out.ignore(IgnoreReason::StatusOnly);
        return Ok(());
    }
    if model.contains("embed") {
        call.operation = Cow::Borrowed("embeddings");
    }
    call.model = Some(resolve(&model, &mut call.flags));
    if model.starts_with("arn:") {
        envelope.resource = Some(Text::from(&*model));
    }
    if let Some(body) = output.object("outputBodyJson") {
        served(&body, &mut call)?;
    }
    // The body's own usage is the finer of the two: it tells cache lifetimes apart. The counts beside it are the same
    // tokens again.
    let stated = output.get("outputBodyJson").and_then(body_usage);
    let usage = stated.as_deref().and_then(|text| Json::parse(text).ok()).and_then(Json::object);
    match (&usage, &stated) {
        (Some(usage), Some(text)) if usage.has("inputTokens") => {
            call.raw_usage = Cow::Owned(text.clone());
            call.parts = smallvec![self::usage(usage)?];
        }
        (Some(usage), Some(text)) if usage.has("input_tokens") => {
            call.raw_usage = Cow::Owned(text.clone());
            call.parts = anthropic::parts(usage, None)?;
        }
        (Some(usage), Some(text)) if usage.has("prompt_tokens") => {
            call.raw_usage = Cow::Owned(text.clone());
            call.parts = smallvec![openai::usage(usage, &openai::CHAT, &model)?];
        }
        _ => {
            let counts = Counts::new(&input, "input");
            let tokens = Tokens {
                input: counts.or_zero("inputTokenCount")?,
                cache_read: counts.or_zero("cacheReadInputTokenCount")?,
                written: counts.or_zero("cacheWriteInputTokenCount")?,
                output: Counts::new(&output, "output").or_zero("outputTokenCount")?,
                ..Tokens::default()
            };
            let mut part = tokens.part("");
            if let Some(seconds) = Counts::new(&output, "output").quantity("outputVideoDurationSeconds")? {
                part.usage.add_quantity(Meter::OutputVideoSeconds, seconds);
                call.operation = Cow::Borrowed("video_generation");
                let side = |name: &str| output.get(name)?.number();
                let size = side("outputVideoWidth").zip(side("outputVideoHeight"));
                call.context.size = size.map(|(width, height)| format!("{width}x{height}").into());
            }
            let pictures = output.object("outputBodyJson").and_then(|body| body.array("images")).unwrap_or_default();
            if !pictures.is_empty() && part.usage.is_empty() {
                // Models that draw are billed by the picture.
                part.usage.add(Meter::OutputImages, i64::try_from(pictures.len()).unwrap_or(i64::MAX));
                call.operation = Cow::Borrowed("image_generation");
            } else if part.usage.is_empty() && !input.has("inputTokenCount") && !output.has("outputTokenCount") {
                part.flags.set(Flag::UsageMissing);
            }
            call.raw_usage = Cow::Owned(counts_text(&input, &output));
            call.parts = smallvec![part];
        }
    }
    if let Some(identity) = object.object("identity") {
        envelope.key_id = envelope::owned(&identity, "arn")?;
    }
    envelope.claimed.sub_account = envelope::owned(object, "accountId")?;
    if let Some(metadata) = object.object("requestMetadata") {
        envelope.add_tags(&metadata, out.config);
    }
    out.call(call, envelope, json);
    Ok(())
}

/// The usage in a logged body: of a whole answer, or of the events of a stream, which are logged as an array.
fn body_usage(body: Json<'_>) -> Option<String> {
    if let Some(whole) = body.object() {
        return Some(whole.get("usage")?.text().to_owned());
    }
    let events: Vec<Object<'_>> = body.array()?.into_iter().filter_map(Json::object).collect();
    let usage = |event: &Object<'_>| {
        let outer = event.object("message").or_else(|| event.object("metadata"));
        outer.and_then(|outer| outer.get("usage")).or_else(|| event.get("usage")).map(|usage| usage.text().to_owned())
    };
    let texts: Vec<String> = events.iter().filter_map(usage).collect();
    let usages: Vec<Object<'_>> = texts.iter().filter_map(|text| Json::parse(text).ok()?.object()).collect();
    (!usages.is_empty()).then(|| overlay_counts(usages.iter()))
}

/// Log entries as CloudWatch Logs delivers them to a subscriber: each message is the text of one entry
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html>, not opened).
pub(crate) fn cloudwatch<'a>(
    object: &Object<'a>,
    envelope: &Envelope<'a>,
    wrappers: u8,
    out: &mut Out<'_>,
) -> Result<()> {
    let events = object.array("logEvents").unwrap_or_default();
    if events.is_empty() {
        // A control message, sent to see whether the subscriber is there.
        out.ignore(IgnoreReason::StatusOnly);
    }
    for (index, event) in events.into_iter().enumerate() {
        out.room("logEvents")?;
        let message = event.object().and_then(|event| event.string("message")).unwrap_or_default();
        let path = format!("logEvents[{index}].message");
        if deeper_than(message.as_bytes(), crate::DEPTH_MAX) {
            out.reject(Problem::new(RejectReason::TooLarge, &path, "the entry nests too deeply"), None);
            continue;
        }
        match Json::parse(&message).or_else(|error| logged(&message).ok_or(error)) {
            Ok(entry) => formats::item(entry, None, envelope.clone(), wrappers + 1, out),
            Err(_) => out.reject(Problem::new(RejectReason::Malformed, &path, format!("{path} is no JSON")), None),
        }
    }
    Ok(())
}

/// The log's own counts, as the original usage: the bodies beside them are prompts and outputs.
fn counts_text<'a>(input: &Object<'a>, output: &Object<'a>) -> String {
    let counts = input.iter().chain(output.iter()).filter(|(name, _)| name.ends_with("TokenCount"));
    let counts: Vec<String> = counts.map(|(name, value)| format!("\"{name}\":{}", value.text())).collect();
    format!("{{{}}}", counts.join(","))
}

/// The model of an ARN: foundation models and system profiles name it; an application's profile is an alias that only
/// the operator can resolve, so the whole ARN stands.
pub(super) fn resolve<'a>(model: &Cow<'a, str>, flags: &mut crate::usage::Flags) -> Cow<'a, str> {
    if !model.starts_with("arn:") {
        return model.clone();
    }
    for kind in ["foundation-model/", ":inference-profile/"] {
        if let Some((_, name)) = model.split_once(kind) {
            return Cow::Owned(name.to_owned());
        }
    }
    flags.set(Flag::AliasedModel);
    model.clone()
}
