//! Recordings of Go's `httprr`: a line that names the format, then each exchange as two lengths, a request and an answer as they went
//! over the wire. They are read as the recordings of HTTP they would be in JSON
//! (<https://pkg.go.dev/golang.org/x/oscar/internal/httprr>, not opened; public code that reads and writes them, read 2026-11-29).

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
    let (asked, question) = head_and_body(request);
    let url = asked.split_ascii_whitespace().nth(1).unwrap_or_default();
    let host = header(asked, "host").filter(|_| url.starts_with('/'));
    let url = host.map_or_else(|| url.to_owned(), |host| format!("https://{host}{url}"));
    let (head, body) = head_and_body(answer);
    let status = head.split_ascii_whitespace().nth(1).and_then(|status| status.parse::<u16>().ok()).unwrap_or(200);
    let chunked = header(head, "transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
    let body = if chunked { unchunked(body) } else { body.to_owned() };
    whole.push_str("{\"request\":{\"url\":");
    json::quote(whole, &url);
    whole.push_str(",\"body\":");
    json::quote(whole, question);
    whole.push_str(&format!("}},\"response\":{{\"status\":{status},\"headers\":{{"));
    for (at, (name, value)) in head.lines().filter_map(|line| line.split_once(':')).enumerate() {
        whole.push_str(if at > 0 { "," } else { "" });
        json::quote(whole, name);
        whole.push(':');
        json::quote(whole, value.trim());
    }
    whole.push_str("},\"body\":");
    json::quote(whole, &body);
    whole.push_str("}}");
}

fn head_and_body(text: &str) -> (&str, &str) {
    let ends = ["\r\n\r\n", "\n\n"].iter().filter_map(|end| text.split_once(end));
    ends.min_by_key(|(head, _)| head.len()).unwrap_or((text, ""))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
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
