//! The processor of one partition of `usage.events`: takes items in, and says for each what becomes of it.
//!
//! [`copies`] decides between copies of a call, [`corrections`] does what jobs ask for, [`links`] moves calls to a
//! stronger key, [`healing`] prices what had no price. All of them end in one of two steps here: a charge is
//! established, or it is taken back and another established in its place.

mod copies;
mod corrections;
mod earlier;
mod healing;
mod links;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use schemas::codec::Format;
use schemas::{
    Batch, Carries, Charge, ChargeClass, Costs, EventItem, Id128, IdentityKind, PricingStatus, Text, Timestamp,
    UsageEvent, ids, topics,
};
use smallvec::SmallVec;
use stream::reference::{Reference, Versions};
use stream::{BatchWriter, Books, Halt, Output, Processor, Record, Scratch, Source, Tick};

use crate::allocate::allocate;
use crate::calls::{Calls, Marks, Place, Standing, Weak, call_id};
use crate::charge::{Cause, Encoded, charge, fingerprint, reversal, standing_class};
use crate::config::Limits;
use crate::metrics::Metrics;
use crate::owner::Directory;
use crate::price::PriceBook;

use earlier::Earlier;
use healing::Healing;

/// The processor of one partition.
pub(crate) struct Desk {
    partition: u32,
    event_partitions: u32,
    calls: Calls,
    earlier: Earlier,
    growing: Vec<Text>,
    healing: Healing,
    prices: Arc<Reference<PriceBook>>,
    owners: Arc<Reference<Directory>>,
    events: Format<Batch<EventItem>>,
    charges: BatchWriter<Charge>,
    resends: BatchWriter<EventItem>,
    /// The row that was written last.
    written: Encoded,
    metrics: Arc<Metrics>,
}

/// What surrounds the items of one call of the processor.
struct Turn<'a> {
    prices: Arc<Versions<PriceBook>>,
    owners: Arc<Versions<Directory>>,
    now: Timestamp,
    books: &'a mut Books,
}

/// Reference data a row is made with.
#[derive(Clone)]
struct Rules {
    book: Arc<PriceBook>,
    directory: Arc<Directory>,
}

/// First byte of a changelog key; the transaction's number and that of its record follow.
const DELTA_KEY: u8 = b't';
/// First byte of a changelog key of state that came from another partition.
pub(crate) const MOVED_KEY: u8 = b'm';

impl Desk {
    pub(crate) fn new(
        source: &Source,
        limits: Limits,
        growing: Vec<Text>,
        scratch: &Arc<Scratch>,
        prices: Arc<Reference<PriceBook>>,
        owners: Arc<Reference<Directory>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let event_partitions = source.target_partitions(topics::EVENTS);
        let charge_partitions = source.target_partitions(topics::CHARGES);
        Desk {
            partition: source.partition,
            event_partitions,
            calls: Calls::new(limits, scratch),
            earlier: Earlier::of(source),
            growing,
            healing: Healing::default(),
            prices,
            owners,
            events: Format::new(),
            charges: BatchWriter::new(topics::CHARGES, charge_partitions).within_partition(source.partition),
            resends: BatchWriter::new(topics::EVENTS, event_partitions).without_watermark(),
            written: Encoded::default(),
            metrics,
        }
    }

    fn turn<'a>(&self, tick: &Tick, books: &'a mut Books) -> Turn<'a> {
        Turn { prices: self.prices.versions(), owners: self.owners.versions(), now: tick.now, books }
    }

    /// The reference data a copy is charged by: what held when it arrived, unless a correction has chosen otherwise.
    fn rules(&self, turn: &Turn<'_>, received_at: Timestamp, standing: Option<&Standing>) -> Result<Rules, Halt> {
        let chosen = |mark| standing.filter(|standing| standing.marks.has(mark));
        let book = chosen(Marks::BOOK_CHOSEN).and_then(|standing| turn.book(self.calls.names.text(standing.book)));
        let directory = chosen(Marks::DIRECTORY_CHOSEN)
            .and_then(|standing| turn.directory(self.calls.names.text(standing.directory)));
        Ok(Rules {
            book: book.map_or_else(|| turn.book_at(received_at), Ok)?,
            directory: directory.map_or_else(|| turn.directory_at(received_at), Ok)?,
        })
    }

    /// Charges an event, which may be at hand as it was written, and remembers it. `standing.revision` says whether it is an
    /// original or a replacement.
    fn establish(
        &mut self,
        turn: &mut Turn<'_>,
        event: Box<UsageEvent>,
        event_written: Option<&[u8]>,
        mut standing: Standing,
        rules: &Rules,
        cause: Cause,
    ) -> Result<(), Halt> {
        standing.book = self.calls.names.id(rules.book.version())?;
        standing.directory = self.calls.names.id(rules.directory.version())?;
        let flags = standing.marks.flags();
        let row = charge(event, &rules.book, &rules.directory, standing.revision, cause, &flags);
        self.emit(turn, &row, event_written)?;
        standing.fingerprint = self.written.fingerprint();
        standing.address = self.calls.keep(self.written.event(), &standing);
        let key = row.event.dedup_key;
        self.remember(&row.event, standing)?;
        if lacks_a_price(row.status) {
            let tried = turn.in_force_since(rules.book.version());
            if self.calls.keep_open(key, standing.came_in, tried) {
                self.healing.note(key);
            } else {
                turn.books.count("unpriced.forgotten", 1);
            }
        } else {
            self.calls.open.remove(&key);
        }
        self.share(turn, &row, &rules.directory)
    }

    /// Splits a charge that is shared, or takes the split back with its reversal.
    fn share(&mut self, turn: &mut Turn<'_>, row: &Charge, directory: &Directory) -> Result<(), Halt> {
        allocate(row, directory).iter().try_for_each(|share| self.emit(turn, share, None))
    }

    /// Takes a charge back, and its shares.
    fn take_back(&mut self, turn: &mut Turn<'_>, row: Charge, cause: Cause) -> Result<(), Halt> {
        let directory = turn.directory(&row.directory_version).ok_or_else(|| {
            Halt::State(format!(
                "directory {} is no longer published; reference topics must never be deleted",
                row.directory_version
            ))
        })?;
        let row = reversal(row, cause);
        self.emit(turn, &row, None)?;
        self.share(turn, &row, &directory)
    }

    /// Remembers what stands for the call of an event, and where to look for it when its key turns out to be the weaker.
    fn remember(&mut self, event: &UsageEvent, standing: Standing) -> Result<(), Halt> {
        let (key, received_at) = (event.dedup_key, standing.received_at);
        self.calls.standing.insert(key, standing);
        if !matches!(event.identity, IdentityKind::Span | IdentityKind::EventId) {
            return Ok(());
        }
        let call = call_id(&event.tenant, &event.call_key);
        let known = self.calls.weak.get(&call)?;
        let mut weak = known.clone().unwrap_or(Weak { keys: SmallVec::new(), received_at });
        if !weak.keys.contains(&key) {
            weak.keys.push(key);
        }
        weak.received_at = weak.received_at.max(received_at);
        if known.as_ref() != Some(&weak) {
            self.calls.weak.insert(call, weak);
        }
        Ok(())
    }

    /// Takes `row`, the standing charge of the call, back and charges `event` in its place.
    fn replace(
        &mut self,
        turn: &mut Turn<'_>,
        row: Charge,
        event: Box<UsageEvent>,
        mut standing: Standing,
        rules: &Rules,
        cause: Cause,
    ) -> Result<(), Halt> {
        let next = row.revision.checked_add(1);
        standing.revision =
            next.ok_or_else(|| Halt::State(format!("charge {} has too many revisions", row.charge_id)))?;
        self.take_back(turn, row, cause)?;
        self.establish(turn, event, None, standing, rules, cause)
    }

    /// The row that stands for a call, rebuilt from its event, or as the correction carries it: only ever the row that
    /// was written. `None` when neither is at hand.
    fn standing_row(
        &mut self,
        turn: &Turn<'_>,
        key: &Id128,
        standing: &Standing,
        carried: Option<&Charge>,
    ) -> Result<Option<Charge>, Halt> {
        let revision = standing.revision;
        let class = standing_class(revision);
        let it = |row: &Charge| fingerprint(row) == standing.fingerprint;
        let book = turn.book(self.calls.names.text(standing.book));
        let directory = turn.directory(self.calls.names.text(standing.directory));
        let rebuilt = |event: Box<UsageEvent>| {
            let (book, directory) = (book.as_ref()?, directory.as_ref()?);
            let cause = Cause::arrival(standing.received_at);
            Some(charge(event, book, directory, revision, cause, &standing.marks.flags())).filter(it)
        };
        if let Some(row) = self.calls.charged_event(key, standing).and_then(rebuilt) {
            return Ok(Some(row));
        }
        if let Some(carried) = carried {
            let charge_id = ids::charge_id(*key, revision, class);
            let as_it_is = Charge { charge_id, revision, class, ..carried.clone() };
            let row = Some(as_it_is).filter(it).or_else(|| rebuilt(carried.event.clone()));
            if row.is_some() {
                return Ok(row);
            }
        }
        let Some(place) = standing.came_in.resolve(self.partition) else { return Ok(None) };
        let copies = self.earlier.copies(&self.events, place, key)?;
        Ok(copies.iter().find_map(|event| rebuilt(event.clone())))
    }

    /// Writes a row out and books it.
    fn emit(&mut self, turn: &mut Turn<'_>, row: &Charge, event_written: Option<&[u8]>) -> Result<(), Halt> {
        let (class, by) = match row.class {
            ChargeClass::Reversal => ("reversals", -1),
            ChargeClass::Replacement => ("replacements", 1),
            ChargeClass::Original => ("originals", 1),
            ChargeClass::Allocation => ("allocations", 1),
        };
        tally(turn.books, class, 1, &row.costs)?;
        tally(turn.books, "charges", 1, &row.costs)?;
        if row.class == ChargeClass::Allocation {
            return self.send(row, event_written);
        }
        // These three say how things stand: a reversal takes away what its charge had added.
        match row.status {
            PricingStatus::Unpriced => turn.books.count("unpriced", by),
            PricingStatus::Partial => tally(turn.books, "partial", by, &row.costs)?,
            PricingStatus::Priced | PricingStatus::Free => {}
        }
        if row.owner.team.is_none() {
            tally(turn.books, "unallocated", by, &row.costs)?;
        }
        self.send(row, event_written)
    }

    fn send(&mut self, row: &Charge, event_written: Option<&[u8]>) -> Result<(), Halt> {
        self.written.set(row, event_written);
        self.charges.push_encoded(self.partition, self.written.row(), row.money())
    }
}

impl Processor for Desk {
    fn restore(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Halt> {
        match (key.first(), value) {
            (Some(&DELTA_KEY), Some(value)) => self.calls.restore(value),
            (Some(&MOVED_KEY), Some(value)) => self.calls.take_over(value),
            (Some(&(DELTA_KEY | MOVED_KEY)), None) => Ok(()),
            _ => Err(Halt::State("the changelog of enrich holds a key this release does not know; upgrade it".into())),
        }
    }

    fn process(&mut self, records: &[Record<'_>], tick: &Tick, books: &mut Books) -> Result<(), Halt> {
        self.calls.make_room()?;
        let mut turn = self.turn(tick, books);
        for record in records {
            let Some(mut batch) = turn.books.open::<EventItem>(&self.events, record, tick)? else { continue };
            while let Some(item) = batch.next(turn.books)? {
                match item {
                    EventItem::Event(event) => {
                        let written = EventItem::event_in(batch.written());
                        self.event(&mut turn, event, written, Place::here(record.offset))?;
                    }
                    EventItem::Correction(correction) => self.correction(&mut turn, correction)?,
                    EventItem::Link(link) => self.link(&mut turn, link)?,
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, tick: &Tick, books: &mut Books, out: &mut Output) -> Result<(), Halt> {
        let mut turn = self.turn(tick, books);
        self.heal(&mut turn)?;
        self.earlier.release();
        let expired = self.calls.age(tick.now) as i64;
        books.count("corrections.expired", expired);
        books.count("corrections.parked", -expired);
        self.charges.finish(tick, books, out)?;
        self.resends.finish(tick, books, out)?;
        for (part, delta) in (0u32..).zip(self.calls.delta()) {
            let mut key = vec![DELTA_KEY];
            key.extend_from_slice(&(books.transaction() + 1).to_be_bytes());
            key.extend_from_slice(&part.to_be_bytes());
            out.changes.push((Bytes::from(key), Some(Bytes::from(delta))));
        }
        Ok(())
    }

    fn export(&self, entry: &mut dyn FnMut(u32, Bytes, Bytes)) -> Result<(), Halt> {
        let ours = |slot: &u32| ids::partition(*slot, self.event_partitions) == self.partition;
        self.calls.export(self.partition, (0..ids::SLOTS).filter(ours), entry)
    }

    fn promote(&mut self) {
        self.calls.promote();
        self.metrics.remembers(self.partition, &self.calls, self.earlier.take_reads());
    }

    fn undo(&mut self) {
        self.calls.undo();
        self.healing = Healing::default();
        self.charges.undo();
        self.resends.undo();
    }

    fn state_bytes(&self) -> usize {
        self.calls.bytes()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.metrics.gone(self.partition);
    }
}

impl Turn<'_> {
    fn book_at(&self, received_at: Timestamp) -> Result<Arc<PriceBook>, Halt> {
        self.prices.check(received_at)?;
        self.prices.at(received_at).cloned().ok_or_else(|| none_published("price book"))
    }

    fn directory_at(&self, received_at: Timestamp) -> Result<Arc<Directory>, Halt> {
        self.owners.check(received_at)?;
        self.owners.at(received_at).cloned().ok_or_else(|| none_published("directory of owners"))
    }

    fn book(&self, version: &str) -> Option<Arc<PriceBook>> {
        self.prices.iter().find(|(_, book)| book.version() == version).map(|(_, book)| book.clone())
    }

    fn directory(&self, version: &str) -> Option<Arc<Directory>> {
        self.owners.iter().find(|(_, directory)| directory.version() == version).map(|(_, found)| found.clone())
    }

    /// When a price book first took effect.
    fn in_force_since(&self, version: &str) -> Timestamp {
        let found = self.prices.iter().find(|(_, book)| book.version() == version);
        found.map_or(Timestamp::MIN, |(effective_at, _)| *effective_at)
    }
}

fn none_published(what: &str) -> Halt {
    Halt::State(format!("no {what} was ever published; publish one with `spendstream apply DIR` and restart"))
}

fn lacks_a_price(status: PricingStatus) -> bool {
    matches!(status, PricingStatus::Unpriced | PricingStatus::Partial)
}

/// Adds to a count, with the money of these costs where there is any. Costs of a reversal are negative already.
fn tally(books: &mut Books, name: &str, by: i64, costs: &Costs) -> Result<(), Halt> {
    match costs.effective {
        Some(amount) => books.count_money(name, by, &costs.currency, amount),
        None => {
            books.count(name, by);
            Ok(())
        }
    }
}
