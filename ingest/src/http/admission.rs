//! Whether a request is let in: by its key, then by there being room, and only then is its body read.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::LengthLimitError;
use schemas::{Text, Timestamp};
use tokio::sync::OwnedSemaphorePermit;

use super::{Door, REQUEST_BYTES_MAX, REQUESTS_MAX, REQUESTS_OF_KEY_MAX, Refused};
use crate::keys::Key;

/// A body takes at most this long to arrive, so that slow senders do not hold the room of others.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A request that was let in.
pub(super) struct Admitted {
    /// The key it came with; `None` where the door has no keys.
    pub key: Option<Arc<Key>>,
    pub body: Bytes,
    /// Its place among the requests at once.
    pub room: Room,
}

/// The place of one request; free again when this is dropped.
pub(super) struct Room {
    _any: OwnedSemaphorePermit,
    _of_key: Option<PlaceOfKey>,
}

/// How many places the requests of each key have.
#[derive(Debug, Clone, Default)]
pub(super) struct PlacesOfKeys(Arc<Mutex<HashMap<Text, usize>>>);

/// A place among those of a key.
struct PlaceOfKey {
    places: PlacesOfKeys,
    id: Text,
}

impl PlacesOfKeys {
    fn lock(&self) -> MutexGuard<'_, HashMap<Text, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more place; `None` when the key has all that it may have.
    fn take(&self, id: &Text) -> Option<PlaceOfKey> {
        let mut taken = self.lock();
        let places = taken.entry(id.clone()).or_default();
        if *places >= REQUESTS_OF_KEY_MAX {
            return None;
        }
        *places += 1;
        Some(PlaceOfKey { places: self.clone(), id: id.clone() })
    }
}

impl Drop for PlaceOfKey {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(places) = taken.get_mut(&self.id) {
            *places -= 1;
            if *places == 0 {
                taken.remove(&self.id);
            }
        }
    }
}

impl Door {
    /// Lets a request in, or says why not.
    pub(super) async fn admit(&self, headers: &HeaderMap, body: Body) -> Result<Admitted, Refused> {
        let key = self.key(headers)?;
        let room = self.room(key.as_deref())?;
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

    /// A place for a request with this key.
    fn room(&self, key: Option<&Key>) -> Result<Room, Refused> {
        let full = |most: usize, whose: &str| {
            let message = format!("{most} requests{whose} are being written; come back");
            Refused::new(StatusCode::TOO_MANY_REQUESTS, message)
        };
        let place = |key: &Key| self.of_keys.take(&key.id).ok_or_else(|| full(REQUESTS_OF_KEY_MAX, " with this key"));
        let of_key = key.map(place).transpose()?;
        let any = Arc::clone(&self.room).try_acquire_owned().map_err(|_| full(REQUESTS_MAX, ""))?;
        Ok(Room { _of_key: of_key, _any: any })
    }

    /// The key a request shows: `authorization: Bearer KEY`, or `x-api-key: KEY`.
    fn key(&self, headers: &HeaderMap) -> Result<Option<Arc<Key>>, Refused> {
        let Some(keys) = &self.keys else { return from_no_page(headers).map(|()| None) };
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

/// Refuses what a page in a browser sends. Without keys the door is open to this machine alone, but a browser on it lets every page
/// that it shows post here, and whoever makes events makes spend. Browsers state the `origin` of every POST; programs have none.
fn from_no_page(headers: &HeaderMap) -> Result<(), Refused> {
    match headers.contains_key(header::ORIGIN) {
        false => Ok(()),
        true => {
            let message =
                "pages in a browser are let in with a key alone, and this door has none (`spendstream keys new`)";
            Err(Refused::new(StatusCode::FORBIDDEN, message))
        }
    }
}
