//! Writes topics into lakehouse tables, each record exactly once.

extern crate spendstream_sink as sink;
extern crate spendstream_stream as stream;

use std::process::ExitCode;

use clap::Parser;
use sink::{Lake, LakeConfig, open_tables};
use stream::Settings;
use stream::service::Service;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Writes charges, windows, budgets, alerts and rejects into Delta tables that own their offsets.
#[derive(Debug, Parser)]
#[command(name = "spendstream-sink", version)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    lake: LakeConfig,
}

fn main() -> ExitCode {
    stream::service::exit_code("spendstream-sink", run(Arguments::parse()))
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { settings, lake: config } = arguments;
    let service = Service::start(settings)?;
    let lake = Lake::open(&config)?;
    service.run(Vec::new(), open_tables(&lake, &config)?)
}
