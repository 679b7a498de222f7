//! Every single corruption of a ledger that adds up must be found, and at the right stage and sequence.

use std::time::Duration;

use schemas::{Count, Money, Timestamp};

use super::*;
use crate::books::caught_up;

fn usd(amount: &str) -> Vec<CurrencySum> {
    vec![CurrencySum { currency: "USD".into(), amount: amount.parse().unwrap() }]
}

fn count(name: &str, count: i64, money: Vec<CurrencySum>) -> Count {
    Count { name: name.into(), count, money }
}

fn sent(topic: &str, sequence: i64, items: i64, money: Vec<CurrencySum>) -> Sent {
    Sent { topic: topic.into(), partition: 0, sequence, items, money }
}

fn received(topic: &str, sequence: i64, items: i64, money: Vec<CurrencySum>) -> Received {
    Received {
        source_topic: topic.into(),
        source_partition: 0,
        source_partitions: 1,
        generation: 0,
        sequence,
        items_claimed: items,
        items_counted: items,
        money_claimed: money.clone(),
        money_counted: money,
        skipped: 0,
        watermark: Timestamp::MIN,
        ended: false,
    }
}

fn entry(stage: &str, topic: &str, counts: Vec<Count>, received: Vec<Received>, sent: Vec<Sent>) -> LedgerEntry {
    LedgerEntry {
        stage: stage.into(),
        topic: topic.into(),
        partition: 0,
        transaction: 7,
        next_offset: 100,
        counts,
        received,
        sent,
        watermark: Timestamp::MIN,
        emitted_at: Timestamp::MIN,
    }
}

/// Twelve items: nine events (one a duplicate), two rejections, one ignored; eight charges of 1.50.
fn books() -> Vec<LedgerEntry> {
    let none = Vec::new;
    vec![
        entry(
            "ingest",
            "usage.raw",
            vec![
                count("records", 11, none()),
                count("items", 12, none()),
                count("events", 9, none()),
                count("rejected", 2, none()),
                count("rejected.malformed", 2, none()),
                count("ignored", 1, none()),
                count("ignored.status_only", 1, none()),
            ],
            vec![],
            vec![sent("usage.events", 4, 9, none()), sent("usage.rejected", 1, 2, none())],
        ),
        entry(
            "enrich",
            "usage.events",
            vec![
                count("events", 9, none()),
                count("originals", 8, usd("12")),
                count("charges", 8, usd("12")),
                count("duplicates", 1, usd("1.5")),
            ],
            vec![received("usage.raw", 4, 9, none())],
            vec![sent("usage.charges", 3, 8, usd("12"))],
        ),
        entry(
            "combine",
            "usage.charges",
            vec![
                count("charges", 8, usd("12")),
                count("partials.window", 5, usd("12")),
                count("partials.budget", 2, usd("9")),
            ],
            vec![received("usage.events", 3, 8, usd("12"))],
            vec![sent("spend.partials", 2, 7, usd("12"))],
        ),
        entry(
            "merge",
            "spend.partials",
            vec![count("partials", 7, usd("12")), count("window_money", 5, usd("12"))],
            vec![received("usage.charges", 2, 7, usd("12"))],
            vec![],
        ),
    ]
}

fn lake() -> LakeBooks {
    let stream = LakeStream {
        partition: 0,
        source_topic: "usage.events".into(),
        source_partition: 0,
        rows: 8,
        rows_money: usd("12"),
        waiting: 0,
        waiting_money: Vec::new(),
        claim: Claim { sequence: 2, items: 8, money: usd("12") },
    };
    LakeBooks { streams: vec![stream], disagreements: Vec::new(), due: books() }
}

#[test]
fn books_that_add_up_are_balanced_and_nothing_is_in_flight() {
    let ledger = check(&books(), Some(&lake()));
    assert_eq!(ledger.breaks, []);
    assert_eq!((ledger.in_flight, ledger.skipped), (0, 0));
    let stages: Vec<_> = ledger.stages.iter().map(|line| (line.stage.as_str(), line.taken, line.ok)).collect();
    assert_eq!(
        stages,
        [("ingest", 11, true), ("enrich", 9, true), ("combine", 8, true), ("merge", 7, true), ("lake", 8, true)]
    );
    assert_eq!(ledger.count("enrich", "duplicates"), 1);
    assert_eq!(ledger.counts("ingest", "rejected").collect::<Vec<_>>(), [("malformed", 2)]);
}

/// Applies one corruption, and expects it to be found at this stage and sequence.
fn corrupt(stage: &str, sequence: i64, what: &str, with: impl FnOnce(&mut Vec<LedgerEntry>, &mut LakeBooks)) {
    let (mut books, mut lake) = (books(), lake());
    with(&mut books, &mut lake);
    let ledger = check(&books, Some(&lake));
    let found = ledger.breaks.iter().any(|found| found.stage == stage && found.sequence == Some(sequence));
    assert!(found, "{what}: expected {stage} at {sequence}, found {:#?}", ledger.breaks);
    assert!(ledger.stages.iter().any(|line| line.stage == stage && !line.ok), "{what}: {stage} is not marked");
    // Weighing only the books that changed finds the same.
    if let Some(changed) = books.iter().zip(self::books()).position(|(now, before)| *now != before) {
        assert_eq!(check_again(&books, changed), check(&books, None).breaks, "{what}");
        assert_ne!(check_again(&books, changed), [], "{what}");
    }
}

fn picodollar(money: &mut [CurrencySum]) {
    money[0].amount.accrue(Money::from_picos(1).unwrap()).unwrap();
}

#[test]
fn every_single_corruption_is_found_at_its_stage_and_sequence() {
    corrupt("ingest", 7, "an item vanished", |books, _| books[0].counts[1].count += 1);
    corrupt("ingest", 7, "an event was not sent", |books, _| books[0].counts[2].count += 1);
    corrupt("ingest", 7, "a rejection too many", |books, _| books[0].sent[1].items += 1);
    corrupt("enrich", 4, "an event was lost on the way", |books, _| books[1].received[0].items_counted -= 1);
    corrupt("enrich", 4, "ingest sent more at the same sequence", |books, _| books[0].sent[0].items += 1);
    corrupt("enrich", 9, "a sequence nobody sent", |books, _| books[1].received[0].sequence = 9);
    corrupt("enrich", 4, "a source nobody has books of", |books, _| books[1].received[0].source_partition = 3);
    corrupt("enrich", 7, "a charge without an event", |books, _| books[1].sent[0].items += 1);
    corrupt("enrich", 7, "a duplicate not counted", |books, _| books[1].counts[2].count -= 1);
    corrupt("enrich", 7, "a charge with a picodollar too much", |books, _| picodollar(&mut books[1].counts[1].money));
    corrupt("combine", 3, "a charge was not counted", |books, _| books[2].received[0].items_counted -= 1);
    corrupt("combine", 3, "a picodollar more counted", |books, _| picodollar(&mut books[2].received[0].money_counted));
    corrupt("combine", 3, "a picodollar more claimed", |books, _| picodollar(&mut books[2].received[0].money_claimed));
    corrupt("combine", 3, "a picodollar more sent", |books, _| picodollar(&mut books[1].sent[0].money));
    corrupt("combine", 7, "a charge not summed", |books, _| books[2].counts[0].count -= 1);
    corrupt("combine", 7, "a window with a picodollar too much", |books, _| picodollar(&mut books[2].sent[0].money));
    corrupt("merge", 2, "a partial sum was lost", |books, _| books[3].received[0].items_counted -= 1);
    corrupt("merge", 2, "a picodollar was lost", |books, _| picodollar(&mut books[3].received[0].money_claimed));
    corrupt("merge", 7, "an hour holds a picodollar more", |books, _| picodollar(&mut books[3].counts[1].money));
    corrupt("merge", 7, "a sum was not counted", |books, _| books[3].counts[0].count -= 1);
    corrupt("lake", 3, "a row is missing", |_, lake| lake.streams[0].rows -= 1);
    corrupt("lake", 3, "a row has a picodollar more", |_, lake| picodollar(&mut lake.streams[0].rows_money));
    corrupt("lake", 2, "a row too many", |_, lake| lake.streams[0].rows += 1);
    corrupt("lake", 3, "no rows at all", |_, lake| lake.streams.clear());
    corrupt("lake", 1, "the tables disagree", |_, lake| {
        lake.disagreements.push(LakeDisagreement { partition: 0, sequence: 1, message: "row gone".into() });
    });
}

#[test]
fn a_consumer_that_lags_is_not_a_break_but_in_flight() {
    let mut books = books();
    books[1].counts[0].count -= 2;
    books[1].counts[1].count -= 2;
    books[1].counts[1].money = usd("9");
    books[1].counts[2] = count("charges", 6, usd("9"));
    books[1].received[0] = received("usage.raw", 3, 7, Vec::new());
    books[1].sent[0] = sent("usage.charges", 2, 6, usd("9"));
    books[2].counts[0] = count("charges", 6, usd("9"));
    books[2].counts[1] = count("partials.window", 5, usd("9"));
    books[2].received[0] = received("usage.events", 2, 6, usd("9"));
    books[2].sent[0] = sent("spend.partials", 2, 7, usd("9"));
    books[3].received.clear();
    books[3].counts.clear();
    let ledger = check(&books, None);
    assert_eq!(ledger.breaks, []);
    assert_eq!(ledger.in_flight, 2 + 7);
}

#[test]
fn charges_that_wait_for_the_lake_are_in_flight() {
    let mut lake = lake();
    let stream = &mut lake.streams[0];
    (stream.rows, stream.rows_money) = (6, usd("9"));
    (stream.waiting, stream.waiting_money) = (2, usd("3"));
    stream.claim = Claim { sequence: 3, items: 8, money: usd("12") };
    let ledger = check(&books(), Some(&lake));
    assert_eq!(ledger.breaks, []);
    assert_eq!(ledger.in_flight, 2);
}

#[test]
fn books_that_are_not_visible_yet_are_told_from_books_that_are_wrong() {
    assert!(!lake().ahead_of(&books()));
    // A batch is there that its sender's books do not show: they end with sequence 3.
    let mut ahead = lake();
    ahead.streams[0].claim.sequence += 2;
    assert!(ahead.ahead_of(&books()));
    // Of this sender no books are visible at all.
    let others: Vec<_> = books().into_iter().filter(|entry| entry.stage != "enrich").collect();
    assert!(lake().ahead_of(&others));
    // Wrong money is no reason to wait.
    let mut wrong = lake();
    picodollar(&mut wrong.streams[0].rows_money);
    assert!(!wrong.ahead_of(&books()));
}

#[test]
fn books_are_read_again_until_they_know_of_what_the_lake_holds_and_not_for_ever() {
    let old = || {
        let mut books = books();
        books[1].sent[0].sequence = lake().streams[0].claim.sequence - 1;
        books
    };
    assert!(lake().ahead_of(&old()), "the sender of the lake's charges");
    let mut reads = 0;
    let read = caught_up(&lake(), Duration::from_secs(60), || {
        reads += 1;
        Ok(if reads < 3 { old() } else { books() })
    });
    assert_eq!((read.unwrap(), reads), (books(), 3));
    // What never comes is a break, not a wait.
    let hidden = caught_up(&lake(), Duration::ZERO, || Ok(old())).unwrap();
    assert!(!check(&hidden, Some(&lake())).balanced());
}

#[test]
fn what_an_operator_skipped_is_reported_and_is_no_break() {
    let mut books = books();
    books[3].received[0].skipped = 1;
    books[3].received[0].items_counted -= 3;
    let ledger = check(&books, None);
    assert_eq!(ledger.breaks, []);
    assert_eq!(ledger.skipped, 3);
}
