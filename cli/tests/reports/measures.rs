//! Whom and what the benchmark counts: users who have something left, and outcomes of whatever case and workload.

use cli::reports::benchmark::benchmark;
use enrich::{Cause, reversal};
use schemas::codec::Format;
use schemas::{Charge, Fact, FactKind};
use sink::{Lake, LakeConfig, LakeReader};

use crate::history::Writer;
use crate::{margin, time};

fn call(number: u64, user: &str, cost: &str) -> Charge {
    let mut charge = margin::charge(number, "support", "", Some(cost));
    charge.owner.user = Some(user.into());
    charge
}

fn outcome(id: &str, workload: &str, name: &str, quantity: &str) -> Fact {
    Fact { kind: FactKind::Outcome, ..margin::fact(id, "support", workload, name, quantity, "2026-11-13T12:00:00Z") }
}

fn write(address: &str) {
    let lake = Lake::open(&LakeConfig::at(address)).expect("a lake");
    let (mut charges, mut facts) = (Writer::open(&lake, "charges"), Writer::open(&lake, "facts"));
    let undone = call(3, "carol", "10");
    let taken_back = reversal(undone.clone(), Cause::arrival(undone.booked_at.plus_seconds(86_400)));
    charges.batch(&Format::new(), vec![call(1, "alice", "6"), call(2, "bob", "2"), undone, taken_back]);
    let outcomes = [outcome("1", "default", "Blocked", "1"), outcome("2", "default", "allowed", "3")];
    facts.batch(&Format::new(), outcomes.to_vec());
    charges.flush();
    facts.flush();
}

#[test]
fn who_has_nothing_left_is_no_user_and_outcomes_are_known_by_any_case_and_without_a_workload() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = folder.path().join("lake").display().to_string();
    write(&address);
    let reader = LakeReader::open(&LakeConfig::at(&address)).expect("the lake");
    let figures = |name: &str, as_of: Option<&str>| {
        let as_of = as_of.and_then(time);
        let found = benchmark(&reader, "2026Q4".parse().expect("a quarter"), as_of).expect("the benchmark");
        let measure = found.measures.iter().find(|measure| measure.name == name).expect("the measure");
        let figures = measure.figures.iter().map(|figure| {
            let (denominator, coverage) = (figure.denominator.as_deref().unwrap_or("-"), &figure.coverage);
            let (answered, of) = (&coverage.answered, &coverage.of);
            format!("{}: {} = {} / {denominator}, of {answered}/{of}", figure.profile, figure.value, figure.numerator)
        });
        figures.collect::<Vec<_>>()
    };
    let users = "cost_per_active_user";
    assert_eq!(figures(users, None), ["all: 4 = 8 / 2, of 2/2", "none stated: 4 = 8 / 2, of 2/2"]);
    let before = figures(users, Some("2026-11-13T23:00:00Z"));
    assert_eq!(before, ["all: 6 = 18 / 3, of 3/3", "none stated: 6 = 18 / 3, of 3/3"], "nothing was taken back yet");
    assert_eq!(
        figures("blocked_or_escalated_rate", None),
        ["all: 0.25 = 1 / 4, of 4/3", "none stated: 0.25 = 1 / 4, of 4/3"]
    );
}
