//! The example book against figures worked out by hand, and what must hold for every book.

use super::*;

fn example() -> PriceBook {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/example"));
    let rows = read_prices(dir).unwrap_or_else(|findings| panic!("{}", list(&findings)));
    book(&rows)
}

fn book(rows: &[ReferenceRow]) -> PriceBook {
    PriceBook::compile("test", &rows.iter().collect::<Vec<_>>()).unwrap()
}

fn list(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}

#[test]
fn the_example_book_is_valid() {
    let book = example();
    assert!(book.skus.len() > 40, "{}", book.skus.len());
}
