//! The four services as processes, in several instances each, on real Kafka and real object storage.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use schemas::{LedgerEntry, topics};
use stream::Log;

use crate::books::Books;
use crate::kafka::Kafka;
use crate::process::Process;
use crate::s3::S3;

/// Name of the installation: first part of every transactional id.
pub const ENVIRONMENT: &str = "story";

/// A commit to each of the lake's tables this often is enough to be disturbed, and what every commit costs (the log read
/// to its end, a file, a commit) would otherwise be most of what a story costs.
const LAKE_FILE_AGE: &str = "3s";

/// A service of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// `spendstream-ingest`.
    Ingest,
    /// `spendstream-enrich`.
    Enrich,
    /// `spendstream-aggregate`.
    Aggregate,
    /// `spendstream-sink`.
    Sink,
}

impl Service {
    /// All of them, in the order data flows.
    pub const ALL: [Service; 4] = [Service::Ingest, Service::Enrich, Service::Aggregate, Service::Sink];

    fn binary(self) -> &'static str {
        match self {
            Service::Ingest => "spendstream-ingest",
            Service::Enrich => "spendstream-enrich",
            Service::Aggregate => "spendstream-aggregate",
            Service::Sink => "spendstream-sink",
        }
    }
}

/// The folder with this build's binaries, which are built first if they are not there or not up to date.
pub fn binaries() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // The same features as `cargo test --workspace` (`--tests` counts what only tests depend on: without it half of the
        // dependencies are built a second time), and none of the variables that cargo gives a test: build scripts that
        // watch them (ring's does) would build themselves and all that depends on them again, twice a run.
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--workspace", "--bins", "--tests"]);
        for (name, _) in std::env::vars() {
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_BIN_") {
                build.env_remove(name);
            }
        }
        let built = build.status();
        assert!(built.expect("cargo runs").success(), "the services do not build");
        let test = std::env::current_exe().expect("a test knows its own path");
        test.ancestors().nth(2).expect("tests live in target/<profile>/deps").to_owned()
    })
}

/// One of this build's programs. The settings of whoever runs the tests do not reach it.
pub fn program(name: &str) -> Command {
    let mut command = Command::new(binaries().join(name));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SPENDSTREAM_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command
}

/// An instance of a service, with timeouts short enough for tests.
pub fn service(service: Service, brokers: &str, instance: u32) -> Command {
    let mut command = program(service.binary());
    command.args(["--brokers", brokers, "--environment", ENVIRONMENT, "--instance", &instance.to_string()]);
    command.args(["--listen", "127.0.0.1:0", "--lanes", "1"]);
    command.args(["--transaction-timeout", "4s", "--session-timeout", "6s"]);
    command
}

/// A `spendstream` command in a folder, without a broker: whether it succeeded, and what it printed.
pub fn spendstream(folder: &Path, arguments: &[&str]) -> (bool, String) {
    outcome(program("spendstream").args(arguments).current_dir(folder))
}

/// Whether a command succeeded, and what it printed.
fn outcome(command: &mut Command) -> (bool, String) {
    let output = command.output().expect("the command runs");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// Folder of the example reference data.
pub fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example")
}

/// A running pipeline.
pub struct Deployment<'a> {
    kafka: &'a Kafka,
    s3: &'a S3,
    running: BTreeMap<(Service, u32), Process>,
    /// Instances that were let loose after a pause.
    zombies: BTreeSet<(Service, u32)>,
    /// Zombies that had to end because somebody else had their name.
    fenced: usize,
    /// Logs of processes that have ended.
    ended: String,
}

impl<'a> Deployment<'a> {
    /// Creates the topics and publishes the example reference data. Nothing runs yet.
    pub fn prepare(kafka: &'a Kafka, s3: &'a S3, partitions: u32) -> Self {
        let (running, zombies) = (BTreeMap::new(), BTreeSet::new());
        let deployment = Deployment { kafka, s3, running, zombies, fenced: 0, ended: String::new() };
        let partitions = partitions.to_string();
        deployment.run(&[
            "topics",
            "apply",
            "--partitions",
            &partitions,
            "--raw-partitions",
            &partitions,
            "--replication",
            "1",
        ]);
        deployment.run(&["apply", &example().display().to_string()]);
        deployment
    }

    /// Address of the lake.
    pub fn lake(&self) -> String {
        "s3://lake/spend".to_owned()
    }

    /// A `spendstream` command against this deployment: whether it succeeded, and what it printed.
    pub fn command(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = program("spendstream");
        outcome(command.args(arguments).args(["--brokers", &self.kafka.brokers()]).envs(self.s3.environment()))
    }

    /// A `spendstream` command that must succeed; gives what it printed.
    pub fn run(&self, arguments: &[&str]) -> String {
        let (well, text) = self.command(arguments);
        assert!(well, "spendstream {}:\n{text}", arguments.join(" "));
        text
    }

    /// Starts an instance of a service, or starts it again.
    pub fn start(&mut self, service: Service, instance: u32) {
        // Through the proxy, which can lose and hold what services say to the broker.
        let mut command = self::service(service, &self.kafka.proxied(), instance);
        if service == Service::Sink {
            command.args(["--lake", &self.lake(), "--lake-file-age", LAKE_FILE_AGE]).envs(self.s3.environment());
        }
        let old = self.running.insert((service, instance), Process::start(command));
        assert!(old.is_none(), "{service:?} {instance} was running");
    }

    /// Starts this many instances of every service.
    pub fn start_all(&mut self, instances: u32) {
        for service in Service::ALL {
            (0..instances).for_each(|instance| self.start(service, instance));
        }
    }

    /// Kills an instance as a power cut would.
    pub fn kill(&mut self, service: Service, instance: u32) {
        if let Some(process) = self.running.remove(&(service, instance)) {
            self.ended.push_str(&process.log());
            process.kill();
        }
    }

    /// Stops (`SIGSTOP`) an instance in its tracks, or lets it go on (`SIGCONT`).
    pub fn pause(&mut self, service: Service, instance: u32, paused: bool) {
        if !paused {
            self.zombies.insert((service, instance));
        }
        if let Some(process) = self.running.get(&(service, instance)) {
            process.signal(if paused { libc::SIGSTOP } else { libc::SIGCONT });
        }
    }

    /// Checks that nothing has ended that was not killed.
    ///
    /// Except a zombie that the broker told somebody else has its name: it has to end, and whoever runs it starts it again.
    pub fn check(&mut self) {
        let ended = self.running.iter_mut().filter_map(|(id, process)| process.ended().then_some(*id));
        for (service, instance) in ended.collect::<Vec<_>>() {
            let log = self.running[&(service, instance)].log();
            let fenced = self.zombies.remove(&(service, instance)) && log.contains("give each its own --instance");
            assert!(fenced, "{service:?} {instance} has ended by itself:\n{}", tail(&log));
            self.fenced += 1;
            self.kill(service, instance);
            self.start(service, instance);
        }
    }

    /// How many zombies had to end because the broker told them that somebody else has their name.
    pub fn fenced(&self) -> usize {
        self.fenced
    }

    /// Asks every process to stop; each must end well.
    pub fn stop(&mut self) {
        for ((service, instance), process) in std::mem::take(&mut self.running) {
            let (well, log) = process.stop(Duration::from_secs(30));
            assert!(well, "{service:?} {instance} did not end well:\n{log}");
            self.ended.push_str(&log);
        }
    }

    /// What a running instance has logged.
    pub fn log(&self, service: Service, instance: u32) -> String {
        self.running.get(&(service, instance)).map(Process::log).unwrap_or_default()
    }

    /// Everything every process has logged.
    pub fn logs(&self) -> String {
        self.running.values().fold(self.ended.clone(), |logs, process| logs + &process.log())
    }

    /// Waits until every record sent was taken by ingest, and every item that a stage sent was received by the next.
    pub fn settle(&mut self, log: &dyn Log, records: usize, at_most: Duration) {
        let deadline = Instant::now() + at_most;
        let mut books = Books::new(log);
        loop {
            self.check();
            books.refresh();
            match under_way(books.entries(), records as i64) {
                None => return,
                Some(state) if Instant::now() > deadline => {
                    panic!("not settled within {at_most:?}: {state}\n{}", tail(&self.logs()))
                }
                Some(_) => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }
}

/// What is still under way of so many raw records, by the books of every stage; `None` when all is through.
pub fn under_way(entries: &[LedgerEntry], records: i64) -> Option<String> {
    let ingest = entries.iter().filter(|entry| entry.stage == "ingest" && entry.topic == topics::RAW);
    let taken: i64 = ingest.flat_map(|entry| &entry.counts).filter(|c| c.name == "records").map(|c| c.count).sum();
    if taken != records {
        return Some(format!("ingest has taken {taken} of {records} records"));
    }
    for from in entries {
        for sent in from.sent.iter().filter(|sent| sent.items > 0) {
            let Some(to) = entries.iter().find(|to| to.topic == sent.topic && to.partition == sent.partition) else {
                // Topics that only the sink reads have no books of a stage; a stage that has only just begun has none yet.
                if topics::SLOTTED.contains(&&*sent.topic) {
                    return Some(format!("nobody has begun to read {} {}", sent.topic, sent.partition));
                }
                continue;
            };
            let received =
                to.received.iter().find(|row| row.source_topic == from.topic && row.source_partition == from.partition);
            let counted = received.map_or(0, |row| row.items_counted);
            if counted != sent.items {
                return Some(format!(
                    "{} {} of {} {}: {counted} of {} items from {} {}",
                    to.stage, to.partition, to.topic, to.partition, sent.items, from.topic, from.partition
                ));
            }
        }
    }
    None
}

fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(20_000);
    text.get(start..).unwrap_or(text)
}
