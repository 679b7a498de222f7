//! Days of a budget's period, which begins and ends at midnight where the budget is kept.

use chrono::{Datelike, NaiveDate};
use schemas::{BudgetPeriod, Timestamp};

/// The date a period begins on where its budget is kept: the midnight that is nearest. Where clocks are more than twelve hours
/// ahead of UTC that is a day early, which shows in periods that begin with a month. `None` off the calendar.
pub fn first_day(period: BudgetPeriod, start: Timestamp) -> Option<NaiveDate> {
    let nearest = start.plus_seconds(12 * 3_600).to_datetime()?.date_naive();
    let next = nearest.succ_opt()?;
    Some(if period != BudgetPeriod::Day && next.day() == 1 { next } else { nearest })
}

/// The date a period ends with where its budget is kept: the day before the next one begins.
pub fn last_day(period: BudgetPeriod, end: Timestamp) -> Option<NaiveDate> {
    first_day(period, end)?.pred_opt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_begins_on_the_date_of_its_own_clock() {
        for (period, start, date) in [
            (BudgetPeriod::Month, "2026-11-01T00:00:00Z", "2026-11-01"),
            // Berlin, New York, Tokyo, Auckland in summer, Honolulu.
            (BudgetPeriod::Month, "2026-10-31T23:00:00Z", "2026-11-01"),
            (BudgetPeriod::Quarter, "2026-10-01T04:00:00Z", "2026-10-01"),
            (BudgetPeriod::Year, "2026-03-31T15:00:00Z", "2026-04-01"),
            (BudgetPeriod::Month, "2026-10-31T11:00:00Z", "2026-11-01"),
            (BudgetPeriod::Month, "2026-11-01T10:00:00Z", "2026-11-01"),
            (BudgetPeriod::Day, "2026-11-29T23:00:00Z", "2026-11-30"),
            (BudgetPeriod::Day, "2026-11-30T05:00:00Z", "2026-11-30"),
        ] {
            assert_eq!(first_day(period, start.parse().unwrap()).unwrap().to_string(), date, "{period} from {start}");
        }
        let berlin = last_day(BudgetPeriod::Month, "2026-11-30T23:00:00Z".parse().unwrap());
        assert_eq!(berlin.unwrap().to_string(), "2026-11-30");
    }
}
