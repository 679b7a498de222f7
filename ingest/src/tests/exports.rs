use schemas::CostBasis;

use super::{check, check_rejected, decoded, event, line};
use crate::{IgnoreReason, Item};

#[track_caller]
fn ignored(payload: &str, reason: IgnoreReason) {
    let items = decoded(payload).items;
    assert!(matches!(&items[..], [Item::Ignored { reason: found, .. }] if *found == reason), "{items:?}");
}

#[test]
fn usage_metadata_of_langchain_is_no_usage_metadata_of_gemini() {
    check(
        r#"{"id":"msg_01","content":"","response_metadata":{"model_name":"claude-sonnet-4-6","model_provider":"anthropic"},
            "usage_metadata":{"input_tokens":350,"output_tokens":240,"total_tokens":590,
            "input_token_details":{"cache_creation":200,"cache_read":100},"output_token_details":{"reasoning":40}}}"#,
        "langchain.message",
        &["anthropic claude-sonnet-4-6: input_text_tokens 50, cache_read_text_tokens 100, cache_write_5m_tokens 200, \
           output_text_tokens 200, output_reasoning_tokens 40 [time_assumed, assumed_5m]"],
    );
}

#[test]
fn of_langsmith_only_model_runs_are_billed() {
    let run = |kind: &str| {
        format!(
            r#"{{"id":"run-1","trace_id":"t1","run_type":"{kind}","start_time":"2026-08-01T09:00:00","dotted_order":"x",
            "prompt_tokens":10,"completion_tokens":5,"total_tokens":15,
            "extra":{{"metadata":{{"ls_provider":"openai","ls_model_name":"gpt-5.4"}}}},"outputs":{{}}}}"#
        )
    };
    check(&run("llm"), "langsmith.run", &["openai gpt-5.4: input_text_tokens 10, output_text_tokens 5"]);
    ignored(&run("chain"), IgnoreReason::AgentSpan);
    ignored(&run("tool"), IgnoreReason::NotAModelCall);
}

#[test]
fn helicone_gives_the_body_or_its_own_counts() {
    let with = |more: &str| {
        format!(
            r#"{{"request_id":"h1","request_created_at":"2026-08-01T09:00:00Z","response_status":200,"provider":"OPENAI",
            "model":"gpt-5.4","request_properties":{{"team":"search"}},{more}}}"#
        )
    };
    let counts =
        event(&with(r#""prompt_tokens":100,"completion_tokens":5,"total_tokens":105,"prompt_cache_read_tokens":40"#));
    assert_eq!(line(&counts), "openai gpt-5.4: input_text_tokens 60, cache_read_text_tokens 40, output_text_tokens 5");
    assert_eq!(counts.call_key, "event/helicone/h1");
    let body = event(&with(
        r#""response_body":{"id":"chatcmpl-H","object":"chat.completion","created":1785574800,"model":"gpt-5.4-2026-03-01",
            "choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}"#,
    ));
    assert_eq!(line(&body), "openai gpt-5.4-2026-03-01: input_text_tokens 7, output_text_tokens 3");
    assert_eq!((&*body.call_key, body.precedence), ("openai/chatcmpl-H", 20));
    check_rejected(
        &with(r#""prompt_tokens":1,"completion_tokens":1,"total_tokens":9"#),
        "contradiction",
        "prompt_tokens",
        &["9", "2"],
    );
}

#[test]
fn a_portkey_cache_hit_is_no_call_of_the_provider() {
    let log = |status: &str| {
        event(&format!(
            r#"{{"id":"p1","trace_id":"t","created_at":"2026-08-01T09:00:00Z","ai_org":"openai","ai_model":"gpt-5.4",
            "req_units":10,"res_units":5,"total_units":15,"cache_status":"{status}","metadata":{{"team":"x"}}}}"#
        ))
    };
    assert_eq!(line(&log("MISS")), "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5");
    assert_eq!((log("MISS").cost_basis, log("HIT").cost_basis), (CostBasis::OnDemand, CostBasis::GatewayCache));
    let addressed = event(
        r#"{"id":"p1","created_at":"2026-08-01T09:00:00Z","ai_org":"openai","ai_model":"gpt-5.4","req_units":10,"res_units":5,
        "total_units":15,"request_url":"https://eu.api.openai.com/v1/chat/completions"}"#,
    );
    assert_eq!(addressed.price_context.residency.as_deref(), Some("eu"));
}

#[test]
fn parts_of_one_azure_log_are_one_call() {
    let entry = |counts: &str| {
        format!(
            r#"{{"TimeGenerated":"2026-08-01T09:00:00Z","CorrelationId":"c1","SequenceNumber":0,"DeploymentName":"prod-4o",
            "ModelName":"gpt-4o","Region":"westeurope",{counts}}}"#
        )
    };
    let whole = event(&entry(r#""PromptTokens":31,"CompletionTokens":9,"TotalTokens":40"#));
    assert_eq!(line(&whole), "azure.ai.openai gpt-4o: input_text_tokens 31, output_text_tokens 9");
    assert_eq!((whole.resource.as_deref(), &*whole.call_key), (Some("prod-4o"), "event/azure.apim/c1"));
    ignored(&entry(r#""PromptTokens":0,"CompletionTokens":0,"TotalTokens":0"#), IgnoreReason::StreamFragment);
}

#[test]
fn openmeter_counts_one_way_at_a_time() {
    let sent = |data: &str| {
        format!(
            r#"{{"specversion":"1.0","type":"prompt","id":"1","source":"app","subject":"customer-1",
            "time":"2026-08-01T09:00:00Z","data":{data}}}"#
        )
    };
    let input = event(&sent(r#"{"tokens":"123456","model":"gpt-4-turbo","type":"input"}"#));
    assert_eq!(line(&input), "openai gpt-4-turbo: input_text_tokens 123456");
    assert_eq!(input.claimed.customer.as_deref(), Some("customer-1"));
    check_rejected(&sent(r#"{"tokens":"1","model":"gpt-4-turbo"}"#), "missing_field", "data.type", &["input"]);
}

#[test]
fn invoke_model_bodies_count_as_bedrock_counts() {
    let envelope =
        |model: &str, body: &str| format!(r#"{{"id":"b1","time":1785578390,"model":"{model}","response":{body}}}"#);
    check(
        &envelope(
            "amazon.titan-text-express-v1",
            r#"{"inputTextTokenCount":5,"results":[{"tokenCount":61,"outputText":"x"}]}"#,
        ),
        "envelope/bedrock.invoke_model",
        &["aws.bedrock amazon.titan-text-express-v1: input_text_tokens 5, output_text_tokens 61"],
    );
    check(
        &envelope(
            "meta.llama3-70b-instruct-v1:0",
            r#"{"generation":"x","prompt_token_count":12,"generation_token_count":7,"stop_reason":"stop"}"#,
        ),
        "envelope/bedrock.invoke_model",
        &["aws.bedrock meta.llama3-70b-instruct-v1:0: input_text_tokens 12, output_text_tokens 7"],
    );
    let stream = r#"[{"generation":"a","prompt_token_count":12,"generation_token_count":1},
        {"generation":"b","prompt_token_count":null,"generation_token_count":2,
         "amazon-bedrock-invocationMetrics":{"inputTokenCount":12,"outputTokenCount":2}}]"#;
    check(
        &envelope("meta.llama3-70b-instruct-v1:0", stream),
        "envelope/bedrock.invoke_model",
        &["aws.bedrock meta.llama3-70b-instruct-v1:0: input_text_tokens 12, output_text_tokens 2"],
    );
}

#[test]
fn images_without_usage_are_counted_by_the_piece() {
    let event = event(
        r#"{"id":"i1","model":"dall-e-3","response":{"created":1785578390,"size":"1024x1024","quality":"hd",
            "data":[{"url":"https://x/1"},{"url":"https://x/2"}]}}"#,
    );
    assert_eq!(line(&event), "openai dall-e-3: output_images 2");
    assert_eq!(event.price_context.quality.as_deref(), Some("hd"));
}

#[test]
fn speech_counts_text_in_and_audio_out() {
    check(
        r#"{"id":"s1","time":1785578390,"model":"gpt-4o-mini-tts","response":{"type":"speech.audio.done",
            "usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}}"#,
        "envelope/openai.speech",
        &["openai gpt-4o-mini-tts: input_text_tokens 14, output_audio_tokens 101"],
    );
}

#[test]
fn embedders_that_state_a_total_alone_state_input() {
    check(
        r#"{"object":"list","data":[{"embedding":[]}],"model":"voyage-3.5","usage":{"total_tokens":12}}"#,
        "openai.embedding",
        &["voyageai voyage-3.5: input_text_tokens 12 [id_from_position, time_assumed]"],
    );
}

#[test]
fn reasoning_stands_beside_the_output_only_where_that_is_documented() {
    let body = |model: &str, usage: &str| {
        format!(
            r#"{{"id":"r","object":"chat.completion","created":1785578390,"model":"{model}","choices":[],"usage":{usage}}}"#
        )
    };
    check(
        &body(
            "sonar-deep-research",
            r#"{"prompt_tokens":33,"completion_tokens":7163,"total_tokens":7196,"citation_tokens":20016,
                "num_search_queries":18,"reasoning_tokens":73997}"#,
        ),
        "openai.chat_completion",
        &["perplexity sonar-deep-research: input_text_tokens 20049, output_text_tokens 7163, \
           output_reasoning_tokens 73997, search_queries 18"],
    );
    check(
        &body("some-model", r#"{"prompt_tokens":3,"completion_tokens":10,"total_tokens":13,"reasoning_tokens":4}"#),
        "openai.chat_completion",
        &[
            "unknown some-model: input_text_tokens 3, output_text_tokens 6, output_reasoning_tokens 4 [id_from_position]",
        ],
    );
}

#[test]
fn a_compound_system_is_billed_by_the_models_it_ran() {
    let payload = r#"{"id":"g1","object":"chat.completion","created":1785578390,"model":"groq/compound","x_groq":{"id":"req"},
        "choices":[],"usage":{"prompt_tokens":30,"completion_tokens":9,"total_tokens":39},
        "usage_breakdown":{"models":[{"model":"llama-3.3-70b","usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14}},
        {"model":"openai/gpt-oss-120b","usage":{"prompt_tokens":20,"completion_tokens":5,"total_tokens":25}}]}}"#;
    check(
        payload,
        "openai.chat_completion",
        &[
            "groq llama-3.3-70b: input_text_tokens 10, output_text_tokens 4 [iterations_expanded]",
            "groq openai/gpt-oss-120b: input_text_tokens 20, output_text_tokens 5 [iterations_expanded]",
        ],
    );
}

#[test]
fn what_is_no_call_is_told_apart_from_what_is_unknown() {
    ignored(r#"{"error":{"message":"quota","type":"insufficient_quota","code":"429"}}"#, IgnoreReason::FailedCall);
    ignored(r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#, IgnoreReason::FailedCall);
    ignored(r#"{"input_tokens":2095}"#, IgnoreReason::StatusOnly);
    ignored(
        r#"{"model":"llama3.2","created_at":"2026-08-01T09:00:00Z","response":"x","done":false}"#,
        IgnoreReason::StreamFragment,
    );
}

#[test]
fn langfuse_details_are_inside_the_input_where_the_total_says_so() {
    let batch = |usage: &str| {
        format!(
            r#"{{"batch":[{{"id":"e1","type":"generation-create","timestamp":"2026-08-01T09:00:01Z","body":{{"id":"g1",
            "startTime":"2026-08-01T09:00:00Z","model":"gpt-5.4","usageDetails":{usage}}}}}]}}"#
        )
    };
    let inside =
        event(&batch(r#"{"input":100,"input_cached_tokens":40,"output":20,"output_reasoning_tokens":5,"total":120}"#));
    assert_eq!(
        line(&inside),
        "openai gpt-5.4: input_text_tokens 60, cache_read_text_tokens 40, output_text_tokens 15, output_reasoning_tokens 5"
    );
}

#[test]
fn the_operators_word_names_the_provider_of_bodies_that_do_not() {
    let config = crate::Config { provider: Some("bedrock".into()), ..super::config() };
    let body =
        r#"{"id":"msg_01","type":"message","model":"claude-sonnet-4-6","usage":{"input_tokens":1,"output_tokens":1}}"#;
    let decoded = crate::decode(&super::record(body.as_bytes(), &[]), &config);
    assert_eq!(super::events(&decoded)[0].provider, "aws.bedrock");
}

#[test]
fn flat_records_of_houses_are_read() {
    check(
        r#"{"model":"gpt-4o","prompt_tokens":"100","completion_tokens":20,"total_tokens":120,"team":"search",
            "latency_ms":31,"request_id":"r1","timestamp":"2026-08-01T09:00:00Z"}"#,
        "flat_usage",
        &["openai gpt-4o: input_text_tokens 100, output_text_tokens 20"],
    );
    check(
        r#"{"model":"claude-sonnet-4-6","input_tokens":10,"output_tokens":2,"cache_read_input_tokens":50,"id":"r2","time":1785578390}"#,
        "flat_usage",
        &["anthropic claude-sonnet-4-6: input_text_tokens 10, cache_read_text_tokens 50, output_text_tokens 2"],
    );
    check_rejected(r#"{"prompt_tokens":1,"completion_tokens":1}"#, "missing_field", "model", &[]);
}

#[test]
fn rows_of_a_table_are_records() {
    let table = "type,id,source,vendor,product,quantity,unit_price,currency,period_start,period_end,team\r\n\
                 ai.seat.period,s1,zylo,github,copilot-business,10,19.00,USD,2026-08-01,2026-09-01,\"web, mobile\"\r\n\
                 ai.seat.period,s2,zylo,github,,3,19.00,USD,2026-08-01,2026-09-01,\r\n";
    let read = decoded(table);
    assert_eq!(&*read.recognised_as, "csv/ai.seat.period");
    let found = super::events(&read);
    assert_eq!((found.len(), line(found[0])), (31, "github copilot-business: seat_days 10".to_owned()));
    assert_eq!((&*found[0].call_key, found[0].claimed.team.as_deref()), ("event/zylo/s1", Some("web, mobile")));
    assert!(matches!(read.items.last(), Some(Item::Rejected(rejection)) if rejection.field == "model"), "{read:?}");
    check(
        "model,prompt_tokens,completion_tokens,id\ngpt-4o,7,8,c1\n",
        "csv/flat_usage",
        &["openai gpt-4o: input_text_tokens 7, output_text_tokens 8 [time_assumed]"],
    );
}

#[test]
fn partial_updates_of_a_langfuse_generation_merge() {
    let read = decoded(
        r#"{"batch":[{"id":"e1","type":"generation-create","timestamp":"2026-08-01T09:00:01Z","body":{"id":"g1",
            "startTime":"2026-08-01T09:00:00Z","model":"gpt-5.4","metadata":{"team":"support"}}},
            {"id":"e2","type":"generation-update","timestamp":"2026-08-01T09:00:02Z","body":{"id":"g1",
            "usageDetails":{"input":10,"output":2,"total":12}}}]}"#,
    );
    let found = super::events(&read);
    assert_eq!(found.len(), 1, "{read:?}");
    assert_eq!(line(found[0]), "openai gpt-5.4: input_text_tokens 10, output_text_tokens 2");
    assert_eq!((found[0].amends, found[0].claimed.team.as_deref()), (false, Some("support")));
}

#[test]
fn pages_interactions_and_embeddings_have_their_counts() {
    check(
        r#"{"id":"o1","time":1785578390,"response":{"pages":[],"model":"mistral-ocr-2505",
            "usage_info":{"pages_processed":3,"doc_size_bytes":9}}}"#,
        "envelope/mistral.ocr",
        &["mistral_ai mistral-ocr-2505: ocr_pages 3"],
    );
    check(
        r#"{"id":"int_1","object":"interaction","created":"2026-08-01T09:00:00Z","model":"gemini-3-pro","usage":{
            "total_input_tokens":7,"total_cached_tokens":2,"total_output_tokens":20,"total_thought_tokens":22,
            "total_tool_use_tokens":4,"total_tokens":53}}"#,
        "gemini.interaction",
        &["gcp.gemini gemini-3-pro: input_text_tokens 9, cache_read_text_tokens 2, output_text_tokens 20, \
           output_reasoning_tokens 22"],
    );
    check(
        r#"{"id":"e1","time":1785578390,"model":"text-embedding-005","response":{"predictions":[
            {"embeddings":{"values":[0.1],"statistics":{"token_count":7,"truncated":false}}},
            {"embeddings":{"values":[0.1],"statistics":{"token_count":5,"truncated":false}}}]}}"#,
        "envelope/gemini.embedding",
        &["gcp.vertex_ai text-embedding-005: input_text_tokens 12"],
    );
}

#[test]
fn the_host_of_a_captured_request_names_the_provider() {
    let event = event(
        r#"{"id":"h","request":{"url":"https://api.fireworks.ai/inference/v1/chat/completions","body":{"model":"llama"}},
            "response":{"status":200,"body":{"id":"c","object":"chat.completion","created":1785578390,"model":"llama-3.3",
            "choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}}}}"#,
    );
    assert_eq!((&*event.provider, event.requested_model.as_deref()), ("fireworks", Some("llama")));
}

const GENERATION: &str = r#"{"data":{"id":"gen-9","upstream_id":"chatcmpl-1","total_cost":0.0015,"cache_discount":0.0002,
    "upstream_inference_cost":0,"created_at":"2026-08-01T09:59:50.433273+00:00","model":"openai/gpt-5.4","app_id":1,
    "streamed":true,"cancelled":false,"provider_name":"OpenAI","finish_reason":"stop","tokens_prompt":90,
    "tokens_completion":21,"native_tokens_prompt":100,"native_tokens_completion":25,"native_tokens_completion_images":0,
    "native_tokens_reasoning":5,"native_tokens_cached":64,"num_search_results":null,"num_fetches":0,"usage":0.0015,
    "is_byok":false,"external_user":"alice","api_type":"completions","service_tier":"priority"}}"#;

#[test]
fn a_generation_of_openrouter_is_the_call_whose_answer_has_its_id() {
    let generation = event(GENERATION);
    assert_eq!(
        line(&generation),
        "openrouter openai/gpt-5.4: input_text_tokens 36, cache_read_text_tokens 64, output_text_tokens 20, \
         output_reasoning_tokens 5"
    );
    let answer = event(
        r#"{"id":"gen-9","provider":"OpenAI","object":"chat.completion","created":1785578390,"model":"openai/gpt-5.4",
            "choices":[],"usage":{"prompt_tokens":100,"completion_tokens":25,"total_tokens":125,"cost":0.0015,
            "prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":5}}}"#,
    );
    assert_eq!((&*generation.call_key, generation.dedup_key), (&*answer.call_key, answer.dedup_key));
    assert_eq!(generation.usage, answer.usage);
    assert!(answer.precedence < generation.precedence, "the answer tells more apart");
    let cost = generation.reported_cost.unwrap();
    assert_eq!(
        (cost.amount.to_string().as_str(), &*cost.currency, &*cost.basis),
        ("0.0015", "USD", "billed_by_provider")
    );
    assert!(generation.claimed.user.is_some_and(|user| !user.contains("alice")));
}

#[test]
fn a_generation_says_whose_key_paid_and_what_it_does_not_count() {
    let own = event(&GENERATION.replace(r#""is_byok":false"#, r#""is_byok":true"#));
    assert_eq!(own.cost_basis, CostBasis::BringYourOwnKey);
    let searched = event(&GENERATION.replace(r#""num_search_results":null"#, r#""num_search_results":5"#));
    assert!(line(&searched).ends_with("[unknown_usage_field]"), "{}", line(&searched));
    // Without native counts the others are what is known; without its frame it is the same record.
    let inner = GENERATION.strip_prefix(r#"{"data":"#).unwrap().strip_suffix('}').unwrap();
    let other = event(&inner.replace(r#""native_tokens_prompt":100"#, r#""native_tokens_prompt":null"#));
    assert_eq!(other.call_key, "openrouter/gen-9");
    assert!(line(&other).contains("input_text_tokens 26, cache_read_text_tokens 64"), "{}", line(&other));
    let nothing = GENERATION.replace(r#""native_tokens_cached":64"#, r#""native_tokens_cached":164"#);
    check_rejected(&nothing, "contradiction", "native_tokens_prompt", &["100", "164"]);
}

/// A message of LangChain as it is dumped: whose, its id, its model and counts.
fn said(id: &str, model: &str, counts: (u32, u32)) -> String {
    let (input, output) = counts;
    format!(
        r#"{{"content":"yo","additional_kwargs":{{}},"type":"ai","id":"run--1","response_metadata":{{"model_name":"{model}","id":"{id}"}},
        "usage_metadata":{{"input_tokens":{input},"output_tokens":{output},"total_tokens":{}}}}}"#,
        input + output
    )
}

#[test]
fn of_the_messages_an_agent_gives_back_each_that_a_model_said_is_a_call() {
    let human = r#"{"content":"hi","type":"human","response_metadata":{},"id":"1"}"#;
    let (one, two) = (said("chatcmpl-1", "gpt-5.4", (75, 17)), said("chatcmpl-2", "gpt-5.4", (105, 7)));
    let state = format!(r#"{{"messages":[{human},{one},{human},{two}]}}"#);
    let expected = [
        "openai gpt-5.4: input_text_tokens 75, output_text_tokens 17 [time_assumed]",
        "openai gpt-5.4: input_text_tokens 105, output_text_tokens 7 [time_assumed]",
    ];
    check(&state, "records", &expected);
    // A node of the graph may have any name, also one that means something else here.
    for node in ["agent", "model", "team"] {
        check(&format!(r#"{{"{node}":{state}}}"#), "envelope/records", &expected);
    }
    let printed = "{'messages': [HumanMessage(content='hi'), AIMessage(content='', response_metadata={'id': 'chatcmpl-1', \
                   'model_name': 'gpt-5.4'}, usage_metadata={'input_tokens': 75, 'output_tokens': 17, 'total_tokens': 92})]}";
    check(printed, "records", &expected[..1]);
    let by_itself = format!(r#"{{"lc":1,"type":"constructor","id":["AIMessage"],"kwargs":{one}}}"#);
    check(&format!(r#"{{"messages":[{human},{by_itself}]}}"#), "records", &expected[..1]);
    // Who asks a model quotes what it said before.
    check_rejected(&format!(r#"{{"model":"gpt-5.4","messages":[{one}]}}"#), "unknown_format", "", &[]);
}

#[test]
fn messages_of_langchain_are_whose_answer_they_are() {
    let message = |about: &str| {
        event(&format!(
            r#"{{"content":"x","response_metadata":{{{about}}},"usage_metadata":{{"input_tokens":8,"output_tokens":3,"total_tokens":11}}}}"#
        ))
    };
    let bedrock = message(
        r#""ResponseMetadata":{"RequestId":"5bb","HTTPHeaders":{"date":"Sat, 01 Aug 2026 09:00:00 GMT"}},
            "model_provider":"bedrock_converse","model_name":"anthropic.claude-sonnet-4-20250514-v1:0""#,
    );
    assert_eq!((&*bedrock.call_key, &*bedrock.event_time.to_string()), ("aws.bedrock/5bb", "2026-08-01T09:00:00Z"));
    let ollama = message(r#""model":"llama3.1:8b","created_at":"2026-07-15T18:30:31.01Z","done":true"#);
    assert_eq!(ollama.event_time.to_string(), "2026-07-15T18:30:31.010Z");
    // The API of OpenAI is spoken by others, and some of them draw no ids.
    let spoken = message(r#""model_name":"deepseek-chat","model_provider":"openai","id":"c3""#);
    assert_eq!(&*spoken.call_key, "deepseek/c3");
    let relayed = message(r#""model_name":"gpt-5.4","model_provider":"openai","id":"chatcmpl-""#);
    assert!(relayed.call_key.starts_with("position/"), "{}", relayed.call_key);
    let result = event(
        r#"{"generations":[[{"text":"hi","message":{"content":"hi","response_metadata":{"id":"chatcmpl-3"}}}]],
            "llm_output":{"token_usage":{"completion_tokens":3,"prompt_tokens":8,"total_tokens":11},"model_name":"gpt-5.4"}}"#,
    );
    assert_eq!(&*result.call_key, "openai/chatcmpl-3");
}
