//! The data of genai-prices (`data.py` of the Python package), with the meaning its code gives them.
//!
//! Read in genai-prices 0.2.3 (MIT, Copyright (c) Pydantic Services Inc. 2025 to present), on 2026-11-23: `types.py` for
//! which price holds when, `decompose.py` for which price a kind of token has, `data_units.py` for the quantities prices
//! are for, `data_snapshot.py` for which model a name means.

mod names;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemas::{Meter, Text, Timestamp};

use super::literal::{self, Literal};
use super::{Place, Prices, Sheet, any, decimal, one};
use crate::period::Period;
use crate::price::row::{Exact, Provider, QuantityRule, Row, Sku};
use crate::price::when::{Any, Band, Batch, Choice, Hours, When};

/// Where a meter finds its price: the nearest unit that has one, the most particular first.
const UNITS: &[(Meter, &[&str])] = {
    use Meter::*;
    &[
        (InputTextTokens, &["input_text_mtok", "input_mtok"]),
        (CacheReadTextTokens, &["cache_text_read_mtok", "cache_read_mtok", "input_text_mtok", "input_mtok"]),
        (
            CacheWrite5mTokens,
            &[
                "cache_text_write_5m_mtok",
                "cache_write_5m_mtok",
                "cache_text_write_mtok",
                "cache_write_mtok",
                "input_mtok",
            ],
        ),
        (
            CacheWrite1hTokens,
            &[
                "cache_text_write_1h_mtok",
                "cache_write_1h_mtok",
                "cache_text_write_mtok",
                "cache_write_mtok",
                "input_mtok",
            ],
        ),
        (OutputTextTokens, &["output_text_mtok", "output_mtok"]),
        (
            OutputReasoningTokens,
            &["output_text_reasoning_mtok", "output_reasoning_mtok", "output_text_mtok", "output_mtok"],
        ),
        (InputAudioTokens, &["input_audio_mtok", "input_mtok"]),
        (OutputAudioTokens, &["output_audio_mtok", "output_mtok"]),
        (CacheReadAudioTokens, &["cache_audio_read_mtok", "cache_read_mtok", "input_audio_mtok", "input_mtok"]),
        (InputImageTokens, &["input_image_mtok", "input_mtok"]),
        (OutputImageTokens, &["output_image_mtok", "output_mtok"]),
        (CacheReadImageTokens, &["cache_image_read_mtok", "cache_read_mtok", "input_image_mtok", "input_mtok"]),
        (InputVideoTokens, &["input_video_mtok", "input_mtok"]),
        (InputAudioSeconds, &["input_audio_hours", "audio_hours"]),
        (SessionAudioSeconds, &["audio_hours"]),
        (InputCharacters, &["input_mchars"]),
        (OcrPages, &["input_document_kpages"]),
        (AnnotatedPages, &["input_annotated_document_kpages", "input_document_kpages"]),
        (RerankSearches, &["rerank_searches_kcount"]),
        (WebSearches, &["web_searches_kcount"]),
        (FileSearches, &["storage_searches_kcount"]),
        (CodeSessions, &["code_executions_kcount"]),
        (Requests, &["requests_kcount"]),
    ]
};

/// Quantity a price is for, by the end of its name.
pub(super) fn per(key: &str) -> i64 {
    match key.rsplit('_').next() {
        Some("mtok" | "mchars") => 1_000_000,
        Some("hours") => 3600,
        _ => 1000,
    }
}

/// Reads the file into rows.
pub(super) fn read(text: &str, sheet: &mut Sheet) -> Result<(), String> {
    let start = text.find("\nproviders").map(|at| at + 1).ok_or("holds no list of providers")?;
    let list = text[start..].find("= ").map(|at| start + at + 2).ok_or("holds no list of providers")?;
    let providers = literal::read(&text[list..])?;
    let by_id: BTreeMap<&str, &Literal> =
        providers.items().iter().filter_map(|provider| Some((provider.get("id")?.text()?, provider))).collect();
    if by_id.is_empty() {
        return Err("holds no provider".to_string());
    }
    for (id, provider) in &by_id {
        let row = Provider {
            provider: (*id).into(),
            also: Vec::new(),
            tiers: BTreeMap::new(),
            strip: Vec::new(),
            dashed_dates: true,
        };
        sheet.put(&format!("provider {id}"), Row::Provider(row));
        let own = models(provider);
        for model in own {
            put_model(sheet, id, &format!("{id}/{}", name(model)), model, provider, true);
        }
        // Models of other providers, at those providers' standard prices.
        let others: Vec<(String, &Literal)> = fallbacks(provider)
            .filter_map(|other| Some((other, by_id.get(other)?)))
            .flat_map(|(other, lender)| {
                models(lender).iter().map(move |model| (format!("{id}/{other}/{}", name(model)), model))
            })
            .collect();
        for (sku, model) in &others {
            put_model(sheet, id, sku, model, provider, false);
        }
        let tried = own.iter().map(|model| (format!("{id}/{}", name(model)), model)).chain(others.iter().cloned());
        names::put(sheet, id, tried)?;
    }
    Ok(())
}

/// Which names mean a model.
pub(super) fn matching(model: &Literal) -> Result<crate::price::matching::Matching, String> {
    let clauses = model.get("match").ok_or("no match")?;
    crate::price::matching::Matching::compile(&names::matcher(clauses)?)
}

fn models(provider: &Literal) -> &[Literal] {
    provider.get("models").map(Literal::items).unwrap_or_default()
}

fn fallbacks(provider: &Literal) -> impl Iterator<Item = &str> {
    let others = provider.get("fallback_model_providers").map(Literal::items).unwrap_or_default();
    others.iter().filter_map(Literal::text)
}

fn name(model: &Literal) -> &str {
    model.get("id").and_then(Literal::text).unwrap_or_default()
}

fn put_model(sheet: &mut Sheet, provider: &str, sku: &str, model: &Literal, seller: &Literal, variants: bool) {
    // The one rule that is in the code only: https://groq.com/pricing, at least ten seconds a request.
    let whisper = provider == "groq" && matches!(name(model), "whisper-large-v3" | "whisper-large-v3-turbo");
    let least = QuantityRule { minimum: Some(Exact(Decimal::TEN)), ..QuantityRule::default() };
    let timed = [Meter::InputAudioSeconds, Meter::SessionAudioSeconds].into_iter().filter(|_| whisper);
    let row = Sku {
        sku: sku.into(),
        provider: provider.into(),
        models: Vec::new(),
        prefixes: Vec::new(),
        snapshots: false,
        class: None,
        currency: Text::const_new("USD"),
        quantities: timed.map(|meter| (meter, least)).collect(),
    };
    sheet.put(&format!("sku {sku}"), Row::Sku(row));
    let source = seller.get("pricing_urls").and_then(|urls| urls.items().first()).and_then(Literal::text);
    put_prices(sheet, &sku.into(), model, source.unwrap_or_default(), variants);
}

/// One price list of a model, and when it holds.
pub(super) struct Listed<'a> {
    pub(super) prices: &'a Literal,
    pub(super) from: Option<NaiveDate>,
    /// Minutes of the day in UTC.
    pub(super) hours: Option<(u32, u32)>,
    pub(super) when: Vec<(&'a str, &'a str)>,
}

impl Listed<'_> {
    pub(super) fn active(&self, day: Option<NaiveDate>, minute: u32) -> bool {
        let open = |(start, end): (u32, u32)| {
            if end < start { minute >= start || minute < end } else { (start..end).contains(&minute) }
        };
        self.from.is_none_or(|from| day.is_some_and(|day| day >= from)) && self.hours.is_none_or(open)
    }
}

pub(super) fn listed<'a>(stated: &'a Literal) -> Result<Listed<'a>, String> {
    let prices = stated.get("prices").ok_or("a price without prices")?;
    let when = stated.get("when").map(Literal::members).unwrap_or_default();
    let when = when.iter().filter_map(|(key, value)| Some((key.as_str(), value.text()?))).collect();
    let mut listed = Listed { prices, from: None, hours: None, when };
    match stated.get("constraint") {
        None => {}
        Some(constraint) => {
            if let Some(date) = constraint.get("start_date") {
                listed.from = Some(day(date).ok_or("a start_date that is no date")?);
            } else {
                let minutes = |name: &str| constraint.get(name).and_then(minute);
                let (Some(start), Some(end)) = (minutes("start_time"), minutes("end_time")) else {
                    return Err("a constraint that is neither a start date nor hours in UTC".to_string());
                };
                listed.hours = Some((start, end));
            }
        }
    }
    Ok(listed)
}

fn numbers(literal: &Literal) -> Option<Vec<u32>> {
    let Literal::Call(_, arguments, named) = literal else { return None };
    let utc = |(name, value): &(String, Literal)| {
        name == "tzinfo"
            && matches!(value, Literal::Name(zone) if zone == "datetime.UTC" || zone == "datetime.timezone.utc")
    };
    if !named.iter().all(utc) {
        return None;
    }
    arguments.iter().map(|argument| argument.digits()?.parse().ok()).collect()
}

fn day(literal: &Literal) -> Option<NaiveDate> {
    let [year, month, day] = numbers(literal)?[..] else { return None };
    NaiveDate::from_ymd_opt(year.try_into().ok()?, month, day)
}

fn minute(literal: &Literal) -> Option<u32> {
    match numbers(literal)?[..] {
        [hour, minute] | [hour, minute, 0] => Some(hour * 60 + minute),
        [hour] => Some(hour * 60),
        _ => None,
    }
}

/// Writes the prices of a model for every stretch of days and hours, and every kind of call that has its own.
fn put_prices(sheet: &mut Sheet, sku: &Text, model: &Literal, source: &str, variants: bool) {
    let standard = match model.get("prices") {
        Some(Literal::List(items)) => items.iter().map(listed).collect(),
        Some(prices) => Ok(vec![Listed { prices, from: None, hours: None, when: Vec::new() }]),
        None => return,
    };
    let stated = model.get("price_variants").map(Literal::items).unwrap_or_default();
    let stated: Result<Vec<_>, _> = stated.iter().filter(|_| variants).map(listed).collect();
    let (standard, stated) = match (standard, stated) {
        (Ok(standard), Ok(stated)) => (standard, stated),
        (Err(message), _) | (_, Err(message)) => return sheet.remarks.push(format!("{sku}: {message}")),
    };
    let known = ["processing", "service_tier", "speed", "route", "search_type"];
    for (key, value) in stated.iter().flat_map(|listed| &listed.when).filter(|(key, _)| !known.contains(key)) {
        sheet.remarks.push(format!("{sku}: a price for {key}={value}, which calls do not state"));
    }
    let days: BTreeSet<NaiveDate> = standard.iter().chain(&stated).filter_map(|listed| listed.from).collect();
    let minutes: BTreeSet<u32> = standard
        .iter()
        .chain(&stated)
        .filter_map(|listed| listed.hours)
        .flat_map(|(start, end)| [start, end])
        .collect();
    let starts: Vec<Option<NaiveDate>> = [None].into_iter().chain(days.into_iter().map(Some)).collect();
    for (index, from) in starts.iter().enumerate() {
        let at = |day: &Option<NaiveDate>| day.and_then(|day| day.to_string().parse::<Timestamp>().ok());
        let until = starts.get(index + 1).and_then(at);
        let period = Period { valid_from: at(from), valid_to: until, ..Period::default() };
        // Stretches of the day that are priced alike have one row.
        let mut stretches: Vec<(Vec<Text>, Vec<usize>)> = Vec::new();
        let mut edges: Vec<u32> = minutes.iter().copied().filter(|minute| *minute > 0).collect();
        edges.insert(0, 0);
        for (index, start) in edges.iter().enumerate() {
            let end = edges.get(index + 1).copied().unwrap_or(24 * 60);
            let active: Vec<usize> = standard
                .iter()
                .chain(&stated)
                .enumerate()
                .filter(|(_, listed)| listed.active(*from, *start))
                .map(|(index, _)| index)
                .collect();
            let clock = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
            let window: Text = format!("{}-{}", clock(*start), clock(end)).into();
            match stretches.iter_mut().find(|(_, alike)| *alike == active) {
                Some((windows, _)) => windows.push(window),
                None => stretches.push((vec![window], active)),
            }
        }
        let whole_day = stretches.len() == 1;
        for (windows, active) in stretches {
            let zone = Text::const_new("UTC");
            let hours = (!whole_day).then(|| Hours { zone, days: Vec::new(), windows, except: None });
            // The last one that is active; the first one where none is.
            let base = active.iter().rev().find(|index| **index < standard.len());
            let Some(base) = standard.get(base.copied().unwrap_or(0)) else { continue };
            let open: Vec<&Listed<'_>> =
                active.iter().filter_map(|index| stated.get(index.checked_sub(standard.len())?)).collect();
            for (when, rank, told) in kinds(&stated) {
                let mut prices: BTreeMap<&str, &Literal> = BTreeMap::new();
                let met = open.iter().filter(|listed| listed.when.iter().all(|pair| told.contains(pair)));
                let own: Vec<&Literal> = met.map(|listed| listed.prices).collect();
                if rank > 0 && own.is_empty() {
                    continue;
                }
                for list in own.into_iter().chain([base.prices]) {
                    for (key, price) in list.members().iter().filter(|(_, price)| *price != Literal::Null) {
                        prices.entry(key).or_insert(price);
                    }
                }
                let when = When { hours: hours.clone(), ..when };
                put_bands(sheet, sku, &prices, &Place { when, rank, period, derived: None }, source);
            }
        }
    }
}

/// A condition, its rank, and what a call that meets it tells.
type Kind<'a> = (When, i32, Vec<(&'a str, &'a str)>);

/// The kinds of calls that prices may be stated for: every combination of what some price is stated for.
fn kinds<'a>(stated: &[Listed<'a>]) -> Vec<Kind<'a>> {
    let always = When { tier: any(), speed: any(), batch: Some(Batch::Both(Any::Any)), ..When::default() };
    let mut kinds: Vec<Kind<'a>> = vec![(always, 0, Vec::new())];
    for key in ["processing", "service_tier", "speed", "route", "search_type"] {
        let told = stated.iter().flat_map(|listed| &listed.when).filter(|(stated, _)| *stated == key);
        let values: BTreeSet<&str> = told.map(|(_, value)| *value).collect();
        let mut with = Vec::new();
        for value in values {
            for (when, rank, told) in &kinds {
                let mut when = when.clone();
                match key {
                    "processing" if value == "batch" => when.batch = Some(Batch::Only(true)),
                    "service_tier" if value != "default" => when.tier = one(value),
                    "speed" => when.speed = one(value),
                    // What an answer is made of, and where: calls state it as their endpoint.
                    "route" | "search_type" => when.endpoint = Some(Choice::One(value.into())),
                    _ => continue,
                }
                let told = told.iter().copied().chain([(key, value)]).collect();
                with.push((when, rank + 1, told));
            }
        }
        kinds.extend(with);
    }
    kinds
}

/// Writes the rows of a price list: one for every range of input tokens in which it says the same.
fn put_bands(sheet: &mut Sheet, sku: &Text, prices: &BTreeMap<&str, &Literal>, place: &Place, source: &str) {
    let tiers = |price: &Literal| -> Vec<(i64, Decimal)> {
        let tier = |tier: &Literal| {
            Some((tier.get("start")?.digits()?.parse().ok()?, tier.get("price")?.digits().and_then(decimal)?))
        };
        let mut tiers: Vec<_> =
            price.get("tiers").map(Literal::items).unwrap_or_default().iter().filter_map(tier).collect();
        tiers.sort_by_key(|(start, _)| *start);
        tiers
    };
    let starts: BTreeSet<i64> = prices.values().flat_map(|price| tiers(price)).map(|(start, _)| start).collect();
    let starts: Vec<i64> = starts.into_iter().collect();
    for index in 0..=starts.len() {
        let above = index.checked_sub(1).map(|index| starts[index]);
        let up_to = starts.get(index).copied();
        let value = |price: &Literal| {
            let crossed = tiers(price).into_iter().rev().find(|(start, _)| above.is_some_and(|above| above >= *start));
            match crossed {
                Some((_, price)) => Some(price),
                None => price.get("base").unwrap_or(price).digits().and_then(decimal),
            }
        };
        let mut by_quantity: BTreeMap<i64, Prices> = BTreeMap::new();
        for (meter, keys) in UNITS {
            let Some((key, price)) = keys.iter().find_map(|key| Some((*key, *prices.get(key)?))) else { continue };
            let list = by_quantity.entry(per(key)).or_default();
            list.set(*meter, value(price));
        }
        let band = Band { above, up_to, ..Band::default() };
        let band = (above.is_some() || up_to.is_some()).then_some(band);
        let place = Place { when: When { band, ..place.when.clone() }, ..place.clone() };
        for (per, list) in by_quantity {
            sheet.rates_per(sku, &place, &list, per, source);
        }
    }
}
