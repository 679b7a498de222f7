//! Whose a changelog is: the installation that writes it, and the very topic it has read.
//!
//! Topics have no prefix, so two installations on one cluster would write the same changelogs; and a topic that is deleted
//! and created again has its name and its offsets, but not its records. In both cases a stage would go on from a state that
//! is not about what it reads, and leave records out. So the changelog says what it is about.

use std::ffi::CString;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use super::client::Events;

/// What a changelog is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The installation, `--environment`.
    pub(crate) environment: String,
    /// Id of the input topic; `None` where brokers give none.
    pub(crate) topic: Option<String>,
}

impl Origin {
    /// As it stands in the changelog. Names of environments have no spaces.
    pub(crate) fn encode(&self) -> String {
        format!("{} {}", self.environment, self.topic.as_deref().unwrap_or_default())
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let (environment, topic) = text.split_once(' ')?;
        let topic = (!topic.is_empty()).then(|| topic.to_owned());
        Some(Origin { environment: environment.to_owned(), topic })
    }

    /// Why state of this origin is of no use to who reads the topic `name` as `ours`; `None` when it is.
    pub(crate) fn unusable(&self, ours: &Origin, name: &str) -> Option<String> {
        if self.environment != ours.environment {
            return Some(format!(
                "its changelog is written by the environment {:?}, and this is {:?}. Topics have no prefix, so a cluster has room \
                 for one installation: start with --environment {}",
                self.environment, ours.environment, self.environment
            ));
        }
        let (kept, found) = (self.topic.as_ref()?, ours.topic.as_ref()?);
        (kept != found).then(|| {
            format!(
                "{name} was deleted and created again: what was read of the old one would be taken for read in the new one. \
                 Where it was made anew on purpose, give it another name and let the service read that: a topic of its own \
                 begins at its first record"
            )
        })
    }
}

/// The id of a topic. `None` where brokers give none, or do not tell who may not describe it.
///
/// # Errors
/// When no answer comes in time.
pub(crate) fn topic_id(
    consumer: &BaseConsumer<Events>,
    topic: &str,
    patience: Duration,
) -> Result<Option<String>, RDKafkaErrorCode> {
    let name = CString::new(topic).map_err(|_| RDKafkaErrorCode::InvalidTopic)?;
    // SAFETY: the client lives as long as the borrow of the consumer, and the name as long as the call that copies it; what
    // is made here is destroyed here, the event after everything that was read from it.
    unsafe {
        let client = consumer.client().native_ptr();
        let queue = sys::rd_kafka_queue_new(client);
        let mut names = [name.as_ptr()];
        let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        sys::rd_kafka_DescribeTopics(client, topics, std::ptr::null(), queue);
        let event = sys::rd_kafka_queue_poll(queue, patience.as_millis() as i32);
        let id = described(event);
        if !event.is_null() {
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_TopicCollection_destroy(topics);
        sys::rd_kafka_queue_destroy(queue);
        id
    }
}

/// Reads the answer about one topic.
///
/// # Safety
/// `event` is null, or an event that lives as long as the call.
unsafe fn described(event: *mut sys::rd_kafka_event_t) -> Result<Option<String>, RDKafkaErrorCode> {
    if event.is_null() {
        return Err(RDKafkaErrorCode::OperationTimedOut);
    }
    // SAFETY: the event lives, and what is read from it lives as long; null is asked for.
    let (code, id) = unsafe {
        let failed = RDKafkaErrorCode::from(sys::rd_kafka_event_error(event));
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        if failed != RDKafkaErrorCode::NoError || result.is_null() {
            return Err(failed);
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if count != 1 {
            return Err(RDKafkaErrorCode::UnknownTopic);
        }
        let described = *topics;
        let error = sys::rd_kafka_TopicDescription_error(described);
        let code = if error.is_null() {
            RDKafkaErrorCode::NoError
        } else {
            RDKafkaErrorCode::from(sys::rd_kafka_error_code(error))
        };
        let id = sys::rd_kafka_TopicDescription_topic_id(described);
        let bits = |of: unsafe extern "C" fn(*const sys::rd_kafka_Uuid_t) -> i64| if id.is_null() { 0 } else { of(id) };
        (code, (bits(sys::rd_kafka_Uuid_most_significant_bits), bits(sys::rd_kafka_Uuid_least_significant_bits)))
    };
    match (code, id) {
        (RDKafkaErrorCode::TopicAuthorizationFailed, _) | (RDKafkaErrorCode::NoError, (0, 0)) => Ok(None),
        (RDKafkaErrorCode::NoError, (most, least)) => Ok(Some(format!("{most:016x}{least:016x}"))),
        (code, _) => Err(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(environment: &str, topic: Option<&str>) -> Origin {
        Origin { environment: environment.to_owned(), topic: topic.map(str::to_owned) }
    }

    #[test]
    fn it_comes_back_as_it_was_written() {
        for origin in [origin("prod", Some("00ff")), origin("dev-2", None)] {
            assert_eq!(Origin::decode(&origin.encode()), Some(origin));
        }
        assert_eq!(Origin::decode("prod"), None);
    }

    #[test]
    fn state_of_another_installation_or_of_another_topic_of_the_name_is_of_no_use() {
        let ours = origin("prod", Some("1"));
        let unusable = |kept: Origin| kept.unusable(&ours, "usage.raw");
        assert_eq!(unusable(ours.clone()), None);
        assert_eq!(unusable(origin("prod", None)), None, "written by brokers that gave no ids");
        assert_eq!(origin("prod", Some("1")).unusable(&origin("prod", None), "usage.raw"), None);
        assert!(unusable(origin("dev", Some("1"))).unwrap().contains("--environment dev"));
        assert!(unusable(origin("prod", Some("2"))).unwrap().contains("usage.raw was deleted and created again"));
    }
}
