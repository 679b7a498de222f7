//! What a service tells about itself: log, metrics, health.

mod health;
mod metrics;
mod server;
mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use schemas::LedgerEntry;
use tracing_subscriber::EnvFilter;

pub use health::{Health, PartitionHealth, Phase, STUCK_AFTER};
pub use server::Server;
pub use tls::Tls;

use crate::processor::Halt;
use crate::settings::LogFormat;
use metrics::Metrics;

/// What is logged unless `RUST_LOG` says otherwise. librdkafka repeats itself while a broker is away, Delta narrates every read,
/// and each request to a store that is away tells of ten retries; we say what matters once.
const LOGGED: &str = "info,rdkafka=error,librdkafka=error,buoyant_kernel=warn,buoyant_kernel_engine=warn,deltalake_core=warn,\
                      object_store=warn";

/// Starts the log, on standard error. `RUST_LOG` chooses what is logged; without it, everything of ours from `info` on.
///
/// # Errors
/// When a log was started before, or `RUST_LOG` cannot be read.
pub fn init(format: LogFormat) -> anyhow::Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(&text).with_context(|| format!("read RUST_LOG={text}"))?,
        _ => EnvFilter::new(LOGGED),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("start the log: {error}"))
}

/// A stage or table and the partition it works on.
type Key = (Arc<str>, Arc<str>, u32);

/// Metrics and health of one process. Fed by the drivers, read over HTTP ([`Telemetry::serve`]).
#[derive(Debug, Default)]
pub struct Telemetry {
    metrics: Metrics,
    partitions: Mutex<BTreeMap<Key, State>>,
    /// Members of groups that were not told yet which partitions are theirs.
    joining: AtomicUsize,
}

/// A member that waits to be told which partitions are its own; until it is dropped.
#[derive(Debug)]
pub(crate) struct Joining(Arc<Telemetry>);

impl Drop for Joining {
    fn drop(&mut self) {
        self.0.joining.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    beat: Instant,
}

/// A committed transaction, for metrics.
#[derive(Debug)]
pub struct Commit<'a> {
    /// The books as they were committed.
    pub books: &'a LedgerEntry,
    /// Records read in it.
    pub records: usize,
    /// Their bytes.
    pub bytes: usize,
    /// From the first record to the commit's answer.
    pub took: Duration,
    /// Offsets between the position and the end of the partition.
    pub lag: i64,
    /// Bytes of state the processor estimates.
    pub state_bytes: usize,
}

impl Telemetry {
    /// Telemetry of a process in which nothing runs yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Where a service registers metrics of its own. Labels must be bounded: never an event, a user or an error text.
    pub fn registry(&self) -> &prometheus::Registry {
        &self.metrics.registry
    }

    /// Says that a stage or table has taken a partition over and restores it. It is given up when the watch is dropped.
    pub fn watch(self: &Arc<Self>, stage: &str, topic: &str, partition: u32) -> Watch {
        let key: Key = (stage.into(), topic.into(), partition);
        let now = Instant::now();
        self.states().insert(key.clone(), State { phase: Phase::Restoring, since: now, beat: now });
        self.metrics.halted(&key, false);
        self.metrics.taken(&key);
        Watch { telemetry: self.clone(), key }
    }

    /// Says that a member joins its group: the process is not ready before it was told which partitions are its own.
    pub(crate) fn joining(self: &Arc<Self>) -> Joining {
        self.joining.fetch_add(1, Ordering::SeqCst);
        Joining(self.clone())
    }

    /// Says how often in a row the store of a table could not be read or written.
    pub(crate) fn table_failures(&self, table: &str, failures: u32) {
        self.metrics.table_failures(table, failures);
    }

    /// Says that a client was replaced which was told less than others.
    pub(crate) fn client_replaced(&self, of: &str) {
        self.metrics.client_replaced(of);
    }

    /// Every partition that a stage or table of this process reads.
    pub(crate) fn reads(&self) -> BTreeSet<(Arc<str>, u32)> {
        self.states().keys().map(|(_, topic, partition)| (topic.clone(), *partition)).collect()
    }

    /// Says how many records of a partition no reader is given, because a transaction before them stays open; `None` when it is not
    /// read here any more.
    pub(crate) fn hidden(&self, topic: &str, partition: u32, records: Option<i64>) {
        self.metrics.hidden(topic, partition, records);
    }

    /// Health now.
    pub fn health(&self) -> Health {
        let now = Instant::now();
        let describe = |((stage, topic, partition), state): (&Key, &State)| PartitionHealth {
            stage: stage.to_string(),
            topic: topic.to_string(),
            partition: *partition,
            phase: state.phase.clone(),
            seconds: now.duration_since(state.since).as_secs(),
            silent_seconds: now.duration_since(state.beat).as_secs(),
        };
        Health::of(self.states().iter().map(describe).collect(), self.joining.load(Ordering::SeqCst) > 0)
    }

    /// Metrics now, in the Prometheus text format.
    ///
    /// # Errors
    /// When a registered collector is broken.
    pub fn render(&self) -> anyhow::Result<String> {
        let families = self.metrics.registry.gather();
        prometheus::TextEncoder::new().encode_to_string(&families).context("encode metrics")
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<Key, State>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One partition of a stage or table, as its lane sees it. Dropping it says that the partition was given up.
#[derive(Debug)]
pub struct Watch {
    telemetry: Arc<Telemetry>,
    key: Key,
}

impl Watch {
    fn enter(&self, phase: Phase) {
        let mut states = self.telemetry.states();
        if let Some(state) = states.get_mut(&self.key) {
            state.beat = Instant::now();
            if state.phase != phase {
                state.since = state.beat;
                state.phase = phase;
            }
        }
    }

    /// The state is complete, records are processed.
    pub fn running(&self) {
        self.enter(Phase::Running);
        self.telemetry.metrics.halted(&self.key, false);
    }

    /// The partition stopped and waits for an operator.
    pub fn halted(&self, halt: &Halt) {
        self.enter(Phase::Halted(halt.to_string()));
        self.telemetry.metrics.halted(&self.key, true);
    }

    /// The lane came by: it is not stuck, whatever phase it is in. Call it at least every few seconds.
    pub fn beat(&self) {
        if let Some(state) = self.telemetry.states().get_mut(&self.key) {
            state.beat = Instant::now();
        }
    }

    /// A transaction was committed. Its counts are what the books say, so they go on after a restart.
    pub fn committed(&self, commit: &Commit<'_>) {
        self.beat();
        self.telemetry.metrics.committed(&self.key, commit);
    }

    /// A table wrote what it had buffered.
    pub fn flushed(&self, records: usize, took: Duration, lag: i64) {
        self.beat();
        self.telemetry.metrics.flushed(&self.key, records, took, lag);
    }

    /// Offsets between the position and the end of the partition, where no commit says it: it stopped, or its writes fail.
    pub fn behind(&self, lag: i64) {
        self.telemetry.metrics.behind(&self.key, lag);
    }

    /// The client that reads its changelog was replaced.
    pub(crate) fn client_replaced(&self) {
        self.telemetry.client_replaced(&self.key.0);
    }

    /// A transaction was aborted, or its outcome was unknown at first.
    pub fn aborted(&self, outcome: Outcome) {
        self.beat();
        self.telemetry.metrics.aborted(&self.key, outcome);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.telemetry.states().remove(&self.key);
        self.telemetry.metrics.released(&self.key);
    }
}

/// How a transaction that was not simply committed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Aborted and undone; the records come again.
    Aborted,
    /// Nobody answered whether it was committed; found out afterwards.
    Unknown,
    /// Somebody else had taken over.
    Fenced,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Aborted => "aborted",
            Outcome::Unknown => "unknown",
            Outcome::Fenced => "fenced",
        }
    }
}

#[cfg(test)]
mod tests;
