//! What was spent, on what, by whom; which budgets it meets; what needs attention; and whether all of it adds up.

mod gather;
mod print;
mod saving;

use std::collections::{BTreeMap, BTreeSet};

use enrich::exposure::Estimate;
use schemas::{Alert, BudgetState, CurrencySum, Meter, Money, Quantity, Text};
use serde::Serialize;

use crate::ledger::Ledger;

pub use gather::gather;
pub use print::{print, print_ledger};

/// Spend under one name.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// Team, or provider and model; `None` is unallocated.
    pub name: Option<String>,
    /// Tenant of a team: the same name in two tenants is two teams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Text>,
    /// Currency of the cost.
    pub currency: Text,
    /// Calls.
    pub requests: i64,
    /// Calls, and whatever else was charged for by the piece: bills of machines, credits.
    #[serde(skip)]
    pub charged_requests: i64,
    /// Tokens of every kind.
    pub tokens: Quantity,
    /// Of these, read from a cache.
    pub cache_read_tokens: Quantity,
    /// Effective cost.
    pub cost: Money,
    /// What has no price, or a partial one: calls, and whatever else is charged for by the piece.
    pub unpriced_requests: i64,
}

impl Group {
    /// True when everything in it was corrected away.
    fn is_nothing(&self) -> bool {
        self.charged_requests == 0 && self.tokens == Quantity::ZERO && self.cost.is_zero()
    }
}

/// Usage without a price.
#[derive(Debug, Clone, Serialize)]
pub struct Unpriced {
    /// Provider.
    pub provider: String,
    /// Model.
    pub model: String,
    /// Calls.
    pub requests: i64,
    /// Their tokens that have no price: of a call with half of a price only the other half.
    pub tokens: Quantity,
    /// What else was used without a price, by meter.
    pub others: BTreeMap<Meter, Quantity>,
    /// What the part without a price may cost, by the nearest model that has one; never part of any cost.
    pub estimate: Option<Estimate>,
}

/// What a choice saved, at list prices and of calls that are billed by use; of the others, `retail` alone. Never netted into
/// cost.
#[derive(Debug, Clone, Serialize)]
pub struct Saving {
    /// Counterfactual (`uncached`, `unbatched`, ...).
    pub kind: String,
    /// Currency.
    pub currency: Text,
    /// Cost otherwise, less the cost of the choice, both with all later choices (route, batch, cache, contract) off.
    pub amount: Money,
    /// What everything billed by use would have cost at list without it.
    pub without: Money,
}

/// Why nobody pays for something.
#[derive(Debug, Clone, Serialize)]
pub struct Unallocated {
    /// Key the calls were made with.
    pub key_id: Option<String>,
    /// Producer.
    pub source: String,
    /// Calls.
    pub requests: i64,
    /// Their cost.
    pub cost: Money,
    /// Its currency.
    pub currency: Text,
}

/// The report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// First day of event time, in UTC.
    pub from: Option<String>,
    /// Last day.
    pub to: Option<String>,
    /// Tenants whose charges and budgets these are.
    pub tenants: BTreeSet<Text>,
    /// Effective cost, exact.
    pub total: Vec<CurrencySum>,
    /// All of it in the reporting currency, where it was charged in several and all could be converted.
    pub converted: Option<CurrencySum>,
    /// What has no exchange rate to the currency the rest was converted to, so that there is no `converted`.
    pub unconverted: Vec<CurrencySum>,
    /// Calls: no seats, bills of machines, credits, entries of the ledger or shares of shared charges.
    pub requests: i64,
    /// Tokens.
    pub tokens: Quantity,
    /// By team, largest cost first.
    pub teams: Vec<Group>,
    /// By provider and model, largest cost first.
    pub models: Vec<Group>,
    /// What other choices would have cost.
    pub savings: Vec<Saving>,
    /// Budgets, newest period each.
    pub budgets: Vec<BudgetState>,
    /// Alerts, oldest first.
    pub alerts: Vec<Alert>,
    /// Usage without a price.
    pub unpriced: Vec<Unpriced>,
    /// Spend nobody owns.
    pub unallocated: Vec<Unallocated>,
    /// Calls that are known by their position alone: sent again they count again.
    pub without_id: i64,
    /// Calls that state no time.
    pub without_time: i64,
    /// Items rejected, by reason.
    pub rejected: BTreeMap<String, i64>,
    /// Where the lake is.
    pub lake: String,
    /// The conservation ledger; `None` when only a lake was given.
    pub ledger: Option<Ledger>,
}
