//! Settings of the service, beside those every service has. `--help` is the reference.

use std::path::{Path, PathBuf};

use anyhow::Context;
use schemas::{Text, topics};

use crate::config::Config;
use crate::formats::mapping::Mapping;
use crate::recognise::Shape;

/// What ingest reads and how it decodes it.
#[derive(Debug, Clone, clap::Args)]
pub struct IngestSettings {
    /// Raw topics to read; `usage.corrections` is always among them. The front door appends to the first.
    ///
    /// Each topic is a consumer group of its own. A topic that is left out after a restart keeps its position.
    #[arg(long = "topic", env = "SPENDSTREAM_TOPICS", value_delimiter = ',', default_value = topics::RAW)]
    pub topics: Vec<String>,

    /// What the records of a topic are, as `TOPIC=FORMAT`, for producers that send no headers and shapes that are
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

    /// File with the secret that user ids are hashed with. Without it user ids are dropped.
    ///
    /// Another secret makes other pseudonyms: the same person is then two users. Deleting it makes all of them anonymous.
    #[arg(long, env = "SPENDSTREAM_USER_SALT_FILE")]
    pub user_salt_file: Option<PathBuf>,

    /// Names of tags to keep; without it all are kept. Tags end in the lake: keep contents and persons out of them.
    #[arg(long = "tag", env = "SPENDSTREAM_TAGS", value_delimiter = ',')]
    pub tags: Option<Vec<String>>,

    /// Largest raw record in bytes; larger ones are rejected. Should not be below the brokers' limit.
    #[arg(long, env = "SPENDSTREAM_RECORD_BYTES_MAX", default_value_t = 1024 * 1024)]
    pub record_bytes_max: usize,
}

impl IngestSettings {
    /// The configuration of decoding.
    ///
    /// # Errors
    /// When the file with the secret cannot be read or is empty.
    pub fn config(&self) -> anyhow::Result<Config> {
        let user_salt = self.user_salt_file.as_ref().map(|path| -> anyhow::Result<Text> {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("read the user salt {}", path.display()))?;
            anyhow::ensure!(!text.trim().is_empty(), "the user salt {} is empty: put a secret in it", path.display());
            Ok(text.trim().into())
        });
        let mappings = self.mappings.as_deref().map(read_mappings).transpose()?.unwrap_or_default();
        Ok(Config {
            mappings,
            tenant: self.tenant.as_str().into(),
            formats: self.formats.iter().map(|(topic, shape)| (topic.as_str().into(), *shape)).collect(),
            provider: self.provider.as_deref().map(crate::envelope::provider_name),
            user_salt: user_salt.transpose()?,
            tag_keys: self.tags.as_ref().map(|tags| tags.iter().map(|tag| tag.as_str().into()).collect()),
            record_bytes_max: self.record_bytes_max,
            ..Config::default()
        })
    }

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

fn parse_format(text: &str) -> Result<(String, Shape), String> {
    let (topic, shape) = text.split_once('=').ok_or("write TOPIC=FORMAT")?;
    Ok((topic.to_owned(), shape.parse()?))
}
