//! A real Kafka broker from its published jars: KRaft, one node, small, gone with the test. `cluster` starts three.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::topics::TopicSpec;
use stream::kafka::topics::{Layout, apply};
use stream::settings::Connection;

use crate::administer::{self, Right};
use crate::proxy::Proxy;

/// A running broker. Killed with everything it started when dropped, or when the test process dies.
pub struct Kafka {
    port: u16,
    proxy: Proxy,
    process: Broker,
    folder: tempfile::TempDir,
    /// Port of the listener besides the plain ones.
    beside: Option<u16>,
}

/// A broker's process.
pub(crate) struct Broker(Child);

/// What a broker listens for besides plain connections, which may do everything.
#[derive(Clone, Copy)]
enum Beside<'a> {
    Nothing,
    /// Connections with TLS and SCRAM-SHA-512.
    Secured,
    /// Connections of these users, whose passwords are their names and who may do only what they were allowed.
    Guarded(&'a [&'a str]),
}

/// User of the listener that demands TLS and SCRAM, and its password.
const USER: (&str, &str) = ("spendstream", "not=so=secret");

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the repository")
}

/// Fetches the jars once; later runs, and other test binaries, find them.
fn jars() -> PathBuf {
    let folder = repository().join("target/kafka-jars");
    let complete = folder.join("complete");
    if complete.exists() {
        return folder;
    }
    std::fs::create_dir_all(&folder).expect("create target/kafka-jars");
    let lock = std::fs::File::create(repository().join("target/kafka-jars.lock")).expect("create the lock file");
    lock.lock().expect("lock the download");
    if complete.exists() {
        return folder;
    }
    let status = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(repository().join("tests/kafka/pom.xml"))
        .arg("org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies")
        .arg("-DincludeScope=runtime")
        .arg(format!("-DoutputDirectory={}", folder.display()))
        .status()
        .expect("these tests run against real Kafka: install Maven (mvn) and Java 17 or newer");
    assert!(status.success(), "Maven could not fetch Kafka's jars: see its message above");
    std::fs::write(complete, "").expect("mark the download as complete");
    folder
}

/// A port nobody listens on now, and that no connection takes for its own end meanwhile: those are numbered from 32,768 on.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 12_000;
    const PORTS: u16 = 20_000;
    // Each process begins elsewhere.
    let begin = (std::process::id().wrapping_mul(7_919) % u32::from(PORTS)) as u16;
    let candidates = || FIRST + begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(candidates).take(usize::from(PORTS)).find(is_free).expect("a free port")
}

/// A broker that starts fast and stays small: most tests write little.
const SMALL: &[&str] = &["-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// A broker with the machine's usual collector and compiler, and some memory: what carries a load.
const FOR_LOAD: &[&str] = &["-Xms384m", "-Xmx384m"];

fn java(jars: &Path, options: &[&str], class: &str) -> Command {
    let mut java = Command::new("java");
    java.args(options)
        .arg("-Djava.awt.headless=true")
        .arg(format!("-Dlog4j2.configurationFile=file:{}", repository().join("tests/kafka/log4j2.xml").display()))
        .arg("-cp")
        .arg(format!("{}/*", jars.display()))
        .arg(class);
    java
}

/// Runs on a thread that never ends: the signal below is tied to the thread that started the process.
fn spawn(mut command: Command) -> Child {
    type Job = (Command, std::sync::mpsc::Sender<std::io::Result<Child>>);
    static SPAWNER: Mutex<Option<std::sync::mpsc::Sender<Job>>> = Mutex::new(None);
    // SAFETY: both calls are async-signal-safe and touch nothing of the parent's.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    let (answer, child) = std::sync::mpsc::channel();
    let mut spawner = SPAWNER.lock().expect("the spawner does not panic");
    let jobs = spawner.get_or_insert_with(|| {
        let (jobs, queue) = std::sync::mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, answer) in queue {
                let _ = answer.send(command.spawn());
            }
        });
        jobs
    });
    jobs.send((command, answer)).expect("the spawner lives as long as the process");
    child.recv().expect("the spawner answers").expect("these tests run against real Kafka: install Java 17 or newer")
}

/// Adds a listener to a broker's settings.
fn listen(lines: &mut [String], name: &str, port: u16, protocol: &str) {
    for line in lines {
        match line.split_once('=').map_or("", |(key, _)| key) {
            "listeners" => line.push_str(&format!(",{name}://127.0.0.1:{port}")),
            "advertised.listeners" => line.push_str(&format!(",{name}://localhost:{port}")),
            "listener.security.protocol.map" => line.push_str(&format!(",{name}:{protocol}")),
            _ => {}
        }
    }
}

/// Adds a listener for users whose rights are checked to a broker's settings; its port. Who comes by the others may do
/// everything: the harness, and the broker itself.
fn guard(users: &[&str], lines: &mut Vec<String>) -> u16 {
    let port = free_port();
    listen(lines, "GUARDED", port, "SASL_PLAINTEXT");
    let users: String = users.iter().map(|user| format!(" user_{user}=\"{user}\"")).collect();
    let login = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    lines.extend([
        "listener.name.guarded.sasl.enabled.mechanisms=PLAIN".to_owned(),
        format!("listener.name.guarded.plain.sasl.jaas.config={login}{users};"),
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
        "super.users=User:ANONYMOUS".to_owned(),
    ]);
    port
}

/// Adds a listener that demands TLS and SCRAM to a broker's settings; its port. Leaves the certificate that clients are to
/// trust in the folder.
fn secure(folder: &Path, lines: &mut Vec<String>) -> u16 {
    let port = free_port();
    let store = folder.join("broker.p12").display().to_string();
    let authority = folder.join("authority.pem").display().to_string();
    let keytool = |arguments: &[&str]| {
        let common = ["-keystore", &store, "-storepass", "changeit", "-storetype", "PKCS12", "-alias", "broker"];
        let output = Command::new("keytool").args(arguments).args(common).output();
        let output = output.expect("keytool comes with Java 17 or newer: install it");
        assert!(output.status.success(), "keytool: {}", String::from_utf8_lossy(&output.stdout));
    };
    let names = "san=dns:localhost,ip:127.0.0.1";
    keytool(&["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=localhost", "-ext", names]);
    keytool(&["-exportcert", "-rfc", "-file", &authority]);
    listen(lines, "SECURED", port, "SASL_SSL");
    let login = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    lines.extend([
        format!("ssl.keystore.location={store}"),
        "ssl.keystore.password=changeit".to_owned(),
        "ssl.keystore.type=PKCS12".to_owned(),
        "listener.name.secured.sasl.enabled.mechanisms=SCRAM-SHA-512".to_owned(),
        format!("listener.name.secured.scram-sha-512.sasl.jaas.config={login}"),
    ]);
    port
}

/// Settings of every broker, which keeps so many copies of a record and acknowledges it when all but one have it.
pub(crate) fn common_settings(copies: usize) -> Vec<String> {
    let own = |topic: &str| {
        [format!("{topic}.replication.factor={copies}"), format!("{topic}.min.isr={}", 1.max(copies - 1))]
    };
    let mut lines = [own("transaction.state.log"), own("share.coordinator.state.topic")].concat();
    lines.push(format!("offsets.topic.replication.factor={copies}"));
    let settings = [
        "process.roles=broker,controller",
        "inter.broker.listener.name=PLAINTEXT",
        "controller.listener.names=CONTROLLER",
        "auto.create.topics.enable=false",
        "num.network.threads=2",
        "num.io.threads=4",
        "offsets.topic.num.partitions=2",
        "transaction.state.log.num.partitions=2",
        "group.initial.rebalance.delay.ms=0",
        "group.min.session.timeout.ms=1000",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms=500",
        "log.index.size.max.bytes=1048576",
        "log.cleaner.dedupe.buffer.size=2097152",
        "log.cleaner.threads=1",
        // A client that was told to keep to a quota may have two seconds' worth at once.
        "quota.window.num=3",
    ];
    lines.extend(settings.map(str::to_owned));
    lines
}

/// Makes ready the folder of a broker with these settings.
pub(crate) fn format(settings: &Path) -> Command {
    let mut format = java(&jars(), SMALL, "kafka.tools.StorageTool");
    format.args(["format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c"]).arg(settings);
    format.args(["--add-scram", &format!("SCRAM-SHA-512=[name={},password={}]", USER.0, USER.1)]);
    format
}

impl Broker {
    /// Starts it. What it logs goes behind what is in the file.
    pub(crate) fn start(options: &[&str], settings: &Path, log: &Path) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(log).expect("open the broker's log");
        let mut broker = java(&jars(), options, "kafka.Kafka");
        broker.arg(settings).stdin(Stdio::null());
        broker.stdout(log.try_clone().expect("share the log")).stderr(log);
        Broker(spawn(broker))
    }

    /// Whether it has ended by itself.
    pub(crate) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.0.try_wait().expect("ask for the broker's state")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: i32) {
        // SAFETY: the process was started by this value and is reaped only when it is dropped.
        unsafe { libc::kill(self.0.id() as i32, signal) };
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // SAFETY: the group was created by the broker's own setsid, and the broker is not reaped yet.
        unsafe { libc::kill(-(self.0.id() as i32), libc::SIGKILL) };
        let _ = self.0.wait();
    }
}

impl Kafka {
    /// Starts a broker and waits until it answers.
    pub fn start() -> Self {
        Kafka::run(SMALL, Beside::Nothing)
    }

    /// Starts one with another listener, which demands TLS and SCRAM-SHA-512.
    pub fn secured() -> Self {
        Kafka::run(SMALL, Beside::Secured)
    }

    /// Starts one with another listener for these users, who may do nothing until [`Kafka::allow`] says so.
    pub fn guarded(users: &[&str]) -> Self {
        Kafka::run(SMALL, Beside::Guarded(users))
    }

    /// Starts one with a Java virtual machine set up to carry a load.
    pub fn start_for_load() -> Self {
        Kafka::run(FOR_LOAD, Beside::Nothing)
    }

    fn run(options: &[&str], beside: Beside<'_>) -> Self {
        let folder = crate::temporary_folder();
        let (port, controller, inner) = (free_port(), free_port(), free_port());
        let proxy = Proxy::start(inner);
        let settings = folder.path().join("server.properties");
        let mut lines = common_settings(1);
        lines.extend([
            "node.id=1".to_owned(),
            format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
            // Clients that come through the proxy are told the proxy's port, so that they stay there.
            format!(
                "listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{inner},CONTROLLER://127.0.0.1:{controller}"
            ),
            format!("advertised.listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{}", proxy.port()),
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
            format!("log.dirs={}", folder.path().join("data").display()),
        ]);
        let beside = match beside {
            Beside::Nothing => None,
            Beside::Secured => Some(secure(folder.path(), &mut lines)),
            Beside::Guarded(users) => Some(guard(users, &mut lines)),
        };
        std::fs::write(&settings, lines.join("\n")).expect("write the broker's settings");
        let output = format(&settings).output().expect("these tests run against real Kafka: install Java 17 or newer");
        assert!(output.status.success(), "format: {}", String::from_utf8_lossy(&output.stderr));
        let process = Broker::start(options, &settings, &folder.path().join("broker.log"));
        let mut kafka = Kafka { port, proxy, process, folder, beside };
        kafka.wait_until_it_answers();
        kafka
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            let up = TcpStream::connect(("127.0.0.1", self.port)).is_ok()
                && stream::kafka::KafkaLog::connect(&self.connection(), "harness").is_ok();
            if up {
                return;
            }
            let ended = self.process.ended();
            if ended.is_some() || Instant::now() > deadline {
                panic!("the broker did not start ({ended:?}):\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the broker has logged.
    pub fn log(&self) -> String {
        let mut text = String::new();
        let file = std::fs::File::open(self.folder.path().join("broker.log"));
        let _ = file.and_then(|mut file| file.read_to_string(&mut text));
        text
    }

    /// How to reach it.
    pub fn connection(&self) -> Connection {
        Connection { brokers: self.brokers(), options: Vec::new(), schema_registry: None }
    }

    /// How to reach the listener of [`Kafka::secured`].
    ///
    /// # Panics
    /// When the broker was started without one.
    pub fn secured_connection(&self) -> Connection {
        let port = self.beside.expect("the broker was started by Kafka::secured");
        let authority = self.folder.path().join("authority.pem").display().to_string();
        let options = [
            ("security.protocol", "SASL_SSL"),
            ("ssl.ca.location", &authority),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", USER.0),
            ("sasl.password", USER.1),
        ];
        let options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        Connection { brokers: format!("localhost:{port}"), options, schema_registry: None }
    }

    /// How one of the users of [`Kafka::guarded`] reaches it.
    ///
    /// # Panics
    /// When the broker was started without them.
    pub fn connection_of(&self, user: &str) -> Connection {
        let port = self.beside.expect("the broker was started by Kafka::guarded");
        let options = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", user),
            ("sasl.password", user),
        ];
        let options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        Connection { brokers: format!("localhost:{port}"), options, schema_registry: None }
    }

    /// Allows users of [`Kafka::guarded`] what they are to do.
    pub fn allow(&self, rights: &[Right<'_>]) {
        administer::allow(&self.brokers(), rights);
    }

    /// Bounds what clients of this `client.id` may write, in bytes a second.
    pub fn limit(&self, client: &str, bytes: f64) {
        administer::limit(&self.brokers(), client, bytes);
    }

    /// Folder of everything the broker writes; its log files are in `data`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Id of the broker's process.
    pub fn process_id(&self) -> u32 {
        self.process.0.id()
    }

    /// `host:port`.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `host:port` of the proxy.
    pub fn proxied(&self) -> String {
        format!("127.0.0.1:{}", self.proxy.port())
    }

    /// Records of a topic that were written but never committed; nobody may have a transaction open.
    pub fn aborted(&self, topic: &str) -> usize {
        self.count(topic, "read_uncommitted") - self.count(topic, "read_committed")
    }

    fn count(&self, topic: &str, isolation: &str) -> usize {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", self.brokers()).set("group.id", "count").set("enable.auto.commit", "false");
        client.set("enable.partition.eof", "true").set("isolation.level", isolation);
        let consumer: BaseConsumer = client.create().expect("the settings are librdkafka's");
        let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(30)).expect("the broker answers");
        let mut open = metadata.topics()[0].partitions().len();
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, open as i32 - 1);
        list.set_all_offsets(Offset::Beginning).expect("every partition has a beginning");
        consumer.assign(&list).expect("assign partitions");
        let mut records = 0;
        while open > 0 {
            match consumer.poll(Duration::from_secs(30)).unwrap_or_else(|| panic!("{topic} cannot be read to its end"))
            {
                Ok(_) => records += 1,
                Err(KafkaError::PartitionEOF(_)) => open -= 1,
                Err(error) => panic!("read {topic}: {error}"),
            }
        }
        records
    }

    /// The proxy: clients that begin with its port stay on it.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Creates topics, this many partitions each where the catalogue does not say one.
    pub fn create(&self, topics: &[TopicSpec], partitions: u32) {
        let layout = Layout { raw: partitions, internal: partitions, replication: 1 };
        apply(&self.connection(), topics, layout).expect("create topics");
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        admin(&self.brokers())
    }

    /// Deletes topics, all of which must be there.
    pub fn delete(&self, topics: &[&str]) {
        let deleted = futures::executor::block_on(self.admin().delete_topics(topics, &AdminOptions::new()));
        let deleted = deleted.expect("the broker answers");
        assert!(deleted.iter().all(Result::is_ok), "delete topics: {deleted:?}");
    }

    /// Deletes every group whose name has this in it, and its offsets with it; gives how many there were. None may have members.
    pub fn delete_groups(&self, named: &str) -> usize {
        let mut client = ClientConfig::new();
        let asking: BaseConsumer =
            client.set("bootstrap.servers", self.brokers()).create().expect("the settings are librdkafka's");
        let known = asking.fetch_group_list(None, Duration::from_secs(30)).expect("the broker answers");
        let groups: Vec<&str> =
            known.groups().iter().map(|group| group.name()).filter(|name| name.contains(named)).collect();
        let deleted = futures::executor::block_on(self.admin().delete_groups(&groups, &AdminOptions::new()));
        let deleted = deleted.expect("the broker answers");
        assert!(deleted.iter().all(Result::is_ok), "delete groups: {deleted:?}");
        deleted.len()
    }

    /// Gives a topic a setting, and the default of every other.
    pub fn configure(&self, topic: &str, name: &str, value: &str) {
        configure(&self.admin(), topic, name, value);
    }

    /// Deletes the records of a partition before an offset.
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let admin = self.admin();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(before)).expect("an offset that can be");
        let delete = || {
            let deleted = futures::executor::block_on(admin.delete_records(&list, &AdminOptions::new()));
            deleted.expect("the broker answers").elements()[0].error()
        };
        // A broker may not have heard yet that a topic is not compacted any more.
        let unheard = Err(KafkaError::OffsetFetch(RDKafkaErrorCode::PolicyViolation));
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut deleted = delete();
        while deleted == unheard && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
            deleted = delete();
        }
        assert_eq!(deleted, Ok(()), "delete records of {topic}/{partition}");
    }

    /// Sends a signal to the broker: `libc::SIGSTOP`, `libc::SIGCONT`.
    pub fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }
}

pub(crate) fn admin(brokers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", brokers).create().expect("the settings are librdkafka's")
}

/// Gives a topic a setting, and the default of every other.
pub(crate) fn configure(admin: &AdminClient<DefaultClientContext>, topic: &str, name: &str, value: &str) {
    let settings = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(name, value);
    let answered = futures::executor::block_on(admin.alter_configs(&[settings], &AdminOptions::new()));
    let answered = answered.expect("the broker answers");
    assert!(answered.iter().all(Result::is_ok), "alter {topic}: {answered:?}");
}
