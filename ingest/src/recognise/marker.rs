//! By a field whose value names the format: `object`, `type`, `schemaType`, `event_type`.

use super::usage::{is_embeddings, is_images};
use super::{Shape, records, resources};
use crate::formats::opencode;
use crate::json::{Json, Object};

/// By a field whose value names the format.
pub(super) fn by_marker(object: &Object<'_>) -> Option<(Shape, &'static str)> {
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
            "response" | "realtime.response" if is_failed(object, None) => Shape::Error,
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
            // What OpenAI tells a webhook: an answer is there to be asked for.
            "event" if object.object("data").is_some_and(|data| data.iter().all(|(name, _)| name == "id")) => {
                Shape::Status
            }
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
            // Agents write a line of that type, too, and count in a spelling of their own.
            "message"
                if object.has("message") && object.object("usage").is_some_and(|usage| usage.has("inputTokens")) =>
            {
                return None;
            }
            "message" if object.has("usage") => Shape::AnthropicMessage,
            // A session of Managed Agents tells of each request by an event; it adds them up itself.
            "span.model_request_end" if object.has("model_usage") => Shape::AnthropicMessage,
            "session" if object.has("agent") && object.has("usage") => Shape::Sum,
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
            "session.closed" if object.object("usage").is_some_and(|usage| usage.has("seconds")) => Shape::OpenAiLive,
            // Those of opencode's second version have names like those of Realtime.
            _ if kind.starts_with("session.") && opencode::is_event(object) => Shape::Opencode,
            // Events of a Realtime session; `session.created` names its model.
            _ if (kind.starts_with("session.") && !object.has("properties"))
                || kind.starts_with("conversation.item.")
                || kind.starts_with("input_audio_buffer.")
                || kind.starts_with("output_audio_buffer.")
                || kind == "rate_limits.updated" =>
            {
                Shape::OpenAiResponseEvent
            }
            _ if is_conversation_event(&kind) => Shape::MistralEvent,
            _ if is_of_managed_agents(&kind, object) => Shape::Fragment,
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
                && !["message", "usage", "model", "response", "body", "data"].iter().any(|name| object.has(name))
                // CodeBuddy's lines have the names of Claude Code's.
                && !object.object("providerData").is_some_and(|data| data.has("rawUsage")) =>
            {
                Shape::ClaudeTranscript
            }
            "session_meta"
            | "turn_context"
            | "event_msg"
            | "response_item"
            | "compacted"
            | "token_usage_record"
            | "world_state"
            | "inter_agent_communication_metadata"
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

/// True for an event of a session of Anthropic's Managed Agents that counts nothing.
fn is_of_managed_agents(kind: &str, object: &Object<'_>) -> bool {
    const ABOUT: [&str; 3] = ["agent.", "span.", "user."];
    ABOUT.iter().any(|about| kind.starts_with(about)) && object.string("id").is_some_and(|id| id.starts_with("sevt_"))
}

/// True for a response that still runs: what it used stands in a later copy.
fn is_unfinished(object: &Object<'_>) -> bool {
    object.get("usage").is_none() && (object.is("status", "queued") || object.is("status", "in_progress"))
}

/// True for a response that failed before it used anything. The event around it may be all that says that it failed.
pub(crate) fn is_failed(object: &Object<'_>, event: Option<&Object<'_>>) -> bool {
    // A turn that failed counts nothing, or zeros.
    let unused = || {
        object.object("usage").is_none_or(|usage| usage.get("total_tokens").is_some_and(|total| total.text() == "0"))
    };
    (object.is("status", "failed") || event.is_some_and(|event| event.is("type", "response.failed"))) && unused()
}
