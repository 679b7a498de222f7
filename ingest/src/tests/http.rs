use std::io::Write;
use std::sync::Arc;

use schemas::topics;
use stream::local::LocalLog;
use stream::reload::Reloaded;
use stream::{Log, Shutdown, StoredRecord, Telemetry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::keys::Keys;
use crate::{Config, http};

/// The server that services run, on a log of its own.
pub(super) struct Server {
    pub(super) address: std::net::SocketAddr,
    pub(super) log: Arc<LocalLog>,
    shutdown: Shutdown,
    pub(super) folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.set();
    }
}

async fn serve(config: Config) -> Server {
    serve_on(config, None, |log| log)
}

/// Serves with the keys of these lines, on what `around` makes of the log.
pub(super) fn serve_on(
    config: Config,
    keys: Option<&str>,
    around: impl FnOnce(Arc<dyn Log>) -> Arc<dyn Log>,
) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(LocalLog::open(folder.path(), &topics::catalogue(&[topics::RAW]), None).unwrap());
    let keys = keys.map(|keys| {
        let path = folder.path().join("keys");
        std::fs::write(&path, keys).unwrap();
        let text = |contents: &[Vec<u8>]| String::from_utf8_lossy(&contents[0]).into_owned();
        let read = move |contents: &[Vec<u8>]| Keys::parse(&text(contents)).map_err(anyhow::Error::msg);
        Reloaded::open(vec![path], read).unwrap()
    });
    let door = http::Door::new(around(log.clone()), topics::RAW, config, keys);
    let (telemetry, shutdown) = (Telemetry::new(), Shutdown::new());
    door.register_metrics(telemetry.registry()).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let server = telemetry.serve(listen, door.router(), None, shutdown.clone()).unwrap();
    Server { address: server.address(), log, shutdown, folder }
}

impl Server {
    /// Status and body of the answer.
    pub(super) async fn post(&self, headers: &str, body: &[u8]) -> (u16, String) {
        self.post_to("/v1/events", headers, body).await
    }

    pub(super) async fn post_to(&self, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server may refuse before it has read a large body.
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        (answer[9..12].parse().unwrap(), answer)
    }

    pub(super) fn records(&self) -> Vec<StoredRecord> {
        let partitions = self.log.partitions(topics::RAW).unwrap().unwrap();
        (0..partitions).flat_map(|partition| self.log.read(topics::RAW, partition, 0, 1 << 26).unwrap()).collect()
    }

    pub(super) fn stored(&self) -> Vec<String> {
        self.records().into_iter().map(|record| String::from_utf8(record.payload.unwrap().to_vec()).unwrap()).collect()
    }
}

pub(super) fn event(id: &str) -> String {
    format!(r#"{{"id":"{id}","source":"s","provider":"openai","model":"gpt-5.4","usage":{{"input_text_tokens":1}}}}"#)
}

#[tokio::test]
async fn one_event_a_batch_and_lines_are_stored_before_the_answer() {
    let server = serve(Config::default()).await;
    let (status, answer) = server.post("", event("1").as_bytes()).await;
    assert!(status == 202 && answer.contains(r#""accepted":1"#), "{answer}");
    assert_eq!(server.stored(), [event("1")]);
    server.post("", format!("[{},{}]", event("2"), event("3")).as_bytes()).await;
    server.post("", format!("{}\n{}\n", event("4"), event("5")).as_bytes()).await;
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(event("6").as_bytes()).unwrap();
    let (status, answer) = server.post("content-encoding: GZIP\r\n", &zipped.finish().unwrap()).await;
    assert_eq!(status, 202, "{answer}");
    let mut stored = server.stored();
    stored.sort();
    assert_eq!(stored, ["1", "2", "3", "4", "5", "6"].map(event));
}

#[tokio::test]
async fn an_item_without_any_id_is_refused_by_its_number_and_nothing_is_stored() {
    let server = serve(Config::default()).await;
    let nameless = event("x").replace(r#""id":"x","#, "");
    let (status, answer) = server.post("", format!("[{},{nameless}]", event("1")).as_bytes()).await;
    assert!(status == 400 && answer.contains("item 1 has no id"), "{answer}");
    assert!(server.stored().is_empty());
}

#[tokio::test]
async fn what_ingest_will_reject_is_stored_and_said() {
    let server = serve(Config::default()).await;
    let bad = event("1").replace(":1}", ":-1}");
    let (status, answer) = server.post("", bad.as_bytes()).await;
    assert!(status == 202 && answer.contains("usage.input_text_tokens is negative"), "{answer}");
    assert_eq!(server.stored().len(), 1);
}

#[tokio::test]
async fn who_knocks_elsewhere_or_otherwise_is_told_where_and_how() {
    let server = serve(Config::default()).await;
    let (status, answer) = server.post_to("/v1/event", "", event("1").as_bytes()).await;
    assert_eq!(status, 404, "{answer}");
    assert!(answer.contains(r#"{"error":"there is nothing at /v1/event: POST events to /v1/events, "#), "{answer}");
    let long = format!("/{}", "x".repeat(1000));
    let (status, answer) = server.post_to(&long, "", b"").await;
    assert!(status == 404 && answer.contains(&long[..200]) && !answer.contains(&long[..201]), "{answer}");
    for (method, path) in [("GET", "/v1/events"), ("PUT", "/v1/traces")] {
        let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 405") && answer.contains("allow: POST\r\n"), "{answer}");
        let says = format!(r#"{{"error":"{path} takes POST, not {method}: POST events to /v1/events, "#);
        assert!(answer.contains(&says), "{answer}");
    }
    assert!(server.stored().is_empty());
}

#[tokio::test]
async fn bad_requests_are_told_apart() {
    let server = serve(Config::default()).await;
    for (headers, body, status) in [
        ("", b"".as_slice(), 400),
        ("", b"{\"id\":", 400),
        ("", b"\xff\xff", 400),
        ("content-encoding: gzip\r\n", b"not gzip", 400),
        ("content-encoding: br\r\n", b"{}", 415),
        ("", &vec![b' '; http::REQUEST_BYTES_MAX + 1], 413),
    ] {
        let (found, answer) = server.post(headers, body).await;
        assert_eq!(found, status, "{answer}");
    }
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b' '; http::REQUEST_BYTES_MAX + 1]).unwrap();
    let (status, answer) = server.post("content-encoding: gzip\r\n", &bomb.finish().unwrap()).await;
    assert_eq!(status, 413, "{answer}");
    assert!(server.stored().is_empty());
}

#[tokio::test]
async fn binary_cloud_events_keep_their_attributes_as_headers() {
    let server = serve(Config::default()).await;
    let headers = "ce-specversion: 1.0\r\nce-type: ai.usage\r\nce-id: 9\r\nce-source: app\r\n";
    let body = br#"{"provider":"openai","model":"gpt-5.4","usage":{"input_text_tokens":1}}"#;
    let (status, answer) = server.post(headers, body).await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(server.stored().len(), 1);
}

/// A batch of one span, as JSON.
fn spans(input: &str) -> String {
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId":"00f067aa0ba902b7","name":"chat","startTimeUnixNano":"1785578390000000000","attributes":[
        {{"key":"gen_ai.request.model","value":{{"stringValue":"gpt-4o"}}}},
        {{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"{input}"}}}}]}}]}}]}}]}}"#
    )
}

#[tokio::test]
async fn an_otlp_batch_is_stored_as_it_came() {
    let server = serve(Config::default()).await;
    let json = "content-type: Application/JSON; charset=utf-8\r\n";
    let (status, answer) = server.post_to("/v1/traces", json, spans("31").as_bytes()).await;
    assert!(status == 200 && answer.ends_with("{}"), "{answer}");
    assert_eq!(server.stored(), [spans("31")]);
    let (status, answer) = server.post_to("/v1/traces", json, spans("-1").as_bytes()).await;
    assert!(status == 200 && answer.contains(r#""rejectedSpans":"1""#), "{answer}");
    assert_eq!(server.stored().len(), 2);
    let protobuf = "content-type: application/x-protobuf\r\n";
    // One resource with nothing in it.
    let (status, answer) = server.post_to("/v1/logs", protobuf, b"\x0a\x00").await;
    assert!(status == 200 && answer.contains("application/x-protobuf"), "{answer}");
    assert_eq!(server.stored().len(), 3);
}

#[tokio::test]
async fn what_is_no_otlp_is_refused() {
    let server = serve(Config::default()).await;
    for (path, headers, body, status) in [
        ("/v1/traces", "content-type: text/plain\r\n", b"{}".as_slice(), 415),
        ("/v1/traces", "content-type: application/x-protobuf\r\n", b"\x0a\xff", 400),
        ("/v1/logs", "content-type: application/json\r\n", b"{\"resourceLogs\":", 400),
    ] {
        let (found, answer) = server.post_to(path, headers, body).await;
        assert_eq!(found, status, "{answer}");
    }
    assert!(server.stored().is_empty());
}
