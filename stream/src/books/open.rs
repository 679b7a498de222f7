//! Opening a batch: its lineage is checked before anything is taken, its items are booked as they are taken.

use schemas::codec::{Format, Items};
use schemas::projection::Projection;
use schemas::{Batch, BatchItem, Carries, CurrencySum, Lineage, Received, Skip, Text, Timestamp};

use super::{BATCH_FORMAT, Books, add_money};
use crate::processor::{Halt, Record, Tick};

impl Books {
    /// Opens a batch of an internal topic and checks its lineage. Its items, or what a projection wants of them, are
    /// booked as they are taken.
    ///
    /// `None` means there is nothing to do: the batch was seen before, or an operator has it left out.
    ///
    /// # Errors
    /// [`Halt::Undecodable`] and [`Halt::Gap`].
    pub fn open<'a, P: Projection<Of: BatchItem> + Carries>(
        &mut self,
        format: &Format<Batch<P::Of>>,
        record: &Record<'a>,
        tick: &Tick,
    ) -> Result<Option<Opened<'a, P>>, Halt> {
        let offset = record.offset;
        // What is to be left out is looked at whole, so that nothing of it is taken before it turns out to be bad.
        let opened = if self.skipped_record(offset, &tick.skips) {
            decode_whole::<P::Of>(format, record).and_then(|()| open(format, record))
        } else {
            open(format, record)
        };
        let checked = opened.and_then(|(lineage, items)| match self.check_generation(&lineage, items.is_empty()) {
            Ok(()) => Ok((lineage, items)),
            Err(error) => Err(undecodable(offset, &error)),
        });
        let (lineage, items) = match checked {
            Ok(opened) => opened,
            Err(halt) if self.skipped_record(offset, &tick.skips) => {
                tracing::warn!(%halt, "record skipped by order of an operator");
                self.count("skipped_records", 1);
                return Ok(None);
            }
            Err(halt) => return Err(halt),
        };
        let Some(missing) = self.accept(&lineage, offset, &tick.skips)? else {
            self.count("repeated_batches", 1);
            return Ok(None);
        };
        if !items.is_empty() {
            self.note_arrival(record);
        }
        let claimed = missing.then_some(lineage.items_total);
        let source = (lineage.source_topic, lineage.source_partition);
        Ok(Some(Opened { items, source, claimed, offset, count: 0, money: Vec::new() }))
    }

    /// A writer that works in another generation chose the partition by another number of partitions.
    fn check_generation(&self, lineage: &Lineage, heartbeat: bool) -> Result<(), String> {
        let (theirs, ours) = (lineage.generation, self.source.generation);
        if theirs > ours {
            return Err(format!(
                "it was written in topology generation {theirs}, and this service knows {ours}: start it again"
            ));
        }
        // Heartbeats may have been left unread when the number of partitions changed; items were not.
        if theirs < ours && !heartbeat {
            return Err(format!(
                "it was written in topology generation {theirs}, by a service that ought to have been stopped when \
                 generation {ours} began: stop it, and send what it took again"
            ));
        }
        Ok(())
    }

    /// Goes on at `first`: what was to be read before it is gone.
    ///
    /// # Errors
    /// [`Halt::Expired`] where no order allows it and nothing else would show it: the next batch of a source does.
    pub(crate) fn lose(&mut self, first: i64, skips: &[Skip]) -> Result<(), Halt> {
        let from = self.now.next_offset.unwrap_or(first);
        if self.now.received.is_empty() {
            if !self.skipped_record(from, skips) {
                return Err(Halt::Expired { from, to: first });
            }
            self.count("expired_offsets", first - from);
        }
        self.advance(first, first);
        Ok(())
    }

    fn skipped_record(&self, offset: i64, skips: &[Skip]) -> bool {
        skips.iter().any(|skip| self.concerns(skip) && skip.leaves_out(offset))
    }

    fn concerns(&self, skip: &Skip) -> bool {
        skip.is_for(self.stage, &self.source.topic, self.source.partition)
    }

    /// Books a batch, its items left out: `None` when it was seen before, else whether batches before it are left out.
    fn accept(&mut self, lineage: &Lineage, offset: i64, skips: &[Skip]) -> Result<Option<bool>, Halt> {
        let key = (lineage.source_topic.clone(), lineage.source_partition);
        let page = self.now.received.get(&key);
        let expected = page.map_or(0, |page| page.sequence + 1);
        if lineage.sequence < expected {
            return Ok(None);
        }
        let mut skipped = page.map_or(0, |page| page.skipped);
        let gap = lineage.sequence > expected;
        if gap {
            let ordered = skips.iter().any(|skip| {
                self.concerns(skip) && skip.accepts(&lineage.source_topic, lineage.source_partition, lineage.sequence)
            });
            if !ordered {
                return Err(Halt::Gap {
                    source_topic: lineage.source_topic.to_string(),
                    source_partition: lineage.source_partition,
                    expected,
                    found: lineage.sequence,
                    offset,
                });
            }
            skipped += lineage.sequence - expected;
        }
        let row = Received {
            source_topic: lineage.source_topic.clone(),
            source_partition: lineage.source_partition,
            source_partitions: lineage.source_partitions,
            generation: lineage.generation,
            sequence: lineage.sequence,
            items_claimed: lineage.items_total,
            items_counted: page.map_or(0, |page| page.items_counted),
            money_claimed: lineage.money_total.clone(),
            money_counted: page.map(|page| page.money_counted.clone()).unwrap_or_default(),
            skipped,
            watermark: page.map_or(Timestamp::MIN, |page| page.watermark).max(lineage.watermark),
            ended: lineage.ends_generation,
        };
        self.now.received.insert(key, row);
        Ok(Some(gap))
    }

    /// Books the items of a batch that was taken to its end.
    fn took<T>(&mut self, opened: &mut Opened<'_, T>) -> Result<(), Halt> {
        let Some(page) = self.now.received.get_mut(&opened.source) else { return Ok(()) };
        page.items_counted += std::mem::take(&mut opened.count);
        for sum in opened.money.drain(..) {
            add_money(&mut page.money_counted, &sum.currency, sum.amount)?;
        }
        // What was before a skipped gap was never seen here: the header's word is taken for it, and the ledger shows it.
        if let Some(claimed) = opened.claimed.take() {
            let missing = claimed - page.items_counted;
            self.count("skipped_items", missing);
        }
        Ok(())
    }
}

/// A batch whose items are taken one at a time. A stage takes all of them, or fails.
#[derive(Debug)]
pub struct Opened<'a, T> {
    items: Items<'a, T>,
    source: (Text, i32),
    /// Items the source claims to have sent, when batches before this one were left out.
    claimed: Option<i64>,
    offset: i64,
    count: i64,
    money: Vec<CurrencySum>,
}

impl<P: Projection<Of: BatchItem> + Carries> Opened<'_, P> {
    /// The next item; after the last one `None`, and the batch is booked.
    ///
    /// # Errors
    /// [`Halt::Undecodable`], and when a sum leaves 38 digits.
    pub fn next(&mut self, books: &mut Books) -> Result<Option<P>, Halt> {
        let item = self.items.read().map_err(|error| undecodable(self.offset, &error))?;
        match &item {
            Some(item) => {
                self.count += 1;
                if let Some((currency, amount)) = item.money() {
                    add_money(&mut self.money, currency, amount)?;
                }
            }
            None => books.took(self)?,
        }
        Ok(item)
    }

    /// The item that was taken last, as it is written.
    pub fn written(&self) -> &[u8] {
        self.items.written()
    }
}

fn undecodable(offset: i64, error: &dyn std::fmt::Display) -> Halt {
    Halt::Undecodable { offset, error: error.to_string() }
}

fn open<'a, P: Projection<Of: BatchItem>>(
    format: &Format<Batch<P::Of>>,
    record: &Record<'a>,
) -> Result<(Lineage, Items<'a, P>), Halt> {
    let payload = record.payload.ok_or_else(|| undecodable(record.offset, &"the record has no value"))?;
    let opened = format.open(payload).map_err(|error| undecodable(record.offset, &error))?;
    match opened.0.format {
        BATCH_FORMAT => Ok(opened),
        other => {
            let error = format!("batch format {other} is newer than this release ({BATCH_FORMAT})");
            Err(undecodable(record.offset, &error))
        }
    }
}

fn decode_whole<T: BatchItem>(format: &Format<Batch<T>>, record: &Record<'_>) -> Result<(), Halt> {
    let (_, mut items) = open::<T>(format, record)?;
    loop {
        match items.read() {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(error) => return Err(undecodable(record.offset, &error)),
        }
    }
}
