//! The lake's side of the ledger: what it holds of each source, and what still waits for it in the log.

use schemas::{CurrencySum, LedgerEntry, Text, topics};

use super::{Break, Ledger, StageLine, add, producer, show, sums};

/// How much was sent up to a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The sequence.
    pub sequence: i64,
    /// Items up to it.
    pub items: i64,
    /// Their money.
    pub money: Vec<CurrencySum>,
}

/// Charges of one source partition in one partition of `usage.charges`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeStream {
    /// Partition of `usage.charges`.
    pub partition: i32,
    /// Source topic.
    pub source_topic: Text,
    /// Its partition.
    pub source_partition: i32,
    /// Rows of the table `charges`.
    pub rows: i64,
    /// Their effective cost.
    pub rows_money: Vec<CurrencySum>,
    /// Charges in the log beyond what the lake has read.
    pub waiting: i64,
    /// Their effective cost.
    pub waiting_money: Vec<CurrencySum>,
    /// What the last header says, in the lake or beyond it.
    pub claim: Claim,
}

/// A batch at which the tables of the lake disagree with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeDisagreement {
    /// Partition of `usage.charges`.
    pub partition: i32,
    /// The batch.
    pub sequence: i64,
    /// What is wrong.
    pub message: String,
}

/// Everything the lake and the log behind it know about charges.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LakeBooks {
    /// By partition and source.
    pub streams: Vec<LakeStream>,
    /// Found by comparing the tables batch by batch.
    pub disagreements: Vec<LakeDisagreement>,
    /// The stages' books as they stood *before* lake and log were read: all of it must be there.
    pub due: Vec<LedgerEntry>,
}

impl LakeBooks {
    /// True when something was read that the stages' books do not know of yet.
    pub fn ahead_of(&self, entries: &[LedgerEntry]) -> bool {
        self.streams.iter().any(|stream| {
            let source = (&*stream.source_topic, stream.source_partition);
            let sent = producer(entries, source, (topics::CHARGES, stream.partition));
            sent.is_none_or(|(_, sent)| stream.claim.sequence > sent.sequence)
        })
    }
}

pub(super) fn check(entries: &[LedgerEntry], lake: &LakeBooks, ledger: &mut Ledger) {
    let mut line =
        StageLine { stage: "lake".to_owned(), reads: vec![topics::CHARGES.to_owned()], ..StageLine::default() };
    let mut broken = |partition: i32, sequence: i64, message: String| {
        let at = format!("{}/{partition}", topics::CHARGES);
        ledger.breaks.push(Break { stage: "lake".to_owned(), at, sequence: Some(sequence), message });
    };
    for found in &lake.disagreements {
        broken(found.partition, found.sequence, found.message.clone());
    }
    let told = |partition: i32, sequence: i64| {
        lake.disagreements.iter().any(|found| found.partition == partition && found.sequence <= sequence)
    };
    for stream in &lake.streams {
        line.taken += stream.rows;
        add(&mut line.money_taken, &stream.rows_money);
        ledger.in_flight += stream.waiting;
        let (items, mut money) = (stream.rows + stream.waiting, sums(&stream.rows_money));
        add(&mut money, &stream.waiting_money);
        let target = (topics::CHARGES, stream.partition);
        let source = format!("{}/{}", stream.source_topic, stream.source_partition);
        let Some((_, sent)) = producer(entries, (&stream.source_topic, stream.source_partition), target) else {
            broken(
                stream.partition,
                stream.claim.sequence,
                format!("rows came from {source}, which nobody has books of"),
            );
            continue;
        };
        if stream.claim.sequence > sent.sequence || items > sent.items {
            let message = format!("the lake holds {items} charges of {source}, which has sent {}", sent.items);
            broken(stream.partition, stream.claim.sequence, message);
            continue;
        }
        // What was due before the lake was read may be further than any header seen: batches are missing at the end.
        let due = producer(&lake.due, (&stream.source_topic, stream.source_partition), target)
            .map(|(_, sent)| Claim { sequence: sent.sequence, items: sent.items, money: sent.money.clone() })
            .filter(|due| due.sequence > stream.claim.sequence);
        let claim = due.as_ref().unwrap_or(&stream.claim);
        if (items != claim.items || money != sums(&claim.money)) && !told(stream.partition, claim.sequence) {
            let (found, claimed) = (show(&money), show(&sums(&claim.money)));
            let message = format!(
                "the lake holds {items} charges and {found} of {source}, which has sent {} and {claimed} up to there",
                claim.items
            );
            broken(stream.partition, claim.sequence, message);
        }
    }
    // Sources of which the lake and the log hold nothing at all.
    for entry in &lake.due {
        for sent in entry.sent.iter().filter(|sent| sent.topic == topics::CHARGES && sent.items > 0) {
            let same = |stream: &LakeStream| {
                stream.partition == sent.partition
                    && stream.source_topic == entry.topic
                    && stream.source_partition == entry.partition
            };
            if !lake.streams.iter().any(same) {
                let source = format!("{}/{}", entry.topic, entry.partition);
                let message = format!("the lake holds none of the {} charges that {source} has sent", sent.items);
                broken(sent.partition, sent.sequence, message);
            }
        }
    }
    line.partitions =
        lake.streams.iter().map(|stream| stream.partition).collect::<std::collections::BTreeSet<_>>().len() as i64;
    line.sent.insert("charges".to_owned(), line.taken);
    line.money_sent = line.money_taken.clone();
    ledger.stages.push(line);
}
