//! Takes alerts from the topic into the ledger, and works through what is open: a thread per route.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use prometheus::Registry;
use schemas::codec::Format;
use schemas::ids::hash_parts;
use schemas::{Alert, BudgetPeriod, Direction, Money, Skip, Timestamp, topics};
use stream::{Halt, Log, Record, Shutdown, Table, Write};

use super::attempt::{Attempt, Circuit, Fate, Next, Outcome, Policy, next};
use super::drivers::{Driver, Drivers, LOOK_MAX};
use super::http::Network;
use super::ledger::{Ledger, Place, Sending};
use super::message::Message;
use super::metrics::Metrics;
use super::origin::Origin;
use super::receiver::Receiver;
use super::route::{Route, Routes, Secrets};
use super::{DeliveryConfig, is_stale};
use crate::lake::Lake;

/// Longest time one request with its answer may take: what Standard Webhooks asks for at least, and less than
/// [`Policy::under_way_micros`].
const REQUEST_MAX: Duration = Duration::from_secs(15);

/// Name of the table that takes alerts in.
const NAME: &str = "delivery";

/// How long a route rests between looks at what is open.
const LOOK: Duration = Duration::from_millis(200);

/// How often the log says that the ledger cannot be used. It is tried at every look.
const COMPLAIN_EVERY: Duration = Duration::from_secs(30);

/// Everything that sends: shared by the threads.
pub struct Delivery {
    ledger: Ledger,
    routes: Vec<Lane>,
    network: Network,
    policy: Policy,
    /// By which routes are matched.
    environment: String,
    /// Under which crossings are sent.
    origin: Origin,
    age_max: Duration,
    link: Option<String>,
    metrics: Metrics,
    /// `None` where no alerts are taken in.
    pub(crate) drivers: Option<Drivers>,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "delivery on {} routes", self.routes.len())
    }
}

/// A route and what is open on it.
struct Lane {
    route: Route,
    receiver: Receiver,
    jobs: Mutex<VecDeque<Job>>,
    /// Its receiver has failed too often in a row, and nothing has arrived since.
    broken: AtomicBool,
}

/// One alert on one route.
#[derive(Clone)]
struct Job {
    partition: u32,
    place: Place,
    alert: Arc<Alert>,
    drivers: Arc<[Driver]>,
    origin: Origin,
    attempts: Vec<Attempt>,
    /// Routes that are not through with the alert yet.
    open: Arc<AtomicUsize>,
}

impl Lane {
    fn jobs(&self) -> MutexGuard<'_, VecDeque<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_full(&self, policy: &Policy) -> bool {
        self.jobs().len() >= policy.waiting_max
    }

    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }
}

impl Delivery {
    /// Reads the routes and their secrets; `None` without a file of routes. The log has the budgets, by whose scopes the
    /// drivers of an alert are found; whoever takes no alerts in needs none.
    ///
    /// # Errors
    /// Everything that is wrong with the routes, or the secret that is missing.
    pub fn open(
        lake: &Lake,
        log: Option<Arc<dyn Log>>,
        config: &DeliveryConfig,
        environment: &str,
    ) -> anyhow::Result<Option<Arc<Self>>> {
        let Some(path) = &config.alert_routes else { return Ok(None) };
        let text = std::fs::read_to_string(path).with_context(|| format!("read routes {}", path.display()))?;
        let routes = Routes::parse(&path.display().to_string(), &text, config.alert_allow_private)?;
        let network = Network::new(config.alert_allow_private, REQUEST_MAX);
        let mut delivery = Self::new(lake, routes, config, environment, network, Policy::default())?;
        delivery.drivers = log.map(|log| Drivers::new(lake, log));
        Ok(Some(Arc::new(delivery)))
    }

    pub(crate) fn new(
        lake: &Lake,
        routes: Routes,
        config: &DeliveryConfig,
        environment: &str,
        network: Network,
        policy: Policy,
    ) -> anyhow::Result<Self> {
        let lane = |route: Route| {
            let receiver = Receiver::of(&route, Secrets, config.alert_allow_private);
            let receiver = receiver.with_context(|| format!("set up route {}", route.name))?;
            Ok(Lane { route, receiver, jobs: Mutex::default(), broken: AtomicBool::default() })
        };
        let routes = routes.routes.into_iter().map(lane).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Delivery {
            ledger: Ledger::of(lake),
            metrics: Metrics::new(routes.iter().map(|lane| lane.route.name.as_str())),
            routes,
            network,
            policy,
            environment: environment.to_owned(),
            origin: Origin::named(config.alert_origin.as_deref().unwrap_or(environment)),
            age_max: config.alert_age_max,
            link: config.alert_link.clone(),
            drivers: None,
        })
    }

    /// Shows the metrics of delivery in a registry.
    ///
    /// # Errors
    /// When they are there already.
    pub fn register_metrics(&self, registry: &Registry) -> anyhow::Result<()> {
        self.metrics.register(registry)
    }

    #[cfg(test)]
    pub(crate) fn lake(&self) -> &Lake {
        self.ledger.lake()
    }

    /// The table that takes alerts in.
    pub fn inbox(self: &Arc<Self>) -> Inbox {
        Inbox {
            delivery: self.clone(),
            format: Format::new(),
            taken: Taken::default(),
            topic: None,
            foreign: BTreeMap::new(),
            orders: Arc::default(),
        }
    }

    /// Starts a thread per route, which works until shutdown. One that panics ends the process.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(self: &Arc<Self>, shutdown: &Shutdown) -> anyhow::Result<()> {
        for index in 0..self.routes.len() {
            let delivery = self.clone();
            let name = format!("route-{}", delivery.routes[index].route.name);
            shutdown.spawn(&name, move |shutdown| delivery.work(&delivery.routes[index], shutdown))?;
        }
        Ok(())
    }

    /// Alerts that wait for their routes, or for an answer; one on two routes counts twice.
    pub fn waiting(&self) -> usize {
        self.routes.iter().map(|lane| lane.jobs().len()).sum()
    }

    fn work(&self, lane: &Lane, shutdown: &Shutdown) {
        let mut circuit = Circuit::default();
        let mut complained: Option<Instant> = None;
        while !shutdown.is_set() {
            self.metrics.wait(&lane.route.name, lane.jobs().len());
            let idle = match circuit.open_until(stream::now()) {
                Some(_) => true,
                None => self.step(lane, &mut circuit).unwrap_or_else(|error| {
                    if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
                        complained = Some(Instant::now());
                        let error = format!("{error:#}");
                        tracing::warn!(route = lane.route.name, error, "delivery ledger cannot be used; trying again");
                    }
                    true
                }),
            };
            if idle {
                shutdown.wait(LOOK);
            }
        }
    }

    /// Does one thing for the first alert on which something can be done; true when there is none.
    fn step(&self, lane: &Lane, circuit: &mut Circuit) -> anyhow::Result<bool> {
        let now = stream::now();
        let mut ready = None;
        {
            let jobs = lane.jobs();
            // What an earlier alert of the same crossing is still waiting for, a later one waits for too: a recovery
            // must not overtake what it resolves.
            let mut before = HashSet::new();
            for job in jobs.iter() {
                if !before.insert(job.alert.dedup_key) {
                    continue;
                }
                match next(&job.attempts, job.alert.alert_id, &self.policy, now) {
                    Next::Wait(_) => {}
                    decision => {
                        ready = Some((job.clone(), decision));
                        break;
                    }
                }
            }
        }
        let Some((mut job, decision)) = ready else { return Ok(true) };
        match decision {
            Next::Send { number, repeats } => {
                if let Some(outcome) = self.attempt(lane, &mut job, number, repeats)? {
                    circuit.note(&outcome, &self.policy, stream::now());
                    lane.broken.store(circuit.is_broken(), Ordering::SeqCst);
                }
                // Unless the partition was given up meanwhile.
                if let Some(held) = lane.jobs().iter_mut().find(|held| held.place == job.place) {
                    held.attempts = job.attempts;
                }
            }
            Next::Done(fate) => self.finish(lane, &job, &fate)?,
            Next::Wait(_) => {}
        }
        Ok(false)
    }

    /// Records an attempt, makes it, and records its outcome; `None` when another process makes it.
    fn attempt(&self, lane: &Lane, job: &mut Job, number: u32, repeats: bool) -> anyhow::Result<Option<Outcome>> {
        let (route, at) = (&lane.route.name, stream::now());
        if !self.ledger.begin(&job.place, route, number, at)? {
            let known = self.ledger.sending(&job.place)?;
            job.attempts = known.routes.get(route).cloned().unwrap_or_default();
            return Ok(None);
        }
        let outcome = match repeats && self.has_arrived(lane, job) {
            true => Outcome::Delivered,
            false => self.send(lane, &job.alert, &job.origin, &job.drivers, repeats, at),
        };
        let ended = stream::now();
        job.attempts.push(Attempt { at, outcome: Some((ended, outcome.clone())) });
        self.metrics.attempted(route, &outcome);
        if let Err(error) = self.ledger.end(&job.place, route, number, ended, &outcome) {
            // A restart takes it for unknown, which is safe.
            tracing::warn!(route, alert = %job.place.alert_id, error = format!("{error:#}"), "outcome not recorded");
        }
        Ok(Some(outcome))
    }

    /// Sends an alert, and says what the answer to it means.
    fn send(
        &self,
        lane: &Lane,
        alert: &Alert,
        origin: &Origin,
        drivers: &[Driver],
        repeats: bool,
        at: Timestamp,
    ) -> Outcome {
        // What an older release took in is sent under no name, and says all the same where it comes from.
        let from = if origin.name().is_some() { origin } else { &self.origin };
        let message = Message::of(alert, drivers, self.link.as_deref()).sent_from(from);
        let request = lane.receiver.request(alert, origin, &message, repeats, at);
        lane.receiver.judge(&self.network.send(&request), stream::now())
    }

    /// True when the receiver shows that an earlier attempt arrived.
    fn has_arrived(&self, lane: &Lane, job: &Job) -> bool {
        let Some(first) = job.attempts.first() else { return false };
        let Some(request) = lane.receiver.look_up(first.at) else { return false };
        lane.receiver.found(&job.alert, &job.origin, &self.network.send(&request)).unwrap_or(false)
    }

    fn finish(&self, lane: &Lane, job: &Job, fate: &Fate) -> anyhow::Result<()> {
        if let Fate::Dead { why } = fate {
            self.give_up(&job.place, &lane.route.name, why);
        }
        let mut jobs = lane.jobs();
        let before = jobs.len();
        jobs.retain(|held| held.place != job.place);
        let removed = jobs.len() < before;
        drop(jobs);
        if removed && job.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            // Failing, it is found settled after the next start.
            self.ledger.settle(job.partition, &job.place)?;
        }
        Ok(())
    }

    fn give_up(&self, place: &Place, route: &str, why: &str) {
        self.metrics.died(route);
        let alert = place.alert_id.to_string();
        tracing::error!(route, alert, why, "alert not delivered; `spendstream alerts resend` tries again");
    }

    /// Puts an alert into the queues of its routes.
    fn enqueue(&self, partition: u32, sending: Sending) -> anyhow::Result<()> {
        let place = Place::of(&sending.alert);
        if self.routes.iter().any(|lane| lane.jobs().iter().any(|job| job.place == place)) {
            // It came again. Routes that are through with it must not settle it for those that are not.
            return Ok(());
        }
        let mut lanes = Vec::new();
        for (name, attempts) in sending.routes {
            match self.routes.iter().find(|lane| lane.route.name == name) {
                None => self.reject(&place, &name, &attempts, "no route has this name any more")?,
                Some(lane) if attempts.is_empty() && lane.is_broken() && lane.is_full(&self.policy) => {
                    self.reject(&place, &name, &attempts, "the route fails, and too many alerts wait for it")?;
                }
                Some(lane) => lanes.push((lane, attempts)),
            }
        }
        if lanes.is_empty() {
            return self.ledger.settle(partition, &place);
        }
        let (alert, open) = (Arc::new(sending.alert), Arc::new(AtomicUsize::new(lanes.len())));
        let (drivers, origin): (Arc<[Driver]>, _) = (sending.drivers.into(), sending.origin);
        for (lane, attempts) in lanes {
            let (alert, drivers, open, place) = (alert.clone(), drivers.clone(), open.clone(), place.clone());
            lane.jobs().push_back(Job { partition, place, alert, drivers, origin: origin.clone(), attempts, open });
        }
        Ok(())
    }

    /// Rejects an alert on a route that cannot take it, unless it is through there.
    fn reject(&self, place: &Place, route: &str, attempts: &[Attempt], why: &str) -> anyhow::Result<()> {
        let now = stream::now();
        if let Next::Done(_) = next(attempts, place.alert_id, &self.policy, now) {
            return Ok(());
        }
        let mut number = attempts.len() as u32 + 1;
        // A process that knows the route may still be at it.
        while !self.ledger.begin(place, route, number, now)? {
            number += 1;
        }
        self.ledger.end(place, route, number, now, &Outcome::Rejected { why: why.to_owned() })?;
        self.give_up(place, route, why);
        Ok(())
    }

    /// Puts what is open into the queues of its routes, then what is new into the ledger and the queues, then moves the
    /// positions.
    fn take_in(&self, taken: Taken, now: Timestamp) -> anyhow::Result<()> {
        for partition in taken.partitions {
            for sending in self.ledger.open(partition)? {
                self.enqueue(partition, sending)?;
            }
        }
        let looking = Instant::now();
        for (partition, alert) in taken.alerts {
            if is_stale(alert.emitted_at, now, self.age_max) {
                self.metrics.grew_stale();
                tracing::info!(alert = %alert.alert_id, emitted_at = %alert.emitted_at, "alert too old to be sent");
                continue;
            }
            let lanes = self.routes.iter().filter(|lane| lane.route.takes(&alert, &self.environment, now));
            let routes: Vec<String> = lanes.map(|lane| lane.route.name.clone()).collect();
            if routes.is_empty() {
                continue;
            }
            // Many alerts at once share the time for one.
            let drivers = match (&self.drivers, LOOK_MAX.checked_sub(looking.elapsed())) {
                (Some(drivers), Some(left)) if alert.direction == Direction::Up => drivers.of(&alert, left),
                _ => Vec::new(),
            };
            self.ledger.accept(partition, &alert, &drivers, &routes, &self.origin)?;
            // Not from memory: where it was accepted before, its attempts are known.
            self.enqueue(partition, self.ledger.sending(&Place::of(&alert))?)?;
        }
        for (partition, to) in taken.moved {
            self.ledger.set_position(partition, to, taken.topic)?;
        }
        Ok(())
    }

    /// Sends an alert again on a route, at once, whatever became of it before; gives how that went.
    ///
    /// # Errors
    /// When there is no such route or alert, or the ledger cannot be used.
    pub fn resend(&self, place: &Place, route: &str) -> anyhow::Result<Outcome> {
        let sending = self.ledger.sending(place)?;
        let lane = self.routes.iter().find(|lane| lane.route.name == route);
        let lane = lane.with_context(|| format!("there is no route {route}"))?;
        let attempts = sending.routes.get(route).cloned().unwrap_or_default();
        let number = attempts.len() as u32 + 1;
        let (alert, drivers, origin) = (Arc::new(sending.alert), sending.drivers.into(), sending.origin);
        let mut job =
            Job { partition: 0, place: place.clone(), alert, drivers, origin, attempts, open: Arc::default() };
        self.attempt(lane, &mut job, number, false)?.context("another process is sending it")
    }
}

/// Sends a made-up crossing on a route and, once it has arrived, its recovery, so that no incident stays open. Gives how
/// that went. The ledger does not know of it.
///
/// # Errors
/// When there is no such route.
pub fn test_route(delivery: &Delivery, route: &str, now: Timestamp) -> anyhow::Result<Outcome> {
    let lane = delivery.routes.iter().find(|lane| lane.route.name == route);
    let lane = lane.with_context(|| format!("there is no route {route}"))?;
    let send = |direction| delivery.send(lane, &made_up(route, direction, now), &delivery.origin, &[], false, now);
    match send(Direction::Up) {
        Outcome::Delivered if lane.route.recoveries => Ok(send(Direction::Down)),
        outcome => Ok(outcome),
    }
}

fn made_up(route: &str, direction: Direction, now: Timestamp) -> Alert {
    let id =
        |parts: &str| hash_parts([b"test".as_slice(), route.as_bytes(), &now.micros().to_be_bytes(), parts.as_bytes()]);
    Alert {
        alert_id: id(direction.as_str()),
        dedup_key: id(""),
        tenant: "default".into(),
        budget_id: "test".into(),
        name: "Test of this route, no real budget".into(),
        budget_revision: "test".into(),
        team: None,
        period: BudgetPeriod::Month,
        period_start: now.plus_seconds(-10 * 86_400),
        period_end: now.plus_seconds(20 * 86_400),
        threshold: "0.8".into(),
        episode: 1,
        direction,
        action: "notify".into(),
        severity: "info".into(),
        amount: Money::from_units(100),
        spent: Money::from_units(if direction == Direction::Up { 80 } else { 75 }),
        currency: "USD".into(),
        booked_at: now,
        counts_from: None,
        emitted_at: now,
    }
}

/// Takes alerts from the topic into the ledger. Its positions are in the ledger too.
#[derive(Debug)]
pub struct Inbox {
    delivery: Arc<Delivery>,
    format: Format<Alert>,
    taken: Taken,
    /// Number of the topic that is read, where it is known.
    topic: Option<i64>,
    /// Partitions whose position is of another topic.
    foreign: BTreeMap<u32, Halt>,
    orders: Arc<Vec<Skip>>,
}

/// What the next write is about.
#[derive(Debug, Default)]
struct Taken {
    /// Partitions that were taken over; what is open of them is in no queue yet.
    partitions: Vec<u32>,
    alerts: Vec<(u32, Alert)>,
    bytes: usize,
    /// Where partitions stand after it.
    moved: Vec<(u32, i64)>,
    /// Number of the topic that is of, where it is known.
    topic: Option<i64>,
}

impl Inbox {
    /// From where a partition is read of which the ledger has this position, of the topic of this number where it says so.
    fn goes_on(&self, partition: u32, position: Option<(i64, Option<i64>)>) -> Result<Option<i64>, Halt> {
        let Some((position, of)) = position else { return Ok(None) };
        let (Some(of), Some(ours)) = (of, self.topic) else { return Ok(Some(position)) };
        if of == ours {
            return Ok(Some(position));
        }
        let halt = Halt::Unfounded {
            why: format!(
                "{topic} was deleted and created again, or this lake was filled from another cluster or data folder: its delivery ledger has \
                 {topic}/{partition} up to offset {position}, and would take other alerts for these. Bring the old one back, or choose \
                 another --lake. Where the topic was made anew on purpose, deliver it from its first alert: what was delivered is not \
                 sent again (one order does for all partitions)",
                topic = topics::ALERTS,
            ),
            source_topic: topics::ALERTS.to_owned(),
            source_partition: partition as i32,
            sequence: ours,
        };
        // One order does for the topic, whichever of its partitions it names.
        let ordered = |skip: &Skip| {
            let source = skip.source_partition.unwrap_or_default();
            skip.stage == NAME && skip.topic == topics::ALERTS && skip.accepts(topics::ALERTS, source, ours)
        };
        if self.orders.iter().any(ordered) { Ok(None) } else { Err(halt) }
    }
}

impl Table for Inbox {
    fn name(&self) -> &str {
        NAME
    }

    fn input(&self) -> &str {
        topics::ALERTS
    }

    fn heed(&mut self, orders: &Arc<Vec<Skip>>) {
        self.orders = orders.clone();
    }

    fn comes_from(&mut self, topic: Option<i64>) {
        self.topic = topic;
    }

    fn assign(&mut self, partitions: &[u32]) -> anyhow::Result<Vec<(u32, Option<i64>)>> {
        let mut positions = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let position = self.delivery.ledger.position(*partition, self.topic)?;
            self.foreign.remove(partition);
            let from = self.goes_on(*partition, position).unwrap_or_else(|halt| {
                self.foreign.insert(*partition, halt);
                position.map(|(offset, _)| offset)
            });
            positions.push((*partition, from));
        }
        self.taken.partitions.extend(partitions);
        Ok(positions)
    }

    fn refuses(&self, partition: u32) -> Option<Halt> {
        self.foreign.get(&partition).cloned()
    }

    fn revoke(&mut self, partitions: &[u32]) {
        let given_up = |partition: &u32| partitions.contains(partition);
        self.taken.partitions.retain(|partition| !given_up(partition));
        self.taken.alerts.retain(|(partition, _)| !given_up(partition));
        self.taken.moved.retain(|(partition, _)| !given_up(partition));
        for lane in &self.delivery.routes {
            lane.jobs().retain(|job| !given_up(&job.partition));
        }
    }

    fn append(&mut self, partition: u32, records: &[Record<'_>], position: i64) -> Result<(), Halt> {
        let mut alerts = Vec::with_capacity(records.len());
        for record in records {
            let Some(payload) = record.payload else { continue };
            let alert = self.format.decode(payload);
            let alert = alert.map_err(|e| Halt::Undecodable { offset: record.offset, error: e.to_string() })?;
            alerts.push((partition, alert));
        }
        self.taken.bytes += records.iter().filter_map(|record| record.payload).map(<[u8]>::len).sum::<usize>();
        self.taken.alerts.append(&mut alerts);
        self.taken.moved.retain(|(moved, _)| *moved != partition);
        self.taken.moved.push((partition, position));
        Ok(())
    }

    fn due(&self, _: Timestamp) -> bool {
        !self.taken.moved.is_empty() || !self.taken.partitions.is_empty()
    }

    fn buffered_bytes(&self) -> usize {
        self.taken.bytes
    }

    fn is_full(&self) -> bool {
        let Delivery { routes, policy, .. } = &*self.delivery;
        routes.iter().any(|lane| lane.is_full(policy) && !lane.is_broken())
    }

    fn flush(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.begin_flush(now)?.map_or(Ok(()), |write| write())
    }

    // An alert is several requests to the store: the member of the group must not be silent for as long as many take.
    fn begin_flush(&mut self, now: Timestamp) -> anyhow::Result<Option<Write>> {
        let taken = Taken { topic: self.topic, ..std::mem::take(&mut self.taken) };
        let delivery = self.delivery.clone();
        Ok(Some(Box::new(move || delivery.take_in(taken, now).context("use the delivery ledger"))))
    }
}
