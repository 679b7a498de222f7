//! What this user may do with topics, asked before work begins.
//!
//! Brokers that check ACLs refuse each thing where it is first tried, in words of their own: a topic that may not be described
//! looks as if there were none, and one that is not there where it is optional is done without. Asked beforehand they say at
//! once all that is missing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use rdkafka::bindings::rd_kafka_AclOperation_t as Operation;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::RDKafkaErrorCode;

use super::client::{self, ANSWER_TIMEOUT, Events};
use super::described::{Described, describe};
use crate::settings::Connection;

/// What ACLs call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    Read,
    Write,
}

/// Topics and what is done with them.
pub(crate) type Needs = BTreeSet<(String, Right)>;

/// Fails when the brokers say that something of this is not allowed. What they do not tell is left to those who try.
pub(crate) fn check(connection: &Connection, needs: &Needs) -> anyhow::Result<()> {
    let client: BaseConsumer<Events> = client::create(&client::asking(connection))?;
    let topics: Vec<&str> =
        needs.iter().map(|(topic, _)| topic.as_str()).collect::<BTreeSet<_>>().into_iter().collect();
    match describe(&client, &topics, ANSWER_TIMEOUT) {
        Ok(described) => {
            let missing = missing(needs, &described);
            ensure!(missing.is_empty(), "{}", remedy(&missing));
        }
        Err(error) => tracing::info!(%error, "brokers do not say what this user may do"),
    }
    Ok(())
}

/// What is needed and not allowed. A topic that does not exist is nobody's: somebody else says so.
fn missing(needs: &Needs, described: &[Described]) -> Needs {
    let topics: BTreeMap<&str, &Described> = described.iter().map(|topic| (topic.name.as_str(), topic)).collect();
    let refused = |(topic, right): &&(String, Right)| {
        let Some(topic) = topics.get(topic.as_str()) else { return false };
        let operation = match right {
            Right::Read => Operation::RD_KAFKA_ACL_OPERATION_READ,
            Right::Write => Operation::RD_KAFKA_ACL_OPERATION_WRITE,
        };
        match topic.code {
            RDKafkaErrorCode::TopicAuthorizationFailed => true,
            RDKafkaErrorCode::NoError => topic.allowed.as_ref().is_some_and(|allowed| !allowed.contains(&operation)),
            _ => false,
        }
    };
    needs.iter().filter(refused).cloned().collect()
}

fn remedy(missing: &Needs) -> String {
    let lacks: Vec<String> = missing.iter().map(|(topic, right)| format!("{right:?} on topic {topic}")).collect();
    format!("this user lacks {}. {}", lacks.join(", "), to_be_given("--operation READ_OR_WRITE --topic TOPIC"))
}

/// How an operator gives a right.
pub(crate) fn to_be_given(right: &str) -> String {
    format!(
        "`kafka-acls.sh --bootstrap-server BROKERS --add --allow-principal User:NAME {right}` gives it; deploy/RUNBOOK.md lists \
         all that each service needs"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_needed_and_not_allowed_is_named_at_once() {
        let topic = |name: &str, code, allowed: Option<&[Operation]>| Described {
            name: name.to_owned(),
            code,
            id: None,
            allowed: allowed.map(<[_]>::to_vec),
        };
        let (read, describe) = (Operation::RD_KAFKA_ACL_OPERATION_READ, Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE);
        let described = [
            topic("both", RDKafkaErrorCode::NoError, Some(&[read, describe])),
            topic("hidden", RDKafkaErrorCode::TopicAuthorizationFailed, None),
            topic("none", RDKafkaErrorCode::UnknownTopicOrPartition, None),
            topic("old", RDKafkaErrorCode::NoError, None),
        ];
        let needs = [
            ("both", Right::Read),
            ("both", Right::Write),
            ("hidden", Right::Read),
            ("none", Right::Read),
            ("old", Right::Write),
        ];
        let missing = missing(&needs.map(|(topic, right)| (topic.to_owned(), right)).into(), &described);
        assert!(
            remedy(&missing).starts_with("this user lacks Write on topic both, Read on topic hidden. `kafka-acls.sh")
        );
    }
}
