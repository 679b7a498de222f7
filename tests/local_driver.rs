#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap is a failed test")]
//! What every driver promises, proved on the local one: by killing it, starving it and looking at the file.

extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use schemas::topics::changelog;
use schemas::{LedgerEntry, Timestamp};
use spendstream_tests::conformance::{
    Sent, Split, Sum, again, appear, balance, names, order_skip, order_skip_to, send, settled, topics,
};
use stream::local::{FILE, LocalLog, LocalOptions, LocalRuntime, start};
use stream::log::ledger;
use stream::{
    Books, Halt, Log, OutRecord, Output, Processor, Record, Shutdown, Source, Stage, StoredRecord, Table, Telemetry,
    Tick,
};

const WAIT: Duration = Duration::from_secs(60);

/// Prefix of the topics.
const PREFIX: &str = "local";

fn open(folder: &Path) -> Arc<LocalLog> {
    Arc::new(LocalLog::open(folder, &topics(PREFIX), Some(2)).unwrap())
}

fn topic(place: usize) -> String {
    names(PREFIX)[place].clone()
}

/// One run of the stages on a folder.
struct Run {
    log: Arc<LocalLog>,
    telemetry: Arc<Telemetry>,
    runtime: LocalRuntime,
    sent: Sent,
}

fn run_stages(folder: &Path, stages: Vec<Arc<dyn Stage>>, tables: Vec<Box<dyn Table>>) -> Run {
    let (log, telemetry) = (open(folder), Telemetry::new());
    let table_bytes_max = 1 << 20;
    let options = LocalOptions { telemetry: telemetry.clone(), table_bytes_max, ..LocalOptions::default() };
    let runtime = start(log.clone(), stages, tables, options, Shutdown::new()).unwrap();
    Run { log, telemetry, runtime, sent: Sent::default() }
}

fn run(folder: &Path) -> Run {
    run_stages(folder, vec![Arc::new(Split::new(PREFIX)), Arc::new(Sum::new(PREFIX))], Vec::new())
}

impl Run {
    fn feed(&mut self, deposits: usize) {
        send(&*self.log, PREFIX, &mut self.sent, deposits);
    }

    /// Stops when idle.
    fn finish(self) {
        assert!(self.runtime.wait_idle(WAIT), "{:?}", self.telemetry.health());
        self.runtime.stop().unwrap();
    }

    /// Waits until a partition of a stage has halted; gives the reason.
    fn halted(&self, stage: &str, partition: u32) -> String {
        let mut reason = None;
        wait_for(|| {
            let health = serde_json::to_value(self.telemetry.health()).unwrap();
            let all = health["partitions"].as_array().unwrap();
            let mine =
                all.iter().find(|p| p["stage"] == stage && p["partition"] == partition && p["phase"] == "halted");
            reason = mine.map(|p| p["reason"].as_str().unwrap().to_owned());
            reason.is_some()
        });
        reason.unwrap()
    }

    fn position(&self, stage: &str, topic: &str, partition: u32) -> i64 {
        self.log.position(stage, topic, partition).unwrap().unwrap().0
    }
}

fn wait_for(mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + WAIT;
    while !condition() {
        assert!(Instant::now() < until, "condition not met within {WAIT:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn process(folder: &Path, deposits: usize, die_after_micros: Option<u64>) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local-probe"));
    command.arg(folder).args(["--prefix", PREFIX, "--deposits", &deposits.to_string()]);
    if let Some(micros) = die_after_micros {
        command.args(["--die-after-micros", &micros.to_string()]);
    }
    command.output().unwrap()
}

#[test]
fn what_a_stage_has_read_it_can_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = run(folder.path());
    run.feed(100);
    // Every other deposit is in partition 0.
    assert_eq!(again(&*run.log, PREFIX, &[3, 48, 0, 1_000]), (7 + 97 + 1, 1));
    run.finish();
}

/// The books of `sum` for one partition.
fn books_of_sum(log: &dyn Log, partition: i32) -> LedgerEntry {
    let books = ledger(log).unwrap();
    books.into_iter().find(|entry| entry.stage == "sum" && entry.partition == partition).unwrap()
}

#[test]
fn killed_at_any_moment_outputs_state_and_offsets_are_there_together_or_not_at_all() {
    let drawn = || (u64::from(std::process::id()) << 32) | u64::from(stream::now().micros() as u32);
    let seed: u64 = std::env::var("SEED").map_or_else(|_| drawn(), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let (kills, step) = (24, 2_000);
    // Of a machine that is busy with something else a process needs longer to come to its work.
    let (mut came_out, mut hits, mut longest) = (0, 0, 150_000);
    for kill in 1..=kills {
        let output = process(folder.path(), kill * step, Some(random.random_range(1_000..longest)));
        let killed = output.status.signal() == Some(libc::SIGKILL);
        assert!(killed || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let log = LocalLog::inspect(folder.path()).unwrap();
        balance(&log, PREFIX);
        let before = std::mem::replace(&mut came_out, appear(&log, PREFIX));
        hits += usize::from(killed && came_out > before);
        longest = match (killed, came_out > before) {
            (true, true) => longest,
            (true, false) => (2 * longest).min(10_000_000),
            (false, _) => (longest / 2).max(150_000),
        };
    }
    assert!(hits >= 5, "kills that hit no work prove nothing: {hits} of {kills} did");
    let output = process(folder.path(), kills * step, None);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // What was sent, as told by sending the same to a log where nothing runs.
    let (mut sent, other) = (Sent::default(), tempfile::tempdir().unwrap());
    send(&*open(other.path()), PREFIX, &mut sent, kills * step);
    settled(&LocalLog::inspect(folder.path()).unwrap(), PREFIX, &sent);
}

#[test]
fn a_restart_resumes_with_the_state_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = run(folder.path());
    first.feed(2_000);
    let sent = first.sent.clone();
    first.finish();
    let before = books_of_sum(&LocalLog::inspect(folder.path()).unwrap(), 0);
    let mut second = run(folder.path());
    second.sent = sent;
    second.feed(500);
    let (log, sent) = (second.log.clone(), second.sent.clone());
    second.finish();
    // Every output names the balance after it, so state that was lost or added to would show.
    settled(&*log, PREFIX, &sent);
    let after = books_of_sum(&*log, 0);
    assert!(after.transaction > before.transaction && after.next_offset > before.next_offset, "numbers go on");
}

#[test]
fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = run(folder.path());
    let second = process(folder.path(), 10, None);
    let message = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && message.contains("only one process can write to it"), "{message}");
    first.finish();
}

#[test]
fn an_undecodable_batch_stops_its_partition_until_it_is_skipped_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = run(folder.path());
    run.feed(400);
    assert!(run.runtime.wait_idle(WAIT));
    let (payload, topic) = (Some(Bytes::from_static(b"garbage")), topic(1));
    let (key, headers, timestamp) = (None, Vec::new(), None);
    run.log.append(vec![OutRecord { topic: (*topic).into(), partition: 1, key, payload, headers, timestamp }]).unwrap();
    run.feed(400);
    let reason = run.halted("sum", 1);
    assert!(reason.contains("cannot be decoded") && reason.contains("spendstream skip --offset"), "{reason}");
    assert!(!run.runtime.wait_idle(WAIT), "halted is not idle");
    let at: i64 = reason.split("offset ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert_eq!(run.position("sum", &topic, 1), at, "everything before it went on");
    let end = run.log.range(&topic, 0).unwrap().end;
    wait_for(|| run.position("sum", &topic, 0) >= end);
    order_skip(&*run.log, "sum", &topic, 1, at);
    wait_for(|| run.position("sum", &topic, 1) > at && run.telemetry.health().status == "running");
    let (log, sent) = (run.log.clone(), run.sent.clone());
    run.finish();
    settled(&*log, PREFIX, &sent);
    let skipped = books_of_sum(&*log, 1).counts.into_iter().find(|count| count.name == "skipped_records");
    assert_eq!(skipped.map(|count| count.count), Some(1), "the ledger shows it");
}

#[test]
fn batches_that_are_missing_stop_the_partition_and_a_skip_is_in_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    // Only the first stage, so that its batches wait.
    let mut only = run_stages(folder.path(), vec![Arc::new(Split::new(PREFIX))], Vec::new());
    (0..20).for_each(|_| only.feed(20));
    only.finish();
    let file = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    let deleted = file.execute(
        "DELETE FROM records WHERE id = (SELECT (id << 40) | first_offset FROM partitions WHERE topic = ?1 AND partition = 0)",
        [topic(1)],
    );
    assert_eq!(deleted.unwrap(), 1);
    drop(file);
    let run = run(folder.path());
    let reason = run.halted("sum", 0);
    assert!(reason.contains("batches 0..1 of local.in/") && reason.contains("--sequence 1"), "{reason}");
    let source: i32 = reason.split("local.in/").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    order_skip_to(&*run.log, "sum", &topic(1), 0, (&topic(0), source), 1);
    wait_for(|| run.telemetry.health().status == "running");
    let log = run.log.clone();
    run.finish();
    let entry = books_of_sum(&*log, 0);
    assert_eq!(entry.received.iter().map(|source| source.skipped).sum::<i64>(), 1);
}

#[test]
fn a_changelog_that_disagrees_with_the_offsets_stops_the_partition() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = run(folder.path());
    first.feed(200);
    let sent = first.sent.clone();
    first.finish();
    let file = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    let changed = file.execute(
        "UPDATE offsets SET next_offset = next_offset - 1 WHERE reader = 'split'
         AND partition_id = (SELECT id FROM partitions WHERE topic = ?1 AND partition = 1)",
        [topic(0)],
    );
    assert_eq!(changed.unwrap(), 1);
    drop(file);
    let mut second = run(folder.path());
    let reason = second.halted("split", 1);
    let expected = format!("the changelog {}/1 holds transaction", changelog("split", &topic(0)));
    assert!(reason.starts_with(&expected) && reason.contains("were not written together"), "{reason}");
    second.sent = sent;
    second.feed(200);
    wait_for(|| second.position("split", &topic(0), 0) == 200);
    assert_eq!(second.position("split", &topic(0), 1), 99, "untouched");
    second.runtime.stop().unwrap();
}

/// A table in memory whose store answers when it is told to.
#[derive(Default)]
struct Store {
    open: Mutex<bool>,
    opened: Condvar,
    rows: Mutex<BTreeMap<(u32, i64), usize>>,
    offsets: Mutex<BTreeMap<u32, i64>>,
    largest_buffer: AtomicUsize,
    fail_next: Mutex<bool>,
    full: AtomicBool,
}

struct SlowTable {
    input: String,
    store: Arc<Store>,
    buffer: Vec<(u32, i64, usize)>,
    positions: BTreeMap<u32, i64>,
}

impl Table for SlowTable {
    fn name(&self) -> &str {
        "slow"
    }
    fn input(&self) -> &str {
        &self.input
    }
    fn assign(&mut self, partitions: &[u32]) -> anyhow::Result<Vec<(u32, Option<i64>)>> {
        let offsets = self.store.offsets.lock().unwrap();
        Ok(partitions.iter().map(|number| (*number, offsets.get(number).copied())).collect())
    }
    fn revoke(&mut self, partitions: &[u32]) {
        self.buffer.retain(|(number, ..)| !partitions.contains(number));
        self.positions.retain(|number, _| !partitions.contains(number));
    }
    fn append(&mut self, partition: u32, records: &[Record<'_>], position: i64) -> Result<(), Halt> {
        if let Some(bad) = records.iter().find(|record| record.payload == Some(b"bad")) {
            return Err(Halt::Undecodable { offset: bad.offset, error: "it is bad".to_owned() });
        }
        self.buffer.extend(records.iter().map(|record| (partition, record.offset, record.key.map_or(0, <[u8]>::len))));
        self.positions.insert(partition, position);
        self.store.largest_buffer.fetch_max(self.buffered_bytes(), Ordering::Relaxed);
        Ok(())
    }
    fn due(&self, _: Timestamp) -> bool {
        false
    }
    fn buffered_bytes(&self) -> usize {
        self.buffer.iter().map(|(.., bytes)| bytes).sum()
    }
    fn is_full(&self) -> bool {
        self.store.full.load(Ordering::Relaxed)
    }
    fn flush(&mut self, _: Timestamp) -> anyhow::Result<()> {
        let mut open = self.store.open.lock().unwrap();
        while !*open {
            open = self.store.opened.wait(open).unwrap();
        }
        if std::mem::take(&mut *self.store.fail_next.lock().unwrap()) {
            anyhow::bail!("the store is away");
        }
        for (partition, offset, bytes) in self.buffer.drain(..) {
            assert_eq!(self.store.rows.lock().unwrap().insert((partition, offset), bytes), None, "written twice");
        }
        self.store.offsets.lock().unwrap().append(&mut self.positions);
        Ok(())
    }
}

#[test]
fn memory_stays_bounded_behind_a_slow_table_and_no_row_is_lost_or_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store { fail_next: Mutex::new(true), ..Store::default() });
    let table = SlowTable { input: topic(0), store: store.clone(), buffer: Vec::new(), positions: BTreeMap::new() };
    let stages: Vec<Arc<dyn Stage>> = vec![Arc::new(Split::new(PREFIX)), Arc::new(Sum::new(PREFIX))];
    let run = run_stages(folder.path(), stages, vec![Box::new(table)]);
    // Some twenty times what the table may hold: account names of 160 KB.
    for number in 0..64 {
        let record = |partition: u32| OutRecord {
            topic: (*topic(0)).into(),
            partition,
            key: Some(Bytes::from(format!("account-{number}-{partition}-").repeat(12_000))),
            payload: Some(Bytes::from(format!("{number}/{partition} 1"))),
            headers: Vec::new(),
            timestamp: None,
        };
        run.log.append(vec![record(0), record(1)]).unwrap();
    }
    // The stages do not wait for the table.
    wait_for(|| appear(&*run.log, PREFIX) == 128);
    assert_eq!(store.rows.lock().unwrap().len(), 0);
    *store.open.lock().unwrap() = true;
    store.opened.notify_all();
    run.finish();
    assert_eq!(store.rows.lock().unwrap().len(), 128);
    let largest = store.largest_buffer.load(Ordering::Relaxed);
    // The bound, and what one read adds to it.
    assert!(largest <= (1 << 20) + (4 << 20), "{largest} bytes were buffered");
}

#[test]
fn a_table_goes_on_past_the_last_record_there_is_when_it_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store { open: Mutex::new(true), ..Store::default() });
    let table = SlowTable { input: topic(0), store: store.clone(), buffer: Vec::new(), positions: BTreeMap::new() };
    let run = run_stages(folder.path(), Vec::new(), vec![Box::new(table)]);
    let record = |payload: &'static str| OutRecord {
        topic: (*topic(0)).into(),
        partition: 0,
        key: None,
        payload: Some(Bytes::from(payload)),
        headers: Vec::new(),
        timestamp: None,
    };
    // The good one is not written yet when the bad one stops the partition: both are read again.
    run.log.append(vec![record("good"), record("bad")]).unwrap();
    assert!(run.halted("slow", 0).contains("it is bad"));
    order_skip(&*run.log, "slow", &topic(0), 0, 1);
    wait_for(|| run.telemetry.health().status == "running");
    run.finish();
    assert_eq!(store.rows.lock().unwrap().keys().copied().collect::<Vec<_>>(), [(0, 0)]);
    assert_eq!(store.offsets.lock().unwrap().get(&0), Some(&2), "past the bad one");
}

#[test]
fn a_table_that_is_full_is_read_for_again_when_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store { open: Mutex::new(true), full: AtomicBool::new(true), ..Store::default() });
    let table = SlowTable { input: topic(0), store: store.clone(), buffer: Vec::new(), positions: BTreeMap::new() };
    let stages: Vec<Arc<dyn Stage>> = vec![Arc::new(Split::new(PREFIX)), Arc::new(Sum::new(PREFIX))];
    let mut run = run_stages(folder.path(), stages, vec![Box::new(table)]);
    run.feed(100);
    assert!(!run.runtime.wait_idle(Duration::from_secs(1)), "what the table does not take is not through");
    assert_eq!(store.largest_buffer.load(Ordering::Relaxed), 0);
    store.full.store(false, Ordering::Relaxed);
    run.finish();
    assert_eq!(store.rows.lock().unwrap().len(), 100);
}

#[test]
fn a_thread_beside_the_stages_that_panics_ends_the_run_with_an_error() {
    let (folder, shutdown) = (tempfile::tempdir().unwrap(), Shutdown::new());
    let stages: Vec<Arc<dyn Stage>> = vec![Arc::new(Split::new(PREFIX)), Arc::new(Sum::new(PREFIX))];
    let runtime = start(open(folder.path()), stages, Vec::new(), LocalOptions::default(), shutdown.clone()).unwrap();
    shutdown.spawn("route-hook", |_| panic!("meant to")).unwrap();
    assert!(shutdown.wait(WAIT));
    assert_eq!(runtime.stop().unwrap_err().to_string(), "route-hook panicked: see the message above");
}

/// Says how many records came, long after they did, or when somebody waits for it. Has the name of a stage for which there is a changelog.
struct Hold {
    input: String,
}

/// An hour: no test waits for it.
const HELD_MICROS: i64 = 3_600_000_000;

impl Stage for Hold {
    fn name(&self) -> &'static str {
        "split"
    }
    fn input(&self) -> &str {
        &self.input
    }
    fn outputs(&self) -> Vec<String> {
        vec![topic(2)]
    }
    fn processor(&self, source: &Source) -> Box<dyn Processor> {
        Box::new(Holding { partition: source.partition, held: 0, before: 0, since: None })
    }
}

struct Holding {
    partition: u32,
    held: usize,
    /// As committed.
    before: usize,
    since: Option<Timestamp>,
}

impl Processor for Holding {
    fn restore(&mut self, _: &[u8], value: Option<&[u8]>) -> Result<(), Halt> {
        self.held = String::from_utf8_lossy(value.unwrap_or_default()).parse().unwrap();
        self.since = (self.held > 0).then(stream::now);
        Ok(())
    }
    fn process(&mut self, records: &[Record<'_>], tick: &Tick, _: &mut Books) -> Result<(), Halt> {
        self.held += records.len();
        self.since = self.since.or(Some(tick.now));
        Ok(())
    }
    fn finish(&mut self, tick: &Tick, _: &mut Books, out: &mut Output) -> Result<(), Halt> {
        if self.due_at().is_some_and(|at| at <= tick.now || tick.hurry) {
            out.records.push(OutRecord {
                topic: topic(2).into(),
                partition: self.partition,
                key: None,
                payload: Some(Bytes::from(self.held.to_string())),
                headers: Vec::new(),
                timestamp: None,
            });
            (self.held, self.since) = (0, None);
        }
        out.changes.push((Bytes::from_static(b"held"), Some(Bytes::from(self.held.to_string()))));
        Ok(())
    }
    fn due_at(&self) -> Option<Timestamp> {
        self.since.map(|since| Timestamp::from_micros(since.micros() + HELD_MICROS))
    }
    fn export(&self, _: &mut dyn FnMut(u32, Bytes, Bytes)) -> Result<(), Halt> {
        Ok(())
    }
    fn promote(&mut self) {
        self.before = self.held;
    }
    fn undo(&mut self) {
        self.held = self.before;
    }
}

#[test]
fn who_waits_gets_what_is_held_back_at_once_also_by_an_earlier_run() {
    let folder = tempfile::tempdir().unwrap();
    let run_hold = || run_stages(folder.path(), vec![Arc::new(Hold { input: topic(0) })], Vec::new());
    let said = |log: &dyn Log| {
        let mut said = 0;
        for partition in 0..2 {
            let each = |record: &StoredRecord| {
                said += String::from_utf8_lossy(record.payload.as_ref().unwrap()).parse::<usize>()?;
                Ok(())
            };
            stream::log::scan(log, &topic(2), partition, 0, each).unwrap();
        }
        said
    };
    let mut first = run_hold();
    first.feed(10);
    assert!(first.runtime.wait_idle(WAIT));
    assert_eq!(said(&*first.log), 10);
    first.feed(7);
    wait_for(|| (0..2).map(|partition| first.position("split", &topic(0), partition)).sum::<i64>() == 17);
    let Run { log, runtime, .. } = first;
    runtime.stop().unwrap();
    drop(log);
    let second = run_hold();
    assert!(second.runtime.wait_idle(WAIT));
    assert_eq!(said(&*second.log), 17);
    second.runtime.stop().unwrap();
}
