//! The topics of an installation: created where missing, compared where present, never deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::RDKafkaErrorCode;
use schemas::topics::{Kept, Partitions, SLOTTED, TopicSpec};

use super::client::{self, ANSWER_TIMEOUT, Events};
use super::topology::{self, Topology};
use crate::settings::Connection;

/// Largest record the internal topics take: a batch and what compression may add to it.
pub(super) const RECORD_BYTES_MAX: usize = 2 << 20;

/// How many partitions new topics get, and how many copies.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Partitions of raw topics, and of what follows their partitions.
    pub raw: u32,
    /// Partitions of internal topics, at most [`schemas::ids::SLOTS`].
    pub internal: u32,
    /// Copies of each record. Three survive the loss of a broker while another is being restarted.
    pub replication: i32,
}

impl Layout {
    /// Partitions of a topic.
    pub fn partitions(&self, spec: &TopicSpec) -> u32 {
        match spec.partitions {
            Partitions::Raw => self.raw,
            Partitions::Internal => self.internal,
            Partitions::One => 1,
        }
    }
}

/// One way in which a cluster differs from the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The topic does not exist.
    Missing {
        /// Topic.
        topic: String,
    },
    /// It has another number of partitions.
    Partitions {
        /// Topic.
        topic: String,
        /// Partitions it should have.
        expected: u32,
        /// Partitions it has.
        found: u32,
    },
    /// A setting differs.
    Setting {
        /// Topic.
        topic: String,
        /// Setting.
        name: String,
        /// Value it should have.
        expected: String,
        /// Value it has.
        found: String,
    },
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Difference::Missing { topic } => write!(f, "{topic}: missing"),
            Difference::Partitions { topic, expected, found } => {
                write!(f, "{topic}: has {found} partitions instead of {expected}")
            }
            Difference::Setting { topic, name, expected, found } => {
                write!(f, "{topic}: {name} is {found} instead of {expected}")
            }
        }
    }
}

/// The segment that is written to is never compacted, and whoever restores reads all of it: a gigabyte in every partition, unless
/// it is said otherwise. Brokers keep the segments of their own compacted topics to 100 MiB for that reason
/// (`offsets.topic.segment.bytes`); what our stages remember is smaller.
const STATE_SEGMENT_BYTES: u32 = 16 << 20;

/// Settings of a topic.
fn settings(spec: &TopicSpec) -> BTreeMap<&'static str, String> {
    let mut settings = BTreeMap::new();
    settings.insert("max.message.bytes", RECORD_BYTES_MAX.to_string());
    match spec.kept {
        Kept::For(time) => {
            settings.insert("cleanup.policy", "delete".to_owned());
            settings.insert("retention.ms", time.as_millis().to_string());
        }
        Kept::Compacted(lag) => {
            settings.insert("cleanup.policy", "compact".to_owned());
            settings.insert("min.compaction.lag.ms", lag.as_millis().to_string());
            // What is kept for a while all the same would only be cut into that many more files.
            if lag.is_zero() {
                settings.insert("segment.bytes", STATE_SEGMENT_BYTES.to_string());
            }
        }
        Kept::Newest(within) => {
            // Records of the active segment are never compacted, nor does one of them make an older record superseded;
            // so segments are short, and whoever replaces a record appends once more (`log::destroy_superseded`).
            let roll = (within / 12).as_millis().to_string();
            settings.insert("cleanup.policy", "compact".to_owned());
            settings.insert("segment.ms", roll.clone());
            settings.insert("min.compaction.lag.ms", "0".to_owned());
            settings.insert("max.compaction.lag.ms", roll);
            settings.insert("min.cleanable.dirty.ratio", "0.0".to_owned());
            // A segment that was cleaned stays on disk for a minute otherwise.
            settings.insert("file.delete.delay.ms", "1000".to_owned());
            // Segments are rolled by the records' timestamps: by one clock, the broker's.
            settings.insert("message.timestamp.type", "LogAppendTime".to_owned());
        }
        Kept::Forever => {
            settings.insert("cleanup.policy", "delete".to_owned());
            settings.insert("retention.ms", "-1".to_owned());
            settings.insert("retention.bytes", "-1".to_owned());
        }
    }
    // When a raw record arrived is what decides everything about it, so the broker says when, not the producer.
    if spec.partitions == Partitions::Raw && matches!(spec.kept, Kept::For(_)) {
        settings.insert("message.timestamp.type", "LogAppendTime".to_owned());
    }
    settings
}

/// Creates the topics that are missing. Returns their names; what exists is left as it is (see [`diff`]).
///
/// # Errors
/// When the brokers cannot be reached or refuse.
pub fn apply(connection: &Connection, catalogue: &[TopicSpec], layout: Layout) -> anyhow::Result<Vec<String>> {
    client::prepare(connection)?;
    let existing = client::partition_counts(connection)?;
    let missing: Vec<&TopicSpec> = catalogue.iter().filter(|spec| !existing.contains_key(&spec.name)).collect();
    if missing.is_empty() {
        pin(connection, catalogue, &existing)?;
        return Ok(Vec::new());
    }
    let configs: Vec<BTreeMap<&str, String>> = missing.iter().map(|spec| settings(spec)).collect();
    let topics = missing.iter().zip(&configs).map(|(spec, config)| {
        let replication = TopicReplication::Fixed(layout.replication);
        let topic = NewTopic::new(&spec.name, layout.partitions(spec) as i32, replication);
        config.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
    });
    let topics: Vec<NewTopic<'_>> = topics.collect();
    let results = block_on(async {
        let admin: AdminClient<Events> = client::create(&client::asking(connection))?;
        admin.create_topics(&topics, &options()).await.context("create topics")
    })?;
    let mut created = Vec::new();
    for result in results {
        match result {
            Ok(topic) => created.push(topic),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, RDKafkaErrorCode::InvalidReplicationFactor)) => anyhow::bail!(
                "create topic {topic}: the cluster has fewer than {} brokers; say --replication with how many copies it can keep",
                layout.replication
            ),
            Err((topic, code)) => anyhow::bail!("create topic {topic}: {code}"),
        }
    }
    let known = wait_for(connection, |known| created.iter().all(|topic| known.contains_key(topic)))?;
    pin(connection, catalogue, &known)?;
    Ok(created)
}

/// The number of partitions that state is divided by is written down with the topics, so that nobody changes it by
/// widening a topic.
fn pin(connection: &Connection, catalogue: &[TopicSpec], known: &BTreeMap<String, u32>) -> anyhow::Result<()> {
    let slotted = |name: &&str| catalogue.iter().any(|spec| spec.name == **name);
    let names: Vec<&str> = SLOTTED.into_iter().filter(slotted).collect();
    topology::pin(connection, known, &names)
}

/// Waits until the brokers have heard of a change: one that was made is known to all of them a moment later.
fn wait_for(
    connection: &Connection,
    done: impl Fn(&BTreeMap<String, u32>) -> bool,
) -> anyhow::Result<BTreeMap<String, u32>> {
    let deadline = std::time::Instant::now() + ANSWER_TIMEOUT;
    loop {
        let known = client::partition_counts(connection)?;
        if done(&known) || std::time::Instant::now() > deadline {
            return Ok(known);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Gives topics at least this many partitions.
pub(super) fn widen(connection: &Connection, topics: &[String], partitions: u32) -> anyhow::Result<()> {
    let known = client::partition_counts(connection)?;
    let narrow = |topic: &&String| known.get(*topic).is_some_and(|count| *count < partitions);
    let wider: Vec<NewPartitions<'_>> =
        topics.iter().filter(narrow).map(|topic| NewPartitions::new(topic, partitions as usize)).collect();
    if wider.is_empty() {
        return Ok(());
    }
    let results = block_on(async {
        let admin: AdminClient<Events> = client::create(&client::asking(connection))?;
        admin.create_partitions(&wider, &options()).await.context("add partitions")
    })?;
    for result in results {
        result.map_err(|(topic, code)| anyhow::anyhow!("add partitions to {topic}: {code}"))?;
    }
    let wide = |known: &BTreeMap<String, u32>| topics.iter().all(|topic| known.get(topic) >= Some(&partitions));
    wait_for(connection, wide).map(drop)
}

/// How a cluster differs from the catalogue, in its order.
///
/// # Errors
/// When the brokers cannot be reached or refuse.
pub fn diff(connection: &Connection, catalogue: &[TopicSpec], layout: Layout) -> anyhow::Result<Vec<Difference>> {
    client::prepare(connection)?;
    let existing = client::partition_counts(connection)?;
    let topology = Topology::read(connection, &existing)?;
    let present: Vec<&TopicSpec> = catalogue.iter().filter(|spec| existing.contains_key(&spec.name)).collect();
    let asked: Vec<ResourceSpecifier<'_>> = present.iter().map(|spec| ResourceSpecifier::Topic(&spec.name)).collect();
    let answers = block_on(async {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let admin: AdminClient<Events> = client::create(&client::asking(connection))?;
        admin.describe_configs(&asked, &options()).await.context("ask for the settings of topics")
    })?;
    let mut found: BTreeMap<String, ConfigResource> = BTreeMap::new();
    for (spec, answer) in present.iter().zip(answers) {
        let config = answer.map_err(|code| anyhow::anyhow!("ask for the settings of {}: {code}", spec.name))?;
        found.insert(spec.name.clone(), config);
    }
    let mut differences = Vec::new();
    for spec in catalogue {
        let topic = spec.name.clone();
        let (Some(count), Some(config)) = (existing.get(&topic), found.get(&topic)) else {
            differences.push(Difference::Missing { topic });
            continue;
        };
        let (expected, found) = (layout.partitions(spec), topology.partitions(&topic, *count)?);
        if found != expected && !any_number(spec, &topology) {
            differences.push(Difference::Partitions { topic: topic.clone(), expected, found });
        }
        for (name, expected) in settings(spec) {
            let found = config.get(name).and_then(|entry| entry.value.clone()).unwrap_or_default();
            if found != expected {
                let name = name.to_owned();
                differences.push(Difference::Setting { topic: topic.clone(), name, expected, found });
            }
        }
    }
    Ok(differences)
}

/// Once the topology has changed, internal topics that no state is divided by keep the number they have, and changelogs
/// may be wider than what they are used for.
fn any_number(spec: &TopicSpec, topology: &Topology) -> bool {
    let changed = topology.generation(SLOTTED.into_iter()) > 0;
    changed && spec.partitions == Partitions::Internal && !SLOTTED.contains(&spec.name.as_str())
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_TIMEOUT)).operation_timeout(Some(ANSWER_TIMEOUT))
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("start a runtime")?.block_on(work)
}

#[cfg(test)]
mod tests {
    use schemas::topics::{catalogue, changelog};

    use super::*;

    #[test]
    fn changelogs_that_are_compacted_at_once_have_small_segments_and_nothing_else_has() {
        let mut small: Vec<String> = catalogue(&["usage.raw"])
            .into_iter()
            .filter(|spec| settings(spec).get("segment.bytes").is_some_and(|bytes| bytes == "16777216"))
            .map(|spec| spec.name)
            .collect();
        let states = [("ingest", "usage.raw"), ("ingest", "usage.corrections"), ("combine", "usage.charges")];
        let states =
            states.into_iter().chain([("merge", "spend.partials")]).map(|(stage, input)| changelog(stage, input));
        let mut expected: Vec<String> = states.chain(["spend.ledger".to_owned()]).collect();
        small.sort();
        expected.sort();
        assert_eq!(small, expected);
    }
}
