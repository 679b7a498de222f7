//! The example book against figures worked out by hand, and what must hold for every book.

mod comparisons;
mod examples;
mod golden;
mod places;
mod properties;
mod rate_card;
mod refused;

use std::sync::LazyLock;

use schemas::UsageEvent;

use super::*;

/// The book that ships.
fn example() -> &'static PriceBook {
    static BOOK: LazyLock<PriceBook> = LazyLock::new(|| {
        let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/example"));
        book(&read_prices(dir).unwrap_or_else(|findings| panic!("{}", text(&findings))))
    });
    &BOOK
}

fn book(rows: &[ReferenceRow]) -> PriceBook {
    PriceBook::compile("test", &rows.iter().collect::<Vec<_>>()).unwrap()
}

/// A book made of one file.
fn small(yaml: &str) -> PriceBook {
    book(&parse_prices(&[("prices.yaml".to_string(), yaml.to_string())]).unwrap_or_else(|f| panic!("{}", text(&f))))
}

fn text(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}

/// What an event costs at list, or `unpriced`.
fn list(book: &PriceBook, event: &UsageEvent) -> String {
    book.price(event).costs.list.map_or("unpriced".to_string(), |money| money.to_string())
}
