//! Prices and attributes calls over and over on one core, strings and all:
//! `cargo run --release --example price -p spendstream-enrich`.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use spendstream_enrich::{Directory, Finding, PriceBook, read_owners, read_prices};
use spendstream_schemas::{
    ChargeCategory, CostBasis, Dimensions, Id128, IdentityKind, Meter, Metered, Position, PriceContext, Quantity,
    ReferenceRow, Text, UsageEvent,
};
use spendstream_stream::reference::Compiled;

const MODELS: [(&str, &str); 4] = [
    ("openai", "gpt-5-mini"),
    ("openai", "gpt-5.5"),
    ("anthropic", "claude-sonnet-4-5"),
    ("gcp.gemini", "gemini-2.5-flash"),
];

fn main() -> anyhow::Result<()> {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/example"));
    let started = Instant::now();
    let book: PriceBook = compile(read_prices(dir))?;
    println!("price book read, checked and compiled in {:?}", started.elapsed());
    let directory: Directory = compile(read_owners(dir))?;
    let events: Vec<UsageEvent> = MODELS.iter().map(|(provider, model)| call(provider, model)).collect();
    report("priced", || events.iter().for_each(|event| drop(black_box(book.price(black_box(event))))));
    report("attributed", || events.iter().for_each(|event| drop(black_box(directory.attribute(black_box(event))))));
    Ok(())
}

fn compile<T: Compiled>(rows: Result<Vec<ReferenceRow>, Vec<Finding>>) -> anyhow::Result<T> {
    let rows = rows.map_err(|findings| anyhow::anyhow!("{}", findings[0]))?;
    T::compile("example", &rows.iter().collect::<Vec<_>>())
}

/// Runs `round`, which handles every model once, for two seconds.
fn report(what: &str, round: impl Fn()) {
    let started = Instant::now();
    let mut rounds = 0u128;
    while started.elapsed() < Duration::from_secs(2) {
        (0..1_000).for_each(|_| round());
        rounds += 1_000;
    }
    let calls = rounds * MODELS.len() as u128;
    let per_call = started.elapsed().as_nanos() / calls;
    println!("{what}: {per_call} ns a call, {} a second", 1_000_000_000 / per_call.max(1));
}

fn call(provider: &str, model: &str) -> UsageEvent {
    let metered = |meter, units| Metered { meter, quantity: Quantity::from_units(units) };
    let time = "2026-11-20T12:00:00Z".parse().unwrap_or_default();
    UsageEvent {
        tenant: "default".into(),
        call_key: "openai/resp_1".into(),
        identity: IdentityKind::ResponseId,
        weaker_keys: Vec::new(),
        iteration: 0,
        dedup_key: Id128::default(),
        content_hash: Id128::default(),
        precedence: 0,
        amends: false,
        event_id: None,
        source: "app/example".into(),
        position: Position { topic: "usage.raw".into(), partition: 0, offset: 0, item: 0 },
        event_time: time,
        received_at: time,
        charge_period_start: None,
        charge_period_end: None,
        provider: provider.into(),
        publisher: None,
        model: model.into(),
        requested_model: None,
        operation: "chat".into(),
        price_context: PriceContext { service_tier: Some("default".into()), ..PriceContext::default() },
        usage: vec![
            metered(Meter::InputTextTokens, 4_321),
            metered(Meter::CacheReadTextTokens, 12_000),
            metered(Meter::OutputTextTokens, 765),
            metered(Meter::OutputReasoningTokens, 333),
        ],
        checked: Text::default(),
        raw_usage: Text::default(),
        raw_usage_hash: Id128::default(),
        extractor: "example".into(),
        extractor_version: 1,
        flags: Vec::new(),
        key_id: Some("key-support-prod".into()),
        resource: None,
        tags: Vec::new(),
        claimed: Dimensions::default(),
        cost_basis: CostBasis::OnDemand,
        charge_category: ChargeCategory::Usage,
        reported_cost: None,
        stated_cost: None,
    }
}
