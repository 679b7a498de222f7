//! Answers and streams as SDKs and gateways recorded them in the second half of 2026, composed anew.

use schemas::Flag;

use super::{check_rejected, decoded, event, events, meters};

/// Who served the one call of a record, its model, and its meters.
#[track_caller]
fn check(payload: &str, served: &str, expected: &str) {
    let event = event(payload);
    assert_eq!(format!("{} {}", event.provider, event.model), served, "{payload}");
    assert_eq!(meters(&event), expected, "{payload}");
}

/// A message of Anthropic with this usage.
fn message(usage: &str) -> String {
    format!(
        r#"{{"id":"msg_s1","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"usage":{usage}}}"#
    )
}

#[test]
fn a_completion_that_moonshot_counts_short_is_as_long_as_its_reasoning() {
    let body = |completion: u32, total: u32| {
        format!(
            r#"{{"id":"chatcmpl-s1","object":"chat.completion","created":1787414400,"model":"kimi-k3","choices":[],
            "usage":{{"prompt_tokens":951,"completion_tokens":{completion},"total_tokens":{total},
            "prompt_tokens_details":{{"cached_tokens":60}},"completion_tokens_details":{{"reasoning_tokens":6001}}}}}}"#
        )
    };
    let expected = "cache_read_text_tokens 60, input_text_tokens 891, output_reasoning_tokens 6001";
    let short = event(&body(6000, 6952));
    assert_eq!(meters(&short), expected);
    assert!(short.flags.contains(&Flag::TotalMismatch));
    // Where all agree nothing is odd, and where the total says something else nobody knows.
    let whole = event(&body(6001, 6952));
    assert_eq!(meters(&whole), expected);
    assert!(!whole.flags.contains(&Flag::TotalMismatch));
    check_rejected(&body(6000, 6953), "contradiction", "usage.total_tokens", &["6953"]);
}

#[test]
fn some_pages_of_a_document_may_be_annotated() {
    let body = |annotation: &str, annotated: &str| {
        format!(
            r#"{{"pages":[],"model":"mistral-ocr-2512","document_annotation":{annotation},
            "usage_info":{{"pages_processed":3,"doc_size_bytes":4096{annotated}}}}}"#
        )
    };
    let served = "mistral_ai mistral-ocr-2512";
    for (annotation, annotated, expected) in [
        ("\"{}\"", r#","pages_processed_annotation":2"#, "annotated_pages 2, ocr_pages 1"),
        ("null", r#","pages_processed_annotation":2"#, "annotated_pages 2, ocr_pages 1"),
        ("\"{}\"", r#","pages_processed_annotation":9"#, "annotated_pages 3"),
        ("\"{}\"", "", "annotated_pages 3"),
        ("null", r#","pages_processed_annotation":0"#, "ocr_pages 3"),
    ] {
        check(&body(annotation, annotated), served, expected);
    }
}

#[test]
fn relays_put_whole_prompts_into_the_names_of_anthropic() {
    let expected = "cache_read_text_tokens 800, input_text_tokens 400, output_text_tokens 30";
    for usage in [
        r#"{"input_tokens":1200,"cache_creation_input_tokens":0,"cache_read_input_tokens":800,"output_tokens":30,
        "claude_cache_creation_5_m_tokens":0,"billing_usage":{"source":"oai_chat","semantic":"openai","openai_usage":{
        "prompt_tokens":1200,"completion_tokens":30,"total_tokens":1230,"prompt_tokens_details":{"cached_tokens":800}}}}"#,
        r#"{"input_tokens":1200,"cache_read_input_tokens":800,"output_tokens":30,
        "billing_usage":{"semantic":"openai","openai_usage":{"prompt_tokens":1200}}}"#,
        r#"{"input_tokens":1200,"output_tokens":30,"prompt_tokens":1200,"prompt_tokens_details":{"cached_tokens":800}}"#,
        r#"{"input_tokens":400,"cache_read_input_tokens":800,"output_tokens":30}"#,
        r#"{"input_tokens":400,"cache_read_input_tokens":800,"output_tokens":30,
        "billing_usage":{"semantic":"anthropic","openai_usage":{"prompt_tokens":400}}}"#,
    ] {
        let event = event(&message(usage));
        assert_eq!(meters(&event), expected, "{usage}");
        assert!(!event.flags.contains(&Flag::UnknownUsageField), "{usage}");
    }
    // What was written is inside, too.
    let usage = r#"{"input_tokens":1000,"cache_creation_input_tokens":600,"cache_read_input_tokens":300,"output_tokens":1,
        "billing_usage":{"semantic":"openai","openai_usage":{"prompt_tokens":1000}}}"#;
    let expected = "cache_read_text_tokens 300, cache_write_5m_tokens 600, input_text_tokens 100, output_text_tokens 1";
    assert_eq!(meters(&event(&message(usage))), expected);
}

#[test]
fn alibaba_tells_what_it_bills_beside_the_counts() {
    let body = |details: &str, more: &str| {
        format!(
            r#"{{"id":"f75c","object":"response","created_at":1785578390,"model":"qwen3.7-plus","status":"completed",
            "output":[{{"type":"web_search_call","status":"completed","action":{{"type":"search"}}}}],
            "usage":{{"input_tokens":1524,"input_tokens_details":{{"cached_tokens":1305}},"output_tokens":10,
            "output_tokens_details":{{"reasoning_tokens":4}},"total_tokens":1534,"x_details":[{{"input_tokens":1524,
            "output_tokens":10,"total_tokens":1534,"x_billing_type":"response_api"{details}}}]{more}}}}}"#
        )
    };
    let written = r#","prompt_tokens_details":{"cached_tokens":1305,"cache_creation_input_tokens":213,
        "cache_creation":{"ephemeral_5m_input_tokens":213},"cache_type":"ephemeral"}"#;
    let tools = r#","x_tools":{"web_search":{"count":2},"web_extractor":{"count":1}}"#;
    let put_out = "output_reasoning_tokens 4, output_text_tokens 6";
    for (details, more, expected) in [
        ("", "", format!("cache_read_text_tokens 1305, input_text_tokens 219, {put_out}, web_searches 1")),
        (
            written,
            tools,
            format!(
                "cache_read_text_tokens 1305, cache_write_5m_tokens 213, input_text_tokens 6, {put_out}, web_fetches 1, web_searches 2"
            ),
        ),
    ] {
        let event = event(&body(details, more));
        assert_eq!((event.provider.as_str(), meters(&event)), ("dashscope", expected));
        assert!(!event.flags.contains(&Flag::UnknownUsageField), "{event:?}");
    }
}

#[test]
fn ark_counts_its_tools_by_name() {
    let body = |tools: &str| {
        format!(
            r#"{{"id":"resp_021","object":"response","created_at":1785578390,"model":"doubao-seed-2-0-lite-260215","status":"completed",
            "output":[{{"type":"web_search_call","status":"completed","action":{{"type":"search"}}}}],
            "usage":{{"input_tokens":20,"output_tokens":3,"total_tokens":23{tools}}}}}"#
        )
    };
    let served = "volcengine doubao-seed-2-0-lite-260215";
    let counts = "input_text_tokens 20, output_text_tokens 3";
    let counted = r#","tool_usage":{"web_search":1,"mcp":4},"tool_usage_details":{"web_search":{"search_engine":1}}"#;
    for tools in ["", r#","tool_usage":null,"tool_usage_details":null"#, counted] {
        check(&body(tools), served, &format!("{counts}, web_searches 1"));
    }
    // A video is asked for until it is done, and afterwards: it is one call.
    let video = r#"{"id":"cgt-2026","model":"seedance-1-0-pro-250528","status":"succeeded","content":{"video_url":"https://x/v.mp4"},
        "usage":{"completion_tokens":19845,"total_tokens":19845},"created_at":1785578390,"resolution":"480p","duration":2}"#;
    assert_eq!(event(video).call_key.as_str(), "volcengine/cgt-2026");
}

#[test]
fn alibaba_makes_and_hears_without_tokens() {
    let served = "dashscope unknown";
    for (payload, expected) in [
        (
            r#"{"output":{"task_id":"t1","task_status":"SUCCEEDED","video_url":"https://x/v.mp4"},"usage":{"output_video_duration":5}}"#,
            "output_video_seconds 5",
        ),
        (
            r#"{"request_id":"r1","output":{"data":{"audio":"ff","status":2},"base_resp":{"status_code":0,"status_msg":"success"}},"usage":{"characters":34}}"#,
            "input_characters 34",
        ),
        (r#"{"output":{"audio":{"url":"https://x/a.wav"}},"usage":{"characters":4}}"#, "input_characters 4"),
        (
            r#"{"request_id":"r2","output":{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":[{"text":"hi"}],
            "annotations":[{"type":"audio_info","language":"zh"}]}}]},"usage":{"seconds":3}}"#,
            "input_audio_seconds 3",
        ),
    ] {
        check(payload, served, expected);
    }
    // What a model read aloud in a session; the session names the model.
    let session = r#"{"type":"session.created","event_id":"e1","session":{"object":"realtime.session","model":"qwen3-tts-flash-realtime"}}"#;
    let done = r#"{"type":"response.done","event_id":"e2","response":{"id":"resp_1","object":"realtime.response","status":"completed",
        "output":[],"usage":{"characters":67}}}"#;
    let read = decoded(&format!("{session}\n{}", done.replace('\n', "")));
    let counted: Vec<String> = events(&read).into_iter().map(meters).collect();
    assert_eq!(counted, ["input_characters 67"], "{read:#?}");
}

#[test]
fn an_agent_of_perplexity_puts_the_response_into_its_last_event() {
    let piece = r#"data: {"type":"response.output_text.delta","delta":"I"}"#;
    let last = r#"data: {"type":"response.completed","status":"completed","id":"2aac","model":"sonar","usage":{"input_tokens":4,"output_tokens":97,"total_tokens":101},"output":[],"error":null}"#;
    check(&format!("{piece}\n\n{last}\n\n"), "perplexity sonar", "input_text_tokens 4, output_text_tokens 97");
}

#[test]
fn chunks_of_xai_are_one_call_however_they_were_recorded() {
    let chunk = |indent: &str, output: u32| {
        let line = |text: &str| format!("{indent}{text}\n");
        let usage = [
            format!("completion_tokens: {output}"),
            "prompt_tokens: 165".to_owned(),
            format!("total_tokens: {}", 318 + output),
            "reasoning_tokens: 153".to_owned(),
            "cached_prompt_text_tokens: 164".to_owned(),
        ];
        let mut text = format!("{}- chunk:\n", &indent[4..]);
        for field in ["id: d4bd15fe", "outputs:", "- delta:", "    content: x", "created: '2026-07-14T04:06:20.16Z'"] {
            text += &line(field);
        }
        text += &line("model: grok-4-fast-reasoning");
        text += &line("usage:");
        usage.iter().for_each(|count| text += &line(&format!("  {count}")));
        text
    };
    let newer = format!(
        "version: 2\ninteractions:\n- request_stream:\n    json:\n      model: grok-4-fast-reasoning\n  response_stream:\n    chunks_json:\n{}{}",
        chunk("        ", 1),
        chunk("        ", 2),
    );
    let older = format!(
        "version: 1\nstream_chunks:\n- - !!binary |\n    CiRk\nstream_chunks_json:\n- {}{}",
        chunk("      ", 1).trim_start(),
        chunk("      ", 2),
    );
    let expected = "cache_read_text_tokens 164, input_text_tokens 1, output_reasoning_tokens 153, output_text_tokens 2";
    for recording in [newer, older] {
        check(&recording, "x_ai grok-4-fast-reasoning", expected);
    }
}

#[test]
fn a_list_that_broke_off_is_read_as_far_as_it_goes() {
    let frame = |output: u32, end: &str| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[]}}{end}}}],"usageMetadata":{{"promptTokenCount":5,"candidatesTokenCount":{output},
            "totalTokenCount":{}}},"modelVersion":"gemini-2.5-flash","responseId":"g1"}}"#,
            5 + output
        )
    };
    let cut = format!("[{}\n,\r\n{}\n,\r\n{{\"candidates\":[{{\"cont", frame(1, ""), frame(9, ""));
    let read = event(&cut);
    assert_eq!(meters(&read), "input_text_tokens 5, output_text_tokens 9");
    assert!(read.flags.contains(&Flag::PartialStream));
    check_rejected("[", "malformed", "", &[]);
    check_rejected(r#"["a","#, "malformed", "", &[]);
}

#[test]
fn what_bedrock_answers_in_recordings_is_read_with_its_head() {
    let recorded = |path: &str, asked: &str, answered: &str, head: &str| {
        format!(
            "interactions:\n- request:\n    body: '{asked}'\n    method: POST\n    uri: https://{path}\n  response:\n    body:\n      string: '{answered}'\n    headers:\n      x-amzn-RequestId:\n      - 1f2e\n{head}    status:\n      code: 200\n      message: OK\nversion: 1\n"
        )
    };
    let counted = "      X-Amzn-Bedrock-Input-Token-Count:\n      - '4'\n";
    let runtime = |model: &str| format!("bedrock-runtime.us-east-1.amazonaws.com/model/{model}/invoke");
    for (recording, model, operation, expected) in [
        (
            recorded(
                &runtime("cohere.embed-v4%3A0"),
                "{}",
                r#"{"id":"c05d","texts":["x"],"embeddings":{"float":[[0.1]]},"response_type":"embeddings_by_type"}"#,
                counted,
            ),
            "cohere.embed-v4:0",
            "embeddings",
            "input_text_tokens 4",
        ),
        (
            recorded(&runtime("amazon.rerank-v1%3A0"), "{}", r#"{"results":[{"index":0,"relevance_score":0.9}]}"#, ""),
            "amazon.rerank-v1:0",
            "rerank",
            "",
        ),
        (
            recorded(
                "bedrock-agent-runtime.us-west-2.amazonaws.com/rerank",
                r#"{"rerankingConfiguration":{"bedrockRerankingConfiguration":{"modelConfiguration":{"modelArn":"arn:aws:bedrock:us-west-2::foundation-model/cohere.rerank-v3-5:0"}}}}"#,
                r#"{"results":[{"index":0,"relevanceScore":0.9}]}"#,
                "",
            ),
            "cohere.rerank-v3-5:0",
            "rerank",
            "",
        ),
        (
            recorded(
                &runtime("us.meta.llama3-3-70b-instruct-v1%3A0"),
                "{}",
                r#"{"generation":"stopped","amazon-bedrock-guardrailAction":"INTERVENED","amazon-bedrock-trace":{}}"#,
                "",
            ),
            "us.meta.llama3-3-70b-instruct-v1:0",
            "chat",
            "",
        ),
    ] {
        let read = event(&recording);
        let told = (read.provider.as_str(), read.model.as_str(), read.operation.as_str(), meters(&read));
        assert_eq!(told, ("aws.bedrock", model, operation, expected.to_owned()), "{recording}");
        assert_eq!(read.flags.contains(&Flag::UsageMissing), expected.is_empty(), "{recording}");
    }
}

#[test]
fn speech_that_was_recorded_is_counted_by_what_was_asked() {
    let asked = r#"{"model":"tts-1","input":"Hello world","voice":"alloy"}"#;
    let python = format!(
        "interactions:\n- request:\n    body: '{asked}'\n    method: POST\n    uri: https://api.openai.com/v1/audio/speech\n  response:\n    body:\n      string: !!binary |\n        SUQzBAAA/+M=\n    status:\n      code: 200\n      message: OK\nversion: 1\n"
    );
    let ruby = format!(
        "http_interactions:\n- request:\n    method: post\n    uri: https://api.openai.com/v1/audio/speech\n    body:\n      encoding: UTF-8\n      string: '{asked}'\n  response:\n    status:\n      code: 200\n    body:\n      encoding: ASCII-8BIT\n      base64_string: SUQzBAAA\nrecorded_with: VCR 6.3.1\n"
    );
    for recording in [python, ruby] {
        check(&recording, "openai tts-1", "input_characters 11");
    }
}

#[test]
fn azure_hears_by_the_millisecond() {
    let body = r#"{"durationMilliseconds":17579,"combinedPhrases":[{"text":"x"}],"phrases":[]}"#;
    check(body, "azure.ai.speech unknown", "input_audio_seconds 17.579");
}

#[test]
fn fixtures_of_req_llm_say_what_was_asked_for() {
    let fixture = r#"{"captured_at":"2026-07-09T01:29:05.66Z","model_spec":"openai:gpt-6-luna","provider":"openai",
        "request":{"body":{"b64":"e30="},"canonical_json":{"model":"gpt-6-luna","input":[]},"method":"post","url":"https://api.openai.com/v1/responses/compact"},
        "response":{"body":{"id":"resp_c1","object":"response.compaction","created_at":1783560545,"output":[],
        "usage":{"input_tokens":43,"output_tokens":38,"total_tokens":81}},"headers":{},"status":200},"streaming":false}"#;
    check(fixture, "openai gpt-6-luna", "input_text_tokens 43, output_text_tokens 38");
}
