//! A lane: one thread that polls, processes, produces and commits its share of one stage's partitions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::codec::Format;
use schemas::{LedgerEntry, topics};

use super::client::{self, ANSWER_TIMEOUT, Events, Rebalance};
use super::fate::{self, Fate, Mark, Outcome, Standing, Step};
use super::now;
use super::producer::{Failure, Producer, Write};
use super::task::{Closed, Phase, Task};
use super::watch::Watch;
use crate::books::BOOKS_KEY;
use crate::log::ledger_key;
use crate::processor::{Source, Stage};
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::telemetry::{self, Telemetry};

/// Most records taken from the client before they are processed.
const ROUND_RECORDS_MAX: usize = 10_000;

/// Every partition commits its books this often, with or without records: watermarks and the ledger move on.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// Changelogs read at the same time; each has connections of its own.
const RESTORES_MAX: usize = 4;

/// Time given to restoring before records of other partitions are looked at again.
const RESTORE_SLICE: Duration = Duration::from_millis(50);

/// Longest time closing a consumer may take.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// What every lane of a stage is made of.
#[derive(Clone)]
pub(crate) struct LaneOf {
    pub(crate) stage: Arc<dyn Stage>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) shutdown: Shutdown,
    pub(crate) telemetry: Arc<Telemetry>,
    /// Source of partition 0; the others differ in the partition alone.
    pub(crate) source: Source,
}

/// A lane at work.
pub(crate) struct Lane {
    of: LaneOf,
    /// Transactional id.
    id: String,
    consumer: BaseConsumer<Events>,
    producer: Option<Producer>,
    tasks: BTreeMap<i32, Task>,
    format: Format<LedgerEntry>,
    changelog: String,
    /// When the first record of the open transaction was taken.
    opened_at: Option<Instant>,
    beaten_at: Instant,
    /// When health was last told that the lane is not stuck.
    visited_at: Instant,
    bytes: usize,
    /// True while reading is paused because reference data is too old.
    stale: bool,
    /// Transactions failed in a row.
    failures: u32,
}

impl Lane {
    /// Runs until shutdown, or until something that only a restart or an operator can mend.
    pub(crate) fn run(of: LaneOf, number: usize) -> anyhow::Result<()> {
        let (settings, stage) = (&of.settings, of.stage.name());
        let (environment, instance) = (&settings.environment, &settings.instance);
        let group = format!("{environment}.{stage}.{}", of.stage.input());
        let member = format!("{environment}.{stage}.{instance}.{number}");
        let consumer: BaseConsumer<Events> = client::create(&client::member(settings, &group, &member))?;
        consumer.subscribe(&[of.stage.input()]).with_context(|| format!("subscribe to {}", of.stage.input()))?;
        let mut lane = Lane {
            id: format!("{group}.{instance}.{number}"),
            changelog: topics::changelog(stage, of.stage.input()),
            of,
            consumer,
            producer: None,
            tasks: BTreeMap::new(),
            format: Format::new(),
            opened_at: None,
            beaten_at: Instant::now(),
            visited_at: Instant::now(),
            bytes: 0,
            stale: false,
            failures: 0,
        };
        lane.producer = lane.open_producer()?;
        let worked = lane.work();
        let Lane { consumer, .. } = lane;
        client::close_bounded(consumer, CLOSE_MAX);
        worked
    }

    fn work(&mut self) -> anyhow::Result<()> {
        while !self.of.shutdown.is_set() {
            self.rebalance()?;
            self.restore()?;
            self.start();
            self.heed_orders();
            if self.heed_age()? {
                self.take(Duration::from_millis(50))?;
                continue;
            }
            self.take(self.patience())?;
            if self.due() {
                self.transact()?;
            }
        }
        self.leave()
    }

    /// How long polling may wait.
    fn patience(&self) -> Duration {
        let restoring = self.tasks.values().any(|task| matches!(task.phase, Phase::Restoring(_)));
        let starting = self.tasks.values().any(|task| matches!(task.phase, Phase::Starting));
        let most = if restoring { Duration::ZERO } else { Duration::from_millis(if starting { 5 } else { 100 }) };
        let interval = self.of.settings.commit_interval;
        let commit = self.opened_at.map_or(interval, |at| interval.saturating_sub(at.elapsed()));
        most.min(commit).min(BEAT_EVERY.saturating_sub(self.beaten_at.elapsed()))
    }

    /// True when the transaction should be committed now.
    fn due(&self) -> bool {
        let waited = self.opened_at.is_some_and(|at| at.elapsed() >= self.of.settings.commit_interval);
        waited || self.bytes >= self.of.settings.batch_bytes_max || self.beaten_at.elapsed() >= BEAT_EVERY
    }

    // ---- the group

    /// Answers what the group has told: commits before partitions go, restores what comes.
    fn rebalance(&mut self) -> anyhow::Result<()> {
        for event in self.consumer.context().take_rebalances() {
            match event {
                Rebalance::Assign(partitions) => {
                    let list = self.list(&partitions, Offset::Beginning)?;
                    self.consumer.incremental_assign(&list).context("take partitions over")?;
                    // Polled meanwhile, but nothing comes before its state is there.
                    self.consumer.pause(&self.list(&partitions, Offset::Invalid)?).context("pause partitions")?;
                    for partition in partitions {
                        let source = Source { partition: partition as u32, ..self.of.source.clone() };
                        self.tasks.insert(partition, Task::new(&*self.of.stage, source, &self.of.telemetry));
                    }
                }
                Rebalance::Revoke(partitions) => {
                    if self.consumer.assignment_lost() {
                        tracing::info!(lane = self.id, ?partitions, "partitions lost: uncommitted work is dropped");
                    } else {
                        self.transact()?;
                    }
                    partitions.iter().for_each(|partition| drop(self.tasks.remove(partition)));
                    let list = self.list(&partitions, Offset::Invalid)?;
                    self.consumer.incremental_unassign(&list).context("give partitions up")?;
                }
            }
        }
        Ok(())
    }

    fn list(&self, partitions: &[i32], offset: Offset) -> anyhow::Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition_offset(self.of.stage.input(), *partition, offset).context("list partitions")?;
        }
        Ok(list)
    }

    /// Asks what the group has committed for these partitions. `None` when it cannot be answered now, for example while
    /// a transaction that writes it is being settled.
    #[expect(clippy::type_complexity, reason = "named once, used once")]
    fn committed(&self, partitions: &[i32]) -> anyhow::Result<Option<BTreeMap<i32, Option<(i64, Option<Mark>)>>>> {
        let list = self.list(partitions, Offset::Invalid)?;
        let answer = match self.consumer.committed_offsets(list, Duration::from_secs(5)) {
            Ok(answer) => answer,
            Err(error) => {
                tracing::info!(lane = self.id, %error, "committed offsets are not available yet");
                return Ok(None);
            }
        };
        let mut committed = BTreeMap::new();
        for element in answer.elements() {
            if element.error().is_err() {
                return Ok(None);
            }
            let offset = match element.offset() {
                Offset::Offset(offset) => Some((offset, Mark::decode(element.metadata()))),
                _ => None,
            };
            committed.insert(element.partition(), offset);
        }
        Ok(Some(committed))
    }

    /// Restores for a while.
    fn restore(&mut self) -> anyhow::Result<()> {
        if self.visited_at.elapsed() > BEAT_EVERY {
            self.visited_at = Instant::now();
            self.tasks.values().for_each(|task| task.watch.beat());
        }
        let mut unknown = Vec::new();
        for (partition, task) in &mut self.tasks {
            if let Phase::Restoring(restore) = &mut task.phase
                && restore.offset.is_none()
                && restore.asked_at.is_none_or(|at| at.elapsed() > Duration::from_millis(200))
            {
                restore.asked_at = Some(Instant::now());
                unknown.push(*partition);
            }
        }
        let committed = if unknown.is_empty() { None } else { self.committed(&unknown)? };
        for (partition, found) in committed.into_iter().flatten() {
            let Some(task) = self.tasks.get_mut(&partition) else { continue };
            let Phase::Restoring(restore) = &mut task.phase else { continue };
            // An offset without our mark was set by somebody else: it will not agree with the changelog.
            let standing = found.as_ref().map(|(next_offset, mark)| Standing {
                transaction: mark.as_ref().map_or(-1, |mark| mark.transaction),
                next_offset: *next_offset,
            });
            restore.offset = Some(standing);
            task.mark = found.and_then(|(_, mark)| mark);
        }
        let restoring = self.tasks.values_mut().filter(|task| matches!(task.phase, Phase::Restoring(_)));
        for task in restoring.take(RESTORES_MAX) {
            let (settings, stage) = (&self.of.settings, &*self.of.stage);
            task.restore(settings, stage, &self.format, RESTORE_SLICE)
                .with_context(|| format!("restore {}/{}", task.source.topic, task.source.partition))?;
            if let Phase::Halted(halted) = &task.phase {
                report_halt(stage.name(), task, &halted.reason);
            }
        }
        Ok(())
    }

    /// Puts the consumer to where restored and undone partitions go on.
    fn start(&mut self) {
        let input = self.of.stage.input();
        for (partition, task) in &mut self.tasks {
            let (Phase::Starting, Some(offset)) = (&task.phase, task.books.next_offset()) else { continue };
            // Fails for a moment after an assignment, until the client has begun to fetch.
            let sought = self.consumer.seek(input, *partition, Offset::Offset(offset), Duration::from_secs(1));
            let mut list = TopicPartitionList::new();
            list.add_partition(input, *partition);
            let resumed = sought.and_then(|()| if self.stale { Ok(()) } else { self.consumer.resume(&list) });
            match resumed {
                Ok(()) => {
                    task.phase = Phase::Running;
                    task.watch.running();
                }
                Err(error) => tracing::debug!(input, partition, %error, "cannot start yet"),
            }
        }
    }

    /// Lets stopped partitions go on when an operator has said so.
    fn heed_orders(&mut self) {
        let skips = self.of.watch.skips();
        for task in self.tasks.values_mut() {
            if task.resume(self.of.stage.name(), &skips) {
                let (topic, partition) = (&*task.source.topic, task.source.partition);
                tracing::info!(stage = self.of.stage.name(), topic, partition, "goes on by order of an operator");
            }
        }
    }

    /// Stops taking records while reference data is too old. True while it is.
    fn heed_age(&mut self) -> anyhow::Result<bool> {
        let stale = !self.of.watch.fresh();
        if stale != self.stale {
            let partitions: Vec<i32> =
                self.tasks.iter().filter(|(_, task)| task.running()).map(|(partition, _)| *partition).collect();
            let list = self.list(&partitions, Offset::Invalid)?;
            if stale {
                tracing::warn!(lane = self.id, "reference data is older than 10 s: reading is paused");
                self.consumer.pause(&list).context("pause partitions")?;
            } else {
                tracing::info!(lane = self.id, "reference data is up to date again");
                self.consumer.resume(&list).context("resume partitions")?;
            }
            self.stale = stale;
        }
        Ok(stale)
    }

    // ---- records

    /// Takes what the client has, and processes it partition by partition.
    fn take(&mut self, patience: Duration) -> anyhow::Result<()> {
        let Lane { consumer, tasks, of, bytes, opened_at, .. } = self;
        let mut runs: BTreeMap<i32, Vec<BorrowedMessage<'_>>> = BTreeMap::new();
        let (mut records, mut patience, mut refused) = (0, patience, false);
        while records < ROUND_RECORDS_MAX && *bytes < of.settings.batch_bytes_max {
            match consumer.poll(patience) {
                None => break,
                Some(Ok(message)) => {
                    // One by one the rest of what is there, without waiting for more.
                    patience = Duration::ZERO;
                    let Some(task) = tasks.get_mut(&message.partition()).filter(|task| task.running()) else {
                        continue;
                    };
                    task.at_end = false;
                    records += 1;
                    *bytes += message.payload_len() + message.key_len();
                    runs.entry(message.partition()).or_default().push(message);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    patience = Duration::ZERO;
                    if let Some(task) = tasks.get_mut(&partition) {
                        task.at_end = true;
                    }
                }
                Some(Err(error)) => {
                    refused = trouble(of, &error)?;
                    break;
                }
            }
        }
        let (skips, moment) = (of.watch.skips(), now());
        let mut halted = Vec::new();
        for (partition, messages) in &runs {
            let Some(task) = tasks.get_mut(partition) else { continue };
            opened_at.get_or_insert_with(Instant::now);
            if let Err(halt) = task.process(messages, moment, &skips) {
                report_halt(of.stage.name(), task, &halt);
                halted.push(*partition);
            }
        }
        drop(runs);
        self.pause_halted(&halted)?;
        if refused { self.explain_missing() } else { Ok(()) }
    }

    fn pause_halted(&self, partitions: &[i32]) -> anyhow::Result<()> {
        if partitions.is_empty() {
            return Ok(());
        }
        self.consumer.pause(&self.list(partitions, Offset::Invalid)?).context("pause halted partitions")
    }

    /// An offset was refused: says which, and what happened to its records.
    fn explain_missing(&self) -> anyhow::Result<()> {
        let input = self.of.stage.input();
        for (partition, task) in self.tasks.iter().filter(|(_, task)| task.restored()) {
            let Some(next) = task.books.next_offset() else { continue };
            let (first, end) = self
                .consumer
                .fetch_watermarks(input, *partition, ANSWER_TIMEOUT)
                .with_context(|| format!("ask for the range of {input}/{partition}"))?;
            if next < first {
                bail!(
                    "records {next}..{first} of {input}/{partition} expired before {} had read them: they are lost to \
                     it. Restore the topic, or reset this partition's group offset and changelog to go on without them",
                    self.of.stage.name()
                );
            }
            if next > end {
                bail!(
                    "{input}/{partition} ends at {end}, before the committed offset {next}: was the topic re-created?"
                );
            }
        }
        Ok(())
    }

    // ---- the transaction

    /// Commits what was processed, and the books of partitions that had nothing when a heartbeat is due.
    fn transact(&mut self) -> anyhow::Result<()> {
        let beat = self.beaten_at.elapsed() >= BEAT_EVERY;
        if beat {
            self.beaten_at = Instant::now();
        }
        let began = self.opened_at.take().unwrap_or_else(Instant::now);
        self.bytes = 0;
        let (moment, skips) = (now(), self.of.watch.skips());
        let mut closed = BTreeMap::new();
        let mut halted = Vec::new();
        for (partition, task) in &mut self.tasks {
            if !(task.running() && (task.dirty || beat)) {
                continue;
            }
            match task.close(moment, &skips) {
                Ok(part) => drop(closed.insert(*partition, part)),
                Err(halt) => {
                    report_halt(self.of.stage.name(), task, &halt);
                    halted.push(*partition);
                }
            }
        }
        self.pause_halted(&halted)?;
        let Some(producer) = self.producer.as_ref().filter(|_| !closed.is_empty()) else { return Ok(()) };
        let writer = producer.writer().to_owned();
        let mark = |part: &Closed| Mark { transaction: part.entry.transaction, writer: writer.clone() };
        let marks: BTreeMap<i32, Mark> = closed.iter().map(|(partition, part)| (*partition, mark(part))).collect();
        match self.write(producer, &closed, &marks) {
            Ok(()) => {
                self.failures = 0;
                let took = began.elapsed();
                for (partition, mark) in marks {
                    let (Some(task), Some(part)) = (self.tasks.get_mut(&partition), closed.get(&partition)) else {
                        continue;
                    };
                    let (records, bytes) = task.taken;
                    task.promote(mark);
                    let lag = lag(&self.consumer, self.of.stage.input(), task);
                    let state_bytes = task.processor.state_bytes();
                    let books = &part.entry;
                    task.watch.committed(&telemetry::Commit { books, records, bytes, took, lag, state_bytes });
                }
                Ok(())
            }
            Err(failure) => self.recover(failure, marks),
        }
    }

    /// Writes one transaction: outputs, changelog, ledger, offsets.
    fn write(
        &self,
        producer: &Producer,
        closed: &BTreeMap<i32, Closed>,
        marks: &BTreeMap<i32, Mark>,
    ) -> Result<(), Failure> {
        let offsets = |error| Failure { step: Step::Offsets, error };
        producer.begin()?;
        let (stage, input) = (self.of.stage.name(), self.of.stage.input());
        let mut payload = Vec::new();
        for (partition, Closed { output, entry }) in closed {
            let partition = *partition as u32;
            for record in &output.records {
                producer.send(Write {
                    topic: &record.topic,
                    partition: record.partition,
                    key: record.key.as_deref(),
                    payload: record.payload.as_deref(),
                    headers: &record.headers,
                    timestamp: record.timestamp,
                })?;
            }
            let kept =
                Write { topic: &self.changelog, partition, key: None, payload: None, headers: &[], timestamp: None };
            for (key, value) in &output.changes {
                producer.send(Write { key: Some(key), payload: value.as_deref(), ..kept })?;
            }
            payload.clear();
            self.format.encode_into(entry, &mut payload);
            producer.send(Write { key: Some(BOOKS_KEY), payload: Some(&payload), ..kept })?;
            let key = ledger_key(stage, input, partition);
            let booked = Write { topic: topics::LEDGER, partition: 0, key: Some(key.as_bytes()), ..kept };
            producer.send(Write { payload: Some(&payload), ..booked })?;
        }
        // Every partition that works, also one that had nothing: its offset never grows old.
        let mut list = TopicPartitionList::new();
        for (partition, task) in self.tasks.iter().filter(|(_, task)| task.running()) {
            let (Some(next), Some(mark)) = (task.books.next_offset(), marks.get(partition).or(task.mark.as_ref()))
            else {
                continue;
            };
            let mut element = list.add_partition(input, *partition);
            element.set_offset(Offset::Offset(next)).map_err(offsets)?;
            element.set_metadata(mark.encode());
        }
        // A member that was thrown out may not know its generation any more, and a commit without one is not checked.
        let lost = || offsets(KafkaError::Canceled);
        if self.consumer.assignment_lost() {
            return Err(lost());
        }
        let group = self.consumer.group_metadata().ok_or_else(lost)?;
        producer.send_offsets(&list, &group)?;
        if self.consumer.assignment_lost() {
            return Err(lost());
        }
        producer.commit()
    }

    /// Decides what became of a failed transaction and carries it out. Afterwards the lane goes on, with every partition
    /// where it is known to be.
    fn recover(&mut self, failure: Failure, marks: BTreeMap<i32, Mark>) -> anyhow::Result<()> {
        permanent(&failure)?;
        self.failures += 1;
        // A lost assignment is our own observation, made before the commit was sent.
        let fate = match failure.error {
            KafkaError::Canceled => Fate::Abort,
            _ => fate::fate(failure.step, fate::fault(&failure.error)),
        };
        let Failure { step, error } = failure;
        tracing::info!(lane = self.id, ?step, %error, ?fate, "transaction failed");
        let outcome = match fate {
            Fate::Abort => telemetry::Outcome::Aborted,
            Fate::Rebuild => telemetry::Outcome::Fenced,
            Fate::Unknown => telemetry::Outcome::Unknown,
        };
        for partition in marks.keys() {
            self.tasks.get(partition).inspect(|task| task.watch.aborted(outcome));
        }
        if fate == Fate::Abort
            && let Some(producer) = &self.producer
        {
            match producer.abort() {
                Ok(()) => {
                    for task in self.tasks.values_mut().filter(|task| task.running()) {
                        task.undo();
                        task.phase = Phase::Starting;
                    }
                    self.back_off();
                    return Ok(());
                }
                Err(Failure { error, .. }) => tracing::info!(lane = self.id, %error, "abort failed"),
            }
        }
        self.settle(marks)
    }

    fn back_off(&self) {
        if self.failures > 1 {
            let wait = Duration::from_millis(50) * 2u32.pow(self.failures.min(7));
            self.of.shutdown.wait(wait);
        }
    }

    /// Replaces the producer, which settles its transaction at the broker, and reads what came of it.
    fn settle(&mut self, marks: BTreeMap<i32, Mark>) -> anyhow::Result<()> {
        self.back_off();
        self.producer = None;
        self.producer = self.open_producer()?;
        let restored: Vec<i32> =
            self.tasks.iter().filter(|(_, task)| task.restored()).map(|(partition, _)| *partition).collect();
        let committed = loop {
            if self.producer.is_none() || self.of.shutdown.is_set() {
                // Nothing is committed any more by this lane, so what it holds does not matter.
                self.tasks.clear();
                return Ok(());
            }
            match self.committed(&restored)? {
                Some(committed) => break committed,
                None => self.idle(Duration::from_millis(100)),
            }
        };
        for (partition, found) in committed {
            let Some(task) = self.tasks.get_mut(&partition) else { continue };
            let found = found.and_then(|(_, mark)| mark);
            let outcome = fate::outcome(found.as_ref(), marks.get(&partition), task.books.committed_transaction());
            tracing::info!(lane = self.id, partition, ?outcome, "transaction settled");
            match (outcome, found) {
                (Outcome::Promote, Some(mark)) => task.promote(mark),
                (Outcome::Undo, _) => task.undo(),
                (Outcome::Promote | Outcome::Restore, _) => {
                    task.forget(&*self.of.stage);
                    self.consumer.pause(&self.list(&[partition], Offset::Invalid)?).context("pause partition")?;
                    continue;
                }
            }
            task.phase = Phase::Starting;
        }
        Ok(())
    }

    /// Opens a producer, however long the brokers take. `None` on shutdown.
    fn open_producer(&self) -> anyhow::Result<Option<Producer>> {
        let mut attempt = 0;
        while !self.of.shutdown.is_set() {
            match Producer::open(&self.of.settings, &self.id)? {
                Ok(producer) => return Ok(Some(producer)),
                Err(error) => {
                    let failure = Failure { step: Step::Begin, error };
                    permanent(&failure)?;
                    tracing::warn!(lane = self.id, attempt, error = %failure.error, "transactional id is not available");
                }
            }
            attempt += 1;
            self.idle(Duration::from_millis(100) * attempt.min(20));
        }
        Ok(None)
    }

    /// Stays a member of the group while there is nothing to do. Records that come are dropped: every partition is put
    /// to its position again before it goes on.
    fn idle(&self, time: Duration) {
        self.of.shutdown.wait(time);
        for _ in 0..100 {
            if self.consumer.poll(Duration::ZERO).is_none() {
                break;
            }
        }
    }

    // ---- the end

    /// Commits what there is and leaves the group.
    fn leave(&mut self) -> anyhow::Result<()> {
        if !self.consumer.assignment_lost() {
            self.transact()?;
        }
        self.tasks.clear();
        self.producer = None;
        self.consumer.unsubscribe();
        let deadline = Instant::now() + CLOSE_MAX;
        while Instant::now() < deadline {
            if let Some(Err(error)) = self.consumer.poll(Duration::from_millis(20)) {
                tracing::debug!(%error, "while leaving");
            }
            self.rebalance()?;
            if self.consumer.assignment().is_ok_and(|list| list.count() == 0) {
                break;
            }
        }
        Ok(())
    }
}

/// Offsets between a partition's position and its end, as the client last heard of it.
fn lag(consumer: &BaseConsumer<Events>, input: &str, task: &Task) -> i64 {
    let (Some(next), false, Ok(topic)) = (task.books.next_offset(), task.at_end, std::ffi::CString::new(input)) else {
        return 0;
    };
    let (mut first, mut end) = (0, 0);
    // SAFETY: the client lives as long as the borrow of the consumer, the name as long as the call.
    let known = unsafe {
        rdkafka::bindings::rd_kafka_get_watermark_offsets(
            consumer.client().native_ptr(),
            topic.as_ptr(),
            task.source.partition as i32,
            &mut first,
            &mut end,
        )
    };
    if RDKafkaErrorCode::from(known) == RDKafkaErrorCode::NoError { (end - next).max(0) } else { 0 }
}

fn report_halt(stage: &str, task: &Task, halt: &crate::Halt) {
    let (topic, partition) = (&*task.source.topic, task.source.partition);
    tracing::error!(stage, topic, partition, "partition stopped: {halt}");
}

/// Sorts what polling complains about: most passes, some never will. True when an offset was refused.
fn trouble(of: &LaneOf, error: &KafkaError) -> anyhow::Result<bool> {
    let stage = of.stage.name();
    match error {
        KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId) => {
            bail!("another process runs {stage} as instance {:?}: give each its own --instance", of.settings.instance)
        }
        KafkaError::MessageConsumptionFatal(code) => bail!("{stage} cannot stay in its group: {code}"),
        KafkaError::MessageConsumption(
            code @ (RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed),
        ) => bail!("{stage} may not read {}: {code}. The documentation lists the ACLs it needs", of.stage.input()),
        KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
            Ok(true)
        }
        error => {
            tracing::info!(stage, %error, "reading interrupted; the client retries");
            Ok(false)
        }
    }
}

/// Refuses what no retry will mend.
fn permanent(failure: &Failure) -> anyhow::Result<()> {
    let code = match &failure.error {
        KafkaError::Transaction(error) => Some(error.code()),
        error => error.rdkafka_error_code(),
    };
    match code {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => bail!(
            "a record is larger than the broker accepts: set max.message.bytes of the internal topics to at least 1 MiB, \
             as `spendstream topics apply` does"
        ),
        Some(
            code @ (RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::TransactionalIdAuthorizationFailed
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::InvalidRecord),
        ) => bail!("writing is refused for good at {:?}: {code}", failure.step),
        _ => Ok(()),
    }
}
