//! What both encodings of OTLP are read into: spans, log records or metrics with what they stand under.

use std::borrow::Cow;

use schemas::Timestamp;

use super::exported;
use super::names::{self, Known, LISTS, Names, names};
use super::text::hexadecimal;
use crate::json::{self, Json, Marks, quick_hash};
use crate::number;
use crate::problem::{Problem, Result};

/// Which of the three signals a batch carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Logs,
    Metrics,
}

/// An attribute's value. Lists and maps hold contents or labels, never counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Whole(i64),
    /// The digits, as written.
    Number(Cow<'a, str>),
    Bool(bool),
    Nested,
}

impl<'a> Value<'a> {
    fn short_text(&self) -> Option<Cow<'a, str>> {
        let text = match self {
            Value::Text(text) | Value::Number(text) => text.clone(),
            Value::Whole(number) => Cow::Owned(number.to_string()),
            Value::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Value::Nested => return None,
        };
        Some(text).filter(|text| !text.is_empty() && text.len() <= crate::TEXT_BYTES_MAX)
    }

    /// As it is, for longer.
    pub(super) fn to_owned_value(&self) -> Value<'static> {
        match self {
            Value::Text(text) => Value::Text(Cow::Owned(text.as_ref().to_owned())),
            Value::Number(digits) => Value::Number(Cow::Owned(digits.as_ref().to_owned())),
            Value::Whole(number) => Value::Whole(*number),
            Value::Bool(value) => Value::Bool(*value),
            Value::Nested => Value::Nested,
        }
    }
}

/// Attributes of one thing: a later attribute of the same name counts.
#[derive(Debug, Default, Clone)]
pub(super) struct Attributes<'a> {
    each: Vec<(Cow<'a, str>, Value<'a>)>,
    /// All names.
    marks: Marks,
    /// Of each of [`LISTS`] the attribute that counts: its place from one, zero where there is none.
    listed: [u32; LISTS.len()],
}

/// Room that is made for attributes with the first: spans of calls have some more than four.
const ATTRIBUTES: usize = 12;

impl<'a> Attributes<'a> {
    pub(super) fn push(&mut self, name: Cow<'a, str>, value: Value<'a>) {
        let known = names::known(name.as_bytes());
        self.add(name, known, value);
    }

    /// Adds an attribute whose name was looked up.
    pub(super) fn add(&mut self, name: Cow<'a, str>, known: Option<&'static Known>, value: Value<'a>) {
        self.marks = self.marks.with(quick_hash(name.as_bytes()));
        if self.each.is_empty() {
            self.each.reserve_exact(ATTRIBUTES);
        }
        let place = self.each.len();
        for standing in known.map_or(&[][..], |known| &known.places) {
            let Some((list, rank)) = *standing else { break };
            let slot = &mut self.listed[usize::from(list)];
            let other = self.each.get((*slot as usize).wrapping_sub(1));
            if other.is_none_or(|(name, _)| rank <= LISTS[usize::from(list)].rank(name)) {
                *slot = u32::try_from(place + 1).unwrap_or_default();
            }
        }
        self.each.push((name, value));
    }

    pub(super) fn len(&self) -> usize {
        self.each.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.each.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The first of these names that is there. Most that are asked for are not, which is told where it is asked.
    #[inline]
    pub(super) fn get(&self, names: &Names) -> Option<(&str, &Value<'a>)> {
        match names.number() {
            Some(list) => {
                let found = self.each.get((self.listed[list] as usize).wrapping_sub(1));
                found.map(|(name, value)| (name.as_ref(), value))
            }
            None if names.meet(&self.marks) => self.search(names),
            None => None,
        }
    }

    #[inline(never)]
    fn search(&self, names: &Names) -> Option<(&str, &Value<'a>)> {
        names.among(&self.marks).find_map(|name| self.named(name))
    }

    fn named(&self, name: &str) -> Option<(&str, &Value<'a>)> {
        let found = self.each.iter().rev().find(|(key, _)| key == name);
        found.map(|(key, value)| (key.as_ref(), value))
    }

    #[inline]
    pub(super) fn has(&self, names: &Names) -> bool {
        self.get(names).is_some()
    }

    /// Short text; numbers and booleans as they are written.
    #[inline]
    pub(super) fn text(&self, names: &Names) -> Option<Cow<'a, str>> {
        self.get(names).and_then(|(_, value)| value.short_text())
    }

    /// Labels of the Kubernetes workload, by their own names.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        const PREFIXES: [&str; 4] =
            ["k8s.pod.label.", "k8s.pod.labels.", "k8s.namespace.label.", "k8s.namespace.labels."];
        self.iter().filter_map(|(key, value)| {
            let label = PREFIXES.iter().find_map(|prefix| key.strip_prefix(prefix))?;
            match value {
                Value::Text(text) => Some((label, text.as_ref())),
                _ => None,
            }
        })
    }

    /// The digits of a number, also of one sent as text, and the name it stands under.
    pub(super) fn digits(&self, names: &Names) -> Result<Option<(&str, Cow<'_, str>)>> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        digits(name, value).map(|digits| Some((name, digits)))
    }

    #[inline]
    pub(super) fn count(&self, names: &Names) -> Result<Option<i64>> {
        self.get(names).map(|(name, value)| count(name, value)).transpose()
    }

    /// The attributes of a family of names, as one JSON object.
    pub(super) fn raw(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut text = String::with_capacity(256);
        text.push('{');
        for (name, value) in self.iter().filter(|(name, _)| wanted(name)) {
            let written = text.len();
            if written > 1 {
                text.push(',');
            }
            json::quote(&mut text, name);
            text.push(':');
            match value {
                Value::Whole(number) => text.push_str(itoa::Buffer::new().format(*number)),
                Value::Number(digits) if is_plain(digits) => text.push_str(digits),
                Value::Number(digits) => {
                    let number = serde_json::from_str(digits).unwrap_or_else(|_| digits.as_ref().into());
                    text.push_str(&serde_json::Value::to_string(&number));
                }
                Value::Text(short) if short.len() <= 64 => json::quote(&mut text, short),
                _ => text.truncate(written),
            }
        }
        text.push('}');
        text
    }
}

/// The digits of a number, also of one sent as text.
fn digits<'v>(name: &str, value: &'v Value<'_>) -> Result<Cow<'v, str>> {
    match value {
        Value::Number(digits) | Value::Text(digits) => Ok(Cow::Borrowed(digits)),
        Value::Whole(number) => Ok(Cow::Owned(number.to_string())),
        _ => {
            let message = format!("{name} is not a number: send it as intValue");
            Err(Problem::new(schemas::RejectReason::InvalidField, name, message))
        }
    }
}

fn count(name: &str, value: &Value<'_>) -> Result<i64> {
    if let Value::Whole(number @ 0..=number::COUNT_MAX) = value {
        return Ok(*number);
    }
    let digits = digits(name, value)?;
    number::count(&digits).map_err(|error| Problem::digits(name, &digits, error))
}

/// True for a whole number as JSON writes it.
fn is_plain(digits: &str) -> bool {
    let plain = digits.len() <= 18 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain && !digits.is_empty() && (digits == "0" || !digits.starts_with('0'))
}

/// The instrumentation that wrote an entry.
#[derive(Debug, Default, Clone)]
pub(super) struct Scope<'a> {
    pub name: Cow<'a, str>,
    pub version: Cow<'a, str>,
}

/// The identity of a trace or a span.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id<'a> {
    /// As it came in protobuf. Most are compared with those of the same batch, and nothing else.
    Bytes(&'a [u8]),
    /// In lower-case hexadecimal.
    Digits(Cow<'a, str>),
}

impl<'a> Id<'a> {
    /// In lower-case hexadecimal.
    pub(super) fn digits(&self) -> Cow<'a, str> {
        match self {
            Id::Bytes(bytes) => Cow::Owned(hexadecimal(bytes)),
            Id::Digits(digits) => digits.clone(),
        }
    }
}

/// One span, log record or metric.
#[derive(Debug, Default, Clone)]
pub(super) struct Entry<'a> {
    /// Index of its resource and its scope in the batch.
    pub resource: usize,
    pub scope: usize,
    /// Name of the span or metric; name of the event, where a log record has one.
    pub name: Cow<'a, str>,
    /// Body of a log record, where it is text.
    pub body: Option<Cow<'a, str>>,
    pub trace_id: Option<Id<'a>>,
    pub span_id: Option<Id<'a>>,
    pub parent_id: Option<Id<'a>>,
    pub time: Option<Timestamp>,
    pub attributes: Attributes<'a>,
    /// The entry as it came, where it came as JSON.
    pub json: Option<Json<'a>>,
    /// A log record as it came, where it came as protobuf.
    pub wire: Option<&'a [u8]>,
}

/// Everything one record carries.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    pub resources: Vec<Attributes<'a>>,
    pub scopes: Vec<Scope<'a>>,
    /// Entries in order; those that could not be read stand as what is wrong with them.
    pub entries: Vec<std::result::Result<Entry<'a>, (Problem, Option<Json<'a>>)>>,
    /// There were more than a record may hold; the rest was not read.
    pub cut: bool,
}

impl<'a> Batch<'a> {
    /// Makes room for so many more entries, which are not small.
    pub(super) fn expect(&mut self, more: usize, most: usize) {
        self.entries.reserve(more.min(most.saturating_sub(self.entries.len())));
    }

    /// Adds an entry under the newest resource and scope, unless the batch is full.
    pub(super) fn push(&mut self, entry: std::result::Result<Entry<'a>, (Problem, Option<Json<'a>>)>, most: usize) {
        if self.entries.len() >= most {
            self.cut = true;
            return;
        }
        let (resource, scope) = (self.resources.len().saturating_sub(1), self.scopes.len().saturating_sub(1));
        let mut entry = entry.map(|entry| Entry { resource, scope, ..entry });
        if let Ok(entry) = &mut entry {
            unfold(&mut entry.attributes);
        }
        self.entries.push(entry);
    }
}

/// Adds the fields of objects that Braintrust's and LangWatch's SDKs write as text, and LiveKit's, their names joined by dots (their public
/// code and tests, read 2026-11-30).
fn unfold(attributes: &mut Attributes<'_>) {
    const FOLDED: [&str; 5] = [
        "braintrust.metrics",
        "braintrust.metadata",
        "braintrust.span_attributes",
        "langwatch.metrics",
        "lk.llm_metrics",
    ];
    if !attributes.has(names!["braintrust.metrics", "langwatch.metrics", "lk.llm_metrics"]) {
        return;
    }
    let mut unfolded = Vec::new();
    for name in FOLDED {
        let Some((_, Value::Text(text))) = attributes.named(name) else { continue };
        let Some((_, object)) = Json::parse_object(text) else { continue };
        let mut fields = Attributes::default();
        exported::fill(&mut fields, name, &object.object("value").unwrap_or(object), 1);
        unfolded.extend(fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned_value())));
    }
    for (name, value) in unfolded {
        attributes.push(Cow::Owned(name), value);
    }
}

/// A time in nanoseconds since 1970; zero is "not known".
pub(super) fn nanoseconds(time: u64) -> Option<Timestamp> {
    let micros = i64::try_from(time / 1_000).ok().filter(|micros| *micros > 0)?;
    Some(Timestamp::from_micros(micros))
}
