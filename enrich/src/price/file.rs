//! Price files: YAML for people, with defaults stated once. Reading makes every default and fallback explicit.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{Meter, ReferenceRow, Text, Timestamp};
use serde::{Deserialize, Serialize};

use super::build::{Placed, build};
use super::row::{
    Alias, Alternatives, Baseline, Book, Calendar, Compare, Discount, Exact, Fx, Provenance, Provider, QuantityRule,
    Rate, Row, Sku, Uplift,
};
use super::when::When;
use crate::finding::Finding;
use crate::period::Period;

/// One price file. What it states at the top holds for every row that does not state it itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    reporting_currency: Option<Text>,
    #[serde(default)]
    provider: Option<Text>,
    #[serde(default)]
    also: Vec<Text>,
    #[serde(default)]
    tiers: BTreeMap<Text, Text>,
    #[serde(default)]
    strip: Vec<Text>,
    #[serde(default)]
    currency: Option<Text>,
    #[serde(default)]
    source: Text,
    #[serde(default)]
    checked: Text,
    #[serde(default)]
    basis: Option<Text>,
    /// Meters that cost what another costs where a rate does not price them itself.
    #[serde(default)]
    fallbacks: BTreeMap<Meter, Meter>,
    #[serde(default)]
    skus: Vec<SkuEntry>,
    /// Rates that several SKUs share.
    #[serde(default)]
    shared: Vec<RateEntry>,
    #[serde(default)]
    aliases: Vec<AliasEntry>,
    #[serde(default)]
    uplifts: Vec<UpliftEntry>,
    #[serde(default)]
    contracts: Vec<ContractEntry>,
    #[serde(default)]
    fx: Vec<FxEntry>,
    #[serde(default)]
    calendars: Vec<CalendarEntry>,
    #[serde(default)]
    allowances: Vec<terms::AllowanceEntry>,
    #[serde(default)]
    ladders: Vec<terms::LadderEntry>,
    #[serde(default)]
    commitments: Vec<terms::CommitmentEntry>,
    #[serde(default)]
    rate_card: Vec<rate_card::InternalRateEntry>,
    #[serde(default)]
    baselines: Vec<BaselineEntry>,
    #[serde(default)]
    alternatives: Vec<AlternativesEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SkuEntry {
    sku: Text,
    models: Vec<Text>,
    #[serde(default)]
    prefixes: Vec<Text>,
    #[serde(default)]
    snapshots: bool,
    #[serde(default)]
    class: Option<Text>,
    #[serde(default)]
    currency: Option<Text>,
    #[serde(default)]
    quantities: BTreeMap<Meter, QuantityRule>,
    #[serde(default)]
    fallbacks: BTreeMap<Meter, Meter>,
    #[serde(default)]
    source: Option<Text>,
    #[serde(default)]
    basis: Option<Text>,
    #[serde(default)]
    rates: Vec<RateEntry>,
}

/// Declares an entry with the fields that say when it holds and where it comes from.
macro_rules! dated {
    ($(#[$attribute:meta])* $vis:vis struct $name:ident { $($(#[$field_attribute:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$attribute])*
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        $vis struct $name {
            $($(#[$field_attribute])* $field: $type,)*
            #[serde(default)]
            valid_from: Option<Timestamp>,
            #[serde(default)]
            valid_to: Option<Timestamp>,
            #[serde(default)]
            known_from: Option<Timestamp>,
            #[serde(default)]
            known_to: Option<Timestamp>,
            #[serde(default)]
            source: Option<Text>,
            #[serde(default)]
            checked: Option<Text>,
            #[serde(default)]
            basis: Option<Text>,
            #[serde(default)]
            note: Option<Text>,
        }

        impl $name {
            fn period(&self) -> Period {
                Period {
                    valid_from: self.valid_from,
                    valid_to: self.valid_to,
                    known_from: self.known_from,
                    known_to: self.known_to,
                }
            }

            fn provenance(&self, file: &Provenance) -> Provenance {
                Provenance {
                    source: self.source.clone().unwrap_or_else(|| file.source.clone()),
                    checked: self.checked.clone().unwrap_or_else(|| file.checked.clone()),
                    basis: self.basis.clone().unwrap_or_else(|| file.basis.clone()),
                    note: self.note.clone(),
                }
            }
        }
    };
}

// After the macro they use.
mod rate_card;
mod terms;

dated! {
    struct RateEntry {
        /// For shared rates.
        #[serde(default)]
        skus: Vec<Text>,
        #[serde(default)]
        when: When,
        per: Per,
        prices: BTreeMap<Meter, Exact>,
        #[serde(default)]
        rank: Option<i32>,
    }
}

/// What a price is for.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "per is neither a whole number, such as 1000000, nor `month`")]
enum Per {
    Quantity(i64),
    Calendar(Calendrical),
}

/// A stretch of the calendar.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Calendrical {
    /// All days of the month a period begins in: a day costs its share of them.
    Month,
}

dated! {
    struct AliasEntry {
        model: Text,
        sku: Text,
        #[serde(default)]
        provider: Option<Text>,
    }
}

dated! {
    struct UpliftEntry {
        skus: Vec<Text>,
        when: When,
        factor: Exact,
        #[serde(default)]
        meters: Vec<Meter>,
    }
}

dated! {
    /// A negotiated price: a factor on list prices, or prices of its own.
    struct ContractEntry {
        id: Text,
        when: When,
        #[serde(default)]
        provider: Option<Text>,
        #[serde(default)]
        skus: Vec<Text>,
        #[serde(default)]
        factor: Option<Exact>,
        #[serde(default)]
        per_call: Option<Exact>,
        #[serde(default)]
        meters: Vec<Meter>,
        #[serde(default)]
        per: Option<i64>,
        #[serde(default)]
        prices: BTreeMap<Meter, Exact>,
    }
}

dated! {
    struct FxEntry {
        from: Text,
        rate: Exact,
    }
}

dated! {
    struct CalendarEntry {
        calendar: Text,
        days: Vec<chrono::NaiveDate>,
    }
}

dated! {
    /// A model that calls are compared with.
    struct BaselineEntry {
        sku: Text,
        #[serde(default)]
        lane: Option<Text>,
        #[serde(default)]
        tokens: Option<Exact>,
    }
}

dated! {
    struct AlternativesEntry {
        skus: Vec<Text>,
        compare: Compare,
    }
}

/// Reads files (pairs of name and text) into rows and validates the book they make, whole.
pub(crate) fn parse(files: &[(String, String)]) -> Result<Vec<ReferenceRow>, Vec<Finding>> {
    let mut placed = Vec::new();
    let mut findings = Vec::new();
    for (name, text) in files {
        if name.ends_with(".jsonl") {
            rows(name, text, &mut placed, &mut findings);
            continue;
        }
        match serde_yaml_ng::from_str::<File>(text) {
            Ok(file) => Reading { name, placed: &mut placed, findings: &mut findings }.file(file),
            Err(error) => {
                findings.push(Finding::error(name, "", error.to_string(), "mend the file as the message says"))
            }
        }
    }
    refer_to_providers(&mut placed);
    if findings.is_empty() { publish(&placed) } else { Err(findings) }
}

/// A file that names a provider and says nothing else of it adds prices to one that another file introduces.
fn refer_to_providers(placed: &mut Vec<Placed>) {
    let bare = |provider: &Provider| {
        provider.also.is_empty() && provider.tiers.is_empty() && provider.strip.is_empty() && !provider.dashed_dates
    };
    let mut introduced = BTreeSet::new();
    for (_, row) in placed.iter() {
        if let Row::Provider(provider) = row
            && !bare(provider)
        {
            introduced.insert(provider.provider.clone());
        }
    }
    placed.retain(|(_, row)| match row {
        Row::Provider(provider) if bare(provider) => introduced.insert(provider.provider.clone()),
        _ => true,
    });
}

/// Reads rows as they are published, one a line: the form that importers write.
fn rows(name: &str, text: &str, placed: &mut Vec<Placed>, findings: &mut Vec<Finding>) {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    if let Some(head) = lines.peek().and_then(|(_, line)| serde_json::from_str::<Head>(line).ok()) {
        lines.next();
        if let Err(message) = head.compiled.check(text.lines().skip(1).filter(|line| !line.trim().is_empty())) {
            let remedy = "compile the book again, or take the file from where it was made";
            findings.push(Finding::error(name, "line 1", message, remedy));
        }
    }
    for (index, line) in lines {
        let place = format!("line {}", index + 1);
        match serde_json::from_str::<Row>(line) {
            Ok(row) => placed.push((format!("{name}: {place}"), row)),
            Err(error) => {
                findings.push(Finding::error(name, place, error.to_string(), "mend the row as the message says"))
            }
        }
    }
}

/// First line of a compiled book.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    compiled: Seal,
}

/// What tells a whole book from a part of one, or from one that somebody changed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    version: Text,
    rows: usize,
}

impl Seal {
    fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let rows: Vec<ReferenceRow> = lines.map(|line| stream::reference::row(super::SET, "", line)).collect();
        let manifest = stream::reference::manifest(super::SET, &rows, Timestamp::MIN, Timestamp::MIN);
        Seal { version: manifest.version, rows: rows.len() }
    }

    fn check<'a>(&self, lines: impl Iterator<Item = &'a str>) -> Result<(), String> {
        let found = Self::of(lines);
        if found.rows != self.rows {
            return Err(format!("is cut off or added to: has {} rows of {}", found.rows, self.rows));
        }
        if found.version != self.version {
            return Err(format!(
                "is version {} by what it says and {} by name: it was changed",
                found.version, self.version
            ));
        }
        Ok(())
    }
}

/// A book as one file: a line that says what it is, and its rows as they are published.
pub(crate) fn compiled(rows: &[ReferenceRow]) -> Result<String, serde_json::Error> {
    let head = Head { compiled: Seal::of(rows.iter().map(|row| row.body.as_str())) };
    let mut text = serde_json::to_string(&head)?;
    for row in rows {
        text.push('\n');
        text.push_str(&row.body);
    }
    text.push('\n');
    Ok(text)
}

/// Validates the book that rows make, whole, and writes them as they are published.
pub(crate) fn publish(placed: &[Placed]) -> Result<Vec<ReferenceRow>, Vec<Finding>> {
    build("", placed, Timestamp::MAX)?;
    placed
        .iter()
        .map(|(place, row)| {
            let body = serde_json::to_string(row);
            let body = body.map_err(|error| vec![Finding::at(place, error.to_string(), "report this as a bug")])?;
            Ok(stream::reference::row(super::SET, place, &body))
        })
        .collect()
}

struct Reading<'a> {
    name: &'a str,
    placed: &'a mut Vec<Placed>,
    findings: &'a mut Vec<Finding>,
}

impl Reading<'_> {
    fn put(&mut self, row: &str, value: Row) {
        self.placed.push((format!("{}: {row}", self.name), value));
    }

    fn file(&mut self, file: File) {
        let provenance = Provenance {
            source: file.source.clone(),
            checked: file.checked.clone(),
            basis: file.basis.clone().unwrap_or_else(|| Text::const_new("published")),
            note: None,
        };
        if let Some(reporting_currency) = file.reporting_currency {
            self.put("reporting_currency", Row::Book(Book { reporting_currency }));
        }
        if let Some(provider) = &file.provider {
            let (also, tiers, strip) = (file.also, file.tiers, file.strip);
            let provider = Provider { provider: provider.clone(), also, tiers, strip, dashed_dates: false };
            self.put("provider", Row::Provider(provider));
        }
        for entry in file.calendars {
            let row = format!("calendar {}", entry.calendar);
            let (period, provenance) = (entry.period(), entry.provenance(&provenance));
            let CalendarEntry { calendar, days, .. } = entry;
            self.put(&row, Row::Calendar(Calendar { calendar, days, period, provenance }));
        }
        for entry in file.fx {
            let row = format!("fx {}", entry.from);
            let (period, provenance) = (entry.period(), entry.provenance(&provenance));
            self.put(&row, Row::Fx(Fx { from: entry.from, rate: entry.rate, period, provenance }));
        }
        for entry in file.skus {
            let place = format!("sku {}", entry.sku);
            let Some(provider) = file.provider.clone() else {
                let remedy = "put provider: at the top";
                self.findings.push(Finding::error(self.name, place, "the file names no provider", remedy));
                continue;
            };
            let Some(currency) = entry.currency.or_else(|| file.currency.clone()) else {
                let remedy = "put currency: at the top";
                self.findings.push(Finding::error(self.name, place, "no currency is stated", remedy));
                continue;
            };
            let mut own = file.fallbacks.clone();
            own.extend(entry.fallbacks);
            let provenance = Provenance {
                source: entry.source.unwrap_or_else(|| provenance.source.clone()),
                basis: entry.basis.unwrap_or_else(|| provenance.basis.clone()),
                ..provenance.clone()
            };
            for (index, rate) in entry.rates.into_iter().enumerate() {
                let row = format!("{place} rates[{index}]");
                self.rate(&row, &entry.sku, rate, &own, &provenance);
            }
            let sku = Sku {
                sku: entry.sku,
                provider,
                models: entry.models,
                prefixes: entry.prefixes,
                snapshots: entry.snapshots,
                class: entry.class,
                currency,
                quantities: entry.quantities,
            };
            self.put(&place, Row::Sku(sku));
        }
        for (index, rate) in file.shared.iter().enumerate() {
            for sku in &rate.skus {
                let rate = RateEntry {
                    skus: Vec::new(),
                    when: rate.when.clone(),
                    prices: rate.prices.clone(),
                    valid_from: rate.valid_from,
                    valid_to: rate.valid_to,
                    known_from: rate.known_from,
                    known_to: rate.known_to,
                    source: rate.source.clone(),
                    checked: rate.checked.clone(),
                    basis: rate.basis.clone(),
                    note: rate.note.clone(),
                    ..*rate
                };
                self.rate(&format!("shared[{index}] of {sku}"), sku, rate, &BTreeMap::new(), &provenance);
            }
        }
        for entry in file.aliases {
            let place = format!("alias {}", entry.model);
            let (period, provenance) = (entry.period(), entry.provenance(&provenance));
            match entry.provider.or_else(|| file.provider.clone()) {
                Some(provider) => {
                    let AliasEntry { model, sku, .. } = entry;
                    self.put(&place, Row::Alias(Alias { provider, model, sku, period, provenance }));
                }
                None => {
                    let remedy = "state its provider";
                    self.findings.push(Finding::error(self.name, place, "the alias names no provider", remedy));
                }
            }
        }
        for (index, entry) in file.uplifts.into_iter().enumerate() {
            let (period, provenance) = (entry.period(), entry.provenance(&provenance));
            let UpliftEntry { skus, when, factor, meters, .. } = entry;
            let uplift = Uplift { skus, when, factor, meters, period, provenance };
            self.put(&format!("uplifts[{index}]"), Row::Uplift(uplift));
        }
        for entry in file.contracts {
            self.contract(entry, &provenance);
        }
        let terms = file.allowances.into_iter().map(|entry| entry.row(&provenance));
        for (place, row) in terms.chain(file.ladders.into_iter().map(|entry| entry.row(&provenance))) {
            self.put(&place, row);
        }
        for entry in file.commitments {
            match entry.row(file.currency.as_ref(), &provenance) {
                (place, Ok(row)) => self.put(&place, row),
                (place, Err(message)) => {
                    self.findings.push(Finding::error(self.name, place, message, "state its currency"));
                }
            }
        }
        for (index, entry) in file.rate_card.into_iter().enumerate() {
            let place = format!("rate_card[{index}]");
            match entry.row(file.currency.as_ref(), &provenance) {
                Ok(row) => self.put(&place, row),
                Err(message) => self.findings.push(Finding::error(self.name, place, message, "state its currency")),
            }
        }
        for entry in file.baselines {
            let (period, provenance) = (entry.period(), entry.provenance(&provenance));
            let BaselineEntry { sku, lane, tokens, .. } = entry;
            let row = format!("baseline {sku}");
            self.put(&row, Row::Baseline(Baseline { sku, lane, tokens, period, provenance }));
        }
        for (index, entry) in file.alternatives.into_iter().enumerate() {
            let (period, provenance) = (entry.period(), entry.provenance(&provenance));
            let AlternativesEntry { skus, compare, .. } = entry;
            self.put(
                &format!("alternatives[{index}]"),
                Row::Alternatives(Alternatives { skus, compare, period, provenance }),
            );
        }
    }

    fn rate(
        &mut self,
        row: &str,
        sku: &Text,
        entry: RateEntry,
        fallbacks: &BTreeMap<Meter, Meter>,
        provenance: &Provenance,
    ) {
        let (period, provenance) = (entry.period(), entry.provenance(provenance));
        let mut prices = entry.prices;
        let mut derived = BTreeMap::new();
        for (meter, like) in fallbacks {
            if !prices.contains_key(meter)
                && let Some(price) = prices.get(like).copied()
            {
                prices.insert(*meter, price);
                derived.insert(*meter, *like);
            }
        }
        let (sku, rank) = (sku.clone(), entry.rank);
        let rate = Rate { sku, when: entry.when, per: 0, prices, derived, rank, period, provenance };
        match entry.per {
            Per::Quantity(per) => self.put(row, Row::Rate(Rate { per, ..rate })),
            Per::Calendar(Calendrical::Month) => {
                if let Some(meter) = rate.prices.keys().find(|meter| **meter != Meter::SeatDays) {
                    let remedy = "state a quantity; only seat_days have prices by the month";
                    let message = format!("{meter} has no price by the month");
                    return self.findings.push(Finding::error(self.name, row, message, remedy));
                }
                for days in 28..=31u8 {
                    let when = When { month_days: Some(days), ..rate.when.clone() };
                    self.put(row, Row::Rate(Rate { per: days.into(), when, ..rate.clone() }));
                }
            }
        }
    }

    fn contract(&mut self, entry: ContractEntry, provenance: &Provenance) {
        let place = format!("contract {}", entry.id);
        let (period, provenance) = (entry.period(), entry.provenance(provenance));
        let ContractEntry { id, when, provider, skus, factor, per_call, meters, per, prices, .. } = entry;
        match (factor, per) {
            (Some(factor), None) if prices.is_empty() => {
                self.put(
                    &place,
                    Row::Discount(Discount { id, provider, skus, when, factor, per_call, meters, period, provenance }),
                );
            }
            (None, Some(per)) if !prices.is_empty() && !skus.is_empty() && when.is_contract() => {
                for sku in skus {
                    let rate = Rate {
                        sku,
                        when: when.clone(),
                        per,
                        prices: prices.clone(),
                        derived: BTreeMap::new(),
                        rank: None,
                        period,
                        provenance: provenance.clone(),
                    };
                    self.put(&place, Row::Rate(rate));
                }
            }
            _ => {
                let remedy = "state a factor on list prices, or skus, per and prices; and whose it is in when";
                self.findings.push(Finding::error(self.name, place, "is neither a discount nor a price", remedy));
            }
        }
    }
}
