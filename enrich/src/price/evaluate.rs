//! Evaluating one event: find one rate per meter, sum the products, round once. Nothing is copied and, for most calls,
//! nothing divided: what a unit of a meter costs is mostly a whole number of picounits.

use schemas::{
    CostBasis, Costs, Dimensions, Flag, Meter, Metered, Money, PICO, Price, PricingStatus, Quantity, Timestamp,
    UsageEvent,
};
use smallvec::SmallVec;

use super::amount::{gcd, round_half_even, share};
use super::book::{CompiledDiscount, CompiledRate, SkuRates};
use super::condition::Context;
use super::name::Resolved;

/// Discounts are stated in millionths.
pub(super) const MILLION: i128 = 1_000_000;
/// Finest denominator that leaves room for 10^14 of a meter in picounits.
const COARSE: i128 = 10i128.pow(22);

/// What one call of a model costs, in terms of the rows of the book: [`super::PriceBook::price_for`] writes it out.
#[derive(Debug)]
pub struct Evaluation<'a> {
    pub(super) sku: &'a SkuRates,
    pub(super) context: Context<'a>,
    /// Conditions of the SKU that the call meets, one bit each.
    pub(super) conditions: u128,
    pub(super) status: PricingStatus,
    /// Meters that have a rate, in the order of the usage vector.
    pub(super) lines: SmallVec<[Matched<'a>; 6]>,
    /// What a contract makes of each line; empty when none applies.
    pub(super) contracted: Vec<Contracted<'a>>,
    /// Meters that have no rate, and why.
    pub(super) unpriced: SmallVec<[(&'a Metered, &'static str); 2]>,
    /// What a contract adds to every call.
    pub(super) fee: Option<(&'a CompiledDiscount, Price, Money)>,
    /// List, contracted and effective.
    costs: [Option<Money>; 3],
}

/// A meter that has a rate.
#[derive(Debug)]
pub(super) struct Matched<'a> {
    pub used: &'a Metered,
    pub rate: &'a CompiledRate,
    pub billed: Quantity,
    /// Lines share the rounding of their sum.
    pub list: Money,
}

/// A line under contract.
#[derive(Debug)]
pub(super) struct Contracted<'a> {
    pub contract: Contract<'a>,
    /// Price of what the rate's price is for.
    pub price: Option<Price>,
    /// Lines share the rounding of their sum.
    pub cost: Money,
}

/// What a contract says about a line.
#[derive(Debug)]
pub(super) enum Contract<'a> {
    None,
    Rate(&'a CompiledRate),
    Discount(&'a CompiledDiscount),
}

impl<'a> Resolved<'a> {
    /// What the call costs under the contracts of its owner.
    pub fn evaluate(&self, event: &'a UsageEvent, owner: &Dimensions) -> Evaluation<'a> {
        let sku = self.sku;
        let context = self.context(event, owner);
        let mut evaluation = Evaluation {
            sku,
            conditions: 0,
            context,
            status: PricingStatus::Free,
            lines: SmallVec::new(),
            contracted: Vec::new(),
            unpriced: SmallVec::new(),
            fee: None,
            costs: [Some(Money::ZERO); 3],
        };
        if nothing_used(event) {
            return evaluation;
        }
        evaluation.conditions = sku.conditions.met(&evaluation.context);
        evaluation.match_meters(event);
        let nothing_billed = evaluation.lines.is_empty() && evaluation.unpriced.is_empty();
        if nothing_billed && !event.flags.contains(&Flag::UsageMissing) {
            return evaluation;
        }
        if evaluation.settle(event).is_none() {
            evaluation.lines.clear();
            evaluation.fee = None;
            evaluation.status = PricingStatus::Unpriced;
            evaluation.unpriced = used(event).map(|used| (used, "amount_overflow")).collect();
            evaluation.costs = [None; 3];
        }
        evaluation
    }

    pub(super) fn context(&self, event: &'a UsageEvent, owner: &Dimensions) -> Context<'a> {
        let tier = event.price_context.service_tier.as_deref();
        let tier = tier.map(|tier| self.list.tiers.get(tier).map_or(tier, |tier| tier.as_str()));
        Context::new(event, owner, &self.book.values, self.sku.conditions.looks_at(), tier)
    }
}

impl Evaluation<'_> {
    /// Whether every meter has a price.
    pub fn status(&self) -> PricingStatus {
        self.status
    }

    /// The costs, in the currency of the rates; null where the price is unknown, never zero.
    pub fn costs(&self) -> Costs {
        let [list, contracted, effective] = self.costs;
        Costs { currency: self.sku.currency.clone(), list, contracted, effective, billed: None }
    }
}

impl<'a> Evaluation<'a> {
    fn match_meters(&mut self, event: &'a UsageEvent) {
        let (sku, time) = (self.sku, event.event_time);
        for used in usage(event, sku) {
            let billed = sku.quantities.iter().find(|(meter, _)| *meter == used.meter);
            let billed = billed.map_or(Some(used.quantity), |(_, rule)| rule.apply(used.quantity));
            match (select(sku, self.conditions, used.meter, time, false), billed) {
                (Ok(rate), Some(billed)) => self.lines.push(Matched { used, rate, billed, list: Money::ZERO }),
                // Calls are counted for every model, but few providers bill them.
                (Err("unknown_meter"), _) if used.meter == Meter::Requests => {}
                (Err(reason), _) => self.unpriced.push((used, reason)),
                (Ok(_), None) => self.unpriced.push((used, "amount_overflow")),
            }
        }
    }

    /// Sums the products, rounds once and shares the rounding over the lines. `None` on overflow.
    fn settle(&mut self, event: &UsageEvent) -> Option<()> {
        self.status = match (self.lines.is_empty(), self.unpriced.is_empty()) {
            (true, _) => PricingStatus::Unpriced,
            (false, false) => PricingStatus::Partial,
            (false, true) if self.lines.iter().all(|line| line.rate.numerator == 0) => PricingStatus::Free,
            (false, true) => PricingStatus::Priced,
        };
        if self.status == PricingStatus::Unpriced {
            self.costs = [None; 3];
            return Some(());
        }
        let list = match self.settle_evenly() {
            Some(total) => total,
            None => self.settle_list()?,
        };
        let contracted = self.settle_contracted(list, event.event_time)?;
        let on_demand = event.cost_basis == CostBasis::OnDemand;
        self.costs = [Some(list), Some(contracted), Some(if on_demand { contracted } else { Money::ZERO })];
        Some(())
    }

    /// The sum at list where every line comes out even, so that there is nothing to round.
    fn settle_evenly(&mut self) -> Option<Money> {
        let mut total = Money::ZERO;
        for line in &mut self.lines {
            line.list = even(line.billed, line.rate)?;
            total.accrue(line.list).ok()?;
        }
        Some(total)
    }

    fn settle_list(&mut self) -> Option<Money> {
        let scale = self.scale();
        let products = self.lines.iter().map(|line| scale.product(line.billed, line.rate));
        let mut list = products.collect::<Option<SmallVec<[i128; 8]>>>()?;
        let total = share(&mut list, scale.denominator)?;
        for (line, list) in self.lines.iter_mut().zip(list) {
            line.list = Money::from_picos(list)?;
        }
        Money::from_picos(total)
    }

    /// The sum under contract, which is that at list where no contract applies.
    fn settle_contracted(&mut self, list: Money, time: Timestamp) -> Option<Money> {
        let sku = self.sku;
        if !sku.has_contracts && sku.discounts.is_empty() {
            return Some(list);
        }
        let contracts = self.lines.iter().map(|line| contract(sku, self.conditions, line.used.meter, time));
        let contracts: SmallVec<[Contract<'_>; 8]> = contracts.collect();
        if contracts.iter().all(|contract| matches!(contract, Contract::None)) {
            return Some(list);
        }
        let scale = self.scale();
        let mut parts = SmallVec::<[i128; 8]>::new();
        for (line, contract) in self.lines.iter().zip(&contracts) {
            let (rate, micros) = match contract {
                Contract::None => (line.rate, MILLION),
                Contract::Rate(rate) => (*rate, MILLION),
                Contract::Discount(discount) => (line.rate, discount.micros),
            };
            parts.push(scale.product(line.billed, rate)?.checked_mul(micros)?);
        }
        let total = share(&mut parts, scale.denominator.checked_mul(MILLION)?)?;
        for ((line, contract), picos) in self.lines.iter().zip(contracts).zip(parts) {
            let price = contract.price(line.rate)?;
            self.contracted.push(Contracted { contract, price, cost: Money::from_picos(picos)? });
        }
        self.fee = self.contracted.iter().find_map(|line| match &line.contract {
            Contract::Discount(discount) => discount.per_call.map(|(price, amount)| (*discount, price, amount)),
            _ => None,
        });
        let total = Money::from_picos(total)?;
        self.fee.map_or(Some(total), |(_, _, amount)| total.checked_add(amount).ok())
    }

    fn scale(&self) -> Scale {
        Scale::of(self.sku, self.lines.iter().map(|line| line.billed))
    }
}

impl Contract<'_> {
    /// What it makes of the price of a rate, if anything; `None` on overflow.
    fn price(&self, rate: &CompiledRate) -> Option<Option<Price>> {
        match self {
            Contract::None => Some(None),
            // A contract may price another quantity; a line states one, so the price is put on the list's.
            Contract::Rate(contracted) => rescale(contracted.price, contracted.per, rate.per).map(Some),
            Contract::Discount(discount) => {
                let price = rate.price.0.checked_mul(discount.factor.0)?;
                Some(Some(Price(price.normalize())))
            }
        }
    }
}

/// What a quantity costs at a rate, where that is a whole number of picounits.
#[inline]
fn even(quantity: Quantity, rate: &CompiledRate) -> Option<Money> {
    const UNIT: i64 = PICO as i64;
    let picos = i64::try_from(quantity.picos()).ok().filter(|picos| picos % UNIT == 0)?;
    Money::from_picos(i128::from(picos / UNIT) * i128::from(rate.each?))
}

fn rescale(price: Price, from: i64, to: i64) -> Option<Price> {
    if from == to {
        return Some(price);
    }
    let scaled = price.0.checked_mul(to.into())?.checked_div(from.into())?;
    Some(Price(scaled.round_dp(Price::SCALE).normalize()))
}

/// How the products of a SKU's prices are summed.
struct Scale {
    unit: i128,
    factor: i128,
    denominator: i128,
}

impl Scale {
    /// Prices of very many digits leave no room for fractions of a meter, and nearly always need none.
    fn of(sku: &SkuRates, mut quantities: impl Iterator<Item = Quantity>) -> Self {
        if sku.denominator <= COARSE || quantities.any(|quantity| quantity.picos() % PICO != 0) {
            return Scale { unit: 1, factor: 1, denominator: sku.denominator };
        }
        let common = gcd(PICO, sku.denominator);
        Scale { unit: PICO, factor: PICO / common, denominator: sku.denominator / common }
    }

    fn product(&self, quantity: Quantity, rate: &CompiledRate) -> Option<i128> {
        (quantity.picos() / self.unit).checked_mul(rate.numerator)?.checked_mul(self.factor)
    }
}

/// What quantities cost at these rates of one SKU, `micros` millionths of it, rounded once. `None` on overflow.
pub(super) fn total(sku: &SkuRates, parts: &[(Quantity, &CompiledRate)], micros: i128) -> Option<Money> {
    let evenly = |sum: Money, (used, rate): &(Quantity, &CompiledRate)| sum.checked_add(even(*used, rate)?).ok();
    if micros == MILLION
        && let Some(sum) = parts.iter().try_fold(Money::ZERO, evenly)
    {
        return Some(sum);
    }
    let scale = Scale::of(sku, parts.iter().map(|(used, _)| *used));
    let sum = parts.iter().try_fold(0i128, |sum, (used, rate)| sum.checked_add(scale.product(*used, rate)?))?;
    if micros == MILLION {
        return Money::from_picos(round_half_even(sum, scale.denominator));
    }
    Money::from_picos(round_half_even(sum.checked_mul(micros)?, scale.denominator.checked_mul(MILLION)?))
}

/// The usage vector, and one request for a SKU that is billed by the call when the producer counts none.
pub(super) fn usage<'a>(event: &'a UsageEvent, sku: &SkuRates) -> impl Iterator<Item = &'a Metered> + use<'a> {
    static ONE_REQUEST: Metered = Metered { meter: Meter::Requests, quantity: Quantity::from_units(1) };
    let stated = event.usage.iter().any(|used| used.meter == Meter::Requests);
    let (start, end) = sku.ranges[Meter::Requests as usize][0];
    let implied = (start < end && !stated && event.iteration == 0).then_some(&ONE_REQUEST);
    used(event).chain(implied)
}

/// Meters of which there is some.
pub(super) fn used(event: &UsageEvent) -> impl Iterator<Item = &Metered> {
    event.usage.iter().filter(|used| !used.quantity.is_zero())
}

/// Nothing used costs nothing, whatever the price. Usage that got lost is not nothing.
pub(super) fn nothing_used(event: &UsageEvent) -> bool {
    used(event).next().is_none() && !event.flags.contains(&Flag::UsageMissing)
}

/// The rate of a meter: the first of its candidates whose conditions and period hold.
#[inline]
pub(super) fn select(
    sku: &SkuRates,
    conditions: u128,
    meter: Meter,
    time: Timestamp,
    contract: bool,
) -> Result<&CompiledRate, &'static str> {
    let (start, end) = sku.ranges[meter as usize][usize::from(contract)];
    let candidates = &sku.rates[start as usize..end as usize];
    let fits = |rate: &&CompiledRate| conditions & (1 << rate.condition) != 0;
    if let Some(rate) = candidates.iter().filter(fits).find(|rate| rate.from <= time && time < rate.to) {
        return Ok(rate);
    }
    Err(match candidates.iter().filter(fits).map(|rate| rate.from > time).reduce(|a, b| a && b) {
        _ if candidates.is_empty() => "unknown_meter",
        None => "no_rate_for_context",
        Some(true) => "before_first_price",
        Some(false) => "after_last_price",
    })
}

fn contract(sku: &SkuRates, conditions: u128, meter: Meter, time: Timestamp) -> Contract<'_> {
    if sku.has_contracts
        && let Ok(rate) = select(sku, conditions, meter, time, true)
    {
        return Contract::Rate(rate);
    }
    let discount = sku.discounts.iter().find(|discount| {
        conditions & (1 << discount.condition) != 0
            && discount.meters & (1 << meter as u64) != 0
            && discount.from <= time
            && time < discount.to
    });
    discount.map_or(Contract::None, Contract::Discount)
}

/// The meter the same tokens would be counted by without a cache.
pub(super) fn uncached(meter: Meter) -> Meter {
    match meter {
        Meter::CacheReadTextTokens | Meter::CacheWrite5mTokens | Meter::CacheWrite1hTokens => Meter::InputTextTokens,
        Meter::CacheReadAudioTokens => Meter::InputAudioTokens,
        Meter::CacheReadImageTokens => Meter::InputImageTokens,
        other => other,
    }
}
