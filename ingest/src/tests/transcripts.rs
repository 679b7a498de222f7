use schemas::IdentityKind;

use super::{config, decoded, event, events, line, record, rejection};
use crate::{Decoded, IgnoreReason, Item, decode};

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

const RESULT: &str = r#"{"type":"result","subtype":"success","is_error":false,"num_turns":2,"session_id":"s1","uuid":"u9",
    "total_cost_usd":0.05,"usage":{"input_tokens":10,"cache_creation_input_tokens":900,"cache_read_input_tokens":6000,
    "output_tokens":280,"server_tool_use":{"web_search_requests":1},"service_tier":"standard","inference_geo":"",
    "cache_creation":{"ephemeral_1h_input_tokens":900,"ephemeral_5m_input_tokens":0}},"modelUsage":MODELS,
    "permission_denials":[]}"#;

const ONE_MODEL: &str = r#"{"claude-opus-4-8[1m]":{"inputTokens":10,"outputTokens":280,"cacheReadInputTokens":6000,
    "cacheCreationInputTokens":900,"webSearchRequests":1,"costUSD":0.05,"contextWindow":1000000,"maxOutputTokens":32000}}"#;

const TWO_MODELS: &str = r#"{"claude-haiku-4-5":{"inputTokens":3,"outputTokens":4,"cacheReadInputTokens":0,
    "cacheCreationInputTokens":0,"webSearchRequests":0,"costUSD":0.01},
    "claude-opus-4-8":{"inputTokens":7,"outputTokens":276,"cacheReadInputTokens":6000,"cacheCreationInputTokens":900,
    "webSearchRequests":0,"costUSD":0.04}}"#;

/// A result where the operator says that it is all there is.
fn told(payload: &str) -> Decoded {
    decode(&record(payload.as_bytes(), &[("spend-format", b"claude_code.result")]), &config())
}

#[test]
fn the_result_of_a_run_repeats_its_calls_and_is_no_call() {
    let said = r#"{"type":"assistant","session_id":"s1","uuid":"u1","parent_tool_use_id":null,"message":{"id":"msg_01A",
        "type":"message","role":"assistant","model":"claude-opus-4-8","content":[],"usage":{"input_tokens":10,
        "output_tokens":280,"inference_geo":""}}}"#;
    let started =
        r#"{"type":"system","subtype":"init","session_id":"s1","uuid":"u0","model":"claude-opus-4-8","tools":[]}"#;
    let lines = [started, said, &RESULT.replace("MODELS", ONE_MODEL)].map(|line| line.replace('\n', " ")).join("\n");
    let decoded = decoded(&lines);
    let found = events(&decoded);
    assert_eq!(found.len(), 1, "{decoded:#?}");
    assert_eq!((&*found[0].call_key, found[0].claimed.session.as_deref()), ("anthropic/msg_01A", Some("s1")));
    assert_eq!(found[0].price_context.residency, None);
    let ignored = |item: &Item| match item {
        Item::Ignored { reason, .. } => Some(*reason),
        _ => None,
    };
    let reasons: Vec<_> = decoded.items.iter().filter_map(ignored).collect();
    assert_eq!(reasons, [IgnoreReason::NotAModelCall, IgnoreReason::RunSummary]);
}

#[test]
fn the_result_of_a_run_alone_is_an_event_for_each_model_where_the_operator_says_so() {
    let one = told(&RESULT.replace("MODELS", ONE_MODEL));
    let found = events(&one);
    assert_eq!(
        found.iter().map(|event| line(event)).collect::<Vec<_>>(),
        ["anthropic claude-opus-4-8: input_text_tokens 10, cache_read_text_tokens 6000, cache_write_1h_tokens 900, \
          output_text_tokens 280, web_searches 1 [time_assumed]"]
    );
    assert_eq!((found[0].identity, &*found[0].call_key), (IdentityKind::EventId, "event/claude-code/u9"));
    assert_eq!(found[0].claimed.session.as_deref(), Some("s1"));

    let two = told(&RESULT.replace("MODELS", TWO_MODELS));
    let found = events(&two);
    assert_eq!(
        found.iter().map(|event| line(event)).collect::<Vec<_>>(),
        [
            "anthropic claude-haiku-4-5: input_text_tokens 3, output_text_tokens 4 [time_assumed]",
            // Which model wrote for an hour, the run does not say.
            "anthropic claude-opus-4-8: input_text_tokens 7, cache_read_text_tokens 6000, cache_write_5m_tokens 900, \
             output_text_tokens 276 [time_assumed, assumed_5m]",
        ]
    );
    let costs: Vec<_> =
        found.iter().map(|event| event.reported_cost.as_ref().map(|cost| cost.amount.to_string())).collect();
    assert_eq!(costs, [Some("0.05".to_owned()), None], "the cost is the whole run's and stands once");
    assert_ne!(found[0].dedup_key, found[1].dedup_key);

    let none = told(&RESULT.replace("MODELS", "{}"));
    assert!(matches!(none.items[..], [Item::Ignored { reason: IgnoreReason::FailedCall, .. }]), "{none:?}");
}

#[test]
fn a_result_states_the_tier_of_a_run_of_one_model() {
    let tier = |models: &str| {
        let told = told(&RESULT.replace("MODELS", models).replace("standard", "priority"));
        events(&told)[0].price_context.service_tier.clone()
    };
    assert_eq!((tier(ONE_MODEL).as_deref(), tier(TWO_MODELS)), (Some("priority"), None));
    let wrong = told(&RESULT.replace("MODELS", r#"{"claude-opus-4-8":{"inputTokens":-1,"outputTokens":1}}"#));
    assert!(
        matches!(&wrong.items[..], [Item::Rejected(found)] if found.field == "modelUsage.inputTokens"),
        "{wrong:?}"
    );
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
