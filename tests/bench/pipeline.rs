//! From raw records to committed charges and windows, and to the lake.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use schemas::codec::Format;
use schemas::{LedgerEntry, topics};
use spendstream_tests::deployment::under_way;
use spendstream_tests::process::Process;
use stream::log::scan;

use crate::Config;
use crate::cluster::{Cluster, PATIENCE};
use crate::events::{Events, originals};
use crate::floor;
use crate::measure::{Used, head, rate, row, thousands};

/// Whoever is slower than this for minutes will not be waited for.
const RECORDS_A_SECOND_MIN: u64 = 5_000;

/// The books of every stage, kept up to date.
pub struct Books<'a> {
    cluster: &'a Cluster,
    format: Format<LedgerEntry>,
    next: i64,
    newest: BTreeMap<(String, String, i32), LedgerEntry>,
}

impl<'a> Books<'a> {
    /// Nothing read yet.
    pub fn new(cluster: &'a Cluster) -> Self {
        Books { cluster, format: Format::new(), next: 0, newest: BTreeMap::new() }
    }

    /// Reads what was written since.
    pub fn refresh(&mut self) -> anyhow::Result<()> {
        self.next = scan(&self.cluster.log, topics::LEDGER, 0, self.next, |record| {
            let payload = record.payload.as_deref().context("books have a value")?;
            let entry = self.format.decode(payload)?;
            self.newest.insert((entry.stage.to_string(), entry.topic.to_string(), entry.partition), entry);
            Ok(())
        })?;
        Ok(())
    }

    /// What has still to be done until these many raw records have passed through every stage.
    fn left_of(&mut self, records: u64) -> Option<String> {
        // A broker that is given more than it can do may answer late: what was not read is read the next time.
        if let Err(error) = self.refresh() {
            return Some(format!("the ledger could not be read: {error:#}"));
        }
        let entries: Vec<LedgerEntry> = self.newest.values().cloned().collect();
        under_way(&entries, records as i64)
    }

    /// Transactions of a stage, counted once for each partition they took part in.
    pub fn transactions(&self, stage: &str) -> i64 {
        let entries = self.newest.values().filter(|entry| entry.stage == stage);
        entries.map(|entry| entry.transaction + 1).sum()
    }

    /// A count over all partitions of a stage.
    pub fn count(&self, stage: &str, name: &str) -> i64 {
        let entries = self.newest.values().filter(|entry| entry.stage == stage);
        entries.flat_map(|entry| &entry.counts).filter(|count| count.name == name).map(|count| count.count).sum()
    }
}

/// Services at work, and what each had used when the first raw record was asked for.
pub struct Services {
    /// The processes, in the order data flows.
    pub running: Vec<(&'static str, Process)>,
    before: Vec<Used>,
    broker: Used,
    began: Instant,
}

impl Services {
    /// Starts the services so that all wait for records, ingest last.
    pub fn start(cluster: &Cluster, lake: Option<&str>) -> anyhow::Result<Self> {
        let partitions = cluster.partitions as usize;
        let mut running = Vec::new();
        if let Some(lake) = lake {
            running.push(("sink", cluster.service("sink", &["--lake", lake, "--lake-file-age", "10s"])?, partitions));
        }
        running.push(("aggregate", cluster.service("aggregate", &[])?, 2 * partitions));
        running.push(("enrich", cluster.service("enrich", &[])?, partitions));
        for (_, process, partitions) in running.iter_mut() {
            ready(process, *partitions)?;
        }
        running.push(("ingest", cluster.service("ingest", &[])?, 1));
        // From here on it reads: connections, groups and transactional ids are there, as they are in a service at work.
        ready(&running.last().context("ingest was started")?.1, 1)?;
        let began = Instant::now();
        let running: Vec<_> = running.into_iter().rev().map(|(name, process, _)| (name, process)).collect();
        let before = running.iter().map(|(_, process)| Used::by(process.id())).collect::<anyhow::Result<_>>()?;
        Ok(Services { running, before, broker: cluster.broker()?, began })
    }

    /// Waits until these many raw records have passed through every stage.
    pub fn settle(&mut self, books: &mut Books<'_>, records: u64) -> anyhow::Result<()> {
        let patience = PATIENCE + Duration::from_secs(records / RECORDS_A_SECOND_MIN);
        let deadline = Instant::now() + patience;
        while let Some(left) = books.left_of(records) {
            for (name, process) in &mut self.running {
                ensure!(!process.ended(), "{name} has ended before its work:\n{}", process.log());
            }
            ensure!(Instant::now() < deadline, "not through within {patience:?}: {left}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Prints what each has used, and all together.
    fn print(&self, cluster: &Cluster, name: &str, records: u64, wall: Duration) -> anyhow::Result<()> {
        let mut total = Used::default();
        for ((service, process), before) in self.running.iter().zip(&self.before) {
            let used = Used::by(process.id())?.since(*before);
            row(&format!("{name}: {service}"), records, None, used, None);
            total = Used { cpu: total.cpu + used.cpu, memory_mib: total.memory_mib + used.memory_mib };
        }
        row(name, records, Some(wall), total, Some(cluster.broker()?.since(self.broker).cpu));
        Ok(())
    }

    /// Asks every service to stop; each must end well.
    pub fn stop(self) -> anyhow::Result<()> {
        for (name, process) in self.running {
            let (well, log) = process.stop(Duration::from_secs(60));
            ensure!(well, "{name} did not end well:\n{log}");
        }
        Ok(())
    }
}

/// Waits until so many partitions are restored.
pub fn ready(process: &Process, partitions: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let restored = |log: &str| log.matches("state restored").count() + log.matches("table says where").count();
    while restored(&process.log()) < partitions {
        ensure!(Instant::now() < deadline, "not ready within {PATIENCE:?}:\n{}", process.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Every event must have become one charge, however often it was sent.
fn exact(books: &Books<'_>, records: u64) -> anyhow::Result<()> {
    let (charged, expected) = (books.count("enrich", "originals"), originals(records) as i64);
    ensure!(charged == expected, "{charged} calls were charged of {expected}");
    ensure!(books.count("enrich", "unpriced") == 0, "some calls have no price: the figures would mean little");
    Ok(())
}

/// Measures the services without the sink. Where there are other programs they are measured on the same topic before and
/// after them, and the services once more: a broker whose code is not compiled yet costs whoever comes first several
/// times as much. Gives events a second.
pub fn throughput(config: &Config) -> anyhow::Result<u64> {
    let mut cluster = Cluster::start(config, 0)?;
    cluster.fill(topics::RAW, Events::default(), config.records)?;
    println!("## From raw records to committed charges and windows, {} records\n", thousands(config.records));
    head();
    let beside =
        |cluster: &Cluster| config.beside.iter().try_for_each(|other| other.run(cluster, topics::RAW, config.records));
    beside(&cluster)?;
    let (wall, did) = charged(&cluster, "spendstream", config.records)?;
    beside(&cluster)?;
    if !config.beside.is_empty() {
        cluster.begin_anew()?;
        charged(&cluster, "spendstream, again", config.records)?;
    }
    if config.peers {
        floor::run(config, &cluster, topics::RAW)?;
    }
    println!("\n{did}\n");
    Ok(rate(config.records, wall))
}

/// Runs the services until every raw record is charged and summed, and prints their rows. Gives how long that took, and in
/// how many transactions it was done.
fn charged(cluster: &Cluster, name: &str, records: u64) -> anyhow::Result<(Duration, String)> {
    let mut services = Services::start(cluster, None)?;
    let mut books = Books::new(cluster);
    services.settle(&mut books, records)?;
    let wall = services.began.elapsed();
    services.print(cluster, name, records, wall)?;
    exact(&books, records)?;
    services.stop()?;
    let counts = ["ingest", "enrich", "combine", "merge"].map(|stage| format!("{stage} {}", books.transactions(stage)));
    let partials = thousands(books.count("combine", "partials.window") as u64);
    Ok((wall, format!("Transactions: {}. Partial sums of windows: {partials}.", counts.join(", "))))
}

/// Measures the services with the sink beside them, on a local lake.
pub fn lake(config: &Config) -> anyhow::Result<()> {
    let cluster = Cluster::start(config, 0)?;
    cluster.fill(topics::RAW, Events::default(), config.records)?;
    let folder = tempfile::tempdir().context("create a folder for the lake")?;
    let lake = folder.path().display().to_string();
    println!("## The same with the sink beside them\n");
    head();
    let mut services = Services::start(&cluster, Some(&lake))?;
    let mut books = Books::new(&cluster);
    services.settle(&mut books, config.records)?;
    let wall = services.began.elapsed();
    services.print(&cluster, "spendstream", config.records, wall)?;
    exact(&books, config.records)?;
    let expected = books.count("enrich", "charges");
    while rows(&cluster, &lake)? < expected {
        ensure!(services.began.elapsed() < PATIENCE, "the lake did not get every charge within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
    let wall = services.began.elapsed();
    services.print(&cluster, "spendstream, until the lake has them", config.records, wall)?;
    println!();
    services.stop()
}

/// Charges in the lake, by the ledger, which must close.
fn rows(cluster: &Cluster, lake: &str) -> anyhow::Result<i64> {
    let text = cluster.spendstream(&["ledger", "--lake", lake, "--output", "json"])?;
    let ledger: serde_json::Value = serde_json::from_str(&text).context("read the ledger")?;
    let mut stages = ledger["stages"].as_array().into_iter().flatten();
    Ok(stages.find(|stage| stage["stage"] == "lake").and_then(|stage| stage["taken"].as_i64()).unwrap_or(0))
}
