//! The exclusive vector of a usage object, in any of the spellings of those who speak like OpenAI.

use schemas::{Flag, Meter};

use super::spelling::{self, CHAT, INPUT_DETAIL_FIELDS, OUTPUT_DETAIL_FIELDS, Spelling, USAGE_FIELDS};
use crate::assemble::Part;
use crate::json::{Json, Kind, NameSet, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, Usage, rest};

/// Anthropic's names of its cache counts.
const ANTHROPIC_CACHES: [&str; 2] = ["cache_read_input_tokens", "cache_creation_input_tokens"];

/// The exclusive vector of a usage object.
pub(crate) fn usage(object: &Object<'_>, spelling: &Spelling, model: &str) -> Result<Part> {
    let counts = Counts::new(object, "usage");
    let names = &spelling.names;
    let mut part = Part::default();
    // Models that listen, and servers of Whisper, may count the seconds they heard and no tokens.
    if ![spelling.input, spelling.output, spelling.total].iter().any(|name| object.has(name))
        && let Some(seconds) = counts.quantity_or_none("seconds")?
    {
        part.usage.add_quantity(Meter::InputAudioSeconds, seconds);
        return Ok(part);
    }
    let output = counts.or_zero(spelling.output)?;
    // Servers that do not add up write a zero; embedders (Voyage, Jina) write the total alone, which is all input.
    let total = counts.count(spelling.total)?;
    let input = match (counts.count(spelling.input)?, total) {
        (Some(input), _) => input,
        (None, Some(total)) if !object.has(spelling.output) => total,
        // Videos of Seedance are all output, and what they were asked with is not counted.
        (None, Some(total)) if total == output => 0,
        // What DeepSeek's cache had and had not is all that was asked.
        (None, _) => match (counts.count("prompt_cache_hit_tokens")?, counts.count("prompt_cache_miss_tokens")?) {
            (Some(hit), Some(miss)) => hit + miss,
            _ => counts.need(spelling.input)?,
        },
    };
    let total = total.filter(|total| *total > 0);
    let mut unknown = unknown_fields(object, &USAGE_FIELDS);

    let (mut cached, mut written, mut written_1h, mut lasting) = (None, None, 0, false);
    let (mut audio, mut image, mut video) = (0, 0, 0);
    let (mut cached_audio, mut cached_image) = (0, 0);
    let (mut cached_split, mut searched) = (false, None);
    if let Some((name, value)) = object.first(spelling.input_details) {
        if value.kind() == Kind::String
            && let Some(whole) = spelling::unprinted(object)
            && let Some((_, whole)) = Json::parse_object(&whole)
        {
            return usage(&whole, spelling, model);
        }
        let details = counts.inner(name)?.unwrap_or_default();
        let inner = counts.within(name, &details);
        cached = inner.alias(&[
            "cached_tokens",
            "cachedTokens",
            "cacheReadTokens",
            "cache_read_input_tokens",
            "cached_read_tokens",
        ])?;
        written = inner.alias(&[
            "cache_write_tokens",
            "cache_creation_tokens",
            "cacheWriteTokens",
            "cache_creation_input_tokens",
            "cached_write_tokens",
        ])?;
        // LiteLLM and Qwen pass Anthropic's lifetimes on.
        for name in ["cache_creation_token_details", "cache_creation"] {
            if let Some(split) = inner.inner(name)? {
                written_1h = inner.within(name, &split).or_zero("ephemeral_1h_input_tokens")?;
                lasting = true;
            }
        }
        searched = inner.count("search_tokens")?;
        audio = inner.or_zero("audio_tokens")?;
        image = inner.or_zero("image_tokens")?;
        video = inner.or_zero("video_tokens")?;
        if let Some(split) = inner.inner("cached_tokens_details")? {
            let split = inner.within("cached_tokens_details", &split);
            cached_audio = split.or_zero("audio_tokens")?.min(audio);
            cached_image = split.or_zero("image_tokens")?.min(image);
            cached_split = true;
        }
        unknown |= unknown_fields(&details, &INPUT_DETAIL_FIELDS);
    }
    // The same counts under the names other emitters give them; never added up.
    let cached_names = [
        "cached_tokens",
        "num_cached_tokens",
        "cached_prompt_text_tokens",
        "cache_read_input_tokens",
        "prompt_cache_hit_tokens",
        "cached_input_tokens",
        "cachedInputTokens",
        "cache_read_tokens",
        "input_tokens_cache_read",
    ];
    let written_names = [
        "cache_creation_input_tokens",
        "cache_write_input_tokens",
        "cache_creation_tokens",
        "cache_write_tokens",
        "input_tokens_cache_write",
        "cacheWriteInputTokens",
    ];
    let cached = agree(names.cached, cached, counts.alias(&cached_names)?)?;
    let written = agree(names.written, written, counts.alias(&written_names)?)?;
    let written_1h = written_1h.min(written);
    // Anthropic's writes have two prices; others have one, and no lifetime to assume.
    let of_two = || model.contains("claude") || object.has("cache_creation_input_tokens");
    if written > 0 && !lasting && of_two() {
        part.flags.set(Flag::Assumed5m);
    }
    if let (Some(hit), Some(miss)) =
        (counts.count("prompt_cache_hit_tokens")?, counts.count("prompt_cache_miss_tokens")?)
        && hit + miss != input
    {
        let message = format!(
            "usage.prompt_cache_hit_tokens {hit} + usage.prompt_cache_miss_tokens {miss} is not {} {input}",
            names.input
        );
        return Err(Problem::contradiction("usage.prompt_cache_hit_tokens", message));
    }
    // Without a split, cached tokens are text as far as the text goes; the rest can only be audio, then images.
    let overlap = cached + written + audio + image + video - input;
    if !cached_split && overlap > 0 && cached > 0 {
        cached_audio = overlap.min(audio).min(cached);
        cached_image = (overlap - cached_audio).min(image).min(cached - cached_audio);
    }
    let cached_text = (cached - cached_audio - cached_image).max(0);
    let (audio, image) = (audio - cached_audio, image - cached_image);
    // Gateways that pass Anthropic's counts on may leave its caches beside the input, where they are: what is larger than
    // the input cannot be inside it (<https://github.com/BerriAI/litellm/pull/23342>, read 2026-11-29).
    let apart = total == Some(input + output + cached + written) && object.has("input_tokens_cache_read");
    let exclusive = cached + written > input && ANTHROPIC_CACHES.iter().any(|name| object.has(name))
        || (apart && cached + written > 0);
    let (cached_inside, written_inside) = if exclusive { (0, 0) } else { (cached, written) };
    let uncached = rest(
        input,
        names.input,
        &[
            (cached_inside, names.cached),
            (written_inside, names.written),
            (audio, names.audio_in),
            (image + video, names.image_in),
        ],
    )?;

    let (mut reasoning, mut audio_out, mut image_out, mut text_out) = (None, 0, 0, None);
    if let Some((name, _)) = object.first(spelling.output_details)
        && let Some(details) = counts.inner(name)?
    {
        let inner = counts.within(name, &details);
        reasoning = inner.alias(&["reasoning_tokens", "reasoningTokens"])?;
        audio_out = inner.or_zero("audio_tokens")?;
        image_out = inner.or_zero("image_tokens")?;
        text_out = inner.count("text_tokens")?;
        unknown |= unknown_fields(&details, &OUTPUT_DETAIL_FIELDS);
    }
    // Perplexity counts the reasoning of deep research beside everything else; others repeat at the top what their
    // details say is inside the output.
    let top = counts
        .alias(&["reasoning_tokens", "reasoning_output_tokens", "reasoningTokens", "reasoningOutputTokens"])?
        .unwrap_or(0);
    let perplexity = || object.has("num_search_queries") || object.has("citation_tokens") || model.contains("sonar");
    let (reasoning, beside) = match reasoning {
        Some(reasoning) if reasoning > 0 => (reasoning, 0),
        _ if top > 0 && perplexity() => (0, top),
        _ => (top, 0),
    };
    let audio_seconds = counts.quantity_or_none("prompt_audio_seconds")?;

    // What Mistral's connectors put into a prompt stands beside it, and is input.
    let connected = match counts.or_zero("connector_tokens")? {
        // So may what Qianfan's search puts there.
        0 => counts.count("search_tokens")?.or(searched).unwrap_or(0),
        connected => connected,
    };
    // GigaChat leaves what its cache gave out of the prompt and of the total
    // (<https://developers.sber.ru/docs/ru/gigachat/api/reference/rest/post-chat>, not opened; public clients, read 2026-11-29).
    let precached = counts.or_zero("precached_prompt_tokens")?;
    // Snowflake bills what its guard reads at a price of its own, for which there is no meter: it stands in the total, and
    // raises a flag (<https://docs.snowflake.com/en/sql-reference/functions/complete-snowflake-cortex>, not opened).
    let guarded = counts.alias(&["guardrails_tokens", "guard_tokens"])?.unwrap_or(0);
    let mut found = 0;

    let sum = input + output;
    let mut additive = 0;
    part.checked = match total {
        None => {
            found = connected;
            ""
        }
        Some(total) if connected > 0 && total == sum + connected => {
            found = connected;
            "total = prompt + completion + connectors"
        }
        Some(total) if exclusive && total == sum + cached + written => {
            "total = prompt + cache read + cache written + completion"
        }
        Some(total) if total == sum => "total = prompt + completion",
        Some(total) if guarded > 0 && total == sum + guarded => "total = prompt + completion + guardrails",
        // xAI counts reasoning beside the completion: https://docs.x.ai/docs/guides/reasoning, checked 2026-11-22.
        Some(total) if reasoning > 0 && total == sum + reasoning => {
            additive = reasoning;
            "total = prompt + completion + reasoning"
        }
        // Gemini's OpenAI endpoint shows thinking in the total alone.
        Some(total) if total > sum && model.contains("gemini") => {
            additive = total - sum;
            part.flags.set(Flag::HiddenReasoning);
            "total = prompt + completion + hidden reasoning"
        }
        // Mistral counts audio tokens in the total alone and bills audio by the second.
        Some(total) if total > sum && audio_seconds.is_some() => {
            part.flags.set(Flag::TotalMismatch);
            "total = prompt + completion + audio billed by the second"
        }
        Some(total) => {
            let message = format!(
                "usage.{} is {total} but {} {input} + {} {output} is {sum}",
                spelling.total, names.input, names.output
            );
            return Err(Problem::contradiction(&counts.path(spelling.total), message));
        }
    };
    if exclusive && !apart {
        part.flags.set(Flag::TotalMismatch);
    }
    let mut inside = if additive > 0 && !part.flags.list().contains(&Flag::HiddenReasoning) { 0 } else { reasoning };
    // Some that serve open models count reasoning with another tokenizer than the whole, or beside it: more than the whole is no
    // part of it. Billed is the completion, which the total confirms (<https://github.com/Effect-TS/effect/pull/8170>, read
    // 2026-11-29).
    if inside > output && total == Some(sum) && spelling.input == CHAT.input {
        inside = 0;
        part.flags.set(Flag::TotalMismatch);
    }
    let plain = rest(
        output,
        names.output,
        &[(inside, names.reasoning), (audio_out, names.audio_out), (image_out, names.other_out)],
    )?;
    let vector = &mut part.usage;
    vector.add(Meter::InputTextTokens, uncached + found);
    vector.add(Meter::CacheReadTextTokens, cached_text + precached);
    vector.add(Meter::CacheWrite5mTokens, written - written_1h);
    vector.add(Meter::CacheWrite1hTokens, written_1h);
    vector.add(Meter::InputAudioTokens, audio);
    vector.add(Meter::CacheReadAudioTokens, cached_audio);
    vector.add(Meter::InputImageTokens, image);
    vector.add(Meter::CacheReadImageTokens, cached_image);
    vector.add(Meter::InputVideoTokens, video);
    vector.add(Meter::OutputReasoningTokens, inside + additive + beside);
    vector.add(Meter::OutputAudioTokens, audio_out);
    vector.add(Meter::OutputImageTokens, image_out);
    match text_out {
        // An image model that says how much of its output was text.
        Some(text) if spelling.plain_output != Meter::OutputTextTokens => {
            vector.add(Meter::OutputTextTokens, text.min(plain));
            vector.add(spelling.plain_output, plain - text.min(plain));
        }
        _ => vector.add(spelling.plain_output, plain),
    }
    if let Some(seconds) = audio_seconds {
        vector.add_quantity(Meter::InputAudioSeconds, seconds);
    }
    extras(&counts, vector, &mut unknown)?;
    if unknown {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}

impl Counts<'_, '_> {
    /// Mistral writes an empty object where there is no audio.
    fn quantity_or_none(&self, name: &str) -> Result<Option<schemas::Quantity>> {
        match self.object.get(name) {
            Some(value) if value.kind() == Kind::Object => Ok(None),
            _ => Ok(self.quantity(name)?.filter(|quantity| !quantity.is_zero())),
        }
    }
}

/// True for the name of a count, or of anything else in a usage object, that is read.
pub(crate) fn is_known(name: &str) -> bool {
    USAGE_FIELDS.contains(name)
}

/// Two readings of one count. Zero is what emitters write for a count they do not keep.
fn agree(name: &'static str, first: Option<i64>, second: Option<i64>) -> Result<i64> {
    match (first.unwrap_or(0), second.unwrap_or(0)) {
        (a, b) if a == b || b == 0 => Ok(a),
        (0, b) => Ok(b),
        (a, b) => {
            let message = format!("{name} is {a} but the same count under another name is {b}");
            Err(Problem::contradiction(name, message))
        }
    }
}

fn unknown_fields(object: &Object<'_>, known: &NameSet) -> bool {
    object.iter().any(|(name, value)| !known.contains(name) && !matches!(value.text(), "0" | "0.0" | "null"))
}

/// What OpenRouter, xAI, Mistral and Perplexity count besides tokens.
fn extras(counts: &Counts<'_, '_>, vector: &mut Usage, unknown: &mut bool) -> Result<()> {
    vector.add(Meter::SearchQueries, counts.or_zero("num_search_queries")?);
    // Citations are input the provider added; Perplexity prices them like input.
    vector.add(Meter::InputTextTokens, counts.or_zero("citation_tokens")?);
    // xAI bills live search by the source, for which there is no meter yet.
    *unknown |= counts.or_zero("num_sources_used")? > 0;
    // xAI says which of its tools ran: https://docs.x.ai/docs/guides/tools/overview, checked 2026-11-27 in answers that
    // others published. Searches of X are billed like those of the web.
    if let Some(tools) = counts.inner("server_side_tool_usage_details")? {
        let tools = counts.within("server_side_tool_usage_details", &tools);
        vector.add(Meter::WebSearches, tools.or_zero("web_search_calls")? + tools.or_zero("x_search_calls")?);
        vector.add(Meter::CodeSessions, tools.or_zero("code_interpreter_calls")?);
        let files = tools.or_zero("file_search_calls")? + tools.or_zero("document_search_calls")?;
        vector.add(Meter::FileSearches, files);
        *unknown |= tools.or_zero("image_generation_calls")? > 0;
    }
    if let Some(connectors) = counts.inner("connectors")? {
        let connectors = counts.within("connectors", &connectors);
        let searches = connectors.or_zero("web_search")? + connectors.or_zero("web_search_premium")?;
        vector.add(Meter::WebSearches, searches);
        vector.add(Meter::CodeSessions, connectors.or_zero("code_interpreter")?);
        vector.add(Meter::FileSearches, connectors.or_zero("document_library")?);
        vector.add(Meter::OutputImages, connectors.or_zero("image_generation")?);
        static KNOWN: NameSet = NameSet::new(&[
            "web_search",
            "web_search_premium",
            "code_interpreter",
            "document_library",
            "image_generation",
        ]);
        *unknown |= unknown_fields(connectors.object, &KNOWN);
    }
    // Perplexity's agents say how often each of their tools ran (answers that others published, read 2026-11-29).
    if let Some(tools) = counts.inner("tool_calls_details")? {
        let tools = counts.within("tool_calls_details", &tools);
        for (name, tool) in tools.object.iter().filter_map(|(name, tool)| Some((name, tool.object()?))) {
            let calls = tools.within(name, &tool).or_zero("invocation")?;
            match name {
                "search_web" => vector.add(Meter::WebSearches, calls),
                "fetch_url" => vector.add(Meter::WebFetches, calls),
                _ => *unknown |= calls > 0,
            }
        }
    }
    for name in ["server_tool_use", "server_tool_use_details"] {
        if let Some(tools) = counts.inner(name)? {
            vector.add(Meter::WebSearches, counts.within(name, &tools).or_zero("web_search_requests")?);
            break;
        }
    }
    Ok(())
}
