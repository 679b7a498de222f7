//! What the sink costs beside the least that anybody must do, in one run: `cargo bench -p spendstream-sink --bench lake`.
//!
//! *floor*: batches of charges, Avro as they are in the topic, are decoded by `arrow-avro` and written by Parquet's own
//! writer, zstd level 1, one file a flush: no columns of our own, no order, no days, no statistics in a log, no commit.
//! *sink*: the same batches into a table on the same disk, committed. Rounds alternate, so that a machine that drifts
//! drifts for both; the medians are compared. Then the sizes of the files, and the memory of a sink with 90 days open.
#![expect(clippy::float_arithmetic, reason = "rates and shares for people; no money")]

extern crate spendstream_schemas as schemas;
extern crate spendstream_sink as sink;
extern crate spendstream_stream as stream;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use arrow::array::{AsArray, RecordBatch};
use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use schemas::codec::{Format, schema_json};
use schemas::{Batch, Charge, Lineage, Timestamp, fixture};
use sink::rows::Charges;
use sink::{Lake, LakeConfig, LakeTable};
use stream::{Record, Table};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows of one flush, of one batch, and of all that is measured in a round.
const FLUSH_ROWS: u64 = 50_000;
const BATCH_ROWS: u64 = 500;
const ROUNDS: usize = 7;

/// Event dates that are open at once, and the rows of the measurement of memory.
const DAYS: u64 = 90;
const MEMORY_ROWS: u64 = 600_000;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--memory-of") {
        return open_days(Path::new(arguments.get(at + 1).context("a folder")?));
    }
    // Cargo gives `--bench`; `cargo test` runs benches too, and must not measure.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let folder = tempfile::tempdir().context("make a temporary folder")?;
    let records = batches(FLUSH_ROWS, 1);
    let avro: usize = records.iter().map(Vec::len).sum();
    let floor = Floor::new()?;
    let (mut of_floor, mut of_sink) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let at = folder.path().join(format!("floor-{round}.parquet"));
        of_floor.push(timed(|| floor.write(&records, &at, Compression::ZSTD(ZstdLevel::try_new(1)?)))?);
        of_sink.push(timed_sink(&records, &folder.path().join(format!("sink-{round}")))?);
    }
    let (floor_used, sink_used) = (median(of_floor), median(of_sink));
    println!("{} rows of {} bytes of Avro, {ROUNDS} rounds, medians\n", FLUSH_ROWS, avro as u64 / FLUSH_ROWS);
    println!("| | rows/s | CPU s per million |\n|---|---:|---:|");
    for (name, used) in [("floor: arrow-avro, Parquet", floor_used), ("sink: topic's bytes to commit", sink_used)] {
        let per_million = used.cpu.as_secs_f64() * 1e6 / FLUSH_ROWS as f64;
        println!("| {name} | {:.0} | {per_million:.2} |", FLUSH_ROWS as f64 / used.wall.as_secs_f64());
    }
    let share = |floor: Duration, sink: Duration| 100. * floor.as_secs_f64() / sink.as_secs_f64();
    println!(
        "\nThe sink reaches {:.0} % of the floor by time, {:.0} % by CPU.",
        share(floor_used.wall, sink_used.wall),
        share(floor_used.cpu, sink_used.cpu)
    );

    let naive = folder.path().join("naive.parquet");
    floor.write(&records, &naive, Compression::SNAPPY)?;
    let naive = naive.metadata()?.len();
    let ours = bytes_of(&folder.path().join("sink-0/charges"), ".parquet")?;
    println!("\n| | bytes | a row |\n|---|---:|---:|");
    for (name, bytes) in
        [("Avro in the topic", avro as u64), ("naive: as it comes, nested, snappy", naive), ("sink", ours)]
    {
        println!("| {name} | {bytes} | {} |", bytes / FLUSH_ROWS);
    }

    let child = std::process::Command::new(&arguments[0]);
    let mut child = child_of(child, &folder.path().join("memory"));
    ensure!(child.status().context("measure memory")?.success(), "the measurement of memory failed");
    Ok(())
}

fn child_of(mut child: std::process::Command, folder: &Path) -> std::process::Command {
    child.arg("--memory-of").arg(folder);
    child
}

/// Batches of charges, spread over so many days.
fn batches(rows: u64, days: u64) -> Vec<Vec<u8>> {
    let format = Format::<Batch<Charge>>::new();
    let (mut items_total, mut records) = (0, Vec::new());
    for first in (0..rows).step_by(BATCH_ROWS as usize) {
        let items: Vec<Charge> = (first..first + BATCH_ROWS)
            .map(|number| {
                let mut charge = fixture::everyday_charge(number);
                charge.event.event_time = charge.event.event_time.plus_seconds(-86_400 * (number % days) as i64);
                charge
            })
            .collect();
        items_total += items.len() as i64;
        let sequence = (first / BATCH_ROWS) as i64;
        records.push(format.encode(&Batch { lineage: Lineage { sequence, items_total, ..fixture::lineage() }, items }));
    }
    records
}

fn now() -> Timestamp {
    fixture::charge().booked_at
}

fn append(table: &mut dyn Table, records: &[Vec<u8>], from: i64) -> anyhow::Result<()> {
    for (offset, payload) in (from..).zip(records) {
        let payload = Some(payload.as_slice());
        let record = Record { offset, timestamp: now(), key: None, payload, headers: Vec::new() };
        table.append(0, &[record], offset + 1)?;
        if table.due(now()) {
            table.flush(now())?;
        }
    }
    Ok(())
}

/// Wall and processor time.
#[derive(Debug, Clone, Copy)]
struct Used {
    wall: Duration,
    cpu: Duration,
}

fn timed(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Used> {
    let (cpu, began) = (cpu_time(), Instant::now());
    work()?;
    Ok(Used { wall: began.elapsed(), cpu: cpu_time().saturating_sub(cpu) })
}

/// Of every thread of this process.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place for the answer lives until the call returns.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn median(mut used: Vec<Used>) -> Used {
    let middle = used.len() / 2;
    used.sort_by_key(|used| used.wall);
    let wall = used[middle].wall;
    used.sort_by_key(|used| used.cpu);
    Used { wall, cpu: used[middle].cpu }
}

/// The table is there already, as in a sink at work; appending, flush and commit are measured.
fn timed_sink(records: &[Vec<u8>], folder: &Path) -> anyhow::Result<Used> {
    let config = LakeConfig { lake_buffer_bytes: usize::MAX, ..LakeConfig::at(folder.display().to_string()) };
    let lake = Lake::open(&config)?;
    let mut table = LakeTable::<Charges>::open(&lake, &config)?;
    table.assign(&[0])?;
    timed(|| {
        append(&mut table, records, 0)?;
        table.flush(now())
    })
}

/// The least that anybody must do.
struct Floor {
    schema: AvroSchema,
    fingerprint: Fingerprint,
}

impl Floor {
    fn new() -> anyhow::Result<Self> {
        let schema = AvroSchema::new(schema_json::<Batch<Charge>>().to_string());
        let fingerprint = schema.fingerprint(FingerprintAlgorithm::Rabin)?;
        Ok(Floor { schema, fingerprint })
    }

    fn write(&self, records: &[Vec<u8>], at: &Path, compression: Compression) -> anyhow::Result<()> {
        let mut store = SchemaStore::new();
        store.register(self.schema.clone())?;
        let mut decoder = ReaderBuilder::new()
            .with_writer_schema_store(store)
            .with_active_fingerprint(self.fingerprint)
            .with_batch_size(16)
            .build_decoder()?;
        let Fingerprint::Rabin(fingerprint) = self.fingerprint else { unreachable!("asked for Rabin") };
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut writer: Option<ArrowWriter<std::fs::File>> = None;
        let mut message = Vec::new();
        let mut write = |batch: RecordBatch| -> anyhow::Result<()> {
            let items = batch.column_by_name("items").context("batches have items")?.as_list::<i32>();
            let rows = RecordBatch::from(items.values().as_struct());
            if writer.is_none() {
                let file = std::fs::File::create(at)?;
                writer = Some(ArrowWriter::try_new(file, rows.schema(), Some(properties.clone()))?);
            }
            writer.as_mut().context("just made")?.write(&rows)?;
            Ok(())
        };
        for record in records {
            // Our fingerprint is of the schema without logical types, which arrow-avro would not know.
            message.clear();
            message.extend_from_slice(&[0xc3, 0x01]);
            message.extend_from_slice(&fingerprint.to_le_bytes());
            message.extend_from_slice(schemas::codec::datum(record));
            let used = decoder.decode(&message)?;
            ensure!(used == message.len(), "arrow-avro left {} bytes", message.len() - used);
            if decoder.batch_is_full()
                && let Some(batch) = decoder.flush()?
            {
                write(batch)?;
            }
        }
        if let Some(batch) = decoder.flush()? {
            write(batch)?;
        }
        writer.context("there are records")?.close()?;
        Ok(())
    }
}

fn bytes_of(folder: &Path, end: &str) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            bytes += bytes_of(&path, end)?;
        } else if path.to_string_lossy().ends_with(end) {
            bytes += path.metadata()?.len();
        }
    }
    Ok(bytes)
}

/// Takes charges of 90 days with the default settings, as a sink that catches up, and prints the most memory it held.
fn open_days(folder: &Path) -> anyhow::Result<()> {
    let config = LakeConfig::at(folder.display().to_string());
    let lake = Lake::open(&config)?;
    let mut table = LakeTable::<Charges>::open(&lake, &config)?;
    table.assign(&[0])?;
    let records = batches(20_000, DAYS);
    let held: usize = records.iter().map(Vec::len).sum();
    let before = peak_mib()?;
    let mut offset = 0;
    // The same batches again and again, numbered on.
    let format = Format::<Batch<Charge>>::new();
    let mut sequence = 0;
    while offset * (BATCH_ROWS as i64) < MEMORY_ROWS as i64 {
        for record in &records {
            let mut batch = format.decode(record)?;
            batch.lineage.sequence = sequence;
            let payload = format.encode(&batch);
            append(&mut table, &[payload], offset)?;
            (sequence, offset) = (sequence + 1, offset + 1);
        }
    }
    table.flush(now())?;
    let files = bytes_of(&folder.join("charges"), ".parquet")?;
    println!(
        "\n{MEMORY_ROWS} rows over {DAYS} days through a buffer of {} MiB: at most {} MiB of memory ({} before, of which {} \
         are the records themselves); {} MiB of Parquet.",
        config.lake_buffer_bytes >> 20,
        peak_mib()?,
        before,
        held >> 20,
        files >> 20
    );
    Ok(())
}

fn peak_mib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read this process's memory")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("Linux tells the peak")?;
    Ok(peak.split_whitespace().next().context("a number")?.parse::<u64>()? / 1_024)
}
