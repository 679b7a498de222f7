//! Directory files: YAML for people.

use schemas::{Confidence, ReferenceRow, Text, Timestamp};
use serde::Deserialize;

use super::directory::{Placed, build};
use super::row::{Claims, Key, Matches, Project, Row, Rule, Settings, Stated, Team};
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

/// Reads files (pairs of name and text) into rows and validates the directory they make, whole; with warnings.
pub(crate) fn parse(files: &[(String, String)]) -> Result<(Vec<ReferenceRow>, Vec<Finding>), Vec<Finding>> {
    let mut placed = Vec::new();
    let mut findings = Vec::new();
    for (name, text) in files {
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
    for (order, entry) in file.rules.into_iter().enumerate() {
        let period = entry.period();
        let RuleEntry { id, when, owner, from_tags, confidence, .. } = entry;
        let rule = Rule { id, when, owner, from_tags, confidence, period };
        put(format!("rule {}", rule.id), Row::Rule(order as u32, Box::new(rule)));
    }
}
