//! Cloudflare Workers AI in its own shape: `response` beside `usage`, alone (a Worker's binding, a frame of a stream) or as the
//! `result` of its REST API (<https://developers.cloudflare.com/workers-ai/get-started/rest-api/>; counts and streams read in
//! public code that consumes them, 2026-11-29). It names no model, and counts as OpenAI's chat does.

use std::borrow::Cow;

use schemas::Flag;
use smallvec::smallvec;

use crate::assemble::{Call, Part, precedence};
use crate::envelope::Envelope;
use crate::formats::openai;
use crate::json::{Json, Kind, Object};
use crate::problem::{Problem, Result};
use crate::usage::raw;

/// True for the answer of its REST API. Answers that look like OpenAI's are told as those.
pub(crate) fn is_result(object: &Object<'_>) -> bool {
    object.has("success")
        && (object.has("errors") || object.has("messages"))
        && object.object("result").is_some_and(|result| is_answer(&result))
}

/// True for an answer as a Worker gets it, whole or the last frame of a stream.
pub(crate) fn is_answer(object: &Object<'_>) -> bool {
    is_only_an_answer(object) && object.object("usage").is_some_and(|usage| usage.has("prompt_tokens"))
}

/// True for a frame with a piece of the answer, which is padded so that its length says nothing about it.
pub(crate) fn is_frame(object: &Object<'_>) -> bool {
    is_only_an_answer(object) && object.string("p").is_some() && !object.has("usage")
}

/// True for a piece of an answer that is told by nothing but where it stands: between others.
pub(super) fn is_piece(object: &Object<'_>) -> bool {
    let plain = |response: Json<'_>| {
        response.kind() == Kind::String
            && !["\"{", "\"data:", "\"event:"].iter().any(|start| response.text().starts_with(start))
    };
    is_only_an_answer(object) && object.get("response").is_some_and(plain)
}

/// True for a piece that says by nothing of its own what it is.
pub(super) fn is_unproven(piece: &Object<'_>) -> bool {
    !piece.has("usage") && !piece.has("p")
}

fn is_only_an_answer(object: &Object<'_>) -> bool {
    object.has("response") && object.iter().all(|(name, _)| matches!(name, "response" | "usage" | "tool_calls" | "p"))
}

/// A whole answer. Houses may write down others' answers like this, so a model that is not named as Cloudflare names its own says
/// by itself who serves it.
pub(crate) fn response<'a>(object: &Object<'a>, envelope: &Envelope<'_>) -> Result<Call<'a>> {
    let mut call = Call::new("cloudflare.workers_ai", "chat", precedence::PROVIDER);
    let model = envelope.model.as_deref().or(envelope.requested_model.as_deref());
    if model.is_none_or(|model| model.starts_with('@')) {
        call.usual_provider = "cloudflare";
    }
    let result = object.object("result");
    let answer = result.as_ref().unwrap_or(object);
    let Some(value) = answer.get("usage") else {
        call.flags.set(Flag::UsageMissing);
        call.parts = smallvec![Part::default()];
        return Ok(call);
    };
    let usage = value.object().ok_or_else(|| Problem::wrong_type("usage", value, "an object"))?;
    call.raw_usage = Cow::Borrowed(raw(Some(value)));
    call.parts = smallvec![openai::usage(&usage, &openai::CHAT, "")?];
    Ok(call)
}
