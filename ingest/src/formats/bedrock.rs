//! Bedrock: Converse bodies (`inputTokens` excludes the cache) and model invocation logs.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html> and
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html>, checked 2026-11-22.

use std::borrow::Cow;

use schemas::{Flag, Meter, Text};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, precedence};
use crate::envelope::{self, Envelope, time};
use crate::formats::anthropic;
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw};

const USAGE_FIELDS: &[&str] = &[
    "inputTokens",
    "outputTokens",
    "totalTokens",
    "cacheReadInputTokens",
    "cacheReadInputTokenCount",
    "cacheWriteInputTokens",
    "cacheWriteInputTokenCount",
    "cacheDetails",
    "serverToolUsage",
];

/// A whole Converse response. It names neither model nor id: both come from the envelope.
pub(crate) fn converse<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("bedrock.converse", "chat", precedence::PROVIDER);
    call.usual_provider = "aws.bedrock";
    let value = object.get("usage").ok_or_else(|| Problem::missing("usage", "send the response's usage"))?;
    let usage = value.object().ok_or_else(|| Problem::wrong_type("usage", value, "an object"))?;
    call.raw_usage = Cow::Borrowed(raw(Some(value)));
    if let Some(tier) = object.object("serviceTier") {
        call.context.service_tier = envelope::owned(&tier, "type")?;
    }
    if let Some(performance) = object.object("performanceConfig") {
        call.context.speed = envelope::owned(&performance, "latency")?.filter(|latency| latency != "standard");
    }
    if let Some(metadata) = object.object("ResponseMetadata") {
        call.response_id = envelope::text(&metadata, "RequestId")?.map(|id| Cow::Owned(id.into_owned()));
    }
    call.parts = smallvec![self::usage(&usage)?];
    Ok(call)
}

/// The exclusive vector of a Converse usage object.
pub(crate) fn usage(object: &Object<'_>) -> Result<Part> {
    let counts = Counts::new(object, "usage");
    let mut part = Part::default();
    let input = counts.need("inputTokens")?;
    let output = counts.or_zero("outputTokens")?;
    // Both spellings are sent with the same number.
    let read = counts.alias(&["cacheReadInputTokens", "cacheReadInputTokenCount"])?.unwrap_or(0);
    let written = counts.alias(&["cacheWriteInputTokens", "cacheWriteInputTokenCount"])?.unwrap_or(0);
    if let Some(total) = counts.count("totalTokens")? {
        if total == input + output + read + written {
            part.checked = "total = input + cache read + cache written + output";
        } else if total == input + output {
            part.checked = "total = input + output";
        } else {
            let message = format!(
                "usage.totalTokens is {total} but inputTokens {input} + outputTokens {output} is {}, with cache {}",
                input + output,
                input + output + read + written
            );
            return Err(Problem::contradiction("usage.totalTokens", message));
        }
    }
    let (mut short, mut long) = (0, 0);
    for entry in object.array("cacheDetails").unwrap_or_default() {
        let entry = entry.object().ok_or_else(|| Problem::wrong_type("usage.cacheDetails", entry, "an object"))?;
        let tokens = Counts::new(&entry, "usage.cacheDetails").or_zero("inputTokens")?;
        if entry.is("ttl", "1h") { long += tokens } else { short += tokens }
    }
    if short + long == 0 {
        short = written;
        if written > 0 {
            part.flags.set(Flag::Assumed5m);
        }
    } else if short + long != written {
        let message =
            format!("usage.cacheWriteInputTokens is {written} but usage.cacheDetails add up to {}", short + long);
        return Err(Problem::contradiction("usage.cacheWriteInputTokens", message));
    }
    let vector = &mut part.usage;
    vector.add(Meter::InputTextTokens, input);
    vector.add(Meter::CacheReadTextTokens, read);
    vector.add(Meter::CacheWrite5mTokens, short);
    vector.add(Meter::CacheWrite1hTokens, long);
    vector.add(Meter::OutputTextTokens, output);
    if counts.has_unknown(USAGE_FIELDS) {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}

/// InvokeModel in the spelling of Titan (`inputTextTokenCount`) or Llama (`generation_token_count`). The last frame of
/// any stream has Bedrock's own counts, which are the bill
/// (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html>, from documentation only).
pub(crate) fn invoke<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let operation = if object.has("embedding") { "embeddings" } else { "chat" };
    let mut call = Call::new("bedrock.invoke_model", operation, precedence::PROVIDER);
    call.usual_provider = "aws.bedrock";
    let mut part = Part::default();
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
            let input = counts.alias(&["inputTextTokenCount", "prompt_token_count"])?.unwrap_or(0);
            let mut output = counts.alias(&["totalOutputTextTokenCount", "generation_token_count"])?.unwrap_or(0);
            for result in object.array("results").unwrap_or_default() {
                if let Some(result) = result.object() {
                    output += Counts::new(&result, "results").or_zero("tokenCount")?;
                }
            }
            (input, output)
        }
    };
    part.usage.add(Meter::InputTextTokens, input);
    part.usage.add(Meter::CacheReadTextTokens, read);
    part.usage.add(Meter::CacheWrite5mTokens, written);
    part.usage.add(Meter::OutputTextTokens, output);
    if written > 0 {
        part.flags.set(Flag::Assumed5m);
    }
    call.raw_usage = Cow::Owned(format!(
        "{{\"inputTokenCount\":{input},\"outputTokenCount\":{output},\"cacheReadInputTokenCount\":{read},\
         \"cacheWriteInputTokenCount\":{written}}}"
    ));
    call.parts = smallvec![part];
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
    if model.contains("embed") {
        call.operation = Cow::Borrowed("embeddings");
    }
    call.model = Some(resolve(&model, &mut call.flags));
    if model.starts_with("arn:") {
        envelope.resource = Some(Text::from(&*model));
    }
    // The body's own usage is the finer of the two: it tells cache lifetimes apart. The counts beside it are the same
    // tokens again.
    let body = output.object("outputBodyJson").and_then(|body| body.get("usage"));
    let body = body.and_then(|value| value.object().map(|usage| (value, usage)));
    match body {
        Some((value, usage)) if usage.has("inputTokens") => {
            call.raw_usage = Cow::Borrowed(raw(Some(value)));
            call.parts = smallvec![self::usage(&usage)?];
        }
        Some((value, usage)) if usage.has("input_tokens") => {
            call.raw_usage = Cow::Borrowed(raw(Some(value)));
            call.parts = anthropic::parts(&usage, None)?;
        }
        _ => {
            let mut part = Part::default();
            let counts = Counts::new(&input, "input");
            part.usage.add(Meter::InputTextTokens, counts.or_zero("inputTokenCount")?);
            part.usage.add(Meter::CacheReadTextTokens, counts.or_zero("cacheReadInputTokenCount")?);
            let written = counts.or_zero("cacheWriteInputTokenCount")?;
            part.usage.add(Meter::CacheWrite5mTokens, written);
            if written > 0 {
                part.flags.set(Flag::Assumed5m);
            }
            let written = Counts::new(&output, "output").or_zero("outputTokenCount")?;
            part.usage.add(Meter::OutputTextTokens, written);
            if !input.has("inputTokenCount") && !output.has("outputTokenCount") {
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

/// The log's own counts, as the original usage: the bodies beside them are prompts and outputs.
fn counts_text<'a>(input: &Object<'a>, output: &Object<'a>) -> String {
    let counts = input.iter().chain(output.iter()).filter(|(name, _)| name.ends_with("TokenCount"));
    let counts: Vec<String> = counts.map(|(name, value)| format!("\"{name}\":{}", value.text())).collect();
    format!("{{{}}}", counts.join(","))
}

/// The model of an ARN: foundation models and system profiles name it; an application's profile is an alias that only
/// the operator can resolve, so the whole ARN stands.
fn resolve<'a>(model: &Cow<'a, str>, flags: &mut crate::usage::Flags) -> Cow<'a, str> {
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
