//! What charges would be by other prices or owners, and the corrections that make them so.
//!
//! A correction expects the content and the revision of the charge it was made for, and its id is a function of that
//! charge and of the versions asked for: sent twice it applies once, and a run that was killed is simply run again.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use enrich::{Cause, Directory, PriceBook};
use schemas::codec::Format;
use schemas::ids::{self, hash_parts};
use schemas::{Charge, Correction, CorrectionReason, Flag, Line, Money, PricingStatus, Text, Timestamp, topics};
use serde::Serialize;
use sink::LakeReader;
use stream::log::reference_items;
use stream::reference::{Compiled, Reference, ReferenceSink, Versions};
use stream::{Log, OutRecord};

use crate::standing::{Period, Read, standing, standing_in_lake};

/// Corrections of one append: all of them are written or none.
const APPEND_CORRECTIONS: usize = 200;

/// What is to be looked at anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anew {
    /// Prices; the owner stays.
    Prices,
    /// Owners; the price book stays, though a contract may depend on the owner.
    Owners,
    /// Both.
    Both,
}

/// Every published version, and those that charges are to be made by.
#[derive(Debug)]
pub struct Rules {
    books: Arc<Versions<PriceBook>>,
    directories: Arc<Versions<Directory>>,
    anew: Anew,
}

impl Rules {
    /// Reads what was published.
    ///
    /// # Errors
    /// When the log cannot be read or nothing was published.
    pub fn read(log: &dyn Log, anew: Anew) -> anyhow::Result<Self> {
        let rules = Rules { books: versions(log)?, directories: versions(log)?, anew };
        rules.book().and(rules.directory()).context("no prices and owners were published: `spendstream apply DIR`")?;
        Ok(rules)
    }

    /// The newest price book.
    pub fn book(&self) -> Option<&Arc<PriceBook>> {
        self.books.newest()
    }

    /// The newest directory.
    pub fn directory(&self) -> Option<&Arc<Directory>> {
        self.directories.newest()
    }

    /// When the versions charges are to be made by take effect.
    pub fn effective_at(&self) -> Timestamp {
        let book = self.books.iter().last().map(|(at, _)| *at).filter(|_| self.anew != Anew::Owners);
        let directory = self.directories.iter().last().map(|(at, _)| *at).filter(|_| self.anew != Anew::Prices);
        book.max(directory).unwrap_or(Timestamp::MIN)
    }

    /// The row that would stand in this one's place.
    ///
    /// # Errors
    /// When the charge was made by a version that was never published here.
    pub fn charge(&self, row: &Charge) -> anyhow::Result<Charge> {
        let unknown = |what: &str, version: &Text| {
            format!("{what} {version}, by which call {} was charged, was never published here", row.event.call_key)
        };
        let book = match self.anew {
            Anew::Owners => named(&self.books, PriceBook::version, &row.book_version),
            Anew::Prices | Anew::Both => self.book(),
        };
        let directory = match self.anew {
            Anew::Prices => named(&self.directories, Directory::version, &row.directory_version),
            Anew::Owners | Anew::Both => self.directory(),
        };
        let book = book.with_context(|| unknown("price book", &row.book_version))?;
        let directory = directory.with_context(|| unknown("directory", &row.directory_version))?;
        let remarks: Vec<Flag> =
            [Flag::Conflict, Flag::Unverified].into_iter().filter(|flag| row.flags.contains(flag)).collect();
        let cause = Cause::arrival(row.booked_at);
        Ok(enrich::charge(row.event.clone(), book, directory, row.revision.saturating_add(1), cause, &remarks))
    }

    /// Whether a charge of the directory it was made by is split otherwise than the one in its place would be.
    fn splits_otherwise(&self, before: &Charge, after: &Charge) -> bool {
        let shares = |row: &Charge| {
            let directory = named(&self.directories, Directory::version, &row.directory_version);
            let shares = directory.map_or_else(Vec::new, |directory| enrich::allocate(row, directory));
            shares.into_iter().map(|share| (share.owner, share.costs)).collect::<Vec<_>>()
        };
        before.directory_version != after.directory_version && shares(before) != shares(after)
    }

    /// The correction that puts [`Rules::charge`] in the place of this charge.
    pub fn correction(&self, row: Charge) -> Correction {
        let book = self.book().filter(|_| self.anew != Anew::Owners).map(|book| Text::from(book.version()));
        let directory = self.directory().filter(|_| self.anew != Anew::Prices);
        let reason = match self.anew {
            Anew::Prices => CorrectionReason::Reprice,
            Anew::Owners | Anew::Both => CorrectionReason::Reattribute,
        };
        let correction_id = hash_parts([
            b"reprice".as_slice(),
            &row.event.dedup_key.0,
            &row.revision.to_be_bytes(),
            book.as_ref().map_or(b"", |version| version.as_bytes()),
            directory.map_or(b"", |directory| directory.version().as_bytes()),
        ]);
        Correction {
            correction_id,
            tenant: row.event.tenant.clone(),
            call_key: row.event.call_key.clone(),
            dedup_key: row.event.dedup_key,
            reason,
            expected_content: Some(row.event.content_hash),
            expected_revision: Some(row.revision),
            replacement: None,
            received_at: row.booked_at,
            reversed: Some(Box::new(row)),
            book_version: book,
        }
    }
}

/// Corrects every charge of a period that is asked for and would come out otherwise; a dry run only says which.
///
/// # Errors
/// When lake or log cannot be read or written. What was sent by then holds, and the next run sends the rest.
pub fn correct(
    log: &dyn Log,
    lake: Option<&LakeReader>,
    rules: &Rules,
    period: Period,
    is_asked_for: &dyn Fn(&Charge) -> bool,
    dry_run: bool,
) -> anyhow::Result<(Read, Changes)> {
    let mut outbox = Outbox::new(log)?;
    let mut changes = Changes::default();
    let read = standing(log, lake, period, &mut |before| {
        if !is_asked_for(&before) {
            return Ok(());
        }
        let after = rules.charge(&before)?;
        if differ(&before, &after) || rules.splits_otherwise(&before, &after) {
            changes.add(&before, &after)?;
            if !dry_run {
                outbox.put(&rules.correction(before))?;
            }
        }
        Ok(())
    })?;
    outbox.flush()?;
    Ok((read, changes))
}

/// What the charges of a lake would come to by one book rather than another, whoever published them; returns how many
/// charges stand.
///
/// # Errors
/// When the lake cannot be read or a sum leaves 38 digits.
pub fn compare(lake: &LakeReader, old: &PriceBook, new: &PriceBook, period: Period) -> anyhow::Result<(u64, Changes)> {
    let mut changes = Changes::default();
    let count = standing_in_lake(lake, period, &mut |row| {
        let (before, after) = (priced_by(old, &row), priced_by(new, &row));
        if differ(&before, &after) { changes.add(&before, &after) } else { Ok(()) }
    })?;
    Ok((count, changes))
}

/// A charge as another book would price it; the owner stays.
fn priced_by(book: &PriceBook, row: &Charge) -> Charge {
    let priced = book.price_for(&row.event, &row.owner);
    Charge {
        status: priced.status,
        lines: priced.lines,
        unpriced: priced.unpriced,
        costs: priced.costs,
        reporting: priced.reporting,
        ..row.clone()
    }
}

/// Sends corrections, each to the partition of its call.
struct Outbox<'a> {
    log: &'a dyn Log,
    topic: Arc<str>,
    partitions: u32,
    format: Format<Correction>,
    waiting: Vec<OutRecord>,
}

impl<'a> Outbox<'a> {
    fn new(log: &'a dyn Log) -> anyhow::Result<Self> {
        let partitions = log.partitions(topics::CORRECTIONS)?;
        let partitions = partitions.with_context(|| format!("there is no topic {}", topics::CORRECTIONS))?;
        Ok(Outbox { log, topic: topics::CORRECTIONS.into(), partitions, format: Format::new(), waiting: Vec::new() })
    }

    fn put(&mut self, correction: &Correction) -> anyhow::Result<()> {
        self.waiting.push(OutRecord {
            topic: self.topic.clone(),
            partition: ids::partition(ids::call_slot(&correction.tenant, &correction.call_key), self.partitions),
            key: Some(Bytes::from(correction.call_key.to_string())),
            payload: Some(Bytes::from(self.format.encode(correction))),
            headers: Vec::new(),
            timestamp: None,
        });
        if self.waiting.len() >= APPEND_CORRECTIONS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.log.append(std::mem::take(&mut self.waiting)).context("send corrections; run it again to send the rest")
    }
}

/// Every published version of a set.
///
/// # Errors
/// When the log cannot be read.
pub fn versions<T: Compiled>(log: &dyn Log) -> anyhow::Result<Arc<Versions<T>>> {
    let reference = Reference::<T>::default();
    let topic = reference.topic();
    let (items, _) = reference_items(log, &topic, 0).with_context(|| format!("read {topic}"))?;
    reference.apply(items)?;
    Ok(reference.versions())
}

fn named<'a, T>(versions: &'a Versions<T>, name: fn(&T) -> &str, wanted: &str) -> Option<&'a Arc<T>> {
    versions.iter().find(|(_, version)| name(version) == wanted).map(|(_, version)| version)
}

/// Whether two charges of a call differ in money, in what has a price, or in who pays. Which version decided, by which
/// row of it, and what a call would have cost otherwise are no reasons to correct a charge.
pub fn differ(before: &Charge, after: &Charge) -> bool {
    let line = |line: &Line| Line { rate_id: Text::default(), contracted_rate_id: None, ..line.clone() };
    before.status != after.status
        || before.costs != after.costs
        || before.reporting != after.reporting
        || before.owner != after.owner
        || before.unpriced != after.unpriced
        || !before.lines.iter().map(line).eq(after.lines.iter().map(line))
}

/// What changes for one model, or between two teams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Model, as `provider/model`; for owners the team before, null when unallocated.
    pub before: Option<String>,
    /// For owners the team after; null when unallocated, and for models.
    pub after: Option<String>,
    /// ISO 4217 currency.
    pub currency: Text,
    /// Charges to be corrected.
    pub charges: u64,
    /// Of those, without a full price before.
    pub unpriced_before: u64,
    /// Of those, without a full price after.
    pub unpriced_after: u64,
    /// Effective cost now, of those that have one.
    pub cost_before: Money,
    /// Effective cost after, of those that have one.
    pub cost_after: Money,
}

/// What a [`Change`] is of: before, after, currency.
type Place = (Option<String>, Option<String>, Text);

/// What a run would change, or changed.
#[derive(Debug, Default)]
pub struct Changes {
    /// Charges to be corrected.
    pub charges: u64,
    models: BTreeMap<Place, Change>,
    teams: BTreeMap<Place, Change>,
}

impl Changes {
    /// Books that a charge gives way to another.
    ///
    /// # Errors
    /// When a sum leaves 38 digits.
    pub fn add(&mut self, before: &Charge, after: &Charge) -> anyhow::Result<()> {
        self.charges += 1;
        let model = format!("{}/{}", before.event.provider, before.event.model);
        note(&mut self.models, (Some(model), None), before, after)?;
        let team = |charge: &Charge| charge.owner.team.as_ref().map(ToString::to_string);
        if before.owner != after.owner {
            note(&mut self.teams, (team(before), team(after)), before, after)?;
        }
        Ok(())
    }

    /// By model, the largest difference first.
    pub fn models(&self) -> Vec<&Change> {
        by_difference(&self.models)
    }

    /// By team before and after, the largest amount first; charges whose owner stays are not among them.
    pub fn teams(&self) -> Vec<&Change> {
        let mut teams: Vec<&Change> = self.teams.values().collect();
        teams.sort_by_key(|change| std::cmp::Reverse(change.cost_after));
        teams
    }
}

fn by_difference(changes: &BTreeMap<Place, Change>) -> Vec<&Change> {
    let mut list: Vec<&Change> = changes.values().collect();
    list.sort_by_key(|change| {
        std::cmp::Reverse((change.cost_after.picos() - change.cost_before.picos()).unsigned_abs())
    });
    list
}

fn note(
    changes: &mut BTreeMap<Place, Change>,
    (from, to): (Option<String>, Option<String>),
    before: &Charge,
    after: &Charge,
) -> anyhow::Result<()> {
    let lacking =
        |charge: &Charge| u64::from(matches!(charge.status, PricingStatus::Unpriced | PricingStatus::Partial));
    let empty = |currency: &Text| Change {
        before: from.clone(),
        after: to.clone(),
        currency: currency.clone(),
        charges: 0,
        unpriced_before: 0,
        unpriced_after: 0,
        cost_before: Money::ZERO,
        cost_after: Money::ZERO,
    };
    let key = |currency: &Text| (from.clone(), to.clone(), currency.clone());
    let currency = &after.costs.currency;
    let change = changes.entry(key(currency)).or_insert_with(|| empty(currency));
    change.charges += 1;
    change.unpriced_before += lacking(before);
    change.unpriced_after += lacking(after);
    change.cost_after.accrue(after.costs.effective.unwrap_or_default())?;
    if let Some(cost) = before.costs.effective {
        let currency = &before.costs.currency;
        changes.entry(key(currency)).or_insert_with(|| empty(currency)).cost_before.accrue(cost)?;
    }
    Ok(())
}
