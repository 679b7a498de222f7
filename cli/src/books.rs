//! Reads what the ledger weighs: the stages' books from the log, the lake's from its tables, in an order that makes
//! them comparable while everything runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use schemas::codec::Format;
use schemas::{Batch, Carries, Charge, CurrencySum, LedgerEntry, Text, topics};
use sink::LakeReader;
use sink::rows::Amount;
use stream::Log;
use stream::books::add_money;

use crate::ledger::{self, Claim, LakeBooks, LakeDisagreement, LakeStream, Ledger};

/// How long books may stay behind what they account for.
///
/// A transaction becomes visible partition by partition, and all stages write to the one partition of `spend.ledger`:
/// its committed entries are hidden there as long as another stage's transaction is open before them, while the batches
/// they account for can be read. Transactions end within a commit interval; one whose owner died ends with the
/// transaction timeout, 12 s by default.
const HIDDEN_FOR_MAX: Duration = Duration::from_secs(15);

/// Until books that were behind are read again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Reads the books and weighs them. Without a lake only the stages are weighed.
///
/// # Errors
/// When log or lake cannot be read.
pub fn audit(log: &dyn Log, lake: Option<&LakeReader>) -> anyhow::Result<Ledger> {
    let books = || stream::log::ledger(log).context("read the ledger");
    let Some(lake) = lake else { return Ok(ledger::check(&books()?, None)) };
    // First what is due, then the lake and the log beyond it, then the stages again: whatever the lake holds by then, a
    // stage has booked.
    let due = books()?;
    let lake = LakeBooks { due, ..lake_books(log, lake).context("read the lake's books")? };
    Ok(ledger::check(&caught_up(&lake, HIDDEN_FOR_MAX, books)?, Some(&lake)))
}

/// Reads the books until they know of all that the lake's books hold, at most so long; then they are what they are.
pub(crate) fn caught_up(
    lake: &LakeBooks,
    at_most: Duration,
    mut books: impl FnMut() -> anyhow::Result<Vec<LedgerEntry>>,
) -> anyhow::Result<Vec<LedgerEntry>> {
    let since = Instant::now();
    loop {
        let entries = books()?;
        if !lake.ahead_of(&entries) || since.elapsed() >= at_most {
            return Ok(entries);
        }
        std::thread::sleep(AGAIN_AFTER);
    }
}

fn lake_books(log: &dyn Log, lake: &LakeReader) -> anyhow::Result<LakeBooks> {
    let read = lake.ledger()?;
    let mut streams: BTreeMap<(i32, Text, i32), LakeStream> = BTreeMap::new();
    let stream = |partition: i32, topic: &Text, source_partition: i32| LakeStream {
        partition,
        source_topic: topic.clone(),
        source_partition,
        rows: 0,
        rows_money: Vec::new(),
        waiting: 0,
        waiting_money: Vec::new(),
        claim: Claim { sequence: -1, items: 0, money: Vec::new() },
    };
    for (source, batches) in &read.streams {
        let key = (source.partition, source.source_topic.clone(), source.source_partition);
        let entry = streams
            .entry(key)
            .or_insert_with(|| stream(source.partition, &source.source_topic, source.source_partition));
        for (sequence, row) in batches {
            entry.rows += row.rows;
            add(&mut entry.rows_money, &row.money)?;
            if let Some((items, money)) = &row.claimed {
                entry.claim = Claim { sequence: *sequence, items: *items, money: money.clone() };
            }
        }
    }
    // What the tables have not reached yet is still in the log.
    let format = Format::<Batch<Charge>>::new();
    for partition in 0..log.partitions(topics::CHARGES)?.unwrap_or(0) {
        let number = i32::try_from(partition).context("partition number")?;
        let from = read.read_to.get(&number).copied().unwrap_or(0);
        stream::log::scan(log, topics::CHARGES, partition, from, |record| {
            let payload = record.payload.as_deref().unwrap_or_default();
            let at = || format!("{}/{partition} offset {}", topics::CHARGES, record.offset);
            let (lineage, mut charges) = format.open::<Amount>(payload).with_context(at)?;
            let key = (number, lineage.source_topic.clone(), lineage.source_partition);
            let entry =
                streams.entry(key).or_insert_with(|| stream(number, &lineage.source_topic, lineage.source_partition));
            while let Some(charge) = charges.read().with_context(at)? {
                entry.waiting += 1;
                if let Some((currency, amount)) = charge.costs.money() {
                    add_money(&mut entry.waiting_money, currency, amount)?;
                }
            }
            entry.claim = Claim { sequence: lineage.sequence, items: lineage.items_total, money: lineage.money_total };
            Ok(())
        })?;
    }
    let disagreements = read.disagreements().into_iter().map(|found| LakeDisagreement {
        partition: found.source.partition,
        sequence: found.sequence,
        message: found.message,
    });
    Ok(LakeBooks { disagreements: disagreements.collect(), streams: streams.into_values().collect(), due: Vec::new() })
}

fn add(to: &mut Vec<CurrencySum>, money: &[CurrencySum]) -> anyhow::Result<()> {
    for sum in money {
        add_money(to, &sum.currency, sum.amount)?;
    }
    Ok(())
}
