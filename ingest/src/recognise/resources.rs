//! What providers keep besides answers: files, caches, batches, evaluations, and reports that sum up calls. All of it says
//! nothing of a single call, and some of it counts tokens.

use crate::json::Object;

/// True for the name of a resource of OpenAI's API and of those that copy it (<https://platform.openai.com/docs/api-reference>, its
/// `object` fields, 2026-11-29).
pub(super) fn is_named(name: &str) -> bool {
    const NAMES: [&str; 19] = [
        "page",
        "batch",
        "file",
        "bucket",
        "video",
        "interaction",
        "model",
        "upload",
        "upload.part",
        "assistant",
        "container",
        "conversation",
        "conversation.item",
        "realtime.session",
        "realtime.transcription_session",
        "realtime.client_secret",
        "response.input_tokens",
        "trace",
        "billing.meter_event",
    ];
    const FAMILIES: [&str; 9] = [
        "thread.",
        "thread",
        "fine_tuning.",
        "fine-tune",
        "vector_store",
        "organization.",
        "eval",
        "container.",
        "chatkit.",
    ];
    NAMES.contains(&name)
        || name.ends_with(".deleted")
        || FAMILIES.iter().any(|family| match family.strip_suffix('.') {
            Some(_) => name.starts_with(family),
            None => name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_'])),
        })
}

/// True for a resource of Anthropic's API, a page of them, or the buckets of its reports of usage (<https://docs.claude.com/en/api/admin-api/usage-cost/get-messages-usage-report>, 2026-11-29).
pub(super) fn is_of_anthropic(object: &Object<'_>) -> bool {
    if object.string("type").is_some_and(|kind| matches!(&*kind, "message_batch" | "message_batch_deleted")) {
        return object.has("id");
    }
    let kept = object.is("type", "model") || object.is("type", "file");
    (kept && object.has("id") && object.has("created_at"))
        || (object.has("data") && object.has("has_more") && object.has("first_id"))
        || (object.has("starting_at") && object.has("ending_at") && object.has("results"))
}

/// True for a cache of Gemini or Vertex, or a list of them: the size of what it holds is no call's usage
/// (<https://ai.google.dev/api/caching>, 2026-11-29).
pub(super) fn is_cache(object: &Object<'_>) -> bool {
    object.string("name").is_some_and(|name| name.contains("cachedContents/"))
        || object.array("cachedContents").is_some()
}
