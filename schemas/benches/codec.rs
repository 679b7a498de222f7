//! Avro encoding and decoding of what flows between the services: `cargo bench -p spendstream-schemas`.
#![expect(missing_docs, reason = "criterion declares a function of its own")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use spendstream_schemas::codec::Format;
use spendstream_schemas::wire::Wire;
use spendstream_schemas::{Batch, Charge, EventItem, fixture};

/// Items of a batch.
const ITEMS: u64 = 500;

fn codec(criterion: &mut Criterion) {
    let charges: Vec<Charge> = (0..ITEMS).map(fixture::everyday_charge).collect();
    let events = charges.iter().map(|charge| EventItem::Event(charge.event.clone())).collect();
    measure(criterion, "charges", Batch { lineage: fixture::lineage(), items: charges });
    measure(criterion, "events", Batch { lineage: fixture::lineage(), items: events });
}

fn measure<T: Wire>(criterion: &mut Criterion, name: &str, batch: T) {
    let format = Format::new();
    let payload = format.encode(&batch);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(ITEMS));
    let mut out = Vec::with_capacity(payload.len());
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            out.clear();
            format.encode_into(&batch, &mut out);
        });
    });
    group.bench_function("decode", |bencher| {
        bencher.iter_batched(|| (), |()| format.decode(&payload), BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
