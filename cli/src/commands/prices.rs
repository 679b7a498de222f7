//! `spendstream prices`: look into price books, and make rows of other people's data.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use enrich::price::import::{self, Options};
use enrich::quote::{Amount, Question, quote};
use enrich::{PriceBook, Severity};
use schemas::{Meter, PriceContext, ReferenceRow, Text, Timestamp};
use stream::reference::{Compiled, manifest};

mod build;
mod diff;
mod package;

use self::build::Build;
use self::diff::Diff;
use super::cat::is_closed_pipe;
use super::open::{by_the_example, now};
use crate::configuration::{Configuration, EXAMPLE};

/// Inspect price books, and make price rows from the data of litellm and genai-prices.
#[derive(Debug, Args)]
pub(super) struct Prices {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Lint(Lint),
    Import(Import),
    Build(Build),
    Compile(Compile),
    Diff(Diff),
    Show(Show),
    Quote(Quote),
}

/// List everything that is wrong with a price book, and what deserves a look in a valid one.
///
/// Exit code 1 when something is wrong.
#[derive(Debug, Args)]
struct Lint {
    #[command(flatten)]
    book: Book,
}

/// Make price rows from the data of litellm or genai-prices, read as their own code reads it.
///
/// The rows are written as JSON lines, which a folder `prices` takes as a `.jsonl` file. Both packages are MIT-licensed:
/// keep their notice beside the file.
#[derive(Debug, Args)]
struct Import {
    /// Whose data it is.
    #[arg(value_enum)]
    source: ImportSource,
    /// The file: `model_prices_and_context_window_backup.json` of litellm, `data.py` of genai-prices [default: that of the
    /// version, fetched from PyPI with pip].
    file: Option<PathBuf>,
    /// Version of the package, for the provenance of every row.
    #[arg(long)]
    version: String,
    /// File to write [default: standard output].
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// Keep the remains of binary fractions (`1.3200000000000002e-07`) instead of rounding to 12 significant digits.
    #[arg(long)]
    exact: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ImportSource {
    /// PyPI `litellm`.
    Litellm,
    /// PyPI `genai-prices`.
    GenaiPrices,
}

/// List every rate of a model, and which of them hold at a time for a call at the standard tier.
#[derive(Debug, Args)]
struct Show {
    /// Provider and model, such as `openai/gpt-5`.
    model: String,
    /// When the call is made [default: now].
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    #[command(flatten)]
    book: Book,
}

/// Price events as `spendstream check -o json` writes them, with the rows considered and why each was used or not.
///
/// A line is one event, or one outcome of `check` with its `events`. The answers are JSON lines in the same order.
#[derive(Debug, Args)]
struct Quote {
    /// File to read, or `-` for standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    book: Book,
}

/// Write a book as one file of explicit rows, every default and fallback spelt out, headed by its version.
///
/// The file is used like any other (`prices.jsonl`). A file that was cut off or changed is refused.
#[derive(Debug, Args)]
struct Compile {
    /// File to write [default: standard output].
    #[arg(short, long)]
    output: Option<PathBuf>,
    #[command(flatten)]
    book: Book,
}

#[derive(Debug, Args)]
struct Book {
    /// Configuration folder or price file [default: the built-in example].
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Use what was known then: leave out rows that became known later, and rows that were known to be wrong.
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
}

impl Prices {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let done = match self.command {
            Command::Lint(lint) => lint.run(),
            Command::Import(import) => import.run(),
            Command::Build(build) => build.run(),
            Command::Compile(compile) => compile.run(),
            Command::Diff(diff) => diff.run(),
            Command::Show(show) => show.run(),
            Command::Quote(quote) => quote.run(),
        };
        match done {
            Err(error) if is_closed_pipe(&error) => Ok(ExitCode::SUCCESS),
            done => done,
        }
    }
}

impl Book {
    fn rows(&self) -> anyhow::Result<Vec<ReferenceRow>> {
        match &self.config {
            Some(path) => rows(path),
            None => {
                by_the_example();
                Ok(Configuration::example()?.prices)
            }
        }
    }

    fn compile(&self) -> anyhow::Result<PriceBook> {
        let rows = self.rows()?;
        let version = manifest(PriceBook::SET, &rows, Timestamp::MIN, Timestamp::MIN).version;
        let rows: Vec<&ReferenceRow> = rows.iter().collect();
        PriceBook::compile_as_of(&version, &rows, self.as_of.unwrap_or(Timestamp::MAX))
    }
}

/// The rows of a configuration folder or price file.
pub(super) fn rows(path: &Path) -> anyhow::Result<Vec<ReferenceRow>> {
    enrich::read_prices(path).map_err(|findings| {
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("nothing was used, because:\n  {}", findings.join("\n  "))
    })
}

impl Lint {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let findings = match &self.book.config {
            Some(path) => enrich::price::lint_folder(path, now()),
            None => {
                let belongs = |name: &str| name.starts_with("prices") && name.ends_with(".yaml");
                let files = EXAMPLE.iter().filter(|(name, _)| belongs(name));
                let files: Vec<_> = files.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
                enrich::price::lint_prices(&files, now())
            }
        };
        let findings = findings.unwrap_or_else(|wrong| wrong);
        let mut out = BufWriter::new(std::io::stdout().lock());
        for finding in &findings {
            let kind = if finding.severity == Severity::Error { "error" } else { "warning" };
            writeln!(out, "{kind}: {finding}")?;
        }
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        writeln!(out, "{errors} errors, {} warnings", findings.len() - errors)?;
        out.flush()?;
        Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Import {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let text = self.source.text(self.file.as_deref(), &self.version)?;
        let (source, notice) = match self.source {
            ImportSource::Litellm => (import::Source::Litellm, "litellm: MIT, Copyright (c) 2023 Berri AI"),
            ImportSource::GenaiPrices => {
                let notice = "genai-prices: MIT, Copyright (c) Pydantic Services Inc. 2025 to present";
                (import::Source::GenaiPrices, notice)
            }
        };
        let checked: String = now().to_string().chars().take(10).collect();
        let options = Options { source, version: self.version.clone(), checked, exact: self.exact };
        let imported = import::import(&text, &options).map_err(|findings| {
            let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("nothing was written, because:\n  {}", findings.join("\n  "))
        })?;
        let mut out: Box<dyn Write> = match &self.output {
            Some(path) => {
                let file = std::fs::File::create(path).with_context(|| format!("write {}", path.display()))?;
                Box::new(BufWriter::new(file))
            }
            None => Box::new(BufWriter::new(std::io::stdout().lock())),
        };
        for row in &imported.rows {
            writeln!(out, "{}", row.body)?;
        }
        out.flush()?;
        for remark in &imported.remarks {
            eprintln!("left out: {remark}");
        }
        eprintln!("{} rows; keep this notice beside them: {notice}", imported.rows.len());
        Ok(ExitCode::SUCCESS)
    }
}

impl Compile {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let rows = self.book.rows()?;
        let text = enrich::price::compiled_file(&rows)?;
        match &self.output {
            Some(path) => std::fs::write(path, &text).with_context(|| format!("write {}", path.display()))?,
            None => std::io::stdout().lock().write_all(text.as_bytes())?,
        }
        let version = manifest(PriceBook::SET, &rows, Timestamp::MIN, Timestamp::MIN).version;
        eprintln!("version {version}: {} rows", rows.len());
        Ok(ExitCode::SUCCESS)
    }
}

/// Whose models have this name in a book, as `show` wants to be asked.
fn offered(rows: &[ReferenceRow], model: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Row {
        sku: Option<Sku>,
    }
    #[derive(serde::Deserialize)]
    struct Sku {
        provider: String,
        models: Vec<String>,
    }
    let named = rows.iter().filter_map(|row| serde_json::from_str::<Row>(&row.body).ok()?.sku);
    let mut named: Vec<String> = named
        .filter(|sku| sku.models.iter().any(|name| name == model))
        .map(|sku| format!("{}/{model}", sku.provider))
        .collect();
    named.sort();
    named.dedup();
    named
}

impl Show {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let Some((provider, model)) = self.model.split_once('/') else {
            let offered = offered(&self.book.rows()?, &self.model);
            match offered.is_empty() {
                true => bail!("say whose model it is, as in openai/gpt-5"),
                false => bail!("say whose model it is: {}", offered.join(", ")),
            }
        };
        let book = self.book.compile()?;
        let question = Question {
            event_id: self.model.as_str().into(),
            provider: provider.into(),
            model: model.into(),
            operation: Text::default(),
            event_time: self.at.unwrap_or_else(now),
            price_context: PriceContext::default(),
            usage: Meter::ALL.iter().map(|meter| (*meter, Amount::Whole(1))).collect(),
            flags: Vec::new(),
            tenant: Text::default(),
            team: None,
            billing_account: None,
        };
        let answer = quote(&book, &question);
        let Some(sku) = &answer.sku else {
            bail!(
                "{} is not in book {}; `spendstream prices lint` says what is wrong with a book",
                self.model,
                book.version()
            );
        };
        let mut out = BufWriter::new(std::io::stdout().lock());
        writeln!(out, "{sku} in book {} at {}", answer.book_version, question.event_time)?;
        for row in &answer.considered {
            let time = |time: Option<Timestamp>| time.map_or_else(|| "...".to_owned(), |time| time.to_string());
            let (from, to) = (time(row.valid_from), time(row.valid_to));
            let kind = if row.contract { "contract " } else { "" };
            writeln!(
                out,
                "  {} {} per {} [{from}, {to})  {kind}{}  {}  {}",
                row.meter, row.price, row.per, row.rate_id, row.verdict, row.origin
            )?;
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Quote {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let book = self.book.compile()?;
        let reader: Box<dyn Read> = if self.file == Path::new("-") {
            Box::new(std::io::stdin().lock())
        } else {
            Box::new(std::fs::File::open(&self.file).with_context(|| format!("open {}", self.file.display()))?)
        };
        let mut out = BufWriter::new(std::io::stdout().lock());
        for (index, line) in BufReader::new(reader).lines().enumerate() {
            let line = line.context("read a line")?;
            if line.trim().is_empty() {
                continue;
            }
            for question in questions(&line).with_context(|| format!("line {}: read an event", index + 1))? {
                serde_json::to_writer(&mut out, &quote(&book, &question))?;
                out.write_all(b"\n")?;
            }
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The events of a line: itself, or those of an outcome of `check`.
fn questions(line: &str) -> anyhow::Result<Vec<Question>> {
    #[derive(serde::Deserialize)]
    struct Outcome {
        events: Option<Vec<Question>>,
    }
    match serde_json::from_str::<Outcome>(line)?.events {
        Some(events) => Ok(events),
        None => Ok(vec![serde_json::from_str(line)?]),
    }
}
