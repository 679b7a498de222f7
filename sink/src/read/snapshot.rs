//! A table at one version: which files it is made of, whatever is written meanwhile.

use std::sync::Arc;

use anyhow::{Context, bail};
use arrow::datatypes::{Schema, SchemaRef};
use chrono::NaiveDate;
use deltalake_core::DeltaTable;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};

use super::{Days, LakeReader, Scan, day_of, opening};
use crate::catalogue::{self, TableSpec};
use crate::lake::Lake;
use crate::log::load;

/// A data file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFile {
    /// Its path within the table.
    pub path: Path,
    /// Its size.
    pub bytes: u64,
    /// Rows, as the table's log states them.
    pub rows: Option<u64>,
    /// `event_date` of its rows, in days since 1970.
    pub day: i32,
}

/// A table at one version.
///
/// Its files stay readable while others are written, for as long as the sink keeps replaced files: a week at least.
#[derive(Debug, Clone)]
pub struct Snapshot {
    lake: Lake,
    spec: &'static TableSpec,
    table: DeltaTable,
    files: Vec<TableFile>,
}

impl LakeReader {
    /// The files of a table that hold these days, sorted by day and path: at its newest version, or at an earlier one.
    /// A table nobody has written yet has none.
    ///
    /// # Errors
    /// When the lake cannot be read, or has no such table or version.
    pub fn snapshot(&self, table: &str, days: Days, version: Option<u64>) -> anyhow::Result<Snapshot> {
        let spec = catalogue::table(table).with_context(|| format!("the lake has no table {table}"))?;
        let mut handle = self.lake.table(table)?;
        let mut files = self.lake.told(self.lake.wait(async {
            if !handle.verify_deltatable_existence().await.with_context(|| format!("look for the table {table}"))? {
                return match version {
                    Some(version) => bail!("the table {table} is gone, of which version {version} was wanted"),
                    None => Ok(Vec::new()),
                };
            }
            match version {
                Some(version) => {
                    let loading = handle.load_version(version).await;
                    loading.with_context(|| format!("read version {version} of the table {table}"))?;
                }
                None => load(&mut handle, table).await?,
            }
            let mut files = Vec::new();
            for file in handle.snapshot()?.log_data().iter() {
                let day = day_of(&file).with_context(|| format!("read the log of the table {table}"))?;
                if NaiveDate::from_epoch_days(day).is_some_and(|day| days.contain(day)) {
                    files.push(TableFile {
                        path: file.object_store_path(),
                        bytes: u64::try_from(file.size()).unwrap_or_default(),
                        rows: file.num_records().map(|rows| rows as u64),
                        day,
                    });
                }
            }
            anyhow::Ok(files)
        }))?;
        files.sort_by(|a, b| (a.day, &a.path).cmp(&(b.day, &b.path)));
        Ok(Snapshot { lake: self.lake.clone(), spec, table: handle, files })
    }
}

impl Snapshot {
    /// Name of the table.
    pub fn name(&self) -> &'static str {
        self.spec.name
    }

    /// Version of the table; `None` when there is no table yet.
    pub fn version(&self) -> Option<u64> {
        self.table.version()
    }

    /// Its files, sorted by day and path.
    pub fn files(&self) -> &[TableFile] {
        &self.files
    }

    /// Arrow schema of the table, `event_date` first. It is no column of the files.
    pub fn schema(&self) -> SchemaRef {
        self.spec.schema()
    }

    /// The store the files are in, under their paths.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.table.log_store().object_store(None)
    }

    /// SHA-256 of a file's content, in hexadecimal digits.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sha256(&self, file: &TableFile) -> anyhow::Result<String> {
        let store = self.store();
        let reading = async { store.get(&file.path).await?.bytes().await };
        let bytes = self.lake.wait(reading).with_context(|| format!("read {}", file.path))?;
        Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Scans these columns of all files, in their order.
    ///
    /// # Errors
    /// When the table has no such column.
    pub fn scan(&self, columns: &[&str]) -> anyhow::Result<Scan> {
        self.scan_files(columns, &self.files)
    }

    /// Scans these columns of some of its files.
    ///
    /// # Errors
    /// When the table has no such column.
    pub fn scan_files(&self, columns: &[&str], files: &[TableFile]) -> anyhow::Result<Scan> {
        let whole = self.spec.schema();
        let fields = columns.iter().map(|name| {
            let field = whole.field_with_name(name).ok();
            field.cloned().with_context(|| format!("the table {} has no column {name}", self.spec.name))
        });
        let schema = Arc::new(Schema::new(fields.collect::<anyhow::Result<Vec<_>>>()?));
        let (lake, spec, table) = (self.lake.clone(), self.spec, self.table.clone());
        Ok(Scan {
            opening: opening(&lake, self.store(), files),
            waiting: files.len(),
            open: None,
            nulls: vec![None; schema.fields().len()],
            lake,
            spec,
            table,
            schema,
        })
    }
}
