//! The identities that enrich's books satisfy at every moment.

use schemas::{CurrencySum, LedgerEntry, topics};

/// What does not add up in the books of one partition: one sentence each, none when all is well.
///
/// Entries of other stages have nothing to say here. Counts are cumulative since the partition began.
pub fn check(entry: &LedgerEntry) -> Vec<String> {
    if entry.stage != "enrich" {
        return Vec::new();
    }
    let books = Pages(entry);
    let mut breaches = Vec::new();
    let mut equal = |what: &str, left: i64, right: i64| {
        if left != right {
            breaches.push(format!("partition {}: {what}: {left} is not {right}", entry.partition));
        }
    };
    let (charged, resent) = (books.sent(topics::CHARGES), books.sent(topics::EVENTS));
    equal(
        "events = originals + duplicates + superseded + conflicts + forwarded",
        books.count("events"),
        books.counts(&["originals", "duplicates", "superseded", "conflicts", "forwarded"]),
    );
    equal(
        "charges = originals + reversals + replacements + allocations",
        books.count("charges"),
        books.counts(&["originals", "reversals", "replacements", "allocations"]),
    );
    equal("charges = items sent to usage.charges", books.count("charges"), charged.0);
    equal(
        "reversals = replacements + links.moved",
        books.count("reversals"),
        books.counts(&["replacements", "links.moved"]),
    );
    equal("resent = forwarded + links.moved", books.count("resent"), books.counts(&["forwarded", "links.moved"]));
    equal("resent = items sent to usage.events", books.count("resent"), resent.0);
    let settled = ["applied", "parked", "ignored", "expired", "refused"].map(|what| format!("corrections.{what}"));
    equal(
        "corrections = applied + parked + ignored + expired + refused",
        books.count("corrections"),
        settled.iter().map(|name| books.count(name)).sum(),
    );
    let items: i64 = entry.received.iter().map(|row| row.items_counted).sum();
    equal("items received = events + corrections + links", items, books.counts(&["events", "corrections", "links"]));
    if books.money(&["allocations"]).iter().any(|sum| !sum.amount.is_zero()) {
        breaches.push(format!("partition {}: allocations move money, but their sum is not nothing", entry.partition));
    }
    let mut sums = books.money(&["originals", "reversals", "replacements"]);
    if sums != books.money(&["charges"]) {
        breaches.push(format!(
            "partition {}: money of originals, reversals and replacements is not that of charges",
            entry.partition
        ));
    }
    sums.retain(|sum| !sum.amount.is_zero());
    if sums != charged.1 {
        breaches
            .push(format!("partition {}: money of charges is not the money sent to usage.charges", entry.partition));
    }
    breaches
}

struct Pages<'a>(&'a LedgerEntry);

impl Pages<'_> {
    fn count(&self, name: &str) -> i64 {
        self.0.counts.iter().find(|count| count.name == name).map_or(0, |count| count.count)
    }

    fn counts(&self, names: &[&str]) -> i64 {
        names.iter().map(|name| self.count(name)).sum()
    }

    /// Money of several counts together, by currency.
    fn money(&self, names: &[&str]) -> Vec<CurrencySum> {
        let counts = self.0.counts.iter().filter(|count| names.contains(&count.name.as_str()));
        add(counts.flat_map(|count| &count.money))
    }

    /// Items and money sent to a topic.
    fn sent(&self, topic: &str) -> (i64, Vec<CurrencySum>) {
        let rows: Vec<_> = self.0.sent.iter().filter(|sent| sent.topic == topic).collect();
        let mut money = add(rows.iter().flat_map(|sent| &sent.money));
        money.retain(|sum| !sum.amount.is_zero());
        (rows.iter().map(|sent| sent.items).sum(), money)
    }
}

/// The sums by currency. One that leaves 38 digits stays where it was, and so shows as a difference.
fn add<'a>(sums: impl Iterator<Item = &'a CurrencySum>) -> Vec<CurrencySum> {
    let mut total: Vec<CurrencySum> = Vec::new();
    for sum in sums {
        let _ = stream::books::add_money(&mut total, &sum.currency, sum.amount);
    }
    total
}
