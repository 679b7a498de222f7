//! The sink alone: from a topic of charges to committed Parquet, beside the least that writing the same rows takes.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::Schema;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use schemas::{Timestamp, topics};
use sink::rows::{Charges, Origin, Row, Rows, SourceBatch, all_columns};
use sink::{Lake, LakeConfig, LakeReader, Maintenance, column, file, read::Days};
use spendstream_tests::process::Process;
use stream::Record;
use stream::log::scan;

use crate::Config;
use crate::cluster::{Cluster, PATIENCE, now};
use crate::events::{Events, mix, originals};
use crate::measure::{Used, rate, thousands};
use crate::pipeline::{Books, ready};

/// Days over which charges are spread, all of them at once.
const DATES: i64 = 90;

const DAY: i64 = 86_400;

/// Rows the floor decodes before it makes columns of them, as many as the sink does.
const ROWS: usize = 1_024;

/// The last rows wait this long for more.
const FILE_AGE: &str = "2s";

/// A record of charges, as it is in the topic.
struct Stored {
    payload: Bytes,
    offset: i64,
}

/// What a way of writing took.
struct Taken {
    wall: Duration,
    used: Used,
    files: usize,
    bytes: u64,
}

/// What the sink did.
struct Committed {
    all: Taken,
    /// Of the broker.
    broker: Duration,
    /// Rows that commits had which did not wait for more, and how long those took.
    full: (u64, Duration),
}

/// Measures charges of the last hour, and charges of ninety dates that come in no order.
pub fn throughput(config: &Config) -> anyhow::Result<()> {
    for (name, dates) in [("charges of one hour", 0), ("charges of ninety dates at a time", DATES)] {
        println!("## The sink: {name}, {} events\n", thousands(config.records));
        run(config, dates)?;
        println!();
    }
    Ok(())
}

fn run(config: &Config, dates: i64) -> anyhow::Result<()> {
    let cluster = Cluster::start(config, 0)?;
    let rows = charge(config, &cluster, dates)?;
    let records = stored(&cluster)?;
    let folder = tempfile::tempdir().context("create a folder")?;
    let lake = folder.path().join("lake").display().to_string();
    let floor = floor(&records, rows, folder.path())?;
    let Committed { all: sink, broker, full } = committed(&cluster, &lake, rows)?;
    let merged = merged(&lake, rows)?;

    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!("| | rows/s | CPU s per million | broker CPU s per million | peak MiB |\n|---|---:|---:|---:|---:|");
    let per_million = |cpu: Duration| format!("{:.2}", cpu.as_secs_f64() * 1e6 / rows as f64);
    let line = |name: &str, taken: &Taken, broker: &str, memory: &str| {
        let rate = thousands(rate(rows, taken.wall));
        println!("| {name} | {rate} | {} | {broker} | {memory} |", per_million(taken.used.cpu));
    };
    line(&format!("decode and encode, {cores} threads, nothing else"), &floor, "", "");
    line("sink: topic to committed table", &sink, &per_million(broker), &sink.used.memory_mib.to_string());
    println!("| sink, until its last rows wait for more | {} | | | |", thousands(rate(full.0, full.1)));
    line("merging its files", &merged, "", "");
    let floor_rate = rows as f64 / floor.wall.as_secs_f64();
    let share = |rows: u64, wall: Duration| rows as f64 / wall.as_secs_f64() / floor_rate;
    println!(
        "\nThe sink reaches {:.2} of the first row, and {:.2} until its last rows wait for more.\n",
        share(rows, sink.wall),
        share(full.0, full.1)
    );

    println!("| the same {} rows | files | bytes a row | of the naive |\n|---|---:|---:|---:|", thousands(rows));
    let naive = naive(&records, folder.path())?;
    let size = |name: &str, files: usize, bytes: u64| {
        let share = bytes as f64 / naive as f64;
        println!("| {name} | {} | {} | {share:.2} |", thousands(files as u64), bytes / rows.max(1));
    };
    let avro = records.iter().map(|record| record.payload.len() as u64).sum();
    size("Avro, as in the topic before the client compresses it", 0, avro);
    size("naive: one file as rows come, Snappy, no dictionary, row groups of 1,048,576", 1, naive);
    size("first row above: one file a thread as rows come", floor.files, floor.bytes);
    size("sink, as committed", sink.files, sink.bytes);
    size("sink, merged", merged.files, merged.bytes);
    Ok(())
}

/// Has ingest and enrich charge events of so many dates up to now, in no order; of the last hour where there are none.
/// Gives the charges.
fn charge(config: &Config, cluster: &Cluster, dates: i64) -> anyhow::Result<u64> {
    let enrich = cluster.service("enrich", &[])?;
    ready(&enrich, cluster.partitions as usize)?;
    let (from, until) = (i64::from(now().days() - dates as i32 + 1) * DAY * 1_000_000, now().micros());
    let span = until.saturating_sub(from).max(1) as u64;
    match dates {
        0 => cluster.fill(topics::RAW, Events::default(), config.records)?,
        _ => cluster.fill_at(topics::RAW, Events::default(), config.records, |number| {
            Timestamp::from_micros(from + (mix(number) % span) as i64)
        })?,
    }
    let ingest = cluster.service("ingest", &[])?;
    let (mut books, deadline, expected) = (Books::new(cluster), Instant::now() + PATIENCE, originals(config.records));
    while books.count("enrich", "originals") < expected as i64 {
        ensure!(Instant::now() < deadline, "not every event was charged within {PATIENCE:?}:\n{}", enrich.log());
        std::thread::sleep(Duration::from_millis(100));
        books.refresh()?;
    }
    for service in [ingest, enrich] {
        let (well, log) = service.stop(Duration::from_secs(60));
        ensure!(well, "a service did not end well:\n{log}");
    }
    books.refresh()?;
    Ok(books.count("enrich", "charges") as u64)
}

/// The topic of charges, in memory.
fn stored(cluster: &Cluster) -> anyhow::Result<Vec<Stored>> {
    let mut records = Vec::new();
    for partition in 0..cluster.partitions {
        scan(&cluster.log, topics::CHARGES, partition, 0, |record| {
            let payload = record.payload.clone().context("charges have a value")?;
            records.push(Stored { payload, offset: record.offset });
            Ok(())
        })?;
    }
    Ok(records)
}

/// Columns of these records, a run of rows at a time, without the one that the path of a file states.
fn batches<'a>(records: impl Iterator<Item = &'a Stored>) -> impl Iterator<Item = anyhow::Result<RecordBatch>> {
    let (rows, columns) = (Charges::new(), all_columns::<Charges>());
    let schema = column::schema(&columns);
    let (mut records, mut pending) = (records, Vec::new());
    std::iter::from_fn(move || {
        while pending.len() < ROWS {
            let Some(stored) = records.next() else { break };
            let (offset, payload) = (stored.offset, Some(&*stored.payload));
            let record = Record { offset, timestamp: Timestamp::MIN, key: None, payload, headers: Vec::new() };
            let decoded = match rows.decode(&record) {
                Ok(decoded) => decoded,
                Err(error) => return Some(Err(anyhow::anyhow!("decode charges: {error}"))),
            };
            let source = decoded.lineage.as_ref().map(|lineage| std::sync::Arc::new(SourceBatch::from(lineage)));
            pending.extend(decoded.items.into_iter().zip(0..).map(|(item, index)| Row {
                item,
                origin: Origin { partition: 0, offset, item: index, source: source.clone() },
            }));
        }
        let rows: Vec<&Row<_>> = pending.iter().collect();
        let mut batch = (!rows.is_empty()).then(|| column::batch(&schema, &columns, &rows))?;
        pending.clear();
        batch.remove_column(0);
        Some(Ok(batch))
    })
}

fn schema() -> Schema {
    let whole = column::schema(&all_columns::<Charges>());
    Schema::new(whole.fields()[1..].to_vec())
}

/// Places of the columns that have a value in any of the records: the sink writes no others.
fn filled(records: &[Stored]) -> anyhow::Result<Vec<usize>> {
    let mut filled = vec![false; schema().fields().len()];
    for batch in batches(records.iter()) {
        let batch = batch?;
        filled
            .iter_mut()
            .zip(batch.columns())
            .for_each(|(filled, column)| *filled |= column.null_count() < column.len());
    }
    Ok(filled.iter().enumerate().filter(|(_, filled)| **filled).map(|(index, _)| index).collect())
}

/// Decodes the records and encodes them as the sink does, one file a core: no broker, no days, no order, no commit.
fn floor(records: &[Stored], rows: u64, folder: &Path) -> anyhow::Result<Taken> {
    let filled = filled(records)?;
    let schema = std::sync::Arc::new(schema().project(&filled)?);
    let lanes = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let own = || Used::by(std::process::id());
    let (before, began) = (own()?, Instant::now());
    let written = std::thread::scope(|scope| {
        let write = |lane: usize| {
            let batches = batches(records.iter().skip(lane).step_by(lanes));
            let batches = batches.map(|batch| Ok(batch?.project(&filled)?));
            let form = file::Form::new(schema.clone(), &[], Charges::LOOKUPS)?;
            let encoded = form.encode(batches, rows as usize / lanes, false)?;
            std::fs::write(folder.join(format!("floor-{lane}.parquet")), &encoded.bytes)?;
            anyhow::Ok((encoded.rows as u64, encoded.bytes.len() as u64))
        };
        let lanes: Vec<_> = (0..lanes).map(|lane| scope.spawn(move || write(lane))).collect();
        let joined = lanes.into_iter().map(|lane| lane.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?);
        joined.collect::<anyhow::Result<Vec<_>>>()
    })?;
    let (wall, used) = (began.elapsed(), own()?.since(before));
    let encoded: u64 = written.iter().map(|(rows, _)| rows).sum();
    ensure!(encoded == rows, "{encoded} rows were encoded of {rows}");
    Ok(Taken { wall, used, files: lanes, bytes: written.iter().map(|(_, bytes)| bytes).sum() })
}

/// Bytes of one file with nothing done for its size.
fn naive(records: &[Stored], folder: &Path) -> anyhow::Result<u64> {
    let properties =
        WriterProperties::builder().set_dictionary_enabled(false).set_compression(Compression::SNAPPY).build();
    let path = folder.join("naive.parquet");
    let mut writer = ArrowWriter::try_new(std::fs::File::create(&path)?, schema().into(), Some(properties))?;
    for batch in batches(records.iter()) {
        writer.write(&batch?)?;
    }
    writer.close()?;
    Ok(std::fs::metadata(&path)?.len())
}

/// Runs the sink from the moment it knows from where to read until the table has every row.
fn committed(cluster: &Cluster, lake: &str, rows: u64) -> anyhow::Result<Committed> {
    let mut sink = cluster.service("sink", &["--lake", lake, "--lake-file-age", FILE_AGE])?;
    sink.wait_for("table says where to read from", PATIENCE);
    let (before, broker, began) = (Used::by(sink.id())?, cluster.broker()?, Instant::now());
    let mut full = (0, Duration::ZERO);
    loop {
        match rows_committed(&sink) {
            all if all >= rows => break,
            some if some > full.0 => full = (some, began.elapsed()),
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
        ensure!(began.elapsed() < PATIENCE, "the table did not get every row within {PATIENCE:?}:\n{}", sink.log());
    }
    let wall = began.elapsed();
    let (used, broker) = (Used::by(sink.id())?.since(before), cluster.broker()?.since(broker).cpu);
    let (well, log) = sink.stop(Duration::from_secs(60));
    ensure!(well, "the sink did not end well:\n{log}");
    let (files, bytes) = size(lake, rows)?;
    Ok(Committed { all: Taken { wall, used, files, bytes }, broker, full })
}

/// Rows of charges in the commits that the sink has logged.
fn rows_committed(sink: &Process) -> u64 {
    let log = sink.log();
    let commits = log.lines().filter(|line| line.contains(r#"committed table="charges""#));
    let rows = commits.filter_map(|line| line.split_once(" rows=")?.1.split_whitespace().next()?.parse::<u64>().ok());
    rows.sum()
}

/// Merges the table's files until there is nothing more to merge.
fn merged(lake: &str, rows: u64) -> anyhow::Result<Taken> {
    let config = LakeConfig::at(lake);
    let maintenance = Maintenance::new(&Lake::open(&config)?, &config);
    let own = || Used::by(std::process::id());
    let (before, began) = (own()?, Instant::now());
    while maintenance.compact(Charges::TABLE, now())?.written > 0 {}
    let (wall, used) = (began.elapsed(), own()?.since(before));
    let (files, bytes) = size(lake, rows)?;
    Ok(Taken { wall, used, files, bytes })
}

/// Files and bytes of the table of charges, which must have so many rows.
fn size(lake: &str, rows: u64) -> anyhow::Result<(usize, u64)> {
    let snapshot = LakeReader::open(&LakeConfig::at(lake))?.snapshot(Charges::TABLE, Days::default(), None)?;
    let files = snapshot.files();
    let found: u64 = files.iter().filter_map(|file| file.rows).sum();
    ensure!(found == rows, "the table has {found} rows of {rows}");
    Ok((files.len(), files.iter().map(|file| file.bytes).sum()))
}
