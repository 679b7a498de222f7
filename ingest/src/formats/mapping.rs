//! House formats: an operator says where in a record our event's fields stand, and no Rust is written. A mapping makes one
//! of our documented events out of a record; from there on it is read like any other.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use schemas::{Meter, RejectReason};
use serde::Deserialize;

use crate::assemble::Out;
use crate::envelope::Envelope;
use crate::formats::event;
use crate::json::{Json, Kind, Object};
use crate::problem::{Problem, Result};

/// Most mappings of an installation, and most fields of one.
const MAPPINGS_MAX: usize = 100;
const FIELDS_MAX: usize = 128;

/// Fields of our events that a mapping may fill, whatever the type.
const FIELDS: &[&str] = &[
    "id",
    "source",
    "time",
    "provider",
    "publisher",
    "model",
    "requested_model",
    "operation",
    "response_id",
    "trace_id",
    "span_id",
    "iteration",
    "amends",
    "key_id",
    "resource",
    "team",
    "project",
    "cost_center",
    "business_unit",
    "environment",
    "customer",
    "user",
    "application",
    "feature",
    "use_case",
    "workload_profile",
    "task_class",
    "routing_lane",
    "agent",
    "session",
    "run_id",
    "billing_account",
    "sub_account",
    "invoice",
    "cost_category",
    "spend_class",
    "parent",
    "cost_basis",
    "charge_category",
    "reported_cost",
    "requested_tier",
    "period_start",
    "period_end",
    "usage",
    "usage_format",
];

/// What the other types have besides.
const OTHERS: &[(&str, &[&str])] = &[
    ("ai.usage", &[]),
    ("ai.gpu.usage", &["gpu_model", "gpu_seconds_allocated", "gpu_seconds_used", "purchase_option", "idle"]),
    ("ai.seat.period", &["vendor", "product", "sku", "quantity", "unit_price", "currency"]),
    ("ai.credit.usage", &["vendor", "product", "quantity", "unit_price", "currency"]),
    ("ai.ledger.entry", &["vendor", "item", "cost"]),
    ("ai.value_unit", FACT),
    ("ai.business_metric", FACT),
    ("ai.outcome", FACT),
    ("ai.user_count", FACT),
];
const FACT: &[&str] = &["name", "unit", "quantity", "value", "workload", "call_key"];

const PRICE_CONTEXT: &[&str] = &[
    "service_tier",
    "requested_tier",
    "batch",
    "speed",
    "region",
    "residency",
    "endpoint",
    "size",
    "quality",
    "resolution",
    "search_context",
];

/// A file of mappings, as an operator writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    formats: Vec<Written>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    topic: Option<String>,
    #[serde(default)]
    when: BTreeMap<String, serde_yaml_ng::Value>,
    r#type: Option<String>,
    fields: BTreeMap<String, serde_yaml_ng::Value>,
}

/// One house format: which records are of it, and where in them the fields of an event stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    name: String,
    topic: Option<String>,
    when: Vec<(Path, String)>,
    kind: &'static str,
    fields: Vec<Field>,
}

/// Fills a field, or (`usage`, `tags`, ...) a field within one.
#[derive(Debug, Clone, PartialEq)]
struct Field {
    group: Option<String>,
    name: String,
    value: Value,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    At(Path),
    /// A constant, as JSON.
    Is(String),
}

impl Mapping {
    /// Reads a file of mappings. `file` is named in what is wrong.
    ///
    /// # Errors
    /// Everything that is wrong, a line each; no mapping of the file is used then.
    pub fn parse(file: &str, text: &str) -> std::result::Result<Vec<Mapping>, String> {
        let read: File = serde_yaml_ng::from_str(text).map_err(|error| format!("{file}: {error}"))?;
        let mut wrong = Vec::new();
        let mut names = BTreeSet::new();
        let mut mappings = Vec::new();
        if read.formats.len() > MAPPINGS_MAX {
            wrong.push(format!("{file}: {} formats; the most is {MAPPINGS_MAX}", read.formats.len()));
        }
        for written in read.formats {
            let name = written.name.clone();
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
                wrong.push(format!("{file}: name {name:?} is not 1 to 64 letters, digits, dots, dashes"));
            }
            if !names.insert(name.clone()) {
                wrong.push(format!("{file}: {name} is there twice: give each format a name of its own"));
            }
            match Mapping::compile(written) {
                Ok(mapping) => mappings.push(mapping),
                Err(found) => wrong.extend(found.into_iter().map(|message| format!("{file}: {name}: {message}"))),
            }
        }
        if wrong.is_empty() { Ok(mappings) } else { Err(wrong.join("\n")) }
    }

    fn compile(written: Written) -> std::result::Result<Mapping, Vec<String>> {
        let mut wrong = Vec::new();
        let stated = written.r#type.as_deref().unwrap_or("ai.usage");
        let Some(&(kind, more)) = OTHERS.iter().find(|(kind, _)| *kind == stated) else {
            let kinds: Vec<&str> = OTHERS.iter().map(|(kind, _)| *kind).collect();
            return Err(vec![format!("type {stated} is none of {}", kinds.join(", "))]);
        };
        if written.topic.is_none() && written.when.is_empty() {
            wrong.push("say which records are meant: a `topic`, or `when` with a path and its value".to_owned());
        }
        if written.fields.len() > FIELDS_MAX {
            wrong.push(format!("{} fields; the most is {FIELDS_MAX}", written.fields.len()));
        }
        let mut when = Vec::new();
        for (path, value) in &written.when {
            match (Path::parse(path), scalar(value)) {
                (Ok(path), Some(value)) => when.push((path, value)),
                (Err(message), _) => wrong.push(message),
                (_, None) => wrong.push(format!("when {path}: give a text, a number, or \"*\" for whatever is there")),
            }
        }
        let mut fields = Vec::new();
        for (name, value) in &written.fields {
            let (group, own) = match name.split_once('.') {
                Some((group, own)) => (Some(group), own),
                None => (None, name.as_str()),
            };
            let known = match group {
                None => FIELDS.contains(&own) || more.contains(&own),
                Some("usage") => own == "total_tokens" || own.parse::<Meter>().is_ok(),
                Some("price_context") => PRICE_CONTEXT.contains(&own),
                Some("reported_cost" | "cost" | "value") => ["amount", "currency", "basis"].contains(&own),
                Some("tags") => !own.is_empty(),
                Some(_) => false,
            };
            if !known {
                wrong.push(format!("{name} is no field of {kind}; FORMATS.md lists them"));
                continue;
            }
            if group.is_some_and(|group| written.fields.contains_key(group)) {
                wrong.push(format!("{name} is within a field that is filled as a whole: fill one or the other"));
                continue;
            }
            let value = match value {
                serde_yaml_ng::Value::String(text) if text.starts_with('$') => match Path::parse(text) {
                    Ok(path) => Value::At(path),
                    Err(message) => {
                        wrong.push(format!("{name}: {message}"));
                        continue;
                    }
                },
                serde_yaml_ng::Value::Bool(flag) => Value::Is(flag.to_string()),
                constant => match scalar(constant) {
                    Some(text) => Value::Is(serde_json::Value::from(text).to_string()),
                    None => {
                        wrong.push(format!("{name}: give a path ($.a.b) or a constant"));
                        continue;
                    }
                },
            };
            fields.push(Field { group: group.map(str::to_owned), name: own.to_owned(), value });
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Mapping { name: written.name, topic: written.topic, when, kind, fields })
    }

    /// True when a record of this topic is of this format.
    pub(crate) fn fits(&self, topic: &str, object: &Object<'_>) -> bool {
        self.topic.as_deref().is_none_or(|wanted| wanted == topic)
            && self.when.iter().all(|(path, wanted)| {
                path.of(object).is_some_and(|found| match found.string() {
                    _ if wanted == "*" => true,
                    Some(text) => text == wanted.as_str(),
                    None => found.text() == wanted,
                })
            })
    }

    /// Makes an event of a record and reads it.
    pub(crate) fn read(&self, json: Json<'_>, object: &Object<'_>, mut envelope: Envelope<'_>, out: &mut Out<'_>) {
        envelope.pass("house/");
        out.recognised(&envelope.wrapped, &self.name, "mapping");
        if let Err(problem) = self.mapped(&self.event(object), envelope, out) {
            out.reject(problem, Some(json));
        }
    }

    /// Reads the text of a mapped event.
    fn mapped<'t>(&self, text: &'t str, envelope: Envelope<'t>, out: &mut Out<'_>) -> Result<()> {
        let no_json = || Problem::new(RejectReason::Malformed, "", "the mapping made no JSON of this record");
        let mapped = Json::parse(text).map_err(|_| no_json())?;
        let made = mapped.object().ok_or_else(no_json)?;
        match self.kind {
            "ai.usage" => event::usage(mapped, &made, envelope, out),
            kind => event::cloud_event_data(mapped, mapped, kind, envelope, 1, out),
        }
    }

    /// The event as JSON text. Values are copied as they stand; what is not there is left out.
    fn event(&self, object: &Object<'_>) -> String {
        let mut plain = String::new();
        let mut groups: BTreeMap<&str, String> = BTreeMap::new();
        for Field { group, name, value } in &self.fields {
            let found = match value {
                Value::At(path) => path.of(object).map(|found| Cow::Borrowed(found.text())),
                Value::Is(text) => Some(Cow::Borrowed(text.as_str())),
            };
            let Some(found) = found else { continue };
            let target = match group {
                Some(group) => groups.entry(group).or_default(),
                None => &mut plain,
            };
            put(target, name, &found);
        }
        for (group, fields) in groups {
            put(&mut plain, group, &format!("{{{fields}}}"));
        }
        format!("{{{plain}}}")
    }
}

fn put(text: &mut String, name: &str, value: &str) {
    let comma = if text.is_empty() { "" } else { "," };
    let _ = write!(text, "{comma}{}:{value}", serde_json::Value::from(name));
}

/// A constant as text.
fn scalar(value: &serde_yaml_ng::Value) -> Option<String> {
    match value {
        serde_yaml_ng::Value::String(text) => Some(text.clone()),
        serde_yaml_ng::Value::Number(number) => Some(number.to_string()),
        serde_yaml_ng::Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Where a value stands: `$.usage.tokens[0].count`, with `['...']` for names that hold dots.
#[derive(Debug, Clone, PartialEq)]
struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    Element(usize),
}

impl Path {
    fn parse(text: &str) -> std::result::Result<Path, String> {
        let wrong = || format!("{text} is no path: write $.a.b, $.list[0] or $['name.with.dots']");
        let mut rest = text.strip_prefix('$').ok_or_else(wrong)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("['") {
                let (name, after) = after.split_once("']").ok_or_else(wrong)?;
                steps.push(Step::Field(name.to_owned()));
                rest = after;
            } else if let Some(after) = rest.strip_prefix('[') {
                let (index, after) = after.split_once(']').ok_or_else(wrong)?;
                steps.push(Step::Element(index.parse().map_err(|_| wrong())?));
                rest = after;
            } else if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                if end == 0 {
                    return Err(wrong());
                }
                steps.push(Step::Field(after[..end].to_owned()));
                rest = &after[end..];
            } else {
                return Err(wrong());
            }
        }
        match steps.first() {
            Some(Step::Field(_)) if steps.len() <= 16 => Ok(Path(steps)),
            _ => Err(wrong()),
        }
    }

    /// What stands there; null is not there.
    fn of<'a>(&self, object: &Object<'a>) -> Option<Json<'a>> {
        let mut steps = self.0.iter();
        let Some(Step::Field(first)) = steps.next() else { return None };
        let mut found = object.get(first)?;
        for step in steps {
            found = match step {
                Step::Field(name) => found.object()?.get(name)?,
                Step::Element(index) => found.array()?.into_iter().nth(*index)?,
            };
        }
        Some(found).filter(|found| found.kind() != Kind::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_walk_fields_elements_and_names_with_dots() {
        let object = Json::parse(r#"{"a":{"b":[{"c":1},{"c":2}]},"x.y":"z","n":null}"#).unwrap().object().unwrap();
        let at = |path: &str| Path::parse(path).unwrap().of(&object).map(|found| found.text().to_owned());
        assert_eq!(at("$.a.b[1].c").as_deref(), Some("2"));
        assert_eq!(at("$['x.y']").as_deref(), Some("\"z\""));
        assert_eq!((at("$.a.b[9]"), at("$.n"), at("$.x")), (None, None, None));
        for wrong in ["a", "$", "$a", "$..a", "$.a[", "$.a[x]", "$[0]"] {
            assert!(Path::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn everything_wrong_with_a_file_is_said_at_once() {
        let text = "formats:\n- name: a\n  fields: {model: $.m, colour: $.c, usage: $.u, usage.input_text_tokens: 3}\n\
                    - name: a\n  topic: t\n  type: ai.wish\n  fields: {}\n";
        let said = Mapping::parse("formats.yaml", text).unwrap_err();
        for part in ["`topic`", "colour is no field", "as a whole", "there twice", "ai.wish is none of"] {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
        assert!(Mapping::parse("formats.yaml", "formats: [").unwrap_err().contains("formats.yaml"));
    }
}
