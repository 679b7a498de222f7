//! Documents and events of applications that are built of models, composed from what public code writes and reads.

use schemas::CostBasis;

use super::{check, decoded, event, events, ignored, line};
use crate::IgnoreReason::{AgentSpan, NotAModelCall, RunSummary, StreamFragment};

fn node(kind: &str, usage: &str) -> String {
    format!(
        r#"{{"event":"node_finished","task_id":"t","workflow_run_id":"w","data":{{"id":"n7","node_id":"17","node_type":"{kind}","title":"x","index":2,
        "predecessor_node_id":"16","inputs":{{}},"process_data":{{"model_mode":"chat",{usage}"finish_reason":"stop",
        "model_provider":"langgenius/tongyi/tongyi","model_name":"qwen3-max"}},"outputs":{{"text":"x"}},"status":"succeeded","error":null,
        "execution_metadata":{{"total_tokens":719,"total_price":"0.016374","currency":"RMB"}},"created_at":1785578390}}}}"#
    )
}

const NODE_USAGE: &str = r#""usage":{"prompt_tokens":49,"completion_tokens":670,"total_tokens":719,"total_price":"0.016374","currency":"RMB"},"#;

#[test]
fn a_node_of_dify_that_asked_a_model_is_a_call_and_its_workflow_adds_it_up() {
    let call = event(&node("llm", NODE_USAGE));
    assert_eq!(line(&call), "dashscope qwen3-max: input_text_tokens 49, output_text_tokens 670");
    assert_eq!((&*call.call_key, call.event_time.to_string().as_str()), ("event/dify/n7", "2026-08-01T09:59:50Z"));
    let cost = call.reported_cost.unwrap();
    assert_eq!((cost.amount.to_string().as_str(), &*cost.currency), ("0.016374", "CNY"));
    assert_eq!(ignored(&node("knowledge-retrieval", "")), [NotAModelCall]);
    assert_eq!(ignored(&node("agent", NODE_USAGE)), [RunSummary]);
    let finished = r#"{"event":"workflow_finished","task_id":"t","data":{"id":"w","status":"succeeded","total_tokens":719,"total_steps":3}}"#;
    assert_eq!(ignored(finished), [RunSummary]);
    assert_eq!(ignored(r#"{"event":"text_chunk","task_id":"t","data":{"text":"x"}}"#), [StreamFragment]);
    // As a row of its database, and as its API gives it back.
    let row = format!(
        r#"{{"data":[{{"id":"n8","index":1,"node_id":"17","node_type":"llm","outputs":"{{\"usage\":{{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}}}}",
        "process_data":"{{\"model_provider\":\"openai\",\"model_name\":\"gpt-5.4\"}}","created_at":1785578390}},{}]}}"#,
        r#"{"id":"n9","node_id":"18","node_type":"end","predecessor_node_id":"17"}"#
    );
    check(&row, "records", &["openai gpt-5.4: input_text_tokens 7, output_text_tokens 2"]);
}

#[test]
fn the_end_of_a_message_counts_where_no_workflow_told_of_its_nodes() {
    let end = r#"{"event":"message_end","task_id":"t","message_id":"m","metadata":{"usage":{"prompt_tokens":49,"completion_tokens":670,
        "total_tokens":719,"total_price":"0.02","currency":"USD"}}}"#
        .replace('\n', "");
    let begun = r#"{"event":"workflow_started","task_id":"t","workflow_run_id":"w","data":{"id":"w"}}"#;
    let node = node("llm", NODE_USAGE).replace('\n', "");
    let stream = format!("data: {begun}\n\ndata: {node}\n\ndata: {end}\n\n");
    let read = decoded(&stream);
    assert_eq!(events(&read).len(), 1, "{read:#?}");
    let alone =
        decoded(&format!("data: {{\"event\":\"message\",\"task_id\":\"t\",\"answer\":\"x\"}}\n\ndata: {end}\n\n"));
    assert_eq!(events(&alone).len(), 1, "{alone:#?}");
}

#[test]
fn a_chat_of_open_web_ui_counts_each_answer_of_its_tree_once() {
    let answer = |id: &str, input: u32| {
        format!(
            r#"{{"id":"{id}","parentId":"m1","role":"assistant","content":"y","model":"gpt-5.4","timestamp":1785578390,"done":true,
            "usage":{{"prompt_tokens":{input},"completion_tokens":5,"total_tokens":{}}}}}"#,
            input + 5
        )
    };
    let asked = r#"{"id":"m1","role":"user","content":"x","timestamp":1785578380,"models":["gpt-5.4"]}"#;
    let (first, second) = (answer("m2", 10), answer("m3", 12));
    let chat = format!(
        r#"{{"id":"c1","user_id":"u","title":"t","created_at":1785578300,"chat":{{"models":["gpt-5.4"],"messages":[{asked},{second}],
        "history":{{"currentId":"m3","messages":{{"m1":{asked},"m2":{first},"m3":{second}}}}}}}}}"#
    );
    check(
        &chat,
        "records",
        &[
            "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5",
            "openai gpt-5.4: input_text_tokens 12, output_text_tokens 5",
        ],
    );
    let read = decoded(&chat);
    let call = events(&read)[0];
    assert_eq!(
        (call.event_time.to_string().as_str(), call.claimed.session.as_deref()),
        ("2026-08-01T09:59:50Z", Some("c1"))
    );
}

#[test]
fn a_message_of_lobe_chat_counts_its_caches_inside_the_input() {
    let counts = r#""inputCacheMissTokens":6,"inputCachedTokens":4,"inputWriteCacheTokens":2,"totalInputTokens":12,"totalOutputTokens":5,
        "outputTextTokens":3,"outputReasoningTokens":2,"totalTokens":17"#;
    let expected = "anthropic claude-sonnet-4-6: input_text_tokens 6, cache_read_text_tokens 4, cache_write_5m_tokens 2, \
                    output_text_tokens 3, output_reasoning_tokens 2 [assumed_5m]";
    for name in ["metadata", "usage"] {
        let message = format!(
            r#"{{"id":"msg_x","role":"assistant","content":"y","model":"claude-sonnet-4-6","provider":"anthropic","createdAt":1785578390000,
            "{name}":{{{counts},"tps":50}}}}"#
        );
        let call = event(&message);
        assert_eq!((line(&call).as_str(), &*call.call_key), (expected, "event/lobe-chat/msg_x"));
    }
}

#[test]
fn a_trajectory_that_keeps_its_answers_is_those_and_one_that_does_not_is_a_sum() {
    let of = |extra: &str| {
        format!(
            r#"{{"info":{{"exit_status":"Submitted","model_stats":{{"instance_cost":0.1,"api_calls":1}}}},"trajectory_format":"mini-swe-agent-1",
            "messages":[{{"role":"system","content":"x"}},{{"role":"assistant","content":"y"{extra}}}]}}"#
        )
    };
    let answer = r#","extra":{"response":{"id":"chatcmpl-A1","object":"chat.completion","created":1785578390,"model":"gpt-5.4-2026-03-01",
        "choices":[],"usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150}}}"#;
    check(&of(answer), "records", &["openai gpt-5.4-2026-03-01: input_text_tokens 100, output_text_tokens 50"]);
    assert_eq!(ignored(&of("")), [RunSummary]);
}

#[test]
fn a_log_of_inspect_is_the_events_in_which_it_asked_a_model() {
    let asked = |cache: &str| {
        format!(
            r#"{{"event":"model","uuid":"e1","timestamp":"2026-08-01T09:59:50+00:00","model":"anthropic/claude-sonnet-4-6","input":[],"tools":[],
            "tool_choice":"auto","config":{{}},"cache":{cache},"output":{{"model":"claude-sonnet-4-6","choices":[],"usage":{{"input_tokens":10,
            "output_tokens":60,"total_tokens":4570,"input_tokens_cache_read":4000,"input_tokens_cache_write":500}}}},"call":{{"request":{{}},
            "response":{{"id":"msg_01A","type":"message","usage":{{"input_tokens":10,"output_tokens":60}}}}}}}}"#
        )
    };
    let log = |events: &str| {
        format!(
            r#"{{"version":2,"eval":{{"task":"t","model":"anthropic/claude-sonnet-4-6"}},"stats":{{"model_usage":{{}}}},"samples":[{{"id":1,"epoch":1,
            "scores":{{}},"model_usage":{{"anthropic/claude-sonnet-4-6":{{"input_tokens":10}}}},"events":[{{"event":"state"}},{events}]}}]}}"#
        )
    };
    check(
        &log(&asked("null")),
        "records",
        &[
            "anthropic claude-sonnet-4-6: input_text_tokens 10, cache_read_text_tokens 4000, cache_write_5m_tokens 500, \
           output_text_tokens 60 [assumed_5m]",
        ],
    );
    assert_eq!(event(&asked("null")).call_key, "anthropic/msg_01A");
    assert_eq!(event(&asked(r#""read""#)).cost_basis, CostBasis::GatewayCache);
}

#[test]
fn the_metrics_of_open_hands_tell_of_each_answer_when_it_was_and_what_it_cost() {
    let used = r#"{"model":"litellm_proxy/claude-sonnet-4-6","prompt_tokens":5000,"completion_tokens":60,"cache_read_tokens":4000,
        "cache_write_tokens":500,"context_window":200000,"per_turn_token":5060,"response_id":"msg_01B"}"#;
    let run = format!(
        r#"{{"instance_id":"i","history":[],"metrics":{{"accumulated_cost":0.1,"accumulated_token_usage":{{"prompt_tokens":5000}},
        "costs":[{{"model":"m","cost":0.1,"timestamp":1785578390.5}}],"token_usages":[{used}]}}}}"#
    );
    let call = event(&run);
    assert_eq!(
        line(&call),
        "anthropic claude-sonnet-4-6: input_text_tokens 500, cache_read_text_tokens 4000, cache_write_5m_tokens 500, \
         output_text_tokens 60 [assumed_5m]"
    );
    assert_eq!(
        (&*call.call_key, call.event_time.to_string().as_str()),
        ("anthropic/msg_01B", "2026-08-01T09:59:50.500Z")
    );
    assert_eq!(call.reported_cost.unwrap().amount.to_string(), "0.1");
}

#[test]
fn an_execution_of_n8n_names_the_model_of_each_run_in_the_answer_or_the_node() {
    let run = |named: &str, input: u32| {
        format!(
            r#"{{"startTime":1785578390000,"executionTime":900,"executionStatus":"success","inputOverride":{{"ai_languageModel":[[{{"json":{{
            "messages":["x"],"options":{{"model":"gpt-5.4-mini"}}}}}}]]}},"data":{{"ai_languageModel":[[{{"json":{{"response":{{"generations":[[{{
            "text":"y","generationInfo":{{{named}}}}}]]}},"tokenUsage":{{"promptTokens":{input},"completionTokens":5,"totalTokens":{}}}}}}}]]}}}}"#,
            input + 5
        )
    };
    let execution = format!(
        r#"{{"id":"9","finished":true,"mode":"trigger","startedAt":"2026-08-01T09:59:00Z","data":{{"resultData":{{"runData":{{
        "Chat":[{{"startTime":1,"data":{{"main":[[{{"json":{{}}}}]]}}}}],"OpenAI Chat Model":[{},{}]}}}}}}}}"#,
        run("", 10),
        run(r#""model_name":"gpt-5.4-2026-03-01""#, 12)
    );
    check(
        &execution,
        "records",
        &[
            "openai gpt-5.4-mini: input_text_tokens 10, output_text_tokens 5",
            "openai gpt-5.4-2026-03-01: input_text_tokens 12, output_text_tokens 5",
        ],
    );
    assert_eq!(event(&run("", 10)).event_time.to_string(), "2026-08-01T09:59:50Z");
}

#[test]
fn nodes_of_flowise_name_the_model_in_their_settings() {
    let flow = r#"{"text":"y","question":"x","chatId":"c","agentFlowExecutedData":[{"nodeLabel":"Start","nodeId":"start_0","data":{}},
        {"nodeLabel":"LLM 0","nodeId":"llm_0","data":{"input":{"llmModelConfig":{"modelName":"gpt-5.4"}},"output":{"content":"y",
        "timeMetadata":{"start":1785578390000},"usageMetadata":{"input_tokens":10,"output_tokens":5,"total_tokens":15,
        "input_token_details":{"cache_read":4}}}}}]}"#;
    let read = decoded(flow);
    let lines: Vec<String> = events(&read).into_iter().map(line).collect();
    assert_eq!(lines, ["openai gpt-5.4: input_text_tokens 6, cache_read_text_tokens 4, output_text_tokens 5"]);
}

#[test]
fn sessions_of_agents_that_credits_pay_for_count_every_answer() {
    let auggie = r#"{"sessionId":"s1","created":"2026-08-01T09:00:00Z","creditUsage":42.5,"agentState":{"modelId":"claude-opus-4-7"},"chatHistory":[
        {"exchange":{"request_id":"r","response_nodes":[{"id":0,"type":8,"token_usage":null},{"id":3,"type":10,"token_usage":{
        "input_tokens":100,"output_tokens":200,"cache_read_input_tokens":50,"cache_creation_input_tokens":150},"timestamp_ms":1785578390000}]}}]}"#;
    let call = event(auggie);
    assert_eq!(
        line(&call),
        "augment claude-opus-4-7: input_text_tokens 100, cache_read_text_tokens 50, cache_write_5m_tokens 150, \
         output_text_tokens 200 [assumed_5m]"
    );
    assert_eq!((call.cost_basis, call.event_time.to_string().as_str()), (CostBasis::Included, "2026-08-01T09:59:50Z"));
    let copilot = r#"{"version":3,"sessionId":"s","requests":[{"requestId":"r1","timestamp":1785578390000,"modelId":"copilot/gpt-5.4",
        "message":{"text":"x"},"result":{"metadata":{"promptTokens":1000,"outputTokens":50}}},{"requestId":"r2","modelId":"copilot/gpt-5.4"}]}"#;
    let call = event(copilot);
    assert_eq!(line(&call), "github gpt-5.4: input_text_tokens 1000, output_text_tokens 50");
    assert_eq!((call.cost_basis, &*call.call_key), (CostBasis::Included, "event/copilot-chat/r1"));
    let logged = |kind: &str| {
        format!(
            r#"{{"ts":1785578390000,"dur":21078,"sid":"s","type":"{kind}","name":"chat:gpt-5.4","spanId":"00dc","parentSpanId":"00d3","status":"ok",
            "attrs":{{"model":"gpt-5.4","inputTokens":40446,"outputTokens":2661,"cachedTokens":11264,"ttft":1987}}}}"#
        )
    };
    let call = event(&logged("llm_request"));
    assert_eq!(
        line(&call),
        "github gpt-5.4: input_text_tokens 29182, cache_read_text_tokens 11264, output_text_tokens 2661"
    );
    assert_eq!((call.cost_basis, &*call.call_key), (CostBasis::Included, "event/copilot-chat/s/00dc"));
    assert_eq!(ignored(&logged("tool_call")), [NotAModelCall]);
    let line_of = |change: &str| format!(r#"{{"kind":1,"k":["requests",0,"result"],"v":{change}}}"#);
    assert_eq!(ignored(&line_of(r#"{"timings":{"totalElapsed":5}}"#)), [StreamFragment]);
    let junie = r#"{"kind":"SessionA2uxEvent","timestampMs":1785578390000,"event":{"agentEvent":{"kind":"LlmResponseMetadataEvent","modelUsage":[
        {"model":"gpt-5.4","provider":"OpenAI","inputTokens":100,"outputTokens":50,"cacheInputTokens":20,"cost":0.001}]}}}"#;
    let call = event(junie);
    assert_eq!(
        line(&call),
        "openai gpt-5.4: input_text_tokens 100, cache_read_text_tokens 20, output_text_tokens 50 [id_from_position]"
    );
    assert_eq!(call.event_time.to_string(), "2026-08-01T09:59:50Z");
}

#[test]
fn lines_of_agents_that_count_are_no_messages_of_anthropic_and_the_others_are_no_mistakes() {
    let command_code = r#"{"type":"message","id":"4","parentId":"2","timestamp":"2026-08-01T09:59:50Z","message":{"role":"assistant","content":[]},
        "usage":{"inputTokens":25199,"outputTokens":409,"cacheReadTokens":7680,"cacheWriteTokens":0,"costUsd":0.060996},"model":"gpt-5.4"}"#;
    assert_eq!(
        line(&event(command_code)),
        "openai gpt-5.4: input_text_tokens 17519, cache_read_text_tokens 7680, output_text_tokens 409"
    );
    let dsh = r#"{"type":"assistant/message","data":{"turn":1,"message":{"id":"m","role":"assistant","source":{"kind":"model",
        "provider":"deepseek","model":"deepseek-chat"}},"usage":{"inputTokens":100,"outputTokens":20,"cacheReadTokens":30,"cacheWriteTokens":0,
        "reasoningTokens":8,"totalTokens":150}},"seq":2,"time":1785578390000}"#;
    assert_eq!(
        line(&event(dsh)),
        "deepseek deepseek-chat: input_text_tokens 100, cache_read_text_tokens 30, output_text_tokens 12, \
         output_reasoning_tokens 8"
    );
    for other in [
        r#"{"type":"session","version":3,"id":"s","timestamp":"2026-08-01T09:59:50Z","cwd":"/x"}"#,
        r#"{"type":"model_change","id":"a","parentId":null,"timestamp":"2026-08-01T09:59:50Z","provider":"p","modelId":"m"}"#,
        r#"{"type":"message","id":"c","parentId":"b","timestamp":"2026-08-01T09:59:50Z","message":{"role":"user","content":"x"}}"#,
        r#"{"timestamp":1785578390.1,"message":{"type":"TurnBegin","payload":{"user_input":"x"}}}"#,
        r#"{"type":"metadata","protocol_version":"1.5"}"#,
        r#"{"type":"turn/start","data":{"turn":1},"seq":0,"time":1785578390000}"#,
    ] {
        assert_eq!(ignored(other), [StreamFragment], "{other}");
    }
}

#[test]
fn spans_that_java_script_wrote_to_a_file_have_their_time_in_halves() {
    let span = |name: &str, operation: &str| {
        format!(
            r#"{{"resource":{{"_rawAttributes":[["service.name","copilot-chat"]]}},"instrumentationScope":{{"name":"copilot-chat"}},
            "traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"{name}","kind":2,"startTime":[1785578390,500000000],
            "endTime":[1785578394,0],"attributes":{{"gen_ai.operation.name":"{operation}","gen_ai.provider.name":"github",
            "gen_ai.request.model":"gpt-5.4","gen_ai.usage.input_tokens":1000,"gen_ai.usage.output_tokens":50}}}}"#
        )
    };
    let call = event(&span("chat gpt-5.4", "chat"));
    assert_eq!(line(&call), "github gpt-5.4: input_text_tokens 1000, output_text_tokens 50");
    assert_eq!(call.event_time.to_string(), "2026-08-01T09:59:50.500Z");
    assert_eq!(call.claimed.application.as_deref(), Some("copilot-chat"));
    assert_eq!(ignored(&span("invoke_agent x", "invoke_agent")), [AgentSpan]);
    // Its log record of the same answer belongs to that span, and another sums the turn up.
    let log = |name: &str, model: &str| {
        format!(
            r#"{{"resource":{{"_rawAttributes":[["service.name","copilot-chat"]]}},"hrTime":[1785578394,0],"hrTimeObserved":[1785578394,0],
            "spanContext":{{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","traceFlags":1}},
            "instrumentationScope":{{"name":"copilot-chat"}},"attributes":{{"event.name":"{name}",{model}"gen_ai.usage.input_tokens":1000,
            "gen_ai.usage.output_tokens":50}},"_body":"x"}}"#
        )
    };
    let model = r#""gen_ai.operation.name":"chat","gen_ai.response.model":"gpt-5.4","#;
    let logged = event(&log("gen_ai.client.inference.operation.details", model));
    assert_eq!((line(&logged), &logged.call_key), (line(&call), &call.call_key));
    assert_eq!(logged.cost_basis, CostBasis::Included);
    assert_eq!(ignored(&log("copilot_chat.agent.turn", "")), [AgentSpan]);
}

#[test]
fn a_model_named_as_lite_llm_does_stands_behind_its_provider() {
    let named = |scope: &str, more: &[(&str, &str)]| {
        let counts = [
            ("openinference.span.kind", "LLM"),
            ("llm.model_name", "openai/gpt-5.4"),
            ("llm.token_count.prompt", "10"),
            ("llm.token_count.completion", "5"),
        ];
        let attributes: Vec<(&str, &str)> = counts.iter().chain(more).copied().collect();
        line(&event(&super::span(scope, "LM.__call__", &attributes)))
    };
    let expected = "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5";
    assert_eq!(named("openinference.instrumentation.dspy", &[]), expected);
    assert_eq!(named("x", &[("llm.provider", "openai")]), expected);
    assert_eq!(
        named("x", &[("llm.provider", "openrouter")]),
        "openrouter openai/gpt-5.4: input_text_tokens 10, output_text_tokens 5"
    );
    let framework = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "microsoft.agent_framework"),
        ("gen_ai.request.model", "gpt-5.4"),
        ("gen_ai.usage.input_tokens", "10"),
        ("gen_ai.usage.output_tokens", "5"),
    ];
    assert_eq!(line(&event(&super::span("agent_framework", "chat gpt-5.4", &framework))), expected);
}

#[test]
fn what_an_observer_exports_of_a_call_is_told_from_what_adds_it_up() {
    let honeyhive = |kind: &str| {
        format!(
            r#"{{"project_id":"p","source":"dev","event_name":"x","event_type":"{kind}","event_id":"e1","session_id":"s1","parent_id":"s1",
            "config":{{"provider":"openai","model":"gpt-5.4"}},"inputs":{{}},"outputs":{{}},"start_time":1785578390000,"duration":1000,
            "metadata":{{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}},"metrics":{{}}}}"#
        )
    };
    let expected = "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5";
    assert_eq!(line(&event(&honeyhive("model"))), expected);
    assert_eq!(ignored(&honeyhive("session")), [AgentSpan]);
    let galileo = r#"{"type":"llm","id":"5f","trace_id":"7a","created_at":"2026-08-01T09:59:50Z","model":"gpt-5.4","metrics":{"duration_ns":1,
        "num_input_tokens":10,"num_output_tokens":5,"num_total_tokens":15},"input":[],"output":{}}"#;
    assert_eq!(line(&event(galileo)), expected);
    let lunary = r#"{"type":"llm","name":"gpt-5.4","id":"r1","projectId":"p","createdAt":"2026-08-01T09:59:50Z","status":"success",
        "tokens":{"completion":5,"prompt":10,"total":15},"cost":0.0001}"#;
    assert_eq!(line(&event(lunary)), expected);
    let laminar = r#"{"spanId":"00000000-0000-0000-b7ad-6b7169203331","traceId":"0af76519-16cd-43dd-8448-eb211c80319c","name":"openai.chat",
        "startTime":"2026-08-01T09:59:50Z","attributes":{"gen_ai.system":"openai","gen_ai.response.model":"gpt-5.4",
        "gen_ai.usage.input_tokens":10,"gen_ai.usage.output_tokens":5}}"#;
    let call = event(laminar);
    assert_eq!(
        (line(&call).as_str(), &*call.call_key),
        (expected, "span/0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331")
    );
    let run = r#"{"id":"r1","run_type":"llm","start_time":"2026-08-01T09:59:50","extra":{"metadata":{"ls_provider":"openai","ls_model_name":"gpt-5.4"}},
        "outputs":{"generations":[[{"message":{"kwargs":{"usage_metadata":{"input_tokens":10,"output_tokens":5,"total_tokens":15},
        "response_metadata":{"model_name":"gpt-5.4-2026-03-01"}}}}]]}}"#;
    assert_eq!(line(&event(run)), "openai gpt-5.4-2026-03-01: input_text_tokens 10, output_text_tokens 5");
}

#[test]
fn portkey_counts_costs_in_cents_and_has_two_kinds_of_hits() {
    let log = |status: &str| {
        format!(
            r#"{{"id":"l1","created_at":"2026-08-01T09:59:50Z","ai_org":"openai","ai_model":"gpt-5.4","req_units":10,"res_units":5,"cost":0.75,
            "cost_currency":"USD","cache_status":"{status}"}}"#
        )
    };
    let call = event(&log("MISS"));
    assert_eq!(call.reported_cost.unwrap().amount.to_string(), "0.0075");
    assert_eq!(event(&log("SEMANTIC HIT")).cost_basis, CostBasis::GatewayCache);
}

#[test]
fn a_message_of_lang_chain_without_a_model_is_counted() {
    let message = r#"{"content":"y","type":"ai","response_metadata":{"finishReason":"STOP"},"usage_metadata":{"input_tokens":10,"output_tokens":5,
        "total_tokens":15}}"#;
    assert_eq!(
        line(&event(message)),
        "unknown unknown: input_text_tokens 10, output_text_tokens 5 [id_from_position, time_assumed]"
    );
}

#[test]
fn what_stands_around_an_answer_says_when_it_was_where_the_answer_does_not() {
    let kept = r#"{"run_id":"r","event_id":0,"type":"sampling","created_at":"2026-08-01 09:59:50.5+00:00","data":{"prompt":[],"sampled":["x"],
        "model":"gpt-5.4","usage":{"completion_tokens":5,"prompt_tokens":10,"total_tokens":15}}}"#;
    assert_eq!(event(kept).event_time.to_string(), "2026-08-01T09:59:50.500Z");
    let weave = r#"{"id":"c1","op_name":"weave:///e/p/op/anthropic.Messages.create:a","started_at":"2026-08-01T09:59:50Z","project_id":"e/p",
        "inputs":{"model":"claude-sonnet-4-6"},"output":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],
        "usage":{"input_tokens":10,"output_tokens":5}}}"#;
    assert_eq!(event(weave).event_time.to_string(), "2026-08-01T09:59:50Z");
}

#[test]
fn sums_of_applications_say_that_they_are_sums() {
    for sum in [
        r#"{"day":"2026-08-01","organization_id":"1","user_login":"x","totals_by_ide":[{"ide":"vscode"}],"used_chat":true}"#,
        r#"{"success":true,"data":[{"id":1,"username":"r","model_name":"gpt-5.4","created_at":1785578390,"token_used":150,"count":3,"quota":375}]}"#,
        r#"{"results":[{"date":"2026-08-01","metrics":{"spend":0.1,"prompt_tokens":100,"completion_tokens":50,"api_requests":5},"breakdown":{}}],
            "metadata":{"total_spend":0.1}}"#,
        r#"{"daily":[{"date":"Aug 1","inputTokens":100,"cachedInputTokens":50,"outputTokens":10,"totalTokens":110,"costUSD":0.1,
            "models":{"gpt-5.4":{"inputTokens":100}}}],"totals":{"inputTokens":100}}"#,
        r#"{"meta":{"version":"1"},"summary":{"totalTokens":100,"totalCost":1.2},"contributions":[{"date":"2026-08-01","sources":[
            {"modelId":"claude-sonnet-4-6","tokens":{"input":10,"output":20}}]}]}"#,
        r#"{"message":{"type":"end-of-call-report","cost":0.1,"costBreakdown":{"llm":0.02,"total":0.1,"llmPromptTokens":1200,
            "llmCompletionTokens":80},"costs":[{"type":"model","model":{"model":"gpt-5.4"},"promptTokens":1200,"completionTokens":80}]}}"#,
        r#"{"event":"call_ended","call":{"call_id":"c","llm_token_usage":{"values":[123],"average":123,"num_requests":1}}}"#,
        r#"{"agent_id":"a","conversation_id":"c","transcript":[],"metadata":{"cost":296,"charging":{"llm_usage":{"irreversible_generation":{}}}}}"#,
        r#"{"startTime":"2026-08-01","spend":0.1,"users":{"u":0.1},"models":{"gpt-5.4":0.1}}"#,
        r#"{"ResultsByTime":[{"TimePeriod":{"Start":"2026-08-01"},"Groups":[]}]}"#,
        r#"{"data":{"total_credits":100.5,"total_usage":25.75}}"#,
    ] {
        assert_eq!(ignored(sum), [RunSummary], "{sum}");
    }
}

#[test]
fn spans_of_mastra_and_signoz_are_read_as_their_stores_hold_them() {
    let span = |kind: &str, own: &str| {
        format!(
            r#"{{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",{own},"parentSpanId":"00f067aa0ba902b6","name":"llm: 'x'","isEvent":false,
            "startedAt":"2026-08-01T09:59:50Z","attributes":{{"model":"claude-sonnet-4-6","provider":"anthropic.messages","usage":{{
            "inputTokens":5000,"outputTokens":60,"inputDetails":{{"text":500,"cacheRead":4000,"cacheWrite":500}},
            "outputDetails":{{"text":40,"reasoning":20}}}},"streaming":true}},"{}":"{kind}"}}"#,
            if own.contains("spanId") { "spanType" } else { "type" }
        )
    };
    let expected = "anthropic claude-sonnet-4-6: input_text_tokens 500, cache_read_text_tokens 4000, cache_write_5m_tokens 500, \
                    output_text_tokens 40, output_reasoning_tokens 20 [assumed_5m]";
    for own in [r#""spanId":"00f067aa0ba902b7""#, r#""id":"00f067aa0ba902b7""#] {
        let call = event(&span("model_generation", own));
        assert_eq!(
            (line(&call).as_str(), &*call.call_key),
            (expected, "span/4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7")
        );
        assert_eq!(call.event_time.to_string(), "2026-08-01T09:59:50Z");
        assert_eq!(ignored(&span("model_step", own)), [AgentSpan]);
    }
    let signoz = r#"{"timestamp":"2026-08-01T09:59:50Z","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","name":"chat",
        "attributes_string":{"gen_ai.operation.name":"chat","gen_ai.request.model":"gpt-5.4"},"resources_string":{"service.name":"shop"},
        "attributes_number":{"gen_ai.usage.input_tokens":10,"gen_ai.usage.output_tokens":5}}"#;
    let call = event(signoz);
    assert_eq!(line(&call), "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5");
    assert_eq!(call.claimed.application.as_deref(), Some("shop"));
    let deep_eval = [
        ("confident.span.type", "llm"),
        ("confident.llm.model", "gpt-5.4"),
        ("confident.llm.input_token_count", "10"),
        ("confident.llm.output_token_count", "5"),
    ];
    assert_eq!(
        line(&event(&super::span("deepeval", "x", &deep_eval))),
        "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5"
    );
}
