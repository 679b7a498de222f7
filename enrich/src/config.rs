//! Settings of enrich, and the bounds that follow from them.

use std::time::Duration;

use schemas::Text;
use stream::settings::{parse_bytes, parse_duration};

/// The extractor of Claude Code's transcripts: a line for each block of a message, its usage growing.
const TRANSCRIPT: &str = "claude_code.transcript";

/// What enrich is started with beside the settings every service has.
#[derive(Debug, Clone, clap::Args)]
pub struct EnrichConfig {
    /// How long a call is remembered after its copy arrived.
    ///
    /// A copy that comes later is charged again and marked `unverified`. The changelog must be kept longer than this:
    /// the topic catalogue keeps it a week longer than the default.
    #[arg(long, env = "SPENDSTREAM_DEDUP_HORIZON", default_value = "35days", value_parser = parse_duration)]
    pub dedup_horizon: Duration,

    /// Memory for what is remembered of calls, over all partitions of the topic.
    ///
    /// Each partition gets its share, so one instance that holds them all stays within it. 384 MiB remember about 1.4
    /// million calls and 100,000 whole events. Beyond that the oldest are forgotten before the horizon.
    #[arg(long, env = "SPENDSTREAM_DEDUP_MEMORY_MAX", default_value = "384MiB", value_parser = parse_bytes)]
    pub dedup_memory_max: usize,

    /// Extractor whose source reports one call several times with growing usage; may be given many times.
    ///
    /// Of such copies the largest counts, and smaller ones are no conflict. Only for sources documented to do so.
    #[arg(long, env = "SPENDSTREAM_GROWING_EXTRACTORS", value_delimiter = ',', default_value = TRANSCRIPT)]
    pub growing_extractor: Vec<Text>,
}

impl Default for EnrichConfig {
    fn default() -> Self {
        EnrichConfig {
            dedup_horizon: Duration::from_secs(35 * 86_400),
            dedup_memory_max: 384 << 20,
            growing_extractor: vec![Text::const_new(TRANSCRIPT)],
        }
    }
}

/// Bounds of one partition's state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) horizon_seconds: i64,
    /// Ids of calls, links and corrections.
    pub(crate) ids_max: usize,
    /// Whole events, for charges that may have to be taken back.
    pub(crate) recent_bytes_max: usize,
    /// Unpriced calls that wait for a price.
    pub(crate) open_max: usize,
    /// Calls that corrections wait for.
    pub(crate) parked_max: usize,
    /// Corrections that wait for one call.
    pub(crate) parked_per_call_max: usize,
}

/// Memory of one id: 97 bytes in a table that is half full just after it has grown.
const ID_BYTES: usize = 160;

impl Limits {
    /// Five eighths for ids, a quarter for whole events, an eighth for what waits.
    pub(crate) fn of(config: &EnrichConfig, partitions: u32) -> Self {
        let share = config.dedup_memory_max / partitions.max(1) as usize;
        Limits {
            horizon_seconds: i64::try_from(config.dedup_horizon.as_secs()).unwrap_or(i64::MAX / 1_000_000),
            ids_max: (share / 8 * 5 / ID_BYTES).max(1_000),
            // A ring of bytes that grows by doubling may have room for twice what it holds.
            recent_bytes_max: (share / 8).max(64 * 1024),
            open_max: (share / 16 / 1024).max(100),
            parked_max: (share / 16 / 4096).max(100),
            parked_per_call_max: 16,
        }
    }
}
