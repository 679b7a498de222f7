//! What must add up within the books of one stage for one source partition.

use schemas::{LedgerEntry, topics};

use super::{Break, Sums, add, place, show};

/// Something that the books of a stage state.
#[derive(Debug, Clone, Copy)]
enum Term {
    /// A named count, and every count under its name (`rejected` and `rejected.malformed`).
    Count(&'static str),
    /// The same, taken off.
    Less(&'static str),
    /// What was taken from every source.
    Received,
    /// What was sent to a topic.
    Sent(&'static str),
}

use Term::{Count, Less, Received, Sent};

/// Two sums that must be equal: in items, in money, or both.
struct Rule {
    stage: &'static str,
    /// The rule in words.
    says: &'static str,
    left: &'static [Term],
    right: &'static [Term],
    items: bool,
    money: bool,
}

const fn items(stage: &'static str, says: &'static str, left: &'static [Term], right: &'static [Term]) -> Rule {
    Rule { stage, says, left, right, items: true, money: false }
}

const fn money(stage: &'static str, says: &'static str, left: &'static [Term], right: &'static [Term]) -> Rule {
    Rule { stage, says, left, right, items: false, money: true }
}

const RULES: &[Rule] = &[
    items(
        "ingest",
        "items = events + corrections + facts + rejected + ignored",
        &[Count("items")],
        &[Count("events"), Count("corrections"), Count("facts"), Count("rejected"), Count("ignored")],
    ),
    items(
        "ingest",
        "events + corrections + links = items sent to usage.events",
        &[Count("events"), Count("corrections"), Count("links")],
        &[Sent(topics::EVENTS)],
    ),
    items("ingest", "facts = items sent to usage.facts", &[Count("facts")], &[Sent(topics::FACTS)]),
    items("ingest", "rejected = items sent to usage.rejected", &[Count("rejected")], &[Sent(topics::REJECTED)]),
    items(
        "enrich",
        "events = originals + duplicates + superseded + conflicts",
        &[Count("events")],
        &[Count("originals"), Count("duplicates"), Count("superseded"), Count("conflicts")],
    ),
    items(
        "enrich",
        "originals + reversals + replacements + allocations = charges sent",
        &[Count("originals"), Count("reversals"), Count("replacements"), Count("allocations")],
        &[Sent(topics::CHARGES)],
    ),
    money(
        "enrich",
        "money of originals, reversals, replacements and allocations = money of the charges sent",
        &[Count("originals"), Count("reversals"), Count("replacements"), Count("allocations")],
        &[Sent(topics::CHARGES)],
    ),
    items("combine", "charges taken = charges counted", &[Received], &[Count("charges")]),
    money(
        "combine",
        "money of the charges, converted where it must be = money of the window sums sent",
        &[Received, Less("converted.from"), Count("converted.to")],
        &[Sent(topics::PARTIALS)],
    ),
    items(
        "combine",
        "window and budget sums = items sent to spend.partials",
        &[Count("partials")],
        &[Sent(topics::PARTIALS)],
    ),
];

/// Checks every rule of the entry's stage.
pub(super) fn check(entry: &LedgerEntry, breaks: &mut Vec<Break>) {
    for rule in RULES.iter().filter(|rule| rule.stage == entry.stage) {
        let (left, right) = (side(rule.left, entry), side(rule.right, entry));
        let mut broken = |left: String, right: String| {
            breaks.push(Break {
                stage: entry.stage.to_string(),
                at: place(entry),
                sequence: Some(entry.transaction),
                message: format!("{}: {left} on the left, {right} on the right (as of that transaction)", rule.says),
            });
        };
        if rule.items && left.0 != right.0 {
            broken(left.0.to_string(), right.0.to_string());
        }
        if rule.money && left.1 != right.1 {
            broken(show(&left.1), show(&right.1));
        }
    }
}

fn side(terms: &[Term], entry: &LedgerEntry) -> (i64, Sums) {
    let (mut items, mut money) = (0, Sums::new());
    for term in terms {
        match *term {
            Count(name) => {
                for count in entry.counts.iter().filter(|count| named(&count.name, name)) {
                    items += count.count;
                    add(&mut money, &count.money);
                }
            }
            Less(name) => {
                for count in entry.counts.iter().filter(|count| named(&count.name, name)) {
                    items -= count.count;
                    for sum in &count.money {
                        *money.entry(sum.currency.clone()).or_default() -= sum.amount.picos();
                    }
                    money.retain(|_, picos| *picos != 0);
                }
            }
            Received => {
                for received in &entry.received {
                    items += received.items_counted;
                    add(&mut money, &received.money_counted);
                }
            }
            Sent(topic) => {
                for sent in entry.sent.iter().filter(|sent| sent.topic == topic) {
                    items += sent.items;
                    add(&mut money, &sent.money);
                }
            }
        }
    }
    (items, money)
}

fn named(name: &str, wanted: &str) -> bool {
    name == wanted || name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'))
}
