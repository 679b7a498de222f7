//! Compaction and vacuum, with readers, writers and other compactors at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use object_store::memory::InMemory;

use super::*;
use crate::rows::Charges;
use crate::tests::faults::{Fault, Faulty};
use crate::tests::sample::{Log, NOW, charges_log};
use crate::tests::{config, drive, folder, in_memory, rows_of};
use crate::{LakeReader, LakeTable, read::Days};

const DAY: i64 = 86_400;

/// A table of many small files, and what is in it.
fn small_files(lake: &Lake) -> Log {
    let log = charges_log(2, 6, 3);
    drive(&mut LakeTable::<Charges>::open(lake, &config()).unwrap(), &log, 1);
    log
}

fn maintenance(lake: &Lake) -> Maintenance {
    Maintenance::new(lake, &config())
}

/// When every day of the sample is settled.
fn later() -> Timestamp {
    NOW.plus_seconds(5 * DAY)
}

fn files(lake: &Lake) -> usize {
    LakeReader::new(lake).charges(&["tenant"], Days::ALL).unwrap().files()
}

#[test]
fn one_file_a_day_is_left_and_a_reader_that_began_before_reads_on() {
    let lake = in_memory();
    let log = small_files(&lake);
    assert_eq!(files(&lake), 36);
    let before = LakeReader::new(&lake).charges(&["charge_id"], Days::ALL).unwrap();

    let done = maintenance(&lake).compact("charges", later()).unwrap();
    // One day of twelve files each.
    assert_eq!(done, Compacted { replaced: 36, written: 3, lost: 0 });
    assert_eq!(files(&lake), 3);
    assert_eq!(rows_of(&lake), log.oracle);
    let rows: usize = before.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, log.oracle.len());

    assert_eq!(maintenance(&lake).compact("charges", later()).unwrap(), Compacted::default());
    // Every table has its turn, also those that nobody has written yet.
    for table in TABLES {
        maintenance(&lake).compact(table.name, later()).unwrap();
    }
}

#[test]
fn a_merged_file_is_sorted_and_has_every_column_of_its_sources() {
    let lake = in_memory();
    small_files(&lake);
    let whole = crate::catalogue::table("charges").unwrap().schema();
    let columns: Vec<&str> = whole.fields().iter().map(|field| field.name().as_str()).collect();
    let text = |lake: &Lake| {
        let mut rows = Vec::new();
        for batch in LakeReader::new(lake).charges(&columns, Days::ALL).unwrap() {
            let batch = batch.unwrap();
            rows.extend((0..batch.num_rows()).map(|row| format!("{:?}", batch.slice(row, 1))));
        }
        rows.sort();
        rows
    };
    let before = text(&lake);
    maintenance(&lake).compact("charges", later()).unwrap();
    assert_eq!(text(&lake), before);

    for batch in LakeReader::new(&lake).charges(&["tenant", "team", "event_time"], Days::ALL).unwrap() {
        let batch = batch.unwrap();
        let fields =
            batch.schema().fields().iter().map(|f| arrow::row::SortField::new(f.data_type().clone())).collect();
        let keys = arrow::row::RowConverter::new(fields).unwrap().convert_columns(batch.columns()).unwrap();
        assert!((1..keys.num_rows()).all(|row| keys.row(row - 1) <= keys.row(row)));
    }
}

#[test]
fn of_two_compactors_one_wins_and_the_other_leaves_nothing() {
    let lake = in_memory();
    let log = small_files(&lake);
    let slow = maintenance(&lake);
    let (spec, mut table) = slow.open("charges").unwrap().unwrap();
    let group = plan(data_files(&table).unwrap(), later().days(), 1 << 30).remove(0);
    let fence_before = lake.wait(fence(spec, &table)).unwrap();
    maintenance(&lake).compact("charges", later()).unwrap();

    assert!(!slow.merge(spec, &mut table, &group, later()).unwrap(), "its sources are gone");
    // As if it had been between reading the fence and its commit.
    let add = add_of(group[0].day, "late.parquet", &encoded(), NOW, false);
    assert!(!lake.wait(replace(spec, &mut table, fence_before, &group, &add, 1, NOW)).unwrap());
    assert_eq!(rows_of(&lake), log.oracle);
}

fn encoded() -> crate::file::Encoded {
    let schema = Arc::new(Schema::new(vec![Field::new("tenant", arrow::datatypes::DataType::Utf8, true)]));
    encode(schema, std::iter::empty(), 0, &[], &[]).unwrap()
}

#[test]
fn a_refusal_or_a_lost_answer_at_any_write_of_a_merge_changes_no_row() {
    let mut struck = 0;
    for make in [Fault::refuse as fn(usize) -> Fault, Fault::lose_answer, Fault::claim_exists] {
        for write in 0.. {
            let folder_of = tempfile::tempdir().unwrap();
            let log = charges_log(1, 2, 3);
            let plain = folder(folder_of.path(), None);
            drive(&mut LakeTable::<Charges>::open(&plain, &config()).unwrap(), &log, 1);
            let fault = make(write);
            let strikes = fault.struck();
            let lake = folder(folder_of.path(), Some(fault));
            for _ in 0..3 {
                // A failure ends the pass; the next one goes on.
                let _ = maintenance(&lake).compact("charges", later());
            }
            assert_eq!(rows_of(&lake), log.oracle, "{make:?} at write {write}");
            assert_eq!(files(&lake), 3, "{make:?} at write {write}");
            if !strikes() {
                break;
            }
            struck += 1;
        }
    }
    assert!(struck >= 3 * 6, "only {struck} faults struck");
}

#[test]
fn writers_and_compactors_at_once_lose_and_double_nothing() {
    let lake = Lake::with_store(Arc::new(InMemory::new()), url::Url::parse("memory:///lake/").unwrap()).unwrap();
    let log = charges_log(2, 12, 2);
    LakeTable::<Charges>::open(&lake, &config()).unwrap();
    let writing = AtomicUsize::new(log.partitions.len());
    std::thread::scope(|scope| {
        for (partition, records) in &log.partitions {
            let own = Log { partitions: BTreeMap::from([(*partition, records.clone())]), oracle: Vec::new() };
            let (lake, writing) = (&lake, &writing);
            scope.spawn(move || {
                drive(&mut LakeTable::<Charges>::open(lake, &config()).unwrap(), &own, 1);
                writing.fetch_sub(1, Ordering::SeqCst);
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                while writing.load(Ordering::SeqCst) > 0 {
                    let _ = maintenance(&lake).compact("charges", later());
                }
            });
        }
    });
    maintenance(&lake).compact("charges", later()).unwrap();
    assert_eq!(rows_of(&lake), log.oracle);
    assert_eq!(files(&lake), 3);
}

#[test]
fn vacuum_deletes_what_was_replaced_or_left_behind_a_week_ago_and_nothing_else() {
    let folder_of = tempfile::tempdir().unwrap();
    let lake = folder(folder_of.path(), None);
    let log = small_files(&lake);
    let orphan = folder_of.path().join("charges/event_date=2026-11-22/left-by-a-crash.parquet");
    std::fs::write(&orphan, "x").unwrap();
    let real_now = stream::now();
    maintenance(&lake).compact("charges", real_now.plus_seconds(400 * DAY)).unwrap();

    let vacuum = |days| maintenance(&lake).vacuum("charges", real_now.plus_seconds(days * DAY)).unwrap();
    assert_eq!(vacuum(6), 0);
    assert!(orphan.exists());
    assert_eq!(vacuum(8), 37);
    assert!(!orphan.exists());
    assert_eq!(rows_of(&lake), log.oracle);
    // Writing goes on from the same positions.
    drive(&mut LakeTable::<Charges>::open(&lake, &config()).unwrap(), &log, 1);
    assert_eq!(rows_of(&lake), log.oracle);
}

#[test]
fn a_merge_interrupted_after_its_upload_leaves_a_file_nobody_sees() {
    let folder_of = tempfile::tempdir().unwrap();
    let log = small_files(&folder(folder_of.path(), None));
    let store = Arc::new(object_store::local::LocalFileSystem::new());
    // Write 0 is the file, write 1 its commit: refused more often than it is tried.
    let faulty = Faulty::new(store, Fault::refuse_from(1));
    let root = url::Url::from_directory_path(folder_of.path()).unwrap();
    let lake = Lake::with_store(Arc::new(faulty), root).unwrap();
    assert!(maintenance(&lake).compact("charges", later()).is_err());
    let lake = folder(folder_of.path(), None);
    assert_eq!((files(&lake), rows_of(&lake)), (36, log.oracle));
}
