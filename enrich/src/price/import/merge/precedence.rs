//! Which of two differing prices is taken: the first rule that fits. What each rests on is said where it is.

use rust_decimal::Decimal;
use schemas::Meter;

use super::cell::{Cell, Kind};
use super::shops::Shop;

/// Whose price is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Litellm,
    Genai,
}

/// Decides, and says why.
pub(super) fn decide(
    shop: &Shop,
    model: &str,
    kind: &Kind,
    meter: Meter,
    litellm: Cell,
    genai: Cell,
) -> (Taken, &'static str) {
    let (l, g) = (litellm.unit(), genai.unit());
    let apart = (l - g).abs().checked_div(g).unwrap_or(Decimal::MAX);
    if apart < Decimal::new(1, 3) {
        return (Taken::Genai, "less than 0.1 % apart: litellm holds a price by the second or token, cut off");
    }
    // https://docs.aws.amazon.com/bedrock/latest/userguide/global-cross-region-inference.html: the global profile costs
    // about ten percent less than a call kept in its region, which is what a name without a place is.
    if shop.file == "bedrock" && model.starts_with("anthropic.") && g > l {
        return (Taken::Genai, "a name without a place is a call in its region, which litellm prices as a global one");
    }
    if shop.file == "mistral" && model.starts_with("mistral-large-4") {
        return (Taken::Genai, "three prices in October 2026, of which litellm still has the first");
    }
    if shop.file == "google" && model.starts_with("claude-") {
        return (Taken::Genai, "litellm has no row for the cache of these models or an older price");
    }
    if matches!(meter, Meter::CacheReadImageTokens) {
        return (Taken::Genai, "litellm's own code drops this price");
    }
    if kind.batch && !meter.is_input_tokens() && l > g {
        return (Taken::Litellm, "the higher of two prices of a batch");
    }
    (Taken::Litellm, "litellm, which has more kinds of calls, where nothing is known to be wrong with it")
}
