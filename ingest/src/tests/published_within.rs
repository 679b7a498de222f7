//! What others have published of calls within something else, composed anew: what frameworks, tracing tools, gateways and recorders make
//! of an answer, and where they keep it.

use schemas::CostBasis;

use super::{check, decoded, event, events, line, span};
use crate::{IgnoreReason, Item};

const BODY: &str = r#"{"id":"chatcmpl-W","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;
const COUNTED: &str = "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5";

#[test]
fn what_a_gateway_adds_to_a_providers_usage_is_its_estimate() {
    let gateway = r#""pydantic_ai_gateway":{"cost_estimate":0.00015}"#;
    for (body, expected) in [
        (
            format!(
                r#"{{"model":"gpt-5.4","usage":{{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,{gateway}}}}}"#
            ),
            "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5 [id_from_position, time_assumed]",
        ),
        (
            format!(
                r#"{{"modelVersion":"gemini-2.5-flash","usageMetadata":{{"promptTokenCount":7,"totalTokenCount":7,{gateway}}}}}"#
            ),
            "gcp.gemini gemini-2.5-flash: input_text_tokens 7 [id_from_position, time_assumed]",
        ),
        (
            format!(
                r#"{{"usage":{{"inputTokens":7,"outputTokens":8,"serverToolUsage":{{}},"totalTokens":15,{gateway}}}}}"#
            ),
            "aws.bedrock unknown: input_text_tokens 7, output_text_tokens 8 [id_from_position, time_assumed]",
        ),
        (
            format!(
                r#"{{"id":"msg_G","type":"message","model":"claude-sonnet-4-6","usage":{{"input_tokens":7,"output_tokens":8,{gateway}}}}}"#
            ),
            "anthropic claude-sonnet-4-6: input_text_tokens 7, output_text_tokens 8 [time_assumed]",
        ),
    ] {
        let event = event(&body);
        assert_eq!(line(&event), expected);
        assert_eq!(event.reported_cost.unwrap().amount.to_string(), "0.00015");
    }
}

#[test]
fn a_recording_says_when_and_which_model_where_the_body_does_not() {
    let recorded = |uri: &str, headers: &str, body: &str| {
        let body = serde_json::Value::from(body);
        event(&format!(
            r#"{{"interactions":[{{"request":{{"method":"POST","uri":"{uri}","body":"{{}}"}},"response":{{"status":{{"code":200}},
            "headers":{headers},"body":{{"string":{body}}}}}}}]}}"#
        ))
    };
    let converse = recorded(
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.amazon.nova-lite-v1%3A0/converse",
        r#"{"Date":["Sat, 01 Aug 2026 09:00:05 GMT"],"x-amzn-RequestId":["rq-1"]}"#,
        r#"{"output":{},"stopReason":"end_turn","usage":{"inputTokens":7,"outputTokens":8,"totalTokens":15}}"#,
    );
    assert_eq!(line(&converse), "aws.bedrock us.amazon.nova-lite-v1:0: input_text_tokens 7, output_text_tokens 8");
    assert_eq!(converse.event_time.to_string(), "2026-08-01T09:00:05Z");
    assert_eq!(
        (&*converse.call_key, converse.price_context.region.as_deref()),
        ("aws.bedrock/rq-1", Some("us-east-1"))
    );
    let embedded = recorded(
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-embedding-2:embedContent",
        "{}",
        r#"{"embedding":{"values":[0.1]},"usageMetadata":{"promptTokenCount":5}}"#,
    );
    assert!(line(&embedded).starts_with("gcp.gemini gemini-embedding-2: input_text_tokens 5"), "{}", line(&embedded));
    // A body as JSON, a time under the names of log shippers and archives.
    check(
        &format!(
            r#"{{"interactions":[{{"request":{{"parsed_body":{{"model":"gpt-5.4"}},"uri":"https://api.openai.com/v1/chat"}},
            "response":{{"headers":{{}},"parsed_body":{BODY},"status":{{"code":200}}}}}}],"version":1}}"#
        ),
        "records",
        &[COUNTED],
    );
    for name in ["ts", "@timestamp", "startedDateTime"] {
        let wrapped = format!(r#"{{"{name}":"2026-08-01T09:00:00Z","data":{}}}"#, BODY.replace("1785578390", "null"));
        assert_eq!(event(&wrapped).event_time.to_string(), "2026-08-01T09:00:00Z");
    }
    let wrapped = format!(r#"{{"ts":"soon","data":{BODY}}}"#);
    assert_eq!(line(&event(&wrapped)), COUNTED);
}

#[test]
fn frames_of_anthropic_that_were_logged_apart_are_one_call() {
    let logged = |frame: &str| format!(r#"{{"ts":"2026-08-01T09:00:00Z","data":{frame}}}"#);
    let lines = [
        logged(
            r#"{"type":"message_start","message":{"id":"msg_2","model":"claude-sonnet-4-6","usage":{"input_tokens":10,"output_tokens":1}}}"#,
        ),
        logged(r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}"#),
        logged(
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":10,"output_tokens":50}}"#,
        ),
    ];
    check(
        &lines.join("\n"),
        "anthropic.message",
        &["anthropic claude-sonnet-4-6: input_text_tokens 10, output_text_tokens 50 [time_assumed]"],
    );
}

#[test]
fn an_answer_is_found_where_frameworks_and_orchestrators_keep_it() {
    for wrapped in [
        format!(r#"{{"request_id":"r","module_results":{{"llm":{BODY}}},"orchestration_result":{BODY}}}"#),
        format!(r#"{{"request_id":"r","intermediate_results":{{"llm":{BODY}}},"final_result":{BODY}}}"#),
        format!(r#"{{"message":{{"role":"assistant"}},"raw":{BODY},"delta":null}}"#),
        format!(r#"{{"role":"assistant","meta":{BODY},"content":"x"}}"#),
    ] {
        assert_eq!(line(&event(&wrapped)), COUNTED, "{wrapped}");
    }
    check(
        r#"{"ResponseMetadata":{},"stream":[{"messageStart":{"role":"assistant"}},{"metadata":{"usage":{"inputTokens":10,
            "outputTokens":5,"totalTokens":15},"metrics":{}}}]}"#,
        "envelope/bedrock.converse",
        &["aws.bedrock unknown: input_text_tokens 10, output_text_tokens 5 [id_from_position, time_assumed]"],
    );
}

#[test]
fn langchain_keeps_what_the_provider_said() {
    for said in [
        r#"{"content":"x","type":"ai","id":"run-1","response_metadata":{"model_name":"gpt-5.4","id":"chatcmpl-9",
            "token_usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}}"#,
        r#"{"generations":[[{"text":"x"}]],"run":null,"llm_output":{"model_name":"gpt-5.4",
            "token_usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}}"#,
    ] {
        assert!(line(&event(said)).starts_with(COUNTED), "{said}");
    }
    check(
        r#"{"content":"x","type":"ai","response_metadata":{"id":"msg_1","model":"claude-sonnet-4-6","model_provider":"anthropic",
            "usage":{"input_tokens":10,"cache_read_input_tokens":90,"output_tokens":5}}}"#,
        "langchain.message",
        &[
            "anthropic claude-sonnet-4-6: input_text_tokens 10, cache_read_text_tokens 90, output_text_tokens 5 [time_assumed]",
        ],
    );
}

#[test]
fn usage_of_the_vercel_ai_sdk_is_read_in_all_its_versions() {
    let logged = |model: &str, usage: &str| {
        line(&event(&format!(r#"{{"id":"1","timestamp":"2026-08-01T09:00:00Z",{model},"usage":{usage}}}"#)))
    };
    let named = r#""model":"gpt-5.4","provider":"openai""#;
    assert_eq!(logged(named, r#"{"promptTokens":10,"completionTokens":5,"totalTokens":15}"#), COUNTED);
    let cached = "openai gpt-5.4: input_text_tokens 7, cache_read_text_tokens 3, output_text_tokens 3, output_reasoning_tokens 2";
    let flat = r#"{"inputTokens":10,"outputTokens":5,"totalTokens":15,"reasoningTokens":2,"cachedInputTokens":3}"#;
    let sides = r#"{"inputTokens":{"total":10,"noCache":7,"cacheRead":3,"cacheWrite":0},
        "outputTokens":{"total":5,"text":3,"reasoning":2}}"#;
    for usage in [flat, sides] {
        assert_eq!(logged(named, usage), cached);
        assert_eq!(logged(r#""modelId":"gpt-5.4""#, usage), cached);
    }
}

#[test]
fn rows_of_the_llm_tool_keep_details_in_a_column_of_their_own() {
    let row = |model: &str, details: &str| {
        let details = serde_json::Value::from(details);
        line(&event(&format!(
            r#"{{"id":"01j","model":"{model}","prompt":"p","response":"x","datetime_utc":"2026-08-01T09:00:00.1",
            "input_tokens":100,"output_tokens":5,"token_details":{details}}}"#
        )))
    };
    assert_eq!(
        row("gpt-5.4", r#"{"prompt_tokens_details": {"cached_tokens": 64}}"#),
        "openai gpt-5.4: input_text_tokens 36, cache_read_text_tokens 64, output_text_tokens 5"
    );
    assert_eq!(
        row("claude-sonnet-4-6", r#"{"cache_creation_input_tokens": 20, "cache_read_input_tokens": 30}"#),
        "anthropic claude-sonnet-4-6: input_text_tokens 100, cache_read_text_tokens 30, cache_write_5m_tokens 20, \
         output_text_tokens 5 [assumed_5m]"
    );
    assert_eq!(
        row("gemini-2.5-flash", r#"{"thoughtsTokenCount": 20, "totalTokenCount": 125}"#),
        "gcp.gemini gemini-2.5-flash: input_text_tokens 100, output_text_tokens 5, output_reasoning_tokens 20"
    );
}

#[test]
fn langfuse_counts_gemini_by_modality() {
    let observed = |usage: &str| {
        line(&event(&format!(
            r#"{{"batch":[{{"id":"e","type":"generation-create","timestamp":"2026-08-01T09:00:00Z","body":{{"id":"g",
            "model":"gemini-2.5-flash","startTime":"2026-08-01T09:00:00Z","usageDetails":{usage}}}}}]}}"#
        )))
    };
    let counted = "gcp.gemini gemini-2.5-flash: input_text_tokens 700, cache_read_text_tokens 100, output_text_tokens 200, \
                   output_reasoning_tokens 50, input_audio_tokens 200";
    assert_eq!(
        observed(
            r#"{"input":0,"output":0,"total":1250,"input_modality_TEXT":700,"input_modality_AUDIO":200,"cached_modality_TEXT":100,
            "cached_content_token_count":100,"output_modality_TEXT":200,"thoughts_token_count":50}"#
        ),
        counted
    );
    // Without modalities of its own, the cache is inside the text.
    assert_eq!(
        observed(
            r#"{"input":0,"output":200,"total":1250,"input_modality_TEXT":800,"input_modality_AUDIO":200,
            "cached_content_token_count":100,"thoughts_token_count":50}"#
        ),
        counted
    );
}

#[test]
fn messages_of_pydantic_ai_are_calls_where_a_model_answered() {
    let asked = r#"{"parts":[{"content":"p","part_kind":"user-prompt"}],"kind":"request"}"#;
    let answered = r#"{"parts":[{"content":"x","part_kind":"text"}],"usage":{"input_tokens":100,"cache_write_tokens":10,
        "cache_read_tokens":80,"output_tokens":5,"details":{"reasoning_tokens":2}},"model_name":"claude-sonnet-4-6",
        "timestamp":"2026-08-01T09:00:00Z","kind":"response","provider_name":"anthropic","provider_response_id":"msg_1"}"#;
    let decoded = decoded(&format!("[{asked},{answered}]"));
    assert!(matches!(decoded.items[0], Item::Ignored { reason: IgnoreReason::NotAModelCall, .. }));
    let found = events(&decoded);
    assert_eq!(
        line(found[0]),
        "anthropic claude-sonnet-4-6: input_text_tokens 10, cache_read_text_tokens 80, cache_write_5m_tokens 10, \
         output_text_tokens 3, output_reasoning_tokens 2 [assumed_5m]"
    );
    assert_eq!(&*found[0].call_key, "anthropic/msg_1");
}

#[test]
fn lines_of_codex_exec_sum_up_a_run() {
    let lines = [
        r#"{"type":"thread.started","thread_id":"01a0"}"#,
        r#"{"type":"turn.started"}"#,
        r#"{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"pong"}}"#,
        r#"{"type":"turn.completed","usage":{"input_tokens":19508,"cached_input_tokens":11008,"output_tokens":5}}"#,
    ];
    let decoded = decoded(&lines.join("\n"));
    let ignored = |item: &Item| match item {
        Item::Ignored { reason, .. } => Some(*reason),
        _ => None,
    };
    let none = Some(IgnoreReason::NotAModelCall);
    let found: Vec<_> = decoded.items.iter().map(ignored).collect();
    assert_eq!(found, [none, none, none, Some(IgnoreReason::RunSummary)]);
}

#[test]
fn spans_spell_details_as_their_emitters_do() {
    let cached = "openai gpt-5.4: input_text_tokens 36, cache_read_text_tokens 64, output_text_tokens 12, output_reasoning_tokens 8";
    let call = [("gen_ai.operation.name", "chat"), ("gen_ai.system", "openai"), ("gen_ai.request.model", "gpt-5.4")];
    let counts = [("gen_ai.usage.input_tokens", "100"), ("gen_ai.usage.output_tokens", "20")];
    for details in [
        ["gen_ai.usage.prompt_tokens_details.cache_read", "gen_ai.usage.completion_tokens_details.reasoning"],
        ["gen_ai.usage.prompt_tokens_details.cached_tokens", "gen_ai.usage.completion_tokens_details.reasoning_tokens"],
        ["gen_ai.usage.input_tokens_details.cached_tokens", "gen_ai.usage.output_tokens_details.reasoning_tokens"],
    ] {
        let details = [(details[0], "64"), (details[1], "8")];
        assert_eq!(line(&event(&span("x", "chat", &[&call[..], &counts, &details].concat()))), cached);
    }
    let agent = [("gen_ai.operation.name", "chat"), ("gen_ai.system", "strands-agents"), ("gen_ai.request.model", "m")];
    assert!(
        line(&event(&span("strands", "chat", &[&agent[..], &counts].concat())))
            .starts_with("unknown m: input_text_tokens 100")
    );
    let logged = [
        ("mlflow.spanType", "\"CHAT_MODEL\""),
        ("mlflow.llm.model", "\"gpt-5.4\""),
        ("mlflow.llm.provider", "\"openai\""),
        ("mlflow.chat.tokenUsage", r#"{"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}"#),
    ];
    assert_eq!(line(&event(&span("mlflow", "chat", &logged))), COUNTED);
}

#[test]
fn thinking_of_gemini_that_a_span_leaves_out_is_in_its_total() {
    let call = |total: &str| {
        line(&event(&span(
            "opentelemetry.instrumentation.google_generativeai",
            "chat",
            &[
                ("gen_ai.system", "Google"),
                ("gen_ai.request.model", "gemini-2.5-flash"),
                ("llm.request.type", "chat"),
                ("gen_ai.usage.input_tokens", "10"),
                ("gen_ai.usage.output_tokens", "5"),
                ("llm.usage.total_tokens", total),
            ],
        )))
    };
    let counted = "gcp.gemini gemini-2.5-flash: input_text_tokens 10, output_text_tokens 5";
    assert_eq!(
        (call("15"), call("65")),
        (counted.to_owned(), format!("{counted}, output_reasoning_tokens 50 [hidden_reasoning]"))
    );
}

#[test]
fn entries_of_bifrosts_log_are_calls() {
    let entry = |more: &str| {
        format!(
            r#"{{"id":"l1","timestamp":"2026-08-01T09:00:00Z","object":"chat.completion","provider":"openai","model":"gpt-5.4",
            "number_of_retries":0,"selected_key_id":"k","status":"success","latency":900,"cost":0.001,"team_name":"search"{more}}}"#
        )
    };
    let used = r#","token_usage":{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,
        "prompt_tokens_details":{"cached_read_tokens":64}}"#;
    let logged = event(&entry(used));
    assert_eq!(line(&logged), "openai gpt-5.4: input_text_tokens 36, cache_read_text_tokens 64, output_text_tokens 5");
    assert_eq!((&*logged.call_key, logged.claimed.team.as_deref()), ("event/bifrost/l1", Some("search")));
    assert_eq!(logged.reported_cost.unwrap().amount.to_string(), "0.001");
    let hit = event(&entry(&format!(r#"{used},"cache_debug":{{"cache_hit":true}}"#)));
    assert_eq!(hit.cost_basis, CostBasis::GatewayCache);
    let page = decoded(&format!(r#"{{"logs":[{},{}],"pagination":{{"limit":2}}}}"#, entry(used), entry("")));
    assert_eq!(events(&page).len(), 1);
    assert!(matches!(page.items[1], Item::Ignored { reason: IgnoreReason::FailedCall, .. }));
}

#[test]
fn spans_that_were_printed_and_flat_records_are_read_like_those_of_otlp() {
    let counted = "openai gpt-5.4: input_text_tokens 36, cache_read_text_tokens 64, output_text_tokens 20";
    let printed = |ids: &str| {
        format!(
            r#"{{"name":"chat gpt-5.4","context":{{{ids}}},"kind":"SpanKind.CLIENT","parent_id":null,
            "start_time":"2026-08-01T09:00:00.095613Z","end_time":"2026-08-01T09:00:19Z","attributes":{{"gen_ai.system":"openai",
            "gen_ai.operation.name":"chat","gen_ai.request.model":"gpt-5.4","gen_ai.usage.input_tokens":100,
            "gen_ai.usage.cache_read.input_tokens":64,"gen_ai.usage.output_tokens":20}},"events":[],"links":[],
            "resource":{{"attributes":{{"service.name":"shop"}},"schema_url":""}}}}"#
        )
    };
    let text = event(&printed(r#""trace_id":"0x8c1f37bcb127c893b3e4b45fbd0e85d0","span_id":"0xca035b9cae1c932e""#));
    assert_eq!(
        (line(&text).as_str(), &*text.call_key, text.claimed.application.as_deref()),
        (counted, "span/8c1f37bcb127c893b3e4b45fbd0e85d0/ca035b9cae1c932e", Some("shop"))
    );
    let numbers = event(&printed(r#""trace_id":17,"span_id":3"#));
    assert_eq!(&*numbers.call_key, "span/00000000000000000000000000000011/0000000000000003");
    check(
        r#"{"start_time":"2026-08-01T09:00:00Z","method":"POST","response_code":"200","gen_ai.request.model":"gpt-5.4",
            "gen_ai.provider.name":"openai","gen_ai.usage.input_tokens":"100","gen_ai.usage.cache_read.input_tokens":"64",
            "gen_ai.usage.output_tokens":"20","gen_ai.usage.total_tokens":"120"}"#,
        "otel.span",
        &[&format!("{counted} [id_from_position]")],
    );
    let other = decoded(
        r#"{"name":"SELECT","context":{"trace_id":"0x1","span_id":"0x2"},"attributes":{"db.system":"sqlite"}}"#,
    );
    assert!(matches!(other.items[..], [Item::Ignored { reason: IgnoreReason::NotAModelCall, .. }]));
}

#[test]
fn langfuse_gives_pages_of_observations_and_other_spellings() {
    let observation = |usage: &str| {
        format!(
            r#"{{"id":"o1","traceId":"t1","type":"GENERATION","startTime":"2026-08-01T09:00:00Z","model":"gemini-2.5-flash",
            "usageDetails":{usage}}}"#
        )
    };
    let counted = "gcp.gemini gemini-2.5-flash: input_text_tokens 10, output_text_tokens 5";
    let plain = observation(r#"{"input":10,"output":5,"total":15}"#);
    let span = r#"{"id":"o2","traceId":"t1","type":"SPAN","startTime":"2026-08-01T09:00:00Z"}"#;
    for page in [
        format!(r#"{{"data":[{plain},{span}],"meta":{{"page":1}}}}"#),
        format!(r#"{{"id":"t1","observations":[{plain},{span}]}}"#),
    ] {
        check(&page, "records", &[counted]);
    }
    for (usage, expected) in [
        (
            r#"{"prompt_token_count":10,"candidates_token_count":5,"thoughts_token_count":20,"total_token_count":35}"#,
            format!("{counted}, output_reasoning_tokens 20"),
        ),
        (
            r#"{"input":10,"output":2,"output_accepted_prediction_tokens":3,"input_audio_tokens":0,"total":15}"#,
            counted.to_owned(),
        ),
        (r#"{"total":123}"#, "gcp.gemini gemini-2.5-flash:  [usage_missing, unknown_usage_field]".to_owned()),
    ] {
        assert_eq!(line(&event(&observation(usage))), expected);
    }
}

#[test]
fn langchains_counts_of_older_versions_are_put_right_by_the_total() {
    let message = |model: &str, usage: &str| {
        line(&event(&format!(
            r#"{{"type":"ai","id":"run-1","response_metadata":{{"model_name":"{model}"}},"usage_metadata":{usage}}}"#
        )))
    };
    let gemini = "gcp.gemini gemini-2.5-flash: input_text_tokens 10, output_text_tokens 5, output_reasoning_tokens 50";
    assert_eq!(
        message("gemini-2.5-flash", r#"{"input_tokens":10,"output_tokens":5,"total_tokens":65}"#),
        format!("{gemini} [id_from_position, time_assumed, hidden_reasoning]")
    );
    assert_eq!(
        message(
            "gemini-2.5-flash",
            r#"{"input_tokens":10,"output_tokens":5,"total_tokens":65,"output_token_details":{"reasoning":50}}"#
        ),
        format!("{gemini} [id_from_position, time_assumed]")
    );
    for total in [15, 1015] {
        assert_eq!(
            message(
                "claude-sonnet-4-6",
                &format!(
                    r#"{{"input_tokens":10,"output_tokens":5,"total_tokens":{total},"input_token_details":{{"cache_read":1000}}}}"#
                )
            ),
            "anthropic claude-sonnet-4-6: input_text_tokens 10, cache_read_text_tokens 1000, output_text_tokens 5 \
             [id_from_position, time_assumed, total_mismatch]"
        );
    }
}

#[test]
fn an_answer_is_found_in_what_clouds_put_around_it() {
    let text = serde_json::Value::from(BODY);
    for wrapped in [
        format!(r#"{{"insertId":"x","timestamp":"2026-08-01T09:00:00Z","jsonPayload":{BODY},"logName":"l"}}"#),
        format!(
            r#"{{"version":"0","id":"e","detail-type":"x","source":"s","time":"2026-08-01T09:00:00Z","detail":{BODY}}}"#
        ),
        format!(r#"{{"_index":"i","_id":"1","_source":{BODY}}}"#),
        format!(r#"{{"Records":[{{"messageId":"m","body":{text}}}]}}"#),
        format!(r#"{{"Records":[{{"EventSource":"aws:sns","Sns":{{"Type":"Notification","Message":{text}}}}}]}}"#),
        format!(r#"{{"level":"info","msg":{text}}}"#),
    ] {
        assert_eq!(line(&event(&wrapped)), COUNTED, "{wrapped}");
    }
}

#[test]
fn recordings_may_be_sent_in_an_event() {
    let text = serde_json::Value::from(BODY);
    let recorded = format!(
        r#"{{"interactions":[{{"request":{{"uri":"https://api.openai.com/v1/chat"}},"response":{{"status":{{"code":200}},"headers":{{}},
        "body":{{"string":{text}}}}}}}]}}"#
    );
    let archived = format!(
        r#"{{"log":{{"entries":[{{"request":{{"url":"https://api.openai.com/v1/chat"}},"response":{{"content":{{"text":{text}}}}}}}]}}}}"#
    );
    for recording in [recorded, archived] {
        let sent =
            format!(r#"{{"specversion":"1.0","type":"http.recording","id":"1","source":"s","data":{recording}}}"#);
        assert_eq!(line(&event(&sent)), COUNTED);
        let notified = serde_json::Value::from(sent);
        let queued = format!(r#"{{"Records":[{{"EventSource":"aws:sns","Sns":{{"Message":{notified}}}}}]}}"#);
        assert_eq!(line(&event(&queued)), COUNTED);
    }
}

#[test]
fn what_an_answer_says_of_itself_is_taken_from_wherever_it_stands() {
    // OpenRouter's SDK spells its answers otherwise, and leaves out who served.
    check(
        r#"{"id":"gen-1","object":"chat.completion","created":1785578390,"model":"openai/gpt-oss-120b","choices":[],"usage":{"promptTokens":9,
            "completionTokens":12,"totalTokens":21,"completionTokensDetails":{"reasoningTokens":4},"promptTokensDetails":{"cachedTokens":3}}}"#,
        "openai.chat_completion",
        &["openrouter openai/gpt-oss-120b: input_text_tokens 6, cache_read_text_tokens 3, output_text_tokens 8, \
           output_reasoning_tokens 4"],
    );
    check(
        r#"{"text":"Hi","usage":{"seconds":9.2,"total_tokens":113,"input_tokens":83,"output_tokens":30,"cost":0.000508}}"#,
        "openai.transcription",
        &["openai unknown: input_text_tokens 83, output_text_tokens 30 [id_from_position, time_assumed]"],
    );
    // boto3 hands the head of the answer on.
    let converse = event(
        r#"{"ResponseMetadata":{"RequestId":"f9","HTTPHeaders":{"date":"Sat, 01 Aug 2026 09:00:00 GMT"}},"output":{},"stopReason":"end_turn",
            "usage":{"inputTokens":25,"outputTokens":11,"totalTokens":36},"metrics":{"latencyMs":1281}}"#,
    );
    assert_eq!((&*converse.call_key, &*converse.event_time.to_string()), ("aws.bedrock/f9", "2026-08-01T09:00:00Z"));
    // Haystack says of an embedder what a chat says.
    let embedded = event(
        r#"{"embedding":[0.1],"meta":{"model":"text-embedding-3-small","usage":{"prompt_tokens":4,"total_tokens":4}}}"#,
    );
    assert_eq!(
        (line(&embedded), &*embedded.operation),
        (
            "openai text-embedding-3-small: input_text_tokens 4 [id_from_position, time_assumed]".to_owned(),
            "embeddings",
        )
    );
    // Inspect leaves Anthropic's caches beside the input and OpenAI's inside: the total tells.
    for (total, input) in [(15, 6), (19, 10)] {
        let payload = format!(
            r#"{{"model":"claude-sonnet-4-6","choices":[],"usage":{{"input_tokens":10,"output_tokens":5,"total_tokens":{total},
            "input_tokens_cache_read":4}}}}"#
        );
        let expected = format!("input_text_tokens {input}, cache_read_text_tokens 4, output_text_tokens 5");
        assert!(line(&event(&payload)).contains(&expected), "{payload}: {}", line(&event(&payload)));
    }
    // The result of a run of an agent's program, whoever wrote it.
    let result = r#"{"type":"result","num_turns":1,"usage":{"input_tokens":100,"output_tokens":10,"thinking_tokens":5,"total_tokens":115}}"#;
    assert!(matches!(decoded(result).items[..], [Item::Ignored { reason: IgnoreReason::RunSummary, .. }]));
}
