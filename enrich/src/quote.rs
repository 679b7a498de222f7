//! A question to a price book, as `spendstream check -o json` writes its events, and the answer with its reasons.

use std::collections::BTreeMap;

use schemas::ids::hash_parts;
use schemas::{
    ChargeCategory, CostBasis, Costs, Counterfactual, Dimensions, Flag, Id128, IdentityKind, Line, Meter, Metered,
    Position, PriceContext, PricingStatus, Quantity, Text, Timestamp, UnpricedMeter, UsageEvent,
};
use serde::{Deserialize, Serialize};

use crate::price::{Considered, PriceBook};

/// What was used, of what, when. Fields that a price cannot depend on are read over.
#[derive(Debug, Clone, Deserialize)]
pub struct Question {
    /// Name of the question, given back with its answer.
    #[serde(default)]
    pub event_id: Text,
    /// Who bills.
    pub provider: Text,
    /// Model that served the call.
    pub model: Text,
    /// Operation.
    #[serde(default)]
    pub operation: Text,
    /// When the call was made.
    pub event_time: Timestamp,
    /// What the price may depend on.
    #[serde(default)]
    pub price_context: PriceContext,
    /// Disjoint meters: whole numbers, or decimals as text.
    pub usage: BTreeMap<Meter, Amount>,
    /// Remarks of the extractor.
    #[serde(default)]
    pub flags: Vec<Flag>,
    /// Tenant whose contracts hold.
    #[serde(default)]
    pub tenant: Text,
    /// Team whose contracts hold.
    #[serde(default)]
    pub team: Option<Text>,
    /// Billing account whose contracts hold.
    #[serde(default)]
    pub billing_account: Option<Text>,
}

/// A quantity: a whole number, or a decimal as text.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Amount {
    /// `1000`
    Whole(i64),
    /// `"12.5"`
    Decimal(Quantity),
}

impl Question {
    /// The event that asks this.
    pub fn event(&self) -> UsageEvent {
        let used = |(meter, amount): (&Meter, &Amount)| {
            let quantity = match amount {
                Amount::Whole(units) => Quantity::from_units(*units),
                Amount::Decimal(quantity) => *quantity,
            };
            Metered { meter: *meter, quantity }
        };
        let id: Id128 = hash_parts([b"question".as_slice(), self.event_id.as_bytes()]);
        UsageEvent {
            tenant: self.tenant.clone(),
            call_key: self.event_id.clone(),
            identity: IdentityKind::EventId,
            weaker_keys: Vec::new(),
            iteration: 0,
            dedup_key: id,
            content_hash: id,
            precedence: 0,
            amends: false,
            event_id: Some(self.event_id.clone()),
            source: Text::const_new("question"),
            position: Position { topic: Text::default(), partition: 0, offset: 0, item: 0 },
            event_time: self.event_time,
            received_at: self.event_time,
            charge_period_start: None,
            charge_period_end: None,
            provider: self.provider.clone(),
            publisher: None,
            model: self.model.clone(),
            requested_model: None,
            operation: self.operation.clone(),
            price_context: self.price_context.clone(),
            usage: self.usage.iter().map(used).collect(),
            checked: Text::default(),
            raw_usage: Text::default(),
            raw_usage_hash: id,
            extractor: Text::const_new("question"),
            extractor_version: 1,
            flags: self.flags.clone(),
            key_id: None,
            resource: None,
            tags: Vec::new(),
            claimed: Dimensions {
                team: self.team.clone(),
                billing_account: self.billing_account.clone(),
                ..Dimensions::default()
            },
            cost_basis: CostBasis::OnDemand,
            charge_category: ChargeCategory::Usage,
            reported_cost: None,
            stated_cost: None,
        }
    }
}

/// What it costs, and why.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// Name of the question.
    pub event_id: Text,
    /// Version of the book.
    pub book_version: Text,
    /// SKU the model means; null when it is not in the book.
    pub sku: Option<Text>,
    /// Class of the model.
    pub model_class: Option<Text>,
    /// Whether every meter has a price.
    pub status: PricingStatus,
    /// Costs in the currency of the rates.
    pub costs: Costs,
    /// Costs in the reporting currency, where that is another.
    pub reporting: Option<Costs>,
    /// Priced meters with the rates used.
    pub lines: Vec<Line>,
    /// Meters without a price, and why.
    pub unpriced: Vec<UnpricedMeter>,
    /// What it would have cost otherwise.
    pub counterfactuals: Vec<Counterfactual>,
    /// Remarks.
    pub flags: Vec<Flag>,
    /// Every row of the meters used, in the order of precedence: the one that was used, and why the others were not.
    pub considered: Vec<Considered>,
}

/// Answers a question.
pub fn quote(book: &PriceBook, question: &Question) -> Answer {
    let event = question.event();
    let priced = book.price(&event);
    Answer {
        event_id: question.event_id.clone(),
        book_version: book.version().into(),
        considered: book.explain(&event),
        sku: priced.sku,
        model_class: priced.model_class,
        status: priced.status,
        costs: priced.costs,
        reporting: priced.reporting,
        lines: priced.lines,
        unpriced: priced.unpriced,
        counterfactuals: priced.counterfactuals,
        flags: priced.flags,
    }
}
