//! What stands within an object that says nothing of itself: the body in a producer's envelope, in what HTTP clients, recorders
//! and log shippers write down, in a list of records.
//!
//! Names alone decide nothing, since prompts and answers are logged under the same ones: what is found there is taken only
//! if it can be told by itself. Each look goes one level down; what is found is recognised like any other object, within the
//! bound of wrappers that `formats` keeps.

use std::borrow::Cow;

use super::{FLAT, Shape, asked, recognise, row};
use crate::formats::stream::logged;
use crate::formats::{house, langchain, tools};
use crate::json::{Json, Kind, Object};
use crate::{collector, encoded, logfmt, pieces, printed};

/// The body that an object holds as a producer's envelope does. Beside usage of the object's own, it is one only if it speaks of
/// a call: answers are logged under the same names.
pub(crate) fn body<'a>(object: &Object<'a>) -> Option<(&'static str, Json<'a>)> {
    // The last are those of Google's own recorder, which keeps what its SDK made of the answer beside it.
    let (name, body) = object.first(&["response", "body", "body_segments", "bodySegments"])?;
    let wraps = matches!(body.kind(), Kind::Object | Kind::Array | Kind::String)
        && body.text() != "[]"
        && (!is_counted(object) || speaks_of_a_call(body))
        && !(is_prose(body) && has_another(object, name))
        && !(name == "body" && asked::is_written(object));
    // Its head may stand beside the pieces it came in.
    let bodiless = || body.object().is_some_and(|head| head.get("body").is_none() && head.has("status"));
    let pieces = object.get("chunks").filter(|chunks| pieces::is_list(*chunks) && bodiless());
    wraps.then_some(pieces.map_or((name, body), |chunks| ("chunks", chunks)))
}

/// True for a text that is no document, stream or print of an answer: what was said, without its call.
fn is_prose(body: Json<'_>) -> bool {
    const BEGINNINGS: [&str; 10] = ["{", "[", "<", "\\", "data:", "event:", ":", "id:", "retry:", "HTTP/"];
    let text = body.text().get(1..).unwrap_or_default();
    body.kind() == Kind::String
        && !BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
        && !encoded::is_encoded(text)
        && !printed::is_begun(text)
}

/// True for an object that also holds an answer as it came.
fn has_another(object: &Object<'_>, body: &str) -> bool {
    let is_raw = |name: &str| {
        name.contains("raw") || name.contains("Raw") || matches!(name, "body" | "response_json" | "assembled_response")
    };
    let is_whole = |value: Json<'_>| value.kind() == Kind::Object || value.text().starts_with("\"{");
    object.iter().any(|(name, value)| name != body && is_raw(name) && is_whole(value) && !asked::is_of_a_question(name))
}

/// True for an object with usage of its own.
pub(super) fn is_counted(object: &Object<'_>) -> bool {
    object.get("usage").is_some() || FLAT.iter().any(|name| object.has(name))
}

/// The body within an object of which nothing else is known, under the names that HTTP clients, recorders and log shippers give
/// it. It must be told by itself.
pub(crate) fn captured<'a>(object: &Object<'a>) -> Option<(&'static str, Json<'a>)> {
    // Lists are looked into where their name says that they are pieces of one answer.
    const LISTS: [&str; 3] = ["chunks", "events", "stream"];
    const NAMES: [&str; 47] = [
        "chunks",
        "events",
        "stream",
        // SAP's orchestration, whose other results repeat the last of them.
        "final_result",
        "orchestration_result",
        "data",
        "payload",
        "result",
        "output",
        "completion",
        // Recorders that keep a body as JSON.
        "parsed_body",
        "raw_response",
        "raw",
        "meta",
        "event",
        "chunk",
        "frame",
        "response_body",
        "responseBody",
        "message",
        "log",
        "content",
        "string",
        "base64_string",
        // ReqLLM's fixtures.
        "b64",
        "base64",
        // Envoy's tap.
        "as_string",
        "as_bytes",
        "text",
        "record",
        // What clouds and log stores put around what they carry.
        "jsonPayload",
        "detail",
        "_source",
        "Sns",
        "Message",
        "line",
        "msg",
        "json",
        "value",
        "response_json",
        "doc",
        "trace",
        // Vertex's log of requests in BigQuery; what LiteLLM hands to its callbacks.
        "full_response",
        "standard_logging_object",
        "kwargs",
        "attributes",
        // Graylog's, beside a line of its own.
        "full_message",
    ];
    let archive = object.object("log").is_some_and(|log| log.has("entries"));
    let found = NAMES.iter().filter_map(|name| Some((*name, object.get(name)?)));
    let contents = asked::contents(object);
    let found = found.filter(|(name, _)| !contents.contains(name));
    let found = found.filter(|(name, _)| !(archive && *name == "log"));
    let mut found = found.filter(|(name, body)| body.kind() != Kind::Array || LISTS.contains(name));
    if let Some(found) = found.find(|(_, body)| speaks_of_a_call(*body)).or_else(|| carried(object, 1)) {
        return Some(found);
    }
    if let Some(name) = uncounted(object) {
        return Some((name, object.get(name)?));
    }
    if let Some(line) = printed_line(object) {
        return Some(line);
    }
    // Houses call it as they like. Each field is looked into once, so the work is bounded by the depth.
    // What was looked into before, and holds nothing, is not looked into again.
    let answer = object.first(&["response", "body"]).map(|(name, _)| name);
    let listed = if object.is("object", "list") { None } else { records(object).map(|(name, _)| name) };
    let listed = listed.map(|name| name.split('.').next().unwrap_or(name));
    let seen = |name: &str| [answer, listed].contains(&Some(name));
    let others = object.iter().filter(|(name, _)| !seen(name) && !contents.contains(name));
    let others = others.filter(|(name, _)| !asked::is_of_a_question(name));
    let others = others.filter(|(name, body)| match body.kind() {
        Kind::Array => !LISTS.contains(name),
        // Contents are texts, too.
        Kind::String => !NAMES.contains(name) && is_of_an_answer(name),
        _ => !NAMES.contains(name),
    });
    let mut calls = others.map(|(_, body)| body).filter(|body| speaks_of_a_call(*body));
    let found = calls.next()?;
    // Two that are not the same are two calls, of which neither may be lost.
    calls.all(|other| is_same(found, other)).then_some(("a field that holds a call", found))
}

/// The text of a body that counts nothing, in what a recorder puts around it, which counts nothing itself.
pub(super) fn uncounted(object: &Object<'_>) -> Option<&'static str> {
    let (name, text) = object.first(&["string", "base64_string"])?;
    if !object.iter().all(|(name, _)| matches!(name, "string" | "encoding" | "base64_string")) {
        return None;
    }
    let text = text.string()?;
    let plain = encoded::plain(&text);
    let (_, body) = Json::parse_object(plain.as_deref().unwrap_or(&text))?;
    recognise(&body).filter(|(shape, _)| *shape == Shape::Uncounted).map(|_| name)
}

/// Calls that stand beside one another in an object of which nothing else is known. Each has an id of its own, so that none can be
/// another's copy, and all have one shape: a gateway keeps an answer as it came and as it passed it on, under another id.
pub(crate) fn several<'a>(object: &Object<'a>) -> Option<Vec<Json<'a>>> {
    let contents = asked::contents(object);
    let fields = object.iter().filter(|(name, _)| !asked::is_of_a_question(name) && !contents.contains(name));
    let calls = fields.filter(|(_, value)| value.kind() == Kind::Object).map(|(_, value)| value);
    let calls: Vec<Json<'a>> = calls.filter(|value| speaks_of_a_call(*value)).take(SEVERAL_MAX + 1).collect();
    if !(2..=SEVERAL_MAX).contains(&calls.len()) {
        return None;
    }
    let told: Option<Vec<(Shape, Cow<'a, str>, &'a str)>> = calls.iter().map(|call| marks(call.object()?)).collect();
    let told = told?;
    let apart = told.iter().enumerate().all(|(index, (shape, id, usage))| {
        told[..index].iter().all(|(other, known, counts)| other == shape && known != id && counts != usage)
    });
    apart.then_some(calls)
}

/// Most calls that are taken out of one object of which nothing is known: more are a document.
const SEVERAL_MAX: usize = 64;

/// What tells an answer, or the one that an exchange holds, from others: its shape, its id, and its counts.
fn marks<'a>(call: Object<'a>) -> Option<(Shape, Cow<'a, str>, &'a str)> {
    let answer = match body(&call) {
        Some((_, body)) => body.object()?,
        None => call,
    };
    let (shape, _) = recognise(&answer)?;
    let id = answer.first(&["id", "responseId", "response_id"])?.1.string().filter(|id| !id.is_empty())?;
    let usage = answer.first(&["usage", "usageMetadata", "usage_metadata"])?.1;
    Some((shape, id, usage.text()))
}

/// The line of a program in what a runtime, a shipper or a journal keeps of it: words before an object, or pairs. Elsewhere such
/// a text is what somebody said.
fn printed_line<'a>(object: &Object<'a>) -> Option<(&'static str, Json<'a>)> {
    const LINES: [(&str, [&str; 2]); 15] = [
        ("log", ["stream", "time"]),
        ("log", ["stream", "kubernetes"]),
        ("log", ["log", "container_name"]),
        ("textPayload", ["logName", "timestamp"]),
        ("message", ["@timestamp", "message"]),
        ("message", ["logStream", "message"]),
        ("MESSAGE", ["__REALTIME_TIMESTAMP", "MESSAGE"]),
        // The Collector, before it named its signals and after.
        ("msg", ["data_type", "msg"]),
        ("msg", ["otelcol.signal", "msg"]),
        // Loggers that write JSON: zap, pino and slog; winston, Cloud Logging's and Python's; structlog.
        ("msg", ["level", "msg"]),
        ("message", ["level", "message"]),
        ("message", ["severity", "message"]),
        ("message", ["levelname", "message"]),
        ("event", ["level", "event"]),
        ("short_message", ["version", "host"]),
    ];
    kept(object, &LINES).find_map(|(name, line)| {
        let text = line.string()?;
        let told =
            |entry: Json<'_>| entry.object().is_some_and(|entry| states_usage(&entry)) || speaks_of_a_call(entry);
        let printed = || printed::within(&text).is_some_and(|text| Json::parse(&text).is_ok_and(speaks_of_a_call));
        let plain = || logfmt::json(&text).or_else(|| collector::json(&text)).is_some();
        (logged(&text).is_some_and(told) || plain() || printed()).then_some((name, line))
    })
}

/// True for a name that says that a text is an answer.
fn is_of_an_answer(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "res",
        "raw",
        "body",
        "output",
        "result",
        "completion",
        "answer",
        "reply",
        "payload",
        "data",
        "content",
        "json",
    ];
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// True for one answer in two places, as an object or as the text of one: the same but for spaces, or the same id.
fn is_same(one: Json<'_>, other: Json<'_>) -> bool {
    let id = |text: &str| Json::parse_object(text)?.1.string("id").map(Cow::into_owned).filter(|id| !id.is_empty());
    let (one, other) = (plain(one), plain(other));
    let dense = |text: &str| text.split_ascii_whitespace().collect::<String>();
    one == other || dense(&one) == dense(&other) || id(&one).is_some_and(|one| Some(one) == id(&other))
}

/// The text of an answer, whether it is written as one or not.
fn plain(body: Json<'_>) -> Cow<'_, str> {
    body.string().unwrap_or(Cow::Borrowed(body.text()))
}

/// The record that a log store or a stream of changes carries, told by what it puts beside it: an event of ours will do.
fn carried<'a>(object: &Object<'a>, levels: u8) -> Option<(&'static str, Json<'a>)> {
    const CARRIERS: [(&str, [&str; 2]); 6] = [
        // Cloud Logging, Datadog, Debezium, Kafka Connect, Splunk.
        ("jsonPayload", ["logName", "timestamp"]),
        ("attributes", ["message", "attributes"]),
        ("attributes", ["id", "type"]),
        ("after", ["op", "source"]),
        ("payload", ["schema", "payload"]),
        ("event", ["sourcetype", "event"]),
    ];
    kept(object, &CARRIERS).find_map(|(name, body)| {
        let inner = body.object()?;
        // Datadog's log has the program's own attributes within its own.
        let nested = || levels > 0 && carried(&inner, levels - 1).is_some();
        (states_usage(&inner) || nested()).then_some((name, body))
    })
}

/// The fields of a table that an object has, each with what is put beside it.
fn kept<'a>(
    object: &Object<'a>,
    table: &'static [(&'static str, [&'static str; 2])],
) -> impl Iterator<Item = (&'static str, Json<'a>)> {
    let told = table.iter().filter(|(_, beside)| beside.iter().all(|field| object.has(field)));
    told.filter_map(|(name, _)| Some((*name, object.get(name)?)))
}

/// True for an event of ours, a flat record and a row of a tool: what is told without a look at what lies within.
fn states_usage(object: &Object<'_>) -> bool {
    let ours = object.has("model") && object.has("usage");
    ours || FLAT.iter().any(|name| object.has(name)) || row(object).is_some()
}

/// True for an object, the first elements of a list, or a text that can be told to be a call, or to hold one.
pub(crate) fn speaks_of_a_call(body: Json<'_>) -> bool {
    let told = |object: &Object<'_>| {
        recognise(object).is_some_and(|(shape, _)| {
            is_call(shape) || (matches!(shape, Shape::Usage | Shape::FlatUsage) && has_counts(object))
        })
    };
    match body.kind() {
        Kind::Object => body.object().is_some_and(|inner| told(&inner)),
        Kind::Array => {
            let list = body.array().unwrap_or_default();
            // A stream may be kept as the texts it came as.
            let streamed = list
                .first()
                .is_some_and(|first| ["\"data:", "\"event:"].iter().any(|begun| first.text().starts_with(begun)));
            let in_pieces = || list.first().is_some_and(|first| pieces::is_first(*first));
            streamed
                || in_pieces()
                || list.into_iter().take(RECORDS_SEEN).filter_map(Json::object).any(|inner| told(&inner))
        }
        // Contents are texts, too: only what is a whole object, or a stream, is looked into.
        Kind::String => match body.text().get(1..).unwrap_or_default() {
            text if encoded::is_medium(text) => false,
            text if encoded::is_address(text) => {
                let text = body.string().and_then(|text| encoded::plain(&text)).unwrap_or_default();
                at_the_ends(&text).iter().any(told)
            }
            text if text.starts_with("data:") || text.starts_with("event:") => true,
            // A comment, an id or a time to retry after may come first.
            text if [":", "id:", "retry:"].iter().any(|field| text.starts_with(field)) => text.contains("\\ndata:"),
            text if encoded::is_encoded(text) => {
                // Lines of Base64 end within the text.
                let text = body.string().and_then(|text| encoded::plain(&text)).unwrap_or_default();
                text.starts_with("data:") || text.starts_with("event:") || at_the_ends(&text).iter().any(told)
            }
            text if text.starts_with("[\\\"")
                && body.string().is_some_and(|text| Json::parse(&text).is_ok_and(pieces::is_list)) =>
            {
                true
            }
            text if text.starts_with(['{', '[']) => at_the_ends(&body.string().unwrap_or_default()).iter().any(told),
            _ => false,
        },
        _ => false,
    }
}

/// True for usage in a provider's spelling, or counts of both ways, beside the model: whatever it stands in, this was a call.
fn has_counts(object: &Object<'_>) -> bool {
    const SIDES: [[&str; 2]; 3] = [
        ["prompt_tokens", "completion_tokens"],
        ["input_tokens", "output_tokens"],
        ["promptTokens", "completionTokens"],
    ];
    let both = || house::model(object).is_some() && SIDES.iter().any(|sides| sides.iter().all(|name| object.has(name)));
    object.object("usage").is_some_and(|usage| FLAT.iter().any(|name| usage.has(name))) || both()
}

/// The object that a text is; or the first and the last frame of a stream that was kept as the text of a list, or one frame a line:
/// the first says whose they are, unless only the last does (Ollama).
fn at_the_ends(text: &str) -> Vec<Object<'_>> {
    if let Some((_, whole)) = Json::parse_object(text) {
        return vec![whole];
    }
    if let Ok(list) = Json::parse(text) {
        let list = list.array().unwrap_or_default();
        return [list.first(), list.last()].into_iter().flatten().filter_map(|frame| frame.object()).collect();
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let ends = [lines.next(), lines.next_back()];
    ends.into_iter().flatten().filter_map(|line| Some(Json::parse_object(line)?.1)).collect()
}

/// True for what speaks of a call by itself, or holds what does. What counts nothing is not looked for: what stands around it may count.
pub(crate) fn is_call(shape: Shape) -> bool {
    !matches!(
        shape,
        Shape::Status
            | Shape::Uncounted
            | Shape::Fragment
            | Shape::Error
            | Shape::Correction
            | Shape::Usage
            | Shape::FlatUsage
            | Shape::SeatList
    )
}

/// Most records of a list that are looked at to tell what it is.
pub(super) const RECORDS_SEEN: usize = 16;

/// The records of a list that is wrapped in one object: Azure's diagnostic logs, captured interactions, HTTP archives.
pub(crate) fn records<'a>(object: &Object<'a>) -> Option<(&'static str, Vec<Json<'a>>)> {
    if let Some(entries) = object.object("log").and_then(|log| log.array("entries")) {
        return Some(("log.entries", entries));
    }
    // What Elasticsearch finds.
    if let Some(hits) = object.object("hits").and_then(|hits| hits.array("hits")) {
        return Some(("hits", hits));
    }
    if let Some((_, answers)) = object.first(&["inlinedResponses", "inlined_responses"]) {
        let nested =
            answers.object().and_then(|nested| Some(nested.first(&["inlinedResponses", "inlined_responses"])?.1));
        return Some(("inlinedResponses", nested.unwrap_or(answers).array()?));
    }
    if let Some((name, list)) = object.first(&["records", "interactions", "observations", "Records", "Entries"]) {
        return Some((name, list.array()?));
    }
    // A page of answers that were stored, runs or videos, as OpenAI's API gives them back.
    if object.is("object", "list")
        && let Some(page) = object.array("data")
    {
        return speaks_of_a_call(object.get("data")?).then_some(("data", page));
    }
    // What LangSmith's SDKs send: runs that began, and runs that ended.
    if let (Some(mut began), Some(ended)) = (object.array("post"), object.array("patch")) {
        began.extend(ended);
        return Some(("post", began)).filter(|(_, runs)| is_page(runs));
    }
    // A thread of Amp, whose ledger repeats what its messages count.
    if object.has("v")
        && object.string("id").is_some_and(|id| id.starts_with("T-"))
        && let Some(messages) = object.array("messages")
    {
        let counted = |message: &Json<'_>| message.object().is_some_and(|message| message.has("usage"));
        return Some(("messages", messages.into_iter().filter(counted).collect()));
    }
    // What an agent of LangGraph, AutoGen or Pydantic AI gives back: its messages. Who asks a model names it beside them.
    if let Some(messages) = object.array("messages").filter(|_| !object.has("model")) {
        let said: Vec<Json<'a>> = messages.into_iter().filter(|message| is_said(*message)).collect();
        if !said.is_empty() {
            return Some(("messages", said));
        }
    }
    // A trajectory in Harbor's format: its steps, of which only those of a model are counted.
    if object.has("final_metrics")
        && let Some(steps) = object.array("steps")
    {
        let counted = |step: &Json<'_>| step.object().is_some_and(|step| step.has("metrics"));
        return Some(("steps", steps.into_iter().filter(counted).collect()));
    }
    // A page of Bifrost's log.
    if object.has("pagination")
        && let Some(logs) = object.array("logs")
    {
        return Some(("logs", logs));
    }
    // A page of Langfuse's observations.
    if object.has("meta")
        && let Some(page) = object.array("data")
        && page.first().and_then(|first| first.object()).is_some_and(|first| first.has("traceId"))
    {
        return Some(("data", page));
    }
    // A page of the results of a batch of xAI.
    if let Some(results) = object.array("results")
        && results.first().and_then(|first| first.object()).is_some_and(|first| first.has("batch_result"))
    {
        return Some(("results", results));
    }
    // What tools send and answer: a page of rows. Lists of these names hold anything, so the rows must be told.
    const PAGES: [&str; 12] = [
        // Flowise: what each node of a flow did.
        "agentFlowExecutedData",
        "events",
        "usageEvents",
        "usageItems",
        "data",
        "result",
        "batch",
        "runs",
        "items",
        "logs",
        "replies",
        "results",
    ];
    // Promptfoo keeps its rows beside what they add up to.
    if let Some(rows) = object.object("results").and_then(|whole| whole.array("results"))
        && is_page(&rows)
    {
        return Some(("results", rows));
    }
    let intake = || Some(("spans", object.object("data")?.object("attributes")?.array("spans")?));
    let mut pages = PAGES.iter().filter_map(|name| Some((*name, object.array(name)?)));
    let spans = || Some(("spans", object.array("spans").filter(|spans| is_page(spans))?));
    pages.find(|(_, page)| is_page(page)).or_else(spans).or_else(intake)
}

/// True for a message of a framework that a model said: it states what it used.
fn is_said(message: Json<'_>) -> bool {
    let Some(message) = message.object() else { return false };
    let told = || matches!(row(&message), Some(Shape::ToolLog | Shape::PydanticAi));
    langchain::is_message(&message) || (!message.is("kind", "request") && told())
}

/// True for a list among whose first elements is a row of a tool.
fn is_page(page: &[Json<'_>]) -> bool {
    let told = |object: Object<'_>| row(&object).is_some_and(is_row) || is_other_row(&object);
    page.iter().take(RECORDS_SEEN).filter_map(|row| row.object()).any(told)
}

/// True for a row of the log of Cloudflare's gateway, and for a reply of Haystack, whose `meta` is what the provider said.
fn is_other_row(row: &Object<'_>) -> bool {
    (row.has("tokens_in") && row.has("cached"))
        || (row.has("role") && row.object("meta").is_some_and(|meta| meta.has("model") && meta.has("usage")))
}

/// True for the shapes that tools put into pages.
fn is_row(shape: Shape) -> bool {
    tools::reads(shape)
        || matches!(
            shape,
            Shape::GitHubUsage | Shape::LangSmith | Shape::Langfuse | Shape::LiteLlm | Shape::Portkey | Shape::Helicone
        )
}
