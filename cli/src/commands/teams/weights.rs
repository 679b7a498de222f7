//! `spendstream teams weights`: in which proportion a period's shared charges are split.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use chrono::NaiveDate;
use clap::Args;
use enrich::owner::Method;
use schemas::{Quantity, Text, Timestamp};
use sink::LakeReader;
use sink::read::{Cells, Days};

use super::{compile, rows};
use crate::commands::open::{lake_reader, now};
use crate::configuration::Configuration;

/// Compute the weights of a proportional rule for shared charges, once a period is over.
///
/// What is printed is a row for the directory: put it into a file under `owners`, apply it, and let `spendstream reprice
/// --owners` split what was charged in the period. So the proportion is dated, reviewed, and stays as it was.
#[derive(Debug, Args)]
pub(super) struct WeightsOf {
    /// The rule, as the directory names it.
    rule: String,
    /// First day (UTC).
    #[arg(long, value_name = "DAY")]
    from: NaiveDate,
    /// Day after the last.
    #[arg(long, value_name = "DAY")]
    to: NaiveDate,
    /// Address of the lake.
    #[arg(long, env = "SPENDSTREAM_LAKE", default_value = "spendstream-data/lake")]
    lake: String,
    /// Configuration folder, or one file [default: the built-in example].
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
}

impl WeightsOf {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        ensure!(self.from < self.to, "--to is not after --from");
        let rows = match &self.config {
            Some(path) => rows(path)?,
            None => Configuration::example()?.owners,
        };
        let directory = compile(&rows)?;
        let start = Timestamp::from(self.from.and_time(chrono::NaiveTime::MIN).and_utc());
        let Some((method, teams, metric)) = directory.shared_rule(&self.rule, start) else {
            bail!("the directory has no shared rule {:?} that holds on {}", self.rule, self.from);
        };
        let lake = lake_reader(&self.lake)?;
        let days = Days { from: Some(self.from), until: Some(self.to) };
        let (sums, of) = match (method, metric) {
            (Method::ProportionalToUsage, _) => spend(&lake, days)?,
            (Method::ProportionalToMetric, Some(metric)) => measured(&lake, days, metric)?,
            _ => bail!("rule {:?} is {}: its weights are not computed", self.rule, method.as_str()),
        };
        let weights: Vec<(&Text, Quantity)> =
            teams.iter().map(|team| (*team, sums.get(*team).copied().unwrap_or(Quantity::ZERO))).collect();
        ensure!(
            weights.iter().any(|(_, weight)| weight.picos() > 0),
            "none of those who pay by rule {:?} has any {of} from {} to {}: nothing says how to split",
            self.rule,
            self.from,
            self.to
        );
        println!("weights:\n  - shared: {:?}\n    weights:", self.rule);
        for (team, weight) in weights {
            // Credits may outweigh use: who earned more than it used pays nothing.
            let weight = if weight.picos() < 0 { Quantity::ZERO } else { weight };
            println!("      {team:?}: \"{weight}\"");
        }
        println!("    basis: \"{of} by team, computed {}\"", now());
        println!("    valid_from: {}\n    valid_to: {}", self.from, self.to);
        Ok(ExitCode::SUCCESS)
    }
}

/// What each team spent itself: shares of shared charges are left out, they would follow their own proportion.
fn spend(lake: &LakeReader, days: Days) -> anyhow::Result<(BTreeMap<Text, Quantity>, String)> {
    let mut sums = BTreeMap::new();
    let mut currency: Option<Text> = None;
    for spend in lake.spend_by(&["team", "class"], days).context("read the charges")? {
        let [Some(team), Some(class)] = &spend.dimensions[..] else { continue };
        if class == "allocation" || spend.effective.is_zero() {
            continue;
        }
        let known = currency.get_or_insert_with(|| spend.currency.clone());
        ensure!(*known == spend.currency, "charges are in {known} and {}: they cannot be weighed", spend.currency);
        let amount = Quantity::from_picos(spend.effective.picos()).context("an amount needs more than 38 digits")?;
        sums.entry(team.clone()).or_insert(Quantity::ZERO).accrue(amount)?;
    }
    Ok((sums, format!("effective cost in {}", currency.unwrap_or_default())))
}

/// What was measured of each team, summed over the period.
fn measured(lake: &LakeReader, days: Days, metric: &str) -> anyhow::Result<(BTreeMap<Text, Quantity>, String)> {
    let (mut sums, mut seen) = (BTreeMap::new(), HashSet::new());
    for batch in lake.scan("facts", &["fact_id", "name", "quantity", "claimed"], days).context("read the facts")? {
        let batch = batch.context("read the facts")?;
        let cells = Cells(&batch);
        for row in 0..batch.num_rows() {
            // Copies of a fact count once.
            if cells.text("name", row)? != Some(metric) || !seen.insert(cells.id("fact_id", row)?) {
                continue;
            }
            let team = cells.pairs("claimed", row)?.into_iter().find(|(name, _)| name == "team");
            if let Some((_, team)) = team {
                sums.entry(team).or_insert(Quantity::ZERO).accrue(cells.quantity("quantity", row)?)?;
            }
        }
    }
    Ok((sums, format!("metric {metric}")))
}
