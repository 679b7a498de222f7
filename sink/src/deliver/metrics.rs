//! Every metric of delivery, by route.

use anyhow::Context;
use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::attempt::Outcome;

/// The metrics of delivery.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Unit: attempts, by outcome.
    attempts: IntCounterVec,
    /// Unit: alerts.
    waiting: IntGaugeVec,
    /// Unit: alerts. No gauge: another process sends them again.
    dead: IntCounterVec,
    /// Unit: alerts.
    stale: IntCounter,
}

impl Metrics {
    /// For these routes, each of which shows from the start that nothing has happened.
    pub(crate) fn new<'a>(routes: impl Iterator<Item = &'a str>) -> Self {
        let valid = "names and labels are constants";
        let counter =
            |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels).expect(valid);
        let waiting = Opts::new("spendstream_waiting_alerts", "Alerts that wait for a route, or for its answer.");
        let metrics = Metrics {
            attempts: counter(
                "spendstream_alert_attempts_total",
                "Attempts to deliver an alert, and how they ended.",
                &["route", "outcome"],
            ),
            waiting: IntGaugeVec::new(waiting, &["route"]).expect(valid),
            dead: counter("spendstream_dead_alerts_total", "Alerts that were given up on a route.", &["route"]),
            stale: IntCounter::new(
                "spendstream_stale_alerts_total",
                "Alerts that were older than --alert-age-max when they were read: nobody was told.",
            )
            .expect(valid),
        };
        for route in routes {
            metrics.waiting.with_label_values(&[route]).set(0);
            metrics.dead.with_label_values(&[route]).inc_by(0);
        }
        metrics
    }

    pub(crate) fn register(&self, registry: &Registry) -> anyhow::Result<()> {
        let all: [Box<dyn Collector>; 4] = [
            Box::new(self.attempts.clone()),
            Box::new(self.waiting.clone()),
            Box::new(self.dead.clone()),
            Box::new(self.stale.clone()),
        ];
        all.into_iter().try_for_each(|metric| registry.register(metric).context("register the metrics of delivery"))
    }

    pub(crate) fn attempted(&self, route: &str, outcome: &Outcome) {
        let name = match outcome {
            Outcome::Delivered => "delivered",
            Outcome::Refused { .. } => "refused",
            Outcome::Unknown { .. } => "unknown",
            Outcome::Rejected { .. } => "rejected",
        };
        self.attempts.with_label_values(&[route, name]).inc();
    }

    pub(crate) fn wait(&self, route: &str, alerts: usize) {
        self.waiting.with_label_values(&[route]).set(alerts as i64);
    }

    pub(crate) fn grew_stale(&self) {
        self.stale.inc();
    }

    pub(crate) fn died(&self, route: &str) {
        self.dead.with_label_values(&[route]).inc();
    }
}
