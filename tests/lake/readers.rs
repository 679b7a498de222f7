//! Readers nobody here wrote find what our own reader finds, in tables that a sink wrote, merged and vacuumed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use schemas::Money;
use sink::read::{Cells, Days};
use sink::{Lake, LakeConfig, LakeReader, Maintenance};

use crate::ground::Ground;
use crate::sample::{Sample, drive, held};

#[path = "../readers/python.rs"]
mod python;

use python::python;

/// What a reader says of a table.
#[derive(Debug, PartialEq, serde::Deserialize)]
struct Found {
    rows: usize,
    sum: String,
    days: BTreeMap<String, usize>,
}

#[derive(Debug, serde::Deserialize)]
struct Reader {
    reader: String,
    version: String,
    #[serde(flatten)]
    found: Found,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("readers")
}

/// Runs a script of `tests/readers`; gives what it prints.
fn script(name: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(python(&folder())).arg(folder().join(name)).args(arguments).output().expect("Python runs");
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} {arguments:?}:\n{out}\n{error}");
    out.into_owned()
}

/// What our own reader says.
fn ours(lake: &Lake, table: &str, money: &str) -> Found {
    let (mut rows, mut sum, mut days) = (0, 0, BTreeMap::new());
    for batch in LakeReader::new(lake).scan(table, &["event_date", money], Days::ALL).expect("the table can be read") {
        let batch = batch.expect("its files can be read");
        let cells = Cells(&batch);
        for row in 0..batch.num_rows() {
            rows += 1;
            sum += cells.money(money, row).expect("money").map_or(0, Money::picos);
            *days.entry(cells.date("event_date", row).expect("a date").to_string()).or_insert(0) += 1;
        }
    }
    let sign = if sum < 0 { "-" } else { "" };
    let (whole, part) = (sum.unsigned_abs() / 10_u128.pow(12), sum.unsigned_abs() % 10_u128.pow(12));
    Found { rows, sum: format!("{sign}{whole}.{part:012}"), days }
}

#[test]
fn other_readers_find_the_same_rows_days_and_sums_and_answer_the_questions_of_the_page() {
    let (ground, sample) = (Ground::folder(), Sample::of(3, 8, 25));
    let lake = ground.lake();
    drive(&lake, &sample, 3, 0);
    assert_eq!(held(&lake), sample.held);
    // Some files are merged and some not, as in a table at work.
    let config = LakeConfig { lake_file_bytes: 256 << 10, ..LakeConfig::at("unused") };
    let merged = Maintenance::new(&lake, &config).compact("charges", stream::now()).expect("files are merged");
    assert!(merged.written > 0);

    let root = ground.file("");
    let address = root.to_str().expect("a path of text").trim_end_matches('/');
    for (table, money) in [
        ("charges", "effective_cost"),
        ("windows", "effective_cost"),
        ("budgets", "spent"),
        ("alerts", "amount"),
        ("facts", "value"),
    ] {
        let expected = ours(&lake, table, money);
        assert!(
            expected.rows > 0 && expected.sum.chars().any(|digit| matches!(digit, '1'..='9')),
            "{table}: {expected:?}"
        );
        let text = script("read.py", &[address, table, money]);
        let readers: Vec<Reader> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect();
        assert_eq!(readers.len(), 4, "{text}");
        for Reader { reader, version, found } in readers {
            assert_eq!(found, expected, "{reader} {version} on {table}");
        }
    }

    let page = folder().join("../../schemas/lake/README.md");
    let answers = script("queries.py", &[address, page.to_str().expect("a path of text")]);
    let rows: Vec<usize> = answers.lines().map(|line| line.parse().expect("a number of rows")).collect();
    assert_eq!(rows.len(), 12, "the questions of the page: {answers}");
    // Two about all time find something in tables whose days are long past: what contracts save, and where budgets stand.
    assert!(rows[4] > 0 && rows[7] > 0, "{answers}");
}
