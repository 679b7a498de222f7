//! End-to-end stories on real Kafka and S3, each against an independent oracle.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use schemas::codec::Format;
use schemas::{Alert, Batch, Charge, ChargeClass, Direction, Granularity, Timestamp, Window, topics};
use spendstream_cli::traffic::{Shape, Traffic};
use spendstream_tests::deployment::{Deployment, Service, example};
use spendstream_tests::kafka::Kafka;
use spendstream_tests::oracle::{self, Oracle, Raw};
use spendstream_tests::s3::{Fault, S3};
use stream::kafka::KafkaLog;
use stream::{Log, OutRecord};

/// Raw and internal partitions of every story.
const PARTITIONS: u32 = 4;

/// Records of one storm; `SPENDSTREAM_STORM_RECORDS` makes it longer.
fn storm_records() -> usize {
    std::env::var("SPENDSTREAM_STORM_RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

/// Sends sample traffic to `usage.raw`, a part at a time.
struct Producer<'a> {
    log: &'a KafkaLog,
    traffic: std::iter::Take<Traffic>,
}

impl<'a> Producer<'a> {
    fn new(log: &'a KafkaLog, seed: u64, records: usize) -> Self {
        // The day up to now: the brokers stamp arrivals themselves, and budgets are judged as of then.
        let start = stream::now().plus_seconds(-86_400);
        let traffic = Traffic::new(seed, Shape::Sample, start, 86_400, records as u64).take(records);
        Producer { log, traffic }
    }

    /// Sends up to `records` more; false when there are none left.
    fn send(&mut self, records: usize) -> bool {
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
fn read<T>(log: &KafkaLog, topic: &str, mut each: impl FnMut(u32, &[u8]) -> T) -> Vec<T> {
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

fn raw(log: &KafkaLog) -> Vec<Raw> {
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

fn time(at: Timestamp) -> DateTime<Utc> {
    at.to_datetime().unwrap()
}

/// Cost and requests of every call, reversals and replacements folded in.
fn charged(charges: &[Charge]) -> BTreeMap<String, (i128, i64)> {
    let mut calls = BTreeMap::<_, (i128, i64)>::new();
    for charge in charges {
        let call = calls.entry(charge.event.call_key.to_string()).or_default();
        call.0 += charge.costs.effective.map_or(0, schemas::Money::picos);
        call.1 += i64::from(charge.requests);
    }
    calls
}

/// Compares everything the pipeline says with the oracle.
fn agrees_with_the_oracle(log: &KafkaLog, deployment: &Deployment<'_>) {
    let answer = Oracle::read(&example()).answer(&raw(log));
    assert!(answer.rejected > 0 && answer.events > answer.charges.len(), "the sample holds copies and broken records");

    // Charges, call by call.
    let format = Format::<Batch<Charge>>::new();
    let batches = read(log, topics::CHARGES, |_, payload| format.decode(payload).unwrap());
    let charges: Vec<Charge> = batches.into_iter().flat_map(|batch| batch.items).collect();
    let expected: BTreeMap<_, _> =
        answer.charges.iter().map(|(key, charge)| (key.clone(), (charge.cost.unwrap_or(0), 1))).collect();
    let found = charged(&charges);
    for (key, expected) in &expected {
        assert_eq!(found.get(key), Some(expected), "{key}: {:?}", answer.charges[key]);
    }
    assert_eq!(found.len(), expected.len());
    for charge in charges.iter().filter(|charge| charge.class != ChargeClass::Reversal) {
        let expected = &answer.charges[charge.event.call_key.as_str()];
        assert_eq!(charge.owner.team.as_deref(), expected.team.as_deref(), "{}", charge.event.call_key);
        assert_eq!(charge.costs.effective.is_none(), expected.cost.is_none(), "{}", charge.event.call_key);
    }

    // Windows: the newest revision of each, folded to what the oracle keeps them by.
    for (granularity, truncate) in [
        (Granularity::Hour, oracle::hour as fn(_) -> _),
        (Granularity::Day, oracle::day),
        (Granularity::Month, oracle::month),
    ] {
        let mut expected = answer.windows(truncate);
        expected.retain(|_, sum| *sum != oracle::Sum::default());
        becomes_equal(granularity.as_str(), || windows(log, granularity), &expected);
    }

    // Alerts: each id once, and an `up` exactly for the thresholds the final sums reach.
    let format = Format::<Alert>::new();
    let alerts = read(log, topics::ALERTS, |_, payload| format.decode(payload).unwrap());
    let mut ids = BTreeMap::<_, usize>::new();
    alerts.iter().for_each(|alert| *ids.entry(alert.alert_id).or_default() += 1);
    assert!(ids.values().all(|times| *times == 1), "an alert was sent twice");
    let fired: std::collections::BTreeSet<_> = alerts
        .iter()
        .filter(|alert| alert.direction == Direction::Up)
        .map(|alert| (alert.budget_id.to_string(), time(alert.period_start), alert.threshold.to_string()))
        .collect();
    assert_eq!(fired, answer.crossings(&example()), "thresholds crossed");

    // The lake: the same calls, the same money.
    let money: i128 = charges.iter().filter_map(|charge| charge.costs.effective).map(schemas::Money::picos).sum();
    assert_eq!(money, answer.cost());
    becomes_equal("the lake", || lake_totals(deployment), &(answer.charges.len() as i64, money));
}

/// Sums of the newest revision of every window, by what the oracle keeps them by.
fn windows(log: &KafkaLog, granularity: Granularity) -> BTreeMap<(oracle::Key, DateTime<Utc>), oracle::Sum> {
    let format = Format::<Window>::new();
    let mut newest = BTreeMap::new();
    for window in read(log, topics::WINDOWS, |_, payload| format.decode(payload).unwrap()) {
        if window.granularity == granularity {
            let old = newest.insert((window.key.clone(), window.start), window.clone());
            assert!(old.is_none_or(|old| old.revision < window.revision), "revisions grow");
        }
    }
    let mut sums = BTreeMap::<_, oracle::Sum>::new();
    for window in newest.values() {
        let key = &window.key;
        let text = |value: &Option<schemas::Text>| value.as_ref().map(ToString::to_string);
        let key = (text(&key.team), text(&key.environment), key.provider.to_string(), key.model.to_string());
        let sum = sums.entry((key, time(window.start))).or_default();
        sum.requests += window.sums.requests;
        sum.cost += window.sums.effective.picos();
    }
    sums.retain(|_, sum| *sum != oracle::Sum::default());
    sums
}

/// Calls and money in the lake, as the report adds them up.
fn lake_totals(deployment: &Deployment<'_>) -> (i64, i128) {
    let report = deployment.run(&["report", "--lake", &deployment.lake(), "-o", "json"]);
    let start = report.find('{').expect("the report is JSON");
    let report: serde_json::Value = serde_json::from_str(&report[start..]).expect("the report is JSON");
    let money: schemas::Money = report["total"][0]["amount"].as_str().unwrap().parse().unwrap();
    (report["requests"].as_i64().unwrap(), money.picos())
}

/// Waits until two sides are equal; at the end of its patience it says how they differ.
fn becomes_equal<T: PartialEq + std::fmt::Debug>(what: &str, mut found: impl FnMut() -> T, expected: &T) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let now = found();
        if now == *expected {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: found {now:?}, expected {expected:?}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Kills, pauses and restarts everything at random while traffic flows.
fn storm(seed: u64) {
    eprintln!("storm with seed {seed}: repeat it with SPENDSTREAM_STORM_SEED={seed}");
    let (kafka, s3) = (Kafka::start(), S3::start("lake"));
    let mut deployment = Deployment::prepare(&kafka, &s3, PARTITIONS);
    let log = KafkaLog::connect(&kafka.connection(), "story").unwrap();
    let records = storm_records();
    let mut producer = Producer::new(&log, seed, records);
    let mut random = SmallRng::seed_from_u64(seed);
    deployment.start_all(2);

    let part = records.div_ceil(40);
    while producer.send(part) {
        let service = Service::ALL[random.random_range(0..4)];
        let instance = random.random_range(0..2);
        match random.random_range(0..6) {
            0..3 => {
                deployment.kill(service, instance);
                deployment.start(service, instance);
            }
            3 => {
                // Stopped long enough to lose its session while others go on, then let loose as a zombie.
                deployment.pause(service, instance, true);
                producer.send(part);
                std::thread::sleep(Duration::from_millis(random.random_range(200..8_000)));
                deployment.pause(service, instance, false);
            }
            4 => s3.plan(if random.random() { Fault::LoseAnswer } else { Fault::Unavailable }, "", 2),
            _ => std::thread::sleep(Duration::from_millis(random.random_range(50..500))),
        }
        // The books close whenever they are asked, not only at the end.
        if random.random_range(0..8) == 0 {
            let (closes, text) = deployment.command(&["ledger", "--lake", &deployment.lake()]);
            assert!(closes, "the ledger does not close in the storm:\n{text}");
        }
    }
    deployment.settle(&log, records, Duration::from_secs(180));
    agrees_with_the_oracle(&log, &deployment);
    deployment.stop();

    let logs = deployment.logs();
    for proof in ["transaction failed", "transaction settled", "partitions lost"] {
        eprintln!("{proof}: {} times", logs.matches(proof).count());
    }
    assert!(logs.contains("transaction failed"), "a storm without an aborted transaction proves nothing");
}

#[test]
fn spend_is_counted_once_through_a_storm() {
    let seeds = match std::env::var("SPENDSTREAM_STORM_SEED") {
        Ok(seed) => vec![seed.parse().expect("SPENDSTREAM_STORM_SEED is a number")],
        Err(_) => vec![1, 2, 3, 4, 5],
    };
    let begun = Instant::now();
    seeds.into_iter().for_each(storm);
    eprintln!("storms took {:?}", begun.elapsed());
}

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
            deployment.run(&["topics", "repartition", "--partitions", partitions, "--environment", "story"]);
        }
    }
    agrees_with_the_oracle(&log, &deployment);
    let (closes, text) = deployment.command(&["ledger", "--lake", &deployment.lake()]);
    assert!(closes, "{text}");
    deployment.stop();
}
