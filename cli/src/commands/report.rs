//! `spendstream report` and `spendstream ledger`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::ask::About;
use super::open::{LogArgs, lake_reader, lake_that_may_come};
use crate::books;
use crate::report::{gather, print, print_ledger};
use crate::table::Style;

/// Form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs: amounts are exact decimal strings.
    Json,
}

/// Spend by team and model, budgets and alerts, what needs attention, and the conservation ledger.
///
/// Reads the lake and, where it is at hand, the log. Exit code 1 when the ledger does not add up. The reports below
/// answer by dimensions and period, as known at any time, from the lake alone.
#[derive(Debug, Args)]
pub(super) struct ReportCommand {
    #[command(subcommand)]
    about: Option<About>,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Address of the lake: a folder, or `s3://bucket/prefix` [default: the folder `lake` of the data folder].
    ///
    /// With `--lake`, and neither `--brokers` nor a data folder, the report is made from the lake alone, without the
    /// ledger.
    #[arg(long, env = "SPENDSTREAM_LAKE")]
    lake: Option<String>,
    #[command(flatten)]
    log: LogArgs,
}

impl ReportCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(about) = self.about {
            let address = self.log.lake(about.lake().or(self.lake.as_deref()))?;
            return about.run(&address, &self.log);
        }
        let address = self.log.lake(self.lake.as_deref())?;
        let lake = lake_reader(&address)?;
        let alone = self.lake.is_some() && self.log.brokers.is_none() && !self.log.data.is_dir();
        let log = if alone { None } else { Some(self.log.inspect()?) };
        let report = gather(&lake, &absolute(&address), log.as_deref())?;
        match self.output {
            Output::Table => print!("{}", print(&report, Style::of_stdout())),
            Output::Json => println!("{}", serde_json::to_string_pretty(&report)?),
        }
        let balanced = report.ledger.is_none_or(|ledger| ledger.balanced());
        Ok(if balanced { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Add up every count and every sum of money of every stage, and the rows of the lake.
///
/// It may be asked at any moment, also while everything runs. Exit code 1, with stage and sequence, when something does
/// not add up.
#[derive(Debug, Args)]
pub(super) struct LedgerCommand {
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Address of the lake [default: the folder `lake` of the data folder; with `--brokers`, none].
    #[arg(long, env = "SPENDSTREAM_LAKE")]
    lake: Option<String>,
    #[command(flatten)]
    log: LogArgs,
}

impl LedgerCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let log = self.log.inspect()?;
        let lake = match (&self.lake, &self.log.brokers) {
            (None, Some(_)) => None,
            (None, None) => Some(lake_that_may_come(&self.log.lake(None)?)?),
            // One that is named is there, or the address is wrong, or it is gone.
            (Some(lake), _) => Some(lake_reader(lake)?),
        };
        let ledger = books::audit(&*log, lake.as_ref())?;
        match self.output {
            Output::Table => print!("{}", print_ledger(&ledger, Style::of_stdout()).trim_start_matches('\n')),
            Output::Json => println!("{}", serde_json::to_string_pretty(&ledger)?),
        }
        Ok(if ledger.balanced() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A folder's absolute path, so that the line that queries it works from anywhere.
pub(super) fn absolute(address: &str) -> String {
    match address.contains("://") {
        true => address.to_owned(),
        false => std::path::absolute(address).map_or_else(|_| address.to_owned(), |path| path.display().to_string()),
    }
}
