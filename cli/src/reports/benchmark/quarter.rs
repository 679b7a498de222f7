//! A quarter of the calendar, in UTC.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

use crate::reports::question::Period;

/// A quarter, such as `2026Q4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarter {
    year: i32,
    /// 1 to 4.
    number: u32,
}

impl Quarter {
    /// The quarter before.
    pub fn previous(self) -> Self {
        match self.number {
            1 => Quarter { year: self.year - 1, number: 4 },
            number => Quarter { number: number - 1, ..self },
        }
    }

    /// Its days.
    pub fn days(self) -> Period {
        let first = |quarter: Quarter| NaiveDate::from_ymd_opt(quarter.year, quarter.number * 3 - 2, 1);
        let next = match self.number {
            4 => Quarter { year: self.year + 1, number: 1 },
            number => Quarter { number: number + 1, ..self },
        };
        Period { from: first(self), to: first(next).and_then(|day| day.pred_opt()) }
    }
}

impl FromStr for Quarter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once(['Q', 'q']).and_then(|(year, number)| {
            let whole = year.len() == 4 && year.bytes().all(|digit| digit.is_ascii_digit());
            Some(Quarter {
                year: year.parse().ok().filter(|year| whole && *year >= 1970)?,
                number: number.parse().ok()?,
            })
        });
        let parsed = parsed.filter(|quarter| (1..=4).contains(&quarter.number) && quarter.year < 2262);
        parsed.ok_or_else(|| "write the quarter as 2026Q4".to_owned())
    }
}

impl fmt::Display for Quarter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Q{}", self.year, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_has_its_days_and_one_before_it() {
        let quarter: Quarter = "2026Q4".parse().unwrap();
        let days = quarter.days();
        assert_eq!(days.from.unwrap().to_string(), "2026-10-01");
        assert_eq!(days.to.unwrap().to_string(), "2026-12-31");
        assert_eq!(quarter.previous().to_string(), "2026Q3");
        assert_eq!("2026q1".parse::<Quarter>().unwrap().previous().to_string(), "2025Q4");
        for wrong in ["2026", "2026Q5", "2026Q0", "26Q1", "Q4", "2026Q", "+026Q1"] {
            assert!(wrong.parse::<Quarter>().is_err(), "{wrong}");
        }
    }
}
