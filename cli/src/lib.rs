#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]
//! The `spendstream` command: everything a person does with the pipeline.
//!
//! Each subcommand is one file of [`commands`]; it reads facts from a log, a lake or files and prints what pure
//! modules make of them. [`traffic`] makes the sample.

extern crate spendstream_schemas as schemas;

pub mod amount;
pub mod commands;
pub mod ledger;
pub mod table;
pub mod traffic;
