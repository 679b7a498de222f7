//! The block "On your Kafka" of the README, done as it stands there, and the commands one needs on the second day.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use schemas::topics;
use serde_json::Value;
use spendstream_tests::deployment::program;
use spendstream_tests::kafka::Kafka;
use spendstream_tests::process::Process;
use spendstream_tests::s3::S3;
use stream::kafka::KafkaLog;
use stream::{Log as _, OutRecord};

use crate::{PATIENCE, until};

/// Commands of the block, comments and the building of programs left out.
fn commands() -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let section = readme.split("## On your Kafka").nth(1).expect("the README has the section");
    let block = section.split("```").nth(1).expect("the section has a block").trim_start_matches("sh");
    let lines = block.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| line.starts_with("spendstream")).map(str::to_owned).collect()
}

/// A reader who follows the README with one broker and an S3 server of its own.
struct Reader<'a> {
    kafka: &'a Kafka,
    s3: &'a S3,
    services: BTreeMap<String, Process>,
}

impl Reader<'_> {
    fn command(&self, line: &str) -> Command {
        let mut words = line.split_whitespace();
        let mut command = program(words.next().unwrap());
        // The README names ports; here any free one will do.
        command.args(words.map(|word| if word.starts_with("127.0.0.1:") { "127.0.0.1:0" } else { word }));
        command.env("SPENDSTREAM_BROKERS", self.kafka.brokers()).envs(self.s3.environment());
        // Five minutes, the default, are long to wait for.
        command.env("SPENDSTREAM_LAKE_FILE_AGE", "2s");
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        command
    }

    /// Runs a command: its exit code and what it printed to standard output.
    fn run(&self, line: &str) -> (Option<i32>, String) {
        let output = self.command(line).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        eprintln!("$ {line}\n{errors}");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn succeeds(&self, line: &str) -> String {
        let (code, text) = self.run(line);
        assert_eq!(code, Some(0), "{line}\n{text}");
        text
    }

    fn report(&self) -> Value {
        serde_json::from_str(&self.succeeds("spendstream report --lake s3://bucket/spend -o json")).unwrap()
    }
}

#[test]
fn the_readme_works_as_it_stands() {
    let (kafka, s3) = (Kafka::start(), S3::start("bucket"));
    let mut reader = Reader { kafka: &kafka, s3: &s3, services: BTreeMap::new() };
    let commands = commands();
    assert!(commands.len() >= 8, "{commands:?}");
    for line in &commands {
        match line.strip_suffix('&') {
            Some(service) => {
                let name = service.split_whitespace().next().unwrap().to_owned();
                let process = Process::start(reader.command(service));
                reader.services.insert(name, process);
            }
            // What the README says about a single broker.
            None if line.contains("topics apply") => drop(reader.succeeds(&format!("{line} --replication 1"))),
            None => drop(reader.succeeds(line)),
        }
    }
    assert_eq!(reader.services.len(), 4);
    let settled = |reader: &Reader<'_>| {
        let report = reader.report();
        let (requests, in_flight) = (report["requests"].as_i64(), report["ledger"]["in_flight"].as_i64());
        requests.is_some_and(|requests| requests > 9_000) && in_flight == Some(0)
    };
    until("ten thousand records are in the report", || settled(&reader));
    let requests = reader.report()["requests"].as_i64().unwrap();

    // The topics are as the catalogue says.
    reader.succeeds("spendstream topics diff --partitions 16 --raw-partitions 16 --replication 1");
    assert!(reader.succeeds("spendstream ledger --lake s3://bucket/spend").contains("Everything adds up"));

    // What is on a topic, decoded.
    let charges = reader.succeeds("spendstream cat usage.charges --partition 3");
    let charges: Vec<Value> = charges.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let items = charges.iter().filter_map(|charge| charge["value"]["items"].as_array()).flatten();
    assert!(items.clone().count() > 0 && items.clone().all(|charge| charge["costs"].is_object()));
    // Ends of transactions take offsets too, so twenty offsets are about ten records.
    let last = reader.succeeds("spendstream cat usage.charges --partition 3 --last 20").lines().count();
    assert!((1..=20).contains(&last), "{last} records");
    let raw = reader.succeeds("spendstream cat usage.raw --partition 0 --from 0");
    assert!(raw.lines().count() > 100 && raw.contains("\"specversion\":\"1.0\""));

    // What would become of the newest records: nothing is written, no group is joined.
    let (code, checked) = reader.run("spendstream check --topic usage.raw --last 50 -o json");
    let checked: Vec<Value> = checked.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rejected = checked.iter().filter(|record| record["rejected"].as_array().is_some_and(|list| !list.is_empty()));
    assert_eq!(code, Some(i32::from(rejected.count() > 0)));
    assert!(checked.len() > 16 * 20, "{} records were checked", checked.len());
    assert!(checked.iter().any(|record| record["events"][0]["status"] == "priced"), "{checked:?}");

    // Somebody writes what is no batch to an internal topic. Its partition stops, and an order lets it go on.
    let log = KafkaLog::connect(&kafka.connection(), "story").unwrap();
    let garbage = OutRecord {
        topic: topics::EVENTS.into(),
        partition: 0,
        key: None,
        payload: Some("not a batch".into()),
        headers: Vec::new(),
        timestamp: None,
    };
    log.append(vec![garbage]).unwrap();
    let enrich = reader.services.get_mut("spendstream-enrich").unwrap();
    enrich.wait_for("partition stopped", PATIENCE);
    let said = enrich.log();
    let offset = said.split("record at offset ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    reader.succeeds("spendstream generate --topic usage.raw --count 1000 --seed 2");
    let (code, _) =
        reader.run("spendstream skip --stage enrich --topic usage.events --partition 77 --offset 0 --reason x");
    assert_eq!(code, Some(1), "there is no such partition");
    reader.succeeds(&format!(
        "spendstream skip --stage enrich --topic usage.events --partition 0 --offset {offset} --reason garbage"
    ));
    until("all partitions go on", || {
        let report = reader.report();
        report["requests"].as_i64() > Some(requests + 900) && report["ledger"]["in_flight"] == 0
    });
    assert!(reader.succeeds("spendstream ledger --lake s3://bucket/spend").contains("Everything adds up"));
    for (name, service) in std::mem::take(&mut reader.services) {
        let (well, log) = service.stop(PATIENCE);
        assert!(well, "{name}:\n{log}");
    }
}
