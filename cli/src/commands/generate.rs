//! `spendstream generate`: sample traffic to standard output or to a log.

use std::io::{BufWriter, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use schemas::{Timestamp, topics};
use stream::{Log, OutRecord};

use super::open::{LogArgs, now, partitions};
use crate::traffic::{RawRecord, Shape, Traffic};

/// Write sample traffic: calls of several teams to several providers, good and bad. The same seed gives the same
/// traffic.
///
/// Goes to standard output, or with `--brokers` to a topic.
#[derive(Debug, Args)]
pub(super) struct Generate {
    /// Records to write.
    #[arg(long, default_value_t = 10_000)]
    count: u64,
    /// Seed: the same seed, shape, count and start give the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What the traffic is like.
    #[arg(long, value_enum, default_value_t)]
    shape: Shape,
    /// When the traffic begins (RFC 3339 or a date) [default: 24 hours ago].
    #[arg(long)]
    start: Option<Timestamp>,
    /// What is written to standard output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Topic to write to, with --brokers.
    #[arg(long, default_value = topics::RAW)]
    topic: String,
    /// Most records a second, with --brokers; as fast as possible without.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
    #[command(flatten)]
    log: LogArgs,
}

/// A line of standard output.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// The record's value alone.
    #[default]
    Plain,
    /// An object with the record's key, headers, timestamp and value (`payload`), as `up --input` reads it.
    Records,
}

/// The sample tells of one day.
const SPAN_SECONDS: i64 = 86_400;

/// Records of one append.
const APPEND_RECORDS: u64 = 500;

impl Generate {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let start = self.start.unwrap_or_else(|| now().plus_seconds(-SPAN_SECONDS));
        let traffic = Traffic::new(self.seed, self.shape, start, SPAN_SECONDS, self.count);
        let mut records = traffic.take(usize::try_from(self.count).context("--count is too large for this machine")?);
        if self.log.brokers.is_some() {
            return self.append(&mut records).map(|()| ExitCode::SUCCESS);
        }
        let mut out = BufWriter::new(std::io::stdout().lock());
        match records.map(|record| self.line(&record, &mut out)).find(Result::is_err).unwrap_or_else(|| out.flush()) {
            // The reader has seen enough: `generate | head`.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            done => done.context("write to standard output").map(|()| ExitCode::SUCCESS),
        }
    }

    fn line(&self, record: &RawRecord, out: &mut impl Write) -> std::io::Result<()> {
        match self.format {
            Format::Plain => out.write_all(&record.payload)?,
            Format::Records => serde_json::to_writer(&mut *out, record)?,
        }
        out.write_all(b"\n")
    }

    fn append(&self, records: &mut impl Iterator<Item = RawRecord>) -> anyhow::Result<()> {
        let log: Arc<dyn Log> = self.log.open()?;
        let (count, topic) = (partitions(&*log, &self.topic)?, Arc::<str>::from(self.topic.as_str()));
        let began = Instant::now();
        let mut sent = 0u64;
        // A slow rate goes out in small steps, ten a second.
        let step = self.rate.map_or(APPEND_RECORDS, |rate| (rate / 10).clamp(1, APPEND_RECORDS));
        loop {
            let batch: Vec<OutRecord> = records
                .by_ref()
                .take(usize::try_from(step).context("records of one append")?)
                .map(|record| OutRecord {
                    topic: topic.clone(),
                    partition: record.slot % count,
                    key: record.key.map(Bytes::from),
                    payload: Some(Bytes::from(record.payload)),
                    headers: record.headers.into_iter().map(|(name, value)| (name, Bytes::from(value))).collect(),
                    timestamp: Some(record.timestamp),
                })
                .collect();
            if batch.is_empty() {
                eprintln!("{sent} records written to {} in {:.1?}", self.topic, began.elapsed());
                return Ok(());
            }
            sent += batch.len() as u64;
            log.append(batch).with_context(|| format!("write to {}", self.topic))?;
            if let Some(rate) = self.rate {
                let due = began + Duration::from_micros(sent.saturating_mul(1_000_000) / rate);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        }
    }
}
