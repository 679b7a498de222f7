//! OTLP over HTTP: what an SDK or a Collector sends to `/v1/traces`, `/v1/logs` and `/v1/metrics`, as protobuf or JSON.
//!
//! One request becomes one raw record, exactly as it came, so a batch is counted once however it is decoded later. Items
//! that ingest will reject are answered as a partial success, which tells the sender not to send them again.
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>, checked 2026-11-22.

use std::sync::Arc;

use anyhow::Context;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::Timestamp;
use schemas::ids::{hash_parts, slot};
use stream::OutRecord;

use super::{Door, Refused, unavailable, unzip};
use crate::decode::decode;
use crate::item::{Item, RawRecord};
use crate::recognise::Shape;

pub(super) async fn traces(door: State<Arc<Door>>, headers: HeaderMap, body: Bytes) -> Response {
    export(door, headers, body, Shape::OtlpTraces).await
}

pub(super) async fn logs(door: State<Arc<Door>>, headers: HeaderMap, body: Bytes) -> Response {
    export(door, headers, body, Shape::OtlpLogs).await
}

pub(super) async fn metrics(door: State<Arc<Door>>, headers: HeaderMap, body: Bytes) -> Response {
    export(door, headers, body, Shape::OtlpMetrics).await
}

/// How a request is encoded, and so its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Self, Refused> {
        let stated = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match stated.split(';').next().unwrap_or_default().trim() {
            "application/x-protobuf" | "application/protobuf" => Ok(Encoding::Protobuf),
            "application/json" => Ok(Encoding::Json),
            _ => Err(Refused::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content-type must be application/x-protobuf or application/json",
            )),
        }
    }

    fn answer(self, protobuf: Vec<u8>, json: serde_json::Value) -> Response {
        let (kind, body) = match self {
            Encoding::Protobuf => ("application/x-protobuf", protobuf),
            Encoding::Json => ("application/json", json.to_string().into_bytes()),
        };
        ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
    }
}

async fn export(State(door): State<Arc<Door>>, headers: HeaderMap, body: Bytes, shape: Shape) -> Response {
    let encoding = match Encoding::of(&headers) {
        Ok(encoding) => encoding,
        Err(refused) => return refused.into_response(),
    };
    let written =
        super::write(door, move |door| take(door, &headers, &body, shape, Timestamp::from(chrono::Utc::now()))).await;
    match written {
        Ok(rejected) => accepted(encoding, shape, &rejected),
        Err(refused) => refused.into_response(),
    }
}

/// What ingest will reject of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rejected {
    items: u64,
    message: String,
}

/// Appends a batch as one record; returns when it is durable.
fn take(door: &Door, headers: &HeaderMap, body: &Bytes, shape: Shape, now: Timestamp) -> Result<Rejected, Refused> {
    let body = unzip(headers, body)?;
    if body.is_empty() {
        // An empty message is an empty batch.
        return Ok(Rejected::default());
    }
    if body.len() > door.config.record_bytes_max {
        let most = door.config.record_bytes_max;
        let message = format!("the batch is {} bytes long; the most is {most}: send smaller batches", body.len());
        return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    let named = [("spend-format", shape.as_str().as_bytes())];
    let record = RawRecord {
        topic: &door.topic,
        partition: 0,
        offset: 0,
        timestamp: now,
        key: None,
        headers: &named,
        payload: Some(&body),
    };
    let decoded = decode(&record, &door.config);
    let rejections = decoded.items.iter().filter_map(|item| match item {
        Item::Rejected(rejection) => Some(rejection),
        _ => None,
    });
    let mut rejected = Rejected::default();
    for rejection in rejections {
        if rejection.reason == schemas::RejectReason::Malformed {
            return Err(Refused::new(StatusCode::BAD_REQUEST, rejection.message.as_str()));
        }
        rejected.items += 1;
        if rejected.message.is_empty() {
            rejected.message = rejection.message.to_string();
        }
    }
    let partitions = door.log.partitions(&door.topic).and_then(|found| found.context("no such topic"));
    let partitions = partitions.map_err(|error| unavailable(door, error))?;
    let record = OutRecord {
        topic: Arc::clone(&door.topic),
        partition: slot(hash_parts([&body[..]])) % partitions.max(1),
        key: None,
        payload: Some(body.clone()),
        headers: vec![("spend-format".to_owned(), Bytes::from_static(shape.as_str().as_bytes()))],
        timestamp: None,
    };
    door.log.append(vec![record]).map_err(|error| unavailable(door, error))?;
    Ok(rejected)
}

/// The answer: empty, or a partial success with the number of rejected items and what is wrong with the first.
fn accepted(encoding: Encoding, shape: Shape, rejected: &Rejected) -> Response {
    if rejected.items == 0 {
        return encoding.answer(Vec::new(), serde_json::json!({}));
    }
    let name = match shape {
        Shape::OtlpTraces => "rejectedSpans",
        Shape::OtlpLogs => "rejectedLogRecords",
        _ => "rejectedDataPoints",
    };
    let json = serde_json::json!({
        "partialSuccess": {name: rejected.items.to_string(), "errorMessage": rejected.message}
    });
    // Field 1 of the answer is the partial success: field 1 the number, field 2 the message.
    let mut inner = vec![1 << 3];
    varint(rejected.items, &mut inner);
    inner.push(2 << 3 | 2);
    varint(rejected.message.len() as u64, &mut inner);
    inner.extend(rejected.message.as_bytes());
    let mut protobuf = vec![1 << 3 | 2];
    varint(inner.len() as u64, &mut protobuf);
    protobuf.extend(inner);
    encoding.answer(protobuf, json)
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
