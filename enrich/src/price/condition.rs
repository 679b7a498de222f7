//! Conditions compiled to numbers, and the context of an event they are checked against.

mod set;

use chrono::Datelike;
use hashbrown::HashMap as FastMap;
use schemas::{Dimensions, Meter, PICO, PriceContext, Text, Timestamp, UsageEvent};
use smallvec::{SmallVec, smallvec};

use super::hours::Hours;
use super::when::{Batch, Choice, Measure, When};

pub(crate) use set::ConditionSet;

/// Dimensions a condition may restrict; the order is that of [`Context::values`].
pub(crate) const TIER: usize = 0;
pub(crate) const SPEED: usize = 1;
pub(crate) const BATCH: usize = 2;
const REGION: usize = 3;
const RESIDENCY: usize = 4;
const ENDPOINT: usize = 5;
const SIZE: usize = 6;
const QUALITY: usize = 7;
const RESOLUTION: usize = 8;
const SEARCH_CONTEXT: usize = 9;
const MONTH: usize = 10;
const TENANT: usize = 11;
const ACCOUNT: usize = 12;
const TEAM: usize = 13;
const DIMENSIONS: usize = 14;
const NAMES: [&str; DIMENSIONS] = [
    "tier",
    "speed",
    "batch",
    "region",
    "residency",
    "endpoint",
    "size",
    "quality",
    "resolution",
    "search_context",
    "month_days",
    "tenant",
    "account",
    "team",
];

/// Nothing stated.
const NONE: u32 = 0;
/// The standard tier or speed; not in a batch.
pub(crate) const STANDARD: u32 = 1;
/// In a batch.
const BATCHED: u32 = 2;
/// A value no row of the book names.
const UNKNOWN: u32 = u32::MAX;

/// The values rows name, numbered.
#[derive(Debug, Default)]
pub(crate) struct Values(FastMap<Text, u32>);

impl Values {
    fn number(&mut self, value: &str) -> u32 {
        let next = self.0.len() as u32 + BATCHED + 1;
        *self.0.entry(value.into()).or_insert(next)
    }

    fn find(&self, value: &str) -> u32 {
        self.0.get(value).copied().unwrap_or(UNKNOWN)
    }
}

/// Numbers a dimension may have; empty allows all.
type Allowed = SmallVec<[u32; 2]>;

/// Compiled [`When`].
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Condition {
    /// Dimensions it restricts, one bit each.
    looks_at: u16,
    /// Dimensions of which the numbers are those that are *not* allowed, one bit each.
    excepts: u16,
    allowed: [Allowed; DIMENSIONS],
    /// Size of the call in picounits, `[from, to)`.
    band: Option<(Measure, i128, i128)>,
    hours: Option<Hours>,
}

impl Condition {
    /// Compiles conditions, numbering the values they name.
    pub fn compile(when: &When, values: &mut Values, hours: Option<Hours>) -> Self {
        let mut allowed: [Allowed; DIMENSIONS] = Default::default();
        allowed[TIER] = standard_or(when.tier.as_ref(), values);
        allowed[SPEED] = standard_or(when.speed.as_ref(), values);
        allowed[BATCH] = match when.batch {
            None | Some(Batch::Only(false)) => smallvec![STANDARD],
            Some(Batch::Only(true)) => smallvec![BATCHED],
            Some(Batch::Both(_)) => smallvec![],
        };
        allowed[MONTH] = when.month_days.map(u32::from).into_iter().collect();
        let mut excepts = 0;
        for (dimension, choice) in [
            (REGION, &when.region),
            (RESIDENCY, &when.residency),
            (ENDPOINT, &when.endpoint),
            (SIZE, &when.size),
            (QUALITY, &when.quality),
            (RESOLUTION, &when.resolution),
            (SEARCH_CONTEXT, &when.search_context),
            (TENANT, &when.tenant),
            (ACCOUNT, &when.account),
            (TEAM, &when.team),
        ] {
            allowed[dimension] = named(choice.as_ref(), |text| values.number(text));
            excepts |= u16::from(matches!(choice, Some(Choice::Except { .. }))) << dimension;
        }
        let band = when.band.map(|band| {
            let picos = |whole: i64| i128::from(whole) * PICO;
            let from = band.from.map(picos).into_iter().chain(band.above.map(|n| picos(n) + 1)).max();
            let to = band.below.map(picos).into_iter().chain(band.up_to.map(|n| picos(n) + 1)).min();
            (band.of.unwrap_or_default(), from.unwrap_or(i128::MIN), to.unwrap_or(i128::MAX))
        });
        Condition { looks_at: bits(&allowed), excepts, allowed, band, hours }
    }

    /// How many conditions are stated: the more specific of two rows that match wins.
    pub fn specificity(&self) -> i32 {
        let stated = self.allowed[..TENANT].iter().filter(|allowed| !allowed.is_empty()).count();
        stated as i32 + i32::from(self.band.is_some()) + i32::from(self.hours.is_some())
    }

    /// How precisely the party is named: a team before an account before a tenant.
    pub fn party(&self) -> i32 {
        let named = |dimension: usize| i32::from(!self.allowed[dimension].is_empty());
        named(TEAM) * 4 + named(ACCOUNT) * 2 + named(TENANT)
    }

    fn allows(&self, dimension: usize, value: u32) -> bool {
        let excepts = self.excepts & (1 << dimension) != 0;
        let allowed = &self.allowed[dimension];
        allowed.is_empty() || (allowed.contains(&value) != excepts && !(excepts && value == NONE))
    }

    /// Whether it is met as far as sizes and times go.
    fn holds_beyond(&self, context: &Context<'_>) -> bool {
        self.band.is_none_or(|(measure, from, to)| (from..to).contains(&context.size(measure)))
            && self.hours.as_ref().is_none_or(|hours| hours.holds(context.time))
    }

    /// The first condition that a call in this context does not meet.
    pub fn refusal(&self, context: &Context<'_>) -> Option<&'static str> {
        let unmet = (0..DIMENSIONS).find(|dimension| !self.allows(*dimension, context.values[*dimension]));
        let band = || Condition { band: self.band, ..Condition::default() };
        match unmet {
            Some(dimension) => Some(NAMES[dimension]),
            None if !band().holds_beyond(context) => Some("band"),
            None => (!self.holds_beyond(context)).then_some("hours"),
        }
    }

    /// The conditions of both, or `None` when no call can meet both.
    pub fn both(&self, other: &Condition) -> Option<Condition> {
        let mut both = self.clone();
        for dimension in 0..DIMENSIONS {
            let (mine, theirs) = (&mut both.allowed[dimension], &other.allowed[dimension]);
            let bit = 1 << dimension;
            match (mine.is_empty(), theirs.is_empty(), both.excepts & bit != 0, other.excepts & bit != 0) {
                (_, true, ..) => {}
                (true, false, ..) => {
                    mine.clone_from(theirs);
                    both.excepts |= other.excepts & bit;
                }
                (_, _, false, excepts) => {
                    mine.retain(|value| theirs.contains(value) != excepts);
                    if mine.is_empty() {
                        return None;
                    }
                }
                (_, _, true, true) => {
                    mine.extend(theirs.iter().copied());
                    mine.sort_unstable();
                    mine.dedup();
                }
                (_, _, true, false) => {
                    let left: Allowed = theirs.iter().copied().filter(|value| !mine.contains(value)).collect();
                    if left.is_empty() {
                        return None;
                    }
                    *mine = left;
                    both.excepts &= !bit;
                }
            }
        }
        both.looks_at = bits(&both.allowed);
        both.band = match (self.band, other.band) {
            (Some((a, from, to)), Some((b, from_too, to_too))) if a == b => {
                let (from, to) = (from.max(from_too), to.min(to_too));
                (from < to).then_some(Some((a, from, to)))?
            }
            // Ranges of different measures may meet; keeping one of them errs on the side of a tie.
            (mine, theirs) => mine.or(theirs),
        };
        both.hours = match (&self.hours, &other.hours) {
            (Some(mine), Some(theirs)) if !mine.meets(theirs) => return None,
            (mine, theirs) => mine.clone().or_else(|| theirs.clone()),
        };
        Some(both)
    }

    /// Whether every call that meets `narrower` meets this too.
    pub fn covers(&self, narrower: &Condition) -> bool {
        let wide = |dimension: usize| {
            let (mine, theirs) = (&self.allowed[dimension], &narrower.allowed[dimension]);
            let excepts = |of: &Condition| of.excepts & (1 << dimension) != 0;
            mine.is_empty()
                || match (excepts(self), excepts(narrower)) {
                    (false, false) => !theirs.is_empty() && theirs.iter().all(|value| mine.contains(value)),
                    (true, false) => !theirs.is_empty() && theirs.iter().all(|value| !mine.contains(value)),
                    (true, true) => mine.iter().all(|value| theirs.contains(value)),
                    (false, true) => false,
                }
        };
        (0..DIMENSIONS).all(wide)
            && match (self.band, narrower.band) {
                (None, _) => true,
                (Some((a, from, to)), Some((b, from_in, to_in))) => a == b && from <= from_in && to_in <= to,
                (Some(_), None) => false,
            }
            && (self.hours.is_none() || self.hours == narrower.hours)
    }

    /// This condition with what `change` states put in its place, as an uplift does; `None` when they contradict.
    pub fn changed_by(&self, change: &Condition, states: &When) -> Option<Condition> {
        let mut changed = self.clone();
        for (dimension, stated) in
            [(TIER, states.tier.is_some()), (SPEED, states.speed.is_some()), (BATCH, states.batch.is_some())]
        {
            // An uplift that states no tier, speed or batch is for all of them; one that does turns the standard row,
            // and the row for any, into the row it is for.
            if stated && matches!(self.allowed[dimension].as_slice(), [] | [STANDARD]) {
                changed.allowed[dimension].clone_from(&change.allowed[dimension]);
            } else if stated && self.allowed[dimension] != change.allowed[dimension] {
                return None;
            }
        }
        let mut rest = change.clone();
        for dimension in [TIER, SPEED, BATCH] {
            rest.allowed[dimension] = Allowed::new();
        }
        changed.both(&rest)
    }
}

fn bits(allowed: &[Allowed; DIMENSIONS]) -> u16 {
    (0..DIMENSIONS).filter(|d| !allowed[*d].is_empty()).fold(0, |bits, d| bits | 1 << d)
}

fn named(choice: Option<&Choice>, mut number: impl FnMut(&str) -> u32) -> Allowed {
    let texts: &[Text] = match choice {
        None => return Allowed::new(),
        Some(Choice::One(text)) if text == "any" => return Allowed::new(),
        Some(Choice::One(text)) => std::slice::from_ref(text),
        Some(Choice::Many(texts) | Choice::Except { except: texts }) => texts,
    };
    let mut allowed: Allowed = texts.iter().map(|text| number(text)).collect();
    allowed.sort_unstable();
    allowed.dedup();
    allowed
}

fn standard_or(choice: Option<&Choice>, values: &mut Values) -> Allowed {
    match choice {
        None => smallvec![STANDARD],
        stated => named(stated, |text| if is_standard(text) { STANDARD } else { values.number(text) }),
    }
}

/// Groq's standard tier is `on_demand` (<https://console.groq.com/docs/service-tiers>, not opened; its answers state it).
fn is_standard(text: &str) -> bool {
    matches!(text, "default" | "standard" | "on_demand")
}

/// What one call looks like to conditions.
#[derive(Debug, Clone)]
pub(crate) struct Context<'a> {
    pub values: [u32; DIMENSIONS],
    time: Timestamp,
    event: &'a UsageEvent,
}

impl<'a> Context<'a> {
    /// Numbers what the event says, as far as `looks_at` asks for it. `tier` is the book's name of the served tier.
    #[inline]
    pub fn new(event: &'a UsageEvent, owner: &Dimensions, values: &Values, looks_at: u16, tier: Option<&str>) -> Self {
        let PriceContext { batch, speed, region, residency, endpoint, .. } = &event.price_context;
        let number = |dimension: usize, text: &Option<Text>| match text {
            Some(text) if looks_at & (1 << dimension) != 0 => values.find(text),
            _ => NONE,
        };
        let mut batched = *batch;
        let tier = match tier {
            None => STANDARD,
            Some(tier) if is_standard(tier) => STANDARD,
            // Some providers report a batch as a tier.
            Some("batch") => {
                batched = true;
                STANDARD
            }
            Some(tier) => values.find(tier),
        };
        let speed = match speed.as_deref() {
            None => STANDARD,
            Some(speed) if is_standard(speed) => STANDARD,
            Some(speed) => values.find(speed),
        };
        let mut numbers = [NONE; DIMENSIONS];
        numbers[TIER] = tier;
        numbers[SPEED] = speed;
        numbers[BATCH] = if batched { BATCHED } else { STANDARD };
        numbers[REGION] = number(REGION, region);
        numbers[RESIDENCY] = number(RESIDENCY, residency);
        numbers[ENDPOINT] = number(ENDPOINT, endpoint);
        numbers[SIZE] = number(SIZE, &event.price_context.size);
        numbers[QUALITY] = number(QUALITY, &event.price_context.quality);
        numbers[RESOLUTION] = number(RESOLUTION, &event.price_context.resolution);
        numbers[SEARCH_CONTEXT] = number(SEARCH_CONTEXT, &event.price_context.search_context);
        if looks_at & (1 << MONTH) != 0 {
            numbers[MONTH] = month_days(event.event_time);
        }
        if looks_at & (1 << TENANT) != 0 {
            numbers[TENANT] = values.find(&event.tenant);
        }
        numbers[ACCOUNT] = number(ACCOUNT, &owner.billing_account);
        numbers[TEAM] = number(TEAM, &owner.team);
        Context { values: numbers, time: event.event_time, event }
    }

    fn size(&self, measure: Measure) -> i128 {
        match measure {
            Measure::InputTokens => sum(self.event, Meter::is_input_tokens),
            Measure::OutputTokens => sum(self.event, |meter| meter.is_tokens() && !meter.is_input_tokens()),
            Measure::Meter(meter) => sum(self.event, |used| used == meter),
        }
    }

    /// Whether the call ran in a batch.
    pub fn is_batched(&self) -> bool {
        self.values[BATCH] == BATCHED
    }

    /// Whether the call ran at the standard tier and outside a batch.
    pub fn is_standard(&self) -> bool {
        self.values[TIER] == STANDARD && self.values[BATCH] == STANDARD
    }

    /// The same call at the standard tier and outside a batch.
    pub fn standard(&self) -> Self {
        let mut standard = self.clone();
        standard.values[TIER] = STANDARD;
        standard.values[BATCH] = STANDARD;
        standard
    }
}

/// Days of the month, in UTC; of no month when the time is beyond the calendar.
fn month_days(time: Timestamp) -> u32 {
    let day = time.to_datetime().map(|time| time.date_naive());
    day.map_or(NONE, |day| u32::from(day.num_days_in_month()))
}

fn sum(event: &UsageEvent, wanted: impl Fn(Meter) -> bool) -> i128 {
    let picos = event.usage.iter().filter(|used| wanted(used.meter)).map(|used| used.quantity.picos());
    picos.fold(0, i128::saturating_add)
}
