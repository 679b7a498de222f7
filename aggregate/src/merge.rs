//! Partial sums to windows, budget states and alerts.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use schemas::codec::Format;
use schemas::topics::{ALERTS, BUDGET_STATE, PARTIALS, WINDOWS};
use schemas::wire::{Reader, Wire, WireError};
use schemas::{
    Alert, AmountError, Batch, BudgetPartial, BudgetState, Direction, Granularity, Id128, PartialItem, Timestamp,
    Window, WindowKey, WindowPartial, ids,
};
use stream::reference::{Reference, ReferenceSink, Versions};
use stream::{Books, Halt, OutRecord, Output, Processor, Record, Source, Stage, Tick, TxMap};

use crate::agenda::Agenda;
use crate::budget::Budgets;
use crate::config::seconds;
use crate::period::{Moment, PeriodState, StateChange, settle};
use crate::window::{HeldKey, HeldWindow, OpenWindows, WindowState};
use crate::{Config, calendar, key};

/// Windows written in one transaction at most; the rest follows in the next. Keeps the end of a month from being one
/// transaction of a million records.
const UPSERTS_MAX: usize = 20_000;

/// Format of the values in the changelog. A newer one is refused.
const STATE_FORMAT: u8 = 1;

/// First byte of a changelog key: a window.
const WINDOW: u8 = b'w';
/// First byte of a changelog key: a budget period.
const PERIOD: u8 = b'p';

/// `spend.partials` -> `spend.windows`, `budget.state`, `spend.alerts`.
#[derive(Debug)]
pub struct MergeStage {
    config: Config,
    budgets: Arc<Reference<Budgets>>,
}

impl MergeStage {
    /// The stage.
    pub fn new(config: Config, budgets: Arc<Reference<Budgets>>) -> Self {
        MergeStage { config, budgets }
    }
}

impl Stage for MergeStage {
    fn name(&self) -> &'static str {
        "merge"
    }

    fn input(&self) -> &str {
        PARTIALS
    }

    fn outputs(&self) -> Vec<String> {
        [WINDOWS, BUDGET_STATE, ALERTS].map(str::to_owned).to_vec()
    }

    fn sums(&self) -> bool {
        true
    }

    fn references(&self) -> Vec<Arc<dyn ReferenceSink>> {
        vec![self.budgets.clone()]
    }

    fn processor(&self, source: &Source) -> Box<dyn Processor> {
        Box::new(Merge::new(self.config.clone(), self.budgets.clone(), source))
    }
}

#[cfg(test)]
impl crate::testing::Inspected for MergeStage {
    fn inspected(&self, source: &Source) -> Box<dyn crate::testing::Inspect> {
        Box::new(Merge::new(self.config.clone(), self.budgets.clone(), source))
    }
}

#[cfg(test)]
impl crate::testing::Inspect for Merge {
    fn state(&self) -> std::collections::BTreeMap<Bytes, Bytes> {
        let mut state = std::collections::BTreeMap::new();
        self.export(&mut |_, key, value| drop(state.insert(key, value))).expect("all of it is in memory");
        state
    }
}

struct Merge {
    config: Config,
    budgets: Arc<Reference<Budgets>>,
    formats: Formats,
    windows: TxMap<Id128, HeldWindow>,
    open: OpenWindows,
    periods: TxMap<Id128, PeriodState>,
    /// Keys of windows, so that a key's windows share one.
    keys: HashMap<Id128, Arc<HeldKey>>,
    /// Windows that become final or expire, by the watermark.
    settling: Agenda,
    /// Windows that changed, by the wall clock.
    writing: Agenda,
    /// Budget periods to look at again, by the watermark.
    recovering: Agenda,
    /// Version of the budgets that every period was last judged by: (versions known, the one in force).
    judged_by: Option<(usize, usize)>,
    judged_by_before: Option<(usize, usize)>,
    /// When the next budget period begins, by the watermark; earlier than everything when that is not known.
    opens_at: Timestamp,
    /// Windows dropped since keys were last looked through.
    dropped: usize,
    source: Source,
}

struct Formats {
    partials: Format<Batch<PartialItem>>,
    windows: Target<Window>,
    states: Target<BudgetState>,
    alerts: Target<Alert>,
}

/// A topic with one record per item.
struct Target<T> {
    topic: Arc<str>,
    partitions: u32,
    format: Format<T>,
}

impl<T: Wire> Target<T> {
    fn new(topic: &str, source: &Source) -> Self {
        Target { topic: topic.into(), partitions: source.target_partitions(topic), format: Format::new() }
    }

    fn record(&self, hash: Id128, key: String, item: Option<&T>) -> OutRecord {
        OutRecord {
            topic: self.topic.clone(),
            partition: ids::partition(ids::slot(hash), self.partitions),
            key: Some(Bytes::from(key)),
            payload: item.map(|item| Bytes::from(self.format.encode(item))),
            headers: Vec::new(),
            timestamp: None,
        }
    }
}

fn broken(error: String) -> Halt {
    Halt::State(format!("the changelog of merge cannot be read: {error}"))
}

fn overflow(error: AmountError) -> Halt {
    Halt::State(format!("sums cannot be kept: {error}"))
}

impl Merge {
    fn new(config: Config, budgets: Arc<Reference<Budgets>>, source: &Source) -> Self {
        let formats = Formats {
            partials: Format::new(),
            windows: Target::new(WINDOWS, source),
            states: Target::new(BUDGET_STATE, source),
            alerts: Target::new(ALERTS, source),
        };
        Merge {
            config,
            budgets,
            formats,
            windows: TxMap::default(),
            open: OpenWindows::default(),
            periods: TxMap::default(),
            keys: HashMap::new(),
            settling: Agenda::default(),
            writing: Agenda::default(),
            recovering: Agenda::default(),
            judged_by: None,
            judged_by_before: None,
            opens_at: Timestamp::MIN,
            dropped: 0,
            source: source.clone(),
        }
    }

    fn add_window(&mut self, partial: WindowPartial, watermark: Timestamp, books: &mut Books) -> Result<(), Halt> {
        let hash = key::of_key(&partial.key);
        let shared = self.keys.entry(hash).or_insert_with(|| Arc::new(HeldKey::new(&partial.key))).clone();
        let currency = &partial.key.currency;
        for &granularity in Granularity::ALL {
            let late = match granularity {
                Granularity::Hour => partial.late_hour,
                Granularity::Day => partial.late_day,
                Granularity::Month => partial.late_month,
                Granularity::Quarter => partial.late_quarter,
            };
            let span = calendar::window(granularity, partial.hour)
                .ok_or_else(|| Halt::State(format!("an hour at {} is outside the calendar", partial.hour)))?;
            let fresh = WindowState::new(granularity, span);
            if fresh.expires_at(&self.config) <= watermark {
                books.count_money(expired(granularity), 1, currency, partial.sums.effective)?;
                continue;
            }
            let id = key::of_window(hash, granularity, span.start);
            let window = self.open.open(&mut self.windows, id, &shared, fresh);
            // Whatever is unsettled or changed is on an agenda already.
            if !window.dirty {
                self.writing.note(window.writable_at(&self.config), id);
                if !window.settled {
                    self.settling.note(window.settles_at(&self.config), id);
                }
            }
            let before = window.sums.effective;
            window.add(&partial.sums, late).map_err(overflow)?;
            if granularity == Granularity::Hour {
                let moved = window.sums.effective.checked_sub(before).map_err(overflow)?;
                books.count_money("window_money", 1, currency, moved)?;
                books.count("late", late);
            }
        }
        Ok(())
    }

    fn add_budget(&mut self, partial: &BudgetPartial, watermark: Timestamp, books: &mut Books) -> Result<(), Halt> {
        let fresh = PeriodState::new(&partial.tenant, partial.scope, partial.period, partial.period_start);
        if fresh.expires_at(seconds(self.config.retention)) <= watermark {
            return books.count_money("expired.budget", 1, &partial.currency, partial.net);
        }
        let id = key::of_period(partial.scope, partial.period, partial.period_start);
        if self.periods.get(&id).is_none() {
            self.recovering.note(fresh.expires_at(seconds(self.config.retention)), id);
        }
        self.periods.entry(&id, || fresh).add(partial).map_err(overflow)
    }

    /// Writes windows that became final or changed, and drops those that expired.
    fn write_windows(
        &mut self,
        watermark: Timestamp,
        tick: &Tick,
        books: &mut Books,
        out: &mut Output,
    ) -> Result<(), Halt> {
        // Nobody's hurry makes a window final: that is the watermark's.
        let by = if tick.hurry { Timestamp::MAX } else { tick.now };
        let mut room = UPSERTS_MAX;
        while room > 0 {
            let Some(id) = self.settling.take(watermark).or_else(|| self.writing.take(by)) else { break };
            let Some(held) = self.windows.get(&id) else { continue };
            let (key, mut window) = (held.key.clone(), held.state());
            let (settles_at, expires_at) = (window.settles_at(&self.config), window.expires_at(&self.config));
            match window.due(&self.config, watermark, by) {
                Some(status) => {
                    let name = key::window_record(key.hash, window.granularity, window.start);
                    let written = window.write(key.key(), status, watermark, tick.now);
                    self.windows.insert(id, HeldWindow::new(key.clone(), &window));
                    out.records.push(self.formats.windows.record(key.hash, name, Some(&written)));
                    books.count("windows.upserted", 1);
                    room -= 1;
                }
                None if window.dirty => self.writing.note(window.writable_at(&self.config), id),
                None => {}
            }
            if watermark < settles_at {
                self.settling.note(settles_at, id);
            } else if watermark < expires_at || window.dirty {
                self.settling.note(expires_at.max(Timestamp::from_micros(watermark.micros().saturating_add(1))), id);
            } else {
                if window.granularity == Granularity::Hour {
                    books.count_money("windows.dropped", 1, &key.key().currency, window.sums.effective)?;
                }
                self.windows.remove(&id);
                self.dropped += 1;
            }
        }
        Ok(())
    }
}

impl Merge {
    /// Judges every budget period that changed, that waits for recovery, or that another version now holds for.
    fn judge_budgets(&mut self, watermark: Timestamp, now: Timestamp, books: &mut Books, out: &mut Output) {
        let versions = self.budgets.versions();
        let in_force = in_force(&versions, watermark);
        if self.judged_by != Some(in_force) || watermark >= self.opens_at {
            self.open_periods(&versions, watermark);
        }
        let mut ids: Vec<Id128> = if self.judged_by == Some(in_force) {
            self.periods.changed().map(|(id, _)| *id).collect()
        } else {
            self.periods.iter().map(|(id, _)| *id).collect()
        };
        self.judged_by = Some(in_force);
        while let Some(id) = self.recovering.take(watermark) {
            ids.push(id);
        }
        ids.sort_unstable();
        ids.dedup();
        let moment = Moment { watermark, now, grace_seconds: seconds(self.config.recovery_grace) };
        for id in ids {
            let Some(state) = self.periods.get(&id) else { continue };
            if state.expires_at(seconds(self.config.retention)) <= watermark {
                self.periods.remove(&id);
                continue;
            }
            let settled = settle(state, &versions, &moment);
            let (period, start) = (state.period, state.start);
            if settled.state != *state {
                self.periods.insert(id, settled.state);
            }
            if let Some(at) = settled.again_at {
                self.recovering.note(at.max(Timestamp::from_micros(watermark.micros().saturating_add(1))), id);
            }
            for change in settled.changes {
                let (tenant, budget, state) = match &change {
                    StateChange::Upsert(state) => (&state.tenant, &state.budget_id, Some(state)),
                    StateChange::Gone { tenant, budget_id } => (tenant, budget_id, None),
                };
                let name = key::state_record(tenant, budget, period, start);
                out.records.push(self.formats.states.record(key::of_budget(tenant, budget), name, state));
                books.count("budgets.upserted", 1);
            }
            for alert in settled.alerts {
                let hash = key::of_budget(&alert.tenant, &alert.budget_id);
                out.records.push(self.formats.alerts.record(hash, alert.budget_id.to_string(), Some(&alert)));
                let name = match alert.direction {
                    Direction::Up => "alerts.up",
                    Direction::Down => "alerts.down",
                };
                books.count(name, 1);
            }
        }
    }

    /// Begins the periods that hold the watermark for every budget kept here, so that a budget nobody spent from yet is
    /// seen as well, and what was adopted is judged at once.
    fn open_periods(&mut self, versions: &Versions<Budgets>, watermark: Timestamp) {
        let Some(version) = versions.at(watermark) else { return };
        self.opens_at = Timestamp::MAX;
        for scope in version.all_scopes() {
            if ids::partition(ids::slot(scope.id), self.source.partitions) != self.source.partition {
                continue;
            }
            for &period in &scope.periods {
                // None before the first watermark: then nothing is open yet.
                let Some(span) = scope.calendar.period(period, watermark) else {
                    self.opens_at = Timestamp::MIN;
                    return;
                };
                self.opens_at = self.opens_at.min(span.end);
                let id = key::of_period(scope.id, period, span.start);
                let fresh = || PeriodState::new(&scope.tenant, scope.id, period, span.start);
                if self.periods.get(&id).is_none() {
                    self.recovering.note(fresh().expires_at(seconds(self.config.retention)), id);
                    self.periods.insert(id, fresh());
                }
            }
        }
    }

    /// Takes a window from the changelog as it is.
    fn hold(&mut self, id: Id128, bytes: &[u8]) -> Result<(), WireError> {
        // Most entries replace another and repeat its key: then it need not be decoded.
        if let Some(held) = self.windows.restored(&id)
            && bytes.starts_with(held.key.encoded())
        {
            let key = held.key.encoded().len();
            held.replace(&bytes[key..]);
            return Ok(());
        }
        let mut from = Reader::new(bytes);
        let key = WindowKey::get(&mut from)?;
        let shared = self.keys.entry(key::of_key(&key)).or_insert_with(|| Arc::new(HeldKey::new(&key)));
        let held = HeldWindow::unchecked(shared.clone(), &bytes[from.position()..]);
        self.windows.restore(id, Some(held));
        Ok(())
    }

    /// One entry for every key that changed.
    fn write_changes(&self, out: &mut Output) {
        let windows = self
            .windows
            .changed()
            .map(|(id, window)| (changelog_key(WINDOW, *id), window.map(|window| encode(&window.parts()))));
        let periods =
            self.periods.changed().map(|(id, period)| (changelog_key(PERIOD, *id), period.map(encode_period)));
        out.changes.extend(windows.chain(periods));
    }
}

/// How many versions are known, and how many of them are in force.
fn in_force(versions: &Versions<Budgets>, watermark: Timestamp) -> (usize, usize) {
    (versions.iter().count(), versions.iter().filter(|(effective_at, _)| *effective_at <= watermark).count())
}

/// Name of the count of what came for windows that were dropped.
const fn expired(granularity: Granularity) -> &'static str {
    match granularity {
        Granularity::Hour => "expired.hour",
        Granularity::Day => "expired.day",
        Granularity::Month => "expired.month",
        Granularity::Quarter => "expired.quarter",
    }
}

fn changelog_key(kind: u8, id: Id128) -> Bytes {
    let mut key = Vec::with_capacity(17);
    key.push(kind);
    key.extend_from_slice(&id.0);
    Bytes::from(key)
}

fn encode(parts: &[&[u8]]) -> Bytes {
    let mut bytes = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    bytes.push(STATE_FORMAT);
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    Bytes::from(bytes)
}

fn encode_period(period: &PeriodState) -> Bytes {
    let mut bytes = Vec::with_capacity(320);
    period.put(&mut bytes);
    encode(&[&bytes])
}

/// What stands behind the format of an entry.
fn decode<T>(value: &[u8], read: impl FnOnce(&[u8]) -> Result<T, WireError>) -> Result<T, String> {
    let Some((&STATE_FORMAT, rest)) = value.split_first() else {
        let found = value.first().map_or("none".to_owned(), u8::to_string);
        return Err(format!("its format is {found}, this release reads {STATE_FORMAT}; upgrade this service"));
    };
    read(rest).map_err(|error| error.to_string())
}

fn read_period(bytes: &[u8]) -> Result<PeriodState, WireError> {
    let mut from = Reader::new(bytes);
    let period = PeriodState::get(&mut from)?;
    from.finish()?;
    Ok(period)
}

impl Processor for Merge {
    fn restore(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Halt> {
        let id = key.split_first().and_then(|(kind, id)| Some((*kind, Id128(id.try_into().ok()?))));
        match id {
            Some((WINDOW, id)) => match value {
                Some(value) => decode(value, |bytes| self.hold(id, bytes)).map_err(broken)?,
                None => self.windows.restore(id, None),
            },
            Some((PERIOD, id)) => {
                let period = value.map(|value| decode(value, read_period)).transpose().map_err(broken)?;
                if let Some(period) = &period {
                    self.recovering.note(period.expires_at(seconds(self.config.retention)), id);
                }
                self.periods.restore(id, period);
            }
            _ => return Err(broken(format!("a key of {} bytes is none of ours", key.len()))),
        }
        Ok(())
    }

    fn restored(&mut self) -> Result<(), Halt> {
        for (id, held) in self.windows.iter() {
            let window = held.check().map_err(|error| broken(format!("window {id}: {error}")))?;
            let due = if window.settled { window.expires_at(&self.config) } else { window.settles_at(&self.config) };
            self.settling.note(due, *id);
            if window.dirty {
                self.writing.note(window.writable_at(&self.config), *id);
            }
        }
        self.promote();
        Ok(())
    }

    fn process(&mut self, records: &[Record<'_>], tick: &Tick, books: &mut Books) -> Result<(), Halt> {
        for record in records {
            // A batch's watermark speaks of what follows it: judged by their own, the last of a long history would be too old.
            let watermark = books.watermark();
            let Some(mut batch) = books.open::<PartialItem>(&self.formats.partials, record, tick)? else { continue };
            while let Some(item) = batch.next(books)? {
                match item {
                    PartialItem::Window(partial) => {
                        books.count_money("partials", 1, &partial.key.currency.clone(), partial.sums.effective)?;
                        self.add_window(partial, watermark, books)?;
                    }
                    PartialItem::Budget(partial) => {
                        books.count("partials", 1);
                        self.add_budget(&partial, watermark, books)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, tick: &Tick, books: &mut Books, out: &mut Output) -> Result<(), Halt> {
        let watermark = books.watermark();
        self.budgets.versions().check(watermark)?;
        self.open.hold(&mut self.windows);
        self.write_windows(watermark, tick, books, out)?;
        self.judge_budgets(watermark, tick.now, books, out);
        self.write_changes(out);
        Ok(())
    }

    fn due_at(&self) -> Option<Timestamp> {
        self.writing.first_at()
    }

    fn export(&self, entry: &mut dyn FnMut(u32, Bytes, Bytes)) -> Result<(), Halt> {
        for (id, window) in self.windows.iter() {
            entry(ids::slot(window.key.hash), changelog_key(WINDOW, *id), encode(&window.parts()));
        }
        for (id, period) in self.periods.iter() {
            entry(ids::slot(period.scope), changelog_key(PERIOD, *id), encode_period(period));
        }
        Ok(())
    }

    fn promote(&mut self) {
        self.windows.promote();
        self.periods.promote();
        for agenda in [&mut self.settling, &mut self.writing, &mut self.recovering] {
            agenda.promote();
        }
        self.judged_by_before = self.judged_by;
        if self.dropped > self.keys.len() {
            self.keys.retain(|_, key| Arc::strong_count(key) > 1);
            self.dropped = 0;
        }
    }

    fn undo(&mut self) {
        self.open.undo();
        self.windows.undo();
        self.periods.undo();
        for agenda in [&mut self.settling, &mut self.writing, &mut self.recovering] {
            agenda.undo();
        }
        self.judged_by = self.judged_by_before;
        self.opens_at = Timestamp::MIN;
    }

    fn state_bytes(&self) -> usize {
        // A map has an eighth of spare room at least, and a byte for each entry. Encoded, a window takes about 96 bytes and a
        // key about as many; two counts go with a shared key.
        let windows = self.windows.capacity() * (size_of::<(Id128, HeldWindow)>() + 1) + self.windows.len() * 96;
        let keys = self.keys.capacity() * (size_of::<(Id128, Arc<HeldKey>)>() + 1)
            + self.keys.len() * (size_of::<HeldKey>() + 16 + 96);
        let periods = self.periods.len() * (size_of::<(Id128, PeriodState)>() + 1_024);
        let hints = self.settling.bytes() + self.writing.bytes() + self.recovering.bytes();
        (windows + keys + periods) * 8 / 7 + hints
    }
}

#[cfg(test)]
mod tests;
