//! Whose a changelog is: the installation that writes it, and the very topic it has read.
//!
//! Topics have no prefix, so two installations on one cluster would write the same changelogs; and a topic that is deleted
//! and created again has its name and its offsets, but not its records. In both cases a stage would go on from a state that
//! is not about what it reads, and leave records out. So the changelog says what it is about.

use std::time::Duration;

use rdkafka::consumer::BaseConsumer;
use rdkafka::error::RDKafkaErrorCode;

use super::client::Events;
use super::described::describe;

/// How often whoever reads a topic asks which one it is. The client does not say when another one takes its place: it reads on there.
pub(crate) const ASKED_EVERY: Duration = Duration::from_secs(5);

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
    let described = describe(consumer, &[topic], patience)?.pop().ok_or(RDKafkaErrorCode::UnknownTopic)?;
    match described.code {
        RDKafkaErrorCode::TopicAuthorizationFailed => Ok(None),
        RDKafkaErrorCode::NoError => Ok(described.id),
        code => Err(code),
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
