//! `spendstream settle`: what a period costs besides its calls.

use std::process::ExitCode;

use anyhow::Context;
use chrono::{Months, NaiveDate, NaiveTime};
use clap::Args;
use enrich::PriceBook;
use enrich::settle::Entry;
use schemas::{Money, Text, Timestamp};
use serde_json::json;
use stream::Log;

use super::open::{LogArgs, lake_reader, now};
use crate::amount;
use crate::reprice::versions;
use crate::settle::{Settled, settle_period};
use crate::standing::Period;
use crate::table::{Style, Table};

/// Charge what depends on a whole period: free allowances, volume ladders, commitments, prepaid credits and capacity.
///
/// Calls are charged one by one, as they come. This command reads the charges of a period in the order of their times
/// and applies the terms of the newest price book to all of them together. It sends the difference to `usage.raw` as
/// entries of the ledger, one for each day and payer, negative where the terms make it cheaper. It may be run again at
/// any time, daily while the period lasts: entries that are right are not sent again, others are amended. Let the
/// pipeline take what a run sent before the next run; sending it twice does no harm.
#[derive(Debug, Args)]
pub(super) struct Settle {
    /// Month or day (UTC), such as 2026-11 or 2026-11-14.
    #[arg(long, value_name = "PERIOD", value_parser = period)]
    period: Period,
    /// Only say what would be sent.
    #[arg(long)]
    dry_run: bool,
    /// Write one JSON object instead of a table; amounts are exact decimal strings.
    #[arg(long)]
    json: bool,
    /// Most charges that terms may be about: they are held in memory, about a kilobyte each.
    #[arg(long, default_value_t = 5_000_000)]
    charges_max: usize,
    /// Address of the lake [default: the folder `lake` of the data folder; with `--brokers`, none: then the topic must
    /// still have the period].
    #[arg(long, env = "SPENDSTREAM_LAKE")]
    lake: Option<String>,
    #[command(flatten)]
    log: LogArgs,
}

impl Settle {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let log = if self.dry_run { self.log.inspect()? } else { self.log.open()? };
        let lake = match (&self.lake, &self.log.brokers) {
            (None, Some(_)) => None,
            (lake, _) => Some(lake_reader(&self.log.lake(lake.as_deref())?)?),
        };
        let books = versions::<PriceBook>(&*log as &dyn Log)?;
        let book = books.newest().context("no prices were published: `spendstream apply DIR`")?;
        let settled = settle_period(&*log, lake.as_ref(), book, self.period, now(), self.dry_run, self.charges_max)?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&outcome(&settled, book.version(), self.dry_run))?);
        } else {
            print!("{}", print(&settled, book.version(), self.dry_run, Style::of_stdout()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn day(entry: &Entry) -> String {
    entry.time.to_string().chars().take(10).collect()
}

fn team(entry: &Entry) -> Option<&str> {
    entry.payer.dimensions.get("team").map(Text::as_str)
}

fn outcome(settled: &Settled, book: &str, dry_run: bool) -> serde_json::Value {
    let entry = |entry: &Entry| {
        json!({"id": entry.id, "terms": entry.term.as_str(), "day": day(entry), "provider": entry.payer.provider.as_str(),
            "model": entry.payer.model.as_str(), "team": team(entry), "category": entry.category.as_str(),
            "amount": entry.amount.to_string(), "currency": entry.currency.as_str()})
    };
    json!({"book_version": book, "uses": settled.uses, "standing": settled.standing, "to_send": settled.sent,
        "withdrawn": settled.withdrawn, "sent": !dry_run, "entries": settled.entries.iter().map(entry).collect::<Vec<_>>()})
}

fn print(settled: &Settled, book: &str, dry_run: bool, style: Style) -> String {
    let mut table = Table::new(&["terms", "day", "model", "team", "kind", ">amount", ""]);
    let mut sums: std::collections::BTreeMap<&Text, Option<Money>> = std::collections::BTreeMap::new();
    for entry in &settled.entries {
        let sum = sums.entry(&entry.currency).or_insert(Some(Money::ZERO));
        *sum = sum.and_then(|sum| sum.checked_add(entry.amount).ok());
        table.row(vec![
            entry.term.to_string(),
            day(entry),
            format!("{}/{}", entry.payer.provider, entry.payer.model),
            team(entry).unwrap_or("unallocated").to_owned(),
            entry.category.as_str().to_owned(),
            amount::exact(entry.amount),
            entry.currency.to_string(),
        ]);
    }
    let mut text = format!("{} charges under the terms of prices {book}\n", amount::count(settled.uses as i64));
    if !settled.entries.is_empty() {
        text += &format!("\n{}\n", table.render(style));
    }
    for (currency, sum) in sums {
        text +=
            &format!("{} {currency} besides what the calls were charged\n", sum.map_or("?".to_owned(), amount::exact));
    }
    let changed = settled.sent + settled.withdrawn;
    text += &match (changed, dry_run) {
        (0, _) => format!("Nothing to send: {} entries stand.\n", settled.standing),
        (_, true) => format!("Nothing was sent: without --dry-run {changed} entries are.\n"),
        (_, false) => format!(
            "{} entries sent, {} of them to withdraw earlier ones; {} stood already.\n",
            changed, settled.withdrawn, settled.standing
        ),
    };
    text
}

/// `2026-11` or `2026-11-14`.
fn period(text: &str) -> Result<Period, String> {
    let wrong = || format!("{text:?} is no month or day; write 2026-11 or 2026-11-14");
    let day = |text: &str| text.parse::<NaiveDate>().ok();
    let (first, next) = match day(text) {
        Some(day) => (day, day.succ_opt()),
        None => {
            let first = day(&format!("{text}-01")).ok_or_else(wrong)?;
            (first, first.checked_add_months(Months::new(1)))
        }
    };
    let start = |date: NaiveDate| Timestamp::from(date.and_time(NaiveTime::MIN).and_utc());
    Ok(Period { from: start(first), to: start(next.ok_or_else(wrong)?) })
}
