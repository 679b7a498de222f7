//! `alerts`: one row per crossing of a threshold.

use schemas::codec::Format;
use schemas::{Alert, topics};
use stream::Record;

use super::{Decoded, Row, Rows, single_item};
use crate::column::{Column, id, int, money, text, time};

/// The table `alerts`.
#[derive(Debug)]
pub struct Alerts(Format<Alert>);

impl Rows for Alerts {
    type Item = Alert;
    const TABLE: &'static str = "alerts";
    const TOPIC: &'static str = topics::ALERTS;
    const ABOUT: &'static str = "One row per crossing of a threshold. `event_date` is the day of the crossing.";
    const SORT: &'static [&'static str] = &["tenant", "budget_id", "booked_at"];

    fn new() -> Self {
        Alerts(Format::new())
    }

    fn decode(&self, record: &Record<'_>) -> Result<Decoded<Alert>, String> {
        single_item(&self.0, record)
    }

    fn event_date(alert: &Alert) -> i32 {
        alert.booked_at.days()
    }

    fn columns() -> Vec<Column<Row<Alert>>> {
        const IN: &str = "`currency`";
        vec![
            id("alert_id", "The same crossing has the same id.", |row| Some(row.item.alert_id)),
            id(
                "alert_dedup_key",
                "The id without its direction: a recovery resolves what the crossing opened.",
                |row| Some(row.item.dedup_key),
            ),
            text("tenant", "Tenant.", |row| Some(&row.item.tenant)),
            text("budget_id", "Budget.", |row| Some(&row.item.budget_id)),
            text("name", "Its name.", |row| Some(&row.item.name)),
            text("budget_revision", "Revision of its definition.", |row| Some(&row.item.budget_revision)),
            text("team", "Team the budget's scope names, if it names one.", |row| row.item.team.as_deref()),
            text("period", "Period the threshold belongs to.", |row| Some(row.item.period.as_str())),
            time("period_start", "Its first instant.", |row| Some(row.item.period_start)),
            time("period_end", "Its end, exclusive.", |row| Some(row.item.period_end)),
            text("threshold", "Share of the amount (0.8).", |row| Some(&row.item.threshold)),
            int("episode", "", "Counts the times the threshold was armed, from 1.", |row| Some(row.item.episode)),
            text("direction", "up or down.", |row| Some(row.item.direction.as_str())),
            text("action", "notify, page, block or the operator's own word.", |row| Some(&row.item.action)),
            text("severity", "info, warning, error or critical.", |row| Some(&row.item.severity)),
            text("currency", "ISO 4217 currency.", |row| Some(&row.item.currency)),
            money("amount", IN, "Budgeted.", |row| Some(row.item.amount)),
            money("spent", IN, "Spent when it was crossed.", |row| Some(row.item.spent)),
            time("booked_at", "When the charge that crossed it was booked.", |row| Some(row.item.booked_at)),
            time("counts_from", "From when spend is counted, when the budget began within the period.", |row| {
                row.item.counts_from
            }),
            time("emitted_at", "When it was emitted.", |row| Some(row.item.emitted_at)),
        ]
    }
}
