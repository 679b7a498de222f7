//! State survives: aborts leave no trace, and what the changelog gives back is what was there.

use super::harness::{Partition, by_span, copy, link};
use crate::EnrichConfig;

#[test]
fn an_aborted_transaction_leaves_no_trace() {
    let mut partition = Partition::new(EnrichConfig::default());
    partition.send_events([copy("r", "a", 2, 10, 0)]);
    partition.drain();
    partition.send_events([copy("r", "b", 1, 20, 1), copy("s", "a", 1, 5, 2)]);
    partition.transact(1, false);
    partition.transact(1, false);
    partition.drain();
    assert_eq!(partition.count("events"), 3);
    assert_eq!(partition.count("originals"), 2);
    assert_eq!(partition.count("reversals"), 1);
    assert_eq!(partition.finals().len(), 2);
}

#[test]
fn after_a_restart_copies_are_recognised_links_hold_and_charges_can_be_taken_back() {
    let mut partition = Partition::new(EnrichConfig::default());
    partition.send_events([copy("r", "a", 2, 10, 0), by_span(copy("q", "a", 2, 7, 0), "t/q")]);
    partition.send([link("t/s", "s", 1)]);
    partition.drain();
    partition.restart();
    let better = copy("r", "b", 1, 20, 3);
    let behind_a_link = by_span(copy("s", "a", 1, 5, 4), "t/s");
    partition.send_events([copy("r", "a", 2, 10, 2), better.clone(), behind_a_link]);
    partition.send([link("t/q", "q", 5)]);
    partition.drain();
    assert_eq!(partition.count("duplicates"), 1);
    let finals = partition.finals();
    assert_eq!(finals.keys().map(|key| key.as_str()).collect::<Vec<_>>(), ["openai/q", "openai/r", "openai/s"]);
    assert_eq!(finals["openai/r"].content, better.content_hash);
}

#[test]
fn a_transaction_that_changes_much_is_written_in_records_of_a_bounded_size() {
    let mut partition = Partition::new(EnrichConfig::default());
    let response = |number: i64| format!("r{number}");
    // Without a price an event is written twice.
    let unpriced = |number: i64, source: &str, precedence, arrival| {
        let mut event = copy(&response(number), source, precedence, 10, arrival);
        event.model = "a-model-without-a-price".into();
        event
    };
    partition.send_events((0..40).map(|number| unpriced(number, "b", 2, 0)));
    partition.transact(1, true);
    let written = partition.written();
    assert!(written.len() > 10, "{written:?}");
    assert!(written.iter().all(|bytes| *bytes < 2_000), "{written:?}");
    partition.restart();
    assert_eq!(partition.count("unpriced"), 40);
    // Every event is at hand: its charge is taken back and made again.
    partition.send_events((0..40).map(|number| unpriced(number, "a", 1, 1)));
    partition.drain();
    assert_eq!((partition.count("originals"), partition.count("reversals")), (40, 40));
    assert_eq!(partition.count("unreversible"), 0);
}
