//! How each tool writes a call down. A path names fields from the record inwards, between `>`; of several the first that is there
//! counts.

use super::{Cache, NOTHING, TIME, Tool};
use crate::assemble::precedence;
use crate::recognise::Shape;

pub(super) const TOOLS: &[Tool] = &[
    // Braintrust: the cache is inside the prompt, also Anthropic's (`_try_to_dict` and the exporters of its SDKs), reasoning inside the
    // completion. Spans of tasks and functions add up what is beneath them.
    Tool {
        marks: &["span_attributes>type", "root_span_id"],
        kind: &["span_attributes>type"],
        calls: &["llm"],
        sums: &["task", "function", "eval", "score"],
        id: &["span_id"],
        trace: &["root_span_id"],
        session: &["root_span_id"],
        time: &["metrics>start", "created"],
        provider: &["metadata>provider"],
        model: &["metadata>model"],
        input: &["metrics>prompt_tokens"],
        output: &["metrics>completion_tokens"],
        total: &["metrics>tokens"],
        read: &["metrics>prompt_cached_tokens"],
        written: &["metrics>prompt_cache_creation_tokens"],
        written_5m: &["metrics>prompt_cache_creation_5m_tokens"],
        written_1h: &["metrics>prompt_cache_creation_1h_tokens"],
        reasoning: &["metrics>completion_reasoning_tokens"],
        cost: &["metrics>estimated_cost"],
        cached: &["metrics>cached"],
        user: &["metadata>user_id"],
        project: &["project_id"],
        tags: &["tags"],
        ..Tool::new(Shape::Braintrust, "braintrust", precedence::SPAN)
    },
    // Datadog's LLM Observability, as its SDKs send it: the cache is inside the input.
    Tool { marks: &["meta>kind", "metrics", "start_ns"], kind: &["meta>kind"], ..DATADOG },
    Tool { marks: &["meta>span>kind", "metrics", "start_ns"], kind: &["meta>span>kind"], ..DATADOG },
    Tool { marks: &["meta>span.kind", "metrics", "start_ns"], kind: &["meta>span.kind"], ..DATADOG },
    // The same, as its API gives it back.
    Tool {
        marks: &["attributes>span_kind", "attributes>metrics"],
        kind: &["attributes>span_kind"],
        id: &["attributes>trace_id", "attributes>span_id"],
        time: &["attributes>start_ms"],
        provider: &["attributes>model_provider"],
        model: &["attributes>model_name"],
        input: &["attributes>metrics>input_tokens"],
        output: &["attributes>metrics>output_tokens"],
        total: &["attributes>metrics>total_tokens"],
        read: &["attributes>metrics>cache_read_input_tokens"],
        written: &["attributes>metrics>cache_write_input_tokens"],
        written_5m: &["attributes>metrics>ephemeral_5m_input_tokens"],
        written_1h: &["attributes>metrics>ephemeral_1h_input_tokens"],
        reasoning: &["attributes>metrics>reasoning_output_tokens"],
        session: &["attributes>session_id"],
        application: &["attributes>ml_app"],
        tags: &["attributes>tags"],
        ..DATADOG
    },
    // Promptfoo: a row for each answer; what its own cache answered was no call.
    Tool {
        marks: &["promptIdx", "testIdx"],
        id: &["id"],
        model: &["provider>id", "provider"],
        addressed: true,
        input: &["response>tokenUsage>prompt"],
        output: &["response>tokenUsage>completion"],
        total: &["response>tokenUsage>total"],
        reasoning: &["response>tokenUsage>completionDetails>reasoning"],
        cost: &["cost", "response>cost"],
        cached: &["response>cached"],
        ..Tool::new(Shape::ToolLog, "promptfoo", precedence::SPAN)
    },
    // DeepInfra's own interface: what was read and written, and what it cost, in the state of the call; the model is in the address
    // (from knowledge of it, <https://deepinfra.com/docs>, not opened).
    Tool {
        marks: &["inference_status>runtime_ms", "inference_status>tokens_input"],
        usual_provider: "deepinfra",
        id: &["request_id"],
        model: &["model"],
        input: &["inference_status>tokens_input"],
        output: &["inference_status>tokens_generated"],
        cost: &["inference_status>cost"],
        basis: &["inference_status>status"],
        failed: &["failed"],
        ..Tool::new(Shape::ToolLog, "deepinfra", precedence::PROVIDER)
    },
    // Jina's reader of pages, billed by the tokens it gave back (answers others published, read 2026-11-30).
    Tool {
        marks: &["code", "status", "data>usage>tokens"],
        usual_provider: "jina",
        output: &["data>usage>tokens"],
        ..Tool::new(Shape::ToolLog, "jina", precedence::PROVIDER)
    },
    // ZeroEntropy's reranker, billed by the tokens it read (from knowledge of it, <https://docs.zeroentropy.dev>, not opened).
    Tool {
        marks: &["results", "total_tokens", "total_bytes"],
        usual_provider: "zeroentropy",
        input: &["total_tokens"],
        ..Tool::new(Shape::ToolLog, "zeroentropy.rerank", precedence::PROVIDER)
    },
    // NLP Cloud (clients in public code, read 2026-11-30).
    Tool {
        marks: &["nb_generated_tokens", "nb_input_tokens"],
        usual_provider: "nlp_cloud",
        input: &["nb_input_tokens"],
        output: &["nb_generated_tokens"],
        ..Tool::new(Shape::ToolLog, "nlp_cloud", precedence::PROVIDER)
    },
    // iFlytek's Spark over a WebSocket: the last message counts (public code that reads them, read 2026-11-30).
    Tool {
        marks: &["header>sid", "payload>usage>text"],
        usual_provider: "iflytek",
        id: &["header>sid"],
        input: &["payload>usage>text>prompt_tokens"],
        output: &["payload>usage>text>completion_tokens"],
        total: &["payload>usage>text>total_tokens"],
        ..Tool::new(Shape::ToolLog, "spark", precedence::PROVIDER)
    },
    // CodeBuddy: a line for each message and each call of a tool that a model answered with, its caches inside the prompt. They are paid
    // for by its credits (lines in public test data of ccusage, read 2026-11-30).
    Tool {
        marks: &["providerData>rawUsage>prompt_tokens", "sessionId"],
        provider_is: "codebuddy",
        paid_otherwise: true,
        id: &["id"],
        time: &["timestamp"],
        model: &["providerData>requestModelId", "providerData>model"],
        input: &["providerData>rawUsage>prompt_tokens"],
        output: &["providerData>rawUsage>completion_tokens"],
        total: &["providerData>rawUsage>total_tokens"],
        read: &[
            "providerData>rawUsage>cache_read_input_tokens",
            "providerData>rawUsage>prompt_tokens_details>cached_tokens",
        ],
        written: &["providerData>rawUsage>cache_creation_input_tokens"],
        reasoning: &["providerData>rawUsage>completion_tokens_details>reasoning_tokens"],
        session: &["sessionId"],
        ..Tool::new(Shape::ToolLog, "codebuddy", precedence::AGENT)
    },
    // LiveKit's agents: what each model of a voice used (<https://docs.livekit.io/agents/build/metrics/>, not opened; metrics in public code
    // that reads them, 2026-11-30). The cache is inside the prompt; the id is that of the answer.
    Tool {
        marks: &["type", "label", "prompt_cached_tokens"],
        kind: &["type"],
        calls: &["llm_metrics"],
        input: &["prompt_tokens"],
        output: &["completion_tokens"],
        total: &["total_tokens"],
        read: &["prompt_cached_tokens"],
        response_id: &["request_id"],
        ..LIVEKIT
    },
    Tool {
        marks: &["type", "label", "characters_count"],
        kind: &["type"],
        calls: &["tts_metrics"],
        id: &["request_id", "segment_id"],
        characters: &["characters_count"],
        ..LIVEKIT
    },
    Tool {
        marks: &["type", "label", "audio_duration", "streamed"],
        kind: &["type"],
        calls: &["stt_metrics"],
        id: &["request_id"],
        seconds: &["audio_duration"],
        ..LIVEKIT
    },
    Tool { marks: &["type", "end_of_utterance_delay"], kind: &["type"], ..LIVEKIT },
    Tool { marks: &["type", "label", "inference_duration_total"], kind: &["type"], ..LIVEKIT },
    // BricksLLM's events (its `internal/event` and API in public code, from knowledge of them, 2026-11-30).
    Tool {
        marks: &["cost_in_usd", "prompt_token_count", "completion_token_count"],
        id: &["id"],
        time: &["created_at"],
        provider: &["provider"],
        model: &["model"],
        input: &["prompt_token_count"],
        output: &["completion_token_count"],
        cost: &["cost_in_usd"],
        basis: &["status"],
        failed: &["4", "5"],
        user: &["userId"],
        key: &["key_id"],
        tags: &["tags"],
        ..Tool::new(Shape::ToolLog, "bricksllm", precedence::GATEWAY)
    },
    // LLM Gateway's log of requests (<https://docs.llmgateway.io>, and its `apps/api/src/routes/logs.ts`, read in copies 2026-11-30).
    Tool {
        marks: &["usedModel", "usedProvider", "promptTokens"],
        id: &["id"],
        time: &["createdAt"],
        provider: &["usedProvider"],
        model: &["usedModelMapping", "usedModel"],
        requested: &["requestedModel"],
        input: &["promptTokens"],
        output: &["completionTokens"],
        total: &["totalTokens"],
        read: &["cachedTokens"],
        reasoning: &["reasoningTokens"],
        cost: &["cost"],
        cached: &["cached"],
        basis: &["hasError"],
        failed: &["true"],
        project: &["projectId"],
        key: &["apiKeyId"],
        ..Tool::new(Shape::ToolLog, "llmgateway", precedence::GATEWAY)
    },
    // What AutoGen logs of a stream that ended, without the name of the model (its `autogen_core.logging`, from knowledge of it).
    Tool {
        marks: &["agent_id", "response>finish_reason", "prompt_tokens"],
        kind: &["type"],
        calls: &["LLMStreamEnd", "LLMCall"],
        unstated_is_call: true,
        input: &["prompt_tokens"],
        output: &["completion_tokens"],
        cached: &["response>cached"],
        ..Tool::new(Shape::ToolLog, "autogen", precedence::AGENT)
    },
    // A step of smolagents' memory (its `ActionStep`, from knowledge of it): the answer may be kept beside it.
    Tool {
        marks: &["step_number", "timing>start_time", "token_usage>input_tokens"],
        time: &["timing>end_time", "timing>start_time"],
        model: &["model_output_message>raw>model"],
        response_id: &["model_output_message>raw>id"],
        input: &["token_usage>input_tokens"],
        output: &["token_usage>output_tokens"],
        ..Tool::new(Shape::ToolLog, "smolagents", precedence::AGENT)
    },
    // A step of a trajectory in Harbor's format (ATIF), its caches inside the prompt
    // (<https://docs.nvidia.com/nemo/agent-toolkit/latest/api/nat/atif/metrics/>, read in a copy 2026-11-30).
    Tool {
        marks: &["step_id", "metrics>prompt_tokens"],
        time: &["timestamp"],
        model: &["model_name"],
        input: &["metrics>prompt_tokens"],
        output: &["metrics>completion_tokens"],
        read: &["metrics>cached_tokens"],
        cost: &["metrics>cost_usd"],
        ..Tool::new(Shape::ToolLog, "harbor", precedence::AGENT)
    },
    // n8n keeps of its language models what LangChain counted, and names the model elsewhere.
    Tool {
        marks: &["tokenUsage>promptTokens", "response>generations"],
        model: &["response>generations>[0]>[0]>generationInfo>model_name"],
        input: &["tokenUsage>promptTokens"],
        output: &["tokenUsage>completionTokens"],
        total: &["tokenUsage>totalTokens"],
        ..Tool::new(Shape::ToolLog, "n8n", precedence::AGENT)
    },
    // New Relic's events of its agents, also those of a framework, which name no model.
    // Of a message that does not say what it is, its place in a completion tells.
    Tool { marks: &["vendor", "completion_id", "sequence"], unstated_is_call: false, ..NEW_RELIC },
    NEW_RELIC,
    Tool { marks: &["vendor", "ingest_source", "response.number_of_messages"], ..NEW_RELIC },
    POSTHOG,
    Tool { marks: &["event", "properties>distinct_id"], user: &["properties>distinct_id"], ..POSTHOG },
    // Opik keeps the provider's usage, its objects joined by dots, beside its own three counts.
    Tool {
        marks: &["trace_id", "type", "start_time", "usage>prompt_tokens"],
        kind: &["type"],
        calls: &["llm"],
        sums: &["general", "agent"],
        id: &["id"],
        time: &["start_time"],
        provider: &["provider"],
        model: &["model"],
        input: &["usage>prompt_tokens"],
        output: &["usage>completion_tokens"],
        total: &["usage>total_tokens"],
        read: &[
            "usage>original_usage.prompt_tokens_details.cached_tokens",
            "usage>original_usage.input_tokens_details.cached_tokens",
            "usage>original_usage.cache_read_input_tokens",
            "usage>original_usage.cached_content_token_count",
        ],
        written: &["usage>original_usage.cache_creation_input_tokens"],
        written_5m: &["usage>original_usage.cache_creation.ephemeral_5m_input_tokens"],
        written_1h: &["usage>original_usage.cache_creation.ephemeral_1h_input_tokens"],
        reasoning: &[
            "usage>original_usage.completion_tokens_details.reasoning_tokens",
            "usage>original_usage.output_tokens_details.reasoning_tokens",
            "usage>original_usage.thoughts_token_count",
        ],
        cost: &["total_estimated_cost"],
        session: &["trace_id"],
        project: &["project_name"],
        tags: &["tags"],
        ..Tool::new(Shape::Opik, "opik", precedence::SPAN)
    },
    // Its other spans state no usage.
    Tool {
        marks: &["trace_id", "type", "start_time", "name", "project_name"],
        kind: &["type"],
        ..Tool::new(Shape::Opik, "opik", precedence::SPAN)
    },
    // A trace of Opik adds up its spans.
    Tool {
        marks: &["usage>prompt_tokens", "span_count", "start_time"],
        sum: true,
        ..Tool::new(Shape::Opik, "opik", precedence::SPAN)
    },
    // The spans that OpenAI's Agents SDK exports. Of a response it keeps the id alone.
    Tool {
        marks: &["span_data>type", "trace_id", "started_at"],
        kind: &["span_data>type"],
        calls: &["generation"],
        sums: &["agent"],
        usual_provider: "openai",
        id: &["id"],
        time: &["started_at"],
        model: &["span_data>model"],
        input: &["span_data>usage>input_tokens", "span_data>usage>prompt_tokens"],
        output: &["span_data>usage>output_tokens", "span_data>usage>completion_tokens"],
        total: &["span_data>usage>total_tokens"],
        read: &[
            "span_data>usage>input_tokens_details>cached_tokens",
            "span_data>usage>prompt_tokens_details>cached_tokens",
        ],
        reasoning: &[
            "span_data>usage>output_tokens_details>reasoning_tokens",
            "span_data>usage>completion_tokens_details>reasoning_tokens",
        ],
        session: &["trace_id"],
        ..Tool::new(Shape::AgentsTrace, "openai-agents", precedence::SPAN)
    },
    // Cursor bills what it calls usage-based, and counts four kinds of tokens apart.
    Tool {
        marks: &["model", "kind", "requestsCosts"],
        id: &[TIME, "model", "tokenUsage>inputTokens", "tokenUsage>outputTokens", "tokenUsage>cacheReadTokens"],
        time: &["timestamp"],
        input: &["tokenUsage>inputTokens"],
        output: &["tokenUsage>outputTokens"],
        read: &["tokenUsage>cacheReadTokens"],
        written: &["tokenUsage>cacheWriteTokens"],
        cost: &["chargedCents", "tokenUsage>totalCents"],
        cents: true,
        user: &["userEmail"],
        basis: &["kind"],
        ..CURSOR
    },
    Tool {
        marks: &["Model", "Input (w/o Cache Write)"],
        id: &[TIME, "Model", "Input (w/o Cache Write)", "Output Tokens", "Cache Read"],
        time: &["Date"],
        model: &["Model"],
        input: &["Input (w/o Cache Write)"],
        output: &["Output Tokens"],
        read: &["Cache Read"],
        written: &["Input (w/ Cache Write)"],
        cost: &["Cost"],
        user: &["User"],
        basis: &["Kind"],
        ..CURSOR
    },
    // Aider's analytics; its prompt includes the cache, which it does not tell.
    Tool {
        marks: &["event", "properties", "user_id", "time"],
        kind: &["event"],
        calls: &["message_send"],
        time: &["time"],
        id: &["time", "properties>main_model", "properties>prompt_tokens", "properties>total_cost"],
        model: &["properties>main_model"],
        input: &["properties>prompt_tokens"],
        output: &["properties>completion_tokens"],
        total: &["properties>total_tokens"],
        cost: &["properties>cost"],
        user: &["user_id"],
        ..Tool::new(Shape::Aider, "aider", precedence::AGENT)
    },
    // Continue's development data.
    Tool {
        marks: &["generatedTokens", "promptTokens"],
        time: &["timestamp"],
        provider: &["provider"],
        model: &["model"],
        input: &["promptTokens"],
        output: &["generatedTokens"],
        user: &["userId"],
        ..Tool::new(Shape::Continue, "continue", precedence::AGENT)
    },
    // Kimi CLI: a record for each request of a turn, and others that say the running total of a session.
    Tool {
        marks: &["usage>inputOther"],
        kind: &["usageScope"],
        calls: &["turn"],
        sums: &["session"],
        unstated_is_call: true,
        time: &["time"],
        id: &["time", "model"],
        model: &["model"],
        input: &["usage>inputOther"],
        output: &["usage>output"],
        read: &["usage>inputCacheRead"],
        written: &["usage>inputCacheCreation"],
        ..KIMI
    },
    Tool {
        marks: &["message>payload>token_usage>input_other"],
        time: &["timestamp"],
        id: &["message>payload>message_id"],
        input: &["message>payload>token_usage>input_other"],
        output: &["message>payload>token_usage>output"],
        read: &["message>payload>token_usage>input_cache_read"],
        written: &["message>payload>token_usage>input_cache_creation"],
        ..KIMI
    },
    // GitHub Copilot CLI: each request, and at the end of a session their sums by model.
    Tool {
        marks: &["data", "parentId", "timestamp", "type"],
        kind: &["type"],
        calls: &["assistant.usage"],
        sums: &["session.shutdown"],
        id: &["id"],
        time: &["timestamp"],
        model: &["data>model"],
        input: &["data>inputTokens"],
        output: &["data>outputTokens"],
        read: &["data>cacheReadTokens"],
        written: &["data>cacheWriteTokens"],
        provider_is: "github",
        paid_otherwise: true,
        ..Tool::new(Shape::CopilotCli, "copilot-cli", precedence::AGENT)
    },
    // Pi and the agents made of it.
    Tool {
        marks: &["message>usage>cacheRead", "message>usage>cacheWrite", "message>model"],
        id: &["id"],
        time: &["timestamp"],
        provider: &["message>provider"],
        model: &["message>model"],
        input: &["message>usage>input"],
        output: &["message>usage>output"],
        total: &["message>usage>totalTokens"],
        read: &["message>usage>cacheRead"],
        written: &["message>usage>cacheWrite"],
        cost: &["message>usage>cost>total"],
        response_id: &["message>responseId"],
        cache: Cache::Beside,
        ..Tool::new(Shape::Pi, "pi", precedence::AGENT)
    },
    // Qwen Code's chats count as Gemini does: the cache inside, thoughts beside.
    Tool {
        marks: &["usageMetadata>promptTokenCount", "sessionId", "uuid"],
        kind: &["type"],
        calls: &["assistant"],
        id: &["uuid"],
        time: &["timestamp"],
        model: &["model"],
        input: &["usageMetadata>promptTokenCount"],
        output: &["usageMetadata>candidatesTokenCount"],
        total: &["usageMetadata>totalTokenCount"],
        read: &["usageMetadata>cachedContentTokenCount"],
        reasoning: &["usageMetadata>thoughtsTokenCount"],
        session: &["sessionId"],
        ..Tool::new(Shape::QwenCode, "qwen-code", precedence::AGENT)
    },
    // A message of a Cline or Roo Code task; the text within it states a request.
    Tool {
        marks: &["ts", "type", "say"],
        kind: &["say"],
        calls: &["api_req_started"],
        id: &["ts"],
        time: &["ts"],
        provider: &["modelInfo>providerId"],
        model: &["modelInfo>modelId"],
        input: &["text>tokensIn"],
        output: &["text>tokensOut"],
        read: &["text>cacheReads"],
        written: &["text>cacheWrites"],
        cost: &["text>cost"],
        cache: Cache::AsCline,
        ..Tool::new(Shape::Cline, "cline", precedence::AGENT)
    },
    Tool { marks: &["ts", "type", "ask"], kind: &["ask"], ..Tool::new(Shape::Cline, "cline", precedence::AGENT) },
    // A row of the activity that OpenRouter exports: the id is that of the answer.
    Tool {
        marks: &["generation_id", "tokens_prompt", "model_permaslug"],
        provider_is: "openrouter",
        response_id: &["generation_id"],
        time: &["created_at"],
        model: &["model_permaslug"],
        input: &["tokens_prompt"],
        output: &["tokens_completion"],
        read: &["tokens_cached"],
        reasoning: &["tokens_reasoning"],
        cost: &["cost_total"],
        application: &["app_name"],
        user: &["user"],
        key: &["api_key_name"],
        ..Tool::new(Shape::OpenRouterActivity, "openrouter", precedence::GATEWAY)
    },
    // PromptLayer, Humanloop, Lunary and TensorZero: counts without caches.
    Tool {
        marks: &["request_start_time", "provider_type", "engine"],
        id: &["id"],
        time: &["request_start_time"],
        provider: &["provider_type"],
        model: &["engine"],
        input: &["input_tokens", "prompt_tokens"],
        output: &["output_tokens", "completion_tokens"],
        cost: &["price"],
        user: &["metadata>user_id"],
        tags: &["tags"],
        ..Tool::new(Shape::ToolLog, "promptlayer", precedence::SPAN)
    },
    Tool {
        marks: &["prompt>model", "prompt_tokens", "output_tokens"],
        id: &["id"],
        time: &["start_time", "created_at"],
        provider: &["prompt>provider"],
        model: &["prompt>model"],
        input: &["prompt_tokens"],
        output: &["output_tokens"],
        user: &["user"],
        session: &["session_id"],
        environment: &["environment"],
        ..Tool::new(Shape::ToolLog, "humanloop", precedence::SPAN)
    },
    Tool {
        marks: &["type", "name", "promptTokens", "completionTokens", "createdAt"],
        kind: &["type"],
        calls: &["llm"],
        sums: &["agent", "chain"],
        id: &["id"],
        time: &["createdAt"],
        model: &["name"],
        input: &["promptTokens"],
        output: &["completionTokens"],
        cost: &["cost"],
        user: &["user>externalId"],
        tags: &["tags"],
        ..Tool::new(Shape::ToolLog, "lunary", precedence::SPAN)
    },
    Tool {
        marks: &["model_name", "model_provider_name", "inference_id", "input_tokens"],
        id: &["id"],
        time: &["timestamp"],
        provider: &["model_provider_name"],
        model: &["model_name"],
        input: &["input_tokens"],
        output: &["output_tokens"],
        read: &["provider_cache_read_input_tokens"],
        written: &["provider_cache_write_input_tokens"],
        cached: &["cached"],
        ..Tool::new(Shape::ToolLog, "tensorzero", precedence::GATEWAY)
    },
    // The history that DSPy keeps of its calls.
    Tool {
        marks: &["response_model", "model_type", "usage>prompt_tokens", "uuid"],
        prefixed: true,
        id: &["uuid"],
        time: &["timestamp"],
        model: &["response_model", "model"],
        requested: &["model"],
        input: &["usage>prompt_tokens"],
        output: &["usage>completion_tokens"],
        total: &["usage>total_tokens"],
        read: &["usage>prompt_tokens_details>cached_tokens", "usage>cache_read_input_tokens"],
        written: &["usage>cache_creation_input_tokens"],
        reasoning: &["usage>completion_tokens_details>reasoning_tokens"],
        cost: &["cost"],
        ..Tool::new(Shape::ToolLog, "dspy", precedence::SPAN)
    },
    // What `opencode run` prints as JSON: a step counts itself, reasoning beside the output, and names no model.
    Tool {
        marks: &["sessionID", "part>messageID", "type"],
        kind: &["type"],
        calls: &["step_finish"],
        id: &["part>messageID", "part>id"],
        time: &["timestamp"],
        input: &["part>tokens>input"],
        output: &["part>tokens>output"],
        reasoning: &["part>tokens>reasoning"],
        read: &["part>tokens>cache>read"],
        written: &["part>tokens>cache>write"],
        cost: &["part>cost"],
        session: &["sessionID"],
        cache: Cache::Beside,
        reasoning_beside: &[""],
        ..Tool::new(Shape::ToolLog, "opencode", precedence::AGENT)
    },
    // What Cloudflare's gateway pushes: its bodies are encrypted, so of usage there is the cost alone.
    Tool {
        marks: &["Gateway", "Provider", "Model", "StatusCode", "Metadata"],
        time: &["Timestamp"],
        provider: &["Provider"],
        model: &["Model"],
        requested: &["RequestedModel"],
        input: &["Metrics>inputTokens"],
        output: &["Metrics>outputTokens"],
        cost: &["Metrics>cost"],
        cached: &["Cached"],
        user: &["Metadata>user"],
        team: &["Metadata>team"],
        ..Tool::new(Shape::ToolLog, "cloudflare-ai-gateway", precedence::GATEWAY)
    },
    // Envoy's AI gateway, in the names of its older examples.
    Tool {
        marks: &["genai_model_name", "genai_tokens_input"],
        id: &["x-request-id", "request_id"],
        time: &["start_time"],
        model: &["genai_model_name_override", "genai_model_name"],
        requested: &["genai_model_name"],
        input: &["genai_tokens_input"],
        output: &["genai_tokens_output"],
        total: &["genai_tokens_total"],
        session: &["session.id"],
        ..Tool::new(Shape::ToolLog, "envoy-ai-gateway", precedence::GATEWAY)
    },
    // agentgateway, before it took up the conventions.
    Tool {
        marks: &["llm.provider", "llm.request.tokens"],
        time: &["time", "timestamp"],
        provider: &["llm.provider"],
        model: &["llm.response.model", "llm.request.model"],
        requested: &["llm.request.model"],
        input: &["llm.request.tokens"],
        output: &["llm.response.tokens"],
        trace: &["trace.id"],
        span: &["span.id"],
        ..Tool::new(Shape::ToolLog, "agentgateway", precedence::GATEWAY)
    },
    // Apache APISIX: what its loggers write of a request, and its variables as they stand in access logs.
    Tool {
        marks: &["llm_summary>prompt_tokens", "llm_summary>model"],
        time: &["start_time"],
        model: &["llm_summary>model"],
        requested: &["llm_summary>request_model"],
        input: &["llm_summary>prompt_tokens"],
        output: &["llm_summary>completion_tokens"],
        ..APISIX
    },
    Tool {
        marks: &["llm_model", "llm_prompt_tokens", "llm_completion_tokens"],
        time: &["time", "time_iso8601", "timestamp", "@timestamp"],
        model: &["llm_model"],
        requested: &["request_llm_model"],
        input: &["llm_prompt_tokens"],
        output: &["llm_completion_tokens"],
        ..APISIX
    },
    // Higress: as JSON in a field of its access log; older ones have the same beside the others.
    Tool {
        marks: &["ai_log>input_token", "ai_log>model"],
        model: &["ai_log>model"],
        input: &["ai_log>input_token"],
        output: &["ai_log>output_token"],
        read: &["ai_log>cached_tokens"],
        reasoning: &["ai_log>reasoning_tokens"],
        session: &["ai_log>session_id"],
        ..HIGRESS
    },
    Tool {
        marks: &["model", "input_token", "output_token"],
        model: &["model"],
        input: &["input_token"],
        output: &["output_token"],
        ..HIGRESS
    },
    // A row of Databricks' table of what its endpoints served: it names no model, only what it calls the entity that was served.
    Tool {
        marks: &["databricks_request_id", "input_token_count", "output_token_count"],
        provider_is: "databricks",
        id: &["databricks_request_id"],
        time: &["request_time"],
        model: &["served_entity_name", "entity_name", "served_entity_id"],
        input: &["input_token_count"],
        output: &["output_token_count"],
        user: &["requester"],
        ..Tool::new(Shape::ToolLog, "databricks", precedence::GATEWAY)
    },
    // A message of a thread of Amp: all counts apart.
    Tool {
        marks: &["messageId", "usage>totalInputTokens", "usage>model"],
        id: &[TIME, "usage>model", "usage>outputTokens"],
        time: &["usage>timestamp"],
        model: &["usage>model"],
        input: &["usage>inputTokens"],
        output: &["usage>outputTokens"],
        read: &["usage>cacheReadInputTokens"],
        written: &["usage>cacheCreationInputTokens"],
        cache: Cache::Beside,
        ..Tool::new(Shape::ToolLog, "amp", precedence::AGENT)
    },
    // A message of AutoGen: what the call behind it used, of a model that is not named.
    Tool {
        marks: &["models_usage>prompt_tokens", "source"],
        id: &["id"],
        time: &["created_at"],
        input: &["models_usage>prompt_tokens"],
        output: &["models_usage>completion_tokens"],
        ..Tool::new(Shape::ToolLog, "autogen", precedence::AGENT)
    },
    // Spring AI: the provider's usage stands beside its own.
    Tool {
        marks: &["metadata>usage>promptTokens", "metadata>model"],
        response_id: &["metadata>id"],
        model: &["metadata>model"],
        input: &["metadata>usage>promptTokens"],
        output: &["metadata>usage>completionTokens"],
        total: &["metadata>usage>totalTokens"],
        read: &[
            "metadata>usage>nativeUsage>prompt_tokens_details>cached_tokens",
            "metadata>usage>nativeUsage>cache_read_input_tokens",
            "metadata>usage>nativeUsage>cacheReadInputTokens",
        ],
        written: &[
            "metadata>usage>nativeUsage>cache_creation_input_tokens",
            "metadata>usage>nativeUsage>cacheWriteInputTokens",
        ],
        reasoning: &["metadata>usage>nativeUsage>completion_tokens_details>reasoning_tokens"],
        cache: Cache::BesideOfAnthropic,
        ..Tool::new(Shape::ToolLog, "spring_ai", precedence::SPAN)
    },
    // LangChain4j.
    Tool {
        marks: &["metadata>tokenUsage>inputTokenCount", "metadata>modelName"],
        response_id: &["metadata>id"],
        time: &["metadata>created"],
        model: &["metadata>modelName"],
        input: &["metadata>tokenUsage>inputTokenCount"],
        output: &["metadata>tokenUsage>outputTokenCount"],
        total: &["metadata>tokenUsage>totalTokenCount"],
        read: &["metadata>tokenUsage>inputTokensDetails>cachedTokens", "metadata>tokenUsage>cacheReadInputTokens"],
        written: &["metadata>tokenUsage>cacheCreationInputTokens"],
        reasoning: &["metadata>tokenUsage>outputTokensDetails>reasoningTokens"],
        cache: Cache::BesideOfAnthropic,
        ..Tool::new(Shape::ToolLog, "langchain4j", precedence::SPAN)
    },
    // Microsoft.Extensions.AI, in either case, and what Semantic Kernel keeps beside a message.
    Tool {
        marks: &["usage>inputTokenCount", "modelId"],
        response_id: &["responseId"],
        time: &["createdAt"],
        model: &["modelId"],
        input: &["usage>inputTokenCount"],
        output: &["usage>outputTokenCount"],
        total: &["usage>totalTokenCount"],
        read: &[
            "usage>cachedInputTokenCount",
            "usage>additionalCounts>InputTokenDetails.CachedTokenCount",
            "usage>additionalCounts>CacheReadInputTokens",
        ],
        written: &["usage>additionalCounts>CacheCreationInputTokens"],
        reasoning: &["usage>reasoningTokenCount", "usage>additionalCounts>OutputTokenDetails.ReasoningTokenCount"],
        ..DOTNET
    },
    Tool {
        marks: &["Usage>InputTokenCount", "ModelId"],
        response_id: &["ResponseId"],
        time: &["CreatedAt"],
        input: &["Usage>InputTokenCount"],
        output: &["Usage>OutputTokenCount"],
        total: &["Usage>TotalTokenCount"],
        read: &["Usage>CachedInputTokenCount", "Usage>AdditionalCounts>InputTokenDetails.CachedTokenCount"],
        reasoning: &["Usage>ReasoningTokenCount", "Usage>AdditionalCounts>OutputTokenDetails.ReasoningTokenCount"],
        ..DOTNET
    },
    Tool {
        marks: &["Metadata>Usage>InputTokenCount", "ModelId"],
        input: &["Metadata>Usage>InputTokenCount"],
        output: &["Metadata>Usage>OutputTokenCount"],
        total: &["Metadata>Usage>TotalTokenCount"],
        read: &["Metadata>Usage>InputTokenDetails>CachedTokenCount"],
        reasoning: &["Metadata>Usage>OutputTokenDetails>ReasoningTokenCount"],
        ..DOTNET
    },
    Tool {
        marks: &["Metadata>Usage>PromptTokens", "ModelId"],
        input: &["Metadata>Usage>PromptTokens"],
        output: &["Metadata>Usage>CompletionTokens"],
        total: &["Metadata>Usage>TotalTokens"],
        ..DOTNET
    },
    // Genkit's answer: the cache is inside the input, what Gemini thought beside the output, as its total says.
    Tool {
        marks: &["usage>inputTokens", "usage>inputCharacters", "message"],
        response_id: &["custom>responseId", "raw>responseId", "custom>id", "raw>id"],
        model: &["custom>modelVersion", "raw>modelVersion", "custom>model", "raw>model"],
        input: &["usage>inputTokens"],
        output: &["usage>outputTokens"],
        total: &["usage>totalTokens"],
        read: &["usage>cachedContentTokens"],
        reasoning: &["usage>thoughtsTokens"],
        ..Tool::new(Shape::ToolLog, "genkit", precedence::AGENT)
    },
    // Tencent's Hunyuan: its answer never names the model.
    Tool {
        marks: &["Usage>PromptTokens", "Choices", "Id"],
        response_id: &["Id"],
        time: &["Created"],
        usual_provider: "tencent",
        input: &["Usage>PromptTokens"],
        output: &["Usage>CompletionTokens"],
        total: &["Usage>TotalTokens"],
        ..Tool::new(Shape::ToolLog, "hunyuan", precedence::PROVIDER)
    },
    // Aleph Alpha: completions, and what it embeds.
    Tool {
        marks: &["num_tokens_prompt_total", "num_tokens_generated"],
        provider_is: "aleph_alpha",
        model: &["model_version"],
        input: &["num_tokens_prompt_total"],
        output: &["num_tokens_generated"],
        ..Tool::new(Shape::ToolLog, "aleph_alpha", precedence::PROVIDER)
    },
    Tool {
        marks: &["num_tokens_prompt_total", "model_version"],
        provider_is: "aleph_alpha",
        model: &["model_version"],
        input: &["num_tokens_prompt_total"],
        ..Tool::new(Shape::ToolLog, "aleph_alpha.embeddings", precedence::PROVIDER)
    },
    // MiniMax's embeddings.
    Tool {
        marks: &["vectors", "total_tokens", "base_resp"],
        usual_provider: "minimax",
        input: &["total_tokens"],
        ..Tool::new(Shape::ToolLog, "minimax.embeddings", precedence::PROVIDER)
    },
    // A row of the log of New API and One API: what was charged to a token of theirs.
    Tool {
        marks: &["quota", "model_name", "prompt_tokens", "token_name"],
        kind: &["type"],
        calls: &["2"],
        id: &["request_id", "id"],
        any_id: true,
        time: &["created_at"],
        model: &["model_name"],
        input: &["prompt_tokens"],
        output: &["completion_tokens"],
        read: &["other>cache_tokens"],
        written: &["other>cache_creation_tokens"],
        written_5m: &["other>cache_creation_tokens_5m"],
        written_1h: &["other>cache_creation_tokens_1h"],
        cache: Cache::BesideOfAnthropic,
        user: &["username"],
        key: &["token_name"],
        ..Tool::new(Shape::ToolLog, "new_api", precedence::GATEWAY)
    },
    // Dify: the end of a message, whose models it does not name.
    Tool {
        marks: &["metadata>usage>total_price", "message_id"],
        id: &["message_id"],
        time: &["created_at"],
        input: &["metadata>usage>prompt_tokens"],
        output: &["metadata>usage>completion_tokens"],
        total: &["metadata>usage>total_tokens"],
        cost: &["metadata>usage>total_price"],
        session: &["conversation_id"],
        ..Tool::new(Shape::ToolLog, "dify", precedence::AGENT)
    },
    // What meters usage (Orb, Metronome, Lago, Segment): a model and its counts among the properties of an event.
    Tool {
        marks: &["properties>model", "properties>input_tokens"],
        input: &["properties>input_tokens"],
        output: &["properties>output_tokens"],
        ..METERED
    },
    Tool {
        marks: &["properties>model", "properties>prompt_tokens"],
        input: &["properties>prompt_tokens"],
        output: &["properties>completion_tokens"],
        ..METERED
    },
];

const DATADOG: Tool = Tool {
    calls: &["llm", "embedding"],
    sums: &["agent", "workflow", "task"],
    id: &["trace_id", "span_id"],
    time: &["start_ns"],
    provider: &["meta>model_provider", "meta>metadata>model_provider"],
    model: &["meta>model_name", "meta>metadata>model_name"],
    input: &["metrics>input_tokens", "metrics>prompt_tokens"],
    output: &["metrics>output_tokens", "metrics>completion_tokens"],
    total: &["metrics>total_tokens"],
    read: &["metrics>cache_read_input_tokens"],
    written: &["metrics>cache_write_input_tokens"],
    written_5m: &["metrics>ephemeral_5m_input_tokens"],
    written_1h: &["metrics>ephemeral_1h_input_tokens"],
    reasoning: &["metrics>reasoning_output_tokens"],
    session: &["session_id"],
    tags: &["tags"],
    ..Tool::new(Shape::DatadogSpan, "datadog", precedence::SPAN)
};

const CURSOR: Tool = Tool {
    provider_is: "cursor",
    model: &["model"],
    included: &["Included", "Free", "User API Key"],
    failed: &["Errored", "Aborted"],
    billed: true,
    cache: Cache::Beside,
    ..Tool::new(Shape::CursorUsage, "cursor", precedence::GATEWAY)
};

const KIMI: Tool = Tool {
    usual_provider: "moonshot_ai",
    cache: Cache::Beside,
    ..Tool::new(Shape::KimiCli, "kimi-cli", precedence::AGENT)
};

const LIVEKIT: Tool = Tool {
    time: &["timestamp"],
    provider: &["metadata>model_provider"],
    model: &["metadata>model_name"],
    ..Tool::new(Shape::ToolLog, "livekit-agents", precedence::AGENT)
};

const APISIX: Tool = Tool {
    id: &["request_id", "x_request_id"],
    any_id: true,
    ..Tool::new(Shape::ToolLog, "apisix", precedence::GATEWAY)
};

const HIGRESS: Tool =
    Tool { id: &["request_id"], time: &["start_time"], ..Tool::new(Shape::ToolLog, "higress", precedence::GATEWAY) };

const NEW_RELIC: Tool = Tool {
    marks: &["vendor", "response.model"],
    kind: &["eventType"],
    calls: &["LlmChatCompletionSummary", "LlmEmbedding"],
    unstated_is_call: true,
    id: &["id"],
    trace: &["trace_id"],
    span: &["span_id"],
    time: &["timestamp"],
    provider: &["vendor"],
    model: &["response.model"],
    requested: &["request.model"],
    input: &["response.usage.prompt_tokens"],
    output: &["response.usage.completion_tokens"],
    total: &["response.usage.total_tokens"],
    application: &["appName"],
    ..Tool::new(Shape::NewRelic, "newrelic", precedence::SPAN)
};

/// Anthropic's cache stands beside the input, everybody else's inside
/// (<https://posthog.com/docs/ai-observability/calculating-costs>); a property may say otherwise.
const POSTHOG: Tool = Tool {
    marks: &["event", "distinct_id", "properties"],
    kind: &["event"],
    calls: &["$ai_generation", "$ai_embedding"],
    id: &["uuid"],
    time: &["timestamp"],
    provider: &["properties>$ai_provider"],
    model: &["properties>$ai_model"],
    input: &["properties>$ai_input_tokens"],
    output: &["properties>$ai_output_tokens"],
    total: &["properties>$ai_total_tokens"],
    read: &["properties>$ai_cache_read_input_tokens", "properties>$ai_cache_read_tokens"],
    written: &["properties>$ai_cache_creation_input_tokens"],
    reasoning: &["properties>$ai_reasoning_tokens"],
    // As its client for Gemini hands the counts on, and its costs are calculated.
    reasoning_beside: &["gemini-"],
    searches: &["properties>$ai_web_search_count"],
    cost: &["properties>$ai_total_cost_usd"],
    session: &["properties>$session_id", "properties>$ai_session_id", "properties>$ai_trace_id"],
    user: &["distinct_id"],
    team: &["properties>team"],
    feature: &["properties>feature"],
    cache: Cache::BesideOfAnthropic,
    exclusive: &["properties>$ai_cache_reporting_exclusive"],
    basis: &["properties>$ai_is_error"],
    failed: &["true"],
    ..Tool::new(Shape::PostHog, "posthog", precedence::SPAN)
};

/// What libraries of .NET have in common: the cache inside the input, unless it is larger.
const DOTNET: Tool = Tool {
    response_id: &["Metadata>Id"],
    time: &["Metadata>CreatedAt"],
    model: &["ModelId"],
    ..Tool::new(Shape::ToolLog, "dotnet", precedence::SPAN)
};

const METERED: Tool = Tool {
    id: &["transaction_id", "idempotency_key", "messageId", "identifier"],
    any_id: true,
    time: &["timestamp"],
    provider: &["properties>provider"],
    model: &["properties>model"],
    total: &["properties>total_tokens"],
    read: &["properties>cache_read_tokens", "properties>cached_tokens", "properties>cache_read_input_tokens"],
    written: &["properties>cache_creation_tokens", "properties>cache_creation_input_tokens"],
    reasoning: &["properties>reasoning_tokens"],
    cost: &["properties>cost", "properties>cost_usd"],
    user: &["userId", "properties>user_id"],
    customer: &["external_customer_id", "customer_id", "external_subscription_id"],
    team: &["properties>team"],
    feature: &["properties>feature"],
    ..Tool::new(Shape::Metered, "metering", precedence::STATED)
};

impl Tool {
    pub(super) const fn new(shape: Shape, source: &'static str, precedence: i32) -> Self {
        Tool { shape, source, precedence, ..NOTHING }
    }
}
