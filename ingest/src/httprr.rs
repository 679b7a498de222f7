//! Recordings of Go's `httprr`: a line that names the format, then each exchange as two lengths, a request and an answer as they went
//! over the wire. They are read as the recordings of HTTP they would be in JSON
//! (<https://pkg.go.dev/golang.org/x/oscar/internal/httprr>, not opened; public code that reads and writes them, read 2026-11-29).

use crate::head;
use crate::json;

const FIRST_LINE: &str = "httprr trace v1";

/// Most exchanges of a recording that are read.
const EXCHANGES_MAX: usize = 10_000;

/// The exchanges of a recording, as one JSON object; `None` if it is none.
pub(crate) fn json(text: &str) -> Option<String> {
    let (first, mut rest) = text.strip_prefix(FIRST_LINE)?.split_once('\n')?;
    if !first.trim_end().is_empty() {
        return None;
    }
    let mut whole = String::from("{\"interactions\":[");
    for at in 0..EXCHANGES_MAX {
        let Some((request, answer, more)) = exchange(rest) else { break };
        whole.push_str(if at > 0 { "," } else { "" });
        put(&mut whole, request, answer);
        rest = more;
    }
    whole.push_str("]}");
    Some(whole)
}

/// A request, its answer, and what follows.
fn exchange(text: &str) -> Option<(&str, &str, &str)> {
    let (lengths, rest) = text.split_once('\n')?;
    let (request, answer) = lengths.trim().split_once(' ')?;
    let (request, answer) = (request.parse::<usize>().ok()?, answer.trim().parse::<usize>().ok()?);
    let (request, answered) = rest.split_at_checked(request)?;
    // White space at the end may be gone.
    let (answer, more) = answered.split_at_checked(answer).unwrap_or((answered, ""));
    Some((request, answer, more))
}

fn put(whole: &mut String, request: &str, answer: &str) {
    let (asked, question) = head::cut(request).unwrap_or((request, ""));
    let url = asked.split_ascii_whitespace().nth(1).unwrap_or_default();
    let host = field(asked, "host").filter(|_| url.starts_with('/'));
    let url = host.map_or_else(|| url.to_owned(), |host| format!("https://{host}{url}"));
    let (head, body) = head::cut(answer).unwrap_or((answer, ""));
    let chunked = field(head, "transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
    let body = if chunked { unchunked(body) } else { body.to_owned() };
    whole.push_str("{\"request\":{");
    json::put_text_field(whole, "url", &url);
    json::put_text_field(whole, "body", question);
    whole.push_str("},\"response\":{");
    json::put_field(whole, "status", &head::status(head).unwrap_or(200).to_string());
    json::put_field(whole, "headers", "{");
    head::fields(head).for_each(|(name, value)| json::put_text_field(whole, name, value));
    whole.push('}');
    json::put_text_field(whole, "body", &body);
    whole.push_str("}}");
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head::fields(head).find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// A body that was sent in chunks, each after its length in hexadecimal.
fn unchunked(mut text: &str) -> String {
    let mut body = String::with_capacity(text.len());
    while let Some((length, rest)) = text.split_once('\n') {
        let length = length.split(';').next().unwrap_or_default().trim();
        let Some(chunk) = usize::from_str_radix(length, 16).ok().filter(|length| *length > 0) else { break };
        let Some(piece) = rest.get(..chunk) else { break };
        body.push_str(piece);
        text = rest[chunk..].trim_start_matches(['\r', '\n']);
    }
    body
}
