//! Any bytes, read as the format that the first byte names: decoders must bear what their shape would never let through.
#![no_main]

extern crate spendstream_ingest as ingest;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, payload)) = bytes.split_first() else { return };
    let shape = ingest::Shape::ALL[usize::from(*first) % ingest::Shape::ALL.len()];
    spendstream_ingest_fuzz::check(payload, Some(shape), &[]);
});
