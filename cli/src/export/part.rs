//! A file of an export, under its own name only when it is whole.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use sha2::{Digest, Sha256};

use super::{Form, Job, PartFile, beside, encode, sync_folder};

/// Rows of a row group: they are held in memory until it is full.
const GROUP_ROWS: usize = 64 * 1024;

/// Where bytes go and are hashed.
struct Hashed {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

enum Writer {
    Text(Form, Hashed),
    Parquet(Box<ArrowWriter<Hashed>>),
}

/// A file that is being written.
pub(super) struct Part {
    path: PathBuf,
    writer: Writer,
    rows: u64,
}

impl Part {
    /// Begins the next file of a job.
    pub(super) fn create(job: &Job, folder: &Path, schema: &SchemaRef) -> anyhow::Result<Part> {
        let request = &job.request;
        let name = format!("{}-{:05}.{}", request.of.name(), job.files.len(), request.format.extension());
        let path = folder.join(name);
        let file = File::create(beside(&path)).with_context(|| format!("write {}", path.display()))?;
        let mut hashed = Hashed { file: BufWriter::with_capacity(1 << 20, file), hash: Sha256::new(), bytes: 0 };
        let writer = match request.format {
            Form::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
                    .set_max_row_group_row_count(Some(GROUP_ROWS))
                    .build();
                Writer::Parquet(Box::new(ArrowWriter::try_new(hashed, schema.clone(), Some(properties))?))
            }
            form => {
                let header = match form {
                    Form::Csv => encode::header(schema),
                    Form::Spreadsheet => encode::spreadsheet_header(schema),
                    Form::Jsonl | Form::Parquet => String::new(),
                };
                hashed.write_all(header.as_bytes())?;
                Writer::Text(form, hashed)
            }
        };
        Ok(Part { path, writer, rows: 0 })
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        self.rows += batch.num_rows() as u64;
        match &mut self.writer {
            Writer::Parquet(writer) => writer.write(batch).map_err(anyhow::Error::from),
            Writer::Text(form, out) => {
                let text = match form {
                    Form::Csv => encode::csv(batch)?,
                    Form::Spreadsheet => encode::spreadsheet(batch)?,
                    Form::Jsonl | Form::Parquet => encode::json_lines(batch)?,
                };
                out.write_all(text.as_bytes()).map_err(anyhow::Error::from)
            }
        }
        .with_context(|| format!("write {}", self.path.display()))
    }

    /// Forces the file to disk and gives it its name.
    pub(super) fn finish(self) -> anyhow::Result<PartFile> {
        let Part { path, writer, rows } = self;
        let finish = || {
            let mut out = match writer {
                Writer::Text(_, out) => out,
                Writer::Parquet(writer) => writer.into_inner()?,
            };
            out.flush()?;
            out.file.get_ref().sync_all()?;
            fs::rename(beside(&path), &path)?;
            let sha256 = digits(&out.hash.finalize());
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            anyhow::Ok(PartFile { name, rows, bytes: out.bytes, sha256 })
        };
        let file = finish().with_context(|| format!("write {}", path.display()))?;
        sync_folder(&path)?;
        Ok(file)
    }
}

fn digits(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Size and SHA-256 of a file.
pub(super) fn hash(path: &Path) -> anyhow::Result<(u64, String)> {
    let hash = || {
        let mut file = File::open(path)?;
        let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok::<_, io::Error>((bytes, digits(&hash.finalize()))),
                read => {
                    hash.update(&buffer[..read]);
                    bytes += read as u64;
                }
            }
        }
    };
    hash().with_context(|| format!("read {}", path.display()))
}
