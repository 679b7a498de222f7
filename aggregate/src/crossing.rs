//! Whether a threshold is crossed: facts in, decision out.
//!
//! Per budget revision and period, `up` fires exactly once if the final net reaches the threshold, never if the gross
//! never did, otherwise at most once. `down` comes only after `up`, when the watermark has passed `booked_at` + grace and
//! spend is still below; it re-arms the threshold for a new episode.

use schemas::{Direction, Money, Timestamp};

/// What is remembered of one threshold of one budget revision in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// Counts the times it was armed, from 1.
    pub episode: i32,
    /// True between `up` and `down`.
    pub up: bool,
    /// While up: `booked_at` of what took spend below it; null while spend is not below.
    pub below_since: Option<Timestamp>,
}

impl Crossing {
    /// Armed for the first time.
    pub const ARMED: Crossing = Crossing { episode: 1, up: false, below_since: None };
}

/// What is known at the moment of decision.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Amount that reaches the threshold; `None` when the budget no longer has such a threshold.
    pub limit: Option<Money>,
    /// False for a revision that another has taken over from: it may come down, but no longer go up.
    pub in_force: bool,
    /// Spend in the period, net of corrections.
    pub net: Money,
    /// Latest `booked_at` among what made up that spend.
    pub booked_at: Timestamp,
    /// Nothing that arrived earlier is still to come.
    pub watermark: Timestamp,
    /// Seconds for which spend must stay below.
    pub grace_seconds: i64,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// To be remembered.
    pub crossing: Crossing,
    /// To be fired, with the episode it belongs to.
    pub fire: Option<(Direction, i32)>,
}

/// Decides on one threshold.
///
/// The net never exceeds the gross (it is the gross less what was taken back), so looking at the net is enough for
/// "never if the gross never did".
pub fn decide(crossing: Crossing, facts: &Facts) -> Decision {
    let reached = facts.limit.is_some_and(|limit| facts.net >= limit);
    let still = |crossing| Decision { crossing, fire: None };
    match (crossing.up, reached) {
        (false, true) if facts.in_force => Decision {
            crossing: Crossing { up: true, below_since: None, ..crossing },
            fire: Some((Direction::Up, crossing.episode)),
        },
        (false, _) => still(crossing),
        (true, true) => still(Crossing { below_since: None, ..crossing }),
        (true, false) => {
            let since = crossing.below_since.unwrap_or(facts.booked_at);
            if facts.watermark > since.plus_seconds(facts.grace_seconds) {
                Decision {
                    crossing: Crossing { episode: crossing.episode.saturating_add(1), up: false, below_since: None },
                    fire: Some((Direction::Down, crossing.episode)),
                }
            } else {
                still(Crossing { below_since: Some(since), ..crossing })
            }
        }
    }
}

#[cfg(test)]
mod tests;
