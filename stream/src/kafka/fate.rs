//! What to do when a transaction fails, and what became of it: decisions without a broker in sight.

use rdkafka::error::KafkaError;

/// Where in a transaction something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Beginning it.
    Begin,
    /// Handing a record to the client.
    Produce,
    /// Sending the input offsets.
    Offsets,
    /// Waiting for the records to be written.
    Flush,
    /// Committing.
    Commit,
    /// Aborting.
    Abort,
}

/// What the client said about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The transaction cannot be committed, the producer can go on.
    Abortable,
    /// The producer cannot go on: fenced off, or its transaction timed out at the broker.
    Fatal,
    /// Neither: a timeout, a lost connection, anything whose meaning is not certain.
    Unclear,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Abort on this producer, undo, read again.
    Abort,
    /// Fenced: build a new producer, then see what is committed.
    Rebuild,
    /// Nobody knows whether it is committed: build a new producer, which settles it at the broker, then see.
    Unknown,
}

/// Reads the error of a transactional call.
pub(crate) fn fault(error: &KafkaError) -> Fault {
    match error {
        KafkaError::Transaction(error) if error.is_fatal() => Fault::Fatal,
        KafkaError::Transaction(error) if error.txn_requires_abort() => Fault::Abortable,
        _ => Fault::Unclear,
    }
}

/// Decides. Whatever is not certain is [`Fate::Unknown`]: a producer that may have an answer on the way is never
/// used again, since a late end of one transaction could end the next one.
pub(crate) fn fate(step: Step, fault: Fault) -> Fate {
    match (step, fault) {
        (_, Fault::Fatal) => Fate::Rebuild,
        // The broker never heard of it, or refused it for good.
        (Step::Begin | Step::Produce | Step::Offsets | Step::Commit | Step::Flush, Fault::Abortable) => Fate::Abort,
        (Step::Abort, Fault::Abortable) | (_, Fault::Unclear) => Fate::Unknown,
    }
}

/// Names one transaction of one partition: kept in the metadata of the committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Number, as in the books.
    pub(crate) transaction: i64,
    /// The producer that wrote it, so that another owner's transaction of the same number is not taken for ours.
    pub(crate) writer: String,
}

impl Mark {
    /// As it stands in the metadata.
    pub(crate) fn encode(&self) -> String {
        format!("{} {}", self.transaction, self.writer)
    }

    /// From the metadata; `None` when something else wrote it.
    pub(crate) fn decode(metadata: &str) -> Option<Mark> {
        let (transaction, writer) = metadata.split_once(' ')?;
        Some(Mark { transaction: transaction.parse().ok()?, writer: writer.to_owned() })
    }
}

/// What became of the open transaction of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is committed.
    Promote,
    /// It is not.
    Undo,
    /// Somebody else has written since: what is in memory is worth nothing.
    Restore,
}

/// Compares what is committed with what this lane had open (if anything) and had committed before.
pub(crate) fn outcome(found: Option<&Mark>, open: Option<&Mark>, before: i64) -> Outcome {
    match (found, open) {
        (Some(found), Some(open)) if found == open => Outcome::Promote,
        (Some(found), _) if found.transaction == before => Outcome::Undo,
        (None, _) if before == 0 => Outcome::Undo,
        _ => Outcome::Restore,
    }
}

/// Where a partition stands according to one of its two witnesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Last transaction.
    pub(crate) transaction: i64,
    /// Offset to read next.
    pub(crate) next_offset: i64,
}

/// How a restored partition begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// Where both witnesses say.
    At(i64),
    /// At the earliest record: nobody has ever worked on it.
    Earliest,
    /// Not yet: they disagree, which a marker that has not landed yet explains for a while.
    Disagree,
}

/// Compares the changelog with the offset of the group.
pub(crate) fn start(changelog: Option<Standing>, offset: Option<Standing>) -> Start {
    match (changelog, offset) {
        (None, None) => Start::Earliest,
        (Some(changelog), Some(offset)) if changelog == offset => Start::At(offset.next_offset),
        _ => Start::Disagree,
    }
}

/// Number of the transaction of an offset that somebody else has set: it carries no mark.
pub(crate) const UNMARKED: i64 = -1;

/// Where a partition goes on whose witnesses still differ when every marker has landed. An offset that is gone expired with its group,
/// or was deleted: it was written in one transaction with the changelog, which says the same. One that was set by hand to where the
/// changelog is says the same, too. Anything else was changed by hand.
pub(crate) fn believed(changelog: Option<Standing>, offset: Option<Standing>) -> Option<i64> {
    match (changelog, offset) {
        (Some(changelog), None) => Some(changelog.next_offset),
        (Some(Standing { next_offset, .. }), Some(offset)) => {
            (offset == Standing { transaction: UNMARKED, next_offset }).then_some(next_offset)
        }
        _ => None,
    }
}

/// Says how the two witnesses differ.
pub(crate) fn disagreement(changelog: Option<Standing>, offset: Option<Standing>) -> String {
    let say = |standing: Option<Standing>| match standing {
        Some(Standing { transaction: UNMARKED, next_offset }) => {
            format!("offset {next_offset}, set by another program")
        }
        Some(standing) => format!("transaction {} and offset {}", standing.transaction, standing.next_offset),
        None => "nothing".to_owned(),
    };
    format!(
        "changelog says {}, group offset says {}. An interrupted `spendstream topics repartition` looks like this for up to \
         ten minutes: run it again, or wait, and the partition goes on by itself. Otherwise one of them was changed from outside. \
         Where it was the offset: stop the stage, wait until its sessions are over, delete the offsets of its group \
         (`kafka-consumer-groups.sh --delete-offsets`), and start it, which goes on where the changelog says. Where it was the \
         changelog: restore that topic from before. Deleting both counts nothing anew: the stages behind take what they had for copies",
        say(changelog),
        say(offset)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_and_fault_has_one_fate() {
        use Fault::{Abortable, Fatal, Unclear};
        use Step::{Abort, Begin, Commit, Flush, Offsets, Produce};
        let steps = [Begin, Produce, Offsets, Flush, Commit, Abort];
        let table = [
            (Abortable, [Fate::Abort, Fate::Abort, Fate::Abort, Fate::Abort, Fate::Abort, Fate::Unknown]),
            (Fatal, [Fate::Rebuild; 6]),
            (Unclear, [Fate::Unknown; 6]),
        ];
        for (fault, fates) in table {
            for (step, expected) in steps.into_iter().zip(fates) {
                assert_eq!(fate(step, fault), expected, "{step:?} {fault:?}");
            }
        }
    }

    #[test]
    fn only_our_own_number_promotes() {
        let mark = |transaction, writer: &str| Mark { transaction, writer: writer.to_owned() };
        let (ours, theirs) = (mark(7, "a"), mark(7, "b"));
        let table = [
            // found, open, committed before, outcome
            (Some(&ours), Some(&ours), 6, Outcome::Promote),
            (Some(&theirs), Some(&ours), 6, Outcome::Restore),
            (Some(&theirs), None, 7, Outcome::Undo),
            (Some(&theirs), Some(&mark(8, "a")), 7, Outcome::Undo),
            (Some(&mark(9, "b")), Some(&mark(8, "a")), 7, Outcome::Restore),
            (Some(&mark(6, "b")), Some(&mark(8, "a")), 7, Outcome::Restore),
            (None, Some(&mark(1, "a")), 0, Outcome::Undo),
            (None, Some(&mark(8, "a")), 7, Outcome::Restore),
            (None, None, 0, Outcome::Undo),
        ];
        for (found, open, before, expected) in table {
            assert_eq!(outcome(found, open, before), expected, "{found:?} {open:?} {before}");
        }
    }

    #[test]
    fn a_partition_begins_only_where_both_witnesses_agree() {
        let at = |transaction, next_offset| Some(Standing { transaction, next_offset });
        assert_eq!(start(None, None), Start::Earliest);
        assert_eq!(start(at(3, 90), at(3, 90)), Start::At(90));
        for (changelog, offset) in
            [(at(3, 90), at(4, 90)), (at(3, 90), at(3, 91)), (None, at(3, 90)), (at(3, 90), None)]
        {
            assert_eq!(start(changelog, offset), Start::Disagree);
        }
    }

    #[test]
    fn an_offset_that_is_gone_is_what_the_changelog_says_and_no_other_difference_is_believed() {
        let at = |transaction, next_offset| Some(Standing { transaction, next_offset });
        assert_eq!(believed(at(3, 90), None), Some(90));
        for (changelog, offset) in [(None, at(3, 90)), (at(3, 90), at(4, 90)), (at(3, 90), at(3, 91))] {
            assert_eq!(believed(changelog, offset), None);
        }
    }

    #[test]
    fn a_mark_reads_back_and_nothing_else_does() {
        let mark = Mark { transaction: 12, writer: "prod.enrich.0.1@5f".to_owned() };
        assert_eq!(Mark::decode(&mark.encode()), Some(mark));
        assert_eq!(Mark::decode(""), None);
        assert_eq!(Mark::decode("twelve x"), None);
    }
}
