//! What goes into [`crate::decode`] and what comes out.

use schemas::{Correction, Fact, Link, Rejection, Text, Timestamp, UsageEvent};

/// A raw record: where it stands and what it holds.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Kafka timestamp: when it arrived.
    pub timestamp: Timestamp,
    /// Key. Not looked at: identity comes from the content.
    pub key: Option<&'a [u8]>,
    /// Headers.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Value; null is a tombstone.
    pub payload: Option<&'a [u8]>,
}

impl<'a> RawRecord<'a> {
    /// The first header of this name (compared without case) that is text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    }
}

schemas::symbols! {
    /// Why an item is not billable. Counted as `ignored.<reason>`.
    pub enum IgnoreReason {
        /// A span of an agent or workflow repeats the usage of the model calls beneath it.
        AgentSpan = "agent_span",
        /// A span, log or step that is not a model call.
        NotAModelCall = "not_a_model_call",
        /// A metric that sums up calls reported one by one elsewhere.
        TokenMetric = "token_metric",
        /// A sum over the calls of a run, which are reported one by one elsewhere.
        RunSummary = "run_summary",
        /// A call that failed and used nothing.
        FailedCall = "failed_call",
        /// The state of a job, a page of a list, a report: no single call.
        StatusOnly = "status_only",
        /// A part of a stream that carries no usage.
        StreamFragment = "stream_fragment",
        /// A tombstone: a record without value.
        Tombstone = "tombstone",
    }
}

/// One item of a raw record.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A billable call.
    Event(Box<UsageEvent>),
    /// Something worth knowing that costs nothing by itself.
    Fact(Box<Fact>),
    /// Two identities of one call; follows the event that knew both, and is not an item of its own.
    Link(Link),
    /// A correction written by a job.
    Correction(Box<Correction>),
    /// Not usable.
    Rejected(Rejection),
    /// Not billable.
    Ignored {
        /// Index within the record.
        item: i32,
        /// Why.
        reason: IgnoreReason,
    },
}

/// A record, decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// What it was recognised as (`openai.chat_completion`, `cloudevents/ai.usage`); empty when nothing.
    pub recognised_as: Text,
    /// By which evidence: a header, the topic's setting, or the fields that decided.
    pub evidence: Text,
    /// Its items, in order.
    pub items: Vec<Item>,
    /// Events whose team was taken away, because the key they came with may not claim it.
    pub claims_not_allowed: i64,
}

impl Decoded {
    /// Events beyond the first of each body: what expanding iterations added.
    pub fn iterations(&self) -> i64 {
        let pairs = self.items.windows(2).filter(|pair| match pair {
            [Item::Event(before), Item::Event(event)] => before.position == event.position,
            _ => false,
        });
        pairs.count() as i64
    }
}
