use schemas::{CostBasis, FactKind, IdentityKind};

use super::{check, check_rejected, decoded, event, events, line};
use crate::{IgnoreReason, Item};

fn ignored(payload: &str) -> Vec<IgnoreReason> {
    let items = decoded(payload).items;
    let reasons = items.iter().filter_map(|item| match item {
        Item::Ignored { reason, .. } => Some(*reason),
        _ => None,
    });
    reasons.collect()
}

/// Spans of one trace; attributes as `name=value`, whole numbers as OTLP writes them: in strings.
fn spans(scope: &str, spans: &[(&str, &str)]) -> String {
    let spans: Vec<String> = spans
        .iter()
        .enumerate()
        .map(|(index, (name, attributes))| {
            let attributes: Vec<String> = attributes
                .split_whitespace()
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap();
                    let kind = if value.bytes().all(|b| b.is_ascii_digit()) { "intValue" } else { "stringValue" };
                    format!(r#"{{"key":"{key}","value":{{"{kind}":"{value}"}}}}"#)
                })
                .collect();
            format!(
                r#"{{"traceId":"4BF92F3577B34DA6A3CE929D0E0E4736","spanId":"00f067aa0ba902b{index}","name":"{name}",
                "startTimeUnixNano":"1785578390000000000","attributes":[{}]}}"#,
                attributes.join(",")
            )
        })
        .collect();
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}}]}},
        "scopeSpans":[{{"scope":{{"name":"{scope}"}},"spans":[{}]}}]}}]}}"#,
        spans.join(",")
    )
}

#[test]
fn a_model_call_span_is_an_event_keyed_by_its_response_and_linked_to_its_span() {
    let payload = spans(
        "opentelemetry.instrumentation.openai_v2",
        &[(
            "chat gpt-4o",
            "gen_ai.operation.name=chat gen_ai.provider.name=openai gen_ai.request.model=gpt-4o \
             gen_ai.response.model=gpt-4o-2024-08-06 gen_ai.response.id=chatcmpl-Z gen_ai.usage.input_tokens=100 \
             gen_ai.usage.cache_read.input_tokens=40 gen_ai.usage.output_tokens=20 \
             gen_ai.usage.reasoning.output_tokens=5 gen_ai.conversation.id=conv-1",
        )],
    );
    let event = event(&payload);
    assert_eq!(
        line(&event),
        "openai gpt-4o-2024-08-06: input_text_tokens 60, cache_read_text_tokens 40, output_text_tokens 15, \
         output_reasoning_tokens 5"
    );
    assert_eq!((event.identity, &*event.call_key), (IdentityKind::ResponseId, "openai/chatcmpl-Z"));
    assert_eq!(event.weaker_keys, ["span/4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b0"]);
    assert_eq!((&*event.source, event.claimed.session.as_deref()), ("shop", Some("conv-1")));
    assert_eq!(event.requested_model.as_deref(), Some("gpt-4o"));
}

#[test]
fn agent_spans_repeat_their_children_and_are_not_billed() {
    let payload = spans(
        "x",
        &[
            (
                "invoke_agent a",
                "gen_ai.operation.name=invoke_agent gen_ai.usage.input_tokens=100 gen_ai.usage.output_tokens=20",
            ),
            ("ai.generateText", "gen_ai.usage.input_tokens=100 gen_ai.usage.output_tokens=20"),
            ("execute_tool t", "gen_ai.operation.name=execute_tool"),
            ("GET /", "http.method=GET"),
            (
                "ai.generateText.doGenerate",
                "gen_ai.request.model=gpt-4o gen_ai.usage.input_tokens=100 gen_ai.usage.output_tokens=20",
            ),
        ],
    );
    check(&payload, "otlp.traces", &["openai gpt-4o: input_text_tokens 100, output_text_tokens 20"]);
    use IgnoreReason::{AgentSpan, NotAModelCall};
    assert_eq!(ignored(&payload), [AgentSpan, AgentSpan, NotAModelCall, NotAModelCall]);
}

#[test]
fn whether_input_includes_the_cache_is_told_by_total_size_and_scope() {
    let with = |scope: &str, more: &str| {
        let attributes = format!(
            "gen_ai.provider.name=anthropic gen_ai.request.model=claude-sonnet-4-6 gen_ai.usage.output_tokens=1 {more}"
        );
        line(&event(&spans(scope, &[("chat", &attributes)])))
    };
    let cached = "gen_ai.usage.input_tokens=100 gen_ai.usage.cache_read.input_tokens=40";
    let inclusive =
        "anthropic claude-sonnet-4-6: input_text_tokens 60, cache_read_text_tokens 40, output_text_tokens 1";
    let exclusive =
        "anthropic claude-sonnet-4-6: input_text_tokens 100, cache_read_text_tokens 40, output_text_tokens 1";
    assert_eq!(with("any.scope", cached), inclusive);
    assert_eq!(with("openlit", cached), exclusive);
    // OpenLLMetry adds the cache to Anthropic's input itself.
    assert_eq!(with("opentelemetry.instrumentation.anthropic", cached), inclusive);
    assert_eq!(with("any.scope", &format!("{cached} gen_ai.usage.total_tokens=141")), exclusive);
    assert_eq!(with("openlit", &format!("{cached} gen_ai.usage.total_tokens=101")), exclusive);
    assert_eq!(
        with("any.scope", "gen_ai.usage.input_tokens=10 gen_ai.usage.cache_read.input_tokens=40"),
        "anthropic claude-sonnet-4-6: input_text_tokens 10, cache_read_text_tokens 40, output_text_tokens 1"
    );
}

#[test]
fn older_spellings_are_the_same_counts() {
    for attributes in [
        "gen_ai.system=openai gen_ai.request.model=gpt-4o gen_ai.usage.prompt_tokens=7 gen_ai.usage.completion_tokens=8",
        "llm.provider=openai llm.model_name=gpt-4o llm.token_count.prompt=7 llm.token_count.completion=8",
    ] {
        check(
            &spans("x", &[("llm", attributes)]),
            "otlp.traces",
            &["openai gpt-4o: input_text_tokens 7, output_text_tokens 8"],
        );
    }
}

#[test]
fn a_claude_code_request_keeps_its_estimate_beside_and_hashes_its_user() {
    let event = event(
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1785578390549000000","attributes":[
            {"key":"event.name","value":{"stringValue":"claude_code.api_request"}},
            {"key":"user.email","value":{"stringValue":"alice@example.com"}},
            {"key":"session.id","value":{"stringValue":"s1"}},{"key":"event.sequence","value":{"intValue":"4"}},
            {"key":"model","value":{"stringValue":"claude-sonnet-4-6"}},
            {"key":"input_tokens","value":{"intValue":"100"}},{"key":"output_tokens","value":{"intValue":"50"}},
            {"key":"cache_read_tokens","value":{"intValue":"10"}},
            {"key":"cache_creation_tokens","value":{"intValue":"5"}},
            {"key":"cost_usd","value":{"doubleValue":0.25}}]}]}]}]}"#,
    );
    assert_eq!(
        line(&event),
        "anthropic claude-sonnet-4-6: input_text_tokens 100, cache_read_text_tokens 10, cache_write_5m_tokens 5, \
         output_text_tokens 50 [assumed_5m]"
    );
    assert_eq!(event.call_key, "event/claude-code/s1/4");
    let reported = event.reported_cost.as_ref().unwrap();
    assert_eq!((reported.amount.to_string(), &*reported.basis), ("0.25".to_owned(), "estimate_at_list_price"));
    assert!(!format!("{event:?}").contains("alice"));
}

#[test]
fn token_metrics_are_never_priced() {
    let payload =
        r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"claude_code.cost.usage","sum":{}}]}]}]}"#;
    assert_eq!(ignored(payload), [IgnoreReason::TokenMetric]);
}

fn litellm(more: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-L","litellm_call_id":"b980","trace_id":"t","call_type":"acompletion","status":"success",
        "response_cost":0.04708,"custom_llm_provider":"bedrock","total_tokens":110,"prompt_tokens":100,
        "completion_tokens":10,"startTime":1785578390.5,"model":"eu.anthropic.claude-opus-4-5","model_group":"opus",
        "metadata":{{"user_api_key_alias":"prod","user_api_key_team_alias":"search","user_api_key_user_id":"bob",
        "usage_object":{{"total_tokens":110,"prompt_tokens":100,"completion_tokens":10,"cache_read_input_tokens":60,
        "cache_creation_input_tokens":30,"prompt_tokens_details":{{"cached_tokens":60,"text_tokens":null}}}}}},
        "request_tags":["env:prod","nightly"]{more}}}"#
    )
}

#[test]
fn litellm_folds_every_cache_count_into_the_prompt() {
    let event = event(&litellm(""));
    assert_eq!(
        line(&event),
        "aws.bedrock eu.anthropic.claude-opus-4-5: input_text_tokens 10, cache_read_text_tokens 60, \
         cache_write_5m_tokens 30, output_text_tokens 10 [assumed_5m]"
    );
    assert_eq!((event.claimed.team.as_deref(), event.key_id.as_deref()), (Some("search"), Some("prod")));
    assert_eq!(event.weaker_keys, ["event/litellm/b980"]);
    assert_eq!(event.event_time.micros(), 1_785_578_390_500_000);
    assert_eq!(event.tags.len(), 2);
    assert_eq!(event.reported_cost.unwrap().amount.to_string(), "0.04708");
}

#[test]
fn litellm_names_a_model_by_its_route_and_we_by_its_provider() {
    for (seller, routed, model, region) in [
        ("bedrock", "bedrock/us.anthropic.claude-opus-5-5", "us.anthropic.claude-opus-5-5", None),
        ("bedrock", "bedrock/converse/us.anthropic.claude-opus-5-5", "us.anthropic.claude-opus-5-5", None),
        (
            "bedrock_converse",
            "bedrock/us-gov-west-1/amazon.nova-pro-v1:0",
            "amazon.nova-pro-v1:0",
            Some("us-gov-west-1"),
        ),
        ("bedrock", "us-west-2/anthropic.claude-haiku-5-5", "anthropic.claude-haiku-5-5", Some("us-west-2")),
        (
            "bedrock",
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/x",
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/x",
            None,
        ),
        ("vertex_ai", "vertex_ai/claude-haiku-4-5@20251001", "claude-haiku-4-5@20251001", None),
        ("gemini", "gemini/gemini-2.5-pro", "gemini-2.5-pro", None),
        ("anthropic", "anthropic/claude-opus-5-5", "claude-opus-5-5", None),
        ("openai", "openai/gpt-5.5", "gpt-5.5", None),
        ("mistral", "mistral/mistral-large-latest", "mistral-large-latest", None),
        // Whose model it is belongs to the name.
        ("groq", "openai/gpt-oss-120b", "openai/gpt-oss-120b", None),
        ("groq", "groq/openai/gpt-oss-120b", "openai/gpt-oss-120b", None),
        ("openrouter", "openrouter/anthropic/claude-opus-5.5", "anthropic/claude-opus-5.5", None),
    ] {
        let record = litellm("")
            .replace("\"bedrock\"", &format!("\"{seller}\""))
            .replace("\"eu.anthropic.claude-opus-4-5\"", &format!("\"{routed}\""));
        let event = event(&record);
        assert_eq!((&*event.model, event.price_context.region.as_deref()), (model, region), "{seller} {routed}");
    }
}

#[test]
fn litellm_says_where_it_called() {
    let event = |seller: &str, base: &str| {
        event(&litellm(&format!(r#","api_base":"{base}""#)).replace("\"bedrock\"", &format!("\"{seller}\"")))
    };
    let vertex = event("vertex_ai", "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/m");
    assert_eq!(vertex.price_context.region.as_deref(), Some("us-east5"));
    let openai = event("openai", "https://eu.api.openai.com/v1");
    assert_eq!(openai.price_context.residency.as_deref(), Some("eu"));
}

#[test]
fn litellm_counts_what_gemini_was_grounded_in_among_the_details_of_a_prompt() {
    let record =
        litellm("").replace(r#""text_tokens":null"#, r#""web_search_requests":3,"google_maps_grounding_requests":1"#);
    assert!(
        line(&event(&record)).ends_with("web_searches 3, maps_groundings 1 [assumed_5m]"),
        "{}",
        line(&event(&record))
    );
    // Of Claude's searches it may say both.
    let both = record.replace(
        r#""cache_read_input_tokens":60,"#,
        r#""cache_read_input_tokens":60,"server_tool_use":{"web_search_requests":3},"#,
    );
    assert!(line(&event(&both)).contains("web_searches 3,"), "{}", line(&event(&both)));
}

#[test]
fn a_gateway_cache_hit_is_no_call_of_the_provider() {
    let event = event(&litellm(r#","cache_hit":true"#));
    assert_eq!((event.cost_basis, &*event.call_key), (CostBasis::GatewayCache, "event/litellm/b980"));
    let failed = litellm("").replace("\"success\"", "\"failure\"").replace(":100", ":0").replace(":10,", ":0,");
    let failed = failed.replace(":110", ":0").replace(":60", ":0").replace(":30,", ":0,");
    assert_eq!(ignored(&failed), [IgnoreReason::FailedCall]);
}

#[test]
fn langfuse_buckets_are_exclusive_and_an_update_with_usage_amends() {
    let batch = |kind: &str, usage: &str| {
        format!(
            r#"{{"batch":[{{"id":"evt-1","type":"{kind}","timestamp":"2026-08-01T09:00:01Z","body":{{"id":"gen-1",
            "traceId":"trace-1","startTime":"2026-08-01T09:00:00Z","model":"gpt-5.4",
            "modelParameters":{{"service_tier":"flex"}},"usageDetails":{usage},"costDetails":{{"total":0.001}},
            "metadata":{{"team":"support"}},"environment":"production"}}}},
            {{"id":"evt-2","type":"trace-create","timestamp":"2026-08-01T09:00:00Z","body":{{}}}}]}}"#
        )
    };
    let usage = r#"{"input":86,"input_cached_tokens":17817,"output":120,"total":18023}"#;
    let created = event(&batch("generation-create", usage));
    assert_eq!(
        line(&created),
        "openai gpt-5.4: input_text_tokens 86, cache_read_text_tokens 17817, output_text_tokens 120"
    );
    assert_eq!((created.amends, &*created.call_key), (false, "event/langfuse/gen-1"));
    assert_eq!(created.price_context.service_tier, None);
    assert_eq!(created.price_context.requested_tier.as_deref(), Some("flex"));
    assert!(event(&batch("generation-update", usage)).amends);
    assert_eq!(ignored(&batch("generation-create", usage)), [IgnoreReason::NotAModelCall]);
    let wrong = decoded(&batch("generation-create", r#"{"input":1,"output":1,"total":3}"#));
    assert!(matches!(&wrong.items[0], Item::Rejected(rejection) if rejection.field == "usageDetails.total"));
}

fn cloud_event(kind: &str, data: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","type":"{kind}","id":"1","source":"billing","time":"2026-08-01T09:00:00Z","data":{data}}}"#
    )
}

#[test]
fn gpu_time_is_billed_as_allocated() {
    let data = |used: u32| {
        format!(
            r#"{{"provider":"runpod","gpu_model":"H100","resource":"pod-1","period_start":"2026-08-01T08:00:00Z",
            "period_end":"2026-08-01T09:00:00Z","gpu_seconds_allocated":"7200.5","gpu_seconds_used":{used},
            "purchase_option":"spot","run_id":"r1"}}"#
        )
    };
    let event = event(&cloud_event("ai.gpu.usage", &data(3_000)));
    assert_eq!(line(&event), "runpod H100: gpu_seconds 7200.5");
    assert_eq!(event.charge_period_end.unwrap().micros_since(event.charge_period_start.unwrap()), 3_600_000_000);
    assert_eq!(
        (event.claimed.cost_category.as_deref(), event.claimed.run_id.as_deref()),
        (Some("compute"), Some("r1"))
    );
    check_rejected(
        &cloud_event("ai.gpu.usage", &data(9_000)),
        "contradiction",
        "gpu_seconds_used",
        &["9000", "7200.5"],
    );
}

#[test]
fn a_ledger_entry_states_its_cost_and_category() {
    let entry = |category: &str| {
        cloud_event(
            "ai.ledger.entry",
            &format!(
                r#"{{"vendor":"labels-r-us","item":"annotation","cost_category":"{category}",
                "cost":{{"amount":"1250.50","currency":"EUR"}}}}"#
            ),
        )
    };
    let event = event(&entry("data_and_labelling"));
    let cost = event.stated_cost.unwrap();
    assert_eq!((cost.amount.to_string(), &*cost.currency), ("1250.5".to_owned(), "EUR"));
    check_rejected(&entry("fun"), "invalid_field", "cost_category", &["people"]);
}

#[test]
fn facts_state_what_happened_and_cost_nothing() {
    let decoded = decoded(&cloud_event(
        "ai.value_unit",
        r#"{"workload":"support","name":"resolutions","quantity":12,"value":{"amount":"48","currency":"USD"}}"#,
    ));
    assert!(events(&decoded).is_empty());
    let [Item::Fact(fact)] = &decoded.items[..] else { panic!("{decoded:?}") };
    assert_eq!((fact.kind, &*fact.workload, &*fact.name), (FactKind::ValueUnits, "support", "resolutions"));
    assert_eq!((fact.quantity.to_string(), fact.value.unwrap().to_string()), ("12".to_owned(), "48".to_owned()));
    check_rejected(&cloud_event("ai.business_metric", r#"{"name":"revenue"}"#), "missing_field", "quantity", &[]);
}

#[test]
fn a_step_of_llama_index_in_which_a_model_answers_is_a_call() {
    let counts = "gen_ai.request.model=gpt-4o gen_ai.response.model=gpt-4o-2024-08-06 gen_ai.usage.input_tokens=30 \
                  gen_ai.usage.output_tokens=9";
    for marks in ["llm.request.type=chat traceloop.span.kind=task", "traceloop.span.kind=task"] {
        let steps = spans(
            "opentelemetry.instrumentation.llamaindex",
            &[
                ("RetrieverQueryEngine.workflow", "traceloop.span.kind=workflow"),
                ("OpenAI.task", &format!("{marks} {counts}")),
            ],
        );
        check(&steps, "otlp.traces", &["openai gpt-4o-2024-08-06: input_text_tokens 30, output_text_tokens 9"]);
        assert_eq!(ignored(&steps), [IgnoreReason::AgentSpan], "{marks}");
    }
    // A step that names no model that answered adds up what is beneath it.
    let step = spans("x", &[("work", "traceloop.span.kind=task gen_ai.usage.input_tokens=30")]);
    assert_eq!(ignored(&step), [IgnoreReason::AgentSpan]);
}

#[test]
fn a_model_in_genkit_counts_in_its_own_answer_alone() {
    let output = r#"{"custom":{"modelVersion":"gemini-2.5-flash","responseId":"r7"},"usage":{"inputTokens":100,"outputTokens":20,
        "cachedContentTokens":40,"thoughtsTokens":30,"totalTokens":150}}"#;
    let step = |kind: &str| {
        let attributes = [
            ("genkit:name", "googleai/gemini-flash-latest"),
            ("genkit:type", "action"),
            ("genkit:metadata:subtype", kind),
            ("genkit:output", output),
        ];
        super::span("genkit-tracer", "generate", &attributes)
    };
    let call = event(&step("model"));
    assert_eq!(
        line(&call),
        "gcp.gemini gemini-2.5-flash: input_text_tokens 60, cache_read_text_tokens 40, output_text_tokens 20, \
         output_reasoning_tokens 30"
    );
    assert_eq!(call.call_key, "gcp.gemini/r7");
    assert_eq!(call.requested_model.as_deref(), Some("gemini-flash-latest"));
    assert_eq!(ignored(&step("flow")), [IgnoreReason::NotAModelCall]);
}

#[test]
fn what_gemini_thought_stands_in_the_answer_that_an_agent_keeps_or_beside_the_output() {
    let expected = "input_text_tokens 60, cache_read_text_tokens 40, output_text_tokens 20, output_reasoning_tokens 30";
    let kept = r#"{"content":{},"usage_metadata":{"prompt_token_count":100,"cached_content_token_count":40,"candidates_token_count":20,
        "thoughts_token_count":30,"total_token_count":150}}"#;
    let own = [
        ("gen_ai.system", "gcp.vertex.agent"),
        ("gen_ai.request.model", "gemini-2.5-flash"),
        ("gen_ai.usage.input_tokens", "100"),
        ("gen_ai.usage.output_tokens", "20"),
    ];
    let answer =
        super::span("gcp.vertex.agent", "call_llm", &[&own[..], &[("gcp.vertex.agent.llm_response", kept)]].concat());
    let beside = [("gen_ai.usage.experimental.reasoning_tokens", "18"), ("gen_ai.usage.cache_read.input_tokens", "40")];
    let beside = super::span("gcp.vertex.agent", "call_llm", &[&own[..], &beside].concat());
    assert_eq!(line(&event(&answer)), format!("gcp.vertex_ai gemini-2.5-flash: {expected}"));
    assert_eq!(
        line(&event(&beside)),
        format!("gcp.vertex_ai gemini-2.5-flash: {}", expected.replace("tokens 30", "tokens 18"))
    );
}

#[test]
fn gemini_cli_writes_each_answer_twice_and_is_billed_once() {
    let details = r#""event.name":"gen_ai.client.inference.operation.details","gen_ai.operation.name":"generate_content",
        "gen_ai.request.model":"gemini-2.5-pro","gen_ai.usage.input_tokens":900,"gen_ai.usage.output_tokens":20"#;
    let own = r#""event.name":"gemini_cli.api_response","event.timestamp":"2026-08-01T09:59:50Z","session.id":"s","model":"gemini-2.5-pro",
        "input_token_count":900,"output_token_count":20,"cached_content_token_count":400,"thoughts_token_count":30"#;
    let sent = format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":{{"service.name":"mine"}}}},"scopeLogs":[{{"scope":{{"name":"gemini-cli"}},
        "logRecords":[{{"timeUnixNano":"1785578390000000000","attributes":{{{own}}}}},
        {{"timeUnixNano":"1785578390000000000","attributes":{{{details}}}}}]}}]}}]}}"#
    );
    let call = "gcp.gemini gemini-2.5-pro: input_text_tokens 500, cache_read_text_tokens 400, output_text_tokens 20, \
                output_reasoning_tokens 30";
    check(&sent, "otlp.logs", &[call]);
    assert_eq!(ignored(&sent), [IgnoreReason::AgentSpan]);
    let kept = format!(
        r#"{{"hrTime":[1785578390,0],"resource":{{"attributes":{{"service.name":"gemini-cli"}}}},"attributes":{{{details}}}}}"#
    );
    assert_eq!(ignored(&kept), [IgnoreReason::AgentSpan]);
    // Others have no event but this one.
    assert_eq!(events(&decoded(&sent.replace("\"gemini-cli\"", "\"other\""))).len(), 2);
}

#[test]
fn older_and_newer_names_of_counts_and_modalities() {
    for (attributes, expected) in [
        (
            "ai.model_id=gpt-4o ai.prompt_tokens.used=30 ai.completion_tokens.used=9 ai.total_tokens.used=39",
            "openai gpt-4o: input_text_tokens 30, output_text_tokens 9",
        ),
        (
            "llm.provider=openai llm.request.model=gpt-4o llm.request.tokens=30 llm.response.tokens=9",
            "openai gpt-4o: input_text_tokens 30, output_text_tokens 9",
        ),
        (
            "gen_ai.operation.name=chat gen_ai.request.model=gpt-realtime gen_ai.usage.input_tokens=60 \
             gen_ai.usage.output_tokens=40 gen_ai.usage.cache_read.input_tokens=30 gen_ai.usage.audio.input_tokens=40 \
             gen_ai.usage.audio.cache_read.input_tokens=20 gen_ai.usage.audio.output_tokens=25",
            "openai gpt-realtime: input_text_tokens 10, cache_read_text_tokens 10, output_text_tokens 15, \
             input_audio_tokens 20, output_audio_tokens 25, cache_read_audio_tokens 20",
        ),
        // Where nobody says what of the sound was cached, it is what does not fit.
        (
            "gen_ai.operation.name=chat gen_ai.request.model=gpt-realtime gen_ai.usage.input_tokens=60 \
             gen_ai.usage.output_tokens=40 gen_ai.usage.input_cached_tokens=30 gen_ai.usage.input_audio_tokens=40",
            "openai gpt-realtime: cache_read_text_tokens 20, output_text_tokens 40, input_audio_tokens 30, \
             cache_read_audio_tokens 10",
        ),
        // Images, likewise, as far as a cache holds them; what was written is neither.
        (
            "gen_ai.operation.name=chat gen_ai.request.model=gemini-2.5-flash gen_ai.usage.input_tokens=1000 \
             gen_ai.usage.output_tokens=50 gen_ai.usage.cache_read.input_tokens=900 gen_ai.usage.image.input_tokens=500 \
             gen_ai.usage.image.cache_read.input_tokens=400 gen_ai.usage.text.input_tokens=500",
            "gcp.gemini gemini-2.5-flash: cache_read_text_tokens 500, output_text_tokens 50, input_image_tokens 100, \
             cache_read_image_tokens 400",
        ),
        (
            "gen_ai.operation.name=chat gen_ai.request.model=gpt-4o gen_ai.usage.input_tokens=100 gen_ai.usage.output_tokens=50 \
             gen_ai.usage.cache_read.input_tokens=80 gen_ai.usage.cache_write.input_tokens=20 \
             gen_ai.usage.image.input_tokens=25 gen_ai.usage.audio.input_tokens=15",
            "openai gpt-4o: cache_read_text_tokens 40, cache_write_5m_tokens 20, output_text_tokens 50, \
             cache_read_audio_tokens 15, cache_read_image_tokens 25 [assumed_5m]",
        ),
        (
            "gen_ai.operation.name=chat gen_ai.request.model=gemini-2.5-flash gen_ai.usage.input_tokens=100 \
             gen_ai.usage.output_tokens=5 gen_ai.usage.video.input_tokens=80",
            "gcp.gemini gemini-2.5-flash: input_text_tokens 20, output_text_tokens 5, input_video_tokens 80",
        ),
        (
            "gen_ai.operation.name=chat gen_ai.request.model=claude-opus-4-5 gen_ai.usage.input_tokens=130 \
             gen_ai.usage.output_tokens=20 gen_ai.usage.cache_creation.input_tokens=30 \
             gen_ai.usage.details.cache_write_5m_tokens=10 gen_ai.usage.details.cache_write_1h_tokens=20",
            "anthropic claude-opus-4-5: input_text_tokens 100, cache_write_5m_tokens 10, cache_write_1h_tokens 20, \
             output_text_tokens 20",
        ),
        (
            "gen_ai.operation.name=image gen_ai.request.model=dall-e-3 gen_ai.usage.cost=1",
            "openai dall-e-3:  [usage_missing]",
        ),
    ] {
        check(&spans("x", &[("call", attributes)]), "otlp.traces", &[expected]);
    }
    let of_copilot = "gen_ai.operation.name=chat gen_ai.provider.name=github gen_ai.request.model=gpt-5 \
                      gen_ai.usage.input_tokens=30 gen_ai.usage.output_tokens=9";
    assert_eq!(event(&spans("copilot-chat", &[("chat", of_copilot)])).cost_basis, CostBasis::Included);
    let failed = "gen_ai.operation.name=chat gen_ai.request.model=gpt-5 gen_ai.usage.input_tokens=0 error.type=timeout";
    assert_eq!(ignored(&spans("x", &[("chat", failed)])), [IgnoreReason::FailedCall]);
}

#[test]
fn what_litellm_logs_like_a_call_is_counted_as_it_is_or_flagged() {
    let with = |kind: &str, counts: (u32, u32), more: &str| {
        let (input, output) = counts;
        format!(
            r#"{{"id":"x1","litellm_call_id":"c1","call_type":"{kind}","status":"success","custom_llm_provider":"openai","model":"m",
            "startTime":1785578390.5,"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{}{more}}}"#,
            input + output
        )
    };
    for kind in ["acreate_file", "acreate_batch", "call_mcp_tool", "alist_files", "aget_responses"] {
        assert_eq!(ignored(&with(kind, (0, 0), r#","response_cost":0"#)), [IgnoreReason::NotAModelCall], "{kind}");
    }
    let batch = event(&with("aretrieve_batch", (20, 9), r#","response_cost":0.2"#));
    assert!(batch.price_context.batch);
    let call = |kind: &str, counts, more: &str| line(&event(&with(kind, counts, more)));
    assert_eq!(call("aspeech", (0, 0), r#","response_cost":0.2"#), "openai m:  [usage_missing]");
    let reranked = r#","response":{"id":"r","results":[],"meta":{"billed_units":{"search_units":2}}}"#;
    assert_eq!(call("arerank", (0, 0), reranked), "openai m: rerank_searches 2");
    let drawn = r#","response":{"created":1785578390,"data":[{"b64_json":"x"}],"usage":{"input_tokens":10,"output_tokens":90,
        "total_tokens":100,"input_tokens_details":{"image_tokens":0,"text_tokens":10}}}"#;
    let expected = "openai m: input_text_tokens 10, output_image_tokens 90";
    assert_eq!(call("aimage_generation", (10, 90), drawn), expected);
    assert_eq!(call("aimage_generation", (10, 90), ""), expected);
}
