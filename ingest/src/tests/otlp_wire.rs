//! OTLP as protobuf: the same batches as JSON, byte by byte.

use proptest::prelude::*;
use schemas::IdentityKind;

use super::{config, decoded, events, line, record};
use crate::{IgnoreReason, Item, decode};

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A field of bytes.
fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(number << 3 | 2, &mut out);
    varint(bytes.len() as u64, &mut out);
    out.extend(bytes);
    out
}

fn fixed64(number: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(number << 3 | 1, &mut out);
    out.extend(value.to_le_bytes());
    out
}

fn attribute(number: u64, name: &str, value: &str) -> Vec<u8> {
    let value = match value.parse::<i64>() {
        Ok(count) => {
            let mut out = vec![3 << 3];
            varint(count as u64, &mut out);
            out
        }
        Err(_) => field(1, value.as_bytes()),
    };
    field(number, &[field(1, name.as_bytes()), field(2, &value)].concat())
}

fn attributes(number: u64, pairs: &str) -> Vec<u8> {
    pairs
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .flat_map(|(n, v)| attribute(number, n, v))
        .collect()
}

/// A batch of one entry under one resource and scope.
fn batch(entry: &[u8]) -> Vec<u8> {
    let resource = field(1, &attributes(1, "service.name=shop"));
    let scope = field(1, &field(1, b"opentelemetry.instrumentation.openai_v2"));
    field(1, &[resource, field(2, &[scope, field(2, entry)].concat())].concat())
}

fn span(pairs: &str) -> Vec<u8> {
    let ids = [field(1, &[0x4b; 16]), field(2, &[0x0f; 8])].concat();
    [ids, field(5, b"chat gpt-4o"), fixed64(7, 1_785_578_390_000_000_000), attributes(9, pairs)].concat()
}

const CALL: &str = "gen_ai.operation.name=chat gen_ai.provider.name=openai gen_ai.response.model=gpt-4o \
                    gen_ai.usage.input_tokens=100 gen_ai.usage.cache_read.input_tokens=40 gen_ai.usage.output_tokens=20";

#[test]
fn a_span_in_protobuf_is_the_span_in_json() {
    let bytes = batch(&span(CALL));
    let read = decode(&record(&bytes, &[]), &config());
    assert_eq!((&*read.recognised_as, &*read.evidence), ("otlp.traces", "protobuf fields of an OTLP batch"));
    let found = events(&read);
    assert_eq!(line(found[0]), "openai gpt-4o: input_text_tokens 60, cache_read_text_tokens 40, output_text_tokens 20");
    assert_eq!(found[0].identity, IdentityKind::Span);
    assert_eq!(&*found[0].call_key, format!("span/{}/{}", "4b".repeat(16), "0f".repeat(8)));
    assert_eq!(found[0].event_time.to_string(), "2026-08-01T09:59:50Z");
    let pairs: Vec<String> = CALL
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| match value.parse::<i64>() {
            Ok(_) => format!(r#"{{"key":"{name}","value":{{"intValue":"{value}"}}}}"#),
            Err(_) => format!(r#"{{"key":"{name}","value":{{"stringValue":"{value}"}}}}"#),
        })
        .collect();
    let json = decoded(&format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}}]}},
        "scopeSpans":[{{"scope":{{"name":"opentelemetry.instrumentation.openai_v2"}},"spans":[{{
        "traceId":"{}","spanId":"{}","name":"chat gpt-4o","startTimeUnixNano":"1785578390000000000",
        "attributes":[{}]}}]}}]}}]}}"#,
        "4b".repeat(16),
        "0f".repeat(8),
        pairs.join(",")
    ));
    assert_eq!(json.items, read.items);
}

#[test]
fn logs_and_metrics_in_protobuf_are_told_apart() {
    let log = [
        fixed64(1, 1_785_578_390_000_000_000),
        attributes(
            6,
            "event.name=codex.sse_event event.kind=response.completed model=gpt-5.4 conversation.id=c1 \
                       event.timestamp=2026-08-01T09:59:50Z auth_mode=Chatgpt input_token_count=100 \
                       cached_token_count=40 cache_write_token_count=20 output_token_count=10 reasoning_token_count=5 \
                       tool_token_count=110",
        ),
    ]
    .concat();
    let read = decode(&record(&batch(&log), &[]), &config());
    assert_eq!(&*read.recognised_as, "otlp.logs");
    let found = events(&read);
    assert_eq!(
        line(found[0]),
        "openai gpt-5.4: input_text_tokens 40, cache_read_text_tokens 40, cache_write_5m_tokens 20, \
         output_text_tokens 5, output_reasoning_tokens 5 [assumed_5m]"
    );
    assert_eq!(found[0].cost_basis, schemas::CostBasis::Included);
    assert_eq!(&*found[0].call_key, "event/codex/c1/2026-08-01T09:59:50Z");

    let metric = [field(1, b"gen_ai.client.token.usage"), field(9, &fixed64(2, 1))].concat();
    let read = decode(&record(&batch(&metric), &[]), &config());
    assert!(matches!(read.items[..], [Item::Ignored { reason: IgnoreReason::TokenMetric, .. }]), "{read:?}");
}

#[test]
fn a_topic_of_spans_needs_no_sniffing() {
    let config = crate::Config { formats: [("usage.raw".into(), crate::Shape::OtlpTraces)].into(), ..config() };
    let mut truncated = batch(&span(CALL));
    truncated.truncate(truncated.len() - 3);
    let read = decode(&record(&truncated, &[]), &config);
    assert!(
        matches!(&read.items[..], [Item::Rejected(rejection)] if rejection.reason.as_str() == "malformed"),
        "{read:?}"
    );
    assert_eq!(events(&decode(&record(&batch(&span(CALL)), &[]), &config)).len(), 1);
}

#[test]
fn a_span_that_says_nothing_of_itself_gives_way_to_the_model_call_beneath_it() {
    let child = |id: u8, parent: u8, more: &str| {
        let ids = [field(1, &[0x4b; 16]), field(2, &[id; 8]), field(4, &[parent; 8])].concat();
        let counts = "gen_ai.request.model=gpt-4o gen_ai.usage.input_tokens=7 gen_ai.usage.output_tokens=8";
        [ids, field(5, b"step"), attributes(9, &format!("{counts} {more}"))].concat()
    };
    let entries = [child(1, 9, ""), child(2, 1, ""), child(3, 2, "gen_ai.operation.name=chat")];
    let scope: Vec<u8> = entries.iter().flat_map(|entry| field(2, entry)).collect();
    let read = decode(&record(&field(1, &field(2, &scope)), &[]), &config());
    assert_eq!(events(&read).len(), 1, "{read:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_change_of_a_batch_is_accounted_for(at in 0usize..400, byte: u8, cut in 1usize..400) {
        let bytes = batch(&span(CALL));
        let mut changed = bytes.clone();
        let at = at % changed.len();
        changed[at] = byte;
        for payload in [&changed[..], &bytes[..cut.min(bytes.len())]] {
            for config in [
                config(),
                crate::Config { formats: [("usage.raw".into(), crate::Shape::OtlpTraces)].into(), ..config() },
            ] {
                prop_assert!(!decode(&record(payload, &[]), &config).items.is_empty());
            }
        }
    }
}

#[test]
fn what_a_program_printed_is_read_from_protobuf_as_from_json() {
    let text = |text: &str| field(1, text.as_bytes());
    let pair = |name: &str, value: &[u8]| [field(1, name.as_bytes()), field(2, value)].concat();
    let parsed = [
        pair("model", &text("gpt-5.4")),
        pair("prompt_tokens", &[3 << 3, 10]),
        pair("completion_tokens", &[3 << 3, 5]),
        pair("cached", &[2 << 3, 0]),
        pair("tried", &field(5, &[field(1, &text("a")), field(1, &[])].concat())),
        pair("nothing", &[]),
    ];
    let among = |number: u64| parsed.iter().flat_map(|pair| field(number, pair)).collect::<Vec<u8>>();
    let line_of_json = r#"{"model":"gpt-5.4","prompt_tokens":10,"completion_tokens":5}"#;
    for printed in [field(5, &field(6, &among(1))), among(6), field(5, &text(line_of_json))] {
        let bytes = batch(&[fixed64(1, 1_785_578_390_000_000_000), printed].concat());
        let read = decode(&record(&bytes, &[]), &config());
        assert_eq!(read.recognised_as, "otlp.logs");
        let lines: Vec<String> = events(&read).into_iter().map(line).collect();
        assert_eq!(
            lines,
            ["openai gpt-5.4: input_text_tokens 10, output_text_tokens 5 [id_from_position]"],
            "{read:#?}"
        );
    }
    // Lists within lists without end are not followed.
    let mut deep = text("usage");
    for _ in 0..200 {
        deep = field(5, &field(1, &deep));
    }
    let bytes = batch(&[fixed64(1, 1_785_578_390_000_000_000), field(5, &deep)].concat());
    let read = decode(&record(&bytes, &[]), &config());
    assert!(matches!(read.items[..], [Item::Ignored { reason: IgnoreReason::NotAModelCall, .. }]), "{read:#?}");
}
