//! What the books of `combine` and `merge` must add up to at every moment.

use schemas::topics;
use stream::rules::Rule;
use stream::rules::Term::{Count, Less, Received, Sent, Under};

/// The rules of a partition of `usage.charges` (combine) and of `spend.partials` (merge).
pub const RULES: &[Rule] = &[
    Rule::both("combine", "charges received = charges counted", &[Received], &[Count("charges")]),
    Rule::money(
        "combine",
        "money of the charges, converted where it must be = money of the window sums",
        &[Count("charges"), Less("converted.from"), Count("converted.to")],
        &[Count("partials.window")],
    ),
    Rule::money(
        "combine",
        "money of the window sums = money sent to spend.partials",
        &[Count("partials.window")],
        &[Sent(topics::PARTIALS)],
    ),
    Rule::items(
        "combine",
        "window and budget sums = items sent to spend.partials",
        &[Under("partials.")],
        &[Sent(topics::PARTIALS)],
    ),
    Rule::both("merge", "sums received = sums counted", &[Received], &[Count("partials")]),
    Rule::money(
        "merge",
        "money of the sums = money of the hours held and of those that came too late to be held",
        &[Count("partials")],
        &[Count("window_money"), Count("expired.hour")],
    ),
];
