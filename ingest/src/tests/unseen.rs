//! Bodies of 2025 and 2026 that others have published and that were read wrongly, or not at all, composed anew.

use schemas::Flag;

use super::{check_rejected, decoded, event, events, ignored, meters};
use crate::{IgnoreReason, Item};

const CALL: &str = r#"{"id":"chatcmpl-u1","object":"chat.completion","created":1785578390,"model":"gpt-4o","choices":[],
 "usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}"#;

fn one_line(text: &str) -> String {
    text.replace('\n', "")
}

#[track_caller]
fn check(payload: &str, expected: &str) {
    assert_eq!(meters(&event(payload)), expected, "{payload}");
}

#[test]
fn groq_counts_in_its_own_field_beside_a_usage_of_zeros() {
    let zeros = r#""usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#;
    let counts = r#""x_groq":{"id":"req_1","usage":{"prompt_tokens":18,"completion_tokens":5,"total_tokens":23,"queue_time":0.1}}"#;
    let expected = "input_text_tokens 18, output_text_tokens 5";
    check(
        &format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion","model":"llama-3.1-8b-instant","choices":[],{zeros},{counts}}}"#
        ),
        expected,
    );
    let frame = |rest: &str| {
        format!(
            r#"data: {{"id":"chatcmpl-2","object":"chat.completion.chunk","model":"llama-3.1-8b-instant","choices":[],{rest}}}"#
        )
    };
    let begun = frame(&format!(r#"{zeros},"x_groq":{{"id":"req_1"}}"#));
    check(&format!("{begun}\n\n{}\n\ndata: [DONE]\n", frame(&format!("{zeros},{counts}"))), expected);
}

#[test]
fn tools_that_bedrock_ran_are_counted() {
    let body = |tools: &str| {
        format!(
            r#"{{"output":{{}},"stopReason":"end_turn","usage":{{"inputTokens":100,"outputTokens":20,"totalTokens":120,"serverToolUsage":{tools}}}}}"#
        )
    };
    check(&body(r#"{"webSearchRequests":2}"#), "input_text_tokens 100, output_text_tokens 20, web_searches 2");
    check(&body("{}"), "input_text_tokens 100, output_text_tokens 20");
    assert!(event(&body(r#"{"other":1}"#)).flags.contains(&Flag::UnknownUsageField));
}

#[test]
fn calls_that_stand_side_by_side_are_calls_of_their_own() {
    let other = CALL.replace("u1", "u2").replace(":2,", ":3,").replace(":12", ":13");
    for payload in [
        format!(
            r#"{{"first":{{"request":{{"model":"x"}},"response":{CALL}}},"second":{{"request":{{"model":"x"}},"response":{other}}}}}"#
        ),
        format!(
            r#"{{"request_1":{{"model":"x"}},"response_1":{CALL},"request_2":{{"model":"x"}},"response_2":{other}}}"#
        ),
    ] {
        let read = decoded(&payload);
        let ids: Vec<_> = events(&read).iter().map(|event| event.call_key.to_string()).collect();
        assert_eq!(ids, ["openai/chatcmpl-u1", "openai/chatcmpl-u2"], "{read:#?}");
    }
    // What a gateway was given, and what it made of it.
    let given = r#"{"id":"msg_u","type":"message","role":"assistant","model":"claude-sonnet-4-6","usage":{"input_tokens":9,"output_tokens":3}}"#;
    check_rejected(&format!(r#"{{"upstream_response":{given},"client_response":{CALL}}}"#), "unknown_format", "", &[]);
    // Without ids, or with the same counts, nobody can tell whether one is the other's copy.
    let (one, two) = (CALL.replace("chatcmpl-u1", ""), other.replace("chatcmpl-u2", ""));
    check_rejected(&format!(r#"{{"a":{one},"b":{two}}}"#), "unknown_format", "", &[]);
    check_rejected(&format!(r#"{{"a":{CALL},"b":{}}}"#, CALL.replace("u1", "u3")), "unknown_format", "", &[]);
}

#[test]
fn what_a_vector_store_keeps_of_a_call_is_no_call() {
    let about = r#"{"model":"gpt-4o","usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}"#;
    for payload in [
        format!(r#"{{"ids":["a"],"documents":["x"],"metadatas":[{about}],"embeddings":[[0.1]]}}"#),
        format!(r#"{{"_id":"a","values":[0.1],"metadata":{about}}}"#),
        format!(r#"{{"id":"a","document":"x","metadata":{about},"distance":0.1}}"#),
        format!(r#"{{"id":"a","text":"x","metadata":{about},"embedding":[0.1]}}"#),
        format!(r#"{{"page_content":"x","metadata":{about}}}"#),
        r#"{"class":"Document","id":"a","vector":[0.1],"properties":{"model":"gpt-4o","prompt_tokens":10,"completion_tokens":2}}"#.to_owned(),
    ] {
        assert!(events(&decoded(&payload)).is_empty(), "{payload}");
    }
    // An embedder's answer says what it used, and not of what.
    let read = decoded(
        r#"{"embedding":[0.1],"meta":{"model":"text-embedding-3-small","usage":{"prompt_tokens":4,"total_tokens":4}}}"#,
    );
    assert_eq!(events(&read).len(), 1, "{read:#?}");
}

#[test]
fn bodies_may_be_zipped_like_zlib_and_stand_in_an_address() {
    use base64::Engine as _;
    use std::io::Write as _;
    let expected = "input_text_tokens 10, output_text_tokens 2";
    let mut zipped = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    zipped.write_all(CALL.as_bytes()).unwrap();
    let zipped = zipped.finish().unwrap();
    let read = crate::decode(&super::record(&zipped, &[]), &super::config());
    assert_eq!(events(&read).len(), 1, "{read:#?}");
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    for text in [
        base64(&zipped),
        format!("data:application/json;base64,{}", base64(CALL.as_bytes())),
        format!("data:application/json;base64,{}", base64(&zipped)),
        format!("data:application/json,{}", one_line(CALL).replace('"', "%22")),
        base64(CALL.as_bytes()).trim_end_matches('=').replace('+', "-").replace('/', "_"),
    ] {
        check(&format!(r#"{{"id":"7","source":"gateway","body":"{text}"}}"#), expected);
    }
    // A picture is none.
    let picture = format!("data:image/png;base64,{}", base64(CALL.as_bytes()));
    assert!(events(&decoded(&format!(r#"{{"id":"7","source":"x","data":"{picture}"}}"#))).is_empty());
}

#[test]
fn an_answer_that_was_sent_in_chunks_is_put_together() {
    let expected = "input_text_tokens 10, output_text_tokens 2";
    let head = "HTTP/1.1 200 OK\nContent-Type: application/json\nTransfer-Encoding: chunked\n\n";
    let whole = one_line(CALL);
    let (first, rest) = whole.split_at(70);
    for end in ["0\n\n", "0\r\n\r\n", "0"] {
        check(&format!("{head}{:x}\n{first}\n{:x}\n{rest}\n{end}", first.len(), rest.len()), expected);
    }
    // Sizes that no longer fit are left out.
    check(&format!("{head}fff\n{whole}\n0\n"), expected);
}

#[test]
fn data_of_an_event_may_go_on_in_the_next_lines() {
    let stream = "data: {\"response\":{\ndata: \"usageMetadata\":{\ndata: \"promptTokenCount\":100,\n\
                  data: \"cachedContentTokenCount\":40,\ndata: \"candidatesTokenCount\":9\ndata: }}}\n\n";
    check(stream, "cache_read_text_tokens 40, input_text_tokens 60, output_text_tokens 9");
}

#[test]
fn a_line_of_langgraphs_stream_is_a_piece_and_what_is_known_of_it() {
    let line = r#"[{"content":"","type":"AIMessageChunk","id":"run--1","usage_metadata":{"input_tokens":10,"output_tokens":2,"total_tokens":12}},
 {"langgraph_step":1,"ls_provider":"openai","ls_model_name":"gpt-4o"}]"#;
    let read = decoded(&one_line(line));
    assert_eq!((read.items.len(), events(&read).len()), (1, 1), "{read:#?}");
}

#[test]
fn librechat_takes_a_prompt_and_its_completion_off_a_balance() {
    let row = |kind: &str, rest: &str| {
        format!(
            r#"{{"_id":"67","conversationId":"c","user":"u","tokenType":"{kind}","model":"claude-sonnet-4-5","tokenValue":-9,{rest},"createdAt":"2026-08-01T09:00:00.000Z"}}"#
        )
    };
    let parts = r#""rawAmount":-1523,"inputTokens":-23,"writeTokens":-1000,"readTokens":-500"#;
    check(&row("prompt", parts), "cache_read_text_tokens 500, cache_write_5m_tokens 1000, input_text_tokens 23");
    check(&row("prompt", r#""rawAmount":-40"#), "input_text_tokens 40");
    check(&row("completion", r#""rawAmount":{"$numberInt":"-211"}"#), "output_text_tokens 211");
    check_rejected(&row("prompt", &parts.replace("1523", "1524")), "contradiction", "rawAmount", &[]);
    assert_eq!(ignored(&row("credits", r#""rawAmount":1000"#)), [IgnoreReason::StatusOnly]);
}

#[test]
fn a_thread_of_zed_adds_up_its_requests() {
    let thread = r#"{"version":"0.3.0","title":"t","messages":[],"cumulative_token_usage":{"input_tokens":100,"output_tokens":20},
 "request_token_usage":{"m":{"input_tokens":60,"output_tokens":10}},"model":{"provider":"anthropic","model":"claude-sonnet-4"}}"#;
    assert_eq!(ignored(thread), [IgnoreReason::RunSummary]);
}

#[test]
fn a_task_of_runway_tells_neither_model_nor_seconds() {
    let task = |state: &str| {
        format!(
            r#"{{"id":"17f2","status":"{state}","createdAt":"2026-06-27T19:49:32.335Z","output":["https://x/v.mp4"]}}"#
        )
    };
    let made = event(&task("SUCCEEDED"));
    assert_eq!((made.provider.as_str(), made.operation.as_str()), ("runway", "video_generation"));
    assert!(made.flags.contains(&Flag::UsageMissing));
    assert_eq!(ignored(&task("RUNNING")), [IgnoreReason::StatusOnly]);
    assert_eq!(ignored(&task("FAILED")), [IgnoreReason::FailedCall]);
}

#[test]
fn a_session_of_gpt_live_is_billed_when_it_ends_and_its_responses_beside_it() {
    let session = r#"[{"type":"session.started","session":{"id":"live_1","model":"gpt-live-1"}},
 {"type":"session.usage.updated","usage":{"seconds":14.0},"event_id":"event_6"},
 {"type":"response.event","event":{"type":"response.completed","response":{"id":"resp_l1","object":"response","status":"completed",
  "model":"gpt-5.6-luna","usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"total_tokens":25}}}},
 {"type":"session.closed","usage":{"seconds":28.5},"event_id":"event_9"}]"#;
    let read = decoded(session);
    let found = events(&read);
    let told: Vec<_> = found.iter().map(|event| (event.model.as_str(), meters(event))).collect();
    let response = "cache_read_text_tokens 4, input_text_tokens 16, output_text_tokens 5";
    let expected = [("gpt-5.6-luna", response.to_owned()), ("gpt-live-1", "session_audio_seconds 28.5".to_owned())];
    assert_eq!(told, expected, "{read:#?}");
    assert_eq!(ignored(r#"{"type":"session.usage.updated","usage":{"seconds":14.0}}"#), [IgnoreReason::StreamFragment]);
}

#[test]
fn seconds_may_be_all_that_was_counted() {
    check(r#"{"text":"hi","usage":{"seconds":12.5}}"#, "input_audio_seconds 12.5");
    let heard =
        event(r#"{"id":"c","object":"chat.completion","model":"mimo-v2.5-asr","choices":[],"usage":{"seconds":1}}"#);
    assert_eq!(heard.operation.as_str(), "transcription");
}

#[test]
fn what_deepseeks_cache_had_and_had_not_is_the_prompt() {
    check(
        r#"{"model":"deepseek-chat","choices":[],"usage":{"prompt_cache_hit_tokens":6500,"prompt_cache_miss_tokens":100,"completion_tokens":50}}"#,
        "cache_read_text_tokens 6500, input_text_tokens 100, output_text_tokens 50",
    );
}

#[test]
fn thinking_of_claude_is_told_in_details_of_its_own() {
    let read = event(
        r#"{"model":"house-alias","usage":{"input_tokens":13,"output_tokens":44,"output_tokens_details":{"thinking_tokens":33}}}"#,
    );
    assert_eq!(read.extractor.as_str(), "anthropic.message");
}

#[test]
fn tasks_of_dashscope_are_billed_by_the_second() {
    let video = event(
        r#"{"request_id":"r1","output":{"task_id":"t","task_status":"SUCCEEDED","video_url":"https://x/v.mp4"},"usage":{"duration":5,"output_video_duration":5,"video_count":1,"SR":720}}"#,
    );
    assert_eq!(meters(&video), "output_video_seconds 5");
    assert_eq!(
        (video.operation.as_str(), video.price_context.resolution.as_deref()),
        ("video_generation", Some("720p"))
    );
    check(
        r#"{"request_id":"r2","output":{"task_id":"t","task_status":"SUCCEEDED","results":[{"transcription_url":"https://x/t.json","subtask_status":"SUCCEEDED"}]},"usage":{"duration":12}}"#,
        "input_audio_seconds 12",
    );
}

#[test]
fn langfuse_may_tell_how_long_a_write_lasts_by_other_names() {
    check(
        r#"{"id":"o1","traceId":"t1","type":"GENERATION","startTime":"2026-08-01T09:00:00Z","model":"claude-sonnet-5","usageDetails":{"input":7,
            "output":11,"cache_read_input_tokens":17,"cache_write_5m_input_tokens":19,"cache_write_1h_input_tokens":23,"total":77}}"#,
        "cache_read_text_tokens 17, cache_write_1h_tokens 23, cache_write_5m_tokens 19, input_text_tokens 7, output_text_tokens 11",
    );
}

#[test]
fn runs_and_sessions_that_add_up_are_no_calls() {
    for sum in [
        r#"{"type":"RUN_FINISHED","threadId":"t","runId":"r","usage":[{"model":"gpt-5","inputTokens":100,"outputTokens":20}]}"#,
        r#"{"id":1,"epoch":1,"input":"x","target":"y","model_usage":{"openai/gpt-4o":{"input_tokens":10,"output_tokens":1}},"scores":{}}"#,
        r#"{"params":{"_meta":{"totalTokens":40,"agentTimestampMs":1785578390000}},"timestamp":"2026-08-01T09:00:00Z"}"#,
    ] {
        assert_eq!(ignored(sum), [IgnoreReason::RunSummary]);
    }
}

#[test]
fn what_is_preferred_and_what_is_not_are_examples() {
    let row = format!(r#"{{"prompt":"x","chosen":{CALL},"rejected":"no"}}"#);
    assert!(events(&decoded(&row)).is_empty());
}

#[test]
fn ideogram_and_snowflake_are_told_by_fields_of_their_own() {
    let picture = event(
        r#"{"created":"2026-08-01T09:00:00+00:00","data":[{"prompt":"x","resolution":"1024x1024","is_image_safe":true,"url":"https://x"}]}"#,
    );
    assert_eq!((picture.provider.as_str(), meters(&picture)), ("ideogram", "output_images 1".to_owned()));
    let answer = event(
        r#"{"id":"a","model":"claude-sonnet-4-5","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":10,"total_tokens":30,"guard_tokens":0}}"#,
    );
    assert_eq!(answer.provider.as_str(), "snowflake");
}

#[test]
fn thinking_that_one_iteration_does_not_tell_is_told_by_the_whole() {
    let body = |details: &str| {
        format!(
            r#"{{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5","usage":{{"input_tokens":2,"output_tokens":2087,
            {details}"iterations":[{{"type":"message","input_tokens":2,"output_tokens":2087}}]}}}}"#
        )
    };
    let told = body(r#""output_tokens_details":{"thinking_tokens":1916},"#);
    check(&told, "input_text_tokens 2, output_reasoning_tokens 1916, output_text_tokens 171");
    check(&body(""), "input_text_tokens 2, output_text_tokens 2087");
    check_rejected(&told.replace("1916", "2088"), "contradiction", "usage.output_tokens", &["2088"]);
}

#[test]
fn a_search_that_failed_found_nothing() {
    let body = |usage: &str| {
        format!(
            r#"{{"id":"resp_f1","object":"response","created_at":1785578390,"status":"completed","model":"gpt-5.4","output":[
            {{"type":"web_search_call","status":"completed","action":{{"type":"search","query":"a"}}}},
            {{"type":"web_search_call","status":"failed","action":{{"type":"search","query":"b"}}}},
            {{"type":"file_search_call","status":"failed"}}],"usage":{{"input_tokens":40,"output_tokens":6,"total_tokens":46{usage}}}}}"#
        )
    };
    check(&body(""), "input_text_tokens 40, output_text_tokens 6, web_searches 1");
}

const STEP: &str = r#"{"id":"evt_2","created":1785578391000,"type":"session.step.ended","data":{"sessionID":"ses_a","assistantMessageID":"msg_a",
 "finish":"stop","cost":0.02,"tokens":{"input":70,"output":9,"reasoning":4,"cache":{"read":300,"write":20}}}}"#;

#[test]
fn the_second_version_of_opencode_tells_of_each_step() {
    let begun = |session: &str| {
        format!(
            r#"{{"id":"evt_1","created":1785578390000,"type":"session.step.started","data":{{"sessionID":"{session}","agent":"build",
            "model":{{"id":"claude-sonnet-5","providerID":"anthropic"}},"assistantMessageID":"msg_a"}}}}"#
        )
    };
    let sum =
        r#"{"type":"session.usage.updated","data":{"sessionID":"ses_a","cost":0.02,"tokens":{"input":70,"output":9}}}"#;
    let expected = "cache_read_text_tokens 300, cache_write_5m_tokens 20, input_text_tokens 70, output_reasoning_tokens 4, output_text_tokens 9";
    let lines =
        |session: &str| [begun(session), STEP.to_owned(), sum.to_owned()].map(|line| one_line(&line)).join("\n");
    for (session, model) in [("ses_a", "claude-sonnet-5"), ("ses_b", "unknown")] {
        let read = decoded(&lines(session));
        let events = events(&read);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].model.as_str(), model);
        assert_eq!(meters(events[0]), expected);
        assert_eq!(events[0].event_id.as_deref(), Some("msg_a"));
    }
    assert_eq!(ignored(&begun("ses_a")), [IgnoreReason::NotAModelCall]);
    assert_eq!(ignored(sum), [IgnoreReason::RunSummary]);
    // The message, as its API gives it back, is the same call.
    let message = event(
        r#"{"id":"msg_a","type":"assistant","agent":"build","model":{"id":"claude-sonnet-5","providerID":"anthropic"},"content":[],
        "finish":"stop","cost":0.02,"tokens":{"input":70,"output":9,"reasoning":4,"cache":{"read":300,"write":20}},
        "time":{"created":1785578390000,"completed":1785578391000}}"#,
    );
    let read = decoded(&lines("ses_a"));
    let step = &events(&read)[0];
    assert_eq!((meters(&message), &message.event_id), (meters(step), &step.event_id));
}

#[test]
fn codex_tells_those_who_drive_it_over_mcp() {
    let of = |told: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"codex/event","params":{{"_meta":{{"requestId":3}},"id":"1","msg":{told}}}}}"#
        )
    };
    let begun = of(r#"{"type":"session_configured","session_id":"s-1","model":"gpt-5.4-codex"}"#);
    let used = r#"{"input_tokens":900,"cached_input_tokens":600,"output_tokens":50,"reasoning_output_tokens":20,"total_tokens":950}"#;
    let counted = of(&format!(
        r#"{{"type":"token_count","info":{{"total_token_usage":{used},"last_token_usage":{used},"model_context_window":1}}}}"#
    ));
    let expected =
        "cache_read_text_tokens 600, input_text_tokens 300, output_reasoning_tokens 20, output_text_tokens 30";
    let read = decoded(&format!("{begun}\n{counted}"));
    let whole = events(&read);
    assert_eq!((whole.len(), meters(whole[0]).as_str(), whole[0].model.as_str()), (1, expected, "gpt-5.4-codex"));
    assert_eq!(whole[0].event_id.as_deref(), Some("s-1/950"));
    // Older versions counted the request alone, and printed the events without what is around them.
    let older = used.replacen('{', r#"{"type":"token_count","#, 1);
    check(&of(&older), expected);
    check(&format!(r#"{{"id":"1","msg":{older}}}"#), expected);
    assert_eq!(ignored(&begun), [IgnoreReason::NotAModelCall]);
}

#[test]
fn who_serves_a_model_of_many_is_told_by_what_only_they_write() {
    let body = |model: &str, fields: &str| {
        event(&format!(
            r#"{{"id":"a-1","object":"chat.completion","created":1785578390,"model":"{model}","choices":[],{fields}
            "usage":{{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}}}"#
        ))
        .provider
        .to_string()
    };
    let bare = |model: &str| event(&CALL.replace("gpt-4o", model)).provider.to_string();
    assert_eq!(body("glm-5.3", r#""request_id":"a-1","#), "zai");
    assert_eq!(body("kimi-k2.6", r#""system_fingerprint":"fpv0_1a","#), "moonshot_ai");
    assert_eq!(body("openai/gpt-5-nano", r#""x_nanogpt_pricing":{"amount":0.1},"#), "nano_gpt");
    assert_eq!(body("kimi-k2-6", r#""venice_parameters":{},"#), "venice");
    assert_eq!(bare("glm-4.6"), "unknown");
    assert_eq!(bare("kimi-k2.6"), "unknown");
    assert_eq!(bare("glm-4-plus"), "zai");
    assert_eq!(bare("kimi-k2-turbo-preview"), "moonshot_ai");
    assert_eq!(bare("us.openai.gpt-6"), "aws.bedrock");
}

#[test]
fn a_video_kept_at_fal_is_a_call_and_its_place_in_the_queue_is_none() {
    let video = |rest: &str| {
        format!(r#"{{"video":{{"url":"https://v3b.fal.media/files/b/1/x.mp4","content_type":"video/mp4"{rest}}}}}"#)
    };
    let told = event(&video(""));
    assert_eq!((told.provider.as_str(), meters(&told).as_str()), ("fal", ""));
    assert!(told.flags.contains(&Flag::UsageMissing));
    check(&video(r#","duration":5.5"#), "output_video_seconds 5.5");
    for state in [
        r#"{"request_id":"r","response_url":"https://queue.fal.run/r","status_url":"https://queue.fal.run/s"}"#,
        r#"{"status":"COMPLETED","request_id":"r","response_url":"https://queue.fal.run/r","metrics":{"inference_time":1.5}}"#,
    ] {
        assert_eq!(ignored(state), [IgnoreReason::StatusOnly]);
    }
}

#[test]
fn the_place_within_a_recording_is_no_id() {
    let recording = |model: &str| {
        format!(
            "---\nversion: 2\ninteractions:\n- id: 0\n  request:\n    proto: HTTP/1.1\n    proto_major: 1\n    url: https://api.openai.com/v1/chat/completions\n    method: POST\n  response:\n    body: '{}'\n    code: 200\n",
            one_line(CALL).replace("gpt-4o", model)
        )
    };
    assert_eq!(event(&recording("gpt-4o")).event_id, event(CALL).event_id);
}

#[test]
fn what_was_recorded_and_is_no_call_is_not_refused() {
    let recorded = |body: &str| {
        format!(
            r#"{{"interactions":[{{"request":{{"method":"POST","uri":"https://x.test/"}},"response":{{{body},"status":{{"code":200}}}}}},
        {{"request":{{"method":"POST","uri":"https://x.test/"}},"response":{{"parsed_body":{}}}}}]}}"#,
            one_line(CALL)
        )
    };
    for body in [
        r#""parsed_body":{"promptTokensDetails":[{"modality":"TEXT","tokenCount":5}],"totalTokens":5}"#,
        r#""body":{"string":"{\"id\":\"msgbatch_1\",\"type\":\"message_batch\",\"processing_status\":\"in_progress\"}"}"#,
    ] {
        let read = decoded(&recorded(body));
        assert!(matches!(read.items[0], Item::Ignored { reason: IgnoreReason::StatusOnly, .. }), "{read:#?}");
        assert_eq!(read.items.len(), 2);
    }
}

#[test]
fn a_message_of_new_relic_is_no_call_even_where_it_does_not_say_what_it_is() {
    let message = r#"{"id":"resp_1-0","span_id":"s","trace_id":"t","role":"user","completion_id":"c","sequence":0,
        "response.model":"gpt-5.4","token_count":0,"vendor":"openai","ingest_source":"Python"}"#;
    assert_eq!(ignored(message), [IgnoreReason::NotAModelCall]);
}

#[test]
fn prose_alone_is_no_known_format() {
    for payload in
        [r#"{"response":"They asked for the weather."}"#, r#"{"prompt":"hi","response":"Hello!","model":"x"}"#]
    {
        check_rejected(payload, "unknown_format", "response", &["prose"]);
    }
}

#[test]
fn pictures_kept_at_fal_stand_alone_too() {
    let kept = r#"{"images":[{"url":"https://v3b.fal.media/files/b/2/p.png","content_type":"image/png","width":512,"height":512}]}"#;
    check(kept, "output_images 1");
    check(&kept.replace(r#""content_type":"image/png","#, ""), "output_images 1");
    check_rejected(&kept.replace("fal.media", "shop.test"), "unknown_format", "", &[]);
}

#[test]
fn what_grok_heard_is_told_by_its_words() {
    let heard = r#"{"text":"Hello there","language":"en","duration":3.25,"words":[{"text":"Hello","start":0.1,"end":0.5},
        {"text":"there","start":0.6,"end":0.9,"speaker":0}]}"#;
    check(heard, "input_audio_seconds 3.25");
    assert_eq!(event(heard).provider.as_str(), "x_ai");
}
