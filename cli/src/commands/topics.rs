//! `spendstream topics`: creates the topics of an installation, or says how a cluster's differ.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use schemas::topics::{RAW, catalogue};
use stream::kafka::topics::{Layout, apply, diff};
use stream::settings::Connection;

/// Create the topics of an installation on Kafka, or compare those that exist.
#[derive(Debug, Args)]
pub(super) struct Topics {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create every topic that is missing. What exists is left as it is.
    Apply(Cluster),
    /// Say how the topics of a cluster differ from the catalogue; exit code 1 when they do.
    Diff(Cluster),
}

#[derive(Debug, Args)]
struct Cluster {
    #[command(flatten)]
    connection: Connection,
    /// Raw topics of your producers; may be given many times.
    #[arg(long = "raw-topic", default_values_t = [RAW.to_owned()])]
    raw_topics: Vec<String>,
    /// Partitions of internal topics, at most 256. Changing it later means draining; take more than you need today.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=256))]
    partitions: u32,
    /// Partitions of raw topics.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..))]
    raw_partitions: u32,
    /// Copies of each record. Three survive the loss of a broker while another restarts; one is for a laptop.
    #[arg(long, default_value_t = 3)]
    replication: i32,
}

impl Topics {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (Action::Apply(cluster) | Action::Diff(cluster)) = &self.action;
        let raw: Vec<&str> = cluster.raw_topics.iter().map(String::as_str).collect();
        let wanted = catalogue(&raw);
        let layout =
            Layout { raw: cluster.raw_partitions, internal: cluster.partitions, replication: cluster.replication };
        if matches!(self.action, Action::Apply(_)) {
            let created = apply(&cluster.connection, &wanted, layout).context("create topics")?;
            for topic in &created {
                println!("created {topic}");
            }
            println!("{} of {} topics created, the others were there", created.len(), wanted.len());
            return Ok(ExitCode::SUCCESS);
        }
        let differences = diff(&cluster.connection, &wanted, layout).context("compare topics")?;
        for difference in &differences {
            println!("{difference}");
        }
        if differences.is_empty() {
            println!("all {} topics are as the catalogue says", wanted.len());
            return Ok(ExitCode::SUCCESS);
        }
        Ok(ExitCode::FAILURE)
    }
}
