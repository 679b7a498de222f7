//! How OpenAI, and those that speak like it, spell their counts; and the fields of a usage object that are known.

use schemas::Meter;

use crate::json::{self, NameSet, Object};
use crate::printed;

/// How a usage object spells its fields.
pub(crate) struct Spelling {
    pub(super) input: &'static str,
    pub(super) output: &'static str,
    pub(super) input_details: &'static [&'static str],
    pub(super) output_details: &'static [&'static str],
    pub(super) total: &'static str,
    /// What output tokens are unless the details say otherwise.
    pub(super) plain_output: Meter,
    /// Names used in problems.
    pub(super) names: Names,
}

pub(super) struct Names {
    pub(super) input: &'static str,
    pub(super) output: &'static str,
    pub(super) cached: &'static str,
    pub(super) written: &'static str,
    pub(super) audio_in: &'static str,
    pub(super) image_in: &'static str,
    pub(super) reasoning: &'static str,
    pub(super) audio_out: &'static str,
    pub(super) other_out: &'static str,
}

pub(crate) const CHAT: Spelling = Spelling {
    input: "prompt_tokens",
    output: "completion_tokens",
    // Mistral writes both; the singular is the older.
    input_details: &["prompt_tokens_details", "prompt_token_details"],
    output_details: &["completion_tokens_details", "completion_token_details"],
    total: "total_tokens",
    plain_output: Meter::OutputTextTokens,
    names: Names {
        input: "usage.prompt_tokens",
        output: "usage.completion_tokens",
        cached: "usage.prompt_tokens_details.cached_tokens",
        written: "usage.prompt_tokens_details.cache_write_tokens",
        audio_in: "usage.prompt_tokens_details.audio_tokens",
        image_in: "usage.prompt_tokens_details.image_tokens",
        reasoning: "usage.completion_tokens_details.reasoning_tokens",
        audio_out: "usage.completion_tokens_details.audio_tokens",
        other_out: "usage.completion_tokens_details.image_tokens",
    },
};

pub(crate) const RESPONSES: Spelling = Spelling {
    input: "input_tokens",
    output: "output_tokens",
    input_details: &["input_tokens_details", "input_token_details"],
    output_details: &["output_tokens_details", "output_token_details"],
    total: "total_tokens",
    plain_output: Meter::OutputTextTokens,
    names: Names {
        input: "usage.input_tokens",
        output: "usage.output_tokens",
        cached: "usage.input_tokens_details.cached_tokens",
        written: "usage.input_tokens_details.cache_write_tokens",
        audio_in: "usage.input_tokens_details.audio_tokens",
        image_in: "usage.input_tokens_details.image_tokens",
        reasoning: "usage.output_tokens_details.reasoning_tokens",
        audio_out: "usage.output_tokens_details.audio_tokens",
        other_out: "usage.output_tokens_details.image_tokens",
    },
};

/// The Vercel AI SDK's: the cache is inside the input, reasoning inside the output
/// (<https://ai-sdk.dev/docs/reference/ai-sdk-core/generate-text>, not opened).
pub(crate) const AI_SDK: Spelling = Spelling {
    input: "inputTokens",
    output: "outputTokens",
    input_details: &["inputTokenDetails"],
    output_details: &["outputTokenDetails"],
    total: "totalTokens",
    names: Names {
        input: "usage.inputTokens",
        output: "usage.outputTokens",
        cached: "usage.cachedInputTokens",
        written: "usage.inputTokenDetails.cacheWriteTokens",
        reasoning: "usage.reasoningTokens",
        ..RESPONSES.names
    },
    ..RESPONSES
};

/// Oracle's and Naver's: those of a chat in camel case (<https://docs.oracle.com/en-us/iaas/api/#/en/generative-ai-inference/20231130/datatypes/Usage>,
/// <https://api.ncloud-docs.com/docs/en/clovastudio-chatcompletionsv3>; not opened: from knowledge of them).
pub(crate) const CAMEL: Spelling = Spelling {
    input: "promptTokens",
    output: "completionTokens",
    input_details: &["promptTokensDetails"],
    output_details: &["completionTokensDetails"],
    total: "totalTokens",
    names: Names { input: "usage.promptTokens", output: "usage.completionTokens", ..CHAT.names },
    ..CHAT
};

/// Yandex' (<https://yandex.cloud/en/docs/foundation-models/text-generation/api-ref/TextGeneration/completion>, not opened: from
/// knowledge of it).
pub(crate) const YANDEX: Spelling =
    Spelling { input: "inputTextTokens", names: Names { input: "usage.inputTextTokens", ..CAMEL.names }, ..CAMEL };

/// Codex writes the counts of Responses flat.
pub(crate) const CODEX: Spelling = Spelling { input_details: &[], output_details: &[], ..RESPONSES };

pub(crate) const SPEECH: Spelling = Spelling { plain_output: Meter::OutputAudioTokens, ..RESPONSES };

pub(crate) const IMAGES: Spelling = Spelling { plain_output: Meter::OutputImageTokens, ..RESPONSES };

/// Fields of a usage object that are read, or known to say nothing about the bill (timings, flags).
pub(super) static USAGE_FIELDS: NameSet = NameSet::new(&[
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "prompt_tokens_details",
    "completion_tokens_details",
    "input_tokens",
    "output_tokens",
    "input_tokens_details",
    "output_tokens_details",
    "input_token_details",
    "output_token_details",
    "prompt_token_details",
    "completion_token_details",
    "type",
    "seconds",
    // The Vercel AI SDK
    "promptTokens",
    "completionTokens",
    "promptTokensDetails",
    "completionTokensDetails",
    "inputTextTokens",
    "inputTokens",
    "outputTokens",
    "totalTokens",
    "inputTokenDetails",
    "outputTokenDetails",
    "cachedInputTokens",
    "cachedTokens",
    "reasoningTokens",
    // Codex's app server
    "cacheWriteInputTokens",
    "reasoningOutputTokens",
    "raw",
    // Cloudflare: what it bills instead of tokens, reckoned from them.
    "neurons",
    // DeepSeek
    "prompt_cache_hit_tokens",
    "prompt_cache_miss_tokens",
    // Moonshot, Mistral, LiteLLM: other names of what the details hold
    "cached_tokens",
    "num_cached_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_read_tokens",
    "cache_hit_tokens",
    "cache_creation_tokens",
    "cache_write_tokens",
    "prompt_audio_seconds",
    "reasoning_tokens",
    // Inspect
    "input_tokens_cache_read",
    "input_tokens_cache_write",
    // Codex
    "cached_input_tokens",
    "cache_write_input_tokens",
    "reasoning_output_tokens",
    // Mistral: how it was served, and how many requests were
    "service_tier",
    "request_count",
    // New API: whose counts these are and how they are meant, and how long what was written lasts
    "usage_semantic",
    "usage_source",
    "cache_creation",
    "claude_cache_creation_5_m_tokens",
    "claude_cache_creation_1_h_tokens",
    // mistral.rs: timings
    "avg_compl_tok_per_sec",
    "avg_prompt_tok_per_sec",
    "avg_tok_per_sec",
    "total_completion_time_sec",
    "total_prompt_time_sec",
    "total_time_sec",
    // Groq: timings
    "queue_time",
    "prompt_time",
    "completion_time",
    "total_time",
    // OpenRouter
    "cost",
    "cost_details",
    "is_byok",
    "server_tool_use",
    "server_tool_use_details",
    // Vercel's gateway: what the cost is made of
    "market_cost",
    "surcharge_cost",
    "gateway_cost",
    "provider_allowlist_cost",
    // xAI
    "cost_in_usd_ticks",
    "num_sources_used",
    "num_server_side_tools_used",
    "server_side_tool_usage_details",
    "server_side_tools_used",
    // The size of the last turn's context: already in the counts.
    "context_details",
    // Azure: timings
    "latency_checkpoint",
    "service_tier_details",
    // OpenAI: which items of the request and the answer the counts are of
    "attribution",
    // DeepInfra
    "estimated_cost",
    crate::envelope::GATEWAY,
    // Vertex: the kind of traffic, which is read beside the counts
    "extra_properties",
    // xAI's own SDK: what is left of the prompt, and of what kinds it was
    "cached_prompt_text_tokens",
    "prompt_text_tokens",
    "prompt_image_tokens",
    // Agents: how many calls the counts are of
    "requests",
    // Voyage
    "text_tokens",
    // MiniMax
    "total_characters",
    // SambaNova: timings
    "acceptance_rate",
    "completion_tokens_after_first_per_sec",
    "completion_tokens_after_first_per_sec_first_ten",
    "completion_tokens_after_first_per_sec_graph",
    "completion_tokens_per_sec",
    "end_time",
    "is_last_response",
    "start_time",
    "stop_reason",
    "time_to_first_token",
    "time_to_first_token_graph",
    "total_latency",
    "total_tokens_per_sec",
    // GPUStack: timings
    "prompt_tokens_per_second",
    "time_per_output_token_ms",
    "time_to_first_token_ms",
    "tokens_per_second",
    // Mistral's agents
    "connectors",
    "connector_tokens",
    // Qianfan's search; GigaChat's cache, and what its own instructions took of the prompt
    "search_tokens",
    "precached_prompt_tokens",
    "system_tokens",
    // LiteLLM passes on where and how fast Anthropic served; what prices depend on is read beside the counts.
    "inference_geo",
    "speed",
    // Alibaba: the same counts as it bills them, with what was written to its cache, and its tools; Ark's tools
    "x_details",
    "x_tools",
    "plugins",
    "characters",
    "tool_usage",
    "tool_usage_details",
    // Perplexity
    "citation_tokens",
    "num_search_queries",
    "search_context_size",
    "tool_calls_details",
]);

pub(super) static INPUT_DETAIL_FIELDS: NameSet = NameSet::new(&[
    "cached_tokens",
    "cache_write_tokens",
    "cache_creation_tokens",
    "audio_tokens",
    "text_tokens",
    "image_tokens",
    "video_tokens",
    "cached_tokens_details",
    "search_tokens",
    "cache_creation_token_details",
    // LiteLLM
    "web_search_requests",
    "google_maps_grounding_requests",
    // Perplexity's agents
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    // Bifrost
    "cached_read_tokens",
    "cached_write_tokens",
    // Requesty
    "caching_tokens",
    // New API
    "cached_creation_tokens",
    // Mistral: the same, message by message
    "messages",
    // Qwen's explicit cache
    "cache_creation",
    "cache_type",
    // vLLM: the same counts turn by turn
    "input_tokens_per_turn",
    "cached_tokens_per_turn",
    // The Vercel AI SDK
    "cacheReadTokens",
    "cacheWriteTokens",
    "noCacheTokens",
    "cachedTokens",
]);

pub(super) static OUTPUT_DETAIL_FIELDS: NameSet = NameSet::new(&[
    "reasoning_tokens",
    "audio_tokens",
    "text_tokens",
    "image_tokens",
    // Predicted outputs are billed as output whether accepted or rejected, and are inside it.
    "accepted_prediction_tokens",
    "rejected_prediction_tokens",
    // vLLM: the same counts turn by turn
    "output_tokens_per_turn",
    "tool_output_tokens_per_turn",
    // The Vercel AI SDK
    "reasoningTokens",
    "textTokens",
    "acceptedPredictionTokens",
    "rejectedPredictionTokens",
]);

/// Usage whose details are what Python prints of them, with the objects they are; `None` where there is no such text (logs of the `llm`
/// tool that others published, read 2026-11-30).
pub(super) fn unprinted(usage: &Object<'_>) -> Option<String> {
    let (mut whole, mut found) = (String::from("{"), false);
    for (name, value) in usage.iter() {
        let object = value.string().and_then(|text| printed::json(&text));
        found |= object.is_some();
        json::put_field(&mut whole, name, object.as_deref().unwrap_or(value.text()));
    }
    whole.push('}');
    found.then_some(whole)
}
