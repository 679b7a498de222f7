//! One table on its thread: read, buffer, flush. The table owns its offsets; the log only remembers them for retention.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use schemas::Skip;

use super::LocalLog;
use super::driver::{Activity, FlushRequest};
use super::writer::{Place, Request};
use crate::clock;
use crate::log::{Log, StoredRecord};
use crate::processor::{Halt, Record, Table, topic_number};
use crate::shutdown::Shutdown;
use crate::telemetry::{Outcome, Telemetry, Watch};

/// Bytes read at a time from one partition.
const READ_BYTES: usize = 4 << 20;

/// Waits at most this long before it asks again whether a flush is due.
const LOOK: Duration = Duration::from_millis(200);

/// Waits between attempts while the store is away: from, to.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// One table on all partitions of its input.
pub(super) struct TableLane {
    log: Arc<LocalLog>,
    table: Box<dyn Table>,
    name: Arc<str>,
    input: String,
    activity: Arc<Activity>,
    flush: Arc<FlushRequest>,
    bytes_max: usize,
    partitions: Vec<Partition>,
    /// Orders of operators, read when a partition has stopped.
    orders: Arc<Vec<Skip>>,
    backoff: Duration,
}

struct Partition {
    number: u32,
    slot: usize,
    /// Next offset to buffer.
    position: i64,
    /// Records buffered since the last flush.
    buffered: usize,
    /// Record the table cannot take: it stops before it until an operator has it skipped.
    halted: Option<Halt>,
    watch: Watch,
}

/// Name under which a table's positions are kept.
pub(super) fn reader(table: &str) -> Arc<str> {
    format!("table:{table}").into()
}

impl TableLane {
    pub(super) fn start(
        log: Arc<LocalLog>,
        table: Box<dyn Table>,
        activity: Arc<Activity>,
        flush: Arc<FlushRequest>,
        telemetry: &Arc<Telemetry>,
        bytes_max: usize,
    ) -> Result<Self> {
        let (name, input) = (table.name().to_owned(), table.input().to_owned());
        let mut partitions = Vec::new();
        for number in 0..log.topic(&input)?.partitions {
            let watch = telemetry.watch(&name, &input, number);
            let slot = log.slot(&input, number)?;
            partitions.push(Partition { number, slot, position: 0, buffered: 0, halted: None, watch });
        }
        let name = reader(&name);
        Ok(TableLane {
            log,
            table,
            name,
            input,
            activity,
            flush,
            bytes_max,
            partitions,
            orders: Arc::default(),
            backoff: BACKOFF.0,
        })
    }

    /// Works until told to stop; what is buffered then is written first.
    pub(super) fn run(mut self, shutdown: &Shutdown) -> Result<()> {
        self.orders = Arc::new(crate::log::skips(&*self.log)?);
        self.table.heed(&self.orders);
        self.table.comes_from(Some(topic_number(&self.log.identity()?)));
        self.assign(shutdown)?;
        while !shutdown.is_set() {
            let seen = self.log.shared().heads().commits;
            let read = self.fill()?;
            let full = self.table.buffered_bytes() >= self.bytes_max;
            let asked = self.flush.pending(|slot| self.partitions.iter().find(|p| p.slot == slot).map(|p| p.position));
            if full || asked.is_some() || self.table.due(clock::now()) {
                if !self.flush(shutdown)? {
                    continue;
                }
                if let Some(request) = asked {
                    self.flush.answer(request);
                    self.log.shared().wake();
                }
            } else if !read {
                self.log.shared().wait(seen, LOOK);
            }
        }
        if self.partitions.iter().any(|partition| partition.buffered > 0) {
            // Not needed for correctness: what is not written is read again.
            self.flush(shutdown)?;
        }
        Ok(())
    }

    /// Takes all partitions over at the table's own offsets, however long its store is away.
    fn assign(&mut self, shutdown: &Shutdown) -> Result<()> {
        let numbers: Vec<u32> = self.partitions.iter().map(|partition| partition.number).collect();
        loop {
            let assigned = self.table.assign(&numbers).and_then(|positions| {
                for partition in &mut self.partitions {
                    let place = positions.iter().find(|(number, _)| *number == partition.number);
                    let (_, position) =
                        place.with_context(|| format!("no position for partition {}", partition.number))?;
                    partition.position = match position {
                        Some(position) => *position,
                        None => self.log.range(&self.input, partition.number)?.start,
                    };
                    partition.buffered = 0;
                    partition.watch.running();
                }
                Ok(())
            });
            match assigned {
                Ok(()) => return self.agree(),
                Err(error) => {
                    tracing::warn!(
                        table = self.table.name(),
                        error = format!("{error:#}"),
                        "table cannot be opened; trying again"
                    );
                    self.partitions.iter().for_each(|partition| partition.watch.beat());
                    if self.wait(shutdown) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Fails where the table was filled from another file, or from this one before it was put back to an earlier state.
    fn agree(&self) -> Result<()> {
        for partition in &self.partitions {
            let (table, number, position) = (self.table.name(), partition.number, partition.position);
            if let Some(halt) = self.table.refuses(number) {
                let skip = halt.skip(table, &self.input, number).unwrap_or_default();
                bail!("the table {table} cannot go on: {halt} (in full: `{skip}`)");
            }
            let end = self.log.range(&self.input, number)?.end;
            ensure!(
                position <= end,
                "the table {table} has {}/{number} up to {position}, and it ends at {end}: put the folder and its lake back to the same \
                 moment, or choose another --lake",
                self.input
            );
        }
        Ok(())
    }

    /// Waits, longer each time; true when it is time to stop.
    fn wait(&mut self, shutdown: &Shutdown) -> bool {
        let wait = self.backoff;
        self.backoff = (wait * 2).min(BACKOFF.1);
        shutdown.wait(wait)
    }

    /// Buffers what there is, up to the bound; false when nothing was waiting.
    fn fill(&mut self) -> Result<bool> {
        let mut read = false;
        for index in 0..self.partitions.len() {
            let partition = &mut self.partitions[index];
            partition.watch.beat();
            if self.table.buffered_bytes() >= self.bytes_max || self.table.is_full() {
                continue;
            }
            if partition.position >= self.log.shared().heads().next[partition.slot] {
                continue;
            }
            let mut records = self.log.read(&self.input, partition.number, partition.position, READ_BYTES)?;
            let mut next = records.last().map_or(partition.position, |last| last.offset + 1);
            if let Some(stop) = partition.halted.as_ref().and_then(Halt::offset) {
                if self.is_lifted(index)? {
                    self.pass(index, stop);
                } else {
                    records.retain(|record| record.offset < stop);
                    next = next.min(stop);
                }
            }
            let partition = &mut self.partitions[index];
            if next == partition.position {
                continue;
            }
            let ours = |skip: &&Skip| skip.is_for(self.table.name(), &self.input, partition.number);
            let orders: Vec<&Skip> = self.orders.iter().filter(ours).collect();
            records.retain(|record| !orders.iter().any(|skip| skip.leaves_out(record.offset)));
            let borrowed: Vec<Record<'_>> = records.iter().map(StoredRecord::borrow).collect();
            match self.table.append(partition.number, &borrowed, next) {
                Ok(()) => {
                    partition.position = next;
                    partition.buffered += records.len();
                    read = true;
                }
                Err(halt) => self.halt(index, halt)?,
            }
        }
        Ok(read)
    }

    /// Stops a partition at a record. What of it is buffered is dropped, then read again up to that record.
    fn halt(&mut self, index: usize, halt: Halt) -> Result<()> {
        let partition = &mut self.partitions[index];
        tracing::error!(table = self.table.name(), partition = partition.number, %halt, "partition halted");
        partition.watch.halted(&halt);
        self.activity.halted(&self.name, partition.number, Some(halt.to_string()));
        if halt.offset().is_none() {
            bail!("table {} cannot go on: {halt}", self.table.name());
        }
        self.table.revoke(&[partition.number]);
        let positions = self.table.assign(&[partition.number]).context("open the table again")?;
        partition.position = match positions.first() {
            Some((_, Some(position))) => *position,
            _ => self.log.range(&self.input, partition.number)?.start,
        };
        partition.buffered = 0;
        partition.halted = Some(halt);
        Ok(())
    }

    /// Goes on at the record it stopped at, or past it, by order of an operator.
    fn pass(&mut self, index: usize, stop: i64) {
        let partition = &mut self.partitions[index];
        let table = self.table.name();
        tracing::warn!(table, partition = partition.number, offset = stop, "goes on by order of an operator");
        partition.halted = None;
        partition.watch.running();
        self.activity.halted(&self.name, partition.number, None);
    }

    /// Whether an operator lets a halted partition go on.
    fn is_lifted(&mut self, index: usize) -> Result<bool> {
        self.orders = Arc::new(crate::log::skips(&*self.log)?);
        self.table.heed(&self.orders);
        let Partition { number, halted: Some(halt), .. } = &self.partitions[index] else { return Ok(false) };
        Ok(halt.is_lifted(&self.orders, self.table.name(), &self.input, *number))
    }

    /// Writes what is buffered; on an error the table says anew where it stands. False when it was not written.
    fn flush(&mut self, shutdown: &Shutdown) -> Result<bool> {
        let began = Instant::now();
        if let Err(error) = self.table.flush(clock::now()) {
            tracing::warn!(
                table = self.table.name(),
                error = format!("{error:#}"),
                "flush failed; reading again from the table's own offsets"
            );
            let numbers: Vec<u32> = self.partitions.iter().map(|partition| partition.number).collect();
            self.table.revoke(&numbers);
            self.partitions.iter().for_each(|partition| partition.watch.aborted(Outcome::Unknown));
            if !self.wait(shutdown) {
                self.assign(shutdown)?;
            }
            return Ok(false);
        }
        self.backoff = BACKOFF.0;
        let mut request = Request::default();
        for partition in &mut self.partitions {
            let lag = self.log.shared().heads().next[partition.slot] - partition.position;
            partition.watch.flushed(std::mem::take(&mut partition.buffered), began.elapsed(), lag);
            let place = Place { next_offset: partition.position, transaction: 0, all_out: true };
            request.positions.push(self.log.prepare_position(&self.name, partition.slot, place));
        }
        // Only retention looks at it, and an old position keeps records longer, never shorter.
        if let Err(error) = self.log.write(request) {
            tracing::warn!(%error, "position of a table not remembered");
        }
        Ok(true)
    }
}
