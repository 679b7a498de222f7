//! What an id costs, where it is kept, and for how long.

use std::time::Duration;

use schemas::{Flag, Id128};

use super::harness::{Partition, at, by_span, copy, link, prices};
use crate::EnrichConfig;
use crate::calls::Standing;

#[test]
fn an_id_takes_96_bytes_and_its_share_of_free_room() {
    assert_eq!(size_of::<(Id128, Standing)>(), 96);
    let config = EnrichConfig { dedup_memory_max: 64 << 20, ..EnrichConfig::default() };
    let mut partition = Partition::priced(config, &prices(&[(0, &[("gpt-5.5", "1")])]));
    let ids = 20_000;
    for batch in 0..20 {
        partition.send_events((0..ids / 20).map(|nth| copy(&format!("r{batch}-{nth}"), "a", 1, 5, nth)));
        partition.transact(1, true);
    }
    let changelog: usize = partition.changelog.iter().flat_map(|(_, value)| value).map(bytes::Bytes::len).sum();
    let per_id = changelog / ids as usize;
    assert!((60..110).contains(&per_id), "{per_id} bytes of changelog for each call");
}

#[test]
fn a_full_disk_stops_the_partition_which_goes_on_where_it_was_once_there_is_room() {
    let mut partition = Partition::new(EnrichConfig::default());
    partition.send_events([copy("r", "a", 1, 5, 0)]);
    partition.drain();
    partition.send_events([copy("r", "a", 1, 5, 1)]);
    let halt = partition.without_disk().to_string();
    assert!(halt.contains("--state-dir") && halt.contains("goes on by itself"), "{halt}");
    partition.drain();
    assert_eq!((partition.count("originals"), partition.count("duplicates")), (1, 1));
    assert!(partition.ids_on_disk() > 0);
}

const DAY: i64 = 86_400;

#[test]
fn beyond_the_horizon_a_copy_is_charged_again_and_marked_and_within_it_counted_once() {
    let config = EnrichConfig { dedup_horizon: Duration::from_secs(2 * DAY as u64), ..EnrichConfig::default() };
    let mut partition = Partition::new(config);
    partition.now = at(30 * DAY);
    partition.send_events([copy("old", "a", 1, 5, 0), by_span(copy("old-span", "a", 1, 5, 1), "t/old")]);
    partition.send([link("t/late", "late", 2)]);
    partition.drain();
    partition.send_events((0..20).map(|hour| copy(&format!("r{hour}"), "a", 1, 5, DAY + hour * 3_600)));
    partition.drain();
    // Nothing is forgotten yet: what the horizon is measured from is the latest arrival.
    partition.send_events([copy("old", "a", 1, 5, 2 * DAY - 60)]);
    partition.drain();
    assert_eq!(partition.count("duplicates"), 1);
    let mut new = copy("new", "a", 1, 5, 3 * DAY - 60);
    new.event_time = at(3 * DAY - 60);
    partition.send_events([new]);
    partition.drain();
    partition.restart();
    let late = by_span(copy("late", "a", 1, 5, 3 * DAY), "t/late");
    partition.send_events([copy("old", "a", 1, 5, 3 * DAY), copy("r19", "a", 1, 5, 3 * DAY), late]);
    partition.send([link("t/old", "old-span", 3 * DAY)]);
    partition.drain();
    assert_eq!(partition.count("duplicates"), 2, "r19 is remembered");
    assert_eq!(partition.count("forwarded"), 0, "the link is forgotten");
    assert_eq!(partition.count("links.moved"), 0, "what stood under the span is forgotten");
    let marked = partition.charges.iter().filter(|row| row.flags.contains(&Flag::Unverified));
    assert_eq!(marked.map(|row| row.event.call_key.as_str()).collect::<Vec<_>>(), ["openai/old", "span/t/late"]);
}

#[test]
fn what_a_transaction_brings_and_forgets_is_forgotten_after_a_restart_too() {
    let config = EnrichConfig { dedup_horizon: Duration::from_secs(2 * DAY as u64), ..EnrichConfig::default() };
    let mut partition = Partition::new(config);
    partition.now = at(30 * DAY);
    let old = |arrival| (0..20).map(move |nth| copy(&format!("r{nth}"), "a", 1, 5, arrival));
    partition.send_events(old(0).chain([copy("new", "a", 1, 5, 3 * DAY)]));
    partition.transact(1, true);
    assert!(partition.written().len() > 2, "one record would tell nothing of their order");
    partition.restart();
    partition.send_events(old(3 * DAY));
    partition.drain();
    assert_eq!((partition.count("originals"), partition.count("duplicates")), (41, 0));
}
