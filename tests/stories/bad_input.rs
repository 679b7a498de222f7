//! Everything that producers should not send, through the whole pipeline on one machine: nothing stops, nothing is lost
//! without a word, and the books say of each record what became of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use schemas::codec::Format;
use schemas::{Batch, Rejection, topics};
use serde_json::Value;
use spendstream_tests::deployment::spendstream;
use stream::local::LocalLog;
use stream::{Log as _, OutRecord};

use crate::traffic::read;

/// A call that costs 0.003 dollars: 1,000 x 2.50 + 50 x 10.00 per million tokens.
const BODY: &str = r#"{"id":"event-A1","source":"bad-input","provider":"openai","response":{"id":"chatcmpl-A1",
    "object":"chat.completion","created":TIME,"model":"gpt-4o-2024-08-06","choices":[],
    "usage":{"prompt_tokens":1000,"completion_tokens":50,"total_tokens":1050}}}"#;

/// Gives the body another id, so that no record is a copy of another, and puts it on the wire.
fn body(number: usize, from: &str, to: &str) -> Vec<u8> {
    assert!(BODY.contains(from), "{from}");
    let time = stream::now().micros() / 1_000_000 - 3_600;
    let text = BODY.replace(from, to).replace("A1", &format!("A{number}")).replace("TIME", &time.to_string());
    text.into_bytes()
}

/// Records, each with what must become of it: `event`, `rejected.<reason>` or `ignored.<reason>`.
fn records() -> Vec<(&'static str, &'static str, Option<Vec<u8>>)> {
    let mut records: Vec<(&str, &str, Option<Vec<u8>>)> = Vec::new();
    for (number, (what, becomes, from, to)) in [
        ("a good call", "event", "1000", "1000"),
        ("numbers as strings", "event", "1000", "\"1000\""),
        ("an unknown field", "event", "\"choices\"", "\"colour\":\"red\",\"choices\""),
        ("a count that is text", "rejected.invalid_field", "1000", "\"many\""),
        ("a count that is a list", "rejected.invalid_field", "1000", "[1000]"),
        ("a negative count", "rejected.invalid_field", "1000", "-1000"),
        ("an absurd count", "rejected.invalid_field", "1000", "99999999999999999999"),
        ("a count beyond every float", "rejected.invalid_field", "1000", "1e999"),
        ("half a token", "rejected.invalid_field", "1000", "1000.5"),
        ("not a number", "rejected.missing_field", "1000", "NaN"),
        ("infinity", "rejected.missing_field", "1000", "Infinity"),
        ("not a number, as text", "rejected.invalid_field", "1000", "\"NaN\""),
        ("a total that is not the sum", "rejected.contradiction", "1050", "9"),
        ("a model that is a list", "rejected.invalid_field", "\"gpt-4o-2024-08-06\"", "[\"gpt-4o\"]"),
        (
            "usage that is text",
            "rejected.invalid_field",
            "{\"prompt_tokens\":1000,\"completion_tokens\":50,\"total_tokens\":1050}",
            "\"lots\"",
        ),
        ("a time in 1970", "rejected.time_out_of_range", "TIME", "86400"),
        ("a time in 2100", "rejected.time_out_of_range", "TIME", "4102444800"),
        ("a time that is text", "rejected.invalid_field", "TIME", "\"yesterday\""),
        ("a time beyond all clocks", "rejected.time_out_of_range", "TIME", "99999999999999999"),
    ]
    .into_iter()
    .enumerate()
    {
        records.push((what, becomes, Some(body(number, from, to))));
    }
    let whole = body(100, "1000", "1000");
    let mut not_text = whole.clone();
    not_text[10] = 0xff;
    let deep = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
    for (what, becomes, payload) in [
        ("cut off", "rejected.malformed", Some(whole[..whole.len() - 20].to_vec())),
        ("invalid UTF-8", "rejected.malformed", Some(not_text)),
        ("not JSON", "rejected.malformed", Some(b"upstream connect error".to_vec())),
        ("another JSON", "rejected.unknown_format", Some(b"{\"level\":\"info\",\"msg\":\"deployed\"}".to_vec())),
        ("a number", "rejected.unknown_format", Some(b"17".to_vec())),
        ("nothing", "rejected.empty", Some(Vec::new())),
        ("white space", "rejected.empty", Some(b" \n\t ".to_vec())),
        ("an empty list", "rejected.empty", Some(b"[]".to_vec())),
        ("no value at all", "ignored.tombstone", None),
        ("two megabytes that are no JSON", "rejected.malformed", Some(vec![b'x'; 2 << 20])),
        ("a hundred thousand levels", "rejected.too_large", Some(deep(100_000))),
        (
            "a Confluent header with an unknown schema id",
            "rejected.malformed",
            Some(b"\0\0\0\x30\x39\x02\xffab".to_vec()),
        ),
        (
            "an Avro object of an unknown schema",
            "rejected.malformed",
            Some(b"\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08ab".to_vec()),
        ),
    ] {
        records.push((what, becomes, payload));
    }
    records
}

/// A correction nobody can read; these come on a topic of their own.
const CORRECTIONS: [(&str, &str, &[u8]); 3] = [
    ("an unknown schema", "rejected.unknown_schema", b"\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08ab"),
    ("not a correction", "rejected.malformed", b"{\"call_key\":"),
    ("nothing", "rejected.empty", b""),
];

#[test]
fn every_bad_record_is_accounted_for_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("spendstream-data");
    let records = records();
    // On one partition, in order: a bad record stands in front of every good one.
    let log = LocalLog::open(&data, &topics::catalogue(&[topics::RAW]), Some(2)).unwrap();
    let raw = |topic: &str, payload: Option<Vec<u8>>| OutRecord {
        topic: topic.into(),
        partition: 0,
        key: None,
        payload: payload.map(Bytes::from),
        headers: Vec::new(),
        timestamp: None,
    };
    let mut all: Vec<OutRecord> = records.iter().map(|(_, _, payload)| raw(topics::RAW, payload.clone())).collect();
    all.extend(CORRECTIONS.iter().map(|(_, _, payload)| raw(topics::CORRECTIONS, Some(payload.to_vec()))));
    all.push(raw(topics::RAW, Some(body(200, "1000", "1000"))));
    log.append(all).unwrap();
    drop(log);

    let run = |arguments: &[&str]| spendstream(folder.path(), arguments);
    let (well, text) = run(&["up", "--sample", "0", "--exit-when-idle", "--listen", "127.0.0.1:0"]);
    assert!(well, "{text}");

    // What became of each, by its position.
    let log = LocalLog::inspect(&data).unwrap();
    let format = Format::<Batch<Rejection>>::new();
    let mut rejected: BTreeMap<(String, i64), Rejection> = BTreeMap::new();
    for batch in read(&log, topics::REJECTED, |_, payload| format.decode(payload).unwrap()) {
        for rejection in batch.items {
            rejected.insert((rejection.position.topic.to_string(), rejection.position.offset), rejection);
        }
    }
    let mut wrong = Vec::new();
    let mut expected = BTreeMap::<String, i64>::new();
    let raw = records.iter().map(|(what, becomes, _)| (topics::RAW, *what, *becomes)).enumerate();
    let corrections = CORRECTIONS.iter().map(|(what, becomes, _)| (topics::CORRECTIONS, *what, *becomes)).enumerate();
    for (offset, (topic, what, becomes)) in raw.chain(corrections) {
        *expected.entry(becomes.to_owned()).or_default() += 1;
        let rejection = rejected.get(&(topic.to_owned(), offset as i64));
        let found = rejection.map(|rejection| format!("rejected.{}", rejection.reason));
        if found.as_deref().unwrap_or("") != becomes && (found.is_some() || becomes.starts_with("rejected")) {
            wrong.push(format!("{what}: expected {becomes}, found {rejection:?}"));
        }
        // A sentence for whoever has to mend it, and no contents.
        if let Some(rejection) = rejection {
            assert!(rejection.message.len() > 10 && rejection.message.len() < 400, "{what}: {}", rejection.message);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The ledger says the same, and closes.
    let (well, text) = run(&["ledger", "-o", "json"]);
    assert!(well, "{text}");
    let ledger: Value = serde_json::from_str(&text).unwrap();
    let ingest = ledger["stages"].as_array().unwrap().iter().find(|stage| stage["stage"] == "ingest").unwrap();
    let counts = &ingest["counts"];
    *expected.entry("event".to_owned()).or_default() += 1;
    let events = expected.remove("event").unwrap();
    assert_eq!(counts["events"], events, "{counts}");
    assert_eq!(counts["records"], (records.len() + CORRECTIONS.len() + 1) as i64, "{counts}");
    for (name, count) in &expected {
        assert_eq!(counts[name], *count, "{name} in {counts}");
    }
    let (well, text) = run(&["report", "-o", "json"]);
    assert!(well, "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["requests"], events);
    let total: schemas::Money = report["total"][0]["amount"].as_str().unwrap().parse().unwrap();
    assert_eq!(total.picos(), i128::from(events) * 3_000_000_000);
}
