//! When a row of reference data holds, and when we came to know it.

use schemas::Timestamp;
use serde::{Deserialize, Serialize};

/// When a row holds, and when we came to know it. Both `[from, to)`; an end that is not stated is open.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Period {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_from: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_to: Option<Timestamp>,
}

impl Period {
    /// First instant it holds.
    pub fn from(&self) -> Timestamp {
        self.valid_from.unwrap_or(Timestamp::MIN)
    }

    /// First instant it no longer holds.
    pub fn to(&self) -> Timestamp {
        self.valid_to.unwrap_or(Timestamp::MAX)
    }

    /// Whether it holds then.
    pub fn holds(&self, time: Timestamp) -> bool {
        self.from() <= time && time < self.to()
    }

    /// Whether both hold at some time.
    pub fn overlaps(&self, other: &Period) -> bool {
        self.from() < other.to() && other.from() < self.to()
    }

    /// Whether it was known then.
    pub fn known_at(&self, as_of: Timestamp) -> bool {
        self.known_from.is_none_or(|from| from <= as_of) && self.known_to.is_none_or(|to| as_of < to)
    }
}

/// Rows about one thing, of which the one that began last holds.
///
/// A new row takes over from an open one at its `valid_from`, so nothing that was published needs to be edited.
#[derive(Debug)]
pub(crate) struct Dated<T>(Vec<(Period, T)>);

impl<T> Default for Dated<T> {
    fn default() -> Self {
        Dated(Vec::new())
    }
}

/// Two rows about one thing that cannot both be right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Contradiction {
    /// They begin at the same time.
    SameStart,
    /// One is said to hold until after the other begins.
    Overlap,
}

impl<T> Dated<T> {
    /// Adds a row; the first contradiction with those there, if any.
    pub fn add(&mut self, period: Period, row: T) -> Option<Contradiction> {
        let contradicts = |other: &Period| {
            let (first, second) = if other.from() <= period.from() { (other, &period) } else { (&period, other) };
            if first.from() == second.from() {
                // What was learnt later corrects what was known before.
                (first.known_from == second.known_from).then_some(Contradiction::SameStart)
            } else {
                first.valid_to.is_some_and(|to| to > second.from()).then_some(Contradiction::Overlap)
            }
        };
        let contradiction = self.0.iter().find_map(|(other, _)| contradicts(other));
        self.0.push((period, row));
        self.0.sort_by_key(|(period, _)| std::cmp::Reverse((period.from(), period.known_from)));
        contradiction
    }

    /// The row that holds then.
    pub fn at(&self, time: Timestamp) -> Option<&T> {
        self.0.iter().find(|(period, _)| period.holds(time)).map(|(_, row)| row)
    }

    /// What holds when, oldest first: `[from, to)`, where a later row takes over from an open one.
    pub fn spans(&self) -> impl Iterator<Item = (Timestamp, Timestamp, &T)> {
        let ends = self.0.iter().map(|(period, _)| period.from());
        let ends: Vec<Timestamp> = std::iter::once(Timestamp::MAX).chain(ends).collect();
        let spans = self.0.iter().zip(ends).map(|((period, row), next)| (period.from(), period.to().min(next), row));
        spans.filter(|(from, to, _)| from < to).collect::<Vec<_>>().into_iter().rev()
    }

    /// First gap between two rows, `[from, to)`.
    pub fn gap(&self) -> Option<(Timestamp, Timestamp)> {
        let between = |pair: &[(Period, T)]| {
            let (from, to) = (pair[1].0.to(), pair[0].0.from());
            (from < to).then_some((from, to))
        };
        self.0.windows(2).find_map(between)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(from: &str, to: &str) -> Period {
        let time = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        Period { valid_from: time(from), valid_to: time(to), ..Period::default() }
    }

    #[test]
    fn a_later_row_takes_over_from_an_open_one_at_its_first_instant() {
        let mut rows = Dated::default();
        assert_eq!(rows.add(period("", ""), "old"), None);
        assert_eq!(rows.add(period("2026-10-14", ""), "new"), None);
        assert_eq!(rows.at("2026-10-13T23:59:59.999999Z".parse().unwrap()), Some(&"old"));
        assert_eq!(rows.at("2026-10-14".parse().unwrap()), Some(&"new"));
        assert_eq!(rows.gap(), None);
    }

    #[test]
    fn rows_that_cannot_both_be_right_are_told_apart_from_gaps() {
        let mut rows = Dated::default();
        rows.add(period("2026-01-01", "2026-06-01"), 1);
        assert_eq!(rows.add(period("2026-01-01", ""), 2), Some(Contradiction::SameStart));
        assert_eq!(rows.add(period("2026-05-01", ""), 3), Some(Contradiction::Overlap));
        let mut rows = Dated::default();
        rows.add(period("2026-01-01", "2026-06-01"), 1);
        assert_eq!(rows.add(period("2026-07-01", ""), 2), None);
        assert_eq!(rows.gap(), Some(("2026-06-01".parse().unwrap(), "2026-07-01".parse().unwrap())));
    }
}
