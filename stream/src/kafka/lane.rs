//! A lane: one thread that polls, processes, produces and commits its share of one stage's partitions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::codec::Format;
use schemas::{LedgerEntry, Timestamp, topics};

use super::client::{self, Events, Rebalance};
use super::doubt::{self, LISTEN_TIMEOUT, Question, Silence};
use super::fate::{Mark, Standing, UNMARKED};
use super::name::Name;
use super::origin::{self, Origin};
use super::producer::Producer;
use super::task::{Phase, Task};
use super::watch::Watch;
use super::{group, now};
use crate::heartbeat;
use crate::processor::{Source, Stage};
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::telemetry::{Joining, Telemetry};

/// Most records taken from the client before they are processed.
const ROUND_RECORDS_MAX: usize = 10_000;

/// Behind a backlog transactions may grow to so many commit intervals: nobody is kept waiting who does not wait already, and the
/// brokers and the stages behind have less to do for each record.
const BEHIND_INTERVALS: u32 = 10;

/// As [`BEHIND_INTERVALS`], for a stage that sums: the longer it sums, the less it writes.
const SUMMING_INTERVALS: u32 = 30;

/// Records of this age are given the share of it to wait for their transaction. Four stages in a row then add half of what their
/// records have waited, so that what was late once does not stay late because of them.
const AGE_SHARE: u32 = 8;

/// A transaction that is given longer is closed all the same when for this share of it nothing more has come: stages send in bursts,
/// and behind the last of them nobody has anything to wait for.
const QUIET_SHARE: u32 = 4;

/// A stage that sums takes so many times `--batch-bytes-max` in one transaction: what it writes grows with its keys, not
/// with its records, so large transactions are cheaper for it and for whoever reads it.
const SUMMING_BATCHES: usize = 16;

/// Changelogs read at the same time; each has connections of its own.
const RESTORES_MAX: usize = 4;

/// Shortest time given to polling. One without any time answers to the first thing it finds, which may be a line for the log, and a
/// rebalance that waits behind others would not be heard of as long as more of them come.
pub(super) const POLL_MIN: Duration = Duration::from_millis(2);

/// A transaction after a failed one takes half of what it took, and so on, this often at most: brokers that are slow, or keep a
/// client to a quota, may never take a large one within its time.
const HALVINGS_MAX: u32 = 8;

/// So many transactions have to succeed before they may be twice as large again.
const SUCCESSES_TO_GROW: u32 = 20;

/// Time given to restoring before records of other partitions are looked at again.
const RESTORE_SLICE: Duration = Duration::from_millis(50);

/// Longest time putting a partition to its position may take; it is tried again.
const START_TIMEOUT: Duration = Duration::from_secs(1);

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

impl LaneOf {
    /// Bytes of records after which a transaction is committed.
    fn transaction_bytes_max(&self) -> usize {
        let batch = self.settings.batch_bytes_max;
        if self.stage.sums() { batch.saturating_mul(SUMMING_BATCHES) } else { batch }
    }
}

/// How much smaller transactions are than they may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Halved {
    times: u32,
    succeeded: u32,
}

impl Halved {
    pub(super) fn failed(&mut self) {
        *self = Halved { times: (self.times + 1).min(HALVINGS_MAX), succeeded: 0 };
    }

    pub(super) fn succeeded(&mut self) {
        self.succeeded += 1;
        if self.succeeded >= SUCCESSES_TO_GROW {
            *self = Halved { times: self.times.saturating_sub(1), succeeded: 0 };
        }
    }

    fn of(self, most: usize) -> usize {
        (most >> self.times).max(1)
    }
}

/// A lane at work.
pub(crate) struct Lane {
    pub(super) of: LaneOf,
    /// Transactional id.
    pub(super) id: String,
    name: Name,
    pub(super) consumer: BaseConsumer<Events>,
    pub(super) producer: Option<Producer>,
    pub(super) tasks: BTreeMap<i32, Task>,
    pub(super) format: Format<LedgerEntry>,
    pub(super) changelog: String,
    /// What the changelogs are about; `None` until the brokers have said which topic the input is.
    pub(super) origin: Option<Origin>,
    /// When they were last asked; `None` when they are to be asked before the next commit.
    origin_asked_at: Option<Instant>,
    /// How long the client does not say what is asked before partitions start.
    silence: Silence,
    /// When the first record of the open transaction was taken.
    pub(super) opened_at: Option<Instant>,
    /// When its last record was taken.
    taken_at: Instant,
    pub(super) beaten_at: Instant,
    /// When something other than a heartbeat was last committed.
    pub(super) worked_at: Instant,
    /// When health was last told that the lane is not stuck.
    visited_at: Instant,
    pub(super) bytes: usize,
    /// True when the client still had records after the last round.
    behind: bool,
    /// True while reading is paused because reference data is too old.
    stale: bool,
    /// Transactions failed in a row.
    pub(super) failures: u32,
    pub(super) halved: Halved,
    /// Until the group has said for the first time which partitions are its own.
    joining: Option<Joining>,
}

impl Lane {
    /// Runs until shutdown, or until something that only a restart or an operator can mend.
    pub(crate) fn run(of: LaneOf, number: usize, joining: Joining) -> anyhow::Result<()> {
        let (settings, stage) = (of.settings.clone(), of.stage.name());
        let (environment, instance) = (&settings.environment, &settings.instance);
        let group = format!("{environment}.{stage}.{}", of.stage.input());
        let mut name = Name::new(&group, &format!("{environment}.{stage}.{instance}.{number}"));
        let mut joining = Some(joining);
        loop {
            let joins = joining.take().unwrap_or_else(|| of.telemetry.joining());
            let mut lane = Lane::open(of.clone(), format!("{group}.{instance}.{number}"), name, joins)?;
            lane.producer = lane.open_producer()?;
            let worked = lane.work();
            let Lane { consumer, name: ours, .. } = lane;
            client::close_bounded(consumer, CLOSE_MAX);
            let Err(error) = worked else { return Ok(()) };
            name = ours;
            name.reclaim(&settings, &of.telemetry, stage, error, &of.shutdown)?;
        }
    }

    fn open(of: LaneOf, id: String, name: Name, joining: Joining) -> anyhow::Result<Self> {
        let consumer = name.client(&of.settings)?;
        consumer.subscribe(&[of.stage.input()]).with_context(|| format!("subscribe to {}", of.stage.input()))?;
        Ok(Lane {
            id,
            name,
            changelog: topics::changelog(of.stage.name(), of.stage.input()),
            of,
            consumer,
            producer: None,
            tasks: BTreeMap::new(),
            format: Format::new(),
            origin: None,
            origin_asked_at: None,
            silence: Silence::default(),
            opened_at: None,
            taken_at: Instant::now(),
            beaten_at: Instant::now(),
            worked_at: Instant::now(),
            visited_at: Instant::now(),
            bytes: 0,
            behind: false,
            stale: false,
            failures: 0,
            halved: Halved::default(),
            joining: Some(joining),
        })
    }

    fn work(&mut self) -> anyhow::Result<()> {
        while !self.of.shutdown.is_set() {
            group::sound(&self.consumer, self.of.stage.name(), &self.of.settings.instance)?;
            self.rebalance()?;
            self.restore()?;
            self.start()?;
            self.heed_orders();
            if self.heed_age()? {
                self.take(Duration::from_millis(50))?;
                continue;
            }
            self.listen()?;
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
        most.min(self.left().unwrap_or(most)).min(self.beat_every().saturating_sub(self.beaten_at.elapsed()))
    }

    /// How long the open transaction may still wait for more; `None` while none is open.
    fn left(&self) -> Option<Duration> {
        let (opened, quiet) = (self.opened_at?.elapsed(), self.taken_at.elapsed());
        Some(left(&self.of.settings, self.commit_interval(), opened, quiet))
    }

    /// True when the transaction should be committed now.
    fn due(&self) -> bool {
        let waited = self.left().is_some_and(|left| left.is_zero());
        waited
            || self.bytes >= self.halved.of(self.of.transaction_bytes_max())
            || self.beaten_at.elapsed() >= self.beat_every()
    }

    /// How long records wait for the transaction to be committed.
    fn commit_interval(&self) -> Duration {
        let taken = self.tasks.values().filter(|task| task.dirty).map(|task| task.books.arrived());
        let age = if self.behind { Duration::MAX } else { age(taken, now()) };
        commit_interval(&self.of.settings, self.of.stage.sums(), age)
    }

    /// How often books are committed, with or without records. Not in the middle of what a backlog is given longer for.
    fn beat_every(&self) -> Duration {
        if self.opened_at.is_some() { self.heartbeat().max(self.commit_interval()) } else { self.heartbeat() }
    }

    /// How often partitions without records commit their books. What is held back waits for it.
    pub(super) fn heartbeat(&self) -> Duration {
        let held = self.tasks.values().any(|task| task.running() && task.processor.due_at().is_some());
        if held { heartbeat::EVERY } else { heartbeat::after(self.worked_at.elapsed()) }
    }

    // ---- the group

    /// Answers what the group has told: commits before partitions go, restores what comes.
    fn rebalance(&mut self) -> anyhow::Result<()> {
        for event in self.consumer.context().take_rebalances() {
            match event {
                Rebalance::Assign(partitions) => {
                    self.joining = None;
                    (self.origin, self.origin_asked_at) = (None, None);
                    self.name.assigned(&self.consumer);
                    group::take(&self.consumer, self.of.stage.input(), &partitions)?;
                    // Those beyond the topology's number are idle: they stay paused. Only of a raw topic is somebody writing there.
                    let (stage, topic) = (self.of.stage.name(), self.of.stage.input());
                    let beyond = partitions.iter().filter(|at| (**at as u32) >= self.of.source.partitions);
                    for partition in beyond.filter(|_| !topics::SLOTTED.contains(&topic)) {
                        tracing::error!(
                            stage,
                            topic,
                            partition,
                            "this partition is not read: the topic gained partitions since this process started. Give the \
                             stage's changelog as many, then start every instance again"
                        );
                    }
                    for partition in partitions.into_iter().filter(|at| (*at as u32) < self.of.source.partitions) {
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
                    group::give_up(&self.consumer)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn list(&self, partitions: &[i32], offset: Offset) -> anyhow::Result<TopicPartitionList> {
        group::list(self.of.stage.input(), partitions, offset)
    }

    /// Asks what the group has committed for these partitions. `None` when it cannot be answered now, for example while
    /// a transaction that writes it is being settled.
    #[expect(clippy::type_complexity, reason = "named once, used once")]
    pub(super) fn committed(
        &mut self,
        partitions: &[i32],
    ) -> anyhow::Result<Option<BTreeMap<i32, Option<(i64, Option<Mark>)>>>> {
        let list = self.list(partitions, Offset::Invalid)?;
        let answer = self.consumer.committed_offsets(list.clone(), Duration::from_secs(5));
        let whole = |answer: &TopicPartitionList| answer.elements().iter().try_for_each(|element| element.error());
        let answer = match answer.and_then(|answer| whole(&answer).map(|()| answer)) {
            Ok(answer) => answer,
            Err(error) => {
                tracing::info!(lane = self.id, %error, "committed offsets are not available yet");
                if self.silence.goes_on(Instant::now()) {
                    self.doubt(&Question::Offsets(&list))?;
                }
                return Ok(None);
            }
        };
        self.silence.ends();
        let mut committed = BTreeMap::new();
        for element in answer.elements() {
            let offset = match element.offset() {
                Offset::Offset(offset) => Some((offset, Mark::decode(element.metadata()))),
                _ => None,
            };
            committed.insert(element.partition(), offset);
        }
        Ok(Some(committed))
    }

    /// The client has given no answer for long: it is replaced where another one is given it.
    fn doubt(&self, question: &Question<'_>) -> anyhow::Result<()> {
        let (connection, group) = (&self.of.settings.connection, self.name.group());
        doubt::doubt(&self.consumer, connection, group, self.of.stage.name(), question)
    }

    /// Asks about a partition of which nothing has come for a while: whether the client is still told of it, and fetches what there
    /// is. One a round, since the others wait for the answer.
    fn listen(&mut self) -> anyhow::Result<()> {
        let (stage, input) = (self.of.stage.name(), self.of.stage.input());
        let quiet = |task: &Task| task.running() && task.hearing.is_quiet();
        let Some((partition, task)) = self.tasks.iter_mut().find(|(_, task)| quiet(task)) else { return Ok(()) };
        let partition = *partition;
        let doubted = task.hearing.listen(&self.consumer, stage, input, partition)?;
        if doubted { self.doubt(&Question::Range(input, partition)) } else { Ok(()) }
    }

    /// Asks how far a partition is behind that commits nothing for now: only a commit says it otherwise. One a visit, since
    /// the others wait for the answer.
    fn ask_lag(&mut self) {
        let stands = self.stale || self.failures > 0;
        let due = |task: &Task| (stands || !task.running()) && task.lag_asked_at.elapsed() > group::LAG_EVERY;
        let Some((partition, task)) = self.tasks.iter_mut().find(|(_, task)| due(task)) else { return };
        task.lag_asked_at = Instant::now();
        let Some(next) = task.books.next_offset().or(task.group_offset) else { return };
        if let Some(lag) = group::lag_now(&self.consumer, self.of.stage.input(), *partition, next) {
            task.watch.behind(lag);
        }
    }

    /// Asks which topic the input is, anew for each assignment: it may have been created again meanwhile.
    fn ask_origin(&mut self) -> anyhow::Result<()> {
        let just_asked = self.origin_asked_at.is_some_and(|at| at.elapsed() < Duration::from_millis(200));
        if self.origin.is_some() || self.tasks.is_empty() || just_asked {
            return Ok(());
        }
        self.origin_asked_at = Some(Instant::now());
        match origin::topic_id(&self.consumer, self.of.stage.input(), START_TIMEOUT) {
            Ok(topic) => {
                self.silence.ends();
                self.origin = Some(Origin { environment: self.of.settings.environment.clone(), topic });
            }
            Err(error) => {
                tracing::info!(lane = self.id, %error, "the id of the topic is not available yet");
                if self.silence.goes_on(Instant::now()) {
                    return self.doubt(&Question::Topic(self.of.stage.input()));
                }
            }
        }
        Ok(())
    }

    /// Asks again which topic the input is, before something is committed. Where it is another one its partitions stop, and what is
    /// open is left out: nobody knows of which of the two it is.
    pub(super) fn ask_origin_again(&mut self) -> anyhow::Result<()> {
        let just_asked = self.origin_asked_at.is_some_and(|at| at.elapsed() < origin::ASKED_EVERY);
        let Some(known) = self.origin.as_ref().filter(|_| !just_asked && !self.tasks.is_empty()) else { return Ok(()) };
        self.origin_asked_at = Some(Instant::now());
        let (stage, input) = (self.of.stage.name(), self.of.stage.input());
        let topic = match origin::topic_id(&self.consumer, input, LISTEN_TIMEOUT) {
            Ok(Some(topic)) => topic,
            Ok(None) => return Ok(()),
            Err(error) => {
                tracing::debug!(lane = self.id, %error, "not told which topic it reads");
                if doubt::is_denial(error) {
                    // It may just be made anew.
                    self.origin_asked_at = None;
                }
                return Ok(());
            }
        };
        let found = Origin { topic: Some(topic), ..known.clone() };
        let why = known.unusable(&found, input);
        self.origin = Some(found);
        let Some(why) = why else { return Ok(()) };
        let mut halted = Vec::new();
        for (partition, task) in &mut self.tasks {
            if let Some(halt) = task.displaced(&why) {
                report_halt(stage, task, &halt);
                halted.push(*partition);
            }
        }
        self.pause_halted(&halted)
    }

    /// Restores for a while.
    fn restore(&mut self) -> anyhow::Result<()> {
        if self.visited_at.elapsed() > heartbeat::EVERY {
            self.visited_at = Instant::now();
            self.tasks.values().for_each(|task| task.watch.beat());
            self.ask_lag();
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
                transaction: mark.as_ref().map_or(UNMARKED, |mark| mark.transaction),
                next_offset: *next_offset,
            });
            restore.offset = Some(standing);
            task.group_offset = standing.map(|standing| standing.next_offset);
            task.mark = found.and_then(|(_, mark)| mark);
        }
        self.ask_origin()?;
        let Some(origin) = &self.origin else { return Ok(()) };
        let skips = self.of.watch.skips();
        let restoring = self.tasks.values_mut().filter(|task| matches!(task.phase, Phase::Restoring(_)));
        for task in restoring.take(RESTORES_MAX) {
            let (settings, stage) = (&self.of.settings, &*self.of.stage);
            task.restore(settings, stage, &self.format, origin, &skips, RESTORE_SLICE)
                .with_context(|| format!("restore {}/{}", task.source.topic, task.source.partition))?;
            if let Phase::Halted(halted) = &task.phase {
                let reason = halted.reason.clone();
                report_halt(stage.name(), task, &reason);
            }
        }
        Ok(())
    }

    /// Puts the consumer to where restored and undone partitions go on. Where that is gone it is the first record there
    /// is, or the partition stops.
    fn start(&mut self) -> anyhow::Result<()> {
        let (stage, input) = (self.of.stage.name(), self.of.stage.input());
        let (mut halted, mut doubted) = (Vec::new(), None);
        for (partition, task) in &mut self.tasks {
            let (Phase::Starting, Some(next)) = (&task.phase, task.books.next_offset()) else { continue };
            // Asked first: a client whose offset was refused has to give everything up before it reads on.
            let range = self.consumer.fetch_watermarks(input, *partition, START_TIMEOUT);
            if let Ok((_, end)) = range {
                anyhow::ensure!(next <= end, group::beyond_the_end(input, *partition, next, end));
            }
            if let Ok((first, _)) = range
                && next < first
            {
                if let Err(halt) = task.lose(first, &self.of.watch.skips()) {
                    report_halt(stage, task, &halt);
                    halted.push(*partition);
                    continue;
                }
                tracing::warn!(
                    stage,
                    topic = input,
                    partition,
                    next,
                    first,
                    "records are gone: goes on at the first there is"
                );
            }
            let offset = Offset::Offset(task.books.next_offset().unwrap_or(next));
            // Fails for a moment after an assignment, until the client has begun to fetch.
            let sought = range.and_then(|_| self.consumer.seek(input, *partition, offset, START_TIMEOUT));
            let mut list = TopicPartitionList::new();
            list.add_partition(input, *partition);
            let resumed = sought.and_then(|()| if self.stale { Ok(()) } else { self.consumer.resume(&list) });
            match resumed {
                Ok(()) => {
                    task.phase = Phase::Running;
                    task.watch.running();
                    task.hearing.heard();
                }
                Err(error) => {
                    tracing::debug!(input, partition, %error, "cannot start yet");
                    if task.hearing.refused() {
                        doubted = Some(*partition);
                    }
                }
            }
        }
        self.pause_halted(&halted)?;
        doubted.map_or(Ok(()), |partition| self.doubt(&Question::Range(input, partition)))
    }

    /// Lets stopped partitions go on when an operator has said so, or when what stopped them may have passed.
    fn heed_orders(&mut self) {
        let skips = self.of.watch.skips();
        for task in self.tasks.values_mut() {
            task.read_again(&*self.of.stage, &skips);
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
        let Lane { consumer, name, tasks, of, bytes, opened_at, taken_at, behind, halved, origin_asked_at, .. } = self;
        let most = halved.of(of.transaction_bytes_max());
        let round_bytes_max = (*bytes + of.settings.batch_bytes_max).min(most);
        let mut runs: BTreeMap<i32, Vec<BorrowedMessage<'_>>> = BTreeMap::new();
        let (mut records, mut patience, mut refused) = (0, patience.max(POLL_MIN), false);
        *behind = true;
        while records < ROUND_RECORDS_MAX && *bytes < round_bytes_max {
            match consumer.poll(patience) {
                None => {
                    *behind = false;
                    break;
                }
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
                        task.hearing.heard();
                    }
                }
                Some(Err(error)) => {
                    let (stage, input) = (of.stage.name(), of.stage.input());
                    // It may be another topic by now.
                    *origin_asked_at = None;
                    refused = group::trouble(&error, stage, name.group(), input, &of.settings.instance)?;
                    break;
                }
            }
        }
        let (skips, moment) = (of.watch.skips(), now());
        let mut halted = Vec::new();
        for (partition, messages) in &runs {
            let Some(task) = tasks.get_mut(partition) else { continue };
            *taken_at = Instant::now();
            opened_at.get_or_insert(*taken_at);
            task.hearing.heard();
            if let Err(halt) = task.process(messages, moment, &skips) {
                report_halt(of.stage.name(), task, &halt);
                halted.push(*partition);
            }
        }
        drop(runs);
        self.pause_halted(&halted)?;
        if refused {
            // The client does not say which, and reads nothing of it any more until it is put somewhere.
            self.transact()?;
            for task in self.tasks.values_mut().filter(|task| task.running()) {
                task.phase = Phase::Starting;
            }
        }
        Ok(())
    }

    pub(super) fn pause_halted(&self, partitions: &[i32]) -> anyhow::Result<()> {
        if partitions.is_empty() {
            return Ok(());
        }
        self.consumer.pause(&self.list(partitions, Offset::Invalid)?).context("pause halted partitions")
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

/// How long records of this age wait for the transaction to be committed.
fn commit_interval(settings: &Settings, sums: bool, age: Duration) -> Duration {
    let Settings { commit_interval, transaction_timeout, .. } = *settings;
    let intervals = if sums { SUMMING_INTERVALS } else { BEHIND_INTERVALS };
    let most = (commit_interval * intervals).min(transaction_timeout / 4).max(commit_interval);
    (age / AGE_SHARE).clamp(commit_interval, most)
}

/// How long a transaction may still wait that is given so long, is open for so long, and got nothing more for so long.
fn left(settings: &Settings, interval: Duration, opened: Duration, quiet: Duration) -> Duration {
    let patience = (interval / QUIET_SHARE).max(settings.commit_interval);
    interval.saturating_sub(opened).min(patience.saturating_sub(quiet))
}

/// How long ago the latest of what partitions took arrived; none where that is not known.
fn age(arrived: impl Iterator<Item = Option<Timestamp>>, now: Timestamp) -> Duration {
    let latest = arrived.map(|at| at.unwrap_or(Timestamp::MAX)).max().unwrap_or(Timestamp::MAX);
    Duration::from_micros(u64::try_from(now.micros_since(latest)).unwrap_or(0))
}

pub(super) fn report_halt(stage: &str, task: &mut Task, halt: &crate::Halt) {
    if !task.first_report(halt) {
        return;
    }
    let (topic, partition) = (&*task.source.topic, task.source.partition);
    let skip = halt.skip(stage, topic, partition);
    tracing::error!(stage, topic, partition, skip, "partition stopped: {halt}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::parse;

    #[test]
    fn transactions_grow_with_the_age_of_their_records_within_a_quarter_of_their_timeout() {
        let settings = |flags| parse(flags).unwrap();
        let plain = settings("--brokers b --commit-interval 100ms --transaction-timeout 12s");
        let interval = |sums, millis| commit_interval(&plain, sums, Duration::from_millis(millis)).as_millis();
        assert_eq!([0, 800, 1_600, 8_000, 60_000].map(|age| interval(false, age)), [100, 100, 200, 1_000, 1_000]);
        assert_eq!([0, 800, 1_600, 24_000, 60_000].map(|age| interval(true, age)), [100, 100, 200, 3_000, 3_000]);
        let long = settings("--brokers b --commit-interval 2s --transaction-timeout 12s");
        let interval = |sums, age| commit_interval(&long, sums, age).as_millis();
        assert_eq!([false, true].map(|sums| interval(sums, Duration::MAX)), [3_000, 3_000]);
        assert_eq!([false, true].map(|sums| interval(sums, Duration::ZERO)), [2_000, 2_000]);
    }

    #[test]
    fn a_transaction_that_is_given_long_is_closed_when_nothing_more_comes() {
        let settings = parse("--brokers b --commit-interval 100ms").unwrap();
        let left = |interval, opened, quiet| {
            let [interval, opened, quiet] = [interval, opened, quiet].map(Duration::from_millis);
            left(&settings, interval, opened, quiet).as_millis()
        };
        assert_eq!([left(3_000, 1_000, 0), left(3_000, 1_000, 500), left(3_000, 1_000, 750)], [750, 250, 0]);
        assert_eq!([left(3_000, 2_900, 0), left(3_000, 3_100, 0)], [100, 0]);
        assert_eq!([left(100, 40, 40), left(100, 40, 0), left(200, 40, 40)], [60, 60, 60]);
    }

    #[test]
    fn transactions_that_fail_become_smaller_and_grow_again_slowly() {
        let mut halved = Halved::default();
        assert_eq!(halved.of(4 << 20), 4 << 20);
        (0..3).for_each(|_| halved.failed());
        assert_eq!(halved.of(4 << 20), 512 << 10);
        (0..20).for_each(|_| halved.succeeded());
        assert_eq!(halved.of(4 << 20), 1 << 20);
        (0..100).for_each(|_| halved.failed());
        assert_eq!((halved.of(4 << 20), halved.of(100)), (16 << 10, 1), "a record always goes");
    }

    #[test]
    fn records_are_as_old_as_the_latest_of_them() {
        let now = Timestamp::from_millis(10_000_000);
        let arrived = |seconds: i64| Some(now.plus_seconds(-seconds));
        let age = |arrived: &[Option<Timestamp>]| age(arrived.iter().copied(), now).as_secs();
        assert_eq!(age(&[arrived(7), arrived(3_600)]), 7);
        assert_eq!(age(&[arrived(-1), arrived(3_600)]), 0, "another clock is ahead");
        assert_eq!(age(&[arrived(7), None]), 0, "nothing is known yet");
        assert_eq!(age(&[]), 0, "nothing was taken");
    }
}
