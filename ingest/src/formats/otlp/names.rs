//! What emitters call things: the semantic conventions first, then their older spellings, OpenInference (`llm.`),
//! OpenLLMetry (`traceloop.`), the Vercel AI SDK (`ai.`), Langfuse, MLflow and Pydantic AI (`gen_ai.usage.details.`).
//! Checked 2026-11-22, 2026-11-23 and 2026-11-29 in the emitters' public sources.

use super::role::KINDS;
use crate::json::Marks;

/// Some names of one thing, the first that is there counts. Made by [`names!`], which hashes them when it is compiled: a span has
/// seven attributes and is asked for a hundred, so what matters is to see quickly that none of a list is there.
#[derive(Debug)]
pub(super) struct Names {
    each: &'static [(&'static str, u8)],
    all: Marks,
    /// Its number among [`LISTS`], if it is one of them.
    number: Option<u8>,
}

impl Names {
    pub(super) const fn new(each: &'static [(&'static str, u8)], number: Option<u8>) -> Self {
        let (mut all, mut index) = (Marks::NONE, 0);
        while index < each.len() {
            all = all.with(each[index].1);
            index += 1;
        }
        Names { each, all, number }
    }

    /// Its number among [`LISTS`].
    #[inline]
    pub(super) fn number(&self) -> Option<usize> {
        self.number.map(usize::from)
    }

    /// How many of its names count more than this one.
    pub(super) fn rank(&self, name: &str) -> u8 {
        self.each.iter().take_while(|(each, _)| *each != name).count() as u8
    }

    /// The one that counts most; empty where there is none.
    pub(super) fn first(&self) -> &'static str {
        self.each.first().map_or("", |(name, _)| *name)
    }

    /// True when one of them may be among the marked ones.
    #[inline]
    pub(super) fn meet(&self, marked: &Marks) -> bool {
        self.all.meets(marked)
    }

    /// Those that may be among the marked ones, in order.
    pub(super) fn among(&self, marked: &Marks) -> impl Iterator<Item = &'static str> {
        self.each.iter().filter(|(_, hash)| marked.has(*hash)).map(|(name, _)| *name)
    }
}

/// [`Names`] of these texts; before them their number, where they are one of [`LISTS`].
macro_rules! names {
    ($number:literal; $($name:expr),* $(,)?) => { names!(@Some($number); $($name),*) };
    (@$number:expr; $($name:expr),*) => {{
        const EACH: &[(&str, u8)] = &[$(($name, $crate::json::quick_hash($name.as_bytes()))),*];
        const NAMES: &$crate::formats::otlp::names::Names = &$crate::formats::otlp::names::Names::new(EACH, $number);
        NAMES
    }};
    ($($name:expr),* $(,)?) => { names!(@None; $($name),*) };
}
pub(super) use names;

/// What every span is asked for under many names. Its attributes are told once, each by one look into a table of all these names, and the
/// lists keep which of them counts.
pub(super) const LISTS: [&Names; 30] = [
    INPUT,
    OUTPUT,
    TOTAL,
    CACHE_READ,
    CACHE_WRITE,
    CACHE_WRITE_5M,
    CACHE_WRITE_1H,
    UNCACHED,
    REASONING,
    INPUT_AUDIO,
    OUTPUT_AUDIO,
    CACHED_AUDIO,
    PROVIDER,
    REQUEST_MODEL,
    RESPONSE_MODEL,
    RESPONSE_ID,
    HOST,
    COST,
    SESSION,
    USER,
    TEAM,
    KINDS,
    SERVICE,
    ENVIRONMENT,
    AGENT,
    PROJECT,
    CUSTOMER,
    FEATURE,
    RUN_ID,
    TIER,
];

/// A name in [`LISTS`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub name: &'static str,
    /// The lists it stands in, and how many of their names count more.
    pub places: [Option<(u8, u8)>; 2],
}

/// What is known of a name.
pub(super) fn known(name: &[u8]) -> Option<&'static Known> {
    static TABLE: Table = Table::new();
    TABLE.find(name)
}

struct Table([Known; Table::SLOTS]);

impl Table {
    /// Four times as many as there are names.
    const SLOTS: usize = 1024;

    const fn new() -> Self {
        let mut slots = [Known { name: "", places: [None; 2] }; Table::SLOTS];
        let mut list = 0;
        while list < LISTS.len() {
            let Names { each, number, .. } = LISTS[list];
            assert!(
                matches!(number, Some(number) if *number as usize == list),
                "a list has another number than its place"
            );
            let mut rank = 0;
            while rank < each.len() {
                let name = each[rank].0;
                let mut slot = place(name.as_bytes());
                while !slots[slot].name.is_empty() && !is_same(slots[slot].name.as_bytes(), name.as_bytes()) {
                    slot = (slot + 1) % Table::SLOTS;
                }
                slots[slot].name = name;
                let places = &mut slots[slot].places;
                let free = places[0].is_some() as usize;
                assert!(places[free].is_none(), "a name stands in three lists");
                places[free] = Some((list as u8, rank as u8));
                rank += 1;
            }
            list += 1;
        }
        Table(slots)
    }

    fn find(&self, name: &[u8]) -> Option<&Known> {
        let mut slot = place(name);
        // Most slots are empty.
        while !self.0[slot].name.is_empty() {
            if self.0[slot].name.as_bytes() == name {
                return Some(&self.0[slot]);
            }
            slot = (slot + 1) % Table::SLOTS;
        }
        None
    }
}

/// Where a name stands in the table, if no other stands there. Names of one family share their ends, so length and middle count.
const fn place(name: &[u8]) -> usize {
    let last = name.len().saturating_sub(8);
    let [first, middle, last] = [word(name, 0), word(name, last / 2), word(name, last)];
    let mixed = first ^ middle.rotate_left(23) ^ last.rotate_left(45) ^ (name.len() as u64);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize
}

/// Eight bytes of a name, or all of a shorter one.
const fn word(name: &[u8], at: usize) -> u64 {
    let rest = name.split_at(at).1;
    if let Some(eight) = rest.first_chunk() {
        return u64::from_le_bytes(*eight);
    }
    let (mut word, mut index) = (0, 0);
    while index < rest.len() {
        word = word << 8 | rest[index] as u64;
        index += 1;
    }
    word
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

/// The name of the conventions that a label is with lines in place of its dots, as stores write it that have no dots.
pub(super) fn lined(label: &str) -> Option<&'static str> {
    const NAMES: [&str; 24] = [
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.system",
        "gen_ai.request.model",
        "gen_ai.response.model",
        "gen_ai.response.id",
        "gen_ai.conversation.id",
        "gen_ai.agent.name",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.prompt_tokens",
        "gen_ai.usage.completion_tokens",
        "gen_ai.usage.total_tokens",
        "gen_ai.usage.cost",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.openai.response.service_tier",
        "openai.response.service_tier",
        "server.address",
        "error.type",
    ];
    let is_lined = |name: &&&str| {
        let lined = name.bytes().map(|byte| if byte == b'.' { b'_' } else { byte });
        lined.eq(label.bytes())
    };
    // What has a dot is written as it is.
    if label.contains('.') { None } else { NAMES.iter().find(is_lined).copied() }
}

pub(super) const INPUT: &Names = names![0;
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
    // Semantic Kernel
    "gen_ai.response.prompt_tokens",
    // Microsoft.Extensions.AI, before it took up the conventions
    "gen_ai.response.input_tokens",
    // Sentry, before it took up the conventions
    "ai.prompt_tokens.used",
    // agentgateway, before it took up the conventions
    "llm.request.tokens",
    // Judgment, without the caches
    "judgment.usage.non_cached_input_tokens",
    "langfuse.observation.usage_details",
    "mlflow.chat.tokenUsage",
    "braintrust.metrics.prompt_tokens",
    "langwatch.metrics.prompt_tokens",
    "langwatch.metrics.promptTokens",
    // DeepEval's
    "confident.llm.input_token_count",
];
pub(super) const OUTPUT: &Names = names![1;
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
    "gen_ai.response.completion_tokens",
    "gen_ai.response.output_tokens",
    "ai.completion_tokens.used",
    "llm.response.tokens",
    "judgment.usage.output_tokens",
    "braintrust.metrics.completion_tokens",
    "langwatch.metrics.completion_tokens",
    "langwatch.metrics.completionTokens",
    // DeepEval's
    "confident.llm.output_token_count",
];
pub(super) const TOTAL: &Names = names![2;
    "gen_ai.usage.total_tokens",
    "llm.token_count.total",
    "llm.usage.total_tokens",
    "ai.usage.totalTokens",
    "ai.total_tokens.used",
    "braintrust.metrics.tokens",
];
pub(super) const CACHE_READ: &Names = names![3;
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
    "gen_ai.usage.input_cached_tokens",
    "ai.usage.inputTokenDetails.cacheReadTokens",
    "ai.usage.cachedInputTokens",
    "judgment.usage.cache_read_input_tokens",
    "braintrust.metrics.prompt_cached_tokens",
    // LiveKit, which tells it there alone
    "lk.llm_metrics.prompt_cached_tokens",
    // OpenLIT's hooks of coding agents; others in public code, 2026-11-30
    "gen_ai.usage.cache.read_input_tokens",
    "gen_ai.usage.input_tokens_details.cached",
    "gen_ai.usage.input_cache_read_tokens",
    "llm.usage.cache_read.input_tokens",
];
pub(super) const CACHE_WRITE: &Names = names![4;
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
    "judgment.usage.cache_creation_input_tokens",
    "braintrust.metrics.prompt_cache_creation_tokens",
    "gen_ai.usage.cache.creation_input_tokens",
    "gen_ai.usage.input_cache_write_tokens",
    "llm.token_count.prompt_details.cache_creation",
];
/// The parts of what was written to a cache by how long it lives there.
pub(super) const CACHE_WRITE_5M: &Names = names![5;
    "gen_ai.usage.details.cache_write_5m_tokens",
    "braintrust.metrics.prompt_cache_creation_5m_tokens",
    // Traceroot and others, Dash0's plugins of coding agents (public code, 2026-11-30)
    "gen_ai.usage.cache_creation.ephemeral_5m_input_tokens",
    "gen_ai.usage.cache_creation.ephemeral_5m.input_tokens",
    "dash0.gen_ai.usage.cache_creation.ephemeral_5m.input_tokens",
];
pub(super) const CACHE_WRITE_1H: &Names = names![6;
    "gen_ai.usage.details.cache_write_1h_tokens",
    "gen_ai.usage.cache_creation_1h.input_tokens",
    "braintrust.metrics.prompt_cache_creation_1h_tokens",
    "gen_ai.usage.cache_creation.ephemeral_1h_input_tokens",
    "gen_ai.usage.cache_creation.ephemeral_1h.input_tokens",
    "dash0.gen_ai.usage.cache_creation.ephemeral_1h.input_tokens",
    "archestra.usage.cache_creation.1h_input_tokens",
];
/// Input that is in neither cache count, where an emitter states it by itself.
pub(super) const UNCACHED: &Names =
    names![7; "ai.usage.inputTokenDetails.noCacheTokens", "judgment.usage.non_cached_input_tokens"];
pub(super) const REASONING: &Names = names![8;
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
    "gen_ai.usage.reasoning_output_tokens",
    "gen_ai.usage.thoughts_tokens",
    "gen_ai.usage.thoughts_token_count",
    "codex.usage.reasoning_output_tokens",
    "ai.usage.outputTokenDetails.reasoningTokens",
    "ai.usage.reasoningTokens",
    "gen_ai.usage.experimental.reasoning_tokens",
    "braintrust.metrics.completion_reasoning_tokens",
    "gen_ai.usage.output_tokens_details.reasoning",
    "gen_ai.usage.thinking_tokens",
];
/// Reasoning that stands beside the output: the Agent Development Kit hands Gemini's two counts on under this name (its tests, read
/// 2026-11-29; the name of the conventions, which it took up later, is inside).
pub(super) const REASONING_BESIDE: &Names = names!["gen_ai.usage.experimental.reasoning_tokens"];
pub(super) const INPUT_AUDIO: &Names = names![9;
    "gen_ai.usage.audio.input_tokens",
    "llm.token_count.prompt_details.audio",
    "gen_ai.usage.details.input_audio_tokens",
    // LiveKit
    "gen_ai.usage.input_audio_tokens",
    "gen_ai.usage.input_tokens.audio",
    "gen_ai.usage.input_tokens_details.audio_tokens",
];
pub(super) const OUTPUT_AUDIO: &Names = names![10;
    "gen_ai.usage.audio.output_tokens",
    "llm.token_count.completion_details.audio",
    "gen_ai.usage.details.output_audio_tokens",
    "gen_ai.usage.output_audio_tokens",
    "gen_ai.usage.output_tokens.audio",
    "gen_ai.usage.output_tokens_details.audio_tokens",
];
/// What of the sound was read from a cache: it is within both counts.
pub(super) const CACHED_AUDIO: &Names =
    names![11; "gen_ai.usage.audio.cache_read.input_tokens", "gen_ai.usage.details.cache_audio_read_tokens"];
/// What of the images was read from a cache, likewise.
pub(super) const CACHED_IMAGE: &Names = names!["gen_ai.usage.image.cache_read.input_tokens"];
pub(super) const INPUT_IMAGE: &Names = names!["gen_ai.usage.image.input_tokens"];
pub(super) const INPUT_VIDEO: &Names = names!["gen_ai.usage.video.input_tokens"];
pub(super) const OUTPUT_IMAGE: &Names = names!["gen_ai.usage.image.output_tokens"];
/// Characters that were read aloud: Pipecat's (spans others published, 2026-11-30).
pub(super) const CHARACTERS: &Names = names!["metrics.character_count"];
/// Parts of the counts as LangChain names them, as JSON text: LangSmith's.
pub(super) const INPUT_DETAILS: &Names = names!["gen_ai.usage.input_token_details"];
pub(super) const OUTPUT_DETAILS: &Names = names!["gen_ai.usage.output_token_details"];
/// A whole usage object as JSON text, and the tool that writes it.
pub(super) const LANGFUSE_USAGE: &Names = names!["langfuse.observation.usage_details"];
pub(super) const MLFLOW_USAGE: &Names = names!["mlflow.chat.tokenUsage"];

pub(super) const PROVIDER: &Names = names![12;
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.provider",
    "llm.system",
    "ai.model.provider",
    "mlflow.llm.provider",
    "judgment.llm.provider",
    "braintrust.metadata.provider",
];
pub(super) const REQUEST_MODEL: &Names = names![13;
    "gen_ai.request.model",
    "llm.request.model",
    // Alibaba Cloud's agents
    "gen_ai.model_name",
    "llm.model_name",
    "embedding.model_name",
    "ai.model.id",
    "ai.model_id",
    "langfuse.observation.model.name",
    "mlflow.llm.model",
    "judgment.llm.model",
    "braintrust.metadata.model",
    "langwatch.request.model",
    // DeepEval's
    "confident.llm.model",
];
pub(super) const RESPONSE_MODEL: &Names =
    names![14; "gen_ai.response.model", "llm.response.model", "ai.response.model"];
/// Bedrock's own id of a request, which its logs have, too: instrumentations of AWS's SDKs state it (spans others published, 2026-11-30).
pub(super) const AWS_REQUEST_ID: &Names = names!["aws.request_id"];
pub(super) const RESPONSE_ID: &Names = names![15; "gen_ai.response.id", "ai.response.id", "llm.response.id"];
pub(super) const HOST: &Names = names![16; "server.address", "net.peer.name", "url.full", "gen_ai.openai.api_base"];
pub(super) const COST: &Names = names![17;
    "gen_ai.cost.total_cost",
    "litellm.cost.total",
    "gen_ai.usage.cost",
    "gen_ai.cost.total_tokens",
    "gen_ai.usage.total_cost",
    "gen_ai.usage.cost_usd",
    "operation.cost",
    "llm.cost.total",
    "judgment.usage.total_cost_usd",
    "braintrust.metrics.estimated_cost",
    "langwatch.metrics.cost",
];
pub(super) const SESSION: &Names = names![18;
    "gen_ai.conversation.id",
    "session.id",
    "langfuse.session.id",
    "copilot_chat.chat_session_id",
    "langfuse.trace.session_id",
    "traceloop.association.properties.session_id",
    "traceloop.association.properties.thread_id",
    "ai.telemetry.metadata.sessionId",
    "ai.telemetry.metadata.threadId",
    "langsmith.trace.session_id",
    "langsmith.metadata.session_id",
    "langsmith.metadata.thread_id",
    "gcp.vertex.agent.session_id",
];
pub(super) const USER: &Names = names![19;
    "user.id",
    "enduser.id",
    "langfuse.user.id",
    "ai.telemetry.metadata.userId",
    "traceloop.association.properties.user_id",
    "langfuse.trace.user_id",
    "langsmith.metadata.user_id",
];
pub(super) const TEAM: &Names = names![20;
    "team",
    "team.name",
    "team.id",
    "metadata.team",
    "langfuse.trace.metadata.team",
    "langfuse.observation.metadata.team",
    "traceloop.association.properties.team",
    "ai.telemetry.metadata.team",
    "langsmith.metadata.team",
];

pub(super) const SERVICE: &Names = names![22; "service.name"];
pub(super) const ENVIRONMENT: &Names =
    names![23; "deployment.environment.name", "deployment.environment", "langfuse.environment"];
pub(super) const AGENT: &Names = names![24; "gen_ai.agent.name", "agent_name", "agent.name"];
pub(super) const PROJECT: &Names = names![25; "project", "project.name", "service.namespace"];
pub(super) const CUSTOMER: &Names = names![26; "customer", "customer.id"];
pub(super) const FEATURE: &Names = names![27; "feature", "ai.telemetry.functionId"];
pub(super) const RUN_ID: &Names = names![28; "mlflow.run_id", "wandb.run_id", "clearml.task_id", "k8s.job.name"];
/// The tier that served a call.
pub(super) const TIER: &Names = names![29; "openai.response.service_tier", "gen_ai.openai.response.service_tier"];

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
    "ruby_llm",
    "agno",
    "dspy",
    "litellm",
    "mastra",
    "microsoft.agent_framework",
    "openai_agents",
    "pydantic_ai",
    "semantic_kernel",
    "smolagents",
    "spring_ai",
];

/// Attributes that state usage, for the original usage of an event.
pub(super) fn is_usage(name: &str) -> bool {
    const FAMILIES: &[&str] = &[
        "gen_ai.usage.",
        "llm.token_count.",
        "llm.usage.",
        "ai.usage.",
        "codex.usage.",
        "judgment.usage.",
        "braintrust.metrics.",
        "langwatch.metrics.",
    ];
    FAMILIES.iter().any(|family| name.starts_with(family)) || (name.starts_with("ai.") && name.ends_with(".used"))
}
