//! Both stages together.

use std::sync::Arc;

use proptest::prelude::*;
use schemas::{Charge, Direction, Granularity, Money, PricingStatus, Quantity, Timestamp, WindowStatus};
use stream::Stage as _;
use stream::reference::{Reference, ReferenceSink, manifest, row};

use crate::budget::{Budgets, Definition};
use crate::testing::*;
use crate::{Config, MergeStage};

const ELEVEN: &str = "2026-11-22T11:00:00Z";

fn pipeline(definitions: Vec<Definition>) -> Pipeline {
    Pipeline::new(Config::default(), budgets(definitions), 2)
}

#[test]
fn a_charge_becomes_an_hour_a_day_a_month_and_a_quarter() {
    let mut pipeline = pipeline(vec![]);
    pipeline.charge(0, &[charge(1, "platform", "0.25", "2026-11-22T10:15:00Z")]);
    pipeline.charge(1, &[charge(2, "platform", "0.5", "2026-11-22T09:59:59Z")]);
    pipeline.merge();
    let mut windows: Vec<_> = pipeline.seen.windows.values().collect();
    windows.sort_by_key(|window| (window.granularity, window.start));
    let summary: Vec<_> = windows.iter().map(|w| (w.granularity, w.sums.effective, w.sums.requests)).collect();
    assert_eq!(
        summary,
        [
            (Granularity::Hour, money("0.5"), 1),
            (Granularity::Hour, money("0.25"), 1),
            (Granularity::Day, money("0.75"), 2),
            (Granularity::Month, money("0.75"), 2),
            (Granularity::Quarter, money("0.75"), 2),
        ]
    );
    assert_eq!(windows[2].sums.input_tokens, Quantity::from_units(2_000));
    assert!(windows.iter().all(|window| window.status == WindowStatus::Provisional && window.revision == 1));
}

#[test]
fn a_window_is_provisional_every_five_seconds_then_final_then_restated() {
    let mut pipeline = pipeline(vec![]);
    let hour = |pipeline: &Pipeline| {
        let window = pipeline.seen.windows.values().find(|window| window.granularity == Granularity::Hour).unwrap();
        (window.status, window.revision, window.sums.effective, window.late)
    };
    for (second, revision) in [("00", 1), ("01", 1), ("04", 1), ("05", 2)] {
        pipeline.now = at(&format!("2026-11-22T11:00:{second}Z"));
        pipeline.charge(0, &[charge(1, "platform", "1", "2026-11-22T10:30:00Z")]);
        pipeline.merge();
        assert_eq!(hour(&pipeline).1, revision, "at second {second}");
    }
    assert_eq!(hour(&pipeline), (WindowStatus::Provisional, 2, money("4"), 0));
    pipeline.pass("2026-11-22T11:59:59Z");
    assert_eq!(hour(&pipeline).0, WindowStatus::Provisional);
    pipeline.pass("2026-11-22T12:00:00Z");
    assert_eq!(hour(&pipeline), (WindowStatus::Final, 3, money("4"), 0));
    let mut late = charge(2, "platform", "1", "2026-11-22T10:30:00Z");
    late.event.received_at = at("2026-11-22T12:00:01Z");
    pipeline.charge(0, &[late]);
    pipeline.pass("2026-11-22T12:00:06Z");
    assert_eq!(hour(&pipeline), (WindowStatus::Restated, 4, money("5"), 1));
    pipeline.pass("2026-11-22T13:00:00Z");
    assert_eq!(hour(&pipeline).1, 4, "nothing changed, nothing is written");
    assert_eq!((pipeline.counted("late"), pipeline.counted("late.hour"), pipeline.counted("late.day")), (1, 1, 0));
}

#[test]
fn what_holds_a_changed_window_back_says_until_when_also_after_a_restart() {
    let mut pipeline = pipeline(vec![]);
    let due_at = |pipeline: &Pipeline| pipeline.merge.iter().filter_map(Lane::due_at).min();
    pipeline.now = at("2026-11-22T11:00:00Z");
    pipeline.charge(0, &[charge(1, "platform", "1", "2026-11-22T10:30:00Z")]);
    pipeline.merge();
    assert_eq!(due_at(&pipeline), None, "a new window is written at once");
    pipeline.now = at("2026-11-22T11:00:01Z");
    pipeline.charge(0, &[charge(2, "platform", "1", "2026-11-22T10:30:00Z")]);
    pipeline.merge();
    let held_until = Some(at("2026-11-22T11:00:05Z"));
    assert_eq!(due_at(&pipeline), held_until);
    pipeline.restart();
    assert_eq!(due_at(&pipeline), held_until);
    pipeline.now = at("2026-11-22T11:00:05Z");
    pipeline.merge();
    assert_eq!(due_at(&pipeline), None);
}

#[test]
fn who_waits_gets_a_window_before_its_time_and_no_more_final_than_it_is() {
    let mut pipeline = pipeline(vec![]);
    for second in ["00", "01"] {
        pipeline.now = at(&format!("2026-11-22T11:00:{second}Z"));
        pipeline.charge(0, &[charge(1, "platform", "1", "2026-11-22T10:30:00Z")]);
        pipeline.merge();
    }
    let written = |pipeline: &Pipeline| {
        let windows = pipeline.seen.windows.values();
        windows.map(|window| (window.revision, window.status, window.emitted_at)).collect::<Vec<_>>()
    };
    assert_eq!(written(&pipeline), [(1, WindowStatus::Provisional, at("2026-11-22T11:00:00Z")); 4]);
    pipeline.merge.iter_mut().for_each(|lane| lane.hurry = true);
    pipeline.merge();
    assert_eq!(written(&pipeline), [(2, WindowStatus::Provisional, at("2026-11-22T11:00:01Z")); 4]);
    assert!(pipeline.merge.iter().all(|lane| lane.due_at().is_none()));
    pipeline.merge();
    assert!(written(&pipeline).iter().all(|(revision, ..)| *revision == 2), "nothing changed, nothing is written");
}

#[test]
fn late_is_what_arrives_at_the_end_plus_grace_or_after_whenever_it_is_processed() {
    let mut pipeline = pipeline(vec![]);
    let arriving = |id, received_at: &str| {
        let mut charge = charge(id, "platform", "1", "2026-11-22T10:59:59Z");
        charge.event.received_at = at(received_at);
        charge
    };
    pipeline.charge(0, &[arriving(1, "2026-11-22T11:59:59.999999Z"), arriving(2, "2026-11-22T12:00:00Z")]);
    pipeline.charge(1, &[arriving(3, "2026-11-23T06:00:00Z")]);
    pipeline.charge(1, &[arriving(4, "2026-12-03T00:00:00Z"), arriving(5, "2027-01-04T00:00:00Z")]);
    let late = ["late.hour", "late.day", "late.month", "late.quarter"].map(|name| pipeline.counted(name));
    assert_eq!(late, [4, 3, 2, 1]);
}

#[test]
fn an_hour_past_its_retention_is_dropped_and_what_comes_for_it_is_visible() {
    let mut pipeline = pipeline(vec![]);
    pipeline.charge(0, &[charge(1, "platform", "2", "2026-11-22T10:30:00Z")]);
    pipeline.pass("2026-11-22T12:00:00Z");
    pipeline.pass("2026-12-27T11:00:00Z");
    assert_eq!(pipeline.counted("windows.dropped"), 1);
    pipeline.charge(0, &[charge(2, "platform", "3", "2026-11-22T10:31:00Z")]);
    pipeline.pass("2026-12-27T11:00:10Z");
    assert_eq!((pipeline.counted("expired.hour"), pipeline.counted("expired.day")), (1, 0));
    let sum = |granularity| {
        let window = pipeline.seen.windows.values().find(|window| window.granularity == granularity).unwrap();
        window.sums.effective
    };
    assert_eq!((sum(Granularity::Hour), sum(Granularity::Day)), (money("2"), money("5")));
}

#[test]
fn a_history_read_in_one_go_has_its_hours_however_old() {
    let mut pipeline = pipeline(vec![]);
    pipeline.pass_with("2026-11-22T12:00:00Z", &[charge(1, "platform", "2", "2026-08-01T10:30:00Z")]);
    assert_eq!(pipeline.counted("expired.hour"), 0);
    let widths: Vec<_> = pipeline.seen.windows.values().map(|w| (w.granularity, w.status, w.sums.effective)).collect();
    for granularity in [Granularity::Hour, Granularity::Day, Granularity::Month, Granularity::Quarter] {
        assert!(widths.contains(&(granularity, WindowStatus::Final, money("2"))), "{granularity}: {widths:?}");
    }
}

#[test]
fn an_unpriced_call_counts_requests_and_tokens_but_no_money() {
    let mut pipeline = pipeline(vec![definition()]);
    let mut unpriced = charge(1, "platform", "999", ELEVEN);
    unpriced.status = PricingStatus::Unpriced;
    unpriced.costs.effective = None;
    unpriced.unpriced = vec![schemas::UnpricedMeter {
        meter: schemas::Meter::InputTextTokens,
        quantity: Quantity::from_units(1_000),
        reason: "unknown_model".into(),
    }];
    pipeline.charge(0, &[unpriced]);
    pipeline.merge();
    let window = pipeline.seen.windows.values().next().unwrap();
    assert_eq!((window.sums.effective, window.sums.list), (Money::ZERO, Money::ZERO));
    assert_eq!((window.sums.requests, window.sums.unpriced_requests), (1, 1));
    assert_eq!(window.sums.unpriced_tokens, Quantity::from_units(1_000));
    let state = pipeline.seen.states.values().next().unwrap().as_ref().unwrap();
    assert_eq!((state.spent, state.requests), (Money::ZERO, 1));
}

#[test]
fn a_reversal_leaves_nothing_but_two_rows() {
    let mut pipeline = pipeline(vec![]);
    let original = charge(1, "platform", "2", ELEVEN);
    pipeline.charge(0, &[original.clone(), reversal(&original, "2026-11-22T11:10:00Z")]);
    pipeline.merge();
    let sums = &pipeline.seen.windows.values().next().unwrap().sums;
    assert_eq!(*sums, schemas::Sums { charges: 2, ..schemas::Sums::default() });
}

#[test]
fn windows_and_budgets_are_in_the_reporting_currency_and_other_currencies_are_counted() {
    let mut pipeline = pipeline(vec![definition()]);
    let euro = |id, reporting: Option<&str>| {
        let mut charge = charge(id, "platform", "10", ELEVEN);
        charge.reporting =
            reporting.map(|amount| schemas::Costs { effective: Some(money(amount)), ..charge.costs.clone() });
        charge.costs.currency = "EUR".into();
        charge
    };
    pipeline.charge(0, &[euro(1, Some("11.5")), euro(2, None)]);
    pipeline.merge();
    let mut sums: Vec<_> =
        pipeline.seen.windows.values().map(|w| (w.key.currency.as_str(), w.sums.effective)).collect();
    sums.sort_unstable();
    sums.dedup();
    assert_eq!(sums, [("EUR", money("10")), ("USD", money("11.5"))]);
    let state = pipeline.seen.states.values().next().unwrap().as_ref().unwrap();
    assert_eq!(state.spent, money("11.5"));
    assert_eq!(pipeline.counted("budget_currency_skipped"), 1);
}

#[test]
fn one_event_over_several_thresholds_fires_each_once_in_order() {
    let mut pipeline = pipeline(vec![definition()]);
    pipeline.charge(0, &[charge(1, "platform", "79.99", ELEVEN), charge(2, "search", "500", ELEVEN)]);
    pipeline.merge();
    assert!(pipeline.seen.alerts().is_empty());
    for id in [3, 4] {
        pipeline.charge(1, &[charge(id, "platform", "30", ELEVEN)]);
        pipeline.merge();
    }
    assert_eq!(pipeline.seen.alerts(), ["up 0.8 #1", "up 1 #1"]);
    let state = pipeline.seen.states.values().next().unwrap().as_ref().unwrap();
    assert_eq!((state.spent, state.remaining, state.blocked), (money("139.99"), money("-39.99"), true));
    assert_eq!((state.team.as_deref(), state.business_unit.as_deref()), (Some("platform"), None));
    assert_eq!((state.crossed.as_deref(), state.revision), (Some("1"), 3));
}

#[test]
fn a_crash_between_work_and_commit_fires_once() {
    let mut pipeline = pipeline(vec![definition()]);
    pipeline.charge_after_crash(0, &[charge(1, "platform", "85", ELEVEN)]);
    pipeline.merge_after_crash();
    pipeline.restart();
    pipeline.merge_after_crash();
    assert_eq!(pipeline.seen.alerts(), ["up 0.8 #1"]);
    assert_eq!(pipeline.counted("alerts.up"), 1);
}

#[test]
fn a_correction_that_takes_spend_back_recovers_and_the_recovery_resolves_the_alert() {
    let mut pipeline = pipeline(vec![definition()]);
    let big = charge(1, "platform", "85", ELEVEN);
    pipeline.charge(0, std::slice::from_ref(&big));
    pipeline.pass("2026-11-22T11:30:00Z");
    pipeline.charge(0, &[reversal(&big, "2026-11-22T11:30:00Z")]);
    pipeline.pass("2026-11-22T11:35:00Z");
    assert_eq!(pipeline.seen.alerts(), ["up 0.8 #1"]);
    pipeline.restart();
    pipeline.pass("2026-11-22T11:35:01Z");
    assert_eq!(pipeline.seen.alerts(), ["up 0.8 #1", "down 0.8 #1"]);
    let [up, down] = &pipeline.seen.alerts[..] else { panic!("two alerts") };
    assert_eq!((up.dedup_key, down.direction, down.spent), (down.dedup_key, Direction::Down, Money::ZERO));
    assert_ne!(up.alert_id, down.alert_id);
    let state = pipeline.seen.states.values().next().unwrap().as_ref().unwrap();
    assert_eq!((state.spent, state.gross, state.crossed.as_deref()), (Money::ZERO, money("85"), None));
    pipeline.charge(0, &[charge(2, "platform", "90", ELEVEN)]);
    pipeline.merge();
    assert_eq!(pipeline.seen.alerts().last().unwrap(), "up 0.8 #2");
}

/// Publishes a version of the budgets.
fn publish(reference: &Reference<Budgets>, definitions: &[Definition], effective_at: &str) {
    let rows: Vec<_> = definitions.iter().map(|d| row("budgets", "test", &serde_json::to_string(d).unwrap())).collect();
    let manifest = manifest("budgets", &rows, at(effective_at), at(effective_at));
    let rows = rows.into_iter().map(schemas::ReferenceItem::Row);
    reference.apply(rows.chain([schemas::ReferenceItem::Manifest(manifest)]).collect()).unwrap();
}

fn month_amount(amount: &str) -> Definition {
    let mut edited = definition();
    edited.amounts.insert(schemas::BudgetPeriod::Month, money(amount));
    edited
}

#[test]
fn an_edit_inherits_the_sums_and_is_judged_when_it_takes_effect() {
    let reference = Arc::new(Reference::default());
    publish(&reference, &[definition()], "2026-11-01T00:00:00Z");
    let mut pipeline = Pipeline::new(Config::default(), reference.clone(), 2);
    pipeline.charge(0, &[charge(1, "platform", "60", ELEVEN)]);
    pipeline.pass("2026-11-22T11:30:00Z");
    publish(&reference, &[month_amount("70")], "2026-11-22T11:31:00Z");
    pipeline.pass("2026-11-22T11:30:59Z");
    assert!(pipeline.seen.alerts().is_empty());
    pipeline.pass("2026-11-22T11:31:00Z");
    assert_eq!(pipeline.seen.alerts(), ["up 0.8 #1"]);
    let state = pipeline.seen.states.values().next().unwrap().as_ref().unwrap();
    assert_eq!((state.amount, state.spent, state.revision, state.counts_from), (money("70"), money("60"), 2, None));
}

#[test]
fn what_a_version_that_cannot_be_used_would_judge_waits() {
    let reference = Arc::new(Reference::default());
    publish(&reference, &[definition()], "2026-11-01T00:00:00Z");
    let mut pipeline = Pipeline::new(Config::default(), reference.clone(), 1);
    pipeline.charge(0, &[charge(1, "platform", "60", ELEVEN)]);
    pipeline.pass("2026-11-22T11:30:00Z");
    let newer = row("budgets", "a newer release", "a form that nobody here knows");
    let manifest = manifest("budgets", std::slice::from_ref(&newer), at(ELEVEN), at(ELEVEN));
    let items = vec![schemas::ReferenceItem::Row(newer), schemas::ReferenceItem::Manifest(manifest)];
    reference.apply(items).unwrap_err();
    let halts = [pipeline.stops_combine(&[charge(2, "platform", "1", ELEVEN)]), pipeline.stops_merge()];
    for halt in halts {
        assert!(halt.to_string().contains("of budgets cannot be used"), "{halt}");
    }
}

#[test]
fn raising_a_budget_takes_back_what_the_lower_one_had_fired() {
    let reference = Arc::new(Reference::default());
    publish(&reference, &[definition()], "2026-11-01T00:00:00Z");
    let mut pipeline = Pipeline::new(Config::default(), reference.clone(), 2);
    pipeline.charge(0, &[charge(1, "platform", "100", ELEVEN)]);
    pipeline.pass("2026-11-22T11:30:00Z");
    publish(&reference, &[month_amount("110")], "2026-11-22T11:31:00Z");
    pipeline.pass("2026-11-22T11:31:00Z");
    // 80 % of 110 is reached as well; 100 % of it is not.
    assert_eq!(pipeline.seen.alerts(), ["up 0.8 #1", "up 1 #1", "up 0.8 #1", "down 1 #1"]);
    let ids: std::collections::BTreeSet<_> = pipeline.seen.alerts.iter().map(|alert| alert.alert_id).collect();
    assert_eq!(ids.len(), 4);
    let state = pipeline.seen.states.values().next().unwrap().as_ref().unwrap();
    assert!(!state.blocked);
}

#[test]
fn an_edit_that_is_taken_back_does_not_fire_again() {
    let reference = Arc::new(Reference::default());
    publish(&reference, &[definition()], "2026-11-01T00:00:00Z");
    let mut pipeline = Pipeline::new(Config::default(), reference.clone(), 2);
    pipeline.charge(0, &[charge(1, "platform", "85", ELEVEN)]);
    pipeline.pass("2026-11-22T11:30:00Z");
    publish(&reference, &[month_amount("101")], "2026-11-22T11:31:00Z");
    pipeline.pass("2026-11-22T11:31:00Z");
    publish(&reference, &[definition()], "2026-11-22T11:32:00Z");
    pipeline.pass("2026-11-22T11:32:00Z");
    assert_eq!(pipeline.seen.alerts(), ["up 0.8 #1", "up 0.8 #1"]);
}

#[test]
fn an_edit_does_not_alert_on_a_month_that_is_over() {
    let reference = Arc::new(Reference::default());
    publish(&reference, &[definition()], "2026-10-01T00:00:00Z");
    let mut pipeline = Pipeline::new(Config::default(), reference.clone(), 2);
    pipeline.charge(0, &[charge(1, "platform", "60", "2026-10-15T00:00:00Z")]);
    publish(&reference, &[month_amount("70")], "2026-11-22T11:31:00Z");
    pipeline.pass("2026-11-22T12:00:00Z");
    assert!(pipeline.seen.alerts().is_empty());
}

#[test]
fn a_budget_that_begins_mid_period_says_from_when_it_counts() {
    let reference = Arc::new(Reference::default());
    publish(&reference, &[], "2026-11-01T00:00:00Z");
    publish(&reference, &[definition()], "2026-11-22T10:00:00Z");
    let mut pipeline = Pipeline::new(Config::default(), reference, 2);
    let before = charge(1, "platform", "500", "2026-11-22T09:30:00Z");
    pipeline.charge(0, &[before.clone(), charge(2, "platform", "10", ELEVEN)]);
    // What was not counted is not taken back either.
    pipeline.charge(0, &[reversal(&before, "2026-11-22T11:30:00Z")]);
    pipeline.pass("2026-11-22T12:00:00Z");
    let state = pipeline.seen.states.values().next().unwrap().as_ref().unwrap();
    assert_eq!((state.spent, state.counts_from), (money("10"), Some(at("2026-11-22T10:00:00Z"))));
    assert!(pipeline.seen.alerts().is_empty());
}

#[test]
fn a_budget_that_is_gone_leaves_a_tombstone_and_no_open_alert() {
    let reference = Arc::new(Reference::default());
    publish(&reference, &[definition()], "2026-11-01T00:00:00Z");
    let mut pipeline = Pipeline::new(Config::default(), reference.clone(), 2);
    pipeline.charge(0, &[charge(1, "platform", "85", ELEVEN)]);
    pipeline.pass("2026-11-22T11:30:00Z");
    publish(&reference, &[], "2026-11-22T11:31:00Z");
    pipeline.pass("2026-11-22T11:31:00Z");
    assert_eq!(pipeline.seen.alerts(), ["up 0.8 #1", "down 0.8 #1"]);
    assert_eq!(pipeline.seen.states.values().collect::<Vec<_>>(), [&None]);
}

#[test]
fn a_budget_nobody_spent_from_is_seen_and_the_next_period_opens_by_itself() {
    let mut pipeline = pipeline(vec![definition()]);
    pipeline.pass("2026-11-22T11:30:00Z");
    pipeline.pass("2026-12-01T00:00:00Z");
    pipeline.restart();
    pipeline.pass("2026-12-01T00:00:10Z");
    let states: Vec<_> =
        pipeline.seen.states.values().flatten().map(|s| (s.period_start, s.remaining, s.revision)).collect();
    assert_eq!(states, [(at("2026-11-01"), money("100"), 1), (at("2026-12-01"), money("100"), 1)]);
}

#[test]
fn a_month_in_new_york_takes_the_evening_that_is_already_next_month_in_utc() {
    let zoned = Definition { time_zone: "America/New_York".into(), ..definition() };
    let mut pipeline = pipeline(vec![zoned]);
    pipeline.charge(0, &[charge(1, "platform", "1", "2026-12-01T04:59:59Z")]);
    pipeline.charge(0, &[charge(2, "platform", "2", "2026-12-01T05:00:00Z")]);
    pipeline.merge();
    let states: Vec<_> =
        pipeline.seen.states.iter().map(|(key, s)| (key.as_str(), s.as_ref().unwrap().spent)).collect();
    assert_eq!(
        states,
        [
            ("acme/platform/month/2026-11-01T04:00:00Z", money("1")),
            ("acme/platform/month/2026-12-01T05:00:00Z", money("2")),
        ]
    );
}

/// What a reader is left with in the end: every window's sums, every budget's spend, and the first `up` of each threshold.
type End = (Vec<(String, schemas::Sums, i64)>, Vec<(String, Money, Money, i64)>, Vec<(String, schemas::Id128)>);

fn run(charges: &[Charge], cuts: &[(usize, bool, bool)], net_reached: &[&str]) -> End {
    let mut pipeline = pipeline(vec![definition()]);
    let mut rest = charges;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let (size, crash, restart) = *cuts.next().unwrap_or(&(1, false, false));
        let (batch, after) = rest.split_at(size.clamp(1, rest.len()));
        rest = after;
        if crash {
            pipeline.charge_after_crash(size % 2, batch);
            pipeline.merge_after_crash();
        } else {
            pipeline.charge(size % 2, batch);
        }
        if restart {
            pipeline.merge();
            pipeline.restart();
        }
    }
    pipeline.pass("2026-11-22T12:00:10Z");
    pipeline.pass("2027-01-10T00:00:00Z");
    let seen = &pipeline.seen;
    let windows = seen.windows.iter().map(|(key, w)| {
        assert_ne!(w.status, WindowStatus::Provisional, "{key}");
        (key.clone(), w.sums.clone(), w.late)
    });
    let states = seen.states.iter().map(|(key, s)| {
        let s = s.as_ref().unwrap();
        (key.clone(), s.spent, s.gross, s.requests)
    });
    let mut ups: Vec<_> = seen
        .alerts
        .iter()
        .filter(|a| a.direction == Direction::Up && a.episode == 1 && net_reached.contains(&a.threshold.as_str()))
        .map(|a| (a.threshold.to_string(), a.alert_id))
        .collect();
    ups.sort_unstable();
    let unique: std::collections::BTreeSet<_> = seen.alerts.iter().map(|a| a.alert_id).collect();
    assert_eq!(unique.len(), seen.alerts.len(), "an alert was sent twice");
    (windows.collect(), states.collect(), ups)
}

/// Charges of two teams over two days, some of them reversed, in some order.
fn charges() -> impl Strategy<Value = (Vec<Charge>, Vec<Charge>)> {
    let one = (0u32..3, 1i64..30_000_000, 0i64..172_800, any::<bool>());
    proptest::collection::vec(one, 1..40).prop_flat_map(|rows| {
        let mut charges = Vec::new();
        for (id, (team, micros, second, reversed)) in rows.into_iter().enumerate() {
            let amount = Money::from_picos(i128::from(micros) * 1_000_000).unwrap().to_string();
            let time = at("2026-11-20T00:00:00Z").plus_seconds(second).to_string();
            let charge = charge(id as u32, ["platform", "platform", "search"][team as usize], &amount, &time);
            if reversed {
                charges.push(reversal(&charge, "2026-11-22T11:00:00Z"));
            }
            charges.push(charge);
        }
        let shuffled = Just(charges.clone()).prop_shuffle();
        (Just(charges), shuffled)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn any_order_cut_crash_or_restart_gives_the_same_end(
        (charges, shuffled) in charges(),
        cuts in proptest::collection::vec((1usize..8, any::<bool>(), any::<bool>()), 1..6),
    ) {
        let net = charges.iter().filter(|c| c.owner.team.as_deref() == Some("platform")).fold(Money::ZERO, |sum, c| {
            sum.checked_add(c.costs.effective.unwrap()).unwrap()
        });
        let reached: Vec<_> =
            [("0.8", "80"), ("1", "100")].into_iter().filter(|(_, limit)| net >= money(limit)).map(|(t, _)| t).collect();
        let whole = run(&charges, &[(charges.len(), false, false)], &reached);
        prop_assert_eq!(whole.2.len(), reached.len(), "every threshold that the final net reaches fires");
        prop_assert_eq!(run(&shuffled, &cuts, &reached), whole);
    }

    #[test]
    fn restoring_gives_the_state_that_was_and_undoing_leaves_nothing((charges, _) in charges()) {
        let mut pipeline = pipeline(vec![definition()]);
        let (first, second) = charges.split_at(charges.len() / 2);
        pipeline.charge(0, first);
        pipeline.merge();
        let before: Vec<_> = pipeline.merge.iter().map(|lane| lane.state()).collect();
        pipeline.charge(0, second);
        pipeline.abort_merge();
        prop_assert_eq!(pipeline.merge.iter().map(|lane| lane.state()).collect::<Vec<_>>(), before.clone());
        pipeline.restart();
        prop_assert_eq!(pipeline.merge.iter().map(|lane| lane.state()).collect::<Vec<_>>(), before);
        pipeline.merge();
        let after: Vec<_> = pipeline.merge.iter().map(|lane| lane.state()).collect();
        pipeline.restart();
        prop_assert_eq!(pipeline.merge.iter().map(|lane| lane.state()).collect::<Vec<_>>(), after);
    }
}

#[test]
fn an_entry_that_is_cut_or_too_long_is_refused_behind_a_good_one_too() {
    let mut pipeline = pipeline(vec![definition()]);
    pipeline.charge(0, &[charge(1, "platform", "1", ELEVEN)]);
    pipeline.merge();
    let stage = MergeStage::new(Config::default(), budgets(vec![]));
    for lane in &pipeline.merge {
        for (key, value) in &lane.changelog {
            let good = value.as_deref().unwrap();
            for bad in [&good[..good.len() - 1], &[good, &[0]].concat(), &[]] {
                let restored = |entries: &[&[u8]]| {
                    let mut processor = stage.processor(&lane.source);
                    entries.iter().try_for_each(|entry| processor.restore(key, Some(entry)))?;
                    processor.restored()
                };
                assert!(restored(&[bad]).is_err());
                assert!(restored(&[good, bad]).is_err());
                restored(&[good]).unwrap();
            }
        }
    }
}

#[test]
fn the_hours_held_and_dropped_are_the_money_that_came() {
    let mut pipeline = pipeline(vec![]);
    pipeline.charge(0, &[charge(1, "platform", "2", "2026-11-22T10:30:00Z"), charge(2, "search", "3", ELEVEN)]);
    pipeline.pass("2026-11-22T13:00:00Z");
    let held: Vec<_> = pipeline.merge.iter().flat_map(|lane| lane.hour_money()).collect();
    let sum = held.into_iter().fold(Money::ZERO, |sum, amount| sum.checked_add(amount).unwrap());
    assert_eq!(sum, money("5"));
    let entries = pipeline.merge.iter().map(|lane| lane.books.entry(Timestamp::default()));
    let booked = entries.flat_map(|entry| entry.counts).filter(|count| count.name == "window_money");
    let booked = booked.flat_map(|count| count.money).fold(Money::ZERO, |sum, m| sum.checked_add(m.amount).unwrap());
    assert_eq!(booked, sum);
}
