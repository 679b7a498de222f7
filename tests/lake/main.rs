//! The lake from outside, on a folder and on an S3 server: sinks that are killed, starved and refused, vacuum, what an
//! operator may break and mend, and readers nobody here wrote.

extern crate spendstream_schemas as schemas;
extern crate spendstream_sink as sink;
extern crate spendstream_stream as stream;

mod crash;
mod ground;
mod mended;
mod readers;
mod recreated;
mod releases;
mod sample;
mod tables;
mod vacuum;
