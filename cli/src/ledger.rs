//! The conservation ledger: do the counts and sums of every stage add up, and do neighbours agree?
//!
//! Pure. Three kinds of evidence are weighed. *Rules* hold within the books of one stage; each service states its own. *Links* hold
//! between what a producer says it sent and what its consumer counted, at the same sequence. The *lake* holds the rows
//! of every batch it has passed. Whatever does not add up is a [`Break`] that names the stage and the sequence.

mod lake;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemas::{CurrencySum, LedgerEntry, Received, Sent, Text};
use stream::rules::{self, Rule, add};

pub use lake::{Claim, LakeBooks, LakeDisagreement, LakeStream};
pub use stream::rules::Sums;

/// Something that does not add up.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Break {
    /// Stage where it shows.
    pub stage: String,
    /// Topic and partition the stage reads.
    pub at: String,
    /// Sequence where it shows, where one can be told.
    pub sequence: Option<i64>,
    /// What does not add up, with both sides.
    pub message: String,
}

impl std::fmt::Display for Break {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.stage, self.at)?;
        if let Some(sequence) = self.sequence {
            write!(f, ", sequence {sequence}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// One stage, all its partitions together.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct StageLine {
    /// Stage.
    pub stage: String,
    /// Topics it reads.
    pub reads: Vec<String>,
    /// Partitions it reads.
    pub partitions: i64,
    /// Items (records, for ingest) it has taken.
    pub taken: i64,
    /// Items it has sent, by topic.
    pub sent: BTreeMap<String, i64>,
    /// Money it has taken, by currency.
    #[serde(serialize_with = "as_money")]
    pub money_taken: Sums,
    /// Money it has sent, by currency.
    #[serde(serialize_with = "as_money")]
    pub money_sent: Sums,
    /// Named counts.
    pub counts: BTreeMap<String, i64>,
    /// Money that goes with them, where any does.
    #[serde(serialize_with = "as_named_money")]
    pub counts_money: BTreeMap<String, Sums>,
    /// True when nothing of this stage is broken.
    pub ok: bool,
}

impl StageLine {
    /// The money of several named counts together.
    pub fn counts_money_sum(&self, names: &[&str]) -> Sums {
        let mut total = Sums::new();
        for (currency, picos) in names.iter().filter_map(|name| self.counts_money.get(*name)).flatten() {
            let sum = total.entry(currency.clone()).or_default();
            *sum = sum.saturating_add(*picos);
        }
        total
    }
}

/// The ledger, checked.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Ledger {
    /// Every stage, in the order data flows; the lake last.
    pub stages: Vec<StageLine>,
    /// What does not add up.
    pub breaks: Vec<Break>,
    /// Items sent that their consumer has not taken yet.
    pub in_flight: i64,
    /// Items an operator had left out.
    pub skipped: i64,
}

impl Ledger {
    /// True when everything adds up.
    pub fn balanced(&self) -> bool {
        self.breaks.is_empty()
    }

    /// A named count over all partitions of a stage.
    pub fn count(&self, stage: &str, name: &str) -> i64 {
        let line = self.stages.iter().find(|line| line.stage == stage);
        line.and_then(|line| line.counts.get(name)).copied().unwrap_or(0)
    }

    /// The money that goes with a named count.
    pub fn money(&self, stage: &str, name: &str) -> Sums {
        let line = self.stages.iter().find(|line| line.stage == stage);
        line.and_then(|line| line.counts_money.get(name)).cloned().unwrap_or_default()
    }

    /// Every count of a stage whose name begins with `prefix.`, without the prefix.
    pub fn counts<'a>(&'a self, stage: &str, prefix: &'a str) -> impl Iterator<Item = (&'a str, i64)> {
        let line = self.stages.iter().find(move |line| line.stage == stage);
        line.into_iter()
            .flat_map(|line| &line.counts)
            .filter_map(move |(name, count)| Some((name.strip_prefix(prefix)?.strip_prefix('.')?, *count)))
    }
}

/// Stages, in the order in which they are shown; the lake and whatever else there is come after them.
pub const STAGES: [&str; 4] = ["ingest", "enrich", "combine", "merge"];

/// Weighs the books of every stage against each other, and against the lake where its books are given.
///
/// The lake's books must have been read before the stages': a stage may be ahead of the lake, never behind it.
pub fn check(entries: &[LedgerEntry], lake: Option<&LakeBooks>) -> Ledger {
    let mut ledger = Ledger { stages: Vec::new(), breaks: Vec::new(), in_flight: 0, skipped: 0 };
    for entry in entries {
        check_rules(entry, &mut ledger.breaks);
        for received in &entry.received {
            check_link(entries, entry, received, &mut ledger);
        }
        for sent in &entry.sent {
            count_unread(entries, entry, sent, &mut ledger);
        }
        add_line(&mut ledger.stages, entry);
    }
    if let Some(lake) = lake {
        lake::check(entries, lake, &mut ledger);
    }
    for line in &mut ledger.stages {
        line.ok = !ledger.breaks.iter().any(|found| found.stage == line.stage);
    }
    let rank = |line: &StageLine| STAGES.iter().position(|stage| *stage == line.stage).unwrap_or(STAGES.len());
    ledger.stages.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.stage.cmp(&b.stage)));
    ledger
}

/// Weighs one stage's books again, and what they have in common with those of its neighbours: what [`check`] would find
/// that was not there before, when these are the only ones that changed.
///
/// # Panics
/// When there are no books at that place.
pub fn check_again(entries: &[LedgerEntry], changed: usize) -> Vec<Break> {
    let mut ledger = Ledger { stages: Vec::new(), breaks: Vec::new(), in_flight: 0, skipped: 0 };
    let entry = &entries[changed];
    check_rules(entry, &mut ledger.breaks);
    for received in &entry.received {
        check_link(entries, entry, received, &mut ledger);
    }
    for reader in entries {
        let from = |row: &&Received| row.source_topic == entry.topic && row.source_partition == entry.partition;
        for received in reader.received.iter().filter(from) {
            check_link(entries, reader, received, &mut ledger);
        }
    }
    ledger.breaks
}

/// The books of whoever sends from a source partition to a target partition.
fn producer<'a>(
    entries: &'a [LedgerEntry],
    source: (&str, i32),
    target: (&str, i32),
) -> Option<(&'a LedgerEntry, &'a Sent)> {
    let from = entries.iter().filter(|entry| entry.topic == source.0 && entry.partition == source.1);
    from.flat_map(|entry| entry.sent.iter().map(move |sent| (entry, sent)))
        .find(|(_, sent)| sent.topic == target.0 && sent.partition == target.1)
}

fn check_link(entries: &[LedgerEntry], entry: &LedgerEntry, received: &Received, ledger: &mut Ledger) {
    let source = format!("{}/{}", received.source_topic, received.source_partition);
    let mut broken = |message: String| {
        ledger.breaks.push(Break {
            stage: entry.stage.to_string(),
            at: place(entry),
            sequence: Some(received.sequence),
            message,
        });
    };
    let (claimed, counted) = (sums(&received.money_claimed), sums(&received.money_counted));
    if received.skipped > 0 {
        // What was left out by order is missing by design; it is reported, with the count of what was missed.
        ledger.skipped += received.items_claimed - received.items_counted;
    } else {
        if received.items_claimed != received.items_counted {
            let (claimed, counted) = (received.items_claimed, received.items_counted);
            broken(format!("{source} claims {claimed} items sent so far, {counted} were counted"));
        }
        if claimed != counted {
            let (claimed, counted) = (show(&claimed), show(&counted));
            broken(format!("{source} claims {claimed} sent so far, {counted} was counted"));
        }
    }
    let Some((_, sent)) =
        producer(entries, (&received.source_topic, received.source_partition), (&entry.topic, entry.partition))
    else {
        return broken(format!("batches came from {source}, but no stage has books that say it sent them"));
    };
    if received.sequence > sent.sequence {
        return broken(format!("{source} says it has sent sequence {}, no more", sent.sequence));
    }
    if received.sequence < sent.sequence {
        let waiting = sent.items - received.items_claimed;
        if waiting < 0 {
            let (claimed, said) = (received.items_claimed, sent.items);
            return broken(format!("{claimed} items are claimed, but {source} has sent only {said}"));
        }
        ledger.in_flight += waiting;
        return;
    }
    if received.items_claimed != sent.items {
        broken(format!("{} items are claimed, but {source} has sent {}", received.items_claimed, sent.items));
    }
    if claimed != sums(&sent.money) {
        broken(format!("{} is claimed, but {source} has sent {}", show(&claimed), show(&sums(&sent.money))));
    }
}

/// What nobody has taken yet from a topic that some stage reads.
fn count_unread(entries: &[LedgerEntry], producer: &LedgerEntry, sent: &Sent, ledger: &mut Ledger) {
    let mut readers = entries.iter().filter(|entry| entry.topic == sent.topic).peekable();
    if readers.peek().is_none() {
        return;
    }
    let heard = readers.filter(|entry| entry.partition == sent.partition).any(|entry| {
        let from = |row: &Received| row.source_topic == producer.topic && row.source_partition == producer.partition;
        entry.received.iter().any(from)
    });
    if !heard {
        ledger.in_flight += sent.items;
    }
}

/// Checks every rule of the entry's stage.
fn check_rules(entry: &LedgerEntry, breaks: &mut Vec<Break>) {
    let services: [&[Rule]; 3] = [ingest::RULES, enrich::RULES, aggregate::RULES];
    for breach in services.into_iter().flat_map(|rules| rules::check(rules, entry)) {
        let says = breach.says;
        let sides = breach.items.map(|(left, right)| (left.to_string(), right.to_string()));
        let sides = sides.into_iter().chain(breach.money.map(|(left, right)| (show(&left), show(&right))));
        breaks.extend(sides.map(|(left, right)| Break {
            stage: entry.stage.to_string(),
            at: place(entry),
            sequence: Some(entry.transaction),
            message: format!("{says}: {left} on the left, {right} on the right (as of that transaction)"),
        }));
    }
}

fn add_line(lines: &mut Vec<StageLine>, entry: &LedgerEntry) {
    let at = lines.iter().position(|line| line.stage == entry.stage).unwrap_or_else(|| {
        lines.push(StageLine { stage: entry.stage.to_string(), ..StageLine::default() });
        lines.len() - 1
    });
    let line = &mut lines[at];
    if !line.reads.iter().any(|topic| *topic == entry.topic) {
        line.reads.push(entry.topic.to_string());
    }
    line.partitions += 1;
    line.taken += entry.received.iter().map(|row| row.items_counted).sum::<i64>();
    for received in &entry.received {
        add(&mut line.money_taken, &received.money_counted);
    }
    for sent in &entry.sent {
        *line.sent.entry(sent.topic.to_string()).or_default() += sent.items;
        add(&mut line.money_sent, &sent.money);
    }
    for count in &entry.counts {
        *line.counts.entry(count.name.to_string()).or_default() += count.count;
        if !count.money.is_empty() {
            add(line.counts_money.entry(count.name.to_string()).or_default(), &count.money);
        }
    }
    if entry.received.is_empty() {
        line.taken += entry.counts.iter().filter(|count| count.name == "records").map(|count| count.count).sum::<i64>();
    }
}

fn place(entry: &LedgerEntry) -> String {
    format!("{}/{}", entry.topic, entry.partition)
}

fn sums(money: &[CurrencySum]) -> Sums {
    let mut to = Sums::new();
    add(&mut to, money);
    to
}

/// Sums as text, exact.
pub fn show(sums: &Sums) -> String {
    if sums.is_empty() {
        return "no money".to_owned();
    }
    let one = |(currency, picos): (&Text, &i128)| match schemas::Money::from_picos(*picos) {
        Some(amount) => format!("{} {currency}", crate::amount::exact(amount)),
        None => format!("more than 38 digits of {currency}"),
    };
    sums.iter().map(one).collect::<Vec<_>>().join(" + ")
}

fn as_money<S: serde::Serializer>(sums: &Sums, serializer: S) -> Result<S::Ok, S::Error> {
    let money = |(currency, picos): (&Text, &i128)| (currency.clone(), schemas::Money::from_picos(*picos));
    serializer.collect_map(sums.iter().map(money))
}

fn as_named_money<S: serde::Serializer>(named: &BTreeMap<String, Sums>, serializer: S) -> Result<S::Ok, S::Error> {
    let money = |(name, sums): (&String, &Sums)| {
        let sums = sums.iter().map(|(currency, picos)| (currency.clone(), schemas::Money::from_picos(*picos)));
        (name.clone(), sums.collect::<BTreeMap<_, _>>())
    };
    serializer.collect_map(named.iter().map(money))
}
