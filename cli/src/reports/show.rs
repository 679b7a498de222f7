//! An answer as text and files.

use std::fmt::Write;

use anyhow::Context;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type};
use chrono::NaiveDate;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use schemas::{Money, PICO, Timestamp};

use super::{Answer, ratio};
use crate::amount;
use crate::export::encode;
use crate::table::{Style, Table};

/// Most rows on a terminal.
const ROWS_MAX: usize = 100;

/// What a column holds, as far as people are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Words,
    Count,
    Money,
    /// Money so small that more places are needed.
    UnitPrice,
    Share,
}

fn kind(name: &str, of: &DataType) -> Kind {
    match of {
        DataType::Int64 => Kind::Count,
        DataType::Decimal128(..) if name.ends_with("share") || name == "coverage" => Kind::Share,
        DataType::Decimal128(..) if matches!(name, "cost_per_request" | "cost_per_unit" | "unit_price") => {
            Kind::UnitPrice
        }
        DataType::Decimal128(..) if name.contains("cost") || matches!(name, "saved" | "chargeback" | "margin") => {
            Kind::Money
        }
        DataType::Decimal128(..) => Kind::Count,
        _ => Kind::Words,
    }
}

/// A cell for people; null is a dash.
///
/// # Errors
/// When the column holds what no answer holds.
pub fn cell(rows: &RecordBatch, at: usize, row: usize) -> anyhow::Result<String> {
    let (schema, column) = (rows.schema(), rows.column(at));
    if column.is_null(row) {
        return Ok("-".to_owned());
    }
    let kind = kind(schema.field(at).name(), column.data_type());
    if kind == Kind::Words {
        return words(column, row);
    }
    let picos = ratio::picos(column, row)?.unwrap_or_default();
    let number = |picos: i128| Money::from_picos(picos).context("a figure needs more than 38 digits");
    Ok(match kind {
        Kind::Money => amount::money(number(picos)?, 4),
        Kind::UnitPrice => amount::money(number(picos)?, 8),
        Kind::Share => {
            format!("{} %", amount::money(number(picos.checked_mul(100).context("a share is too large")?)?, 1))
        }
        Kind::Count | Kind::Words => amount::money(number(picos)?, if picos % PICO == 0 { 0 } else { 2 }),
    })
}

fn words(column: &dyn Array, row: usize) -> anyhow::Result<String> {
    Ok(match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Date32 => {
            let day = NaiveDate::from_epoch_days(column.as_primitive::<Date32Type>().value(row));
            day.context("a day is off the calendar")?.to_string()
        }
        other => anyhow::bail!("a column of {other} cannot be shown"),
    })
}

/// A period for people.
pub fn period(answer: &Answer) -> String {
    let day = |day: Option<NaiveDate>, open: &str| day.map_or_else(|| open.to_owned(), |day| day.to_string());
    let period = answer.request.period;
    let mut text = match (period.from, period.to) {
        (None, None) => "all time".to_owned(),
        (from, to) => format!("{} to {}", day(from, "the first day"), day(to, "the last day")),
    };
    if let Some(at) = answer.request.as_of {
        let _ = write!(text, ", as known at {at}");
    }
    text
}

/// The answer as a table for a terminal.
///
/// # Errors
/// When a column holds what no answer holds.
pub fn table(answer: &Answer, style: Style) -> anyhow::Result<String> {
    let rows = &answer.rows;
    let schema = rows.schema();
    let heading = |name: &str, of: &DataType| match kind(name, of) {
        Kind::Words => name.to_owned(),
        _ => format!(">{name}"),
    };
    let names: Vec<String> = schema.fields().iter().map(|field| heading(field.name(), field.data_type())).collect();
    let mut table = Table::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for row in 0..rows.num_rows().min(ROWS_MAX) {
        let cells = (0..rows.num_columns()).map(|at| cell(rows, at, row));
        table.row(cells.collect::<anyhow::Result<Vec<_>>>()?);
    }
    let mut text = format!("{}  {} (UTC)\n", style.heading(answer.request.what.name()), period(answer));
    match rows.num_rows() {
        0 => text.push_str("  nothing\n"),
        _ => text.push_str(&table.render(style)),
    }
    if let Some(more) = rows.num_rows().checked_sub(ROWS_MAX).filter(|more| *more > 0) {
        let _ = writeln!(text, "  and {more} more rows; --output csv has all");
    }
    Ok(text)
}

/// RFC 4180 with a header; amounts exact, null an empty field.
///
/// # Errors
/// When a column holds what no answer holds.
pub fn csv(rows: &RecordBatch) -> anyhow::Result<String> {
    Ok(encode::header(&rows.schema()) + &encode::csv(rows)?)
}

/// One JSON object: what was asked, the query, and the rows; amounts are exact strings, null is left out.
///
/// # Errors
/// When a column holds what no answer holds.
pub fn json(answer: &Answer) -> anyhow::Result<String> {
    let request = &answer.request;
    let text = |day: Option<NaiveDate>| day.map(|day| day.to_string());
    let head = serde_json::json!({
        "report": request.what.name(),
        "by": request.dimensions(),
        "from": text(request.period.from),
        "to": text(request.period.to),
        "as_of": request.as_of.as_ref().map(Timestamp::to_string),
        "table_version": answer.version,
        "query": answer.sql,
    });
    let mut head = serde_json::to_string_pretty(&head)?;
    head.truncate(head.trim_end_matches(['}', '\n']).len());
    let lines = encode::json_lines(&answer.rows)?;
    let lines: Vec<String> = lines.lines().map(|line| format!("    {line}")).collect();
    let rows = if lines.is_empty() { "[]".to_owned() } else { format!("[\n{}\n  ]", lines.join(",\n")) };
    Ok(format!("{head},\n  \"rows\": {rows}\n}}\n"))
}

/// zstd Parquet; amounts are `DECIMAL(38,12)`.
///
/// # Errors
/// When a column cannot be encoded.
pub fn parquet(rows: &RecordBatch) -> anyhow::Result<Vec<u8>> {
    let compression = Compression::ZSTD(ZstdLevel::try_new(3)?);
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties))?;
    writer.write(rows)?;
    writer.close()?;
    Ok(bytes)
}
