//! Any bytes as protobuf of the signal that the first byte names, or as what they look like.
#![no_main]

extern crate spendstream_ingest as ingest;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, payload)) = bytes.split_first() else { return };
    let shape = match first % 4 {
        0 => Some(ingest::Shape::OtlpTraces),
        1 => Some(ingest::Shape::OtlpLogs),
        2 => Some(ingest::Shape::OtlpMetrics),
        _ => None,
    };
    spendstream_ingest_fuzz::check(payload, shape, &[]);
});
