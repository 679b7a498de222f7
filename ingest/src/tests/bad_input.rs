use proptest::prelude::*;
use schemas::RejectReason;

use super::{check_rejected, config, decoded, record};
use crate::{Config, Item, decode};

const BODY: &str = r#"{"id":"chatcmpl-A1","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],
    "usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;

/// Every record gives at least one item, and none is lost without a word.
fn accounted_for(payload: &[u8]) {
    let decoded = decode(&record(payload, &[]), &config());
    assert!(!decoded.items.is_empty(), "{:?} left nothing", String::from_utf8_lossy(payload));
}

#[test]
fn every_truncation_of_a_body_is_rejected_as_malformed() {
    for length in 1..BODY.len() {
        let rejection = super::rejection(&BODY[..length]);
        assert_eq!(rejection.reason, RejectReason::Malformed, "{length}");
        assert_eq!(rejection.payload_bytes, length as i64);
    }
}

#[test]
fn impossible_counts_are_rejected_naming_the_field() {
    for bad in ["-1", "1.5", "1e13", "\"ten\"", "true", "[]", "{}", "\"NaN\"", "1e400", "\"\"", "\"0x10\""] {
        check_rejected(
            &BODY.replace("\"prompt_tokens\":10", &format!("\"prompt_tokens\":{bad}")),
            "invalid_field",
            "usage.prompt_tokens",
            &["usage.prompt_tokens"],
        );
    }
    // A number that is none is read as nothing, as everywhere else in the record.
    check_rejected(
        &BODY.replace("\"prompt_tokens\":10", "\"prompt_tokens\":NaN"),
        "missing_field",
        "usage.prompt_tokens",
        &["zero"],
    );
    check_rejected(&BODY.replace("\"prompt_tokens\":10,", ""), "missing_field", "usage.prompt_tokens", &["zero"]);
    check_rejected(&BODY.replace("\"gpt-5.4\"", "7.5e400x"), "malformed", "", &["line 1"]);
}

#[test]
fn numbers_as_strings_are_numbers() {
    let body = BODY.replace("\"prompt_tokens\":10", "\"prompt_tokens\":\"10\"").replace(":5,", ":\"5.0\",");
    assert_eq!(super::event(&body).usage.len(), 2);
}

#[test]
fn empty_huge_deep_and_unreadable_records_are_accounted_for() {
    check_rejected("", "empty", "", &[]);
    check_rejected(" \n ", "empty", "", &[]);
    check_rejected("[]", "empty", "", &[]);
    check_rejected("null", "unknown_format", "", &["null"]);
    check_rejected("\"text\"", "unknown_format", "", &["string"]);
    check_rejected(&"[".repeat(100_000), "too_large", "", &["128"]);
    check_rejected(&format!("{}{}", "[".repeat(120), "]".repeat(120)), "unknown_format", "", &[]);
    check_rejected(&format!("{{\"a\":{}1{}}}", "[".repeat(129), "]".repeat(129)), "too_large", "", &[]);
    check_rejected(&"x".repeat(1024 * 1024 + 1), "too_large", "", &["1048576"]);
    let decoded = decode(&record(b"{\"id\":\"\xff\xfe\"}", &[]), &config());
    let [Item::Rejected(rejection)] = &decoded.items[..] else { panic!("{decoded:?}") };
    assert!(rejection.message.contains("byte 7"), "{}", rejection.message);
    let mut tombstone = record(b"", &[]);
    tombstone.payload = None;
    assert!(matches!(decode(&tombstone, &config()).items[..], [Item::Ignored { .. }]));
}

#[test]
fn items_beyond_the_bound_are_rejected_as_one() {
    let config = Config { items_max: 3, ..config() };
    let payload = format!("[{}]", [BODY; 5].join(","));
    let decoded = decode(&record(payload.as_bytes(), &[]), &config);
    let kinds: Vec<bool> = decoded.items.iter().map(|item| matches!(item, Item::Rejected(_))).collect();
    assert_eq!(kinds, [false, false, false, true]);
}

#[test]
fn an_unknown_format_header_and_a_correction_on_a_raw_topic_are_rejected() {
    for (name, reason) in [("no.such.format", RejectReason::UnknownFormat), ("correction", RejectReason::UnknownFormat)]
    {
        let decoded = decode(&record(b"{}", &[("spend-format", name.as_bytes())]), &config());
        let [Item::Rejected(rejection)] = &decoded.items[..] else { panic!("{decoded:?}") };
        assert_eq!((rejection.reason, &*rejection.field), (reason, "spend-format"));
    }
}

#[test]
fn envelopes_within_envelopes_end_somewhere() {
    let mut body = BODY.replace('\n', " ");
    for _ in 0..10 {
        body = format!(r#"{{"id":"1","response":{body}}}"#);
    }
    check_rejected(&body, "too_large", "", &["envelopes"]);
}

#[test]
fn a_rejection_shows_the_shape_of_the_item_and_where_it_stands() {
    let rejection = super::rejection(r#"{"alpha":1,"beta":{"gamma":"x"}}"#);
    assert_eq!(rejection.skeleton, r#"{"alpha":"number","beta":{"gamma":"string"}}"#);
    let position = &rejection.position;
    assert_eq!((&*position.topic, position.partition, position.offset, position.item), ("usage.raw", 3, 42, 0));
    assert!(decoded(r#"{"alpha":1}"#).recognised_as.is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_accounted_for(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        accounted_for(&payload);
    }

    #[test]
    fn a_body_with_any_bytes_changed_is_accounted_for(at in 0..BODY.len(), byte in any::<u8>()) {
        let mut payload = BODY.as_bytes().to_vec();
        payload[at] = byte;
        accounted_for(&payload);
    }

    #[test]
    fn the_parts_add_up_to_the_total(
        text in 0i64..1_000_000, cached in 0i64..1_000_000, written in 0i64..1_000_000, audio in 0i64..1_000_000,
        out in 0i64..1_000_000, reasoning in 0i64..1_000_000,
    ) {
        let (input, output) = (text + cached + written + audio, out + reasoning);
        let total = input + output;
        let body = format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],
            "usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total},
            "prompt_tokens_details":{{"cached_tokens":{cached},"cache_write_tokens":{written},"audio_tokens":{audio}}},
            "completion_tokens_details":{{"reasoning_tokens":{reasoning}}}}}}}"#
        );
        let event = super::event(&body);
        let sum: i128 = event.usage.iter().map(|metered| metered.quantity.picos()).sum();
        prop_assert_eq!(sum, i128::from(total) * schemas::PICO);
    }
}
