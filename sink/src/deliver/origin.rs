//! Which installation an alert comes from, as receivers tell it from others.

use schemas::Id128;
use serde::{Deserialize, Serialize};

/// The name an alert is sent under.
///
/// Ids of alerts are hashes of budgets: two installations that have the same budgets have the same ids, and one PagerDuty
/// service, channel or webhook that hears of both would take either's alert for a copy of the other's, and either's recovery for
/// the end of both. So the ids that a receiver tells copies by begin with the name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(Option<String>);

impl Origin {
    /// That of a named installation. A single machine (`local`) has no name worth telling, and its ids stand alone.
    pub fn named(name: &str) -> Self {
        Origin(Some(name).filter(|name| !matches!(*name, "" | "local")).map(str::to_owned))
    }

    /// The name.
    pub fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// An id as receivers are given it.
    pub fn mark(&self, id: Id128) -> String {
        self.name().map_or_else(|| id.to_string(), |name| format!("{name}/{id}"))
    }
}
