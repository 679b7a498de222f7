//! Compaction and vacuum, with readers, writers and other compactors at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use object_store::memory::InMemory;
use stream::{Record, Table};

use super::*;
use crate::Rows;
use crate::column::Column;
use crate::rows::{Charges, Decoded, Row};
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
fn later_day() -> Timestamp {
    NOW.plus_seconds(5 * DAY)
}

fn files(lake: &Lake) -> usize {
    LakeReader::new(lake).charges(&["tenant"], Days::ALL).unwrap().files()
}

#[test]
fn a_column_has_the_fields_that_any_file_has_of_it_in_whatever_order_they_come() {
    let lines = |names: &[&str]| {
        let fields: Vec<Field> = names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
        Field::new_list("lines", Field::new("item", DataType::Struct(fields.into()), true), true)
    };
    let (older, newer) = (lines(&["meter"]), lines(&["meter", "rate_id"]));
    assert_eq!(fullest([&older, &newer].into_iter()), Some(&newer));
    assert_eq!(fullest([&newer, &older].into_iter()), Some(&newer));
}

#[test]
fn one_file_a_day_is_left_and_a_reader_that_began_before_reads_on() {
    let lake = in_memory();
    let log = small_files(&lake);
    assert_eq!(files(&lake), 36);
    let before = LakeReader::new(&lake).charges(&["charge_id"], Days::ALL).unwrap();

    let done = maintenance(&lake).compact("charges", later_day()).unwrap();
    // One day of twelve files each.
    assert_eq!(done, Compacted { replaced: 36, written: 3, lost: 0 });
    assert_eq!(files(&lake), 3);
    assert_eq!(rows_of(&lake), log.oracle);
    let rows: usize = before.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, log.oracle.len());

    assert_eq!(maintenance(&lake).compact("charges", later_day()).unwrap(), Compacted::default());
    // Every table has its turn, also those that nobody has written yet.
    for table in TABLES {
        maintenance(&lake).compact(table.name, later_day()).unwrap();
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
    maintenance(&lake).compact("charges", later_day()).unwrap();
    assert_eq!(text(&lake), before);

    for batch in LakeReader::new(&lake).charges(&["tenant", "team", "event_time"], Days::ALL).unwrap() {
        let batch = batch.unwrap();
        let fields =
            batch.schema().fields().iter().map(|f| arrow::row::SortField::new(f.data_type().clone())).collect();
        let keys = arrow::row::RowConverter::new(fields).unwrap().convert_columns(batch.columns()).unwrap();
        assert!((1..keys.num_rows()).all(|row| keys.row(row - 1) <= keys.row(row)));
    }
}

/// Columns of files: the day is in their path.
fn in_files(spec: &TableSpec) -> SchemaRef {
    let schema = spec.schema();
    let fields = schema.fields().iter().filter(|field| field.name() != EVENT_DATE);
    Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
}

/// Writes every file of the table anew with all columns of the table, as releases did that wrote columns without values.
fn with_columns_without_values(lake: &Lake) {
    let maintenance = maintenance(lake);
    let (spec, mut table) = maintenance.open("charges").unwrap().unwrap();
    let store = table.log_store().object_store(None);
    for (number, file) in data_files(&table).unwrap().into_iter().enumerate() {
        let mut rows = FileRows::open(lake, store.clone(), &file).unwrap();
        rows.schema = in_files(spec);
        let (form, count) = (Form::new(rows.schema.clone(), spec.sort, spec.lookups).unwrap(), rows.rows);
        let encoded = form.encode(rows, count, false).unwrap();
        let add = add_of(file.day, &format!("whole-{number}"), &encoded, NOW, false);
        lake.wait(upload(store.as_ref(), &add.path, encoded.bytes)).unwrap();
        let before = lake.wait(fence(spec, &table)).unwrap();
        assert!(lake.wait(replace(spec, &mut table, before, &[file], &add, 1, NOW)).unwrap());
    }
}

#[test]
fn columns_without_values_in_all_files_are_left_out_when_these_are_merged() {
    let lake = in_memory();
    let log = small_files(&lake);
    with_columns_without_values(&lake);
    let columns = || {
        let (spec, table) = maintenance(&lake).open("charges").unwrap().unwrap();
        let store = table.log_store().object_store(None);
        let builder = |file: DataFile| {
            let stored = StoredFile::new(store.clone(), Path::parse(&file.path).unwrap(), file.bytes);
            lake.wait(ParquetRecordBatchStreamBuilder::new(stored)).unwrap()
        };
        let files = data_files(&table).unwrap().into_iter().map(builder);
        let of = |file: ParquetRecordBatchStreamBuilder<StoredFile>| {
            (file.schema().fields().len(), empty_columns(file.metadata()).len())
        };
        (in_files(spec).fields().len(), files.map(of).collect::<Vec<_>>())
    };
    let (whole, before) = columns();
    assert_eq!(before.len(), 36);
    assert!(before.iter().all(|(columns, empty)| (*columns, *empty > 0) == (whole, true)), "{before:?} of {whole}");

    assert_eq!(maintenance(&lake).compact("charges", later_day()).unwrap().replaced, 36);
    let (_, after) = columns();
    assert!(after.iter().all(|(columns, empty)| *columns < whole && *empty == 0), "{after:?} of {whole}");
    assert_eq!(rows_of(&lake), log.oracle);
}

#[test]
fn of_two_compactors_one_wins_and_the_other_leaves_nothing() {
    let lake = in_memory();
    let log = small_files(&lake);
    let slow = maintenance(&lake);
    let (spec, mut table) = slow.open("charges").unwrap().unwrap();
    let group = plan(data_files(&table).unwrap(), later_day().days(), 1 << 30).remove(0);
    let fence_before = lake.wait(fence(spec, &table)).unwrap();
    maintenance(&lake).compact("charges", later_day()).unwrap();

    assert!(!slow.merge(spec, &mut table, &group, later_day()).unwrap(), "its sources are gone");
    // As if it had been between reading the fence and its commit.
    let add = add_of(group[0].day, "late", &encoded(), NOW, false);
    assert!(!lake.wait(replace(spec, &mut table, fence_before, &group, &add, 1, NOW)).unwrap());
    assert_eq!(rows_of(&lake), log.oracle);
}

fn encoded() -> crate::file::Encoded {
    let schema = Arc::new(Schema::new(vec![Field::new("tenant", DataType::Utf8, true)]));
    let form = Form::new(schema, &[], &[]).unwrap();
    form.encode(std::iter::empty::<anyhow::Result<RecordBatch>>(), 0, false).unwrap()
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
                let _ = maintenance(&lake).compact("charges", later_day());
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
                    let _ = maintenance(&lake).compact("charges", later_day());
                }
            });
        }
    });
    maintenance(&lake).compact("charges", later_day()).unwrap();
    assert_eq!(rows_of(&lake), log.oracle);
    assert_eq!(files(&lake), 3);
}

/// `charges` of a release after this one, which has a column more.
struct LaterCharges(Charges);

impl Rows for LaterCharges {
    type Item = <Charges as Rows>::Item;
    const TABLE: &'static str = Charges::TABLE;
    const TOPIC: &'static str = Charges::TOPIC;
    const ABOUT: &'static str = Charges::ABOUT;
    const SORT: &'static [&'static str] = Charges::SORT;

    fn new() -> Self {
        LaterCharges(Charges::new())
    }

    fn decode(&self, record: &Record<'_>) -> Result<Decoded<Self::Item>, String> {
        self.0.decode(record)
    }

    fn event_date(charge: &Self::Item) -> i32 {
        Charges::event_date(charge)
    }

    fn columns() -> Vec<Column<Row<Self::Item>>> {
        let mut columns = Charges::columns();
        columns.push(crate::column::text("colour", "A column of a later release.", |_| Some("blue")));
        columns
    }
}

#[test]
fn a_later_release_adds_a_column_while_writers_readers_and_compactors_of_this_one_go_on() {
    let lake = in_memory();
    let log = charges_log(2, 4, 3);
    let feed = |table: &mut dyn Table, partition: u32, batch: usize| {
        let (offset, payload) = &log.partitions[&partition][batch];
        let record = Record { offset: *offset, timestamp: NOW, key: None, payload: Some(payload), headers: Vec::new() };
        table.append(partition, &[record], offset + 1).unwrap();
        table.flush(NOW).unwrap();
    };
    let mut this = LakeTable::<Charges>::open(&lake, &config()).unwrap();
    this.assign(&[0]).unwrap();
    feed(&mut this, 0, 0);
    let reader = LakeReader::new(&lake).charges(&["charge_id"], Days::ALL).unwrap();
    let mut later = LakeTable::<LaterCharges>::open(&lake, &config()).unwrap();
    later.assign(&[1]).unwrap();
    for batch in 0..4 {
        feed(&mut later, 1, batch);
        if batch > 0 {
            feed(&mut this, 0, batch);
        }
    }
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 3);
    assert_eq!(rows_of(&lake), log.oracle);
    // One of this release opens the table again, and merges files with and without the column.
    LakeTable::<Charges>::open(&lake, &config()).unwrap();
    assert_eq!(maintenance(&lake).compact("charges", later_day()).unwrap().replaced, 24);
    assert_eq!(rows_of(&lake), log.oracle);
    let (_, table) = maintenance(&lake).open("charges").unwrap().unwrap();
    let mut blue = 0;
    for file in data_files(&table).unwrap() {
        for batch in FileRows::open(&lake, table.log_store().object_store(None), &file).unwrap() {
            let batch = batch.unwrap();
            let colour = batch.column_by_name("colour").unwrap();
            blue += colour.len() - colour.null_count();
        }
    }
    assert_eq!(blue, log.oracle.iter().filter(|row| row.0 == 1).count());
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
    assert!(maintenance(&lake).compact("charges", later_day()).is_err());
    let lake = folder(folder_of.path(), None);
    assert_eq!((files(&lake), rows_of(&lake)), (36, log.oracle));
}
