use schemas::IdentityKind;

use super::{decoded, event, events, line, rejection};
use crate::{IgnoreReason, Item};

#[test]
fn lines_of_one_claude_code_message_are_one_call_that_grows() {
    let row = |output: u32, second: u32| {
        format!(
            r#"{{"type":"assistant","uuid":"u{second}","sessionId":"s1","requestId":"req_1",
            "timestamp":"2026-08-01T09:00:0{second}.000Z","isSidechain":false,"message":{{"id":"msg_01A","type":"message",
            "role":"assistant","model":"claude-sonnet-4-6","content":[],"usage":{{"input_tokens":4,
            "cache_creation_input_tokens":100,"cache_read_input_tokens":2000,
            "cache_creation":{{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":100}},
            "output_tokens":{output},"service_tier":"standard"}}}}}}"#
        )
        .replace('\n', " ")
    };
    let payload = [row(1, 1), row(250, 2)].join("\n");
    let decoded = decoded(&payload);
    let found = events(&decoded);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].dedup_key, found[1].dedup_key);
    assert_eq!(found[1].extractor, "claude_code.transcript");
    assert_eq!(
        line(found[1]),
        "anthropic claude-sonnet-4-6: input_text_tokens 4, cache_read_text_tokens 2000, cache_write_1h_tokens 100, \
         output_text_tokens 250"
    );
    assert_eq!(found[1].claimed.session.as_deref(), Some("s1"));
}

#[test]
fn other_lines_of_claude_code_are_no_calls() {
    for row in [
        r#"{"type":"user","sessionId":"s1","uuid":"u","message":{"role":"user","content":"hi"}}"#,
        r#"{"type":"summary","summary":"x","leafUuid":"u"}"#,
        r#"{"type":"cost-state","sessionId":"s1","totalCostUSD":0.1,"modelUsage":{"claude":{"inputTokens":10}}}"#,
        r#"{"type":"mode","mode":"normal","sessionId":"s1"}"#,
        r#"{"type":"assistant","sessionId":"s1","message":{"model":"<synthetic>","usage":{"input_tokens":0,"output_tokens":0}}}"#,
    ] {
        let items = decoded(row).items;
        assert!(matches!(items[..], [Item::Ignored { reason: IgnoreReason::NotAModelCall, .. }]), "{row}: {items:?}");
    }
}

const COUNT: &str = r#"{"timestamp":"2026-08-01T09:00:02Z","type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{"input_tokens":300,"cached_input_tokens":100,"output_tokens":50,"reasoning_output_tokens":20,"total_tokens":350},"last_token_usage":{"input_tokens":200,"cached_input_tokens":100,"output_tokens":30,"reasoning_output_tokens":10,"total_tokens":230}},"rate_limits":{}}}"#;

#[test]
fn a_codex_transcript_takes_model_and_session_from_earlier_lines_and_repeats_count_once() {
    let payload = [
        r#"{"timestamp":"2026-08-01T09:00:00Z","type":"session_meta","payload":{"id":"sess-1","model_provider":"openai"}}"#,
        r#"{"timestamp":"2026-08-01T09:00:01Z","type":"turn_context","payload":{"model":"gpt-5.4-codex"}}"#,
        COUNT,
        COUNT,
        r#"{"timestamp":"2026-08-01T09:00:03Z","type":"event_msg","payload":{"type":"token_count","info":null}}"#,
    ]
    .join("\n");
    let decoded = decoded(&payload);
    let found = events(&decoded);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].dedup_key, found[1].dedup_key);
    assert_eq!((found[0].identity, &*found[0].call_key), (IdentityKind::EventId, "event/codex/sess-1/350"));
    assert_eq!(
        line(found[0]),
        "openai gpt-5.4-codex: input_text_tokens 100, cache_read_text_tokens 100, output_text_tokens 20, \
         output_reasoning_tokens 10"
    );
}

#[test]
fn a_codex_line_alone_says_what_it_lacks() {
    let rejection = rejection(COUNT);
    assert_eq!(&*rejection.field, "session_meta");
}

#[test]
fn a_realtime_session_names_the_model_of_its_responses() {
    let done = r#"{"type":"response.done","event_id":"e2","response":{"object":"realtime.response","id":"resp_R1","status":"completed",
        "usage":{"total_tokens":253,"input_tokens":132,"output_tokens":121,"input_token_details":{"text_tokens":119,"audio_tokens":13,
        "cached_tokens":64,"cached_tokens_details":{"text_tokens":64,"audio_tokens":0}},
        "output_token_details":{"text_tokens":30,"audio_tokens":91}}}}"#
        .replace('\n', " ");
    let session = r#"{"type":"session.created","event_id":"e1","session":{"id":"sess_1","model":"gpt-realtime"}}"#;
    let usage = "input_text_tokens 55, cache_read_text_tokens 64, output_text_tokens 30, input_audio_tokens 13, \
                 output_audio_tokens 91 [time_assumed]";
    assert_eq!(line(&event(&format!("{session}\n{done}"))), format!("openai gpt-realtime: {usage}"));
    assert_eq!(line(&event(&done)), format!("openai unknown: {usage}"));
}
