//! The same raw records processed twice: by services on Kafka that are killed while they come in, and later at once on
//! one machine, killed too. Other batches, other crashes, another driver; a new version of the reference data takes
//! effect half-way. What every call costs in the end, what every window adds up to and what was first crossed is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use schemas::codec::Format;
use schemas::{
    Alert, Batch, Charge, ChargeClass, Direction, Granularity, ReferenceItem, Sums, Timestamp, Window, WindowKey,
    topics,
};
use spendstream_tests::deployment::{Deployment, Service, example, program, spendstream};
use spendstream_tests::kafka::Kafka;
use spendstream_tests::process::Process;
use spendstream_tests::s3::S3;
use stream::kafka::KafkaLog;
use stream::local::LocalLog;
use stream::{Log, OutRecord};

use crate::traffic::{Producer, read};
use crate::{PARTITIONS, becomes_equal};

const RECORDS: usize = 6_000;
const SEED: u64 = 11;

/// What a call is charged in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Final {
    /// In 10^-12 dollars, corrections included.
    cost: i128,
    requests: i32,
    team: Option<String>,
    status: &'static str,
    /// Versions of prices and owners that decided.
    versions: (String, String),
    /// The copy that won, as its producer named it. Of copies that say the same either row may stand.
    winner: String,
}

/// The final charge of every call.
fn charges(log: &dyn Log) -> BTreeMap<String, Final> {
    let format = Format::<Batch<Charge>>::new();
    let mut calls = BTreeMap::<String, Vec<Charge>>::new();
    for batch in read(log, topics::CHARGES, |_, payload| format.decode(payload).unwrap()) {
        for charge in batch.items {
            calls.entry(charge.event.call_key.to_string()).or_default().push(charge);
        }
    }
    calls.into_iter().map(|(key, charges)| (key, settled(&charges))).collect()
}

fn settled(charges: &[Charge]) -> Final {
    let standing = charges.iter().filter(|charge| charge.class != ChargeClass::Reversal);
    let last = standing.max_by_key(|charge| charge.revision).unwrap();
    Final {
        cost: charges.iter().filter_map(|charge| charge.costs.effective).map(schemas::Money::picos).sum(),
        requests: charges.iter().map(|charge| charge.requests).sum(),
        team: last.owner.team.as_ref().map(ToString::to_string),
        status: last.status.as_str(),
        versions: (last.book_version.to_string(), last.directory_version.to_string()),
        winner: format!("{} {:?}", last.event.source, last.event.event_id),
    }
}

/// The newest sums of every window; how many rows they came in is not promised.
fn windows(log: &dyn Log) -> BTreeMap<(WindowKey, Granularity, Timestamp), String> {
    let format = Format::<Window>::new();
    let all = read(log, topics::WINDOWS, |_, payload| format.decode(payload).unwrap());
    let newest = all.into_iter().map(|window| ((window.key, window.granularity, window.start), window.sums));
    let newest: BTreeMap<_, _> = newest.map(|(key, sums)| (key, Sums { charges: 0, ..sums })).collect();
    let sums = newest.into_iter().filter(|(_, sums)| *sums != Sums::default());
    sums.map(|(key, sums)| (key, format!("{sums:?}"))).collect()
}

/// Thresholds that were crossed, each the first time.
fn crossings(log: &dyn Log) -> BTreeSet<(String, String, Timestamp, String)> {
    let format = Format::<Alert>::new();
    let alerts = read(log, topics::ALERTS, |_, payload| format.decode(payload).unwrap());
    let ups = alerts.into_iter().filter(|alert| alert.direction == Direction::Up);
    let name = |alert: Alert| {
        let (budget, revision) = (alert.budget_id.to_string(), alert.budget_revision.to_string());
        (budget, revision, alert.period_start, alert.threshold.to_string())
    };
    ups.map(name).collect()
}

/// The example with a price for the model that nobody knew and an owner for the key that nobody knew.
fn second_version(folder: &Path) {
    std::fs::create_dir(folder.join("prices")).unwrap();
    for file in std::fs::read_dir(example().join("prices")).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), folder.join("prices").join(file.file_name())).unwrap();
    }
    for file in ["owners.yaml", "budgets.yaml"] {
        std::fs::copy(example().join(file), folder.join(file)).unwrap();
    }
    let edit = |file: &str, after: &str, add: &str| {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(after), "{file} has no line {after}");
        std::fs::write(&path, text.replacen(after, &format!("{after}{add}"), 1)).unwrap();
    };
    edit(
        "prices/openai.yaml",
        "skus:\n",
        "  - sku: openai/gpt-nebula-preview\n    models: [gpt-nebula-preview]\n    rates:\n      \
         - {per: 1000000, prices: {input_text_tokens: 7, cache_read_text_tokens: 0.7, output_text_tokens: 21}}\n",
    );
    edit("owners.yaml", "keys:\n", "  - {key: key-legacy-7f3a, owner: {team: platform, environment: production}}\n");
}

/// When the newest version of the reference data takes effect.
fn effective_at(log: &dyn Log) -> Timestamp {
    let topics = [topics::REF_PRICES, topics::REF_OWNERS];
    let manifests = topics.into_iter().flat_map(|topic| stream::log::reference_items(log, topic, 0).unwrap().0);
    let effective = manifests.filter_map(|item| match item {
        ReferenceItem::Manifest(manifest) => Some(manifest.effective_at),
        ReferenceItem::Row(_) => None,
    });
    effective.max().unwrap()
}

/// Copies raw records and reference data as they stand in one log to a new data folder.
fn copy(from: &dyn Log, folder: &Path) {
    let to = LocalLog::open(folder, &topics::catalogue(&[topics::RAW]), Some(PARTITIONS)).unwrap();
    for (topic, partitions) in from.topics().unwrap() {
        if topic != topics::RAW && !topic.starts_with("ref.") {
            continue;
        }
        for partition in 0..partitions {
            let mut records = Vec::new();
            stream::log::scan(from, &topic, partition, 0, |record| {
                records.push(OutRecord {
                    topic: topic.as_str().into(),
                    partition,
                    key: record.key.clone(),
                    payload: record.payload.clone(),
                    headers: record.headers.clone(),
                    timestamp: Some(record.timestamp),
                });
                Ok(())
            })
            .unwrap();
            to.append(records).unwrap();
        }
    }
}

/// Records that ingest has taken.
fn taken(log: &dyn Log) -> i64 {
    let entries = stream::log::ledger(log).unwrap();
    let counts = entries.iter().filter(|entry| entry.topic == topics::RAW).flat_map(|entry| &entry.counts);
    counts.filter(|count| count.name == "records").map(|count| count.count).sum()
}

/// Processes a data folder to the end, killed three times on the way.
fn process_again(folder: &Path) {
    let data = folder.display().to_string();
    let arguments = ["up", "--data", &data, "--sample", "0", "--exit-when-idle", "--listen", "127.0.0.1:0"];
    for quarter in 1..4 {
        let mut command = program("spendstream");
        command.args(arguments);
        let process = Process::start(command);
        let target = (RECORDS * quarter / 4) as i64;
        crate::until("the folder is being processed", || taken(&LocalLog::inspect(folder).unwrap()) >= target);
        process.kill();
    }
    let (well, text) = spendstream(folder, &arguments);
    assert!(well, "{text}");
}

#[test]
fn the_same_records_give_the_same_money_whatever_the_run() {
    let (kafka, s3) = (Kafka::start(), S3::start("lake"));
    let mut deployment = Deployment::prepare(&kafka, &s3, PARTITIONS);
    let log = KafkaLog::connect(&kafka.connection(), "story").unwrap();
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut producer = Producer::new(&log, SEED, RECORDS);
    deployment.start_all(2);
    let mut disturb = |deployment: &mut Deployment<'_>| {
        let (service, instance) = (Service::ALL[random.random_range(0..4)], random.random_range(0..2));
        deployment.kill(service, instance);
        deployment.start(service, instance);
    };

    for _ in 0..4 {
        producer.send(RECORDS / 10);
        disturb(&mut deployment);
    }
    let folder = tempfile::tempdir().unwrap();
    second_version(folder.path());
    deployment.run(&["apply", &folder.path().display().to_string()]);
    let effective = effective_at(&log);
    crate::until("the second version is in effect", || {
        producer.send(RECORDS / 500);
        std::thread::sleep(Duration::from_millis(300));
        stream::now() > effective
    });
    while producer.send(RECORDS / 10) {
        disturb(&mut deployment);
    }
    deployment.settle(&log, RECORDS, Duration::from_secs(300));

    let again = tempfile::tempdir().unwrap();
    let data = again.path().join("data");
    copy(&log, &data);
    process_again(&data);
    let second = LocalLog::inspect(&data).unwrap();

    let (expected, found) = (charges(&log), charges(&second));
    let versions: BTreeSet<_> = expected.values().map(|charge| &charge.versions).collect();
    assert!(versions.len() > 1, "only one version decided: {versions:?}");
    for (key, expected) in &expected {
        assert_eq!(found.get(key), Some(expected), "{key}");
    }
    assert_eq!(found.len(), expected.len());
    becomes_equal("windows", || windows(&log), &windows(&second));
    becomes_equal("crossings", || crossings(&log), &crossings(&second));
    deployment.stop();
}
