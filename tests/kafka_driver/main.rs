//! The Kafka driver on a real broker: nothing lost, nothing twice, whatever is killed, paused or cut off.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

mod absence;
mod cluster;
mod crashes;
mod deaf;
mod permissions;
mod quotas;
mod secrets;
mod stops;
mod tables;

use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use schemas::LedgerEntry;
use schemas::topics::{Kept, Partitions, TopicSpec};
use spendstream_tests::conformance::{self, Sent, again, appear, balance, send, settled};
use spendstream_tests::kafka::{Kafka, free_port};
use spendstream_tests::process::Process;
use stream::kafka::topics::{Layout, apply, diff};
use stream::kafka::{Change, KafkaLog, repartition};
use stream::log::ledger;
use stream::{Log, OutRecord, StoredRecord};

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
        self.start_in(self.prefix, instance, flags)
    }

    fn start_in(&self, environment: &str, instance: &str, flags: &[&str]) -> Process {
        let mut probe = Command::new(env!("CARGO_BIN_EXE_spendstream-probe"));
        probe.env("SPENDSTREAM_BROKERS", kafka().brokers()).env("SPENDSTREAM_LANES", "1");
        probe.args(["--environment", environment, "--instance", instance]);
        probe.args(["--prefix", self.prefix, "--listen", "127.0.0.1:0"]);
        // What a flag says stands above these.
        probe.env("SPENDSTREAM_TRANSACTION_TIMEOUT", "4s").env("SPENDSTREAM_SESSION_TIMEOUT", "6s");
        probe.env("SPENDSTREAM_COMMIT_INTERVAL", "50ms");
        probe.args(flags);
        Process::start(probe)
    }

    /// Sends this many deposits and waits until they, and all before them, have come out.
    fn settle(&self, sent: &mut Sent, count: usize) {
        send(&*self.log, self.prefix, sent, count);
        settled(&*self.log, self.prefix, sent);
    }

    /// The books of a stage for a partition, as they stand.
    fn books(&self, stage: &str, partition: u32) -> LedgerEntry {
        let topics = conformance::names(self.prefix);
        let mut entries = ledger(&*self.log).unwrap().into_iter();
        let mine = |entry: &LedgerEntry| entry.stage == stage && topics.iter().any(|topic| entry.topic == **topic);
        entries.find(|entry| mine(entry) && entry.partition == partition as i32).unwrap()
    }

    fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
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
    run.settle(&mut sent, 500);
    assert!(probe.log().contains("state restored"));
    assert_eq!(appear(&*run.log, run.prefix), 1_500);
    balance(&*run.log, run.prefix);
}

#[test]
fn what_a_stage_has_read_it_can_read_again_until_it_expires() {
    let run = Run::new("again", 2);
    let [input, ..] = conformance::names(run.prefix);
    let mut sent = Sent::default();
    send(&*run.log, run.prefix, &mut sent, 100);
    let probe = run.start("a", &[]);
    settled(&*run.log, run.prefix, &sent);
    // Every other deposit is in partition 0; after the fifty there the transaction ends with a marker.
    assert_eq!(again(&*run.log, run.prefix, &[3, 48, 0, 50]), (7 + 97 + 1, 1));
    kafka().delete_records(&input, 0, 10);
    assert_eq!(again(&*run.log, run.prefix, &[5, 10]), (7 + 97 + 1 + 21, 2));
    settled(&*run.log, run.prefix, &sent);
    let (well, log) = probe.stop(PATIENCE);
    assert!(well, "{log}");
}

#[test]
fn a_stage_without_work_commits_rarely_and_at_once_when_there_is_some() {
    let run = Run::new("idle", 1);
    let mut sent = Sent::default();
    send(&*run.log, run.prefix, &mut sent, 50);
    let _probe = run.start("a", &[]);
    settled(&*run.log, run.prefix, &sent);
    let commits = |over: Duration| {
        let before = run.books("split", 0).transaction;
        std::thread::sleep(over);
        run.books("split", 0).transaction - before
    };
    let busy = commits(Duration::from_secs(10));
    assert!(busy >= 4, "{busy} in ten seconds after there was work");
    std::thread::sleep(Duration::from_secs(62));
    let quiet = commits(Duration::from_secs(25));
    assert!((1..=4).contains(&quiet), "{quiet} in twenty-five quiet seconds");
    run.settle(&mut sent, 50);
}

#[test]
fn a_partition_moves_with_its_state() {
    let run = Run::new("moving", 2);
    let mut sent = Sent::default();
    let a = run.start("a", &[]);
    run.settle(&mut sent, 200);
    let mut b = run.start("b", &[]);
    b.wait_for("state restored", PATIENCE);
    run.settle(&mut sent, 200);
    // A killed instance gives nothing back: the other takes over when its session ends.
    a.kill();
    run.settle(&mut sent, 200);
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
        run.settle(&mut sent, 200);
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
    run.settle(&mut sent, 200);
    // Partitions that are left over are idle.
    let idle = run.log.range(&middle, 3).unwrap();
    run.settle(&mut sent, 200);
    assert_eq!(run.log.range(&middle, 3).unwrap(), idle);
}

fn drop_text(_: &str) {}

#[test]
fn missing_topics_and_refused_settings_are_said_in_one_sentence() {
    let run = Run { prefix: "nowhere", log: Arc::new(KafkaLog::connect(&kafka().connection(), "tests").unwrap()) };
    let (well, log) = run.start("a", &[]).wait(PATIENCE);
    assert!(!well && log.contains("topic nowhere.in of stage split does not exist"), "{log}");
    let (well, log) = run.start("a", &["--kafka", "isolation.level=read_uncommitted"]).wait(PATIENCE);
    assert!(!well && log.contains("isolation.level=read_uncommitted cannot be set"), "{log}");
}

#[test]
fn what_the_brokers_will_never_take_is_said_in_one_sentence() {
    let run = Run::new("refused", 1);
    let mut probe = Command::new(env!("CARGO_BIN_EXE_spendstream-probe"));
    probe.args(["--brokers", &kafka().brokers(), "--environment", run.prefix, "--instance", "a", "--lanes", "1"]);
    probe.args(["--prefix", run.prefix, "--transaction-timeout", "16m", "--session-timeout", "20m"]);
    let (well, log) = Process::start(probe).wait(PATIENCE);
    let says = "raise their transaction.max.timeout.ms to 960000 at least, or lower --transaction-timeout";
    assert!(!well && log.contains(says), "{log}");
    // Batches that are larger than their topic takes, one of several that are written together.
    let [_, middle, _] = conformance::names(run.prefix);
    kafka().configure(&middle, "max.message.bytes", "200");
    let mut sent = Sent::default();
    send(&*run.log, run.prefix, &mut sent, 1_000);
    let (well, log) = run.start("a", &[]).wait(PATIENCE);
    assert!(!well && log.contains("max.message.bytes=2097152 mends it"), "{log}");
    assert!(!log.contains("transaction failed"), "it was tried again: {log}");
}

#[test]
fn a_broker_that_is_away_is_not_reported_in_the_words_of_the_client() {
    let run = Run::new("quiet", 1);
    let brokers = format!("127.0.0.1:{},{}", free_port(), kafka().brokers());
    let probe = run.start("a", &["--brokers", &brokers]);
    let mut sent = Sent::default();
    run.settle(&mut sent, 100);
    let (well, log) = probe.stop(PATIENCE);
    assert!(well && !log.contains("|FAIL|"), "{log}");
}

#[test]
fn appends_under_a_name_fence_off_who_had_it_and_take_it_back() {
    let run = Run::new("door", 1);
    let [input, ..] = conformance::names(run.prefix);
    let open = || KafkaLog::connect_as(&kafka().connection(), "door.ingest.door.a".to_owned()).unwrap();
    let record = || OutRecord {
        topic: input.as_str().into(),
        partition: 0,
        key: None,
        payload: Some("x".into()),
        headers: Vec::new(),
        timestamp: None,
    };
    let append = |log: &KafkaLog| log.append(vec![record(), record()]);
    let (before, after) = (open(), open());
    append(&before).unwrap();
    append(&after).unwrap();
    assert!(append(&before).is_err(), "somebody else has the name");
    append(&before).unwrap();
    let mut read = 0;
    let each = |_: &StoredRecord| {
        read += 1;
        Ok(())
    };
    stream::log::scan(&*run.log, &input, 0, 0, each).unwrap();
    assert_eq!(read, 6, "what was refused was not written");
}

#[test]
fn topics_are_created_once_and_differences_are_named() {
    let layout = Layout { raw: 2, internal: 2, replication: 1 };
    let connection = kafka().connection();
    let mut catalogue = conformance::topics("listed");
    // A raw topic that somebody else made.
    let raw = TopicSpec { name: "listed.raw".to_owned(), ..catalogue[2].clone() };
    catalogue.push(raw.clone());
    apply(&connection, &catalogue, layout).unwrap();
    assert_eq!(apply(&connection, &catalogue, layout).unwrap(), Vec::<String>::new());
    assert_eq!(diff(&connection, &catalogue, layout).unwrap(), []);
    let topic = catalogue[0].name.clone();
    catalogue[0].kept = Kept::Forever;
    catalogue.retain(|spec| *spec != raw);
    catalogue.push(TopicSpec { partitions: Partitions::Raw, ..raw });
    catalogue.push(TopicSpec { name: "listed.missing".to_owned(), ..catalogue[1].clone() });
    let found: Vec<String> = diff(&connection, &catalogue, Layout { internal: 3, replication: 3, ..layout })
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    for expected in [
        format!("{topic}: has 2 partitions instead of 3"),
        format!("{topic}: cleanup.policy is compact instead of delete"),
        "listed.missing: missing".to_owned(),
        format!("{topic}: replication factor is 1 instead of 3"),
        format!("{topic}: min.insync.replicas is 1 instead of 2"),
        "listed.raw: message.timestamp.type is CreateTime instead of LogAppendTime".to_owned(),
    ] {
        assert!(found.contains(&expected), "{expected} is not among {found:?}");
    }
}
