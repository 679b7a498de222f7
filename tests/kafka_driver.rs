//! The Kafka driver on a real broker: nothing lost, nothing twice, whatever is killed, paused or cut off.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use schemas::codec::Format;
use schemas::topics::{Kept, TopicSpec};
use schemas::{LedgerEntry, Timestamp};

use spendstream_tests::conformance::{self, Sent, appear, balance, send, settled};
use spendstream_tests::kafka::Kafka;
use spendstream_tests::process::Process;
use spendstream_tests::proxy::{END_TXN, Fault, TXN_OFFSET_COMMIT};
use stream::books::BOOKS_KEY;
use stream::kafka::topics::{Layout, apply, diff};
use stream::kafka::{Change, KafkaLog, repartition};
use stream::log::ledger;
use stream::{Halt, Log, OutRecord, Record, Settings, Shutdown, Table, Telemetry};

/// Longest wait for something that is bound to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// One broker for every test; prefixes keep them apart. It dies with the process.
fn kafka() -> &'static Kafka {
    static KAFKA: OnceLock<Kafka> = OnceLock::new();
    KAFKA.get_or_init(Kafka::start)
}

/// A run of the two stages: its topics, and a log to look at them with.
struct Run {
    prefix: &'static str,
    log: Arc<KafkaLog>,
}

impl Run {
    fn new(prefix: &'static str, partitions: u32) -> Self {
        kafka().create(&conformance::topics(prefix), partitions);
        Run { prefix, log: Arc::new(KafkaLog::connect(&kafka().connection(), "tests").unwrap()) }
    }

    fn start(&self, instance: &str, flags: &[&str]) -> Process {
        let mut probe = Command::new(env!("CARGO_BIN_EXE_spendstream-probe"));
        probe.env("SPENDSTREAM_BROKERS", kafka().brokers()).env("SPENDSTREAM_LANES", "1");
        probe.args(["--environment", self.prefix, "--instance", instance]);
        probe.args(["--prefix", self.prefix, "--listen", "127.0.0.1:0"]);
        probe.args(["--transaction-timeout", "4s", "--session-timeout", "6s", "--commit-interval", "50ms"]);
        probe.args(flags);
        Process::start(probe)
    }

    fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            assert!(Instant::now() < deadline, "{}: waited in vain until {what}", self.prefix);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn what_goes_in_comes_out_once_and_a_stop_is_clean() {
    let run = Run::new("plain", 3);
    let mut sent = Sent::default();
    send(&*run.log, run.prefix, &mut sent, 1_000);
    let probe = run.start("a", &["--lanes", "2"]);
    settled(&*run.log, run.prefix, &sent);
    let (well, log) = probe.stop(Duration::from_secs(20));
    assert!(well, "{log}");
    // Started again it goes on from its state.
    let probe = run.start("a", &[]);
    send(&*run.log, run.prefix, &mut sent, 500);
    settled(&*run.log, run.prefix, &sent);
    assert!(probe.log().contains("state restored"));
    assert_eq!(appear(&*run.log, run.prefix), 1_500);
    balance(&*run.log, run.prefix);
}

#[test]
fn killed_at_any_moment_it_loses_nothing_and_repeats_nothing() {
    let run = Run::new("killed", 2);
    let mut sent = Sent::default();
    // Each kill comes at another point of a transaction: after so many deposits more have come out.
    for further in [1, 40, 170] {
        let probe = run.start("a", &[]);
        let target = appear(&*run.log, run.prefix) + further;
        send(&*run.log, run.prefix, &mut sent, 200);
        run.until("deposits come out", || appear(&*run.log, run.prefix) >= target);
        probe.kill();
        // Nobody is at work: what is visible must already be consistent.
        balance(&*run.log, run.prefix);
    }
    let _probe = run.start("a", &[]);
    settled(&*run.log, run.prefix, &sent);
}

#[test]
fn a_partition_moves_with_its_state() {
    let run = Run::new("moving", 2);
    let mut sent = Sent::default();
    let a = run.start("a", &[]);
    send(&*run.log, run.prefix, &mut sent, 200);
    settled(&*run.log, run.prefix, &sent);
    let mut b = run.start("b", &[]);
    b.wait_for("state restored", PATIENCE);
    send(&*run.log, run.prefix, &mut sent, 200);
    settled(&*run.log, run.prefix, &sent);
    // A killed instance gives nothing back: the other takes over when its session ends.
    a.kill();
    send(&*run.log, run.prefix, &mut sent, 200);
    settled(&*run.log, run.prefix, &sent);
}

#[test]
fn the_number_of_partitions_changes_there_and_back_and_state_moves_with_its_slots() {
    let run = Run::new("resized", 2);
    let [_, middle, output] = conformance::names(run.prefix);
    let mut sent = Sent::default();
    // An instance that was away while it happened must not go on as if nothing had.
    let away = run.start("away", &["--stages", "split"]);
    for partitions in [4, 3] {
        let probe = run.start("a", &[]);
        send(&*run.log, run.prefix, &mut sent, 200);
        settled(&*run.log, run.prefix, &sent);
        away.signal(libc::SIGSTOP);
        let change = |patience| Change {
            connection: kafka().connection(),
            environment: run.prefix.to_owned(),
            stages: vec![Arc::new(conformance::Split::new(run.prefix)), Arc::new(conformance::Sum::new(run.prefix))],
            topics: vec![middle.clone(), output.clone()],
            partitions,
            patience,
        };
        // Nothing changes under a stage that runs.
        let refused = repartition(&change(Duration::ZERO), &mut drop_text).unwrap_err().to_string();
        assert!(refused.contains("stop the services that run split"), "{refused}");
        let (well, log) = probe.stop(PATIENCE);
        assert!(well, "{log}");
        let mut said = Vec::new();
        let result = repartition(&change(PATIENCE), &mut |text| said.push(text.to_owned()));
        assert!(result.is_ok(), "{result:?} after {said:?}");
        balance(&*run.log, run.prefix);
        send(&*run.log, run.prefix, &mut sent, 200);
    }
    away.signal(libc::SIGCONT);
    let (well, log) = { away }.wait(PATIENCE);
    assert!(!well && log.contains("the number of partitions was changed"), "{log}");
    let _probe = run.start("a", &["--lanes", "2"]);
    settled(&*run.log, run.prefix, &sent);
    send(&*run.log, run.prefix, &mut sent, 200);
    settled(&*run.log, run.prefix, &sent);
    // Partitions that are left over are idle.
    let idle = run.log.range(&middle, 3).unwrap();
    send(&*run.log, run.prefix, &mut sent, 200);
    settled(&*run.log, run.prefix, &sent);
    assert_eq!(run.log.range(&middle, 3).unwrap(), idle);
}

fn drop_text(_: &str) {}

/// The proxy's faults strike whoever uses it: one test at a time.
static PROXY: Mutex<()> = Mutex::new(());

#[test]
fn a_process_paused_inside_a_transaction_cannot_commit_after_another_took_over() {
    let _alone = PROXY.lock().unwrap_or_else(PoisonError::into_inner);
    let (run, proxy) = (Run::new("paused", 1), kafka().proxy());
    let mut sent = Sent::default();
    let mut a = run.start("a", &["--brokers", &format!("127.0.0.1:{}", proxy.port())]);
    send(&*run.log, run.prefix, &mut sent, 100);
    settled(&*run.log, run.prefix, &sent);
    // Everything is written, the offsets are sent, and it waits for an answer: then it stops.
    let struck = proxy.struck();
    proxy.set(TXN_OFFSET_COMMIT, Some(Fault::LoseResponse));
    send(&*run.log, run.prefix, &mut sent, 100);
    run.until("it is inside a transaction", || proxy.struck() > struck);
    a.signal(libc::SIGSTOP);
    proxy.set(TXN_OFFSET_COMMIT, None);
    let _b = run.start("b", &[]);
    settled(&*run.log, run.prefix, &sent);
    a.signal(libc::SIGCONT);
    a.wait_for("transaction failed", PATIENCE);
    send(&*run.log, run.prefix, &mut sent, 100);
    settled(&*run.log, run.prefix, &sent);
}

#[test]
fn a_commit_whose_answer_is_lost_counts_once() {
    let _alone = PROXY.lock().unwrap_or_else(PoisonError::into_inner);
    let (run, proxy) = (Run::new("unanswered", 1), kafka().proxy());
    let mut sent = Sent::default();
    let mut probe = run.start("a", &["--stages", "sum", "--brokers", &format!("127.0.0.1:{}", proxy.port())]);
    let _split = run.start("b", &["--stages", "split"]);
    send(&*run.log, run.prefix, &mut sent, 100);
    settled(&*run.log, run.prefix, &sent);
    proxy.set(END_TXN, Some(Fault::LoseResponse));
    send(&*run.log, run.prefix, &mut sent, 100);
    probe.wait_for("fate=Unknown", PATIENCE);
    proxy.set(END_TXN, None);
    probe.wait_for("outcome=Promote", PATIENCE);
    send(&*run.log, run.prefix, &mut sent, 100);
    settled(&*run.log, run.prefix, &sent);
}

#[test]
fn an_undecodable_batch_stops_its_partition_alone_until_it_is_skipped() {
    let run = Run::new("garbled", 2);
    let [_, middle, output] = conformance::names(run.prefix);
    let mut sent = Sent::default();
    let mut probe = run.start("a", &[]);
    send(&*run.log, run.prefix, &mut sent, 100);
    settled(&*run.log, run.prefix, &sent);
    run.log.append(vec![record(&middle, b"", b"not a batch")]).unwrap();
    probe.wait_for("cannot be decoded", PATIENCE);
    let before = run.log.range(&output, 1).unwrap().end;
    send(&*run.log, run.prefix, &mut sent, 100);
    run.until("the other partition goes on", || run.log.range(&output, 1).unwrap().end > before);
    assert!(appear(&*run.log, run.prefix) < sent.0.len());
    let log = probe.log();
    let offset = log.split("record at offset ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    conformance::order_skip(&*run.log, "sum", &middle, 0, offset.parse().unwrap());
    settled(&*run.log, run.prefix, &sent);
}

#[test]
fn a_changelog_that_disagrees_with_the_offset_stops_the_partition() {
    let run = Run::new("forged", 1);
    let [_, middle, _] = conformance::names(run.prefix);
    let mut sent = Sent::default();
    let probe = run.start("a", &[]);
    send(&*run.log, run.prefix, &mut sent, 50);
    settled(&*run.log, run.prefix, &sent);
    let (well, log) = probe.stop(PATIENCE);
    assert!(well, "{log}");
    let format = Format::<LedgerEntry>::new();
    let mut entry = ledger(&*run.log).unwrap().into_iter().find(|e| e.stage == "sum" && *e.topic == *middle).unwrap();
    entry.transaction += 1;
    let changelog = schemas::topics::changelog("sum", &middle);
    run.log.append(vec![record(&changelog, BOOKS_KEY, &format.encode(&entry))]).unwrap();
    let mut probe = run.start("a", &["--stages", "sum"]);
    probe.wait_for(&format!("changelog says transaction {}", entry.transaction), PATIENCE);
    assert!(probe.log().contains(&format!("group offset says transaction {}", entry.transaction - 1)));
}

#[test]
fn missing_topics_and_refused_settings_are_said_in_one_sentence() {
    let run = Run { prefix: "nowhere", log: Arc::new(KafkaLog::connect(&kafka().connection(), "tests").unwrap()) };
    let (well, log) = run.start("a", &[]).wait(PATIENCE);
    assert!(!well && log.contains("topic nowhere.in of stage split does not exist"), "{log}");
    let (well, log) = run.start("a", &["--kafka", "isolation.level=read_uncommitted"]).wait(PATIENCE);
    assert!(!well && log.contains("isolation.level=read_uncommitted cannot be set"), "{log}");
}

fn record(topic: &str, key: &[u8], payload: &[u8]) -> OutRecord {
    OutRecord {
        topic: Arc::from(topic),
        partition: 0,
        key: Some(Bytes::copy_from_slice(key)),
        payload: Some(Bytes::copy_from_slice(payload)),
        headers: Vec::new(),
        timestamp: None,
    }
}

/// What a service of this environment is started with.
fn settings(environment: &str) -> Settings {
    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        settings: Settings,
    }
    let brokers = kafka().brokers();
    let flags = ["test", "--brokers", &brokers, "--environment", environment, "--session-timeout", "6s"];
    <Flags as clap::Parser>::parse_from(flags.into_iter().chain(["--transaction-timeout", "4s"])).settings
}

/// A table in memory that outlives the driver, as a lake would. Every third write fails, half of them after the fact.
#[derive(Default)]
struct Store {
    rows: Vec<String>,
    positions: BTreeMap<u32, i64>,
    writes: usize,
}

struct Shelf {
    topic: String,
    store: Arc<Mutex<Store>>,
    buffer: BTreeMap<u32, (Vec<String>, i64)>,
}

impl Table for Shelf {
    fn name(&self) -> &str {
        "shelf"
    }
    fn input(&self) -> &str {
        &self.topic
    }
    fn assign(&mut self, partitions: &[u32]) -> anyhow::Result<Vec<(u32, Option<i64>)>> {
        let store = self.store.lock().unwrap();
        Ok(partitions.iter().map(|partition| (*partition, store.positions.get(partition).copied())).collect())
    }
    fn revoke(&mut self, partitions: &[u32]) {
        self.buffer.retain(|partition, _| !partitions.contains(partition));
    }
    fn append(&mut self, partition: u32, records: &[Record<'_>], position: i64) -> Result<(), Halt> {
        let (rows, to) = self.buffer.entry(partition).or_default();
        rows.extend(
            records.iter().map(|record| String::from_utf8_lossy(record.payload.unwrap_or_default()).into_owned()),
        );
        *to = position;
        Ok(())
    }
    fn due(&self, _: Timestamp) -> bool {
        self.buffered_bytes() > 200
    }
    fn buffered_bytes(&self) -> usize {
        self.buffer.values().flat_map(|(rows, _)| rows).map(String::len).sum()
    }
    fn flush(&mut self, _: Timestamp) -> anyhow::Result<()> {
        let mut store = self.store.lock().unwrap();
        store.writes += 1;
        anyhow::ensure!(store.writes % 6 != 2, "the store is away");
        for (partition, (rows, position)) in std::mem::take(&mut self.buffer) {
            store.rows.extend(rows);
            store.positions.insert(partition, position);
        }
        anyhow::ensure!(store.writes % 6 != 5, "written, but the answer was lost");
        Ok(())
    }
}

#[test]
fn a_table_has_every_record_once_though_its_store_fails_with_and_without_effect() {
    let run = Run::new("shelf", 2);
    let [input, ..] = conformance::names(run.prefix);
    let store = Arc::<Mutex<Store>>::default();
    let mut sent = Sent::default();
    let settings = settings(run.prefix);
    for _ in 0..2 {
        let (shutdown, settings) = (Shutdown::new(), settings.clone());
        let table = Shelf { topic: input.clone(), store: store.clone(), buffer: BTreeMap::new() };
        let stop = shutdown.clone();
        let driver =
            std::thread::spawn(move || stream::kafka::run_table(&settings, Box::new(table), &stop, &Telemetry::new()));
        for _ in 0..5 {
            send(&*run.log, run.prefix, &mut sent, 100);
            run.until("the rows are there", || store.lock().unwrap().rows.len() + 100 > sent.0.len());
        }
        shutdown.set();
        driver.join().unwrap().unwrap();
    }
    // The last write of all may be the one that fails: what it held would come with the next start.
    let mut rows = store.lock().unwrap().rows.clone();
    rows.sort();
    let mut expected: Vec<String> = sent.0.iter().map(|(id, (_, amount))| format!("{id} {amount}")).collect();
    expected.sort();
    expected.retain(|row| rows.binary_search(row).is_ok());
    assert_eq!(rows, expected, "a row is there twice, or was never sent");
    assert!(sent.0.len() - rows.len() < 100, "{} of {} rows are missing", sent.0.len() - rows.len(), sent.0.len());
}

#[test]
fn topics_are_created_once_and_differences_are_named() {
    let layout = Layout { raw: 2, internal: 2, replication: 1 };
    let connection = kafka().connection();
    let mut catalogue = conformance::topics("listed");
    apply(&connection, &catalogue, layout).unwrap();
    assert_eq!(apply(&connection, &catalogue, layout).unwrap(), Vec::<String>::new());
    assert_eq!(diff(&connection, &catalogue, layout).unwrap(), []);
    let topic = catalogue[0].name.clone();
    catalogue[0].kept = Kept::Forever;
    catalogue.push(TopicSpec { name: "listed.missing".to_owned(), ..catalogue[1].clone() });
    let found: Vec<String> = diff(&connection, &catalogue, Layout { internal: 3, ..layout })
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    for expected in [
        format!("{topic}: has 2 partitions instead of 3"),
        format!("{topic}: cleanup.policy is compact instead of delete"),
        "listed.missing: missing".to_owned(),
    ] {
        assert!(found.contains(&expected), "{expected} is not among {found:?}");
    }
}
