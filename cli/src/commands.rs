//! The subcommands, in the order a newcomer meets them.

mod alerts;
mod apply;
mod ask;
mod cat;
mod check;
mod export;
mod forget;
mod generate;
mod init;
mod keys;
mod open;
mod prices;
mod rejected;
mod report;
mod reprice;
mod settle;
mod skip;
mod teams;
mod topics;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exact AI spend, from raw usage records to tables and alerts: every call counted once, with its owner and its
/// budgets.
///
/// Begin with `spendstream up`: it runs everything on this machine, feeds it a day of sample traffic and prints a report.
#[derive(Debug, Parser)]
#[command(name = "spendstream", version, max_term_width = 110)]
pub struct Spendstream {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Up),
    Check(check::Check),
    Report(report::ReportCommand),
    Ledger(report::LedgerCommand),
    Export(export::Export),
    Init(init::Init),
    Apply(apply::Apply),
    Reprice(reprice::Reprice),
    Settle(settle::Settle),
    Keys(keys::KeysCommand),
    Forget(forget::Forget),
    Prices(prices::Prices),
    Teams(teams::Teams),
    Topics(topics::Topics),
    Generate(generate::Generate),
    Cat(cat::Cat),
    Rejected(rejected::RejectedCommand),
    Skip(skip::SkipOrder),
    Alerts(alerts::Alerts),
}

impl Spendstream {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// When the subcommand cannot do its work; one sentence that names the remedy.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Up(up) => up.run(),
            Command::Check(check) => check.run(),
            Command::Report(report) => report.run(),
            Command::Ledger(ledger) => ledger.run(),
            Command::Export(export) => export.run(),
            Command::Init(init) => init.run(),
            Command::Apply(apply) => apply.run(),
            Command::Reprice(reprice) => reprice.run(),
            Command::Settle(settle) => settle.run(),
            Command::Keys(keys) => keys.run(),
            Command::Forget(forget) => forget.run(),
            Command::Prices(prices) => prices.run(),
            Command::Teams(teams) => teams.run(),
            Command::Topics(topics) => topics.run(),
            Command::Generate(generate) => generate.run(),
            Command::Cat(cat) => cat.run(),
            Command::Rejected(rejected) => rejected.run(),
            Command::Skip(skip) => skip.run(),
            Command::Alerts(alerts) => alerts.run(),
        }
    }
}
