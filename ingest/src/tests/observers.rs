//! What gateways, collectors and observers of models write of calls, and what frameworks stream, composed after what others published.

use super::{check, decoded, event, events};
use crate::{IgnoreReason, Item};

#[test]
fn lines_of_agentgateway_are_spans_under_newer_names_and_older() {
    let newer = "2026-07-30T09:00:00.900Z\tinfo\trequest gateway=g/w http.path=/v1/messages http.status=200 trace.id=60488f5d01d8606cfe7ae7f57c20f981 \
                 span.id=be198303a1e1a64f protocol=llm gen_ai.operation.name=chat gen_ai.provider.name=openai \
                 gen_ai.request.model=gpt-5-mini gen_ai.response.model=gpt-5-mini gen_ai.usage.input_tokens=15 \
                 gen_ai.usage.cache_read.input_tokens=4 gen_ai.usage.output_tokens=25 gen_ai.usage.reasoning_tokens=5 duration=1719ms";
    const EXPECTED: &str = "openai gpt-5-mini: input_text_tokens 11, cache_read_text_tokens 4, output_text_tokens 20, output_reasoning_tokens 5";
    check(newer, "otel.span", &[EXPECTED]);
    let found = event(newer);
    assert_eq!(&*found.call_key, "span/60488f5d01d8606cfe7ae7f57c20f981/be198303a1e1a64f");
    assert_eq!(found.event_time, "2026-07-30T09:00:00.9Z".parse().unwrap());
    // Others of the same file are no calls.
    let file = format!("2026-07-30T09:00:00Z\tinfo\trequest gateway=g/w http.status=404 duration=0ms\n{newer}\n");
    check(&file, "otel.span", &[EXPECTED]);
    let older = "2026-07-30T09:00:00.900Z     info    request gateway=g/w http.status=200 llm.provider=gemini llm.request.model= \
                 llm.request.tokens=12 llm.response.model=gemini-2.5-flash llm.response.tokens=46 duration=1669ms";
    check(
        older,
        "tool.log",
        &["gcp.gemini gemini-2.5-flash: input_text_tokens 12, output_text_tokens 46 [id_from_position]"],
    );
}

#[test]
fn what_the_collector_logs_as_json_holds_its_print() {
    let print = "ResourceSpans #0\\nResource SchemaURL: \\nResource attributes:\\n     -> service.name: Str(app)\\nScopeSpans #0\\n\
                 InstrumentationScope app \\nSpan #0\\n    Trace ID       : 5e0724091ed15094c1f74b08e7f5ecda\\n    Parent ID      : \\n\
                 \x20   ID             : 4807c512cb668a5c\\n    Name           : chat\\n    Kind           : Client\\n\
                 \x20   Start time     : 2026-07-30 09:00:00.5 +0000 UTC\\nAttributes:\\n     -> gen_ai.system: Str(openai)\\n\
                 \x20    -> gen_ai.operation.name: Str(chat)\\n     -> gen_ai.response.model: Str(gpt-4o-mini)\\n\
                 \x20    -> gen_ai.usage.input_tokens: Int(39)\\n     -> gen_ai.usage.output_tokens: Int(333)\\n";
    for named in [
        "\"kind\":\"exporter\",\"data_type\":\"traces\"",
        "\"otelcol.component.id\":\"debug\",\"otelcol.signal\":\"traces\"",
    ] {
        check(
            &format!("{{\"level\":\"info\",\"ts\":\"2026-07-30T09:00:02.000Z\",\"msg\":\"{print}\",{named}}}"),
            "envelope/otlp.traces",
            &["openai gpt-4o-mini: input_text_tokens 39, output_text_tokens 333"],
        );
    }
}

#[test]
fn a_span_of_litellms_keeps_the_details_of_its_usage_as_python_prints_them() {
    let span = |usage: &str| {
        format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[]}},"scopeSpans":[{{"scope":{{"name":"litellm"}},"spans":[{{
            "traceId":"5e0724091ed15094c1f74b08e7f5ecda","spanId":"4807c512cb668a51","name":"litellm_request","startTimeUnixNano":"1785402000000000000",
            "attributes":[{{"key":"metadata.usage_object","value":{{"stringValue":"{usage}"}}}},
            {{"key":"llm.request.type","value":{{"stringValue":"completion"}}}},{{"key":"gen_ai.system","value":{{"stringValue":"openai"}}}},
            {{"key":"gen_ai.response.model","value":{{"stringValue":"gpt-5-mini"}}}},{{"key":"llm.usage.total_tokens","value":{{"intValue":"307"}}}},
            {{"key":"gen_ai.usage.completion_tokens","value":{{"intValue":"230"}}}},{{"key":"gen_ai.usage.prompt_tokens","value":{{"intValue":"77"}}}}]}}]}}]}}]}}"#
        )
    };
    let payload = span(
        "{'completion_tokens': 230, 'prompt_tokens': 77, 'total_tokens': 307, 'completion_tokens_details': {'reasoning_tokens': 30}, \
         'prompt_tokens_details': {'cached_tokens': 64, 'audio_tokens': None}}",
    );
    check(
        &payload,
        "otlp.traces",
        &[
            "openai gpt-5-mini: input_text_tokens 13, cache_read_text_tokens 64, output_text_tokens 200, output_reasoning_tokens 30",
        ],
    );
    assert_eq!(&*event(&payload).operation, "chat");
    // What says something else than the span is not its usage.
    let other = span("{'completion_tokens': 1, 'prompt_tokens': 2, 'prompt_tokens_details': {'cached_tokens': 1}}");
    check(&other, "otlp.traces", &["openai gpt-5-mini: input_text_tokens 77, output_text_tokens 230"]);
}

#[test]
fn posthogs_events_of_gemini_state_reasoning_beside_the_output_and_failed_ones_are_no_calls() {
    let event = |more: &str| {
        format!(
            r#"{{"api_key":"phc_k","batch":[{{"event":"$ai_generation","properties":{{"distinct_id":"u","$ai_trace_id":"t",{more},
            "$lib":"posthog-python"}},"timestamp":"2026-07-30T09:00:00Z","uuid":"0198-q"}}],"sentAt":"2026-07-30T09:00:01Z"}}"#
        )
    };
    let usage = r#""$ai_input_tokens":100,"$ai_output_tokens":30,"$ai_reasoning_tokens":10"#;
    check(
        &event(&format!(r#""$ai_provider":"gemini","$ai_model":"gemini-2.5-flash",{usage}"#)),
        "records",
        &["gcp.gemini gemini-2.5-flash: input_text_tokens 100, output_text_tokens 30, output_reasoning_tokens 10"],
    );
    check(
        &event(&format!(r#""$ai_provider":"openai","$ai_model":"gpt-5-mini",{usage}"#)),
        "records",
        &["openai gpt-5-mini: input_text_tokens 100, output_text_tokens 20, output_reasoning_tokens 10"],
    );
    let failed = r#""$ai_provider":"openai","$ai_model":"gpt-5-mini","$ai_input_tokens":0,"$ai_output_tokens":0,"$ai_is_error":true"#;
    let found = decoded(&event(failed));
    assert!(matches!(&found.items[..], [Item::Ignored { reason: IgnoreReason::FailedCall, .. }]), "{found:#?}");
}

#[test]
fn a_summary_of_a_framework_in_new_relic_is_no_call() {
    let summary = r#"{"eventType":"LlmChatCompletionSummary","id":"s","appName":"a","span_id":"p","trace_id":"t","vendor":"langchain",
        "ingest_source":"Python","virtual_llm":true,"request_id":"r","response.number_of_messages":3,"timestamp":1785402000000}"#;
    assert!(matches!(&decoded(summary).items[..], [Item::Ignored { .. }]));
}

#[test]
fn judgments_spans_count_the_input_without_its_caches() {
    let attribute =
        |name: &str, value: i64| format!(r#"{{"key":"judgment.usage.{name}","value":{{"intValue":"{value}"}}}}"#);
    let counts = [
        attribute("non_cached_input_tokens", 10),
        attribute("cache_creation_input_tokens", 7),
        attribute("cache_read_input_tokens", 500),
        attribute("output_tokens", 20),
    ];
    check(
        &format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"scope":{{"name":"judgeval"}},"spans":[{{"traceId":"5e0724091ed15094c1f74b08e7f5ecda",
            "spanId":"4807c512cb668a52","name":"ANTHROPIC_API_CALL","startTimeUnixNano":"1785402000000000000","attributes":[
            {{"key":"judgment.span_kind","value":{{"stringValue":"llm"}}}},{{"key":"judgment.llm.provider","value":{{"stringValue":"anthropic"}}}},
            {{"key":"judgment.llm.model","value":{{"stringValue":"claude-haiku-4-5"}}}},{}]}}]}}]}}]}}"#,
            counts.join(",")
        ),
        "otlp.traces",
        &[
            "anthropic claude-haiku-4-5: input_text_tokens 10, cache_read_text_tokens 500, cache_write_5m_tokens 7, output_text_tokens 20 \
           [assumed_5m]",
        ],
    );
}

#[test]
fn what_braintrust_and_langwatch_fold_into_texts_of_a_span_is_its_usage() {
    let span = |attributes: &[(&str, &str)]| {
        let attribute = |(name, text): &(&str, &str)| {
            format!(r#"{{"key":"{name}","value":{{"stringValue":"{}"}}}}"#, text.replace('"', "\\\""))
        };
        let attributes: Vec<String> = attributes.iter().map(attribute).collect();
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"scope":{{"name":"x"}},"spans":[{{"traceId":"5e0724091ed15094c1f74b08e7f5ecda",
            "spanId":"4807c512cb668a53","name":"call","startTimeUnixNano":"1785402000000000000","attributes":[{}]}}]}}]}}]}}"#,
            attributes.join(",")
        )
    };
    let metrics = r#"{"prompt_tokens":2112,"completion_tokens":30,"tokens":2142,"prompt_cached_tokens":2000,
        "prompt_cache_creation_5m_tokens":60,"prompt_cache_creation_1h_tokens":40,"time_to_first_token":0.4}"#
        .replace('\n', " ");
    const EXPECTED: &str = "anthropic claude-haiku-4-5: input_text_tokens 12, cache_read_text_tokens 2000, cache_write_5m_tokens 60, \
                            cache_write_1h_tokens 40, output_text_tokens 30";
    let metadata = r#"{"provider":"anthropic","model":"claude-haiku-4-5"}"#;
    let of_braintrust = |kind: &str| {
        span(&[
            ("braintrust.span_attributes", kind),
            ("braintrust.metadata", metadata),
            ("braintrust.metrics", &metrics),
        ])
    };
    check(&of_braintrust(r#"{"type":"llm"}"#), "otlp.traces", &[EXPECTED]);
    assert!(events(&decoded(&of_braintrust(r#"{"type":"task"}"#))).is_empty());
    // The same in a row of its logs.
    let row = format!(
        r#"{{"id":"r","span_id":"s","root_span_id":"s","created":"2026-07-30T09:00:00Z","span_attributes":{{"type":"llm"}},
        "metrics":{metrics},"metadata":{metadata}}}"#
    );
    check(&row, "braintrust.span", &[EXPECTED]);
    let of_langwatch = span(&[
        ("langwatch.span.type", "llm"),
        ("gen_ai.request.model", "gpt-4o-mini"),
        ("langwatch.metrics", r#"{"type":"json","value":{"promptTokens":10,"completionTokens":5}}"#),
    ]);
    check(&of_langwatch, "otlp.traces", &["openai gpt-4o-mini: input_text_tokens 10, output_text_tokens 5"]);
}

#[test]
fn what_cloudwatch_answers_of_a_query_holds_lines_of_bedrocks_log() {
    let line = r#"{\"schemaType\":\"ModelInvocationLog\",\"timestamp\":\"2026-07-30T09:00:00Z\",\"region\":\"us-east-1\",\"requestId\":\"R-q\",\"modelId\":\"amazon.nova-lite-v1:0\",\"input\":{\"inputTokenCount\":3},\"output\":{\"outputTokenCount\":4}}"#;
    let answer = format!(
        r#"{{"results":[[{{"field":"@timestamp","value":"2026-07-30 09:00:00.000"}},{{"field":"@message","value":"{line}"}}]],"status":"Complete"}}"#
    );
    check(&answer, "log.lines", &["aws.bedrock amazon.nova-lite-v1:0: input_text_tokens 3, output_text_tokens 4"]);
}

#[test]
fn a_house_names_the_model_beside_the_usage_of_gemini() {
    check(
        r#"{"date":1785402000,"response":{"modelId":"models/gemini-2.5-flash","usageMetadata":{"promptTokenCount":200,"candidatesTokenCount":80}}}"#,
        "envelope/gemini.generate_content",
        &["gcp.gemini gemini-2.5-flash: input_text_tokens 200, output_text_tokens 80 [id_from_position, time_assumed]"],
    );
}

#[test]
fn a_run_of_antigravitys_cli_adds_up_its_turns() {
    let run = r#"{"conversation_id":"c","status":"SUCCESS","response":"x","duration_seconds":2.26,"num_turns":1,
        "usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}}"#;
    assert!(matches!(&decoded(run).items[..], [Item::Ignored { reason: IgnoreReason::RunSummary, .. }]));
}

#[test]
fn pieces_that_langchain_streams_are_fragments_and_the_one_with_usage_is_the_call() {
    let piece = |usage: &str| {
        format!(
            r#"{{"content":"","type":"AIMessageChunk","id":"run-1","usage_metadata":{usage},"response_metadata":{{}}}}"#
        )
    };
    let usage = r#"{"input_tokens":12,"output_tokens":3,"total_tokens":15}"#;
    const EXPECTED: &str =
        "anthropic claude-haiku-4-5: input_text_tokens 12, output_text_tokens 3 [id_from_position, time_assumed]";
    // As LangGraph streams messages: with what it knows of the call.
    let about = r#"{"langgraph_node":"agent","ls_model_name":"claude-haiku-4-5","ls_provider":"anthropic"}"#;
    let frame = |usage: &str| format!("event: messages\ndata: [{},{about}]\n\n", piece(usage));
    check(&format!("{}{}", frame("null"), frame(usage)), "langchain.message", &[EXPECTED]);
    // As a runnable's events: what ended the call counts, not what repeats it.
    let event = |name: &str, data: &str| format!(r#"{{"event":"{name}","run_id":"r","name":"n","data":{data}}}"#);
    let message = format!(
        r#"{{"content":"x","type":"ai","id":"run-1","response_metadata":{{"model_name":"claude-haiku-4-5"}},"usage_metadata":{usage}}}"#
    );
    let events = [
        event("on_chat_model_stream", &format!(r#"{{"chunk":{}}}"#, piece("null"))),
        event("on_chat_model_stream", &format!(r#"{{"chunk":{}}}"#, piece(usage))),
        event("on_chat_model_end", &format!(r#"{{"output":{message}}}"#)),
        event("on_chain_end", &format!(r#"{{"output":{{"messages":[{message}]}}}}"#)),
    ];
    check(&events.join("\n"), "envelope/envelope/langchain.message", &[EXPECTED]);
    let written = r#"{"timestamp":"2026-07-30T09:00:00Z","message":{"lc":1,"type":"constructor","id":["langchain_core","messages","AIMessageChunk"],
        "kwargs":{"content":"x","response_metadata":{"usage":{}}}}}"#;
    assert!(matches!(&decoded(written).items[..], [Item::Ignored { reason: IgnoreReason::StreamFragment, .. }]));
}
