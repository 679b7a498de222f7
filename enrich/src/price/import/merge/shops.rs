//! The sellers in the default book: what calls name them, and where the packages keep their prices.

/// A seller and the names it goes by.
#[derive(Debug)]
pub(super) struct Shop {
    /// Name of the file, and beginning of the names of its SKUs.
    pub file: &'static str,
    /// As OpenTelemetry names it, and so our events.
    pub provider: &'static str,
    /// Other names of the same list.
    pub also: &'static [&'static str],
    /// `litellm_provider` of its entries, those before the first `-` alone for `vertex_ai`.
    pub litellm: &'static [&'static str],
    /// Provider of genai-prices.
    pub genai: &'static str,
    /// Page its prices are published on.
    pub page: &'static str,
    /// Prefixes of model names that mean nothing.
    pub strip: &'static [&'static str],
    /// Whether a long-context price holds from its threshold on, and not only above it: litellm states the threshold itself,
    /// genai-prices one less, which a call has to exceed.
    pub inclusive: bool,
}

const SHOP: Shop =
    Shop { file: "", provider: "", also: &[], litellm: &[], genai: "", page: "", strip: &[], inclusive: false };

/// Every seller of the default book. A package's other sellers are left out: add a line to have them.
pub(super) const SHOPS: &[Shop] = &[
    Shop {
        file: "openai",
        provider: "openai",
        litellm: &["openai", "text-completion-openai"],
        genai: "openai",
        page: "https://developers.openai.com/api/docs/pricing",
        ..SHOP
    },
    Shop {
        file: "anthropic",
        provider: "anthropic",
        litellm: &["anthropic"],
        genai: "anthropic",
        page: "https://platform.claude.com/docs/en/about-claude/pricing",
        ..SHOP
    },
    Shop {
        file: "google",
        provider: "gcp.gemini",
        litellm: &["gemini", "vertex_ai"],
        genai: "google",
        page: "https://ai.google.dev/gemini-api/docs/pricing",
        ..SHOP
    },
    Shop {
        file: "xai",
        provider: "x_ai",
        also: &["xai", "x-ai"],
        litellm: &["xai"],
        genai: "x-ai",
        page: "https://docs.x.ai/developers/pricing",
        strip: &["xai/"],
        // "Bill the long context rates for all tokens in a request once its prompt reaches ...".
        inclusive: true,
    },
    Shop {
        file: "deepseek",
        provider: "deepseek",
        litellm: &["deepseek"],
        genai: "deepseek",
        page: "https://api-docs.deepseek.com/quick_start/pricing",
        ..SHOP
    },
    Shop {
        file: "mistral",
        provider: "mistral_ai",
        also: &["mistral"],
        litellm: &["mistral", "codestral", "text-completion-codestral"],
        genai: "mistral",
        page: "https://mistral.ai/pricing",
        ..SHOP
    },
    Shop {
        file: "cohere",
        provider: "cohere",
        litellm: &["cohere", "cohere_chat"],
        genai: "cohere",
        page: "https://cohere.com/pricing",
        ..SHOP
    },
    Shop {
        file: "bedrock",
        provider: "aws.bedrock",
        also: &["bedrock"],
        litellm: &["bedrock", "bedrock_converse", "bedrock_mantle"],
        genai: "aws",
        page: "https://aws.amazon.com/bedrock/pricing/",
        ..SHOP
    },
    Shop {
        file: "azure",
        provider: "azure.ai.openai",
        also: &["azure"],
        litellm: &["azure", "azure_text"],
        genai: "azure",
        page: "https://azure.microsoft.com/en-us/pricing/details/cognitive-services/openai-service/",
        strip: &["azure/"],
        ..SHOP
    },
    Shop {
        file: "azure-foundry",
        provider: "azure.ai.inference",
        also: &["azure_ai"],
        litellm: &["azure_ai"],
        genai: "azure",
        page: "https://azure.microsoft.com/en-us/pricing/details/ai-foundry-models/",
        strip: &["azure_ai/"],
        ..SHOP
    },
    Shop {
        file: "groq",
        provider: "groq",
        litellm: &["groq"],
        genai: "groq",
        page: "https://groq.com/pricing",
        ..SHOP
    },
    Shop {
        file: "perplexity",
        provider: "perplexity",
        litellm: &["perplexity"],
        genai: "perplexity",
        page: "https://docs.perplexity.ai/getting-started/pricing",
        ..SHOP
    },
    Shop {
        file: "together",
        provider: "together_ai",
        litellm: &["together_ai"],
        genai: "together",
        page: "https://www.together.ai/pricing",
        ..SHOP
    },
    Shop {
        file: "fireworks",
        provider: "fireworks",
        litellm: &["fireworks_ai"],
        genai: "fireworks",
        page: "https://fireworks.ai/pricing",
        ..SHOP
    },
    Shop {
        file: "openrouter",
        provider: "openrouter",
        litellm: &["openrouter"],
        genai: "openrouter",
        page: "https://openrouter.ai/models",
        strip: &["openrouter/"],
        ..SHOP
    },
    Shop {
        file: "moonshot",
        provider: "moonshot_ai",
        litellm: &["moonshot"],
        genai: "moonshotai",
        page: "https://platform.moonshot.ai/docs/pricing/chat",
        ..SHOP
    },
    Shop {
        file: "zai",
        provider: "zai",
        also: &["z_ai", "zhipuai"],
        litellm: &["zai"],
        genai: "zai",
        page: "https://docs.z.ai/guides/overview/pricing",
        ..SHOP
    },
    Shop {
        file: "minimax",
        provider: "minimax",
        litellm: &["minimax"],
        genai: "minimax",
        page: "https://platform.minimax.io/docs/guides/pricing",
        ..SHOP
    },
    Shop {
        file: "alibaba",
        provider: "dashscope",
        also: &["alibaba", "qwen"],
        litellm: &["dashscope"],
        genai: "",
        page: "https://www.alibabacloud.com/help/en/model-studio/model-pricing",
        ..SHOP
    },
    Shop {
        file: "cerebras",
        provider: "cerebras",
        litellm: &["cerebras"],
        genai: "cerebras",
        page: "https://www.cerebras.ai/pricing",
        ..SHOP
    },
    Shop {
        file: "voyage",
        provider: "voyageai",
        also: &["voyage", "voyage_ai"],
        litellm: &["voyage"],
        genai: "voyageai",
        page: "https://docs.voyageai.com/docs/pricing",
        ..SHOP
    },
    Shop {
        file: "elevenlabs",
        provider: "elevenlabs",
        litellm: &["elevenlabs"],
        genai: "elevenlabs",
        page: "https://elevenlabs.io/pricing/api",
        ..SHOP
    },
    Shop {
        file: "deepgram",
        provider: "deepgram",
        litellm: &["deepgram"],
        genai: "",
        page: "https://deepgram.com/pricing",
        ..SHOP
    },
];
