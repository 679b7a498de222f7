//! Charges every call once: what it cost, who pays, and what is put right later.

extern crate spendstream_enrich as enrich;
extern crate spendstream_stream as stream;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use enrich::{EnrichConfig, EnrichStage};
use stream::reference::Reference;
use stream::{Scratch, Service, Settings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Prices usage events, names who pays and counts copies of a call once: usage.events -> usage.charges.
#[derive(Debug, Parser)]
#[command(name = "spendstream-enrich", version)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    config: EnrichConfig,
}

fn main() -> ExitCode {
    stream::service::exit_code("spendstream-enrich", run(Arguments::parse()))
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { settings, config } = arguments;
    let scratch = Scratch::open(&config.state_dir)?;
    let service = Service::start(settings)?;
    let stage = EnrichStage::new(config, scratch, Arc::new(Reference::default()), Arc::new(Reference::default()));
    stage.register_metrics(service.telemetry().registry())?;
    service.run(vec![Arc::new(stage)], Vec::new())
}
