//! The state of one window, and when it is written as what.

use std::sync::Arc;

use schemas::wire::{Reader, Wire, WireError};
use schemas::{AmountError, Granularity, Sums, Timestamp, Window, WindowKey, WindowStatus};

use crate::calendar::Span;
use crate::{Config, fold};

/// One window of one key.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowState {
    /// Key; shared with the key's other windows.
    pub key: Arc<WindowKey>,
    /// Width.
    pub granularity: Granularity,
    /// Span.
    pub span: Span,
    /// Sums.
    pub sums: Sums,
    /// Charge rows that arrived late.
    pub late: i64,
    /// Revision last written; 0 before the first.
    pub revision: i64,
    /// True once it was written as final.
    pub settled: bool,
    /// True when it changed since it was last written.
    pub dirty: bool,
    /// When it was last written.
    pub emitted_at: Timestamp,
}

impl WindowState {
    /// Empty.
    pub fn new(key: Arc<WindowKey>, granularity: Granularity, span: Span) -> Self {
        WindowState {
            key,
            granularity,
            span,
            sums: Sums::default(),
            late: 0,
            revision: 0,
            settled: false,
            dirty: false,
            emitted_at: Timestamp::MIN,
        }
    }

    /// Adds partial sums.
    ///
    /// # Errors
    /// When a sum leaves 38 digits.
    pub fn add(&mut self, sums: &Sums, late: i64) -> Result<(), AmountError> {
        fold::accrue(&mut self.sums, sums)?;
        self.late += late;
        self.dirty = true;
        Ok(())
    }

    /// When it is final, by the watermark.
    pub fn settles_at(&self, config: &Config) -> Timestamp {
        self.span.end.plus_seconds(config.grace_seconds(self.granularity))
    }

    /// When it is dropped, by the watermark.
    pub fn expires_at(&self, config: &Config) -> Timestamp {
        self.span.end.plus_seconds(config.retention_seconds(self.granularity))
    }

    /// When it may be written next, by the wall clock.
    pub fn writable_at(&self, config: &Config) -> Timestamp {
        self.emitted_at.plus_seconds(crate::config::seconds(config.window_every))
    }

    /// The status it would be written with now; `None` when there is nothing to write yet.
    ///
    /// Becoming final does not wait for the clock; every other change does.
    pub fn due(&self, config: &Config, watermark: Timestamp, now: Timestamp) -> Option<WindowStatus> {
        if watermark >= self.settles_at(config) && !self.settled {
            return Some(WindowStatus::Final);
        }
        let status = if self.settled { WindowStatus::Restated } else { WindowStatus::Provisional };
        (self.dirty && now >= self.writable_at(config)).then_some(status)
    }

    /// Writes it: the next revision.
    pub fn write(&mut self, status: WindowStatus, watermark: Timestamp, now: Timestamp) -> Window {
        self.revision += 1;
        self.settled |= status == WindowStatus::Final;
        self.dirty = false;
        self.emitted_at = now;
        Window {
            key: (*self.key).clone(),
            granularity: self.granularity,
            start: self.span.start,
            end: self.span.end,
            revision: self.revision,
            status,
            sums: self.sums.clone(),
            late: self.late,
            watermark,
            emitted_at: now,
        }
    }

    /// Appends it as the changelog holds it.
    pub fn put(&self, out: &mut Vec<u8>) {
        self.key.put(out);
        self.granularity.put(out);
        self.span.start.put(out);
        self.span.end.put(out);
        self.sums.put(out);
        self.late.put(out);
        self.revision.put(out);
        self.settled.put(out);
        self.dirty.put(out);
        self.emitted_at.put(out);
    }

    /// Reads it back.
    ///
    /// # Errors
    /// When the bytes are not what [`WindowState::put`] wrote.
    pub fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(WindowState {
            key: Arc::new(Wire::get(from)?),
            granularity: Wire::get(from)?,
            span: Span { start: Wire::get(from)?, end: Wire::get(from)? },
            sums: Wire::get(from)?,
            late: Wire::get(from)?,
            revision: Wire::get(from)?,
            settled: Wire::get(from)?,
            dirty: Wire::get(from)?,
            emitted_at: Wire::get(from)?,
        })
    }
}
