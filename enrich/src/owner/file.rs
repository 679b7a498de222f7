//! Directory files: YAML for people, and tables as CSV.

use std::collections::BTreeMap;

use schemas::{Confidence, Quantity, ReferenceRow, Text, Timestamp};
use serde::Deserialize;

use super::csv;
use super::directory::{Placed, build};
use super::row::{Claims, Key, Listed, Matches, Project, Row, Rule, Settings, Stated, Team};
use super::shared::{Among, Method, Shared, Weights};
use crate::finding::Finding;
use crate::period::Period;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    claims: Option<Claims>,
    #[serde(default)]
    teams: Vec<TeamEntry>,
    #[serde(default)]
    projects: Vec<ProjectEntry>,
    #[serde(default)]
    keys: Vec<KeyEntry>,
    #[serde(default)]
    rules: Vec<RuleEntry>,
    #[serde(default)]
    cost_centers: Vec<CostCenterEntry>,
    #[serde(default)]
    business_units: Vec<BusinessUnitEntry>,
    #[serde(default)]
    environments: Vec<EnvironmentEntry>,
    #[serde(default)]
    customers: Vec<CustomerEntry>,
    #[serde(default)]
    shared: Vec<SharedEntry>,
    #[serde(default)]
    weights: Vec<WeightsEntry>,
}

/// Declares an entry with the fields that say when it holds.
macro_rules! dated {
    (struct $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $name {
            $($(#[$attribute])* $field: $type,)*
            #[serde(default)]
            valid_from: Option<Timestamp>,
            #[serde(default)]
            valid_to: Option<Timestamp>,
            #[serde(default)]
            known_from: Option<Timestamp>,
            #[serde(default)]
            known_to: Option<Timestamp>,
        }

        impl $name {
            fn period(&self) -> Period {
                Period {
                    valid_from: self.valid_from,
                    valid_to: self.valid_to,
                    known_from: self.known_from,
                    known_to: self.known_to,
                }
            }
        }
    };
}

dated! {
    struct TeamEntry {
        team: Text,
        #[serde(default)]
        parent: Option<Text>,
        #[serde(default)]
        business_unit: Option<Text>,
        #[serde(default)]
        cost_center: Option<Text>,
    }
}

dated! {
    struct ProjectEntry {
        project: Text,
        team: Text,
        #[serde(default)]
        cost_center: Option<Text>,
    }
}

dated! {
    struct KeyEntry {
        key: Text,
        #[serde(default)]
        provider: Option<Text>,
        owner: Stated,
    }
}

dated! {
    struct RuleEntry {
        id: Text,
        #[serde(default)]
        when: Matches,
        #[serde(default)]
        owner: Stated,
        #[serde(default)]
        from_tags: Stated,
        #[serde(default)]
        confidence: Option<Confidence>,
    }
}

dated! {
    struct CostCenterEntry {
        cost_center: Text,
        #[serde(default)]
        business_unit: Option<Text>,
    }
}

dated! {
    struct BusinessUnitEntry {
        business_unit: Text,
    }
}

dated! {
    struct EnvironmentEntry {
        environment: Text,
    }
}

dated! {
    struct CustomerEntry {
        customer: Text,
    }
}

dated! {
    struct SharedEntry {
        id: Text,
        of: Text,
        #[serde(default)]
        when: Matches,
        method: Method,
        among: Among,
        #[serde(default)]
        metric: Option<Text>,
    }
}

dated! {
    struct WeightsEntry {
        shared: Text,
        weights: BTreeMap<Text, Quantity>,
        #[serde(default)]
        basis: Option<Text>,
    }
}

/// Reads files (pairs of name and text) into rows and validates the directory they make, whole; with warnings.
pub(crate) fn parse(files: &[(String, String)]) -> Result<(Vec<ReferenceRow>, Vec<Finding>), Vec<Finding>> {
    let mut placed = Vec::new();
    let mut findings = Vec::new();
    for (name, text) in files {
        if name.ends_with(".csv") {
            findings.extend(csv::parse(name, text, &mut placed).err().into_iter().flatten());
            continue;
        }
        match serde_yaml_ng::from_str::<File>(text) {
            Ok(file) => place(name, file, &mut placed),
            Err(error) => {
                findings.push(Finding::error(name, "", error.to_string(), "mend the file as the message says"))
            }
        }
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    let warnings = build("", &placed)?.warnings(&placed);
    let rows = placed.iter().map(|(place, row)| {
        let body = serde_json::to_string(row);
        let body = body.map_err(|error| vec![Finding::at(place, error.to_string(), "report this as a bug")])?;
        Ok(stream::reference::row(super::SET, place, &body))
    });
    Ok((rows.collect::<Result<_, Vec<Finding>>>()?, warnings))
}

fn place(name: &str, file: File, placed: &mut Vec<Placed>) {
    let mut put = |row: String, value: Row| placed.push((format!("{name}: {row}"), value));
    if let Some(claims) = file.claims {
        put("claims".to_string(), Row::Settings(Settings { claims }));
    }
    for entry in file.teams {
        let period = entry.period();
        let TeamEntry { team, parent, business_unit, cost_center, .. } = entry;
        put(format!("team {team}"), Row::Team(Team { team, parent, business_unit, cost_center, period }));
    }
    for entry in file.projects {
        let period = entry.period();
        let ProjectEntry { project, team, cost_center, .. } = entry;
        put(format!("project {project}"), Row::Project(Project { project, team, cost_center, period }));
    }
    for entry in file.keys {
        let period = entry.period();
        let KeyEntry { key, provider, owner, .. } = entry;
        put(format!("key {key}"), Row::Key(Key { key, provider, owner, period }));
    }
    for (order, entry) in file.shared.into_iter().enumerate() {
        let period = entry.period();
        let SharedEntry { id, of, when, method, among, metric, .. } = entry;
        let shared = Shared { id, of, when, method, among, metric, period };
        put(format!("shared {}", shared.id), Row::Shared(order as u32, Box::new(shared)));
    }
    for entry in file.weights {
        let period = entry.period();
        let WeightsEntry { shared, weights, basis, .. } = entry;
        let row = Weights { shared, weights, basis, period };
        put(format!("weights of {}", row.shared), Row::Weights(row));
    }
    let mut list = |dimension: &str, value: Text, business_unit: Option<Text>, period: Period| {
        let listed = Listed { dimension: dimension.into(), value, business_unit, period };
        put(format!("{dimension} {}", listed.value), Row::Listed(listed));
    };
    for entry in file.cost_centers {
        let period = entry.period();
        list("cost_center", entry.cost_center, entry.business_unit, period);
    }
    for entry in file.business_units {
        let period = entry.period();
        list("business_unit", entry.business_unit, None, period);
    }
    for entry in file.environments {
        let period = entry.period();
        list("environment", entry.environment, None, period);
    }
    for entry in file.customers {
        let period = entry.period();
        list("customer", entry.customer, None, period);
    }
    for (order, entry) in file.rules.into_iter().enumerate() {
        let period = entry.period();
        let RuleEntry { id, when, owner, from_tags, confidence, .. } = entry;
        let rule = Rule { id, when, owner, from_tags, confidence, period };
        put(format!("rule {}", rule.id), Row::Rule(order as u32, Box::new(rule)));
    }
}
