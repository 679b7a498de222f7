//! Keeps reference data and skips up to date with a log.

use std::sync::Arc;

use anyhow::Result;
use schemas::{Skip, topics};

use crate::log::{self, Log};
use crate::reference::ReferenceSink;

/// Follows reference topics and the orders to skip.
pub struct Follower {
    sinks: Vec<Followed>,
    skips: Arc<Vec<Skip>>,
    skips_next: i64,
}

struct Followed {
    sink: Arc<dyn ReferenceSink>,
    topic: String,
    next: i64,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.sinks.iter().map(|followed| (&followed.topic, followed.next))).finish()
    }
}

impl Follower {
    /// Follows these; one that is given twice is fed once.
    pub fn new(sinks: impl IntoIterator<Item = Arc<dyn ReferenceSink>>) -> Self {
        let mut followed: Vec<Followed> = Vec::new();
        for sink in sinks {
            if !followed.iter().any(|known| Arc::ptr_eq(&known.sink, &sink)) {
                followed.push(Followed { topic: sink.topic(), sink, next: 0 });
            }
        }
        Follower { sinks: followed, skips: Arc::default(), skips_next: 0 }
    }

    /// Reads what was published since, to the end. Cheap when there is nothing.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn refresh(&mut self, log: &dyn Log) -> Result<()> {
        for followed in &mut self.sinks {
            if log.range(&followed.topic, 0)?.end > followed.next {
                let (items, next) = log::reference_items(log, &followed.topic, followed.next)?;
                if let Err(error) = followed.sink.apply(items) {
                    let (topic, error) = (&followed.topic, format!("{error:#}"));
                    tracing::error!(%topic, error, "reference data cannot be used: what it would judge waits");
                }
                followed.next = next;
            }
        }
        if log.partitions(topics::SKIPS)?.is_some() && log.range(topics::SKIPS, 0)?.end > self.skips_next {
            let (skips, next) = log::skips_from(log, self.skips_next)?;
            self.skips = Arc::new(self.skips.iter().cloned().chain(skips).collect());
            self.skips_next = next;
        }
        Ok(())
    }

    /// Every order to skip something.
    pub fn skips(&self) -> Arc<Vec<Skip>> {
        self.skips.clone()
    }
}
