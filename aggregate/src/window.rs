//! The state of one window, how it is held, and when it is written as what.

use std::collections::HashMap;
use std::sync::Arc;

use schemas::wire::{Reader, Wire, WireError};
use schemas::{AmountError, Granularity, Id128, Sums, Timestamp, Window, WindowKey, WindowStatus, record};
use stream::TxMap;

use crate::calendar::Span;
use crate::{Config, fold, key};

record! {
    /// One window of one key. After its key, a value of the changelog.
    pub struct WindowState {
        /// Width.
        pub granularity: Granularity,
        /// Start, inclusive.
        pub start: Timestamp,
        /// End, exclusive.
        pub end: Timestamp,
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
}

impl WindowState {
    /// Empty.
    pub fn new(granularity: Granularity, span: Span) -> Self {
        WindowState {
            granularity,
            start: span.start,
            end: span.end,
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
        self.end.plus_seconds(config.grace_seconds(self.granularity))
    }

    /// When it is dropped, by the watermark.
    pub fn expires_at(&self, config: &Config) -> Timestamp {
        self.end.plus_seconds(config.retention_seconds(self.granularity))
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
    pub fn write(&mut self, key: WindowKey, status: WindowStatus, watermark: Timestamp, now: Timestamp) -> Window {
        self.revision += 1;
        self.settled |= status == WindowStatus::Final;
        self.dirty = false;
        self.emitted_at = now;
        Window {
            key,
            granularity: self.granularity,
            start: self.start,
            end: self.end,
            revision: self.revision,
            status,
            sums: self.sums.clone(),
            late: self.late,
            watermark,
            emitted_at: now,
        }
    }
}

/// A window as it is held: encoded, which takes a third of the memory, for most sums are small or nothing.
#[derive(Debug, Clone)]
pub struct HeldWindow {
    /// Key; shared with the key's other windows.
    pub key: Arc<HeldKey>,
    state: Box<[u8]>,
}

impl HeldWindow {
    /// Holds a window.
    pub fn new(key: Arc<HeldKey>, state: &WindowState) -> Self {
        HeldWindow { key, state: encode(state) }
    }

    /// Holds a window as the changelog held it behind its key. Whether these are the bytes of one is for
    /// [`HeldWindow::check`] to say, before anything else is asked: most entries are replaced by another before that.
    pub fn unchecked(key: Arc<HeldKey>, bytes: &[u8]) -> Self {
        HeldWindow { key, state: bytes.into() }
    }

    /// Replaces it by what a later entry of its key says, as unchecked as that.
    pub fn replace(&mut self, bytes: &[u8]) {
        if self.state.len() == bytes.len() {
            self.state.copy_from_slice(bytes);
        } else {
            self.state = bytes.into();
        }
    }

    /// What it holds, of bytes that were not looked at before.
    ///
    /// # Errors
    /// When they are not what [`HeldWindow::parts`] gave.
    pub fn check(&self) -> Result<WindowState, WireError> {
        let mut from = Reader::new(&self.state);
        let state = WindowState::get(&mut from)?;
        from.finish()?;
        Ok(state)
    }

    /// What it holds.
    pub fn state(&self) -> WindowState {
        decode(&self.state)
    }

    /// What the changelog holds, in parts.
    pub fn parts(&self) -> [&[u8]; 2] {
        [self.key.encoded(), &self.state]
    }
}

/// Most windows reckoned with decoded: some ten megabytes. Tests have more.
const OPEN_MAX: usize = if cfg!(test) { 3 } else { 16_384 };

/// Windows that the open transaction adds to. Decoded and encoded once, however often something is added to them.
#[derive(Debug, Default)]
pub struct OpenWindows(HashMap<Id128, (Arc<HeldKey>, WindowState)>);

impl OpenWindows {
    /// A window to add to: as it is reckoned with, or as it is held, or a fresh one.
    pub fn open(
        &mut self,
        held: &mut TxMap<Id128, HeldWindow>,
        id: Id128,
        key: &Arc<HeldKey>,
        fresh: WindowState,
    ) -> &mut WindowState {
        if self.0.len() >= OPEN_MAX {
            self.hold(held);
        }
        let found = || (key.clone(), held.get(&id).map_or(fresh, HeldWindow::state));
        &mut self.0.entry(id).or_insert_with(found).1
    }

    /// All of them as they are held.
    pub fn hold(&mut self, held: &mut TxMap<Id128, HeldWindow>) {
        for (id, (key, state)) in self.0.drain() {
            held.insert(id, HeldWindow::new(key, &state));
        }
    }

    /// The transaction is aborted.
    pub fn undo(&mut self) {
        self.0.clear();
    }
}

/// A key as it is held, once for all its windows.
#[derive(Debug)]
pub struct HeldKey {
    /// Its hash.
    pub hash: Id128,
    key: Box<[u8]>,
}

impl HeldKey {
    /// Holds a key.
    pub fn new(key: &WindowKey) -> Self {
        HeldKey { hash: key::of_key(key), key: encode(key) }
    }

    /// The key.
    pub fn key(&self) -> WindowKey {
        decode(&self.key)
    }

    /// Its bytes. No key's begin with another's: every text has its length before it.
    pub fn encoded(&self) -> &[u8] {
        &self.key
    }
}

/// In an allocation of its own size.
fn encode(item: &impl Wire) -> Box<[u8]> {
    let mut bytes = Vec::with_capacity(256);
    item.put(&mut bytes);
    bytes.as_slice().into()
}

fn decode<T: Wire>(bytes: &[u8]) -> T {
    T::get(&mut Reader::new(bytes)).expect("these bytes were encoded or decoded when they came to be held")
}

#[cfg(test)]
mod tests {
    use schemas::{Money, Quantity};

    use super::*;
    use crate::testing::at;

    #[test]
    fn what_is_held_is_what_was_given_at_the_ends_of_every_field() {
        let most = Money::from_picos(10i128.pow(38) - 1).unwrap();
        let (lots, least) = (Quantity::from_picos(most.picos()).unwrap(), Quantity::from_picos(-most.picos()).unwrap());
        let key = WindowKey {
            tenant: "a tenant whose name is longer than what fits in place".into(),
            team: Some("".into()),
            project: None,
            environment: Some("größe".into()),
            provider: "openai".into(),
            model: "".into(),
            use_case: None,
            currency: "EUR".into(),
        };
        let sums = Sums {
            charges: i64::MAX,
            requests: i64::MIN,
            list: most,
            contracted: most.negated(),
            unpriced_tokens: least,
            input_tokens: lots,
            ..Sums::default()
        };
        let state = WindowState {
            sums,
            late: -1,
            revision: i64::MAX,
            settled: true,
            ..WindowState::new(Granularity::Quarter, Span { start: at("1970-01-01"), end: Timestamp::MAX })
        };
        let held = HeldWindow::new(Arc::new(HeldKey::new(&key)), &state);
        assert_eq!((held.key.key(), held.key.hash, held.state()), (key.clone(), key::of_key(&key), state.clone()));
        let mut bytes = Vec::new();
        key.put(&mut bytes);
        state.put(&mut bytes);
        assert_eq!(held.parts().concat(), bytes);
    }
}
