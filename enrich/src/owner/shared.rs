//! Which charges are shared, by whom, and in which proportion.

use std::collections::BTreeMap;

use schemas::{Quantity, Text, Timestamp, UsageEvent};
use serde::{Deserialize, Serialize};

use super::row::Matches;
use crate::period::{Dated, Period};

/// How a shared charge is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Everybody pays the same.
    Even,
    /// By weights that the rule states.
    Fixed,
    /// By what each team spent itself in the period: weights are computed once it is over.
    ProportionalToUsage,
    /// By a business metric of each team in the period: weights are computed once it is over.
    ProportionalToMetric,
}

impl Method {
    /// As files and charges name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Even => "even",
            Method::Fixed => "fixed",
            Method::ProportionalToUsage => "proportional_to_usage",
            Method::ProportionalToMetric => "proportional_to_metric",
        }
    }

    /// Whether its weights are rows of their own.
    pub fn is_computed(self) -> bool {
        matches!(self, Method::ProportionalToUsage | Method::ProportionalToMetric)
    }
}

/// Who pays for a shared charge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Among {
    /// These teams.
    Teams(Vec<Text>),
    /// These teams with these weights: decimals in quotes.
    Weights(BTreeMap<Text, Quantity>),
}

impl Among {
    pub(crate) fn teams(&self) -> Vec<&Text> {
        match self {
            Among::Teams(teams) => teams.iter().collect(),
            Among::Weights(weights) => weights.keys().collect(),
        }
    }
}

/// A rule that splits the charges of a team that serves others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shared {
    pub id: Text,
    /// Team whose charges are shared.
    pub of: Text,
    /// What its charges must look like to be.
    #[serde(default)]
    pub when: Matches,
    pub method: Method,
    pub among: Among,
    /// Business metric that decides, for `proportional_to_metric`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Text>,
    #[serde(default)]
    pub period: Period,
}

/// Weights of a rule for a period, as they were computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Weights {
    /// The rule.
    pub shared: Text,
    pub weights: BTreeMap<Text, Quantity>,
    /// What they were computed from, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Text>,
    #[serde(default)]
    pub period: Period,
}

/// How one charge is split: teams with their weights, which are positive and in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The rule.
    pub rule: Text,
    /// Its method.
    pub method: Method,
    /// Who pays, and how much of it.
    pub weights: Vec<(Text, Quantity)>,
}

/// The rules of a directory and the weights computed for them.
#[derive(Debug, Default)]
pub(crate) struct SharedRules {
    pub rules: Vec<Shared>,
    pub weights: BTreeMap<Text, Dated<Weights>>,
}

impl SharedRules {
    /// How a charge of this team is split: by the first rule that matches. `None` when it is not shared, or its weights
    /// are not known yet.
    pub fn split(&self, event: &UsageEvent, team: Option<&Text>) -> Option<Split> {
        let (time, team) = (event.event_time, team?);
        let rule =
            self.rules.iter().find(|rule| rule.of == *team && rule.period.holds(time) && rule.when.matches(event))?;
        let one = Quantity::from_units(1);
        let mut weights: Vec<(Text, Quantity)> = match (&rule.among, rule.method) {
            (among, Method::Even) => among.teams().into_iter().map(|team| (team.clone(), one)).collect(),
            (Among::Weights(weights), Method::Fixed) => {
                weights.iter().map(|(team, weight)| (team.clone(), *weight)).collect()
            }
            (Among::Teams(teams), Method::Fixed) => teams.iter().map(|team| (team.clone(), one)).collect(),
            (_, Method::ProportionalToUsage | Method::ProportionalToMetric) => {
                let weights = &self.weights.get(&rule.id)?.at(time)?.weights;
                weights.iter().map(|(team, weight)| (team.clone(), *weight)).collect()
            }
        };
        weights.retain(|(_, weight)| weight.picos() > 0);
        weights.sort_unstable();
        weights.dedup_by(|a, b| a.0 == b.0);
        (!weights.is_empty()).then(|| Split { rule: rule.id.clone(), method: rule.method, weights })
    }

    /// A rule that holds then.
    pub fn rule(&self, id: &str, time: Timestamp) -> Option<&Shared> {
        self.rules.iter().find(|rule| rule.id == id && rule.period.holds(time))
    }
}
