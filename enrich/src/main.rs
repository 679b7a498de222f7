//! Charges every call once: what it cost, who pays, and what is put right later.

extern crate spendstream_enrich as enrich;
extern crate spendstream_stream as stream;

use std::sync::Arc;

use clap::Parser;
use enrich::{EnrichConfig, EnrichStage};
use stream::reference::Reference;
use stream::{Settings, Shutdown, Telemetry};

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

fn main() -> anyhow::Result<()> {
    let Arguments { settings, config } = Arguments::parse();
    stream::telemetry::init(settings.telemetry.log_format)?;
    let shutdown = Shutdown::on_signals()?;
    let telemetry = Telemetry::new();
    let server = telemetry.serve(settings.telemetry.listen, axum::Router::new(), shutdown.clone())?;

    let stage = EnrichStage::new(config, Arc::new(Reference::default()), Arc::new(Reference::default()));
    let ended = stream::kafka::run_stages(&settings, vec![Arc::new(stage)], &shutdown, &telemetry);
    shutdown.set();
    server.join();
    ended
}
