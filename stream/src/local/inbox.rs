//! How a second process appends to a folder that another holds: it leaves a file, and the holder appends its records.
//!
//! A file is written beside its place and renamed, so that a half-written one is never taken, and it is removed once its
//! records are durable. If the holder dies in between they are appended again by the next one: what commands append
//! (versions, corrections, orders to skip) is recognised by its own id. Whoever may write to the folder may leave files.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use schemas::Timestamp;
use schemas::topics::TopicSpec;
use schemas::wire::{Reader, put_bytes, put_long};
use tracing::warn;

use super::LocalLog;
use crate::Shutdown;
use crate::log::{Log, StoredRecord};
use crate::private;
use crate::processor::OutRecord;

/// Folder of the files, within the data folder.
const FOLDER: &str = "inbox";
/// A file that waits to be taken.
const WAITING: &str = "records";
/// Why a file could not be taken.
const REFUSED: &str = "refused";
/// First number of a file.
const FORMAT: i64 = 2;
/// Why a file was not taken whose records were for another end of their partition.
const MOVED: &str = "others have appended meanwhile";
/// How often the holder looks.
const LOOKED_EVERY: Duration = Duration::from_millis(100);
/// How long a command waits for the holder. It looks ten times a second, so one that has not by then does not look.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens the log in a folder to append to it: by itself, or through the process that holds the folder.
///
/// # Errors
/// As [`LocalLog::open`], save that the folder is in use.
pub fn open_or_join(folder: &Path, topics: &[TopicSpec]) -> Result<Arc<dyn Log>> {
    match LocalLog::open(folder, topics, None) {
        Ok(log) => Ok(Arc::new(log)),
        Err(error) if super::store::is_locked(&error) => Ok(Arc::new(Joined {
            folder: folder.to_path_buf(),
            topics: topics.to_vec(),
            log: LocalLog::inspect(folder)?,
        })),
        Err(error) => Err(error),
    }
}

/// A log that another process holds.
struct Joined {
    folder: PathBuf,
    topics: Vec<TopicSpec>,
    log: LocalLog,
}

impl Log for Joined {
    fn topics(&self) -> Result<Vec<(String, u32)>> {
        self.log.topics()
    }

    fn partitions(&self, topic: &str) -> Result<Option<u32>> {
        self.log.partitions(topic)
    }

    fn range(&self, topic: &str, partition: u32) -> Result<Range<i64>> {
        self.log.range(topic, partition)
    }

    fn read(&self, topic: &str, partition: u32, from: i64, bytes_max: usize) -> Result<Vec<StoredRecord>> {
        self.log.read(topic, partition, from, bytes_max)
    }

    fn append(&self, records: Vec<OutRecord>) -> Result<()> {
        match self.hand_over(None, &records)? {
            true => Ok(()),
            false => bail!("{MOVED}"),
        }
    }

    fn append_if_end(&self, end: i64, records: Vec<OutRecord>) -> Result<bool> {
        self.hand_over(Some(end), &records)
    }
}

impl Joined {
    /// Leaves records and waits until they are taken; false when the partition had another end by then.
    fn hand_over(&self, end: Option<i64>, records: &[OutRecord]) -> Result<bool> {
        if records.is_empty() {
            return Ok(true);
        }
        let left = leave(&self.folder, &encode(end, records))?;
        let refused = left.with_extension(REFUSED);
        let began = Instant::now();
        loop {
            // Looked at first: a reason is there before the file is gone.
            let gone = !left.exists();
            if let Ok(reason) = fs::read_to_string(&refused) {
                let _ = fs::remove_file(&refused);
                if reason == MOVED {
                    return Ok(false);
                }
                bail!("{reason}");
            }
            if gone {
                return Ok(true);
            }
            // The holder may have ended: then the folder is free, and what was left is ours to append.
            if let Ok(log) = LocalLog::open(&self.folder, &self.topics, None) {
                take_file(&log, &left);
                continue;
            }
            if began.elapsed() > PATIENCE {
                let _ = fs::remove_file(&left);
                bail!(
                    "the process that holds {} does not take what other commands append: end it, and run this again",
                    self.folder.display()
                );
            }
            std::thread::sleep(LOOKED_EVERY / 2);
        }
    }
}

/// Appends what other processes leave, until the end.
///
/// # Errors
/// When the thread or the folder cannot be made.
pub fn take(log: Arc<LocalLog>, folder: &Path, shutdown: Shutdown) -> Result<JoinHandle<()>> {
    let inbox = folder.join(FOLDER);
    private::folder(&inbox).with_context(|| format!("make folder {}", inbox.display()))?;
    let thread = std::thread::Builder::new().name("inbox".to_owned()).spawn(move || {
        loop {
            for file in waiting(&inbox) {
                take_file(&log, &file);
            }
            if shutdown.wait(LOOKED_EVERY) {
                break;
            }
        }
    });
    thread.context("start the inbox")
}

/// Files that wait, oldest first.
fn waiting(inbox: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(inbox).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|kind| kind == WAITING)).collect();
    files.sort();
    files
}

/// Appends the records of a file and removes it; says beside it why, where it cannot be.
fn take_file(log: &LocalLog, file: &Path) {
    let take = |bytes: Vec<u8>| match decode(&bytes)? {
        (None, records) => log.append(records).map(|()| true),
        (Some(end), records) => log.append_if_end(end, records),
    };
    let bytes = match fs::read(file) {
        // Whoever had the folder before has taken it.
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        bytes => bytes,
    };
    let refused = match bytes.map_err(anyhow::Error::from).and_then(take) {
        Ok(true) => None,
        Ok(false) => Some(MOVED.to_owned()),
        Err(error) => {
            warn!(file = %file.display(), "what another process left is refused: {error:#}");
            Some(format!("{error:#}"))
        }
    };
    if let Some(reason) = refused {
        let _ = fs::write(file.with_extension(REFUSED), reason);
    }
    if let Err(error) = fs::remove_file(file) {
        warn!(file = %file.display(), "cannot remove: {error}");
    }
}

fn leave(folder: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let inbox = folder.join(FOLDER);
    private::folder(&inbox).with_context(|| format!("make folder {}", inbox.display()))?;
    let name = format!("{:020}-{}", crate::now().micros(), std::process::id());
    let (draft, place) = (inbox.join(format!("{name}.draft")), inbox.join(format!("{name}.{WAITING}")));
    let write = || {
        let mut file = private::new_file().open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, &place)?;
        File::open(&inbox)?.sync_all()
    };
    write().with_context(|| format!("write {}", place.display()))?;
    Ok(place)
}

fn encode(end: Option<i64>, records: &[OutRecord]) -> Vec<u8> {
    let mut out = Vec::new();
    put_long(&mut out, FORMAT);
    put_long(&mut out, end.unwrap_or(-1));
    put_long(&mut out, records.len() as i64);
    for record in records {
        put_bytes(&mut out, record.topic.as_bytes());
        put_long(&mut out, i64::from(record.partition));
        for part in [&record.key, &record.payload] {
            put_long(&mut out, i64::from(part.is_some()));
            put_bytes(&mut out, part.as_deref().unwrap_or_default());
        }
        put_long(&mut out, record.headers.len() as i64);
        for (name, value) in &record.headers {
            put_bytes(&mut out, name.as_bytes());
            put_bytes(&mut out, value);
        }
        put_long(&mut out, i64::from(record.timestamp.is_some()));
        put_long(&mut out, record.timestamp.map_or(0, Timestamp::micros));
    }
    out
}

/// The records, and the end their partition must have, if any.
fn decode(bytes: &[u8]) -> Result<(Option<i64>, Vec<OutRecord>)> {
    let mut reader = Reader::new(bytes);
    let format = reader.long()?;
    if format != FORMAT {
        bail!("the records are of format {format}, this release knows {FORMAT}: use one release for all commands");
    }
    let end = Some(reader.long()?).filter(|end| *end >= 0);
    let count = reader.length()?;
    let mut records = Vec::new();
    for _ in 0..count {
        let topic = Arc::from(reader.text()?);
        let partition = u32::try_from(reader.long()?).context("partition number")?;
        let (key, payload) = (part(&mut reader)?, part(&mut reader)?);
        let mut headers = Vec::new();
        for _ in 0..reader.length()? {
            let name = reader.text()?.to_owned();
            let length = reader.length()?;
            headers.push((name, Bytes::copy_from_slice(reader.take(length)?)));
        }
        let stated = reader.long()? != 0;
        let timestamp = Timestamp::from_micros(reader.long()?);
        let timestamp = stated.then_some(timestamp);
        records.push(OutRecord { topic, partition, key, payload, headers, timestamp });
    }
    reader.finish()?;
    Ok((end, records))
}

fn part(reader: &mut Reader<'_>) -> Result<Option<Bytes>> {
    let stated = reader.long()? != 0;
    let length = reader.length()?;
    let bytes = Bytes::copy_from_slice(reader.take(length)?);
    Ok(stated.then_some(bytes))
}

#[cfg(test)]
mod tests {
    use schemas::topics::{Kept, Partitions};

    use super::*;

    fn topics() -> Vec<TopicSpec> {
        vec![TopicSpec { name: "t".to_owned(), partitions: Partitions::One, kept: Kept::Forever }]
    }

    fn record(payload: &str) -> OutRecord {
        OutRecord {
            topic: "t".into(),
            partition: 0,
            key: None,
            payload: Some(Bytes::from(payload.to_owned())),
            headers: vec![("h".to_owned(), Bytes::from_static(b"v"))],
            timestamp: Some(Timestamp::from_millis(5)),
        }
    }

    fn payloads(log: &dyn Log) -> Vec<String> {
        let records = log.read("t", 0, 0, 1 << 20).unwrap();
        records.iter().map(|record| String::from_utf8(record.payload.clone().unwrap().to_vec()).unwrap()).collect()
    }

    #[test]
    fn a_second_process_appends_through_the_one_that_holds_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let holder = Arc::new(LocalLog::open(folder.path(), &topics(), None).unwrap());
        let shutdown = Shutdown::new();
        let thread = take(holder.clone(), folder.path(), shutdown.clone()).unwrap();
        let joined = open_or_join(folder.path(), &topics()).unwrap();
        joined.append(vec![record("one"), record("two")]).unwrap();
        assert_eq!(payloads(&*joined), ["one", "two"]);
        assert_eq!(holder.read("t", 0, 0, 1 << 20).unwrap()[0].headers[0].0, "h");

        let unknown = OutRecord { topic: "nowhere".into(), ..record("three") };
        let refused = joined.append(vec![unknown]).unwrap_err().to_string();
        assert!(refused.contains("there is no topic nowhere"), "{refused}");
        assert_eq!(fs::read_dir(folder.path().join(FOLDER)).unwrap().count(), 0, "nothing is left behind");
        shutdown.set();
        thread.join().unwrap();
    }

    #[test]
    fn what_was_left_to_a_process_that_ended_is_appended_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let holder = LocalLog::open(folder.path(), &topics(), None).unwrap();
        let joined = open_or_join(folder.path(), &topics()).unwrap();
        let waits = std::thread::spawn(move || joined.append(vec![record("one")]));
        while waiting(&folder.path().join(FOLDER)).is_empty() {
            std::thread::yield_now();
        }
        drop(holder);
        waits.join().unwrap().unwrap();
        let log = LocalLog::inspect(folder.path()).unwrap();
        assert_eq!(payloads(&log), ["one"]);
    }
}
