//! More answers of providers as others have captured and published them, composed anew: formats that were not read, and answers that
//! were read wrongly for what stood beside their counts.

use schemas::CostBasis;

use super::{check, check_rejected, decoded, event, events, line};
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
        &["snowflake mistral-7b: input_text_tokens 93, output_text_tokens 402 [id_from_position, unknown_usage_field]"],
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
            &[&format!("dashscope unknown: {expected} [time_assumed]")],
        );
    }
    let frame = |output: u32| answer(r#"{"text":"x"}"#, &format!(r#"{{"input_tokens":22,"output_tokens":{output}}}"#));
    let stream = format!("id:1\nevent:result\ndata:{}\n\nid:2\nevent:result\ndata:{}\n\n", frame(1), frame(17));
    let counted = "dashscope unknown: input_text_tokens 22, output_text_tokens 17 [time_assumed]";
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
fn speech_of_others_is_billed_by_seconds_and_characters() {
    let heard = |channels: u32| {
        format!(
            r#"{{"metadata":{{"request_id":"r","created":"2026-08-01T09:00:00Z","duration":19.097,"channels":{channels},
            "models":["m"],"model_info":{{"m":{{"name":"general-nova-3","version":"1","arch":"nova-3"}}}}}},"results":{{"channels":[]}}}}"#
        )
    };
    let counted = "deepgram nova-3: input_audio_seconds 19.097";
    check(&heard(1), "deepgram.transcription", &[counted]);
    check(&heard(2), "deepgram.transcription", &[&format!("{counted} [unknown_usage_field]")]);
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
    assert_eq!(flat(r#","draftedTokens":4"#), format!("{COUNTED} [unknown_usage_field]"));
    assert_eq!(
        flat(r#","cachedTokens":4"#),
        "openai gpt-5.4: input_text_tokens 6, cache_read_text_tokens 4, output_text_tokens 5"
    );
}

#[test]
fn qwens_explicit_cache_is_inside_the_prompt() {
    check(
        r#"{"id":"d","object":"chat.completion","created":1785578390,"model":"qwen3-coder-plus","choices":[],"usage":{
            "prompt_tokens":1500,"completion_tokens":5,"total_tokens":1505,"prompt_tokens_details":{"cached_tokens":0,
            "text_tokens":1500,"cache_creation":{"ephemeral_5m_input_tokens":1400},"cache_creation_input_tokens":1400,
            "cache_type":"ephemeral"}}}"#,
        "openai.chat_completion",
        &["dashscope qwen3-coder-plus: input_text_tokens 100, cache_write_5m_tokens 1400, output_text_tokens 5"],
    );
}
