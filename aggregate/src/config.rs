//! Settings of both stages.

use std::time::Duration;

use schemas::Granularity;

/// How long windows wait for stragglers, how often they are written, and how long they are held.
///
/// Both stages must run with the same graces: *combine* counts by them what is late, *merge* calls windows final by them.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// How long after its end an hour waits for stragglers.
    ///
    /// What arrives later is counted late and restates the hour. Longer means final numbers come later, not better ones.
    #[arg(long, env = "SPENDSTREAM_GRACE_HOUR", default_value = "1h", value_parser = humantime::parse_duration)]
    pub grace_hour: Duration,

    /// How long after its end a day waits for stragglers: long enough for a gateway that was cut off overnight.
    #[arg(long, env = "SPENDSTREAM_GRACE_DAY", default_value = "6h", value_parser = humantime::parse_duration)]
    pub grace_day: Duration,

    /// How long after its end a month waits for stragglers: daily exports of the last day are in by then.
    #[arg(long, env = "SPENDSTREAM_GRACE_MONTH", default_value = "2d", value_parser = humantime::parse_duration)]
    pub grace_month: Duration,

    /// How long after its end a quarter waits for stragglers.
    #[arg(long, env = "SPENDSTREAM_GRACE_QUARTER", default_value = "3d", value_parser = humantime::parse_duration)]
    pub grace_quarter: Duration,

    /// A window that keeps changing is written at most this often.
    ///
    /// Shorter means fresher dashboards and more records: at 5 s a busy key costs 17,000 records a day for each width
    /// of window.
    #[arg(long, env = "SPENDSTREAM_WINDOW_EVERY", default_value = "5s", value_parser = humantime::parse_duration)]
    pub window_every: Duration,

    /// How long after its end an hour is held in memory, about 0.3 KB each.
    ///
    /// Corrections to an hour that was dropped no longer restate it; its day, month and quarter still take them, and the
    /// count `expired.hour` shows their money.
    #[arg(long, env = "SPENDSTREAM_RETENTION_HOUR", default_value = "35d", value_parser = humantime::parse_duration)]
    pub retention_hour: Duration,

    /// How long after their end days, months, quarters and budget periods are held in memory.
    #[arg(long, env = "SPENDSTREAM_RETENTION", default_value = "400d", value_parser = humantime::parse_duration)]
    pub retention: Duration,

    /// How long spend must stay below a threshold, by the watermark, before the alert is taken back.
    ///
    /// A repricing reverses a charge and books it anew a moment later: shorter than that moment, alerts flap.
    #[arg(long, env = "SPENDSTREAM_RECOVERY_GRACE", default_value = "5m", value_parser = humantime::parse_duration)]
    pub recovery_grace: Duration,
}

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

impl Default for Config {
    fn default() -> Self {
        Config {
            grace_hour: Duration::from_secs(HOUR),
            grace_day: Duration::from_secs(6 * HOUR),
            grace_month: Duration::from_secs(2 * DAY),
            grace_quarter: Duration::from_secs(3 * DAY),
            window_every: Duration::from_secs(5),
            retention_hour: Duration::from_secs(35 * DAY),
            retention: Duration::from_secs(400 * DAY),
            recovery_grace: Duration::from_secs(300),
        }
    }
}

impl Config {
    /// Seconds a window of this width waits for stragglers.
    pub(crate) fn grace_seconds(&self, granularity: Granularity) -> i64 {
        seconds(match granularity {
            Granularity::Hour => self.grace_hour,
            Granularity::Day => self.grace_day,
            Granularity::Month => self.grace_month,
            Granularity::Quarter => self.grace_quarter,
        })
    }

    /// Seconds after its end for which a window of this width is held. Never less than its grace.
    pub(crate) fn retention_seconds(&self, granularity: Granularity) -> i64 {
        let held = match granularity {
            Granularity::Hour => self.retention_hour,
            _ => self.retention,
        };
        seconds(held).max(self.grace_seconds(granularity))
    }
}

/// Whole seconds, as timestamps count them.
pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn the_defaults_of_the_flags_are_the_defaults_of_the_type() {
        let flags = Flags::parse_from(["aggregate"]).config;
        assert_eq!(format!("{flags:?}"), format!("{:?}", Config::default()));
    }
}
