//! Vacuum deletes: exactly what was replaced or left behind longer ago than the retention, on a folder and on S3.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use schemas::Timestamp;
use sink::read::Days;
use sink::{Lake, LakeConfig, LakeReader, Maintenance};
use spendstream_tests::s3::Fault;

use crate::ground::Ground;
use crate::sample::{Sample, drive_table, held};

const DAY: u64 = 86_400;

/// So many days from now; negative is ago.
fn days(number: i64) -> Timestamp {
    stream::now().plus_seconds(number * DAY as i64)
}

fn maintenance(lake: &Lake, after_days: u64) -> Maintenance {
    let lake_vacuum_after = Duration::from_secs(after_days * DAY);
    Maintenance::new(lake, &LakeConfig { lake_vacuum_after, ..LakeConfig::at("unused") })
}

/// Data files of a table, and everything else in its folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let (mut names, mut folders) = (BTreeSet::new(), vec![folder.to_owned()]);
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).expect("the table has a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                names.insert(path.strip_prefix(folder).expect("within it").display().to_string());
            }
        }
    }
    names.into_iter().filter(|name| !name.starts_with("_delta_log")).collect()
}

/// Makes files look as if they were written so many days ago: an age of contents that must not matter.
fn age<'a>(folder: &Path, names: impl IntoIterator<Item = &'a String>, days: u64) {
    let at = SystemTime::now() - Duration::from_secs(days * DAY);
    for name in names {
        let file = std::fs::File::options().write(true).open(folder.join(name)).expect("the file is there");
        file.set_modified(at).expect("its time can be set");
    }
}

#[test]
fn vacuum_deletes_exactly_what_has_been_out_of_use_for_the_retention() {
    for ground in Ground::both() {
        let (lake, sample, folder) = (ground.lake(), Sample::of(2, 4, 2), ground.file("charges"));
        let maintenance = maintenance(&lake, 7);
        // Half was written and merged eight days ago; the rest was written, and all merged again, six days ago.
        drive_table(&lake, "charges", &sample.first(2), 1).expect("the table can be written");
        let replaced_long_ago = files(&folder);
        assert!(maintenance.compact("charges", days(-8)).expect("files are merged").replaced >= 4);
        drive_table(&lake, "charges", &sample, 1).expect("the table can be written");
        let reader = LakeReader::new(&lake).charges(&["charge_id"], Days::ALL).expect("the table can be read");
        let before_merge = files(&folder);
        assert!(maintenance.compact("charges", days(-6)).expect("files are merged").replaced >= 4);
        let written = files(&folder);
        age(&folder, &written, 40);

        // What crashes left, what a running writer is about to commit, and what is none of our business.
        let partition = folder.join("event_date=2026-01-05");
        for (name, days) in [("crashed.parquet", 8), ("running.parquet", 6), ("notes.txt", 40)] {
            std::fs::write(partition.join(name), "x").expect("the folder can be written");
            age(&partition, &[name.to_owned()], days);
        }
        std::fs::write(folder.join("mine.parquet"), "x").expect("the folder can be written");
        age(&folder, &["mine.parquet".to_owned()], 40);

        let before = files(&folder);
        let deleted = maintenance.vacuum("charges", days(0)).expect("the table can be vacuumed");
        let after = files(&folder);
        let gone: BTreeSet<String> = before.difference(&after).cloned().collect();
        let mut expected = replaced_long_ago.clone();
        expected.insert("event_date=2026-01-05/crashed.parquet".to_owned());
        assert_eq!(gone, expected);
        assert_eq!(deleted, expected.len());
        assert!(before_merge.difference(&replaced_long_ago).all(|name| after.contains(name)));

        // The reader began before the second merge, and reads the files that it replaced.
        let rows: usize = reader.map(|batch| batch.expect("its files are there").num_rows()).sum();
        assert_eq!(rows, sample.held.rows["charges"].len());
        assert_eq!(held(&lake).rows["charges"], sample.held.rows["charges"]);

        // Nothing is left to delete today; a clock that is ahead of the store's does not change that.
        assert_eq!(maintenance.vacuum("charges", days(0)).expect("again"), 0);
        assert_eq!(maintenance.vacuum("charges", days(400)).expect("ahead"), 0);
        assert_eq!(files(&folder), after);

        // Two days later, by the store's clock too, the second merge is eight days ago.
        age(&partition, &["running.parquet".to_owned()], 8);
        let live = LakeReader::new(&lake).charges(&["tenant"], Days::ALL).expect("the table can be read").files();
        let later = self::maintenance(&lake, 5);
        later.vacuum("charges", days(0)).expect("the table can be vacuumed");
        assert_eq!(files(&folder).len(), live + 2, "live files, notes.txt and mine.parquet");
        assert_eq!(held(&lake).rows["charges"], sample.held.rows["charges"]);
    }
}

#[test]
fn a_longer_retention_holds_past_checkpoints_that_would_forget_what_was_removed() {
    let ground = Ground::folder();
    let (lake, sample, folder) = (ground.lake(), Sample::of(1, 70, 1), ground.file("charges"));
    let maintenance = maintenance(&lake, 30);
    drive_table(&lake, "charges", &sample.first(4), 1).expect("the table can be written");
    assert_eq!(maintenance.vacuum("charges", days(0)).expect("the table can be vacuumed"), 0);
    maintenance.compact("charges", days(-8)).expect("files are merged");
    // A checkpoint is written, which remembers removals for as long as the table says.
    drive_table(&lake, "charges", &sample, 1).expect("the table can be written");
    let log = std::fs::read_dir(folder.join("_delta_log")).expect("the log");
    let checkpoints = log.filter(|entry| {
        let name = entry.as_ref().expect("an entry").file_name();
        name.to_string_lossy().ends_with(".checkpoint.parquet")
    });
    assert!(checkpoints.count() > 0);
    let before = files(&folder);
    age(&folder, &before, 60);
    assert_eq!(maintenance.vacuum("charges", days(0)).expect("the table can be vacuumed"), 0);
    assert_eq!(files(&folder), before);
    // Back to a week: what was merged eight days ago goes.
    assert_eq!(self::maintenance(&lake, 7).vacuum("charges", days(0)).expect("the table can be vacuumed"), 4);
    assert_eq!(held(&lake).rows["charges"], sample.held.rows["charges"]);
}

#[test]
fn vacuum_during_a_flush_leaves_its_files_alone() {
    let ground = Ground::server();
    let (lake, sample) = (ground.lake(), Sample::new());
    drive_table(&lake, "charges", &sample.first(1), 9).expect("the table can be written");
    ground.s3().plan(Fault::Delay(Duration::from_secs(2)), &["charges/_delta_log"], 1);
    let hits = ground.s3().faults_hit();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| drive_table(&lake, "charges", &sample, 9));
        // The files are there, and their commit is on its way.
        while ground.s3().faults_hit() == hits {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(maintenance(&lake, 7).vacuum("charges", days(3)).expect("the table can be vacuumed"), 0);
        writer.join().expect("no panic").expect("the commit arrives");
    });
    assert_eq!(held(&lake).rows["charges"], sample.held.rows["charges"]);
}
