//! The benchmark for people: a table for a terminal, and a page.

use std::fmt::Write;

use schemas::Money;

use super::Benchmark;
use super::measures::{Figure, Measure};
use crate::amount;
use crate::reports::page::{Bar, Charts, document, escape};
use crate::table::{Style, Table};

fn value(measure: &Measure, text: &str) -> String {
    let Ok(value) = text.parse::<Money>() else { return text.to_owned() };
    match measure.unit {
        "share" => percent(value),
        "calls" => amount::money(value, 0),
        "currency" => amount::money(value, 4),
        _ => amount::money(value, 8),
    }
}

fn percent(share: Money) -> String {
    match share.picos().checked_mul(100).and_then(Money::from_picos) {
        Some(percent) => format!("{} %", amount::money(percent, 1)),
        None => share.to_string(),
    }
}

fn coverage(figure: &Figure) -> String {
    let share = figure.coverage.share.as_deref().and_then(|share| share.parse().ok());
    share.map_or_else(|| "-".to_owned(), percent)
}

fn of(figure: &Figure) -> String {
    match &figure.subject {
        Some(subject) if figure.profile == "all" => subject.clone(),
        Some(subject) => format!("{}: {subject}", figure.profile),
        None => figure.profile.clone(),
    }
}

fn heading(benchmark: &Benchmark) -> String {
    let Benchmark { quarter, previous_quarter, .. } = benchmark;
    let says = |what: &str, of: &Option<String>| of.as_ref().map_or_else(String::new, |of| format!(", {what} {of}"));
    let until = says("with charges until", &benchmark.charges_until);
    let as_of = says("as known at", &benchmark.as_of);
    format!("Benchmark of {quarter}{until} beside {previous_quarter}{as_of}")
}

/// The benchmark as tables for a terminal.
pub fn table(benchmark: &Benchmark, style: Style) -> String {
    let mut text = format!("{}\n", style.heading(&heading(benchmark)));
    for measure in &benchmark.measures {
        let _ = writeln!(text, "\n{}  {}", style.heading(measure.name), style.dim(measure.definition));
        let mut table = Table::new(&[
            "of",
            ">value",
            "",
            ">numerator",
            ">denominator",
            ">coverage",
            &format!(">{}", benchmark.previous_quarter),
        ]);
        for figure in &measure.figures {
            table.row([
                of(figure),
                value(measure, &figure.value),
                figure.currency.clone().unwrap_or_default(),
                figure.numerator.clone(),
                figure.denominator.clone().unwrap_or_else(|| "-".to_owned()),
                coverage(figure),
                value(measure, &figure.previous),
            ]);
        }
        text.push_str(&table.render(style));
    }
    let _ = writeln!(text, "\n{}", style.heading("Evidence"));
    for table in &benchmark.evidence.tables {
        let version =
            table.version.map_or_else(|| "not written yet".to_owned(), |version| format!("version {version}"));
        let _ = writeln!(text, "  {}: {version}, {} rows in {} files", table.name, table.rows, table.files.len());
    }
    for book in &benchmark.evidence.price_books {
        let _ = writeln!(text, "  price book {}: {} calls", book.version, book.requests);
    }
    text.push_str("  --output json has the hash of every file and the text of every query\n");
    text
}

/// The benchmark as a page that needs nothing else.
///
/// # Errors
/// When the evidence cannot be written down.
pub fn page(benchmark: &Benchmark) -> anyhow::Result<String> {
    let mut body = format!("<h1>{}</h1>\n", escape(&heading(benchmark)));
    for measure in &benchmark.measures {
        let _ = write!(body, "<h2>{}</h2>\n<p>{}</p>\n", measure.name, escape(measure.definition));
        let denominator = measure.denominator.map_or_else(String::new, |says| format!(" / {says}"));
        let _ = writeln!(
            body,
            "<p>{}{}; coverage: {}</p>",
            escape(measure.numerator),
            escape(&denominator),
            escape(measure.coverage)
        );
        let mut charts = Charts::default();
        for figure in &measure.figures {
            let Ok(length) = figure.value.parse::<Money>() else { continue };
            let says = value(measure, &figure.value);
            charts.add(figure.currency.clone(), || Ok(Bar { label: of(figure), length: length.picos(), says }))?;
        }
        body.push_str(&charts.of_several().draw(measure.name));
        body.push_str("<div class=\"w\"><table><thead><tr><th>of</th><th class=\"n\">value</th><th></th><th class=\"n\">numerator</th>\
             <th class=\"n\">denominator</th><th class=\"n\">coverage</th>");
        let _ = writeln!(body, "<th class=\"n\">{}</th></tr></thead><tbody>", escape(&benchmark.previous_quarter));
        for figure in &measure.figures {
            let _ = writeln!(
                body,
                "<tr><td>{}</td><td class=\"n\">{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
                 <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                escape(&of(figure)),
                value(measure, &figure.value),
                escape(figure.currency.as_deref().unwrap_or_default()),
                figure.numerator,
                figure.denominator.as_deref().unwrap_or("-"),
                coverage(figure),
                value(measure, &figure.previous),
            );
        }
        body.push_str("</tbody></table></div>\n");
    }
    let evidence = serde_json::to_string_pretty(&benchmark.evidence)?;
    let _ = write!(
        body,
        "<h2>Evidence</h2>\n<details><summary>Tables, price books and queries</summary><pre>{}</pre></details>\n",
        escape(&evidence)
    );
    Ok(document(&heading(benchmark), &body))
}
