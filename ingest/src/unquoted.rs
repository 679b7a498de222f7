//! What Java and Go print of an answer: fields by name, their values without quotes. What was said may hold anything, so nothing is read
//! but what stands around it: the last usage, which is nothing but numbers, and a few fields before and after it (prints of OpenAI's SDK
//! for Java and of LangChain4j that others published, read 2026-11-30; Anthropic's is made by the same generator as OpenAI's; those of
//! Go from knowledge of them).

use crate::json;
use crate::number::is_digits;

/// How a language prints, and what its names begin with.
struct Style {
    /// Between a name and its value.
    is: char,
    /// Before the name of a field that is not the first.
    next: &'static str,
    usage: &'static str,
    /// Names of fields, and what they are in JSON.
    fields: [(&'static str, &'static str); 5],
    /// Whether counts are renamed, as the SDK renamed those of the provider.
    renames: bool,
}

const JAVA: Style = Style {
    is: '=',
    next: ", ",
    usage: ", usage=",
    fields: [
        ("id", "id"),
        ("model", "model"),
        ("created", "created"),
        ("createdAt", "created_at"),
        ("serviceTier", "service_tier"),
    ],
    renames: true,
};

const LANGCHAIN: Style = Style {
    is: '=',
    next: ", ",
    usage: ", tokenUsage=",
    fields: [
        ("id", "id"),
        ("modelName", "modelName"),
        ("created", "created"),
        ("serviceTier", "serviceTier"),
        ("finishReason", "finishReason"),
    ],
    renames: false,
};

const GO: Style = Style {
    is: ':',
    next: " ",
    usage: " Usage:{",
    fields: [
        ("ID", "id"),
        ("Model", "model"),
        ("Created", "created"),
        ("CreatedAt", "created_at"),
        ("ServiceTier", "service_tier"),
    ],
    renames: true,
};

/// The answer as JSON; `None` if it is none. Words of a logger may stand before it.
pub(crate) fn json(text: &str) -> Option<String> {
    let (first, inner) = text.split_once('{')?;
    let (style, kind) = match first.trim_end().rsplit(' ').next()? {
        "ChatCompletion" => (&JAVA, ("object", "chat.completion")),
        "Response" => (&JAVA, ("object", "response")),
        "Message" => (&JAVA, ("type", "message")),
        "" | "&" if inner.starts_with("ID:") => (&GO, ("object", "chat.completion")),
        "ChatResponse" if inner.starts_with(" aiMessage = ") => {
            let (_, metadata) = inner.rsplit_once(", metadata = ")?;
            let metadata = fields(metadata.split_once('{')?.1, &LANGCHAIN, None)?;
            return Some(format!("{{\"metadata\":{metadata}}}"));
        }
        _ => return None,
    };
    fields(inner, style, Some(kind))
}

fn fields(inner: &str, style: &Style, kind: Option<(&str, &str)>) -> Option<String> {
    let (before, usage) = inner.rsplit_once(style.usage)?;
    let usage = usage.get(usage.find('{').filter(|_| style.is == '=').map_or(0, |at| at + 1)..)?;
    let mut whole = String::from("{");
    let mut put = |name: &str, value: &str| {
        let mut quoted = String::new();
        json::quote(&mut quoted, value);
        json::put_field(&mut whole, name, if is_digits(value) { value } else { &quoted });
    };
    if let Some((name, value)) = kind {
        put(name, value);
    }
    for (name, named) in style.fields {
        let (at_first, later) = (format!("{name}{}", style.is), format!("{}{name}{}", style.next, style.is));
        let value = inner.strip_prefix(&at_first).or_else(|| Some(before.rsplit_once(&later)?.1));
        let value = value.or_else(|| Some(usage.rsplit_once(&later)?.1)).map(|value| until(value, style.next));
        let value = value.map(|value| value.trim_matches('\''));
        if let Some(value) = value.filter(|value| !matches!(*value, "" | "null" | "<nil>")) {
            put(named, value);
        }
    }
    let (counts, _) = counts(usage, style, 0)?;
    json::put_field(&mut whole, if style.renames { "usage" } else { "tokenUsage" }, &counts);
    whole.push('}');
    Some(whole)
}

/// A value up to the next field, or to the end of what it is of.
fn until<'a>(value: &'a str, next: &str) -> &'a str {
    let end = [next, "}", "]", "\n"].iter().filter_map(|mark| value.find(mark)).min();
    &value[..end.unwrap_or(value.len())]
}

/// The fields of a usage object that are numbers, or objects of numbers, and what follows the bracket that closes it.
fn counts<'a>(mut rest: &'a str, style: &Style, level: usize) -> Option<(String, &'a str)> {
    let mut whole = String::from("{");
    let named = |name: &str| if style.renames { in_snake_case(name) } else { name.to_owned() };
    loop {
        rest = rest.trim_start_matches([',', ' ', '\n']);
        if let Some(after) = rest.strip_prefix('}') {
            whole.push('}');
            return Some((whole, after));
        }
        let (name, value) = rest.split_once(style.is)?;
        let (name, value) = (name.trim_ascii_end(), value.trim_ascii_start());
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.');
        if !name.chars().all(is_word) || level > 2 {
            return None;
        }
        // An object may have its name before it, and Go's mark of a pointer.
        let unnamed = value.trim_start_matches('&').trim_start_matches(is_word).trim_ascii_start();
        if let Some(inner) = unnamed.strip_prefix('{') {
            let (nested, after) = counts(inner, style, level + 1)?;
            if nested != "{}" {
                json::put_field(&mut whole, &named(name), &nested);
            }
            rest = after;
            continue;
        }
        let end = value.find([',', ' ', '}'])?;
        if is_digits(&value[..end]) {
            json::put_field(&mut whole, &named(name), &value[..end]);
        }
        rest = &value[end..];
    }
}

fn in_snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        let begins =
            letter.is_ascii_uppercase() || (letter.is_ascii_digit() && snake.ends_with(|c: char| !c.is_ascii_digit()));
        if begins && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
