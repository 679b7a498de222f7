//! What an object is, by the fields that only that format has. Rules are tried in order; each names its evidence, and a
//! test proves that no example of one format satisfies the rule of another that stands before it.

use std::cell::LazyCell;

use crate::formats::otlp::{exported, printed};
use crate::formats::{
    bedrock, bedrock_stream, bifrost, billing, codex, dashscope, gemini_cli, house, kong, langchain, log_lines, openai,
    opencode, pictures, pydantic_ai, replicate, servers, snowflake, speech, sums, tgi, tools, veo, watsonx, workers_ai,
};
use crate::json::{Json, Kind, Object};
use crate::number;

mod asked;
mod plain;
mod refused;
mod resources;
mod shape;
mod within;

use refused::State;
pub use shape::Shape;
use within::{RECORDS_SEEN, is_counted, speaks_of_a_call};
pub(crate) use within::{body, captured, is_call, records};

/// What an object is and the evidence for it; `None` when it is nothing known.
pub(crate) fn recognise(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    let level = LEVEL.get();
    if level >= LEVELS_MAX {
        return None;
    }
    LEVEL.set(level + 1);
    let found = told(object);
    LEVEL.set(level);
    found
}

/// Most levels that are looked into to tell what the outermost is. Several rules look at what lies within, and each looks again from
/// every level, so without a bound the looks would double with each.
const LEVELS_MAX: u8 = 7;

thread_local! {
    /// How deep the look that is being taken is. It is nothing but the depth of the calls: it begins and ends at zero.
    static LEVEL: std::cell::Cell<u8> = const { std::cell::Cell::new(0) };
}

fn told(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    // The commonest envelopes have nothing that any other rule looks for.
    if plain::is_envelope(object) {
        return Some((Shape::Envelope, "response"));
    }
    by_evidence(object)
}

/// By the rules, one after the other.
fn by_evidence(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if object.has("base_resp") && refused::is_error(object) {
        return Some((Shape::Error, "base_resp.status_code"));
    }
    // The commonest bodies say what they are; Bifrost's log says it of what it logged.
    if object.has("object") && bifrost::is_entry(object) {
        return Some((Shape::Bifrost, "provider, status and token_usage"));
    }
    if object.has("object")
        && let Some(found) = by_marker(object)
    {
        return Some(found);
    }
    if object.has("specversion") && object.has("type") {
        return Some((Shape::CloudEvent, "specversion and type"));
    }
    for (names, shape) in [
        (["resourceSpans", "resource_spans"], Shape::OtlpTraces),
        (["scopeSpans", "instrumentationLibrarySpans"], Shape::OtlpTraces),
        (["resourceLogs", "resource_logs"], Shape::OtlpLogs),
        (["scopeLogs", "instrumentationLibraryLogs"], Shape::OtlpLogs),
        (["resourceMetrics", "resource_metrics"], Shape::OtlpMetrics),
    ] {
        if let Some((name, _)) = object.first(&names) {
            return Some((shape, name));
        }
    }
    if printed::is_span(object) {
        return Some((Shape::OtelSpan, "attributes, and a context with ids"));
    }
    let known = by_marker(object).or_else(|| by_export(object)).or_else(|| by_usage(object));
    known.or_else(|| by_store(object)).or_else(|| by_wrapping(object)).or_else(|| by_failure(object))
}

/// What says that nothing came of a call, or nothing yet.
fn by_failure(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if refused::is_error(object) {
        return Some((Shape::Error, "what is wrong, and nothing of a call"));
    }
    if langchain::is_fragment(object) {
        return Some((Shape::Fragment, "a piece of a message"));
    }
    match refused::state(object) {
        Some(State::Running) => Some((Shape::Status, "the state of a job that still runs")),
        Some(State::Failed) => Some((Shape::Error, "the state of a job that failed")),
        None if resources::is_listed(object) => Some((Shape::Status, "a resource, or a list of them")),
        None => None,
    }
}

/// What a row of a page or of a log is, told by itself alone: a look at what lies within each would be taken once more on every level.
fn row(object: &Object<'_>) -> Option<Shape> {
    by_marker(object).or_else(|| by_export(object)).map(|(shape, _)| shape)
}

/// By what stores and consoles make of spans and log records.
fn by_store(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if log_lines::is_answer(object) {
        return Some((Shape::LogLines, "streams or rows of lines"));
    }
    if exported::is_entry(object) {
        return Some((Shape::StoredSpan, "ids of a trace, and attributes"));
    }
    if exported::is_trace(object) {
        return Some((Shape::StoredTrace, "spans with ids of a trace, and attributes"));
    }
    let batches = object.first_of("batches");
    let tempo = batches.is_some_and(|batch| batch.has("scopeSpans") || batch.has("instrumentationLibrarySpans"));
    tempo.then_some((Shape::OtlpTraces, "batches of spans"))
}

/// By fields that only the logs and exports of one tool have.
fn by_export(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if let Some(shape) = tools::told(object) {
        return Some((shape, "fields that mark a tool"));
    }
    if let Some(evidence) = sums::told(object) {
        return Some((Shape::Sum, evidence));
    }
    if object.has("run_type") && (object.has("dotted_order") || object.has("start_time")) {
        return Some((Shape::LangSmith, "run_type and start_time"));
    }
    let generation = object.object("data").filter(|data| data.has("id"));
    if [generation.as_ref(), Some(object)].into_iter().flatten().any(is_generation) {
        return Some((Shape::OpenRouterGeneration, "native_tokens_prompt and total_cost"));
    }
    if pydantic_ai::is_message(object) {
        return Some((Shape::PydanticAi, "kind, and parts with their kinds"));
    }
    if bifrost::is_entry(object) {
        return Some((Shape::Bifrost, "provider, status and token_usage"));
    }
    if replicate::is_prediction(object) {
        return Some((Shape::Replicate, "status, version and where to get the prediction"));
    }
    if kong::is_log(object) {
        return Some((Shape::Kong, "ai with usage and meta of a plugin"));
    }
    if let Some(found) = by_agent(object) {
        return Some(found);
    }
    if snowflake::is_row(object) {
        return Some((Shape::Snowflake, "tokens and credits in columns of Snowflake's"));
    }
    if object.has("req_units") && object.has("res_units") {
        return Some((Shape::Portkey, "req_units and res_units"));
    }
    if object.has("request_id")
        && (object.has("response_body") || object.has("request_properties") || object.has("request_created_at"))
    {
        return Some((Shape::Helicone, "request_id and response_body or request_created_at"));
    }
    by_billing(object).or_else(|| {
        let apim =
            object.is("category", "GatewayLlmLogs") || (object.has("CorrelationId") && object.has("PromptTokens"));
        apim.then_some((Shape::AzureApim, "category GatewayLlmLogs, or CorrelationId and PromptTokens"))
    })
}

/// By fields that only the files of one coding agent have.
fn by_agent(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if gemini_cli::is_chat(object) {
        return Some((Shape::GeminiCliChat, "sessionId and projectHash, or a message of type gemini"));
    }
    if gemini_cli::is_telemetry(object) {
        return Some((Shape::GeminiCliTelemetry, "attributes with event.name, or scopeMetrics"));
    }
    if codex::is_message(object) {
        return Some((Shape::CodexTranscript, "a message of Codex's app server"));
    }
    opencode::is_stored(object).then_some((Shape::Opencode, "modelID, providerID and tokens, or sessionID"))
}

/// By fields that only the bills and lists of one tool have.
fn by_billing(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if object.has("logGroup") && object.has("logEvents") {
        return Some((Shape::CloudWatchLogs, "logGroup and logEvents"));
    }
    if object.has("amount") && object.has("timeBilledMs") {
        return Some((Shape::RunPod, "amount and timeBilledMs"));
    }
    if object.has("object_id") && object.has("interval_start") && object.has("cost") {
        return Some((Shape::Modal, "object_id, interval_start and cost"));
    }
    if object.has("totalCost") && object.has("window") && (object.has("properties") || object.has("gpuHours")) {
        return Some((Shape::OpenCost, "totalCost, window and properties"));
    }
    if object.get("code").is_some() && object.array("data").is_some_and(|sets| is_allocations(&sets)) {
        return Some((Shape::OpenCost, "code and sets of allocations"));
    }
    if billing::is_github(object) {
        return Some((Shape::GitHubUsage, "product, sku and net amount"));
    }
    if object.has("cluster_hash") && object.has("total_cost") {
        return Some((Shape::SkyPilot, "cluster_hash and total_cost"));
    }
    if object.has("gateway_id") && (object.has("decision") || object.has("verdict")) {
        return Some((Shape::Keeptrusts, "gateway_id and decision"));
    }
    if object.has("event_type") && object.has("verdict") && object.has("config_version") {
        return Some((Shape::Keeptrusts, "event_type, verdict and config_version"));
    }
    if crate::formats::seats::is_list(object) {
        return Some((Shape::SeatList, "columns of vendor, seats and period"));
    }
    None
}

/// True for OpenRouter's record of a generation.
fn is_generation(record: &Object<'_>) -> bool {
    record.has("total_cost") && (record.has("native_tokens_prompt") || record.has("native_tokens_completion"))
}

/// True for what OpenCost's API answers: sets of allocations by name.
fn is_allocations(sets: &[Json<'_>]) -> bool {
    sets.iter().filter_map(|set| set.object()).any(|set| {
        set.iter()
            .next()
            .is_some_and(|(_, first)| first.object().is_some_and(|first| first.has("totalCost") && first.has("window")))
    })
}

/// By a field whose value names the format.
fn by_marker(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if let Some(name) = object.string("object") {
        let shape = match &*name {
            // Each frame of ERNIE's own streams counts, and calls itself a whole.
            "chat.completion" if object.get("is_end").and_then(Json::boolean) == Some(false) => Shape::Fragment,
            // Azure's, of models that read one's own data.
            "chat.completion" | "extensions.chat.completion" => Shape::OpenAiChat,
            // Perplexity closes its streams with objects of its own.
            "chat.completion.chunk"
            | "extensions.chat.completion.chunk"
            | "chat.completion.done"
            | "chat.reasoning"
            | "chat.reasoning.done" => Shape::OpenAiChatChunk,
            // Azure's frames of content filters say nothing but that.
            "" if object.has("choices") => Shape::OpenAiChatChunk,
            "response" if is_unfinished(object) => Shape::Status,
            "response" | "realtime.response" if is_failed(object) => Shape::Error,
            "response" | "realtime.response" | "response.compaction" => Shape::OpenAiResponse,
            "text_completion" | "text_completion.chunk" | "text.completion" => Shape::OpenAiCompletion,
            "interaction" if object.has("usage") => Shape::GeminiInteraction,
            "list" if object.object("usage").is_some() => Shape::OpenAiEmbedding,
            "list" if is_images(object) => Shape::OpenAiImage,
            "list" if records(object).is_some() => Shape::Records,
            // Some servers count nothing of them.
            "list" if is_embeddings(object) => Shape::OpenAiEmbedding,
            "list" => Shape::Status,
            "video" if object.is("status", "completed") => Shape::OpenAiVideo,
            // A run of the Assistants API states the tokens of all its steps.
            "thread.run" if object.object("usage").is_some() => Shape::OpenAiChat,
            name if resources::is_named(name) => Shape::Status,
            _ => return None,
        };
        return Some((shape, "object"));
    }
    if object.is("schemaType", "ModelInvocationLog") {
        return Some((Shape::BedrockLog, "schemaType"));
    }
    if object.has("parentId") && object.object("data").is_some() && object.has("timestamp") {
        // The events of Copilot CLI have the names of others.
        return None;
    }
    if let Some(kind) = object.string("type") {
        let shape = match &*kind {
            "message" if object.has("usage") => Shape::AnthropicMessage,
            // The API before messages counted nothing.
            "completion" if object.has("completion") && object.has("stop_reason") => Shape::AnthropicMessage,
            "message_start"
            | "message_delta"
            | "message_stop"
            | "content_block_start"
            | "content_block_delta"
            | "content_block_stop"
            | "ping" => Shape::AnthropicEvent,
            // An observation as Langfuse's API gives it back.
            "GENERATION" | "EMBEDDING" | "SPAN" | "EVENT" | "AGENT" | "TOOL" | "CHAIN" | "RETRIEVER" | "EVALUATOR"
            | "GUARDRAIL"
                if object.has("traceId") || (object.has("trace_id") && object.has("start_time")) =>
            {
                Shape::Langfuse
            }
            "image_generation.completed" | "image_edit.completed" => Shape::OpenAiImage,
            "transcript.text.done" | "conversation.item.input_audio_transcription.completed" => {
                Shape::OpenAiTranscription
            }
            "speech.audio.done" => Shape::OpenAiSpeech,
            "speech.audio.delta"
            | "transcription.language"
            | "transcription.segment"
            | "transcription.text.delta"
            | "image_generation.partial_succeeded"
            | "image_generation.partial_failed"
            | "transcript.text.delta"
            | "transcript.text.segment"
            | "image_generation.partial_image"
            | "image_edit.partial_image" => Shape::Fragment,
            "error" if object.has("error") => Shape::Error,
            // Events of a Realtime session; `session.created` names its model.
            _ if kind.starts_with("session.")
                || kind.starts_with("conversation.item.")
                || kind.starts_with("input_audio_buffer.")
                || kind.starts_with("output_audio_buffer.")
                || kind == "rate_limits.updated" =>
            {
                Shape::OpenAiResponseEvent
            }
            _ if is_conversation_event(&kind) => Shape::MistralEvent,
            "message-start" | "message-end" | "content-start" | "content-delta" | "content-end" | "tool-plan-delta"
            | "tool-call-start" | "tool-call-delta" | "tool-call-end" | "citation-start" | "citation-end" => {
                Shape::CohereEvent
            }
            // Claude Code and Codex write one JSON object a line.
            "assistant" if object.has("usageMetadata") => return None,
            "assistant" if object.has("sessionId") && object.has("message") => Shape::ClaudeTranscript,
            "result"
                if object.has("total_cost_usd")
                    || object.has("modelUsage")
                    || object.has("num_turns")
                    || (object.has("subtype") && object.has("session_id")) =>
            {
                Shape::ClaudeResult
            }
            // What `claude -p --output-format stream-json` prints spells the session otherwise than its files.
            "assistant" | "user" | "system" | "stream_event" | "rate_limit_event" | "tool_progress"
                if object.has("session_id")
                    && ["uuid", "message", "subtype"].iter().any(|name| object.has(name))
                    && !["usage", "response", "body", "data"].iter().any(|name| object.has(name)) =>
            {
                Shape::ClaudeTranscript
            }
            "user"
            | "system"
            | "summary"
            | "progress"
            | "file-history-snapshot"
            | "queue-operation"
            | "custom-title"
            | "agent-name"
            | "last-prompt"
            | "permission-mode"
            | "attachment"
            | "ai-title"
                if object.has("sessionId") || object.has("leafUuid") || object.has("snapshot") =>
            {
                Shape::ClaudeTranscript
            }
            // Every version writes further kinds of lines; only those of the assistant have usage.
            _ if object.has("sessionId")
                && !["message", "usage", "model", "response", "body", "data"].iter().any(|name| object.has(name)) =>
            {
                Shape::ClaudeTranscript
            }
            "session_meta" | "turn_context" | "event_msg" | "response_item" | "compacted"
                if object.has("payload") && object.has("timestamp") =>
            {
                Shape::CodexTranscript
            }
            "thread.started" if object.has("thread_id") => Shape::CodexExec,
            "turn.started" | "turn.failed" if !object.has("model") => Shape::CodexExec,
            "turn.completed"
                if !object.has("model")
                    && object
                        .object("usage")
                        .is_some_and(|usage| usage.has("input_tokens") && !usage.has("total_tokens")) =>
            {
                Shape::CodexExec
            }
            "item.started" | "item.updated" | "item.completed"
                if object.object("item").is_some_and(|item| item.has("id") && item.has("type")) =>
            {
                Shape::CodexExec
            }
            _ if is_interaction_event(object) => Shape::GeminiInteractionEvent,
            _ if kind.starts_with("response.") => Shape::OpenAiResponseEvent,
            "generation-create" | "generation-update" | "span-create" | "span-update" | "trace-create"
            | "event-create" | "score-create" | "observation-create" | "observation-update" | "embedding-create"
            | "agent-create" | "tool-create" | "chain-create" | "retriever-create" | "evaluator-create"
            | "guardrail-create"
                if object.has("body") =>
            {
                Shape::Langfuse
            }
            _ => return None,
        };
        return Some((shape, "type"));
    }
    is_interaction_event(object).then_some((Shape::GeminiInteractionEvent, "event_type"))
}

/// True for an event of a streamed Gemini interaction.
fn is_interaction_event(object: &Object<'_>) -> bool {
    let kind = object.string("event_type").or_else(|| object.string("type"));
    kind.is_some_and(|kind| match kind.split_once('.') {
        Some(("interaction", _)) => object.has("interaction") || object.has("interaction_id"),
        Some(("step" | "content", _)) => object.has("index"),
        _ => false,
    })
}

/// True for an event of a streamed conversation with one of Mistral's agents (<https://docs.mistral.ai/agents/agents>, not opened;
/// written from knowledge of the service).
fn is_conversation_event(kind: &str) -> bool {
    const KINDS: [&str; 5] =
        ["conversation.response.", "message.output.delta", "tool.execution.", "function.call.delta", "agent.handoff."];
    KINDS.iter().any(|name| kind.starts_with(name))
}

/// True for a response that still runs: what it used stands in a later copy.
fn is_unfinished(object: &Object<'_>) -> bool {
    object.get("usage").is_none() && (object.is("status", "queued") || object.is("status", "in_progress"))
}

/// True for a response that failed before it used anything.
pub(crate) fn is_failed(object: &Object<'_>) -> bool {
    // A turn that failed counts nothing, or zeros.
    let unused = || {
        object.object("usage").is_none_or(|usage| usage.get("total_tokens").is_some_and(|total| total.text() == "0"))
    };
    object.is("status", "failed") && unused()
}

/// By the spelling of its usage.
fn by_usage(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    // The messages of a Live session; some of them state usage, all in one session.
    const LIVE: [&str; 8] = [
        "serverContent",
        "setupComplete",
        "toolCall",
        "toolCallCancellation",
        "goAway",
        "sessionResumptionUpdate",
        "realtimeInput",
        "setup",
    ];
    if LIVE.iter().any(|name| object.has(name))
        && object.iter().all(|(name, _)| name == "usageMetadata" || LIVE.contains(&name))
    {
        return Some((Shape::GeminiLive, "serverContent, setup or another message of a session"));
    }
    if resources::is_cache(object) || resources::is_of_anthropic(object) {
        return Some((Shape::Status, "a resource, or a row of a report"));
    }
    // A prompt that was blocked before any model read it: nothing is counted.
    if let Some(feedback) = object.object("promptFeedback")
        && feedback.get("blockReason").is_some()
        && object.object("usageMetadata").is_none_or(|usage| !usage.has("promptTokenCount"))
    {
        return Some((Shape::Error, "promptFeedback.blockReason, and no counts"));
    }
    if object.object("usageMetadata").is_some_and(|usage| usage.has("input_tokens")) {
        return Some((Shape::LangChain, "usageMetadata.input_tokens"));
    }
    if object.has("usageMetadata") {
        let live = object.object("usageMetadata").is_some_and(|usage| usage.has("responseTokenCount"))
            && !object.has("candidates")
            && !object.has("modelVersion");
        return Some(if live {
            (Shape::GeminiLive, "usageMetadata.responseTokenCount")
        } else {
            (Shape::Gemini, "usageMetadata")
        });
    }
    if object.has("lc")
        && object
            .object("kwargs")
            .is_some_and(|message| message.object("usage_metadata").is_some() || langchain::is_counted(&message))
    {
        return Some((Shape::LangChain, "lc and kwargs.usage_metadata"));
    }
    if object.object("usage_metadata").is_none() && langchain::is_counted(object) {
        return Some((Shape::LangChain, "response_metadata or llm_output, and its token_usage"));
    }
    if let Some(usage) = object.object("usage_metadata") {
        return match usage.has("input_tokens") {
            true => Some((Shape::LangChain, "usage_metadata.input_tokens")),
            false => Some((Shape::Gemini, "usage_metadata")),
        };
    }
    if object.has("inputTextTokenCount")
        || object.has("generation_token_count")
        || object.has("amazon-bedrock-invocationMetrics")
    {
        return Some((Shape::BedrockInvoke, "inputTextTokenCount, generation_token_count or invocation metrics"));
    }
    // Pieces of what Mistral and Cohere stream on Bedrock, which counts in the last.
    let unfinished =
        |first: Object<'_>| first.has("text") && first.has("stop_reason") && first.get("stop_reason").is_none();
    if (object.has("text")
        && object.get("is_finished").and_then(Json::boolean) == Some(false)
        && !object.has("event_type"))
        || object.first_of("outputs").is_some_and(unfinished)
    {
        return Some((Shape::Fragment, "a piece that is not finished"));
    }
    if bedrock_stream::is_chunk(object) {
        return Some((Shape::BedrockChunk, "chunk.bytes"));
    }
    if tgi::is_frame(object) {
        return Some((Shape::TgiFrame, "token beside generated_text and details"));
    }
    if tgi::is_answer(object) {
        return Some((Shape::Tgi, "generated_text and details.generated_tokens"));
    }
    if workers_ai::is_result(object) || workers_ai::is_answer(object) {
        return Some((Shape::WorkersAi, "response and usage, and nothing else"));
    }
    if workers_ai::is_frame(object) {
        return Some((Shape::WorkersAiFrame, "response and padding"));
    }
    if veo::is_operation(object) {
        return Some((Shape::GeminiVideo, "name of an operation of Veo"));
    }
    if object.is("done_reason", "load") || object.is("done_reason", "unload") {
        return Some((Shape::Status, "done_reason load"));
    }
    // Ollama streams one object a line, and only the last one counts.
    if object.get("done").and_then(Json::boolean) == Some(false) && object.has("created_at") {
        return Some((Shape::Fragment, "done false and created_at"));
    }
    if object.has("litellm_call_id") || (object.has("call_type") && object.has("response_cost")) {
        return Some((Shape::LiteLlm, "litellm_call_id"));
    }
    if object.has("call_type") && object.has("spend") && object.has("startTime") {
        return Some((Shape::LiteLlm, "call_type, spend and startTime"));
    }
    if object.has("prompt_eval_count") || (object.has("eval_count") && object.has("model")) {
        return Some((Shape::Ollama, "eval_count"));
    }
    if let Some(meta) = object.object("meta")
        && meta.has("billed_units")
    {
        return Some((Shape::Cohere, "meta.billed_units"));
    }
    if object.has("batch_request_id") && object.has("batch_result") {
        return Some((Shape::OpenAiBatchLine, "batch_request_id and batch_result"));
    }
    if object.has("custom_id") {
        return match (object.has("response"), object.has("result")) {
            (true, _) => Some((Shape::OpenAiBatchLine, "custom_id and response")),
            (_, true) => Some((Shape::AnthropicBatchLine, "custom_id and result")),
            _ => None,
        };
    }
    if object.has("candidates") && object.has("modelVersion") {
        return Some((Shape::Gemini, "candidates and modelVersion"));
    }
    if object.is("status", "done")
        && object.object("video").is_some_and(|video| video.has("url") && video.has("duration"))
    {
        return Some((Shape::OpenAiVideo, "status done, and the duration of a video"));
    }
    if speech::is_heard(object) {
        return Some((Shape::Deepgram, "metadata.model_info and metadata.duration"));
    }
    if let Some(found) = speech::transcribed(object) {
        return Some(found);
    }
    if speech::is_aligned(object) {
        return Some((Shape::ElevenLabsSpeech, "sound, and when its characters are heard"));
    }
    if let Some(found) = pictures::evidence(object) {
        return Some((Shape::Pictures, found));
    }
    if speech::is_said(object) {
        return Some((Shape::MiniMaxSpeech, "base_resp and extra_info.usage_characters"));
    }
    if watsonx::is_answer(object) {
        return Some((Shape::Watsonx, "model_id, and results that are counted"));
    }
    if object.object("meta_info").is_some_and(|about| about.has("prompt_tokens") && about.has("finish_reason")) {
        return Some((Shape::SgLang, "meta_info.prompt_tokens"));
    }
    if object.has("tokens_evaluated") && object.has("tokens_predicted") {
        // It counts in each piece of a stream; the last one stops.
        if object.get("stop").and_then(Json::boolean) == Some(false) {
            return Some((Shape::Fragment, "tokens_predicted so far"));
        }
        return Some((Shape::LlamaCpp, "tokens_evaluated and tokens_predicted"));
    }
    if object.has("model_instance_id") && object.object("stats").is_some_and(|stats| stats.has("total_output_tokens")) {
        return Some((Shape::LmStudio, "model_instance_id and stats"));
    }
    if object.has("results") && servers::is_kobold_cpp(object) {
        return Some((Shape::KoboldCpp, "results that are counted"));
    }
    if object.object("usage_info").is_some_and(|usage| usage.has("pages_processed")) {
        return Some((Shape::MistralOcr, "usage_info.pages_processed"));
    }
    if object.has("generation_type") && object.has("assets") && object.has("state") {
        return Some(match object.string("state").as_deref() {
            Some("completed") => (Shape::Luma, "generation_type, assets and state"),
            Some("failed") => (Shape::Error, "state"),
            _ => (Shape::Status, "state"),
        });
    }
    // Cohere's say on Bedrock nothing of what they are billed by.
    if object.first_of("embeddings").is_some_and(|first| first.has("embeddingType"))
        || (object.has("embeddings") && object.has("response_type"))
    {
        return Some((Shape::BedrockInvoke, "embeddings with their types"));
    }
    if is_gemini_embedding(object) {
        return Some((Shape::GeminiEmbedding, "embeddings with values, or predictions with statistics"));
    }
    let priced = || {
        let usage = object.object("usage");
        usage.is_none_or(|usage| usage.has("cost_in_usd_ticks") || usage.has("generated_images"))
    };
    if object.has("data")
        && is_images(object)
        && priced()
        && (object.has("created") || object.object("usage").is_some())
    {
        return Some((Shape::OpenAiImage, "created, or a cost, and data of images"));
    }
    if object.array("predictions").is_some_and(|found| found.iter().take(RECORDS_SEEN).any(openai::is_prediction)) {
        return Some((Shape::OpenAiImage, "predictions of images"));
    }
    if (object.is("task", "transcribe") || object.is("task", "translate"))
        && object.has("duration")
        && ["text", "segments", "language"].iter().any(|name| object.has(name))
        && !object.has("usage")
    {
        return Some((Shape::OpenAiTranscription, "task and duration"));
    }
    if object.has("text") && object.object("x_groq").is_some_and(|groq| groq.has("id")) && !object.has("choices") {
        return Some((Shape::OpenAiTranscription, "text and x_groq"));
    }
    // An answer that a call failed, and nothing else.
    if object.object("error").is_some_and(|error| error.has("message") || error.has("code"))
        && !object.has("usage")
        && !object.has("choices")
    {
        return Some((Shape::Error, "error with a message"));
    }
    // What counting tokens ahead answers: no call was made.
    const COUNTED: [&str; 8] = [
        "inputTokens",
        "cacheTokensDetails",
        "input_tokens",
        "totalTokens",
        "totalBillableCharacters",
        "promptTokensDetails",
        "cachedContentTokenCount",
        "context_management",
    ];
    if ["input_tokens", "totalTokens", "inputTokens"].iter().any(|name| object.has(name))
        && object.iter().all(|(name, _)| COUNTED.contains(&name))
    {
        return Some((Shape::Status, "a count of tokens alone"));
    }
    if !object.has("object") && is_chunk(object) {
        return Some((Shape::OpenAiChatChunk, "choices with deltas"));
    }
    if object.has("results") && is_moderation(object) {
        return Some((Shape::OpenAiModeration, "results, and id modr- or their scores by category"));
    }
    let usage = object.object("usage")?;
    if object.has("isContinued") && object.has("finishReason") {
        return Some((Shape::Fragment, "a step of a stream whose end counts it again"));
    }
    if is_summed(object) {
        return Some((Shape::Status, "usage of several requests"));
    }
    if dashscope::is_answer(object, &usage) {
        return Some((Shape::DashScope, "request_id, output and usage"));
    }
    if is_ai_sdk_result(object, &usage) {
        return Some((Shape::AiSdkResult, "response.modelId and usage"));
    }
    if usage.has("billed_units") {
        return Some((Shape::Cohere, "usage.billed_units"));
    }
    if (usage.has("total_input_tokens") || usage.has("totalInputTokens"))
        && (object.has("steps") || object.has("outputs"))
    {
        return Some((Shape::GeminiInteraction, "usage.total_input_tokens, and steps or outputs"));
    }
    if usage.has("inputTokens") && (object.has("stopReason") || object.has("output") || object.has("metrics")) {
        return Some((Shape::BedrockConverse, "usage.inputTokens and output"));
    }
    if object.has("choices") || (object.has("outputs") && object.has("conversation_id")) {
        return Some((Shape::OpenAiChat, "choices and usage"));
    }
    if object.get("embeddings").is_some() && usage.has("prompt_tokens") {
        return Some((Shape::OpenAiEmbedding, "embeddings and usage.prompt_tokens"));
    }
    if object.has("data") && usage.has("rerank_units") {
        return Some((Shape::OpenAiEmbedding, "data and usage.rerank_units"));
    }
    if usage.has("pages") && object.has("elements") {
        return Some((Shape::MistralOcr, "elements and usage.pages"));
    }
    if usage.has("completion_tokens") && object.object("content").is_some_and(|content| content.has("video_url")) {
        return Some((Shape::OpenAiChat, "content.video_url and usage.completion_tokens"));
    }
    if (object.has("data") || object.has("results") || object.has("rankings"))
        && (usage.has("prompt_tokens") || (usage.has("total_tokens") && !usage.has("input_tokens")))
    {
        return Some((Shape::OpenAiEmbedding, "data or results, and usage.prompt_tokens or total_tokens"));
    }
    if object.has("data") && usage.has("input_tokens") && (object.has("created") || is_images(object)) {
        return Some((Shape::OpenAiImage, "data, created or images, and usage.input_tokens"));
    }
    if object.has("content") && usage.has("input_tokens") && object.is("role", "assistant") {
        return Some((Shape::AnthropicMessage, "role, content and usage.input_tokens"));
    }
    if object.has("text") && (usage.has("seconds") || usage.is("type", "tokens") || usage.is("type", "duration")) {
        return Some((Shape::OpenAiTranscription, "text, and usage.type or usage.seconds"));
    }
    bare(object, &usage)
}

/// True for an answer of a moderation: OpenAI marks its ids, Mistral's have the scores.
fn is_moderation(object: &Object<'_>) -> bool {
    let scored = || object.first_of("results").map(|first| first.has("category_scores"));
    object.string("id").is_some_and(|id| id.starts_with("modr-")) || scored() == Some(true)
}

/// True for a chunk of a chat completion that does not say what it is, as GitHub Copilot's do not: its choices are deltas, or
/// it speaks of content filters alone, or of usage under the id of the others.
fn is_chunk(object: &Object<'_>) -> bool {
    let Some(choices) = object.array("choices") else { return false };
    match choices.first() {
        Some(choice) => choice.object().is_some_and(|choice| choice.has("delta")),
        None => {
            let id = object.string("id").is_some_and(|id| !id.is_empty());
            id || (object.has("prompt_filter_results") && object.get("usage").is_none())
        }
    }
}

/// A provider's answer of which little is left but its usage: told by how that is spelled. With a producer's own fields
/// around it, it is an event of ours.
fn bare(object: &Object<'_>, usage: &Object<'_>) -> Option<(Shape, &'static str)> {
    const OURS: [&str; 10] =
        ["provider", "source", "time", "timestamp", "usage_format", "key_id", "key", "team", "tags", "dimensions"];
    let holds = || object.has("response") || object.has("body");
    if OURS.iter().any(|name| object.has(name)) || (holds() && object.has("model")) {
        return None;
    }
    let found = spelled(object, usage)?;
    Some(body(object).map_or(found, |(name, _)| (Shape::Envelope, name)))
}

/// Whose spelling the counts of a bare usage object have.
fn spelled(object: &Object<'_>, usage: &Object<'_>) -> Option<(Shape, &'static str)> {
    if usage.has("prompt_tokens") {
        return Some((Shape::OpenAiChat, "usage.prompt_tokens"));
    }
    if (usage.has("promptTokens") || usage.has("inputTextTokens")) && !object.has("model") {
        return Some((Shape::OpenAiChat, "usage.promptTokens or inputTextTokens"));
    }
    if usage.has("inputTokens") && !object.has("model") {
        return Some((Shape::BedrockConverse, "usage.inputTokens"));
    }
    if !usage.has("input_tokens") {
        return None;
    }
    // Anthropic and OpenAI's Responses share the name; only Anthropic states these beside it.
    const ANTHROPIC: [&str; 6] = [
        "cache_creation",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "iterations",
        "service_tier",
        "inference_geo",
    ];
    let responses =
        usage.has("input_tokens_details") || usage.has("output_tokens_details") || usage.has("total_tokens");
    let claude = || object.string("model").is_some_and(|model| model.contains("claude"));
    if ANTHROPIC.iter().any(|name| usage.has(name)) || (!responses && claude()) {
        return Some((Shape::AnthropicMessage, "usage.input_tokens beside what only Anthropic states"));
    }
    responses.then_some((Shape::OpenAiResponse, "usage.input_tokens and its details or total"))
}

/// True for what Gemini (`embedding`, `embeddings` with `values`) and Vertex (`predictions` with statistics) answer.
fn is_gemini_embedding(object: &Object<'_>) -> bool {
    object.object("embedding").is_some_and(|embedding| embedding.has("values"))
        || object.first_of("embeddings").is_some_and(|embedding| embedding.has("values"))
        || object.first_of("predictions").is_some_and(|prediction| {
            prediction.object("embeddings").is_some_and(|embedding| embedding.has("statistics"))
        })
}

/// True when the elements of `data` are embeddings.
fn is_embeddings(object: &Object<'_>) -> bool {
    object.first_of("data").is_some_and(|first| first.is("object", "embedding"))
}

/// True when the elements of `data` are images.
fn is_images(object: &Object<'_>) -> bool {
    object.first_of("data").is_some_and(|first| first.has("b64_json") || first.has("url"))
}

/// True for a line of a batch output: Gemini's have a `key` and nothing else around the response, Vertex's say when
/// they were processed.
fn is_gemini_batch_line(object: &Object<'_>) -> bool {
    let gemini = object.has("key")
        && object.iter().all(|(name, _)| matches!(name, "key" | "response" | "error" | "metadata" | "status"));
    let vertex = object.has("processed_time") && object.has("request");
    (gemini || vertex)
        && match object.object("response") {
            Some(response) => response.has("usageMetadata") || response.has("candidates"),
            None => object.object("error").is_some() || vertex,
        }
}

/// True for a captured request for speech whose answer, if it is there, is sound and no usage.
fn is_speech_request(object: &Object<'_>) -> bool {
    let spoken = |request: &Object<'_>| {
        request.has("voice") && request.get("input").is_some_and(|input| input.kind() == Kind::String)
    };
    if spoken(object) {
        return object.has("model");
    }
    let Some(request) = object.object("request") else { return false };
    let counted = || object.get("response").is_some_and(|response| response.text().contains("usage"));
    (spoken(&request) || request.object("body").is_some_and(|body| spoken(&body))) && !counted()
}

/// True for a row of somebody's report: it says how many requests it sums up, which other records report.
fn is_summed(object: &Object<'_>) -> bool {
    const NAMES: [&str; 8] = [
        "requests",
        "n_requests",
        "num_requests",
        "num_model_requests",
        "request_count",
        "requestCount",
        "total_requests",
        "api_requests",
    ];
    let several =
        |count: Json<'_>| count.number().and_then(|count| number::count(count).ok()).is_some_and(|count| count > 1);
    NAMES.iter().any(|name| object.get(name).is_some_and(several))
}

/// Counts that stand in a record itself, one of which makes a record with a model a call.
pub(crate) const FLAT: [&str; 5] = ["prompt_tokens", "input_tokens", "promptTokens", "inputTokens", "tokens_in"];

/// By what it wraps.
fn by_wrapping(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if langchain::repeats(object) {
        return Some((Shape::Fragment, "an event of a runnable that ends no call of a model"));
    }
    if let Some(batch) = object.array("batch") {
        let first = batch.first().and_then(|first| first.object());
        if first.is_some_and(|first| first.has("body") && first.has("type")) {
            return Some((Shape::Langfuse, "batch of type and body"));
        }
    }
    const CONVERSE: [&str; 6] = [
        "messageStart",
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "contentBlockIndex",
    ];
    if let Some(name) = CONVERSE.iter().find(|name| object.has(name)) {
        return Some((Shape::BedrockConverseEvent, *name));
    }
    if object.object("metadata").is_some_and(|metadata| metadata.object("usage").is_some_and(|u| u.has("inputTokens")))
    {
        return Some((Shape::BedrockConverseEvent, "metadata.usage.inputTokens"));
    }
    if object.has("recordId") && object.has("modelOutput") {
        return Some((Shape::BedrockBatchLine, "recordId and modelOutput"));
    }
    if is_gemini_batch_line(object) {
        return Some((Shape::GeminiBatchLine, "key or processed_time, and a response with usageMetadata"));
    }
    if is_speech_request(object) {
        return Some((Shape::OpenAiSpeechRequest, "input and voice of a request, and no usage"));
    }
    if object.has("event_type") && object.has("is_finished") {
        return Some((Shape::CohereEvent, "event_type and is_finished"));
    }
    // Looking into what an object holds is looked at once: twice on each level would be endless for what is nested deeply.
    let held = body(object);
    let failed = refused::is_failed_answer(object);
    let headed = bedrock::has_counts(object);
    // What Nova embeds is only counted there.
    let embeds = |body: Json<'_>| body.object().is_some_and(|body| body.first_of("embeddings").is_some());
    let answered = (headed || failed)
        && held.is_some_and(|(_, body)| is_counted(object) || (speaks_of_a_call(body) && !(headed && embeds(body))));
    let kept = LazyCell::new(|| captured(object));
    if headed && !answered && kept.is_none() {
        return Some((Shape::BedrockHeaders, "headers with counts of tokens"));
    }
    if object.has("custom_id") && object.has("method") && object.has("body") {
        return Some((Shape::Status, "a request of a batch"));
    }
    if speech::is_counted_in_headers(object) {
        return Some((Shape::ElevenLabsSpeech, "headers with character-cost"));
    }
    if failed && !answered && (held.is_some() || kept.is_none()) {
        return Some((Shape::Error, "a status of HTTP from 400 on"));
    }
    if let Some((name, _)) = held {
        return Some((Shape::Envelope, name));
    }
    if object.has("usage") && object.has("model") {
        return Some((Shape::Usage, "usage and model"));
    }
    if let Some((name, list)) = records(object)
        && list
            .iter()
            .take(RECORDS_SEEN)
            .filter_map(|record| record.object())
            .any(|record| recognise(&record).is_some())
    {
        return Some((Shape::Records, name));
    }
    if printed::is_flat(object) {
        return Some((Shape::OtelSpan, "counts named by the conventions"));
    }
    // What houses write themselves: the names are OpenAI's, Anthropic's or Bedrock's, beside whatever else they note.
    if let Some(name) = FLAT.iter().find(|name| object.has(name)) {
        if is_summed(object) {
            return Some((Shape::Status, "counts of several requests"));
        }
        return Some((Shape::FlatUsage, *name));
    }
    if object.has("data") && object.has("has_more") && object.has("next_page") {
        return Some((Shape::Status, "a page of a report"));
    }
    if let Some(evidence) = billing::told(object) {
        return Some((Shape::Status, evidence));
    }
    if object.has("max_budget") && object.has("event") {
        return Some((Shape::Status, "a gateway's budget event"));
    }
    if object.has("category") && object.has("operationName") && object.has("resourceId") {
        return Some((Shape::Status, "another category of Azure's diagnostic logs"));
    }
    if let Some((name, _)) = *kept {
        return Some((Shape::Envelope, name));
    }
    if house::is_record(object) {
        return Some((Shape::Usage, "a model and counts under names of a house"));
    }
    if object.has("op_name") && object.has("started_at") && object.has("project_id") {
        return Some((Shape::Sum, "a call of Weave that is none of a model"));
    }
    gemini_cli::is_remark(object).then_some((Shape::GeminiCliChat, "id, timestamp, type and content"))
}

/// True for what a call of the Vercel AI SDK gives back, written down.
fn is_ai_sdk_result(object: &Object<'_>, usage: &Object<'_>) -> bool {
    let own = ["cachedInputTokens", "inputTokenDetails", "reasoningTokens"].iter().any(|name| usage.has(name));
    let sides = || usage.object("inputTokens").is_some();
    ["inputTokens", "promptTokens", "totalTokens"].iter().any(|name| usage.has(name))
        && (object.object("response").is_some_and(|response| response.has("modelId"))
            || (object.has("modelId") && (own || sides() || usage.has("promptTokens"))))
}
