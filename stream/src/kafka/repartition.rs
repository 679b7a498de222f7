//! Changes how many partitions state is divided by, while everything is drained and stopped.
//!
//! One transaction moves the state to where its slots belong now, ends the sources that go, and says the new number on
//! `spend.topology`: until it is committed the old number holds, from then on the new one. `DESIGN.md` says why.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::codec::Format;
use schemas::ids::SLOTS;
use schemas::{LedgerEntry, topics as names};

use super::changelog::{GENERATION_KEY, Kept, Refused};
use super::client::{self, ANSWER_TIMEOUT, Events};
use super::fate::{Mark, Standing};
use super::producer::{Failure, Producer, Write};
use super::reader::{Read, Reader};
use super::task::not_whole;
use super::topology::{self, Topology};
use super::{KafkaLog, group, now, topics};
use crate::books::{BOOKS_KEY, is_heartbeat};
use crate::log::ledger_key;
use crate::processor::{Source, Stage};
use crate::settings::Connection;
use std::sync::Arc;

/// Time the transaction may take: all state is read and written in it.
const TRANSACTION_MAX: Duration = Duration::from_secs(600);

/// How often what is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A change of the number of partitions.
pub struct Change {
    /// How to reach Kafka.
    pub connection: Connection,
    /// Name of the installation: prefix of its groups.
    pub environment: String,
    /// Every stage that reads or writes the topics.
    pub stages: Vec<Arc<dyn Stage>>,
    /// The topics that get another number of partitions: see [`schemas::topics::SLOTTED`].
    pub topics: Vec<String>,
    /// How many.
    pub partitions: u32,
    /// Longest wait for services to have read everything and to be stopped.
    pub patience: Duration,
}

/// One stage during the change.
struct Seat<'a> {
    stage: &'a dyn Stage,
    /// Describes partition 0 before the change, in the new generation.
    source: Source,
    /// True when its state moves; else only its books go on.
    moves: bool,
    /// Partitions before and after.
    before: u32,
    after: u32,
    group: String,
    stable: BaseConsumer<Events>,
    hasty: BaseConsumer<Events>,
}

/// Position and mark that a group has committed for a partition.
type Committed = BTreeMap<i32, (i64, Option<Mark>)>;

/// Changes the number of partitions of some topics, waiting until the services that use them have read everything and
/// are stopped. `say` is told what is being waited for. Returns the new topology generation.
///
/// Nothing is changed unless all of it is: run again after a failure. Widening topics is no change in this sense.
///
/// # Errors
/// When something is still unread or running after `patience`, state cannot be read, or the brokers refuse.
pub fn repartition(change: &Change, say: &mut dyn FnMut(&str)) -> anyhow::Result<i32> {
    let Change { connection, partitions, .. } = change;
    client::prepare(connection)?;
    ensure!((1..=SLOTS).contains(partitions), "{partitions} partitions: state has {SLOTS} slots, so 1 to {SLOTS}");
    let counts = client::partition_counts(connection)?;
    ensure!(
        counts.contains_key(names::TOPOLOGY),
        "topic {} does not exist: create it with `spendstream topics apply`",
        names::TOPOLOGY
    );
    // What an interrupted command left open ends here, not when the broker gives it up.
    drop(change.producer()?);
    let named: Vec<&str> = change.topics.iter().map(String::as_str).collect();
    topology::pin(connection, &counts, &named)?;
    let topology = Topology::read(connection, &counts)?;
    let generation = topology.generation(named.iter().copied()) + 1;
    let seats = change.seats(&counts, &topology, generation)?;
    let before = named.iter().map(|topic| topology.partitions(topic, counts.get(*topic).copied().unwrap_or(0)));
    if before.collect::<anyhow::Result<Vec<_>>>()?.iter().all(|count| count == partitions) {
        bail!("{} have {partitions} partitions already", named.join(", "));
    }
    change.wait(&seats, say)?;
    let moving = seats.iter().filter(|seat| seat.moves);
    let changelogs = moving.map(|seat| names::changelog(seat.stage.name(), seat.stage.input()));
    let wider: Vec<String> = change.topics.iter().cloned().chain(changelogs).collect();
    topics::widen(connection, &wider, *partitions)?;
    say("everything is read and stopped: moving state");
    change.carry_out(&seats, generation, say)?;
    Ok(generation)
}

impl Change {
    fn seats<'a>(
        &'a self,
        counts: &BTreeMap<String, u32>,
        topology: &Topology,
        generation: i32,
    ) -> anyhow::Result<Vec<Seat<'a>>> {
        let seat = |stage: &'a Arc<dyn Stage>| {
            let source = Source { generation, ..super::source(&**stage, counts, topology)? };
            let moves = self.topics.iter().any(|topic| topic == stage.input());
            let group = format!("{}.{}.{}", self.environment, stage.name(), stage.input());
            Ok(Seat {
                before: source.partitions,
                after: if moves { self.partitions } else { source.partitions },
                stable: client::create(&client::observer(&self.connection, &group, true))?,
                hasty: client::create(&client::observer(&self.connection, &group, false))?,
                stage: &**stage,
                source,
                moves,
                group,
            })
        };
        self.stages.iter().map(seat).collect()
    }

    /// Waits until nothing is unread and nobody is left who could write.
    fn wait(&self, seats: &[Seat<'_>], say: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
        let deadline = Instant::now() + self.patience;
        let mut said = String::new();
        loop {
            let Some(waiting) = self.waiting(seats)? else { return Ok(()) };
            ensure!(Instant::now() < deadline, "nothing was changed: {waiting}");
            if said != waiting {
                say(&waiting);
                said = waiting;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// What is still to be waited for, in the order an operator goes about it.
    fn waiting(&self, seats: &[Seat<'_>]) -> anyhow::Result<Option<String>> {
        let stop = |seat: &Seat<'_>, members: usize| {
            let (stage, group) = (seat.stage.name(), &seat.group);
            format!(
                "group {group} has {members} members: stop the services that run {stage} (a stopped one is \
                     forgotten when its session ends)"
            )
        };
        for seat in seats.iter().filter(|seat| !seat.moves) {
            let members = seat.members()?;
            if members > 0 {
                return Ok(Some(stop(seat, members)));
            }
        }
        for seat in seats.iter().filter(|seat| seat.moves) {
            if let Some(partition) = seat.unread(self)? {
                let (stage, topic) = (seat.stage.name(), seat.stage.input());
                return Ok(Some(format!("{topic}/{partition} has records that {stage} has not read: let it run")));
            }
        }
        for seat in seats {
            let members = seat.members()?;
            if members > 0 {
                return Ok(Some(stop(seat, members)));
            }
        }
        Ok(None)
    }

    /// A producer of the name that all such commands of an environment have: what another left open ends with its start.
    fn producer(&self) -> anyhow::Result<Producer> {
        let id = format!("{}.repartition", self.environment);
        let client = client::appending(&self.connection, &id, TRANSACTION_MAX);
        Producer::with(&client, &id, TRANSACTION_MAX)?.context("prepare to move state")
    }

    /// Moves everything in one transaction, which does not stay open however that ends: it would hide from every restore and
    /// from every reader of the ledger what is written behind it.
    fn carry_out(&self, seats: &[Seat<'_>], generation: i32, say: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
        let producer = self.producer()?;
        producer.begin().map_err(failed)?;
        let moved = self.move_state(&producer, seats, generation);
        let Err(error) = moved.and_then(|()| producer.commit().map_err(failed)) else { return Ok(()) };
        say("it failed: what was begun is taken back");
        // Whoever fenced it off has ended it, too.
        if producer.abort().err().is_none_or(|failure| failure.fenced()) {
            return Err(error);
        }
        // Nobody knows how it ends. Another producer of the name settles that at the broker, and then it shows.
        drop(producer);
        let settled = self.producer();
        settled.with_context(|| {
            format!("{error:#}; what was begun may stay open for ten minutes, or until it is run again")
        })?;
        let topology = Topology::read(&self.connection, &client::partition_counts(&self.connection)?)?;
        let committed = topology.generation(self.topics.iter().map(String::as_str)) == generation;
        if committed { Ok(()) } else { Err(error) }
    }

    fn move_state(&self, producer: &Producer, seats: &[Seat<'_>], generation: i32) -> anyhow::Result<()> {
        let mut before = Vec::new();
        for seat in seats {
            let committed = seat.committed(&seat.stable)?;
            let offsets = seat.carry_over(self, producer, &committed, generation).map_err(|error| match error {
                Trouble::Produce(failure) => failed(failure),
                Trouble::Other(error) => error.context(format!("move the state of {}", seat.stage.name())),
            })?;
            before.push((committed, offsets));
        }
        for topic in &self.topics {
            let record = topology::record(topic, self.partitions, generation);
            let write =
                Write { key: record.key.as_deref(), payload: record.payload.as_deref(), ..plain(&record.topic, 0) };
            producer.send(write).map_err(failed)?;
        }
        for (seat, (_, offsets)) in seats.iter().zip(&before) {
            let group = seat.stable.group_metadata().context("a consumer with a group has metadata")?;
            producer.send_offsets(offsets.clone(), group).map_err(failed)?;
        }
        // From here on nobody learns where to begin until this is committed. Whoever began before shows here.
        for (seat, (committed, _)) in seats.iter().zip(&before) {
            let idle = seat.members()? == 0 && seat.committed(&seat.hasty)? == *committed;
            ensure!(
                idle,
                "nothing was changed: {} was started meanwhile; stop it and run this again",
                seat.stage.name()
            );
        }
        Ok(())
    }
}

fn failed(failure: Failure) -> anyhow::Error {
    anyhow::anyhow!("nothing was changed: {:?} failed: {}; run it again", failure.step, failure.error)
}

enum Trouble {
    Produce(Failure),
    Other(anyhow::Error),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Produce(failure)
    }
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Trouble::Other(error)
    }
}

impl Seat<'_> {
    fn members(&self) -> anyhow::Result<usize> {
        let list = self.stable.fetch_group_list(Some(&self.group), ANSWER_TIMEOUT).context("ask for group members")?;
        Ok(list.groups().iter().map(|group| group.members().len()).sum())
    }

    fn committed(&self, asked: &BaseConsumer<Events>) -> anyhow::Result<Committed> {
        let partitions: Vec<i32> = (0..self.before.max(self.after) as i32).collect();
        let list = group::list(self.stage.input(), &partitions, Offset::Invalid)?;
        let answer = asked.committed_offsets(list, ANSWER_TIMEOUT).context("ask for committed offsets")?;
        let mut committed = Committed::new();
        for element in answer.elements() {
            element.error().context("ask for committed offsets")?;
            if let Offset::Offset(offset) = element.offset() {
                committed.insert(element.partition(), (offset, Mark::decode(element.metadata())));
            }
        }
        Ok(committed)
    }

    /// A partition with something unread, or with a transaction open: then more may come to light.
    fn unread(&self, change: &Change) -> anyhow::Result<Option<u32>> {
        let committed = self.committed(&self.stable)?;
        for partition in 0..self.before {
            let end = |asked: &BaseConsumer<Events>| {
                let range = asked.fetch_watermarks(self.stage.input(), partition as i32, ANSWER_TIMEOUT);
                range.with_context(|| format!("ask for the range of {}/{partition}", self.stage.input()))
            };
            let (first, visible) = end(&self.stable)?;
            if visible < end(&self.hasty)?.1 {
                return Ok(Some(partition));
            }
            let from = committed.get(&(partition as i32)).map_or(first, |(offset, _)| *offset);
            if from < visible && self.holds_items(change, partition, from)? {
                return Ok(Some(partition));
            }
        }
        Ok(None)
    }

    fn holds_items(&self, change: &Change, partition: u32, from: i64) -> anyhow::Result<bool> {
        let reader = Reader::open(&change.connection, self.stage.input(), partition as i32, Some(from))?;
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        loop {
            match reader.next(Duration::from_millis(100))? {
                Read::End(_) => return Ok(false),
                Read::Record(fetched) if !fetched.record().payload.is_some_and(is_heartbeat) => return Ok(true),
                Read::Record(_) => {}
                Read::Nothing => {
                    ensure!(Instant::now() < deadline, "{}/{partition} cannot be read", self.stage.input())
                }
            }
        }
    }

    /// Writes state and books of every partition to where they belong now. Gives the offsets that go with them.
    fn carry_over(
        &self,
        change: &Change,
        producer: &Producer,
        committed: &Committed,
        generation: i32,
    ) -> Result<TopicPartitionList, Trouble> {
        let (name, input) = (self.stage.name(), self.stage.input());
        let changelog = names::changelog(name, input);
        let (format, marker) = (Format::<LedgerEntry>::new(), generation.to_string());
        let touched = self.before.max(self.after);
        // What was written up to here must be read before more is written: afterwards it is not the last any more.
        let ends =
            (0..touched).map(|partition| range(change, &changelog, partition)).collect::<anyhow::Result<Vec<_>>>()?;
        for partition in 0..touched {
            producer.send(Write {
                key: Some(GENERATION_KEY),
                payload: Some(marker.as_bytes()),
                ..plain(&changelog, partition)
            })?;
        }
        let mut offsets = TopicPartitionList::new();
        for partition in 0..touched {
            let mut kept = self.read(change, &changelog, partition, ends[partition as usize].1, &format)?;
            let before = committed.get(&(partition as i32));
            self.agree(partition, kept.standing, before)?;
            let mut failed = None;
            if partition < self.before {
                let given_out = kept.processor.export(&mut |slot, key, value| {
                    if failed.is_none() {
                        failed = self.hand_over(producer, &changelog, partition, slot, &key, &value).err();
                    }
                });
                given_out.with_context(|| format!("give out the state of {input}/{partition}"))?;
            }
            if let Some(failure) = failed {
                return Err(Trouble::Produce(failure));
            }
            if kept.standing.is_none() {
                // A client that was asked before the topic was widened does not know the new partitions yet.
                let (first, _) = range(change, input, partition)?;
                kept.books.advance(first, first);
            }
            kept.books.end_sources(&change.topics, change.partitions);
            let entry = kept.books.close(now());
            let payload = format.encode(&entry);
            producer.send(Write { key: Some(BOOKS_KEY), payload: Some(&payload), ..plain(&changelog, partition) })?;
            let key = ledger_key(name, input, partition);
            producer.send(Write { key: Some(key.as_bytes()), payload: Some(&payload), ..plain(names::LEDGER, 0) })?;
            let mark = Mark { transaction: entry.transaction, writer: producer.writer().to_owned() };
            let mut element = offsets.add_partition(input, partition as i32);
            element.set_offset(Offset::Offset(entry.next_offset)).context("name an offset")?;
            element.set_metadata(mark.encode());
        }
        Ok(offsets)
    }

    /// Writes one entry of state where its slot belongs, and strikes it out where it was.
    fn hand_over(
        &self,
        producer: &Producer,
        changelog: &str,
        from: u32,
        slot: u32,
        key: &Bytes,
        value: &Bytes,
    ) -> Result<(), Failure> {
        let to = if self.moves { schemas::ids::partition(slot, self.after) } else { from };
        if to != from {
            // Nobody reads it any more, but a compacted changelog would keep it for ever.
            producer.send(Write { key: Some(key), ..plain(changelog, from) })?;
        }
        producer.send(Write { key: Some(key), payload: Some(value), ..plain(changelog, to) })
    }

    /// Reads what the changelog of a partition holds below an offset.
    fn read(
        &self,
        change: &Change,
        changelog: &str,
        partition: u32,
        end: i64,
        format: &Format<LedgerEntry>,
    ) -> anyhow::Result<Kept> {
        let mut kept = Kept::new(self.stage, Source { partition, ..self.source.clone() });
        let reader = Reader::open(&change.connection, changelog, partition as i32, None)?;
        let mut heard_at = Instant::now();
        loop {
            match reader.next(Duration::from_millis(100))? {
                Read::End(at) if at >= end => break,
                Read::Record(fetched) if fetched.record().offset >= end => break,
                Read::Record(fetched) => {
                    heard_at = Instant::now();
                    kept.take(self.stage, format, &fetched.record()).map_err(|refused| match refused {
                        Refused::Halt(halt) => anyhow::anyhow!("{changelog}/{partition}: {halt}"),
                        Refused::Outdated(generation) => anyhow::anyhow!("generation {generation} has begun meanwhile"),
                    })?;
                }
                Read::End(_) | Read::Nothing => {
                    ensure!(heard_at.elapsed() < ANSWER_TIMEOUT, "{changelog}/{partition} cannot be read to its end");
                }
            }
        }
        let (first, _) = reader.range()?;
        if let Some(lost) = kept.lost(first, self.stage.needs()) {
            let halt = not_whole(changelog, partition as i32, first, &lost);
            let log = KafkaLog::connect(&change.connection, "spendstream")?;
            let (stage, input) = (self.stage.name(), self.stage.input());
            ensure!(halt.is_lifted(&crate::log::skips(&log)?, stage, input, partition), "{halt}");
        }
        kept.processor.restored().map_err(|halt| anyhow::anyhow!("{changelog}/{partition}: {halt}"))?;
        Ok(kept)
    }

    /// Changelog and group must say the same, as at every start.
    fn agree(
        &self,
        partition: u32,
        changelog: Option<Standing>,
        group: Option<&(i64, Option<Mark>)>,
    ) -> anyhow::Result<()> {
        let group = group.map(|(next_offset, mark)| Standing {
            transaction: mark.as_ref().map_or(-1, |mark| mark.transaction),
            next_offset: *next_offset,
        });
        // A partition that was left out earlier has books, while its offset may have expired since.
        let rested = partition >= self.before && group.is_none();
        ensure!(
            changelog == group || rested,
            "{}/{partition}: {}",
            self.stage.input(),
            super::fate::disagreement(changelog, group)
        );
        Ok(())
    }
}

fn range(change: &Change, topic: &str, partition: u32) -> anyhow::Result<(i64, i64)> {
    Reader::open(&change.connection, topic, partition as i32, None)?.range()
}

/// A record without key and value.
fn plain(topic: &str, partition: u32) -> Write<'_> {
    Write { topic, partition, key: None, payload: None, headers: &[], timestamp: None }
}
