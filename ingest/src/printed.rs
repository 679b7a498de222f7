//! What Python, JavaScript, Ruby and Elixir print of an answer: a dictionary, or an object of an SDK with its fields. Who logs
//! `response` rather than `response.model_dump_json()` or `JSON.stringify(response)` has this in the log. It is read as the JSON it
//! would have been.

use crate::config::DEPTH_MAX;
use crate::json::{self, Json};
use crate::unquoted;

/// True for a text that begins like a dictionary, an object or a list of either as they are printed.
fn is_printed(text: &str) -> bool {
    let text = text.strip_prefix('[').map_or(text, str::trim_ascii_start);
    let name = length_of_name(text);
    let named = name > 0 && text.as_bytes()[0].is_ascii_uppercase();
    // As Jest keeps it: what it is before each bracket.
    if named && ["Object {", "Array ["].iter().any(|kind| text.starts_with(kind)) {
        return true;
    }
    // JavaScript puts the name of a class before its fields, Elixir a sign.
    let braced = if named { text[name..].trim_start_matches(' ') } else { text.strip_prefix('%').unwrap_or(text) };
    match braced.strip_prefix('{') {
        Some(inner) => is_inside(inner.trim_ascii_start()),
        None => named && text[name..].starts_with('('),
    }
}

/// True for what follows the brace of a printed dictionary: a name as no JSON has it.
fn is_inside(inner: &str) -> bool {
    // The symbols and the arrows of Ruby, and the arrows of Elixir.
    if let Some(quoted) = inner.strip_prefix('"') {
        return quoted.split_once('"').is_some_and(|(_, rest)| rest.trim_start_matches(' ').starts_with("=>"));
    }
    let name = length_of_name(inner);
    inner.starts_with(['\'', ':']) || (name > 0 && inner[name..].starts_with(':'))
}

/// True for a text that begins as something printed does.
pub(crate) fn is_begun(text: &str) -> bool {
    is_printed(text) || are_fields(text)
}

/// True for the fields of an object without its name, as Pydantic prints them for humans.
fn are_fields(text: &str) -> bool {
    let name = length_of_name(text);
    name > 0 && text[name..].starts_with('=') && (text.contains('(') || text.contains("={"))
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

/// True for what would be JSON but for numbers that are none, or commas after the last of its fields.
pub(crate) fn is_loose(text: &str) -> bool {
    let comma = |(at, _): (usize, &str)| text[at + 1..].trim_ascii_start().starts_with(['}', ']']);
    text.starts_with(['{', '['])
        && (["NaN", "Infinity"].iter().any(|name| text.contains(name)) || text.match_indices(',').any(comma))
}

/// The first object printed within a text, as JSON: after the words of a logger, and perhaps before others.
pub(crate) fn within(text: &str) -> Option<String> {
    const TRIES: usize = 8;
    let starts = text.match_indices(['{', '(']).take(TRIES).filter_map(|(at, bracket)| match bracket {
        "{" => Some(at),
        _ => {
            let name =
                text[..at].bytes().rev().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            Some(at - name).filter(|start| is_printed(&text[*start..]))
        }
    });
    starts.filter_map(|at| first(&text[at..])).next().or_else(|| unquoted::json(text))
}

/// The object a text begins with. A text that goes on for lines after it is a document that quotes it.
fn first(text: &str) -> Option<String> {
    let mut printed = Printed { rest: text, json: String::new(), open: Vec::new(), fields: false };
    while !(printed.open.is_empty() && printed.json.ends_with('}')) {
        printed.step()?;
    }
    Json::parse_object(&printed.json)?;
    (printed.rest.trim().lines().count() <= 1).then_some(printed.json)
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
            '[' => self.left_out().or_else(|| self.open('[', ']')),
            '(' => self.open('[', ']'),
            '}' | ']' | ')' => self.close(),
            '\'' | '"' | '`' => self.string(),
            '<' => self.member(),
            '=' if self.rest.starts_with("=>") => {
                self.rest = &self.rest[1..];
                self.put(':', '>')
            }
            '=' => self.put(':', first),
            ':' if self.json.trim_ascii_end().ends_with(['{', '[', ',', ':']) => self.symbol(),
            ',' | ':' => self.put(first, first),
            '%' => {
                self.rest = &self.rest[1..];
                Some(())
            }
            '.' if self.rest.starts_with("... ") => self.more(),
            _ if first.is_ascii_whitespace() && self.fields && self.open.is_empty() => {
                self.rest = self.rest.trim_ascii_start();
                self.json.push(',');
                Some(())
            }
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

    /// What JavaScript writes for an object too deep to be printed, or for what it is made of.
    fn left_out(&mut self) -> Option<()> {
        const WORDS: [&str; 6] = ["Object", "Array", "Circular", "Function", "Getter", "AsyncFunction"];
        let (inner, rest) = self.rest.strip_prefix('[')?.split_once(']')?;
        let (word, more) = inner.split_at(length_of_name(inner));
        if !WORDS.contains(&word) || !(more.is_empty() || more.starts_with([':', ' ', '/'])) {
            return None;
        }
        self.rest = rest;
        // Before fields it says whose they are.
        if !rest.starts_with(" {") {
            self.json.push_str("null");
        }
        Some(())
    }

    /// How much more of a long list or text there would have been (`... 12 more items`).
    fn more(&mut self) -> Option<()> {
        let end = self.rest.find(['\n', ',', ']', '}']).unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
        Some(())
    }

    /// A symbol of Ruby or an atom of Elixir: a text.
    fn symbol(&mut self) -> Option<()> {
        let text = &self.rest[1..];
        if text.starts_with('"') {
            self.rest = text;
            return self.string();
        }
        let (name, rest) = text.split_at(length_of_name(text));
        json::quote(&mut self.json, name);
        self.rest = rest;
        (!name.is_empty()).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        // JavaScript prints a time without quotes.
        let is_time = matches!(self.rest.as_bytes(), [_, _, _, _, b'-', _, _, b'-', _, _, b'T', ..]);
        let digits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+') || (is_time && c == ':');
        let end = self.rest.find(|c| !digits(c)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        if is_time {
            json::quote(&mut self.json, number);
            self.rest = rest;
            return Some(());
        }
        let none = ["inf", "Infinity", "nan", "NaN"].iter().any(|name| number.ends_with(name));
        self.json.push_str(if none { "null" } else { number });
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
        // Objects of JavaScript have names before them, too, and lists as Jest keeps them.
        if rest.trim_ascii_start().starts_with('{') || (name == "Array" && rest.starts_with(" [")) {
            return Some(());
        }
        if rest.starts_with('=') || (rest.starts_with(':') && self.open.last() == Some(&'}')) {
            json::quote(&mut self.json, name);
            return Some(());
        }
        if let Some(fields) = rest.strip_prefix('(') {
            // What may be there and is, in Rust and Swift, and what is made of a dictionary in Python.
            if matches!(name, "Some" | "Optional") || fields.trim_ascii_start().starts_with('{') {
                self.rest = fields;
                return self.wrapped();
            }
            // What a test expects of a text or a time is none.
            let expected = fields.starts_with(')') && name.starts_with("Is");
            return if is_fields(fields) && !expected { self.open('{', '}') } else { self.made_of(name, fields) };
        }
        self.json.push_str(match name {
            "True" | "true" => "true",
            "False" | "false" => "false",
            _ => "null",
        });
        Some(())
    }

    /// The one value between brackets that say nothing.
    fn wrapped(&mut self) -> Option<()> {
        let (depth, begun) = (self.open.len(), self.json.len());
        if depth >= DEPTH_MAX {
            return None;
        }
        while self.open.len() > depth || !self.rest.trim_ascii_start().starts_with(')') || self.json.len() == begun {
            self.step()?;
        }
        self.rest = self.rest.trim_ascii_start().strip_prefix(')')?;
        Some(())
    }

    /// What is made of values by position: a time, or one text (`UUID('...')`). What others mean is not printed.
    fn made_of(&mut self, name: &str, values: &'a str) -> Option<()> {
        if matches!(name, "datetime.datetime" | "datetime") {
            let time = time(values);
            let before = self.json.len();
            self.skip()?;
            if let Some(time) = time {
                self.json.truncate(before);
                json::quote(&mut self.json, &time);
            }
            return Some(());
        }
        let one = values.starts_with(['\'', '"']).then(|| length_of_text(values)).flatten();
        match one.filter(|length| values[*length..].starts_with(')')) {
            Some(_) => {
                self.rest = values;
                self.string()?;
                self.rest = self.rest.strip_prefix(')')?;
                Some(())
            }
            None => self.skip(),
        }
    }

    /// Values by position.
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
            let three = ["\"\"\"", "'''"].iter().any(|quotes| self.rest.starts_with(quotes));
            let quotes = self.rest.get(..if three { 3 } else { 1 })?;
            let mut rest = &self.rest[quotes.len()..];
            while !rest.starts_with(quotes) {
                let mut chars = rest.chars();
                match chars.next()? {
                    '\\' => text.push(escaped(&mut chars)?),
                    c => text.push(c),
                }
                rest = chars.as_str();
            }
            self.rest = &rest[quotes.len()..];
            // Long texts stand on several lines: JavaScript prints their sum, Python one after the other.
            let more = self.rest.trim_ascii_start();
            let more = more.strip_prefix('+').map_or(more, str::trim_ascii_start);
            match more.starts_with(['\'', '"', '`']) {
                true => self.rest = more,
                false => break,
            }
        }
        json::quote(&mut self.json, &text);
        Some(())
    }
}

/// The length of a text that is a value by position.
fn length_of_text(values: &str) -> Option<usize> {
    let quote = values.chars().next()?;
    let mut escaped = false;
    let end = values.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map(|(at, _)| at + 1)
}

/// A time of Python from its parts. One with a zone that is not UTC is not told.
fn time(values: &str) -> Option<String> {
    let (numbers, zone) = values.split_once("tzinfo=").unwrap_or((values.split_once(')')?.0, "None"));
    const UTC: [&str; 6] = ["None", "datetime.timezone.utc", "timezone.utc", "TzInfo(UTC)", "TzInfo(0)", "tzutc()"];
    if !UTC.iter().any(|utc| zone.starts_with(utc)) {
        return None;
    }
    let parts: Vec<u32> =
        numbers.split(',').map(str::trim).filter(|part| !part.is_empty()).map_while(|part| part.parse().ok()).collect();
    let [year, month, day, rest @ ..] = &parts[..] else { return None };
    let part = |at: usize| rest.get(at).copied().unwrap_or(0);
    Some(format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z", part(0), part(1), part(2), part(3)))
}

/// True for named fields, or none.
fn is_fields(rest: &str) -> bool {
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    rest.starts_with(')') || (end > 0 && (rest[end..].starts_with('=') || rest[end..].starts_with(": ")))
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
