//! `windows`: revisions of windows; the newest of a key holds.

use schemas::codec::Format;
use schemas::ids::hash_parts;
use schemas::wire::Wire;
use schemas::{Id128, Window, topics};
use stream::Record;

use super::{Decoded, Row, Rows, single_item};
use crate::column::{Column, long, money, quantity, text, time};

/// The table `windows`.
#[derive(Debug)]
pub struct Windows(Format<Window>);

impl Rows for Windows {
    type Item = Window;
    const TABLE: &'static str = "windows";
    const TOPIC: &'static str = topics::WINDOWS;
    const ABOUT: &'static str = "Revisions of windows, each whole. For each (tenant, team, project, environment, \
         provider, model, use_case, currency, granularity, start) the row with the highest `revision` holds; revisions \
         in between may be missing.";
    const SORT: &'static [&'static str] = &["tenant", "team", "start"];

    fn new() -> Self {
        Windows(Format::new())
    }

    fn decode(&self, record: &Record<'_>) -> Result<Decoded<Window>, String> {
        single_item(&self.0, record)
    }

    fn event_date(window: &Window) -> i32 {
        window.start.days()
    }

    fn key(window: &Window) -> Option<Id128> {
        let mut key = Vec::with_capacity(128);
        window.key.put(&mut key);
        window.granularity.put(&mut key);
        window.start.put(&mut key);
        Some(hash_parts([key.as_slice()]))
    }

    fn columns() -> Vec<Column<Row<Window>>> {
        const IN: &str = "`currency`";
        vec![
            text("tenant", "Tenant.", |row| Some(&row.item.key.tenant)),
            text("team", "Team; null is unallocated.", |row| row.item.key.team.as_deref()),
            text("project", "Project.", |row| row.item.key.project.as_deref()),
            text("environment", "Environment.", |row| row.item.key.environment.as_deref()),
            text("provider", "Provider.", |row| Some(&row.item.key.provider)),
            text("model", "Model.", |row| Some(&row.item.key.model)),
            text("use_case", "Use case.", |row| row.item.key.use_case.as_deref()),
            text("currency", "ISO 4217 currency of the sums.", |row| Some(&row.item.key.currency)),
            text("granularity", "hour, day, month or quarter, in UTC.", |row| Some(row.item.granularity.as_str())),
            time("start", "Start, inclusive.", |row| Some(row.item.start)),
            time("end", "End, exclusive.", |row| Some(row.item.end)),
            long("revision", "", "Grows with every upsert.", |row| Some(row.item.revision)),
            text("status", "provisional, final or restated.", |row| Some(row.item.status.as_str())),
            long("charges", "rows", "Charge rows.", |row| Some(row.item.sums.charges)),
            long("requests", "calls", "Calls.", |row| Some(row.item.sums.requests)),
            money("list_cost", IN, "Cost at list price.", |row| Some(row.item.sums.list)),
            money("contracted_cost", IN, "Cost under contract.", |row| Some(row.item.sums.contracted)),
            money("effective_cost", IN, "Effective cost.", |row| Some(row.item.sums.effective)),
            long("unpriced_requests", "calls", "Calls without a price, or with a partial one.", |row| {
                Some(row.item.sums.unpriced_requests)
            }),
            quantity("unpriced_tokens", "tokens", "Tokens without a price.", |row: &Row<Window>| {
                Some(row.item.sums.unpriced_tokens)
            }),
            quantity("input_tokens", "tokens", "Input tokens at the full rate.", |row: &Row<Window>| {
                Some(row.item.sums.input_tokens)
            }),
            quantity("cache_read_tokens", "tokens", "Input tokens served from a cache.", |row: &Row<Window>| {
                Some(row.item.sums.cache_read_tokens)
            }),
            quantity("cache_write_tokens", "tokens", "Input tokens written to a cache.", |row: &Row<Window>| {
                Some(row.item.sums.cache_write_tokens)
            }),
            quantity("output_tokens", "tokens", "Output tokens, reasoning among them.", |row: &Row<Window>| {
                Some(row.item.sums.output_tokens)
            }),
            quantity("reasoning_tokens", "tokens", "Reasoning tokens.", |row: &Row<Window>| {
                Some(row.item.sums.reasoning_tokens)
            }),
            long("late", "rows", "Charge rows that arrived after end and grace.", |row| Some(row.item.late)),
            time("watermark", "Watermark when this was written.", |row| Some(row.item.watermark)),
            time("emitted_at", "When this was written.", |row| Some(row.item.emitted_at)),
        ]
    }
}
