// The names of the formats are more than a macro may spell out by default.
#![recursion_limit = "256"]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]
//! Raw records of any known format become canonical usage events.
//!
//! A record passes through like this: [`decode`] recognises what it is (headers, then the topic's
//! setting, then its shape), opens the envelope around it (CloudEvents, our own JSON event, a gateway's log), lets one
//! module of `formats` normalise the usage to disjoint meters, and assembles a [`schemas::UsageEvent`] with its identity.
//! What cannot be used becomes a [`schemas::Rejection`] that says which field and why; what costs nothing
//! is [`Item::Ignored`] with its reason. All of that is pure. [`IngestStage`] runs it on a raw topic; [`http`] is the
//! front door that appends to one.
//! `FORMATS.md` lists the formats, `DESIGN.md` the choices.

extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

mod access_log;
mod assemble;
mod bound;
mod cassette;
mod collector;
mod composed;
mod config;
mod decode;
mod dump;
mod encoded;
mod envelope;
mod formats;
mod head;
pub mod http;
mod httprr;
mod identity;
mod item;
mod journal;
mod json;
pub mod keys;
mod ledger;
mod logfmt;
mod number;
mod php;
mod pieces;
mod printed;
mod problem;
mod recognise;
mod replay;
mod settings;
mod stage;
mod typed;
mod unquoted;
mod usage;
pub mod users;

#[cfg(test)]
mod tests;

pub use config::{
    Config, Customers, DEPTH_MAX, RAW_USAGE_BYTES_MAX, SKELETON_BYTES_MAX, TAG_BYTES_MAX, TAGS_MAX, TEXT_BYTES_MAX,
};
pub use decode::{decode, event_time};
pub use dump::Dump;
pub use formats::mapping::Mapping;
pub use formats::stream::is_table;
pub use identity::UNIQUE_RESPONSE_IDS;
pub use item::{Decoded, IgnoreReason, Item, RawRecord};
pub use journal::Journal;
pub use ledger::RULES;
pub use number::COUNT_MAX;
pub use recognise::Shape;
pub use replay::Original;
pub use settings::{DecodeSettings, DoorSettings, IngestSettings, read_mappings};
pub use stage::IngestStage;
