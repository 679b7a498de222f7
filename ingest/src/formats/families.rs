//! Who serves a body that does not name its provider.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::envelope::has_word;
use crate::formats::copilot;
use crate::json::{Json, Object};

/// Who serves a body that does not say so, told by fields only that provider writes.
pub(super) fn by_fields(object: &Object<'_>, usage: Option<&Object<'_>>) -> Option<&'static str> {
    let has = |name: &str| usage.is_some_and(|usage| usage.get(name).is_some());
    let cost = usage.and_then(|usage| usage.object("cost"));
    // A field that is there and empty is what a client prints of a type that knows many providers.
    let named = |prove: fn(&str) -> bool| object.string("model").is_some_and(|model| prove(&model));
    let fingerprint = object.string("system_fingerprint");
    if copilot::is_told(object) {
        Some(copilot::PROVIDER)
    } else if usage.and_then(|usage| usage.object("extra_properties")).is_some_and(|about| about.has("google")) {
        Some("gcp.vertex_ai")
    } else if object.has("model_id") && (object.has("model_version") || object.has("created_at")) {
        Some("ibm.watsonx.ai")
    } else if object.has("amazon-bedrock-invocationMetrics") {
        Some("aws.bedrock")
    } else if object.get("x_groq").is_some()
        || (object.has("x_groq") && !named(|model| family(model).is_some()))
        || (has("queue_time") && has("total_time"))
    {
        Some("groq")
    } else if has("neurons") {
        Some("cloudflare")
    } else if has("prompt_cache_hit_tokens") && !named(is_of_another_house) {
        Some("deepseek")
    } else if has("cost_in_usd_ticks") || has("num_sources_used") || has("cached_prompt_text_tokens") {
        Some("x_ai")
    } else if gateway(object).is_some() {
        Some("vercel")
    } else if ((object.get("provider").is_some() || named(is_slug))
        && object.string("id").is_some_and(|id| id.starts_with("gen-")))
        || has("is_byok")
    {
        Some("openrouter")
    } else if has("guardrails_tokens") || has("guard_tokens") {
        Some("snowflake")
    } else if has("acceptance_rate") || has("completion_tokens_after_first_per_sec") {
        Some("sambanova")
    } else if has("estimated_cost") {
        Some("deepinfra")
    } else if object.get("base_resp").is_some() {
        Some("minimax")
    } else if object.object("timings").is_some_and(|timings| timings.has("predicted_n")) {
        Some("llama_cpp")
    } else if object.has("stats") && (object.has("model_info") || object.has("runtime")) {
        Some("lm_studio")
    } else if object.array("prompt").is_some() && object.has("choices") {
        // The texts of the prompt, empty for chats (<https://docs.together.ai/reference/chat-completions-1>, not opened:
        // written from knowledge of the service).
        Some("together_ai")
    } else if object.get("x_nanogpt_pricing").is_some() {
        Some("nano_gpt")
    } else if object.get("venice_parameters").is_some() || object.object("cost").is_some_and(|cost| cost.has("diem")) {
        Some("venice")
    } else if object.get("time_info").is_some() {
        Some("cerebras")
    } else if object.get("prompt_filter_results").is_some()
        || object.get("content_filters").is_some()
        // Where the model answers from one's own data, and how long its engine took (public clients, read 2026-11-30).
        || object.string("object").is_some_and(|object| object.starts_with("extensions."))
        || has("latency_checkpoint")
        || is_filtered(object)
    {
        Some("azure.ai.openai")
    } else if ["num_search_queries", "search_context_size", "tool_calls_details"].iter().any(|name| has(name))
        || (object.get("search_results").is_some()
            && object.string("model").is_none_or(|model| model.contains("sonar")))
        // Bifrost copied the names of its costs.
        || (!object.has("extra_fields") && cost.is_some_and(|cost| cost.has("input_cost") || cost.has("input_tokens_cost")))
    {
        Some("perplexity")
    } else if object.has("need_clear_history") {
        Some("qianfan")
    } else if fingerprint.as_deref().is_some_and(|print| print == "fp_ollama") {
        Some("ollama")
    } else if fingerprint.is_some_and(|print| print.starts_with("fpv0_")) {
        Some("moonshot_ai")
    } else if object.has("request_id")
        && named(|model| model.starts_with("glm-"))
        && object.string("request_id") == object.string("id")
    {
        // Whoever else serves these models, under the same names, has no second name for an answer.
        Some("zai")
    } else {
        None
    }
}

/// True for a model as OpenRouter writes it: maker and model in small letters. Others, who number their answers alike, write the names
/// of Hugging Face (Doubleword: answers that others published, read 2026-11-30).
fn is_slug(model: &str) -> bool {
    model.contains('/') && !model.contains(|c: char| c.is_ascii_uppercase())
}

/// True for a model under the name of whoever made it, as those write it who serve the models of many.
fn is_of_another_house(model: &str) -> bool {
    model.contains('/') && !model.starts_with("deepseek/")
}

/// What Vercel's gateway says of a call, beside the answer or within a message of it: whom it asked, and the cost
/// (<https://vercel.com/docs/ai-gateway>, not opened; answers that others published, 2026-11-29).
pub(super) fn gateway<'a>(object: &Object<'a>) -> Option<Object<'a>> {
    let told = |object: &Object<'a>| {
        let about = object.object("provider_metadata").or_else(|| object.object("providerMetadata"))?;
        about.object("gateway").filter(|gateway| gateway.has("routing"))
    };
    let within = || {
        let choices = object.get("choices").filter(|choices| holds(choices, &ROUTED))?;
        let said = |choice: Object<'a>| choice.object("message").or_else(|| choice.object("delta"));
        choices.array()?.into_iter().filter_map(Json::object).find_map(|choice| told(&said(choice)?))
    };
    told(object).or_else(within)
}

/// Words that are looked for in every answer; getting ready to look for them takes longer than to look through most.
static ROUTED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"gateway\""));
static FILTERED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"content_filter_results\""));

/// True for a value whose text has these words: contents are long, and are only opened for a reason.
fn holds(value: &Json<'_>, words: &Finder<'_>) -> bool {
    words.find(value.text().as_bytes()).is_some()
}

/// True for choices, or images, with what Azure's filters found in them.
fn is_filtered(object: &Object<'_>) -> bool {
    let list = object.get("choices").or_else(|| object.get("data"));
    list.filter(|list| holds(list, &FILTERED)).and_then(Json::array).is_some_and(|list| {
        list.into_iter().filter_map(Json::object).any(|choice| choice.get("content_filter_results").is_some())
    })
}

/// True for a server that one runs oneself.
pub(super) fn is_self_hosted(provider: &str) -> bool {
    matches!(provider, "llama_cpp" | "lm_studio" | "koboldcpp")
}

/// Who makes and serves a family of models that nobody else serves under the same bare name. Open-weight models
/// (gpt-oss, llama, deepseek-r1, ...) are served by many, so their names prove nothing.
pub(crate) fn family(model: &str) -> Option<&'static str> {
    const FAMILIES: &[(&str, &str)] = &[
        ("gpt-oss", ""),
        ("gpt-j-", ""),
        ("gpt-neo", ""),
        ("gpt-35-", "azure.ai.openai"),
        ("gpt-", "openai"),
        ("chatgpt-", "openai"),
        ("o1-", "openai"),
        ("o3-", "openai"),
        ("o4-", "openai"),
        ("ft:", "openai"),
        ("text-embedding-3", "openai"),
        ("text-embedding-ada", "openai"),
        ("text-davinci", "openai"),
        ("davinci-", "openai"),
        ("babbage-", "openai"),
        ("omni-moderation", "openai"),
        ("text-moderation", "openai"),
        ("whisper-1", "openai"),
        ("tts-1", "openai"),
        ("dall-e", "openai"),
        ("computer-use-preview", "openai"),
        ("codex-mini", "openai"),
        ("claude-", "anthropic"),
        ("gemini-", "gcp.gemini"),
        ("models/gemini-", "gcp.gemini"),
        ("grok-", "x_ai"),
        ("deepseek-chat", "deepseek"),
        ("deepseek-reasoner", "deepseek"),
        ("deepseek-v4", "deepseek"),
        ("mistral-large", "mistral_ai"),
        ("mistral-medium", "mistral_ai"),
        ("mistral-small", "mistral_ai"),
        ("mistral-tiny", "mistral_ai"),
        ("mistral-embed", "mistral_ai"),
        ("mistral-ocr", "mistral_ai"),
        ("mistral-moderation", "mistral_ai"),
        ("ministral-", "mistral_ai"),
        ("magistral-", "mistral_ai"),
        ("codestral-", "mistral_ai"),
        ("devstral-", "mistral_ai"),
        ("pixtral-", "mistral_ai"),
        ("open-mistral-", "mistral_ai"),
        ("open-mixtral-", "mistral_ai"),
        ("open-codestral-", "mistral_ai"),
        ("mistral-saba-2502", "mistral_ai"),
        ("mistral-saba-latest", "mistral_ai"),
        ("voxtral-", "mistral_ai"),
        ("command-", "cohere"),
        ("embed-english", "cohere"),
        ("embed-multilingual", "cohere"),
        ("embed-v4", "cohere"),
        ("embed-v5", "cohere"),
        ("c4ai-", "cohere"),
        ("rerank-lite-1", "voyageai"),
        ("rerank-1", "voyageai"),
        ("rerank-2", "voyageai"),
        ("rerank-3", "voyageai"),
        ("rerank-", "cohere"),
        ("sonar", "perplexity"),
        ("pplx-", "perplexity"),
        // Names of its own for models of open weights.
        ("llama-3.1-8b-instant", "groq"),
        ("llama-3.1-70b-versatile", "groq"),
        ("llama-3.3-70b-versatile", "groq"),
        ("llama-3.3-70b-specdec", "groq"),
        ("llama3-8b-8192", "groq"),
        ("llama3-70b-8192", "groq"),
        ("mixtral-8x7b-32768", "groq"),
        ("sora-", "openai"),
        ("@cf/", "cloudflare"),
        ("@hf/", "cloudflare"),
        ("kimi-latest", "moonshot_ai"),
        ("kimi-thinking-preview", "moonshot_ai"),
        ("kimi-k2-0711-preview", "moonshot_ai"),
        ("kimi-k2-0905-preview", "moonshot_ai"),
        ("kimi-k2-turbo-preview", "moonshot_ai"),
        ("kimi-k2-thinking-turbo", "moonshot_ai"),
        ("glm-4-plus", "zai"),
        ("glm-4-air", "zai"),
        ("glm-4-flash", "zai"),
        ("glm-4-long", "zai"),
        ("moonshot-v1", "moonshot_ai"),
        ("voyage-", "voyageai"),
        ("accounts/fireworks/", "fireworks"),
        ("doubao-", "volcengine"),
        ("seedance-", "volcengine"),
        ("seedream-", "volcengine"),
        ("palmyra-", "writer"),
        ("jamba-", "ai21"),
        ("hunyuan-", "tencent"),
        ("ernie-3.5", "qianfan"),
        ("ernie-4.0", "qianfan"),
        ("ernie-4.5-turbo", "qianfan"),
        ("ernie-5.", "qianfan"),
        ("ernie-x1", "qianfan"),
        ("ernie-speed", "qianfan"),
        ("ernie-lite", "qianfan"),
        ("ernie-char", "qianfan"),
        ("step-1", "stepfun"),
        ("step-2", "stepfun"),
        ("abab", "minimax"),
        ("eleven_", "elevenlabs"),
        ("scribe_v", "elevenlabs"),
        ("solar-pro", "upstage"),
        ("solar-mini", "upstage"),
        ("document-parse", "upstage"),
        ("GigaChat", "gigachat"),
        ("text-embedding-004", "gcp.gemini"),
        ("text-embedding-005", "gcp.vertex_ai"),
        ("text-multilingual-embedding-0", "gcp.vertex_ai"),
        ("textembedding-gecko", "gcp.vertex_ai"),
        ("multimodalembedding", "gcp.vertex_ai"),
    ];
    if is_weights(model) {
        return None;
    }
    if is_of_bedrock(model) {
        return Some("aws.bedrock");
    }
    if matches!(model, "o1" | "o3") {
        return Some("openai");
    }
    // Tags of Ollama's library (`mistral-small:24b`).
    let tagged = ["ft:", "gpt-3.5-", "GigaChat"].iter().all(|prefix| !model.starts_with(prefix));
    if model.contains(':') && tagged {
        return None;
    }
    if is_of_vertex(model) {
        return Some("gcp.vertex_ai");
    }
    match FAMILIES.iter().find(|(prefix, _)| model.starts_with(prefix)) {
        Some((_, provider)) => Some(*provider).filter(|provider| !provider.is_empty()),
        None => edition(model),
    }
}

/// Who serves an edition of a model that is named by its speed or its rank: makers of open weights keep those for themselves, and name
/// the weights by their size.
fn edition(model: &str) -> Option<&'static str> {
    const RANKS: [&str; 5] = ["-max", "-plus", "-turbo", "-flash", "-long"];
    // Who serves the models of many writes the maker before them; Fireworks writes no points.
    if model.contains('/') || model.contains("3p") {
        return None;
    }
    let lower = model.to_ascii_lowercase();
    let begins = |makers: &[&str]| makers.iter().any(|maker| lower.starts_with(maker));
    let ends = |editions: &[&str]| editions.iter().any(|edition| lower.ends_with(edition));
    if begins(&["qwen", "qwq-", "qvq-"]) && RANKS.iter().any(|rank| lower.contains(rank)) {
        return Some("dashscope");
    }
    if begins(&["minimax-"]) && ends(&["-highspeed", "-lightning"]) {
        return Some("minimax");
    }
    if begins(&["kimi-"]) && ends(&["-highspeed"]) {
        return Some("moonshot_ai");
    }
    (begins(&["glm-"]) && ends(&["-x", "-airx", "-flashx"])).then_some("zai")
}

/// True for a name with its version as Vertex AI alone writes it: `claude-sonnet-4-5@20250929`, `codestral@latest`.
fn is_of_vertex(model: &str) -> bool {
    let version = model.split_once('@').filter(|(name, _)| !name.is_empty()).map(|(_, version)| version);
    version.is_some_and(|version| {
        matches!(version, "default" | "latest") || version.starts_with(|first: char| first.is_ascii_digit())
    })
}

/// True for a file of weights, which whoever has it serves.
fn is_weights(model: &str) -> bool {
    has_word(model, "gguf") || has_word(model, "GGUF") || model.ends_with(".safetensors")
}

/// True for a name as Bedrock alone writes it: maker, dot, model, perhaps after the region of a profile
/// (<https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html>, not opened).
fn is_of_bedrock(model: &str) -> bool {
    const REGIONS: [&str; 9] = ["us.", "eu.", "apac.", "global.", "us-gov.", "jp.", "au.", "ca.", "in."];
    const MAKERS: [&str; 18] = [
        "anthropic.claude",
        "amazon.",
        "meta.llama",
        "mistral.",
        "cohere.",
        "ai21.",
        "deepseek.",
        "openai.gpt-oss",
        "qwen.",
        "stability.",
        "twelvelabs.",
        "writer.",
        "google.gemma",
        "minimax.minimax",
        "moonshot.kimi",
        "moonshotai.kimi",
        "nvidia.nemotron",
        "zai.glm",
    ];
    let within = REGIONS.iter().find_map(|region| model.strip_prefix(region));
    let name = within.unwrap_or(model);
    // Oracle, too, writes the models of OpenAI and xAI in this way, but has no profiles.
    let profiled = |name: &str| name.starts_with("openai.") || name.starts_with("xai.");
    MAKERS.iter().any(|maker| name.starts_with(maker)) || within.is_some_and(profiled)
}

/// True for a name that says that another than Anthropic serves it, in Anthropic's own tongue.
pub(super) fn is_owned(model: &str) -> bool {
    is_of_others(model) || is_of_bedrock(model) || is_of_vertex(model)
}

/// True for a model of Claude's rivals: servers that speak like Anthropic serve them, and Anthropic does not.
fn is_of_others(model: &str) -> bool {
    const OTHERS: [&str; 10] =
        ["glm-", "kimi", "minimax", "deepseek", "qwen", "gpt-", "gemini", "grok", "llama", "mistral"];
    let model = model.to_ascii_lowercase();
    !model.contains("claude") && OTHERS.iter().any(|other| model.contains(other))
}
