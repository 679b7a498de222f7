//! Alerts to people: Slack, PagerDuty and webhooks.
//!
//! An alert of `spend.alerts` comes to the [`Inbox`], which writes it into the ledger, a folder of the lake, with the
//! routes it matches; only then does its position move. A thread per route then works through what is open: it records
//! that it is about to send, sends, and records how that went. What to do next is decided by [`attempt`], which sees
//! nothing but that record, so a process killed at any point goes on where it was. `DESIGN.md` says what each receiver
//! can and cannot promise.

pub mod attempt;
pub mod drivers;
pub mod ledger;
pub mod message;
pub mod origin;
pub mod receiver;
pub mod route;

mod dispatch;
mod http;
mod metrics;
#[cfg(test)]
mod tests;

pub use dispatch::{Delivery, Inbox, test_route};
pub use http::Network;
pub use ledger::{Ledger, Sending};
pub use origin::Origin;
pub use route::{Routes, Secrets};

use std::path::PathBuf;
use std::time::Duration;

use schemas::Timestamp;

/// Where alerts go and how patiently.
#[derive(Debug, Clone, clap::Args)]
pub struct DeliveryConfig {
    /// File of routes: which alerts go to which Slack channel, PagerDuty service or webhook. Without it alerts are only
    /// written into the lake.
    #[arg(long, env = "SPENDSTREAM_ALERT_ROUTES", value_name = "FILE")]
    pub alert_routes: Option<PathBuf>,

    /// Let routes use `http://` and addresses of private networks. Whoever can edit the routes can then reach into them.
    #[arg(long, env = "SPENDSTREAM_ALERT_ALLOW_PRIVATE")]
    pub alert_allow_private: bool,

    /// An alert older than this is not sent any more, only kept in the lake.
    ///
    /// Longer lets alerts through after a longer outage; shorter spares people old news.
    #[arg(long, env = "SPENDSTREAM_ALERT_AGE_MAX", default_value = "24h", value_parser = stream::settings::parse_duration)]
    pub alert_age_max: Duration,

    /// Name of this installation to those who get its alerts [default: `--environment`; `up` has none].
    ///
    /// Two installations that send to one PagerDuty service, channel or webhook need two names: without, each takes the other's
    /// alerts about budgets they both have for copies, and resolves its incidents. What is open is resolved under the name it
    /// was opened with, so it may be changed.
    #[arg(long, env = "SPENDSTREAM_ALERT_ORIGIN", value_name = "NAME", value_parser = stream::settings::parse_name)]
    pub alert_origin: Option<String>,

    /// Address of a page about a budget, linked from messages; `{budget}` and `{alert}` are replaced.
    #[arg(long, env = "SPENDSTREAM_ALERT_LINK", value_name = "URL")]
    pub alert_link: Option<String>,
}

/// True when an alert is too old to be sent.
pub(crate) fn is_stale(emitted_at: Timestamp, now: Timestamp, age_max: Duration) -> bool {
    now.micros_since(emitted_at) > i64::try_from(age_max.as_micros()).unwrap_or(i64::MAX)
}
