//! Records of tools and agents that differ in the names of their fields, composed from what their users published.

use schemas::CostBasis;

use super::{check, check_rejected, decoded, event, events, line};
use crate::{IgnoreReason, Item};

#[track_caller]
fn ignored(payload: &str, reason: IgnoreReason) {
    let items = decoded(payload).items;
    assert!(matches!(&items[..], [Item::Ignored { reason: found, .. }] if *found == reason), "{payload}: {items:?}");
}

fn braintrust(kind: &str, metrics: &str) -> String {
    format!(
        r#"{{"id":"row","span_id":"s1","root_span_id":"r1","span_parents":["r1"],"created":"2026-08-01T09:59:50Z","project_id":"p",
        "span_attributes":{{"type":"{kind}","name":"call"}},"metadata":{{"model":"claude-sonnet-4-6","provider":"anthropic"}},
        "metrics":{{"start":1785578390.5,{metrics}}},"tags":["beta","env:staging"],"input":[],"output":{{}}}}"#
    )
}

#[test]
fn of_braintrust_the_cache_is_inside_the_prompt_and_tasks_add_up() {
    let counts = r#""prompt_tokens":5000,"completion_tokens":60,"tokens":5060,"prompt_cached_tokens":4000,
        "prompt_cache_creation_tokens":500,"completion_reasoning_tokens":20,"estimated_cost":0.01"#;
    let call = event(&braintrust("llm", counts));
    assert_eq!(
        line(&call),
        "anthropic claude-sonnet-4-6: input_text_tokens 500, cache_read_text_tokens 4000, cache_write_5m_tokens 500, \
         output_text_tokens 40, output_reasoning_tokens 20 [assumed_5m]"
    );
    assert_eq!((&*call.call_key, call.claimed.environment.as_deref()), ("event/braintrust/s1", Some("staging")));
    ignored(&braintrust("task", counts), IgnoreReason::AgentSpan);
    check(
        &format!(r#"{{"events":[{}],"cursor":"x"}}"#, braintrust("llm", r#""prompt_tokens":9,"completion_tokens":3"#)),
        "records",
        &["anthropic claude-sonnet-4-6: input_text_tokens 9, output_text_tokens 3"],
    );
}

#[test]
fn spans_of_datadog_are_read_as_they_are_sent_and_as_they_are_given_back() {
    let metrics = r#"{"input_tokens":5000.0,"output_tokens":60.0,"total_tokens":5060.0,"cache_read_input_tokens":4000.0,
        "cache_write_input_tokens":500.0,"non_cached_input_tokens":500.0}"#;
    let span = |kind: &str| {
        format!(
            r#"{{"trace_id":"t","span_id":"7","parent_id":"1","name":"call","start_ns":1785578390000000000,"duration":1,"metrics":{metrics},
            "tags":["env:prod","version:"],"meta":{{"span":{{"kind":"{kind}"}},"model_name":"claude-sonnet-4-6","model_provider":"anthropic"}}}}"#
        )
    };
    let expected = "anthropic claude-sonnet-4-6: input_text_tokens 500, cache_read_text_tokens 4000, \
                    cache_write_5m_tokens 500, output_text_tokens 60 [assumed_5m]";
    let sent = decoded(&format!(
        r#"{{"data":{{"type":"span","attributes":{{"ml_app":"bot","session_id":"s","tags":["team:search"],"spans":[{},{}]}}}}}}"#,
        span("agent"),
        span("llm")
    ));
    let [call] = events(&sent)[..] else { panic!("{sent:?}") };
    assert_eq!((line(call).as_str(), call.claimed.application.as_deref()), (expected, Some("bot")));
    assert_eq!((call.claimed.team.as_deref(), call.claimed.session.as_deref()), (Some("search"), Some("s")));
    let given_back = event(&format!(
        r#"{{"id":"A","type":"span","attributes":{{"span_kind":"llm","trace_id":"t","span_id":"7","start_ms":1785578390000,"ml_app":"bot",
        "model_name":"claude-sonnet-4-6","model_provider":"anthropic","metrics":{metrics}}}}}"#
    ));
    assert_eq!((line(&given_back).as_str(), &given_back.call_key), (expected, &call.call_key));
}

#[test]
fn of_new_relic_the_summary_is_the_call() {
    let of = |kind: &str| {
        format!(
            r#"{{"eventType":"{kind}","timestamp":1785578390000,"id":"n1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",
            "span_id":"00f067aa0ba902b7","appName":"shop","vendor":"openai","request.model":"gpt-5.4","response.model":"gpt-5.4-2026-03-01",
            "response.usage.prompt_tokens":30,"response.usage.completion_tokens":9,"response.usage.total_tokens":39}}"#
        )
    };
    let call = event(&of("LlmChatCompletionSummary"));
    assert_eq!(line(&call), "openai gpt-5.4-2026-03-01: input_text_tokens 30, output_text_tokens 9");
    assert_eq!(call.call_key, "span/4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7");
    ignored(&of("LlmChatCompletionMessage"), IgnoreReason::NotAModelCall);
}

#[test]
fn of_posthog_the_cache_stands_beside_the_input_of_anthropic_alone() {
    let generation = |provider: &str, model: &str, more: &str| {
        format!(
            r#"{{"event":"$ai_generation","distinct_id":"u1","uuid":"e1","timestamp":"2026-08-01T09:59:50Z","properties":{{
            "$ai_provider":"{provider}","$ai_model":"{model}","$ai_input_tokens":5000,"$ai_output_tokens":60,
            "$ai_cache_read_input_tokens":4000,"$ai_total_cost_usd":0.02,"$ai_trace_id":"t1","team":"growth"{more}}}}}"#
        )
    };
    let call = event(&generation("anthropic", "claude-sonnet-4-6", ""));
    assert_eq!(
        line(&call),
        "anthropic claude-sonnet-4-6: input_text_tokens 5000, cache_read_text_tokens 4000, output_text_tokens 60"
    );
    assert_eq!((call.claimed.team.as_deref(), call.claimed.user.is_some()), (Some("growth"), true));
    let inside = "cache_read_text_tokens 4000, output_text_tokens 60";
    let call = event(&generation("openai", "gpt-5.4", ""));
    assert_eq!(line(&call), format!("openai gpt-5.4: input_text_tokens 1000, {inside}"));
    let call = event(&generation("anthropic", "claude-sonnet-4-6", r#","$ai_cache_reporting_exclusive":false"#));
    assert_eq!(line(&call), format!("anthropic claude-sonnet-4-6: input_text_tokens 1000, {inside}"));
    ignored(r#"{"event":"$pageview","distinct_id":"u1","properties":{}}"#, IgnoreReason::NotAModelCall);
}

#[test]
fn opik_keeps_the_providers_details_beside_its_own_counts() {
    let span = |kind: &str, usage: &str| {
        format!(
            r#"{{"id":"o1","project_name":"Default","trace_id":"t1","name":"call","type":"{kind}","start_time":"2026-08-01T09:59:50Z",
            "model":"gpt-5.4","provider":"openai","tags":["a"],"usage":{usage}}}"#
        )
    };
    let usage = r#"{"prompt_tokens":30,"completion_tokens":9,"total_tokens":39,
        "original_usage.prompt_tokens_details.cached_tokens":10,"original_usage.completion_tokens_details.reasoning_tokens":4}"#;
    check(
        &span("llm", usage),
        "opik.span",
        &[
            "openai gpt-5.4: input_text_tokens 20, cache_read_text_tokens 10, output_text_tokens 5, output_reasoning_tokens 4",
        ],
    );
    ignored(&span("general", usage), IgnoreReason::AgentSpan);
    ignored(&span("tool", "null"), IgnoreReason::NotAModelCall);
    let trace = r#"{"id":"t1","start_time":"2026-08-01T09:59:50Z","usage":{"prompt_tokens":30,"completion_tokens":9},"span_count":3}"#;
    ignored(trace, IgnoreReason::RunSummary);
}

#[test]
fn of_the_agents_sdk_generations_are_calls_and_agents_are_not() {
    let span = |data: &str| {
        format!(
            r#"{{"object":"trace.span","id":"span_1","trace_id":"trace_1","parent_id":"span_0","started_at":"2026-08-01T09:59:50+00:00",
            "ended_at":"2026-08-01T09:59:51+00:00","span_data":{data},"error":null}}"#
        )
    };
    let generation = r#"{"type":"generation","model":"gpt-5.4","usage":{"input_tokens":30,"output_tokens":9,
        "input_tokens_details":{"cached_tokens":10},"output_tokens_details":{"reasoning_tokens":3}}}"#;
    let batch = format!(
        r#"{{"data":[{{"object":"trace","id":"trace_1","workflow_name":"w"}},{},{}]}}"#,
        span(r#"{"type":"agent","name":"a"}"#),
        span(generation)
    );
    check(
        &batch,
        "records",
        &[
            "openai gpt-5.4: input_text_tokens 20, cache_read_text_tokens 10, output_text_tokens 6, output_reasoning_tokens 3",
        ],
    );
    ignored(&span(r#"{"type":"response","response_id":"resp_1"}"#), IgnoreReason::NotAModelCall);
}

#[test]
fn cursor_bills_what_is_usage_based_and_its_export_and_its_api_name_one_event() {
    let billed = "cursor claude-4.5-sonnet: input_text_tokens 126, cache_read_text_tokens 11964, cache_write_5m_tokens 6112, \
                  output_text_tokens 450 [assumed_5m]";
    let page = r#"{"totalUsageEventsCount":2,"usageEvents":[{"timestamp":"1785578390123","userEmail":"a@b.c","model":"claude-4.5-sonnet",
        "kind":"Usage-based","requestsCosts":5,"isTokenBasedCall":true,"tokenUsage":{"inputTokens":126,"outputTokens":450,
        "cacheWriteTokens":6112,"cacheReadTokens":11964,"totalCents":20.18},"chargedCents":21.5},{"timestamp":"1785578391123",
        "userEmail":"a@b.c","model":"auto","kind":"Included in Business","requestsCosts":1,"isTokenBasedCall":false}]}"#;
    let read = decoded(page);
    let [call, included] = events(&read)[..] else { panic!("{read:?}") };
    assert_eq!(
        (line(call).as_str(), call.stated_cost.as_ref().unwrap().amount.to_string().as_str()),
        (billed, "0.215")
    );
    assert_eq!((included.cost_basis, &included.stated_cost), (CostBasis::Included, &None));
    assert!(!call.call_key.contains('@'), "{}", call.call_key);
    let export = "Date,User,Kind,Model,Max Mode,Input (w/ Cache Write),Input (w/o Cache Write),Cache Read,Output Tokens,Total Tokens,Cost\n\
        \"2026-08-01T09:59:50.123Z\",\"a@b.c\",\"Usage-based\",\"claude-4.5-sonnet\",\"No\",\"6,112\",\"126\",\"11,964\",\"450\",\"18,652\",\"$0.20\"\n\
        \"2026-08-01T09:59:52Z\",\"a@b.c\",\"Errored, No Charge\",\"gpt-5\",\"No\",\"0\",\"0\",\"0\",\"0\",\"0\",\"-\"\n";
    let read = decoded(export);
    let [row] = events(&read)[..] else { panic!("{read:?}") };
    assert_eq!((line(row).as_str(), &row.call_key), (billed, &call.call_key));
}

#[test]
fn agents_on_a_desk_write_their_requests_in_ways_of_their_own() {
    for (payload, name, expected) in [
        (
            r#"{"event":"message_send","properties":{"main_model":"claude-sonnet-4-6","edit_format":"diff","prompt_tokens":1000,
            "completion_tokens":60,"total_tokens":1060,"cost":0.0039,"total_cost":0.01},"user_id":"u","time":1785578390}"#,
            "aider.analytics",
            "anthropic claude-sonnet-4-6: input_text_tokens 1000, output_text_tokens 60",
        ),
        (
            r#"{"eventName":"tokensGenerated","model":"gpt-5.4","provider":"openai","promptTokens":1000,"generatedTokens":60,
            "timestamp":"2026-08-01T09:59:50Z","userId":"u","schema":"0.2.0"}"#,
            "continue.dev_data",
            "openai gpt-5.4: input_text_tokens 1000, output_text_tokens 60 [id_from_position]",
        ),
        (
            r#"{"type":"usage.record","model":"kimi-for-coding","usage":{"inputOther":100,"output":50,"inputCacheRead":10,
            "inputCacheCreation":20},"usageScope":"turn","time":1785578390183}"#,
            "kimi_cli.wire",
            "moonshot_ai kimi-for-coding: input_text_tokens 100, cache_read_text_tokens 10, cache_write_5m_tokens 20, \
             output_text_tokens 50 [assumed_5m]",
        ),
        (
            r#"{"timestamp":1785578390.1,"message":{"type":"StatusUpdate","payload":{"token_usage":{"input_other":11,"output":21,
            "input_cache_read":31,"input_cache_creation":0},"message_id":"m1"}}}"#,
            "kimi_cli.wire",
            "moonshot_ai unknown: input_text_tokens 11, cache_read_text_tokens 31, output_text_tokens 21",
        ),
        (
            r#"{"type":"assistant.usage","data":{"model":"claude-sonnet-4.5","inputTokens":10000,"outputTokens":300,
            "cacheReadTokens":7000,"cacheWriteTokens":0,"cost":1},"id":"e5","timestamp":"2026-08-01T09:59:50Z","parentId":"e4"}"#,
            "copilot_cli.event",
            "github claude-sonnet-4.5: input_text_tokens 3000, cache_read_text_tokens 7000, output_text_tokens 300",
        ),
        (
            r#"{"type":"message","id":"a1","parentId":"a0","timestamp":"2026-08-01T09:59:50Z","message":{"role":"assistant",
            "provider":"anthropic","model":"claude-sonnet-4-6","usage":{"input":10,"output":200,"cacheRead":4000,"cacheWrite":500,
            "totalTokens":4710,"cost":{"total":0.006}}}}"#,
            "pi.session",
            "anthropic claude-sonnet-4-6: input_text_tokens 10, cache_read_text_tokens 4000, cache_write_5m_tokens 500, \
             output_text_tokens 200 [assumed_5m]",
        ),
        (
            r#"{"uuid":"u1","sessionId":"s1","timestamp":"2026-08-01T09:59:50Z","type":"assistant","model":"qwen3-coder-plus",
            "message":{"role":"model","parts":[]},"usageMetadata":{"promptTokenCount":10000,"candidatesTokenCount":100,
            "thoughtsTokenCount":50,"totalTokenCount":10150,"cachedContentTokenCount":8000}}"#,
            "qwen_code.chat",
            "dashscope qwen3-coder-plus: input_text_tokens 2000, cache_read_text_tokens 8000, output_text_tokens 100, \
             output_reasoning_tokens 50",
        ),
        (
            r#"{"ts":1785578390000,"type":"say","say":"api_req_started","text":"{\"tokensIn\":12,\"tokensOut\":250,\"cacheWrites\":500,\"cacheReads\":4000,\"cost\":0.01}",
            "modelInfo":{"providerId":"anthropic","modelId":"claude-sonnet-4-6"}}"#,
            "cline.message",
            "anthropic claude-sonnet-4-6: input_text_tokens 12, cache_read_text_tokens 4000, cache_write_5m_tokens 500, \
             output_text_tokens 250 [assumed_5m]",
        ),
    ] {
        check(payload, name, &[expected]);
    }
}

#[test]
fn what_agents_add_up_or_only_begin_is_no_call() {
    for (payload, reason) in [
        (
            r#"{"type":"usage.record","model":"m","usage":{"inputOther":900,"output":50},"usageScope":"session","time":1785578390183}"#,
            IgnoreReason::RunSummary,
        ),
        (
            r#"{"type":"session.shutdown","data":{"modelMetrics":{}},"id":"e","timestamp":"2026-08-01T09:59:50Z","parentId":"d"}"#,
            IgnoreReason::RunSummary,
        ),
        (
            r#"{"type":"assistant.message","data":{"outputTokens":9},"id":"e","timestamp":"2026-08-01T09:59:50Z","parentId":"d"}"#,
            IgnoreReason::NotAModelCall,
        ),
        (
            r#"{"ts":1785578390000,"type":"say","say":"api_req_started","text":"{\"request\":\"...\"}"}"#,
            IgnoreReason::FailedCall,
        ),
        (r#"{"ts":1785578390000,"type":"ask","ask":"completion_result","text":""}"#, IgnoreReason::NotAModelCall),
        (
            r#"{"event":"launched","properties":{"aider_version":"1"},"user_id":"u","time":1785578390}"#,
            IgnoreReason::NotAModelCall,
        ),
    ] {
        ignored(payload, reason);
    }
}

#[test]
fn logs_of_other_tools_have_counts_under_names_of_their_own() {
    let plain = "input_text_tokens 30, output_text_tokens 9";
    for (payload, source) in [
        (
            r#"{"id":1,"request_start_time":"2026-08-01T09:59:50Z","provider_type":"openai","engine":"gpt-5.4","input_tokens":30,"output_tokens":9}"#,
            "promptlayer",
        ),
        (
            r#"{"id":"d1","prompt":{"model":"gpt-5.4","provider":"openai"},"start_time":"2026-08-01T09:59:50Z","prompt_tokens":30,"output_tokens":9}"#,
            "humanloop",
        ),
        (
            r#"{"id":"r1","type":"llm","name":"gpt-5.4","createdAt":"2026-08-01T09:59:50Z","promptTokens":30,"completionTokens":9}"#,
            "lunary",
        ),
        (
            r#"{"id":"i1","inference_id":"f1","model_name":"gpt-5.4","model_provider_name":"openai","input_tokens":30,"output_tokens":9,
            "cached":false,"timestamp":"2026-08-01T09:59:50Z"}"#,
            "tensorzero",
        ),
        (
            r#"{"uuid":"d1","response":"x","usage":{"prompt_tokens":30,"completion_tokens":9,"total_tokens":39},"model":"openai/gpt-5.4",
            "response_model":"gpt-5.4","model_type":"chat","timestamp":"2026-08-01T09:59:50"}"#,
            "dspy",
        ),
        (
            r#"{"start_time":"2026-08-01T09:59:50Z","x-request-id":"q1","genai_model_name":"gpt-5.4","genai_tokens_input":30,"genai_tokens_output":9}"#,
            "envoy-ai-gateway",
        ),
    ] {
        let call = event(payload);
        assert_eq!((line(&call), &*call.source), (format!("openai gpt-5.4: {plain}"), source), "{payload}");
        assert_eq!(decoded(payload).recognised_as, "tool.log");
    }
    let pushed = event(
        r#"{"Cached":false,"Endpoint":"chat","Gateway":"g","Metadata":{"team":"x"},"Metrics":{"cost":0.0042},"Model":"gpt-5.4",
        "Provider":"openai","StatusCode":200,"Timestamp":"2026-08-01T09:59:50Z"}"#,
    );
    assert_eq!(line(&pushed), "openai gpt-5.4:  [id_from_position, usage_missing]");
    assert_eq!(pushed.reported_cost.unwrap().amount.to_string(), "0.0042");
}

#[test]
fn services_that_meter_usage_hold_a_call_among_its_properties() {
    let properties =
        r#"{"model":"gpt-5.4","provider":"openai","input_tokens":30,"output_tokens":9,"cached_tokens":10}"#;
    for (payload, key, customer) in [
        (
            format!(
                r#"{{"events":[{{"event_name":"call","external_customer_id":"c","idempotency_key":"k1","timestamp":"2026-08-01T09:59:50Z","properties":{properties}}}]}}"#
            ),
            "event/metering/k1",
            Some("c"),
        ),
        (
            format!(
                r#"{{"event":{{"transaction_id":"x1","external_subscription_id":"s","code":"llm","timestamp":1785578390,"properties":{properties}}}}}"#
            ),
            "event/metering/x1",
            Some("s"),
        ),
        (
            format!(
                r#"{{"type":"track","event":"call","messageId":"m1","userId":"u","timestamp":"2026-08-01T09:59:50Z","properties":{properties}}}"#
            ),
            "event/metering/m1",
            None,
        ),
    ] {
        let call = event(&payload);
        assert_eq!(
            line(&call),
            "openai gpt-5.4: input_text_tokens 20, cache_read_text_tokens 10, output_text_tokens 9"
        );
        assert_eq!((&*call.call_key, call.claimed.customer.as_deref()), (key, customer));
    }
    check(
        &format!(
            r#"{{"transaction_id":"x","customer_id":"c","event_type":"t","timestamp":"2026-08-01T09:59:50Z","properties":{properties}}}"#
        ),
        "metering.event",
        &["openai gpt-5.4: input_text_tokens 20, cache_read_text_tokens 10, output_text_tokens 9"],
    );
}

#[test]
fn a_row_of_openrouters_activity_is_the_call_its_id_names() {
    let table = "generation_id,created_at,cost_total,tokens_prompt,tokens_completion,tokens_reasoning,tokens_cached,model_permaslug,\
        provider_name,user,api_key_name,app_name\n\
        gen-1,2026-08-01 09:59:50.123,0.00123,100,50,10,40,anthropic/claude-4.5-sonnet,Anthropic,,prod,Shop\n";
    let call = event(table);
    assert_eq!(
        line(&call),
        "openrouter anthropic/claude-4.5-sonnet: input_text_tokens 60, cache_read_text_tokens 40, output_text_tokens 40, \
         output_reasoning_tokens 10"
    );
    assert_eq!((&*call.call_key, call.key_id.as_deref()), ("openrouter/gen-1", Some("prod")));
    assert_eq!(decoded(table).recognised_as, "csv/openrouter.activity");
}

#[test]
fn a_count_that_is_none_is_rejected_by_its_path() {
    check_rejected(
        &braintrust("llm", r#""prompt_tokens":"many""#),
        "invalid_field",
        "metrics>prompt_tokens",
        &["number"],
    );
    check_rejected(
        &braintrust("llm", r#""prompt_tokens":10,"prompt_cached_tokens":9,"prompt_cache_creation_tokens":-1"#),
        "invalid_field",
        "metrics>prompt_cache_creation_tokens",
        &["negative"],
    );
}

#[test]
fn a_step_that_opencode_prints_is_a_call_of_an_unknown_model() {
    let step = |kind: &str| {
        format!(
            r#"{{"type":"{kind}","timestamp":1785578390000,"sessionID":"ses_1","part":{{"id":"prt_1","messageID":"msg_1","cost":0.01,
            "tokens":{{"input":12,"output":60,"reasoning":5,"cache":{{"read":4000,"write":0}}}}}}}}"#
        )
    };
    check(
        &step("step_finish"),
        "tool.log",
        &[
            "unknown unknown: input_text_tokens 12, cache_read_text_tokens 4000, output_text_tokens 60, output_reasoning_tokens 5",
        ],
    );
    ignored(&step("step_start"), IgnoreReason::NotAModelCall);
}

#[test]
fn gateways_log_what_they_count_under_names_of_their_own() {
    let counts = "input_text_tokens 30, output_text_tokens 9";
    for (payload, expected) in [
        (
            r#"{"llm_summary":{"request_model":"gpt-5","model":"gpt-5.4","duration":190,"prompt_tokens":"30","completion_tokens":"9"},
            "request":{"method":"POST","uri":"/ai"},"response":{"status":200},"start_time":1785578390123,"route_id":"1"}"#,
            format!("openai gpt-5.4: {counts} [id_from_position]"),
        ),
        (
            r#"{"time":"2026-08-01T09:59:50Z","status":200,"request_type":"ai_chat","request_llm_model":"gpt-5.4","llm_model":"gpt-5.4",
            "llm_prompt_tokens":"30","llm_completion_tokens":"9"}"#,
            format!("openai gpt-5.4: {counts} [id_from_position]"),
        ),
        (
            r#"{"ai_log":"{\"model\":\"qwen-max\",\"input_token\":\"30\",\"output_token\":\"9\",\"response_type\":\"stream\"}",
            "request_id":"h1","start_time":"2026-08-01T09:59:50Z","response_code":200}"#,
            format!("dashscope qwen-max: {counts}"),
        ),
        (
            r#"{"model":"qwen-max","input_token":"30","output_token":"9","request_id":"h1","start_time":"2026-08-01T09:59:50Z"}"#,
            format!("dashscope qwen-max: {counts}"),
        ),
        (
            r#"{"time":"2026-08-01T09:59:50Z","llm.provider":"openai","llm.request.model":"gpt-5","llm.request.tokens":30,
            "llm.response.model":"gpt-5.4","llm.response.tokens":9}"#,
            format!("openai gpt-5.4: {counts} [id_from_position]"),
        ),
        (
            r#"{"databricks_request_id":"d1","served_entity_id":"e1","request_time":"2026-08-01T09:59:50Z","status_code":200,
            "input_token_count":30,"output_token_count":9,"requester":"a@b.c"}"#,
            format!("databricks e1: {counts}"),
        ),
    ] {
        check(payload, "tool.log", &[&expected]);
    }
}

#[test]
fn a_thread_of_amp_counts_in_its_messages_and_once_more_in_its_ledger() {
    check(
        r#"{"v":3,"id":"T-1","created":1785578390000,"messages":[{"role":"user","messageId":0,"content":[]},
        {"role":"assistant","messageId":1,"content":[],"usage":{"model":"claude-opus-4-5","inputTokens":10,"outputTokens":300,
        "cacheCreationInputTokens":1000,"cacheReadInputTokens":12000,"totalInputTokens":13010,"timestamp":"2026-08-01T09:59:50Z"}}],
        "usageLedger":{"events":[{"id":"e","model":"claude-opus-4-5","credits":7.3,"tokens":{"input":10,"output":300}}]}}"#,
        "records",
        &[
            "anthropic claude-opus-4-5: input_text_tokens 10, cache_read_text_tokens 12000, cache_write_5m_tokens 1000, \
           output_text_tokens 300 [assumed_5m]",
        ],
    );
}

#[test]
fn the_first_event_of_a_session_has_no_parent_and_is_one_of_its_events() {
    ignored(
        r#"{"type":"session.start","data":{"sessionId":"s"},"id":"e1","timestamp":"2026-08-01T09:59:50Z","parentId":null}"#,
        IgnoreReason::NotAModelCall,
    );
}

#[test]
fn runs_that_failed_or_go_on_used_nothing_yet() {
    let run = |more: &str| {
        format!(
            r#"{{"id":"r","name":"ChatOpenAI","run_type":"llm","start_time":"2026-08-01T09:59:50Z","dotted_order":"x",
            "extra":{{"metadata":{{"ls_provider":"openai","ls_model_name":"gpt-5.4"}}}}{more}}}"#
        )
    };
    ignored(&run(""), IgnoreReason::StatusOnly);
    ignored(&run(r#","end_time":"2026-08-01T09:59:51Z","error":"rate limited""#), IgnoreReason::FailedCall);
    let ended = run(
        r#","end_time":"2026-08-01T09:59:51Z","outputs":{"usage_metadata":{"input_tokens":30,"output_tokens":9,"total_tokens":39}}"#,
    );
    check(
        &format!(r#"{{"post":[{}],"patch":[{ended}]}}"#, run("")),
        "records",
        &["openai gpt-5.4: input_text_tokens 30, output_text_tokens 9"],
    );
}

#[test]
fn sums_of_runs_and_trajectories_are_no_calls() {
    for sum in [
        r#"{"run_id":"r","agent_id":"a","model":"gpt-5.4","metrics":{"input_tokens":100,"output_tokens":20,"total_tokens":120},"content":"x"}"#,
        r#"{"trajectory":[],"info":{"model_stats":{"instance_cost":0.5,"tokens_sent":5000,"api_calls":7}}}"#,
        r#"{"id":5,"source":"agent","llm_metrics":{"accumulated_cost":0.5,"accumulated_token_usage":{"prompt_tokens":5000}}}"#,
        r#"{"usage_including_cached_inference":{"total_cost":0.1,"gpt-5.4":{"prompt_tokens":22}}}"#,
    ] {
        ignored(sum, IgnoreReason::RunSummary);
    }
}

#[test]
fn results_of_frameworks_are_read_by_their_own_names() {
    let counted = "openai gpt-5.4: input_text_tokens 5, cache_read_text_tokens 4, output_text_tokens 12";
    for (payload, expected) in [
        (
            r#"{"result":{"output":{"text":"x"}},"metadata":{"id":"chatcmpl-1","model":"gpt-5.4","usage":{"promptTokens":9,"completionTokens":12,
                "totalTokens":21,"nativeUsage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4}}}}}"#,
            format!("{counted} [time_assumed]"),
        ),
        (
            r#"{"aiMessage":{"text":"x"},"metadata":{"id":"chatcmpl-1","modelName":"gpt-5.4","tokenUsage":{"inputTokenCount":9,
                "outputTokenCount":12,"totalTokenCount":21,"inputTokensDetails":{"cachedTokens":4}}}}"#,
            format!("{counted} [time_assumed]"),
        ),
        (
            r#"{"messages":[],"responseId":"chatcmpl-1","modelId":"gpt-5.4","createdAt":"2026-08-01T09:00:00+00:00",
                "usage":{"inputTokenCount":9,"outputTokenCount":12,"totalTokenCount":21,"cachedInputTokenCount":4}}"#,
            counted.to_owned(),
        ),
        (
            r#"{"Messages":[],"ResponseId":"chatcmpl-1","ModelId":"gpt-5.4","CreatedAt":"2026-08-01T09:00:00+00:00","Usage":{"InputTokenCount":9,
                "OutputTokenCount":12,"TotalTokenCount":21,"AdditionalCounts":{"InputTokenDetails.CachedTokenCount":4}}}"#,
            counted.to_owned(),
        ),
        (
            r#"{"Role":{"Label":"assistant"},"ModelId":"gpt-5.4","Metadata":{"Id":"chatcmpl-1","CreatedAt":"2026-08-01T09:00:00+00:00",
                "Usage":{"OutputTokenCount":12,"InputTokenCount":9,"TotalTokenCount":21,"InputTokenDetails":{"CachedTokenCount":4}}}}"#,
            counted.to_owned(),
        ),
        (
            r#"{"message":{"role":"model"},"finishReason":"stop","usage":{"inputCharacters":10,"inputTokens":9,"outputTokens":12,"totalTokens":30,
                "thoughtsTokens":9},"custom":{"modelVersion":"gemini-2.5-flash","responseId":"r1"}}"#,
            "gcp.gemini gemini-2.5-flash: input_text_tokens 9, output_text_tokens 12, output_reasoning_tokens 9 [time_assumed]".to_owned(),
        ),
    ] {
        check(payload, "tool.log", &[&expected]);
    }
    // AutoGen names no model.
    check(
        r#"{"messages":[{"source":"user","models_usage":null,"content":"x"},{"id":"b","source":"writer","content":"y",
            "models_usage":{"prompt_tokens":28,"completion_tokens":109},"created_at":"2026-07-11T15:41:18Z"}],"stop_reason":null}"#,
        "records",
        &["unknown unknown: input_text_tokens 28, output_text_tokens 109"],
    );
    // The Agents SDK keeps of a response no model, but its id.
    let kept = event(
        r#"{"output":[{"type":"message"}],"usage":{"requests":1,"input_tokens":40,"output_tokens":10,"total_tokens":50},"response_id":"resp_7"}"#,
    );
    assert_eq!(
        (line(&kept), &*kept.call_key),
        ("openai unknown: input_text_tokens 40, output_text_tokens 10 [time_assumed]".to_owned(), "openai/resp_7",)
    );
}

#[test]
fn turns_and_runs_of_agents_add_up_what_others_report() {
    for payload in [
        r#"{"stop_reason":"end_turn","message":{"role":"assistant"},"metrics":{"cycle_count":2,
            "accumulated_usage":{"inputTokens":200,"outputTokens":20,"totalTokens":220}}}"#,
        r#"{"total_cycles":2,"accumulated_usage":{"inputTokens":200,"outputTokens":20,"totalTokens":220}}"#,
        r#"{"jsonrpc":"2.0","id":3,"result":{"stopReason":"end_turn","usage":{"inputTokens":1000,"outputTokens":200,
            "cachedReadTokens":400,"thoughtTokens":50,"totalTokens":1200}}}"#,
        r#"{"stopReason":"end_turn","_meta":{"quota":{"token_count":{"input_tokens":4,"output_tokens":5},"model_usage":[]}}}"#,
        r#"{"session_id":"s","model":{"id":"claude-opus-4-6"},"workspace":{"current_dir":"/a"},"cost":{"total_cost_usd":6.26},
            "context_window":{"current_usage":{"input_tokens":1,"output_tokens":54}}}"#,
    ] {
        ignored(payload, IgnoreReason::RunSummary);
    }
    ignored(
        r#"{"type":"result","status":"success","stats":{"total_tokens":250,"input_tokens":200,"output_tokens":50},"timestamp":"2026-08-01T09:00:02Z"}"#,
        IgnoreReason::RunSummary,
    );
    ignored(
        r#"{"type":"completion","numTurns":2,"session_id":"s","usage":{"input_tokens":10,"output_tokens":5}}"#,
        IgnoreReason::RunSummary,
    );
    // A step of a stream of the AI SDK is counted again at its end.
    ignored(
        r#"{"finishReason":"stop","usage":{"promptTokens":408,"completionTokens":71},"isContinued":false}"#,
        IgnoreReason::StreamFragment,
    );
}

#[test]
fn counts_in_short_words_and_within_an_object_of_the_house_are_read() {
    let counted = "openai gpt-5.4: input_text_tokens 60, cache_read_text_tokens 40, output_text_tokens 20";
    for usage in [
        r#"{"input":100,"output":20,"total":120,"cached":40}"#,
        r#"{"prompt":100,"completion":20,"total":120,"cacheRead":40}"#,
        r#"{"in":100,"out":20,"cache_read":40}"#,
    ] {
        check(
            &format!(r#"{{"id":"e","source":"s","ts":1785578390,"model":"gpt-5.4","usage":{usage}}}"#),
            "ai.usage",
            &[counted],
        );
    }
    check_rejected(
        r#"{"id":"e","source":"s","ts":1785578390,"model":"gpt-5.4","usage":{"input":100,"output":20,"reads":3}}"#,
        "invalid_field",
        "usage",
        &[],
    );
    check(
        r#"{"timestamp":"2026-08-01T09:00:00Z","llm":{"provider":"anthropic","model":"claude-sonnet-4-6",
            "usage":{"input_tokens":100,"output_tokens":20,"cache_read_input_tokens":50}}}"#,
        "envelope/ai.usage",
        &[
            "anthropic claude-sonnet-4-6: input_text_tokens 100, cache_read_text_tokens 50, output_text_tokens 20 [id_from_position]",
        ],
    );
}

#[test]
fn models_and_counts_under_names_of_a_house_are_a_record_of_a_call() {
    let counted = "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5 [id_from_position]";
    for record in [
        r#""modelName":"gpt-5.4","tokenUsage":{"promptTokens":10,"completionTokens":5,"totalTokens":15}"#,
        r#""model_name":"gpt-5.4","token_usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}"#,
        r#""model":"gpt-5.4","tokens":{"input":10,"output":5,"total":15},"cost":0.01"#,
        r#""model":"gpt-5.4","input_token_count":10,"output_token_count":5"#,
        r#""llm_model":"gpt-5.4","llm_provider":"openai","prompt_tokens":10,"completion_tokens":5,"total_cost":0.01"#,
        r#""model_id":"gpt-5.4","input_tokens":10,"output_tokens":5"#,
        r#""message":"done","llm_usage":{"model":"gpt-5.4","prompt_tokens":10,"completion_tokens":5,"total_tokens":15}"#,
        r#""model":"gpt-5.4","openai_usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}"#,
        r#""record":{"extra":{"model":"gpt-5.4","prompt_tokens":10,"completion_tokens":5}}"#,
    ] {
        let payload = format!(r#"{{"timestamp":"2026-08-01T09:00:00Z",{record}}}"#);
        assert_eq!(line(&event(&payload)), counted, "{payload}");
    }
    let flat = r#"{"ts":"2026-08-01T09:00:00Z","model":"gemini-2.5-flash","promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":7}"#;
    assert_eq!(
        line(&event(flat)),
        "gcp.gemini gemini-2.5-flash: input_text_tokens 10, output_text_tokens 5, output_reasoning_tokens 7 [id_from_position]"
    );
    // One way alone is a limit or an estimate, and so is what was asked for.
    for payload in [
        r#"{"name":"x","limits":{"model":"gpt-5.4","input_tokens":1000}}"#,
        r#"{"name":"x","request":{"model":"gpt-5.4","input_tokens":1000,"output_tokens":5}}"#,
        r#"{"model":"gpt-5.4","total_tokens":15}"#,
        r#"{"model":"gpt-5.4","tokens":["a","b"]}"#,
    ] {
        assert!(matches!(decoded(payload).items[..], [Item::Rejected(_)]), "{payload}");
    }
}

#[test]
fn gateways_and_apps_of_their_own_charge_by_their_logs() {
    let charged = |kind: u8, model: &str| {
        format!(
            r#"{{"id":123,"created_at":1785578390,"type":{kind},"username":"u","token_name":"t","model_name":"{model}","quota":150,
            "prompt_tokens":10,"completion_tokens":5,"channel":1,"other":"{{\"cache_tokens\":4,\"model_ratio\":1.25}}"}}"#
        )
    };
    check(
        &charged(2, "gpt-5.4"),
        "tool.log",
        &["openai gpt-5.4: input_text_tokens 6, cache_read_text_tokens 4, output_text_tokens 5"],
    );
    check(
        &charged(2, "claude-sonnet-4-6"),
        "tool.log",
        &["anthropic claude-sonnet-4-6: input_text_tokens 10, cache_read_text_tokens 4, output_text_tokens 5"],
    );
    ignored(&charged(5, "gpt-5.4"), IgnoreReason::NotAModelCall);
    let dify = event(
        r#"{"event":"message_end","id":"m1","message_id":"m1","conversation_id":"c","created_at":1785578390,"metadata":{"usage":{"prompt_tokens":1033,
            "completion_tokens":135,"total_tokens":1168,"total_price":"0.0013030","currency":"USD"}}}"#,
    );
    assert_eq!(line(&dify), "unknown unknown: input_text_tokens 1033, output_text_tokens 135");
    assert_eq!((&*dify.call_key, dify.reported_cost.is_some()), ("event/dify/m1", true));
}
