//! What an event cost: a [`PriceBook`] compiled from dated rows, and the [`Priced`] it makes of a usage event.
//!
//! People write YAML files; reading them makes rows in which every default and fallback is explicit; the rows are
//! published, and compiled by every service into the same book. Pricing an event is then a look-up and a sum of
//! products: the model's SKU, the SKU's conditions that the call meets, per meter the first rate that holds.

pub(crate) mod amount;
mod book;
mod build;
mod compare;
mod condition;
mod diff;
mod evaluate;
mod explain;
mod file;
mod hours;
pub mod import;
mod lint;
mod matching;
mod name;
mod priced;
mod rate_card;
mod row;
pub(crate) mod terms;
mod when;

#[cfg(test)]
mod tests;

use std::path::Path;

use schemas::{ReferenceRow, Timestamp};
use stream::reference::Compiled;

pub use book::PriceBook;
pub use diff::{Change, diff};
pub use evaluate::Evaluation;
pub use explain::Considered;
pub use name::Resolved;
pub use priced::Priced;
pub use rate_card::{RateCard, Scope, UnitPrice};

use crate::finding::{Finding, read_sources};

const SET: &str = "prices";

impl PriceBook {
    /// ISO 4217 currency that costs in all others are converted to.
    pub fn reporting_currency(&self) -> &str {
        &self.reporting_currency
    }

    /// Compiles a version as it was known at `as_of`: rows learnt later, or known to be wrong by then, do not count.
    ///
    /// # Errors
    /// One sentence naming the row and what is wrong with it.
    pub fn compile_as_of(version: &str, rows: &[&ReferenceRow], as_of: Timestamp) -> anyhow::Result<Self> {
        let mut placed = Vec::with_capacity(rows.len());
        for row in rows {
            let parsed = serde_json::from_str(&row.body);
            let parsed =
                parsed.map_err(|error| anyhow::anyhow!("price row {} ({}): {error}", row.row_id, row.origin))?;
            placed.push((row.origin.to_string(), parsed));
        }
        build::build(version, &placed, as_of).map_err(|findings| {
            let more = findings.len().saturating_sub(1);
            let first = findings.first().map(ToString::to_string).unwrap_or_default();
            anyhow::anyhow!("price book {version}: {first} (and {more} more)")
        })
    }
}

impl Compiled for PriceBook {
    const SET: &'static str = SET;

    fn compile(version: &str, rows: &[&ReferenceRow]) -> anyhow::Result<Self> {
        Self::compile_as_of(version, rows, Timestamp::MAX)
    }
}

/// Reads the price files of a configuration folder (`prices.yaml`, `prices/*.yaml`) and validates them whole.
///
/// # Errors
/// Everything that is wrong, each with file, row and remedy. Nothing of the folder is used then.
pub fn read_prices(dir: &Path) -> Result<Vec<ReferenceRow>, Vec<Finding>> {
    parse_prices(&read_sources(dir, SET)?)
}

/// The same for files already read: pairs of name and text.
///
/// # Errors
/// Everything that is wrong, each with file, row and remedy.
pub fn parse_prices(files: &[(String, String)]) -> Result<Vec<ReferenceRow>, Vec<Finding>> {
    file::parse(files)
}

/// Rows as one file that says which version it is: what is cut off or changed on its way is refused when it is read.
///
/// # Errors
/// Never for rows that were read: they are text already.
pub fn compiled_file(rows: &[ReferenceRow]) -> anyhow::Result<String> {
    Ok(file::compiled(rows)?)
}

/// What [`lint_prices`] says of the price files of a configuration folder, or of one file.
///
/// # Errors
/// What makes them invalid.
pub fn lint_folder(dir: &Path, now: Timestamp) -> Result<Vec<Finding>, Vec<Finding>> {
    lint_prices(&read_sources(dir, SET)?, now)
}

/// Everything worth saying about files that are valid: figures without source or day, prices that lie suspiciously far
/// from the others of their meter, batches that are not half, contracts that take over long prompts unsaid, and calendars
/// that end within two months of `now`.
///
/// # Errors
/// What makes them invalid, as [`parse_prices`] says it.
pub fn lint_prices(files: &[(String, String)], now: Timestamp) -> Result<Vec<Finding>, Vec<Finding>> {
    let rows = parse_prices(files)?;
    Ok(lint::warnings(&rows, now))
}
