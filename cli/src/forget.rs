//! The keys that users are pseudonymised with: made once, and destroyed user by user.

use anyhow::{Context, ensure};
use ingest::users::{Forgotten, Keys, ROOT_BYTES, Users};
use schemas::topics::{REF_USERS, SECRETS_GONE_WITHIN};
use stream::Log;
use stream::log::{destroy_superseded, reference_items, replace_rows};
use stream::reference::ReferenceSink;

/// How often a change is decided anew when others have changed the keys meanwhile.
const ATTEMPTS_MAX: usize = 20;

/// What became of the users that were to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Buckets that were full and began anew.
    pub renewed: usize,
    /// Whether the log was seen without the destroyed keys.
    pub gone: bool,
}

/// The keys as they stand, and where their topic ends.
fn read(log: &dyn Log) -> anyhow::Result<(Option<Keys>, i64)> {
    ensure!(
        log.partitions(REF_USERS)?.is_some(),
        "there is no topic {REF_USERS}: create it with `spendstream topics apply`, or start `spendstream up` of this release \
         on the data folder"
    );
    let users = Users::default();
    let (items, end) = reference_items(log, REF_USERS, 0).with_context(|| format!("read {REF_USERS}"))?;
    users.apply(items).with_context(|| format!("read {REF_USERS}"))?;
    Ok((users.keys().map(|keys| (*keys).clone()), end))
}

/// Fresh randomness of the system's.
fn root() -> anyhow::Result<[u8; ROOT_BYTES]> {
    let mut root = [0; ROOT_BYTES];
    getrandom::fill(&mut root).context("ask the system for random bytes")?;
    Ok(root)
}

fn new_keys() -> anyhow::Result<Keys> {
    let mut failed = None;
    let keys = Keys::new(|| {
        root().unwrap_or_else(|error| {
            failed = Some(error);
            Default::default()
        })
    });
    failed.map_or(Ok(keys), Err)
}

/// Makes the keys where there are none; true when it did.
///
/// # Errors
/// When the topic is missing, the log cannot be read or written, or the system gives no randomness.
pub fn make_keys(log: &dyn Log) -> anyhow::Result<bool> {
    let (known, end) = read(log)?;
    if known.is_some() {
        return Ok(false);
    }
    // Whoever else has made them meanwhile has made them for all.
    replace_rows(log, REF_USERS, end, new_keys()?.rows(None))
}

/// Destroys the keys of users, and waits until they are gone from the log.
///
/// # Errors
/// As [`make_keys`]. No user is named.
pub fn forget(log: &dyn Log, users: &[String]) -> anyhow::Result<Outcome> {
    for _ in 0..ATTEMPTS_MAX {
        let (known, end) = read(log)?;
        let mut keys = match &known {
            Some(known) => known.clone(),
            None => new_keys()?,
        };
        let mut renewed = 0;
        for user in users {
            renewed += usize::from(keys.forget(user, root()?) == Forgotten::WithBucket);
        }
        // Decided by what was read: were it written after somebody else's change, it would bring back what that destroyed.
        if replace_rows(log, REF_USERS, end, keys.rows(known.as_ref()))? {
            let gone = destroy_superseded(log, REF_USERS, SECRETS_GONE_WITHIN)?;
            return Ok(Outcome { renewed, gone });
        }
    }
    anyhow::bail!("others change the keys of users all the time, so nothing was forgotten: run this again")
}
