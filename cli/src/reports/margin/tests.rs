use super::*;

fn picos(text: &str) -> Option<i128> {
    let amount: schemas::Money = text.parse().ok()?;
    Some(amount.picos())
}

/// Units of one price, or, with an empty price, without one.
fn units(count: &str, price: &str, currency: &str) -> Piece {
    let currency = (!currency.is_empty()).then(|| currency.to_owned());
    Piece {
        unit: Some("resolutions".to_owned()),
        currency,
        unit_price: picos(price),
        units: picos(count),
        ..Piece::default()
    }
}

fn cost(amount: &str, currency: &str) -> Piece {
    let unit = Some("resolutions".to_owned());
    Piece { unit, currency: Some(currency.to_owned()), requests: 1, cost: picos(amount), ..Piece::default() }
}

/// The lines: currency, units, unrated, price, chargeback, cost, margin.
fn check(pieces: &[Piece], expected: &[&str]) {
    let amount = |picos: Option<i128>| {
        picos.map_or("-".to_owned(), |picos| schemas::Money::from_picos(picos).map(|money| money.to_string()).unwrap())
    };
    let line = |line: &Line| {
        let figures = [line.units, line.unrated_units, line.unit_price, line.chargeback, line.cost, line.margin];
        format!("{} {}", line.currency.as_deref().unwrap_or("-"), figures.map(amount).join(" "))
    };
    let lines: Vec<String> = lines(pieces).unwrap().iter().map(line).collect();
    assert_eq!(lines, expected);
}

#[test]
fn prices_of_one_unit_are_added_exactly_and_shown_as_their_average() {
    check(&[units("100", "0.05", "USD"), cost("4", "USD")], &["USD 100 - 0.05 5 4 1"]);
    check(
        &[units("100", "0.05", "USD"), units("200", "0.04", "USD"), cost("15", "USD")],
        &["USD 300 - 0.043333333333 13 15 -2"],
    );
}

#[test]
fn an_amount_is_rounded_once_half_to_even() {
    let third = units("0.333333333333", "0.000000000001", "USD");
    check(std::slice::from_ref(&third), &["USD 0.333333333333 - 0.000000000001 0 - -"]);
    // Twice a third of a picodollar is more than a half.
    let other = Piece { unit_price: Some(2), ..third.clone() };
    check(&[third, other], &["USD 0.666666666666 - 0.000000000002 0.000000000001 - -"]);
    check(&[units("0.5", "0.000000000001", "USD")], &["USD 0.5 - 0.000000000001 0 - -"]);
    check(&[units("1.5", "0.000000000001", "USD")], &["USD 1.5 - 0.000000000001 0.000000000002 - -"]);
}

#[test]
fn units_without_a_price_are_no_zero_and_withhold_the_margin() {
    check(&[units("7", "", ""), cost("4", "USD")], &["USD - 7 - - 4 -"]);
    check(&[units("7", "", "")], &["- - 7 - - - -"]);
    check(
        &[units("100", "0.05", "USD"), units("7", "", ""), cost("4", "USD")],
        &["USD 100 - 0.05 5 4 -", "- - 7 - - - -"],
    );
    check(&[units("100", "0", "USD"), cost("4", "USD")], &["USD 100 - 0 0 4 -4"]);
}

#[test]
fn currencies_stand_apart_and_no_margin_is_made_of_two() {
    check(&[units("100", "0.05", "EUR"), cost("4", "USD")], &["EUR 100 - 0.05 5 - -", "USD - - - - 4 -"]);
    check(
        &[units("100", "0.05", "EUR"), units("100", "0.05", "USD"), cost("4", "USD")],
        &["EUR 100 - 0.05 5 - -", "USD 100 - 0.05 5 4 -"],
    );
}

#[test]
fn units_that_cost_nothing_known_have_no_margin() {
    check(&[units("100", "0.05", "USD")], &["USD 100 - 0.05 5 - -"]);
    let unpriced = Piece { cost: None, unpriced_requests: 1, ..cost("0", "USD") };
    check(&[units("100", "0.05", "USD"), unpriced], &["USD 100 - 0.05 5 - -"]);
}

#[test]
fn amounts_of_more_than_38_digits_are_refused() {
    let most = Piece { units: Some(i128::MAX), unit_price: Some(i128::MAX), ..units("1", "1", "USD") };
    assert!(lines(std::slice::from_ref(&most)).unwrap_err().to_string().contains("38 digits"));
    assert!(lines(&[most.clone(), most]).unwrap_err().to_string().contains("38 digits"));
}

#[test]
fn names_in_the_card_stay_text() {
    let price = UnitPrice {
        unit: "it's".into(),
        scope: enrich::price::Scope { team: Some("a' OR 1=1 --".into()), ..Default::default() },
        price: "0.05".parse().unwrap(),
        currency: "USD".into(),
        from: Timestamp::MIN,
        to: "2026-11-14T00:00:00Z".parse().unwrap(),
    };
    let request = Request { what: super::super::What::Margin, by: None, period: Default::default(), as_of: None };
    let sql = sql(&request, &[price.clone(), price]).unwrap();
    assert!(sql.contains("SELECT 'it''s' AS of_unit") && sql.contains("'a'' OR 1=1 --' AS of_team"), "{sql}");
    assert!(sql.contains("TIMESTAMPTZ '2026-11-14 00:00:00+00' AS valid_to\n  UNION ALL SELECT 'it''s', "), "{sql}");
}
