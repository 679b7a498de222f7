//! What would become of a raw record: recognised, normalised, priced, owned, or refused; nothing is written.

use std::collections::BTreeMap;

use enrich::{Directory, PriceBook};
use ingest::{Decoded, Item, RawRecord};
use schemas::{
    CurrencySum, Flag, IdentityKind, Meter, Money, Price, PriceContext, PricingStatus, Quantity, RejectReason, Text,
    Timestamp, UsageEvent,
};
use serde::Serialize;

/// What became of one record. Its JSON form is a stable contract.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Place of the record in the input, from 1.
    pub record: u64,
    /// The file it is in, where a folder is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Format; empty when nothing was recognised.
    pub recognised_as: Text,
    /// Billable calls.
    pub events: Vec<PricedEvent>,
    /// Items that are not billable.
    pub ignored: Vec<Ignored>,
    /// Items that could not be used.
    pub rejected: Vec<Rejected>,
}

/// One billable call.
#[derive(Debug, Serialize)]
pub struct PricedEvent {
    /// The producer's event id, else the call key.
    pub event_id: Text,
    /// The producer.
    pub source: Text,
    /// Who bills.
    pub provider: Text,
    /// Model that served the call.
    pub model: Text,
    /// Operation.
    pub operation: Text,
    /// When the call was made.
    pub event_time: Timestamp,
    /// What the price may depend on.
    pub price_context: PriceContext,
    /// Disjoint meters, non-zero only.
    pub usage: BTreeMap<&'static str, serde_json::Value>,
    /// Remarks.
    pub flags: Vec<Flag>,
    /// Cost the producer reports, in US dollars.
    pub reported_cost_usd: Option<Money>,
    /// What it costs, in US dollars; null when unpriced, or charged in another currency without an exchange rate to dollars.
    pub cost_usd: Option<Money>,
    /// Whether it has a price.
    pub status: PricingStatus,
    /// Priced meters.
    pub lines: Vec<PricedLine>,
    /// Who pays; null when unallocated.
    pub team: Option<Text>,
    /// Rule that named the team.
    pub rule: Option<Text>,
    /// What it costs, in the currency it is charged in; for people, not part of the contract.
    #[serde(skip)]
    pub cost: Option<CurrencySum>,
    /// Why meters have no price; for people, not part of the contract.
    #[serde(skip)]
    pub unpriced: Vec<String>,
    /// How the call is known; for people, not part of the contract.
    #[serde(skip)]
    pub identity: IdentityKind,
}

/// One priced meter.
#[derive(Debug, Serialize)]
pub struct PricedLine {
    /// Meter.
    pub meter: Meter,
    /// Used.
    pub quantity: Quantity,
    /// Charged for.
    pub billed_quantity: Quantity,
    /// Price of `per` of the meter.
    pub price: Price,
    /// Quantity the price is for.
    pub per: i64,
    /// Currency of the price.
    pub currency: Text,
    /// Rate row.
    pub rate_id: Text,
    /// Cost in US dollars; null where the price is in another currency.
    pub cost_usd: Option<Money>,
    /// Cost in the currency of the price; for people, not part of the contract.
    #[serde(skip)]
    pub cost: Money,
}

/// An item that is not billable.
#[derive(Debug, Serialize)]
pub struct Ignored {
    /// Index within the record, from 0.
    pub item: i32,
    /// Why.
    pub reason: Text,
}

/// An item that could not be used.
#[derive(Debug, Serialize)]
pub struct Rejected {
    /// Index within the record, from 0.
    pub item: i32,
    /// Why.
    pub reason: RejectReason,
    /// Field at fault.
    pub field: Text,
    /// One sentence for a person.
    pub message: Text,
}

/// Prices and owners to judge by.
#[derive(Debug)]
pub struct Judge {
    /// Settings of decoding.
    pub config: ingest::Config,
    /// Prices.
    pub prices: PriceBook,
    /// Owners.
    pub owners: Directory,
}

impl Judge {
    /// What becomes of a record.
    pub fn judge(&self, number: u64, record: &RawRecord<'_>) -> Outcome {
        let Decoded { recognised_as, items, .. } = ingest::decode(record, &self.config);
        let mut outcome = Outcome {
            record: number,
            file: None,
            recognised_as,
            events: Vec::new(),
            ignored: Vec::new(),
            rejected: Vec::new(),
        };
        for (index, item) in items.into_iter().enumerate() {
            let index = i32::try_from(index).unwrap_or(i32::MAX);
            match item {
                Item::Event(event) => outcome.events.push(self.price(*event)),
                Item::Rejected(rejection) => outcome.rejected.push(Rejected {
                    item: rejection.position.item,
                    reason: rejection.reason,
                    field: rejection.field,
                    message: rejection.message,
                }),
                Item::Ignored { item, reason } => {
                    outcome.ignored.push(Ignored { item, reason: Text::from(reason.as_str()) });
                }
                Item::Fact(_) => outcome.ignored.push(Ignored { item: index, reason: Text::const_new("fact") }),
                Item::Correction(_) => {
                    outcome.ignored.push(Ignored { item: index, reason: Text::const_new("correction") });
                }
                // Follows the event that knew both keys; no item of its own.
                Item::Link(_) => {}
            }
        }
        outcome
    }

    fn price(&self, event: UsageEvent) -> PricedEvent {
        let owner = self.owners.attribute(&event);
        let priced = self.prices.price_for(&event, &owner.owner);
        let dollars = |amount: Option<Money>, currency: &str| amount.filter(|_| currency == "USD");
        let reporting = priced.reporting.as_ref().and_then(|costs| dollars(costs.effective, &costs.currency));
        let cost_usd = dollars(priced.costs.effective, &priced.costs.currency).or(reporting);
        let unpriced = priced.status == PricingStatus::Unpriced;
        let currency = priced.costs.currency;
        let cost = priced.costs.effective.filter(|_| !unpriced).map(|amount| CurrencySum { currency, amount });
        let lines = priced.lines.into_iter().map(|line| PricedLine {
            meter: line.meter,
            cost: line.contracted_cost,
            quantity: line.quantity,
            billed_quantity: line.billed_quantity,
            price: line.contracted_unit_price.unwrap_or(line.list_unit_price),
            per: line.per,
            cost_usd: dollars(Some(line.contracted_cost), &line.currency),
            currency: line.currency,
            rate_id: line.contracted_rate_id.unwrap_or(line.rate_id),
        });
        let mut flags = event.flags;
        for flag in priced.flags {
            if !flags.contains(&flag) {
                flags.push(flag);
            }
        }
        PricedEvent {
            event_id: event.event_id.unwrap_or(event.call_key),
            source: event.source,
            provider: event.provider,
            model: event.model,
            operation: event.operation,
            event_time: event.event_time,
            price_context: event.price_context,
            usage: event.usage.iter().map(|used| (used.meter.as_str(), number(used.quantity))).collect(),
            flags,
            reported_cost_usd: event.reported_cost.filter(|cost| cost.currency == "USD").map(|cost| cost.amount),
            cost_usd: cost_usd.filter(|_| !unpriced),
            cost,
            status: priced.status,
            lines: lines.collect(),
            team: owner.owner.team,
            rule: owner.rule,
            unpriced: priced.unpriced.iter().map(|row| format!("{}: {}", row.meter, row.reason)).collect(),
            identity: event.identity,
        }
    }
}

/// Whole quantities are numbers, others decimal strings.
fn number(quantity: Quantity) -> serde_json::Value {
    let whole = quantity.picos() / schemas::PICO;
    match i64::try_from(whole) {
        Ok(whole) if Quantity::from_units(whole) == quantity => whole.into(),
        _ => quantity.to_string().into(),
    }
}
