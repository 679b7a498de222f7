//! What PHP prints of an answer: `print_r`, `var_dump` and `var_export`. It is read as the JSON it would have been (prints that
//! others published, read 2026-11-30).

use crate::config::DEPTH_MAX;
use crate::json;

/// The same as JSON, if it is well-formed.
pub(crate) fn json(text: &str) -> Option<String> {
    let value = match Notation::of(text)? {
        Notation::Lines => {
            let mut lines = text.lines().skip(1).peekable();
            let value = fields(&mut lines, 0, 0)?;
            lines.all(|line| line.trim().is_empty()).then_some(value)?
        }
        Notation::Dumped => whole(text, dumped)?,
        Notation::Source => whole(text, source)?,
    };
    let mut written = String::with_capacity(text.len());
    value.write(&mut written);
    Some(written)
}

/// Which function printed a text.
enum Notation {
    /// `print_r`: a line for each field, set in by eight for each level.
    Lines,
    /// `var_dump`: every value with its type, texts with their length.
    Dumped,
    /// `var_export`: as it would stand in a program.
    Source,
}

impl Notation {
    fn of(text: &str) -> Option<Self> {
        let (first, rest) = text.split_once('\n')?;
        let first = first.trim_end();
        if is_opened(first) && rest.starts_with('(') {
            return Some(Notation::Lines);
        }
        if first.ends_with('{') && (first.starts_with("array(") || first.starts_with("object(")) {
            return Some(Notation::Dumped);
        }
        let exported =
            ["array (", "array(", "(object) array("].contains(&first) || first.ends_with("::__set_state(array(");
        exported.then_some(Notation::Source)
    }
}

/// True for how `print_r` begins an array or an object.
fn is_opened(value: &str) -> bool {
    value == "Array" || (value.ends_with(" Object") && !value.contains(['[', '(']))
}

enum Value<'a> {
    /// A number, a truth or nothing, as in JSON.
    Plain(&'a str),
    Text(String),
    Fields(Vec<(&'a str, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// A value of which only the letters are known.
    fn told(text: String, letters: &'a str) -> Self {
        match letters {
            "" => Value::Plain("null"),
            _ if json::Json::parse(letters).is_ok_and(|value| value.kind() == json::Kind::Number) => {
                Value::Plain(letters)
            }
            _ => Value::Text(text),
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Value::Plain(letters) => out.push_str(letters),
            Value::Text(text) => json::quote(out, text),
            Value::Fields(fields) => {
                let list = fields.iter().enumerate().all(|(at, (name, _))| name.parse() == Ok(at));
                out.push(if list { '[' } else { '{' });
                for (at, (name, value)) in fields.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    if !list {
                        json::quote(out, name);
                        out.push(':');
                    }
                    value.write(out);
                }
                out.push(if list { ']' } else { '}' });
            }
        }
    }
}

type Lines<'a> = std::iter::Peekable<std::iter::Skip<std::str::Lines<'a>>>;

/// The fields between the brackets that stand at a column. What is set in otherwise is a text of several lines.
fn fields<'a>(lines: &mut Lines<'a>, column: usize, level: usize) -> Option<Value<'a>> {
    let bracket = |line: &str, bracket: &str| line.trim_end().len() == column + 1 && line.trim() == bracket;
    let field = |line: &'a str| {
        let line = line.get(column + 4..).filter(|_| line.bytes().take(column + 4).all(|byte| byte == b' '))?;
        line.strip_prefix('[')?.split_once("] =>")
    };
    if level >= DEPTH_MAX || !bracket(lines.next()?, "(") {
        return None;
    }
    let mut found = Vec::new();
    loop {
        let line = lines.next()?;
        if bracket(line, ")") {
            return Some(Value::Fields(found));
        }
        let Some((name, value)) = field(line) else {
            // The empty line after what was nested.
            if line.trim().is_empty() {
                continue;
            }
            return None;
        };
        // Objects say who may see a field.
        let name = name.split(':').next().unwrap_or(name);
        let value = value.strip_prefix(' ').unwrap_or(value);
        let nested = is_opened(value.trim_end())
            && lines.peek().is_some_and(|next| next.trim() == "(" && next.trim_end().len() == column + 9);
        if nested {
            found.push((name, fields(lines, column + 8, level + 1)?));
            continue;
        }
        let mut text = value.to_owned();
        while let Some(more) = lines.next_if(|line| !bracket(line, ")") && field(line).is_none()) {
            text.push('\n');
            text.push_str(more);
        }
        found.push((name, Value::told(text, value.trim_end())));
    }
}

/// A value that is all there is of a text.
fn whole<'a>(text: &'a str, read: fn(&mut &'a str, usize) -> Option<Value<'a>>) -> Option<Value<'a>> {
    let mut rest = text;
    let value = read(&mut rest, 0)?;
    rest.trim_matches([';', ' ', '\n', '\r']).is_empty().then_some(value)
}

/// What stands before a mark, which is skipped.
fn until<'a>(rest: &mut &'a str, mark: &str) -> Option<&'a str> {
    let (before, after) = rest.split_once(mark)?;
    *rest = after;
    Some(before)
}

/// Skips a mark, if it comes next.
fn skip(rest: &mut &str, mark: &str) -> bool {
    let next = rest.trim_ascii_start();
    next.strip_prefix(mark).map(|after| *rest = after).is_some()
}

/// A value as `var_dump` prints it.
fn dumped<'a>(rest: &mut &'a str, level: usize) -> Option<Value<'a>> {
    if level >= DEPTH_MAX {
        return None;
    }
    *rest = rest.trim_ascii_start();
    if skip(rest, "NULL") {
        return Some(Value::Plain("null"));
    }
    let kind = until(rest, "(")?;
    let about = until(rest, ")")?;
    match kind {
        "int" | "float" | "bool" => {
            let plain = json::Json::parse(about).is_ok();
            Some(Value::Plain(if plain { about } else { "null" }))
        }
        "string" => {
            skip(rest, "\"").then_some(())?;
            // Who edits a print forgets its lengths.
            let stated = about.parse().ok().and_then(|length: usize| rest.split_at_checked(length));
            let (text, after) = match stated.filter(|(_, after)| after.starts_with("\"\n") || *after == "\"") {
                Some((text, after)) => (text, &after[1..]),
                None => rest.split_once("\"\n")?,
            };
            *rest = after;
            Some(Value::Text(text.to_owned()))
        }
        "array" | "object" => {
            until(rest, "{")?;
            let mut found = Vec::new();
            while !skip(rest, "}") {
                skip(rest, "[").then_some(())?;
                let name = until(rest, "]=>")?;
                let name = name.split(':').next().unwrap_or(name).trim_matches('"');
                found.push((name, dumped(rest, level + 1)?));
            }
            Some(Value::Fields(found))
        }
        _ => Some(Value::Plain("null")),
    }
}

/// A value as it stands in a program.
fn source<'a>(rest: &mut &'a str, level: usize) -> Option<Value<'a>> {
    if level >= DEPTH_MAX {
        return None;
    }
    *rest = rest.trim_ascii_start();
    if rest.starts_with('\'') {
        return quoted(rest).map(Value::Text);
    }
    // The name of a class before its fields.
    let class = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '\\'));
    let named = class.strip_prefix("::__set_state(");
    *rest = named.unwrap_or(rest);
    skip(rest, "(object)");
    if skip(rest, "array") {
        skip(rest, "(").then_some(())?;
        let mut found = Vec::new();
        while !skip(rest, ")") {
            *rest = rest.trim_ascii_start();
            let name = until(rest, "=>")?.trim().trim_matches('\'');
            found.push((name, source(rest, level + 1)?));
            skip(rest, ",");
        }
        if named.is_some() {
            skip(rest, ")").then_some(())?;
        }
        return Some(Value::Fields(found));
    }
    let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(byte)).count();
    let (letters, after) = rest.split_at(length);
    *rest = after;
    match letters {
        "NULL" | "null" => Some(Value::Plain("null")),
        _ => json::Json::parse(letters).is_ok().then_some(Value::Plain(letters)),
    }
}

/// A text between single quotes.
fn quoted(rest: &mut &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = rest[1..].char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\'' => {
                *rest = &rest[at + 2..];
                return Some(text);
            }
            '\\' => match chars.next()?.1 {
                escaped @ ('\'' | '\\') => text.push(escaped),
                other => text.extend(['\\', other]),
            },
            other => text.push(other),
        }
    }
    None
}
