//! Names of providers: one for each, that of OpenTelemetry (`gen_ai.provider.name`) where it has one.

/// The name that calls carry for what tools and people call a provider, in small letters; `None` for a name that is carried as it is.
///
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/>, checked 2026-11-22.
pub fn carried_name(lower: &str) -> Option<&'static str> {
    Some(match lower {
        // Cline's, beside an interface that many have.
        "openai-native" => "openai",
        "azure" | "azure_openai" | "azure-openai" | "azureopenai" | "az.ai.openai" | "azure_text" => "azure.ai.openai",
        "azure_ai" | "az.ai.agents" | "azure.ai.agents" | "az.ai.inference" | "azure_ai_inference" => {
            "azure.ai.inference"
        }
        "bedrock" | "aws_bedrock" | "aws-bedrock" | "amazon-bedrock" | "amazon_bedrock" | "bedrock_converse"
        | "converse" | "amazon" | "aws" | "aws bedrock" => "aws.bedrock",
        // The Agent Development Kit, which calls Gemini on Vertex.
        "gcp.vertex.agent" => "gcp.vertex_ai",
        "google"
        | "gemini"
        | "google_genai"
        | "google-genai"
        | "google.generative-ai"
        | "google-ai-studio"
        | "google_ai_studio"
        | "google-gla"
        | "googleai"
        | "google_genai_ai"
        | "gcp.gen_ai" => "gcp.gemini",
        "vertex"
        | "vertexai"
        | "vertex_ai"
        | "vertex-ai"
        | "google_vertexai"
        | "google-vertex"
        | "google.vertex"
        | "google-vertexai"
        | "google-vertex-anthropic"
        | "vertex.anthropic"
        | "google.vertex.anthropic"
        | "vertex_ai_gemini"
        | "vertex_ai_beta" => "gcp.vertex_ai",
        "mistral" | "mistralai" => "mistral_ai",
        "xai" | "x-ai" | "x.ai" | "grok" => "x_ai",
        "together" | "togetherai" | "together-ai" | "together.ai" => "together_ai",
        "fireworks_ai" | "fireworksai" | "fireworks-ai" | "fireworks.ai" => "fireworks",
        "cohere_chat" => "cohere",
        "openrouter.ai" => "openrouter",
        "perplexity-ai" | "perplexity_ai" | "pplx" => "perplexity",
        "moonshot" | "moonshotai" => "moonshot_ai",
        "zhipu" | "zhipuai" | "z.ai" | "z-ai" | "z_ai" => "zai",
        "alibaba" | "aliyun" | "qwen" | "alibaba_cloud" | "tongyi" => "dashscope",
        "voyage" | "voyage_ai" | "voyage-ai" => "voyageai",
        "ark" | "doubao" | "volcano" | "bytedance" | "volcengine_maas" => "volcengine",
        "watsonx" | "watsonx.ai" | "ibm_watsonx" => "ibm.watsonx.ai",
        _ => return None,
    })
}
