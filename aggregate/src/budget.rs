//! Budgets as reference data: what an operator states ([`Definition`]), and what the stages use ([`Budgets`]).

mod read;
mod scope;

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use schemas::ids::hash_parts;
use schemas::{BudgetPeriod, Id128, Money, ReferenceRow, Text, Timestamp};
use stream::reference::{Compiled, Versions};

pub use read::{Finding, Findings, parse_budgets, read_budgets};
pub use scope::Scope;

use crate::calendar::Calendar;
use crate::spend::Spend;

/// A budget as an operator states it. The body of its reference row, as JSON.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Id, unique among all budgets.
    pub id: Text,
    /// Name for people. A new name is not a new revision.
    pub name: Text,
    /// Tenant whose spend it bounds.
    pub tenant: Text,
    /// Dimension and the value it must have; null is unallocated. Empty: everything of the tenant.
    #[serde(default)]
    pub scope: BTreeMap<Text, Option<Text>>,
    /// ISO 4217 currency. Charges in another are counted, not converted.
    pub currency: Text,
    /// IANA time zone whose midnights begin its periods.
    #[serde(default = "utc")]
    pub time_zone: Text,
    /// Month that begins its fiscal year, 1 to 12.
    #[serde(default = "january")]
    pub fiscal_year_start: u32,
    /// First day whose spend counts; null from ever.
    #[serde(default)]
    pub valid_from: Option<NaiveDate>,
    /// First day whose spend no longer counts; null for ever.
    #[serde(default)]
    pub valid_to: Option<NaiveDate>,
    /// Amount of each period. A quarter's amount is stated, never three months'.
    pub amounts: BTreeMap<BudgetPeriod, Money>,
    /// What happens at which share of which period's amount.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
}

impl Definition {
    /// The value of a dimension that the scope names; `None` also when it names the lack of one.
    pub fn named(&self, dimension: &str) -> Option<Text> {
        self.scope.get(dimension).cloned().flatten()
    }
}

/// A share of a period's amount, and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Share of the amount, as a decimal: `0.8`.
    pub share: Share,
    /// Period whose amount it is a share of.
    pub period: BudgetPeriod,
    /// `notify`, `page`, `block`, or the operator's own word.
    pub action: Text,
    /// `info`, `warning`, `error` or `critical`.
    pub severity: Text,
}

fn utc() -> Text {
    Text::const_new("UTC")
}

const fn january() -> u32 {
    1
}

/// A share of an amount, in millionths. Text form is a plain decimal without trailing zeros: `0.8` and `0.80` are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(i64);

const MILLION: i128 = 1_000_000;

/// Ten thousand times the amount: beyond this it is a typing error.
const SHARE_MAX: i128 = 10_000 * MILLION;

/// Five times the amount: a percentage was probably meant.
const SHARE_UNLIKELY: i64 = 5_000_000;

impl Share {
    /// True when it is so much that a percentage was probably meant.
    pub fn is_unlikely(self) -> bool {
        self.0 > SHARE_UNLIKELY
    }

    /// The least amount that reaches this share.
    pub fn limit(self, amount: Money) -> Option<Money> {
        let product = amount.picos().checked_mul(i128::from(self.0))?;
        let rest = i128::from(product.rem_euclid(MILLION) != 0);
        Money::from_picos(product.div_euclid(MILLION) + rest)
    }
}

impl std::str::FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let malformed =
            || format!("share {text:?} is not a decimal above 0 with at most 6 places; write 80 % as \"0.8\"");
        let picos = text.parse::<Money>().map_err(|_| malformed())?.picos();
        let per_millionth = schemas::PICO / MILLION;
        match picos / per_millionth {
            millionths if picos % per_millionth == 0 && millionths > 0 && millionths <= SHARE_MAX => {
                i64::try_from(millionths).map(Share).map_err(|_| malformed())
            }
            _ => Err(malformed()),
        }
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let picos = i128::from(self.0) * (schemas::PICO / MILLION);
        f.pad(&Money::from_picos(picos).unwrap_or_default().to_string())
    }
}

impl serde::Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A budget, checked and ready for use.
#[derive(Debug, Clone)]
pub struct Budget {
    /// What the operator stated.
    pub definition: Definition,
    /// Hash of everything in the definition but its name: crossings belong to a revision.
    pub revision: Text,
    /// Hash of the scope its sums are kept by.
    pub scope: Id128,
    /// The scope as it was stated, a JSON object.
    pub stated_scope: Text,
    /// First instant whose spend counts.
    pub valid_from: Option<Timestamp>,
    /// First instant whose spend no longer counts.
    pub valid_to: Option<Timestamp>,
}

impl Budget {
    /// Thresholds of a period with the amounts that reach them, lowest first.
    pub fn limits(&self, period: BudgetPeriod) -> Vec<(&Threshold, Money)> {
        let Some(amount) = self.definition.amounts.get(&period) else { return Vec::new() };
        let of_period = self.definition.thresholds.iter().filter(|threshold| threshold.period == period);
        let mut limits: Vec<_> = of_period.filter_map(|t| Some((t, t.share.limit(*amount)?))).collect();
        limits.sort_by_key(|(threshold, _)| threshold.share);
        limits
    }
}

/// Every budget of one version.
#[derive(Debug, Default)]
pub struct Budgets {
    version: Text,
    budgets: Vec<Budget>,
    scopes: HashMap<Id128, Scope>,
    by_tenant: HashMap<Text, Tenant>,
}

/// Scopes of a tenant. Most budgets are a team's, and a charge has one team: only that team's scopes, and those that
/// name none, are asked whether they hold it.
#[derive(Debug, Default)]
struct Tenant {
    by_team: HashMap<Option<Text>, Vec<Id128>>,
    of_any_team: Vec<Id128>,
}

impl Budgets {
    /// From definitions.
    ///
    /// # Errors
    /// One sentence that names the budget and what is wrong with it.
    pub fn new(version: &str, definitions: Vec<Definition>) -> Result<Self, String> {
        let mut budgets = Budgets { version: version.into(), ..Budgets::default() };
        let mut compiled: Vec<(Budget, Scope)> = Vec::new();
        for definition in definitions {
            let named = |error: String| format!("budget {}: {error}", definition.id);
            let one = compile(&definition).map_err(named)?;
            if compiled.iter().any(|(other, _)| other.definition.id == definition.id) {
                return Err(named("its id is used twice; give each budget its own".to_owned()));
            }
            compiled.push(one);
        }
        scope::part_by_end(&mut compiled);
        for (budget, scope) in compiled {
            match budgets.scopes.get_mut(&scope.id) {
                Some(shared) => shared.join(&scope),
                None => {
                    let tenant = budgets.by_tenant.entry(scope.tenant.clone()).or_default();
                    match budget.definition.scope.get("team") {
                        Some(team) => tenant.by_team.entry(team.clone()).or_default().push(scope.id),
                        None => tenant.of_any_team.push(scope.id),
                    }
                    budgets.scopes.insert(scope.id, scope);
                }
            }
            budgets.budgets.push(budget);
        }
        Ok(budgets)
    }

    /// Version of the reference data.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Every budget, in the order stated.
    pub fn iter(&self) -> impl Iterator<Item = &Budget> {
        self.budgets.iter()
    }

    /// Every scope, in no particular order.
    pub fn all_scopes(&self) -> impl Iterator<Item = &Scope> {
        self.scopes.values()
    }

    /// Scopes that hold a charge.
    pub fn scopes_of(&self, charge: &Spend) -> impl Iterator<Item = &Scope> {
        let tenant = self.by_tenant.get(&charge.event.tenant);
        let of_team = tenant.and_then(|tenant| tenant.by_team.get(&charge.owner.team));
        let of_any_team = tenant.map(|tenant| &tenant.of_any_team);
        let scopes = of_team.into_iter().chain(of_any_team).flatten().filter_map(|id| self.scopes.get(id));
        scopes.filter(|scope| scope.holds(charge))
    }

    /// A scope by its hash.
    pub fn scope(&self, id: Id128) -> Option<&Scope> {
        self.scopes.get(&id)
    }

    /// Budgets that are kept by a scope, in the order stated.
    pub fn of_scope(&self, id: Id128) -> impl Iterator<Item = &Budget> {
        self.budgets.iter().filter(move |budget| budget.scope == id)
    }
}

impl Compiled for Budgets {
    const SET: &'static str = "budgets";

    fn compile(version: &str, rows: &[&ReferenceRow]) -> anyhow::Result<Self> {
        let definitions = rows
            .iter()
            .map(|row| serde_json::from_str(&row.body).map_err(|error| anyhow::anyhow!("{}: {error}", row.origin)));
        Budgets::new(version, definitions.collect::<anyhow::Result<_>>()?).map_err(anyhow::Error::msg)
    }
}

/// From when a scope's period has been counted without a break, as of the version in force at `at`; `None` from ever.
pub fn counted_since(
    versions: &Versions<Budgets>,
    scope: Id128,
    period: BudgetPeriod,
    at: Timestamp,
) -> Option<Timestamp> {
    let mut since = None;
    let mut counted_before = false;
    for (index, (effective_at, version)) in versions.iter().enumerate() {
        if index > 0 && *effective_at > at {
            break;
        }
        let counted = version.scope(scope).is_some_and(|scope| scope.periods.contains(&period));
        if counted && !counted_before {
            // The first version holds for anything older as well.
            since = (index > 0).then_some(*effective_at);
        }
        counted_before = counted;
    }
    since
}

/// Checks one definition by itself.
fn compile(definition: &Definition) -> Result<(Budget, Scope), String> {
    if definition.id.trim().is_empty() || definition.tenant.trim().is_empty() {
        return Err("id and tenant must be stated".to_owned());
    }
    if !schemas::is_currency_code(&definition.currency) {
        return Err(format!("currency {:?} is not an ISO 4217 code such as USD", definition.currency));
    }
    let zone = definition
        .time_zone
        .parse()
        .map_err(|_| format!("time_zone {:?} is not an IANA zone such as America/New_York", definition.time_zone))?;
    if !(1..=12).contains(&definition.fiscal_year_start) {
        return Err(format!("fiscal_year_start {} is not a month from 1 to 12", definition.fiscal_year_start));
    }
    if definition.amounts.is_empty() {
        return Err("amounts is empty; state one for each period, e.g. month: \"12000\"".to_owned());
    }
    for (period, amount) in &definition.amounts {
        if *amount <= Money::ZERO {
            return Err(format!("amount of the {period} is {amount}; it must be more than 0"));
        }
    }
    for (index, threshold) in definition.thresholds.iter().enumerate() {
        let named =
            |error: String| format!("thresholds[{index}] ({} of the {}): {error}", threshold.share, threshold.period);
        let Some(amount) = definition.amounts.get(&threshold.period) else {
            let stated: Vec<_> = definition.amounts.keys().map(|period| period.as_str()).collect();
            return Err(named(format!(
                "the budget states no amount for the {}, only for {}; add it to amounts",
                threshold.period,
                stated.join(", ")
            )));
        };
        if threshold.share.limit(*amount).is_none() {
            return Err(named("its amount needs more than 38 digits".to_owned()));
        }
        if threshold.action.trim().is_empty() {
            return Err(named("action is empty; write notify, page, block or your own word".to_owned()));
        }
        if !["info", "warning", "error", "critical"].contains(&threshold.severity.as_str()) {
            return Err(named(format!(
                "severity {:?} is not one of info, warning, error, critical",
                threshold.severity
            )));
        }
        let same = |other: &&Threshold| other.share == threshold.share && other.period == threshold.period;
        if definition.thresholds[..index].iter().any(|other| same(&other)) {
            return Err(named("it is stated twice; keep one".to_owned()));
        }
    }
    if let (Some(from), Some(to)) = (definition.valid_from, definition.valid_to)
        && from >= to
    {
        return Err(format!("valid_from {from} is not before valid_to {to}"));
    }
    let calendar = Calendar { zone, fiscal_year_start: definition.fiscal_year_start };
    let instant = |date: Option<NaiveDate>| match date {
        None => Ok(None),
        Some(date) => calendar.midnight(date).map(Some).ok_or_else(|| format!("{date} is outside the calendar")),
    };
    let (valid_from, valid_to) = (instant(definition.valid_from)?, instant(definition.valid_to)?);
    let scope = Scope::new(definition, calendar, valid_from, valid_to)?;
    let budget = Budget {
        definition: definition.clone(),
        revision: revision(definition)?,
        scope: scope.id,
        stated_scope: serde_json::to_string(&definition.scope).map_err(|error| error.to_string())?.into(),
        valid_from,
        valid_to,
    };
    Ok((budget, scope))
}

/// Twelve hexadecimal digits of the hash of everything but the name.
fn revision(definition: &Definition) -> Result<Text, String> {
    let nameless = Definition { name: Text::default(), ..definition.clone() };
    let body = serde_json::to_vec(&nameless).map_err(|error| error.to_string())?;
    Ok(hash_parts([b"budget".as_slice(), &body]).to_string().chars().take(12).collect())
}

#[cfg(test)]
mod tests;
