//! genai-prices' lists: what each states over time, and nothing that its code puts in for what it does not state.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemas::{Meter, Text};

use super::cell::{Cell, Kind, Series, Step, Who};
use crate::price::import::decimal;
use crate::price::import::genai::{self, Listed};
use crate::price::import::literal::{self, Literal};
use crate::price::matching::Matching;

const UNITS: &[(&str, Meter)] = {
    use Meter::*;
    &[
        ("input_mtok", InputTextTokens),
        ("output_mtok", OutputTextTokens),
        ("cache_read_mtok", CacheReadTextTokens),
        ("cache_write_mtok", CacheWrite5mTokens),
        ("cache_write_1h_mtok", CacheWrite1hTokens),
        ("input_audio_mtok", InputAudioTokens),
        ("output_audio_mtok", OutputAudioTokens),
        ("cache_audio_read_mtok", CacheReadAudioTokens),
        ("input_image_mtok", InputImageTokens),
        ("output_image_mtok", OutputImageTokens),
        ("cache_image_read_mtok", CacheReadImageTokens),
        ("input_video_mtok", InputVideoTokens),
        ("output_reasoning_mtok", OutputReasoningTokens),
        ("audio_hours", InputAudioSeconds),
        ("input_audio_hours", InputAudioSeconds),
        ("input_mchars", InputCharacters),
        ("input_document_kpages", OcrPages),
        ("input_annotated_document_kpages", AnnotatedPages),
        ("rerank_searches_kcount", RerankSearches),
        ("web_searches_kcount", WebSearches),
        ("storage_searches_kcount", FileSearches),
        ("requests_kcount", Requests),
    ]
};

/// A model as the package lists it.
#[derive(Debug)]
pub(super) struct Model {
    pub id: Text,
    /// Names it states whole.
    pub names: BTreeSet<Text>,
    /// Names that mean it.
    pub matching: Matching,
    pub series: Series,
}

/// The list of providers in the file.
pub(super) fn read(text: &str) -> Result<Literal, String> {
    let start = text.find("\nproviders").ok_or("genai-prices: holds no list of providers")?;
    let list = text[start..].find("= ").map(|at| start + at + 2).ok_or("genai-prices: holds no list of providers")?;
    literal::read(&text[list..]).map_err(|message| format!("genai-prices: {message}"))
}

/// The models of a provider in the order their names are tried; and those that could not be read.
///
/// Its thresholds are to be exceeded; `inclusive` has them as the number that a long prompt begins at.
pub(super) fn of(providers: &Literal, id: &str, inclusive: bool) -> (Vec<Model>, Vec<String>) {
    let named = |provider: &&Literal| provider.get("id").and_then(Literal::text) == Some(id);
    let provider = providers.items().iter().find(named);
    let models = provider.and_then(|provider| provider.get("models")).map(Literal::items).unwrap_or_default();
    let mut found = Vec::new();
    let mut left_out = Vec::new();
    for model in models {
        let Some(name) = model.get("id").and_then(Literal::text) else { continue };
        match (series(model, inclusive), genai::matching(model)) {
            (Ok(series), Ok(matching)) => {
                let mut names = BTreeSet::from([Text::from(name)]);
                if let Some(clause) = model.get("match") {
                    whole(clause, &mut names);
                }
                found.push(Model { id: name.into(), names, matching, series });
            }
            (Err(why), _) | (_, Err(why)) => left_out.push(format!("genai-prices: {id}/{name}: {why}")),
        }
    }
    (found, left_out)
}

/// Names a clause states whole.
fn whole(clause: &Literal, names: &mut BTreeSet<Text>) {
    let Literal::Call(kind, arguments, named) = clause else { return };
    match kind.as_str() {
        "ClauseEquals" => names.extend(clause.get("equals").and_then(Literal::text).map(Text::from)),
        "ClauseOr" => {
            let lists = arguments.iter().chain(named.iter().map(|(_, value)| value));
            lists.flat_map(Literal::items).for_each(|clause| whole(clause, names));
        }
        _ => {}
    }
}

fn series(model: &Literal, inclusive: bool) -> Result<Series, String> {
    let standard: Vec<Listed<'_>> = match model.get("prices") {
        Some(Literal::List(items)) => items.iter().map(genai::listed).collect::<Result<_, _>>()?,
        Some(prices) => vec![Listed { prices, from: None, hours: None, when: Vec::new() }],
        None => return Ok(Series::new()),
    };
    let variants = model.get("price_variants").map(Literal::items).unwrap_or_default();
    let variants: Vec<Listed<'_>> = variants.iter().map(genai::listed).collect::<Result<_, _>>()?;
    if standard.iter().chain(&variants).any(|listed| listed.hours.is_some()) {
        return Err("prices by the hour of the day".to_string());
    }
    let dates: BTreeSet<NaiveDate> = standard.iter().chain(&variants).filter_map(|listed| listed.from).collect();
    let starts: Vec<Option<NaiveDate>> = [None].into_iter().chain(dates.into_iter().map(Some)).collect();
    let mut series = Series::new();
    for (index, from) in starts.iter().enumerate() {
        let to = starts.get(index + 1).copied().flatten();
        let active = |listed: &&Listed<'_>| listed.active(*from, 0);
        let Some(base) = standard.iter().rev().find(active).or(standard.first()) else { continue };
        let mut stretch = BTreeMap::new();
        cells(base.prices, &Kind::default(), inclusive, &mut stretch);
        for variant in variants.iter().filter(active) {
            let mut kind = Kind::default();
            let mut known = true;
            for (key, value) in &variant.when {
                match *key {
                    "processing" if *value == "batch" => kind.batch = true,
                    "service_tier" if *value == "default" => {}
                    "service_tier" => kind.tier = Some((*value).into()),
                    "speed" => kind.speed = Some((*value).into()),
                    _ => known = false,
                }
            }
            if known && kind != Kind::default() {
                cells(variant.prices, &kind, inclusive, &mut stretch);
            }
        }
        for (place, cell) in stretch {
            let steps: &mut Vec<Step> = series.entry(place).or_default();
            match steps.last_mut() {
                Some(last) if last.to == *from && last.cell == cell => last.to = to,
                _ => steps.push(Step { from: *from, to, cell }),
            }
        }
    }
    Ok(series)
}

fn cells(prices: &Literal, kind: &Kind, inclusive: bool, table: &mut BTreeMap<(Kind, Meter), Cell>) {
    for (key, price) in prices.members() {
        let Some((_, meter)) = UNITS.iter().find(|(unit, _)| unit == key) else { continue };
        let tool = matches!(meter, Meter::WebSearches | Meter::FileSearches | Meter::Requests | Meter::RerankSearches);
        if tool && *kind != Kind::default() {
            continue;
        }
        let kind = if tool { Kind { anyhow: true, ..kind.clone() } } else { kind.clone() };
        let mut put = |above: i64, price: Option<Decimal>| {
            if let Some(price) = price {
                let cell = Cell { price, per: genai::per(key), who: Who::Genai }.usual(*meter);
                table.entry((Kind { above, ..kind.clone() }, *meter)).or_insert(cell);
            }
        };
        put(0, price.get("base").unwrap_or(price).digits().and_then(decimal));
        for tier in price.get("tiers").map(Literal::items).unwrap_or_default() {
            let start = tier.get("start").and_then(Literal::digits).and_then(|digits| digits.parse::<i64>().ok());
            if let Some(start) = start {
                put(start + i64::from(inclusive), tier.get("price").and_then(Literal::digits).and_then(decimal));
            }
        }
    }
}
