//! The documents in a text: JSON, lines of it, data of server-sent events, what stands after the words of a logger.

use std::fmt::Write;

use schemas::RejectReason;

use crate::formats::{langchain, table};
use crate::head;
use crate::json::{Json, Kind, Object};
use crate::pieces;
use crate::printed;
use crate::problem::{Problem, Result};
use crate::recognise;

/// The JSON documents in a text: one, the elements of an array, one a line, or the data of server-sent events.
pub(crate) fn documents(text: &str) -> Result<Vec<Result<Document<'_>>>> {
    // Nearly every record is one object: it is read in one pass.
    if let Some(document) = Json::parse_object(text) {
        return Ok(vec![Ok(document.into())]);
    }
    Ok(several(text)?.into_iter().map(|document| document.map(Document::from)).collect())
}

/// As [`documents`]; where a text holds none, the object printed within it, which is kept in `printed`.
pub(crate) fn documents_within<'t>(
    text: &'t str,
    printed: &'t mut Option<String>,
) -> Result<Vec<Result<Document<'t>>>> {
    let problem = match documents(text) {
        Err(problem) => problem,
        found => return found,
    };
    if is_begun(text) && !printed::is_loose(text) {
        return Err(problem);
    }
    *printed = printed::within(text);
    printed.as_deref().map_or(Err(problem), documents)
}

/// A JSON document, read already when it is an object that stands alone.
#[derive(Debug, Clone)]
pub(crate) struct Document<'a> {
    pub json: Json<'a>,
    pub(super) object: Option<Object<'a>>,
}

impl<'a> From<(Json<'a>, Object<'a>)> for Document<'a> {
    fn from((json, object): (Json<'a>, Object<'a>)) -> Self {
        Document { json, object: Some(object) }
    }
}

impl<'a> From<Json<'a>> for Document<'a> {
    fn from(json: Json<'a>) -> Self {
        Document { json, object: None }
    }
}

fn several(text: &str) -> Result<Vec<Result<Json<'_>>>> {
    if is_event_stream(text) {
        let documents = event_stream(text);
        if documents.is_empty() {
            return Err(Problem::new(RejectReason::Empty, "", "the event stream holds no data"));
        }
        return Ok(documents);
    }
    match Json::parse(text) {
        Ok(json) => match json.array() {
            // A line of what LangGraph streams.
            Some(_) if langchain::piece_of_pair(json).is_some() => Ok(vec![Ok(json)]),
            Some(items) if items.is_empty() => Err(Problem::new(RejectReason::Empty, "", "the array is empty")),
            Some(items) => Ok(items.into_iter().map(Ok).collect()),
            None => Ok(vec![Ok(json)]),
        },
        // Newline-delimited JSON, where one bad line does not spoil the others.
        Err(_) if looks_like_lines(text) => Ok(lines(text).map(|(number, line)| numbered(number, line)).collect()),
        Err(error) => {
            let found = one_after_another(text).or_else(|| spread_out(text)).or_else(|| log_file(text));
            let found = found.or_else(|| embedded(text)).or_else(|| cut_off(text, &error));
            found.ok_or_else(|| malformed(&error))
        }
    }
}

/// The lines of a text that say something, each with its number from 1. Some who print an array line by line leave its commas.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(|line| line.trim().trim_end_matches(','));
    (1..).zip(lines).filter(|(_, line)| !line.is_empty())
}

/// The document of a line; what is wrong with it begins with where it stands.
fn numbered(number: usize, line: &str) -> Result<Json<'_>> {
    document_of(line).map_err(|mut problem| {
        problem.message = format!("line {number}: {}", problem.message);
        problem
    })
}

/// The document of a line: all of it, or what it ends with.
fn document_of(line: &str) -> Result<Json<'_>> {
    Json::parse(line).or_else(|error| logged(line).ok_or_else(|| malformed(&error)))
}

/// The object that a line of a log ends with, after what the logger puts before it: a time, a level, who speaks.
pub(crate) fn logged(line: &str) -> Option<Json<'_>> {
    const TRIES: usize = 4;
    let line = line.trim();
    if is_begun(line) {
        return None;
    }
    let mut objects = line.match_indices('{').take(TRIES).filter_map(|(place, _)| Json::parse_first(&line[place..]));
    // One without fields is a value within what a program prints.
    objects.find(|json| json.text().contains('"')).or_else(|| quoted(line))
}

/// The text of an object that a line of a log has in quotes: a value of pairs, what `%q` and `repr` print of a body. What was asked may
/// stand there, too, so it must count.
fn quoted(line: &str) -> Option<Json<'_>> {
    const TRIES: usize = 4;
    let mut texts =
        line.match_indices("\"{\\\"").take(TRIES).filter_map(|(place, _)| Json::first_value(&line[place..]));
    texts.find(|text| text.text().contains("\\\"usage"))
}

/// True for a text that begins as JSON: what stands within it is a part of something. Loggers write times, levels and names in
/// brackets.
fn is_begun(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('[') else { return text.starts_with(['{', '"']) };
    let told = |c: char| c.is_alphanumeric() || " .,:;+-_/#".contains(c);
    let tag = inner.find(|c| !told(c)).unwrap_or(inner.len());
    let ends = |mark| inner[tag..].starts_with(mark);
    !(inner.starts_with(char::is_alphanumeric) && (ends("] ") || ends("][")))
}

/// The object on several lines that stands after the words of a program. A text that goes on after it is a document that quotes it.
fn embedded(text: &str) -> Option<Vec<Result<Json<'_>>>> {
    let json = logged(text)?;
    let (_, rest) = text.split_once(json.text())?;
    (rest.trim().lines().count() <= 1).then(|| vec![Ok(json)])
}

/// The objects over several lines that a program wrote among its words, one after the other: those that can be told to be something, for
/// what was asked stands there, too (LM Studio's logs, and whoever prints with indents). A log begins with a time, or a tag in brackets; any
/// other text that goes on after an answer is a page that shows one.
fn spread_out(text: &str) -> Option<Vec<Result<Json<'_>>>> {
    /// How much more than its length is read of a text, at most, in looking for objects that are none.
    const LOOKS_MAX: usize = 4;
    if is_begun(text) || !text.starts_with(|c: char| c.is_ascii_digit() || c == '[') {
        return None;
    }
    let (mut found, mut rest, mut looked, mut spread) = (Vec::new(), text, 0, false);
    while let Some(at) = rest.find('{') {
        let object = Json::parse_first(&rest[at..]);
        let length = object.map_or(1, |object| object.text().len());
        if let Some(object) = object {
            spread |= object.text().contains('\n');
            let told = object.object().is_some_and(|object| recognise::recognise(&object).is_some());
            found.extend(told.then_some(Ok(object)));
        } else {
            looked += rest.len() - at;
            if looked > LOOKS_MAX * text.len() {
                return None;
            }
        }
        rest = &rest[at + length..];
    }
    (spread && !found.is_empty()).then_some(found)
}

/// The lines of a log some of which end with an object.
fn log_file(text: &str) -> Option<Vec<Result<Json<'_>>>> {
    if is_begun(text) {
        return None;
    }
    let told = lines(text).any(|(_, line)| logged(line).is_some());
    told.then(|| lines(text).map(|(number, line)| numbered(number, line)).collect())
}

/// Objects that stand one after the other without an end of line between them, as delivery streams join them.
fn one_after_another(text: &str) -> Option<Vec<Result<Json<'_>>>> {
    let all = Json::parse_all(text)?;
    let objects = all.len() > 1 && all.iter().all(|json| json.kind() == Kind::Object);
    objects.then(|| all.into_iter().map(Ok).collect())
}

/// The elements of a list that broke off: those that are whole, and that another would follow.
fn cut_off<'t>(text: &'t str, error: &serde_json::Error) -> Option<Vec<Result<Json<'t>>>> {
    let mut rest = text.strip_prefix('[').filter(|_| error.is_eof())?;
    let mut found = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_ascii_start();
        let Some(element) = Json::parse_first(rest).filter(|element| element.kind() == Kind::Object) else { break };
        found.push(Ok(element));
        rest = &rest[element.text().len()..];
    }
    let whole = !found.is_empty();
    found.push(Err(malformed(error)));
    whole.then_some(found)
}

/// True when one of the first two lines is a whole JSON object and there is more: a pretty-printed document has neither.
fn looks_like_lines(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let whole = |line: Option<&str>| line.is_some_and(|line| line.starts_with('{') && Json::parse(line).is_ok());
    let (first, second) = (lines.next(), lines.next());
    second.is_some() && (whole(first) || whole(second))
}

/// What serde_json says about a document holds positions and expectations, never contents.
pub(crate) fn malformed(error: &serde_json::Error) -> Problem {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "ends inside a value",
        _ => "is not valid JSON",
    };
    let message = format!("the text {what} at line {} column {}", error.line(), error.column());
    Problem::new(RejectReason::Malformed, "", message)
}

/// True for the text of server-sent events.
pub(crate) fn is_event_stream(text: &str) -> bool {
    ["data:", "event:", "id:", "retry:", ":"].iter().any(|field| text.starts_with(field))
}

/// The data of server-sent events. `[DONE]` ends an OpenAI stream and is no data. A frame that was cut off is malformed.
fn event_stream(text: &str) -> Vec<Result<Json<'_>>> {
    let data = text.lines().filter_map(data_of);
    let data = data.filter(|data| !data.is_empty() && *data != "[DONE]");
    data.map(|data| Json::parse(data).map_err(|error| malformed(&error))).collect()
}

fn data_of(line: &str) -> Option<&str> {
    line.strip_prefix("data:").map(str::trim)
}

/// The last head of an answer of HTTP that was written down whole, and what follows it. Heads before it are those of proxies, or
/// say that the answer goes on.
pub(crate) fn head_and_body(text: &str) -> (&str, &str) {
    let (mut head, mut body) = ("", text);
    while body.starts_with("HTTP/") {
        let Some((first, rest)) = head::cut(body) else { break };
        (head, body) = (first, rest.trim_ascii_start());
    }
    (head, body)
}

/// The texts of a list of frames, one after the other, or of the pieces that a stream came in, cut anywhere; `None` if they are no
/// texts.
pub(crate) fn joined(list: Json<'_>) -> Option<String> {
    let frames = list.array().filter(|frames| !frames.is_empty())?;
    let frames: Vec<_> = frames.iter().map(|frame| frame.string()).collect::<Option<_>>()?;
    let begun = |frame: &str| {
        frame.is_empty() || ["{", "data:", "event:", ":", "id:", "retry:"].iter().any(|start| frame.starts_with(start))
    };
    if frames.iter().all(|frame| begun(frame.trim_ascii())) {
        let frames: Vec<&str> = frames.iter().map(|frame| frame.trim_ascii()).collect();
        return Some(frames.join("\n"));
    }
    ["data:", "event:"].iter().any(|start| frames[0].starts_with(start)).then(|| frames.concat())
}

/// A stream whose events spread their data over several lines, or were kept as a list of texts, with each on one.
pub(crate) fn on_one_line(text: &str) -> Option<String> {
    if text.starts_with("[\"") {
        return Json::parse(text).ok().and_then(|list| joined(list).or_else(|| pieces::joined(list)));
    }
    if !is_event_stream(text) {
        return None;
    }
    // Data that opens and does not close, and goes on in the next line with what begins no frame of its own.
    let opens = |data: &str| data.starts_with(['{', '[']) && !data.ends_with(['}', ']']);
    let goes_on = |data: &str| !data.is_empty() && !data.starts_with('{');
    let mut lines = text.lines().peekable();
    let spread = std::iter::from_fn(|| Some((lines.next()?, lines.peek().copied())))
        .any(|(line, next)| data_of(line).is_some_and(opens) && next.and_then(data_of).is_some_and(goes_on));
    if !spread {
        return None;
    }
    let mut whole = String::with_capacity(text.len());
    for event in text.split("\n\n").flat_map(|event| event.split("\r\n\r\n")) {
        let data: Vec<&str> = event.lines().filter_map(data_of).collect();
        let _ = writeln!(whole, "data: {}", data.join(" "));
    }
    Some(whole)
}

/// True when a text can only be a table: its first line is names between commas, semicolons or tabs.
pub fn is_table(text: &str) -> bool {
    if text.starts_with(['{', '[']) {
        return false;
    }
    let (head, rest) = text.split_once('\n').unwrap_or((text, ""));
    let name = |name: &str| {
        let name = name.trim().trim_matches('"');
        let fits = |c: char| c.is_alphanumeric() || "_.- ()/$%#€".contains(c);
        !name.is_empty() && name.len() <= 64 && name.chars().all(fits)
    };
    let delimiter = table::delimiter(head);
    head.contains(delimiter) && !rest.trim().is_empty() && head.trim_end().split(delimiter).all(name)
}
