//! What real traffic holds that documentation does not show: each test is a shape met in the wild, composed anew.

use super::{arrival, check, check_rejected, config, decoded, event, events, line, record};
use crate::{Config, IgnoreReason, Item, decode};

#[track_caller]
fn ignored(payload: &str, reason: IgnoreReason) {
    let items = decoded(payload).items;
    assert!(matches!(&items[..], [Item::Ignored { reason: found, .. }] if *found == reason), "{items:?}");
}

fn with_provider(payload: &str, provider: &str) -> String {
    let config = Config { provider: Some(provider.into()), ..config() };
    let decoded = decode(&record(payload.as_bytes(), &[]), &config);
    let lines: Vec<String> = events(&decoded).into_iter().map(line).collect();
    assert_eq!(lines.len(), 1, "{decoded:#?}");
    lines.into_iter().next().unwrap()
}

#[test]
fn frames_of_azures_content_filters_belong_to_the_stream_around_them() {
    let filter = r#"{"choices":[{"content_filter_offsets":{"check_offset":44},"content_filter_results":{},"finish_reason":null,"index":0}],"created":0,"id":"","model":"","object":""}"#;
    let frames = [
        r#"{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}"#,
        r#"{"choices":[{"delta":{"content":"Hi"},"index":0}],"created":1785578390,"id":"chatcmpl-Az","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","usage":null}"#,
        filter,
        r#"{"choices":[],"created":1785578390,"id":"chatcmpl-Az","model":"gpt-4o-2024-11-20","object":"chat.completion.chunk","usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}"#,
        filter,
    ];
    let text: String = frames.iter().map(|frame| format!("data: {frame}\n\n")).collect();
    check(
        &(text + "data: [DONE]\n\n"),
        "openai.chat_completion",
        &["azure.ai.openai gpt-4o-2024-11-20: input_text_tokens 9, output_text_tokens 3"],
    );
}

#[test]
fn usage_is_found_wherever_servers_put_it_in_a_chunk() {
    for last in [
        r#""choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}]"#,
        r#""choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}"#,
        r#""choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}"#,
    ] {
        let chunk = r#"{"id":"c1","object":"chat.completion.chunk","created":1785578390,"model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}"#;
        let body = format!(
            "{chunk}\n{{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1785578390,\"model\":\"m\",{last}}}\n"
        );
        assert!(line(&event(&body)).contains("m: input_text_tokens 9, output_text_tokens 3"), "{last}");
    }
}

#[test]
fn a_batch_line_of_responses_says_that_there_is_no_error_and_is_billed() {
    let event = event(
        r#"{"id":"batch_req_1","custom_id":"c","response":{"status_code":200,"body":{"id":"resp_9","object":"response",
            "created_at":1785578390,"status":"completed","error":null,"model":"gpt-5.4","usage":{"input_tokens":5,
            "output_tokens":6,"total_tokens":11}}},"error":null}"#,
    );
    assert_eq!(line(&event), "openai gpt-5.4: input_text_tokens 5, output_text_tokens 6");
    assert!(event.price_context.batch);
}

#[test]
fn batches_of_gemini_vertex_and_bedrock_are_batches() {
    let gemini = r#"{"candidates":[],"modelVersion":"gemini-2.5-flash","usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":6,"totalTokenCount":11}}"#;
    let lines = [
        (format!(r#"{{"key":"request-1","response":{gemini}}}"#), "gcp.gemini"),
        (format!(r#"{{"status":"","processed_time":"2026-08-01T09:00:00Z","request":{{}},"response":{gemini}}}"#), "gcp.vertex_ai"),
        (
            r#"{"modelInput":{"messages":[]},"recordId":"CALL0000001","modelOutput":{"id":"msg_bdrk_1","type":"message",
                "role":"assistant","model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":5,"output_tokens":6}}}"#
                .to_owned(),
            "aws.bedrock",
        ),
    ];
    for (payload, provider) in &lines {
        let event = event(payload);
        assert!(event.price_context.batch, "{payload}");
        assert_eq!((&*event.provider, event.key_id.as_deref()), (*provider, None));
        assert!(line(&event).contains("input_text_tokens 5, output_text_tokens 6"), "{}", line(&event));
    }
    ignored(r#"{"key":"request-2","error":{"code":400,"message":"no"}}"#, IgnoreReason::FailedCall);
    ignored(r#"{"modelInput":{},"recordId":"CALL2","modelOutput":{}}"#, IgnoreReason::FailedCall);
}

#[test]
fn all_frames_of_a_converse_stream_are_one_call() {
    let frames = [
        r#"{"messageStart":{"role":"assistant"}}"#,
        r#"{"contentBlockStart":{"start":{"toolUse":{"name":"x"}},"contentBlockIndex":0}}"#,
        r#"{"contentBlockDelta":{"delta":{"text":"x"},"contentBlockIndex":0}}"#,
        r#"{"contentBlockStop":{"contentBlockIndex":0}}"#,
        r#"{"messageStop":{"stopReason":"tool_use"}}"#,
        r#"{"metadata":{"usage":{"inputTokens":4,"outputTokens":5,"totalTokens":9},"metrics":{"latencyMs":1}}}"#,
    ];
    let decoded = decoded(&frames.join("\n"));
    assert_eq!((decoded.items.len(), events(&decoded).len()), (1, 1), "{decoded:#?}");
}

#[test]
fn bare_bodies_are_told_by_how_their_usage_is_spelled() {
    let anthropic = r#"{"file":"x.yaml","model":"claude-sonnet-4-5-20250929","usage":{"cache_creation":{"ephemeral_1h_input_tokens":0,"ephemeral_5m_input_tokens":0},"cache_creation_input_tokens":0,"cache_read_input_tokens":40,"input_tokens":14,"output_tokens":65,"service_tier":"standard"}}"#;
    check(
        anthropic,
        "anthropic.message",
        &[
            "anthropic claude-sonnet-4-5-20250929: input_text_tokens 14, cache_read_text_tokens 40, output_text_tokens 65 \
           [id_from_position, time_assumed]",
        ],
    );
    assert!(
        with_provider(anthropic, "aws").starts_with("aws.bedrock claude-sonnet-4-5-20250929: input_text_tokens 14,")
    );
    check(
        r#"{"model":"qwen-3-coder-480b","usage":{"completion_tokens":25,"prompt_tokens":304,"prompt_tokens_details":{"cached_tokens":0},"total_tokens":329}}"#,
        "openai.chat_completion",
        &["unknown qwen-3-coder-480b: input_text_tokens 304, output_text_tokens 25 [id_from_position, time_assumed]"],
    );
    check(
        r#"{"model":"gpt-5-2025-08-07","usage":{"input_tokens":9506,"input_tokens_details":{"cached_tokens":8576},"output_tokens":439,"output_tokens_details":{"reasoning_tokens":384},"total_tokens":9945}}"#,
        "openai.response",
        &["openai gpt-5-2025-08-07: input_text_tokens 930, cache_read_text_tokens 8576, output_text_tokens 55, \
           output_reasoning_tokens 384 [id_from_position, time_assumed]"],
    );
    check(
        r#"{"model":"claude-3-opus-20240229","usage":{"input_tokens":20,"output_tokens":10}}"#,
        "anthropic.message",
        &[
            "anthropic claude-3-opus-20240229: input_text_tokens 20, output_text_tokens 10 [id_from_position, time_assumed]",
        ],
    );
    check(
        r#"{"usage":{"inputTokens":4,"outputTokens":5,"totalTokens":9}}"#,
        "bedrock.converse",
        &["aws.bedrock unknown: input_text_tokens 4, output_text_tokens 5 [id_from_position, time_assumed]"],
    );
    // Neither a model nor whose counts they are: nothing a price could be found for.
    check_rejected(r#"{"usage":{"prompt_tokens":4,"completion_tokens":5}}"#, "missing_field", "model", &[]);
}

#[test]
fn the_operators_word_comes_before_a_guess_from_the_shape() {
    let vertex = r#"{"modelVersion":"gemini-2.0-flash","usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":9,"totalTokenCount":16,"trafficType":"ON_DEMAND"}}"#;
    assert!(line(&event(vertex)).starts_with("gcp.vertex_ai gemini-2.0-flash"));
    assert!(with_provider(vertex, "google").starts_with("gcp.gemini gemini-2.0-flash"));
}

#[test]
fn usage_of_the_vercel_ai_sdk_includes_its_cache() {
    check(
        r#"{"id":"e","source":"s","time":1785578390,"provider":"openai","model":"gpt-5.4","usage":{"inputTokens":100,
            "outputTokens":30,"totalTokens":130,"cachedInputTokens":60,"reasoningTokens":10}}"#,
        "ai.usage",
        &["openai gpt-5.4: input_text_tokens 40, cache_read_text_tokens 60, output_text_tokens 20, \
           output_reasoning_tokens 10"],
    );
}

#[test]
fn counts_of_an_anthropic_stream_do_not_shrink_to_zero() {
    let frames = [
        r#"{"type":"message_start","message":{"id":"msg_K","type":"message","role":"assistant","model":"kimi-k2","content":[],"usage":{"input_tokens":25,"cache_read_input_tokens":100,"output_tokens":0}}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":0,"cache_read_input_tokens":0,"output_tokens":15}}"#,
    ];
    assert!(
        line(&event(&frames.join("\n")))
            .contains("input_text_tokens 25, cache_read_text_tokens 100, output_text_tokens 15"),
    );
}

#[test]
fn a_stream_of_invoke_model_is_bedrocks() {
    let frames = [
        r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":25,"output_tokens":1}}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}"#,
        r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":25,"outputTokenCount":15,"invocationLatency":9}}"#,
    ];
    check(
        &frames.join("\n"),
        "anthropic.message",
        &["aws.bedrock claude-haiku-4-5: input_text_tokens 25, output_text_tokens 15 [time_assumed]"],
    );
}

#[test]
fn a_logged_stream_of_bedrock_tells_cache_lifetimes_apart() {
    let event = event(
        r#"{"schemaType":"ModelInvocationLog","timestamp":"2026-08-01T09:00:17Z","region":"us-east-1","requestId":"s1",
            "operation":"InvokeModelWithResponseStream","modelId":"anthropic.claude-sonnet-4-20250514-v1:0",
            "input":{"inputTokenCount":10,"cacheWriteInputTokenCount":30},"output":{"outputTokenCount":7,"outputBodyJson":[
            {"type":"message_start","message":{"usage":{"input_tokens":10,"cache_creation_input_tokens":30,
             "cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":1}}},
            {"type":"content_block_delta","delta":{"text":"SECRET"}},
            {"type":"message_delta","usage":{"output_tokens":7}}]}}"#,
    );
    assert_eq!(
        line(&event),
        "aws.bedrock anthropic.claude-sonnet-4-20250514-v1:0: input_text_tokens 10, cache_write_5m_tokens 10, \
         cache_write_1h_tokens 20, output_text_tokens 7"
    );
    assert!(!format!("{event:?}").contains("SECRET"));
}

#[test]
fn log_entries_of_cloudwatch_are_read_one_by_one() {
    let entry = r#"{\"schemaType\":\"ModelInvocationLog\",\"timestamp\":\"2026-08-01T09:00:17Z\",\"region\":\"us-east-1\",\"requestId\":\"cw1\",\"operation\":\"Converse\",\"modelId\":\"amazon.nova-lite-v1:0\",\"input\":{\"inputTokenCount\":35},\"output\":{\"outputTokenCount\":4}}"#;
    let payload = format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"/aws/bedrock","logStream":"s","subscriptionFilters":["f"],
        "logEvents":[{{"id":"1","timestamp":1785578390000,"message":"{entry}"}},{{"id":"2","timestamp":1,"message":"START"}}]}}"#
    );
    let decoded = decoded(&payload);
    let lines: Vec<String> = events(&decoded).into_iter().map(line).collect();
    assert_eq!(lines, ["aws.bedrock amazon.nova-lite-v1:0: input_text_tokens 35, output_text_tokens 4"]);
    assert!(matches!(&decoded.items[1], Item::Rejected(rejection) if rejection.field == "logEvents[1].message"));
}

#[test]
fn counting_tokens_ahead_and_jobs_that_still_run_are_no_calls() {
    for status in [
        r#"{"object":"response.input_tokens","input_tokens":11}"#,
        r#"{"totalTokens":31,"promptTokensDetails":[{"modality":"TEXT","tokenCount":31}]}"#,
        r#"{"input_tokens":2095,"context_management":{"original_input_tokens":9}}"#,
        r#"{"object":"response","id":"resp_b","status":"queued","model":"gpt-5.4","usage":null}"#,
        r#"{"object":"thread.run.step","usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#,
        r#"{"BilledCost":"3.00","ChargeCategory":"Usage","ServiceName":"AI"}"#,
    ] {
        ignored(status, IgnoreReason::StatusOnly);
    }
    ignored(
        r#"{"object":"response","id":"resp_f","status":"failed","model":"gpt-5.4","error":{"code":"server_error"},"usage":null}"#,
        IgnoreReason::FailedCall,
    );
}

#[test]
fn objects_of_other_servers_are_read_by_their_usage() {
    let body = |object: &str| {
        format!(
            r#"{{"id":"x1","object":"{object}","created":1785578390,"model":"m","results":[],
            "usage":{{"prompt_tokens":7,"completion_tokens":0,"total_tokens":7}}}}"#
        )
    };
    for object in ["rerank", "text.completion", "chat.completion.custom"] {
        assert!(line(&event(&body(object))).contains("m: input_text_tokens 7"), "{object}");
    }
    check(
        r#"{"object":"list","data":[{"index":0,"relevance_score":0.9}],"model":"rerank-2.5","usage":{"total_tokens":26}}"#,
        "openai.embedding",
        &["voyageai rerank-2.5: input_text_tokens 26 [id_from_position, time_assumed]"],
    );
    check(
        r#"{"id":"run_1","object":"thread.run","created_at":1785578390,"model":"gpt-4o","status":"completed",
            "usage":{"prompt_tokens":7,"completion_tokens":1,"total_tokens":8}}"#,
        "openai.chat_completion",
        &["openai gpt-4o: input_text_tokens 7, output_text_tokens 1"],
    );
}

#[test]
fn tools_that_xai_ran_are_counted_once() {
    let event = event(
        r#"{"id":"r1","object":"response","created_at":1785578390,"model":"grok-4","output":[{"type":"web_search_call"}],
            "usage":{"input_tokens":7583,"input_tokens_details":{"cached_tokens":3072},"output_tokens":3192,
            "output_tokens_details":{"reasoning_tokens":0},"total_tokens":10775,"num_sources_used":0,
            "num_server_side_tools_used":3,"cost_in_usd_ticks":292331500,"server_side_tool_usage_details":{
            "web_search_calls":1,"x_search_calls":2,"code_interpreter_calls":0},
            "context_details":{"input_tokens":5993,"output_tokens":2995}}}"#,
    );
    assert_eq!(
        line(&event),
        "x_ai grok-4: input_text_tokens 4511, cache_read_text_tokens 3072, output_text_tokens 3192, web_searches 3"
    );
    assert_eq!(event.reported_cost.unwrap().amount.to_string(), "0.02923315");
}

#[test]
fn speech_is_billed_by_the_characters_that_were_asked_for() {
    let payload = r#"{"id":"t1","time":"2026-08-01T09:00:00Z","team":"web","request":{"url":"https://api.openai.com/v1/audio/speech",
        "body":{"model":"tts-1-hd","input":"Grüße! 👋 SECRET","voice":"alloy"}},"response":{"status":200,"headers":{}}}"#;
    let event = event(payload);
    assert_eq!(line(&event), "openai tts-1-hd: input_characters 15");
    assert_eq!((event.claimed.team.as_deref(), &*event.call_key), (Some("web"), "event/usage.raw/t1"));
    assert!(!format!("{event:?}").contains("SECRET"));
}

#[test]
fn answers_that_name_no_model_have_the_one_that_was_asked_for() {
    let event = event(
        r#"{"id":"i1","time":1785578390,"request":{"body":"{\"model\":\"gpt-image-1\",\"size\":\"1024x1024\",\"quality\":\"auto\"}"},
            "response":{"created":1785578390,"data":[{"b64_json":"A"}],"usage":{"total_tokens":100,"input_tokens":50,
            "output_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}}"#,
    );
    assert_eq!(line(&event), "openai gpt-image-1: input_text_tokens 10, input_image_tokens 40, output_image_tokens 50");
    assert_eq!(
        (event.price_context.size.as_deref(), event.price_context.quality.as_deref()),
        (Some("1024x1024"), None)
    );
}

#[test]
fn turns_of_a_live_session_are_calls_of_their_own() {
    let session = [
        r#"{"setup":{"model":"models/gemini-live-2.5-flash"}}"#,
        r#"{"setupComplete":{}}"#,
        r#"{"serverContent":{"modelTurn":{"parts":[]}}}"#,
        r#"{"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":50,"responseTokenCount":20,"totalTokenCount":70,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":50}],"responseTokensDetails":[{"modality":"AUDIO","tokenCount":20}]}}"#,
        r#"{"usageMetadata":{"promptTokenCount":90,"responseTokenCount":5,"totalTokenCount":95}}"#,
    ];
    check(
        &session.join("\n"),
        "gemini.live",
        &[
            "gcp.gemini gemini-live-2.5-flash: input_audio_tokens 50, output_audio_tokens 20 \
             [id_from_position, time_assumed]",
            "gcp.gemini gemini-live-2.5-flash: input_text_tokens 90, output_text_tokens 5 \
             [id_from_position, time_assumed]",
        ],
    );
}

#[test]
fn a_session_whose_model_has_no_name_is_counted_as_unknown() {
    let turn = r#"{"usageMetadata":{"promptTokenCount":90,"responseTokenCount":5,"totalTokenCount":95}}"#;
    for setup in [r#"{"setup":{"model":"models/"}}"#, r#"{"setup":{"model":""}}"#] {
        check(
            &format!("{setup}\n{turn}"),
            "gemini.live",
            &["gcp.gemini unknown: input_text_tokens 90, output_text_tokens 5 [id_from_position, time_assumed]"],
        );
    }
}

#[test]
fn a_stream_of_coheres_first_api_ends_in_the_whole() {
    let frames = [
        r#"{"is_finished":false,"event_type":"stream-start","generation_id":"g"}"#,
        r#"{"is_finished":false,"event_type":"text-generation","text":"x"}"#,
        r#"{"is_finished":true,"event_type":"stream-end","response":{"response_id":"r","generation_id":"g","meta":{"billed_units":{"input_tokens":5,"output_tokens":6},"tokens":{"input_tokens":75,"output_tokens":6}}},"finish_reason":"COMPLETE"}"#,
    ];
    check(
        &frames.join("\n"),
        "cohere.billed_units",
        &["cohere unknown: input_text_tokens 5, output_text_tokens 6 [time_assumed]"],
    );
}

#[test]
fn a_cloud_event_may_carry_a_captured_stream() {
    let text = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1785578390,\"model\":\"gpt-5.4\",\
                \"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}\n\n";
    let with = |data: &str| format!(r#"{{"specversion":"1.0","type":"llm.call","id":"1","source":"gw",{data}}}"#);
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    for data in [format!(r#""data":{}"#, serde_json::Value::from(text)), format!(r#""data_base64":"{encoded}""#)] {
        let event = event(&with(&data));
        assert_eq!(line(&event), "openai gpt-5.4: input_text_tokens 9, output_text_tokens 3");
        assert_eq!(event.weaker_keys, ["event/gw/1"]);
    }
}

#[test]
fn rows_of_litellms_database_are_its_calls() {
    let event = event(
        r#"{"request_id":"chatcmpl-R","call_type":"acompletion","api_key":"sk-0123456789abcdefghij","spend":0.0012,
            "total_tokens":30,"prompt_tokens":10,"completion_tokens":20,"startTime":"2026-08-01T09:00:00.000Z",
            "endTime":"2026-08-01T09:00:02.000Z","model":"gpt-4o","custom_llm_provider":"openai","cache_hit":"False",
            "metadata":{},"request_tags":[]}"#,
    );
    assert_eq!(line(&event), "openai gpt-4o: input_text_tokens 10, output_text_tokens 20");
    assert_eq!(
        (&*event.call_key, event.reported_cost.unwrap().amount.to_string()),
        ("openai/chatcmpl-R", "0.0012".to_owned())
    );
    assert_eq!(event.weaker_keys, ["event/litellm/chatcmpl-R"]);
    assert_eq!(event.event_time.to_string(), "2026-08-01T09:00:00Z");
}

#[test]
fn an_observation_as_langfuse_gives_it_back_is_a_generation() {
    check(
        r#"{"id":"o1","traceId":"t","type":"GENERATION","startTime":"2026-08-01T09:00:00Z","model":"gpt-5.4",
            "usageDetails":{"input":10,"output":2,"total":12},"calculatedTotalCost":0.1}"#,
        "langfuse.ingestion",
        &["openai gpt-5.4: input_text_tokens 10, output_text_tokens 2"],
    );
}

#[test]
fn the_on_demand_tier_of_groq_is_stated_as_it_was() {
    let event = event(
        r#"{"id":"g","object":"chat.completion","created":1785578390,"model":"llama-3.3-70b","choices":[],
            "usage":{"queue_time":0.1,"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,"total_time":0.2},
            "usage_breakdown":null,"x_groq":{"id":"r"},"service_tier":"on_demand"}"#,
    );
    assert_eq!(event.price_context.service_tier.as_deref(), Some("on_demand"));
    assert!(event.received_at == arrival());
}

#[test]
fn details_that_are_null_and_totals_that_are_missing_say_nothing() {
    check(
        r#"{"id":"v1","object":"chat.completion","created":1785578390,"model":"meta/llama","choices":[],"prompt_logprobs":null,
            "usage":{"prompt_tokens":20,"completion_tokens":5,"prompt_tokens_details":null,"completion_tokens_details":null}}"#,
        "openai.chat_completion",
        &["unknown meta/llama: input_text_tokens 20, output_text_tokens 5 [id_from_position]"],
    );
    check(
        r#"{"id":"m1","object":"chat.completion","created":1785578390,"model":"mistral-small-latest","choices":[],
            "usage":{"prompt_tokens":20,"total_tokens":25,"completion_tokens":5,"prompt_audio_seconds":null,
            "request_count":null,"num_cached_tokens":8,"prompt_token_details":{"cached_tokens":8},
            "prompt_tokens_details":{"cached_tokens":8}}}"#,
        "openai.chat_completion",
        &["mistral_ai mistral-small-latest: input_text_tokens 12, cache_read_text_tokens 8, output_text_tokens 5"],
    );
}

#[test]
fn a_video_is_billed_by_the_second_once_it_is_done() {
    let video = |status: &str| {
        format!(
            r#"{{"id":"video_1","object":"video","created_at":1785578390,"status":"{status}","model":"sora-2",
            "progress":100,"seconds":"8","size":"720x1280"}}"#
        )
    };
    let done = event(&video("completed"));
    assert_eq!(line(&done), "openai sora-2: output_video_seconds 8");
    assert_eq!(done.price_context.size.as_deref(), Some("720x1280"));
    ignored(&video("in_progress"), IgnoreReason::StatusOnly);
}
