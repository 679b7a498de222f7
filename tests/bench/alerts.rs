//! How long after an event the alert it causes can be read.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use schemas::topics;

use crate::Config;
use crate::cluster::{Cluster, PATIENCE, now, send, watched_key};
use crate::events::Events;
use crate::measure::{quantile, thousands};
use crate::pipeline::Services;

/// Budgets that are exceeded one after the other, right after the start and again once everything is warm.
const WATCHED: usize = 400;

/// Time between two of them.
const EVERY: Duration = Duration::from_millis(50);

/// When the second half begins. Until then a broker that was just started compiles its code and lags behind the load.
const WARM_AFTER: Duration = Duration::from_secs(60);

/// The budgets whose events went out and whose alerts have not come: the number of each, and when.
type Sent = Mutex<HashMap<String, (usize, Instant)>>;

/// Sends events at a steady rate, among them some that exceed a budget, and prints when their alerts could be read.
pub fn latency(config: &Config, rate: u64) -> anyhow::Result<()> {
    let cluster = Cluster::start(config, 2 * WATCHED)?;
    let services = Services::start(&cluster, None)?;
    let reader = reader(&cluster)?;
    let sent = Sent::default();
    let latencies = std::thread::scope(|scope| {
        let sender = scope.spawn(|| load(&cluster, rate, &sent));
        let latencies = alerts(&reader, &sent);
        sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;
        latencies
    })?;
    services.stop()?;
    println!("## From an event to the alert it causes, at {} events a second\n", thousands(rate));
    println!("| | alerts | p50 ms | p90 ms | p99 ms | longest ms |\n|---|---:|---:|---:|---:|---:|");
    let (from_start, warm): (Vec<_>, Vec<_>) = latencies.into_iter().partition(|(number, _)| *number < WATCHED);
    let warm_after = format!("after {} s", WARM_AFTER.as_secs());
    for (when, measured) in [("from the start", from_start), (&*warm_after, warm)] {
        let mut measured: Vec<Duration> = measured.into_iter().map(|(_, latency)| latency).collect();
        measured.sort_unstable();
        let millis = |share| quantile(&measured, share).as_millis();
        let (half, most, nearly) = (millis(0.5), millis(0.9), millis(0.99));
        println!("| {when} | {} | {half} | {most} | {nearly} | {} |", measured.len(), millis(1.0));
    }
    println!();
    Ok(())
}

/// When a watched event is due.
fn due_at(watched: usize) -> Duration {
    let start = if watched < WATCHED { Duration::ZERO } else { WARM_AFTER };
    start + EVERY * ((watched % WATCHED) as u32 + 1)
}

/// Sends the events and notes when each that exceeds a budget went out.
fn load(cluster: &Cluster, rate: u64, sent: &Sent) -> anyhow::Result<()> {
    let producer = cluster.producer(Duration::from_millis(5))?;
    let (mut event, mut number, mut watched) = (String::new(), 0, 0);
    let began = Instant::now();
    while watched < 2 * WATCHED {
        let elapsed = began.elapsed();
        let due = (elapsed.as_micros() * u128::from(rate) / 1_000_000) as u64;
        while number < due {
            let id = Events::default().write(number, now(), None, &mut event);
            send(&producer, topics::RAW, &id, event.as_bytes())?;
            number += 1;
        }
        if elapsed >= due_at(watched) {
            // Numbers of their own, so that no other event has their id.
            let number = u64::MAX - watched as u64;
            let id = Events::default().write(number, now(), Some(&watched_key(watched)), &mut event);
            let budget = format!("watched-{watched}");
            sent.lock().unwrap_or_else(PoisonError::into_inner).insert(budget, (watched, Instant::now()));
            send(&producer, topics::RAW, &id, event.as_bytes())?;
            watched += 1;
        }
        producer.poll(Duration::ZERO);
        std::thread::sleep(Duration::from_micros(500));
    }
    producer.flush(PATIENCE).context("write raw events")
}

/// Reads the alerts as whoever delivers them would.
fn reader(cluster: &Cluster) -> anyhow::Result<BaseConsumer> {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", cluster.kafka.brokers())
        .set("group.id", "bench.alerts")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "100");
    let consumer: BaseConsumer = client.create().context("create a consumer")?;
    let mut list = TopicPartitionList::new();
    for partition in 0..cluster.partitions {
        list.add_partition_offset(topics::ALERTS, partition as i32, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    Ok(consumer)
}

/// Number of each watched event and the time to its alert, in the order they came.
fn alerts(reader: &BaseConsumer, sent: &Sent) -> anyhow::Result<Vec<(usize, Duration)>> {
    let mut latencies = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while latencies.len() < 2 * WATCHED {
        ensure!(Instant::now() < deadline, "only {} of {} alerts came", latencies.len(), 2 * WATCHED);
        let Some(message) = reader.poll(Duration::from_millis(100)) else { continue };
        let at = Instant::now();
        let message = match message {
            // The client connects again; what is late because of it counts as late.
            Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AllBrokersDown)) => continue,
            message => message.context("read alerts")?,
        };
        let budget = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
        if let Some((number, sent)) = sent.lock().unwrap_or_else(PoisonError::into_inner).remove(&budget) {
            latencies.push((number, at.duration_since(sent)));
        }
    }
    Ok(latencies)
}
