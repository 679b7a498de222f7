//! Hashes that name windows and budget periods: in state, in changelogs, in topics, and for choosing partitions.

use schemas::ids::hash_parts;
use schemas::{BudgetPeriod, Granularity, Id128, Text, Timestamp, WindowKey};

/// Hash of a window key. Null and empty text differ.
pub fn of_key(key: &WindowKey) -> Id128 {
    fn opt(text: &Option<Text>) -> [&[u8]; 2] {
        match text {
            Some(text) => [b"1", text.as_bytes()],
            None => [b"0", b""],
        }
    }
    let [team, project, environment, use_case] =
        [opt(&key.team), opt(&key.project), opt(&key.environment), opt(&key.use_case)];
    hash_parts([
        b"window".as_slice(),
        key.tenant.as_bytes(),
        team[0],
        team[1],
        project[0],
        project[1],
        environment[0],
        environment[1],
        key.provider.as_bytes(),
        key.model.as_bytes(),
        use_case[0],
        use_case[1],
        key.currency.as_bytes(),
    ])
}

/// Hash of one window of a key.
pub fn of_window(key: Id128, granularity: Granularity, start: Timestamp) -> Id128 {
    hash_parts([&key.0, granularity.as_str().as_bytes(), &start.micros().to_be_bytes()])
}

/// Hash of one period of a budget scope.
pub fn of_period(scope: Id128, period: BudgetPeriod, start: Timestamp) -> Id128 {
    hash_parts([b"period".as_slice(), &scope.0, period.as_str().as_bytes(), &start.micros().to_be_bytes()])
}

/// Hash of a budget: all it writes is in one partition.
pub fn of_budget(tenant: &str, budget: &str) -> Id128 {
    hash_parts([b"budget".as_slice(), tenant.as_bytes(), budget.as_bytes()])
}

/// Key of a record of `spend.windows`: `day/2026-11-22T00:00:00Z/<hash of the key>`.
pub fn window_record(key: Id128, granularity: Granularity, start: Timestamp) -> String {
    format!("{granularity}/{start}/{key}")
}

/// Key of a record of `budget.state`: `<tenant>/<budget>/month/2026-11-01T05:00:00Z`.
pub fn state_record(tenant: &str, budget: &str, period: BudgetPeriod, start: Timestamp) -> String {
    format!("{tenant}/{budget}/{period}/{start}")
}
