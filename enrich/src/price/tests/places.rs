//! Calls whose price depends on where, by whom and under which name they were served, by the default book. The figures are those of
//! the pages and packages its rows name, worked out by hand.

use super::example;
use super::golden::check;

#[test]
fn claude_on_vertex_is_found_by_every_name_it_has_there() {
    check(
        example(),
        "gcp.vertex_ai/claude-opus-4-7                    | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.0075
         gcp.vertex_ai/claude-haiku-4-5@20251001          | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.0015
         gcp.vertex_ai/claude-haiku-4-5-20251001          | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.0015
         gcp.vertex_ai/claude-haiku-4-5                   | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.0015
         gcp.vertex_ai/publishers/anthropic/models/claude-opus-5-5 | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.006
         gcp.vertex_ai/claude-sonnet-5-5@default          | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.003
         gcp.vertex_ai/claude-opus-4-1@20250805           | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.0225
         gcp.vertex_ai/claude-sonnet-4@20250514           | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.0045
         gcp.vertex_ai/claude-3-7-sonnet@20250219         | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.0045",
    );
}

#[test]
fn a_region_of_vertex_costs_a_tenth_more_and_its_global_endpoint_does_not() {
    check(
        example(),
        "gcp.vertex_ai/claude-opus-5-5  | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | region us-east5 | 0.0066
         gcp.vertex_ai/claude-opus-5-5  | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | region global   | 0.006
         gcp.vertex_ai/claude-fable-5-2 | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | region eu       | 0.0132
         gcp.vertex_ai/claude-fable-5-2 | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 |                 | 0.012",
    );
}

#[test]
fn a_batch_of_claude_on_vertex_is_half_and_each_search_is_paid() {
    check(
        example(),
        "gcp.vertex_ai/claude-opus-5-5 | 2026-11-25 | input_text_tokens 1000000, output_text_tokens 100000 | batch | 3
         gcp.vertex_ai/claude-opus-5-5@default | 2026-11-25 | input_text_tokens 1000000, output_text_tokens 100000 | batch | 3
         gcp.vertex_ai/claude-opus-5-5 | 2026-11-25 | web_searches 5 | | 0.05
         gcp.vertex_ai/claude-sonnet-5 | 2026-11-25 | web_searches 5 | | 0.05",
    );
}

#[test]
fn gemini_from_3_on_bills_each_query_and_gemini_2_a_grounded_prompt() {
    check(
        example(),
        "gcp.gemini/gemini-3-pro-image-preview | 2026-11-25 | web_searches 3 | | 0.042
         gcp.gemini/gemini-3.1-flash-image     | 2026-11-25 | web_searches 3 | | 0.042
         gcp.gemini/gemini-3.8-flash           | 2026-11-25 | web_searches 3, maps_groundings 2 | | 0.07
         # 1,000 in and 100 out are 0.00225, and one grounded prompt is 0.035.
         gcp.gemini/gemini-2.5-pro | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100, web_searches 3 | | 0.03725
         gcp.gemini/gemini-2.5-flash | 2026-11-25 | web_searches 3, maps_groundings 2 | | 0.06",
    );
}

#[test]
fn claude_on_bedrock_with_no_profile_known_is_taken_to_stay_in_its_region_and_says_so() {
    use crate::sample::call;
    use schemas::Flag;
    check(
        example(),
        "aws.bedrock/us.anthropic.claude-opus-5-5     | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.0066
         aws.bedrock/global.anthropic.claude-opus-5-5 | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.006
         aws.bedrock/claude-opus-5-5                  | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.0066
         aws.bedrock/claude-opus-4-7                  | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.00825
         aws.bedrock/claude-haiku-4-5-20251001        | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.00165
         aws.bedrock/claude-haiku-4-5                 | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.00165",
    );
    let flags = |model: &str| example().price(&call(model, "2026-11-25", "input_text_tokens 1")).flags;
    assert_eq!(flags("aws.bedrock/claude-opus-4-7"), [Flag::AliasedModel]);
    assert_eq!(flags("aws.bedrock/us.anthropic.claude-opus-4-7"), []);
}

#[test]
fn bedrock_has_in_region_batches_govcloud_and_long_context_of_its_own() {
    check(
        example(),
        "# Half of the price in a region, and not of the global profile.
         aws.bedrock/anthropic.claude-haiku-4-5-20251001-v1:0  | 2026-11-25 | input_text_tokens 1000000, output_text_tokens 100000 | batch | 0.825
         aws.bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0 | 2026-11-25 | input_text_tokens 1000000, output_text_tokens 100000 | batch | 0.75
         aws.bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0 | 2026-11-25 | input_text_tokens 100000, output_text_tokens 100000 | batch | 0.99
         aws.bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0 | 2026-11-25 | input_text_tokens 300000 | | 1.98
         aws.bedrock/anthropic.claude-opus-5-5   | 2026-11-25 | input_text_tokens 1000000, output_text_tokens 1000000 | region us-gov-west-1 | 28.8
         aws.bedrock/anthropic.claude-sonnet-5-5 | 2026-11-25 | input_text_tokens 1000000, output_text_tokens 1000000 | region us-gov-east-1 | 14.4
         aws.bedrock/anthropic.claude-haiku-5-5  | 2026-11-25 | input_text_tokens 100000, output_text_tokens 100000 | region us-gov-west-1 | 0.072
         aws.bedrock/anthropic.claude-haiku-5-5  | 2026-11-25 | input_text_tokens 100001 | region us-gov-west-1 | 0.0600006
         aws.bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0 | 2026-11-25 | input_text_tokens 300000 | region us-gov-west-1 | 2.16
         aws.bedrock/amazon.nova-pro-v1:0 | 2026-11-25 | input_text_tokens 1000000, output_text_tokens 1000000 | region us-gov-west-1 | 4.8
         aws.bedrock/amazon.nova-pro-v1:0 | 2026-11-25 | input_text_tokens 1000000, output_text_tokens 1000000 | tier flex | 2
         aws.bedrock/amazon.nova-pro-v1:0 | 2026-11-25 | input_text_tokens 1000000, output_text_tokens 1000000 | tier priority | 7
         # What speaks like OpenAI there.
         aws.bedrock/openai.gpt-5.5     | 2026-11-25 | input_text_tokens 300000, output_text_tokens 100 | | 3.30495
         aws.bedrock/openai.gpt-5.4     | 2026-11-25 | input_text_tokens 300000, output_text_tokens 100 | | 1.652475
         aws.bedrock/openai.gpt-5.6-sol | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.0066
         aws.bedrock/xai.grok-4.6       | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.00286",
    );
}

#[test]
fn residency_costs_a_tenth_more_wherever_a_model_has_it() {
    check(
        example(),
        "openai/gpt-5.5       | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | residency eu | 0.0088
         openai/gpt-5.5       | 2026-11-25 | input_text_tokens 1000, output_text_tokens 1000 | residency jp | 0.0385
         openai/gpt-5.5       | 2026-11-25 | input_text_tokens 1000, output_text_tokens 1000 | residency ae | 0.0385
         openai/gpt-6.1-terra | 2026-11-25 | input_text_tokens 1000, output_text_tokens 1000 | residency us | 0.0066
         openai/gpt-5.4-pro   | 2026-11-25 | input_text_tokens 1000 | residency au | 0.033
         openai/gpt-5         | 2026-11-25 | input_text_tokens 1000 | residency jp | 0.00125
         anthropic/claude-fable-5-2  | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | residency us | 0.0132
         anthropic/claude-mythos-5-2 | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | residency us, speed fast | 0.0264
         azure.ai.openai/text-embedding-3-large | 2026-11-25 | input_text_tokens 1000000 | residency eu | 0.143
         azure.ai.openai/gpt-5.4-mini-2026-03-17 | 2026-11-25 | input_text_tokens 1000000 | residency eu | 0.825
         azure.ai.openai/gpt-5.4-nano-2026-03-17 | 2026-11-25 | input_text_tokens 1000000 | residency us | 0.22
         azure.ai.openai/gpt-5.4-mini-2026-03-17 | 2026-11-25 | input_text_tokens 1000000 | tier flex | 0.375
         x_ai/grok-4.6 | 2026-11-25 | input_text_tokens 1000 | endpoint us | 0.0022",
    );
}

#[test]
fn a_fine_tuned_model_costs_what_its_base_costs_tuned() {
    check(
        example(),
        "openai/ft:gpt-4o-2024-08-06:acme::abc | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.00525
         openai/ft:gpt-4.1-mini-2025-04-14:acme:suffix:abc | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100 | | 0.00112
         openai/ft:gpt-4o-2024-11-20:acme::abc | 2026-11-25 | cache_read_text_tokens 1000000 | | 1.875
         openai/ft:gpt-4o-2024-11-20 | 2026-11-25 | cache_write_5m_tokens 1000000 | | unknown_meter
         openai/ft:gpt-9:acme::abc | 2026-11-25 | input_text_tokens 1000 | | unknown_model",
    );
}

#[test]
fn perplexity_is_paid_for_the_request_and_deep_research_for_each_query() {
    check(
        example(),
        "perplexity/sonar-reasoning-pro | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100, requests 1 | search low    | 0.0088
         perplexity/sonar-reasoning-pro | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100, requests 1 | search medium | 0.0128
         perplexity/sonar-reasoning-pro | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100, requests 1 | search high   | 0.0168
         perplexity/sonar-reasoning     | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100, requests 1 | search low    | 0.0065
         perplexity/sonar-deep-research | 2026-11-25 | input_text_tokens 1000, output_text_tokens 100, search_queries 30 | | 0.1528",
    );
}

#[test]
fn a_long_prompt_of_xai_begins_at_200000_tokens_and_not_one_before() {
    check(
        example(),
        "x_ai/grok-4.3 | 2026-11-25 | input_text_tokens 199999 | | 0.24999875
         x_ai/grok-4.3 | 2026-11-25 | input_text_tokens 200000 | | 0.5
         x_ai/grok-4.5 | 2026-11-25 | input_text_tokens 199999 | | 0.399998
         x_ai/grok-4.5 | 2026-11-25 | input_text_tokens 200000 | | 0.8",
    );
}

#[test]
fn new_years_day_is_a_holiday_and_a_fetched_page_is_free() {
    check(
        example(),
        "deepseek/deepseek-flash | 2027-01-01T10:00:00+08:00 | input_text_tokens 1000000 | | 0.15
         deepseek/deepseek-flash | 2027-01-04T10:00:00+08:00 | input_text_tokens 1000000 | | 0.3
         anthropic/claude-opus-4-7 | 2026-11-25 | input_text_tokens 1000, web_fetches 3 | | 0.005",
    );
}
