//! A reader of data written as literals: JSON, and the part of Python that generated data files are made of.
//!
//! Numbers keep the digits they were written with, so that no float stands between a published price and ours.

use std::iter::Peekable;
use std::str::CharIndices;

/// Deepest nesting that is read.
const DEPTH_MAX: usize = 64;

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    /// `null`, `None`.
    Null,
    Bool(bool),
    /// A number as it was written.
    Number(String),
    Text(String),
    List(Vec<Literal>),
    /// In the order of the file.
    Map(Vec<(String, Literal)>),
    /// `Name(value, key=value)`: a constructor, its positional and its named arguments.
    Call(String, Vec<Literal>, Vec<(String, Literal)>),
    /// A name that is no value of its own (`datetime.UTC`).
    Name(String),
}

impl Literal {
    /// A member of a map or a named argument of a call. `null` counts as absent.
    pub fn get(&self, name: &str) -> Option<&Literal> {
        let (Literal::Map(members) | Literal::Call(_, _, members)) = self else { return None };
        members.iter().find(|(key, _)| key == name).map(|(_, value)| value).filter(|value| **value != Literal::Null)
    }

    /// The members of a map or the named arguments of a call.
    pub fn members(&self) -> &[(String, Literal)] {
        match self {
            Literal::Map(members) | Literal::Call(_, _, members) => members,
            _ => &[],
        }
    }

    /// The items of a list.
    pub fn items(&self) -> &[Literal] {
        if let Literal::List(items) = self { items } else { &[] }
    }

    /// A text.
    pub fn text(&self) -> Option<&str> {
        if let Literal::Text(text) = self { Some(text) } else { None }
    }

    /// The digits of a number, also of one written as a text or as `Decimal('1.5')`.
    pub fn digits(&self) -> Option<&str> {
        match self {
            Literal::Number(digits) | Literal::Text(digits) => Some(digits),
            Literal::Call(name, arguments, _) if name == "Decimal" => arguments.first()?.digits(),
            _ => None,
        }
    }
}

/// Reads one literal from the start of a text; what follows it is ignored.
///
/// # Errors
/// What was met where, as a byte of the text.
pub(crate) fn read(text: &str) -> Result<Literal, String> {
    Reading { text, chars: text.char_indices().peekable() }.value(0)
}

struct Reading<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
}

impl Reading<'_> {
    fn fail<T>(&mut self, expected: &str) -> Result<T, String> {
        let (at, met) =
            self.chars.peek().map_or((self.text.len(), "the end".to_string()), |(at, c)| (*at, format!("{c:?}")));
        Err(format!("expected {expected} at byte {at}, met {met}"))
    }

    /// Skips blanks and comments.
    fn blank(&mut self) {
        while let Some((_, c)) = self.chars.peek() {
            if *c == '#' {
                while self.chars.next_if(|(_, c)| *c != '\n').is_some() {}
            } else if !c.is_whitespace() {
                return;
            } else {
                self.chars.next();
            }
        }
    }

    /// Whether the next thing is this character; takes it then.
    fn takes(&mut self, wanted: char) -> bool {
        self.blank();
        self.chars.next_if(|(_, c)| *c == wanted).is_some()
    }

    fn value(&mut self, depth: usize) -> Result<Literal, String> {
        if depth > DEPTH_MAX {
            return self.fail("less nesting");
        }
        self.blank();
        match self.chars.peek().map(|(_, c)| *c) {
            Some('[') => self.list(depth, '[', ']'),
            Some('(') => self.list(depth, '(', ')'),
            Some('{') => self.map(depth),
            Some('\'' | '"') => {
                let mut text = self.string()?;
                // Python joins texts that stand side by side.
                loop {
                    self.blank();
                    match self.chars.peek() {
                        Some((_, '\'' | '"')) => text.push_str(&self.string()?),
                        _ => return Ok(Literal::Text(text)),
                    }
                }
            }
            Some(c) if c.is_ascii_digit() || c == '-' || c == '+' => {
                Ok(Literal::Number(self.word(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'))))
            }
            Some(c) if c.is_alphabetic() || c == '_' => self.named(depth),
            _ => self.fail("a value"),
        }
    }

    fn word(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let mut word = String::new();
        while let Some((_, c)) = self.chars.next_if(|(_, c)| belongs(*c)) {
            word.push(c);
        }
        word
    }

    fn list(&mut self, depth: usize, open: char, close: char) -> Result<Literal, String> {
        self.takes(open);
        let mut items = Vec::new();
        while !self.takes(close) {
            items.push(self.value(depth + 1)?);
            if !self.takes(',') {
                if self.takes(close) {
                    break;
                }
                return self.fail("a comma or the end of the list");
            }
        }
        Ok(Literal::List(items))
    }

    fn map(&mut self, depth: usize) -> Result<Literal, String> {
        self.takes('{');
        let mut members = Vec::new();
        while !self.takes('}') {
            let Literal::Text(key) = self.value(depth + 1)? else { return self.fail("a text as key") };
            if !self.takes(':') {
                return self.fail("a colon");
            }
            members.push((key, self.value(depth + 1)?));
            if !self.takes(',') {
                if self.takes('}') {
                    break;
                }
                return self.fail("a comma or the end of the map");
            }
        }
        Ok(Literal::Map(members))
    }

    /// A name, and the arguments of a call if a bracket follows.
    fn named(&mut self, depth: usize) -> Result<Literal, String> {
        let name = self.word(|c| c.is_alphanumeric() || c == '_' || c == '.');
        match name.as_str() {
            "None" | "null" => return Ok(Literal::Null),
            "True" | "true" => return Ok(Literal::Bool(true)),
            "False" | "false" => return Ok(Literal::Bool(false)),
            _ => {}
        }
        if !self.takes('(') {
            return Ok(Literal::Name(name));
        }
        let (mut positional, mut named) = (Vec::new(), Vec::new());
        while !self.takes(')') {
            match self.value(depth + 1)? {
                Literal::Name(key) if self.takes('=') => named.push((key, self.value(depth + 1)?)),
                value => positional.push(value),
            }
            if !self.takes(',') {
                if self.takes(')') {
                    break;
                }
                return self.fail("a comma or the end of the arguments");
            }
        }
        Ok(Literal::Call(name, positional, named))
    }

    fn string(&mut self) -> Result<String, String> {
        let Some((_, quote)) = self.chars.next() else { return self.fail("a text") };
        let mut text = String::new();
        loop {
            match self.chars.next() {
                None => return self.fail("the end of the text"),
                Some((_, c)) if c == quote => return Ok(text),
                Some((_, '\\')) => match self.chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, 'x')) => text.push(self.escaped(2)?),
                    Some((_, 'u')) => text.push(self.escaped(4)?),
                    Some((_, 'U')) => text.push(self.escaped(8)?),
                    Some((_, '\n')) => {}
                    Some((_, c)) => text.push(c),
                    None => return self.fail("the rest of an escape"),
                },
                Some((_, c)) => text.push(c),
            }
        }
    }

    /// A character by its code; halves of a pair, which no price depends on, become the replacement character.
    fn escaped(&mut self, digits: usize) -> Result<char, String> {
        let mut code = 0;
        for _ in 0..digits {
            match self.chars.next().and_then(|(_, c)| c.to_digit(16)) {
                Some(digit) => code = code * 16 + digit,
                None => return self.fail("a hexadecimal digit"),
            }
        }
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_python_data_are_read_with_the_digits_as_written() {
        let json = read(r#"{"price": 1.3200000000000002e-07, "off": null, "names": ["a\"b", "\u00e9"]}"#).unwrap();
        assert_eq!(json.get("price").and_then(Literal::digits), Some("1.3200000000000002e-07"));
        assert_eq!(json.get("off"), None);
        assert_eq!(json.get("names").map(Literal::items).map(<[_]>::len), Some(2));
        let python = read(
            "[Model(id='x', # a remark\n match=Or(or_=[Equals(equals='a' 'b')]), price=Decimal('0.10'), at=datetime.date(2026, 1, 2), zone=datetime.UTC)]",
        )
        .unwrap();
        let model = &python.items()[0];
        assert_eq!(model.get("price").and_then(Literal::digits), Some("0.10"));
        assert_eq!(model.get("zone"), Some(&Literal::Name("datetime.UTC".into())));
        let clause = &model.get("match").unwrap().get("or_").unwrap().items()[0];
        assert_eq!(clause.get("equals").and_then(Literal::text), Some("ab"));
    }

    #[test]
    fn broken_data_is_refused_with_the_place() {
        for (text, message) in [
            ("{\"a\": 1", "expected a comma or the end of the map at byte 7, met the end"),
            ("[1 2]", "expected a comma or the end of the list at byte 3, met '2'"),
            ("'open", "expected the end of the text at byte 5, met the end"),
            ("", "expected a value at byte 0, met the end"),
        ] {
            assert_eq!(read(text).unwrap_err(), message);
        }
        assert!(read(&"[".repeat(100)).unwrap_err().starts_with("expected less nesting"));
    }
}
