//! Adds charges up to windows and budgets, and says when a threshold is crossed.

extern crate spendstream_aggregate as aggregate;
extern crate spendstream_stream as stream;

use std::sync::Arc;

use aggregate::{CombineStage, Config, MergeStage};
use clap::Parser;
use stream::reference::Reference;
use stream::{Settings, Shutdown, Stage, Telemetry};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sums charges into windows and budgets and alerts when a threshold is crossed: usage.charges -> spend.partials ->
/// spend.windows, budget.state, spend.alerts.
#[derive(Debug, Parser)]
#[command(name = "spendstream-aggregate", version)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    config: Config,
}

fn main() -> anyhow::Result<()> {
    let Arguments { settings, config } = Arguments::parse();
    stream::telemetry::init(settings.telemetry.log_format)?;
    let shutdown = Shutdown::on_signals()?;
    let telemetry = Telemetry::new();
    let server = telemetry.serve(settings.telemetry.listen, axum::Router::new(), shutdown.clone())?;

    let budgets = Arc::new(Reference::default());
    let stages: Vec<Arc<dyn Stage>> =
        vec![Arc::new(CombineStage::new(config.clone(), budgets.clone())), Arc::new(MergeStage::new(config, budgets))];
    let ended = stream::kafka::run_stages(&settings, stages, &shutdown, &telemetry);
    shutdown.set();
    server.join();
    ended
}
