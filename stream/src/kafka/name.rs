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
use super::group::Fenced;
use crate::settings::Settings;
use crate::shutdown::Shutdown;

/// Fenced off again within so many sessions, it is somebody else, whatever the broker says.
const SESSIONS: u32 = 10;

/// The name of a member.
#[derive(Debug)]
pub(crate) struct Name {
    group: String,
    member: String,
    /// Member id of the newest assignment.
    id: Option<String>,
    fenced_at: Option<Instant>,
}

impl Name {
    pub(crate) fn new(group: &str, member: &str) -> Self {
        Name { group: group.to_owned(), member: member.to_owned(), id: None, fenced_at: None }
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

    /// Work has ended with an error: passes when a new client may go on under the name.
    ///
    /// # Errors
    /// The error itself, when it is another one, or when another process has the name.
    pub(crate) fn reclaim(
        &mut self,
        settings: &Settings,
        error: anyhow::Error,
        shutdown: &Shutdown,
    ) -> anyhow::Result<()> {
        let again = self.fenced_at.is_some_and(|at| at.elapsed() < settings.session_timeout * SESSIONS);
        if !error.is::<Fenced>() || again {
            return Err(error);
        }
        self.fenced_at = Some(Instant::now());
        let asking: BaseConsumer<Events> = client::create(&client::asking(&settings.connection))?;
        // Brokers that come back after an outage cannot say for a while.
        let groups = loop {
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
        tracing::info!(member = self.member, "the name was lost while this process stood still: joining anew");
        Ok(())
    }
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
    fn a_name_is_free_when_nobody_has_it_but_this_very_process() {
        let (ours, other) = ("a.0-6f1c2f7e-58b5-4d0a-9a0e-3f6a1d0b7c11", "a.0-11111111-58b5-4d0a-9a0e-3f6a1d0b7c11");
        let longer = "a.0-b-6f1c2f7e-58b5-4d0a-9a0e-3f6a1d0b7c11";
        assert!(free("a.0", Some(ours), [].into_iter()));
        assert!(free("a.0", Some(ours), [ours, longer].into_iter()));
        assert!(!free("a.0", Some(ours), [longer, other].into_iter()));
        assert!(!free("a.0", None, [other].into_iter()));
    }
}
