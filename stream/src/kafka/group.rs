//! What lanes and tables do alike as members of a group.

use std::time::Duration;

use anyhow::{Context as _, bail};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::Events;
use super::rights;

/// How often it is asked how far a partition is behind that says nothing by itself.
pub(crate) const LAG_EVERY: Duration = Duration::from_secs(10);

/// Longest wait for the answer: others are held up by it.
const LAG_TIMEOUT: Duration = Duration::from_millis(250);

/// Partitions of a topic, all with the same offset.
pub(crate) fn list(topic: &str, partitions: &[i32], offset: Offset) -> anyhow::Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition_offset(topic, *partition, offset).context("list partitions")?;
    }
    Ok(list)
}

/// Takes over all partitions a rebalance gave, from an offset on, paused: nothing comes before its state is there.
pub(crate) fn take(consumer: &BaseConsumer<Events>, topic: &str, partitions: &[i32]) -> anyhow::Result<()> {
    consumer.assign(&list(topic, partitions, Offset::Beginning)?).context("take partitions over")?;
    if !partitions.is_empty() {
        consumer.pause(&list(topic, partitions, Offset::Invalid)?).context("pause partitions")?;
    }
    Ok(())
}

/// Gives all partitions up.
pub(crate) fn give_up(consumer: &BaseConsumer<Events>) -> anyhow::Result<()> {
    consumer.unassign().context("give partitions up")
}

/// The broker says that somebody else has the name of this member.
#[derive(Debug, thiserror::Error)]
#[error("another process runs {who} as instance {instance:?}: give each its own --instance")]
pub(crate) struct Fenced {
    who: String,
    instance: String,
}

fn fatal(code: RDKafkaErrorCode, who: &str, instance: &str) -> anyhow::Error {
    match code {
        RDKafkaErrorCode::FencedInstanceId => Fenced { who: who.to_owned(), instance: instance.to_owned() }.into(),
        code => anyhow::anyhow!("{who} cannot stay in its group: {code}"),
    }
}

/// Fails when the client is finished. Polling says so once, and somebody may have polled who did not listen.
pub(crate) fn sound(consumer: &BaseConsumer<Events>, who: &str, instance: &str) -> anyhow::Result<()> {
    match consumer.client().fatal_error() {
        Some((code, _)) => Err(fatal(code, who, instance)),
        None => Ok(()),
    }
}

/// Sorts what polling complains about: most passes, some never will. True when an offset was refused.
pub(crate) fn trouble(error: &KafkaError, who: &str, group: &str, topic: &str, instance: &str) -> anyhow::Result<bool> {
    match error {
        KafkaError::MessageConsumptionFatal(code) => Err(fatal(*code, who, instance)),
        KafkaError::MessageConsumption(code @ RDKafkaErrorCode::TopicAuthorizationFailed) => {
            let right = rights::to_be_given(&format!("--operation Read --topic {topic}"));
            bail!("{who} lacks Read on topic {topic}: {code}. {right}")
        }
        KafkaError::MessageConsumption(code @ RDKafkaErrorCode::GroupAuthorizationFailed) => {
            let right = rights::to_be_given(&format!("--operation Read --group {group}"));
            bail!("{who} lacks Read on group {group}: {code}. {right}")
        }
        KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
            Ok(true)
        }
        error => {
            tracing::info!(who, %error, "reading interrupted; the client retries");
            Ok(false)
        }
    }
}

/// What to say of a position behind the end of its partition.
pub(crate) fn beyond_the_end(topic: &str, partition: i32, next: i64, end: i64) -> String {
    format!("{topic}/{partition} ends at {end}, before the committed offset {next}: was the topic re-created?")
}

/// Offsets between a position and the end of its partition, as the broker says now: of a paused partition the client hears
/// nothing. `None` without an answer.
pub(crate) fn lag_now(consumer: &BaseConsumer<Events>, topic: &str, partition: i32, next: i64) -> Option<i64> {
    let range = consumer.fetch_watermarks(topic, partition, LAG_TIMEOUT);
    range.ok().map(|(_, end)| (end - next).max(0))
}

/// Offsets between a position and the end of its partition, as the client last heard of it.
pub(crate) fn lag(consumer: &BaseConsumer<Events>, topic: &str, partition: i32, next: i64) -> i64 {
    known_end(consumer, topic, partition).map_or(0, |end| (end - next).max(0))
}

/// The end of a partition, as the client last heard of it with what it fetched: of all records, also those that readers are not given
/// yet. `None` before it has fetched.
pub(crate) fn known_end(consumer: &BaseConsumer<Events>, topic: &str, partition: i32) -> Option<i64> {
    let topic = std::ffi::CString::new(topic).ok()?;
    let (mut first, mut end) = (0, 0);
    // SAFETY: the client lives as long as the borrow of the consumer, the name as long as the call.
    let known = unsafe {
        rdkafka::bindings::rd_kafka_get_watermark_offsets(
            consumer.client().native_ptr(),
            topic.as_ptr(),
            partition,
            &mut first,
            &mut end,
        )
    };
    (RDKafkaErrorCode::from(known) == RDKafkaErrorCode::NoError && end >= 0).then_some(end)
}
