//! Payloads of voices, gateways, agents and log stores that others have published, composed anew: they were rejected, ignored or counted
//! without their caches.

use schemas::CostBasis;

use super::{check, decoded, event, ignored, line, span};
use crate::{IgnoreReason, Item};

/// Checks the one event of each payload.
#[track_caller]
fn each(cases: &[(&str, &str)]) {
    for (payload, expected) in cases {
        assert_eq!(line(&event(payload)), *expected, "{payload}");
    }
}

const ANSWER: &str = r#"{\"id\":\"chatcmpl-B\",\"object\":\"chat.completion\",\"created\":1785578390,\"model\":\"gpt-5.4\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}}"#;
const COUNTED: &str = "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5";

/// A batch of one log record with this body and these attributes.
fn log(body: &str, attributes: &str, more: &str) -> String {
    format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}}]}},"scopeLogs":[{{
        "scope":{{}},"logRecords":[{{"timeUnixNano":"1785578390000000000"{more},"body":{body},"attributes":[{attributes}]}}]}}]}}]}}"#
    )
}

#[test]
fn what_a_program_prints_is_a_call_where_the_collector_passes_it_on() {
    let text = |line: &str| log(&format!(r#"{{"stringValue":"{line}"}}"#), "", "");
    let parsed = r#"{"key":"model","value":{"stringValue":"gpt-5.4"}},{"key":"prompt_tokens","value":{"intValue":"10"}},
        {"key":"completion_tokens","value":{"intValue":"5"}},{"key":"ok","value":{"boolValue":true}},
        {"key":"tried","value":{"arrayValue":{"values":[{"stringValue":"a"},{}]}}}"#;
    let nested = format!(
        r#"{{"key":"id","value":{{"stringValue":"chatcmpl-B"}}}},{{"key":"object","value":{{"stringValue":"chat.completion"}}}},
        {{"key":"model","value":{{"stringValue":"gpt-5.4"}}}},{{"key":"usage","value":{{"kvlistValue":{{"values":[{}]}}}}}},
        {{"key":"about","value":{{"kvlistValue":{{"values":[{{"key":"rate","value":{{"doubleValue":"NaN"}}}},{{"key":"nothing"}},
        {{"key":"seen","value":{{"intValue":{{"low":7,"high":0}}}}}},{{"key":"raw","value":{{"bytesValue":"AAA="}}}}]}}}}}}"#,
        r#"{"key":"prompt_tokens","value":{"intValue":"10"}},{"key":"completion_tokens","value":{"intValue":"5"}}"#
    );
    let in_a_span = r#","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7""#;
    let words = r#"{"stringValue":"a call"}"#;
    for (payload, expected, id) in [
        (text(ANSWER), COUNTED.to_owned(), "openai/chatcmpl-B"),
        (text(&format!("INFO answered {ANSWER}")), COUNTED.to_owned(), "openai/chatcmpl-B"),
        (log(words, parsed, ""), format!("{COUNTED} [id_from_position]"), ""),
        (
            log(&format!(r#"{{"kvlistValue":{{"values":[{parsed}]}}}}"#), "", ""),
            format!("{COUNTED} [id_from_position]"),
            "",
        ),
        (log(words, &nested, in_a_span), COUNTED.to_owned(), "openai/chatcmpl-B"),
    ] {
        let event = event(&payload);
        assert_eq!((line(&event), &*event.source), (expected, "shop"), "{payload}");
        assert_eq!(event.event_time.to_string(), "2026-08-01T09:59:50Z");
        assert!(id.is_empty() || *event.call_key == *id, "{}", event.call_key);
    }
    // Within a span a call without an id may be the span's own; and nothing is a call for speaking of tokens.
    for payload in
        [log(words, parsed, in_a_span), text("no tokens were used"), text(r#"{\"tokens\":3,\"usage\":\"a lot\"}"#)]
    {
        assert_eq!(ignored(&payload), [IgnoreReason::NotAModelCall], "{payload}");
    }
}

#[test]
fn caches_and_reasoning_under_the_names_of_houses_in_camel_case_are_counted() {
    let flat = |model: &str, counts: &str| format!(r#"{{"id":"7","ts":1785578390,"model":"{model}",{counts}}}"#);
    let held = |model: &str, counts: &str| flat(model, &format!(r#""usage":{{{counts}}}"#));
    let openai = "openai gpt-5.4: input_text_tokens 200, cache_read_text_tokens 1000, output_text_tokens";
    let all = format!("{openai} 20, output_reasoning_tokens 10");
    let claude = "anthropic claude-sonnet-4-6: input_text_tokens 200, cache_read_text_tokens 1000";
    for (counts, expected) in [
        (r#""inputTokens":1200,"outputTokens":30,"reasoningTokens":10,"cacheReadTokens":1000"#, &*all),
        (
            r#""promptTokens":1200,"completionTokens":30,"totalTokens":1230,"cachedTokens":1000,"reasoningTokens":10"#,
            &*all,
        ),
        (r#""inputTokens":1200,"outputTokens":30,"cachedTokens":1000"#, &*format!("{openai} 30")),
        (r#""input_tokens":1200,"output_tokens":30,"cached_tokens":1000"#, &*format!("{openai} 30")),
    ] {
        for payload in [flat("gpt-5.4", counts), held("gpt-5.4", counts)] {
            assert_eq!(line(&event(&payload)), expected, "{payload}");
        }
    }
    for (counts, expected) in [
        (r#""input_tokens":1200,"output_tokens":30,"cached_tokens":1000"#, format!("{claude}, output_text_tokens 30")),
        (
            r#""inputTokens":200,"outputTokens":30,"reasoningTokens":10,"cacheReadTokens":1000"#,
            format!("{claude}, output_text_tokens 30"),
        ),
    ] {
        for payload in [flat("claude-sonnet-4-6", counts), held("claude-sonnet-4-6", counts)] {
            assert_eq!(line(&event(&payload)), expected, "{payload}");
        }
    }
    let opencode = r#""tokens":{"input":200,"output":30,"cache":{"read":1000,"write":0}}"#;
    assert_eq!(line(&event(&flat("claude-sonnet-4-6", opencode))), format!("{claude}, output_text_tokens 30"));
}

#[test]
fn a_house_may_say_how_long_what_it_wrote_to_a_cache_lasts() {
    let both = "anthropic claude-sonnet-4-6: input_text_tokens 20, cache_read_text_tokens 1000, cache_write_5m_tokens 100, \
                cache_write_1h_tokens 50, output_text_tokens 7";
    for counts in [
        r#""input_tokens":20,"output_tokens":7,"cache_read_tokens":1000,"cache_write_5m_tokens":100,"cache_write_1h_tokens":50"#,
        r#""input_tokens":20,"output_tokens":7,"cache_read_input_tokens":1000,"cache_creation_input_tokens":150,
            "cache_creation_1h_tokens":50"#,
        r#""input_tokens":20,"output_tokens":7,"cache_read_input_tokens":1000,"cache_creation_input_tokens":150,
            "ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":50"#,
        r#""inputTokens":20,"outputTokens":7,"cacheReadTokens":1000,"cacheWrite5mTokens":100,"cacheWrite1hTokens":50"#,
        r#""inputTokens":20,"outputTokens":7,"reasoningTokens":null,"cacheReadTokens":1000,"cacheWriteTokens":150,
            "cacheWrite1hTokens":50"#,
        r#""prompt_tokens":1170,"completion_tokens":7,"cache_read_tokens":1000,"cache_write_5m_tokens":100,
            "cache_write_1h_tokens":50"#,
    ] {
        for payload in [
            format!(r#"{{"id":"7","ts":1785578390,"model":"claude-sonnet-4-6","provider":"anthropic",{counts}}}"#),
            format!(
                r#"{{"id":"7","ts":1785578390,"model":"claude-sonnet-4-6","provider":"anthropic","usage":{{{counts}}}}}"#
            ),
        ] {
            assert_eq!(line(&event(&payload)), both, "{payload}");
        }
    }
}

#[test]
fn what_the_models_of_a_voice_used_is_told_one_by_one() {
    each(&[
        (
            r#"{"type":"llm_metrics","label":"livekit.plugins.openai.llm.LLM","request_id":"chatcmpl-V","timestamp":1785578390.5,
                "duration":1.2,"ttft":0.4,"cancelled":false,"completion_tokens":30,"prompt_tokens":1200,"prompt_cached_tokens":1000,
                "total_tokens":1230,"tokens_per_second":25.0,"metadata":{"model_name":"gpt-5.4","model_provider":"api.openai.com"}}"#,
            "openai gpt-5.4: input_text_tokens 200, cache_read_text_tokens 1000, output_text_tokens 30",
        ),
        (
            r#"{"type":"tts_metrics","label":"livekit.plugins.elevenlabs.tts.TTS","request_id":"r","timestamp":1785578390.5,
                "ttfb":0.2,"audio_duration":3.2,"characters_count":57,"input_tokens":0,"output_tokens":0,"streamed":true,
                "segment_id":"s","metadata":{"model_name":"eleven_turbo_v2_5","model_provider":"ElevenLabs"}}"#,
            "elevenlabs eleven_turbo_v2_5: input_characters 57",
        ),
        (
            r#"{"type":"stt_metrics","label":"livekit.plugins.deepgram.stt.STT","request_id":"q","timestamp":1785578390.5,
                "duration":0.0,"audio_duration":5.05,"streamed":true,"metadata":{"model_name":"nova-3","model_provider":"Deepgram"}}"#,
            "deepgram nova-3: input_audio_seconds 5.05",
        ),
        (
            r#"{"type":"realtime_model_metrics","label":"livekit.plugins.openai.realtime.RealtimeModel","request_id":"resp_V",
                "timestamp":1785578390.5,"input_tokens":500,"output_tokens":100,"total_tokens":600,"input_token_details":{
                "audio_tokens":300,"text_tokens":200,"image_tokens":0,"cached_tokens":100,"cached_tokens_details":{"audio_tokens":40,
                "text_tokens":60,"image_tokens":0}},"output_token_details":{"text_tokens":20,"audio_tokens":80,"image_tokens":0},
                "metadata":{"model_name":"gpt-realtime","model_provider":"api.openai.com"}}"#,
            "openai gpt-realtime: input_text_tokens 140, cache_read_text_tokens 60, output_text_tokens 20, \
             input_audio_tokens 260, output_audio_tokens 80, cache_read_audio_tokens 40",
        ),
    ]);
    let of_the_turn =
        r#"{"type":"eou_metrics","timestamp":1785578390.5,"end_of_utterance_delay":0.5,"transcription_delay":0.1}"#;
    assert_eq!(ignored(of_the_turn), [IgnoreReason::NotAModelCall]);
    let traced = span(
        "livekit-agents",
        "llm_request",
        &[
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "gpt-5.4"),
            ("gen_ai.usage.input_tokens", "1200"),
            ("gen_ai.usage.output_tokens", "30"),
            (
                "lk.llm_metrics",
                r#"{"type":"llm_metrics","prompt_tokens":1200,"prompt_cached_tokens":1000,"completion_tokens":30}"#,
            ),
        ],
    );
    assert_eq!(
        line(&event(&traced)),
        "openai gpt-5.4: input_text_tokens 200, cache_read_text_tokens 1000, output_text_tokens 30"
    );
}

#[test]
fn agents_whose_lines_look_like_those_of_others_are_told_apart() {
    let codebuddy = r#"{"id":"chatcmpl-C","type":"function_call","timestamp":1785578390866,"sessionId":"s","cwd":"/x","providerData":{
        "model":"MaaS_Cl_Opus_4.7_20260416_cache","requestModelId":"claude-opus-4.7-1m","rawUsage":{"prompt_tokens":74408,
        "completion_tokens":281,"total_tokens":74689,"cache_creation_input_tokens":74402,"cache_read_input_tokens":0,"credit":47.19,
        "prompt_tokens_details":{"cached_tokens":0}}}}"#;
    let event = event(codebuddy);
    assert_eq!(
        (line(&event).as_str(), event.cost_basis),
        (
            "codebuddy claude-opus-4.7-1m: input_text_tokens 6, cache_write_5m_tokens 74402, output_text_tokens 281 [assumed_5m]",
            CostBasis::Included
        )
    );
    let result = r#"{"id":"call-C","type":"function_call_result","timestamp":1785578390866,"sessionId":"s","cwd":"/x","content":[]}"#;
    assert_eq!(ignored(result), [IgnoreReason::NotAModelCall]);
    each(&[
        // Messages of the Vercel AI SDK are no ends of streams of Converse.
        (
            r#"{"id":"m","role":"assistant","parts":[],"metadata":{"model":"gpt-5.4","timestamp":1785578390000,"usage":{
                "inputTokens":1200,"outputTokens":30,"totalTokens":1230,"cachedInputTokens":1000}}}"#,
            "openai gpt-5.4: input_text_tokens 200, cache_read_text_tokens 1000, output_text_tokens 30",
        ),
        (
            r#"{"type":"LLMStreamEnd","response":{"finish_reason":"stop","content":"x","usage":{"prompt_tokens":12,
                "completion_tokens":3},"cached":false},"prompt_tokens":12,"completion_tokens":3,"agent_id":"a"}"#,
            "unknown unknown: input_text_tokens 12, output_text_tokens 3 [id_from_position, time_assumed]",
        ),
        (
            r#"{"step_number":1,"timing":{"start_time":1785578388.5,"end_time":1785578390.5,"duration":2.0},"tool_calls":[],
                "model_output":"x","token_usage":{"input_tokens":12,"output_tokens":3,"total_tokens":15}}"#,
            "unknown unknown: input_text_tokens 12, output_text_tokens 3 [id_from_position]",
        ),
    ]);
}

#[test]
fn the_steps_of_a_trajectory_are_calls_and_their_sum_is_none() {
    check(
        r#"{"schema_version":"ATIF-v1.4","session_id":"s","agent":{"name":"a","version":"1","model_name":"gpt-5.4"},"steps":[{"step_id":1,"source":"user",
            "message":"x"},{"step_id":2,"timestamp":"2026-08-01T09:59:50Z","source":"agent","message":"y",
            "metrics":{"prompt_tokens":1200,"completion_tokens":30,"cached_tokens":1000,"cost_usd":0.001}}],"final_metrics":{
            "total_prompt_tokens":1200,"total_completion_tokens":30,"total_steps":2}}"#,
        "records",
        &[
            "openai gpt-5.4: input_text_tokens 200, cache_read_text_tokens 1000, output_text_tokens 30 [id_from_position]",
        ],
    );
}

#[test]
fn gateways_log_a_call_under_names_of_their_own() {
    each(&[
        // An empty answer under a `custom_id` is no line of a batch that failed.
        (
            r#"{"id":"e1","created_at":1785578390,"tags":["a"],"key_id":"k1","cost_in_usd":0.0012,"provider":"openai",
                "model":"gpt-5.4","status":200,"prompt_token_count":120,"completion_token_count":30,"latency_in_ms":1200,
                "path":"/api/providers/openai/v1/chat/completions","custom_id":"","request":"","response":""}"#,
            "openai gpt-5.4: input_text_tokens 120, output_text_tokens 30",
        ),
        (
            r#"{"ts":1785578390,"id":"7","model":"gpt-5.4","prompt_token_count":120,"completion_token_count":30}"#,
            "openai gpt-5.4: input_text_tokens 120, output_text_tokens 30",
        ),
        (
            r#"{"id":"log-1","requestId":"r","createdAt":"2026-08-01T09:59:50.000Z","projectId":"p","apiKeyId":"k","requestedModel":
                "gpt-5.4","usedModel":"openai/gpt-5.4","usedModelMapping":"gpt-5.4","usedProvider":"openai","promptTokens":"1200",
                "completionTokens":"30","totalTokens":"1230","reasoningTokens":"10","cachedTokens":"1000","cost":0.01,
                "hasError":false,"cached":false}"#,
            "openai gpt-5.4: input_text_tokens 200, cache_read_text_tokens 1000, output_text_tokens 20, output_reasoning_tokens 10",
        ),
        (
            r#"{"id":"chatcmpl-C","created":1785578390,"model":"gpt-5.4","choices":[],"usage":{"promptTokens":1200,"completionTokens":30,
                "totalTokens":1230,"cachedTokens":1000}}"#,
            "unknown gpt-5.4: input_text_tokens 200, cache_read_text_tokens 1000, output_text_tokens 30 [id_from_position]",
        ),
        (
            r#"{"level":"INFO","timestamp":"2026-08-01T09:59:50.000","model":"gpt-5.4","usage":{"completion_tokens":5,"prompt_tokens":10,
                "total_tokens":15},"litellm_call_id":"lc-1","call_type":"acompletion"}"#,
            COUNTED,
        ),
        (
            r#"{"role":"assistant","items":[{"content_type":"text","text":"x"}],"ai_model_id":"gpt-5.4","metadata":{"id":"chatcmpl-S",
                "created":1785578390,"usage":{"prompt_tokens":10,"completion_tokens":5}},"finish_reason":"stop"}"#,
            COUNTED,
        ),
        (
            r#"{"content":"x","usageMetadata":{"input_tokens":10,"output_tokens":5,"total_tokens":15},"responseMetadata":{"model_name":
                "gpt-5.4"}}"#,
            "openai gpt-5.4: input_text_tokens 10, output_text_tokens 5 [id_from_position, time_assumed]",
        ),
        // What Cloudflare's gateway keeps of an answer says more than its two counts.
        (
            r#"{"id":"01X","created_at":"2026-08-01T09:59:50Z","provider":"anthropic","model":"claude-sonnet-4-6","tokens_in":1010,
                "tokens_out":30,"cached":false,"cost":0.002,"response_head":"{\"id\":\"msg_F\",\"type\":\"message\",\"model\":\"claude-sonnet-4-6\",\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":1000,\"output_tokens\":30}}"}"#,
            "anthropic claude-sonnet-4-6: input_text_tokens 10, cache_read_text_tokens 1000, output_text_tokens 30",
        ),
        // Requesty's name for what was written to a cache.
        (
            r#"{"id":"chatcmpl-R","object":"chat.completion","created":1785578390,"model":"claude-sonnet-4-6","choices":[],"usage":{
                "prompt_tokens":1200,"completion_tokens":30,"total_tokens":1230,"prompt_tokens_details":{"cached_tokens":1000,
                "caching_tokens":100}}}"#,
            "anthropic claude-sonnet-4-6: input_text_tokens 100, cache_read_text_tokens 1000, cache_write_5m_tokens 100, \
             output_text_tokens 30 [assumed_5m]",
        ),
    ]);
}

#[test]
fn answers_of_some_providers_count_in_lists_or_beside_their_model() {
    each(&[
        (
            r#"{"id":"AiA","completion_message":{"role":"assistant","stop_reason":"stop","content":{"type":"text","text":"x"}},
                "metrics":[{"metric":"num_completion_tokens","value":25,"unit":"tokens"},{"metric":"num_prompt_tokens","value":12,
                "unit":"tokens"},{"metric":"num_total_tokens","value":37,"unit":"tokens"}]}"#,
            "meta_llama unknown: input_text_tokens 12, output_text_tokens 25 [id_from_position, time_assumed]",
        ),
        (
            r#"{"completion_message":{"role":"assistant","content":"x","stop_reason":"end_of_turn"},"logprobs":null,"metrics":[{
                "trace_id":"t","timestamp":"2026-08-01T09:59:50Z","attributes":{"model_id":"meta-llama/Llama-3.3-70B-Instruct",
                "provider_id":"fireworks"},"type":"metric","metric":"prompt_tokens","value":12,"unit":"tokens"},{"metric":
                "completion_tokens","value":3,"unit":"tokens"}]}"#,
            "fireworks meta-llama/Llama-3.3-70B-Instruct: input_text_tokens 12, output_text_tokens 3 [id_from_position]",
        ),
        (
            r#"{"chat_response":{"api_format":"COHERE","finish_reason":"COMPLETE","text":"x","usage":{"completion_tokens":3,
                "prompt_tokens":12,"total_tokens":15}},"model_id":"meta.llama-3.3-70b-instruct","model_version":"1.0"}"#,
            "unknown meta.llama-3.3-70b-instruct: input_text_tokens 12, output_text_tokens 3 [id_from_position, time_assumed]",
        ),
        (
            r#"{"results":[{"index":0,"relevance_score":0.9}],"total_bytes":1200,"total_tokens":300,"e2e_latency":0.1}"#,
            "zeroentropy unknown: input_text_tokens 300 [id_from_position, time_assumed]",
        ),
    ]);
    let agent = r#"{"role":"assistant","content":[],"metadata":{"usage":{"tokens_consumed":[{"context_window":200000,"model_name":
        "claude-4-sonnet","input_tokens":{"total":1000,"cache_read":500,"cache_write":100,"uncached":400},"output_tokens":{
        "total":50}},{"model_name":"llama3.1-70b","input_tokens":{"total":7},"output_tokens":{"total":2}}]}}}"#;
    check(
        agent,
        "snowflake.usage",
        &[
            "snowflake claude-4-sonnet: input_text_tokens 400, cache_read_text_tokens 500, cache_write_5m_tokens 100, \
             output_text_tokens 50 [id_from_position, time_assumed, assumed_5m]",
            "snowflake llama3.1-70b: input_text_tokens 7, output_text_tokens 2 [id_from_position, time_assumed]",
        ],
    );
    let trace = r#"{"trace":{"agentId":"A","sessionId":"s","eventTime":"2026-08-01T09:59:50Z","trace":{"orchestrationTrace":{
        "modelInvocationOutput":{"metadata":{"usage":{"inputTokens":120,"outputTokens":30}},"traceId":"t-0"}}}}}"#;
    assert_eq!(
        line(&event(trace)),
        "aws.bedrock unknown: input_text_tokens 120, output_text_tokens 30 [id_from_position]"
    );
}

#[test]
fn stores_keep_spans_and_lines_in_forms_of_their_own() {
    let ids = r#""trace":{"id":"4bf92f3577b34da6a3ce929d0e0e4736"},"span":{"id":"00f067aa0ba902b7"}"#;
    let document = format!(
        r#"{{"_index":"traces","_source":{{"@timestamp":"2026-08-01T09:59:50Z",{ids},"gen_ai":{{"operation":{{"name":"chat"}},"provider":{{
        "name":"openai"}},"request":{{"model":"gpt-5.4"}},"usage":{{"input_tokens":10,"output_tokens":5}}}}}}}}"#
    );
    let kept = event(&document);
    assert_eq!(
        (line(&kept).as_str(), &*kept.call_key),
        (COUNTED, "span/4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7")
    );
    let columns = r#"{"_time":"2026-08-01T09:59:50Z","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","name":"chat",
        "attributes.gen_ai.operation.name":"chat","attributes.gen_ai.provider.name":"openai","attributes.gen_ai.request.model":"gpt-5.4",
        "attributes.gen_ai.usage.input_tokens":10,"attributes.gen_ai.usage.output_tokens":5}"#;
    let graylog =
        format!(r#"{{"version":"1.1","host":"h","short_message":"a call","full_message":"{ANSWER}","level":6}}"#);
    let slog = "time=2026-08-01T09:59:50.000Z level=INFO msg=called model=gpt-5.4 usage.prompt_tokens=10 usage.completion_tokens=5";
    each(&[(columns, COUNTED), (&graylog, COUNTED), (slog, &format!("{COUNTED} [id_from_position]"))]);
    // What Azure's SDKs record of a stream is a list of its lines.
    let chunk = ANSWER.replace("chat.completion", "chat.completion.chunk");
    let recorded = format!(
        r#"{{"Entries":[{{"RequestUri":"https://api.openai.com/v1/chat/completions","RequestMethod":"POST","StatusCode":200,
        "ResponseHeaders":{{"Content-Type":"text/event-stream"}},"ResponseBody":["data: {chunk}\n","\n","data: [DONE]\n","\n"]}}]}}"#
    );
    each(&[(&recorded, COUNTED)]);
}

#[test]
fn sums_and_logs_that_count_nothing_are_no_calls() {
    for (payload, reason) in [
        (
            r#"{"id":"s","source":"cli","model":"anthropic/claude-opus-4.6","started_at":1785578390.1,"input_tokens":1200,
                "output_tokens":30,"cache_read_tokens":1000,"api_call_count":5}"#,
            IgnoreReason::RunSummary,
        ),
        (
            r#"{"message_type":"usage_statistics","completion_tokens":3,"prompt_tokens":12,"total_tokens":15,"step_count":1}"#,
            IgnoreReason::RunSummary,
        ),
        (
            r#"{"accumulated_cost":0.02,"accumulated_token_usage":{"model":"m","prompt_tokens":10,"completion_tokens":3},"costs":[]}"#,
            IgnoreReason::RunSummary,
        ),
        (
            r#"{"session_id":"s","stats":{"steps":4,"session_prompt_tokens":1200,"session_completion_tokens":30},"config":{}}"#,
            IgnoreReason::RunSummary,
        ),
        (
            r#"{"total":12,"count":1,"resourceId":"/X","time":"2026-08-01T09:00:00Z","metricName":"ProcessedPromptTokens",
                "timeGrain":"PT1M"}"#,
            IgnoreReason::RunSummary,
        ),
        (
            r#"{"date":"2026-08-01","total_active_users":24,"copilot_ide_code_completions":{"total_engaged_users":20}}"#,
            IgnoreReason::RunSummary,
        ),
        (
            r#"{"teamMemberSpend":[{"userId":1,"spendCents":2450}],"subscriptionCycleStart":1785578390000}"#,
            IgnoreReason::RunSummary,
        ),
        (
            r#"{"date":1785578390000,"email":"a@example.com","agentRequests":3,"totalLinesAdded":10}"#,
            IgnoreReason::RunSummary,
        ),
        (
            r#"{"num_turns":3,"total_cost_usd":0.02,"session_id":"s","usage":{"input_tokens":10,"output_tokens":5}}"#,
            IgnoreReason::RunSummary,
        ),
        (
            r#"{"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"aiplatform.googleapis.com",
                "methodName":"google.cloud.aiplatform.v1.PredictionService.GenerateContent"},"insertId":"x","logName":"l"}"#,
            IgnoreReason::StatusOnly,
        ),
    ] {
        assert_eq!(ignored(payload), [reason], "{payload}");
    }
    let one = decoded(
        r#"{"id":"s","ts":1785578390,"model":"gpt-5.4","input_tokens":10,"output_tokens":5,"api_call_count":1}"#,
    );
    assert!(matches!(one.items[..], [Item::Event(_)]), "{one:#?}");
}

#[test]
fn requests_of_coding_agents_are_told_in_any_store_of_logs() {
    let claude = r#""model":"claude-opus-4-6","input_tokens":"3","output_tokens":"50","cache_read_tokens":"1000",
        "cache_creation_tokens":"200","cost_usd":"0.01","request_id":"req_1""#;
    let dotted = format!(r#"{{"event.name":"api_request","session.id":"s1",{claude}}}"#);
    let nested = format!(
        r#"{{"event":{{"name":"api_request","timestamp":"2026-08-01T09:59:50Z"}},"session":{{"id":"s1"}},{claude}}}"#
    );
    let lined = format!(r#"{{"event_name":"api_request","session_id":"s1",{claude}}}"#);
    let at = r#""timestamp":"2026-08-01T09:59:50Z""#;
    for payload in [
        // Datadog, Cloud Logging, Splunk, Elasticsearch.
        format!(r#"{{"service":"claude-code","attributes":{nested},"message":"claude_code.api_request",{at}}}"#),
        format!(
            r#"{{"insertId":"i","jsonPayload":{{"message":"claude_code.api_request"}},"labels":{dotted},{at},"logName":"l"}}"#
        ),
        format!(r#"{{"time":1785578390,"sourcetype":"otel","event":"claude_code.api_request","fields":{dotted}}}"#),
        format!(
            r#"{{"_index":"l","_source":{{"@timestamp":"2026-08-01T09:59:50Z","body":{{"text":"x"}},"attributes":{dotted}}}}}"#
        ),
        // What the Collector sends to Loki, and what Loki answers: its labels, or what was pushed beside a line.
        format!(
            r#"{{"body":"claude_code.api_request",{at},"attributes":{dotted},"resources":{{"service.name":"claude-code"}}}}"#
        ),
        format!(r#"{{"streams":[{{"stream":{lined},"values":[["1785578390000000000","claude_code.api_request"]]}}]}}"#),
        format!(
            r#"{{"streams":[{{"stream":{{"app":"x"}},"values":[["1785578390000000000","claude_code.api_request",{lined}]]}}]}}"#
        ),
    ] {
        let event = event(&payload);
        assert_eq!(
            (line(&event).as_str(), event.event_id.as_deref(), &*event.event_time.to_string()),
            (
                "anthropic claude-opus-4-6: input_text_tokens 3, cache_read_text_tokens 1000, cache_write_5m_tokens 200, \
                 output_text_tokens 50 [assumed_5m]",
                Some("req_1"),
                "2026-08-01T09:59:50Z"
            ),
            "{payload}"
        );
    }
    // Labels are read again with each line, so not where they are long.
    let long = format!(r#"{{"event_name":"api_request","said":"{}",{claude}}}"#, "x".repeat(16 * 1024));
    let long =
        format!(r#"{{"streams":[{{"stream":{long},"values":[["1785578390000000000","claude_code.api_request"]]}}]}}"#);
    assert_eq!(ignored(&long), [IgnoreReason::NotAModelCall]);
    let gemini = r#"{"insertId":"i","jsonPayload":{"message":"API response"},"labels":{"event.name":"gemini_cli.api_response",
        "session.id":"s2","event.timestamp":"2026-08-01T09:59:50.000Z","model":"gemini-2.5-pro","input_token_count":"1200","output_token_count":"30","cached_content_token_count":
        "1000","thoughts_token_count":"20","tool_token_count":"0"},"timestamp":"2026-08-01T09:59:50Z","logName":"l"}"#;
    assert_eq!(
        line(&event(gemini)),
        "gcp.gemini gemini-2.5-pro: input_text_tokens 200, cache_read_text_tokens 1000, output_text_tokens 30, \
         output_reasoning_tokens 20"
    );
}

#[test]
fn gateways_describe_projects_and_users_by_objects() {
    let answer = r#"{\"id\":\"chatcmpl-D\",\"object\":\"chat.completion.chunk\",\"created\":1785578390,\"model\":\"gpt-5.4\",
        \"choices\":[],\"usage\":{\"completion_tokens\":5,\"prompt_tokens\":10,\"total_tokens\":15}}"#;
    let answer = answer.replace("\n        ", "");
    let dial = format!(
        r#"{{"apiType":"DialOpenAI","chat":{{"id":"c1"}},"project":{{"id":"P1"}},"user":{{"id":"","title":""}},"deployment":"gpt",
        "token_usage":{{"completion_tokens":5,"prompt_tokens":10,"total_tokens":15,"price":"0.001"}},"request":{{"method":"POST",
        "uri":"/openai/deployments/gpt/chat/completions","body":"{{}}"}},"response":{{"status":"200","body":"data: {answer}\n\n"}}}}"#
    );
    let event = event(&dial);
    assert_eq!((line(&event).as_str(), event.claimed.project.as_deref()), (COUNTED, Some("P1")));
    let kilo = r#"{"id":"u1","input_tokens":1200,"output_tokens":20,"cache_write_tokens":0,"cache_hit_tokens":1000,"created_at":
        "2026-08-01T09:59:50Z","provider":"openrouter","model":"anthropic/claude-sonnet-4.5"}"#;
    each(&[(
        kilo,
        "openrouter anthropic/claude-sonnet-4.5: input_text_tokens 200, cache_read_text_tokens 1000, output_text_tokens 20",
    )]);
    let webhook =
        r#"{"id":"evt_1","object":"event","created_at":1785578390,"type":"response.completed","data":{"id":"resp_1"}}"#;
    assert_eq!(ignored(webhook), [IgnoreReason::StatusOnly]);
}

#[test]
fn spans_name_caches_and_their_lifetimes_in_many_ways() {
    let told = |names: &[(&str, &str)]| {
        let mut attributes = vec![
            ("gen_ai.provider.name", "anthropic"),
            ("gen_ai.request.model", "claude-sonnet-4-6"),
            ("gen_ai.usage.input_tokens", "1200"),
            ("gen_ai.usage.output_tokens", "30"),
        ];
        attributes.extend(names);
        line(&event(&span("x", "chat", &attributes)))
    };
    let cached = "anthropic claude-sonnet-4-6: input_text_tokens 100, cache_read_text_tokens 1000";
    let (read, written) = ("gen_ai.usage.cache.read_input_tokens", "gen_ai.usage.cache.creation_input_tokens");
    assert_eq!(
        told(&[(read, "1000"), (written, "100")]),
        format!("{cached}, cache_write_5m_tokens 100, output_text_tokens 30 [assumed_5m]")
    );
    let usual = [("gen_ai.usage.cache_read.input_tokens", "1000"), ("gen_ai.usage.cache_creation.input_tokens", "100")];
    for hour in [
        "gen_ai.usage.cache_creation.ephemeral_1h_input_tokens",
        "gen_ai.usage.cache_creation.ephemeral_1h.input_tokens",
        "dash0.gen_ai.usage.cache_creation.ephemeral_1h.input_tokens",
        "archestra.usage.cache_creation.1h_input_tokens",
    ] {
        assert_eq!(
            told(&[usual[0], usual[1], (hour, "60")]),
            format!("{cached}, cache_write_5m_tokens 40, cache_write_1h_tokens 60, output_text_tokens 30"),
            "{hour}"
        );
    }
}
