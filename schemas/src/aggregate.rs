//! What aggregate makes of charges: partial sums, windows, budget states and alerts.

use crate::{Id128, Money, Quantity, Text, Timestamp, record, symbols};

symbols! {
    /// Width of a window, in UTC.
    pub enum Granularity {
        /// An hour.
        Hour = "hour",
        /// A day.
        Day = "day",
        /// A calendar month.
        Month = "month",
        /// A calendar quarter.
        Quarter = "quarter",
    }
}

record! {
    /// What windows are kept by. Null is unallocated or unknown.
    #[derive(Eq, Hash, PartialOrd, Ord)]
    pub struct WindowKey {
        /// Tenant.
        pub tenant: Text,
        /// Team.
        pub team: Option<Text>,
        /// Project.
        pub project: Option<Text>,
        /// Environment.
        pub environment: Option<Text>,
        /// Provider.
        pub provider: Text,
        /// Model.
        pub model: Text,
        /// Use case.
        pub use_case: Option<Text>,
        /// Currency of the sums.
        pub currency: Text,
    }
}

record! {
    /// Sums over charges. Every field adds, so the order of arrival does not matter.
    #[derive(Default)]
    pub struct Sums {
        /// Charge rows.
        pub charges: i64,
        /// Calls: iterations and corrections do not count.
        pub requests: i64,
        /// Cost at list price.
        pub list: Money,
        /// Cost under contract.
        pub contracted: Money,
        /// Effective cost.
        pub effective: Money,
        /// Calls without a price, or with a partial one.
        pub unpriced_requests: i64,
        /// Tokens without a price.
        pub unpriced_tokens: Quantity,
        /// Input tokens read at the full rate.
        pub input_tokens: Quantity,
        /// Input tokens served from a cache.
        pub cache_read_tokens: Quantity,
        /// Input tokens written to a cache.
        pub cache_write_tokens: Quantity,
        /// Output tokens, reasoning among them.
        pub output_tokens: Quantity,
        /// Reasoning tokens.
        pub reasoning_tokens: Quantity,
    }
}

record! {
    /// Sums of one key over one hour, as one transaction of *combine* saw them.
    pub struct WindowPartial {
        /// Key.
        pub key: WindowKey,
        /// Start of the hour.
        pub hour: Timestamp,
        /// Sums.
        pub sums: Sums,
        /// Of these, charge rows that arrived after the hour's end and grace.
        pub late_hour: i64,
        /// Of these, charge rows that arrived after the day's end and grace.
        pub late_day: i64,
        /// Of these, charge rows that arrived after the month's end and grace.
        pub late_month: i64,
        /// Of these, charge rows that arrived after the quarter's end and grace.
        pub late_quarter: i64,
    }
}

symbols! {
    /// Period of a budget, in its own time zone and fiscal calendar.
    pub enum BudgetPeriod {
        /// A day.
        Day = "day",
        /// A calendar month.
        Month = "month",
        /// A fiscal quarter.
        Quarter = "quarter",
        /// A fiscal year.
        Year = "year",
    }
}

record! {
    /// What one transaction of *combine* adds to one budget scope in one period.
    pub struct BudgetPartial {
        /// Tenant.
        pub tenant: Text,
        /// Hash of scope, calendar and currency: edits of amount or thresholds inherit the sums.
        pub scope: Id128,
        /// Period.
        pub period: BudgetPeriod,
        /// Its first instant.
        pub period_start: Timestamp,
        /// Net change of effective cost.
        pub net: Money,
        /// Sum of the increases alone. Spend that was never there crosses nothing.
        pub gross: Money,
        /// Calls.
        pub requests: i64,
        /// Latest `booked_at` among the causes.
        pub booked_at: Timestamp,
        /// Currency.
        pub currency: Text,
    }
}

/// One item of `spend.partials`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "nearly all items are window sums; boxing them would allocate for each")]
pub enum PartialItem {
    /// Sums for windows.
    Window(WindowPartial),
    /// Sums for a budget.
    Budget(BudgetPartial),
}

crate::wire_union!(PartialItem { Window(WindowPartial), Budget(BudgetPartial) });

symbols! {
    /// How settled a window is.
    pub enum WindowStatus {
        /// More may come.
        Provisional = "provisional",
        /// The watermark has passed its end and grace.
        Final = "final",
        /// Changed after it was final.
        Restated = "restated",
    }
}

record! {
    /// One window of one key, whole: the newest revision replaces the others.
    pub struct Window {
        /// Key.
        pub key: WindowKey,
        /// Width.
        pub granularity: Granularity,
        /// Start, inclusive.
        pub start: Timestamp,
        /// End, exclusive.
        pub end: Timestamp,
        /// Grows by one with every upsert.
        pub revision: i64,
        /// How settled it is.
        pub status: WindowStatus,
        /// Sums.
        pub sums: Sums,
        /// Charge rows that arrived late.
        pub late: i64,
        /// Watermark when this was written.
        pub watermark: Timestamp,
        /// When this was written.
        pub emitted_at: Timestamp,
    }
}

record! {
    /// A budget in one period, whole: gateways enforce with it.
    pub struct BudgetState {
        /// Tenant.
        pub tenant: Text,
        /// Budget.
        pub budget_id: Text,
        /// Its name.
        pub name: Text,
        /// Revision of the budget's definition.
        pub budget_revision: Text,
        /// Period.
        pub period: BudgetPeriod,
        /// First instant of the period.
        pub period_start: Timestamp,
        /// End of the period, exclusive.
        pub period_end: Timestamp,
        /// From when spend is counted, when the budget began within the period.
        pub counts_from: Option<Timestamp>,
        /// Budgeted.
        pub amount: Money,
        /// ISO 4217 currency.
        pub currency: Text,
        /// Spent, net of corrections.
        pub spent: Money,
        /// Spent, corrections that took spend back left out.
        pub gross: Money,
        /// Left; negative when overspent.
        pub remaining: Money,
        /// Calls.
        pub requests: i64,
        /// True when a threshold whose action is `block` is crossed.
        pub blocked: bool,
        /// Highest threshold crossed now, as a share (`0.8`); null below all.
        pub crossed: Option<Text>,
        /// Grows by one with every upsert.
        pub revision: i64,
        /// When this was written.
        pub emitted_at: Timestamp,
        /// Team the budget's scope names, if it names one.
        pub team: Option<Text>,
        /// Business unit the budget's scope names, if it names one.
        pub business_unit: Option<Text>,
        /// Dimensions the budget's scope names and the value each must have, as a JSON object with sorted names; a value of
        /// null is unallocated. Null where a release that did not say wrote the state.
        pub scope: Option<Text>,
    }
}

symbols! {
    /// Which way a threshold was crossed.
    pub enum Direction {
        /// Spend reached it.
        Up = "up",
        /// A correction took spend back below it.
        Down = "down",
    }
}

record! {
    /// One crossing of one threshold.
    pub struct Alert {
        /// Function of budget, revision, period, threshold, episode and direction: the same crossing has the same id.
        pub alert_id: Id128,
        /// The id without its direction: a recovery resolves what the crossing opened.
        pub dedup_key: Id128,
        /// Tenant.
        pub tenant: Text,
        /// Budget.
        pub budget_id: Text,
        /// Its name.
        pub name: Text,
        /// Revision of the budget's definition.
        pub budget_revision: Text,
        /// Team the budget's scope names, if it names one.
        pub team: Option<Text>,
        /// Period the threshold belongs to.
        pub period: BudgetPeriod,
        /// Its first instant.
        pub period_start: Timestamp,
        /// Its end, exclusive.
        pub period_end: Timestamp,
        /// Threshold as a share of the amount (`0.8`).
        pub threshold: Text,
        /// Counts the times the threshold was armed, from 1.
        pub episode: i32,
        /// Which way.
        pub direction: Direction,
        /// What the threshold asks for: `notify`, `page`, `block`, or the operator's own word.
        pub action: Text,
        /// Severity: info, warning, error, critical.
        pub severity: Text,
        /// Budgeted.
        pub amount: Money,
        /// Spent when it was crossed.
        pub spent: Money,
        /// ISO 4217 currency.
        pub currency: Text,
        /// `booked_at` of the batch that crossed it.
        pub booked_at: Timestamp,
        /// From when spend is counted, when the budget began within the period.
        pub counts_from: Option<Timestamp>,
        /// When it was emitted.
        pub emitted_at: Timestamp,
    }
}
