//! Pricing one event: find the SKU, find one rate per meter, sum the products, round once.

use std::borrow::Cow;

use schemas::{CostBasis, Metered, PICO};
use schemas::{
    Costs, Counterfactual, CounterfactualKind, Dimensions, Flag, Line, Meter, Money, Price, PricingStatus, Quantity,
    ReportedCost, Text, Timestamp, UnpricedMeter, UsageEvent,
};
use smallvec::SmallVec;

use super::amount::{gcd, round_half_even, share};
use super::book::{CompiledDiscount, CompiledRate, PriceBook, SkuRates};
use super::condition::Context;

/// Discounts are stated in millionths.
pub(super) const MILLION: i128 = 1_000_000;
/// Finest denominator that leaves room for 10^14 of a meter in picounits.
pub(super) const COARSE: i128 = 10i128.pow(22);

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

/// A meter that has a rate.
pub(super) struct Matched<'a> {
    pub(super) used: Metered,
    billed: Quantity,
    rate: &'a CompiledRate,
    contract: Contract<'a>,
}

/// What a contract says about a line.
pub(super) enum Contract<'a> {
    None,
    Rate(&'a CompiledRate),
    Discount(&'a CompiledDiscount),
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
        let mut priced = match (&event.stated_cost, self.find(event)) {
            (Some(stated), _) => priced_as_stated(stated),
            (None, None) => self.unknown(event),
            (None, Some((sku, aliased))) => {
                let mut priced = self.evaluate(event, owner, sku);
                if aliased {
                    priced.flags.push(Flag::AliasedModel);
                }
                priced
            }
        };
        self.report(event.event_time, &mut priced);
        priced
    }

    /// The SKU a model name means at the time of the call, and whether another name stands for it.
    pub(super) fn find(&self, event: &UsageEvent) -> Option<(&SkuRates, bool)> {
        let list = &self.providers[*self.provider_names.get(event.provider.as_str())? as usize];
        let exact = |model: &str| {
            let meanings = list.models.get(model)?;
            let holds = meanings.iter().find(|m| m.from <= event.event_time && event.event_time < m.to)?;
            Some((&self.skus[holds.sku as usize], holds.aliased))
        };
        if let Some(found) = exact(&event.model) {
            return Some(found);
        }
        let mut model = Cow::Borrowed(event.model.as_str());
        if model.bytes().any(|byte| byte.is_ascii_uppercase()) {
            model = Cow::Owned(model.to_ascii_lowercase());
        }
        let stripped = list.strip.iter().find_map(|prefix| model.strip_prefix(prefix.as_str())).unwrap_or(&model);
        let dated = |model| {
            let (sku, _) = exact(without_date(model)?)?;
            sku.snapshots.then_some((sku, true))
        };
        let prefixed = |model: &str| {
            let (_, sku) = list.prefixes.iter().find(|(prefix, _)| model.starts_with(prefix.as_str()))?;
            Some((&self.skus[*sku as usize], true))
        };
        let pattern = |model: &str| {
            let (_, _, sku) = list.patterns.iter().find(|(_, pattern, _)| pattern.fits(model))?;
            Some((&self.skus[*sku as usize], true))
        };
        let found = exact(stripped).or_else(|| pattern(stripped));
        let found = found.or_else(|| dated(stripped)).or_else(|| prefixed(stripped));
        if found.is_some() || !list.dashed_dates {
            return found;
        }
        let dashed = with_dashed_date(stripped)?;
        exact(&dashed).or_else(|| pattern(&dashed))
    }

    fn unknown(&self, event: &UsageEvent) -> Priced {
        let mut priced = empty(&self.reporting_currency);
        if nothing_used(event) {
            return free(priced);
        }
        priced.unpriced = all_unpriced(event, "unknown_model");
        priced
    }

    fn evaluate(&self, event: &UsageEvent, owner: &Dimensions, sku: &SkuRates) -> Priced {
        let mut priced = empty(&sku.currency);
        priced.sku = Some(sku.name.clone());
        priced.model_class.clone_from(&sku.class);
        if nothing_used(event) {
            return free(priced);
        }
        let context = self.context(event, owner, sku);
        let conditions = holding(sku, &context);
        let mut matched = SmallVec::<[Matched<'_>; 8]>::new();
        for used in usage(event, sku) {
            let billed = sku.quantities.iter().find(|(meter, _)| *meter == used.meter);
            let billed = billed.map_or(Some(used.quantity), |(_, rule)| rule.apply(used.quantity));
            match (select(sku, conditions, used.meter, event.event_time, false), billed) {
                (Ok(rate), Some(billed)) => {
                    let contract = contract(sku, conditions, used.meter, event.event_time);
                    matched.push(Matched { used, billed, rate, contract });
                }
                // Calls are counted for every model, but few providers bill them.
                (Err("unknown_meter"), _) if used.meter == Meter::Requests => {}
                (Err(reason), _) => priced.unpriced.push(unpriced(used, reason)),
                (Ok(_), None) => priced.unpriced.push(unpriced(used, "amount_overflow")),
            }
        }
        if matched.is_empty() && priced.unpriced.is_empty() && !event.flags.contains(&Flag::UsageMissing) {
            return free(priced);
        }
        if settle(&mut priced, sku, &matched, event.cost_basis).is_none() {
            priced.lines.clear();
            priced.status = PricingStatus::Unpriced;
            priced.unpriced = all_unpriced(event, "amount_overflow");
            priced.costs = no_costs(&sku.currency);
            return priced;
        }
        if priced.status == PricingStatus::Priced {
            self.counterfactuals(event, sku, &context, conditions, &matched, &mut priced);
            self.compare(event, owner, sku, &matched, &mut priced);
        }
        priced
    }

    pub(super) fn context<'a>(&self, event: &'a UsageEvent, owner: &Dimensions, sku: &SkuRates) -> Context<'a> {
        let tier = event.price_context.service_tier.as_deref().map(|tier| {
            let list = self.provider_names.get(event.provider.as_str()).map(|list| &self.providers[*list as usize]);
            list.and_then(|list| list.tiers.get(tier)).map_or(tier, Text::as_str)
        });
        Context::new(event, owner, &self.values, sku.looks_at, tier)
    }

    /// Each step of the waterfall batch -> cache is priced with the later ones off, so that savings add up.
    fn counterfactuals(
        &self,
        event: &UsageEvent,
        sku: &SkuRates,
        context: &Context<'_>,
        conditions: u128,
        matched: &[Matched<'_>],
        priced: &mut Priced,
    ) {
        let currency = &priced.costs.currency;
        let mut push = |kind, cost: Option<Money>, basis: &'static str| {
            if let Some(cost) = cost {
                let currency = currency.clone();
                priced.counterfactuals.push(Counterfactual { kind, cost, currency, basis: Text::const_new(basis) });
            }
        };
        let cached = matched.iter().any(|line| uncached(line.used.meter) != line.used.meter);
        if cached {
            push(CounterfactualKind::Uncached, otherwise(sku, conditions, event.event_time, matched, false), "list");
        }
        if !context.is_standard() {
            let conditions = holding(sku, &context.standard());
            let kind =
                if context.is_batched() { CounterfactualKind::Unbatched } else { CounterfactualKind::StandardTier };
            let basis = if cached { "list, uncached" } else { "list" };
            push(kind, otherwise(sku, conditions, event.event_time, matched, true), basis);
        }
        if event.cost_basis != CostBasis::OnDemand {
            push(CounterfactualKind::Retail, priced.costs.list, "list");
        }
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

/// The usage vector, and one request for a SKU that is billed by the call when the producer counts none.
pub(super) fn usage<'a>(event: &'a UsageEvent, sku: &SkuRates) -> impl Iterator<Item = Metered> + use<'a> {
    let stated = event.usage.iter().any(|used| used.meter == Meter::Requests);
    let (start, end) = sku.ranges[Meter::Requests as usize][0];
    let implied = (start < end && !stated && event.iteration == 0)
        .then(|| Metered { meter: Meter::Requests, quantity: Quantity::from_units(1) });
    event.usage.iter().filter(|used| !used.quantity.is_zero()).cloned().chain(implied)
}

/// The conditions of a SKU that a call meets, one bit each.
pub(super) fn holding(sku: &SkuRates, context: &Context<'_>) -> u128 {
    let mut bits = 0;
    for (index, condition) in sku.conditions.iter().enumerate() {
        bits |= u128::from(condition.holds(context)) << index;
    }
    bits
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

/// The unit that quantities are counted in while summing, and the denominator that belongs to it. Prices of very many
/// digits leave no room for fractions of a meter, and nearly always need none.
fn unit(sku: &SkuRates, matched: &[Matched<'_>]) -> (i128, i128, i128) {
    if sku.denominator <= COARSE || matched.iter().any(|line| line.billed.picos() % PICO != 0) {
        return (1, 1, sku.denominator);
    }
    let common = gcd(PICO, sku.denominator);
    (PICO, PICO / common, sku.denominator / common)
}

/// Sums the products, rounds once and shares the rounding over the lines. `None` on overflow.
fn settle(priced: &mut Priced, sku: &SkuRates, matched: &[Matched<'_>], basis: CostBasis) -> Option<()> {
    priced.status = match (matched.is_empty(), priced.unpriced.is_empty()) {
        (true, _) => PricingStatus::Unpriced,
        (false, false) => PricingStatus::Partial,
        (false, true) if matched.iter().all(|line| line.rate.numerator == 0) => PricingStatus::Free,
        (false, true) => PricingStatus::Priced,
    };
    if priced.status == PricingStatus::Unpriced {
        return Some(());
    }
    if priced.status == PricingStatus::Partial {
        priced.flags.push(Flag::PartiallyPriced);
    }
    let (unit, factor, denominator) = unit(sku, matched);
    let product = |line: &Matched<'_>, rate: &CompiledRate| {
        (line.billed.picos() / unit).checked_mul(rate.numerator)?.checked_mul(factor)
    };
    let mut list = SmallVec::<[i128; 8]>::new();
    for line in matched {
        list.push(product(line, line.rate)?);
    }
    let under_contract = matched.iter().any(|line| !matches!(line.contract, Contract::None));
    let mut contracted = SmallVec::<[i128; 8]>::new();
    if under_contract {
        for (line, list) in matched.iter().zip(&list) {
            contracted.push(match &line.contract {
                Contract::None => list.checked_mul(MILLION)?,
                Contract::Rate(rate) => product(line, rate)?.checked_mul(MILLION)?,
                Contract::Discount(discount) => list.checked_mul(discount.micros)?,
            });
        }
    }
    let list_total = Money::from_picos(share(&mut list, denominator)?)?;
    let mut contracted_total = if under_contract {
        Money::from_picos(share(&mut contracted, denominator.checked_mul(MILLION)?)?)?
    } else {
        list_total
    };
    let fee = matched.iter().find_map(|line| match &line.contract {
        Contract::Discount(discount) => discount.per_call.map(|(price, amount)| (*discount, price, amount)),
        _ => None,
    });
    priced.lines.reserve_exact(matched.len() + usize::from(fee.is_some()));
    for (index, line) in matched.iter().enumerate() {
        let list_cost = Money::from_picos(list[index])?;
        let contracted_cost = match contracted.get(index) {
            Some(picos) => Money::from_picos(*picos)?,
            None => list_cost,
        };
        priced.lines.push(line.to_line(&sku.currency, list_cost, contracted_cost)?);
    }
    if let Some((discount, price, amount)) = fee {
        contracted_total = contracted_total.checked_add(amount).ok()?;
        priced.lines.push(Line {
            meter: Meter::Requests,
            quantity: Quantity::from_units(1),
            billed_quantity: Quantity::from_units(1),
            list_unit_price: Price::default(),
            contracted_unit_price: Some(price),
            per: 1,
            currency: sku.currency.clone(),
            rate_id: discount.id.clone(),
            contracted_rate_id: Some(discount.id.clone()),
            list_cost: Money::ZERO,
            contracted_cost: amount,
        });
    }
    let marginal = if basis == CostBasis::OnDemand { contracted_total } else { Money::ZERO };
    priced.costs.list = Some(list_total);
    priced.costs.contracted = Some(contracted_total);
    priced.costs.effective = Some(marginal);
    Some(())
}

impl Matched<'_> {
    fn to_line(&self, currency: &Text, list_cost: Money, contracted_cost: Money) -> Option<Line> {
        let (contracted_unit_price, contracted_rate_id) = match &self.contract {
            Contract::None => (None, None),
            // A contract may price another quantity; a line states one, so the price is put on the list's.
            Contract::Rate(rate) => (Some(rescale(rate.price, rate.per, self.rate.per)?), Some(rate.id.clone())),
            Contract::Discount(discount) => {
                let price = self.rate.price.0.checked_mul(discount.factor.0)?;
                (Some(Price(price.normalize())), Some(discount.id.clone()))
            }
        };
        Some(Line {
            meter: self.used.meter,
            quantity: self.used.quantity,
            billed_quantity: self.billed,
            list_unit_price: self.rate.price,
            contracted_unit_price,
            per: self.rate.per,
            currency: currency.clone(),
            rate_id: self.rate.id.clone(),
            contracted_rate_id,
            list_cost,
            contracted_cost,
        })
    }
}

fn rescale(price: Price, from: i64, to: i64) -> Option<Price> {
    if from == to {
        return Some(price);
    }
    let scaled = price.0.checked_mul(to.into())?.checked_div(from.into())?;
    Some(Price(scaled.round_dp(Price::SCALE).normalize()))
}

/// What the same usage costs when nothing is cached; `None` when a rate for that is not in the book. With `published`,
/// both the rates used and the rates they stand for must be published ones, never derived.
fn otherwise(
    sku: &SkuRates,
    conditions: u128,
    time: Timestamp,
    matched: &[Matched<'_>],
    published: bool,
) -> Option<Money> {
    let (unit, factor, denominator) = unit(sku, matched);
    let mut sum = 0i128;
    for line in matched {
        let rate = select(sku, conditions, uncached(line.used.meter), time, false).ok()?;
        if published && !(rate.published && line.rate.published) && rate.price != line.rate.price {
            return None;
        }
        sum = sum.checked_add((line.billed.picos() / unit).checked_mul(rate.numerator)?.checked_mul(factor)?)?;
    }
    Money::from_picos(round_half_even(sum, denominator))
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

/// The name without a date at its end: `-2026-04-23`, `-20260423` or `@20260423`.
pub(super) fn without_date(model: &str) -> Option<&str> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (name, last) = model.rsplit_once(['-', '@'])?;
    if last.len() == 8 && digits(last) {
        return Some(name);
    }
    let (name, month) = name.rsplit_once('-').filter(|_| last.len() == 2 && digits(last))?;
    let (name, year) = name.rsplit_once('-').filter(|_| month.len() == 2 && digits(month))?;
    (year.len() == 4 && digits(year)).then_some(name)
}

/// The name with its first `-20260423` written as `-2026-04-23`.
fn with_dashed_date(model: &str) -> Option<String> {
    let at = model.match_indices("-20").map(|(at, _)| at).find(|at| {
        let Some(digits) = model.get(at + 1..at + 9) else { return false };
        let ends = matches!(model.as_bytes().get(at + 9), None | Some(b'-' | b':'));
        ends && chrono::NaiveDate::parse_from_str(digits, "%Y%m%d").is_ok()
    })?;
    let (year, month, day, rest) =
        (&model[at + 1..at + 5], &model[at + 5..at + 7], &model[at + 7..at + 9], &model[at + 9..]);
    Some(format!("{}-{year}-{month}-{day}{rest}", &model[..at]))
}

fn priced_as_stated(stated: &ReportedCost) -> Priced {
    let mut priced = empty(&stated.currency);
    priced.status = PricingStatus::Priced;
    priced.costs.list = Some(stated.amount);
    priced.costs.contracted = Some(stated.amount);
    priced.costs.effective = Some(stated.amount);
    priced
}

/// Nothing used costs nothing, whatever the price. Usage that got lost is not nothing.
fn nothing_used(event: &UsageEvent) -> bool {
    event.usage.iter().all(|used| used.quantity.is_zero()) && !event.flags.contains(&Flag::UsageMissing)
}

fn free(mut priced: Priced) -> Priced {
    priced.status = PricingStatus::Free;
    priced.costs.list = Some(Money::ZERO);
    priced.costs.contracted = Some(Money::ZERO);
    priced.costs.effective = Some(Money::ZERO);
    priced
}

fn empty(currency: &Text) -> Priced {
    Priced {
        status: PricingStatus::Unpriced,
        lines: Vec::new(),
        unpriced: Vec::new(),
        costs: no_costs(currency),
        reporting: None,
        fx_rate_id: None,
        counterfactuals: Vec::new(),
        sku: None,
        model_class: None,
        flags: Vec::new(),
    }
}

fn no_costs(currency: &Text) -> Costs {
    Costs { currency: currency.clone(), list: None, contracted: None, effective: None, billed: None }
}

fn unpriced(used: Metered, reason: &'static str) -> UnpricedMeter {
    UnpricedMeter { meter: used.meter, quantity: used.quantity, reason: Text::const_new(reason) }
}

fn all_unpriced(event: &UsageEvent, reason: &'static str) -> Vec<UnpricedMeter> {
    let used = event.usage.iter().filter(|used| !used.quantity.is_zero());
    used.map(|used| unpriced(used.clone(), reason)).collect()
}
