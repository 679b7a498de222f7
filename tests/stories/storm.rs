//! The storm: every service is killed, paused, cut off and restarted while traffic flows, and nothing may show in the
//! result.
//!
//! Luck must not decide what a storm proves. Between random acts come directed ones, each at a seeded moment against a
//! seeded stage: they bring about the states that exactly-once rests on, and wait for the evidence that they did.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng, SeedableRng};
use schemas::topics;
use spendstream_tests::books::Books;
use spendstream_tests::deployment::{Deployment, ENVIRONMENT, Service};
use spendstream_tests::kafka::Kafka;
use spendstream_tests::proxy::{self, Cut, END_TXN};
use spendstream_tests::s3::{self, S3};
use stream::kafka::KafkaLog;

use crate::PARTITIONS;
use crate::agreement::agrees_with_the_oracle;
use crate::traffic::Producer;

/// Records of one storm; `SPENDSTREAM_STORM_RECORDS` makes it longer or shorter.
fn records() -> usize {
    match std::env::var("SPENDSTREAM_STORM_RECORDS") {
        Ok(records) => records.parse().expect("SPENDSTREAM_STORM_RECORDS is a number"),
        Err(_) => 100_000,
    }
}

/// Portions the traffic is sent in, with one act after each.
const PORTIONS: usize = 40;

/// The ledger command, which reads the lake too, is asked after every so many portions.
const ASK_EVERY: usize = 20;

/// Longest wait for the evidence of an act.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often an act without evidence is tried again, on another stage.
const ATTEMPTS: usize = 3;

/// What is brought about on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    /// Killed inside a transaction. Its commit reaches the broker when a successor is at work.
    Killed,
    /// Stopped inside a transaction until its partner has taken over, then let loose as a zombie.
    Zombie,
    /// The commit is carried out and its answer lost: the outcome is unknown, and was a commit.
    AnswerLost,
    /// The commit arrives when its sender has given it up: the outcome is unknown, and was none.
    CommitLate,
    /// A table's owner is stopped until its partner has taken over, then let loose as a zombie.
    SinkZombie,
    /// A commit to the lake is carried out and its answer lost.
    LakeAnswerLost,
}

impl Act {
    const ALL: [Act; 6] =
        [Act::Killed, Act::Zombie, Act::AnswerLost, Act::CommitLate, Act::SinkZombie, Act::LakeAnswerLost];
}

/// A lane that writes transactions: a stage in one instance of its service.
#[derive(Debug, Clone, Copy)]
struct Target {
    service: Service,
    stage: &'static str,
    input: &'static str,
    instance: u32,
}

impl Target {
    fn choose(random: &mut SmallRng) -> Self {
        const STAGES: [(Service, &str, &str); 4] = [
            (Service::Ingest, "ingest", topics::RAW),
            (Service::Enrich, "enrich", topics::EVENTS),
            (Service::Aggregate, "combine", topics::CHARGES),
            (Service::Aggregate, "merge", topics::PARTIALS),
        ];
        let (service, stage, input) = *STAGES.choose(random).unwrap();
        Target { service, stage, input, instance: random.random_range(0..2) }
    }

    /// Its transactional id.
    fn lane(&self) -> String {
        format!("{ENVIRONMENT}.{}.{}.{}.0", self.stage, self.input, self.instance)
    }
}

/// Lines of a log that hold all of these texts.
fn lines(log: &str, texts: &[&str]) -> usize {
    log.lines().filter(|line| texts.iter().all(|text| line.contains(text))).count()
}

struct Storm<'a> {
    kafka: &'a Kafka,
    s3: &'a S3,
    deployment: Deployment<'a>,
    producer: Producer<'a>,
    random: SmallRng,
    portion: usize,
    evidence: BTreeMap<Act, usize>,
    books: Books<'a>,
    /// Moments at which the ledger was asked whether it closes.
    weighed: usize,
}

impl Storm<'_> {
    /// Sends all traffic, with an act after every portion.
    fn rage(&mut self) {
        let mut directed: BTreeMap<usize, Act> = BTreeMap::new();
        let mut moments: Vec<usize> = (2..PORTIONS - 2).collect();
        moments.shuffle(&mut self.random);
        directed.extend(moments.into_iter().zip(Act::ALL));
        for moment in 0..PORTIONS {
            self.producer.send(self.portion);
            match directed.get(&moment) {
                Some(act) => self.bring_about(*act),
                None => self.act_at_random(),
            }
            // The books close at every moment, not only at the end; with the lake, whenever they are asked.
            self.weighed += self.books.weigh();
            if moment % ASK_EVERY == ASK_EVERY - 1 {
                let began = Instant::now();
                let (closes, text) = self.deployment.command(&["ledger", "--lake", &self.deployment.lake()]);
                assert!(closes, "the ledger does not close in the storm:\n{text}");
                eprintln!("  ledger command {:?}", began.elapsed());
            }
        }
        while self.producer.send(self.portion) {}
    }

    fn act_at_random(&mut self) {
        let service = *Service::ALL.choose(&mut self.random).unwrap();
        let instance = self.random.random_range(0..2);
        match self.random.random_range(0..6) {
            0..3 => {
                self.deployment.kill(service, instance);
                self.deployment.start(service, instance);
            }
            3 => {
                self.deployment.pause(service, instance, true);
                self.producer.send(self.portion);
                std::thread::sleep(Duration::from_millis(self.random.random_range(100..2_000)));
                self.deployment.pause(service, instance, false);
            }
            4 => {
                let lost = self.random.random();
                self.s3.plan(if lost { s3::Fault::LoseAnswer } else { s3::Fault::Unavailable }, &[], 2);
            }
            _ => std::thread::sleep(Duration::from_millis(self.random.random_range(50..500))),
        }
    }

    fn bring_about(&mut self, act: Act) {
        for _ in 0..ATTEMPTS {
            let target = Target::choose(&mut self.random);
            let (began, lane) = (Instant::now(), target.lane());
            let seen = match act {
                Act::Killed => self.kill_inside_a_transaction(&target),
                Act::Zombie => self.stop_inside_a_transaction(&target),
                Act::AnswerLost => self.lose_the_answer(&target),
                Act::CommitLate => self.commit_late(&target),
                Act::SinkZombie => self.stop_the_sink(target.instance),
                Act::LakeAnswerLost => self.lose_the_answer_of_the_lake(),
            };
            eprintln!("  {act:?} {lane}: seen {seen} after {:?}", began.elapsed());
            if seen {
                *self.evidence.entry(act).or_default() += 1;
                return;
            }
        }
        panic!("{act:?} was tried {ATTEMPTS} times without effect");
    }

    /// Sends a portion and waits for a condition; whether it came true.
    fn until(&mut self, condition: impl Fn(&Self) -> bool) -> bool {
        self.producer.send(self.portion);
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            self.deployment.check();
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// Catches the commits of a lane at the proxy, until what it gives is dropped.
    fn catch_commit(&mut self, target: &Target, fault: proxy::Fault) -> Option<Cut> {
        let cut = self.kafka.proxy().cut(END_TXN, &target.lane(), fault);
        self.until(|_| cut.struck()).then_some(cut)
    }

    /// Lines that an instance of the target's service has logged with all of these texts.
    fn logged(&self, service: Service, instance: u32, texts: &[&str]) -> usize {
        lines(&self.deployment.log(service, instance), texts)
    }

    /// How often an instance has restored the state of a partition of the target's stage.
    fn restored(&self, target: &Target, instance: u32) -> usize {
        let (stage, topic) = (format!("stage=\"{}\"", target.stage), format!("topic={}", target.input));
        self.logged(target.service, instance, &["state restored", &stage, &topic])
    }

    fn kill_inside_a_transaction(&mut self, target: &Target) -> bool {
        let (service, instance) = (target.service, target.instance);
        let Some(_held) = self.catch_commit(target, proxy::Fault::HoldRequest) else { return false };
        self.deployment.kill(service, instance);
        self.deployment.start(service, instance);
        self.until(|storm| storm.restored(target, instance) > 0)
    }

    fn stop_inside_a_transaction(&mut self, target: &Target) -> bool {
        let (service, instance, lane) = (target.service, target.instance, target.lane());
        let partner = 1 - instance;
        let Some(held) = self.catch_commit(target, proxy::Fault::HoldRequest) else { return false };
        let failed = self.logged(service, instance, &["transaction failed", &lane]);
        let fenced = self.deployment.fenced();
        let restored = self.restored(target, partner);
        self.deployment.pause(service, instance, true);
        let moved = self.until(|storm| storm.restored(target, partner) >= restored + PARTITIONS as usize);
        // Either the zombie or its commit is first.
        let held = (!self.random.random::<bool>()).then_some(held);
        self.deployment.pause(service, instance, false);
        let refused = self.until(|storm| {
            storm.logged(service, instance, &["transaction failed", &lane]) > failed
                || storm.deployment.fenced() > fenced
        });
        drop(held);
        moved && refused
    }

    fn lose_the_answer(&mut self, target: &Target) -> bool {
        self.leave_unknown(target, proxy::Fault::LoseResponse, "outcome=Promote")
    }

    fn commit_late(&mut self, target: &Target) -> bool {
        self.leave_unknown(target, proxy::Fault::HoldRequest, "outcome=Undo")
    }

    /// Cuts a lane off from the outcome of a transaction; whether it found out in the end.
    fn leave_unknown(&mut self, target: &Target, fault: proxy::Fault, outcome: &str) -> bool {
        let lane = target.lane();
        let settled =
            |storm: &Self| storm.logged(target.service, target.instance, &["transaction settled", outcome, &lane]);
        let before = settled(self);
        let caught = self.catch_commit(target, fault);
        caught.is_some() && self.until(|storm| settled(storm) > before)
    }

    fn stop_the_sink(&mut self, instance: u32) -> bool {
        let partner = 1 - instance;
        let taken = |storm: &Self| {
            storm.logged(Service::Sink, partner, &["table says where to read from", "topic=\"usage.charges\""])
        };
        let before = taken(self);
        self.deployment.pause(Service::Sink, instance, true);
        let moved = self.until(|storm| taken(storm) >= before + PARTITIONS as usize);
        self.deployment.pause(Service::Sink, instance, false);
        moved
    }

    fn lose_the_answer_of_the_lake(&mut self) -> bool {
        let settled = |storm: &Self| {
            (0..2)
                .map(|instance| {
                    storm.logged(Service::Sink, instance, &["a commit whose answer was lost is in the table"])
                })
                .sum::<usize>()
        };
        let before = settled(self);
        // Not any file of the lake: alerts are delivered by a ledger of their own.
        self.s3.plan(s3::Fault::LoseAnswer, &["/charges/_delta_log/", ".json"], 1);
        self.until(|storm| settled(storm) > before)
    }
}

fn storm(seed: u64) {
    eprintln!("storm with seed {seed}: repeat it with SPENDSTREAM_STORM_SEED={seed}, the test storm::first alone");
    let began = Instant::now();
    let (kafka, s3) = (Kafka::start(), S3::start("lake"));
    let mut deployment = Deployment::prepare(&kafka, &s3, PARTITIONS);
    let log = KafkaLog::connect(&kafka.connection(), "story").unwrap();
    let records = records();
    deployment.start_all(2);
    let producer = Producer::new(&log, seed, records);
    let (random, portion) = (SmallRng::seed_from_u64(seed), records.div_ceil(PORTIONS * 3 / 2));
    let evidence = BTreeMap::new();
    let books = Books::new(&log);
    eprintln!("  began after {:?}", began.elapsed());
    let mut storm =
        Storm { kafka: &kafka, s3: &s3, deployment, producer, random, portion, evidence, books, weighed: 0 };
    storm.rage();
    eprintln!("  raged for {:?}", began.elapsed());

    let Storm { mut deployment, evidence, mut books, weighed, .. } = storm;
    deployment.settle(&log, records, Duration::from_secs(300));
    eprintln!("  settled after {:?}", began.elapsed());
    agrees_with_the_oracle(&log, &deployment);
    eprintln!("  agreed after {:?}", began.elapsed());
    deployment.stop();
    let weighed = weighed + books.weigh();
    eprintln!("  the ledger closed at {weighed} moments, {:?}", began.elapsed());

    // Nobody is at work any more: what readers cannot see now was aborted.
    let written = [topics::EVENTS, topics::CHARGES, topics::PARTIALS, topics::WINDOWS, topics::LEDGER];
    let aborted: Vec<_> = written.iter().map(|topic| (*topic, kafka.aborted(topic))).collect();
    eprintln!("  aborted records {aborted:?}, lake requests struck {}, {:?}", s3.faults_hit(), began.elapsed());
    assert!(aborted.iter().any(|(_, count)| *count > 0), "a storm without an aborted transaction proves nothing");
    for act in Act::ALL {
        assert!(evidence.contains_key(&act), "a storm without {act:?} proves nothing");
    }
}

/// Storms that rage now. More than two at once would starve each other, and what waits for its evidence would give up.
static RAGING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

const RAGING_MAX: usize = 2;

/// One of the storms that may rage at once.
struct Turn;

impl Turn {
    fn wait() -> Self {
        let raging = RAGING.0.lock().expect("nobody panics while holding this lock");
        let mut raging = RAGING.1.wait_while(raging, |raging| *raging >= RAGING_MAX).expect("as above");
        *raging += 1;
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RAGING.0.lock().expect("nobody panics while holding this lock") -= 1;
        RAGING.1.notify_one();
    }
}

/// The nth storm. Their seeds follow each other, from `SPENDSTREAM_STORM_SEED` or 1.
fn nth(n: u64) {
    let first: u64 = match std::env::var("SPENDSTREAM_STORM_SEED") {
        Ok(seed) => seed.parse().expect("SPENDSTREAM_STORM_SEED is a number"),
        Err(_) => 1,
    };
    let _turn = Turn::wait();
    storm(first + n);
}

#[test]
fn first() {
    nth(0);
}

#[test]
fn second() {
    nth(1);
}

#[test]
fn third() {
    nth(2);
}

#[test]
fn fourth() {
    nth(3);
}

#[test]
fn fifth() {
    nth(4);
}
