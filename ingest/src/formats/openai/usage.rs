//! The exclusive vector of a usage object, in any of the spellings of those who speak like OpenAI.

use schemas::{Flag, Meter};

use super::spelling::{self, CHAT, INPUT_DETAIL_FIELDS, OUTPUT_DETAIL_FIELDS, Spelling, USAGE_FIELDS};
use crate::assemble::Part;
use crate::json::{Json, Kind, NameSet, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Aliases, Counts, Usage, rest};

/// New API's names of what was written for five minutes, and for an hour.
pub(crate) const CLAUDE_LIFETIMES: [&str; 2] = ["claude_cache_creation_5_m_tokens", "claude_cache_creation_1_h_tokens"];

/// Anthropic's names of its cache counts.
const ANTHROPIC_CACHES: [&str; 2] = ["cache_read_input_tokens", "cache_creation_input_tokens"];

/// The exclusive vector of a usage object.
pub(crate) fn usage(object: &Object<'_>, spelling: &Spelling, model: &str) -> Result<Part> {
    let counts = Counts::new(object, "usage");
    if let Some(part) = heard_alone(&counts, spelling)? {
        return Ok(part);
    }
    let printed = object.first(spelling.input_details).filter(|(_, details)| details.kind() == Kind::String);
    if printed.is_some()
        && let Some(whole) = spelling::unprinted(object)
        && let Some((_, whole)) = Json::parse_object(&whole)
    {
        return usage(&whole, spelling, model);
    }
    let names = &spelling.names;
    let sides = Sides::of(&counts, spelling)?;
    let mut given = Given::of(&counts, spelling)?;
    let audio_seconds = counts.quantity_or_none("prompt_audio_seconds")?;
    if audio_seconds.is_some() && given.cached > sides.input {
        // What was heard is no part of the prompt, and billed by the second whether a cache had it or not.
        given.cached = 0;
    }
    given.tell_cached_apart(sides.input);
    let mut part = Part::default();
    // Anthropic's writes have two prices; others have one, and no lifetime to assume.
    let of_two = || model.contains("claude") || object.has("cache_creation_input_tokens");
    if given.written > 0 && !given.lasting && of_two() {
        part.flags.set(Flag::Assumed5m);
    }
    let caches = Caches::of(object, &sides, &given);
    let (cached, written) = if caches.beside { (0, 0) } else { (given.cached, given.written) };
    let uncached = rest(
        sides.input,
        names.input,
        &[
            (cached, names.cached),
            (written, names.written),
            (given.audio, names.audio_in),
            (given.image + given.video, names.image_in),
        ],
    )?;
    let put_out = PutOut::of(&counts, spelling, model)?;
    let beyond = Beyond::of(&counts, spelling, model, &sides, &given, &caches, &put_out)?;
    part.checked = beyond.checked;
    if let Some(flag) = beyond.flag {
        part.flags.set(flag);
    }
    if caches.beside && !caches.told {
        part.flags.set(Flag::TotalMismatch);
    }
    let stands_beside = beyond.reasoning > 0 && beyond.flag != Some(Flag::HiddenReasoning);
    let mut inside = if stands_beside { 0 } else { put_out.reasoning };
    let output = sides.output + beyond.output;
    // Some that serve open models count reasoning with another tokenizer than the whole, or beside it: more than the whole is no
    // part of it. Billed is the completion, which the total confirms (<https://github.com/Effect-TS/effect/pull/8170>, read
    // 2026-11-29).
    if inside > output && sides.total == Some(sides.sum()) && spelling.input == CHAT.input {
        inside = 0;
        part.flags.set(Flag::TotalMismatch);
    }
    let plain = rest(
        output,
        names.output,
        &[(inside, names.reasoning), (put_out.audio, names.audio_out), (put_out.image, names.other_out)],
    )?;
    // GigaChat leaves what its cache gave out of the prompt and of the total
    // (<https://developers.sber.ru/docs/ru/gigachat/api/reference/rest/post-chat>, not opened; public clients, read 2026-11-29).
    let precached = counts.or_zero("precached_prompt_tokens")?;
    let vector = &mut part.usage;
    vector.add(Meter::InputTextTokens, uncached + beyond.input);
    vector.add(Meter::CacheReadTextTokens, given.cached_text() + precached);
    vector.add(Meter::CacheWrite5mTokens, given.written - given.written_1h);
    vector.add(Meter::CacheWrite1hTokens, given.written_1h);
    vector.add(Meter::InputAudioTokens, given.audio);
    vector.add(Meter::CacheReadAudioTokens, given.cached_audio);
    vector.add(Meter::InputImageTokens, given.image);
    vector.add(Meter::CacheReadImageTokens, given.cached_image);
    vector.add(Meter::InputVideoTokens, given.video);
    vector.add(Meter::OutputReasoningTokens, inside + beyond.reasoning + put_out.beside);
    vector.add(Meter::OutputAudioTokens, put_out.audio);
    vector.add(Meter::OutputImageTokens, put_out.image);
    match put_out.text {
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
    let mut unknown = unknown_fields(object, &USAGE_FIELDS) || given.unknown || put_out.unknown;
    extras(&counts, vector, &mut unknown)?;
    // Of other providers' searches it may say there again what `server_tool_use` said.
    if vector.get(Meter::WebSearches).is_zero() {
        vector.add(Meter::WebSearches, given.grounded.0);
    }
    vector.add(Meter::MapsGroundings, given.grounded.1);
    if unknown {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}

/// Models that listen, and servers of Whisper, may count the seconds they heard and no tokens.
fn heard_alone(counts: &Counts<'_, '_>, spelling: &Spelling) -> Result<Option<Part>> {
    if [spelling.input, spelling.output, spelling.total].iter().any(|name| counts.object.has(name)) {
        return Ok(None);
    }
    let seconds = counts.quantity_or_none("seconds")?;
    let mut part = Part::default();
    if let Some(seconds) = seconds {
        part.usage.add_quantity(Meter::InputAudioSeconds, seconds);
    }
    // What Qwen reads aloud in a session is billed by the character (events that others published, read 2026-12-01).
    part.usage.add(Meter::InputCharacters, counts.or_zero("characters")?);
    Ok((!part.usage.is_empty()).then_some(part))
}

/// What went in and came out, and what both are said to be together.
struct Sides {
    input: i64,
    output: i64,
    /// Servers that do not add up write a zero, which is none.
    total: Option<i64>,
}

impl Sides {
    fn of(counts: &Counts<'_, '_>, spelling: &Spelling) -> Result<Self> {
        let output = counts.or_zero(spelling.output)?;
        let total = counts.count(spelling.total)?;
        let cache = || -> Result<Option<(i64, i64)>> {
            Ok(counts.count("prompt_cache_hit_tokens")?.zip(counts.count("prompt_cache_miss_tokens")?))
        };
        let input = match (counts.count(spelling.input)?, total) {
            (Some(input), _) => input,
            // Embedders (Voyage, Jina) write the total alone, which is all input.
            (None, Some(total)) if !counts.object.has(spelling.output) => total,
            // Videos of Seedance are all output, and what they were asked with is not counted.
            (None, Some(total)) if total == output => 0,
            // What DeepSeek's cache had and had not is all that was asked.
            (None, _) => match cache()? {
                Some((hit, miss)) => hit + miss,
                None => counts.need(spelling.input)?,
            },
        };
        if let Some((hit, miss)) = cache()?.filter(|(hit, miss)| hit + miss != input) {
            let message = format!(
                "usage.prompt_cache_hit_tokens {hit} + usage.prompt_cache_miss_tokens {miss} is not {} {input}",
                spelling.names.input
            );
            return Err(Problem::contradiction("usage.prompt_cache_hit_tokens", message));
        }
        Ok(Sides { input, output, total: total.filter(|total| *total > 0) })
    }

    fn sum(&self) -> i64 {
        self.input + self.output
    }
}

/// What of an input was read from caches and written to them, and what of it is no text.
#[derive(Default)]
struct Given {
    cached: i64,
    written: i64,
    written_1h: i64,
    /// Whether anybody says how long what was written lasts.
    lasting: bool,
    audio: i64,
    image: i64,
    video: i64,
    cached_audio: i64,
    cached_image: i64,
    /// Whether anybody says what of these was cached.
    told_apart: bool,
    searched: Option<i64>,
    /// Searches of the web and of maps that Gemini's answers were grounded in, as LiteLLM counts them.
    grounded: (i64, i64),
    unknown: bool,
}

impl Given {
    fn of(counts: &Counts<'_, '_>, spelling: &Spelling) -> Result<Self> {
        // The same counts under the names other emitters give them; never added up.
        static CACHED: Aliases = Aliases::new(&[
            "cached_tokens",
            "num_cached_tokens",
            "cached_prompt_text_tokens",
            "cache_read_input_tokens",
            "prompt_cache_hit_tokens",
            "cached_input_tokens",
            "cachedInputTokens",
            "cache_read_tokens",
            "input_tokens_cache_read",
            "cache_hit_tokens",
            "cachedTokens",
        ]);
        static WRITTEN: Aliases = Aliases::new(&[
            "cache_creation_input_tokens",
            "cache_write_input_tokens",
            "cache_creation_tokens",
            "cache_write_tokens",
            "input_tokens_cache_write",
            "cacheWriteInputTokens",
        ]);
        let mut given = Given::default();
        let (mut cached, mut written) = (None, None);
        if let Some((name, _)) = counts.object.first(spelling.input_details) {
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
                "cached_creation_tokens",
                "caching_tokens",
            ])?;
            given.read(&inner)?;
            given.unknown = unknown_fields(&details, &INPUT_DETAIL_FIELDS);
        }
        // Alibaba's Responses tell what its cache was given there alone (answers that others published, read 2026-12-01).
        if let Some(billed) = billed(counts.object) {
            let inner = Counts::new(&billed, "usage.x_details[0].prompt_tokens_details");
            cached = cached.filter(|cached| *cached > 0).or(inner.count("cached_tokens")?);
            written = written.filter(|written| *written > 0).or(inner.count("cache_creation_input_tokens")?);
            if let Some(split) = inner.inner("cache_creation")? {
                given.written_1h = inner.within("cache_creation", &split).or_zero("ephemeral_1h_input_tokens")?;
                given.lasting = true;
            }
        }
        given.cached = agree(spelling.names.cached, cached, counts.alias_of(&CACHED)?)?;
        given.written = agree(spelling.names.written, written, counts.alias_of(&WRITTEN)?)?;
        given.read_lifetimes(counts)?;
        given.written_1h = given.written_1h.min(given.written);
        Ok(given)
    }

    /// Lifetimes and modalities, from the details.
    fn read(&mut self, details: &Counts<'_, '_>) -> Result<()> {
        // LiteLLM and Qwen pass Anthropic's lifetimes on.
        for name in ["cache_creation_token_details", "cache_creation"] {
            if let Some(split) = details.inner(name)? {
                self.written_1h = details.within(name, &split).or_zero("ephemeral_1h_input_tokens")?;
                self.lasting = true;
            }
        }
        self.searched = details.count("search_tokens")?;
        self.grounded = (details.or_zero("web_search_requests")?, details.or_zero("google_maps_grounding_requests")?);
        self.audio = details.or_zero("audio_tokens")?;
        self.image = details.or_zero("image_tokens")?;
        self.video = details.or_zero("video_tokens")?;
        if let Some(split) = details.inner("cached_tokens_details")? {
            let split = details.within("cached_tokens_details", &split);
            self.cached_audio = split.or_zero("audio_tokens")?.min(self.audio);
            self.cached_image = split.or_zero("image_tokens")?.min(self.image);
            self.told_apart = true;
        }
        Ok(())
    }

    /// Lifetimes that stand beside the counts: as Anthropic names them, and as New API does (its answers, published by others, read
    /// 2026-11-30).
    fn read_lifetimes(&mut self, counts: &Counts<'_, '_>) -> Result<()> {
        if let Some(split) = counts.object.object("cache_creation") {
            let split = counts.within("cache_creation", &split);
            self.take_lifetimes(
                split.or_zero("ephemeral_5m_input_tokens")?,
                split.or_zero("ephemeral_1h_input_tokens")?,
            );
        }
        let [short, long] = CLAUDE_LIFETIMES.map(|name| counts.or_zero(name));
        self.take_lifetimes(short?, long?);
        Ok(())
    }

    fn take_lifetimes(&mut self, short: i64, long: i64) {
        if short + long > 0 {
            self.written_1h = long;
            self.lasting = true;
            self.written = if self.written == 0 { short + long } else { self.written };
        }
    }

    /// Without a split, cached tokens are text as far as the text goes; the rest can only be audio, then images.
    fn tell_cached_apart(&mut self, input: i64) {
        let overlap = self.cached + self.written + self.audio + self.image + self.video - input;
        if !self.told_apart && overlap > 0 && self.cached > 0 {
            self.cached_audio = overlap.min(self.audio).min(self.cached);
            self.cached_image = (overlap - self.cached_audio).min(self.image).min(self.cached - self.cached_audio);
        }
        self.audio -= self.cached_audio;
        self.image -= self.cached_image;
    }

    fn cached_text(&self) -> i64 {
        (self.cached - self.cached_audio - self.cached_image).max(0)
    }
}

/// Where caches stand. Gateways that pass Anthropic's counts on may leave its caches beside the input, where they are: what is larger
/// than the input cannot be inside it (<https://github.com/BerriAI/litellm/pull/23342>, read 2026-11-29).
struct Caches {
    beside: bool,
    /// Whether the total says so.
    told: bool,
}

impl Caches {
    fn of(object: &Object<'_>, sides: &Sides, given: &Given) -> Self {
        let all = given.cached + given.written;
        // New API says so where it passes Anthropic's counts on as they came.
        let said = object.is("usage_semantic", "anthropic");
        let told = said || (sides.total == Some(sides.sum() + all) && object.has("input_tokens_cache_read"));
        let larger = all > sides.input && ANTHROPIC_CACHES.iter().any(|name| object.has(name));
        Caches { beside: larger || (told && all > 0), told }
    }
}

/// What of an output was reasoning, and what of it is no text.
struct PutOut {
    reasoning: i64,
    /// Reasoning that is counted beside everything else.
    beside: i64,
    audio: i64,
    image: i64,
    text: Option<i64>,
    unknown: bool,
}

impl PutOut {
    fn of(counts: &Counts<'_, '_>, spelling: &Spelling, model: &str) -> Result<Self> {
        let mut put_out = PutOut { reasoning: 0, beside: 0, audio: 0, image: 0, text: None, unknown: false };
        let mut reasoning = None;
        if let Some((name, _)) = counts.object.first(spelling.output_details)
            && let Some(details) = counts.inner(name)?
        {
            let inner = counts.within(name, &details);
            reasoning = inner.alias(&["reasoning_tokens", "reasoningTokens"])?;
            put_out.audio = inner.or_zero("audio_tokens")?;
            put_out.image = inner.or_zero("image_tokens")?;
            put_out.text = inner.count("text_tokens")?;
            put_out.unknown = unknown_fields(&details, &OUTPUT_DETAIL_FIELDS);
        }
        // Perplexity counts the reasoning of deep research beside everything else; others repeat at the top what their
        // details say is inside the output.
        let top = counts
            .alias(&["reasoning_tokens", "reasoning_output_tokens", "reasoningTokens", "reasoningOutputTokens"])?
            .unwrap_or(0);
        let perplexity = || {
            ["num_search_queries", "citation_tokens"].iter().any(|name| counts.object.has(name))
                || model.contains("sonar")
        };
        (put_out.reasoning, put_out.beside) = match reasoning {
            Some(reasoning) if reasoning > 0 => (reasoning, 0),
            _ if top > 0 && perplexity() => (0, top),
            _ => (top, 0),
        };
        Ok(put_out)
    }
}

/// What the total says that input and output do not.
#[derive(Default)]
struct Beyond {
    checked: &'static str,
    input: i64,
    /// Output that the completion was counted short by.
    output: i64,
    reasoning: i64,
    flag: Option<Flag>,
}

impl Beyond {
    fn of(
        counts: &Counts<'_, '_>,
        spelling: &Spelling,
        model: &str,
        sides: &Sides,
        given: &Given,
        caches: &Caches,
        put_out: &PutOut,
    ) -> Result<Self> {
        // What Mistral's connectors put into a prompt stands beside it, and is input.
        let connected = match counts.or_zero("connector_tokens")? {
            // So may what Qianfan's search puts there.
            0 => counts.count("search_tokens")?.or(given.searched).unwrap_or(0),
            connected => connected,
        };
        // Snowflake bills what its guard reads at a price of its own, for which there is no meter: it stands in the total, and
        // raises a flag (<https://docs.snowflake.com/en/sql-reference/functions/complete-snowflake-cortex>, not opened).
        let guarded = counts.alias(&["guardrails_tokens", "guard_tokens"])?.unwrap_or(0);
        let checked = |checked| Beyond { checked, ..Beyond::default() };
        let sum = sides.sum();
        let Some(total) = sides.total else { return Ok(Beyond { input: connected, ..Beyond::default() }) };
        Ok(match total - sum {
            more if connected > 0 && more == connected => {
                Beyond { input: connected, ..checked("total = prompt + completion + connectors") }
            }
            more if caches.beside && more == given.cached + given.written => {
                checked("total = prompt + cache read + cache written + completion")
            }
            0 => checked("total = prompt + completion"),
            more if guarded > 0 && more == guarded => checked("total = prompt + completion + guardrails"),
            // xAI counts reasoning beside the completion: https://docs.x.ai/docs/guides/reasoning, checked 2026-11-22.
            more if put_out.reasoning > 0 && more == put_out.reasoning => {
                Beyond { reasoning: more, ..checked("total = prompt + completion + reasoning") }
            }
            // Moonshot ends the count of a completion at the most that was asked for, and goes on counting the whole and what of it
            // was reasoning (answers that others published, read 2026-12-01).
            more if more > 0 && put_out.reasoning == sides.output + more => Beyond {
                output: more,
                flag: Some(Flag::TotalMismatch),
                ..checked("total = prompt + reasoning, which the completion is counted short by")
            },
            // Gemini's OpenAI endpoint shows thinking in the total alone.
            more if more > 0 && model.contains("gemini") => Beyond {
                reasoning: more,
                flag: Some(Flag::HiddenReasoning),
                ..checked("total = prompt + completion + hidden reasoning")
            },
            // Mistral counts audio tokens in the total alone and bills audio by the second.
            more if more > 0 && counts.quantity_or_none("prompt_audio_seconds")?.is_some() => Beyond {
                flag: Some(Flag::TotalMismatch),
                ..checked("total = prompt + completion + audio billed by the second")
            },
            _ => {
                let (names, Sides { input, output, .. }) = (&spelling.names, sides);
                let message = format!(
                    "usage.{} is {total} but {} {input} + {} {output} is {sum}",
                    spelling.total, names.input, names.output
                );
                return Err(Problem::contradiction(&counts.path(spelling.total), message));
            }
        })
    }
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

/// What Alibaba says of the prompt in the one entry by which it bills an answer.
fn billed<'a>(usage: &Object<'a>) -> Option<Object<'a>> {
    let entries = usage.array("x_details")?;
    let [only] = &entries[..] else { return None };
    only.object()?.object("prompt_tokens_details")
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
    // Its own SDK names the tool of each use (recordings that others published, read 2026-11-30).
    for used in counts.object.array("server_side_tools_used").unwrap_or_default() {
        match used.string().as_deref().map(|name| name.trim_start_matches("SERVER_SIDE_TOOL_")) {
            Some("WEB_SEARCH" | "X_SEARCH") => vector.add(Meter::WebSearches, 1),
            Some("CODE_EXECUTION") => vector.add(Meter::CodeSessions, 1),
            Some("COLLECTIONS_SEARCH" | "ATTACHMENT_SEARCH") => vector.add(Meter::FileSearches, 1),
            // Looking at pictures and videos takes tokens, servers of tools are one's own.
            Some("VIEW_IMAGE" | "VIEW_X_VIDEO" | "MCP") => {}
            _ => *unknown = true,
        }
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
    // Alibaba says how often each of its tools ran, Ark counts them by name (answers that others published, read 2026-12-01).
    if let Some(tools) = counts.inner("x_tools")? {
        let tools = counts.within("x_tools", &tools);
        for (name, tool) in tools.object.iter().filter_map(|(name, tool)| Some((name, tool.object()?))) {
            ran(name, tools.within(name, &tool).or_zero("count")?, vector, unknown);
        }
    }
    if let Some(search) = counts.object.object("plugins").and_then(|plugins| plugins.object("search")) {
        ran("web_search", counts.within("plugins.search", &search).or_zero("count")?, vector, unknown);
    }
    if let Some(tools) = counts.inner("tool_usage")? {
        let tools = counts.within("tool_usage", &tools);
        for (name, _) in tools.object.iter() {
            ran(name, tools.or_zero(name)?, vector, unknown);
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

/// A tool of a provider that ran so often, by the name it has there.
fn ran(name: &str, count: i64, vector: &mut Usage, unknown: &mut bool) {
    match name {
        "web_search" => vector.add(Meter::WebSearches, count),
        "web_extractor" => vector.add(Meter::WebFetches, count),
        "code_interpreter" => vector.add(Meter::CodeSessions, count),
        "file_search" | "knowledge_search" => vector.add(Meter::FileSearches, count),
        // Servers of tools are one's own.
        "mcp" => {}
        _ => *unknown |= count > 0,
    }
}
