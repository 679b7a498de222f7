//! The events of the benchmark: OpenAI chat completions of about 630 bytes in a plain JSON envelope. Event `n` is the same
//! in every run but for its time.

use std::fmt::Write as _;

use schemas::Timestamp;

/// Models that the example price book has, so that every event is priced.
const MODELS: [&str; 10] = [
    "gpt-4o-2024-08-06",
    "gpt-4o-mini-2024-07-18",
    "gpt-4.1-2025-04-14",
    "gpt-4.1-mini-2025-04-14",
    "gpt-5-2025-08-07",
    "gpt-5-mini-2025-08-07",
    "gpt-5-nano-2025-08-07",
    "o3-2025-04-16",
    "gpt-4o-2024-05-13",
    "gpt-4o-2024-11-20",
];

const ENVIRONMENTS: [&str; 3] = ["production", "staging", "development"];
const USE_CASES: [&str; 5] = ["search", "chat", "summarize", "extract", "classify"];

/// API keys in use, and the teams they belong to.
pub const KEYS: u64 = 2_000;
/// Teams.
pub const TEAMS: u64 = 200;

/// Events of a company whose spend falls into this many cells: combinations of team, project, environment, model and
/// use case.
#[derive(Debug, Clone, Copy)]
pub struct Events {
    /// Number of cells.
    pub cells: u64,
}

impl Default for Events {
    /// 200 teams with two projects each, in three environments, on four models.
    fn default() -> Self {
        Events { cells: 4_800 }
    }
}

/// Spreads numbers: `splitmix64`.
pub fn mix(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Which event the `nth` record holds: one in a hundred is a copy of an event up to 5,000 records earlier.
pub fn number(nth: u64) -> u64 {
    if nth % 100 != 99 || nth < 6_000 {
        return nth;
    }
    let earlier = nth - 1 - mix(nth) % 5_000;
    if earlier % 100 == 99 { earlier - 1 } else { earlier }
}

/// How many of the first records hold events that no earlier one held.
pub fn originals(records: u64) -> u64 {
    (0..records).filter(|nth| number(*nth) == *nth).count() as u64
}

impl Events {
    /// Writes event `number` and returns its id.
    pub fn write(self, number: u64, time: Timestamp, key: Option<&str>, out: &mut String) -> String {
        let a = mix(number ^ 0xa11ce);
        let b = mix(a);
        let id = format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff
        );
        let cell = mix(b ^ 3) % self.cells;
        let projects = (self.cells / 12).max(1);
        let (project, environment) = (cell % projects, ENVIRONMENTS[(cell / projects % 3) as usize]);
        let team = cell % TEAMS;
        let model = MODELS[((cell / projects / 3 % 4 + team) % 10) as usize];
        let prompt = 50 + mix(b) % 12_000;
        let cached = if a.is_multiple_of(3) { prompt / 2 / 128 * 128 } else { 0 };
        let completion = 1 + mix(b ^ 1) % 2_000;
        let reasoning = if a.is_multiple_of(5) { completion / 3 } else { 0 };
        let stated = time.to_datetime().unwrap_or_default();
        out.clear();
        let own = format!("key-{}", cell % KEYS);
        let _ = write!(
            out,
            r#"{{"id":"{id}","source":"gw-{}","time":"{}","team_hint":"team-{team}","api_key_id":"{}","response":{{"id":"chatcmpl-{:016x}{:013x}","object":"chat.completion","created":{},"model":"{model}","service_tier":"default","usage":{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{},"prompt_tokens_details":{{"cached_tokens":{cached},"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":{reasoning},"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}}},"tags":{{"environment":"{environment}","project":"project-{project}","use_case":"{}"}}}}"#,
            1 + a % 8,
            stated.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            key.unwrap_or(&own),
            mix(a ^ 7),
            mix(a ^ 8) >> 12,
            time.millis() / 1_000,
            prompt + completion,
            USE_CASES[(cell % 5) as usize],
        );
        id
    }
}
