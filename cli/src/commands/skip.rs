//! `spendstream skip`: orders a stage to go on past something it stopped at.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use schemas::Skip;

use super::open::{LogArgs, now, partitions};
use crate::ledger::STAGES;

/// Tell a stage that stopped to go on: past a record that cannot be decoded, past a gap in what it reads, or without what was lost.
///
/// The message of the stage that stopped names the arguments. The order is kept for good, and the ledger shows what was
/// left out.
#[derive(Debug, Args)]
pub(super) struct SkipOrder {
    /// Stage that stopped (ingest, enrich, combine or merge), or table of the lake. Each reader of a record has its own order.
    #[arg(long)]
    stage: String,
    /// Topic it reads.
    #[arg(long)]
    topic: String,
    /// Partition it reads.
    #[arg(long)]
    partition: u32,
    /// Offset of the record to leave out.
    #[arg(long, required_unless_present = "source", conflicts_with = "source")]
    offset: Option<i64>,
    /// Source whose batches are missing, as `TOPIC/PARTITION`; or the topic that is another one than it was, or the changelog that lost
    /// its beginning.
    #[arg(long, requires = "sequence", value_parser = source)]
    source: Option<(String, i32)>,
    /// First sequence of that source to accept again; of a topic or changelog, the number that the message gives.
    #[arg(long, requires = "source")]
    sequence: Option<i64>,
    /// Why, for whoever reads the ledger later.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    log: LogArgs,
}

fn source(text: &str) -> Result<(String, i32), String> {
    let (topic, partition) = text.rsplit_once('/').ok_or("write it as TOPIC/PARTITION")?;
    let partition = partition.parse().map_err(|_| format!("{partition:?} is not a partition"))?;
    Ok((topic.to_owned(), partition))
}

impl SkipOrder {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let log = self.log.open()?;
        let known = STAGES.into_iter().chain(sink::TABLES.iter().map(|table| table.name));
        let known: Vec<&str> = known.chain(["delivery"]).collect();
        anyhow::ensure!(
            known.contains(&self.stage.as_str()),
            "{:?} is no stage and no table; there are {}",
            self.stage,
            known.join(", ")
        );
        let count = partitions(&*log, &self.topic)?;
        anyhow::ensure!(
            self.partition < count,
            "{} has {count} partitions, so none numbered {}",
            self.topic,
            self.partition
        );
        let (source_topic, source_partition) = self.source.map(|(t, p)| (t.into(), p)).unzip();
        let skip = Skip {
            stage: self.stage.into(),
            topic: self.topic.into(),
            partition: i32::try_from(self.partition).context("--partition is too large")?,
            offset: self.offset,
            source_topic,
            source_partition,
            sequence: self.sequence,
            reason: self.reason.into(),
            ordered_at: now(),
        };
        stream::log::order_skip(&*log, &skip)?;
        println!("ordered: {} on {}/{} goes on within seconds", skip.stage, skip.topic, skip.partition);
        Ok(ExitCode::SUCCESS)
    }
}
