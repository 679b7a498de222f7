//! State survives: aborts leave no trace, and what the changelog gives back is what was there.

use schemas::ids::hash_parts;
use schemas::{Correction, CorrectionReason, EventItem};

use super::harness::{Partition, at, by_span, copy, link, prices, set_tokens};
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
    let unpriced = |number: i64, source: &str, precedence, arrival| {
        let mut event = copy(&response(number), source, precedence, 10, arrival);
        event.model = "a-model-without-a-price".into();
        event
    };
    partition.send_events((0..40).map(|number| unpriced(number, "b", 2, 0)));
    partition.transact(1, true);
    let written = partition.written();
    assert!(written.len() > 5, "{written:?}");
    assert!(written.iter().all(|bytes| *bytes < 1_000), "{written:?}");
    partition.restart();
    assert_eq!(partition.count("unpriced"), 40);
    // Every event is at hand: its charge is taken back and made again.
    partition.send_events((0..40).map(|number| unpriced(number, "a", 1, 1)));
    partition.drain();
    assert_eq!((partition.count("originals"), partition.count("reversals")), (40, 40));
    assert_eq!(partition.count("unreversible"), 0);
}

#[test]
fn an_event_that_is_not_in_memory_is_read_again_and_once_it_has_expired_its_charge_stands() {
    let mut partition = Partition::priced(EnrichConfig::default(), &prices(&[(0, &[("gpt-5.5", "1")])]));
    // Two copies of one call in one batch, the second of which is charged.
    partition.send_events([copy("r", "a", 3, 10, 0), copy("r", "b", 2, 20, 1), copy("s", "a", 2, 5, 2)]);
    partition.drain();
    partition.restart();
    let better = copy("r", "c", 1, 30, 3);
    partition.send_events([better.clone()]);
    partition.drain();
    assert_eq!((partition.count("reversals"), partition.count("unreversible")), (2, 0));
    assert_eq!(partition.finals()["openai/r"].content, better.content_hash);

    let mut partition = Partition::priced(EnrichConfig::default(), &prices(&[(0, &[("gpt-5.5", "1")])]));
    let charged = copy("s", "a", 2, 5, 0);
    partition.send_events([charged.clone()]);
    partition.drain();
    partition.restart();
    partition.expire();
    partition.send_events([copy("s", "b", 1, 6, 1)]);
    partition.drain();
    assert_eq!((partition.count("reversals"), partition.count("unreversible")), (0, 1));
    assert_eq!(partition.finals()["openai/s"].content, charged.content_hash);
}

#[test]
fn an_event_that_a_correction_brought_is_in_the_changelog() {
    let mut partition = Partition::priced(EnrichConfig::default(), &prices(&[(0, &[("gpt-5.5", "1")])]));
    let event = copy("r", "a", 1, 10, 0);
    let amended = |tokens, revision, arrival| {
        let mut replacement = event.clone();
        set_tokens(&mut replacement, tokens);
        EventItem::Correction(Correction {
            correction_id: hash_parts([i64::to_be_bytes(tokens).as_slice()]),
            tenant: event.tenant.clone(),
            call_key: event.call_key.clone(),
            dedup_key: event.dedup_key,
            reason: CorrectionReason::Amend,
            expected_content: None,
            expected_revision: Some(revision),
            replacement: Some(replacement),
            reversed: None,
            received_at: at(arrival),
            book_version: None,
        })
    };
    partition.send_events([event.clone()]);
    partition.send([amended(20, 0, 1)]);
    partition.drain();
    partition.restart();
    partition.expire();
    partition.send([amended(30, 1, 2)]);
    partition.drain();
    assert_eq!((partition.count("corrections.applied"), partition.count("reversals")), (2, 2));
}
