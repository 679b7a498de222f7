//! The Kafka driver on a real broker: nothing lost, nothing twice, whatever is killed, paused or cut off.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

extern crate spendstream_stream as stream;

use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use spendstream_tests::conformance::{self, Sent, appear, balance, send, settled};
use spendstream_tests::kafka::Kafka;
use spendstream_tests::process::Process;
use stream::kafka::KafkaLog;

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
        probe.args(["--brokers", &kafka().brokers(), "--environment", self.prefix, "--instance", instance]);
        probe.args(["--prefix", self.prefix, "--listen", "127.0.0.1:0"]).env("SPENDSTREAM_LANES", "1");
        probe.args(["--transaction-timeout", "4s", "--session-timeout", "6s", "--commit-interval", "50ms"]);
        probe.args(flags);
        Process::start(probe)
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
