//! What is told without the rules, because it is common and has nothing that any of them looks for.

use crate::json::{Kind, NameSet, Object};

/// Fields of our own event that may stand around an answer.
const FIELDS: [&str; 21] = [
    "id",
    "source",
    "time",
    "provider",
    "model",
    "requested_model",
    "operation",
    "key_id",
    "key",
    "api_key_id",
    "team",
    "project",
    "customer",
    "application",
    "environment",
    "tags",
    "dimensions",
    "amends",
    "iteration",
    "cost_basis",
    "response",
];

/// True for a whole answer with our own fields around it and no others: the commonest envelope is told by one look at each of its
/// names, where the rules would ask for some 250.
pub(super) fn is_envelope(object: &Object<'_>) -> bool {
    static KNOWN: NameSet = NameSet::new(&FIELDS);
    object.has("id")
        && object.get("response").is_some_and(|response| response.kind() == Kind::Object)
        && object.iter().all(|(name, _)| KNOWN.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;
    use crate::recognise::{Shape, by_evidence};

    #[test]
    fn a_plain_envelope_is_one_by_all_rules() {
        let responses = [
            r#"{"id":"chatcmpl-1","object":"chat.completion","model":"m","usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
            r#"{"candidates":[],"usageMetadata":{"promptTokenCount":1},"modelVersion":"m"}"#,
            r#"{"type":"message","usage":{"input_tokens":1,"output_tokens":2}}"#,
            r#"{"headers":{"x-amzn-bedrock-input-token-count":"1"},"body":{}}"#,
            r#"{"error":{"message":"no"}}"#,
            "{}",
        ];
        let one = |name: &str| match name {
            "tags" | "dimensions" => format!(r#""{name}":{{"team":"a"}}"#),
            "iteration" => format!(r#""{name}":1"#),
            "amends" => format!(r#""{name}":true"#),
            "time" => format!(r#""{name}":"2026-08-01T09:59:59Z""#),
            _ => format!(r#""{name}":"x""#),
        };
        let others: Vec<&str> = FIELDS.into_iter().filter(|name| !["id", "response"].contains(name)).collect();
        for response in responses {
            // Alone, each with one other, and all together.
            let mut sets: Vec<Vec<&str>> = vec![vec![], others.clone()];
            for (index, first) in others.iter().enumerate() {
                sets.extend(others[index..].iter().map(|second| vec![*first, *second]));
            }
            for names in sets {
                let fields: String = names.iter().map(|name| format!(",{}", one(name))).collect();
                let text = format!(r#"{{"id":"1"{fields},"response":{response}}}"#);
                let (_, object) = Json::parse_object(&text).unwrap();
                assert!(is_envelope(&object), "{text}");
                assert_eq!(by_evidence(&object), Some((Shape::Envelope, "response")), "{text}");
            }
        }
    }
}
