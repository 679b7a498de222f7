//! An answer as one HTML page that needs nothing else: charts are inline SVG, and there is no script.

use std::fmt::Write;

use anyhow::Context;
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;

use super::question::What;
use super::{Answer, ratio, show};

/// Most bars of a chart, and most rows of a page.
const BARS_MAX: usize = 30;
const ROWS_MAX: usize = 5_000;

/// Width of the longest bar.
const BAR_WIDTH: i128 = 560;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1c2430}\
    h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{color:#5a6675;margin:.2rem 0}\
    table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:.25rem .75rem;text-align:left;\
    border-bottom:1px solid #e3e7ec}th{color:#5a6675;font-weight:500}.n{text-align:right}\
    pre{background:#f5f7f9;padding:1rem;overflow:auto;font-size:13px}svg{max-width:100%;height:auto}\
    .w{overflow-x:auto}";

/// The column a report is charted by.
fn charted(what: What) -> &'static str {
    match what {
        What::Spend | What::Unallocated => "effective_cost",
        What::UnitCost => "cost_per_request",
        What::Savings => "saved",
        What::Unpriced => "quantity",
        What::Late => "late_for_hour_requests",
        What::Quality => "requests",
        What::Margin => "chargeback",
    }
}

/// The answer as a page.
///
/// # Errors
/// When a column holds what no answer holds.
pub fn page(answer: &Answer) -> anyhow::Result<String> {
    let name = answer.request.what.name();
    let mut body = format!("<h1>{}</h1>\n<p>{} (UTC)</p>\n", escape(name), escape(&show::period(answer)));
    if let Some(version) = answer.version {
        let _ = writeln!(body, "<p>from version {version} of the table charges</p>");
    }
    let column = charted(answer.request.what);
    let bars = bars(&answer.rows, column)?;
    if !bars.is_empty() {
        let _ = write!(body, "<h2>{column}</h2>\n{}", chart(&bars, column));
    }
    body.push_str("<h2>Rows</h2>\n");
    body.push_str(&rows(answer)?);
    let _ = writeln!(body, "<details><summary>Query</summary><pre>{}</pre></details>", escape(&answer.sql));
    Ok(document(name, &body))
}

/// A whole document.
pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{}</title><style>{STYLE}</style></head>\n<body>\n\
         {body}</body></html>\n",
        escape(title)
    )
}

/// A bar: what it is called, how long it is, and what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bar {
    pub label: String,
    pub length: i128,
    pub says: String,
}

fn bars(rows: &RecordBatch, column: &str) -> anyhow::Result<Vec<Bar>> {
    let schema = rows.schema();
    let place = schema.index_of(column).with_context(|| format!("the answer has no column {column}"))?;
    let words = |of: &DataType| matches!(of, DataType::Utf8 | DataType::Boolean | DataType::Int32 | DataType::Date32);
    let named = schema.fields().iter().enumerate().filter(|(_, field)| words(field.data_type()));
    let named: Vec<usize> = named.map(|(at, _)| at).collect();
    let mut bars = Vec::new();
    for row in 0..rows.num_rows().min(BARS_MAX) {
        if rows.column(place).is_null(row) {
            continue;
        }
        let label = named.iter().map(|at| show::cell(rows, *at, row)).collect::<anyhow::Result<Vec<_>>>()?;
        let length = ratio::picos(rows.column(place), row)?.unwrap_or_default();
        bars.push(Bar { label: label.join(" · "), length, says: show::cell(rows, place, row)? });
    }
    Ok(bars)
}

/// Horizontal bars, the longest of full width; what is below nothing has none.
pub(super) fn chart(bars: &[Bar], title: &str) -> String {
    let longest = bars.iter().map(|bar| bar.length).max().unwrap_or_default().max(1);
    let height = bars.len() * 24 + 8;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1000 {height}\" width=\"1000\" height=\"{height}\" \
         role=\"img\" aria-label=\"{}\" font-size=\"13\">\n",
        escape(title)
    );
    for (at, bar) in bars.iter().enumerate() {
        let width = bar.length.max(0).saturating_mul(BAR_WIDTH) / longest;
        let y = at * 24 + 4;
        let label: String = bar.label.chars().take(40).collect();
        let _ = writeln!(
            svg,
            "<text x=\"290\" y=\"{}\" text-anchor=\"end\">{}</text><rect x=\"300\" y=\"{y}\" width=\"{width}\" height=\"18\" \
             fill=\"#3b6fb6\"/><text x=\"{}\" y=\"{}\">{}</text>",
            y + 14,
            escape(&label),
            308 + width,
            y + 14,
            escape(&bar.says)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn rows(answer: &Answer) -> anyhow::Result<String> {
    let rows = &answer.rows;
    let schema = rows.schema();
    let class = |of: &DataType| match of {
        DataType::Int64 | DataType::Decimal128(..) => " class=\"n\"",
        _ => "",
    };
    let mut text = "<div class=\"w\"><table><thead><tr>".to_owned();
    for field in schema.fields() {
        let _ = write!(text, "<th{}>{}</th>", class(field.data_type()), escape(field.name()));
    }
    text.push_str("</tr></thead><tbody>\n");
    for row in 0..rows.num_rows().min(ROWS_MAX) {
        text.push_str("<tr>");
        for (at, field) in schema.fields().iter().enumerate() {
            let _ = write!(text, "<td{}>{}</td>", class(field.data_type()), escape(&show::cell(rows, at, row)?));
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody>");
    let totals = show::totals(answer)?;
    if !totals.is_empty() {
        text.push_str("<tfoot>\n");
        for total in &totals {
            let cells = total.iter().zip(schema.fields());
            let cells = cells.map(|(cell, field)| format!("<th{}>{}</th>", class(field.data_type()), escape(cell)));
            let _ = writeln!(text, "<tr>{}</tr>", cells.collect::<String>());
        }
        text.push_str("</tfoot>");
    }
    text.push_str("</table></div>\n");
    if rows.num_rows() > ROWS_MAX {
        let _ = writeln!(text, "<p>and {} more rows; the CSV has all</p>", rows.num_rows() - ROWS_MAX);
    }
    Ok(text)
}

/// Text that is no markup.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_text_and_never_markup() {
        let bar = Bar { label: "<script>alert(1)</script>".into(), length: -5, says: "a & b".into() };
        let svg = chart(&[bar], "\"");
        assert!(svg.contains("&lt;script&gt;") && svg.contains("a &amp; b") && svg.contains("width=\"0\""), "{svg}");
    }

    #[test]
    fn the_longest_bar_has_the_full_width_and_others_their_share() {
        let bar = |length| Bar { label: String::new(), length, says: String::new() };
        let svg = chart(&[bar(200), bar(50)], "");
        assert!(svg.contains("width=\"560\"") && svg.contains("width=\"140\""), "{svg}");
    }
}
