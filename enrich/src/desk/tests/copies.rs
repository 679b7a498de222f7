//! Copies count once, and the same one wins in every order.

use schemas::{Flag, PricingStatus};

use super::harness::{Partition, by_span, copy, link};
use crate::EnrichConfig;
use schemas::EventItem;

fn partition() -> Partition {
    Partition::new(EnrichConfig { growing_extractor: vec!["growing".into()], ..EnrichConfig::default() })
}

/// Sends copies of one call in both orders; the tokens that are charged in the end, and the counts of the first order.
fn check(copies: [Box<schemas::UsageEvent>; 2], tokens: i64, counts: &[(&str, i64)]) {
    let mut orders = [copies.clone(), copies];
    orders[1].reverse();
    for (nth, order) in orders.into_iter().enumerate() {
        let mut partition = partition();
        partition.send_events(order);
        partition.drain();
        let finals = partition.finals();
        let want = copy("r", "any", 0, tokens, 0).content_hash;
        assert_eq!(finals.values().map(|stands| stands.content).collect::<Vec<_>>(), [want], "order {nth}");
        for (name, count) in counts.iter().filter(|_| nth == 0) {
            assert_eq!(partition.count(name), *count, "{name}");
        }
    }
}

#[test]
fn a_copy_that_says_the_same_is_a_duplicate_also_within_one_batch() {
    let mut partition = partition();
    partition.send_events([copy("r", "a", 1, 10, 0), copy("r", "a", 1, 10, 1)]);
    partition.send_events([copy("r", "a", 1, 10, 2), copy("other", "a", 1, 10, 3)]);
    partition.drain();
    assert_eq!(partition.count("events"), 4);
    assert_eq!(partition.count("originals"), 2);
    assert_eq!(partition.count("duplicates"), 2);
    assert_eq!(partition.charges.len(), 2);
}

#[test]
fn the_smaller_precedence_wins_in_either_order() {
    check([copy("r", "a", 2, 10, 0), copy("r", "b", 1, 20, 5)], 20, &[("superseded", 1), ("replacements", 1)]);
}

#[test]
fn of_sources_of_equal_precedence_the_earlier_arrival_wins() {
    check([copy("r", "a", 1, 10, 5), copy("r", "b", 1, 20, 0)], 20, &[("superseded", 1), ("conflicts", 0)]);
}

#[test]
fn contradictory_copies_of_one_source_are_a_conflict_and_the_charge_says_so() {
    let copies = [copy("r", "a", 1, 10, 0), copy("r", "a", 1, 20, 5)];
    check(copies.clone(), 10, &[("conflicts", 1), ("superseded", 0)]);
    let mut partition = partition();
    partition.send_events(copies);
    partition.drain();
    let last = partition.charges.last().expect("charged");
    assert!(last.flags.contains(&Flag::Conflict), "{:?}", last.flags);
}

#[test]
fn of_a_growing_source_the_largest_copy_counts_and_is_no_conflict() {
    let copies = [copy("r", "growing", 1, 10, 0), copy("r", "growing", 1, 25, 5)];
    check(copies, 25, &[("superseded", 1), ("conflicts", 0)]);
}

#[test]
fn a_whole_stream_beats_a_broken_one_of_the_same_source() {
    let mut broken = copy("r", "a", 1, 10, 0);
    broken.flags.push(Flag::PartialStream);
    check([broken, copy("r", "a", 1, 25, 5)], 25, &[("superseded", 1), ("conflicts", 0)]);
}

#[test]
fn an_amendment_beats_a_better_source() {
    let mut amendment = copy("r", "b", 9, 30, 5);
    amendment.amends = true;
    check([copy("r", "a", 1, 10, 0), amendment], 30, &[("superseded", 1)]);
}

#[test]
fn of_two_amendments_the_later_arrival_wins() {
    let amended = |tokens, arrival| {
        let mut event = copy("r", "a", 1, tokens, arrival);
        event.amends = true;
        event
    };
    check([amended(10, 1), amended(20, 2)], 20, &[("superseded", 1)]);
}

#[test]
fn without_a_price_the_charge_is_unpriced_and_has_no_cost() {
    let mut partition = partition();
    let mut unknown = copy("r", "a", 1, 10, 0);
    unknown.model = "no-such-model".into();
    partition.send_events([unknown]);
    partition.drain();
    let charge = &partition.charges[0];
    assert_eq!(charge.status, PricingStatus::Unpriced);
    assert_eq!(charge.costs.effective, None);
    assert_eq!(partition.count("unpriced"), 1);
}

#[test]
fn only_the_first_iteration_of_a_call_is_a_request() {
    let mut partition = partition();
    let first = copy("r", "a", 1, 10, 0);
    let mut second = first.clone();
    second.iteration = 1;
    second.dedup_key = schemas::ids::dedup_key("acme", &second.call_key, 1, &second.model);
    partition.send_events([first, second]);
    partition.drain();
    assert_eq!(partition.charges.iter().map(|charge| charge.requests).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn a_charge_under_a_linked_key_gives_way_whether_the_link_comes_before_it_or_after() {
    let better = copy("r", "a", 1, 10, 0);
    let lesser = by_span(copy("r", "b", 2, 99, 1), "t/s");
    let items = [EventItem::Event(better.clone()), EventItem::Event(lesser), link("t/s", "r", 0)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut partition = partition();
        for index in order {
            partition.send([items[index].clone()]);
        }
        partition.drain();
        let finals = partition.finals();
        assert_eq!(finals.len(), 1, "{order:?}");
        assert_eq!(finals["openai/r"].content, better.content_hash, "{order:?}");
        assert_eq!(partition.resent.len(), 1, "{order:?}");
        assert!(partition.resent[0].flags.contains(&Flag::Linked));
    }
}

#[test]
fn a_copy_that_is_sent_on_takes_the_rank_of_its_earliest_duplicate_along() {
    let late = EventItem::Event(by_span(copy("r", "a", 1, 10, 50), "t/s"));
    let early = EventItem::Event(by_span(copy("r", "a", 1, 10, 10), "t/s"));
    let between = copy("r", "b", 1, 20, 30);
    for order in [[0, 1, 2], [2, 1, 0], [2, 0, 1]] {
        let items = [late.clone(), early.clone(), link("t/s", "r", 60)];
        let mut partition = partition();
        for index in order {
            partition.send([items[index].clone()]);
        }
        partition.send_events([between.clone()]);
        partition.drain();
        let want = copy("r", "a", 1, 10, 0).content_hash;
        assert_eq!(partition.finals()["openai/r"].content, want, "{order:?}");
    }
}

#[test]
fn a_link_that_does_not_lead_to_a_stronger_key_is_ignored() {
    let mut partition = partition();
    partition.send_events([copy("r", "a", 1, 10, 0)]);
    let EventItem::Link(mut downwards) = link("t/s", "r", 1) else { unreachable!() };
    std::mem::swap(&mut downwards.weaker, &mut downwards.stronger);
    partition.send([EventItem::Link(downwards)]);
    partition.drain();
    assert_eq!(partition.count("links.ignored"), 1);
    assert_eq!(partition.resent.len(), 0);
}
