//! Every metric of the lake. Counted per flush, never per record.

use std::time::Duration;

use anyhow::Context;
use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

const TABLE: &[&str] = &["table"];

/// How an attempt to commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is in the table.
    Committed,
    /// Somebody else had moved the same partitions, or compacted the same files: nothing of it is in the table.
    Conflict,
    /// The store refused or did not answer; the table was read to find out.
    Unknown,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Committed => "committed",
            Outcome::Conflict => "conflict",
            Outcome::Unknown => "unknown",
        }
    }
}

/// The metrics of one lake, one label value per table.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Unit: rows.
    rows: IntCounterVec,
    /// Unit: files.
    files: IntCounterVec,
    /// Unit: bytes, as stored.
    file_bytes: IntCounterVec,
    /// Unit: attempts, by outcome.
    commits: IntCounterVec,
    /// Unit: seconds.
    flush_seconds: HistogramVec,
    /// Unit: bytes.
    buffered: IntGaugeVec,
    /// Unit: files replaced by larger ones.
    compacted: IntCounterVec,
    /// Unit: files deleted.
    vacuumed: IntCounterVec,
}

impl Default for Metrics {
    fn default() -> Self {
        let valid = "names and labels are constants";
        let counter = |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        // From a folder's milliseconds up to a store that had to be asked many times.
        let buckets = vec![0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0];
        let seconds = HistogramOpts::new("spendstream_lake_flush_seconds", "From a full buffer to its commit.");
        Metrics {
            rows: counter("spendstream_lake_rows_total", "Rows committed.", TABLE).expect(valid),
            files: counter("spendstream_lake_files_total", "Files committed by flushes.", TABLE).expect(valid),
            file_bytes: counter("spendstream_lake_file_bytes_total", "Bytes of those files.", TABLE).expect(valid),
            commits: counter(
                "spendstream_lake_commits_total",
                "Attempts to commit: committed, conflict (another writer was quicker), unknown (read back to find out).",
                &["table", "outcome"],
            )
            .expect(valid),
            flush_seconds: HistogramVec::new(seconds.buckets(buckets), TABLE).expect(valid),
            buffered: IntGaugeVec::new(
                Opts::new("spendstream_lake_buffered_bytes", "Rows read and not yet committed."),
                TABLE,
            )
            .expect(valid),
            compacted: counter("spendstream_lake_compacted_files_total", "Files replaced by larger ones.", TABLE)
                .expect(valid),
            vacuumed: counter("spendstream_lake_vacuumed_files_total", "Files deleted by vacuum, counted at each run until the log forgets them.", TABLE).expect(valid),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &Registry) -> anyhow::Result<()> {
        let all: [Box<dyn Collector>; 8] = [
            Box::new(self.rows.clone()),
            Box::new(self.files.clone()),
            Box::new(self.file_bytes.clone()),
            Box::new(self.commits.clone()),
            Box::new(self.flush_seconds.clone()),
            Box::new(self.buffered.clone()),
            Box::new(self.compacted.clone()),
            Box::new(self.vacuumed.clone()),
        ];
        all.into_iter().try_for_each(|metric| registry.register(metric).context("register the lake's metrics"))
    }

    pub(crate) fn table(&self, name: &str) -> TableMetrics {
        let labels = &[name];
        TableMetrics {
            rows: self.rows.with_label_values(labels),
            files: self.files.with_label_values(labels),
            file_bytes: self.file_bytes.with_label_values(labels),
            commits: [Outcome::Committed, Outcome::Conflict, Outcome::Unknown]
                .map(|outcome| self.commits.with_label_values(&[name, outcome.as_str()])),
            flush_seconds: self.flush_seconds.with_label_values(labels),
            buffered: self.buffered.with_label_values(labels),
            compacted: self.compacted.with_label_values(labels),
            vacuumed: self.vacuumed.with_label_values(labels),
        }
    }
}

/// The metrics of one table. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct TableMetrics {
    rows: IntCounter,
    files: IntCounter,
    file_bytes: IntCounter,
    commits: [IntCounter; 3],
    flush_seconds: Histogram,
    buffered: IntGauge,
    compacted: IntCounter,
    vacuumed: IntCounter,
}

impl TableMetrics {
    /// A flush that is in the table.
    pub(crate) fn flushed(&self, rows: usize, files: usize, bytes: i64, took: Duration) {
        self.rows.inc_by(rows as u64);
        self.files.inc_by(files as u64);
        self.file_bytes.inc_by(bytes.unsigned_abs());
        self.flush_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn commit(&self, outcome: Outcome) {
        self.commits[outcome as usize].inc();
    }

    /// Bytes that wait or are being written, in place of those told before.
    pub(crate) fn held(&self, bytes: usize, before: usize) {
        self.buffered.add(bytes as i64 - before as i64);
    }

    pub(crate) fn compacted(&self, files: usize) {
        self.compacted.inc_by(files as u64);
    }

    pub(crate) fn vacuumed(&self, files: usize) {
        self.vacuumed.inc_by(files as u64);
    }

    #[cfg(test)]
    pub(crate) fn counted(&self) -> [u64; 5] {
        let [committed, conflict, unknown] = &self.commits;
        [self.rows.get(), self.files.get(), committed.get(), conflict.get(), unknown.get()]
    }
}
