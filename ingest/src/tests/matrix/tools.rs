//! Tools, agents and stores whose records are read by tables of names.

use super::Cell::{Never, Rejected, See};
use super::Row;

const NO_CACHE: &str = "it counts no caches";
const NO_CALL: &str = "it is no model call";
const NO_TIER: &str = "it states no tier";
const WHOLE: &str = "it is written when the call is over";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("braintrust.span", [See("tools::of_braintrust_the_cache_is_inside_the_prompt_and_tasks_add_up"), See("tools::of_braintrust_the_cache_is_inside_the_prompt_and_tasks_add_up"), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("datadog.llm_span", [See("tools::spans_of_datadog_are_read_as_they_are_sent_and_as_they_are_given_back"), See("tools::spans_of_datadog_are_read_as_they_are_sent_and_as_they_are_given_back"), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("newrelic.llm_event", [See("tools::of_new_relic_the_summary_is_the_call"), Never(NO_CACHE), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("posthog.event", [See("tools::of_posthog_the_cache_stands_beside_the_input_of_anthropic_alone"), See("tools::of_posthog_the_cache_stands_beside_the_input_of_anthropic_alone"), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("opik.span", [See("tools::opik_keeps_the_providers_details_beside_its_own_counts"), See("tools::opik_keeps_the_providers_details_beside_its_own_counts"), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("openai.agents_span", [See("tools::of_the_agents_sdk_generations_are_calls_and_agents_are_not"), See("tools::of_the_agents_sdk_generations_are_calls_and_agents_are_not"), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("tool.log", [See("tools::logs_of_other_tools_have_counts_under_names_of_their_own"), Never(NO_CACHE), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("metering.event", [See("tools::services_that_meter_usage_hold_a_call_among_its_properties"), See("tools::services_that_meter_usage_hold_a_call_among_its_properties"), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("openrouter.activity", [See("tools::a_row_of_openrouters_activity_is_the_call_its_id_names"), See("tools::a_row_of_openrouters_activity_is_the_call_its_id_names"), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("cursor.usage_event", [See("tools::cursor_bills_what_is_usage_based_and_its_export_and_its_api_name_one_event"), See("tools::cursor_bills_what_is_usage_based_and_its_export_and_its_api_name_one_event"), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("aider.analytics", [See("tools::agents_on_a_desk_write_their_requests_in_ways_of_their_own"), Never(NO_CACHE), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("continue.dev_data", [See("tools::agents_on_a_desk_write_their_requests_in_ways_of_their_own"), Never(NO_CACHE), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("kimi_cli.wire", [See("tools::agents_on_a_desk_write_their_requests_in_ways_of_their_own"), See("tools::agents_on_a_desk_write_their_requests_in_ways_of_their_own"), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("copilot_cli.event", [See("tools::agents_on_a_desk_write_their_requests_in_ways_of_their_own"), See("tools::agents_on_a_desk_write_their_requests_in_ways_of_their_own"), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("pi.session", [See("tools::agents_on_a_desk_write_their_requests_in_ways_of_their_own"), See("tools::agents_on_a_desk_write_their_requests_in_ways_of_their_own"), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("qwen_code.chat", [See("tools::agents_on_a_desk_write_their_requests_in_ways_of_their_own"), See("tools::agents_on_a_desk_write_their_requests_in_ways_of_their_own"), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("cline.message", [See("tools::agents_on_a_desk_write_their_requests_in_ways_of_their_own"), See("tools::agents_on_a_desk_write_their_requests_in_ways_of_their_own"), Never(WHOLE), Never(NO_TIER), See("tools::a_count_that_is_none_is_rejected_by_its_path")]),
    ("otel.stored_span", [See("stores::one_span_is_one_call_wherever_it_is_kept"), See("stores::log_records_in_a_store_are_those_of_the_agents"), Never(WHOLE), Never(NO_TIER), Rejected(r#"{"traceId":"1","spanId":"2","name":"x","attributes":{"gen_ai.operation.name":"chat","gen_ai.request.model":"m",
            "gen_ai.usage.input_tokens":"many"}}"#, "invalid_field", "gen_ai.usage.input_tokens")]),
    ("otel.stored_trace", [See("stores::a_trace_that_is_kept_whole_counts_its_calls_once"), Never("as of a span alone"), Never(WHOLE), Never(NO_TIER), Rejected(r#"{"spans":[{"traceId":"1","spanId":"2","name":"x","attributes":{"gen_ai.operation.name":"chat",
            "gen_ai.usage.input_tokens":3}}]}"#, "missing_field", "model")]),
    ("log.lines", [See("stores::lines_and_rows_of_log_stores_hold_records"), Never("as of the record in the line"), Never("each line is told by itself"), Never(NO_TIER), Never("a line that is no record is what a program prints")]),
    ("github.usage_report", [See("reports::of_githubs_report_copilot_is_ai_spend"), Never(NO_CALL), Never(NO_CALL), Never(NO_TIER), Rejected(r#"{"date":"2026-07-01","product":"copilot","sku":"s","quantity":-1,"net_amount":1}"#, "invalid_field", "quantity")]),
    ("modal.billing", [See("reports::a_row_of_modals_report_is_what_an_app_cost"), Never(NO_CALL), Never(NO_CALL), Never(NO_TIER),
        Rejected(r#"{"object_id":"ap-1","interval_start":"2026-07-31T00:00:00Z","cost":"much"}"#, "invalid_field", "cost")]),
    ("usage_sum", [See("reports::reports_that_add_up_calls_are_no_calls"), Never(NO_CALL), Never(NO_CALL), Never(NO_TIER), Never("nothing of it is read")]),
];
