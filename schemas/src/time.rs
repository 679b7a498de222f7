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
        if let Some(time) = zulu(text.as_bytes()) {
            return Ok(time);
        }
        if let Ok(date) = text.parse::<chrono::NaiveDate>() {
            return Ok(date.and_time(chrono::NaiveTime::MIN).and_utc().into());
        }
        DateTime::parse_from_rfc3339(text)
            .map(|time| time.to_utc().into())
            .map_err(|error| format!("{text:?} is neither an RFC 3339 time nor a date: {error}"))
    }
}

/// A time as nearly every producer writes it, `2026-08-01T09:59:59Z` with up to nine places; `None` for all other forms.
fn zulu(text: &[u8]) -> Option<Timestamp> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let fraction = match rest {
        [b'Z'] => &[],
        [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => fraction,
        _ => return None,
    };
    let digits = |digits: &[u8]| {
        digits.iter().try_fold(0u32, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, separator)| date_time[*at] != *separator) {
        return None;
    }
    let [year, month, day, hour, minute, second] =
        [0..4, 5..7, 8..10, 11..13, 14..16, 17..19].map(|part| digits(&date_time[part]));
    let date = chrono::NaiveDate::from_ymd_opt(i32::try_from(year?).ok()?, month?, day?)?;
    let time = date.and_hms_opt(hour?, minute?, second?)?.and_utc();
    // Places beyond the sixth are cut off, as they are of a `DateTime`.
    let kept = &fraction[..fraction.len().min(6)];
    let micros = digits(kept)? * 10u32.pow(6 - kept.len() as u32);
    digits(fraction)?;
    Some(Timestamp::from_micros(time.timestamp_micros() + i64::from(micros)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_form_is_read_as_every_other_is() {
        let dates = ["2026-08-01", "2024-02-29", "2023-02-29", "1969-12-31", "0000-01-01", "9999-12-31", "2026-13-01"];
        let times = ["00:00:00", "09:59:59", "23:59:60", "24:00:00", "12:60:00"];
        let ends =
            ["Z", ".1Z", ".123456Z", ".123456789Z", ".999999999Z", ".Z", ".12a4Z", ".1234567890Z", "+02:00", "z", ""];
        let texts = dates.iter().flat_map(|date| times.iter().map(move |time| format!("{date}T{time}")));
        for text in texts.flat_map(|text| ends.map(|end| format!("{text}{end}"))) {
            let other = DateTime::parse_from_rfc3339(&text).ok().map(|time| Timestamp::from(time.to_utc()));
            let fast = zulu(text.as_bytes());
            assert!(fast.is_none() || fast == other, "{text}: {fast:?}, otherwise {other:?}");
            assert_eq!(text.parse().ok(), other, "{text}");
        }
        assert!(zulu(b"2026-08-01T09:59:59.123Z").is_some());
        assert_eq!("2026-08-01".parse(), "2026-08-01T00:00:00Z".parse::<Timestamp>());
        assert!("2026-08-01T09:59".parse::<Timestamp>().is_err());
    }
}
