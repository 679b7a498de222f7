//! What emitters call things: the semantic conventions first, then their older spellings, OpenInference (`llm.`),
//! OpenLLMetry (`traceloop.`), the Vercel AI SDK (`ai.`), Langfuse, MLflow and Pydantic AI (`gen_ai.usage.details.`).
//! Checked 2026-11-22, 2026-11-23 and 2026-11-29 in the emitters' public sources.

pub(super) const INPUT: &[&str] = &[
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
    // Semantic Kernel
    "gen_ai.response.prompt_tokens",
    "langfuse.observation.usage_details",
    "mlflow.chat.tokenUsage",
];
pub(super) const OUTPUT: &[&str] = &[
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
    "gen_ai.response.completion_tokens",
];
pub(super) const TOTAL: &[&str] =
    &["gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens", "ai.usage.totalTokens"];
pub(super) const CACHE_READ: &[&str] = &[
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cache_read_tokens",
    "gen_ai.usage.input_tokens.cached",
    "gen_ai.usage.cached_tokens",
    "gen_ai.usage.details.cache_read_input_tokens",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cached_tokens",
    "llm.token_count.prompt_details.cache_read",
    "llm.token_count.prompt_details.cache_input",
    "llm.usage.cache_read_input_tokens",
    // OpenLIT, and others that keep OpenAI's details
    "gen_ai.usage.prompt_tokens_details.cache_read",
    "gen_ai.usage.prompt_tokens_details.cached_tokens",
    "gen_ai.usage.input_tokens_details.cached_tokens",
    "gen_ai.usage.cached_input_tokens",
    "gen_ai.usage.cached_content_tokens",
    "ai.usage.inputTokenDetails.cacheReadTokens",
    "ai.usage.cachedInputTokens",
];
pub(super) const CACHE_WRITE: &[&str] = &[
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_write_input_tokens",
    "gen_ai.usage.cache_write_tokens",
    "gen_ai.usage.input_tokens.cache_write",
    "gen_ai.usage.details.cache_creation_input_tokens",
    "gen_ai.usage.details.cache_write_tokens",
    "llm.token_count.prompt_details.cache_write",
    "llm.usage.cache_creation_input_tokens",
    "gen_ai.usage.prompt_tokens_details.cache_write",
    "gen_ai.usage.cache_creation_tokens",
    "ai.usage.inputTokenDetails.cacheWriteTokens",
];
/// Input that is in neither cache count, where an emitter states it by itself.
pub(super) const UNCACHED: &[&str] = &["ai.usage.inputTokenDetails.noCacheTokens"];
pub(super) const REASONING: &[&str] = &[
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "gen_ai.usage.details.reasoning_tokens",
    "gen_ai.usage.details.thoughts_tokens",
    "gen_ai.usage.details.thinking_tokens",
    "llm.token_count.completion_details.reasoning",
    "llm.usage.reasoning_tokens",
    "gen_ai.usage.completion_tokens_details.reasoning",
    "gen_ai.usage.completion_tokens_details.reasoning_tokens",
    "gen_ai.usage.output_tokens_details.reasoning_tokens",
    "gen_ai.usage.output_reasoning_tokens",
    "gen_ai.usage.thoughts_tokens",
    "gen_ai.usage.thoughts_token_count",
    "codex.usage.reasoning_output_tokens",
    "ai.usage.outputTokenDetails.reasoningTokens",
    "ai.usage.reasoningTokens",
];
pub(super) const INPUT_AUDIO: &[&str] =
    &["llm.token_count.prompt_details.audio", "gen_ai.usage.details.input_audio_tokens"];
pub(super) const OUTPUT_AUDIO: &[&str] =
    &["llm.token_count.completion_details.audio", "gen_ai.usage.details.output_audio_tokens"];
/// A whole usage object as JSON text, and the tool that writes it.
pub(super) const LANGFUSE_USAGE: &[&str] = &["langfuse.observation.usage_details"];
pub(super) const MLFLOW_USAGE: &[&str] = &["mlflow.chat.tokenUsage"];

pub(super) const PROVIDER: &[&str] = &[
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.provider",
    "llm.system",
    "ai.model.provider",
    "mlflow.llm.provider",
];
pub(super) const REQUEST_MODEL: &[&str] = &[
    "gen_ai.request.model",
    "llm.request.model",
    "llm.model_name",
    "embedding.model_name",
    "ai.model.id",
    "langfuse.observation.model.name",
    "mlflow.llm.model",
];
pub(super) const RESPONSE_MODEL: &[&str] = &["gen_ai.response.model", "llm.response.model", "ai.response.model"];
pub(super) const RESPONSE_ID: &[&str] = &["gen_ai.response.id", "ai.response.id", "llm.response.id"];
pub(super) const HOST: &[&str] = &["server.address", "net.peer.name", "url.full", "gen_ai.openai.api_base"];
pub(super) const COST: &[&str] = &[
    "gen_ai.cost.total_cost",
    "litellm.cost.total",
    "gen_ai.usage.cost",
    "gen_ai.cost.total_tokens",
    "gen_ai.usage.total_cost",
    "operation.cost",
    "llm.cost.total",
];
pub(super) const SESSION: &[&str] =
    &["gen_ai.conversation.id", "session.id", "langfuse.session.id", "copilot_chat.chat_session_id"];
pub(super) const USER: &[&str] = &["user.id", "enduser.id", "langfuse.user.id", "ai.telemetry.metadata.userId"];

/// Names of frameworks that some emitters put where the provider belongs.
pub(super) const FRAMEWORKS: &[&str] = &[
    "strands-agents",
    "autogen",
    "langchain",
    "langgraph",
    "llamaindex",
    "llama_index",
    "crewai",
    "generic",
    "_other",
    "unknown",
    "haystack",
];

/// Attributes that state usage, for the original usage of an event.
pub(super) fn is_usage(name: &str) -> bool {
    const FAMILIES: &[&str] = &["gen_ai.usage.", "llm.token_count.", "llm.usage.", "ai.usage.", "codex.usage."];
    FAMILIES.iter().any(|family| name.starts_with(family))
}
