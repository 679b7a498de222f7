//! Runs stages and tables on a local log: one thread each.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use schemas::topics;

use super::LocalLog;
use super::lane::Lane;
use super::retention;
use super::table::{self, TableLane};
use crate::follow::Follower;
use crate::processor::{Stage, Table};
use crate::shutdown::Shutdown;
use crate::telemetry::Telemetry;

/// How the local driver runs. The defaults suit a laptop.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// Most bytes of records a stage processes in one transaction, over all partitions.
    pub batch_bytes_max: usize,
    /// Most bytes a table buffers before it is flushed.
    pub table_bytes_max: usize,
    /// Where metrics and health go.
    pub telemetry: Arc<Telemetry>,
}

impl Default for LocalOptions {
    fn default() -> Self {
        LocalOptions { batch_bytes_max: 8 << 20, table_bytes_max: 64 << 20, telemetry: Telemetry::new() }
    }
}

/// How far all stages are.
enum Progress {
    /// Everything is read and nothing is held back, up to these ends of all partitions.
    AllOut(Vec<i64>),
    /// Everything is read, with so many commits, and something is held back.
    AllRead(u64),
    /// With so many commits.
    Reading(u64),
}

/// When something was last done, and what cannot go on.
#[derive(Debug)]
pub(super) struct Activity {
    worked_at: Mutex<Instant>,
    hurry: AtomicBool,
    halted: Mutex<BTreeMap<(Arc<str>, u32), String>>,
}

impl Activity {
    /// Items moved.
    pub(super) fn worked(&self) {
        *self.worked_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// A partition stopped, or goes on.
    pub(super) fn halted(&self, reader: &Arc<str>, partition: u32, reason: Option<String>) {
        let mut halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) => halted.insert((reader.clone(), partition), reason),
            None => halted.remove(&(reader.clone(), partition)),
        };
    }

    /// Whether somebody waits for what stages hold back, and for nothing else.
    pub(super) fn hurry(&self) -> bool {
        self.hurry.load(Ordering::Relaxed)
    }

    /// How long nothing but heartbeats has moved.
    pub(super) fn quiet_for(&self) -> Duration {
        self.worked_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    fn any_halted(&self) -> bool {
        !self.halted.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// Asks a table to write everything up to some ends.
#[derive(Debug, Default)]
pub(super) struct FlushRequest(Mutex<Flush>);

#[derive(Debug, Default)]
struct Flush {
    /// Number of the newest request.
    asked: u64,
    /// Number of the newest request that was carried out.
    done: u64,
    /// Ends to reach first: slot and offset.
    ends: Vec<(usize, i64)>,
}

impl FlushRequest {
    fn lock(&self) -> std::sync::MutexGuard<'_, Flush> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, ends: Vec<(usize, i64)>) -> u64 {
        let mut flush = self.lock();
        flush.asked += 1;
        flush.ends = ends;
        flush.asked
    }

    fn is_done(&self, request: u64) -> bool {
        self.lock().done >= request
    }

    /// The open request, once every end it names is reached.
    pub(super) fn pending(&self, position: impl Fn(usize) -> Option<i64>) -> Option<u64> {
        let flush = self.lock();
        let reached = |(slot, end): &(usize, i64)| position(*slot).is_none_or(|position| position >= *end);
        (flush.asked > flush.done && flush.ends.iter().all(reached)).then_some(flush.asked)
    }

    pub(super) fn answer(&self, request: u64) {
        let mut flush = self.lock();
        flush.done = flush.done.max(request);
    }
}

/// Stages and tables at work on a local log.
#[derive(Debug)]
pub struct LocalRuntime {
    log: Arc<LocalLog>,
    activity: Arc<Activity>,
    /// Stage name and the slots it reads.
    stages: Vec<(Arc<str>, Vec<usize>)>,
    /// Flush request of each table and the slots it reads.
    tables: Vec<(Arc<FlushRequest>, Vec<usize>)>,
    shutdown: Shutdown,
    threads: Vec<(String, JoinHandle<Result<()>>)>,
}

/// Starts stages and tables, each on a thread of its own, and returns at once.
///
/// A thread that fails sets `shutdown`, so that the others stop too; [`LocalRuntime::stop`] then gives its error.
///
/// # Errors
/// When a topic is missing, or reference data cannot be used.
pub fn start(
    log: Arc<LocalLog>,
    stages: Vec<Arc<dyn Stage>>,
    tables: Vec<Box<dyn Table>>,
    options: LocalOptions,
    shutdown: Shutdown,
) -> Result<LocalRuntime> {
    ensure!(log.topic(topics::LEDGER)?.partitions == 1, "{} must have one partition", topics::LEDGER);
    let mut follower = Follower::new(stages.iter().flat_map(|stage| stage.references()));
    follower.refresh(&*log).context("read reference data")?;
    let follower = Arc::new(Mutex::new(follower));
    let activity = Arc::new(Activity {
        worked_at: Mutex::new(Instant::now()),
        hurry: AtomicBool::new(false),
        halted: Mutex::default(),
    });
    let mut runtime = LocalRuntime {
        log: log.clone(),
        activity: activity.clone(),
        stages: Vec::new(),
        tables: Vec::new(),
        shutdown,
        threads: Vec::new(),
    };
    let mut readers = Vec::new();
    for stage in stages {
        readers.push((stage.name().into(), log.topic(stage.input())?.slots.clone()));
        runtime.stages.push((stage.name().into(), log.topic(stage.input())?.slots.clone()));
        let (log, follower, activity) = (log.clone(), follower.clone(), activity.clone());
        let (telemetry, bytes) = (options.telemetry.clone(), options.batch_bytes_max);
        runtime.spawn(stage.name().to_owned(), move |shutdown| {
            Lane::start(log, &*stage, follower, activity, &telemetry, bytes)?.run(shutdown)
        })?;
    }
    for table in tables {
        let flush = Arc::new(FlushRequest::default());
        readers.push((table::reader(table.name()), log.topic(table.input())?.slots.clone()));
        runtime.tables.push((flush.clone(), log.topic(table.input())?.slots.clone()));
        let (log, activity) = (log.clone(), activity.clone());
        let (telemetry, bytes) = (options.telemetry.clone(), options.table_bytes_max);
        runtime.spawn(table.name().to_owned(), move |shutdown| {
            TableLane::start(log, table, activity, flush, &telemetry, bytes)?.run(shutdown)
        })?;
    }
    runtime.spawn("retention".to_owned(), move |shutdown| retention::run(&log, readers, shutdown))?;
    Ok(runtime)
}

/// Runs stages and tables until `shutdown` is set, then stops them.
///
/// # Errors
/// What [`start`] and [`LocalRuntime::stop`] fail with.
pub fn run(
    log: Arc<LocalLog>,
    stages: Vec<Arc<dyn Stage>>,
    tables: Vec<Box<dyn Table>>,
    options: LocalOptions,
    shutdown: Shutdown,
) -> Result<()> {
    let runtime = start(log, stages, tables, options, shutdown.clone())?;
    while !shutdown.wait(Duration::from_secs(3600)) {}
    runtime.stop()
}

impl LocalRuntime {
    fn spawn(&mut self, name: String, work: impl FnOnce(&Shutdown) -> Result<()> + Send + 'static) -> Result<()> {
        let (shutdown, log, who) = (self.shutdown.clone(), self.log.clone(), name.clone());
        let guarded = move || {
            let result = catch_unwind(AssertUnwindSafe(|| work(&shutdown)))
                .unwrap_or_else(|_| Err(anyhow!("{who} panicked: see the message above")));
            if result.is_err() {
                shutdown.set();
                log.shared().wake();
            }
            result.with_context(|| format!("run {who}"))
        };
        let thread = std::thread::Builder::new().name(name.clone()).spawn(guarded).context("start a thread")?;
        self.threads.push((name, thread));
        Ok(())
    }

    /// Waits until every stage has taken in everything, what others wrote meanwhile included, and holds nothing back
    /// (see [`Processor::due_at`](crate::Processor::due_at)), and every table has written what it holds. Idle means that
    /// no data is pending, not that windows are final.
    ///
    /// False when that did not happen in time, when a partition is halted (see the log and `/healthz`), or when a stage
    /// has failed: [`LocalRuntime::stop`] says how.
    pub fn wait_idle(&self, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        let idle = loop {
            if self.shutdown.is_set() || self.activity.any_halted() || Instant::now() >= until {
                break false;
            }
            match self.progress() {
                Progress::AllOut(ends) => break self.flush_tables(&ends, until),
                Progress::AllRead(seen) => {
                    if !self.activity.hurry.swap(true, Ordering::Relaxed) {
                        self.log.shared().wake();
                    }
                    self.log.shared().wait(seen, Duration::from_millis(500));
                }
                Progress::Reading(seen) => {
                    self.activity.hurry.store(false, Ordering::Relaxed);
                    self.log.shared().wait(seen, Duration::from_millis(500));
                }
            }
        };
        self.activity.hurry.store(false, Ordering::Relaxed);
        idle
    }

    /// How far the stages are, all seen at one moment.
    fn progress(&self) -> Progress {
        let heads = self.log.shared().heads();
        let places = || {
            let slots = self.stages.iter().flat_map(|(reader, slots)| slots.iter().map(move |slot| (reader, *slot)));
            slots.map(|(reader, slot)| (heads.places.get(&(reader.clone(), slot)), heads.next[slot]))
        };
        let read = places().all(|(place, end)| place.is_some_and(|place| place.next_offset >= end));
        match read && places().all(|(place, _)| place.is_some_and(|place| place.all_out)) {
            true => Progress::AllOut(heads.next.clone()),
            false if read => Progress::AllRead(heads.commits),
            false => Progress::Reading(heads.commits),
        }
    }

    fn flush_tables(&self, ends: &[i64], until: Instant) -> bool {
        let requests: Vec<u64> = self
            .tables
            .iter()
            .map(|(flush, slots)| flush.ask(slots.iter().map(|slot| (*slot, ends[*slot])).collect()))
            .collect();
        self.log.shared().wake();
        loop {
            let seen = self.log.shared().heads().commits;
            if self.tables.iter().zip(&requests).all(|((flush, _), request)| flush.is_done(*request)) {
                return true;
            }
            if self.shutdown.is_set() || self.activity.any_halted() || Instant::now() >= until {
                return false;
            }
            self.log.shared().wait(seen, Duration::from_millis(200));
        }
    }

    /// True once the shutdown flag is set, by a signal or by a thread that failed.
    pub fn is_stopping(&self) -> bool {
        self.shutdown.is_set()
    }

    /// Stops: open transactions are committed, tables write what they hold.
    ///
    /// # Errors
    /// The first error of a stage or table, or the panic of a thread of [`Shutdown::spawn`].
    pub fn stop(self) -> Result<()> {
        self.shutdown.set();
        self.log.shared().wake();
        let mut first = Ok(());
        for (name, thread) in self.threads {
            let result = thread.join().unwrap_or_else(|_| Err(anyhow!("{name} panicked")));
            if let Err(error) = result {
                tracing::error!(error = format!("{error:#}"), "thread failed");
                first = first.and(Err(error));
            }
        }
        first.and(self.shutdown.outcome())
    }
}
