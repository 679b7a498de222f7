//! Books that are refused whole, with file, row and what to do.

use schemas::{ReferenceItem, ReferenceRow};
use stream::reference::{Reference, ReferenceSink, manifest, row};

use super::text;
use crate::price::{PriceBook, compiled_file, lint_prices, parse_prices};
use crate::sample::call;

const HEAD: &str = "provider: p
currency: USD
";

/// Checks that a book of one file is refused with a sentence that holds all of `parts`.
fn check(body: &str, parts: &[&str]) {
    let file = ("prices/p.yaml".to_string(), format!("{HEAD}{body}"));
    let findings = parse_prices(&[file]).expect_err("a bad book was taken");
    let said = text(&findings);
    for part in ["prices/p.yaml"].iter().chain(parts) {
        assert!(said.contains(part), "{said:?} does not say {part:?}");
    }
}

fn rates(rates: &str) -> String {
    format!("skus:\n  - sku: s\n    models: [m]\n    rates:\n{rates}")
}

#[test]
fn two_prices_a_call_could_meet_alike() {
    check(
        &rates(
            "      - {per: 1, prices: {output_images: 1}}
      - {per: 1, prices: {output_images: 2}}
",
        ),
        &["sku s rates[1]", "output_images of s ties with", "rates[0]", "later valid_from"],
    );
    let quality_and_size = "      - {per: 1, when: {quality: high}, prices: {output_images: 2}}
      - {per: 1, when: {size: large}, prices: {output_images: 3}}
";
    check(&rates(quality_and_size), &["could meet both"]);
}

#[test]
fn a_row_for_calls_that_meet_both_resolves_a_tie() {
    let yaml = rates(
        "      - {per: 1, when: {quality: high}, prices: {output_images: 2}}
      - {per: 1, when: {size: large}, prices: {output_images: 3}}
      - {per: 1, when: {quality: high, size: large}, prices: {output_images: 4}}
",
    );
    assert!(parse_prices(&[("prices/p.yaml".to_string(), format!("{HEAD}{yaml}"))]).is_ok());
}

#[test]
fn impossible_figures() {
    check(&rates("      - {per: 1, prices: {output_images: -1}}\n"), &["rates[0]", "negative"]);
    check(&rates("      - {per: 0, prices: {output_images: 1}}\n"), &["per 0 is not above zero"]);
    check(&rates("      - {per: 1M, prices: {output_images: 1}}\n"), &["rates[0]", "per is neither a whole number"]);
    let discount = "contracts:\n  - {id: c, when: {account: a}, factor: 92}\n";
    check(&(rates("      - {per: 1, prices: {output_images: 1}}\n") + discount), &["contract c", "0.92 for 8 % off"]);
    check(&rates("      - {per: 1, prices: {output_images: 1e-6}}\n"), &["plain decimal number"]);
    check(&rates("      - {per: 1, prices: {output_images: 0.0000000000000000001}}\n"), &["decimal places"]);
    check(&rates("      - {per: 1, prices: {output_pictures: 1}}\n"), &["output_pictures"]);
    let backwards = "      - {per: 1, valid_from: 2026-02-01, valid_to: 2026-01-01, prices: {output_images: 1}}\n";
    check(&rates(backwards), &["valid_to is not after valid_from"]);
}

#[test]
fn names_that_lead_nowhere_or_two_ways() {
    check("aliases:\n  - {model: m, sku: nowhere}\n", &["alias m", "nowhere"]);
    check("skus:\n  - {sku: a, models: [m]}\n  - {sku: b, models: [m]}\n", &["sku b", "two meanings"]);
    check("skus:\n  - {sku: a, models: [m], currency: EUR}\n", &["EUR", "exchange rate", "fx"]);
    check("uplifts:\n  - {skus: [a], when: {residency: us}, factor: 1.1}\n", &["uplifts[0]", "not in the book"]);
    let unknown_zone =
        "      - {per: 1, when: {hours: {zone: Mars/Base, windows: [\"01:00-02:00\"]}}, prices: {requests: 1}}\n";
    check(&rates(unknown_zone), &["Mars/Base", "IANA"]);
}

#[test]
fn files_that_are_cut_off_or_misspelt() {
    check("skus:\n  - sku: s\n    models: [m", &["line"]);
    check("skuz: []\n", &["skuz"]);
    let findings = parse_prices(&[("a.yaml".to_string(), "skus:\n  - {sku: s, models: [m]}\n".to_string())]);
    assert!(text(&findings.expect_err("no provider")).contains("names no provider"));
}

/// What is worth a look in a valid book of one file, at the end of November 2026.
fn lint(body: &str) -> Vec<crate::finding::Finding> {
    lint_prices(&[("prices/p.yaml".to_string(), format!("{HEAD}{body}"))], "2026-11-30".parse().unwrap()).unwrap()
}

#[test]
fn a_batch_that_is_not_half_is_worth_a_look() {
    let said = |batch: &str| {
        let row = |when: &str, prices: &str| {
            format!("      - {{per: 1000000, source: s, checked: 2026-11-22, {when}prices: {{{prices}}}}}\n")
        };
        let standard = row("", "input_text_tokens: 4, output_text_tokens: 20");
        let long = row("when: {band: {above: 200000}}, ", "input_text_tokens: 8, output_text_tokens: 30");
        text(&lint(&rates(&format!("{standard}{long}{}", row("when: {batch: true}, ", batch)))))
    };
    let wrong = said("input_text_tokens: 2.5, output_text_tokens: 12.5");
    assert!(wrong.contains("rates[2]: a batch is 62.5 % of the standard price of input_text_tokens"), "{wrong}");
    // Half of a price that is a tenth lower.
    assert!(said("input_text_tokens: 1.82, output_text_tokens: 9.1").contains("45.5 %"));
    assert_eq!(said("input_text_tokens: 2, output_text_tokens: 10"), "");
    // A fifth off, and all tokens alike, is what somebody decided.
    assert_eq!(said("input_text_tokens: 3.2, output_text_tokens: 16"), "");
    assert!(said("input_text_tokens: 3.2, output_text_tokens: 15").contains("80 %"));
}

#[test]
fn a_contract_that_takes_over_long_prompts_unsaid_is_worth_a_look() {
    let book = |when: &str| {
        format!(
            "source: s\nchecked: 2026-11-22\n{}contracts:\n  - {{id: c, skus: [s], per: 1000000, when: {{account: acme{when}}}, prices: {{input_text_tokens: 3}}}}\n",
            rates(
                "      - {per: 1000000, prices: {input_text_tokens: 4}}
      - {per: 1000000, when: {band: {above: 200000}}, prices: {input_text_tokens: 8}}
"
            )
        )
    };
    let said = text(&lint(&book("")));
    assert!(said.contains("contract c: input_text_tokens of s has other prices at list for long prompts"), "{said}");
    assert_eq!(text(&lint(&book(", band: {up_to: 200000}"))), "");
}

#[test]
fn a_discount_that_makes_dearer_is_worth_a_look() {
    let said = |factor: &str| {
        let rates = rates("      - {per: 1, prices: {output_images: 1}}\n");
        let contract = format!("contracts:\n  - {{id: c, when: {{account: a}}, factor: {factor}}}\n");
        text(&lint(&format!("source: s\nchecked: 2026-11-22\n{rates}{contract}")))
    };
    let dearer = said("1.08");
    assert!(dearer.contains("factor 1.08 makes it dearer than the list price"), "{dearer}");
    assert_eq!(said("0.92"), "");
}

#[test]
fn a_calendar_that_ends_within_two_months_is_worth_a_look() {
    let said = |days: &str| {
        text(&lint(&format!("source: s\nchecked: 2026-11-22\ncalendars:\n  - {{calendar: CN, days: [{days}]}}\n")))
    };
    let ends = said("2026-10-07, 2027-01-01");
    assert!(ends.contains("calendar CN: calendar CN has no day after 2027-01-01"), "{ends}");
    assert_eq!(said("2026-10-07, 2027-02-06"), "");
}

#[test]
fn figures_without_source_and_suspicious_jumps_are_worth_a_look() {
    let yaml = rates(
        "      - {per: 1000, prices: {output_images: 0.05}}
      - {per: 1000, when: {tier: priority}, source: https://example.com/pricing, checked: 2026-11-22, prices: {output_images: 2.6}}
",
    );
    let warnings = lint(&yaml);
    let said = text(&warnings);
    assert_eq!(warnings.len(), 2, "{said}");
    assert!(
        said.contains("rates[0]: has no source") && said.contains("rates[1]: 2.6 per 1000 output_images is 52 times")
    );
}

#[test]
fn gaps_and_ends_that_a_later_row_makes_void_are_worth_a_look() {
    let row = |dates: &str, price: u32| {
        format!("      - {{per: 1, source: s, checked: 2026-11-22, {dates}, prices: {{output_images: {price}}}}}\n")
    };
    let said = |rows: &[String]| text(&lint(&rates(&rows.concat())));
    let gap = said(&[row("valid_to: 2026-03-01", 1), row("valid_from: 2026-04-01", 2)]);
    assert!(gap.contains("has no price from 2026-03-01T00:00:00Z to 2026-04-01T00:00:00Z"), "{gap}");
    let overlap = said(&[row("valid_to: 2026-06-01", 1), row("valid_from: 2026-04-01", 2)]);
    assert!(overlap.contains("said to hold until 2026-06-01T00:00:00Z"), "{overlap}");
    assert_eq!(said(&[row("valid_to: 2026-04-01", 1), row("valid_from: 2026-04-01", 2)]), "");
}

#[test]
fn a_compiled_book_that_was_cut_off_or_changed() {
    let file =
        ("prices/p.yaml".to_string(), format!("{HEAD}{}", rates("      - {per: 1, prices: {output_images: 4}}\n")));
    let rows = parse_prices(&[file]).unwrap();
    let compiled = compiled_file(&rows).unwrap();
    let read = |text: &str| parse_prices(&[("prices.jsonl".to_string(), text.to_string())]);
    let again = read(&compiled).unwrap();
    let ids = |rows: &[ReferenceRow]| rows.iter().map(|row| row.row_id).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&rows), "a compiled book is the book");
    let lines: Vec<&str> = compiled.lines().collect();
    let short = text(&read(&lines[..lines.len() - 1].join("\n")).expect_err("a row is missing"));
    assert!(short.contains("prices.jsonl: line 1: is cut off") && short.contains("has 2 rows of 3"), "{short}");
    let changed = text(&read(&compiled.replace("\"4\"", "\"5\"")).expect_err("a price was changed"));
    assert!(changed.contains("it was changed"), "{changed}");
}

#[test]
fn a_running_service_keeps_the_book_it_has_when_a_later_one_cannot_be_used() {
    let rows = |price: u32| {
        let yaml = format!("{HEAD}{}", rates(&format!("      - {{per: 1, prices: {{output_images: {price}}}}}\n")));
        parse_prices(&[("prices/p.yaml".to_string(), yaml)]).unwrap()
    };
    let published = |rows: &[ReferenceRow], at: &str| {
        let at = at.parse().unwrap();
        let manifest = ReferenceItem::Manifest(manifest("prices", rows, at, at));
        rows.iter().cloned().map(ReferenceItem::Row).chain([manifest]).collect::<Vec<_>>()
    };
    let reference = Reference::<PriceBook>::default();
    reference.apply(published(&rows(4), "2026-11-01")).unwrap();
    // Both prices in one version: a call could meet either.
    let both: Vec<ReferenceRow> =
        rows(4).into_iter().chain(rows(5).into_iter().filter(|row| row.body.starts_with("{\"rate\""))).collect();
    let error = reference.apply(published(&both, "2026-11-02")).unwrap_err().to_string();
    assert!(error.contains("ties with"), "{error}");
    let unreadable = vec![row("prices", "prices/p.yaml: rates[0]", "{\"rate\": {}}")];
    assert!(reference.apply(published(&unreadable, "2026-11-03")).is_err());
    let mut missing = published(&rows(6), "2026-11-04");
    missing.remove(1);
    assert!(reference.apply(missing).unwrap_err().to_string().contains("which is missing"));
    let versions = reference.versions();
    assert_eq!(versions.iter().count(), 1);
    let book = versions.at("2026-12-01".parse().unwrap()).unwrap();
    assert_eq!(super::list(book, &call("p/m", "2026-11-20", "output_images 1")), "4");
}
