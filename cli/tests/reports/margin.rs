//! The margin of units of value, from facts and charges of a lake and the rate card of a price file.

use cli::reports::benchmark::benchmark;
use cli::reports::{Period, Request, What, margin, show};
use enrich::price::{RateCard, UnitPrice, parse_prices};
use schemas::codec::Format;
use schemas::ids::{charge_id, dedup_key, hash_parts};
use schemas::{
    Charge, ChargeClass, Dimensions, Fact, FactKind, Position, PricingStatus, Text, Timestamp, fixture, topics,
};
use sink::{Lake, LakeConfig, LakeReader};
use stream::reference::Compiled;

use crate::history::Writer;
use crate::{day, spendstream, time};

const CARD: &str = "currency: USD
source: finance, decision of 2026-10-30
rate_card:
  - {unit: resolutions, price: 0.05}
  - {unit: resolutions, price: 0.04, valid_from: 2026-11-14}
  - {unit: resolutions, price: 0.045, team: growth}
  - {unit: resolutions, price: 0.03, currency: EUR, team: risk}
  - {unit: resolutions, price: 0.06, known_from: 2026-11-26}
";

/// A card for the long history. It is JSON, which is YAML, so that others read it, too.
pub const HISTORY_CARD: &str = r#"{"currency": "USD", "source": "finance, decision of 2026-08-30", "rate_card": [
    {"unit": "resolutions", "price": "0.05"},
    {"unit": "resolutions", "price": "0.04", "valid_from": "2026-10-16T06:00:00Z"},
    {"unit": "resolutions", "price": "0.061234567891", "workload": "support and retail"},
    {"unit": "resolutions", "price": "0.045", "currency": "EUR", "team": "growth", "valid_from": "2026-10-01T00:00:00Z",
        "valid_to": "2026-11-01T00:00:00Z"},
    {"unit": "documents", "price": "1.25", "valid_from": "2026-09-20T12:00:00Z"}
]}"#;

/// What is asked of the long history.
pub fn requests() -> Vec<Request> {
    let october = Period { from: day("2026-10-01"), to: day("2026-10-31") };
    let before = time("2026-10-20T12:34:56.5Z");
    let by = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let of = |by, period, as_of| Request { what: What::Margin, by, period, as_of };
    vec![
        of(None, Period::default(), None),
        of(by(&["workload_profile", "month"]), Period::default(), before),
        of(by(&["day", "team"]), october, None),
        of(by(&[]), october, before),
    ]
}

pub fn prices(card: &str, as_of: Timestamp) -> Vec<UnitPrice> {
    let rows = parse_prices(&[("prices/card.yaml".to_owned(), card.to_owned())]).expect("a valid card");
    RateCard::compile("test", &rows.iter().collect::<Vec<_>>()).expect("published rows").prices(as_of)
}

pub fn fact(id: &str, team: &str, workload: &str, name: &str, quantity: &str, at: &str) -> Fact {
    let event_time: Timestamp = at.parse().expect("a time");
    Fact {
        tenant: "acme".into(),
        fact_id: hash_parts([b"fact".as_slice(), id.as_bytes()]),
        kind: FactKind::ValueUnits,
        workload: workload.into(),
        name: name.into(),
        quantity: quantity.parse().expect("a quantity"),
        unit: None,
        value: None,
        currency: None,
        call_key: None,
        event_time,
        received_at: event_time.plus_seconds(60),
        source: "gateway".into(),
        claimed: Dimensions { team: Some(team.into()), ..Dimensions::default() },
        tags: Vec::new(),
        position: Position { topic: topics::RAW.into(), partition: 0, offset: 0, item: 0 },
    }
}

/// An outcome, whoever tells of it.
fn outcome(workload: &str, name: &str, quantity: &str) -> Fact {
    Fact { kind: FactKind::Outcome, ..fact("8", "support", workload, name, quantity, "2026-11-14") }
}

/// The same an hour later.
fn later(fact: Fact) -> Fact {
    Fact { received_at: fact.received_at.plus_seconds(3_600), ..fact }
}

/// What a call of a team and workload cost; none is unpriced.
pub fn charge(number: u64, team: &str, workload: &str, cost: Option<&str>) -> Charge {
    let mut charge = fixture::everyday_charge(number);
    charge.event.event_time = "2026-11-13T12:00:00Z".parse().expect("a time");
    charge.event.tenant = "acme".into();
    charge.booked_at = charge.event.event_time.plus_seconds(1);
    charge.event.dedup_key = dedup_key("acme", &charge.event.call_key, 0, &number.to_string());
    charge.charge_id = charge_id(charge.event.dedup_key, 0, ChargeClass::Original);
    let cost = cost.map(|cost| cost.parse().expect("an amount"));
    (charge.costs.list, charge.costs.contracted, charge.costs.effective) = (cost, cost, cost);
    if cost.is_none() {
        charge.status = PricingStatus::Unpriced;
    }
    charge.owner = Dimensions {
        team: Some(team.into()),
        workload_profile: (!workload.is_empty()).then(|| Text::from(workload)),
        ..Dimensions::default()
    };
    charge
}

fn write(address: &str) {
    let lake = Lake::open(&LakeConfig::at(address)).expect("a lake");
    let (mut charges, mut facts) = (Writer::open(&lake, "charges"), Writer::open(&lake, "facts"));
    charges.batch(
        &Format::new(),
        vec![
            charge(1, "support", "support bot", Some("5.5")),
            charge(2, "support", "support bot", None),
            charge(3, "growth", "support bot", Some("0.5")),
            charge(4, "risk", "risk bot", Some("2")),
            charge(5, "finance", "", Some("1")),
            charge(6, "platform", "", Some("4")),
            charge(7, "sales", "sales bot", Some("3")),
        ],
    );
    let units = [
        fact("1", "support", "support bot", "resolutions", "100", "2026-11-13T23:59:59.999999Z"),
        fact("2", "support", "support bot", "resolutions", "50.5", "2026-11-14T00:00:00Z"),
        // A copy.
        fact("2", "support", "support bot", "resolutions", "50.5", "2026-11-14T00:00:00Z"),
        // A copy that says something else, and came later.
        later(fact("2", "growth", "another bot", "documents", "7", "2026-11-14T00:00:00Z")),
        fact("3", "growth", "support bot", "resolutions", "20", "2026-11-14T00:00:00Z"),
        fact("4", "risk", "risk bot", "resolutions", "10", "2026-11-14T00:00:00Z"),
        // Nobody has priced these, and no workload is stated.
        fact("5", "finance", "default", "documents", "8", "2026-11-14T00:00:00Z"),
        // Two kinds of units: nobody can say which of them the calls were for.
        fact("6", "sales", "sales bot", "resolutions", "10", "2026-11-14T00:00:00Z"),
        fact("7", "sales", "sales bot", "leads", "5", "2026-11-14T00:00:00Z"),
        later(outcome("another bot", "blocked", "1")),
        outcome("support bot", "resolved", "9"),
    ];
    facts.batch(&Format::new(), units.to_vec());
    charges.flush();
    facts.flush();
}

fn request(by: &[&str]) -> Request {
    let by = by.iter().map(|name| (*name).to_owned()).collect();
    Request { what: What::Margin, by: Some(by), period: Period::default(), as_of: time("2026-11-25T23:59:59.999999Z") }
}

fn answer(address: &str, request: &Request) -> Vec<String> {
    let reader = LakeReader::open(&LakeConfig::at(address)).expect("the lake");
    let prices = prices(CARD, request.as_of.unwrap_or(Timestamp::MAX));
    let answer = margin::margin(&reader, request, &prices).unwrap_or_else(|error| panic!("{error:#}"));
    show::csv(&answer.rows).expect("CSV").lines().map(str::to_owned).collect()
}

#[test]
fn units_are_charged_on_at_the_price_of_their_time_and_stand_beside_what_they_cost() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = folder.path().join("lake").display().to_string();
    write(&address);
    let by_team = [
        "team,unit,currency,units,unrated_units,unit_price,chargeback,requests,unpriced_requests,effective_cost,\
         cost_per_unit,margin,margin_share",
        // Without a price: never zero, and no margin.
        "finance,documents,USD,,8,,,1,0,1,0.125,,",
        "growth,resolutions,USD,20,,0.045,0.9,1,0,0.5,0.025,0.4,0.444444444444",
        "platform,,USD,,,,,1,0,4,,,",
        // Two currencies stand apart, and nothing is taken from the other.
        "risk,resolutions,EUR,10,,0.03,0.3,0,0,,,,",
        "risk,resolutions,USD,,,,,1,0,2,0.2,,",
        "sales,leads,,,5,,,0,0,,,,",
        "sales,resolutions,USD,10,,0.04,0.4,0,0,,,,",
        "sales,,USD,,,,,1,0,3,,,",
        // 100 at 0.05 until the last microsecond of the 13th, and 50.5 at 0.04 from the first of the 14th.
        "support,resolutions,USD,150.5,,0.046644518272,7.02,2,1,5.5,0.036544850498,1.52,0.216524216524",
    ];
    assert_eq!(answer(&address, &request(&["team"])), by_team);
    // Coarser, the same money.
    let total = [
        "documents,USD,,8,,,1,0,1,0.125,,",
        "leads,,,5,,,0,0,,,,",
        "resolutions,EUR,10,,0.03,0.3,0,0,,,,",
        "resolutions,USD,180.5,,0.046094182825,8.32,4,1,8,0.041994750656,,",
        ",USD,,,,,2,0,7,,,",
    ];
    assert_eq!(answer(&address, &request(&[]))[1..], total);
    // What was learnt on the 26th: everything without a scope of its own was 0.06 until the 14th.
    let later =
        Request { as_of: None, period: Period { from: day("2026-11-13"), to: day("2026-11-13") }, ..request(&["day"]) };
    assert!(
        answer(&address, &later)[1..].contains(&"2026-11-13,resolutions,USD,100,,0.06,6,3,1,6,0.06,0,0".to_owned()),
        "{:?}",
        answer(&address, &later)
    );
}

#[test]
fn of_the_copies_of_a_fact_the_first_counts_whole() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = folder.path().join("lake").display().to_string();
    write(&address);
    let reader = LakeReader::open(&LakeConfig::at(&address)).expect("the lake");
    let found = benchmark(&reader, "2026Q4".parse().expect("a quarter"), None).expect("the benchmark");
    let figures = |name: &str| {
        let measure = found.measures.iter().find(|measure| measure.name == name).expect("the measure");
        let figures = measure.figures.iter().map(|figure| {
            let denominator = figure.denominator.as_deref().unwrap_or("-");
            format!("{} {} {denominator}", figure.profile, figure.subject.as_deref().unwrap_or("-"))
        });
        figures.collect::<Vec<_>>()
    };
    assert_eq!(figures("blocked_or_escalated_rate"), ["all - 9", "support bot - 9"]);
    let units = figures("cost_per_value_unit");
    assert!(units.contains(&"support bot resolutions 170.5".to_owned()), "{units:?}");
    assert!(!units.iter().any(|figure| figure.starts_with("another bot")), "{units:?}");
    // What states no workload stands beside the calls that state none.
    assert!(units.contains(&"none stated documents 8".to_owned()), "{units:?}");
}

#[test]
fn the_command_takes_the_card_from_a_file_and_says_where_units_and_costs_meet() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = folder.path().join("lake").display().to_string();
    write(&address);
    let card = folder.path().join("card.yaml").display().to_string();
    std::fs::write(&card, CARD).expect("written");
    let ask = |more: &[&str]| {
        spendstream(
            &[&["report", "margin", "--lake", &address, "--book", &card, "--as-of", "2026-11-25"], more].concat(),
        )
    };
    let (ok, text) = ask(&["--by", "team", "--output", "csv"]);
    assert!(ok, "{text}");
    assert_eq!(text.lines().collect::<Vec<_>>(), answer(&address, &request(&["team"])));
    for form in ["table", "json", "html"] {
        let (ok, text) = ask(&["--output", form]);
        assert!(ok && text.contains("unrated_units"), "{text}");
    }
    let (ok, text) = ask(&["--sql"]);
    assert!(ok && text.contains("CAST('0.045' AS DECIMAL(38, 12))") && !text.contains("/*rate card*/"), "{text}");
    let (ok, text) = ask(&["--by", "model"]);
    assert!(!ok && text.contains("where units and costs meet; these are tenant, team"), "{text}");
    let data = folder.path().join("nothing").display().to_string();
    let (ok, text) = spendstream(&["report", "--data", &data, "margin", "--lake", &address]);
    assert!(!ok && text.contains("--book DIR"), "{text}");
}

#[test]
fn the_command_takes_the_card_that_was_published_last() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (address, config, data) = (path("lake"), path("config"), path("data"));
    write(&address);
    let run = |arguments: &[&str]| {
        let (ok, text) = spendstream(arguments);
        assert!(ok, "{arguments:?}: {text}");
        text
    };
    let publish = |card: &str| std::fs::write(path("config/prices/card.yaml"), card).expect("written");
    run(&["init", &config]);
    publish("currency: USD\nsource: finance, a first draft\nrate_card: [{unit: resolutions, price: 1}]\n");
    run(&["up", "--data", &data, "--config", &config, "--sample", "0", "--listen", "127.0.0.1:0", "--exit-when-idle"]);
    let ask = || run(&["report", "--data", &data, "margin", "--lake", &address, "--by", "team", "--output", "csv"]);
    let draft = ask();
    assert!(draft.contains("\nsupport,resolutions,USD,150.5,,1,150.5,"), "{draft}");
    publish(CARD);
    run(&["apply", &config, "--data", &data]);
    let newest = Request { as_of: None, ..request(&["team"]) };
    assert_eq!(ask().lines().collect::<Vec<_>>(), answer(&address, &newest));
}

#[test]
fn a_card_without_rows_leaves_every_unit_unrated() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = folder.path().join("lake").display().to_string();
    write(&address);
    let reader = LakeReader::open(&LakeConfig::at(&address)).expect("the lake");
    let answer = margin::margin(&reader, &request(&[]), &[]).unwrap_or_else(|error| panic!("{error:#}"));
    let rows = show::csv(&answer.rows).expect("CSV");
    assert!(rows.contains("\nresolutions,USD,,190.5,,,4,1,8,0.041994750656,,\r"), "{rows}");
}
