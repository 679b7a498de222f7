//! Names of providers as people write them, and as calls carry them.

use schemas::Text;

/// What tools and people call providers whose calls carry another name: that of OpenTelemetry (`gen_ai.provider.name`,
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/>), as ingest writes it whoever sent the call.
const SPELLINGS: &[(&str, &str)] = &[
    ("bedrock", "aws.bedrock"),
    ("aws_bedrock", "aws.bedrock"),
    ("aws-bedrock", "aws.bedrock"),
    ("amazon-bedrock", "aws.bedrock"),
    ("amazon_bedrock", "aws.bedrock"),
    ("aws", "aws.bedrock"),
    ("azure", "azure.ai.openai"),
    ("azure_openai", "azure.ai.openai"),
    ("azure-openai", "azure.ai.openai"),
    ("azure_ai", "azure.ai.inference"),
    ("vertex", "gcp.vertex_ai"),
    ("vertexai", "gcp.vertex_ai"),
    ("vertex_ai", "gcp.vertex_ai"),
    ("vertex-ai", "gcp.vertex_ai"),
    ("google-vertex", "gcp.vertex_ai"),
    ("google", "gcp.gemini"),
    ("gemini", "gcp.gemini"),
    ("google-ai-studio", "gcp.gemini"),
    ("mistral", "mistral_ai"),
    ("mistralai", "mistral_ai"),
    ("xai", "x_ai"),
    ("x-ai", "x_ai"),
    ("grok", "x_ai"),
    ("together", "together_ai"),
    ("togetherai", "together_ai"),
    ("fireworks_ai", "fireworks"),
    ("fireworks-ai", "fireworks"),
    ("moonshot", "moonshot_ai"),
    ("moonshotai", "moonshot_ai"),
    ("voyage", "voyageai"),
    ("zhipu", "zai"),
    ("alibaba", "dashscope"),
    ("qwen", "dashscope"),
];

/// The name that calls carry.
pub(super) fn as_calls_carry_it(name: &Text) -> Text {
    let lower = name.to_ascii_lowercase();
    let found = SPELLINGS.iter().find(|(spelling, _)| *spelling == lower);
    found.map_or_else(|| name.clone(), |(_, carried)| Text::const_new(carried))
}
