//! The moment of knowledge something is told from.

use std::str::FromStr;

use chrono::{Days, NaiveDate, NaiveTime};
use schemas::Timestamp;

/// The last instant that is known: what was booked later does not exist yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownAt(pub Timestamp);

impl FromStr for KnownAt {
    type Err = String;

    /// An RFC 3339 time, or a date: its last instant in UTC.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<NaiveDate>() {
            Ok(date) => {
                let next = date.checked_add_days(Days::new(1)).unwrap_or(date);
                let next: Timestamp = next.and_time(NaiveTime::MIN).and_utc().into();
                Ok(KnownAt(Timestamp::from_micros(next.micros() - 1)))
            }
            Err(_) => text.parse().map(KnownAt),
        }
    }
}

/// A day of a period, as written on the command line.
///
/// # Errors
/// When it is none; says how to write one.
pub fn day(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "write a day of the calendar, such as 2026-11-30".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knowledge_as_of_a_date_includes_that_day_to_its_last_microsecond() {
        assert_eq!("2026-10-31".parse::<KnownAt>().unwrap().0.to_string(), "2026-10-31T23:59:59.999999Z");
        assert_eq!("2026-10-31T12:00:00Z".parse::<KnownAt>().unwrap().0.to_string(), "2026-10-31T12:00:00Z");
        assert!("yesterday".parse::<KnownAt>().is_err());
    }
}
