//! The table of formats: for each an ordinary, a cached, a streamed, a tiered and a malformed example. Bodies are composed
//! from documentation. A cell that another test proves already names that test; one that cannot exist says why.

mod bodies;
mod emitters;
mod others;
mod tools;

use std::collections::BTreeSet;

use super::{config, decoded, events, line, record};
use crate::{Decoded, Item, Shape, decode};

/// What an example becomes.
pub(super) enum Cell {
    /// These events, one line each, with the tier that prices them.
    Is(&'static str, &'static [&'static str]),
    /// A rejection of this reason that names this field.
    Rejected(&'static str, &'static str, &'static str),
    /// Another test proves it.
    See(&'static str),
    /// There is no such thing, and why.
    Never(&'static str),
}

/// A format and its examples: ordinary, cached, streamed, tiered, malformed.
pub(super) type Row = (&'static str, [Cell; 5]);

fn rows() -> Vec<&'static Row> {
    bodies::ROWS.iter().chain(emitters::ROWS).chain(others::ROWS).chain(tools::ROWS).collect()
}

/// An event's usage and what decides its price.
fn priced(event: &schemas::UsageEvent) -> String {
    let context = &event.price_context;
    let tier = context.service_tier.as_ref().map(|tier| format!(" @{tier}")).unwrap_or_default();
    let batch = if context.batch { " @batch" } else { "" };
    let speed = context.speed.as_ref().map(|speed| format!(" @{speed}")).unwrap_or_default();
    format!("{}{tier}{batch}{speed}", line(event))
}

/// Tables and tools whose records do not say what they are, are told by the operator.
fn read(format: &str, payload: &str) -> Decoded {
    let as_it_looks = decoded(payload);
    if !as_it_looks.recognised_as.is_empty() || format.parse::<Shape>().is_err() {
        return as_it_looks;
    }
    decode(&record(payload.as_bytes(), &[("spend-format", format.as_bytes())]), &config())
}

#[test]
fn every_example_of_every_format_is_what_its_documentation_says() {
    let kinds = ["ordinary", "cached", "streamed", "tiered", "malformed"];
    let mut wrong = String::new();
    for (format, cells) in rows() {
        for (kind, cell) in kinds.iter().zip(cells) {
            let failure = match cell {
                Cell::Is(payload, expected) => {
                    let read = read(format, payload);
                    let lines: Vec<String> = events(&read).into_iter().map(priced).collect();
                    (lines != *expected).then(|| format!("{lines:#?} of {read:#?}"))
                }
                Cell::Rejected(payload, reason, field) => {
                    let read = read(format, payload);
                    let fits = |item: &Item| match item {
                        Item::Rejected(found) => found.reason.as_str() == *reason && found.field == *field,
                        _ => false,
                    };
                    (!read.items.iter().any(fits)).then(|| format!("{read:#?}"))
                }
                Cell::Never(why) => why.is_empty().then(|| "has no example and does not say why".to_owned()),
                // Its own test runs it; that it exists is proved below.
                Cell::See(_) => None,
            };
            if let Some(failure) = failure {
                wrong.push_str(&format!("\n{format}, {kind}: {failure}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_test_that_the_table_refers_to_exists() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests");
    for (format, cells) in rows() {
        for cell in cells {
            let Cell::See(test) = cell else { continue };
            let (file, name) = test.split_once("::").unwrap();
            let text = std::fs::read_to_string(folder.join(format!("{file}.rs"))).unwrap();
            assert!(text.contains(&format!("fn {name}(")), "{format}: no test {test}");
        }
    }
}

#[test]
fn every_format_has_a_row_and_every_row_is_documented() {
    let rows: BTreeSet<&str> = rows().into_iter().map(|(format, _)| *format).collect();
    // Pieces of a stream belong to the row of the whole; a correction is written by us.
    let pieces = [
        Shape::OpenAiChatChunk,
        Shape::OpenAiResponseEvent,
        Shape::AnthropicEvent,
        Shape::BedrockConverseEvent,
        Shape::CohereEvent,
        Shape::GeminiInteractionEvent,
        Shape::MistralEvent,
        Shape::TgiFrame,
        Shape::WorkersAiFrame,
        Shape::Fragment,
        Shape::Status,
        Shape::Error,
        Shape::Correction,
    ];
    for shape in Shape::ALL.iter().filter(|shape| !pieces.contains(shape)) {
        assert!(rows.contains(shape.as_str()), "no row for {}", shape.as_str());
    }
    let documentation = include_str!("../../../FORMATS.md");
    for row in &rows {
        assert!(documentation.contains(row), "{row} is not in FORMATS.md");
    }
}
