//! How often partitions commit their books when no records come.

use std::time::Duration;

/// While there is work: watermarks and the ledger move on, and processors may emit.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// When there is none: every second for ever would be gigabytes a day.
const WHEN_QUIET: Duration = Duration::from_secs(10);

/// Nothing but heartbeats for this long is quiet.
const QUIET_AFTER: Duration = Duration::from_secs(60);

/// How often, when nothing but heartbeats has moved for so long.
pub(crate) fn after(quiet_for: Duration) -> Duration {
    if quiet_for > QUIET_AFTER { WHEN_QUIET } else { EVERY }
}
