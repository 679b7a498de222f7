//! Keyed hashes and the slots they fall into.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::Id128;

/// State lives in this many slots; `partition = slot % partitions`, so that the number of partitions can change.
pub const SLOTS: u32 = 256;

/// Separates the hashes of this system from anybody else's SipHash of the same text.
const KEY: &[u8; 16] = b"spendstream/ids1";

/// A keyed 128-bit hash of some parts. Each part's length is hashed with it, so `["ab","c"]` differs from `["a","bc"]`.
pub fn hash_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Id128 {
    let mut hasher = SipHasher13::new_with_key(KEY);
    for part in parts {
        hasher.write_usize(part.len());
        hasher.write(part);
    }
    Id128(hasher.finish128().as_bytes())
}

/// The slot of a keyed hash.
pub const fn slot(id: Id128) -> u32 {
    id.0[0] as u32 % SLOTS
}

/// The slot of a call: every copy of it meets in one partition of `usage.events`.
pub fn call_slot(tenant: &str, call_key: &str) -> u32 {
    slot(hash_parts([b"call".as_slice(), tenant.as_bytes(), call_key.as_bytes()]))
}

/// The partition of a slot.
pub const fn partition(slot: u32, partitions: u32) -> u32 {
    slot % partitions
}

/// Recognises copies of one billable model call.
pub fn dedup_key(tenant: &str, call_key: &str, iteration: i32, model: &str) -> Id128 {
    hash_parts([
        b"dedup".as_slice(),
        tenant.as_bytes(),
        call_key.as_bytes(),
        &iteration.to_be_bytes(),
        model.as_bytes(),
    ])
}

/// Id of a charge row.
pub fn charge_id(dedup_key: Id128, revision: i32, class: crate::ChargeClass) -> Id128 {
    hash_parts([b"charge".as_slice(), &dedup_key.0, &revision.to_be_bytes(), class.as_str().as_bytes()])
}
