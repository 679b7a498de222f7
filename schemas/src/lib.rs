#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]
//! The contract between the services: every type that crosses a topic, its Avro schema, its topic and its key.
//!
//! A raw record becomes [`EventItem`]s (or [`Rejection`]s and [`Fact`]s), an event becomes [`Charge`]s, charges become
//! [`PartialItem`]s, and those become [`Window`]s, [`BudgetState`]s and [`Alert`]s. On internal topics one Kafka record
//! is one [`Batch`]: a [`Lineage`] header, then items. Amounts are exact: [`Money`], [`Quantity`], [`Price`].
//!
//! `record!` declares the struct, its documentation, its Avro schema and its codec at once; `schemas/avro/*.avsc` holds
//! the schemas for other people's tools and is checked against the types by a test.

// Lets the declarations below name this crate as its users do.
extern crate self as spendstream_schemas;

pub mod codec;
pub mod fixture;
pub mod ids;
pub mod projection;
pub mod provider;
pub mod registry;
pub mod topics;
pub mod wire;

mod aggregate;
mod charge;
mod dimensions;
mod event;
mod lineage;
mod meter;
mod money;
mod published;
mod time;

pub use aggregate::{
    Alert, BudgetPartial, BudgetPeriod, BudgetState, Direction, Granularity, PartialItem, Sums, Window, WindowKey,
    WindowPartial, WindowStatus,
};
pub use charge::{
    Allocation, Charge, ChargeClass, Confidence, Costs, Counterfactual, CounterfactualKind, Line, PricingStatus,
    UnpricedMeter,
};
pub use event::{
    ChargeCategory, Correction, CorrectionReason, CostBasis, Dimensions, EventItem, Fact, FactKind, Flag, IdentityKind,
    Link, Position, PriceContext, RejectReason, Rejection, ReportedCost, Tag, UsageEvent,
};
pub use lineage::{
    Batch, BatchItem, Carries, Count, CurrencySum, LedgerEntry, Lineage, Manifest, Received, ReferenceItem,
    ReferenceRow, Sent, Skip, TopicLayout,
};
pub use meter::{Meter, Metered};
pub use money::{AmountError, Money, PICO, Price, Quantity, is_currency_code, per_mille};
pub use published::schemas;
pub use time::Timestamp;
pub use wire::Id128;

/// Text that is usually short: up to 24 bytes take no allocation.
pub type Text = compact_str::CompactString;
