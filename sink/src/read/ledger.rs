//! The lake's side of the ledger: rows and money of `charges` against what the producer says it sent.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{CurrencySum, Money, Text};
use stream::books::add_money;

use super::{Cells, Days, LakeReader};

/// A stream of batches: one source partition to one partition of `usage.charges`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceKey {
    /// Partition of `usage.charges`.
    pub partition: i32,
    /// Source topic.
    pub source_topic: Text,
    /// Source partition.
    pub source_partition: i32,
}

/// One batch, as both tables have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerRow {
    /// Rows of `charges` from this batch.
    pub rows: i64,
    /// Their effective cost by currency.
    pub money: Vec<CurrencySum>,
    /// Items `batches` counted, and their money; `None` where `batches` does not have the batch.
    pub sent: Option<(i64, Vec<CurrencySum>)>,
    /// What the header claims was sent so far, this batch included.
    pub claimed: Option<(i64, Vec<CurrencySum>)>,
}

/// The first batch of a stream at which the lake disagrees with what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// Always `lake`.
    pub stage: &'static str,
    /// The stream.
    pub source: SourceKey,
    /// The batch.
    pub sequence: i64,
    /// What is wrong, for a person.
    pub message: String,
}

/// The lake's side of the ledger.
#[derive(Debug, Clone, Default)]
pub struct LakeLedger {
    /// Batches of each stream, by sequence.
    pub streams: BTreeMap<SourceKey, BTreeMap<i64, LedgerRow>>,
    /// How far both tables have read each partition of `usage.charges`: the smaller of both positions.
    pub read_to: BTreeMap<i32, i64>,
}

impl LakeReader {
    /// Rows and money of every batch of `usage.charges`, from `charges` and from `batches`.
    ///
    /// The two tables are written independently; batches that only one of them has reached yet are left out.
    ///
    /// # Errors
    /// When the lake cannot be read, or a sum leaves 38 digits.
    pub fn ledger(&self) -> anyhow::Result<LakeLedger> {
        let mut ledger = LakeLedger::default();
        let mut offsets: BTreeMap<(SourceKey, i64), i64> = BTreeMap::new();
        let stream = ["kafka_partition", "kafka_offset", "source_topic", "source_partition", "sequence"];
        let columns = [&stream[..], &["items", "money", "items_total", "money_total"]].concat();
        let mut sent = self.scan("batches", &columns, Days::ALL)?;
        for batch in &mut sent {
            let batch = batch?;
            let cells = Cells(&batch);
            for row in 0..batch.num_rows() {
                let (key, sequence) = key(cells, row)?;
                offsets.insert((key.clone(), sequence), cells.must_long("kafka_offset", row)?);
                let entry = ledger.streams.entry(key).or_default().entry(sequence).or_default();
                let (mut items, mut money) = entry.sent.take().unwrap_or_default();
                items += cells.must_long("items", row)?;
                for sum in cells.sums("money", row)? {
                    add_money(&mut money, &sum.currency, sum.amount)?;
                }
                entry.sent = Some((items, money));
                entry.claimed = Some((cells.must_long("items_total", row)?, cells.sums("money_total", row)?));
            }
        }
        let columns = [&stream[..], &["currency", "effective_cost"]].concat();
        let mut charges = self.charges(&columns, Days::ALL)?;
        for batch in &mut charges {
            let batch = batch?;
            let cells = Cells(&batch);
            for row in 0..batch.num_rows() {
                let (key, sequence) = key(cells, row)?;
                let offset = cells.must_long("kafka_offset", row)?;
                offsets.entry((key.clone(), sequence)).or_insert(offset);
                let entry = ledger.streams.entry(key).or_default().entry(sequence).or_default();
                entry.rows += 1;
                if let Some(amount) = cells.money("effective_cost", row)? {
                    add_money(&mut entry.money, &cells.must_text("currency", row)?, amount)?;
                }
            }
        }
        for partition in ledger.streams.keys().map(|key| key.partition).collect::<BTreeSet<_>>() {
            // Each position is that of the version whose rows were read.
            let both = charges.position(partition)?.zip(sent.position(partition)?);
            ledger.read_to.insert(partition, both.map_or(0, |(charges, sent)| charges.min(sent)));
        }
        for ((key, sequence), offset) in offsets {
            if offset >= ledger.read_to.get(&key.partition).copied().unwrap_or(0)
                && let Some(stream) = ledger.streams.get_mut(&key)
            {
                stream.remove(&sequence);
            }
        }
        ledger.streams.retain(|_, stream| !stream.is_empty());
        Ok(ledger)
    }
}

fn key(cells: Cells<'_>, row: usize) -> anyhow::Result<(SourceKey, i64)> {
    let key = SourceKey {
        partition: cells.must_int("kafka_partition", row)?,
        source_topic: cells.must_text("source_topic", row)?,
        source_partition: cells.must_int("source_partition", row)?,
    };
    Ok((key, cells.must_long("sequence", row)?))
}

impl LakeLedger {
    /// Rows of all batches.
    pub fn rows(&self) -> i64 {
        self.streams.values().flat_map(BTreeMap::values).map(|row| row.rows).sum()
    }

    /// The first batch of each stream at which the rows of `charges` are not what was sent.
    ///
    /// Compared batch by batch with what was counted on the way in, and cumulatively with what the headers claim. A
    /// lake that was attached late starts from the claim before its first batch.
    pub fn disagreements(&self) -> Vec<Disagreement> {
        self.streams.iter().filter_map(|(source, stream)| first_disagreement(source, stream)).collect()
    }
}

fn first_disagreement(source: &SourceKey, stream: &BTreeMap<i64, LedgerRow>) -> Option<Disagreement> {
    let mut before: Option<(i64, Vec<CurrencySum>)> = None;
    for (sequence, row) in stream {
        let wrong = |message: String| {
            Some(Disagreement { stage: "lake", source: source.clone(), sequence: *sequence, message })
        };
        let (Some((items, money)), Some((items_total, money_total))) = (&row.sent, &row.claimed) else {
            return wrong(format!("charges has {} rows of a batch that batches does not know", row.rows));
        };
        if row.rows != *items || differ(&row.money, money).is_some() {
            let money = differ(&row.money, money).unwrap_or_else(|| "the same money".to_owned());
            return wrong(format!("charges has {} rows where {items} were sent, and {money}", row.rows));
        }
        let (mut items_so_far, mut money_so_far) = match before.take() {
            Some(before) => before,
            None => (items_total - items, less(money_total, money)),
        };
        items_so_far += items;
        let overflow = money.iter().any(|sum| add_money(&mut money_so_far, &sum.currency, sum.amount).is_err());
        let money = differ(&money_so_far, money_total);
        if items_so_far != *items_total || money.is_some() || overflow {
            let money = money.unwrap_or_else(|| "the same money".to_owned());
            return wrong(format!(
                "{items_so_far} items came where the header claims {items_total} so far, and {money}"
            ));
        }
        before = Some((items_so_far, money_so_far));
    }
    None
}

fn amount(sums: &[CurrencySum], currency: &str) -> Money {
    sums.iter().find(|sum| sum.currency == currency).map_or(Money::ZERO, |sum| sum.amount)
}

/// Says how sums differ; a currency that is missing counts as nothing.
fn differ(found: &[CurrencySum], expected: &[CurrencySum]) -> Option<String> {
    found.iter().chain(expected).map(|sum| &sum.currency).find_map(|currency| {
        let (found, expected) = (amount(found, currency), amount(expected, currency));
        (found != expected).then(|| format!("{found} {currency} where {expected} was sent"))
    })
}

fn less(total: &[CurrencySum], part: &[CurrencySum]) -> Vec<CurrencySum> {
    let rest = total.iter().map(|sum| CurrencySum {
        currency: sum.currency.clone(),
        amount: sum.amount.checked_sub(amount(part, &sum.currency)).unwrap_or(sum.amount),
    });
    rest.collect()
}
