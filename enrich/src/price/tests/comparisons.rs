//! What a call would have cost elsewhere.

use schemas::{CounterfactualKind, UsageEvent};

use super::{list, small, text};
use crate::price::parse_prices;
use crate::sample::call;

const NOW: &str = "2026-11-20T12:00:00Z";

/// Sonnet and Opus of 2026-11-22 (https://platform.claude.com/docs/en/about-claude/pricing), and the same Sonnet at a
/// second seller.
const BOOK: &str = "provider: anthropic
currency: USD
skus:
  - sku: anthropic/opus
    models: [opus]
    class: premium
    rates:
      - {per: 1000000, prices: {input_text_tokens: 4, cache_read_text_tokens: 0.2, cache_write_5m_tokens: 5, output_text_tokens: 20}}
      - {per: 1000000, when: {batch: true}, prices: {input_text_tokens: 2, cache_read_text_tokens: 0.1, cache_write_5m_tokens: 2.5, output_text_tokens: 10}}
  - sku: anthropic/sonnet
    models: [sonnet]
    class: standard
    rates:
      - {per: 1000000, prices: {input_text_tokens: 2, cache_read_text_tokens: 0.1, cache_write_5m_tokens: 2.5, output_text_tokens: 10}}
      - {per: 1000000, when: {batch: true}, prices: {input_text_tokens: 1, cache_read_text_tokens: 0.05, cache_write_5m_tokens: 1.25, output_text_tokens: 5}}
  - sku: elsewhere/sonnet
    models: [sonnet-elsewhere]
    class: standard
    rates:
      - {per: 1000000, prices: {input_text_tokens: 2.2, output_text_tokens: 11}}
  - sku: anthropic/cheap
    models: [cheap]
    class: standard
    rates:
      - {per: 1000000, prices: {input_text_tokens: 1, cache_read_text_tokens: 0.1, cache_write_5m_tokens: 1.25, output_text_tokens: 5}}
baselines:
  - {sku: anthropic/opus}
  - {sku: anthropic/sonnet, lane: small, tokens: 1.25}
alternatives:
  - {compare: class, skus: [anthropic/opus, anthropic/sonnet, anthropic/cheap]}
  - {compare: providers, skus: [anthropic/sonnet, elsewhere/sonnet]}
";

fn otherwise(event: &UsageEvent, kind: CounterfactualKind) -> Option<(String, String)> {
    let priced = small(BOOK).price(event);
    let found = priced.counterfactuals.into_iter().find(|other| other.kind == kind);
    found.map(|other| (other.cost.to_string(), other.basis.to_string()))
}

#[test]
fn savings_of_route_batch_and_cache_add_up_to_the_baseline_less_the_cost() {
    let used =
        "input_text_tokens 2000, cache_read_text_tokens 50000, cache_write_5m_tokens 3000, output_text_tokens 1000";
    let mut event = call("anthropic/sonnet", NOW, used);
    event.price_context.batch = true;
    event.claimed.routing_lane = Some("cheap-first".into());
    assert_eq!(list(&small(BOOK), &event), "0.01325");
    let steps: Vec<String> =
        [CounterfactualKind::BaselineModel, CounterfactualKind::Unbatched, CounterfactualKind::Uncached]
            .into_iter()
            .map(|kind| otherwise(&event, kind).unwrap().0)
            .collect();
    // Opus with neither; Sonnet with neither; Sonnet in a batch: 0.12 saved by the route, 0.06 by the batch, and
    // 0.06 - 0.01325 by the cache.
    assert_eq!(steps, ["0.24", "0.12", "0.06"]);
}

#[test]
fn a_call_is_compared_with_a_baseline_only_when_somebody_routed_it() {
    let mut event = call("anthropic/sonnet", NOW, "input_text_tokens 1000000");
    assert_eq!(otherwise(&event, CounterfactualKind::BaselineModel), None);
    event.claimed.routing_lane = Some("other".into());
    let (cost, basis) = otherwise(&event, CounterfactualKind::BaselineModel).unwrap();
    assert_eq!((cost.as_str(), basis.as_str()), ("4", "anthropic/opus: list, standard tier, uncached"));
    // A lane of its own goes first; its baseline counts a quarter more tokens.
    event.claimed.routing_lane = Some("small".into());
    assert_eq!(otherwise(&event, CounterfactualKind::BaselineModel).unwrap().0, "2.5");
}

#[test]
fn the_cheapest_of_its_class_may_be_the_model_itself_and_another_provider_may_not() {
    let event = call("anthropic/sonnet", NOW, "input_text_tokens 1000000");
    let (cost, basis) = otherwise(&event, CounterfactualKind::CheapestEqualClass).unwrap();
    assert_eq!((cost.as_str(), basis.as_str()), ("1", "anthropic/cheap: list"));
    assert_eq!(otherwise(&event, CounterfactualKind::OtherProvider).unwrap().0, "2.2");
    let cheap = call("anthropic/cheap", NOW, "input_text_tokens 1000000");
    assert_eq!(otherwise(&cheap, CounterfactualKind::CheapestEqualClass).unwrap().1, "anthropic/cheap: list");
    assert_eq!(otherwise(&cheap, CounterfactualKind::OtherProvider), None);
}

#[test]
fn what_has_no_price_there_is_no_comparison() {
    // The second seller has no cache and no batch price.
    let mut event = call("anthropic/sonnet", NOW, "input_text_tokens 10, cache_read_text_tokens 10");
    assert_eq!(otherwise(&event, CounterfactualKind::OtherProvider), None);
    event = call("anthropic/sonnet", NOW, "input_text_tokens 10");
    event.price_context.batch = true;
    assert_eq!(otherwise(&event, CounterfactualKind::OtherProvider), None);
    assert_eq!(otherwise(&event, CounterfactualKind::CheapestEqualClass).unwrap().1, "anthropic/sonnet: list");
}

#[test]
fn comparisons_that_lead_nowhere_are_refused() {
    for (line, said) in [
        ("baselines:\n  - {sku: nowhere}\n", "nowhere"),
        ("baselines:\n  - {sku: s, tokens: 0}\n", "no ratio"),
        ("baselines:\n  - {sku: s}\n  - {sku: s}\n", "two baselines"),
        ("alternatives:\n  - {compare: class, skus: [nowhere]}\n", "nowhere"),
        ("alternatives:\n  - {compare: colour, skus: [s]}\n", "colour"),
    ] {
        let yaml = format!("provider: p\ncurrency: USD\nskus:\n  - {{sku: s, models: [m]}}\n{line}");
        let findings = parse_prices(&[("prices/p.yaml".to_string(), yaml)]).expect_err(line);
        assert!(text(&findings).contains(said), "{}", text(&findings));
    }
}
