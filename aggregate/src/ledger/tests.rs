use schemas::{Count, Sent, Timestamp};

use super::*;
use crate::testing::money;

fn usd(amount: &str) -> Vec<CurrencySum> {
    vec![CurrencySum { currency: "USD".into(), amount: money(amount) }]
}

fn entry(stage: &str, counts: &[(&str, &str)], sent: &str) -> LedgerEntry {
    LedgerEntry {
        stage: stage.into(),
        topic: "t".into(),
        partition: 3,
        transaction: 1,
        next_offset: 1,
        counts: counts.iter().map(|(name, m)| Count { name: (*name).into(), count: 1, money: usd(m) }).collect(),
        received: vec![],
        sent: vec![Sent { topic: "o".into(), partition: 0, sequence: 0, items: 1, money: usd(sent) }],
        watermark: Timestamp::MIN,
        emitted_at: Timestamp::MIN,
    }
}

fn receiving(mut entry: LedgerEntry, skipped: i64, received: &str) -> LedgerEntry {
    entry.received.push(schemas::Received {
        source_topic: "s".into(),
        source_partition: 0,
        source_partitions: 1,
        generation: 0,
        sequence: 0,
        items_claimed: 1,
        items_counted: 1,
        money_claimed: usd(received),
        money_counted: usd(received),
        skipped,
        watermark: Timestamp::MIN,
        ended: false,
    });
    entry
}

#[test]
fn books_that_add_up_pass() {
    let combine = entry("combine", &[("charges", "5"), ("partials.window", "5"), ("partials.budget", "99")], "5");
    assert_eq!(check(&receiving(combine, 0, "5")), Ok(()));
    let merge = entry("merge", &[("partials", "5"), ("window_money", "3"), ("expired.hour", "2")], "0");
    assert_eq!(check(&receiving(merge, 0, "5")), Ok(()));
}

#[test]
fn a_missing_picounit_is_found_and_named() {
    let merge = entry("merge", &[("partials", "5"), ("window_money", "4.999999999999")], "0");
    let found = check(&receiving(merge, 0, "5")).unwrap_err();
    assert_eq!(
        found[0].to_string(),
        "merge t/3: partials is 5000000000000 and hours held, dropped and expired is 4999999999999 picounits of USD"
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn what_was_received_is_compared_until_an_operator_skips_some() {
    let books = |skipped| {
        let merge = entry("merge", &[("partials", "5"), ("window_money", "5")], "0");
        check(&receiving(merge, skipped, "2"))
    };
    assert_eq!(books(0).unwrap_err().len(), 1);
    assert_eq!(books(1), Ok(()));
}

#[test]
fn what_was_converted_counts_in_the_currency_it_became() {
    let mut combine = receiving(
        entry("combine", &[("charges", "5"), ("converted.to", "1.1"), ("partials.window", "6.1")], "6.1"),
        1,
        "0",
    );
    combine.counts[0].money.push(CurrencySum { currency: "EUR".into(), amount: money("1") });
    assert_eq!(check(&combine).unwrap_err().len(), 1);
    combine.counts.push(Count {
        name: "converted.from".into(),
        count: 1,
        money: vec![CurrencySum { currency: "EUR".into(), amount: money("1") }],
    });
    assert_eq!(check(&combine), Ok(()));
}

#[test]
fn other_stages_have_nothing_to_check_here() {
    assert_eq!(check(&entry("enrich", &[("charges", "5")], "7")), Ok(()));
}
