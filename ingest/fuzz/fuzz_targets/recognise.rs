//! Any bytes, told by their shape; the first byte says whether they came with the headers of a CloudEvent.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let headers: [(&str, &[u8]); 4] =
        [("ce_specversion", b"1.0"), ("ce_type", b"ai.usage"), ("ce_id", b"1"), ("ce_source", b"s")];
    match bytes.split_first() {
        Some((0xff, payload)) => spendstream_ingest_fuzz::check(payload, None, &headers),
        _ => spendstream_ingest_fuzz::check(bytes, None, &[]),
    }
});
