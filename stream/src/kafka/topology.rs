//! How many partitions of a topic are in use: what `spend.topology` says, where it says anything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use schemas::codec::Format;
use schemas::{TopicLayout, topics};

use super::client::ANSWER_TIMEOUT;
use super::reader::{Read, Reader};
use super::{KafkaLog, now};
use crate::log::Log as _;
use crate::processor::OutRecord;
use crate::settings::Connection;

/// The newest layout of every topic that has one.
#[derive(Debug, Default)]
pub(crate) struct Topology {
    layouts: BTreeMap<String, TopicLayout>,
}

impl Topology {
    /// Reads it. An installation from before there was such a topic has none: Kafka's counts hold.
    pub(crate) fn read(connection: &Connection, counts: &BTreeMap<String, u32>) -> anyhow::Result<Self> {
        let mut topology = Topology::default();
        if !counts.contains_key(topics::TOPOLOGY) {
            return Ok(topology);
        }
        let format = Format::<TopicLayout>::new();
        let reader = Reader::open(connection, topics::TOPOLOGY, 0, None)?;
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        loop {
            match reader.next(Duration::from_millis(100))? {
                Read::End(_) => return Ok(topology),
                Read::Nothing => ensure!(Instant::now() < deadline, "{} could not be read in time", topics::TOPOLOGY),
                Read::Record(fetched) => {
                    let record = fetched.record();
                    let layout = format.decode(record.payload.unwrap_or_default());
                    let layout = layout.with_context(|| format!("{} offset {}", topics::TOPOLOGY, record.offset))?;
                    topology.layouts.insert(layout.topic.to_string(), layout);
                }
            }
        }
    }

    /// True when it says anything of a topic.
    pub(crate) fn decides(&self, topic: &str) -> bool {
        self.layouts.contains_key(topic)
    }

    /// Partitions in use of a topic that has `count`.
    pub(crate) fn partitions(&self, topic: &str, count: u32) -> anyhow::Result<u32> {
        let Some(layout) = self.layouts.get(topic) else { return Ok(count) };
        let used = layout.partitions as u32;
        ensure!(
            used <= count,
            "{topic} has {count} partitions and {} says that {used} are in use: was it re-created? Create it with that many",
            topics::TOPOLOGY
        );
        Ok(used)
    }

    /// The newest generation among some topics.
    pub(crate) fn generation<'a>(&self, topics: impl Iterator<Item = &'a str>) -> i32 {
        topics.filter_map(|topic| self.layouts.get(topic)).map(|layout| layout.generation).max().unwrap_or(0)
    }
}

/// A record of `spend.topology`.
pub(crate) fn record(topic: &str, partitions: u32, generation: i32) -> OutRecord {
    let layout = TopicLayout { topic: topic.into(), partitions: partitions as i32, generation, decided_at: now() };
    OutRecord {
        topic: Arc::from(topics::TOPOLOGY),
        partition: 0,
        key: Some(Bytes::copy_from_slice(topic.as_bytes())),
        payload: Some(Bytes::from(Format::new().encode(&layout))),
        headers: Vec::new(),
        timestamp: None,
    }
}

/// Writes down how many partitions these topics have, where that was not done yet: from then on more partitions on the
/// cluster change nothing.
pub(crate) fn pin(connection: &Connection, counts: &BTreeMap<String, u32>, names: &[&str]) -> anyhow::Result<()> {
    let topology = Topology::read(connection, counts)?;
    let missing = names.iter().filter(|name| !topology.decides(name));
    let records: Vec<OutRecord> = missing.filter_map(|name| Some(record(name, *counts.get(*name)?, 0))).collect();
    if records.is_empty() || !counts.contains_key(topics::TOPOLOGY) {
        return Ok(());
    }
    let log = KafkaLog::connect(connection, "spendstream.topology")?;
    log.append(records).context("write down how many partitions topics have")
}
