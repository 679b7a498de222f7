//! Reference data: dated versions of rows, and which of them an item is judged by.
//!
//! A version is a manifest that names immutable rows. Every service uses, for each item, the newest version with
//! `effective_at <= received_at` (the first one for anything older), so no two instances can disagree.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use schemas::ids::hash_parts;
use schemas::{Id128, Manifest, ReferenceItem, ReferenceRow, Text, Timestamp};

/// A manifest takes effect this long after it is published, so that every service has read it by then.
pub const EFFECTIVE_AFTER_SECONDS: i64 = 30;

/// Something a service can use that is made of the rows of one version.
pub trait Compiled: Send + Sync + Sized + 'static {
    /// The set it is made of: `prices`, `owners`, `budgets`, `routes`.
    const SET: &'static str;

    /// Makes it. Published versions were validated, so an error means a writer and this reader disagree.
    ///
    /// # Errors
    /// One sentence naming the row and what is wrong with it.
    fn compile(version: &str, rows: &[&ReferenceRow]) -> anyhow::Result<Self>;
}

/// Every version known, oldest first.
#[derive(Debug)]
pub struct Versions<T>(Vec<(Timestamp, Arc<T>)>);

impl<T> Versions<T> {
    /// One version that holds for everything: for tests and dry runs.
    pub fn single(only: T) -> Self {
        Versions(vec![(Timestamp::MIN, Arc::new(only))])
    }

    /// The version an item that arrived then is judged by; `None` when none was ever published.
    pub fn at(&self, received_at: Timestamp) -> Option<&Arc<T>> {
        let after = self.0.partition_point(|(effective_at, _)| *effective_at <= received_at);
        self.0.get(after.saturating_sub(1)).map(|(_, version)| version)
    }

    /// The newest version.
    pub fn newest(&self) -> Option<&Arc<T>> {
        self.0.last().map(|(_, version)| version)
    }

    /// Every version with the time it takes effect, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &(Timestamp, Arc<T>)> {
        self.0.iter()
    }
}

/// Takes what is read from one reference topic. Fed by the drivers.
pub trait ReferenceSink: Send + Sync {
    /// The topic: `ref.<set>`.
    fn topic(&self) -> String;

    /// Takes items in log order.
    ///
    /// # Errors
    /// When a version cannot be compiled; the versions known before stay.
    fn apply(&self, items: Vec<ReferenceItem>) -> anyhow::Result<()>;
}

/// Reference data that services share: read by processors, fed by the driver.
#[derive(Debug)]
pub struct Reference<T> {
    versions: RwLock<Arc<Versions<T>>>,
    rows: Mutex<HashMap<Id128, ReferenceRow>>,
}

impl<T> Default for Reference<T> {
    fn default() -> Self {
        Reference { versions: RwLock::new(Arc::new(Versions(Vec::new()))), rows: Mutex::default() }
    }
}

impl<T> Reference<T> {
    /// One version that holds for everything: for tests and dry runs.
    pub fn single(only: T) -> Self {
        Reference { versions: RwLock::new(Arc::new(Versions::single(only))), rows: Mutex::default() }
    }

    /// The versions known now. Take it once per batch.
    pub fn versions(&self) -> Arc<Versions<T>> {
        self.versions.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T: Compiled> ReferenceSink for Reference<T> {
    fn topic(&self) -> String {
        format!("ref.{}", T::SET)
    }

    fn apply(&self, items: Vec<ReferenceItem>) -> anyhow::Result<()> {
        let mut known = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for item in items {
            let manifest = match item {
                ReferenceItem::Row(row) => {
                    known.insert(row.row_id, row);
                    continue;
                }
                ReferenceItem::Manifest(manifest) => manifest,
            };
            let rows = manifest.rows.iter().map(|id| {
                known.get(id).ok_or_else(|| {
                    anyhow::anyhow!("version {} of {} names row {id}, which is missing", manifest.version, T::SET)
                })
            });
            let rows = rows.collect::<anyhow::Result<Vec<_>>>()?;
            let compiled = Arc::new(T::compile(&manifest.version, &rows)?);
            let mut versions = self.versions.write().unwrap_or_else(PoisonError::into_inner);
            let mut list = versions.0.clone();
            let place = list.partition_point(|(effective_at, _)| *effective_at <= manifest.effective_at);
            list.insert(place, (manifest.effective_at, compiled));
            *versions = Arc::new(Versions(list));
        }
        Ok(())
    }
}

/// A row, with its id.
pub fn row(set: &str, origin: &str, body: &str) -> ReferenceRow {
    let row_id = hash_parts([b"reference".as_slice(), set.as_bytes(), body.as_bytes()]);
    ReferenceRow { set: set.into(), row_id, origin: origin.into(), body: body.into() }
}

/// The version made of these rows. Its name is a hash of their ids, so the same rows are the same version.
pub fn manifest(set: &str, rows: &[ReferenceRow], published_at: Timestamp, effective_at: Timestamp) -> Manifest {
    let ids: Vec<Id128> = rows.iter().map(|row| row.row_id).collect();
    let digest = hash_parts(std::iter::once(set.as_bytes()).chain(ids.iter().map(|id| id.0.as_slice())));
    let version: String = digest.to_string().chars().take(12).collect();
    Manifest { set: set.into(), version: Text::from(version), effective_at, rows: ids, published_at }
}
