//! Tables that own their offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngCore as _, SeedableRng as _};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::Timestamp;
use spendstream_tests::conformance::{self, Sent, send};
use spendstream_tests::process::Process;
use stream::kafka::{Orders, run_table};
use stream::{Halt, Log as _, OutRecord, Record, Settings, Shutdown, StoredRecord, Table, Telemetry, Write};

use crate::{PATIENCE, Run, kafka};

/// What an instance of a service of this environment is started with.
fn settings(environment: &str, instance: &str) -> Settings {
    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        settings: Settings,
    }
    let brokers = kafka().brokers();
    let mut flags = vec!["test", "--brokers", &brokers, "--environment", environment, "--instance", instance];
    flags.extend(["--session-timeout", "6s", "--transaction-timeout", "4s", "--table-bytes-max", "4KiB"]);
    <Flags as clap::Parser>::parse_from(flags).settings
}

/// A table in memory that outlives the driver, as a lake would. Unless it is steady every third write fails, half of them
/// after the fact; all of them while it is away.
#[derive(Default)]
struct Store {
    rows: Vec<String>,
    positions: BTreeMap<u32, i64>,
    writes: usize,
    steady: bool,
    away: bool,
}

struct Shelf {
    topic: String,
    store: Arc<Mutex<Store>>,
    buffer: BTreeMap<u32, (Vec<String>, i64)>,
}

impl Table for Shelf {
    fn name(&self) -> &str {
        "shelf"
    }
    fn input(&self) -> &str {
        &self.topic
    }
    fn assign(&mut self, partitions: &[u32]) -> anyhow::Result<Vec<(u32, Option<i64>)>> {
        let store = self.store.lock().unwrap();
        Ok(partitions.iter().map(|partition| (*partition, store.positions.get(partition).copied())).collect())
    }
    fn revoke(&mut self, partitions: &[u32]) {
        self.buffer.retain(|partition, _| !partitions.contains(partition));
    }
    fn append(&mut self, partition: u32, records: &[Record<'_>], position: i64) -> Result<(), Halt> {
        let (rows, to) = self.buffer.entry(partition).or_default();
        rows.extend(
            records.iter().map(|record| String::from_utf8_lossy(record.payload.unwrap_or_default()).into_owned()),
        );
        *to = position;
        Ok(())
    }
    fn due(&self, _: Timestamp) -> bool {
        self.buffered_bytes() > 200
    }
    fn buffered_bytes(&self) -> usize {
        self.buffer.values().flat_map(|(rows, _)| rows).map(String::len).sum()
    }
    fn flush(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.begin_flush(now)?.map_or(Ok(()), |write| write())
    }
    fn begin_flush(&mut self, _: Timestamp) -> anyhow::Result<Option<Write>> {
        let (store, taken) = (self.store.clone(), std::mem::take(&mut self.buffer));
        let write = move || {
            // Long enough for more to be read.
            std::thread::sleep(Duration::from_millis(20));
            let mut store = store.lock().unwrap();
            store.writes += 1;
            anyhow::ensure!(!store.away, "the store is away");
            anyhow::ensure!(store.steady || store.writes % 6 != 2, "the store is away");
            for (partition, (rows, position)) in taken {
                store.rows.extend(rows);
                store.positions.insert(partition, position);
            }
            anyhow::ensure!(store.steady || store.writes % 6 != 5, "written, but the answer was lost");
            Ok(())
        };
        Ok(Some(Box::new(write)))
    }
}

#[test]
fn a_table_has_every_record_once_though_its_store_fails_with_and_without_effect() {
    let run = Run::new("shelf", 2);
    let [input, ..] = conformance::names(run.prefix);
    let store = Arc::<Mutex<Store>>::default();
    let mut sent = Sent::default();
    let settings = settings(run.prefix, "a");
    for _ in 0..2 {
        let (shutdown, settings) = (Shutdown::new(), settings.clone());
        let table = Shelf { topic: input.clone(), store: store.clone(), buffer: BTreeMap::new() };
        let stop = shutdown.clone();
        let driver = std::thread::spawn(move || {
            run_table(&settings, Box::new(table), &Orders::default(), &stop, &Telemetry::new())
        });
        for _ in 0..5 {
            send(&*run.log, run.prefix, &mut sent, 100);
            run.until("the rows are there", || store.lock().unwrap().rows.len() + 100 > sent.0.len());
        }
        shutdown.set();
        driver.join().unwrap().unwrap();
    }
    // The last write of all may be the one that fails: what it held would come with the next start.
    let mut rows = store.lock().unwrap().rows.clone();
    rows.sort();
    let mut expected: Vec<String> = sent.0.iter().map(|(id, (_, amount))| format!("{id} {amount}")).collect();
    expected.sort();
    expected.retain(|row| rows.binary_search(row).is_ok());
    assert_eq!(rows, expected, "a row is there twice, or was never sent");
    assert!(sent.0.len() - rows.len() < 100, "{} of {} rows are missing", sent.0.len() - rows.len(), sent.0.len());
}

#[test]
fn records_that_expired_before_a_table_had_them_stop_their_partition_alone_until_they_are_skipped() {
    let run = Run::new("shelf-expired", 2);
    let [input, ..] = conformance::names(run.prefix);
    let store = Arc::new(Mutex::new(Store { steady: true, ..Store::default() }));
    let mut sent = Sent::default();
    let start = |shutdown: &Shutdown| {
        let table = Shelf { topic: input.clone(), store: store.clone(), buffer: BTreeMap::new() };
        let (settings, stop) = (settings(run.prefix, "a"), shutdown.clone());
        std::thread::spawn(move || run_table(&settings, Box::new(table), &Orders::default(), &stop, &Telemetry::new()))
    };
    let rows = || store.lock().unwrap().rows.len();
    let position = |partition| store.lock().unwrap().positions.get(&partition).copied().unwrap_or(0);
    let first = Shutdown::new();
    let driver = start(&first);
    send(&*run.log, run.prefix, &mut sent, 100);
    // What is too little to be written by itself is written when it stops.
    run.until("nearly all is there", || rows() > 50);
    first.set();
    driver.join().unwrap().unwrap();
    let had = rows();
    send(&*run.log, run.prefix, &mut sent, 100);
    let (from, end) = (position(0), run.log.range(&input, 0).unwrap().end);
    let kept = run.log.read(&input, 0, from, usize::MAX).unwrap().len();
    kafka().delete_records(&input, 0, end - 20);
    let left = run.log.read(&input, 0, from, usize::MAX).unwrap().len();
    assert!(left < kept);
    let second = Shutdown::new();
    let driver = start(&second);
    let other = run.log.range(&input, 1).unwrap().end;
    run.until("the other partition is read", || position(1) + 20 >= other);
    assert_eq!(position(0), from, "it waits for an order");
    conformance::order_skip(&*run.log, "shelf", &input, 0, from);
    // Enough for the table to write.
    send(&*run.log, run.prefix, &mut sent, 200);
    run.until("it goes on", || position(0) > from);
    second.set();
    driver.join().unwrap().unwrap();
    assert_eq!(rows(), 400 - (kept - left), "{had} at first: what expired is missing, and nothing else");
}

#[test]
fn while_a_store_is_away_metrics_say_that_it_is_and_how_much_waits() {
    let run = Run::new("shelf-away", 1);
    let [input, ..] = conformance::names(run.prefix);
    let store = Arc::new(Mutex::new(Store { steady: true, ..Store::default() }));
    let (mut sent, shutdown, telemetry) = (Sent::default(), Shutdown::new(), Telemetry::new());
    let table = Shelf { topic: input.clone(), store: store.clone(), buffer: BTreeMap::new() };
    let (settings, stop, told) = (settings(run.prefix, "a"), shutdown.clone(), telemetry.clone());
    let driver = std::thread::spawn(move || run_table(&settings, Box::new(table), &Orders::default(), &stop, &told));
    let gauge = |name: &str| {
        let text = telemetry.render().unwrap();
        let mut lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        lines.next().and_then(|line| line.rsplit(' ').next()?.parse::<i64>().ok())
    };
    send(&*run.log, run.prefix, &mut sent, 100);
    run.until("nearly all is there", || store.lock().unwrap().rows.len() > 50);
    run.until("all is well", || gauge("spendstream_table_failures") == Some(0));
    store.lock().unwrap().away = true;
    send(&*run.log, run.prefix, &mut sent, 300);
    run.until("they are seen to wait", || gauge("spendstream_lag_records").is_some_and(|lag| lag >= 300));
    run.until("writes fail", || gauge("spendstream_table_failures").is_some_and(|failures| failures > 1));
    store.lock().unwrap().away = false;
    run.until("they are written", || gauge("spendstream_lag_records").is_some_and(|lag| lag < 100));
    run.until("all is well", || gauge("spendstream_table_failures") == Some(0));
    shutdown.set();
    driver.join().unwrap().unwrap();
}

#[test]
fn records_behind_a_transaction_that_stays_open_are_counted_and_told_of() {
    let run = Run::new("hidden", 1);
    let [input, ..] = conformance::names(run.prefix);
    let (mut sent, shutdown, telemetry) = (Sent::default(), Shutdown::new(), Telemetry::new());
    let store = Arc::new(Mutex::new(Store { steady: true, ..Store::default() }));
    let table = Shelf { topic: input.clone(), store: store.clone(), buffer: BTreeMap::new() };
    let (settings, stop, told) = (settings(run.prefix, "a"), shutdown.clone(), telemetry.clone());
    let driver = std::thread::spawn(move || run_table(&settings, Box::new(table), &Orders::default(), &stop, &told));
    let hidden = || {
        let text = telemetry.render().unwrap();
        let line = text.lines().find(|line| line.starts_with("spendstream_hidden_records{"))?;
        line.rsplit(' ').next()?.parse::<i64>().ok()
    };
    let mut probe = run.start("b", &["--stages", "split"]);
    send(&*run.log, run.prefix, &mut sent, 100);
    run.until("it is known that nothing is hidden", || hidden() == Some(0));
    // A producer of somebody else, which hangs.
    let mut hanging = ClientConfig::new();
    hanging.set("bootstrap.servers", kafka().brokers()).set("transaction.timeout.ms", "600000");
    let hanging: BaseProducer = hanging.set("transactional.id", "hidden.producer").create().unwrap();
    hanging.init_transactions(PATIENCE).unwrap();
    hanging.begin_transaction().unwrap();
    let record = BaseRecord::<[u8], [u8]>::to(&input).partition(0).payload(&b"hanging"[..]);
    hanging.send(record).map_err(|(error, _)| error).unwrap();
    hanging.flush(PATIENCE).unwrap();
    let rows = store.lock().unwrap().rows.len();
    send(&*run.log, run.prefix, &mut sent, 300);
    run.until("they are counted", || hidden().is_some_and(|records| records > 300));
    assert!(store.lock().unwrap().rows.len() < rows + 200, "they are not hidden");
    probe.wait_for("records wait behind a transaction that stays open", PATIENCE * 2);
    hanging.abort_transaction(PATIENCE).unwrap();
    run.until("nothing is hidden any more", || hidden() == Some(0));
    run.until("they are read", || store.lock().unwrap().rows.len() > rows + 200);
    probe.wait_for("the transaction that hid records is over", PATIENCE);
    assert_eq!(probe.log().matches("records wait behind a transaction that stays open").count(), 1);
    shutdown.set();
    driver.join().unwrap().unwrap();
}

/// What happens to tables whose writes wait for a gate.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    events: Mutex<Vec<String>>,
    /// Bytes on their way.
    writing: AtomicUsize,
    /// Most bytes held, and whether some of them waited while others were written.
    most: AtomicUsize,
    read_on: AtomicBool,
    full: AtomicBool,
}

impl Gate {
    fn set(&self, open: bool) {
        *self.open.lock().unwrap() = open;
        self.opened.notify_all();
    }
    fn saw(&self, who: &str, what: &str) {
        self.events.lock().unwrap().push(format!("{who} {what}"));
    }
    fn place(&self, event: &str) -> Option<usize> {
        self.events.lock().unwrap().iter().position(|seen| seen == event)
    }
}

/// A shelf behind a gate.
struct Gated {
    shelf: Shelf,
    who: &'static str,
    gate: Arc<Gate>,
}

impl Table for Gated {
    fn name(&self) -> &str {
        self.shelf.name()
    }
    fn input(&self) -> &str {
        self.shelf.input()
    }
    fn assign(&mut self, partitions: &[u32]) -> anyhow::Result<Vec<(u32, Option<i64>)>> {
        self.gate.saw(self.who, "was asked");
        self.shelf.assign(partitions)
    }
    fn revoke(&mut self, partitions: &[u32]) {
        self.gate.saw(self.who, "gave up");
        self.shelf.revoke(partitions);
    }
    fn append(&mut self, partition: u32, records: &[Record<'_>], position: i64) -> Result<(), Halt> {
        self.shelf.append(partition, records, position)?;
        self.gate.most.fetch_max(self.buffered_bytes(), Ordering::Relaxed);
        self.gate.read_on.fetch_or(self.gate.writing.load(Ordering::Relaxed) > 0, Ordering::Relaxed);
        Ok(())
    }
    fn due(&self, _: Timestamp) -> bool {
        self.gate.writing.load(Ordering::Relaxed) == 0 && self.shelf.buffered_bytes() > 0
    }
    fn buffered_bytes(&self) -> usize {
        self.shelf.buffered_bytes() + self.gate.writing.load(Ordering::Relaxed)
    }
    fn is_full(&self) -> bool {
        self.gate.full.load(Ordering::Relaxed)
    }
    fn flush(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.begin_flush(now)?.map_or(Ok(()), |write| write())
    }
    fn begin_flush(&mut self, now: Timestamp) -> anyhow::Result<Option<Write>> {
        let (who, gate) = (self.who, self.gate.clone());
        gate.writing.store(self.shelf.buffered_bytes(), Ordering::Relaxed);
        let write = self.shelf.begin_flush(now)?;
        let write = write.map(|write| {
            gate.saw(who, "began");
            Box::new(move || {
                drop(gate.opened.wait_while(gate.open.lock().unwrap(), |open| !*open));
                let written = write();
                gate.saw(who, "wrote");
                gate.writing.store(0, Ordering::Relaxed);
                written
            }) as Write
        });
        Ok(write)
    }
}

#[test]
fn while_a_write_is_on_its_way_no_position_is_told_no_partition_moves_and_what_is_held_has_a_bound() {
    let run = Run::new("gated", 1);
    let [input, ..] = conformance::names(run.prefix);
    let store = Arc::new(Mutex::new(Store { steady: true, ..Store::default() }));
    let (gate, mut sent, shutdown) = (Arc::<Gate>::default(), Sent::default(), Shutdown::new());
    let start = |who: &'static str| {
        let shelf = Shelf { topic: input.clone(), store: store.clone(), buffer: BTreeMap::new() };
        let (table, settings, shutdown) =
            (Gated { shelf, who, gate: gate.clone() }, settings(run.prefix, who), shutdown.clone());
        std::thread::spawn(move || {
            run_table(&settings, Box::new(table), &Orders::default(), &shutdown, &Telemetry::new())
        })
    };
    let mut observer = ClientConfig::new();
    let group = format!("{}.sink.shelf", run.prefix);
    observer.set("bootstrap.servers", kafka().brokers()).set("group.id", &group);
    let observer: BaseConsumer = observer.create().unwrap();
    let told = || {
        let mut list = TopicPartitionList::new();
        list.add_partition(&input, 0);
        observer.committed_offsets(list, PATIENCE).unwrap().elements()[0].offset()
    };
    let a = start("a");
    send(&*run.log, run.prefix, &mut sent, 50);
    run.until("a write begins", || gate.place("a began").is_some());
    send(&*run.log, run.prefix, &mut sent, 5);
    run.until("more is read meanwhile", || gate.read_on.load(Ordering::Relaxed));
    assert_eq!(told(), Offset::Invalid);
    let members = || {
        let known = observer.fetch_group_list(Some(group.as_str()), PATIENCE).unwrap();
        known.groups().iter().map(|group| group.members().len()).sum::<usize>()
    };
    let b = start("b");
    run.until("b has joined", || members() == 2);
    // Time enough for a to hear of it with its next heartbeats, and to give up what it must keep.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(gate.events.lock().unwrap()[..], ["a was asked", "a began"]);
    gate.set(true);
    run.until("partitions are shared out again", || gate.place("a gave up").is_some());
    assert!(gate.place("a wrote") < gate.place("a gave up"), "{:?}", gate.events.lock().unwrap());
    run.until("every row is there", || store.lock().unwrap().rows.len() >= sent.0.len());
    run.until("its position is told", || told() == Offset::Offset(store.lock().unwrap().positions[&0]));
    // Far more than may be held.
    gate.set(false);
    send(&*run.log, run.prefix, &mut sent, 2_000);
    run.until("reading stops", || gate.most.load(Ordering::Relaxed) >= 4096);
    std::thread::sleep(Duration::from_millis(500));
    let most = gate.most.load(Ordering::Relaxed);
    assert!(most < 4096 + 200, "{most} bytes are held of at most 4096");
    gate.set(true);
    run.until("every row is there", || store.lock().unwrap().rows.len() >= sent.0.len());
    shutdown.set();
    for driver in [a, b] {
        driver.join().unwrap().unwrap();
    }
    let mut rows = store.lock().unwrap().rows.clone();
    rows.sort();
    let mut expected: Vec<String> = sent.0.iter().map(|(id, (_, amount))| format!("{id} {amount}")).collect();
    expected.sort();
    assert_eq!(rows, expected);
}

#[test]
fn a_table_that_is_full_keeps_its_partitions_and_is_read_for_again_when_it_is_not() {
    let run = Run::new("full", 2);
    let [input, ..] = conformance::names(run.prefix);
    let store = Arc::new(Mutex::new(Store { steady: true, ..Store::default() }));
    let (gate, mut sent, shutdown) = (Arc::<Gate>::default(), Sent::default(), Shutdown::new());
    gate.set(true);
    let shelf = Shelf { topic: input, store: store.clone(), buffer: BTreeMap::new() };
    let (table, settings, stop) =
        (Gated { shelf, who: "a", gate: gate.clone() }, settings(run.prefix, "a"), shutdown.clone());
    let driver =
        std::thread::spawn(move || run_table(&settings, Box::new(table), &Orders::default(), &stop, &Telemetry::new()));
    let rows = || store.lock().unwrap().rows.len();
    for _ in 0..2 {
        send(&*run.log, run.prefix, &mut sent, 50);
        run.until("every row is there", || rows() >= sent.0.len());
        gate.full.store(true, Ordering::Relaxed);
        // A poll that began before may still take what comes.
        std::thread::sleep(Duration::from_millis(500));
        let before = rows();
        send(&*run.log, run.prefix, &mut sent, 50);
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(rows(), before);
        gate.full.store(false, Ordering::Relaxed);
        run.until("every row is there", || rows() >= sent.0.len());
    }
    let asked = gate.events.lock().unwrap().iter().filter(|event| *event == "a was asked").count();
    assert_eq!((asked, gate.place("a gave up")), (1, None));
    shutdown.set();
    driver.join().unwrap().unwrap();
    assert_eq!(rows(), sent.0.len());
}

/// A folder for a shelf whose writes do not wait.
pub(crate) fn open_shelf() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("open"), "").unwrap();
    folder
}

/// The rows of a shelf, sorted.
pub(crate) fn rows(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|is| is == "rows"));
    let text: String = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
    rows.sort();
    rows
}

/// Bytes of memory a process holds.
fn memory(process: &Process) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[test]
fn memory_stays_bounded_behind_a_slow_table_and_no_row_is_lost_or_repeated() {
    const MIB: usize = 1 << 20;
    let run = Run::new("slow", 2);
    let [input, ..] = conformance::names(run.prefix);
    // 160 MiB that do not compress wait for a process that may hold 1 MiB in its table and fetch 4 MiB ahead.
    let (mut random, mut expected) = (SmallRng::seed_from_u64(1), BTreeSet::new());
    for _ in 0..40 {
        let record = |partition| {
            // In the value: the client counts no keys among what it has fetched ahead.
            let mut value = vec![0; MIB / 2];
            random.fill_bytes(&mut value);
            let (topic, key, payload) = (input.as_str().into(), None, Some(value.into()));
            OutRecord { topic, partition, key, payload, headers: Vec::new(), timestamp: None }
        };
        run.log.append([0, 1, 0, 1, 0, 1, 0, 1].map(record).to_vec()).unwrap();
    }
    for partition in 0..2 {
        let each = |record: &StoredRecord| {
            expected.insert((partition, record.offset, record.payload.as_ref().unwrap().len()));
            Ok(())
        };
        stream::log::scan(&*run.log, &input, partition, 0, each).unwrap();
    }
    assert_eq!(expected.len(), 320);
    let folder = tempfile::tempdir().unwrap();
    let bounds = ["--table-bytes-max", "1MiB", "--fetch-bytes-max", "4MiB"];
    let probe = run.start("a", &[&["--shelf", folder.path().to_str().unwrap()], &bounds[..]].concat());
    run.until("a write waits", || folder.path().join("waiting").exists());
    // Whatever it fetches ahead, it has fetched when its memory stands still.
    let mut held = 0;
    run.until("its memory stands still", || {
        let memories = (0..10).map(|_| {
            std::thread::sleep(Duration::from_millis(100));
            memory(&probe)
        });
        let memories: BTreeSet<usize> = memories.collect();
        held = memories.last().copied().unwrap_or_default();
        held - memories.first().copied().unwrap_or_default() < MIB / 4
    });
    std::fs::write(folder.path().join("open"), "").unwrap();
    run.until("every row is there", || rows(folder.path()).len() >= expected.len());
    let (well, log) = probe.stop(PATIENCE);
    assert!(well, "{log}");
    let found = rows(folder.path());
    let mut expected: Vec<String> =
        expected.iter().map(|(at, offset, bytes)| format!("{at} {offset} {bytes}")).collect();
    expected.sort();
    assert_eq!(found, expected);
    assert!(held < 96 * MIB, "it held {} MiB", held / MIB);
}

#[test]
fn a_process_that_stands_still_as_long_as_its_session_goes_on_under_its_name() {
    let run = Run::new("named", 2);
    let mut sent = Sent::default();
    let folder = tempfile::tempdir().unwrap();
    let (open, waiting) = (folder.path().join("open"), folder.path().join("waiting"));
    let probe = run.start("a", &["--shelf", folder.path().to_str().unwrap()]);
    let lost = || probe.log().contains("the group took this member for gone");
    for _ in 0..10 {
        // Offsets are committed, then a write hangs, then the process stands still. The client counts its session from
        // the last heartbeat, the broker from the last commit: in between, the one has ended and the other has not.
        std::fs::write(&open, "").unwrap();
        send(&*run.log, run.prefix, &mut sent, 10);
        run.until("they are rows", || rows(folder.path()).len() >= sent.0.len());
        if lost() {
            break;
        }
        std::fs::remove_file(&open).unwrap();
        std::fs::remove_file(&waiting).unwrap();
        send(&*run.log, run.prefix, &mut sent, 10);
        run.until("a write waits", || waiting.exists());
        probe.signal(libc::SIGSTOP);
        std::thread::sleep(Duration::from_millis(5_600));
        probe.signal(libc::SIGCONT);
        // Only while the write hangs is there time to ask under the name alone, with a heartbeat. They come once a second:
        // the next pause begins well after one.
        std::thread::sleep(Duration::from_millis(1_600));
    }
    assert!(lost(), "the broker never refused the name: {}", probe.log());
    let (well, log) = probe.stop(PATIENCE);
    assert!(well, "{log}");
    let rows = rows(folder.path());
    assert_eq!((rows.len(), rows.iter().collect::<BTreeSet<_>>().len()), (sent.0.len(), sent.0.len()), "{rows:?}");
}
