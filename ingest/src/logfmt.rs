//! Lines of `name=value` pairs, as loggers of Go, Heroku and houses print them, that count the tokens of a call. They are read as
//! the flat object they would have been; what else stands in such a line is the logger's.

use crate::json;
use crate::number;
use crate::recognise::FLAT;

/// Most pairs of a line that are read.
const PAIRS_MAX: usize = 64;

/// What else of a line is read: whose it is, what it cost, when it was.
const NAMES: [&str; 22] = [
    "model",
    "provider",
    "request_id",
    "trace_id",
    "span_id",
    "response_id",
    "id",
    "team",
    "project",
    "user",
    "environment",
    "application",
    "feature",
    "customer",
    "service_tier",
    "cost",
    "cost_usd",
    "response_cost",
    "time",
    "ts",
    "timestamp",
    "cached",
];

/// What tells a line of Agentgateway's, newer ones by the names of the conventions
/// (<https://agentgateway.dev/docs/standalone/latest/reference/observability/logs/>, lines that others published, read 2026-11-30).
const NAMED: [&str; 2] = ["gen_ai.usage.input_tokens", "llm.response.tokens"];

/// The calls in a text of such lines, one JSON object a line; `None` if it holds none.
pub(crate) fn json(text: &str) -> Option<String> {
    let structured = ["{", "[{", "[[", "[\"", "\"", "<"].iter().any(|start| text.starts_with(start));
    let told = || text.contains('=') && FLAT.iter().chain(&NAMED).any(|name| text.contains(name));
    if structured || !told() {
        return None;
    }
    let paired = text.lines().filter(|line| line.contains('='));
    let objects: Vec<String> = paired.filter_map(object).collect();
    (!objects.is_empty()).then(|| objects.join("\n"))
}

/// The call in a line.
fn object<'l>(line: &'l str) -> Option<String> {
    // Go's loggers put the name of a group before those in it.
    let grouped = |(name, value): (&'l str, &'l str)| (name.strip_prefix("usage.").unwrap_or(name), value);
    let pairs: Vec<(&str, &str)> = Pairs(line).take(PAIRS_MAX).map(grouped).collect();
    // What Python prints of an object has such fields, too.
    if pairs
        .iter()
        .any(|(_, value)| value.starts_with(['\'', '[', '(', '{']) || (value.contains('(') && value.contains('=')))
    {
        return None;
    }
    if pairs.iter().any(|(name, _)| NAMED.contains(name)) {
        return Some(attributes(&pairs, line));
    }
    let has = |name: &str| pairs.iter().any(|(other, value)| *other == name && !value.is_empty());
    if !has("model") || !pairs.iter().any(|(name, value)| FLAT.contains(name) && number::is_digits(value)) {
        return None;
    }
    let mut whole = String::from("{");
    for (name, value) in &pairs {
        let counted = number::is_digits(value) && value.len() < 18 && (value.len() == 1 || !value.starts_with('0'));
        if counted && (name.ends_with("okens") || name.starts_with("tokens_")) {
            json::put_field(&mut whole, name, value);
        } else if NAMES.contains(name) && !value.is_empty() && (!is_time(name) || is_told(value)) {
            json::put_text_field(&mut whole, name, value);
        }
    }
    if let Some(time) = begun_at(line).filter(|_| !pairs.iter().any(|(name, value)| is_time(name) && is_told(value))) {
        json::put_text_field(&mut whole, "timestamp", time);
    }
    whole.push('}');
    Some(whole)
}

/// The attributes in a line, as a span would have had them.
fn attributes(pairs: &[(&str, &str)], line: &str) -> String {
    let mut whole = String::from("{");
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        if ["gen_ai.", "llm."].iter().any(|start| name.starts_with(start)) || matches!(*name, "trace.id" | "span.id") {
            json::put_text_field(&mut whole, name, value);
        }
    }
    if let Some(time) = begun_at(line) {
        json::put_text_field(&mut whole, "timestamp", time);
    }
    whole.push('}');
    whole
}

fn is_time(name: &str) -> bool {
    matches!(name, "time" | "ts" | "timestamp")
}

/// True for a point in time: a short number is how long something took.
fn is_told(value: &str) -> bool {
    value.len() >= "2026-08-01".len() && number::time_text(value).is_some()
}

/// The time a line begins with, in one word or two.
fn begun_at(line: &str) -> Option<&str> {
    let line = line.trim_start_matches('[');
    let mut ends = line.match_indices([' ', '\t', ']']).map(|(at, _)| &line[..at]);
    let (word, two) = (ends.next()?, ends.next().unwrap_or_default());
    [word, two].into_iter().find(|text| text.contains(':') && is_told(text))
}

/// The pairs of a line; words that are none are passed over.
struct Pairs<'a>(&'a str);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.0.trim_start_matches([' ', '\t', ',', ';', '|', '(', '[']);
            if line.is_empty() {
                return None;
            }
            let end = line.find([' ', '\t', '=', '|']).unwrap_or(line.len());
            let (name, rest) = line.split_at(end);
            let Some(rest) = rest.strip_prefix('=') else {
                self.0 = rest;
                continue;
            };
            let (value, rest) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => rest.split_at(rest.find([' ', '\t', ',', ';', '|', ')', ']']).unwrap_or(rest.len())),
            };
            self.0 = rest;
            return Some((name, value));
        }
    }
}
