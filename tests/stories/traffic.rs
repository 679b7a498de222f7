//! What goes into a story, and what stands in its topics.

use bytes::Bytes;
use schemas::topics;
use spendstream_cli::traffic::{Shape, Traffic};
use spendstream_tests::oracle::Raw;
use stream::kafka::KafkaLog;
use stream::{Log, OutRecord};

use crate::PARTITIONS;

/// Sends sample traffic to `usage.raw`, a part at a time.
pub(crate) struct Producer<'a> {
    log: &'a KafkaLog,
    traffic: std::iter::Take<Traffic>,
}

impl<'a> Producer<'a> {
    pub(crate) fn new(log: &'a KafkaLog, seed: u64, records: usize) -> Self {
        // The day up to now: the brokers stamp arrivals themselves, and budgets are judged as of then.
        let start = stream::now().plus_seconds(-86_400);
        let traffic = Traffic::new(seed, Shape::Sample, start, 86_400, records as u64).take(records);
        Producer { log, traffic }
    }

    /// Sends up to `records` more; false when there are none left.
    pub(crate) fn send(&mut self, records: usize) -> bool {
        let topic: std::sync::Arc<str> = topics::RAW.into();
        let batch: Vec<_> = self.traffic.by_ref().take(records).collect();
        let out = batch.iter().map(|record| OutRecord {
            topic: topic.clone(),
            partition: record.slot % PARTITIONS,
            key: None,
            payload: Some(Bytes::from(record.payload.clone())),
            headers: record.headers.iter().map(|(k, v)| (k.clone(), Bytes::from(v.clone()))).collect(),
            timestamp: Some(record.timestamp),
        });
        self.log.append(out.collect()).expect("the broker is up");
        !batch.is_empty()
    }
}

/// Everything committed on a topic, decoded.
pub(crate) fn read<T>(log: &dyn Log, topic: &str, mut each: impl FnMut(u32, &[u8]) -> T) -> Vec<T> {
    let mut items = Vec::new();
    for partition in 0..log.partitions(topic).unwrap().unwrap() {
        stream::log::scan(log, topic, partition, 0, |record| {
            items.push(each(partition, record.payload.as_deref().unwrap_or_default()));
            Ok(())
        })
        .unwrap();
    }
    items
}

pub(crate) fn raw(log: &dyn Log) -> Vec<Raw> {
    let mut records = Vec::new();
    for partition in 0..PARTITIONS {
        stream::log::scan(log, topics::RAW, partition, 0, |record| {
            let payload = record.payload.as_deref().unwrap_or_default().to_vec();
            records.push(Raw { partition, offset: record.offset, payload });
            Ok(())
        })
        .unwrap();
    }
    records
}
