//! `spendstream rejected`: what could not be used, and reading it once more.

use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use ingest::{DecodeSettings, Item};
use schemas::{RejectReason, Rejection, Timestamp};
use stream::Log;

use super::check::Output;
use super::open::{LogArgs, now};
use crate::feed::file_of;
use crate::rejections::{self, Filter, Place, State};
use crate::table::{Style, Table};

/// List, show and replay what was rejected.
#[derive(Debug, Args)]
pub(super) struct RejectedCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Show(Show),
    Replay(Replay),
}

/// List what was rejected, oldest first: where it stands, why, and whether it is open, replayed or expired. What `up --input` fed
/// has its file and line.
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    filter: FilterArgs,
    /// Most lines; the newest are shown.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Form of the answer. `json` is one line an item.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    log: LogArgs,
}

/// Show the rejections of one raw record: the shape of each item without its contents, and what would become of it now.
#[derive(Debug, Args)]
struct Show {
    /// Where the raw record stands, as `list` says it: TOPIC/PARTITION/OFFSET.
    #[arg(value_parser = place)]
    place: Place,
    #[command(flatten)]
    decode: DecodeSettings,
    #[command(flatten)]
    log: LogArgs,
}

/// Read the raw records of rejected items once more, after a fix, a new release or a new setting.
///
/// Each record is copied to `usage.corrections` and goes through the same pipeline. It counts from now on, under the
/// identity it had, so copies of it count once, also those of a second replay. What would be rejected again is left
/// alone, so a second run does nothing. Give the settings that ingest runs with. Raw records that have expired are
/// listed.
#[derive(Debug, Args)]
struct Replay {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    decode: DecodeSettings,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Args)]
struct FilterArgs {
    /// Only this reason, such as `unknown_format`.
    #[arg(long)]
    reason: Option<RejectReason>,
    /// Only records of this raw topic.
    #[arg(long)]
    topic: Option<String>,
    /// Only what was rejected from then on (RFC 3339 or a date).
    #[arg(long)]
    since: Option<Timestamp>,
    /// Only what was rejected before then.
    #[arg(long)]
    until: Option<Timestamp>,
}

impl FilterArgs {
    fn filter(&self) -> Filter {
        let topic = self.topic.as_deref().map(Into::into);
        Filter { reason: self.reason, topic, since: self.since, until: self.until }
    }
}

fn place(text: &str) -> Result<Place, String> {
    let wrong = || "write it as TOPIC/PARTITION/OFFSET".to_owned();
    let (rest, offset) = text.rsplit_once('/').ok_or_else(wrong)?;
    let (topic, partition) = rest.rsplit_once('/').ok_or_else(wrong)?;
    Ok((topic.into(), partition.parse().map_err(|_| wrong())?, offset.parse().map_err(|_| wrong())?))
}

impl RejectedCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::List(list) => list.run(),
            Action::Show(show) => show.run(),
            Action::Replay(replay) => replay.run(),
        }
    }
}

impl List {
    fn run(self) -> anyhow::Result<ExitCode> {
        let log = self.log.inspect()?;
        let found = rejections::find(&*log, &self.filter.filter())?;
        let mut rows: Vec<_> = found.values().flat_map(|record| record.items.values()).collect();
        // Stable: what came together stays in the order of its places.
        rows.sort_by_key(|(rejection, _)| rejection.received_at);
        let left_out = rows.len().saturating_sub(self.limit);
        let shown = &rows[left_out..];
        let mut files = Vec::with_capacity(shown.len());
        for (rejection, state) in shown {
            files.push(self.file(&*log, rejection, *state)?);
        }
        if self.output == Output::Json {
            for ((rejection, state), file) in shown.iter().zip(files) {
                let mut line = serde_json::json!({"state": state, "rejection": rejection});
                if let Some(file) = file {
                    line["file"] = file.into();
                }
                println!("{line}");
            }
            return Ok(ExitCode::SUCCESS);
        }
        let mut columns = vec!["rejected", "where", ">item", "state", "reason", "message"];
        if files.iter().any(Option::is_some) {
            columns.push("file");
        }
        let mut table = Table::new(&columns);
        for ((rejection, state), file) in shown.iter().zip(files) {
            let position = &rejection.position;
            table.row([
                rejection.received_at.to_string(),
                format!("{}/{}/{}", position.topic, position.partition, position.offset),
                position.item.to_string(),
                state.to_string(),
                rejection.reason.to_string(),
                rejection.message.to_string(),
                file.unwrap_or_default(),
            ]);
        }
        if !table.is_empty() {
            print!("{}", table.render(Style::of_stdout()));
        }
        let of = |wanted: State| rows.iter().filter(|(_, state)| *state == wanted).count();
        let (open, replayed, expired) = (of(State::Open), of(State::Replayed), of(State::Expired));
        println!("{} rejected: {open} open, {replayed} replayed, {expired} expired", rows.len());
        if left_out > 0 {
            println!("{left_out} older ones are not shown: --limit shows more");
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    /// The file a rejected item came from. Only a data folder is fed from files.
    fn file(&self, log: &dyn Log, rejection: &Rejection, state: State) -> anyhow::Result<Option<String>> {
        if self.log.brokers.is_some() || state == State::Expired {
            return Ok(None);
        }
        let position = &rejection.position;
        let place = (position.topic.clone(), position.partition, position.offset);
        Ok(rejections::original(log, &place, rejection.payload_hash)?.as_ref().and_then(file_of))
    }
}

impl Show {
    fn run(self) -> anyhow::Result<ExitCode> {
        let log = self.log.inspect()?;
        let filter = Filter { topic: Some(self.place.0.clone()), ..Filter::default() };
        let found = rejections::find(&*log, &filter)?;
        let (topic, partition, offset) = &self.place;
        let rejected = found.get(&self.place).with_context(|| {
            format!("nothing of {topic}/{partition}/{offset} was rejected: `spendstream rejected list` says what was")
        })?;
        for (item, (rejection, state)) in &rejected.items {
            println!("item {item}: {}, {state}", rejection.reason);
            println!("  {}", rejection.message);
            let recognised = Some(&*rejection.recognised_as).filter(|name| !name.is_empty()).unwrap_or("nothing known");
            println!("  rejected {}, recognised as {recognised}", rejection.received_at);
            println!("  raw record of {} bytes, hash {}", rejection.payload_bytes, rejection.payload_hash);
            if !rejection.skeleton.is_empty() {
                println!("  {}", rejection.skeleton);
            }
        }
        let Some((first, state)) = rejected.items.values().next() else { return Ok(ExitCode::SUCCESS) };
        let record = match state {
            State::Expired => None,
            _ => rejections::original(&*log, &self.place, first.payload_hash)?,
        };
        let Some(record) = record else {
            println!("the raw record is not there any more");
            return Ok(ExitCode::SUCCESS);
        };
        if let Some(file) = file_of(&record) {
            println!("it came from {file}");
        }
        let copy = rejections::copy(&self.place, &record, 1, now());
        let decoded = rejections::decode(&copy, &self.decode.config()?);
        let (mut good, mut rejected) = (0, Vec::new());
        for item in &decoded.items {
            match item {
                Item::Rejected(rejection) => rejected.push(rejection),
                Item::Link(_) => {}
                _ => good += 1,
            }
        }
        println!("now it would be {good} usable and {} rejected items", rejected.len());
        rejected.iter().for_each(|rejection| println!("  item {}: {}", rejection.position.item, rejection.message));
        Ok(ExitCode::SUCCESS)
    }
}

impl Replay {
    fn run(self) -> anyhow::Result<ExitCode> {
        let log = if self.dry_run { self.log.inspect()? } else { self.log.open()? };
        let filter = self.filter.filter();
        ensure!(
            filter.topic.is_none() || log.partitions(filter.topic.as_deref().unwrap_or_default())?.is_some(),
            "there is no such topic: --topic names the raw topic that the rejected records came from"
        );
        let found = rejections::find(&*log, &filter)?;
        let done = rejections::replay(&*log, &found, &self.decode.config()?, now(), self.dry_run)?;
        if self.output == Output::Json {
            println!("{}", serde_json::to_string(&done)?);
            return Ok(ExitCode::SUCCESS);
        }
        let verb = if self.dry_run { "would be replayed" } else { "replayed" };
        println!("{} raw records {verb}, with {} items that had been rejected", done.replayed.len(), done.items);
        if done.unchanged > 0 {
            println!("{} would be rejected as before, and were left alone", done.unchanged);
        }
        if !done.expired.is_empty() {
            println!("{} have expired, and cannot be read any more:", done.expired.len());
            done.expired.iter().for_each(|name| println!("  {name}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}
