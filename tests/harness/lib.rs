//! What the end-to-end tests stand on: real Kafka, an S3 server, service processes, and an independent oracle.

pub mod s3;
