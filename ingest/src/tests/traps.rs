//! Traps that real traffic holds, each with the test that keeps us out of it. Numbers are those of the traffic where it
//! was published; bodies are composed.

use schemas::CostBasis;

use super::{check, check_rejected, decoded, event, events, line};
use crate::{IgnoreReason, Item};

fn message(usage: &str) -> String {
    format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"usage":{usage}}}"#
    )
}

#[test]
fn trap_01_compaction_is_billed_though_the_top_level_leaves_it_out() {
    let payload = message(
        r#"{"input_tokens":180,"output_tokens":8,"iterations":[
            {"type":"compaction","input_tokens":100,"cache_creation_input_tokens":55096,
             "cache_creation":{"ephemeral_5m_input_tokens":55096,"ephemeral_1h_input_tokens":0},"output_tokens":82},
            {"type":"message","input_tokens":180,"output_tokens":8}]}"#,
    );
    check(
        &payload,
        "anthropic.message",
        &[
            "anthropic claude-sonnet-4-6: input_text_tokens 100, cache_write_5m_tokens 55096, output_text_tokens 82 \
             [time_assumed, iterations_expanded]",
            "anthropic claude-sonnet-4-6: input_text_tokens 180, output_text_tokens 8 \
             [time_assumed, iterations_expanded]",
        ],
    );
}

#[test]
fn trap_02_compaction_without_cache_is_billed_too() {
    let payload = message(
        r#"{"input_tokens":220,"output_tokens":8,"iterations":[
            {"type":"compaction","input_tokens":55196,"output_tokens":125},
            {"type":"message","input_tokens":220,"output_tokens":8}]}"#,
    );
    let lines: Vec<String> = events(&decoded(&payload)).into_iter().map(line).collect();
    assert!(lines[0].contains("input_text_tokens 55196, output_text_tokens 125"), "{lines:?}");
    assert!(lines[1].contains("input_text_tokens 220, output_text_tokens 8"), "{lines:?}");
}

#[test]
fn trap_03_an_advisor_is_billed_at_its_own_model() {
    let payload = message(
        r#"{"input_tokens":10,"output_tokens":20,"iterations":[
            {"type":"message","input_tokens":10,"output_tokens":20},
            {"type":"advisor_message","model":"claude-opus-4-8","input_tokens":800,"output_tokens":90}]}"#,
    );
    let decoded = decoded(&payload);
    let models: Vec<&str> = events(&decoded).iter().map(|event| event.model.as_str()).collect();
    assert_eq!(models, ["claude-sonnet-4-6", "claude-opus-4-8"]);
}

fn gemini(usage: &str) -> String {
    format!(r#"{{"candidates":[],"modelVersion":"gemini-2.5-pro","responseId":"r1","usageMetadata":{usage}}}"#)
}

#[test]
fn trap_04_gemini_thoughts_stand_beside_the_candidates() {
    check(
        &gemini(r#"{"promptTokenCount":5,"candidatesTokenCount":13,"thoughtsTokenCount":28,"totalTokenCount":46}"#),
        "gemini.generate_content",
        &["gcp.gemini gemini-2.5-pro: input_text_tokens 5, output_text_tokens 13, output_reasoning_tokens 28 \
           [time_assumed]"],
    );
}

#[test]
fn trap_05_gemini_prompts_of_tool_use_stand_beside_the_prompt() {
    check(
        &gemini(
            r#"{"promptTokenCount":893,"toolUsePromptTokenCount":3056,"candidatesTokenCount":7,"totalTokenCount":3956}"#,
        ),
        "gemini.generate_content",
        &["gcp.gemini gemini-2.5-pro: input_text_tokens 3949, output_text_tokens 7 [time_assumed]"],
    );
}

#[test]
fn trap_06_thinking_hidden_in_the_total_of_an_openai_shape_is_billed() {
    let body = r#"{"id":"x","object":"chat.completion","created":1785578390,"model":"google/gemini-2.5-pro","choices":[],
        "usage":{"prompt_tokens":35,"completion_tokens":12,"total_tokens":109}}"#;
    assert!(line(&event(body)).contains("output_reasoning_tokens 62"));
}

#[test]
fn trap_07_cohere_bills_billed_units_and_not_tokens() {
    check(
        r#"{"id":"c1","message":{"role":"assistant"},"usage":{"billed_units":{"input_tokens":431,"output_tokens":661},
            "tokens":{"input_tokens":2190,"output_tokens":1257}}}"#,
        "cohere.billed_units",
        &["cohere unknown: input_text_tokens 431, output_text_tokens 661 [time_assumed]"],
    );
}

#[test]
fn trap_08_cached_tokens_are_not_counted_again() {
    check(
        r#"{"id":"e","source":"s","time":1785578390,"model":"gemini-2.5-pro","usage":{"total_tokens":264704,
            "prompt_tokens":262960,"completion_tokens":1744,
            "prompt_tokens_details":{"text_tokens":262960,"cached_tokens":257955}}}"#,
        "ai.usage",
        &["gcp.gemini gemini-2.5-pro: input_text_tokens 5005, cache_read_text_tokens 257955, output_text_tokens 1744"],
    );
}

#[test]
fn trap_09_frames_without_counts_reset_nothing() {
    let frames = r#"[{"response":{"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":2,"totalTokenCount":10},"modelVersion":"gemini-3-flash"}},
        {"response":{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"trafficType":"PROVISIONED_THROUGHPUT"}}}]"#;
    let event = event(frames);
    assert!(line(&event).contains("input_text_tokens 8, output_text_tokens 2"), "{}", line(&event));
    assert_eq!(event.cost_basis, CostBasis::Committed);
}

#[test]
fn trap_10_a_reported_cost_is_kept_as_reported() {
    let event = event(
        r#"{"id":"gen-9","object":"chat.completion","created":1785578390,"model":"openai/gpt-4o-mini","choices":[],
            "usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10,"cost":0.0160614,"is_byok":false,
            "cost_details":{"upstream_inference_cost":0.0001764}}}"#,
    );
    assert_eq!(event.reported_cost.unwrap().amount.to_string(), "0.0160614");
}

#[test]
fn trap_11_two_spellings_of_a_bedrock_cache_count_are_one_count() {
    let body = |other: u32| {
        format!(
            r#"{{"output":{{}},"stopReason":"end_turn","usage":{{"inputTokens":10,"outputTokens":5,"totalTokens":115,
            "cacheReadInputTokens":100,"cacheReadInputTokenCount":{other}}}}}"#
        )
    };
    check(
        &body(100),
        "bedrock.converse",
        &["aws.bedrock unknown: input_text_tokens 10, cache_read_text_tokens 100, output_text_tokens 5 \
           [id_from_position, time_assumed]"],
    );
    check_rejected(&body(90), "contradiction", "usage.cacheReadInputTokens", &["100", "90"]);
}

#[test]
fn trap_12_reports_of_spend_are_no_calls() {
    for report in [
        r#"{"object":"page","data":[{"object":"bucket","results":[{"amount":{"value":0.06,"currency":"usd"}}]}],"has_more":false}"#,
        r#"{"object":"batch","id":"batch_1","status":"completed","request_counts":{"total":100}}"#,
    ] {
        assert!(
            matches!(decoded(report).items[..], [Item::Ignored { reason: IgnoreReason::StatusOnly, .. }]),
            "{report}"
        );
    }
}

#[test]
fn trap_13_times_in_every_unit_are_the_same_time() {
    let at = |time: &str| {
        event(&format!(
            r#"{{"id":"e","source":"s","model":"gpt-5.4","time":{time},"usage":{{"input_text_tokens":1}}}}"#
        ))
        .event_time
    };
    for time in [
        "1785578390.0",
        "1785578390000",
        "\"1785578390000000000\"",
        "\"2026-08-01T09:59:50Z\"",
        "\"2026-08-01T11:59:50+02:00\"",
    ] {
        assert_eq!(at(time).to_string(), "2026-08-01T09:59:50Z", "{time}");
    }
}

#[test]
fn trap_15_the_tier_is_the_one_that_served() {
    let body = |asked: &str, served: &str| {
        event(&format!(
            r#"{{"id":"e","request":{{"service_tier":"{asked}"}},"response":{{"id":"resp_1","object":"response",
            "created_at":1785578390,"model":"gpt-5.4","service_tier":"{served}",
            "usage":{{"input_tokens":1,"output_tokens":1,"total_tokens":2}}}}}}"#
        ))
    };
    let fast = body("fast", "priority");
    assert_eq!((fast.price_context.service_tier.as_deref(), fast.flags.len()), (Some("priority"), 0));
    assert_eq!(body("auto", "default").flags, []);
    assert_eq!(body("flex", "default").flags, [schemas::Flag::TierNotServed]);
    assert_eq!(body("auto", "auto").price_context.service_tier, None);
}

#[test]
fn trap_16_a_cache_write_without_lifetime_is_assumed_to_be_short() {
    let payload = message(r#"{"input_tokens":1,"cache_creation_input_tokens":7,"output_tokens":2}"#);
    let event = event(&payload);
    assert!(line(&event).contains("cache_write_5m_tokens 7"), "{}", line(&event));
    assert!(event.flags.contains(&schemas::Flag::Assumed5m));
}

#[test]
fn trap_17_folded_totals_are_not_expanded_again() {
    // The same counts with the compaction folded in, beside the iterations they came from: the bill is the same.
    let payload = message(
        r#"{"input_tokens":280,"output_tokens":90,"iterations":[
            {"type":"compaction","input_tokens":100,"output_tokens":82},
            {"type":"message","input_tokens":180,"output_tokens":8}]}"#,
    );
    let decoded = decoded(&payload);
    let input: i128 = events(&decoded).iter().map(|event| event.usage[0].quantity.picos()).sum();
    assert_eq!(input, 280 * schemas::PICO);
}
