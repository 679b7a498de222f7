//! Every metric of the runtime. Counted per transaction, never per record.

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::{Commit, Key, Outcome};
use crate::clock::now;

/// Most names of counts one partition may show: a stage has a few dozen; more is a mistake, not a dashboard.
const NAMES_MAX: usize = 256;

/// Counts that say how things stand, and fall again: a counter would show the most there ever were.
const STANDING: [&str; 4] = ["unpriced", "partial", "unallocated", "corrections.parked"];

const PARTITION: &[&str] = &["stage", "topic", "partition"];
const LEDGER: &[&str] = &["stage", "topic", "partition", "name"];

/// The metrics of the runtime, in one registry.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) registry: Registry,
    /// Unit: items. The named counts of the books, as `spend.ledger` has them.
    ledger: IntCounterVec,
    /// Unit: items. Of these, those that fall again.
    standing: IntGaugeVec,
    /// Unit: records.
    records: IntCounterVec,
    /// Unit: bytes.
    bytes: IntCounterVec,
    /// Unit: transactions, by outcome.
    transactions: IntCounterVec,
    /// Unit: seconds.
    transaction_seconds: HistogramVec,
    /// Unit: offsets.
    lag: IntGaugeVec,
    /// Unit: records.
    hidden: IntGaugeVec,
    /// Unit: seconds since 1970.
    committed_at: IntGaugeVec,
    /// Unit: seconds since 1970.
    watermark: IntGaugeVec,
    /// Unit: bytes.
    state: IntGaugeVec,
    /// 1 when the partition waits for an operator.
    halted: IntGaugeVec,
    /// Unit: failures in a row.
    table_failures: IntGaugeVec,
    /// Unit: clients.
    clients_replaced: IntCounterVec,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let valid = "names and labels are constants";
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let vec = IntCounterVec::new(Opts::new(name, help), labels).expect(valid);
            registry.register(Box::new(vec.clone())).expect(valid);
            vec
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            let vec = IntGaugeVec::new(Opts::new(name, help), labels).expect(valid);
            registry.register(Box::new(vec.clone())).expect(valid);
            vec
        };
        let of_partition = |name: &str, help: &str| gauge(name, help, PARTITION);
        // From a local commit of a millisecond up to the transaction timeout.
        let buckets = vec![0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0];
        let seconds = HistogramOpts::new("spendstream_transaction_seconds", "From the first record to the commit.");
        let seconds = HistogramVec::new(seconds.buckets(buckets), &["stage"]).expect(valid);
        registry.register(Box::new(seconds.clone())).expect(valid);
        Metrics {
            ledger: counter(
                "spendstream_ledger_items_total",
                "The named counts of each stage's books since it began, as on spend.ledger.",
                LEDGER,
            ),
            standing: gauge(
                "spendstream_ledger_standing_items",
                "What stands now by each stage's books: without a price or an owner, corrections that wait.",
                LEDGER,
            ),
            records: counter("spendstream_records_total", "Records read and committed.", PARTITION),
            bytes: counter("spendstream_record_bytes_total", "Bytes of records read and committed.", PARTITION),
            transactions: counter("spendstream_transactions_total", "Transactions.", &["stage", "outcome"]),
            transaction_seconds: seconds,
            lag: of_partition("spendstream_lag_records", "Offsets between the position and the end of the partition."),
            hidden: gauge(
                "spendstream_hidden_records",
                "Records behind a transaction that stays open, of whatever producer: no reader is given them.",
                &["topic", "partition"],
            ),
            committed_at: of_partition(
                "spendstream_committed_timestamp_seconds",
                "When the partition was last committed, or taken over since, seconds since 1970.",
            ),
            watermark: of_partition("spendstream_watermark_timestamp_seconds", "Watermark, seconds since 1970."),
            state: of_partition("spendstream_state_bytes", "State in memory, estimated."),
            halted: of_partition(
                "spendstream_partition_halted",
                "1 when the partition waits for an operator; see the log.",
            ),
            table_failures: gauge(
                "spendstream_table_failures",
                "Times in a row that the table's store could not be read or written; 0 when it can.",
                &["table"],
            ),
            clients_replaced: counter(
                "spendstream_clients_replaced_total",
                "Clients of Kafka that gave no answer for long and were replaced, by the stage or table they read for.",
                &["stage"],
            ),
            registry,
        }
    }
}

impl Metrics {
    pub(super) fn halted(&self, (stage, topic, partition): &Key, halted: bool) {
        self.halted.with_label_values(&[stage, topic, &*partition.to_string()]).set(i64::from(halted));
    }

    pub(super) fn table_failures(&self, table: &str, failures: u32) {
        self.table_failures.with_label_values(&[table]).set(i64::from(failures));
    }

    pub(super) fn client_replaced(&self, of: &str) {
        self.clients_replaced.with_label_values(&[of]).inc();
    }

    pub(super) fn behind(&self, (stage, topic, partition): &Key, lag: i64) {
        self.lag.with_label_values(&[stage, topic, &*partition.to_string()]).set(lag);
    }

    /// A partition was taken over: from now on it is to commit.
    pub(super) fn taken(&self, (stage, topic, partition): &Key) {
        self.committed_now(&[stage, topic, &*partition.to_string()]);
    }

    fn committed_now(&self, labels: &[&str; 3]) {
        self.committed_at.with_label_values(labels).set(now().micros().div_euclid(1_000_000));
    }

    pub(super) fn hidden(&self, topic: &str, partition: u32, records: Option<i64>) {
        let number = partition.to_string();
        let labels = [topic, number.as_str()];
        match records {
            Some(records) => self.hidden.with_label_values(&labels).set(records),
            // Not there when it was never asked for.
            None => drop(self.hidden.remove_label_values(&labels)),
        }
    }

    pub(super) fn committed(&self, (stage, topic, partition): &Key, commit: &Commit<'_>) {
        let number = partition.to_string();
        let labels = [stage.as_ref(), topic.as_ref(), number.as_str()];
        self.records.with_label_values(&labels).inc_by(commit.records as u64);
        self.bytes.with_label_values(&labels).inc_by(commit.bytes as u64);
        self.lag.with_label_values(&labels).set(commit.lag);
        self.committed_now(&labels);
        self.watermark.with_label_values(&labels).set(commit.books.watermark.micros().div_euclid(1_000_000));
        self.state.with_label_values(&labels).set(i64::try_from(commit.state_bytes).unwrap_or(i64::MAX));
        self.transactions.with_label_values(&[stage, "committed"]).inc();
        self.seconds(stage).observe(commit.took.as_secs_f64());
        for count in commit.books.counts.iter().take(NAMES_MAX) {
            let labels = [labels[0], labels[1], labels[2], count.name.as_str()];
            if STANDING.contains(&count.name.as_str()) {
                self.standing.with_label_values(&labels).set(count.count);
                continue;
            }
            let counter = self.ledger.with_label_values(&labels);
            // The books are cumulative and survive restarts: the counter is brought up to them, not added to.
            let behind = u64::try_from(count.count).unwrap_or(0).saturating_sub(counter.get());
            counter.inc_by(behind);
        }
    }

    pub(super) fn flushed(&self, (stage, topic, partition): &Key, records: usize, took: std::time::Duration, lag: i64) {
        let number = partition.to_string();
        let labels = [stage.as_ref(), topic.as_ref(), number.as_str()];
        self.committed_now(&labels);
        self.records.with_label_values(&labels).inc_by(records as u64);
        self.lag.with_label_values(&labels).set(lag);
        self.transactions.with_label_values(&[stage, "committed"]).inc();
        self.seconds(stage).observe(took.as_secs_f64());
    }

    pub(super) fn aborted(&self, (stage, ..): &Key, outcome: Outcome) {
        self.transactions.with_label_values(&[stage, outcome.as_str()]).inc();
    }

    /// Gauges of a partition that moved on would be wrong for ever; counters stay, as counters do.
    pub(super) fn released(&self, (stage, topic, partition): &Key) {
        let number = partition.to_string();
        let labels = [stage.as_ref(), topic.as_ref(), number.as_str()];
        for gauge in [&self.lag, &self.committed_at, &self.watermark, &self.state, &self.halted] {
            // Not there when nothing was committed.
            let _ = gauge.remove_label_values(&labels);
        }
        for name in STANDING {
            let _ = self.standing.remove_label_values(&[labels[0], labels[1], labels[2], name]);
        }
    }

    fn seconds(&self, stage: &str) -> Histogram {
        self.transaction_seconds.with_label_values(&[stage])
    }
}
