#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
//! Money that corrects itself, on a data folder with the real binary: prices and owners that were published wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spendstream_cli::configuration::Configuration;
use spendstream_cli::reprice::{Anew, Rules, correct, versions};
use spendstream_cli::settle::settle_period;
use spendstream_cli::standing::Period;
use spendstream_enrich::PriceBook;
use spendstream_schemas::{Money, Timestamp, topics};
use spendstream_sink::read::{Cells, Days};
use spendstream_sink::{LakeConfig, LakeReader};
use spendstream_stream::local::LocalLog;
use spendstream_stream::{Log, OutRecord, StoredRecord, now};

const PATIENCE: Duration = Duration::from_secs(120);

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spendstream"));
    command.args(arguments).current_dir(folder).env_remove("SPENDSTREAM_DATA").env_remove("SPENDSTREAM_BROKERS");
    command.env_remove("SPENDSTREAM_LAKE").env_remove("RUST_LOG");
    command
}

/// Runs a command that must succeed and gives what it printed.
fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = command(folder, arguments).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}\n{out}\n{err}");
    out.into_owned()
}

fn answer(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&succeed(folder, arguments)).unwrap()
}

/// Writes a configuration: the dollars a million input tokens of each model cost, and the team of a key.
fn configure(folder: &Path, prices: &[(&str, &str)], team: &str) {
    let config = folder.join("config");
    std::fs::create_dir_all(&config).unwrap();
    let skus = prices.iter().map(|(model, price)| {
        format!("  - {{sku: openai/{model}, models: [{model}], rates: [{{per: 1000000, prices: {{input_text_tokens: {price}}}}}]}}\n")
    });
    let skus: String = skus.collect();
    std::fs::write(config.join("prices.yaml"), format!("provider: openai\ncurrency: USD\nskus:\n{skus}")).unwrap();
    let owners =
        format!("teams: [{{team: search}}, {{team: growth}}]\nkeys: [{{key: key-1, owner: {{team: {team}}}}}]\n");
    std::fs::write(config.join("owners.yaml"), owners).unwrap();
    let budget = "budgets: [{id: all, name: Everything, tenant: default, scope: {}, currency: USD, amounts: {year: \"100\"}, \
                  thresholds: [{period: year, share: \"1\", action: page, severity: critical}]}]\n";
    std::fs::write(config.join("budgets.yaml"), budget).unwrap();
}

/// Publishes the configuration so that it is in effect at once; nothing else may hold the folder.
fn publish(folder: &Path) {
    let log = LocalLog::open(&folder.join("spendstream-data"), &topics::catalogue(&[topics::RAW]), None).unwrap();
    Configuration::read(&folder.join("config")).unwrap().publish(&log, now(), 0).unwrap();
}

fn call(id: usize, model: &str) -> String {
    json!({"id": format!("call-{id}"), "source": "app", "provider": "openai", "model": model, "key_id": "key-1",
        "time": "2026-11-20T09:00:00Z", "usage": {"input_text_tokens": 1_000_000}})
    .to_string()
}

fn lake(folder: &Path) -> LakeReader {
    LakeReader::open(&LakeConfig::at(folder.join("spendstream-data/lake").display().to_string())).unwrap()
}

/// The effective cost of everything booked before a time: what a report said then.
fn as_reported(folder: &Path, before: Timestamp) -> String {
    let mut sum = Money::ZERO;
    for batch in lake(folder).charges(&["booked_at", "effective_cost"], Days::ALL).unwrap() {
        let batch = batch.unwrap();
        let cells = Cells(&batch);
        for row in 0..batch.num_rows() {
            if cells.must_time("booked_at", row).unwrap() < before {
                sum.accrue(cells.money("effective_cost", row).unwrap().unwrap_or_default()).unwrap();
            }
        }
    }
    sum.to_string()
}

/// A running `up` that is stopped when the test ends.
struct Serving {
    process: Child,
    address: String,
}

impl Serving {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let always = ["up", "--sample", "0", "--listen", "127.0.0.1:0"];
        let mut command = command(folder, &[&always[..], arguments].concat());
        let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
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

    fn post(&self, body: &str) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let head = "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";
        stream
            .write_all(format!("{head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until the report shows this cost and this many calls without a price; gives the report.
fn reported(folder: &Path, cost: &str, unpriced: usize) -> Value {
    let began = Instant::now();
    loop {
        let output = command(folder, &["report", "-o", "json"]).output().unwrap();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let calls: i64 =
            found["unpriced"].as_array().into_iter().flatten().filter_map(|row| row["requests"].as_i64()).sum();
        if found["total"][0]["amount"] == cost && calls == unpriced as i64 {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{cost} and {unpriced} unpriced were never reported: {found:#}");
        std::thread::park_timeout(Duration::from_millis(500));
    }
}

#[test]
fn a_price_published_wrong_is_put_right_on_a_running_pipeline_and_unpriced_calls_heal_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, &[("gpt-x", "25")], "search");
    let serving = Serving::start(folder, &["--config", "config"]);
    for id in 0..4 {
        serving.post(&call(id, "gpt-x"));
    }
    serving.post(&call(4, "nova-1"));
    let wrong = reported(folder, "100", 1);
    assert_eq!(wrong["alerts"].as_array().unwrap().len(), 1, "the budget is met: {wrong:#}");
    let reported_at = now();

    configure(folder, &[("gpt-x", "2.5"), ("nova-1", "3")], "search");
    let said = succeed(folder, &["apply", "config"]);
    assert!(said.contains("prices: version") && said.contains("owners: unchanged"), "{said}");
    let page = succeed(folder, &["reprice", "--from", "2026-11-01", "--dry-run"]);
    assert!(page.contains("openai/gpt-x") && page.contains("-90.00") && page.contains("Nothing was sent"), "{page}");
    let sent = answer(folder, &["reprice", "--from", "2026-11-01", "--model", "openai/gpt*", "-o", "json"]);
    assert_eq!((&sent["corrections"], &sent["models"][0]["cost_after"]), (&json!(4), &json!("10")), "{sent:#}");

    let right = reported(folder, "13", 0);
    assert_eq!(right["requests"], 5);
    assert_eq!(right["budgets"][0]["spent"], "13", "{right:#}");
    assert!(right["unpriced"].as_array().unwrap().is_empty(), "{right:#}");
    assert_eq!(as_reported(folder, reported_at), "100");
    assert_eq!(as_reported(folder, Timestamp::MAX), "13");
    let again = answer(folder, &["reprice", "--from", "2026-11-01", "-o", "json"]);
    assert_eq!(again["corrections"], 0, "{again:#}");
    assert!(succeed(folder, &["ledger"]).contains("Everything adds up"));
}

/// A log that dies after some appends.
struct Dying<'a> {
    log: &'a LocalLog,
    appends_left: AtomicI64,
}

impl Log for Dying<'_> {
    fn topics(&self) -> anyhow::Result<Vec<(String, u32)>> {
        self.log.topics()
    }

    fn partitions(&self, topic: &str) -> anyhow::Result<Option<u32>> {
        self.log.partitions(topic)
    }

    fn range(&self, topic: &str, partition: u32) -> anyhow::Result<std::ops::Range<i64>> {
        self.log.range(topic, partition)
    }

    fn read(&self, topic: &str, partition: u32, from: i64, bytes_max: usize) -> anyhow::Result<Vec<StoredRecord>> {
        self.log.read(topic, partition, from, bytes_max)
    }

    fn append(&self, records: Vec<OutRecord>) -> anyhow::Result<()> {
        anyhow::ensure!(self.appends_left.fetch_sub(1, Ordering::SeqCst) > 0, "the job was killed");
        self.log.append(records)
    }

    fn append_if_end(&self, end: i64, records: Vec<OutRecord>) -> anyhow::Result<bool> {
        self.log.append_if_end(end, records)
    }
}

#[test]
fn a_job_that_dies_half_way_is_completed_by_the_next_and_owners_move_as_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, &[("gpt-x", "25")], "search");
    let calls: Vec<String> = (0..450).map(|id| call(id, "gpt-x")).collect();
    std::fs::write(folder.join("calls.jsonl"), calls.join("\n")).unwrap();
    let up = ["up", "--sample", "0", "--exit-when-idle", "--listen", "127.0.0.1:0"];
    succeed(folder, &[&up[..], &["--config", "config", "--input", "calls.jsonl"]].concat());
    reported(folder, "11250", 0);

    configure(folder, &[("gpt-x", "2.5")], "growth");
    publish(folder);
    let period = Period { from: "2026-11-20".parse().unwrap(), to: "2026-11-21".parse().unwrap() };
    {
        let log = LocalLog::open(&folder.join("spendstream-data"), &topics::catalogue(&[topics::RAW]), None).unwrap();
        let dying = Dying { log: &log, appends_left: AtomicI64::new(1) };
        let rules = Rules::read(&dying, Anew::Prices).unwrap();
        let died = correct(&dying, Some(&lake(folder)), &rules, period, &|_| true, false).unwrap_err();
        assert!(format!("{died:#}").contains("run it again"), "{died:#}");
    }
    // Nothing has taken the first 200 yet: they are sent a second time with the rest.
    let sent = answer(folder, &["reprice", "--from", "2026-11-20", "--to", "2026-11-21", "-o", "json"]);
    assert_eq!((&sent["corrections"], &sent["read"]["lake"]), (&json!(450), &json!(450)), "{sent:#}");
    let page = succeed(folder, &up);
    assert!(page.contains("Everything adds up"), "{page}");
    let report = reported(folder, "1125", 0);
    assert_eq!((&report["requests"], &report["teams"][0]["name"]), (&json!(450), &json!("search")));
    assert_eq!(lake(folder).counts(Days::ALL).unwrap().rows["charges"], 3 * 450);

    let sent = answer(folder, &["reprice", "--from", "2026-11-20", "--owners", "-o", "json"]);
    assert_eq!(sent["owners"][0]["before"], "search", "{sent:#}");
    succeed(folder, &up);
    let report = reported(folder, "1125", 0);
    assert_eq!(report["teams"][0]["name"], "growth");
    assert_eq!(report["teams"].as_array().unwrap().len(), 1, "nothing is left with the old team: {report:#}");
    for what in ["--owners", "--prices"] {
        let again = answer(folder, &["reprice", "--from", "2026-11-20", what, "-o", "json"]);
        assert_eq!(again["corrections"], 0, "{again:#}");
    }
}

#[test]
fn who_feeds_calls_older_than_the_newest_prices_is_told_what_they_are_charged_by_and_how_to_change_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let up = ["up", "--sample", "0", "--exit-when-idle", "--listen", "127.0.0.1:0"];
    let told = |arguments: &[&str]| {
        let output = command(folder, &[&up[..], arguments].concat()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said.lines().find(|line| line.starts_with("calls made before 20")).map(str::to_owned)
    };
    configure(folder, &[("gpt-x", "25")], "search");
    // Known by its position alone.
    let mut first: Value = serde_json::from_str(&call(0, "gpt-x")).unwrap();
    first.as_object_mut().unwrap().remove("id");
    std::fs::write(folder.join("calls.jsonl"), first.to_string()).unwrap();
    assert_eq!(told(&["--config", "config", "--input", "calls.jsonl"]), None);
    assert_eq!(reported(folder, "25", 0)["without_id"], 1);

    configure(folder, &[("gpt-x", "2.5")], "growth");
    publish(folder);
    std::fs::write(folder.join("more.jsonl"), call(1, "gpt-x")).unwrap();
    let line = told(&["--input", "more.jsonl"]).unwrap();
    reported(folder, "50", 0);
    let told_to = line.split('`').nth(1).unwrap();
    assert!(told_to.ends_with("--prices --owners --from 2026-11-20"), "{line}");
    let arguments: Vec<&str> = told_to.split_whitespace().skip(1).collect();
    succeed(folder, &arguments);
    assert_eq!(told(&[]), None, "nothing was fed");
    let report = reported(folder, "5", 0);
    assert_eq!((&report["teams"][0]["name"], &report["without_id"]), (&json!("growth"), &json!(1)), "{report:#}");

    configure(folder, &[("gpt-x", "3")], "growth");
    assert!(told(&["--config", "config"]).unwrap().contains("--from DATE`"));
    assert_eq!(told(&["--config", "config"]), None, "it is the configuration it had");
}

#[test]
fn a_settled_period_has_its_free_units_once_however_often_it_is_settled_and_follows_its_terms() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let terms = |text: &str| {
        configure(folder, &[("gpt-x", "25")], "search");
        let file = folder.join("config/prices.yaml");
        let prices = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, format!("{prices}{text}\n")).unwrap();
    };
    let free = |quantity: u64| {
        format!("allowances: [{{id: free, covers: [openai/gpt-x], meters: [input_text_tokens], quantity: {quantity}}}]")
    };
    terms(&free(2_500_000));
    let calls: Vec<String> = (0..4).map(|id| call(id, "gpt-x")).collect();
    std::fs::write(folder.join("calls.jsonl"), calls.join("\n")).unwrap();
    let up = ["up", "--sample", "0", "--exit-when-idle", "--listen", "127.0.0.1:0"];
    succeed(folder, &[&up[..], &["--config", "config", "--input", "calls.jsonl"]].concat());
    reported(folder, "100", 0);

    let settle = ["settle", "--period", "2026-11", "--json"];
    let dry = answer(folder, &[&settle[..], &["--dry-run"]].concat());
    assert_eq!((&dry["uses"], &dry["entries"][0]["amount"], &dry["sent"]), (&json!(4), &json!("-62.5"), &json!(false)));
    // The second run sees nothing of what the first one sent: it sends it again.
    assert_eq!(answer(folder, &settle)["to_send"], 1);
    assert_eq!(answer(folder, &settle)["to_send"], 1);
    succeed(folder, &up);
    let report = reported(folder, "37.5", 0);
    assert_eq!((&report["requests"], &report["teams"][0]["name"]), (&json!(4), &json!("search")), "{report:#}");
    let again = answer(folder, &settle);
    assert_eq!((&again["to_send"], &again["standing"]), (&json!(0), &json!(1)), "{again:#}");

    terms(&free(1_000_000));
    publish(folder);
    assert_eq!(answer(folder, &settle)["to_send"], 1);
    succeed(folder, &up);
    reported(folder, "75", 0);

    terms("");
    publish(folder);
    assert_eq!(answer(folder, &settle)["withdrawn"], 1);
    succeed(folder, &up);
    reported(folder, "100", 0);
    let last = answer(folder, &settle);
    assert_eq!((&last["to_send"], &last["withdrawn"]), (&json!(0), &json!(0)), "{last:#}");
    assert!(succeed(folder, &["ledger"]).contains("Everything adds up"));

    std::fs::create_dir_all(folder.join("dearer")).unwrap();
    let prices = std::fs::read_to_string(folder.join("config/prices.yaml")).unwrap();
    std::fs::write(folder.join("dearer/prices.yaml"), prices.replace("25", "30")).unwrap();
    let page = succeed(folder, &["prices", "diff", "config", "dearer", "--lake", "spendstream-data/lake"]);
    assert!(page.contains("5 charges stand") && page.contains("20.00 USD more by the newer book"), "{page}");
}

#[test]
fn a_settling_that_dies_half_way_is_completed_by_the_next_and_sends_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, &[("gpt-x", "25")], "search");
    let file = folder.join("config/prices.yaml");
    let free = "allowances: [{id: free, covers: [openai/gpt-x], meters: [input_text_tokens], quantity: 1000000000}]";
    std::fs::write(&file, format!("{}{free}\n", std::fs::read_to_string(&file).unwrap())).unwrap();
    // Each call is another payer's or another day's: 300 entries, more than are appended at once.
    let entry = |id: usize| {
        let (day, key) = (1 + id % 15, id / 15);
        json!({"id": format!("call-{id}"), "source": "app", "provider": "openai", "model": "gpt-x",
            "key_id": format!("key-{key}"), "time": format!("2026-11-{day:02}T09:00:00Z"),
            "usage": {"input_text_tokens": 1_000_000}})
        .to_string()
    };
    let calls: Vec<String> = (0..300).map(entry).collect();
    std::fs::write(folder.join("calls.jsonl"), calls.join("\n")).unwrap();
    let up = ["up", "--sample", "0", "--exit-when-idle", "--listen", "127.0.0.1:0"];
    succeed(folder, &[&up[..], &["--config", "config", "--input", "calls.jsonl"]].concat());
    reported(folder, "7500", 0);

    let period = Period { from: "2026-11-01".parse().unwrap(), to: "2026-12-01".parse().unwrap() };
    let appended = |log: &LocalLog| {
        let partitions = log.partitions(topics::RAW).unwrap().unwrap();
        (0..partitions)
            .map(|partition| log.range(topics::RAW, partition).unwrap())
            .map(|range| range.end - range.start)
            .sum::<i64>()
    };
    let open = || LocalLog::open(&folder.join("spendstream-data"), &topics::catalogue(&[topics::RAW]), None).unwrap();
    let refused = {
        let log = open();
        let books = versions::<PriceBook>(&log).unwrap();
        settle_period(&log, Some(&lake(folder)), books.newest().unwrap(), period, now(), true, 1).unwrap_err()
    };
    assert!(format!("{refused:#}").contains("--charges-max"), "{refused:#}");
    let die_after = |appends: i64| {
        let log = open();
        let before = appended(&log);
        let dying = Dying { log: &log, appends_left: AtomicI64::new(appends) };
        let books = versions::<PriceBook>(&dying).unwrap();
        let lake = lake(folder);
        let died =
            settle_period(&dying, Some(&lake), books.newest().unwrap(), period, now(), false, 1_000).unwrap_err();
        assert!(format!("{died:#}").contains("run it again"), "{died:#}");
        appended(&log) - before
    };
    assert_eq!(die_after(0), 0);
    assert_eq!(die_after(1), 200);
    succeed(folder, &up);
    reported(folder, "2500", 0);

    let settle = ["settle", "--period", "2026-11", "--json"];
    let rest = answer(folder, &settle);
    assert_eq!((&rest["standing"], &rest["to_send"], &rest["withdrawn"]), (&json!(200), &json!(100), &json!(0)));
    // Run again before anything took them, it sends them once more, and they still count once.
    assert_eq!(answer(folder, &settle)["to_send"], 100);
    succeed(folder, &up);
    let report = reported(folder, "0", 0);
    assert_eq!(report["requests"], 300, "{report:#}");
    assert_eq!(lake(folder).counts(Days::ALL).unwrap().rows["charges"], 300 + 300);
    let last = answer(folder, &settle);
    assert_eq!((&last["standing"], &last["to_send"], &last["withdrawn"]), (&json!(300), &json!(0), &json!(0)));
    assert!(succeed(folder, &["ledger"]).contains("Everything adds up"));
}
