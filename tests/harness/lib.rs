//! What the end-to-end tests stand on: real Kafka, an S3 server, service processes, and an independent oracle.

extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

pub mod administer;
pub mod books;
pub mod cluster;
#[path = "../conformance/mod.rs"]
pub mod conformance;
pub mod deployment;
pub mod kafka;
pub mod oracle;
pub mod process;
pub mod proxy;
#[path = "../../schemas/src/registry/tests/server.rs"]
pub mod registry;
pub mod s3;

/// A folder in memory where there is one: servers on a slow disk stall for seconds under load, and what a test writes is
/// small.
pub fn temporary_folder() -> tempfile::TempDir {
    let made = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    made.expect("a temporary folder can be made")
}
