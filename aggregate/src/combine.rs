//! Charges to partial sums: what one transaction adds to each key's hours and to each budget's periods.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use schemas::codec::Format;
use schemas::topics::{CHARGES, PARTIALS};
use schemas::{
    AmountError, Batch, BudgetPartial, BudgetPeriod, Charge, Granularity, Id128, Money, PartialItem, Timestamp,
    WindowPartial, ids,
};
use stream::reference::{Reference, ReferenceSink, Versions};
use stream::{BatchWriter, Books, Halt, Needs, Output, Processor, Record, Source, Stage, Tick};

use crate::budget::Budgets;
use crate::calendar::{self, Span};
use crate::spend::Spend;
use crate::{Config, fold, key};

/// `usage.charges` -> `spend.partials`.
#[derive(Debug)]
pub struct CombineStage {
    config: Config,
    budgets: Arc<Reference<Budgets>>,
}

impl CombineStage {
    /// The stage.
    pub fn new(config: Config, budgets: Arc<Reference<Budgets>>) -> Self {
        CombineStage { config, budgets }
    }
}

impl Stage for CombineStage {
    fn name(&self) -> &'static str {
        "combine"
    }

    fn input(&self) -> &str {
        CHARGES
    }

    fn needs(&self) -> Needs {
        Needs::Books
    }

    fn outputs(&self) -> Vec<String> {
        vec![PARTIALS.to_owned()]
    }

    fn sums(&self) -> bool {
        true
    }

    fn references(&self) -> Vec<Arc<dyn ReferenceSink>> {
        vec![self.budgets.clone()]
    }

    fn processor(&self, source: &Source) -> Box<dyn Processor> {
        Box::new(self.make(source))
    }
}

impl CombineStage {
    fn make(&self, source: &Source) -> Combine {
        Combine {
            config: self.config.clone(),
            budgets: self.budgets.clone(),
            format: Format::new(),
            writer: BatchWriter::new(PARTIALS, source.target_partitions(PARTIALS)),
            partials: Partials::default(),
        }
    }
}

#[cfg(test)]
impl crate::testing::Inspected for CombineStage {
    fn inspected(&self, source: &Source) -> Box<dyn crate::testing::Inspect> {
        Box::new(self.make(source))
    }
}

#[cfg(test)]
impl crate::testing::Inspect for Combine {
    fn state(&self) -> std::collections::BTreeMap<Bytes, Bytes> {
        std::collections::BTreeMap::new()
    }
}

struct Combine {
    config: Config,
    budgets: Arc<Reference<Budgets>>,
    format: Format<Batch<Charge>>,
    writer: BatchWriter<PartialItem>,
    partials: Partials,
}

impl Processor for Combine {
    fn restore(&mut self, key: &[u8], _value: Option<&[u8]>) -> Result<(), Halt> {
        Err(Halt::State(format!(
            "the changelog of combine holds an entry of {} bytes' key; combine keeps none",
            key.len()
        )))
    }

    fn process(&mut self, records: &[Record<'_>], tick: &Tick, books: &mut Books) -> Result<(), Halt> {
        let versions = self.budgets.versions();
        for record in records {
            let Some(mut batch) = books.open::<Spend>(&self.format, record, tick)? else { continue };
            while let Some(charge) = batch.next(books)? {
                self.partials.add(&charge, &versions, &self.config, books)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, tick: &Tick, books: &mut Books, out: &mut Output) -> Result<(), Halt> {
        let partitions = self.writer.partitions();
        for (hash, partial) in self.partials.take_windows() {
            books.count_money("partials.window", 1, &partial.key.currency.clone(), partial.sums.effective)?;
            books.count("late.hour", partial.late_hour);
            books.count("late.day", partial.late_day);
            books.count("late.month", partial.late_month);
            books.count("late.quarter", partial.late_quarter);
            self.writer.push(ids::partition(ids::slot(hash), partitions), &PartialItem::Window(partial))?;
        }
        for partial in self.partials.take_budgets() {
            books.count_money("partials.budget", 1, &partial.currency.clone(), partial.net)?;
            self.writer.push(ids::partition(ids::slot(partial.scope), partitions), &PartialItem::Budget(partial))?;
        }
        self.writer.finish(tick, books, out)
    }

    fn export(&self, _: &mut dyn FnMut(u32, Bytes, Bytes)) -> Result<(), Halt> {
        // All the state there is are the books.
        Ok(())
    }

    fn promote(&mut self) {}

    fn undo(&mut self) {
        self.partials.clear();
        self.writer.undo();
    }
}

/// Partial sums of the open transaction, in the order their keys first came.
#[derive(Debug, Default)]
struct Partials {
    windows: Vec<(Id128, WindowPartial)>,
    window_at: HashMap<(Id128, Timestamp), usize>,
    budgets: Vec<BudgetPartial>,
    budget_at: HashMap<(Id128, BudgetPeriod, Timestamp), usize>,
    /// The period each scope was last in: nearly every charge falls into the same. Outlives the transaction.
    spans: HashMap<(Id128, BudgetPeriod), Span>,
}

fn overflow(error: AmountError) -> Halt {
    Halt::State(format!("partial sums cannot be kept: {error}"))
}

fn off_calendar(at: Timestamp) -> Halt {
    Halt::State(format!("a charge at {at} is outside the calendar; ingest should have rejected its event"))
}

impl Partials {
    fn add(
        &mut self,
        charge: &Spend,
        versions: &Versions<Budgets>,
        config: &Config,
        books: &mut Books,
    ) -> Result<(), Halt> {
        if let Some(amount) = charge.costs.effective {
            books.count_money("charges", 1, &charge.costs.currency, amount)?;
        } else {
            books.count("charges", 1);
        }
        let sums = fold::sums(charge).map_err(overflow)?;
        if sums.unpriced_requests != 0 {
            books.count("unpriced", sums.unpriced_requests);
        }
        let costs = fold::summed(charge);
        if costs.currency != charge.costs.currency {
            books.count_money(
                "converted.from",
                1,
                &charge.costs.currency,
                charge.costs.effective.unwrap_or_default(),
            )?;
            books.count_money("converted.to", 1, &costs.currency, sums.effective)?;
        }
        self.add_window(charge, &sums, config)?;
        // A reversal carries the event it takes back, so judging by the event's arrival undoes exactly what was done.
        versions.check(charge.event.received_at)?;
        if let Some(budgets) = versions.at(charge.event.received_at) {
            self.add_budgets(charge, budgets, books)?;
        }
        Ok(())
    }

    fn add_window(&mut self, charge: &Spend, sums: &schemas::Sums, config: &Config) -> Result<(), Halt> {
        let event = &charge.event;
        let late = |granularity| {
            // Its window ends after it: nearly every call comes well before that, and needs no calendar.
            if event.received_at < event.event_time.plus_seconds(config.grace_seconds(granularity)) {
                return Ok(0);
            }
            let span = calendar::window(granularity, event.event_time).ok_or_else(|| off_calendar(event.event_time))?;
            let settled_at = span.end.plus_seconds(config.grace_seconds(granularity));
            Ok(i64::from(event.received_at >= settled_at))
        };
        let hour =
            calendar::window(Granularity::Hour, event.event_time).ok_or_else(|| off_calendar(event.event_time))?;
        let key = fold::window_key(charge);
        let hash = key::of_key(&key);
        let place = *self.window_at.entry((hash, hour.start)).or_insert_with(|| {
            let partial = WindowPartial {
                key,
                hour: hour.start,
                sums: schemas::Sums::default(),
                late_hour: 0,
                late_day: 0,
                late_month: 0,
                late_quarter: 0,
            };
            self.windows.push((hash, partial));
            self.windows.len() - 1
        });
        let partial = &mut self.windows[place].1;
        fold::accrue(&mut partial.sums, sums).map_err(overflow)?;
        partial.late_hour += late(Granularity::Hour)?;
        partial.late_day += late(Granularity::Day)?;
        partial.late_month += late(Granularity::Month)?;
        partial.late_quarter += late(Granularity::Quarter)?;
        Ok(())
    }

    fn add_budgets(&mut self, charge: &Spend, budgets: &Budgets, books: &mut Books) -> Result<(), Halt> {
        let at = charge.event.event_time;
        for scope in budgets.scopes_of(charge) {
            let Some(amount) = fold::effective_in(charge, &scope.currency) else {
                books.count("budget_currency_skipped", 1);
                continue;
            };
            for &period in &scope.periods {
                let cached = self.spans.get(&(scope.id, period)).copied().filter(|span| span.holds(at));
                let span = match cached {
                    Some(span) => span,
                    None => {
                        let span = scope.calendar.period(period, at).ok_or_else(|| off_calendar(at))?;
                        self.spans.insert((scope.id, period), span);
                        span
                    }
                };
                let place = *self.budget_at.entry((scope.id, period, span.start)).or_insert_with(|| {
                    self.budgets.push(BudgetPartial {
                        tenant: scope.tenant.clone(),
                        scope: scope.id,
                        period,
                        period_start: span.start,
                        net: Money::ZERO,
                        gross: Money::ZERO,
                        requests: 0,
                        booked_at: charge.booked_at,
                        currency: scope.currency.clone(),
                    });
                    self.budgets.len() - 1
                });
                let partial = &mut self.budgets[place];
                partial.net.accrue(amount).map_err(overflow)?;
                partial.gross.accrue(amount.max(Money::ZERO)).map_err(overflow)?;
                partial.requests += i64::from(charge.requests);
                partial.booked_at = partial.booked_at.max(charge.booked_at);
            }
        }
        Ok(())
    }

    fn take_windows(&mut self) -> Vec<(Id128, WindowPartial)> {
        self.window_at.clear();
        std::mem::take(&mut self.windows)
    }

    fn take_budgets(&mut self) -> Vec<BudgetPartial> {
        self.budget_at.clear();
        std::mem::take(&mut self.budgets)
    }

    fn clear(&mut self) {
        self.take_windows();
        self.take_budgets();
    }
}
