//! Every metric of enrich's memory of calls. Reported per transaction, never per record.

use anyhow::Context;
use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::calls::Calls;

/// `kind`: `call` (a charge that stands), `weak_key` (a key another may be stronger than), `link`, `correction`.
const KIND: &[&str] = &["partition", "kind"];

/// The metrics of what is remembered, over all partitions.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Unit: ids.
    memory_ids: IntGaugeVec,
    /// Unit: ids, about.
    disk_ids: IntGaugeVec,
    /// Unit: bytes: tables of ids in memory, filters and indexes of those on disk.
    memory_bytes: IntGaugeVec,
    /// Unit: bytes.
    disk_bytes: IntGaugeVec,
    /// Unit: files.
    files: IntGaugeVec,
    /// Unit: blocks of about 4 KiB.
    disk_reads: IntCounterVec,
    /// Unit: batches of `usage.events`.
    batches_read_again: IntCounterVec,
    /// Unit: seconds since 1970; 0 while nothing is forgotten.
    frontier: IntGaugeVec,
}

impl Default for Metrics {
    fn default() -> Self {
        let valid = "names and labels are constants";
        let gauge = |name: &str, help: &str, labels: &[&str]| IntGaugeVec::new(Opts::new(name, help), labels);
        let reads = Opts::new("spendstream_calls_disk_reads_total", "Blocks read from disk to find an id.");
        let again = Opts::new(
            "spendstream_calls_batches_read_again_total",
            "Batches of usage.events read again to take a charge back whose event is no longer in memory.",
        );
        Metrics {
            memory_ids: gauge("spendstream_calls_memory_ids", "Ids in memory.", KIND).expect(valid),
            disk_ids: gauge("spendstream_calls_disk_ids", "Ids on disk, about.", KIND).expect(valid),
            memory_bytes: gauge(
                "spendstream_calls_memory_bytes",
                "Memory of ids: tables of those in memory, filters and indexes of those on disk.",
                KIND,
            )
            .expect(valid),
            disk_bytes: gauge("spendstream_calls_disk_bytes", "Files of ids in --state-dir.", KIND).expect(valid),
            files: gauge("spendstream_calls_disk_files", "Number of those files.", KIND).expect(valid),
            disk_reads: IntCounterVec::new(reads, &["partition"]).expect(valid),
            batches_read_again: IntCounterVec::new(again, &["partition"]).expect(valid),
            frontier: gauge(
                "spendstream_calls_frontier_timestamp_seconds",
                "Calls that arrived before this are forgotten; 0 while none are.",
                &["partition"],
            )
            .expect(valid),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &Registry) -> anyhow::Result<()> {
        let collectors: [Box<dyn Collector>; 8] = [
            Box::new(self.memory_ids.clone()),
            Box::new(self.disk_ids.clone()),
            Box::new(self.memory_bytes.clone()),
            Box::new(self.disk_bytes.clone()),
            Box::new(self.files.clone()),
            Box::new(self.disk_reads.clone()),
            Box::new(self.batches_read_again.clone()),
            Box::new(self.frontier.clone()),
        ];
        collectors
            .into_iter()
            .try_for_each(|collector| registry.register(collector))
            .context("register metrics of calls")
    }

    /// What a partition remembers now, and how many batches it has read again meanwhile.
    pub(crate) fn remembers(&self, partition: u32, calls: &Calls, batches_read_again: u64) {
        let partition = partition.to_string();
        for (kind, room) in calls.rooms() {
            let labels = [partition.as_str(), kind];
            let set = |gauge: &IntGaugeVec, value: u64| {
                gauge.with_label_values(&labels).set(i64::try_from(value).unwrap_or(i64::MAX));
            };
            set(&self.memory_ids, room.memory_entries as u64);
            set(&self.disk_ids, room.disk_entries as u64);
            set(&self.memory_bytes, (room.memory_bytes + room.index_bytes) as u64);
            set(&self.disk_bytes, room.disk_bytes);
            set(&self.files, room.files as u64);
        }
        self.disk_reads.with_label_values(&[&partition]).inc_by(calls.take_disk_reads());
        self.batches_read_again.with_label_values(&[&partition]).inc_by(batches_read_again);
        let frontier = calls.clock.frontier.micros().div_euclid(1_000_000).max(0);
        self.frontier.with_label_values(&[&partition]).set(frontier);
    }

    /// A partition moved on: its gauges would be wrong for ever.
    pub(crate) fn gone(&self, partition: u32) {
        let partition = partition.to_string();
        for gauge in [&self.memory_ids, &self.disk_ids, &self.memory_bytes, &self.disk_bytes, &self.files] {
            for kind in ["call", "weak_key", "link", "correction"] {
                // Not there when nothing was committed.
                let _ = gauge.remove_label_values(&[&partition, kind]);
            }
        }
        let _ = self.frontier.remove_label_values(&[&partition]);
    }
}
