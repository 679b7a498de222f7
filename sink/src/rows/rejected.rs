//! `rejected`: items that could not be used, where they stand and why.

use schemas::codec::Format;
use schemas::{Batch, Rejection, topics};
use stream::Record;

use super::{Decoded, Row, Rows, items_of_batch};
use crate::column::{Column, id, int, long, text, time};

/// The table `rejected`.
#[derive(Debug)]
pub struct Rejected(Format<Batch<Rejection>>);

impl Rows for Rejected {
    type Item = Rejection;
    const TABLE: &'static str = "rejected";
    const TOPIC: &'static str = topics::REJECTED;
    const ABOUT: &'static str = "One row per item that could not be used. Its raw record stays where it is.";
    const SORT: &'static [&'static str] = &["tenant", "reason", "received_at"];
    const LOOKUPS: &'static [&'static str] = &["payload_hash"];

    fn new() -> Self {
        Rejected(Format::new())
    }

    fn decode(&self, record: &Record<'_>) -> Result<Decoded<Rejection>, String> {
        items_of_batch(&self.0, record)
    }

    fn event_date(rejection: &Rejection) -> i32 {
        rejection.received_at.days()
    }

    fn columns() -> Vec<Column<Row<Rejection>>> {
        vec![
            text("tenant", "Tenant, where one could be told.", |row| Some(&row.item.tenant)),
            text("reason", "Why.", |row| Some(row.item.reason.as_str())),
            text("field", "Field at fault, as a JSON path; empty when the whole item is.", |row| Some(&row.item.field)),
            text("message", "What is wrong and what would mend it.", |row| Some(&row.item.message)),
            text("recognised_as", "What the item was recognised as; empty when nothing.", |row| {
                Some(&row.item.recognised_as)
            }),
            time("received_at", "When the raw record arrived.", |row| Some(row.item.received_at)),
            text("raw_topic", "Raw topic.", |row| Some(&row.item.position.topic)),
            int("raw_partition", "", "Its partition.", |row| Some(row.item.position.partition)),
            long("raw_offset", "", "Its offset.", |row| Some(row.item.position.offset)),
            int("raw_item", "", "Index within the raw record.", |row| Some(row.item.position.item)),
            id("payload_hash", "Hash of the raw bytes.", |row| Some(row.item.payload_hash)),
            long("payload_bytes", "bytes", "Size of the raw record.", |row| Some(row.item.payload_bytes)),
            text("skeleton", "Field names and types without values, as JSON, at most 16 KB.", |row| {
                Some(&row.item.skeleton)
            }),
        ]
    }
}
