//! Answers as recorders of HTTP keep them, composed after recordings that others published: what surrounds a body must neither hide
//! it nor change what it says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{arrival, check, config, decoded, event, events, ignored, line, record};
use crate::{IgnoreReason, Item, decode};

/// A text as VCR, an archive of HTTP, and a log of answers keep it.
fn recorded(text: &str) -> [String; 3] {
    let text = serde_json::Value::from(text);
    [
        format!(
            r#"{{"request":{{"method":"POST","uri":"https://h.example/v1","body":"{{}}"}},
                "response":{{"status":{{"code":200,"message":"OK"}},"headers":{{}},"body":{{"string":{text}}}}}}}"#
        ),
        format!(
            r#"{{"startedDateTime":"2026-07-30T09:00:00Z","time":812.4,"request":{{"method":"POST","url":"https://h.example/v1"}},
                "response":{{"status":200,"headers":[],"content":{{"size":9,"text":{text}}}}}}}"#
        ),
        format!(r#"{{"status":200,"headers":{{}},"body":{text}}}"#),
    ]
}

/// A frame of AWS: lengths, their checksum (which nobody asks for here), headers, the payload, a checksum.
pub(super) fn frame(kind: (&str, &str), payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [kind, (":content-type", "application/json"), (":message-type", "event")] {
        headers.push(u8::try_from(name.len()).unwrap());
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let whole = 12 + headers.len() + payload.len() + 4;
    let mut frame = Vec::new();
    frame.extend_from_slice(&u32::try_from(whole).unwrap().to_be_bytes());
    frame.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&[0x8c, 0xc1, 0x76, 0x93]);
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend_from_slice(&[0xf5, 0x12, 0xa0, 0x05]);
    frame
}

fn converse_stream() -> Vec<u8> {
    let event = |kind: &'static str, payload: &str| frame((":event-type", kind), payload);
    [
        event("messageStart", r#"{"p":"abcd","role":"assistant"}"#),
        event("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"SECRET"},"p":"ab"}"#),
        event("contentBlockStop", r#"{"contentBlockIndex":0,"p":"abc"}"#),
        event("messageStop", r#"{"p":"ab","stopReason":"end_turn"}"#),
        event(
            "metadata",
            r#"{"metrics":{"latencyMs":391},"p":"abc","usage":{"inputTokens":13,"outputTokens":82,"serverToolUsage":{},"totalTokens":95}}"#,
        ),
    ]
    .concat()
}

#[test]
fn frames_of_aws_are_read_from_their_bytes() {
    let bytes = converse_stream();
    let decoded = decode(&record(&bytes, &[]), &config());
    let lines: Vec<String> = events(&decoded).into_iter().map(line).collect();
    assert_eq!(
        lines,
        ["aws.bedrock unknown: input_text_tokens 13, output_text_tokens 82 [id_from_position, time_assumed]"]
    );
    // One that was cut off has no counts, and one that failed says so.
    let cut = decode(&record(&bytes[..bytes.len() - 30], &[]), &config());
    assert!(events(&cut).is_empty() && cut.items.len() == 4, "{cut:#?}");
    let mut failed = frame((":event-type", "messageStart"), r#"{"role":"assistant"}"#);
    failed.extend(frame((":exception-type", "throttlingException"), r#"{"message":"slow down"}"#));
    assert_eq!(ignored(&STANDARD.encode(failed)), [IgnoreReason::StreamFragment, IgnoreReason::FailedCall]);
}

#[test]
fn frames_of_aws_are_found_in_the_base64_of_every_recorder() {
    let whole = STANDARD.encode(converse_stream());
    // As YAML folds it.
    let folded: String =
        whole.as_bytes().chunks(76).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    for text in [&whole, &folded] {
        for payload in recorded(text) {
            assert!(line(&event(&payload)).contains("input_text_tokens 13, output_text_tokens 82"), "{payload}");
        }
    }
    let address = "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-micro-v1%3A0/converse-stream";
    check(
        &format!(
            r#"{{"http_interactions":[{{"request":{{"method":"post","uri":"{address}","body":{{"encoding":"UTF-8","base64_string":"e30="}}}},
                "response":{{"status":{{"code":200,"message":"OK"}},"headers":{{}},"body":{{"encoding":"ASCII-8BIT","base64_string":"{whole}"}}}},
                "recorded_at":"Thu, 30 Jul 2026 09:00:00 GMT"}}],"recorded_with":"VCR 6.3.1"}}"#
        ),
        "envelope/envelope/envelope/envelope/bedrock.converse",
        &["aws.bedrock amazon.nova-micro-v1:0: input_text_tokens 13, output_text_tokens 82 [id_from_position]"],
    );
}

#[test]
fn chunks_of_invoke_model_within_frames_of_aws_are_put_together() {
    let chunk = |event: &str| {
        let payload = format!(r#"{{"bytes":"{}","p":"ab"}}"#, STANDARD.encode(event));
        frame((":event-type", "chunk"), &payload)
    };
    let stream = [
        chunk(
            r#"{"type":"message_start","message":{"id":"msg_bdrk_7","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":25,"output_tokens":1}}}"#,
        ),
        chunk(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}"#),
        chunk(
            r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":25,"outputTokenCount":15}}"#,
        ),
    ];
    check(
        &STANDARD.encode(stream.concat()),
        "bedrock.stream_chunk/anthropic.message",
        &["aws.bedrock claude-haiku-4-5: input_text_tokens 25, output_text_tokens 15 [time_assumed]"],
    );
}

#[test]
fn streams_of_lines_and_lists_are_found_in_the_texts_of_recorders() {
    let lines = "{\"model\":\"llama3.2\",\"created_at\":\"2026-07-30T09:00:00.1Z\",\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"done\":false}\n\
                 {\"model\":\"llama3.2\",\"created_at\":\"2026-07-30T09:00:00.3Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\
                 \"done_reason\":\"stop\",\"done\":true,\"prompt_eval_count\":20,\"eval_count\":2}\n";
    let list = r#"[{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"trafficType":"ON_DEMAND"},"modelVersion":"gemini-2.5-flash","responseId":"r7"}
,
{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":12,"totalTokenCount":21},"modelVersion":"gemini-2.5-flash","responseId":"r7"}
]"#;
    for payload in recorded(lines) {
        assert!(line(&event(&payload)).starts_with("ollama llama3.2: input_text_tokens 20, output_text_tokens 2 ["));
    }
    for payload in recorded(list) {
        assert!(line(&event(&payload)).contains("gemini-2.5-flash: input_text_tokens 9, output_text_tokens 12"));
    }
}

#[test]
fn how_long_a_call_took_is_no_time_of_it() {
    let body = r#"{"id":"msg_7","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":3,"output_tokens":4}}"#;
    let text = serde_json::Value::from(body);
    let archived = event(&format!(
        r#"{{"startedDateTime":"2026-07-30T09:00:00Z","time":812,"request":{{"method":"POST","url":"https://api.anthropic.com/v1/messages"}},
            "response":{{"status":200,"headers":[],"content":{{"text":{text}}}}}}}"#
    ));
    assert_eq!(archived.event_time, "2026-07-30T09:00:00Z".parse().unwrap());
    let logged = event(&format!(r#"{{"status":200,"time":0.532,"body":{body}}}"#));
    assert_eq!(
        (logged.event_time, &*line(&logged)),
        (arrival(), "anthropic claude-haiku-4-5: input_text_tokens 3, output_text_tokens 4 [time_assumed]")
    );
}

#[test]
fn what_googles_recorder_keeps_is_one_call_beside_what_the_sdk_made_of_it() {
    let replay = |request: &str, segments: &str, made: &str| {
        format!(
            r#"{{"replay_id":"models/x/mldev.json","interactions":[{{"request":{{"method":"post","url":"{{VERTEX_URL_PREFIX}}/publishers/google/models/{request}",
                "headers":{{}},"body_segments":[{{"contents":[]}}]}},"response":{{"status_code":200,"headers":{{}},"body_segments":[{segments}],
                "byte_segments":[],"sdk_response_segments":[{made}]}}}}]}}"#
        )
    };
    check(
        &replay(
            "gemini-2.5-flash:streamGenerateContent?alt=sse",
            r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"trafficType":"ON_DEMAND"},"modelVersion":"gemini-2.5-flash","createTime":"2026-07-30T09:00:00Z","responseId":"r8"},
               {"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":12,"totalTokenCount":20,"trafficType":"ON_DEMAND"},"modelVersion":"gemini-2.5-flash","createTime":"2026-07-30T09:00:00Z","responseId":"r8"}"#,
            r#"{"candidates":[],"model_version":"gemini-2.5-flash","response_id":"r8","usage_metadata":{"traffic_type":"ON_DEMAND"}},
               {"candidates":[],"model_version":"gemini-2.5-flash","response_id":"r8","usage_metadata":{"prompt_token_count":8,"candidates_token_count":12,"total_token_count":20}}"#,
        ),
        "records",
        &["gcp.vertex_ai gemini-2.5-flash: input_text_tokens 8, output_text_tokens 12"],
    );
    check(
        &replay(
            "text-embedding-005:predict",
            r#"{"predictions":[{"embeddings":{"statistics":{"truncated":false,"token_count":7},"values":[0.1]}}]}"#,
            r#"{"embeddings":[{"values":[0.1],"statistics":{"token_count":7}}]}"#,
        ),
        "records",
        &["gcp.vertex_ai text-embedding-005: input_text_tokens 7 [id_from_position, time_assumed]"],
    );
    let listed = r#"{"models":[{"name":"models/gemini-2.5-flash","supportedGenerationMethods":["generateContent"]}]}"#;
    assert_eq!(ignored(&replay("", listed, listed)), [IgnoreReason::StatusOnly]);
}

#[test]
fn a_recorded_request_says_which_model_was_asked_wherever_its_text_stands() {
    let answer = r#"{\"id\":\"c1\",\"message\":{\"role\":\"assistant\",\"content\":[]},\"usage\":{\"billed_units\":{\"input_tokens\":9,\"output_tokens\":4}}}"#;
    let asked = r#"{\"model\":\"command-r-plus\",\"messages\":[]}"#;
    for payload in [
        format!(
            r#"{{"request":{{"method":"post","uri":"https://api.cohere.com/v2/chat","body":{{"encoding":"UTF-8","string":"{asked}"}}}},
                "response":{{"status":{{"code":200,"message":"OK"}},"headers":{{}},"body":{{"encoding":"UTF-8","string":"{answer}"}}}},
                "recorded_at":"Thu, 30 Jul 2026 09:00:00 GMT"}}"#
        ),
        format!(
            r#"{{"startedDateTime":"2026-07-30T09:00:00Z","time":5,"request":{{"method":"POST","url":"https://api.cohere.com/v2/chat",
                "postData":{{"mimeType":"application/json","text":"{asked}"}}}},"response":{{"status":200,"content":{{"text":"{answer}"}}}}}}"#
        ),
    ] {
        let event = event(&payload);
        assert_eq!(line(&event), "cohere command-r-plus: input_text_tokens 9, output_text_tokens 4");
        assert_eq!(event.event_time, "2026-07-30T09:00:00Z".parse().unwrap());
    }
}

#[test]
fn lists_of_models_files_tokens_and_keys_in_a_recorded_session_are_no_calls() {
    for payload in [
        r#"{"access_token":"x","expires_in":3599,"token_type":"Bearer"}"#,
        r#"{"models":[{"name":"models/gemini-2.5-flash","inputTokenLimit":1048576,"supportedGenerationMethods":["generateContent"]}]}"#,
        r#"{"models":[{"name":"llama3.2:latest","model":"llama3.2:latest","size":2019393189,"digest":"a80c"}]}"#,
        r#"{"data":[{"id":"openai/gpt-4o","context_length":128000,"pricing":{"prompt":"0.1","completion":"0.2"}}]}"#,
        r#"{"file":{"name":"files/abc","mimeType":"image/png","state":"ACTIVE","uri":"https://x"}}"#,
        r#"{"name":"batches/abc","metadata":{"model":"models/gemini-2.5-flash","state":"BATCH_STATE_PENDING"}}"#,
        r#"{"tokens":[5,6],"token_strings":["a","b"],"meta":{"api_version":{"version":"1"}}}"#,
        r#"{"count":3,"max_model_len":4096,"tokens":[1,2,3]}"#,
        r#"{"tokensInfo":[{"role":"user","tokenIds":["1"],"tokens":["aA=="]}]}"#,
        r#"{"object":"agent","id":"ag_1","model":"mistral-medium-2505","created_at":"2026-07-30T09:00:00Z"}"#,
        r#"{"id":"skill_1","type":"skill","display_title":"x","created_at":"2026-07-30T09:00:00Z"}"#,
        r#"{"invocationArn":"arn:aws:bedrock:us-east-1:123456789012:async-invoke/x"}"#,
        r#"{"output":{"task_status":"PENDING","task_id":"t"},"request_id":"r"}"#,
        r#"{"version":"0.12.3"}"#,
    ] {
        assert_eq!(ignored(payload), [IgnoreReason::StatusOnly], "{payload}");
    }
    // A report by model is none of these, and neither is nothing.
    for payload in [r#"{"models":[{"name":"gpt-5","input_tokens":5}]}"#, "{}"] {
        assert!(matches!(&decoded(payload).items[..], [Item::Rejected(_)]), "{payload}");
    }
    // Blocked before any model read it.
    for payload in [
        r#"{"promptFeedback":{"blockReason":"MODEL_ARMOR"},"usageMetadata":{"trafficType":"ON_DEMAND"},"modelVersion":"gemini-2.5-flash","responseId":"r"}"#,
        r#"{"promptFeedback":{"blockReason":"SAFETY"},"modelVersion":"gemini-2.5-flash"}"#,
        r#"{"output":{"task_status":"FAILED","task_id":"t","code":"InvalidParameter"},"request_id":"r"}"#,
    ] {
        assert_eq!(ignored(payload), [IgnoreReason::FailedCall], "{payload}");
    }
}

#[test]
fn exchanges_that_go_kept_as_they_went_over_the_wire_are_calls() {
    let chat = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;
    let gemini = r#"{"candidates":[],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":6,"totalTokenCount":11},"responseId":"r"}"#;
    let (first, second) = gemini.split_at(50);
    let exchanges = [
        (
            "POST https://api.openai.com/v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n\r\n{\"model\":\"gpt-5.4\"}".to_owned(),
            format!("HTTP/2.0 200 OK\r\nConnection: close\r\n\r\n{chat}"),
        ),
        (
            "POST /v1beta/models/gemini-2.5-flash:generateContent HTTP/1.1\r\nHost: generativelanguage.googleapis.com\r\n\r\n{}".to_owned(),
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: Sat, 01 Aug 2026 09:00:00 GMT\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
                first.len(),
                second.len()
            ),
        ),
    ];
    let kept = exchanges.map(|(asked, answered)| format!("{} {}\n{asked}{answered}", asked.len(), answered.len()));
    check(
        &format!("httprr trace v1\n{}", kept.concat()),
        "records",
        &[
            "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5",
            "gcp.gemini gemini-2.5-flash: input_text_tokens 5, output_text_tokens 6",
        ],
    );
    for broken in [
        "httprr trace v1\n",
        "httprr trace v1\n99999999999999999999 1\nx",
        "httprr trace v1\n9 9\nx",
        "httprr trace v1\nä",
    ] {
        assert_eq!(events(&decoded(broken)).len(), 0, "{broken}");
    }
}

#[test]
fn lines_of_pairs_that_count_a_call_are_flat_records() {
    let counted = "openai gpt-5.4: input_text_tokens 1000, cache_read_text_tokens 200, output_text_tokens 300";
    let pairs = "model=gpt-5.4 input_tokens=1200 output_tokens=300 cached_tokens=200";
    for line in [
        format!("time=2026-08-01T09:00:00Z level=info msg=\"llm (x) done\" {pairs} id=7 duration=1.2s"),
        format!("2026-08-01T09:00:00.123456+00:00 app[web.1]: at=info model=\"gpt-5.4\" {} id=7", &pairs[14..]),
        format!("[2026-08-01 09:00:00,123] INFO in llm: {} id=7 time=12ms", pairs.replace(' ', ", ")),
        format!("starting\n2026-08-01 09:00:00 INFO usage | {} | id=7\ndone", pairs.replace(' ', " | ")),
    ] {
        check(&line, "flat_usage", &[counted]);
        let text = serde_json::Value::from(line);
        check(
            &format!(r#"{{"log":{text},"stream":"stdout","time":"2026-08-01T09:00:00.1Z"}}"#),
            "envelope/flat_usage",
            &[counted],
        );
    }
    // No counts, no model, or what somebody says about them.
    for line in ["model=gpt-5.4 prompt_tokens=many", "prompt_tokens=5 completion_tokens=6", "model= input_tokens=5"] {
        assert!(matches!(decoded(line).items[..], [Item::Rejected(_)]), "{line}");
    }
    let said = format!(r#"{{"role":"user","content":"{pairs}","message":"{pairs}"}}"#);
    assert!(matches!(decoded(&said).items[..], [Item::Rejected(_)]));
}

#[test]
fn an_answer_after_the_words_of_its_logger_is_found_where_shippers_keep_lines() {
    let body = r#"INFO:root: got {"id":"chatcmpl-1","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;
    let text = serde_json::Value::from(body);
    for kept in [
        format!(r#"{{"log":{text},"stream":"stderr","time":"2026-08-01T09:00:00.1Z"}}"#),
        format!(r#"{{"log":{text},"stream":"stderr","kubernetes":{{"pod_name":"p"}}}}"#),
        format!(
            r#"{{"textPayload":{text},"insertId":"x","logName":"projects/p/logs/stderr","timestamp":"2026-08-01T09:00:00Z"}}"#
        ),
        format!(r#"{{"@timestamp":"2026-08-01T09:00:00Z","message":{text}}}"#),
        format!(r#"{{"MESSAGE":{text},"__REALTIME_TIMESTAMP":"1785578390000000","_PID":"1"}}"#),
    ] {
        check(
            &kept,
            "envelope/openai.chat_completion",
            &["openai gpt-5.4: input_text_tokens 10, output_text_tokens 5"],
        );
    }
    assert_eq!(events(&decoded(&format!(r#"{{"role":"user","message":{text}}}"#))).len(), 0);
}

#[test]
fn an_answer_is_found_among_the_words_of_a_program() {
    let body = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;
    let pretty = body.replace(",\"", ",\n  \"");
    let python = body.replace('"', "'");
    let counted = "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5";
    let texts = [
        format!("RAW RESPONSE:\n{pretty}"),
        format!("2026-08-01 09:00:00 INFO resp={body} took=12ms"),
        format!("const response = {body};"),
        format!("* Connected\n> POST /v1 HTTP/2\n>\n< HTTP/2 200\n< content-type: application/json\n<\n{body}"),
        format!("2026-08-01 09:00:00,123 - app - INFO - {python}"),
        "INFO:root:Response: ChatCompletion(id='chatcmpl-1', choices=[], created=1785578390, model='gpt-5.4', object='chat.completion', \
         usage=CompletionUsage(completion_tokens=5, prompt_tokens=10, total_tokens=15))"
            .to_owned(),
    ];
    for text in &texts {
        check(text, "openai.chat_completion", &[counted]);
        let line = serde_json::Value::from(text.as_str());
        check(
            &format!(r#"{{"streams":[{{"stream":{{"app":"x"}},"values":[["1785578390000000000",{line}]]}}]}}"#),
            "log.lines",
            &[counted],
        );
    }
    let chunk = |rest: &str| {
        format!(
            r#"{{"id":"chatcmpl-2","object":"chat.completion.chunk","created":1785578390,"model":"gpt-5.4","choices":[],{rest}}}"#
        )
    };
    let usage = r#""usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}"#;
    let frames = format!("[09:00:01] data: {}\n[09:00:02] data: {}", chunk(r#""usage":null"#), chunk(usage));
    check(&frames, "openai.chat_completion", &[counted]);
    // What goes on after it is a page that shows one.
    for page in
        [format!("An answer:\n{pretty}\nThis is how it looks.\nAnother line."), format!("See\n{python}\nand\nmore.")]
    {
        assert_eq!(events(&decoded(&page)).len(), 0, "{page}");
    }
}
