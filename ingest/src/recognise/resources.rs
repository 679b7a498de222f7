//! What providers keep besides answers: files, caches, batches, evaluations, and reports that sum up calls. All of it says
//! nothing of a single call, and some of it counts tokens.

use crate::json::Object;

/// True for the name of a resource of OpenAI's API and of those that copy it (<https://platform.openai.com/docs/api-reference>, its
/// `object` fields, 2026-11-29).
pub(super) fn is_named(name: &str) -> bool {
    const NAMES: [&str; 20] = [
        "page",
        "agent",
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
    const FAMILIES: [&str; 10] = [
        "skill",
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
    let kept = ["model", "file", "skill", "skill_version"].iter().any(|kind| object.is("type", kind));
    (kept && object.has("id") && object.has("created_at"))
        || (object.has("data") && object.has("has_more") && object.has("first_id"))
        || (object.has("starting_at") && object.has("ending_at") && object.has("results"))
}

/// True for what is asked for besides answers and says nothing of a call: lists of models, files, tokens of a text, a key to log in with
/// (recorded sessions that others published, read 2026-11-29).
pub(super) fn is_listed(object: &Object<'_>) -> bool {
    // Fields that stand together in one such answer alone.
    const TOGETHER: [&[&str]; 9] = [
        &["access_token", "token_type"],
        &["tokens", "token_strings"],
        &["tokens", "count", "max_model_len"],
        &["tokensInfo"],
        &["balance_infos"],
        &["invocationArn"],
        &["default_version", "latest_version"],
        &["modelSummaries"],
        &["model_info", "details"],
    ];
    // What a model of a list can do; no report of what was used says that.
    const MODEL: [&str; 9] = [
        "supportedGenerationMethods",
        "supportedActions",
        "digest",
        "endpoints",
        "context_length",
        "contextLength",
        "owned_by",
        "input_modalities",
        "latest_version",
    ];
    const OF_GEMINI: [&str; 6] = ["models/", "tunedModels/", "files/", "batches/", "fileSearchStores/", "corpora/"];
    let is_model = |of: &Object<'_>| MODEL.iter().any(|name| of.has(name));
    let of_gemini =
        |of: &Object<'_>| of.string("name").is_some_and(|name| OF_GEMINI.iter().any(|kind| name.starts_with(kind)));
    TOGETHER.iter().any(|names| names.iter().all(|name| object.has(name)))
        || ["models", "data"].iter().any(|name| object.first_of(name).is_some_and(|model| is_model(&model)))
        || of_gemini(object)
        || object.object("file").or_else(|| object.first_of("files")).is_some_and(|file| of_gemini(&file))
        || is_progress(object)
        || is_of_a_bulk(object)
}

/// True for the line that says what becomes of the next, as Elasticsearch takes documents in bulk.
fn is_of_a_bulk(object: &Object<'_>) -> bool {
    let [Some((name, about)), None] = [object.iter().next(), object.iter().nth(1)] else { return false };
    let of_place = |name: &str| matches!(name, "_index" | "_id" | "_type" | "routing" | "pipeline" | "require_alias");
    matches!(name, "index" | "create" | "update" | "delete")
        && about.object().is_some_and(|about| about.iter().all(|(name, _)| of_place(name)))
}

/// True for a version alone, and for what Ollama says while it fetches a model.
fn is_progress(object: &Object<'_>) -> bool {
    let said = object.string("status").or_else(|| object.string("version"));
    said.is_some()
        && object.iter().all(|(name, _)| matches!(name, "status" | "digest" | "total" | "completed" | "version"))
}

/// True for a cache of Gemini or Vertex, or a list of them: the size of what it holds is no call's usage
/// (<https://ai.google.dev/api/caching>, 2026-11-29).
pub(super) fn is_cache(object: &Object<'_>) -> bool {
    object.string("name").is_some_and(|name| name.contains("cachedContents/"))
        || object.array("cachedContents").is_some()
}
