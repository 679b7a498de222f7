//! A transactional producer that is used until something is uncertain about it, and then replaced.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use anyhow::bail;
use rdkafka::bindings as sys;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::client::{self, Events, REQUEST_BYTES_MAX, STAGE_REQUEST_BYTES_MAX};
use super::fate::Step;
use super::rights;
use super::round::Round;
use crate::processor::OutRecord;
use crate::settings::Settings;

impl ProducerContext for Events {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.failed(error.clone());
        }
    }
}

/// What the client is given on top of a step's time to say itself that it has passed.
const GRACE: Duration = Duration::from_secs(1);

/// How long the records are listened to that failed with the first.
const ALL_FAILURES: Duration = Duration::from_millis(50);

/// Whether brokers say this of what they will never take, however often it is tried.
pub(crate) fn refused(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::TransactionalIdAuthorizationFailed
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::InvalidRecord
    )
}

/// Which of the records that failed says why the others did: one that was refused, or else one that was not merely thrown away
/// because another had failed.
fn telling(failures: Vec<KafkaError>) -> Option<KafkaError> {
    let rank = |failure: &KafkaError| match failure.rdkafka_error_code() {
        Some(code) if refused(code) => 0,
        Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => 2,
        _ => 1,
    };
    failures.into_iter().min_by_key(rank)
}

/// A failed step.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) error: KafkaError,
}

impl Failure {
    /// Whether somebody else has taken the transactional id over: then nothing of the transaction is written.
    pub(crate) fn fenced(&self) -> bool {
        matches!(
            self.error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch)
        )
    }
}

/// A record to hand over; borrowed from the output of a stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: u32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) payload: Option<&'a [u8]>,
    pub(crate) headers: &'a [(String, bytes::Bytes)],
    pub(crate) timestamp: Option<schemas::Timestamp>,
}

impl<'a> From<&'a OutRecord> for Write<'a> {
    fn from(record: &'a OutRecord) -> Self {
        Write {
            topic: &record.topic,
            partition: record.partition,
            key: record.key.as_deref(),
            payload: record.payload.as_deref(),
            headers: &record.headers,
            timestamp: record.timestamp,
        }
    }
}

/// One producer with one transactional id.
pub(crate) struct Producer {
    inner: Arc<BaseProducer<Events>>,
    round: RefCell<Round>,
    /// Time a step may take. Below the transaction timeout, past which the broker aborts anyway.
    step_timeout: Duration,
    writer: String,
}

impl Producer {
    /// Creates it and takes the transactional id over: whoever had it is fenced off, and what was open under it is
    /// settled at the broker by the time this returns.
    pub(crate) fn open(settings: &Settings, id: &str) -> anyhow::Result<Result<Self, KafkaError>> {
        let client = client::producing(&settings.connection, id, settings.transaction_timeout);
        let round = Round::new(STAGE_REQUEST_BYTES_MAX);
        Producer::opened(&client, id, settings.transaction_timeout, round, ", or lower --transaction-timeout")
    }

    /// As [`Producer::open`], with other settings of the client, whose transactions may last as long as a step.
    pub(crate) fn with(
        client: &ClientConfig,
        id: &str,
        step_timeout: Duration,
    ) -> anyhow::Result<Result<Self, KafkaError>> {
        Producer::opened(client, id, step_timeout, Round::new(REQUEST_BYTES_MAX), "")
    }

    /// Fails where no retry helps.
    fn opened(
        client: &ClientConfig,
        id: &str,
        step_timeout: Duration,
        round: Round,
        or_else: &str,
    ) -> anyhow::Result<Result<Self, KafkaError>> {
        let inner: BaseProducer<Events> = client::create(client)?;
        let opened = inner.init_transactions(client::ANSWER_TIMEOUT);
        match opened.as_ref().err().and_then(KafkaError::rdkafka_error_code) {
            Some(RDKafkaErrorCode::InvalidTransactionTimeout) => bail!(
                "the brokers allow no transaction to last {}: raise their transaction.max.timeout.ms to {} at least{or_else}",
                humantime::format_duration(step_timeout),
                step_timeout.as_millis()
            ),
            Some(code @ RDKafkaErrorCode::TransactionalIdAuthorizationFailed) => {
                let right = rights::to_be_given(&format!("--operation Write --transactional-id {id}"));
                bail!("this user lacks Write on transactional-id {id}: {code}. {right}")
            }
            _ => {}
        }
        let writer = format!("{id}@{:x}", super::now().micros());
        Ok(opened.map(|()| Producer { inner: Arc::new(inner), round: RefCell::new(round), step_timeout, writer }))
    }

    /// Names this very producer, for the marks of its transactions.
    pub(crate) fn writer(&self) -> &str {
        &self.writer
    }

    /// Begins a transaction.
    pub(crate) fn begin(&self) -> Result<(), Failure> {
        self.inner.context().take_failures();
        self.round.borrow_mut().clear();
        self.inner.begin_transaction().map_err(|error| Failure { step: Step::Begin, error })
    }

    /// Hands a record over, waiting while the client's queue is full, and until everything is written when its partition's
    /// request is.
    pub(crate) fn send(&self, write: Write<'_>) -> Result<(), Failure> {
        let taken = self.round.borrow_mut().takes(&write);
        if !taken {
            self.flush()?;
            self.round.borrow_mut().takes(&write);
        }
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(write.topic).partition(write.partition as i32);
        record.key = write.key;
        record.payload = write.payload;
        record.timestamp = write.timestamp.map(schemas::Timestamp::millis);
        record.headers = headers(write.headers);
        let deadline = Instant::now() + self.step_timeout;
        loop {
            match self.inner.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                    if Instant::now() < deadline =>
                {
                    record = back;
                    self.inner.poll(Duration::from_millis(5));
                }
                Err((error, _)) => return Err(self.failure(Step::Produce, error)),
            }
        }
    }

    /// What a step failed with. When a record is refused, all that waits behind it is thrown away, which is reported first, and
    /// the steps after it fail for that reason alone: so what became of every record is heard before.
    fn failure(&self, step: Step, error: KafkaError) -> Failure {
        self.inner.poll(ALL_FAILURES);
        let failed = telling(self.inner.context().take_failures());
        let reason = failed.filter(|failed| failed.rdkafka_error_code().is_some_and(refused));
        Failure { step, error: reason.unwrap_or(error) }
    }

    /// Adds the input offsets, while the records are written.
    ///
    /// librdkafka bounds this call by the time given only while its requests come back. One for the group's coordinator that
    /// comes back with an error is made again when a connection goes up or down; while all of them stand that is never, and the
    /// call waits for it without an end. So a thread of its own makes the call, and is left behind with this producer when it
    /// takes too long: what it may still send then is of a transaction that the broker has ended.
    pub(crate) fn send_offsets(
        &self,
        offsets: TopicPartitionList,
        group: ConsumerGroupMetadata,
    ) -> Result<(), Failure> {
        let failed = |error| self.failure(Step::Offsets, error);
        let (inner, time) = (self.inner.clone(), self.step_timeout);
        let (answer, answered) = sync_channel(1);
        let call = move || drop(answer.send(inner.send_offsets_to_transaction(&offsets, &group, time)));
        let thread = std::thread::Builder::new().name("offsets".to_owned());
        thread.spawn(call).map_err(|_| failed(KafkaError::Global(RDKafkaErrorCode::CriticalSystemResource)))?;
        let silent = |_| Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut));
        let flushed = self.flush();
        let added = answered.recv_timeout(time + GRACE).unwrap_or_else(silent);
        flushed?;
        added.map_err(failed)
    }

    /// Waits until every record is written.
    ///
    /// rdkafka's own `flush` polls in steps of 100 ms when there are no reports of success; the C function wakes with
    /// the last acknowledgement. It does not serve reports of failure, and waits for them to be served: hence the loop.
    fn flush(&self) -> Result<(), Failure> {
        self.round.borrow_mut().clear();
        let failed = |error| self.failure(Step::Flush, error);
        let deadline = Instant::now() + self.step_timeout;
        loop {
            // SAFETY: the client lives as long as `self`.
            let flushed = unsafe { sys::rd_kafka_flush(self.inner.client().native_ptr(), 500) };
            self.inner.poll(Duration::ZERO);
            if let Some(error) = telling(self.inner.context().take_failures()) {
                let known = error.rdkafka_error_code().is_some_and(refused);
                return Err(if known { Failure { step: Step::Flush, error } } else { failed(error) });
            }
            match RDKafkaErrorCode::from(flushed) {
                RDKafkaErrorCode::NoError => return Ok(()),
                RDKafkaErrorCode::OperationTimedOut if Instant::now() < deadline => {}
                code => return Err(failed(KafkaError::Flush(code))),
            }
        }
    }

    /// Waits for the records and commits.
    pub(crate) fn commit(&self) -> Result<(), Failure> {
        self.flush()?;
        self.inner.commit_transaction(self.step_timeout).map_err(|error| self.failure(Step::Commit, error))
    }

    /// Aborts. Reports of failure are served in between: otherwise the C library waits for them until the timeout.
    pub(crate) fn abort(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + self.step_timeout;
        loop {
            self.inner.poll(Duration::ZERO);
            match self.inner.abort_transaction(Duration::from_millis(200)) {
                Ok(()) => return Ok(()),
                // The call can be resumed; anything but a retriable answer is final.
                Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {}
                Err(error) => return Err(Failure { step: Step::Abort, error }),
            }
        }
    }
}

/// Headers as librdkafka takes them.
pub(crate) fn headers(list: &[(String, bytes::Bytes)]) -> Option<OwnedHeaders> {
    if list.is_empty() {
        return None;
    }
    let headers = OwnedHeaders::new_with_capacity(list.len());
    Some(list.iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(&value[..]) })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_records_that_failed_the_one_that_was_refused_says_why() {
        let failed = |codes: &[RDKafkaErrorCode]| {
            let failures = codes.iter().map(|code| KafkaError::MessageProduction(*code)).collect();
            telling(failures).and_then(|error| error.rdkafka_error_code())
        };
        let (purged, refused) = (RDKafkaErrorCode::PurgeQueue, RDKafkaErrorCode::MessageSizeTooLarge);
        let late = RDKafkaErrorCode::MessageTimedOut;
        assert_eq!(failed(&[purged, purged, refused, late]), Some(refused));
        assert_eq!(failed(&[purged, late, purged]), Some(late));
        assert_eq!(failed(&[purged]), Some(purged));
        assert_eq!(failed(&[]), None);
    }
}
