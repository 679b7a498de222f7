//! What ingest's books must add up to at every moment.

use schemas::topics;
use stream::rules::Rule;
use stream::rules::Term::{Count, Sent, Under};

/// The rules of a partition of a raw topic.
pub const RULES: &[Rule] = &[
    Rule::items(
        "ingest",
        "items = events + corrections + facts + rejected + ignored",
        &[Count("items")],
        &[Count("events"), Count("corrections"), Count("facts"), Count("rejected"), Count("ignored")],
    ),
    Rule::items("ingest", "rejected = its reasons together", &[Count("rejected")], &[Under("rejected.")]),
    Rule::items("ingest", "ignored = its reasons together", &[Count("ignored")], &[Under("ignored.")]),
    Rule::items(
        "ingest",
        "events + corrections + links = items sent to usage.events",
        &[Count("events"), Count("corrections"), Count("links")],
        &[Sent(topics::EVENTS)],
    ),
    Rule::items("ingest", "facts = items sent to usage.facts", &[Count("facts")], &[Sent(topics::FACTS)]),
    Rule::items("ingest", "rejected = items sent to usage.rejected", &[Count("rejected")], &[Sent(topics::REJECTED)]),
];
