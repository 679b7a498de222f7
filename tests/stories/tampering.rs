//! The ledger can fail: a row of the lake that is off by a picodollar, gone, or there twice is found and named.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Decimal128Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use spendstream_tests::deployment::spendstream;

/// What is done to one row.
#[derive(Debug, Clone, Copy)]
enum Change {
    OnePicodollarMore,
    Gone,
    Twice,
}

/// A row of the table `charges`, by the file that holds it.
struct Row {
    rows: RecordBatch,
    index: usize,
}

impl Row {
    /// The place the ledger must name.
    fn place(&self) -> String {
        let column = |name: &str| self.rows.column_by_name(name).unwrap();
        let partition = column("kafka_partition").as_primitive::<Int32Type>().value(self.index);
        let sequence = column("sequence").as_primitive::<Int64Type>().value(self.index);
        format!("lake usage.charges/{partition}, sequence {sequence}:")
    }

    /// The file's rows with this one changed.
    fn changed(&self, change: Change) -> RecordBatch {
        let (rows, schema) = (&self.rows, self.rows.schema());
        let (before, after) = (rows.slice(0, self.index), rows.slice(self.index + 1, rows.num_rows() - self.index - 1));
        let row = rows.slice(self.index, 1);
        let parts = match change {
            Change::OnePicodollarMore => vec![before, one_more(&row), after],
            Change::Gone => vec![before, after],
            Change::Twice => vec![before, row.clone(), row, after],
        };
        concat_batches(&schema, &parts).unwrap()
    }
}

/// A row with 10^-12 dollars more.
fn one_more(row: &RecordBatch) -> RecordBatch {
    let at = row.schema().index_of("effective_cost").unwrap();
    let cost = row.column(at).as_primitive::<Decimal128Type>();
    assert_eq!(cost.scale(), 12);
    let more = Decimal128Array::from(vec![cost.value(0) + 1]).with_data_type(cost.data_type().clone());
    let mut columns = row.columns().to_vec();
    columns[at] = Arc::new(more) as ArrayRef;
    RecordBatch::try_new(row.schema(), columns).unwrap()
}

/// The table `charges` of a data folder, seen as anybody who may write to the store sees it.
struct Table {
    folder: PathBuf,
}

impl Table {
    fn of(data: &Path) -> Self {
        Table { folder: data.join("lake/charges") }
    }

    fn commit(&self, version: usize) -> PathBuf {
        self.folder.join(format!("_delta_log/{version:020}.json"))
    }

    /// The newest version, and the `add` of every file that is in it.
    fn files(&self) -> (usize, Vec<Value>) {
        let mut files: Vec<Value> = Vec::new();
        let mut version = 0;
        while let Ok(text) = std::fs::read_to_string(self.commit(version)) {
            for action in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
                if let Some(add) = action.get("add") {
                    files.push(add.clone());
                }
                if let Some(remove) = action.get("remove") {
                    files.retain(|add| add["path"] != remove["path"]);
                }
            }
            version += 1;
        }
        (version - 1, files)
    }

    /// Commits a version in which one priced row is changed. Returns the commit and the place the ledger must name.
    fn tamper(&self, change: Change) -> (PathBuf, String) {
        let (version, files) = self.files();
        for add in &files {
            let file = std::fs::File::open(self.folder.join(add["path"].as_str().unwrap())).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
            let schema = reader.schema().clone();
            let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
            let rows = concat_batches(&schema, &batches).unwrap();
            let costs = rows.column_by_name("effective_cost").unwrap();
            // Not the first: then its batch has neighbours that are in order.
            let Some(index) = (rows.num_rows() / 2..rows.num_rows()).find(|row| costs.is_valid(*row)) else { continue };
            let row = Row { rows, index };
            let mut new = add.clone();
            new["path"] = json!(format!("{}.{change:?}.parquet", add["path"].as_str().unwrap()));
            new.as_object_mut().unwrap().remove("stats");
            let path = self.folder.join(new["path"].as_str().unwrap());
            let changed = row.changed(change);
            let mut writer =
                ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), changed.schema(), None).unwrap();
            writer.write(&changed).unwrap();
            writer.close().unwrap();
            new["size"] = json!(std::fs::metadata(&path).unwrap().len());
            let remove = json!({ "path": add["path"], "dataChange": true, "deletionTimestamp": 0 });
            let commit = self.commit(version + 1);
            std::fs::write(&commit, format!("{}\n{}\n", json!({ "remove": remove }), json!({ "add": new }))).unwrap();
            return (commit, row.place());
        }
        panic!("no file of the lake has a priced row");
    }
}

#[test]
fn one_picodollar_or_one_row_breaks_the_ledger_and_it_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| spendstream(folder.path(), arguments);
    let (well, text) = run(&["up", "--sample", "2000", "--exit-when-idle", "--listen", "127.0.0.1:0"]);
    assert!(well, "{text}");
    for change in [Change::OnePicodollarMore, Change::Gone, Change::Twice] {
        let (well, text) = run(&["ledger"]);
        assert!(well && text.contains("Everything adds up"), "{text}");
        let (commit, place) = Table::of(&folder.path().join("spendstream-data")).tamper(change);
        let (well, text) = run(&["ledger"]);
        assert!(!well && text.contains(&place), "{change:?} is not reported as {place:?}:\n{text}");
        std::fs::remove_file(commit).unwrap();
    }
}
