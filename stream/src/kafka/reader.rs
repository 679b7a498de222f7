//! Reads one partition from beginning to end and beyond, without a group: changelogs, reference topics, skips.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::Timestamp;

use super::client::{self, Events};
use super::doubt::is_denial;
use crate::processor::Record;
use crate::settings::Connection;

/// Reads committed records of one partition in order.
///
/// The end of a partition cannot be told from the offset after the last record: transaction markers and aborted
/// records take offsets too. librdkafka says when it has reached the end and which offset that was; rdkafka's safe
/// `poll` keeps the offset to itself, so this asks the C library.
pub(crate) struct Reader {
    consumer: BaseConsumer<Events>,
    topic: String,
    partition: i32,
}

/// What a read brought.
pub(crate) enum Read<'a> {
    /// A record.
    Record(Fetched<'a>),
    /// Every committed record below this offset was read.
    End(i64),
    /// Nothing yet.
    Nothing,
}

/// A record in librdkafka's memory.
pub(crate) struct Fetched<'a> {
    message: *mut sys::rd_kafka_message_t,
    of: PhantomData<&'a Reader>,
}

impl Drop for Fetched<'_> {
    fn drop(&mut self) {
        // SAFETY: the message came from rd_kafka_consumer_poll, is owned by this value alone and is not used again.
        unsafe { sys::rd_kafka_message_destroy(self.message) }
    }
}

/// Bytes of the C library's; `None` for a null pointer.
///
/// # Safety
/// `data` is null or points to `length` readable bytes that live as long as `'a`.
unsafe fn bytes<'a>(data: *const std::ffi::c_void, length: usize) -> Option<&'a [u8]> {
    if data.is_null() {
        return None;
    }
    // SAFETY: as promised by the caller.
    Some(unsafe { std::slice::from_raw_parts(data.cast(), length) })
}

impl Fetched<'_> {
    /// Its offset.
    pub(crate) fn offset(&self) -> i64 {
        // SAFETY: the message lives until this value is dropped.
        unsafe { (*self.message).offset }
    }

    /// The record.
    pub(crate) fn record(&self) -> Record<'_> {
        // SAFETY: the message lives until this value is dropped, and so do its key, payload and headers.
        unsafe {
            let message = &*self.message;
            let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
            let millis = sys::rd_kafka_message_timestamp(self.message, &mut kind);
            Record {
                offset: message.offset,
                timestamp: Timestamp::from_millis(millis.max(0)),
                key: bytes(message.key, message.key_len),
                payload: bytes(message.payload, message.len),
                headers: self.headers(),
            }
        }
    }

    fn headers(&self) -> Vec<(&str, &[u8])> {
        let mut list = Vec::new();
        // SAFETY: as in `record`; names are zero-terminated, and a name that is not UTF-8 is left out.
        unsafe {
            let mut headers = std::ptr::null_mut();
            if sys::rd_kafka_message_headers(self.message, &mut headers)
                != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
            {
                return list;
            }
            for index in 0.. {
                let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
                let found = sys::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size);
                if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    break;
                }
                if let Ok(name) = CStr::from_ptr(name).to_str() {
                    list.push((name, bytes(value, size).unwrap_or_default()));
                }
            }
        }
        list
    }
}

/// A partition cannot be read on.
#[derive(Debug, thiserror::Error)]
#[error("read {topic}/{partition}: {code}")]
pub(crate) struct Unreadable {
    topic: String,
    partition: i32,
    code: RDKafkaErrorCode,
}

impl Unreadable {
    /// Whether the records that were to come next are gone.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.code, RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
    }

    /// Whether the client was told that there is no such partition, or believes so.
    pub(crate) fn is_denied(&self) -> bool {
        is_denial(self.code)
    }
}

impl Reader {
    /// Begins to read at an offset, or at the beginning.
    pub(crate) fn open(
        connection: &Connection,
        topic: &str,
        partition: i32,
        from: Option<i64>,
    ) -> anyhow::Result<Self> {
        let consumer = client::create(&client::reader(connection))?;
        let mut reader = Reader { consumer, topic: topic.to_owned(), partition };
        reader.assign(partition, from.map_or(Offset::Beginning, Offset::Offset))?;
        Ok(reader)
    }

    /// Begins to read at an offset, a record here and a record there: little is fetched in advance.
    pub(crate) fn seeking(connection: &Connection, topic: &str, partition: i32, offset: i64) -> anyhow::Result<Self> {
        let consumer = client::create(&client::seeker(connection))?;
        let mut reader = Reader { consumer, topic: topic.to_owned(), partition };
        reader.seek(partition, offset)?;
        Ok(reader)
    }

    /// Goes on at another place of the topic.
    pub(crate) fn seek(&mut self, partition: i32, offset: i64) -> anyhow::Result<()> {
        self.assign(partition, Offset::Offset(offset))
    }

    /// Fetches nothing until the next seek.
    pub(crate) fn rest(&self) -> anyhow::Result<()> {
        self.consumer.unassign().with_context(|| format!("stop reading {}", self.topic))
    }

    fn assign(&mut self, partition: i32, from: Offset) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition, from).context("name partition to read")?;
        self.consumer.assign(&list).with_context(|| format!("read {}/{partition}", self.topic))?;
        self.partition = partition;
        Ok(())
    }

    /// The next record, the end, or nothing within this time.
    ///
    /// # Errors
    /// When the partition cannot be read on; transient trouble is waited out instead.
    pub(crate) fn next(&self, timeout: Duration) -> anyhow::Result<Read<'_>> {
        // SAFETY: the client lives as long as `self`; the message is checked for null and owned from here on. No
        // rebalance can be served here, which would need rdkafka's callback: the consumer never subscribes.
        let message =
            unsafe { sys::rd_kafka_consumer_poll(self.consumer.client().native_ptr(), timeout.as_millis() as i32) };
        if message.is_null() {
            return Ok(Read::Nothing);
        }
        let fetched = Fetched { message, of: PhantomData };
        // SAFETY: not null, and owned by `fetched`.
        let (error, offset) = unsafe { ((*message).err, (*message).offset) };
        match RDKafkaErrorCode::from(error) {
            RDKafkaErrorCode::NoError => Ok(Read::Record(fetched)),
            RDKafkaErrorCode::PartitionEOF => Ok(Read::End(offset)),
            code @ (RDKafkaErrorCode::AutoOffsetReset
            | RDKafkaErrorCode::OffsetOutOfRange
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                Err(Unreadable { topic: self.topic.clone(), partition: self.partition, code }.into())
            }
            code => {
                tracing::debug!(topic = self.topic, partition = self.partition, %code, "read interrupted");
                Ok(Read::Nothing)
            }
        }
    }

    /// Asks where committed records begin and end now.
    pub(crate) fn range(&self) -> anyhow::Result<(i64, i64)> {
        self.range_within(client::ANSWER_TIMEOUT)
    }

    /// As [`range`](Self::range), with an answer within so long.
    pub(crate) fn range_within(&self, patience: Duration) -> anyhow::Result<(i64, i64)> {
        self.consumer
            .fetch_watermarks(&self.topic, self.partition, patience)
            .with_context(|| format!("ask for the range of {}/{}", self.topic, self.partition))
    }
}
