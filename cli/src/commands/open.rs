//! Where a command finds its log: the data folder of this machine, or Kafka.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use schemas::{Timestamp, topics};
use sink::{LakeConfig, LakeReader};
use stream::Log;
use stream::kafka::KafkaLog;
use stream::local::LocalLog;
use stream::local::inbox::open_or_join;
use stream::settings::{ClientSetting, Connection};

/// Where the log is: Kafka when `--brokers` is given, else the data folder. What the command line says goes before the
/// environment, also where the one names a folder and the other Kafka.
#[derive(Debug, Clone)]
pub(super) struct LogArgs(Flags);

impl std::ops::Deref for LogArgs {
    type Target = Flags;

    fn deref(&self) -> &Flags {
        &self.0
    }
}

impl Args for LogArgs {
    fn augment_args(command: Command) -> Command {
        Flags::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Flags::augment_args_for_update(command)
    }
}

impl FromArgMatches for LogArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        let on_the_line = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
        let (data, brokers) = (on_the_line("data"), on_the_line("brokers"));
        if data && brokers {
            let message = "--data names a folder of this machine and --brokers a cluster: give one of them\n";
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, message));
        }
        let mut flags = Flags::from_arg_matches_mut(matches)?;
        if data {
            flags.brokers = None;
        }
        Ok(LogArgs(flags))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The flags of [`LogArgs`]: of a command with subcommands they may stand before and after their names.
#[derive(Debug, Clone, Args)]
pub(super) struct Flags {
    /// Data folder of `spendstream up`.
    #[arg(long, env = "SPENDSTREAM_DATA", value_name = "DIR", default_value = "spendstream-data", global = true)]
    pub(super) data: PathBuf,
    /// Kafka brokers, as `host:port,host:port`; without them the data folder is used.
    #[arg(long, env = "SPENDSTREAM_BROKERS", global = true)]
    pub(super) brokers: Option<String>,
    /// Any setting of librdkafka, as `KEY=VALUE`; may be given many times.
    #[arg(id = "kafka", long = "kafka", value_name = "KEY=VALUE", env = "SPENDSTREAM_KAFKA", hide_env_values = true,
        value_delimiter = ';', value_parser = ClientSetting, global = true)]
    pub(super) options: Vec<(String, String)>,
    /// Schema registry of the installation on Kafka, where its services have one.
    #[arg(long, env = "SPENDSTREAM_SCHEMA_REGISTRY", value_name = "URL", hide_env_values = true, global = true)]
    pub(super) schema_registry: Option<String>,
}

pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

impl LogArgs {
    /// How to reach Kafka; `None` when the data folder is meant.
    pub(super) fn connection(&self) -> Option<Connection> {
        let brokers = self.brokers.clone()?;
        Some(Connection { brokers, options: self.options.clone(), schema_registry: self.schema_registry.clone() })
    }

    /// Opens the log to look at it; nothing is written, and no group is joined.
    pub(super) fn inspect(&self) -> anyhow::Result<Arc<dyn Log>> {
        match self.connection() {
            Some(connection) => Ok(Arc::new(KafkaLog::connect(&connection, "spendstream-cli")?)),
            None => Ok(Arc::new(LocalLog::inspect(&self.data)?)),
        }
    }

    /// Opens the log to append to it; the data folder also while `spendstream up` runs on it.
    pub(super) fn open(&self) -> anyhow::Result<Arc<dyn Log>> {
        match self.connection() {
            Some(connection) => Ok(Arc::new(KafkaLog::connect(&connection, "spendstream-cli")?)),
            None => open_or_join(&self.data, &topics::catalogue(&[topics::RAW])),
        }
    }

    /// Address of the lake: what was asked for, else the folder `lake` of the data folder.
    pub(super) fn lake(&self, asked: Option<&str>) -> anyhow::Result<String> {
        match asked {
            Some(lake) => Ok(lake.to_owned()),
            None if self.brokers.is_none() => Ok(self.data.join("lake").display().to_string()),
            None => anyhow::bail!("say where the lake is: --lake s3://bucket/prefix or --lake DIR"),
        }
    }
}

/// Opens a lake for reading. Endpoint, region and credentials come from the environment, as for the sink. An address at which
/// nothing was ever written is a mistake, not a lake in which nothing was spent.
pub(super) fn lake_reader(address: &str) -> anyhow::Result<LakeReader> {
    let reader = lake_that_may_come(address)?;
    anyhow::ensure!(
        reader.exists()?,
        "there is no lake at {address}: nothing was ever written there; check the address"
    );
    Ok(reader)
}

/// As [`lake_reader`], where the sink may not have begun yet.
pub(super) fn lake_that_may_come(address: &str) -> anyhow::Result<LakeReader> {
    LakeReader::open(&lake_config(address)?)
}

/// Where a lake is, with what the environment says about it.
pub(super) fn lake_config(address: &str) -> anyhow::Result<LakeConfig> {
    #[derive(Debug, clap::Parser)]
    struct Environment {
        #[command(flatten)]
        lake: LakeConfig,
    }
    let environment = <Environment as clap::Parser>::try_parse_from(["spendstream", "--lake", address])?;
    Ok(environment.lake)
}

/// Says that an answer is by the built-in example, which whoever has applied their own would not expect.
pub(super) fn by_the_example() {
    eprintln!("by the built-in example, whatever was applied: --config names a folder of yours");
}

/// The wall clock.
pub(super) fn now() -> Timestamp {
    Timestamp::from(chrono::Utc::now())
}

/// Partitions of a topic.
pub(super) fn partitions(log: &dyn Log, topic: &str) -> anyhow::Result<u32> {
    log.partitions(topic)?.with_context(|| {
        let known = log.topics().unwrap_or_default();
        let known: Vec<_> =
            known.into_iter().map(|(name, _)| name).filter(|name| !name.contains("changelog")).collect();
        format!("there is no topic {topic}; there are {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Asked {
        #[command(flatten)]
        log: LogArgs,
        #[command(subcommand)]
        about: Option<About>,
    }

    #[derive(Debug, clap::Subcommand)]
    enum About {
        Spend,
    }

    #[test]
    fn the_log_may_be_named_after_a_subcommand() {
        for line in [["x", "spend", "--data", "d"], ["x", "--data", "d", "spend"]] {
            let asked = Asked::try_parse_from(line).unwrap();
            assert!(matches!(asked.about, Some(About::Spend)));
            assert_eq!(asked.log.data, PathBuf::from("d"));
        }
        let both = Asked::try_parse_from(["x", "--brokers", "b:1", "spend", "--data", "d"]).unwrap_err().to_string();
        assert!(both.contains("give one of them"), "{both}");
    }

    #[test]
    fn a_folder_named_on_the_line_is_meant_and_not_a_cluster_beside_it() {
        let brokers = |line: &[&str]| Asked::try_parse_from(line).map(|asked| asked.log.brokers.clone());
        assert_eq!(brokers(&["x"]).unwrap(), None);
        assert_eq!(brokers(&["x", "--brokers", "b:1"]).unwrap().as_deref(), Some("b:1"));
        assert_eq!(brokers(&["x", "--data", "d"]).unwrap(), None);
        let both = brokers(&["x", "--data", "d", "--brokers", "b:1"]).unwrap_err().to_string();
        assert!(both.contains("give one of them"), "{both}");
    }
}
