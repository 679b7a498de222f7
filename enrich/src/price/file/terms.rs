//! Allowances, ladders and commitments as a price file states them.

use schemas::{Meter, Text, Timestamp};
use serde::Deserialize;

use crate::period::Period;
use crate::price::row::{Exact, Provenance, Row};
use crate::price::terms::{Band, Commitment, CommitmentKind, Every, Ladder, Scope};

dated! {
    /// Units that cost nothing, in each period.
    pub(super) struct AllowanceEntry {
        id: Text,
        #[serde(default)]
        account: Option<Text>,
        #[serde(default)]
        scope: Scope,
        covers: Vec<Text>,
        meters: Vec<Meter>,
        quantity: Exact,
        #[serde(default)]
        every: Every,
        #[serde(default = "utc")]
        timezone: Text,
    }
}

dated! {
    /// Prices that fall with the volume of a period.
    pub(super) struct LadderEntry {
        id: Text,
        #[serde(default)]
        account: Option<Text>,
        #[serde(default)]
        scope: Scope,
        covers: Vec<Text>,
        meters: Vec<Meter>,
        #[serde(default)]
        every: Every,
        #[serde(default = "utc")]
        timezone: Text,
        #[serde(default = "one")]
        per: i64,
        bands: Vec<Band>,
    }
}

dated! {
    /// Capacity or use paid in advance.
    pub(super) struct CommitmentEntry {
        id: Text,
        #[serde(default)]
        account: Option<Text>,
        #[serde(default)]
        team: Option<Text>,
        kind: CommitmentKind,
        quantity: Exact,
        #[serde(default)]
        covers: Vec<Text>,
        price: Exact,
        #[serde(default = "one")]
        per: i64,
        #[serde(default)]
        currency: Option<Text>,
        #[serde(default)]
        every: Every,
        #[serde(default = "utc")]
        timezone: Text,
    }
}

fn utc() -> Text {
    Text::const_new("UTC")
}

fn one() -> i64 {
    1
}

impl AllowanceEntry {
    /// The place of the row in its file, and the row.
    pub(super) fn row(self, file: &Provenance) -> (String, Row) {
        let (period, provenance) = (self.period(), self.provenance(file));
        let AllowanceEntry { id, account, scope, covers, meters, quantity, every, timezone, .. } = self;
        let (free, full) = (Exact(0.into()), Exact(1.into()));
        let bands = vec![
            Band { from: free, factor: Some(free), price: None },
            Band { from: quantity, factor: Some(full), price: None },
        ];
        let place = format!("allowance {id}");
        let ladder = Ladder { id, account, scope, covers, meters, every, timezone, per: 1, bands, period, provenance };
        (place, Row::Ladder(ladder))
    }
}

impl LadderEntry {
    /// The place of the row in its file, and the row.
    pub(super) fn row(self, file: &Provenance) -> (String, Row) {
        let (period, provenance) = (self.period(), self.provenance(file));
        let LadderEntry { id, account, scope, covers, meters, every, timezone, per, bands, .. } = self;
        let place = format!("ladder {id}");
        (
            place,
            Row::Ladder(Ladder { id, account, scope, covers, meters, every, timezone, per, bands, period, provenance }),
        )
    }
}

impl CommitmentEntry {
    /// The place of the row in its file, and the row; `currency` is the file's.
    pub(super) fn row(self, currency: Option<&Text>, file: &Provenance) -> (String, Result<Row, &'static str>) {
        let (period, provenance) = (self.period(), self.provenance(file));
        let place = format!("commitment {}", self.id);
        let Some(currency) = self.currency.as_ref().or(currency).cloned() else {
            return (place, Err("no currency is stated"));
        };
        let CommitmentEntry { id, account, team, kind, quantity, covers, price, per, every, timezone, .. } = self;
        // A prepaid amount is one amount, whatever happens in a month.
        let every = if kind == CommitmentKind::Prepaid { Every::Term } else { every };
        let row = Commitment {
            id,
            account,
            team,
            kind,
            quantity,
            covers,
            price,
            per,
            currency,
            every,
            timezone,
            period,
            provenance,
        };
        (place, Ok(Row::Commitment(row)))
    }
}
