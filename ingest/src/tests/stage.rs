use std::collections::HashMap;
use std::sync::Arc;

use schemas::codec::Format;
use schemas::ids::{call_slot, dedup_key, partition};
use schemas::{Batch, Correction, CorrectionReason, EventItem, ReferenceItem, Rejection, topics};
use stream::reference::ReferenceSink;
use stream::{Again, Books, Output, Record, Source, Stage, Tick};

use super::{arrival, config};
use crate::users::{Keys, Users};
use crate::{Config, IngestStage};

const EVENTS: u32 = 4;

fn source(topic: &str) -> Source {
    let targets = [(topics::EVENTS, EVENTS), (topics::FACTS, 2), (topics::REJECTED, 4)];
    Source {
        topic: topic.into(),
        partition: 3,
        partitions: 4,
        generation: 0,
        targets: Arc::new(targets.map(|(name, count)| (name.to_owned(), count)).into_iter().collect::<HashMap<_, _>>()),
        again: Again::default(),
    }
}

fn run(topic: &str, payloads: &[&[u8]], caught_up: bool) -> (Output, Books) {
    let source = source(topic);
    let stage = IngestStage::new(topic, config(), None);
    let mut processor = stage.processor(&source);
    let mut books = Books::new(stage.name(), source);
    let tick = Tick { now: arrival().plus_seconds(3_600), caught_up, hurry: false, skips: Arc::default() };
    let records: Vec<Record<'_>> = payloads
        .iter()
        .enumerate()
        .map(|(offset, payload)| Record {
            offset: offset as i64,
            timestamp: arrival().plus_seconds(offset as i64),
            key: None,
            payload: Some(payload),
            headers: Vec::new(),
        })
        .collect();
    let mut out = Output::default();
    processor.process(&records, &tick, &mut books).unwrap();
    processor.finish(&tick, &mut books, &mut out).unwrap();
    (out, books)
}

fn batches<T: schemas::BatchItem>(out: &Output, topic: &str) -> Vec<(u32, Batch<T>)> {
    let format = Format::<Batch<T>>::new();
    let of_topic = out.records.iter().filter(|record| &*record.topic == topic);
    of_topic.map(|record| (record.partition, format.decode(record.payload.as_ref().unwrap()).unwrap())).collect()
}

fn event(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","source":"s","time":1785578390,"provider":"openai","model":"m","usage":{{"requests":1}},"response_id":"resp_{id}"}}"#
    )
}

#[test]
fn events_and_links_go_to_the_partition_of_their_key_and_the_counts_add_up() {
    let payloads: Vec<String> = (0..20).map(|n| event(&n.to_string())).collect();
    let mut payloads: Vec<&[u8]> = payloads.iter().map(|payload| payload.as_bytes()).collect();
    payloads.extend([b"not json".as_slice(), b"", b"{\"object\":\"page\"}"]);
    let (out, books) = run("usage.raw", &payloads, false);

    let (mut events, mut links) = (0, 0);
    for (target, batch) in batches::<EventItem>(&out, topics::EVENTS) {
        for item in batch.items {
            let (tenant, key) = match &item {
                EventItem::Event(event) => (&event.tenant, &event.call_key),
                EventItem::Link(link) => (&link.tenant, &link.weaker),
                EventItem::Correction(_) => panic!("nobody sent a correction"),
            };
            assert_eq!(partition(call_slot(tenant, key), EVENTS), target);
            match item {
                EventItem::Event(_) => events += 1,
                _ => links += 1,
            }
        }
    }
    assert_eq!((events, links), (20, 20));
    let rejected: Vec<Rejection> =
        batches::<Rejection>(&out, topics::REJECTED).into_iter().flat_map(|(_, batch)| batch.items).collect();
    assert_eq!(
        rejected.iter().map(|r| (r.position.offset, r.reason.as_str())).collect::<Vec<_>>(),
        [(20, "malformed"), (21, "empty")]
    );
    for (name, count) in [
        ("records", 23),
        ("items", 23),
        ("events", 20),
        ("links", 20),
        ("facts", 0),
        ("rejected", 2),
        ("rejected.malformed", 1),
        ("rejected.empty", 1),
        ("ignored", 1),
        ("ignored.status_only", 1),
    ] {
        assert_eq!(books.counted(name), count, "{name}");
    }
}

#[test]
fn the_watermark_follows_arrivals_until_the_source_is_caught_up() {
    let payload = event("1");
    let (_, books) = run("usage.raw", &[payload.as_bytes(), payload.as_bytes()], false);
    assert_eq!(books.watermark(), arrival().plus_seconds(1 - 30));
    let (_, books) = run("usage.raw", &[payload.as_bytes()], true);
    assert_eq!(books.watermark(), arrival().plus_seconds(3_600 - 30));
}

#[test]
fn corrections_of_jobs_pass_through_in_avro_and_json() {
    let correction = Correction {
        correction_id: Default::default(),
        tenant: "default".into(),
        call_key: "openai/resp_1".into(),
        dedup_key: dedup_key("default", "openai/resp_1", 0, ""),
        reason: CorrectionReason::Reprice,
        expected_content: None,
        expected_revision: Some(0),
        replacement: None,
        reversed: None,
        received_at: Default::default(),
        book_version: None,
    };
    let avro = Format::<Correction>::new().encode(&correction);
    let (out, books) = run(topics::CORRECTIONS, &[&avro], true);
    let items: Vec<EventItem> =
        batches::<EventItem>(&out, topics::EVENTS).into_iter().flat_map(|(_, batch)| batch.items).collect();
    let [EventItem::Correction(passed)] = &items[..] else { panic!("{items:?}") };
    assert_eq!(*passed, Correction { received_at: arrival(), ..correction });
    assert_eq!((books.counted("corrections"), books.counted("items")), (1, 1));
}

#[test]
fn who_waits_for_watermarks_hears_from_an_idle_partition_and_tables_do_not() {
    let (out, _) = run("usage.raw", &[], true);
    let heard: Vec<_> = out.records.iter().map(|record| (&*record.topic, record.partition)).collect();
    assert_eq!(heard, [0, 1, 2, 3].map(|partition| (topics::EVENTS, partition)));
}

#[test]
fn an_aborted_run_leaves_nothing_behind() {
    let source = source("usage.raw");
    let stage = IngestStage::new("usage.raw", config(), None);
    let mut processor = stage.processor(&source);
    let mut books = Books::new(stage.name(), source);
    let tick = Tick { now: arrival(), caught_up: true, hurry: false, skips: Arc::default() };
    let payload = event("1");
    let record =
        Record { offset: 0, timestamp: arrival(), key: None, payload: Some(payload.as_bytes()), headers: Vec::new() };
    processor.process(&[record], &tick, &mut books).unwrap();
    processor.undo();
    books.undo();
    let mut out = Output::default();
    processor.finish(&tick, &mut books, &mut out).unwrap();
    assert!(batches::<EventItem>(&out, topics::EVENTS).iter().all(|(_, batch)| batch.items.is_empty()));
    assert_eq!(books.counted("records"), 0);
}

#[test]
fn without_keys_it_halts_and_a_copy_sent_after_its_user_was_forgotten_has_the_same_content() {
    let source = source("usage.raw");
    let users = Arc::<Users>::default();
    let stage = IngestStage::new("usage.raw", Config::default(), Some(users.clone()));
    let mut processor = stage.processor(&source);
    let mut books = Books::new(stage.name(), source);
    let tick = Tick { now: arrival(), caught_up: true, hurry: false, skips: Arc::default() };
    let payload = event("1").replace(r#""id""#, r#""user":"alice","id""#);
    let record =
        Record { offset: 0, timestamp: arrival(), key: None, payload: Some(payload.as_bytes()), headers: Vec::new() };
    let halt = processor.process(std::slice::from_ref(&record), &tick, &mut books).unwrap_err().to_string();
    assert!(halt.contains("`spendstream topics apply`"), "{halt}");
    processor.undo();

    let publish = |rows: Vec<_>| users.apply(rows.into_iter().map(ReferenceItem::Row).collect()).unwrap();
    let keys = Keys::new(|| [1; 16]);
    let mut forgotten = keys.clone();
    forgotten.forget("alice", [2; 16]);
    let mut out = Output::default();
    publish(keys.rows(None));
    processor.process(std::slice::from_ref(&record), &tick, &mut books).unwrap();
    publish(forgotten.rows(Some(&keys)));
    processor.process(&[record], &tick, &mut books).unwrap();
    processor.finish(&tick, &mut books, &mut out).unwrap();
    let items = batches::<EventItem>(&out, topics::EVENTS).into_iter().flat_map(|(_, batch)| batch.items);
    let events: Vec<_> = items
        .filter_map(|item| match item {
            EventItem::Event(event) => Some(event),
            _ => None,
        })
        .collect();
    let [first, second] = &events[..] else { panic!("{events:?}") };
    assert_eq!(first.content_hash, second.content_hash);
    assert_eq!(first.claimed.user, Some(keys.pseudonym("alice")));
    assert_eq!(second.claimed.user, Some(forgotten.pseudonym("alice")));
    assert_ne!(first.claimed.user, second.claimed.user);
}
