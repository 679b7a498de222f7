//! Tables (CSV, RFC 4180): a row is a record, its columns are fields. A row is what its `type` column says (one of our
//! CloudEvents types: `ai.seat.period`, `ai.ledger.entry`, ...), else what the operator says, else told by its columns like
//! any object. Empty cells are not there.

use std::borrow::Cow;

use schemas::RejectReason;

use crate::assemble::Out;
use crate::envelope::Envelope;
use crate::formats::{self, event};
use crate::json::Json;
use crate::problem::{Problem, Result};
use crate::recognise::Shape;

/// Decodes every row.
pub(crate) fn rows(text: &str, hint: Option<Shape>, out: &mut Out<'_>) -> Result<()> {
    let mut lines = Rows(text);
    let names = lines.next().unwrap_or_default();
    for cells in lines.filter(|cells| cells.iter().any(|cell| !cell.is_empty())) {
        out.room("")?;
        if cells.len() > names.len() {
            let message = format!("a row has {} cells but the table has {} columns", cells.len(), names.len());
            out.reject(Problem::new(RejectReason::Malformed, "", message), None);
            continue;
        }
        let fields = names.iter().zip(&cells).filter(|(_, cell)| !cell.is_empty());
        let fields = fields.map(|(name, cell)| (name.trim().to_owned(), serde_json::Value::from(cell.as_ref())));
        let object = serde_json::Value::Object(fields.collect()).to_string();
        // An object that was just written can be read.
        let Ok(json) = Json::parse(&object) else { continue };
        if let Err(problem) = row(json, hint, out) {
            out.reject(problem, Some(json));
        }
    }
    Ok(())
}

fn row(json: Json<'_>, hint: Option<Shape>, out: &mut Out<'_>) -> Result<()> {
    let object = json.object().unwrap_or_default();
    let kind = object.string("type").unwrap_or_default();
    if kind.starts_with("ai.") {
        out.recognised("csv/", &kind, "column type");
        return event::cloud_event_data(json, json, &kind, Envelope::default(), 0, out);
    }
    let envelope = Envelope { wrapped: Cow::Borrowed("csv/"), ..Envelope::default() };
    formats::item(json, hint, envelope, 0, out);
    Ok(())
}

/// The rows of a table.
struct Rows<'a>(&'a str);

impl<'a> Iterator for Rows<'a> {
    type Item = Vec<Cow<'a, str>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let mut cells = Vec::new();
        loop {
            let (cell, rest) = match self.0.strip_prefix('"') {
                Some(quoted) => quoted_cell(quoted),
                None => {
                    let end = self.0.find([',', '\n']).unwrap_or(self.0.len());
                    (Cow::Borrowed(self.0[..end].trim()), &self.0[end..])
                }
            };
            cells.push(cell);
            match rest.strip_prefix(',') {
                Some(more) => self.0 = more,
                None => {
                    // What stands between a closing quote and the end of the line is nothing.
                    self.0 = rest.split_once('\n').map_or("", |(_, more)| more);
                    return Some(cells);
                }
            }
        }
    }
}

/// A quoted cell and what follows its closing quote; a doubled quote stands for one.
fn quoted_cell(text: &str) -> (Cow<'_, str>, &str) {
    let mut from = 0;
    while let Some(at) = text[from..].find('"').map(|at| from + at) {
        if text[at + 1..].starts_with('"') {
            from = at + 2;
            continue;
        }
        let cell = &text[..at];
        let cell = if cell.contains('"') { Cow::Owned(cell.replace("\"\"", "\"")) } else { Cow::Borrowed(cell) };
        return (cell, text[at + 1..].trim_start_matches([' ', '\r']));
    }
    (Cow::Borrowed(text), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_commas_lines_and_quotes() {
        let rows: Vec<Vec<Cow<'_, str>>> = Rows("a,b\r\n\"x,1\",\"say \"\"y\"\"\n2\"\n,z\n\"open").collect();
        assert_eq!(rows, [vec!["a", "b"], vec!["x,1", "say \"y\"\n2"], vec!["", "z"], vec!["open"]]);
    }
}
