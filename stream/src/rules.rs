//! What must add up within the books of one stage for one source partition. Each service states its own rules.

use std::collections::BTreeMap;

use schemas::{CurrencySum, LedgerEntry, Text};

/// Sums by currency in picounits, zeros left out.
pub type Sums = BTreeMap<Text, i128>;

/// Adds money to sums. One that leaves an `i128` stays at its edge, and so shows as a difference.
pub fn add(to: &mut Sums, money: &[CurrencySum]) {
    for sum in money {
        let total = to.entry(sum.currency.clone()).or_default();
        *total = total.saturating_add(sum.amount.picos());
    }
    to.retain(|_, picos| *picos != 0);
}

/// Something that the books of a stage state.
#[derive(Debug, Clone, Copy)]
pub enum Term {
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

/// Two sums that must be equal: in items, in money, or both.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    stage: &'static str,
    says: &'static str,
    left: &'static [Term],
    right: &'static [Term],
    items: bool,
    money: bool,
}

impl Rule {
    /// A rule of a stage about numbers of items; `says` tells it in words.
    pub const fn items(stage: &'static str, says: &'static str, left: &'static [Term], right: &'static [Term]) -> Self {
        Rule { stage, says, left, right, items: true, money: false }
    }

    /// A rule about money.
    pub const fn money(stage: &'static str, says: &'static str, left: &'static [Term], right: &'static [Term]) -> Self {
        Rule { stage, says, left, right, items: false, money: true }
    }

    /// A rule about both.
    pub const fn both(stage: &'static str, says: &'static str, left: &'static [Term], right: &'static [Term]) -> Self {
        Rule { stage, says, left, right, items: true, money: true }
    }
}

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The rule in words.
    pub says: &'static str,
    /// Items on its left and on its right, where these differ.
    pub items: Option<(i64, i64)>,
    /// Money on either side, where it differs.
    pub money: Option<(Sums, Sums)>,
}

/// Every rule of the entry's stage that its books break.
pub fn check(rules: &[Rule], entry: &LedgerEntry) -> Vec<Breach> {
    // What an operator had left out was received by nobody: then the two cannot be compared. The links still are.
    let whole = entry.received.iter().all(|row| row.skipped == 0)
        && entry.counts.iter().all(|count| count.name != "skipped_records");
    let comparable =
        |rule: &&Rule| whole || ![rule.left, rule.right].concat().iter().any(|term| matches!(term, Term::Received));
    let of_stage = rules.iter().filter(|rule| rule.stage == entry.stage).filter(comparable);
    let weighed = of_stage.map(|rule| {
        let (left, right) = (side(rule.left, entry), side(rule.right, entry));
        Breach {
            says: rule.says,
            items: (rule.items && left.0 != right.0).then_some((left.0, right.0)),
            money: (rule.money && left.1 != right.1).then_some((left.1, right.1)),
        }
    });
    weighed.filter(|breach| breach.items.is_some() || breach.money.is_some()).collect()
}

fn side(terms: &[Term], entry: &LedgerEntry) -> (i64, Sums) {
    let (mut items, mut money) = (0, Sums::new());
    for term in terms {
        match *term {
            Term::Count(name) => {
                for count in entry.counts.iter().filter(|count| count.name == name) {
                    items += count.count;
                    add(&mut money, &count.money);
                }
            }
            Term::Under(prefix) => {
                for count in entry.counts.iter().filter(|count| count.name.starts_with(prefix)) {
                    items += count.count;
                    add(&mut money, &count.money);
                }
            }
            Term::Less(name) => {
                for count in entry.counts.iter().filter(|count| count.name == name) {
                    items -= count.count;
                    for sum in &count.money {
                        *money.entry(sum.currency.clone()).or_default() -= sum.amount.picos();
                    }
                    money.retain(|_, picos| *picos != 0);
                }
            }
            Term::Received => {
                for received in &entry.received {
                    items += received.items_counted;
                    add(&mut money, &received.money_counted);
                }
            }
            Term::Sent(topic) => {
                for sent in entry.sent.iter().filter(|sent| sent.topic == topic) {
                    items += sent.items;
                    add(&mut money, &sent.money);
                }
            }
        }
    }
    (items, money)
}

#[cfg(test)]
mod tests {
    use schemas::{Count, Received, Sent, Timestamp};

    use super::*;

    const RULES: &[Rule] = &[
        Rule::both("sum", "received = taken", &[Term::Received], &[Term::Count("taken")]),
        Rule::both(
            "sum",
            "taken = parts + converted = sent",
            &[Term::Count("taken"), Term::Less("converted.from"), Term::Count("converted.to")],
            &[Term::Under("part.")],
        ),
        Rule::money("sum", "parts = sent", &[Term::Under("part.")], &[Term::Sent("out")]),
        Rule::items("other", "never", &[Term::Count("taken")], &[]),
    ];

    fn usd(amount: &str) -> Vec<CurrencySum> {
        vec![CurrencySum { currency: "USD".into(), amount: amount.parse().unwrap() }]
    }

    fn entry(counts: &[(&str, i64, &str)], sent: &str) -> LedgerEntry {
        let count =
            |(name, count, money): &(&str, i64, &str)| Count { name: (*name).into(), count: *count, money: usd(money) };
        let received = Received {
            source_topic: "in".into(),
            source_partition: 0,
            source_partitions: 1,
            generation: 0,
            sequence: 0,
            items_claimed: 3,
            items_counted: 3,
            money_claimed: usd("5"),
            money_counted: usd("5"),
            skipped: 0,
            watermark: Timestamp::MIN,
            ended: false,
        };
        LedgerEntry {
            stage: "sum".into(),
            topic: "in".into(),
            partition: 3,
            transaction: 1,
            next_offset: 1,
            counts: counts.iter().map(count).collect(),
            received: vec![received],
            sent: vec![Sent { topic: "out".into(), partition: 0, sequence: 0, items: 1, money: usd(sent) }],
            watermark: Timestamp::MIN,
            emitted_at: Timestamp::MIN,
        }
    }

    #[test]
    fn books_that_add_up_pass_and_a_missing_picounit_is_found() {
        let good = entry(&[("taken", 3, "5"), ("part.a", 1, "2"), ("part.b", 2, "3")], "5");
        assert_eq!(check(RULES, &good), []);
        let short = entry(&[("taken", 3, "5"), ("part.a", 1, "2"), ("part.b", 2, "2.999999999999")], "5");
        let found = check(RULES, &short);
        assert_eq!(found.iter().map(|breach| breach.says).collect::<Vec<_>>(), [RULES[1].says, RULES[2].says]);
        let usd = |picos| Sums::from([("USD".into(), picos)]);
        assert_eq!((found[0].items, &found[0].money), (None, &Some((usd(5_000_000_000_000), usd(4_999_999_999_999)))));
    }

    #[test]
    fn what_an_operator_had_left_out_is_not_compared_with_what_was_received() {
        let mut less = entry(&[("taken", 2, "4"), ("part.a", 2, "4")], "4");
        assert_eq!(check(RULES, &less).len(), 1);
        less.received[0].skipped = 1;
        assert_eq!(check(RULES, &less), []);
        let converted =
            entry(&[("taken", 3, "5"), ("converted.from", 1, "2"), ("converted.to", 1, "1"), ("part.a", 3, "4")], "4");
        assert_eq!(check(RULES, &converted), []);
    }
}
