//! What enrich makes of an event: a [`Charge`] that can be repriced, re-attributed and reconciled by itself.

use crate::{Dimensions, Flag, Id128, Meter, Money, Price, Quantity, Text, Timestamp, UsageEvent, record, symbols};

symbols! {
    /// What a charge row is. Money and requests of a reversal are negative, so that plain sums are right.
    pub enum ChargeClass {
        /// First charge of a call.
        Original = "original",
        /// Takes back an earlier charge.
        Reversal = "reversal",
        /// Takes its place.
        Replacement = "replacement",
        /// A share of a shared charge, moved to the one who pays.
        Allocation = "allocation",
    }
}

symbols! {
    /// Whether the price book knew a price.
    pub enum PricingStatus {
        /// Every meter has a price.
        Priced = "priced",
        /// Some meters have one; the cost is a lower bound.
        Partial = "partial",
        /// No meter has one. Never counted as zero: the cost is null.
        Unpriced = "unpriced",
        /// Free by an explicit row of the book, or nothing was used.
        Free = "free",
    }
}

symbols! {
    /// How sure the attribution is.
    pub enum Confidence {
        /// An operator's rule on a key or resource.
        Exact = "exact",
        /// A rule on tags or source that a producer could have set wrongly.
        Stated = "stated",
        /// A default.
        Assumed = "assumed",
        /// No rule matched: unallocated.
        None = "none",
    }
}

record! {
    /// One priced meter of a charge.
    pub struct Line {
        /// What is charged for.
        pub meter: Meter,
        /// Used.
        pub quantity: Quantity,
        /// Charged for, after minimum and rounding rules.
        pub billed_quantity: Quantity,
        /// Public price for `per` of the meter.
        pub list_unit_price: Price,
        /// Price under contract for `per` of the meter; null when none applies.
        pub contracted_unit_price: Option<Price>,
        /// Quantity the unit price is for.
        pub per: i64,
        /// ISO 4217 currency of the prices and costs.
        pub currency: Text,
        /// Rate row used for the list price.
        pub rate_id: Text,
        /// Rate or contract row used for the contracted price.
        pub contracted_rate_id: Option<Text>,
        /// Cost at list price. Lines share the charge's rounding so that they add up to it.
        pub list_cost: Money,
        /// Cost under contract; equals the list cost where no contract applies.
        pub contracted_cost: Money,
    }
}

record! {
    /// A meter without a price, and why.
    pub struct UnpricedMeter {
        /// The meter.
        pub meter: Meter,
        /// How much of it.
        pub quantity: Quantity,
        /// Why: `unknown_model`, `unknown_meter`, `before_first_price`, `no_rate_for_context`.
        pub reason: Text,
    }
}

record! {
    /// The costs of a charge side by side, in one currency. Null is unknown, never zero.
    pub struct Costs {
        /// ISO 4217 currency.
        pub currency: Text,
        /// At public prices.
        pub list: Option<Money>,
        /// At contract prices.
        pub contracted: Option<Money>,
        /// Contracted, with commitments and purchases spread over what they cover. What windows and budgets sum.
        pub effective: Option<Money>,
        /// On the invoice; null until invoiced.
        pub billed: Option<Money>,
    }
}

symbols! {
    /// What a counterfactual cost answers.
    pub enum CounterfactualKind {
        /// Cost had nothing been cached.
        Uncached = "uncached",
        /// Cost had it not run in a batch.
        Unbatched = "unbatched",
        /// Cost at the standard tier.
        StandardTier = "standard_tier",
        /// Cost on the declared baseline model.
        BaselineModel = "baseline_model",
        /// Cost on the cheapest model of the same class.
        CheapestEqualClass = "cheapest_equal_class",
        /// Cost at another provider.
        OtherProvider = "other_provider",
        /// List cost of a call that added no marginal cost (included, self-hosted, gateway cache).
        Retail = "retail",
    }
}

record! {
    /// What a call would have cost otherwise. Never netted into cost.
    pub struct Counterfactual {
        /// Under which change.
        pub kind: CounterfactualKind,
        /// The cost then.
        pub cost: Money,
        /// ISO 4217 currency.
        pub currency: Text,
        /// Model, rate or rule it was computed with.
        pub basis: Text,
    }
}

record! {
    /// How a shared charge was split (FOCUS allocation columns).
    pub struct Allocation {
        /// Charge that was split.
        pub shared_charge: Id128,
        /// Rule and its version.
        pub rule: Text,
        /// Method: even, fixed, proportional_to_usage, proportional_to_metric.
        pub method: Text,
        /// This share's weight.
        pub weight: Quantity,
        /// Sum of all weights.
        pub weight_total: Quantity,
    }
}

record! {
    /// One charge: what was used, what it costs, who pays and by which rows that was decided.
    pub struct Charge {
        /// Deterministic id: hash of dedup key, revision and class.
        pub charge_id: Id128,
        /// 0 for the original; grows by one with every replacement. A reversal carries the revision it takes back.
        pub revision: i32,
        /// What this row is.
        pub class: ChargeClass,
        /// Charge this row takes back or replaces.
        pub corrects: Option<Id128>,
        /// Why it was corrected.
        pub correction_reason: Option<crate::CorrectionReason>,
        /// Correction that asked for it.
        pub correction_id: Option<Id128>,
        /// Arrival of what caused this row (`received_at` of the event or of the correction).
        pub booked_at: Timestamp,
        /// The event charged for.
        pub event: Box<UsageEvent>,
        /// Calls this row adds: 1 for the first iteration of a call, 0 for the others, negated in a reversal.
        pub requests: i32,
        /// Whether it has a price.
        pub status: PricingStatus,
        /// Priced meters.
        pub lines: Vec<Line>,
        /// Meters without a price.
        pub unpriced: Vec<UnpricedMeter>,
        /// Costs in the currency of the rates.
        pub costs: Costs,
        /// Costs in the reporting currency; null when it is the same.
        pub reporting: Option<Costs>,
        /// FX row used for that.
        pub fx_rate_id: Option<Text>,
        /// What it would have cost otherwise.
        pub counterfactuals: Vec<Counterfactual>,
        /// SKU the model resolved to.
        pub sku: Option<Text>,
        /// Class of the model in this book: premium, standard, economy.
        pub model_class: Option<Text>,
        /// Version of the price book.
        pub book_version: Text,
        /// Who pays, and the rest of the dimensions.
        pub owner: Dimensions,
        /// Rule that named the owner; null when unallocated.
        pub rule: Option<Text>,
        /// How sure that is.
        pub confidence: Confidence,
        /// Version of the directory.
        pub directory_version: Text,
        /// Split of a shared charge.
        pub allocation: Option<Allocation>,
        /// Remarks, the event's and those made while charging.
        pub flags: Vec<Flag>,
    }
}
