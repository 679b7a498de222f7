//! FOCUS as a command: what it writes is what version 1.2 asks for, all of the costs, and the same bytes whenever it is asked.

use std::path::Path;
use std::process::Command;

use schemas::Money;

use crate::python::python;
use crate::spendstream;

fn succeeds(arguments: &[&str]) -> String {
    let (ok, text) = spendstream(arguments);
    assert!(ok, "{arguments:?}: {text}");
    text
}

/// The files of an export, one after the other.
fn content(folder: &Path) -> Vec<u8> {
    let manifest = std::fs::read(folder.join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let files = manifest["files"].as_array().expect("files").iter();
    files.flat_map(|file| std::fs::read(folder.join(file["name"].as_str().expect("a name"))).expect("a file")).collect()
}

#[test]
fn an_export_of_focus_has_all_costs_and_what_the_specification_asks_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let data = at("data");
    succeeds(&["up", "--data", &data, "--exit-when-idle", "--listen", "127.0.0.1:0"]);
    let create = |form: &str, out: &str, more: &[&str]| {
        let begin = ["export", "create", "--type", "focus", "--data", &data, "--format", form, "--out", out];
        succeeds(&[&begin[..], more].concat())
    };
    let said = create("csv", &at("csv"), &[]);
    assert!(said.contains("of its rows are usage without a price"), "{said}");
    let whole = content(&folder.path().join("csv"));
    let csv = String::from_utf8(whole.clone()).expect("UTF-8");
    assert!(
        csv.starts_with("BilledCost,BillingAccountId,BillingAccountName,BillingCurrency,BillingPeriodEnd,"),
        "{csv}"
    );

    // Its costs, of all rows, are those of the report.
    let (names, rows) = csv.split_once("\r\n").expect("a header");
    let at_cost = names.split(',').position(|name| name == "EffectiveCost").expect("a column");
    assert!(at_cost > 0 && !rows.is_empty());
    let report: serde_json::Value =
        serde_json::from_str(&succeeds(&["report", "--data", &data, "-o", "json"])).expect("JSON");
    let jsonl = create("jsonl", &at("jsonl"), &[]);
    assert!(jsonl.contains("1 file"), "{jsonl}");
    let text = String::from_utf8(content(&folder.path().join("jsonl"))).expect("UTF-8");
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let costs = lines.iter().filter_map(|line| line.get("EffectiveCost")?.as_str()?.parse::<Money>().ok());
    let sum = costs.fold(Money::ZERO, |sum, cost| sum.checked_add(cost).expect("a small sum"));
    assert_eq!(report["total"][0]["amount"], sum.to_string(), "{}", report["total"]);
    assert_eq!(lines.len() + 1, csv.lines().count());

    // In parts, and begun anew behind the parts that are done, it is the same; so it is when it is asked again.
    let parts = |out: &str| create("csv", out, &["--rows-per-file", "100"]);
    parts(&at("parts"));
    let in_parts = content(&folder.path().join("parts"));
    assert_eq!(in_parts.len(), whole.len() + (names.len() + 2) * ((csv.lines().count() - 2) / 100));
    succeeds(&["export", "verify", &at("parts")]);
    let manifest = folder.path().join("parts/manifest.json");
    let mut job: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&manifest).expect("it is there")).expect("JSON");
    let files = job["files"].as_array_mut().expect("files");
    let done = files.split_off(2);
    done.iter().for_each(|file| {
        std::fs::remove_file(folder.path().join("parts").join(file["name"].as_str().expect("a name")))
            .expect("removed");
    });
    (job["rows"], job["next"]["file"], job["next"]["row"]) = (200.into(), 0.into(), 200.into());
    std::fs::write(folder.path().join("parts/job.json"), job.to_string()).expect("written");
    std::fs::remove_file(manifest).expect("removed");
    parts(&at("parts"));
    assert!(content(&folder.path().join("parts")) == in_parts, "an export that was gone on with is another");
    assert!(parts(&at("parts")).contains("finished before"));

    assert!(create("parquet", &at("parquet"), &[]).contains("1 file"));
    assert!(content(&folder.path().join("parquet")).starts_with(b"PAR1"));
    let none = create("csv", &at("none"), &["--from", "1999-01-01", "--to", "1999-12-31"]);
    assert!(none.contains("0 rows in 1 file") && !none.contains("without a price"), "{none}");
    assert_eq!(String::from_utf8(content(&folder.path().join("none"))).expect("UTF-8"), format!("{names}\r\n"));
    let unknown = create("csv", &at("unknown"), &["--as-of", "2020-01-01"]);
    assert!(unknown.contains("0 rows in 1 file"), "{unknown}");

    let readers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/readers");
    let output = Command::new(python(&readers))
        .arg(readers.join("focus.py"))
        .arg(folder.path().join("csv/focus-00000.csv"))
        .output();
    let output = output.expect("Python runs");
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{error}");
    println!("{out}");
}
