//! `spendstream apply`: publishes reference data.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use stream::reference::EFFECTIVE_AFTER_SECONDS;

use super::open::{LogArgs, now};
use crate::configuration::Configuration;

/// Validate a whole configuration folder and publish what changed.
///
/// Records that arrive from the stated time on use the new version; what arrived before keeps the old one, so that no
/// two services can disagree.
#[derive(Debug, Args)]
pub(super) struct Apply {
    /// Folder with prices, owners and budgets; `spendstream init` writes one.
    folder: PathBuf,
    /// Only validate, and say how it differs from what is published.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    log: LogArgs,
}

impl Apply {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let configuration = Configuration::read(&self.folder)?;
        let mut warnings = configuration.warnings()?;
        if self.log.brokers.is_none() {
            warnings.extend(configuration.budgets_of_others(&ingest::Config::default().tenant)?);
        }
        warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
        if self.dry_run {
            let Configuration { prices, owners, budgets, .. } = &configuration;
            println!("valid: {} price rows, {} owner rows, {} budgets", prices.len(), owners.len(), budgets.len());
            // Before the first `up` there is nothing to compare with.
            if self.log.brokers.is_some() || self.log.data.join(stream::local::FILE).is_file() {
                let log = self.log.inspect()?;
                for (set, published) in configuration.compare(&*log, now(), EFFECTIVE_AFTER_SECONDS)? {
                    println!("{set} would be: {published}");
                }
            }
            return Ok(ExitCode::SUCCESS);
        }
        let log = self.log.open()?;
        for (set, published) in configuration.publish(&*log, now(), EFFECTIVE_AFTER_SECONDS)? {
            println!("{set}: {published}");
        }
        Ok(ExitCode::SUCCESS)
    }
}
