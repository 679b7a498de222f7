//! Directory tables as spreadsheets export them: `owners/keys.csv` and its like, one row a line under a header.

use std::collections::BTreeMap;

use schemas::{Text, Timestamp};

use super::directory::Placed;
use super::row::{Key, Listed, Project, Row, Stated, Team};
use crate::finding::Finding;
use crate::period::Period;

/// Tables there are, by the name of their file; all but `keys` have these columns and no other.
const TABLES: [(&str, &[&str]); 7] = [
    ("teams", &["team", "parent", "business_unit", "cost_center"]),
    ("projects", &["project", "team", "cost_center"]),
    ("keys", &["key", "provider"]),
    ("cost_centers", &["cost_center", "business_unit"]),
    ("business_units", &["business_unit"]),
    ("environments", &["environment"]),
    ("customers", &["customer"]),
];

const PERIOD: [&str; 4] = ["valid_from", "valid_to", "known_from", "known_to"];

/// Reads one file. In `keys` every further column is a dimension the key's calls have.
pub(super) fn parse(name: &str, text: &str, placed: &mut Vec<Placed>) -> Result<(), Vec<Finding>> {
    let stem = name.rsplit('/').next().unwrap_or(name).trim_end_matches(".csv");
    let Some((table, columns)) = TABLES.iter().find(|(table, _)| *table == stem) else {
        let known: Vec<String> = TABLES.iter().map(|(table, _)| format!("{table}.csv")).collect();
        let remedy = format!("name it by what is in it: {}; rules are written in YAML", known.join(", "));
        return Err(vec![Finding::error(name, "", "is no table of a directory", remedy)]);
    };
    let mut lines = records(text).map_err(|(line, message)| {
        vec![Finding::error(name, format!("line {line}"), message, "close the quote, or double one that is meant")]
    })?;
    let header = if lines.is_empty() { Vec::new() } else { lines.remove(0).1 };
    let header: Vec<String> = header.iter().map(|column| column.trim().to_lowercase()).collect();
    let mut findings = Vec::new();
    for column in &header {
        let known = columns.contains(&column.as_str()) || PERIOD.contains(&column.as_str());
        // Which dimensions there are is checked with everything else, when the directory is built.
        if !known && *table != "keys" {
            let remedy = format!("use {} and {}", columns.join(", "), PERIOD.join(", "));
            findings.push(Finding::error(name, "line 1", format!("has no column {column:?}"), remedy));
        }
        if header.iter().filter(|other| *other == column).count() > 1 {
            findings.push(Finding::error(name, "line 1", format!("names {column:?} twice"), "keep one of them"));
        }
    }
    if !header.iter().any(|column| column == columns[0]) {
        let message = format!("has no column {:?}", columns[0]);
        findings.push(Finding::error(name, "line 1", message, "begin the file with a line that names the columns"));
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    for (line, cells) in lines {
        let place = format!("{name}: line {line}");
        if cells.len() != header.len() {
            let message = format!("has {} cells where the header has {}", cells.len(), header.len());
            findings.push(Finding::at(&place, message, "quote a cell that holds a comma"));
            continue;
        }
        let mut cells: BTreeMap<&str, Text> =
            header.iter().map(String::as_str).zip(&cells).map(|(column, cell)| (column, cell.trim().into())).collect();
        cells.retain(|_, cell| !cell.is_empty());
        match row(table, cells) {
            Ok(row) => placed.push((place, row)),
            Err(message) => findings.push(Finding::at(&place, message, "mend the cell")),
        }
    }
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

fn row(table: &str, mut cells: BTreeMap<&str, Text>) -> Result<Row, String> {
    let mut time = |column: &str| -> Result<Option<Timestamp>, String> {
        let Some(text) = cells.remove(column) else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| format!("{column} {text:?} is no time; write 2026-09-01 or an RFC 3339 time"))
    };
    let period = Period {
        valid_from: time("valid_from")?,
        valid_to: time("valid_to")?,
        known_from: time("known_from")?,
        known_to: time("known_to")?,
    };
    let must = |cells: &mut BTreeMap<&str, Text>, column: &str| {
        cells.remove(column).ok_or_else(|| format!("{column} is empty"))
    };
    Ok(match table {
        "teams" => Row::Team(Team {
            team: must(&mut cells, "team")?,
            parent: cells.remove("parent"),
            business_unit: cells.remove("business_unit"),
            cost_center: cells.remove("cost_center"),
            period,
        }),
        "projects" => Row::Project(Project {
            project: must(&mut cells, "project")?,
            team: must(&mut cells, "team")?,
            cost_center: cells.remove("cost_center"),
            period,
        }),
        "keys" => {
            let (key, provider) = (must(&mut cells, "key")?, cells.remove("provider"));
            let owner: Stated = cells.into_iter().map(|(name, value)| (name.into(), value)).collect();
            Row::Key(Key { key, provider, owner, period })
        }
        listed => {
            let dimension = listed.trim_end_matches('s');
            let value = must(&mut cells, dimension)?;
            Row::Listed(Listed {
                dimension: dimension.into(),
                value,
                business_unit: cells.remove("business_unit"),
                period,
            })
        }
    })
}

/// A record: the line it begins on, and its cells.
type Record = (usize, Vec<String>);

/// The records of a text, as RFC 4180 writes them; empty lines are left out. On failure the line and why.
fn records(text: &str) -> Result<Vec<Record>, (usize, &'static str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = Vec::new();
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let (mut line, mut began) = (1, 1);
    let mut characters = text.chars().peekable();
    loop {
        let end = match characters.next() {
            None => true,
            Some('"') if cell.is_empty() => {
                loop {
                    match characters.next() {
                        Some('"') if characters.peek() == Some(&'"') => {
                            characters.next();
                            cell.push('"');
                        }
                        Some('"') => break,
                        Some(character) => {
                            line += usize::from(character == '\n');
                            cell.push(character);
                        }
                        None => return Err((began, "a quote is not closed")),
                    }
                }
                continue;
            }
            Some(',') => {
                cells.push(std::mem::take(&mut cell));
                continue;
            }
            Some('\n') => false,
            Some('\r') if characters.peek().is_none_or(|next| *next == '\n') => continue,
            Some(character) => {
                cell.push(character);
                continue;
            }
        };
        cells.push(std::mem::take(&mut cell));
        let record = std::mem::take(&mut cells);
        if record.iter().any(|cell| !cell.trim().is_empty()) {
            records.push((began, record));
        }
        if end {
            return Ok(records);
        }
        line += 1;
        began = line;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_commas_quotes_and_lines() {
        let read = records("\u{feff}a,b\r\n\"x, \"\"y\"\"\",\"two\nlines\"\n\n,\nlast,1").unwrap();
        let row = |line: usize, cells: [&str; 2]| (line, cells.map(str::to_owned).to_vec());
        let expected = [row(1, ["a", "b"]), row(2, ["x, \"y\"", "two\nlines"]), row(6, ["last", "1"])];
        assert_eq!(read, expected);
        assert_eq!(records("a\n\"b"), Err((2, "a quote is not closed")));
    }
}
