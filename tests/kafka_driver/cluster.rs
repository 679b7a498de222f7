//! Three brokers, of which some die.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use spendstream_tests::cluster::Cluster;
use spendstream_tests::conformance::{self, Sent, appear, send, settled};
use spendstream_tests::process::Process;
use stream::kafka::KafkaLog;

use crate::{PATIENCE, Run};

/// The cluster, whole, for one test at a time. It dies with the process.
fn cluster() -> MutexGuard<'static, Cluster> {
    static CLUSTER: OnceLock<Mutex<Cluster>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| Mutex::new(Cluster::start()));
    // Who failed with it may have left it with brokers that are dead or stopped.
    let mut cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
    cluster.make_whole();
    cluster
}

/// A run on the cluster, and a process that works on it.
fn start(cluster: &Cluster, prefix: &'static str, partitions: u32) -> (Run, Process) {
    cluster.create(&conformance::topics(prefix), partitions);
    let run = Run { prefix, log: Arc::new(KafkaLog::connect(&cluster.connection(), "tests").unwrap()) };
    let probe = run.start("a", &["--brokers", &cluster.brokers()]);
    (run, probe)
}

/// Transactions that have failed.
fn failed(probe: &Process) -> usize {
    probe.log().matches("transaction failed").count()
}

#[test]
fn with_one_of_three_brokers_gone_work_goes_on_and_with_two_it_waits_for_one_to_come_back() {
    let mut cluster = cluster();
    let (run, mut probe) = start(&cluster, "copies", 1);
    let [.., output] = conformance::names(run.prefix);
    let mut sent = Sent::default();
    run.settle(&mut sent, 100);
    let leader = cluster.leader(&output, 0);
    cluster.kill(leader);
    run.settle(&mut sent, 100);
    // The second takes with it what the controllers decide by: nobody leads its partitions any more.
    let before = failed(&probe);
    send(&*run.log, run.prefix, &mut sent, 100);
    let leader = cluster.leader(&output, 0);
    cluster.kill(leader);
    run.until("nothing can be committed", || failed(&probe) > before);
    cluster.make_whole();
    run.settle(&mut sent, 100);
    assert!(!probe.ended(), "{}", probe.log());
}

#[test]
fn with_fewer_copies_than_a_topic_demands_nothing_is_committed_and_with_enough_all_of_it_is_there_once() {
    let mut cluster = cluster();
    let (run, mut probe) = start(&cluster, "demanding", 1);
    let [.., output] = conformance::names(run.prefix);
    let mut sent = Sent::default();
    run.settle(&mut sent, 100);
    // Two of three brokers still decide together what is in sync, and answer NOT_ENOUGH_REPLICAS.
    cluster.configure(&output, "min.insync.replicas", "3");
    let leader = cluster.leader(&output, 0);
    cluster.kill((leader + 1) % 3);
    run.until("a copy is behind", || cluster.in_sync(&output, 0) == 2);
    let before = failed(&probe);
    send(&*run.log, run.prefix, &mut sent, 100);
    run.until("transactions fail", || failed(&probe) > before);
    // Nor can it be written that one is aborted: until then there is no other.
    probe.wait_for("transactional id is not available", PATIENCE);
    assert_eq!(appear(&*run.log, run.prefix), 100);
    cluster.make_whole();
    settled(&*run.log, run.prefix, &sent);
    run.settle(&mut sent, 100);
    assert!(!probe.ended(), "{}", probe.log());
}

/// Two clients that are told where partitions end: for readers of committed records, and for all.
struct Ends([BaseConsumer; 2]);

impl Ends {
    fn of(cluster: &Cluster) -> Self {
        Ends(["read_committed", "read_uncommitted"].map(|isolation| {
            let mut client = ClientConfig::new();
            client.set("bootstrap.servers", cluster.brokers()).set("isolation.level", isolation);
            client.create().unwrap()
        }))
    }

    /// Whether a partition ends in a transaction that is open, as far as its leader answers.
    fn open(&self, topic: &str, partition: i32) -> bool {
        let ask = |client: &BaseConsumer| client.fetch_watermarks(topic, partition, Duration::from_millis(500));
        let ends = self.0.each_ref().map(ask);
        matches!(ends, [Ok((_, committed)), Ok((_, all))] if committed < all)
    }
}

#[test]
fn coordinators_and_leaders_that_die_inside_transactions_lose_nothing_and_repeat_nothing() {
    let mut cluster = cluster();
    let (run, mut probe) = start(&cluster, "failover", 3);
    let [_, middle, output] = conformance::names(run.prefix);
    // Each broker leads one of three partitions.
    let written = [&middle, &output].into_iter().flat_map(|topic| (0..3).map(move |partition| (topic, partition)));
    let written: Vec<(&String, i32)> = written.collect();
    let ends = Ends::of(&cluster);
    let mut sent = Sent::default();
    // Who coordinates transactions, who coordinates groups, who leads a partition that is written to.
    for dies in ["__transaction_state", "__consumer_offsets", &output] {
        let node = cluster.leader(dies, 0);
        let led_by_others = |(topic, partition): &&(&String, i32)| cluster.leader(topic, *partition) != node;
        let elsewhere: Vec<&(&String, i32)> = written.iter().filter(led_by_others).collect();
        let open = || elsewhere.iter().any(|(topic, partition)| ends.open(topic, *partition));
        // Only one that needs the broker stays open when it stands still.
        let caught = (0..50).any(|_| {
            send(&*run.log, run.prefix, &mut sent, 50);
            // On a busy machine all of them may have ended between two looks.
            let deadline = Instant::now() + Duration::from_secs(3);
            while !open() {
                if Instant::now() > deadline {
                    return false;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            cluster.signal(node, libc::SIGSTOP);
            std::thread::sleep(Duration::from_millis(300));
            let caught = open();
            if !caught {
                cluster.signal(node, libc::SIGCONT);
            }
            caught
        });
        assert!(caught, "no transaction was ever open while the leader of {dies} stood still");
        cluster.kill(node);
        settled(&*run.log, run.prefix, &sent);
        run.settle(&mut sent, 50);
        cluster.make_whole();
    }
    assert!(!probe.ended(), "{}", probe.log());
}
