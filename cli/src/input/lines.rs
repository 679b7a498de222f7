//! Files of lines: which of them make a record together, and what of earlier ones goes before a later one.

use std::io::{BufRead, Read};

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

    /// The frames of a stream of Gemini that were saved one a line: each counts all there is so far, under one id.
    pub(super) fn frames(&mut self, first: Vec<u8>, response: &str) -> anyhow::Result<Vec<u8>> {
        let mut record = first;
        while let Some((number, line)) = self.next()? {
            let fits = ((record.len() + line.len()) as u64) < LINE_BYTES_MAX;
            if !fits || response_id(&line).as_deref() != Some(response) {
                self.ahead = Some((number, line));
                break;
            }
            record.push(b'\n');
            record.extend_from_slice(&line);
        }
        Ok(record)
    }
}

/// The id of the response that a frame of Gemini is of.
pub(super) fn response_id(line: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Frame {
        response_id: String,
    }
    memchr::memmem::find(line, b"\"responseId\"")?;
    serde_json::from_slice::<Frame>(line).ok().map(|frame| frame.response_id).filter(|id| !id.is_empty())
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
