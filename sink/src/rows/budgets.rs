//! `budgets`: states of budgets; the newest of a budget and period holds.

use schemas::codec::Format;
use schemas::ids::hash_parts;
use schemas::{BudgetState, Id128, topics};
use stream::Record;

use super::{Decoded, Row, Rows, single_item};
use crate::column::{Column, boolean, long, money, text, time};

/// The table `budgets`.
#[derive(Debug)]
pub struct Budgets(Format<BudgetState>);

impl Rows for Budgets {
    type Item = BudgetState;
    const TABLE: &'static str = "budgets";
    const TOPIC: &'static str = topics::BUDGET_STATE;
    const ABOUT: &'static str = "States of budgets, each whole. For each (tenant, budget_id, period, period_start) the \
         row with the highest `kafka_offset` holds; states in between may be missing. `event_date` is the UTC day of \
         `period_start`: a month that begins at midnight in Berlin is filed under the last day of the month before. So choose \
         periods by `period_start` and `period_end`.";
    const SORT: &'static [&'static str] = &["tenant", "budget_id", "period_start"];

    fn new() -> Self {
        Budgets(Format::new())
    }

    fn decode(&self, record: &Record<'_>) -> Result<Decoded<BudgetState>, String> {
        single_item(&self.0, record)
    }

    fn event_date(state: &BudgetState) -> i32 {
        state.period_start.days()
    }

    fn key(state: &BudgetState) -> Option<Id128> {
        let start = state.period_start.micros().to_be_bytes();
        let period = state.period.as_str().as_bytes();
        Some(hash_parts([state.tenant.as_bytes(), state.budget_id.as_bytes(), period, &start]))
    }

    fn columns() -> Vec<Column<Row<BudgetState>>> {
        const IN: &str = "`currency`";
        vec![
            text("tenant", "Tenant.", |row| Some(&row.item.tenant)),
            text("budget_id", "Budget.", |row| Some(&row.item.budget_id)),
            text("name", "Its name.", |row| Some(&row.item.name)),
            text("budget_revision", "Revision of its definition.", |row| Some(&row.item.budget_revision)),
            text("period", "day, month, quarter or year.", |row| Some(row.item.period.as_str())),
            time("period_start", "First instant of the period.", |row| Some(row.item.period_start)),
            time("period_end", "End of the period, exclusive.", |row| Some(row.item.period_end)),
            time("counts_from", "From when spend is counted, when the budget began within the period.", |row| {
                row.item.counts_from
            }),
            text("currency", "ISO 4217 currency.", |row| Some(&row.item.currency)),
            money("amount", IN, "Budgeted.", |row| Some(row.item.amount)),
            money("spent", IN, "Spent, net of corrections.", |row| Some(row.item.spent)),
            money("gross", IN, "Spent, corrections that took spend back left out.", |row| Some(row.item.gross)),
            money("remaining", IN, "Left; negative when overspent.", |row| Some(row.item.remaining)),
            long("requests", "calls", "Calls.", |row| Some(row.item.requests)),
            boolean("blocked", "True when a threshold whose action is `block` is crossed.", |row| {
                Some(row.item.blocked)
            }),
            text("crossed", "Highest threshold crossed now, as a share; null below all.", |row| {
                row.item.crossed.as_deref()
            }),
            long("revision", "", "Grows with every upsert.", |row| Some(row.item.revision)),
            time("emitted_at", "When this was written.", |row| Some(row.item.emitted_at)),
            text("team", "Team the budget's scope names, if it names one.", |row| row.item.team.as_deref()),
            text("business_unit", "Business unit the budget's scope names, if it names one.", |row| {
                row.item.business_unit.as_deref()
            }),
            text(
                "scope",
                "Dimensions the budget's scope names and the value each must have, as a JSON object; a value of null is \
                 unallocated. Null in states of releases that did not say.",
                |row| row.item.scope.as_deref(),
            ),
        ]
    }
}
