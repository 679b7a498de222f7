//! Every report over ninety days of charges, each in a process of its own, beside DuckDB with the same query on the same
//! files.

#[path = "../../cli/tests/reports/history.rs"]
mod history;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sink::read::Days;
use sink::{Lake, LakeConfig, LakeReader};

use crate::Config;
use crate::cluster::binary;
use crate::measure::{Used, thousands, to_its_end};

/// Seed of the history, the one its test has.
const SEED: u64 = 20_261_128;

/// How often each is asked; the middle one counts.
const RUNS: usize = 3;

/// Prices of units of value, for the margin.
const CARD: &str = r#"{"currency": "USD", "source": "benchmark", "rate_card": [
    {"unit": "resolutions", "price": "0.05"}, {"unit": "documents", "price": "1.25"}]}"#;

/// What is asked: the words after `spendstream report`. Without a period it is all ninety days.
const QUESTIONS: [&str; 10] = [
    "spend --by team,model",
    "spend",
    "spend --by day,user",
    "unit-cost",
    "savings",
    "unpriced",
    "unallocated",
    "late",
    "quality",
    "margin --book CARD",
];

/// What has no query of its own: it is made of many.
const BENCHMARK: &str = "benchmark --quarter 2026Q4";

/// Writes the history, asks every question, and prints what each took.
pub fn answers(config: &Config) -> anyhow::Result<()> {
    let python = python()?;
    let folder = tempfile::tempdir().context("create a folder for the lake")?;
    let lake = folder.path().join("lake").display().to_string();
    let card = folder.path().join("card.json");
    std::fs::write(&card, CARD)?;
    let began = Instant::now();
    let rows = history::write(&Lake::open(&LakeConfig::at(&lake))?, SEED, config.history_calls);
    let took = began.elapsed();
    let charges = LakeReader::open(&LakeConfig::at(&lake))?.snapshot("charges", Days::default(), None)?;
    let bytes: u64 = charges.files().iter().map(|file| file.bytes).sum();
    println!(
        "## Reports over {} days: {} charges in {} files, {} MiB, written in {:.0} s\n",
        history::DAYS,
        thousands(rows),
        charges.files().len(),
        bytes >> 20,
        took.as_secs_f64()
    );
    println!("| report | rows | s | CPU s | peak MiB | DuckDB s | CPU s | peak MiB | s to DuckDB's |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for question in QUESTIONS {
        let words = question.replace("CARD", &card.display().to_string());
        let (_, _, query) = asked(&lake, &words, "--sql")?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            ours.push(asked(&lake, &words, "--output=csv")?);
            theirs.push(duckdb(&python, &lake, &query)?);
        }
        let (wall, used, text) = middle(ours);
        let (their_wall, their_used, their_rows) = middle(theirs);
        let found = text.lines().count() - 1;
        // The margin is reckoned on from what its query finds.
        ensure!(found == their_rows || question.starts_with("margin"), "{question}: {found} rows, not {their_rows}");
        let ratio = wall.as_secs_f64() / their_wall.as_secs_f64();
        println!(
            "| {question} | {} | {} | {} | {ratio:.2} |",
            thousands(found as u64),
            cells(wall, used),
            cells(their_wall, their_used)
        );
    }
    let runs = (0..RUNS).map(|_| asked(&lake, BENCHMARK, "--output=csv")).collect::<anyhow::Result<_>>()?;
    let (wall, used, text) = middle(runs);
    println!("| {BENCHMARK} | {} | {} | | | | |\n", text.lines().count() - 1, cells(wall, used));
    Ok(())
}

fn cells(wall: Duration, used: Used) -> String {
    format!("{:.2} | {:.2} | {}", wall.as_secs_f64(), used.cpu.as_secs_f64(), used.memory_mib)
}

/// The run that took neither longest nor shortest.
fn middle<T>(mut runs: Vec<(Duration, Used, T)>) -> (Duration, Used, T) {
    runs.sort_by_key(|run| run.0);
    runs.swap_remove(runs.len() / 2)
}

/// Runs the command, from its start to its end.
fn asked(lake: &str, words: &str, form: &str) -> anyhow::Result<(Duration, Used, String)> {
    let mut command = Command::new(binary("spendstream")?);
    command.arg("report").args(words.split(' ')).args(["--lake", lake, form]);
    to_its_end(command).with_context(|| format!("report {words}"))
}

/// Runs a query in DuckDB: the time of the query alone, the process it ran in, and the rows it found.
fn duckdb(python: &Path, lake: &str, query: &str) -> anyhow::Result<(Duration, Used, usize)> {
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("readers/timed.py")).args([lake, query]);
    let (_, used, text) = to_its_end(command).context("run DuckDB")?;
    let mut words = text.split_whitespace();
    let mut number = || words.next().and_then(|word| word.parse::<f64>().ok()).context("DuckDB's time");
    let (seconds, rows) = (number()?, number()?);
    let cpu = Duration::from_secs_f64(number()?);
    Ok((Duration::from_secs_f64(seconds), Used { cpu, ..used }, rows as usize))
}

/// A Python with DuckDB.
fn python() -> anyhow::Result<PathBuf> {
    let made = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tmp/readers/bin/python");
    let python = std::env::var_os("SPENDSTREAM_READERS_PYTHON").map_or_else(made, PathBuf::from);
    ensure!(
        python.exists(),
        "reports are measured beside DuckDB: set SPENDSTREAM_READERS_PYTHON to a Python that has the packages of \
         tests/readers/requirements.txt, or run the tests of the lake, which make one"
    );
    Ok(python)
}
