//! A usage event to start from, for tests.

use schemas::{
    ChargeCategory, CostBasis, Dimensions, Id128, IdentityKind, Meter, Metered, PICO, Position, PriceContext, Quantity,
    Tag, Text, UsageEvent,
};

/// A quantity written as a decimal.
pub(crate) fn quantity(text: &str) -> Quantity {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A usage vector written as `input_text_tokens 1000, output_text_tokens 50`.
pub(crate) fn usage(text: &str) -> Vec<Metered> {
    let metered = |part: &str| {
        let (meter, amount) = part.trim().split_once(' ').unwrap();
        Metered { meter: meter.parse().unwrap(), quantity: quantity(amount) }
    };
    let mut usage: Vec<Metered> = text.split(',').filter(|part| !part.trim().is_empty()).map(metered).collect();
    usage.sort_by_key(|used| used.meter);
    usage
}

/// A call: `openai/gpt-5` at an instant, with a usage vector.
pub(crate) fn call(model: &str, time: &str, used: &str) -> UsageEvent {
    let (provider, model) = model.split_once('/').unwrap();
    let time = time.parse().unwrap();
    UsageEvent {
        tenant: "acme".into(),
        call_key: "openai/resp_1".into(),
        identity: IdentityKind::ResponseId,
        weaker_keys: Vec::new(),
        iteration: 0,
        dedup_key: Id128::default(),
        content_hash: Id128::default(),
        precedence: 0,
        amends: false,
        event_id: None,
        source: "app/test".into(),
        position: Position { topic: "usage.raw".into(), partition: 0, offset: 0, item: 0 },
        event_time: time,
        received_at: time,
        charge_period_start: None,
        charge_period_end: None,
        provider: provider.into(),
        publisher: None,
        model: model.into(),
        requested_model: None,
        operation: "chat".into(),
        price_context: PriceContext::default(),
        usage: usage(used),
        checked: Text::default(),
        raw_usage: Text::default(),
        raw_usage_hash: Id128::default(),
        extractor: "test".into(),
        extractor_version: 1,
        flags: Vec::new(),
        key_id: None,
        resource: None,
        tags: Vec::new(),
        claimed: Dimensions::default(),
        cost_basis: CostBasis::OnDemand,
        charge_category: ChargeCategory::Usage,
        reported_cost: None,
        stated_cost: None,
    }
}

/// Labels written as `team=search, purpose=evaluation`.
pub(crate) fn tags(text: &str) -> Vec<Tag> {
    let tag = |part: &str| {
        let (key, value) = part.trim().split_once('=').unwrap();
        Tag { key: key.into(), value: value.into() }
    };
    let mut tags: Vec<Tag> = text.split(',').map(tag).collect();
    tags.sort();
    tags
}

/// Whole units of a meter.
pub(crate) fn metered(meter: Meter, units: i64) -> Metered {
    Metered { meter, quantity: Quantity::from_picos(i128::from(units) * PICO).unwrap() }
}
