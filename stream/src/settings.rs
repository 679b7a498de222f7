//! Settings every service has. Each is a flag that can also be set by environment; `--help` is the reference.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;

/// How to reach Kafka.
#[derive(Debug, Clone, clap::Args)]
pub struct Connection {
    /// Kafka brokers to begin with, as `host:port,host:port`.
    ///
    /// Two or three are enough: the rest of the cluster is learnt from them.
    #[arg(long, env = "SPENDSTREAM_BROKERS")]
    pub brokers: String,

    /// Any setting of librdkafka, as `KEY=VALUE`; may be given many times. By environment: separated by semicolons.
    ///
    /// For TLS, SASL and the rest, for example `--kafka security.protocol=SASL_SSL`. Settings that exactly-once depends
    /// on (isolation level, transactional id, offset reset) are refused. Keep secrets out of the command line, which
    /// other users can see: set the variable, or let librdkafka read a file (`ssl.key.location`).
    #[arg(
        id = "kafka", long = "kafka", value_name = "KEY=VALUE", env = "SPENDSTREAM_KAFKA", hide_env_values = true,
        value_delimiter = ';', value_parser = ClientSetting
    )]
    pub options: Vec<(String, String)>,

    /// Confluent schema registry, as `http://host:8081`: payloads then carry its schema ids, for other tools to read.
    ///
    /// Every schema is registered at the start (subjects `spendstream.<record>`). Give it to all services and commands
    /// of an installation: what is written with a registry cannot be read without it. What was written before stays
    /// readable.
    #[arg(long, env = "SPENDSTREAM_SCHEMA_REGISTRY", value_name = "URL", hide_env_values = true)]
    pub schema_registry: Option<String>,
}

/// Longest time between two polls of a member of a group: [`Settings::poll_interval_max`].
const POLL_INTERVAL_MAX: Duration = Duration::from_secs(300);

/// What every service is started with.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// How to reach Kafka.
    #[command(flatten)]
    pub connection: Connection,

    /// Name of this installation: prefix of every consumer group and transactional id.
    ///
    /// A cluster has room for one installation, since topics have no prefix: stages refuse to start on a changelog that
    /// another name has written. So do not change it later.
    #[arg(long, env = "SPENDSTREAM_ENVIRONMENT", default_value = "dev", value_parser = parse_name)]
    pub environment: String,

    /// Name of this instance, unique among the instances of the service and the same after a restart.
    ///
    /// The default is the host name, which suits a StatefulSet. A name that changes with every restart costs a full
    /// rebalance and leaves open transactions to time out; a name used twice makes the two fence each other off.
    #[arg(long, env = "SPENDSTREAM_INSTANCE", default_value_t = host_name(), value_parser = parse_name)]
    pub instance: String,

    /// Lanes: threads that each read, process and commit a share of the partitions. 0 means one for each core.
    ///
    /// Lanes beyond the number of partitions stand idle. Each lane has its own connections, takes about four times
    /// `--batch-bytes-max` of memory and commits on its own: twice the lanes make twice the transactions for the
    /// brokers.
    #[arg(long, env = "SPENDSTREAM_LANES", default_value_t = 0)]
    pub lanes: usize,

    /// Longest time a record waits for its transaction to be committed.
    ///
    /// Longer means fewer transactions, larger batches and less work for the brokers, and everything downstream sees
    /// results that much later. Four services in a row add up: 100 ms each is about half a second from call to alert.
    /// Behind a backlog the interval grows to an eighth of the records' age, at most ten times this, thirty times for
    /// stages that only sum, and never beyond a quarter of `--transaction-timeout`.
    #[arg(long, env = "SPENDSTREAM_COMMIT_INTERVAL", default_value = "100ms", value_parser = parse_duration)]
    pub commit_interval: Duration,

    /// After this long the brokers abort a transaction that its owner has abandoned.
    ///
    /// Until then readers cannot see past it, so it bounds how long a crash holds others up. Shorter than the slowest
    /// commit aborts healthy work. Must be below `--session-timeout`.
    #[arg(long, env = "SPENDSTREAM_TRANSACTION_TIMEOUT", default_value = "12s", value_parser = parse_duration)]
    pub transaction_timeout: Duration,

    /// After this long without a sign of life the partitions of an instance go to others.
    ///
    /// Longer survives restarts and pauses without moving state; shorter takes over from a dead instance sooner.
    #[arg(long, env = "SPENDSTREAM_SESSION_TIMEOUT", default_value = "30s", value_parser = parse_duration)]
    pub session_timeout: Duration,

    /// A lane or table that has not asked its client for more for so long gives up its partitions. No flag: what takes that long
    /// hangs.
    #[arg(skip = POLL_INTERVAL_MAX)]
    pub poll_interval_max: Duration,

    /// Most bytes of records processed in one transaction of a lane; stages that only sum take sixteen times as much.
    ///
    /// Larger is faster behind a backlog and takes more memory: about four times this for each lane.
    #[arg(long, env = "SPENDSTREAM_BATCH_BYTES_MAX", default_value = "4MiB", value_parser = parse_bytes)]
    pub batch_bytes_max: usize,

    /// Most bytes a lane fetches ahead of processing.
    ///
    /// Larger rides out slow brokers; all of it may be held in memory, for each lane.
    #[arg(long, env = "SPENDSTREAM_FETCH_BYTES_MAX", default_value = "16MiB", value_parser = parse_bytes)]
    pub fetch_bytes_max: usize,

    /// Most bytes a table buffers before reading pauses until they are written.
    ///
    /// Larger means fewer, larger files behind a slow store and that much more memory for each table.
    #[arg(long, env = "SPENDSTREAM_TABLE_BYTES_MAX", default_value = "128MiB", value_parser = parse_bytes)]
    pub table_bytes_max: usize,

    /// What the service tells about itself.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
}

/// Where logs, metrics and health go.
#[derive(Debug, Clone, clap::Args)]
pub struct TelemetrySettings {
    /// Address of `/metrics`, `/healthz` and `/readyz`. Port 0 takes any free one and logs it.
    ///
    /// Local by default; `0.0.0.0:9464` lets a scraper on another machine in. Ingest also takes events here, from other
    /// machines only with `--keys`.
    #[arg(long, env = "SPENDSTREAM_LISTEN", default_value = "127.0.0.1:9464")]
    pub listen: SocketAddr,

    /// Form of the log: `text` for people, `json` for collectors. Goes to standard error; `RUST_LOG` sets what is logged.
    #[arg(long, env = "SPENDSTREAM_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One line for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Settings {
    /// Checks what one field alone cannot tell.
    ///
    /// # Errors
    /// One sentence naming the settings and the remedy.
    pub fn validate(&self) -> anyhow::Result<()> {
        let (transaction, session) = (self.transaction_timeout, self.session_timeout);
        anyhow::ensure!(
            transaction < session,
            "--transaction-timeout ({}) must be below --session-timeout ({}): an instance that lost its partitions could still commit",
            humantime::format_duration(transaction),
            humantime::format_duration(session),
        );
        anyhow::ensure!(
            self.commit_interval * 4 <= transaction,
            "--commit-interval ({}) must be at most a quarter of --transaction-timeout ({})",
            humantime::format_duration(self.commit_interval),
            humantime::format_duration(transaction),
        );
        anyhow::ensure!(
            self.batch_bytes_max >= crate::BATCH_BYTES_MAX,
            "--batch-bytes-max must be at least {} KiB, the size of one batch",
            crate::BATCH_BYTES_MAX / 1024
        );
        Ok(())
    }

    /// Lanes to start.
    pub fn lane_count(&self) -> usize {
        match self.lanes {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            lanes => lanes,
        }
    }
}

/// A duration such as `100ms`, `12s` or `7days`.
///
/// # Errors
/// Says what is wrong with the text.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it as 100ms, 12s or 5m"))
}

/// A size such as `512KiB`, `4MiB`, `1GiB` or a plain number of bytes.
///
/// # Errors
/// Says what is wrong with the text.
pub fn parse_bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1usize << 30,
        other => return Err(format!("unknown unit {other:?}; use B, KiB, MiB or GiB")),
    };
    let number: usize = digits.trim().parse().map_err(|_| format!("{digits:?} is not a whole number"))?;
    number.checked_mul(unit).ok_or_else(|| format!("{text} does not fit into memory"))
}

/// `KEY=VALUE` of `--kafka`; the value may hold further equals signs. What is wrong is not repeated: it may be a secret, or the end of
/// one that holds a semicolon, and errors end in logs.
#[derive(Debug, Clone, Copy)]
pub struct ClientSetting;

impl TypedValueParser for ClientSetting {
    type Value = (String, String);

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        match value.to_str().and_then(|text| text.split_once('=')) {
            Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
            _ => {
                let message = "a setting of --kafka (SPENDSTREAM_KAFKA) is not written as KEY=VALUE; it is not shown, since it may be \
                               a secret. Semicolons separate settings, so no value can hold one";
                Err(clap::Error::raw(ErrorKind::ValueValidation, format!("{message}\n")).with_cmd(command))
            }
        }
    }
}

/// A name that may be part of a group or transactional id.
///
/// # Errors
/// Says which characters it may have.
pub fn parse_name(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(legal) {
        return Ok(text.to_owned());
    }
    Err("use 1 to 64 letters, digits, - and _ (no dots: they separate the parts of ids)".to_owned())
}

/// The host name up to its first dot, or `instance` where there is none.
fn host_name() -> String {
    let mut buffer = [0u8; 256];
    // SAFETY: the pointer and the length describe `buffer`, which outlives the call.
    let result = unsafe { libc::gethostname(buffer.as_mut_ptr().cast(), buffer.len() - 1) };
    let length = buffer.iter().position(|byte| *byte == 0).unwrap_or(0);
    let name = String::from_utf8_lossy(&buffer[..length]);
    let name = name.split('.').next().unwrap_or_default();
    if result == 0 && parse_name(name).is_ok() { name.to_owned() } else { "instance".to_owned() }
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        settings: Settings,
    }

    /// Settings as a service reads them from these flags.
    pub(crate) fn parse(flags: &str) -> Result<Settings, clap::Error> {
        Cli::try_parse_from(std::iter::once("service").chain(flags.split_whitespace())).map(|cli| cli.settings)
    }

    #[test]
    fn any_client_setting_passes_through_and_its_value_may_hold_equals_signs() {
        let settings = parse("--brokers b:9092 --kafka sasl.password=a=b --kafka client.rack=r1").unwrap();
        let expected = [("sasl.password", "a=b"), ("client.rack", "r1")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(settings.connection.options, expected);
        settings.validate().unwrap();
    }

    #[test]
    fn wrong_settings_are_refused_with_a_remedy() {
        let problem = |flags: &str| match parse(flags) {
            Err(error) => error.to_string(),
            Ok(settings) => settings.validate().unwrap_err().to_string(),
        };
        for (flags, says) in [
            ("--brokers b --kafka nonsense", "KEY=VALUE"),
            ("--brokers b --environment a.b", "letters, digits"),
            ("--brokers b --batch-bytes-max 4MB", "use B, KiB, MiB or GiB"),
            ("--brokers b --transaction-timeout 1h", "must be below --session-timeout"),
            ("--brokers b --commit-interval 10s", "at most a quarter"),
            ("", "--brokers"),
        ] {
            let message = problem(flags);
            assert!(message.contains(says), "{flags}: {message}");
        }
    }

    #[test]
    fn a_setting_of_the_client_that_cannot_be_read_is_not_repeated() {
        for text in ["sasl.password:hunter2", "sasl.password=one;hunter2", "=hunter2"] {
            let error = Cli::try_parse_from(["service", "--brokers", "b", "--kafka", text]).unwrap_err().to_string();
            assert!(error.contains("KEY=VALUE") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn sizes_are_whole_numbers_of_known_units() {
        assert_eq!(parse_bytes("4MiB"), Ok(4 << 20));
        assert_eq!(parse_bytes("17"), Ok(17));
        assert!(parse_bytes("99999999999GiB").is_err());
        assert!(parse_bytes("1.5MiB").is_err());
    }
}
