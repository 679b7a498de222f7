//! The stage: a raw topic in; `usage.events`, `usage.facts` and `usage.rejected` out.

use std::sync::Arc;

use bytes::Bytes;
use schemas::ids::{call_slot, hash_parts, partition, slot};
use schemas::{EventItem, Fact, RejectReason, Rejection, Timestamp, UsageEvent, topics};
use stream::reference::ReferenceSink;
use stream::{
    BatchWriter, Books, Halt, Needs, Output, Processor, Record, Source, Stage, Tick, WATERMARK_BEHIND_SECONDS,
};

use crate::config::Config;
use crate::decode::decode;
use crate::item::{IgnoreReason, Item, RawRecord};
use crate::replay::Original;
use crate::users::Users;

/// Turns one raw topic into events, facts and rejections.
#[derive(Debug, Clone)]
pub struct IngestStage {
    topic: String,
    config: Arc<Config>,
    users: Option<Arc<Users>>,
}

impl IngestStage {
    /// The stage for a raw topic. Without `users` it leaves users out, unless the configuration has keys.
    pub fn new(topic: impl Into<String>, config: Config, users: Option<Arc<Users>>) -> Self {
        IngestStage { topic: topic.into(), config: Arc::new(config), users }
    }
}

impl Stage for IngestStage {
    fn name(&self) -> &'static str {
        "ingest"
    }

    fn input(&self) -> &str {
        &self.topic
    }

    fn needs(&self) -> Needs {
        Needs::Books
    }

    fn outputs(&self) -> Vec<String> {
        [topics::EVENTS, topics::FACTS, topics::REJECTED].map(str::to_owned).into()
    }

    fn references(&self) -> Vec<Arc<dyn ReferenceSink>> {
        self.users.iter().map(|users| users.clone() as Arc<dyn ReferenceSink>).collect()
    }

    fn processor(&self, source: &Source) -> Box<dyn Processor> {
        let writer = |topic| source.target_partitions(topic);
        Box::new(Ingest {
            topic: self.topic.clone(),
            partition: source.partition,
            config: Arc::clone(&self.config),
            users: self.users.clone(),
            events: BatchWriter::new(topics::EVENTS, writer(topics::EVENTS)),
            facts: BatchWriter::new(topics::FACTS, writer(topics::FACTS)).without_heartbeats(),
            rejected: BatchWriter::new(topics::REJECTED, writer(topics::REJECTED)).without_heartbeats(),
            highest: Timestamp::MIN,
            highest_committed: Timestamp::MIN,
        })
    }
}

struct Ingest {
    topic: String,
    partition: u32,
    /// With the keys of users as of the last batch.
    config: Arc<Config>,
    users: Option<Arc<Users>>,
    events: BatchWriter<EventItem>,
    facts: BatchWriter<Fact>,
    rejected: BatchWriter<Rejection>,
    /// Highest arrival seen.
    highest: Timestamp,
    highest_committed: Timestamp,
}

/// Counts of one run of records. `DESIGN.md` says what each counts.
#[derive(Default)]
struct Tally {
    records: i64,
    replayed: i64,
    claims_not_allowed: i64,
    events: i64,
    iterations: i64,
    facts: i64,
    links: i64,
    corrections: i64,
    rejected: [i64; RejectReason::ALL.len()],
    ignored: [i64; IgnoreReason::ALL.len()],
    flags: [i64; schemas::Flag::ALL.len()],
}

impl Tally {
    fn event(&mut self, event: &UsageEvent) {
        self.events += 1;
        for flag in &event.flags {
            self.flags[*flag as usize] += 1;
        }
    }

    fn book(&self, books: &mut Books) {
        let rejected: i64 = self.rejected.iter().sum();
        let ignored: i64 = self.ignored.iter().sum();
        books.count("records", self.records);
        books.count("items", self.events + self.facts + self.corrections + rejected + ignored);
        books.count("events", self.events);
        books.count("events.iterations", self.iterations);
        books.count("facts", self.facts);
        books.count("corrections", self.corrections);
        books.count("links", self.links);
        books.count("rejected", rejected);
        books.count("ignored", ignored);
        count(books, "", "replayed", self.replayed);
        count(books, "", "claims_not_allowed", self.claims_not_allowed);
        for reason in RejectReason::ALL {
            count(books, "rejected.", reason.as_str(), self.rejected[*reason as usize]);
        }
        for reason in IgnoreReason::ALL {
            count(books, "ignored.", reason.as_str(), self.ignored[*reason as usize]);
        }
        for flag in schemas::Flag::ALL {
            count(books, "flags.", flag.as_str(), self.flags[*flag as usize]);
        }
    }
}

fn count(books: &mut Books, group: &str, name: &str, by: i64) {
    if by != 0 {
        books.count(&format!("{group}{name}"), by);
    }
}

impl Ingest {
    fn event_partition(&self, tenant: &str, call_key: &str) -> u32 {
        partition(call_slot(tenant, call_key), self.events.partitions())
    }

    /// The configuration with the keys that users are pseudonymised with now.
    fn current(&mut self) -> Result<Arc<Config>, Halt> {
        if let Some(users) = &self.users {
            let keys = users.keys().ok_or_else(|| {
                Halt::State(format!(
                    "{} holds no keys to make pseudonyms of users with: make them with `spendstream topics apply`, or leave \
                     users out with --drop-users",
                    topics::REF_USERS
                ))
            })?;
            if !self.config.users.as_ref().is_some_and(|known| Arc::ptr_eq(known, &keys)) {
                self.config = Arc::new(Config { users: Some(keys), ..(*self.config).clone() });
            }
        }
        Ok(Arc::clone(&self.config))
    }

    fn take(&mut self, item: Item, tally: &mut Tally) -> Result<(), Halt> {
        match item {
            Item::Event(event) => {
                tally.event(&event);
                let target = self.event_partition(&event.tenant, &event.call_key);
                self.events.push(target, &EventItem::Event(event))
            }
            Item::Link(link) => {
                tally.links += 1;
                let target = self.event_partition(&link.tenant, &link.weaker);
                self.events.push(target, &EventItem::Link(link))
            }
            Item::Correction(correction) => {
                tally.corrections += 1;
                let target = self.event_partition(&correction.tenant, &correction.call_key);
                self.events.push(target, &EventItem::Correction(*correction))
            }
            Item::Fact(fact) => {
                tally.facts += 1;
                let workload = hash_parts([b"fact".as_slice(), fact.tenant.as_bytes(), fact.workload.as_bytes()]);
                self.facts.push(partition(slot(workload), self.facts.partitions()), &fact)
            }
            Item::Rejected(rejection) => {
                tally.rejected[rejection.reason as usize] += 1;
                self.rejected.push(self.partition % self.rejected.partitions(), &rejection)
            }
            Item::Ignored { reason, .. } => {
                tally.ignored[reason as usize] += 1;
                Ok(())
            }
        }
    }
}

impl Processor for Ingest {
    fn restore(&mut self, _key: &[u8], _value: Option<&[u8]>) -> Result<(), Halt> {
        // All the state there is are the books.
        Ok(())
    }

    fn process(&mut self, records: &[Record<'_>], _tick: &Tick, books: &mut Books) -> Result<(), Halt> {
        let mut tally = Tally::default();
        let config = self.current()?;
        for record in records {
            self.highest = self.highest.max(record.timestamp);
            let raw = RawRecord {
                topic: &self.topic,
                partition: self.partition as i32,
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key,
                headers: &record.headers,
                payload: record.payload,
            };
            let decoded = decode(&raw, &config);
            tally.records += 1;
            tally.replayed += i64::from(Original::of(&raw, &config).is_some());
            tally.iterations += decoded.iterations();
            tally.claims_not_allowed += decoded.claims_not_allowed;
            for item in decoded.items {
                self.take(item, &mut tally)?;
            }
        }
        tally.book(books);
        Ok(())
    }

    fn finish(&mut self, tick: &Tick, books: &mut Books, out: &mut Output) -> Result<(), Halt> {
        let seen = if tick.caught_up { tick.now } else { tick.now.min(self.highest) };
        books.set_watermark(seen.plus_seconds(-WATERMARK_BEHIND_SECONDS));
        self.events.finish(tick, books, out)?;
        self.facts.finish(tick, books, out)?;
        self.rejected.finish(tick, books, out)
    }

    fn export(&self, _: &mut dyn FnMut(u32, Bytes, Bytes)) -> Result<(), Halt> {
        // All the state there is are the books.
        Ok(())
    }

    fn promote(&mut self) {
        self.highest_committed = self.highest;
    }

    fn undo(&mut self) {
        self.highest = self.highest_committed;
        self.events.undo();
        self.facts.undo();
        self.rejected.undo();
    }
}
