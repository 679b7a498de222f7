//! The local driver: topics, offsets and state in one SQLite file, one local transaction a batch.
//!
//! [`LocalLog`] is the file: one process holds it, one thread writes to it, any thread reads. [`run`] drives stages and
//! tables on it with the guarantees of the Kafka driver: outputs, state changes and offsets appear together or not at
//! all, whenever the process is killed.

mod driver;
pub mod inbox;
mod lane;
mod log;
mod retention;
mod store;
mod table;
mod writer;

pub use driver::{LocalOptions, LocalRuntime, run, start};
pub use log::{DEFAULT_PARTITIONS, LocalLog, RECORD_BYTES_MAX};
pub use store::FILE;

#[cfg(test)]
mod tests;
