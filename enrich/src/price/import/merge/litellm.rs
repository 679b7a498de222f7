//! litellm's fields, one by one: a price is taken for exactly the calls its field names, and nothing stands in for what
//! no field names.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use schemas::{Meter, Text};

use super::cell::{Cell, Kind, Listed, Uplifted, Who};
use super::shops::Shop;
use crate::price::import::decimal;
use crate::price::import::literal::{self, Literal};

/// Beginnings of field names and the meter they price; the longest that fits counts.
const FIELDS: &[(&str, Meter)] = {
    use Meter::*;
    &[
        ("input_cost_per_token", InputTextTokens),
        ("output_cost_per_token", OutputTextTokens),
        ("cache_read_input_token_cost", CacheReadTextTokens),
        ("cache_creation_input_token_cost", CacheWrite5mTokens),
        ("cache_creation_input_token_cost_above_1hr", CacheWrite1hTokens),
        ("input_cost_per_audio_token", InputAudioTokens),
        ("output_cost_per_audio_token", OutputAudioTokens),
        ("cache_read_input_audio_token_cost", CacheReadAudioTokens),
        ("input_cost_per_image_token", InputImageTokens),
        ("output_cost_per_image_token", OutputImageTokens),
        ("cache_read_input_image_token_cost", CacheReadImageTokens),
        ("input_cost_per_video_token", InputVideoTokens),
        ("output_cost_per_reasoning_token", OutputReasoningTokens),
        ("ocr_cost_per_page", OcrPages),
        ("annotation_cost_per_page", AnnotatedPages),
    ]
};

const TIERS: [&str; 5] = ["priority", "flex", "balanced", "ultrafast", "decisions"];

/// What the file lists for a shop, by model name; and the fields nothing was made of.
pub(super) struct Found {
    pub models: BTreeMap<Text, Listed>,
    pub passed_over: BTreeSet<String>,
}

/// Reads the file once for all shops.
pub(super) fn read(text: &str) -> Result<Literal, String> {
    let file = literal::read(text).map_err(|message| format!("litellm: {message}"))?;
    if file.members().is_empty() { Err("litellm: the file holds no model".to_string()) } else { Ok(file) }
}

/// The entries of a shop.
pub(super) fn of(file: &Literal, shop: &Shop) -> Found {
    let mut found = Found { models: BTreeMap::new(), passed_over: BTreeSet::new() };
    // Entries that say where a call is served come after those that do not, and never in their place.
    let mut entries: Vec<(bool, &str, Text, Kind, &Literal)> = Vec::new();
    for (key, data) in file.members() {
        let family = data.get("litellm_provider").and_then(Literal::text).unwrap_or_default();
        let family = if family.starts_with("vertex_ai") { "vertex_ai" } else { family };
        if key == "sample_spec" || !shop.litellm.contains(&family) {
            continue;
        }
        if let Some((name, kind)) = named(key, family) {
            entries.push((family == "vertex_ai" && name.starts_with("gemini"), key, name, kind, data));
        }
    }
    entries.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    for (_, _, name, kind, data) in entries {
        let listed = entry(&name, data, &kind, shop, &mut found.passed_over);
        let Some(listed) = listed else { continue };
        let model = found.models.entry(name).or_insert_with(|| Listed { search_once: true, ..Listed::default() });
        if model.table.is_empty() {
            model.source.clone_from(&listed.source);
        }
        model.writes |= listed.writes;
        // One entry that bills each query tells of all: those that name no unit may be of a price without any fee.
        model.search_once &= listed.search_once;
        model.uplifts.extend(listed.uplifts);
        for (place, cell) in listed.table {
            model.table.entry(place).or_insert(cell);
        }
    }
    // A model that is billed by the token is not billed by the image besides.
    for model in found.models.values_mut() {
        let by_token = model.table.keys().any(|(_, meter)| *meter == Meter::OutputImageTokens);
        model.table.retain(|(_, meter), _| !(by_token && *meter == Meter::OutputImages));
    }
    found.models.retain(|_, model| !model.table.is_empty());
    if shop.file == "bedrock" {
        keep_in_region(&mut found.models);
    }
    found
}

/// A name of Claude without a place before it is a call kept in its region, which costs what the profile of a part of the world
/// costs (<https://docs.aws.amazon.com/bedrock/latest/userguide/global-cross-region-inference.html>); litellm has the prices of
/// the global profile for some of them, or for their batches and long context alone. What it says of a single region stays, and
/// GovCloud's is completed by the profile of GovCloud.
fn keep_in_region(models: &mut BTreeMap<Text, Listed>) {
    let standard = |model: &Listed| model.table.get(&(Kind::default(), Meter::InputTextTokens)).map(Cell::unit);
    let of = |models: &BTreeMap<Text, Listed>, place: &str, name: &str| {
        let same = |other: &&Text| other.strip_prefix(place).is_some_and(|rest| super::stem(rest) == super::stem(name));
        models.keys().find(same).and_then(|other| models.get(other)).map(|model| model.table.clone())
    };
    let names: Vec<Text> = models.keys().filter(|name| name.starts_with("anthropic.claude-")).cloned().collect();
    for name in names {
        let (us, gov) = (of(models, "us.", &name), of(models, "us-gov.", &name));
        let Some(model) = models.get_mut(&name) else { continue };
        let dearer =
            us.filter(|us| us.get(&(Kind::default(), Meter::InputTextTokens)).map(Cell::unit) > standard(model));
        if let Some(us) = dearer {
            model.table.retain(|(kind, _), _| kind.region.is_some() || kind.anyhow);
            us.into_iter().for_each(|(place, cell)| _ = model.table.entry(place).or_insert(cell));
        }
        let regions: BTreeSet<Text> = model.table.keys().filter_map(|(kind, _)| kind.region.clone()).collect();
        for region in regions.iter().filter(|region| region.starts_with("us-gov-")) {
            for ((kind, meter), cell) in gov.iter().flatten().filter(|((kind, _), _)| !kind.anyhow) {
                let kind = Kind { region: Some(region.clone()), ..kind.clone() };
                model.table.entry((kind, *meter)).or_insert(*cell);
            }
        }
    }
}

/// The model a key is about, and the calls it is for: `azure/eu/gpt-4o`, `bedrock/us-east-1/...`,
/// `high/1024-x-1024/gpt-image-1`.
fn named(key: &str, family: &str) -> Option<(Text, Kind)> {
    let mut kind = Kind::default();
    let mut rest = key.strip_prefix(family).and_then(|rest| rest.strip_prefix('/')).unwrap_or(key);
    rest = rest.strip_prefix("bedrock/").unwrap_or(rest);
    if rest.contains("-commitment/") || rest.contains("-steps/") || rest.starts_with("invoke/") || rest.contains('*') {
        return None;
    }
    if family == "azure" {
        for (prefix, residency) in
            [("eu/", Some("eu")), ("us/", Some("us")), ("global/", None), ("global-standard/", None)]
        {
            if let Some(model) = rest.strip_prefix(prefix) {
                (rest, kind.residency) = (model, residency.map(Text::const_new));
                break;
            }
        }
    }
    if family.starts_with("bedrock")
        && let Some((region, model)) = rest.split_once('/')
        && region.matches('-').count() >= 2
    {
        (rest, kind.region) = (model, Some(region.into()));
    }
    let is_size =
        |text: &str| text.split_once("-x-").is_some_and(|(w, h)| w.parse::<u32>().is_ok() && h.parse::<u32>().is_ok());
    let parts: Vec<&str> = rest.split('/').collect();
    match parts[..] {
        [size, model] if is_size(size) => {
            (rest, kind.size) = (model, Some(size.replace("-x-", "x").into()));
        }
        [quality, size, model] if is_size(size) => {
            (rest, kind.size, kind.quality) = (model, Some(size.replace("-x-", "x").into()), Some(quality.into()));
        }
        _ => {}
    }
    // Size classes that stand for whatever model falls into them.
    if rest.contains("-up-to-") || rest.starts_with("together-ai-") || rest.starts_with("fireworks-ai-") {
        return None;
    }
    Some((rest.into(), kind))
}

fn entry(name: &str, data: &Literal, kind: &Kind, shop: &Shop, passed_over: &mut BTreeSet<String>) -> Option<Listed> {
    let mode = data.get("mode").and_then(Literal::text).unwrap_or_default();
    let source = data.get("source").and_then(Literal::text).unwrap_or_default();
    let mut listed = Listed {
        // The query of a price list's interface says nothing to a reader.
        source: source.split('?').next().unwrap_or_default().to_string(),
        writes: matches!(mode, "chat" | "responses" | "completion"),
        ..Listed::default()
    };
    let rate = |field: &str| data.get(field).and_then(Literal::digits).and_then(decimal).filter(|rate| !rate.is_zero());
    let mut put = |kind: Kind, meter: Meter, price: Decimal| {
        let cell = Cell { price, per: 1, who: Who::Litellm }.usual(meter);
        listed.table.entry((kind, meter)).or_insert(cell);
    };
    let anyhow = || Kind { anyhow: true, ..kind.clone() };
    for (field, _) in data.members() {
        let Some(price) = rate(field) else { continue };
        if let Some((mut meter, tier, above)) = taken_apart(field) {
            // A write costs no less than what is written: of one fine-tuned model litellm has the price of cached input so.
            if meter == Meter::CacheWrite5mTokens
                && name.starts_with("ft:")
                && Some(price) < rate("input_cost_per_token")
            {
                meter = Meter::CacheReadTextTokens;
            }
            let batch = tier == Some("batches");
            let tier = tier.filter(|_| !batch).map(|tier| if tier == "fast" { "priority" } else { tier });
            put(Kind { tier: tier.map(Into::into), batch, above, ..kind.clone() }, meter, price);
        } else if let Some(resolution) =
            field.strip_prefix("output_cost_per_second_").filter(|_| mode == "video_generation")
        {
            put(Kind { resolution: Some(resolution.into()), ..anyhow() }, Meter::OutputVideoSeconds, price);
        } else if let Some(meter) = plain(field, mode, &rate) {
            put(anyhow(), meter, price);
        } else if (field.contains("cost") || field.contains("pric")) && !field.contains("dbu") {
            passed_over.insert(format!("{}: {field}", shop.file));
        }
    }
    for tier in data.get("tiered_pricing").map(Literal::items).unwrap_or_default() {
        let above =
            tier.get("range").map(Literal::items).and_then(|range| decimal(range.first()?.digits()?)?.try_into().ok());
        for (field, price) in tier.members() {
            let Some((meter, None, 0)) = taken_apart(field) else { continue };
            if let (Some(above), Some(price)) =
                (above, price.digits().and_then(decimal).filter(|price| !price.is_zero()))
            {
                put(Kind { above, ..kind.clone() }, meter, price);
            }
        }
    }
    // Perplexity's is a fee for the request, and hand-made rows state it as one.
    if let Some(fees) = data.get("search_context_cost_per_query").filter(|_| shop.file != "perplexity") {
        let fee =
            |size: &str| fees.get(&format!("search_context_size_{size}")).and_then(Literal::digits).and_then(decimal);
        let fees = ["low", "medium", "high"].map(|size| (size, fee(size).filter(|fee| !fee.is_zero())));
        match fees {
            [(_, Some(low)), (_, Some(medium)), (_, Some(high))] if low == medium && medium == high => {
                put(anyhow(), Meter::WebSearches, low);
            }
            fees => {
                for (size, fee) in fees {
                    if let Some(fee) = fee {
                        put(Kind { search_context: Some(size.into()), ..anyhow() }, Meter::WebSearches, fee);
                    }
                }
            }
        }
    }
    let unit = data.get("web_search_billing_unit").and_then(Literal::text);
    // Gemini before 3 bills a grounded prompt, all later ones each query, and Claude each search
    // (https://ai.google.dev/gemini-api/docs/google-search#pricing).
    let each = ["claude", "gemini-3", "gemini-4", "nano-banana"].iter().any(|later| name.contains(later));
    listed.search_once = shop.file == "google" && unit != Some("per_query") && !each;
    for residency in ["eu", "us"] {
        if let Some(factor) = rate(&format!("regional_processing_uplift_multiplier_{residency}")) {
            listed.uplifts.insert((Uplifted::Residency(residency), factor));
            // OpenAI names more places, all at one factor: https://developers.openai.com/api/docs/guides/data-residency.
            let others = ["ae", "au", "in", "jp"].into_iter().filter(|_| shop.file == "openai" && residency == "eu");
            listed.uplifts.extend(others.map(|place| (Uplifted::Residency(place), factor)));
        }
    }
    if let Some(factor) = rate("regional_endpoint_uplift_multiplier") {
        listed.uplifts.insert((Uplifted::NotGlobal, factor));
    }
    if shop.file == "anthropic" {
        for (name, factor) in data.get("provider_specific_entry").map(Literal::members).unwrap_or_default() {
            let what = match name.as_str() {
                "us" => Uplifted::Residency("us"),
                "fast" => Uplifted::Fast,
                _ => continue,
            };
            if let Some(factor) = factor.digits().and_then(decimal) {
                listed.uplifts.insert((what, factor));
            }
        }
    }
    (data.get("off_peak_pricing").is_none()).then_some(listed)
}

/// `cache_read_input_token_cost_above_272k_tokens_flex`: meter, tier, threshold.
fn taken_apart(field: &str) -> Option<(Meter, Option<&str>, i64)> {
    let fits = FIELDS.iter().filter(|(name, _)| field.starts_with(name));
    let (name, meter) = fits.max_by_key(|(name, _)| name.len())?;
    let mut rest = &field[name.len()..];
    let mut tier = None;
    for suffix in TIERS.into_iter().chain(["batches"]) {
        if let Some(before) = rest.strip_suffix(suffix).and_then(|rest| rest.strip_suffix('_')) {
            (rest, tier) = (before, Some(suffix));
        }
    }
    if rest.is_empty() {
        return Some((*meter, tier, 0));
    }
    let thousands = rest.strip_prefix("_above_")?.strip_suffix("k_tokens")?;
    Some((*meter, tier, thousands.parse::<i64>().ok()? * 1000))
}

/// Fields whose meter depends on what the model does.
fn plain(field: &str, mode: &str, rate: &dyn Fn(&str) -> Option<Decimal>) -> Option<Meter> {
    let alone = |first: &str, second: &str| field == first || (field == second && rate(first).is_none());
    match mode {
        "video_generation" if alone("output_cost_per_video_per_second", "output_cost_per_second") => {
            Some(Meter::OutputVideoSeconds)
        }
        // A price by the second beside one by the token is an estimate of the latter.
        "audio_transcription"
            if alone("output_cost_per_second", "input_cost_per_second") && rate("input_cost_per_token").is_none() =>
        {
            Some(Meter::InputAudioSeconds)
        }
        "rerank" if field == "input_cost_per_query" => Some(Meter::RerankSearches),
        "search" if field == "input_cost_per_query" => Some(Meter::SearchQueries),
        "audio_speech" if field == "input_cost_per_character" => Some(Meter::InputCharacters),
        "image_generation" | "image_edit" if alone("output_cost_per_image", "input_cost_per_image") => {
            Some(Meter::OutputImages)
        }
        _ if field == "code_interpreter_cost_per_session" => Some(Meter::CodeSessions),
        _ if field == "google_maps_grounding_cost_per_query" => Some(Meter::MapsGroundings),
        _ => None,
    }
}
