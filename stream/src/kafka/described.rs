//! Topics as the brokers describe them to this user: which one it is, and what may be done with it.

use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use super::client::Events;

/// A topic that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) name: String,
    /// What brokers say of it instead.
    pub(crate) code: RDKafkaErrorCode,
    /// Its id; `None` where brokers give none.
    pub(crate) id: Option<String>,
    /// What this user may do with it; `None` where brokers do not tell.
    pub(crate) allowed: Option<Vec<sys::rd_kafka_AclOperation_t>>,
}

/// Asks for these topics.
///
/// # Errors
/// When no answer comes in time.
pub(crate) fn describe(
    consumer: &BaseConsumer<Events>,
    topics: &[&str],
    patience: Duration,
) -> Result<Vec<Described>, RDKafkaErrorCode> {
    let names = topics.iter().map(|topic| CString::new(*topic).map_err(|_| RDKafkaErrorCode::InvalidTopic));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let mut names: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the client lives as long as the borrow of the consumer, and the names as long as the call that copies them; what
    // is made here is destroyed here, the event after everything that was read from it. An error that is null is left alone.
    unsafe {
        let client = consumer.client().native_ptr();
        let queue = sys::rd_kafka_queue_new(client);
        let options =
            sys::rd_kafka_AdminOptions_new(client, sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        sys::rd_kafka_error_destroy(sys::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1));
        let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        sys::rd_kafka_DescribeTopics(client, topics, options, queue);
        let event = sys::rd_kafka_queue_poll(queue, patience.as_millis() as i32);
        let answer = answered(event);
        if !event.is_null() {
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_TopicCollection_destroy(topics);
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_queue_destroy(queue);
        answer
    }
}

/// Reads the answer.
///
/// # Safety
/// `event` is null, or an event that lives as long as the call.
unsafe fn answered(event: *mut sys::rd_kafka_event_t) -> Result<Vec<Described>, RDKafkaErrorCode> {
    if event.is_null() {
        return Err(RDKafkaErrorCode::OperationTimedOut);
    }
    // SAFETY: the event lives, and what is read from it lives as long; null is asked for.
    unsafe {
        let failed = RDKafkaErrorCode::from(sys::rd_kafka_event_error(event));
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        if failed != RDKafkaErrorCode::NoError || result.is_null() {
            return Err(failed);
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        Ok((0..count).map(|at| described(*topics.add(at))).collect())
    }
}

/// # Safety
/// The description lives as long as the call.
unsafe fn described(topic: *const sys::rd_kafka_TopicDescription_t) -> Described {
    // SAFETY: as promised by the caller; what is read from the description lives as long, and null is asked for.
    unsafe {
        let error = sys::rd_kafka_TopicDescription_error(topic);
        let code = if error.is_null() {
            RDKafkaErrorCode::NoError
        } else {
            RDKafkaErrorCode::from(sys::rd_kafka_error_code(error))
        };
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        let bits = |of: unsafe extern "C" fn(*const sys::rd_kafka_Uuid_t) -> i64| if id.is_null() { 0 } else { of(id) };
        let (most, least) =
            (bits(sys::rd_kafka_Uuid_most_significant_bits), bits(sys::rd_kafka_Uuid_least_significant_bits));
        let mut count = 0;
        let allowed = sys::rd_kafka_TopicDescription_authorized_operations(topic, &mut count);
        Described {
            name: CStr::from_ptr(sys::rd_kafka_TopicDescription_name(topic)).to_string_lossy().into_owned(),
            code,
            id: ((most, least) != (0, 0)).then(|| format!("{most:016x}{least:016x}")),
            allowed: (!allowed.is_null()).then(|| (0..count).map(|at| *allowed.add(at)).collect()),
        }
    }
}
