//! Hours of the week by the wall clock of a time zone.

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};
use chrono_tz::Tz;
use schemas::Timestamp;

use super::when;

const DAY: u16 = 24 * 60;
const WEEK: u16 = 7 * DAY;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Compiled [`when::Hours`]: minutes of the week, from Monday 00:00 local time, in `[start, end)`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hours {
    zone: Tz,
    windows: Vec<(u16, u16)>,
    except: Vec<NaiveDate>,
}

impl Hours {
    /// Compiles hours; `calendar` gives the days of a calendar by its name.
    pub fn compile<'a>(
        hours: &when::Hours,
        calendar: impl Fn(&str) -> Option<&'a [NaiveDate]>,
    ) -> Result<Self, (String, &'static str)> {
        let zone = hours.zone.parse::<Tz>();
        let zone =
            zone.map_err(|_| (format!("{:?} is no time zone", hours.zone), "use an IANA name such as Europe/Berlin"))?;
        let mut days = Vec::new();
        for day in &hours.days {
            let index = DAYS.iter().position(|name| name == day);
            days.push(index.ok_or_else(|| (format!("{day:?} is no day"), "use mon, tue, wed, thu, fri, sat or sun"))?);
        }
        if days.is_empty() {
            days.extend(0..7);
        }
        let mut windows = Vec::new();
        for window in &hours.windows {
            let (start, end) = parse_window(window)
                .ok_or_else(|| (format!("{window:?} is no window of time"), "write it as 09:00-17:30"))?;
            for day in &days {
                let start = *day as u16 * DAY + start;
                let end = *day as u16 * DAY + end + if end <= start % DAY { DAY } else { 0 };
                // Sunday night may run into Monday morning, which is at the other end of the scale.
                windows.push((start, end.min(WEEK)));
                if end > WEEK {
                    windows.push((0, end - WEEK));
                }
            }
        }
        if windows.is_empty() {
            return Err(("hours without windows never hold".to_string(), "add a window such as 09:00-17:30"));
        }
        windows.sort_unstable();
        let except = match &hours.except {
            None => Vec::new(),
            Some(name) => calendar(name)
                .ok_or_else(|| (format!("calendar {name:?} is not in the book"), "add it under calendars"))?
                .to_vec(),
        };
        Ok(Hours { zone, windows, except })
    }

    /// Whether the hours hold then.
    pub fn holds(&self, time: Timestamp) -> bool {
        let Some(time) = time.to_datetime() else { return false };
        let local = time.with_timezone(&self.zone).naive_local();
        let minute = local.weekday().num_days_from_monday() as u16 * DAY + (local.hour() * 60 + local.minute()) as u16;
        self.windows.iter().any(|(start, end)| (*start..*end).contains(&minute)) && !self.except.contains(&local.date())
    }

    /// Whether some instant may lie in both. Hours of different zones are taken to meet.
    pub fn meets(&self, other: &Hours) -> bool {
        let crosses = |(a, b): &(u16, u16)| other.windows.iter().any(|(c, d)| a < d && c < b);
        self.zone != other.zone || self.windows.iter().any(crosses)
    }
}

/// Minutes of the day of `HH:MM-HH:MM`; `24:00` is the end of the day.
fn parse_window(text: &str) -> Option<(u16, u16)> {
    let minutes = |text: &str| {
        if text == "24:00" {
            return Some(DAY);
        }
        let time = NaiveTime::parse_from_str(text, "%H:%M").ok()?;
        Some((time.hour() * 60 + time.minute()) as u16)
    };
    let (start, end) = text.split_once('-')?;
    let (start, end) = (minutes(start.trim())?, minutes(end.trim())?);
    (start < DAY).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(zone: &str, days: &[&str], windows: &[&str]) -> Hours {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).into()).collect();
        let hours = when::Hours {
            zone: zone.into(),
            days: texts(days),
            windows: texts(windows),
            except: Some("holidays".into()),
        };
        let holidays = [NaiveDate::from_ymd_opt(2026, 10, 1).unwrap()];
        Hours::compile(&hours, |name| (name == "holidays").then_some(&holidays[..])).unwrap()
    }

    fn check(hours: &Hours, time: &str, holds: bool) {
        assert_eq!(hours.holds(time.parse().unwrap()), holds, "{time}");
    }

    #[test]
    fn a_window_includes_its_start_and_not_its_end_nor_other_days_nor_holidays() {
        let peak = hours("UTC", &["mon", "tue", "wed", "thu", "fri"], &["01:00-04:00", "06:00-10:00"]);
        check(&peak, "2026-11-20T00:59:59.999999Z", false);
        check(&peak, "2026-11-20T01:00:00Z", true);
        check(&peak, "2026-11-20T03:59:59.999999Z", true);
        check(&peak, "2026-11-20T04:00:00Z", false);
        check(&peak, "2026-11-21T02:00:00Z", false); // a Saturday
        check(&peak, "2026-10-01T02:00:00Z", false); // a holiday, and a Thursday
    }

    #[test]
    fn a_window_across_midnight_belongs_to_the_day_it_starts_on() {
        let night = hours("UTC", &["sun"], &["22:00-06:00"]);
        check(&night, "2026-11-22T23:00:00Z", true); // Sunday
        check(&night, "2026-11-23T05:59:00Z", true); // Monday morning
        check(&night, "2026-11-22T05:00:00Z", false);
    }

    #[test]
    fn windows_follow_the_wall_clock_through_a_change_to_winter_time() {
        let office = hours("Europe/Berlin", &[], &["09:00-17:00"]);
        check(&office, "2026-10-24T07:00:00Z", true); // 09:00 CEST
        check(&office, "2026-10-25T07:00:00Z", false); // 08:00 CET
        check(&office, "2026-10-25T08:00:00Z", true); // 09:00 CET
    }
}
