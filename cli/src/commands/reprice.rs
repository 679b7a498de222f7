//! `spendstream reprice`: corrects what was charged by other prices or to other owners than are published now.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use schemas::{Charge, Timestamp};
use serde::Serialize;
use sink::LakeReader;

use super::open::{LogArgs, lake_reader, now};
use crate::amount;
use crate::reprice::{Anew, Change, Rules, correct};
use crate::standing::{Period, Read};
use crate::table::{Style, Table};

/// Charge calls again by the newest published prices, owners, or both. It sends corrections; nothing is edited.
///
/// For every charge of the period that would come out different, a correction is sent to `usage.corrections`. Enrich
/// then reverses the charge and writes a new one; windows, budgets, alerts and the lake follow. Charges are read from
/// the lake up to its committed offset and from `usage.charges` after it. It may be run again at any time: no charge is
/// corrected twice, and the next run completes one that was killed.
///
/// Calls without a price do not need this: enrich keeps them and charges them by itself when a book brings a price.
/// Only those it had no room for (`--dedup-memory-max`) need it; the report says how many they are.
#[derive(Debug, Args)]
pub(super) struct Reprice {
    /// Calls made from then on: a day or a time (UTC), such as 2026-11-01.
    #[arg(long, value_name = "TIME")]
    from: Timestamp,
    /// Calls made before then [default: now].
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Only calls of this model: `gpt-5`, `openai/gpt-5`, with `*` for any text.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// By the newest prices. What is meant when neither --prices nor --owners is given.
    #[arg(long)]
    prices: bool,
    /// To the owners the newest directory names.
    #[arg(long)]
    owners: bool,
    /// Only say what would change, in money.
    #[arg(long)]
    dry_run: bool,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Address of the lake [default: the folder `lake` of the data folder; with `--brokers`, none: then the topic must
    /// still have the period].
    #[arg(long, env = "SPENDSTREAM_LAKE")]
    lake: Option<String>,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs: amounts are exact decimal strings.
    Json,
}

/// What a run did.
#[derive(Debug, Serialize)]
struct Outcome<'a> {
    book_version: Option<&'a str>,
    directory_version: Option<&'a str>,
    read: Read,
    corrections: u64,
    sent: bool,
    models: Vec<&'a Change>,
    owners: Vec<&'a Change>,
}

impl Reprice {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let period = Period { from: self.from, to: self.to.unwrap_or_else(now) };
        ensure!(period.from < period.to, "--to is not after --from");
        let anew = match (self.prices, self.owners) {
            (true, true) => Anew::Both,
            (false, true) => Anew::Owners,
            (_, false) => Anew::Prices,
        };
        let log = if self.dry_run { self.log.inspect()? } else { self.log.open()? };
        let lake = self.lake()?;
        let rules = Rules::read(&*log, anew)?;
        if !self.dry_run {
            wait_until(rules.effective_at());
        }
        let is_asked_for = |charge: &Charge| self.is_asked_for(&charge.event.provider, &charge.event.model);
        let (read, changes) = correct(&*log, lake.as_ref(), &rules, period, &is_asked_for, self.dry_run)?;
        let outcome = Outcome {
            book_version: rules.book().filter(|_| anew != Anew::Owners).map(|book| book.version()),
            directory_version: rules.directory().filter(|_| anew != Anew::Prices).map(|found| found.version()),
            read,
            corrections: changes.charges,
            sent: !self.dry_run,
            models: changes.models(),
            owners: changes.teams(),
        };
        match self.output {
            Output::Table => print!("{}", print(&outcome, Style::of_stdout())),
            Output::Json => println!("{}", serde_json::to_string_pretty(&outcome)?),
        }
        Ok(ExitCode::SUCCESS)
    }

    fn lake(&self) -> anyhow::Result<Option<LakeReader>> {
        match (&self.lake, &self.log.brokers) {
            (None, Some(_)) => Ok(None),
            (lake, _) => Ok(Some(lake_reader(&self.log.lake(lake.as_deref())?)?)),
        }
    }

    fn is_asked_for(&self, provider: &str, model: &str) -> bool {
        self.model.as_ref().is_none_or(|pattern| {
            enrich::owner::glob(pattern, model) || enrich::owner::glob(pattern, &format!("{provider}/{model}"))
        })
    }
}

/// Corrections are charged by the versions in force when they arrive, which every service has read by then.
fn wait_until(effective_at: Timestamp) {
    let left = effective_at.micros_since(now());
    if left > 0 {
        eprintln!("the newest version takes effect {effective_at}: waiting for it");
        std::thread::sleep(Duration::from_micros(left.unsigned_abs()));
    }
}

fn print(outcome: &Outcome<'_>, style: Style) -> String {
    let mut text = String::new();
    let versions = [("prices", outcome.book_version), ("owners", outcome.directory_version)];
    let versions: Vec<String> =
        versions.iter().filter_map(|(set, version)| Some(format!("{set} {}", (*version)?))).collect();
    let examined = outcome.read.lake + outcome.read.topic;
    text += &format!(
        "{} charges stand ({} of the lake, {} of the topic after it); by {}, {} would come out otherwise.\n",
        amount::count(examined as i64),
        amount::count(outcome.read.lake as i64),
        amount::count(outcome.read.topic as i64),
        versions.join(" and "),
        amount::count(outcome.corrections as i64),
    );
    for (what, changes) in [("model", &outcome.models), ("from -> to", &outcome.owners)] {
        if !changes.is_empty() {
            text += &format!("\n{}", table(what, changes, style));
        }
    }
    text += match (outcome.corrections, outcome.sent) {
        (0, _) => "\nNothing to correct.\n",
        (_, false) => "\nNothing was sent: without --dry-run these corrections are.\n",
        (_, true) => "\nSent to usage.corrections. The report shows them once the pipeline has taken them.\n",
    };
    text
}

/// Changes of models, or between teams, with what they come to.
pub(super) fn table(what: &str, changes: &[&Change], style: Style) -> String {
    let team = |team: &Option<String>| team.clone().unwrap_or_else(|| "unallocated".to_owned());
    let mut table = Table::new(&[what, ">charges", ">unpriced", ">cost now", ">cost then", ">difference", ""]);
    for change in changes {
        let name = match what {
            "model" => change.before.clone().unwrap_or_default(),
            _ => format!("{} -> {}", team(&change.before), team(&change.after)),
        };
        table.row(cells(name, change));
    }
    table.render(style)
}

fn cells(name: String, change: &Change) -> Vec<String> {
    let difference = change.cost_after.checked_sub(change.cost_before);
    vec![
        name,
        amount::count(change.charges as i64),
        format!("{} -> {}", change.unpriced_before, change.unpriced_after),
        amount::exact(change.cost_before),
        amount::exact(change.cost_after),
        difference.map_or_else(|_| "too large".to_owned(), amount::exact),
        change.currency.to_string(),
    ]
}
