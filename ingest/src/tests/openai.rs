use super::{check, check_rejected, event};

fn chat(usage: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-A1","object":"chat.completion","created":1785578390,"model":"gpt-4o-2024-08-06",
        "choices":[{{"index":0,"message":{{"role":"assistant","content":"{{\"usage\":{{}}}}"}},"finish_reason":"stop"}}],
        "usage":{usage},"service_tier":"default"}}"#
    )
}

#[track_caller]
fn chat_is(usage: &str, expected: &str) {
    check(&chat(usage), "openai.chat_completion", &[&format!("openai gpt-4o-2024-08-06: {expected}")]);
}

#[test]
fn an_ordinary_chat_completion_is_input_and_output() {
    chat_is(
        r#"{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29}"#,
        "input_text_tokens 19, output_text_tokens 10",
    );
    let event = event(&chat(r#"{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29}"#));
    assert_eq!(event.call_key, "openai/chatcmpl-A1");
    assert_eq!(event.event_time.to_string(), "2026-08-01T09:59:50Z");
    assert_eq!(event.price_context.service_tier.as_deref(), Some("default"));
    assert_eq!(event.checked, "total = prompt + completion");
    assert_eq!(event.raw_usage, r#"{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29}"#);
}

#[test]
fn cached_written_audio_and_reasoning_tokens_are_taken_out_of_their_totals() {
    chat_is(
        r#"{"prompt_tokens":1000,"completion_tokens":300,"total_tokens":1300,
            "prompt_tokens_details":{"cached_tokens":600,"cache_write_tokens":100,"audio_tokens":50},
            "completion_tokens_details":{"reasoning_tokens":120,"audio_tokens":30,"accepted_prediction_tokens":5,
            "rejected_prediction_tokens":7}}"#,
        "input_text_tokens 250, cache_read_text_tokens 600, cache_write_5m_tokens 100, output_text_tokens 150, \
         output_reasoning_tokens 120, input_audio_tokens 50, output_audio_tokens 30",
    );
}

#[test]
fn cached_audio_is_told_from_cached_text_where_the_split_is_given() {
    chat_is(
        r#"{"prompt_tokens":100,"completion_tokens":1,"total_tokens":101,"prompt_tokens_details":{"cached_tokens":60,
            "audio_tokens":40,"cached_tokens_details":{"text_tokens":40,"audio_tokens":20}}}"#,
        "input_text_tokens 20, cache_read_text_tokens 40, output_text_tokens 1, input_audio_tokens 20, \
         cache_read_audio_tokens 20",
    );
}

#[test]
fn a_cached_count_under_two_names_is_counted_once() {
    chat_is(
        r#"{"prompt_tokens":262960,"completion_tokens":1744,"total_tokens":264704,
            "prompt_tokens_details":{"text_tokens":262960,"cached_tokens":257955},"cache_read_input_tokens":257955}"#,
        "input_text_tokens 5005, cache_read_text_tokens 257955, output_text_tokens 1744",
    );
    check_rejected(
        &chat(
            r#"{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":60},"cached_tokens":50}"#,
        ),
        "contradiction",
        "usage.prompt_tokens_details.cached_tokens",
        &["60", "50"],
    );
}

#[test]
fn contradictions_name_both_fields_with_their_values() {
    check_rejected(
        &chat(r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":99}"#),
        "contradiction",
        "usage.total_tokens",
        &["usage.total_tokens is 99", "usage.prompt_tokens 10", "usage.completion_tokens 5", "15"],
    );
    check_rejected(
        &chat(r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":11}}"#),
        "contradiction",
        "usage.prompt_tokens",
        &["usage.prompt_tokens is 10", "usage.prompt_tokens_details.cached_tokens 11"],
    );
    check_rejected(
        &chat(r#"{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":6}}"#),
        "contradiction",
        "usage.completion_tokens",
        &["5", "6"],
    );
}

#[test]
fn thinking_that_gemini_shows_in_the_total_alone_is_billed() {
    check(
        r#"{"object":"chat.completion","created":1785578390,"model":"gemini-2.5-pro","choices":[],
            "usage":{"prompt_tokens":35,"completion_tokens":12,"total_tokens":109}}"#,
        "openai.chat_completion",
        &["gcp.gemini gemini-2.5-pro: input_text_tokens 35, output_text_tokens 12, output_reasoning_tokens 62 \
           [id_from_position, hidden_reasoning]"],
    );
}

#[test]
fn xai_counts_reasoning_beside_the_completion() {
    check(
        r#"{"id":"a","object":"chat.completion","created":1785578390,"model":"grok-4","choices":[],
            "usage":{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"num_sources_used":0,
            "prompt_tokens_details":{"text_tokens":32,"cached_tokens":6},
            "completion_tokens_details":{"reasoning_tokens":94}}}"#,
        "openai.chat_completion",
        &["x_ai grok-4: input_text_tokens 26, cache_read_text_tokens 6, output_text_tokens 9, \
           output_reasoning_tokens 94"],
    );
}

#[test]
fn deepseek_hits_and_misses_make_the_prompt() {
    let body = |miss: u32| {
        format!(
            r#"{{"id":"d1","object":"chat.completion","created":1785578390,"model":"deepseek-chat","choices":[],
            "usage":{{"prompt_tokens":100,"completion_tokens":7,"total_tokens":107,"prompt_cache_hit_tokens":64,
            "prompt_cache_miss_tokens":{miss},"prompt_tokens_details":{{"cached_tokens":64}}}}}}"#
        )
    };
    check(
        &body(36),
        "openai.chat_completion",
        &["deepseek deepseek-chat: input_text_tokens 36, cache_read_text_tokens 64, output_text_tokens 7"],
    );
    check_rejected(&body(30), "contradiction", "usage.prompt_cache_hit_tokens", &["64", "30", "100"]);
}

#[test]
fn openrouter_reports_its_own_bill_which_is_kept_beside_ours() {
    let event = event(
        r#"{"id":"gen-1","provider":"OpenAI","object":"chat.completion","created":1785578390,"model":"openai/gpt-4o-mini",
            "choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10,"cost":0.0160614,
            "is_byok":false,"cost_details":{"upstream_inference_cost":0.0001764}}}"#,
    );
    assert_eq!((&*event.provider, &*event.call_key), ("openrouter", "openrouter/gen-1"));
    assert_eq!(event.reported_cost.unwrap().amount.to_string(), "0.0160614");
    assert_eq!(event.flags, []);
}

#[test]
fn a_server_whose_ids_are_not_unique_is_keyed_by_position() {
    check(
        r#"{"id":"chatcmpl-417","object":"chat.completion","created":1785578390,"model":"llama3.2",
            "system_fingerprint":"fp_ollama","choices":[],
            "usage":{"prompt_tokens":26,"completion_tokens":8,"total_tokens":34}}"#,
        "openai.chat_completion",
        &["ollama llama3.2: input_text_tokens 26, output_text_tokens 8 [id_from_position]"],
    );
}

#[test]
fn responses_count_tokens_and_the_tools_they_ran() {
    check(
        r#"{"id":"resp_1","object":"response","created_at":1785578390,"model":"gpt-5.4","status":"completed",
            "output":[{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search"}},
            {"type":"web_search_call","id":"ws_2","status":"completed","action":{"type":"open_page"}},
            {"type":"file_search_call","id":"fs_1"},{"type":"code_interpreter_call","container_id":"c1"},
            {"type":"code_interpreter_call","container_id":"c1"},{"type":"message","content":[]}],
            "usage":{"input_tokens":328,"input_tokens_details":{"cached_tokens":28},"output_tokens":52,
            "output_tokens_details":{"reasoning_tokens":12},"total_tokens":380},"service_tier":"flex"}"#,
        "openai.response",
        &["openai gpt-5.4: input_text_tokens 300, cache_read_text_tokens 28, output_text_tokens 40, \
           output_reasoning_tokens 12, web_searches 1, file_searches 1, code_sessions 1"],
    );
}

#[test]
fn embeddings_images_and_transcriptions_have_their_own_meters() {
    check(
        r#"{"object":"list","data":[{"object":"embedding","embedding":[0.1],"index":0}],
            "model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
        "openai.embedding",
        &["openai text-embedding-3-small: input_text_tokens 8 [id_from_position, time_assumed]"],
    );
    check(
        r#"{"response":{"created":1785578390,"data":[{"b64_json":"AAAA"}],"usage":{"total_tokens":100,"input_tokens":50,
            "output_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}},
            "provider":"openai","model":"gpt-image-1","id":"i1"}"#,
        "envelope/openai.image",
        &["openai gpt-image-1: input_text_tokens 10, input_image_tokens 40, output_image_tokens 50"],
    );
    check(
        r#"{"response":{"text":"hello","usage":{"type":"tokens","input_tokens":14,"input_token_details":
            {"text_tokens":0,"audio_tokens":14},"output_tokens":45,"total_tokens":59}},
            "model":"gpt-4o-transcribe","id":"t1","time":1785578390}"#,
        "envelope/openai.transcription",
        &["openai gpt-4o-transcribe: output_text_tokens 45, input_audio_tokens 14"],
    );
    check(
        r#"{"response":{"text":"hello","usage":{"type":"duration","seconds":27}},"provider":"openai",
            "model":"whisper-1","id":"t2","time":1785578390}"#,
        "envelope/openai.transcription",
        &["openai whisper-1: input_audio_seconds 27"],
    );
}

#[test]
fn a_new_usage_field_raises_a_flag() {
    chat_is(
        r#"{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,"holographic_tokens":5}"#,
        "input_text_tokens 1, output_text_tokens 1 [unknown_usage_field]",
    );
}

#[test]
fn the_served_tier_counts_and_the_requested_one_is_recorded() {
    let event = event(
        r#"{"id":"e","request":{"service_tier":"priority","model":"gpt-5.4"},"response":{"id":"resp_2","object":"response",
            "created_at":1785578390,"model":"gpt-5.4-2026-03-01","service_tier":"default",
            "usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}}"#,
    );
    assert_eq!(event.price_context.service_tier.as_deref(), Some("default"));
    assert_eq!(event.price_context.requested_tier.as_deref(), Some("priority"));
    assert_eq!(event.requested_model.as_deref(), Some("gpt-5.4"));
    assert_eq!(event.flags, [schemas::Flag::TierNotServed]);
}

#[test]
fn images_that_a_response_drew_are_billed_at_their_own_model() {
    let with = |tools: &str| {
        format!(
            r#"{{"id":"resp_I","object":"response","created_at":1785578390,"model":"gpt-5.4","status":"completed",
            "output":[{{"type":"image_generation_call","id":"ig_1","result":"AA=="}}],"tools":[{tools}],
            "tool_usage":{{"image_gen":{{"input_tokens":27,"input_tokens_details":{{"text_tokens":20,"image_tokens":7}},
            "output_tokens":515,"output_tokens_details":{{"image_tokens":515,"text_tokens":0}},"total_tokens":542}},
            "web_search":{{"num_requests":0}}}},"usage":{{"input_tokens":4,"output_tokens":5,"total_tokens":9}}}}"#
        )
    };
    let text = "openai gpt-5.4: input_text_tokens 4, output_text_tokens 5";
    let image = "input_text_tokens 20, input_image_tokens 7, output_image_tokens 515 [iterations_expanded]";
    let tool = r#"{"type":"image_generation","model":"gpt-image-1.5","size":"auto"}"#;
    check(&with(tool), "openai.response", &[text, &format!("openai gpt-image-1.5: {image}")]);
    check(&with(""), "openai.response", &[text, &format!("openai unknown: {image}")]);
}
