//! litellm's `model_prices_and_context_window.json`, with the policy that lives in litellm's code.
//!
//! Read in litellm 1.106.2 (MIT, Copyright (c) 2023 Berri AI), on 2026-11-23: `litellm_core_utils/llm_cost_calc` for
//! tokens and tools, `llms/*/cost_calculator.py` for what providers do differently, `cost_calculator.py` for batches,
//! images, speech, pages and searches, `utils.py` for which entry a name means. Where that code departs from litellm's
//! own data (a rate read but dropped on the way) the data are followed.

mod entry;
mod images;
mod others;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use schemas::Text;

use super::literal::{self, Literal};
use super::{Sheet, one};
use crate::period::Period;
use crate::price::row::{Exact, Provider, Row, Sku, Uplift};
use crate::price::when::{Batch, Choice, When};
use entry::Entry;

/// Reads the file into rows.
pub(super) fn read(text: &str, sheet: &mut Sheet) -> Result<(), String> {
    let file = literal::read(text)?;
    let entries: Vec<Entry<'_>> = file.members().iter().filter_map(|(key, data)| Entry::new(key, data)).collect();
    if entries.is_empty() {
        return Err("holds no model".to_string());
    }
    let families: BTreeSet<&str> = entries.iter().map(|entry| entry.family).collect();
    for family in families {
        let also = entries.iter().filter(|entry| entry.family == family && entry.provider != family);
        let also: BTreeSet<Text> = also.map(|entry| entry.provider.into()).collect();
        let provider = Provider {
            provider: family.into(),
            also: also.into_iter().collect(),
            tiers: BTreeMap::new(),
            strip: Vec::new(),
            dashed_dates: false,
        };
        sheet.put(&format!("provider {family}"), Row::Provider(provider));
    }
    let names = names(&entries);
    let sessions = code_sessions(&entries);
    for entry in &entries {
        put_sku(sheet, entry, entry.key, names.get(entry.key).cloned().unwrap_or_default());
        tokens::put(sheet, entry);
        others::put(sheet, entry, sessions.get(entry.family).copied());
        put_uplifts(sheet, entry);
    }
    images::put(sheet, &entries);
    Ok(())
}

/// The names that mean each entry: an entry whose key begins with its provider goes before one that does not, and a name
/// that begins with the provider itself means the entry of exactly that key (`perplexity/sonar` beside
/// `perplexity/perplexity/sonar`).
fn names<'a>(entries: &[Entry<'a>]) -> BTreeMap<&'a str, Vec<Text>> {
    let keys: BTreeSet<&str> = entries.iter().map(|entry| entry.key).collect();
    let mut meanings: BTreeMap<(&str, &str), &'a str> = BTreeMap::new();
    for entry in entries {
        let prefixed = |name: &str| name.strip_prefix(entry.family).is_some_and(|rest| rest.starts_with('/'));
        meanings.entry((entry.family, entry.key)).or_insert(entry.key);
        if prefixed(entry.key) {
            let rest = &entry.key[entry.family.len() + 1..];
            if !(prefixed(rest) && keys.contains(rest)) {
                meanings.insert((entry.family, rest), entry.key);
            }
        }
    }
    let mut names: BTreeMap<&'a str, Vec<Text>> = BTreeMap::new();
    for ((_, name), key) in meanings {
        names.entry(key).or_default().push(name.into());
    }
    names
}

/// What a code interpreter session costs at each provider: stated by an entry of its own.
fn code_sessions<'a>(entries: &[Entry<'a>]) -> BTreeMap<&'a str, rust_decimal::Decimal> {
    let container = |entry: &&Entry<'_>| entry.key == format!("{}/container", entry.family);
    let priced = |entry: &Entry<'a>| Some((entry.family, entry.rate("code_interpreter_cost_per_session")?));
    entries.iter().filter(container).filter_map(priced).collect()
}

fn put_sku(sheet: &mut Sheet, entry: &Entry<'_>, sku: &str, models: Vec<Text>) {
    let row = Sku {
        sku: sku.into(),
        provider: entry.family.into(),
        models,
        // A model of one's own: `ft:gpt-4o-2024-08-06:organisation:suffix:id`.
        prefixes: if sku.starts_with("ft:") { vec![format!("{sku}:").into()] } else { Vec::new() },
        snapshots: entry.family != "bedrock",
        class: None,
        currency: Text::const_new("USD"),
        quantities: others::quantities(entry),
    };
    sheet.put(&format!("sku {sku}"), Row::Sku(row));
}

/// Factors on all tokens of a call, by where it was served.
fn put_uplifts(sheet: &mut Sheet, entry: &Entry<'_>) {
    let outside_batch = Some(Batch::Only(false));
    let mut uplifts: Vec<(When, rust_decimal::Decimal)> = Vec::new();
    for residency in ["eu", "us"] {
        if let Some(factor) = entry.rate(&format!("regional_processing_uplift_multiplier_{residency}")) {
            uplifts.push((When { residency: one(residency), ..When::default() }, factor));
        }
    }
    if let Some(factor) = entry.rate("regional_endpoint_uplift_multiplier") {
        let region = Some(Choice::Except { except: vec![Text::const_new("global")] });
        uplifts.push((When { region, ..When::default() }, factor));
    }
    if entry.provider == "anthropic" {
        for (name, factor) in entry.data.get("provider_specific_entry").map(Literal::members).unwrap_or_default() {
            let Literal::Number(digits) = factor else { continue };
            let Some(factor) = super::decimal(digits) else { continue };
            let when = if name == "fast" {
                When { speed: one(name), batch: outside_batch, ..When::default() }
            } else {
                When { residency: one(name), batch: outside_batch, ..When::default() }
            };
            uplifts.push((when, factor));
        }
    }
    for (when, factor) in uplifts {
        let row = Uplift {
            skus: vec![entry.key.into()],
            when,
            factor: Exact(factor),
            meters: Vec::new(),
            period: Period::default(),
            provenance: sheet.provenance.clone(),
        };
        sheet.put(&format!("sku {}", entry.key), Row::Uplift(row));
    }
}
