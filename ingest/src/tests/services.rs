//! Services beside the models: searches, videos, speech, and interfaces of their own. Composed from answers that others published.

use super::{check, check_rejected, decoded, event};
use crate::Item;
use crate::item::IgnoreReason;

fn ignored(payload: &str) -> Vec<IgnoreReason> {
    let items = decoded(payload).items.into_iter();
    let reason = items.filter_map(|item| match item {
        Item::Ignored { reason, .. } => Some(reason),
        _ => None,
    });
    reason.collect()
}

#[test]
fn a_search_is_one_at_the_price_it_states() {
    let exa = r#"{"requestId":"q1","resolvedSearchType":"neural","results":[{"title":"t","url":"https://x","text":"a"}],
        "costDollars":{"total":0.007}}"#;
    check(exa, "search.answer", &["exa unknown: search_queries 1 [id_from_position, time_assumed]"]);
    assert_eq!(event(exa).reported_cost.unwrap().amount.to_string(), "0.007");
    let tavily = |more: &str| {
        format!(
            r#"{{"query":"a","answer":null,"images":[],"results":[{{"title":"t","url":"https://x","content":"c","score":0.9}}],
            "response_time":"1.67"{more}}}"#
        )
    };
    for (payload, expected) in [
        (tavily(r#","usage":{"credits":2}"#), "tavily unknown: credits 2 [id_from_position, time_assumed]"),
        // In credits it is billed, and how many they were it only says when asked to.
        (tavily(""), "tavily unknown:  [id_from_position, time_assumed, usage_missing]"),
        (
            r#"{"query":"a","results":[],"usage":{"credits":1}}"#.to_owned(),
            "tavily unknown: credits 1 [id_from_position, time_assumed]",
        ),
        (
            r#"{"results":[{"title":"t","url":"https://x","snippet":"s","date":null,"last_updated":"2026-07-01"}],"id":"p1"}"#
                .to_owned(),
            "perplexity unknown: search_queries 1 [time_assumed]",
        ),
    ] {
        check(&payload, "search.answer", &[expected]);
    }
    // What any page of a list has is no search.
    check_rejected(r#"{"results":[{"title":"t","url":"https://x"}],"id":"p1"}"#, "unknown_format", "", &[]);
}

#[test]
fn a_task_of_kling_is_what_it_made() {
    let task = |state: &str, result: &str| {
        format!(
            r#"{{"code":0,"message":"SUCCEED","request_id":"r","data":{{"task_id":"7","task_status":"{state}","created_at":1785578390000,
            "updated_at":1785578490000{result}}}}}"#
        )
    };
    let video =
        r#","task_result":{"videos":[{"id":"v","url":"https://x/v.mp4","duration":"5.1"}]},"final_unit_deduction":"2""#;
    let images = r#","task_result":{"images":[{"index":0,"url":"https://x/0"},{"index":1,"url":"https://x/1"}]}"#;
    for (payload, expected) in [
        (task("succeed", video), "kling unknown: output_video_seconds 5.1"),
        (task("succeed", images), "kling unknown: output_images 2"),
        (
            task("succeed", r#","task_result":{"videos":[{"id":"v","url":"https://x/v.mp4"}]}"#),
            "kling unknown:  [usage_missing]",
        ),
        (
            r#"{"task_id":"7","task_status":"succeed","updated_at":1785578490000,"task_result":{"videos":[{"id":"v","duration":5}]}}"#
                .to_owned(),
            "kling unknown: output_video_seconds 5 [time_assumed]",
        ),
    ] {
        check(&payload, "kling.task", &[expected]);
    }
    assert_eq!(ignored(&task("submitted", "")), [IgnoreReason::StatusOnly]);
    assert_eq!(ignored(&task("failed", r#","task_status_msg":"no""#)), [IgnoreReason::FailedCall]);
}

#[test]
fn sound_is_billed_by_what_the_service_states() {
    for (payload, kind, expected) in [
        (
            r#"{"results":[{"alternatives":[{"transcript":"a","confidence":0.9}],"resultEndTime":"1.770s"}],"totalBilledTime":"15s","requestId":"4"}"#,
            "google.transcription",
            "gcp.speech unknown: input_audio_seconds 15 [id_from_position, time_assumed]",
        ),
        (
            r#"{"results":[{"alternatives":[{"transcript":"a"}]}],"metadata":{"totalBilledDuration":"2.500s","requestId":"5"}}"#,
            "google.transcription",
            "gcp.speech unknown: input_audio_seconds 2.5 [id_from_position, time_assumed]",
        ),
        (
            r#"{"audioContent":"aGk=","usage":{"processedCharactersCount":42,"modelId":"inworld-tts-2"}}"#,
            "inworld.speech",
            "inworld inworld-tts-2: input_characters 42 [id_from_position, time_assumed]",
        ),
        (
            r#"{"type":"Metadata","request_id":"r","created":"2026-08-01T09:00:00.000Z","duration":12.3,"channels":1,"models":["m"],
            "model_info":{"m":{"name":"general-nova-3","version":"2026","arch":"nova-3"}}}"#,
            "deepgram.transcription",
            "deepgram nova-3: input_audio_seconds 12.3",
        ),
    ] {
        check(payload, kind, &[expected]);
    }
    // What was heard so far says how long this piece of it is.
    let piece = r#"{"type":"Results","channel_index":[0,1],"duration":1.98,"start":5.99,"is_final":true,
        "channel":{"alternatives":[{"transcript":"a"}]},"metadata":{"request_id":"r","model_info":{"name":"n","arch":"nova-3"}}}"#;
    assert_eq!(ignored(piece), [IgnoreReason::StreamFragment]);
    let invalid = r#"{"results":[],"totalBilledTime":"long"}"#;
    check_rejected(invalid, "invalid_field", "totalBilledTime", &["seconds"]);
}

#[test]
fn interfaces_of_their_own_name_no_model_and_are_counted() {
    let deepinfra = |read: u32, written: u32| {
        format!(
            r#"{{"results":[{{"generated_text":"a"}}],"request_id":"q","inference_status":{{"status":"succeeded","runtime_ms":1500,
            "cost":0.0000123,"tokens_generated":{written},"tokens_input":{read}}}}}"#
        )
    };
    for (payload, expected) in [
        (deepinfra(11, 42), "deepinfra unknown: input_text_tokens 11, output_text_tokens 42 [time_assumed]"),
        // Of sounds it counts no tokens, and says what they cost.
        (deepinfra(0, 0), "deepinfra unknown:  [time_assumed, usage_missing]"),
        (
            r#"{"generated_text":"a","nb_generated_tokens":33,"nb_input_tokens":11}"#.to_owned(),
            "nlp_cloud unknown: input_text_tokens 11, output_text_tokens 33 [id_from_position, time_assumed]",
        ),
        (
            r#"{"header":{"code":0,"message":"Success","sid":"c1","status":2},"payload":{"choices":{"status":2,"seq":0,
            "text":[{"content":"a","index":0,"role":"assistant"}]},
            "usage":{"text":{"question_tokens":4,"prompt_tokens":5,"completion_tokens":9,"total_tokens":14}}}}"#
                .to_owned(),
            "iflytek unknown: input_text_tokens 5, output_text_tokens 9 [time_assumed]",
        ),
    ] {
        check(&payload, "tool.log", &[expected]);
    }
    assert_eq!(event(&deepinfra(0, 0)).reported_cost.unwrap().amount.to_string(), "0.0000123");
}

#[test]
fn pictures_that_were_drawn_are_told_from_those_that_were_read() {
    let drawn = r#"{"request_id":"r","output":{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":[{"image":"aGk="}]}}]},
        "usage":{"output_width":1024,"output_height":1024,"input_image_count":2,"input_image_type":"base64","output_image_count":1,
        "output_image_type":"base64"}}"#;
    check(drawn, "dashscope.generation", &["dashscope unknown: output_images 1 [time_assumed]"]);
    assert_eq!(event(drawn).operation.as_str(), "image_generation");
    let embedded = r#"{"output":{"embeddings":[{"index":0,"embedding":[0.1],"type":"image"}]},"request_id":"r",
        "usage":{"input_tokens":10,"image_tokens":896,"image_count":1,"duration":0}}"#;
    check(
        embedded,
        "dashscope.generation",
        &["dashscope unknown: input_text_tokens 10, input_image_tokens 896 [time_assumed]"],
    );
    // Cohere bills some by the image, which is no reason to call them free.
    check(
        r#"{"id":"c","embeddings":{"float":[[0.1]]},"texts":[],"meta":{"billed_units":{"images":1}},"response_type":"embeddings_by_type"}"#,
        "cohere.billed_units",
        &["cohere unknown:  [time_assumed, usage_missing, unknown_usage_field]"],
    );
}

#[test]
fn what_agents_give_back_at_their_end_repeats_their_calls() {
    let result = r#"{"status":"completed","agentId":"a","content":[{"type":"text","text":"ok"}],"totalDurationMs":900,"totalTokens":600,
        "totalToolUseCount":1,"usage":{"input_tokens":1,"cache_creation_input_tokens":90,"cache_read_input_tokens":500,"output_tokens":9}}"#;
    let hook =
        format!(r#"{{"session_id":"s","hook_event_name":"PostToolUse","tool_name":"Task","tool_response":{result}}}"#);
    // As do the sums of Goose: the head of a session, an export of one, and the end of a run.
    let head = r#"{"working_dir":"/x","description":"a","message_count":2,"total_tokens":2249,"input_tokens":2188,"output_tokens":61}"#;
    let export = r#"{"id":"1","usage":{"input_tokens":9,"output_tokens":3,"total_tokens":12,"cache_read_input_tokens":4},
        "accumulated_usage":{"input_tokens":90,"output_tokens":30,"total_tokens":120},"conversation":[]}"#;
    for payload in [result, &hook, head, export, r#"{"type":"complete","total_tokens":17099}"#] {
        assert_eq!(ignored(payload), [IgnoreReason::RunSummary]);
    }
}

#[test]
fn phoenix_says_in_a_column_what_a_span_is() {
    let row = |kind: &str| {
        format!(
            "context.span_id,context.trace_id,name,span_kind,start_time,attributes.llm.model_name,attributes.llm.token_count.prompt,\
             attributes.llm.token_count.completion\n\
             a1b2c3d4e5f60708,0102030405060708090a0b0c0d0e0f10,x,{kind},2026-07-01T10:00:00Z,gpt-4o,100,20\n"
        )
    };
    let call = "openai gpt-4o: input_text_tokens 100, output_text_tokens 20";
    check(&row("LLM"), "csv/otel.span", &[call]);
    // What OpenTelemetry calls the kind of a span says nothing about models.
    check(&row("SPAN_KIND_CLIENT"), "csv/otel.span", &[call]);
    assert_eq!(ignored(&row("AGENT")), [IgnoreReason::AgentSpan]);
    let span = r#"{"name":"x","context":{"trace_id":"0102030405060708090a0b0c0d0e0f10","span_id":"a1b2c3d4e5f60708"},"span_kind":"CHAIN",
        "start_time":"2026-07-01T10:00:00Z","attributes":{"llm.model_name":"gpt-4o","llm.token_count.prompt":100}}"#;
    assert_eq!(ignored(span), [IgnoreReason::AgentSpan]);
    let metric = r#"{"metric_stream_name":"s","namespace":"AWS/Bedrock","metric_name":"InputTokenCount","dimensions":{"ModelId":"m"},
        "timestamp":1785578390000,"value":{"max":100,"min":10,"sum":400,"count":5},"unit":"Count"}"#;
    assert_eq!(ignored(metric), [IgnoreReason::RunSummary]);
}

#[test]
fn a_change_of_a_row_is_what_the_row_is_now() {
    let row = |output: u32| {
        format!(
            r#"{{"id":7,"model":"gpt-4o","prompt_tokens":9,"completion_tokens":{output},"created_at":1785578390000}}"#
        )
    };
    let change = |op: &str, before: &str, after: &str| {
        format!(
            r#"{{"before":{before},"after":{after},"source":{{"connector":"postgresql","table":"calls"}},"op":"{op}","ts_ms":1785578391000}}"#
        )
    };
    let call = "openai gpt-4o: input_text_tokens 9, output_text_tokens 4";
    for payload in [change("c", "null", &row(4)), change("u", &row(0), &row(4))] {
        check(&payload, "envelope/flat_usage", &[call]);
    }
    assert_eq!(ignored(&change("d", &row(4), "null")), [IgnoreReason::StatusOnly]);
}

#[test]
fn what_converse_wrote_to_a_cache_may_be_told_by_its_details_alone() {
    check(
        r#"{"output":{"message":{"role":"assistant","content":[]}},"stopReason":"end_turn","usage":{"inputTokens":12,"outputTokens":6,
        "totalTokens":18,"cacheDetails":[{"inputTokens":4,"ttl":"5m"},{"inputTokens":3,"ttl":"1h"}]}}"#,
        "bedrock.converse",
        &[
            "aws.bedrock unknown: input_text_tokens 12, cache_write_5m_tokens 4, cache_write_1h_tokens 3, output_text_tokens 6 \
           [id_from_position, time_assumed]",
        ],
    );
}

#[test]
fn nanogpt_states_its_cost_beside_the_answer() {
    for (pricing, expected) in [
        (r#"{"amount":0.0000011}"#, "0.0000011"),
        (r#"{"amount":0.004,"currency":"XNO","costUsd":0.000035,"paymentSource":"XNO"}"#, "0.000035"),
    ] {
        let answer = event(&format!(
            r#"{{"id":"a-1","object":"chat.completion","created":1785578390,"model":"openai/gpt-5-nano","choices":[],
            "usage":{{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,"num_search_queries":0}},"x_nanogpt_pricing":{pricing}}}"#
        ));
        assert_eq!(answer.provider.as_str(), "nano_gpt");
        let cost = answer.reported_cost.unwrap();
        assert_eq!((cost.amount.to_string().as_str(), cost.currency.as_str()), (expected, "USD"));
    }
}

#[test]
fn rows_of_databases_are_read_without_the_types_of_their_values() {
    let image = |output: u32| {
        format!(
            r#"{{"id":{{"S":"c-7"}},"model":{{"S":"gpt-4o"}},"prompt_tokens":{{"N":"9"}},"completion_tokens":{{"N":"{output}"}}}}"#
        )
    };
    let changed = format!(
        r#"{{"Records":[{{"eventID":"7d","eventName":"MODIFY","eventSource":"aws:dynamodb","dynamodb":{{"ApproximateCreationDateTime":1785578390,
        "Keys":{{"id":{{"S":"c-7"}}}},"NewImage":{},"OldImage":{},"SequenceNumber":"4"}}}}]}}"#,
        image(4),
        image(0)
    );
    let mongo = r#"{"_id":{"$oid":"65f0"},"model":"gpt-4o","usage":{"prompt_tokens":{"$numberInt":"9"},
        "completion_tokens":{"$numberLong":"4"},"total_tokens":{"$numberInt":"13"}}}"#;
    let firestore = r#"{"name":"projects/p/databases/(default)/documents/calls/1","fields":{"model":{"stringValue":"gpt-4o"},
        "usage":{"mapValue":{"fields":{"prompt_tokens":{"integerValue":"9"},"completion_tokens":{"integerValue":"4"}}}}},
        "createTime":"2026-07-31T10:00:00Z","updateTime":"2026-07-31T10:00:00Z"}"#;
    for payload in [changed.as_str(), &format!(r#"{{"Item":{}}}"#, image(4)), mongo, firestore] {
        let call = event(payload);
        assert!(
            super::line(&call).starts_with("openai gpt-4o: input_text_tokens 9, output_text_tokens 4"),
            "{payload}"
        );
    }
    // What cannot be used without its types, either, is rejected as it came.
    let rejected = r#"{"Item":{"id":{"S":"c-7"},"note":{"S":"a"}}}"#;
    check_rejected(rejected, "unknown_format", "", &[]);
}

#[test]
fn a_host_of_one_provider_alone_names_it() {
    for (url, provider) in [
        ("https://api.tokenfactory.nebius.com/v1/chat/completions", "nebius"),
        ("https://us.inference.heroku.com/v1/chat/completions", "heroku"),
        ("https://codestral.mistral.ai/v1/fim/completions", "mistral_ai"),
        ("https://models.inference.ai.azure.com/chat/completions", "github"),
        ("https://llm.example.com/v1/chat/completions", "unknown"),
    ] {
        let recorded = format!(
            r#"{{"request":{{"method":"POST","url":"{url}"}},"response":{{"id":"x","object":"chat.completion","created":1785578390,
            "model":"some-model","choices":[],"usage":{{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}}}}}"#
        );
        assert_eq!(event(&recorded).provider.as_str(), provider, "{url}");
    }
}

#[test]
fn what_cline_calls_input_is_the_whole_prompt_where_it_was_handed_on_so() {
    let request = |at: &str, more: &str, info: &str| {
        let text = format!(r#"{{"tokensIn":100,"tokensOut":20,"cacheReads":30,"cacheWrites":0,"cost":0.01{more}}}"#);
        let text = serde_json::Value::from(text);
        format!(
            r#"{{"ts":"{at}","type":"say","say":"api_req_started","text":{text},"modelInfo":{{"modelId":"m"{info}}}}}"#
        )
    };
    let (early, late) = ("2025-09-01T10:00:00Z", "2026-07-01T10:00:00Z");
    let anthropic = r#","apiProtocol":"anthropic""#;
    for (payload, input) in [
        (request(late, "", r#","providerId":"anthropic""#), 100),
        (request(late, "", r#","providerId":"openai-native""#), 100),
        (request(late, "", r#","providerId":"litellm""#), 70),
        (request(late, anthropic, ""), 70),
        (request(early, anthropic, ""), 100),
        (request(early, r#","apiProtocol":"openai""#, ""), 70),
    ] {
        let call = event(&payload);
        let expected = format!("m: input_text_tokens {input}, cache_read_text_tokens 30, output_text_tokens 20");
        assert!(super::line(&call).contains(&expected), "{payload}: {}", super::line(&call));
    }
}

#[test]
fn a_bill_of_runpod_may_be_by_gpu() {
    let call = event(
        r#"{"amount":160.5,"gpuId":"NVIDIA H100 80GB HBM3","timeBilledMs":49104940,"time":"2026-04-24 00:00:00"}"#,
    );
    assert_eq!(super::line(&call), "runpod NVIDIA H100 80GB HBM3: gpu_seconds 49104.94");
}
