//! What tests share: charges to feed in, and a driver that runs both stages in memory, one transaction at a time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use schemas::codec::Format;
use schemas::ids::hash_parts;
use schemas::topics::{ALERTS, BUDGET_STATE, CHARGES, PARTIALS, WINDOWS};
use schemas::wire::{Reader, Wire};
use schemas::{
    Alert, BudgetState, Charge, ChargeCategory, ChargeClass, Confidence, CostBasis, Costs, Dimensions, Granularity,
    Id128, IdentityKind, LedgerEntry, Meter, Metered, Money, Position, PriceContext, PricingStatus, Quantity,
    Timestamp, UsageEvent, Window, WindowKey, WindowStatus,
};
use stream::books::BatchWriter;
use stream::reference::Reference;
use stream::{Again, Books, Halt, OutRecord, Output, Processor, Record, Source, Stage, Tick};

use crate::budget::{Budgets, Definition};
use crate::window::WindowState;
use crate::{CombineStage, Config, MergeStage};

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// An original charge of a call of 1,000 input and 50 output tokens that arrived a second after it was made.
pub fn charge(id: u32, team: &str, amount: &str, event_time: &str) -> Charge {
    let event_time = at(event_time);
    let received_at = event_time.plus_seconds(1);
    let costs = |text: &str| Some(money(text));
    Charge {
        charge_id: hash_parts([id.to_be_bytes().as_slice()]),
        revision: 0,
        class: ChargeClass::Original,
        corrects: None,
        correction_reason: None,
        correction_id: None,
        booked_at: received_at,
        event: Box::new(UsageEvent {
            tenant: "acme".into(),
            call_key: format!("openai/resp_{id}").into(),
            identity: IdentityKind::ResponseId,
            weaker_keys: vec![],
            iteration: 0,
            dedup_key: Id128::default(),
            content_hash: Id128::default(),
            precedence: 10,
            amends: false,
            event_id: None,
            source: "gateway".into(),
            position: Position { topic: "usage.raw".into(), partition: 0, offset: i64::from(id), item: 0 },
            event_time,
            received_at,
            charge_period_start: None,
            charge_period_end: None,
            provider: "openai".into(),
            publisher: None,
            model: "gpt-5-mini".into(),
            requested_model: None,
            operation: "chat".into(),
            price_context: PriceContext::default(),
            usage: vec![
                Metered { meter: Meter::InputTextTokens, quantity: Quantity::from_units(1_000) },
                Metered { meter: Meter::OutputTextTokens, quantity: Quantity::from_units(50) },
            ],
            checked: "".into(),
            raw_usage: "{}".into(),
            raw_usage_hash: Id128::default(),
            extractor: "test".into(),
            extractor_version: 1,
            flags: vec![],
            key_id: None,
            resource: None,
            tags: vec![],
            claimed: Dimensions::default(),
            cost_basis: CostBasis::OnDemand,
            charge_category: ChargeCategory::Usage,
            reported_cost: None,
            stated_cost: None,
        }),
        requests: 1,
        status: PricingStatus::Priced,
        lines: vec![],
        unpriced: vec![],
        costs: Costs {
            currency: "USD".into(),
            list: costs(amount),
            contracted: costs(amount),
            effective: costs(amount),
            billed: None,
        },
        reporting: None,
        fx_rate_id: None,
        counterfactuals: vec![],
        sku: None,
        model_class: None,
        book_version: "b1".into(),
        owner: Dimensions { team: Some(team.into()), environment: Some("production".into()), ..Dimensions::default() },
        rule: None,
        confidence: Confidence::Exact,
        directory_version: "d1".into(),
        allocation: None,
        flags: vec![],
    }
}

/// What takes a charge back, as enrich writes it: money and requests negated, quantities as they were.
pub fn reversal(of: &Charge, booked_at: &str) -> Charge {
    let negated = |amount: Option<Money>| amount.map(Money::negated);
    let costs = Costs {
        currency: of.costs.currency.clone(),
        list: negated(of.costs.list),
        contracted: negated(of.costs.contracted),
        effective: negated(of.costs.effective),
        billed: None,
    };
    Charge {
        charge_id: hash_parts([b"reversal".as_slice(), &of.charge_id.0]),
        class: ChargeClass::Reversal,
        corrects: Some(of.charge_id),
        booked_at: at(booked_at),
        requests: -of.requests,
        costs,
        ..of.clone()
    }
}

/// A monthly budget of team `platform`: 100 USD, notify at 80 %, page at 100 %.
pub fn definition() -> Definition {
    serde_json::from_str(
        r#"{"id": "platform", "name": "Platform", "tenant": "acme", "scope": {"team": "platform"}, "currency": "USD",
            "amounts": {"month": "100"}, "thresholds": [
                {"share": "0.8", "period": "month", "action": "notify", "severity": "warning"},
                {"share": "1", "period": "month", "action": "block", "severity": "critical"}]}"#,
    )
    .unwrap()
}

pub fn budgets(definitions: Vec<Definition>) -> Arc<Reference<Budgets>> {
    Arc::new(Reference::single(Budgets::new("v1", definitions).unwrap()))
}

pub fn tick(now: Timestamp) -> Tick {
    Tick { now, caught_up: true, hurry: false, skips: Arc::new(vec![]) }
}

/// A processor whose state can be looked at.
pub trait Inspect: Processor {
    /// Every entry of its state, as its changelog would hold it.
    fn state(&self) -> BTreeMap<Bytes, Bytes>;
}

/// A stage that makes such processors.
pub trait Inspected: Stage {
    fn inspected(&self, source: &Source) -> Box<dyn Inspect>;
}

/// One stage on one source partition.
pub struct Lane {
    pub source: Source,
    processor: Box<dyn Inspect>,
    pub books: Books,
    pub changelog: Vec<(Bytes, Option<Bytes>)>,
    /// Whether somebody waits for what it holds back.
    pub hurry: bool,
    entry: Option<LedgerEntry>,
    offset: i64,
}

impl Lane {
    fn new(stage: &dyn Inspected, partition: u32, partitions: u32) -> Self {
        let targets = stage.outputs().into_iter().map(|topic| (topic, partitions)).collect::<HashMap<_, _>>();
        let source = Source {
            topic: stage.input().into(),
            partition,
            partitions,
            generation: 0,
            targets: Arc::new(targets),
            again: Again::default(),
        };
        Lane {
            processor: stage.inspected(&source),
            books: Books::new(stage.name(), source.clone()),
            source,
            changelog: vec![],
            hurry: false,
            entry: None,
            offset: 0,
        }
    }

    fn work(&mut self, payloads: &[Bytes], now: Timestamp) -> Result<Output, Halt> {
        let records: Vec<Record<'_>> = (self.offset..)
            .zip(payloads)
            .map(|(offset, payload)| Record {
                offset,
                timestamp: now,
                key: None,
                payload: Some(payload),
                headers: vec![],
            })
            .collect();
        let tick = Tick { hurry: self.hurry, ..tick(now) };
        if !records.is_empty() {
            self.books.advance(self.offset, self.offset + records.len() as i64);
            self.processor.process(&records, &tick, &mut self.books)?;
        }
        let mut out = Output::default();
        self.processor.finish(&tick, &mut self.books, &mut out)?;
        Ok(out)
    }

    /// A transaction that is committed.
    pub fn commit(&mut self, payloads: &[Bytes], now: Timestamp) -> Vec<OutRecord> {
        let out = self.work(payloads, now).unwrap();
        let entry = self.books.close(now);
        assert_eq!(stream::rules::check(crate::RULES, &entry), []);
        self.entry = Some(entry);
        self.changelog.extend(out.changes);
        self.offset += payloads.len() as i64;
        self.books.promote();
        self.processor.promote();
        out.records
    }

    /// Why a transaction cannot be closed; it is undone.
    fn stops(&mut self, payloads: &[Bytes], now: Timestamp) -> Halt {
        let Err(halt) = self.work(payloads, now) else { panic!("the transaction is closed") };
        self.books.undo();
        self.processor.undo();
        halt
    }

    /// The same transaction, aborted after everything was done.
    pub fn abort(&mut self, payloads: &[Bytes], now: Timestamp) {
        self.work(payloads, now).unwrap();
        self.books.close(now);
        self.books.undo();
        self.processor.undo();
    }

    /// When the first of what it holds back is to be written.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.processor.due_at()
    }

    /// Everything it holds, as the changelog of a fresh start would.
    pub fn state(&self) -> BTreeMap<Bytes, Bytes> {
        self.processor.state()
    }

    /// Money of the hours held.
    pub fn hour_money(&self) -> Vec<Money> {
        let windows = self.state().into_iter().filter(|(key, _)| key[0] == b'w').map(|(_, value)| {
            let mut value = Reader::new(&value[1..]);
            WindowKey::get(&mut value).unwrap();
            WindowState::get(&mut value).unwrap()
        });
        windows.filter(|window| window.granularity == Granularity::Hour).map(|window| window.sums.effective).collect()
    }

    /// The process dies; another takes over from the changelog.
    pub fn restart(&mut self, stage: &dyn Inspected) {
        let mut lane = Lane::new(stage, self.source.partition, self.source.partitions);
        for (key, value) in &self.changelog {
            lane.processor.restore(key, value.as_deref()).unwrap();
        }
        lane.processor.restored().unwrap();
        if let Some(entry) = self.entry.take() {
            lane.books.restore(entry.clone());
            lane.entry = Some(entry);
        }
        lane.offset = self.offset;
        lane.changelog = std::mem::take(&mut self.changelog);
        *self = lane;
    }
}

/// Everything that was written for others, as a reader of the compacted topics sees it.
#[derive(Debug, Default)]
pub struct Seen {
    pub windows: BTreeMap<String, Window>,
    pub window_writes: Vec<(WindowStatus, i64)>,
    pub states: BTreeMap<String, Option<BudgetState>>,
    pub alerts: Vec<Alert>,
}

impl Seen {
    fn take(&mut self, records: Vec<OutRecord>) {
        let (windows, states, alerts) = (Format::<Window>::new(), Format::<BudgetState>::new(), Format::<Alert>::new());
        for record in records {
            let key = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
            let payload = record.payload.as_deref();
            match &*record.topic {
                WINDOWS => {
                    let window = windows.decode(payload.unwrap()).unwrap();
                    self.window_writes.push((window.status, window.revision));
                    self.windows.insert(key, window);
                }
                BUDGET_STATE => {
                    self.states.insert(key, payload.map(|payload| states.decode(payload).unwrap()));
                }
                ALERTS => self.alerts.push(alerts.decode(payload.unwrap()).unwrap()),
                other => panic!("merge wrote to {other}"),
            }
        }
    }

    /// Alerts in short: `up 0.8 #1`.
    pub fn alerts(&self) -> Vec<String> {
        self.alerts.iter().map(|a| format!("{} {} #{}", a.direction, a.threshold, a.episode)).collect()
    }
}

/// Both stages, each with some partitions, fed by a source of charges.
pub struct Pipeline {
    combine_stage: CombineStage,
    merge_stage: MergeStage,
    charges: Vec<(Books, BatchWriter<Charge>)>,
    combine: Vec<Lane>,
    pub merge: Vec<Lane>,
    /// Charges and heartbeats on their way to each combine partition.
    sent: Vec<Vec<Bytes>>,
    /// Partials on their way to each merge partition.
    waiting: Vec<Vec<Bytes>>,
    pub seen: Seen,
    /// Clock of *merge*.
    pub now: Timestamp,
    /// Clock of what comes before it: it only decides when heartbeats are sent.
    beat: Timestamp,
}

impl Pipeline {
    pub fn new(config: Config, budgets: Arc<Reference<Budgets>>, partitions: u32) -> Self {
        let combine_stage = CombineStage::new(config.clone(), budgets.clone());
        let merge_stage = MergeStage::new(config, budgets);
        let enrich = |partition| {
            let source = Source {
                topic: "usage.events".into(),
                partition,
                partitions,
                generation: 0,
                targets: Arc::new(HashMap::from([(CHARGES.to_owned(), partitions)])),
                again: Again::default(),
            };
            (Books::new("enrich", source), BatchWriter::new(CHARGES, partitions))
        };
        Pipeline {
            charges: (0..partitions).map(enrich).collect(),
            combine: (0..partitions).map(|p| Lane::new(&combine_stage, p, partitions)).collect(),
            merge: (0..partitions).map(|p| Lane::new(&merge_stage, p, partitions)).collect(),
            sent: vec![vec![]; partitions as usize],
            waiting: vec![vec![]; partitions as usize],
            seen: Seen::default(),
            now: at("2026-11-22T12:00:00Z"),
            beat: Timestamp::default(),
            combine_stage,
            merge_stage,
        }
    }

    /// Sends charges through *combine* in one transaction of one of its partitions.
    pub fn charge(&mut self, partition: usize, charges: &[Charge]) {
        let payloads = self.encode(partition, charges);
        let out = self.combine[partition].commit(&payloads, self.beat);
        self.send(out);
    }

    /// As [`Pipeline::charge`], after the same transaction was aborted once.
    pub fn charge_after_crash(&mut self, partition: usize, charges: &[Charge]) {
        let payloads = self.encode(partition, charges);
        self.combine[partition].abort(&payloads, self.beat);
        self.combine[partition].restart(&self.combine_stage);
        let out = self.combine[partition].commit(&payloads, self.beat);
        self.send(out);
    }

    fn encode(&mut self, partition: usize, charges: &[Charge]) -> Vec<Bytes> {
        let (books, writer) = &mut self.charges[partition];
        for charge in charges {
            writer.push(partition as u32, charge).unwrap();
        }
        let mut out = Output::default();
        writer.finish(&tick(self.beat), books, &mut out).unwrap();
        books.close(self.beat);
        books.promote();
        for record in out.records {
            self.sent[record.partition as usize].extend(record.payload);
        }
        std::mem::take(&mut self.sent[partition])
    }

    fn send(&mut self, records: Vec<OutRecord>) {
        for record in records {
            assert_eq!(&*record.topic, PARTIALS);
            self.waiting[record.partition as usize].extend(record.payload);
        }
    }

    /// Why *combine* cannot take these charges.
    pub fn stops_combine(&mut self, charges: &[Charge]) -> Halt {
        let payloads = self.encode(0, charges);
        self.combine[0].stops(&payloads, self.beat)
    }

    /// Why *merge* cannot go on.
    pub fn stops_merge(&mut self) -> Halt {
        self.merge[0].stops(&[], self.now)
    }

    /// Runs *merge* on whatever waits.
    pub fn merge(&mut self) {
        for partition in 0..self.merge.len() {
            let payloads = std::mem::take(&mut self.waiting[partition]);
            let records = self.merge[partition].commit(&payloads, self.now);
            self.seen.take(records);
        }
    }

    /// As [`Pipeline::merge`], after the same transactions were aborted once.
    pub fn merge_after_crash(&mut self) {
        self.abort_merge();
        self.merge();
    }

    /// Runs *merge* on whatever waits and takes everything back.
    pub fn abort_merge(&mut self) {
        for partition in 0..self.merge.len() {
            let payloads = self.waiting[partition].clone();
            self.merge[partition].abort(&payloads, self.now);
        }
    }

    /// Every merge partition is taken over by another process.
    pub fn restart(&mut self) {
        for lane in &mut self.merge {
            lane.restart(&self.merge_stage);
        }
    }

    /// Moves the clock and every watermark.
    pub fn pass(&mut self, to: &str) {
        self.pass_with(to, &[]);
    }

    /// As [`Pipeline::pass`]; the batch that moves the watermark holds these charges.
    pub fn pass_with(&mut self, to: &str, charges: &[Charge]) {
        self.now = at(to);
        // Twice, so that every partition of combine has heard every source and passed it on.
        for last in [false, true] {
            self.beat = self.beat.plus_seconds(1);
            for partition in 0..self.charges.len() {
                self.charges[partition].0.set_watermark(self.now);
                self.charge(partition, if last && partition == 0 { charges } else { &[] });
            }
        }
        self.merge();
    }

    /// A named count over every merge partition.
    pub fn counted(&self, name: &str) -> i64 {
        self.merge.iter().chain(&self.combine).map(|lane| lane.books.counted(name)).sum()
    }
}
