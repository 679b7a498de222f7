//! Exports: the rows of a table as files, made by a job that may be killed at any moment and goes on where it was.
//!
//! A job works in a folder of its own. It fixes the version of the table first, so that it writes the same bytes however
//! often it is interrupted. A part is written beside its name, forced to disk, renamed, and only then entered in
//! `job.json`, which is replaced whole; what a crash leaves of a part is written again. At the end `job.json` becomes
//! `manifest.json`.
//!
//! Most exports are the rows of a table. That of FOCUS is the answer of a query over one, which is the same rows in the same
//! order whenever it is asked of one version: the query is asked again and the parts go on behind those that are done.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use chrono::NaiveDate;
use schemas::Timestamp;
use serde::{Deserialize, Serialize};
use sink::LakeReader;
use sink::read::{Cells, Days};

use crate::period::{first_day, last_day};
use part::Part;
use source::Source;

pub(crate) mod encode;
#[cfg(feature = "reports")]
mod focus;
mod part;
mod source;

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// One row per charge, corrections among them.
    Charges,
    /// One row per crossing of a threshold.
    Alerts,
    /// Every state of every budget. Of each budget and period the state with the highest `kafka_offset` is the current
    /// one.
    Budgets,
    /// Cost and usage of charges in the columns of FOCUS 1.2, for FinOps platforms: a row for each day, price of a meter and
    /// owner.
    ///
    /// It takes a build with the feature `spendstream-cli/reports`, and holds all its rows in memory. What FOCUS asks for and
    /// is not known here: schemas/lake/README.md.
    Focus,
}

/// Form of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// RFC 4180 with a header; lists and maps are JSON; null is an empty field; names as they are: for programs.
    Csv,
    /// CSV for Excel and its like: marked as UTF-8, with an apostrophe before text that they would take for a formula.
    Spreadsheet,
    /// zstd Parquet, `DECIMAL(38,12)`.
    Parquet,
    /// One JSON object a line; decimals are strings; null is left out.
    Jsonl,
}

impl Of {
    fn table(self) -> &'static str {
        match self {
            Of::Charges | Of::Focus => "charges",
            Of::Alerts => "alerts",
            Of::Budgets => "budgets",
        }
    }

    /// What its files are called.
    fn name(self) -> &'static str {
        match self {
            Of::Focus => "focus",
            _ => self.table(),
        }
    }

    /// The column that says since when a row is known.
    fn known_by(self) -> &'static str {
        match self {
            Of::Charges | Of::Alerts | Of::Focus => "booked_at",
            Of::Budgets => "emitted_at",
        }
    }
}

impl Form {
    fn extension(self) -> &'static str {
        match self {
            Form::Csv | Form::Spreadsheet => "csv",
            Form::Parquet => "parquet",
            Form::Jsonl => "jsonl",
        }
    }
}

/// What a job is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What is exported.
    #[serde(rename = "type")]
    pub of: Of,
    /// Form of the files.
    pub format: Form,
    /// First day: of charges, FOCUS and alerts `event_date` (UTC), of budgets any day of a state's period.
    pub from: Option<NaiveDate>,
    /// Last day, itself included.
    pub to: Option<NaiveDate>,
    /// Rows that were booked later are left out. Manifests of older versions call it `known_at`.
    #[serde(alias = "known_at")]
    pub as_of: Option<Timestamp>,
    /// Most rows of a file.
    pub rows_per_file: u64,
}

impl Request {
    /// The days whose files are read. A state of a budget is filed under the UTC day of its period's first instant, which may be
    /// the last day of the month before, and a year is in force until December: all are looked at.
    fn days(&self) -> Days {
        match self.of {
            Of::Budgets => Days::ALL,
            Of::Charges | Of::Alerts | Of::Focus => {
                Days { from: self.from, until: self.to.and_then(|to| to.succ_opt()) }
            }
        }
    }

    /// True for a row that was known, and of budgets one whose period has one of the days.
    fn takes(&self, cells: Cells<'_>, row: usize) -> anyhow::Result<bool> {
        if let Some(as_of) = self.as_of
            && cells.time(self.of.known_by(), row)?.is_none_or(|time| time > as_of)
        {
            return Ok(false);
        }
        if self.of != Of::Budgets || (self.from, self.to) == (None, None) {
            return Ok(true);
        }
        let (period, start) = (cells.parsed("period", row)?, cells.must_time("period_start", row)?);
        let days = first_day(period, start).zip(last_day(period, cells.must_time("period_end", row)?));
        let (first, last) = days.context("a budget's period is off the calendar")?;
        Ok(self.from.is_none_or(|from| last >= from) && self.to.is_none_or(|to| first <= to))
    }
}

/// A file of the export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFile {
    /// Its name in the folder.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: String,
}

/// Where the next part begins: a file of the table, and a row of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    file: usize,
    row: u64,
}

/// A job: what was asked, what it reads, and what is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Program that began it.
    pub program: String,
    /// Address of the lake.
    pub lake: String,
    /// What was asked.
    pub request: Request,
    /// Version of the table that is read; null when nobody had written it.
    pub version: Option<u64>,
    /// Rows of the table's files of these days (of budgets: of all files), those that are left out among them.
    pub rows_in_lake: u64,
    /// Rows written.
    pub rows: u64,
    /// The query whose answer is written, where it is no table as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// What a reader of the rows should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// Finished files.
    pub files: Vec<PartFile>,
    next: Place,
}

const JOB: &str = "job.json";
const MANIFEST: &str = "manifest.json";
const LOCK: &str = ".lock";

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end.
    Finished(Job),
    /// It had ended before; its files were looked at again and are whole.
    WasFinished(Job),
}

/// Begins a job in a folder, or goes on with the one that is there.
///
/// # Errors
/// When the folder holds another job or is in use, the lake cannot be read, the disk is full, or this build has no query
/// engine and the export is of a query.
pub fn run(
    reader: &LakeReader,
    lake: &str,
    request: &Request,
    folder: &Path,
    progress: &mut dyn FnMut(&Job),
) -> anyhow::Result<Outcome> {
    let query = source::query(request)?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let lock = File::create(folder.join(LOCK)).with_context(|| format!("write in {}", folder.display()))?;
    if lock.try_lock().is_err() {
        bail!("another export is at work in {}", folder.display());
    }
    if folder.join(MANIFEST).is_file() {
        let job = verify(folder)?;
        same(&job, lake, request, folder)?;
        return Ok(Outcome::WasFinished(job));
    }
    let days = request.days();
    let mut job = match read(&folder.join(JOB))? {
        Some(job) => {
            same(&job, lake, request, folder)?;
            job
        }
        None => begin(reader, lake, request, query, folder, days)?,
    };
    let snapshot = match job.version {
        Some(version) => reader.snapshot(request.of.table(), days, Some(version))?,
        // Somebody may have written it since; of what was asked for it has nothing.
        None => reader.snapshot(request.of.table(), Days { from: None, until: Some(NaiveDate::MIN) }, None)?,
    };
    let source = Source::of(&job, snapshot)?;
    job.remarks = source.remarks();
    write_parts(&mut job, &source, folder, progress)?;
    replace(&folder.join(MANIFEST), &job)?;
    fs::remove_file(folder.join(JOB)).with_context(|| format!("remove {JOB}"))?;
    Ok(Outcome::Finished(job))
}

fn begin(
    reader: &LakeReader,
    lake: &str,
    request: &Request,
    query: Option<String>,
    folder: &Path,
    days: Days,
) -> anyhow::Result<Job> {
    // A folder with other people's files in it is not ours to write in.
    let found = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let others: Vec<String> = found.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let others: Vec<&String> = others.iter().filter(|name| *name != LOCK && !name.ends_with(".partial")).collect();
    ensure!(
        others.is_empty(),
        "{} holds {} already and no export; name an empty folder with --out",
        folder.display(),
        others.first().map_or("", |name| name.as_str())
    );
    let snapshot = reader.snapshot(request.of.table(), days, None)?;
    let job = Job {
        program: format!("spendstream {}", env!("CARGO_PKG_VERSION")),
        lake: lake.to_owned(),
        request: request.clone(),
        version: snapshot.version(),
        rows_in_lake: snapshot.files().iter().filter_map(|file| file.rows).sum(),
        rows: 0,
        query,
        remarks: Vec::new(),
        files: Vec::new(),
        next: Place::default(),
    };
    replace(&folder.join(JOB), &job)?;
    Ok(job)
}

/// A job goes on only with what it began with.
fn same(job: &Job, lake: &str, request: &Request, folder: &Path) -> anyhow::Result<()> {
    ensure!(
        job.request == *request && job.lake == lake,
        "{} holds another export: of {} with {}; name another folder with --out",
        folder.display(),
        job.lake,
        serde_json::to_string(&job.request)?
    );
    Ok(())
}

fn write_parts(job: &mut Job, source: &Source, folder: &Path, progress: &mut dyn FnMut(&Job)) -> anyhow::Result<()> {
    let schema = source.schema();
    let mut open: Option<Part> = None;
    let (first, mut row) = (job.next.file, job.next.row);
    for index in first..source.files() {
        let mut at = 0;
        for batch in source.scan(index)? {
            let batch = batch?;
            let mut from = (row.saturating_sub(at) as usize).min(batch.num_rows());
            while from < batch.num_rows() {
                let part = match &mut open {
                    Some(part) => part,
                    None => open.insert(Part::create(job, folder, &schema)?),
                };
                let room = job.request.rows_per_file.saturating_sub(part.rows()).max(1) as usize;
                let length = room.min(batch.num_rows() - from);
                part.write(&source.taken(&batch.slice(from, length), &job.request)?)?;
                from += length;
                if part.rows() >= job.request.rows_per_file
                    && let Some(part) = open.take()
                {
                    finish(job, part, Place { file: index, row: at + from as u64 }, folder, progress)?;
                }
            }
            at += batch.num_rows() as u64;
        }
        row = 0;
    }
    let end = Place { file: source.files(), row: 0 };
    match open {
        Some(part) => finish(job, part, end, folder, progress),
        // Of an export without rows there is a file all the same, that says which columns it would have.
        None if job.files.is_empty() => {
            let part = Part::create(job, folder, &schema)?;
            finish(job, part, end, folder, progress)
        }
        None => Ok(()),
    }
}

/// Enters a part that is on disk.
fn finish(job: &mut Job, part: Part, next: Place, folder: &Path, progress: &mut dyn FnMut(&Job)) -> anyhow::Result<()> {
    if part.rows() > 0 || job.files.is_empty() {
        let file = part.finish()?;
        job.rows += file.rows;
        job.files.push(file);
    }
    job.next = next;
    replace(&folder.join(JOB), job)?;
    progress(job);
    Ok(())
}

/// Looks at a finished export again: every file is there, with the rows it was written with.
///
/// # Errors
/// When a file is missing or differs, or the export is not finished.
pub fn verify(folder: &Path) -> anyhow::Result<Job> {
    let path = folder.join(MANIFEST);
    let Some(job) = read(&path)? else {
        let remedy = match folder.join(JOB).is_file() {
            true => "the export is not finished; run the same `spendstream export create` again to go on with it",
            false => "there is no export in it",
        };
        bail!("{} has no {MANIFEST}: {remedy}", folder.display());
    };
    for file in &job.files {
        let (bytes, sha256) = part::hash(&folder.join(&file.name))?;
        ensure!(
            bytes == file.bytes && sha256 == file.sha256,
            "{} is not as it was written: {bytes} bytes with SHA-256 {sha256}, not {} with {}",
            folder.join(&file.name).display(),
            file.bytes,
            file.sha256
        );
    }
    Ok(job)
}

fn read(path: &Path) -> anyhow::Result<Option<Job>> {
    match fs::read(path) {
        Ok(bytes) => {
            let job = serde_json::from_slice(&bytes);
            job.with_context(|| format!("{} is not the state of an export", path.display())).map(Some)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

/// Replaces a file whole: after a crash it is the old one or the new one.
fn replace(path: &Path, job: &Job) -> anyhow::Result<()> {
    let beside = beside(path);
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec_pretty(job)?)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().with_context(|| format!("write {}", path.display()))?;
    sync_folder(path)
}

/// Where a file is written before it has its name.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

/// Makes the names in a file's folder last.
fn sync_folder(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let sync = File::open(folder).and_then(|folder| folder.sync_all());
    sync.with_context(|| format!("force {} to disk", folder.display()))
}
