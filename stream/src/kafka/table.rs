//! Drives a table that owns its offsets: the group only says which partitions, the table says from where.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::{Skip, topics};

use super::client::{self, Events, Rebalance};
use super::doubt::{self, Hearing, LISTEN_TIMEOUT, Question, Silence};
use super::name::Name;
use super::rights::{self, Right};
use super::watch::Watch;
use super::{group, hidden, now, origin, task};
use crate::processor::{Halt, Record, Table, topic_number};
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::telemetry::{self, Joining, Telemetry};

/// Most records handed to the table at a time.
const ROUND_RECORDS_MAX: usize = 10_000;

/// Most bytes handed to the table at a time: decoded they are several times as many.
const ROUND_BYTES_MAX: usize = 4 << 20;

/// Longest wait before a store that failed is asked again.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Longest time putting a partition to its position may take; it is tried again.
const START_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest time closing the consumer may take.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// One partition of a table.
struct Part {
    phase: Phase,
    watch: telemetry::Watch,
    at_end: bool,
    /// Records buffered since the last flush.
    records: usize,
    /// Where the table stands, as far as it has said or written.
    stands: Option<i64>,
    /// When it was last asked how far it is behind.
    lag_asked_at: Instant,
    hearing: Hearing,
}

impl Part {
    fn new(watch: telemetry::Watch) -> Self {
        Part {
            phase: Phase::Asking,
            watch,
            at_end: false,
            records: 0,
            stands: None,
            lag_asked_at: Instant::now(),
            hearing: Hearing::default(),
        }
    }
}

enum Phase {
    /// The table has not said yet from where to read.
    Asking,
    /// It has, or was full there; the consumer still has to be put there.
    Starting(i64),
    /// Reading; the next offset.
    Running(i64),
    /// Stopped before a record it cannot take, until an order to skip something comes: orders known then.
    Halted(usize),
}

/// A write on its way, on a thread of its own.
struct Writing {
    began: Instant,
    thread: JoinHandle<anyhow::Result<()>>,
    /// What it covers of each partition: offset after its last record, and records.
    covers: Vec<(i32, i64, usize)>,
}

struct Driver {
    settings: Settings,
    table: Box<dyn Table>,
    topic: String,
    name: Name,
    consumer: BaseConsumer<Events>,
    watch: Arc<Watch>,
    shutdown: Shutdown,
    telemetry: Arc<Telemetry>,
    parts: BTreeMap<i32, Part>,
    writing: Option<Writing>,
    /// Flushes and assignments failed in a row, and when to try again.
    failures: u32,
    retry_at: Instant,
    /// How long partitions cannot be taken over.
    silence: Silence,
    /// Which topic it is, where brokers say so.
    number: Option<i64>,
    /// When they were last asked.
    number_asked_at: Instant,
    /// True when the last write failed: that the store can be read then does not mean that it is well.
    write_failed: bool,
    /// Until the group has said for the first time which partitions are its own.
    joining: Option<Joining>,
}

/// Operators' orders, followed once for all tables of a process.
#[derive(Debug, Default)]
pub struct Orders(Mutex<Option<Arc<Watch>>>);

impl Orders {
    /// Begins to follow them with the first table.
    fn watch(
        &self,
        settings: &Settings,
        shutdown: &Shutdown,
        telemetry: &Arc<Telemetry>,
    ) -> anyhow::Result<Arc<Watch>> {
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watch.is_none() {
            *watch = Some(Watch::start(settings, &[], shutdown, telemetry)?);
            hidden::start(&settings.connection, shutdown, telemetry)?;
        }
        watch.clone().context("orders are followed")
    }
}

/// Runs a table until shutdown, on the calling thread.
///
/// # Errors
/// When the brokers cannot be reached, the topic is missing, or ends before where the table stands. A store that fails is
/// tried again for ever: what is not in the table yet stays in the topic.
pub fn run_table(
    settings: &Settings,
    table: Box<dyn Table>,
    orders: &Orders,
    shutdown: &Shutdown,
    telemetry: &Arc<Telemetry>,
) -> anyhow::Result<()> {
    let joining = Some(telemetry.joining());
    settings.validate()?;
    client::prepare(&settings.connection)?;
    let topic = table.input().to_owned();
    let counts = client::partition_counts(&settings.connection)?;
    let read = [topic.as_str(), topics::SKIPS].map(|topic| (topic.to_owned(), Right::Read));
    rights::check(&settings.connection, &read.into())?;
    anyhow::ensure!(
        counts.contains_key(&topic),
        "topic {topic} of table {} does not exist: create topics with `spendstream topics apply`, or this user may not \
         see it (ACLs: deploy/RUNBOOK.md)",
        table.name()
    );
    let watch = orders.watch(settings, shutdown, telemetry)?;
    let group = format!("{}.sink.{}", settings.environment, table.name());
    let member = format!("{group}.{}", settings.instance);
    let name = Name::new(&group, &member);
    let consumer = name.client(settings)?;
    consumer.subscribe(&[&topic]).with_context(|| format!("subscribe to {topic}"))?;
    let mut driver = Driver {
        settings: settings.clone(),
        table,
        topic,
        name,
        consumer,
        watch,
        shutdown: shutdown.clone(),
        telemetry: telemetry.clone(),
        parts: BTreeMap::new(),
        writing: None,
        failures: 0,
        retry_at: Instant::now(),
        silence: Silence::default(),
        number: None,
        number_asked_at: Instant::now(),
        write_failed: false,
        joining,
    };
    driver.told(0);
    loop {
        let worked = driver.work();
        let ended = match worked {
            Ok(()) => Ok(()),
            Err(error) => {
                let Driver { name, settings, telemetry, table, shutdown, .. } = &mut driver;
                match name.reclaim(settings, telemetry, table.name(), error, shutdown) {
                    Ok(()) => {
                        driver.rejoin()?;
                        continue;
                    }
                    Err(error) => Err(error),
                }
            }
        };
        client::close_bounded(driver.consumer, CLOSE_MAX);
        return ended;
    }
}

impl Driver {
    fn work(&mut self) -> anyhow::Result<()> {
        let mut visited_at = Instant::now();
        while !self.shutdown.is_set() {
            group::sound(&self.consumer, self.table.name(), &self.settings.instance)?;
            if visited_at.elapsed() > Duration::from_secs(1) {
                visited_at = Instant::now();
                self.visit(self.failures > 0);
            }
            if self.number_asked_at.elapsed() > origin::ASKED_EVERY {
                self.ask_number_again(LISTEN_TIMEOUT)?;
            }
            self.rebalance()?;
            self.ask()?;
            self.start()?;
            self.listen()?;
            self.take()?;
            if self.writing.as_ref().is_some_and(|writing| writing.thread.is_finished()) {
                self.end_write()?;
            }
            if self.is_due() {
                // One at a time, and the bound holds for what is written and what waits together.
                self.end_write()?;
            }
            if self.is_due() {
                self.begin_write()?;
            }
        }
        self.end_write()?;
        if self.table.buffered_bytes() > 0 {
            self.begin_write()?;
            self.end_write()?;
        }
        self.consumer.unsubscribe();
        let deadline = Instant::now() + CLOSE_MAX;
        while Instant::now() < deadline && self.consumer.assignment().is_ok_and(|list| list.count() > 0) {
            // Records that still come are not the table's any more.
            drop(self.consumer.poll(Duration::from_millis(20)));
            self.rebalance()?;
        }
        Ok(())
    }

    /// Gives a sign of life, and asks how far a partition is behind whose records are not written for now: only a write says it
    /// otherwise. One a visit, since the others wait for the answer.
    fn visit(&mut self, nothing_is_written: bool) {
        self.parts.values().for_each(|part| part.watch.beat());
        let due = |part: &Part| {
            let waits = nothing_is_written || !matches!(part.phase, Phase::Running(_));
            waits && part.lag_asked_at.elapsed() > group::LAG_EVERY
        };
        let Some((partition, part)) = self.parts.iter_mut().find(|(_, part)| due(part)) else { return };
        part.lag_asked_at = Instant::now();
        let Some(stands) = part.stands else { return };
        if let Some(lag) = group::lag_now(&self.consumer, &self.topic, *partition, stands) {
            part.watch.behind(lag);
        }
    }

    /// The client has given no answer for long: it is replaced where another one is given it.
    fn doubt(&self, question: &Question<'_>) -> anyhow::Result<()> {
        doubt::doubt(&self.consumer, &self.settings.connection, self.name.group(), self.table.name(), question)
    }

    /// Asks about a partition of which nothing has come for a while: whether the client is still told of it, and fetches what there
    /// is. One a round, since the others wait for the answer.
    fn listen(&mut self) -> anyhow::Result<()> {
        let quiet = |part: &Part| matches!(part.phase, Phase::Running(_)) && part.hearing.is_quiet();
        let Some((partition, part)) = self.parts.iter_mut().find(|(_, part)| quiet(part)) else { return Ok(()) };
        let partition = *partition;
        let doubted = part.hearing.listen(&self.consumer, self.table.name(), &self.topic, partition)?;
        if doubted { self.doubt(&Question::Range(&self.topic, partition)) } else { Ok(()) }
    }

    fn is_due(&self) -> bool {
        self.table.buffered_bytes() >= self.settings.table_bytes_max || self.table.due(now())
    }

    /// Joins the group anew with another client.
    fn rejoin(&mut self) -> anyhow::Result<()> {
        self.end_write()?;
        self.give_up(&self.parts.keys().copied().collect::<Vec<_>>());
        self.parts.clear();
        self.joining = Some(self.telemetry.joining());
        let finished = std::mem::replace(&mut self.consumer, self.name.client(&self.settings)?);
        client::close_bounded(finished, CLOSE_MAX);
        self.consumer.subscribe(&[&self.topic]).with_context(|| format!("subscribe to {}", self.topic))
    }

    fn rebalance(&mut self) -> anyhow::Result<()> {
        for event in self.consumer.context().take_rebalances() {
            self.end_write()?;
            match event {
                Rebalance::Assign(partitions) => {
                    self.joining = None;
                    self.name.assigned(&self.consumer);
                    group::take(&self.consumer, &self.topic, &partitions)?;
                    for partition in partitions {
                        let watch = self.telemetry.watch(self.table.name(), &self.topic, partition as u32);
                        self.parts.insert(partition, Part::new(watch));
                    }
                }
                Rebalance::Revoke(partitions) => {
                    // What is buffered is dropped: the next owner reads it again from where the table stands.
                    self.give_up(&partitions);
                    partitions.iter().for_each(|partition| drop(self.parts.remove(partition)));
                    group::give_up(&self.consumer)?;
                }
            }
        }
        Ok(())
    }

    fn give_up(&mut self, partitions: &[i32]) {
        let known =
            |partition: &&i32| self.parts.get(partition).is_some_and(|part| !matches!(part.phase, Phase::Asking));
        let numbers: Vec<u32> = partitions.iter().filter(known).map(|partition| *partition as u32).collect();
        if !numbers.is_empty() {
            self.table.revoke(&numbers);
        }
    }

    /// Asks the table from where to read.
    fn ask(&mut self) -> anyhow::Result<()> {
        let asks = |part: &Part| matches!(part.phase, Phase::Asking);
        if !self.parts.values().any(asks) {
            return Ok(());
        }
        // Where the table stands is known when nothing is on its way.
        self.end_write()?;
        if Instant::now() < self.retry_at {
            return Ok(());
        }
        // Each time: it may have been created again.
        match origin::topic_id(&self.consumer, &self.topic, START_TIMEOUT) {
            Ok(id) => self.number = id.as_deref().map(topic_number),
            Err(error) => {
                tracing::info!(topic = self.topic, %error, "the id of the topic is not available yet");
                self.retry_at = Instant::now() + Duration::from_millis(200);
                let doubted = self.silence.goes_on(Instant::now());
                return if doubted { self.doubt(&Question::Topic(&self.topic)) } else { Ok(()) };
            }
        }
        let orders = self.watch.skips();
        self.table.heed(&orders);
        self.table.comes_from(self.number);
        let asking = self.parts.iter().filter(|(_, part)| asks(part));
        let asking: Vec<u32> = asking.map(|(partition, _)| *partition as u32).collect();
        let from = self.table.assign(&asking).and_then(|from| {
            let first = |partition| {
                let range = self.consumer.fetch_watermarks(&self.topic, partition as i32, client::ANSWER_TIMEOUT);
                range.map(|(first, _)| first).with_context(|| format!("ask for the range of {}", self.topic))
            };
            let from =
                from.into_iter().map(|(partition, from)| Ok((partition, from.map_or_else(|| first(partition), Ok)?)));
            from.collect::<anyhow::Result<Vec<(u32, i64)>>>()
        });
        let mut refused = Vec::new();
        match from {
            Ok(from) => {
                self.silence.ends();
                for (partition, offset) in from {
                    if let Some(halt) = self.table.refuses(partition)
                        && let Some(part) = self.parts.get_mut(&(partition as i32))
                    {
                        stop(part, self.table.name(), &self.topic, partition as i32, &halt, orders.len());
                        refused.push(partition as i32);
                        continue;
                    }
                    let table = self.table.name();
                    tracing::info!(table, topic = self.topic, partition, offset, "table says where to read from");
                    if let Some(part) = self.parts.get_mut(&(partition as i32)) {
                        (part.phase, part.records, part.at_end) = (Phase::Starting(offset), 0, false);
                        part.stands = Some(offset);
                    }
                }
            }
            Err(error) => {
                self.failed("table cannot be read", &error);
                if self.silence.goes_on(Instant::now())
                    && let Some(partition) = asking.first()
                {
                    self.doubt(&Question::Range(&self.topic, *partition as i32))?;
                }
                return Ok(());
            }
        }
        if !self.write_failed {
            self.told(0);
        }
        self.halt(&refused)
    }

    /// Asks again which topic it is. Where it is another one what is buffered is dropped, since nobody knows of which of the two it is,
    /// and the table is asked anew: true then.
    fn ask_number_again(&mut self, patience: Duration) -> anyhow::Result<bool> {
        self.number_asked_at = Instant::now();
        let (Some(known), false) = (self.number, self.parts.is_empty()) else { return Ok(false) };
        let found = match origin::topic_id(&self.consumer, &self.topic, patience) {
            Ok(id) => id.as_deref().map(topic_number),
            Err(error) => {
                tracing::debug!(topic = self.topic, %error, "not told which topic it reads");
                None
            }
        };
        if found.is_none_or(|found| found == known) {
            return Ok(false);
        }
        self.number = found;
        self.end_write()?;
        tracing::warn!(
            table = self.table.name(),
            topic = self.topic,
            "the topic was deleted and created again: what was read and is not written is dropped"
        );
        self.ask_anew()?;
        Ok(true)
    }

    /// So many failures in a row.
    fn told(&mut self, failures: u32) {
        self.failures = failures;
        self.telemetry.table_failures(self.table.name(), failures);
    }

    fn failed(&mut self, what: &str, error: &anyhow::Error) {
        self.told(self.failures.saturating_add(1));
        let wait = (Duration::from_millis(100) * 2u32.pow(self.failures.min(10))).min(BACKOFF_MAX);
        self.retry_at = Instant::now() + wait;
        let (table, error, seconds) = (self.table.name(), format!("{error:#}"), wait.as_secs());
        tracing::warn!(table, error, seconds, "{what}; tried again");
    }

    /// Puts the consumer to where the table wants to read, unless it takes no more for now. Where that is gone the partition
    /// stops, or goes on at the first record there is by order of an operator.
    fn start(&mut self) -> anyhow::Result<()> {
        if self.table.is_full() {
            return self.hold();
        }
        let Driver { consumer, parts, topic, table, watch, number, .. } = self;
        let orders = watch.skips();
        let (mut halted, mut doubted) = (Vec::new(), None);
        for (partition, part) in parts {
            if let Phase::Halted(known) = part.phase
                && orders.len() > known
            {
                // Whether an order concerns it shows when the record comes again.
                part.phase = Phase::Asking;
            }
            let Phase::Starting(next) = part.phase else { continue };
            let range = consumer.fetch_watermarks(topic, *partition, START_TIMEOUT);
            let mut offset = next;
            if let Ok((first, end)) = range {
                if next > end {
                    let why = group::beyond_the_end(topic, *partition, next, end);
                    let Some(number) = *number else { anyhow::bail!(why) };
                    // Only a table that does not say which topic it holds comes so far with another one.
                    anyhow::bail!(
                        "{why} Where it was, on purpose, order `spendstream skip --stage {table} --topic {topic} --partition {partition} \
                         --source {topic}/{partition} --sequence {number} --reason WHY`, and start again",
                        table = table.name()
                    );
                }
                if next < first && !skipped(&orders, table.name(), topic, *partition, next) {
                    stop(part, table.name(), topic, *partition, &Halt::Expired { from: next, to: first }, orders.len());
                    halted.push(*partition);
                    continue;
                }
                offset = next.max(first);
            }
            let mut list = TopicPartitionList::new();
            list.add_partition(topic, *partition);
            let sought = range.and_then(|_| consumer.seek(topic, *partition, Offset::Offset(offset), START_TIMEOUT));
            match sought.and_then(|()| consumer.resume(&list)) {
                Ok(()) => {
                    part.phase = Phase::Running(offset);
                    part.watch.running();
                    part.hearing.heard();
                }
                Err(error) => {
                    tracing::debug!(topic, partition, %error, "cannot start yet");
                    if part.hearing.refused() {
                        doubted = Some(*partition);
                    }
                }
            }
        }
        self.halt(&halted)?;
        doubted.map_or(Ok(()), |partition| self.doubt(&Question::Range(&self.topic, partition)))
    }

    /// Drops what is buffered of partitions that have stopped: it is read again when they go on.
    fn halt(&mut self, partitions: &[i32]) -> anyhow::Result<()> {
        if partitions.is_empty() {
            return Ok(());
        }
        let numbers: Vec<u32> = partitions.iter().map(|partition| *partition as u32).collect();
        self.table.revoke(&numbers);
        self.consumer.pause(&group::list(&self.topic, partitions, Offset::Invalid)?).context("pause halted partitions")
    }

    /// Reads no further. The consumer is polled on, or it would lose its partitions.
    fn hold(&mut self) -> anyhow::Result<()> {
        let mut held = Vec::new();
        for (partition, part) in &mut self.parts {
            match part.phase {
                Phase::Running(next) => {
                    part.phase = Phase::Starting(next);
                    held.push(*partition);
                }
                // It has what it needs: a process that waits for others is ready.
                Phase::Starting(_) => part.watch.running(),
                Phase::Asking | Phase::Halted(_) => {}
            }
        }
        if held.is_empty() {
            return Ok(());
        }
        tracing::info!(
            table = self.table.name(),
            topic = self.topic,
            "table is full; reading goes on when it takes more"
        );
        self.consumer.pause(&group::list(&self.topic, &held, Offset::Invalid)?).context("pause while the table is full")
    }

    /// Takes what has come and hands it to the table.
    fn take(&mut self) -> anyhow::Result<()> {
        let Driver { name, consumer, parts, topic, table, settings, watch, .. } = self;
        let mut runs: BTreeMap<i32, Vec<BorrowedMessage<'_>>> = BTreeMap::new();
        let waiting = parts.values().any(|part| !matches!(part.phase, Phase::Running(_) | Phase::Halted(_)));
        let mut patience = Duration::from_millis(if waiting { 10 } else { 100 });
        let room = settings.table_bytes_max.saturating_sub(table.buffered_bytes());
        let bytes_max = room.min(ROUND_BYTES_MAX);
        let (mut records, mut bytes, mut refused) = (0, 0, false);
        while records < ROUND_RECORDS_MAX && bytes < bytes_max {
            match consumer.poll(patience) {
                None => break,
                Some(Ok(message)) => {
                    patience = Duration::ZERO;
                    let Some(part) = parts.get_mut(&message.partition()) else { continue };
                    let Phase::Running(next) = part.phase else { continue };
                    if message.offset() >= next {
                        part.at_end = false;
                        records += 1;
                        bytes += message.payload_len() + message.key_len();
                        runs.entry(message.partition()).or_default().push(message);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    patience = Duration::ZERO;
                    if let Some(part) = parts.get_mut(&partition) {
                        part.at_end = true;
                        part.hearing.heard();
                    }
                }
                Some(Err(error)) => {
                    refused = group::trouble(&error, table.name(), name.group(), topic, &settings.instance)?;
                    break;
                }
            }
        }
        let orders = watch.skips();
        table.heed(&orders);
        let mut halted = Vec::new();
        for (partition, messages) in &runs {
            let Some(part) = parts.get_mut(partition) else { continue };
            let Some(position) = messages.last().map(|last| last.offset() + 1) else { continue };
            part.hearing.heard();
            let left_out = |message: &&BorrowedMessage<'_>| {
                skipped(&orders, table.name(), topic, message.partition(), message.offset())
            };
            let wanted = messages.iter().filter(|message| !left_out(message));
            let records: Vec<Record<'_>> = wanted.map(task::record).collect();
            match table.append(*partition as u32, &records, position) {
                Ok(()) => {
                    part.records += records.len();
                    part.phase = Phase::Running(position);
                }
                Err(halt) => {
                    stop(part, table.name(), topic, *partition, &halt, orders.len());
                    halted.push(*partition);
                }
            }
        }
        drop(runs);
        if refused {
            // The client does not say which, and reads nothing of it any more until it is put somewhere.
            for part in parts.values_mut() {
                if let Phase::Running(next) = part.phase {
                    part.phase = Phase::Starting(next);
                }
            }
        }
        self.halt(&halted)
    }

    /// Begins to write the buffer on a thread of its own; more is read meanwhile.
    fn begin_write(&mut self) -> anyhow::Result<()> {
        if Instant::now() < self.retry_at || self.ask_number_again(START_TIMEOUT)? {
            return Ok(());
        }
        let began = Instant::now();
        let covers = self.parts.iter_mut().filter_map(|(partition, part)| match part.phase {
            Phase::Running(next) => Some((*partition, next, std::mem::take(&mut part.records))),
            _ => None,
        });
        let covers = covers.collect();
        match self.table.begin_flush(now()) {
            Ok(Some(write)) => {
                let named = std::thread::Builder::new().name(format!("{}-write", self.table.name()));
                let thread = named.spawn(write).context("start a thread that writes")?;
                self.writing = Some(Writing { began, thread, covers });
                Ok(())
            }
            Ok(None) => self.written(began, &covers),
            Err(error) => self.unwritten(&error),
        }
    }

    /// Waits for the write that is on its way, if there is one.
    fn end_write(&mut self) -> anyhow::Result<()> {
        let Some(Writing { began, thread, covers }) = self.writing.take() else { return Ok(()) };
        // A store that does not answer is waited for; that is not being stuck.
        let mut visited_at = Instant::now();
        while !thread.is_finished() {
            std::thread::sleep(Duration::from_millis(2));
            if visited_at.elapsed() > Duration::from_secs(1) {
                visited_at = Instant::now();
                self.visit(true);
            }
        }
        match thread.join() {
            Ok(Ok(())) => self.written(began, &covers),
            Ok(Err(error)) => self.unwritten(&error),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Nothing is known: everything is asked for again.
    fn unwritten(&mut self, error: &anyhow::Error) -> anyhow::Result<()> {
        self.write_failed = true;
        self.failed("table cannot be written", error);
        self.parts.values().for_each(|part| part.watch.aborted(telemetry::Outcome::Unknown));
        self.ask_anew()
    }

    /// Drops what is buffered, and asks the table from where to read.
    fn ask_anew(&mut self) -> anyhow::Result<()> {
        let partitions: Vec<i32> = self.parts.keys().copied().collect();
        self.give_up(&partitions);
        for part in self.parts.values_mut() {
            if !matches!(part.phase, Phase::Halted(_)) {
                part.phase = Phase::Asking;
            }
        }
        // What would come until the table has answered could only be dropped.
        let list = group::list(&self.topic, &partitions, Offset::Invalid)?;
        self.consumer.pause(&list).context("pause until the table has answered")
    }

    fn written(&mut self, began: Instant, covers: &[(i32, i64, usize)]) -> anyhow::Result<()> {
        self.write_failed = false;
        self.told(0);
        let took = began.elapsed();
        let mut positions = TopicPartitionList::new();
        for (partition, next, records) in covers {
            let Some(part) = self.parts.get_mut(partition) else { continue };
            part.stands = Some(*next);
            let at_end = part.at_end && matches!(part.phase, Phase::Running(now) if now == *next);
            let lag = if at_end { 0 } else { group::lag(&self.consumer, &self.topic, *partition, *next) };
            part.watch.flushed(*records, took, lag);
            let mut element = positions.add_partition(&self.topic, *partition);
            if let Err(error) = element.set_offset(Offset::Offset(*next)) {
                tracing::debug!(%error, "offset hint");
            }
        }
        // Only for tools that show lag: the table's own offsets are the ones that count.
        if positions.count() > 0
            && let Err(error) = self.consumer.commit(&positions, CommitMode::Async)
        {
            tracing::debug!(%error, "offset hint was not committed");
        }
        Ok(())
    }
}

fn skipped(orders: &[Skip], table: &str, topic: &str, partition: i32, offset: i64) -> bool {
    orders.iter().any(|skip| skip.is_for(table, topic, partition as u32) && skip.leaves_out(offset))
}

/// Stops a partition until an operator gives another order than those known.
fn stop(part: &mut Part, table: &str, topic: &str, partition: i32, halt: &Halt, known: usize) {
    let skip = halt.skip(table, topic, partition as u32);
    tracing::error!(table, topic, partition, skip, "partition stopped: {halt}");
    part.watch.halted(halt);
    part.phase = Phase::Halted(known);
}
