//! End-to-end stories on real Kafka and S3, each against an independent oracle.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

mod agreement;
mod bad_input;
mod door;
mod later;
mod partitions;
mod readme;
mod refusals;
mod rejected;
mod replay;
mod storm;
mod tampering;
mod traffic;

use std::time::{Duration, Instant};

/// Raw and internal partitions of every story.
const PARTITIONS: u32 = 4;

/// Longest wait for something that is bound to happen; generous, because the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for a condition.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until two sides are equal; at the end of its patience it says how they differ.
fn becomes_equal<T: PartialEq + std::fmt::Debug>(what: &str, mut found: impl FnMut() -> T, expected: &T) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = found();
        if now == *expected {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: found {now:?}, expected {expected:?}");
        std::thread::sleep(Duration::from_millis(300));
    }
}
