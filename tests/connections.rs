//! How services reach what is around them: a broker that demands TLS and a password, and a schema registry.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use schemas::topics;
use spendstream_tests::deployment::{binaries, example};
use spendstream_tests::kafka::Kafka;
use spendstream_tests::process::Process;
use spendstream_tests::registry::{self, Server};
use stream::kafka::KafkaLog;
use stream::settings::Connection;
use stream::{Log, OutRecord, StoredRecord};

/// Longest wait for something that is bound to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program of ours that connects like this, by environment as in a container.
fn program(name: &str, connection: &Connection) -> Command {
    let mut command = Command::new(binaries().join(name));
    let options: Vec<String> = connection.options.iter().map(|(key, value)| format!("{key}={value}")).collect();
    command.env("SPENDSTREAM_BROKERS", &connection.brokers);
    if !options.is_empty() {
        command.env("SPENDSTREAM_KAFKA", options.join(";"));
    }
    command.envs(connection.schema_registry.iter().map(|url| ("SPENDSTREAM_SCHEMA_REGISTRY", url)));
    command.env("SPENDSTREAM_LISTEN", "127.0.0.1:0").env("SPENDSTREAM_LANES", "1");
    command
}

/// Runs a `spendstream` command: whether it succeeded, and what it said.
fn spendstream(connection: &Connection, arguments: &[&str]) -> (bool, String) {
    let output = program("spendstream", connection).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), text)
}

fn prepare(connection: &Connection) {
    for arguments in [
        &["topics", "apply", "--partitions", "1", "--raw-partitions", "1", "--replication", "1"][..],
        &["apply", &example().display().to_string()],
    ] {
        let (well, text) = spendstream(connection, arguments);
        assert!(well, "{arguments:?}: {text}");
    }
}

fn send_a_call(connection: &Connection) {
    let call = r#"{"id": "c1", "source": "test", "time": "2026-11-22T12:00:00Z", "provider": "openai", "response": {
        "id": "chatcmpl-c1", "object": "chat.completion", "model": "gpt-4o-mini",
        "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}}}"#;
    let record = OutRecord {
        topic: topics::RAW.into(),
        partition: 0,
        key: None,
        payload: Some(Bytes::from_static(call.as_bytes())),
        headers: Vec::new(),
        timestamp: None,
    };
    KafkaLog::connect(connection, "tests").unwrap().append(vec![record]).unwrap();
}

/// Waits for a batch with items: heartbeats are smaller than this.
fn first_batch(connection: &Connection, topic: &str) -> StoredRecord {
    let log = Arc::new(KafkaLog::connect(connection, "tests").unwrap());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let records = log.read(topic, 0, 0, 1 << 20).unwrap();
        if let Some(record) = records.into_iter().find(|record| record.size() > 300) {
            return record;
        }
        assert!(Instant::now() < deadline, "nothing came on {topic}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn services_and_commands_reach_a_broker_that_demands_tls_and_a_password() {
    let kafka = Kafka::secured();
    let connection = kafka.secured_connection();
    prepare(&connection);
    let _ingest = Process::start(program("spendstream-ingest", &connection));
    let _enrich = Process::start(program("spendstream-enrich", &connection));
    send_a_call(&connection);
    first_batch(&connection, topics::CHARGES);
    let (well, text) = spendstream(&connection, &["cat", topics::CHARGES]);
    assert!(well && text.contains("chatcmpl-c1"), "{text}");

    let mut wrong = connection;
    wrong.options.last_mut().unwrap().1 = "guessed".to_owned();
    let (well, text) = spendstream(&wrong, &["cat", topics::CHARGES]);
    assert!(!well && text.contains("check --brokers and the TLS or SASL settings"), "{text}");
}

#[test]
fn with_a_schema_registry_payloads_carry_its_ids_from_service_to_service() {
    let kafka = Kafka::start();
    let (url, server) = registry::start(Server::default());
    let connection = Connection { schema_registry: Some(url), ..kafka.connection() };
    prepare(&connection);
    let _ingest = Process::start(program("spendstream-ingest", &connection));
    let _enrich = Process::start(program("spendstream-enrich", &connection));
    // Without a registry of its own this process only carries bytes.
    let plain = kafka.connection();
    send_a_call(&plain);
    for (topic, name) in [(topics::EVENTS, "EventBatch"), (topics::CHARGES, "ChargeBatch")] {
        let payload = first_batch(&plain, topic).payload.unwrap();
        assert_eq!(payload[0], 0, "{topic} is framed for a registry");
        let id = u32::from_be_bytes(payload[1..5].try_into().unwrap()) as usize;
        let schema = server.lock().unwrap().schemas[id - 1].clone();
        assert!(schema.contains(&format!("\"name\":\"{name}\"")), "{topic} is framed as {schema}");
    }
    let (well, text) = spendstream(&connection, &["cat", topics::CHARGES]);
    assert!(well && text.contains("chatcmpl-c1"), "{text}");
    let (_, text) = spendstream(&plain, &["cat", topics::CHARGES]);
    assert!(text.contains("name the registry with --schema-registry URL"), "{text}");
}
