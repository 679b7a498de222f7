//! Names that houses give to a model and to the counts beside it, where they are neither a provider's nor ours: `model_name` and
//! `token_usage`, `modelId` and `tokens`, counts with the word in the middle.

use std::borrow::Cow;

use crate::config::TEXT_BYTES_MAX;
use crate::json::{self, Json, Object};
use crate::number;

/// Where the model stands.
const MODELS: [&str; 10] = [
    "model",
    "model_name",
    "modelName",
    "llm_model",
    "model_id",
    "modelId",
    "llm_model_name",
    // What answered goes before what was asked for.
    "resolved_model",
    "response_model",
    "requested_model",
];

/// Where an object of counts stands.
const OBJECTS: [&str; 5] = ["token_usage", "tokenUsage", "tokens", "token_counts", "usage"];

/// Counts with the word in the middle, and what they are to OpenAI.
const COUNTS: [(&str, &[&str]); 2] = [
    ("prompt_tokens", &["input_token_count", "inputTokenCount", "num_input_tokens", "InputTokens", "PromptTokens"]),
    (
        "completion_tokens",
        &["output_token_count", "outputTokenCount", "num_output_tokens", "OutputTokens", "CompletionTokens"],
    ),
];

/// Counts of Gemini's, in a flat record.
const GEMINI: [&str; 2] = ["promptTokenCount", "prompt_token_count"];

/// True for a record with a model and counts of both ways.
pub(crate) fn is_record(object: &Object<'_>) -> bool {
    model(object).is_some() && counts(object, false).is_some()
}

/// The model, under whatever name.
pub(crate) fn model<'a>(object: &Object<'a>) -> Option<Cow<'a, str>> {
    let named = |name: &&str| object.string(name).filter(|text| !text.is_empty() && text.len() <= TEXT_BYTES_MAX);
    MODELS.iter().find_map(named)
}

/// Who serves it, under a name of the house's.
pub(crate) fn provider<'a>(object: &Object<'a>) -> Option<Cow<'a, str>> {
    let named = |name: &&str| object.string(name).filter(|text| !text.is_empty() && text.len() <= TEXT_BYTES_MAX);
    ["llm_provider", "model_provider", "provider_name"].iter().find_map(named)
}

/// The counts as a usage object in a spelling that is known.
pub(crate) fn counts(object: &Object<'_>, anthropic: bool) -> Option<String> {
    let called_usage = |(name, value)| name_of_usage(name).then_some(value);
    let value = object.first(&OBJECTS).map(|(_, value)| value).or_else(|| object.iter().find_map(called_usage));
    if let Some(found) = value.and_then(Json::object) {
        let whole = || value.filter(|_| told(&found)).map(|value| value.text().to_owned());
        return in_full(&found, anthropic).or_else(|| with_caches(&found)).or_else(whole);
    }
    if GEMINI.iter().any(|name| object.has(name)) {
        return Some(listed(object, |name| name.contains("oken").then_some(name)));
    }
    let renamed = |name| COUNTS.iter().find(|(_, names)| names.contains(&name)).map(|(full, _)| *full);
    let found = object.iter().any(|(name, value)| renamed(name) == Some("prompt_tokens") && value.number().is_some());
    found.then(|| listed(object, renamed))
}

/// Counts in words as short as houses write them (`{"input": 100, "output": 20}`), in OpenAI's: what a cache gave and took is
/// inside the input, unless the total, its size or who serves the model says that it stands beside it, as Bedrock has it.
/// `None` for any other words.
pub(super) fn in_full(usage: &Object<'_>, anthropic: bool) -> Option<String> {
    const WORDS: [(&str, &str, &[&[&str]]); 6] = [
        ("prompt_tokens", "inputTokens", &[&["input", "prompt", "in"]]),
        ("completion_tokens", "outputTokens", &[&["output", "completion", "out"]]),
        ("total_tokens", "", &[&["total"]]),
        ("cached_tokens", "cacheReadInputTokens", &[&["cached", "cached_input"], READ]),
        ("cache_write_tokens", "cacheWriteInputTokens", &[WRITTEN]),
        ("reasoning_tokens", "", &[&["reasoning", "thinking"]]),
    ];
    let known = |name: &str| WORDS.iter().position(|(.., words)| words.iter().any(|words| words.contains(&name)));
    let mut found = [None; WORDS.len()];
    for (name, value) in usage.iter() {
        let count = number::count(value.number()?).ok()?;
        found[known(name)?].get_or_insert(count);
    }
    let [input, output, total, read, written, _] = found.map(Option::unwrap_or_default);
    found[0]?;
    let beside = match read + written {
        0 => false,
        cached if total == input + output + cached => true,
        cached => total != input + output && (anthropic || cached > input),
    };
    let mut whole = String::from("{");
    for ((inside, apart, _), count) in WORDS.iter().zip(found) {
        let name = if beside { apart } else { inside };
        if let Some(count) = count.filter(|_| !name.is_empty()) {
            json::put_field(&mut whole, name, &count.to_string());
        }
    }
    whole.push('}');
    Some(whole)
}

/// What houses call what a cache gave, and what it took, beside counts in a provider's spelling.
const READ: &[&str] = &["cache_read", "cacheRead", "cacheReadTokens"];
const WRITTEN: &[&str] =
    &["cache_write", "cacheWrite", "cacheWriteTokens", "cache_creation", "cacheCreation", "cacheCreationTokens"];

/// True for a count of a cache under a house's name.
pub(super) fn is_of_a_cache(name: &str) -> bool {
    READ.contains(&name) || WRITTEN.contains(&name)
}

/// Counts in a provider's spelling whose caches have shorter names, as that provider spells them; `None` where they have not.
pub(super) fn with_caches(counts: &Object<'_>) -> Option<String> {
    let names = match () {
        () if counts.has("input_tokens") || counts.has("prompt_tokens") => {
            ["cache_read_input_tokens", "cache_creation_input_tokens"]
        }
        () if counts.has("inputTokens") => ["cacheReadInputTokens", "cacheWriteInputTokens"],
        () => return None,
    };
    let renamed = |name: &str| match () {
        () if READ.contains(&name) => Some(names[0]),
        () if WRITTEN.contains(&name) => Some(names[1]),
        () => None,
    };
    let counted = |value: Json<'_>| value.number().is_some();
    let told = |(name, value): (&str, Json<'_>)| renamed(name).is_some_and(|full| counted(value) && !counts.has(full));
    if !counts.iter().any(told) {
        return None;
    }
    let mut whole = String::from("{");
    for (name, value) in counts.iter().filter(|(_, value)| counted(*value) || value.object().is_some()) {
        let full = renamed(name).filter(|full| counted(value) && !counts.has(full));
        json::put_field(&mut whole, full.unwrap_or(name), value.text());
    }
    whole.push('}');
    Some(whole)
}

/// True for `llm_usage`, `claudeCliUsage`, `usage_stats` and the like.
fn name_of_usage(name: &str) -> bool {
    name.ends_with("_usage") || name.ends_with("Usage") || matches!(name, "usage_info" | "usage_stats" | "usageInfo")
}

/// True for counts in a provider's spelling.
fn told(usage: &Object<'_>) -> bool {
    ["prompt_tokens", "input_tokens", "promptTokens", "inputTokens", "promptTokenCount"]
        .iter()
        .any(|name| usage.has(name))
}

/// The counts among the fields of a record, under the names they are given.
fn listed<'o>(object: &'o Object<'_>, rename: impl Fn(&'o str) -> Option<&'o str>) -> String {
    let mut whole = String::from("{");
    let counts = object.iter().filter(|(_, value): &(&str, Json<'_>)| value.number().is_some());
    for (name, value) in counts.filter_map(|(name, value)| Some((rename(name)?, value))) {
        json::put_field(&mut whole, name, value.text());
    }
    whole.push('}');
    whole
}
