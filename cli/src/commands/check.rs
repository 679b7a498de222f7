//! `spendstream check`: the dry run of a file or of a live topic.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use enrich::{Directory, PriceBook};
use ingest::{Mapping, RawRecord};
use schemas::{CurrencySum, Money, PricingStatus, Timestamp, topics};
use stream::books::add_money;
use stream::reference::{Reference, ReferenceSink};

use super::cat::is_closed_pipe;
use super::open::{LogArgs, now, partitions};
use crate::amount;
use crate::configuration::Configuration;
use crate::dry_run::{Judge, Outcome};
use crate::input::{self, Foreign};
use crate::table::{Style, Table};

/// Show what would become of every record: its format, usage, price and owner, or why it cannot be used.
///
/// Nothing is written and no consumer group is joined. Exit code 1 when a record was rejected.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// File to read (JSON lines, a JSON document, a table, a captured stream, also packed by gzip or zstd), a folder of them, or
    /// `-` for standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Form of the answer. `json` is one line a record, documented and stable.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Configuration folder to judge by [default: that of the cluster with --brokers, else the built-in example].
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// File of house formats to map [default: `formats.yaml` of the folder given by --config].
    #[arg(long, value_name = "FILE")]
    mappings: Option<PathBuf>,
    /// Topic to read instead of a file; needs --brokers, or --data with a data folder.
    #[arg(long, conflicts_with = "file")]
    topic: Option<String>,
    /// With --topic: how many of the newest records of each partition.
    #[arg(long, default_value_t = 1000)]
    last: i64,
    /// Provider of bodies that do not name one, such as `openai`.
    #[arg(long)]
    provider: Option<String>,
    /// Whom customers are, as ingest is told: those who are people match no rule by name.
    #[arg(long, env = "SPENDSTREAM_CUSTOMERS", value_enum, default_value_t)]
    customers: ingest::Customers,
    /// Time of events that state none (RFC 3339 or a date).
    #[arg(long)]
    time: Option<Timestamp>,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (prices, owners, mut mappings) = self.reference()?;
        if let Some(file) = &self.mappings {
            mappings = ingest::read_mappings(file)?;
        }
        let provider = self.provider.as_deref().map(Into::into);
        let customers = self.customers;
        let mut config = ingest::Config { provider, time: self.time, mappings, customers, ..ingest::Config::default() };
        if self.topic.is_none() || self.log.brokers.is_none() {
            // As `spendstream up` reads them; brokers take less.
            config.record_bytes_max = input::RECORD_BYTES_MAX;
        }
        let judge = Judge { config, prices, owners };
        let mut seen = Seen { output: self.output, style: Style::of_stdout(), ..Seen::default() };
        let mut out = BufWriter::new(std::io::stdout().lock());
        let done = match &self.topic {
            Some(topic) => self.topic(topic, &judge, &mut seen, &mut out),
            None if self.file.is_dir() => self.folder(&judge, &mut seen, &mut out),
            None => {
                let read = self.file(&self.file, &judge, &mut seen, &mut out);
                read.and_then(|unread| unread.map_or(Ok(()), Err))
            }
        };
        match done.and_then(|()| seen.finish(&mut out)) {
            Err(error) if is_closed_pipe(&error) => {}
            done => done?,
        }
        Ok(if seen.rejected == 0 && seen.unread == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn reference(&self) -> anyhow::Result<(PriceBook, Directory, Vec<Mapping>)> {
        let files = match &self.config {
            Some(folder) => Some(Configuration::read(folder)?),
            None if self.log.brokers.is_none() && self.topic.is_none() => Some(Configuration::example()?),
            None => None,
        };
        if let Some(files) = files {
            let (prices, owners) = files.compile()?;
            return Ok((prices, owners, files.mappings));
        }
        let log = self.log.inspect()?;
        let (prices, owners) = (Reference::<PriceBook>::default(), Reference::<Directory>::default());
        for sink in [&prices as &dyn ReferenceSink, &owners] {
            let (items, _) = stream::log::reference_items(&*log, &sink.topic(), 0)?;
            sink.apply(items)?;
        }
        let missing = "nothing was published yet: run `spendstream apply DIR`, or give --config DIR";
        let newest = (prices.versions().newest().cloned(), owners.versions().newest().cloned());
        drop((prices, owners));
        let prices = std::sync::Arc::into_inner(newest.0.context(missing)?).context(missing)?;
        let owners = std::sync::Arc::into_inner(newest.1.context(missing)?).context(missing)?;
        Ok((prices, owners, Vec::new()))
    }

    /// Every file of the folder; what cannot be read is named and the others are.
    fn folder(&self, judge: &Judge, seen: &mut Seen, out: &mut impl Write) -> anyhow::Result<()> {
        let found = input::files(&self.file)?;
        for problem in &found.unreadable {
            eprintln!("{problem}");
            seen.unread += 1;
        }
        for file in &found.files {
            seen.file = Some(file.display().to_string());
            let Some(error) = self.file(file, judge, seen, out)? else { continue };
            match error.downcast_ref::<Foreign>() {
                Some(foreign) => eprintln!("{} is left out: {foreign}", file.display()),
                None => {
                    eprintln!("{}", input::unreadable(file, error.root_cause()));
                    seen.unread += 1;
                }
            }
        }
        Ok(())
    }

    /// Gives why a file cannot be read, or not to its end. That the answer cannot be written is an error: it is of no file.
    fn file(
        &self,
        file: &Path,
        judge: &Judge,
        seen: &mut Seen,
        out: &mut impl Write,
    ) -> anyhow::Result<Option<anyhow::Error>> {
        let topic = file.display().to_string();
        let arrival = now();
        let records = match input::open(file) {
            Ok(records) => records,
            Err(error) => return Ok(Some(error)),
        };
        for (offset, record) in records.enumerate() {
            let record = match record {
                Ok(record) => record,
                Err(error) => return Ok(Some(error)),
            };
            let headers: Vec<(&str, &[u8])> =
                record.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
            let raw = RawRecord {
                topic: &topic,
                partition: 0,
                offset: offset as i64,
                timestamp: record.timestamp.unwrap_or(arrival),
                key: None,
                headers: &headers,
                payload: Some(&record.payload),
            };
            seen.take(judge.judge(offset as u64 + 1, &raw), record.number, out)?;
        }
        Ok(None)
    }

    fn topic(&self, topic: &str, judge: &Judge, seen: &mut Seen, out: &mut impl Write) -> anyhow::Result<()> {
        let log = self.log.inspect()?;
        let mut number = 0;
        for partition in 0..partitions(&*log, topic)? {
            let from = log.range(topic, partition)?.end.saturating_sub(self.last);
            stream::log::scan(&*log, topic, partition, from, |record| {
                let headers: Vec<(&str, &[u8])> =
                    record.headers.iter().map(|(name, value)| (name.as_str(), &**value)).collect();
                let raw = RawRecord {
                    topic: if topic == topics::CORRECTIONS { topics::CORRECTIONS } else { topic },
                    partition: i32::try_from(partition).unwrap_or(i32::MAX),
                    offset: record.offset,
                    timestamp: record.timestamp,
                    key: record.key.as_deref(),
                    headers: &headers,
                    payload: record.payload.as_deref(),
                };
                number += 1;
                seen.take(judge.judge(number, &raw), number, out)
            })?;
        }
        Ok(())
    }
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    output: Output,
    style: Style,
    /// The file that is read, of a folder.
    file: Option<String>,
    /// Files of a folder that could not be read.
    unread: u64,
    records: u64,
    events: u64,
    ignored: u64,
    rejected: u64,
    unpriced: u64,
    unallocated: u64,
    /// What was charged, in its own currencies.
    cost: Vec<CurrencySum>,
}

impl Seen {
    fn take(&mut self, mut outcome: Outcome, place: u64, out: &mut impl Write) -> anyhow::Result<()> {
        self.records += 1;
        self.events += outcome.events.len() as u64;
        self.ignored += outcome.ignored.len() as u64;
        self.rejected += outcome.rejected.len() as u64;
        for event in &outcome.events {
            self.unpriced += u64::from(event.status == PricingStatus::Unpriced);
            self.unallocated += u64::from(event.team.is_none());
            if let Some(cost) = &event.cost {
                add_money(&mut self.cost, &cost.currency, cost.amount)?;
            }
        }
        if self.output == Output::Json {
            outcome.file.clone_from(&self.file);
            serde_json::to_writer(&mut *out, &outcome)?;
            return Ok(out.write_all(b"\n")?);
        }
        let style = self.style;
        let name = if outcome.recognised_as.is_empty() { "not recognised" } else { &outcome.recognised_as };
        let file = self.file.as_ref().map_or_else(String::new, |file| format!("{file}:"));
        writeln!(out, "{}", style.heading(&format!("{file}{place}  {name}")))?;
        for event in &outcome.events {
            let cost = match &event.cost {
                Some(cost) => format!("{} ({})", money(cost), event.status),
                None => style.alarm(&format!("unpriced ({})", event.unpriced.join(", "))),
            };
            let team = match (&event.team, &event.rule) {
                (Some(team), Some(rule)) => format!("{team} (rule {rule})"),
                (Some(team), None) => format!("{team} (as stated)"),
                (None, _) => style.alarm("unallocated"),
            };
            writeln!(out, "   {} {} at {}  {cost}  {team}", event.provider, event.model, event.event_time)?;
            let mut table = Table::new(&["  meter", ">quantity", ">price", ">per", ">cost", "", "rate"]);
            for line in &event.lines {
                table.row([
                    format!("  {}", line.meter),
                    amount::quantity(line.quantity),
                    line.price.to_string(),
                    amount::count(line.per),
                    line.cost.to_string(),
                    line.currency.to_string(),
                    line.rate_id.to_string(),
                ]);
            }
            for (meter, quantity) in
                event.usage.iter().filter(|(meter, _)| !event.lines.iter().any(|line| line.meter.as_str() == **meter))
            {
                table.row([format!("  {meter}"), quantity.to_string(), "none".to_owned()]);
            }
            write!(out, "{}", table.render(style))?;
            if !event.flags.is_empty() {
                let flags: Vec<_> = event.flags.iter().map(ToString::to_string).collect();
                writeln!(out, "    flags: {} (known by {})", flags.join(", "), event.identity)?;
            }
        }
        for ignored in &outcome.ignored {
            writeln!(out, "   item {}: not billable: {}", ignored.item, ignored.reason)?;
        }
        for rejected in &outcome.rejected {
            let text = format!("item {}: rejected, {}: {}", rejected.item, rejected.reason, rejected.message);
            writeln!(out, "   {}", style.alarm(&text))?;
        }
        Ok(())
    }

    fn finish(&self, out: &mut impl Write) -> anyhow::Result<()> {
        if self.output == Output::Table {
            let nothing = [CurrencySum { currency: "USD".into(), amount: Money::ZERO }];
            let costs: &[CurrencySum] = if self.cost.is_empty() { &nothing[..] } else { &self.cost };
            writeln!(
                out,
                "\n{} records: {} events of {} ({} unpriced, {} unallocated), {} not billable, {} rejected",
                self.records,
                self.events,
                costs.iter().map(money).collect::<Vec<_>>().join(" and "),
                self.unpriced,
                self.unallocated,
                self.ignored,
                self.rejected
            )?;
        }
        Ok(out.flush()?)
    }
}

/// An amount to the last place, and its currency.
fn money(sum: &CurrencySum) -> String {
    format!("{} {}", amount::exact(sum.amount), sum.currency)
}
