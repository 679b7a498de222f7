//! Wherever entries are, the map answers as one in memory would.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schemas::ids::hash_parts;
use schemas::wire::{Wire, put_long};

use super::*;

#[derive(Debug, Clone, PartialEq)]
struct Note {
    received_at: Timestamp,
    text: Vec<u8>,
}

impl Aged for Note {
    fn received_at(&self) -> Timestamp {
        self.received_at
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.received_at.put(out);
        put_long(out, self.text.len() as i64);
        out.extend_from_slice(&self.text);
    }

    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let received_at = Timestamp::get(from)?;
        let length = from.length()?;
        Ok(Note { received_at, text: from.take(length)?.to_vec() })
    }
}

fn id(nth: u64) -> Id128 {
    hash_parts([nth.to_be_bytes().as_slice()])
}

fn note(seconds: i64, length: usize) -> Note {
    Note { received_at: Timestamp::from_micros(seconds * 1_000_000), text: vec![seconds as u8; length] }
}

fn map() -> (tempfile::TempDir, Tiered<Note>) {
    let folder = tempfile::tempdir().unwrap();
    let scratch = Scratch::open(folder.path()).unwrap();
    (folder, Tiered::new(scratch))
}

fn entries(map: &Tiered<Note>) -> BTreeMap<Id128, Note> {
    let mut entries = BTreeMap::new();
    map.for_each(|key, value| assert_eq!(entries.insert(*key, value.clone()), None, "a key twice")).unwrap();
    entries
}

/// Random changes, aborts, restores and forgetting, sealed all the time, against a plain map.
#[test]
fn what_is_on_disk_is_found_changed_removed_undone_and_forgotten_like_what_is_in_memory() {
    let mut merged = 0;
    for seed in 0..40 {
        let mut chance = StdRng::seed_from_u64(seed);
        let (_folder, mut map) = map();
        let mut model: BTreeMap<Id128, Note> = BTreeMap::new();
        let mut frontier = 0;
        for step in 0..150 {
            let mut changed = model.clone();
            let restored = chance.random_ratio(1, 6);
            for _ in 0..chance.random_range(0..8) {
                let key = id(chance.random_range(0..60));
                let kept = chance.random_ratio(3, 4);
                // Some are older than what has just been forgotten: they stay until more is.
                let value = note(step + chance.random_range(-20..3), chance.random_range(0..400));
                assert_eq!(map.get(&key).unwrap(), changed.get(&key).cloned(), "seed {seed}, step {step}");
                match (restored, kept) {
                    (true, kept) => map.restore(key, kept.then(|| value.clone())),
                    (false, true) => map.insert(key, value.clone()),
                    (false, false) => map.remove(&key).unwrap(),
                }
                if kept {
                    changed.insert(key, value)
                } else {
                    changed.remove(&key)
                };
            }
            let expected: Vec<_> = map.changed().into_iter().map(|(key, value)| (key, value.cloned())).collect();
            for (key, value) in expected {
                assert_eq!(value, changed.get(&key).cloned(), "seed {seed}, step {step}");
            }
            if restored || chance.random_ratio(2, 3) {
                map.promote();
                model = changed;
            } else {
                map.undo();
            }
            if chance.random_ratio(1, 10) {
                frontier = frontier.max(step - chance.random_range(2..40));
                let frontier = Timestamp::from_micros(frontier * 1_000_000);
                if frontier > map.frontier {
                    map.forget(frontier);
                    model.retain(|_, value| value.received_at >= frontier);
                }
            }
            if chance.random_ratio(1, 2) {
                map.seal().unwrap();
            }
            if chance.random_ratio(1, 4) {
                map.tidy().unwrap();
            }
            assert_eq!(entries(&map), model, "seed {seed}, step {step}");
        }
        merged += map.runs.iter().filter(|run| run.level > 1).count();
        for nth in 0..80 {
            assert_eq!(map.get(&id(nth)).unwrap(), model.get(&id(nth)).cloned(), "seed {seed}");
        }
    }
    assert!(merged > 0, "nothing was merged twice");
}

#[test]
fn a_value_larger_than_a_block_and_many_blocks_are_found() {
    let (_folder, mut map) = map();
    for nth in 0..3_000 {
        map.insert(id(nth), note(nth as i64, if nth % 500 == 0 { 20_000 } else { 50 }));
    }
    map.promote();
    for _ in 0..20 {
        map.seal().unwrap();
    }
    let room = map.room();
    assert_eq!((room.memory_entries, room.disk_entries >= 3_000), (0, true), "{room:?}");
    for nth in 0..3_000 {
        assert_eq!(map.get(&id(nth)).unwrap().unwrap().received_at, Timestamp::from_micros(nth as i64 * 1_000_000));
    }
    assert_eq!(map.get(&id(3_000)).unwrap(), None);
    assert_eq!(entries(&map).len(), 3_000);
}

#[test]
fn files_are_given_back_once_what_they_hold_is_forgotten() {
    let (_folder, mut map) = map();
    for nth in 0..4_000 {
        map.insert(id(nth), note(nth as i64, 10));
        map.promote();
        if nth % 100 == 99 {
            map.seal().unwrap();
        }
    }
    let before = map.room().disk_bytes;
    map.forget(Timestamp::from_micros(3_000 * 1_000_000));
    for _ in 0..20 {
        map.tidy().unwrap();
    }
    let room = map.room();
    assert!(room.disk_bytes < before / 2, "{} of {before} bytes left", room.disk_bytes);
    assert!((900..1_100).contains(&(room.disk_entries + room.memory_entries)), "{room:?}");
    assert_eq!(entries(&map).len(), 1_000);
}

#[test]
fn a_full_disk_is_an_error_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = Scratch::open(folder.path()).unwrap();
    let mut map = Tiered::new(scratch);
    map.insert(id(1), note(1, 10));
    map.promote();
    // A folder that is no more refuses new files as a full disk does.
    folder.close().unwrap();
    let halt = map.seal().unwrap_err();
    assert!(halt.to_string().contains("--state-dir"), "{halt}");
    assert_eq!(map.get(&id(1)).unwrap(), Some(note(1, 10)));
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_wrong_answer() {
    use std::os::unix::fs::FileExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run");
    let open = || std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&file).unwrap();
    let mut writer = RunWriter::new(open(), 1, Timestamp::MIN, 0);
    writer.value(7, Timestamp::MIN, |out| out.extend_from_slice(b"value")).unwrap();
    let run = writer.finish().unwrap();
    assert_eq!(run.find(7, |entry| entry.value.map(<[u8]>::to_vec)).unwrap(), Some(Some(b"value".to_vec())));
    open().write_all_at(b"V", 28).unwrap();
    assert!(run.find(7, |_| ()).is_err() && run.scan().is_err());
}
