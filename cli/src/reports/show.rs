//! An answer as text and files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Field, Int32Type, Int64Type};
use chrono::NaiveDate;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use schemas::{Money, PICO, Timestamp};

use super::ratio::{Ratio, Whole};
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

/// A cell for people; null is a dash, and as a team unallocated.
///
/// # Errors
/// When the column holds what no answer holds.
pub fn cell(rows: &RecordBatch, at: usize, row: usize) -> anyhow::Result<String> {
    let (schema, column) = (rows.schema(), rows.column(at));
    if column.is_null(row) {
        // As the first report has it: nobody pays for that.
        return Ok(if schema.field(at).name() == "team" { "unallocated" } else { "-" }.to_owned());
    }
    let kind = kind(schema.field(at).name(), column.data_type());
    if kind == Kind::Words {
        return words(column, row);
    }
    figure(kind, ratio::picos(column, row)?.unwrap_or_default())
}

/// A number of this kind, in 10^-12, for people.
fn figure(kind: Kind, picos: i128) -> anyhow::Result<String> {
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

/// What the rows of each currency add up to, where they are parts of a whole and more than one, and those of all currencies in
/// the one that they were converted to; for people only: whoever sums a column of a file must not find its sum there. Cells
/// that cannot be added are empty.
///
/// # Errors
/// When a column holds what no answer holds.
pub fn totals(answer: &Answer) -> anyhow::Result<Vec<Vec<String>>> {
    let rows = &answer.rows;
    if !answer.request.what.adds_up() {
        return Ok(Vec::new());
    }
    let schema = rows.schema();
    let currency = schema.index_of("currency")?;
    let of = rows.column(currency).as_string_opt::<i32>().context("the column currency is no text")?;
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    of.iter().for_each(|code| *count.entry(code.unwrap_or_default()).or_default() += 1);
    count.retain(|_, rows| *rows > 1);
    let sums: Vec<BTreeMap<String, i128>> = (0..rows.num_columns())
        .map(|at| match kind(schema.field(at).name(), rows.column(at).data_type()) {
            Kind::Money | Kind::Count => ratio::totals(rows, rows.column(at)),
            Kind::UnitPrice | Kind::Share | Kind::Words => Ok(BTreeMap::new()),
        })
        .collect::<anyhow::Result<_>>()?;
    let ratio_of = |name: &str| answer.request.what.ratios().iter().find(|ratio| ratio.name == name);
    let cell = |code: &str, at: usize| {
        let field = schema.field(at);
        // What a ratio divides is added up, never ratios.
        if let Some(Ratio { part, whole: Whole::Column(whole), times, .. }) = ratio_of(field.name()) {
            let sum = |name: &str| schema.index_of(name).ok().and_then(|at| sums[at].get(code).copied());
            let divided = sum(part).zip(sum(whole)).and_then(|(part, whole)| ratio::divide(part, whole, *times));
            return match divided {
                Some(divided) => figure(kind(field.name(), field.data_type()), divided),
                None => Ok(String::new()),
            };
        }
        match (at, sums[at].get(code)) {
            (0, None) => Ok("total".to_owned()),
            (at, None) if at == currency => Ok(code.to_owned()),
            (_, None) => Ok(String::new()),
            (at, Some(_)) if (0..of.len()).all(|row| of.value(row) != code || rows.column(at).is_null(row)) => {
                Ok("-".to_owned())
            }
            (_, Some(sum)) => figure(kind(field.name(), field.data_type()), *sum),
        }
    };
    let mut totals = count
        .keys()
        .map(|code| (0..rows.num_columns()).map(|at| cell(code, at)).collect())
        .collect::<anyhow::Result<Vec<_>>>()?;
    totals.extend(converted(rows)?);
    Ok(totals)
}

/// What rows of several currencies are together in the one that all were converted to; nothing where some were not.
fn converted(rows: &RecordBatch) -> anyhow::Result<Option<Vec<String>>> {
    let text = |name: &str| rows.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let (Some(currency), Some(reporting)) = (text("currency"), text("reporting_currency")) else { return Ok(None) };
    let (Some(cost), Some(converted)) =
        (rows.column_by_name("effective_cost"), rows.column_by_name("reporting_effective_cost"))
    else {
        return Ok(None);
    };
    let into: BTreeSet<&str> = reporting.iter().flatten().collect();
    let (1, Some(into), 2..) = (into.len(), into.first(), rows.num_rows()) else { return Ok(None) };
    let mut all = 0i128;
    for row in 0..rows.num_rows() {
        let amount = match (ratio::picos(converted, row)?, ratio::picos(cost, row)?.unwrap_or(0)) {
            (Some(converted), _) => converted,
            (None, 0) => 0,
            (None, cost) if currency.value(row) == *into => cost,
            (None, _) => return Ok(None),
        };
        all = all.checked_add(amount).context("a sum needs more than 38 digits")?;
    }
    let schema = rows.schema();
    let cell = |(at, field): (usize, &Arc<Field>)| match (at, field.name().as_str()) {
        (0, _) => Ok(format!("all, in {into}")),
        (_, "currency" | "reporting_currency") => Ok((*into).to_owned()),
        (_, "reporting_effective_cost") => figure(Kind::Money, all),
        _ => Ok(String::new()),
    };
    schema.fields().iter().enumerate().map(cell).collect::<anyhow::Result<_>>().map(Some)
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
    totals(answer)?.into_iter().for_each(|total| table.total(total));
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

/// CSV for spreadsheets, which know UTF-8 by its mark and begin formulas at some characters.
///
/// # Errors
/// When a column holds what no answer holds.
pub fn spreadsheet(rows: &RecordBatch) -> anyhow::Result<String> {
    Ok(encode::spreadsheet_header(&rows.schema()) + &encode::spreadsheet(rows)?)
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

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Decimal128Array, Int64Array, StringArray};

    use super::*;
    use crate::reports::{Period, Request, What};

    fn answer(what: What) -> Answer {
        let money = |units: [Option<i128>; 4]| {
            let picos = units.map(|units| units.map(|units| units * PICO)).to_vec();
            Arc::new(Decimal128Array::from(picos).with_precision_and_scale(38, 12).unwrap()) as ArrayRef
        };
        let rows = RecordBatch::try_from_iter([
            ("team", Arc::new(StringArray::from(vec![Some("a"), None, Some("a"), Some("a")])) as ArrayRef),
            ("currency", Arc::new(StringArray::from(vec!["EUR", "EUR", "JPY", "JPY"]))),
            ("requests", Arc::new(Int64Array::from(vec![1200, 34, 5, 6]))),
            ("effective_cost", money([Some(1000), Some(-1), None, None])),
            ("share", money([Some(1), Some(0), None, None])),
        ]);
        let request = Request { what, by: None, period: Period::default(), as_of: None };
        Answer { request, sql: String::new(), version: None, rows: rows.unwrap() }
    }

    #[test]
    fn parts_of_a_whole_are_added_up_by_currency_and_nothing_known_is_no_zero() {
        let euro = ["total", "EUR", "1,234", "999.0000", ""];
        assert_eq!(totals(&answer(What::Spend)).unwrap(), [euro, ["total", "JPY", "11", "-", ""]]);
    }

    #[test]
    fn what_a_call_costs_altogether_is_all_cost_by_all_calls_and_no_sum_or_mean() {
        let picos = |units: [i128; 3]| {
            let picos = units.map(|units| units * PICO).to_vec();
            Arc::new(Decimal128Array::from(picos).with_precision_and_scale(38, 12).unwrap()) as ArrayRef
        };
        let rows = RecordBatch::try_from_iter([
            ("team", Arc::new(StringArray::from(vec![Some("a"), None, Some("b")])) as ArrayRef),
            ("currency", Arc::new(StringArray::from(vec!["USD", "USD", "EUR"]))),
            ("requests", Arc::new(Int64Array::from(vec![10, 40, 1]))),
            ("priced_requests", Arc::new(Int64Array::from(vec![10, 30, 1]))),
            ("effective_cost", picos([10, 10, 5])),
            ("priced_tokens", picos([1_000_000, 3_000_000, 1])),
        ]);
        let rows = ratio::add(&rows.unwrap(), What::UnitCost.ratios()).unwrap();
        let answer = Answer { rows, ..answer(What::UnitCost) };
        let all = ["total", "USD", "50", "40", "20.0000", "4,000,000", "0.50000000", "5.0000", "80.0 %"];
        assert_eq!(totals(&answer).unwrap(), [all]);
        assert!(table(&answer, Style::default()).unwrap().contains("  unallocated  USD"));
    }

    #[test]
    fn what_was_all_converted_has_one_total_and_what_was_in_part_has_none() {
        let rows = |yen: Option<i128>| {
            let money = |units: [Option<i128>; 3]| {
                let picos = units.map(|units| units.map(|units| units * PICO)).to_vec();
                Arc::new(Decimal128Array::from(picos).with_precision_and_scale(38, 12).unwrap()) as ArrayRef
            };
            let of_yen = yen.map(|_| "USD");
            RecordBatch::try_from_iter([
                ("team", Arc::new(StringArray::from(vec!["a", "a", "b"])) as ArrayRef),
                ("currency", Arc::new(StringArray::from(vec!["EUR", "JPY", "USD"]))),
                ("effective_cost", money([Some(100), Some(1000), Some(7)])),
                ("reporting_currency", Arc::new(StringArray::from(vec![Some("USD"), of_yen, None]))),
                ("reporting_effective_cost", money([Some(110), yen, None])),
            ])
            .unwrap()
        };
        let answer = Answer { rows: rows(Some(6)), ..answer(What::Spend) };
        assert_eq!(totals(&answer).unwrap(), [["all, in USD", "USD", "", "USD", "123.0000"]]);
        assert!(totals(&Answer { rows: rows(None), ..answer }).unwrap().is_empty(), "yen have no rate");
    }

    #[test]
    fn a_single_row_of_a_currency_is_its_own_total() {
        let mut answer = answer(What::Spend);
        answer.rows = answer.rows.slice(1, 2);
        assert!(totals(&answer).unwrap().is_empty());
    }

    #[test]
    fn rows_that_overlap_are_not_added_up() {
        assert!(totals(&answer(What::Quality)).unwrap().is_empty());
    }

    #[test]
    fn files_hold_rows_alone() {
        let answer = answer(What::Spend);
        assert!(table(&answer, Style::default()).unwrap().contains("total"));
        assert!(!csv(&answer.rows).unwrap().contains("total") && !json(&answer).unwrap().contains("\"total\""));
    }
}
