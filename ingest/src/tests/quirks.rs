//! What recorded traffic has that no page of documentation shows, composed after records that others published.

use super::{check, decoded, event, events, line};
use crate::{IgnoreReason, Item};

#[test]
fn a_server_without_a_clock_states_no_time() {
    let answer = r#"{"id":"chatcmpl-Q1","object":"chat.completion","created":0,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;
    check(
        answer,
        "openai.chat_completion",
        &["openai gpt-4o: input_text_tokens 3, output_text_tokens 1 [time_assumed]"],
    );
}

#[test]
fn otlp_that_javascript_decoded_keeps_its_bytes_and_its_halves() {
    let span = |trace: &str, span: &str| {
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"scope":{{"name":"ai"}},"spans":[{{"traceId":{trace},"spanId":{span},"name":"chat",
            "startTimeUnixNano":{{"low":-102522880,"high":415736529,"unsigned":true}},"attributes":[
            {{"key":"gen_ai.system","value":{{"stringValue":"openai"}}}},{{"key":"gen_ai.request.model","value":{{"stringValue":"gpt-4o"}}}},
            {{"key":"gen_ai.usage.input_tokens","value":{{"intValue":{{"low":120,"high":0,"unsigned":false}}}}}},
            {{"key":"gen_ai.usage.output_tokens","value":{{"intValue":30}}}}]}}]}}]}}]}}"#
        )
    };
    let (trace, id) = (
        [149, 243, 185, 38, 199, 208, 9, 146, 92, 181, 219, 107, 234, 11, 145, 119],
        [30, 101, 114, 154, 232, 244, 170, 11],
    );
    let buffer = |bytes: &[u8]| format!(r#"{{"type":"Buffer","data":{bytes:?}}}"#);
    let array = |bytes: &[u8]| {
        let each: Vec<String> = bytes.iter().enumerate().map(|(at, byte)| format!(r#""{at}":{byte}"#)).collect();
        format!("{{{}}}", each.join(","))
    };
    for payload in [span(&buffer(&trace), &buffer(&id)), span(&array(&trace), &array(&id))] {
        let found = event(&payload);
        assert_eq!(line(&found), "openai gpt-4o: input_text_tokens 120, output_text_tokens 30");
        assert_eq!(&*found.call_key, "span/95f3b926c7d009925cb5db6bea0b9177/1e65729ae8f4aa0b");
        assert_eq!(found.event_time, "2026-08-01T09:00:00Z".parse().unwrap());
    }
}

#[test]
fn codexs_app_server_tells_of_the_same_requests_as_its_transcript() {
    let told = r#"{"method":"thread/tokenUsage/updated","params":{"threadId":"01a0-Q","turnId":"t1","tokenUsage":{
        "total":{"totalTokens":350,"inputTokens":300,"cachedInputTokens":100,"cacheWriteInputTokens":0,"outputTokens":50,"reasoningOutputTokens":20},
        "last":{"totalTokens":230,"inputTokens":200,"cachedInputTokens":100,"cacheWriteInputTokens":40,"outputTokens":30,"reasoningOutputTokens":10},
        "modelContextWindow":258400}}}"#;
    let told = told.replace('\n', "");
    let alone = event(&told);
    let counts = "input_text_tokens 60, cache_read_text_tokens 100, cache_write_5m_tokens 40, output_text_tokens 20, output_reasoning_tokens 10";
    assert_eq!(line(&alone), format!("openai unknown: {counts} [time_assumed]"));
    assert_eq!(&*alone.call_key, "event/codex/01a0-Q/350");
    let log = format!(
        "{}\n{}\n{told}\n{}\n",
        r#"{"id":1,"result":{"thread":{"id":"01a0-Q"},"model":"gpt-5.6-luna","modelProvider":"openai"}}"#,
        r#"{"method":"turn/started","params":{"threadId":"01a0-Q","turn":{"id":"t1","status":"inProgress"}}}"#,
        r#"{"method":"turn/completed","params":{"threadId":"01a0-Q","turn":{"id":"t1","status":"completed"}}}"#
    );
    let decoded = decoded(&log);
    let lines: Vec<String> = events(&decoded).into_iter().map(line).collect();
    assert_eq!(lines, [format!("openai gpt-5.6-luna: {counts} [time_assumed]")], "{decoded:#?}");
    let others = decoded.items.iter().filter(|item| !matches!(item, Item::Event(_)));
    assert!(others.clone().all(|item| matches!(item, Item::Ignored { reason: IgnoreReason::NotAModelCall, .. })));
    assert_eq!(others.count(), 3);
}

#[test]
fn a_recorder_of_bedrock_names_the_model_beside_the_answer() {
    let recorded = r#"{"capturedAt":"2026-07-30T09:00:00Z","modelId":"eu.anthropic.claude-sonnet-4-6","region":"eu-central-1","response":{"status":200,
        "body":{"metrics":{"latencyMs":4},"output":{"message":{"content":[],"role":"assistant"}},"stopReason":"end_turn",
        "usage":{"inputTokens":12,"outputTokens":5,"serverToolUsage":{},"totalTokens":17}}},"observed":{"inputTokens":12,"outputTokens":5}}"#;
    let found = event(recorded);
    assert_eq!(
        line(&found),
        "aws.bedrock eu.anthropic.claude-sonnet-4-6: input_text_tokens 12, output_text_tokens 5 [id_from_position]"
    );
    assert_eq!(found.event_time, "2026-07-30T09:00:00Z".parse().unwrap());
    // Cohere's embeddings count nothing there.
    check(
        r#"{"id":"53bf-Q","texts":["a"],"embeddings":{"float":[[0.1]]},"response_type":"embeddings_by_type"}"#,
        "bedrock.invoke_model",
        &["aws.bedrock unknown:  [time_assumed, usage_missing]"],
    );
}

#[test]
fn promptfoo_writes_a_row_for_each_answer() {
    let row = |id: &str, provider: &str, response: &str| {
        format!(
            r#"{{"id":"{id}","promptIdx":0,"testIdx":1,"provider":{{"id":"{provider}","label":""}},"prompt":{{"raw":"a"}},"success":true,"cost":0.0001,{response}}}"#
        )
    };
    let used = r#""response":{"output":"b","cached":false,"tokenUsage":{"total":52,"prompt":35,"completion":17,"numRequests":1,"completionDetails":{"reasoning":6}}}"#;
    let hit = r#""response":{"output":"b","cached":true,"tokenUsage":{"cached":52,"total":52}}"#;
    let rows = [
        row("r1", "openai:chat:gpt-5.4", used),
        row("r2", "bedrock:us.anthropic.claude-sonnet-4-5-20250929-v1:0", used),
        row("r3", "openai:gpt-5.4", hit),
        row("r4", "anthropic:messages:claude-haiku-4-5", r#""error":"API error: 500""#),
        row("r5", "echo", r#""response":{"output":"b","tokenUsage":{"total":0,"prompt":0,"completion":0}}"#),
    ]
    .join(",");
    let sums = r#""prompts":[{"provider":"openai:gpt-5.4","metrics":{"tokenUsage":{"total":104}}}],"stats":{"tokenUsage":{"total":104}}"#;
    let counts = "input_text_tokens 35, output_text_tokens 11, output_reasoning_tokens 6 [time_assumed]";
    let expected = [
        format!("openai gpt-5.4: {counts}"),
        format!("aws.bedrock us.anthropic.claude-sonnet-4-5-20250929-v1:0: {counts}"),
        "openai gpt-5.4:  [time_assumed, usage_missing, total_mismatch]".to_owned(),
    ];
    for payload in [
        format!(r#"{{"evalId":"eval-Q","results":{{"version":3,{sums},"results":[{rows}]}},"config":{{}}}}"#),
        format!(r#"{{"version":3,{sums},"results":[{rows}]}}"#),
    ] {
        let decoded = decoded(&payload);
        let lines: Vec<String> = events(&decoded).into_iter().map(line).collect();
        assert_eq!(lines, expected, "{decoded:#?}");
        assert_eq!(events(&decoded)[2].cost_basis, schemas::CostBasis::GatewayCache);
        assert_eq!(decoded.items.len(), 5);
    }
}

#[test]
fn details_that_python_printed_into_an_answer_count() {
    let usage = r#"{"completion_tokens":186,"prompt_tokens":48711,"total_tokens":48897,
        "completion_tokens_details":"CompletionTokensDetails(audio_tokens=0, reasoning_tokens=10)",
        "prompt_tokens_details":"PromptTokensDetails(audio_tokens=0, cached_tokens=48512)"}"#;
    let counts = "openai gpt-4o: input_text_tokens 199, cache_read_text_tokens 48512, output_text_tokens 176, output_reasoning_tokens 10";
    check(
        &format!(
            r#"{{"id":"chatcmpl-Q2","object":"chat.completion","created":1785402000,"model":"gpt-4o","choices":[],"usage":{usage}}}"#
        ),
        "openai.chat_completion",
        &[counts],
    );
    // A row of a log that keeps the answer beside what was said.
    let row = format!(
        r#"[{{"id":"01jc","model":"gpt-4o","prompt":"a","response":"What was said","response_json":{{"content":"What was said","finish_reason":"stop",
        "usage":{usage},"id":"chatcmpl-Q3","object":"chat.completion","model":"gpt-4o","created":1785402000}},"datetime_utc":"2026-07-30T09:00:00"}}]"#
    );
    assert_eq!(line(&event(&row)), counts);
    super::check_rejected(
        &format!(
            r#"{{"object":"chat.completion","model":"gpt-4o","usage":{}}}"#,
            r#"{"prompt_tokens":1,"prompt_tokens_details":"none"}"#
        ),
        "invalid_field",
        "usage.prompt_tokens_details",
        &["object"],
    );
}

#[test]
fn a_stream_of_azures_own_data_is_a_chat() {
    let frame = |rest: &str| {
        format!(
            "data: {{\"id\":\"12b-Q\",\"model\":\"gpt-4o\",\"created\":1785402000,\"object\":\"extensions.chat.completion.chunk\",{rest}}}\n\n"
        )
    };
    let stream = [
        frame(
            r#""choices":[{"index":0,"delta":{"role":"assistant","context":{"citations":[]}},"end_turn":false,"finish_reason":null}]"#,
        ),
        frame(
            r#""choices":[{"index":0,"delta":{},"end_turn":true,"finish_reason":"stop"}],"usage":{"prompt_tokens":379,"completion_tokens":105,"total_tokens":484}"#,
        ),
    ];
    check(
        &format!("{}data: [DONE]\n\n", stream.concat()),
        "openai.chat_completion",
        &["openai gpt-4o: input_text_tokens 379, output_text_tokens 105"],
    );
}

#[test]
fn lines_after_the_name_of_a_container_are_those_of_its_program() {
    let answer = "17:46:43 - LiteLLM:DEBUG: utils.py:336 - RAW RESPONSE:\n{\n  \"candidates\": [],\n\n  \"usageMetadata\": {\"promptTokenCount\": 19,\n\
                  \x20   \"candidatesTokenCount\": 6, \"totalTokenCount\": 25},\n  \"modelVersion\": \"gemini-2.5-pro\", \"responseId\": \"Q4\"\n}";
    let composed: Vec<String> = answer.lines().map(|line| format!("litellm-1  | {line}")).collect();
    check(
        &composed.join("\n"),
        "gemini.generate_content",
        &["gcp.gemini gemini-2.5-pro: input_text_tokens 19, output_text_tokens 6 [time_assumed]"],
    );
}

#[test]
fn a_relay_may_count_at_the_end_of_a_message_or_within_what_changed() {
    let stream = |begun: &str, end: &str| {
        format!(
            "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"id\":\"msg_Q5\",\"type\":\"message\",\"model\":\"claude-haiku-4-5\",\"content\":[]{begun}}}}}\n\n\
             event: message_delta\ndata: {{\"type\":\"message_delta\",{end}}}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
        )
    };
    let counts = r#""usage":{"input_tokens":25,"cache_read_input_tokens":300,"output_tokens":15}"#;
    let expected = "anthropic claude-haiku-4-5: input_text_tokens 25, cache_read_text_tokens 300, output_text_tokens 15 [time_assumed]";
    check(&stream("", &format!(r#""delta":{{"stop_reason":"end_turn"}},{counts}"#)), "anthropic.message", &[expected]);
    check(
        &stream(
            r#","usage":{"input_tokens":25,"cache_read_input_tokens":300,"output_tokens":1}"#,
            r#""delta":{"stop_reason":"end_turn","usage":{"output_tokens":15}}"#,
        ),
        "anthropic.message",
        &[expected],
    );
}

#[test]
fn an_agent_beneath_claude_code_is_told_on_the_way() {
    let message = r#"{"model":"claude-haiku-4-5-20251001","id":"msg_Q6","type":"message","role":"assistant","content":[],"usage":{"input_tokens":3,"output_tokens":5}}"#;
    let told = format!(
        r#"{{"parentUuid":"u","sessionId":"s-Q","type":"progress","data":{{"type":"agent_progress","agentId":"a1","message":{{"type":"assistant",
        "timestamp":"2026-07-30T09:00:08.000Z","message":{message},"requestId":"req_Q6","uuid":"x"}}}},"toolUseID":"t","timestamp":"2026-07-30T09:00:09.000Z"}}"#
    );
    let file = format!(
        r#"{{"sessionId":"s-Q","isSidechain":true,"agentId":"a1","type":"assistant","message":{message},"requestId":"req_Q6","timestamp":"2026-07-30T09:00:08.000Z"}}"#
    );
    let (told, file) = (event(&told.replace('\n', "")), event(&file));
    assert_eq!(line(&told), "anthropic claude-haiku-4-5-20251001: input_text_tokens 3, output_text_tokens 5");
    assert_eq!((told.dedup_key, told.content_hash), (file.dedup_key, file.content_hash));
    // What was asked of it, and how a session begins, is no call.
    for payload in [
        r#"{"sessionId":"s-Q","type":"progress","data":{"type":"agent_progress","message":{"type":"user","message":{"role":"user","content":"a"}}}}"#,
        r#"{"type":"system","subtype":"init","cwd":"/w","session_id":"s-Q","tools":[],"model":"claude-sonnet-4-5","permissionMode":"default"}"#,
    ] {
        let items = decoded(payload).items;
        assert!(matches!(items[..], [Item::Ignored { reason: IgnoreReason::NotAModelCall, .. }]), "{items:#?}");
    }
}

#[test]
fn an_answer_that_litellm_logs_whole_says_more_than_its_three_counts() {
    let logged = |response: &str| {
        format!(
            r#"{{"id":"resp_Q7","litellm_call_id":"c-Q7","call_type":"aresponses","status":"success","custom_llm_provider":"openai","startTime":1785402000.12,
            "endTime":1785402003.5,"model":"gpt-5-mini","response_cost":0.002,"total_tokens":160,"prompt_tokens":100,"completion_tokens":60,
            "response":{response},"hidden_params":{{}}}}"#
        )
    };
    let response = r#"{"id":"resp_Q7","object":"response","created_at":1785402000,"model":"gpt-5-mini","status":"completed",
        "output":[{"type":"web_search_call","id":"w","status":"completed","action":{"type":"search"}}],"usage":{"input_tokens":100,
        "input_tokens_details":{"cached_tokens":64},"output_tokens":60,"output_tokens_details":{"reasoning_tokens":32},"total_tokens":160}}"#;
    let counts = "openai gpt-5-mini: input_text_tokens 36, cache_read_text_tokens 64, output_text_tokens 28, output_reasoning_tokens 32, web_searches 1";
    check(&logged(response), "litellm.standard_logging", &[counts]);
    check(
        &logged(
            r#"{"candidates":[],"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":40,"thoughtsTokenCount":20,"totalTokenCount":160},"modelVersion":"m"}"#,
        ),
        "litellm.standard_logging",
        &["openai gpt-5-mini: input_text_tokens 100, output_text_tokens 40, output_reasoning_tokens 20"],
    );
    check(
        &logged("{}"),
        "litellm.standard_logging",
        &["openai gpt-5-mini: input_text_tokens 100, output_text_tokens 60"],
    );
    // What its callbacks are given holds the payload.
    let given = format!(
        r#"{{"litellm_call_id":"c-Q7","model":"gpt-5-mini","call_type":"aresponses","response_cost":0.002,"start_time":"2026-07-30 09:00:00.123456",
        "standard_logging_object":{}}}"#,
        logged(response)
    );
    assert_eq!(line(&event(&given)), counts);
    let streamed = r#"{"litellm_call_id":"c-Q8","model":"gpt-4o","call_type":"completion","custom_llm_provider":"openai","response_cost":0.001,
        "start_time":"2026-07-30 09:00:00.123456","complete_streaming_response":{"id":"chatcmpl-Q8","object":"chat.completion","created":1785402000,
        "model":"gpt-4o","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}}}"#;
    assert_eq!(line(&event(streamed)), "openai gpt-4o: input_text_tokens 5, output_text_tokens 6");
}

#[test]
fn what_a_span_used_may_stand_in_an_event_of_it() {
    let span = |event: &str| {
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"scope":{{"name":"ax"}},"spans":[{{"traceId":"8af7651916cd43dd8448eb211c80319c","spanId":"c9ad6b7169203331",
            "name":"AI Chat Request","startTimeUnixNano":"1785402000000000000","attributes":[{{"key":"gen_ai.system","value":{{"stringValue":"OpenAI"}}}},
            {{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},{{"key":"gen_ai.request.model","value":{{"stringValue":"gpt-4o-mini"}}}}],
            "events":[{{"name":"{event}","attributes":[{{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"120"}}}},
            {{"key":"gen_ai.usage.output_tokens","value":{{"intValue":"30"}}}}]}}]}}]}}]}}]}}"#
        )
    };
    check(&span("gen_ai.usage"), "otlp.traces", &["openai gpt-4o-mini: input_text_tokens 120, output_text_tokens 30"]);
    assert!(events(&decoded(&span("gen_ai.choice"))).is_empty());
}

#[test]
fn speech_with_its_characters_is_billed_by_them_and_models_of_n8n_have_no_name() {
    check(
        r#"{"audio_base64":"AA==","alignment":{"characters":["H","i","!"],"character_start_times_seconds":[0,0.1,0.2]},"normalized_alignment":{"characters":["H"]}}"#,
        "elevenlabs.speech",
        &["elevenlabs unknown: input_characters 3 [id_from_position, time_assumed]"],
    );
    check(
        r#"{"response":{"generations":[[{"text":"a","generationInfo":{"finish_reason":"stop"}}]]},"tokenUsage":{"completionTokens":17,"promptTokens":43,"totalTokens":60}}"#,
        "tool.log",
        &["unknown unknown: input_text_tokens 43, output_text_tokens 17 [id_from_position, time_assumed]"],
    );
}

#[test]
fn bedrocks_log_says_how_long_a_video_is_and_how_it_served() {
    let entry = |operation: &str, rest: &str| {
        format!(
            r#"{{"schemaType":"ModelInvocationLog","schemaVersion":"1.0","timestamp":"2026-07-30T09:00:00Z","accountId":"6","region":"us-east-1",
            "requestId":"915a-Q","operation":"{operation}",{rest}}}"#
        )
    };
    let video = event(&entry(
        "StartAsyncInvoke",
        r#""modelId":"amazon.nova-reel-v1:0","input":{"inputContentType":"application/json","inputBodyJson":{}},"output":{"outputVideoS3Path":"s3://b/x.mp4",
        "outputVideoDurationSeconds":6.0,"outputVideoFramesPerSecond":24,"outputVideoHeight":720,"outputVideoWidth":1280},"status":"Completed""#,
    ));
    assert_eq!(line(&video), "aws.bedrock amazon.nova-reel-v1:0: output_video_seconds 6");
    assert_eq!((&*video.operation, video.price_context.size.as_deref()), ("video_generation", Some("1280x720")));
    let fast = event(&entry(
        "Converse",
        r#""modelId":"anthropic.claude-3-5-haiku-20241022-v1:0","input":{"inputTokenCount":35},"output":{"outputBodyJson":{"stopReason":"end_turn",
        "performanceConfig":{"latency":"optimized"},"serviceTier":{"type":"priority"},"usage":{"inputTokens":35,"outputTokens":446,"totalTokens":481}},
        "outputTokenCount":446}"#,
    ));
    assert_eq!(
        line(&fast),
        "aws.bedrock anthropic.claude-3-5-haiku-20241022-v1:0: input_text_tokens 35, output_text_tokens 446"
    );
    let context = &fast.price_context;
    assert_eq!((context.speed.as_deref(), context.service_tier.as_deref()), (Some("optimized"), Some("priority")));
}

#[test]
fn the_parts_of_a_compound_system_may_tell_reasoning_that_the_whole_does_not() {
    check(
        r#"{"id":"stub-Q","object":"chat.completion","created":1785402000,"model":"groq/compound","choices":[],"usage":{"queue_time":0.2,"prompt_tokens":1500,
        "completion_tokens":300,"total_tokens":1800,"total_time":0.5},"usage_breakdown":{"models":[
        {"model":"llama-3.3-70b-versatile","usage":{"prompt_tokens":700,"completion_tokens":100,"total_tokens":800}},
        {"model":"openai/gpt-oss-120b","usage":{"prompt_tokens":800,"completion_tokens":200,"total_tokens":1000,"completion_tokens_details":{"reasoning_tokens":50}}}]},
        "x_groq":{"id":"req_1"}}"#,
        "openai.chat_completion",
        &[
            "groq llama-3.3-70b-versatile: input_text_tokens 700, output_text_tokens 100 [iterations_expanded]",
            "groq openai/gpt-oss-120b: input_text_tokens 800, output_text_tokens 150, output_reasoning_tokens 50 [iterations_expanded]",
        ],
    );
}

#[test]
fn what_openrouter_broadcasts_is_served_by_openrouter() {
    let span = |service: &str| {
        format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}},"scopeSpans":[{{
            "scope":{{"name":"broadcast","version":"1.0"}},"spans":[{{"traceId":"5aa7651916cd43dd8448eb211c80319c","spanId":"00f067aa0ba902b7",
            "name":"chat completions","startTimeUnixNano":"1785402000000000000","attributes":[
            {{"key":"gen_ai.system","value":{{"stringValue":"anthropic"}}}},
            {{"key":"gen_ai.request.model","value":{{"stringValue":"anthropic/claude-haiku-4.5"}}}},
            {{"key":"gen_ai.response.id","value":{{"stringValue":"gen-1785402000-Q"}}}},
            {{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"12"}}}},{{"key":"gen_ai.usage.output_tokens","value":{{"intValue":5}}}},
            {{"key":"gen_ai.usage.cost","value":{{"doubleValue":0.0123}}}}]}}]}}]}}]}}"#
        )
    };
    let found = event(&span("openrouter"));
    assert_eq!(line(&found), "openrouter anthropic/claude-haiku-4.5: input_text_tokens 12, output_text_tokens 5");
    assert_eq!(&*found.call_key, "openrouter/gen-1785402000-Q");
    assert!(line(&event(&span("shop"))).starts_with("anthropic "));
}
