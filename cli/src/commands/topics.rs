//! `spendstream topics`: creates the topics of an installation, says how a cluster's differ, changes their partitions.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use schemas::topics::{RAW, SLOTTED, catalogue};
use stream::kafka::topics::{Layout, apply, diff, remedies};
use stream::kafka::{Change, KafkaLog, repartition};
use stream::settings::{Connection, parse_duration};
use stream::{Scratch, Telemetry};

use crate::forget::make_keys;

/// Create the topics of an installation on Kafka, or compare those that exist.
#[derive(Debug, Args)]
pub(super) struct Topics {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create every topic that is missing, and the keys that users are pseudonymised with. What exists is left as it is.
    Apply(Cluster),
    /// Say how the topics of a cluster differ from the catalogue, and what mends it. Exit code 1 when they do.
    Diff(Cluster),
    Repartition(Repartition),
}

/// Change the number of partitions of the internal topics, and move the state along.
///
/// Producers may go on. The command waits until you have stopped ingest, until enrich and aggregate have read what there
/// is, and until you have stopped those too; it says what it is waiting for. Then everything is moved in one
/// transaction: if it fails or is killed, nothing has changed, and it can be run again. The sink need not stop. Start the
/// services again afterwards.
#[derive(Debug, Args)]
struct Repartition {
    #[command(flatten)]
    connection: Connection,
    /// Partitions the internal topics are to have, at most 256; more or fewer than now.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    partitions: u32,
    /// Raw topics of your producers; may be given many times. Name all of them: no ingest may run meanwhile.
    #[arg(long = "raw-topic", default_values_t = [RAW.to_owned()])]
    raw_topics: Vec<String>,
    /// Name of the installation, as the services have it.
    #[arg(long, env = "SPENDSTREAM_ENVIRONMENT", default_value = "dev")]
    environment: String,
    /// Longest wait until services have read everything and are stopped.
    #[arg(long, default_value = "10m", value_parser = parse_duration)]
    patience: Duration,
    /// Folder for state that does not fit into memory while it is moved.
    #[arg(long, env = "SPENDSTREAM_STATE_DIR", default_value_os_t = std::env::temp_dir(), value_name = "DIR")]
    state_dir: PathBuf,
}

impl Repartition {
    fn run(self) -> anyhow::Result<ExitCode> {
        let raw: Vec<&str> = self.raw_topics.iter().map(String::as_str).collect();
        let scratch = Scratch::open(&self.state_dir)?;
        let change = Change {
            stages: super::up::stages(&raw, scratch, &Telemetry::new())?,
            topics: SLOTTED.map(str::to_owned).to_vec(),
            connection: self.connection,
            environment: self.environment,
            partitions: self.partitions,
            patience: self.patience,
        };
        let generation = repartition(&change, &mut |waiting| eprintln!("{waiting}")).context("change partitions")?;
        let topics = SLOTTED.join(", ");
        println!("{topics} use {} partitions from generation {generation} on: start the services", self.partitions);
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
struct Cluster {
    #[command(flatten)]
    connection: Connection,
    /// Raw topics of your producers; may be given many times.
    #[arg(long = "raw-topic", default_values_t = [RAW.to_owned()])]
    raw_topics: Vec<String>,
    /// Partitions of internal topics, at most 256. Only `topics repartition` changes it later, and the services stand
    /// still meanwhile; so take more than you need today.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=256))]
    partitions: u32,
    /// Partitions of raw topics.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..))]
    raw_partitions: u32,
    /// Copies of each record. Of three or more, two must have a record before it is acknowledged, so that one broker may
    /// be away and another be lost; one is for a laptop.
    #[arg(long, default_value_t = 3)]
    replication: i32,
}

impl Topics {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let apply_it = matches!(self.action, Action::Apply(_));
        let cluster = match self.action {
            Action::Repartition(repartition) => return repartition.run(),
            Action::Apply(cluster) | Action::Diff(cluster) => cluster,
        };
        let raw: Vec<&str> = cluster.raw_topics.iter().map(String::as_str).collect();
        let wanted = catalogue(&raw);
        let layout =
            Layout { raw: cluster.raw_partitions, internal: cluster.partitions, replication: cluster.replication };
        if apply_it {
            let created = apply(&cluster.connection, &wanted, layout).context("create topics")?;
            let log = KafkaLog::connect(&cluster.connection, "spendstream-cli")?;
            let made_keys = make_keys(&log).context("make the keys of users");
            for topic in &created {
                println!("created {topic}");
            }
            println!("{} of {} topics created, the others were there", created.len(), wanted.len());
            if made_keys? {
                println!("made the keys that users are pseudonymised with");
            }
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
        let remedies = remedies(&differences, &cluster.connection.brokers);
        if !remedies.is_empty() {
            println!("\nto mend it:");
        }
        for remedy in remedies {
            println!("  {remedy}");
        }
        Ok(ExitCode::FAILURE)
    }
}
