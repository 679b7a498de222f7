//! A chat of GitHub Copilot in VS Code as newer versions write it: a line with the whole, and a line for each change of it. What a request
//! used stands in changes that name it by its place alone, so they are played back to the chat they make, without what was said in it
//! (`ChatSessionOperationLog` in microsoft/vscode, as public readers and their tests describe it, 2026-12-01).

use crate::json::{self, Json, Object};

/// What is kept of a request, by its path.
const KEPT: [&[&str]; 8] = [
    &["requestId"],
    &["timestamp"],
    &["modelId"],
    &["promptTokens"],
    &["completionTokens"],
    &["result", "metadata", "resolvedModel"],
    &["result", "metadata", "promptTokens"],
    &["result", "metadata", "outputTokens"],
];

/// Most requests of a chat, and the longest of what is kept of one.
const REQUESTS_MAX: usize = 65_536;
const KEPT_BYTES_MAX: usize = 512;

/// Where what stands under `result` begins among [`KEPT`].
const OF_RESULT: usize = 5;

type Request = [Option<Box<str>>; KEPT.len()];

/// A chat that is played back.
#[derive(Debug, Default)]
pub struct Journal {
    session: Option<Box<str>>,
    requests: Vec<Request>,
}

impl Journal {
    /// The journal that a line begins, if it does.
    pub fn begun(line: &str) -> Option<Self> {
        if !line.starts_with("{\"kind\":0,") && !line.starts_with("{\"kind\": 0,") {
            return None;
        }
        let mut journal = Journal::default();
        journal.play(&Json::parse_object(line)?.1).filter(|_| journal.session.is_some())?;
        Some(journal)
    }

    /// Plays the next line. One that was cut off, or changes nothing that is kept, is passed over.
    pub fn line(&mut self, line: &str) {
        if json::deeper_than(line.as_bytes(), crate::DEPTH_MAX) {
            return;
        }
        if let Some((_, change)) = Json::parse_object(line) {
            self.play(&change);
        }
    }

    /// The chat that the lines make.
    pub fn chat(&self) -> String {
        let mut chat = String::from("{");
        json::put_field(&mut chat, "sessionId", self.session.as_deref().unwrap_or("null"));
        let requests: Vec<String> = self.requests.iter().map(written).collect();
        json::put_field(&mut chat, "requests", &format!("[{}]", requests.join(",")));
        chat.push('}');
        chat
    }

    fn play(&mut self, change: &Object<'_>) -> Option<()> {
        let value = change.get("v");
        let kind = change.get("kind")?.number()?;
        if kind == "0" {
            let whole = value?.object()?;
            self.session = whole.get("sessionId").and_then(kept);
            self.requests.clear();
            self.append(whole.array("requests")?);
            return Some(());
        }
        let path = change.array("k")?;
        let (first, path) = path.split_first()?;
        if first.string()? != "requests" {
            return None;
        }
        let Some((at, path)) = path.split_first() else {
            // A list is cut off at a place, or begun anew, and goes on.
            let keep = change.get("i").and_then(Json::number).and_then(|at| at.parse().ok());
            match kind {
                "1" => self.requests.clear(),
                _ => self.requests.truncate(keep.unwrap_or(REQUESTS_MAX)),
            }
            self.append(value?.array()?);
            return Some(());
        };
        let request = self.requests.get_mut(at.number()?.parse::<usize>().ok()?)?;
        let path: Vec<_> = path.iter().map(|name| name.string()).collect::<Option<_>>()?;
        let path: Vec<&str> = path.iter().map(|name| &**name).collect();
        match kind {
            "1" => set(request, &path, value),
            "3" => set(request, &path, None),
            _ => {}
        }
        Some(())
    }

    fn append(&mut self, requests: Vec<Json<'_>>) {
        let room = REQUESTS_MAX.saturating_sub(self.requests.len());
        for value in requests.into_iter().take(room) {
            let mut request = Request::default();
            set(&mut request, &[], Some(value));
            self.requests.push(request);
        }
    }
}

/// Sets what is kept of a value at a path.
fn set(request: &mut Request, path: &[&str], value: Option<Json<'_>>) {
    for (slot, name) in request.iter_mut().zip(KEPT) {
        let Some(beneath) = name.strip_prefix(path) else { continue };
        let found = beneath.iter().try_fold(value, |value, name| Some(value?.object()?.get(name)));
        *slot = found.flatten().and_then(kept);
    }
}

fn kept(value: Json<'_>) -> Option<Box<str>> {
    Some(value.text()).filter(|text| text.len() <= KEPT_BYTES_MAX).map(Into::into)
}

fn written(request: &Request) -> String {
    let object = |kept: std::ops::Range<usize>| {
        let mut object = String::from("{");
        for (path, value) in KEPT[kept.clone()].iter().zip(&request[kept]) {
            if let (Some(name), Some(value)) = (path.last(), value) {
                json::put_field(&mut object, name, value);
            }
        }
        object
    };
    let mut whole = object(0..OF_RESULT);
    json::put_field(&mut whole, "result", &format!("{{\"metadata\":{}}}}}", object(OF_RESULT..KEPT.len())));
    whole.push('}');
    whole
}

/// The chat of a text that is such a journal.
pub(crate) fn json(text: &str) -> Option<String> {
    let mut lines = text.lines();
    let mut journal = Journal::begun(lines.next()?)?;
    lines.for_each(|line| journal.line(line));
    Some(journal.chat())
}
