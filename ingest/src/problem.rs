//! Why an item cannot be used, and the [`Rejection`] made of it. Holds names, types and numbers, never contents.

use std::fmt::Write;

use schemas::{Id128, Position, RejectReason, Rejection, Text};

use crate::config::{Config, SKELETON_BYTES_MAX};
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
    let Problem { reason, field, message } = problem;
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

fn put_skeleton(value: Json<'_>, depth: usize, out: &mut String) {
    // Past the bound the whole skeleton is given up, so there is no need to go on.
    if out.len() > SKELETON_BYTES_MAX {
        return;
    }
    match value.kind() {
        Kind::Object if depth < SKELETON_DEPTH_MAX => {
            out.push('{');
            for (index, (name, field)) in
                value.object().unwrap_or_default().iter().take(SKELETON_FIELDS_MAX).enumerate()
            {
                if index > 0 {
                    out.push(',');
                }
                let plain = name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
                if plain && name.len() <= NAME_BYTES_MAX {
                    let _ = write!(out, "\"{name}\":");
                } else {
                    let _ = write!(out, "\"({} bytes)\":", name.len());
                }
                put_skeleton(field, depth + 1, out);
            }
            out.push('}');
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
}
