//! One stage on its thread: read, process, commit, promote.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use schemas::codec::Format;
use schemas::{LedgerEntry, topics};

use super::LocalLog;
use super::driver::Activity;
use super::writer::{Place, Request};
use crate::again::Again;
use crate::books::{BOOKS_KEY, Books};
use crate::clock;
use crate::follow::Follower;
use crate::heartbeat;
use crate::log::{Log, StoredRecord, ledger_key, scan};
use crate::processor::{Halt, OutRecord, Output, Processor, Record, Source, Stage, Tick};
use crate::shutdown::Shutdown;
use crate::telemetry::{Commit, Outcome, Telemetry, Watch};

/// A halted partition looks this often whether it may go on.
const HALTED_RETRY: Duration = Duration::from_secs(1);

/// Least bytes read at a time from one partition, however many there are.
const READ_BYTES_MIN: usize = 1 << 20;

/// One stage on all partitions of its input.
pub(super) struct Lane {
    log: Arc<LocalLog>,
    name: Arc<str>,
    input: String,
    changelog: Arc<str>,
    format: Format<LedgerEntry>,
    follower: Arc<Mutex<Follower>>,
    activity: Arc<Activity>,
    read_bytes_max: usize,
    partitions: Vec<Partition>,
}

struct Partition {
    number: u32,
    slot: usize,
    processor: Box<dyn Processor>,
    books: Books,
    position: i64,
    life: Life,
    /// `None` until it has said in this run where it stands.
    committed_at: Option<Instant>,
    watch: Arc<Watch>,
}

enum Life {
    Running,
    /// Stopped at a record; looks again now and then.
    Halted {
        reason: Halt,
        tried: Instant,
    },
    /// Its state could not be restored: only a new start helps.
    Unusable,
}

/// The input of a stage, for what was read from it before.
fn again(log: &Arc<LocalLog>, topic: &str) -> Again {
    let (log, topic) = (log.clone(), topic.to_owned());
    Again::new(move |partition, offset| {
        let found = log.read(&topic, partition, offset, 1)?;
        Ok(found.into_iter().find(|record| record.offset == offset).and_then(|record| record.payload))
    })
}

/// What one partition wants committed.
struct Pending {
    /// Place in the lane.
    index: usize,
    began: Instant,
    position: i64,
    output: Output,
    books: LedgerEntry,
    records: usize,
    bytes: usize,
}

impl Lane {
    /// Takes over every partition of the stage's input and restores its state.
    pub(super) fn start(
        log: Arc<LocalLog>,
        stage: &dyn Stage,
        follower: Arc<Mutex<Follower>>,
        activity: Arc<Activity>,
        telemetry: &Arc<Telemetry>,
        batch_bytes_max: usize,
    ) -> Result<Self> {
        let count = log.topic(stage.input())?.partitions;
        let mut targets = std::collections::HashMap::new();
        for topic in stage.outputs() {
            let partitions = log.topic(&topic)?.partitions;
            targets.insert(topic, partitions);
        }
        let targets = Arc::new(targets);
        let mut lane = Lane {
            name: stage.name().into(),
            input: stage.input().to_owned(),
            changelog: topics::changelog(stage.name(), stage.input()).into(),
            format: Format::new(),
            follower,
            activity,
            read_bytes_max: (batch_bytes_max / count as usize).max(READ_BYTES_MIN),
            partitions: Vec::new(),
            log,
        };
        // All are announced before the first is restored: the service is ready when all of them are.
        let watches: Vec<_> =
            (0..count).map(|number| Arc::new(telemetry.watch(&lane.name, &lane.input, number))).collect();
        for (number, watch) in (0..count).zip(watches.iter().cloned()) {
            let source = Source {
                topic: stage.input().into(),
                partition: number,
                partitions: count,
                generation: 0,
                targets: targets.clone(),
                again: again(&lane.log, stage.input()),
            };
            let mut partition = Partition {
                number,
                slot: lane.log.slot(stage.input(), number)?,
                processor: stage.processor(&source),
                books: Books::new(stage.name(), source),
                position: 0,
                life: Life::Running,
                committed_at: None,
                watch,
            };
            match lane.restore(&mut partition, &watches)? {
                Ok(()) => partition.watch.running(),
                Err(halt) => {
                    tracing::error!(stage = %lane.name, topic = %lane.input, partition = number, %halt, "partition cannot start");
                    partition.watch.halted(&halt);
                    lane.activity.halted(&lane.name, number, Some(halt.to_string()));
                    partition.life = Life::Unusable;
                }
            }
            lane.partitions.push(partition);
        }
        Ok(lane)
    }

    /// Reads the changelog back and checks that it and the committed offset are of the same transaction.
    fn restore(&self, partition: &mut Partition, lane: &[Arc<Watch>]) -> Result<Result<(), Halt>> {
        let mut last: Option<LedgerEntry> = None;
        let mut failed: Option<Halt> = None;
        scan(&*self.log, &self.changelog, partition.number, 0, |record| {
            let key = record.key.as_deref().unwrap_or_default();
            let restored = match (key == BOOKS_KEY, &record.payload) {
                (true, Some(payload)) => match self.format.decode(payload) {
                    Ok(entry) => {
                        last = Some(entry);
                        Ok(())
                    }
                    Err(error) => {
                        Err(Halt::State(format!("books in {} offset {}: {error}", self.changelog, record.offset)))
                    }
                },
                (true, None) => Ok(()),
                (false, payload) => partition.processor.restore(key, payload.as_deref()),
            };
            if record.offset % 1024 == 0 {
                // Those that wait for their turn are not stuck either.
                lane.iter().for_each(|watch| watch.beat());
            }
            if let Err(halt) = restored {
                failed.get_or_insert(halt);
            }
            Ok(())
        })?;
        if let Some(halt) = failed {
            return Ok(Err(halt));
        }
        let committed = self.log.shared().heads().places.get(&(self.name.clone(), partition.slot)).copied();
        let committed = committed.map(|place| (place.next_offset, place.transaction));
        let restored = last.as_ref().map(|entry| (entry.next_offset, entry.transaction));
        if committed != restored {
            let say = |state: Option<(i64, i64)>| match state {
                Some((offset, number)) => format!("transaction {number} at offset {offset}"),
                None => "nothing".to_owned(),
            };
            return Ok(Err(Halt::State(format!(
                "the changelog {}/{} holds {} and the committed offset is of {}: they were not written together. Restore the whole data folder from one backup, or replay its input into a new one",
                self.changelog,
                partition.number,
                say(restored),
                say(committed),
            ))));
        }
        match last {
            Some(entry) => {
                partition.position = entry.next_offset;
                partition.books.restore(entry);
            }
            None => {
                partition.position = self.log.range(&self.input, partition.number)?.start;
                partition.books.advance(partition.position, partition.position);
            }
        }
        Ok(partition.processor.restored())
    }

    /// Works until told to stop.
    pub(super) fn run(mut self, shutdown: &Shutdown) -> Result<()> {
        while !shutdown.is_set() {
            let seen = self.log.shared().heads().commits;
            let pending = self.step()?;
            if pending.is_empty() {
                // Never zero: a halted partition has been due for long.
                self.log.shared().wait(seen, self.rest().clamp(Duration::from_millis(10), heartbeat::EVERY));
            } else if !self.commit(pending)? {
                // The world is down (a full disk): what was undone is read again.
                shutdown.wait(Duration::from_secs(1));
            }
        }
        Ok(())
    }

    fn heartbeat(&self) -> Duration {
        heartbeat::after(self.activity.quiet_for())
    }

    /// How long there is nothing to do if no records come.
    fn rest(&self) -> Duration {
        let (heartbeat, now) = (self.heartbeat(), clock::now());
        let rest = |partition: &Partition| {
            let beat = partition.committed_at.map_or(Duration::ZERO, |at| heartbeat.saturating_sub(at.elapsed()));
            let held = partition.processor.due_at().filter(|_| matches!(partition.life, Life::Running));
            let held = held.map(|at| Duration::from_micros(at.micros_since(now).try_into().unwrap_or(0)));
            held.map_or(beat, |held| held.min(beat))
        };
        self.partitions.iter().map(rest).min().unwrap_or(heartbeat::EVERY)
    }

    /// Processes what waits in every partition, a bounded part of it.
    fn step(&mut self) -> Result<Vec<Pending>> {
        let skips = {
            let mut follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
            follower.refresh(&*self.log)?;
            follower.skips()
        };
        let (heartbeat, hurry) = (self.heartbeat(), self.activity.hurry());
        let mut all = Vec::new();
        for index in 0..self.partitions.len() {
            let partition = &mut self.partitions[index];
            partition.watch.beat();
            match &partition.life {
                Life::Unusable => continue,
                Life::Halted { tried, .. } if tried.elapsed() < HALTED_RETRY => continue,
                Life::Running | Life::Halted { .. } => {}
            }
            let began = Instant::now();
            // The clock before the end: what arrives after the end was looked at is not earlier than this.
            let now = clock::now();
            let end = self.log.shared().heads().next[partition.slot];
            let records = match partition.position < end {
                true => self.log.read(&self.input, partition.number, partition.position, self.read_bytes_max)?,
                false => Vec::new(),
            };
            let due = partition.committed_at.is_none_or(|at| at.elapsed() >= heartbeat)
                || partition.processor.due_at().is_some_and(|at| at <= now || hurry);
            if records.is_empty() && !due {
                continue;
            }
            let moment = Tick { now, caught_up: false, hurry, skips: skips.clone() };
            match partition.take(&records, &moment, end) {
                Ok(taken) => all.push(Pending { index, began, ..taken }),
                Err(reason) => {
                    let known = matches!(&partition.life, Life::Halted { reason: known, .. } if *known == reason);
                    if !known {
                        // Said once, not with every look.
                        tracing::error!(stage = %self.name, topic = %self.input, partition = partition.number, %reason, "partition halted");
                        partition.watch.halted(&reason);
                        self.activity.halted(&self.name, partition.number, Some(reason.to_string()));
                    }
                    partition.life = Life::Halted { reason, tried: Instant::now() };
                }
            }
        }
        Ok(all)
    }

    /// Writes outputs, state changes and offsets of all pending partitions in one transaction; false when it was undone.
    fn commit(&mut self, mut all: Vec<Pending>) -> Result<bool> {
        let mut request = Request::default();
        let mut work = false;
        for pending in &mut all {
            let partition = &self.partitions[pending.index];
            let output = std::mem::take(&mut pending.output);
            work |= partition.books.moved(&output);
            for record in output.records {
                request.appends.push(self.log.prepare(record).context("write an output")?);
            }
            let books = Bytes::from(self.format.encode(&pending.books));
            let changes = output.changes.into_iter().chain([(Bytes::from_static(BOOKS_KEY), Some(books.clone()))]);
            for (key, payload) in changes {
                let record = out(&self.changelog, partition.number, key, payload);
                request.appends.push(self.log.prepare(record).context("write the changelog")?);
            }
            let key = ledger_key(&self.name, &self.input, partition.number);
            request.appends.push(self.log.prepare(out(&topics::LEDGER.into(), 0, key.into(), Some(books)))?);
            let place = Place {
                next_offset: pending.position,
                transaction: pending.books.transaction,
                all_out: partition.processor.due_at().is_none(),
            };
            request.positions.push(self.log.prepare_position(&self.name, partition.slot, place));
        }
        if work {
            self.activity.worked();
        }
        if let Err(error) = self.log.write(request) {
            for pending in &all {
                let partition = &mut self.partitions[pending.index];
                partition.undo();
                partition.watch.aborted(Outcome::Aborted);
            }
            if self.log.shared().heads().failed.is_some() {
                bail!("{error:#}");
            }
            tracing::warn!(stage = %self.name, %error, "transaction undone; trying again");
            return Ok(false);
        }
        for pending in all {
            let partition = &mut self.partitions[pending.index];
            partition.processor.promote();
            partition.books.promote();
            partition.position = pending.position;
            partition.committed_at = Some(Instant::now());
            if matches!(partition.life, Life::Halted { .. }) {
                tracing::info!(stage = %self.name, topic = %self.input, partition = partition.number, "partition goes on");
                partition.life = Life::Running;
                partition.watch.running();
                self.activity.halted(&self.name, partition.number, None);
            }
            let lag = self.log.shared().heads().next[partition.slot] - partition.position;
            partition.watch.committed(&Commit {
                books: &pending.books,
                records: pending.records,
                bytes: pending.bytes,
                took: pending.began.elapsed(),
                lag,
                state_bytes: partition.processor.state_bytes(),
            });
        }
        Ok(true)
    }
}

impl Partition {
    /// Processes the records, or those before the one it stops at: what comes before a bad record is good and goes on.
    fn take(&mut self, records: &[StoredRecord], moment: &Tick, end: i64) -> Result<Pending, Halt> {
        let mut taken = records;
        loop {
            let position = taken.last().map_or(self.position, |last| last.offset + 1);
            let tick = Tick { caught_up: position >= end, ..moment.clone() };
            match self.process(taken, &tick) {
                Ok((output, books)) => {
                    let bytes = taken.iter().map(StoredRecord::size).sum();
                    let (records, began) = (taken.len(), Instant::now());
                    return Ok(Pending { index: 0, began, position, output, books, records, bytes });
                }
                Err(halt) => {
                    self.undo();
                    let good = halt.offset().map_or(0, |at| taken.partition_point(|record| record.offset < at));
                    if good == 0 || good == taken.len() {
                        return Err(halt);
                    }
                    taken = &taken[..good];
                }
            }
        }
    }

    fn process(&mut self, records: &[StoredRecord], tick: &Tick) -> Result<(Output, LedgerEntry), Halt> {
        let mut output = Output::default();
        if let Some(last) = records.last() {
            let borrowed: Vec<Record<'_>> = records.iter().map(StoredRecord::borrow).collect();
            self.processor.process(&borrowed, tick, &mut self.books)?;
            self.books.advance(self.position, last.offset + 1);
        }
        self.processor.finish(tick, &mut self.books, &mut output)?;
        Ok((output, self.books.close(tick.now)))
    }

    fn undo(&mut self) {
        self.processor.undo();
        self.books.undo();
    }
}

fn out(topic: &Arc<str>, partition: u32, key: Bytes, payload: Option<Bytes>) -> OutRecord {
    OutRecord { topic: topic.clone(), partition, key: Some(key), payload, headers: Vec::new(), timestamp: None }
}
