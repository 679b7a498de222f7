//! What must hold, read from the log alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use schemas::codec::Format;
use schemas::{LedgerEntry, Skip, Timestamp, topics};
use stream::books::BOOKS_KEY;
use stream::log::{ledger, scan};
use stream::{Log, OutRecord};

use super::names;
use super::stages::{AGAIN, UNTIL};

/// Longest wait for something that is bound to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Deposits sent so far: id to account and amount.
#[derive(Debug, Clone, Default)]
pub struct Sent(pub BTreeMap<String, (String, i64)>);

/// Sends this many deposits to a dozen accounts, spread over the partitions.
pub fn send(log: &dyn Log, prefix: &str, sent: &mut Sent, count: usize) {
    let [input, ..] = names(prefix);
    let partitions = log.partitions(&input).expect("ask for partitions").expect("the input topic exists");
    let record = |number: usize| {
        let (account, amount) = (format!("account-{}", number % 12), (number % 97) as i64 + 1);
        OutRecord {
            topic: Arc::from(&*input),
            partition: number as u32 % partitions,
            key: Some(Bytes::from(account)),
            payload: Some(Bytes::from(format!("{number} {amount}"))),
            headers: Vec::new(),
            timestamp: None,
        }
    };
    let from = sent.0.len();
    log.append((from..from + count).map(record).collect()).expect("send deposits");
    for number in from..from + count {
        sent.0.insert(number.to_string(), (format!("account-{}", number % 12), (number % 97) as i64 + 1));
    }
}

/// One line of the output.
struct Line {
    account: String,
    id: String,
    amount: i64,
    count: i64,
    sum: i64,
}

fn lines(log: &dyn Log, topic: &str, partition: u32) -> Vec<Line> {
    let mut lines = Vec::new();
    scan(log, topic, partition, 0, |record| {
        let text = |bytes: &Option<Bytes>| String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
        let payload = text(&record.payload);
        let fields: Vec<&str> = payload.split(' ').collect();
        let number = |index: usize| fields[index].parse::<i64>().expect("the output holds numbers");
        lines.push(Line {
            account: text(&record.key),
            id: fields[0].to_owned(),
            amount: number(1),
            count: number(2),
            sum: number(3),
        });
        Ok(())
    })
    .expect("read the output");
    lines
}

/// Deposits visible in the output.
pub fn appear(log: &dyn Log, prefix: &str) -> usize {
    let [.., output] = names(prefix);
    let partitions = log.partitions(&output).expect("ask for partitions").expect("the output topic exists");
    (0..partitions).map(|partition| lines(log, &output, partition).len()).sum()
}

/// Waits until every deposit has come out, then checks everything.
pub fn settled(log: &dyn Log, prefix: &str, sent: &Sent) {
    let deadline = Instant::now() + PATIENCE;
    while appear(log, prefix) < sent.0.len() {
        assert!(Instant::now() < deadline, "only {} of {} deposits came out", appear(log, prefix), sent.0.len());
        std::thread::sleep(Duration::from_millis(50));
    }
    balance(log, prefix);
    let [.., output] = names(prefix);
    let partitions = log.partitions(&output).expect("ask for partitions").expect("the output topic exists");
    let mut found = BTreeMap::new();
    let mut accounts: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    // An account may have moved to another partition; within one its lines are in order.
    let mut all: Vec<Line> = (0..partitions).flat_map(|partition| lines(log, &output, partition)).collect();
    all.sort_by_key(|line| line.count);
    for line in all {
        let (count, sum) = accounts.entry(line.account.clone()).or_default();
        (*count, *sum) = (*count + 1, *sum + line.amount);
        assert_eq!((line.count, line.sum), (*count, *sum), "deposit {} was taken on wrong state", line.id);
        let before = found.insert(line.id.clone(), (line.account, line.amount));
        assert!(before.is_none(), "deposit {} came out twice", line.id);
    }
    assert_eq!(found, sent.0, "what came out is not what was sent");
}

/// At any moment without a transaction in flight: what a partition has put out, what its changelog says and what the
/// ledger says are the same. A transaction that is just becoming visible gets a moment to.
pub fn balance(log: &dyn Log, prefix: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let problems = imbalance(log, prefix);
        if problems.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "outputs, state and books differ: {problems:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn imbalance(log: &dyn Log, prefix: &str) -> Vec<String> {
    let [_, middle, output] = names(prefix);
    let format = Format::<LedgerEntry>::new();
    let partitions = log.partitions(&output).expect("ask for partitions").expect("the output topic exists");
    let entries = ledger(log).expect("read the ledger");
    let mut problems = Vec::new();
    let (mut put_out, mut state) = (BTreeMap::<String, (i64, String)>::new(), BTreeMap::new());
    for partition in 0..partitions {
        let mut books: Option<LedgerEntry> = None;
        let mut accounts = BTreeMap::new();
        scan(log, &topics::changelog("sum", &middle), partition, 0, |record| {
            let key = record.key.as_deref().unwrap_or_default();
            let value = record.payload.as_deref().unwrap_or_default();
            let account = String::from_utf8_lossy(key).into_owned();
            if key == BOOKS_KEY {
                books = Some(format.decode(value)?);
            } else if key == b"\0origin" {
                // What the changelog is about.
            } else if key.starts_with(b"\0") {
                // The number of partitions was changed: what follows is what the partition has since then.
                accounts.clear();
            } else if record.payload.is_none() {
                accounts.remove(&account);
            } else {
                accounts.insert(account, String::from_utf8_lossy(value).into_owned());
            }
            Ok(())
        })
        .expect("read the changelog");
        let lines = lines(log, &output, partition);
        for line in &lines {
            let newest = put_out.entry(line.account.clone()).or_default();
            if line.count > newest.0 {
                *newest = (line.count, format!("{} {}", line.count, line.sum));
            }
        }
        for (account, text) in accounts {
            if state.insert(account.clone(), text).is_some() {
                problems.push(format!("partition {partition}: {account} is in the state of two partitions"));
            }
        }
        let counted = |entry: &LedgerEntry| {
            entry.counts.iter().find(|count| count.name == "deposits").map_or(0, |count| count.count)
        };
        let in_books = books.as_ref().map_or(0, counted);
        if in_books != lines.len() as i64 {
            problems.push(format!("partition {partition}: {} outputs, {in_books} in the books", lines.len()));
        }
        let mine = |entry: &&LedgerEntry| {
            entry.stage == "sum" && *entry.topic == *middle && entry.partition == partition as i32
        };
        let booked = entries.iter().find(mine);
        // The ledger was read a moment before the changelog; only a stopped stage must have them equal.
        if booked.map_or(0, counted) > in_books {
            problems.push(format!("partition {partition}: the ledger is ahead of the changelog"));
        }
    }
    let put_out: BTreeMap<String, String> = put_out.into_iter().map(|(account, (_, text))| (account, text)).collect();
    if put_out != state {
        problems.push(format!("outputs {put_out:?}, state {state:?}"));
    }
    problems
}

/// What asks `split` for something else than a deposit, in partition 0.
fn request(input: &str, payload: String) -> OutRecord {
    OutRecord {
        topic: Arc::from(input),
        partition: 0,
        key: None,
        payload: Some(Bytes::from(payload)),
        headers: Vec::new(),
        timestamp: None,
    }
}

/// Keeps whoever works on partition 0 of `split` busy for so long from now on.
pub fn keep_busy(log: &dyn Log, prefix: &str, time: Duration) {
    let [input, ..] = names(prefix);
    let until = SystemTime::now() + time;
    let millis = until.duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970").as_millis();
    log.append(vec![request(&input, format!("{UNTIL}{millis}"))]).expect("send it");
}

/// Asks `split` for the deposits at these offsets of partition 0 once more, and waits: the sum of their amounts, and how
/// many are gone, counted from the beginning of the run.
pub fn again(log: &dyn Log, prefix: &str, offsets: &[i64]) -> (i64, i64) {
    let [input, ..] = names(prefix);
    let asked = |offset: &i64| request(&input, format!("{AGAIN}{offset}"));
    log.append(offsets.iter().map(asked).collect()).expect("ask");
    let end = log.range(&input, 0).expect("ask for the range").end;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut books = ledger(log).expect("read the ledger").into_iter();
        let split = books.find(|entry| *entry.topic == *input && entry.partition == 0);
        // The end may be a marker that no reader is told of.
        if let Some(split) = split.filter(|split| split.next_offset + 1 >= end) {
            let count =
                |name: &str| split.counts.iter().find(|count| count.name == name).map_or(0, |count| count.count);
            return (count("read_again"), count("gone"));
        }
        assert!(Instant::now() < deadline, "{prefix}: what was asked for is not read");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Orders a stage to leave out one record.
pub fn order_skip(log: &dyn Log, stage: &str, topic: &str, partition: u32, offset: i64) {
    order(log, Skip { offset: Some(offset), ..skip(stage, topic, partition) });
}

/// Orders a stage to go on with this batch of a source, whatever is missing before it.
pub fn order_skip_to(log: &dyn Log, stage: &str, topic: &str, partition: u32, source: (&str, i32), sequence: i64) {
    let (source_topic, source_partition) = (Some(source.0.into()), Some(source.1));
    order(log, Skip { source_topic, source_partition, sequence: Some(sequence), ..skip(stage, topic, partition) });
}

fn skip(stage: &str, topic: &str, partition: u32) -> Skip {
    Skip {
        stage: stage.into(),
        topic: topic.into(),
        partition: partition as i32,
        offset: None,
        source_topic: None,
        source_partition: None,
        sequence: None,
        reason: "ordered by a test".into(),
        ordered_at: Timestamp::from_millis(0),
    }
}

fn order(log: &dyn Log, skip: Skip) {
    stream::log::order_skip(log, &skip).expect("order a skip");
}
