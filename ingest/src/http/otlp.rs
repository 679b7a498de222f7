//! OTLP over HTTP: what an SDK or a Collector sends to `/v1/traces`, `/v1/logs` and `/v1/metrics`, as protobuf or JSON.
//!
//! One request becomes one raw record, exactly as it came, so a batch is counted once however it is decoded later; only a
//! batch larger than a record may be is cut (`split`). Items that ingest will reject are answered as a partial success,
//! which tells the sender not to send them again.
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>, checked 2026-11-22.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::{RejectReason, Timestamp};

use super::split::{Uncut, put_bytes, put_number, split};
use super::{Door, Refused, decoded, grpc};
use crate::item::Item;
use crate::keys::Key;
use crate::recognise::Shape;

pub(super) async fn traces(door: State<Arc<Door>>, headers: HeaderMap, body: Body) -> Response {
    export(door, headers, body, Shape::OtlpTraces).await
}

pub(super) async fn logs(door: State<Arc<Door>>, headers: HeaderMap, body: Body) -> Response {
    export(door, headers, body, Shape::OtlpLogs).await
}

pub(super) async fn metrics(door: State<Arc<Door>>, headers: HeaderMap, body: Body) -> Response {
    export(door, headers, body, Shape::OtlpMetrics).await
}

/// How a request is encoded, and so its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let stated = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" | "application/protobuf" => Some(Encoding::Protobuf),
            "application/json" => Some(Encoding::Json),
            _ => None,
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

async fn export(State(door): State<Arc<Door>>, headers: HeaderMap, body: Body, shape: Shape) -> Response {
    let Some(encoding) = Encoding::of(&headers) else {
        let message = "content-type must be application/x-protobuf or application/json";
        door.metrics.answered("otlp", StatusCode::UNSUPPORTED_MEDIA_TYPE);
        return Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response();
    };
    let taken = async {
        let admitted = door.admit(&headers, body).await?;
        let now = Timestamp::from(chrono::Utc::now());
        let work = move |door: &Door, body: &Bytes, key: Option<&Key>| {
            let body = decoded(&headers, body)?;
            take(door, &body, shape, encoding == Encoding::Protobuf, key, now)
        };
        super::work(&door, admitted, work).await
    };
    let taken = taken.await;
    door.metrics.answered("otlp", taken.as_ref().map_or_else(|refused| refused.status, |_| StatusCode::OK));
    match taken {
        Ok(outcome) => encoding.answer(outcome.protobuf(), outcome.json(shape)),
        Err(refused) => {
            let json = serde_json::json!({"code": grpc::code(&refused) as u8, "message": refused.message});
            let answer = encoding.answer(grpc::status(&refused), json);
            (refused.status, refused.headers(), answer).into_response()
        }
    }
}

/// What became of a batch that was stored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Entries that ingest will reject.
    rejected: u64,
    /// What is wrong with the first, or a warning where nothing is rejected; empty when all is well.
    message: String,
}

/// Appends a batch; returns when it is durable.
pub(super) fn take(
    door: &Door,
    body: &Bytes,
    shape: Shape,
    protobuf: bool,
    key: Option<&Key>,
    now: Timestamp,
) -> Result<Outcome, Refused> {
    let mut outcome = Outcome::default();
    if body.is_empty() {
        // An empty message is an empty batch.
        return Ok(outcome);
    }
    let most = door.config.record_bytes_max;
    let batches = if body.len() <= most {
        vec![body.clone()]
    } else if protobuf {
        let cut = split(body, most).map_err(|uncut| match uncut {
            Uncut::Malformed => {
                let message = "the body is not a protobuf message of OTLP, or was cut off";
                Refused::new(StatusCode::BAD_REQUEST, message)
            }
            Uncut::Grows => {
                let message = format!(
                    "the batch is cut into records of {most} bytes, and what describes its resources and scopes is too long to stand in each: send \
                     smaller batches"
                );
                Refused::new(StatusCode::PAYLOAD_TOO_LARGE, message)
            }
        })?;
        cut.into_iter().map(Bytes::from).collect()
    } else {
        let message = format!("the batch is {} bytes long; as JSON the most is {most}: send protobuf", body.len());
        return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    };
    let headers = vec![(super::FORMAT.to_owned(), Bytes::from_static(shape.as_str().as_bytes()))];
    let mut stripped = 0;
    for batch in &batches {
        let decoded = door.foresee(batch, &headers, key, now);
        stripped += decoded.claims_not_allowed;
        for item in decoded.items {
            match item {
                Item::Rejected(rejection) if rejection.reason == RejectReason::Malformed => {
                    return Err(Refused::new(StatusCode::BAD_REQUEST, rejection.message.as_str()));
                }
                Item::Rejected(rejection) => {
                    outcome.rejected += 1;
                    if outcome.message.is_empty() {
                        outcome.message = rejection.message.to_string();
                    }
                }
                _ => {}
            }
        }
    }
    if stripped > 0 && outcome.message.is_empty() {
        outcome.message = format!("{stripped} entries claim a team the key may not claim: counted without that claim");
    }
    door.append(batches.into_iter().map(|batch| (batch, headers.clone())).collect(), key)?;
    Ok(outcome)
}

impl Outcome {
    /// The answer's protobuf: empty, or field 1, a partial success: field 1 the number rejected, field 2 the message.
    pub(super) fn protobuf(&self) -> Vec<u8> {
        let mut answer = Vec::new();
        if self.message.is_empty() {
            return answer;
        }
        let mut partial = Vec::new();
        if self.rejected > 0 {
            put_number(1, self.rejected, &mut partial);
        }
        put_bytes(2, self.message.as_bytes(), &mut partial);
        put_bytes(1, &partial, &mut answer);
        answer
    }

    fn json(&self, shape: Shape) -> serde_json::Value {
        if self.message.is_empty() {
            return serde_json::json!({});
        }
        let name = match shape {
            Shape::OtlpTraces => "rejectedSpans",
            Shape::OtlpLogs => "rejectedLogRecords",
            _ => "rejectedDataPoints",
        };
        serde_json::json!({"partialSuccess": {name: self.rejected.to_string(), "errorMessage": self.message}})
    }
}
