//! Files of lines: which of them make a record together, and what of earlier ones goes before a later one.

use std::io::{BufRead, Read};
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{LINE_BYTES_MAX, is_whole};

/// Lines that are not empty, with their numbers.
pub(super) struct Lines {
    from: Box<dyn BufRead>,
    number: u64,
    /// One that was read too far.
    ahead: Option<(u64, Vec<u8>)>,
    /// The last one was read, has no end and is not whole JSON.
    pub(super) ends_half: bool,
}

impl Lines {
    pub(super) fn new(from: Box<dyn BufRead>) -> Self {
        Lines { from, number: 0, ahead: None, ends_half: false }
    }

    pub(super) fn next(&mut self) -> anyhow::Result<Option<(u64, Vec<u8>)>> {
        if let Some(line) = self.ahead.take() {
            return Ok(Some(line));
        }
        loop {
            let mut line = Vec::new();
            if self.from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            let has_end = line.ends_with(b"\n");
            let is_too_long = !has_end && line.len() as u64 == LINE_BYTES_MAX;
            if is_too_long {
                skip_line(self.from.as_mut())?;
            }
            self.number += 1;
            line.truncate(line.trim_ascii_end().len());
            line.drain(..line.len() - line.trim_ascii_start().len());
            line.truncate(without_comma(&line).len());
            if !line.is_empty() {
                self.ends_half = !has_end && !is_too_long && !is_whole(&line);
                return Ok(Some((self.number, line)));
            }
        }
    }

    /// A message of Anthropic that was saved a frame a line, from its first frame to its last: apart they would each count
    /// a part of it, under no common id.
    pub(super) fn message(&mut self, first: Vec<u8>) -> anyhow::Result<Vec<u8>> {
        let mut record = first;
        while let Some((number, line)) = self.next()? {
            let kind = kind(&line).filter(|_| ((record.len() + line.len()) as u64) < LINE_BYTES_MAX);
            match kind.as_deref() {
                Some("message_stop" | "message_delta" | "ping" | "error") => {}
                Some(kind) if kind.starts_with("content_block_") => {}
                _ => {
                    self.ahead = Some((number, line));
                    break;
                }
            }
            record.push(b'\n');
            record.extend_from_slice(&line);
            if kind.as_deref() == Some("message_stop") {
                break;
            }
        }
        Ok(record)
    }

    /// A chat of VS Code, whose lines after the first change it.
    pub(super) fn chat(&mut self, mut journal: ingest::Journal) -> anyhow::Result<Vec<u8>> {
        while let Some((_, line)) = self.next()? {
            journal.line(&String::from_utf8_lossy(&line));
        }
        Ok(journal.chat().into_bytes())
    }

    /// The frames of a stream that were saved one a line: each counts all there is so far, under one id; or the first says whose they
    /// are, and the last what was used.
    pub(super) fn frames(&mut self, first: Vec<u8>, mut run: Run) -> anyhow::Result<Vec<u8>> {
        let mut record = first;
        while let Some((number, line)) = self.next()? {
            let fits = ((record.len() + line.len()) as u64) < LINE_BYTES_MAX;
            if !fits || !run.takes(&line) {
                self.ahead = Some((number, line));
                break;
            }
            record.push(b'\n');
            record.extend_from_slice(&line);
        }
        Ok(record)
    }
}

/// A line without the comma that some who print an array line by line leave after its element.
pub(super) fn without_comma(line: &[u8]) -> &[u8] {
    match line.strip_suffix(b",") {
        Some(element) if element.starts_with(b"{") => element.trim_ascii_end(),
        _ => line,
    }
}

/// Frames of one stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// Those of Gemini, which all name the response.
    Gemini(String),
    /// Chunks of a chat. The first may have no id yet: Azure's filters come before it.
    Chat(Option<String>),
    /// Those of Alibaba's own interface, which all name the request.
    DashScope(String),
    /// Events after the one that began a session, an interaction or a conversation, and names its model.
    Session(Session),
}

/// What events are of that belong together without an id of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    Realtime,
    Live,
    Interaction,
    Conversation,
    Cohere,
}

/// What frames are told by.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Frame {
    r#type: Option<Word>,
    object: Option<Word>,
    id: Option<Word>,
    request_id: Option<Word>,
    #[serde(rename = "responseId")]
    response_id: Option<Word>,
    event_type: Option<Word>,
    event_id: Option<serde::de::IgnoredAny>,
    output: Option<serde::de::IgnoredAny>,
    setup: Option<serde::de::IgnoredAny>,
    #[serde(rename = "setupComplete")]
    setup_complete: Option<serde::de::IgnoredAny>,
    #[serde(rename = "serverContent")]
    server_content: Option<serde::de::IgnoredAny>,
    #[serde(rename = "usageMetadata")]
    usage_metadata: Option<serde::de::IgnoredAny>,
    #[serde(rename = "toolCall")]
    tool_call: Option<serde::de::IgnoredAny>,
    #[serde(rename = "sessionResumptionUpdate")]
    resumption: Option<serde::de::IgnoredAny>,
}

/// A text, or something else that is none.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Word {
    Text(String),
    Other(serde::de::IgnoredAny),
}

impl Word {
    fn text(word: Option<Self>) -> Option<String> {
        match word {
            Some(Word::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

impl Frame {
    /// A line that holds one of these words, which most lines do not.
    fn of(line: &[u8]) -> Option<Self> {
        static MARKS: LazyLock<[Finder<'static>; 12]> = LazyLock::new(|| {
            [
                "\"responseId\"",
                "\"chat.completion.",
                "\"request_id\"",
                "\"session.",
                "\"event_id\"",
                "\"setup",
                "\"serverContent\"",
                "\"sessionResumptionUpdate\"",
                "\"event_type\"",
                "\"message-",
                "\"content-",
                "\"conversation",
            ]
            .map(|mark| Finder::new(mark.as_bytes()))
        });
        MARKS.iter().find(|mark| mark.find(line).is_some())?;
        serde_json::from_slice(line).ok()
    }

    fn is_chunk(&self) -> bool {
        matches!(&self.object, Some(Word::Text(object)) if object.starts_with("chat.completion."))
    }

    fn kind(&self) -> &str {
        match (&self.r#type, &self.event_type) {
            (Some(Word::Text(kind)), _) | (_, Some(Word::Text(kind))) => kind,
            _ => "",
        }
    }

    fn is_of_live(&self) -> bool {
        [
            &self.setup,
            &self.setup_complete,
            &self.server_content,
            &self.usage_metadata,
            &self.tool_call,
            &self.resumption,
        ]
        .iter()
        .any(|field| field.is_some())
    }
}

impl Run {
    /// What a line begins, if it is a frame.
    pub(super) fn begun_by(line: &[u8]) -> Option<Self> {
        let frame = Frame::of(line)?;
        if frame.is_chunk() {
            return frame.id.map(|id| Run::Chat(Word::text(Some(id))));
        }
        let session = match frame.kind() {
            "session.created" if frame.event_id.is_some() => Some(Session::Realtime),
            "interaction.created" | "interaction.start" => Some(Session::Interaction),
            "conversation.response.started" => Some(Session::Conversation),
            "message-start" => Some(Session::Cohere),
            _ if frame.setup.is_some() => Some(Session::Live),
            _ => None,
        };
        if let Some(session) = session {
            return Some(Run::Session(session));
        }
        if let Some(response) = Word::text(frame.response_id) {
            return Some(Run::Gemini(response));
        }
        let request = frame.output.and(Word::text(frame.request_id));
        request.map(Run::DashScope)
    }

    /// True for a line that goes on with these frames.
    fn takes(&mut self, line: &[u8]) -> bool {
        let Ok(frame) = serde_json::from_slice::<Frame>(line) else { return false };
        match self {
            Run::Gemini(response) => Word::text(frame.response_id).as_ref() == Some(response),
            Run::DashScope(request) => frame.output.is_some() && Word::text(frame.request_id).as_ref() == Some(request),
            Run::Chat(known) => {
                let is_chunk = frame.is_chunk() && frame.id.is_some();
                let id = Word::text(frame.id);
                let same = known.is_none() || id.is_none() || *known == id;
                *known = known.take().or(id);
                is_chunk && same
            }
            Run::Session(session) => {
                let kind = frame.kind();
                match session {
                    Session::Realtime => !kind.is_empty() && kind != "session.created",
                    Session::Live => frame.setup.is_none() && frame.is_of_live(),
                    Session::Interaction => {
                        frame.event_type.is_some() && !matches!(kind, "interaction.created" | "interaction.start")
                    }
                    Session::Conversation => !kind.is_empty() && kind != "conversation.response.started",
                    Session::Cohere => !kind.is_empty() && kind != "message-start",
                }
            }
        }
    }
}

/// The type of an object.
fn kind(line: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Typed {
        r#type: String,
    }
    serde_json::from_slice::<Typed>(line).ok().map(|typed| typed.r#type)
}

/// Whether a line is the first frame of a stream of Anthropic.
pub(super) fn starts_message(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"\"message_start\"").is_some() && kind(line).as_deref() == Some("message_start")
}

fn skip_line(lines: &mut dyn BufRead) -> std::io::Result<()> {
    loop {
        let buffered = lines.fill_buf()?;
        let (length, found) = match buffered.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffered.len(), false),
        };
        lines.consume(length);
        if found || length == 0 {
            return Ok(());
        }
    }
}

/// What the lines of a Codex transcript said so far, as short lines of the same form.
#[derive(Debug, Default)]
pub(super) struct Codex {
    session: Option<String>,
    turn: Option<String>,
    /// Whether the file tells of each request by a record, which the running counts after it repeat.
    recorded: bool,
}

/// What is read of a line of a Codex transcript.
#[derive(serde::Deserialize)]
struct CodexLine {
    timestamp: String,
    r#type: String,
    payload: CodexPayload,
}

#[derive(serde::Deserialize)]
struct CodexPayload {
    r#type: Option<String>,
    id: Option<String>,
    model_provider: Option<String>,
    model: Option<String>,
}

impl Codex {
    /// The record a line makes: itself, after session and model where it counts tokens.
    pub(super) fn with_context(&mut self, line: Vec<u8>) -> Vec<u8> {
        if !line.starts_with(b"{\"timestamp\":") {
            return line;
        }
        let Ok(CodexLine { timestamp, r#type, payload }) = serde_json::from_slice(&line) else { return line };
        let short =
            |payload| serde_json::json!({"timestamp": timestamp, "type": r#type, "payload": payload}).to_string();
        match r#type.as_str() {
            "session_meta" => {
                self.session =
                    Some(short(serde_json::json!({"id": payload.id, "model_provider": payload.model_provider})));
            }
            "turn_context" => self.turn = Some(short(serde_json::json!({"model": payload.model}))),
            "event_msg" | "token_usage_record"
                if r#type == "token_usage_record" || payload.r#type.as_deref() == Some("token_count") =>
            {
                self.recorded |= r#type == "token_usage_record";
                let told = self.recorded.then(|| {
                    let recorded = serde_json::json!({"token_usage_records": true});
                    serde_json::json!({"timestamp": timestamp, "type": "session_meta", "payload": recorded}).to_string()
                });
                let context = [&self.session, &self.turn, &told].into_iter().flatten();
                let mut record: Vec<u8> = context.flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect();
                record.extend_from_slice(&line);
                return record;
            }
            _ => {}
        }
        line
    }
}
