//! OTLP over gRPC, at the same port: three unary calls, so framing, status and trailers are all there is to it. The rest is
//! OTLP over HTTP; the messages are the same bytes.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>,
//! <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>, both known earlier and not opened again.

use std::fmt::Write;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http_body_util::{BodyExt, Full};
use schemas::Timestamp;

use super::otlp::{Outcome, take};
use super::split::{put_bytes, put_number};
use super::{Door, RETRY_AFTER_SECONDS, Refused, unzip};
use crate::keys::Key;
use crate::recognise::Shape;

pub(super) const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub(super) const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
pub(super) const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

pub(super) async fn traces(door: State<Arc<Door>>, version: Version, headers: HeaderMap, body: Body) -> Response {
    export(door, version, headers, body, Shape::OtlpTraces).await
}

pub(super) async fn logs(door: State<Arc<Door>>, version: Version, headers: HeaderMap, body: Body) -> Response {
    export(door, version, headers, body, Shape::OtlpLogs).await
}

pub(super) async fn metrics(door: State<Arc<Door>>, version: Version, headers: HeaderMap, body: Body) -> Response {
    export(door, version, headers, body, Shape::OtlpMetrics).await
}

/// A status of gRPC, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Code {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// What a refusal is called here. Too large and too busy are both `RESOURCE_EXHAUSTED`; only the second comes with a time
/// to retry after, which is how OTLP tells them apart.
pub(super) fn code(refused: &Refused) -> Code {
    match refused.status {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::REQUEST_TIMEOUT => Code::DeadlineExceeded,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::Unimplemented,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        status if status.is_server_error() => Code::Internal,
        _ => Code::InvalidArgument,
    }
}

/// `google.rpc.Status`: code (1), message (2), details (3), of which `RetryInfo` is the only one.
pub(super) fn status(refused: &Refused) -> Vec<u8> {
    let mut status = Vec::new();
    put_number(1, code(refused) as u64, &mut status);
    put_bytes(2, refused.message.as_bytes(), &mut status);
    if refused.may_retry() {
        let (mut duration, mut info, mut any) = (Vec::new(), Vec::new(), Vec::new());
        put_number(1, u64::from(RETRY_AFTER_SECONDS), &mut duration);
        put_bytes(1, &duration, &mut info);
        put_bytes(1, b"type.googleapis.com/google.rpc.RetryInfo", &mut any);
        put_bytes(2, &info, &mut any);
        put_bytes(3, &any, &mut status);
    }
    status
}

async fn export(
    State(door): State<Arc<Door>>,
    version: Version,
    headers: HeaderMap,
    body: Body,
    shape: Shape,
) -> Response {
    let stated = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if version != Version::HTTP_2 || !stated.starts_with(b"application/grpc") {
        door.metrics.answered("grpc", StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let message =
            "this path speaks gRPC: HTTP/2 with content-type application/grpc; over plain HTTP use /v1/traces";
        return Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response();
    }
    let taken = async {
        let admitted = door.admit(&headers, body).await?;
        let now = Timestamp::from(chrono::Utc::now());
        let work = move |door: &Door, body: &Bytes, key: Option<&Key>| {
            let message = message(&headers, body)?;
            take(door, &message, shape, true, key, now)
        };
        super::work(&door, admitted, work).await
    };
    let taken = taken.await;
    door.metrics.answered("grpc", taken.as_ref().map_or_else(|refused| refused.status, |_| StatusCode::OK));
    match taken {
        Ok(outcome) => succeeded(&outcome),
        Err(refused) => failed(&refused),
    }
}

/// The one message of a unary call: a byte that says whether it is compressed, its length, itself.
fn message(headers: &HeaderMap, body: &Bytes) -> Result<Bytes, Refused> {
    let bad = |message: &str| Refused::new(StatusCode::BAD_REQUEST, message);
    let [compressed, a, b, c, d, message @ ..] = &body[..] else {
        return Err(bad("the request holds no gRPC message"));
    };
    if u32::from_be_bytes([*a, *b, *c, *d]) as usize != message.len() {
        return Err(bad("the request does not hold exactly one gRPC message"));
    }
    match (compressed, headers.get("grpc-encoding").map(HeaderValue::as_bytes)) {
        (0, _) => Ok(body.slice(5..)),
        (1, Some(b"gzip")) => unzip(message),
        (1, _) => Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "grpc-encoding must be gzip or identity")),
        _ => Err(bad("the flag of the gRPC message is neither 0 nor 1")),
    }
}

const GRPC: [(header::HeaderName, HeaderValue); 1] =
    [(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"))];

fn succeeded(outcome: &Outcome) -> Response {
    let message = outcome.protobuf();
    let mut frame = vec![0];
    frame.extend((message.len() as u32).to_be_bytes());
    frame.extend(message);
    let trailers = HeaderMap::from_iter([(header::HeaderName::from_static("grpc-status"), HeaderValue::from(0))]);
    let body = Full::new(Bytes::from(frame)).with_trailers(std::future::ready(Some(Ok(trailers))));
    (GRPC, Body::new(body)).into_response()
}

fn failed(refused: &Refused) -> Response {
    let mut headers = HeaderMap::from_iter(GRPC);
    headers.insert("grpc-status", HeaderValue::from(code(refused) as u16));
    let mut message = String::new();
    for byte in refused.message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => message.push(byte as char),
            _ => {
                let _ = write!(message, "%{byte:02X}");
            }
        }
    }
    let details = STANDARD_NO_PAD.encode(status(refused));
    let text = |text: String| HeaderValue::try_from(text).ok();
    headers.extend(
        [("grpc-message", text(message)), ("grpc-status-details-bin", text(details))]
            .into_iter()
            .filter_map(|(name, value)| Some((Some(header::HeaderName::from_static(name)), value?))),
    );
    if refused.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip"));
    }
    // A status of gRPC travels in an answer that is 200 to HTTP.
    (StatusCode::OK, headers).into_response()
}
