//! Records of tools, agents and gateways that differ in nothing but the names of their fields: a model, a few counts, whose they are.
//! A row of [`table::TOOLS`] or [`apps::APPS`] says what each calls them; this module reads all of them alike.
//!
//! Sources are in `FORMATS.md`, row by row.

mod apps;
mod table;

use std::borrow::Cow;

use schemas::{CostBasis, Flag, Meter, ReportedCost, Text, Timestamp};
use smallvec::smallvec;

use self::apps::APPS;
use self::table::TOOLS;
use crate::assemble::{Call, Out, Part, Tokens};
use crate::envelope::{self, Envelope, provider_name};
use crate::formats::families;
use crate::identity;
use crate::item::IgnoreReason;
use crate::json::{self, Json, Kind, Marks, Object, quick_hash};
use crate::number;
use crate::problem::{Problem, Result};
use crate::recognise::Shape;
use crate::usage::rest;

/// Whether the input holds what was read from and written to a cache. A stated total goes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cache {
    Inside,
    Beside,
    /// Inside, but beside the input of Anthropic's models.
    BesideOfAnthropic,
    /// Beside, where Cline or whoever follows it does not hand a prompt on with its cache in it.
    AsCline,
}

/// In place of a path to a part of an id: the time, however it is written. Nothing that names a person is part of an id.
const TIME: &str = "@time";

/// Before a model in place of a provider: what says nothing of who serves it.
const PROXIES: [&str; 2] = ["litellm_proxy", "copilot"];

/// In a path: the first of a list.
const FIRST: &str = "[0]>";

type Paths = &'static [&'static str];

/// How one tool writes down a call.
#[derive(Debug, Clone, Copy)]
struct Tool {
    shape: Shape,
    source: &'static str,
    precedence: i32,
    /// Fields that mark it, all of them.
    marks: Paths,
    /// Where it says what a record is; which words are a call of a model, which a sum of those beneath.
    kind: Paths,
    calls: &'static [&'static str],
    sums: &'static [&'static str],
    /// Without a kind it is a call.
    unstated_is_call: bool,
    /// It only ever adds up.
    sum: bool,
    provider_is: &'static str,
    usual_provider: &'static str,
    /// The requested model begins with the provider: `openai/gpt-5.4`.
    prefixed: bool,
    /// The model stands in an address: `openai:chat:gpt-5.4`.
    addressed: bool,
    /// All of its calls are paid for otherwise: by seats, or by what another report bills.
    paid_otherwise: bool,
    /// Parts of an id, joined; or the first of them where `any_id` is set.
    id: Paths,
    any_id: bool,
    response_id: Paths,
    trace: Paths,
    span: Paths,
    time: Paths,
    provider: Paths,
    model: Paths,
    requested: Paths,
    input: Paths,
    output: Paths,
    total: Paths,
    read: Paths,
    written: Paths,
    /// Its parts by how long they live.
    written_5m: Paths,
    written_1h: Paths,
    reasoning: Paths,
    /// What the models are called whose reasoning always stands beside the output.
    reasoning_beside: &'static [&'static str],
    searches: Paths,
    /// Characters that were read aloud, and seconds of sound that were heard.
    characters: Paths,
    seconds: Paths,
    cache: Cache,
    /// Where it says itself whether the cache stands beside the input.
    exclusive: Paths,
    cost: Paths,
    /// What the cost is in, where it says so.
    currency: Paths,
    /// The cost is in cents.
    cents: bool,
    /// The cost is the bill, not a claim about one.
    billed: bool,
    /// Where it says how it is billed, and the beginnings of words that mean it adds nothing, or that the call failed.
    basis: Paths,
    included: &'static [&'static str],
    failed: &'static [&'static str],
    /// Where it says that a gateway's cache answered.
    cached: Paths,
    user: Paths,
    session: Paths,
    team: Paths,
    project: Paths,
    feature: Paths,
    environment: Paths,
    application: Paths,
    customer: Paths,
    key: Paths,
    tags: Paths,
}

const NOTHING: Tool = Tool {
    shape: Shape::ToolLog,
    source: "",
    precedence: 0,
    marks: &[],
    kind: &[],
    calls: &[],
    sums: &[],
    unstated_is_call: false,
    sum: false,
    provider_is: "",
    usual_provider: "",
    prefixed: false,
    addressed: false,
    paid_otherwise: false,
    id: &[],
    any_id: false,
    response_id: &[],
    trace: &[],
    span: &[],
    time: &[],
    provider: &[],
    model: &[],
    requested: &[],
    input: &[],
    output: &[],
    total: &[],
    read: &[],
    written: &[],
    written_5m: &[],
    written_1h: &[],
    reasoning: &[],
    reasoning_beside: &[],
    searches: &[],
    characters: &[],
    seconds: &[],
    cache: Cache::Inside,
    exclusive: &[],
    cost: &[],
    currency: &[],
    cents: false,
    billed: false,
    basis: &[],
    included: &[],
    failed: &[],
    cached: &[],
    user: &[],
    session: &[],
    team: &[],
    project: &[],
    feature: &[],
    environment: &[],
    application: &[],
    customer: &[],
    key: &[],
    tags: &[],
};

/// The format of a record that a row of the table marks.
pub(crate) fn told(object: &Object<'_>) -> Option<Shape> {
    row(object).map(|tool| tool.shape)
}

/// True for a format that the tables are about.
pub(crate) fn reads(shape: Shape) -> bool {
    TOOLS.iter().chain(APPS).any(|tool| tool.shape == shape)
}

/// The outermost fields of each row's marks.
const OUTERMOST: [Marks; TOOLS.len()] = outermost_of(TOOLS);
const OUTERMOST_OF_APPS: [Marks; APPS.len()] = outermost_of(APPS);

const fn outermost_of<const ROWS: usize>(tools: &[Tool]) -> [Marks; ROWS] {
    let mut rows = [Marks::NONE; ROWS];
    let mut row = 0;
    while row < ROWS {
        let marks = tools[row].marks;
        let mut mark = 0;
        while mark < marks.len() {
            rows[row] = rows[row].with(quick_hash(outermost(marks[mark])));
            mark += 1;
        }
        row += 1;
    }
    rows
}

const fn outermost(path: &str) -> &[u8] {
    let path = path.as_bytes();
    let mut end = 0;
    while end < path.len() && path[end] != b'>' {
        end += 1;
    }
    path.split_at(end).0
}

fn row(object: &Object<'_>) -> Option<&'static Tool> {
    // Nearly everything lacks one of these fields.
    let rows = TOOLS.iter().zip(&OUTERMOST).chain(APPS.iter().zip(&OUTERMOST_OF_APPS));
    let possible = rows.filter(|(_, outermost)| object.may_have(outermost));
    // An outermost one may be null.
    let there = |path: &&str| if path.contains('>') { find(object, path).is_some() } else { object.has(path) };
    possible.map(|(tool, _)| tool).find(|tool| tool.marks.iter().all(there))
}

/// Reads a record of a tool.
pub(crate) fn read<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    shape: Shape,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let Some(tool) = row(object) else {
        let message = format!("the record has none of the fields that mark {shape}");
        return Err(Problem::new(schemas::RejectReason::UnknownFormat, "", message));
    };
    let record = Record { object, tool };
    if let Some(reason) = record.not_billable() {
        out.ignore(reason);
        return Ok(());
    }
    if is_unfinished(object) {
        out.ignore(IgnoreReason::StreamFragment);
        return Ok(());
    }
    let mut call = record.call()?;
    if envelope.model.is_some() && call.model.as_deref() == Some("unknown") {
        // What surrounds it knows.
        call.model = None;
    }
    let part = record.part(&call)?;
    if part.usage.is_empty() {
        let begun = tool.precedence == crate::assemble::precedence::AGENT && !record.has(tool.input);
        let failed = object.get("error").is_some() || object.is("status", "error");
        // A provider that says what a call cost has made it.
        let paid = tool.precedence == crate::assemble::precedence::PROVIDER && record.has(tool.cost);
        if begun || failed || (call.model.is_none() && !paid) || record.starts_with(tool.basis, tool.failed) {
            // Written when a request begins, or when it failed.
            out.ignore(IgnoreReason::FailedCall);
            return Ok(());
        }
        call.flags.set(Flag::UsageMissing);
    }
    call.raw_usage = Cow::Owned(record.counts());
    call.parts = smallvec![part];
    record.pay(&mut call, &mut envelope);
    record.describe(&mut envelope, out)?;
    out.call(call, envelope, json);
    Ok(())
}

/// True for a frame of Hunyuan's that others follow: each counts what came before it, too.
fn is_unfinished(object: &Object<'_>) -> bool {
    object.first_of("Choices").is_some_and(|choice| choice.has("Delta") && choice.is("FinishReason", ""))
}

/// Who serves the model at an address, and the model: a kind of interface may stand between them. A program of one's own has none.
fn at(address: &str) -> Option<(Text, &str)> {
    const INTERFACES: [&str; 9] =
        ["chat", "responses", "completion", "messages", "converse", "embedding", "embeddings", "image", "realtime"];
    let (provider, rest) = address.split_once(':')?;
    let model = rest.split_once(':').filter(|(kind, _)| INTERFACES.contains(kind)).map_or(rest, |(_, model)| model);
    let own = ["file", "http", "https", "exec", "python", "javascript", "package"].contains(&provider);
    (!own).then(|| (provider_name(provider), model))
}

/// A record and the row it is read by.
struct Record<'o, 'a> {
    object: &'o Object<'a>,
    tool: &'static Tool,
}

/// What stands at a path, as JSON; also within the text of an object.
fn find(object: &Object<'_>, path: &str) -> Option<String> {
    let Some((name, inner)) = path.split_once('>') else {
        return Some(object.get(path)?.text().to_owned());
    };
    find_within(object.get(name)?, inner)
}

fn find_within(value: Json<'_>, path: &str) -> Option<String> {
    match value.kind() {
        Kind::Object => find(&value.object()?, path),
        Kind::String => find(&Json::parse_object(&value.string()?)?.1, path),
        Kind::Array => find_within(*value.array()?.first()?, path.strip_prefix(FIRST)?),
        _ => None,
    }
}

impl<'a> Record<'_, 'a> {
    fn found(&self, paths: Paths) -> Option<String> {
        paths.iter().find_map(|path| find(self.object, path))
    }

    fn has(&self, paths: Paths) -> bool {
        paths.iter().any(|path| find(self.object, path).is_some())
    }

    /// Short text; numbers as they are written.
    fn text(&self, paths: Paths) -> Option<String> {
        self.text_at(paths.iter().find(|path| find(self.object, path).is_some())?)
    }

    fn text_at(&self, path: &str) -> Option<String> {
        let found = find(self.object, path)?;
        let value = Json::parse(&found).ok()?;
        let text = match value.kind() {
            Kind::String => value.string()?.into_owned(),
            Kind::Number | Kind::Bool => found.clone(),
            _ => return None,
        };
        Some(text).filter(|text| !text.is_empty() && text.len() <= crate::TEXT_BYTES_MAX)
    }

    fn kept(&self, paths: Paths) -> Option<Text> {
        self.text(paths).map(Text::from)
    }

    fn count(&self, paths: Paths) -> Result<Option<i64>> {
        let Some(path) = paths.iter().find(|path| find(self.object, path).is_some()) else { return Ok(None) };
        let Some(digits) = self.text_at(path).map(|text| text.replace(',', "")) else {
            return Err(Problem::missing(path, "send the count as a whole number"));
        };
        number::count(&digits).map(Some).map_err(|error| Problem::digits(path, &digits, error))
    }

    fn starts_with(&self, paths: Paths, words: &[&str]) -> bool {
        self.text(paths).is_some_and(|text| words.iter().any(|word| text.starts_with(word)))
    }

    /// Why the record is no call of a model; `None` where it is one.
    fn not_billable(&self) -> Option<IgnoreReason> {
        let tool = self.tool;
        if tool.sum {
            return Some(IgnoreReason::RunSummary);
        }
        if tool.calls.is_empty() && tool.kind.is_empty() {
            return None;
        }
        match self.text(tool.kind) {
            Some(kind) if tool.calls.contains(&kind.as_str()) => None,
            Some(kind) if tool.sums.contains(&kind.as_str()) => Some(match tool.precedence {
                crate::assemble::precedence::SPAN => IgnoreReason::AgentSpan,
                _ => IgnoreReason::RunSummary,
            }),
            None if tool.unstated_is_call => None,
            _ => Some(IgnoreReason::NotAModelCall),
        }
    }

    fn call(&self) -> Result<Call<'a>> {
        let tool = self.tool;
        let mut call = Call::new(tool.shape.as_str(), "chat", tool.precedence);
        let embeds = |word: String| word.to_ascii_lowercase().contains("embedding");
        if tool.source.ends_with("embeddings") || self.text(tool.kind).is_some_and(embeds) {
            call.operation = Cow::Borrowed("embeddings");
        }
        let operations = [
            (!tool.characters.is_empty(), "speech"),
            (!tool.seconds.is_empty(), "transcription"),
            (tool.source.ends_with("rerank"), "rerank"),
        ];
        if let Some((_, operation)) = operations.iter().find(|(told, _)| *told) {
            call.operation = Cow::Borrowed(operation);
        }
        call.provider = match tool.provider_is {
            "" => self.text(tool.provider).map(|name| provider_name(&name)),
            name => Some(Text::const_new(name)),
        };
        call.usual_provider = tool.usual_provider;
        if tool.prefixed && call.provider.is_none() {
            let named = self.text(tool.requested);
            let prefix =
                named.as_deref().and_then(|name| name.split_once('/')).map(|(prefix, _)| provider_name(prefix));
            call.provider = prefix.filter(|prefix| !PROXIES.contains(&prefix.as_str()));
        }
        call.model = self.text(tool.model).map(|model| Cow::Owned(self.unprefixed(model, call.provider.as_deref())));
        if let Some(address) = call.model.take_if(|_| tool.addressed) {
            let told = at(&address);
            call.provider = told.as_ref().map(|(provider, _)| provider.clone());
            call.model = told.map(|(_, model)| Cow::Owned(model.to_owned()));
        }
        if call.model.is_none() && tool.precedence == crate::assemble::precedence::AGENT {
            // What an agent used was certainly billed: counted, and visibly unpriced.
            call.model = Some(Cow::Borrowed("unknown"));
        }
        call.requested_model = self.kept(tool.requested);
        call.response_id = self.text(tool.response_id).map(Cow::Owned);
        call.time = self.time()?;
        Ok(call)
    }

    /// The model without the provider before it, where the row says that one stands there, and it is the one that serves it.
    fn unprefixed(&self, model: String, provider: Option<&str>) -> String {
        match model.split_once('/') {
            Some((prefix, rest))
                if self.tool.prefixed && (PROXIES.contains(&prefix) || provider == Some(&*provider_name(prefix))) =>
            {
                rest.to_owned()
            }
            _ => model,
        }
    }

    fn time(&self) -> Result<Option<Timestamp>> {
        let tool = self.tool;
        for path in tool.time {
            if let Some(found) = find(self.object, path)
                && let Ok(value) = Json::parse(&found)
            {
                return envelope::time_value(value, path).map(Some);
            }
        }
        Ok(None)
    }

    fn part(&self, call: &Call<'_>) -> Result<Part> {
        let tool = self.tool;
        let or_zero = |paths: Paths| self.count(paths).map(|count| count.unwrap_or(0));
        let (input, output) = (or_zero(tool.input)?, or_zero(tool.output)?);
        let (short, long) = (self.count(tool.written_5m)?, self.count(tool.written_1h)?);
        let parts = short.unwrap_or(0) + long.unwrap_or(0);
        let (read, written) = (or_zero(tool.read)?, or_zero(tool.written)?.max(parts));
        let reasoning = or_zero(tool.reasoning)?;
        let total = self.count(tool.total)?.filter(|total| *total > 0);
        let cache = read + written;
        let inside = cache == 0 || self.cache_is_inside(call, input, output, cache, total);
        let field = |paths: Paths| paths.first().copied().unwrap_or_default();
        let uncached = match inside {
            true => rest(input, field(tool.input), &[(read, field(tool.read)), (written, field(tool.written))])?,
            false => input,
        };
        let whole = input + output + if inside { 0 } else { cache };
        // Reasoning is inside the output, unless it does not fit or the total says that it stands beside it.
        let model = call.model.as_deref().unwrap_or_default();
        let beside = tool.reasoning_beside.iter().any(|begun| model.starts_with(begun))
            || reasoning > output
            || (reasoning > 0 && total == Some(whole + reasoning));
        let text = if beside { output } else { output - reasoning };
        let tokens = Tokens { input: uncached, cache_read: read, output: text, reasoning, ..Tokens::default() };
        let mut part =
            tokens.written(written, short, long).part(if total.is_some() { "total = input + output" } else { "" });
        if total.is_some_and(|total| total != whole && total != whole + reasoning) {
            part.flags.set(Flag::TotalMismatch);
        }
        part.usage.add(Meter::WebSearches, or_zero(tool.searches)?);
        part.usage.add(Meter::InputCharacters, or_zero(tool.characters)?);
        if let Some((path, digits)) = tool.seconds.iter().find_map(|path| Some((*path, self.text_at(path)?))) {
            let seconds = number::quantity(&digits).map_err(|error| Problem::digits(path, &digits, error))?;
            part.usage.add_quantity(Meter::InputAudioSeconds, seconds);
        }
        Ok(part)
    }

    fn cache_is_inside(&self, call: &Call<'_>, input: i64, output: i64, cache: i64, total: Option<i64>) -> bool {
        let anthropic = || {
            let provider = call.provider.as_deref().or_else(|| call.model.as_deref().and_then(families::family));
            provider == Some("anthropic") || call.model.as_deref().is_some_and(|model| model.contains("claude"))
        };
        match self.text(self.tool.exclusive).as_deref() {
            Some("true") => return false,
            Some("false") => return cache <= input,
            _ => {}
        }
        if total == Some(input + output + cache) {
            return false;
        }
        match self.tool.cache {
            _ if cache > input => false,
            Cache::Inside => true,
            Cache::Beside => total == Some(input + output),
            Cache::BesideOfAnthropic => !anthropic(),
            Cache::AsCline => self.is_whole_prompt(call),
        }
    }

    /// True where the input of a request is the whole prompt. Roo Code and Kilo Code, which name the protocol, write that down since
    /// November 2025 for all (<https://github.com/RooCodeInc/Roo-Code/pull/8954>, released 2025-11-01), before not for Anthropic's;
    /// Cline where it hands on what such a provider counts (its providers in public code; both read in a description of them, 2026-11-30).
    fn is_whole_prompt(&self, call: &Call<'_>) -> bool {
        const HANDED_ON: [&str; 9] =
            ["openai", "litellm", "doubao", "fireworks", "hicap", "lmstudio", "qwen", "xai", "zai"];
        const WHOLE_SINCE: Timestamp = Timestamp::from_millis(1_761_955_200_000);
        match self.text(&["text>apiProtocol"]).as_deref() {
            Some("anthropic") => call.time.is_none_or(|time| time >= WHOLE_SINCE),
            Some(_) => true,
            None => self.text(&["modelInfo>providerId"]).is_some_and(|name| HANDED_ON.contains(&name.as_str())),
        }
    }

    /// The counts by their paths, as one JSON object.
    fn counts(&self) -> String {
        let tool = self.tool;
        let each = [tool.input, tool.output, tool.read, tool.written, tool.reasoning, tool.total];
        let found = each.iter().filter_map(|paths| paths.iter().find(|path| find(self.object, path).is_some()));
        let found = found.filter_map(|path| Some((*path, find(self.object, path).filter(|text| text.len() <= 64)?)));
        let mut text = String::from("{");
        for (path, value) in found {
            json::put_field(&mut text, path, &value);
        }
        text.push('}');
        text
    }

    /// What it costs, and whether it costs anything.
    fn pay(&self, call: &mut Call<'_>, envelope: &mut Envelope<'_>) {
        let tool = self.tool;
        let included = self.starts_with(tool.basis, tool.included) || self.starts_with(tool.cost, tool.included);
        if included || tool.paid_otherwise {
            call.cost_basis = Some(CostBasis::Included);
        }
        if matches!(self.text(tool.cached).as_deref(), Some("true" | "1" | "read")) {
            call.cost_basis = Some(CostBasis::GatewayCache);
        }
        let amount = self.text(tool.cost).map(|text| text.replace(['$', ','], ""));
        // A claim that is no number is no reason to lose the call.
        let Some(amount) = amount.and_then(|text| number::money(text.trim()).ok()) else { return };
        let amount = if tool.cents { schemas::Money::from_picos(amount.picos() / 100) } else { Some(amount) };
        let Some(amount) = amount else { return };
        let basis = if tool.billed { "billed_by_provider" } else { "stated_by_producer" };
        let currency = match self.text(tool.currency).as_deref() {
            Some("RMB") => Text::const_new("CNY"),
            Some(currency) if currency.len() == 3 => Text::from(currency),
            _ => Text::const_new("USD"),
        };
        let cost = ReportedCost { amount, currency, basis: basis.into() };
        if tool.billed && !included {
            envelope.stated_cost = Some(cost.clone());
        }
        call.reported_cost = Some(cost);
    }

    /// Whose it is.
    fn describe(&self, envelope: &mut Envelope<'a>, out: &Out<'_>) -> Result<()> {
        let tool = self.tool;
        let parts: Vec<String> = tool.id.iter().filter_map(|path| self.part_of_id(path)).collect();
        let id = if tool.any_id { parts.first().cloned() } else { Some(parts.join("/")) };
        if envelope.event_id.is_none() {
            envelope.event_id = id.filter(|id| !id.is_empty()).map(Cow::Owned);
            envelope.source = Some(Cow::Borrowed(tool.source));
        }
        envelope.trace_id = envelope.trace_id.take().or_else(|| self.text(tool.trace).map(Cow::Owned));
        envelope.span_id = envelope.span_id.take().or_else(|| self.text(tool.span).map(Cow::Owned));
        let claimed = &mut envelope.claimed;
        for (slot, paths) in [
            (&mut claimed.session, tool.session),
            (&mut claimed.team, tool.team),
            (&mut claimed.project, tool.project),
            (&mut claimed.feature, tool.feature),
            (&mut claimed.environment, tool.environment),
            (&mut claimed.application, tool.application),
            (&mut claimed.customer, tool.customer),
        ] {
            if slot.is_none() {
                *slot = self.kept(paths);
            }
        }
        if tool.precedence == crate::assemble::precedence::AGENT && claimed.application.is_none() {
            claimed.application = Some(Text::const_new(tool.source));
        }
        if let Some(user) = self.text(tool.user) {
            envelope.claim_user(&user, out.config);
        }
        if let Some(key) = self.text(tool.key) {
            envelope.key_id = Some(identity::key_id(&key));
        }
        self.tag(envelope, out);
        Ok(())
    }

    fn part_of_id(&self, path: &str) -> Option<String> {
        match path {
            TIME => Some(self.time().ok()??.to_string()),
            _ => self.text_at(path),
        }
    }

    /// Words, or keys and values between colons.
    fn tag(&self, envelope: &mut Envelope<'a>, out: &Out<'_>) {
        let Some(found) = self.found(self.tool.tags) else { return };
        let Some(words) = Json::parse(&found).ok().and_then(Json::array) else { return };
        for word in words.into_iter().filter_map(Json::string) {
            match word.split_once(':') {
                Some((_, "")) => {}
                Some((key, value)) => envelope.add_label(key, value, true, out.config),
                None => envelope.add_tag(&word, "true", out.config),
            }
        }
    }
}
