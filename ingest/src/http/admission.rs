//! Whether a request is let in: by its key, then by there being room, and only then is its body read.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::LengthLimitError;
use schemas::Timestamp;
use tokio::sync::OwnedSemaphorePermit;

use super::{Door, REQUEST_BYTES_MAX, REQUESTS_MAX, Refused};
use crate::keys::Key;

/// A body takes at most this long to arrive, so that slow senders do not hold the room of others.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A request that was let in.
pub(super) struct Admitted {
    /// The key it came with; `None` where the door has no keys.
    pub key: Option<Arc<Key>>,
    pub body: Bytes,
    /// Its place among the requests at once.
    pub room: OwnedSemaphorePermit,
}

impl Door {
    /// Lets a request in, or says why not.
    pub(super) async fn admit(&self, headers: &HeaderMap, body: Body) -> Result<Admitted, Refused> {
        let key = self.key(headers)?;
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| {
            let message = format!("{REQUESTS_MAX} requests are being written; come back");
            Refused::new(StatusCode::TOO_MANY_REQUESTS, message)
        })?;
        let read = tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, REQUEST_BYTES_MAX)).await;
        let read = read.map_err(|_| Refused::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"))?;
        let body = read.map_err(|error| match error.source().is_some_and(|cause| cause.is::<LengthLimitError>()) {
            true => {
                let message = format!("the body is larger than {REQUEST_BYTES_MAX} bytes: send smaller batches");
                Refused::new(StatusCode::PAYLOAD_TOO_LARGE, message)
            }
            false => Refused::new(StatusCode::BAD_REQUEST, "the body was cut off"),
        })?;
        Ok(Admitted { key, body, room })
    }

    /// The key a request shows: `authorization: Bearer KEY`, or `x-api-key: KEY`.
    fn key(&self, headers: &HeaderMap) -> Result<Option<Arc<Key>>, Refused> {
        let Some(keys) = &self.keys else { return Ok(None) };
        let denied = |message: String| Refused::new(StatusCode::UNAUTHORIZED, message);
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text(header::AUTHORIZATION.as_str()).and_then(|value| {
            let (scheme, key) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
        });
        let shown = bearer.or_else(|| text("x-api-key")).ok_or_else(|| {
            denied("this door needs a key: send `authorization: Bearer KEY` (`spendstream keys new` makes one)".into())
        })?;
        let now = Timestamp::from(chrono::Utc::now());
        let keys = keys.get();
        keys.admit(shown, now).map(|key| Some(Arc::clone(key))).map_err(|why| denied(why.to_string()))
    }
}
