//! What a call and a token cost: nothing that was charged for no call is in it.

use cli::reports::benchmark::benchmark;
use cli::reports::{Period, Request, What, ask, show};
use enrich::{Cause, reversal};
use schemas::codec::Format;
use schemas::{Charge, ChargeCategory, ChargeClass, Meter, Metered, Quantity};
use sink::{Lake, LakeConfig, LakeReader};

use crate::history::Writer;
use crate::{margin, spendstream};

/// What no model was called for: its operation, what was used, and how many calls it counts as.
fn no_call(number: u64, operation: &str, used: Option<(Meter, i64)>, requests: i32, cost: &str) -> Charge {
    let mut charge = margin::charge(number, "support", "", Some(cost));
    charge.event.operation = operation.into();
    let metered = |(meter, units)| Metered { meter, quantity: Quantity::from_units(units) };
    charge.event.usage = used.map(metered).into_iter().collect();
    charge.requests = requests;
    charge
}

/// A share of a shared charge.
fn share(number: u64, team: &str, cost: &str) -> Charge {
    let mut charge = margin::charge(number, team, "", Some(cost));
    charge.class = ChargeClass::Allocation;
    charge.event.usage.clear();
    charge.requests = 0;
    charge
}

fn write(address: &str) {
    let mut seat = no_call(2, "seat", Some((Meter::SeatDays, 30)), 0, "1000");
    seat.event.charge_category = ChargeCategory::Purchase;
    let mut entry = no_call(3, "ledger_entry", None, 0, "-10");
    entry.event.charge_category = ChargeCategory::Adjustment;
    let machine = no_call(4, "gpu", Some((Meter::GpuSeconds, 3_600)), 1, "500");
    let undone = margin::charge(7, "support", "", Some("80"));
    let taken_back = reversal(undone.clone(), Cause::arrival(undone.booked_at));
    let lake = Lake::open(&LakeConfig::at(address)).expect("a lake");
    let mut charges = Writer::open(&lake, "charges");
    let call = margin::charge(1, "support", "", Some("1.7419"));
    let shares = [share(5, "support", "-0.5"), share(6, "growth", "0.5")];
    let mut rows = vec![call, seat, entry, machine, undone, taken_back];
    rows.extend(shares);
    charges.batch(&Format::new(), rows);
    charges.flush();
}

#[test]
fn a_call_costs_what_it_cost_however_many_seats_machines_and_entries_were_paid_beside_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = folder.path().join("lake").display().to_string();
    write(&address);
    let reader = LakeReader::open(&LakeConfig::at(&address)).expect("the lake");
    let by = Some(vec!["team".to_owned()]);
    let request = Request { what: What::UnitCost, by, period: Period::default(), as_of: None };
    let answer = ask(&reader, &request).unwrap_or_else(|error| panic!("{error:#}"));
    let rows = show::csv(&answer.rows).expect("CSV");
    assert_eq!(
        rows.lines().collect::<Vec<_>>(),
        [
            "team,currency,requests,priced_requests,effective_cost,priced_tokens,cost_per_request,\
             cost_per_million_tokens,coverage",
            "support,USD,1,1,1.7419,17419,1.7419,100,1",
        ]
    );

    let found = benchmark(&reader, "2026Q4".parse().expect("a quarter"), None).expect("the benchmark");
    assert_eq!(found.charges_until.as_deref(), Some("2026-11-13"), "the quarter is not over");
    let value = |name: &str| {
        let measure = found.measures.iter().find(|measure| measure.name == name).expect("the measure");
        measure.figures[0].value.clone()
    };
    assert_eq!((value("cost_per_request"), value("governed_spend")), ("1.7419".to_owned(), "1491.7419".to_owned()));
    assert_eq!(value("governed_requests"), "1", "a bill of a machine is no call");
    let data = folder.path().join("nothing").display().to_string();
    let (ok, page) = spendstream(&["report", "--lake", &address, "--data", &data]);
    assert!(ok && page.contains("\n  1 calls, "), "{page}");
}
