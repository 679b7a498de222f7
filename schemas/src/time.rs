//! Points in time: UTC microseconds since 1970.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::wire::{Reader, Wire, WireError, put_long};

/// A point in time, UTC microseconds since 1970-01-01. Text form is RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Before everything: the watermark of a source that has said nothing yet.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// After everything: the watermark of a source that has ended.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Timestamp(micros)
    }

    /// From milliseconds since 1970, the unit of Kafka timestamps.
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis.saturating_mul(1_000))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Days since 1970, rounded down: the `event_date` of the lake.
    pub const fn days(self) -> i32 {
        self.0.div_euclid(86_400_000_000) as i32
    }

    /// The calendar form; `None` outside the years chrono knows.
    pub fn to_datetime(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.0)
    }

    /// This time moved by a signed number of seconds, stopping at the ends of the scale.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Timestamp(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Signed microseconds since `earlier`.
    pub const fn micros_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Timestamp(time.timestamp_micros())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_datetime() {
            Some(time) => f.pad(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            None => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Timestamp {
    type Err = String;
    /// RFC 3339, or a plain date, which means its first instant in UTC.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(date) = text.parse::<chrono::NaiveDate>() {
            return Ok(date.and_time(chrono::NaiveTime::MIN).and_utc().into());
        }
        DateTime::parse_from_rfc3339(text)
            .map(|time| time.to_utc().into())
            .map_err(|error| format!("{text:?} is neither an RFC 3339 time nor a date: {error}"))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Wire for Timestamp {
    fn schema(_: &mut BTreeSet<&'static str>) -> Value {
        json!({"type": "long", "logicalType": "timestamp-micros"})
    }
    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        put_long(out, self.0);
    }
    #[inline]
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        from.long().map(Timestamp)
    }
    fn schema_default() -> Option<Value> {
        Some(json!(0))
    }
}
