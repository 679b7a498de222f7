#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
//! `spendstream forget` on a data folder, with the real binary.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn spendstream(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spendstream"));
    command.args(arguments).current_dir(folder).env_remove("RUST_LOG");
    for name in ["SPENDSTREAM_DATA", "SPENDSTREAM_BROKERS", "SPENDSTREAM_LAKE"] {
        command.env_remove(name);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn succeed(folder: &Path, arguments: &[&str], input: &str) -> String {
    let output = spendstream(folder, arguments, input);
    let said = [output.stdout.clone(), output.stderr].concat();
    assert!(output.status.success(), "{arguments:?}\n{}", String::from_utf8_lossy(&said));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the pipeline on a file of events.
fn feed(folder: &Path, events: &[String]) {
    let file = folder.join("events.jsonl");
    let mut text = std::fs::read_to_string(&file).unwrap_or_default();
    events.iter().for_each(|event| text.push_str(&format!("{event}\n")));
    std::fs::write(&file, text).unwrap();
    succeed(folder, &["up", "--exit-when-idle", "--listen", "127.0.0.1:0", "--input", "events.jsonl"], "");
}

fn event(id: &str, user: &str) -> String {
    format!(
        r#"{{"id":"{id}","source":"s","time":"2026-08-01T10:00:00Z","provider":"openai","model":"gpt-4o","user":"{user}","usage":{{"input_text_tokens":1000}}}}"#
    )
}

/// Pseudonym of every event, by its id.
fn pseudonyms(folder: &Path) -> std::collections::BTreeMap<String, String> {
    let batches = succeed(folder, &["cat", "usage.events"], "");
    let lines = batches.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut found = std::collections::BTreeMap::new();
    for item in lines.flat_map(|line| line["value"]["items"].as_array().cloned().unwrap_or_default()) {
        // A union: whichever of its names the event stands under.
        let event = item.as_object().and_then(|item| item.values().find(|value| value["event_id"].is_string()));
        let event = event.unwrap_or(&item);
        if let (Some(id), Some(user)) = (event["event_id"].as_str(), event["claimed"]["user"].as_str()) {
            found.insert(id.to_owned(), user.to_owned());
        }
    }
    found
}

/// What the row of a bucket held, as it stands in the file: base64 of every tree that was replaced.
fn secrets(folder: &Path) -> Vec<String> {
    let file = rusqlite::Connection::open(folder.join("spendstream-data/spendstream.db")).unwrap();
    let mut rows = file.prepare("SELECT payload FROM newest").unwrap();
    let payloads: Vec<Vec<u8>> = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let text = payloads.iter().map(|payload| String::from_utf8_lossy(payload).into_owned());
    text.filter_map(|text| Some(text.split_once("\"trees\":[\"")?.1.split_once('"')?.0.to_owned())).collect()
}

/// Whether any file of a folder holds some bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| match path.is_dir() {
        true => holds(&path, bytes),
        false => std::fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes),
    })
}

#[test]
fn a_forgotten_user_has_another_pseudonym_totals_stand_and_the_key_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, data) = (folder.path(), folder.path().join("spendstream-data"));
    feed(folder, &[event("1", "alice"), event("2", "bob"), event("3", "alice")]);
    let before = pseudonyms(folder);
    assert_eq!(before["1"], before["3"]);
    assert_ne!(before["1"], before["2"]);
    let total = |folder: &Path| -> Value {
        serde_json::from_str::<Value>(&succeed(folder, &["report", "-o", "json"], "")).unwrap()["total"].clone()
    };
    let total_before = total(folder);
    let roots = secrets(folder);
    assert_eq!(roots.len(), 256);
    let there: Vec<bool> = roots.iter().map(|root| holds(&data, root.as_bytes())).collect();
    assert!(there.iter().all(|there| *there), "the keys are looked for where they are");

    let said = succeed(folder, &["forget", "-"], "alice\ncarol\n");
    assert!(said.contains("forgotten: 2 users") && said.contains("gone") && !said.contains("alice"), "{said}");
    assert_eq!(total(folder), total_before);
    let after = secrets(folder);
    let replaced: Vec<&String> = roots.iter().filter(|root| !after.contains(root)).collect();
    assert_eq!(replaced.len(), 2, "the buckets of the two");
    for root in replaced {
        assert!(!holds(&data, root.as_bytes()), "a destroyed key is still in a file");
    }

    // Sent once more, a call of the forgotten user is a copy and no conflict.
    feed(folder, &[event("4", "alice"), event("5", "bob"), event("1", "alice")]);
    let now = pseudonyms(folder);
    assert_ne!(now["4"], before["1"]);
    assert_eq!(now["5"], before["2"]);
    let report: Value = serde_json::from_str(&succeed(folder, &["report", "-o", "json"], "")).unwrap();
    assert_eq!(report["requests"], 5, "{report:#}");
    let ledger = succeed(folder, &["ledger"], "");
    assert!(ledger.contains("Everything adds up"), "{ledger}");
    let printed = succeed(folder, &["cat", "ref.users"], "");
    assert!(!printed.contains("trees"), "keys are not printed");
}

#[test]
fn users_are_forgotten_while_the_pipeline_runs_and_by_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    feed(folder, &[event("1", "user-0")]);
    let mut up = Command::new(env!("CARGO_BIN_EXE_spendstream"))
        .args(["up", "--listen", "127.0.0.1:0", "--sample", "0"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let before = secrets(folder);
    std::thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || succeed(folder, &["forget", &format!("user-{number}")], ""));
        }
    });
    up.kill().unwrap();
    up.wait().unwrap();
    // The buckets of the four: SHA-256 of user-0 to user-3 begins with four different bytes.
    let after = secrets(folder);
    assert_eq!(before.iter().filter(|root| !after.contains(root)).count(), 4, "nobody undid what another had done");
}
