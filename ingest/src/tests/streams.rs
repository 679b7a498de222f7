use proptest::prelude::*;

use super::{check, decoded, events, line};

const CHUNKS: [&str; 4] = [
    r#"{"id":"chatcmpl-S1","object":"chat.completion.chunk","created":1785578390,"model":"gpt-5.4","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":null}"#,
    r#"{"id":"chatcmpl-S1","object":"chat.completion.chunk","created":1785578390,"model":"gpt-5.4","choices":[{"index":0,"delta":{"content":"data: {\"usage\":1}"}}],"usage":null}"#,
    r#"{"id":"chatcmpl-S1","object":"chat.completion.chunk","created":1785578390,"model":"gpt-5.4","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#,
    r#"{"id":"chatcmpl-S1","object":"chat.completion.chunk","created":1785578390,"model":"gpt-5.4","choices":[],"service_tier":"default","usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}"#,
];

const ANTHROPIC: [&str; 5] = [
    r#"{"type":"message_start","message":{"id":"msg_S","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"usage":{"input_tokens":25,"cache_read_input_tokens":100,"output_tokens":1}}}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    r#"{"type":"ping"}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}"#,
    r#"{"type":"message_stop"}"#,
];

const GEMINI: [&str; 3] = [
    r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":7535,"candidatesTokenCount":10,"totalTokenCount":7545,"trafficType":"ON_DEMAND"},"modelVersion":"gemini-3-flash","responseId":"r1"}"#,
    r#"{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7535,"candidatesTokenCount":24,"totalTokenCount":7621,"cachedContentTokenCount":7093,"thoughtsTokenCount":62},"modelVersion":"gemini-3-flash","responseId":"r1"}"#,
    r#"{"usageMetadata":{"trafficType":"ON_DEMAND"},"modelVersion":"gemini-3-flash","responseId":"r1"}"#,
];

fn sse(frames: &[&str]) -> String {
    frames.iter().map(|frame| format!("event: x\ndata: {frame}\n\n")).collect()
}

#[track_caller]
fn check_stream(frames: &[&str], recognised_as: &str, expected: &str) {
    for payload in [sse(frames) + "data: [DONE]\n\n", format!("[{}]", frames.join(",")), frames.join("\n")] {
        check(&payload, recognised_as, &[expected]);
    }
    let text = serde_json::Value::from(sse(frames));
    check(
        &format!(r#"{{"id":"e","time":1785578390,"response":{text}}}"#),
        &format!("envelope/{recognised_as}"),
        &[&expected.replace(" [time_assumed]", "")],
    );
}

#[test]
fn the_last_count_of_a_chat_stream_is_the_count() {
    check_stream(&CHUNKS, "openai.chat_completion", "openai gpt-5.4: input_text_tokens 9, output_text_tokens 3");
}

#[test]
fn the_counts_of_an_anthropic_stream_are_cumulative() {
    check_stream(
        &ANTHROPIC,
        "anthropic.message",
        "anthropic claude-sonnet-4-6: input_text_tokens 25, cache_read_text_tokens 100, output_text_tokens 15 [time_assumed]",
    );
}

#[test]
fn a_gemini_frame_with_only_a_traffic_type_resets_nothing() {
    check_stream(
        &GEMINI,
        "gemini.generate_content",
        "gcp.vertex_ai gemini-3-flash: input_text_tokens 442, cache_read_text_tokens 7093, output_text_tokens 24, \
         output_reasoning_tokens 62 [time_assumed]",
    );
}

#[test]
fn the_final_event_of_a_responses_stream_holds_the_whole() {
    let frames = [
        r#"{"type":"response.created","response":{"id":"resp_S","object":"response","created_at":1785578390,"model":"gpt-5.4","status":"in_progress","usage":null}}"#,
        r#"{"type":"response.output_text.delta","delta":"x"}"#,
        r#"{"type":"response.completed","response":{"id":"resp_S","object":"response","created_at":1785578390,"model":"gpt-5.4","status":"completed","usage":{"input_tokens":5,"output_tokens":6,"total_tokens":11}}}"#,
    ];
    check_stream(&frames, "openai.response", "openai gpt-5.4: input_text_tokens 5, output_text_tokens 6");
    check(&sse(&frames[..2]), "openai.response", &["openai gpt-5.4:  [usage_missing, partial_stream]"]);
}

#[test]
fn a_frame_of_no_known_type_does_not_part_a_stream() {
    let frames = [
        r#"{"type":"response.created","response":{"id":"resp_K","object":"response","created_at":1785578390,"model":"gpt-5.4","status":"in_progress","usage":null}}"#,
        r#"{"type":"keepalive","sequence_number":3}"#,
        r#"{"type":"response.completed","response":{"id":"resp_K","object":"response","created_at":1785578390,"model":"gpt-5.4","status":"completed","usage":{"input_tokens":5,"output_tokens":6,"total_tokens":11}}}"#,
    ];
    check_stream(&frames, "openai.response", "openai gpt-5.4: input_text_tokens 5, output_text_tokens 6");
    // What might be usage is not passed over.
    let other = [ANTHROPIC[0], r#"{"type":"bill","counts":{"n":9}}"#, ANTHROPIC[3]];
    assert!(decoded(&sse(&other)).items.iter().any(|item| matches!(item, crate::Item::Rejected(_))));
}

#[test]
fn a_stream_that_broke_off_is_flagged() {
    check(&sse(&CHUNKS[..2]), "openai.chat_completion", &["openai gpt-5.4:  [usage_missing, partial_stream]"]);
    check(
        &(sse(&ANTHROPIC[..3]) + "data: {\"type\":\"message_del"),
        "anthropic.message",
        &["anthropic claude-sonnet-4-6: input_text_tokens 25, cache_read_text_tokens 100, output_text_tokens 1 \
           [time_assumed, partial_stream]"],
    );
}

#[test]
fn frames_of_a_legacy_completion_are_one_call_and_whole_ones_are_their_own() {
    let frame = |id: &str, usage: &str| {
        format!(
            r#"{{"id":"{id}","object":"text_completion","created":1785578390,"model":"gpt-3.5-turbo-instruct","choices":[],"usage":{usage}}}"#
        )
    };
    let counted = r#"{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}"#;
    let expected = "openai gpt-3.5-turbo-instruct: input_text_tokens 5, output_text_tokens 1";
    let frames = [frame("cmpl-1", "null"), frame("cmpl-1", "null"), frame("cmpl-1", counted)];
    check_stream(&frames.each_ref().map(String::as_str), "openai.completion", expected);
    let lines = [frame("cmpl-1", counted), frame("cmpl-2", counted), frame("", counted)].join("\n");
    assert_eq!(events(&decoded(&lines)).len(), 3);
    let cut = "openai gpt-3.5-turbo-instruct:  [usage_missing, partial_stream]";
    check(&sse(&[&frames[0], &frames[1]]), "openai.completion", &[cut]);
}

#[test]
fn two_streams_in_one_record_are_two_calls() {
    let second = CHUNKS.map(|chunk| chunk.replace("S1", "S2"));
    let frames: Vec<&str> = CHUNKS.iter().copied().chain(second.iter().map(String::as_str)).collect();
    let decoded = decoded(&sse(&frames));
    let keys: Vec<&str> = events(&decoded).iter().map(|event| &*event.call_key).collect();
    assert_eq!(keys, ["openai/chatcmpl-S1", "openai/chatcmpl-S2"]);
}

#[test]
fn a_lone_chunk_without_usage_is_a_fragment() {
    let decoded = decoded(CHUNKS[0]);
    assert!(matches!(decoded.items[..], [crate::Item::Ignored { reason: crate::IgnoreReason::StreamFragment, .. }]));
}

#[test]
fn converse_streams_end_in_their_metadata() {
    let payload = format!(
        r#"{{"id":"e","time":1785578390,"model":"amazon.nova-pro-v1:0","response":[{}]}}"#,
        r#"{"messageStart":{"role":"assistant"}},{"contentBlockDelta":{"delta":{"text":"x"}}},
           {"messageStop":{"stopReason":"end_turn"}},
           {"metadata":{"usage":{"inputTokens":4,"outputTokens":5,"totalTokens":9},"metrics":{"latencyMs":1}}}"#
    );
    check(
        &payload,
        "envelope/bedrock.converse",
        &["aws.bedrock amazon.nova-pro-v1:0: input_text_tokens 4, output_text_tokens 5"],
    );
}

proptest! {
    /// Gemini repeats growing counts in every frame, so wherever frames are cut the last ones stand.
    #[test]
    fn any_cut_of_a_stream_into_frames_gives_the_same_usage(cuts in proptest::collection::vec(0u32..1000, 0..8)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let frames: Vec<String> = cuts.iter().map(|candidates| format!(
            r#"{{"candidates":[{{"content":{{}}}}],"responseId":"r","modelVersion":"gemini-3-flash",
            "usageMetadata":{{"promptTokenCount":8,"candidatesTokenCount":{candidates},"totalTokenCount":{}}}}}"#, candidates + 8
        )).collect();
        let last = r#"{"candidates":[{"finishReason":"STOP"}],"responseId":"r","modelVersion":"gemini-3-flash",
            "usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":1000,"totalTokenCount":1008}}"#;
        let all: Vec<&str> = frames.iter().map(String::as_str).chain([last]).collect();
        let decoded = decoded(&format!("[{}]", all.join(",")));
        let lines: Vec<String> = events(&decoded).into_iter().map(line).collect();
        prop_assert_eq!(lines, ["gcp.gemini gemini-3-flash: input_text_tokens 8, output_text_tokens 1000 [time_assumed]"]);
    }
}
