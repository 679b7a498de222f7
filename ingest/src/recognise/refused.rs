//! Answers that are none: what providers say when a call failed, each in words of its own, and what proxies and recorders note
//! of it. Nothing was used, so nothing may be billed; and it is no unknown format either.
//!
//! The words are written from knowledge of the providers' answers; of their pages of errors only the last was opened:
//! <https://docs.mistral.ai/api/>, <https://docs.cohere.com/reference/errors>, <https://docs.x.ai/docs/key-information/debugging>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html>, <https://docs.ollama.com/api/errors>,
//! <https://developers.deepgram.com/docs/errors>, <https://www.rfc-editor.org/rfc/rfc9457> (NVIDIA, Replicate).

use crate::json::{Json, Kind, NameSet, Object, deeper_than};
use crate::number;

/// Names under which an error says what is wrong.
const SAID: [&str; 15] = [
    "error",
    "Error",
    "errors",
    "message",
    "Message",
    "msg",
    "detail",
    "title",
    "error_msg",
    "error_message",
    "error_description",
    "err_msg",
    "status_msg",
    "OriginalMessage",
    "failure_reason",
];

/// What else stands in an error, and nowhere proves that a call was made.
static BESIDE: NameSet = NameSet::new(&[
    "__type",
    "code",
    "Code",
    "error_code",
    "err_code",
    "ErrorCode",
    "error_type",
    "type",
    "param",
    "status",
    "statusCode",
    "status_code",
    "OriginalStatusCode",
    "raw_status_code",
    "id",
    "name",
    "request_id",
    "requestId",
    "RequestId",
    "LogStreamArn",
    "ResponseMetadata",
    "$fault",
    "$metadata",
    "success",
    "ok",
    "result",
    "messages",
    "instance",
    "trace",
    "trace_id",
    "warnings",
    "estimated_time",
    "object",
    "sequence_number",
    "event_id",
    "user_id",
    "provider",
    "metadata",
    "details",
    "more_info",
    "help",
]);

/// True for an answer that a call failed: it says what is wrong, and nothing that a call would.
pub(super) fn is_error(object: &Object<'_>) -> bool {
    if object.object("base_resp").is_some_and(|about| about.get("status_code").is_some_and(|code| code.text() != "0")) {
        return true;
    }
    if let [Some((name, value)), None] = [object.iter().next(), object.iter().nth(1)] {
        // An exception in the place of an event of AWS's streams.
        if name.ends_with("Exception") {
            return value.object().is_some_and(|about| about.has("message") || about.has("Message"));
        }
    }
    let spoken = |name: &str| object.get(name).is_some_and(|value| says(value));
    let known = |name: &str| SAID.contains(&name) || BESIDE.contains(name);
    // `result` and `messages` are there in all answers of some, empty when there is none.
    let empty = |name: &str| object.get(name).is_none_or(|value| matches!(value.text(), "{}" | "[]" | "\"\""));
    let wrong = || SAID.iter().any(|name| says_wrong(name) && spoken(name));
    object.iter().all(|(name, _)| known(name))
        && (!is_success(object) || wrong())
        && SAID.iter().any(|name| spoken(name))
        && empty("result")
        && empty("messages")
}

/// True for a name that nobody gives to good news.
fn says_wrong(name: &str) -> bool {
    name.to_ascii_lowercase().contains("err") || name == "failure_reason"
}

/// True for what says of itself that all went well.
fn is_success(object: &Object<'_>) -> bool {
    const WORDS: [&str; 10] =
        ["success", "succeeded", "ok", "completed", "complete", "done", "ready", "healthy", "0", "accepted"];
    let good = |value: Json<'_>| {
        let code = value.number().and_then(|code| number::count(code).ok());
        let word = value.string().is_some_and(|word| WORDS.contains(&&*word.to_ascii_lowercase()));
        word || value.boolean() == Some(true) || code.is_some_and(|code| code == 0 || (200..300).contains(&code))
    };
    const NAMES: [&str; 7] = ["status", "code", "Code", "statusCode", "status_code", "success", "ok"];
    let mut stated = NAMES.iter().filter_map(|name| object.get(name)).peekable();
    stated.peek().is_some() && stated.all(good)
}

/// True for words of an error: a text that is no document, what holds one, or a list of either.
fn says(value: Json<'_>) -> bool {
    const WITHIN: [&str; 7] = ["message", "Message", "msg", "code", "Code", "error", "detail"];
    match value.kind() {
        Kind::String => value.text().len() > 2 && !value.text()[1..].starts_with(['{', '[']),
        Kind::Object => value.object().is_some_and(|about| WITHIN.iter().any(|name| about.get(name).is_some())),
        Kind::Array => value.array().is_some_and(|list| list.first().is_some_and(|first| says_one(*first))),
        _ => false,
    }
}

fn says_one(value: Json<'_>) -> bool {
    value.kind() != Kind::Array && says(value)
}

/// True for what a recorder or proxy noted of an answer with a status of HTTP from 400 on.
pub(super) fn is_failed_answer(object: &Object<'_>) -> bool {
    const NOTED: [&str; 11] = [
        "headers",
        "body",
        "content",
        "response",
        "request",
        "data",
        "statusText",
        "reason",
        "response_body",
        "responseBody",
        "ResponseBody",
    ];
    const STATUS: [&str; 8] = [
        "status",
        "status_code",
        "statusCode",
        "http_status",
        "httpStatus",
        "response_status",
        "responseStatus",
        "StatusCode",
    ];
    let status = object.first(&STATUS);
    let code = status.and_then(|(_, status)| status.number().or_else(|| status.object()?.get("code")?.number()));
    let code = code.and_then(|code| number::count(code).ok());
    code.is_some_and(|code| (400..600).contains(&code)) && NOTED.iter().any(|name| object.has(name))
}

/// True for what a recorder kept of an answer that is no call: a resource, a list of them, the state of a job.
pub(super) fn is_recorded_state(object: &Object<'_>) -> bool {
    // The recordings of Azure's SDKs, in which a body that is none is null.
    if object.has("RequestMethod") && object.has("ResponseBody") {
        return match object.get("ResponseBody") {
            Some(body) => body.object().is_some_and(|body| is_state(&body)),
            None => true,
        };
    }
    let asked = object.object("request").is_some_and(|request| request.has("method"));
    let Some(response) = object.object("response").filter(|_| asked) else { return false };
    if let Some(body) = response.object("parsed_body") {
        return is_state(&body);
    }
    let text = response.object("body").map_or_else(|| response.string("body"), |body| body.string("string"));
    text.is_some_and(|text| {
        !deeper_than(text.as_bytes(), crate::DEPTH_MAX)
            && Json::parse_object(text.trim_ascii()).is_some_and(|(_, body)| is_state(&body))
    })
}

fn is_state(body: &Object<'_>) -> bool {
    matches!(super::recognise(body), Some((super::Shape::Status, _)))
}

/// What a job says of itself: that it is not done, or that nothing came of it.
pub(super) enum State {
    Running,
    Failed,
}

/// The state of a job that has an id and used nothing yet.
pub(super) fn state(object: &Object<'_>) -> Option<State> {
    const RUNNING: [&str; 16] = [
        "queued",
        "pending",
        "running",
        "processing",
        "in_progress",
        "in_queue",
        "created",
        "starting",
        "submitted",
        "preparing",
        "queueing",
        "throttled",
        "dreaming",
        "not_started",
        "waiting",
        "task not found",
    ];
    const FAILED: [&str; 11] = [
        "failed",
        "fail",
        "failure",
        "error",
        "cancelled",
        "canceled",
        "expired",
        "aborted",
        "content moderated",
        "request moderated",
        "rejected",
    ];
    const ANSWERED: [&str; 5] = ["usage", "response", "result", "choices", "data"];
    let identified = ["id", "request_id", "requestId", "task_id"].iter().any(|name| object.get(name).is_some());
    if !identified || ANSWERED.iter().any(|name| object.get(name).is_some()) {
        return None;
    }
    let stated = object.first(&["status", "task_status", "state"]).map(|(_, word)| word);
    // DashScope's tasks say it within their output.
    let word = stated.or_else(|| object.object("output")?.get("task_status"))?;
    let word = word.string()?.to_ascii_lowercase();
    match word.as_str() {
        word if RUNNING.contains(&word) => Some(State::Running),
        word if FAILED.contains(&word) => Some(State::Failed),
        _ => None,
    }
}
