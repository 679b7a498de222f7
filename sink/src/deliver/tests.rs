//! Alerts delivered over real HTTP to a server that misbehaves in every way, with the process killed in between.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::codec::Format;
use schemas::{Alert, Direction, topics};
use serde_json::Value;
use stream::local::LocalLog;
use stream::{Record, Shutdown, Table};

use super::attempt::{Outcome, Policy};
use super::message::tests::alert;
use super::*;
use crate::LakeTable;
use crate::rows::Charges;
use crate::tests::sample::{NOW, charges_log};
use crate::tests::{drive, folder};

/// What the server does with a request.
#[derive(Debug, Clone)]
enum Behave {
    /// Answers with this status, headers and body.
    Answer(u16, &'static str, String),
    /// Takes the request and never answers.
    Silent,
    /// Takes the request and resets the connection.
    Reset,
    /// Sends the status line, then a byte of the header now and then, and never ends.
    Drip,
}

fn status(status: u16) -> Behave {
    Behave::Answer(status, "", String::new())
}

/// A request as it came: path, headers in lower case, body.
#[derive(Debug, Clone)]
struct Seen {
    path: String,
    headers: String,
    body: String,
}

#[derive(Default)]
struct Shared {
    plan: Mutex<VecDeque<Behave>>,
    seen: Mutex<Vec<Seen>>,
    changed: Condvar,
}

/// A server on a loopback port. What is not planned is answered 200.
struct Server {
    address: String,
    shared: Arc<Shared>,
}

impl Server {
    fn start(plan: impl IntoIterator<Item = Behave>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared { plan: Mutex::new(plan.into_iter().collect()), ..Shared::default() });
        let server = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = server.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Server { address, shared }
    }

    fn plan(&self, behave: Behave) {
        self.shared.plan.lock().unwrap().push_back(behave);
    }

    fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Waits until so many requests have come.
    fn wait_for(&self, requests: usize) -> Vec<Seen> {
        let seen = self.shared.seen.lock().unwrap();
        let wait = self.shared.changed.wait_timeout_while(seen, BOUND, |seen| seen.len() < requests);
        let (seen, timeout) = wait.unwrap();
        assert!(!timeout.timed_out(), "{} of {requests} requests came", seen.len());
        seen.clone()
    }
}

const BOUND: Duration = Duration::from_secs(60);

fn serve(mut stream: TcpStream, shared: &Shared) {
    let Some(seen) = request(&mut stream) else { return };
    let behave = shared.plan.lock().unwrap().pop_front().unwrap_or(status(200));
    shared.seen.lock().unwrap().push(seen);
    shared.changed.notify_all();
    match behave {
        Behave::Answer(status, headers, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
            let _ = stream.write_all((head + &body).as_bytes());
        }
        // Until the client gives up.
        Behave::Silent => drop(stream.read(&mut [0; 16])),
        Behave::Reset => {
            // Closing with unread input would do it too; a linger of zero does it for certain.
            let socket = std::os::fd::AsRawFd::as_raw_fd(&stream);
            let linger = libc::linger { l_onoff: 1, l_linger: 0 };
            // SAFETY: the socket is open and the option is of the size given.
            unsafe {
                let (at, size) = ((&raw const linger).cast(), size_of::<libc::linger>() as u32);
                libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_LINGER, at, size);
            }
        }
        Behave::Drip => {
            let _ = stream.write_all(b"HTTP/1.1 200 x\r\nx: ");
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

fn request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let headers = head.to_lowercase();
            let length = headers.lines().find_map(|line| line.strip_prefix("content-length:"));
            if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
                let path = head.split(' ').nth(1).unwrap().to_owned();
                return Some(Seen { path, headers, body: body.to_owned() });
            }
        }
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
    }
}

/// Less patience than people have.
fn policy() -> Policy {
    let patience = Policy { attempts_max: 12, backoff_micros: 1000, backoff_max_micros: 20_000, ..Policy::default() };
    Policy { under_way_micros: 1000, waiting_max: 3, ..patience }
}

fn config() -> DeliveryConfig {
    DeliveryConfig {
        alert_routes: None,
        alert_allow_private: true,
        alert_age_max: Duration::from_secs(1_000_000_000),
        alert_origin: None,
        alert_link: None,
    }
}

/// Routes of every kind to a server; secrets are in files of the folder.
fn routes(folder: &Path, address: &str, which: &[&str]) -> Routes {
    let secret = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        format!("{{ file: {:?} }}", folder.join(name))
    };
    let hook = secret("hook", &format!("{address}/hook-s3cret"));
    let token = secret("token", "xoxb-s3cret");
    let key = secret("key", "pd-s3cret");
    let signing = secret("signing", "whsec_czNjcmV0czNjcmV0czNjcmV0czNjcmV0");
    let mut text = "routes:\n".to_owned();
    for name in which {
        let receiver = match *name {
            "slack-webhook" => format!("slack_webhook: {{ url: {hook} }}"),
            "slack" => format!("slack: {{ token: {token}, channel: C1, api: \"{address}/api/\" }}"),
            "pagerduty" => format!("pagerduty: {{ routing_key: {key}, api: \"{address}/enqueue\" }}"),
            _ => format!("webhook: {{ url: \"{address}/{name}\", secret: {signing} }}"),
        };
        text.push_str(&format!("  - {{ name: {name}, {receiver} }}\n"));
    }
    Routes::parse("routes.yaml", &text, true).unwrap()
}

/// A running delivery on a folder.
struct Running {
    delivery: Arc<Delivery>,
    inbox: Inbox,
    shutdown: Shutdown,
}

impl Running {
    fn start(at: &Path, address: &str, which: &[&str], at_most: Duration) -> Self {
        Self::with(at, routes(at, address, which), at_most, policy())
    }

    fn with(at: &Path, routes: Routes, at_most: Duration, policy: Policy) -> Self {
        Self::named("test", at, routes, at_most, policy)
    }

    /// One of an installation.
    fn named(environment: &str, at: &Path, routes: Routes, at_most: Duration, policy: Policy) -> Self {
        let lake = folder(at, None);
        let network = Network::new(true, at_most);
        let delivery = Delivery::new(&lake, routes, &config(), environment, network, policy).unwrap();
        let (delivery, shutdown) = (Arc::new(delivery), Shutdown::new());
        let mut inbox = delivery.inbox();
        inbox.assign(&[0]).unwrap();
        // What is open is taken up by the first write.
        inbox.flush(stream::now()).unwrap();
        delivery.start(&shutdown).unwrap();
        Running { inbox, delivery, shutdown }
    }

    fn take(&mut self, offset: i64, alert: &Alert) {
        let payload = Format::new().encode(alert);
        let record =
            Record { offset, timestamp: alert.emitted_at, key: None, payload: Some(&payload), headers: vec![] };
        self.inbox.append(0, &[record], offset + 1).unwrap();
        assert!(self.inbox.due(alert.emitted_at));
        self.inbox.flush(alert.emitted_at).unwrap();
    }

    fn ledger(&self) -> Ledger {
        Ledger::of(&self.delivery_lake())
    }

    fn delivery_lake(&self) -> crate::Lake {
        self.delivery.lake().clone()
    }

    /// Waits until nothing is open, and gives the outcomes of every attempt by route.
    fn outcomes(&self, alert: &Alert) -> Vec<(String, Vec<Option<Outcome>>)> {
        let deadline = Instant::now() + BOUND;
        while !self.ledger().open(0).unwrap().is_empty() {
            assert!(Instant::now() < deadline, "{:?}", self.ledger().sending(&ledger::Place::of(alert)));
            std::thread::sleep(Duration::from_millis(5));
        }
        let sending = self.ledger().sending(&ledger::Place::of(alert)).unwrap();
        let outcome = |attempt: attempt::Attempt| attempt.outcome.map(|(_, outcome)| outcome);
        sending.routes.into_iter().map(|(route, all)| (route, all.into_iter().map(outcome).collect())).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.set();
    }
}

fn kinds(outcomes: &[Option<Outcome>]) -> Vec<&'static str> {
    let kind = |outcome: &Option<Outcome>| match outcome {
        None => "no outcome",
        Some(Outcome::Delivered) => "delivered",
        Some(Outcome::Refused { .. }) => "refused",
        Some(Outcome::Unknown { .. }) => "unknown",
        Some(Outcome::Rejected { .. }) => "rejected",
    };
    outcomes.iter().map(kind).collect()
}

#[test]
fn whatever_the_server_does_the_alert_arrives_and_every_attempt_carries_the_same_id() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::start([
        status(500),
        Behave::Answer(429, "retry-after: 0\r\n", "slow down".to_owned()),
        Behave::Reset,
        Behave::Silent,
        Behave::Drip,
        status(200),
    ]);
    let mut running = Running::start(at.path(), &server.address, &["hook"], Duration::from_millis(300));
    let alert = alert(1, Direction::Up);
    assert_eq!(running.delivery.waiting(), 0);
    running.take(5, &alert);
    assert_eq!(running.delivery.waiting(), 1, "five attempts fail first");
    let outcomes = running.outcomes(&alert);
    assert_eq!(running.delivery.waiting(), 0);
    assert_eq!(kinds(&outcomes[0].1), ["refused", "refused", "unknown", "unknown", "unknown", "delivered"]);
    let seen = server.seen();
    assert_eq!(seen.len(), 6);
    let id = format!("webhook-id: test/{}", alert.alert_id);
    for request in &seen {
        assert!(request.headers.contains(&id) && request.headers.contains("webhook-signature: v1,"), "{request:?}");
        assert_eq!(request.body, seen[0].body);
    }
    let body: Value = serde_json::from_str(&seen[0].body).unwrap();
    assert_eq!((&body["type"], &body["data"]["spent"]), (&"budget.threshold_crossed".into(), &"500".into()));
}

#[test]
fn redirects_and_refusals_for_good_are_dead_letters_until_they_are_sent_again() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::start([Behave::Answer(302, "location: http://169.254.169.254/\r\n", String::new())]);
    let mut running = Running::start(at.path(), &server.address, &["hook"], Duration::from_secs(5));
    let alert = alert(1, Direction::Up);
    running.take(5, &alert);
    let outcomes = running.outcomes(&alert);
    assert_eq!(kinds(&outcomes[0].1), ["rejected"]);
    let place = ledger::Place::of(&alert);
    assert_eq!(running.delivery.resend(&place, "hook").unwrap(), Outcome::Delivered);
    assert_eq!(kinds(&running.outcomes(&alert)[0].1), ["rejected", "delivered"]);
    assert_eq!(test_route(&running.delivery, "hook", alert.emitted_at).unwrap(), Outcome::Delivered);
    assert!(test_route(&running.delivery, "nowhere", alert.emitted_at).is_err());
}

#[test]
fn a_dead_route_does_not_hold_the_others_up_and_is_given_up() {
    let at = tempfile::tempdir().unwrap();
    let (dead, alive) = (Server::start(vec![status(503); 12]), Server::start([]));
    let mut both = routes(at.path(), &dead.address, &["dead"]);
    both.routes.extend(routes(at.path(), &alive.address, &["alive"]).routes);
    let mut running = Running::with(at.path(), both, Duration::from_secs(5), policy());
    let alert = alert(1, Direction::Up);
    running.take(5, &alert);
    alive.wait_for(1);
    while running.delivery.waiting() > 1 {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Read again, it must not be settled by the route that is through with it.
    running.take(5, &alert);
    let outcomes = running.outcomes(&alert);
    assert_eq!(outcomes[0], ("alive".to_owned(), vec![Some(Outcome::Delivered)]));
    assert_eq!(kinds(&outcomes[1].1), ["refused"; 12]);
}

#[test]
fn a_message_says_what_drives_the_spend_by_the_scope_that_was_published_and_so_does_every_repeat() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::start([status(500)]);
    let lake = folder(at.path(), None);
    let mut charges = LakeTable::<Charges>::open(&lake, &crate::tests::config()).unwrap();
    drive(&mut charges, &charges_log(2, 5, 4), 9);
    let log = LocalLog::open(&at.path().join("log"), &topics::catalogue(&[topics::RAW]), Some(1)).unwrap();
    let budget = r#"{"id": "growth", "tenant": "acme", "scope": {"team": "team-1"}, "currency": "USD"}"#;
    let row = stream::reference::row("budgets", "budgets.yaml, row 1", budget);
    stream::log::publish_reference(&log, "budgets", &[row], NOW, 0).unwrap();

    let network = Network::new(true, Duration::from_secs(5));
    let routes = routes(at.path(), &server.address, &["hook"]);
    let mut delivery = Delivery::new(&lake, routes, &config(), "test", network, policy()).unwrap();
    delivery.drivers = Some(drivers::Drivers::new(&lake, Arc::new(log)));
    let (delivery, shutdown) = (Arc::new(delivery), Shutdown::new());
    let mut inbox = delivery.inbox();
    inbox.assign(&[0]).unwrap();
    delivery.start(&shutdown).unwrap();
    let mut running = Running { delivery, inbox, shutdown };
    let alert = Alert { tenant: "acme".into(), booked_at: NOW, ..alert(1, Direction::Up) };
    running.take(5, &alert);
    running.outcomes(&alert);
    let seen = server.seen();
    assert_eq!((seen.len(), &seen[0].body), (2, &seen[1].body));
    let body: Value = serde_json::from_str(&seen[0].body).unwrap();
    assert_eq!(
        body["data"]["driven_by"][1],
        serde_json::json!({"dimension": "key", "value": "key-1", "per_mille": 1000})
    );
    let text = body["data"]["text"].as_str().unwrap();
    assert!(text.contains("\nDriven by: model gpt-5"), "{text}");
    // A budget that nobody published has no known drivers, and is sent all the same.
    let other = Alert { budget_id: "unknown".into(), alert_id: schemas::Id128([9; 16]), ..alert.clone() };
    running.take(6, &other);
    assert_eq!(kinds(&running.outcomes(&other)[0].1), ["delivered"]);
    assert!(!server.seen()[2].body.contains("Driven by"));
}

#[test]
fn slack_says_no_with_200_and_is_asked_whether_a_message_arrived() {
    let at = tempfile::tempdir().unwrap();
    let alert = alert(1, Direction::Up);
    let answer = |body: String| Behave::Answer(200, "", body);
    let found = found(&alert);
    let server = Server::start([
        answer(r#"{"ok":false,"error":"ratelimited"}"#.to_owned()),
        // It arrived, but nobody says so.
        Behave::Reset,
        answer(found),
    ]);
    let mut running = Running::start(at.path(), &server.address, &["slack"], Duration::from_secs(5));
    running.take(5, &alert);
    assert_eq!(kinds(&running.outcomes(&alert)[0].1), ["refused", "unknown", "delivered"]);
    let paths: Vec<String> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths[..2], ["/api/chat.postMessage", "/api/chat.postMessage"]);
    assert!(paths[2].starts_with("/api/conversations.history?channel=C1&oldest="), "{}", paths[2]);
    assert_eq!(paths.len(), 3);
}

/// What Slack answers when it is asked for the newest messages and has this one.
fn found(alert: &Alert) -> String {
    let payload = format!(r#"{{"event_payload":{{"alert_id":"test/{}"}}}}"#, alert.alert_id);
    format!(r#"{{"ok":true,"messages":[{{"metadata":{payload}}}]}}"#)
}

#[test]
fn installations_with_the_same_budgets_do_not_resolve_each_others_incidents() {
    let server = Server::start([]);
    let (up, down) = (alert(1, Direction::Up), alert(2, Direction::Down));
    let start = |name: &str, at: &Path| {
        let routes = routes(at, &server.address, &["pagerduty", "hook"]);
        Running::named(name, at, routes, Duration::from_secs(5), policy())
    };
    let (staging, production) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (name, at) in [("staging", staging.path()), ("production", production.path())] {
        let mut running = start(name, at);
        running.take(5, &up);
        running.outcomes(&up);
    }
    // Under another name, as after it was changed, what is open is resolved all the same.
    let mut renamed = start("production-2", production.path());
    renamed.take(6, &down);
    renamed.outcomes(&down);
    assert_eq!(
        keys(&server),
        [
            "trigger staging/07070707070707070707070707070707",
            "trigger production/07070707070707070707070707070707",
            "resolve production/07070707070707070707070707070707"
        ]
    );
    let hooks: Vec<Seen> = server.seen().into_iter().filter(|seen| seen.path == "/hook").collect();
    let about = |seen: &Seen| serde_json::from_str::<Value>(&seen.body).unwrap()["data"].clone();
    assert!(hooks[0].headers.contains(&format!("webhook-id: staging/{}", up.alert_id)), "{:?}", hooks[0]);
    assert_eq!(about(&hooks[0])["alert_id"], about(&hooks[1])["alert_id"], "the lake's");
    assert_ne!(about(&hooks[0])["dedup_key"], about(&hooks[1])["dedup_key"]);
    assert_eq!(about(&hooks[2])["dedup_key"], about(&hooks[1])["dedup_key"]);
    assert_eq!(about(&hooks[0])["environment"], "staging");
}

#[test]
fn what_a_release_without_names_opened_is_resolved_and_sent_again_as_it_was_opened() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::start([]);
    let (up, down) = (alert(1, Direction::Up), alert(2, Direction::Down));
    // As such a release left it: taken in, and its position perhaps not moved.
    let ledger = at.path().join("_alerts/ledger/2026-11-11").join(up.alert_id.to_string());
    std::fs::create_dir_all(&ledger).unwrap();
    let payload = STANDARD.encode(Format::new().encode(&up));
    std::fs::write(ledger.join("alert.json"), format!(r#"{{"routes":["pagerduty"],"alert":"{payload}"}}"#)).unwrap();
    let mut running = Running::start(at.path(), &server.address, &["pagerduty"], Duration::from_secs(5));
    running.take(5, &up);
    running.outcomes(&up);
    running.take(6, &down);
    running.outcomes(&down);
    let place = ledger::Place::of(&up);
    assert_eq!(running.delivery.resend(&place, "pagerduty").unwrap(), Outcome::Delivered);
    let key = "07070707070707070707070707070707";
    let expected = ["trigger", "resolve", "trigger"].map(|action| format!("{action} {key}"));
    assert_eq!(keys(&server), expected);
    assert!(server.seen()[0].body.contains(r#""Environment":"test""#), "{:?}", server.seen()[0]);
}

/// What PagerDuty was told to do with which incident, in order.
fn keys(server: &Server) -> Vec<String> {
    let told = |seen: Seen| {
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        format!("{} {}", body["event_action"].as_str().unwrap(), body["dedup_key"].as_str().unwrap())
    };
    server.seen().into_iter().filter(|seen| seen.path == "/enqueue").map(told).collect()
}

#[test]
fn a_recovery_waits_for_the_crossing_it_resolves() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::start(vec![status(500), status(500), status(202), status(202)]);
    let mut running = Running::start(at.path(), &server.address, &["pagerduty"], Duration::from_secs(5));
    let (up, down) = (alert(1, Direction::Up), alert(2, Direction::Down));
    running.take(5, &up);
    running.take(6, &down);
    running.outcomes(&down);
    assert_eq!(actions(&server), ["trigger", "trigger", "trigger", "resolve"]);
}

/// What PagerDuty was told, in order.
fn actions(server: &Server) -> Vec<String> {
    let action =
        |seen: Seen| serde_json::from_str::<Value>(&seen.body).unwrap()["event_action"].as_str().unwrap().to_owned();
    server.seen().into_iter().map(action).collect()
}

#[test]
fn a_recovery_waits_for_its_crossing_after_a_restart_whatever_their_ids_are() {
    for (up, down) in [(1, 2), (2, 1), (255, 0), (15, 16), (16, 15)] {
        let at = tempfile::tempdir().unwrap();
        let server = Server::start(vec![status(500); 12]);
        let start = || Running::start(at.path(), &server.address, &["pagerduty"], Duration::from_secs(5));
        let (up, down) = (alert(up, Direction::Up), alert(down, Direction::Down));
        let mut running = start();
        running.take(5, &up);
        running.take(6, &down);
        server.wait_for(1);
        drop(running);
        server.shared.plan.lock().unwrap().clear();
        start().outcomes(&down);
        let mut actions = actions(&server);
        assert_eq!(actions.pop().as_deref(), Some("resolve"), "{actions:?}");
        assert!(actions.iter().all(|action| action == "trigger"), "{actions:?}");
    }
}

#[test]
fn an_alert_that_comes_again_is_not_sent_again_and_an_old_one_not_at_all() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::start([]);
    let mut running = Running::start(at.path(), &server.address, &["hook"], Duration::from_secs(5));
    let alert = alert(1, Direction::Up);
    running.take(5, &alert);
    running.outcomes(&alert);
    running.take(6, &alert);
    assert_eq!(kinds(&running.outcomes(&alert)[0].1), ["delivered"]);
    assert_eq!(server.seen().len(), 1);
    assert_eq!(running.inbox.assign(&[0]).unwrap(), [(0, Some(7))]);
    // What comes when it is too old is only counted.
    let registry = prometheus::Registry::new();
    running.delivery.register_metrics(&registry).unwrap();
    let old = Alert { alert_id: schemas::Id128([8; 16]), ..alert.clone() };
    let payload = Format::new().encode(&old);
    let record = Record { offset: 7, timestamp: old.emitted_at, key: None, payload: Some(&payload), headers: vec![] };
    running.inbox.append(0, &[record], 8).unwrap();
    running.inbox.flush(old.emitted_at.plus_seconds(1_000_000_001)).unwrap();
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    assert!(text.contains("spendstream_stale_alerts_total 1"), "{text}");
    assert_eq!((server.seen().len(), running.inbox.assign(&[0]).unwrap()), (1, vec![(0, Some(8))]));
    assert!(is_stale(alert.emitted_at, alert.emitted_at.plus_seconds(3601), Duration::from_secs(3600)));
    assert!(!is_stale(alert.emitted_at, alert.emitted_at.plus_seconds(3600), Duration::from_secs(3600)));
}

#[test]
fn alerts_of_a_topic_that_was_created_again_are_delivered_from_the_first_by_order_and_none_of_them_twice() {
    const OLD: i64 = 4_711;
    const NEW: i64 = 8_150;
    let at = tempfile::tempdir().unwrap();
    let server = Server::start([]);
    let mut running = Running::start(at.path(), &server.address, &["hook"], Duration::from_secs(5));
    // As a release left it that did not say which topic it had read.
    let first = alert(1, Direction::Up);
    running.take(5, &first);
    running.outcomes(&first);
    let asked = |running: &mut Running, number, orders: &[schemas::Skip]| {
        running.inbox.heed(&Arc::new(orders.to_vec()));
        running.inbox.comes_from(Some(number));
        let from = running.inbox.assign(&[0]).unwrap();
        running.inbox.refuses(0).map_or(Ok(from[0].1), |halt| {
            running.inbox.revoke(&[0]);
            Err(halt)
        })
    };
    assert_eq!(asked(&mut running, OLD, &[]), Ok(Some(6)));
    let second = alert(2, Direction::Up);
    running.take(6, &second);
    running.outcomes(&second);
    assert_eq!(asked(&mut running, OLD, &[]), Ok(Some(7)));
    running.inbox.comes_from(None);
    assert_eq!(running.inbox.assign(&[0]).unwrap(), [(0, Some(7))], "brokers that give no ids are believed");

    let halt = asked(&mut running, NEW, &[]).unwrap_err();
    let said = halt.to_string();
    assert!(said.contains("has spend.alerts/0 up to offset 7") && said.contains("--sequence 8150"), "{said}");
    let order = |stage: &str, sequence| schemas::Skip {
        stage: stage.into(),
        topic: topics::ALERTS.into(),
        partition: 3,
        offset: None,
        source_topic: Some(topics::ALERTS.into()),
        source_partition: Some(3),
        sequence: Some(sequence),
        reason: "made anew on purpose".into(),
        ordered_at: NOW,
    };
    assert_eq!(asked(&mut running, NEW, &[order("delivery", OLD), order("alerts", NEW)]), Err(halt));
    let ordered = [order("delivery", NEW)];
    assert_eq!(asked(&mut running, NEW, &ordered), Ok(None), "from the beginning");
    let third = alert(3, Direction::Up);
    running.take(0, &second);
    running.take(1, &third);
    running.outcomes(&third);
    let seen = server.seen();
    let is = |seen: &Seen, alert: &Alert| seen.headers.contains(&format!("webhook-id: test/{}", alert.alert_id));
    assert!(
        seen.len() == 3 && [first, second, third].iter().zip(&seen).all(|(alert, seen)| is(seen, alert)),
        "{seen:?}"
    );
    // From then on that is its topic.
    assert_eq!(asked(&mut running, NEW, &ordered), Ok(Some(2)));
    assert_eq!(asked(&mut running, NEW, &[]), Ok(Some(2)));
    assert!(asked(&mut running, OLD, &ordered).is_err());
}

#[test]
fn while_too_many_wait_for_a_route_the_table_is_full_and_fails_at_nothing() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::start([Behave::Silent]);
    let mut running = Running::start(at.path(), &server.address, &["hook"], Duration::from_secs(3));
    for number in 1..=5 {
        assert_eq!(running.inbox.is_full(), number > 3);
        // What was read before it was full is taken all the same.
        running.take(number.into(), &alert(number, Direction::Up));
    }
    assert_eq!(running.delivery.waiting(), 5);
    running.outcomes(&alert(5, Direction::Up));
    assert!(!running.inbox.is_full());
    assert_eq!(running.inbox.assign(&[0]).unwrap(), [(0, Some(6))]);
}

#[test]
fn a_dead_route_that_too_many_wait_for_still_does_not_hold_the_others_up() {
    let at = tempfile::tempdir().unwrap();
    let (dead, alive) = (Server::start(vec![status(503); 10_000]), Server::start([]));
    let mut both = routes(at.path(), &dead.address, &["dead"]);
    both.routes.extend(routes(at.path(), &alive.address, &["alive"]).routes);
    let patient = Policy { attempts_max: 10_000, ..policy() };
    let mut running = Running::with(at.path(), both, Duration::from_secs(5), patient);
    let alerts: Vec<Alert> = (1..=5).map(|number| alert(number, Direction::Up)).collect();
    for (offset, alert) in (0..3).zip(&alerts) {
        running.take(offset, alert);
    }
    let deadline = Instant::now() + BOUND;
    // Until it is known to be dead, it could just be slow.
    while running.inbox.is_full() {
        assert!(Instant::now() < deadline, "{} wait", running.delivery.waiting());
        std::thread::sleep(Duration::from_millis(5));
    }
    for (offset, alert) in (3..5).zip(&alerts[3..]) {
        running.take(offset, alert);
    }
    alive.wait_for(5);
    dead.shared.plan.lock().unwrap().clear();
    for (index, alert) in alerts.iter().enumerate() {
        let outcomes = running.outcomes(alert);
        assert_eq!(kinds(&outcomes[0].1), ["delivered"], "{index}");
        assert_eq!(kinds(&outcomes[1].1).last(), Some(&if index < 3 { "delivered" } else { "rejected" }), "{index}");
    }
    let resent = running.delivery.resend(&ledger::Place::of(&alerts[4]), "dead");
    assert_eq!(resent.unwrap(), Outcome::Delivered);
}

#[test]
fn metrics_say_how_many_wait_for_a_route_and_how_many_were_given_up() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::start(vec![status(500); 12]);
    let mut running = Running::start(at.path(), &server.address, &["hook"], Duration::from_secs(5));
    let registry = prometheus::Registry::new();
    running.delivery.register_metrics(&registry).unwrap();
    let until = |waiting: usize, dead: usize| {
        let lines = [
            format!("spendstream_waiting_alerts{{route=\"hook\"}} {waiting}\n"),
            format!("spendstream_dead_alerts_total{{route=\"hook\"}} {dead}\n"),
        ];
        let deadline = Instant::now() + BOUND;
        loop {
            let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
            if lines.iter().all(|line| text.contains(line.as_str())) {
                break;
            }
            assert!(Instant::now() < deadline, "{lines:?} {text}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    until(0, 0);
    running.take(5, &alert(1, Direction::Up));
    until(1, 0);
    server.shared.plan.lock().unwrap().clear();
    server.plan(Behave::Answer(302, "location: http://169.254.169.254/\r\n", String::new()));
    until(0, 1);
}

#[test]
fn an_alert_whose_route_is_gone_says_so_and_is_settled() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::start(vec![status(500); 12]);
    let start = |route: &str| Running::start(at.path(), &server.address, &[route], Duration::from_secs(5));
    let alert = alert(1, Direction::Up);
    let mut running = start("old");
    running.take(5, &alert);
    server.wait_for(1);
    drop(running);
    let running = start("new");
    assert_eq!(running.delivery.waiting(), 0);
    assert!(running.ledger().open(0).unwrap().is_empty());
    let outcomes = running.outcomes(&alert);
    assert_eq!((outcomes.len(), outcomes[0].0.as_str()), (1, "old"));
    let gone = Outcome::Rejected { why: "no route has this name any more".to_owned() };
    assert_eq!(outcomes[0].1.last(), Some(&Some(gone)));
    drop(running);
    // With its route back it can be sent again.
    server.shared.plan.lock().unwrap().clear();
    let running = start("old");
    assert_eq!(running.delivery.waiting(), 0);
    assert_eq!(running.delivery.resend(&ledger::Place::of(&alert), "old").unwrap(), Outcome::Delivered);
}

#[test]
fn no_secret_is_in_the_ledger() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::start([status(404), Behave::Reset, status(401), status(403)]);
    let which = ["slack-webhook", "slack", "pagerduty", "hook"];
    let mut running = Running::start(at.path(), &server.address, &which, Duration::from_secs(5));
    let alert = alert(1, Direction::Up);
    running.take(5, &alert);
    running.outcomes(&alert);
    let mut files = vec![at.path().join("_alerts")];
    let mut texts = String::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            texts.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    assert!(texts.contains("HTTP 40"), "{texts}");
    for secret in ["s3cret", "czNjcmV0", "hook-"] {
        assert!(!texts.contains(secret), "{secret} is in {texts}");
    }
    assert!(!format!("{:?}", running.delivery).contains("s3cret"));
}

/// Not a test by itself: the process that [`killed_between_attempt_and_outcome`] kills.
#[test]
#[ignore = "the process that the test of kills starts"]
fn sends() {
    let (Ok(at), Ok(address)) = (std::env::var("DELIVER_TEST_FOLDER"), std::env::var("DELIVER_TEST_SERVER")) else {
        return;
    };
    let route = std::env::var("DELIVER_TEST_ROUTE").unwrap();
    let mut running = Running::start(Path::new(&at), &address, &[&route], BOUND);
    running.take(5, &alert(1, Direction::Up));
    std::thread::park_timeout(BOUND);
}

#[test]
fn killed_between_attempt_and_outcome() {
    let alert = alert(1, Direction::Up);
    let found = found(&alert);
    for (route, messages, says_repeated) in
        [("slack-webhook", 2, true), ("slack", 1, false), ("pagerduty", 2, false), ("hook", 2, false)]
    {
        let at = tempfile::tempdir().unwrap();
        let server = Server::start([Behave::Silent]);
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "deliver::tests::sends", "--ignored"]);
        child.env("DELIVER_TEST_FOLDER", at.path()).env("DELIVER_TEST_SERVER", &server.address);
        let mut child = child.env("DELIVER_TEST_ROUTE", route).stdout(std::process::Stdio::null()).spawn().unwrap();
        server.wait_for(1);
        child.kill().unwrap();
        child.wait().unwrap();

        if route == "slack" {
            server.plan(Behave::Answer(200, "", found.clone()));
        }
        let running = Running::start(at.path(), &server.address, &[route], BOUND);
        let outcomes = running.outcomes(&alert);
        assert_eq!(kinds(&outcomes[0].1), ["no outcome", "delivered"], "{route}");
        let sent: Vec<Seen> = server.seen().into_iter().filter(|seen| !seen.path.contains("history")).collect();
        assert_eq!(sent.len(), messages, "{route}");
        let last = sent.last().unwrap();
        assert_eq!(last.body.contains("may be here twice"), says_repeated, "{route}: {}", last.body);
        // What the receiver can tell copies by is the same.
        match route {
            "pagerduty" => assert_eq!(sent[0].body, sent[1].body),
            "hook" => {
                assert!(sent.iter().all(|seen| seen.headers.contains(&format!("webhook-id: test/{}", alert.alert_id))))
            }
            _ => {}
        }
    }
}

#[test]
fn names_that_lead_inside_are_not_connected_to() {
    let server = Server::start([]);
    let port = server.address.rsplit(':').next().unwrap();
    let network = Network::new(false, Duration::from_secs(5));
    let request =
        receiver::Request { url: format!("https://localhost:{port}/"), headers: Vec::new(), body: Some(String::new()) };
    let unusable = "the host's name is not known, or leads to no address that may be used";
    assert_eq!(network.send(&request), receiver::Answer::NotSent(unusable.to_owned()));
    // Nothing was sent, so a message that comes after it is no repeat.
    let unknown = receiver::Request { url: "https://nowhere.invalid/".to_owned(), ..request };
    let answer = network.send(&unknown);
    assert!(matches!(answer, receiver::Answer::NotSent(_)), "{answer:?}");
    assert!(server.seen().is_empty());
}
