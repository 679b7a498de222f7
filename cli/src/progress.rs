//! What a person sees while records are on their way: one line that moves on a terminal, a plain line now and then
//! elsewhere. Goes to standard error.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use schemas::codec::Format;
use schemas::{LedgerEntry, topics};
use stream::Log;

use crate::amount::count;

/// A moving line moves this often.
const FRAME: Duration = Duration::from_millis(200);

/// A plain line is written this often.
const PLAIN: Duration = Duration::from_secs(10);

/// Shows how far the records have come until it is finished.
#[derive(Debug)]
pub struct Progress {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    fed: AtomicU64,
    done: AtomicBool,
}

impl Progress {
    /// Starts showing.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(log: Arc<impl Log + 'static>) -> anyhow::Result<Self> {
        let shared = Arc::<Shared>::default();
        let shown = shared.clone();
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(move || show(&*log, &shown));
        Ok(Progress { shared, thread: Some(thread.context("start the progress line")?) })
    }

    /// Notes that records were appended.
    pub fn fed(&self, records: u64) {
        self.shared.fed.fetch_add(records, Ordering::Relaxed);
    }

    /// Stops showing; the line stays as it was last.
    pub fn finish(self) {
        drop(self);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.shared.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic in it was reported already, and nothing depends on it.
            let _ = thread.join();
        }
    }
}

fn show(log: &dyn Log, shared: &Shared) {
    let terminal = std::io::stderr().is_terminal();
    let mut books = Books::default();
    let (mut shown_at, mut last) = (Instant::now(), String::new());
    loop {
        let done = shared.done.load(Ordering::Relaxed);
        if terminal || done || shown_at.elapsed() >= PLAIN {
            // A log that cannot be read shows itself elsewhere; the line only stands still.
            let line = books.line(log, shared.fed.load(Ordering::Relaxed)).unwrap_or_else(|_| last.clone());
            if line != last {
                let mut out = std::io::stderr().lock();
                let _ = match terminal {
                    true => write!(out, "\r\x1b[2K{line}").and_then(|()| out.flush()),
                    false => writeln!(out, "{line}"),
                };
                last = line;
            }
            shown_at = Instant::now();
        }
        if done {
            if terminal && !last.is_empty() {
                eprintln!();
            }
            return;
        }
        std::thread::park_timeout(FRAME);
    }
}

/// The newest books of every stage, followed as they are written.
#[derive(Default)]
struct Books {
    next: i64,
    newest: BTreeMap<Bytes, LedgerEntry>,
}

impl Books {
    fn line(&mut self, log: &dyn Log, fed: u64) -> anyhow::Result<String> {
        let format = Format::<LedgerEntry>::new();
        let mut newest = BTreeMap::new();
        self.next = stream::log::scan(log, topics::LEDGER, 0, self.next, |record| {
            if let (Some(key), Some(payload)) = (&record.key, &record.payload) {
                newest.insert(key.clone(), payload.clone());
            }
            Ok(())
        })?;
        for (key, payload) in newest {
            self.newest.insert(key, format.decode(&payload)?);
        }
        let counted = |stage: &str, name: &str| -> i64 {
            let entries = self.newest.values().filter(|entry| entry.stage == stage);
            entries.flat_map(|entry| &entry.counts).filter(|count| count.name == name).map(|count| count.count).sum()
        };
        let (records, events) = (counted("ingest", "records"), counted("ingest", "events"));
        let (charged, summed) = (counted("enrich", "events"), counted("combine", "charges"));
        Ok(format!(
            "{} records fed, {} read, {} events, {} deduplicated and priced, {} charges summed",
            count(i64::try_from(fed).unwrap_or(i64::MAX)),
            count(records),
            count(events),
            count(charged),
            count(summed)
        ))
    }
}
