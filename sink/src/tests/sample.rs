//! Charges and windows as the stages write them, and what the lake should hold after them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use deltalake_core::kernel::{DataType, PrimitiveType, StructField};
use schemas::codec::Format;
use schemas::ids::{charge_id, dedup_key, hash_parts};
use schemas::{
    Charge, ChargeCategory, ChargeClass, Confidence, CostBasis, Costs, Dimensions, Flag, Granularity, IdentityKind,
    Line, Meter, Metered, Money, Position, Price, PriceContext, PricingStatus, Quantity, Sums, Tag, Text, Timestamp,
    UsageEvent, Window, WindowKey, WindowStatus, topics,
};
use stream::{Again, BatchWriter, Books, Output, Source, Tick};

use super::Fact;
use crate::Lake;

/// 2026-11-22T12:00:00Z.
pub const NOW: Timestamp = Timestamp::from_micros(1_795_348_800_000_000);

/// Records of a topic by partition, with their offsets, and the rows they should become.
pub struct Log {
    pub partitions: BTreeMap<u32, Vec<(i64, Vec<u8>)>>,
    pub oracle: Vec<Fact>,
}

/// A charge; calls of one number are the same, others differ in team, day, cost and class.
pub fn charge(number: i64) -> Charge {
    let call_key = Text::from(format!("openai/resp-{number}"));
    let dedup = dedup_key("acme", &call_key, 0, "gpt-5");
    let reversal = number % 7 == 3;
    let class = if reversal { ChargeClass::Reversal } else { ChargeClass::Original };
    let picos = (i128::from(number) + 1) * 1_234_567_890_123 * if reversal { -1 } else { 1 };
    let cost = Money::from_picos(picos);
    let tokens = Quantity::from_units(1000 + number);
    let team = (number % 3 != 0).then(|| Text::from(format!("team-{}", number % 3)));
    let event_time = NOW.plus_seconds(-(number % 3) * 86_400 - number);
    Charge {
        charge_id: charge_id(dedup, 0, class),
        revision: 0,
        class,
        corrects: None,
        correction_reason: None,
        correction_id: None,
        booked_at: NOW,
        event: Box::new(UsageEvent {
            tenant: "acme".into(),
            call_key,
            identity: IdentityKind::ResponseId,
            weaker_keys: vec!["span/1/2".into()],
            iteration: 0,
            dedup_key: dedup,
            content_hash: hash_parts([b"content".as_slice()]),
            precedence: 1,
            amends: false,
            event_id: Some(format!("event-{number}").into()),
            source: "gateway".into(),
            position: Position { topic: "usage.raw".into(), partition: 0, offset: number, item: 0 },
            event_time,
            received_at: NOW,
            charge_period_start: None,
            charge_period_end: None,
            provider: "openai".into(),
            publisher: None,
            model: if number % 2 == 0 { "gpt-5".into() } else { "gpt-5-mini".into() },
            requested_model: None,
            operation: "chat".into(),
            price_context: PriceContext { service_tier: Some("default".into()), ..PriceContext::default() },
            usage: vec![Metered { meter: Meter::InputTextTokens, quantity: tokens }],
            checked: "prompt = uncached + cached".into(),
            raw_usage: r#"{"prompt_tokens":1000}"#.into(),
            raw_usage_hash: hash_parts([b"raw".as_slice()]),
            extractor: "openai.responses".into(),
            extractor_version: 1,
            flags: vec![Flag::TimeAssumed],
            key_id: Some("key-1".into()),
            resource: None,
            tags: vec![Tag { key: "env".into(), value: "prod".into() }],
            claimed: Dimensions { team: Some("claimed".into()), ..Dimensions::default() },
            cost_basis: CostBasis::OnDemand,
            charge_category: ChargeCategory::Usage,
            reported_cost: None,
            stated_cost: None,
        }),
        requests: if reversal { -1 } else { 1 },
        status: PricingStatus::Priced,
        lines: vec![Line {
            meter: Meter::InputTextTokens,
            quantity: tokens,
            billed_quantity: tokens,
            list_unit_price: Price("1.25".parse().unwrap()),
            contracted_unit_price: None,
            per: 1_000_000,
            currency: "USD".into(),
            rate_id: "openai/gpt-5/input".into(),
            contracted_rate_id: None,
            list_cost: cost.unwrap(),
            contracted_cost: cost.unwrap(),
        }],
        unpriced: Vec::new(),
        costs: Costs { currency: "USD".into(), list: cost, contracted: cost, effective: cost, billed: None },
        reporting: None,
        fx_rate_id: None,
        counterfactuals: Vec::new(),
        sku: Some("openai/gpt-5".into()),
        model_class: Some("premium".into()),
        book_version: "abc".into(),
        owner: Dimensions { team, environment: Some("production".into()), ..Dimensions::default() },
        rule: Some("key-1".into()),
        confidence: Confidence::Exact,
        directory_version: "def".into(),
        allocation: None,
        flags: vec![Flag::TimeAssumed, Flag::AliasedModel],
    }
}

fn tick() -> Tick {
    Tick { now: NOW, caught_up: true, hurry: false, skips: Arc::default() }
}

/// Batches of charges from one source partition into each partition, written by the runtime's own writer. Offsets have
/// holes, as transaction markers leave them, and a heartbeat is among the records.
pub fn charges_log(partitions: u32, batches: i64, items: i64) -> Log {
    let targets = Arc::new(HashMap::from([(topics::CHARGES.to_owned(), partitions)]));
    let source = Source {
        topic: topics::EVENTS.into(),
        partition: 0,
        partitions: 1,
        generation: 0,
        targets,
        again: Again::default(),
    };
    let mut books = Books::new("enrich", source);
    let mut writer = BatchWriter::<Charge>::new(topics::CHARGES, partitions);
    let mut log = Log { partitions: BTreeMap::new(), oracle: Vec::new() };
    let mut number = 0;
    for batch in 0..batches {
        let mut out = Output::default();
        let offset = 10 + batch * 3;
        for partition in 0..partitions {
            for item in 0..items {
                let charge = charge(number);
                number += 1;
                writer.push(partition, &charge).unwrap();
                let cost = charge.costs.effective.map(Money::picos);
                log.oracle.push((partition as i32, offset, item as i32, charge.charge_id.to_string(), cost));
            }
        }
        books.advance(batch, batch + 1);
        writer.finish(&tick(), &mut books, &mut out).unwrap();
        for record in out.records {
            let payload = record.payload.unwrap().to_vec();
            log.partitions.entry(record.partition).or_default().push((offset, payload));
        }
    }
    log.oracle.sort();
    log
}

/// Three revisions of two windows, twice, in one partition; and the windows as they are in the end.
pub fn windows_log() -> (Log, Vec<Window>) {
    let format = Format::new();
    let mut records = Vec::new();
    let mut last = BTreeMap::new();
    for revision in 0..3 {
        for team in ["a", "b"] {
            let window = window(team, revision);
            records.push((records.len() as i64, format.encode(&window)));
            last.insert(team, window);
        }
    }
    let log = Log { partitions: BTreeMap::from([(0, records)]), oracle: Vec::new() };
    (log, last.into_values().collect())
}

fn window(team: &str, revision: i64) -> Window {
    let key = WindowKey {
        tenant: "acme".into(),
        team: Some(team.into()),
        project: None,
        environment: None,
        provider: "openai".into(),
        model: "gpt-5".into(),
        use_case: None,
        currency: "USD".into(),
    };
    Window {
        key,
        granularity: Granularity::Hour,
        start: NOW,
        end: NOW.plus_seconds(3600),
        revision,
        status: WindowStatus::Provisional,
        sums: Sums { effective: Money::from_units(revision), requests: revision, ..Sums::default() },
        late: 0,
        watermark: Timestamp::MIN,
        emitted_at: NOW,
    }
}

fn made_before(lake: &Lake, columns: &[(&str, PrimitiveType)]) {
    // As every release names it.
    let fields = columns.iter().map(|(name, of)| StructField::new(*name, DataType::Primitive(of.clone()), true));
    let create = lake.table("charges").unwrap().create().with_columns(fields).with_partition_columns(["event_date"]);
    let create = create.with_table_name("charges");
    lake.wait(async { create.await }).unwrap();
}

/// `charges` with only a few of its columns, and one that this release has no more.
pub fn older_table(lake: &Lake) {
    let columns =
        [("event_date", PrimitiveType::Date), ("tenant", PrimitiveType::String), ("retired", PrimitiveType::Long)];
    made_before(lake, &columns);
}

/// A table called `charges` whose `revision` is text.
pub fn foreign_table(lake: &Lake) {
    made_before(lake, &[("event_date", PrimitiveType::Date), ("revision", PrimitiveType::String)]);
}
