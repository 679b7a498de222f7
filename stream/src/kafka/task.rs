//! One source partition of a lane: its books, its processor, and how far it is from working.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use schemas::codec::Format;
use schemas::{LedgerEntry, Skip, Timestamp};

use super::changelog::{Ends, Kept, Refused};
use super::doubt::{Hearing, Silence};
use super::fate::{self, Mark, Standing, Start};
use super::origin::Origin;
use super::reader::{Read, Reader, Unreadable};
use crate::books::Books;
use crate::processor::{Halt, Output, Processor, Record, Source, Stage, Tick};
use crate::settings::Settings;
use crate::telemetry::{Telemetry, Watch};

/// How far a partition is from working.
pub(crate) enum Phase {
    /// Reading its changelog; the partition is paused.
    Restoring(Restore),
    /// Its state is right; the consumer still has to be put to where it begins.
    Starting,
    /// Taking records.
    Running,
    /// Stopped, and waiting for an operator.
    Halted(Halted),
}

/// A stopped partition.
#[derive(Debug)]
pub(crate) struct Halted {
    /// Why.
    pub(crate) reason: Halt,
    /// Orders known when it stopped: only a later one can help.
    skips: usize,
    cure: Cure,
    at: Instant,
}

/// What makes a stopped partition go on in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cure {
    /// An order of an operator, or reference data.
    Order,
    /// That changelog and offset agree after all. It is looked again after so long.
    Agreement(Duration),
    /// An order to go on with what is left of its changelog.
    Ordered,
    /// Nothing: its changelog cannot be used.
    Restart,
}

/// A partition whose changelog disagrees with its offset reads it again this often, or as rarely that it does so a tenth of
/// the time: somebody may have put back what was changed, or a transaction that stayed open hides the end of it.
const READ_AGAIN: Duration = Duration::from_secs(30);

/// A changelog says again what it is about when it last did so this long ago: entries expire.
const ORIGIN_EVERY: Duration = Duration::from_secs(86_400);

/// So many readers in a row are told that a changelog is not there before that is believed.
const DENIALS_MAX: u32 = 3;

/// A partition that stopped for want of usable reference data looks again this often: new data may have come.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// A restore under way.
#[derive(Default)]
pub(crate) struct Restore {
    /// What the group's offset says, once it was answered.
    pub(crate) offset: Option<Option<Standing>>,
    /// When it was last asked for.
    pub(crate) asked_at: Option<Instant>,
    reader: Option<Reader>,
    /// Where the next reader begins, where this one gives nothing any more.
    next: Option<i64>,
    /// How long that lasts.
    silence: Silence,
    /// Readers that were told that the changelog is not there, one after the other.
    denied: u32,
    kept: Option<Box<Kept>>,
    at_end: bool,
    /// True when it was seen that the changelog holds all it should, or what is left of it is to do.
    whole: bool,
    entries: u64,
    disagree_since: Option<Instant>,
    began: Option<Instant>,
    /// True where it disagreed before: markers have had their time to land.
    again: bool,
}

/// One source partition of a lane.
pub(crate) struct Task {
    pub(crate) source: Source,
    pub(crate) books: Books,
    pub(crate) processor: Box<dyn Processor>,
    pub(crate) phase: Phase,
    /// Mark of the last committed transaction, as it stands in the offset's metadata.
    pub(crate) mark: Option<Mark>,
    /// True when nothing more was waiting.
    pub(crate) at_end: bool,
    /// True when records were processed in the open transaction. A partition that stopped before a bad record commits
    /// what came before it.
    pub(crate) dirty: bool,
    /// The record it cannot take, and why: what comes before it is processed and committed first.
    stop_before: Option<(i64, Halt)>,
    /// What was last reported, so that it is said once.
    reported: Option<Halt>,
    /// Records and bytes processed in the open transaction.
    pub(crate) taken: (usize, usize),
    /// What the group's offset said: where it will go on, while its books are not read yet.
    pub(crate) group_offset: Option<i64>,
    /// When its changelog last said what it is about.
    origin_at: Option<Instant>,
    /// Where its changelog ended when, where that is kept by time.
    pub(crate) ends: Ends,
    /// When it was last asked how far it is behind.
    pub(crate) lag_asked_at: Instant,
    pub(crate) hearing: Hearing,
    pub(crate) watch: Watch,
}

/// What one partition adds to a transaction.
pub(crate) struct Closed {
    pub(crate) output: Output,
    pub(crate) entry: LedgerEntry,
}

impl Task {
    /// A partition that was just taken over.
    pub(crate) fn new(stage: &dyn Stage, source: Source, telemetry: &Arc<Telemetry>) -> Self {
        Task {
            watch: telemetry.watch(stage.name(), &source.topic, source.partition),
            books: Books::new(stage.name(), source.clone()),
            processor: stage.processor(&source),
            source,
            phase: Phase::Restoring(Restore::default()),
            mark: None,
            at_end: false,
            dirty: false,
            stop_before: None,
            reported: None,
            taken: (0, 0),
            group_offset: None,
            origin_at: None,
            ends: Ends::default(),
            lag_asked_at: Instant::now(),
            hearing: Hearing::default(),
        }
    }

    /// True when its changelog should say what it is about.
    pub(crate) fn wants_origin(&self) -> bool {
        self.origin_at.is_none_or(|at| at.elapsed() > ORIGIN_EVERY)
    }

    /// Begins again from the changelog.
    pub(crate) fn forget(&mut self, stage: &dyn Stage) {
        self.books = Books::new(stage.name(), self.source.clone());
        self.processor = stage.processor(&self.source);
        self.phase = Phase::Restoring(Restore::default());
        (self.mark, self.at_end, self.dirty, self.taken, self.stop_before) = (None, false, false, (0, 0), None);
        self.origin_at = None;
    }

    pub(crate) fn running(&self) -> bool {
        matches!(self.phase, Phase::Running)
    }

    /// True when it takes part in transactions: working, or only waiting to be put to its position, or stopped with
    /// something left to commit.
    pub(crate) fn restored(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Starting) || self.dirty
    }

    fn tick(&self, now: Timestamp, skips: &Arc<Vec<Skip>>) -> Tick {
        Tick { now, caught_up: self.at_end, hurry: false, skips: skips.clone() }
    }

    /// Takes a run of records. On a halt the partition is as it was before the transaction.
    pub(crate) fn process(
        &mut self,
        messages: &[BorrowedMessage<'_>],
        now: Timestamp,
        skips: &Arc<Vec<Skip>>,
    ) -> Result<(), Halt> {
        let from = self.books.next_offset().unwrap_or(0);
        let bound = self.stop_before.as_ref().map_or(i64::MAX, |(offset, _)| *offset);
        let wanted = messages.iter().filter(|message| (from..bound).contains(&message.offset()));
        let records: Vec<Record<'_>> = wanted.map(record).collect();
        if let (Some(first), Some(last)) = (records.first(), records.last()) {
            self.dirty = true;
            self.books.advance(first.offset, last.offset + 1);
            let tick = self.tick(now, skips);
            if let Err(halt) = self.processor.process(&records, &tick, &mut self.books) {
                return self.stop(halt, skips.len());
            }
            self.taken.0 += records.len();
            self.taken.1 += records.iter().map(|record| record.payload.map_or(0, <[u8]>::len)).sum::<usize>();
        }
        match &self.stop_before {
            Some((offset, halt)) if messages.iter().any(|message| message.offset() >= *offset) => {
                let halt = halt.clone();
                self.rest(halt.clone(), skips.len(), Cure::Order);
                Err(halt)
            }
            _ => Ok(()),
        }
    }

    /// It cannot take a record. What came before it in the transaction is undone with it, and taken again alone; then the
    /// partition stops.
    fn stop(&mut self, halt: Halt, skips: usize) -> Result<(), Halt> {
        let offset = halt.offset();
        self.undo();
        match offset.filter(|offset| self.books.next_offset().is_some_and(|next| next < *offset)) {
            Some(offset) if self.stop_before.is_none() => {
                self.stop_before = Some((offset, halt));
                self.phase = Phase::Starting;
                Ok(())
            }
            _ => Err(self.halt(halt, skips)),
        }
    }

    /// The records it was to read next are gone, `first` is the first there is. Nothing may be open.
    pub(crate) fn lose(&mut self, first: i64, skips: &[Skip]) -> Result<(), Halt> {
        if let Err(halt) = self.books.lose(first, skips) {
            self.rest(halt.clone(), skips.len(), Cure::Order);
            return Err(halt);
        }
        self.phase = Phase::Starting;
        Ok(())
    }

    /// Its topic was replaced by another one of the name: it stops, and what it took since the last commit is left out. `None` where
    /// it has stopped for something else, or compares its changelog anyway before it goes on.
    pub(crate) fn displaced(&mut self, why: &str) -> Option<Halt> {
        match &self.phase {
            Phase::Restoring(_) => return None,
            Phase::Halted(halted) if halted.cure != Cure::Order => return None,
            Phase::Halted(_) | Phase::Starting | Phase::Running => {}
        }
        self.undo();
        let halt = Halt::State(why.to_owned());
        self.rest(halt.clone(), 0, Cure::Restart);
        Some(halt)
    }

    fn rest(&mut self, reason: Halt, skips: usize, cure: Cure) {
        self.watch.halted(&reason);
        self.phase = Phase::Halted(Halted { reason, skips, cure, at: Instant::now() });
    }

    /// True the first time a halt is asked about.
    pub(crate) fn first_report(&mut self, halt: &Halt) -> bool {
        let new = self.reported.as_ref() != Some(halt);
        self.reported = Some(halt.clone());
        new
    }

    /// Closes its part of the transaction.
    pub(crate) fn close(&mut self, now: Timestamp, skips: &Arc<Vec<Skip>>) -> Result<Closed, Halt> {
        let tick = self.tick(now, skips);
        let mut output = Output::default();
        match self.processor.finish(&tick, &mut self.books, &mut output) {
            Ok(()) => Ok(Closed { output, entry: self.books.close(now) }),
            Err(halt) => Err(self.halt(halt, skips.len())),
        }
    }

    fn halt(&mut self, halt: Halt, skips: usize) -> Halt {
        self.undo();
        self.rest(halt.clone(), skips, Cure::Order);
        halt
    }

    /// The transaction is committed.
    pub(crate) fn promote(&mut self, mark: Mark) {
        self.processor.promote();
        self.books.promote();
        self.mark = Some(mark);
        if self.wants_origin() {
            self.origin_at = Some(Instant::now());
        }
        (self.dirty, self.taken) = (false, (0, 0));
    }

    /// The transaction is not committed.
    pub(crate) fn undo(&mut self) {
        self.processor.undo();
        self.books.undo();
        (self.dirty, self.taken) = (false, (0, 0));
        self.at_end = false;
    }

    /// Goes on when an operator has given an order since it stopped; true when there is one. Also looks again now and then
    /// when reference data was what was missing.
    pub(crate) fn resume(&mut self, stage: &str, skips: &[Skip]) -> bool {
        let Phase::Halted(halted) = &self.phase else { return false };
        let ours = |skip: &Skip| skip.is_for(stage, &self.source.topic, self.source.partition);
        let ordered = skips.iter().skip(halted.skips).any(ours);
        let look_again = matches!(halted.reason, Halt::State(_)) && halted.at.elapsed() > LOOK_AGAIN;
        if halted.cure != Cure::Order || self.dirty || !(ordered || look_again) {
            return false;
        }
        self.stop_before = None;
        self.phase = Phase::Starting;
        ordered
    }

    /// Reads its changelog once more when it disagreed with the offset and that was a while ago, or when what is left of it is to do.
    pub(crate) fn read_again(&mut self, stage: &dyn Stage, skips: &[Skip]) {
        let Phase::Halted(Halted { cure, at, reason, .. }) = &self.phase else { return };
        let (topic, partition) = (&self.source.topic, self.source.partition);
        match cure {
            Cure::Agreement(after) if at.elapsed() > *after => {
                self.forget(stage);
                self.phase = Phase::Restoring(Restore { again: true, ..Restore::default() });
            }
            Cure::Ordered if reason.is_lifted(skips, stage.name(), topic, partition) => self.forget(stage),
            _ => {}
        }
    }

    /// Reads on in the changelog, for this long at most. Once it is read and agrees with the group's offset, the
    /// partition may start.
    pub(crate) fn restore(
        &mut self,
        settings: &Settings,
        stage: &dyn Stage,
        format: &Format<LedgerEntry>,
        origin: &Origin,
        skips: &[Skip],
        budget: Duration,
    ) -> anyhow::Result<()> {
        let Phase::Restoring(restore) = &mut self.phase else { return Ok(()) };
        let began = *restore.began.get_or_insert_with(Instant::now);
        let partition = self.source.partition as i32;
        let reader = match &mut restore.reader {
            Some(reader) => reader,
            None => {
                let topic = schemas::topics::changelog(stage.name(), &self.source.topic);
                restore.reader.insert(Reader::open(&settings.connection, &topic, partition, restore.next)?)
            }
        };
        let kept = restore.kept.get_or_insert_with(|| Box::new(Kept::new(stage, self.source.clone())));
        let deadline = Instant::now() + budget;
        let (mut failed, mut trouble) = (None, None);
        while failed.is_none() && Instant::now() < deadline {
            match reader.next(Duration::from_millis(if restore.at_end { 0 } else { 5 })) {
                Ok(Read::Nothing) => break,
                Ok(Read::End(offset)) => {
                    (restore.at_end, restore.next, restore.denied) = (true, Some(offset), 0);
                    restore.silence.ends();
                }
                Err(error) => {
                    trouble = Some(error);
                    break;
                }
                Ok(Read::Record(fetched)) => {
                    restore.at_end = false;
                    restore.entries += 1;
                    restore.next = Some(fetched.offset() + 1);
                    restore.silence.ends();
                    match kept.take(stage, format, &fetched.record()) {
                        Ok(()) => {}
                        Err(Refused::Halt(halt)) => failed = Some(halt),
                        Err(Refused::Outdated(generation)) => bail!(
                            "the number of partitions was changed (topology generation {generation}) while this process \
                             ran with {}: start it again",
                            self.source.generation
                        ),
                    }
                }
            }
        }
        if let Some(reason) = failed {
            self.rest(reason, 0, Cure::Restart);
            return Ok(());
        }
        match trouble.as_ref().map(|error| error.downcast_ref::<Unreadable>()) {
            // Nobody has said yet where it begins: this reader does not ask again.
            Some(Some(unreadable)) if unreadable.is_gone() && restore.next.is_none() => {
                tracing::debug!(%unreadable, "the beginning of a changelog is not known yet");
                restore.reader = None;
                return Ok(());
            }
            Some(Some(unreadable)) if unreadable.is_gone() => {
                tracing::info!(%unreadable, "a changelog lost its beginning while it was read: reading it again");
                let asked = (restore.offset.take(), restore.asked_at);
                let began = restore.began;
                *restore = Restore { offset: asked.0, asked_at: asked.1, began, ..Restore::default() };
                return Ok(());
            }
            Some(Some(unreadable)) if unreadable.is_denied() && restore.denied < DENIALS_MAX => {}
            Some(_) => return trouble.map_or(Ok(()), Err),
            None => {}
        }
        if !restore.at_end && restore.silence.goes_on(Instant::now()) {
            let (stage, topic) = (stage.name(), &self.source.topic);
            tracing::warn!(stage, %topic, partition, "nothing comes of its changelog for long: reading on with another client");
            self.watch.client_replaced();
            restore.denied += u32::from(trouble.is_some());
            restore.reader = None;
            return Ok(());
        }
        let (true, Some(offset)) = (restore.at_end, restore.offset) else { return Ok(()) };
        if let Some(why) = kept.origin.as_ref().and_then(|kept| kept.unusable(origin, &self.source.topic)) {
            self.rest(Halt::State(why), 0, Cure::Restart);
            return Ok(());
        }
        if !restore.whole {
            let first = match reader.range() {
                Ok((first, _)) => first,
                Err(error) => {
                    tracing::info!(error = format!("{error:#}"), "cannot ask yet where a changelog begins");
                    // It is asked of another client, where this one does not answer for long.
                    if restore.silence.goes_on(Instant::now()) {
                        self.watch.client_replaced();
                        restore.reader = None;
                    }
                    return Ok(());
                }
            };
            if let Some(lost) = kept.lost(first, stage.needs()) {
                let changelog = schemas::topics::changelog(stage.name(), &self.source.topic);
                let halt = not_whole(&changelog, partition, first, &lost);
                if !halt.is_lifted(skips, stage.name(), &self.source.topic, self.source.partition) {
                    self.rest(halt, 0, Cure::Ordered);
                    return Ok(());
                }
                kept.ends.accept(first);
                tracing::warn!(%changelog, first, "goes on with what is left of its changelog, by order of an operator");
            }
            restore.whole = true;
        }
        match fate::start(kept.standing, offset) {
            Start::At(_) => {}
            Start::Earliest => {
                // Each time with a client of its own.
                let first = match first_offset(settings, &self.source) {
                    Ok(first) => first,
                    Err(error) => {
                        tracing::info!(error = format!("{error:#}"), "cannot ask yet where the partition begins");
                        return Ok(());
                    }
                };
                kept.books.advance(first, first);
                kept.books.promote();
            }
            Start::Disagree => {
                // The marker of the changelog may land after that of the offset: by as long as a transaction may last.
                let since = *restore.disagree_since.get_or_insert_with(Instant::now);
                if !restore.again && since.elapsed() <= settings.transaction_timeout + Duration::from_secs(10) {
                    return Ok(());
                }
                let Some(next) = fate::believed(kept.standing, offset) else {
                    let reason = Halt::State(fate::disagreement(kept.standing, offset));
                    let after = READ_AGAIN.max(since.duration_since(began) * 9);
                    self.rest(reason, 0, Cure::Agreement(after));
                    return Ok(());
                };
                let (stage, topic) = (stage.name(), &self.source.topic);
                tracing::warn!(stage, %topic, partition, next, "the group's offset is gone: the changelog says where to go on");
            }
        }
        if let Err(reason) = kept.processor.restored() {
            self.rest(reason, 0, Cure::Restart);
            return Ok(());
        }
        let (entries, took) = (restore.entries, began.elapsed());
        if let Some(kept) = restore.kept.take() {
            (self.books, self.processor, self.ends) = (kept.books, kept.processor, kept.ends);
        }
        tracing::info!(
            stage = stage.name(),
            topic = %self.source.topic,
            partition,
            entries,
            millis = took.as_millis() as u64,
            transaction = self.books.transaction(),
            offset = self.books.next_offset(),
            "state restored"
        );
        self.phase = Phase::Starting;
        Ok(())
    }
}

/// A changelog that does not hold all it should.
pub(crate) fn not_whole(changelog: &str, partition: i32, first: i64, lost: &str) -> Halt {
    Halt::Unfounded {
        why: format!(
            "{changelog}/{partition} begins at offset {first}: {lost} was deleted, and with it state of this partition. Compaction does not do \
             that: somebody deleted records, or lowered retention.ms or retention.bytes, or gave the topic another cleanup.policy \
             (`spendstream topics diff` shows what differs). Restore the topic from before, or build the state anew \
             (deploy/RUNBOOK.md); only where both are out of the question go on with what is left"
        ),
        source_topic: changelog.to_owned(),
        source_partition: partition,
        sequence: first,
    }
}

/// The first offset a partition has: where a stage begins that never worked on it.
fn first_offset(settings: &Settings, source: &Source) -> anyhow::Result<i64> {
    let reader = Reader::open(&settings.connection, &source.topic, source.partition as i32, None)?;
    Ok(reader.range()?.0)
}

/// A record as processors see it, borrowed from librdkafka's memory.
pub(crate) fn record<'a>(message: &'a BorrowedMessage<'_>) -> Record<'a> {
    let headers = message
        .headers()
        .map(|headers| headers.iter().map(|header| (header.key, header.value.unwrap_or_default())).collect::<Vec<_>>());
    Record {
        offset: message.offset(),
        timestamp: Timestamp::from_millis(message.timestamp().to_millis().unwrap_or(0).max(0)),
        key: message.key(),
        payload: message.payload(),
        headers: headers.unwrap_or_default(),
    }
}
