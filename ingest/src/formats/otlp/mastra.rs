//! Spans of Mastra as its storage and its exporters hold them: what a model used stands among their attributes in names of its own. A
//! generation counts the steps beneath it (spans in public code that writes and reads them, 2026-11-30).

use std::borrow::Cow;

use super::batch::{Attributes, Value};
use crate::json::Object;

/// Its kinds of spans that state usage.
const KINDS: [&str; 6] =
    ["model_generation", "llm_generation", "model_step", "agent_run", "workflow_run", "workflow_step"];

/// What its attributes are called by the conventions.
const NAMES: [(&str, &str); 17] = [
    ("model", "gen_ai.request.model"),
    ("responseModel", "gen_ai.response.model"),
    ("responseId", "gen_ai.response.id"),
    ("provider", "gen_ai.provider.name"),
    ("usage.inputTokens", "gen_ai.usage.input_tokens"),
    ("usage.promptTokens", "gen_ai.usage.input_tokens"),
    ("usage.outputTokens", "gen_ai.usage.output_tokens"),
    ("usage.completionTokens", "gen_ai.usage.output_tokens"),
    ("usage.totalTokens", "gen_ai.usage.total_tokens"),
    ("usage.inputDetails.cacheRead", "gen_ai.usage.cache_read.input_tokens"),
    ("usage.cachedInputTokens", "gen_ai.usage.cache_read.input_tokens"),
    ("usage.promptCacheHitTokens", "gen_ai.usage.cache_read.input_tokens"),
    ("usage.inputDetails.cacheWrite", "gen_ai.usage.cache_creation.input_tokens"),
    ("usage.inputDetails.audio", "gen_ai.usage.audio.input_tokens"),
    ("usage.outputDetails.audio", "gen_ai.usage.audio.output_tokens"),
    ("usage.outputDetails.reasoning", "gen_ai.usage.reasoning.output_tokens"),
    ("usage.reasoningTokens", "gen_ai.usage.reasoning.output_tokens"),
];

/// The kind of a span of Mastra that may state usage.
pub(super) fn kind<'a>(object: &Object<'a>) -> Option<Cow<'a, str>> {
    let told = object.has("traceId") && (object.has("spanType") || object.has("isEvent"));
    let kind = object.first(&["spanType", "type"]).filter(|_| told)?.1.string()?;
    KINDS.contains(&&*kind).then_some(kind)
}

/// Adds what the conventions call its kind and its attributes.
pub(super) fn translate<'a>(kind: Cow<'a, str>, attributes: &mut Attributes<'a>) {
    let stated = |name: &str| attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let found: Vec<_> =
        NAMES.iter().filter_map(|(name, by_convention)| Some((*by_convention, stated(name)?))).collect();
    attributes.push("mastra.span.type".into(), Value::Text(kind));
    for (name, value) in found {
        attributes.push(name.into(), value);
    }
}
