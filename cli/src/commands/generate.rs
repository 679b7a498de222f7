//! `spendstream generate`: sample traffic to standard output or to Kafka.

use std::io::{BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use schemas::Timestamp;

use crate::traffic::{RawRecord, Shape, Traffic};

/// Write sample traffic: calls of several teams to several providers, good and bad, the same for the same seed.
#[derive(Debug, Args)]
pub struct Generate {
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

impl Generate {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let day_ago = || Timestamp::from(chrono::Utc::now()).plus_seconds(-SPAN_SECONDS);
        let start = self.start.unwrap_or_else(day_ago);
        let traffic = Traffic::new(self.seed, self.shape, start, SPAN_SECONDS, self.count);
        let records = traffic.take(usize::try_from(self.count).context("--count is too large for this machine")?);
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
}
