//! Writes topics into lakehouse tables, each record exactly once.

extern crate spendstream_sink as sink;
extern crate spendstream_stream as stream;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use sink::deliver::{Delivery, DeliveryConfig};
use sink::{Lake, LakeConfig, Maintenance, open_tables};
use stream::kafka::KafkaLog;
use stream::service::Service;
use stream::{Log, Settings};

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
    let settings = service.settings();
    let mut log: Option<Arc<dyn Log>> = None;
    if delivery.alert_routes.is_some() {
        log = Some(Arc::new(KafkaLog::connect(&settings.connection, &settings.environment)?));
    }
    if let Some(delivery) = Delivery::open(&lake, log, &delivery, &settings.environment)? {
        delivery.register_metrics(service.telemetry().registry())?;
        delivery.start(service.shutdown())?;
        tables.push(Box::new(delivery.inbox()));
    }
    Maintenance::new(&lake, &config).start(service.shutdown())?;
    service.run(Vec::new(), tables)
}
