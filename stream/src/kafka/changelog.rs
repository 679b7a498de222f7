//! What a changelog holds: state of the stage, its books, where a topology generation began, and where it ended when.

use std::time::Duration;

use schemas::codec::Format;
use schemas::{LedgerEntry, Timestamp};

use super::fate::Standing;
use super::origin::Origin;
use crate::books::{BOOKS_KEY, Books};
use crate::processor::{Halt, Needs, Processor, Record, Source, Stage};

/// Key of the entry that begins a topology generation: what stands before it is not the partition's any more.
pub(crate) const GENERATION_KEY: &[u8] = b"\0generation";

/// Key of the entry that says what the changelog is about.
pub(crate) const ORIGIN_KEY: &[u8] = b"\0origin";

/// Key of the entry that says where a changelog that is kept by time ended on earlier days: of one that lost its beginning it tells
/// whether what is gone was old enough.
pub(crate) const ENDS_KEY: &[u8] = b"\0ends";

/// Ends are kept for so much longer than what is written is needed.
const ENDS_LONGER: Duration = Duration::from_secs(10 * 86_400);

/// Two ends are so far apart at least.
const ENDS_APART_SECONDS: i64 = 3_600;

/// Where a changelog ended when: the offset after all that was written before that time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ends(Vec<(Timestamp, i64)>);

impl Ends {
    /// As it stands in the changelog.
    pub(crate) fn encode(&self) -> String {
        let ends: Vec<String> = self.0.iter().map(|(at, end)| format!("{} {end}", at.millis())).collect();
        ends.join("\n")
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let end = |line: &str| {
            let (at, end) = line.split_once(' ')?;
            Some((Timestamp::from_millis(at.parse().ok()?), end.parse().ok()?))
        };
        text.lines().map(end).collect::<Option<_>>().map(Ends)
    }

    /// It ends here now. Those before all that is needed are forgotten.
    pub(crate) fn note(&mut self, now: Timestamp, end: i64, needed: Duration) {
        let seconds = needed.saturating_add(ENDS_LONGER).as_secs().min(1 << 32) as i64;
        self.0.retain(|(at, _)| *at >= now.plus_seconds(-seconds));
        if self.0.last().is_none_or(|(at, _)| *at <= now.plus_seconds(-ENDS_APART_SECONDS)) {
            self.0.push((now, end));
        }
    }

    /// That it begins here is accepted.
    pub(crate) fn accept(&mut self, first: i64) {
        self.0.retain(|(_, end)| *end >= first);
    }
}

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
    /// Where it ended when, as far as it says so.
    pub(crate) ends: Ends,
    /// True when a topology generation begins in what was read: what stood before it does not matter.
    begins: bool,
    /// When the newest record was written.
    latest: Timestamp,
}

impl Kept {
    pub(crate) fn new(stage: &dyn Stage, source: Source) -> Self {
        Kept {
            books: Books::new(stage.name(), source.clone()),
            processor: stage.processor(&source),
            source,
            standing: None,
            origin: None,
            ends: Ends::default(),
            begins: false,
            latest: Timestamp::MIN,
        }
    }

    /// What is missing of a changelog that was read to its end and begins at this offset; `None` where that is nothing, or nothing that
    /// is needed, as far as it can be known.
    pub(crate) fn lost(&self, first: i64, needs: Needs) -> Option<String> {
        if first > 0 && self.standing.is_none() && !self.begins {
            return Some("all there was".to_owned());
        }
        let needed = match needs {
            Needs::Books => return None,
            // Compaction leaves the beginning where it is.
            Needs::Everything => return (first > 0 && !self.begins).then(|| format!("all before offset {first}")),
            Needs::Within(needed) => needed.as_secs().min(1 << 32) as i64,
        };
        let since = self.latest.plus_seconds(-needed);
        let (at, end) = self.ends.0.iter().find(|(at, end)| *at >= since && *end < first)?;
        Some(format!(
            "what was written after {at} at offsets {end} to {first}, though it is needed for {} days,",
            needed / 86_400
        ))
    }

    /// Takes the next entry.
    pub(crate) fn take(
        &mut self,
        stage: &dyn Stage,
        format: &Format<LedgerEntry>,
        record: &Record<'_>,
    ) -> Result<(), Refused> {
        self.latest = self.latest.max(record.timestamp);
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
                *self = Kept { begins: true, latest: self.latest, ..Kept::new(stage, self.source.clone()) };
                Ok(())
            }
            (Some(ENDS_KEY), Some(payload)) => {
                let ends = std::str::from_utf8(payload).ok().and_then(Ends::decode);
                self.ends = ends.ok_or_else(|| at("ends that cannot be read".to_owned()))?;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::again::Again;
    use crate::processor::{Output, Tick};

    const DAY: i64 = 86_400;

    fn day(day: i64) -> Timestamp {
        Timestamp::from_millis(0).plus_seconds(day * DAY)
    }

    fn days(days: u64) -> Duration {
        Duration::from_secs(days * 86_400)
    }

    #[test]
    fn ends_come_back_as_they_were_written_one_an_hour_as_long_as_they_are_needed() {
        let mut ends = Ends::default();
        for (hour, end) in [(0, 10), (23, 20), (24, 30), (48, 40)] {
            ends.note(Timestamp::from_millis(0).plus_seconds(hour * 3_600), end, days(2));
        }
        assert_eq!(ends.0.len(), 4);
        ends.note(day(2).plus_seconds(1_800), 41, days(2));
        assert_eq!(ends.0.len(), 4, "half an hour later");
        assert_eq!(Ends::decode(&ends.encode()), Some(ends.clone()));
        assert_eq!((Ends::decode(""), Ends::decode("1 2 3"), Ends::decode("x")), (Some(Ends::default()), None, None));
        // The first is older than twelve days by then.
        ends.note(day(12).plus_seconds(1), 90, days(2));
        ends.accept(25);
        assert_eq!(ends.0, [(day(1), 30), (day(2), 40), (day(12).plus_seconds(1), 90)]);
    }

    #[test]
    fn a_compacted_changelog_is_whole_from_its_first_offset_or_from_a_generation_on() {
        let mut kept = Kept::new(&Nothing, source());
        let everything = Needs::Everything;
        assert_eq!(kept.lost(0, everything), None);
        for needs in [everything, Needs::Books, Needs::Within(days(35))] {
            assert_eq!(kept.lost(7, needs).as_deref(), Some("all there was"), "{needs:?}");
        }
        kept.standing = Some(Standing { transaction: 3, next_offset: 90 });
        assert_eq!(kept.lost(7, everything).as_deref(), Some("all before offset 7"));
        assert_eq!(kept.lost(7, Needs::Books), None, "they are at the end");
        let record =
            Record { offset: 9, timestamp: day(1), key: Some(GENERATION_KEY), payload: Some(b"0"), headers: vec![] };
        assert!(kept.take(&Nothing, &Format::new(), &record).is_ok());
        assert_eq!(kept.lost(7, everything), None);
    }

    #[test]
    fn a_changelog_kept_by_time_has_lost_what_it_needs_when_an_end_within_that_time_is_before_its_beginning() {
        let mut kept = Kept::new(&Nothing, source());
        kept.standing = Some(Standing { transaction: 3, next_offset: 90 });
        let needs = |needed| Needs::Within(days(needed));
        assert_eq!(kept.lost(500, needs(35)), None, "written by releases that did not say");
        let ends = (0..=40).map(|at| (day(at), at * 100)).collect();
        let payload = Ends(ends).encode();
        let payload = Some(payload.as_bytes());
        let record = Record { offset: 4_000, timestamp: day(40), key: Some(ENDS_KEY), payload, headers: Vec::new() };
        assert!(kept.take(&Nothing, &Format::new(), &record).is_ok());
        // Needed is what was written after day 5.
        assert_eq!(kept.lost(0, needs(35)), None);
        assert_eq!(kept.lost(500, needs(35)), None);
        let lost = kept.lost(501, needs(35)).unwrap();
        assert!(
            lost.starts_with("what was written after 1970-01-06") && lost.contains(" at offsets 500 to 501"),
            "{lost}"
        );
        // It was last at work on day 40: that it stood still for a week since takes nothing away from what it needs.
        assert_eq!(kept.lost(1_200, needs(28)), None);
    }

    struct Nothing;

    impl Stage for Nothing {
        fn name(&self) -> &'static str {
            "nothing"
        }

        fn input(&self) -> &str {
            "usage.events"
        }

        fn outputs(&self) -> Vec<String> {
            Vec::new()
        }

        fn processor(&self, _: &Source) -> Box<dyn Processor> {
            Box::new(Nothing)
        }
    }

    impl Processor for Nothing {
        fn restore(&mut self, _: &[u8], _: Option<&[u8]>) -> Result<(), Halt> {
            Ok(())
        }

        fn process(&mut self, _: &[Record<'_>], _: &Tick, _: &mut Books) -> Result<(), Halt> {
            Ok(())
        }

        fn finish(&mut self, _: &Tick, _: &mut Books, _: &mut Output) -> Result<(), Halt> {
            Ok(())
        }

        fn promote(&mut self) {}

        fn undo(&mut self) {}

        fn export(&self, _: &mut dyn FnMut(u32, Bytes, Bytes)) -> Result<(), Halt> {
            Ok(())
        }
    }

    fn source() -> Source {
        Source {
            topic: Arc::from("usage.events"),
            partition: 0,
            partitions: 1,
            generation: 0,
            targets: Arc::default(),
            again: Again::default(),
        }
    }
}
