//! What remembering calls costs: bytes of memory, disk and changelog for each, how fast a lost state is found again, and
//! how fast it answers afterwards.
//!
//! `restore_calls write FOLDER CALLS [PER_TRANSACTION] [PARTITIONS]` writes changelogs; `restore_calls restore FOLDER` is a
//! service that finds its state again in them, with the default settings: a thread for each partition.
#![expect(clippy::float_arithmetic, reason = "rates for people; no money")]

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use clap::Parser;
use schemas::ids::{dedup_key, hash_parts};
use schemas::{
    ChargeCategory, CostBasis, Dimensions, EventItem, IdentityKind, Meter, Metered, Position, PriceContext, Quantity,
    Text, Timestamp, UsageEvent, topics,
};
use spendstream_enrich::{Directory, EnrichConfig, EnrichStage, PriceBook, read_prices};
use spendstream_schemas as schemas;
use spendstream_stream::reference::{Compiled, Reference};
use spendstream_stream::{Again, BatchWriter, Books, Output, Processor, Record, Scratch, Source, Stage, Tick};

fn event(nth: i64) -> Box<UsageEvent> {
    let call_key = Text::from(format!("openai/chatcmpl-{nth:029}"));
    let received_at = Timestamp::from_millis(1_790_000_000_000 + nth);
    let used = |meter, units| Metered { meter, quantity: Quantity::from_units(units) };
    Box::new(UsageEvent {
        tenant: "acme".into(),
        identity: IdentityKind::ResponseId,
        weaker_keys: vec![format!("event/checkout/{nth}").into()],
        iteration: 0,
        dedup_key: dedup_key("acme", &call_key, 0, "gpt-6-sol"),
        content_hash: hash_parts([nth.to_be_bytes().as_slice()]),
        call_key,
        precedence: 10,
        amends: false,
        event_id: Some(nth.to_string().into()),
        source: "checkout".into(),
        position: Position { topic: "usage.raw".into(), partition: 0, offset: nth, item: 0 },
        event_time: received_at,
        received_at,
        charge_period_start: None,
        charge_period_end: None,
        provider: "openai".into(),
        publisher: None,
        model: "gpt-6-sol".into(),
        requested_model: None,
        operation: "chat".into(),
        price_context: PriceContext::default(),
        usage: vec![used(Meter::InputTextTokens, 1_000 + nth % 97), used(Meter::OutputTextTokens, 200 + nth % 13)],
        checked: "prompt = uncached + cached".into(),
        raw_usage: r#"{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200}"#.into(),
        raw_usage_hash: hash_parts([nth.to_le_bytes().as_slice()]),
        extractor: "openai_chat".into(),
        extractor_version: 1,
        flags: Vec::new(),
        key_id: Some("key-7".into()),
        resource: None,
        tags: Vec::new(),
        claimed: Dimensions::default(),
        cost_basis: CostBasis::OnDemand,
        charge_category: ChargeCategory::Usage,
        reported_cost: None,
        stated_cost: None,
    })
}

/// Looks at ids after a restore.
const LOOKS: i64 = 200_000;

#[derive(Parser)]
enum Command {
    /// Charges calls and writes what the changelog would hold, one file a partition.
    Write {
        folder: PathBuf,
        calls: i64,
        #[arg(default_value_t = 500)]
        per_transaction: i64,
        #[arg(default_value_t = 1)]
        partitions: u32,
    },
    /// Finds the state of all partitions again, a thread each, and looks calls up in it.
    Restore { folder: PathBuf },
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Write { folder, calls, per_transaction, partitions } => {
            ensure!(calls > 0 && per_transaction > 0 && partitions > 0, "all three must be positive");
            std::fs::create_dir_all(&folder)?;
            let bench = Bench::new(partitions, &folder)?;
            each_partition(partitions, |partition| bench.write(partition, &folder, calls, per_transaction))
        }
        Command::Restore { folder } => {
            let partitions = (0..).take_while(|partition| file(&folder, *partition).exists()).count() as u32;
            ensure!(partitions > 0, "{} holds no changelogs: write them first", folder.display());
            Bench::new(partitions, &folder)?.restore(partitions, &folder)
        }
    }
}

fn file(folder: &Path, partition: u32) -> PathBuf {
    folder.join(format!("changelog-{partition}"))
}

fn each_partition(partitions: u32, work: impl Fn(u32) -> anyhow::Result<()> + Sync) -> anyhow::Result<()> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..partitions).map(|partition| scope.spawn(move || work(partition))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")))
    })
}

struct Bench {
    stage: EnrichStage,
    source: Source,
    tick: Tick,
}

impl Bench {
    fn new(partitions: u32, folder: &Path) -> anyhow::Result<Self> {
        let example = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/example"));
        let rows = read_prices(example).map_err(|findings| anyhow!("read the example prices: {findings:?}"))?;
        let prices = Arc::new(Reference::single(PriceBook::compile("b", &rows.iter().collect::<Vec<_>>())?));
        let owners = Arc::new(Reference::single(Directory::compile("d", &[])?));
        let stage = EnrichStage::new(EnrichConfig::default(), Scratch::open(folder)?, prices, owners);
        let targets = [topics::EVENTS, topics::CHARGES].map(|topic| (topic.to_owned(), partitions));
        let targets: Arc<HashMap<String, u32>> = Arc::new(targets.into_iter().collect());
        let source = Source {
            topic: topics::EVENTS.into(),
            partition: 0,
            partitions,
            generation: 0,
            targets,
            again: Again::default(),
        };
        let tick = Tick {
            now: Timestamp::from_millis(1_800_000_000_000),
            caught_up: false,
            hurry: false,
            skips: Arc::default(),
        };
        Ok(Bench { stage, source, tick })
    }

    fn source(&self, partition: u32) -> Source {
        Source { partition, ..self.source.clone() }
    }

    fn write(&self, partition: u32, folder: &Path, calls: i64, per_transaction: i64) -> anyhow::Result<()> {
        let partitions = i64::from(self.source.partitions);
        let mut changelog = BufWriter::with_capacity(1 << 20, File::create(file(folder, partition))?);
        let mut feed = Feed::new(self, partition);
        let mut processor = self.stage.processor(&self.source(partition));
        let (mut bytes, mut spent) = (0, Duration::ZERO);
        let calls: Vec<i64> = (i64::from(partition)..calls).step_by(partitions as usize).collect();
        for some in calls.chunks(per_transaction as usize) {
            let (took, out) = feed.charge(&mut *processor, some.iter().copied())?;
            spent += took;
            for (key, value) in out.changes {
                let value = value.unwrap_or_default();
                for part in [&key, &value] {
                    changelog.write_all(&(part.len() as u32).to_le_bytes())?;
                    changelog.write_all(part)?;
                    bytes += part.len();
                }
            }
        }
        changelog.flush()?;
        let count = calls.len() as f64;
        println!(
            "partition {partition}: {count} calls charged, {:.3} M/s; {:.0} bytes of changelog each",
            count / spent.as_secs_f64() / 1e6,
            bytes as f64 / count
        );
        Ok(())
    }

    fn restore(&self, partitions: u32, folder: &Path) -> anyhow::Result<()> {
        let registry = prometheus::Registry::new();
        self.stage.register_metrics(&registry)?;
        let processors = std::sync::Mutex::new(Vec::new());
        let began = Instant::now();
        each_partition(partitions, |partition| {
            let mut changelog = BufReader::with_capacity(1 << 20, File::open(file(folder, partition))?);
            let mut processor = self.stage.processor(&self.source(partition));
            let (mut key, mut value) = (Vec::new(), Vec::new());
            while next(&mut changelog, &mut key)? {
                ensure!(next(&mut changelog, &mut value)?, "the file is cut off");
                processor.restore(&key, Some(&value))?;
            }
            processor.restored()?;
            processors.lock().map_err(|_| anyhow!("a thread panicked"))?.push((partition, processor));
            Ok(())
        })?;
        let took = began.elapsed().as_secs_f64();
        println!("restored in {took:.2} s, with at most {} of memory", status("VmHWM:")?);
        let mut ids = 0;
        for family in registry.gather() {
            let sum: f64 = family.get_metric().iter().map(|metric| metric.get_gauge().get_value()).sum();
            if family.name().ends_with("_ids") {
                ids += sum as i64;
            }
            if sum > 0.0 {
                println!("{:<50} {sum:>15}", family.name());
            }
        }
        let (partition, mut processor) = processors
            .into_inner()
            .map_err(|_| anyhow!("a thread panicked"))?
            .pop()
            .context("a partition was restored")?;
        let mut feed = Feed::new(self, partition);
        let stride = ids / i64::from(partitions) / LOOKS + 1;
        let old = |nth: i64| i64::from(partition) + nth * stride * i64::from(partitions);
        for (what, from) in [("copies of all ages", 0), ("new calls", 1 << 27)] {
            let mut spent = Duration::ZERO;
            for some in (0..LOOKS).collect::<Vec<_>>().chunks(2_000) {
                let calls = some.iter().map(|nth| from + old(*nth));
                spent += feed.charge(&mut *processor, calls)?.0;
            }
            println!("{what}: {:.3} M/s", LOOKS as f64 / spent.as_secs_f64() / 1e6);
        }
        for family in registry.gather().iter().filter(|family| family.name().ends_with("_reads_total")) {
            let reads: f64 = family.get_metric().iter().map(|metric| metric.get_counter().get_value()).sum();
            println!("{} {reads}", family.name());
        }
        println!("with at most {} of memory", status("VmHWM:")?);
        Ok(())
    }
}

/// Sends calls to a processor as ingest does, and closes its transactions.
struct Feed<'a> {
    bench: &'a Bench,
    partition: u32,
    ingest: Books,
    writer: BatchWriter<EventItem>,
    books: Books,
    offset: i64,
}

impl<'a> Feed<'a> {
    fn new(bench: &'a Bench, partition: u32) -> Self {
        let (source, partitions) = (bench.source(partition), bench.source.partitions);
        Feed {
            bench,
            partition,
            ingest: Books::new("ingest", Source { topic: topics::RAW.into(), ..source.clone() }),
            writer: BatchWriter::new(topics::EVENTS, partitions),
            books: Books::new("enrich", source),
            offset: 0,
        }
    }

    /// Charges calls in one transaction; how long the processor took for it.
    fn charge(
        &mut self,
        processor: &mut dyn Processor,
        calls: impl Iterator<Item = i64>,
    ) -> anyhow::Result<(Duration, Output)> {
        let (tick, partition) = (&self.bench.tick, self.partition);
        for nth in calls {
            self.writer.push(partition, &EventItem::Event(event(nth)))?;
        }
        let mut sent = Output::default();
        self.writer.finish(tick, &mut self.ingest, &mut sent)?;
        let began = Instant::now();
        for record in sent.records.iter().filter(|record| record.partition == partition) {
            self.offset += 1;
            let payload = record.payload.as_deref();
            let record = Record { offset: self.offset, timestamp: tick.now, key: None, payload, headers: Vec::new() };
            processor.process(&[record], tick, &mut self.books)?;
        }
        let mut out = Output::default();
        processor.finish(tick, &mut self.books, &mut out)?;
        self.books.close(tick.now);
        processor.promote();
        self.books.promote();
        self.ingest.promote();
        Ok((began.elapsed(), out))
    }
}

/// Reads a length and so many bytes; false at the end.
fn next(from: &mut impl Read, bytes: &mut Vec<u8>) -> anyhow::Result<bool> {
    let mut length = [0; 4];
    if from.read(&mut length[..1])? == 0 {
        return Ok(false);
    }
    from.read_exact(&mut length[1..])?;
    bytes.resize(u32::from_le_bytes(length) as usize, 0);
    from.read_exact(bytes)?;
    Ok(true)
}

/// A line of what Linux tells of this process.
fn status(line: &str) -> anyhow::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let found =
        status.lines().find_map(|text| text.strip_prefix(line)).context("Linux tells the memory of a process")?;
    Ok(found.trim().to_owned())
}
