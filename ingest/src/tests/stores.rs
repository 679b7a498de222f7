//! Spans, log records and lines as stores, consoles and tools keep them, composed from what their users published.

use super::{check, decoded, event, events, line};
use crate::{IgnoreReason, Item};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALL: &str = "openai gpt-5.4: input_text_tokens 30, output_text_tokens 9";
const KEY: &str = "span/4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7";
const PLAIN: &str = r#"{"gen_ai.operation.name":"chat","gen_ai.provider.name":"openai","gen_ai.request.model":"gpt-5.4","gen_ai.usage.input_tokens":"30","gen_ai.usage.output_tokens":9}"#;
const NESTED: &str = r#"{"gen_ai":{"operation":{"name":"chat"},"provider":{"name":"openai"},"request":{"model":"gpt-5.4"},"usage":{"input_tokens":30,"output_tokens":9}}}"#;

/// The attributes as names and values in a list; `value` writes one.
fn listed(key: &str, value: fn(&str, bool) -> String) -> String {
    let each = [
        ("gen_ai.operation.name", "chat", false),
        ("gen_ai.provider.name", "openai", false),
        ("gen_ai.request.model", "gpt-5.4", false),
        ("gen_ai.usage.input_tokens", "30", true),
        ("gen_ai.usage.output_tokens", "9", true),
    ];
    let each: Vec<String> =
        each.iter().map(|(name, text, number)| format!(r#"{{"{key}":"{name}",{}}}"#, value(text, *number))).collect();
    format!("[{}]", each.join(","))
}

fn tagged(text: &str, number: bool) -> String {
    if number { format!(r#""type":"int64","value":{text}"#) } else { format!(r#""type":"string","value":"{text}""#) }
}

fn go(text: &str, number: bool) -> String {
    if number {
        format!(r#""Value":{{"Type":"INT64","Value":{text}}}"#)
    } else {
        format!(r#""Value":{{"Type":"STRING","Value":"{text}"}}"#)
    }
}

#[test]
fn one_span_is_one_call_wherever_it_is_kept() {
    let pascal = format!(r#""TraceId":"{TRACE}","SpanId":"00f067aa0ba902b7""#);
    let camel = format!(r#""traceId":"{TRACE}","spanId":"00f067aa0ba902b7""#);
    for (store, payload) in [
        (
            "CloudWatch",
            format!(
                r#"{{"resource":{{"attributes":{{"service.name":"shop"}}}},"scope":{{"name":"s"}},{camel},"name":"chat","kind":"CLIENT",
                "startTimeUnixNano":1785578390000000000,"durationNano":1,"attributes":{PLAIN},"status":{{"code":"OK"}}}}"#
            ),
        ),
        (
            "JavaScript",
            format!(
                r#"{{"resource":{{"attributes":{{"service.name":"shop"}}}},"traceId":"{TRACE}","id":"00f067aa0ba902b7","name":"chat","kind":2,
                "timestamp":1785578390000000,"duration":1,"attributes":{PLAIN},"events":[]}}"#
            ),
        ),
        (
            "Go",
            format!(
                r#"{{"Name":"chat","SpanContext":{{"TraceID":"{TRACE}","SpanID":"00f067aa0ba902b7"}},"Parent":{{"SpanID":"0000000000000000"}},
                "StartTime":"2026-08-01T09:59:50Z","Attributes":{},"Resource":[{{"Key":"service.name","Value":{{"Type":"STRING","Value":"shop"}}}}]}}"#,
                listed("Key", go)
            ),
        ),
        (
            "Jaeger",
            format!(
                r#"{{"data":[{{"traceID":"{TRACE}","spans":[{{"traceID":"{TRACE}","spanID":"00f067aa0ba902b7","operationName":"chat",
                "references":[],"startTime":1785578390000000,"tags":{},"processID":"p1"}}],"processes":{{"p1":{{"serviceName":"shop","tags":[]}}}}}}]}}"#,
                listed("key", tagged)
            ),
        ),
        (
            "Jaeger's index",
            format!(
                r#"{{"traceID":"{TRACE}","spanID":"00f067aa0ba902b7","operationName":"chat","references":[],"startTime":1785578390000000,
                "tags":{},"process":{{"serviceName":"shop","tags":[]}}}}"#,
                listed("key", tagged)
            ),
        ),
        (
            "Zipkin",
            format!(
                r#"[{{"traceId":"{TRACE}","id":"00f067aa0ba902b7","kind":"CLIENT","name":"chat","timestamp":1785578390000000,"duration":1,
                "localEndpoint":{{"serviceName":"shop"}},"tags":{PLAIN}}}]"#
            ),
        ),
        (
            "ClickHouse",
            format!(
                r#"{{"Timestamp":"2026-08-01 09:59:50.000000000",{pascal},"SpanName":"chat","ServiceName":"shop","ResourceAttributes":{{}},
                "SpanAttributes":{PLAIN},"Duration":1}}"#
            ),
        ),
        (
            "Elasticsearch",
            format!(
                r#"{{"hits":{{"hits":[{{"_index":"i","_source":{{"@timestamp":"2026-08-01T09:59:50Z","trace_id":"{TRACE}","span_id":"00f067aa0ba902b7",
                "name":"chat","attributes":{NESTED},"resource":{{"attributes":{{"service":{{"name":"shop"}}}}}}}}}}]}}}}"#
            ),
        ),
        (
            "Application Insights",
            format!(
                r#"{{"timestamp":"2026-08-01T09:59:50Z","id":"00f067aa0ba902b7","name":"chat","itemType":"dependency","customDimensions":{},
                "operation_Id":"{TRACE}","operation_ParentId":"11f067aa0ba902b7","cloud_RoleName":"shop"}}"#,
                serde_json::Value::from(PLAIN)
            ),
        ),
        (
            "Phoenix",
            format!(
                r#"{{"name":"chat","context":{{"trace_id":"{TRACE}","span_id":"00f067aa0ba902b7"}},"span_kind":"LLM","start_time":"2026-08-01T09:59:50Z",
                "resource":{{"service.name":"shop"}},"attributes":{NESTED}}}"#
            ),
        ),
        (
            "Sentry",
            format!(
                r#"{{"items":[{{"trace_id":"{TRACE}","span_id":"00f067aa0ba902b7","name":"chat","start_timestamp":1785578390,"service.name":"shop",
                "attributes":{{"gen_ai.operation.name":{{"type":"string","value":"chat"}},"gen_ai.provider.name":{{"type":"string","value":"openai"}},
                "gen_ai.request.model":{{"type":"string","value":"gpt-5.4"}},"gen_ai.usage.input_tokens":{{"type":"integer","value":30}},
                "gen_ai.usage.output_tokens":{{"type":"integer","value":9}}}}}}]}}"#
            ),
        ),
    ] {
        let call = event(&payload);
        assert_eq!((line(&call).as_str(), &*call.call_key), (CALL, KEY), "{store}");
        assert_eq!(call.event_time.to_string(), "2026-08-01T09:59:50Z", "{store}");
        assert_eq!(call.claimed.application.as_deref(), Some("shop"), "{store}");
    }
    let name = |payload: &str| decoded(payload).recognised_as;
    assert_eq!(name(&format!(r#"{{{camel},"name":"x","attributes":{PLAIN}}}"#)), "otel.stored_span");
    assert_eq!(
        name(&format!(r#"{{"traceId":"{TRACE}","spans":[{{"spanId":"1","labels":{PLAIN}}}]}}"#)),
        "otel.stored_trace"
    );
}

#[test]
fn a_trace_that_is_kept_whole_counts_its_calls_once() {
    let span = |id: &str, parent: &str, operation: &str| {
        format!(
            r#"{{"trace_id":"{TRACE}","span_id":"{id}","parent_span_id":"{parent}","op":"gen_ai.chat","description":"x",
            "start_timestamp":1785578390.2,"data":{}}}"#,
            PLAIN.replace("\"chat\"", &format!("\"{operation}\""))
        )
    };
    let transaction = format!(
        r#"{{"type":"transaction","event_id":"e1","transaction":"POST /chat","spans":[{},{},{}]}}"#,
        span("1111111111111111", "", "invoke_agent"),
        span("2222222222222222", "1111111111111111", "chat"),
        // The SDK beneath the framework is instrumented, too.
        span("00f067aa0ba902b7", "2222222222222222", "chat"),
    );
    let read = decoded(&transaction);
    let [call] = events(&read)[..] else { panic!("{read:?}") };
    assert_eq!((line(call).as_str(), &*call.call_key), (CALL, KEY));
    assert_eq!(read.items.len(), 3);
}

#[test]
fn a_framework_and_the_sdk_beneath_it_are_one_call_only_if_their_counts_are_the_same() {
    let batch = |below: u32| {
        let span = |id: &str, parent: &str, input: u32| {
            format!(
                r#"{{"traceId":"{TRACE}","spanId":"{id}","parentSpanId":"{parent}","name":"chat","startTimeUnixNano":"1785578390000000000",
                "attributes":{}}}"#,
                PLAIN.replace("\"30\"", &input.to_string())
            )
        };
        let spans = [span("1111111111111111", "", 30), span("00f067aa0ba902b7", "1111111111111111", below)];
        let batch = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","));
        events(&decoded(&batch)).len()
    };
    assert_eq!((batch(30), batch(31)), (1, 2));
}

#[test]
fn batches_of_other_ages_and_of_one_resource_are_batches() {
    let span = format!(
        r#"{{"traceId":"S/kvNXezTaajzpKdDg5HNg==","spanId":"APBnqgupArc=","name":"chat","startTimeUnixNano":"1785578390000000000","attributes":{PLAIN}}}"#
    );
    let resource = r#""resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]}"#;
    for payload in [
        format!(r#"{{{resource},"scopeSpans":[{{"scope":{{"name":"s"}},"spans":[{span}]}}]}}"#),
        format!(
            r#"{{"batches":[{{{resource},"instrumentationLibrarySpans":[{{"instrumentationLibrary":{{"name":"s"}},"spans":[{span}]}}]}}]}}"#
        ),
        format!(r#"{{"trace":{{"resourceSpans":[{{{resource},"scopeSpans":[{{"spans":[{span}]}}]}}]}}}}"#),
    ] {
        let call = event(&payload);
        assert_eq!((line(&call).as_str(), &*call.call_key, &*call.source), (CALL, KEY, "shop"), "{payload}");
    }
}

#[test]
fn log_records_in_a_store_are_those_of_the_agents() {
    check(
        r#"{"Timestamp":"2026-08-01 09:59:50.123000000","TraceId":"","SpanId":"","ServiceName":"claude-code","Body":"claude_code.api_request",
        "ResourceAttributes":{"service.name":"claude-code"},"LogAttributes":{"event.name":"api_request","event.sequence":"12",
        "model":"claude-sonnet-4-6","input_tokens":"4","output_tokens":"250","cache_read_tokens":"20000","cache_creation_tokens":"500",
        "cost_usd":"0.01","session.id":"s1"}}"#,
        "otel.stored_span",
        &[
            "anthropic claude-sonnet-4-6: input_text_tokens 4, cache_read_text_tokens 20000, cache_write_5m_tokens 500, \
           output_text_tokens 250 [assumed_5m]",
        ],
    );
}

#[test]
fn columns_named_by_the_conventions_have_the_ids_of_their_span() {
    let ids = |trace: &str, span: &str| format!(r#""{trace}":"{TRACE}","{span}":"00f067aa0ba902b7""#);
    let flat = &PLAIN[1..PLAIN.len() - 1];
    for (payload, key) in [
        (format!(r#"{{"Timestamp":"2026-08-01T09:59:50Z",{},{flat}}}"#, ids("trace.trace_id", "trace.span_id")), KEY),
        (format!(r#"{{"start_time":"2026-08-01T09:59:50Z",{},{flat}}}"#, ids("trace.id", "span.id")), KEY),
        (
            format!(
                r#"{{"start_time":"2026-08-01T09:59:50Z",{},"attributes.llm.provider":"openai","attributes.llm.model_name":"gpt-5.4",
                "attributes.openinference.span.kind":"LLM","attributes.llm.token_count.prompt":30.0,"attributes.llm.token_count.completion":9.0}}"#,
                ids("context.trace_id", "context.span_id")
            ),
            KEY,
        ),
    ] {
        let call = event(&payload);
        assert_eq!((line(&call).as_str(), &*call.call_key), (CALL, key), "{payload}");
    }
}

#[test]
fn what_a_caller_says_of_a_call_is_found_among_the_attributes_of_its_tool() {
    let with = |attributes: &[(&str, &str)]| {
        let own = [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "gpt-5.4"),
            ("gen_ai.usage.input_tokens", "30"),
            ("gen_ai.usage.output_tokens", "9"),
        ];
        event(&super::span("s", "chat", &[&own, attributes].concat()))
    };
    let traceloop = with(&[
        ("traceloop.association.properties.user_id", "u"),
        ("traceloop.association.properties.session_id", "s1"),
        ("traceloop.association.properties.team", "search"),
    ]);
    let metadata = with(&[("metadata", r#"{"team":"search"}"#), ("session.id", "s1"), ("user.id", "u")]);
    let langfuse = with(&[
        ("langfuse.trace.metadata.team", "search"),
        ("langfuse.session.id", "s1"),
        ("langfuse.user.id", "u"),
        ("langfuse.observation.cost_details", r#"{"total":0.002}"#),
    ]);
    let ai_sdk = with(&[
        ("ai.telemetry.metadata.team", "search"),
        ("ai.telemetry.metadata.sessionId", "s1"),
        ("ai.telemetry.metadata.userId", "u"),
    ]);
    for call in [&traceloop, &metadata, &langfuse, &ai_sdk] {
        let claimed = &call.claimed;
        assert_eq!((claimed.team.as_deref(), claimed.session.as_deref()), (Some("search"), Some("s1")), "{call:?}");
        assert!(claimed.user.is_some(), "{call:?}");
    }
    assert_eq!(langfuse.reported_cost.unwrap().amount.to_string(), "0.002");
}

#[test]
fn a_call_of_which_the_cost_alone_is_told_was_paid_for() {
    let call = event(&super::span(
        "s",
        "chat",
        &[
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "gpt-5.4"),
            ("gen_ai.usage.cost", "0.01"),
        ],
    ));
    assert_eq!((line(&call).as_str(), call.reported_cost.is_some()), ("openai gpt-5.4:  [usage_missing]", true));
}

#[test]
fn a_trace_of_mlflow_names_its_model_in_the_answer_it_keeps() {
    let answer = r#"{"id":"chatcmpl-M","model":"gpt-5.4","usage":{}}"#;
    let payload = format!(
        r#"{{"info":{{"trace_id":"tr-1"}},"data":{{"spans":[{{"trace_id":"S/kvNXezTaajzpKdDg5HNg==","span_id":"APBnqguparc=","name":"Completions",
        "start_time_unix_nano":1785578390000000000,"attributes":{{"mlflow.spanType":"\"CHAT_MODEL\"",
        "mlflow.chat.tokenUsage":"{{\"input_tokens\": 30, \"output_tokens\": 9, \"total_tokens\": 39}}","mlflow.spanOutputs":{}}}}}]}}}}"#,
        serde_json::Value::from(answer)
    );
    let call = event(&payload);
    assert_eq!((line(&call).as_str(), &*call.call_key), (CALL, "openai/chatcmpl-M"));
}

#[test]
fn steps_of_a_model_repeat_it() {
    let read = decoded(&super::span(
        "@mastra/otel-exporter",
        "step: 0",
        &[("mastra.span.type", "model_step"), ("gen_ai.usage.input_tokens", "30"), ("gen_ai.usage.output_tokens", "9")],
    ));
    assert!(matches!(read.items[..], [Item::Ignored { reason: IgnoreReason::AgentSpan, .. }]), "{read:?}");
}

#[test]
fn lines_and_rows_of_log_stores_hold_records() {
    let body = r#"{"id":"chatcmpl-K","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":30,"completion_tokens":9,"total_tokens":39}}"#;
    let text = serde_json::Value::from(body);
    let pushed = format!(
        r#"{{"streams":[{{"stream":{{"team":"search"}},"values":[["1785578390123000000",{text}],["1785578390123000001","plain"]]}}]}}"#
    );
    check(&pushed, "log.lines", &[CALL]);
    assert_eq!(events(&decoded(&pushed))[0].claimed.team.as_deref(), Some("search"));
    check(
        &format!(
            r#"{{"results":[[{{"field":"@timestamp","value":"2026-08-01 09:59:50.123"}},{{"field":"@message","value":{text}}}]],
            "statistics":{{"recordsMatched":1}},"status":"Complete"}}"#
        ),
        "log.lines",
        &[CALL],
    );
}

#[test]
fn what_carries_a_record_may_describe_itself_in_objects() {
    let flat = r#"{"model":"gpt-5.4","provider":"openai","input_tokens":30,"output_tokens":9}"#;
    for payload in [
        format!(
            r#"{{"insertId":"i1","logName":"l","timestamp":"2026-08-01T09:59:50Z","resource":{{"type":"k8s_container"}},"jsonPayload":{flat}}}"#
        ),
        format!(
            r#"{{"before":null,"after":{},"source":{{"db":"x"}},"op":"c","ts_ms":1785578390123}}"#,
            flat.replace('}', r#","id":"i1","created_at":"2026-08-01T09:59:50Z"}"#)
        ),
        format!(
            r#"{{"id":"AQ","type":"log","attributes":{{"service":"s","timestamp":"2026-08-01T09:59:50Z","message":"m","attributes":{}}}}}"#,
            flat.replace('}', r#","id":"i1"}"#)
        ),
    ] {
        assert_eq!(line(&event(&payload)), CALL, "{payload}");
    }
    let logged = event(
        r#"{"endpoint":"projects/1/locations/us-central1/endpoints/2","logging_time":"2026-08-01 09:59:50.123 UTC","request_id":"1",
        "full_request":{"contents":[]},"full_response":{"candidates":[],"modelVersion":"gemini-2.5-flash","responseId":"r1",
        "usageMetadata":{"promptTokenCount":30,"candidatesTokenCount":9,"totalTokenCount":39}}}"#,
    );
    assert_eq!(line(&logged), "gcp.vertex_ai gemini-2.5-flash: input_text_tokens 30, output_text_tokens 9");
    let callback = r#"{"kwargs":{"standard_logging_object":{"id":"chatcmpl-L","litellm_call_id":"c1","call_type":"acompletion","startTime":1785578390.1,
        "model":"gpt-5.4","custom_llm_provider":"openai","prompt_tokens":30,"completion_tokens":9,"total_tokens":39}}}"#;
    check(callback, "envelope/envelope/litellm.standard_logging", &[CALL]);
}

#[test]
fn lines_of_a_log_may_begin_with_words_of_the_logger() {
    let body = r#"{"id":"chatcmpl-K","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":30,"completion_tokens":9,"total_tokens":39}}"#;
    for before in [
        "2026-08-01T09:59:50Z INFO usage ",
        "I0801 09:59:50.123456       1 proxy.go:88] ",
        "<14>Aug  1 09:59:50 host app[123]: ",
        "2026-08-01T09:59:50.123456789Z stdout F ",
        "level=info {worker-1} body=",
    ] {
        check(&format!("{before}{body}"), "openai.chat_completion", &[CALL]);
    }
    let file = decoded(&format!("INFO began\nINFO usage {body}\nINFO ended {{0}}\n"));
    assert_eq!((events(&file).len(), file.items.len()), (1, 3), "{file:?}");
    // A document that broke off is none, whatever its lines hold.
    let broken = decoded(&format!("{{\n \"a\": 1,\n \"response\": {body},\n"));
    assert!(events(&broken).is_empty() && file.items.len() > 1, "{broken:?}");
    let message = serde_json::Value::from(format!("2026-08-01T09:59:50.123Z\tid\tINFO\t{body}\n"));
    check(
        &format!(r#"{{"logGroup":"/aws/lambda/x","logEvents":[{{"id":"1","message":{message}}}]}}"#),
        "aws.cloudwatch_logs",
        &[CALL],
    );
    check(
        &format!(r#"{{"streams":[{{"stream":{{}},"values":[["1785578390123000000",{message}]]}}]}}"#),
        "log.lines",
        &[CALL],
    );
}

#[test]
fn labels_of_elastic_apm_are_the_attributes_they_were() {
    let document = format!(
        r#"{{"@timestamp":"2026-08-01T09:59:50Z","trace":{{"id":"{TRACE}"}},"parent":{{"id":"1111111111111111"}},
        "span":{{"id":"00f067aa0ba902b7","name":"chat gpt-5.4"}},"service":{{"name":"shop"}},
        "labels":{{"gen_ai_operation_name":"chat","gen_ai_provider_name":"openai","gen_ai_request_model":"gpt-5.4"}},
        "numeric_labels":{{"gen_ai_usage_input_tokens":30.0,"gen_ai_usage_output_tokens":9}}}}"#
    );
    let call = event(&document);
    assert_eq!((line(&call).as_str(), &*call.call_key), (CALL, KEY));
    assert_eq!(call.claimed.application.as_deref(), Some("shop"));
    let tool = document.replace("\"chat\"", "\"execute_tool\"");
    assert!(matches!(decoded(&tool).items[..], [Item::Ignored { reason: IgnoreReason::NotAModelCall, .. }]));
}
