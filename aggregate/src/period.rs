//! One budget scope in one period: its sums, and what every budget of the scope makes of them.

use schemas::ids::hash_parts;
use schemas::wire::Wire;
use schemas::{
    Alert, AmountError, BudgetPartial, BudgetPeriod, BudgetState, Direction, Id128, Money, Text, Timestamp, record,
};
use stream::reference::Versions;

use crate::budget::{Budget, Budgets, Threshold, counted_since};
use crate::calendar::Span;
use crate::crossing::{Crossing, Decision, Facts, decide};

record! {
    /// Sums of one scope in one period, and what was made of them. A value of the changelog.
    pub struct PeriodState {
        /// Tenant.
        pub tenant: Text,
        /// Scope.
        pub scope: Id128,
        /// Period.
        pub period: BudgetPeriod,
        /// Its first instant.
        pub start: Timestamp,
        /// Spent, net of corrections.
        pub net: Money,
        /// Sum of the increases alone.
        pub gross: Money,
        /// Calls.
        pub requests: i64,
        /// Latest `booked_at` among the causes.
        pub booked_at: Timestamp,
        /// One for every budget revision that was ever judged here.
        pub judged: Vec<Judged>,
    }
}

record! {
    /// What was made of a period for one revision of one budget.
    pub struct Judged {
        /// Budget.
        pub budget_id: Text,
        /// Revision of its definition.
        pub budget_revision: Text,
        /// Thresholds of the period, lowest first.
        pub crossings: Vec<Crossed>,
        /// Upserts of `budget.state` so far, whatever the revision; 0 when another revision has taken over.
        pub upserts: i64,
        /// Hash of the last upsert, so that only changes are written.
        pub written: Id128,
    }
}

record! {
    /// What is remembered of one threshold.
    pub struct Crossed {
        /// Share of the amount.
        pub share: Text,
        /// Episode, from 1.
        pub episode: i32,
        /// While up: `booked_at` of what took spend below.
        pub below_since: Option<Timestamp>,
        /// The alert that is open; what takes it back repeats it.
        pub open: Option<Alert>,
    }
}

/// What to write of a budget to `budget.state`.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are upserts, a few a transaction")]
pub enum StateChange {
    /// Its newest state.
    Upsert(BudgetState),
    /// The budget is gone: what was written of it no longer holds.
    Gone {
        /// Tenant.
        tenant: Text,
        /// Budget.
        budget_id: Text,
    },
}

/// What a look at a period decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The state to keep.
    pub state: PeriodState,
    /// Alerts to send, in order.
    pub alerts: Vec<Alert>,
    /// Budget states to write.
    pub changes: Vec<StateChange>,
    /// When to look again although nothing comes, by the watermark.
    pub again_at: Option<Timestamp>,
}

/// The moment of a look.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Watermark of the stage. Decides which version of the budgets holds, and when alerts are taken back.
    pub watermark: Timestamp,
    /// Wall clock. Only stamped.
    pub now: Timestamp,
    /// Seconds for which spend must stay below a threshold.
    pub grace_seconds: i64,
}

impl PeriodState {
    /// Nothing spent yet.
    pub fn new(tenant: &Text, scope: Id128, period: BudgetPeriod, start: Timestamp) -> Self {
        PeriodState {
            tenant: tenant.clone(),
            scope,
            period,
            start,
            net: Money::ZERO,
            gross: Money::ZERO,
            requests: 0,
            booked_at: Timestamp::MIN,
            judged: Vec::new(),
        }
    }

    /// Adds a partial sum.
    ///
    /// # Errors
    /// When a sum leaves 38 digits.
    pub fn add(&mut self, partial: &BudgetPartial) -> Result<(), AmountError> {
        self.net.accrue(partial.net)?;
        self.gross.accrue(partial.gross)?;
        self.requests += partial.requests;
        self.booked_at = self.booked_at.max(partial.booked_at);
        Ok(())
    }

    /// When it is dropped, by the watermark, if it is held for this long after its end.
    pub fn expires_at(&self, retention_seconds: i64) -> Timestamp {
        // The calendar may be unknown here; no period is longer than this, clock changes included.
        let days_max = match self.period {
            BudgetPeriod::Day => 2,
            BudgetPeriod::Month => 32,
            BudgetPeriod::Quarter => 93,
            BudgetPeriod::Year => 367,
        };
        self.start.plus_seconds(days_max * 86_400).plus_seconds(retention_seconds)
    }
}

/// Judges a period by the budgets in force.
///
/// In force is the version that holds at the watermark, or at the end of the period once that is past: everything that
/// arrived before a version took effect has then been judged by the one before it, and an edit never alerts on a month
/// that is over. A scope no version knows is kept but judged by nobody.
pub fn settle(state: &PeriodState, versions: &Versions<Budgets>, moment: &Moment) -> Settled {
    let mut settled = Settled { state: state.clone(), alerts: Vec::new(), changes: Vec::new(), again_at: None };
    let Some(span) = span_of(state, versions) else { return settled };
    let judged_at = moment.watermark.min(Timestamp::from_micros(span.end.micros() - 1));
    let Some(version) = versions.at(judged_at) else { return settled };
    let since = counted_since(versions, state.scope, state.period, judged_at);
    let in_force: Vec<&Budget> =
        version.of_scope(state.scope).filter(|budget| applies(budget, state.period, &span)).collect();
    for budget in &in_force {
        let counts_from = since.max(budget.valid_from).filter(|from| *from > span.start);
        judge(&mut settled, budget, &span, counts_from, moment);
    }
    retire(&mut settled, version, &in_force, moment);
    settled
}

/// The period's span, by whichever version knows the scope: its calendar is part of its hash, so all of them agree.
fn span_of(state: &PeriodState, versions: &Versions<Budgets>) -> Option<Span> {
    let scope = versions.iter().find_map(|(_, version)| version.scope(state.scope))?;
    scope.calendar.period(state.period, state.start)
}

/// True when a budget bounds this period at all.
fn applies(budget: &Budget, period: BudgetPeriod, span: &Span) -> bool {
    budget.definition.amounts.contains_key(&period)
        && budget.valid_from.is_none_or(|from| from < span.end)
        && budget.valid_to.is_none_or(|to| to > span.start)
}

/// Judges one budget that is in force.
fn judge(settled: &mut Settled, budget: &Budget, span: &Span, counts_from: Option<Timestamp>, moment: &Moment) {
    let definition = &budget.definition;
    let state = &settled.state;
    let Some(&amount) = definition.amounts.get(&state.period) else { return };
    let limits = budget.limits(state.period);
    let mut judged = take(settled, budget, &limits);
    let state = &settled.state;
    for ((threshold, limit), crossed) in limits.iter().zip(&mut judged.crossings) {
        let facts = facts(state, Some(*limit), true, moment);
        let opened = |episode| alert(state, budget, span, counts_from, threshold, amount, episode, moment.now);
        let fired = apply(crossed, decide(crossing(crossed), &facts), state, opened, moment, &mut settled.again_at);
        settled.alerts.extend(fired);
    }
    let crossed = judged.crossings.iter().rev().find(|crossed| crossed.open.is_some());
    let blocks = |(index, crossed): (usize, &Crossed)| crossed.open.is_some() && limits[index].0.action == "block";
    let mut upsert = BudgetState {
        tenant: definition.tenant.clone(),
        budget_id: definition.id.clone(),
        name: definition.name.clone(),
        budget_revision: budget.revision.clone(),
        period: state.period,
        period_start: span.start,
        period_end: span.end,
        counts_from,
        amount,
        currency: definition.currency.clone(),
        spent: state.net,
        gross: state.gross,
        // Both are within 38 digits and an amount is positive, so only a spend of -10^26 could leave them.
        remaining: amount.checked_sub(state.net).unwrap_or(amount),
        requests: state.requests,
        blocked: judged.crossings.iter().enumerate().any(blocks),
        crossed: crossed.map(|crossed| crossed.share.clone()),
        revision: 0,
        emitted_at: Timestamp::default(),
        team: definition.named("team"),
        business_unit: definition.named("business_unit"),
        scope: Some(budget.stated_scope.clone()),
    };
    let mut bytes = Vec::with_capacity(256);
    upsert.put(&mut bytes);
    let written = hash_parts([bytes.as_slice()]);
    if written != judged.written {
        judged.written = written;
        judged.upserts += 1;
        upsert.revision = judged.upserts;
        upsert.emitted_at = moment.now;
        settled.changes.push(StateChange::Upsert(upsert));
    }
    settled.state.judged.push(judged);
}

/// Takes out what is remembered of a budget revision, or begins it, with one entry for each of its thresholds.
///
/// Upserts are counted on across revisions, because their key is the budget's.
fn take(settled: &mut Settled, budget: &Budget, limits: &[(&Threshold, Money)]) -> Judged {
    let list = &mut settled.state.judged;
    let mut upserts = 0;
    for other in list.iter_mut().filter(|other| other.budget_id == budget.definition.id) {
        upserts = upserts.max(other.upserts);
        if other.budget_revision != budget.revision {
            (other.upserts, other.written) = (0, Id128::default());
        }
    }
    let known = list
        .iter()
        .position(|other| other.budget_id == budget.definition.id && other.budget_revision == budget.revision);
    match known {
        Some(index) => Judged { upserts, ..list.remove(index) },
        None => Judged {
            budget_id: budget.definition.id.clone(),
            budget_revision: budget.revision.clone(),
            crossings: limits.iter().map(|(threshold, _)| armed(threshold)).collect(),
            upserts,
            written: Id128::default(),
        },
    }
}

fn armed(threshold: &Threshold) -> Crossed {
    let Crossing { episode, below_since, .. } = Crossing::ARMED;
    Crossed { share: Text::from(threshold.share.to_string()), episode, below_since, open: None }
}

/// Looks after revisions that no longer hold: what they opened comes down once spend is below the same share of the
/// budget as it is now, or at once when that is gone.
fn retire(settled: &mut Settled, version: &Budgets, in_force: &[&Budget], moment: &Moment) {
    let period = settled.state.period;
    let mut list = std::mem::take(&mut settled.state.judged);
    for judged in &mut list {
        let now = in_force.iter().find(|budget| budget.definition.id == judged.budget_id);
        if now.is_some_and(|budget| budget.revision == judged.budget_revision) {
            continue;
        }
        let limits = now.map(|budget| budget.limits(period)).unwrap_or_default();
        for crossed in judged.crossings.iter_mut().filter(|crossed| crossed.open.is_some()) {
            let same = limits.iter().find(|(threshold, _)| threshold.share.to_string() == crossed.share.as_str());
            let facts = facts(&settled.state, same.map(|(_, limit)| *limit), false, moment);
            let decision = decide(crossing(crossed), &facts);
            let fired = apply(crossed, decision, &settled.state, |_| None, moment, &mut settled.again_at);
            settled.alerts.extend(fired);
        }
        if now.is_none() && judged.written != Id128::default() {
            judged.written = Id128::default();
            // A budget whose scope was edited is written from now on by whoever keeps the new scope.
            if version.iter().any(|budget| budget.definition.id == judged.budget_id) {
                continue;
            }
            settled
                .changes
                .push(StateChange::Gone { tenant: settled.state.tenant.clone(), budget_id: judged.budget_id.clone() });
        }
    }
    settled.state.judged = list;
}

fn crossing(crossed: &Crossed) -> Crossing {
    Crossing { episode: crossed.episode, up: crossed.open.is_some(), below_since: crossed.below_since }
}

fn facts(state: &PeriodState, limit: Option<Money>, in_force: bool, moment: &Moment) -> Facts {
    Facts {
        limit,
        in_force,
        net: state.net,
        booked_at: state.booked_at,
        watermark: moment.watermark,
        grace_seconds: moment.grace_seconds,
    }
}

/// Carries a decision out on what is remembered; gives the alert to send.
fn apply(
    crossed: &mut Crossed,
    decision: Decision,
    state: &PeriodState,
    opened: impl FnOnce(i32) -> Option<Alert>,
    moment: &Moment,
    again_at: &mut Option<Timestamp>,
) -> Option<Alert> {
    crossed.episode = decision.crossing.episode;
    crossed.below_since = decision.crossing.below_since;
    if let Some(since) = crossed.below_since {
        // The watermark must have passed it, so a microsecond after is the first moment that can decide.
        let at = Timestamp::from_micros(since.plus_seconds(moment.grace_seconds).micros().saturating_add(1));
        *again_at = Some(again_at.map_or(at, |other| other.min(at)));
    }
    match decision.fire {
        None => None,
        Some((Direction::Up, episode)) => {
            crossed.open = opened(episode);
            crossed.open.clone()
        }
        Some((Direction::Down, _)) => crossed.open.take().map(|open| Alert {
            alert_id: alert_id(open.dedup_key, Direction::Down),
            direction: Direction::Down,
            spent: state.net,
            booked_at: state.booked_at,
            emitted_at: moment.now,
            ..open
        }),
    }
}

#[expect(clippy::too_many_arguments, reason = "an alert repeats everything a reader of it needs")]
fn alert(
    state: &PeriodState,
    budget: &Budget,
    span: &Span,
    counts_from: Option<Timestamp>,
    threshold: &Threshold,
    amount: Money,
    episode: i32,
    now: Timestamp,
) -> Option<Alert> {
    let definition = &budget.definition;
    let share = threshold.share.to_string();
    let dedup_key = hash_parts([
        b"alert".as_slice(),
        definition.tenant.as_bytes(),
        definition.id.as_bytes(),
        budget.revision.as_bytes(),
        state.period.as_str().as_bytes(),
        &span.start.micros().to_be_bytes(),
        share.as_bytes(),
        &episode.to_be_bytes(),
    ]);
    Some(Alert {
        alert_id: alert_id(dedup_key, Direction::Up),
        dedup_key,
        tenant: definition.tenant.clone(),
        budget_id: definition.id.clone(),
        name: definition.name.clone(),
        budget_revision: budget.revision.clone(),
        team: definition.named("team"),
        period: state.period,
        period_start: span.start,
        period_end: span.end,
        threshold: Text::from(share),
        episode,
        direction: Direction::Up,
        action: threshold.action.clone(),
        severity: threshold.severity.clone(),
        amount,
        spent: state.net,
        currency: definition.currency.clone(),
        booked_at: state.booked_at,
        counts_from,
        emitted_at: now,
    })
}

fn alert_id(dedup_key: Id128, direction: Direction) -> Id128 {
    hash_parts([b"alert".as_slice(), &dedup_key.0, direction.as_str().as_bytes()])
}
