//! Whatever bytes arrive, decoding ends, within bounds, and every record is accounted for.

use proptest::prelude::*;

use super::{config, record};
use crate::{Item, decode};

/// One body of most formats: what mutations begin with.
const SEEDS: &[&str] = &[
    r#"{"id":"chatcmpl-A","object":"chat.completion","created":1785578390,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":30,"total_tokens":130,"prompt_tokens_details":{"cached_tokens":60,"audio_tokens":5},"completion_tokens_details":{"reasoning_tokens":12}}}"#,
    r#"{"id":"resp_1","object":"response","created_at":1785578390,"model":"gpt-5.4","output":[{"type":"web_search_call"}],"usage":{"input_tokens":328,"input_tokens_details":{"cached_tokens":28},"output_tokens":52,"total_tokens":380}}"#,
    r#"{"id":"msg_1","type":"message","model":"claude-sonnet-4-6","usage":{"input_tokens":180,"output_tokens":8,"cache_creation":{"ephemeral_1h_input_tokens":3},"cache_creation_input_tokens":3,"iterations":[{"type":"compaction","input_tokens":1,"output_tokens":2},{"type":"message","input_tokens":180,"output_tokens":8}]}}"#,
    r#"{"candidates":[],"modelVersion":"gemini-2.5-pro","usageMetadata":{"promptTokenCount":50,"cachedContentTokenCount":40,"candidatesTokenCount":13,"thoughtsTokenCount":28,"totalTokenCount":91,"promptTokensDetails":[{"modality":"IMAGE","tokenCount":30}]}}"#,
    r#"{"output":{},"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15,"cacheDetails":[{"ttl":"1h","inputTokens":0}]}}"#,
    r#"{"specversion":"1.0","type":"ai.usage","id":"1","source":"s","time":"2026-08-01T09:00:00Z","data":{"provider":"openai","model":"gpt-5.4","usage":{"input_text_tokens":5}}}"#,
    r#"{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"scope":{"name":"x"},"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"chat","startTimeUnixNano":"1785578390000000000","attributes":[{"key":"gen_ai.usage.input_tokens","value":{"intValue":"31"}},{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o"}}]}]}]}]}"#,
    r#"{"litellm_call_id":"b","call_type":"acompletion","custom_llm_provider":"openai","model":"gpt-4o","startTime":1785578390.5,"prompt_tokens":10,"completion_tokens":1,"total_tokens":11,"metadata":{}}"#,
    r#"{"batch":[{"id":"e","type":"generation-create","timestamp":"2026-08-01T09:00:01Z","body":{"id":"g","model":"gpt-5.4","usageDetails":{"input":1,"output":2,"total":3}}}]}"#,
    r#"{"timestamp":"2026-08-01T09:00:02Z","type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{"total_tokens":350},"last_token_usage":{"input_tokens":200,"cached_input_tokens":100,"output_tokens":30,"total_tokens":230}}}}"#,
    r#"{"request":{"id":"b6c1"},"response":{"status":200},"started_at":1785578390123,"ai":{"proxy":{"usage":{"prompt_tokens":28,"completion_tokens":20,"total_tokens":48,"cost":0.1},"meta":{"provider_name":"openai","request_model":"gpt-4o"}}}}"#,
    r#"{"sessionId":"s1","projectHash":"f","messages":[{"id":"a1","timestamp":"2026-08-01T09:00:00.000Z","type":"gemini","tokens":{"input":100,"output":20,"cached":60,"thoughts":7,"tool":3,"total":130},"model":"gemini-2.5-pro"}]}"#,
    r#"{"id":"msg_1","sessionID":"ses_1","role":"assistant","time":{"created":1785574800000,"completed":1785574802000},"modelID":"gpt-5.4","providerID":"openai","cost":0.01,"tokens":{"input":100,"output":80,"reasoning":30,"cache":{"read":10,"write":0},"total":190}}"#,
    r#"{"generated_text":"x","details":{"generated_tokens":20,"input_length":7,"best_of_sequences":[{"generated_tokens":3}]}}"#,
    r#"{"chunk":{"bytes":"eyJhbWF6b24tYmVkcm9jay1pbnZvY2F0aW9uTWV0cmljcyI6eyJpbnB1dFRva2VuQ291bnQiOjksIm91dHB1dFRva2VuQ291bnQiOjR9fQ=="}}"#,
    "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"claude-sonnet-4-6\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\r\n\r\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":9}}\r\n\r\n",
];

/// What a value may be turned into.
const VALUES: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "12.0",
    "1e3",
    "1e308",
    "999999999999999999999999999999",
    "\"12\"",
    "\"\"",
    "\"NaN\"",
    "[]",
    "[[]]",
    "{}",
    "\"\\ud83d\\ude00\"",
    "[1,2]",
    "{\"a\":{\"b\":[]}}",
];

#[track_caller]
fn accounted(payload: &[u8]) {
    let decoded = decode(&record(payload, &[]), &config());
    assert!(!decoded.items.is_empty(), "no item for {:?}", String::from_utf8_lossy(payload));
    for item in &decoded.items {
        if let Item::Event(event) = item {
            assert!(event.usage.iter().all(|metered| metered.quantity.picos() > 0), "{event:?}");
            assert!(!event.model.is_empty() && !event.call_key.is_empty());
        }
    }
}

/// Replaces the `place`-th value that stands after a colon.
fn with_value(seed: &str, place: usize, value: &str) -> String {
    let colons: Vec<usize> = seed.match_indices("\":").map(|(at, _)| at + 2).collect();
    let start = colons[place % colons.len()];
    let rest = &seed[start..];
    let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
    let length = match stream.next() {
        Some(Ok(_)) => stream.byte_offset(),
        _ => 0,
    };
    format!("{}{value}{}", &seed[..start], &rest[length..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_body_with_any_value_replaced_is_accounted_for(
        seed in 0..SEEDS.len(), place in 0usize..64, value in 0..VALUES.len(), again in 0usize..64, other in 0..VALUES.len(),
    ) {
        let once = with_value(SEEDS[seed], place, VALUES[value]);
        accounted(once.as_bytes());
        accounted(with_value(&once, again, VALUES[other]).as_bytes());
    }

    #[test]
    fn any_body_cut_off_or_with_a_byte_changed_is_accounted_for(
        seed in 0..SEEDS.len(), cut in 1usize..600, at in 0usize..600, byte: u8,
    ) {
        let bytes = SEEDS[seed].as_bytes();
        accounted(&bytes[..cut.min(bytes.len())]);
        let mut changed = bytes.to_vec();
        let at = at % changed.len();
        changed[at] = byte;
        accounted(&changed);
    }

    #[test]
    fn any_bytes_are_accounted_for(bytes in proptest::collection::vec(any::<u8>(), 1..300)) {
        accounted(&bytes);
    }

    #[test]
    fn a_field_that_is_written_twice_counts_once(seed in 0usize..4, first in 0u32..1000) {
        // Of a repeated name the last one counts, so a first one says nothing.
        let twice = SEEDS[seed].replacen("\"model", &format!("\"padding\":{first},\"model"), 1);
        let plain = decode(&record(SEEDS[seed].as_bytes(), &[]), &config());
        let padded = decode(&record(twice.as_bytes(), &[]), &config());
        prop_assert_eq!(plain.items.len(), padded.items.len());
    }
}

#[test]
fn text_in_other_encodings_is_read() {
    let seed = SEEDS[0];
    let wide: Vec<u8> = [0xfeff].into_iter().chain(seed.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let marked = format!("\u{feff}{seed}");
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zipped, seed.as_bytes()).unwrap();
    let zipped = zipped.finish().unwrap();
    let plain = decode(&record(seed.as_bytes(), &[]), &config());
    for payload in [&wide[..], marked.as_bytes(), &zipped] {
        assert_eq!(decode(&record(payload, &[]), &config()), plain);
    }
}

#[test]
fn a_bomb_costs_no_more_than_a_large_record() {
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut zipped, &vec![b' '; 8 << 20]).unwrap();
    let decoded = decode(&record(&zipped.finish().unwrap(), &[]), &config());
    assert!(matches!(&decoded.items[..], [Item::Rejected(rejection)] if rejection.reason.as_str() == "too_large"));
}

#[test]
fn lines_may_be_blank_and_end_in_any_way() {
    let payload = format!("{}\r\n\r\n  \n{}\n", SEEDS[0], SEEDS[1]);
    let decoded = decode(&record(payload.as_bytes(), &[]), &config());
    assert_eq!(decoded.items.iter().filter(|item| matches!(item, Item::Event(_))).count(), 2);
}
