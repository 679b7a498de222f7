//! Why an item cannot be used, and the [`Rejection`] made of it. Holds names, types and numbers, never contents.

use std::fmt::Write;

use schemas::{Id128, Position, RejectReason, Rejection, Text};

use crate::config::{Config, SKELETON_BYTES_MAX};
use crate::identity;
use crate::item::RawRecord;
use crate::json::{Json, Kind};
use crate::number::NumberError;

/// Why an item cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub reason: RejectReason,
    pub field: Text,
    pub message: String,
}

pub(crate) type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    pub(crate) fn new(reason: RejectReason, field: &str, message: impl Into<String>) -> Self {
        Problem { reason, field: field.into(), message: message.into() }
    }

    /// A mandatory field is missing. `remedy` says what would do.
    pub(crate) fn missing(field: &str, remedy: &str) -> Self {
        Problem::new(RejectReason::MissingField, field, format!("{field} is missing; {remedy}"))
    }

    /// A field has another type than it must.
    pub(crate) fn wrong_type(field: &str, found: Json<'_>, wanted: &str) -> Self {
        let found = found.kind().as_str();
        Problem::new(RejectReason::InvalidField, field, format!("{field} is of type {found}; send {wanted}"))
    }

    /// A number is impossible. Short numbers are quoted, anything else only described.
    pub(crate) fn number(field: &str, found: Json<'_>, error: NumberError) -> Self {
        let shown = match found.number() {
            Some(text) if text.len() <= 24 && text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) => {
                format!(" ({text})")
            }
            _ => format!(" (a {})", found.kind().as_str()),
        };
        Problem::new(RejectReason::InvalidField, field, format!("{field} {}{shown}", error.as_str()))
    }

    /// As [`Problem::number`], for digits that were not JSON.
    pub(crate) fn digits(field: &str, digits: &str, error: NumberError) -> Self {
        let plain = digits.len() <= 24 && digits.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        let shown = if plain { format!(" ({digits})") } else { String::new() };
        Problem::new(RejectReason::InvalidField, field, format!("{field} {}{shown}", error.as_str()))
    }

    /// Two fields contradict each other.
    pub(crate) fn contradiction(field: &str, message: String) -> Self {
        Problem::new(RejectReason::Contradiction, field, message)
    }
}

/// The rejection of one item.
pub(crate) fn reject(
    problem: Problem,
    recognised_as: &str,
    item: Option<Json<'_>>,
    position: Position,
    payload_hash: Id128,
    record: &RawRecord<'_>,
    config: &Config,
) -> Rejection {
    let payload = record.payload.unwrap_or_default();
    let Problem { reason, mut field, mut message } = problem;
    // A path may have its own separators, and a column spaces.
    if !field.split(['.', ' ', '>']).all(is_name) {
        let hidden = hidden(&field);
        message = message.replace(&*field, &hidden);
        field = hidden.into();
    }
    Rejection {
        tenant: config.tenant.clone(),
        position,
        reason,
        field,
        message: message.into(),
        recognised_as: recognised_as.into(),
        payload_hash,
        payload_bytes: payload.len() as i64,
        skeleton: item.map(skeleton).unwrap_or_default(),
        received_at: record.timestamp,
    }
}

/// Longest field name shown, deepest level and most fields of one object: names can hold contents too.
const NAME_BYTES_MAX: usize = 64;
/// Most digits in a field's name: a telephone number, an account or a UUID has more.
const NAME_DIGITS_MAX: usize = 5;
/// So many fields that all hold the same are a map, whose names are values: of users, of customers.
const MAP_FIELDS_MIN: usize = 3;
const SKELETON_DEPTH_MAX: usize = 6;
const SKELETON_FIELDS_MAX: usize = 64;

/// Field names and types without values, as JSON.
pub(crate) fn skeleton(item: Json<'_>) -> Text {
    let mut out = String::new();
    put_skeleton(item, 0, &mut out);
    if out.len() > SKELETON_BYTES_MAX {
        return r#""too large to show""#.into();
    }
    out.into()
}

/// True for what programmers call fields. Where a map is keyed by somebody's address, number or secret, that is none.
fn is_name(name: &str) -> bool {
    let begins = name.bytes().take(1).all(|byte| byte.is_ascii_alphanumeric() || b"_$@-[".contains(&byte));
    let plain = name.bytes().skip(1).all(|byte| byte.is_ascii_alphanumeric() || b"_-./:$[]".contains(&byte));
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    begins && plain && digits <= NAME_DIGITS_MAX && name.len() <= NAME_BYTES_MAX && identity::key_id(name) == name
}

/// What stands for a name that is not shown.
fn hidden(name: &str) -> String {
    format!("({} bytes)", name.len())
}

fn put_skeleton(value: Json<'_>, depth: usize, out: &mut String) {
    // Past the bound the whole skeleton is given up, so there is no need to go on.
    if out.len() > SKELETON_BYTES_MAX {
        return;
    }
    match value.kind() {
        Kind::Object if depth < SKELETON_DEPTH_MAX => {
            let begun = out.len();
            out.push('{');
            let object = value.object().unwrap_or_default();
            let mut values = Vec::new();
            for (index, (name, field)) in object.iter().take(SKELETON_FIELDS_MAX).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                let _ = match is_name(name) {
                    true => write!(out, "\"{name}\":"),
                    false => write!(out, "\"{}\":", hidden(name)),
                };
                let from = out.len();
                put_skeleton(field, depth + 1, out);
                values.push(from..out.len());
            }
            out.push('}');
            let first = values.first().map(|first| out[first.clone()].to_owned()).unwrap_or_default();
            let is_map = first.starts_with("{\"") && values.len() >= MAP_FIELDS_MIN;
            if is_map && values.iter().all(|value| out[value.clone()] == first) {
                out.truncate(begun);
                let _ = write!(out, "{{\"({} names)\":{first}}}", object.iter().count());
            }
        }
        Kind::Array if depth < SKELETON_DEPTH_MAX => {
            out.push('[');
            if let Some(first) = value.array().and_then(|items| items.first().copied()) {
                put_skeleton(first, depth + 1, out);
            }
            out.push(']');
        }
        kind => {
            let _ = write!(out, "\"{}\"", kind.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skeleton_names_fields_and_types_and_holds_no_value() {
        let body = r#"{"id":"secret","n":1,"list":[{"deep":true},2],"a long \" name":null}"#;
        let skeleton = skeleton(Json::parse(body).unwrap());
        assert_eq!(skeleton, r#"{"id":"string","n":"number","list":[{"deep":"boolean"}],"(13 bytes)":"null"}"#);
    }

    #[test]
    fn names_that_are_addresses_numbers_secrets_or_keys_of_a_map_are_contents() {
        let check = |body: &str, expected: &str| assert_eq!(skeleton(Json::parse(body).unwrap()), expected);
        check(
            r#"{"alice@example.com":1,"+41791234567":1,"5f2e9d1c-3b2e-4000-8000-1":1,"sk-proj-abcdefghijklmnopqrst":1,"Müller":1}"#,
            r#"{"(17 bytes)":"number","(12 bytes)":"number","(25 bytes)":"number","(28 bytes)":"number","(7 bytes)":"number"}"#,
        );
        check(
            r#"{"users":{"alice":{"spend":1},"bob":{"spend":2},"carol":{"spend":3}},"input":{"tokens":1},"output":{"tokens":2}}"#,
            r#"{"users":{"(3 names)":{"spend":"number"}},"input":{"tokens":"number"},"output":{"tokens":"number"}}"#,
        );
        // What an operator needs in order to write a mapping.
        let names = [
            "@timestamp",
            "$schema",
            "gen_ai.usage.input_tokens",
            "app.kubernetes.io/name",
            "lineItem/UsageAmount",
            "ephemeral_1h_input_tokens",
            "0",
            "spend-format",
        ];
        names.iter().for_each(|name| check(&format!(r#"{{"{name}":null}}"#), &format!(r#"{{"{name}":"null"}}"#)));
    }

    #[test]
    fn a_field_whose_name_is_a_content_is_not_named() {
        let record = RawRecord {
            topic: "usage.raw",
            partition: 0,
            offset: 1,
            timestamp: schemas::Timestamp::from_micros(0),
            key: None,
            headers: &[],
            payload: None,
        };
        let position = Position { topic: "usage.raw".into(), partition: 0, offset: 1, item: 0 };
        let said = |field: &str| {
            let problem = Problem::missing(field, "send it");
            let rejection = reject(problem, "x", None, position.clone(), Id128([0; 16]), &record, &Config::default());
            format!("{} | {}", rejection.field, rejection.message)
        };
        assert_eq!(said("usage.alice@example.com"), "(23 bytes) | (23 bytes) is missing; send it");
        assert_eq!(said("usage.prompt_tokens"), "usage.prompt_tokens | usage.prompt_tokens is missing; send it");
        assert_eq!(said("data[3].Usage Type"), "data[3].Usage Type | data[3].Usage Type is missing; send it");
    }
}
