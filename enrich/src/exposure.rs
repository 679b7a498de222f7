//! What usage without a price may cost: an estimate, so that nobody takes unknown for nothing.

use std::collections::BTreeMap;

use schemas::{Meter, Money, PriceContext, PricingStatus, Quantity, Text, Timestamp};

use crate::price::PriceBook;
use crate::quote::{Amount, Question};

/// Names must share this much to be called near: a family's name, such as `gpt`.
const SHARED_MIN: usize = 3;

/// An estimate.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Estimate {
    /// Model it is taken from, as `provider/model`.
    pub model: String,
    /// List cost of the usage at that model.
    pub amount: Money,
    /// ISO 4217 currency.
    pub currency: Text,
}

/// What this usage would cost at the model whose name is nearest among those that price all of it.
///
/// Near is a long common beginning of the name; models of the same provider go before all others. Of models equally near
/// the dearest is taken: an exposure is better overstated. `None` when nothing near prices it.
pub fn estimate(
    book: &PriceBook,
    provider: &str,
    model: &str,
    usage: &BTreeMap<Meter, Quantity>,
    at: Timestamp,
) -> Option<Estimate> {
    let mut near: Vec<(bool, usize, &Text, &Text)> = Vec::new();
    for (name, place) in &book.provider_names {
        for known in book.providers.get(*place as usize)?.models.keys() {
            let shared = shared(known, model);
            if shared >= SHARED_MIN {
                near.push((name.as_str() == provider, shared, name, known));
            }
        }
    }
    near.sort_unstable_by(|a, b| b.cmp(a));
    near.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).find_map(|equally_near| {
        let estimates =
            equally_near.iter().filter_map(|(_, _, provider, model)| at_model(book, provider, model, usage, at));
        estimates.max_by(|a, b| a.amount.cmp(&b.amount).then_with(|| b.model.cmp(&a.model)))
    })
}

fn at_model(
    book: &PriceBook,
    provider: &Text,
    model: &Text,
    usage: &BTreeMap<Meter, Quantity>,
    at: Timestamp,
) -> Option<Estimate> {
    let question = Question {
        event_id: Text::default(),
        provider: provider.clone(),
        model: model.clone(),
        operation: Text::default(),
        event_time: at,
        price_context: PriceContext::default(),
        usage: usage.iter().map(|(meter, quantity)| (*meter, Amount::Decimal(*quantity))).collect(),
        flags: Vec::new(),
        tenant: Text::default(),
        team: None,
        billing_account: None,
    };
    let priced = book.price(&question.event());
    let amount = priced.costs.list.filter(|_| priced.status == PricingStatus::Priced)?;
    Some(Estimate { model: format!("{provider}/{model}"), amount, currency: priced.costs.currency })
}

/// Bytes two names have in common at their beginning.
fn shared(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
}

#[cfg(test)]
mod tests {
    use schemas::ReferenceRow;
    use stream::reference::Compiled;

    use super::*;
    use crate::price::parse_prices;

    fn book() -> PriceBook {
        let yaml = "provider: openai\ncurrency: USD\nskus:\n  \
                    - {sku: o/a, models: [gpt-5], rates: [{per: 1, prices: {input_text_tokens: 5}}]}\n  \
                    - {sku: o/b, models: [gpt-5-mini], rates: [{per: 1, prices: {input_text_tokens: 1}}]}\n  \
                    - {sku: o/c, models: [gpt-6], rates: [{per: 1, prices: {input_text_tokens: 6, output_text_tokens: 9}}]}\n";
        let rows = parse_prices(&[("prices.yaml".to_owned(), yaml.to_owned())]).unwrap();
        PriceBook::compile("test", &rows.iter().collect::<Vec<&ReferenceRow>>()).unwrap()
    }

    fn check(provider: &str, model: &str, meter: Meter, expected: Option<(&str, &str)>) {
        let usage = BTreeMap::from([(meter, Quantity::from_units(2))]);
        let found = estimate(&book(), provider, model, &usage, "2026-11-20".parse().unwrap());
        let found = found.map(|found| (found.model, found.amount.to_string()));
        assert_eq!(found, expected.map(|(model, amount)| (model.to_owned(), amount.to_owned())), "{model}");
    }

    #[test]
    fn the_nearest_name_that_prices_all_of_it_decides_and_of_equals_the_dearest() {
        check("openai", "gpt-5-mini-2027", Meter::InputTextTokens, Some(("openai/gpt-5-mini", "2")));
        check("openai", "gpt-5.5", Meter::InputTextTokens, Some(("openai/gpt-5", "10")));
        check("openai", "gpt-nebula", Meter::InputTextTokens, Some(("openai/gpt-6", "12")));
        check("openai", "gpt-5-mini-2027", Meter::OutputTextTokens, Some(("openai/gpt-6", "18")));
        check("azure", "gpt-6", Meter::InputTextTokens, Some(("openai/gpt-6", "12")));
        check("openai", "sonar", Meter::InputTextTokens, None);
    }
}
