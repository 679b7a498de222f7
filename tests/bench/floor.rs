//! The floor under any program of this client library: records read, packed 500 to a record and committed with their
//! offsets in transactions every 100 ms. Nothing is parsed, counted or remembered.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use schemas::topics::{Kept, Partitions, TopicSpec};

use crate::Config;
use crate::cluster::{Cluster, PATIENCE};
use crate::measure::{Used, row};

/// Records packed into one.
const PACK: usize = 500;

/// Time between commits.
const COMMIT_EVERY: Duration = Duration::from_millis(100);

const TOPIC: &str = "floor.packed";
const GROUP: &str = "floor";

/// Runs two lanes over the raw topic and prints what they took together.
pub fn run(config: &Config, cluster: &Cluster, topic: &str) -> anyhow::Result<()> {
    let spec = TopicSpec { name: TOPIC.to_owned(), partitions: Partitions::Raw, kept: Kept::Forever };
    cluster.kafka.create(&[spec], cluster.partitions);
    let lanes = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(cluster.partitions as usize);
    let own = || Used::by(std::process::id());
    let (before, broker, began) = (own()?, cluster.broker()?, Instant::now());
    let taken = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|lane| scope.spawn(move || pack(cluster, topic, lane, lanes))).collect();
        lanes
            .into_iter()
            .map(|lane| lane.join().map_err(|_| anyhow::anyhow!("a lane panicked"))?)
            .sum::<anyhow::Result<u64>>()
    })?;
    let wall = began.elapsed();
    ensure!(taken == config.records, "{taken} records were read of {}", config.records);
    row(
        "rdkafka: read, pack, commit",
        taken,
        Some(wall),
        own()?.since(before),
        Some(cluster.broker()?.since(broker).cpu),
    );
    Ok(())
}

/// One lane's share of the partitions, to their ends; how many records there were.
fn pack(cluster: &Cluster, topic: &str, lane: usize, lanes: usize) -> anyhow::Result<u64> {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", cluster.kafka.brokers());
    let consumer: BaseConsumer = client
        .clone()
        .set("group.id", GROUP)
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("fetch.queue.backoff.ms", "1")
        .set("queued.min.messages", "1000000")
        .set("queued.max.messages.kbytes", "131072")
        .create()?;
    let producer: BaseProducer = client
        .set("transactional.id", format!("floor.{lane}"))
        .set("compression.type", "lz4")
        .set("linger.ms", "5")
        .set("batch.size", "1000000")
        .set("message.max.bytes", "4000000")
        .set("delivery.report.only.error", "true")
        .create()?;
    producer.init_transactions(PATIENCE)?;
    let mut positions = TopicPartitionList::new();
    let mut left = 0;
    for partition in (lane as i32..cluster.partitions as i32).step_by(lanes) {
        positions.add_partition_offset(topic, partition, Offset::Beginning)?;
        left += consumer.fetch_watermarks(topic, partition, PATIENCE)?.1;
    }
    consumer.assign(&positions)?;
    let (mut taken, mut packed, mut filled) = (0u64, Vec::with_capacity(PACK * 700), 0);
    let (mut opened, deadline) = (None, Instant::now() + PATIENCE);
    while (taken as i64) < left {
        ensure!(Instant::now() < deadline, "only {taken} of {left} records were read");
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.context("read raw events")?;
        let at: &mut Instant = match &mut opened {
            Some(at) => at,
            None => {
                producer.begin_transaction()?;
                opened.insert(Instant::now())
            }
        };
        packed.extend_from_slice(message.payload().unwrap_or_default());
        (taken, filled) = (taken + 1, filled + 1);
        positions.set_partition_offset(topic, message.partition(), Offset::Offset(message.offset() + 1))?;
        let last = taken as i64 == left;
        if filled == PACK || last {
            let record: BaseRecord<'_, [u8], [u8]> =
                BaseRecord::to(TOPIC).partition(message.partition()).payload(&packed);
            producer.send(record).map_err(|(error, _)| error)?;
            packed.clear();
            filled = 0;
            if at.elapsed() >= COMMIT_EVERY || last {
                commit(&consumer, &producer, &positions)?;
                opened = None;
            }
        }
    }
    Ok(taken)
}

fn commit(consumer: &BaseConsumer, producer: &BaseProducer, positions: &TopicPartitionList) -> anyhow::Result<()> {
    let group = consumer.group_metadata().context("the group's metadata")?;
    producer.send_offsets_to_transaction(positions, &group, PATIENCE)?;
    // The crate's own flush waits up to 100 ms at a time.
    // SAFETY: the handle lives as long as the producer.
    let flushed = unsafe { sys::rd_kafka_flush(producer.client().native_ptr(), PATIENCE.as_millis() as i32) };
    ensure!(flushed == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR, "flush: {flushed:?}");
    producer.commit_transaction(PATIENCE)?;
    Ok(())
}
