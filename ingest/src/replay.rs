//! Raw records that are read once more, because what was rejected of them may be usable now.
//!
//! `spendstream rejected replay` copies such a record to the corrections topic, with a header that says where the original
//! stands. Ingest decodes the copy as the original: same topic (and so the same settings), same positions, and so the same
//! identities. Trusted on that one topic only: a position of somebody else's record would be somebody else's call.

use bytes::Bytes;
use schemas::Timestamp;

use crate::config::Config;
use crate::item::RawRecord;

/// The header.
const HEADER: &str = "spend-replay";

/// The record that a copy was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original<'r> {
    /// Topic.
    pub topic: &'r str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// When it arrived.
    pub arrived: Timestamp,
}

impl<'r> Original<'r> {
    /// What the header of a copy on the corrections topic says; `None` for every other record.
    pub fn of(record: &RawRecord<'r>, config: &Config) -> Option<Self> {
        if record.topic != config.corrections_topic {
            return None;
        }
        Self::parse(record.header(HEADER)?)
    }

    /// Reads the text of the header.
    fn parse(text: &'r str) -> Option<Self> {
        let mut parts = text.split('/');
        let mut next = || parts.next();
        let (topic, partition, offset, arrived) = (next()?, next()?, next()?, next()?);
        if topic.is_empty() || next().is_some() {
            return None;
        }
        let arrived = Timestamp::from_micros(arrived.parse().ok()?);
        Some(Original { topic, partition: partition.parse().ok()?, offset: offset.parse().ok()?, arrived })
    }

    /// The headers of a copy: those of the original, and the one that makes it a copy.
    pub fn headers(&self, headers: &[(String, Bytes)]) -> Vec<(String, Bytes)> {
        let Original { topic, partition, offset, arrived } = self;
        let text = format!("{topic}/{partition}/{offset}/{}", arrived.micros());
        let kept = headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(HEADER)).cloned();
        kept.chain([(HEADER.to_owned(), Bytes::from(text))]).collect()
    }

    /// The original as it stood, but received when the copy was: prices, budgets and windows go by when something could
    /// first be counted, and windows that are closed must show that it came late.
    pub(crate) fn record(self, copy: &RawRecord<'r>) -> RawRecord<'r> {
        RawRecord { topic: self.topic, partition: self.partition, offset: self.offset, ..*copy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_where_the_original_stands_and_nothing_else_is_one() {
        let arrived = Timestamp::from_micros(1_795_780_800_000_001);
        let original = Original { topic: "usage.raw", partition: 3, offset: 77, arrived };
        let forged = [("Spend-Replay".to_owned(), Bytes::from_static(b"a/0/0/0")), ("x".to_owned(), Bytes::new())];
        let headers = original.headers(&forged);
        assert_eq!(headers.len(), 2);
        let text = std::str::from_utf8(&headers[1].1).unwrap();
        assert_eq!((headers[0].0.as_str(), Original::parse(text)), ("x", Some(original)));
        for text in ["", "usage.raw", "usage.raw/3/77", "/3/77/1", "usage.raw/x/77/1", "usage.raw/3/77/1/2"] {
            assert_eq!(Original::parse(text), None, "{text}");
        }
    }
}
