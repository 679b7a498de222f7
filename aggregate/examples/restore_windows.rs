//! How fast *merge* folds partial sums, and how fast and in how much memory it restores a million windows from its
//! changelog, which holds every window several times.
//!
//! Times are of the processor, not of the wall clock; memory is what this process holds more after a step than before it.
//!
//! `cargo run --release -p spendstream-aggregate --example restore_windows -- 250000` (keys; each makes four windows).

extern crate spendstream_aggregate as aggregate;
extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aggregate::budget::Budgets;
use aggregate::{Config, MergeStage};
use schemas::topics::{ALERTS, BUDGET_STATE, PARTIALS, WINDOWS};
use schemas::{Money, PartialItem, Sums, Timestamp, WindowKey, WindowPartial};
use stream::reference::Reference;
use stream::{Again, BatchWriter, Books, Output, Record, Source, Stage, Tick};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Times that each window stands in the changelog: it is compacted now and then, and a window changes with every transaction.
const REVISIONS: usize = 3;

fn main() -> anyhow::Result<()> {
    stream::memory::small_pages();
    let keys: u32 = std::env::args().nth(1).map_or(Ok(250_000), |text| text.parse())?;
    let hour: Timestamp = "2026-11-22T10:00:00Z".parse().map_err(anyhow::Error::msg)?;
    let tick = Tick { now: hour, caught_up: true, hurry: false, skips: Arc::new(Vec::new()) };

    let mut writer = BatchWriter::new(PARTIALS, 1);
    for number in 0..keys {
        writer.push(0, &PartialItem::Window(partial(number, hour)))?;
    }
    let mut batches = Output::default();
    writer.finish(&tick, &mut Books::new("combine", source("usage.charges", &[PARTIALS])), &mut batches)?;
    let records = (0..).zip(&batches.records).map(|(offset, record)| Record {
        offset,
        timestamp: hour,
        key: None,
        payload: record.payload.as_deref(),
        headers: Vec::new(),
    });
    let records: Vec<_> = records.collect();

    let stage = MergeStage::new(Config::default(), Arc::new(Reference::single(Budgets::default())));
    let source = source(PARTIALS, &[WINDOWS, BUDGET_STATE, ALERTS]);
    let (mut processor, mut books, mut out) =
        (stage.processor(&source), Books::new("merge", source.clone()), Output::default());
    let begun = processor_time()?;
    processor.process(&records, &tick, &mut books)?;
    processor.finish(&tick, &mut books, &mut out)?;
    processor.promote();
    println!("{keys} partials into {} windows: {:?}", out.changes.len(), processor_time()? - begun);

    let bytes: usize = out.changes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, |v| v.len())).sum();
    let mut restored = stage.processor(&source);
    let held = resident()?;
    let begun = processor_time()?;
    for (key, value) in std::iter::repeat_n(&out.changes, REVISIONS).flatten() {
        restored.restore(key, value.as_deref())?;
    }
    restored.restored()?;
    println!(
        "restored {} windows, {REVISIONS} entries of {} bytes on average each, in {:?}; {} bytes of memory a window, estimated as {}",
        out.changes.len(),
        bytes / out.changes.len().max(1),
        processor_time()? - begun,
        resident()?.saturating_sub(held) / out.changes.len().max(1),
        restored.state_bytes() / out.changes.len().max(1),
    );
    Ok(())
}

/// Time this thread has had a processor: what else the machine does is not in it. Linux only.
fn processor_time() -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// Bytes of memory this process has. Linux only.
fn resident() -> anyhow::Result<usize> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    Ok(text.split(' ').nth(1).unwrap_or_default().parse::<usize>()? * 4096)
}

fn source(topic: &str, targets: &[&str]) -> Source {
    let targets: HashMap<_, _> = targets.iter().map(|target| ((*target).to_owned(), 1)).collect();
    Source {
        topic: topic.into(),
        partition: 0,
        partitions: 1,
        generation: 0,
        targets: Arc::new(targets),
        again: Again::default(),
    }
}

fn partial(number: u32, hour: Timestamp) -> WindowPartial {
    let amount = Money::from_units(1);
    WindowPartial {
        key: WindowKey {
            tenant: "default".into(),
            team: Some(format!("team-{}", number % 50).into()),
            project: Some(format!("project-{number}").into()),
            environment: Some("production".into()),
            provider: "openai".into(),
            model: "gpt-5-mini".into(),
            use_case: None,
            currency: "USD".into(),
        },
        hour,
        sums: Sums { charges: 1, requests: 1, list: amount, contracted: amount, effective: amount, ..Sums::default() },
        late_hour: 0,
        late_day: 0,
        late_month: 0,
        late_quarter: 0,
    }
}
