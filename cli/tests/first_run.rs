#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
//! The first ten minutes of a newcomer, with the real binary on a real folder.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Long enough for a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spendstream"));
    command.args(arguments).current_dir(folder).env_remove("SPENDSTREAM_DATA").env_remove("SPENDSTREAM_BROKERS");
    command.env_remove("SPENDSTREAM_LAKE").env_remove("RUST_LOG");
    command
}

fn spendstream(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a command that must succeed and gives what it printed.
fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = spendstream(folder, arguments);
    assert!(output.status.success(), "{arguments:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Runs a command that must fail and gives everything it said.
fn fail(folder: &Path, arguments: &[&str]) -> String {
    let output = spendstream(folder, arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded:\n{}", text(&output.stdout));
    text(&output.stdout) + &text(&output.stderr)
}

fn report(folder: &Path) -> Value {
    serde_json::from_str(&succeed(folder, &["report", "-o", "json"])).unwrap()
}

/// What must not change when nothing new was fed.
fn essence(report: &Value) -> Value {
    let keep = ["total", "requests", "tokens", "teams", "models", "unpriced", "unallocated", "rejected"];
    keep.iter().map(|name| ((*name).to_owned(), report[*name].clone())).collect::<serde_json::Map<_, _>>().into()
}

const UP: &[&str] = &["up", "--exit-when-idle", "--listen", "127.0.0.1:0"];

#[test]
fn the_first_run_reports_a_day_and_the_second_adds_nothing_and_tampering_shows() {
    let folder = tempfile::tempdir().unwrap();
    let page = succeed(folder.path(), UP);
    for said in [
        "Spend by team",
        "growth",
        "Budgets",
        "Alerts",
        "unpriced",
        "unallocated",
        "late",
        "duplicate",
        "rejected",
        "Conservation ledger",
        "Everything adds up",
        "delta_scan",
    ] {
        assert!(page.contains(said), "the report does not say {said:?}:\n{page}");
    }
    let first = report(folder.path());
    assert!(first["requests"].as_i64().unwrap() > 1_000, "{first:#}");
    assert_eq!(first["ledger"]["in_flight"], 0);

    succeed(folder.path(), UP);
    assert_eq!(essence(&first), essence(&report(folder.path())), "a second run must add nothing");

    let alerts = succeed(folder.path(), &["cat", "spend.alerts"]);
    assert!(alerts.lines().count() >= 1 && alerts.contains("growth"), "{alerts}");

    assert!(succeed(folder.path(), &["ledger"]).contains("Everything adds up"));
    remove_one_file_of_charges(&folder.path().join("spendstream-data/lake/charges/_delta_log"));
    let said = fail(folder.path(), &["ledger"]);
    assert!(said.contains("lake usage.charges/") && said.contains("sequence"), "{said}");
}

/// Takes one `add` out of the newest commit that has any: its rows are gone from the table.
fn remove_one_file_of_charges(log: &Path) {
    let mut commits: Vec<PathBuf> = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path()).collect();
    commits.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    commits.sort();
    for path in commits.into_iter().rev() {
        let actions = std::fs::read_to_string(&path).unwrap();
        let adds = actions.lines().filter(|line| line.starts_with("{\"add\"")).count();
        if adds > 0 {
            let mut removed = false;
            let keep = |line: &&str| !line.starts_with("{\"add\"") || std::mem::replace(&mut removed, true);
            let kept: Vec<&str> = actions.lines().filter(keep).collect();
            return std::fs::write(path, kept.join("\n") + "\n").unwrap();
        }
    }
    panic!("no commit of {} adds a file", log.display());
}

#[test]
fn a_file_is_read_once_and_what_was_added_to_it_later_is_read_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.jsonl");
    // Neither id nor time: nothing but its place in the file tells one line from another.
    let line = r#"{"provider":"openai","model":"gpt-4o","source":"notebook","usage":{"input_text_tokens":1000,"output_text_tokens":100}}"#;
    std::fs::write(&file, format!("{line}\n{line}\nnot json\n")).unwrap();
    let up: &[&str] = &["up", "--input", "calls.jsonl", "--exit-when-idle", "--listen", "127.0.0.1:0"];
    let page = succeed(folder.path(), up);
    for said in
        ["no id", "without an id of their own: fed again from another file or place they count again", "no time"]
    {
        assert!(page.contains(said), "the report does not say {said:?}:\n{page}");
    }
    let first = report(folder.path());
    assert_eq!(first["requests"], 2, "{first:#}");
    assert_eq!((&first["without_id"], &first["without_time"]), (&2.into(), &2.into()), "{first:#}");
    assert_eq!(first["rejected"]["malformed"], 1, "{first:#}");
    // 2 x (1,000 x 2.50 + 100 x 10.00) USD per million tokens.
    assert_eq!(first["total"][0]["amount"], "0.007");

    succeed(folder.path(), up);
    assert_eq!(essence(&first), essence(&report(folder.path())), "the file was read twice");

    std::fs::write(&file, format!("{line}\n{line}\nnot json\n{line}\n")).unwrap();
    succeed(folder.path(), up);
    assert_eq!(report(folder.path())["requests"], 3);

    succeed(folder.path(), UP);
    assert_eq!(report(folder.path())["requests"], 3, "a folder somebody works with was fed the sample");
    let nobody_reads = command(folder.path(), &["report"]).stdout(broken_pipe()).output().unwrap();
    assert!(nobody_reads.stderr.is_empty(), "{}", text(&nobody_reads.stderr));
    let order = ["skip", "--topic", "usage.charges", "--partition", "0", "--offset", "7", "--reason", "test"];
    let said = fail(folder.path(), &[&order[..], &["--stage", "combin"]].concat());
    assert!(said.contains("\"combin\" is no stage and no table; there are ingest, enrich, combine, merge, "), "{said}");
    let said = fail(folder.path(), &["report", "--lake", "nowhere/lake"]);
    assert!(said.contains("there is no lake at nowhere/lake"), "{said}");
}

#[test]
fn a_log_that_was_rotated_behind_the_same_first_line_is_read_and_copies_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.jsonl");
    let line = |id: &str| {
        format!(
            r#"{{"id":"{id}","source":"shop","time":"2026-11-20T10:00:00Z","provider":"openai","model":"gpt-4o","usage":{{"input_text_tokens":1000}}}}"#
        )
    };
    let banner = r#"{"log":"begins"}"#;
    let up: &[&str] = &["up", "--input", "calls.jsonl", "--exit-when-idle", "--listen", "127.0.0.1:0"];
    std::fs::write(&file, format!("{banner}\n{}\n{}\n", line("a-1"), line("a-2"))).unwrap();
    succeed(folder.path(), up);
    let first = report(folder.path());
    assert_eq!(first["requests"], 2);
    assert_eq!((&first["without_id"], &first["without_time"]), (&0.into(), &0.into()), "{first:#}");

    std::fs::write(&file, format!("{banner}\n{}\n{}\n{}\n", line("a-2"), line("b-1"), line("b-2"))).unwrap();
    let output = spendstream(folder.path(), up);
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains("calls.jsonl no longer begins with what was read"), "{said}");
    let both = report(folder.path());
    assert_eq!(both["requests"], 4, "{both:#}");
    // 4 x 1,000 x 2.50 USD per million tokens.
    assert_eq!(both["total"][0]["amount"], "0.01");
}

#[test]
fn a_line_that_is_being_written_is_read_once_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.jsonl");
    let line = r#"{"provider":"openai","model":"gpt-4o","source":"notebook","usage":{"input_text_tokens":1000}}"#;
    let up: &[&str] = &["up", "--input", "calls.jsonl", "--exit-when-idle", "--listen", "127.0.0.1:0"];
    std::fs::write(&file, format!("{line}\n{}", &line[..40])).unwrap();
    let output = spendstream(folder.path(), up);
    let said = text(&output.stderr);
    let left = "the last line of calls.jsonl has no end and is not whole JSON: left for the next run";
    assert!(output.status.success() && said.contains(left), "{said}");
    let first = report(folder.path());
    assert_eq!((&first["requests"], &first["rejected"]), (&1.into(), &serde_json::json!({})), "{first:#}");

    std::fs::write(&file, format!("{line}\n{line}\n")).unwrap();
    let output = spendstream(folder.path(), up);
    assert!(output.status.success() && !text(&output.stderr).contains("left for"), "{}", text(&output.stderr));
    assert_eq!(report(folder.path())["requests"], 2);
}

#[test]
fn what_cannot_be_read_of_a_folder_is_named_and_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in");
    std::fs::create_dir(&input).unwrap();
    let line = r#"{"provider":"openai","model":"gpt-4o","source":"notebook","usage":{"input_text_tokens":1000}}"#;
    std::os::unix::fs::symlink("nowhere", input.join("a-gone.jsonl")).unwrap();
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writeln!(zipped, "{line}").unwrap();
    let zipped = zipped.finish().unwrap();
    std::fs::write(input.join("b-cut.jsonl.gz"), &zipped[..zipped.len() / 2]).unwrap();
    std::fs::write(input.join("c.jsonl"), format!("{line}\n")).unwrap();

    let up: &[&str] = &["up", "--input", "in", "--exit-when-idle", "--listen", "127.0.0.1:0"];
    let output = spendstream(folder.path(), up);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for name in ["in/a-gone.jsonl", "in/b-cut.jsonl.gz"] {
        assert!(said.contains(&format!("{name} cannot be read: ")), "{said}");
    }
    assert!(text(&output.stdout).contains("Everything adds up"), "the report must be printed");
    assert_eq!(report(folder.path())["requests"], 1);

    std::fs::remove_file(input.join("a-gone.jsonl")).unwrap();
    std::fs::write(input.join("b-cut.jsonl.gz"), &zipped).unwrap();
    succeed(folder.path(), up);
    assert_eq!(report(folder.path())["requests"], 2);
    let missing = ["up", "--input", "gone.jsonl", "--data", "other", "--exit-when-idle"];
    assert!(fail(folder.path(), &missing).contains("gone.jsonl is no file"), "it was given by name");
    assert!(!folder.path().join("other").exists(), "nothing may be made for a path that does not exist");
}

#[test]
fn what_holds_no_usage_is_left_out_and_what_is_rejected_has_its_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in");
    std::fs::create_dir(&input).unwrap();
    let line = r#"{"id":"1","provider":"openai","model":"gpt-4o","source":"app","usage":{"input_text_tokens":1000}}"#;
    std::fs::write(input.join("calls.jsonl"), format!("{line}\n{{\"hello\":1}}\n")).unwrap();
    std::fs::write(input.join("logo.png"), b"\x89PNG\r\n\x1a\n...").unwrap();
    std::os::unix::fs::symlink(".", input.join("again")).unwrap();

    let checked = spendstream(folder.path(), &["check", "in", "-o", "json"]);
    let lines: Vec<Value> = text(&checked.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), checked.status.code()), (2, Some(1)), "{lines:#?}");
    assert!(lines.iter().all(|line| line["file"] == "in/calls.jsonl"), "{lines:#?}");
    assert!(text(&checked.stderr).contains("in/logo.png is left out: it is a picture"));

    let output = spendstream(folder.path(), &["up", "--input", "in", "--exit-when-idle", "--listen", "127.0.0.1:0"]);
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains("in/logo.png is left out: it is a picture"), "{said}");
    assert!(text(&output.stdout).contains("spendstream rejected list"), "{}", text(&output.stdout));
    assert_eq!(report(folder.path())["requests"], 1, "once, though a link leads to it again");
    let listed = succeed(folder.path(), &["rejected", "list"]);
    assert!(listed.contains("in/calls.jsonl:2"), "{listed}");
    let listed: Value = serde_json::from_str(&succeed(folder.path(), &["rejected", "list", "-o", "json"])).unwrap();
    assert!(listed["file"].as_str().unwrap().ends_with("in/calls.jsonl:2"), "{listed}");
    let position = &listed["rejection"]["position"];
    let place = format!("usage.raw/{}/{}", position["partition"], position["offset"]);
    assert!(succeed(folder.path(), &["rejected", "show", &place]).contains("it came from "));

    let named = ["up", "--input", "in/logo.png", "--data", "other", "--exit-when-idle", "--listen", "127.0.0.1:0"];
    assert!(
        fail(folder.path(), &named).contains("in/logo.png cannot be read: it is a picture"),
        "it was given by name"
    );
}

#[test]
fn a_starter_configuration_is_whole_though_nobody_reads_what_is_said_of_it() {
    let folder = tempfile::tempdir().unwrap();
    command(folder.path(), &["init", "unread"]).stdout(broken_pipe()).output().unwrap();
    succeed(folder.path(), &["init", "read"]);
    let rows = |name: &str| succeed(folder.path(), &["apply", name, "--dry-run"]);
    assert_eq!(rows("unread"), rows("read"));

    // With a data folder a dry run says how it differs from what is published there, and publishes nothing.
    succeed(folder.path(), &[UP, &["--sample", "0"]].concat());
    assert!(rows("read").contains("prices would be: unchanged"), "{}", rows("read"));
    std::fs::remove_file(folder.path().join("read/prices/voyage.imported.yaml")).unwrap();
    let changed = rows("read");
    assert!(rows("read").contains("prices would be: version"), "nothing was published");
    let gone = changed.split(" 0 of them new, ").nth(1).and_then(|rest| rest.split(' ').next());
    assert!(gone.and_then(|gone| gone.parse::<u32>().ok()).is_some_and(|gone| gone > 0), "{changed}");
}

/// A pipe whose reader has gone.
fn broken_pipe() -> Stdio {
    let mut reader = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let pipe = reader.stdin.take().unwrap();
    reader.wait().unwrap();
    pipe.into()
}

#[test]
fn check_answers_with_its_contract_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let body = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1790000000,"model":"gpt-4o-2024-08-06","choices":[],"service_tier":"default","usage":{"prompt_tokens":1000,"completion_tokens":50,"total_tokens":1050,"prompt_tokens_details":{"cached_tokens":200}}}"#;
    std::fs::write(folder.path().join("calls.jsonl"), format!("{body}\n{{\"hello\":1}}\n")).unwrap();
    let output = spendstream(folder.path(), &["check", "calls.jsonl", "-o", "json", "--provider", "openai"]);
    assert_eq!(output.status.code(), Some(1), "one record is rejected");
    let records: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [good, bad] = records.as_slice() else { panic!("{records:#?}") };
    assert_eq!(good["record"], 1);
    assert_eq!(good["recognised_as"], "openai.chat_completion");
    let event = &good["events"][0];
    assert_eq!((&event["provider"], &event["model"]), (&"openai".into(), &"gpt-4o-2024-08-06".into()));
    assert_eq!(event["usage"]["input_text_tokens"], 800);
    assert_eq!(event["usage"]["cache_read_text_tokens"], 200);
    assert_eq!(event["price_context"]["service_tier"], "default");
    // 800 x 2.50 + 200 x 1.25 + 50 x 10.00 USD per million tokens.
    assert_eq!((&event["cost_usd"], &event["status"]), (&"0.00275".into(), &"priced".into()));
    assert_eq!(event["lines"].as_array().unwrap().len(), 3);
    assert_eq!(event["lines"][0]["per"], 1_000_000);
    assert_eq!(bad["events"], serde_json::json!([]));
    assert_eq!(bad["rejected"][0]["reason"], "unknown_format");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "check must write nothing");
}

#[test]
fn the_starter_configuration_is_complete_and_a_corrupt_one_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["init", "config"]);
    assert!(succeed(folder.path(), &["apply", "config", "--dry-run"]).contains("price rows"));
    assert!(fail(folder.path(), &["init", "config"]).contains("exists already"));
    std::fs::write(folder.path().join("config/budgets.yaml"), "budgets: [{id: x}]").unwrap();
    let said = fail(folder.path(), &["up", "--config", "config", "--exit-when-idle"]);
    assert!(said.contains("budgets.yaml"), "{said}");
    assert!(!folder.path().join("spendstream-data").exists(), "nothing may be made of a bad configuration");
}

/// A running `up` that is stopped when the test ends.
struct Serving {
    process: Child,
    address: String,
}

impl Serving {
    fn start(folder: &Path) -> Self {
        let arguments = ["up", "--sample", "0", "--listen", "127.0.0.1:0"];
        let mut process = command(folder, &arguments).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("up ended without saying where it serves").unwrap();
            if let Some((_, address)) = line.split_once("http://") {
                break address.to_owned();
            }
        };
        // Keep reading, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Serving { process, address }
    }

    fn request(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn post(&self, body: &str) -> String {
        let length = body.len();
        self.request(&format!(
            "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        ))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_budget_that_was_added_is_in_the_next_report() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["init"]);
    let up = [UP, &["--sample", "50", "--config", "spendstream-config"]].concat();
    assert!(!succeed(folder.path(), &up).contains("All of it"));
    let file = folder.path().join("spendstream-config/budgets.yaml");
    let added = r#"
  - id: all
    name: All of it
    tenant: default
    scope: {}
    currency: USD
    amounts: { month: "1234" }
    thresholds: [{ period: month, share: "0.8", action: notify, severity: warning }]
"#;
    let budgets = std::fs::read_to_string(&file).unwrap() + added;
    std::fs::write(&file, budgets).unwrap();
    let page = succeed(folder.path(), &up);
    let line = page.lines().find(|line| line.contains("All of it")).unwrap_or_else(|| panic!("{page}"));
    // It counts from when it was added on: nothing was spent since.
    assert!(line.contains("counts from") && line.contains("1,234.00") && line.contains(" 0.00 "), "{line}");
}

#[test]
fn an_address_that_is_taken_is_told_before_a_folder_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = fail(folder.path(), &["up", "--listen", &address]);
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    drop(taken);
    let said = fail(folder.path(), &["up", "--listen", &address, "--probes-listen", &address]);
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    assert!(!folder.path().join("spendstream-data").exists(), "the next run would feed no sample");
}

#[test]
fn a_posted_event_is_found_in_the_report_and_a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(folder.path());
    let answer = serving.post(
        r#"{"id":"hello-1","source":"readme","provider":"openai","model":"gpt-4o","usage":{"input_text_tokens":1000}}"#,
    );
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    let healthy = serving.request("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert!(healthy.starts_with("HTTP/1.1 200"), "{healthy}");
    let began = Instant::now();
    loop {
        let output = spendstream(folder.path(), &["report", "-o", "json"]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if found["requests"] == 1 {
            assert_eq!(found["total"][0]["amount"], "0.0025");
            break;
        }
        assert!(began.elapsed() < PATIENCE, "never reported: {}", text(&output.stdout) + &text(&output.stderr));
        std::thread::park_timeout(Duration::from_millis(500));
    }
    let said = fail(folder.path(), UP);
    assert!(said.contains("another process") || said.contains("in use") || said.contains("already"), "{said}");

    let id = serving.process.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert!(serving.process.wait().unwrap().success(), "Ctrl-C is a clean end");
}

#[test]
fn a_lake_that_was_filled_from_another_data_folder_is_not_filled_on() {
    let folder = tempfile::tempdir().unwrap();
    let up = ["up", "--sample", "50", "--exit-when-idle", "--listen", "127.0.0.1:0"];
    succeed(folder.path(), &up);
    let data = folder.path().join("spendstream-data");
    for file in ["spendstream.db", "spendstream.db-wal", "spendstream.db-shm"] {
        // SQLite takes its helpers away when it closes the file.
        let _ = std::fs::remove_file(data.join(file));
    }
    let said = fail(folder.path(), &up);
    let why = "or this lake was filled from another cluster or data folder";
    assert!(said.contains("cannot go on") && said.contains(why) && said.contains("choose another --lake"), "{said}");
    // Put away, it is made anew.
    std::fs::rename(data.join("lake"), data.join("before")).unwrap();
    succeed(folder.path(), &up);
}
