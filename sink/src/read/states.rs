//! Rows of `windows`, `budgets`, `alerts` and `rejected` as the types they came from.

use std::collections::HashMap;

use anyhow::Context;
use schemas::{
    Alert, BudgetPeriod, BudgetState, Granularity, Id128, Position, RejectReason, Rejection, Sums, Text, Timestamp,
    Window, WindowKey,
};

use super::{Cells, Days, LakeReader, newest};
use crate::catalogue;
use crate::rows::{Budgets, Rows, Windows};

impl LakeReader {
    /// Reads every column of a table and makes something of each row.
    fn rows<T>(
        &self,
        table: &str,
        days: Days,
        mut make: impl FnMut(Cells<'_>, usize) -> anyhow::Result<T>,
        mut take: impl FnMut(T, Cells<'_>, usize) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let schema = catalogue::table(table).context("a table of the catalogue")?.schema();
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        for batch in self.scan(table, &columns, days)? {
            let batch = batch?;
            let cells = Cells(&batch);
            for row in 0..batch.num_rows() {
                let made = make(cells, row).with_context(|| format!("read a row of the table {table}"))?;
                take(made, cells, row)?;
            }
        }
        Ok(())
    }

    /// The newest revision of every window that starts on these days, by start, then key.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn latest_windows(&self, granularity: Option<Granularity>, days: Days) -> anyhow::Result<Vec<Window>> {
        let mut latest: HashMap<Option<Id128>, (i64, Window)> = HashMap::new();
        self.rows("windows", days, window, |window, _, _| {
            if granularity.is_none_or(|wanted| wanted == window.granularity) {
                newest(&mut latest, Windows::key(&window), window.revision, window);
            }
            Ok(())
        })?;
        let mut windows: Vec<Window> = latest.into_values().map(|(_, window)| window).collect();
        windows.sort_by(|a, b| (a.start, &a.key).cmp(&(b.start, &b.key)));
        Ok(windows)
    }

    /// The newest state of every budget in every period, by tenant, budget and period.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn latest_budgets(&self) -> anyhow::Result<Vec<BudgetState>> {
        let mut latest: HashMap<Option<Id128>, (i64, BudgetState)> = HashMap::new();
        self.rows("budgets", Days::ALL, budget, |budget, cells, row| {
            newest(&mut latest, Budgets::key(&budget), cells.must_long("kafka_offset", row)?, budget);
            Ok(())
        })?;
        let mut budgets: Vec<BudgetState> = latest.into_values().map(|(_, budget)| budget).collect();
        let rank = |budget: &BudgetState| -> (Text, Text, BudgetPeriod, Timestamp) {
            (budget.tenant.clone(), budget.budget_id.clone(), budget.period, budget.period_start)
        };
        budgets.sort_by_cached_key(rank);
        Ok(budgets)
    }

    /// Alerts whose crossing was on these days, oldest first.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn alerts(&self, days: Days) -> anyhow::Result<Vec<Alert>> {
        let mut alerts = Vec::new();
        self.rows("alerts", days, alert, |alert, _, _| {
            alerts.push(alert);
            Ok(())
        })?;
        // One batch may cross several thresholds of a budget: they read from the lowest up.
        alerts.sort_by_cached_key(|alert| {
            let share = alert.threshold.parse::<schemas::Money>().ok();
            (alert.booked_at, alert.budget_id.clone(), alert.period_start, share, alert.alert_id)
        });
        Ok(alerts)
    }

    /// Rejections that arrived on these days, oldest first, at most this many of the newest.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn rejected(&self, days: Days, limit: usize) -> anyhow::Result<Vec<Rejection>> {
        let mut rejected: Vec<Rejection> = Vec::new();
        let by_arrival = |rejection: &Rejection| (rejection.received_at, rejection.position.offset);
        self.rows("rejected", days, rejection, |rejection, _, _| {
            rejected.push(rejection);
            // Twice the limit is kept at most, so that sorting stays cheap and memory bounded.
            if rejected.len() >= limit.saturating_mul(2).max(1024) {
                rejected.sort_by_key(by_arrival);
                rejected.drain(..rejected.len().saturating_sub(limit));
            }
            Ok(())
        })?;
        rejected.sort_by_key(by_arrival);
        rejected.drain(..rejected.len().saturating_sub(limit));
        Ok(rejected)
    }

    /// How many items were rejected on these days, by reason.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn rejected_by_reason(&self, days: Days) -> anyhow::Result<std::collections::BTreeMap<RejectReason, i64>> {
        let mut counts = std::collections::BTreeMap::new();
        for batch in self.scan("rejected", &["reason"], days)? {
            let batch = batch?;
            for row in 0..batch.num_rows() {
                *counts.entry(Cells(&batch).parsed("reason", row)?).or_default() += 1;
            }
        }
        Ok(counts)
    }
}

fn optional(cells: Cells<'_>, name: &str, row: usize) -> anyhow::Result<Option<Text>> {
    Ok(cells.text(name, row)?.map(Text::from))
}

fn window(cells: Cells<'_>, row: usize) -> anyhow::Result<Window> {
    Ok(Window {
        key: WindowKey {
            tenant: cells.must_text("tenant", row)?,
            team: optional(cells, "team", row)?,
            project: optional(cells, "project", row)?,
            environment: optional(cells, "environment", row)?,
            provider: cells.must_text("provider", row)?,
            model: cells.must_text("model", row)?,
            use_case: optional(cells, "use_case", row)?,
            currency: cells.must_text("currency", row)?,
        },
        granularity: cells.parsed("granularity", row)?,
        start: cells.must_time("start", row)?,
        end: cells.must_time("end", row)?,
        revision: cells.must_long("revision", row)?,
        status: cells.parsed("status", row)?,
        sums: Sums {
            charges: cells.must_long("charges", row)?,
            requests: cells.must_long("requests", row)?,
            list: cells.must_money("list_cost", row)?,
            contracted: cells.must_money("contracted_cost", row)?,
            effective: cells.must_money("effective_cost", row)?,
            unpriced_requests: cells.must_long("unpriced_requests", row)?,
            unpriced_tokens: cells.quantity("unpriced_tokens", row)?,
            input_tokens: cells.quantity("input_tokens", row)?,
            cache_read_tokens: cells.quantity("cache_read_tokens", row)?,
            cache_write_tokens: cells.quantity("cache_write_tokens", row)?,
            output_tokens: cells.quantity("output_tokens", row)?,
            reasoning_tokens: cells.quantity("reasoning_tokens", row)?,
        },
        late: cells.must_long("late", row)?,
        watermark: cells.time("watermark", row)?.unwrap_or(Timestamp::MIN),
        emitted_at: cells.must_time("emitted_at", row)?,
    })
}

fn budget(cells: Cells<'_>, row: usize) -> anyhow::Result<BudgetState> {
    Ok(BudgetState {
        tenant: cells.must_text("tenant", row)?,
        budget_id: cells.must_text("budget_id", row)?,
        name: cells.must_text("name", row)?,
        budget_revision: cells.must_text("budget_revision", row)?,
        period: cells.parsed("period", row)?,
        period_start: cells.must_time("period_start", row)?,
        period_end: cells.must_time("period_end", row)?,
        counts_from: cells.time("counts_from", row)?,
        amount: cells.must_money("amount", row)?,
        currency: cells.must_text("currency", row)?,
        spent: cells.must_money("spent", row)?,
        gross: cells.must_money("gross", row)?,
        remaining: cells.must_money("remaining", row)?,
        requests: cells.must_long("requests", row)?,
        blocked: cells.truth("blocked", row)?,
        crossed: optional(cells, "crossed", row)?,
        revision: cells.must_long("revision", row)?,
        emitted_at: cells.must_time("emitted_at", row)?,
        team: optional(cells, "team", row)?,
        business_unit: optional(cells, "business_unit", row)?,
        scope: optional(cells, "scope", row)?,
    })
}

fn alert(cells: Cells<'_>, row: usize) -> anyhow::Result<Alert> {
    Ok(Alert {
        alert_id: cells.id("alert_id", row)?,
        dedup_key: cells.id("alert_dedup_key", row)?,
        tenant: cells.must_text("tenant", row)?,
        budget_id: cells.must_text("budget_id", row)?,
        name: cells.must_text("name", row)?,
        budget_revision: cells.must_text("budget_revision", row)?,
        team: optional(cells, "team", row)?,
        period: cells.parsed("period", row)?,
        period_start: cells.must_time("period_start", row)?,
        period_end: cells.must_time("period_end", row)?,
        threshold: cells.must_text("threshold", row)?,
        episode: cells.must_int("episode", row)?,
        direction: cells.parsed("direction", row)?,
        action: cells.must_text("action", row)?,
        severity: cells.must_text("severity", row)?,
        amount: cells.must_money("amount", row)?,
        spent: cells.must_money("spent", row)?,
        currency: cells.must_text("currency", row)?,
        booked_at: cells.must_time("booked_at", row)?,
        counts_from: cells.time("counts_from", row)?,
        emitted_at: cells.must_time("emitted_at", row)?,
    })
}

fn rejection(cells: Cells<'_>, row: usize) -> anyhow::Result<Rejection> {
    Ok(Rejection {
        tenant: cells.must_text("tenant", row)?,
        position: Position {
            topic: cells.must_text("raw_topic", row)?,
            partition: cells.must_int("raw_partition", row)?,
            offset: cells.must_long("raw_offset", row)?,
            item: cells.must_int("raw_item", row)?,
        },
        reason: cells.parsed("reason", row)?,
        field: cells.must_text("field", row)?,
        message: cells.must_text("message", row)?,
        recognised_as: cells.must_text("recognised_as", row)?,
        payload_hash: cells.id("payload_hash", row)?,
        payload_bytes: cells.must_long("payload_bytes", row)?,
        skeleton: cells.must_text("skeleton", row)?,
        received_at: cells.must_time("received_at", row)?,
    })
}
