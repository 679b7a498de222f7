//! Sample traffic: what a company with five teams might write to `usage.raw` in a day, good and bad.
//!
//! Pure: a seed, a [`Shape`] and a start give the same records on every machine. Besides ordinary calls of several
//! providers there is what makes usage hard to count: retries that arrive twice (on another partition), a call that the
//! application and the gateway both report, late events, a model without a price, a key without an owner, records
//! nobody can read, and an agent that runs through its team's budget.

mod bodies;
mod company;
mod random;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use schemas::Timestamp;
use serde_json::{Value, json};

pub use bodies::{Call, Tokens};
pub use company::{APPLICATIONS, Application, Habit, RUNAWAY, UNKNOWN_KEY, UNKNOWN_MODEL, Written};
pub use random::Random;

/// What the traffic is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Shape {
    /// The story the first run tells: several teams, with copies, late and broken records, unknown keys and models.
    #[default]
    Sample,
    /// Only well-formed calls with owners and prices: nothing is late, twice or wrong.
    Clean,
    /// One OpenAI call of about 630 bytes per record, every one new: for benchmarks.
    Bench,
}

/// A raw record, as a producer would write it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RawRecord {
    /// Key, where the producer sets one.
    pub key: Option<String>,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// When it reaches the log.
    pub timestamp: Timestamp,
    /// Chooses the partition: `slot % partitions`.
    pub slot: u32,
    /// Value.
    #[serde(serialize_with = "lossy")]
    pub payload: Vec<u8>,
}

fn lossy<S: serde::Serializer>(payload: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(payload))
}

/// Endless traffic in order of arrival; take as much of it as you need.
#[derive(Debug)]
pub struct Traffic {
    random: Random,
    shape: Shape,
    clock: Timestamp,
    /// Microseconds between two calls.
    step: i64,
    /// Calls made so far.
    calls: u64,
    /// The agent begins to run away at this call.
    runaway_from: u64,
    serial: u64,
    due: BinaryHeap<Reverse<(Timestamp, u64, Held)>>,
}

/// A record that waits for its time. Ordered by time and serial number alone.
#[derive(Debug)]
struct Held(RawRecord);

impl PartialEq for Held {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Held {}
impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Held {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

const SECOND: i64 = 1_000_000;

impl Traffic {
    /// Traffic of `count` records spread over `[start, start + span_seconds)`. It goes on after that at the same pace.
    pub fn new(seed: u64, shape: Shape, start: Timestamp, span_seconds: i64, count: u64) -> Self {
        let step = span_seconds.saturating_mul(SECOND) / i64::try_from(count.max(1)).unwrap_or(i64::MAX);
        Traffic {
            random: Random::new(seed ^ 0x5eed_0f5e_ed0f_5eed),
            shape,
            clock: start,
            step: step.max(1),
            calls: 0,
            runaway_from: count / 100 * 55,
            serial: 0,
            due: BinaryHeap::new(),
        }
    }

    fn send(&mut self, delay: i64, slot: u32, payload: Vec<u8>) {
        self.serial += 1;
        let timestamp = Timestamp::from_micros(self.clock.micros().saturating_add(delay));
        let headers = match payload.first() {
            Some(b'{') => vec![("content-type".to_owned(), "application/json".to_owned())],
            _ => Vec::new(),
        };
        let record = RawRecord { key: None, headers, timestamp, slot, payload };
        self.due.push(Reverse((timestamp, self.serial, Held(record))));
    }

    fn send_value(&mut self, delay: i64, slot: u32, value: &Value) {
        let mut payload = value.to_string().into_bytes();
        // A structured CloudEvent says so in its content type; producers that do not are recognised by shape.
        payload.shrink_to_fit();
        self.send(delay, slot, payload);
    }

    fn slot(&mut self) -> u32 {
        self.random.below(256) as u32
    }

    /// Makes what happens at the next tick of the clock.
    fn advance(&mut self) {
        self.clock = Timestamp::from_micros(self.clock.micros().saturating_add(self.step));
        self.calls += 1;
        match self.shape {
            Shape::Bench => self.bench(),
            Shape::Clean => {
                let call = self.ordinary();
                let slot = self.slot();
                self.send_value(SECOND, slot, &call.body());
            }
            Shape::Sample => self.sample(),
        }
    }

    fn sample(&mut self) {
        if self.random.one_in(40) {
            let (slot, payload) = (self.slot(), self.broken());
            return self.send(SECOND, slot, payload);
        }
        let runaway = self.calls >= self.runaway_from && self.calls.is_multiple_of(60);
        let mut call = if runaway { self.call(&RUNAWAY) } else { self.ordinary() };
        if self.random.one_in(70) {
            // Somebody tries a model before anybody knows its price.
            call.model = UNKNOWN_MODEL;
            call.provider = "openai";
            call.written = Written::Chat;
            // Such a body states no writes to a cache, and copies of a call say the same.
            call.tokens.cache_write = 0;
            call.response_id = format!("chatcmpl-{}", self.random.word(29));
        }
        if self.random.one_in(180) {
            call.key = UNKNOWN_KEY;
            call.team = None;
            call.application = "unknown-script";
        }
        let delay = self.random.skewed(150_000, 4_000_000) as i64;
        let slot = self.slot();
        if self.random.one_in(80) {
            // A laptop that was closed over the weekend, a batch job that reports at its end.
            let late = self.random.skewed(4 * 3_600, 3 * 86_400) as i64;
            call.time = call.time.plus_seconds(-late);
        }
        let body = call.body();
        self.send_value(delay, slot, &body);
        if self.random.one_in(200) {
            // A retry: the producer did not hear that the first copy was taken, and meets another partition.
            let again = delay + self.random.skewed(500_000, 90_000_000) as i64;
            self.send_value(again, slot.wrapping_add(1), &body);
        }
        if self.random.one_in(120) && call.written != Written::Usage {
            let other = self.slot();
            self.send_value(delay + 2 * SECOND, other, &call.seen_by_gateway());
        }
    }

    fn bench(&mut self) {
        let mut call = self.call(&APPLICATIONS[0]);
        call.written = Written::Chat;
        call.provider = "openai";
        call.model = "gpt-4o-mini";
        call.response_id = format!("chatcmpl-{}", self.random.word(29));
        let slot = self.slot();
        self.send_value(0, slot, &call.body());
    }

    fn ordinary(&mut self) -> Call {
        let total = APPLICATIONS.iter().map(|application| application.weight).sum();
        let mut at = self.random.below(total);
        for application in APPLICATIONS {
            match at.checked_sub(application.weight) {
                Some(rest) => at = rest,
                None => return self.call(application),
            }
        }
        self.call(&APPLICATIONS[0])
    }

    fn call(&mut self, application: &'static Application) -> Call {
        let random = &mut self.random;
        let habit = &application.habits[random.below(application.habits.len() as u64) as usize];
        let input = random.skewed(habit.input.0, habit.input.1);
        let output = random.skewed(habit.output.0, habit.output.1);
        let reasoning = output * habit.reasoning / 100;
        let mut tokens = Tokens { input, output: output - reasoning, reasoning, ..Tokens::default() };
        if random.one_in(habit.cached) {
            // Caches hold whole blocks of the prompt.
            tokens.cache_read = random.skewed(1_024, 1_024 + 4 * input) / 128 * 128;
        } else if habit.written == Written::Messages && habit.cached > 0 {
            tokens.cache_write = (1_024 + input) / 128 * 128;
        }
        let response_id = match (habit.written, habit.provider) {
            (Written::Chat, _) => format!("chatcmpl-{}", random.word(29)),
            (Written::Responses, _) => format!("resp_{}", random.hex(48)),
            (Written::Messages, _) => format!("msg_01{}", random.word(22)),
            (Written::Usage, "openai") => format!("req_{}", random.hex(32)),
            (Written::Usage, _) => random.word(22),
        };
        Call {
            written: habit.written,
            response_id,
            event_id: format!("{}-{}", application.name, random.hex(16)),
            provider: habit.provider,
            model: habit.model,
            operation: habit.operation,
            tier: habit.tier,
            tokens,
            time: Timestamp::from_millis(self.clock.millis()),
            key: application.key,
            team: None,
            application: application.name,
            environment: application.environment,
        }
    }

    /// A record nobody can use, each for a reason of its own.
    fn broken(&mut self) -> Vec<u8> {
        let mut call = self.ordinary();
        call.written = Written::Chat;
        call.provider = "openai";
        call.model = "gpt-4o-mini";
        call.response_id = format!("chatcmpl-{}", self.random.word(29));
        let mut body = call.body();
        match self.random.below(6) {
            0 => {
                let text = body.to_string();
                return text.as_bytes()[..text.len() * 2 / 3].to_vec();
            }
            1 => return b"upstream connect error or disconnect/reset before headers. reset reason: overflow".to_vec(),
            2 => body["response"]["usage"]["prompt_tokens"] = json!(-17),
            3 => body["response"]["usage"]["total_tokens"] = json!(1),
            4 => body = json!({ "level": "info", "msg": "deploy finished", "took_ms": 5_120 }),
            _ => return Vec::new(),
        }
        body.to_string().into_bytes()
    }
}

impl Iterator for Traffic {
    type Item = RawRecord;

    fn next(&mut self) -> Option<RawRecord> {
        loop {
            if self.due.peek().is_some_and(|Reverse((at, ..))| *at <= self.clock) {
                return self.due.pop().map(|Reverse((_, _, Held(record)))| record);
            }
            self.advance();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(seed: u64, shape: Shape) -> Vec<RawRecord> {
        Traffic::new(seed, shape, Timestamp::from_millis(1_790_000_000_000), 86_400, 5_000).take(5_000).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_records_and_another_seed_others() {
        assert_eq!(traffic(7, Shape::Sample), traffic(7, Shape::Sample));
        assert_ne!(traffic(7, Shape::Sample), traffic(8, Shape::Sample));
    }

    #[test]
    fn records_come_in_order_of_arrival_within_the_span() {
        let records = traffic(7, Shape::Sample);
        assert!(records.is_sorted_by_key(|record| record.timestamp));
        let span = records[4_999].timestamp.micros_since(records[0].timestamp) / SECOND;
        assert!((80_000..=86_400).contains(&span), "5,000 records took {span} s");
    }

    #[test]
    fn the_sample_holds_everything_that_makes_usage_hard_to_count() {
        let records = traffic(7, Shape::Sample);
        let texts: Vec<_> = records.iter().map(|record| String::from_utf8_lossy(&record.payload)).collect();
        let holding = |what: &str| texts.iter().filter(|text| text.contains(what)).count();
        assert!(holding(UNKNOWN_MODEL) > 10, "unknown models");
        assert!(holding(UNKNOWN_KEY) > 30, "unknown keys");
        assert!(holding("seo-agent") > 20, "runaway calls");
        assert!(texts.iter().filter(|text| serde_json::from_str::<Value>(text).is_err()).count() > 5, "broken records");
        let mut twice = std::collections::HashMap::new();
        for record in records.iter().filter(|record| record.payload.starts_with(b"{\"")) {
            // Logs that lost their way are all alike, and are no retries.
            if record.payload.starts_with(b"{\"level\"") {
                continue;
            }
            twice.entry(&record.payload).or_insert_with(Vec::new).push(record.slot);
        }
        let twice: Vec<_> = twice.values().filter(|slots| slots.len() > 1).collect();
        assert!(twice.len() > 30, "retries");
        assert!(twice.iter().all(|slots| slots[0] % 2 != slots[1] % 2), "a retry meets another partition");
        for application in APPLICATIONS {
            assert!(holding(application.key) > 100, "{}", application.key);
        }
    }

    #[test]
    fn a_bench_record_is_about_630_bytes() {
        let sizes: Vec<_> = traffic(7, Shape::Bench).iter().map(|record| record.payload.len()).collect();
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        assert!((600..=660).contains(&mean), "mean size is {mean}");
    }
}
