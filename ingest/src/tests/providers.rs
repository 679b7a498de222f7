use super::{check, check_rejected, event};

#[test]
fn gemini_thoughts_and_tool_prompts_stand_beside_and_are_billed() {
    check(
        r#"{"candidates":[],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":13,"thoughtsTokenCount":28,
            "totalTokenCount":46},"modelVersion":"gemini-2.5-flash","responseId":"g1"}"#,
        "gemini.generate_content",
        &[
            "gcp.gemini gemini-2.5-flash: input_text_tokens 5, output_text_tokens 13, output_reasoning_tokens 28 [time_assumed]",
        ],
    );
    check(
        r#"{"candidates":[],"usageMetadata":{"promptTokenCount":893,"toolUsePromptTokenCount":3056,
            "candidatesTokenCount":1,"totalTokenCount":3950},"modelVersion":"gemini-3-flash","responseId":"g2"}"#,
        "gemini.generate_content",
        &["gcp.gemini gemini-3-flash: input_text_tokens 3949, output_text_tokens 1 [time_assumed]"],
    );
}

#[test]
fn gemini_modalities_are_apart_and_cached_ones_too() {
    check(
        r#"{"candidates":[],"usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":50,"totalTokenCount":1050,
            "cachedContentTokenCount":400,
            "promptTokensDetails":[{"modality":"TEXT","tokenCount":300},{"modality":"AUDIO","tokenCount":500},
            {"modality":"IMAGE","tokenCount":150},{"modality":"VIDEO","tokenCount":50}],
            "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":300},{"modality":"TEXT","tokenCount":100}],
            "candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":40},{"modality":"TEXT","tokenCount":10}]},
            "modelVersion":"gemini-2.5-flash-image","responseId":"g3"}"#,
        "gemini.generate_content",
        &["gcp.gemini gemini-2.5-flash-image: input_text_tokens 200, cache_read_text_tokens 100, \
           output_text_tokens 10, input_audio_tokens 200, cache_read_audio_tokens 300, input_image_tokens 150, \
           output_image_tokens 40, input_video_tokens 50 [time_assumed]"],
    );
}

#[test]
fn gemini_contradictions_name_every_part() {
    check_rejected(
        r#"{"candidates":[],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":13,"thoughtsTokenCount":28,
            "totalTokenCount":45},"modelVersion":"gemini-2.5-flash"}"#,
        "contradiction",
        "usageMetadata.totalTokenCount",
        &["45", "promptTokenCount 5", "thoughtsTokenCount 28", "46"],
    );
}

#[test]
fn vertex_traffic_decides_tier_and_basis() {
    let with = |traffic: &str| {
        event(&format!(
            r#"{{"candidates":[],"usageMetadata":{{"promptTokenCount":5,"totalTokenCount":5,"trafficType":"{traffic}"}},
            "modelVersion":"gemini-2.5-flash","responseId":"g","createTime":"2026-08-01T09:00:00Z"}}"#
        ))
    };
    assert_eq!(with("ON_DEMAND_FLEX").price_context.service_tier.as_deref(), Some("flex"));
    assert_eq!(with("PROVISIONED_THROUGHPUT").cost_basis, schemas::CostBasis::Committed);
    assert_eq!(with("ON_DEMAND").event_time.to_string(), "2026-08-01T09:00:00Z");
}

#[test]
fn gemini_3_is_billed_by_the_search_query_and_older_models_by_the_grounded_prompt() {
    let with = |model: &str| {
        format!(
            r#"{{"candidates":[{{"groundingMetadata":{{"webSearchQueries":["a","b"]}}}}],
            "usageMetadata":{{"promptTokenCount":5,"totalTokenCount":5}},"modelVersion":"{model}","responseId":"g"}}"#
        )
    };
    for (model, searches) in [("gemini-3-pro", 2), ("gemini-2.5-pro", 1)] {
        let expected = format!("gcp.gemini {model}: input_text_tokens 5, web_searches {searches} [time_assumed]");
        check(&with(model), "gemini.generate_content", &[&expected]);
    }
}

#[test]
fn converse_sends_its_cache_counts_twice_and_they_count_once() {
    check(
        r#"{"id":"b","time":1785578390,"model":"anthropic.claude-sonnet-4-6","response":{"output":{},"stopReason":"end_turn",
            "usage":{"inputTokens":10,"outputTokens":20,"totalTokens":130,"cacheReadInputTokens":60,
            "cacheReadInputTokenCount":60,"cacheWriteInputTokens":40,"cacheWriteInputTokenCount":40,
            "cacheDetails":[{"ttl":"5m","inputTokens":10},{"ttl":"1h","inputTokens":30}]},
            "serviceTier":{"type":"flex"},"performanceConfig":{"latency":"optimized"}}}"#,
        "envelope/bedrock.converse",
        &["aws.bedrock anthropic.claude-sonnet-4-6: input_text_tokens 10, cache_read_text_tokens 60, \
           cache_write_5m_tokens 10, cache_write_1h_tokens 30, output_text_tokens 20"],
    );
}

#[test]
fn a_bedrock_log_entry_names_its_caller_and_tags_and_keeps_no_contents() {
    let log = event(
        r#"{"schemaType":"ModelInvocationLog","schemaVersion":"1.0","timestamp":"2026-08-01T09:00:17Z","accountId":"123",
            "identity":{"arn":"arn:aws:sts::123:assumed-role/app/s"},"region":"us-east-1","requestId":"915a",
            "operation":"Converse","modelId":"anthropic.claude-3-haiku-20240307-v1:0",
            "input":{"inputBodyJson":{"messages":"SECRET"},"inputTokenCount":35},
            "output":{"outputBodyJson":{"output":"SECRET","usage":{"inputTokens":35,"outputTokens":446,"totalTokens":481}},
            "outputTokenCount":446},"requestMetadata":{"team":"engineering","costCentre":"CC-1"}}"#,
    );
    assert_eq!(
        super::line(&log),
        "aws.bedrock anthropic.claude-3-haiku-20240307-v1:0: input_text_tokens 35, output_text_tokens 446"
    );
    assert_eq!((&*log.call_key, log.tags.len()), ("aws.bedrock/915a", 2));
    assert_eq!(log.price_context.region.as_deref(), Some("us-east-1"));
    assert!(!format!("{log:?}").contains("SECRET"));
}

#[test]
fn an_application_inference_profile_is_an_alias_for_the_operator_to_resolve() {
    let log = event(
        r#"{"schemaType":"ModelInvocationLog","timestamp":"2026-08-01T09:00:17Z","region":"us-east-1","requestId":"a1",
            "operation":"InvokeModel","modelId":"arn:aws:bedrock:us-east-1:1:application-inference-profile/xyz",
            "input":{"inputTokenCount":512,"cacheWriteInputTokenCount":9},"output":{"outputTokenCount":256}}"#,
    );
    assert_eq!(log.flags, [schemas::Flag::Assumed5m, schemas::Flag::AliasedModel]);
    assert_eq!(log.resource.as_deref(), Some("arn:aws:bedrock:us-east-1:1:application-inference-profile/xyz"));
    assert_eq!(log.raw_usage, r#"{"inputTokenCount":512,"cacheWriteInputTokenCount":9,"outputTokenCount":256}"#);
}

#[test]
fn cohere_bills_billed_units_not_tokens() {
    check(
        r#"{"id":"c1","time":1785578390,"model":"command-a-03-2025","response":{"id":"9f","message":{},
            "usage":{"billed_units":{"input_tokens":431,"output_tokens":661},
            "tokens":{"input_tokens":2190,"output_tokens":1257}}}}"#,
        "envelope/cohere.billed_units",
        &["cohere command-a-03-2025: input_text_tokens 431, output_text_tokens 661"],
    );
    check(
        r#"{"id":"c2","time":1785578390,"model":"rerank-v3.5","response":{"id":"9e","results":[],
            "meta":{"api_version":{"version":"2"},"billed_units":{"search_units":3}}}}"#,
        "envelope/cohere.billed_units",
        &["cohere rerank-v3.5: rerank_searches 3"],
    );
}

#[test]
fn mistral_bills_audio_by_the_second_and_shows_its_tokens_in_the_total_alone() {
    check(
        r#"{"id":"m1","object":"chat.completion","created":1785578390,"model":"voxtral-mini-2507","choices":[],
            "usage":{"prompt_tokens":4,"completion_tokens":635,"total_tokens":3264,"prompt_audio_seconds":203}}"#,
        "openai.chat_completion",
        &["mistral_ai voxtral-mini-2507: input_text_tokens 4, output_text_tokens 635, input_audio_seconds 203 \
           [total_mismatch]"],
    );
}

#[test]
fn groq_perplexity_and_ollama_are_told_by_their_own_fields() {
    check(
        r#"{"id":"q1","object":"chat.completion","created":1785578390,"model":"llama-3.3-70b","choices":[],
            "usage":{"queue_time":0.1,"prompt_tokens":18,"prompt_time":0.1,"completion_tokens":5,"completion_time":0.1,
            "total_tokens":23,"total_time":0.2},"x_groq":{"id":"req_1"}}"#,
        "openai.chat_completion",
        &["groq llama-3.3-70b: input_text_tokens 18, output_text_tokens 5"],
    );
    check(
        r#"{"id":"p1","object":"chat.completion","created":1785578390,"model":"sonar-deep-research","choices":[],
            "usage":{"prompt_tokens":33,"completion_tokens":7163,"total_tokens":7196,"citation_tokens":100,
            "num_search_queries":18,"reasoning_tokens":500,"search_context_size":"low","cost":{"total_cost":0.41}}}"#,
        "openai.chat_completion",
        &["perplexity sonar-deep-research: input_text_tokens 133, output_text_tokens 7163, \
           output_reasoning_tokens 500, search_queries 18"],
    );
    check(
        r#"{"model":"llama3.2","created_at":"2026-08-01T09:59:00.5Z","response":"","done":true,"prompt_eval_count":26,
            "eval_count":290,"eval_duration":4709213000}"#,
        "ollama.generate",
        &["ollama llama3.2: input_text_tokens 26, output_text_tokens 290 [id_from_position]"],
    );
}

#[test]
fn batch_lines_are_batch_calls_and_failed_ones_cost_nothing() {
    let line = event(
        r#"{"id":"batch_req_1","custom_id":"c","response":{"status_code":200,"request_id":"r","body":{"id":"chatcmpl-9",
            "object":"chat.completion","created":1785500000,"model":"gpt-5.4","choices":[],
            "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}},"error":null}"#,
    );
    assert!(line.price_context.batch);
    assert_eq!(
        (&*line.call_key, &line.weaker_keys[..]),
        ("openai/chatcmpl-9", &["event/usage.raw/batch_req_1".into()][..])
    );
    let line = event(
        r#"{"custom_id":"c","result":{"type":"succeeded","message":{"id":"msg_9","type":"message","role":"assistant",
            "model":"claude-sonnet-4-6","content":[],"usage":{"input_tokens":1,"output_tokens":2}}}}"#,
    );
    assert!(line.price_context.batch);
    for failed in [
        r#"{"id":"batch_req_2","custom_id":"c","response":{"status_code":400,"body":{"error":{}}},"error":null}"#,
        r#"{"custom_id":"c","result":{"type":"expired"}}"#,
    ] {
        let decoded = super::decoded(failed);
        assert!(matches!(decoded.items[..], [crate::Item::Ignored { reason: crate::IgnoreReason::FailedCall, .. }]));
    }
}
