//! Corrections apply to the charge they name, once; prices that become known are charged by themselves.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use schemas::ids::hash_parts;
use schemas::{Charge, Correction, CorrectionReason, EventItem, Flag, PricingStatus, Text, UsageEvent};
use stream::reference::{Compiled, Reference, ReferenceSink};

use super::harness::{Partition, at, copy, prices, set_tokens};
use crate::EnrichConfig;
use crate::owner::{Directory, parse_owners};

/// Versions: one dollar a million tokens at first, two from second 100.
fn partition() -> Partition {
    Partition::priced(EnrichConfig::default(), &prices(&[(0, &[("gpt-5.5", "1")]), (100, &[("gpt-5.5", "2")])]))
}

fn reprice(event: &UsageEvent, revision: i32, arrival: i64) -> Correction {
    Correction {
        correction_id: hash_parts([b"job".as_slice(), &event.dedup_key.0, &revision.to_be_bytes()]),
        tenant: event.tenant.clone(),
        call_key: event.call_key.clone(),
        dedup_key: event.dedup_key,
        reason: CorrectionReason::Reprice,
        expected_content: Some(event.content_hash),
        expected_revision: Some(revision),
        replacement: None,
        reversed: None,
        received_at: at(arrival),
        book_version: None,
    }
}

fn effective(partition: &Partition) -> Vec<String> {
    partition.finals().values().map(|stands| stands.effective.map_or("none".into(), |cost| cost.to_string())).collect()
}

#[test]
fn a_repriced_call_is_reversed_and_charged_by_the_book_in_force_when_the_correction_arrived() {
    let mut partition = partition();
    let event = copy("r", "a", 1, 1_000_000, 0);
    partition.send_events([event.clone()]);
    partition.drain();
    assert_eq!(effective(&partition), ["1"]);
    partition.send([EventItem::Correction(reprice(&event, 0, 200))]);
    partition.drain();
    assert_eq!(effective(&partition), ["2"]);
    let last = partition.charges.last().unwrap();
    assert_eq!((last.booked_at, last.correction_reason), (at(200), Some(CorrectionReason::Reprice)));
    assert_eq!(partition.count("corrections.applied"), 1);
}

#[test]
fn a_correction_sent_twice_changes_nothing_the_second_time_also_after_a_restart() {
    let mut partition = partition();
    let event = copy("r", "a", 1, 1_000_000, 0);
    let correction = EventItem::Correction(Correction { expected_revision: None, ..reprice(&event, 0, 200) });
    partition.send_events([event]);
    partition.send([correction.clone(), correction.clone()]);
    partition.drain();
    partition.restart();
    partition.send([correction]);
    partition.drain();
    assert_eq!((partition.charges.len(), partition.count("corrections.ignored")), (3, 2));
}

#[test]
fn a_correction_that_comes_before_its_call_waits_for_it() {
    let mut partition = partition();
    let event = copy("r", "a", 1, 1_000_000, 0);
    partition.send([EventItem::Correction(reprice(&event, 0, 200))]);
    partition.drain();
    assert_eq!((partition.count("corrections.parked"), partition.charges.len()), (1, 0));
    partition.restart();
    partition.send_events([event]);
    partition.drain();
    assert_eq!((partition.count("corrections.parked"), partition.count("corrections.applied")), (0, 1));
    assert_eq!(effective(&partition), ["2"]);
}

#[test]
fn a_correction_of_other_content_waits_until_that_content_stands() {
    let mut partition = partition();
    let (worse, better) = (copy("r", "a", 2, 500_000, 0), copy("r", "b", 1, 1_000_000, 1));
    partition.send_events([worse]);
    let of_better = Correction { expected_revision: None, ..reprice(&better, 0, 200) };
    partition.send([EventItem::Correction(of_better)]);
    partition.drain();
    assert_eq!(effective(&partition), ["0.5"]);
    partition.send_events([better]);
    partition.drain();
    assert_eq!(effective(&partition), ["2"]);
}

#[test]
fn a_correction_of_an_older_revision_is_stale() {
    let mut partition = partition();
    let event = copy("r", "a", 1, 1_000_000, 0);
    let late = Correction { correction_id: hash_parts([b"late".as_slice()]), ..reprice(&event, 0, 300) };
    partition.send_events([event.clone()]);
    partition.send([EventItem::Correction(reprice(&event, 0, 200)), EventItem::Correction(late)]);
    partition.drain();
    assert_eq!((partition.count("corrections.applied"), partition.count("corrections.ignored")), (1, 1));
}

#[test]
fn a_correction_that_waits_beyond_the_horizon_expires() {
    let mut partition = partition();
    let never = copy("never", "a", 1, 1, 0);
    partition.send([EventItem::Correction(reprice(&never, 0, 0))]);
    partition.drain();
    let much_later = 40 * 86_400;
    partition.now = at(much_later);
    partition.send_events([copy("r", "a", 1, 1_000_000, much_later)]);
    partition.drain();
    assert_eq!((partition.count("corrections.expired"), partition.count("corrections.parked")), (1, 0));
}

#[test]
fn an_amendment_by_a_person_stands_against_copies_that_come_later() {
    let mut partition = partition();
    let event = copy("r", "a", 2, 1_000_000, 0);
    let mut amended = event.clone();
    set_tokens(&mut amended, 3_000_000);
    let correction =
        Correction { reason: CorrectionReason::Amend, replacement: Some(amended), ..reprice(&event, 0, 50) };
    partition.send_events([event.clone()]);
    partition.send([EventItem::Correction(correction)]);
    partition.send_events([copy("r", "b", 1, 7, 60), event]);
    partition.drain();
    assert_eq!(effective(&partition), ["3"]);
}

#[test]
fn a_better_copy_of_a_repriced_call_is_priced_by_the_book_the_correction_chose() {
    let mut partition = partition();
    let event = copy("r", "a", 2, 1_000_000, 0);
    partition.send_events([event.clone()]);
    partition.send([EventItem::Correction(reprice(&event, 0, 200))]);
    partition.send_events([copy("r", "b", 1, 3_000_000, 60)]);
    partition.drain();
    assert_eq!(effective(&partition), ["6"]);
}

/// A partition so small that the first call's event is no longer in memory, and its batch has expired, though the call is
/// remembered.
fn cold(event: &UsageEvent) -> Partition {
    let config = EnrichConfig { dedup_memory_max: 1, ..EnrichConfig::default() };
    let books = prices(&[(0, &[("gpt-5.5", "1")]), (100, &[("gpt-5.5", "2")])]);
    let mut partition = Partition::priced(config, &books);
    partition.send_events([Box::new(event.clone())]);
    for nth in 0..300 {
        partition.send_events([copy(&format!("other-{nth}"), "a", 1, 5, nth)]);
    }
    partition.drain();
    partition.expire();
    partition
}

#[test]
fn a_charge_that_is_no_longer_at_hand_is_taken_back_by_what_the_correction_carries() {
    let event = copy("r", "a", 2, 1_000_000, 0);
    let mut partition = cold(&event);
    let original = partition.charges[0].clone();
    partition.send_events([copy("r", "b", 1, 3_000_000, 1)]);
    partition.drain();
    assert_eq!(partition.count("unreversible"), 1, "a better copy cannot replace what cannot be taken back");
    assert_eq!(partition.count("reversals"), 0);
    let correction = Correction { reversed: Some(Box::new(original)), ..reprice(&event, 0, 200) };
    partition.send([EventItem::Correction(correction)]);
    partition.drain();
    assert_eq!(partition.count("corrections.applied"), 1);
    assert_eq!(partition.finals()["openai/r"].effective, "2".parse().ok());
}

#[test]
fn a_carried_charge_that_is_not_the_one_written_takes_nothing_back() {
    let event = copy("r", "a", 2, 1_000_000, 0);
    let mut partition = cold(&event);
    let mut forged: Charge = partition.charges[0].clone();
    set_tokens(&mut forged.event, 9);
    forged.event.content_hash = event.content_hash;
    let correction = Correction { reversed: Some(Box::new(forged)), ..reprice(&event, 0, 200) };
    partition.send([EventItem::Correction(correction), EventItem::Correction(reprice(&event, 0, 201))]);
    partition.drain();
    assert_eq!((partition.count("corrections.refused"), partition.count("corrections.ignored")), (1, 1));
    assert_eq!(partition.count("reversals"), 0);
}

#[test]
fn a_call_older_than_what_is_remembered_is_charged_and_marked() {
    let config = EnrichConfig { dedup_memory_max: 1, ..EnrichConfig::default() };
    let mut partition = Partition::priced(config, &prices(&[(0, &[("gpt-5.5", "1")])]));
    for batch in 0..11 {
        let calls = (0..100).map(|nth| {
            let arrival = batch * 100 + nth;
            let mut event = copy(&format!("r{arrival}"), "a", 1, 5, arrival);
            event.event_time = at(arrival);
            event
        });
        partition.send_events(calls);
    }
    partition.now = at(2_000);
    partition.drain();
    let again = copy("r0", "a", 1, 5, 1_200);
    let mut fresh = copy("fresh", "a", 1, 5, 1_201);
    fresh.event_time = at(1_200);
    let mut kept = copy("r1050", "a", 1, 5, 1_202);
    kept.event_time = at(1_050);
    partition.send_events([again, fresh, kept]);
    partition.drain();
    assert_eq!(partition.count("duplicates"), 1);
    let marked: Vec<_> = partition.charges.iter().filter(|row| row.flags.contains(&Flag::Unverified)).collect();
    assert_eq!(marked.iter().map(|row| row.event.call_key.as_str()).collect::<Vec<_>>(), ["openai/r0"]);
}

#[test]
fn an_unpriced_call_is_charged_by_itself_when_a_book_that_knows_it_takes_effect() {
    let books = prices(&[(0, &[("other", "1")]), (100, &[("gpt-5.5", "2")]), (150, &[("gpt-5.5", "9")])]);
    let mut partition = Partition::priced(EnrichConfig::default(), &books);
    partition.now = at(50);
    partition.send_events([copy("r", "a", 1, 1_000_000, 0)]);
    partition.drain();
    assert_eq!((partition.count("unpriced"), effective(&partition)), (1, vec!["none".to_owned()]));
    partition.restart();
    partition.now = at(1_000);
    // This one arrived before the book took effect too, but is read after.
    partition.send_events([copy("s", "a", 1, 1_000_000, 99)]);
    partition.drain();
    assert_eq!(effective(&partition), ["2", "2"]);
    assert_eq!(partition.count("unpriced"), 0);
    let healed = partition.charges.iter().filter(|row| row.status == PricingStatus::Priced);
    assert_eq!(healed.map(|row| row.booked_at).collect::<Vec<_>>(), [at(100), at(100)]);
}

#[test]
fn shares_of_a_shared_charge_follow_its_corrections_and_move_no_total() {
    let yaml = "teams: [{team: search}, {team: growth}, {team: ops}]\n\
                shared: [{id: tools, of: search, method: fixed, among: {growth: \"2\", ops: \"1\"}}]\n";
    let rows = parse_owners(&[("owners.yaml".to_owned(), yaml.to_owned())]).unwrap();
    let directory = Directory::compile("d1", &rows.iter().collect::<Vec<_>>()).unwrap();
    let books = Arc::new(Reference::default());
    books.apply(prices(&[(0, &[("gpt-5.5", "1")]), (100, &[("gpt-5.5", "2")])])).unwrap();
    let mut partition = Partition::with(EnrichConfig::default(), books, Arc::new(Reference::single(directory)));
    let event = copy("r", "a", 2, 1_000_000, 0);
    partition.send_events([event.clone()]);
    partition.drain();
    partition.restart();
    partition.send([EventItem::Correction(reprice(&event, 0, 200))]);
    partition.send_events([copy("r", "b", 1, 3_000_000, 60)]);
    partition.drain();
    let mut teams = BTreeMap::<Text, i128>::new();
    for row in &partition.charges {
        *teams.entry(row.owner.team.clone().unwrap()).or_default() += row.costs.effective.unwrap().picos();
    }
    let teams: Vec<(&str, i128)> =
        teams.iter().map(|(team, picos)| (team.as_str(), picos / 1_000_000_000_000)).collect();
    assert_eq!(teams, [("growth", 4), ("ops", 2), ("search", 0)]);
    // Three rows with each of an original, two reversals and two replacements.
    assert_eq!((partition.count("allocations"), partition.charges.len()), (15, 20));
    let ids: HashSet<_> = partition.charges.iter().map(|row| row.charge_id).collect();
    assert_eq!(ids.len(), 20, "every row has its own id");
}

#[test]
fn what_a_version_that_cannot_be_used_would_charge_waits_and_is_charged_by_no_older_one() {
    let books = prices(&[(0, &[("gpt-5.5", "1")])]);
    let prices = Arc::new(Reference::default());
    prices.apply(books).unwrap();
    let owners = Arc::new(Reference::single(<Directory as Compiled>::compile("d1", &[]).unwrap()));
    let mut partition = Partition::with(EnrichConfig::default(), prices.clone(), owners);
    let newer = stream::reference::row("prices", "a newer release", "a form that nobody here knows");
    let manifest = stream::reference::manifest("prices", std::slice::from_ref(&newer), at(10), at(10));
    let items = vec![schemas::ReferenceItem::Row(newer), schemas::ReferenceItem::Manifest(manifest)];
    prices.apply(items).unwrap_err();
    partition.send_events([copy("before", "a", 1, 1_000_000, 9)]);
    partition.drain();
    assert_eq!(effective(&partition), ["1"]);
    partition.send_events([copy("after", "a", 1, 1_000_000, 10)]);
    let halt = partition.stops().to_string();
    assert!(halt.contains("of prices cannot be used") && halt.contains("upgrade this service"), "{halt}");
    assert_eq!(partition.charges.len(), 1);
}
