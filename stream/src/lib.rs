#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]
//! The loop every service runs: records in, outputs and state changes out, in one transaction with the offsets.
//!
//! A [`Stage`] makes a pure [`Processor`] for each source partition; a driver feeds it. The Kafka driver ([`kafka`]) is
//! the authority; the local driver ([`local`]) gives the same guarantees on one SQLite file. [`Books`] keep lineage,
//! sequences and counts, so that every stage's numbers can be added up at any moment. `DESIGN.md` states the protocol.

extern crate spendstream_schemas as schemas;

pub mod books;
pub mod kafka;
pub mod local;
pub mod log;
pub mod memory;
pub mod reference;
pub mod reload;
pub mod rules;
pub mod service;
pub mod settings;
pub mod telemetry;

mod again;
mod clock;
mod follow;
mod heartbeat;
mod private;
mod processor;
mod scratch;
mod shutdown;
mod state;
mod tiered;

pub use again::Again;
pub use books::{BATCH_BYTES_MAX, BatchWriter, Books, Opened, WATERMARK_BEHIND_SECONDS};
pub use clock::now;
pub use follow::Follower;
pub use log::{Log, StoredRecord};
pub use processor::{
    Halt, Needs, OutRecord, Output, Processor, Record, Source, Stage, Table, Tick, Write, topic_number,
};
pub use scratch::Scratch;
pub use service::Service;
pub use settings::Settings;
pub use shutdown::Shutdown;
pub use state::TxMap;
pub use telemetry::Telemetry;
pub use tiered::{Aged, Room, Tiered};
