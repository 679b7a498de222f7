//! `spendstream prices diff`: what one book says otherwise than another, and what that comes to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Args;
use enrich::PriceBook;
use enrich::price::diff;
use enrich::quote::quote;
use schemas::{Money, ReferenceRow, Text, Timestamp};
use stream::reference::{Compiled, manifest};

use super::{questions, rows};
use crate::amount;
use crate::commands::open::lake_reader;
use crate::commands::reprice::table;
use crate::reprice;
use crate::standing::Period;
use crate::table::Style;

/// List the prices that differ between two books and, given calls, the difference in dollars.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The older: a configuration folder or a file.
    old: PathBuf,
    /// The newer.
    new: PathBuf,
    /// Price the calls of this file by both, as `prices quote` reads them (`spendstream check -o json`).
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,
    /// Price the charges that stand in this lake by both, and say how much each model would change.
    #[arg(long, value_name = "DIR")]
    lake: Option<String>,
    /// Of the lake, calls made from then on [default: all].
    #[arg(long, value_name = "TIME", requires = "lake")]
    from: Option<Timestamp>,
    /// Of the lake, calls made before then [default: all].
    #[arg(long, value_name = "TIME", requires = "lake")]
    to: Option<Timestamp>,
}

/// What the calls of a model cost by both books.
#[derive(Debug, Default)]
struct Total {
    calls: u64,
    /// Calls that have a price in one of the books only.
    one_sided: u64,
    old: i128,
    new: i128,
}

impl Diff {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let (old, new) = (rows(&self.old)?, rows(&self.new)?);
        let mut out = BufWriter::new(std::io::stdout().lock());
        let changes = diff(&old, &new);
        for change in &changes {
            writeln!(out, "{change}")?;
        }
        writeln!(out, "{} differences", changes.len())?;
        if let Some(calls) = &self.calls {
            compare(&mut out, &compiled(&old)?, &compiled(&new)?, calls)?;
        }
        if let Some(lake) = &self.lake {
            self.compare_lake(&mut out, lake, &compiled(&old)?, &compiled(&new)?)?;
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }

    fn compare_lake(&self, out: &mut impl Write, lake: &str, old: &PriceBook, new: &PriceBook) -> anyhow::Result<()> {
        let period = Period { from: self.from.unwrap_or(Timestamp::MIN), to: self.to.unwrap_or(Timestamp::MAX) };
        ensure!(period.from < period.to, "--to is not after --from");
        let (count, changes) = reprice::compare(&lake_reader(lake)?, old, new, period)?;
        let count = amount::count(count as i64);
        writeln!(out, "{count} charges stand in {lake}; {} would come out otherwise", changes.charges)?;
        if changes.charges == 0 {
            return Ok(());
        }
        writeln!(out, "\n{}", table("model", &changes.models(), Style::of_stdout()))?;
        let mut sums: BTreeMap<&Text, i128> = BTreeMap::new();
        for change in changes.models() {
            *sums.entry(&change.currency).or_default() += change.cost_after.picos() - change.cost_before.picos();
        }
        for (currency, more) in sums {
            let more = Money::from_picos(more).map_or("?".to_owned(), amount::exact);
            writeln!(out, "{more} {currency} more by the newer book")?;
        }
        Ok(())
    }
}

fn compiled(rows: &[ReferenceRow]) -> anyhow::Result<PriceBook> {
    let version = manifest(PriceBook::SET, rows, Timestamp::MIN, Timestamp::MIN).version;
    PriceBook::compile(&version, &rows.iter().collect::<Vec<_>>())
}

fn compare(out: &mut impl Write, old: &PriceBook, new: &PriceBook, calls: &Path) -> anyhow::Result<()> {
    let mut totals: BTreeMap<(Text, String), Total> = BTreeMap::new();
    let file = std::fs::File::open(calls).with_context(|| format!("open {}", calls.display()))?;
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.with_context(|| format!("read {}", calls.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        let place = || format!("{} line {}: read an event", calls.display(), index + 1);
        for question in questions(&line).with_context(place)? {
            let (before, after) = (quote(old, &question).costs, quote(new, &question).costs);
            let currency = if after.contracted.is_some() { after.currency } else { before.currency };
            let model = format!("{}/{}", question.provider, question.model);
            let total = totals.entry((currency, model)).or_default();
            total.calls += 1;
            total.one_sided += u64::from(before.contracted.is_some() != after.contracted.is_some());
            let picos = |cost: Option<Money>| cost.map_or(0, |cost| cost.picos());
            total.old = total.old.saturating_add(picos(before.contracted));
            total.new = total.new.saturating_add(picos(after.contracted));
        }
    }
    let money = |picos: i128| Money::from_picos(picos).map_or("?".to_owned(), |money| money.to_string());
    let mut sums: BTreeMap<&Text, (u64, i128)> = BTreeMap::new();
    for ((currency, model), total) in &totals {
        let sum = sums.entry(currency).or_default();
        *sum = (sum.0 + total.calls, sum.1.saturating_add(total.new.saturating_sub(total.old)));
        if total.new == total.old && total.one_sided == 0 {
            continue;
        }
        let only = match total.one_sided {
            0 => String::new(),
            calls => format!(", {calls} of them priced by one book only"),
        };
        let (old, new, more) = (money(total.old), money(total.new), money(total.new - total.old));
        writeln!(out, "{model}: {} calls, {old} -> {new} {currency}, {more} more{only}", total.calls)?;
    }
    for (currency, (calls, more)) in sums {
        writeln!(out, "{calls} calls in {currency}: {} more", money(more))?;
    }
    Ok(())
}
