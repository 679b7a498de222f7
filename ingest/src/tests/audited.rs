//! Readings that were wrong when they were compared with what providers and emitters say of themselves, and what they
//! should be.

use super::{check, check_rejected, decoded, event, line, span};
use crate::{IgnoreReason, Item};

const COUNTED: &str = "openai gpt-4o: input_text_tokens 10, output_text_tokens 2 [id_from_position]";

#[test]
fn times_as_databases_and_loggers_write_them_are_read() {
    for time in [
        r#""Sat, 01 Aug 2026 09:59:50 GMT""#,
        r#""2026-08-01 09:59:50+00""#,
        r#""2026-08-01T09:59:50.000+0000""#,
        r#""2026/08/01 09:59:50""#,
        r#""Sat Aug 01 2026 11:59:50 GMT+0200 (CEST)""#,
        r#"{"$date":"2026-08-01T09:59:50Z"}"#,
        r#"{"$date":1785578390000}"#,
        r#"{"$date":{"$numberLong":"1785578390000"}}"#,
        r#"{"seconds":1785578390,"nanos":0}"#,
        r#"{"seconds":"1785578390"}"#,
    ] {
        let body = format!(
            r#"{{"created_at":{time},"model":"gpt-4o","usage":{{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}}}"#
        );
        let event = event(&body);
        assert_eq!(
            (line(&event), event.event_time.to_string()),
            (COUNTED.into(), "2026-08-01T09:59:50Z".into()),
            "{time}"
        );
    }
    for time in [r#"{"$date":{}}"#, r#"{"seconds":true}"#, r#"{"seconds":1785578390,"nanos":-1}"#, r#"{"year":2026}"#] {
        let body = format!(
            r#"{{"created_at":{time},"model":"gpt-4o","usage":{{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}}}"#
        );
        check_rejected(&body, "invalid_field", "created_at", &[]);
    }
}

#[test]
fn langfuse_is_told_of_cache_writes_by_how_long_they_last_and_in_several_sums() {
    let observed = |details: &str| {
        format!(
            r#"{{"batch":[{{"id":"e","type":"generation-create","timestamp":"2026-08-01T09:59:50Z","body":{{"id":"g","traceId":"t",
            "model":"claude-sonnet-4-5","usageDetails":{details}}}}}]}}"#
        )
    };
    let both = "anthropic claude-sonnet-4-5: input_text_tokens 12, cache_read_text_tokens 3000, cache_write_5m_tokens 300, \
                cache_write_1h_tokens 200, output_text_tokens 250";
    let one = "anthropic claude-sonnet-4-5: input_text_tokens 12, cache_read_text_tokens 3000, cache_write_5m_tokens 500, \
               output_text_tokens 250 [assumed_5m]";
    for (details, expected) in [
        // LangChain's lifetimes, alone.
        (
            r#"{"input":12,"output":250,"total":3762,"input_cache_read":3000,"input_cache_creation":0,
            "input_ephemeral_5m_input_tokens":300,"input_ephemeral_1h_input_tokens":200}"#,
            both.to_owned(),
        ),
        // Beside their sum, which the input was lessened by a second time.
        (
            r#"{"input":0,"output":250,"total":3762,"input_cache_read":3000,"input_cache_creation":500,
            "input_ephemeral_5m_input_tokens":300,"input_ephemeral_1h_input_tokens":200}"#,
            format!("{both} [total_mismatch]"),
        ),
        // LiteLLM's input: all of it, and with what was written.
        (
            r#"{"input":3512,"output":250,"total":3762,"cache_creation_input_tokens":500,"cache_read_input_tokens":3000}"#,
            one.to_owned(),
        ),
        (
            r#"{"input":512,"output":250,"total":3762,"cache_creation_input_tokens":500,"cache_read_input_tokens":3000}"#,
            one.to_owned(),
        ),
    ] {
        check(&observed(details), "langfuse.ingestion", &[&expected]);
        let details: String = details.split_whitespace().collect();
        let attributes = [
            ("langfuse.observation.type", "generation"),
            ("langfuse.observation.model.name", "claude-sonnet-4-5"),
            ("langfuse.observation.usage_details", &details),
        ];
        check(&span("langfuse-sdk", "ChatAnthropic", &attributes), "otlp.traces", &[&expected]);
    }
    // Whatever the model: of Gemini's the total is looked at for thinking that is left out.
    let attributes = [
        ("langfuse.observation.type", "generation"),
        ("langfuse.observation.model.name", "gemini-2.5-pro"),
        ("langfuse.observation.usage_details", r#"{"input":31,"output":7,"total":38}"#),
    ];
    let expected = "gcp.gemini gemini-2.5-pro: input_text_tokens 31, output_text_tokens 7";
    check(&span("langfuse-sdk", "chat", &attributes), "otlp.traces", &[expected]);
    check_rejected(
        &observed(
            r#"{"input":500,"output":250,"total":3762,"cache_creation_input_tokens":500,"cache_read_input_tokens":3000}"#,
        ),
        "contradiction",
        "usageDetails.total",
        &["3762", "4250"],
    );
}

#[test]
fn writes_of_claude_without_a_lifetime_are_assumed_in_openais_spelling_too() {
    let body = |model: &str, usage: &str| {
        line(&event(&format!(
            r#"{{"id":"x","object":"chat.completion","created":1785578390,"model":"{model}","choices":[],"usage":{{"prompt_tokens":100,
            "completion_tokens":5,"total_tokens":105,{usage}}}}}"#
        )))
    };
    let assumed = "cache_write_5m_tokens 50, output_text_tokens 5 [assumed_5m]";
    let details = r#""prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":50}"#;
    assert!(body("claude-sonnet-4-6", details).ends_with(assumed));
    assert!(body("sonnet", r#""cache_creation_input_tokens":50"#).ends_with("assumed_5m]"));
    // OpenAI's own have one price.
    assert!(body("gpt-5.6", details).ends_with("cache_write_5m_tokens 50, output_text_tokens 5"));
    let stated = r#""cache_creation_input_tokens":50,"prompt_tokens_details":{"cache_creation_tokens":50,
        "cache_creation_token_details":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":50}}"#;
    assert!(body("claude-sonnet-4-6", stated).ends_with("cache_write_1h_tokens 50, output_text_tokens 5"));
}

#[test]
fn hosts_and_fields_of_one_provider_alone_name_it() {
    let usage = r#""usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}"#;
    let chat = format!(
        r#"{{"id":"x","object":"chat.completion","created":1785578390,"model":"gemma-4","choices":[],{usage}}}"#
    );
    let mantle = event(&format!(
        r#"{{"requestUrl":"https://bedrock-mantle.us-east-1.api.aws/openai/v1/chat/completions","status":200,"response":{chat}}}"#
    ));
    assert_eq!((&*mantle.provider, mantle.price_context.region.as_deref()), ("aws.bedrock", Some("us-east-1")));
    let own_data = chat.replace("chat.completion", "extensions.chat.completion");
    assert_eq!(&*event(&own_data).provider, "azure.ai.openai");
    let timed = chat.replace(r#""total_tokens":12"#, r#""total_tokens":12,"latency_checkpoint":{"engine_ttft_ms":90}"#);
    assert_eq!(line(&event(&timed)), "azure.ai.openai gemma-4: input_text_tokens 10, output_text_tokens 2");
}

#[test]
fn machines_are_rented_from_a_cloud() {
    let gpu = event(
        r#"{"specversion":"1.0","type":"ai.gpu.usage","id":"1","source":"k","time":"2026-08-01T09:59:50Z","data":{"gpu_model":"H100",
            "gpu_seconds_allocated":3600,"provider":"AWS"}}"#,
    );
    assert_eq!(line(&gpu), "aws H100: gpu_seconds 3600");
    let cluster = event(
        r#"{"name":"train","launched_at":1785578390,"duration":3600,"num_nodes":2,"cluster_hash":"h","total_cost":65.5,
            "resources":{"cloud":"AWS","instance_type":"p4d.24xlarge","accelerators":{"A100":8},"use_spot":true}}"#,
    );
    assert_eq!(line(&cluster), "aws A100: gpu_seconds 57600");
    assert_eq!(cluster.price_context.service_tier.as_deref(), Some("spot"));
}

#[test]
fn what_envoy_taps_and_loggers_write_of_an_answer_is_read() {
    let tapped = |body: &str| {
        format!(
            r#"{{"http_buffered_trace":{{"request":{{"headers":[{{"key":":authority","value":"bedrock-runtime.us-east-1.amazonaws.com"}},
            {{"key":":path","value":"/model/us.amazon.nova-lite-v1%3A0/converse"}}],"body":{{"truncated":false,"as_bytes":"e30="}}}},
            "response":{{"headers":[{{"key":":status","value":"200"}},{{"key":"date","value":"Sat, 01 Aug 2026 09:59:50 GMT"}}],
            "body":{{"truncated":false,{body}}}}}}}}}"#
        )
    };
    let text = r#"{"output":{"message":{"role":"assistant","content":[]}},"usage":{"inputTokens":9,"outputTokens":5,"totalTokens":14}}"#;
    let quoted = serde_json::Value::from(text);
    let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text);
    for body in [format!(r#""as_string":{quoted}"#), format!(r#""as_bytes":"{encoded}""#)] {
        let event = event(&tapped(&body));
        assert!(
            line(&event).starts_with("aws.bedrock us.amazon.nova-lite-v1:0: input_text_tokens 9, output_text_tokens 5")
        );
        assert_eq!(event.event_time.to_string(), "2026-08-01T09:59:50Z");
    }

    let answer = r#"{"id":"chatcmpl-L","object":"chat.completion","created":1785578390,"model":"gpt-4o","choices":[],
        "usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}"#;
    let words = serde_json::Value::from(format!("answer of the model: {answer}"));
    for (beside, name) in [
        (r#""level":"debug","ts":1785578390.1"#, "msg"),
        (r#""level":"debug","timestamp":"2026-08-01T09:59:50Z""#, "message"),
        (r#""severity":"DEBUG""#, "message"),
        (r#""levelname":"DEBUG""#, "message"),
        (r#""level":"debug""#, "event"),
    ] {
        let logged = format!(r#"{{{beside},"{name}":{words}}}"#);
        assert_eq!(line(&event(&logged)), "openai gpt-4o: input_text_tokens 10, output_text_tokens 2", "{logged}");
    }
    // What was asked, and what people say to one another, is no answer.
    let asked = serde_json::Value::from(r#"question: {"model":"gpt-4o","messages":[]}"#);
    check_rejected(&format!(r#"{{"level":"debug","msg":{asked}}}"#), "unknown_format", "", &[]);
    check_rejected(&format!(r#"{{"note":{words},"by":"ann"}}"#), "unknown_format", "", &[]);
}

#[test]
fn houses_note_which_model_answered_and_when_under_names_of_their_own() {
    let one = event(
        r#"{"requested_model":"grok-4","resolved_model":"grok-4.3","provider":"xai","startedAt":"2026-08-01T09:59:50Z",
            "usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":60},"output_tokens":20,"total_tokens":120}}"#,
    );
    assert_eq!(
        line(&one),
        "x_ai grok-4.3: input_text_tokens 40, cache_read_text_tokens 60, output_text_tokens 20 [id_from_position]"
    );
    let row = event("date,model,input_tokens,output_tokens\n2026-08-01T09:59:50Z,gpt-4o,10,2\n");
    assert_eq!((line(&row), row.event_time.to_string()), (COUNTED.into(), "2026-08-01T09:59:50Z".into()));
}

#[test]
fn a_response_says_how_often_it_searched_where_its_output_does_not() {
    let body = |output: &str, more: &str| {
        line(&event(&format!(
            r#"{{"id":"resp_1","object":"response","created_at":1785578390,"status":"completed","model":"gpt-5.4","output":[{output}],
            "tool_usage":{{"web_search":{{"num_requests":2}}}},"usage":{{"input_tokens":10,"output_tokens":2,"total_tokens":12{more}}}}}"#
        )))
    };
    let counted =
        |searches: u8| format!("openai gpt-5.4: input_text_tokens 10, output_text_tokens 2, web_searches {searches}");
    assert_eq!(body("", ""), counted(2));
    assert_eq!(body(r#"{"type":"message","content":[]}"#, ""), counted(2));
    assert_eq!(body(r#"{"type":"web_search_call","action":{"type":"search"}}"#, ""), counted(1));
    // Which items were read and written is in the counts.
    assert_eq!(body("", r#","attribution":{"items":{"msg_1":{"input_tokens":10,"output_tokens":2}}}"#), counted(2));
}

#[test]
fn a_sum_that_lists_the_iterations_of_its_last_turn_alone_is_the_whole() {
    let body = |input: u32, output: u32| {
        format!(
            r#"{{"model":"claude-opus-4-6","timestamp":"2026-08-01T09:59:50Z","usage":{{"input_tokens":{input},
            "cache_creation_input_tokens":40,"cache_read_input_tokens":900,"output_tokens":{output},
            "cache_creation":{{"ephemeral_5m_input_tokens":30,"ephemeral_1h_input_tokens":10}},
            "iterations":[{{"type":"message","input_tokens":2,"output_tokens":100,"cache_read_input_tokens":50,
            "cache_creation_input_tokens":0}}]}}}}"#
        )
    };
    check(
        &body(70, 300),
        "ai.usage",
        &["anthropic claude-opus-4-6: input_text_tokens 70, cache_read_text_tokens 900, cache_write_5m_tokens 30, \
           cache_write_1h_tokens 10, output_text_tokens 300 [id_from_position, total_mismatch]"],
    );
    check_rejected(&body(70, 50), "contradiction", "usage.iterations", &["70", "50"]);
}

#[test]
fn what_the_ai_sdk_and_logfire_keep_of_a_providers_usage_is_counted() {
    let bedrock = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    let cached = format!(
        "aws.bedrock {bedrock}: input_text_tokens 12, cache_read_text_tokens 3000, cache_write_5m_tokens 500, \
         output_text_tokens 250 [assumed_5m]"
    );
    let attributes = [
        ("ai.operationId", "ai.generateText.doGenerate"),
        ("ai.model.provider", "amazon-bedrock"),
        ("ai.model.id", bedrock),
        ("ai.usage.inputTokens", "12"),
        ("ai.usage.outputTokens", "250"),
        ("ai.usage.totalTokens", "3762"),
        ("ai.usage.cachedInputTokens", "3000"),
        ("ai.response.providerMetadata", r#"{"bedrock":{"usage":{"cacheWriteInputTokens":500}}}"#),
    ];
    check(&span("ai", "ai.generateText.doGenerate", &attributes), "otlp.traces", &[&cached]);
    let result = |model: &str, usage: &str, metadata: &str| {
        format!(
            r#"{{"text":"x","usage":{{{usage}}},"providerMetadata":{{{metadata}}},"response":{{"id":"r","timestamp":"2026-08-01T09:59:50Z",
            "modelId":"{model}"}}}}"#
        )
    };
    let fifth = r#""inputTokens":12,"outputTokens":250,"totalTokens":3762,"cachedInputTokens":3000"#;
    check(&result(bedrock, fifth, r#""bedrock":{"usage":{"cacheWriteInputTokens":500}}"#), "ai_sdk.result", &[&cached]);
    let fourth = r#""promptTokens":12,"completionTokens":250,"totalTokens":262"#;
    let of_anthropic = r#""anthropic":{"cacheCreationInputTokens":500,"cacheReadInputTokens":3000}"#;
    check(
        &result("claude-sonnet-4-5", fourth, of_anthropic),
        "ai_sdk.result",
        &[
            "anthropic claude-sonnet-4-5: input_text_tokens 12, cache_read_text_tokens 3000, cache_write_5m_tokens 500, \
           output_text_tokens 250 [assumed_5m]",
        ],
    );

    let logfire = |model: &str, input: &str, output: &str, usage: &str| {
        let kept = format!(r#"{{"message":{{"role":"assistant"}},"usage":{usage}}}"#);
        let attributes = [
            ("gen_ai.request.model", model),
            ("gen_ai.usage.input_tokens", input),
            ("gen_ai.usage.output_tokens", output),
            ("response_data", &*kept),
        ];
        line(&event(&span("logfire.openai", "Chat Completion", &attributes)))
    };
    let chat = r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":64},
        "completion_tokens_details":{"reasoning_tokens":5}}"#;
    assert_eq!(
        logfire("gpt-4o", "100", "20", chat),
        "openai gpt-4o: input_text_tokens 36, cache_read_text_tokens 64, output_text_tokens 15, output_reasoning_tokens 5"
    );
    let message = r#"{"input_tokens":12,"cache_read_input_tokens":3000,"cache_creation_input_tokens":500,"output_tokens":250,
        "cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":500}}"#;
    assert_eq!(
        logfire("claude-sonnet-4-5", "12", "250", message),
        "anthropic claude-sonnet-4-5: input_text_tokens 12, cache_read_text_tokens 3000, cache_write_1h_tokens 500, \
         output_text_tokens 250"
    );
    // Of another call, or in words of its own: what the span says stands.
    assert_eq!(logfire("gpt-4o", "90", "20", chat), "openai gpt-4o: input_text_tokens 90, output_text_tokens 20");
    assert_eq!(logfire("gpt-4o", "90", "20", "7"), "openai gpt-4o: input_text_tokens 90, output_text_tokens 20");
}

#[test]
fn what_a_model_embeds_is_no_chat() {
    let langfuse = |kind: &str| {
        format!(
            r#"{{"batch":[{{"id":"e","type":"{kind}","timestamp":"2026-08-01T09:59:50Z","body":{{"id":"g","traceId":"t",
            "model":"text-embedding-3-small","usageDetails":{{"input":8}}}}}}]}}"#
        )
    };
    for record in [
        langfuse("embedding-create"),
        langfuse("generation-create"),
        r#"{"model":"text-embedding-3-small","prompt_tokens":8,"total_tokens":8,"timestamp":"2026-08-01T09:59:50Z"}"#
            .into(),
    ] {
        let event = event(&record);
        assert_eq!((&*event.operation, event.usage.len()), ("embeddings", 1), "{record}");
    }
    assert_eq!(
        &*event(r#"{"model":"embed-chat","prompt_tokens":8,"completion_tokens":1,"total_tokens":9}"#).operation,
        "chat"
    );
}

#[test]
fn what_bedrock_bills_is_the_profile_that_was_asked_and_not_the_model_its_body_names() {
    let record = |url: &str, model: &str| {
        format!(
            r#"{{"request":{{"url":"{url}","method":"POST"}},"response":{{"status":200,"body":{{"id":"msg_bdrk_1","type":"message",
            "role":"assistant","model":"{model}","content":[],"usage":{{"input_tokens":1000,"output_tokens":100}}}}}}}}"#
        )
    };
    let asked =
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke";
    let found = event(&record(asked, "claude-haiku-4-5-20251001"));
    assert_eq!((&*found.provider, &*found.model), ("aws.bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0"));
    // An application's own profile names no model: the body does.
    let own = "https://bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fx/invoke";
    assert_eq!(&*event(&record(own, "claude-opus-4-7")).model, "claude-opus-4-7");
    // Vertex AI is told the model alone.
    let vertex = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-5-5:rawPredict";
    let found = event(&record(vertex, "claude-opus-5-5"));
    assert_eq!(
        (&*found.provider, &*found.model, found.price_context.region.as_deref()),
        ("gcp.vertex_ai", "claude-opus-5-5", Some("us-east5"))
    );
    let several = "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/publishers/anthropic/models/claude-opus-5-5:rawPredict";
    let found = event(&record(several, "claude-opus-5-5"));
    assert_eq!((&*found.provider, found.price_context.region.as_deref()), ("gcp.vertex_ai", Some("eu")));
}

#[test]
fn litellm_counts_the_searches_that_only_a_responses_output_tells() {
    let payload = r#"{"id":"resp_L","litellm_call_id":"c","call_type":"aresponses","status":"success","custom_llm_provider":"openai",
        "total_tokens":12,"prompt_tokens":10,"completion_tokens":2,"startTime":1785578390.5,"model":"gpt-5.4",
        "metadata":{"usage_object":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}},"response":{"id":"resp_L",
        "object":"response","output":[{"type":"web_search_call","action":{"type":"search"}},
        {"type":"web_search_call","action":{"type":"open_page"}}]}}"#;
    check(
        payload,
        "litellm.standard_logging",
        &["openai gpt-5.4: input_text_tokens 10, output_text_tokens 2, web_searches 1"],
    );
    let counted =
        payload.replace(r#""total_tokens":12}}"#, r#""total_tokens":12,"server_tool_use":{"web_search_requests":3}}}"#);
    assert!(line(&event(&counted)).ends_with("web_searches 3"));
}

#[test]
fn a_turn_of_realtime_that_failed_and_used_nothing_is_no_call() {
    let done = |status: &str, usage: &str| {
        format!(
            r#"{{"type":"response.done","event_id":"e","response":{{"object":"realtime.response","id":"resp_R","status":"{status}",
            "status_details":{{"type":"{status}"}},"output":[],"usage":{usage}}}}}"#
        )
    };
    for usage in ["null", r#"{"total_tokens":0,"input_tokens":0,"output_tokens":0}"#] {
        let decoded = decoded(&done("failed", usage));
        assert!(matches!(decoded.items[..], [Item::Ignored { reason: IgnoreReason::FailedCall, .. }]), "{decoded:#?}");
    }
    let used = r#"{"total_tokens":12,"input_tokens":10,"output_tokens":2}"#;
    assert!(line(&event(&done("failed", used))).contains("input_text_tokens 10, output_text_tokens 2"));
    assert!(line(&event(&done("cancelled", "null"))).contains("usage_missing"));
}

#[test]
fn caches_under_short_names_are_counted_and_stand_where_the_provider_has_them() {
    let time = r#""ts":"2026-08-01T09:59:50Z""#;
    let beside = "anthropic claude-opus-4-8: input_text_tokens 700, cache_read_text_tokens 600, cache_write_5m_tokens 50, \
                  output_text_tokens 4 [id_from_position, assumed_5m]";
    for counts in [
        r#""input_tokens":700,"output_tokens":4,"cache_read":600,"cache_write":50"#,
        r#""input_tokens":700,"output_tokens":4,"cache_read":600,"cache_creation":50"#,
        r#""inputTokens":700,"outputTokens":4,"cacheReadTokens":600,"cacheWriteTokens":50"#,
        r#""source":"s","usage":{"input_tokens":700,"output_tokens":4,"cache_read":600,"cache_creation":50}"#,
        r#""usage":{"input":700,"output":4,"cache_read":600,"cache_write":50}"#,
        r#""tokens":{"input":700,"output":4,"cacheRead":600,"cacheWrite":50,"total":1354}"#,
    ] {
        // How large a context was asked for is no other model.
        let record = format!(r#"{{"model":"claude-opus-4-8[1m]",{counts},{time}}}"#);
        assert_eq!(line(&event(&record)), beside, "{record}");
    }
    // Without anything of its producer's it is Anthropic's own.
    let bare = r#"{"model":"claude-opus-4-8","usage":{"input_tokens":700,"output_tokens":4,"cache_read":600,"cache_creation":50}}"#;
    assert_eq!(line(&event(bare)), beside.replace("[id_from_position,", "[id_from_position, time_assumed,"));
    let rows = "ts,model,input_tokens,output_tokens,cache_read,cache_write\n2026-08-01T09:59:50Z,claude-opus-4-8,700,4,600,50\n";
    assert_eq!(line(&event(rows)), beside);
    // OpenAI's are inside, unless the total or their size says otherwise.
    let inside =
        "openai gpt-5: input_text_tokens 100, cache_read_text_tokens 600, output_text_tokens 4 [id_from_position]";
    let apart =
        "openai gpt-5: input_text_tokens 700, cache_read_text_tokens 600, output_text_tokens 4 [id_from_position]";
    for (counts, expected) in [
        (r#""input_tokens":700,"output_tokens":4,"cache_read":600"#, inside),
        (r#""usage":{"input":700,"output":4,"cache_read":600}"#, inside),
        (r#""usage":{"input":700,"output":4,"cache_read":600,"total":704}"#, inside),
        (r#""usage":{"input":700,"output":4,"cache_read":600,"total":1304}"#, apart),
    ] {
        assert_eq!(line(&event(&format!(r#"{{"model":"gpt-5",{counts},{time}}}"#))), expected, "{counts}");
    }
}

#[test]
fn kong_tells_what_was_cached_and_thought_since_it_keeps_the_details() {
    let logged = |details: &str| {
        line(&event(&format!(
            r#"{{"ai":{{"proxy":{{"usage":{{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"time_per_token":3,"cost":0.1
            {details}}},"meta":{{"request_model":"gpt-4o","response_model":"gpt-4o-2024-08-06","provider_name":"openai"}}}}}},
            "started_at":1785578390000,"request":{{"id":"r"}},"response":{{"status":200}}}}"#
        )))
    };
    assert_eq!(logged(""), "openai gpt-4o-2024-08-06: input_text_tokens 100, output_text_tokens 20");
    assert_eq!(
        logged(r#","prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":5}"#),
        "openai gpt-4o-2024-08-06: input_text_tokens 36, cache_read_text_tokens 64, output_text_tokens 15, \
         output_reasoning_tokens 5"
    );
}

#[test]
fn lifetimes_of_cache_writes_are_read_where_observers_keep_them() {
    let datadog = r#"{"trace_id":"t","span_id":"s","name":"anthropic.request","start_ns":1785578390000000000,"meta":{"kind":"llm",
        "model_name":"claude-sonnet-4-5","model_provider":"anthropic"},"metrics":{"input_tokens":3512,"output_tokens":250,
        "total_tokens":3762,"cache_read_input_tokens":3000,"cache_write_input_tokens":500,"ephemeral_5m_input_tokens":300,
        "ephemeral_1h_input_tokens":200}}"#;
    let opik = r#"{"id":"o","trace_id":"t","name":"x","type":"llm","start_time":"2026-08-01T09:59:50Z","model":"claude-sonnet-4-5",
        "provider":"anthropic","usage":{"prompt_tokens":3512,"completion_tokens":250,"total_tokens":3762,
        "original_usage.input_tokens":12,"original_usage.cache_read_input_tokens":3000,
        "original_usage.cache_creation_input_tokens":500,"original_usage.cache_creation.ephemeral_5m_input_tokens":300,
        "original_usage.cache_creation.ephemeral_1h_input_tokens":200}}"#;
    let new_api = r#"{"id":2,"created_at":1785578390,"type":2,"token_name":"t","model_name":"claude-sonnet-4-5","quota":225,
        "prompt_tokens":12,"completion_tokens":250,"other":"{\"claude\":true,\"cache_tokens\":3000,\"cache_creation_tokens\":500,\"cache_creation_tokens_5m\":300,\"cache_creation_tokens_1h\":200}"}"#;
    for record in [datadog, opik, new_api] {
        assert_eq!(
            line(&event(record)),
            "anthropic claude-sonnet-4-5: input_text_tokens 12, cache_read_text_tokens 3000, cache_write_5m_tokens 300, \
             cache_write_1h_tokens 200, output_text_tokens 250"
        );
    }
}
