//! Tables (CSV, RFC 4180): a row is a record, its columns are fields. A row is what its `type` column says (one of our
//! CloudEvents types: `ai.seat.period`, `ai.ledger.entry`, ...), else what the operator says, else told by its columns like
//! any object. Empty cells are not there.
//!
//! Spreadsheets write tables in their own ways: between semicolons or tabs, numbers with thousands apart, with a sign of a currency, or
//! with a decimal comma, names of columns in capitals. Such numbers are written as JSON has them; such names are tried in small letters
//! where nothing else tells what a row is.

use std::borrow::Cow;

use schemas::RejectReason;

use crate::assemble::Out;
use crate::envelope::Envelope;
use crate::formats::{self, event};
use crate::json::Json;
use crate::number::is_digits;
use crate::problem::{Problem, Result};
use crate::recognise::{Shape, recognise};

/// Decodes every row.
pub(crate) fn rows(text: &str, hint: Option<Shape>, out: &mut Out<'_>) -> Result<()> {
    let delimiter = delimiter(text);
    let mut lines = Rows { text, delimiter };
    let names = lines.next().unwrap_or_default();
    for cells in lines.filter(|cells| cells.iter().any(|cell| !cell.is_empty())) {
        out.room("")?;
        if cells.len() > names.len() {
            let message = format!("a row has {} cells but the table has {} columns", cells.len(), names.len());
            out.reject(Problem::new(RejectReason::Malformed, "", message), None);
            continue;
        }
        let fields = names.iter().zip(&cells).filter(|(_, cell)| !cell.is_empty());
        let fields = fields.map(|(name, cell)| (name.trim().to_owned(), number(cell, delimiter)));
        let object = object(fields.collect());
        // An object that was just written can be read.
        let Ok(json) = Json::parse(&object) else { continue };
        if let Err(problem) = row(json, hint, out) {
            out.reject(problem, Some(json));
        }
    }
    Ok(())
}

/// A row as an object; its names as columns in the code of most tools are called, where they tell nothing as they are.
fn object(fields: Vec<(String, Cow<'_, str>)>) -> String {
    let written = |plain: fn(&str) -> String| {
        let fields = fields.iter().map(|(name, cell)| (plain(name), serde_json::Value::from(cell.as_ref())));
        serde_json::Value::Object(fields.collect()).to_string()
    };
    let stated = written(str::to_owned);
    let told = |text: &str| Json::parse_object(text).is_some_and(|(_, object)| recognise(&object).is_some());
    if told(&stated) || fields.iter().any(|(name, _)| name == "type") {
        return stated;
    }
    let plain = written(|name| {
        let name = name.to_ascii_lowercase();
        name.chars().map(|c| if c.is_alphanumeric() || c == '.' { c } else { '_' }).collect()
    });
    if told(&plain) { plain } else { stated }
}

/// What stands between the cells: whatever of these the first line has most of.
pub(crate) fn delimiter(text: &str) -> char {
    let head = text.lines().next().unwrap_or_default();
    let count = |mark: char| head.matches(mark).count();
    [',', ';', '\t'].into_iter().rev().max_by_key(|mark| count(*mark)).unwrap_or(',')
}

/// A number as JSON writes it, if a cell is one that is written for people.
fn number(cell: &str, delimiter: char) -> Cow<'_, str> {
    const SIGNS: [&str; 4] = ["US$", "$", "€", "£"];
    let bare = SIGNS.iter().fold(cell.trim(), |bare, sign| {
        bare.strip_prefix(sign).or_else(|| bare.strip_suffix(sign)).unwrap_or(bare).trim()
    });
    let (unsigned, sign) = bare.strip_prefix('-').map_or((bare, ""), |rest| (rest, "-"));
    let (point, comma) = if delimiter == ';' { (',', '.') } else { ('.', ',') };
    let (whole, fraction) = unsigned.split_once(point).map_or((unsigned, None), |(whole, rest)| (whole, Some(rest)));
    let mut groups = whole.split(comma);
    let first = groups.next().unwrap_or_default();
    let grouped = groups.all(|group| group.len() == 3 && is_digits(group));
    let apart = whole.contains(comma);
    let changed = apart || bare.len() != cell.len() || (point == ',' && fraction.is_some());
    // Two dots with nothing else are a version or a part of an address; with a decimal comma behind them they are not.
    let certain = point == '.' || fraction.is_some();
    if changed
        && certain
        && grouped
        && is_digits(first)
        && (!apart || first.len() <= 3)
        && fraction.is_none_or(is_digits)
    {
        let whole = whole.replace(comma, "");
        return Cow::Owned(fraction.map_or_else(|| format!("{sign}{whole}"), |rest| format!("{sign}{whole}.{rest}")));
    }
    Cow::Borrowed(cell)
}

fn row(json: Json<'_>, hint: Option<Shape>, out: &mut Out<'_>) -> Result<()> {
    let object = json.object().unwrap_or_default();
    let kind = object.string("type").unwrap_or_default();
    if kind.starts_with("ai.") {
        out.recognised("csv/", &kind, "column type");
        return event::cloud_event_data(json, json, &kind, Envelope::default(), 0, out);
    }
    let mut envelope = Envelope::default();
    envelope.wrapped = Cow::Borrowed("csv/");
    formats::item(json, hint, envelope, 0, out);
    Ok(())
}

/// The rows of a table.
struct Rows<'a> {
    text: &'a str,
    delimiter: char,
}

impl<'a> Iterator for Rows<'a> {
    type Item = Vec<Cow<'a, str>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.text.is_empty() {
            return None;
        }
        let mut cells = Vec::new();
        loop {
            let (cell, rest) = match self.text.strip_prefix('"') {
                Some(quoted) => quoted_cell(quoted),
                None => {
                    let end = self.text.find([self.delimiter, '\n']).unwrap_or(self.text.len());
                    (Cow::Borrowed(self.text[..end].trim()), &self.text[end..])
                }
            };
            cells.push(cell);
            match rest.strip_prefix(self.delimiter) {
                Some(more) => self.text = more,
                None => {
                    // What stands between a closing quote and the end of the line is nothing.
                    self.text = rest.split_once('\n').map_or("", |(_, more)| more);
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
        let text = "a,b\r\n\"x,1\",\"say \"\"y\"\"\n2\"\n,z\n\"open";
        let rows: Vec<Vec<Cow<'_, str>>> = Rows { text, delimiter: delimiter(text) }.collect();
        assert_eq!(rows, [vec!["a", "b"], vec!["x,1", "say \"y\"\n2"], vec!["", "z"], vec!["open"]]);
    }

    #[test]
    fn numbers_written_for_people_are_numbers() {
        for (cell, delimiter, expected) in [
            ("1,250", ',', "1250"),
            ("$ 1,200.50", ',', "1200.50"),
            ("1.200,50 €", ';', "1200.50"),
            ("0,0001", ';', "0.0001"),
            ("1.2.3", ';', "1.2.3"),
            ("1.200", ';', "1.200"),
            ("12,34", ',', "12,34"),
            ("gpt-4.1", ',', "gpt-4.1"),
            ("-$3", ',', "-$3"),
        ] {
            assert_eq!(number(cell, delimiter), expected, "{cell}");
        }
    }
}
