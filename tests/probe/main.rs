//! The conformance stages as a process, so that killing and pausing one is real.

extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

mod shelf;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use spendstream_tests::conformance::{Split, Sum, names};
use stream::kafka::{Orders, run_table};
use stream::{Settings, Shutdown, Stage, Telemetry, telemetry};

/// Runs the stages `split` and `sum`.
#[derive(Debug, Parser)]
struct Config {
    #[command(flatten)]
    settings: Settings,
    /// Prefix of the topics.
    #[arg(long)]
    prefix: String,
    /// Stages to run.
    #[arg(long, value_delimiter = ',', default_value = "split,sum")]
    stages: Vec<String>,
    /// Instead of stages, keep a table of the input in this folder.
    #[arg(long)]
    shelf: Option<PathBuf>,
    /// Longest time between two polls; no flag of services.
    #[arg(long, value_parser = stream::settings::parse_duration)]
    poll_interval_max: Option<Duration>,
}

fn main() -> anyhow::Result<()> {
    let mut config = Config::parse();
    if let Some(longest) = config.poll_interval_max {
        config.settings.poll_interval_max = longest;
    }
    telemetry::init(config.settings.telemetry.log_format)?;
    if let Some(folder) = config.shelf {
        let [input, ..] = names(&config.prefix);
        let (shelf, shutdown) = (shelf::Shelf::new(folder, input), Shutdown::on_signals()?);
        return run_table(&config.settings, Box::new(shelf), &Orders::default(), &shutdown, &Telemetry::new());
    }
    let mut stages: Vec<Arc<dyn Stage>> = Vec::new();
    for name in &config.stages {
        match name.as_str() {
            "split" => stages.push(Arc::new(Split::new(&config.prefix))),
            "sum" => stages.push(Arc::new(Sum::new(&config.prefix))),
            other => anyhow::bail!("there is no stage {other}"),
        }
    }
    let shutdown = Shutdown::on_signals()?;
    stream::kafka::run_stages(&config.settings, stages, &shutdown, &Telemetry::new())
}
