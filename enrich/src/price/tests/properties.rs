//! What must hold for every event and every book.

use schemas::{Meter, Metered, Money, PricingStatus, Quantity, UsageEvent};

use super::{book, example, small};
use crate::price::{PriceBook, parse_prices};
use crate::sample::{call, metered};

/// Numbers that a seed repeats (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

const MODELS: [&str; 8] = [
    "openai/gpt-5.5",
    "openai/gpt-6.1-sol",
    "openai/gpt-realtime",
    "openai/whisper-1",
    "anthropic/claude-haiku-5-5",
    "anthropic/claude-opus-5-5",
    "google/gemini-2.5-pro",
    "google/gemini-4-argon",
];

/// A call of some model with some meters, tier, batch and residency.
fn some_call(random: &mut Random) -> UsageEvent {
    let mut event = call(MODELS[random.below(8) as usize], "2026-11-20T12:00:00Z", "");
    for meter in Meter::ALL {
        if random.below(4) == 0 {
            let picos =
                i128::from(random.next() >> random.below(60)) * i128::from(random.below(3) * 499_999_999_999 + 1);
            event.usage.push(Metered { meter: *meter, quantity: Quantity::from_picos(picos).unwrap() });
        }
    }
    event.usage.retain(|used| !used.quantity.is_zero());
    let tiers = [None, Some("flex"), Some("priority"), Some("default")];
    event.price_context.service_tier = tiers[random.below(4) as usize].map(Into::into);
    event.price_context.batch = random.below(5) == 0;
    event.price_context.residency = (random.below(3) == 0).then(|| "us".into());
    event
}

fn for_some_calls(mut check: impl FnMut(&PriceBook, &UsageEvent)) {
    let book = example();
    let mut random = Random(20_261_122);
    for _ in 0..2_000 {
        check(book, &some_call(&mut random));
    }
}

#[test]
fn lines_add_up_to_the_cost_to_the_picodollar() {
    let mut priced_calls = 0;
    for_some_calls(|book, event| {
        let priced = book.price(event);
        let sum = priced.lines.iter().map(|line| line.list_cost.picos()).sum::<i128>();
        let contracted = priced.lines.iter().map(|line| line.contracted_cost.picos()).sum::<i128>();
        if let Some(list) = priced.costs.list {
            assert_eq!((sum, contracted), (list.picos(), priced.costs.contracted.unwrap().picos()));
            priced_calls += 1;
        }
    });
    assert!(priced_calls > 500, "only {priced_calls} of the calls had a price, which proves little");
}

#[test]
fn every_line_is_its_product_to_within_a_picodollar() {
    for_some_calls(|book, event| {
        for line in book.price(event).lines {
            // quantity x price / per, by another road: whole numbers of 10^-30.
            let price = line.list_unit_price.0;
            let scale = 10i128.pow(price.scale()) * i128::from(line.per);
            let Some(product) = line.billed_quantity.picos().checked_mul(price.mantissa()) else { continue };
            assert!((product / scale - line.list_cost.picos()).abs() <= 1, "{line:?}");
        }
    });
}

#[test]
fn the_costs_alone_are_those_of_the_lines_and_the_rates_used_are_those_explained() {
    for_some_calls(|book, event| {
        let priced = book.price(event);
        assert_eq!(book.costs_for(event, &event.claimed), priced.costs);
        let explained = book.explain(event);
        let used = |meter| explained.iter().find(|row| row.meter == meter && !row.contract && row.verdict == "used");
        for line in priced.lines.iter().filter(|line| event.usage.iter().any(|used| used.meter == line.meter)) {
            assert_eq!(used(line.meter).map(|row| &row.rate_id), Some(&line.rate_id), "{}", line.meter);
        }
    });
}

#[test]
fn every_meter_used_is_priced_or_named_as_unpriced() {
    for_some_calls(|book, event| {
        let priced = book.price(event);
        for used in &event.usage {
            let line = priced.lines.iter().any(|line| line.meter == used.meter && line.quantity == used.quantity);
            let unpriced = priced.unpriced.iter().any(|line| line.meter == used.meter);
            assert!(line != unpriced || used.meter == Meter::Requests, "{} of {}", used.meter, event.model);
        }
        let known = priced.costs.list.is_some();
        assert_eq!(known, priced.status != PricingStatus::Unpriced);
    });
}

#[test]
fn a_cost_scales_with_its_usage() {
    let book = example();
    let cost = |times: i64| {
        let mut event = call("openai/gpt-5-mini", "2026-11-20T12:00:00Z", "");
        event.usage.push(metered(Meter::InputTextTokens, 17 * times));
        event.usage.push(metered(Meter::CacheReadTextTokens, 3 * times));
        event.usage.push(metered(Meter::OutputTextTokens, times));
        book.price(&event).costs.list.unwrap().picos()
    };
    assert_eq!(cost(1_000) * 37, cost(37_000));
    assert_eq!(cost(1) * 1_000_000, cost(1_000_000));
}

#[test]
fn rows_in_any_order_make_the_same_book() {
    let yaml = include_str!("../../../../deploy/example/prices/anthropic.yaml");
    let mut rows = parse_prices(&[("anthropic.yaml".to_string(), yaml.to_string())]).unwrap();
    let forward = book(&rows);
    let mut random = Random(7);
    for index in (1..rows.len()).rev() {
        rows.swap(index, random.below(index as u64 + 1) as usize);
    }
    let shuffled = book(&rows);
    for _ in 0..500 {
        let mut event = some_call(&mut random);
        event.provider = "anthropic".into();
        event.model = ["claude-opus-5-5", "claude-haiku-5-5", "claude-sonnet-4-6"][random.below(3) as usize].into();
        event.price_context.speed = (random.below(2) == 0).then(|| "fast".into());
        assert_eq!(forward.price(&event), shuffled.price(&event));
    }
}

#[test]
fn a_rate_keeps_its_name_when_it_is_checked_again() {
    let yaml = |checked: &str| {
        format!(
            "provider: p\ncurrency: USD\nchecked: {checked}\nskus:\n  - sku: s\n    models: [m]\n    rates:\n      \
             - {{per: 1, prices: {{output_images: 0.04}}}}\n"
        )
    };
    let rate = |yaml: &str| {
        let priced = small(yaml).price(&call("p/m", "2026-11-20T12:00:00Z", "output_images 1"));
        priced.lines[0].rate_id.clone()
    };
    assert_eq!(rate(&yaml("2026-11-01")), rate(&yaml("2026-11-22")));
    assert_ne!(rate(&yaml("2026-11-22")), rate(&yaml("2026-11-22").replace("0.04", "0.05")));
}

#[test]
fn what_was_learnt_later_does_not_change_what_was_known_before() {
    let yaml = "provider: p
currency: USD
skus:
  - sku: s
    models: [m]
    rates:
      - {per: 1, prices: {output_images: 4}}
      - {per: 1, known_from: 2026-06-01, note: the first figure was a misreading, prices: {output_images: 5}}
";
    let rows = parse_prices(&[("prices.yaml".to_string(), yaml.to_string())]).unwrap();
    let rows: Vec<_> = rows.iter().collect();
    let event = call("p/m", "2026-02-01", "output_images 1");
    let cost = |as_of: &str| {
        let book = PriceBook::compile_as_of("test", &rows, as_of.parse().unwrap()).unwrap();
        book.price(&event).costs.list
    };
    assert_eq!(cost("2026-05-31"), Some(Money::from_units(4)));
    assert_eq!(cost("2026-06-01"), Some(Money::from_units(5)));
}

#[test]
fn absurd_quantities_are_unpriced_and_do_not_panic() {
    let book = example();
    let mut event = call("openai/gpt-6-astra", "2026-11-20T12:00:00Z", "");
    let most = Quantity::from_picos(10i128.pow(38) - 1).unwrap();
    event.usage.push(Metered { meter: Meter::InputTextTokens, quantity: most });
    event.usage.push(Metered { meter: Meter::OutputTextTokens, quantity: most });
    let priced = book.price(&event);
    assert_eq!(priced.status, PricingStatus::Unpriced);
    assert!(priced.unpriced.iter().all(|unpriced| unpriced.reason == "amount_overflow"), "{:?}", priced.unpriced);
}
