//! The front door: OTLP at its own paths (`otlp`); `POST /v1/events` appends what it is given to a raw topic and answers once it is durable.
//!
//! A request holds one event, an array, a CloudEvent (structured, batch or binary mode) or JSON lines, possibly gzipped.
//! Each item becomes one raw record. What has no id of any kind is refused, since sending it again would count it
//! twice. What ingest will reject is stored all the same, because rejections must be visible later, and the answer says so.

mod otlp;

use std::io::Read;
use std::sync::Arc;

use anyhow::Context;
use axum::Json as JsonBody;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use schemas::ids::{hash_parts, slot};
use schemas::{IdentityKind, RejectReason, Timestamp};
use serde::Serialize;
use stream::{Log, OutRecord};
use tokio::sync::Semaphore;

use crate::decode::decode;
use crate::formats::stream::documents;
use crate::item::{Item, RawRecord};
use crate::{Config, DEPTH_MAX, json};

/// Largest request, and largest request after it was unzipped.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most requests being written at once. One more is told to come back: waiting would only hide the pressure.
pub const REQUESTS_MAX: usize = 64;
/// Seconds a producer is asked to wait.
const RETRY_AFTER_SECONDS: &str = "1";

/// Where requests go.
struct Door {
    log: Arc<dyn Log>,
    topic: Arc<str>,
    config: Config,
    writing: Arc<Semaphore>,
}

/// The routes. Records are appended to `topic`, which must exist.
pub fn router(log: Arc<dyn Log>, topic: &str, config: Config) -> axum::Router {
    let door = Door { log, topic: topic.into(), config, writing: Arc::new(Semaphore::new(REQUESTS_MAX)) };
    axum::Router::new()
        .route("/v1/events", post(events))
        .route("/v1/traces", post(otlp::traces))
        .route("/v1/logs", post(otlp::logs))
        .route("/v1/metrics", post(otlp::metrics))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(Arc::new(door))
}

/// The answer to a request that was taken.
#[derive(Debug, Serialize)]
struct Accepted {
    accepted: usize,
    /// Items that are stored but cannot be used as they are.
    will_be_rejected: Vec<Refusal>,
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
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = serde_json::json!({"error": self.message, "items": self.items});
        let mut response = (self.status, JsonBody(body)).into_response();
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }
}

async fn events(State(door): State<Arc<Door>>, headers: HeaderMap, body: Bytes) -> Result<Response, Refused> {
    let now = Timestamp::from(chrono::Utc::now());
    let accepted = write(door, move |door| take(door, &headers, &body, now)).await?;
    Ok((StatusCode::ACCEPTED, JsonBody(accepted)).into_response())
}

/// Runs the work of one request, if there is room for it.
async fn write<T: Send + 'static>(
    door: Arc<Door>,
    work: impl FnOnce(&Door) -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    let permit = Arc::clone(&door.writing).try_acquire_owned().map_err(|_| {
        Refused::new(StatusCode::TOO_MANY_REQUESTS, format!("{REQUESTS_MAX} requests are being written; come back"))
    })?;
    // Unzipping, checking and appending all take time that would hold up other requests on this thread.
    let taken = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work(&door)
    });
    taken.await.map_err(|_| {
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "the request could not be processed; it was not stored")
    })?
}

fn unavailable(door: &Door, error: anyhow::Error) -> Refused {
    tracing::warn!(error = format!("{error:#}"), topic = %door.topic, "raw topic does not take records");
    Refused::new(StatusCode::SERVICE_UNAVAILABLE, "the log does not take records now; nothing is lost, send again")
}

/// Checks a request, appends its items, returns when they are durable.
fn take(door: &Door, headers: &HeaderMap, body: &Bytes, now: Timestamp) -> Result<Accepted, Refused> {
    let body = unzip(headers, body)?;
    let bad = |message: &str| Refused::new(StatusCode::BAD_REQUEST, message);
    let text = std::str::from_utf8(&body).map_err(|_| bad("the body is not UTF-8 text"))?.trim_ascii();
    if text.is_empty() {
        return Err(bad("the body is empty: send one event, an array of events, or one event a line"));
    }
    if json::deeper_than(text.as_bytes(), DEPTH_MAX) {
        return Err(bad("the body nests too deeply"));
    }
    let passed = passed_headers(headers);
    // In binary mode the body is one event's data whatever it looks like.
    let binary = passed.iter().any(|(name, _)| name == "ce_specversion");
    let items: Vec<&str> = if binary {
        vec![text]
    } else {
        let documents = documents(text).map_err(|problem| bad(&problem.message))?;
        let mut items = Vec::with_capacity(documents.len());
        for (index, document) in documents.into_iter().enumerate() {
            let document = document.map_err(|problem| bad(&format!("item {index}: {}", problem.message)))?;
            items.push(document.json.text());
        }
        items
    };
    if items.len() > door.config.items_max {
        let message = format!("{} items in one request; the most is {}", items.len(), door.config.items_max);
        return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }

    let will_be_rejected = check(door, &items, &passed, now)?;
    let partitions = door.log.partitions(&door.topic).and_then(|found| found.context("no such topic"));
    let partitions = partitions.map_err(|error| unavailable(door, error))?;
    let records = items.iter().map(|item| OutRecord {
        topic: Arc::clone(&door.topic),
        // Copies of an item meet in one partition; any other choice would do as well.
        partition: slot(hash_parts([item.as_bytes()])) % partitions.max(1),
        key: None,
        payload: Some(Bytes::copy_from_slice(item.as_bytes())),
        headers: passed.clone(),
        timestamp: None,
    });
    door.log.append(records.collect()).map_err(|error| unavailable(door, error))?;
    Ok(Accepted { accepted: items.len(), will_be_rejected })
}

/// Decodes every item as ingest will. Refuses the request when one has no id; returns what ingest will reject.
fn check(door: &Door, items: &[&str], headers: &[(String, Bytes)], now: Timestamp) -> Result<Vec<Refusal>, Refused> {
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), &**value)).collect();
    let (mut nameless, mut rejected) = (Vec::new(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        if item.len() > door.config.record_bytes_max {
            let message =
                format!("item {index} is {} bytes long; the most is {}", item.len(), door.config.record_bytes_max);
            return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        let record = RawRecord {
            topic: &door.topic,
            partition: 0,
            offset: 0,
            timestamp: now,
            key: None,
            headers: &headers,
            payload: Some(item.as_bytes()),
        };
        for found in decode(&record, &door.config).items {
            match found {
                Item::Event(event) if event.identity == IdentityKind::Position => {
                    nameless.push(Refusal {
                        item: index,
                        reason: RejectReason::MissingField.as_str(),
                        field: "id".to_owned(),
                        message: format!("item {index} has no id of any kind: send `id`, so that a retry counts once"),
                    });
                }
                Item::Rejected(rejection) => rejected.push(Refusal {
                    item: index,
                    reason: rejection.reason.as_str(),
                    field: rejection.field.to_string(),
                    message: rejection.message.to_string(),
                }),
                _ => {}
            }
        }
    }
    if nameless.is_empty() {
        return Ok(rejected);
    }
    let message = format!("{}; nothing was stored", nameless[0].message);
    Err(Refused { status: StatusCode::BAD_REQUEST, items: nameless, message })
}

/// Headers that say what the body is: CloudEvents' binary mode as Kafka spells it, and `spend-format`.
fn passed_headers(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    let passed = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str();
        let name = match name.strip_prefix("ce-") {
            Some(attribute) => format!("ce_{attribute}"),
            None if name == "spend-format" => name.to_owned(),
            None => return None,
        };
        Some((name, Bytes::copy_from_slice(value.as_bytes())))
    });
    passed.collect()
}

/// The body as it was before `content-encoding: gzip`. Stops at the bound, so a bomb costs no more than a large body.
fn unzip(headers: &HeaderMap, body: &Bytes) -> Result<Bytes, Refused> {
    match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(body.clone()),
        Some(b"gzip") => {
            let mut out = Vec::new();
            let limit = REQUEST_BYTES_MAX as u64 + 1;
            let read = flate2::read::MultiGzDecoder::new(&**body).take(limit).read_to_end(&mut out);
            read.map_err(|_| Refused::new(StatusCode::BAD_REQUEST, "the body is not gzip, as its header says"))?;
            if out.len() > REQUEST_BYTES_MAX {
                let message = format!("the body is larger than {REQUEST_BYTES_MAX} bytes when unzipped");
                return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, message));
            }
            Ok(out.into())
        }
        Some(_) => Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-encoding must be gzip or absent")),
    }
}
