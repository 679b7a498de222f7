//! The transaction of a lane: written, committed, and settled when that fails.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::{Timestamp, topics};

use super::changelog::{ENDS_KEY, ORIGIN_KEY};
use super::doubt::is_denial;
use super::fate::{self, Fate, Mark, Outcome, Step};
use super::lane::{Lane, POLL_MIN, report_halt};
use super::origin::Origin;
use super::producer::{Failure, Producer, Write, refused};
use super::task::{Closed, Phase};
use super::topics::RECORD_BYTES_MAX;
use super::{group, now};
use crate::books::BOOKS_KEY;
use crate::log::ledger_key;
use crate::processor::Needs;
use crate::telemetry;

/// Longest wait for the end of a changelog.
const END_TIMEOUT: Duration = Duration::from_millis(500);

impl Lane {
    /// Commits what was processed, and the books of partitions that had nothing when a heartbeat is due.
    pub(super) fn transact(&mut self) -> anyhow::Result<()> {
        self.ask_origin_again()?;
        let beat = self.beaten_at.elapsed() >= self.heartbeat();
        if beat {
            self.beaten_at = Instant::now();
        }
        let began = self.opened_at.take().unwrap_or_else(Instant::now);
        self.bytes = 0;
        let (moment, skips) = (now(), self.of.watch.skips());
        let mut closed = BTreeMap::new();
        let mut halted = Vec::new();
        for (partition, task) in &mut self.tasks {
            if !(task.dirty || task.running() && beat) {
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
        if let Needs::Within(needed) = self.of.stage.needs() {
            self.note_ends(closed.keys(), moment, needed);
        }
        let Some(producer) = self.producer.as_ref().filter(|_| !closed.is_empty()) else { return Ok(()) };
        let writer = producer.writer().to_owned();
        let mark = |part: &Closed| Mark { transaction: part.entry.transaction, writer: writer.clone() };
        let marks: BTreeMap<i32, Mark> = closed.iter().map(|(partition, part)| (*partition, mark(part))).collect();
        match self.write(producer, &closed, &marks) {
            Ok(()) => {
                self.failures = 0;
                self.halved.succeeded();
                let took = began.elapsed();
                for (partition, mark) in marks {
                    let (Some(task), Some(part)) = (self.tasks.get_mut(&partition), closed.get(&partition)) else {
                        continue;
                    };
                    if task.books.moved(&part.output) {
                        self.worked_at = Instant::now();
                    }
                    let (records, bytes) = task.taken;
                    task.promote(mark);
                    let next = task.books.next_offset().filter(|_| !task.at_end);
                    let input = self.of.stage.input();
                    let lag = next.map_or(0, |next| group::lag(&self.consumer, input, partition, next));
                    let state_bytes = task.processor.state_bytes();
                    let books = &part.entry;
                    task.watch.committed(&telemetry::Commit { books, records, bytes, took, lag, state_bytes });
                }
                Ok(())
            }
            Err(failure) => self.recover(failure, marks),
        }
    }

    /// Asks where changelogs end that are to say so in this transaction. Without an answer they say it another day.
    fn note_ends<'a>(&mut self, partitions: impl Iterator<Item = &'a i32>, now: Timestamp, needed: Duration) {
        for partition in partitions {
            let Some(task) = self.tasks.get_mut(partition).filter(|task| task.wants_origin()) else { continue };
            if let Ok((_, end)) = self.consumer.fetch_watermarks(&self.changelog, *partition, END_TIMEOUT) {
                task.ends.note(now, end, needed);
            }
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
        let origin = self.origin.as_ref().map(Origin::encode);
        for (partition, Closed { output, entry }) in closed {
            let task = self.tasks.get(partition).filter(|task| task.wants_origin());
            let says_origin = task.is_some();
            let ends =
                task.filter(|_| matches!(self.of.stage.needs(), Needs::Within(_))).map(|task| task.ends.encode());
            let partition = *partition as u32;
            for record in &output.records {
                producer.send(record.into())?;
            }
            let kept =
                Write { topic: &self.changelog, partition, key: None, payload: None, headers: &[], timestamp: None };
            for (key, value) in &output.changes {
                producer.send(Write { key: Some(key), payload: value.as_deref(), ..kept })?;
            }
            if let Some(origin) = origin.as_ref().filter(|_| says_origin) {
                producer.send(Write { key: Some(ORIGIN_KEY), payload: Some(origin.as_bytes()), ..kept })?;
            }
            if let Some(ends) = ends {
                producer.send(Write { key: Some(ENDS_KEY), payload: Some(ends.as_bytes()), ..kept })?;
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
        for (partition, task) in self.tasks.iter().filter(|(_, task)| task.running() || task.dirty) {
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
        producer.send_offsets(list, group)?;
        if self.consumer.assignment_lost() {
            return Err(lost());
        }
        producer.commit()
    }

    /// Decides what became of a failed transaction and carries it out. Afterwards the lane goes on, with every partition
    /// where it is known to be.
    fn recover(&mut self, failure: Failure, marks: BTreeMap<i32, Mark>) -> anyhow::Result<()> {
        // That a topic is not there may be what this client alone believes: the one after it is believed.
        if !(self.failures == 0 && denied(&failure)) {
            permanent(&failure)?;
        }
        // A lost assignment is our own observation, made before the commit was sent. Nothing is wrong with the brokers then, and
        // waiting would only put off hearing which partitions are whose.
        let lost = matches!(failure.error, KafkaError::Canceled);
        let fate = if lost { Fate::Abort } else { fate::fate(failure.step, fate::fault(&failure.error)) };
        if !lost {
            self.failures += 1;
            self.halved.failed();
        }
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
                    for task in self.tasks.values_mut().filter(|task| task.running() || task.dirty) {
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
    pub(super) fn open_producer(&self) -> anyhow::Result<Option<Producer>> {
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
        // Brokers that are away are waited for; that is not being stuck.
        self.tasks.values().for_each(|task| task.watch.beat());
        for _ in 0..100 {
            if self.consumer.poll(POLL_MIN).is_none() {
                break;
            }
        }
    }
}

/// Whether the client says that there is no such topic or partition.
fn denied(failure: &Failure) -> bool {
    failure.error.rdkafka_error_code().is_some_and(is_denial)
}

/// Refuses what no retry will mend.
fn permanent(failure: &Failure) -> anyhow::Result<()> {
    match failure.error.rdkafka_error_code().filter(|code| refused(*code)) {
        None => Ok(()),
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => bail!(
            "a record is larger than the brokers accept: `spendstream topics diff` names the topic; kafka-configs.sh \
             --bootstrap-server BROKERS --alter --entity-type topics --entity-name TOPIC --add-config \
             max.message.bytes={RECORD_BYTES_MAX} mends it"
        ),
        Some(code) => bail!(
            "writing is refused for good at {:?}: {code}. deploy/RUNBOOK.md lists the topics, and the ACLs this user needs",
            failure.step
        ),
    }
}
