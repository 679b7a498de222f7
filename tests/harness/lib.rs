//! What the end-to-end tests stand on: real Kafka, an S3 server, service processes, and an independent oracle.

extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

pub mod books;
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
