//! Whether the books of a stage add up: money in equals money out.

use std::collections::BTreeMap;

use schemas::{CurrencySum, LedgerEntry, Text};

/// Two sums of one currency that should be equal and are not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{stage} {topic}/{partition}: {left} is {left_picos} and {right} is {right_picos} picounits of {currency}")]
pub struct Discrepancy {
    /// Stage.
    pub stage: Text,
    /// Topic it reads.
    pub topic: Text,
    /// Partition it reads.
    pub partition: i32,
    /// Currency.
    pub currency: Text,
    /// What the one sum is of.
    pub left: &'static str,
    /// Its amount.
    pub left_picos: i128,
    /// What the other is of.
    pub right: &'static str,
    /// Its amount.
    pub right_picos: i128,
}

type Sum = BTreeMap<Text, i128>;

/// Checks the books of `combine` or `merge` at one transaction; other stages have nothing to check here.
///
/// *combine*: money of charges, less what was converted, plus what it was converted to, is the money of the window
/// partials, which is the money sent. *merge*: money of the partials is what went into the hours held at the time plus
/// what came for hours that were dropped. Both: what was received is what was counted, unless an operator skipped some.
///
/// # Errors
/// Every pair that differs.
pub fn check(entry: &LedgerEntry) -> Result<(), Vec<Discrepancy>> {
    let counted =
        |name: &'static str| entry.counts.iter().filter(move |count| count.name == name).flat_map(|count| &count.money);
    let whole = entry.received.iter().all(|page| page.skipped == 0)
        && entry.counts.iter().all(|count| count.name != "skipped_records");
    let received = sum(entry.received.iter().flat_map(|page| &page.money_counted), []);
    let sent = sum(entry.sent.iter().flat_map(|page| &page.money), []);
    let pairs: Vec<(&'static str, Sum, &'static str, Sum)> = match entry.stage.as_str() {
        "combine" => {
            let charges = sum(counted("charges"), []);
            let summed = sum(counted("charges").chain(counted("converted.to")), counted("converted.from"));
            let partials = sum(counted("partials.window"), []);
            let mut pairs = vec![
                ("charges, conversion included", summed, "window partials", partials.clone()),
                ("window partials", partials, "money sent", sent),
            ];
            if whole {
                pairs.push(("money received", received, "charges", charges));
            }
            pairs
        }
        "merge" => {
            let partials = sum(counted("partials"), []);
            let held = sum(counted("window_money").chain(counted("expired.hour")), []);
            let mut pairs = vec![("partials", partials.clone(), "hours held, dropped and expired", held)];
            if whole {
                pairs.push(("money received", received, "partials", partials));
            }
            pairs
        }
        _ => return Ok(()),
    };
    let discrepancies: Vec<_> =
        pairs.into_iter().flat_map(|(left, a, right, b)| differences(entry, left, &a, right, &b)).collect();
    if discrepancies.is_empty() { Ok(()) } else { Err(discrepancies) }
}

fn sum<'a>(plus: impl IntoIterator<Item = &'a CurrencySum>, minus: impl IntoIterator<Item = &'a CurrencySum>) -> Sum {
    let mut sums = Sum::new();
    // Amounts have at most 38 digits and a 128-bit integer 39: only absurd books could saturate, and then they differ.
    for row in plus {
        let sum = sums.entry(row.currency.clone()).or_default();
        *sum = sum.saturating_add(row.amount.picos());
    }
    for row in minus {
        let sum = sums.entry(row.currency.clone()).or_default();
        *sum = sum.saturating_sub(row.amount.picos());
    }
    sums
}

fn differences(entry: &LedgerEntry, left: &'static str, a: &Sum, right: &'static str, b: &Sum) -> Vec<Discrepancy> {
    let currencies: std::collections::BTreeSet<&Text> = a.keys().chain(b.keys()).collect();
    let amount = |sums: &Sum, currency: &Text| sums.get(currency).copied().unwrap_or(0);
    let different = currencies.into_iter().filter(|currency| amount(a, currency) != amount(b, currency));
    different
        .map(|currency| Discrepancy {
            stage: entry.stage.clone(),
            topic: entry.topic.clone(),
            partition: entry.partition,
            currency: currency.clone(),
            left,
            left_picos: amount(a, currency),
            right,
            right_picos: amount(b, currency),
        })
        .collect()
}

#[cfg(test)]
mod tests;
