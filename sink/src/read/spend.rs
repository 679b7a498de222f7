//! Sums over charges by any dimensions.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use arrow::datatypes::DataType;
use schemas::{Meter, Money, Quantity, Text};

use super::{Cells, Days, LakeReader};
use crate::catalogue;

/// What was spent under one combination of dimension values, net of corrections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spend {
    /// Values of the dimensions, in the order asked for; `None` is unallocated or unknown.
    pub dimensions: Vec<Option<Text>>,
    /// ISO 4217 currency of the costs.
    pub currency: Text,
    /// Calls.
    pub requests: i64,
    /// Charge rows.
    pub charges: i64,
    /// Cost at list price, of the rows that have one.
    pub list: Money,
    /// Contracted cost, of the rows that have one.
    pub contracted: Money,
    /// Effective cost, of the rows that have one.
    pub effective: Money,
    /// Calls without a price, or with a partial one.
    pub unpriced_requests: i64,
    /// Tokens of every kind.
    pub tokens: Quantity,
    /// Input tokens served from a cache.
    pub cache_read_tokens: Quantity,
}

/// Rows of each table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows by table name.
    pub rows: BTreeMap<&'static str, i64>,
}

impl LakeReader {
    /// Sums of charges by dimensions: names of text columns of `charges`, or `event_date`. Largest effective cost first.
    ///
    /// # Errors
    /// When a dimension is not a text column of `charges`, the lake cannot be read, or a sum leaves 38 digits.
    pub fn spend_by(&self, dimensions: &[&str], days: Days) -> anyhow::Result<Vec<Spend>> {
        let schema = catalogue::table("charges").context("the lake has charges")?.schema();
        for name in dimensions {
            let field = schema.field_with_name(name).ok().filter(|field| *field.data_type() == DataType::Utf8);
            ensure!(
                field.is_some() || *name == "event_date",
                "charges cannot be summed by {name}: no text column of that name"
            );
        }
        let tokens: Vec<&str> =
            Meter::ALL.iter().filter(|meter| meter.is_tokens()).map(|meter| meter.as_str()).collect();
        let mut columns =
            vec!["currency", "requests", "pricing_status", "list_cost", "contracted_cost", "effective_cost"];
        columns.extend(&tokens);
        columns.extend(dimensions);
        columns.sort_unstable();
        columns.dedup();
        let mut sums: BTreeMap<(Vec<Option<Text>>, Text), Spend> = BTreeMap::new();
        for batch in self.charges(&columns, days)? {
            let batch = batch?;
            let cells = Cells(&batch);
            for row in 0..batch.num_rows() {
                let values = dimensions.iter().map(|name| match *name {
                    "event_date" => cells.date("event_date", row).map(|day| Some(Text::from(day.to_string()))),
                    name => Ok(cells.text(name, row)?.map(Text::from)),
                });
                let values = values.collect::<anyhow::Result<Vec<_>>>()?;
                let key = (values, cells.must_text("currency", row)?);
                let spend = sums.entry(key).or_insert_with_key(|(values, currency)| Spend {
                    dimensions: values.clone(),
                    currency: currency.clone(),
                    requests: 0,
                    charges: 0,
                    list: Money::ZERO,
                    contracted: Money::ZERO,
                    effective: Money::ZERO,
                    unpriced_requests: 0,
                    tokens: Quantity::ZERO,
                    cache_read_tokens: Quantity::ZERO,
                });
                spend.charges += 1;
                let requests = cells.must_long("requests", row)?;
                spend.requests += requests;
                if matches!(cells.text("pricing_status", row)?, Some("unpriced" | "partial")) {
                    spend.unpriced_requests += requests;
                }
                spend.list.accrue(cells.money("list_cost", row)?.unwrap_or_default())?;
                spend.contracted.accrue(cells.money("contracted_cost", row)?.unwrap_or_default())?;
                spend.effective.accrue(cells.money("effective_cost", row)?.unwrap_or_default())?;
                for name in &tokens {
                    let quantity = cells.quantity(name, row)?;
                    spend.tokens.accrue(quantity)?;
                    if name.starts_with("cache_read") {
                        spend.cache_read_tokens.accrue(quantity)?;
                    }
                }
            }
        }
        let mut spends: Vec<Spend> = sums.into_values().collect();
        spends.sort_by_key(|spend| std::cmp::Reverse(spend.effective));
        Ok(spends)
    }

    /// Rows of each table.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn counts(&self, days: Days) -> anyhow::Result<Counts> {
        let mut counts = Counts::default();
        for table in catalogue::TABLES {
            let mut rows = 0;
            for batch in self.scan(table.name, &["kafka_offset"], days)? {
                rows += batch?.num_rows() as i64;
            }
            counts.rows.insert(table.name, rows);
        }
        Ok(counts)
    }
}
