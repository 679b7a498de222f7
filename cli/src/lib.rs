#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]
//! The `spendstream` command: everything a person does with the pipeline.
//!
//! Each subcommand is one file of [`commands`]; it reads facts from a log, a lake or files and prints what pure
//! modules make of them. [`traffic`] makes the sample.

extern crate spendstream_aggregate as aggregate;
extern crate spendstream_enrich as enrich;
extern crate spendstream_ingest as ingest;
extern crate spendstream_schemas as schemas;
extern crate spendstream_sink as sink;
extern crate spendstream_stream as stream;

#[macro_use]
pub mod stdout;

pub mod amount;
pub mod books;
pub mod commands;
pub mod configuration;
pub mod dry_run;
pub mod export;
pub mod feed;
pub mod forget;
pub mod input;
pub mod known_at;
pub mod ledger;
mod left_out;
pub mod period;
pub mod progress;
pub mod rejections;
pub mod report;
#[cfg(feature = "reports")]
pub mod reports;
pub mod reprice;
pub mod settle;
pub mod standing;
pub mod table;
pub mod traffic;

/// What a build without the feature `reports` says of what it cannot do.
#[cfg(not(feature = "reports"))]
pub(crate) const NO_ENGINE: &str = "this build has no query engine, which takes minutes to build; build it with `cargo build --release \
                                    --features spendstream-cli/reports`";
