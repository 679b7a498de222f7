//! The front door: OTLP at its own paths, over HTTP (`otlp`) and gRPC (`grpc`); `POST /v1/events` appends what it is given
//! to a raw topic and answers once it is durable.
//!
//! A request is let in by its key (`admission`), then by there being room, and only then is its body read. A body of
//! `/v1/events` holds one event, an array, a CloudEvent (structured, batch or binary mode) or JSON lines, possibly gzipped.
//! Each item becomes one raw record. What has no id of any kind is refused, since sending it again would count it
//! twice. What ingest will reject is stored all the same, because rejections must be visible later, and the answer says so.

mod admission;
mod grpc;
mod metrics;
mod otlp;
mod split;

use std::cell::LazyCell;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Json as JsonBody;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use schemas::ids::{hash_parts, slot};
use schemas::{IdentityKind, RejectReason, Timestamp};
use serde::Serialize;
use stream::reload::Reloaded;
use stream::{Log, OutRecord};
use tokio::sync::Semaphore;

use crate::decode::decode;
use crate::formats::stream::{Document, documents, is_event_stream, lines};
use crate::item::{Decoded, Item, RawRecord};
use crate::keys::{Key, Keys};
use crate::{Config, DEPTH_MAX, bound, json};
use admission::{Admitted, PlacesOfKeys};
use metrics::DoorMetrics;

/// Largest request, and largest request after it was unzipped.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most requests being read and written at once. One more is told to come back: waiting would only hide the pressure.
pub const REQUESTS_MAX: usize = 64;
/// Most of them that come with one key: a sender whose bodies stand still on their way does not keep all others out.
pub const REQUESTS_OF_KEY_MAX: usize = REQUESTS_MAX * 3 / 4;
/// Header that says what a body is.
const FORMAT: &str = "spend-format";
/// Longest value of it: every item of a batch carries it, and no format has so long a name.
const FORMAT_BYTES_MAX: usize = 64;
/// How often the log says that the raw topic takes no records. Every request would say it, as often as producers try.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);
/// Seconds a producer is asked to wait.
const RETRY_AFTER_SECONDS: u8 = 1;

/// The front door of one raw topic.
pub struct Door {
    log: Arc<dyn Log>,
    topic: Arc<str>,
    config: Config,
    keys: Option<Reloaded<Keys>>,
    room: Arc<Semaphore>,
    of_keys: PlacesOfKeys,
    metrics: DoorMetrics,
    complained: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "front door of {}", self.topic)
    }
}

impl Door {
    /// A door that appends to `topic`, which must exist. Without keys it lets anybody in.
    pub fn new(log: Arc<dyn Log>, topic: &str, config: Config, keys: Option<Reloaded<Keys>>) -> Self {
        let room = Arc::new(Semaphore::new(REQUESTS_MAX));
        Door {
            log,
            topic: topic.into(),
            config,
            keys,
            room,
            of_keys: PlacesOfKeys::default(),
            metrics: DoorMetrics::default(),
            complained: Mutex::default(),
        }
    }

    /// Counts requests and items there.
    ///
    /// # Errors
    /// When metrics of these names are there already.
    pub fn register_metrics(&self, registry: &prometheus::Registry) -> anyhow::Result<()> {
        self.metrics.register(registry).context("register the metrics of the front door")
    }

    /// The routes.
    pub fn router(self) -> axum::Router {
        axum::Router::new()
            .route("/v1/events", post(events))
            .route("/v1/traces", post(otlp::traces))
            .route("/v1/logs", post(otlp::logs))
            .route("/v1/metrics", post(otlp::metrics))
            .route(grpc::TRACES, post(grpc::traces))
            .route(grpc::LOGS, post(grpc::logs))
            .route(grpc::METRICS, post(grpc::metrics))
            .method_not_allowed_fallback(other_method)
            .fallback(nowhere)
            .with_state(Arc::new(self))
    }

    /// Appends records that came with a key (or none): all or none; durable on return.
    fn append(&self, records: Vec<(Bytes, Vec<(String, Bytes)>)>, key: Option<&Key>) -> Result<(), Refused> {
        let partitions = self.log.partitions(&self.topic).and_then(|found| found.context("no such topic"));
        let partitions = partitions.map_err(|error| self.unavailable(error))?;
        let bound = key.map(bound::headers).unwrap_or_default();
        let count = records.len() as u64;
        let records = records.into_iter().map(|(payload, mut headers)| {
            headers.extend(bound.iter().cloned());
            OutRecord {
                topic: Arc::clone(&self.topic),
                // Copies of an item meet in one partition; any other choice would do as well.
                partition: slot(hash_parts([&payload[..]])) % partitions.max(1),
                key: None,
                payload: Some(payload),
                headers,
                timestamp: None,
            }
        });
        self.log.append(records.collect()).map_err(|error| self.unavailable(error))?;
        self.metrics.stored(count);
        Ok(())
    }

    fn unavailable(&self, error: anyhow::Error) -> Refused {
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            *complained = Some(Instant::now());
            tracing::warn!(error = format!("{error:#}"), topic = %self.topic, "raw topic does not take records");
        }
        Refused::new(StatusCode::SERVICE_UNAVAILABLE, "the log does not take records now; nothing is lost, send again")
    }

    /// A payload as ingest will read it, when it comes with these headers and this key.
    fn foresee(&self, payload: &[u8], headers: &[(String, Bytes)], key: Option<&Key>, now: Timestamp) -> Decoded {
        let bound = key.map(bound::headers).unwrap_or_default();
        let headers: Vec<(&str, &[u8])> =
            headers.iter().chain(&bound).map(|(name, value)| (name.as_str(), &**value)).collect();
        let record = RawRecord {
            topic: &self.topic,
            partition: 0,
            offset: 0,
            timestamp: now,
            key: None,
            headers: &headers,
            payload: Some(payload),
        };
        decode(&record, &self.config)
    }
}

/// The answer to a request that was taken.
#[derive(Debug, Default, Serialize)]
struct Accepted {
    accepted: usize,
    /// Items that are stored but cannot be used as they are.
    will_be_rejected: Vec<Refusal>,
    /// Items that claim a team which the key may not claim. They are counted without that claim.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    claims_not_allowed: Vec<usize>,
}

/// What is wrong with one item.
#[derive(Debug, Serialize)]
struct Refusal {
    /// Index within the request, from 0.
    item: usize,
    reason: &'static str,
    field: String,
    message: String,
}

/// A request that was not taken.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    items: Vec<Refusal>,
    message: String,
}

impl Refused {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Refused { status, items: Vec::new(), message: message.into() }
    }

    /// Whether the same request may be taken a little later.
    fn may_retry(&self) -> bool {
        matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
    }

    /// The headers that go with the status.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self.may_retry() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(u16::from(RETRY_AFTER_SECONDS)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        headers
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = serde_json::json!({"error": self.message, "items": self.items});
        (self.status, self.headers(), JsonBody(body)).into_response()
    }
}

/// Where events are taken, for those who knock elsewhere.
const PLACES: &str = "POST events to /v1/events, and OTLP to /v1/traces, /v1/logs or /v1/metrics";

/// Most bytes of a path that an answer repeats.
const PATH_BYTES_MAX: usize = 200;

/// The answer at a path where nothing is: an exporter that was given a wrong address logs what it says.
async fn nowhere(uri: Uri) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, format!("there is nothing at {}: {PLACES}", beginning(uri.path())))
}

/// The answer to a method that a path does not take.
async fn other_method(method: Method, uri: Uri) -> Refused {
    let message = format!("{} takes POST, not {}: {PLACES}", beginning(uri.path()), beginning(method.as_str()));
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, message)
}

/// Paths and methods are ASCII, so they can be cut anywhere.
fn beginning(text: &str) -> &str {
    text.get(..PATH_BYTES_MAX).unwrap_or(text)
}

async fn events(State(door): State<Arc<Door>>, headers: HeaderMap, body: Body) -> Response {
    let taken = async {
        let admitted = door.admit(&headers, body).await?;
        let now = Timestamp::from(chrono::Utc::now());
        work(&door, admitted, move |door, body, key| take(door, &headers, body, key, now)).await
    };
    let taken = taken.await;
    door.metrics.answered("http", taken.as_ref().map_or_else(|refused| refused.status, |_| StatusCode::ACCEPTED));
    match taken {
        Ok(accepted) => (StatusCode::ACCEPTED, JsonBody(accepted)).into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// Runs the work of one request off the threads that serve the others: unzipping, checking and appending take time.
async fn work<T: Send + 'static>(
    door: &Arc<Door>,
    admitted: Admitted,
    work: impl FnOnce(&Door, &Bytes, Option<&Key>) -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    let door = Arc::clone(door);
    let taken = tokio::task::spawn_blocking(move || {
        let Admitted { key, body, room: _room } = admitted;
        work(&door, &body, key.as_deref())
    });
    taken.await.map_err(|_| {
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "the request could not be processed; it was not stored")
    })?
}

/// Checks a request, appends its items, returns when they are durable.
fn take(
    door: &Door,
    headers: &HeaderMap,
    body: &Bytes,
    key: Option<&Key>,
    now: Timestamp,
) -> Result<Accepted, Refused> {
    let body = decoded(headers, body)?;
    let bad = |message: &str| Refused::new(StatusCode::BAD_REQUEST, message);
    let text = std::str::from_utf8(&body).map_err(|_| bad("the body is not UTF-8 text"))?.trim_ascii();
    if text.is_empty() {
        return Err(bad("the body is empty: send one event, an array of events, or one event a line"));
    }
    if json::deeper_than(text.as_bytes(), DEPTH_MAX) {
        return Err(bad("the body nests too deeply"));
    }
    if headers.get(FORMAT).is_some_and(|format| format.len() > FORMAT_BYTES_MAX) {
        return Err(bad("spend-format is longer than the name of any format"));
    }
    // In binary mode the body is one event's data whatever it looks like.
    let binary = headers.contains_key("ce-specversion");
    let passed = passed_headers(headers, binary);
    let items = match binary {
        true => vec![Part { text, line: None }],
        false => parts(text).map_err(|problem| bad(&problem.message))?,
    };
    if items.len() > door.config.items_max {
        let message = format!("{} items in one request; the most is {}", items.len(), door.config.items_max);
        return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    let accepted = check(door, &items, &passed, key, now)?;
    let records = items.iter().map(|item| (Bytes::copy_from_slice(item.text.as_bytes()), passed.clone()));
    door.append(records.collect(), key)?;
    Ok(accepted)
}

/// One item of a request, and its line where that could not be read.
struct Part<'a> {
    text: &'a str,
    line: Option<usize>,
}

/// The items of a body: an object, the elements of an array, or one a line. A line that cannot be read is an item, too, as it came: it is
/// stored and rejected by itself, so that the others count. Frames of a captured stream are one call, and stay together.
fn parts<'a>(text: &'a str) -> crate::problem::Result<Vec<Part<'a>>> {
    if is_event_stream(text) {
        return Ok(vec![Part { text, line: None }]);
    }
    let lines = LazyCell::new(|| lines(text).collect::<Vec<_>>());
    let part = |(index, document): (usize, crate::problem::Result<Document<'a>>)| match document {
        Ok(document) => Ok(Part { text: document.json.text(), line: None }),
        // Only lines are read one by one, and each of them is a document.
        Err(problem) => lines.get(index).map(|(number, text)| Part { text, line: Some(*number) }).ok_or(problem),
    };
    documents(text)?.into_iter().enumerate().map(part).collect()
}

/// Decodes every item as ingest will. Refuses the request when one has no id; returns what ingest will reject.
fn check(
    door: &Door,
    items: &[Part<'_>],
    headers: &[(String, Bytes)],
    key: Option<&Key>,
    now: Timestamp,
) -> Result<Accepted, Refused> {
    let mut nameless = Vec::new();
    let mut accepted = Accepted { accepted: items.len(), ..Accepted::default() };
    for (index, Part { text: item, line }) in items.iter().enumerate() {
        if item.len() > door.config.record_bytes_max {
            let message =
                format!("item {index} is {} bytes long; the most is {}", item.len(), door.config.record_bytes_max);
            return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        let decoded = door.foresee(item.as_bytes(), headers, key, now);
        if decoded.claims_not_allowed > 0 {
            accepted.claims_not_allowed.push(index);
        }
        for found in decoded.items {
            match found {
                Item::Event(event) if event.identity == IdentityKind::Position => {
                    let message = format!("item {index} has no id of any kind: send `id`, so that a retry counts once");
                    let reason = RejectReason::MissingField.as_str();
                    nameless.push(Refusal { item: index, reason, field: "id".to_owned(), message });
                }
                Item::Rejected(rejection) => accepted.will_be_rejected.push(Refusal {
                    item: index,
                    reason: rejection.reason.as_str(),
                    field: rejection.field.to_string(),
                    message: match line {
                        Some(line) => format!("line {line}: {}", rejection.message),
                        None => rejection.message.to_string(),
                    },
                }),
                _ => {}
            }
        }
    }
    if nameless.is_empty() {
        return Ok(accepted);
    }
    let message = format!("{}; nothing was stored", nameless[0].message);
    Err(Refused { status: StatusCode::BAD_REQUEST, items: nameless, message })
}

/// Headers that say what the body is: `spend-format`, and CloudEvents' binary mode as Kafka spells it. Only of one event: every item of
/// a batch would carry them, and a small request become ten thousand large records.
fn passed_headers(headers: &HeaderMap, binary: bool) -> Vec<(String, Bytes)> {
    let value = |value: &HeaderValue| Bytes::copy_from_slice(value.as_bytes());
    let format = headers.get(FORMAT).map(|format| (FORMAT.to_owned(), value(format)));
    let attribute = |(name, of): (&HeaderName, &HeaderValue)| {
        let name = name.as_str().strip_prefix("ce-")?;
        Some((format!("ce_{name}"), value(of)))
    };
    let attributes = headers.iter().filter(|_| binary).filter_map(attribute);
    format.into_iter().chain(attributes).collect()
}

/// The body as it was before its `content-encoding`.
fn decoded(headers: &HeaderMap, body: &Bytes) -> Result<Bytes, Refused> {
    // Names of codings may be written in either case.
    match headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase()).as_deref() {
        None | Some(b"identity") => Ok(body.clone()),
        Some(b"gzip") => unzip(body),
        Some(_) => Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-encoding must be gzip or absent")),
    }
}

/// Stops at the bound, so a bomb costs no more than a large body.
fn unzip(body: &[u8]) -> Result<Bytes, Refused> {
    let mut out = Vec::new();
    let limit = REQUEST_BYTES_MAX as u64 + 1;
    let read = flate2::read::MultiGzDecoder::new(body).take(limit).read_to_end(&mut out);
    read.map_err(|_| Refused::new(StatusCode::BAD_REQUEST, "the body is not gzip, as its header says"))?;
    if out.len() > REQUEST_BYTES_MAX {
        let message = format!("the body is larger than {REQUEST_BYTES_MAX} bytes when unzipped");
        return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    Ok(out.into())
}
