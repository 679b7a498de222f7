//! One partition of `usage.events` in memory: what ingest sends, what enrich makes of it, and what it would find again.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use schemas::codec::Format;
use schemas::ids::{dedup_key, hash_parts};
use schemas::{
    Batch, Charge, ChargeCategory, ChargeClass, CostBasis, Dimensions, EventItem, Id128, IdentityKind, LedgerEntry,
    Link, Meter, Metered, Money, Position, PriceContext, Quantity, ReferenceItem, Text, Timestamp, UsageEvent, topics,
};
use stream::reference::{Compiled, Reference, ReferenceSink, manifest};
use stream::{Again, BatchWriter, Books, Halt, Output, Processor, Record, Scratch, Source, Stage, Tick};

use crate::charge::{Cause, reversal};
use crate::config::Limits;
use crate::desk::Desk;
use crate::metrics::Metrics;
use crate::owner::Directory;
use crate::price::{PriceBook, parse_prices};
use crate::{EnrichConfig, EnrichStage};

/// Seconds after the start of every test.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000).plus_seconds(seconds)
}

/// A call as one source reports it: `response` names the call, `source` the producer, `precedence` its rank.
pub(crate) fn copy(response: &str, source: &str, precedence: i32, tokens: i64, arrival: i64) -> Box<UsageEvent> {
    let call_key = Text::from(format!("openai/{response}"));
    let model = Text::from("gpt-5.5");
    let mut event = Box::new(UsageEvent {
        tenant: "acme".into(),
        identity: IdentityKind::ResponseId,
        weaker_keys: Vec::new(),
        iteration: 0,
        dedup_key: dedup_key("acme", &call_key, 0, &model),
        call_key,
        content_hash: Id128::default(),
        precedence,
        amends: false,
        event_id: None,
        source: source.into(),
        position: Position { topic: "usage.raw".into(), partition: 0, offset: 1_000 + arrival, item: 0 },
        event_time: at(0),
        received_at: at(arrival),
        charge_period_start: None,
        charge_period_end: None,
        provider: "openai".into(),
        publisher: None,
        model,
        requested_model: None,
        operation: "chat".into(),
        price_context: PriceContext::default(),
        usage: Vec::new(),
        checked: "prompt = uncached + cached".into(),
        raw_usage: "{}".into(),
        raw_usage_hash: Id128::default(),
        extractor: source.into(),
        extractor_version: 1,
        flags: Vec::new(),
        key_id: Some("key-1".into()),
        resource: None,
        tags: Vec::new(),
        claimed: Dimensions { team: Some("search".into()), ..Dimensions::default() },
        cost_basis: CostBasis::OnDemand,
        charge_category: ChargeCategory::Usage,
        reported_cost: None,
        stated_cost: None,
    });
    set_tokens(&mut event, tokens);
    event
}

/// Gives an event other content.
pub(crate) fn set_tokens(event: &mut UsageEvent, tokens: i64) {
    event.usage = vec![Metered { meter: Meter::InputTextTokens, quantity: Quantity::from_units(tokens) }];
    event.content_hash = hash_parts([b"content".as_slice(), &tokens.to_be_bytes(), event.model.as_bytes()]);
}

/// The same call known by its span alone.
pub(crate) fn by_span(mut event: Box<UsageEvent>, span: &str) -> Box<UsageEvent> {
    event.call_key = format!("span/{span}").into();
    event.identity = IdentityKind::Span;
    event.dedup_key = dedup_key(&event.tenant, &event.call_key, event.iteration, &event.model);
    event
}

/// Says that a span and a response are one call.
pub(crate) fn link(span: &str, response: &str, arrival: i64) -> EventItem {
    EventItem::Link(Link {
        tenant: "acme".into(),
        weaker: format!("span/{span}").into(),
        stronger: format!("openai/{response}").into(),
        received_at: at(arrival),
        position: Position { topic: "usage.raw".into(), partition: 0, offset: 2_000 + arrival, item: 1 },
    })
}

/// Versions of a price book: when each takes effect, and dollars for a million tokens of each model.
pub(crate) fn prices(versions: &[(i64, &[(&str, &str)])]) -> Vec<ReferenceItem> {
    let mut items = Vec::new();
    for (effective, models) in versions {
        let skus = models.iter().map(|(model, price)| {
            format!(
                "  - sku: openai/{model}\n    models: [{model}]\n    class: standard\n    rates:\n      - {{per: 1000000, prices: {{input_text_tokens: {price}}}}}\n"
            )
        });
        let text = format!(
            "provider: openai\ncurrency: USD\nsource: https://example.com/prices\nchecked: 2026-11-22\nskus:\n{}",
            skus.collect::<String>()
        );
        let rows = parse_prices(&[("test.yaml".to_owned(), text)]).unwrap_or_else(|findings| panic!("{findings:?}"));
        let manifest = manifest("prices", &rows, at(*effective), at(*effective));
        items.extend(rows.into_iter().map(ReferenceItem::Row));
        items.push(ReferenceItem::Manifest(manifest));
    }
    items
}

/// What stands for one call in the end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Final {
    pub(crate) content: Id128,
    pub(crate) effective: Option<Money>,
    pub(crate) requests: i32,
    pub(crate) event_time: Timestamp,
    pub(crate) owner: Dimensions,
    pub(crate) book_version: Text,
}

/// The same partition once more, with no memory for ids: each goes to disk as soon as it is committed.
struct Shadow {
    stage: ShadowStage,
    desk: Desk,
    books: Books,
    changelog: Vec<(Bytes, Option<Bytes>)>,
    /// After a move events are kept in another order, and changelogs name other addresses.
    moved: bool,
}

struct ShadowStage {
    config: EnrichConfig,
    scratch: Arc<Scratch>,
    prices: Arc<Reference<PriceBook>>,
    owners: Arc<Reference<Directory>>,
    folder: tempfile::TempDir,
}

impl ShadowStage {
    fn desk(&self, source: &Source) -> Desk {
        let limits = Limits { ids_bytes_max: 0, ..Limits::of(&self.config, source.partitions) };
        let (prices, owners) = (self.prices.clone(), self.owners.clone());
        let growing = self.config.growing_extractor.clone();
        Desk::new(source, limits, growing, &self.scratch, prices, owners, Arc::<Metrics>::default())
    }
}

/// Records by offset.
type Stored = Arc<Mutex<HashMap<i64, Bytes>>>;

/// A partition, its log, and everything committed so far. All of it is done a second time with ids on disk, and must come
/// out the same to the byte.
pub(crate) struct Partition {
    stage: EnrichStage,
    source: Source,
    desk: Box<dyn Processor>,
    books: Books,
    shadow: Shadow,
    ingest: Books,
    writer: BatchWriter<EventItem>,
    /// Records not yet read.
    log: VecDeque<(i64, Bytes)>,
    /// Every record there is, read or not.
    stored: Stored,
    offset: i64,
    charge_format: Format<Batch<Charge>>,
    event_format: Format<Batch<EventItem>>,
    pub(crate) now: Timestamp,
    pub(crate) changelog: Vec<(Bytes, Option<Bytes>)>,
    pub(crate) charges: Vec<Charge>,
    pub(crate) resent: Vec<UsageEvent>,
    pub(crate) entry: Option<LedgerEntry>,
}

impl Partition {
    pub(crate) fn new(config: EnrichConfig) -> Self {
        let book = <PriceBook as Compiled>::compile("b1", &[]).expect("no rows compile");
        let directory = <Directory as Compiled>::compile("d1", &[]).expect("no rows compile");
        Self::with(config, Arc::new(Reference::single(book)), Arc::new(Reference::single(directory)))
    }

    /// By price books of several versions, and a directory that knows nobody.
    pub(crate) fn priced(config: EnrichConfig, books: &[ReferenceItem]) -> Self {
        let prices = Arc::new(Reference::default());
        prices.apply(books.to_vec()).expect("the test's books compile");
        let directory = <Directory as Compiled>::compile("d1", &[]).expect("no rows compile");
        Self::with(config, prices, Arc::new(Reference::single(directory)))
    }

    pub(crate) fn with(
        config: EnrichConfig,
        prices: Arc<Reference<PriceBook>>,
        owners: Arc<Reference<Directory>>,
    ) -> Self {
        let targets =
            |names: &[&str]| Arc::new(names.iter().map(|name| ((*name).to_owned(), 1)).collect::<HashMap<_, _>>());
        let source = |topic: &str, targets| Source {
            topic: topic.into(),
            partition: 0,
            partitions: 1,
            generation: 0,
            targets,
            again: Again::default(),
        };
        let stored: Stored = Arc::default();
        let read = stored.clone();
        let again = Again::new(move |_, offset| Ok(read.lock().expect("no test panics with it").get(&offset).cloned()));
        let own = Source { again, ..source(topics::EVENTS, targets(&[topics::EVENTS, topics::CHARGES])) };
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let scratch = Scratch::open(folder.path()).expect("it can be written to");
        let shadow = ShadowStage {
            config: config.clone(),
            scratch: scratch.clone(),
            prices: prices.clone(),
            owners: owners.clone(),
            folder,
        };
        let stage = EnrichStage::new(config, scratch, prices, owners);
        Partition {
            desk: stage.processor(&own),
            stage,
            books: Books::new("enrich", own.clone()),
            shadow: Shadow {
                desk: shadow.desk(&own),
                stage: shadow,
                books: Books::new("enrich", own.clone()),
                changelog: Vec::new(),
                moved: false,
            },
            source: own,
            ingest: Books::new("ingest", source(topics::RAW, targets(&[topics::EVENTS]))),
            writer: BatchWriter::new(topics::EVENTS, 1),
            log: VecDeque::new(),
            stored,
            offset: 0,
            charge_format: Format::new(),
            event_format: Format::new(),
            now: at(1_000),
            changelog: Vec::new(),
            charges: Vec::new(),
            resent: Vec::new(),
            entry: None,
        }
    }

    fn tick(&self) -> Tick {
        Tick { now: self.now, caught_up: self.log.is_empty(), hurry: false, skips: Arc::default() }
    }

    /// What ingest sends in one batch.
    pub(crate) fn send(&mut self, items: impl IntoIterator<Item = EventItem>) {
        for item in items {
            self.writer.push(0, &item).expect("events carry no money");
        }
        let mut out = Output::default();
        let tick = self.tick();
        self.writer.finish(&tick, &mut self.ingest, &mut out).expect("the header fits");
        for record in out.records {
            self.append(record.payload.expect("a batch has a value"));
        }
    }

    pub(crate) fn send_events(&mut self, events: impl IntoIterator<Item = Box<UsageEvent>>) {
        self.send(events.into_iter().map(EventItem::Event));
    }

    fn append(&mut self, payload: Bytes) {
        // Transaction markers take offsets too.
        self.offset += 2;
        self.stored.lock().expect("no test panics with it").insert(self.offset, payload.clone());
        self.log.push_back((self.offset, payload));
    }

    /// What is in the log expires: it cannot be read again.
    pub(crate) fn expire(&mut self) {
        self.stored.lock().expect("no test panics with it").clear();
    }

    /// Reads some records in one transaction and commits or aborts it.
    pub(crate) fn transact(&mut self, records: usize, commit: bool) {
        let tick = self.tick();
        let taken: Vec<(i64, Bytes)> = self.log.iter().take(records).cloned().collect();
        let (out, entry) = run(&mut *self.desk, &mut self.books, &taken, &tick);
        let (on_disk, booked) = run(&mut self.shadow.desk, &mut self.shadow.books, &taken, &tick);
        assert_eq!(
            (&on_disk.records, booked),
            (&out.records, entry.clone()),
            "with ids on disk another thing came out"
        );
        if !self.shadow.moved {
            assert_eq!(on_disk.changes, out.changes, "with ids on disk another thing is written down");
        }
        if !commit {
            self.desk.undo();
            self.books.undo();
            self.shadow.desk.undo();
            self.shadow.books.undo();
            return;
        }
        self.desk.promote();
        self.books.promote();
        self.shadow.desk.promote();
        self.shadow.books.promote();
        self.shadow.changelog.extend(on_disk.changes);
        assert_eq!(stream::rules::check(crate::RULES, &entry), []);
        self.entry = Some(entry);
        self.log.drain(..taken.len());
        self.changelog.extend(out.changes);
        for record in out.records {
            let payload = record.payload.expect("a batch has a value");
            if &*record.topic == topics::CHARGES {
                let batch: Batch<Charge> = self.charge_format.decode(&payload).expect("our own batch");
                self.charges.extend(batch.items);
            } else {
                let batch: Batch<EventItem> = self.event_format.decode(&payload).expect("our own batch");
                for item in batch.items {
                    if let EventItem::Event(event) = item {
                        self.resent.push(*event);
                    }
                }
                self.append(payload);
            }
        }
    }

    /// Reads everything, what it sends itself included, and lets healing come to its end.
    pub(crate) fn drain(&mut self) {
        while !self.log.is_empty() {
            self.transact(1, true);
        }
        self.transact(0, true);
    }

    /// Bytes of each record of the changelog.
    pub(crate) fn written(&self) -> Vec<usize> {
        self.changelog.iter().map(|(_, value)| value.as_ref().map_or(0, Bytes::len)).collect()
    }

    /// Loses the process and finds its state again.
    pub(crate) fn restart(&mut self) {
        self.desk = self.stage.processor(&self.source);
        restore(&mut *self.desk, &self.changelog);
        self.shadow.desk = self.shadow.stage.desk(&self.source);
        restore(&mut self.shadow.desk, &self.shadow.changelog);
        for books in [&mut self.books, &mut self.shadow.books] {
            *books = Books::new("enrich", self.source.clone());
            if let Some(entry) = &self.entry {
                books.restore(entry.clone());
            }
        }
    }

    /// Gives its state out as to other partitions, and goes on with what arrives there.
    pub(crate) fn repartition(&mut self) {
        self.changelog = export(&*self.desk);
        self.shadow.changelog = export(&self.shadow.desk);
        self.shadow.moved = true;
        self.restart();
    }

    /// Ids that are on disk where there is no memory for them.
    pub(crate) fn ids_on_disk(&self) -> usize {
        self.shadow.desk.calls.rooms().iter().map(|(_, room)| room.disk_entries).sum()
    }

    /// Takes the disk away where there is no memory for ids, and says how the next record ends; then it is there again.
    pub(crate) fn without_disk(&mut self) -> Halt {
        let folder = self.shadow.stage.folder.path();
        std::fs::remove_dir(folder).expect("files have no names");
        let tick = self.tick();
        let halt = stops(&mut self.shadow.desk, &mut self.shadow.books, &self.log[0], &tick);
        std::fs::create_dir(folder).expect("it was there before");
        halt
    }

    /// Why the next record cannot be taken.
    pub(crate) fn stops(&mut self) -> Halt {
        let tick = self.tick();
        stops(&mut *self.desk, &mut self.books, &self.log[0], &tick)
    }

    pub(crate) fn count(&self, name: &str) -> i64 {
        let entry = self.entry.as_ref().expect("something was committed");
        entry.counts.iter().find(|count| count.name == name).map_or(0, |count| count.count)
    }

    /// What stands for each call, by call key. Checks on the way that a reversal takes back exactly the row it names,
    /// once, and that the rows that stand add up to all rows together.
    pub(crate) fn finals(&self) -> BTreeMap<Text, Final> {
        let mut standing: HashMap<Id128, &Charge> = HashMap::new();
        let mut seen = HashSet::new();
        let mut net: HashMap<Text, (i128, i32)> = HashMap::new();
        for row in &self.charges {
            assert!(seen.insert(row.charge_id), "charge id {} twice", row.charge_id);
            let sums = net.entry(row.event.call_key.clone()).or_default();
            sums.0 += row.costs.effective.unwrap_or_default().picos();
            sums.1 += row.requests;
            if row.class == ChargeClass::Reversal {
                let taken = standing.remove(&row.corrects.expect("names its charge")).expect("the charge stands");
                let cause =
                    Cause { booked_at: row.booked_at, reason: row.correction_reason, correction_id: row.correction_id };
                assert_eq!(*row, reversal(taken.clone(), cause));
            } else {
                standing.insert(row.charge_id, row);
            }
        }
        let mut finals = BTreeMap::new();
        for row in standing.values() {
            let stands = Final {
                content: row.event.content_hash,
                effective: row.costs.effective,
                requests: row.requests,
                event_time: row.event.event_time,
                owner: row.owner.clone(),
                book_version: row.book_version.clone(),
            };
            let sums = net.remove(&row.event.call_key).unwrap_or_default();
            assert_eq!(sums, (row.costs.effective.unwrap_or_default().picos(), row.requests), "rows do not add up");
            assert_eq!(finals.insert(row.event.call_key.clone(), stands), None, "a call is charged twice");
        }
        for (call, sums) in net {
            assert_eq!(sums, (0, 0), "{call} was withdrawn but not entirely");
        }
        finals
    }
}

/// Why a record cannot be taken; the transaction is undone.
fn stops(desk: &mut dyn Processor, books: &mut Books, (offset, payload): &(i64, Bytes), tick: &Tick) -> Halt {
    let record =
        Record { offset: *offset, timestamp: tick.now, key: None, payload: Some(payload), headers: Vec::new() };
    let ended = desk.process(&[record], tick, books);
    desk.undo();
    books.undo();
    ended.expect_err("the record is taken")
}

/// Processes records and closes the transaction.
fn run(desk: &mut dyn Processor, books: &mut Books, records: &[(i64, Bytes)], tick: &Tick) -> (Output, LedgerEntry) {
    for (offset, payload) in records {
        let record =
            Record { offset: *offset, timestamp: tick.now, key: None, payload: Some(payload), headers: Vec::new() };
        books.advance(*offset, offset + 1);
        desk.process(&[record], tick, books).expect("well-formed batches");
    }
    let mut out = Output::default();
    desk.finish(tick, books, &mut out).expect("sums are small");
    let entry = books.close(tick.now);
    (out, entry)
}

fn restore(desk: &mut dyn Processor, changelog: &[(Bytes, Option<Bytes>)]) {
    for (key, value) in changelog {
        desk.restore(key, value.as_deref()).expect("our own changelog");
    }
    desk.restored().expect("our own changelog");
}

fn export(desk: &dyn Processor) -> Vec<(Bytes, Option<Bytes>)> {
    let mut changelog = Vec::new();
    desk.export(&mut |_, key, value| changelog.push((key, Some(value)))).expect("the disk can be read");
    changelog
}
