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
