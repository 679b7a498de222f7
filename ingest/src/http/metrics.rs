//! What the front door counts.

use axum::http::StatusCode;
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// Counters of the front door.
#[derive(Debug)]
pub(super) struct DoorMetrics {
    /// `spendstream_door_requests_total{protocol="http|otlp|grpc", status}`: requests answered, by HTTP status; gRPC's are
    /// counted by the status that HTTP would have had.
    requests: IntCounterVec,
    /// `spendstream_door_records_total`: raw records appended.
    records: IntCounter,
}

impl Default for DoorMetrics {
    fn default() -> Self {
        let requests = Opts::new("spendstream_door_requests_total", "Requests answered, by protocol and HTTP status.");
        let records = Opts::new("spendstream_door_records_total", "Raw records appended by the front door.");
        DoorMetrics {
            requests: IntCounterVec::new(requests, &["protocol", "status"]).expect("the names are legal"),
            records: IntCounter::with_opts(records).expect("the name is legal"),
        }
    }
}

impl DoorMetrics {
    pub(super) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.requests.clone()))?;
        registry.register(Box::new(self.records.clone()))
    }

    pub(super) fn answered(&self, protocol: &str, status: StatusCode) {
        self.requests.with_label_values(&[protocol, status.as_str()]).inc();
    }

    pub(super) fn stored(&self, records: u64) {
        self.records.inc_by(records);
    }
}
