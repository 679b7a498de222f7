//! The subcommands, in the order a newcomer meets them.

mod generate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exact AI spend, from a raw usage event to lake and alert: counted once, owned, budgeted.
#[derive(Debug, Parser)]
#[command(name = "spendstream", version, max_term_width = 110)]
pub struct Spendstream {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Generate(generate::Generate),
}

impl Spendstream {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// When the subcommand cannot do its work; one sentence that names the remedy.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Generate(generate) => generate.run(),
        }
    }
}
