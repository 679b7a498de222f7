//! Charges into partial sums, and partial sums into windows and budgets: `cargo bench -p spendstream-aggregate`.
#![expect(missing_docs, reason = "criterion declares a function of its own")]

extern crate spendstream_aggregate as aggregate;
extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

use std::collections::HashMap;
use std::sync::Arc;

use aggregate::budget::{Budgets, Definition};
use aggregate::{CombineStage, Config, MergeStage};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use schemas::{Charge, fixture, topics};
use stream::reference::Reference;
use stream::{Again, BatchWriter, Books, OutRecord, Output, Processor, Record, Source, Stage, Tick};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Charges of one transaction, of 50 teams, each with a budget.
const CHARGES: u64 = 5_000;
const TEAMS: u64 = 50;

fn source(stage: &dyn Stage) -> Source {
    let targets = stage.outputs().into_iter().map(|topic| (topic, 1)).collect::<HashMap<_, _>>();
    Source {
        topic: stage.input().into(),
        partition: 0,
        partitions: 1,
        generation: 0,
        targets: Arc::new(targets),
        again: Again::default(),
    }
}

fn tick() -> Tick {
    Tick { now: fixture::lineage().watermark, caught_up: true, hurry: false, skips: Arc::default() }
}

fn budgets() -> Arc<Reference<Budgets>> {
    let definition = |number: u64| -> Definition {
        let text = format!(
            r#"{{"id": "b{number}", "name": "b", "tenant": "acme", "scope": {{"team": "team-{number}"}}, "currency": "USD",
                "amounts": {{"month": "100"}},
                "thresholds": [{{"share": "1", "period": "month", "action": "notify", "severity": "warning"}}]}}"#
        );
        serde_json::from_str(&text).expect("a definition")
    };
    let budgets = Budgets::new("v", (0..TEAMS).map(definition).collect());
    Arc::new(Reference::single(budgets.expect("the definitions are valid")))
}

fn charges() -> Vec<OutRecord> {
    let targets = HashMap::from([(topics::CHARGES.to_owned(), 1)]);
    let source = Source {
        topic: topics::EVENTS.into(),
        partition: 0,
        partitions: 1,
        generation: 0,
        targets: Arc::new(targets),
        again: Again::default(),
    };
    let (mut writer, mut out) = (BatchWriter::<Charge>::new(topics::CHARGES, 1), Output::default());
    for number in 0..CHARGES {
        writer.push(0, &fixture::everyday_charge(number)).expect("sums are small");
    }
    writer.finish(&tick(), &mut Books::new("enrich", source), &mut out).expect("sums are small");
    out.records
}

/// One transaction of a fresh processor.
fn work(stage: &dyn Stage, mut processor: Box<dyn Processor>, records: &[OutRecord]) -> Vec<OutRecord> {
    let (mut books, mut out) = (Books::new(stage.name(), source(stage)), Output::default());
    let records: Vec<Record<'_>> = (0..)
        .zip(records)
        .map(|(offset, record)| Record {
            offset,
            timestamp: tick().now,
            key: None,
            payload: record.payload.as_deref(),
            headers: Vec::new(),
        })
        .collect();
    books.advance(0, records.len() as i64);
    processor.process(&records, &tick(), &mut books).expect("the batches are good");
    processor.finish(&tick(), &mut books, &mut out).expect("sums are small");
    processor.promote();
    out.records
}

fn sums(criterion: &mut Criterion) {
    let combine = CombineStage::new(Config::default(), budgets());
    let merge = MergeStage::new(Config::default(), budgets());
    let charges = charges();
    let partials = work(&combine, combine.processor(&source(&combine)), &charges);
    let mut group = criterion.benchmark_group("charges");
    group.throughput(Throughput::Elements(CHARGES));
    for (stage, records) in [(&combine as &dyn Stage, &charges), (&merge, &partials)] {
        let fresh = || stage.processor(&source(stage));
        group.bench_function(stage.name(), |bencher| {
            bencher.iter_batched(fresh, |processor| work(stage, processor, records), BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, sums);
criterion_main!(benches);
