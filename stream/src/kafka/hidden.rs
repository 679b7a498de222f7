//! Records that no reader is given because a transaction before them stays open, in the partitions this process reads.
//!
//! Readers of committed records are given what comes before the first open transaction of a partition, whoever began it. A producer
//! that hangs with one open hides what everybody writes behind it: to every reader the partition ends there, and nobody is behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;

use super::client::{self, Events};
use super::doubt::Silence;
use crate::settings::Connection;
use crate::shutdown::Shutdown;
use crate::telemetry::Telemetry;

/// How often it is looked. An ordinary transaction is over by the next look: the one that hides something at both stays open.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// After so long somebody is told.
const TOLD_AFTER: Duration = Duration::from_secs(60);

/// Longest wait for an answer; the next look asks again.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// Topic and partition.
type Partition = (Arc<str>, u32);

/// Begins to look, until shutdown.
pub(crate) fn start(connection: &Connection, shutdown: &Shutdown, telemetry: &Arc<Telemetry>) -> anyhow::Result<()> {
    let connection = connection.clone();
    let mut look = Look {
        clients: Clients::new(&connection)?,
        silence: Silence::default(),
        open: BTreeMap::new(),
        reads: BTreeSet::new(),
        telemetry: telemetry.clone(),
    };
    shutdown.spawn("hidden-records", move |shutdown| {
        while !shutdown.wait(LOOK_EVERY) {
            look.around(&connection);
        }
    })
}

struct Clients {
    /// Is told where the records end that readers are given.
    stable: BaseConsumer<Events>,
    /// Is told where all records end.
    hasty: BaseConsumer<Events>,
}

impl Clients {
    fn new(connection: &Connection) -> anyhow::Result<Self> {
        let client = |stable| client::create(&client::measuring(connection, stable));
        Ok(Clients { stable: client(true)?, hasty: client(false)? })
    }
}

struct Look {
    clients: Clients,
    /// How long one of the questions was not answered.
    silence: Silence,
    open: BTreeMap<Partition, Open>,
    /// Partitions that were read at the last look.
    reads: BTreeSet<Partition>,
    telemetry: Arc<Telemetry>,
}

impl Look {
    fn around(&mut self, connection: &Connection) {
        let reads = self.telemetry.reads();
        for (topic, partition) in self.reads.difference(&reads) {
            self.telemetry.hidden(topic, *partition, None);
        }
        self.open.retain(|at, _| reads.contains(at));
        let mut answered = true;
        for at in &reads {
            // Without an answer what was seen stays.
            match self.ends(at) {
                Ok((stable, end)) => self.see(at, stable, end),
                Err(_) => answered = false,
            }
        }
        self.reads = reads;
        if answered {
            self.silence.ends();
        } else if self.silence.goes_on(Instant::now())
            && let Ok(clients) = Clients::new(connection)
        {
            self.clients = clients;
        }
        for client in [&self.clients.stable, &self.clients.hasty] {
            // Nobody else takes what the client has to tell.
            for _ in 0..100 {
                if client.poll(Duration::ZERO).is_none() {
                    break;
                }
            }
        }
    }

    fn ends(&self, (topic, partition): &Partition) -> KafkaResult<(i64, i64)> {
        let end = |client: &BaseConsumer<Events>| client.fetch_watermarks(topic, *partition as i32, ANSWER_MAX);
        Ok((end(&self.clients.stable)?.1, end(&self.clients.hasty)?.1))
    }

    fn see(&mut self, at: &Partition, stable: i64, end: i64) {
        let (topic, partition) = at;
        let (moment, before) = (Instant::now(), self.open.remove(at));
        let told = before.is_some_and(|open| open.told);
        let open = Open::seen(before, stable, end, moment);
        let records = open.map_or(0, |open| open.hides(end, moment));
        self.telemetry.hidden(topic, *partition, Some(records));
        let Some(mut open) = open else {
            if told {
                tracing::info!(%topic, partition, "the transaction that hid records is over");
            }
            return;
        };
        if !open.told && moment.duration_since(open.since) >= TOLD_AFTER {
            open.told = true;
            tracing::warn!(
                %topic,
                partition,
                records,
                offset = stable,
                "records wait behind a transaction that stays open: nobody is given them. `kafka-transactions.sh` names its \
                 producer (find-hanging, describe-producers): see deploy/RUNBOOK.md"
            );
        }
        self.open.insert(at.clone(), open);
    }
}

/// An open transaction with records behind its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    /// Where it begins.
    stable: i64,
    /// When it was first seen.
    since: Instant,
    /// Whether somebody was told.
    told: bool,
}

impl Open {
    /// What a look sees: the transaction that was there before, another one, or none.
    fn seen(before: Option<Open>, stable: i64, end: i64, now: Instant) -> Option<Open> {
        let another = Open { stable, since: now, told: false };
        (stable < end).then(|| before.filter(|open| open.stable == stable).unwrap_or(another))
    }

    /// Records it hides, its own among them; none while it may be an ordinary one.
    fn hides(&self, end: i64, now: Instant) -> i64 {
        if now > self.since { end - self.stable } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_hides_records_when_it_is_open_at_two_looks_and_ordinary_ones_do_not() {
        let began = Instant::now();
        let at = |looks: u32| began + LOOK_EVERY * looks;
        let mut open = None;
        let mut look = |looks, stable, end| {
            open = Open::seen(open, stable, end, at(looks));
            open.map(|open| (open.hides(end, at(looks)), (at(looks) - open.since).as_secs()))
        };
        assert_eq!(look(0, 10, 10), None, "everything can be read");
        assert_eq!(look(1, 10, 14), Some((0, 0)), "it may be over in a moment");
        assert_eq!(look(2, 12, 19), Some((0, 0)), "it was, and another has begun");
        assert_eq!(look(3, 12, 30), Some((18, 10)), "this one stays");
        assert_eq!(look(4, 12, 31), Some((19, 20)));
        assert_eq!(look(5, 31, 31), None);
        assert_eq!(look(9, 31, 40), Some((0, 0)), "an idle partition is not one that hides something");
    }
}
