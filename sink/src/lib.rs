#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]
//! Writes topics into lakehouse tables, each record exactly once, and reads the tables back for reports.
//!
//! A record of `usage.charges` comes to a [`LakeTable`], is taken apart by its [`Rows`] into items, and waits as Arrow
//! columns. When enough wait, or for long enough, they are sorted, cut by day and written as Parquet files nobody sees
//! yet; then one commit of the table's log makes all of them visible and moves the offsets of their partitions. The
//! table itself is the only place that knows the offsets, so what a crash leaves is either wholly there or not at all.
//! [`LakeReader`] reads what is visible. `DESIGN.md` states the protocol.

extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

pub mod column;
pub mod deliver;
pub mod file;
pub mod read;
pub mod rows;

mod catalogue;
mod chunk;
mod compact;
mod flush;
mod lake;
mod log;
mod maintain;
mod merge;
mod metrics;
mod packed;
mod table;
#[cfg(test)]
mod tests;
mod trouble;
mod unneeded;

pub use catalogue::{TABLES, TableSpec, open_tables};
pub use lake::{Lake, LakeConfig};
pub use maintain::{Compacted, Maintenance};
pub use read::LakeReader;
pub use rows::Rows;
pub use table::LakeTable;
