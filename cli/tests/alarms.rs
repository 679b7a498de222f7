#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
//! What the runbook and the rules of Prometheus watch is there.

use std::collections::BTreeSet;
use std::path::Path;

/// Sources of a folder and those within it.
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_metric_that_an_alarm_names_is_one_of_ours() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut code = String::new();
    for service in ["stream", "ingest", "enrich", "aggregate", "sink"] {
        sources(&root.join(service).join("src"), &mut code);
    }
    for file in ["deploy/RUNBOOK.md", "deploy/prometheus-rules.yaml"] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
        let names: BTreeSet<&str> = words.filter(|word| word.starts_with("spendstream_")).collect();
        assert!(names.len() >= 8, "{file} names few metrics: {names:?}");
        for name in names {
            assert!(code.contains(&format!("\"{name}\"")), "{file} names {name}, which no service has");
        }
    }
}
