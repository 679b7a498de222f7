//! The name under which a group knows a member over restarts (`group.instance.id`), and who has it.
//!
//! A client that has heard nothing for as long as its session lasts forgets its member id and asks again without one,
//! under the name alone. Where the broker's clock for the session ends later than the client's (an offset commit renews
//! the broker's alone), the name still belongs to the forgotten id: the broker answers that somebody else has it, and
//! the client is finished. That somebody is this very process before it stood still.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use super::client::{self, ANSWER_TIMEOUT, Events};
use super::doubt::Deaf;
use super::group::Fenced;
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::telemetry::Telemetry;

/// Losses of the name are counted within so many sessions.
const SESSIONS: u32 = 10;

/// Losses after which it is given up, though the broker knows of nobody else: two processes of one name may each miss the other.
const LOSSES_MAX: u32 = 5;

/// The name of a member.
#[derive(Debug)]
pub(crate) struct Name {
    group: String,
    member: String,
    /// Member id of the newest assignment.
    id: Option<String>,
    /// When the name was lost for the first of these times, and how often.
    losses: Option<(Instant, u32)>,
}

impl Name {
    pub(crate) fn new(group: &str, member: &str) -> Self {
        Name { group: group.to_owned(), member: member.to_owned(), id: None, losses: None }
    }

    /// The group it is a member of.
    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    /// A client of that name. It joins when it subscribes.
    pub(crate) fn client(&self, settings: &Settings) -> anyhow::Result<BaseConsumer<Events>> {
        client::create(&client::member(settings, &self.group, &self.member))
    }

    /// Partitions were assigned: notes the member id.
    pub(crate) fn assigned(&mut self, consumer: &BaseConsumer<Events>) {
        // SAFETY: the client lives as long as the borrow; the string is copied and given back to the library.
        self.id = unsafe {
            let id = sys::rd_kafka_memberid(consumer.client().native_ptr());
            if id.is_null() {
                return;
            }
            let copy = std::ffi::CStr::from_ptr(id).to_string_lossy().into_owned();
            sys::rd_kafka_mem_free(std::ptr::null_mut(), id.cast());
            Some(copy)
        };
    }

    /// Work of a stage or table has ended with an error: passes when a new client may go on under the name, from what is committed.
    ///
    /// # Errors
    /// The error itself, when it is another one, or when another process has the name; and when it is lost again and again.
    pub(crate) fn reclaim(
        &mut self,
        settings: &Settings,
        telemetry: &Telemetry,
        who: &str,
        error: anyhow::Error,
        shutdown: &Shutdown,
    ) -> anyhow::Result<()> {
        if let Some(deaf) = error.downcast_ref::<Deaf>() {
            tracing::warn!(who, "{deaf}: joining anew with a new one");
            telemetry.client_replaced(who);
            return Ok(());
        }
        if !error.is::<Fenced>() {
            return Err(error);
        }
        let within = settings.session_timeout * SESSIONS;
        let (since, losses) = lost_again(self.losses, within, Instant::now());
        self.losses = Some((since, losses));
        if losses > LOSSES_MAX {
            return Err(error).with_context(|| {
                let (member, timeout) = (&self.member, settings.session_timeout);
                format!(
                    "{member} lost its place in the group {losses} times within {within:?}: two processes run under this name, or the \
                     brokers do not answer within --session-timeout ({timeout:?})"
                )
            });
        }
        // Brokers that come back after an outage cannot say for a while.
        let groups = loop {
            let asking: BaseConsumer<Events> = client::create(&client::asking(&settings.connection))?;
            match asking.fetch_group_list(Some(&self.group), ANSWER_TIMEOUT) {
                Ok(groups) => break groups,
                Err(refused) if refused.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {
                    return Err(refused).context("ask who is in the group");
                }
                Err(error) => {
                    tracing::info!(member = self.member, %error, "cannot ask yet who is in the group");
                    if shutdown.wait(Duration::from_secs(1)) {
                        return Ok(());
                    }
                }
            }
        };
        let members = groups.groups().iter().flat_map(|group| group.members());
        let members: Vec<String> = members.map(|member| member.id().to_owned()).collect();
        if !free(&self.member, self.id.as_deref(), members.iter().map(String::as_str)) {
            return Err(error);
        }
        tracing::warn!(member = self.member, losses, "the group took this member for gone: joining anew");
        Ok(())
    }
}

/// Counts a loss of the name: one more of those within this time, or the first again.
fn lost_again(before: Option<(Instant, u32)>, within: Duration, now: Instant) -> (Instant, u32) {
    let recent = before.filter(|(since, _)| now.duration_since(*since) < within);
    recent.map_or((now, 1), |(since, losses)| (since, losses + 1))
}

/// Whether nobody else has a name. Brokers make the id of a named member from its name and something unique.
fn free<'a>(name: &str, ours: Option<&str>, mut members: impl Iterator<Item = &'a str>) -> bool {
    let named = |id: &str| id.strip_prefix(name).is_some_and(|rest| rest.starts_with('-') && rest.len() == 37);
    members.all(|id| !named(id) || Some(id) == ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_counted_within_a_time_and_begin_anew_behind_it() {
        let (within, first) = (Duration::from_secs(100), Instant::now());
        let at = |seconds| first + Duration::from_secs(seconds);
        let mut losses = None;
        for (seconds, expected) in [(0, 1), (50, 2), (99, 3), (100, 1), (150, 2)] {
            losses = Some(lost_again(losses, within, at(seconds)));
            assert_eq!(losses.map(|(_, losses)| losses), Some(expected), "after {seconds} seconds");
        }
    }

    #[test]
    fn a_name_is_free_when_nobody_has_it_but_this_very_process() {
        let (ours, other) = ("a.0-6f1c2f7e-58b5-4d0a-9a0e-3f6a1d0b7c11", "a.0-11111111-58b5-4d0a-9a0e-3f6a1d0b7c11");
        let longer = "a.0-b-6f1c2f7e-58b5-4d0a-9a0e-3f6a1d0b7c11";
        assert!(free("a.0", Some(ours), [].into_iter()));
        assert!(free("a.0", Some(ours), [ours, longer].into_iter()));
        assert!(!free("a.0", Some(ours), [longer, other].into_iter()));
        assert!(!free("a.0", None, [other].into_iter()));
    }
}
