//! Everything the pipeline says against the oracle.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schemas::codec::Format;
use schemas::{Alert, Batch, BudgetState, Charge, ChargeClass, Direction, Granularity, Timestamp, Window, topics};
use spendstream_tests::deployment::{Deployment, example};
use spendstream_tests::oracle::{self, Oracle, Period};
use stream::kafka::KafkaLog;

use crate::becomes_equal;
use crate::traffic::{raw, read};

fn time(at: Timestamp) -> DateTime<Utc> {
    at.to_datetime().unwrap()
}

/// Cost and requests of every call, reversals and replacements folded in.
fn charged(charges: &[Charge]) -> BTreeMap<String, (i128, i64)> {
    let mut calls = BTreeMap::<_, (i128, i64)>::new();
    for charge in charges {
        let call = calls.entry(charge.event.call_key.to_string()).or_default();
        call.0 += charge.costs.effective.map_or(0, schemas::Money::picos);
        call.1 += i64::from(charge.requests);
    }
    calls
}

/// Compares everything the pipeline says with the oracle.
pub(crate) fn agrees_with_the_oracle(log: &KafkaLog, deployment: &Deployment<'_>) {
    let answer = Oracle::read(&example()).answer(&raw(log));
    assert!(answer.rejected > 0 && answer.events > answer.charges.len(), "the sample holds copies and broken records");

    // Charges, call by call.
    let format = Format::<Batch<Charge>>::new();
    let batches = read(log, topics::CHARGES, |_, payload| format.decode(payload).unwrap());
    let charges: Vec<Charge> = batches.into_iter().flat_map(|batch| batch.items).collect();
    let expected: BTreeMap<_, _> =
        answer.charges.iter().map(|(key, charge)| (key.clone(), (charge.cost.unwrap_or(0), 1))).collect();
    let found = charged(&charges);
    for (key, expected) in &expected {
        assert_eq!(found.get(key), Some(expected), "{key}: {:?}", answer.charges[key]);
    }
    assert_eq!(found.len(), expected.len());
    for charge in charges.iter().filter(|charge| charge.class != ChargeClass::Reversal) {
        let expected = &answer.charges[charge.event.call_key.as_str()];
        assert_eq!(charge.owner.team.as_deref(), expected.team.as_deref(), "{}", charge.event.call_key);
        assert_eq!(charge.costs.effective.is_none(), expected.cost.is_none(), "{}", charge.event.call_key);
    }

    // Windows: the newest revision of each, folded to what the oracle keeps them by.
    let expected = [
        (Granularity::Hour, oracle::hour as fn(_) -> _),
        (Granularity::Day, oracle::day),
        (Granularity::Month, oracle::month),
        (Granularity::Quarter, oracle::quarter),
    ];
    let expected = expected.map(|(granularity, truncate)| (granularity.as_str(), answer.windows(truncate)));
    becomes_equal("windows", || windows(log), &BTreeMap::from(expected));

    // Budgets, and alerts: each id once, and an `up` exactly for the thresholds the final sums reach.
    let expected = answer.budgets(&example());
    // A state names the highest threshold only.
    let highest =
        |period: &Period| Period { reached: period.reached.last().cloned().into_iter().collect(), ..period.clone() };
    let states = expected.iter().map(|(key, period)| (key.clone(), highest(period))).collect();
    becomes_equal("budgets", || budgets(log), &states);
    let format = Format::<Alert>::new();
    let alerts = read(log, topics::ALERTS, |_, payload| format.decode(payload).unwrap());
    let ids: BTreeSet<_> = alerts.iter().map(|alert| alert.alert_id).collect();
    assert_eq!(ids.len(), alerts.len(), "an alert was sent twice");
    let ups = alerts.iter().filter(|alert| alert.direction == Direction::Up);
    let fired = ups.map(|alert| {
        let period = (alert.budget_id.to_string(), alert.period.as_str().to_owned(), time(alert.period_start));
        (period, alert.threshold.to_string())
    });
    let reached = |(key, period): (&PeriodKey, &Period)| {
        period.reached.iter().map(|share| (key.clone(), share.clone())).collect::<Vec<_>>()
    };
    let due: BTreeSet<_> = expected.iter().flat_map(reached).collect();
    assert_eq!(fired.collect::<BTreeSet<_>>(), due, "thresholds crossed");

    // The lake: the same calls, the same money.
    let money: i128 = charges.iter().filter_map(|charge| charge.costs.effective).map(schemas::Money::picos).sum();
    assert_eq!(money, answer.cost());
    becomes_equal("the lake", || lake_totals(deployment), &(answer.charges.len() as i64, money));
}

/// Sums of the newest revision of every window of a granularity, by what the oracle keeps them by.
type Sums = BTreeMap<(oracle::Key, DateTime<Utc>), oracle::Held>;

fn windows(log: &KafkaLog) -> BTreeMap<&'static str, Sums> {
    let format = Format::<Window>::new();
    let mut newest = BTreeMap::<_, Window>::new();
    for window in read(log, topics::WINDOWS, |_, payload| format.decode(payload).unwrap()) {
        let (revision, key) = (window.revision, (window.granularity.as_str(), window.key.clone(), window.start));
        let old = newest.insert(key, window);
        assert!(old.is_none_or(|old| old.revision < revision), "revisions grow");
    }
    let mut sums = BTreeMap::<_, Sums>::new();
    for window in newest.values() {
        let key = &window.key;
        let text = |value: &Option<schemas::Text>| value.as_ref().map(ToString::to_string);
        let key = (text(&key.team), text(&key.environment), key.provider.to_string(), key.model.to_string());
        let of = sums.entry(window.granularity.as_str()).or_default();
        let held = of.entry((key, time(window.start))).or_default();
        let sums = &window.sums;
        held.sum.requests += sums.requests;
        held.sum.cost += sums.effective.picos();
        let units = |quantity: schemas::Quantity| quantity.picos() / schemas::PICO;
        let found = [sums.input_tokens, sums.cache_read_tokens, sums.cache_write_tokens, sums.output_tokens];
        for (total, tokens) in held.tokens.iter_mut().zip(found) {
            *total += units(tokens);
        }
        held.unpriced += units(sums.unpriced_tokens);
    }
    // A window whose every charge was taken back stays, with nothing in it.
    sums.values_mut().for_each(|of| of.retain(|_, held| *held != oracle::Held::default()));
    sums
}

/// Budget, kind of period, and its start.
type PeriodKey = (String, String, DateTime<Utc>);

/// The newest state of every period of every budget.
fn budgets(log: &KafkaLog) -> BTreeMap<PeriodKey, Period> {
    let format = Format::<BudgetState>::new();
    let mut newest = BTreeMap::new();
    for state in read(log, topics::BUDGET_STATE, |_, payload| format.decode(payload).unwrap()) {
        let key = (state.budget_id.to_string(), state.period.as_str().to_owned(), time(state.period_start));
        let old = newest.insert(key, state.clone());
        assert!(old.is_none_or(|old| old.revision < state.revision), "revisions grow");
    }
    let period = |state: BudgetState| Period {
        sum: oracle::Sum { requests: state.requests, cost: state.spent.picos() },
        left: state.remaining.picos(),
        blocked: state.blocked,
        reached: state.crossed.iter().map(ToString::to_string).collect(),
    };
    let periods = newest.into_iter().map(|(key, state)| (key, period(state)));
    // A period that begins while the story runs has a state, and nothing in it yet.
    periods.filter(|(_, period)| period.sum != oracle::Sum::default()).collect()
}

/// Calls and money in the lake, as the report adds them up.
fn lake_totals(deployment: &Deployment<'_>) -> (i64, i128) {
    let report = deployment.run(&["report", "--lake", &deployment.lake(), "-o", "json"]);
    let start = report.find('{').expect("the report is JSON");
    let report: serde_json::Value = serde_json::from_str(&report[start..]).expect("the report is JSON");
    let money: schemas::Money = report["total"][0]["amount"].as_str().unwrap().parse().unwrap();
    (report["requests"].as_i64().unwrap(), money.picos())
}
