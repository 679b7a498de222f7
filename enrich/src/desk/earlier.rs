//! Events that are no longer in memory, read again from `usage.events`.

use std::collections::HashMap;

use schemas::codec::Format;
use schemas::{Batch, EventItem, Id128, UsageEvent};
use stream::{Again, Halt, Source};

/// The copies of each call in one batch.
type Copies = HashMap<Id128, Vec<Box<UsageEvent>>>;

/// What came in earlier batches, one of them at a time.
#[derive(Debug)]
pub(super) struct Earlier {
    again: Again,
    /// The batch that was read last, decoded: calls that were reported together are often reported once more together.
    batch: Option<((u32, i64), Copies)>,
    reads: u64,
}

impl Earlier {
    pub(super) fn of(source: &Source) -> Self {
        Earlier { again: source.again.clone(), batch: None, reads: 0 }
    }

    /// The copies of a call that came in the batch at this partition and offset; none when it has expired.
    pub(super) fn copies(
        &mut self,
        format: &Format<Batch<EventItem>>,
        place: (u32, i64),
        key: &Id128,
    ) -> Result<&[Box<UsageEvent>], Halt> {
        let batch = match self.batch.take() {
            Some(batch) if batch.0 == place => batch,
            _ => (place, self.read(format, place)?),
        };
        let (_, copies) = self.batch.insert(batch);
        Ok(copies.get(key).map_or(&[], Vec::as_slice))
    }

    fn read(&mut self, format: &Format<Batch<EventItem>>, (partition, offset): (u32, i64)) -> Result<Copies, Halt> {
        self.reads += 1;
        let mut copies = Copies::new();
        let Some(payload) = self.again.read(partition, offset)? else { return Ok(copies) };
        let batch = format.decode(&payload).map_err(|error| {
            Halt::State(format!("the batch at offset {offset}, once read, cannot be decoded any more: {error}"))
        })?;
        for item in batch.items {
            if let EventItem::Event(event) = item {
                copies.entry(event.dedup_key).or_default().push(event);
            }
        }
        Ok(copies)
    }

    /// Lets go of what was read.
    pub(super) fn release(&mut self) {
        self.batch = None;
    }

    /// How often a batch was read again since this was last asked.
    pub(super) fn take_reads(&mut self) -> u64 {
        std::mem::take(&mut self.reads)
    }
}
