//! What spend a budget is about.

use std::collections::HashMap;

use schemas::ids::hash_parts;
use schemas::{BudgetPeriod, Dimensions, Id128, Text, Timestamp};

use super::{Budget, Definition};
use crate::calendar::Calendar;
use crate::spend::Spend;

/// Reads what comes with a charge's event or its price.
type Reader = fn(&Spend) -> Option<&str>;

/// Dimensions that come with the event or its price.
const EVENT: [(&str, Reader); 12] = [
    ("provider", |charge| Some(&charge.event.provider)),
    ("publisher", |charge| charge.event.publisher.as_deref()),
    ("model", |charge| Some(&charge.event.model)),
    ("model_class", |charge| charge.model_class.as_deref()),
    ("sku", |charge| charge.sku.as_deref()),
    ("operation", |charge| Some(&charge.event.operation)),
    ("region", |charge| charge.event.price_context.region.as_deref()),
    ("residency", |charge| charge.event.price_context.residency.as_deref()),
    ("api_key", |charge| charge.event.key_id.as_deref()),
    ("resource", |charge| charge.event.resource.as_deref()),
    ("cost_basis", |charge| Some(charge.event.cost_basis.as_str())),
    ("charge_category", |charge| Some(charge.event.charge_category.as_str())),
];

#[derive(Debug, Clone)]
enum Field {
    Owner(fn(&Dimensions) -> &Option<Text>),
    Event(Reader),
    Tag(Text),
}

impl Field {
    fn named(name: &str) -> Result<Self, String> {
        let event = || EVENT.iter().find(|(dimension, _)| *dimension == name).map(|(_, read)| Field::Event(*read));
        let tag = || name.strip_prefix("tag.").map(|key| Field::Tag(key.into()));
        Dimensions::reader(name).map(Field::Owner).or_else(event).or_else(tag).ok_or_else(|| {
            let known: Vec<&str> = Dimensions::NAMES.iter().copied().chain(EVENT.map(|(name, _)| name)).collect();
            format!("scope: {name} is not a dimension; use tag.<key> or one of {}", known.join(", "))
        })
    }

    fn read<'a>(&self, charge: &'a Spend) -> Option<&'a str> {
        match self {
            Field::Owner(read) => read(&charge.owner).as_deref(),
            Field::Event(read) => read(charge),
            Field::Tag(key) => charge.event.tags.iter().find(|tag| tag.key == *key).map(|tag| tag.value.as_str()),
        }
    }
}

/// A scope: what spend, by which calendar, in which currency. Budgets that agree in these share their sums.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Hash of tenant, dimensions, zone, fiscal year, currency and `valid_from`, and of `valid_to` where another budget of
    /// the same ends later.
    pub id: Id128,
    /// Tenant.
    pub tenant: Text,
    /// Currency of the charges that count.
    pub currency: Text,
    /// Calendar of its periods.
    pub calendar: Calendar,
    /// Periods that are summed: those any budget of this scope states an amount for.
    pub periods: Vec<BudgetPeriod>,
    matchers: Vec<(Field, Option<Text>)>,
    valid_from: Option<Timestamp>,
    valid_to: Option<Timestamp>,
}

/// Gives budgets that end before another of the same scope a scope of their own: what is spent after their end is the
/// other's alone. A budget that stands for itself keeps its sums when its end is moved.
pub(super) fn part_by_end(compiled: &mut [(Budget, Scope)]) {
    // An end that is not stated is the latest.
    let end = |scope: &Scope| scope.valid_to.unwrap_or(Timestamp::MAX);
    let mut latest: HashMap<Id128, Timestamp> = HashMap::new();
    for (_, scope) in compiled.iter() {
        let known = latest.entry(scope.id).or_insert(Timestamp::MIN);
        *known = end(scope).max(*known);
    }
    for (budget, scope) in compiled {
        if latest.get(&scope.id).is_some_and(|latest| end(scope) < *latest) {
            scope.id = hash_parts([b"until".as_slice(), &scope.id.0, &end(scope).micros().to_be_bytes()]);
            budget.scope = scope.id;
        }
    }
}

impl Scope {
    pub(super) fn new(
        definition: &Definition,
        calendar: Calendar,
        valid_from: Option<Timestamp>,
        valid_to: Option<Timestamp>,
    ) -> Result<Self, String> {
        let matchers = definition.scope.iter().map(|(name, value)| Ok((Field::named(name)?, value.clone())));
        let from = valid_from.map(|from| from.micros().to_be_bytes());
        let mut parts: Vec<&[u8]> = vec![
            b"scope",
            definition.tenant.as_bytes(),
            definition.currency.as_bytes(),
            calendar.zone.name().as_bytes(),
        ];
        let fiscal = [calendar.fiscal_year_start as u8];
        parts.push(&fiscal);
        parts.push(from.as_ref().map_or(b"", |from| from.as_slice()));
        for (name, value) in &definition.scope {
            parts.push(name.as_bytes());
            parts.push(if value.is_some() { b"1" } else { b"0" });
            parts.push(value.as_ref().map_or(b"", |value| value.as_bytes()));
        }
        Ok(Scope {
            id: hash_parts(parts),
            tenant: definition.tenant.clone(),
            currency: definition.currency.clone(),
            calendar,
            periods: definition.amounts.keys().copied().collect(),
            matchers: matchers.collect::<Result<_, String>>()?,
            valid_from,
            valid_to,
        })
    }

    /// Takes in another budget of the same scope: its periods.
    pub(super) fn join(&mut self, other: &Scope) {
        self.periods.extend(&other.periods);
        self.periods.sort_unstable();
        self.periods.dedup();
    }

    /// True when a charge of its tenant is this scope's, its currency left aside.
    pub fn holds(&self, charge: &Spend) -> bool {
        let time = charge.event.event_time;
        self.valid_from.is_none_or(|from| from <= time)
            && self.valid_to.is_none_or(|to| time < to)
            && self.matchers.iter().all(|(field, wanted)| field.read(charge) == wanted.as_deref())
    }
}
