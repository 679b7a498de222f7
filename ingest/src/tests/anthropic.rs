use super::{check, check_rejected, decoded, events};

fn message(usage: &str) -> String {
    format!(
        r#"{{"time":"2026-08-01T09:59:50Z","response":{{"id":"msg_01A","type":"message","role":"assistant",
        "model":"claude-sonnet-4-6","content":[{{"type":"text","text":"hi"}}],"stop_reason":"end_turn","usage":{usage}}}}}"#
    )
}

#[track_caller]
fn message_is(usage: &str, expected: &[&str]) {
    check(&message(usage), "envelope/anthropic.message", expected);
}

#[test]
fn cache_reads_and_writes_stand_beside_the_input() {
    message_is(
        r#"{"input_tokens":21,"cache_creation_input_tokens":300,"cache_read_input_tokens":188086,"output_tokens":393,
            "cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200},
            "output_tokens_details":{"thinking_tokens":93},"server_tool_use":{"web_search_requests":2,
            "web_fetch_requests":1},"service_tier":"standard","inference_geo":"us"}"#,
        &["anthropic claude-sonnet-4-6: input_text_tokens 21, cache_read_text_tokens 188086, \
           cache_write_5m_tokens 100, cache_write_1h_tokens 200, output_text_tokens 300, output_reasoning_tokens 93, \
           web_searches 2, web_fetches 1"],
    );
}

#[test]
fn a_cache_write_without_lifetime_is_taken_for_five_minutes_and_flagged() {
    message_is(
        r#"{"input_tokens":10,"cache_creation_input_tokens":5,"output_tokens":1}"#,
        &[
            "anthropic claude-sonnet-4-6: input_text_tokens 10, cache_write_5m_tokens 5, output_text_tokens 1 [assumed_5m]",
        ],
    );
}

#[test]
fn cache_lifetimes_that_do_not_add_up_are_a_contradiction() {
    check_rejected(
        &message(
            r#"{"input_tokens":10,"cache_creation_input_tokens":5,"output_tokens":1,
            "cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":1}}"#,
        ),
        "contradiction",
        "usage.cache_creation_input_tokens",
        &["is 5", "3", "1", "4"],
    );
}

#[test]
fn a_compaction_that_the_top_level_leaves_out_is_billed() {
    let body = message(
        r#"{"input_tokens":180,"output_tokens":8,"iterations":[
            {"type":"compaction","input_tokens":100,"cache_creation_input_tokens":55096,"cache_read_input_tokens":0,
             "output_tokens":82,"cache_creation":{"ephemeral_5m_input_tokens":55096,"ephemeral_1h_input_tokens":0}},
            {"type":"message","input_tokens":180,"output_tokens":8}],"server_tool_use":{"web_search_requests":1}}"#,
    );
    check(
        &body,
        "envelope/anthropic.message",
        &[
            "anthropic claude-sonnet-4-6: input_text_tokens 100, cache_write_5m_tokens 55096, output_text_tokens 82 \
             [iterations_expanded]",
            "anthropic claude-sonnet-4-6: input_text_tokens 180, output_text_tokens 8, web_searches 1 \
             [iterations_expanded]",
        ],
    );
    let decoded = decoded(&body);
    let events = events(&decoded);
    assert_eq!(decoded.iterations(), 1);
    assert_eq!(events[0].call_key, events[1].call_key);
    assert_ne!(events[0].dedup_key, events[1].dedup_key);
}

#[test]
fn an_advisor_is_billed_at_its_own_model() {
    message_is(
        r#"{"input_tokens":30,"output_tokens":12,"iterations":[
            {"type":"message","input_tokens":10,"output_tokens":5},
            {"type":"advisor_message","model":"claude-opus-4-8","input_tokens":900,"output_tokens":70},
            {"type":"message","input_tokens":20,"output_tokens":7}]}"#,
        &[
            "anthropic claude-sonnet-4-6: input_text_tokens 10, output_text_tokens 5 [iterations_expanded]",
            "anthropic claude-opus-4-8: input_text_tokens 900, output_text_tokens 70 [iterations_expanded]",
            "anthropic claude-sonnet-4-6: input_text_tokens 20, output_text_tokens 7 [iterations_expanded]",
        ],
    );
}

#[test]
fn iterations_that_were_folded_into_the_top_level_are_not_added_again() {
    message_is(
        r#"{"input_tokens":280,"output_tokens":90,"iterations":[
            {"type":"compaction","input_tokens":100,"output_tokens":82},
            {"type":"message","input_tokens":180,"output_tokens":8}]}"#,
        &[
            "anthropic claude-sonnet-4-6: input_text_tokens 100, output_text_tokens 82 [iterations_expanded]",
            "anthropic claude-sonnet-4-6: input_text_tokens 180, output_text_tokens 8 [iterations_expanded]",
        ],
    );
    check_rejected(
        &message(
            r#"{"input_tokens":7,"output_tokens":90,"iterations":[{"type":"message","input_tokens":180,"output_tokens":8}]}"#,
        ),
        "contradiction",
        "usage.iterations",
        &["usage.input_tokens 7", "180"],
    );
}

#[test]
fn batch_is_told_by_the_tier() {
    let decoded = decoded(&message(r#"{"input_tokens":1,"output_tokens":1,"service_tier":"batch"}"#));
    assert!(events(&decoded)[0].price_context.batch);
}

#[test]
fn messages_of_bedrock_and_vertex_are_told_by_their_ids() {
    check(
        r#"{"id":"msg_bdrk_01","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],
            "usage":{"input_tokens":1,"output_tokens":2}}"#,
        "anthropic.message",
        &["aws.bedrock claude-sonnet-4-6: input_text_tokens 1, output_text_tokens 2 [time_assumed]"],
    );
}
