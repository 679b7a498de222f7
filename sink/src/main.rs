//! Writes the topics that people query into lakehouse tables, each record exactly once.

use anyhow::Context;
use clap::Parser;
use spendstream_sink::{Lake, LakeConfig, open_tables};
use spendstream_stream::{Settings, Shutdown, Table, Telemetry, kafka, telemetry};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Writes charges, windows, budgets, alerts and rejects from Kafka into Delta tables.
#[derive(Debug, Parser)]
#[command(version)]
struct Config {
    #[command(flatten)]
    stream: Settings,

    #[command(flatten)]
    lake: LakeConfig,
}

fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    telemetry::init(config.stream.telemetry.log_format)?;
    let shutdown = Shutdown::on_signals()?;
    let telemetry = Telemetry::new();
    let server = telemetry.serve(config.stream.telemetry.listen, Default::default(), shutdown.clone())?;

    let lake = Lake::open(&config.lake)?;
    let tables = open_tables(&lake, &config.lake)?;
    let run = |table: Box<dyn Table>| {
        let name = table.name().to_owned();
        let ended = kafka::run_table(&config.stream, table, &shutdown, &telemetry);
        // A table that cannot go on ends the process: its partitions move, and a restart is what may mend it.
        shutdown.set();
        ended.with_context(|| format!("run the table {name}"))
    };
    let ended = std::thread::scope(|scope| {
        let threads: Vec<_> = tables.into_iter().map(|table| scope.spawn(|| run(table))).collect();
        let ended = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| anyhow::bail!("a table's thread panicked: see the message above"))
        });
        ended.collect::<Vec<_>>()
    });
    server.join();
    ended.into_iter().collect()
}
