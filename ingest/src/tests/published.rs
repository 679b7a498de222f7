//! More bodies as others have captured and published them, composed anew: formats that were not read, and answers that were read
//! wrongly for where they stood or what stood beside their counts.

use schemas::CostBasis;

use super::{check, check_rejected, decoded, event, events, line, span};
use crate::{IgnoreReason, Item};

const BODY: &str = r#"{"id":"chatcmpl-W","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;
const COUNTED: &str = "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5";

#[test]
fn lines_of_a_batch_may_hold_the_answer_itself() {
    let message = r#"{"id":"msg_vrtx_1","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],
        "usage":{"input_tokens":10,"output_tokens":5}}"#;
    for (line_of_batch, expected) in [
        (
            format!(r#"{{"custom_id":"a","request":{{"messages":[]}},"response":{message},"status":""}}"#),
            "gcp.vertex_ai claude-sonnet-4-6: input_text_tokens 10, output_text_tokens 5 [time_assumed]",
        ),
        (format!(r#"{{"custom_id":"a","response":{BODY},"error":null}}"#), COUNTED),
        (
            format!(
                r#"{{"results":[{{"batch_request_id":"a","batch_result":{{"response":{{"chat_get_completion":{}}}}}}}]}}"#,
                BODY.replace("gpt-5.4", "grok-4")
            ),
            "x_ai grok-4: input_text_tokens 10, output_text_tokens 5",
        ),
    ] {
        let event = event(&line_of_batch);
        assert_eq!((line(&event).as_str(), event.price_context.batch), (expected, true), "{line_of_batch}");
    }
    let failed = decoded(r#"{"custom_id":"a","request":{},"response":{"error":{"message":"x"}},"status":"Error"}"#);
    assert!(matches!(failed.items[..], [Item::Ignored { reason: IgnoreReason::FailedCall, .. }]));
}

#[test]
fn the_answers_within_a_batch_of_gemini_are_calls_of_their_own() {
    let answer = |input: u32| {
        format!(
            r#"{{"response":{{"candidates":[],"modelVersion":"gemini-2.5-flash","usageMetadata":{{"promptTokenCount":{input},
            "candidatesTokenCount":5,"totalTokenCount":{}}}}}}}"#,
            input + 5
        )
    };
    let answers = format!("[{},{}]", answer(10), answer(20));
    let job = format!(
        r#"{{"name":"batches/1","done":true,"response":{{"inlinedResponses":{{"inlinedResponses":{answers}}}}}}}"#
    );
    let decoded = decoded(&job);
    let found = events(&decoded);
    assert!(found.iter().all(|event| event.price_context.batch));
    assert_eq!(
        found.iter().map(|event| line(event)).collect::<Vec<_>>(),
        [10, 20].map(|input| format!(
            "gcp.gemini gemini-2.5-flash: input_text_tokens {input}, output_text_tokens 5 [id_from_position, time_assumed]"
        ))
    );
}

#[test]
fn an_empty_usage_says_nothing() {
    let chunk = |usage: &str| {
        format!(r#"{{"id":"c1","model":"claude-sonnet-4-6","choices":[{{"delta":{{}}}}],"usage":{usage}}}"#)
    };
    let counted = chunk(r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}"#);
    check(
        &[chunk("{}"), counted, chunk("{}")].join("\n"),
        "openai.chat_completion",
        &["anthropic claude-sonnet-4-6: input_text_tokens 10, output_text_tokens 5 [time_assumed]"],
    );
}

#[test]
fn vertex_says_what_kind_of_traffic_it_served_where_it_speaks_like_openai() {
    let body = |traffic: &str| {
        event(&format!(
            r#"{{"id":"n","object":"chat.completion","created":1785578390,"model":"google/gemini-3.1-pro","choices":[],
            "usage":{{"prompt_tokens":27,"completion_tokens":45,"completion_tokens_details":{{"reasoning_tokens":504}},
            "total_tokens":576,"extra_properties":{{"google":{{"traffic_type":"{traffic}"}}}}}}}}"#
        ))
    };
    let (plain, provisioned, flex) = (body("ON_DEMAND"), body("PROVISIONED_THROUGHPUT"), body("ON_DEMAND_FLEX"));
    assert_eq!(
        line(&plain),
        "gcp.vertex_ai google/gemini-3.1-pro: input_text_tokens 27, output_text_tokens 45, output_reasoning_tokens 504"
    );
    assert_eq!((plain.cost_basis, provisioned.cost_basis), (CostBasis::OnDemand, CostBasis::Committed));
    assert_eq!(flex.price_context.service_tier.as_deref(), Some("flex"));
}

#[test]
fn embeddings_of_gemini_tell_modalities_under_a_name_of_their_own() {
    check(
        r#"{"embedding":{"values":[0.1]},"usageMetadata":{"promptTokenCount":25,"promptTokenDetails":[
            {"modality":"IMAGE","tokenCount":20},{"modality":"TEXT","tokenCount":5}]}}"#,
        "gemini.generate_content",
        &["gcp.gemini unknown: input_text_tokens 5, input_image_tokens 20 [id_from_position, time_assumed]"],
    );
}

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
fn openrouter_speaks_like_anthropic_too() {
    let event = event(
        r#"{"id":"gen-3","type":"message","role":"assistant","model":"anthropic/claude-4.6-sonnet","content":[],"usage":{
            "input_tokens":10,"output_tokens":5,"cost":0.0001,"is_byok":true,"cost_details":{"upstream_inference_cost":0.0001}}}"#,
    );
    assert_eq!(
        line(&event),
        "openrouter anthropic/claude-4.6-sonnet: input_text_tokens 10, output_text_tokens 5 [time_assumed]"
    );
    assert_eq!((&*event.call_key, event.cost_basis), ("openrouter/gen-3", CostBasis::BringYourOwnKey));
}

#[test]
fn xais_own_sdk_names_what_was_cached() {
    check(
        r#"{"id":"a","model":"grok-4-fast","created":"2026-08-01T09:00:00Z","usage":{"prompt_tokens":181,"completion_tokens":27,
            "cached_prompt_text_tokens":162,"prompt_text_tokens":181,"reasoning_tokens":100,"total_tokens":308}}"#,
        "openai.chat_completion",
        &["x_ai grok-4-fast: input_text_tokens 19, cache_read_text_tokens 162, output_text_tokens 27, \
           output_reasoning_tokens 100"],
    );
}

#[test]
fn what_a_guard_read_is_in_the_total_and_has_no_meter() {
    let body = |total: u32| {
        format!(
            r#"{{"choices":[{{"messages":"x"}}],"created":1785578390,"model":"mistral-7b","usage":{{"completion_tokens":402,
            "guardrails_tokens":677,"prompt_tokens":93,"total_tokens":{total}}}}}"#
        )
    };
    check(
        &body(1172),
        "openai.chat_completion",
        &["unknown mistral-7b: input_text_tokens 93, output_text_tokens 402 [id_from_position, unknown_usage_field]"],
    );
    check_rejected(&body(1171), "contradiction", "usage.total_tokens", &["1171", "402"]);
}

#[test]
fn more_reasoning_than_was_written_is_no_part_of_it() {
    let body = |total: u32| {
        format!(
            r#"{{"id":"gen-1","provider":"P","model":"z-ai/glm","object":"chat.completion","created":1785578390,"choices":[],
            "usage":{{"prompt_tokens":100,"completion_tokens":293,"total_tokens":{total},
            "completion_tokens_details":{{"reasoning_tokens":321}}}}}}"#
        )
    };
    let counted = "openrouter z-ai/glm: input_text_tokens 100, output_text_tokens 293";
    check(&body(393), "openai.chat_completion", &[&format!("{counted} [total_mismatch]")]);
    check(&body(714), "openai.chat_completion", &[&format!("{counted}, output_reasoning_tokens 321")]);
    check(
        r#"{"data":{"id":"gen-1","model":"z-ai/glm","created_at":"2026-08-01T09:00:00Z","total_cost":0.001,
            "native_tokens_prompt":100,"native_tokens_completion":293,"native_tokens_reasoning":321}}"#,
        "openrouter.generation",
        &[&format!("{counted} [total_mismatch]")],
    );
}

#[test]
fn images_and_videos_may_state_a_cost_instead_of_tokens() {
    check(
        r#"{"data":[{"b64_json":"A"}],"model":"gpt-image-1","usage":{"total_tokens":9,"input_tokens":4,"output_tokens":5,
            "input_tokens_details":{"text_tokens":3,"image_tokens":1}}}"#,
        "openai.image",
        &[
            "openai gpt-image-1: input_text_tokens 3, input_image_tokens 1, output_image_tokens 5 [id_from_position, time_assumed]",
        ],
    );
    for (body, expected, cost) in [
        (
            r#"{"data":[{"url":"https://x"}],"model":"grok-2-image","usage":{"cost_in_usd_ticks":700000000}}"#,
            "x_ai grok-2-image: output_images 1 [id_from_position, time_assumed]",
            "0.07",
        ),
        (
            r#"{"status":"done","video":{"url":"https://x","duration":8},"model":"grok-imagine-video",
                "usage":{"cost_in_usd_ticks":500000000},"progress":100}"#,
            "x_ai grok-imagine-video: output_video_seconds 8 [id_from_position, time_assumed]",
            "0.05",
        ),
    ] {
        let event = event(body);
        assert_eq!((line(&event).as_str(), event.reported_cost.unwrap().amount.to_string().as_str()), (expected, cost));
    }
}

#[test]
fn pixels_are_flagged_and_the_tokens_beside_them_are_of_images() {
    check(
        r#"{"object":"list","data":[],"model":"voyage-multimodal-3","usage":{"text_tokens":5,"image_pixels":2000000,
            "total_tokens":3576}}"#,
        "openai.embedding",
        &["voyageai voyage-multimodal-3: input_text_tokens 5, input_image_tokens 3571 \
           [id_from_position, time_assumed, unknown_usage_field]"],
    );
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
fn models_of_bedrock_that_count_nothing_are_counted_by_the_head_of_their_answer() {
    let body = r#""{\"outputs\":[{\"text\":\"x\",\"stop_reason\":\"stop\"}]}""#;
    let counted = "mistral.mistral-7b-instruct-v0:2: input_text_tokens 10, output_text_tokens 5";
    let recorded = event(&format!(
        r#"{{"interactions":[{{"request":{{"uri":"https://bedrock-runtime.eu-west-1.amazonaws.com/model/mistral.mistral-7b-instruct-v0%3A2/invoke"}},
        "response":{{"headers":{{"X-Amzn-Bedrock-Input-Token-Count":["10"],"X-Amzn-Bedrock-Output-Token-Count":["5"],
        "Date":["Sat, 01 Aug 2026 09:00:00 GMT"],"x-amzn-RequestId":["r-1"]}},"body":{{"string":{body}}}}}}}]}}"#
    ));
    assert_eq!((line(&recorded), &*recorded.call_key), (format!("aws.bedrock {counted}"), "aws.bedrock/r-1"));
    let archived = event(&format!(
        r#"{{"log":{{"entries":[{{"startedDateTime":"2026-08-01T09:00:00Z","request":{{"url":"https://bedrock-runtime.eu-west-1.amazonaws.com/model/mistral.mistral-7b-instruct-v0%3A2/invoke"}},
        "response":{{"headers":[{{"name":"x-amzn-bedrock-input-token-count","value":"10"}},
        {{"name":"x-amzn-bedrock-output-token-count","value":"5"}}],"content":{{"text":{body}}}}}}}]}}}}"#
    ));
    assert_eq!(line(&archived), format!("aws.bedrock {counted} [id_from_position]"));
    let handed_on = event(&format!(
        r#"{{"ResponseMetadata":{{"RequestId":"r-1","HTTPHeaders":{{"date":"Sat, 01 Aug 2026 09:00:00 GMT","x-amzn-requestid":"r-1",
        "x-amzn-bedrock-output-token-count":"5","x-amzn-bedrock-input-token-count":"10"}}}},"contentType":"application/json",
        "body":{body}}}"#
    ));
    assert_eq!(line(&handed_on), "aws.bedrock unknown: input_text_tokens 10, output_text_tokens 5");
    // A body that counts goes before its head, which knows no lifetimes.
    let both = event(&format!(
        r#"{{"headers":{{"x-amzn-bedrock-input-token-count":"99"}},"body":{}}}"#,
        r#"{"id":"msg_bdrk_1","type":"message","model":"claude-haiku-4-5","usage":{"input_tokens":7,"output_tokens":8}}"#
    ));
    assert!(line(&both).starts_with("aws.bedrock claude-haiku-4-5: input_text_tokens 7"), "{}", line(&both));
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
fn answers_of_watsonx_count_each_result_and_streams_count_on() {
    let counted = "ibm.watsonx.ai ibm/granite: input_text_tokens 12, output_text_tokens 5 [id_from_position]";
    check(
        r#"{"model_id":"ibm/granite","created_at":"2026-08-01T09:00:00.123Z","results":[{"generated_text":"x",
            "generated_token_count":5,"input_token_count":12,"stop_reason":"eos_token"}]}"#,
        "watsonx.generation",
        &[counted],
    );
    let frame = |input: u32, output: u32, reason: &str| {
        format!(
            "id: 1\nevent: message\ndata: {{\"model_id\":\"ibm/granite\",\"created_at\":\"2026-08-01T09:00:00Z\",\"results\":[{{\
             \"generated_token_count\":{output},\"input_token_count\":{input},\"stop_reason\":\"{reason}\"}}]}}\n\n"
        )
    };
    let stream = frame(12, 1, "not_finished") + &frame(0, 5, "eos_token");
    check(&stream, "watsonx.generation", &[counted]);
    check(&(stream.clone() + &stream), "watsonx.generation", &[counted, counted]);
    let embedded = event(
        r#"{"model_id":"ibm/slate","results":[{"embedding":[0.1]}],"created_at":"2026-08-01T09:00:00Z","input_token_count":10}"#,
    );
    assert_eq!(
        (&*embedded.operation, line(&embedded).as_str()),
        ("embeddings", "ibm.watsonx.ai ibm/slate: input_text_tokens 10 [id_from_position]")
    );
    check(
        r#"{"id":"chat-1","model_id":"ibm/granite","model":"ibm/granite","choices":[],"created":1785578390,"model_version":"1.1.0",
            "created_at":"2026-08-01T09:00:00Z","usage":{"completion_tokens":5,"prompt_tokens":12,"total_tokens":17}}"#,
        "openai.chat_completion",
        &[counted],
    );
}

#[test]
fn answers_of_dashscope_are_told_by_output_and_usage() {
    let answer = |output: &str, usage: &str| format!(r#"{{"request_id":"r","output":{output},"usage":{usage}}}"#);
    for (output, usage, expected) in [
        (r#"{"text":"x"}"#, r#"{"output_tokens":17,"input_tokens":22}"#, "input_text_tokens 22, output_text_tokens 17"),
        (
            r#"{"choices":[]}"#,
            r#"{"total_tokens":1200,"input_tokens":200,"output_tokens":1000,"output_tokens_details":{"reasoning_tokens":900},
                "prompt_tokens_details":{"cached_tokens":128}}"#,
            "input_text_tokens 72, cache_read_text_tokens 128, output_text_tokens 100, output_reasoning_tokens 900",
        ),
        (
            r#"{"choices":[]}"#,
            r#"{"input_tokens_details":{"text_tokens":30,"image_tokens":1238},"output_tokens":40,"input_tokens":1268,
                "image_tokens":1238,"total_tokens":1308}"#,
            "input_text_tokens 30, output_text_tokens 40, input_image_tokens 1238",
        ),
        (
            r#"{"embeddings":[]}"#,
            r#"{"input_tokens":10,"image_tokens":896,"total_tokens":906}"#,
            "input_text_tokens 10, input_image_tokens 896",
        ),
        (r#"{"embeddings":[]}"#, r#"{"total_tokens":26}"#, "input_text_tokens 26"),
        (
            r#"{"audio":{"url":"x"}}"#,
            r#"{"input_tokens":19,"output_tokens":205,"total_tokens":224,"output_tokens_details":{"audio_tokens":205,"text_tokens":0}}"#,
            "input_text_tokens 19, output_audio_tokens 205",
        ),
        (r#"{"task_id":"t","results":[{"url":"x"}]}"#, r#"{"image_count":1}"#, "output_images 1"),
    ] {
        check(
            &answer(output, usage),
            "dashscope.generation",
            &[&format!("dashscope unknown: {expected} [id_from_position, time_assumed]")],
        );
    }
    let frame = |output: u32| answer(r#"{"text":"x"}"#, &format!(r#"{{"input_tokens":22,"output_tokens":{output}}}"#));
    let stream = format!("id:1\nevent:result\ndata:{}\n\nid:2\nevent:result\ndata:{}\n\n", frame(1), frame(17));
    let counted = "dashscope unknown: input_text_tokens 22, output_text_tokens 17 [id_from_position, time_assumed]";
    check(&stream, "dashscope.generation", &[counted]);
    check(&format!("[{},{}]", frame(1), frame(17)), "dashscope.generation", &[counted]);
    check(
        &format!(r#"{{"id":"1","source":"s","time":1785578390,"model":"qwen-plus","response":{}}}"#, frame(17)),
        "envelope/dashscope.generation",
        &["dashscope qwen-plus: input_text_tokens 22, output_text_tokens 17"],
    );
}

#[test]
fn servers_one_runs_oneself_are_read_in_their_own_tongue() {
    let piece = |output: u32, reason: &str| {
        format!(
            r#"data: {{"text":"x","meta_info":{{"id":"r1","finish_reason":{reason},"prompt_tokens":8,"completion_tokens":{output},"cached_tokens":3}}}}"#
        )
    };
    let sglang = "sglang unknown: input_text_tokens 5, cache_read_text_tokens 3, output_text_tokens 8 [id_from_position, time_assumed]";
    let whole = piece(8, r#"{"type":"length"}"#);
    let stream = format!("{}\n\n{whole}\n\ndata: [DONE]\n\n", piece(1, "null"));
    check(whole.trim_start_matches("data: "), "sglang.generate", &[sglang]);
    check(&stream, "sglang.generate", &[sglang]);
    let llama = |stop: bool, output: u32| {
        format!(
            r#"data: {{"content":"x","stop":{stop},"model":"m","tokens_predicted":{output},"tokens_evaluated":10,"tokens_cached":33,"timings":{{"cache_n":4}}}}"#
        )
    };
    check(
        &format!("{}\n\n{}\n\n", llama(false, 1), llama(true, 24)),
        "llama_cpp.completion",
        &[
            "llama_cpp m: input_text_tokens 6, cache_read_text_tokens 4, output_text_tokens 24 [id_from_position, time_assumed]",
        ],
    );
    let studio = event(
        r#"{"model_instance_id":"ibm/granite","output":[],"stats":{"input_tokens":646,"total_output_tokens":586,
            "reasoning_output_tokens":6},"response_id":"resp_4"}"#,
    );
    assert_eq!(studio.cost_basis, CostBasis::SelfHosted);
    assert!(line(&studio).starts_with(
        "lm_studio ibm/granite: input_text_tokens 646, output_text_tokens 580, output_reasoning_tokens 6"
    ));
}

#[test]
fn predictions_of_replicate_are_tokens_or_else_the_time_they_took() {
    let prediction = |status: &str, metrics: &str| {
        format!(
            r#"{{"id":"p1","model":"meta/llama-3-8b","version":"5c7","input":{{}},"output":"x","error":null,"status":"{status}",
            "created_at":"2026-08-01T09:00:00.1Z","metrics":{metrics},"urls":{{"get":"https://api.replicate.com/v1/predictions/p1"}}}}"#
        )
    };
    let tokens = prediction("succeeded", r#"{"input_token_count":12,"output_token_count":34,"predict_time":0.9}"#);
    check(&tokens, "replicate.prediction", &["replicate meta/llama-3-8b: input_text_tokens 12, output_text_tokens 34"]);
    assert_eq!(&*event(&tokens).call_key, "event/replicate/p1");
    check(
        &prediction("succeeded", r#"{"predict_time":0.012683}"#),
        "replicate.prediction",
        &["replicate meta/llama-3-8b: resource_seconds 0.012683"],
    );
    let running = decoded(&prediction("processing", "{}"));
    assert!(matches!(running.items[..], [Item::Ignored { reason: IgnoreReason::StatusOnly, .. }]));
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
fn usage_may_be_a_text_of_json_and_new_tools_begin_as_zeros() {
    let logged = r#"{"id":"1","model":"gpt-5.4","provider":"openai","time":"2026-08-01T09:00:00Z",
        "usage":"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}"}"#;
    check(logged, "ai.usage", &[COUNTED]);
    let message = |calls: u32| {
        line(&event(&format!(
            r#"{{"id":"msg_Z","type":"message","model":"claude-opus-4-8","usage":{{"input_tokens":3,"output_tokens":7,
            "server_tool_use":{{"web_search_requests":2,"tool_search_requests":{calls}}}}}}}"#
        )))
    };
    assert!(message(0).ends_with("web_searches 2 [time_assumed]"));
    assert!(message(1).ends_with("[time_assumed, unknown_usage_field]"));
    check(
        r#"{"rankings":[{"index":0,"logit":1.0}],"usage":{"prompt_tokens":20,"total_tokens":20}}"#,
        "openai.embedding",
        &["nvidia unknown: input_text_tokens 20 [id_from_position, time_assumed]"],
    );
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
fn speech_of_others_is_billed_by_seconds_and_characters() {
    let heard = |channels: u32| {
        format!(
            r#"{{"metadata":{{"request_id":"r","created":"2026-08-01T09:00:00Z","duration":19.097,"channels":{channels},
            "models":["m"],"model_info":{{"m":{{"name":"general-nova-3","version":"1","arch":"nova-3"}}}}}},"results":{{"channels":[]}}}}"#
        )
    };
    let counted = "deepgram nova-3: input_audio_seconds 19.097 [id_from_position";
    check(&heard(1), "deepgram.transcription", &[&format!("{counted}]")]);
    check(&heard(2), "deepgram.transcription", &[&format!("{counted}, unknown_usage_field]")]);
    check(
        r#"{"data":{"audio":"aa"},"extra_info":{"audio_length":9900,"usage_characters":26},"base_resp":{"status_code":0}}"#,
        "minimax.speech",
        &["minimax unknown: input_characters 26 [id_from_position, time_assumed]"],
    );
}

#[test]
fn transcriptions_of_a_session_are_not_its_models() {
    let heard = r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","transcript":"x","usage":{"type":"tokens","total_tokens":22,"input_tokens":13,"input_token_details":{"audio_tokens":13},"output_tokens":9}}"#;
    let session = |about: &str| {
        let session = format!(r#"{{"id":"s","object":"realtime.session","model":"gpt-realtime"{about}}}"#);
        format!("{{\"type\":\"session.created\",\"session\":{session}}}\n{heard}")
    };
    let counted = "output_text_tokens 9, input_audio_tokens 13 [id_from_position, time_assumed]";
    for (about, model) in [
        ("", "unknown"),
        (r#","input_audio_transcription":{"model":"gpt-4o-transcribe"}"#, "gpt-4o-transcribe"),
        (r#","audio":{"input":{"transcription":{"model":"gpt-4o-transcribe"}}}"#, "gpt-4o-transcribe"),
    ] {
        check(&session(about), "openai.response_event", &[&format!("openai {model}: {counted}")]);
    }
}

#[test]
fn what_bedrock_streams_is_counted_in_its_last_frame_whoever_speaks() {
    let metrics = r#""amazon-bedrock-invocationMetrics":{"inputTokenCount":10,"outputTokenCount":5}"#;
    let counted = "input_text_tokens 10, output_text_tokens 5";
    let chunk = |more: &str| {
        format!(
            r#"{{"choices":[{{"delta":{{"content":"x"}},"index":0}}],"created":1785578390,"id":"chatcmpl-q",
            "model":"qwen.qwen3-32b-v1:0","object":"chat.completion.chunk"{more}}}"#
        )
        .replace('\n', "")
    };
    check(
        &format!("{}\n{}", chunk(""), chunk(&format!(",{metrics}"))),
        "bedrock.invoke_model",
        &[&format!("aws.bedrock qwen.qwen3-32b-v1:0: {counted} [time_assumed]")],
    );
    for (first, last) in [
        (r#"{"outputs":[{"text":"a","stop_reason":null}]}"#, r#""outputs":[{"text":"","stop_reason":"stop"}]"#),
        (r#"{"text":"a","is_finished":false}"#, r#""is_finished":true,"finish_reason":"COMPLETE""#),
    ] {
        let decoded = decoded(&format!("{first}\n{{{last},{metrics}}}"));
        assert!(matches!(decoded.items[0], Item::Ignored { reason: IgnoreReason::StreamFragment, .. }));
        assert_eq!(
            line(events(&decoded)[0]),
            format!("aws.bedrock unknown: {counted} [id_from_position, time_assumed]")
        );
    }
}

#[test]
fn who_serves_a_model_is_told_by_names_that_only_one_writes() {
    let message = |model: &str| {
        line(&event(&format!(
            r#"{{"id":"m1","type":"message","role":"assistant","model":"{model}","content":[],"usage":{{"input_tokens":10,"output_tokens":5}}}}"#
        )))
    };
    for (model, provider) in [
        ("glm-4.6", "unknown"),
        ("deepseek-chat", "deepseek"),
        ("claude-sonnet-4-6", "anthropic"),
        ("my-alias", "anthropic"),
    ] {
        assert!(message(model).starts_with(&format!("{provider} {model}: ")), "{}", message(model));
    }
    let chat = BODY.replace("gpt-5.4", "openai.gpt-oss-20b-1:0");
    check(
        &chat,
        "openai.chat_completion",
        &["aws.bedrock openai.gpt-oss-20b-1:0: input_text_tokens 10, output_text_tokens 5"],
    );
    check(
        r#"{"model":"doubao-seedream-4-0","created":1785578390,"data":[{"url":"https://x"},{"error":{}}],"usage":{"generated_images":1,
            "output_tokens":16384,"total_tokens":16384}}"#,
        "openai.image",
        &["volcengine doubao-seedream-4-0: output_images 1 [id_from_position]"],
    );
    for (host, provider) in [
        ("dashscope-intl.aliyuncs.com", "dashscope"),
        ("api.z.ai", "zai"),
        ("us-south.ml.cloud.ibm.com", "ibm.watsonx.ai"),
        ("integrate.api.nvidia.com", "nvidia"),
        ("localhost:8000", "unknown"),
    ] {
        let sent = format!(
            r#"{{"id":"1","source":"s","request":{{"url":"https://{host}/v1/chat/completions"}},"response":{}}}"#,
            BODY.replace("gpt-5.4", "m")
        );
        assert!(line(&event(&sent)).starts_with(&format!("{provider} m: ")), "{host}");
    }
    let nameless = BODY.replace(r#""model":"gpt-5.4","#, "");
    check(
        &nameless,
        "openai.chat_completion",
        &["unknown unknown: input_text_tokens 10, output_text_tokens 5 [id_from_position]"],
    );
}

#[test]
fn a_logged_body_that_speaks_like_openai_tells_reasoning_apart() {
    check(
        r#"{"timestamp":"2026-08-01T09:00:00Z","region":"us-east-1","requestId":"r1","operation":"InvokeModel",
            "modelId":"openai.gpt-oss-20b-1:0","input":{"inputTokenCount":10},"output":{"outputBodyJson":{"choices":[],"usage":{
            "prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"completion_tokens_details":{"reasoning_tokens":2}}},
            "outputTokenCount":5},"schemaType":"ModelInvocationLog","schemaVersion":"1.0"}"#,
        "bedrock.invocation_log",
        &["aws.bedrock openai.gpt-oss-20b-1:0: input_text_tokens 10, output_text_tokens 3, output_reasoning_tokens 2"],
    );
    let flat = |more: &str| {
        line(&event(&format!(
            r#"{{"id":"1","timestamp":"2026-08-01T09:00:00Z","model":"gpt-5.4","promptTokens":10,"completionTokens":5{more}}}"#
        )))
    };
    assert_eq!(flat(""), COUNTED);
    assert_eq!(flat(r#","cachedTokens":4"#), format!("{COUNTED} [unknown_usage_field]"));
}

#[test]
fn qwens_explicit_cache_is_inside_the_prompt() {
    check(
        r#"{"id":"d","object":"chat.completion","created":1785578390,"model":"qwen3-coder-plus","choices":[],"usage":{
            "prompt_tokens":1500,"completion_tokens":5,"total_tokens":1505,"prompt_tokens_details":{"cached_tokens":0,
            "text_tokens":1500,"cache_creation":{"ephemeral_5m_input_tokens":1400},"cache_creation_input_tokens":1400,
            "cache_type":"ephemeral"}}}"#,
        "openai.chat_completion",
        &[
            "unknown qwen3-coder-plus: input_text_tokens 100, cache_write_5m_tokens 1400, output_text_tokens 5 [id_from_position]",
        ],
    );
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
