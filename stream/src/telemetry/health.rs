//! Health: what an orchestrator and an operator need to tell apart.

use std::time::Duration;

use serde::Serialize;

/// A lane that has not come by for this long is stuck: longer than any timeout it may wait for.
pub const STUCK_AFTER: Duration = Duration::from_secs(90);

/// What a partition is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "phase", content = "reason")]
pub enum Phase {
    /// Its state is read back. Takes as long as the state is large; the service is not ready.
    Restoring,
    /// Records are processed.
    Running,
    /// It stopped and waits for an operator; starting again does not help.
    Halted(String),
}

/// One partition of a stage or table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionHealth {
    /// Stage or table.
    pub stage: String,
    /// Topic it reads.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// What it is doing, and why it halted.
    #[serde(flatten)]
    pub phase: Phase,
    /// For how long.
    pub seconds: u64,
    /// Seconds since its lane last came by.
    pub silent_seconds: u64,
}

/// Health of the process: the worst of its partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// `running`, `joining`, `restoring`, `halted` or `stuck`.
    pub status: &'static str,
    /// False when starting again would help: what a liveness probe asks.
    #[serde(skip)]
    pub alive: bool,
    /// True when it is known which partitions are its own, and each has its state: what a readiness probe asks.
    #[serde(skip)]
    pub ready: bool,
    /// Every partition.
    pub partitions: Vec<PartitionHealth>,
}

impl Health {
    pub(super) fn of(partitions: Vec<PartitionHealth>, joining: bool) -> Self {
        let stuck = partitions.iter().any(|partition| partition.silent_seconds >= STUCK_AFTER.as_secs());
        let restoring = partitions.iter().any(|partition| partition.phase == Phase::Restoring);
        let halted = partitions.iter().any(|partition| matches!(partition.phase, Phase::Halted(_)));
        let status = match (stuck, halted, restoring, joining) {
            (true, ..) => "stuck",
            (_, true, ..) => "halted",
            (_, _, true, _) => "restoring",
            (.., true) => "joining",
            _ => "running",
        };
        Health { status, alive: !stuck, ready: !restoring && !stuck && !joining, partitions }
    }
}
