//! Batches of charges into a table on a local disk, Parquet and commit included: `cargo bench -p spendstream-sink`.
#![expect(missing_docs, reason = "criterion declares a function of its own")]

extern crate spendstream_schemas as schemas;
extern crate spendstream_sink as sink;
extern crate spendstream_stream as stream;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use schemas::codec::Format;
use schemas::{Batch, Charge, fixture};
use sink::rows::Charges;
use sink::{Lake, LakeConfig, LakeTable};
use stream::{Record, Table};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows of one flush, and of one batch.
const ROWS: u64 = 45_000;
const BATCH: u64 = 500;

/// Charges of so many dates, in no order.
fn batches(dates: u64) -> Vec<Vec<u8>> {
    let format = Format::<Batch<Charge>>::new();
    let charge = |number: u64| {
        let mut charge = fixture::everyday_charge(number);
        charge.event.event_time = charge.event.event_time.plus_seconds((number * 7 % dates * 86_400) as i64);
        charge
    };
    let batch = |first: u64| {
        let mut lineage = fixture::lineage();
        lineage.sequence = (first / BATCH) as i64;
        format.encode(&Batch { lineage, items: (first..first + BATCH).map(charge).collect() })
    };
    (0..ROWS).step_by(BATCH as usize).map(batch).collect()
}

fn flush(mut table: LakeTable<Charges>, batches: &[Vec<u8>]) {
    let now = fixture::charge().booked_at;
    let records: Vec<Record<'_>> = (0..)
        .zip(batches)
        .map(|(offset, payload)| Record {
            offset,
            timestamp: now,
            key: None,
            payload: Some(payload),
            headers: Vec::new(),
        })
        .collect();
    table.append(0, &records, records.len() as i64).expect("the batches are good");
    table.flush(now).expect("the folder can be written");
}

fn parquet(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut tables = 0;
    let mut fresh = || {
        tables += 1;
        let config = LakeConfig::at(folder.path().join(tables.to_string()).display().to_string());
        let lake = Lake::open(&config).expect("the folder can be written");
        let mut table = LakeTable::open(&lake, &config).expect("a new table");
        table.assign(&[0]).expect("the table is there");
        table
    };
    let mut group = criterion.benchmark_group("charges");
    group.throughput(Throughput::Elements(ROWS)).sample_size(10);
    for (name, dates) in [("flush", 1), ("flush_90_dates", 90)] {
        let batches = batches(dates);
        group.bench_function(name, |bencher| {
            bencher.iter_batched(&mut fresh, |table| flush(table, &batches), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, parquet);
criterion_main!(benches);
