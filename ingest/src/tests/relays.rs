//! Bodies of relays and recorders of 2026, composed after what others published: what they put beside an answer, and around it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemas::{CostBasis, Flag};

use super::recordings::frame;
use super::{decoded, event, events, ignored, line};
use crate::{IgnoreReason, Item};

fn chat(id: &str, model: &str, usage: &str, more: &str) -> String {
    format!(
        r#"{{"id":"{id}","object":"chat.completion","created":1785578390,"model":"{model}","choices":[],"usage":{usage}{more}}}"#
    )
}

fn plain(id: &str) -> String {
    chat(id, "gpt-4o", r#"{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}"#, "")
}

const PLAIN: &str = "openai gpt-4o: input_text_tokens 10, output_text_tokens 2";

#[track_caller]
fn check(payload: &str, expected: &str) {
    assert_eq!(line(&event(payload)), expected, "{payload}");
}

/// Checks that a record holds these calls of [`plain`] and nothing else.
#[track_caller]
fn check_plain(payload: &str, ids: &[&str]) {
    let found = decoded(payload);
    assert_eq!(found.items.len(), ids.len(), "{found:#?}");
    let keys: Vec<&str> = events(&found).iter().map(|event| &*event.call_key).collect();
    let expected: Vec<String> = ids.iter().map(|id| format!("openai/{id}")).collect();
    assert_eq!(keys, expected, "{found:#?}");
    assert!(events(&found).iter().all(|event| line(event) == PLAIN), "{found:#?}");
}

#[test]
fn mistral_says_with_the_counts_how_it_served() {
    let counts = |tier: &str| {
        format!(
            r#"{{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23,"request_count":1,"service_tier":"{tier}",
                "prompt_tokens_details":{{"cached_tokens":4,"messages":[{{"role":"user","total_tokens":20}}]}}}}"#
        )
    };
    let found = event(&chat("m1", "mistral-small-latest", &counts("priority"), ""));
    assert_eq!(
        line(&found),
        "mistral_ai mistral-small-latest: input_text_tokens 16, cache_read_text_tokens 4, output_text_tokens 3"
    );
    assert_eq!(found.price_context.service_tier.as_deref(), Some("priority"));
    // What stands beside the counts goes first, and nobody was served by a wish.
    let both = event(&chat("m2", "mistral-small-latest", &counts("standard"), r#","service_tier":"flex""#));
    assert_eq!(both.price_context.service_tier.as_deref(), Some("flex"));
    assert_eq!(event(&chat("m3", "mistral-small-latest", &counts("auto"), "")).price_context.service_tier, None);
}

#[test]
fn what_a_cache_had_of_a_sound_is_no_part_of_the_prompt() {
    check(
        r#"{"model":"voxtral-mini-2602","text":"x","language":null,"segments":[],"usage":{"prompt_audio_seconds":5,"prompt_tokens":5,
            "total_tokens":404,"completion_tokens":24,"request_count":1,"prompt_tokens_details":{"cached_tokens":368}},"finish_reason":null}"#,
        "mistral_ai voxtral-mini-2602: input_text_tokens 5, output_text_tokens 24, input_audio_seconds 5 \
         [id_from_position, time_assumed, total_mismatch]",
    );
}

#[test]
fn new_api_says_how_long_what_was_written_lasts_and_whose_counts_it_passes_on() {
    let none = r#""text_tokens":0,"audio_tokens":0,"image_tokens":0"#;
    let usage = |prompt: u32, total: u32, semantic: &str| {
        format!(
            r#"{{"prompt_tokens":{prompt},"completion_tokens":30,"total_tokens":{total},
                "prompt_tokens_details":{{"cached_tokens":60,"cached_creation_tokens":40,{none}}},
                "completion_tokens_details":{{"reasoning_tokens":0,{none}}},"input_tokens":14,"output_tokens":0,
                "input_tokens_details":null,"claude_cache_creation_5_m_tokens":15,"claude_cache_creation_1_h_tokens":25,
                "usage_semantic":"{semantic}","usage_source":"anthropic"}}"#
        )
    };
    let expected = "anthropic claude-sonnet-4-5: input_text_tokens 14, cache_read_text_tokens 60, cache_write_5m_tokens 15, \
                    cache_write_1h_tokens 25, output_text_tokens 30";
    check(&chat("msg_1", "claude-sonnet-4-5", &usage(114, 144, "openai"), ""), expected);
    // Counts that came as Anthropic's leave the caches beside the prompt, and out of the total.
    check(&chat("msg_2", "claude-sonnet-4-5", &usage(14, 44, "anthropic"), ""), expected);

    let message = |cached: &str| {
        format!(
            r#"{{"id":"msg_3","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],
                "usage":{{"input_tokens":14,"cache_creation_input_tokens":40,"cache_read_input_tokens":60,
                "output_tokens":30,"cache_creation":{{}}{cached}}}}}"#
        )
    };
    let told = r#","claude_cache_creation_5_m_tokens":15,"claude_cache_creation_1_h_tokens":25"#;
    check(&message(told), &format!("{expected} [time_assumed]"));
    // Names of which the counts do not add up say nothing.
    let odd = event(&message(r#","claude_cache_creation_5_m_tokens":0,"claude_cache_creation_1_h_tokens":25"#));
    assert_eq!(odd.flags, [Flag::TimeAssumed, Flag::Assumed5m]);
}

#[test]
fn lifetimes_beside_the_counts_of_a_chat_are_read_as_anthropic_names_them() {
    let usage = r#"{"prompt_tokens":357,"completion_tokens":77,"total_tokens":434,"cache_read_input_tokens":100,
        "cache_creation_input_tokens":50,"cache_creation":{"ephemeral_1h_input_tokens":50,"ephemeral_5m_input_tokens":0},
        "prompt_tokens_details":{"cached_tokens":100,"cache_write_tokens":50}}"#;
    // Who numbers answers as OpenRouter does, but writes the names of Hugging Face, is another.
    check(
        &chat("gen-1790975898-wsFYSlErXe", "Qwen/Qwen3.5-397B-A17B-FP8", usage, ""),
        "unknown Qwen/Qwen3.5-397B-A17B-FP8: input_text_tokens 207, cache_read_text_tokens 100, cache_write_1h_tokens 50, \
         output_text_tokens 77 [id_from_position]",
    );
    let found = event(&chat("gen-1790975898-wsFYSlErXe", "qwen/qwen3.5-397b-a17b", usage, ""));
    assert_eq!(found.provider, "openrouter");
}

#[test]
fn what_copilot_passes_on_is_its_own_and_paid_for_by_its_credits() {
    let credits = r#""copilot_usage":{"token_details":[{"batch_size":1000000,"cost_per_batch":500000000000,"token_count":21,
        "token_type":"input"}],"total_nano_aiu":598500000}"#;
    let usage = r#"{"prompt_tokens":154,"completion_tokens":29,"total_tokens":183,"reasoning_tokens":0}"#;
    let filtered = r#","prompt_filter_results":[{"content_filter_results":{},"prompt_index":0}]"#;
    let whole = chat("chatcmpl-c1", "gpt-4o-2024-11-20", usage, &format!("{filtered},{credits}"));
    let frame = |rest: &str| {
        format!(
            r#"data: {{"id":"chatcmpl-c2","created":0,"model":"gpt-4o-2024-11-20","choices":[{{"index":0,"delta":{{}}}}]{rest}}}"#
        )
    };
    let streamed =
        format!("{}\n\n{}\n\ndata: [DONE]\n", frame(filtered), frame(&format!(r#","usage":{usage},{credits}"#)));
    let message = format!(
        r#"{{"id":"msg_bdrk_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],
            "usage":{{"input_tokens":154,"output_tokens":29}},{credits}}}"#
    );
    let events_of_claude = format!(
        "data: {}\n\ndata: {}\n\ndata: {}\n",
        r#"{"type":"message_start","message":{"id":"msg_vrtx_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"usage":{"input_tokens":154,"output_tokens":1}}}"#,
        format_args!(
            r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{{"output_tokens":29}},{}}}"#,
            credits.replace('\n', "")
        ),
        r#"{"type":"message_stop"}"#
    );
    for payload in [whole, streamed.replace("\n        ", ""), message, events_of_claude.replace("\n        ", "")] {
        let found = event(&payload);
        assert_eq!(found.provider, "github", "{payload}");
        assert!(line(&found).contains("input_text_tokens 154, output_text_tokens 29"), "{found:#?}");
        assert_eq!(found.cost_basis, CostBasis::Included);
        assert_eq!(found.reported_cost.unwrap().amount.to_string(), "0.005985");
        assert!(found.call_key.starts_with("github/"), "{}", found.call_key);
    }
}

#[test]
fn venice_states_its_cost_in_dollars_beside_its_own_coin() {
    let usage = r#"{"prompt_tokens":1575,"completion_tokens":2,"total_tokens":1577,"cache_read_input_tokens":1056,
        "prompt_tokens_details":{"cached_tokens":1056}}"#;
    let whole = chat("chatcmpl-v1", "qwen3-5-9b", usage, r#","cost":{"diem":0,"usd":0.0001578}"#);
    let streamed = format!(
        "data: {}\n\ndata: {}\n",
        r#"{"id":"chatcmpl-v2","object":"chat.completion.chunk","created":0,"model":"qwen3-5-9b","choices":[{"index":0,"delta":{}}]}"#,
        whole.replace("chat.completion", "chat.completion.chunk").replace('\n', "")
    );
    for payload in [whole, streamed] {
        let found = event(&payload);
        assert_eq!(
            line(&found),
            "venice qwen3-5-9b: input_text_tokens 519, cache_read_text_tokens 1056, output_text_tokens 2 [id_from_position]"
        );
        assert_eq!(found.reported_cost.unwrap().amount.to_string(), "0.0001578");
    }
}

#[test]
fn timings_of_mistral_rs_and_calls_of_an_interaction_are_no_unknown_counts() {
    let usage = r#"{"prompt_tokens":36,"completion_tokens":24,"total_tokens":60,"avg_compl_tok_per_sec":5.25,"avg_prompt_tok_per_sec":56.07,
        "avg_tok_per_sec":11.5,"total_completion_time_sec":4.57,"total_prompt_time_sec":0.642,"total_time_sec":5.2}"#;
    check(
        &chat("8", "Qwen/Qwen3-4B", usage, ""),
        "unknown Qwen/Qwen3-4B: input_text_tokens 36, output_text_tokens 24 [id_from_position]",
    );
    check(
        r#"{"id":"v1_a","object":"interaction","status":"completed","model":"gemini-3-flash","created":"2026-08-01T09:59:50Z",
            "usage":{"total_tokens":224,"total_input_tokens":60,"total_output_tokens":20,"total_thought_tokens":144,
            "grounding_tool_count":[{"type":"google_search","count":2,"search_query_count":2}],"raw_prompt_token":9464,
            "model_invocation_token_counts":[{"prompt_tokens_details":[{"modality":"text","tokens":232}]}],
            "non_grounding_model_invocation_token_counts":[{"prompt_tokens_details":[{"modality":"text","tokens":232}]}]},"steps":[]}"#,
        "gcp.gemini gemini-3-flash: input_text_tokens 60, output_text_tokens 20, output_reasoning_tokens 144, web_searches 2",
    );
}

#[test]
fn names_of_one_house_alone_say_who_served_a_model() {
    for (model, provider) in [
        ("gpt-35-turbo", "azure.ai.openai"),
        ("gpt-3.5-turbo", "openai"),
        ("claude-sonnet-4-5@20250929", "gcp.vertex_ai"),
        ("codestral@latest", "gcp.vertex_ai"),
        ("@cf/meta/llama-3.1-8b-instruct", "cloudflare"),
        ("llama-3.3-70b-versatile", "groq"),
        ("llama-3.3-70b-instruct", "unknown"),
        ("qwen3-coder-plus", "dashscope"),
        ("qwen3.5-plus-2026-02-15", "dashscope"),
        ("qwen-vl-max", "dashscope"),
        ("qwen/qwen3-coder-plus", "unknown"),
        ("qwen3p6-plus", "unknown"),
        ("qwen3-coder-30b-a3b-instruct", "unknown"),
        ("MiniMax-M2.5-highspeed", "minimax"),
        ("MiniMax-M2.5", "unknown"),
        ("kimi-k2-thinking-turbo", "moonshot_ai"),
        ("kimi-k2-thinking", "unknown"),
        ("glm-4.7-flashx", "zai"),
        ("glm-4.7", "unknown"),
        ("open-mistral-nemo", "mistral_ai"),
        ("rerank-3-lite", "voyageai"),
        ("rerank-v3.5", "cohere"),
        ("moonshotai.kimi-k2.5", "aws.bedrock"),
        ("us.xai.grok-4.6", "aws.bedrock"),
        ("xai.grok-4.6", "unknown"),
        ("eleven_multilingual_v2", "elevenlabs"),
    ] {
        let found = event(&chat("x", model, r#"{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}"#, ""));
        assert_eq!(found.provider, provider, "{model}");
    }
    // An answer in Anthropic's own tongue, too.
    let message = r#"{"type":"message","role":"assistant","model":"claude-sonnet-4-5@20250929","content":[],
        "usage":{"input_tokens":10,"output_tokens":2}}"#;
    assert_eq!(event(message).provider, "gcp.vertex_ai");
}

/// The lines of a text, indented.
fn indented(text: &str, by: &str) -> String {
    text.lines().map(|line| format!("{by}{line}\n")).collect()
}

#[test]
fn documents_of_httpmock_are_exchanges() {
    let mock = |status: u32, body: &str| {
        format!(
            "when:\n  path: /v1/chat/completions\n  method: POST\n  header:\n  - name: content-type\n    value: application/json\n  \
             body: '{{\"model\":\"gpt-4o\",\"messages\":[]}}'\nthen:\n  status: {status}\n  header:\n  - name: date\n    \
             value: Sat, 01 Aug 2026 09:59:50 GMT\n  body: |\n{}",
            indented(body, "    ")
        )
    };
    check_plain(&mock(200, &plain("chatcmpl-h1")), &["chatcmpl-h1"]);
    let both =
        format!("# made by a test\n---\n{}---\n{}", mock(200, &plain("chatcmpl-h2")), mock(200, &plain("chatcmpl-h3")));
    check_plain(&both, &["chatcmpl-h2", "chatcmpl-h3"]);
    let stream =
        format!("data: {}\n\ndata: [DONE]\n", plain("chatcmpl-h4").replace("chat.completion", "chat.completion.chunk"));
    check_plain(&mock(200, &stream), &["chatcmpl-h4"]);
    let refused =
        mock(401, r#"{"error":{"message":"API key is invalid.","type":"authentication_error"},"type":"error"}"#);
    assert_eq!(ignored(&refused), [IgnoreReason::FailedCall]);
    // The address names the model, and the head the time, where the body names neither.
    let bedrock = mock(
        200,
        r#"{"output":{},"stopReason":"end_turn","usage":{"inputTokens":10,"outputTokens":2,"totalTokens":12}}"#,
    )
    .replace("/v1/chat/completions", "/model/us.amazon.nova-micro-v1:0/converse")
    .replace(r#""model":"gpt-4o","#, "");
    let found = event(&bedrock);
    assert_eq!(
        line(&found),
        "aws.bedrock us.amazon.nova-micro-v1:0: input_text_tokens 10, output_text_tokens 2 [id_from_position]"
    );
    assert_eq!(found.event_time.to_string(), "2026-08-01T09:59:50Z");
}

#[test]
fn recordings_as_yaml_of_php_javascript_and_python_are_read() {
    let body = |id: &str| format!("'{}'", plain(id));
    let php = format!(
        "\n-\n    request:\n        method: POST\n        url: 'https://api.openai.com/v1/chat/completions'\n        body: '{{}}'\n    \
         response:\n        status:\n            http_version: '1.1'\n            code: '200'\n            message: OK\n        \
         headers:\n            Date: 'Sat, 01 Aug 2026 09:59:50 GMT'\n        body: {}\n",
        body("chatcmpl-y1")
    );
    check_plain(&php, &["chatcmpl-y1"]);
    let archive = format!(
        "log:\n  _recordingName: a\n  creator:\n    name: Polly.JS\n    version: 6.0.6\n  entries:\n    - _id: a\n      request:\n        \
         method: POST\n        url: https://api.openai.com/v1/chat/completions\n        headers: []\n      response:\n        content:\n          \
         mimeType: application/json\n          size: 9\n          text: {}\n        headers: []\n        status: 200\n      \
         startedDateTime: 2026-08-01T09:59:49.000Z\n      time: 900\n",
        body("chatcmpl-y2")
    );
    check_plain(&archive, &["chatcmpl-y2"]);
    let python = format!(
        "responses:\n- response:\n    auto_calculate_content_length: false\n    body: {}\n    content_type: application/json\n    \
         method: POST\n    status: 200\n    url: https://api.openai.com/v1/chat/completions\n",
        body("chatcmpl-y3")
    );
    check_plain(&python, &["chatcmpl-y3"]);
    // What only looks like one is none.
    for other in
        ["when:\n  it: rains\nthen:\n  - we stay\n", "request: a\nresponse: b\n", "log: [unclosed\nentries: 1\n"]
    {
        assert!(decoded(other).items.iter().all(|item| matches!(item, Item::Rejected(_))), "{other}");
    }
}

#[test]
fn bodies_are_put_together_from_the_pieces_they_came_in() {
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let zipped = |text: &str| {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    // Pieces are cut anywhere, also within a frame.
    let stream = format!(
        "data: {}\n\ndata: {}\n\ndata: [DONE]\n\n",
        r#"{"id":"chatcmpl-p1","object":"chat.completion.chunk","created":1785578390,"model":"gpt-4o","choices":[{"index":0,"delta":{}}]}"#,
        plain("chatcmpl-p1").replace("chat.completion", "chat.completion.chunk")
    );
    let (first, second) = stream.as_bytes().split_at(150);
    let fixture = |chunks: &str, body: &str| {
        format!(
            r#"{{"captured_at":"2026-08-01T09:59:51.5Z",{chunks}"model_spec":"openai:gpt-4o","provider":"openai","request":{{"method":"POST",
                "url":"https://api.openai.com/v1/chat/completions","body":{{"b64":"{}"}},"canonical_json":{{"model":"gpt-4o"}}}},
                "response":{{"body":{body},"headers":{{"date":"Sat, 01 Aug 2026 09:59:50 GMT"}},"status":200}},"streaming":true}}"#,
            base64(br#"{"model":"gpt-4o","messages":[],"stream":true}"#)
        )
    };
    let chunks = format!(r#""chunks":[{{"b64":"{}"}},{{"b64":"{}"}}],"#, base64(first), base64(second));
    check_plain(&fixture(&chunks, "null"), &["chatcmpl-p1"]);
    let whole = format!(r#"{{"b64":"{}"}}"#, base64(plain("chatcmpl-p2").as_bytes()));
    check_plain(&fixture("", &whole), &["chatcmpl-p2"]);

    let bytes = zipped(&plain("chatcmpl-p3"));
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let pieces = serde_json::Value::from(format!(r#"["{}","{}"]"#, base64(first), base64(second)));
    let archive = format!(
        r#"{{"log":{{"entries":[{{"request":{{"method":"POST","url":"https://api.openai.com/v1/chat/completions"}},"response":{{"status":200,
            "headers":[],"content":{{"mimeType":"application/json","encoding":"base64","size":9,"text":{pieces}}}}},
            "startedDateTime":"2026-08-01T09:59:49.000Z","time":900}}]}}}}"#
    );
    check_plain(&archive, &["chatcmpl-p3"]);

    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let nock = |pieces: &str| {
        format!(
            r#"[{{"scope":"https://api.openai.com:443","method":"POST","path":"/v1/chat/completions","body":{{"model":"gpt-4o"}},"status":200,
                "response":[{pieces}],"rawHeaders":["Content-Encoding","gzip"],"responseIsBinary":false}}]"#
        )
    };
    let bytes = zipped(&plain("chatcmpl-p4"));
    let (first, second) = bytes.split_at(100);
    check_plain(&nock(&format!(r#""{}","{}""#, hexadecimal(first), hexadecimal(second))), &["chatcmpl-p4"]);
    // A piece is missing.
    let broken = nock(&format!(r#""{}","zz""#, hexadecimal(first)));
    assert!(decoded(&broken).items.iter().all(|item| matches!(item, Item::Rejected(_))), "{broken}");
}

#[test]
fn an_answer_in_quotes_is_found_in_a_line_of_a_log() {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let answer = quoted(&plain("chatcmpl-q1"));
    let asked = quoted(r#"{"model":"gpt-4o","messages":[]}"#);
    for log in [
        format!("2026-08-01 09:59:51,123 INFO httpx: response body: {answer}"),
        format!(r#"time=2026-08-01T09:59:51Z level=INFO msg="openai answered" request={asked} body={answer}"#),
        format!("DEBUG started\nDEBUG asked {asked}\nINFO answered {answer}\n"),
    ] {
        let found = decoded(&log);
        let lines: Vec<String> = events(&found).into_iter().map(line).collect();
        assert_eq!(lines, [PLAIN], "{log}");
    }
    // What was asked counts nothing.
    assert!(events(&decoded(&format!("INFO asking {asked}"))).is_empty());
}

#[test]
fn a_body_may_say_that_it_is_base64_and_a_stream_be_cut_anywhere() {
    let recording = |body: &str, more: &str| {
        format!(
            r#"{{"request":{{"method":"POST","url":"https://api.openai.com/v1/chat/completions","body":"{{\"model\":\"gpt-4o\"}}"}},
                "response":{{"status":{{"code":200,"message":"OK"}},"headers":{{"Date":"Sat, 01 Aug 2026 09:59:50 GMT"}},"body":{body}}}{more}}}"#
        )
    };
    let encoded = format!("\"base64:{}\"", STANDARD.encode(plain("chatcmpl-b1")));
    check_plain(&recording(&encoded, ""), &["chatcmpl-b1"]);

    let chunk = plain("chatcmpl-b2").replace("chat.completion", "chat.completion.chunk");
    let stream = format!("data: {chunk}\n\ndata: [DONE]\n\n");
    for place in [9, 60, stream.len() - 20, stream.len() - 2] {
        let (first, second) = stream.split_at(place);
        let pieces = serde_json::json!([first, second]);
        check_plain(&recording(&format!(r#"{{"kind":"sse","chunks":{pieces}}}"#), ""), &["chatcmpl-b2"]);
        check_plain(&pieces.to_string(), &["chatcmpl-b2"]);
    }
}

#[test]
fn each_model_that_an_agent_of_bedrock_asks_is_a_call() {
    let event = |step: &str| {
        format!(r#"{{"trace":{{"agentId":"A","sessionId":"s","eventTime":"2026-08-01T09:59:50Z","trace":{step}}}}}"#)
    };
    let asks = |id: &str, model: &str| {
        event(&format!(
            r#"{{"orchestrationTrace":{{"modelInvocationInput":{{"foundationModel":"{model}","text":"x","traceId":"{id}"}}}}}}"#
        ))
    };
    let answers = |id: &str, metadata: &str| {
        event(&format!(
            r#"{{"orchestrationTrace":{{"modelInvocationOutput":{{"metadata":{{{metadata}}},"rawResponse":{{"content":"x"}},"traceId":"{id}"}}}}}}"#
        ))
    };
    let counted = |id: &str, input: u32| {
        let usage = format!(r#""clientRequestId":"{id}","usage":{{"inputTokens":{input},"outputTokens":30}}"#);
        answers(id, &usage)
    };
    let steps = [
        event(r#"{"guardrailTrace":{"action":"NONE","traceId":"t"}}"#),
        asks("t-0", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
        counted("r-0", 120),
        event(r#"{"orchestrationTrace":{"rationale":{"text":"x"}}}"#),
        asks("t-1", "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-pro-v1:0"),
        counted("r-1", 200),
        answers("t-2", ""),
        r#"{"chunk":{"bytes":"ZmluYWw="}}"#.to_owned(),
    ];
    let expected = [
        "aws.bedrock anthropic.claude-3-5-sonnet-20240620-v1:0: input_text_tokens 120, output_text_tokens 30",
        "aws.bedrock us.amazon.nova-pro-v1:0: input_text_tokens 200, output_text_tokens 30",
    ];
    let list = format!("[{}]", steps.join(","));
    let recorded = format!(
        r#"{{"request":{{"method":"POST","url":"https://bedrock-agent-runtime.us-east-1.amazonaws.com/agents/A/agentAliases/B/sessions/s/text"}},
            "response":{{"status":200,"headers":{{"x-amzn-requestid":"one"}},"body":"{}"}}}}"#,
        STANDARD.encode(steps.iter().map(|step| framed(step)).collect::<Vec<_>>().concat())
    );
    for payload in [steps.join("\n"), list, recorded] {
        let found = decoded(&payload);
        let calls = events(&found);
        let lines: Vec<String> = calls.iter().map(|event| line(event)).collect();
        assert_eq!(lines[..2], expected, "{payload}");
        assert!(lines[2].starts_with("aws.bedrock us.amazon.nova-pro-v1:0"), "{lines:?}");
        assert!(calls[2].flags.contains(&Flag::UsageMissing));
        assert_eq!((&*calls[0].call_key, &*calls[1].call_key), ("aws.bedrock/r-0", "aws.bedrock/r-1"));
        assert_eq!(calls[0].event_time.to_string(), "2026-08-01T09:59:50Z");
        let pieces = found
            .items
            .iter()
            .filter(|item| matches!(item, Item::Ignored { reason: IgnoreReason::StreamFragment, .. }));
        assert_eq!((pieces.count(), found.items.len()), (5, 8), "{found:#?}");
    }
    // One step alone: the answer may name its model.
    let message = serde_json::Value::from(r#"{"model":"claude-3-5-sonnet-20240620","id":"msg_bdrk_1"}"#);
    let alone = counted("r-3", 120).replace(r#"{"content":"x"}"#, &format!(r#"{{"content":{message}}}"#));
    let found = super::event(&alone);
    assert_eq!(line(&found), "aws.bedrock claude-3-5-sonnet-20240620: input_text_tokens 120, output_text_tokens 30");
    let odd = answers("r-4", r#""usage":{"inputTokens":"many","outputTokens":1}"#);
    assert!(matches!(&decoded(&odd).items[..], [Item::Rejected(_)]));
}

/// An event of a stream as a frame of AWS.
fn framed(event: &str) -> Vec<u8> {
    let (kind, rest) = event.trim_start_matches("{\"").split_once("\":").unwrap();
    frame((":event-type", kind), rest.strip_suffix('}').unwrap())
}

#[test]
fn what_was_asked_is_read_under_the_names_of_those_who_keep_it() {
    // An answer that names no model.
    let answer = r#"{"id":"resp_a1","object":"response.compaction","created_at":1785578390,"output":[],
        "usage":{"input_tokens":10,"output_tokens":2,"total_tokens":12}}"#;
    let asked = r#"{"model":"gpt-4o","service_tier":"flex","input":[]}"#;
    let text = |json: &str| serde_json::Value::from(json).to_string();
    for payload in [
        format!(r#"{{"request_body":{asked},"response_body":{answer}}}"#),
        format!(r#"{{"requestBody":{},"responseBody":{}}}"#, text(asked), text(answer)),
        format!(r#"{{"request":{},"response":{}}}"#, text(asked), text(answer)),
        format!(
            r#"{{"req":{{"method":"POST","url":"/v1/responses","body":{asked}}},"res":{{"statusCode":200,"body":{answer}}}}}"#
        ),
        format!(
            r#"{{"Entries":[{{"RequestUri":"https://api.openai.com/v1/responses/compact","RequestMethod":"POST","RequestBody":{asked},
            "StatusCode":200,"ResponseHeaders":{{}},"ResponseBody":{answer}}}],"Variables":{{}}}}"#
        ),
    ] {
        let found = event(&payload);
        assert_eq!(line(&found), PLAIN, "{payload}");
        assert_eq!(found.price_context.requested_tier.as_deref(), Some("flex"), "{payload}");
    }
    // What is no name of a model is none, and no reason to lose the answer.
    check(&format!(r#"{{"request_body":{{"model":[1]}},"response_body":{}}}"#, plain("chatcmpl-a2")), PLAIN);

    let entry = |method: &str, status: u32, body: &str| {
        format!(
            r#"{{"RequestUri":"https://one.openai.azure.com/openai/deployments/d/embeddings?api-version=1","RequestMethod":"{method}",
                "RequestHeaders":{{}},"RequestBody":null,"StatusCode":{status},
                "ResponseHeaders":{{"Date":"Sat, 01 Aug 2026 09:59:50 GMT"}},"ResponseBody":{body}}}"#
        )
    };
    let embedded =
        r#"{"object":"list","data":[],"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    let session = format!(
        r#"{{"Entries":[{},{},{},{}],"Variables":{{}}}}"#,
        entry("POST", 200, embedded),
        entry("DELETE", 200, r#"{"id":"resp_a1","object":"response.deleted","deleted":true}"#),
        entry("DELETE", 204, "null"),
        entry("POST", 429, r#"{"error":{"code":"429","message":"slow down"}}"#)
    );
    let found = decoded(&session);
    let calls = events(&found);
    assert_eq!(
        calls.iter().map(|event| line(event)).collect::<Vec<_>>(),
        ["azure.ai.openai text-embedding-3-small: input_text_tokens 8 [id_from_position]"]
    );
    assert_eq!(calls[0].event_time.to_string(), "2026-08-01T09:59:50Z");
    let reasons: Vec<IgnoreReason> = found
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Ignored { reason, .. } => Some(*reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [IgnoreReason::StatusOnly, IgnoreReason::StatusOnly, IgnoreReason::FailedCall]);
}

#[test]
fn tools_of_xai_are_counted_by_their_names_and_reranking_on_bedrock_is_a_call() {
    let usage = r#"{"completion_tokens":50,"prompt_tokens":3774,"total_tokens":4263,"prompt_text_tokens":3774,"reasoning_tokens":439,
        "cached_prompt_text_tokens":1639,"server_side_tools_used":["SERVER_SIDE_TOOL_X_SEARCH","SERVER_SIDE_TOOL_WEB_SEARCH",
        "SERVER_SIDE_TOOL_CODE_EXECUTION","SERVER_SIDE_TOOL_VIEW_IMAGE"]}"#;
    let sampled = format!(
        r#"{{"id":"97dd","outputs":[{{"finish_reason":"REASON_STOP"}}],"created":"2026-08-01T09:59:50Z","model":"grok-4-fast","usage":{usage}}}"#
    );
    check(
        &sampled,
        "x_ai grok-4-fast: input_text_tokens 2135, cache_read_text_tokens 1639, output_text_tokens 50, \
         output_reasoning_tokens 439, web_searches 2, code_sessions 1",
    );
    let new = event(&sampled.replace("TOOL_VIEW_IMAGE", "TOOL_PAINT"));
    assert!(new.flags.contains(&Flag::UnknownUsageField));

    let scored = r#"{"results":[{"index":2,"relevance_score":0.5},{"index":0,"relevance_score":0.1}]}"#;
    let recorded = format!(
        r#"{{"request":{{"method":"POST","uri":"https://bedrock-runtime.us-east-1.amazonaws.com/model/cohere.rerank-v3-5%3A0/invoke"}},
            "response":{{"status":{{"code":200}},"headers":{{"Date":["Sat, 01 Aug 2026 09:59:50 GMT"],"x-amzn-RequestId":["r-1"]}},
            "body":{{"string":{}}}}}}}"#,
        serde_json::Value::from(scored)
    );
    let found = event(&recorded);
    assert_eq!(
        (&*found.model, &*found.operation, &*found.call_key),
        ("cohere.rerank-v3-5:0", "rerank", "aws.bedrock/r-1")
    );
    assert_eq!(found.flags, [Flag::UsageMissing]);
}

#[test]
fn access_logs_of_nginx_and_documents_in_bulk_are_read() {
    let escaped = |text: &str| text.replace('\\', "\\x5C").replace('"', "\\x22").replace('\n', "\\x0A");
    let asked = escaped(r#"{"model":"gpt-4o","messages":[]}"#);
    let access = |answer: &str| {
        format!(
            "10.0.0.1 - - [01/Aug/2026:10:00:00 +0000] \"POST /v1/chat/completions HTTP/1.1\" 200 512 \"-\" \"curl/8\" \"{asked}\" \"{}\"\n",
            escaped(answer)
        )
    };
    let said = r#""content":"say \"hi\"","usage""#;
    let whole = plain("chatcmpl-n1").replace(r#""usage""#, said);
    let stream = format!(
        "data: {}\n\ndata: [DONE]\n\n",
        plain("chatcmpl-n2").replace("chat.completion", "chat.completion.chunk")
    );
    check_plain(&access(&whole), &["chatcmpl-n1"]);
    let both = format!("{}10.0.0.1 - - \"GET /v1/models HTTP/1.1\" 200 9\n{}", access(&whole), access(&stream));
    check_plain(&both, &["chatcmpl-n1", "chatcmpl-n2"]);

    let bulk = format!(
        "{}\n{}\n{}\n{}\n",
        r#"{"index":{"_index":"calls"}}"#,
        plain("chatcmpl-e1"),
        r#"{"create":{}}"#,
        plain("chatcmpl-e2")
    );
    let found = decoded(&bulk);
    let lines: Vec<String> = events(&found).into_iter().map(line).collect();
    assert_eq!((lines, found.items.len()), (vec![PLAIN.to_owned(); 2], 4));
    assert_eq!(ignored(r#"{"update":{"_id":"1","_index":"calls"}}"#), [IgnoreReason::StatusOnly]);
    // What says more is no such line.
    assert!(matches!(decoded(r#"{"index":{"_index":"a","colour":"red"}}"#).items[..], [Item::Rejected(_)]));
}
