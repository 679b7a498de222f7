//! What a changelog holds: state of the stage, its books, and where a topology generation began.

use schemas::LedgerEntry;
use schemas::codec::Format;

use super::fate::Standing;
use super::origin::Origin;
use crate::books::{BOOKS_KEY, Books};
use crate::processor::{Halt, Processor, Record, Source, Stage};

/// Key of the entry that begins a topology generation: what stands before it is not the partition's any more.
pub(crate) const GENERATION_KEY: &[u8] = b"\0generation";

/// Key of the entry that says what the changelog is about.
pub(crate) const ORIGIN_KEY: &[u8] = b"\0origin";

/// Why an entry was not taken.
pub(crate) enum Refused {
    /// The partition cannot go on.
    Halt(Halt),
    /// The number of partitions was changed since this process read it: it must start again.
    Outdated(i32),
}

/// One partition of a stage, as its changelog tells it so far.
pub(crate) struct Kept {
    pub(crate) source: Source,
    pub(crate) books: Books,
    pub(crate) processor: Box<dyn Processor>,
    /// Where the books stand; `None` while there are none.
    pub(crate) standing: Option<Standing>,
    /// What it is about; `None` where no release that says so has written it.
    pub(crate) origin: Option<Origin>,
}

impl Kept {
    pub(crate) fn new(stage: &dyn Stage, source: Source) -> Self {
        Kept {
            books: Books::new(stage.name(), source.clone()),
            processor: stage.processor(&source),
            source,
            standing: None,
            origin: None,
        }
    }

    /// Takes the next entry.
    pub(crate) fn take(
        &mut self,
        stage: &dyn Stage,
        format: &Format<LedgerEntry>,
        record: &Record<'_>,
    ) -> Result<(), Refused> {
        let at = |what: String| Refused::Halt(Halt::State(format!("changelog offset {}: {what}", record.offset)));
        match (record.key, record.payload) {
            (Some(BOOKS_KEY), Some(payload)) => {
                let entry = format.decode(payload).map_err(|error| at(format!("books: {error}")))?;
                self.standing = Some(Standing { transaction: entry.transaction, next_offset: entry.next_offset });
                self.books.restore(entry);
                Ok(())
            }
            (Some(GENERATION_KEY), Some(payload)) => {
                let generation = std::str::from_utf8(payload).ok().and_then(|text| text.parse::<i32>().ok());
                let generation = generation.ok_or_else(|| at("a generation that is not a number".to_owned()))?;
                if generation > self.source.generation {
                    return Err(Refused::Outdated(generation));
                }
                *self = Kept::new(stage, self.source.clone());
                Ok(())
            }
            (Some(ORIGIN_KEY), Some(payload)) => {
                let origin = std::str::from_utf8(payload).ok().and_then(Origin::decode);
                self.origin = Some(origin.ok_or_else(|| at("an origin that cannot be read".to_owned()))?);
                Ok(())
            }
            (Some(key), value) => self.processor.restore(key, value).map_err(|halt| at(halt.to_string())),
            (None, _) => Err(at("a record without a key".to_owned())),
        }
    }
}
