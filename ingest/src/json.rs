//! JSON one level at a time: an [`Object`] holds its fields' names and the untouched text of their values.
//!
//! Bodies are mostly prompts and outputs, which are only skipped; a decoder opens the two or three small objects it
//! needs. This costs one pass over the bytes and no tree, and it keeps contents out of our memory.

mod grammar;

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::value::RawValue;

/// The text of one JSON value, checked to be well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Json<'a>(&'a str);

/// What a JSON value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool => "boolean",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Array => "array",
            Kind::Object => "object",
        }
    }
}

impl<'a> Json<'a> {
    /// Checks a whole document.
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        match grammar::document(text) {
            Some(text) => Ok(Json(text)),
            // Says what is wrong.
            None => serde_json::from_str::<&RawValue>(text).map(|raw| Json(raw.get())),
        }
    }

    /// Checks documents that stand one after the other; `None` when one of them is not well-formed.
    pub(crate) fn parse_all(text: &'a str) -> Option<Vec<Self>> {
        let documents = serde_json::Deserializer::from_str(text).into_iter::<&'a RawValue>();
        documents.map(|document| document.ok().map(|raw| Json(raw.get()))).collect()
    }

    /// The object a text begins with, whatever follows it.
    pub(crate) fn parse_first(text: &'a str) -> Option<Self> {
        Self::first_value(text).filter(|json| json.kind() == Kind::Object)
    }

    /// The value that a text begins with.
    pub(crate) fn first_value(text: &'a str) -> Option<Self> {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<&'a RawValue>();
        Some(Json(values.next()?.ok()?.get()))
    }

    /// Reads a whole document that is one object, in one pass; `None` when it is anything else.
    pub(crate) fn parse_object(text: &'a str) -> Option<(Self, Object<'a>)> {
        Json::parse_object_within(text, usize::MAX)
    }

    /// As [`Json::parse_object`], of an object that nests no deeper than `most`.
    pub(crate) fn parse_object_within(text: &'a str, most: usize) -> Option<(Self, Object<'a>)> {
        let text = text.trim_ascii();
        if !text.starts_with('{') {
            return None;
        }
        read(text, most.checked_sub(1)?).map(|object| (Json(text), object))
    }

    /// The JSON text.
    pub(crate) fn text(self) -> &'a str {
        self.0
    }

    pub(crate) fn kind(self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    pub(crate) fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The text of a string; borrowed unless it holds escapes.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if memchr::memchr(b'\\', inner.as_bytes()).is_some() {
            serde_json::from_str::<String>(self.0).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inner))
        }
    }

    pub(crate) fn boolean(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The digits of a number, also of one written as a string.
    pub(crate) fn number(self) -> Option<&'a str> {
        match self.kind() {
            Kind::Number => Some(self.0),
            Kind::String => Some(&self.0[1..self.0.len() - 1]),
            _ => None,
        }
    }

    pub(crate) fn object(self) -> Option<Object<'a>> {
        if self.kind() != Kind::Object {
            return None;
        }
        cut(self.0, 0).map(|(object, _)| object)
    }

    /// The elements of an array, those that are objects opened.
    pub(crate) fn opened(self) -> Option<Opened<'a>> {
        (self.kind() == Kind::Array).then_some(Opened { text: self.0, at: 1 })
    }

    pub(crate) fn array(self) -> Option<Vec<Json<'a>>> {
        if self.kind() != Kind::Array {
            return None;
        }
        cut_elements(self.0)
    }
}

/// The fields of one JSON object, in the order written. Of a repeated name the last one counts, as in most parsers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object<'a> {
    /// Not within the object: it is handed on more often than it is made.
    fields: Vec<(Cow<'a, str>, Json<'a>)>,
    /// Formats are told by fields that are there, and most that are asked for are not.
    marks: Marks,
}

/// Room an object is made with: most have fewer fields.
const FIELDS: usize = 8;

/// A set of hashes of names: it may say that a name is there which is not, never the reverse.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Marks([u64; 4]);

impl Marks {
    pub(crate) const NONE: Marks = Marks([0; 4]);

    #[inline]
    #[must_use]
    pub(crate) const fn with(mut self, hash: u8) -> Self {
        self.0[hash as usize / 64] |= 1 << (hash % 64);
        self
    }

    #[inline]
    pub(crate) const fn has(&self, hash: u8) -> bool {
        self.0[hash as usize / 64] & (1 << (hash % 64)) != 0
    }

    #[inline]
    fn has_all(&self, others: &Marks) -> bool {
        self.0.iter().zip(&others.0).all(|(ours, theirs)| ours & theirs == *theirs)
    }

    /// True when they have one in common.
    pub(crate) const fn meets(&self, other: &Marks) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        (a & e) | (b & f) | (c & g) | (d & h) != 0
    }
}

/// A hash of a name, for sets that know of most names that they do not hold them. Names of one family share their ends, so
/// length and middle count.
#[inline]
pub(crate) const fn quick_hash(bytes: &[u8]) -> u8 {
    if bytes.is_empty() {
        return 0;
    }
    let (first, middle, last) = (bytes[0], bytes[bytes.len() / 2], bytes[bytes.len() - 1]);
    (bytes.len() as u8).wrapping_mul(7) ^ first.wrapping_mul(5) ^ middle.wrapping_mul(11) ^ last
}

/// A closed set of names, told by one look at most.
#[derive(Debug)]
pub(crate) struct NameSet([&'static str; Self::SLOTS]);

impl NameSet {
    const SLOTS: usize = 1 << u8::BITS;

    /// Of fewer names than three quarters of its slots.
    pub(crate) const fn new(names: &[&'static str]) -> Self {
        assert!(names.len() <= Self::SLOTS / 4 * 3);
        let (mut slots, mut index) = ([""; Self::SLOTS], 0);
        while index < names.len() {
            let mut slot = quick_hash(names[index].as_bytes()) as usize;
            while !slots[slot].is_empty() {
                slot = (slot + 1) % Self::SLOTS;
            }
            slots[slot] = names[index];
            index += 1;
        }
        NameSet(slots)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        let mut slot = usize::from(quick_hash(name.as_bytes()));
        // A quarter of the slots is empty at least.
        while !self.0[slot].is_empty() {
            if self.0[slot] == name {
                return true;
            }
            slot = (slot + 1) % Self::SLOTS;
        }
        false
    }
}

impl<'a> Object<'a> {
    /// The object that a text is, and nothing else.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        Json::parse_object(text).map(|(_, object)| object)
    }

    fn push(&mut self, name: Cow<'a, str>, value: Json<'a>) {
        self.marks = self.marks.with(quick_hash(name.as_bytes()));
        if self.fields.is_empty() {
            self.fields.reserve_exact(FIELDS);
        }
        self.fields.push((name, value));
    }

    /// True when there is certainly no such field. Where the name is written out its hash is made by the compiler, so that this is a
    /// look at one bit.
    #[inline]
    pub(crate) fn lacks(&self, name: &str) -> bool {
        !self.marks.has(quick_hash(name.as_bytes()))
    }

    #[inline]
    fn find(&self, name: &str) -> Option<Json<'a>> {
        if self.lacks(name) { None } else { self.search(name) }
    }

    #[inline(never)]
    fn search(&self, name: &str) -> Option<Json<'a>> {
        self.fields.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// A field that is present and not null.
    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<Json<'a>> {
        self.find(name).filter(|value| !value.is_null())
    }

    /// True when the field is there, even as null.
    #[inline]
    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// False when one of these fields is certainly not there.
    #[inline]
    pub(crate) fn may_have(&self, names: &Marks) -> bool {
        self.marks.has_all(names)
    }

    /// False when certainly none of these fields is there.
    #[inline]
    pub(crate) fn may_have_one(&self, names: &Marks) -> bool {
        self.marks.meets(names)
    }

    /// The first of these fields that is present and not null, with its name.
    #[inline]
    pub(crate) fn first(&self, names: &[&'static str]) -> Option<(&'static str, Json<'a>)> {
        names.iter().find_map(|name| self.get(name).map(|value| (*name, value)))
    }

    /// A string field.
    #[inline]
    pub(crate) fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(Json::string)
    }

    /// An object field.
    #[inline]
    pub(crate) fn object(&self, name: &str) -> Option<Object<'a>> {
        self.get(name).and_then(Json::object)
    }

    /// An array field.
    #[inline]
    pub(crate) fn array(&self, name: &str) -> Option<Vec<Json<'a>>> {
        self.get(name).and_then(Json::array)
    }

    /// The first element of an array field, where it is an object.
    pub(crate) fn first_of(&self, name: &str) -> Option<Object<'a>> {
        self.array(name)?.first()?.object()
    }

    /// True when a string field has exactly this text.
    #[inline]
    pub(crate) fn is(&self, name: &str, text: &str) -> bool {
        self.get(name).and_then(|value| value.string()).is_some_and(|found| found == text)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Json<'a>)> {
        self.fields.iter().map(|(key, value)| (key.as_ref(), *value))
    }

    /// As [`Object::iter`], with names that live as long as the text.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (Cow<'a, str>, Json<'a>)> {
        self.fields.iter().map(|(key, value)| (key.clone(), *value))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

/// Reads a text that is an object from its first byte to its last, checking all of it; its values nest no deeper than this.
fn read(text: &str, most: usize) -> Option<Object<'_>> {
    let bytes = text.as_bytes();
    let mut object = Object::default();
    let mut at = grammar::blank(bytes, 1);
    if bytes.get(at)? == &b'}' {
        return (at + 1 == bytes.len()).then_some(object);
    }
    loop {
        let (end, escaped) = grammar::string(bytes, at)?;
        let name = name(text.get(at..end)?, escaped)?;
        at = grammar::colon(bytes, end)?;
        let end = grammar::value(bytes, at, most)?;
        object.push(name, Json(text.get(at..end)?));
        at = grammar::blank(bytes, end);
        match bytes.get(at)? {
            b',' => at = grammar::blank(bytes, at + 1),
            b'}' => return (at + 1 == bytes.len()).then_some(object),
            _ => return None,
        }
    }
}

/// Cuts the object that begins here into its fields; also where it ends. The text was checked to be well-formed with the document it
/// is part of, so nothing is checked again; `None` is for what cannot be.
fn cut(text: &str, at: usize) -> Option<(Object<'_>, usize)> {
    let bytes = text.as_bytes();
    let mut object = Object::default();
    let mut at = at + 1;
    loop {
        at = skip(bytes, at, |byte| byte == b',' || byte.is_ascii_whitespace());
        if bytes.get(at) != Some(&b'"') {
            return (bytes.get(at) == Some(&b'}')).then_some((object, at + 1));
        }
        let (end, escaped) = string_end(bytes, at)?;
        let name = name(text.get(at..end)?, escaped)?;
        at = skip(bytes, end, |byte| byte == b':' || byte.is_ascii_whitespace());
        let end = value_end(bytes, at)?;
        object.push(name, Json(text.get(at..end)?));
        at = end;
    }
}

/// A name, from between its quotes; borrowed unless it holds escapes.
fn name(quoted: &str, escaped: bool) -> Option<Cow<'_, str>> {
    match escaped {
        true => Json(quoted).string(),
        false => quoted.get(1..quoted.len() - 1).map(Cow::Borrowed),
    }
}

/// As [`cut`], of an array.
fn cut_elements(text: &str) -> Option<Vec<Json<'_>>> {
    let bytes = text.as_bytes();
    let mut elements = Vec::new();
    let mut at = 1;
    loop {
        at = skip(bytes, at, |byte| byte == b',' || byte.is_ascii_whitespace());
        if bytes.get(at)? == &b']' {
            return Some(elements);
        }
        let end = value_end(bytes, at).filter(|end| *end > at)?;
        elements.push(Json(text.get(at..end)?));
        at = end;
    }
}

/// The elements of an array, one after the other. Where they are objects each is cut as it is passed over: to find where it ends first
/// would be to read it twice, and with what it is in on every level again.
#[derive(Debug, Default)]
pub(crate) struct Opened<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Opened<'a> {
    type Item = (Json<'a>, Option<Object<'a>>);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let start = skip(bytes, self.at, |byte| byte == b',' || byte.is_ascii_whitespace());
        let (object, end) = match bytes.get(start)? {
            b'{' => cut(self.text, start).map(|(object, end)| (Some(object), end))?,
            _ => (None, value_end(bytes, start).filter(|end| *end > start)?),
        };
        self.at = end;
        self.text.get(start..end).map(|text| (Json(text), object))
    }
}

/// A way through a checked text, for what is made of many small objects of which nothing is kept but one or two values: each is passed
/// over once, and no [`Object`] is made of it.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(json: Json<'a>) -> Self {
        Walk { text: json.0, at: 0 }
    }

    /// Goes into the object or array that comes next, if it begins with this bracket.
    pub(crate) fn enter(&mut self, bracket: u8) -> bool {
        let enters = self.text.as_bytes().get(self.at) == Some(&bracket);
        self.at += usize::from(enters);
        enters
    }

    /// Goes to the next element; `false` where there is none, and out of the array.
    pub(crate) fn element(&mut self) -> bool {
        let bytes = self.text.as_bytes();
        self.at = skip(bytes, self.at, |byte| byte == b',' || byte.is_ascii_whitespace());
        let ends = matches!(bytes.get(self.at), Some(b'}' | b']') | None);
        self.at += usize::from(ends);
        !ends
    }

    /// Goes to the value of the next field, which has this name; `None` where there is none, and out of the object.
    pub(crate) fn field(&mut self) -> Option<Cow<'a, str>> {
        if !self.element() {
            return None;
        }
        let bytes = self.text.as_bytes();
        let (end, escaped) = string_end(bytes, self.at)?;
        let name = name(self.text.get(self.at..end)?, escaped)?;
        self.at = skip(bytes, end, |byte| byte == b':' || byte.is_ascii_whitespace());
        Some(name)
    }

    /// Passes over the value that comes next.
    pub(crate) fn value(&mut self) -> Option<Json<'a>> {
        let end = value_end(self.text.as_bytes(), self.at).filter(|end| *end > self.at)?;
        let value = self.text.get(self.at..end)?;
        self.at = end;
        Some(Json(value))
    }
}

fn skip(bytes: &[u8], mut at: usize, skipped: impl Fn(u8) -> bool) -> usize {
    while bytes.get(at).is_some_and(|byte| skipped(*byte)) {
        at += 1;
    }
    at
}

/// The end of the string that begins here, and whether it holds escapes.
fn string_end(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    let (mut at, mut escaped) = (at + 1, false);
    loop {
        at = quote_or_escape(bytes, at)?;
        if bytes[at] == b'"' {
            return Some((at + 1, escaped));
        }
        (at, escaped) = (at + 2, true);
    }
}

/// The end of the value that begins here.
fn value_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0usize;
    match bytes.get(at)? {
        b'"' => return string_end(bytes, at).map(|(end, _)| end),
        b'{' | b'[' => {}
        _ => return Some(skip(bytes, at, |byte| !matches!(byte, b',' | b'}' | b']') && !byte.is_ascii_whitespace())),
    }
    loop {
        at += quote_or_bracket(bytes.get(at..)?)?;
        match bytes[at] {
            b'"' => {
                (at, _) = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            _ => depth = depth.checked_sub(1)?,
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Bytes looked at eight at a time before a search that takes longer to begin than most names and values are long.
const NEAR: usize = 32;

/// Where a string ends or an escape begins, from `start` on.
fn quote_or_escape(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while at < start + NEAR
        && let Some(word) = word(bytes, at)
    {
        let found = marks(word, below(word, b'"') | below(word, b'\\'));
        if found != 0 {
            return Some(at + first(found));
        }
        at += 8;
    }
    memchr::memchr2(b'"', b'\\', bytes.get(at..)?).map(|found| at + found)
}

/// The eight bytes that begin here.
#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|eight| u64::from_le_bytes(*eight))
}

/// Where a string begins, or an object or array begins or ends.
fn quote_or_bracket(bytes: &[u8]) -> Option<usize> {
    let is_mark = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']');
    // Between strings and brackets there are mostly a colon or a comma.
    if let Some(near) = bytes.iter().take(3).position(is_mark) {
        return Some(near);
    }
    for (index, word) in words(bytes).enumerate() {
        // With this bit set, square brackets are braces.
        let braces = word | repeated(b'{' ^ b'[');
        let found = marks(word, below(word, b'"') | below(braces, b'{') | below(braces, b'}'));
        if found != 0 {
            return Some(8 * index + first(found));
        }
    }
    let seen = bytes.len() / 8 * 8;
    let found = bytes[seen..].iter().position(is_mark);
    found.map(|found| seen + found)
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks().0.iter().map(|eight| u64::from_le_bytes(*eight))
}

const fn repeated(byte: u8) -> u64 {
    u64::MAX / 255 * byte as u64
}

/// Sets the highest bit of the bytes that equal this one: what is zero but for them, less one.
fn below(word: u64, byte: u8) -> u64 {
    (word ^ repeated(byte)).wrapping_sub(repeated(1))
}

/// The bytes of a word that something set the highest bit of, which was not set before. The first is exact; after it a carry may have
/// set it.
fn marks(word: u64, set: u64) -> u64 {
    set & !word & repeated(0x80)
}

fn first(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

/// Adds a text to JSON.
pub(crate) fn quote(into: &mut String, text: &str) {
    if is_plain(text.as_bytes()) {
        into.push('"');
        into.push_str(text);
        into.push('"');
    } else {
        let _ = write!(into, "{}", serde_json::Value::from(text));
    }
}

/// True for a text that is written in JSON as it is: without quotes, backslashes and control characters.
fn is_plain(bytes: &[u8]) -> bool {
    let special = |word: u64| marks(word, below(word, b'"') | below(word, b'\\') | word.wrapping_sub(repeated(b' ')));
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
    // The last word may overlap the one before it.
    match bytes.last_chunk() {
        Some(last) => words(bytes).chain([u64::from_le_bytes(*last)]).all(|word| special(word) == 0),
        None => !bytes.iter().any(is_special),
    }
}

/// Adds a field to an object that was begun: its name, and the JSON of its value.
pub(crate) fn put_field(into: &mut String, name: &str, value: &str) {
    into.push_str(if into.ends_with('{') { "" } else { "," });
    quote(into, name);
    into.push(':');
    into.push_str(value);
}

/// As [`put_field`], of a text.
pub(crate) fn put_text_field(into: &mut String, name: &str, text: &str) {
    put_field(into, name, "");
    quote(into, text);
}

/// True when brackets nest deeper than `most`. Only looks closely at documents with that many brackets.
pub(crate) fn deeper_than(text: &[u8], most: usize) -> bool {
    let opening = |byte: &u8| u8::from(*byte == b'{' || *byte == b'[');
    let brackets: usize = text.chunks(128).map(|chunk| usize::from(chunk.iter().map(opening).sum::<u8>())).sum();
    if brackets <= most {
        return false;
    }
    let (mut depth, mut at) = (0usize, 0);
    while let Some(found) = text.get(at..).and_then(quote_or_bracket) {
        at += found;
        match text[at] {
            b'"' => {
                let Some((end, _)) = string_end(text, at) else { break };
                at = end;
                continue;
            }
            b'{' | b'[' => depth += 1,
            _ => depth = depth.saturating_sub(1),
        }
        if depth > most {
            return true;
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

    use super::*;

    /// The fields of an object as a whole parser reads them.
    #[derive(Debug, PartialEq)]
    struct Fields(Vec<(String, String)>);

    impl<'de> Deserialize<'de> for Fields {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Each;
            impl<'de> Visitor<'de> for Each {
                type Value = Fields;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields, M::Error> {
                    let mut fields = Vec::new();
                    while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                        fields.push((name, value.get().to_owned()));
                    }
                    Ok(Fields(fields))
                }
            }
            deserializer.deserialize_map(Each)
        }
    }

    fn fields(object: Object<'_>) -> Fields {
        Fields(object.iter().map(|(name, value)| (name.to_owned(), value.text().to_owned())).collect())
    }

    /// Writes down what is passed by: objects and arrays are gone into, all else is passed over.
    fn walked(walk: &mut Walk<'_>, whole: &mut String) {
        let mut comma = "";
        if walk.enter(b'[') {
            whole.push('[');
            while walk.element() {
                whole.push_str(std::mem::replace(&mut comma, ","));
                walked(walk, whole);
            }
            whole.push(']');
        } else if walk.enter(b'{') {
            whole.push('{');
            while let Some(name) = walk.field() {
                whole.push_str(std::mem::replace(&mut comma, ","));
                quote(whole, &name);
                whole.push(':');
                walked(walk, whole);
            }
            whole.push('}');
        } else {
            whole.push_str(walk.value().unwrap().text());
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            r#"[ a-z"\\{}\[\],:é]{0,8}"#.prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            let name = r#"[a-c"\\{:]{0,3}"#;
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
                prop::collection::btree_map(name, inner, 0..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// What slips in where JSON is written by hand, or cut.
    fn any_slip() -> impl Strategy<Value = char> {
        prop::sample::select("\"\\{}[],:0123-+.eEtrufalsn \n\t\u{1}\u{c}é".chars().collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn an_object_is_cut_as_a_whole_parser_reads_it(value in any_json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let cut = Json::parse(&text).unwrap().object();
            if let Some(object) = &cut {
                prop_assert!(object.iter().all(|(name, _)| object.has(name)));
            }
            prop_assert_eq!(cut.map(fields), serde_json::from_str::<Fields>(&text).ok());
            let cut = Json::parse(&text).unwrap().array().map(|cut| cut.into_iter().map(Json::text).collect::<Vec<_>>());
            let read = serde_json::from_str::<Vec<&RawValue>>(&text).ok();
            prop_assert_eq!(cut, read.map(|read| read.into_iter().map(RawValue::get).collect::<Vec<_>>()));
            let mut whole = String::new();
            walked(&mut Walk::new(Json::parse(&text).unwrap()), &mut whole);
            prop_assert_eq!(whole, serde_json::to_string(&value).unwrap());
        }

        #[test]
        fn what_is_json_and_what_is_not_is_told_as_by_a_whole_parser(
            value in any_json(),
            pretty in any::<bool>(),
            slips in prop::collection::vec((any::<prop::sample::Index>(), 0..3, any_slip()), 0..4),
        ) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let mut text: Vec<char> = text.chars().collect();
            for (place, kind, slip) in slips {
                let place = place.index(text.len() + 1);
                match kind {
                    0 => text.insert(place, slip),
                    1 if place < text.len() => text[place] = slip,
                    _ => text.truncate(place),
                }
            }
            let text: String = text.into_iter().collect();
            let whole = serde_json::from_str::<&RawValue>(&text).ok().map(RawValue::get);
            prop_assert_eq!(grammar::document(&text), whole);
            prop_assert_eq!(Object::of(&text).map(fields), serde_json::from_str::<Fields>(text.trim_ascii()).ok());
        }

        #[test]
        fn strings_end_where_a_whole_parser_ends_them(text in r#"[ -~\u{0}-\u{1f}é]{0,12}[a-z]{0,80}[ -~\u{8}]{0,12}"#) {
            let text = format!("\"{text}\"");
            prop_assert_eq!(grammar::document(&text).is_some(), serde_json::from_str::<&RawValue>(&text).is_ok());
        }

        #[test]
        fn marks_are_found_where_they_stand(text in r#"[ -~é]{0,80}"#) {
            let found = |wanted: &str| text.bytes().position(|byte| wanted.as_bytes().contains(&byte));
            prop_assert_eq!(quote_or_escape(text.as_bytes(), 0), found("\"\\"));
            let half = text.len() / 2;
            let later = text.bytes().skip(half).position(|byte| b"\"\\".contains(&byte));
            prop_assert_eq!(quote_or_escape(text.as_bytes(), half), later.map(|found| half + found));
            prop_assert_eq!(quote_or_bracket(text.as_bytes()), found("\"{}[]"));
        }

        #[test]
        fn a_text_is_quoted_as_by_a_whole_writer(text in r#"[ -~é]{0,20}[\u{0}-\u{7f}é]{0,2}[ -~]{0,20}"#) {
            let mut quoted = String::new();
            quote(&mut quoted, &text);
            prop_assert_eq!(quoted, serde_json::Value::from(text.as_str()).to_string());
        }
    }

    #[test]
    fn numbers_and_words_are_those_of_json() {
        for text in ["0", "-0", "10", "-1.50", "1e5", "1E+5", "0.1e-10", "true", "false", "null", " \t\r\n1 "] {
            assert_eq!(grammar::document(text), Some(text.trim()), "{text}");
        }
        for text in [
            "", " ", "-", "01", "-01", "1.", ".5", "1.e5", "1e", "1e+", "+1", "0x1", "tru", "True", "nulls", "NaN",
            "1 2", "\u{c}1",
        ] {
            assert_eq!(grammar::document(text), None, "{text}");
        }
    }

    #[test]
    fn a_set_holds_its_names_and_no_others_also_where_their_hashes_are_equal() {
        static SET: NameSet = NameSet::new(&["input_tokens", "abcd", "aXcd", "total", ""]);
        assert_eq!(quick_hash(b"abcd"), quick_hash(b"aXcd"));
        assert!(["input_tokens", "abcd", "aXcd", "total"].iter().all(|name| SET.contains(name)));
        assert!(!["", "aYcd", "output_tokens", "totals"].iter().any(|name| SET.contains(name)));
    }

    #[test]
    fn fields_are_found_by_name_and_left_unread() {
        let object =
            Json::parse(r#"{"a": [1, 2], "b\n": "x\"y", "c": null, "a": {"d": 1}}"#).unwrap().object().unwrap();
        assert_eq!(object.get("a").unwrap().text(), r#"{"d": 1}"#);
        assert_eq!(object.string("b\n").unwrap(), "x\"y");
        assert!(object.get("c").is_none() && object.has("c"));
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        assert!(!deeper_than(br#"{"a":"[[[[[[\"[[[["}"#, 3));
        assert!(deeper_than(b"[[[[", 3));
        assert!(!deeper_than(b"[[[]]] [] [] []", 3));
    }

    #[test]
    fn an_object_is_read_within_a_depth_as_its_brackets_are_counted() {
        for text in
            [r"{}", r#"{"a":{}}"#, r#"{"a":[[[]]],"b":{}}"#, r#"{"a":"[[[[","b":[{"c":[1]},{}]}"#, r#"{"a":[{}]}"#]
        {
            for most in 0..6 {
                let read = Json::parse_object_within(text, most);
                assert_eq!(read.is_none(), deeper_than(text.as_bytes(), most), "{text} within {most}");
            }
        }
    }
}
