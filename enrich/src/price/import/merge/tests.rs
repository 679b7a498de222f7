//! What is made of entries as the packages have them, where they do not say what they mean.

use schemas::{Meter, Text};

use super::cell::{Cell, Kind, Listed};
use super::litellm::{of, read};
use super::shops::SHOPS;

/// The models that a shop has of entries of litellm.
fn listed(shop: &str, entries: &str) -> std::collections::BTreeMap<Text, Listed> {
    let shop = SHOPS.iter().find(|other| other.file == shop).unwrap();
    of(&read(entries).unwrap(), shop).models
}

/// What a million of a meter costs, in dollars.
fn price(model: &Listed, kind: Kind, meter: Meter) -> Option<String> {
    let unit = model.table.get(&(kind, meter)).map(Cell::unit)?;
    Some((unit * rust_decimal::Decimal::from(1_000_000)).normalize().to_string())
}

#[test]
fn a_claude_of_bedrock_that_names_no_place_has_the_prices_of_its_region() {
    let models = listed(
        "bedrock",
        r#"{
        "anthropic.claude-x-20260101-v1:0": {"litellm_provider": "bedrock_converse", "mode": "chat", "input_cost_per_token": 1e-06,
            "input_cost_per_token_batches": 5e-07, "input_cost_per_token_above_200k_tokens": 2e-06},
        "us.anthropic.claude-x-20260101-v1:0": {"litellm_provider": "bedrock_converse", "mode": "chat", "input_cost_per_token": 1.1e-06,
            "input_cost_per_token_batches": 5.5e-07, "input_cost_per_token_above_200k_tokens": 2.2e-06},
        "us-gov.anthropic.claude-x-20260101-v1:0": {"litellm_provider": "bedrock_converse", "mode": "chat",
            "input_cost_per_token": 1.2e-06, "input_cost_per_token_above_200k_tokens": 2.4e-06},
        "bedrock/us-gov-west-1/anthropic.claude-x-20260101-v1:0": {"litellm_provider": "bedrock", "mode": "chat",
            "input_cost_per_token": 1.2e-06},
        "global.anthropic.claude-x-20260101-v1:0": {"litellm_provider": "bedrock_converse", "mode": "chat", "input_cost_per_token": 1e-06},
        "bedrock_mantle/anthropic.claude-x": {"litellm_provider": "bedrock_mantle", "mode": "chat", "input_cost_per_token": 1e-06},
        "bedrock_mantle/openai.gpt-y": {"litellm_provider": "bedrock_mantle", "mode": "responses", "input_cost_per_token": 5.5e-06}
        }"#,
    );
    let of = |model: &str, kind: Kind| price(&models[model], kind, Meter::InputTextTokens).unwrap_or_default();
    let region = |above: i64| Kind { region: Some("us-gov-west-1".into()), above, ..Kind::default() };
    let model = "anthropic.claude-x-20260101-v1:0";
    assert_eq!(of(model, Kind::default()), "1.1");
    assert_eq!(of(model, Kind { batch: true, ..Kind::default() }), "0.55");
    assert_eq!(of(model, Kind { above: 200_000, ..Kind::default() }), "2.2");
    assert_eq!((of(model, region(0)), of(model, region(200_000))), ("1.2".to_string(), "2.4".to_string()));
    assert_eq!(of("anthropic.claude-x", Kind::default()), "1.1");
    assert_eq!(of("global.anthropic.claude-x-20260101-v1:0", Kind::default()), "1");
    assert_eq!(of("openai.gpt-y", Kind::default()), "5.5");
}

#[test]
fn only_gemini_before_3_bills_a_prompt_however_much_was_searched_for_it() {
    let fee = r#""mode": "chat", "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_medium": 0.01,
        "search_context_size_high": 0.01}"#;
    let models = listed(
        "google",
        &format!(
            r#"{{
            "gemini/gemini-3-image": {{"litellm_provider": "gemini", {fee}, "web_search_billing_unit": "per_query"}},
            "vertex_ai/gemini-3-image": {{"litellm_provider": "vertex_ai-language-models", "mode": "image_generation",
                "input_cost_per_token": 1e-06}},
            "gemini/some-model": {{"litellm_provider": "gemini", {fee}, "web_search_billing_unit": "per_query"}},
            "some-model": {{"litellm_provider": "vertex_ai-language-models", "mode": "chat", "input_cost_per_token": 1e-06}},
            "vertex_ai/claude-opus-9": {{"litellm_provider": "vertex_ai-anthropic_models", {fee}}},
            "gemini/gemini-2.5-x": {{"litellm_provider": "gemini", {fee}}}
            }}"#
        ),
    );
    let once = |model: &str| models[model].search_once;
    assert!(!once("gemini-3-image") && !once("some-model") && !once("claude-opus-9") && once("gemini-2.5-x"));
}

#[test]
fn a_write_that_costs_less_than_what_is_written_is_a_read() {
    let models = listed(
        "openai",
        r#"{"ft:gpt-x": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 4e-06,
            "cache_creation_input_token_cost": 2e-06}}"#,
    );
    let model = &models["ft:gpt-x"];
    assert_eq!(price(model, Kind::default(), Meter::CacheReadTextTokens).as_deref(), Some("2"));
    assert_eq!(price(model, Kind::default(), Meter::CacheWrite5mTokens), None);
}
