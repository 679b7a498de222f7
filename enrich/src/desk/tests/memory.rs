//! What an id costs.

use schemas::Id128;

use super::harness::{Partition, copy};
use crate::EnrichConfig;
use crate::calls::Standing;

#[test]
fn an_id_takes_96_bytes_and_its_share_of_free_room() {
    assert_eq!(size_of::<(Id128, Standing)>(), 96);
    let mut partition = Partition::new(EnrichConfig { dedup_memory_max: 64 << 20, ..EnrichConfig::default() });
    let ids = 20_000;
    for batch in 0..20 {
        partition.send_events((0..ids / 20).map(|nth| copy(&format!("r{batch}-{nth}"), "a", 1, 5, nth)));
        partition.transact(1, true);
    }
    let changelog: usize = partition.changelog.iter().flat_map(|(_, value)| value).map(bytes::Bytes::len).sum();
    let per_id = changelog / ids as usize;
    assert!((300..1_000).contains(&per_id), "{per_id} bytes of changelog for each call, its event among them");
}
