//! A broker with topics, reference data and raw events, and the service processes that work on it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use schemas::{Timestamp, topics};
use spendstream_tests::kafka::Kafka;
use spendstream_tests::process::Process;
use stream::kafka::KafkaLog;

use crate::Config;
use crate::events::{Events, KEYS, TEAMS, number};
use crate::measure::{Used, rate, thousands};

/// Raw events happened within this time before they were written.
const SPAN: Duration = Duration::from_secs(3_600);

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Builds the services as this program was built, beside it.
pub fn build() -> anyhow::Result<()> {
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    cargo.args(["build", "--quiet", "--workspace", "--bins"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    ensure!(cargo.status().context("run cargo")?.success(), "the services do not build");
    Ok(())
}

/// A program of this build.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("find this program")?;
    Ok(own.with_file_name(name))
}

/// The wall clock.
pub fn now() -> Timestamp {
    Timestamp::from(chrono::Utc::now())
}

/// A broker of its own, with everything but services.
pub struct Cluster {
    /// The broker.
    pub kafka: Kafka,
    /// Its topics, seen from outside.
    pub log: KafkaLog,
    /// Partitions of every topic.
    pub partitions: u32,
    lanes: usize,
    environment: &'static str,
}

impl Cluster {
    /// Starts a broker, creates the topics and publishes reference data: the example price book, 200 teams with their
    /// keys and budgets, and as many teams more, each with a budget that its first event exceeds.
    pub fn start(config: &Config, watched: usize) -> anyhow::Result<Self> {
        let kafka = Kafka::start_for_load();
        let log = KafkaLog::connect(&kafka.connection(), "bench")?;
        let cluster = Cluster { kafka, log, partitions: config.partitions, lanes: config.lanes, environment: "bench" };
        cluster.create_topics()?;
        let folder = tempfile::tempdir().context("create a temporary folder")?;
        reference_data(folder.path(), watched)?;
        cluster.spendstream(&["apply", &folder.path().display().to_string()])?;
        Ok(cluster)
    }

    fn create_topics(&self) -> anyhow::Result<()> {
        let partitions = self.partitions.to_string();
        let layout = ["--partitions", &partitions, "--raw-partitions", &partitions, "--replication", "1"];
        self.spendstream(&[["topics", "apply"].as_slice(), &layout].concat())?;
        Ok(())
    }

    /// Lets services that are started from now on begin anew with the same raw events: what others made of them is gone.
    pub fn begin_anew(&mut self) -> anyhow::Result<()> {
        let made = topics::catalogue(&[topics::RAW]);
        let made = made.iter().map(|topic| topic.name.as_str());
        self.kafka.delete(&made.filter(|name| *name != topics::RAW && !name.starts_with("ref.")).collect::<Vec<_>>());
        self.environment = "bench-again";
        self.create_topics()
    }

    /// What the broker has used.
    pub fn broker(&self) -> anyhow::Result<Used> {
        Used::by(self.kafka.process_id())
    }

    /// Runs a `spendstream` command on this cluster; gives what it printed.
    pub fn spendstream(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(binary("spendstream")?);
        let output = command.args(arguments).args(["--brokers", &self.kafka.brokers()]).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("spendstream {}:\n{text}{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(text)
    }

    /// Starts a service with its default settings and these.
    pub fn service(&self, name: &str, settings: &[&str]) -> anyhow::Result<Process> {
        let mut command = Command::new(binary(&format!("spendstream-{name}"))?);
        command.args(["--brokers", &self.kafka.brokers(), "--environment", self.environment, "--instance", "only"]);
        command.args(["--listen", "127.0.0.1:0", "--lanes", &self.lanes.to_string()]).args(settings);
        Ok(Process::start(command))
    }

    /// A producer as an application would have one.
    pub fn producer(&self, linger: Duration) -> anyhow::Result<BaseProducer> {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", self.kafka.brokers())
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", linger.as_millis().to_string())
            .set("batch.size", "1000000")
            .set("queue.buffering.max.messages", "500000")
            .set("partitioner", "murmur2_random");
        client.create().context("create a producer")
    }

    /// Writes raw events, spread over the hour before now.
    pub fn fill(&self, topic: &str, events: Events, records: u64) -> anyhow::Result<()> {
        let start = now().plus_seconds(-(SPAN.as_secs() as i64));
        self.fill_at(topic, events, records, |number| {
            let offset = SPAN.as_micros() * u128::from(number) / u128::from(records.max(1));
            Timestamp::from_micros(start.micros() + offset as i64)
        })
    }

    /// Writes raw events, each at the time that its number is given.
    pub fn fill_at(
        &self,
        topic: &str,
        events: Events,
        records: u64,
        time: impl Fn(u64) -> Timestamp,
    ) -> anyhow::Result<()> {
        let producer = self.producer(Duration::from_millis(20))?;
        let began = Instant::now();
        let (mut event, mut bytes) = (String::new(), 0);
        for nth in 0..records {
            let number = number(nth);
            let id = events.write(number, time(number), None, &mut event);
            bytes += event.len();
            send(&producer, topic, &id, event.as_bytes())?;
        }
        producer.flush(PATIENCE).context("write raw events")?;
        let (took, mean) = (began.elapsed(), bytes as u64 / records.max(1));
        eprintln!(
            "{} raw events of {mean} bytes written at {} a second",
            thousands(records),
            thousands(rate(records, took))
        );
        Ok(())
    }
}

/// Hands a record over, waiting while the client's queue is full.
pub fn send(producer: &BaseProducer, topic: &str, key: &str, payload: &[u8]) -> anyhow::Result<()> {
    let mut record = BaseRecord::to(topic).key(key).payload(payload);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.poll(Duration::from_millis(1));
            }
            Err((error, _)) => bail!("write to {topic}: {error}"),
        }
    }
}

/// Writes a configuration folder.
fn reference_data(folder: &Path, watched: usize) -> anyhow::Result<()> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example/prices");
    let prices = folder.join("prices");
    std::fs::create_dir(&prices)?;
    for entry in std::fs::read_dir(&example).context("read the example price book")? {
        let entry = entry?;
        std::fs::copy(entry.path(), prices.join(entry.file_name()))?;
    }
    let (mut owners, mut budgets) = ("claims: known\nkeys:\n".to_owned(), "budgets:\n".to_owned());
    for key in 0..KEYS {
        writeln!(owners, "  - {{key: key-{key}, owner: {{team: team-{}}}}}", key % TEAMS)?;
    }
    for number in 0..watched {
        writeln!(owners, "  - {{key: {}, owner: {{team: watched-{number}}}}}", watched_key(number))?;
    }
    let tags = "{project: project, environment: environment, use_case: use_case}";
    writeln!(owners, "rules:\n  - {{id: labels, from_tags: {tags}}}")?;
    let mut budget = |team: &str, amount: &str| {
        writeln!(
            budgets,
            "  - {{id: {team}, name: {team}, tenant: default, scope: {{team: {team}}}, currency: USD, amounts: \
             {{month: \"{amount}\"}}, thresholds: [{{period: month, share: \"1\", action: notify, severity: warning}}]}}"
        )
    };
    (0..TEAMS).try_for_each(|team| budget(&format!("team-{team}"), "1000"))?;
    (0..watched).try_for_each(|number| budget(&format!("watched-{number}"), "0.000001"))?;
    std::fs::write(folder.join("owners.yaml"), owners)?;
    std::fs::write(folder.join("budgets.yaml"), budgets)?;
    Ok(())
}

/// The key whose events are the watched team's of this number.
pub fn watched_key(number: usize) -> String {
    format!("key-watched-{number}")
}
