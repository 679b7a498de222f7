//! One example of every record, with every optional part filled: for tests, benches and `schemas/fixtures`.

use crate::*;

/// A call with everything stated.
pub fn event() -> UsageEvent {
    let text = |value: &str| Some(Text::from(value));
    UsageEvent {
        tenant: "acme".into(),
        call_key: "openai/resp_1".into(),
        identity: IdentityKind::ResponseId,
        weaker_keys: vec!["span/0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331".into()],
        iteration: 0,
        dedup_key: ids::dedup_key("acme", "openai/resp_1", 0, "gpt-4o-2024-08-06"),
        content_hash: ids::hash_parts([b"content".as_slice()]),
        precedence: 10,
        amends: false,
        event_id: text("evt-1"),
        source: "gateway".into(),
        position: Position { topic: topics::RAW.into(), partition: 3, offset: 41, item: 0 },
        event_time: Timestamp::from_micros(1_795_345_200_000_000),
        received_at: Timestamp::from_micros(1_795_345_201_500_000),
        charge_period_start: Some(Timestamp::from_micros(1_795_345_200_000_000)),
        charge_period_end: Some(Timestamp::from_micros(1_795_345_203_000_000)),
        provider: "openai".into(),
        publisher: text("openai"),
        model: "gpt-4o-2024-08-06".into(),
        requested_model: text("gpt-4o"),
        operation: "chat".into(),
        price_context: PriceContext {
            service_tier: text("default"),
            requested_tier: text("auto"),
            batch: true,
            speed: text("standard"),
            region: text("eu-west-1"),
            residency: text("eu"),
            endpoint: text("regional"),
            size: text("1024x1024"),
            quality: text("high"),
            resolution: text("1080p"),
            search_context: text("low"),
        },
        usage: vec![Metered { meter: Meter::InputTextTokens, quantity: Quantity::from_units(1_000) }],
        checked: "prompt = uncached + cached".into(),
        raw_usage: r#"{"prompt_tokens":1000}"#.into(),
        raw_usage_hash: ids::hash_parts([b"raw".as_slice()]),
        extractor: "openai.chat_completion".into(),
        extractor_version: 1,
        flags: vec![Flag::ClockSkew],
        key_id: text("key-platform"),
        resource: text("deployment-1"),
        tags: vec![Tag { key: "team".into(), value: "platform".into() }],
        claimed: Dimensions { team: text("platform"), ..Dimensions::default() },
        cost_basis: CostBasis::OnDemand,
        charge_category: ChargeCategory::Usage,
        reported_cost: Some(reported()),
        stated_cost: Some(reported()),
    }
}

fn reported() -> ReportedCost {
    let amount = Money::from_picos(2_500_000_000).expect("in range");
    ReportedCost { amount, currency: "USD".into(), basis: "estimate_at_list_price".into() }
}

fn costs() -> Costs {
    let amount = Money::from_picos(2_500_000_000);
    Costs { currency: "USD".into(), list: amount, contracted: amount, effective: amount, billed: amount }
}

/// A charge for [`event`] with everything stated.
pub fn charge() -> Charge {
    let event = event();
    let price = Price("2.5".parse().expect("a decimal"));
    let cost = Money::from_picos(2_500_000_000).expect("in range");
    Charge {
        charge_id: ids::charge_id(event.dedup_key, 1, ChargeClass::Replacement),
        revision: 1,
        class: ChargeClass::Replacement,
        corrects: Some(ids::charge_id(event.dedup_key, 0, ChargeClass::Original)),
        correction_reason: Some(CorrectionReason::Reprice),
        correction_id: Some(ids::hash_parts([b"correction".as_slice()])),
        booked_at: event.received_at,
        requests: 1,
        status: PricingStatus::Partial,
        lines: vec![Line {
            meter: Meter::InputTextTokens,
            quantity: Quantity::from_units(1_000),
            billed_quantity: Quantity::from_units(1_000),
            list_unit_price: price,
            contracted_unit_price: Some(price),
            per: 1_000_000,
            currency: "USD".into(),
            rate_id: "openai/gpt-4o/input".into(),
            contracted_rate_id: Some("contract-1".into()),
            list_cost: cost,
            contracted_cost: cost,
        }],
        unpriced: vec![UnpricedMeter {
            meter: Meter::WebSearches,
            quantity: Quantity::from_units(1),
            reason: "unknown_meter".into(),
        }],
        costs: costs(),
        reporting: Some(costs()),
        fx_rate_id: Some("ecb/2026-11-20/usd-eur".into()),
        counterfactuals: vec![Counterfactual {
            kind: CounterfactualKind::Uncached,
            cost,
            currency: "USD".into(),
            basis: "openai/gpt-4o/input".into(),
        }],
        sku: Some("openai/gpt-4o".into()),
        model_class: Some("standard".into()),
        book_version: "b00c".into(),
        owner: Dimensions { team: Some("platform".into()), ..Dimensions::default() },
        rule: Some("key-platform".into()),
        confidence: Confidence::Exact,
        directory_version: "d1".into(),
        allocation: Some(Allocation {
            shared_charge: event.dedup_key,
            rule: "shared-1".into(),
            method: "even".into(),
            weight: Quantity::from_units(1),
            weight_total: Quantity::from_units(4),
        }),
        flags: vec![Flag::PartiallyPriced],
        event: Box::new(event),
    }
}

/// The header of the first batch of a source.
pub fn lineage() -> Lineage {
    Lineage {
        format: 1,
        source_topic: topics::EVENTS.into(),
        source_partition: 2,
        source_partitions: 4,
        generation: 0,
        sequence: 0,
        source_from: 10,
        source_to: 20,
        watermark: Timestamp::from_micros(1_795_345_171_500_000),
        items_total: 1,
        money_total: vec![CurrencySum { currency: "USD".into(), amount: reported().amount }],
        ends_generation: false,
    }
}

/// A batch of one [`charge`].
pub fn charge_batch() -> Batch<Charge> {
    Batch { lineage: lineage(), items: vec![charge()] }
}

/// A state of a budget, with everything stated.
pub fn budget_state() -> BudgetState {
    BudgetState {
        tenant: "acme".into(),
        budget_id: "support-production".into(),
        name: "Support assistant in production".into(),
        budget_revision: "5d41402abc4b".into(),
        period: BudgetPeriod::Month,
        period_start: Timestamp::from_micros(1_793_491_200_000_000),
        period_end: Timestamp::from_micros(1_796_083_200_000_000),
        counts_from: Some(Timestamp::from_micros(1_794_700_800_000_000)),
        amount: Money::from_units(600),
        currency: "USD".into(),
        spent: Money::from_units(510),
        gross: Money::from_units(512),
        remaining: Money::from_units(90),
        requests: 3_832,
        blocked: true,
        crossed: Some("0.8".into()),
        revision: 42,
        emitted_at: Timestamp::from_micros(1_795_132_800_000_000),
        team: Some("support".into()),
        business_unit: Some("retail".into()),
        scope: Some(r#"{"business_unit":"retail","environment":"production","team":"support"}"#.into()),
    }
}

/// A call as the most common ones are, and its charge: four meters, one price each, an owner and little else.
pub fn everyday_charge(number: u64) -> Charge {
    let text = |value: &str| Some(Text::from(value));
    let call_key = Text::from(format!("openai/chatcmpl-{number:029}"));
    let dedup_key = ids::dedup_key("acme", &call_key, 0, "");
    let used = [
        (Meter::InputTextTokens, 4_321),
        (Meter::CacheReadTextTokens, 12_000),
        (Meter::OutputTextTokens, 765),
        (Meter::OutputReasoningTokens, 333),
    ];
    let full = charge();
    let [line] = &full.lines[..] else { unreachable!("the fixture has one line") };
    let line = |(meter, units)| Line {
        meter,
        quantity: Quantity::from_units(units),
        billed_quantity: Quantity::from_units(units),
        contracted_unit_price: None,
        contracted_rate_id: None,
        ..line.clone()
    };
    Charge {
        charge_id: ids::charge_id(dedup_key, 0, ChargeClass::Original),
        revision: 0,
        class: ChargeClass::Original,
        corrects: None,
        correction_reason: None,
        correction_id: None,
        status: PricingStatus::Priced,
        lines: used.map(line).into(),
        unpriced: Vec::new(),
        reporting: None,
        fx_rate_id: None,
        counterfactuals: Vec::new(),
        owner: Dimensions {
            team: text(&format!("team-{}", number % 50)),
            project: text(&format!("project-{}", number % 100)),
            environment: text("production"),
            ..Dimensions::default()
        },
        allocation: None,
        flags: Vec::new(),
        event: Box::new(UsageEvent {
            call_key,
            weaker_keys: vec![Text::from(format!("event/gateway/{number:032}"))],
            dedup_key,
            event_id: Some(Text::from(format!("{number:032}"))),
            position: Position { topic: topics::RAW.into(), partition: 3, offset: number as i64, item: 0 },
            charge_period_start: None,
            charge_period_end: None,
            publisher: None,
            requested_model: None,
            price_context: PriceContext { service_tier: text("default"), ..PriceContext::default() },
            usage: used.map(|(meter, units)| Metered { meter, quantity: Quantity::from_units(units) }).into(),
            raw_usage: r#"{"prompt_tokens":16321,"completion_tokens":1098,"total_tokens":17419,"prompt_tokens_details":{"cached_tokens":12000,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":333,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#.into(),
            flags: Vec::new(),
            resource: None,
            claimed: Dimensions::default(),
            reported_cost: None,
            stated_cost: None,
            ..*full.event
        }),
        ..full
    }
}

/// A batch of an event, a link and a correction.
pub fn event_batch() -> Batch<EventItem> {
    let event = event();
    let link = Link {
        tenant: event.tenant.clone(),
        weaker: "event/gateway/evt-1".into(),
        stronger: event.call_key.clone(),
        received_at: event.received_at,
        position: event.position.clone(),
    };
    let correction = Correction {
        correction_id: ids::hash_parts([b"correction".as_slice()]),
        tenant: event.tenant.clone(),
        call_key: event.call_key.clone(),
        dedup_key: event.dedup_key,
        reason: CorrectionReason::Amend,
        expected_content: Some(event.content_hash),
        expected_revision: Some(0),
        replacement: Some(Box::new(event.clone())),
        reversed: Some(Box::new(charge())),
        received_at: event.received_at,
        book_version: Some("b00c".into()),
    };
    let items = vec![EventItem::Event(Box::new(event)), EventItem::Link(link), EventItem::Correction(correction)];
    Batch { lineage: lineage(), items }
}
