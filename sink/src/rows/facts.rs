//! `facts`: what is worth knowing and costs nothing by itself.

use schemas::codec::Format;
use schemas::{Batch, Fact, topics};
use stream::Record;

use super::charges::each_dimension;
use super::{Decoded, Row, Rows, items_of_batch};
use crate::column::{Column, id, int, long, money, pairs, quantity, text, time};

/// The table `facts`.
#[derive(Debug)]
pub struct Facts(Format<Batch<Fact>>);

impl Rows for Facts {
    type Item = Fact;
    const TABLE: &'static str = "facts";
    const TOPIC: &'static str = topics::FACTS;
    const ABOUT: &'static str = "One row per outcome, value unit, business metric or user count. Copies of a fact share \
         `fact_id`: take one row of each.";
    const SORT: &'static [&'static str] = &["tenant", "workload", "event_time"];
    const LOOKUPS: &'static [&'static str] = &["fact_id", "call_key"];

    fn new() -> Self {
        Facts(Format::new())
    }

    fn decode(&self, record: &Record<'_>) -> Result<Decoded<Fact>, String> {
        items_of_batch(&self.0, record)
    }

    fn event_date(fact: &Fact) -> i32 {
        fact.event_time.days()
    }

    fn columns() -> Vec<Column<Row<Fact>>> {
        vec![
            text("tenant", "Tenant.", |row| Some(&row.item.tenant)),
            id("fact_id", "Recognises copies.", |row| Some(row.item.fact_id)),
            text("kind", "outcome, value_units, business_metric, user_count or token_totals.", |row| {
                Some(row.item.kind.as_str())
            }),
            text("workload", "Workload it is about; `default` where none is stated.", |row| Some(&row.item.workload)),
            text("name", "Name of the measure.", |row| Some(&row.item.name)),
            quantity("quantity", "`unit`, or what the name says", "How much.", |row: &Row<Fact>| {
                Some(row.item.quantity)
            }),
            text("unit", "Unit, where the name does not say it.", |row| row.item.unit.as_deref()),
            money("value", "`currency`", "Value in money, where known.", |row| row.item.value),
            text("currency", "ISO 4217 currency of the value.", |row| row.item.currency.as_deref()),
            text("call_key", "Call it is about, where it is about one.", |row| row.item.call_key.as_deref()),
            time("event_time", "When it held.", |row| Some(row.item.event_time)),
            time("received_at", "When it arrived.", |row| Some(row.item.received_at)),
            text("source", "Producer.", |row| Some(&row.item.source)),
            pairs("claimed", "Dimensions the producer stated.", |row, each| each_dimension(&row.item.claimed, each)),
            pairs("tags", "Labels.", |row, each| row.item.tags.iter().for_each(|tag| each(&tag.key, &tag.value))),
            text("raw_topic", "Raw topic.", |row| Some(&row.item.position.topic)),
            int("raw_partition", "", "Its partition.", |row| Some(row.item.position.partition)),
            long("raw_offset", "", "Its offset.", |row| Some(row.item.position.offset)),
            int("raw_item", "", "Index within the raw record.", |row| Some(row.item.position.item)),
        ]
    }
}
