//! Probes as an orchestrator sees them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use schemas::{Count, Timestamp};

use super::*;
use crate::shutdown::Shutdown;

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (code, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

fn books(duplicates: i64) -> LedgerEntry {
    LedgerEntry {
        stage: "enrich".into(),
        topic: "usage.events".into(),
        partition: 3,
        transaction: 1,
        next_offset: 10,
        counts: [("duplicates", duplicates), ("unpriced", 10 - duplicates)]
            .map(|(name, count)| Count { name: name.into(), count, money: Vec::new() })
            .into(),
        received: Vec::new(),
        sent: Vec::new(),
        watermark: Timestamp::from_millis(1_700_000_000_000),
        emitted_at: Timestamp::from_millis(0),
    }
}

#[test]
fn probes_tell_restoring_from_running_from_halted_and_the_books_are_metrics() {
    let telemetry = Telemetry::new();
    let shutdown = Shutdown::new();
    let extra = axum::Router::new().route("/v1/events", axum::routing::get(|| async { "mounted" }));
    let server = telemetry.serve("127.0.0.1:0".parse().unwrap(), extra, None, shutdown.clone()).unwrap();
    let address = server.address();
    let watch = telemetry.watch("enrich", "usage.events", 3);

    let (code, body) = get(address, "/readyz");
    assert_eq!(code, 503);
    assert!(body.contains(r#""status":"restoring""#), "{body}");
    assert_eq!(get(address, "/healthz").0, 200, "restoring is not stuck");

    watch.running();
    assert_eq!(get(address, "/readyz").0, 200);
    let (_, text) = get(address, "/metrics");
    let since = "spendstream_committed_timestamp_seconds{";
    assert!(text.contains(since), "one that never commits shows, too:\n{text}");
    telemetry.hidden("usage.events", 3, Some(308));
    watch.client_replaced();
    for duplicates in [5, 7] {
        let (took, books) = (Duration::from_millis(3), &books(duplicates));
        watch.committed(&Commit { books, records: 10, bytes: 6300, took, lag: 4, state_bytes: 1 << 20 });
    }
    let (_, text) = get(address, "/metrics");
    let labels = r#"partition="3",stage="enrich",topic="usage.events""#;
    for line in [
        format!(r#"spendstream_ledger_items_total{{name="duplicates",{labels}}} 7"#),
        format!(r#"spendstream_ledger_standing_items{{name="unpriced",{labels}}} 3"#),
        format!("spendstream_records_total{{{labels}}} 20"),
        format!("spendstream_lag_records{{{labels}}} 4"),
        r#"spendstream_hidden_records{partition="3",topic="usage.events"} 308"#.to_owned(),
        r#"spendstream_clients_replaced_total{stage="enrich"} 1"#.to_owned(),
        format!("spendstream_watermark_timestamp_seconds{{{labels}}} 1700000000"),
        r#"spendstream_transactions_total{outcome="committed",stage="enrich"} 2"#.to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is missing in:\n{text}");
    }

    watch.halted(&Halt::State("the changelog is not ours".to_owned()));
    watch.behind(319);
    let (code, body) = get(address, "/healthz");
    assert_eq!(code, 200, "starting again would not help");
    assert!(body.contains(r#""phase":"halted","reason":"the changelog is not ours""#), "{body}");
    let text = get(address, "/metrics").1;
    for line in
        [format!("spendstream_partition_halted{{{labels}}} 1"), format!("spendstream_lag_records{{{labels}}} 319")]
    {
        assert!(text.contains(&line), "{line} is missing in:\n{text}");
    }

    let reads: Vec<String> =
        telemetry.reads().iter().map(|(topic, partition)| format!("{topic}/{partition}")).collect();
    assert_eq!(reads, ["usage.events/3"]);
    drop(watch);
    telemetry.hidden("usage.events", 3, None);
    assert!(telemetry.reads().is_empty());
    let text = get(address, "/metrics").1;
    for gauge in
        ["spendstream_lag_records{", "spendstream_ledger_standing_items{", "spendstream_hidden_records{", since]
    {
        assert!(!text.contains(gauge), "a partition given up has no {gauge}");
    }
    assert_eq!(get(address, "/v1/events"), (200, "mounted".to_owned()));
    shutdown.set();
    server.join();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn probes_with_an_address_of_their_own_are_nowhere_else() {
    let (telemetry, shutdown) = (Telemetry::new(), Shutdown::new());
    let routes = axum::Router::new().route("/v1/events", axum::routing::get(|| async { "mounted" }));
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let servers = telemetry.serve_apart(Some(any), any, routes, None, &shutdown).unwrap();
    let [routes, probes] = [servers[0].address(), servers[1].address()];
    assert_eq!(get(routes, "/v1/events"), (200, "mounted".to_owned()));
    assert_eq!(get(probes, "/v1/events").0, 404);
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!((get(routes, path).0, get(probes, path).0), (404, 200), "{path}");
    }
    shutdown.set();
    servers.into_iter().for_each(Server::join);
}

#[test]
fn a_lane_that_does_not_come_by_is_stuck() {
    let partition = |silent_seconds, phase| PartitionHealth {
        stage: "enrich".to_owned(),
        topic: "usage.events".to_owned(),
        partition: 0,
        phase,
        seconds: 1000,
        silent_seconds,
    };
    let stuck = Health::of(vec![partition(0, Phase::Running), partition(90, Phase::Restoring)], false);
    assert_eq!((stuck.status, stuck.alive, stuck.ready), ("stuck", false, false));
    let slow = Health::of(vec![partition(5, Phase::Restoring)], false);
    assert_eq!((slow.status, slow.alive, slow.ready), ("restoring", true, false));
}

#[test]
fn nobody_is_ready_before_it_is_known_what_is_theirs() {
    let telemetry = Telemetry::new();
    let joining = telemetry.joining();
    let health = telemetry.health();
    assert_eq!((health.status, health.alive, health.ready), ("joining", true, false));
    drop(joining);
    let health = telemetry.health();
    assert_eq!((health.status, health.ready), ("running", true), "it may have no partition at all");
}

#[test]
fn retries_of_a_store_are_logged_only_when_they_are_asked_for() {
    use tracing_subscriber::layer::SubscriberExt as _;
    let log = tracing_subscriber::registry().with(EnvFilter::new(LOGGED));
    tracing::subscriber::with_default(log, || {
        assert!(tracing::enabled!(target: "spendstream_stream::kafka::lane", tracing::Level::INFO));
        assert!(!tracing::enabled!(target: "object_store::client::retry", tracing::Level::INFO));
        assert!(tracing::enabled!(target: "object_store::client::retry", tracing::Level::WARN));
    });
}
