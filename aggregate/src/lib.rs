#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]
//! Charges to windows, budgets and alerts, in two steps so that no team is a hot key.
//!
//! A charge of `usage.charges`, of which only [`spend::Spend`] is read, goes through *combine* ([`CombineStage`]): [`fold`]
//! says what it adds, and everything one transaction adds to one key's hour, or to one budget scope's period, becomes one
//! item of `spend.partials`, in the partition of that key or scope. There *merge* ([`MergeStage`]) keeps the sums: hours,
//! days, months and quarters
//! ([`window`], written to `spend.windows`) and budget periods ([`period`], judged by [`crossing`], written to
//! `budget.state` and `spend.alerts`). Everything that decides is a pure function; `DESIGN.md` answers why.

extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

pub mod budget;
pub mod calendar;
pub mod crossing;
pub mod fold;
mod ledger;
pub mod period;
pub mod spend;
pub mod window;

mod agenda;
mod combine;
mod config;
mod key;
mod merge;
#[cfg(test)]
mod testing;

pub use combine::CombineStage;
pub use config::Config;
pub use ledger::RULES;
pub use merge::MergeStage;
