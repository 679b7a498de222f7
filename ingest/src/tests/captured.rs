//! Bodies as others have captured and published them, composed anew: each test is something they hold that was read wrongly.

use super::{arrival, check, check_rejected, decoded, event, events, line, span};
use crate::{IgnoreReason, Item};

#[test]
fn snake_case_frames_of_gemini_are_cut_and_counted_like_camel_case_ones() {
    let frame = |id: &str, reason: &str, output: u32| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"a"}}]}},"finish_reason":{reason}}}],{id}
            "usage_metadata":{{"prompt_token_count":8,"candidates_token_count":{output},"total_token_count":{},
            "thoughts_token_count":null}},"model_version":"gemini-2.5-flash"}}"#,
            8 + output
        )
    };
    let stop = r#""STOP""#;
    let one = "gcp.gemini gemini-2.5-flash: input_text_tokens 8, output_text_tokens 5";
    let two = "gcp.gemini gemini-2.5-flash: input_text_tokens 8, output_text_tokens 7";
    for (first, second, kind) in [
        (r#""response_id":"r1","#, r#""response_id":"r2","#, "time_assumed"),
        ("", "", "id_from_position, time_assumed"),
    ] {
        let frames = [frame(first, "null", 1), frame(first, stop, 5), frame(second, "null", 2), frame(second, stop, 7)];
        check(
            &format!("[{}]", frames.join(",")),
            "gemini.generate_content",
            &[&format!("{one} [{kind}]"), &format!("{two} [{kind}]")],
        );
    }
}

#[test]
fn searches_are_counted_in_snake_case_too() {
    check(
        r#"{"candidates":[{"finish_reason":"STOP","grounding_metadata":{"web_search_queries":["a","b"]}}],
            "response_id":"r3","usage_metadata":{"prompt_token_count":5,"total_token_count":5},"model_version":"gemini-3-flash"}"#,
        "gemini.generate_content",
        &["gcp.gemini gemini-3-flash: input_text_tokens 5, web_searches 2 [time_assumed]"],
    );
}

#[test]
fn events_of_the_agent_development_kit_are_calls_of_their_own() {
    let said = |id: u32, more: &str| {
        format!(
            r#"{{"content":{{"role":"model"}},"finish_reason":"STOP","usage_metadata":{{"prompt_token_count":489,
            "candidates_token_count":208,"thoughts_token_count":1768,"total_token_count":2465,"traffic_type":"ON_DEMAND"}},
            "invocation_id":"e-1","author":"root_agent","actions":{{}},"id":"ev{id}","timestamp":1785578390.33{more}}}"#
        )
    };
    let list = format!("[{},{},{}]", said(1, r#","partial":true"#), said(2, ""), said(3, ""));
    let decoded = decoded(&list);
    let found = events(&decoded);
    assert_eq!(
        found.iter().map(|event| line(event)).collect::<Vec<_>>(),
        ["gcp.vertex_ai unknown: input_text_tokens 489, output_text_tokens 208, output_reasoning_tokens 1768"; 2]
    );
    assert!(matches!(decoded.items[0], Item::Ignored { reason: IgnoreReason::StreamFragment, .. }));
    assert_eq!((&*found[0].call_key, found[0].claimed.agent.as_deref()), ("event/adk/ev2", Some("root_agent")));
    assert_eq!(found[0].event_time.to_string(), "2026-08-01T09:59:50.330Z");
}

#[test]
fn interactions_tell_modalities_and_count_their_grounding() {
    check(
        r#"{"id":"v1_a","model":"gemini-3-flash-preview","status":"completed","created":"2026-08-01T09:00:00Z","steps":[],
            "usage":{"total_input_tokens":100,"total_cached_tokens":50,"total_output_tokens":40,"total_thought_tokens":2,
            "total_tool_use_tokens":7,"total_tokens":149,"raw_prompt_token":107,
            "input_tokens_by_modality":[{"modality":"text","tokens":60},{"modality":"audio","tokens":40}],
            "cached_tokens_by_modality":[{"modality":"text","tokens":20},{"modality":"audio","tokens":30}],
            "output_tokens_by_modality":[{"modality":"text","tokens":10},{"modality":"image","tokens":30}],
            "grounding_tool_count":[{"type":"google_search","count":2},{"type":"google_maps","count":1}]}}"#,
        "gemini.interaction",
        &[
            "gcp.gemini gemini-3-flash-preview: input_text_tokens 47, cache_read_text_tokens 20, output_text_tokens 10, \
           output_reasoning_tokens 2, input_audio_tokens 10, cache_read_audio_tokens 30, output_image_tokens 30, \
           web_searches 2, maps_groundings 1",
        ],
    );
    let video = event(
        r#"{"id":"v1_v","object":"interaction","model":"gemini-omni","created":"2026-08-01T09:00:00Z","usage":{"total_input_tokens":16,
            "total_output_tokens":90,"total_tokens":106,"output_tokens_by_modality":[{"modality":"video","tokens":80}]}}"#,
    );
    assert!(line(&video).ends_with("output_text_tokens 90 [unknown_usage_field]"), "{}", line(&video));
}

#[test]
fn the_events_of_a_streamed_interaction_are_one_call() {
    let frames = [
        r#"{"interaction":{"id":"v1_s","model":"gemini-3.1-flash-lite","object":"interaction","status":"in_progress","created":"2026-08-01T09:00:00Z"},"event_type":"interaction.created"}"#,
        r#"{"interaction_id":"v1_s","status":"in_progress","event_type":"interaction.status_update"}"#,
        r#"{"index":0,"step":{"type":"model_output"},"event_type":"step.start"}"#,
        r#"{"index":0,"delta":{"type":"text","text":"x"},"event_type":"step.delta"}"#,
        r#"{"interaction":{"id":"v1_s","status":"completed","usage":{"total_input_tokens":3,"total_output_tokens":4,"total_tokens":7}},"event_type":"interaction.completed"}"#,
    ];
    let text: String = frames.iter().map(|frame| format!("event: x\ndata: {frame}\n\n")).collect();
    let expected = "gcp.gemini gemini-3.1-flash-lite: input_text_tokens 3, output_text_tokens 4";
    check(&(text + "event: done\ndata: [DONE]\n\n"), "gemini.interaction", &[expected]);
    check(&frames.join("\n"), "gemini.interaction", &[expected]);
    check(
        &frames[..4].join("\n"),
        "gemini.interaction",
        &["gcp.gemini gemini-3.1-flash-lite:  [usage_missing, partial_stream]"],
    );
}

#[test]
fn tokens_of_mistrals_connectors_stand_beside_the_prompt() {
    let answer = |total: u32| {
        format!(
            r#"{{"conversation_id":"conv_1","object":"conversation.response","outputs":[{{"type":"message.output",
            "model":"mistral-medium-2505","content":"x"}}],"usage":{{"prompt_tokens":95,"completion_tokens":209,
            "total_tokens":{total},"connector_tokens":95,"connectors":{{"code_interpreter":1,"web_search":2}}}}}}"#
        )
    };
    for (total, input) in [(399, 190), (304, 95)] {
        check(
            &answer(total),
            "openai.chat_completion",
            &[&format!(
                "mistral_ai mistral-medium-2505: input_text_tokens {input}, output_text_tokens 209, web_searches 2, \
                 code_sessions 1 [id_from_position, time_assumed]"
            )],
        );
    }
}

#[test]
fn perplexitys_agents_state_their_tools_and_what_they_wrote_to_a_cache() {
    let event = event(
        r#"{"id":"resp_p","created_at":1785578390,"object":"response","model":"openai/gpt-5.1","status":"completed",
            "output":[{"type":"search_results","results":[]}],"usage":{"input_tokens":11575,
            "input_tokens_details":{"cache_creation_input_tokens":6296,"cache_read_input_tokens":5270,"cached_tokens":5270},
            "output_tokens":227,"output_tokens_details":{"reasoning_tokens":28},"total_tokens":11802,
            "tool_calls_details":{"search_web":{"cost_usd":0.005,"invocation":2},"fetch_url":{"invocation":1}},
            "cost":{"currency":"USD","input_cost":0,"tool_calls_cost":0.005,"total_cost":0.00747}}}"#,
    );
    assert_eq!(
        line(&event),
        "perplexity openai/gpt-5.1: input_text_tokens 9, cache_read_text_tokens 5270, cache_write_5m_tokens 6296, \
         output_text_tokens 199, output_reasoning_tokens 28, web_searches 2, web_fetches 1"
    );
    assert_eq!(event.reported_cost.unwrap().amount.to_string(), "0.00747");
}

#[test]
fn tools_that_groq_ran_are_counted_whole_and_streamed() {
    let tool = r#"{"index":0,"type":"search","arguments":"{}""#;
    let body = format!(
        r#"{{"id":"g1","object":"chat.completion","created":1785578390,"model":"groq/compound","choices":[{{"index":0,
        "message":{{"content":"x","executed_tools":[{tool},"output":"y"}},{{"index":1,"type":"visit"}},
        {{"index":2,"type":"python"}}]}}}}],"usage":{{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}},
        "x_groq":{{"id":"req_1"}}}}"#
    );
    let counted = "groq groq/compound: input_text_tokens 9, output_text_tokens 2, web_searches 1";
    assert_eq!(line(&event(&body)), format!("{counted}, web_fetches 1"));
    let chunk = |choices: &str, more: &str| {
        format!(
            r#"{{"id":"g2","object":"chat.completion.chunk","created":1785578390,"model":"groq/compound","choices":[{choices}]{more}}}"#
        )
    };
    let frames = [
        chunk(&format!(r#"{{"index":0,"delta":{{"executed_tools":[{tool}}}]}}}}"#), ""),
        chunk(&format!(r#"{{"index":0,"delta":{{"executed_tools":[{tool},"output":"y"}}]}}}}"#), ""),
        chunk("", r#","x_groq":{"id":"r","usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#),
    ];
    check(&frames.join("\n"), "openai.chat_completion", &[counted]);
}

#[test]
fn a_cache_larger_than_the_prompt_is_not_inside_it() {
    let body = |total: u32| {
        format!(
            r#"{{"id":"x","object":"chat.completion","created":1785578390,"model":"claude-3-5-sonnet","choices":[],
            "usage":{{"prompt_tokens":12,"completion_tokens":5,"total_tokens":{total},"cache_read_input_tokens":1800,
            "cache_creation_input_tokens":100,"prompt_tokens_details":{{"cached_tokens":1800}}}}}}"#
        )
    };
    for total in [17, 1917] {
        assert!(
            line(&event(&body(total))).ends_with(
                "input_text_tokens 12, cache_read_text_tokens 1800, cache_write_5m_tokens 100, output_text_tokens 5 \
                 [assumed_5m, total_mismatch]"
            ),
            "{}",
            line(&event(&body(total)))
        );
    }
}

#[test]
fn what_a_streamed_message_wrote_later_has_the_lifetime_that_was_asked_for() {
    for (short, long, expected) in [
        (300, 0, "cache_write_5m_tokens 500"),
        (0, 300, "cache_write_1h_tokens 500"),
        (100, 200, "cache_write_5m_tokens 300, cache_write_1h_tokens 200"),
    ] {
        let frames = [
            format!(
                r#"{{"type":"message_start","message":{{"id":"msg_W","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"usage":{{"input_tokens":2679,"cache_creation_input_tokens":300,"cache_creation":{{"ephemeral_5m_input_tokens":{short},"ephemeral_1h_input_tokens":{long}}},"output_tokens":3}}}}}}"#
            ),
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":9000,"cache_creation_input_tokens":500,"output_tokens":510,"server_tool_use":{"web_search_requests":1}}}"#.to_owned(),
        ];
        check(
            &frames.join("\n"),
            "anthropic.message",
            &[&format!(
                "anthropic claude-sonnet-4-6: input_text_tokens 9000, {expected}, output_text_tokens 510, web_searches 1 \
                 [time_assumed]"
            )],
        );
    }
}

#[test]
fn a_request_of_claude_code_is_one_call_as_a_span_a_log_record_and_a_line_of_its_transcript() {
    let counts = [
        ("session.id", "s1"),
        ("model", "claude-opus-4-8"),
        ("gen_ai.system", "anthropic"),
        ("gen_ai.request.model", "claude-opus-4-8"),
        ("input_tokens", "2"),
        ("output_tokens", "1200"),
        ("cache_read_tokens", "84562"),
        ("cache_creation_tokens", "7096"),
        ("request_id", "req_1"),
    ];
    let traced = event(&span("", "claude_code.llm_request", &counts));
    assert_eq!(
        line(&traced),
        "anthropic claude-opus-4-8: input_text_tokens 2, cache_read_text_tokens 84562, cache_write_5m_tokens 7096, \
         output_text_tokens 1200 [assumed_5m]"
    );
    let record = span("", "claude_code.llm_request", &counts)
        .replace("resourceSpans", "resourceLogs")
        .replace("scopeSpans", "scopeLogs")
        .replace("\"spans\"", "\"logRecords\"")
        .replace("\"name\":\"claude_code.llm_request\"", "\"eventName\":\"claude_code.api_request\"")
        .replace("startTimeUnixNano", "timeUnixNano");
    let logged = event(&record);
    assert_eq!((&*traced.call_key, &*logged.call_key), ("event/claude-code/req_1", "event/claude-code/req_1"));
    let written = event(
        r#"{"type":"assistant","sessionId":"s1","requestId":"req_1","timestamp":"2026-08-01T09:59:50Z","message":{"id":"msg_1",
            "type":"message","role":"assistant","model":"claude-opus-4-8","content":[],"usage":{"input_tokens":2,"output_tokens":1200}}}"#,
    );
    assert_eq!((&*written.call_key, &written.weaker_keys[0]), ("anthropic/msg_1", &traced.call_key));
}

#[test]
fn a_span_of_the_vercel_ai_sdk_is_read_from_what_the_provider_said() {
    let call = |more: &[(&str, &str)]| {
        let mut attributes = vec![("ai.operationId", "ai.generateText.doGenerate"), ("ai.usage.inputTokens", "7")];
        attributes.extend(more);
        event(&span("", "ai.generateText.doGenerate", &attributes))
    };
    let anthropic = call(&[
        ("gen_ai.response.model", "claude-sonnet-4-6"),
        ("ai.usage.outputTokens", "445"),
        ("ai.usage.totalTokens", "452"),
        ("ai.usage.cachedInputTokens", "16399"),
        (
            "ai.response.providerMetadata",
            r#"{"anthropic":{"usage":{"input_tokens":7,"cache_creation_input_tokens":2089,"cache_read_input_tokens":16399,
            "cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":2089},"output_tokens":445,
            "service_tier":"priority"},"cacheCreationInputTokens":2089}}"#,
        ),
    ]);
    assert_eq!(
        line(&anthropic),
        "anthropic claude-sonnet-4-6: input_text_tokens 7, cache_read_text_tokens 16399, cache_write_1h_tokens 2089, \
         output_text_tokens 445"
    );
    assert_eq!(anthropic.price_context.service_tier.as_deref(), Some("priority"));
    let older = call(&[
        ("gen_ai.response.model", "claude-sonnet-4-6"),
        ("ai.usage.completionTokens", "5"),
        ("ai.response.providerMetadata", r#"{"anthropic":{"cacheCreationInputTokens":2118,"cacheReadInputTokens":0}}"#),
    ]);
    assert!(line(&older).contains("input_text_tokens 7, cache_write_5m_tokens 2118, output_text_tokens 5"));
    let gemini = call(&[
        ("gen_ai.response.model", "gemini-3-pro"),
        ("ai.usage.outputTokens", "5"),
        (
            "ai.response.providerMetadata",
            r#"{"google":{"groundingMetadata":{"webSearchQueries":["a"]},"usageMetadata":{"promptTokenCount":7,
            "candidatesTokenCount":5,"thoughtsTokenCount":90,"totalTokenCount":102}}}"#,
        ),
    ]);
    assert_eq!(
        line(&gemini),
        "gcp.gemini gemini-3-pro: input_text_tokens 7, output_text_tokens 5, output_reasoning_tokens 90, web_searches 1"
    );
    let openai = call(&[
        ("gen_ai.response.model", "gpt-5.4"),
        ("ai.usage.outputTokens", "5"),
        ("ai.response.providerMetadata", r#"{"openai":{"responseId":"resp_1","serviceTier":"flex"}}"#),
    ]);
    assert_eq!(
        (line(&openai), openai.price_context.service_tier.as_deref()),
        ("openai gpt-5.4: input_text_tokens 7, output_text_tokens 5".to_owned(), Some("flex"))
    );
}

#[test]
fn the_steps_of_a_result_of_the_vercel_ai_sdk_are_its_calls() {
    let step = |id: &str, output: u32| {
        format!(
            r#"{{"text":"x","usage":{{"inputTokens":10,"outputTokens":{output},"totalTokens":{},"reasoningTokens":5,
            "cachedInputTokens":4}},"response":{{"id":"{id}","modelId":"gpt-5.4","timestamp":"2026-08-01T09:00:00.000Z"}}}}"#,
            10 + output
        )
    };
    let counted = |output: u32| {
        format!(
            "openai gpt-5.4: input_text_tokens 6, cache_read_text_tokens 4, output_text_tokens {output}, output_reasoning_tokens 5"
        )
    };
    check(&step("resp_1", 20), "ai_sdk.result", &[&counted(15)]);
    let whole =
        step("resp_2", 30).replacen('{', &format!(r#"{{"steps":[{},{}],"#, step("resp_1", 20), step("resp_2", 30)), 1);
    check(&whole, "ai_sdk.result", &[&counted(15), &counted(25)]);
    check(
        r#"{"text":"x","usage":{"promptTokens":10,"completionTokens":20,"totalTokens":30},
            "response":{"id":"msg_2","modelId":"claude-sonnet-4-6","timestamp":"2026-08-01T09:00:00.000Z"}}"#,
        "ai_sdk.result",
        &["anthropic claude-sonnet-4-6: input_text_tokens 10, output_text_tokens 20"],
    );
}

#[test]
fn messages_that_langchain_wrote_down_are_read_wherever_they_stand() {
    let message = r#"{"lc":1,"type":"constructor","id":["langchain","schema","messages","AIMessage"],"kwargs":{"content":"x",
        "response_metadata":{"model_name":"claude-sonnet-4-6","model_provider":"anthropic","id":"msg_L"},
        "usage_metadata":{"input_tokens":100,"output_tokens":5,"total_tokens":105,
        "input_token_details":{"cache_read":80,"cache_creation":10}}}}"#;
    let counted = "anthropic claude-sonnet-4-6: input_text_tokens 10, cache_read_text_tokens 80, cache_write_5m_tokens 10, \
                   output_text_tokens 5";
    check(message, "langchain.message", &[&format!("{counted} [time_assumed, assumed_5m]")]);
    let run = |outputs: &str| {
        format!(
            r#"{{"id":"run-1","trace_id":"t1","run_type":"llm","start_time":"2026-08-01T09:00:00","dotted_order":"x",
            "prompt_tokens":100,"completion_tokens":5,"total_tokens":105,"outputs":{outputs},
            "extra":{{"metadata":{{"ls_provider":"anthropic","ls_model_name":"claude-sonnet-4-6"}}}}}}"#
        )
    };
    check(
        &run(&format!(r#"{{"generations":[[{{"text":"x","message":{message}}}]],"llm_output":{{}}}}"#)),
        "langsmith.run",
        &[&format!("{counted} [assumed_5m]")],
    );
    check(
        &run(r#"{"id":"c","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,
            "prompt_tokens_details":{"cached_tokens":64}}}"#),
        "langsmith.run",
        &["anthropic claude-sonnet-4-6: input_text_tokens 36, cache_read_text_tokens 64, output_text_tokens 5"],
    );
}

const BODY: &str = r#"{"id":"chatcmpl-W","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;
const COUNTED: &str = "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5";

#[test]
fn a_body_is_found_where_recorders_and_log_shippers_put_it() {
    let text = serde_json::Value::from(BODY);
    for wrapped in [
        format!(r#"{{"status":200,"headers":{{}},"data":{BODY}}}"#),
        format!(r#"{{"level":"info","msg":"called","payload":{BODY}}}"#),
        format!(
            r#"{{"request":{{"model":"gpt-5.4"}},"chunks":[{}]}}"#,
            BODY.replace("completion\"", "completion.chunk\"")
        ),
        text.to_string(),
        format!("[{text}]"),
        format!(r#"{{"log":{text},"stream":"stdout","time":"2026-08-01T09:00:00Z"}}"#),
        format!(
            r#"{{"tags":["a:b","c"],"timestamp":"2026-08-01T09:00:00Z","response":{{"status":200,"body":{text}}}}}"#
        ),
        format!(
            r#"{{"interactions":[{{"request":{{"uri":"https://x"}},"response":{{"body":{{"string":{text}}}}}}}]}}"#
        ),
        format!(
            r#"{{"log":{{"version":"1.2","entries":[{{"startedDateTime":"2026-08-01T09:00:00Z","request":{{"url":"https://x"}},
            "response":{{"status":200,"content":{{"mimeType":"application/json","text":{text}}}}}}}]}}}}"#
        ),
    ] {
        assert_eq!(line(&event(&wrapped)), COUNTED, "{wrapped}");
    }
    // What only looks like an answer is none.
    for other in [r#"{"data":{"id":1}}"#, r#"{"message":"{}"}"#, r#"{"records":[{"a":1}]}"#] {
        assert!(
            matches!(&decoded(other).items[..], [Item::Rejected(found)] if found.reason.as_str() == "unknown_format")
        );
    }
}

#[test]
fn an_answer_beside_the_usage_of_its_call_is_no_body() {
    for answer in [r#""The answer is 4""#, r#""{\"answer\":4}""#, r#"{"answer":4}"#] {
        let logged = format!(
            r#"{{"id":"1","source":"app","timestamp":"2026-08-01T09:00:00Z","prompt":"x","response":{answer},"model":"gpt-5.4",
            "usage":{{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}}}"#
        );
        check(&logged, "ai.usage", &[COUNTED]);
        let flat = format!(
            r#"{{"id":"1","source":"app","time":1785578390,"response":{answer},"model":"gpt-5.4","prompt_tokens":10,"completion_tokens":5}}"#
        );
        check(&flat, "flat_usage", &[COUNTED]);
    }
    // Beside a body, the counts are those of the body again.
    let whole =
        format!(r#"{{"id":"1","time":1785578390,"model":"m","usage":{{"prompt_tokens":1}},"response":{BODY}}}"#);
    check(&whole, "envelope/openai.chat_completion", &[COUNTED]);
}

#[test]
fn counts_that_houses_log_flat_are_not_lost() {
    let logged = |model: &str, more: &str| {
        line(&event(&format!(
            r#"{{"id":"1","source":"app","ts":1785578390,"model":"{model}","input_tokens":100,"output_tokens":5,{more}}}"#
        )))
    };
    assert_eq!(
        logged("claude-sonnet-4-6", r#""provider":"anthropic","cache_read_tokens":1000,"cache_creation_tokens":200"#),
        "anthropic claude-sonnet-4-6: input_text_tokens 100, cache_read_text_tokens 1000, cache_write_5m_tokens 200, \
         output_text_tokens 5 [assumed_5m]"
    );
    assert_eq!(
        logged("gpt-5.4", r#""cache_read_tokens":60"#),
        "openai gpt-5.4: input_text_tokens 40, cache_read_text_tokens 60, output_text_tokens 5"
    );
    assert!(logged("gpt-5.4", r#""tool_tokens":60"#).ends_with("[unknown_usage_field]"));
    assert!(logged("gpt-5.4", r#""max_output_tokens":60,"latency":3"#).ends_with("output_text_tokens 5"));
}

#[test]
fn azures_diagnostic_records_are_read_one_by_one() {
    let decoded = decoded(
        r#"{"records":[{"time":"2026-08-01T09:00:00Z","resourceId":"/X","operationName":"Microsoft.ApiManagement/GatewayLogs",
            "category":"GatewayLogs","properties":{}},{"time":"2026-08-01T09:00:00Z","resourceId":"/X",
            "operationName":"Microsoft.ApiManagement/GatewayLlmLogs","category":"GatewayLlmLogs","correlationId":"c1",
            "properties":{"deploymentName":"d","modelName":"gpt-4o","promptTokens":10,"completionTokens":5,"totalTokens":15}}]}"#,
    );
    assert!(matches!(decoded.items[0], Item::Ignored { reason: IgnoreReason::StatusOnly, .. }));
    let lines: Vec<String> = events(&decoded).into_iter().map(line).collect();
    assert_eq!(lines, ["azure.ai.openai gpt-4o: input_text_tokens 10, output_text_tokens 5"]);
}

#[test]
fn documents_without_an_end_of_line_between_them_are_told_apart() {
    let joined = format!("{BODY}{}", BODY.replace("chatcmpl-W", "chatcmpl-V"));
    check(&joined, "openai.chat_completion", &[COUNTED, COUNTED]);
    assert!(matches!(&decoded(&format!("{BODY}{{")).items[..], [Item::Rejected(_)]));
}

#[test]
fn the_data_of_an_event_may_be_spread_over_lines() {
    let text = "event: response.completed\ndata: {\ndata:   \"type\": \"response.completed\",\ndata:   \"response\": \
                {\"id\":\"resp_L\",\"object\":\"response\",\"created_at\":1785578390,\"model\":\"gpt-5.4\",\"status\":\"completed\",\
                \"usage\":{\"input_tokens\":10,\"output_tokens\":5,\"total_tokens\":15}}\ndata: }\n\n";
    check(text, "openai.response", &[COUNTED]);
}

#[test]
fn the_head_of_an_answer_is_no_part_of_it() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
    check(&format!("{head}{BODY}"), "openai.chat_completion", &[COUNTED]);
    check(&format!("HTTP/2 200\nx-y: z\n\ndata: {BODY}\n\n"), "openai.chat_completion", &[COUNTED]);
    assert!(matches!(&decoded("HTTP/1.1 200 OK").items[..], [Item::Rejected(_)]));
}

#[test]
fn images_of_vertex_are_counted_by_the_piece() {
    let images = r#"{"predictions":[{"mimeType":"image/png","bytesBase64Encoded":"A"},{"mimeType":"image/png","bytesBase64Encoded":"B"}]}"#;
    check(
        &format!(r#"{{"id":"i","time":1785578390,"model":"imagen-4.0-generate-001","response":{images}}}"#),
        "envelope/openai.image",
        &["gcp.vertex_ai imagen-4.0-generate-001: output_images 2"],
    );
}

#[test]
fn chunks_that_do_not_say_what_they_are_belong_together() {
    let frames = [
        r#"{"choices":[],"created":0,"id":"","prompt_filter_results":[{"prompt_index":0}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"Hi"}}],"created":1785578390,"id":"chatcmpl-C","model":"gpt-4o"}"#,
        r#"{"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"created":1785578390,"id":"chatcmpl-C","model":"gpt-4o","usage":{"prompt_tokens":20,"completion_tokens":10,"total_tokens":30}}"#,
    ];
    let text: String = frames.iter().map(|frame| format!("data: {frame}\n\n")).collect();
    check(
        &(text + "data: [DONE]\n\n"),
        "openai.chat_completion",
        &["azure.ai.openai gpt-4o: input_text_tokens 20, output_text_tokens 10"],
    );
}

#[test]
fn a_response_without_its_output_says_how_often_it_searched() {
    let body = |more: &str| {
        line(&event(&format!(
            r#"{{"id":"resp_2","object":"response","created_at":1785578390,"status":"completed","model":"gpt-5.4",{more}
            "tool_usage":{{"web_search":{{"num_requests":3}}}},"usage":{{"input_tokens":100,"output_tokens":10,"total_tokens":110}}}}"#
        )))
    };
    assert!(body("").ends_with("output_text_tokens 10, web_searches 3"));
    assert!(body(r#""output":[{"type":"web_search_call"}],"#).ends_with("output_text_tokens 10, web_searches 1"));
}

#[test]
fn counts_of_langfuse_may_be_of_something_else_than_tokens() {
    let observed = |usage: &str| {
        line(&event(&format!(
            r#"{{"batch":[{{"id":"e","type":"generation-create","timestamp":"2026-08-01T09:00:00Z","body":{{"id":"g",
            "model":"tts-1","startTime":"2026-08-01T09:00:00Z","usage":{usage}}}}}]}}"#
        )))
    };
    assert_eq!(observed(r#"{"input":500,"unit":"CHARACTERS"}"#), "openai tts-1: input_characters 500");
    assert_eq!(observed(r#"{"input":5,"unit":"MILLISECONDS"}"#), "openai tts-1:  [unknown_usage_field]");
    assert_eq!(
        observed(r#"{"input":5,"output":1,"total":6,"unit":"TOKENS"}"#),
        "openai tts-1: input_text_tokens 5, output_text_tokens 1"
    );
}

#[test]
fn what_cloudflares_gateway_logs_is_a_call_unless_its_cache_answered() {
    let logged = |cached: bool| {
        event(&format!(
            r#"{{"id":"01J","created_at":"2026-08-01T09:00:00Z","provider":"openai","model":"gpt-5.4","success":true,
            "cached":{cached},"tokens_in":10,"tokens_out":5,"cost":0.0001,"request_type":"chat/completions"}}"#
        ))
    };
    assert_eq!(line(&logged(false)), COUNTED);
    assert_eq!(logged(true).cost_basis, schemas::CostBasis::GatewayCache);
}

#[test]
fn totals_of_zero_and_commas_before_a_fraction_are_what_they_are_elsewhere() {
    check(
        r#"{"candidates":[],"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":3,"totalTokenCount":0},
            "modelVersion":"gemini-2.5-flash","responseId":"z"}"#,
        "gemini.generate_content",
        &["gcp.gemini gemini-2.5-flash: input_text_tokens 12, output_text_tokens 3 [time_assumed]"],
    );
    check(
        r#"{"model":"jina-reranker-v2-base-multilingual","usage":{"total_tokens":815},"results":[{"index":0,"relevance_score":0.9}]}"#,
        "openai.embedding",
        &["unknown jina-reranker-v2-base-multilingual: input_text_tokens 815 [id_from_position, time_assumed]"],
    );
    let logged = event(&format!(
        r#"{{"timestamp":"2026-08-01 09:00:00,123","levelname":"INFO","response":{}}}"#,
        BODY.replace("1785578390", "null")
    ));
    assert_eq!(logged.event_time.to_string(), "2026-08-01T09:00:00.123Z");
}

#[test]
fn a_time_of_day_is_no_time_that_is_stated() {
    let body = |time: &str| {
        format!(
            r#"{{"id":"1","source":"app","time":"{time}","response":{{"id":"x","object":"chat.completion","model":"llama","choices":[],
            "usage":{{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}}}}}"#
        )
    };
    for time in ["09:59:50", "09:59:50,123", "9:59"] {
        let read = event(&body(time));
        assert_eq!(line(&read), "unknown llama: input_text_tokens 3, output_text_tokens 2 [time_assumed]", "{time}");
        assert_eq!(read.event_time, arrival());
    }
    // Another name for it may say the whole.
    let both = body("09:59:50").replacen('{', r#"{"timestamp":"2026-08-01T09:00:00Z","#, 1);
    assert_eq!(event(&both).event_time.to_string(), "2026-08-01T09:00:00Z");
    check_rejected(&body("noon"), "invalid_field", "time", &["RFC 3339"]);
    // What arrives again hashes as it did.
    assert_eq!(event(&body("09:59:50")).content_hash, event(&body("10:00:50")).content_hash);
}

#[test]
fn details_that_langsmith_writes_as_text_are_parts_of_the_counts() {
    check(
        &span(
            "",
            "ChatOpenAI",
            &[
                ("langsmith.span.kind", "llm"),
                ("gen_ai.system", "openai"),
                ("gen_ai.request.model", "gpt-5.4"),
                ("gen_ai.usage.input_tokens", "25"),
                ("gen_ai.usage.output_tokens", "7"),
                ("gen_ai.usage.input_token_details", r#"{"cache_read": 10, "audio": 0}"#),
                ("gen_ai.usage.output_token_details", r#"{"reasoning": 2}"#),
            ],
        ),
        "otlp.traces",
        &[
            "openai gpt-5.4: input_text_tokens 15, cache_read_text_tokens 10, output_text_tokens 5, output_reasoning_tokens 2",
        ],
    );
}

#[test]
fn what_tools_of_gemini_read_may_come_out_of_a_cache() {
    check(
        r#"{"candidates":[],"usageMetadata":{"promptTokenCount":300,"cachedContentTokenCount":2500,"candidatesTokenCount":180,
            "thoughtsTokenCount":1100,"toolUsePromptTokenCount":2400,"totalTokenCount":3980,
            "promptTokensDetails":[{"modality":"TEXT","tokenCount":300}],"cacheTokensDetails":[{"modality":"TEXT","tokenCount":2500}],
            "toolUsePromptTokensDetails":[{"modality":"TEXT","tokenCount":2400}]},"modelVersion":"gemini-2.5-flash","responseId":"r9"}"#,
        "gemini.generate_content",
        &["gcp.gemini gemini-2.5-flash: input_text_tokens 200, cache_read_text_tokens 2500, output_text_tokens 180, \
           output_reasoning_tokens 1100 [time_assumed]"],
    );
    // More than both is no part of either.
    check_rejected(
        r#"{"usageMetadata":{"promptTokenCount":300,"cachedContentTokenCount":2900,"candidatesTokenCount":1,"toolUsePromptTokenCount":2400,
            "totalTokenCount":2701},"modelVersion":"gemini-2.5-flash","responseId":"r10"}"#,
        "contradiction",
        "usageMetadata.promptTokenCount",
        &["300"],
    );
}

#[test]
fn a_message_that_begins_twice_is_one_call() {
    let start = r#"{"type":"message_start","message":{"id":"msg_d","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":17,"output_tokens":1}}}"#;
    let end = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":22}}"#;
    let one = "anthropic claude-haiku-4-5: input_text_tokens 17, output_text_tokens 22 [time_assumed]";
    check(&format!("{start}\n{start}\n{end}"), "anthropic.message", &[one]);
    let other = start.replace("msg_d", "msg_e");
    check(&format!("{start}\n{end}\n{other}\n{end}"), "anthropic.message", &[one, one]);
}

#[test]
fn a_stream_that_fell_back_states_the_input_it_began_with_and_all_output() {
    check(
        r#"{"type":"message_start","message":{"id":"msg_f","type":"message","role":"assistant","model":"claude-opus-5-5","content":[],"usage":{"input_tokens":11,"output_tokens":0}}}
{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":71,"iterations":[{"type":"message","model":"claude-opus-5-5","input_tokens":11,"output_tokens":41},{"type":"fallback_message","model":"claude-opus-4-8","input_tokens":13,"output_tokens":30}]}}"#,
        "anthropic.message",
        &[
            "anthropic claude-opus-5-5: input_text_tokens 11, output_text_tokens 41 [time_assumed, iterations_expanded]",
            "anthropic claude-opus-4-8: input_text_tokens 13, output_text_tokens 30 [time_assumed, iterations_expanded]",
        ],
    );
}

#[test]
fn vercels_gateway_says_whom_it_asked_in_the_last_chunk_of_a_stream() {
    let event = event(
        r#"{"id":"gen_7","object":"chat.completion.chunk","created":1785578390,"model":"xai/grok-4.1-fast","choices":[{"index":0,"delta":{"content":"a"}}]}
{"id":"gen_7","object":"chat.completion.chunk","created":1785578390,"model":"xai/grok-4.1-fast","choices":[{"index":0,"delta":{"provider_metadata":{"gateway":{"routing":{"finalProvider":"vertex"},"cost":"0.00004"}}},"finish_reason":"stop"}],"usage":{"prompt_tokens":675,"completion_tokens":2,"total_tokens":677,"cost":0.00004,"is_byok":false,"prompt_tokens_details":{"cached_tokens":600},"market_cost":0.00004,"gateway_cost":0.00014}}"#,
    );
    assert_eq!(
        line(&event),
        "vercel xai/grok-4.1-fast: input_text_tokens 75, cache_read_text_tokens 600, output_text_tokens 2 [id_from_position]"
    );
    assert_eq!(event.reported_cost.unwrap().amount.to_string(), "0.00004");
}

#[test]
fn frames_that_count_on_and_the_whole_after_its_chunks_are_counted_once() {
    // ERNIE's frames call themselves whole, and count what there is so far.
    let frame = |end: bool, output: u32| {
        format!(
            r#"data: {{"id":"as-7","object":"chat.completion","created":1785578390,"is_end":{end},"result":"a","usage":{{"prompt_tokens":5,"completion_tokens":{output},"total_tokens":{}}}}}"#,
            5 + output
        )
    };
    check(
        &format!("{}\n\n{}\n\n{}\n\n", frame(false, 0), frame(false, 3), frame(true, 8)),
        "openai.chat_completion",
        &["unknown unknown: input_text_tokens 5, output_text_tokens 8 [id_from_position]"],
    );
    // MiniMax sends the whole after its chunks.
    let chunk = r#"{"id":"05","object":"chat.completion.chunk","created":1785578390,"model":"MiniMax-M2","choices":[{"index":0,"delta":{"content":"a"}}],"usage":null}"#;
    let whole = r#"{"id":"05","object":"chat.completion","created":1785578390,"model":"MiniMax-M2","choices":[{"index":0,"message":{"content":"aa","role":"assistant"}}],"usage":{"prompt_tokens":26,"completion_tokens":22,"total_tokens":48},"base_resp":{"status_code":0,"status_msg":""}}"#;
    check(
        &format!("{chunk}\n{chunk}\n{whole}"),
        "openai.chat_completion",
        &["minimax MiniMax-M2: input_text_tokens 26, output_text_tokens 22 [id_from_position]"],
    );
    // SGLang states details without the counts that are theirs.
    check(
        r#"{"id":"a1","object":"chat.completion.chunk","created":1785578390,"model":"deepseek-v3.2-maas","choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}
{"id":"a1","object":"chat.completion.chunk","created":1785578390,"model":"deepseek-v3.2-maas","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens_details":{"cached_tokens":0}}}"#,
        "openai.chat_completion",
        &["unknown deepseek-v3.2-maas: input_text_tokens 7, output_text_tokens 2 [id_from_position]"],
    );
}

#[test]
fn counts_of_zero_are_no_counts_and_say_so() {
    for (payload, kind, expected) in [
        (
            r#"{"id":"chatcmpl-0","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}"#,
            "openai.chat_completion",
            "openai gpt-5.4:  [usage_missing]",
        ),
        (
            r#"{"object":"list","data":[{"object":"embedding","embedding":[0.1],"index":0}],"model":"text-embedding-004"}"#,
            "openai.embedding",
            "gcp.gemini text-embedding-004:  [id_from_position, time_assumed, usage_missing]",
        ),
        (
            r#"{"embedding":[0.1],"inputTextTokenCount":null,"message":null}"#,
            "bedrock.invoke_model",
            "aws.bedrock unknown:  [id_from_position, time_assumed, usage_missing]",
        ),
    ] {
        check(payload, kind, &[expected]);
    }
}

#[test]
fn moderations_of_mistral_are_tokens_it_read() {
    let body = |usage: &str| {
        format!(
            r#"{{"id":"mod-7","model":"mistral-moderation-latest","results":[{{"categories":{{"pii":false}},"category_scores":{{"pii":0.1}}}}]{usage}}}"#
        )
    };
    for (usage, expected) in [
        (
            r#","usage":{"prompt_tokens":81,"completion_tokens":0,"total_tokens":142}"#,
            "mistral_ai mistral-moderation-latest: input_text_tokens 81 [time_assumed, total_mismatch]",
        ),
        ("", "mistral_ai mistral-moderation-latest:  [time_assumed, usage_missing]"),
    ] {
        check(&body(usage), "openai.moderation", &[expected]);
    }
}

#[test]
fn counts_of_a_chat_may_be_spelled_in_camel_case() {
    for (payload, expected) in [
        (
            r#"{"modelId":"google.gemini-2.5-flash","modelVersion":"1.0","chatResponse":{"apiFormat":"GENERIC","timeCreated":"2026-08-01T09:00:00Z",
                "choices":[{"index":0,"finishReason":"stop"}],"usage":{"promptTokens":41,"completionTokens":6,"totalTokens":130,
                "completionTokensDetails":{"reasoningTokens":83}}}}"#,
            "unknown google.gemini-2.5-flash: input_text_tokens 41, output_text_tokens 6, output_reasoning_tokens 83 [id_from_position]",
        ),
        (
            r#"{"modelId":"cohere.command-a-03-2025","chatResponse":{"apiFormat":"COHERE","text":"a","chatHistory":[],
                "usage":{"promptTokens":42,"completionTokens":10,"totalTokens":52,"promptTokensDetails":{"cachedTokens":40}}}}"#,
            "unknown cohere.command-a-03-2025: input_text_tokens 2, cache_read_text_tokens 40, output_text_tokens 10 [id_from_position, time_assumed]",
        ),
        (
            r#"{"result":{"alternatives":[{"message":{"role":"assistant","text":"a"},"status":"ALTERNATIVE_STATUS_FINAL"}],
                "usage":{"inputTextTokens":"20","completionTokens":"10","totalTokens":"30","completionTokensDetails":{"reasoningTokens":"4"}}}}"#,
            "yandex unknown: input_text_tokens 20, output_text_tokens 6, output_reasoning_tokens 4 [id_from_position, time_assumed]",
        ),
    ] {
        check(payload, "envelope/openai.chat_completion", &[expected]);
    }
}

#[test]
fn a_dated_instruct_model_of_openai_is_no_tag_of_ollamas() {
    check(
        r#"{"id":"cmpl-7","object":"text_completion","created":1785578390,"model":"gpt-3.5-turbo-instruct:20230824-v2","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":16,"total_tokens":21}}"#,
        "openai.completion",
        &["openai gpt-3.5-turbo-instruct:20230824-v2: input_text_tokens 5, output_text_tokens 16"],
    );
}

#[test]
fn a_gateway_that_spells_costs_like_perplexity_is_not_perplexity() {
    check(
        r#"{"id":"chatcmpl-bf","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":10,
            "completion_tokens":5,"total_tokens":15,"cost":{"input_tokens_cost":0.1,"output_tokens_cost":0.2,"total_cost":0.3}},
            "extra_fields":{"request_type":"chat_completion","provider":"openai","latency":500}}"#,
        "openai.chat_completion",
        &["openai gpt-5.4: input_text_tokens 10, output_text_tokens 5"],
    );
}
