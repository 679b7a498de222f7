//! What remembering calls costs: bytes of memory and changelog for each, and how fast a lost state is found again.
//!
//! `cargo run --release -p spendstream-enrich --example restore_calls -- 10000000 500`: ids, and calls in one transaction.
#![expect(clippy::float_arithmetic, reason = "rates for people; no money")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use schemas::ids::{dedup_key, hash_parts};
use schemas::{
    ChargeCategory, CostBasis, Dimensions, EventItem, IdentityKind, Meter, Metered, Position, PriceContext, Quantity,
    Text, Timestamp, UsageEvent, topics,
};
use spendstream_enrich::{Directory, EnrichConfig, EnrichStage, PriceBook, read_prices};
use spendstream_schemas as schemas;
use spendstream_stream::reference::{Compiled, Reference};
use spendstream_stream::{BatchWriter, Books, Output, Record, Source, Stage, Tick};

fn event(nth: i64) -> UsageEvent {
    let call_key = Text::from(format!("openai/chatcmpl-{nth:029}"));
    let received_at = Timestamp::from_millis(1_790_000_000_000 + nth);
    let used = |meter, units| Metered { meter, quantity: Quantity::from_units(units) };
    UsageEvent {
        tenant: "acme".into(),
        identity: IdentityKind::ResponseId,
        weaker_keys: vec![format!("event/checkout/{nth}").into()],
        iteration: 0,
        dedup_key: dedup_key("acme", &call_key, 0, "gpt-6-sol"),
        content_hash: hash_parts([nth.to_be_bytes().as_slice()]),
        call_key,
        precedence: 10,
        amends: false,
        event_id: Some(nth.to_string().into()),
        source: "checkout".into(),
        position: Position { topic: "usage.raw".into(), partition: 0, offset: nth, item: 0 },
        event_time: received_at,
        received_at,
        charge_period_start: None,
        charge_period_end: None,
        provider: "openai".into(),
        publisher: None,
        model: "gpt-6-sol".into(),
        requested_model: None,
        operation: "chat".into(),
        price_context: PriceContext::default(),
        usage: vec![used(Meter::InputTextTokens, 1_000 + nth % 97), used(Meter::OutputTextTokens, 200 + nth % 13)],
        checked: "prompt = uncached + cached".into(),
        raw_usage: r#"{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200}"#.into(),
        raw_usage_hash: hash_parts([nth.to_le_bytes().as_slice()]),
        extractor: "openai_chat".into(),
        extractor_version: 1,
        flags: Vec::new(),
        key_id: Some("key-7".into()),
        resource: None,
        tags: Vec::new(),
        claimed: Dimensions::default(),
        cost_basis: CostBasis::OnDemand,
        charge_category: ChargeCategory::Usage,
        reported_cost: None,
        stated_cost: None,
    }
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let ids: i64 = arguments.next().as_deref().unwrap_or("1000000").parse().context("read the number of ids")?;
    let per_transaction: i64 = arguments.next().as_deref().unwrap_or("500").parse().context("read the batch size")?;
    ensure!(ids > 0 && per_transaction > 0, "ids and calls in a transaction must be positive");

    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/example"));
    let rows = read_prices(folder).map_err(|findings| anyhow!("read the example prices: {findings:?}"))?;
    let prices = Arc::new(Reference::single(PriceBook::compile("b", &rows.iter().collect::<Vec<_>>())?));
    let owners = Arc::new(Reference::single(Directory::compile("d", &[])?));
    let config = EnrichConfig { dedup_memory_max: 4 << 30, ..EnrichConfig::default() };
    let stage = EnrichStage::new(config, prices, owners);
    let targets = [(topics::EVENTS.to_owned(), 1), (topics::CHARGES.to_owned(), 1)];
    let targets: Arc<HashMap<String, u32>> = Arc::new(targets.into_iter().collect());
    let source = |topic: &str| {
        let targets = targets.clone();
        Source { topic: topic.into(), partition: 0, partitions: 1, generation: 0, targets }
    };
    let tick = Tick { now: Timestamp::from_millis(1_800_000_000_000), caught_up: false, skips: Arc::default() };

    let mut ingest = Books::new("ingest", source(topics::RAW));
    let mut writer = BatchWriter::new(topics::EVENTS, 1);
    let mut books = Books::new("enrich", source(topics::EVENTS));
    let mut processor = stage.processor(&source(topics::EVENTS));
    let mut changelog = Vec::new();
    let mut spent = Duration::ZERO;
    for first in (0..ids).step_by(per_transaction as usize) {
        for nth in first..ids.min(first + per_transaction) {
            writer.push(0, &EventItem::Event(event(nth)))?;
        }
        let mut sent = Output::default();
        writer.finish(&tick, &mut ingest, &mut sent)?;
        let began = Instant::now();
        for record in &sent.records {
            let payload = record.payload.as_deref();
            let record = Record { offset: first, timestamp: tick.now, key: None, payload, headers: Vec::new() };
            processor.process(&[record], &tick, &mut books)?;
        }
        let mut out = Output::default();
        processor.finish(&tick, &mut books, &mut out)?;
        books.close(tick.now);
        processor.promote();
        books.promote();
        spent += began.elapsed();
        changelog.extend(out.changes);
    }
    let calls = ids as f64;
    let bytes: usize = changelog.iter().flat_map(|(_, value)| value).map(bytes::Bytes::len).sum();
    let process = spent.as_secs_f64();
    println!("process    {ids} events in {process:.2} s: {:.3} M/s", calls / process / 1e6);
    println!("state      {:.0} bytes a call", processor.state_bytes() as f64 / calls);
    println!("changelog  {:.0} bytes a call, uncompressed", bytes as f64 / calls);

    let mut restored = stage.processor(&source(topics::EVENTS));
    let began = Instant::now();
    for (key, value) in &changelog {
        restored.restore(key, value.as_deref())?;
    }
    let restore = began.elapsed().as_secs_f64();
    println!("restore    {ids} calls in {restore:.2} s: {:.3} M/s", calls / restore / 1e6);
    Ok(())
}
