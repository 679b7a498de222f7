//! Clients that believe what is not so.
//!
//! A broker that was fenced off for a moment, or has just come back, may answer that there is no such topic. librdkafka (2.12) then
//! takes the topic for gone: whatever it is told within the next half minute it does not believe, and after that it asks nobody until it
//! looks at all its topics again. Until then it answers each question about a partition by itself, and fetches nothing. So whoever gets
//! no answer for long has another client asked, and where that one is answered the first is replaced. Where nobody is answered it is the
//! brokers that are away, and waiting is right: a lane that is given up has its state to read again.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::client::{self, Events};
use super::{group, origin};
use crate::settings::Connection;

/// A client may give no answer for so long before it is doubted.
const PATIENCE: Duration = Duration::from_secs(15);

/// A client that says that there is more than it has fetched may fetch nothing for so long: brokers that keep it to a quota do not
/// answer for a while.
const FETCH_PATIENCE: Duration = Duration::from_secs(60);

/// A partition of which nothing has come for so long is asked about, so often: an idle one, or one of which the client knows nothing.
const LISTEN_EVERY: Duration = Duration::from_secs(5);

/// Longest wait for the answer: others are held up by it. Who is too slow for it is given more before it is doubted.
pub(crate) const LISTEN_TIMEOUT: Duration = Duration::from_millis(250);

/// Each time it is doubted in vain the next is twice as far away, this often.
const DOUBLINGS_MAX: u32 = 4;

/// How long a client that is doubted, and the one that is asked instead, are given for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How long a client has given no answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Silence {
    patience: Duration,
    since: Option<Instant>,
    doublings: u32,
}

impl Default for Silence {
    fn default() -> Self {
        Silence::of(PATIENCE)
    }
}

impl Silence {
    /// One that is borne for so long.
    pub(crate) const fn of(patience: Duration) -> Self {
        Silence { patience, since: None, doublings: 0 }
    }

    /// It has answered.
    pub(crate) fn ends(&mut self) {
        (self.since, self.doublings) = (None, 0);
    }

    /// It was asked, and has not answered. True when something is to be done about it: then not again for twice as long.
    pub(crate) fn goes_on(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        if now.duration_since(since) < self.patience * 2u32.pow(self.doublings) {
            return false;
        }
        (self.since, self.doublings) = (Some(now), (self.doublings + 1).min(DOUBLINGS_MAX));
        true
    }
}

/// What a reader hears of one of its partitions from its client.
#[derive(Debug)]
pub(crate) struct Hearing {
    /// When something of it came, or it was asked about.
    heard_at: Instant,
    /// How long the client says nothing about it.
    silence: Silence,
    /// How long the client fetches nothing of it that it says is there.
    unfetched: Silence,
}

impl Default for Hearing {
    fn default() -> Self {
        Hearing { heard_at: Instant::now(), silence: Silence::default(), unfetched: Silence::of(FETCH_PATIENCE) }
    }
}

impl Hearing {
    /// The client has given something of it.
    pub(crate) fn heard(&mut self) {
        *self = Hearing::default();
    }

    /// It could not be put to its position. True when the client is to be doubted for it.
    pub(crate) fn refused(&mut self) -> bool {
        self.silence.goes_on(Instant::now())
    }

    /// True when nothing has come of it for a while.
    pub(crate) fn is_quiet(&self) -> bool {
        self.heard_at.elapsed() > LISTEN_EVERY
    }

    /// Asks whether the client is still told of it, and fetches what there is. True when the client is to be doubted.
    ///
    /// # Errors
    /// [`Deaf`] when it has long fetched nothing of what it says there is.
    pub(crate) fn listen(
        &mut self,
        client: &BaseConsumer<Events>,
        who: &str,
        topic: &str,
        partition: i32,
    ) -> Result<bool, Deaf> {
        let now = Instant::now();
        self.heard_at = now;
        match client.fetch_watermarks(topic, partition, LISTEN_TIMEOUT) {
            Ok((_, end)) => {
                self.silence.ends();
                if group::known_end(client, topic, partition).is_some_and(|known| end <= known) {
                    self.unfetched.ends();
                } else if self.unfetched.goes_on(now) {
                    let what = format!("the records of {topic}/{partition} that it says there are");
                    return Err(Deaf { who: who.to_owned(), what });
                }
                Ok(false)
            }
            Err(error) => {
                tracing::debug!(who, topic, partition, %error, "no answer about an idle partition");
                Ok(self.silence.goes_on(now))
            }
        }
    }
}

/// Whether it was said that there is no such topic or partition, by the brokers or by the client, which may believe so.
pub(crate) fn is_denial(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownPartition | RDKafkaErrorCode::UnknownTopicOrPartition
    )
}

/// What a client is asked.
#[derive(Debug)]
pub(crate) enum Question<'a> {
    /// Where a partition begins and ends.
    Range(&'a str, i32),
    /// Where a group is in some partitions.
    Offsets(&'a TopicPartitionList),
    /// Which topic has a name.
    Topic(&'a str),
}

impl std::fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Question::Range(topic, partition) => write!(f, "where {topic}/{partition} begins and ends"),
            Question::Offsets(_) => f.write_str("the offsets of its group"),
            Question::Topic(topic) => write!(f, "the id of {topic}"),
        }
    }
}

/// A client is told less than another.
#[derive(Debug, thiserror::Error)]
#[error("the client of {who} is not told {what}, and another client is")]
pub(crate) struct Deaf {
    who: String,
    what: String,
}

fn answers(client: &BaseConsumer<Events>, question: &Question<'_>) -> bool {
    match *question {
        Question::Range(topic, partition) => client.fetch_watermarks(topic, partition, ANSWER_MAX).is_ok(),
        Question::Offsets(list) => client
            .committed_offsets(list.clone(), ANSWER_MAX)
            .is_ok_and(|list| list.elements().iter().all(|element| element.error().is_ok())),
        Question::Topic(topic) => origin::topic_id(client, topic, ANSWER_MAX).is_ok(),
    }
}

/// Doubts a client that has given no answer for long. It is asked once more, then another one of the same group.
///
/// # Errors
/// [`Deaf`] when only the other one gets an answer.
pub(crate) fn doubt(
    client: &BaseConsumer<Events>,
    connection: &Connection,
    group: &str,
    who: &str,
    question: &Question<'_>,
) -> anyhow::Result<()> {
    if answers(client, question) {
        return Ok(());
    }
    if answers(&client::create(&client::observer(connection, group, true))?, question) {
        return Err(Deaf { who: who.to_owned(), what: question.to_string() }.into());
    }
    tracing::info!(who, "not told {question}, and another client is told as little: the brokers are waited for");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_doubted_ever_more_rarely_and_from_the_beginning_once_it_was_broken() {
        let began = Instant::now();
        let mut silence = Silence::default();
        let doubted = |silence: &mut Silence, from: u64, to: u64| {
            let doubts = |at: &u64| silence.goes_on(began + Duration::from_secs(*at));
            (from..to).filter(doubts).map(|at| at - from).collect::<Vec<_>>()
        };
        assert_eq!(doubted(&mut silence, 0, 1_000), [15, 45, 105, 225, 465, 705, 945]);
        silence.ends();
        assert_eq!(doubted(&mut silence, 2_000, 2_050), [15, 45]);
    }
}
