//! Settings of the service, beside those every service has. `--help` is the reference.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use schemas::topics;
use stream::reload::Reloaded;
use stream::telemetry::Tls;

use crate::config::{Config, Customers};
use crate::formats::mapping::Mapping;
use crate::keys::Keys;
use crate::recognise::Shape;

/// What ingest reads and how it decodes it.
#[derive(Debug, Clone, clap::Args)]
pub struct IngestSettings {
    /// Raw topics to read; `usage.corrections` is always among them. The front door appends to the first.
    ///
    /// Each topic is a consumer group of its own. A topic that is left out after a restart keeps its position.
    #[arg(long = "topic", env = "SPENDSTREAM_TOPICS", value_delimiter = ',', default_value = topics::RAW)]
    pub topics: Vec<String>,

    /// Leave users, and customers who are people, out of events, instead of putting a pseudonym in place of each.
    ///
    /// Pseudonyms are made with the keys on `ref.users`; `spendstream forget` destroys a user's.
    #[arg(long, env = "SPENDSTREAM_DROP_USERS")]
    pub drop_users: bool,

    /// How it decodes.
    #[command(flatten)]
    pub decode: DecodeSettings,
}

/// How raw records are decoded. Ingest and `spendstream rejected replay` must be given the same.
#[derive(Debug, Clone, clap::Args)]
pub struct DecodeSettings {
    /// Format of the records of a topic, as `TOPIC=FORMAT`: for producers that send no headers, and for shapes that are
    /// ambiguous. Names are those of `ingest/FORMATS.md`.
    #[arg(long = "format", env = "SPENDSTREAM_FORMATS", value_delimiter = ',', value_parser = parse_format)]
    pub formats: Vec<(String, Shape)>,

    /// File that says where house formats keep our event's fields (`formats.yaml`, see `ingest/FORMATS.md`).
    ///
    /// Read once, at start. `spendstream check --mappings FILE` shows what it makes of a record.
    #[arg(long, env = "SPENDSTREAM_MAPPINGS")]
    pub mappings: Option<PathBuf>,

    /// Tenant of everything that is read.
    #[arg(long, env = "SPENDSTREAM_TENANT", default_value = "default")]
    pub tenant: String,

    /// Provider of bodies that do not name one (`openai`, `aws.bedrock`, ...).
    #[arg(long, env = "SPENDSTREAM_PROVIDER")]
    pub provider: Option<String>,

    /// Whom customers are (LiteLLM's `end_user`, the `subject` of CloudEvents, `customer` of any event): of those who are people
    /// pseudonyms are kept, as of users, which `spendstream forget` reaches.
    ///
    /// Owners, rate cards and reports know a pseudonym only as that.
    #[arg(long, env = "SPENDSTREAM_CUSTOMERS", value_enum, default_value_t)]
    pub customers: Customers,

    /// Names of tags to keep; without it all are kept. Tags end in the lake: keep contents and persons out of them.
    #[arg(long = "tag", env = "SPENDSTREAM_TAGS", value_delimiter = ',')]
    pub tags: Option<Vec<String>>,

    /// Largest raw record in bytes; larger ones are rejected. Should not be below the brokers' limit.
    #[arg(long, env = "SPENDSTREAM_RECORD_BYTES_MAX", default_value_t = 1024 * 1024)]
    pub record_bytes_max: usize,
}

impl DecodeSettings {
    /// The configuration of decoding.
    ///
    /// # Errors
    /// When the file of mappings cannot be used.
    pub fn config(&self) -> anyhow::Result<Config> {
        let mappings = self.mappings.as_deref().map(read_mappings).transpose()?.unwrap_or_default();
        Ok(Config {
            mappings,
            tenant: self.tenant.as_str().into(),
            formats: self.formats.iter().map(|(topic, shape)| (topic.as_str().into(), *shape)).collect(),
            provider: self.provider.as_deref().map(crate::envelope::provider_name),
            customers: self.customers,
            tag_keys: self.tags.as_ref().map(|tags| tags.iter().map(|tag| tag.as_str().into()).collect()),
            record_bytes_max: self.record_bytes_max,
            ..Config::default()
        })
    }
}

impl IngestSettings {
    /// Every raw topic to read, corrections last.
    pub fn inputs(&self) -> Vec<&str> {
        let raw = self.topics.iter().map(String::as_str).filter(|topic| *topic != topics::CORRECTIONS);
        raw.chain([topics::CORRECTIONS]).collect()
    }
}

/// Reads a file of house formats.
///
/// # Errors
/// When it cannot be read, or with everything that is wrong in it.
pub fn read_mappings(path: &Path) -> anyhow::Result<Vec<Mapping>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read the mappings {}", path.display()))?;
    Mapping::parse(&path.display().to_string(), &text).map_err(anyhow::Error::msg)
}

/// Who may use the front door, and how it shows who it is. All files are read again when they change.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct DoorSettings {
    /// File of the keys that let producers in (`spendstream keys` writes it). With it every request needs one.
    ///
    /// Without it the door lets anybody in, so it listens on this machine alone. A file without keys lets nobody in: then
    /// only /metrics, /healthz and /readyz are served, which never need a key.
    #[arg(long, env = "SPENDSTREAM_KEYS", value_name = "FILE")]
    pub keys: Option<PathBuf>,

    /// Certificate chain to show (PEM): everything is then served over TLS alone, metrics and health too.
    #[arg(long, env = "SPENDSTREAM_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the certificate (PEM).
    #[arg(long, env = "SPENDSTREAM_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Serve `/metrics`, `/healthz` and `/readyz` at this address alone, always in the clear [default: where events are taken].
    ///
    /// Then nobody who may send events can read them, and no crowd of senders can keep a probe waiting.
    #[arg(long, env = "SPENDSTREAM_PROBES_LISTEN", value_name = "ADDRESS")]
    pub probes_listen: Option<SocketAddr>,
}

impl DoorSettings {
    /// The keys and the certificate, to serve at an address.
    ///
    /// # Errors
    /// When other machines could come in without a key, or a file cannot be used.
    pub fn open(&self, listen: SocketAddr) -> anyhow::Result<(Option<Reloaded<Keys>>, Option<Tls>)> {
        anyhow::ensure!(
            self.keys.is_some() || listen.ip().is_loopback(),
            "--listen {listen} can be reached from other machines, and without --keys anybody could post events there: \
             make a key with `spendstream keys new --keys FILE --source NAME`, or listen on 127.0.0.1 (an empty FILE lets \
             nobody in and serves /metrics and health alone)"
        );
        let keys = self.keys.as_ref().map(|path| {
            let named = format!("use the keys in {}", path.display());
            Reloaded::open(vec![path.clone()], move |contents| {
                let text = contents.first().and_then(|bytes| std::str::from_utf8(bytes).ok());
                let keys =
                    text.context("it is not UTF-8 text").and_then(|text| Keys::parse(text).map_err(anyhow::Error::msg));
                keys.with_context(|| named.clone())
            })
        });
        let tls = self.tls_cert.as_ref().zip(self.tls_key.as_ref()).map(|(cert, key)| Tls::open(cert, key));
        if self.keys.is_some() && tls.is_none() && !listen.ip().is_loopback() {
            tracing::warn!(%listen, "keys cross the network in the clear: give --tls-cert, or put TLS in front");
        }
        Ok((keys.transpose()?, tls.transpose()?))
    }
}

fn parse_format(text: &str) -> Result<(String, Shape), String> {
    let (topic, shape) = text.split_once('=').ok_or("write TOPIC=FORMAT")?;
    Ok((topic.to_owned(), shape.parse()?))
}
