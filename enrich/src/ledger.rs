//! What enrich's books must add up to at every moment.

use schemas::topics;
use stream::rules::Rule;
use stream::rules::Term::{Count, Received, Sent};

/// The rules of a partition of `usage.events`.
pub const RULES: &[Rule] = &[
    Rule::items(
        "enrich",
        "items received = events + corrections + links",
        &[Received],
        &[Count("events"), Count("corrections"), Count("links")],
    ),
    Rule::items(
        "enrich",
        "events = originals + duplicates + superseded + conflicts + forwarded",
        &[Count("events")],
        &[Count("originals"), Count("duplicates"), Count("superseded"), Count("conflicts"), Count("forwarded")],
    ),
    Rule::both(
        "enrich",
        "charges = originals + reversals + replacements + allocations",
        &[Count("charges")],
        &[Count("originals"), Count("reversals"), Count("replacements"), Count("allocations")],
    ),
    Rule::both("enrich", "charges = items sent to usage.charges", &[Count("charges")], &[Sent(topics::CHARGES)]),
    Rule::money("enrich", "money of allocations = nothing: they only move it", &[Count("allocations")], &[]),
    Rule::items(
        "enrich",
        "reversals = replacements + links moved",
        &[Count("reversals")],
        &[Count("replacements"), Count("links.moved")],
    ),
    Rule::items(
        "enrich",
        "resent = forwarded + links moved",
        &[Count("resent")],
        &[Count("forwarded"), Count("links.moved")],
    ),
    Rule::items("enrich", "resent = items sent on to usage.events", &[Count("resent")], &[Sent(topics::EVENTS)]),
    Rule::items(
        "enrich",
        "corrections = applied + parked + ignored + expired + refused",
        &[Count("corrections")],
        &[
            Count("corrections.applied"),
            Count("corrections.parked"),
            Count("corrections.ignored"),
            Count("corrections.expired"),
            Count("corrections.refused"),
        ],
    ),
];
