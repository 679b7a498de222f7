//! What must add up within the books of one stage for one source partition.

use schemas::{LedgerEntry, topics};

use super::{Break, Sums, add, place, show};

/// Something that the books of a stage state.
#[derive(Debug, Clone, Copy)]
enum Term {
    /// A named count.
    Count(&'static str),
    /// Every count whose name begins like this.
    Under(&'static str),
    /// A named count, taken off.
    Less(&'static str),
    /// What was taken from every source.
    Received,
    /// What was sent to a topic.
    Sent(&'static str),
}

use Term::{Count, Less, Received, Sent, Under};

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
    items("ingest", "rejected = its reasons together", &[Count("rejected")], &[Under("rejected.")]),
    items("ingest", "ignored = its reasons together", &[Count("ignored")], &[Under("ignored.")]),
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
        "items received = events + corrections + links",
        &[Received],
        &[Count("events"), Count("corrections"), Count("links")],
    ),
    items(
        "enrich",
        "events = originals + duplicates + superseded + conflicts + forwarded",
        &[Count("events")],
        &[Count("originals"), Count("duplicates"), Count("superseded"), Count("conflicts"), Count("forwarded")],
    ),
    items(
        "enrich",
        "originals + reversals + replacements + allocations = charges sent",
        &[Count("originals"), Count("reversals"), Count("replacements"), Count("allocations")],
        &[Sent(topics::CHARGES)],
    ),
    money(
        "enrich",
        "money of originals, reversals and replacements = money of the charges sent",
        &[Count("originals"), Count("reversals"), Count("replacements")],
        &[Sent(topics::CHARGES)],
    ),
    money("enrich", "money of allocations = nothing: they only move it", &[Count("allocations")], &[]),
    items("enrich", "forwarded + moved = items sent on to usage.events", &[Count("resent")], &[Sent(topics::EVENTS)]),
    items("combine", "charges received = charges counted", &[Received], &[Count("charges")]),
    money(
        "combine",
        "money of the charges, converted where it must be = money of the window sums sent",
        &[Received, Less("converted.from"), Count("converted.to")],
        &[Sent(topics::PARTIALS)],
    ),
    items(
        "combine",
        "window and budget sums = items sent to spend.partials",
        &[Under("partials.")],
        &[Sent(topics::PARTIALS)],
    ),
    items("merge", "sums received = sums counted", &[Received], &[Count("partials")]),
    money("merge", "money received = money of the sums counted", &[Received], &[Count("partials")]),
    money(
        "merge",
        "money received = money of the hours held and of those that came too late to be held",
        &[Received],
        &[Count("window_money"), Count("expired.hour")],
    ),
];

/// Checks every rule of the entry's stage.
pub(super) fn check(entry: &LedgerEntry, breaks: &mut Vec<Break>) {
    // What an operator had left out was received by nobody: then the two cannot be compared. The links still are.
    let whole = entry.received.iter().all(|row| row.skipped == 0)
        && entry.counts.iter().all(|count| count.name != "skipped_records");
    let comparable =
        |rule: &&Rule| whole || ![rule.left, rule.right].concat().iter().any(|term| matches!(term, Received));
    for rule in RULES.iter().filter(|rule| rule.stage == entry.stage).filter(comparable) {
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
                for count in entry.counts.iter().filter(|count| count.name == name) {
                    items += count.count;
                    add(&mut money, &count.money);
                }
            }
            Under(prefix) => {
                for count in entry.counts.iter().filter(|count| count.name.starts_with(prefix)) {
                    items += count.count;
                    add(&mut money, &count.money);
                }
            }
            Less(name) => {
                for count in entry.counts.iter().filter(|count| count.name == name) {
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
