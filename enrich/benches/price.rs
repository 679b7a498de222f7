//! Pricing and attribution of everyday calls, rows and texts included: `cargo bench -p spendstream-enrich`.
#![expect(missing_docs, reason = "criterion declares a function of its own")]
#![expect(clippy::float_arithmetic, reason = "the library beside ours counts in floating point")]

extern crate spendstream_schemas as schemas;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, SystemTime};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use genai_prices::{PriceRequest, Usage, UsageKey};
use schemas::{Meter, ReferenceRow, UsageEvent, fixture};
use spendstream_enrich::{Directory, Finding, PriceBook, read_owners, read_prices};
use spendstream_stream::reference::Compiled;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MODELS: [(&str, &str); 4] = [
    ("openai", "gpt-5-mini"),
    ("openai", "gpt-5.5"),
    ("anthropic", "claude-sonnet-4-5"),
    ("gcp.gemini", "gemini-2.5-flash"),
];

fn compile<T: Compiled>(rows: Result<Vec<ReferenceRow>, Vec<Finding>>) -> T {
    let rows = rows.unwrap_or_else(|findings| panic!("the example is valid: {}", findings[0]));
    T::compile("example", &rows.iter().collect::<Vec<_>>()).expect("the example is valid")
}

fn call(number: u64, provider: &str, model: &str) -> UsageEvent {
    let key_id = Some("key-support-prod".into());
    UsageEvent { provider: provider.into(), model: model.into(), key_id, ..*fixture::everyday_charge(number).event }
}

/// What the library is told of a call: its counts include those of the cache.
fn usage(event: &UsageEvent) -> Usage {
    let of = |meter: Meter| {
        let used = event.usage.iter().filter(|used| used.meter == meter);
        used.map(|used| used.quantity.to_string().parse::<f64>().expect("a quantity is a number")).sum::<f64>()
    };
    let (fresh, cached) = (of(Meter::InputTextTokens), of(Meter::CacheReadTextTokens));
    Usage::from([
        (UsageKey::INPUT_TOKENS, fresh + cached),
        (UsageKey::CACHE_READ_TOKENS, cached),
        (UsageKey::OUTPUT_TOKENS, of(Meter::OutputTextTokens) + of(Meter::OutputReasoningTokens)),
    ])
}

/// The library's name of a provider.
fn provider(event: &UsageEvent) -> &str {
    if event.provider == "gcp.gemini" { "google" } else { &event.provider }
}

/// Memory of this process in MiB, where the system tells.
fn memory() -> Option<f64> {
    let pages: f64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096.0 / 1_048_576.0)
}

fn pricing(criterion: &mut Criterion) {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/example"));
    // The book that ships: every provider's rows, imported and checked by hand.
    let rows = read_prices(folder).unwrap_or_else(|findings| panic!("the example is valid: {}", findings[0]));
    let rows: Vec<&ReferenceRow> = rows.iter().collect();
    let before = memory();
    let book = PriceBook::compile("example", &rows).expect("the example is valid");
    if let (Some(before), Some(after)) = (before, memory()) {
        println!("the book of {} rows, compiled: {:.1} MiB at most", rows.len(), after - before);
    }
    let directory: Directory = compile(read_owners(folder));
    let events: Vec<_> = (0..).zip(MODELS).map(|(number, (provider, model))| call(number, provider, model)).collect();
    let mut group = criterion.benchmark_group("calls");
    group.throughput(Throughput::Elements(events.len() as u64));
    let resolve = |event| book.resolve(event).expect("the book knows these models");
    let resolved: Vec<_> = events.iter().map(|event| (event, resolve(event))).collect();
    group.bench_function("evaluate, SKU known", |bencher| {
        bencher.iter(|| {
            for (event, resolved) in &resolved {
                black_box(black_box(resolved).evaluate(black_box(event), &event.claimed));
            }
        });
    });
    group.bench_function("evaluate, from names", |bencher| {
        bencher.iter(|| {
            for event in &events {
                black_box(resolve(black_box(event)).evaluate(event, &event.claimed));
            }
        });
    });
    group.bench_function("price", |bencher| {
        bencher.iter(|| events.iter().for_each(|event| drop(black_box(book.price(black_box(event))))));
    });
    group.bench_function("attribute", |bencher| {
        bencher.iter(|| events.iter().for_each(|event| drop(black_box(directory.attribute(black_box(event))))));
    });
    // The same calls and models by the library whose prices a part of the book comes from: the sum alone, in floating point.
    let calculator = genai_prices::Calculator::bundled();
    let calls: Vec<_> = events.iter().map(usage).collect();
    let prices = || {
        events.iter().zip(&calls).for_each(|(event, usage)| {
            let at = SystemTime::UNIX_EPOCH + Duration::from_micros(event.event_time.micros() as u64);
            let request = PriceRequest::new(&event.model, usage);
            let request = request.with_provider_id(provider(event)).with_timestamp(at);
            black_box(calculator.calculate(black_box(&request)).expect("the library knows these models"));
        });
    };
    group.bench_function("genai-prices", |bencher| bencher.iter(prices));
    group.finish();
    // Reading and checking the files is what a person waits for, compiling their rows what a service does.
    let mut group = criterion.benchmark_group("book");
    group.sample_size(10);
    group.bench_function("read", |bencher| bencher.iter(|| black_box(read_prices(black_box(folder)))));
    group
        .bench_function("compile", |bencher| bencher.iter(|| black_box(PriceBook::compile("bench", black_box(&rows)))));
    group.finish();
}

criterion_group!(benches, pricing);
criterion_main!(benches);
