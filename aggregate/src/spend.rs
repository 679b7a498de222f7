//! What sums and budgets need of a charge.

use schemas::{
    Carries, Charge, ChargeCategory, ChargeClass, CostBasis, Costs, Dimensions, Metered, Money, PriceContext,
    PricingStatus, Tag, Text, Timestamp, UnpricedMeter, UsageEvent, projection,
};

projection! {
    /// A charge without its evidence: what was added, to whom, and what a budget may be about.
    pub struct Spend of Charge {
        /// What the row is: the sign of its usage.
        pub class: ChargeClass,
        /// Arrival of what caused it.
        pub booked_at: Timestamp,
        /// The event charged for.
        pub event: Call,
        /// Calls it adds.
        pub requests: i32,
        /// Whether it has a price.
        pub status: PricingStatus,
        /// Meters without one.
        pub unpriced: Vec<UnpricedMeter>,
        /// Costs in the currency of the rates.
        pub costs: Costs,
        /// Costs in the reporting currency.
        pub reporting: Option<Costs>,
        /// SKU the model resolved to.
        pub sku: Option<Text>,
        /// Class of the model.
        pub model_class: Option<Text>,
        /// Who pays.
        pub owner: Dimensions,
    }
}

projection! {
    /// A call without its identity and evidence.
    pub struct Call of UsageEvent {
        /// Tenant.
        pub tenant: Text,
        /// When it was made.
        pub event_time: Timestamp,
        /// When it arrived.
        pub received_at: Timestamp,
        /// Who bills for it.
        pub provider: Text,
        /// Who made the model.
        pub publisher: Option<Text>,
        /// Model that served it.
        pub model: Text,
        /// Operation.
        pub operation: Text,
        /// What its price depended on.
        pub price_context: PriceContext,
        /// What was used.
        pub usage: Vec<Metered>,
        /// API key id.
        pub key_id: Option<Text>,
        /// Resource.
        pub resource: Option<Text>,
        /// Labels.
        pub tags: Vec<Tag>,
        /// Who bears the marginal cost.
        pub cost_basis: CostBasis,
        /// FOCUS charge category.
        pub charge_category: ChargeCategory,
    }
}

impl Carries for Spend {
    fn money(&self) -> Option<(&Text, Money)> {
        self.costs.money()
    }
}
