//! The Kafka driver on a real broker: nothing lost, nothing twice, whatever is killed, paused or cut off.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use schemas::LedgerEntry;
use schemas::codec::Format;

use spendstream_tests::conformance::{self, Sent, appear, balance, send, settled};
use spendstream_tests::kafka::Kafka;
use spendstream_tests::process::Process;
use spendstream_tests::proxy::{END_TXN, Fault, TXN_OFFSET_COMMIT};
use stream::books::BOOKS_KEY;
use stream::kafka::KafkaLog;
use stream::log::ledger;
use stream::{Log, OutRecord};

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
