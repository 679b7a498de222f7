//! `batches`: what the producer of `usage.charges` says it sent, batch by batch: evidence for the ledger.

use schemas::codec::Format;
use schemas::{Batch, Carries, Charge, Costs, CurrencySum, Lineage, projection, topics};
use stream::Record;
use stream::books::add_money;

use super::{Decoded, Row, Rows, open};
use crate::column::{Column, int, list, long, money, text, time};

/// The table `batches`.
#[derive(Debug)]
pub struct Batches(Format<Batch<Charge>>);

/// One batch of `usage.charges`. Heartbeats, which hold no items, make no row.
#[derive(Debug)]
pub struct BatchRow {
    /// The batch's header.
    pub lineage: Lineage,
    /// Kafka timestamp of the record, in days since 1970.
    pub day: i32,
    /// Items counted in it.
    pub items: i64,
    /// Their effective cost by currency.
    pub money: Vec<CurrencySum>,
}

projection! {
    /// What is added up of a charge.
    pub struct Amount of Charge {
        /// In the currency of the rates.
        pub costs: Costs,
    }
}

impl Rows for Batches {
    type Item = BatchRow;
    const TABLE: &'static str = "batches";
    const TOPIC: &'static str = topics::CHARGES;
    const ABOUT: &'static str = "One row per batch of `usage.charges` that holds items: what was counted in it and what \
         its header claims was sent so far. `event_date` is the day its record was written.";
    const SORT: &'static [&'static str] = &["kafka_partition", "kafka_offset"];

    fn new() -> Self {
        Batches(Format::new())
    }

    fn decode(&self, record: &Record<'_>) -> Result<Decoded<BatchRow>, String> {
        let (lineage, mut charges) = open::<Amount>(&self.0, record)?;
        let (mut sums, mut items) = (Vec::new(), 0);
        while let Some(charge) = charges.read().map_err(|error| error.to_string())? {
            items += 1;
            if let Some((currency, amount)) = charge.costs.money() {
                add_money(&mut sums, currency, amount).map_err(|halt| halt.to_string())?;
            }
        }
        let row = (items > 0).then(|| BatchRow {
            lineage: lineage.clone(),
            day: record.timestamp.days(),
            items,
            money: sums,
        });
        Ok(Decoded { lineage: Some(lineage), items: row.into_iter().collect() })
    }

    fn event_date(batch: &BatchRow) -> i32 {
        batch.day
    }

    fn columns() -> Vec<Column<Row<BatchRow>>> {
        vec![
            int("source_partitions", "", "Partitions the source topic has.", |row| {
                Some(row.item.lineage.source_partitions)
            }),
            long("source_from", "", "First source offset the batch covers.", |row| Some(row.item.lineage.source_from)),
            long("source_to", "", "Source offset after the last it covers.", |row| Some(row.item.lineage.source_to)),
            time("watermark", "Watermark of the source.", |row| Some(row.item.lineage.watermark)),
            long("items", "rows", "Charges counted in the batch.", |row| Some(row.item.items)),
            list("money", "Their effective cost.", sums(), |row: &Row<BatchRow>| &row.item.money),
            long("items_total", "rows", "Charges sent from this source so far, as the header claims.", |row| {
                Some(row.item.lineage.items_total)
            }),
            list("money_total", "Their effective cost, as the header claims.", sums(), |row: &Row<BatchRow>| {
                &row.item.lineage.money_total
            }),
        ]
    }
}

/// Columns of a sum of one currency.
pub(super) fn sums() -> Vec<Column<CurrencySum>> {
    vec![
        text("currency", "Currency.", |sum: &CurrencySum| Some(&sum.currency)),
        money("amount", "currency", "Sum.", |sum| Some(sum.amount)),
    ]
}
