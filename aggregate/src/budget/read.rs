//! Budget files: read whole, checked whole, or refused with every reason at once.

use std::fmt;
use std::path::Path;

use chrono::NaiveDate;
use schemas::{Money, ReferenceRow};
use serde_yaml_ng::Value;
use stream::reference::row;

use super::{Budgets, Definition, compile};

/// What is wrong with one budget of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// File and budget: `budgets.yaml, budgets[2] (search-daily)`.
    pub place: String,
    /// What is wrong and what would mend it.
    pub message: String,
}

/// Everything that is wrong with a file; nothing of it was used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Findings(pub Vec<Finding>);

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> =
            self.0.iter().map(|finding| format!("{}: {}", finding.place, finding.message)).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Reads a budget file (`deploy/example/budgets.yaml` shows the form) into reference rows, one a budget.
///
/// # Errors
/// Every finding, each with file, budget, field and remedy.
pub fn read_budgets(path: &Path) -> Result<Vec<ReferenceRow>, Findings> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse_budgets(&file, &text),
        Err(error) => Err(Findings(vec![Finding { place: file, message: format!("cannot be read: {error}") }])),
    }
}

/// As [`read_budgets`], of text that was read already; `file` is only for messages.
///
/// # Errors
/// As [`read_budgets`].
pub fn parse_budgets(file: &str, text: &str) -> Result<Vec<ReferenceRow>, Findings> {
    let whole = |message: String| Findings(vec![Finding { place: file.to_owned(), message }]);
    let document: Value = serde_yaml_ng::from_str(text).map_err(|error| whole(format!("is not YAML: {error}")))?;
    let stray = document.as_mapping().into_iter().flatten().find(|(key, _)| key.as_str() != Some("budgets"));
    if let Some((key, _)) = stray {
        return Err(whole(format!("{key:?} is not known at the top; the file holds one list, named budgets")));
    }
    let Some(entries) = document.get("budgets").and_then(Value::as_sequence) else {
        return Err(whole("begins with no list named budgets; write `budgets:` and one entry a budget".to_owned()));
    };
    let mut findings = Vec::new();
    let mut good: Vec<(String, Definition)> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let id = entry.get("id").and_then(Value::as_str).unwrap_or("without id");
        let place = format!("{file}, budgets[{index}] ({id})");
        match definition(entry.clone()) {
            Ok(definition) => match good.iter().find(|(_, other)| other.id == definition.id) {
                Some((first, _)) => findings.push(Finding {
                    message: format!("id {} is taken by {first}; give each budget its own", definition.id),
                    place,
                }),
                None => good.push((place, definition)),
            },
            Err(message) => findings.push(Finding { place, message }),
        }
    }
    if !findings.is_empty() {
        return Err(Findings(findings));
    }
    // The readers' own check, on the whole: what passes here compiles everywhere.
    let definitions = good.iter().map(|(_, definition)| definition.clone()).collect();
    Budgets::new("check", definitions).map_err(whole)?;
    let rows = good.iter().map(|(place, definition)| match serde_json::to_string(definition) {
        Ok(body) => Ok(row("budgets", place, &body)),
        Err(error) => Err(whole(error.to_string())),
    });
    rows.collect()
}

/// One entry. Amounts and shares may be whole numbers or quoted decimals; a bare decimal would pass through a float.
fn definition(mut entry: Value) -> Result<Definition, String> {
    if let Some(amounts) = entry.get_mut("amounts").and_then(Value::as_mapping_mut) {
        for (period, amount) in amounts.iter_mut() {
            let name = format!("amounts.{}", period.as_str().unwrap_or("?"));
            exact(&name, amount)?;
            let text = amount.as_str().unwrap_or_default();
            text.parse::<Money>().map_err(|error| format!("{name}: {error}"))?;
        }
    }
    if let Some(thresholds) = entry.get_mut("thresholds").and_then(Value::as_sequence_mut) {
        for (index, threshold) in thresholds.iter_mut().enumerate() {
            if let Some(share) = threshold.get_mut("share") {
                exact(&format!("thresholds[{index}].share"), share)?;
            }
        }
    }
    for name in ["valid_from", "valid_to"] {
        if let Some(day) = entry.get(name).and_then(Value::as_str)
            && day.parse::<NaiveDate>().is_err()
        {
            return Err(format!("{name}: {day} is no day of the calendar; write one such as 2026-11-30"));
        }
    }
    let definition: Definition = serde_yaml_ng::from_value(entry.clone()).map_err(|error| named(&entry, &error))?;
    compile(&definition)?;
    Ok(definition)
}

/// An error of an entry and the field it is about, which is only told of text.
fn named(entry: &Value, error: &serde_yaml_ng::Error) -> String {
    let text = serde_yaml_ng::to_string(entry).unwrap_or_default();
    let told = match serde_yaml_ng::from_str::<Definition>(&text) {
        Err(told) => told.to_string(),
        Ok(_) => error.to_string(),
    };
    // The place in an entry that was written anew is nowhere in the file.
    told.rsplit_once(" at line ").map_or(told.as_str(), |(told, _)| told).to_owned()
}

fn exact(name: &str, value: &mut Value) -> Result<(), String> {
    match value {
        Value::String(_) => Ok(()),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            *value = Value::String(number.to_string());
            Ok(())
        }
        Value::Number(number) => Err(format!("{name}: {number} is a floating point number; quote it to keep it exact")),
        _ => Err(format!("{name} must be a decimal in quotes")),
    }
}
