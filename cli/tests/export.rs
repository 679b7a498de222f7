#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
//! Exports of a real lake by the real binary, killed in between.

extern crate spendstream_schemas as schemas;
extern crate spendstream_sink as sink;
extern crate spendstream_stream as stream;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use schemas::codec::Format;
use schemas::{Batch, BudgetPeriod, BudgetState, Charge, Money, Timestamp, fixture};
use serde_json::Value;
use sink::rows::{Budgets, Charges};
use sink::{Lake, LakeConfig, LakeTable};
use stream::{Record, Table};

const BATCH: u64 = 500;

/// 2026-11-20T00:00:00Z.
const START: i64 = 1_795_132_800;

/// Appends charges of three days to a lake, booked ten seconds after one another.
fn append(lake: &Path, numbers: std::ops::Range<u64>) {
    let config = LakeConfig::at(lake.display().to_string());
    let lake = Lake::open(&config).unwrap();
    let mut table = LakeTable::<Charges>::open(&lake, &config).unwrap();
    let mut offset = table.assign(&[0]).unwrap()[0].1.unwrap_or(0);
    let format = Format::<Batch<Charge>>::new();
    let mut lineage = fixture::lineage();
    for first in numbers.clone().step_by(BATCH as usize) {
        lineage.sequence = (first / BATCH) as i64;
        let charge = |number: u64| {
            let mut charge = fixture::everyday_charge(number);
            let time = Timestamp::from_micros((START + number as i64 * 10 % (3 * 86_400)) * 1_000_000);
            (charge.event.event_time, charge.booked_at) = (time, time);
            charge
        };
        let items = (first..numbers.end.min(first + BATCH)).map(charge).collect();
        let payload = format.encode(&Batch { lineage: lineage.clone(), items });
        let timestamp = fixture::charge().booked_at;
        let record = Record { offset, timestamp, key: None, payload: Some(&payload), headers: Vec::new() };
        offset += 1;
        table.append(0, &[record], offset).unwrap();
    }
    table.flush(fixture::charge().booked_at).unwrap();
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spendstream"));
    command.arg("export").args(arguments).current_dir(folder).env_remove("SPENDSTREAM_LAKE").env_remove("RUST_LOG");
    command
}

fn export(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = export(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = export(folder, arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    String::from_utf8(output.stderr).unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Files of an export, but for its lock.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let named = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    named.filter(|(name, _)| name != ".lock").map(|(name, path)| (name, std::fs::read(path).unwrap())).collect()
}

#[test]
fn an_export_killed_again_and_again_while_the_lake_grows_ends_as_one_that_ran_through() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    append(&at.join("lake"), 0..30_000);
    for format in ["jsonl", "csv", "parquet"] {
        let whole = format!("whole-{format}");
        let create =
            ["create", "--type", "charges", "--lake", "lake", "--format", format, "--rows-per-file", "300", "--out"];
        succeeds(at, &[&create[..], &[&whole]].concat());
        let killed = format!("killed-{format}");
        let (mut kills, mut parts) = (0, 0);
        while kills < 4 {
            let mut child = command(at, &[&create[..], &[&killed]].concat())
                .stderr(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let began = Instant::now();
            // A part more than before, and then in the middle of the next.
            let done = || {
                std::fs::read(at.join(&killed).join("job.json"))
                    .ok()
                    .and_then(|bytes| Some(serde_json::from_slice::<Value>(&bytes).ok()?["files"].as_array()?.len()))
            };
            while done().is_none_or(|done| done <= parts) && child.try_wait().unwrap().is_none() {
                assert!(began.elapsed() < Duration::from_secs(60), "no part is made");
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(kills));
            child.kill().unwrap();
            child.wait().unwrap();
            parts = done().expect("it was killed before it ended");
            kills += 1;
        }
        assert!(fails(at, &["verify", &killed]).contains("the export is not finished; run the same"));
        succeeds(at, &[&create[..], &[&killed]].concat());
        let (whole, killed) = (files(&at.join(whole)), files(&at.join(killed)));
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&whole), names(&killed));
        assert_eq!(whole.len(), 101, "a hundred parts and the manifest");
        assert!(whole == killed, "{format}: files differ");
        if format == "jsonl" {
            lines_are_the_rows(&whole);
        }
    }
    // What was pinned stays pinned: the lake grows between the beginning and the end.
    let create = ["create", "--type", "charges", "--lake", "lake", "--rows-per-file", "300", "--out", "grown"];
    let mut child = command(at, &create).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    while !at.join("grown/charges-00001.csv").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    append(&at.join("lake"), 30_000..31_000);
    succeeds(at, &create);
    assert!(files(&at.join("grown")) == files(&at.join("whole-csv")), "an export that was begun saw later rows");
    assert!(succeeds(at, &create).contains("30,000 rows in 100 files, finished before"));
    assert!(succeeds(at, &["verify", "grown"]).contains("30,000 rows in 100 files, as they were written"));
}

/// Every charge is in one line of one part, in the order of the lake's days, with exact money.
fn lines_are_the_rows(files: &BTreeMap<String, Vec<u8>>) {
    let parts = files.iter().filter(|(name, _)| name.ends_with(".jsonl"));
    let lines: Vec<Value> = parts
        .flat_map(|(_, bytes)| bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()))
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let mut found: Vec<&str> = lines.iter().map(|line| line["charge_id"].as_str().unwrap()).collect();
    let mut expected: Vec<String> =
        (0..30_000).map(|number| fixture::everyday_charge(number).charge_id.to_string()).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(lines.is_sorted_by_key(|line| line["event_date"].as_str().unwrap().to_owned()));
    assert_eq!(lines[0]["effective_cost"], "0.0025");
    assert_eq!(lines[0]["lines"].as_array().unwrap().len(), 4);
    assert_eq!(lines[0].get("corrects"), None, "null is left out");
}

#[test]
fn an_export_names_its_days_its_knowledge_and_the_hash_of_every_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    append(&at.join("lake"), 0..20_000);
    let day = ["create", "--type", "charges", "--lake", "lake", "--from", "2026-11-21", "--to", "2026-11-21"];
    let known = [&day[..], &["--as-of", "2026-11-21T00:01:00Z", "--out", "known"]].concat();
    succeeds(at, &known);
    let manifest = json(&at.join("known/manifest.json"));
    assert_eq!(manifest["rows"], 7, "one every ten seconds of the first minute, both ends");
    assert_eq!(manifest["rows_in_lake"], 8_640);
    assert_eq!(manifest["version"], 1);
    assert_eq!(manifest["request"]["as_of"], "2026-11-21T00:01:00Z");
    // Manifests that were written before the moment of knowledge had one name.
    let older = std::fs::read_to_string(at.join("known/manifest.json")).unwrap().replace("\"as_of\"", "\"known_at\"");
    std::fs::write(at.join("known/manifest.json"), older).unwrap();
    assert!(succeeds(at, &["verify", "known"]).contains("7 rows in 1 file, as they were written"));
    assert!(succeeds(at, &known).contains("finished before"));
    let csv = std::fs::read_to_string(at.join("known/charges-00000.csv")).unwrap();
    assert_eq!(csv.lines().count(), 8);
    assert!(csv.lines().skip(1).all(|line| line.starts_with("2026-11-21,acme,")), "{csv}");
    let sum = Command::new("sha256sum").arg(at.join("known/charges-00000.csv")).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    assert_eq!(sum.split(' ').next(), manifest["files"][0]["sha256"].as_str());

    std::fs::write(at.join("known/charges-00000.csv"), csv.replacen("acme", "evil", 1)).unwrap();
    assert!(fails(at, &["verify", "known"]).contains("charges-00000.csv is not as it was written"));
    assert!(fails(at, &[&day[..], &["--out", "known"]].concat()).contains("is not as it was written"));

    // Tables nobody has written yet are empty exports, not errors.
    let alerts = ["create", "--type", "alerts", "--lake", "lake", "--format", "parquet", "--out", "alerts"];
    assert!(succeeds(at, &alerts).contains("0 rows in 1 file"));
    assert!(std::fs::read(at.join("alerts/alerts-00000.parquet")).unwrap().starts_with(b"PAR1"), "with its columns");
    let unknown = [&day[..], &["--as-of", "2026-11-01", "--out", "unknown"]].concat();
    assert!(succeeds(at, &unknown).contains("0 rows in 1 file"));
    let csv = std::fs::read_to_string(at.join("unknown/charges-00000.csv")).unwrap();
    assert!(csv.starts_with("event_date,tenant,charge_id,") && csv.lines().count() == 1, "{csv}");
    assert!(succeeds(at, &unknown).contains("finished before"));
    let other = ["create", "--type", "budgets", "--lake", "lake", "--format", "parquet", "--out", "alerts"];
    assert!(fails(at, &other).contains("holds another export"));
    std::fs::create_dir(at.join("mine")).unwrap();
    std::fs::write(at.join("mine/letter.txt"), "").unwrap();
    assert!(fails(at, &[&day[..], &["--out", "mine"]].concat()).contains("holds letter.txt already and no export"));
    let backwards = ["create", "--type", "charges", "--from", "2026-11-22", "--to", "2026-11-21", "--out", "x"];
    assert!(fails(at, &backwards).contains("is before the first"));
}

/// A state of a budget and its period.
fn budget(id: &str, period: BudgetPeriod, start: &str, end: &str) -> BudgetState {
    let start: Timestamp = start.parse().unwrap();
    BudgetState {
        tenant: "acme".into(),
        budget_id: id.into(),
        name: id.into(),
        budget_revision: "r1".into(),
        period,
        period_start: start,
        period_end: end.parse().unwrap(),
        counts_from: None,
        amount: Money::from_units(100),
        currency: "USD".into(),
        spent: Money::from_units(1),
        gross: Money::from_units(1),
        remaining: Money::from_units(99),
        requests: 1,
        blocked: false,
        crossed: None,
        revision: 1,
        emitted_at: start,
        team: None,
        business_unit: None,
        scope: None,
    }
}

#[test]
fn budgets_are_exported_by_the_days_their_periods_have_where_they_are_kept() {
    use BudgetPeriod::{Month, Quarter, Year};
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let config = LakeConfig::at(at.join("data/lake").display().to_string());
    let lake = Lake::open(&config).unwrap();
    let mut table = LakeTable::<Budgets>::open(&lake, &config).unwrap();
    table.assign(&[0]).unwrap();
    let format = Format::<BudgetState>::new();
    let states = [
        budget("berlin-october", Month, "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),
        budget("berlin-november", Month, "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        budget("berlin-december", Month, "2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"),
        budget("york-october", Month, "2026-10-01T04:00:00Z", "2026-11-01T04:00:00Z"),
        budget("quarter", Quarter, "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        budget("year", Year, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ];
    for (offset, state) in (0..).zip(&states) {
        let payload = format.encode(state);
        let timestamp = state.emitted_at;
        let record = Record { offset, timestamp, key: None, payload: Some(&payload), headers: Vec::new() };
        table.append(0, &[record], offset + 1).unwrap();
    }
    table.flush(fixture::charge().booked_at).unwrap();
    for (from, to, out) in [("2026-11-01", "2026-11-30", "november"), ("2026-11-16", "2026-11-16", "a-day")] {
        let create = [
            "create", "--type", "budgets", "--format", "jsonl", "--data", "data", "--from", from, "--to", to, "--out",
            out,
        ];
        assert!(succeeds(at, &create).contains("3 rows in 1 file"));
        let text = std::fs::read_to_string(at.join(out).join("budgets-00000.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut found: Vec<String> = lines.map(|line| line["budget_id"].as_str().unwrap().to_owned()).collect();
        found.sort_unstable();
        assert_eq!(found, ["berlin-november", "quarter", "year"], "{out}");
    }
}
