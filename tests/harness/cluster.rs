//! Three brokers that are the controllers, too: a record is on all of them, and acknowledged when two have it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::metadata::{Metadata, MetadataPartition};
use schemas::topics::TopicSpec;
use stream::kafka::topics::{Layout, apply};
use stream::settings::Connection;

use crate::kafka::{self, Broker, free_port};

/// Brokers of the cluster.
const NODES: usize = 3;

/// Small enough for three beside everything else.
const SMALL: &[&str] = &["-Xms160m", "-Xmx160m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// Longest wait for the cluster to become what it is to be.
const PATIENCE: Duration = Duration::from_secs(120);

/// Longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// A running cluster. Killed when dropped, or when the test process dies.
pub struct Cluster {
    nodes: Vec<Node>,
    _folder: tempfile::TempDir,
}

struct Node {
    port: u16,
    settings: PathBuf,
    log: PathBuf,
    broker: Option<Broker>,
}

impl Node {
    fn start(&mut self) {
        self.broker = Some(Broker::start(SMALL, &self.settings, &self.log));
    }
}

impl Cluster {
    /// Starts it and waits until every broker takes part.
    pub fn start() -> Self {
        let folder = crate::temporary_folder();
        let ports: Vec<(u16, u16)> = (0..NODES).map(|_| (free_port(), free_port())).collect();
        let voters: Vec<String> =
            ports.iter().zip(1..).map(|((_, controller), id)| format!("{id}@127.0.0.1:{controller}")).collect();
        let mut nodes = Vec::new();
        for ((port, controller), id) in ports.into_iter().zip(1..) {
            let (settings, log) =
                (folder.path().join(format!("{id}.properties")), folder.path().join(format!("{id}.log")));
            let mut lines = kafka::common_settings(NODES);
            lines.extend([
                format!("node.id={id}"),
                format!("controller.quorum.voters={}", voters.join(",")),
                format!("listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}"),
                format!("advertised.listeners=PLAINTEXT://127.0.0.1:{port}"),
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
                format!("log.dirs={}", folder.path().join(id.to_string()).display()),
                // Others take over from a broker that was killed after so long.
                "broker.session.timeout.ms=5000".to_owned(),
                // And it leads again what it led before soon after it came back.
                "leader.imbalance.check.interval.seconds=2".to_owned(),
            ]);
            std::fs::write(&settings, lines.join("\n")).expect("write the broker's settings");
            nodes.push(Node { port, settings, log, broker: None });
        }
        let formats = nodes.iter().map(|node| {
            let mut format = kafka::format(&node.settings);
            format.stdout(Stdio::null()).spawn().expect("these tests run against real Kafka: install Java 17 or newer")
        });
        for mut format in formats.collect::<Vec<_>>() {
            assert!(format.wait().expect("wait for the format").success(), "a broker's folder was not made ready");
        }
        let mut cluster = Cluster { nodes, _folder: folder };
        cluster.make_whole();
        cluster
    }

    /// `host:port` of every broker.
    pub fn brokers(&self) -> String {
        let brokers: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        brokers.join(",")
    }

    /// How to reach it.
    pub fn connection(&self) -> Connection {
        Connection { brokers: self.brokers(), options: Vec::new(), schema_registry: None }
    }

    /// Creates topics with a copy on every broker, this many partitions each where the catalogue does not say one.
    pub fn create(&self, topics: &[TopicSpec], partitions: u32) {
        let layout = Layout { raw: partitions, internal: partitions, replication: NODES as i32 };
        apply(&self.connection(), topics, layout).expect("create topics");
    }

    /// Gives a topic a setting, and the default of every other.
    pub fn configure(&self, topic: &str, name: &str, value: &str) {
        kafka::configure(&kafka::admin(&self.brokers()), topic, name, value);
    }

    /// The broker that leads a partition, waiting until one does.
    pub fn leader(&self, topic: &str, partition: i32) -> usize {
        let mut leader = None;
        self.until("a partition is led", |metadata| {
            leader = metadata.topics().iter().find(|found| found.name() == topic).and_then(|topic| {
                let mut partitions = topic.partitions().iter();
                let led = partitions.find(|found| found.id() == partition && found.leader() > 0)?;
                Some(led.leader() as usize - 1)
            });
            // Of one that was killed the others hear later.
            leader.is_some_and(|leader| self.nodes[leader].broker.is_some())
        });
        leader.expect("it was waited for")
    }

    /// Copies of a partition that have all of it.
    pub fn in_sync(&self, topic: &str, partition: i32) -> usize {
        let mut copies = 0;
        self.until("the brokers answer", |metadata| {
            let topic = metadata.topics().iter().find(|found| found.name() == topic);
            let partitions = topic.map(|topic| topic.partitions()).unwrap_or_default();
            copies = partitions.iter().find(|found| found.id() == partition).map_or(0, |found| found.isr().len());
            copies > 0
        });
        copies
    }

    /// Kills a broker as a power cut would.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].broker = None;
    }

    /// Sends a signal to a broker: `libc::SIGSTOP`, `libc::SIGCONT`.
    pub fn signal(&self, node: usize, signal: i32) {
        self.nodes[node].broker.iter().for_each(|broker| broker.signal(signal));
    }

    /// Starts brokers that were killed, lets those go on that were stopped, and waits until every copy of everything has all
    /// of it and each broker leads what it led at first.
    pub fn make_whole(&mut self) {
        (0..NODES).for_each(|node| self.signal(node, libc::SIGCONT));
        self.nodes.iter_mut().filter(|node| node.broker.is_none()).for_each(Node::start);
        self.until("every copy is in sync", |metadata| {
            let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
            let whole = |found: &MetadataPartition| {
                found.isr().len() == NODES && found.replicas().first() == Some(&found.leader())
            };
            metadata.brokers().len() == NODES && partitions.all(whole)
        });
    }

    fn until(&self, what: &str, mut condition: impl FnMut(&Metadata) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let asking: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.brokers())
            .create()
            .expect("the settings are librdkafka's");
        while !asking.fetch_metadata(None, ANSWER_MAX).is_ok_and(|metadata| condition(&metadata)) {
            assert!(Instant::now() < deadline, "waited in vain until {what}: {}", self.logs());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What the brokers have logged.
    fn logs(&self) -> String {
        self.nodes.iter().map(|node| std::fs::read_to_string(&node.log).unwrap_or_default()).collect()
    }
}
