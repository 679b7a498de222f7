//! Which small files become one. Pure: files in, groups out.

/// Files below this size count as one size: opening a file costs more than reading that much.
const TIER_BYTES: u64 = 64 * 1024;

/// Files of one tier are within this factor of each other.
const TIER_FACTOR: u64 = 8;

/// On a day that is still written, this many files of a tier are merged: each byte is rewritten about once a tier.
const TIER_FILES: usize = 8;

/// Most files merged into one: all of them are open at once.
const INPUTS_MAX: usize = 32;

/// Days after which a day is settled and all its small files are merged, however few they are.
const SETTLED_DAYS: i32 = 2;

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DataFile {
    /// Day, since 1970.
    pub day: i32,
    pub path: String,
    pub bytes: u64,
}

/// The groups of files to merge, each within one day and of at least two files.
///
/// A file of half the target size or more is left alone, so a file is rewritten only a few times in its life, and
/// merging until nothing is left to merge ends.
pub(crate) fn plan(mut files: Vec<DataFile>, today: i32, target_bytes: u64) -> Vec<Vec<DataFile>> {
    files.retain(|file| file.bytes < target_bytes / 2);
    // Without an order of their own, two runs over the same table could not be compared.
    let class = |file: &DataFile| if file.day + SETTLED_DAYS <= today { 0 } else { tier(file.bytes) };
    files.sort_by(|a, b| (a.day, class(a), &a.path).cmp(&(b.day, class(b), &b.path)));
    let mut groups = Vec::new();
    for alike in files.chunk_by(|a, b| (a.day, class(a)) == (b.day, class(b))) {
        let settled = alike.first().is_some_and(|file| file.day + SETTLED_DAYS <= today);
        let least = if settled { 2 } else { TIER_FILES };
        let mut group: Vec<DataFile> = Vec::new();
        let mut bytes = 0;
        let mut close = |group: &mut Vec<DataFile>, full: bool| {
            let enough = group.len() >= if full { 2 } else { least };
            let closed = std::mem::take(group);
            if enough {
                groups.push(closed);
            }
        };
        for file in alike {
            if group.len() == INPUTS_MAX || bytes + file.bytes > target_bytes {
                close(&mut group, true);
                bytes = 0;
            }
            bytes += file.bytes;
            group.push(file.clone());
        }
        close(&mut group, false);
    }
    groups
}

fn tier(bytes: u64) -> u32 {
    1 + (bytes / TIER_BYTES).checked_ilog(TIER_FACTOR).map_or(0, |tier| tier + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: u64 = 64 << 20;
    const TODAY: i32 = 20_000;

    fn files(day: i32, count: usize, bytes: u64) -> Vec<DataFile> {
        (0..count).map(|number| DataFile { day, path: format!("{day}/{bytes}-{number:04}"), bytes }).collect()
    }

    fn sizes(files: Vec<DataFile>) -> Vec<usize> {
        plan(files, TODAY, TARGET).iter().map(Vec::len).collect()
    }

    #[test]
    fn today_waits_for_eight_alike_and_settled_days_for_two() {
        assert_eq!(sizes(files(TODAY, 7, 1000)), [0; 0]);
        assert_eq!(sizes(files(TODAY, 8, 1000)), [8]);
        assert_eq!(sizes(files(TODAY - 2, 2, 1000)), [2]);
        assert_eq!(sizes(files(TODAY - 2, 1, 1000)), [0; 0]);
        let unlike = [files(TODAY, 7, 1000), files(TODAY, 7, 1 << 20)].concat();
        assert_eq!(sizes(unlike), [0; 0]);
    }

    #[test]
    fn days_stay_apart_and_large_files_alone() {
        assert_eq!(sizes([files(TODAY - 2, 3, 1000), files(TODAY - 3, 4, 1000)].concat()), [4, 3]);
        assert_eq!(sizes(files(TODAY - 9, 5, TARGET / 2)), [0; 0]);
        // Seven of 10 MiB would pass 64 MiB.
        assert_eq!(sizes(files(TODAY - 9, 7, 10 << 20)), [6]);
        assert_eq!(sizes(files(TODAY - 9, 70, 1000)), [32, 32, 6]);
    }

    #[test]
    fn merging_ends_and_rewrites_each_byte_a_few_times() {
        // A day of one-minute files of 40 KiB, compacted after every sixteenth.
        let mut table: Vec<DataFile> = Vec::new();
        let (mut written, mut rewritten, mut number) = (0, 0, 0);
        for _ in 0..90 {
            let new = files(TODAY, 16, 40 << 10).into_iter().map(|file| {
                number += 1;
                DataFile { path: format!("{number:06}"), ..file }
            });
            table.extend(new);
            written += 16 * (40 << 10);
            for _ in 0..10 {
                for group in plan(table.clone(), TODAY, TARGET) {
                    let bytes: u64 = group.iter().map(|file| file.bytes).sum();
                    assert!(bytes <= TARGET);
                    table.retain(|file| !group.contains(file));
                    number += 1;
                    table.push(DataFile { day: TODAY, path: format!("{number:06}"), bytes });
                    rewritten += bytes;
                }
            }
            assert!(plan(table.clone(), TODAY, TARGET).is_empty(), "no end");
        }
        assert!(table.len() < 30, "{} files are left", table.len());
        assert!(rewritten < 4 * written, "{rewritten} bytes rewritten for {written}");
    }
}
