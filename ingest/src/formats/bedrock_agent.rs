//! What agents of Bedrock trace of a turn (`InvokeAgent`): each call of a model is an input, which names the model, and an output,
//! which counts (<https://docs.aws.amazon.com/bedrock/latest/userguide/trace-events.html>, not opened; streams that others published,
//! read 2026-11-30).

use std::borrow::Cow;

use schemas::Flag;
use smallvec::smallvec;

use super::bedrock;
use crate::assemble::{Call, Out, Part, precedence};
use crate::config::is_identifier;
use crate::envelope::{self, Envelope, time};
use crate::item::IgnoreReason;
use crate::json::{Json, Object, deeper_than};
use crate::problem::Result;
use crate::usage::raw;

/// Steps of a turn; of these, the first four ask a model.
const STEPS: [&str; 7] = [
    "orchestrationTrace",
    "preProcessingTrace",
    "postProcessingTrace",
    "routingClassifierTrace",
    "customOrchestrationTrace",
    "guardrailTrace",
    "failureTrace",
];

/// The step that an event tells of: as the stream has it, without what it is of, or by itself.
fn step<'a>(object: &Object<'a>) -> Option<(&'static str, Object<'a>)> {
    let outer = object.object("trace");
    let inner = outer.as_ref().and_then(|outer| outer.object("trace"));
    let within = inner.as_ref().or(outer.as_ref()).unwrap_or(object);
    let (name, step) = within.first(&STEPS)?;
    Some((name, step.object()?))
}

/// The evidence for a step of a turn.
pub(crate) fn told(object: &Object<'_>) -> Option<&'static str> {
    step(object).map(|(name, _)| name)
}

/// True for what a stream has beside its steps: what the agent says, and what it gives back.
pub(crate) fn is_said(object: &Object<'_>) -> bool {
    ["chunk", "bytes", "files", "returnControl"].iter().any(|name| object.has(name))
}

/// Notes the model of a call by its input, which comes before its output.
pub(crate) fn context(object: &Object<'_>, context: &mut Envelope<'_>) {
    let asked = step(object).and_then(|(_, step)| step.object("modelInvocationInput"));
    let model = asked.and_then(|asked| asked.string("foundationModel").map(Cow::into_owned));
    if let Some(model) = model.filter(|model| is_identifier(model)) {
        context.model = Some(bedrock::resolve(&Cow::Owned(model), &mut context.flags).into());
    }
}

/// Decodes a step: the output of a model is a call.
pub(crate) fn traced<'a>(json: Json<'a>, object: &Object<'a>, envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let Some(output) = step(object).and_then(|(_, step)| step.object("modelInvocationOutput")) else {
        out.ignore(IgnoreReason::StreamFragment);
        return Ok(());
    };
    let mut call = Call::new("bedrock.agent_trace", "chat", precedence::PROVIDER);
    call.usual_provider = "aws.bedrock";
    let metadata = output.object("metadata").unwrap_or_default();
    call.response_id = envelope::text(&metadata, "clientRequestId")?;
    let outer = object.object("trace").filter(|outer| outer.has("eventTime"));
    call.time = match time(outer.as_ref().unwrap_or(object), "eventTime")? {
        Some(told) => Some(told),
        None => time(&metadata, "endTime")?,
    };
    if envelope.model.is_none() {
        call.model = answered_by(&output).map(Cow::Owned);
    }
    match metadata.get("usage").and_then(|usage| Some((usage, usage.object()?))) {
        Some((value, usage)) => {
            call.raw_usage = Cow::Borrowed(raw(Some(value)));
            call.parts = smallvec![bedrock::usage(&usage)?];
        }
        None => {
            call.flags.set(Flag::UsageMissing);
            call.raw_usage = Cow::Borrowed("{}");
            call.parts = smallvec![Part::default()];
        }
    }
    out.call(call, envelope, json);
    Ok(())
}

/// The model that an answer of Anthropic's names, as it is kept in full.
fn answered_by(output: &Object<'_>) -> Option<String> {
    let answer = output.object("rawResponse")?.string("content")?;
    if !answer.starts_with('{') || deeper_than(answer.as_bytes(), crate::DEPTH_MAX) {
        return None;
    }
    let (_, answer) = Json::parse_object(&answer)?;
    let model = answer.string("model").filter(|model| is_identifier(model))?;
    Some(model.into_owned())
}
