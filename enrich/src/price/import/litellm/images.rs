//! Images by quality and size: litellm keeps them as entries of their own (`high/1024-x-1024/gpt-image-1`), which here
//! are rows of the model they are about.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use schemas::Meter;

use super::entry::Entry;
use crate::price::import::{Place, Prices, Sheet, always, one};
use crate::price::when::When;

/// What is drawn when nothing is said.
const SIZE: &str = "1024-x-1024";

/// A key taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Keyed<'a> {
    quality: &'a str,
    size: &'a str,
    /// With its provider before it, if the key has one.
    model: (&'a str, &'a str),
}

/// Writes a price per image for every quality and size an entry states.
pub(super) fn put(sheet: &mut Sheet, entries: &[Entry<'_>]) {
    let all: BTreeMap<&str, &Entry<'_>> = entries.iter().map(|entry| (entry.key, entry)).collect();
    let mut models: BTreeMap<(&str, String), BTreeSet<Keyed<'_>>> = BTreeMap::new();
    for entry in entries {
        match taken_apart(entry) {
            Some(keyed) => {
                let (before, rest) = keyed.model;
                let (bare, prefixed) = (format!("{before}{rest}"), format!("{}/{rest}", entry.family));
                let known = !all.contains_key(bare.as_str()) && all.contains_key(prefixed.as_str());
                models.entry((entry.family, if known { prefixed } else { bare })).or_default().insert(keyed);
            }
            None if image_price(entry, SIZE).is_some() => {
                models.entry((entry.family, entry.key.to_string())).or_default();
            }
            None => {}
        }
    }
    for ((family, model), keys) in models {
        if !all.contains_key(model.as_str())
            && let Some(entry) =
                keys.first().and_then(|keyed| all.get(key(family, &model, keyed.quality, keyed.size).as_str()))
        {
            super::put_sku(sheet, entry, &model, vec![model.as_str().into()]);
        }
        let sizes: BTreeSet<&str> = keys.iter().map(|keyed| keyed.size).collect();
        let qualities: BTreeSet<&str> = keys.iter().map(|keyed| keyed.quality).filter(|q| !q.is_empty()).collect();
        // Nothing said is a price too; the more is said, the higher the rank.
        for size in sizes.iter().map(Some).chain([None]) {
            for quality in qualities.iter().map(Some).chain([None]) {
                let drawn = size.copied().unwrap_or(SIZE);
                let Some(entry) = looked_up(&all, family, &model, quality.copied().unwrap_or_default(), drawn) else {
                    continue;
                };
                let mut prices = Prices::default();
                prices.set(Meter::OutputImages, image_price(entry, drawn));
                let when = When {
                    size: size.and_then(|size| one(size)),
                    quality: quality.and_then(|quality| one(quality)),
                    ..always()
                };
                let rank = 2 * i32::from(size.is_some()) + i32::from(quality.is_some());
                sheet.rates(&model.as_str().into(), &Place { when, rank, ..Place::default() }, &prices, entry.source());
            }
        }
    }
}

/// `high/1024-x-1024/gpt-image-1`, with or without the quality and with or without the provider before it.
fn taken_apart<'a>(entry: &Entry<'a>) -> Option<Keyed<'a>> {
    let (before, rest) = match entry.key.strip_prefix(entry.family).filter(|rest| rest.starts_with('/')) {
        Some(rest) => entry.key.split_at(entry.key.len() - rest.len() + 1),
        None => ("", entry.key),
    };
    let is_size = |text: &str| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.split_once("-x-").is_some_and(|(width, height)| digits(width) && digits(height))
    };
    let (first, after) = rest.split_once('/')?;
    if is_size(first) {
        return Some(Keyed { quality: "", size: first, model: (before, after) });
    }
    let (size, model) = after.split_once('/')?;
    is_size(size).then_some(Keyed { quality: first, size, model: (before, model) })
}

fn key(family: &str, model: &str, quality: &str, size: &str) -> String {
    let (before, rest) = match model.strip_prefix(family).filter(|rest| rest.starts_with('/')) {
        Some(rest) => (format!("{family}/"), &rest[1..]),
        None => (String::new(), model),
    };
    if quality.is_empty() { format!("{before}{size}/{rest}") } else { format!("{before}{quality}/{size}/{rest}") }
}

/// `default_image_cost_calculator`: the keys in its order, the *high* quality among them where none is known.
fn looked_up<'a, 'b>(
    all: &BTreeMap<&str, &'b Entry<'a>>,
    family: &str,
    model: &str,
    quality: &str,
    size: &str,
) -> Option<&'b Entry<'a>> {
    let bare = model.strip_prefix(family).and_then(|rest| rest.strip_prefix('/'));
    let last = model.rsplit('/').next().unwrap_or(model);
    let with = |quality: &str, rest: &str| {
        if quality.is_empty() { rest.to_string() } else { format!("{quality}/{rest}") }
    };
    let base = key(family, model, "", size);
    let candidates = [
        Some(with(quality, &base)),
        (!quality.is_empty()).then(|| format!("{family}/{quality}/{size}/{}", bare.unwrap_or(model))),
        Some(base.clone()),
        Some(with("high", &base)),
        Some(with(quality, &format!("{size}/{last}"))),
        Some(format!("{size}/{last}")),
        Some(model.to_string()),
        bare.map(str::to_string),
    ];
    candidates.into_iter().flatten().find_map(|candidate| all.get(candidate.as_str()).copied())
}

/// The first of the ways an entry may price an image.
fn image_price(entry: &Entry<'_>, size: &str) -> Option<Decimal> {
    let pixels = || {
        let (width, height) = size.split_once("-x-")?;
        width.parse::<Decimal>().ok()?.checked_mul(height.parse().ok()?)
    };
    entry
        .rate("input_cost_per_image")
        .or_else(|| entry.rate("output_cost_per_image"))
        .filter(|_| entry.mode == "image_generation" || entry.mode == "image_edit" || entry.key.contains("-x-"))
        .or_else(|| entry.rate("input_cost_per_pixel")?.checked_mul(pixels()?))
}
