//! What Python and JavaScript print of an answer: a dictionary, or an object of an SDK with its fields. Who logs `response` rather
//! than `response.model_dump_json()` or `JSON.stringify(response)` has this in the log. It is read as the JSON it would have been.

use crate::config::DEPTH_MAX;
use crate::json::{self, Json};

/// True for a text that begins like a dictionary, an object or a list of either as they are printed.
fn is_printed(text: &str) -> bool {
    let text = text.strip_prefix('[').unwrap_or(text);
    if let Some(inner) = text.strip_prefix('{') {
        let inner = inner.trim_ascii_start();
        let name = length_of_name(inner);
        return inner.starts_with('\'') || (name > 0 && inner[name..].starts_with(':'));
    }
    let name = length_of_name(text);
    name > 0 && text.as_bytes()[0].is_ascii_uppercase() && text[name..].starts_with('(')
}

/// True for a text that begins as something printed does.
pub(crate) fn is_begun(text: &str) -> bool {
    is_printed(text) || are_fields(text)
}

/// True for the fields of an object without its name, as Pydantic prints them for humans.
fn are_fields(text: &str) -> bool {
    let name = length_of_name(text);
    name > 0 && text[name..].starts_with('=') && text.contains('(')
}

/// How many bytes of a text are a name.
fn length_of_name(text: &str) -> usize {
    text.bytes().take(64).take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

/// The same as JSON, if it is well-formed.
pub(crate) fn json(text: &str) -> Option<String> {
    if !is_begun(text) {
        return None;
    }
    let fields = are_fields(text);
    let mut printed = Printed { rest: text, json: String::with_capacity(text.len()), open: Vec::new(), fields };
    if fields {
        printed.json.push('{');
    }
    while !printed.rest.is_empty() {
        printed.step()?;
    }
    if fields {
        printed.json.push('}');
    }
    // Several may stand one after the other.
    Json::parse_all(&printed.json)?;
    Some(printed.json)
}

struct Printed<'a> {
    rest: &'a str,
    json: String,
    /// What closes each of the brackets that are open.
    open: Vec<char>,
    /// Whether fields stand beside one another without an object around them.
    fields: bool,
}

impl<'a> Printed<'a> {
    /// Reads one token.
    fn step(&mut self) -> Option<()> {
        let first = self.rest.chars().next()?;
        match first {
            '{' => self.open('{', '}'),
            '[' => self.open('[', ']'),
            '(' => self.open('[', ']'),
            '}' | ']' | ')' => self.close(),
            '\'' | '"' | '`' => self.string(),
            '<' => self.member(),
            '=' => self.put(':', first),
            ',' | ':' => self.put(first, first),
            _ if first.is_ascii_whitespace() && self.fields && self.open.is_empty() => self.put(',', first),
            _ if first.is_ascii_whitespace() => self.put(first, first),
            _ if first.is_ascii_digit() || matches!(first, '-' | '+') => self.number(),
            _ if first.is_ascii_alphabetic() || first == '_' => self.name(),
            _ => None,
        }
    }

    fn put(&mut self, json: char, printed: char) -> Option<()> {
        self.json.push(json);
        self.rest = &self.rest[printed.len_utf8()..];
        Some(())
    }

    fn open(&mut self, json: char, close: char) -> Option<()> {
        self.open.push(close);
        (self.open.len() <= DEPTH_MAX).then(|| self.put(json, '('))?
    }

    fn close(&mut self) -> Option<()> {
        let close = self.open.pop()?;
        // A tuple of one ends with a comma.
        if self.json.trim_end().ends_with(',') {
            let end = self.json.trim_end().len() - 1;
            self.json.truncate(end);
        }
        self.put(close, ')')
    }

    fn number(&mut self) -> Option<()> {
        let digits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
        let end = self.rest.find(|c| !digits(c)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        self.json.push_str(if number.ends_with("inf") { "null" } else { number });
        self.rest = rest;
        Some(())
    }

    /// A constant, the name of a field, or an object.
    fn name(&mut self) -> Option<()> {
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if matches!(name, "b" | "r" | "u" | "f") && rest.starts_with(['\'', '"']) {
            self.rest = rest;
            return self.string();
        }
        self.rest = rest;
        // Objects of JavaScript have names before them, too.
        if rest.trim_ascii_start().starts_with('{') {
            return Some(());
        }
        if rest.starts_with('=') || (rest.starts_with(':') && self.open.last() == Some(&'}')) {
            json::quote(&mut self.json, name);
            return Some(());
        }
        if let Some(fields) = rest.strip_prefix('(') {
            return if is_fields(fields) { self.open('{', '}') } else { self.skip() };
        }
        self.json.push_str(match name {
            "True" | "true" => "true",
            "False" | "false" => "false",
            _ => "null",
        });
        Some(())
    }

    /// Values by position, as of a time: what they mean is not printed.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0usize;
        let end = self.rest.char_indices().find_map(|(at, c)| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            (depth == 0).then_some(at + 1)
        });
        self.rest = &self.rest[end?..];
        self.json.push_str("null");
        Some(())
    }

    /// A member of an enumeration with its value, or an object that prints nothing of itself.
    fn member(&mut self) -> Option<()> {
        let end = self.rest.find('>')?;
        let value = self.rest[..end].split_once(": ").map(|(_, value)| value.trim_matches(['\'', '"']));
        match value {
            Some(value) => json::quote(&mut self.json, value),
            None => self.json.push_str("null"),
        }
        self.rest = &self.rest[end + 1..];
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        let mut text = String::new();
        loop {
            let mut chars = self.rest.chars();
            let quote = chars.next()?;
            loop {
                match chars.next()? {
                    c if c == quote => break,
                    '\\' => text.push(escaped(&mut chars)?),
                    c => text.push(c),
                }
            }
            self.rest = chars.as_str();
            // JavaScript prints long texts as a sum over several lines.
            let more = self.rest.trim_ascii_start().strip_prefix('+').map(str::trim_ascii_start);
            match more.filter(|more| more.starts_with(['\'', '"', '`'])) {
                Some(more) => self.rest = more,
                None => break,
            }
        }
        json::quote(&mut self.json, &text);
        Some(())
    }
}

/// True for named fields, or none.
fn is_fields(rest: &str) -> bool {
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    rest.starts_with(')') || (end > 0 && rest[end..].starts_with('='))
}

/// What follows a backslash.
fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let digits = match chars.next()? {
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        c => return Some(c),
    };
    let mut code = 0;
    for _ in 0..digits {
        code = code * 16 + chars.next()?.to_digit(16)?;
    }
    // A half of a pair is no character.
    Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
}
