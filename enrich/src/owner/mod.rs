//! Who pays: a [`Directory`] compiled from dated rows, and the [`Attribution`] it makes of a usage event.
//!
//! A key that the directory lists decides; else the first rule that matches and names a team; else the team the producer
//! claims, where the directory allows that. What the winner leaves null is filled by rules that name no team, by the
//! records of project and team, and last by the producer's claims. Everything is looked up as of the time of the call.

mod csv;
mod directory;
mod file;
mod row;
mod shared;

#[cfg(test)]
mod tests;

use std::path::Path;

use schemas::ReferenceRow;
use stream::reference::Compiled;

pub use directory::{Attribution, Directory, Tenure};
pub use row::glob;
pub use shared::{Method, Split};

use crate::finding::{Finding, read_sources};

const SET: &str = "owners";

impl Compiled for Directory {
    const SET: &'static str = SET;

    fn compile(version: &str, rows: &[&ReferenceRow]) -> anyhow::Result<Self> {
        let mut placed = Vec::with_capacity(rows.len());
        for row in rows {
            let parsed = serde_json::from_str(&row.body);
            let parsed =
                parsed.map_err(|error| anyhow::anyhow!("owner row {} ({}): {error}", row.row_id, row.origin))?;
            placed.push((row.origin.to_string(), parsed));
        }
        directory::build(version, &placed).map_err(|findings| {
            let more = findings.len().saturating_sub(1);
            let first = findings.first().map(ToString::to_string).unwrap_or_default();
            anyhow::anyhow!("directory {version}: {first} (and {more} more)")
        })
    }
}

/// Reads the directory of a configuration folder (`owners.yaml`, `owners/*.yaml`, `owners/*.csv`) and validates it whole.
///
/// # Errors
/// Everything that is wrong, each with file, row and remedy. Nothing of the folder is used then.
pub fn read_owners(dir: &Path) -> Result<Vec<ReferenceRow>, Vec<Finding>> {
    parse_owners(&read_sources(dir, SET)?)
}

/// The same for files already read: pairs of name and text.
///
/// # Errors
/// Everything that is wrong, each with file, row and remedy.
pub fn parse_owners(files: &[(String, String)]) -> Result<Vec<ReferenceRow>, Vec<Finding>> {
    file::parse(files).map(|(rows, _)| rows)
}

/// What [`lint_owners`] says of the directory of a configuration folder, or of one file.
///
/// # Errors
/// What makes it invalid.
pub fn lint_folder(dir: &Path) -> Result<Vec<Finding>, Vec<Finding>> {
    lint_owners(&read_sources(dir, SET)?)
}

/// Everything worth saying about files that are valid: gaps between owners of a key, rules that can never win.
///
/// # Errors
/// What makes them invalid, as [`parse_owners`] says it.
pub fn lint_owners(files: &[(String, String)]) -> Result<Vec<Finding>, Vec<Finding>> {
    file::parse(files).map(|(_, warnings)| warnings)
}
