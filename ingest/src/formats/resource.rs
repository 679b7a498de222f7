//! What costs money without being a model call (GPU time, seats, ledger entries), and facts, which cost nothing: our
//! documented CloudEvents types.

use std::borrow::Cow;

use schemas::ids::hash_parts;
use schemas::{ChargeCategory, CostBasis, Fact, FactKind, Meter, Money, Quantity, RejectReason, ReportedCost, Text};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, check_time, precedence};
use crate::envelope::{self, Envelope};
use crate::formats::seats::Purchase;
use crate::identity::Known;
use crate::json::{Json, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw};

/// What the type of a CloudEvent names, when it is one of these.
pub(crate) fn fact_kind(kind: &str) -> Option<FactKind> {
    match kind {
        "ai.value_unit" => Some(FactKind::ValueUnits),
        "ai.business_metric" => Some(FactKind::BusinessMetric),
        "ai.outcome" => Some(FactKind::Outcome),
        "ai.user_count" => Some(FactKind::UserCount),
        _ => None,
    }
}

/// GPU time: the allocated seconds are billed, used or idle. Used seconds stay in the original usage.
pub(crate) fn gpu<'a>(json: Json<'a>, object: &Object<'a>, envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let mut envelope = envelope.read(object, out.config)?;
    let mut call = Call::new("ai.gpu.usage", "gpu", precedence::STATED);
    // Machines are rented from a cloud, not from the models it serves.
    if let Some(cloud) = envelope::owned(object, "provider")? {
        envelope.provider = Some(cloud.to_ascii_lowercase());
    }
    call.model = envelope::text(object, "gpu_model")?;
    if call.model.is_none() && envelope.model.is_none() {
        return Err(Problem::missing("gpu_model", "name the GPU (or the SKU) the price depends on"));
    }
    let counts = Counts::new(object, "");
    let allocated = counts.quantity("gpu_seconds_allocated")?;
    let used = counts.quantity("gpu_seconds_used")?;
    let seconds = allocated.ok_or_else(|| Problem::missing("gpu_seconds_allocated", "it is what is billed"))?;
    if let Some(used) = used
        && used > seconds
    {
        let message = format!("gpu_seconds_used {used} is more than gpu_seconds_allocated {seconds}");
        return Err(Problem::contradiction("gpu_seconds_used", message));
    }
    let used = used.map(|used| format!(",\"gpu_seconds_used\":{used}")).unwrap_or_default();
    call.raw_usage = Cow::Owned(format!("{{\"gpu_seconds_allocated\":{seconds}{used}}}"));
    let mut part = Part::default();
    part.usage.add_quantity(Meter::GpuSeconds, seconds);
    call.parts = smallvec![part];
    let option = envelope::owned(object, "purchase_option")?;
    if option.as_deref() == Some("reserved") {
        call.cost_basis = Some(CostBasis::Committed);
    }
    call.context.service_tier = option;
    call.time = envelope.period.map(|(start, _)| start);
    if object.get("idle").and_then(Json::boolean) == Some(true) {
        envelope.add_tag("idle", "true", out.config);
    }
    envelope.claimed.cost_category.get_or_insert_with(|| "compute".into());
    out.call(call, envelope, json);
    Ok(())
}

/// Seats for a period, spread over its days. The purchase is stated when the unit price is.
pub(crate) fn seat<'a>(json: Json<'a>, object: &Object<'a>, envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let mut envelope = envelope.read(object, out.config)?;
    let mut call = Call::new("ai.seat.period", "seat", precedence::STATED);
    if let Some(vendor) = envelope::owned(object, "vendor")? {
        envelope.provider = Some(vendor);
    }
    call.model = match envelope::text(object, "sku")? {
        Some(sku) => Some(sku),
        None => envelope::text(object, "product")?,
    };
    let (start, end) =
        envelope.period.ok_or_else(|| Problem::missing("period_start", "a seat covers a period: send both ends"))?;
    let seats = Counts::new(object, "").count("quantity")?.unwrap_or(1);
    let cost = priced(object, i128::from(seats) * schemas::PICO, "seats_times_unit_price")?;
    Purchase { seats, start, end, cost }.spread(&mut call)?;
    envelope.claimed.cost_category.get_or_insert_with(|| "api_and_licences".into());
    out.call(call, envelope, json);
    Ok(())
}

/// Prepaid credits of a vendor that were used (premium requests, AI credits): metered, and stated when the price of one is.
pub(crate) fn credits<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let mut envelope = envelope.read(object, out.config)?;
    let mut call = Call::new("ai.credit.usage", "credits", precedence::STATED);
    let vendor = envelope::owned(object, "vendor")?.or(envelope.provider.take());
    envelope.provider = Some(vendor.ok_or_else(|| Problem::missing("vendor", "name whose credits they are"))?);
    call.model = envelope::text(object, "product")?.or(Some(Cow::Borrowed("credits")));
    let quantity = Counts::new(object, "").quantity("quantity")?;
    let quantity = quantity.ok_or_else(|| Problem::missing("quantity", "send how many credits were used"))?;
    envelope.stated_cost = priced(object, quantity.picos(), "credits_times_unit_price")?;
    let mut part = Part::default();
    part.usage.add_quantity(Meter::Credits, quantity);
    call.parts = smallvec![part];
    call.raw_usage = Cow::Owned(format!("{{\"quantity\":\"{quantity}\"}}"));
    call.time = envelope.time.or(envelope.period.map(|(start, _)| start));
    out.call(call, envelope, json);
    Ok(())
}

/// What a quantity (in picounits) costs at the `unit_price` an object states; `None` when it states none.
fn priced(object: &Object<'_>, quantity: i128, basis: &'static str) -> Result<Option<ReportedCost>> {
    let Some(price) = envelope::cost(object, "unit_price", basis)? else { return Ok(None) };
    let currency = envelope::owned(object, "currency")?.unwrap_or(price.currency);
    // Whole units and the rest apart: the product of two picounits would leave the range.
    let (whole, rest) = (quantity / schemas::PICO, quantity % schemas::PICO);
    let amount = price.amount.picos().checked_mul(whole);
    let amount = amount.and_then(|amount| amount.checked_add(price.amount.picos().checked_mul(rest)? / schemas::PICO));
    let too_large = || Problem::new(RejectReason::InvalidField, "unit_price", "quantity times unit price is too large");
    let amount = amount.and_then(Money::from_picos).ok_or_else(too_large)?;
    Ok(Some(ReportedCost { amount, currency: currency.to_ascii_uppercase(), basis: price.basis }))
}

/// The cost categories of a ledger entry.
const CATEGORIES: [&str; 6] = ["compute", "api_and_licences", "data_and_labelling", "people", "tooling", "compliance"];

/// A cost that is stated, not metered.
pub(crate) fn ledger<'a>(json: Json<'a>, object: &Object<'a>, envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let mut envelope = envelope.read(object, out.config)?;
    let mut call = Call::new("ai.ledger.entry", "ledger_entry", precedence::STATED);
    let category = envelope.claimed.cost_category.as_deref();
    if !category.is_some_and(|category| CATEGORIES.contains(&category)) {
        let message = format!("cost_category must be one of {}", CATEGORIES.join(", "));
        return Err(Problem::new(RejectReason::InvalidField, "cost_category", message));
    }
    if let Some(vendor) = envelope::owned(object, "vendor")? {
        envelope.provider = Some(vendor);
    }
    call.model = Some(envelope::text(object, "item")?.unwrap_or(Cow::Borrowed("entry")));
    let cost = envelope::cost(object, "cost", "ledger_entry")?;
    envelope.stated_cost = Some(cost.ok_or_else(|| Problem::missing("cost", "send {amount, currency}"))?);
    call.raw_usage = Cow::Borrowed(raw(object.get("cost")));
    call.charge_category = ChargeCategory::Purchase;
    call.parts = smallvec![Part::default()];
    call.time = envelope.time.or(envelope.period.map(|(start, _)| start));
    out.call(call, envelope, json);
    Ok(())
}

/// What a fact states.
pub(crate) struct Stated {
    pub kind: FactKind,
    pub name: Text,
    pub quantity: Quantity,
    pub value: Option<ReportedCost>,
}

/// A fact, as our documented CloudEvents.
pub(crate) fn fact<'a>(kind: FactKind, object: &Object<'a>, envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let mut envelope = envelope.read(object, out.config)?;
    // A fact has no flags, and no money that would be lost with it.
    if out.bound.is_some_and(|bound| bound.bind(&mut envelope)) {
        let message = "the key this came with may not claim its team; send it with a key of that team";
        return Err(Problem::new(RejectReason::InvalidField, "team", message));
    }
    // Whoever reads facts takes the copy that came first: a later one would be kept and never counted.
    if envelope.amends {
        let message = "amends is for charges; of the copies of a fact the first one counts, so send what is missing as a fact with \
                       an id of its own";
        return Err(Problem::new(RejectReason::InvalidField, "amends", message));
    }
    let name = envelope::owned(object, "name")?.or(envelope::owned(object, "unit")?);
    let name = name.ok_or_else(|| Problem::missing("name", "name the measure (resolutions, blocked, revenue, ...)"))?;
    let quantity = match Counts::new(object, "").quantity("quantity")? {
        Some(quantity) => quantity,
        None if kind == FactKind::Outcome => Quantity::from_units(1),
        None => return Err(Problem::missing("quantity", "send how much of it there was")),
    };
    let value = envelope::cost(object, "value", "stated_by_producer")?;
    state(Stated { kind, name, quantity, value }, Some(object), envelope, out)
}

/// Puts a fact and what surrounds it together. `object` may say more: workload, unit, the call it is about.
pub(crate) fn state(
    stated: Stated,
    object: Option<&Object<'_>>,
    envelope: Envelope<'_>,
    out: &mut Out<'_>,
) -> Result<()> {
    let Stated { kind, name, quantity, value } = stated;
    let said = |name: &str| object.map_or(Ok(None), |object| envelope::owned(object, name));
    let workload = said("workload")?.or(envelope.claimed.workload_profile.clone());
    let source = envelope.source.unwrap_or(Cow::Borrowed(out.record.topic));
    let received_at = out.record.timestamp;
    let event_time = envelope.time.or(out.config.time).unwrap_or(out.arrived);
    check_time(event_time, received_at)?;
    let provider = envelope.provider.as_deref().unwrap_or("");
    let about = Known {
        provider,
        response_id: envelope.response_id.as_deref(),
        span: envelope.trace_id.as_deref().zip(envelope.span_id.as_deref()),
        ..Known::default()
    };
    let call_key = said("call_key")?.or_else(|| about.keys().map(|keys| keys.strongest));
    let unit = said("unit")?.filter(|unit| *unit != name);
    let tenant = out.config.tenant.clone();
    let (id, mut claimed) = (envelope.event_id, envelope.claimed);
    out.config.conceal(&mut claimed);
    let mut tags = envelope.tags;
    tags.sort_unstable();
    out.fact(|position| {
        let place = format!("{}/{}/{}/{}", position.topic, position.partition, position.offset, position.item);
        let identity = id.as_deref().unwrap_or(&place);
        Fact {
            fact_id: hash_parts([b"fact".as_slice(), tenant.as_bytes(), source.as_bytes(), identity.as_bytes()]),
            tenant: tenant.clone(),
            kind,
            workload: workload.unwrap_or_else(|| "default".into()),
            name,
            quantity,
            unit,
            value: value.as_ref().map(|value| value.amount),
            currency: value.map(|value| value.currency),
            call_key,
            event_time,
            received_at,
            source: Text::from(source),
            position,
            claimed,
            tags,
        }
    });
    Ok(())
}
