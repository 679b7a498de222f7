//! Captured streams: text of server-sent events, arrays of chunks, chunks one a line. Frames of one call are put
//! together first: a later count replaces an earlier one (they are cumulative), a frame without a count changes nothing.

use std::fmt::Write;

use schemas::{Flag, RejectReason};

use crate::assemble::Out;
use crate::envelope::Envelope;
use crate::formats::{self, bedrock_stream, codex, gemini, gemini_cli, table, watsonx, workers_ai};
use crate::head;
use crate::item::IgnoreReason;
use crate::json::{self, Json, Kind, Object};
use crate::printed;
use crate::problem::{Problem, Result};
use crate::recognise::{Shape, captured, is_failed, recognise};
use crate::usage::Counts;

/// The JSON documents in a text: one, the elements of an array, one a line, or the data of server-sent events.
pub(crate) fn documents(text: &str) -> Result<Vec<Result<Document<'_>>>> {
    // Nearly every record is one object: it is read in one pass.
    if let Some(document) = Document::object(text) {
        return Ok(vec![Ok(document)]);
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
    object: Option<Object<'a>>,
}

impl<'a> Document<'a> {
    fn object(text: &'a str) -> Option<Self> {
        let (json, object) = Json::parse_object(text)?;
        Some(Document { json, object: Some(object) })
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
            Some(items) if items.is_empty() => Err(Problem::new(RejectReason::Empty, "", "the array is empty")),
            Some(items) => Ok(items.into_iter().map(Ok).collect()),
            None => Ok(vec![Ok(json)]),
        },
        // Newline-delimited JSON, where one bad line does not spoil the others.
        Err(_) if looks_like_lines(text) => {
            // Some who print an array line by line leave its commas.
            let lines = text.lines().map(|line| line.trim().trim_end_matches(',')).filter(|line| !line.is_empty());
            Ok(lines.map(document_of).collect())
        }
        Err(error) => {
            let found = one_after_another(text).or_else(|| log_file(text)).or_else(|| embedded(text));
            found.ok_or_else(|| malformed(&error))
        }
    }
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
    objects.find(|json| json.text().contains('"'))
}

/// True for a text that begins as JSON: what stands within it is a part of something. Loggers write times, levels and names in
/// brackets.
fn is_begun(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('[') else { return text.starts_with(['{', '"']) };
    let told = |c: char| c.is_alphanumeric() || " .,:;+-_/#".contains(c);
    let tag = inner.find(|c| !told(c)).unwrap_or(inner.len());
    !(inner.starts_with(char::is_alphanumeric) && inner[tag..].starts_with("] "))
}

/// The object on several lines that stands after the words of a program. A text that goes on after it is a document that quotes it.
fn embedded(text: &str) -> Option<Vec<Result<Json<'_>>>> {
    let json = logged(text)?;
    let (_, rest) = text.split_once(json.text())?;
    (rest.trim().lines().count() <= 1).then(|| vec![Ok(json)])
}

/// The lines of a log some of which end with an object.
fn log_file(text: &str) -> Option<Vec<Result<Json<'_>>>> {
    if is_begun(text) {
        return None;
    }
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines().any(|line| logged(line).is_some()).then(|| lines().map(document_of).collect())
}

/// Objects that stand one after the other without an end of line between them, as delivery streams join them.
fn one_after_another(text: &str) -> Option<Vec<Result<Json<'_>>>> {
    let all = Json::parse_all(text)?;
    let objects = all.len() > 1 && all.iter().all(|json| json.kind() == Kind::Object);
    objects.then(|| all.into_iter().map(Ok).collect())
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

fn is_event_stream(text: &str) -> bool {
    ["data:", "event:", "id:", "retry:", ":"].iter().any(|field| text.starts_with(field))
}

/// The data of server-sent events. `[DONE]` ends an OpenAI stream and is no data. A frame that was cut off is malformed.
fn event_stream(text: &str) -> Vec<Result<Json<'_>>> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    let data = data.filter(|data| !data.is_empty() && *data != "[DONE]");
    data.map(|data| Json::parse(data).map_err(|error| malformed(&error))).collect()
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

/// The texts of a list of frames, one after the other; `None` if they are no texts.
pub(crate) fn joined(list: Json<'_>) -> Option<String> {
    let frames = list.array().filter(|frames| !frames.is_empty())?;
    let frame = |frame: &Json<'_>| {
        let frame = frame.string()?;
        let frame = frame.trim_ascii();
        let told = ["{", "data:", "event:", ":", "id:", "retry:"].iter().any(|start| frame.starts_with(start));
        (told || frame.is_empty()).then(|| frame.to_owned())
    };
    let frames: Vec<String> = frames.iter().map(frame).collect::<Option<_>>()?;
    Some(frames.join("\n"))
}

/// A stream whose events spread their data over several lines, or were kept as a list of texts, with each on one.
pub(crate) fn on_one_line(text: &str) -> Option<String> {
    if text.starts_with("[\"") {
        return Json::parse(text).ok().and_then(joined);
    }
    let spread = |line: &str| matches!(line.strip_prefix("data:").map(str::trim), Some("{" | "["));
    if !is_event_stream(text) || !text.lines().any(spread) {
        return None;
    }
    let mut whole = String::with_capacity(text.len());
    for event in text.split("\n\n").flat_map(|event| event.split("\r\n\r\n")) {
        let data: Vec<&str> = event.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).collect();
        let _ = writeln!(whole, "data: {}", data.join(" "));
    }
    Some(whole)
}

/// True when a text can only be a table: its first line is names between commas, semicolons or tabs.
pub(crate) fn is_table(text: &str) -> bool {
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

/// True for a frame of no known type that holds nothing which could be usage.
fn is_filler(object: &Object<'_>) -> bool {
    let large = |(_, value): (&str, Json<'_>)| matches!(value.kind(), Kind::Object | Kind::Array);
    object.string("type").is_some() && !object.iter().any(large)
}

/// Decodes documents in order; runs of frames that belong together become one item.
pub(crate) fn items<'a>(
    documents: Vec<Result<Document<'a>>>,
    hint: Option<Shape>,
    envelope: Envelope<'a>,
    wrappers: u8,
    out: &mut Out<'_>,
) {
    let mut open: Option<Stream<'a>> = None;
    // What a document says about those after it: the model of a Realtime session, session and model of a transcript.
    let mut context = envelope;
    // The model that transcribes what is said in a session; it is another than the session's.
    let mut transcriber = None;
    let count = documents.len();
    let many = count > 1;
    for (index, document) in documents.into_iter().enumerate() {
        if let Err(problem) = out.room("") {
            return out.reject(problem, None);
        }
        let Document { json, object } = match document {
            Ok(document) => document,
            Err(_) if open.is_some() => {
                // The capture broke off within a frame.
                open.as_mut().into_iter().for_each(|stream| stream.cut = true);
                continue;
            }
            Err(mut problem) => {
                if many {
                    problem.message = format!("line {}: {}", index + 1, problem.message);
                }
                out.reject(problem, None);
                continue;
            }
        };
        let object = object.or_else(|| json.object());
        let shape = object.as_ref().and_then(|object| told(object, hint));
        let frame = object.as_ref().and_then(|object| {
            let whole = || open.as_ref().is_some_and(|stream| stream.ends_in(object, shape));
            frame(object, shape, many).or_else(|| whole().then_some((Family::OpenAiChat, None)))
        });
        if let (Some(object), Some((shape, _))) = (&object, shape) {
            match shape {
                Shape::CodexTranscript => codex::context(object, &mut context),
                Shape::GeminiCliChat => gemini_cli::chat_context(object, &mut context),
                Shape::OpenAiResponseEvent if object.has("session") => {
                    transcriber = transcriber.or_else(|| transcribing(object));
                    context.model = context.model.or_else(|| session_model(object));
                }
                // Events that were logged in an envelope each.
                Shape::Envelope if many && json.text().contains("\"session.") => {
                    if let Some(event) = captured(object).and_then(|(_, event)| event.object()) {
                        transcriber = transcriber.or_else(|| transcribing(&event));
                        context.model = context.model.or_else(|| session_model(&event));
                    }
                }
                Shape::GeminiLive => {
                    let model = object.object("setup").and_then(|setup| setup.string("model"));
                    let model = model.filter(|model| model.len() <= crate::TEXT_BYTES_MAX);
                    let name = model.as_deref().and_then(|model| model.rsplit('/').next());
                    let name = name.filter(|name| !name.is_empty()).map(schemas::Text::from);
                    context.model = context.model.or(name);
                }
                _ => {}
            }
        }
        match (frame, object) {
            (Some((family, inner)), Some(object)) => {
                let object = inner.unwrap_or(object);
                let starts = open.as_ref().is_none_or(|stream| !stream.takes(family, &object));
                if starts && let Some(done) = open.take() {
                    done.finish(context.clone(), wrappers, out);
                }
                open.get_or_insert_with(|| Stream::new(family, json)).push(object);
            }
            // Keep-alives and whatever else a server puts between the frames of a call say nothing, and part nothing.
            (None, Some(object)) if shape.is_none() && open.is_some() && is_filler(&object) => {}
            (_, object) => {
                if let Some(done) = open.take() {
                    done.finish(context.clone(), wrappers, out);
                }
                // Nothing comes after the last document, so what surrounds it need not be kept.
                let mut own = if index + 1 == count { std::mem::take(&mut context) } else { context.clone() };
                if object.as_ref().is_some_and(|object| is_of_transcriber(object, shape, many)) {
                    own.model = transcriber.clone();
                }
                formats::read(json, object, shape, own, wrappers, out);
            }
        }
    }
    if let Some(done) = open {
        done.finish(context, wrappers, out);
    }
}

/// The model of a Realtime session.
fn session_model(object: &Object<'_>) -> Option<schemas::Text> {
    let model = object.object("session")?.string("model")?;
    (1..=crate::TEXT_BYTES_MAX).contains(&model.len()).then(|| schemas::Text::from(model))
}

/// True for a transcription of a session, also within an envelope of its own: another model made it than the session's.
fn is_of_transcriber(object: &Object<'_>, shape: Option<(Shape, &'static str)>, many: bool) -> bool {
    match shape {
        Some((Shape::OpenAiTranscription, _)) => object.has("item_id"),
        Some((Shape::Envelope, _)) if many => {
            captured(object).and_then(|(_, event)| event.object()).is_some_and(|event| {
                event.has("item_id") && matches!(recognise(&event), Some((Shape::OpenAiTranscription, _)))
            })
        }
        _ => false,
    }
}

/// The model of a Realtime session's transcriptions, in the spelling of the API and of its beta.
fn transcribing(object: &Object<'_>) -> Option<schemas::Text> {
    let session = object.object("session")?;
    let audio = || session.object("audio")?.object("input")?.object("transcription");
    let model = session.object("input_audio_transcription").or_else(audio)?.string("model")?;
    (1..=crate::TEXT_BYTES_MAX).contains(&model.len()).then(|| schemas::Text::from(model))
}

/// Evidence of what the operator, or what stands around an item, says it is.
pub(crate) const SETTING: &str = "setting";

/// What an object is and by which evidence: the operator's word first.
pub(crate) fn told(object: &Object<'_>, hint: Option<Shape>) -> Option<(Shape, &'static str)> {
    match hint {
        Some(shape) => Some((shape, SETTING)),
        None => recognise(object),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    OpenAiChat,
    OpenAiCompletion,
    OpenAiResponse,
    Anthropic,
    Gemini,
    Interaction,
    Conversation,
    Converse,
    Cohere,
    Invoke,
    Watsonx,
    DashScope,
    SgLang,
    /// Chunks of Bedrock, each around an event that is told when all are there.
    Chunks,
    Tgi,
    WorkersAi,
}

/// The family of a frame, and the frame within the wrapper that the Gemini CLI puts around each. A Gemini frame looks
/// like a whole response, so it is a frame only among others.
fn frame<'a>(
    object: &Object<'a>,
    shape: Option<(Shape, &'static str)>,
    many: bool,
) -> Option<(Family, Option<Object<'a>>)> {
    let family = match shape?.0 {
        Shape::OpenAiChatChunk => Family::OpenAiChat,
        // A frame of a streamed completion calls itself what the whole does.
        Shape::OpenAiCompletion if many => Family::OpenAiCompletion,
        Shape::OpenAiResponseEvent => Family::OpenAiResponse,
        Shape::AnthropicEvent => Family::Anthropic,
        Shape::BedrockConverseEvent => Family::Converse,
        Shape::CohereEvent => Family::Cohere,
        Shape::BedrockInvoke if many => Family::Invoke,
        Shape::Watsonx if many => Family::Watsonx,
        Shape::DashScope if many => Family::DashScope,
        Shape::SgLang if many => Family::SgLang,
        Shape::BedrockChunk => Family::Chunks,
        Shape::TgiFrame => Family::Tgi,
        Shape::WorkersAiFrame => Family::WorkersAi,
        Shape::WorkersAi if many && object.has("response") => Family::WorkersAi,
        Shape::Envelope if many && workers_ai::is_piece(object) => Family::WorkersAi,
        Shape::GeminiInteractionEvent => Family::Interaction,
        Shape::MistralEvent => Family::Conversation,
        // Events of an agent look like frames, and each is a call of its own.
        Shape::Gemini if many && !gemini::is_agent_event(object) => Family::Gemini,
        Shape::Envelope if many => {
            if let Some((_, inner)) = captured(object).filter(|_| !object.has("response")) {
                // Each frame was logged in an envelope of its own. The counts of Anthropic's are spread over two of them.
                let inner = inner.object()?;
                let anthropic = recognise(&inner).is_some_and(|(shape, _)| shape == Shape::AnthropicEvent);
                return anthropic.then_some((Family::Anthropic, Some(inner)));
            }
            let inner = object.object("response")?;
            let gemini = recognise(&inner).is_some_and(|(shape, _)| shape == Shape::Gemini);
            // With an id of its own it is an envelope around a whole response.
            return (gemini && !object.has("id")).then_some((Family::Gemini, Some(inner)));
        }
        _ => return None,
    };
    Some((family, None))
}

/// Frames of one call.
struct Stream<'a> {
    family: Family,
    /// The first frame as it came, for the skeleton of a rejection.
    first: Json<'a>,
    frames: Vec<Object<'a>>,
    cut: bool,
}

impl<'a> Stream<'a> {
    fn new(family: Family, first: Json<'a>) -> Self {
        Stream { family, first, frames: Vec::new(), cut: false }
    }

    fn push(&mut self, frame: Object<'a>) {
        self.frames.push(frame);
    }

    /// True for the whole answer that MiniMax sends after its chunks, under their id.
    fn ends_in(&self, whole: &Object<'a>, shape: Option<(Shape, &'static str)>) -> bool {
        let id = || self.frames.last().and_then(|last| last.string("id")).filter(|id| !id.is_empty());
        self.family == Family::OpenAiChat
            && matches!(shape, Some((Shape::OpenAiChat, _)))
            && id().is_some_and(|id| whole.is("id", &id))
    }

    /// True when a frame goes on with this call rather than beginning another.
    fn takes(&self, family: Family, frame: &Object<'a>) -> bool {
        // Cloudflare ends streams of every shape in a frame of its own, with the counts.
        if (self.family, family) == (Family::OpenAiChat, Family::WorkersAi) {
            return frame.has("usage");
        }
        let Some(last) = self.frames.last().filter(|_| family == self.family) else { return false };
        // Frames of Azure's content filters have an empty id: they belong to whatever stands around them.
        let stated = |frame: &Object<'a>, name: &str| frame.string(name).filter(|text| !text.is_empty());
        let same = |name: &str| match (self.frames.iter().find_map(|ours| stated(ours, name)), stated(frame, name)) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        match family {
            Family::OpenAiChat => same("id"),
            Family::OpenAiCompletion => stated(frame, "id").is_some() && stated(last, "id") == stated(frame, "id"),
            Family::OpenAiResponse => !last.string("type").is_some_and(|kind| is_final(&kind)),
            Family::Anthropic => {
                // Some servers begin a message twice.
                let id = |frame: &Object<'a>| frame.object("message").and_then(|message| message.string("id"));
                !frame.is("type", "message_start")
                    || (id(frame).is_some() && self.frames.iter().find_map(id) == id(frame))
            }
            Family::Conversation => !frame.is("type", "conversation.response.started"),
            Family::Converse => !frame.has("messageStart"),
            Family::Cohere => !frame.is("type", "message-start") && !frame.is("event_type", "stream-start"),
            Family::Invoke => !last.has("amazon-bedrock-invocationMetrics") && frame.object("results").is_none(),
            Family::Watsonx => {
                let reason = |frame: &Object<'a>| frame.first_of("results")?.string("stop_reason");
                same("model_id") && reason(last).is_some_and(|reason| reason.eq_ignore_ascii_case("not_finished"))
            }
            Family::DashScope => stated(frame, "request_id").is_some() && same("request_id"),
            Family::SgLang => {
                let id = |frame: &Object<'a>| frame.object("meta_info")?.string("id");
                id(frame).is_some() && id(last) == id(frame)
            }
            Family::Chunks => true,
            Family::Tgi => last.get("generated_text").is_none(),
            // Some models count in each frame, and pad it; what is not padded and counts is whole.
            Family::WorkersAi => !last.has("usage") || last.has("p"),
            Family::Interaction => {
                let kind = frame.string("event_type").or_else(|| frame.string("type"));
                !matches!(kind.as_deref(), Some("interaction.created" | "interaction.start"))
            }
            Family::Gemini => {
                let id = |frame: &Object<'a>| RESPONSE_ID.iter().find_map(|name| stated(frame, name));
                let ours = self.frames.iter().find_map(id);
                match (ours, id(frame)) {
                    (Some(ours), Some(theirs)) => ours == theirs,
                    _ => !(is_finished(last) && frame.has("candidates")),
                }
            }
        }
    }

    fn finish(self, mut envelope: Envelope<'a>, wrappers: u8, out: &mut Out<'_>) {
        if self.family == Family::Chunks {
            if let Err(problem) = bedrock_stream::read(&self.frames, envelope, wrappers, out) {
                out.reject(problem, Some(self.first));
            }
            return;
        }
        if self.family == Family::WorkersAi && self.frames.iter().all(workers_ai::is_unproven) {
            let message = "pieces of an answer, and nothing that says whose";
            return out.reject(Problem::new(RejectReason::UnknownFormat, "response", message), Some(self.first));
        }
        let whole = match self.family {
            Family::OpenAiChat => self.chat(),
            Family::OpenAiCompletion => self.completion(),
            Family::OpenAiResponse => self.response(),
            Family::Anthropic => self.anthropic(),
            Family::Gemini => self.gemini(),
            Family::Interaction => self.interaction(),
            Family::Conversation => self.conversation(),
            Family::Converse => self.converse(),
            Family::Cohere => self.cohere(),
            Family::Invoke => Some((Shape::BedrockInvoke, overlay(self.frames.iter()), true)),
            Family::Watsonx => watsonx::whole(&self.frames).map(|text| (Shape::Watsonx, text, true)),
            // Their counts grow from frame to frame.
            Family::DashScope => self.frames.last().map(|last| (Shape::DashScope, overlay([last].into_iter()), true)),
            Family::SgLang => self.frames.last().map(|last| (Shape::SgLang, overlay([last].into_iter()), true)),
            Family::Tgi => self.tgi(),
            Family::WorkersAi => self.workers_ai(),
            Family::Chunks => None,
        };
        let Some((shape, text, complete)) = whole else {
            let name = match self.family {
                Family::OpenAiChat => Shape::OpenAiChatChunk,
                Family::OpenAiCompletion => Shape::OpenAiCompletion,
                Family::OpenAiResponse => Shape::OpenAiResponseEvent,
                Family::Anthropic => Shape::AnthropicEvent,
                Family::Gemini => Shape::Gemini,
                Family::Interaction => Shape::GeminiInteractionEvent,
                Family::Conversation => Shape::MistralEvent,
                Family::Converse => Shape::BedrockConverseEvent,
                Family::Cohere => Shape::CohereEvent,
                Family::Invoke => Shape::BedrockInvoke,
                Family::Watsonx => Shape::Watsonx,
                Family::DashScope => Shape::DashScope,
                Family::SgLang => Shape::SgLang,
                Family::Tgi => Shape::TgiFrame,
                Family::WorkersAi => Shape::WorkersAiFrame,
                Family::Chunks => Shape::BedrockChunk,
            };
            out.recognised(&envelope.wrapped, name.as_str(), "type");
            return self.frames.iter().for_each(|_| out.ignore(IgnoreReason::StreamFragment));
        };
        if !complete || self.cut {
            envelope.flags.set(Flag::PartialStream);
        }
        match Json::parse(&text) {
            Ok(json) => {
                let evidence = Some((shape, "frames of a stream"));
                formats::read(json, json.object(), evidence, envelope, wrappers, out);
            }
            // Pieces of well-formed JSON were joined, so this cannot be; the record is still accounted for.
            Err(error) => out.reject(malformed(&error), Some(self.first)),
        }
    }

    /// The last chunk with usage is a whole body but for its choices. A chunk alone, without usage, says nothing.
    fn chat(&self) -> Option<(Shape, String, bool)> {
        let last = self.frames.iter().rev().find(|frame| chunk_usage(frame).is_some());
        let named = |frame: &&Object<'a>| frame.string("model").is_some_and(|model| !model.is_empty());
        // Models on Bedrock that speak like OpenAI leave counting to its last frame.
        const METRICS: &str = "amazon-bedrock-invocationMetrics";
        let metrics = self.frames.iter().rev().find_map(|frame| frame.get(METRICS));
        if let Some(metrics) = metrics.filter(|_| last.is_none()) {
            let mut text = String::from("{");
            put(&mut text, "model", self.frames.iter().rev().find_map(|frame| frame.get("model")));
            put(&mut text, "id", self.frames.iter().rev().find_map(|frame| frame.get("id")));
            put(&mut text, METRICS, Some(metrics));
            text.push('}');
            return Some((Shape::BedrockInvoke, text, true));
        }
        if last.is_none() && (self.frames.len() == 1 || !self.frames.iter().any(|frame| named(&frame))) {
            return None;
        }
        let mut text = String::from("{\"object\":\"chat.completion\"");
        // Fields that name the provider are kept with those that name the call.
        const NAMES: [&str; 13] = [
            "id",
            "created",
            "model",
            "service_tier",
            "system_fingerprint",
            "provider",
            "prompt_filter_results",
            "search_results",
            "time_info",
            "model_id",
            "model_version",
            "base_resp",
            METRICS,
        ];
        for name in NAMES {
            // Frames of Azure's content filters have an empty id and model, and were made in 1970.
            let told = |value: &Json<'a>| !matches!(value.text(), "\"\"" | "0");
            put(&mut text, name, self.frames.iter().rev().find_map(|frame| frame.get(name).filter(told)));
        }
        if let Some(frame) = last {
            let groq = frame.object("x_groq").and_then(|groq| groq.get("id"));
            put(&mut text, "x_groq", groq);
            put(&mut text, "usage", chunk_usage(frame));
        }
        // Choices hold contents: only those are kept that say which tools ran, or whom a gateway asked.
        let tools = |choices: &Json<'a>| {
            ["\"executed_tools\"", "\"provider_metadata\""].iter().any(|name| choices.text().contains(name))
        };
        let choices = self.frames.iter().filter_map(|frame| frame.get("choices").filter(tools)?.array()).flatten();
        let choices: Vec<&str> = choices.map(Json::text).collect();
        if !choices.is_empty() {
            put_raw(&mut text, "choices", &format!("[{}]", choices.join(",")));
        }
        text.push('}');
        Some((Shape::OpenAiChat, text, last.is_some()))
    }

    /// The frame with the last usage is the whole but for its choices. One alone may be a whole body.
    fn completion(&self) -> Option<(Shape, String, bool)> {
        let counted = self.frames.iter().rev().find(|frame| chunk_usage(frame).is_some());
        let frame = counted.or_else(|| self.frames.last())?;
        let text = overlay([frame].into_iter());
        Some((Shape::OpenAiCompletion, text, counted.is_some() || self.frames.len() == 1))
    }

    /// The final event holds the whole response; without one, the last response seen.
    fn response(&self) -> Option<(Shape, String, bool)> {
        let of = |frame: &Object<'a>| frame.get("response").filter(|response| response.object().is_some());
        let last = self.frames.iter().rev().find(|frame| frame.string("type").is_some_and(|kind| is_final(&kind)));
        if let Some(response) = last.and_then(of) {
            // Realtime says in the response alone that it failed.
            let unused = response.object().is_some_and(|response| response.get("usage").is_none());
            let failed = (unused && last.is_some_and(|frame| frame.is("type", "response.failed")))
                || response.object().is_some_and(|response| is_failed(&response));
            let shape = if failed { Shape::Error } else { Shape::OpenAiResponse };
            return Some((shape, response.text().to_owned(), true));
        }
        if self.frames.len() == 1 {
            return None;
        }
        let begun = self.frames.iter().rev().find_map(of)?;
        Some((Shape::OpenAiResponse, begun.text().to_owned(), false))
    }

    /// The message that was started, its usage overlaid with that of the deltas.
    fn anthropic(&self) -> Option<(Shape, String, bool)> {
        let start = self.frames.iter().find_map(|frame| frame.object("message"));
        let deltas = self.frames.iter().filter(|frame| frame.is("type", "message_delta"));
        // Some put it where the first documentation did.
        let usage = |frame: &Object<'a>| frame.object("usage").or_else(|| frame.object("delta")?.object("usage"));
        let deltas: Vec<Object<'a>> = deltas.filter_map(usage).collect();
        if start.is_none() && deltas.is_empty() {
            return None;
        }
        let begun = start.as_ref().and_then(|message| message.object("usage"));
        // A count never shrinks: servers that speak like Anthropic leave zeros where they do not count again.
        let mut usage = overlay_counts(begun.iter().chain(&deltas));
        if let Some(split) = begun.as_ref().and_then(|begun| grown(begun, &deltas)) {
            usage.pop();
            let _ = write!(usage, ",\"cache_creation\":{split}}}");
        }
        let mut text = String::from("{\"type\":\"message\"");
        for name in ["id", "model"] {
            put(&mut text, name, start.as_ref().and_then(|message| message.get(name)));
        }
        // Bedrock's own counts, in the last frame of its streams, say who served it.
        if self.frames.iter().any(|frame| frame.has("amazon-bedrock-invocationMetrics")) {
            text.push_str(",\"amazon-bedrock-invocationMetrics\":{}");
        }
        let _ = write!(text, ",\"usage\":{usage}}}");
        Some((Shape::AnthropicMessage, text, !deltas.is_empty()))
    }

    /// Counts of later frames over those of earlier ones; a frame with only a traffic type resets nothing.
    fn gemini(&self) -> Option<(Shape, String, bool)> {
        let usage = |frame: &Object<'a>| frame.first(&["usageMetadata", "usage_metadata"])?.1.object();
        let usages: Vec<Object<'a>> = self.frames.iter().filter_map(usage).collect();
        let mut text = String::from("{");
        for names in [RESPONSE_ID, ["modelVersion", "model_version"], ["createTime", "create_time"]] {
            put(&mut text, names[0], self.frames.iter().rev().find_map(|frame| Some(frame.first(&names)?.1)));
        }
        let candidates = |frame: &Object<'a>| frame.get("candidates");
        let grounded = |value: &Json<'a>| {
            ["\"webSearchQueries\"", "\"web_search_queries\"", "\"maps\""]
                .iter()
                .any(|name| value.text().contains(name))
        };
        put(&mut text, "candidates", self.frames.iter().rev().filter_map(candidates).find(grounded));
        if !usages.is_empty() {
            put_raw(&mut text, "usageMetadata", &overlay(usages.iter()));
        }
        text.push('}');
        Some((Shape::Gemini, text, self.frames.iter().any(is_finished)))
    }

    /// The first event names the interaction and its model, the last one has the usage.
    fn interaction(&self) -> Option<(Shape, String, bool)> {
        let told: Vec<Object<'a>> = self.frames.iter().filter_map(|frame| frame.object("interaction")).collect();
        if told.is_empty() {
            return None;
        }
        let counted = told.iter().any(|interaction| interaction.get("usage").is_some());
        Some((Shape::GeminiInteraction, overlay(told.iter()), counted))
    }

    /// The first event names the conversation, pieces of what was said the model, and the last one has the usage.
    fn conversation(&self) -> Option<(Shape, String, bool)> {
        let done = self.frames.iter().rev().find(|frame| frame.is("type", "conversation.response.done"));
        let mut text = String::from("{\"object\":\"conversation.response\"");
        put(&mut text, "conversation_id", self.frames.iter().find_map(|frame| frame.get("conversation_id")));
        put(&mut text, "created_at", self.frames.iter().find_map(|frame| frame.get("created_at")));
        put(&mut text, "model", self.frames.iter().find_map(|frame| frame.get("model")));
        put(&mut text, "usage", done.and_then(|done| done.get("usage")));
        text.push('}');
        (done.is_some() || self.frames.len() > 1).then_some((Shape::OpenAiChat, text, done.is_some()))
    }

    /// The first event has the id, the last one the billed units. The last event of the first API holds the whole.
    fn cohere(&self) -> Option<(Shape, String, bool)> {
        if let Some(whole) = self.frames.iter().rev().find_map(|frame| frame.get("response")) {
            return Some((Shape::Cohere, whole.text().to_owned(), true));
        }
        let deltas = self.frames.iter().filter_map(|frame| frame.object("delta"));
        let usage = deltas.filter_map(|delta| delta.get("usage")).next_back()?;
        let mut text = String::from("{");
        put(&mut text, "id", self.frames.iter().find_map(|frame| frame.get("id")));
        put(&mut text, "usage", Some(usage));
        text.push('}');
        Some((Shape::Cohere, text, true))
    }

    /// The last frame has the whole text, and the details where they were asked for.
    fn tgi(&self) -> Option<(Shape, String, bool)> {
        let details = self.frames.iter().rev().find_map(|frame| frame.get("details"));
        if details.is_none() && self.frames.len() == 1 {
            return None;
        }
        let mut text = String::from("{");
        put(&mut text, "details", details);
        text.push('}');
        Some((Shape::Tgi, text, self.frames.iter().any(|frame| frame.get("generated_text").is_some())))
    }

    /// The last frame that counts has the counts of the whole.
    fn workers_ai(&self) -> Option<(Shape, String, bool)> {
        let usage = self.frames.iter().rev().find_map(|frame| frame.get("usage"));
        if usage.is_none() && self.frames.len() == 1 {
            return None;
        }
        let mut text = String::from("{");
        put(&mut text, "usage", usage);
        text.push('}');
        Some((Shape::WorkersAi, text, usage.is_some()))
    }

    /// The metadata event holds the usage.
    fn converse(&self) -> Option<(Shape, String, bool)> {
        let metadata = self.frames.iter().rev().find_map(|frame| frame.object("metadata"))?;
        let mut text = String::from("{\"output\":{}");
        for name in ["usage", "serviceTier", "performanceConfig"] {
            put(&mut text, name, metadata.get(name));
        }
        text.push('}');
        Some((Shape::BedrockConverse, text, true))
    }
}

/// Lifetimes of cache writes, where more was written than the start of a message says: its tools ran on the server, and each
/// turn of theirs writes again. Only the sum is stated then; the lifetime is the one that was asked for.
fn grown(begun: &Object<'_>, deltas: &[Object<'_>]) -> Option<String> {
    let split = begun.object("cache_creation").filter(|_| deltas.iter().all(|delta| !delta.has("cache_creation")))?;
    let count = |object: &Object<'_>, name: &str| Counts::new(object, "").count(name).ok().flatten();
    let written = deltas.iter().rev().find_map(|delta| count(delta, "cache_creation_input_tokens"))?;
    let (short, long) = (count(&split, "ephemeral_5m_input_tokens")?, count(&split, "ephemeral_1h_input_tokens")?);
    let more = written - short - long;
    if more <= 0 || short + long == 0 {
        return None;
    }
    let (short, long) = if short == 0 { (0, long + more) } else { (short + more, long) };
    Some(format!("{{\"ephemeral_5m_input_tokens\":{short},\"ephemeral_1h_input_tokens\":{long}}}"))
}

/// The usage of a chunk, where servers put it: at the top, within Groq's own field, or (Moonshot) within the choice.
fn chunk_usage<'a>(frame: &Object<'a>) -> Option<Json<'a>> {
    let within = |object: Object<'a>| object.get("usage");
    let found = frame.get("usage").or_else(|| frame.object("x_groq").and_then(within)).or_else(|| {
        // Choices hold contents: they are only opened where one of them may hold usage.
        let choices = frame.get("choices").filter(|choices| choices.text().contains("\"usage\""))?;
        choices.array()?.into_iter().filter_map(Json::object).find_map(within)
    });
    // Snowflake writes an empty object into the chunks without counts, SGLang details alone.
    let counts = |usage: Object<'a>| usage.iter().any(|(_, value)| matches!(value.kind(), Kind::Number | Kind::String));
    found.filter(|usage| usage.object().is_some_and(counts))
}

/// Names of the id of a Gemini response. SDKs of Python write snake case.
const RESPONSE_ID: [&str; 2] = ["responseId", "response_id"];

/// True for a Gemini frame that says why the answer ended. SDKs write a null into all the others.
fn is_finished(frame: &Object<'_>) -> bool {
    let Some(candidates) = frame.get("candidates") else { return false };
    ["\"finishReason\"", "\"finish_reason\""].iter().any(|name| {
        candidates.text().match_indices(name).any(|(at, _)| {
            let value = candidates.text()[at + name.len()..].trim_ascii_start();
            value.strip_prefix(':').is_some_and(|value| !value.trim_ascii_start().starts_with("null"))
        })
    })
}

/// Events of the Responses API (and of Realtime) after which nothing follows.
fn is_final(kind: &str) -> bool {
    matches!(kind, "response.completed" | "response.incomplete" | "response.failed" | "response.done")
}

fn put(text: &mut String, name: &str, value: Option<Json<'_>>) {
    if let Some(value) = value {
        put_raw(text, name, value.text());
    }
}

fn put_raw(text: &mut String, name: &str, value: &str) {
    if text.len() > 1 {
        text.push(',');
    }
    let _ = write!(text, "\"{name}\":{value}");
}

/// One object with every field's last value.
pub(super) fn overlay<'o, 'a: 'o>(objects: impl Iterator<Item = &'o Object<'a>>) -> String {
    laid_over(objects, |_| true)
}

/// As [`overlay`], but a zero replaces nothing.
pub(super) fn overlay_counts<'o, 'a: 'o>(objects: impl Iterator<Item = &'o Object<'a>>) -> String {
    laid_over(objects, |value| value.text() != "0")
}

fn laid_over<'o, 'a: 'o>(objects: impl Iterator<Item = &'o Object<'a>>, replaces: impl Fn(Json<'a>) -> bool) -> String {
    let mut fields: Vec<(&str, Json<'a>)> = Vec::new();
    for object in objects {
        for (name, value) in object.iter().filter(|(_, value)| !value.is_null()) {
            match fields.iter_mut().find(|(known, _)| *known == name) {
                Some(field) if replaces(value) => field.1 = value,
                Some(_) => {}
                None => fields.push((name, value)),
            }
        }
    }
    let mut text = String::from("{");
    for (name, value) in fields {
        if text.len() > 1 {
            text.push(',');
        }
        json::quote(&mut text, name);
        text.push(':');
        text.push_str(value.text());
    }
    text.push('}');
    text
}
