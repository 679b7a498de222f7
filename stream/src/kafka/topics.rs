//! The topics of an installation: created where missing, compared where present, never deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::RDKafkaErrorCode;
use schemas::topics::{Kept, Partitions, SLOTTED, TopicSpec};

use super::client::{self, ANSWER_TIMEOUT, Events, Extent};
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
    /// Copies of each record. Of three or more, two must have a record before it is acknowledged: it survives the loss of a
    /// broker, also while another is being restarted.
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
    /// It has another number of copies. Of the brokers' own topics only too few are named.
    Replication {
        /// Topic.
        topic: String,
        /// Copies it should have.
        expected: usize,
        /// Copies of the partition that has fewest.
        found: usize,
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
            Difference::Replication { topic, expected, found } => {
                write!(f, "{topic}: replication factor is {found} instead of {expected}")
            }
            Difference::Setting { topic, name, expected, found } => {
                write!(f, "{topic}: {name} is {found} instead of {expected}")
            }
        }
    }
}

impl Difference {
    fn topic(&self) -> &str {
        match self {
            Difference::Missing { topic }
            | Difference::Partitions { topic, .. }
            | Difference::Replication { topic, .. }
            | Difference::Setting { topic, .. } => topic,
        }
    }
}

/// Topics in which the brokers keep offsets and outcomes of transactions: with fewer copies than ours, the loss of one broker
/// loses what all the copies of ours rest on.
const BROKERS_OWN: [&str; 2] = ["__transaction_state", "__consumer_offsets"];

/// Copies that must have a record before it is acknowledged, where there are at least [`COPIES_FOR_TWO`] of it.
const IN_SYNC_MIN: &str = "min.insync.replicas";

/// From so many copies on two must have a record, and a broker may be away all the same.
const COPIES_FOR_TWO: i32 = 3;

/// The segment that is written to is never compacted, and whoever restores reads all of it: a gigabyte in every partition, unless
/// it is said otherwise. Brokers keep the segments of their own compacted topics to 100 MiB for that reason
/// (`offsets.topic.segment.bytes`); what our stages remember is smaller.
const STATE_SEGMENT_BYTES: u32 = 16 << 20;

/// Settings of a topic that has so many copies.
fn settings(spec: &TopicSpec, replication: i32) -> BTreeMap<&'static str, String> {
    let mut settings = BTreeMap::new();
    settings.insert("max.message.bytes", RECORD_BYTES_MAX.to_string());
    // A copy that was behind and becomes the leader takes back what was acknowledged.
    settings.insert("unclean.leader.election.enable", "false".to_owned());
    // Brokers acknowledge what one copy alone has unless it is said otherwise, `acks=all` or not.
    if replication >= COPIES_FOR_TWO {
        settings.insert(IN_SYNC_MIN, "2".to_owned());
    }
    match spec.kept {
        Kept::For(time) => {
            settings.insert("cleanup.policy", "delete".to_owned());
            settings.insert("retention.ms", time.as_millis().to_string());
            // Brokers that have a bound for all topics would delete what is not read yet.
            settings.insert("retention.bytes", "-1".to_owned());
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
    let configs: Vec<BTreeMap<&str, String>> = missing.iter().map(|spec| settings(spec, layout.replication)).collect();
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
    let extents = client::extents(connection)?;
    let existing: BTreeMap<String, u32> =
        extents.iter().map(|(topic, extent)| (topic.clone(), extent.partitions)).collect();
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
        differences.extend(copies(&extents, &topic, layout, |expected, found| found != expected));
        for (name, expected) in settings(spec, layout.replication) {
            let found = config.get(name).and_then(|entry| entry.value.clone()).unwrap_or_default();
            if !meets(name, &expected, &found) {
                let name = name.to_owned();
                differences.push(Difference::Setting { topic: topic.clone(), name, expected, found });
            }
        }
    }
    // A user who may not see them is told nothing of them.
    for topic in BROKERS_OWN {
        differences.extend(copies(&extents, topic, layout, |expected, found| found < expected));
    }
    Ok(differences)
}

/// Names the copies of a topic where they differ in this way from what was asked for.
fn copies(
    extents: &BTreeMap<String, Extent>,
    topic: &str,
    layout: Layout,
    differ: impl FnOnce(usize, usize) -> bool,
) -> Option<Difference> {
    let (expected, found) = (usize::try_from(layout.replication).ok()?, extents.get(topic)?.copies);
    differ(expected, found).then(|| Difference::Replication { topic: topic.to_owned(), expected, found })
}

/// Whether a setting is as it should be; more copies that must have a record are well, too.
fn meets(name: &str, expected: &str, found: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().ok();
    found == expected || name == IN_SYNC_MIN && number(found) > number(expected)
}

/// What mends differences, as commands and sentences, in order: [`apply`] changes nothing that exists.
pub fn remedies(differences: &[Difference], brokers: &str) -> Vec<String> {
    let mut remedies = Vec::new();
    if differences.iter().any(|difference| matches!(difference, Difference::Missing { .. })) {
        remedies.push("spendstream topics apply".to_owned());
    }
    let copies = |topic: &str| {
        differences.iter().find_map(|difference| match difference {
            Difference::Replication { topic: of, found, .. } if of == topic => Some(*found),
            _ => None,
        })
    };
    if differences.iter().any(|difference| copies(difference.topic()).is_some()) {
        remedies.push(
            "kafka-reassign-partitions.sh changes how many copies topics have: deploy/RUNBOOK.md says how".to_owned(),
        );
    }
    let mut topics: Vec<&str> = differences.iter().map(Difference::topic).collect();
    topics.dedup();
    for topic in topics {
        let wanted = differences.iter().filter_map(|difference| match difference {
            // A topic with one copy takes nothing any more when two must have it.
            Difference::Setting { topic: of, name, .. }
                if of == topic && name == IN_SYNC_MIN && copies(topic).is_some_and(|found| found < 2) =>
            {
                None
            }
            Difference::Setting { topic: of, name, expected, .. } if of == topic => Some(format!("{name}={expected}")),
            _ => None,
        });
        let wanted: Vec<String> = wanted.collect();
        if !wanted.is_empty() {
            remedies.push(configure(brokers, topic, &wanted.join(",")));
        }
    }
    remedies
}

/// The command that gives a topic that exists other settings, as `NAME=VALUE,NAME=VALUE`.
fn configure(brokers: &str, topic: &str, settings: &str) -> String {
    format!(
        "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config {settings}"
    )
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
            .filter(|spec| settings(spec, 3).get("segment.bytes").is_some_and(|bytes| bytes == "16777216"))
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

    #[test]
    fn two_copies_must_have_a_record_where_there_are_three_and_none_that_was_behind_leads() {
        for spec in catalogue(&["usage.raw"]) {
            let of = |replication| settings(&spec, replication);
            assert_eq!(of(3).get(IN_SYNC_MIN).map(String::as_str), Some("2"), "{}", spec.name);
            assert_eq!(
                [of(2).get(IN_SYNC_MIN), of(1).get(IN_SYNC_MIN)],
                [None, None],
                "a broker could not be restarted"
            );
            assert_eq!(of(1)["unclean.leader.election.enable"], "false", "{}", spec.name);
            let deletes = of(3)["cleanup.policy"] == "delete";
            assert_eq!(of(3).contains_key("retention.bytes"), deletes, "{}: time alone decides", spec.name);
        }
        assert!(meets(IN_SYNC_MIN, "2", "2") && meets(IN_SYNC_MIN, "2", "3") && !meets(IN_SYNC_MIN, "2", "1"));
        assert!(!meets("retention.ms", "2", "3"));
    }

    #[test]
    fn topics_with_other_copies_are_named_and_the_brokers_own_where_they_have_fewer() {
        let extents = [("ours", 1), ("__transaction_state", 1), ("__consumer_offsets", 5)];
        let extents: BTreeMap<String, Extent> =
            extents.into_iter().map(|(topic, copies)| (topic.to_owned(), Extent { partitions: 1, copies })).collect();
        let layout = Layout { raw: 1, internal: 1, replication: 3 };
        let found = |topic: &str, differ: fn(usize, usize) -> bool| {
            copies(&extents, topic, layout, differ).map(|difference| difference.to_string())
        };
        let other = |expected: usize, found: usize| expected != found;
        let fewer = |expected: usize, found: usize| found < expected;
        assert_eq!(found("ours", other).unwrap(), "ours: replication factor is 1 instead of 3");
        assert_eq!(found(BROKERS_OWN[0], fewer).unwrap(), "__transaction_state: replication factor is 1 instead of 3");
        assert_eq!([found(BROKERS_OWN[1], fewer), found("missing", other)], [None, None]);
    }

    #[test]
    fn what_differs_is_mended_by_one_command_a_topic_and_copies_come_first() {
        let setting = |topic: &str, name: &str, expected: &str| Difference::Setting {
            topic: topic.to_owned(),
            name: name.to_owned(),
            expected: expected.to_owned(),
            found: String::new(),
        };
        let differences = [
            setting("a", "retention.bytes", "-1"),
            setting("a", IN_SYNC_MIN, "2"),
            Difference::Replication { topic: "b".to_owned(), expected: 3, found: 1 },
            setting("b", IN_SYNC_MIN, "2"),
            setting("b", "segment.bytes", "16777216"),
        ];
        let line = |topic: &str, settings: &str| {
            format!(
                "kafka-configs.sh --bootstrap-server k:9092 --alter --entity-type topics --entity-name {topic} --add-config {settings}"
            )
        };
        let found = remedies(&differences, "k:9092");
        assert!(found[0].starts_with("kafka-reassign-partitions.sh"), "{found:?}");
        let lines = [line("a", "retention.bytes=-1,min.insync.replicas=2"), line("b", "segment.bytes=16777216")];
        assert_eq!(found[1..], lines, "a topic with one copy would take nothing");
        assert_eq!(remedies(&[], "k:9092"), Vec::<String>::new());
    }
}
