//! Settles a period: entries for what its charges cost together otherwise than one by one.
//!
//! An entry is a record like any producer's, so dedup, budgets and the lake need to know nothing of it. Its id is made of
//! terms, day and payer, and it amends what was sent under that id before: what is sent twice counts once, and what changed
//! since (late calls, other terms), or was left by a run that ended early, is sent by the next run.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use enrich::PriceBook;
use enrich::settle::{Entry, Use, counted_from, settle};
use schemas::ids::hash_parts;
use schemas::{Charge, ChargeCategory, Dimensions, Id128, Money, Text, Timestamp, topics};
use serde_json::{Map, Value, json};
use sink::LakeReader;
use stream::{Log, OutRecord};

use crate::standing::{Period, standing};

/// The source of every entry.
pub const SOURCE: &str = "spendstream/settle";

/// Entries of one append: all of them are written or none.
const APPEND_ENTRIES: usize = 200;

/// What a run found and, unless it was dry, sent.
#[derive(Debug, Default)]
pub struct Settled {
    /// Charges that terms looked at.
    pub uses: u64,
    /// All entries of the period.
    pub entries: Vec<Entry>,
    /// Of those, as they stand already.
    pub standing: u64,
    /// New or with another amount.
    pub sent: u64,
    /// Entries of earlier runs that nothing calls for any more: sent with nothing as their amount.
    pub withdrawn: u64,
}

/// Settles a period of whole days (UTC) by the terms of a book. The charges those are about are held in memory, about a
/// kilobyte each (reckoned): at most `charges_max` of them.
///
/// # Errors
/// When there are more of those charges, and when lake or log cannot be read or written. What was sent by then holds, and the
/// next run sends the rest.
pub fn settle_period(
    log: &dyn Log,
    lake: Option<&LakeReader>,
    book: &PriceBook,
    period: Period,
    now: Timestamp,
    dry_run: bool,
    charges_max: usize,
) -> anyhow::Result<Settled> {
    let mut uses = Vec::new();
    let mut before = HashMap::new();
    // A day of some zone may end up to a day after that of the period.
    let read = Period { from: counted_from(book, period.from), to: period.to.plus_seconds(86_400) };
    standing(log, lake, read, &mut |charge| {
        match &charge.event.event_id {
            Some(id) if charge.event.source == SOURCE && period.holds(charge.event.event_time) => {
                before.insert(id.clone(), charge);
            }
            _ => uses.extend(Use::of(&charge, book)),
        }
        anyhow::ensure!(
            uses.len() <= charges_max,
            "the terms of this book are about more than {charges_max} charges since {}, where their running totals begin: give \
             --charges-max what this machine's memory allows (about a kilobyte a charge), or name in `covers` what terms are about",
            read.from
        );
        Ok(())
    })?;
    let mut settled = Settled { uses: uses.len() as u64, ..Settled::default() };
    settled.entries = settle(book, uses, (period.from, period.to), now)?;
    let mut records = Vec::new();
    for entry in &settled.entries {
        let stands = before.remove(entry.id.as_str());
        if stands.is_some_and(|charge| {
            charge.costs.contracted == Some(entry.amount) && charge.costs.currency == entry.currency
        }) {
            settled.standing += 1;
        } else {
            settled.sent += 1;
            records.push((entry.id.clone(), of_entry(entry)));
        }
    }
    for (id, charge) in before {
        if charge.costs.contracted.is_some_and(|amount| !amount.is_zero()) {
            settled.withdrawn += 1;
            records.push((id.to_string(), of_charge(&id, &charge)));
        }
    }
    if !dry_run {
        send(log, records)?;
    }
    Ok(settled)
}

fn send(log: &dyn Log, mut records: Vec<(String, Value)>) -> anyhow::Result<()> {
    let partitions = log.partitions(topics::RAW)?.with_context(|| format!("there is no topic {}", topics::RAW))?;
    let topic: Arc<str> = topics::RAW.into();
    records.sort_by(|(one, _), (other, _)| one.cmp(other));
    for some in records.chunks(APPEND_ENTRIES) {
        let record = |(id, value): &(String, Value)| OutRecord {
            topic: topic.clone(),
            // One entry always goes to one partition, so that the latest of it is the one read last.
            partition: partition(hash_parts([id.as_bytes()]), partitions),
            key: Some(Bytes::from(id.clone())),
            payload: Some(Bytes::from(value.to_string())),
            headers: Vec::new(),
            timestamp: None,
        };
        log.append(some.iter().map(record).collect()).context("send entries; run it again to send the rest")?;
    }
    Ok(())
}

fn partition(id: Id128, partitions: u32) -> u32 {
    let [a, b, c, d, ..] = id.0;
    u32::from_be_bytes([a, b, c, d]) % partitions.max(1)
}

fn of_entry(entry: &Entry) -> Value {
    let payer = &entry.payer;
    let mut dimensions: Map<String, Value> =
        payer.dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value.as_str()))).collect();
    dimensions.entry("cost_category").or_insert_with(|| json!("api_and_licences"));
    let tags: Map<String, Value> =
        payer.tags.iter().map(|tag| (tag.key.to_string(), json!(tag.value.as_str()))).collect();
    record(
        &entry.id,
        entry.time,
        &payer.provider,
        &payer.model,
        entry.category,
        entry.amount,
        &entry.currency,
        json!({
            "key_id": payer.key_id.as_ref().map(Text::as_str), "resource": payer.resource.as_ref().map(Text::as_str),
            "tags": tags, "dimensions": dimensions,
        }),
    )
}

/// The entry of a charge once more, with nothing as its amount.
fn of_charge(id: &Text, charge: &Charge) -> Value {
    let event = &charge.event;
    let claimed: &Dimensions = &event.claimed;
    let stated = [("team", &claimed.team), ("billing_account", &claimed.billing_account)];
    let mut dimensions: Map<String, Value> = stated
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?.as_str()))))
        .collect();
    let category = claimed.cost_category.as_ref().map_or("api_and_licences", Text::as_str);
    dimensions.insert("cost_category".to_owned(), json!(category));
    let rest = json!({"key_id": event.key_id.as_ref().map(Text::as_str), "dimensions": dimensions});
    let (provider, model) = (&event.provider, &event.model);
    record(id, event.event_time, provider, model, event.charge_category, Money::ZERO, &charge.costs.currency, rest)
}

#[expect(clippy::too_many_arguments, reason = "the fields of one record")]
fn record(
    id: &str,
    time: Timestamp,
    provider: &str,
    model: &str,
    category: ChargeCategory,
    amount: Money,
    currency: &str,
    rest: Value,
) -> Value {
    let mut data = json!({
        "vendor": provider, "item": model, "charge_category": category.as_str(), "amends": true,
        "cost": {"amount": amount.to_string(), "currency": currency},
    });
    if let (Some(data), Value::Object(rest)) = (data.as_object_mut(), rest) {
        data.extend(rest.into_iter().filter(|(_, value)| !value.is_null()));
    }
    json!({
        "specversion": "1.0", "type": "ai.ledger.entry", "id": id, "source": SOURCE, "time": time.to_string(), "data": data,
    })
}
