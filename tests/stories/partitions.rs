//! The number of partitions changes while an installation lives, there and back.

use std::time::Duration;

use schemas::topics;
use spendstream_tests::deployment::{Deployment, ENVIRONMENT};
use spendstream_tests::kafka::Kafka;
use spendstream_tests::s3::S3;
use stream::kafka::KafkaLog;
use stream::{Log as _, OutRecord};

use crate::PARTITIONS;
use crate::agreement::agrees_with_the_oracle;
use crate::traffic::Producer;

/// Sends the first records of every raw partition again: copies of calls that were counted long ago.
fn send_again(log: &KafkaLog, records: usize) -> usize {
    let mut copies = Vec::new();
    for partition in 0..PARTITIONS {
        let first = log.read(topics::RAW, partition, 0, 1 << 20).unwrap();
        copies.extend(first.into_iter().take(records).map(|record| OutRecord {
            topic: topics::RAW.into(),
            partition,
            key: record.key,
            payload: record.payload,
            headers: record.headers,
            timestamp: None,
        }));
    }
    let count = copies.len();
    log.append(copies).expect("the broker is up");
    count
}

#[test]
fn spend_survives_changes_of_the_number_of_partitions() {
    let (kafka, s3) = (Kafka::start(), S3::start("lake"));
    let mut deployment = Deployment::prepare(&kafka, &s3, PARTITIONS);
    let log = KafkaLog::connect(&kafka.connection(), "story").unwrap();
    let mut producer = Producer::new(&log, 7, 4_500);
    let mut records = 0;
    for partitions in [Some("6"), Some("3"), None] {
        deployment.start_all(1);
        producer.send(1_500);
        records += 1_500;
        deployment.settle(&log, records, Duration::from_secs(180));
        if let Some(partitions) = partitions {
            deployment.stop();
            // Producers do not wait for it, and what they send meanwhile is copies, so that state is needed at once.
            records += send_again(&log, 200);
            deployment.run(&["topics", "repartition", "--partitions", partitions, "--environment", ENVIRONMENT]);
        }
    }
    agrees_with_the_oracle(&log, &deployment);
    let (closes, text) = deployment.command(&["ledger", "--lake", &deployment.lake()]);
    assert!(closes, "{text}");
    deployment.stop();
}
