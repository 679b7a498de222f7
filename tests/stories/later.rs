//! Money that is put right later, on Kafka: calls without a price, a price published wrong, a month's free units. Enrich is
//! killed while the corrections are on their way.

use std::path::Path;

use schemas::{Timestamp, topics};
use serde_json::{Value, json};
use spendstream_tests::deployment::{self, Deployment, Service};
use spendstream_tests::kafka::Kafka;
use spendstream_tests::s3::S3;
use stream::kafka::KafkaLog;
use stream::{Log as _, OutRecord, now};

use crate::{PARTITIONS, becomes_equal};

/// Each uses a million tokens.
const CALLS: i64 = 400;

/// Publishes what a million tokens of the one model cost, and what else the price file says.
fn publish(deployment: &Deployment<'_>, folder: &Path, price: &str, terms: &str) {
    let rates = format!("[{{per: 1000000, prices: {{input_text_tokens: {price}}}}}]");
    let sku = format!("skus: [{{sku: openai/gpt-x, models: [gpt-x], rates: {rates}}}]");
    std::fs::write(folder.join("prices.yaml"), format!("provider: openai\ncurrency: USD\n{sku}\n{terms}\n")).unwrap();
    for same in ["owners.yaml", "budgets.yaml"] {
        std::fs::copy(deployment::example().join(same), folder.join(same)).unwrap();
    }
    deployment.run(&["apply", &folder.display().to_string()]);
}

fn send(log: &KafkaLog, time: Timestamp) {
    let record = |number: i64| {
        let call = json!({"id": format!("call-{number}"), "source": "app", "provider": "openai", "model": "gpt-x",
            "time": time.to_string(), "usage": {"input_text_tokens": 1_000_000}});
        OutRecord {
            topic: topics::RAW.into(),
            partition: number as u32 % PARTITIONS,
            key: None,
            payload: Some(call.to_string().into()),
            headers: Vec::new(),
            timestamp: None,
        }
    };
    log.append((0..CALLS).map(record).collect()).unwrap();
}

/// The JSON a command printed; what it said to standard error comes after it.
fn json_of(text: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(text).into_iter().next()?.ok()
}

/// Waits until the report shows so many dollars, no call without a price, and nothing on its way.
fn reported(deployment: &Deployment<'_>, dollars: &str) {
    let found = || {
        let (_, text) = deployment.command(&["report", "--lake", &deployment.lake(), "-o", "json"]);
        let report = json_of(&text).unwrap_or_default();
        let unpriced = report["unpriced"].as_array().map(Vec::len);
        (
            report["total"][0]["amount"].clone(),
            report["requests"].as_i64(),
            unpriced,
            report["ledger"]["in_flight"].clone(),
        )
    };
    becomes_equal("the report", found, &(json!(dollars), Some(CALLS), Some(0), json!(0)));
}

#[test]
fn what_is_repriced_and_settled_counts_once_though_enrich_dies_meanwhile() {
    let (kafka, s3) = (Kafka::start(), S3::start("lake"));
    let mut deployment = Deployment::prepare(&kafka, &s3, PARTITIONS);
    let log = KafkaLog::connect(&kafka.connection(), "story").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (lake, time) = (deployment.lake(), now().plus_seconds(-3_600));
    deployment.start_all(1);
    let die = |deployment: &mut Deployment<'_>| {
        deployment.kill(Service::Enrich, 0);
        deployment.start(Service::Enrich, 0);
    };
    let answer = |deployment: &Deployment<'_>, arguments: &[&str]| -> Value {
        let text = deployment.run(&[arguments, &["--lake", &lake]].concat());
        json_of(&text).unwrap_or_else(|| panic!("{arguments:?}\n{text}"))
    };

    // The calls come before the book that prices their model is in force.
    publish(&deployment, folder.path(), "25", "");
    send(&log, time);
    reported(&deployment, "10000");

    publish(&deployment, folder.path(), "2.5", "");
    let from = time.to_string();
    let reprice = ["reprice", "--from", &from, "-o", "json"];
    assert_eq!(answer(&deployment, &reprice)["corrections"], CALLS);
    die(&mut deployment);
    reported(&deployment, "1000");
    assert_eq!(answer(&deployment, &reprice)["corrections"], 0);

    let free = "allowances: [{id: free, covers: [openai/gpt-x], meters: [input_text_tokens], quantity: 150000000}]";
    publish(&deployment, folder.path(), "2.5", free);
    let settle = ["settle", "--period", &from[..7], "--json"];
    assert_eq!(answer(&deployment, &settle)["to_send"], 1);
    die(&mut deployment);
    // Whether or not it sees what the first has sent, it counts once.
    answer(&deployment, &settle);
    reported(&deployment, "625");
    let last = answer(&deployment, &settle);
    assert_eq!((&last["to_send"], &last["standing"]), (&json!(0), &json!(1)), "{last:#}");
    assert!(deployment.run(&["ledger", "--lake", &lake]).contains("Everything adds up"));
    deployment.stop();
}
