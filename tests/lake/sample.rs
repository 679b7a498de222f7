//! Records for every table, as the stages write them, and what the lake should hold after them: reckoned from what went
//! into the records, not from what the sink makes of them.

use std::collections::BTreeMap;

use schemas::codec::Format;
use schemas::ids::hash_parts;
use schemas::{
    Alert, Batch, BatchItem, BudgetPeriod, BudgetState, Carries, Charge, Count, CurrencySum, Dimensions, Direction,
    Fact, FactKind, Granularity, LedgerEntry, Lineage, Money, Position, Quantity, RejectReason, Rejection, Sent, Sums,
    Tag, Timestamp, Window, WindowKey, WindowStatus, fixture, topics,
};
use sink::read::{Cells, Days};
use sink::{Lake, LakeConfig, LakeReader, TABLES};
use stream::Record;

/// 2026-01-05T12:00:00Z: long enough ago that its days are settled.
pub const NOW: Timestamp = Timestamp::from_micros(1_767_614_400_000_000);

/// Records of a partition, with their offsets.
pub type Partition = Vec<(i64, Vec<u8>)>;

/// What a lake holds, every row as a line of text; of windows and budgets, the newest of each key.
#[derive(Debug, Default, PartialEq)]
pub struct Held {
    pub rows: BTreeMap<&'static str, Vec<String>>,
    pub windows: Vec<Window>,
    pub budgets: Vec<BudgetState>,
    /// Highest transaction of the only stage that has books.
    pub ledger: Option<i64>,
}

/// Records by topic and partition, and what they come to.
pub struct Sample {
    pub topics: BTreeMap<&'static str, BTreeMap<u32, Partition>>,
    pub held: Held,
}

/// Charge of a number: each differs in id, day, team and cost, and every seventh takes something back.
pub fn charge(number: u64) -> Charge {
    let mut charge = fixture::everyday_charge(number);
    let sign = if number % 7 == 3 { -1 } else { 1 };
    let cost = Money::from_picos(i128::from(number + 1) * 1_234_567_890_123 * sign);
    (charge.costs.list, charge.costs.contracted, charge.costs.effective) = (cost, cost, cost);
    charge.requests = sign as i32;
    charge.booked_at = NOW;
    charge.event.received_at = NOW;
    charge.event.event_time = NOW.plus_seconds(-86_400 * (number % 2) as i64 - number as i64 % 3_600);
    charge
}

impl Sample {
    /// A few records of every topic.
    pub fn new() -> Self {
        Self::of(2, 3, 2)
    }

    /// Charges in so many partitions, batches of each, and items of each batch; a few records of every other topic.
    pub fn of(partitions: u32, batches: u64, items: u64) -> Self {
        let mut sample = Sample { topics: BTreeMap::new(), held: Held::default() };
        let mut number = 0;
        for partition in 0..partitions {
            let charges = (0..batches).map(|_| {
                number += items;
                (number - items..number).map(charge).collect()
            });
            let charges: Vec<Vec<Charge>> = charges.collect();
            for (offset, batch) in (5..).step_by(3).zip(&charges) {
                for (item, charge) in batch.iter().enumerate() {
                    let cost = charge.costs.effective.map(Money::picos);
                    sample.expect("charges", format!("{partition}/{offset}/{item} {} {cost:?}", charge.charge_id));
                }
                sample.expect("batches", format!("{partition}/{offset}/0 {}", batch.len()));
            }
            sample.batches(topics::CHARGES, partition, charges);
        }
        let facts: Vec<Vec<Fact>> = (0..2).map(|batch| (0..2).map(|n| fact(batch * 2 + n)).collect()).collect();
        for (offset, batch) in (5..).step_by(3).zip(&facts) {
            for (item, fact) in batch.iter().enumerate() {
                sample.expect("facts", format!("0/{offset}/{item} {} {}", fact.fact_id, fact.quantity));
            }
        }
        sample.batches(topics::FACTS, 0, facts);
        let rejects: Vec<Vec<Rejection>> = (0..2).map(|batch| vec![rejection(batch)]).collect();
        for (offset, batch) in (5..).step_by(3).zip(&rejects) {
            sample.expect("rejected", format!("0/{offset}/0 {} malformed", batch[0].payload_hash));
        }
        sample.batches(topics::REJECTED, 0, rejects);
        let alerts: Vec<Alert> = (0..3).map(alert).collect();
        for (offset, alert) in (0..).zip(&alerts) {
            sample.expect("alerts", format!("0/{offset}/0 {} {}", alert.alert_id, alert.spent.picos()));
        }
        sample.singles(topics::ALERTS, &alerts);
        // Two revisions of each key before the first flush, and more after it.
        let windows: Vec<Window> = (0..4).flat_map(|revision| ["a", "b"].map(|team| window(team, revision))).collect();
        sample.held.windows = windows[6..].to_vec();
        sample.singles(topics::WINDOWS, &windows);
        let budgets: Vec<BudgetState> = (0..4).flat_map(|revision| ["a", "b"].map(|id| budget(id, revision))).collect();
        sample.held.budgets = budgets[6..].to_vec();
        sample.singles(topics::BUDGET_STATE, &budgets);
        let ledger: Vec<LedgerEntry> = (1..4).map(ledger_entry).collect();
        sample.held.ledger = Some(3);
        sample.singles(topics::LEDGER, &ledger);
        sample.held.rows.values_mut().for_each(|rows| rows.sort());
        sample
    }

    /// The first records of every partition, with no word on what they come to.
    pub fn first(&self, records: usize) -> Self {
        let topics = self.topics.iter().map(|(topic, partitions)| {
            let cut = |all: &Partition| all.iter().take(records).cloned().collect();
            (*topic, partitions.iter().map(|(partition, all)| (*partition, cut(all))).collect())
        });
        Sample { topics: topics.collect(), held: Held::default() }
    }

    fn expect(&mut self, table: &'static str, row: String) {
        self.held.rows.entry(table).or_default().push(row);
    }

    /// Offsets have holes, as transaction markers leave them.
    fn batches<T: BatchItem>(&mut self, topic: &'static str, partition: u32, batches: Vec<Vec<T>>) {
        let format = Format::<Batch<T>>::new();
        let (mut items_total, mut money_total) = (0, Vec::<CurrencySum>::new());
        let records = (5..).step_by(3).zip(batches).enumerate().map(|(sequence, (offset, items))| {
            items_total += items.len() as i64;
            for (currency, amount) in items.iter().filter_map(Carries::money) {
                stream::books::add_money(&mut money_total, currency, amount).expect("a small sum");
            }
            let (sequence, money_total) = (sequence as i64, money_total.clone());
            let (from, to) = (sequence * 10, sequence * 10 + 10);
            let lineage =
                Lineage { sequence, source_from: from, source_to: to, items_total, money_total, ..fixture::lineage() };
            (offset, format.encode(&Batch { lineage, items }))
        });
        self.topics.entry(topic).or_default().insert(partition, records.collect());
    }

    fn singles<T: schemas::wire::Wire>(&mut self, topic: &'static str, items: &[T]) {
        let format = Format::<T>::new();
        let records = (0..).zip(items).map(|(offset, item)| (offset, format.encode(item)));
        self.topics.entry(topic).or_default().insert(0, records.collect());
    }
}

fn position(offset: i64) -> Position {
    Position { topic: topics::RAW.into(), partition: 0, offset, item: 0 }
}

fn fact(number: i64) -> Fact {
    Fact {
        tenant: "acme".into(),
        fact_id: hash_parts([b"fact".as_slice(), &number.to_be_bytes()]),
        kind: FactKind::ValueUnits,
        workload: "support".into(),
        name: "resolutions".into(),
        quantity: Quantity::from_units(number + 1),
        unit: None,
        value: Money::from_picos(5_000_000_000_000),
        currency: Some("USD".into()),
        call_key: None,
        event_time: NOW,
        received_at: NOW,
        source: "crm".into(),
        position: position(number),
        claimed: Dimensions { team: Some("support".into()), ..Dimensions::default() },
        tags: vec![Tag { key: "queue".into(), value: "billing".into() }],
    }
}

fn rejection(number: i64) -> Rejection {
    Rejection {
        tenant: "acme".into(),
        position: position(number),
        reason: RejectReason::Malformed,
        field: "".into(),
        message: "not JSON".into(),
        recognised_as: "".into(),
        payload_hash: hash_parts([b"junk".as_slice(), &number.to_be_bytes()]),
        payload_bytes: 4,
        skeleton: "{}".into(),
        received_at: NOW,
    }
}

fn alert(number: u8) -> Alert {
    Alert {
        alert_id: schemas::Id128([number; 16]),
        dedup_key: schemas::Id128([number; 16]),
        tenant: "acme".into(),
        budget_id: "growth".into(),
        name: "Growth".into(),
        budget_revision: "r1".into(),
        team: Some("growth".into()),
        period: BudgetPeriod::Month,
        period_start: NOW.plus_seconds(-86_400),
        period_end: NOW.plus_seconds(86_400),
        threshold: "0.5".into(),
        episode: 1,
        direction: Direction::Up,
        action: "notify".into(),
        severity: "warning".into(),
        amount: Money::from_units(1_000),
        spent: Money::from_units(500 + i64::from(number)),
        currency: "USD".into(),
        booked_at: NOW,
        counts_from: None,
        emitted_at: NOW,
    }
}

fn window(team: &str, revision: i64) -> Window {
    let key = WindowKey {
        tenant: "acme".into(),
        team: Some(team.into()),
        project: None,
        environment: None,
        provider: "openai".into(),
        model: "gpt-5".into(),
        use_case: None,
        currency: "USD".into(),
    };
    Window {
        key,
        granularity: Granularity::Hour,
        start: NOW,
        end: NOW.plus_seconds(3600),
        revision,
        status: WindowStatus::Provisional,
        sums: Sums { effective: Money::from_units(revision), requests: revision, ..Sums::default() },
        late: 0,
        watermark: NOW,
        emitted_at: NOW,
    }
}

fn budget(id: &str, revision: i64) -> BudgetState {
    BudgetState {
        tenant: "acme".into(),
        budget_id: id.into(),
        name: "Growth".into(),
        budget_revision: "r1".into(),
        period: BudgetPeriod::Month,
        period_start: NOW.plus_seconds(-86_400),
        period_end: NOW.plus_seconds(86_400),
        counts_from: None,
        amount: Money::from_units(1_000),
        currency: "USD".into(),
        spent: Money::from_units(revision),
        gross: Money::from_units(revision),
        remaining: Money::from_units(1_000 - revision),
        requests: revision,
        blocked: false,
        crossed: None,
        revision,
        emitted_at: NOW,
        team: Some("platform".into()),
        business_unit: None,
        scope: Some(r#"{"team":"platform"}"#.into()),
    }
}

fn ledger_entry(transaction: i64) -> LedgerEntry {
    let money = vec![CurrencySum { currency: "USD".into(), amount: Money::from_units(transaction) }];
    LedgerEntry {
        stage: "enrich".into(),
        topic: topics::EVENTS.into(),
        partition: 0,
        transaction,
        next_offset: transaction * 10,
        counts: vec![Count { name: "originals".into(), count: transaction, money: money.clone() }],
        received: Vec::new(),
        sent: vec![Sent { topic: topics::CHARGES.into(), partition: 0, sequence: transaction, items: 1, money }],
        watermark: NOW,
        emitted_at: NOW,
    }
}

/// Feeds every table from where it stands, as the runtime does: a flush every few records, and assigned again when
/// something fails, at most so often. Gives how often something failed.
pub fn drive(lake: &Lake, sample: &Sample, flush_every: usize, failures_max: usize) -> usize {
    let mut failures = 0;
    for spec in TABLES {
        while let Err(error) = drive_table(lake, spec.name, sample, flush_every) {
            failures += 1;
            assert!(failures <= failures_max, "{} still fails: {error:#}", spec.name);
        }
    }
    failures
}

/// Feeds one table; fails at the first thing that does.
pub fn drive_table(lake: &Lake, name: &str, sample: &Sample, flush_every: usize) -> anyhow::Result<()> {
    let spec = TABLES.iter().find(|spec| spec.name == name).expect("a table");
    let mut table = spec.open(lake, &LakeConfig::at("unused"))?;
    let partitions = &sample.topics[spec.topic];
    let assigned: Vec<u32> = partitions.keys().copied().collect();
    let mut waiting = 0;
    for (partition, position) in table.assign(&assigned)? {
        for record in rest(&partitions[&partition], position) {
            let next = record.offset + 1;
            table.append(partition, &[record], next)?;
            waiting += 1;
            if waiting == flush_every {
                table.flush(NOW)?;
                waiting = 0;
            }
        }
    }
    table.flush(NOW)
}

/// Records of a partition from a position on, as a driver hands them over.
pub fn rest(partition: &[(i64, Vec<u8>)], position: Option<i64>) -> impl Iterator<Item = Record<'_>> {
    let from = position.unwrap_or(i64::MIN);
    partition.iter().filter(move |(offset, _)| *offset >= from).map(|(offset, payload)| {
        let payload = Some(payload.as_slice());
        Record { offset: *offset, timestamp: NOW, key: None, payload, headers: Vec::new() }
    })
}

/// What a lake holds.
pub fn held(lake: &Lake) -> Held {
    try_held(lake).expect("the lake can be read")
}

/// As [`held`].
pub fn try_held(lake: &Lake) -> anyhow::Result<Held> {
    let reader = LakeReader::new(lake);
    let mut held =
        Held { windows: reader.latest_windows(None, Days::ALL)?, budgets: reader.latest_budgets()?, ..Held::default() };
    held.windows.sort_by(|a, b| a.key.cmp(&b.key));
    held.budgets.sort_by(|a, b| a.budget_id.cmp(&b.budget_id));
    for batch in reader.scan("ledger", &["transaction", "counts", "sent"], Days::ALL)? {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            held.ledger = held.ledger.max(Cells(&batch).long("transaction", row)?);
        }
    }
    for (table, id, value) in [
        ("charges", "charge_id", "effective_cost"),
        ("batches", "", "items"),
        ("facts", "fact_id", "quantity"),
        ("rejected", "payload_hash", "reason"),
        ("alerts", "alert_id", "spent"),
    ] {
        let mut columns = vec!["kafka_partition", "kafka_offset", "batch_item", value];
        columns.extend((!id.is_empty()).then_some(id));
        let mut rows = Vec::new();
        for batch in reader.scan(table, &columns, Days::ALL)? {
            let batch = batch?;
            let cells = Cells(&batch);
            for row in 0..batch.num_rows() {
                let mut line = format!(
                    "{}/{}/{}",
                    cells.must_int("kafka_partition", row)?,
                    cells.must_long("kafka_offset", row)?,
                    cells.must_int("batch_item", row)?
                );
                if !id.is_empty() {
                    line.push_str(&format!(" {}", cells.must_text(id, row)?));
                }
                line.push_str(&match table {
                    "charges" => format!(" {:?}", cells.money(value, row)?.map(Money::picos)),
                    "batches" => format!(" {}", cells.must_long(value, row)?),
                    "facts" => format!(" {}", cells.quantity(value, row)?),
                    "alerts" => format!(" {}", cells.money(value, row)?.unwrap_or_default().picos()),
                    _ => format!(" {}", cells.must_text(value, row)?),
                });
                rows.push(line);
            }
        }
        rows.sort();
        held.rows.insert(table, rows);
    }
    Ok(held)
}
