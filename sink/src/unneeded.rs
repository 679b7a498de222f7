//! Which files of a table nobody needs any more. Pure: what is stored and what the log says in, what to delete out.

use std::collections::{HashMap, HashSet};

use object_store::path::Path;
use schemas::Timestamp;

use crate::log::EVENT_DATE;

/// Data files that have not been part of the table since `before`: those the log says were removed earlier, and those
/// it does not know that were written earlier (a crash, or a lost merge, left them).
///
/// What is live stays, whatever its age; so does what is younger, as a query may read it or a writer be about to commit
/// it; so does everything that is not a data file.
pub(crate) fn unneeded(
    stored: Vec<(Path, Timestamp)>,
    live: &HashSet<Path>,
    removed: &HashMap<Path, Timestamp>,
    before: Timestamp,
) -> Vec<Path> {
    let out_of_use_since = |path: &Path, written_at| removed.get(path).copied().unwrap_or(written_at);
    let doomed = stored.into_iter().filter(|(path, written_at)| {
        is_data_file(path) && !live.contains(path) && out_of_use_since(path, *written_at) < before
    });
    doomed.map(|(path, _)| path).collect()
}

fn is_data_file(path: &Path) -> bool {
    let in_partition = path
        .parts()
        .next()
        .is_some_and(|folder| folder.as_ref().strip_prefix(EVENT_DATE).is_some_and(|rest| rest.starts_with('=')));
    in_partition && path.extension() == Some("parquet")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each a file, when it was written, and when it was removed, if it was; in days.
    fn check(files: &[(&str, i64, Option<i64>)], live: &[&str], before: i64, doomed: &[&str]) {
        let day = |day: i64| Timestamp::from_micros(day * 86_400_000_000);
        let path = |name: &str| Path::from(name);
        let stored = files.iter().map(|(name, written, _)| (path(name), day(*written))).collect();
        let removed = files.iter().filter_map(|(name, _, removed)| Some((path(name), day((*removed)?)))).collect();
        let live = live.iter().map(|name| path(name)).collect();
        let expected: Vec<Path> = doomed.iter().map(|name| path(name)).collect();
        assert_eq!(unneeded(stored, &live, &removed, day(before)), expected);
    }

    #[test]
    fn the_removal_counts_and_not_the_age_of_the_contents() {
        let files = [
            ("event_date=2026-01-01/long-ago.parquet", 1, Some(9)),
            ("event_date=2026-01-01/at-the-bound.parquet", 1, Some(10)),
            ("event_date=2026-01-01/lately.parquet", 1, Some(11)),
        ];
        check(&files, &[], 10, &["event_date=2026-01-01/long-ago.parquet"]);
    }

    #[test]
    fn what_the_log_does_not_know_goes_by_its_own_age_and_what_is_live_stays() {
        let files = [
            ("event_date=2026-01-01/left-by-a-crash.parquet", 9, None),
            ("event_date=2026-01-01/about-to-be-committed.parquet", 10, None),
            ("event_date=2026-01-01/live.parquet", 1, None),
            // Restored by an operator: removed once, and part of the table again.
            ("event_date=2026-01-01/live-again.parquet", 1, Some(2)),
        ];
        let live = ["event_date=2026-01-01/live.parquet", "event_date=2026-01-01/live-again.parquet"];
        check(&files, &live, 10, &["event_date=2026-01-01/left-by-a-crash.parquet"]);
    }

    #[test]
    fn what_is_no_data_file_is_never_touched() {
        let files = [
            ("_delta_log/00000000000000000000.json", 1, None),
            ("_delta_log/00000000000000000050.checkpoint.parquet", 1, None),
            ("_change_data/event_date=2026-01-01/changes.parquet", 1, None),
            ("README.md", 1, None),
            ("mine.parquet", 1, None),
            ("event_dates/mine.parquet", 1, None),
            ("event_date=2026-01-01/deletion_vector_1.bin", 1, None),
        ];
        check(&files, &[], 10, &[]);
    }
}
