//! Writes topics into lakehouse tables, each record exactly once.

extern crate spendstream_sink as sink;
extern crate spendstream_stream as stream;

use std::process::ExitCode;

use clap::Parser;
use sink::deliver::{Delivery, DeliveryConfig};
use sink::{Lake, LakeConfig, Maintenance, open_tables};
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
    #[command(flatten)]
    delivery: DeliveryConfig,
}

fn main() -> ExitCode {
    stream::service::exit_code("spendstream-sink", run(Arguments::parse()))
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { settings, lake: config, delivery } = arguments;
    let service = Service::start(settings)?;
    let lake = Lake::open(&config)?;
    lake.register_metrics(service.telemetry().registry())?;
    let mut tables = open_tables(&lake, &config)?;
    if let Some(delivery) = Delivery::open(&lake, &delivery, &service.settings().environment)? {
        delivery.register_metrics(service.telemetry().registry())?;
        delivery.start(service.shutdown())?;
        tables.push(Box::new(delivery.inbox()));
    }
    Maintenance::new(&lake, &config).start(service.shutdown().clone())?;
    service.run(Vec::new(), tables)
}
