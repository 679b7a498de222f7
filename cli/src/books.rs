//! Reads what the ledger weighs: the stages' books from the log, the lake's from its tables, in an order that makes
//! them comparable while everything runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use schemas::codec::Format;
use schemas::{Batch, Carries, Charge, CurrencySum, LedgerEntry, Lineage, Text, topics};
use sink::LakeReader;
use sink::rows::Amount;
use stream::Log;
use stream::books::add_money;

use crate::ledger::{self, Claim, LakeBooks, LakeDisagreement, LakeStream, Ledger};
use crate::left_out::LeftOut;

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
/// When log or lake cannot be read, or a record that the lake has not taken yet cannot be decoded and nobody has ordered to leave it
/// out.
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
    let mut left_out = LeftOut::new(log);
    for partition in 0..log.partitions(topics::CHARGES)?.unwrap_or(0) {
        let number = i32::try_from(partition).context("partition number")?;
        let from = read.read_to.get(&number).copied().unwrap_or(0);
        stream::log::scan(log, topics::CHARGES, partition, from, |record| {
            let (lineage, charges) = match batch(&format, record.payload.as_deref().unwrap_or_default()) {
                Ok(batch) => batch,
                Err(error) => return left_out.pass("charges", topics::CHARGES, partition, record.offset, &error),
            };
            let key = (number, lineage.source_topic.clone(), lineage.source_partition);
            let entry =
                streams.entry(key).or_insert_with(|| stream(number, &lineage.source_topic, lineage.source_partition));
            for charge in charges {
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

/// A batch as far as it is added up, all of it or nothing.
fn batch(format: &Format<Batch<Charge>>, payload: &[u8]) -> anyhow::Result<(Lineage, Vec<Amount>)> {
    let (lineage, mut charges) = format.open::<Amount>(payload)?;
    let mut amounts = Vec::new();
    while let Some(charge) = charges.read()? {
        amounts.push(charge);
    }
    Ok((lineage, amounts))
}

fn add(to: &mut Vec<CurrencySum>, money: &[CurrencySum]) -> anyhow::Result<()> {
    for sum in money {
        add_money(to, &sum.currency, sum.amount)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use schemas::{Skip, Timestamp, fixture};
    use sink::{Lake, LakeConfig, open_tables};
    use stream::OutRecord;
    use stream::local::LocalLog;

    use super::*;

    #[test]
    fn a_broken_record_of_charges_is_named_and_what_is_behind_it_counted_once_it_is_left_out_by_order() {
        let folder = tempfile::tempdir().unwrap();
        let log = LocalLog::open(&folder.path().join("data"), &topics::catalogue(&[topics::RAW]), Some(2)).unwrap();
        let config = LakeConfig::at(folder.path().join("lake").display().to_string());
        let lake = Lake::open(&config).unwrap();
        open_tables(&lake, &config).unwrap();
        let lake = LakeReader::new(&lake);

        let (charge, lineage) = (fixture::charge(), fixture::lineage());
        let batch = Batch { lineage, items: vec![charge.clone(), charge] };
        let whole = Format::new().encode(&batch);
        let record = |payload: &[u8]| OutRecord {
            topic: topics::CHARGES.into(),
            partition: 1,
            key: None,
            payload: Some(Bytes::copy_from_slice(payload)),
            headers: Vec::new(),
            timestamp: None,
        };
        // Its first charge could be read.
        log.append(vec![record(&whole), record(&whole[..whole.len() - 9]), record(&whole)]).unwrap();
        let error = format!("{:#}", lake_books(&log, &lake).unwrap_err());
        assert!(error.starts_with("the record of usage.charges/1 at offset 1 cannot be decoded: "), "{error}");
        let order = "`spendstream skip --stage charges --topic usage.charges --partition 1 --offset 1 --reason WHY`";
        assert!(error.ends_with(order), "{error}");

        let order = |stage: &str, partition, offset| Skip {
            stage: stage.into(),
            topic: topics::CHARGES.into(),
            partition,
            offset: Some(offset),
            source_topic: None,
            source_partition: None,
            sequence: None,
            reason: "broken".into(),
            ordered_at: Timestamp::MIN,
        };
        for other in [order("charges", 0, 1), order("charges", 1, 0)] {
            stream::log::order_skip(&log, &other).unwrap();
            assert!(lake_books(&log, &lake).is_err(), "{other:?}");
        }
        stream::log::order_skip(&log, &order("combine", 1, 1)).unwrap();
        let books = lake_books(&log, &lake).unwrap();
        assert_eq!(books.streams.iter().map(|stream| stream.waiting).collect::<Vec<_>>(), [4]);
    }
}
