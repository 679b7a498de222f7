//! How applications that are built of models write a call down (automations, chats, evaluations, agents that keep a whole run in one
//! document): rows like those of [`super::table`].

use super::{Cache, TIME, Tool};
use crate::assemble::precedence;
use crate::recognise::Shape;

pub(super) const APPS: &[Tool] = &[
    // Dify: a node of a workflow that asked a model, in an event of its stream, in the answer of its API, or as a row of its database. The
    // older ones count in what they put out (nodes in public code that reads them, and in a description of a log, read 2026-11-30).
    Tool {
        marks: &["node_id", "node_type", "process_data>usage>prompt_tokens"],
        input: &["process_data>usage>prompt_tokens"],
        output: &["process_data>usage>completion_tokens"],
        total: &["process_data>usage>total_tokens"],
        cost: &["process_data>usage>total_price"],
        currency: &["process_data>usage>currency"],
        ..DIFY
    },
    Tool {
        marks: &["node_id", "node_type", "outputs>usage>prompt_tokens"],
        input: &["outputs>usage>prompt_tokens"],
        output: &["outputs>usage>completion_tokens"],
        total: &["outputs>usage>total_tokens"],
        cost: &["outputs>usage>total_price"],
        currency: &["outputs>usage>currency"],
        ..DIFY
    },
    // What its other nodes do costs nothing, and of what has begun nothing is known yet.
    Tool { marks: &["node_id", "node_type", "predecessor_node_id"], calls: &[], ..DIFY },
    // LobeChat: a message keeps what it used beside its text, in newer versions by itself. The input holds the caches (messages in public
    // code that reads them, 2026-11-30).
    Tool {
        marks: &["role", "model", "metadata>totalInputTokens"],
        input: &["metadata>totalInputTokens"],
        output: &["metadata>totalOutputTokens"],
        total: &["metadata>totalTokens"],
        read: &["metadata>inputCachedTokens"],
        written: &["metadata>inputWriteCacheTokens"],
        reasoning: &["metadata>outputReasoningTokens"],
        cost: &["metadata>cost"],
        ..LOBE_CHAT
    },
    Tool {
        marks: &["role", "model", "usage>totalInputTokens"],
        input: &["usage>totalInputTokens"],
        output: &["usage>totalOutputTokens"],
        total: &["usage>totalTokens"],
        read: &["usage>inputCachedTokens"],
        written: &["usage>inputWriteCacheTokens"],
        reasoning: &["usage>outputReasoningTokens"],
        cost: &["usage>cost"],
        ..LOBE_CHAT
    },
    // A run of a model's node in an execution of n8n: the model is named in the answer, or in the options of the node (its
    // `N8nLlmTracing`, from knowledge of it).
    Tool {
        marks: &["startTime", "data>ai_languageModel>[0]>[0]>json>tokenUsage>promptTokens"],
        id: &[
            TIME,
            "data>ai_languageModel>[0]>[0]>json>tokenUsage>promptTokens",
            "data>ai_languageModel>[0]>[0]>json>tokenUsage>completionTokens",
        ],
        time: &["startTime"],
        model: &[
            "data>ai_languageModel>[0]>[0]>json>response>generations>[0]>[0]>generationInfo>model_name",
            "inputOverride>ai_languageModel>[0]>[0]>json>options>model",
            "inputOverride>ai_languageModel>[0]>[0]>json>options>model_name",
        ],
        input: &["data>ai_languageModel>[0]>[0]>json>tokenUsage>promptTokens"],
        output: &["data>ai_languageModel>[0]>[0]>json>tokenUsage>completionTokens"],
        total: &["data>ai_languageModel>[0]>[0]>json>tokenUsage>totalTokens"],
        ..Tool::new(Shape::ToolLog, "n8n", precedence::AGENT)
    },
    // A node of an agent flow of Flowise, which counts as LangChain does.
    Tool {
        marks: &["nodeId", "data>output>usageMetadata>input_tokens"],
        id: &[TIME, "nodeId", "data>output>usageMetadata>output_tokens"],
        time: &["data>output>timeMetadata>start"],
        model: &[
            "data>output>responseMetadata>model_name",
            "data>input>llmModelConfig>modelName",
            "data>input>agentModelConfig>modelName",
        ],
        input: &["data>output>usageMetadata>input_tokens"],
        output: &["data>output>usageMetadata>output_tokens"],
        total: &["data>output>usageMetadata>total_tokens"],
        read: &["data>output>usageMetadata>input_token_details>cache_read"],
        written: &["data>output>usageMetadata>input_token_details>cache_creation"],
        reasoning: &["data>output>usageMetadata>output_token_details>reasoning"],
        ..Tool::new(Shape::ToolLog, "flowise", precedence::AGENT)
    },
    // An event of Inspect's log in which a model was asked: caches stand where the total says; what its own cache answered was no call
    // (<https://inspect.aisi.org.uk/reference/inspect_ai.log.html>, not opened; logs in public code that reads them, 2026-11-30).
    Tool {
        marks: &["event", "model", "config", "tool_choice", "output>usage>input_tokens"],
        kind: &["event"],
        calls: &["model"],
        prefixed: true,
        id: &["uuid"],
        response_id: &["call>response>id"],
        time: &["timestamp"],
        model: &["output>model", "model"],
        requested: &["model"],
        input: &["output>usage>input_tokens"],
        output: &["output>usage>output_tokens"],
        total: &["output>usage>total_tokens"],
        read: &["output>usage>input_tokens_cache_read"],
        written: &["output>usage>input_tokens_cache_write"],
        reasoning: &["output>usage>reasoning_tokens"],
        cached: &["cache"],
        ..Tool::new(Shape::ToolLog, "inspect", precedence::SPAN)
    },
    // What OpenHands keeps of each answer among its metrics, as LiteLLM counts (its `TokenUsage` in public code, read 2026-11-30).
    Tool {
        marks: &["model", "prompt_tokens", "cache_read_tokens", "cache_write_tokens", "response_id"],
        prefixed: true,
        response_id: &["response_id"],
        model: &["model"],
        requested: &["model"],
        input: &["prompt_tokens"],
        output: &["completion_tokens"],
        read: &["cache_read_tokens"],
        written: &["cache_write_tokens"],
        reasoning: &["reasoning_tokens"],
        ..Tool::new(Shape::ToolLog, "openhands", precedence::AGENT)
    },
    // Junie: what each answer used, without a name of its own (public parsers of its files, read 2026-11-30).
    Tool {
        marks: &["model", "inputTokens", "cacheInputTokens", "outputTokens"],
        time: &["timestampMs"],
        provider: &["provider"],
        model: &["model"],
        input: &["inputTokens"],
        output: &["outputTokens"],
        read: &["cacheInputTokens"],
        written: &["cacheCreateTokens"],
        reasoning: &["reasoningTokens"],
        cost: &["cost"],
        cache: Cache::Beside,
        ..Tool::new(Shape::ToolLog, "junie", precedence::AGENT)
    },
    // Auggie: an answer among the nodes of an exchange; the session names the model, and its credits pay for it (test data of those who
    // read its files, 2026-11-30).
    Tool {
        marks: &["type", "token_usage>input_tokens", "timestamp_ms"],
        provider_is: "augment",
        paid_otherwise: true,
        id: &[TIME, "token_usage>input_tokens", "token_usage>output_tokens"],
        time: &["timestamp_ms"],
        input: &["token_usage>input_tokens"],
        output: &["token_usage>output_tokens"],
        read: &["token_usage>cache_read_input_tokens"],
        written: &["token_usage>cache_creation_input_tokens"],
        cache: Cache::Beside,
        ..Tool::new(Shape::ToolLog, "auggie", precedence::AGENT)
    },
    // Command Code: the cache is inside the input (test data of those who read its files, 2026-11-30).
    Tool {
        marks: &["model", "usage>inputTokens", "usage>costUsd", "message>role"],
        id: &["id"],
        time: &["timestamp"],
        model: &["model"],
        input: &["usage>inputTokens"],
        output: &["usage>outputTokens"],
        read: &["usage>cacheReadTokens"],
        written: &["usage>cacheWriteTokens"],
        cost: &["usage>costUsd"],
        ..Tool::new(Shape::ToolLog, "command-code", precedence::AGENT)
    },
    // DeepSeek's agent `dsh`: caches beside the input, reasoning inside the output (as Command Code's).
    Tool {
        marks: &["data>message>source>model", "data>usage>inputTokens"],
        id: &["data>message>id"],
        time: &["time"],
        provider: &["data>message>source>provider"],
        model: &["data>message>source>model"],
        input: &["data>usage>inputTokens"],
        output: &["data>usage>outputTokens"],
        total: &["data>usage>totalTokens"],
        read: &["data>usage>cacheReadTokens"],
        written: &["data>usage>cacheWriteTokens"],
        reasoning: &["data>usage>reasoningTokens"],
        cache: Cache::Beside,
        ..Tool::new(Shape::ToolLog, "dsh", precedence::AGENT)
    },
    // jcode: a message of a session, which names the model; caches stand beside the input (public parsers of its files, read 2026-12-01).
    Tool {
        marks: &["role", "timestamp", "token_usage>input_tokens", "token_usage>output_tokens"],
        id: &["id"],
        time: &["timestamp"],
        input: &["token_usage>input_tokens"],
        output: &["token_usage>output_tokens"],
        read: &["token_usage>cache_read_input_tokens"],
        written: &["token_usage>cache_creation_input_tokens"],
        reasoning: &["token_usage>reasoning_output_tokens"],
        cache: Cache::Beside,
        ..Tool::new(Shape::ToolLog, "jcode", precedence::AGENT)
    },
    // Reasonix: a line for each request in its statistics, the cache inside the prompt (as jcode's).
    Tool {
        marks: &["ts", "model", "prompt", "completion", "total", "requests"],
        prefixed: true,
        id: &[TIME, "model", "prompt", "completion"],
        time: &["ts"],
        model: &["model"],
        requested: &["model"],
        input: &["prompt"],
        output: &["completion"],
        total: &["total"],
        read: &["cache_hit"],
        reasoning: &["reasoning"],
        ..Tool::new(Shape::ToolLog, "reasonix", precedence::AGENT)
    },
    // Trae: what its interface tells of the use of an account, all counts apart, and what each was billed (as jcode's).
    Tool {
        marks: &["session_id", "usage_time", "model_name", "extra_info>input_token"],
        provider_is: "trae",
        id: &["session_id", "usage_time"],
        time: &["usage_time"],
        model: &["model_name"],
        input: &["extra_info>input_token"],
        output: &["extra_info>output_token"],
        read: &["extra_info>cache_read_token"],
        written: &["extra_info>cache_write_token"],
        cost: &["dollar_float"],
        billed: true,
        session: &["session_id"],
        cache: Cache::Beside,
        ..Tool::new(Shape::ToolLog, "trae", precedence::AGENT)
    },
    // GitHub Copilot in VS Code: a request of a chat, with what its last answer used (public parsers of its files, read 2026-11-30).
    Tool { marks: &["requestId", "modelId", "promptTokens"], ..COPILOT_CHAT },
    Tool { marks: &["requestId", "modelId", "result>metadata>promptTokens"], ..COPILOT_CHAT },
    // A line of its debug log, of which the requests count, each by itself, the cache inside the input (as the chats).
    Tool {
        marks: &["ts", "sid", "type", "spanId", "attrs"],
        kind: &["type"],
        calls: &["llm_request"],
        id: &["sid", "spanId"],
        time: &["ts"],
        model: &["attrs>model"],
        input: &["attrs>inputTokens"],
        output: &["attrs>outputTokens"],
        read: &["attrs>cachedTokens"],
        session: &["sid"],
        ..COPILOT_CHAT
    },
    // HoneyHive's events, and Galileo's spans (both from knowledge of their interfaces, 2026-11-30).
    Tool {
        marks: &["event_type", "event_id", "session_id", "config", "metadata"],
        kind: &["event_type"],
        calls: &["model"],
        sums: &["chain", "session"],
        id: &["event_id"],
        time: &["start_time"],
        provider: &["config>provider", "metadata>provider"],
        model: &["metadata>response_model", "config>model", "metadata>model"],
        input: &["metadata>prompt_tokens", "metadata>input_tokens"],
        output: &["metadata>completion_tokens", "metadata>output_tokens"],
        total: &["metadata>total_tokens"],
        read: &["metadata>cache_read_input_tokens", "metadata>prompt_tokens_details>cached_tokens"],
        cost: &["metadata>cost"],
        session: &["session_id"],
        project: &["project_id"],
        user: &["user_properties>user_id", "user_properties>user"],
        ..Tool::new(Shape::ToolLog, "honeyhive", precedence::SPAN)
    },
    Tool {
        marks: &["type", "metrics>num_input_tokens", "created_at"],
        kind: &["type"],
        calls: &["llm"],
        sums: &["agent", "workflow", "trace", "session"],
        id: &["id"],
        time: &["created_at"],
        model: &["model"],
        input: &["metrics>num_input_tokens"],
        output: &["metrics>num_output_tokens"],
        total: &["metrics>num_total_tokens"],
        read: &["metrics>num_cached_input_tokens"],
        reasoning: &["metrics>num_reasoning_tokens"],
        cost: &["metrics>cost"],
        session: &["session_id"],
        ..Tool::new(Shape::ToolLog, "galileo", precedence::SPAN)
    },
    // A run of Lunary, as its API gives it back (from knowledge of it, 2026-11-30).
    Tool {
        marks: &["type", "name", "createdAt", "tokens>prompt", "tokens>completion"],
        kind: &["type"],
        calls: &["llm"],
        sums: &["agent", "chain"],
        id: &["id"],
        time: &["createdAt"],
        model: &["name"],
        input: &["tokens>prompt"],
        output: &["tokens>completion"],
        total: &["tokens>total"],
        cost: &["cost"],
        user: &["user>externalId", "user>id"],
        project: &["projectId"],
        tags: &["tags"],
        ..Tool::new(Shape::ToolLog, "lunary", precedence::SPAN)
    },
];

/// Nodes that ask a model once. An agent's ask it as often as it takes, and its node adds that up.
const DIFY: Tool = Tool {
    kind: &["node_type"],
    calls: &["llm", "question-classifier", "parameter-extractor"],
    sums: &["agent", "iteration", "loop"],
    id: &["id"],
    time: &["created_at"],
    provider: &["process_data>model_provider"],
    model: &["process_data>model_name"],
    session: &["workflow_run_id"],
    ..Tool::new(Shape::ToolLog, "dify", precedence::AGENT)
};

const COPILOT_CHAT: Tool = Tool {
    provider_is: "github",
    paid_otherwise: true,
    prefixed: true,
    id: &["requestId"],
    time: &["timestamp"],
    model: &["result>metadata>resolvedModel", "modelId"],
    input: &["promptTokens", "result>metadata>promptTokens"],
    output: &["completionTokens", "result>metadata>outputTokens"],
    ..Tool::new(Shape::ToolLog, "copilot-chat", precedence::AGENT)
};

const LOBE_CHAT: Tool = Tool {
    id: &["id"],
    time: &["createdAt"],
    provider: &["provider"],
    model: &["model"],
    session: &["topicId", "sessionId"],
    ..Tool::new(Shape::ToolLog, "lobe-chat", precedence::AGENT)
};
