//! What choices saved: at list prices, of calls that are billed by use, and each step against the next.

use cli::reports::benchmark::benchmark;
use cli::reports::{Period, Request, What, ask, show};
use enrich::{Cause, reversal};
use schemas::codec::Format;
use schemas::{Charge, CostBasis, Counterfactual, CounterfactualKind};
use sink::{Lake, LakeConfig, LakeReader};

use crate::history::Writer;
use crate::{margin, spendstream};

/// A call, what it costs at list and by contract, and what it would have cost otherwise.
fn call(number: u64, list: &str, contracted: &str, others: &[(CounterfactualKind, &str, &str)]) -> Charge {
    let mut charge = margin::charge(number, "support", "", Some(list));
    charge.costs.contracted = Some(contracted.parse().expect("an amount"));
    charge.costs.effective = charge.costs.contracted;
    let other = |(kind, cost, basis): &(CounterfactualKind, &str, &str)| Counterfactual {
        kind: *kind,
        cost: cost.parse().expect("an amount"),
        currency: "USD".into(),
        basis: (*basis).into(),
    };
    charge.counterfactuals = others.iter().map(other).collect();
    charge
}

fn write(address: &str) {
    use schemas::CounterfactualKind::{Retail, StandardTier, Unbatched, Uncached};
    let mut covered = call(2, "8", "0", &[(Uncached, "10", "list"), (Retail, "8", "list")]);
    covered.event.cost_basis = CostBasis::Included;
    let undone = call(5, "80", "64", &[(Uncached, "100", "list")]);
    let taken_back = reversal(undone.clone(), Cause::arrival(undone.booked_at));
    // Half of what a machine costs is taken off by contract, but it is no call.
    let mut machine = call(6, "100", "50", &[]);
    machine.event.operation = "gpu".into();
    let lake = Lake::open(&LakeConfig::at(address)).expect("a lake");
    let mut charges = Writer::open(&lake, "charges");
    charges.batch(
        &Format::new(),
        vec![
            // A fifth less by contract.
            call(1, "8", "6.4", &[(Uncached, "10", "list")]),
            // A seat covers it.
            covered,
            // A batch that used a cache: 20 with neither, 10 without the cache, 8 with both.
            call(3, "8", "8", &[(Uncached, "10", "list"), (Unbatched, "20", "list, uncached")]),
            call(4, "3", "3", &[(StandardTier, "6", "list")]),
            undone,
            taken_back,
            machine,
        ],
    );
    charges.flush();
}

#[test]
fn a_cache_saves_neither_what_a_contract_took_off_nor_what_a_seat_covers_nor_what_a_batch_saved() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = folder.path().join("lake").display().to_string();
    write(&address);
    let reader = LakeReader::open(&LakeConfig::at(&address)).expect("the lake");
    let request = Request { what: What::Savings, by: Some(Vec::new()), period: Period::default(), as_of: None };
    let answer = ask(&reader, &request).unwrap_or_else(|error| panic!("{error:#}"));
    let rows = show::csv(&answer.rows).expect("CSV");
    assert_eq!(
        rows.lines().collect::<Vec<_>>(),
        [
            "currency,kind,requests,effective_cost,compared_cost,other_cost,saved,saved_share",
            "USD,list_price,3,17.4,17.4,19,1.6,0.084210526316",
            "USD,retail,1,0,0,8,8,1",
            "USD,standard_tier,1,3,3,6,3,0.5",
            "USD,unbatched,1,8,10,20,10,0.5",
            "USD,uncached,2,14.4,16,20,4,0.2",
        ]
    );

    let found = benchmark(&reader, "2026Q4".parse().expect("a quarter"), None).expect("the benchmark");
    let measure = found.measures.iter().find(|measure| measure.name == "cache_savings").expect("the measure");
    let figure = &measure.figures[0];
    // All of them read from a cache; of the fourth nobody knows what it would have cost without, and the second is no matter.
    assert_eq!((figure.value.as_str(), figure.numerator.as_str()), ("4", "4"));
    assert_eq!((figure.coverage.answered.as_str(), figure.coverage.of.as_str()), ("2", "3"));

    let data = folder.path().join("nothing").display().to_string();
    let (ok, page) = spendstream(&["report", "--lake", &address, "--data", &data]);
    assert!(ok, "{page}");
    for line in [
        "Savings at list prices, of calls billed by use",
        "  Batching saved 10.00 USD, 34.5 % of what it would have cost",
        "  Other tiers than the standard one saved 3.00 USD, 13.6 % of what it would have cost",
        "  Prompt caching saved 4.00 USD, 17.4 % of what it would have cost",
    ] {
        assert!(page.lines().any(|found| found == line), "no line {line:?} in {page}");
    }
}
