//! `spendstream export`: rows of the lake as files.

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::NaiveDate;
use clap::{Args, Subcommand};

use super::open::lake_reader;
use super::report::absolute;
use crate::amount::count;
use crate::export::{Form, Job, Of, Outcome, Request, run, verify};
use crate::known_at::{KnownAt, day};

/// Write charges, alerts, budgets, or cost and usage in FOCUS 1.2 to files, with a manifest of counts and hashes.
///
/// A job may be interrupted at any moment, `kill -9` included; the same command goes on with it and writes the same files.
#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Begin an export, or go on with the one in the folder.
    Create(Create),
    /// Check a finished export: that every file is there, and as it was written.
    Verify {
        /// Folder of the export.
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// What is exported.
    #[arg(long = "type", value_enum)]
    of: Of,
    /// Form of the files.
    #[arg(long, value_enum, default_value = "csv")]
    format: Form,
    /// First day [default: the lake's first].
    ///
    /// Of charges, FOCUS and alerts days are those of `event_date`, in UTC. Of budgets every state is written whose period has one of
    /// the days, in the budget's own time zone.
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Option<NaiveDate>,
    /// Last day, itself included [default: the lake's last].
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: Option<NaiveDate>,
    /// Leave out what was booked after this time, or after this day (UTC).
    #[arg(long, value_name = "TIME")]
    as_of: Option<KnownAt>,
    /// Folder to write to; it is made, and must be empty at first.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Most rows of a file.
    ///
    /// Fewer means more files, and less to write again after an interruption.
    #[arg(long, default_value_t = 250_000, value_parser = clap::value_parser!(u64).range(1..))]
    rows_per_file: u64,
    /// Address of the lake: a folder, or `s3://bucket/prefix` [default: the folder `lake` of the data folder].
    #[arg(long, env = "SPENDSTREAM_LAKE")]
    lake: Option<String>,
    /// Data folder of `spendstream up`.
    #[arg(long, env = "SPENDSTREAM_DATA", value_name = "DIR", default_value = "spendstream-data")]
    data: PathBuf,
}

impl Export {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Verify { folder } => {
                let job = verify(&folder)?;
                println!("{}: {}, as they were written", folder.display(), what(&job));
            }
            Action::Create(create) => create.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Create {
    fn run(self) -> anyhow::Result<()> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && to < from
        {
            anyhow::bail!("the last day, {to}, is before the first, {from}");
        }
        let lake = self.lake.unwrap_or_else(|| self.data.join("lake").display().to_string());
        let reader = lake_reader(&lake)?;
        let request = Request {
            of: self.of,
            format: self.format,
            from: self.from,
            to: self.to,
            as_of: self.as_of.map(|at| at.0),
            rows_per_file: self.rows_per_file,
        };
        let mut progress = |job: &Job| eprintln!("{}, of {} in the lake", what(job), in_lake(job));
        let (job, before) = match run(&reader, &absolute(&lake), &request, &self.out, &mut progress)? {
            Outcome::Finished(job) => (job, ""),
            Outcome::WasFinished(job) => (job, ", finished before"),
        };
        println!("{}: {}{before}", self.out.join("manifest.json").display(), what(&job));
        job.remarks.iter().for_each(|remark| eprintln!("warning: {remark}"));
        Ok(())
    }
}

/// What the job reads.
fn in_lake(job: &Job) -> String {
    match job.request.of {
        Of::Focus => format!("{} charges", count(job.rows_in_lake as i64)),
        Of::Charges | Of::Alerts | Of::Budgets => count(job.rows_in_lake as i64),
    }
}

fn what(job: &Job) -> String {
    let files = if job.files.len() == 1 { "file" } else { "files" };
    format!("{} rows in {} {files}", count(job.rows as i64), count(job.files.len() as i64))
}
