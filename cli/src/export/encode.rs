//! Rows as text: CSV and JSON lines. Decimals are exact strings, times RFC 3339, days ISO 8601.

use std::borrow::Cow;
use std::fmt::Write;

use anyhow::bail;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int32Type, Int64Type, Schema, TimestampMicrosecondType};
use chrono::NaiveDate;
use schemas::Timestamp;

/// The first line of a CSV file.
pub(crate) fn header(schema: &Schema) -> String {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    names.join(",") + "\r\n"
}

/// A field of CSV (RFC 4180). Text that is empty is quoted, null is not: nothing.
fn quoted(text: &str) -> Cow<'_, str> {
    match text.is_empty() || text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")).into(),
        false => text.into(),
    }
}

/// The first line of a CSV file for spreadsheets: the mark of UTF-8, without which Excel takes another encoding, comes first.
pub(crate) fn spreadsheet_header(schema: &Schema) -> String {
    format!("\u{feff}{}", header(schema))
}

/// Text that a spreadsheet would take for a formula, behind an apostrophe: names come from whoever sends events.
fn no_formula(text: &str) -> Cow<'_, str> {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}").into(),
        false => text.into(),
    }
}

/// Text as it is.
fn exact(text: &str) -> Cow<'_, str> {
    text.into()
}

/// Rows of a CSV file: exact, for programs.
pub(crate) fn csv(batch: &RecordBatch) -> anyhow::Result<String> {
    rows(batch, exact)
}

/// Rows of a CSV file for spreadsheets.
pub(crate) fn spreadsheet(batch: &RecordBatch) -> anyhow::Result<String> {
    rows(batch, no_formula)
}

/// Rows of CSV, their texts (and no numbers, which may be negative) through a function.
fn rows(batch: &RecordBatch, of_text: fn(&str) -> Cow<'_, str>) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut cell = String::new();
    for row in 0..batch.num_rows() {
        for (at, column) in batch.columns().iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            if column.is_null(row) {
                continue;
            }
            cell.clear();
            match plain(column, row, &mut cell)? {
                true if *column.data_type() == DataType::Utf8 => text.push_str(&quoted(&of_text(&cell))),
                true => text.push_str(&quoted(&cell)),
                false => {
                    json(column, row, &mut cell)?;
                    text.push_str(&quoted(&cell));
                }
            }
        }
        text.push_str("\r\n");
    }
    Ok(text)
}

/// Lines of JSON.
pub(crate) fn json_lines(batch: &RecordBatch) -> anyhow::Result<String> {
    let schema = batch.schema();
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        let fields = schema.fields().iter().map(|field| field.name().as_str()).zip(batch.columns());
        object(fields, row, &mut text)?;
        text.push('\n');
    }
    Ok(text)
}

fn object<'a>(
    fields: impl Iterator<Item = (&'a str, &'a std::sync::Arc<dyn Array>)>,
    row: usize,
    out: &mut String,
) -> anyhow::Result<()> {
    out.push('{');
    let mut first = true;
    for (name, column) in fields {
        if column.is_null(row) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        string(name, out);
        out.push(':');
        json(column, row, out)?;
    }
    out.push('}');
    Ok(())
}

/// Writes a value that is no list, map or record as it is in CSV; false when it is one.
fn plain(column: &dyn Array, row: usize, out: &mut String) -> anyhow::Result<bool> {
    match column.data_type() {
        DataType::Utf8 => out.push_str(column.as_string::<i32>().value(row)),
        DataType::Int32 => write!(out, "{}", column.as_primitive::<Int32Type>().value(row))?,
        DataType::Int64 => write!(out, "{}", column.as_primitive::<Int64Type>().value(row))?,
        DataType::Boolean => write!(out, "{}", column.as_boolean().value(row))?,
        DataType::Decimal128(_, scale) => decimal(column.as_primitive::<Decimal128Type>().value(row), *scale, out)?,
        DataType::Timestamp(..) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            write!(out, "{}", Timestamp::from_micros(micros))?;
        }
        DataType::Date32 => {
            let day = column.as_primitive::<Date32Type>().value(row);
            write!(out, "{}", NaiveDate::from_epoch_days(day).unwrap_or_default())?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn json(column: &dyn Array, row: usize, out: &mut String) -> anyhow::Result<()> {
    if column.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match column.data_type() {
        DataType::Int32 | DataType::Int64 | DataType::Boolean => {
            plain(column, row, out)?;
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            out.push('[');
            for at in 0..items.len() {
                if at > 0 {
                    out.push(',');
                }
                json(&items, at, out)?;
            }
            out.push(']');
        }
        DataType::Struct(fields) => {
            let record = column.as_struct();
            object(fields.iter().map(|field| field.name().as_str()).zip(record.columns()), row, out)?;
        }
        DataType::Map(..) => {
            let entries = column.as_map().value(row);
            let keys = entries.column(0).as_string::<i32>();
            out.push('{');
            for at in 0..entries.len() {
                if at > 0 {
                    out.push(',');
                }
                string(keys.value(at), out);
                out.push(':');
                json(entries.column(1), at, out)?;
            }
            out.push('}');
        }
        other => {
            let mut text = String::new();
            if !plain(column, row, &mut text)? {
                bail!("a column of {other} cannot be exported as text");
            }
            string(&text, out);
        }
    }
    Ok(())
}

/// A decimal with as many places as it needs.
fn decimal(value: i128, scale: i8, out: &mut String) -> std::fmt::Result {
    let (mut places, mut digits) = (usize::from(scale.unsigned_abs()), value.unsigned_abs());
    while places > 0 && digits.is_multiple_of(10) {
        digits /= 10;
        places -= 1;
    }
    let sign = if value < 0 { "-" } else { "" };
    let unit = 10u128.pow(places as u32);
    match places {
        0 => write!(out, "{sign}{digits}"),
        _ => write!(out, "{sign}{}.{:0places$}", digits / unit, digits % unit),
    }
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", control as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_whole_and_without_idle_zeros() {
        let text = |value, scale| {
            let mut out = String::new();
            decimal(value, scale, &mut out).unwrap();
            out
        };
        assert_eq!(text(1_500_000_000_000, 12), "1.5");
        assert_eq!(text(-1, 12), "-0.000000000001");
        assert_eq!(text(2_000_000_000_000, 12), "2");
        assert_eq!(text(0, 18), "0");
        assert_eq!(text(10i128.pow(38) - 1, 12), "99999999999999999999999999.999999999999");
    }

    #[test]
    fn a_field_of_csv_is_quoted_only_where_it_must_be() {
        assert_eq!(quoted("plain text"), "plain text");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"hi\"\n"), "\"say \"\"hi\"\"\n\"");
        assert_eq!(quoted(""), "\"\"");
    }

    #[test]
    fn what_a_spreadsheet_would_reckon_is_text_in_its_own_form_alone() {
        let teams = arrow::array::StringArray::from(vec!["=cmd|' /C calc'!A0", "@cf/meta/llama", "plain"]);
        let counts = arrow::array::Int64Array::from(vec![-1, 2, 3]);
        let columns: [(&str, std::sync::Arc<dyn Array>); 2] =
            [("team", std::sync::Arc::new(teams)), ("calls", std::sync::Arc::new(counts))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        assert_eq!(csv(&batch).unwrap(), "=cmd|' /C calc'!A0,-1\r\n@cf/meta/llama,2\r\nplain,3\r\n");
        assert_eq!(spreadsheet(&batch).unwrap(), "'=cmd|' /C calc'!A0,-1\r\n'@cf/meta/llama,2\r\nplain,3\r\n");
        assert_eq!(spreadsheet_header(&batch.schema()), "\u{feff}team,calls\r\n");
    }

    #[test]
    fn text_with_quotes_and_control_characters_stays_one_json_string() {
        let mut out = String::new();
        string("a\"b\\c\n\u{1}é", &mut out);
        assert_eq!(out, "\"a\\\"b\\\\c\\n\\u0001é\"");
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), "a\"b\\c\n\u{1}é");
    }
}
