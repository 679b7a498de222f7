//! Settings of enrich, and the bounds that follow from them.

use std::path::PathBuf;
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
    /// Each partition gets its share, so one instance that holds them all stays within it. 384 MiB have room for some
    /// 700,000 ids and 75,000 whole events. Older ids go to `--state-dir`, where each still takes two bytes of memory:
    /// 60 million ids in all. More means fewer look-ups on disk, and fewer batches of `usage.events` read
    /// again when better copies of older calls come.
    #[arg(long, env = "SPENDSTREAM_DEDUP_MEMORY_MAX", default_value = "384MiB", value_parser = parse_bytes)]
    pub dedup_memory_max: usize,

    /// Disk for ids of calls that are not in memory, over all partitions of the topic.
    ///
    /// An id takes about 90 bytes, and up to twice that while files are merged or still hold forgotten ids; the limit
    /// counts 128 for each. When it is reached the oldest calls are forgotten before the horizon: a copy that comes
    /// later is charged again and marked `unverified`.
    #[arg(long, env = "SPENDSTREAM_DEDUP_DISK_MAX", default_value = "4GiB", value_parser = parse_bytes)]
    pub dedup_disk_max: usize,

    /// Folder for ids that do not fit into memory.
    ///
    /// It is a cache: state is built from the changelog after every start. The files have no names and are freed when
    /// the process ends, so `df` shows what they take and `ls` does not show them. Put it on a local disk: on many
    /// systems the default is a folder in memory. While it is full, partitions stop.
    #[arg(long, env = "SPENDSTREAM_STATE_DIR", default_value_os_t = std::env::temp_dir(), value_name = "DIR")]
    pub state_dir: PathBuf,

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
            dedup_disk_max: 4 << 30,
            state_dir: std::env::temp_dir(),
            growing_extractor: vec![Text::const_new(TRANSCRIPT)],
        }
    }
}

/// Bounds of one partition's state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) horizon_seconds: i64,
    /// Ids of calls, links and corrections, wherever they are.
    pub(crate) ids_max: usize,
    /// Memory of ids, before the oldest go to disk.
    pub(crate) ids_bytes_max: usize,
    /// Whole events, for charges that may have to be taken back, of those that can be read again from the log.
    pub(crate) recent_bytes_max: usize,
    /// Whole events, of those that cannot.
    pub(crate) kept_bytes_max: usize,
    /// Unpriced calls that wait for a price.
    pub(crate) open_max: usize,
    /// Calls that corrections wait for.
    pub(crate) parked_max: usize,
    /// Corrections that wait for one call.
    pub(crate) parked_per_call_max: usize,
}

/// An id in memory: 97 bytes in a table that is half full just after it has grown.
const MEMORY_ID_BYTES: usize = 160;

/// An id on disk, with what is forgotten and not yet given back, and what is written while files are merged.
const DISK_ID_BYTES: usize = 128;

/// Memory an id on disk takes: twelve bits of a filter, and its share of the first key of a block.
const INDEX_ID_BYTES: usize = 2;

/// A call without a price: 33 bytes in a table that is half full just after it has grown, and its place in the queue while
/// a new book is tried.
const OPEN_BYTES: usize = 96;

impl Limits {
    /// Five sixteenths for ids in memory and as much to find those on disk, a quarter for whole events, an eighth for what
    /// waits.
    pub(crate) fn of(config: &EnrichConfig, partitions: u32) -> Self {
        let share = config.dedup_memory_max / partitions.max(1) as usize;
        let ids = share / 16 * 5;
        let on_disk = config.dedup_disk_max / partitions.max(1) as usize / DISK_ID_BYTES;
        Limits {
            horizon_seconds: i64::try_from(config.dedup_horizon.as_secs()).unwrap_or(i64::MAX / 1_000_000),
            ids_max: (ids / MEMORY_ID_BYTES + on_disk.min(ids / INDEX_ID_BYTES)).max(1_000),
            ids_bytes_max: ids,
            // A ring of bytes that grows by doubling may have room for twice what it holds.
            recent_bytes_max: (share / 32 * 3).max(64 * 1024),
            kept_bytes_max: (share / 32).max(64 * 1024),
            open_max: (share / 16 / OPEN_BYTES).max(100),
            parked_max: (share / 16 / 4096).max(100),
            parked_per_call_max: 16,
        }
    }
}
