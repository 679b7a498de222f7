//! `spendstream report spend` and its like.

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};

use super::open::LogArgs;
use crate::known_at::{KnownAt, day};

/// Form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Form {
    /// For people.
    #[default]
    Table,
    /// RFC 4180 with a header; amounts exact, names as they are: for programs.
    Csv,
    /// CSV for Excel and its like: marked as UTF-8, with an apostrophe before text that they would take for a formula.
    Spreadsheet,
    /// One object; amounts are exact decimal strings.
    Json,
    /// zstd Parquet, `DECIMAL(38,12)`.
    Parquet,
    /// A page with charts that needs nothing else.
    Html,
}

/// The reports that are asked for by dimensions and period.
#[derive(Debug, Subcommand)]
pub(super) enum About {
    /// What was charged, net of corrections, and its tokens [by team].
    Spend(Ask),
    /// What a call and a million tokens cost [by team].
    ///
    /// Of calls with a whole price. Seats, machines, credits, entries of the ledger and shares of shared charges are left out.
    UnitCost(Ask),
    /// What choices saved: cache, batch or tier, contract, and what others would have cost [by team].
    ///
    /// `saved` is what a choice would have cost otherwise less what it cost, at list prices and of calls billed by use, in the
    /// order route, batch or tier, cache, contract: no saving counts twice. What a subscription or one's own machines cover
    /// saves nothing by a cache; `retail` says what it would have cost.
    Savings(Ask),
    /// What was used without a price, and why [by provider, model].
    Unpriced(Ask),
    /// What nobody pays for [by key_id, source].
    Unallocated(Ask),
    /// What arrived after its hour or day had ended, and the grace had passed [by source].
    Late(Ask),
    /// How far the figures can be relied on: pricing, attribution, identity, flags [by source].
    Quality(Ask),
    /// What units of value bring in by the internal rate card, and what the calls behind them cost [by team].
    ///
    /// Units are facts (`ai.value_unit`). Each has the price that held when it was delivered, from the rows `rate_card`
    /// of the newest price book, or of the one in force at `--as-of`. The cost of a workload's calls stands beside the
    /// one kind of unit that it delivered; calls and units without a workload are matched by team. There is a margin
    /// only where every unit has a price and both sides have one currency.
    Margin(MarginOf),
    /// Measures of a quarter beside the quarter before, with definitions, coverage and evidence.
    ///
    /// The same quarter of the same tables gives the same bytes.
    Benchmark(BenchmarkOf),
}

/// What is asked for.
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "reports"), allow(dead_code, reason = "this build only says how to get one that can"))]
pub(super) struct Ask {
    /// Dimensions, separated by commas: any column of charges that is text, or day, week, month, quarter; `total` for none.
    #[arg(long, value_delimiter = ',', value_name = "DIMENSIONS")]
    by: Option<Vec<String>>,
    /// First day (`event_date`, UTC) [default: the lake's first].
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Option<NaiveDate>,
    /// Last day, itself included [default: the lake's last].
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: Option<NaiveDate>,
    /// Leave out what was booked after this time, or after this day (UTC).
    #[arg(long, value_name = "TIME")]
    as_of: Option<KnownAt>,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    /// File to write to [default: standard output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the query instead of its answer. It runs unchanged in DuckDB, on a view `charges` (for the margin also
    /// `facts`).
    #[arg(long)]
    sql: bool,
    /// Address of the lake: a folder, or `s3://bucket/prefix` [default: the folder `lake` of the data folder].
    #[arg(long, env = "SPENDSTREAM_LAKE")]
    pub(super) lake: Option<String>,
}

/// What is asked for.
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "reports"), allow(dead_code, reason = "this build only says how to get one that can"))]
pub(super) struct MarginOf {
    #[command(flatten)]
    ask: Ask,
    /// Configuration folder or price file with the rate card [default: the book that was published to the log].
    #[arg(long, value_name = "PATH")]
    book: Option<PathBuf>,
}

/// What is asked for.
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "reports"), allow(dead_code, reason = "this build only says how to get one that can"))]
pub(super) struct BenchmarkOf {
    /// The quarter, as `2026Q4`, in UTC.
    #[arg(long, value_name = "QUARTER")]
    quarter: String,
    /// Leave out what was booked, received or emitted after this time, or after this day (UTC).
    #[arg(long, value_name = "TIME")]
    as_of: Option<KnownAt>,
    /// Form of the answer. JSON also has the hash of every file and the text of every query, CSV and Parquet the figures alone.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    /// File to write to [default: standard output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Address of the lake: a folder, or `s3://bucket/prefix` [default: the folder `lake` of the data folder].
    #[arg(long, env = "SPENDSTREAM_LAKE")]
    lake: Option<String>,
}

impl About {
    /// The lake that is named.
    pub(super) fn lake(&self) -> Option<&str> {
        let ask = match self {
            About::Benchmark(of) => return of.lake.as_deref(),
            About::Margin(of) => &of.ask,
            About::Spend(ask)
            | About::UnitCost(ask)
            | About::Savings(ask)
            | About::Unpriced(ask)
            | About::Unallocated(ask)
            | About::Late(ask)
            | About::Quality(ask) => ask,
        };
        ask.lake.as_deref()
    }

    /// Says what this build lacks.
    #[cfg(not(feature = "reports"))]
    pub(super) fn run(self, _: &str, _: &LogArgs) -> anyhow::Result<ExitCode> {
        anyhow::bail!("{}", crate::NO_ENGINE)
    }

    /// Answers.
    #[cfg(feature = "reports")]
    pub(super) fn run(self, lake: &str, log: &LogArgs) -> anyhow::Result<ExitCode> {
        use crate::reports::What;
        stream::memory::small_pages();
        match self {
            About::Spend(ask) => ask.run(What::Spend, lake),
            About::UnitCost(ask) => ask.run(What::UnitCost, lake),
            About::Savings(ask) => ask.run(What::Savings, lake),
            About::Unpriced(ask) => ask.run(What::Unpriced, lake),
            About::Unallocated(ask) => ask.run(What::Unallocated, lake),
            About::Late(ask) => ask.run(What::Late, lake),
            About::Quality(ask) => ask.run(What::Quality, lake),
            About::Margin(of) => of.run(lake, log),
            About::Benchmark(of) => of.run(lake),
        }
    }
}

#[cfg(feature = "reports")]
impl Ask {
    fn run(self, what: crate::reports::What, lake: &str) -> anyhow::Result<ExitCode> {
        let request = self.request(what)?;
        if self.sql {
            print!("{}", request.sql()?);
            return Ok(ExitCode::SUCCESS);
        }
        self.answer(&crate::reports::ask(&super::open::lake_reader(lake)?, &request)?)
    }

    fn request(&self, what: crate::reports::What) -> anyhow::Result<crate::reports::Request> {
        use crate::reports::{Period, Request};
        if let (Some(from), Some(to)) = (self.from, self.to)
            && to < from
        {
            anyhow::bail!("the last day, {to}, is before the first, {from}");
        }
        let by = self.by.as_deref().map(dimensions).transpose()?;
        let period = Period { from: self.from, to: self.to };
        Ok(Request { what, by, period, as_of: self.as_of.map(|at| at.0) })
    }

    fn answer(&self, answer: &crate::reports::Answer) -> anyhow::Result<ExitCode> {
        use crate::reports::{page, show};
        use crate::table::Style;
        let bytes = match self.output {
            Form::Table => show::table(answer, Style::of_stdout())?.into_bytes(),
            Form::Csv => show::csv(&answer.rows)?.into_bytes(),
            Form::Spreadsheet => show::spreadsheet(&answer.rows)?.into_bytes(),
            Form::Json => show::json(answer)?.into_bytes(),
            Form::Parquet => show::parquet(&answer.rows)?,
            Form::Html => page::page(answer)?.into_bytes(),
        };
        write(self.out.as_deref(), &bytes)?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(feature = "reports")]
impl MarginOf {
    fn run(self, lake: &str, log: &LogArgs) -> anyhow::Result<ExitCode> {
        use crate::reports::{What, margin};
        let request = self.ask.request(What::Margin)?;
        let prices = self.prices(log)?;
        if self.ask.sql {
            print!("{}", margin::sql(&request, &prices)?);
            return Ok(ExitCode::SUCCESS);
        }
        self.ask.answer(&margin::margin(&super::open::lake_reader(lake)?, &request, &prices)?)
    }

    /// The internal prices as they were known.
    fn prices(&self, log: &LogArgs) -> anyhow::Result<Vec<enrich::price::UnitPrice>> {
        use anyhow::Context;
        use enrich::price::RateCard;
        use schemas::Timestamp;
        use stream::reference::Compiled;
        let as_of = self.ask.as_of.map_or(Timestamp::MAX, |at| at.0);
        if let Some(path) = &self.book {
            let rows = super::prices::rows(path)?;
            return Ok(RateCard::compile("", &rows.iter().collect::<Vec<_>>())?.prices(as_of));
        }
        let log = log.inspect().context("read the published prices; or say where they are: --book DIR")?;
        let cards = crate::reprice::versions::<RateCard>(&*log)?;
        let card = cards.at(as_of).context("no prices were published: say where they are, --book DIR")?;
        Ok(card.prices(as_of))
    }
}

#[cfg(feature = "reports")]
impl BenchmarkOf {
    fn run(self, lake: &str) -> anyhow::Result<ExitCode> {
        use crate::reports::benchmark::{benchmark, page, rows, table};
        use crate::reports::show;
        use crate::table::Style;
        let quarter =
            self.quarter.parse().map_err(|error: String| anyhow::anyhow!("--quarter {}: {error}", self.quarter))?;
        let found = benchmark(&super::open::lake_reader(lake)?, quarter, self.as_of.map(|at| at.0))?;
        let bytes = match self.output {
            Form::Table => table(&found, Style::of_stdout()).into_bytes(),
            Form::Csv => show::csv(&rows(&found)?)?.into_bytes(),
            Form::Spreadsheet => show::spreadsheet(&rows(&found)?)?.into_bytes(),
            Form::Json => (serde_json::to_string_pretty(&found)? + "\n").into_bytes(),
            Form::Parquet => show::parquet(&rows(&found)?)?,
            Form::Html => page(&found)?.into_bytes(),
        };
        write(self.out.as_deref(), &bytes)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The dimensions that are named; `total` is none.
#[cfg(feature = "reports")]
fn dimensions(named: &[String]) -> anyhow::Result<Vec<String>> {
    let names: Vec<String> = named.iter().map(|name| name.trim().to_owned()).collect();
    if names == ["total"] {
        return Ok(Vec::new());
    }
    let asked = named.join(",");
    anyhow::ensure!(
        names.iter().all(|name| !name.is_empty()),
        "--by {asked:?} has a name that is empty: separate dimensions by one comma each, or write `total` for none"
    );
    anyhow::ensure!(
        names.iter().all(|name| name != "total"),
        "--by {asked:?}: `total` stands alone; it is the report without dimensions"
    );
    Ok(names)
}

/// Writes an answer to a file or to standard output.
#[cfg(feature = "reports")]
pub(super) fn write(out: Option<&std::path::Path>, bytes: &[u8]) -> anyhow::Result<()> {
    use anyhow::Context;
    use std::io::IsTerminal;
    match out {
        Some(path) => std::fs::write(path, bytes).with_context(|| format!("write {}", path.display())),
        None if bytes.starts_with(b"PAR1") && std::io::stdout().is_terminal() => {
            anyhow::bail!("Parquet is nothing for a terminal: name a file, --out FILE")
        }
        None => {
            crate::stdout::write_bytes(bytes);
            Ok(())
        }
    }
}
