//! An answer as one HTML page that needs nothing else: charts are inline SVG, and there is no script.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Context;
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;

use super::question::What;
use super::{Answer, ratio, show};

/// Most bars of a chart, and most rows of a page.
const BARS_MAX: usize = 30;
const ROWS_MAX: usize = 5_000;

/// Most characters of a bar's label; the whole of it is its tooltip.
const LABEL_CHARS_MAX: usize = 40;

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
    let charts = charts(&answer.rows, column)?;
    if !charts.is_empty() {
        let _ = write!(body, "<h2>{column}</h2>\n{}", charts.draw(column));
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

/// Charts of one thing, one for each currency: amounts of two have no scale in common.
#[derive(Debug, Default)]
pub(super) struct Charts(BTreeMap<Option<String>, Chart>);

/// The first bars of so many rows.
#[derive(Debug, Default)]
struct Chart {
    bars: Vec<Bar>,
    rows: usize,
}

impl Charts {
    /// Adds a row; its bar is made where there is room for one.
    pub(super) fn add(
        &mut self,
        currency: Option<String>,
        bar: impl FnOnce() -> anyhow::Result<Bar>,
    ) -> anyhow::Result<()> {
        let chart = self.0.entry(currency).or_default();
        chart.rows += 1;
        if chart.bars.len() < BARS_MAX {
            chart.bars.push(bar()?);
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Leaves out charts of a single bar, which compares nothing.
    pub(super) fn of_several(mut self) -> Self {
        self.0.retain(|_, chart| chart.rows > 1);
        self
    }

    /// The charts, each with its currency, and with how many rows it leaves out.
    pub(super) fn draw(&self, title: &str) -> String {
        let mut text = String::new();
        for (currency, chart) in &self.0 {
            let cut = (chart.rows > chart.bars.len()).then(|| format!("{} of {} rows", chart.bars.len(), chart.rows));
            let says: Vec<&str> = [currency.as_deref(), cut.as_deref()].into_iter().flatten().collect();
            if !says.is_empty() {
                let _ = writeln!(text, "<p>{}</p>", escape(&says.join(", ")));
            }
            let title = currency.as_ref().map_or_else(|| title.to_owned(), |currency| format!("{title}, {currency}"));
            text.push_str(&svg(&chart.bars, &title));
        }
        text
    }
}

fn charts(rows: &RecordBatch, column: &str) -> anyhow::Result<Charts> {
    let schema = rows.schema();
    let place = schema.index_of(column).with_context(|| format!("the answer has no column {column}"))?;
    let currency = schema.index_of("currency").context("the answer has no column currency")?;
    let words = |of: &DataType| matches!(of, DataType::Utf8 | DataType::Boolean | DataType::Int32 | DataType::Date32);
    // Currencies of amounts name no row.
    let named = schema.fields().iter().enumerate();
    let named = named.filter(|(_, field)| !field.name().ends_with("currency") && words(field.data_type()));
    let named: Vec<usize> = named.map(|(at, _)| at).collect();
    let mut charts = Charts::default();
    for row in 0..rows.num_rows() {
        if rows.column(place).is_null(row) {
            continue;
        }
        charts.add(Some(show::cell(rows, currency, row)?), || {
            let label = named.iter().map(|at| show::cell(rows, *at, row)).collect::<anyhow::Result<Vec<_>>>()?;
            let length = ratio::picos(rows.column(place), row)?.unwrap_or_default();
            Ok(Bar { label: label.join(" · "), length, says: show::cell(rows, place, row)? })
        })?;
    }
    Ok(charts)
}

/// Horizontal bars, the longest of full width; what is below nothing has none.
fn svg(bars: &[Bar], title: &str) -> String {
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
        let _ = writeln!(
            svg,
            "<text x=\"290\" y=\"{}\" text-anchor=\"end\"><title>{}</title>{}</text><rect x=\"300\" y=\"{y}\" \
             width=\"{width}\" height=\"18\" fill=\"#3b6fb6\"/><text x=\"{}\" y=\"{}\">{}</text>",
            y + 14,
            escape(&bar.label),
            escape(&shortened(&bar.label)),
            308 + width,
            y + 14,
            escape(&bar.says)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// A label without its middle: names of a kind begin alike and differ at their ends.
fn shortened(label: &str) -> String {
    let chars: Vec<char> = label.chars().collect();
    if chars.len() <= LABEL_CHARS_MAX {
        return label.to_owned();
    }
    let (begin, end) = (LABEL_CHARS_MAX / 2, LABEL_CHARS_MAX / 2 - 1);
    chars[..begin].iter().chain(&['…']).chain(&chars[chars.len() - end..]).collect()
}

fn rows(answer: &Answer) -> anyhow::Result<String> {
    let rows = &answer.rows;
    if rows.num_rows() == 0 {
        return Ok("<p>nothing</p>\n".to_owned());
    }
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
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;
    use crate::reports::{Period, Request};

    fn bar(label: &str, length: i128) -> Bar {
        Bar { label: label.to_owned(), length, says: "a & b".into() }
    }

    #[test]
    fn names_of_others_are_text_and_never_markup() {
        let svg = svg(&[bar("<script>alert(1)</script>", -5)], "\"");
        assert!(svg.contains("&lt;script&gt;") && svg.contains("a &amp; b") && svg.contains("width=\"0\""), "{svg}");
        assert!(!svg.contains("<script"), "{svg}");
    }

    #[test]
    fn the_longest_bar_has_the_full_width_and_others_their_share() {
        let svg = svg(&[bar("", 200), bar("", 50)], "");
        assert!(svg.contains("width=\"560\"") && svg.contains("width=\"140\""), "{svg}");
    }

    #[test]
    fn each_currency_has_a_chart_of_its_own_scale_and_what_is_cut_is_told() {
        let mut charts = Charts::default();
        for at in 0..35 {
            charts.add(Some("JPY".to_owned()), || Ok(bar(&format!("team {at}"), 9_000 - at))).unwrap();
        }
        charts.add(Some("EUR".to_owned()), || Ok(bar("alone", 1))).unwrap();
        let page = charts.draw("effective_cost");
        assert_eq!(page.matches("width=\"560\"").count(), 2, "the longest of each: {page}");
        assert!(page.contains("<p>EUR</p>") && page.contains("<p>JPY, 30 of 35 rows</p>"), "{page}");
        assert!(page.contains("aria-label=\"effective_cost, EUR\"") && !page.contains("team 30"), "{page}");
        assert!(!charts.of_several().draw("").contains("EUR"));
    }

    #[test]
    fn long_labels_lose_their_middle_and_are_whole_in_their_tooltip() {
        let label = "support and retail · eu-central-1 · gpt-5.4-mini · 2026-11-01";
        let svg = svg(&[bar(label, 1)], "");
        assert!(
            svg.contains(&format!("<title>{label}</title>support and retail ·…4-mini · 2026-11-01</text>")),
            "{svg}"
        );
        assert_eq!(shortened(label).chars().count(), LABEL_CHARS_MAX);
        assert_eq!(shortened("support · 2026-11"), "support · 2026-11");
    }

    #[test]
    fn a_page_without_rows_says_so() {
        let empty: [(&str, ArrayRef); 2] = [
            ("currency", Arc::new(StringArray::from(Vec::<&str>::new()))),
            ("effective_cost", Arc::new(Int64Array::from(Vec::<i64>::new()))),
        ];
        let request = Request { what: What::Spend, by: None, period: Period::default(), as_of: None };
        let rows = RecordBatch::try_from_iter(empty).unwrap();
        let page = page(&Answer { request, sql: String::new(), version: None, rows }).unwrap();
        assert!(page.contains("<p>nothing</p>") && !page.contains("<svg"), "{page}");
    }
}
