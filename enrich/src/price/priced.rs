//! An evaluation written out: what goes on a charge.

use schemas::{
    CostBasis, Costs, Counterfactual, CounterfactualKind, Dimensions, Flag, Line, Meter, Metered, Money, Price,
    PricingStatus, Quantity, ReportedCost, Text, Timestamp, UnpricedMeter, UsageEvent,
};
use smallvec::SmallVec;

use super::amount::round_half_even;
use super::book::{CompiledRate, PriceBook};
use super::evaluate::{
    Contract, Contracted, Evaluation, MILLION, Matched, nothing_used, select, total, uncached, used,
};

/// What a price book says about one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Priced {
    /// Whether every meter has a price.
    pub status: PricingStatus,
    /// Priced meters, in the order of the usage vector.
    pub lines: Vec<Line>,
    /// Meters without a price, and why.
    pub unpriced: Vec<UnpricedMeter>,
    /// Costs in the currency of the rates; null where the price is unknown, never zero.
    pub costs: Costs,
    /// Costs in the book's reporting currency; null when it is the same or no exchange rate is known.
    pub reporting: Option<Costs>,
    /// Exchange rate row used for that.
    pub fx_rate_id: Option<Text>,
    /// What it would have cost otherwise.
    pub counterfactuals: Vec<Counterfactual>,
    /// SKU the model resolved to.
    pub sku: Option<Text>,
    /// Class of the model in this book: premium, standard, economy.
    pub model_class: Option<Text>,
    /// Remarks made while pricing, to be added to the event's.
    pub flags: Vec<Flag>,
}

impl PriceBook {
    /// Name of the version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Prices an event at the rates that held when the call was made, under the contracts of the party it claims.
    pub fn price(&self, event: &UsageEvent) -> Priced {
        self.price_for(event, &event.claimed)
    }

    /// The same under the contracts of the account and team it is attributed to.
    pub fn price_for(&self, event: &UsageEvent, owner: &Dimensions) -> Priced {
        let mut priced = match (&event.stated_cost, self.resolve(event)) {
            (None, Some(resolved)) => {
                let evaluation = resolved.evaluate(event, owner);
                let mut priced = evaluation.write_out();
                if evaluation.status == PricingStatus::Priced {
                    evaluation.counterfactuals(event, &mut priced);
                    resolved.compare(event, owner, &evaluation, &mut priced.counterfactuals);
                }
                if resolved.aliased {
                    priced.flags.push(Flag::AliasedModel);
                }
                priced
            }
            (Some(stated), _) => Priced::of(PricingStatus::Priced, stated_costs(stated)),
            (None, None) if nothing_used(event) => Priced::of(PricingStatus::Free, self.unknown_costs(event)),
            (None, None) => Priced {
                unpriced: used(event).map(|used| unpriced(used, "unknown_model")).collect(),
                ..Priced::of(PricingStatus::Unpriced, self.unknown_costs(event))
            },
        };
        self.report(event.event_time, &mut priced);
        priced
    }

    /// The costs alone of what [`price_for`](Self::price_for) says.
    pub fn costs_for(&self, event: &UsageEvent, owner: &Dimensions) -> Costs {
        match (&event.stated_cost, self.resolve(event)) {
            (Some(stated), _) => stated_costs(stated),
            (None, Some(resolved)) => resolved.evaluate(event, owner).costs(),
            (None, None) => self.unknown_costs(event),
        }
    }

    /// Costs of a call of a model that is in no list.
    fn unknown_costs(&self, event: &UsageEvent) -> Costs {
        costs(&self.reporting_currency, nothing_used(event).then_some(Money::ZERO))
    }

    /// Adds the costs in the reporting currency, computed from the rounded ones so that the row shows how.
    fn report(&self, time: Timestamp, priced: &mut Priced) {
        if priced.costs.currency == self.reporting_currency {
            return;
        }
        let rates = self.fx.get(&priced.costs.currency);
        let Some(rate) = rates.and_then(|rates| rates.iter().find(|rate| rate.from <= time && time < rate.to)) else {
            return;
        };
        let convert = |money: Option<Money>| {
            let numerator = money?.picos().checked_mul(rate.mantissa)?;
            Money::from_picos(round_half_even(numerator, rate.scale))
        };
        priced.reporting = Some(Costs {
            currency: self.reporting_currency.clone(),
            list: convert(priced.costs.list),
            contracted: convert(priced.costs.contracted),
            effective: convert(priced.costs.effective),
            billed: convert(priced.costs.billed),
        });
        priced.fx_rate_id = Some(rate.id.clone());
    }
}

impl Evaluation<'_> {
    fn write_out(&self) -> Priced {
        let mut priced = Priced::of(self.status, self.costs());
        priced.sku = Some(self.sku.name.clone());
        priced.model_class.clone_from(&self.sku.class);
        priced.unpriced = self.unpriced.iter().map(|(used, reason)| unpriced(used, reason)).collect();
        if self.status == PricingStatus::Partial {
            priced.flags.push(Flag::PartiallyPriced);
        }
        priced.lines.reserve_exact(self.lines.len() + usize::from(self.fee.is_some()));
        let lines = self.lines.iter().enumerate();
        let lines = lines.map(|(index, line)| line.write_out(&self.sku.currency, self.contracted.get(index)));
        priced.lines.extend(lines);
        if let Some((discount, price, amount)) = self.fee {
            priced.lines.push(Line {
                meter: Meter::Requests,
                quantity: Quantity::from_units(1),
                billed_quantity: Quantity::from_units(1),
                list_unit_price: Price::default(),
                contracted_unit_price: Some(price),
                per: 1,
                currency: self.sku.currency.clone(),
                rate_id: discount.id.clone(),
                contracted_rate_id: Some(discount.id.clone()),
                list_cost: Money::ZERO,
                contracted_cost: amount,
            });
        }
        priced
    }

    /// Each step of the waterfall batch -> cache is priced with the later ones off, so that savings add up. `savings.sql`
    /// counts on the order: `uncached` first, then tier or batch, then all others.
    fn counterfactuals(&self, event: &UsageEvent, priced: &mut Priced) {
        let currency = &self.sku.currency;
        let mut push = |kind, cost: Option<Money>, basis: &'static str| {
            if let Some(cost) = cost {
                let currency = currency.clone();
                priced.counterfactuals.push(Counterfactual { kind, cost, currency, basis: Text::const_new(basis) });
            }
        };
        let cached = self.lines.iter().any(|line| uncached(line.used.meter) != line.used.meter);
        if cached {
            push(CounterfactualKind::Uncached, self.otherwise(self.conditions, event.event_time, false), "list");
        }
        if !self.context.is_standard() {
            let conditions = self.sku.conditions.met(&self.context.standard());
            let batched = self.context.is_batched();
            let kind = if batched { CounterfactualKind::Unbatched } else { CounterfactualKind::StandardTier };
            let basis = if cached { "list, uncached" } else { "list" };
            push(kind, self.otherwise(conditions, event.event_time, true), basis);
        }
        if event.cost_basis != CostBasis::OnDemand {
            push(CounterfactualKind::Retail, priced.costs.list, "list");
        }
    }

    /// What the same usage costs when nothing is cached; `None` when a rate for that is not in the book. With
    /// `published`, both the rates used and the rates they stand for must be published ones, never derived.
    fn otherwise(&self, conditions: u128, time: Timestamp, published: bool) -> Option<Money> {
        let mut parts = SmallVec::<[(Quantity, &CompiledRate); 8]>::new();
        for line in &self.lines {
            let rate = select(self.sku, conditions, uncached(line.used.meter), time, false).ok()?;
            if published && !(rate.published && line.rate.published) && rate.price != line.rate.price {
                return None;
            }
            parts.push((line.billed, rate));
        }
        total(self.sku, &parts, MILLION)
    }
}

impl Matched<'_> {
    fn write_out(&self, currency: &Text, contracted: Option<&Contracted<'_>>) -> Line {
        let contracted_rate_id = contracted.and_then(|contracted| match &contracted.contract {
            Contract::None => None,
            Contract::Rate(rate) => Some(rate.id.clone()),
            Contract::Discount(discount) => Some(discount.id.clone()),
        });
        Line {
            meter: self.used.meter,
            quantity: self.used.quantity,
            billed_quantity: self.billed,
            list_unit_price: self.rate.price,
            contracted_unit_price: contracted.and_then(|contracted| contracted.price),
            per: self.rate.per,
            currency: currency.clone(),
            rate_id: self.rate.id.clone(),
            contracted_rate_id,
            list_cost: self.list,
            contracted_cost: contracted.map_or(self.list, |contracted| contracted.cost),
        }
    }
}

impl Priced {
    fn of(status: PricingStatus, costs: Costs) -> Self {
        Priced {
            status,
            lines: Vec::new(),
            unpriced: Vec::new(),
            costs,
            reporting: None,
            fx_rate_id: None,
            counterfactuals: Vec::new(),
            sku: None,
            model_class: None,
            flags: Vec::new(),
        }
    }
}

fn stated_costs(stated: &ReportedCost) -> Costs {
    costs(&stated.currency, Some(stated.amount))
}

fn costs(currency: &Text, cost: Option<Money>) -> Costs {
    Costs { currency: currency.clone(), list: cost, contracted: cost, effective: cost, billed: None }
}

fn unpriced(used: &Metered, reason: &'static str) -> UnpricedMeter {
    UnpricedMeter { meter: used.meter, quantity: used.quantity, reason: Text::const_new(reason) }
}
