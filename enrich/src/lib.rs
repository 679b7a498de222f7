#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]
//! Makes a charge of every usage event.
//!
//! [`price`] says what an event cost at the rates that held when the call was made; [`owner`] says who pays for it.
//! Both are lookups in a compiled version of reference data: no clock, no network, no provider known by name.

extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

mod allocate;
pub mod charge;
pub mod exposure;
pub mod finding;
mod ledger;
pub mod owner;
mod period;
pub mod price;
pub mod quote;
pub mod settle;

mod calls;
mod config;
mod desk;
mod metrics;
#[cfg(test)]
mod sample;
mod stage;

pub use allocate::allocate;
pub use charge::{Cause, charge, reversal};
pub use config::EnrichConfig;
pub use finding::{Finding, Severity};
pub use ledger::RULES;
pub use owner::{Attribution, Directory, read_owners};
pub use price::{Evaluation, PriceBook, Priced, Resolved, read_prices};
pub use stage::EnrichStage;
