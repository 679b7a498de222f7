//! Calls priced by hand from the figures in the example book. The pages they come from are in the book's rows.

use schemas::{CostBasis, CounterfactualKind, Flag, PricingStatus, ReportedCost, UsageEvent};

use super::{example, list, small};
use crate::price::PriceBook;
use crate::sample::call;

const NOW: &str = "2026-11-20T12:00:00Z";

/// Checks the list cost of a call after `change` to it.
fn check(book: &PriceBook, model: &str, used: &str, change: impl Fn(&mut UsageEvent), cost: &str) {
    let mut event = call(model, NOW, used);
    change(&mut event);
    assert_eq!(list(book, &event), cost, "{model} at {} with {used}", event.event_time);
}

fn plain(_: &mut UsageEvent) {}

#[test]
fn every_meter_is_billed_once_at_its_own_rate() {
    let book = example();
    // 1,600 at 5, 400 cached at 0.50 and 50 out at 30 dollars a million: 8,000 + 200 + 1,500 millionths.
    check(
        book,
        "openai/gpt-5.5",
        "input_text_tokens 1600, cache_read_text_tokens 400, output_text_tokens 50",
        plain,
        "0.0097",
    );
    // Reasoning costs what output costs: (300 + 200) at 10.
    check(book, "openai/gpt-5", "output_text_tokens 300, output_reasoning_tokens 200", plain, "0.005");
    // A write for five minutes 2.50, for an hour 4, a read 0.10, by the million.
    let used = "input_text_tokens 100, cache_read_text_tokens 10000, cache_write_5m_tokens 2000, cache_write_1h_tokens 1000, output_text_tokens 10";
    check(book, "anthropic/claude-sonnet-5-5", used, plain, "0.0103");
    // Audio at its own price, video at that of text: 1,000 at 1.00 and 2,000 at 0.30.
    check(book, "google/gemini-2.5-flash", "input_audio_tokens 1000, input_video_tokens 2000", plain, "0.0016");
    check(book, "openai/text-embedding-3-small", "input_text_tokens 1", plain, "0.00000002");
    check(book, "openai/tts-1", "input_characters 4000", plain, "0.06");
}

#[test]
fn the_whole_call_is_priced_by_the_band_its_input_falls_into_cached_input_included() {
    let book = example();
    // 272,000 is not above 272,000.
    let below = "input_text_tokens 72000, cache_read_text_tokens 200000, output_text_tokens 1000";
    check(book, "openai/gpt-5.5", below, plain, "0.49"); // 0.36 + 0.10 + 0.03
    let above = "input_text_tokens 72001, cache_read_text_tokens 200000, output_text_tokens 1000";
    check(book, "openai/gpt-5.5", above, plain, "0.96501"); // 0.72001 + 0.20 + 0.045
    check(book, "google/gemini-2.5-pro", "input_text_tokens 200000, output_text_tokens 10", plain, "0.2501");
    check(book, "google/gemini-2.5-pro", "input_text_tokens 200001, output_text_tokens 10", plain, "0.5001525");
    check(book, "anthropic/claude-haiku-5-5", "input_text_tokens 100001, output_text_tokens 100", plain, "0.0502505");
    // A batch and flex have two prices as well, half of them: 1.25 and 7.50 above.
    let long = "input_text_tokens 200001, output_text_tokens 10";
    check(book, "google/gemini-2.5-pro", long, |event| event.price_context.batch = true, "0.25007625");
    check(
        book,
        "google/gemini-2.5-pro",
        long,
        |event| event.price_context.service_tier = Some("flex".into()),
        "0.25007625",
    );
}

#[test]
fn a_band_is_inclusive_where_the_provider_says_from() {
    // docs.x.ai/developers/pricing, checked 2026-11-22: long-context rates once a prompt reaches 200,000 tokens.
    let book = small(
        "provider: x_ai
currency: USD
skus:
  - sku: xai/grok-4.6
    models: [grok-4.6]
    rates:
      - {per: 1000000, prices: {input_text_tokens: 2}}
      - {per: 1000000, when: {band: {from: 200000}}, prices: {input_text_tokens: 4}}
",
    );
    check(&book, "x_ai/grok-4.6", "input_text_tokens 199999", plain, "0.399998");
    check(&book, "x_ai/grok-4.6", "input_text_tokens 200000", plain, "0.8");
}

#[test]
fn the_served_tier_sets_the_price_and_the_requested_one_never_does() {
    let book = example();
    let used = "input_text_tokens 1000000";
    let served =
        |tier: &'static str| move |event: &mut UsageEvent| event.price_context.service_tier = Some(tier.into());
    check(book, "openai/gpt-5", used, served("default"), "1.25");
    check(book, "openai/gpt-5", used, served("flex"), "0.625");
    check(book, "openai/gpt-5", used, served("priority"), "2.5");
    check(book, "openai/gpt-5", used, served("fast"), "2.5");
    check(book, "openai/gpt-5", used, |event| event.price_context.requested_tier = Some("flex".into()), "1.25");
    // Priority excludes long context: the standard long-context price holds.
    check(book, "openai/gpt-5.5", used, served("priority"), "10");
    check(book, "google/gemini-2.5-pro", used, served("ON_DEMAND_PRIORITY"), "4.5");
}

#[test]
fn a_tier_or_batch_without_a_published_price_is_unpriced_and_never_assumed() {
    let book = example();
    let mut event = call("openai/gpt-4o", NOW, "input_text_tokens 100, cache_read_text_tokens 10");
    event.price_context.batch = true;
    let priced = book.price(&event);
    // Batch input has a price, cached input in a batch has none.
    assert_eq!(priced.status, PricingStatus::Partial);
    assert_eq!(priced.unpriced[0].reason, "no_rate_for_context");
    assert_eq!(priced.flags, [Flag::PartiallyPriced]);
    assert_eq!(priced.costs.list.unwrap().to_string(), "0.000125");
    event.price_context.batch = false;
    event.price_context.service_tier = Some("flex".into());
    assert_eq!(book.price(&event).status, PricingStatus::Unpriced);
}

#[test]
fn a_batch_halves_what_is_published_as_halved_and_tools_not() {
    let book = example();
    let used = "input_text_tokens 1000, cache_read_text_tokens 1000, cache_write_1h_tokens 1000, output_text_tokens 1000, web_searches 2";
    check(book, "anthropic/claude-opus-5-5", used, plain, "0.0522"); // 0.004 + 0.0002 + 0.008 + 0.02 + 0.02
    check(book, "anthropic/claude-opus-5-5", used, |event| event.price_context.batch = true, "0.0361");
    // Anthropic reports a batch as a tier.
    check(
        book,
        "anthropic/claude-opus-5-5",
        used,
        |event| event.price_context.service_tier = Some("batch".into()),
        "0.0361",
    );
}

#[test]
fn residency_and_speed_raise_the_price_of_tokens_and_stack() {
    let book = example();
    let used = "input_text_tokens 1000, output_text_tokens 1000, web_searches 1";
    check(book, "anthropic/claude-opus-5-5", used, plain, "0.034");
    check(book, "anthropic/claude-opus-5-5", used, |event| event.price_context.residency = Some("us".into()), "0.0364");
    check(book, "anthropic/claude-opus-5-5", used, |event| event.price_context.speed = Some("fast".into()), "0.058");
    let both = |event: &mut UsageEvent| {
        event.price_context.residency = Some("us".into());
        event.price_context.speed = Some("fast".into());
    };
    check(book, "anthropic/claude-opus-5-5", used, both, "0.0628");
    check(
        book,
        "openai/gpt-5.5",
        "input_text_tokens 300000",
        |event| event.price_context.residency = Some("eu".into()),
        "3.3",
    );
    // A residency without an uplift changes nothing.
    check(
        book,
        "openai/gpt-5.5",
        "input_text_tokens 1000",
        |event| event.price_context.residency = Some("ca".into()),
        "0.005",
    );
}

#[test]
fn a_price_change_holds_from_its_first_instant() {
    let book = example();
    let at = |time: &'static str| move |event: &mut UsageEvent| event.event_time = time.parse().unwrap();
    let used = "input_text_tokens 1000000";
    check(book, "openai/gpt-5.6-luna", "input_text_tokens 1000", at("2026-07-29T23:59:59.999999Z"), "0.001");
    check(book, "openai/gpt-5.6-luna", "input_text_tokens 1000", at("2026-07-30T00:00:00Z"), "0.0002");
    check(book, "google/gemini-4-argon", used, at("2026-11-30T23:59:59Z"), "2");
    check(book, "google/gemini-4-argon", used, at("2026-12-01T00:00:00Z"), "4");
    // Long context cost more on Sonnet 4.6 until 13 March.
    check(book, "anthropic/claude-sonnet-4-6", used, at("2026-03-12T12:00:00Z"), "6");
    check(book, "anthropic/claude-sonnet-4-6", used, at("2026-03-13T00:00:00Z"), "3");
    // Reads from Sonnet 5.5's cache were cut to half on 7 October.
    let read = "cache_read_text_tokens 1000000";
    check(book, "anthropic/claude-sonnet-5-5", read, at("2026-10-06T23:59:59Z"), "0.2");
    check(book, "anthropic/claude-sonnet-5-5", read, at("2026-10-07T00:00:00Z"), "0.1");
}

#[test]
fn what_has_no_price_says_why_and_is_never_zero() {
    let book = example();
    for (model, time, used, reason) in [
        ("openai/gpt-nebula-preview", NOW, "input_text_tokens 1", "unknown_model"),
        ("nobody/gpt-5", NOW, "input_text_tokens 1", "unknown_model"),
        ("openai/gpt-5", NOW, "output_video_seconds 4", "unknown_meter"),
        ("openai/gpt-5.6-luna", "2026-07-01T00:00:00Z", "", "before_first_price"),
        ("google/gemini-3.7-flash", "2027-01-02T00:00:00Z", "", "after_last_price"),
    ] {
        let mut event = call(model, time, if used.is_empty() { "output_text_tokens 5" } else { used });
        event.price_context.batch = used.is_empty();
        let priced = book.price(&event);
        assert_eq!(priced.status, PricingStatus::Unpriced, "{model}");
        assert_eq!(priced.unpriced[0].reason, reason, "{model}");
        assert_eq!((priced.costs.list, priced.costs.contracted, priced.costs.effective), (None, None, None), "{model}");
        assert!(priced.lines.is_empty());
    }
}

#[test]
fn free_is_a_price_and_nothing_used_is_free_but_lost_usage_is_not() {
    let book = example();
    assert_eq!(
        book.price(&call("openai/omni-moderation-latest", NOW, "input_text_tokens 9")).status,
        PricingStatus::Free
    );
    let mut nothing = call("openai/gpt-5", NOW, "");
    assert_eq!(book.price(&nothing).status, PricingStatus::Free);
    assert_eq!(list(book, &nothing), "0");
    nothing.flags.push(Flag::UsageMissing);
    assert_eq!(book.price(&nothing).status, PricingStatus::Unpriced);
    // Requests are counted for every call, and billed by few.
    assert_eq!(list(book, &call("openai/gpt-5", NOW, "input_text_tokens 8, requests 1")), "0.00001");
}

#[test]
fn quantities_are_rounded_as_the_provider_rounds_them() {
    // platform.openai.com/docs/pricing: $0.006 a minute, rounded to the nearest second. console.groq.com/docs: at least
    // ten seconds a request. Both checked 2026-11-22.
    let book = small(
        "provider: groq
currency: USD
skus:
  - sku: groq/whisper-large-v3
    models: [whisper-large-v3]
    quantities: {input_audio_seconds: {minimum: 10}}
    rates:
      - {per: 3600, prices: {input_audio_seconds: 0.111}}
  - sku: cohere/rerank-v3.5
    models: [rerank-v3.5]
    quantities: {rerank_searches: {step: 1}}
    rates:
      - {per: 1000, prices: {rerank_searches: 2}}
",
    );
    check(&book, "groq/whisper-large-v3", "input_audio_seconds 3.2", plain, "0.000308333333");
    check(&book, "groq/whisper-large-v3", "input_audio_seconds 3600", plain, "0.111");
    check(&book, "groq/rerank-v3.5", "rerank_searches 2.01", plain, "0.006");
    let whisper = example();
    check(whisper, "openai/whisper-1", "input_audio_seconds 61.4", plain, "0.0061");
    check(whisper, "openai/whisper-1", "input_audio_seconds 61.5", plain, "0.0062");
    let event = call("groq/whisper-large-v3", NOW, "input_audio_seconds 3.2");
    let line = &book.price(&event).lines[0];
    assert_eq!((line.quantity.to_string(), line.billed_quantity.to_string()), ("3.2".to_string(), "10".to_string()));
}

#[test]
fn time_of_day_prices_follow_their_zone_weekdays_and_holidays() {
    // api-docs.deepseek.com/quick_start/pricing, checked 2026-11-22: peak 01:00-04:00 and 06:00-10:00 UTC on weekdays
    // that are no public holiday in China.
    let book = small(
        "provider: deepseek
currency: USD
calendars:
  - {calendar: CN, days: [2026-10-01, 2026-10-02]}
skus:
  - sku: deepseek/deepseek-flash
    models: [deepseek-flash]
    rates:
      - {per: 1000000, prices: {input_text_tokens: 0.15}}
      - per: 1000000
        when: {hours: {zone: UTC, days: [mon, tue, wed, thu, fri], windows: [\"01:00-04:00\", \"06:00-10:00\"], except: CN}}
        prices: {input_text_tokens: 0.30}
",
    );
    for (time, cost) in [
        ("2026-11-20T00:59:59Z", "0.15"),
        ("2026-11-20T01:00:00Z", "0.3"),
        ("2026-11-20T04:00:00Z", "0.15"),
        ("2026-11-21T02:00:00Z", "0.15"), // Saturday
        ("2026-10-01T02:00:00Z", "0.15"), // National Day, a Thursday
    ] {
        check(
            &book,
            "deepseek/deepseek-flash",
            "input_text_tokens 1000000",
            |e| e.event_time = time.parse().unwrap(),
            cost,
        );
    }
}

#[test]
fn only_use_on_demand_costs_anything_by_itself_and_the_rest_keeps_its_list_cost() {
    let book = example();
    let used = "input_text_tokens 1000000";
    for basis in CostBasis::ALL {
        let mut event = call("openai/gpt-5", NOW, used);
        event.cost_basis = *basis;
        let priced = book.price(&event);
        assert_eq!(priced.costs.list.unwrap().to_string(), "1.25");
        let retail = priced.counterfactuals.iter().find(|other| other.kind == CounterfactualKind::Retail);
        let marginal = priced.costs.effective.unwrap().to_string();
        match basis {
            CostBasis::OnDemand => assert_eq!((marginal.as_str(), retail), ("1.25", None)),
            _ => assert_eq!((marginal.as_str(), retail.unwrap().cost.to_string().as_str()), ("0", "1.25"), "{basis}"),
        }
    }
}

#[test]
fn a_stated_cost_is_taken_as_stated() {
    let mut event = call("manual/labelling", NOW, "");
    let stated = ReportedCost { amount: "1250.5".parse().unwrap(), currency: "EUR".into(), basis: "invoice".into() };
    event.stated_cost = Some(stated);
    let priced = example().price(&event);
    assert_eq!(priced.status, PricingStatus::Priced);
    assert_eq!(priced.costs.currency, "EUR");
    assert_eq!(priced.costs.effective.unwrap().to_string(), "1250.5");
    let reporting = priced.reporting.unwrap();
    assert_eq!((reporting.currency.as_str(), reporting.effective.unwrap().to_string().as_str()), ("USD", "1375.55"));
    assert!(priced.fx_rate_id.is_some());
}

#[test]
fn the_savings_of_batch_and_cache_add_up() {
    // 2,000 uncached, 50,000 read, 3,000 written, 1,000 out in a batch: 0.01325; without the cache 0.060; without the
    // batch as well 0.120.
    let used =
        "input_text_tokens 2000, cache_read_text_tokens 50000, cache_write_5m_tokens 3000, output_text_tokens 1000";
    let mut event = call("anthropic/claude-sonnet-5-5", NOW, used);
    event.price_context.batch = true;
    let priced = example().price(&event);
    assert_eq!(priced.costs.list.unwrap().to_string(), "0.01325");
    let found: Vec<_> = priced.counterfactuals.iter().map(|other| (other.kind, other.cost.to_string())).collect();
    assert_eq!(
        found,
        [(CounterfactualKind::Uncached, "0.06".to_string()), (CounterfactualKind::Unbatched, "0.12".to_string())]
    );
    // Reasoning is billed as output by a published rule, so the batch saves on it too: 300 at 10, less half.
    let mut event = call("openai/gpt-5", NOW, "output_text_tokens 100, output_reasoning_tokens 200");
    event.price_context.batch = true;
    let unbatched = &example().price(&event).counterfactuals[0];
    assert_eq!((unbatched.kind, unbatched.cost.to_string().as_str()), (CounterfactualKind::Unbatched, "0.003"));
    // Writing a cache that nobody reads costs more than none: the saving is negative and stays so.
    let event = call("anthropic/claude-sonnet-5-5", NOW, "cache_write_1h_tokens 1000");
    let priced = example().price(&event);
    assert_eq!(priced.costs.list.unwrap().to_string(), "0.004");
    assert_eq!(priced.counterfactuals[0].cost.to_string(), "0.002");
}

#[test]
fn contracts_change_the_contracted_cost_and_leave_the_list_cost() {
    let book = small(
        "provider: openai
currency: USD
skus:
  - sku: gpt
    models: [gpt]
    rates:
      - {per: 1000000, prices: {input_text_tokens: 2, output_text_tokens: 8}}
contracts:
  - {id: acme-8-percent, provider: openai, when: {account: acme}, factor: 0.92, valid_from: 2026-07-01}
  - {id: search-input, skus: [gpt], when: {account: acme, team: search}, per: 1000, prices: {input_text_tokens: 0.001}}
",
    );
    let mut event = call("openai/gpt", NOW, "input_text_tokens 1000000, output_text_tokens 1000000");
    let contracted = |event: &UsageEvent| {
        let priced = book.price(event);
        assert_eq!(priced.costs.list.unwrap().to_string(), "10");
        assert_eq!(priced.costs.effective, priced.costs.contracted);
        priced.costs.contracted.unwrap().to_string()
    };
    assert_eq!(contracted(&event), "10");
    event.claimed.billing_account = Some("acme".into());
    assert_eq!(contracted(&event), "9.2");
    event.event_time = "2026-06-30T23:59:59Z".parse().unwrap();
    assert_eq!(contracted(&event), "10");
    event.event_time = NOW.parse().unwrap();
    event.claimed.team = Some("search".into());
    assert_eq!(contracted(&event), "8.36"); // 1 for a million in at the team's price, 7.36 out
    let line = &book.price(&event).lines[0];
    assert_eq!((line.per, line.contracted_unit_price.unwrap().to_string().as_str()), (1_000_000, "1"));
    assert!(line.contracted_rate_id.is_some());
}

#[test]
fn a_model_is_found_by_its_names_and_never_by_likeness() {
    let book = example();
    let aliased =
        |model: &str| book.price(&call(model, NOW, "input_text_tokens 1")).flags.contains(&Flag::AliasedModel);
    let sku = |model: &str| book.price(&call(model, NOW, "input_text_tokens 1")).sku.map(String::from);
    assert_eq!(sku("openai/gpt-5-2025-08-07").as_deref(), Some("openai/gpt-5"));
    assert_eq!(sku("openai/GPT-5").as_deref(), Some("openai/gpt-5"));
    assert_eq!(sku("gcp.vertex_ai/publishers/google/models/gemini-2.5-pro").as_deref(), Some("google/gemini-2.5-pro"));
    assert_eq!(sku("google/gemini-flash-latest").as_deref(), Some("google/gemini-3.8-flash"));
    assert!(aliased("google/gemini-flash-latest") && !aliased("openai/gpt-5"));
    assert_eq!(sku("openai/gpt-5-ultra"), None);
    // Another snapshot may have another price.
    assert_eq!(sku("openai/gpt-4o-2024-05-13").as_deref(), Some("openai/gpt-4o-2024-05-13"));
}
