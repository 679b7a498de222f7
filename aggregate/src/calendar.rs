//! Where windows and budget periods begin and end. All spans are `[start, end)`.

use chrono::{Datelike, Days, LocalResult, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use schemas::{BudgetPeriod, Granularity, Timestamp};

/// A span of time, `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First instant.
    pub start: Timestamp,
    /// First instant after it.
    pub end: Timestamp,
}

impl Span {
    /// True when the instant is within.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

const HOUR_MICROS: i64 = 3_600_000_000;

/// The window of this width that holds an instant, in UTC. `None` outside the years a calendar knows.
pub fn window(granularity: Granularity, at: Timestamp) -> Option<Span> {
    let days = match granularity {
        Granularity::Hour => {
            let start = at.micros().checked_sub(at.micros().rem_euclid(HOUR_MICROS))?;
            let end = start.checked_add(HOUR_MICROS)?;
            return Some(Span { start: Timestamp::from_micros(start), end: Timestamp::from_micros(end) });
        }
        Granularity::Day => BudgetPeriod::Day,
        Granularity::Month => BudgetPeriod::Month,
        Granularity::Quarter => BudgetPeriod::Quarter,
    };
    let (first, next) = dates(days, 1, at.to_datetime()?.date_naive())?;
    let midnight = |date: NaiveDate| Timestamp::from(date.and_time(NaiveTime::MIN).and_utc());
    Some(Span { start: midnight(first), end: midnight(next) })
}

/// The calendar a budget is kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// Zone whose midnights begin periods.
    pub zone: Tz,
    /// Month that begins the fiscal year, 1 to 12.
    pub fiscal_year_start: u32,
}

impl Calendar {
    /// The period that holds an instant. `None` outside the years a calendar knows.
    pub fn period(&self, period: BudgetPeriod, at: Timestamp) -> Option<Span> {
        let local = self.zone.from_utc_datetime(&at.to_datetime()?.naive_utc()).date_naive();
        let (first, next) = dates(period, self.fiscal_year_start, local)?;
        Some(Span { start: self.midnight(first)?, end: self.midnight(next)? })
    }

    /// The first instant of a local date: where midnight is skipped, the first time after it; where it comes twice, the first.
    pub fn midnight(&self, date: NaiveDate) -> Option<Timestamp> {
        /// No zone ever skipped more than a day (Samoa, in 2011, skipped exactly one).
        const SKIPPED_MINUTES_MAX: i64 = 25 * 60;
        let midnight = date.and_time(NaiveTime::MIN);
        for minutes in 0..=SKIPPED_MINUTES_MAX {
            match self.zone.from_local_datetime(&midnight.checked_add_signed(TimeDelta::minutes(minutes))?) {
                LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => {
                    return Some(time.to_utc().into());
                }
                LocalResult::None => {}
            }
        }
        None
    }
}

/// First date of the period that holds a date, and of the one after it.
fn dates(period: BudgetPeriod, fiscal_year_start: u32, date: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    let months = match period {
        BudgetPeriod::Day => return Some((date, date.checked_add_days(Days::new(1))?)),
        BudgetPeriod::Month => 1,
        BudgetPeriod::Quarter => 3,
        BudgetPeriod::Year => 12,
    };
    let since_year_start = (date.month() + 12 - fiscal_year_start.clamp(1, 12)) % 12;
    let first = date.with_day(1)?.checked_sub_months(Months::new(since_year_start % months))?;
    Some((first, first.checked_add_months(Months::new(months))?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn check_window(granularity: Granularity, instant: &str, start: &str, end: &str) {
        assert_eq!(window(granularity, at(instant)), Some(Span { start: at(start), end: at(end) }));
    }

    fn check(zone: &str, fiscal_year_start: u32, period: BudgetPeriod, instant: &str, start: &str, end: &str) {
        let calendar = Calendar { zone: zone.parse().unwrap(), fiscal_year_start };
        assert_eq!(calendar.period(period, at(instant)), Some(Span { start: at(start), end: at(end) }));
    }

    #[test]
    fn windows_are_utc_hours_days_months_and_quarters() {
        let instant = "2026-11-22T10:59:59.999999Z";
        check_window(Granularity::Hour, instant, "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z");
        check_window(Granularity::Day, instant, "2026-11-22", "2026-11-23");
        check_window(Granularity::Month, instant, "2026-11-01", "2026-12-01");
        check_window(Granularity::Quarter, instant, "2026-10-01", "2027-01-01");
        check_window(Granularity::Hour, "1969-12-31T23:59:59Z", "1969-12-31T23:00:00Z", "1970-01-01");
    }

    #[test]
    fn february_of_a_leap_year_has_29_days() {
        check_window(Granularity::Day, "2028-02-29T12:00:00Z", "2028-02-29", "2028-03-01");
        check_window(Granularity::Month, "2028-02-29T12:00:00Z", "2028-02-01", "2028-03-01");
        check("UTC", 3, BudgetPeriod::Year, "2028-02-29T12:00:00Z", "2027-03-01", "2028-03-01");
    }

    #[test]
    fn a_month_in_new_york_begins_at_its_own_midnight_in_summer_and_winter_time() {
        let zone = "America/New_York";
        check(zone, 1, BudgetPeriod::Month, "2026-11-22T00:00:00Z", "2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z");
        check(zone, 1, BudgetPeriod::Month, "2026-11-01T03:59:59Z", "2026-10-01T04:00:00Z", "2026-11-01T04:00:00Z");
        check(zone, 1, BudgetPeriod::Month, "2026-03-15T00:00:00Z", "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z");
    }

    #[test]
    fn days_of_a_clock_change_have_23_and_25_hours() {
        let zone = "America/New_York";
        check(zone, 1, BudgetPeriod::Day, "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z");
        check(zone, 1, BudgetPeriod::Day, "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z");
    }

    #[test]
    fn a_day_whose_midnight_is_skipped_begins_at_the_first_time_after_it() {
        // Cairo put its clocks forward at midnight of 24 April 2026.
        check(
            "Africa/Cairo",
            1,
            BudgetPeriod::Day,
            "2026-04-24T10:00:00Z",
            "2026-04-23T22:00:00Z",
            "2026-04-24T21:00:00Z",
        );
    }

    #[test]
    fn a_day_whose_midnight_comes_twice_begins_at_the_first() {
        // Havana puts its clocks back from 1:00 to 0:00.
        let zone = "America/Havana";
        check(zone, 1, BudgetPeriod::Day, "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z");
    }

    #[test]
    fn a_fiscal_year_from_july_has_quarters_from_july_october_january_and_april() {
        let zone = "America/New_York";
        let july = "2026-07-01T04:00:00Z";
        check(zone, 7, BudgetPeriod::Year, "2026-11-22T00:00:00Z", july, "2027-07-01T04:00:00Z");
        check(zone, 7, BudgetPeriod::Year, "2026-06-30T23:00:00Z", "2025-07-01T04:00:00Z", july);
        check(zone, 7, BudgetPeriod::Quarter, "2026-08-15T00:00:00Z", july, "2026-10-01T04:00:00Z");
        check("UTC", 11, BudgetPeriod::Quarter, "2027-01-31T23:00:00Z", "2026-11-01", "2027-02-01");
    }

    proptest! {
        #[test]
        fn every_instant_is_in_its_period_and_periods_touch(
            micros in 0i64..4_102_444_800_000_000,
            zone in 0usize..chrono_tz::TZ_VARIANTS.len(),
            fiscal_year_start in 1u32..=12,
            period in 0usize..4,
        ) {
            let calendar = Calendar { zone: chrono_tz::TZ_VARIANTS[zone], fiscal_year_start };
            let period = BudgetPeriod::ALL[period];
            let instant = Timestamp::from_micros(micros);
            let span = calendar.period(period, instant).unwrap();
            prop_assert!(span.holds(instant));
            prop_assert_eq!(calendar.period(period, span.start), Some(span));
            prop_assert_eq!(calendar.period(period, span.end).unwrap().start, span.end);
        }
    }
}
