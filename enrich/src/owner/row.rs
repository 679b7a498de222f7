//! The rows of a directory, as files write them and as they are published.

use std::collections::BTreeMap;

use schemas::{Confidence, Dimensions, Text};
use serde::{Deserialize, Serialize};

use super::shared::{Shared, Weights};
use crate::period::Period;

/// One row of `ref.owners`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Row {
    /// What holds for the whole directory.
    Settings(Settings),
    /// A team.
    Team(Team),
    /// A project.
    Project(Project),
    /// Who a key belongs to.
    Key(Key),
    /// A rule, at its place in the order.
    Rule(u32, Box<Rule>),
    /// A value that a dimension may have.
    Listed(Listed),
    /// A rule that splits shared charges, at its place in the order.
    Shared(u32, Box<Shared>),
    /// Weights of such a rule for a period.
    Weights(Weights),
}

impl Row {
    /// When it holds; `None` for what holds for the whole directory.
    pub fn period(&self) -> Option<&Period> {
        Some(match self {
            Row::Settings(_) => return None,
            Row::Team(Team { period, .. }) | Row::Project(Project { period, .. }) | Row::Key(Key { period, .. }) => {
                period
            }
            Row::Listed(Listed { period, .. }) => period,
            Row::Rule(_, rule) => &rule.period,
            Row::Shared(_, shared) => &shared.period,
            Row::Weights(weights) => &weights.period,
        })
    }
}

/// A cost centre, business unit, environment or customer that there is.
///
/// Once a directory lists any value of a dimension, its rows may name no other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    /// `cost_center`, `business_unit`, `environment` or `customer`.
    pub dimension: Text,
    pub value: Text,
    /// Business unit a cost centre belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_unit: Option<Text>,
    #[serde(default)]
    pub period: Period,
}

/// What holds for the whole directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Which teams a producer may claim to be.
    pub claims: Claims,
}

/// Which teams a producer may claim to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Claims {
    /// Any.
    Any,
    /// Those the directory lists.
    Known,
    /// None: a claim fills other dimensions only.
    Never,
}

/// Dimensions a row states, by their names.
pub(crate) type Stated = BTreeMap<Text, Text>;

/// A team.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Team {
    pub team: Text,
    /// Team it is part of; what a team does not state it has from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_unit: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_center: Option<Text>,
    #[serde(default)]
    pub period: Period,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Project {
    pub project: Text,
    pub team: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_center: Option<Text>,
    #[serde(default)]
    pub period: Period,
}

/// Who a key belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub key: Text,
    /// Provider the key is for, where ids of different providers could be equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Text>,
    pub owner: Stated,
    #[serde(default)]
    pub period: Period,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub id: Text,
    #[serde(default)]
    pub when: Matches,
    #[serde(default, skip_serializing_if = "Stated::is_empty")]
    pub owner: Stated,
    /// Dimensions taken from tags: dimension to tag key.
    #[serde(default, skip_serializing_if = "Stated::is_empty")]
    pub from_tags: Stated,
    /// How sure the rule is; told from what it looks at when not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    #[serde(default)]
    pub period: Period,
}

/// What an event must look like. All that is stated must match; `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Matches {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Patterns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Patterns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Patterns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Patterns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Patterns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Patterns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Patterns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Patterns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<Patterns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_team: Option<Patterns>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<Text, Patterns>,
}

/// One pattern, or several of which one must match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Patterns {
    One(Text),
    Many(Vec<Text>),
}

impl Patterns {
    /// Each pattern changed.
    pub fn map(self, change: impl Fn(&Text) -> Text) -> Self {
        match self {
            Patterns::One(pattern) => Patterns::One(change(&pattern)),
            Patterns::Many(patterns) => Patterns::Many(patterns.iter().map(change).collect()),
        }
    }

    /// Whether the text matches one of them.
    pub fn match_text(&self, text: &str) -> bool {
        match self {
            Patterns::One(pattern) => glob(pattern, text),
            Patterns::Many(patterns) => patterns.iter().any(|pattern| glob(pattern, text)),
        }
    }
}

/// Whether a pattern in which `*` stands for any text, also none, matches.
pub fn glob(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        // The earliest place leaves most for what follows, so no other place needs to be tried.
        let Some(found) = text.find(part) else { return false };
        text = &text[found + part.len()..];
    }
    true
}

/// Dimensions that only events state: the directory does not know who made a call, or which call it belongs to.
const ONLY_OF_EVENTS: [&str; 3] = ["user", "invoice", "parent"];

/// The dimension of this name that a row of the directory may state.
pub(crate) fn dimension<'a>(dimensions: &'a mut Dimensions, name: &str) -> Option<&'a mut Option<Text>> {
    dimensions.named_mut(name).filter(|_| !ONLY_OF_EVENTS.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, matches) in [
            ("gpt-*", "gpt-5", true),
            ("gpt-*", "o3", false),
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "ab", false),
            ("aa*a", "aa", false),
            ("a*b*c", "a-b-b-c", true),
            ("*prod*", "key-prod-7", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
        }
    }
}
