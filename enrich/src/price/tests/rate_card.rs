//! What internal prices say, and which of them holds.

use schemas::{ReferenceRow, Timestamp};
use stream::reference::Compiled;

use super::text;
use crate::price::{RateCard, Scope, UnitPrice, compiled_file, lint_prices, parse_prices};

const HEAD: &str = "currency: USD
source: finance, decision of 2026-01-05
rate_card:
";

fn parsed(rows: &str) -> Vec<ReferenceRow> {
    parse_prices(&[("prices/card.yaml".to_owned(), format!("{HEAD}{rows}"))]).unwrap_or_else(|f| panic!("{}", text(&f)))
}

/// The prices as lines: unit, team, amount and when it holds.
fn prices(rows: &[ReferenceRow], as_of: &str) -> Vec<String> {
    let card = RateCard::compile("test", &rows.iter().collect::<Vec<_>>()).unwrap();
    let time = |at: Timestamp, open: Timestamp| if at == open { String::new() } else { at.to_string() };
    let line = |price: &UnitPrice| {
        let (from, to) = (time(price.from, Timestamp::MIN), time(price.to, Timestamp::MAX));
        let team = price.scope.team.as_deref().unwrap_or("all");
        format!("{} {team} {} {} [{from}, {to})", price.unit, price.price, price.currency)
    };
    card.prices(as_of.parse().unwrap()).iter().map(line).collect()
}

#[test]
fn a_later_price_takes_over_at_its_first_instant_and_a_team_may_have_its_own() {
    let rows = parsed(
        "  - {unit: resolutions, price: 0.05}
  - {unit: resolutions, price: 0.04, valid_from: 2026-11-14}
  - {unit: resolutions, team: support, price: 0.045, currency: EUR, valid_from: 2026-11-01, valid_to: 2026-12-01}
",
    );
    let expected = [
        "resolutions all 0.05 USD [, 2026-11-14T00:00:00Z)",
        "resolutions all 0.04 USD [2026-11-14T00:00:00Z, )",
        "resolutions support 0.045 EUR [2026-11-01T00:00:00Z, 2026-12-01T00:00:00Z)",
    ];
    assert_eq!(prices(&rows, "2026-11-28"), expected);
}

#[test]
fn what_was_learnt_later_counts_from_when_it_was_known() {
    let rows = parsed(
        "  - {unit: documents, price: 1}
  - {unit: documents, price: 2, known_from: 2026-11-20}
",
    );
    assert_eq!(prices(&rows, "2026-11-19"), ["documents all 1 USD [, )"]);
    assert_eq!(prices(&rows, "2026-11-20"), ["documents all 2 USD [, )"]);
}

#[test]
fn the_scope_that_states_more_goes_first_and_no_two_kinds_of_scope_are_alike() {
    let mut seen = Vec::new();
    for bits in 0..16u32 {
        let stated = |bit: u32| (bits >> bit & 1 == 1).then(|| "x".into());
        let scope = Scope { customer: stated(3), project: stated(2), team: stated(1), workload: stated(0) };
        seen.push((scope.precedence(), bits.count_ones()));
    }
    seen.sort_unstable();
    assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1), "{seen:?}");
}

#[test]
fn rows_survive_being_compiled_into_one_file() {
    let rows = parsed("  - {unit: resolutions, team: support, project: bot, price: 0.05, valid_from: 2026-01-01}\n");
    let again = parse_prices(&[("prices.jsonl".to_owned(), compiled_file(&rows).unwrap())]).unwrap();
    assert_eq!(prices(&again, "2026-11-28"), prices(&rows, "2026-11-28"));
}

#[test]
fn impossible_rows_are_refused_with_file_row_and_remedy() {
    for (row, says) in [
        ("{unit: r, price: -1}", "rate_card[0]: price -1 is negative; state 0"),
        ("{unit: '', price: 1}", "rate_card[0]: names no unit; name it"),
        ("{unit: r, price: 0.0000000000001}", "rate_card[0]: price 0.0000000000001 is too fine"),
        ("{unit: r, price: 9999999999999999999999999999}", "is too fine or too large; state it for one unit"),
        ("{unit: r, price: 1, currency: dollars}", "currency \"dollars\" is no ISO 4217 code; write it as"),
        ("{unit: r, price: 1, valid_from: 2026-02-01, valid_to: 2026-02-01}", "valid_to is not after valid_from"),
        ("{unit: r, price: 1}\n  - {unit: r, price: 2}", "rate_card[1]: r has two prices from the same time; keep one"),
        (
            "{unit: r, team: t, price: 1, valid_to: 2026-06-01}\n  - {unit: r, team: t, price: 2, valid_from: 2026-05-01}",
            "rate_card[1]: r has two prices at one time",
        ),
        ("{unit: r, price: 1, per: 1000}", "per"),
        ("{unit: r}", "price"),
    ] {
        let findings = parse_prices(&[("prices/card.yaml".to_owned(), format!("{HEAD}  - {row}\n"))]);
        let said = text(&findings.expect_err(row));
        assert!(said.contains("prices/card.yaml") && said.contains(says), "{row}: {said}");
    }
    let findings = parse_prices(&[("a.yaml".to_owned(), "rate_card: [{unit: r, price: 1}]\n".to_owned())]);
    assert!(text(&findings.expect_err("no currency")).contains("rate_card[0]: no currency is stated; state its"));
}

#[test]
fn a_price_nobody_answers_for_is_worth_a_look() {
    let file = ("prices/card.yaml".to_owned(), "currency: USD\nrate_card: [{unit: r, price: 1}]\n".to_owned());
    let said = text(&lint_prices(&[file], "2026-11-30".parse().unwrap()).unwrap());
    assert_eq!(said, "prices/card.yaml: rate_card[0]: r has no source; state in source who decided it, and where\n");
}
