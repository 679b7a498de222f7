//! Clients of librdkafka: their settings, and their logs and errors on the way to `tracing`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataPartition;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::topics::RECORD_BYTES_MAX;
use crate::settings::{Connection, Settings};

/// Longest wait for an answer to a question that any healthy cluster answers at once.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Who was given none because brokers come and go asks again after so long.
pub(crate) const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Most records of a partition in one request of a producer, and most bytes before they are packed: what brokers take of any topic.
pub(crate) const REQUEST_RECORDS_MAX: usize = 10_000;
pub(crate) const REQUEST_BYTES_MAX: usize = 1_000_000;

/// Most bytes of a request of a stage, before they are packed: three full batches, and less than its topics take even where nothing
/// can be packed.
pub(crate) const STAGE_REQUEST_BYTES_MAX: usize = RECORD_BYTES_MAX - RECORD_BYTES_MAX / 16;

/// Settings that the guarantees rest on.
const RESERVED: &[&str] = &[
    "auto.offset.reset",
    "delivery.report.only.error",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "acks",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "isolation.level",
    "max.poll.interval.ms",
    "message.timeout.ms",
    "partition.assignment.strategy",
    "session.timeout.ms",
    "transaction.timeout.ms",
    "transactional.id",
];

/// Comes before everything else: refuses settings the driver decides itself and those this build cannot meet, and frames
/// payloads for the schema registry where one is named.
pub(crate) fn prepare(connection: &Connection) -> anyhow::Result<()> {
    for (key, value) in &connection.options {
        let value_upper = value.to_uppercase();
        let encrypted = key == "security.protocol" && value_upper.contains("SSL")
            || key.starts_with("sasl.mechanism") && value_upper.starts_with("SCRAM");
        if encrypted && cfg!(not(feature = "tls")) {
            bail!(
                "--kafka {key}={value} needs TLS, which this build leaves out: build with --features spendstream-stream/tls"
            );
        }
        if RESERVED.contains(&key.as_str()) {
            bail!("--kafka {key}={value} cannot be set: exactly-once processing depends on the value the service sets");
        }
    }
    match &connection.schema_registry {
        Some(url) => schemas::registry::install(url).context("use the schema registry"),
        None => Ok(()),
    }
}

/// What brokers know the clients of this process by, in quotas and metrics: the name of the program.
fn client_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| id_of(std::env::current_exe().ok().as_deref()))
}

/// `spendstream-enrich` for the program of that name; whoever else uses this library is `spendstream`.
fn id_of(program: Option<&Path>) -> String {
    let name = program.and_then(Path::file_stem).and_then(OsStr::to_str);
    let legal =
        |name: &&str| name.starts_with("spendstream") && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    name.filter(legal).unwrap_or("spendstream").to_owned()
}

fn base(connection: &Connection) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &connection.brokers)
        .set("client.id", client_id())
        .set("socket.keepalive.enable", "true")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "2000")
        // What a client believes of topics is put right at the latest after so long, and half a minute: see DESIGN.md.
        .set("topic.metadata.refresh.interval.ms", "20000")
        .set_log_level(RDKafkaLogLevel::Info);
    client
}

/// Settings the user gave win over defaults; [`prepare`] has refused the ones that must not be touched.
fn with_options(mut client: ClientConfig, connection: &Connection) -> ClientConfig {
    for (key, value) in &connection.options {
        client.set(key, value);
    }
    client
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

/// A client that asks and administers: no group, no transaction.
pub(crate) fn asking(connection: &Connection) -> ClientConfig {
    with_options(base(connection), connection)
}

fn reading(connection: &Connection, group: &str) -> ClientConfig {
    let mut client = base(connection);
    client
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "100")
        // Of each partition, before it is unpacked to several times as much; the client's queue takes a whole answer.
        .set("fetch.message.max.bytes", "1048576")
        // A full queue is looked at again that late. The default of one second costs a lane three quarters of its speed; each look
        // costs a wake-up, and within ten milliseconds a lane takes a small part of what is queued.
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.error.backoff.ms", "100");
    client
}

/// The function that [`Reader`](super::reader::Reader) polls with prints what the client logs on standard error, as it stands. What
/// matters of it are errors, which polling returns.
fn quiet(mut client: ClientConfig) -> ClientConfig {
    client.set_log_level(RDKafkaLogLevel::Emerg);
    client
}

/// A consumer that is told what to read and commits nothing.
pub(crate) fn reader(connection: &Connection) -> ClientConfig {
    // librdkafka wants a group's name even of a consumer that never joins one.
    let mut client = reading(connection, "spendstream.reader");
    // Several changelogs are read at a time, and a small record takes three times its size in the client's queue, which
    // takes a whole answer at once: what waits there must not be what a restart needs most memory for.
    client.set("queued.max.messages.kbytes", "4096").set("queued.min.messages", "20000");
    with_options(quiet(client), connection)
}

/// A consumer that is told each record to read: what comes after it is fetched in vain, and a fetch that waits for more
/// at the end holds up the next record.
pub(crate) fn seeker(connection: &Connection) -> ClientConfig {
    let mut client = reading(connection, "spendstream.reader");
    client.set("queued.max.messages.kbytes", "1024").set("queued.min.messages", "1").set("fetch.wait.max.ms", "5");
    with_options(quiet(client), connection)
}

/// A consumer that looks at what a group has committed, and never joins it. A `stable` one waits for open transactions
/// that commit to the group.
pub(crate) fn observer(connection: &Connection, group: &str, stable: bool) -> ClientConfig {
    let mut client = reading(connection, group);
    client.set("isolation.level", if stable { "read_committed" } else { "read_uncommitted" });
    with_options(client, connection)
}

/// A client that asks where partitions end: up to where records are given to readers (`stable`), or all of them. It is in no group,
/// so it looks for no coordinator.
pub(crate) fn measuring(connection: &Connection, stable: bool) -> ClientConfig {
    let mut client = base(connection);
    client.set("isolation.level", if stable { "read_committed" } else { "read_uncommitted" });
    with_options(client, connection)
}

/// A member of a consumer group. The instance id makes a restart within the session timeout keep its partitions, and
/// makes the broker check every transactional offset commit against it.
pub(crate) fn member(settings: &Settings, group: &str, member: &str) -> ClientConfig {
    let mut client = reading(&settings.connection, group);
    client
        .set("group.instance.id", member)
        .set("group.protocol", "classic")
        // Not cooperative: see DESIGN.md.
        .set("partition.assignment.strategy", "range")
        .set("session.timeout.ms", millis(settings.session_timeout))
        .set("heartbeat.interval.ms", millis((settings.session_timeout / 6).min(Duration::from_secs(3))))
        .set("max.poll.interval.ms", millis(settings.session_timeout.max(settings.poll_interval_max)))
        .set("queued.min.messages", "1000000")
        .set("queued.max.messages.kbytes", (settings.fetch_bytes_max / 1024).max(1).to_string());
    with_options(client, &settings.connection)
}

/// A producer that writes whole transactions to topics of anybody.
pub(crate) fn appending(connection: &Connection, id: &str, timeout: Duration) -> ClientConfig {
    transactional(connection, id, timeout, REQUEST_BYTES_MAX)
}

/// A producer of a stage, whose topics are made for it.
pub(crate) fn producing(connection: &Connection, id: &str, timeout: Duration) -> ClientConfig {
    transactional(connection, id, timeout, STAGE_REQUEST_BYTES_MAX)
}

fn transactional(connection: &Connection, id: &str, timeout: Duration, request_bytes: usize) -> ClientConfig {
    let mut client = idempotent(connection);
    client
        .set("transactional.id", id)
        .set("transaction.timeout.ms", millis(timeout))
        .set("message.timeout.ms", millis(timeout))
        .set("batch.size", request_bytes.to_string())
        // What is sent is flushed: see `round`.
        .set("linger.ms", "1000")
        // Reports of success cost CPU and tell nothing the commit does not; failures are still reported.
        .set("delivery.report.only.error", "true");
    with_options(client, connection)
}

/// A producer that writes each record exactly once, without a transaction.
pub(crate) fn idempotent(connection: &Connection) -> ClientConfig {
    let mut client = base(connection);
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("linger.ms", "0")
        .set("batch.size", REQUEST_BYTES_MAX.to_string())
        .set("batch.num.messages", REQUEST_RECORDS_MAX.to_string())
        .set("queue.buffering.max.messages", "500000")
        .set("queue.buffering.max.kbytes", "524288")
        .set("message.max.bytes", "8388608")
        .set("message.timeout.ms", "30000");
    with_options(client, connection)
}

/// What a group member is told by the broker, in the order it was told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rebalance {
    /// Partitions taken over.
    Assign(Vec<i32>),
    /// Partitions to give up.
    Revoke(Vec<i32>),
}

/// Keeps what librdkafka calls back about until the thread that owns the client asks.
#[derive(Debug, Default)]
pub(crate) struct Events {
    rebalances: Mutex<Vec<Rebalance>>,
    failures: Mutex<Vec<KafkaError>>,
    closing: AtomicBool,
}

impl Events {
    /// Rebalances since the last call. Each must be answered by assigning or unassigning exactly its partitions.
    pub(crate) fn take_rebalances(&self) -> Vec<Rebalance> {
        std::mem::take(&mut self.rebalances.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records that could not be delivered since the last call.
    pub(crate) fn take_failures(&self) -> Vec<KafkaError> {
        std::mem::take(&mut self.failures.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn failed(&self, error: KafkaError) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(error);
    }

    /// From here on rebalances are answered at once: nobody is left to ask.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // Settings for consumers are given to producers too, and the other way round: that is meant.
        if facility == "CONFWARN" {
            tracing::debug!(target: "librdkafka", facility, "{message}");
            return;
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(target: "librdkafka", facility, "{message}")
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: "librdkafka", facility, "{message}")
            }
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Single connections come and go; only when none is left does an operator want to know.
        if matches!(error, KafkaError::Global(RDKafkaErrorCode::AllBrokersDown)) {
            tracing::warn!(reason, "no Kafka broker is reachable; the client goes on trying");
        } else {
            tracing::debug!(%error, reason, "kafka client retries");
        }
    }
}

impl ConsumerContext for Events {
    /// Only noted: the thread that owns the lane commits or restores first and answers afterwards, outside of `poll`.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, kind: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let assigned = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Relaxed) {
            let answer = if assigned { consumer.assign(partitions) } else { consumer.unassign() };
            if let Err(error) = answer {
                tracing::debug!(%error, "rebalance while closing");
            }
            return;
        }
        let list = partitions.elements().iter().map(|element| element.partition()).collect();
        let event = if assigned { Rebalance::Assign(list) } else { Rebalance::Revoke(list) };
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

/// Asks until there is an answer, for [`ANSWER_TIMEOUT`] in all; each time it is given what is left of it. A question to a broker that goes
/// away fails at once, and another one takes its place within seconds.
pub(crate) fn patiently<T, E>(ask: impl FnMut(Duration) -> Result<T, E>) -> Result<T, E> {
    ask_until(Instant::now() + ANSWER_TIMEOUT, ask)
}

fn ask_until<T, E>(deadline: Instant, mut ask: impl FnMut(Duration) -> Result<T, E>) -> Result<T, E> {
    loop {
        match ask(deadline.saturating_duration_since(Instant::now())) {
            Err(_) if Instant::now() + ASK_AGAIN < deadline => std::thread::sleep(ASK_AGAIN),
            answer => return answer,
        }
    }
}

/// Creates a client. The only way this fails is a setting librdkafka does not accept.
pub(crate) fn create<T: FromClientConfigAndContext<Events>>(client: &ClientConfig) -> anyhow::Result<T> {
    client.create_with_context(Events::default()).context("create Kafka client: check the --kafka settings")
}

/// A topic as the brokers describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) partitions: u32,
    /// Copies of the partition that has fewest.
    pub(crate) copies: usize,
}

/// Asks for every topic, its partitions and their copies.
pub(crate) fn extents(connection: &Connection) -> anyhow::Result<BTreeMap<String, Extent>> {
    let consumer: BaseConsumer<Events> = create(&asking(connection))?;
    let metadata = patiently(|left| consumer.fetch_metadata(None, left)).map_err(|error| {
        anyhow::anyhow!(
            "no Kafka broker answers at {} within {} s ({error}); check --brokers and the TLS or SASL settings",
            connection.brokers,
            ANSWER_TIMEOUT.as_secs()
        )
    })?;
    let extent = |partitions: &[MetadataPartition]| {
        let copies = partitions.iter().map(|partition| partition.replicas().len()).min()?;
        Some(Extent { partitions: partitions.len() as u32, copies })
    };
    let topics = metadata.topics().iter();
    Ok(topics.filter_map(|topic| Some((topic.name().to_owned(), extent(topic.partitions())?))).collect())
}

/// Asks for every topic and its partitions.
pub(crate) fn partition_counts(connection: &Connection) -> anyhow::Result<BTreeMap<String, u32>> {
    let extents = extents(connection)?;
    Ok(extents.into_iter().map(|(name, extent)| (name, extent.partitions)).collect())
}

/// Drops a consumer without waiting for it longer than this: closing has no bound of its own.
pub(crate) fn close_bounded(consumer: BaseConsumer<Events>, bound: Duration) {
    consumer.context().close();
    let (done, closed) = std::sync::mpsc::channel();
    let closing = std::thread::Builder::new().name("kafka-close".to_owned()).spawn(move || {
        drop(consumer);
        // The receiver is gone when the bound was passed: then nobody needs to know.
        let _ = done.send(());
    });
    if closing.is_err() || closed.recv_timeout(bound).is_err() {
        tracing::warn!("kafka consumer did not close in time; its session ends by timeout");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_fails_is_asked_again_until_its_time_is_over() {
        let mut asked = 0;
        let answer = patiently(|left| {
            asked += 1;
            if asked < 3 { Err("the broker went away") } else { Ok(left < ANSWER_TIMEOUT) }
        });
        assert_eq!((answer, asked), (Ok(true), 3));
        let deadline = Instant::now() + ASK_AGAIN * 3;
        assert_eq!(ask_until(deadline, |_| Err::<(), _>("nobody is there")), Err("nobody is there"));
        assert!(Instant::now() + ASK_AGAIN >= deadline);
    }

    #[test]
    fn brokers_know_each_service_by_its_own_name() {
        let id = |program: &str| id_of(Some(Path::new(program)));
        assert_eq!(id("/usr/bin/spendstream-enrich"), "spendstream-enrich");
        assert_eq!(id("/usr/bin/spendstream"), "spendstream");
        assert_eq!([id("/usr/bin/spendstream-enrich (deleted)"), id("/usr/bin/own"), id_of(None)], ["spendstream"; 3]);
    }
}
