//! What the key of a front-door request binds its records to. The door writes it into headers of the raw record, so that
//! it holds whenever the record is decoded, also when the key is long gone.

use std::borrow::Cow;

use bytes::Bytes;
use schemas::Flag;

use crate::envelope::Envelope;
use crate::item::RawRecord;
use crate::keys::{ANY_TEAM, Key};

/// Headers of the door. Nobody else's request can set them: of a request's own headers only `ce-*` and `spend-format`
/// are passed on.
const SOURCE: &str = "spend-door-source";
const TEAMS: &str = "spend-door-teams";
const KEY: &str = "spend-door-key";

/// The headers of a record that came with this key.
pub(crate) fn headers(key: &Key) -> Vec<(String, Bytes)> {
    let header = |name: &str, value: String| (name.to_owned(), Bytes::from(value));
    vec![
        header(SOURCE, key.source.to_string()),
        header(TEAMS, key.teams.join(",")),
        // Read by nobody here; says afterwards what a stolen key has sent.
        header(KEY, key.id.to_string()),
    ]
}

/// What a record is bound to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound<'r> {
    source: &'r str,
    teams: &'r str,
}

impl<'r> Bound<'r> {
    pub(crate) fn of(record: &RawRecord<'r>) -> Option<Self> {
        let source = record.header(SOURCE)?;
        Some(Bound { source, teams: record.header(TEAMS).unwrap_or_default() })
    }

    /// Puts the stated source beneath the key's, so that nobody can amend or hide what another source has sent, and two
    /// senders behind one key cannot hide each other's events. Takes away a claimed team the key may not claim, and flags
    /// it: the money is counted all the same, and nobody else pays for it. True when it did.
    #[must_use]
    pub(crate) fn bind(self, envelope: &mut Envelope<'_>) -> bool {
        let beneath = |stated: &str| {
            stated.strip_prefix(self.source).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match &envelope.source {
            Some(stated) if beneath(stated) => {}
            Some(stated) => envelope.source = Some(Cow::Owned(format!("{}/{stated}", self.source))),
            None => envelope.source = Some(Cow::Owned(self.source.to_owned())),
        }
        let allowed = |team: &str| self.teams.split(',').any(|allowed| allowed == ANY_TEAM || allowed == team);
        let taken = envelope.claimed.team.take_if(|team| !allowed(team)).is_some();
        if taken {
            envelope.flags.set(Flag::TagsDropped);
        }
        taken
    }
}
