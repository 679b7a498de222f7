//! What to do next about one alert on one route. Pure: the record of what happened in, a decision out.

use schemas::{Id128, Timestamp};
use serde::{Deserialize, Serialize};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// The receiver does not have it, and may take it later.
    Refused {
        /// Why.
        why: String,
        /// How long it asks to be left alone.
        after_seconds: Option<i64>,
    },
    /// Nobody knows whether the receiver has it: no answer came.
    Unknown {
        /// Why.
        why: String,
    },
    /// The receiver will never take it, as things stand.
    Rejected {
        /// Why.
        why: String,
    },
}

/// One attempt. Without an outcome the process died in between, or is still at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it was recorded, just before it was made.
    pub at: Timestamp,
    /// When and how it ended.
    pub outcome: Option<(Timestamp, Outcome)>,
}

/// How persistent a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Attempts until an alert is given up as a dead letter.
    pub attempts_max: u32,
    /// Wait after the first failure; doubles with each.
    pub backoff_micros: i64,
    /// Longest wait, also when the receiver asks for more.
    pub backoff_max_micros: i64,
    /// For so long an attempt without an outcome may still be under way, in a process that was taken over from.
    pub under_way_micros: i64,
    /// Alerts that may wait for it. More are left in the topic, for all routes, while it works; while it does not, they
    /// are dead letters of this route.
    pub waiting_max: usize,
}

impl Default for Policy {
    /// Twelve attempts over about three hours.
    fn default() -> Self {
        Policy {
            attempts_max: 12,
            backoff_micros: 2_000_000,
            backoff_max_micros: 1_800_000_000,
            under_way_micros: 20_000_000,
            waiting_max: 10_000,
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Send, as the attempt of this number, from 1. `repeats` when an earlier one may have arrived.
    Send {
        /// Number of the attempt.
        number: u32,
        /// True when an earlier attempt may have arrived.
        repeats: bool,
    },
    /// Nothing before this time.
    Wait(Timestamp),
    /// Nothing any more.
    Done(Fate),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The receiver has it.
    Delivered,
    /// Given up; `spendstream alerts resend` tries again.
    Dead {
        /// The last reason.
        why: String,
    },
}

/// Decides about one alert on one route.
///
/// The wait between attempts is spread by the alert's id instead of by chance, so that a restart decides the same.
pub fn next(attempts: &[Attempt], alert: Id128, policy: &Policy, now: Timestamp) -> Next {
    let number = attempts.len() as u32;
    let delivered = |attempt: &Attempt| matches!(attempt.outcome, Some((_, Outcome::Delivered)));
    if attempts.iter().any(delivered) {
        return Next::Done(Fate::Delivered);
    }
    let Some(last) = attempts.last() else { return Next::Send { number: 1, repeats: false } };
    let (ended, why, asked) = match &last.outcome {
        None => (later(last.at, policy.under_way_micros), "the process ended before an answer came".to_owned(), None),
        Some((_, Outcome::Rejected { why })) => return Next::Done(Fate::Dead { why: why.clone() }),
        Some((at, Outcome::Unknown { why })) => (*at, why.clone(), None),
        Some((at, Outcome::Refused { why, after_seconds })) => (*at, why.clone(), *after_seconds),
        Some((_, Outcome::Delivered)) => return Next::Done(Fate::Delivered),
    };
    if number >= policy.attempts_max {
        return Next::Done(Fate::Dead { why });
    }
    let asked = asked.unwrap_or(0).saturating_mul(1_000_000);
    let wait = asked.max(backoff(number, alert, policy)).min(policy.backoff_max_micros);
    let at = later(ended, wait);
    // An end far in the future is one by a clock that was set back meanwhile: it may be days until that has caught up.
    if now < at && ended <= later(now, policy.backoff_max_micros) {
        return Next::Wait(at);
    }
    let unknown = |attempt: &Attempt| matches!(attempt.outcome, None | Some((_, Outcome::Unknown { .. })));
    Next::Send { number: number + 1, repeats: attempts.iter().any(unknown) }
}

fn later(at: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(at.micros().saturating_add(micros))
}

/// Between half and all of a wait that doubles with each failure.
fn backoff(failures: u32, alert: Id128, policy: &Policy) -> i64 {
    let full = policy.backoff_micros.saturating_mul(1_i64.checked_shl(failures.saturating_sub(1)).unwrap_or(i64::MAX));
    let full = full.clamp(0, policy.backoff_max_micros);
    let spread = i64::from(alert.0[(failures as usize) % alert.0.len()]);
    full / 2 + full / 2 * spread / 255
}

/// Keeps a route that does not answer from being asked all the time. One per route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Circuit {
    failures: u32,
    /// From when and until when nothing is sent.
    closed: Option<(Timestamp, Timestamp)>,
}

impl Circuit {
    /// Failures in a row after which it opens.
    const FAILURES_MAX: u32 = 5;

    /// Takes note of an outcome. A rejection is an answer: the route works.
    pub fn note(&mut self, outcome: &Outcome, policy: &Policy, now: Timestamp) {
        match outcome {
            Outcome::Delivered | Outcome::Rejected { .. } => *self = Circuit::default(),
            Outcome::Refused { .. } | Outcome::Unknown { .. } => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= Self::FAILURES_MAX {
                    let doubled = 1_i64 << (self.failures - Self::FAILURES_MAX).min(20);
                    let wait = policy.backoff_micros.saturating_mul(4 * doubled).min(policy.backoff_max_micros);
                    self.closed = Some((now, later(now, wait)));
                }
            }
        }
    }

    /// True from the failure that opened it until something arrives.
    pub fn is_broken(&self) -> bool {
        self.closed.is_some()
    }

    /// Until when nothing is sent; after that one attempt shows whether it works again.
    pub fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        // At a time before it was closed the clock was set back.
        self.closed.filter(|(from, until)| (*from..*until).contains(&now)).map(|(_, until)| until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::from_micros(1_000_000_000_000_000);
    const ALERT: Id128 = Id128([255; 16]);

    fn refused(at: i64, after_seconds: Option<i64>) -> Attempt {
        let at = T0.plus_seconds(at);
        Attempt { at, outcome: Some((at, Outcome::Refused { why: "500".to_owned(), after_seconds })) }
    }

    fn ended(outcome: Option<Outcome>) -> Attempt {
        Attempt { at: T0, outcome: outcome.map(|outcome| (T0, outcome)) }
    }

    fn decide(attempts: &[Attempt], at: i64) -> Next {
        next(attempts, ALERT, &Policy::default(), T0.plus_seconds(at))
    }

    #[test]
    fn a_refusal_waits_twice_as_long_each_time_and_longer_when_asked_to() {
        assert_eq!(decide(&[], 0), Next::Send { number: 1, repeats: false });
        assert_eq!(decide(&[refused(0, None)], 1), Next::Wait(T0.plus_seconds(2)));
        assert_eq!(decide(&[refused(0, None)], 2), Next::Send { number: 2, repeats: false });
        assert_eq!(decide(&[refused(0, None), refused(2, None)], 3), Next::Wait(T0.plus_seconds(6)));
        assert_eq!(decide(&[refused(0, Some(60))], 3), Next::Wait(T0.plus_seconds(60)));
        assert_eq!(decide(&[refused(0, Some(i64::MAX))], 3), Next::Wait(T0.plus_seconds(1800)));
        // Another alert waits less, so that many do not come back at once.
        let sooner = next(&[refused(0, None)], Id128([0; 16]), &Policy::default(), T0);
        assert_eq!(sooner, Next::Wait(T0.plus_seconds(1)));
    }

    #[test]
    fn an_attempt_without_an_answer_is_repeated_and_says_so() {
        let silent = [ended(None)];
        assert_eq!(decide(&silent, 10), Next::Wait(T0.plus_seconds(22)));
        assert_eq!(decide(&silent, 22), Next::Send { number: 2, repeats: true });
        let unknown = [ended(Some(Outcome::Unknown { why: "timeout".to_owned() })), refused(5, None)];
        assert_eq!(decide(&unknown, 60), Next::Send { number: 3, repeats: true });
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_up_for_as_long() {
        assert_eq!(decide(&[refused(0, None)], -1800), Next::Wait(T0.plus_seconds(2)));
        assert_eq!(decide(&[refused(0, None)], -1801), Next::Send { number: 2, repeats: false });
        let (policy, mut circuit) = (Policy::default(), Circuit::default());
        let refused = Outcome::Refused { why: "500".to_owned(), after_seconds: None };
        (0..5).for_each(|_| circuit.note(&refused, &policy, T0));
        assert_eq!(circuit.open_until(T0.plus_seconds(-1)), None);
        assert!(circuit.is_broken());
    }

    #[test]
    fn it_ends_delivered_or_dead() {
        let delivered = [refused(0, None), ended(Some(Outcome::Delivered))];
        assert_eq!(decide(&delivered, 0), Next::Done(Fate::Delivered));
        let rejected = [ended(Some(Outcome::Rejected { why: "no such channel".to_owned() }))];
        assert_eq!(decide(&rejected, 0), Next::Done(Fate::Dead { why: "no such channel".to_owned() }));
        let often: Vec<Attempt> = (0..12).map(|at| refused(at, None)).collect();
        assert_eq!(decide(&often, 1_000_000), Next::Done(Fate::Dead { why: "500".to_owned() }));
    }

    #[test]
    fn a_dead_route_is_left_alone_longer_and_longer_and_a_success_heals_it() {
        let (policy, mut circuit) = (Policy::default(), Circuit::default());
        let refused = Outcome::Refused { why: "500".to_owned(), after_seconds: None };
        (0..4).for_each(|_| circuit.note(&refused, &policy, T0));
        assert_eq!(circuit.open_until(T0), None);
        circuit.note(&refused, &policy, T0);
        assert_eq!(circuit.open_until(T0), Some(T0.plus_seconds(8)));
        assert_eq!(circuit.open_until(T0.plus_seconds(8)), None);
        assert!(circuit.is_broken());
        circuit.note(&refused, &policy, T0);
        assert_eq!(circuit.open_until(T0), Some(T0.plus_seconds(16)));
        (0..100).for_each(|_| circuit.note(&refused, &policy, T0));
        assert_eq!(circuit.open_until(T0), Some(T0.plus_seconds(1800)));
        circuit.note(&Outcome::Delivered, &policy, T0);
        assert_eq!(circuit, Circuit::default());
    }
}
