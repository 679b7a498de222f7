//! Answers that say little of what they are billed by, and emitters that say it under names of their own: forms that others have
//! published and that were refused or read wrongly, composed anew.

use schemas::{Flag, IdentityKind, UsageEvent};

use super::{check_rejected, decoded, event, events, ignored, meters};
use crate::{IgnoreReason, Item};

#[track_caller]
fn check(payload: &str, expected: &str) -> UsageEvent {
    let event = event(payload);
    assert_eq!(meters(&event), expected, "{payload}");
    event
}

/// A span with these attributes, under this scope.
fn span(scope: &str, attributes: &[(&str, &str)]) -> String {
    let attributes: Vec<String> = attributes
        .iter()
        .map(|(key, value)| {
            let value = match value.parse::<i64>() {
                Ok(_) => format!(r#"{{"intValue":"{value}"}}"#),
                Err(_) => format!(r#"{{"stringValue":{}}}"#, serde_json::to_string(value).unwrap()),
            };
            format!(r#"{{"key":"{key}","value":{value}}}"#)
        })
        .collect();
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"scope":{scope},"spans":[{{"traceId":"0af7651916cd43dd8448eb211c80319c",
        "spanId":"b7ad6b7169203331","name":"chat","startTimeUnixNano":"1785578390000000000","attributes":[{}]}}]}}]}}]}}"#,
        attributes.join(",")
    )
}

#[test]
fn how_full_codex_takes_its_context_to_be_is_no_request() {
    let meta =
        r#"{"timestamp":"2026-08-01T09:00:00Z","type":"session_meta","payload":{"id":"s1","model_provider":"openai"}}"#;
    let turn = r#"{"timestamp":"2026-08-01T09:00:00Z","type":"turn_context","payload":{"model":"gpt-5.3-codex"}}"#;
    let total = r#""total_token_usage":{"input_tokens":900,"cached_input_tokens":300,"output_tokens":100,"reasoning_output_tokens":40,"total_tokens":1000}"#;
    let line = |last: &str, total: &str| {
        format!(
            r#"{{"timestamp":"2026-08-01T09:00:05Z","type":"event_msg","payload":{{"type":"token_count","info":{{{total},"last_token_usage":{last}}}}}}}"#
        )
    };
    let counted = line(
        r#"{"input_tokens":900,"cached_input_tokens":300,"output_tokens":100,"reasoning_output_tokens":40,"total_tokens":1000}"#,
        total,
    );
    // Once the context was compacted, and once a request did not fit.
    let none = r#""input_tokens":0,"cached_input_tokens":0,"output_tokens":0,"reasoning_output_tokens":0"#;
    let estimate = line(&format!(r#"{{{none},"total_tokens":7342}}"#), total);
    let full = line(
        &format!(r#"{{{none},"total_tokens":0}}"#),
        &format!(r#""total_token_usage":{{{none},"total_tokens":258400}}"#),
    );
    let read = decoded(&[meta, turn, &counted, &estimate, &full].join("\n"));
    let events = events(&read);
    let expected =
        "cache_read_text_tokens 300, input_text_tokens 600, output_reasoning_tokens 40, output_text_tokens 60";
    assert_eq!((events.len(), meters(events[0])), (1, expected.to_owned()), "{read:#?}");
    assert!(!read.items.iter().any(|item| matches!(item, Item::Rejected(_))), "{read:#?}");
}

#[test]
fn logfire_hands_the_usage_of_a_provider_on_whole() {
    let raw = r#"{"input_tokens":10,"output_tokens":20,"cache_creation_input_tokens":100,"cache_read_input_tokens":1159,"cache_creation":{"ephemeral_1h_input_tokens":100,"ephemeral_5m_input_tokens":0},"service_tier":"standard"}"#;
    let claude = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.system", "anthropic"),
        ("gen_ai.response.model", "claude-sonnet-4-5-20250929"),
        ("gen_ai.usage.input_tokens", "1269"),
        ("gen_ai.usage.output_tokens", "20"),
        ("gen_ai.usage.raw", raw),
    ];
    let scope = r#"{"name":"logfire.anthropic"}"#;
    let expected =
        "cache_read_text_tokens 1159, cache_write_1h_tokens 100, input_text_tokens 10, output_text_tokens 20";
    check(&span(scope, &claude), expected);
    let raw = r#"{"input_tokens":128,"input_tokens_details":{"cached_tokens":64},"output_tokens":36,"output_tokens_details":{"reasoning_tokens":30},"total_tokens":164}"#;
    let gpt = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.system", "openai"),
        ("gen_ai.response.model", "gpt-5"),
        ("gen_ai.usage.input_tokens", "128"),
        ("gen_ai.usage.output_tokens", "36"),
        ("gen_ai.usage.raw", raw),
    ];
    let expected = "cache_read_text_tokens 64, input_text_tokens 64, output_reasoning_tokens 30, output_text_tokens 6";
    check(&span(r#"{"name":"logfire.openai"}"#, &gpt), expected);
    // What is not that usage does not go before the span's own counts.
    let other =
        gpt.map(|(name, value)| (name, if name == "gen_ai.usage.raw" { r#"{"output_tokens":9}"# } else { value }));
    check(&span(r#"{"name":"logfire.openai"}"#, &other), "input_text_tokens 128, output_text_tokens 36");
}

#[test]
fn openllmetrys_bedrock_adds_the_cache_itself_in_newer_versions() {
    let attributes = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.system", "aws.bedrock"),
        ("gen_ai.request.model", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("gen_ai.usage.input_tokens", "1037"),
        ("gen_ai.usage.output_tokens", "40"),
        ("gen_ai.usage.total_tokens", "1077"),
        ("gen_ai.usage.cache_read.input_tokens", "1000"),
        ("gen_ai.usage.cache_creation.input_tokens", "25"),
    ];
    let scope = |version: &str| format!(r#"{{"name":"opentelemetry.instrumentation.bedrock","version":"{version}"}}"#);
    let rest = "cache_read_text_tokens 1000, cache_write_5m_tokens 25";
    for (version, input) in
        [("0.62.3", 1037), ("0.9.0", 1037), ("", 1037), ("0.62.4", 12), ("0.63.0", 12), ("1.0.0", 12)]
    {
        check(
            &span(&scope(version), &attributes),
            &format!("{rest}, input_text_tokens {input}, output_text_tokens 40"),
        );
    }
}

#[test]
fn a_span_of_bedrock_is_the_call_that_its_log_has_under_the_same_request() {
    let attributes = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.system", "aws.bedrock"),
        ("gen_ai.request.model", "anthropic.claude-3-7-sonnet-20250219-v1:0"),
        ("gen_ai.usage.input_tokens", "100"),
        ("gen_ai.usage.output_tokens", "20"),
        ("aws.request_id", "da8b2327"),
    ];
    let spanned = event(&span("{}", &attributes));
    let logged = event(
        r#"{"schemaType":"ModelInvocationLog","timestamp":"2026-08-01T09:59:50Z","requestId":"da8b2327","operation":"Converse",
        "modelId":"anthropic.claude-3-7-sonnet-20250219-v1:0","input":{"inputTokenCount":100},"output":{"outputTokenCount":20}}"#,
    );
    assert_eq!((spanned.identity, &spanned.call_key), (IdentityKind::ResponseId, &logged.call_key));
    // A request to anybody else is no answer of a model.
    let other = attributes.map(|(name, value)| (name, if value == "aws.bedrock" { "openai" } else { value }));
    assert_eq!(event(&span("{}", &other)).identity, IdentityKind::Span);
}

#[test]
fn counts_and_kinds_of_spans_have_older_names_at_microsoft_and_alibaba() {
    let old = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.system", "openai"),
        ("gen_ai.response.model", "gpt-4o-mini"),
        ("gen_ai.response.input_tokens", "100"),
        ("gen_ai.response.output_tokens", "20"),
    ];
    check(
        &span(r#"{"name":"Experimental.Microsoft.Extensions.AI"}"#, &old),
        "input_text_tokens 100, output_text_tokens 20",
    );
    let counts =
        [("gen_ai.model_name", "qwen-max"), ("gen_ai.usage.input_tokens", "100"), ("gen_ai.usage.output_tokens", "20")];
    let kind = |kind: &'static str| [&[("gen_ai.span.kind", kind)], &counts[..]].concat();
    let llm = check(&span("{}", &kind("LLM")), "input_text_tokens 100, output_text_tokens 20");
    assert_eq!(llm.model, "qwen-max");
    assert_eq!(ignored(&span("{}", &kind("CHAIN"))), [IgnoreReason::AgentSpan]);
}

#[test]
fn what_pipecat_read_aloud_is_counted_by_the_character() {
    let spoken = [
        ("gen_ai.operation.name", "tts"),
        ("gen_ai.system", "cartesia"),
        ("gen_ai.request.model", "sonic-2"),
        ("metrics.character_count", "120"),
    ];
    let event = check(&span("{}", &spoken), "input_characters 120");
    assert_eq!((event.provider.as_str(), event.operation.as_str()), ("cartesia", "speech"));
}

#[test]
fn images_of_litellm_beside_counts_of_zero_are_pieces() {
    let zeros = r#""usage":{"input_tokens":0,"input_tokens_details":{"image_tokens":0,"text_tokens":0},"output_tokens":0,"total_tokens":0}"#;
    let answer = format!(
        r#"{{"created":1785578390,"data":[{{"b64_json":null,"url":"https://x/1"}},{{"url":"https://x/2"}}],{zeros}}}"#
    );
    check(&answer, "output_images 2");
    let logged = format!(
        r#"{{"id":"x2","litellm_call_id":"c2","call_type":"aimage_generation","response_cost":0.08,"status":"success","custom_llm_provider":"openai",
        "prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"startTime":1785578390.1,"model":"dall-e-3","model_parameters":{{"size":"1024x1024","quality":"hd"}},
        "metadata":{{"usage_object":{{"input_tokens":0,"output_tokens":0,"total_tokens":0}}}},"response":{answer}}}"#
    );
    let event = check(&logged, "output_images 2");
    assert_eq!(
        (event.price_context.size.as_deref(), event.price_context.quality.as_deref()),
        (Some("1024x1024"), Some("hd"))
    );
}

#[test]
fn answers_that_count_nothing_are_calls_whose_usage_is_missing() {
    for (answer, provider, operation) in [
        (r#"{"outputs":[{"text":"x","stop_reason":"stop"}]}"#, "aws.bedrock", "chat"),
        (
            r#"{"id":"1","prompt":"p","generations":[{"id":"2","text":"x","finish_reason":"COMPLETE"}]}"#,
            "aws.bedrock",
            "chat",
        ),
        (
            r#"{"id":1,"prompt":{"text":"p","tokens":[]},"completions":[{"data":{"text":"x"},"finishReason":{"reason":"endoftext"}}]}"#,
            "ai21",
            "chat",
        ),
        (
            r#"{"ResponseMetadata":{"RequestId":"r-1"},"sessionId":"s","output":{"text":"x"},"citations":[]}"#,
            "aws.bedrock",
            "chat",
        ),
        (r#"{"results":[{"index":1,"relevanceScore":0.9},{"index":0,"relevanceScore":0.2}]}"#, "aws.bedrock", "rerank"),
        (
            r#"{"usage":{"topicPolicyUnits":1,"contentPolicyUnits":1,"wordPolicyUnits":0},"action":"NONE","outputs":[],"assessments":[{}]}"#,
            "aws.bedrock",
            "guardrail",
        ),
        (
            r#"{"predictions":[{"textEmbedding":[0.1],"imageEmbedding":[0.2]}],"deployedModelId":"1"}"#,
            "gcp.vertex_ai",
            "embeddings",
        ),
        (
            r#"{"predictions":[{"videoEmbeddings":[{"embedding":[0.1],"startOffsetSec":0,"endOffsetSec":7}]}]}"#,
            "gcp.vertex_ai",
            "embeddings",
        ),
        (
            r#"{"predictions":[{"audioContent":"UklGRg==","mimeType":"audio/wav"}],"model":"projects/1/locations/us/publishers/google/models/lyria-002"}"#,
            "gcp.vertex_ai",
            "music_generation",
        ),
    ] {
        let event = check(answer, "");
        assert_eq!((event.provider.as_str(), event.operation.as_str()), (provider, operation), "{answer}");
        assert!(event.flags.contains(&Flag::UsageMissing), "{answer}");
    }
    let music = r#"{"predictions":[{"bytesBase64Encoded":"UklGRg==","mimeType":"audio/wav"}],"model":"publishers/google/models/lyria-002"}"#;
    assert_eq!(event(music).model, "lyria-002");
    // What stands around such an answer may count it.
    let headed = r#"{"headers":{"x-amzn-bedrock-input-token-count":"12","x-amzn-bedrock-output-token-count":"7","x-amzn-requestid":"r2"},
        "body":{"outputs":[{"text":"x","stop_reason":"stop"}]}}"#;
    check(headed, "input_text_tokens 12, output_text_tokens 7");
}

#[test]
fn what_twelvelabs_wrote_is_counted_and_what_it_watched_is_missing() {
    let whole = r#"{"id":"7d8f","data":"The video shows","finish_reason":"stop","usage":{"output_tokens":153}}"#;
    let event = check(whole, "output_text_tokens 153");
    assert!(event.provider == "twelvelabs" && event.flags.contains(&Flag::UsageMissing));
    let begun = r#"{"event_type":"stream_start","metadata":{"generation_id":"g1"}}"#;
    let piece = r#"{"event_type":"text_generation","text":"The video"}"#;
    let end = r#"{"event_type":"stream_end","finish_reason":"stop","metadata":{"usage":{"output_tokens":23}}}"#;
    let read = decoded(&[begun, piece, end].join("\n"));
    let events = events(&read);
    assert_eq!((events.len(), read.items.len(), meters(events[0])), (1, 3, "output_text_tokens 23".to_owned()));
}

#[test]
fn palm_counts_tokens_beside_the_characters_it_billed() {
    let answer = r#"{"predictions":[{"content":"x"}],"metadata":{"tokenMetadata":{"inputTokenCount":{"totalTokens":8,"totalBillableCharacters":31},
        "outputTokenCount":{"totalTokens":25,"totalBillableCharacters":100}}}}"#;
    assert_eq!(check(answer, "input_text_tokens 8, output_text_tokens 25").provider, "gcp.vertex_ai");
}

#[test]
fn nova_sonic_counts_what_was_used_since_it_last_did() {
    let total =
        r#""total":{"input":{"speechTokens":150,"textTokens":30},"output":{"speechTokens":60,"textTokens":15}}"#;
    let usage = |details: &str| {
        format!(
            r#"{{"event":{{"usageEvent":{{"completionId":"c","sessionId":"s","details":{{{details}}},"totalInputTokens":180,"totalOutputTokens":75,"totalTokens":255}}}}}}"#
        )
    };
    let delta = |speech: u8| {
        format!(
            r#""delta":{{"input":{{"speechTokens":{speech},"textTokens":0}},"output":{{"speechTokens":0,"textTokens":0}}}},{total}"#
        )
    };
    check(&usage(&delta(50)), "input_audio_tokens 50");
    assert_eq!(ignored(&usage(&delta(0))), [IgnoreReason::StreamFragment]);
    assert_eq!(
        ignored(r#"{"event":{"audioOutput":{"content":"AAAA","sessionId":"s"}}}"#),
        [IgnoreReason::StreamFragment]
    );
    // The totals are those of the session so far: every event would count all before it again.
    check_rejected(&usage(total), "missing_field", "usageEvent.details.delta", &["session so far"]);
}

#[test]
fn a_count_on_its_way_to_a_meter_of_stripes_says_which_way_it_went() {
    let meter = |kind: &str| {
        format!(
            r#"{{"event_name":"token-billing-tokens","timestamp":"2026-08-01T09:59:50Z","identifier":"m1",
            "payload":{{"stripe_customer_id":"cus_1","value":"120","model":"openai/gpt-4o-mini","token_type":"{kind}"}}}}"#
        )
    };
    let event = check(&meter("input"), "input_text_tokens 120");
    assert_eq!((event.provider.as_str(), event.model.as_str()), ("openai", "gpt-4o-mini"));
    assert_eq!(event.claimed.customer.as_deref(), Some("cus_1"));
    check(&meter("output"), "output_text_tokens 120");
    check_rejected(&meter("lunch"), "invalid_field", "payload.token_type", &["none of input, output"]);
}

#[test]
fn an_entry_of_cloudtrail_counts_nothing() {
    let entry = r#"{"eventVersion":"1.09","eventTime":"2026-08-01T09:59:50Z","eventSource":"bedrock.amazonaws.com","eventName":"InvokeModel",
        "awsRegion":"us-east-1","requestParameters":{"modelId":"anthropic.claude-3-sonnet-20240229-v1:0"},"responseElements":null,"requestID":"r"}"#;
    assert_eq!(ignored(entry), [IgnoreReason::StatusOnly]);
    assert_eq!(ignored(&format!(r#"{{"Records":[{entry}]}}"#)), [IgnoreReason::StatusOnly]);
}

#[test]
fn what_jinas_reader_gave_back_is_counted() {
    let page = r#"{"code":200,"status":20000,"data":{"title":"x","url":"https://x","content":"y","usage":{"tokens":1234}},"meta":{"usage":{"tokens":1234}}}"#;
    assert_eq!(check(page, "output_text_tokens 1234").provider, "jina");
}

#[test]
fn a_row_of_what_databricks_answered_has_an_id() {
    let row = r#"{"databricks_request_id":"d2","timestamp_ms":1785578390000,"status_code":200,"execution_time_ms":300,"request":"{\"messages\":[]}",
        "response":"{\"id\":\"chatcmpl-5\",\"object\":\"chat.completion\",\"created\":1785578390,\"model\":\"meta-llama-3.3-70b\",\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,\"total_tokens\":120}}"}"#;
    let event = check(row, "input_text_tokens 100, output_text_tokens 20");
    assert_eq!((event.identity, event.event_id.as_deref()), (IdentityKind::EventId, Some("d2")));
}

#[test]
fn what_claude_refused_before_it_put_anything_out_is_not_billed() {
    let message = |stop: &str, output: u8| {
        format!(
            r#"{{"id":"msg_r1","type":"message","role":"assistant","model":"claude-fable-5","content":[],"stop_reason":"{stop}","usage":{{"input_tokens":412,"cache_read_input_tokens":9000,"output_tokens":{output}}}}}"#
        )
    };
    assert_eq!(ignored(&message("refusal", 0)), [IgnoreReason::FailedCall]);
    // What it had begun to say is, and so is an answer that happens to be empty.
    let expected = "cache_read_text_tokens 9000, input_text_tokens 412";
    check(&message("refusal", 3), &format!("{expected}, output_text_tokens 3"));
    check(&message("end_turn", 0), expected);
    let begun = message("", 0).replace(r#""stop_reason":"","#, "");
    let end = r#"{"type":"message_delta","delta":{"stop_reason":"refusal"},"usage":{"output_tokens":0}}"#;
    let stream = format!(
        "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{begun}}}\n\nevent: message_delta\ndata: {end}\n"
    );
    assert_eq!(ignored(&stream), [IgnoreReason::FailedCall]);
    let line = format!(r#"{{"custom_id":"c","result":{{"type":"succeeded","message":{}}}}}"#, message("refusal", 0));
    assert_eq!(ignored(&line), [IgnoreReason::FailedCall]);
}

#[test]
fn an_attempt_that_was_refused_and_fell_back_is_not_billed() {
    let body = |first: u16| {
        format!(
            r#"{{"id":"msg_f1","type":"message","role":"assistant","model":"claude-opus-5","content":[],"stop_reason":"end_turn",
            "usage":{{"input_tokens":412,"output_tokens":264,"server_tool_use":{{"web_search_requests":1}},"iterations":[
            {{"type":"message","model":"claude-fable-5","input_tokens":408,"output_tokens":{first}}},
            {{"type":"fallback_message","model":"claude-opus-5","input_tokens":412,"output_tokens":264}}]}}}}"#
        )
    };
    let read = |first: u16| {
        let read = decoded(&body(first));
        let row = |event: &&UsageEvent| format!("{} {}: {}", event.iteration, event.model, meters(event));
        events(&read).iter().map(row).collect::<Vec<_>>()
    };
    let answered = "1 claude-opus-5: input_text_tokens 412, output_text_tokens 264, web_searches 1";
    assert_eq!(read(0), [answered]);
    // One that was refused on the way had put something out, and is billed for it.
    assert_eq!(read(41), ["0 claude-fable-5: input_text_tokens 408, output_text_tokens 41", answered]);
}

#[test]
fn bedrock_may_tell_its_cache_in_the_last_frame_of_claudes_stream_alone() {
    let start = r#"{"type":"message_start","message":{"id":"msg_bdrk_9","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}"#;
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":20}}"#;
    let metrics = r#""amazon-bedrock-invocationMetrics":{"inputTokenCount":3,"outputTokenCount":20"#;
    let expected = "cache_read_text_tokens 32651, cache_write_5m_tokens 17, input_text_tokens 3, output_text_tokens 20";
    for stop in [
        format!(
            r#"{{"type":"message_stop","usage":{{"input_tokens":3,"cache_creation_input_tokens":17,"cache_read_input_tokens":32651,"output_tokens":20}},{metrics}}}}}"#
        ),
        format!(
            r#"{{"type":"message_stop",{metrics},"cacheReadInputTokenCount":32651,"cacheWriteInputTokenCount":17}}}}"#
        ),
    ] {
        assert_eq!(check(&[start, delta, &stop].join("\n"), expected).provider, "aws.bedrock");
    }
    // What the usage says itself is not said again.
    let told = start.replace(
        r#""input_tokens":3,"#,
        r#""input_tokens":3,"cache_read_input_tokens":32651,"cache_creation_input_tokens":17,"#,
    );
    let stop = format!(
        r#"{{"type":"message_stop",{metrics},"cacheReadInputTokenCount":32651,"cacheWriteInputTokenCount":17}}}}"#
    );
    check(&[&told, delta, &stop].join("\n"), expected);
}

#[test]
fn what_is_asked_for_until_it_is_done_is_one_call() {
    let transcript = r#"{"id":"a1b2","audio_url":"https://x","status":"completed","text":"x","words":[],"audio_duration":281,"speech_model":"best"}"#;
    let heard = r#"{"metadata":{"request_id":"d1","created":"2026-08-01T09:00:00Z","duration":19.5,"channels":1,"model_info":{"m":{"name":"general","arch":"nova-3"}}},"results":{"channels":[]}}"#;
    let task = |request: &str| {
        format!(
            r#"{{"request_id":"{request}","output":{{"task_id":"t1","task_status":"SUCCEEDED","results":[{{"url":"x"}}]}},"usage":{{"image_count":1}}}}"#
        )
    };
    for (answer, key) in [
        (transcript.to_owned(), "assemblyai/a1b2"),
        (heard.to_owned(), "deepgram/d1"),
        (task("r1"), "dashscope/t1"),
        (task("r2"), "dashscope/t1"),
    ] {
        let event = event(&answer);
        assert_eq!((event.identity, event.call_key.as_str()), (IdentityKind::ResponseId, key), "{answer}");
    }
}

#[test]
fn what_a_span_of_a_model_that_draws_put_out_is_counted_as_images_and_zeros_are_no_counts() {
    let drawn = [
        ("gen_ai.operation.name", "image_generation"),
        ("gen_ai.system", "openai"),
        ("gen_ai.request.model", "gpt-image-1"),
        ("gen_ai.usage.input_tokens", "13"),
        ("gen_ai.usage.output_tokens", "1056"),
    ];
    check(&span("{}", &drawn), "input_text_tokens 13, output_image_tokens 1056");
    let ranked = [
        ("llm.request.type", "rerank"),
        ("gen_ai.system", "Cohere"),
        ("gen_ai.request.model", "rerank-v3.5"),
        ("gen_ai.usage.input_tokens", "0"),
        ("gen_ai.usage.output_tokens", "0"),
    ];
    assert!(check(&span("{}", &ranked), "").flags.contains(&Flag::UsageMissing));
}

#[test]
fn a_chat_that_states_a_total_alone_does_not_say_what_it_put_out() {
    let body = r#"{"id":"04","created":1785578390,"model":"abab6.5s-chat","reply":"x","choices":[{"finish_reason":"stop","index":0}],
        "usage":{"total_tokens":249},"base_resp":{"status_code":0,"status_msg":""}}"#;
    let event = check(body, "input_text_tokens 249");
    assert!(event.provider == "minimax" && event.flags.contains(&Flag::UsageMissing));
}

#[test]
fn lines_of_a_message_that_another_than_anthropic_served_are_one_call() {
    let line = |session: &str, uuid: u8, id: &str, output: u16| {
        format!(
            r#"{{"type":"assistant","sessionId":"{session}","uuid":"{uuid}","timestamp":"2026-08-01T09:59:5{uuid}Z","message":{{"id":"{id}","type":"message","role":"assistant","model":"kimi-for-coding","content":[],"usage":{{"input_tokens":900,"output_tokens":{output}}}}}}}"#
        )
    };
    let keys = |lines: &[String]| {
        let read = decoded(&lines.join("\n"));
        events(&read).iter().map(|event| event.call_key.to_string()).collect::<Vec<_>>()
    };
    let long = "chatcmpl-6ada9ed27f339de28bb0";
    let key = format!("event/claude-code/{long}");
    // A line for each block, also in the file of another session that repeats them.
    assert_eq!(
        keys(&[line("s1", 1, long, 3), line("s1", 2, long, 70), line("s2", 3, long, 70)]),
        [&*key, &*key, &*key]
    );
    let short = [line("s1", 1, "chatcmpl-123", 3), line("s1", 2, "chatcmpl-123", 70), line("s2", 3, "chatcmpl-123", 9)];
    let expected =
        ["event/claude-code/s1/chatcmpl-123", "event/claude-code/s1/chatcmpl-123", "event/claude-code/s2/chatcmpl-123"];
    assert_eq!(keys(&short), expected);
}

#[test]
fn a_record_of_codex_and_the_running_count_beside_it_are_one_request() {
    let usage = |input: u16, output: u8| {
        format!(
            r#"{{"input_tokens":{input},"cached_input_tokens":300,"output_tokens":{output},"reasoning_output_tokens":40,"total_tokens":{}}}"#,
            input + u16::from(output)
        )
    };
    let line = |kind: &str, payload: &str| {
        format!(r#"{{"timestamp":"2026-08-01T09:59:00Z","type":"{kind}","payload":{payload}}}"#)
    };
    let record = |thread: &str, answer: &str| {
        let used = usage(900, 100);
        line(
            "token_usage_record",
            &format!(
                r#"{{"thread_id":"{thread}","turn_id":"u","response_id":"{answer}","usage":{used},"turn_token_usage":{used},"thread_token_usage":{used}}}"#
            ),
        )
    };
    let used = usage(900, 100);
    let count = line(
        "event_msg",
        &format!(r#"{{"type":"token_count","info":{{"total_token_usage":{used},"last_token_usage":{used}}}}}"#),
    );
    let meta = line("session_meta", r#"{"id":"t1","model_provider":"openai"}"#);
    let turn = line("turn_context", r#"{"model":"gpt-5.3-codex"}"#);
    let state = line("world_state", r#"{"a":1}"#);
    let read = decoded(&[&meta, &turn, &record("t1", "resp_1"), &count, &state].map(String::as_str).join("\n"));
    let rejected = read.items.iter().any(|item| matches!(item, Item::Rejected(_)));
    let found = events(&read);
    assert!(found.len() == 1 && !rejected, "{read:#?}");
    assert_eq!((found[0].call_key.as_str(), found[0].model.as_str()), ("openai/resp_1", "gpt-5.3-codex"));
    assert_eq!(found[0].weaker_keys, ["event/codex/t1/1000"]);
    // Where they come apart, they meet by the running total; a file that is given line by line says of its records that it has them.
    let alone = decoded(&[&meta, &turn, &count].map(String::as_str).join("\n"));
    assert_eq!(events(&alone)[0].call_key, "event/codex/t1/1000");
    let told = line("session_meta", r#"{"token_usage_records":true}"#);
    assert!(events(&decoded(&[&meta, &turn, &told, &count].map(String::as_str).join("\n"))).is_empty());
    // What a fork copies of its parent is the parent's.
    let fork = line("session_meta", r#"{"id":"t2","forked_from_id":"t1"}"#);
    let forked =
        decoded(&[&fork, &turn, &record("t1", "resp_1"), &record("t2", "resp_2")].map(String::as_str).join("\n"));
    let keys: Vec<&str> = events(&forked).iter().map(|event| event.weaker_keys[0].as_str()).collect();
    assert_eq!(keys, ["event/codex/t1/1000", "event/codex/t2/1000"]);
}

#[test]
fn a_session_of_managed_agents_tells_of_each_request_and_adds_them_up() {
    let request = r#"{"id":"sevt_1","type":"span.model_request_end","model_request_start_id":"sevt_0","is_error":false,
        "model_usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":100,"cache_creation_input_tokens":20,"speed":"standard"},
        "processed_at":"2026-08-01T09:59:00Z"}"#;
    let expected = "cache_read_text_tokens 100, cache_write_5m_tokens 20, input_text_tokens 10, output_text_tokens 5";
    let event = check(request, expected);
    assert_eq!((event.call_key.as_str(), event.model.as_str()), ("anthropic/sevt_1", "unknown"));
    assert_eq!(event.event_time.to_string(), "2026-08-01T09:59:00Z");
    let begun = r#"{"id":"sevt_0","type":"span.model_request_start","processed_at":"2026-08-01T09:58:00Z"}"#;
    assert_eq!(ignored(begun), [IgnoreReason::StreamFragment]);
    assert_eq!(
        ignored(r#"{"id":"sevt_2","type":"agent.message","content":[{"type":"text","text":"x"}]}"#),
        [IgnoreReason::StreamFragment]
    );
    let session = r#"{"id":"sesn_1","type":"session","status":"idle","agent":{"id":"agent_1","model":{"id":"claude-opus-4-8"}},
        "usage":{"input_tokens":120,"output_tokens":9,"cache_read_input_tokens":0}}"#;
    assert_eq!(ignored(session), [IgnoreReason::RunSummary]);
    let page = format!(r#"{{"data":[{begun},{request}],"next_page":null}}"#);
    let read = decoded(&page);
    assert_eq!(events(&read).len(), 1, "{read:#?}");
}
