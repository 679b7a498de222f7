//! The charges that stand: those of the lake up to the offsets it has committed, then those of the topic after it.
//!
//! A reversal keeps the event of the charge it takes back, so both are of the same day and period: no more than the
//! numbers of what was taken back has to be remembered, however many charges there are.

use std::collections::HashSet;

use anyhow::{Context, bail};
use schemas::codec::Format;
use schemas::{Batch, Charge, ChargeClass, Id128, Timestamp, topics};
use sink::LakeReader;
use sink::read::{Cells, Days, Scan, charges_of};
use stream::Log;

use crate::left_out::LeftOut;

/// When calls were made: `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Start.
    pub from: Timestamp,
    /// End, exclusive.
    pub to: Timestamp,
}

impl Period {
    /// Whether a time lies within.
    pub fn holds(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.to
    }

    fn days(&self) -> Days {
        let day = |time: Timestamp| time.to_datetime().map(|time| time.date_naive());
        let last = day(Timestamp::from_micros(self.to.micros().saturating_sub(1)));
        Days { from: day(self.from), until: last.and_then(|day| day.succ_opt()) }
    }
}

/// Where charges were read from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Read {
    /// Charges that stand, from the lake.
    pub lake: u64,
    /// Charges that stand, from the topic.
    pub topic: u64,
}

/// Gives every charge of a period that stands to a callback: originals and replacements that were not taken back, as of
/// when this began. Shares of shared charges are not among them.
///
/// # Errors
/// When lake or log cannot be read, when neither has all of the period, and whatever `each` fails with.
pub fn standing(
    log: &dyn Log,
    lake: Option<&LakeReader>,
    period: Period,
    each: &mut dyn FnMut(Charge) -> anyhow::Result<()>,
) -> anyhow::Result<Read> {
    let partitions =
        log.partitions(topics::CHARGES)?.with_context(|| format!("there is no topic {}", topics::CHARGES))?;
    // The rows are of the older version of the table, so that what takes them back is of this one or a newer.
    let mut whole = lake.map(|lake| lake.whole_charges(period.days())).transpose().context("read the charges")?;
    let mut tail = Vec::new();
    for partition in 0..partitions {
        let read_to = match &whole {
            Some(scan) => scan.position(i32::try_from(partition)?)?.unwrap_or(0),
            None => 0,
        };
        tail.push(begin(log, partition, read_to, period)?);
    }
    let mut taken_back = HashSet::new();
    if let Some(lake) = lake {
        reversed_in_lake(lake.charges(&["dedup_key", "revision", "class"], period.days())?, &mut taken_back)?;
    }
    let mut ends = Vec::new();
    for (partition, from) in (0..partitions).zip(&tail) {
        let mut note = |charge: Charge| {
            if charge.class == ChargeClass::Reversal && period.holds(charge.event.event_time) {
                taken_back.insert((charge.event.dedup_key, charge.revision));
            }
            Ok(())
        };
        ends.push(each_in_topic(log, partition, *from, i64::MAX, &mut note)?);
    }
    let stands = |charge: &Charge| stands(charge, period, &taken_back);
    let mut read = Read::default();
    for batch in whole.iter_mut().flatten() {
        for charge in charges_of(&batch.context("read the charges")?)?.into_iter().filter(stands) {
            read.lake += 1;
            each(charge)?;
        }
    }
    for ((partition, from), end) in (0..partitions).zip(&tail).zip(&ends) {
        each_in_topic(log, partition, *from, *end, &mut |charge| {
            if stands(&charge) {
                read.topic += 1;
                each(charge)?;
            }
            Ok(())
        })?;
    }
    Ok(read)
}

/// The same of a lake alone, as far as it has come; returns how many charges stand.
///
/// # Errors
/// When the lake cannot be read, and whatever `each` fails with.
pub fn standing_in_lake(
    lake: &LakeReader,
    period: Period,
    each: &mut dyn FnMut(Charge) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    // The rows are of the older version of the table, as above.
    let whole = lake.whole_charges(period.days()).context("read the charges")?;
    let mut taken_back = HashSet::new();
    reversed_in_lake(lake.charges(&["dedup_key", "revision", "class"], period.days())?, &mut taken_back)?;
    let mut count = 0;
    for batch in whole {
        for charge in charges_of(&batch.context("read the charges")?)? {
            if stands(&charge, period, &taken_back) {
                count += 1;
                each(charge)?;
            }
        }
    }
    Ok(count)
}

fn stands(charge: &Charge, period: Period, taken_back: &HashSet<(Id128, i32)>) -> bool {
    matches!(charge.class, ChargeClass::Original | ChargeClass::Replacement)
        && period.holds(charge.event.event_time)
        && !taken_back.contains(&(charge.event.dedup_key, charge.revision))
}

/// Where to begin in a partition of the topic: after the lake, which must reach at least to what the topic still has.
fn begin(log: &dyn Log, partition: u32, read_to: i64, period: Period) -> anyhow::Result<i64> {
    let range = log.range(topics::CHARGES, partition)?;
    if range.start > read_to {
        let first = log.read(topics::CHARGES, partition, range.start, 1)?;
        // Nothing is charged before it was made, by much: only what is older than the first record can be missing.
        let first = first.first().map_or(Timestamp::MAX, |record| record.timestamp);
        if period.from < first {
            bail!(
                "{}/{partition} has no records before {first} any more: name a lake that has them (--lake), or a later --from",
                topics::CHARGES
            );
        }
    }
    Ok(read_to.max(range.start))
}

fn reversed_in_lake(scan: Scan, taken_back: &mut HashSet<(Id128, i32)>) -> anyhow::Result<()> {
    for batch in scan {
        let batch = batch.context("read the charges")?;
        let cells = Cells(&batch);
        for row in 0..batch.num_rows() {
            if cells.text("class", row)? == Some(ChargeClass::Reversal.as_str()) {
                taken_back.insert((cells.id("dedup_key", row)?, cells.must_int("revision", row)?));
            }
        }
    }
    Ok(())
}

/// Gives each charge of `[from, to)` of a partition; returns where it ended.
fn each_in_topic(
    log: &dyn Log,
    partition: u32,
    from: i64,
    to: i64,
    each: &mut dyn FnMut(Charge) -> anyhow::Result<()>,
) -> anyhow::Result<i64> {
    let format = Format::<Batch<Charge>>::new();
    let mut left_out = LeftOut::new(log);
    stream::log::scan(log, topics::CHARGES, partition, from, |record| {
        if record.offset >= to {
            return Ok(());
        }
        match format.decode(record.payload.as_deref().unwrap_or_default()) {
            Ok(batch) => batch.items.into_iter().try_for_each(&mut *each),
            Err(error) => left_out.pass("charges", topics::CHARGES, partition, record.offset, &error.into()),
        }
    })
}
