//! Internal prices as a price file states them.

use schemas::{Text, Timestamp};
use serde::Deserialize;

use crate::period::Period;
use crate::price::rate_card::{InternalRate, Scope};
use crate::price::row::{Exact, Provenance, Row};

dated! {
    /// What a unit of value is charged on for.
    pub(super) struct InternalRateEntry {
        unit: Text,
        #[serde(default)]
        customer: Option<Text>,
        #[serde(default)]
        project: Option<Text>,
        #[serde(default)]
        team: Option<Text>,
        #[serde(default)]
        workload: Option<Text>,
        price: Exact,
        #[serde(default)]
        currency: Option<Text>,
    }
}

impl InternalRateEntry {
    /// The row, or what is missing; `currency` is the file's.
    pub(super) fn row(self, currency: Option<&Text>, file: &Provenance) -> Result<Row, &'static str> {
        let (period, provenance) = (self.period(), self.provenance(file));
        let currency = self.currency.as_ref().or(currency).cloned().ok_or("no currency is stated")?;
        let InternalRateEntry { unit, customer, project, team, workload, price, .. } = self;
        let scope = Scope { customer, project, team, workload };
        Ok(Row::InternalRate(InternalRate { unit, scope, price, currency, period, provenance }))
    }
}
