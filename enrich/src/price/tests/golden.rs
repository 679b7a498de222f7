//! Cases that no library answers, worked out by hand: one line a case. Where a book's figures are somebody's, the page is
//! named; where they are made up to show a rule, round ones are used.

use std::collections::BTreeMap;

use schemas::{CounterfactualKind, UsageEvent};

use super::{example, small};
use crate::price::{PriceBook, parse_prices};
use crate::sample::call;

/// Checks lines of `provider/model | time | usage | context | what it costs`.
pub(super) fn check(book: &PriceBook, cases: &str) {
    for line in cases.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [model, time, used, context, expected] = parts[..] else { panic!("{line}: five parts") };
        let mut event = call(model, time, used);
        event.tenant = "nobody".into();
        context.split(',').map(str::trim).filter(|word| !word.is_empty()).for_each(|word| state(&mut event, word));
        assert_eq!(answer(book, &event, expected), expected, "{line}");
    }
}

fn state(event: &mut UsageEvent, word: &str) {
    let (name, value) = word.split_once(' ').unwrap_or((word, ""));
    let text = Some(value.into());
    match name {
        "tier" => event.price_context.service_tier = text,
        "batch" => event.price_context.batch = true,
        "speed" => event.price_context.speed = text,
        "residency" => event.price_context.residency = text,
        "endpoint" => event.price_context.endpoint = text,
        "region" => event.price_context.region = text,
        "size" => event.price_context.size = text,
        "quality" => event.price_context.quality = text,
        "search" => event.price_context.search_context = text,
        "basis" => event.cost_basis = value.parse().unwrap(),
        "tenant" => event.tenant = value.into(),
        "account" => event.claimed.billing_account = text,
        "team" => event.claimed.team = text,
        other => panic!("{other} is no context"),
    }
}

/// Of what a case expects, what the book says: `list 1, effective 0`, or the list cost alone, or why there is none.
fn answer(book: &PriceBook, event: &UsageEvent, expected: &str) -> String {
    let priced = book.price(event);
    let retail = priced.counterfactuals.iter().find(|other| other.kind == CounterfactualKind::Retail);
    let reporting = priced.reporting.as_ref();
    let shown = |name: &str| match name {
        "contracted" => priced.costs.contracted,
        "effective" => priced.costs.effective,
        "retail" => retail.map(|other| other.cost),
        "reporting" => reporting.and_then(|costs| costs.contracted),
        _ => priced.costs.list,
    };
    let said = |part: &str| match part.trim().split_once(' ') {
        Some((name, _)) => format!("{name} {}", shown(name).map_or("none".to_string(), |money| money.to_string())),
        None => match (priced.costs.list, priced.unpriced.first()) {
            (Some(money), None) => money.to_string(),
            (_, Some(unpriced)) => unpriced.reason.to_string(),
            (None, None) => "none".to_string(),
        },
    };
    expected.split(',').map(said).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_seat_by_the_month_costs_its_share_of_the_days_of_that_month() {
    // https://docs.github.com/en/copilot/get-started/plans: 19 dollars a user a month; the dearer price is made up.
    let book = small(
        "provider: github
currency: USD
skus:
  - sku: github/copilot-business
    models: [copilot-business]
    rates:
      - {per: month, prices: {seat_days: 19}}
      - {per: month, valid_from: 2027-01-15, prices: {seat_days: 21}}
",
    );
    check(
        &book,
        "github/copilot-business | 2026-11-01 | seat_days 30  | | 19
         github/copilot-business | 2026-10-01 | seat_days 31  | | 19
         github/copilot-business | 2027-01-01 | seat_days 5   | | 3.064516129032
         github/copilot-business | 2026-02-14 | seat_days 150 | | 101.785714285714
         github/copilot-business | 2024-02-29 | seat_days 1   | | 0.655172413793
         github/copilot-business | 2027-01-14T23:59:59Z | seat_days 17 | | 10.41935483871
         github/copilot-business | 2027-01-15 | seat_days 17  | | 11.516129032258
         github/copilot-business | 2026-11-01 | seat_days 0   | | 0",
    );
}

#[test]
fn gpu_hours_cost_their_wall_clock_idle_or_not_and_reserved_ones_nothing_by_themselves() {
    let book = small(
        "provider: cloud
currency: USD
skus:
  - sku: cloud/h100
    models: [h100]
    rates:
      - {per: 3600, prices: {gpu_seconds: 2.49}}
      - {per: 3600, when: {tier: spot}, prices: {gpu_seconds: 0.99}}
      - {per: 3600, when: {tier: reserved}, prices: {gpu_seconds: 2.49}}
",
    );
    check(
        &book,
        "cloud/h100 | 2026-11-20 | gpu_seconds 3600     |           | 2.49
         cloud/h100 | 2026-11-20 | gpu_seconds 1        |           | 0.000691666667
         cloud/h100 | 2026-11-20 | gpu_seconds 28800    | tier spot | 7.92
         cloud/h100 | 2026-11-20 | gpu_seconds 691200   |           | 478.08
         cloud/h100 | 2026-11-20 | gpu_seconds 0.5      |           | 0.000345833333
         cloud/h100 | 2026-11-20 | gpu_seconds 3600     | tier reserved, basis committed | list 2.49, effective 0, retail 2.49
         cloud/h100 | 2026-11-20 | gpu_seconds 3600     | tier dedicated | no_rate_for_context",
    );
}

#[test]
fn provisioned_capacity_is_paid_by_the_hour_its_calls_not_again_and_what_spills_over_on_demand() {
    // https://learn.microsoft.com/azure/ai-foundry/openai/concepts/provisioned-throughput: units by the hour, used or not;
    // requests beyond them go to a standard deployment and are billed there. The price of a unit is made up.
    let book = small(
        "provider: azure.ai.openai
currency: USD
skus:
  - sku: azure/gpt-4o
    models: [gpt-4o]
    rates:
      - {per: 1000000, prices: {input_text_tokens: 2.5, output_text_tokens: 10}}
  - sku: azure/ptu
    models: [ptu-global]
    rates:
      - {per: 3600, prices: {resource_seconds: 1}}
",
    );
    check(
        &book,
        // Fifty units for an hour; a call they serve; the same call spilling over.
        "azure.ai.openai/ptu-global | 2026-11-20 | resource_seconds 180000 | | list 50, effective 50
         azure.ai.openai/gpt-4o | 2026-11-20 | input_text_tokens 1000, output_text_tokens 100 | basis committed | list 0.0035, effective 0, retail 0.0035
         azure.ai.openai/gpt-4o | 2026-11-20 | input_text_tokens 1000, output_text_tokens 100 | | list 0.0035, effective 0.0035, retail none",
    );
}

#[test]
fn seats_caches_own_keys_and_own_machines_keep_their_list_cost_aside() {
    let book = example();
    let calls: String = ["included", "gateway_cache", "bring_your_own_key", "self_hosted", "committed"]
        .map(|basis| {
            format!("openai/gpt-5 | 2026-11-20 | input_text_tokens 1000 | basis {basis} | list 0.00125, effective 0, retail 0.00125\n")
        })
        .concat();
    check(book, &calls);
}

#[test]
fn amounts_keep_their_currency_and_are_converted_at_the_rate_of_their_time() {
    let book = small(
        "reporting_currency: USD
provider: eu
currency: EUR
skus:
  - sku: eu/model
    models: [model]
    rates:
      - {per: 1000000, prices: {input_text_tokens: 3}}
  - sku: eu/yen
    models: [yen]
    currency: JPY
    rates:
      - {per: 1, prices: {output_images: 7}}
fx:
  - {from: EUR, rate: 1.10, valid_from: 2026-01-01}
  - {from: EUR, rate: 1.17, valid_from: 2026-07-01T12:00:00Z}
  - {from: JPY, rate: 0.00667, valid_from: 2026-01-01}
",
    );
    check(
        &book,
        "eu/model | 2026-06-30 | input_text_tokens 1000000 | | list 3, reporting 3.3
         eu/model | 2026-07-01T11:59:59.999999Z | input_text_tokens 1000000 | | list 3, reporting 3.3
         eu/model | 2026-07-01T12:00:00Z | input_text_tokens 1000000 | | list 3, reporting 3.51
         eu/model | 2026-07-01T14:00:00+02:00 | input_text_tokens 1000000 | | list 3, reporting 3.51
         # Before the first rate the amount is known and its conversion is not.
         eu/model | 2025-12-31T23:59:59Z | input_text_tokens 1000000 | | list 3, reporting none
         eu/model | 2026-02-01 | input_text_tokens 1 | | list 0.000003, reporting 0.0000033
         eu/yen   | 2026-02-01 | output_images 3 | | list 21, reporting 0.14007",
    );
}

#[test]
fn a_ladder_prices_the_whole_call_by_the_step_it_reaches() {
    // Results of one search: 1 to 25 at 5, 26 to 100 at 25 dollars a thousand queries (https://exa.ai/pricing, as litellm
    // 1.106.2 has it); minutes of one recording, made up.
    let book = small(
        "provider: ladder
currency: USD
skus:
  - sku: ladder/tts
    models: [tts]
    rates:
      - {per: 1000000, prices: {input_characters: 30}}
      - {per: 1000000, when: {band: {of: input_characters, above: 1000, up_to: 5000}}, prices: {input_characters: 20}}
      - {per: 1000000, when: {band: {of: input_characters, above: 5000}}, prices: {input_characters: 10}}
  - sku: ladder/long-answers
    models: [writer]
    rates:
      - {per: 1000000, prices: {input_text_tokens: 1, output_text_tokens: 2}}
      - {per: 1000000, when: {band: {of: output_tokens, from: 1000}}, prices: {input_text_tokens: 2, output_text_tokens: 4}}
",
    );
    check(
        &book,
        "ladder/tts | 2026-11-20 | input_characters 1000 | | 0.03
         ladder/tts | 2026-11-20 | input_characters 1001 | | 0.02002
         ladder/tts | 2026-11-20 | input_characters 5000 | | 0.1
         ladder/tts | 2026-11-20 | input_characters 5001 | | 0.05001
         ladder/writer | 2026-11-20 | input_text_tokens 1000000, output_text_tokens 999 | | 1.001998
         ladder/writer | 2026-11-20 | input_text_tokens 1000000, output_text_tokens 1000 | | 2.004",
    );
}

#[test]
fn short_recordings_and_small_searches_are_billed_as_the_least_there_is() {
    // Ten seconds: https://groq.com/pricing. Steps of a second and at least fifteen: https://aws.amazon.com/transcribe/pricing.
    // At least twenty: https://docs.pyannote.ai. A search is a query over at most a hundred documents: https://cohere.com/pricing.
    let book = small(
        "provider: least
currency: USD
skus:
  - {sku: groq, models: [whisper], quantities: {input_audio_seconds: {minimum: 10}}, rates: [{per: 3600, prices: {input_audio_seconds: 0.111}}]}
  - {sku: transcribe, models: [transcribe], quantities: {input_audio_seconds: {minimum: 15, step: 1}}, rates: [{per: 60, prices: {input_audio_seconds: 0.024}}]}
  - {sku: pyannote, models: [pyannote], quantities: {input_audio_seconds: {minimum: 20}}, rates: [{per: 3600, prices: {input_audio_seconds: 0.15}}]}
  - {sku: rerank, models: [rerank], quantities: {rerank_searches: {step: 1}}, rates: [{per: 1000, prices: {rerank_searches: 2}}]}
  - {sku: grounded, models: [grounded], quantities: {web_searches: {maximum: 1}}, rates: [{per: 1000, prices: {web_searches: 35}}]}
",
    );
    check(
        &book,
        "least/whisper    | 2026-11-20 | input_audio_seconds 9.9  | | 0.000308333333
         least/whisper    | 2026-11-20 | input_audio_seconds 10.1 | | 0.000311416667
         least/transcribe | 2026-11-20 | input_audio_seconds 0.1  | | 0.006
         least/transcribe | 2026-11-20 | input_audio_seconds 15.2 | | 0.0064
         least/transcribe | 2026-11-20 | input_audio_seconds 61   | | 0.0244
         least/pyannote   | 2026-11-20 | input_audio_seconds 3    | | 0.000833333333
         least/rerank     | 2026-11-20 | rerank_searches 0.01     | | 0.002
         least/rerank     | 2026-11-20 | rerank_searches 1.01     | | 0.004
         least/grounded   | 2026-11-20 | web_searches 7           | | 0.035
         least/grounded   | 2026-11-20 | web_searches 0           | | 0",
    );
}

#[test]
fn peak_hours_keep_to_the_calendar_of_the_place_they_are_stated_for() {
    // https://api-docs.deepseek.com/quick_start/pricing and the Chinese holidays of 2026, both in the default book.
    check(
        example(),
        "deepseek/deepseek-flash | 2026-11-27T00:59:59.999999Z | input_text_tokens 1000000 | | 0.15
         deepseek/deepseek-flash | 2026-11-27T01:00:00Z | input_text_tokens 1000000 | | 0.3
         deepseek/deepseek-flash | 2026-11-27T03:59:59.999999Z | output_text_tokens 1000000 | | 1.2
         deepseek/deepseek-flash | 2026-11-27T04:00:00Z | output_text_tokens 1000000 | | 0.6
         deepseek/deepseek-flash | 2026-11-27T18:00:00+08:00 | input_text_tokens 1000000 | | 0.15
         deepseek/deepseek-flash | 2026-11-27T17:59:59+08:00 | input_text_tokens 1000000 | | 0.3
         # A Saturday; a Saturday that is worked to make up for a holiday; National Day, a Thursday; the day after it ends.
         deepseek/deepseek-flash | 2026-11-28T02:00:00Z | input_text_tokens 1000000 | | 0.15
         deepseek/deepseek-flash | 2026-10-10T02:00:00Z | input_text_tokens 1000000 | | 0.15
         deepseek/deepseek-flash | 2026-10-01T02:00:00Z | input_text_tokens 1000000 | | 0.15
         deepseek/deepseek-flash | 2026-10-08T02:00:00Z | input_text_tokens 1000000 | | 0.3
         # Off peak, cached.
         deepseek/deepseek-flash | 2026-11-27T12:00:00Z | cache_read_text_tokens 1000000 | | 0.003",
    );
}

#[test]
fn a_price_change_counts_from_its_second_on_whatever_the_clock_it_was_told_in() {
    // 16:00 UTC on 2026-08-16, a Sunday: the page says so. The peak price is first met on the Monday.
    check(
        example(),
        "deepseek/deepseek-v4-pro | 2026-08-16T15:59:59.999999Z | input_text_tokens 1000000 | | 0.435
         deepseek/deepseek-v4-pro | 2026-08-16T16:00:00Z | input_text_tokens 1000000 | | 0.66
         deepseek/deepseek-v4-pro | 2026-08-16T23:59:59+08:00 | input_text_tokens 1000000 | | 0.435
         deepseek/deepseek-v4-pro | 2026-08-17T00:00:00+08:00 | input_text_tokens 1000000 | | 0.66
         deepseek/deepseek-v4-pro | 2026-08-17T09:00:00+08:00 | input_text_tokens 1000000 | | 1.32
         deepseek/deepseek-v4-flash | 2026-08-17T09:00:00+08:00 | input_text_tokens 1000000 | | 0.44
         deepseek/deepseek-v4-flash | 2026-09-10T09:00:00+08:00 | input_text_tokens 1000000 | | 0.3",
    );
}

#[test]
fn hours_follow_the_clocks_of_their_zone_when_those_are_changed() {
    let book = small(
        "provider: night
currency: USD
skus:
  - sku: night/berlin
    models: [berlin]
    rates:
      - {per: 1, prices: {requests: 10}}
      - {per: 1, when: {hours: {zone: Europe/Berlin, windows: [\"02:00-03:00\"]}}, prices: {requests: 1}}
  - sku: night/new-york
    models: [new-york]
    rates:
      - {per: 1, prices: {requests: 10}}
      - {per: 1, when: {hours: {zone: America/New_York, days: [fri], windows: [\"22:00-06:00\"]}}, prices: {requests: 1}}
",
    );
    check(
        &book,
        // In October two o'clock comes twice, in March not at all.
        "night/berlin | 2026-10-25T00:30:00Z | requests 1 | | 1
         night/berlin | 2026-10-25T01:30:00Z | requests 1 | | 1
         night/berlin | 2026-10-25T02:00:00Z | requests 1 | | 10
         night/berlin | 2026-03-29T00:59:59Z | requests 1 | | 10
         night/berlin | 2026-03-29T01:00:00Z | requests 1 | | 10
         night/berlin | 2026-06-01T00:30:00Z | requests 1 | | 1
         night/berlin | 2026-12-01T01:30:00Z | requests 1 | | 1
         # The night of a Friday ends on Saturday morning, New York's.
         night/new-york | 2026-11-21T02:59:59Z | requests 1 | | 10
         night/new-york | 2026-11-21T03:00:00Z | requests 1 | | 1
         night/new-york | 2026-11-21T10:59:59Z | requests 1 | | 1
         night/new-york | 2026-11-21T11:00:00Z | requests 1 | | 10
         night/new-york | 2026-07-18T02:00:00Z | requests 1 | | 1",
    );
}

#[test]
fn of_several_contracts_the_nearest_to_the_call_holds_and_they_do_not_stack() {
    let book = small(
        "provider: p
currency: USD
skus:
  - sku: p/model
    models: [model]
    rates:
      - {per: 1000000, prices: {input_text_tokens: 10, output_text_tokens: 50}}
contracts:
  - {id: tenant-wide, when: {tenant: acme}, factor: 0.9}
  - {id: account, when: {account: acme-prod}, factor: 0.8, valid_from: 2026-06-01, valid_to: 2027-01-01}
  - {id: team, when: {team: search}, factor: 0.7, meters: [output_text_tokens]}
  - {id: fixed, when: {account: acme-prod, team: search}, skus: [p/model], per: 1000000, prices: {input_text_tokens: 5}}
  - {id: margin, when: {tenant: reseller}, factor: 1.05, per_call: 0.001}
",
    );
    check(
        &book,
        "p/model | 2026-11-20 | input_text_tokens 1000000 | | list 10, contracted 10
         p/model | 2026-11-20 | input_text_tokens 1000000 | tenant acme | list 10, contracted 9
         p/model | 2026-11-20 | input_text_tokens 1000000 | tenant acme, account acme-prod | list 10, contracted 8, effective 8
         p/model | 2026-05-31T23:59:59Z | input_text_tokens 1000000 | tenant acme, account acme-prod | list 10, contracted 9
         p/model | 2027-01-01 | input_text_tokens 1000000 | tenant acme, account acme-prod | list 10, contracted 9
         # A price of one's own goes before a percentage; the percentage still holds for what it does not name.
         p/model | 2026-11-20 | input_text_tokens 1000000, output_text_tokens 1000000 | account acme-prod, team search | list 60, contracted 40
         p/model | 2026-11-20 | output_text_tokens 1000000 | tenant acme, team search | list 50, contracted 35
         p/model | 2026-11-20 | input_text_tokens 1000000 | tenant reseller | list 10, contracted 10.501
         p/model | 2026-11-20 | input_text_tokens 1 | tenant acme | list 0.00001, contracted 0.000009",
    );
}

#[test]
fn a_factor_on_list_prices_is_on_those_of_every_tier_but_where_it_names_one() {
    let book = small(
        "provider: openai
currency: USD
tiers: {fast: priority}
skus:
  - sku: openai/gpt
    models: [gpt]
    rates:
      - {per: 1000000, prices: {input_text_tokens: 2}}
      - {per: 1000000, when: {tier: flex}, prices: {input_text_tokens: 1}}
      - {per: 1000000, when: {tier: priority}, prices: {input_text_tokens: 4}}
      - {per: 1000000, when: {batch: true}, prices: {input_text_tokens: 1}}
      - {per: 1000000, when: {speed: quick}, prices: {input_text_tokens: 6}}
contracts:
  - {id: all-of-it, when: {account: acme}, factor: 0.9}
  - {id: batches, when: {account: batcher, batch: true}, factor: 0.5}
  - {id: batcher, when: {account: batcher}, factor: 0.8}
  - {id: standard-only, when: {account: plain, tier: standard, batch: false}, factor: 0.7}
",
    );
    check(
        &book,
        "openai/gpt | 2026-11-20 | input_text_tokens 1000000 | account acme | list 2, contracted 1.8
         openai/gpt | 2026-11-20 | input_text_tokens 1000000 | account acme, tier flex | list 1, contracted 0.9
         openai/gpt | 2026-11-20 | input_text_tokens 1000000 | account acme, tier fast | list 4, contracted 3.6
         openai/gpt | 2026-11-20 | input_text_tokens 1000000 | account acme, batch | list 1, contracted 0.9
         openai/gpt | 2026-11-20 | input_text_tokens 1000000 | account acme, tier batch | list 1, contracted 0.9
         openai/gpt | 2026-11-20 | input_text_tokens 1000000 | account acme, speed quick | list 6, contracted 5.4
         # The one that names the batch goes before the one for everything.
         openai/gpt | 2026-11-20 | input_text_tokens 1000000 | account batcher, batch | list 1, contracted 0.5
         openai/gpt | 2026-11-20 | input_text_tokens 1000000 | account batcher | list 2, contracted 1.6
         openai/gpt | 2026-11-20 | input_text_tokens 1000000 | account plain | list 2, contracted 1.4
         openai/gpt | 2026-11-20 | input_text_tokens 1000000 | account plain, tier flex | list 1, contracted 1
         openai/gpt | 2026-11-20 | input_text_tokens 1000000 | account plain, batch | list 1, contracted 1",
    );
}

#[test]
fn a_name_that_moves_means_what_it_meant_at_the_time() {
    // genai-prices 0.2.3 dates mistral-medium-latest: 0.40 until 2026-06-16, 1.50 since.
    let book = small(
        "provider: mistral_ai
currency: USD
skus:
  - {sku: medium-3, models: [mistral-medium-2508], rates: [{per: 1000000, prices: {input_text_tokens: 0.4}}]}
  - {sku: medium-3.5, models: [mistral-medium-2604], rates: [{per: 1000000, prices: {input_text_tokens: 1.5}}]}
aliases:
  - {model: mistral-medium-latest, sku: medium-3}
  - {model: mistral-medium-latest, sku: medium-3.5, valid_from: 2026-06-16}
",
    );
    check(
        &book,
        "mistral_ai/mistral-medium-latest | 2026-06-15T23:59:59.999999Z | input_text_tokens 1000000 | | 0.4
         mistral_ai/mistral-medium-latest | 2026-06-16 | input_text_tokens 1000000 | | 1.5
         mistral_ai/mistral-medium-2508   | 2026-07-01 | input_text_tokens 1000000 | | 0.4
         mistral_ai/mistral-medium-oldest | 2026-07-01 | input_text_tokens 1000000 | | unknown_model",
    );
}

#[test]
fn what_was_learnt_late_counts_for_its_time_and_only_in_books_of_later() {
    // Announced in May for September, cancelled in August; found out in October: July had a promotion.
    let yaml = "provider: p
currency: USD
skus:
  - sku: s
    models: [m]
    rates:
      - {per: 1, prices: {output_images: 10}}
      - {per: 1, known_from: 2026-05-01, known_to: 2026-08-15, valid_from: 2026-09-01, prices: {output_images: 12}}
      - {per: 1, known_from: 2026-10-05, valid_from: 2026-07-01, valid_to: 2026-08-01, prices: {output_images: 7}}
";
    let rows = parse_prices(&[("prices.yaml".to_string(), yaml.to_string())]).unwrap();
    let rows: Vec<_> = rows.iter().collect();
    let expected = BTreeMap::from([
        ("2026-04-30", ["10", "10"]),
        ("2026-05-01", ["10", "12"]),
        ("2026-08-14", ["10", "12"]),
        ("2026-08-15", ["10", "10"]),
        ("2026-10-04", ["10", "10"]),
        ("2026-10-05", ["7", "10"]),
        ("2030-01-01", ["7", "10"]),
    ]);
    for (as_of, [july, september]) in expected {
        let book = PriceBook::compile_as_of("test", &rows, as_of.parse().unwrap()).unwrap();
        check(
            &book,
            &format!(
                "p/m | 2026-07-20 | output_images 1 | | {july}\np/m | 2026-09-20 | output_images 1 | | {september}"
            ),
        );
    }
}

#[test]
fn a_price_by_the_month_is_for_seats_only() {
    let yaml = "provider: p\ncurrency: USD\nskus:\n  - {sku: s, models: [m], rates: [{per: month, prices: {gpu_seconds: 1}}]}\n";
    let findings = parse_prices(&[("prices/p.yaml".to_string(), yaml.to_string())]).expect_err("GPU months");
    assert!(findings[0].to_string().contains("gpu_seconds has no price by the month"), "{}", findings[0]);
}
