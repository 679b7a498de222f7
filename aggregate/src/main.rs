//! Adds charges up to windows and budgets, and says when a threshold is crossed.

extern crate spendstream_aggregate as aggregate;
extern crate spendstream_stream as stream;

use std::process::ExitCode;
use std::sync::Arc;

use aggregate::{CombineStage, Config, MergeStage};
use clap::Parser;
use stream::Settings;
use stream::reference::Reference;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sums charges into windows and budgets, and raises an alert when a threshold is crossed: usage.charges ->
/// spend.partials -> spend.windows, budget.state, spend.alerts.
#[derive(Debug, Parser)]
#[command(name = "spendstream-aggregate", version)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    config: Config,
}

fn main() -> ExitCode {
    stream::service::exit_code("spendstream-aggregate", run(Arguments::parse()))
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { settings, config } = arguments;
    let budgets = Arc::new(Reference::default());
    let combine = CombineStage::new(config.clone(), budgets.clone());
    let merge = MergeStage::new(config, budgets);
    stream::service::run(settings, vec![Arc::new(combine), Arc::new(merge)], Vec::new())
}
