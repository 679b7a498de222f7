//! Every report over ninety days of charges says what DuckDB says, who has never seen our queries, and what DuckDB and
//! Python's DataFusion say to the very queries that ship.
//!
//! `SPENDSTREAM_HISTORY_CALLS=60000` makes the history of a million calls shorter, `SPENDSTREAM_HISTORY_SEED` another one.

extern crate spendstream_cli as cli;
extern crate spendstream_enrich as enrich;
extern crate spendstream_schemas as schemas;
extern crate spendstream_sink as sink;
extern crate spendstream_stream as stream;

mod focus;
mod history;
mod margin;
mod measures;
#[path = "../../../tests/readers/python.rs"]
mod python;
mod savings;
mod unit_cost;

use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use cli::reports::benchmark::{Benchmark, benchmark};
use cli::reports::{Period, Request, What, ask, page, show};
use python::python;
use schemas::Timestamp;
use sink::{Lake, LakeConfig, LakeReader};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn day(text: &str) -> Option<chrono::NaiveDate> {
    Some(text.parse().expect("a date"))
}

fn time(text: &str) -> Option<Timestamp> {
    Some(text.parse().expect("a time"))
}

/// Each report by its own dimensions and by others, over all time and over a period, as known at the end and before.
fn requests() -> Vec<Request> {
    let all = Period::default();
    let october = Period { from: day("2026-10-01"), to: day("2026-10-31") };
    let before = time("2026-10-20T12:34:56.5Z");
    let mut requests = Vec::new();
    for what in What::ALL {
        let by = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        requests.push(Request { what, by: None, period: all, as_of: None });
        requests.push(Request { what, by: by(&["team", "model"]), period: october, as_of: before });
        requests.push(Request { what, by: by(&["month", "business_unit"]), period: all, as_of: before });
        requests.push(Request { what, by: by(&[]), period: october, as_of: None });
    }
    requests.push(Request {
        what: What::Spend,
        by: Some(vec!["day".into(), "user".into()]),
        period: october,
        as_of: None,
    });
    requests
}

fn json(benchmark: &Benchmark) -> String {
    serde_json::to_string_pretty(benchmark).expect("it can be written down")
}

#[test]
fn every_figure_of_every_report_is_what_duckdb_reckons_by_itself() {
    let calls = setting("SPENDSTREAM_HISTORY_CALLS", 1_000_000);
    let seed = setting("SPENDSTREAM_HISTORY_SEED", 20_261_128);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = folder.path().join("lake").display().to_string();
    let begun = Instant::now();
    let rows = history::write(&Lake::open(&LakeConfig::at(&address)).expect("a lake"), seed, calls);
    println!("seed {seed}: {rows} charges of {} days written in {:?}", history::DAYS, begun.elapsed());

    let reader = LakeReader::open(&LakeConfig::at(&address)).expect("the lake");
    let answers = folder.path().join("answers");
    std::fs::create_dir(&answers).expect("a folder");
    for (at, request) in requests().iter().enumerate() {
        let begun = Instant::now();
        let answer = ask(&reader, request).unwrap_or_else(|error| panic!("{request:?}: {error:#}"));
        println!(
            "{} by {:?}: {} rows in {:?}",
            request.what.name(),
            request.dimensions(),
            answer.rows.num_rows(),
            begun.elapsed()
        );
        assert!(answer.rows.num_rows() > 0, "{request:?}");
        std::fs::write(answers.join(format!("{at}.json")), show::json(&answer).expect("JSON")).expect("written");
        if at < What::ALL.len() {
            assert!(show::csv(&answer.rows).expect("CSV").lines().count() == answer.rows.num_rows() + 1);
            assert!(page::page(&answer).expect("a page").contains("<svg"));
            assert!(show::parquet(&answer.rows).expect("Parquet").starts_with(b"PAR1"));
            assert!(show::table(&answer, cli::table::Style::default()).expect("a table").lines().count() > 2);
        }
    }
    let quarter = "2026Q4".parse().expect("a quarter");
    for (name, as_of) in [("benchmark", None), ("benchmark-before", time("2026-10-31T23:59:59.999999Z"))] {
        let begun = Instant::now();
        let found = json(&benchmark(&reader, quarter, as_of).expect("the benchmark"));
        println!("{name} in {:?}", begun.elapsed());
        assert_eq!(json(&benchmark(&reader, quarter, as_of).expect("the benchmark")), found, "the same bytes");
        std::fs::write(answers.join(format!("{name}.json")), found).expect("written");
    }

    std::fs::write(answers.join("card.json"), margin::HISTORY_CARD).expect("written");
    for (at, request) in margin::requests().iter().enumerate() {
        let prices = margin::prices(margin::HISTORY_CARD, request.as_of.unwrap_or(Timestamp::MAX));
        let begun = Instant::now();
        let answer =
            cli::reports::margin::margin(&reader, request, &prices).unwrap_or_else(|error| panic!("{error:#}"));
        println!("margin by {:?}: {} rows in {:?}", request.dimensions(), answer.rows.num_rows(), begun.elapsed());
        std::fs::write(answers.join(format!("margin-{at}.json")), show::json(&answer).expect("JSON")).expect("written");
    }

    let readers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/readers");
    let output = Command::new(python(&readers)).arg(readers.join("reports.py")).args([&address]).arg(&answers).output();
    let output = output.expect("Python runs");
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "seed {seed}:\n{out}\n{error}");
    println!("{out}");
}

#[test]
fn a_lake_nobody_has_written_yet_has_nothing_to_report_and_no_coverage() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let reader = LakeReader::open(&LakeConfig::at(folder.path().display().to_string())).expect("the lake");
    for what in What::ALL {
        let request = Request { what, by: None, period: Period::default(), as_of: None };
        assert_eq!(ask(&reader, &request).expect("an answer").rows.num_rows(), 0);
    }
    let found = benchmark(&reader, "2026Q4".parse().expect("a quarter"), None).expect("the benchmark");
    for measure in &found.measures {
        assert_eq!(measure.figures[0].value, "no coverage", "{}", measure.name);
    }
}

/// Runs the command; gives whether it succeeded, and what it printed.
fn spendstream(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_spendstream")).args(arguments).output().expect("the command runs");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), text.concat())
}

/// Runs the command with this for its standard output; gives whether it succeeded, and what it said on standard error.
fn into(stdout: Stdio, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spendstream"));
    let output = command.args(arguments).stdout(stdout).output().expect("the command runs");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A terminal: the end that programs write to, and the end that shows it.
fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut shows, mut writes) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: both numbers outlive the call, and nothing else is asked for.
    let opened = unsafe { libc::openpty(&raw mut shows, &raw mut writes, none, none.cast(), none.cast()) };
    assert_eq!(opened, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: both were opened just now and are nobody else's.
    unsafe { (OwnedFd::from_raw_fd(writes), OwnedFd::from_raw_fd(shows)) }
}

#[test]
fn an_output_that_is_full_is_an_error_and_parquet_is_not_written_to_a_terminal() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = folder.path().join("lake").display().to_string();
    history::write(&Lake::open(&LakeConfig::at(&address)).expect("a lake"), 1, 30);
    for output in ["csv", "table", "parquet"] {
        let full = File::options().write(true).open("/dev/full").expect("Linux has it");
        let (ok, said) = into(full.into(), &["report", "spend", "--lake", &address, "--output", output]);
        assert!(!ok && said.contains("spendstream: write to standard output: No space left"), "{output}: {said}");
    }
    let spend = ["report", "spend", "--lake", &address, "--output"];
    let (writes, _shows) = terminal();
    let (ok, said) = into(writes.into(), &[&spend[..], &["parquet"]].concat());
    assert!(!ok && said.contains("Parquet is nothing for a terminal: name a file, --out FILE"), "{said}");
    let (writes, _shows) = terminal();
    // Little enough for a terminal that nobody looks at.
    let (ok, said) = into(writes.into(), &[&spend[..], &["csv", "--by", "total"]].concat());
    assert!(ok, "{said}");
}

#[test]
fn the_command_answers_prints_its_query_and_says_what_is_no_dimension() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = folder.path().join("lake").display().to_string();
    history::write(&Lake::open(&LakeConfig::at(&address)).expect("a lake"), 1, 300);
    let (ok, text) = spendstream(&["report", "spend", "--by", "total", "--lake", &address, "--output", "csv"]);
    assert!(ok && text.starts_with("currency,requests,effective_cost"), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
    let data = folder.path().display().to_string();
    let (ok, text) = spendstream(&["report", "spend", "--by", "team", "--output", "csv", "--data", &data]);
    assert!(ok && text.starts_with("team,currency,requests,"), "the lake of the data folder: {text}");
    let (ok, text) = spendstream(&["report", "spend", "--by", "team, model", "--lake", &address, "--output", "csv"]);
    assert!(ok && text.starts_with("team,model,currency,"), "{text}");
    let (ok, text) = spendstream(&["report", "--lake", &address, "unit-cost", "--by", "model", "--sql"]);
    assert!(ok && text.contains("GROUP BY \"model\", currency"), "{text}");
    let page = folder.path().join("page.html").display().to_string();
    let benchmark =
        ["report", "benchmark", "--quarter", "2026Q4", "--lake", &address, "--output", "html", "--out", &page];
    let (ok, text) = spendstream(&benchmark);
    assert!(ok, "{text}");
    assert!(std::fs::read_to_string(page).expect("a page").contains("premium_share_of_spend"));
    let (ok, text) =
        spendstream(&["report", "benchmark", "--quarter", "2026Q4", "--lake", &address, "--output", "csv"]);
    assert!(ok && text.starts_with("quarter,as_of,measure,unit,profile,subject,tenant,currency,numerator,"), "{text}");
    assert!(
        text.contains("2026Q4,,budget_variance,share,all,\"business unit retail of acme, month of 2026-10\",acme,USD,"),
        "{text}"
    );
    for (arguments, says) in [
        (["report", "spend", "--by", "tem"], "no such dimension"),
        (["report", "spend", "--by", "team,"], "has a name that is empty"),
        (["report", "spend", "--by", ""], "has a name that is empty"),
        (["report", "spend", "--by", "team,total"], "`total` stands alone"),
        (["report", "benchmark", "--quarter", "Q4"], "write the quarter as 2026Q4"),
    ] {
        let (ok, text) = spendstream(&[&arguments[..], &["--lake", &address]].concat());
        assert!(!ok && text.contains(says), "{text}");
    }
}
