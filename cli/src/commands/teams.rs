//! `spendstream teams`: look into directories of owners.

mod weights;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use enrich::quote::Question;
use enrich::{Directory, Severity};
use schemas::{PriceContext, ReferenceRow, Tag, Text, Timestamp};
use stream::reference::{Compiled, manifest};

use super::open::{by_the_example, key_value, now};
use crate::configuration::{Configuration, EXAMPLE};

/// Inspect directories of owners: teams, projects, keys, rules.
#[derive(Debug, Args)]
pub(super) struct Teams {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Lint(Lint),
    Diff(Diff),
    Who(Who),
    Weights(weights::WeightsOf),
}

/// List everything that is wrong with a directory, and what deserves a look in a valid one.
///
/// Overlaps, unknown teams and values, circles of parents are errors; gaps, rules that never win, and teams that are not
/// there yet are warnings. Exit code 1 when something is wrong.
#[derive(Debug, Args)]
struct Lint {
    /// Configuration folder, or one file [default: the built-in example].
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
}

/// List the rows that only one of two directories has, and which keys change hands.
#[derive(Debug, Args)]
struct Diff {
    /// The older: a configuration folder or a file.
    old: PathBuf,
    /// The newer.
    new: PathBuf,
    /// When the keys are compared [default: now].
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

/// Say whose a key is, by which rule, and whose it has been.
///
/// Keys that are not listed are found by rules, which may look at the source, the provider or tags of a call as well.
#[derive(Debug, Args)]
struct Who {
    /// Key id or alias, as calls state it.
    key: Text,
    /// When the call is made [default: now].
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Provider of the call.
    #[arg(long, default_value = "openai")]
    provider: Text,
    /// Model of the call.
    #[arg(long, default_value = "")]
    model: Text,
    /// Producer of the call.
    #[arg(long, default_value = "")]
    source: Text,
    /// Tag of the call, as `KEY=VALUE`; may be given many times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    tag: Vec<(String, String)>,
    /// Team the call claims to be of.
    #[arg(long)]
    claim: Option<Text>,
    /// Configuration folder, or one file [default: the built-in example].
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
}

impl Teams {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Lint(lint) => lint.run(),
            Command::Diff(diff) => diff.run(),
            Command::Who(who) => who.run(),
            Command::Weights(weights) => weights.run(),
        }
    }
}

fn rows(path: &Path) -> anyhow::Result<Vec<ReferenceRow>> {
    enrich::read_owners(path).map_err(|findings| {
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("nothing was used, because:\n  {}", findings.join("\n  "))
    })
}

fn compile(rows: &[ReferenceRow]) -> anyhow::Result<Directory> {
    let version = manifest(Directory::SET, rows, Timestamp::MIN, Timestamp::MIN).version;
    Directory::compile(&version, &rows.iter().collect::<Vec<_>>())
}

impl Lint {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let findings = match &self.config {
            Some(path) => enrich::owner::lint_folder(path),
            None => {
                let files = EXAMPLE.iter().filter(|(name, _)| name.starts_with(Directory::SET));
                let files: Vec<_> = files.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
                enrich::owner::lint_owners(&files)
            }
        };
        let findings = findings.unwrap_or_else(|wrong| wrong);
        for finding in &findings {
            let kind = if finding.severity == Severity::Error { "error" } else { "warning" };
            println!("{kind}: {finding}");
        }
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        println!("{errors} errors, {} warnings", findings.len() - errors);
        Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Diff {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let (old_rows, new_rows) = (rows(&self.old)?, rows(&self.new)?);
        let (old, new) = (compile(&old_rows)?, compile(&new_rows)?);
        let by_id = |rows: Vec<ReferenceRow>| rows.into_iter().map(|row| (row.row_id, row)).collect::<BTreeMap<_, _>>();
        let (old_rows, new_rows) = (by_id(old_rows), by_id(new_rows));
        let (mut gone, mut added) = (0, 0);
        let mut text = String::new();
        for row in old_rows.iter().filter(|(id, _)| !new_rows.contains_key(*id)).map(|(_, row)| row) {
            gone += 1;
            writeln!(text, "- {}: {}", row.origin, row.body)?;
        }
        for row in new_rows.iter().filter(|(id, _)| !old_rows.contains_key(*id)).map(|(_, row)| row) {
            added += 1;
            writeln!(text, "+ {}: {}", row.origin, row.body)?;
        }
        let at = self.at.unwrap_or_else(now);
        let mut keys: Vec<&Text> = old.keys().chain(new.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let team = |directory: &Directory| {
                let held = directory.tenures(key).into_iter().find(|tenure| tenure.from <= at && at < tenure.to);
                held.and_then(|tenure| tenure.owner.team).map_or_else(|| "nobody".to_owned(), String::from)
            };
            let (before, after) = (team(&old), team(&new));
            if before != after {
                writeln!(text, "key {key} goes from {before} to {after} (calls made at {at})")?;
            }
        }
        print!("{text}");
        println!("{gone} rows gone, {added} added, {} the same", old_rows.len() - gone);
        Ok(ExitCode::SUCCESS)
    }
}

impl Who {
    fn run(self) -> anyhow::Result<ExitCode> {
        let rows = match &self.config {
            Some(path) => rows(path)?,
            None => {
                by_the_example();
                Configuration::example()?.owners
            }
        };
        let directory = compile(&rows)?;
        let at = self.at.unwrap_or_else(now);
        let question = Question {
            event_id: Text::default(),
            provider: self.provider,
            model: self.model,
            operation: Text::default(),
            event_time: at,
            price_context: PriceContext::default(),
            usage: BTreeMap::new(),
            flags: Vec::new(),
            tenant: Text::const_new("default"),
            team: self.claim,
            billing_account: None,
        };
        let mut event = question.event();
        event.key_id = Some(self.key.clone());
        event.source = self.source;
        event.tags = self.tag.into_iter().map(|(key, value)| Tag { key: key.into(), value: value.into() }).collect();
        event.tags.sort_unstable();
        let found = directory.attribute(&event);
        match (&found.owner.team, &found.rule) {
            (Some(team), Some(rule)) => println!("{team} by {rule}, {}", found.confidence),
            _ => println!("unallocated: no key, rule or claim names a team"),
        }
        for (name, value) in found.owner.named().filter(|(name, _)| *name != "team") {
            if let Some(value) = value {
                println!("  {name}: {value}");
            }
        }
        println!("  for calls made {at}, by directory {}", directory.version());
        for tenure in directory.tenures(&self.key) {
            let end = |time: Timestamp, open: Timestamp| if time == open { "...".to_owned() } else { time.to_string() };
            let provider = tenure.provider.map_or_else(String::new, |provider| format!(" at {provider}"));
            let team = tenure.owner.team.unwrap_or_default();
            println!("  [{}, {}){provider}: {team}", end(tenure.from, Timestamp::MIN), end(tenure.to, Timestamp::MAX));
        }
        Ok(ExitCode::SUCCESS)
    }
}
