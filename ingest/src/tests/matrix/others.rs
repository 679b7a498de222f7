//! Our own events, envelopes and what costs money without being a model call.

use super::Cell::{Is, Never, Rejected, See};
use super::Row;

const NO_CALL: &str = "it is no model call";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("cloudevents", [
        See("event::our_event_keeps_everything_the_producer_states"),
        Is(r#"{"specversion":"1.0","type":"llm.call","id":"1","source":"gw","data":{"id":"chatcmpl-CE","object":"chat.completion",
            "created":1785578390,"model":"gpt-5.4","usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,
            "prompt_tokens_details":{"cached_tokens":8}}}}"#,
            &["openai gpt-5.4: input_text_tokens 1, cache_read_text_tokens 8, output_text_tokens 3"]),
        See("wild::a_cloud_event_may_carry_a_captured_stream"),
        Is(r#"{"specversion":"1.0","type":"llm.call","id":"2","source":"gw","data":{"id":"msg_CE","type":"message","model":
            "claude-sonnet-4-6","usage":{"input_tokens":9,"output_tokens":3,"service_tier":"priority"}},
            "time":"2026-08-01T09:00:00Z"}"#,
            &["anthropic claude-sonnet-4-6: input_text_tokens 9, output_text_tokens 3 @priority"]),
        Rejected(r#"{"specversion":"1.0","type":"llm.call","id":"3","source":"gw","data":"nothing"}"#, "malformed", ""),
    ]),
    ("ai.usage", [
        See("event::our_event_keeps_everything_the_producer_states"),
        See("event::a_providers_usage_object_in_our_event_is_made_exclusive"),
        Never("a producer that streams sends its event when the call is over"),
        Is(r#"{"id":"7","source":"s","time":1785578390,"provider":"openai","model":"gpt-5.4","usage":{"input_text_tokens":4},
            "price_context":{"service_tier":"flex"}}"#, &["openai gpt-5.4: input_text_tokens 4 @flex"]),
        See("event::meters_are_checked_by_name_and_by_their_total"),
    ]),
    ("envelope", [
        See("event::a_plain_envelope_holds_a_body_and_says_whose_it_is"),
        See("anthropic::cache_reads_and_writes_stand_beside_the_input"),
        See("streams::the_last_count_of_a_chat_stream_is_the_count"),
        See("openai::the_served_tier_counts_and_the_requested_one_is_recorded"),
        See("bad_input::envelopes_within_envelopes_end_somewhere"),
    ]),
    ("flat_usage", [
        See("exports::flat_records_of_houses_are_read"),
        Is(r#"{"model":"claude-sonnet-4-6","provider":"anthropic","input_tokens":10,"cache_read_input_tokens":50,
            "output_tokens":2,"request_id":"r1","timestamp":"2026-08-01T09:00:00Z"}"#,
            &["anthropic claude-sonnet-4-6: input_text_tokens 10, cache_read_text_tokens 50, output_text_tokens 2"]),
        Never("a house logs a call when it is over"),
        Never("whether a house's tier was asked for or served is not known"),
        Rejected(r#"{"model":"gpt-5.4","provider":"openai","prompt_tokens":-1}"#, "invalid_field", "usage.prompt_tokens"),
    ]),
    ("ai.gpu.usage", [
        See("emitters::gpu_time_is_billed_as_allocated"),
        Never(NO_CALL), Never(NO_CALL),
        Is(r#"{"specversion":"1.0","type":"ai.gpu.usage","id":"g1","source":"b","time":"2026-08-01T09:00:00Z","data":{
            "provider":"runpod","gpu_model":"H100","gpu_seconds_allocated":60,"purchase_option":"spot"}}"#,
            &["runpod H100: gpu_seconds 60 @spot"]),
        Rejected(r#"{"specversion":"1.0","type":"ai.gpu.usage","id":"g2","source":"b","time":"2026-08-01T09:00:00Z","data":{
            "provider":"runpod","gpu_model":"H100"}}"#, "missing_field", "gpu_seconds_allocated"),
    ]),
    ("ai.seat.period", [
        See("resources::seats_are_spread_over_the_days_of_their_period_to_the_last_picounit"),
        Never(NO_CALL), Never(NO_CALL), Never("the product names what was bought"),
        Rejected(r#"{"specversion":"1.0","type":"ai.seat.period","id":"s","source":"b","data":{"vendor":"github",
            "product":"copilot"}}"#, "missing_field", "period_start"),
    ]),
    ("ai.credit.usage", [
        See("resources::credits_are_metered_and_cost_what_one_of_them_costs"),
        Never(NO_CALL), Never(NO_CALL), Never(NO_CALL),
        Rejected(r#"{"specversion":"1.0","type":"ai.credit.usage","id":"c","source":"b","data":{"vendor":"github"}}"#,
            "missing_field", "quantity"),
    ]),
    ("ai.ledger.entry", [
        See("emitters::a_ledger_entry_states_its_cost_and_category"),
        Never(NO_CALL), Never(NO_CALL), Never(NO_CALL),
        Rejected(r#"{"specversion":"1.0","type":"ai.ledger.entry","id":"l","source":"b","data":{"vendor":"v",
            "cost_category":"people","cost":{"amount":"x","currency":"EUR"}}}"#, "invalid_field", "cost"),
    ]),
    ("saas.seats", [
        See("resources::lists_of_saas_managers_are_seats"),
        Never(NO_CALL), Never(NO_CALL), Never(NO_CALL),
        See("resources::lists_of_saas_managers_are_seats"),
    ]),
    ("runpod.billing", [
        See("resources::runpod_bills_time_and_states_its_amount"),
        Never(NO_CALL), Never(NO_CALL), Never("its rows do not say how a pod was bought"),
        Rejected(r#"{"amount":"x","podId":"p","time":"2026-08-01T09:00:00Z","timeBilledMs":120000}"#, "invalid_field", "amount"),
    ]),
    ("opencost.allocation", [
        See("resources::opencost_allocations_with_a_gpu_are_spend_and_others_are_not"),
        Never(NO_CALL), Never(NO_CALL), Never("the allocation states its cost"),
        See("resources::opencost_allocations_with_a_gpu_are_spend_and_others_are_not"),
    ]),
    ("skypilot.cluster", [
        See("resources::a_cluster_of_skypilot_costs_what_its_report_says_so_far"),
        Never(NO_CALL), Never(NO_CALL),
        See("resources::a_cluster_of_skypilot_costs_what_its_report_says_so_far"),
        Rejected(r#"{"name":"t","cluster_hash":"h","launched_at":1785571200,"duration":"long","accelerators":{"H100":8},
            "total_cost":1}"#, "invalid_field", "duration"),
    ]),
    ("rows", [
        See("held::rows_of_a_query_are_the_objects_they_are"),
        Never(ROW), Never(ROW), Never(ROW), Never(ROW),
    ]),
    ("notebook", [
        See("held::answers_that_a_notebook_shows_are_calls_and_all_else_in_it_is_none"),
        Never(SHOWN), Never(SHOWN), Never(SHOWN), Never(SHOWN),
    ]),
];

const ROW: &str = "each row is told by itself";
const SHOWN: &str = "each answer is told by itself";
