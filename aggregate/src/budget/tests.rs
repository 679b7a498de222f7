use schemas::Charge;
use schemas::projection::project;

use super::*;
use crate::testing::{at, charge, definition, money};

fn findings(yaml: &str) -> String {
    parse_budgets("b.yaml", yaml).unwrap_err().to_string()
}

/// The budget of [`definition`], with one line of it replaced.
fn yaml(replace: &str, by: &str) -> String {
    let text = r#"
budgets:
  - id: platform
    name: Platform
    tenant: acme
    scope: { team: platform }
    currency: USD
    time_zone: Europe/Berlin
    fiscal_year_start: 1
    amounts: { month: "100" }
    thresholds:
      - { period: month, share: "0.8", action: notify, severity: warning }
"#;
    assert!(text.contains(replace), "{replace:?} is not in the text");
    text.replace(replace, by)
}

#[test]
fn the_example_file_is_valid_and_names_the_example_teams() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example/budgets.yaml");
    let rows = read_budgets(&path).unwrap_or_else(|findings| panic!("{findings}"));
    let rows: Vec<_> = rows.iter().collect();
    let budgets = Budgets::compile("v1", &rows).unwrap();
    let teams: Vec<_> = budgets.iter().map(|budget| budget.definition.scope["team"].as_deref()).collect();
    let named = ["platform", "support", "search", "growth", "data-science"].map(Some);
    assert_eq!(teams, [named.as_slice(), &[None]].concat());
}

#[test]
fn every_finding_names_file_budget_field_and_remedy() {
    let place = "b.yaml, budgets[0] (platform): ";
    for (replace, by, message) in [
        ("Europe/Berlin", "Berlin", "time_zone \"Berlin\" is not an IANA zone such as America/New_York"),
        ("USD", "dollars", "currency \"dollars\" is not an ISO 4217 code such as USD"),
        ("year_start: 1", "year_start: 13", "fiscal_year_start 13 is not a month from 1 to 12"),
        ("\"100\"", "\"-100\"", "amount of the month is -100; it must be more than 0"),
        ("\"100\"", "100.10", "amounts.month: 100.1 is a floating point number; quote it to keep it exact"),
        ("\"100\"", "\"1e3\"", "amounts.month: \"1e3\" is not a decimal number with at most 12 decimal places"),
        (
            "period: month",
            "period: quarter",
            "thresholds[0] (0.8 of the quarter): the budget states no amount for the quarter, only for month; add it to amounts",
        ),
        (
            "warning",
            "bad",
            "thresholds[0] (0.8 of the month): severity \"bad\" is not one of info, warning, error, critical",
        ),
        ("{ month: \"100\" }", "{}", "amounts is empty; state one for each period, e.g. month: \"12000\""),
    ] {
        assert_eq!(findings(&yaml(replace, by)), format!("{place}{message}"));
    }
    assert_eq!(
        findings(&yaml("    currency: USD", "    valid_from: 2026-13-01\n    currency: USD")),
        format!("{place}valid_from: 2026-13-01 is no day of the calendar; write one such as 2026-11-30")
    );
    let week = findings(&yaml("{ month: \"100\" }", "{ week: \"100\" }"));
    assert!(week.starts_with(&format!("{place}amounts")) && !week.contains(" at line "), "{week}");
    assert!(findings(&yaml("0.8", "80%")).contains("write 80 % as \"0.8\""));
    assert!(
        findings(&yaml("{ team:", "{ squad:"))
            .contains("scope: squad is not a dimension; use tag.<key> or one of team,")
    );
    assert!(findings(&yaml("currency: USD", "curency: USD")).contains("unknown field `curency`"));
}

#[test]
fn an_id_used_twice_is_refused_with_both_places() {
    let twice = yaml("budgets:\n", "budgets:\n") + &yaml("budgets:\n", "").replace("name: Platform", "name: Other");
    assert_eq!(
        findings(&twice),
        "b.yaml, budgets[1] (platform): id platform is taken by b.yaml, budgets[0] (platform); give each budget its own"
    );
}

#[test]
fn a_file_is_refused_with_every_reason_at_once() {
    let bad = yaml("USD", "dollars");
    let two = bad.clone() + &bad.replace("budgets:\n", "").replace("id: platform", "id: other");
    assert_eq!(findings(&two).lines().count(), 2);
}

#[test]
fn the_sample_file_is_a_list_named_budgets_and_nothing_else() {
    assert!(findings("teams: []").contains("not known at the top"));
    assert!(findings("[]").contains("no list named budgets"));
}

#[test]
fn a_share_reaches_at_the_first_amount_that_is_not_below_it() {
    let limit = |share: &str, amount: &str| share.parse::<Share>().unwrap().limit(money(amount)).unwrap();
    assert_eq!(limit("0.8", "100"), money("80"));
    assert_eq!(limit("1.1", "33000"), money("36300"));
    // A third of a picounit cannot be spent: the next whole one reaches it.
    assert_eq!(limit("0.333333", "0.000000000001"), money("0.000000000001"));
    assert_eq!("0.80".parse::<Share>().unwrap(), "0.8".parse().unwrap());
    assert_eq!("0.80".parse::<Share>().unwrap().to_string(), "0.8");
    for bad in ["0", "-0.1", "0.0000001", "20000", "x"] {
        assert!(bad.parse::<Share>().is_err(), "{bad} was taken for a share");
    }
}

fn only(definition: Definition) -> (Text, Id128) {
    let budgets = Budgets::new("v", vec![definition]).unwrap();
    let budget = budgets.iter().next().unwrap();
    (budget.revision.clone(), budget.scope)
}

#[test]
fn edits_of_amount_or_thresholds_are_a_new_revision_of_the_same_scope() {
    let (revision, scope) = only(definition());
    let mut edited = definition();
    edited.amounts.insert(BudgetPeriod::Month, money("200"));
    assert_ne!(only(edited.clone()).0, revision);
    assert_eq!(only(edited).1, scope);
    let renamed = Definition { name: "Another name".into(), ..definition() };
    assert_eq!(only(renamed), (revision, scope));
}

#[test]
fn edits_of_scope_calendar_currency_or_beginning_are_another_scope() {
    let (_, scope) = only(definition());
    let mut other_team = definition();
    other_team.scope.insert("team".into(), None);
    for edited in [
        other_team,
        Definition { currency: "EUR".into(), ..definition() },
        Definition { time_zone: "Asia/Tokyo".into(), ..definition() },
        Definition { fiscal_year_start: 7, ..definition() },
        Definition { valid_from: Some("2026-11-10".parse().unwrap()), ..definition() },
        Definition { tenant: "other".into(), ..definition() },
    ] {
        assert_ne!(only(edited).1, scope);
    }
}

#[test]
fn a_scope_holds_what_has_all_its_values_and_null_means_unallocated() {
    let holds = |scope: &str, charge: &Charge| {
        let definition = Definition { scope: serde_json::from_str(scope).unwrap(), ..definition() };
        let budgets = Budgets::new("v", vec![definition]).unwrap();
        budgets.scopes_of(&project(charge).unwrap()).next().is_some()
    };
    let mut sample = charge(1, "platform", "1", "2026-11-22T10:00:00Z");
    sample.event.tags = vec![schemas::Tag { key: "squad".into(), value: "red".into() }];
    assert!(holds("{}", &sample));
    assert!(holds(r#"{"team": "platform", "provider": "openai", "tag.squad": "red"}"#, &sample));
    assert!(!holds(r#"{"team": "platform", "tag.squad": "blue"}"#, &sample));
    assert!(!holds(r#"{"team": null}"#, &sample));
    assert!(holds(r#"{"project": null}"#, &sample));
}

#[test]
fn validity_begins_and_ends_at_the_budgets_own_midnight() {
    let definition = Definition {
        time_zone: "America/New_York".into(),
        valid_from: Some("2026-11-10".parse().unwrap()),
        valid_to: Some("2026-11-20".parse().unwrap()),
        ..definition()
    };
    let budgets = Budgets::new("v", vec![definition]).unwrap();
    let holds = |time: &str| budgets.scopes_of(&project(&charge(1, "platform", "1", time)).unwrap()).next().is_some();
    assert_eq!(
        ["2026-11-10T04:59:59Z", "2026-11-10T05:00:00Z", "2026-11-20T04:59:59Z", "2026-11-20T05:00:00Z"].map(holds),
        [false, true, true, false]
    );
    assert_eq!(budgets.iter().next().unwrap().valid_from, Some(at("2026-11-10T05:00:00Z")));
}

#[test]
fn a_budget_that_ends_before_another_of_its_scope_has_sums_of_its_own() {
    let until = |id: &str, date: Option<&str>| Definition {
        id: id.into(),
        valid_to: date.map(|date| date.parse().unwrap()),
        ..definition()
    };
    let scopes = |definitions: Vec<Definition>, time: &str| {
        let budgets = Budgets::new("v", definitions).unwrap();
        let spend = project(&charge(1, "platform", "1", time)).unwrap();
        let counting: Vec<_> = budgets.scopes_of(&spend).map(|scope| scope.id).collect();
        budgets.iter().map(|budget| counting.contains(&budget.scope)).collect::<Vec<_>>()
    };
    let all = || vec![until("short", Some("2026-11-20")), until("long", Some("2026-11-25")), until("open", None)];
    assert_eq!(scopes(all(), "2026-11-19T23:59:59Z"), [true, true, true]);
    assert_eq!(scopes(all(), "2026-11-20T00:00:00Z"), [false, true, true]);
    assert_eq!(scopes(all(), "2026-11-25T00:00:00Z"), [false, false, true]);
    // One by itself keeps its sums when its end is moved.
    let alone = |date| Budgets::new("v", vec![until("a", date)]).unwrap().iter().next().unwrap().scope;
    assert_eq!(alone(None), alone(Some("2026-11-20")));
}
