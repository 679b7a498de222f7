//! What is not counted in tokens: seconds, characters, pages, queries, tools.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemas::Meter;

use super::entry::Entry;
use crate::price::import::literal::Literal;
use crate::price::import::{Place, Prices, Sheet, always, decimal, one, whenever};
use crate::price::row::{Exact, QuantityRule};
use crate::price::when::{Batch, When};

/// `_DEFAULT_COST` of Gemini's grounding, where the entry states no fee.
const GROUNDING: Decimal = Decimal::from_parts(35, 0, 0, false, 3);
const MAPS_PER_PROMPT: Decimal = Decimal::from_parts(25, 0, 0, false, 3);
const MAPS_PER_QUERY: Decimal = Decimal::from_parts(14, 0, 0, false, 3);
/// https://docs.x.ai/developers/pricing#tools-pricing, as litellm states it.
const XAI_SEARCH: Decimal = Decimal::from_parts(5, 0, 0, false, 3);
/// `OPENAI_FILE_SEARCH_COST_PER_1K_CALLS`, of one call.
const FILE_SEARCH: Decimal = Decimal::from_parts(25, 0, 0, false, 4);

/// Writes everything of an entry but its tokens and images.
pub(super) fn put(sheet: &mut Sheet, entry: &Entry<'_>, code_session: Option<Decimal>) {
    let mut plain = Prices::default();
    let positive = |field: &str| entry.rate(field).filter(|rate| !rate.is_zero());
    match entry.mode {
        "video_generation" => {
            let each = entry.rate("output_cost_per_video_per_second");
            plain.set(Meter::OutputVideoSeconds, each.or_else(|| entry.rate("output_cost_per_second")));
        }
        "audio_transcription" | "realtime" => {
            let each = positive("output_cost_per_second").or_else(|| entry.rate("input_cost_per_second"));
            plain.set(Meter::InputAudioSeconds, each);
        }
        "rerank" => plain.set(Meter::RerankSearches, entry.rate("input_cost_per_query")),
        "search" => plain.set(Meter::SearchQueries, search_query(entry)),
        "" | "chat" | "completion" | "embedding" | "responses" => {
            let each = entry.rate("cost_per_second").or_else(|| entry.rate("input_cost_per_second"));
            let tokens =
                ["input_cost_per_token", "output_cost_per_token"].iter().any(|field| positive(field).is_some());
            plain.set(Meter::ResourceSeconds, each.filter(|_| !tokens));
        }
        _ => {}
    }
    if entry.mode == "audio_speech" {
        plain.set(Meter::InputCharacters, entry.rate("input_cost_per_character"));
    }
    plain.set(Meter::CodeSessions, entry.rate("code_interpreter_cost_per_session").or(code_session));
    if matches!(entry.mode, "chat" | "responses") && entry.family != "azure" {
        plain.set(Meter::FileSearches, entry.rate("file_search_cost_per_1k_calls").or(Some(FILE_SEARCH)));
    }
    if is_gemini(entry) {
        let default = if per_query(entry) { MAPS_PER_QUERY } else { MAPS_PER_PROMPT };
        let fee = entry.rate("google_maps_grounding_cost_per_query").unwrap_or(default);
        plain.set(Meter::MapsGroundings, Some(fee).filter(|_| entry.mode == "chat"));
    }
    let key = entry.key.into();
    sheet.rates(&key, &Place { when: always(), ..Place::default() }, &plain, entry.source());
    put_resolutions(sheet, entry);
    put_pages(sheet, entry);
    put_web_searches(sheet, entry);
}

fn is_gemini(entry: &Entry<'_>) -> bool {
    entry.family == "gemini" || (entry.family == "vertex_ai" && !entry.key.to_lowercase().contains("claude"))
}

fn per_query(entry: &Entry<'_>) -> bool {
    entry.data.get("web_search_billing_unit").and_then(Literal::text) == Some("per_query")
}

/// Gemini 2.x bills a grounded prompt once, however many queries it took; later models each query.
pub(super) fn quantities(entry: &Entry<'_>) -> BTreeMap<Meter, QuantityRule> {
    let once = QuantityRule { maximum: Some(Exact(Decimal::ONE)), ..QuantityRule::default() };
    let capped = if is_gemini(entry) && !per_query(entry) && entry.mode == "chat" {
        [Meter::WebSearches, Meter::MapsGroundings].as_slice()
    } else {
        &[]
    };
    capped.iter().map(|meter| (*meter, once)).collect()
}

fn put_resolutions(sheet: &mut Sheet, entry: &Entry<'_>) {
    if entry.mode != "video_generation" || entry.rate("output_cost_per_video_per_second").is_some() {
        return;
    }
    for field in entry.fields() {
        let Some(resolution) = field.strip_prefix("output_cost_per_second_") else { continue };
        let mut prices = Prices::default();
        prices.set(Meter::OutputVideoSeconds, entry.rate(field));
        let when = When { resolution: one(resolution), ..always() };
        sheet.rates(&entry.key.into(), &Place { when, rank: 1, ..Place::default() }, &prices, entry.source());
    }
}

fn put_pages(sheet: &mut Sheet, entry: &Entry<'_>) {
    let batched = When { batch: Some(Batch::Only(true)), ..whenever() };
    for (when, suffixes) in [(whenever(), &[""][..]), (batched, &["_batches", ""][..])] {
        let first = |field: &str| suffixes.iter().find_map(|suffix| entry.rate(&format!("{field}{suffix}")));
        let mut prices = Prices::default();
        prices.set(Meter::OcrPages, first("ocr_cost_per_page"));
        prices.set_or_like(Meter::AnnotatedPages, first("annotation_cost_per_page"), Meter::OcrPages);
        sheet.rates(&entry.key.into(), &Place { when, ..Place::default() }, &prices, entry.source());
    }
}

/// A query of a search provider; of prices by the number of results, that of ten, which is what is asked for when
/// nothing is said.
fn search_query(entry: &Entry<'_>) -> Option<Decimal> {
    let number = |literal: &Literal| literal.digits().and_then(decimal);
    let ten = |tier: &&Literal| {
        let range = tier.get("max_results_range").map(Literal::items).unwrap_or_default();
        matches!(range, [from, to] if number(from) <= Some(Decimal::TEN) && Some(Decimal::TEN) <= number(to))
    };
    let tiers = entry.data.get("tiered_pricing").map(Literal::items).unwrap_or_default();
    match tiers.iter().find(ten).or(tiers.last()) {
        Some(tier) => tier.get("input_cost_per_query").and_then(number),
        None => entry.rate("input_cost_per_query"),
    }
}

fn put_web_searches(sheet: &mut Sheet, entry: &Entry<'_>) {
    let fees = entry.data.get("search_context_cost_per_query");
    let fee = |size: &str| fees?.get(&format!("search_context_size_{size}"))?.digits().and_then(decimal);
    let claude = entry.key.to_lowercase().contains("claude");
    let any_size = match entry.family {
        "gemini" => Some(fee("medium").unwrap_or(GROUNDING)),
        "vertex_ai" if !claude => Some(fee("medium").unwrap_or(GROUNDING)),
        "anthropic" | "vertex_ai" | "groq" => fee("medium"),
        "xai" => {
            let stated = ["medium", "low", "high"].iter().filter_map(|size| fee(size)).find(|fee| !fee.is_zero());
            Some(stated.unwrap_or(XAI_SEARCH))
        }
        _ => {
            for size in ["low", "medium", "high"] {
                let mut prices = Prices::default();
                prices.set(Meter::WebSearches, fee(size));
                let when = When { search_context: one(size), ..always() };
                sheet.rates(&entry.key.into(), &Place { when, rank: 1, ..Place::default() }, &prices, entry.source());
            }
            // Perplexity's own default is the low context, everybody else's the medium one.
            if entry.family == "perplexity" { fee("low") } else { fee("medium") }
        }
    };
    let mut prices = Prices::default();
    let searches = matches!(entry.mode, "chat" | "responses" | "realtime" | "completion") || fees.is_some();
    prices.set(Meter::WebSearches, any_size.filter(|_| searches));
    sheet.rates(&entry.key.into(), &Place { when: always(), ..Place::default() }, &prices, entry.source());
}
