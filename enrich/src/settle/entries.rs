//! Entries of a settlement: sums of what terms change, by day and by who pays.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use schemas::ids::hash_parts;
use schemas::{Charge, ChargeCategory, Dimensions, Id128, Money, Tag, Text, Timestamp};

use super::Unsettled;
use super::calendar::day_start;

/// Everything an owner is found by, so that an entry goes to who paid for the calls it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Payer {
    /// Who bills.
    pub provider: Text,
    /// Model, or the commitment where nobody used it.
    pub model: Text,
    /// Key of the calls.
    pub key_id: Option<Text>,
    /// Resource of the calls.
    pub resource: Option<Text>,
    /// Labels of the calls.
    pub tags: Vec<Tag>,
    /// Dimensions as the calls were charged to them, by name.
    pub dimensions: BTreeMap<&'static str, Text>,
}

impl Payer {
    /// Who pays for a charge. Users, sessions and runs are left out: they would make an entry of every call.
    pub(super) fn of(charge: &Charge) -> Payer {
        let event = &charge.event;
        Payer {
            provider: event.provider.clone(),
            model: event.model.clone(),
            key_id: event.key_id.clone(),
            resource: event.resource.clone(),
            tags: event.tags.clone(),
            dimensions: dimensions(&charge.owner),
        }
    }

    /// Tells payers of one day apart, whatever process or release asks.
    fn hash(&self, category: &str, currency: &str) -> Id128 {
        let option = |value: &Option<Text>| value.as_ref().map_or_else(String::new, |value| format!("={value}"));
        let (key, resource) = (option(&self.key_id), option(&self.resource));
        let labels = self.tags.iter().map(|tag| format!("{}={}", tag.key, tag.value));
        let dimensions = self.dimensions.iter().map(|(name, value)| format!("{name}={value}"));
        let rest: Vec<String> = labels.chain(["|".to_owned()]).chain(dimensions).collect();
        let known = [self.provider.as_str(), &self.model, &key, &resource, category, currency];
        hash_parts(known.into_iter().chain(rest.iter().map(String::as_str)).map(str::as_bytes))
    }

    /// Who pays for what nobody used.
    pub(super) fn idle(provider: &str, term: &Text, team: Option<&Text>, account: Option<&Text>) -> Payer {
        let stated = [("team", team), ("billing_account", account)];
        Payer {
            provider: provider.into(),
            model: term.clone(),
            key_id: None,
            resource: None,
            tags: Vec::new(),
            dimensions: stated.into_iter().filter_map(|(name, value)| Some((name, value?.clone()))).collect(),
        }
    }
}

fn dimensions(owner: &Dimensions) -> BTreeMap<&'static str, Text> {
    let named = [
        ("team", &owner.team),
        ("project", &owner.project),
        ("cost_center", &owner.cost_center),
        ("business_unit", &owner.business_unit),
        ("environment", &owner.environment),
        ("customer", &owner.customer),
        ("application", &owner.application),
        ("feature", &owner.feature),
        ("use_case", &owner.use_case),
        ("workload_profile", &owner.workload_profile),
        ("billing_account", &owner.billing_account),
        ("sub_account", &owner.sub_account),
        ("cost_category", &owner.cost_category),
        ("spend_class", &owner.spend_class),
    ];
    named.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
}

/// An amount that terms add to a day, or take from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Made of the term, the day and the payer: settling again names it alike.
    pub id: String,
    /// Id of the terms.
    pub term: Text,
    /// Beginning of its day (UTC).
    pub time: Timestamp,
    /// Whose charge it is.
    pub payer: Payer,
    /// What kind of charge it is.
    pub category: ChargeCategory,
    /// Negative where the day becomes cheaper.
    pub amount: Money,
    /// ISO 4217 currency.
    pub currency: Text,
}

type Key = (Text, NaiveDate, Payer, &'static str, Text);

/// Entries in the making.
#[derive(Debug)]
pub(super) struct Entries {
    from: Timestamp,
    to: Timestamp,
    sums: BTreeMap<Key, (ChargeCategory, i128)>,
}

impl Entries {
    pub(super) fn new(from: Timestamp, to: Timestamp) -> Self {
        Entries { from, to, sums: BTreeMap::new() }
    }

    /// Adds an amount, in picounits, to a day. What is of another period is not told: it is settled with that.
    pub(super) fn add(
        &mut self,
        term: &Text,
        category: ChargeCategory,
        payer: &Payer,
        currency: &Text,
        day: NaiveDate,
        amount: i128,
    ) -> Result<(), Unsettled> {
        let time = day_start(day);
        if amount == 0 || time < self.from || time >= self.to {
            return Ok(());
        }
        let key = (term.clone(), day, payer.clone(), category.as_str(), currency.clone());
        let (_, sum) = self.sums.entry(key).or_insert((category, 0));
        *sum = sum.checked_add(amount).ok_or_else(|| Unsettled::TooLarge(term.clone()))?;
        Ok(())
    }

    pub(super) fn finish(self) -> Vec<Entry> {
        let sums = self.sums.into_iter().filter(|(_, (_, sum))| *sum != 0);
        sums.filter_map(|((term, day, payer, category_name, currency), (category, sum))| {
            let hash = payer.hash(category_name, &currency);
            Some(Entry {
                id: format!("{term}/{day}/{hash}"),
                term,
                time: day_start(day),
                payer,
                category,
                // Sums of amounts of charges, which have 38 digits at most: checked again when they are added up.
                amount: Money::from_picos(sum)?,
                currency,
            })
        })
        .collect()
    }
}
