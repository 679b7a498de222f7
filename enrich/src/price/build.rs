//! Compiling rows into a book: names resolved, conditions numbered, prices made fractions, ties refused.

mod comparison;
mod discount;
mod terms;
mod uplift;

use std::collections::{BTreeMap, HashMap};

use hashbrown::HashMap as FastMap;
use schemas::ids::hash_parts;
use schemas::{PICO, Text, Timestamp};

use super::amount::{fraction, lcm};
use super::book::{
    Comparisons, CompiledRate, FxRate, METERS, Meaning, PriceBook, PriceList, QuantityRounding, SkuRates,
};
use super::condition::{Condition, ConditionSet, Values};
use super::hours::Hours;
use super::matching::Matching;
use super::rate_card;
use super::row::{Book, Exact, Provider, Rate, Row, Sku};
use super::terms::Terms;
use super::when::When;
use crate::finding::Finding;

/// Finest common denominator of the prices of one SKU: what a price of 18 decimal places per million needs, and 3600.
const DENOMINATOR_MAX: i128 = 10i128.pow(26);

/// A row and where it was read.
pub(crate) type Placed = (String, Row);

/// Compiles the rows known at `as_of`.
pub(crate) fn build(version: &str, rows: &[Placed], as_of: Timestamp) -> Result<PriceBook, Vec<Finding>> {
    let mut builder = Builder { rows, as_of, findings: Vec::new(), values: Values::default() };
    let book = builder.build(version);
    if builder.findings.is_empty() { Ok(book) } else { Err(builder.findings) }
}

pub(super) struct Builder<'a> {
    rows: &'a [Placed],
    as_of: Timestamp,
    findings: Vec<Finding>,
    values: Values,
}

/// A rate before its price is put over the SKU's common denominator.
pub(super) struct Draft {
    rate: CompiledRate,
    condition: Condition,
    fraction: (i128, i128),
    /// Whether the price was stated and not made by an uplift or a fallback.
    stated: bool,
}

impl<'a> Builder<'a> {
    fn build(&mut self, version: &str) -> PriceBook {
        let calendars = self.calendars();
        let mut book = PriceBook {
            version: version.into(),
            reporting_currency: self.reporting_currency(),
            values: Values::default(),
            provider_names: FastMap::new(),
            providers: Vec::new(),
            skus: Vec::new(),
            fx: FastMap::new(),
            terms: Terms::default(),
            comparisons: Comparisons::default(),
            origins: self.rows.iter().map(|(place, _)| place.as_str().into()).collect(),
        };
        self.providers(&mut book);
        let by_name = self.skus(&mut book);
        let mut drafts: Vec<Vec<Draft>> = book.skus.iter().map(|_| Vec::new()).collect();
        for (origin, (place, row)) in self.rows.iter().enumerate() {
            match row {
                Row::Rate(rate) if rate.period.known_at(self.as_of) => match by_name.get(&rate.sku) {
                    Some(sku) => self.rate(origin as u32, place, rate, &calendars, &mut drafts[*sku as usize]),
                    None => self.error(place, format!("sku {:?} is not in the book", rate.sku), "add it under skus"),
                },
                Row::Alias(alias) if alias.period.known_at(self.as_of) => {
                    match (book.provider_names.get(&alias.provider), by_name.get(&alias.sku)) {
                        (Some(provider), Some(sku)) => {
                            let list = &mut book.providers[*provider as usize];
                            let meaning =
                                Meaning { from: alias.period.from(), to: alias.period.to(), sku: *sku, aliased: true };
                            self.meaning(place, list, &alias.model, meaning);
                        }
                        _ => self.error(
                            place,
                            format!("provider {:?} or sku {:?} is not in the book", alias.provider, alias.sku),
                            "add it, or mend the name",
                        ),
                    }
                }
                Row::Pattern(pattern) => {
                    let matching = Matching::compile(&pattern.matches);
                    match (book.provider_names.get(&pattern.provider), by_name.get(&pattern.sku), matching) {
                        (Some(provider), Some(sku), Ok(matching)) => {
                            book.providers[*provider as usize].patterns.push((pattern.order, matching, *sku));
                        }
                        (_, _, Err(message)) => self.error(place, message, "mend the expression"),
                        _ => self.error(
                            place,
                            format!("provider {:?} or sku {:?} is not in the book", pattern.provider, pattern.sku),
                            "add it, or mend the name",
                        ),
                    }
                }
                Row::Fx(fx) if fx.period.known_at(self.as_of) => {
                    self.positive(place, fx.rate, "exchange rate");
                    book.fx.entry(fx.from.clone()).or_default().push(FxRate {
                        from: fx.period.from(),
                        to: fx.period.to(),
                        mantissa: fx.rate.0.mantissa(),
                        scale: 10i128.pow(fx.rate.0.scale()),
                        id: row_id(row),
                    });
                }
                _ => {}
            }
        }
        for list in &mut book.providers {
            list.patterns.sort_by_key(|(order, ..)| *order);
        }
        self.uplifts(&by_name, &calendars, &mut drafts);
        for (index, drafts) in drafts.into_iter().enumerate() {
            self.finish(&mut book.skus[index], drafts);
        }
        self.discounts(&mut book, &by_name, &calendars);
        book.skus.iter_mut().for_each(|sku| sku.conditions.complete());
        book.comparisons = self.comparisons(&by_name);
        for rates in book.fx.values_mut() {
            rates.sort_by_key(|rate| std::cmp::Reverse(rate.from));
        }
        book.terms = self.terms(&by_name, &book);
        self.rate_card();
        self.currencies(&book);
        book.values = std::mem::take(&mut self.values);
        book
    }

    fn error(&mut self, place: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.findings.push(Finding::at(place, message, remedy));
    }

    fn positive(&mut self, place: &str, value: Exact, what: &str) {
        if value.0.is_sign_negative() || value.0.is_zero() {
            self.error(place, format!("{what} {} is not above zero", value.0), "state the positive figure");
        }
    }

    /// Internal prices are no part of a compiled book, but no book has wrong ones.
    fn rate_card(&mut self) {
        let (rows, as_of) = (self.rows, self.as_of);
        let rates = rows.iter().filter_map(|(place, row)| match row {
            Row::InternalRate(rate) if rate.period.known_at(as_of) => Some((place.as_str(), rate)),
            _ => None,
        });
        rate_card::check(rates, &mut |place, message, remedy| self.error(place, message, remedy));
    }

    fn reporting_currency(&mut self) -> Text {
        let books: Vec<(&'a str, &'a Book)> = self
            .rows
            .iter()
            .filter_map(|(place, row)| if let Row::Book(book) = row { Some((place.as_str(), book)) } else { None })
            .collect();
        for (place, _) in books.iter().skip(1) {
            self.error(place, "the reporting currency is stated twice", "keep one");
        }
        books.first().map_or(Text::const_new("USD"), |(_, book)| book.reporting_currency.clone())
    }

    fn calendars(&self) -> HashMap<&'a str, &'a [chrono::NaiveDate]> {
        let calendar = |(_, row): &'a Placed| match row {
            Row::Calendar(calendar) if calendar.period.known_at(self.as_of) => {
                Some((calendar.calendar.as_str(), calendar.days.as_slice()))
            }
            _ => None,
        };
        self.rows.iter().filter_map(calendar).collect()
    }

    fn providers(&mut self, book: &mut PriceBook) {
        for (place, row) in self.rows {
            let Row::Provider(Provider { provider, also, tiers, strip, dashed_dates }) = row else { continue };
            let number = book.providers.len() as u32;
            for name in std::iter::once(provider).chain(also) {
                if book.provider_names.insert(name.clone(), number).is_some() {
                    self.error(place, format!("provider {name:?} is named twice"), "keep one");
                }
            }
            let (tiers, strip, dashed_dates) = (tiers.clone(), strip.clone(), *dashed_dates);
            book.providers.push(PriceList { tiers, strip, dashed_dates, ..Default::default() });
        }
    }

    fn skus(&mut self, book: &mut PriceBook) -> HashMap<Text, u32> {
        let mut by_name = HashMap::new();
        for (place, row) in self.rows {
            let Row::Sku(sku) = row else { continue };
            let number = book.skus.len() as u32;
            if by_name.insert(sku.sku.clone(), number).is_some() {
                self.error(place, format!("sku {:?} is there twice", sku.sku), "keep one");
            }
            if sku.class.as_deref().is_some_and(|class| !matches!(class, "premium" | "standard" | "economy")) {
                self.error(place, "class is none of premium, standard, economy", "use one of them");
            }
            book.skus.push(self.empty_sku(place, sku));
            let Some(provider) = book.provider_names.get(&sku.provider) else {
                self.error(place, format!("provider {:?} is not in the book", sku.provider), "add the provider");
                continue;
            };
            let list = &mut book.providers[*provider as usize];
            for model in &sku.models {
                let meaning = Meaning { from: Timestamp::MIN, to: Timestamp::MAX, sku: number, aliased: false };
                self.meaning(place, list, model, meaning);
            }
            list.prefixes.extend(sku.prefixes.iter().map(|prefix| (prefix.clone(), number)));
        }
        for list in &mut book.providers {
            list.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        }
        by_name
    }

    fn empty_sku(&mut self, place: &str, sku: &Sku) -> SkuRates {
        // Stated in units of the meter; `None` when it is negative or finer than a picounit.
        let picos = |exact: Option<Exact>| match exact {
            None => Some(0),
            Some(Exact(value)) => {
                let picos = value.checked_mul(rust_decimal::Decimal::from(PICO as i64))?;
                (picos.fract().is_zero() && !picos.is_sign_negative()).then(|| picos.trunc().mantissa())
            }
        };
        let mut quantities = Vec::new();
        for (meter, rule) in &sku.quantities {
            let maximum = rule.maximum.map_or(Some(i128::MAX), |maximum| picos(Some(maximum)));
            let whole = [picos(rule.minimum), picos(rule.step), maximum];
            match whole {
                [Some(minimum), Some(step), Some(maximum)] => {
                    quantities.push((*meter, QuantityRounding { minimum, step, maximum, round: rule.round }));
                }
                _ => self.error(
                    place,
                    format!("minimum, step or maximum of {meter} is negative, too large or too fine"),
                    "use at most 12 places",
                ),
            }
        }
        SkuRates {
            name: sku.sku.clone(),
            class: sku.class.clone(),
            currency: sku.currency.clone(),
            snapshots: sku.snapshots,
            denominator: 1,
            conditions: ConditionSet::default(),
            rates: Vec::new(),
            ranges: Box::new([[(0, 0); 2]; METERS]),
            has_contracts: false,
            discounts: Vec::new(),
            quantities,
        }
    }

    fn meaning(&mut self, place: &str, list: &mut PriceList, model: &Text, meaning: Meaning) {
        let meanings = list.models.entry(model.clone()).or_default();
        if meanings.iter().any(|other| other.from == meaning.from) {
            let message = format!("model {model:?} has two meanings from the same time");
            self.error(place, message, "keep one, or give the later one its own valid_from");
        }
        meanings.push(meaning);
        meanings.sort_by_key(|meaning| std::cmp::Reverse(meaning.from));
    }

    fn condition(&mut self, place: &str, when: &When, calendars: &HashMap<&str, &[chrono::NaiveDate]>) -> Condition {
        let hours = when.hours.as_ref().and_then(|hours| {
            let compiled = Hours::compile(hours, |name| calendars.get(name).copied());
            compiled.map_err(|(message, remedy)| self.error(place, message, remedy)).ok()
        });
        Condition::compile(when, &mut self.values, hours)
    }

    fn rate(
        &mut self,
        origin: u32,
        place: &str,
        rate: &Rate,
        calendars: &HashMap<&str, &[chrono::NaiveDate]>,
        drafts: &mut Vec<Draft>,
    ) {
        if rate.per <= 0 {
            return self.error(
                place,
                format!("per {} is not above zero", rate.per),
                "state the quantity prices are for",
            );
        }
        if rate.period.from() >= rate.period.to() {
            self.error(place, "valid_to is not after valid_from", "a price holds in [valid_from, valid_to)");
        }
        let condition = self.condition(place, &rate.when, calendars);
        let id = rate_id(rate);
        for (meter, price) in &rate.prices {
            if price.0.is_sign_negative() {
                self.error(
                    place,
                    format!("price of {meter} is negative"),
                    "credits are charges of their own, not prices",
                );
                continue;
            }
            let Some(fraction) = fraction(price.0, rate.per) else {
                self.error(place, format!("price of {meter} is too fine"), "state it for a smaller quantity");
                continue;
            };
            drafts.push(Draft {
                rate: CompiledRate {
                    meter: *meter,
                    condition: 0,
                    contract: rate.when.is_contract(),
                    published: !rate.provenance.basis.starts_with("derived"),
                    party: condition.party(),
                    rank: rate.rank.unwrap_or_else(|| condition.specificity()),
                    from: rate.period.from(),
                    to: rate.period.to(),
                    known: rate.period.known_from.unwrap_or(Timestamp::MIN),
                    numerator: 0,
                    each: None,
                    price: price.price(),
                    per: rate.per,
                    id: id.clone(),
                    origin,
                },
                condition: condition.clone(),
                fraction,
                stated: true,
            });
        }
    }

    /// Puts the prices of a SKU over a common denominator, in order of precedence, and refuses ties.
    fn finish(&mut self, sku: &mut SkuRates, mut drafts: Vec<Draft>) {
        drafts.sort_by_key(|draft| (draft.rate.meter, draft.rate.precedence()));
        self.ties(&sku.name, &drafts);
        for draft in &drafts {
            match lcm(sku.denominator, draft.fraction.1, DENOMINATOR_MAX) {
                Some(denominator) => sku.denominator = denominator,
                None => {
                    let place = &self.rows[draft.rate.origin as usize].0;
                    self.error(
                        place,
                        "prices of this sku have no common denominator",
                        "state prices per 1, 1000 or 1000000",
                    );
                    return;
                }
            }
        }
        for draft in drafts {
            let condition = self.number_condition(sku, draft.rate.origin, draft.condition);
            sku.has_contracts |= draft.rate.contract;
            let range = &mut sku.ranges[draft.rate.meter as usize][usize::from(draft.rate.contract)];
            let place = sku.rates.len() as u32;
            if range.1 == 0 {
                range.0 = place;
            }
            range.1 = place + 1;
            let Some(numerator) = draft.fraction.0.checked_mul(sku.denominator / draft.fraction.1) else {
                let place = &self.rows[draft.rate.origin as usize].0;
                self.error(place, format!("price of {} is too large", draft.rate.meter), "check the price and its per");
                return;
            };
            let each = numerator.checked_mul(PICO).filter(|picos| picos % sku.denominator == 0);
            let each = each.and_then(|picos| i64::try_from(picos / sku.denominator).ok());
            sku.rates.push(CompiledRate { condition, numerator, each, ..draft.rate });
        }
    }

    fn number_condition(&mut self, sku: &mut SkuRates, origin: u32, condition: Condition) -> u8 {
        let number = sku.conditions.number(condition);
        if number >= ConditionSet::MAX {
            let place = &self.rows[origin as usize].0;
            self.error(place, format!("more than {} different conditions", ConditionSet::MAX), "split the sku");
        }
        number as u8
    }

    /// Two rates tie when a call could meet both, neither goes before the other, and no third decides between them.
    fn ties(&mut self, sku: &str, drafts: &[Draft]) {
        for (index, one) in drafts.iter().enumerate() {
            let same_meter = |other: &&Draft| {
                (other.rate.meter, other.rate.contract, other.rate.party, other.rate.rank)
                    == (one.rate.meter, one.rate.contract, one.rate.party, one.rate.rank)
            };
            for other in drafts[index + 1..].iter().take_while(same_meter) {
                let (from, to) = (one.rate.from.max(other.rate.from), one.rate.to.min(other.rate.to));
                let successive = one.condition == other.condition
                    && (one.rate.from, one.rate.known) != (other.rate.from, other.rate.known);
                // An uplift's rate begins when its base does, so the later base's goes first too.
                if from >= to || successive {
                    continue;
                }
                let Some(both) = one.condition.both(&other.condition) else { continue };
                let decided = drafts.iter().any(|third| {
                    third.rate.meter == one.rate.meter
                        && third.rate.precedence() < one.rate.precedence().min(other.rate.precedence())
                        && third.rate.contract == one.rate.contract
                        && (third.rate.from <= from && third.rate.to >= to)
                        && third.condition.covers(&both)
                });
                if !decided {
                    let place = &self.rows[other.rate.origin as usize].0;
                    let first = &self.rows[one.rate.origin as usize].0;
                    let how = if one.stated && other.stated { "" } else { " once raised by an uplift" };
                    let message = format!("{} of {sku} ties with {first}{how}: a call could meet both", one.rate.meter);
                    let remedy = "give one a later valid_from, or add the row for calls that meet both";
                    self.findings.push(Finding::at(place, message, remedy));
                }
            }
        }
    }

    /// Every currency of a price must lead to the reporting currency.
    fn currencies(&mut self, book: &PriceBook) {
        let mut missing: BTreeMap<&str, &str> = BTreeMap::new();
        for (place, row) in self.rows {
            let Row::Sku(sku) = row else { continue };
            if sku.currency != book.reporting_currency && !book.fx.contains_key(&sku.currency) {
                missing.entry(&sku.currency).or_insert(place);
            }
        }
        for (currency, place) in missing {
            let message = format!("currency {currency:?} has no exchange rate to {}", book.reporting_currency);
            let remedy = if schemas::is_currency_code(currency) {
                "add one under fx"
            } else {
                "use an ISO 4217 code and add its rate under fx"
            };
            self.error(place, message, remedy);
        }
    }
}

fn json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn short_hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Text {
    hash_parts(parts).to_string().chars().take(16).collect()
}

/// Names a rate row by what it says, not by where that was read, so that checking it again leaves its name.
fn rate_id(rate: &Rate) -> Text {
    let said = Rate { provenance: Default::default(), ..rate.clone() };
    short_hash([b"rate".as_slice(), &json(&said)])
}

fn row_id(row: &Row) -> Text {
    short_hash([b"row".as_slice(), &json(row)])
}
