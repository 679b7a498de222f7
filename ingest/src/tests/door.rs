//! The front door: who is let in, what their records are bound to, gRPC, and what happens when there is no room.

use std::io::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use schemas::{Flag, topics};
use stream::{Log, OutRecord, StoredRecord};

use super::http::{Server, event, serve_on};
use crate::http::{REQUEST_BYTES_MAX, REQUESTS_MAX, REQUESTS_OF_KEY_MAX};
use crate::keys::{Key, RANDOM_BYTES};
use crate::{Config, Item, RawRecord, decode};

fn key(seed: u8, source: &str, teams: &[&str]) -> (String, String) {
    let random: [u8; RANDOM_BYTES] = std::array::from_fn(|index| seed.wrapping_add(index as u8));
    let teams: Vec<String> = teams.iter().map(|team| (*team).to_owned()).collect();
    let (key, shown) = Key::new(&random, source, &teams, None).unwrap();
    (serde_json::to_string(&key).unwrap(), shown)
}

/// What ingest makes of everything that was stored.
fn items(server: &Server) -> Vec<Item> {
    let decoded = server.records().into_iter().flat_map(|stored| {
        let record = stored.borrow();
        let raw = RawRecord {
            topic: topics::RAW,
            partition: 0,
            offset: record.offset,
            timestamp: record.timestamp,
            key: None,
            headers: &record.headers,
            payload: record.payload,
        };
        decode(&raw, &Config::default()).items
    });
    decoded.collect()
}

fn claiming(id: &str, source: &str, team: &str) -> String {
    event(id).replace(r#""source":"s""#, &format!(r#""source":"{source}","team":"{team}""#))
}

#[tokio::test]
async fn with_keys_nobody_gets_in_without_one_and_no_answer_repeats_it() {
    let (line, shown) = key(1, "shop", &["growth"]);
    let server = serve_on(Config::default(), Some(&line), |log| log);
    let other = key(2, "shop", &[]).1;
    for headers in [
        String::new(),
        format!("authorization: Bearer {other}\r\n"),
        format!("authorization: Basic {shown}\r\n"),
        format!("x-api-key: {shown}0\r\n"),
    ] {
        for path in ["/v1/events", "/v1/traces"] {
            let headers = format!("content-type: application/json\r\n{headers}");
            let (status, answer) = server.post_to(path, &headers, event("1").as_bytes()).await;
            assert!(status == 401 && answer.contains("www-authenticate: Bearer"), "{answer}");
            assert!(!answer.contains(&shown) && !answer.contains(&other), "{answer}");
        }
    }
    assert!(server.stored().is_empty());
    for headers in [format!("authorization: bearer {shown}\r\n"), format!("x-api-key: {shown}\r\n")] {
        let (status, answer) = server.post(&headers, event("1").as_bytes()).await;
        assert_eq!(status, 202, "{answer}");
    }
    assert_eq!(server.stored().len(), 2);
    // Probes need no key, and what is counted names no key.
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let mut text = String::new();
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").await.unwrap();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.contains(r#"spendstream_door_requests_total{protocol="http",status="401"} 4"#), "{text}");
    assert!(text.contains("spendstream_door_records_total 2") && !text.contains("spend_"), "{text}");
}

#[tokio::test]
async fn a_page_in_a_browser_needs_a_key_where_programs_need_none() {
    let page = "origin: https://page.example\r\ncontent-type: text/plain\r\n";
    let server = serve_on(Config::default(), None, |log| log);
    let (status, answer) = server.post(page, event("1").as_bytes()).await;
    assert!(status == 403 && answer.contains("with a key alone"), "{answer}");
    let called = grpc(&server, "trace.v1.TraceService", &[("origin", "null")], &frame(0, b"\x0a\x00")).await;
    assert_eq!(called.status, "7", "{called:?}");
    assert!(server.stored().is_empty());
    assert_eq!(server.post("", event("1").as_bytes()).await.0, 202);

    let (line, shown) = key(1, "shop", &[]);
    let server = serve_on(Config::default(), Some(&line), |log| log);
    let (status, answer) = server.post(&format!("{page}x-api-key: {shown}\r\n"), event("1").as_bytes()).await;
    assert_eq!(status, 202, "{answer}");
}

#[tokio::test]
async fn headers_of_a_request_are_not_multiplied_by_its_items() {
    let server = serve_on(Config::default(), None, |log| log);
    let batch = [event("1"), event("2"), event("3")].join("\n");
    let attributes = format!("ce-type: ai.usage\r\nce-x: {}\r\n", "x".repeat(10_000));
    let (status, answer) = server.post(&format!("{attributes}spend-format: event\r\n"), batch.as_bytes()).await;
    assert_eq!(status, 202, "{answer}");
    let headers = server.records().into_iter().map(|record| record.headers).collect::<Vec<_>>();
    assert_eq!(headers, vec![vec![("spend-format".to_owned(), Bytes::from_static(b"event"))]; 3]);
    let long = format!("spend-format: {}\r\n", "x".repeat(65));
    let (status, answer) = server.post(&long, batch.as_bytes()).await;
    assert!(status == 400 && answer.contains("spend-format"), "{answer}");
    assert_eq!(server.stored().len(), 3);
}

#[tokio::test]
async fn a_key_that_is_revoked_is_refused_without_a_restart() {
    let (line, shown) = key(1, "shop", &[]);
    let server = serve_on(Config::default(), Some(&line), |log| log);
    let headers = format!("authorization: Bearer {shown}\r\n");
    assert_eq!(server.post(&headers, event("1").as_bytes()).await.0, 202);
    std::fs::write(server.folder.path().join("keys"), "").unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while server.post(&headers, event("1").as_bytes()).await.0 != 401 {
        assert!(Instant::now() < deadline, "the key is still good");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn records_are_bound_to_the_source_and_the_teams_of_their_key() {
    let (line, shown) = key(1, "shop", &["growth"]);
    let server = serve_on(Config::default(), Some(&line), |log| log);
    // A request cannot bring the headers of the door itself.
    let headers = format!("authorization: Bearer {shown}\r\nspend-door-source: bank\r\nspend-door-teams: *\r\n");
    let batch = [
        claiming("1", "shop", "growth"),
        claiming("2", "shop/cart", "growth"),
        claiming("3", "bank", "growth"),
        claiming("4", "shopping", "treasury"),
    ];
    let (status, answer) = server.post(&headers, batch.join("\n").as_bytes()).await;
    assert!(status == 202 && answer.ends_with(r#""claims_not_allowed":[3]}"#), "{answer}");
    let fact =
        r#"{"specversion":"1.0","id":"5","source":"x","type":"ai.outcome","data":{"name":"solved","team":"treasury"}}"#;
    let (status, answer) = server.post(&headers, fact.as_bytes()).await;
    assert!(status == 202 && answer.contains("may not claim its team"), "{answer}");
    let events = items(&server).into_iter().filter_map(|item| match item {
        Item::Event(event) => Some(event),
        _ => None,
    });
    let row = |event: Box<schemas::UsageEvent>| {
        let stripped = event.flags.contains(&Flag::TagsDropped);
        (event.call_key.to_string(), event.source.to_string(), event.claimed.team, stripped)
    };
    let mut found: Vec<_> = events.map(row).collect();
    found.sort();
    let row = |key: &str, source: &str, team: Option<&str>, stripped| {
        (key.to_owned(), source.to_owned(), team.map(schemas::Text::from), stripped)
    };
    assert_eq!(
        found,
        [
            row("event/shop/1", "shop", Some("growth"), false),
            row("event/shop/bank/3", "shop/bank", Some("growth"), false),
            row("event/shop/cart/2", "shop/cart", Some("growth"), false),
            row("event/shop/shopping/4", "shop/shopping", None, true),
        ]
    );
}

/// A log whose appends wait until they are let go.
struct Slow {
    log: Arc<dyn Log>,
    gate: Arc<(Mutex<bool>, Condvar)>,
    waiting: Arc<AtomicUsize>,
    broken: Arc<AtomicBool>,
}

impl Log for Slow {
    fn topics(&self) -> anyhow::Result<Vec<(String, u32)>> {
        self.log.topics()
    }

    fn partitions(&self, topic: &str) -> anyhow::Result<Option<u32>> {
        self.log.partitions(topic)
    }

    fn range(&self, topic: &str, partition: u32) -> anyhow::Result<Range<i64>> {
        self.log.range(topic, partition)
    }

    fn read(&self, topic: &str, partition: u32, from: i64, bytes_max: usize) -> anyhow::Result<Vec<StoredRecord>> {
        self.log.read(topic, partition, from, bytes_max)
    }

    fn append(&self, records: Vec<OutRecord>) -> anyhow::Result<()> {
        let (open, changed) = &*self.gate;
        self.waiting.fetch_add(1, Ordering::SeqCst);
        drop(changed.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
        anyhow::ensure!(!self.broken.load(Ordering::SeqCst), "broker password is hunter2");
        self.log.append(records)
    }

    fn append_if_end(&self, end: i64, records: Vec<OutRecord>) -> anyhow::Result<bool> {
        self.log.append_if_end(end, records)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_a_request_is_told_when_to_come_back_and_none_is_answered_before_it_is_durable() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let (broken, writing) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let slow = |log| -> Arc<dyn Log> {
        Arc::new(Slow { log, gate: gate.clone(), waiting: writing.clone(), broken: broken.clone() })
    };
    let server = Arc::new(serve_on(Config::default(), None, slow));
    let waiting: Vec<_> = (0..REQUESTS_MAX)
        .map(|id| {
            let server = server.clone();
            tokio::spawn(async move { server.post("", event(&id.to_string()).as_bytes()).await })
        })
        .collect();
    let deadline = Instant::now() + Duration::from_secs(30);
    while writing.load(Ordering::SeqCst) < REQUESTS_MAX {
        assert!(Instant::now() < deadline, "{writing:?} requests have come through");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (status, answer) = server.post("", event("more").as_bytes()).await;
    assert_eq!(status, 429, "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");
    let spans = grpc(&server, "trace.v1.TraceService", &[], &frame(0, b"\x0a\x00")).await;
    assert_eq!(spans.status, "8", "{spans:?}");
    assert!(spans.details.contains("google.rpc.RetryInfo"), "{spans:?}");
    assert!(server.stored().is_empty() && waiting.iter().all(|request| !request.is_finished()));
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    for request in waiting {
        let (status, answer) = request.await.unwrap();
        assert_eq!(status, 202, "{answer}");
    }
    assert_eq!(server.stored().len(), REQUESTS_MAX);
    // A log that fails is no success, and its error stays in the log of the process.
    broken.store(true, Ordering::SeqCst);
    let (status, answer) = server.post("", event("lost").as_bytes()).await;
    assert!(status == 503 && answer.contains("retry-after: 1") && !answer.contains("hunter2"), "{answer}");
    let spans = grpc(&server, "trace.v1.TraceService", &[], &frame(0, b"\x0a\x00")).await;
    assert!(spans.status == "14" && !spans.details.contains("hunter2"), "{spans:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_does_not_take_the_room_of_all_others() {
    use tokio::io::AsyncWriteExt;
    let (keys, shown): (Vec<_>, Vec<_>) = (1..3).map(|seed| key(seed, "shop", &[])).unzip();
    let server = serve_on(Config::default(), Some(&keys.join("\n")), |log| log);
    // Bodies of which one byte comes, and then nothing.
    let mut slow = Vec::new();
    for _ in 0..REQUESTS_OF_KEY_MAX {
        let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        let head =
            format!("POST /v1/events HTTP/1.1\r\nhost: t\r\nx-api-key: {}\r\ncontent-length: 99\r\n\r\n ", shown[0]);
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let with = |shown: &str| format!("x-api-key: {shown}\r\n");
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (status, answer) = server.post(&with(&shown[0]), event("1").as_bytes()).await;
        if status == 429 {
            assert!(answer.contains("with this key") && answer.contains("retry-after: 1"), "{answer}");
            break;
        }
        assert!(Instant::now() < deadline, "not all have come");
    }
    assert_eq!(server.post(&with(&shown[1]), event("2").as_bytes()).await.0, 202);
    drop(slow);
    while server.post(&with(&shown[0]), event("3").as_bytes()).await.0 != 202 {
        assert!(Instant::now() < deadline, "no place was given back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The answer to a call.
#[derive(Debug, Default)]
struct Called {
    status: String,
    message: String,
    details: String,
    body: Vec<u8>,
}

/// One call as a client of gRPC makes it.
async fn grpc(server: &Server, service: &str, headers: &[(&str, &str)], body: &[u8]) -> Called {
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let executor = TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let uri = format!("http://{}/opentelemetry.proto.collector.{service}/Export", server.address);
    let mut request = hyper::Request::post(uri).header("content-type", "application/grpc").header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = sender.send_request(request.body(Full::new(Bytes::copy_from_slice(body))).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    let first = answer.headers().clone();
    let body = answer.into_body().collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    let text = |name: &str| {
        let value = trailers.get(name).or_else(|| first.get(name));
        value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    use base64::Engine;
    let details = base64::engine::general_purpose::STANDARD_NO_PAD.decode(text("grpc-status-details-bin")).unwrap();
    Called {
        status: text("grpc-status"),
        message: text("grpc-message"),
        details: String::from_utf8_lossy(&details).into_owned(),
        body: body.to_bytes().to_vec(),
    }
}

fn frame(compressed: u8, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![compressed];
    frame.extend((message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    zipped.write_all(bytes).unwrap();
    zipped.finish().unwrap()
}

/// A message whose fields are these.
fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, bytes) in fields {
        out.push(number << 3 | 2);
        let mut length = bytes.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(bytes);
    }
    out
}

/// A batch of spans of a service, each a call with its number as input tokens and `padding` bytes of prompt.
fn spans(numbers: Range<u8>, padding: usize) -> Vec<u8> {
    let text = |key: &str, value: &[u8]| message(&[(1, key.as_bytes()), (2, &message(&[(1, value)]))]);
    let spans = numbers.map(|number| {
        let tokens = message(&[(1, b"gen_ai.usage.input_tokens"), (2, &[3 << 3, number])]);
        let mut span = message(&[
            (1, &[7; 16]),
            (2, &[number + 1; 8]),
            (5, b"chat"),
            (9, &text("gen_ai.request.model", b"gpt-4o")),
            (9, &text("prompt", &vec![b'x'; padding])),
            (9, &tokens),
        ]);
        span.push(7 << 3 | 1);
        span.extend(1_795_780_800_000_000_000u64.to_le_bytes());
        span
    });
    let spans: Vec<_> = spans.collect();
    let spans: Vec<(u8, &[u8])> = spans.iter().map(|span| (2, span.as_slice())).collect();
    let resource = message(&[(1, &text("service.name", b"cart"))]);
    message(&[(1, &message(&[(1, &resource), (2, &message(&spans))]))])
}

#[tokio::test]
async fn a_batch_over_grpc_is_stored_zipped_or_not_and_partial_success_is_told() {
    let server = serve_on(Config::default(), None, |log| log);
    let batch = spans(1..4, 0);
    let called = grpc(&server, "trace.v1.TraceService", &[], &frame(0, &batch)).await;
    assert!(called.status == "0" && called.body == frame(0, b""), "{called:?}");
    let gzip = [("grpc-encoding", "gzip")];
    let called = grpc(&server, "trace.v1.TraceService", &gzip, &frame(1, &zipped(&batch))).await;
    assert_eq!(called.status, "0", "{called:?}");
    let stored = server.records();
    assert!(stored.len() == 2 && stored.iter().all(|record| record.payload.as_deref() == Some(&batch[..])));
    let mut tokens: Vec<_> = items(&server)
        .iter()
        .filter_map(|item| match item {
            Item::Event(event) => Some((event.source.to_string(), event.usage[0].quantity.to_string())),
            _ => None,
        })
        .collect();
    tokens.dedup();
    assert_eq!(tokens[..3], ["1", "2", "3"].map(|number| ("cart".to_owned(), number.to_owned())));

    // A negative count: the span is rejected, and the sender told how many and why.
    let mut negative = vec![3 << 3];
    negative.extend([0xff; 9]);
    negative.push(1);
    let attribute = message(&[(1, b"gen_ai.usage.input_tokens"), (2, &negative)]);
    let model = message(&[(1, b"gen_ai.request.model"), (2, &message(&[(1, b"gpt-4o")]))]);
    let span = message(&[(1, &[7; 16]), (2, &[9; 8]), (5, b"chat"), (9, &model), (9, &attribute)]);
    let batch = message(&[(1, &message(&[(2, &message(&[(2, &span)]))]))]);
    let called = grpc(&server, "trace.v1.TraceService", &[], &frame(0, &batch)).await;
    let partial = &called.body[5..];
    assert!(called.status == "0" && partial[0] == 1 << 3 | 2 && partial[2..4] == [1 << 3, 1], "{called:?}");
    assert!(String::from_utf8_lossy(partial).contains("negative"), "{called:?}");
}

#[tokio::test]
async fn every_bad_call_has_its_status_and_stores_nothing() {
    let (line, shown) = key(1, "shop", &[]);
    let server = serve_on(Config::default(), Some(&line), |log| log);
    let bearer = format!("Bearer {shown}");
    let bomb = zipped(&vec![0; REQUEST_BYTES_MAX + 1]);
    let (key, gzip) = (("authorization", bearer.as_str()), ("grpc-encoding", "gzip"));
    let large = frame(0, &vec![0; REQUEST_BYTES_MAX + 1]);
    for (what, headers, body, status) in [
        ("no key", vec![], frame(0, b""), "16"),
        ("a wrong key", vec![("authorization", "Bearer spend_1_2")], frame(0, b""), "16"),
        ("no message", vec![key], vec![], "3"),
        ("a length that is wrong", vec![key], vec![0, 0, 0, 0, 9, 1], "3"),
        ("two messages", vec![key], [frame(0, b""), frame(0, b"")].concat(), "3"),
        ("no OTLP", vec![key], frame(0, b"\x0a\xff"), "3"),
        ("no gzip", vec![key, gzip], frame(1, b"plain"), "3"),
        ("an encoding nobody named", vec![key], frame(1, b"plain"), "12"),
        ("a bomb", vec![key, gzip], frame(1, &bomb), "8"),
        ("too large", vec![key], large, "8"),
    ] {
        let called = grpc(&server, "logs.v1.LogsService", &headers, &body).await;
        assert_eq!(called.status, status, "{what}: {called:?}");
        assert!(!called.message.is_empty() && !called.details.contains("RetryInfo"), "{what}: {called:?}");
        assert!(!format!("{called:?}").contains(&shown), "{what}: {called:?}");
    }
    assert!(server.records().is_empty());
    let called = grpc(&server, "metrics.v1.MetricsService", &[key], &frame(0, b"")).await;
    assert_eq!(called.status, "0", "{called:?}");
    // Over HTTP/1.1 the same path says what it speaks.
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let (status, answer) = server.post_to(path, "content-type: application/grpc\r\n", b"").await;
    assert!(status == 415 && answer.contains("HTTP/2"), "{answer}");
}

#[tokio::test]
async fn a_batch_larger_than_a_record_is_cut_and_counted_whole() {
    let server = serve_on(Config::default(), None, |log| log);
    let batch = spans(1..31, 100_000);
    assert!(batch.len() > 2 * Config::default().record_bytes_max);
    let (status, answer) = server.post_to("/v1/traces", "content-type: application/x-protobuf\r\n", &batch).await;
    assert_eq!(status, 200, "{answer}");
    let records = server.records();
    assert!((3..6).contains(&records.len()), "{}", records.len());
    assert!(records.iter().all(|record| record.payload.as_ref().unwrap().len() <= Config::default().record_bytes_max));
    let events = items(&server);
    let mut tokens: Vec<u8> = events
        .iter()
        .map(|item| match item {
            Item::Event(event) => event.usage[0].quantity.to_string().parse().unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    tokens.sort_unstable();
    assert_eq!(tokens, (1..31).collect::<Vec<u8>>());
}

#[tokio::test]
async fn a_bad_line_is_answered_for_by_itself_and_the_others_count() {
    let server = serve_on(Config::default(), None, |log| log);
    let cut = r#"{"id":"2","source":"s","model":"gpt-4o","usage":{"prompt_tok"#;
    let body = format!("{}\n\n{cut}\n{}\nno object at all\n{}\n", event("1"), event("3"), event("5"));
    let (status, answer) = server.post("content-type: application/x-ndjson\r\n", body.as_bytes()).await;
    assert!(status == 202 && answer.contains(r#""accepted":5"#), "{answer}");
    // Its number is that of the line, also where lines before it are empty, and its text is not repeated.
    assert!(
        answer.contains(r#"{"item":1,"reason":"malformed","field":"","message":"line 3: the text ends"#),
        "{answer}"
    );
    assert!(answer.contains(r#""item":3"#) && answer.contains(r#""message":"line 5: "#), "{answer}");
    assert!(!answer.contains("prompt_tok") && !answer.contains("no object"), "{answer}");
    let (mut events, mut rejected) = (0, 0);
    for item in items(&server) {
        match item {
            Item::Event(_) => events += 1,
            Item::Rejected(_) => rejected += 1,
            other => panic!("{other:?}"),
        }
    }
    // What was rejected stands where it can be seen, and be replayed.
    assert_eq!((events, rejected), (3, 2));
}

#[tokio::test]
async fn a_line_that_only_ends_badly_is_an_item_without_an_id_if_it_can_be_read() {
    let server = serve_on(Config::default(), None, |log| log);
    // What Python prints is no line of JSON, but by itself it is a call: without an id it is refused like any other.
    let printed = event("1").replace(r#""id":"1","#, "").replace('"', "'");
    let body = format!("{}\n{printed}\n", event("2"));
    let (status, answer) = server.post("", body.as_bytes()).await;
    assert!(status == 400 && answer.contains("item 1 has no id"), "{answer}");
    assert!(server.stored().is_empty());
}

#[tokio::test]
async fn frames_of_a_captured_stream_stay_together() {
    let server = serve_on(Config::default(), None, |log| log);
    let body = concat!(
        "event: message_start\n",
        r#"data: {"type":"message_start","message":{"id":"msg_1","type":"message","model":"claude-sonnet-4-5","usage":{"input_tokens":12,"output_tokens":1}}}"#,
        "\n\nevent: message_delta\n",
        r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}"#,
        "\n\n"
    );
    let (status, answer) = server.post("content-type: text/event-stream\r\n", body.as_bytes()).await;
    assert!(status == 202 && answer.contains(r#""accepted":1"#), "{answer}");
    let items = items(&server);
    let [Item::Event(event)] = &items[..] else { panic!("{items:?}") };
    assert_eq!(event.usage.iter().map(|used| used.quantity.to_string()).collect::<Vec<_>>(), ["12", "7"]);
}
