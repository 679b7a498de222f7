//! Cases worked out by hand, with round figures that show a rule.

use schemas::ids::hash_parts;
use schemas::{CostBasis, ReferenceRow};
use stream::reference::Compiled;

use super::*;
use crate::charge::{Cause, charge};
use crate::owner::{Directory, parse_owners};
use crate::price::parse_prices;
use crate::sample::call;

/// A dollar a search of either model, ten dollars a page, and the terms of a case.
fn book(terms: &str) -> PriceBook {
    let yaml = format!(
        "provider: cloud\ncurrency: USD\nskus:\n\
         - {{sku: cloud/a, models: [a], rates: [{{per: 1, prices: {{web_searches: 1}}}}]}}\n\
         - {{sku: cloud/b, models: [b], rates: [{{per: 1, prices: {{web_searches: 1}}}}]}}\n\
         - {{sku: cloud/c, models: [c], rates: [{{per: 1, prices: {{ocr_pages: 10}}}}]}}\n{terms}"
    );
    let rows = parse_prices(&[("prices.yaml".to_owned(), yaml)]).unwrap_or_else(|found| panic!("{found:?}"));
    PriceBook::compile("b1", &rows.iter().collect::<Vec<_>>()).unwrap()
}

/// Calls written as `2026-11-02T10:00:00Z a 6 search`: when, model, how much, team; then an account or `committed`.
fn uses(book: &PriceBook, calls: &str) -> Vec<Use> {
    let directory: Vec<ReferenceRow> =
        parse_owners(&[("owners.yaml".to_owned(), "claims: any\n".to_owned())]).unwrap_or_default();
    let directory = Directory::compile("d1", &directory.iter().collect::<Vec<_>>()).unwrap();
    let one = |(number, line): (usize, &str)| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let meter = if words[1] == "c" { "ocr_pages" } else { "web_searches" };
        let mut event = call(&format!("cloud/{}", words[1]), words[0], &format!("{meter} {}", words[2]));
        event.dedup_key = hash_parts([number.to_string().as_bytes()]);
        event.claimed.team = Some(words[3].into());
        for word in &words[4..] {
            match *word {
                "committed" => event.cost_basis = CostBasis::Committed,
                account => event.claimed.billing_account = Some(account.into()),
            }
        }
        Use::of(&charge(Box::new(event), book, &directory, 0, Cause::arrival("2026-11-01".parse().unwrap()), &[]), book)
    };
    calls.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate().filter_map(one).collect()
}

fn told(book: &PriceBook, uses: Vec<Use>, from: &str, to: &str) -> Vec<String> {
    let [from, to, now] = [from, to, "2030-01-01"].map(|time| time.parse().unwrap());
    let line = |entry: &Entry| {
        let team = entry.payer.dimensions.get("team").map_or("-", Text::as_str);
        let day: String = entry.time.to_string().chars().take(10).collect();
        format!("{day} {} {} {team} {}", entry.term, entry.payer.model, entry.amount)
    };
    settle(book, uses, (from, to), now).unwrap().iter().map(line).collect()
}

fn check(terms: &str, calls: &str, expected: &[&str]) {
    let book = book(terms);
    let found = told(&book, uses(&book, calls), "2026-11-01", "2026-12-01");
    assert_eq!(found, expected);
    let mut other_way = uses(&book, calls);
    other_way.reverse();
    assert_eq!(told(&book, other_way, "2026-11-01", "2026-12-01"), expected, "the order of arrival changes nothing");
}

#[test]
fn a_group_shares_its_free_units_in_the_order_of_calls_and_a_call_may_use_the_last_of_them() {
    check(
        "allowances: [{id: free, covers: [cloud/a, cloud/b], meters: [web_searches], quantity: 10}]",
        "2026-11-02T10:00:00Z a 6 search
         2026-11-02T11:00:00Z b 6 growth
         2026-11-03T00:00:00Z a 5 search
         2026-11-03T00:00:00Z c 5 search",
        &["2026-11-02 free a search -6", "2026-11-02 free b growth -4"],
    );
}

#[test]
fn an_allowance_of_the_day_follows_the_clock_of_its_zone_and_each_account_has_its_own() {
    check(
        "allowances: [{id: free, covers: [cloud/a], meters: [web_searches], quantity: 2, every: day, timezone: America/Los_Angeles}]",
        // 07:59 and 08:00 UTC are two days in California; so are the two sides of the change to winter time.
        "2026-11-03T07:59:59Z a 3 search one
         2026-11-03T08:00:00Z a 3 search one
         2026-11-03T08:00:00Z a 1 search two
         2026-11-01T06:59:59Z a 2 search one
         2026-11-01T07:00:00Z a 2 search one
         2026-11-02T07:59:59Z a 1 search one",
        &["2026-11-01 free a search -4", "2026-11-03 free a search -4", "2026-11-03 free a search -1"],
    );
}

#[test]
fn a_call_that_crosses_a_step_of_a_ladder_pays_each_part_by_its_own() {
    check(
        "ladders: [{id: volume, scope: organisation, covers: [cloud/a], meters: [web_searches], bands: [{from: 0, factor: 1}, {from: 10, factor: 0.5}, {from: 20, price: 0.1}]}]",
        "2026-11-02 a 8 search one
         2026-11-03 a 14 search two
         2026-11-04 a 10 growth
         2026-11-05 a 0 growth",
        // Two at 1, ten at 0.5, two at 0.1: 7.2 instead of 14. Then ten at 0.1.
        &["2026-11-03 volume a search -6.8", "2026-11-04 volume a growth -9"],
    );
}

#[test]
fn a_ladder_begins_anew_each_month_and_counts_what_the_month_began_with() {
    let book = book(
        "ladders: [{id: volume, timezone: Europe/Berlin, covers: [cloud/a], meters: [web_searches], bands: [{from: 0, factor: 1}, {from: 1, factor: 0.5}]}]",
    );
    let calls = uses(&book, "2026-10-31T22:59:59Z a 5 s\n2026-10-31T23:00:00Z a 1 s\n2026-11-01 a 2 s");
    assert_eq!(told(&book, calls.clone(), "2026-11-01", "2026-12-01"), ["2026-11-01 volume a s -1"]);
    assert_eq!(told(&book, calls, "2026-10-01", "2026-11-01"), ["2026-10-31 volume a s -2"]);
    assert_eq!(counted_from(&book, "2026-11-01".parse().unwrap()).to_string(), "2026-10-31T23:00:00Z");
}

#[test]
fn committed_spend_is_paid_used_or_not_and_what_goes_beyond_it_on_demand() {
    let terms = "commitments: [{id: deal, kind: committed_spend, quantity: 100, price: 80, valid_from: 2026-11-01, team: core}]";
    check(
        terms,
        "2026-11-02 a 40 search\n2026-11-03 a 30 growth",
        &[
            "2026-11-02 deal a search -8",
            "2026-11-03 deal a growth -6",
            // 80 in all, of which 56 were used.
            "2026-11-30 deal deal core 24",
        ],
    );
    // 100 of 130 are covered: 80 + 30 on demand = 110 = 130 - 20.
    check(
        terms,
        "2026-11-02 a 90 search\n2026-11-03 c 4 growth",
        &["2026-11-02 deal a search -18", "2026-11-03 deal c growth -2"],
    );
}

#[test]
fn prepaid_credits_are_used_first_that_expire_first_and_what_is_left_expires() {
    let terms = "commitments:\n\
        - {id: late, kind: prepaid, quantity: 50, price: 25, valid_from: 2026-10-01, valid_to: 2027-01-01}\n\
        - {id: soon, kind: prepaid, quantity: 10, price: 8, valid_from: 2026-10-01, valid_to: 2026-11-20}\n\
        - {id: other, kind: prepaid, quantity: 9, price: 3, valid_from: 2026-10-01, valid_to: 2026-11-10, covers: [cloud/b]}";
    check(
        terms,
        "2026-10-05 a 4 search\n2026-11-02 a 16 search\n2026-11-21 a 45 search",
        &[
            // Ten left of `late` after the first, 40 of the last call: 40 at half price, 5 on demand.
            "2026-11-02 late a search -5",
            "2026-11-21 late a search -20",
            "2026-11-09 other other - 3",
            "2026-11-02 soon a search -1.2",
        ],
    );
}

#[test]
fn who_settles_each_day_when_it_is_over_has_the_entries_of_who_settles_once() {
    let terms = "allowances: [{id: free, covers: [cloud/a], meters: [web_searches], quantity: 5, every: day}]\n\
        ladders: [{id: steps, covers: [cloud/b], meters: [web_searches], bands: [{from: 0, factor: 1}, {from: 20, factor: 0.5}]}]\n\
        commitments:\n\
        - {id: soon, kind: prepaid, quantity: 10, price: 8, valid_from: 2026-10-01, valid_to: 2026-11-20}\n\
        - {id: deal, kind: committed_spend, quantity: 100, price: 80, valid_from: 2026-11-01, team: core}\n\
        - {id: hours, kind: provisioned, quantity: 1, price: 2, per: 3600, valid_from: 2026-11-05, valid_to: 2026-11-08, covers: [cloud/c]}";
    let book = book(terms);
    let mut random = 7u64;
    let mut next = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % bound
    };
    let mut calls = String::new();
    for _ in 0..300 {
        let (day, hour, model) = (1 + next(30), next(24), ["a", "b", "c"][next(3) as usize]);
        let committed = if model == "c" && (5..8).contains(&day) { " committed" } else { "" };
        let team = ["search", "growth"][next(2) as usize];
        calls += &format!("2026-11-{day:02}T{hour:02}:30:00Z {model} {} {team}{committed}\n", 1 + next(3));
    }
    let all = uses(&book, &calls);
    let settled = |uses: Vec<Use>, from: Timestamp, to: Timestamp| settle(&book, uses, (from, to), to).unwrap();
    let (first, end): (Timestamp, Timestamp) = ("2026-11-01".parse().unwrap(), "2026-12-01".parse().unwrap());
    let by_id = |entries: Vec<Entry>| -> BTreeMap<String, (Timestamp, Money)> {
        entries.into_iter().map(|entry| (entry.id.to_string(), (entry.time, entry.amount))).collect()
    };
    let once = by_id(settled(all.clone(), first, end));
    let mut daily = BTreeMap::new();
    for day in 0..30 {
        let (from, to) = (first.plus_seconds(day * 86_400), first.plus_seconds((day + 1) * 86_400));
        // What had been used by the end of that day.
        let known = all.iter().filter(|one| one.time < to).cloned().collect();
        daily.extend(by_id(settled(known, from, to)));
    }
    let terms: std::collections::BTreeSet<Text> =
        settled(all, first, end).into_iter().map(|entry| entry.term).collect();
    assert_eq!(terms.len(), 5, "each of the terms has entries: {terms:?}");
    assert_eq!(daily, once);
}

#[test]
fn a_ladder_comes_before_what_is_paid_in_advance() {
    check(
        "allowances: [{id: free, covers: [cloud/a], meters: [web_searches], quantity: 4}]\n\
         commitments: [{id: deal, kind: prepaid, quantity: 10, price: 5, valid_from: 2026-11-01}]",
        "2026-11-02 a 10 search",
        &["2026-11-02 deal a search -3", "2026-11-02 free a search -4"],
    );
}

#[test]
fn capacity_is_shared_by_the_calls_it_served_an_idle_day_is_its_holders_and_spill_over_is_on_demand() {
    let book = book(
        "commitments: [{id: ptu, kind: provisioned, quantity: 2, price: 1, per: 3600, covers: [cloud/a], valid_from: 2026-11-02, valid_to: 2026-11-05T12:00:00Z, team: core}]",
    );
    let calls = "2026-11-03T01:00:00Z a 3 search committed
         2026-11-03T02:00:00Z a 1 growth committed
         2026-11-03T03:00:00Z a 100 growth
         2026-11-04T03:00:00Z b 100 growth committed";
    assert_eq!(
        told(&book, uses(&book, calls), "2026-11-01", "2026-12-01"),
        [
            "2026-11-02 ptu ptu core 48",
            "2026-11-03 ptu a growth 12",
            "2026-11-03 ptu a search 36",
            "2026-11-04 ptu ptu core 48",
            "2026-11-05 ptu ptu core 24"
        ]
    );
}

#[test]
fn capacity_by_the_hour_costs_the_hours_a_day_has_and_a_term_the_same_each_day() {
    let hourly = book(
        "commitments: [{id: ptu, kind: provisioned, quantity: 1, price: 1, per: 3600, timezone: Europe/Berlin, valid_from: 2026-01-01}]",
    );
    let day = |book: &PriceBook, from: &str, to: &str| told(book, Vec::new(), from, to);
    assert_eq!(day(&hourly, "2026-03-29", "2026-03-30"), ["2026-03-29 ptu ptu - 23"]);
    assert_eq!(day(&hourly, "2026-10-25", "2026-10-26"), ["2026-10-25 ptu ptu - 25"]);
    let term = |from: &str, to: &str| {
        book(&format!(
            "commitments: [{{id: res, kind: reserved, quantity: 1, price: 366, timezone: Europe/Berlin, valid_from: {from}, valid_to: {to}}}]"
        ))
    };
    let leap = term("2027-12-31T23:00:00Z", "2028-12-31T23:00:00Z");
    assert_eq!(day(&leap, "2028-02-29", "2028-03-01"), ["2028-02-29 res res - 1"]);
    assert_eq!(day(&leap, "2028-03-26", "2028-03-27"), ["2028-03-26 res res - 1"], "a day of 23 hours");
    assert_eq!(day(&leap, "2027-12-31", "2028-01-02"), ["2028-01-01 res res - 1"]);
    let plain = term("2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z");
    let sum = |days: Vec<String>| -> Money {
        let amounts = days.iter().map(|day| day.rsplit(' ').next().unwrap().parse::<Money>().unwrap());
        amounts.fold(Money::ZERO, |sum, amount| sum.checked_add(amount).unwrap())
    };
    assert_eq!(sum(day(&plain, "2026-01-01", "2027-01-01")).to_string(), "366", "the days add up to the price");
}

#[test]
fn terms_that_cannot_be_right_are_refused_with_their_row() {
    let refused = |terms: &str| {
        let yaml = format!(
            "provider: cloud\ncurrency: USD\nskus: [{{sku: cloud/a, models: [a], rates: [{{per: 1, prices: {{web_searches: 1}}}}]}}]\n{terms}"
        );
        parse_prices(&[("prices.yaml".to_owned(), yaml)]).unwrap_err()[0].to_string()
    };
    let ladder =
        |rest: &str| refused(&format!("ladders: [{{id: l, covers: [cloud/a], meters: [web_searches], {rest}}}]"));
    assert!(ladder("bands: [{from: 1, factor: 1}]").contains("ladder l: bands do not rise from 0"));
    assert!(ladder("bands: [{from: 0, factor: 1, price: 1}]").contains("a band has no price"));
    assert!(ladder("timezone: Mars, bands: [{from: 0, factor: 1}]").contains("\"Mars\" is no time zone"));
    let twice = "allowances: [{id: f, covers: [cloud/a], meters: [web_searches], quantity: 1}, {id: g, covers: [cloud/a], meters: [web_searches], quantity: 1}]";
    assert!(refused(twice).contains("counts units that f counts too"), "{}", refused(twice));
    let deal = |rest: &str| refused(&format!("commitments: [{{id: d, quantity: 1, price: 1, {rest}}}]"));
    assert!(deal("kind: prepaid").contains("commitment d: never began"));
    assert!(deal("kind: reserved, valid_from: 2026-01-01").contains("a term that never ends"));
    assert!(deal("kind: prepaid, valid_from: 2026-01-01, covers: [x]").contains("covers sku \"x\""));
}

#[test]
fn amounts_are_exact_beyond_what_a_product_of_two_holds() {
    assert_eq!(times(10i128.pow(30), 10i128.pow(30), 10i128.pow(30)), Some(10i128.pow(30)));
    assert_eq!((times(5, 1, 2), times(7, 1, 2), times(-5, 1, 2), times(1, 1, 0)), (Some(2), Some(4), Some(-2), None));
}
