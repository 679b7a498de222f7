//! What SDKs, gateways, tracing tools and coding agents write.

use super::Cell::{Is, Never, Rejected, See};
use super::Row;

const NO_TIER: &str = "it states no tier that served";
const NO_STREAM: &str = "it is written when the call is over";

/// One span of a JSON batch, with these attributes.
macro_rules! span {
    ($scope:literal, $($name:literal = $kind:literal $value:literal),* $(,)?) => {
        concat!(r#"{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"scope":{"name":""#, $scope,
            r#""},"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"chat","#,
            r#""startTimeUnixNano":"1785578390000000000","attributes":[{"key":"x","value":{"stringValue":"y"}}"#,
            $(r#",{"key":""#, $name, r#"","value":{""#, $kind, r#"":""#, $value, r#""}}"#,)* "]}]}]}]}")
    };
}

/// One log record of a JSON batch, with these attributes.
macro_rules! log {
    ($($name:literal = $kind:literal $value:literal),* $(,)?) => {
        concat!(r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1785578390000000000","attributes":["#,
            r#"{"key":"x","value":{"stringValue":"y"}}"#,
            $(r#",{"key":""#, $name, r#"","value":{""#, $kind, r#"":""#, $value, r#""}}"#,)* "]}]}]}]}")
    };
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("otlp.traces", [
        See("emitters::a_model_call_span_is_an_event_keyed_by_its_response_and_linked_to_its_span"),
        See("emitters::whether_input_includes_the_cache_is_told_by_total_size_and_scope"),
        // The Vercel AI SDK's span of a streamed call, as its sixth version spells counts.
        Is(span!("ai", "ai.operationId" = "stringValue" "ai.streamText.doStream", "ai.model.provider" = "stringValue"
            "anthropic.messages", "ai.model.id" = "stringValue" "claude-sonnet-4-6", "ai.response.id" = "stringValue" "msg_V",
            "ai.usage.inputTokens" = "intValue" "120", "ai.usage.outputTokens" = "intValue" "30",
            "ai.usage.inputTokenDetails.cacheReadTokens" = "intValue" "80",
            "ai.usage.inputTokenDetails.cacheWriteTokens" = "intValue" "20",
            "ai.usage.outputTokenDetails.reasoningTokens" = "intValue" "5"),
            &["anthropic claude-sonnet-4-6: input_text_tokens 20, cache_read_text_tokens 80, cache_write_5m_tokens 20, \
               output_text_tokens 25, output_reasoning_tokens 5 [assumed_5m]"]),
        Is(span!("opentelemetry.instrumentation.openai_v2", "gen_ai.operation.name" = "stringValue" "chat",
            "gen_ai.provider.name" = "stringValue" "openai", "gen_ai.request.model" = "stringValue" "gpt-5.4",
            "openai.response.service_tier" = "stringValue" "flex", "gen_ai.usage.input_tokens" = "intValue" "7",
            "gen_ai.usage.output_tokens" = "intValue" "2"),
            &["openai gpt-5.4: input_text_tokens 7, output_text_tokens 2 @flex"]),
        Rejected(span!("x", "gen_ai.operation.name" = "stringValue" "chat", "gen_ai.provider.name" = "stringValue" "openai",
            "gen_ai.request.model" = "stringValue" "gpt-5.4", "gen_ai.usage.input_tokens" = "intValue" "-7"),
            "invalid_field", "gen_ai.usage.input_tokens"),
    ]),
    ("otlp.logs", [
        Is(log!("event.name" = "stringValue" "gen_ai.client.inference.operation.details", "gen_ai.operation.name" =
            "stringValue" "chat", "gen_ai.provider.name" = "stringValue" "openai", "gen_ai.request.model" = "stringValue"
            "gpt-5.4", "gen_ai.response.id" = "stringValue" "chatcmpl-G", "gen_ai.usage.input_tokens" = "intValue" "7",
            "gen_ai.usage.output_tokens" = "intValue" "2"),
            &["openai gpt-5.4: input_text_tokens 7, output_text_tokens 2"]),
        See("emitters::a_claude_code_request_keeps_its_estimate_beside_and_hashes_its_user"),
        Never(NO_STREAM), Never(NO_TIER),
        Rejected(log!("event.name" = "stringValue" "claude_code.api_request", "model" = "stringValue" "claude-sonnet-4-6",
            "input_tokens" = "stringValue" "many", "output_tokens" = "intValue" "5"), "invalid_field", "input_tokens"),
    ]),
    ("otlp.metrics", [
        See("emitters::token_metrics_are_never_priced"),
        Never("metrics are never priced"), Never("metrics are never priced"), Never("metrics are never priced"),
        Rejected(r#"{"resourceMetrics":7}"#, "invalid_field", "resourceMetrics"),
    ]),
    ("Claude Code events", [
        See("emitters::a_claude_code_request_keeps_its_estimate_beside_and_hashes_its_user"),
        See("emitters::a_claude_code_request_keeps_its_estimate_beside_and_hashes_its_user"),
        Never(NO_STREAM), Never(NO_TIER),
        Rejected(log!("event.name" = "stringValue" "claude_code.api_request", "model" = "stringValue" "claude-sonnet-4-6",
            "input_tokens" = "intValue" "-1"), "invalid_field", "input_tokens"),
    ]),
    ("Codex events", [
        Is(log!("event.name" = "stringValue" "codex.sse_event", "event.kind" = "stringValue" "response.completed",
            "conversation.id" = "stringValue" "c1", "event.timestamp" = "stringValue" "2026-08-01T09:59:50Z", "model" = "stringValue" "gpt-5.4", "input_token_count" = "intValue" "90",
            "output_token_count" = "intValue" "20", "tool_token_count" = "intValue" "110"),
            &["openai gpt-5.4: input_text_tokens 90, output_text_tokens 20"]),
        Is(log!("event.name" = "stringValue" "codex.sse_event", "event.kind" = "stringValue" "response.completed",
            "conversation.id" = "stringValue" "c1", "event.timestamp" = "stringValue" "2026-08-01T09:59:50Z", "model" = "stringValue" "gpt-5.4", "input_token_count" = "stringValue" "90",
            "cached_token_count" = "stringValue" "64", "output_token_count" = "stringValue" "20",
            "reasoning_token_count" = "stringValue" "8", "tool_token_count" = "stringValue" "110"),
            &["openai gpt-5.4: input_text_tokens 26, cache_read_text_tokens 64, output_text_tokens 12, \
               output_reasoning_tokens 8"]),
        Never("of the events of a stream only that of its end has counts"), Never(NO_TIER),
        Rejected(log!("event.name" = "stringValue" "codex.sse_event", "model" = "stringValue" "gpt-5.4",
            "input_token_count" = "intValue" "9", "cached_token_count" = "intValue" "64"),
            "contradiction", "input_token_count"),
    ]),
    ("Gemini CLI events", [
        Is(log!("event.name" = "stringValue" "gemini_cli.api_response", "session.id" = "stringValue" "s", "event.timestamp" = "stringValue" "2026-08-01T09:59:50Z", "model" =
            "stringValue" "gemini-2.5-pro", "input_token_count" = "intValue" "90", "output_token_count" = "intValue" "20"),
            &["gcp.gemini gemini-2.5-pro: input_text_tokens 90, output_text_tokens 20"]),
        Is(log!("event.name" = "stringValue" "gemini_cli.api_response", "session.id" = "stringValue" "s", "event.timestamp" = "stringValue" "2026-08-01T09:59:50Z", "model" =
            "stringValue" "gemini-2.5-pro", "input_token_count" = "intValue" "90", "cached_content_token_count" =
            "intValue" "50", "thoughts_token_count" = "intValue" "7", "tool_token_count" = "intValue" "3",
            "output_token_count" = "intValue" "20"),
            &["gcp.gemini gemini-2.5-pro: input_text_tokens 43, cache_read_text_tokens 50, output_text_tokens 20, \
               output_reasoning_tokens 7"]),
        Never(NO_STREAM), Never(NO_TIER),
        Rejected(log!("event.name" = "stringValue" "gemini_cli.api_response", "model" = "stringValue" "gemini-2.5-pro",
            "input_token_count" = "intValue" "9", "cached_content_token_count" = "intValue" "50"),
            "contradiction", "input_token_count"),
    ]),
    ("claude_code.transcript", [
        See("transcripts::lines_of_one_claude_code_message_are_one_call_that_grows"),
        Is(r#"{"type":"assistant","sessionId":"s","requestId":"req_1","timestamp":"2026-08-01T09:00:00Z","message":{"id":"msg_T",
            "type":"message","role":"assistant","model":"claude-opus-4-8","content":[],"usage":{"input_tokens":2,
            "cache_creation_input_tokens":475,"cache_read_input_tokens":182183,"cache_creation":{
            "ephemeral_5m_input_tokens":75,"ephemeral_1h_input_tokens":400},"output_tokens":1182}}}"#,
            &["anthropic claude-opus-4-8: input_text_tokens 2, cache_read_text_tokens 182183, cache_write_5m_tokens 75, \
               cache_write_1h_tokens 400, output_text_tokens 1182"]),
        See("transcripts::lines_of_one_claude_code_message_are_one_call_that_grows"),
        Is(r#"{"type":"assistant","sessionId":"s","requestId":"req_2","timestamp":"2026-08-01T09:00:00Z","message":{"id":"msg_U",
            "type":"message","model":"claude-opus-4-8","usage":{"input_tokens":2,"output_tokens":3,"service_tier":"priority"}}}"#,
            &["anthropic claude-opus-4-8: input_text_tokens 2, output_text_tokens 3 @priority"]),
        Rejected(r#"{"type":"assistant","sessionId":"s","message":{"id":"m","model":"claude","usage":{"input_tokens":true}}}"#,
            "invalid_field", "usage.input_tokens"),
    ]),
    ("claude_code.result", [
        See("transcripts::the_result_of_a_run_repeats_its_calls_and_is_no_call"),
        See("transcripts::the_result_of_a_run_alone_is_an_event_for_each_model_where_the_operator_says_so"),
        See("transcripts::the_result_of_a_run_repeats_its_calls_and_is_no_call"),
        See("transcripts::a_result_states_the_tier_of_a_run_of_one_model"),
        See("transcripts::a_result_states_the_tier_of_a_run_of_one_model"),
    ]),
    ("openrouter.generation", [
        Is(r#"{"data":{"id":"gen-T","total_cost":0.0003,"created_at":"2026-08-01T09:00:00Z","model":"mistralai/mistral-large",
            "native_tokens_prompt":10,"native_tokens_completion":4,"native_tokens_reasoning":0,"native_tokens_cached":0,
            "api_type":"completions"}}"#,
            &["openrouter mistralai/mistral-large: input_text_tokens 10, output_text_tokens 4"]),
        See("exports::a_generation_of_openrouter_is_the_call_whose_answer_has_its_id"),
        Never("it is written when the call is over, streamed or not"),
        Is(r#"{"data":{"id":"gen-U","total_cost":0.0003,"created_at":"2026-08-01T09:00:00Z","model":"openai/gpt-5.4",
            "native_tokens_prompt":10,"native_tokens_completion":4,"service_tier":"priority"}}"#,
            &["openrouter openai/gpt-5.4: input_text_tokens 10, output_text_tokens 4 @priority"]),
        Rejected(r#"{"data":{"id":"gen-V","total_cost":0.0003,"created_at":"2026-08-01T09:00:00Z","model":"openai/gpt-5.4",
            "native_tokens_prompt":10,"native_tokens_completion":4,"native_tokens_cached":11}}"#,
            "contradiction", "native_tokens_prompt"),
    ]),
    ("bifrost.log", [
        See("published_within::entries_of_bifrosts_log_are_calls"),
        See("published_within::entries_of_bifrosts_log_are_calls"),
        Never("it logs a call when it is over"),
        Never("it does not keep the tier"),
        Rejected(r#"{"id":"l","timestamp":"2026-08-01T09:00:00Z","object":"chat.completion","provider":"openai","model":"m",
            "status":"success","token_usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":3}}"#,
            "contradiction", "usage.total_tokens"),
    ]),
    ("otel.span", [
        See("published_within::spans_that_were_printed_and_flat_records_are_read_like_those_of_otlp"),
        See("published_within::spans_that_were_printed_and_flat_records_are_read_like_those_of_otlp"),
        Never("a span is printed when it is over"),
        Never("its attributes are those of otlp.traces"),
        Rejected(r#"{"name":"chat","context":{"trace_id":"0x1","span_id":"0x2"},"start_time":"2026-08-01T09:00:00Z","attributes":{
            "gen_ai.operation.name":"chat","gen_ai.request.model":"m","gen_ai.usage.input_tokens":-1}}"#, "invalid_field",
            "gen_ai.usage.input_tokens"),
    ]),
    ("codex.transcript", [
        See("transcripts::a_codex_transcript_takes_model_and_session_from_earlier_lines_and_repeats_count_once"),
        See("transcripts::a_codex_transcript_takes_model_and_session_from_earlier_lines_and_repeats_count_once"),
        Never("its file holds running totals, not frames"), Never(NO_TIER),
        See("transcripts::a_codex_line_alone_says_what_it_lacks"),
    ]),
    ("litellm.standard_logging", [
        See("wild::rows_of_litellms_database_are_its_calls"),
        See("emitters::litellm_folds_every_cache_count_into_the_prompt"),
        Never(NO_STREAM),
        // Of the tier `model_parameters` hold what was asked for; the speed is what Anthropic served.
        Is(r#"{"id":"chatcmpl-F","litellm_call_id":"f","call_type":"acompletion","custom_llm_provider":"anthropic",
            "model":"claude-opus-4-8","startTime":1785578390,"metadata":{"usage_object":{"prompt_tokens":10,
            "completion_tokens":1,"total_tokens":11,"inference_geo":"not_available","speed":"fast"}}}"#,
            &["anthropic claude-opus-4-8: input_text_tokens 10, output_text_tokens 1 @fast"]),
        Rejected(r#"{"litellm_call_id":"b","call_type":"acompletion","custom_llm_provider":"openai","model":"gpt-4o",
            "startTime":1785578390,"prompt_tokens":10,"completion_tokens":1,"total_tokens":99,"metadata":{}}"#,
            "contradiction", "usage.total_tokens"),
    ]),
    ("langfuse.ingestion", [
        See("wild::an_observation_as_langfuse_gives_it_back_is_a_generation"),
        See("emitters::langfuse_buckets_are_exclusive_and_an_update_with_usage_amends"),
        See("exports::partial_updates_of_a_langfuse_generation_merge"),
        Never("`modelParameters` hold what was asked for"),
        Rejected(r#"{"batch":[{"id":"e","type":"generation-create","timestamp":"2026-08-01T09:00:01Z","body":{"id":"g",
            "model":"gpt-5.4","usageDetails":{"input":1,"output":2,"total":9}}}]}"#, "contradiction", "usageDetails.total"),
    ]),
    ("langchain.message", [
        Is(r#"{"id":"chatcmpl-LC","response_metadata":{"model_name":"gpt-5.4","model_provider":"openai"},
            "usage_metadata":{"input_tokens":9,"output_tokens":2,"total_tokens":11}}"#,
            &["openai gpt-5.4: input_text_tokens 9, output_text_tokens 2 [time_assumed]"]),
        See("exports::usage_metadata_of_langchain_is_no_usage_metadata_of_gemini"),
        Never("its chunks add up to the message"),
        Is(r#"{"id":"chatcmpl-LT","response_metadata":{"model_name":"gpt-5.4","model_provider":"openai","service_tier":"flex"},
            "usage_metadata":{"input_tokens":9,"output_tokens":2,"total_tokens":11}}"#,
            &["openai gpt-5.4: input_text_tokens 9, output_text_tokens 2 [time_assumed] @flex"]),
        Rejected(r#"{"id":"x","response_metadata":{"model_name":"m"},"usage_metadata":{"input_tokens":9,"output_tokens":2,
            "total_tokens":3}}"#, "contradiction", "usage_metadata.total_tokens"),
    ]),
    ("langsmith.run", [
        See("exports::of_langsmith_only_model_runs_are_billed"),
        Is(r#"{"id":"run-2","run_type":"llm","start_time":"2026-08-01T09:00:00","dotted_order":"x","extra":{"metadata":{
            "ls_provider":"anthropic","ls_model_name":"claude-sonnet-4-6"}},"outputs":{"usage_metadata":{"input_tokens":50,
            "output_tokens":5,"total_tokens":55,"input_token_details":{"cache_read":40}}}}"#,
            &["anthropic claude-sonnet-4-6: input_text_tokens 10, cache_read_text_tokens 40, output_text_tokens 5"]),
        Never(NO_STREAM), Never(NO_TIER),
        Rejected(r#"{"id":"run-3","run_type":"llm","start_time":"2026-08-01T09:00:00","dotted_order":"x",
            "prompt_tokens":10,"completion_tokens":5,"total_tokens":1}"#, "contradiction", "prompt_tokens"),
    ]),
    ("ai_sdk.result", [
        See("captured::the_steps_of_a_result_of_the_vercel_ai_sdk_are_its_calls"),
        Is(r#"{"usage":{"inputTokens":7,"outputTokens":2,"totalTokens":9},"response":{"id":"msg_K","modelId":"claude-sonnet-4-6",
            "timestamp":"2026-08-01T09:00:00Z"},"providerMetadata":{"anthropic":{"usage":{"input_tokens":7,
            "cache_read_input_tokens":90,"output_tokens":2}}}}"#,
            &["anthropic claude-sonnet-4-6: input_text_tokens 7, cache_read_text_tokens 90, output_text_tokens 2"]),
        Never("it is what the whole stream came to"),
        Is(r#"{"usage":{"inputTokens":7,"outputTokens":2,"totalTokens":9},"response":{"id":"msg_K","modelId":"claude-sonnet-4-6",
            "timestamp":"2026-08-01T09:00:00Z"},"providerMetadata":{"anthropic":{"usage":{"input_tokens":7,
            "output_tokens":2,"service_tier":"priority"}}}}"#,
            &["anthropic claude-sonnet-4-6: input_text_tokens 7, output_text_tokens 2 @priority"]),
        Rejected(r#"{"usage":{"inputTokens":7,"outputTokens":2,"totalTokens":1},"response":{"modelId":"gpt-5.4"}}"#,
            "contradiction", "usage.totalTokens"),
    ]),
    ("records", [
        See("captured::azures_diagnostic_records_are_read_one_by_one"),
        Never("what is cached stands in the records"),
        Never("its records are whole"),
        Never("tiers stand in the records"),
        Rejected(r#"{"records":[{"CorrelationId":"c","PromptTokens":1,"CompletionTokens":1,"TotalTokens":9}]}"#,
            "contradiction", "TotalTokens"),
    ]),
    ("helicone.request", [
        See("exports::helicone_gives_the_body_or_its_own_counts"),
        Is(r#"{"request_id":"h2","request_created_at":"2026-08-01T09:00:00Z","response_status":200,"provider":"OPENAI",
            "model":"gpt-5.4","prompt_tokens":100,"completion_tokens":5,"total_tokens":105,"prompt_cache_read_tokens":40}"#,
            &["openai gpt-5.4: input_text_tokens 60, cache_read_text_tokens 40, output_text_tokens 5"]),
        Never(NO_STREAM), Never("of the tier only the body within tells"),
        Rejected(r#"{"request_id":"h3","request_created_at":"2026-08-01T09:00:00Z","provider":"OPENAI","model":"m",
            "prompt_tokens":100,"completion_tokens":5,"total_tokens":7}"#, "contradiction", "prompt_tokens"),
    ]),
    ("portkey.log", [
        Is(r#"{"id":"p1","created_at":"2026-08-01T09:00:00Z","ai_org":"openai","ai_model":"gpt-5.4","req_units":10,
            "res_units":5,"total_units":15,"cache_status":"MISS"}"#,
            &["openai gpt-5.4: input_text_tokens 10, output_text_tokens 5"]),
        See("exports::a_portkey_cache_hit_is_no_call_of_the_provider"),
        Never(NO_STREAM), Never("of the tier only the body within tells"),
        Rejected(r#"{"id":"p2","created_at":"2026-08-01T09:00:00Z","ai_org":"openai","ai_model":"m","req_units":10,
            "res_units":5,"total_units":2}"#, "contradiction", "req_units"),
    ]),
    ("azure.apim_llm_log", [
        See("exports::parts_of_one_azure_log_are_one_call"),
        Never("it states prompt and completion alone"),
        See("exports::parts_of_one_azure_log_are_one_call"),
        Never(NO_TIER),
        Rejected(r#"{"CorrelationId":"c","PromptTokens":10,"CompletionTokens":5,"TotalTokens":1,"ModelName":"gpt-4o"}"#,
            "contradiction", "TotalTokens"),
    ]),
    ("keeptrusts.event", [
        See("resources::a_decision_of_keeptrusts_is_an_outcome_and_a_call_where_tokens_were_used"),
        Never("it states input and output alone"), Never(NO_STREAM), Never(NO_TIER),
        Rejected(r#"{"id":"e","timestamp":"2026-08-01T09:00:00Z","gateway_id":"gw","decision":[],"provider":"openai",
            "model":"m","input_tokens":1}"#, "invalid_field", "decision"),
    ]),
    ("openmeter.tokens", [
        See("exports::openmeter_counts_one_way_at_a_time"),
        Never("it counts one way a record"), Never("it counts one way a record"), Never(NO_TIER),
        Rejected(r#"{"specversion":"1.0","type":"prompt","id":"1","source":"a","data":{"tokens":"x","model":"gpt-4-turbo",
            "type":"input"}}"#, "invalid_field", "data.tokens"),
    ]),
    ("kong.ai_log", [
        See("natives::every_plugin_of_kong_that_called_a_model_is_a_call"),
        Never("it keeps two counts, and not what of them was cached"),
        Never(NO_STREAM), Never(NO_TIER),
        See("natives::kong_says_what_its_cache_answered_and_what_it_could_not_count"),
    ]),
    ("gemini_cli.session", [
        See("local_files::the_answers_of_a_chat_of_gemini_cli_are_its_calls"),
        See("local_files::the_answers_of_a_chat_of_gemini_cli_are_its_calls"),
        See("local_files::a_line_of_a_chat_that_is_written_anew_is_the_same_call"),
        Never(NO_TIER),
        See("local_files::counts_of_a_chat_of_gemini_cli_are_checked_by_their_total"),
    ]),
    ("gemini_cli.telemetry", [
        See("local_files::the_telemetry_file_of_gemini_cli_says_what_its_logs_over_otlp_say"),
        See("local_files::the_telemetry_file_of_gemini_cli_says_what_its_logs_over_otlp_say"),
        Never(NO_STREAM), Never(NO_TIER),
        See("local_files::how_somebody_signed_in_says_who_is_paid"),
    ]),
    ("opencode.message", [
        See("local_files::the_steps_of_a_message_of_opencode_are_its_requests"),
        See("local_files::reasoning_of_opencode_is_inside_the_output_where_the_total_or_the_age_says_so"),
        Never(NO_STREAM), Never(NO_TIER),
        See("local_files::a_message_of_opencode_that_used_nothing_is_running_or_failed"),
    ]),
];
