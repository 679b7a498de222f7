//! What LangChain keeps of a provider's usage where it makes none of its own: beside a message (`response_metadata`) and beside the
//! generations of a call (`llm_output`), in the provider's spelling
//! (<https://reference.langchain.com/python/langchain-core/outputs/llm_result/LLMResult>, not opened; results that others published,
//! read 2026-11-29).

use std::borrow::Cow;

use smallvec::{SmallVec, smallvec};

use super::{anthropic, openai};
use crate::assemble::Part;
use crate::json::{Json, Object};
use crate::problem::Result;

/// True for a message that a model said: it states usage, also written down by LangChain itself.
pub(crate) fn is_message(object: &Object<'_>) -> bool {
    let kwargs = object.object("kwargs").filter(|_| object.has("lc"));
    let message = kwargs.as_ref().unwrap_or(object);
    let usage = message.object("usage_metadata").filter(|_| message.has("content"));
    usage.is_some_and(|usage| usage.has("input_tokens")) || (message.has("content") && is_counted(message))
}

/// True for an event of a runnable that holds a piece of a message, or repeats what its models said: those that end a call of a model
/// count (`astream_events`, <https://reference.langchain.com/python/langchain-core/runnables/>, not opened; streams that others
/// published, read 2026-11-30).
pub(crate) fn repeats(object: &Object<'_>) -> bool {
    let event = || object.string("event").unwrap_or_default();
    let repeated = |event: &str| event.starts_with("on_") && !matches!(event, "on_chat_model_end" | "on_llm_end");
    object.has("run_id") && object.has("data") && repeated(&event())
}

/// True for a piece of a message that states no usage, also within what keeps it as `message`.
pub(crate) fn is_fragment(object: &Object<'_>) -> bool {
    let unfinished = |object: &Object<'_>| is_piece(object) && !is_message(object);
    unfinished(object) || object.object("message").is_some_and(|message| unfinished(&message))
}

fn is_piece(object: &Object<'_>) -> bool {
    let constructed =
        |path: Vec<Json<'_>>| path.last().is_some_and(|name| name.string().as_deref() == Some("AIMessageChunk"));
    object.is("type", "AIMessageChunk") || (object.has("lc") && object.array("id").is_some_and(constructed))
}

/// The piece in a pair of it and what LangGraph knows of its call, as it streams `messages`.
pub(crate) fn piece_of_pair<'a>(pair: Json<'a>) -> Option<(Json<'a>, Object<'a>)> {
    let [piece, about] = pair.array()?.try_into().ok()?;
    (is_piece(&piece.object()?)).then_some((piece, about.object()?))
}

/// Names it has there.
const NAMES: [&str; 2] = ["token_usage", "usage"];

/// Where it stands.
pub(crate) fn about<'a>(object: &Object<'a>) -> Option<Object<'a>> {
    object.object("response_metadata").or_else(|| object.object("llm_output").filter(|_| object.has("generations")))
}

/// The provider's usage, where it is spelled like OpenAI's or Anthropic's.
pub(crate) fn stated<'a>(object: &Object<'a>) -> Option<Json<'a>> {
    let (_, value) = about(object)?.first(&NAMES)?;
    let counted = value.object().is_some_and(|usage| usage.has("prompt_tokens") || usage.has("input_tokens"));
    counted.then_some(value)
}

/// The provider's id in the message of the first generation of a result.
pub(crate) fn generated<'a>(object: &Object<'a>) -> Option<Cow<'a, str>> {
    let first = object.array("generations")?.first()?.array()?.first()?.object()?;
    let message = first.object("message")?;
    let message = message.object("kwargs").unwrap_or(message);
    message.object("response_metadata")?.string("id").filter(|id| id.len() <= crate::TEXT_BYTES_MAX)
}

/// True for a message or result that states usage nowhere else.
pub(crate) fn is_counted(object: &Object<'_>) -> bool {
    stated(object).is_some()
}

/// The calls it counts.
pub(crate) fn parts(usage: &Object<'_>, model: &str) -> Result<SmallVec<[Part; 1]>> {
    if usage.has("prompt_tokens") {
        return Ok(smallvec![openai::usage(usage, &openai::CHAT, model)?]);
    }
    match usage.has("input_tokens_details") || usage.has("total_tokens") {
        true => Ok(smallvec![openai::usage(usage, &openai::RESPONSES, model)?]),
        false => anthropic::parts(usage, Some(model)),
    }
}
