//! Days and months by the clock of a zone.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use schemas::Timestamp;

use crate::price::terms::{Every, Held};

/// `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Span {
    /// The period of a term that holds a time, within the term; `None` outside the years a calendar knows.
    pub(super) fn of<T>(every: Every, held: &Held<T>, time: Timestamp) -> Option<Span> {
        if every == Every::Term {
            return Some(Span { from: held.from, to: held.to });
        }
        let date = held.zone.from_utc_datetime(&time.max(held.from).to_datetime()?.naive_utc()).date_naive();
        let (first, next) = match every {
            Every::Month => (date.with_day(1)?, date.with_day(1)?.checked_add_months(Months::new(1))?),
            Every::Day | Every::Term => (date, date.checked_add_days(Days::new(1))?),
        };
        Some(Span { from: midnight(held.zone, first)?.max(held.from), to: midnight(held.zone, next)?.min(held.to) })
    }
}

/// The first instant of a local date: where midnight is skipped, the first time after it; where it comes twice, the first.
pub(super) fn midnight(zone: Tz, date: NaiveDate) -> Option<Timestamp> {
    let start = date.and_time(NaiveTime::MIN);
    // No zone ever skipped more than a day.
    (0..=25 * 60).find_map(|minutes| {
        let local = start.checked_add_signed(TimeDelta::minutes(minutes))?;
        zone.from_local_datetime(&local).earliest().map(|time| time.to_utc().into())
    })
}

/// The date of a time in UTC; the first there is where a calendar knows none.
pub(super) fn date_of(time: Timestamp) -> NaiveDate {
    time.to_datetime().map(|time| time.date_naive()).unwrap_or_default()
}

/// The beginning of a date in UTC.
pub(super) fn day_start(date: NaiveDate) -> Timestamp {
    Timestamp::from(Utc.from_utc_datetime(&date.and_time(NaiveTime::MIN)))
}
