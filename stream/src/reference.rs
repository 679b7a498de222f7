//! Reference data: dated versions of rows, and which of them an item is judged by.
//!
//! A version is a manifest that names immutable rows. Every service uses, for each item, the newest version with
//! `effective_at <= received_at` (the first one for anything older), so no two instances can disagree.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use schemas::ids::hash_parts;
use schemas::{Id128, Manifest, ReferenceItem, ReferenceRow, Text, Timestamp};

use crate::processor::Halt;

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
pub struct Versions<T> {
    usable: Vec<(Timestamp, Arc<T>)>,
    /// Those this release cannot use, and why.
    unusable: Vec<(Timestamp, Text)>,
}

impl<T> Default for Versions<T> {
    fn default() -> Self {
        Versions { usable: Vec::new(), unusable: Vec::new() }
    }
}

impl<T> Clone for Versions<T> {
    fn clone(&self) -> Self {
        Versions { usable: self.usable.clone(), unusable: self.unusable.clone() }
    }
}

impl<T> Versions<T> {
    /// One version that holds for everything: for tests and dry runs.
    pub fn single(only: T) -> Self {
        Versions { usable: vec![(Timestamp::MIN, Arc::new(only))], unusable: Vec::new() }
    }

    /// The version an item that arrived then is judged by; `None` when none was ever published.
    pub fn at(&self, received_at: Timestamp) -> Option<&Arc<T>> {
        let after = self.usable.partition_point(|(effective_at, _)| *effective_at <= received_at);
        self.usable.get(after.saturating_sub(1)).map(|(_, version)| version)
    }

    /// Asked before [`Versions::at`] by whoever must not take an older version for one that cannot be used.
    ///
    /// # Errors
    /// When the version in force then cannot be used by this release.
    pub fn check(&self, received_at: Timestamp) -> Result<(), Halt> {
        let Some((from, reason)) = self.unusable.iter().rev().find(|(from, _)| *from <= received_at) else {
            return Ok(());
        };
        match self.usable.iter().any(|(effective_at, _)| (*from..=received_at).contains(effective_at)) {
            true => Ok(()),
            false => Err(Halt::State(format!("{reason}. Nothing is judged by an older one: upgrade this service"))),
        }
    }

    /// The newest version.
    pub fn newest(&self) -> Option<&Arc<T>> {
        self.usable.last().map(|(_, version)| version)
    }

    /// Every version with the time it takes effect, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &(Timestamp, Arc<T>)> {
        self.usable.iter()
    }
}

/// Takes what is read from one reference topic. Fed by the drivers.
pub trait ReferenceSink: Send + Sync {
    /// The topic: `ref.<set>`.
    fn topic(&self) -> String;

    /// Takes items in log order.
    ///
    /// # Errors
    /// When a version cannot be compiled, of several the first; all others are known then. What is to be judged by it stops
    /// its partition: see [`Versions::check`].
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
        Reference { versions: RwLock::default(), rows: Mutex::default() }
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
        let mut failed = None;
        for item in items {
            let manifest = match item {
                ReferenceItem::Row(row) => {
                    known.insert(row.row_id, row);
                    continue;
                }
                ReferenceItem::Manifest(manifest) => manifest,
            };
            let mut versions = self.versions.write().unwrap_or_else(PoisonError::into_inner);
            let mut list = (**versions).clone();
            match compile::<T>(&manifest, &known) {
                Ok(compiled) => insert(&mut list.usable, manifest.effective_at, Arc::new(compiled)),
                Err(error) => {
                    let reason = format!("version {} of {} cannot be used: {error:#}", manifest.version, T::SET);
                    insert(&mut list.unusable, manifest.effective_at, reason.as_str().into());
                    failed.get_or_insert(anyhow::Error::msg(reason));
                }
            }
            *versions = Arc::new(list);
        }
        failed.map_or(Ok(()), Err)
    }
}

fn compile<T: Compiled>(manifest: &Manifest, known: &HashMap<Id128, ReferenceRow>) -> anyhow::Result<T> {
    let row = |id| known.get(id).ok_or_else(|| anyhow::anyhow!("it names row {id}, which is missing"));
    let rows = manifest.rows.iter().map(row).collect::<anyhow::Result<Vec<_>>>()?;
    T::compile(&manifest.version, &rows)
}

/// Behind those that take effect no later.
fn insert<V>(list: &mut Vec<(Timestamp, V)>, effective_at: Timestamp, value: V) {
    let place = list.partition_point(|(known, _)| *known <= effective_at);
    list.insert(place, (effective_at, value));
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Number(u32);

    impl Compiled for Number {
        const SET: &'static str = "numbers";

        fn compile(_: &str, rows: &[&ReferenceRow]) -> anyhow::Result<Self> {
            Ok(Number(rows[0].body.parse()?))
        }
    }

    #[test]
    fn what_a_version_that_cannot_be_used_would_judge_is_judged_by_none() {
        let numbers = Reference::<Number>::default();
        let at = Timestamp::from_millis;
        let published = |body: &str, effective_at: i64| {
            let row = row("numbers", "test", body);
            let manifest = manifest("numbers", std::slice::from_ref(&row), at(0), at(effective_at));
            [ReferenceItem::Row(row), ReferenceItem::Manifest(manifest)]
        };
        let items = [published("1", 10), published("two", 20), published("3", 30)];
        let failed = numbers.apply(items.into_iter().flatten().collect()).unwrap_err().to_string();
        assert!(failed.contains("of numbers cannot be used"), "{failed}");
        let versions = numbers.versions();
        for (time, judged_by) in [(5, Some(1)), (19, Some(1)), (20, None), (29, None), (30, Some(3)), (99, Some(3))] {
            let judge = versions.check(at(time)).ok().and_then(|()| versions.at(at(time)).map(|number| number.0));
            assert_eq!(judge, judged_by, "at {time}");
        }
        let halt = versions.check(at(25)).unwrap_err().to_string();
        assert!(halt.contains("upgrade this service"), "{halt}");
    }
}
