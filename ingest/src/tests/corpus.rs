//! The corpus of `ingest/fuzz`, mutated on the ordinary toolchain: fewer executions than the coverage-guided targets run,
//! the same for everybody, and the same checks.

use std::path::Path;

use schemas::Flag;

use super::{config, record};
use crate::{Config, Item, Shape, decode, event_time};

/// Mutations of each file; the whole takes a few seconds.
const MUTATIONS: usize = 600;

/// A pseudo-random sequence: the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

fn files() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    assert!(files.len() > 60);
    files
}

#[track_caller]
fn accounted(payload: &[u8], config: &Config) {
    let decoded = decode(&record(payload, &[]), config);
    let mut places = Vec::new();
    for item in &decoded.items {
        match item {
            Item::Event(event) => {
                assert!(event.usage.iter().all(|used| used.quantity.picos() > 0), "{event:?}");
                assert!(!event.model.is_empty() && !event.call_key.is_empty(), "{event:?}");
                places.push(event.position.item);
            }
            Item::Fact(fact) => places.push(fact.position.item),
            Item::Rejected(rejection) => places.push(rejection.position.item),
            Item::Ignored { item, .. } => places.push(*item),
            Item::Link(link) => assert_ne!(link.weaker, link.stronger),
            Item::Correction(_) => return,
        }
    }
    places.dedup();
    let numbered: Vec<i32> = (0..places.len() as i32).collect();
    places.sort_unstable();
    places.dedup();
    assert!(!places.is_empty() && places == numbered, "{:?} gave {decoded:?}", String::from_utf8_lossy(payload));
}

#[test]
fn every_file_of_the_corpus_is_recognised() {
    for (name, bytes) in files() {
        let decoded = decode(&record(&bytes, &[]), &config());
        let known = !decoded.recognised_as.is_empty() || name == "house.json";
        assert!(known, "{name} is nothing known: {decoded:?}");
    }
}

#[test]
fn the_time_alone_is_the_time_of_the_first_call_or_fact() {
    let mut told = 0;
    for (name, bytes) in files() {
        let record = record(&bytes, &[]);
        let times = decode(&record, &config()).items.into_iter().find_map(|item| match item {
            Item::Event(event) if event.flags.contains(&Flag::TimeAssumed) => Some(None),
            Item::Event(event) => Some(Some(event.event_time)),
            Item::Fact(fact) => Some(Some(fact.event_time)),
            _ => None,
        });
        // A record of several calls may state the time of a later one alone.
        if let Some(Some(time)) = times {
            assert_eq!(event_time(&record, &config()), Some(time), "{name}");
            told += 1;
        }
    }
    assert!(told > 40, "only {told} files state a time");
}

#[test]
fn no_mutation_of_the_corpus_is_lost_or_brings_a_panic() {
    let files = files();
    let mut random = Random(0x5eed_5eed);
    let plain = config();
    for (_, bytes) in &files {
        for _ in 0..MUTATIONS {
            let mut mutated = bytes.clone();
            for _ in 0..=random.next(3) {
                let at = random.next(mutated.len());
                match random.next(6) {
                    0 => mutated[at] = random.next(256) as u8,
                    1 => mutated.truncate(at + 1),
                    2 => {
                        mutated.remove(at);
                    }
                    // A piece of another file, or one of the values that numbers trip over.
                    3 => {
                        let other = &files[random.next(files.len())].1;
                        let from = random.next(other.len());
                        let to = (from + random.next(40)).min(other.len());
                        mutated.splice(at..at, other[from..to].iter().copied());
                    }
                    4 => {
                        const VALUES: [&[u8]; 8] =
                            [b"null", b"-1", b"1e308", b"1.5", b"\"\"", b"[]", b"{}", b"999999999999999999999"];
                        mutated.splice(at..at, VALUES[random.next(VALUES.len())].iter().copied());
                    }
                    _ => {
                        let end = (at + random.next(32)).min(mutated.len());
                        let piece = mutated[at..end].to_vec();
                        mutated.splice(at..at, piece);
                    }
                }
                if mutated.is_empty() {
                    mutated.push(b'{');
                }
            }
            accounted(&mutated, &plain);
        }
    }
}

#[test]
fn every_decoder_bears_what_belongs_to_another() {
    let files = files();
    for shape in Shape::ALL {
        let mut told = config();
        told.formats.insert("usage.raw".into(), *shape);
        files.iter().for_each(|(_, bytes)| accounted(bytes, &told));
    }
}
