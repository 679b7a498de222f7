//! Answers of queries, which name their columns once and then give rows of values: Azure's Log Analytics and Application Insights,
//! BigQuery, Athena, Snowflake, Databricks, ClickHouse, Trino, InfluxDB; tables as pandas writes them, also column by column. Each row is
//! read as the object it is, and only where one of the first can be told to be something.
//!
//! Names: <https://learn.microsoft.com/azure/azure-monitor/logs/api/response-format>,
//! <https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query>,
//! <https://docs.aws.amazon.com/athena/latest/APIReference/API_ResultSet.html>,
//! <https://docs.snowflake.com/developer-guide/sql-api/reference>, <https://docs.databricks.com/api/workspace/statementexecution>,
//! <https://clickhouse.com/docs/interfaces/formats/JSONCompact>, <https://trino.io/docs/current/develop/client-protocol.html>, not opened:
//! from knowledge of them (2026-12-01).

use std::borrow::Cow;

use crate::assemble::Out;
use crate::envelope::Envelope;
use crate::formats;
use crate::json::{self, Json, Kind, Object};
use crate::problem::Result;
use crate::recognise::{self, FLAT, Shape};

/// Most columns of a table, and rows that are looked at to tell what they are.
const COLUMNS_MAX: usize = 1_024;
const SEEN: usize = 16;

/// Names of columns, and rows of their values.
struct Table<'a> {
    names: Vec<Cow<'a, str>>,
    rows: Vec<Vec<Json<'a>>>,
}

/// True for an answer with rows that can be told.
pub(crate) fn is_answer(object: &Object<'_>) -> bool {
    tables(object).iter().any(|table| table.rows.iter().take(SEEN).any(|row| is_told(&table.written(row))))
}

/// Reads each row.
pub(crate) fn read<'a>(object: &Object<'a>, envelope: &Envelope<'a>, wrappers: u8, out: &mut Out<'_>) -> Result<()> {
    for table in tables(object) {
        for row in &table.rows {
            out.room("rows")?;
            let row = table.written(row);
            // An object that was just written can be read.
            let Ok(row) = Json::parse(&row) else { continue };
            formats::item(row, None, envelope.shorter(), wrappers + 1, out);
        }
    }
    Ok(())
}

fn is_told(row: &str) -> bool {
    let shape = Json::parse_object(row).and_then(|(_, row)| recognise::recognise(&row));
    shape.is_some_and(|(shape, _)| !matches!(shape, Shape::Status | Shape::Error | Shape::Fragment))
}

impl Table<'_> {
    /// A row as an object; its names in small letters, too, where they are not, as databases write them in capitals.
    fn written(&self, row: &[Json<'_>]) -> String {
        let object = |plain: fn(&str) -> Cow<'_, str>| {
            let mut object = String::from("{");
            for (name, value) in self.names.iter().zip(row).filter(|(_, value)| !value.is_null()) {
                json::put_field(&mut object, &plain(name), value.text());
            }
            object.push('}');
            object
        };
        let stated = object(|name| Cow::Borrowed(name));
        match self.names.iter().any(|name| name.bytes().any(|byte| byte.is_ascii_lowercase())) || is_told(&stated) {
            true => stated,
            false => object(|name| Cow::Owned(name.to_ascii_lowercase())),
        }
    }
}

fn tables<'a>(object: &Object<'a>) -> Vec<Table<'a>> {
    if let Some((_, tables)) = object.first(&["tables", "Tables"]) {
        let tables = tables.array().unwrap_or_default();
        return tables.into_iter().filter_map(Json::object).filter_map(|table| stated(&table)).collect();
    }
    if let Some(series) = object.first_of("results").and_then(|result| result.array("series")) {
        return series.into_iter().filter_map(Json::object).filter_map(|table| stated(&table)).collect();
    }
    let table = stated(object)
        .or_else(|| of_bigquery(object))
        .or_else(|| of_athena(object))
        .or_else(|| of_databricks(object))
        .or_else(|| by_column(object));
    table.into_iter().collect()
}

/// Columns and rows in one object.
fn stated<'a>(object: &Object<'a>) -> Option<Table<'a>> {
    const HEADS: [&str; 4] = ["columns", "Columns", "rowType", "meta"];
    const ROWS: [&str; 5] = ["rows", "Rows", "data", "values", "results"];
    let about = object.object("resultSetMetaData");
    let names = names(about.as_ref().unwrap_or(object).first(&HEADS)?.1)?;
    let rows = ROWS.iter().find_map(|name| object.array(name))?;
    table(names, rows.into_iter().map(Json::array))
}

fn of_bigquery<'a>(object: &Object<'a>) -> Option<Table<'a>> {
    let names = names(object.object("schema")?.get("fields")?)?;
    let rows = object.array("rows")?.into_iter();
    table(names, rows.map(|row| within(row.object()?.array("f")?, "v")))
}

fn of_athena<'a>(object: &Object<'a>) -> Option<Table<'a>> {
    let set = object.object("ResultSet")?;
    let names = names(set.object("ResultSetMetadata")?.get("ColumnInfo")?)?;
    let rows = set.array("Rows")?.into_iter().map(|row| within(row.object()?.array("Data")?, "VarCharValue"));
    let mut table = table(names, rows)?;
    // The first page begins with the names.
    let named = |row: &Vec<Json<'_>>| row.first().and_then(|name| name.string()) == table.names.first().cloned();
    if table.rows.first().is_some_and(named) {
        table.rows.remove(0);
    }
    Some(table)
}

fn of_databricks<'a>(object: &Object<'a>) -> Option<Table<'a>> {
    let names = names(object.object("manifest")?.object("schema")?.get("columns")?)?;
    table(names, object.object("result")?.array("data_array")?.into_iter().map(Json::array))
}

/// A table column by column: a list of values under each name, or an object of them by the number of the row.
fn by_column<'a>(object: &Object<'a>) -> Option<Table<'a>> {
    let values = |column: Json<'a>| match column.kind() {
        Kind::Array => column.array(),
        Kind::Object => Some(column.object()?.iter().map(|(_, value)| value).collect::<Vec<_>>()),
        _ => None,
    };
    // Looked into only where a count stands there that is no number.
    let first = FLAT.iter().find_map(|name| object.get(name)).and_then(values)?;
    let several = |(_, column): &(Cow<'a, str>, Json<'a>)| matches!(column.kind(), Kind::Array | Kind::Object);
    let columns = object.fields().filter(several).take(COLUMNS_MAX);
    let columns: Vec<_> = columns.filter_map(|(name, column)| Some((name, values(column)?))).collect();
    let columns: Vec<_> = columns.into_iter().filter(|(_, values)| values.len() == first.len()).collect();
    let row = |at: usize| -> Vec<Json<'a>> { columns.iter().map(|(_, values)| values[at]).collect() };
    let rows = (0..first.len()).map(row).collect();
    Some(Table { names: columns.iter().map(|(name, _)| name.clone()).collect(), rows })
}

fn table<'a>(names: Vec<Cow<'a, str>>, rows: impl Iterator<Item = Option<Vec<Json<'a>>>>) -> Option<Table<'a>> {
    let rows: Option<Vec<_>> = rows.collect();
    rows.filter(|rows| !rows.is_empty()).map(|rows| Table { names, rows })
}

/// The values of cells that are objects; one without a value is null.
fn within<'a>(cells: Vec<Json<'a>>, name: &str) -> Option<Vec<Json<'a>>> {
    let null = Json::parse("null").ok()?;
    cells.into_iter().map(|cell| cell.object().map(|cell| cell.get(name).unwrap_or(null))).collect()
}

/// What columns are called: texts, or objects that say it.
fn names(columns: Json<'_>) -> Option<Vec<Cow<'_, str>>> {
    let names: Option<Vec<_>> = columns.array()?.into_iter().take(COLUMNS_MAX).map(name).collect();
    names.filter(|names| !names.is_empty())
}

fn name(column: Json<'_>) -> Option<Cow<'_, str>> {
    const NAMES: [&str; 4] = ["name", "Name", "ColumnName", "column_name"];
    match column.kind() {
        Kind::String => column.string(),
        _ => column.object()?.first(&NAMES)?.1.string(),
    }
}
