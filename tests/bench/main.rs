//! How fast the pipeline is on this machine, with the broker on the same cores, and beside other programs that do the
//! same job on the same topic in the same run. Machines drift: compare ratios of one run, not figures of two.
//!
//! `cargo run --release --bin spendstream-bench` measures everything; `BENCHMARKS.md` says what, and what came out.
#![expect(clippy::float_arithmetic, reason = "rates and seconds for people; no money")]

extern crate spendstream_schemas as schemas;
extern crate spendstream_sink as sink;
extern crate spendstream_stream as stream;

mod alerts;
mod beside;
mod cluster;
mod events;
mod floor;
mod local;
mod measure;
mod peer;
mod pipeline;
mod reports;
mod restart;
mod tables;

use clap::{Parser, ValueEnum};

use beside::Beside;

// As the services have: what is measured in this process is not held back by another allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the pipeline on a real Kafka broker that it starts itself, on /dev/shm where there is one.
#[derive(Debug, Parser)]
struct Config {
    /// Events on the raw topic, one a record, about 630 bytes each; 1 % are sent twice.
    #[arg(long, default_value_t = 2_000_000)]
    records: u64,
    /// Partitions of every topic.
    #[arg(long, default_value_t = 4)]
    partitions: u32,
    /// Lanes of every service; 0 means one a core.
    #[arg(long, default_value_t = 0)]
    lanes: usize,
    /// Another program to measure on the same raw topic, as NAME=COMMAND; may be given many times.
    ///
    /// The command is run by `sh` with the variables SPENDSTREAM_BENCH_BROKERS, _TOPIC, _PARTITIONS, _RECORDS and
    /// _BROKER_PID. It reads the topic from the beginning and ends when its results are committed. It is measured whole;
    /// where its start should not count, it prints a line `measured seconds=S cpu_seconds=S broker_cpu_seconds=S
    /// memory_mib=N` of its own, any of them left out.
    #[arg(long, value_name = "NAME=COMMAND")]
    beside: Vec<Beside>,
    /// Measure the Kafka Streams program in `tests/peers` and the floor under any program of our client library too, on the
    /// same topic (needs Maven and Java 17 or newer).
    #[arg(long)]
    peers: bool,
    /// What to measure.
    #[arg(long, value_delimiter = ',', default_value = "throughput,lake,sink,alerts,local,restart,reports")]
    only: Vec<Measure>,
    /// Events a second under which alerts are timed [default: half of the measured throughput, or 20000].
    #[arg(long)]
    rate: Option<u64>,
    /// Take the programs beside this one as they are, instead of building them first.
    #[arg(long)]
    built: bool,
    /// Events the local driver is fed with.
    #[arg(long, default_value_t = 200_000)]
    local_records: u64,
    /// Calls in the ninety days that reports are asked about.
    #[arg(long, env = "SPENDSTREAM_HISTORY_CALLS", default_value_t = 1_000_000)]
    history_calls: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// From raw records to committed charges and windows, and the programs given with --beside.
    Throughput,
    /// The same with the sink beside them.
    Lake,
    /// The sink alone, from a topic of charges to committed Parquet, beside decoding and encoding the same rows.
    Sink,
    /// From an event to the alert it causes.
    Alerts,
    /// The local driver, from a file to lake and report.
    Local,
    /// Services killed and started again on what they remember.
    Restart,
    /// Every report over ninety days, beside DuckDB with the same query on the same files.
    Reports,
}

fn main() -> anyhow::Result<()> {
    let mut config = Config::parse();
    if !config.built {
        cluster::build()?;
    }
    if config.peers {
        config.beside.push(peer::build()?);
    }
    println!("{}\n", measure::machine());
    let wanted = |measure| config.only.contains(&measure);
    let mut rate = None;
    if wanted(Measure::Throughput) {
        rate = Some(pipeline::throughput(&config)?);
    }
    if wanted(Measure::Lake) {
        pipeline::lake(&config)?;
    }
    if wanted(Measure::Sink) {
        tables::throughput(&config)?;
    }
    if wanted(Measure::Alerts) {
        alerts::latency(&config, config.rate.or(rate.map(|rate| rate / 2)).unwrap_or(20_000))?;
    }
    if wanted(Measure::Local) {
        local::throughput(&config)?;
    }
    if wanted(Measure::Restart) {
        restart::readiness(&config)?;
    }
    if wanted(Measure::Reports) {
        reports::answers(&config)?;
    }
    Ok(())
}
