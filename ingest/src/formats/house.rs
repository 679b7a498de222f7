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
    (
        "prompt_tokens",
        &[
            "input_token_count",
            "inputTokenCount",
            "num_input_tokens",
            "InputTokens",
            "PromptTokens",
            "prompt_token_count",
        ],
    ),
    (
        "completion_tokens",
        &[
            "output_token_count",
            "outputTokenCount",
            "num_output_tokens",
            "OutputTokens",
            "CompletionTokens",
            "completion_token_count",
        ],
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
        return renamed(&found, anthropic).or_else(whole);
    }
    if GEMINI.iter().any(|name| object.has(name)) && !object.has("completion_token_count") {
        return Some(listed(object, |name| name.contains("oken").then_some(name)));
    }
    let renamed = |name| COUNTS.iter().find(|(_, names)| names.contains(&name)).map(|(full, _)| *full);
    let found = object.iter().any(|(name, value)| renamed(name) == Some("prompt_tokens") && value.number().is_some());
    found.then(|| listed(object, renamed))
}

/// Counts under names that houses give them, in a spelling that is known; `None` where they need no other names.
pub(super) fn renamed(counts: &Object<'_>, anthropic: bool) -> Option<String> {
    let camel = in_full(counts, anthropic).or_else(|| in_camel(counts, anthropic));
    camel.or_else(|| with_caches(counts)).or_else(|| beside_an_object(counts))
}

/// Counts in short words, those of the cache in an object of its own, which stands beside the input as opencode has it (2026-11-30).
fn beside_an_object(counts: &Object<'_>) -> Option<String> {
    let cache = counts.object("cache")?;
    let count = |object: &Object<'_>, name: &str| number::count(object.get(name)?.number()?).ok();
    let input = count(counts, "input")?;
    let (output, reasoning) = (count(counts, "output")?, count(counts, "reasoning").unwrap_or(0));
    let (read, written) = (count(&cache, "read").unwrap_or(0), count(&cache, "write").unwrap_or(0));
    let whole = input + output + read + written;
    let beside = if count(counts, "total") == Some(whole + reasoning) { reasoning } else { 0 };
    Some(format!(
        r#"{{"inputTokens":{input},"outputTokens":{},"cacheReadInputTokens":{read},"cacheWriteInputTokens":{written}}}"#,
        output + beside
    ))
}

/// Counts in camel case that are neither Converse's nor the Vercel AI SDK's, as those in short words (2026-11-30).
pub(super) fn in_camel(counts: &Object<'_>, anthropic: bool) -> Option<String> {
    const WORDS: [(&str, &[&str]); 6] = [
        ("input", &["inputTokens", "promptTokens"]),
        ("output", &["outputTokens", "completionTokens"]),
        ("total", &["totalTokens"]),
        (
            "cached",
            &[
                "cachedTokens",
                "cachedPromptTokens",
                "cachedContentTokens",
                "cachedInputTokens",
                "cacheReadTokens",
                "cacheRead",
            ],
        ),
        ("cache_write", &["cacheWriteTokens", "cacheCreationTokens", "cacheWrite", "cacheCreation"]),
        ("reasoning", &["reasoningTokens", "thinkingTokens", "thoughtsTokens"]),
    ];
    let any = |names: &[&str]| {
        names.iter().any(|name| counts.get(name).and_then(Json::number).is_some_and(|count| count != "0"))
    };
    let [_, _, _, (_, read), (_, written), (_, reasoned)] = WORDS;
    // Converse has no reasoning, and its caches have other names.
    let own = any(&["cachedTokens", "cachedPromptTokens", "cachedContentTokens"])
        || ((any(&["promptTokens"]) || any(reasoned)) && (any(read) || any(written)) && !any(&["cachedInputTokens"]))
        || (any(&["promptTokens"]) && any(reasoned));
    if !own || counts.object("inputTokens").is_some() {
        return None;
    }
    let word = |name| WORDS.iter().find(|(_, names)| names.contains(&name)).map(|(word, _)| *word);
    in_full(&Object::of(&listed(counts, word))?, anthropic)
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

/// What was written to a cache by how long it lasts there, five minutes or an hour (2026-11-30).
const WRITTEN_5M: &[&str] = &[
    "cache_write_5m_tokens",
    "cache_write_5m",
    "cache_write_5m_input_tokens",
    "cache_creation_5m_tokens",
    "cache_creation_5m_input_tokens",
    "ephemeral_5m_input_tokens",
    "cacheWrite5mTokens",
    "cacheCreation5mTokens",
];
const WRITTEN_1H: &[&str] = &[
    "cache_write_1h_tokens",
    "cache_write_1h",
    "cache_write_1h_input_tokens",
    "cache_creation_1h_tokens",
    "cache_creation_1h_input_tokens",
    "ephemeral_1h_input_tokens",
    "cacheWrite1hTokens",
    "cacheCreation1hTokens",
];

/// True for a count of a cache under a house's name.
pub(super) fn is_of_a_cache(name: &str) -> bool {
    [READ, WRITTEN, WRITTEN_5M, WRITTEN_1H].iter().any(|names| names.contains(&name))
}

/// What was written to a cache, for five minutes and for an hour, where a lifetime is stated. Of one that is not, it is the rest.
fn lifetimes(counts: &Object<'_>, all: &str) -> Option<(i64, i64)> {
    let count = |names: &[&str]| {
        let digits = names.iter().find_map(|name| counts.get(name)?.number())?;
        number::count(digits).ok()
    };
    let (short, long) = (count(WRITTEN_5M), count(WRITTEN_1H));
    let written =
        count(&[all]).or_else(|| count(WRITTEN)).or_else(|| count(&["cache_write_tokens", "cache_creation_tokens"]));
    let rest = |part: i64| written.map_or(0, |written| (written - part).max(0));
    match (short, long) {
        (None, None) => None,
        (Some(short), Some(long)) => Some((short, long)),
        (Some(short), None) => Some((short, rest(short))),
        (None, Some(long)) => Some((rest(long), long)),
    }
    .filter(|(short, long)| short + long > 0)
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
    // A provider's own object of lifetimes goes before.
    let split = ["cache_creation", "cacheDetails"].iter().all(|name| counts.get(name).is_none_or(counted));
    let lasting = lifetimes(counts, names[1]).filter(|_| split);
    if lasting.is_none() && !counts.iter().any(told) {
        return None;
    }
    let mut whole = String::from("{");
    let lives = |name: &str| WRITTEN_5M.contains(&name) || WRITTEN_1H.contains(&name);
    let is_written = |name: &str| name == names[1] || renamed(name) == Some(names[1]);
    let kept = counts.iter().filter(|(_, value)| counted(*value) || value.object().is_some());
    for (name, value) in kept.filter(|(name, _)| lasting.is_none() || !(lives(name) || is_written(name))) {
        let full = renamed(name).filter(|full| counted(value) && !counts.has(full));
        json::put_field(&mut whole, full.unwrap_or(name), value.text());
    }
    if let Some((short, long)) = lasting {
        json::put_field(&mut whole, names[1], &(short + long).to_string());
        let each = format!("{{\"ephemeral_5m_input_tokens\":{short},\"ephemeral_1h_input_tokens\":{long}}}");
        if counts.has("inputTokens") {
            let each = format!(r#"[{{"inputTokens":{short},"ttl":"5m"}},{{"inputTokens":{long},"ttl":"1h"}}]"#);
            json::put_field(&mut whole, "cacheDetails", &each);
        } else if counts.has("input_tokens") {
            json::put_field(&mut whole, "cache_creation", &each);
        } else if !counts.has("prompt_tokens_details") {
            json::put_field(&mut whole, "prompt_tokens_details", &format!("{{\"cache_creation\":{each}}}"));
        }
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
