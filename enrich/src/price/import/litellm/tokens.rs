//! What tokens cost: `_get_token_base_cost` and its callers, written out for every kind of call they tell apart.

use rust_decimal::Decimal;
use schemas::{Meter, Text};

use super::entry::Entry;
use crate::price::import::literal::Literal;
use crate::price::import::{Place, Prices, Sheet, any, decimal, whenever};
use crate::price::when::{Band, Batch, Choice, Hours, When};

const PREFIXES: [&str; 4] =
    ["input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost", "cache_creation_input_token_cost"];
const NOT_STANDARD: [&str; 7] = ["_ultrafast", "_balanced", "_priority", "_flex", "_auto", "_fast", "_batches"];
const HALVED: &str = "litellm bills half the standard price where no batch price is published";

/// Rates of one kind of call; absent where the entry says nothing and nothing stands in.
#[derive(Debug, Clone, Copy, Default)]
struct Rates {
    input: Option<Decimal>,
    output: Option<Decimal>,
    cache_read: Option<Decimal>,
    cache_write: Option<Decimal>,
    cache_write_1h: Option<Decimal>,
    reasoning: Option<Decimal>,
}

/// Writes the token rates of an entry.
pub(super) fn put(sheet: &mut Sheet, entry: &Entry<'_>) {
    let counts = |field: &str| field.contains("token") && field.contains("cost") && !field.contains("dbu");
    if !entry.fields().any(counts) && entry.data.get("tiered_pricing").is_none() {
        return;
    }
    if vertex_halves(entry) {
        return put_by_side(sheet, entry);
    }
    let tiered = tiers_of_input(entry);
    if tiered.is_empty() {
        put_standard(sheet, entry, None, &["any"]);
        for (tier, names) in entry.tiers() {
            put_standard(sheet, entry, Some(tier), names);
        }
    } else {
        put_tiered(sheet, entry, &tiered);
    }
    put_batch(sheet, entry);
}

/// Which band a number of input tokens falls into, from thresholds in ascending order.
fn bands(entry: &Entry<'_>, thresholds: &[(i64, Vec<String>)]) -> Vec<Option<Band>> {
    // https://docs.x.ai/developers/pricing: the long rate applies once a prompt reaches the threshold; all others say
    // above it.
    let inclusive = entry.family == "xai";
    (0..=thresholds.len())
        .map(|index| {
            let lower = index.checked_sub(1).map(|index| thresholds[index].0);
            let upper = thresholds.get(index).map(|(upper, _)| *upper);
            (lower.is_some() || upper.is_some()).then(|| {
                if inclusive {
                    Band { from: lower, below: upper, ..Band::default() }
                } else {
                    Band { above: lower, up_to: upper, ..Band::default() }
                }
            })
        })
        .collect()
}

/// Thresholds some field of the tier names, with the ways they are spelt.
fn thresholds(entry: &Entry<'_>, belongs: impl Fn(&str) -> bool) -> Vec<(i64, Vec<String>)> {
    let mut found: Vec<(i64, Vec<String>)> = Vec::new();
    for field in entry.fields().filter(|field| belongs(field)) {
        let prefixed = PREFIXES.iter().any(|prefix| {
            field.strip_prefix(prefix).is_some_and(|rest| rest.starts_with("_above_") && rest.contains("_tokens"))
        });
        let Some((_, rest)) = field.rsplit_once("_above_").filter(|_| prefixed) else { continue };
        let Some((spelt, _)) = rest.split_once("_tokens") else { continue };
        let digits = spelt.trim_end_matches('k');
        let Ok(number) = digits.parse::<i64>() else { continue };
        let number = if spelt.ends_with('k') { number.saturating_mul(1000) } else { number };
        match found.iter_mut().find(|(known, _)| *known == number) {
            Some((_, spellings)) if spellings.iter().any(|known| known == spelt) => {}
            Some((_, spellings)) => spellings.push(spelt.to_string()),
            None => found.push((number, vec![spelt.to_string()])),
        }
    }
    found.sort_unstable();
    found
}

fn put_standard(sheet: &mut Sheet, entry: &Entry<'_>, tier: Option<&str>, names: &[&str]) {
    let suffix = tier.map(|tier| format!("_{tier}"));
    let belongs = |field: &str| {
        !NOT_STANDARD.iter().any(|other| field.ends_with(other))
            || suffix.as_ref().is_some_and(|suffix| field.ends_with(suffix))
    };
    let thresholds = thresholds(entry, belongs);
    let choice = match names {
        [name] => Choice::One((*name).into()),
        names => Choice::Many(names.iter().map(|name| (*name).into()).collect()),
    };
    for (crossed, band) in bands(entry, &thresholds).into_iter().enumerate() {
        let crossed = &thresholds[..crossed];
        let when = When { tier: Some(choice.clone()), band, ..whenever() };
        let rank = if tier.is_some() { 10 } else { 0 };
        put_with_hours(sheet, entry, tier, when, rank, |off_peak| generic(entry, tier, crossed, off_peak));
    }
}

/// Writes rates and, where the entry has hours with prices of their own, those too.
fn put_with_hours(
    sheet: &mut Sheet,
    entry: &Entry<'_>,
    tier: Option<&str>,
    when: When,
    rank: i32,
    rates: impl Fn(Option<&Literal>) -> Rates,
) {
    let place = Place { when, rank, ..Place::default() };
    let key = Text::from(entry.key);
    sheet.rates(&key, &place, &prices(entry, tier, rates(None)), entry.source());
    let Some(off_peak) = entry.data.get("off_peak_pricing") else { return };
    match hours(off_peak) {
        Ok(rules) => {
            for (index, hours) in rules.into_iter().enumerate() {
                let when = When { hours: Some(hours), ..place.when.clone() };
                // Rules may overlap, and then say the same.
                let place = Place { when, rank: rank + 1 + index as i32, ..Place::default() };
                sheet.rates(&key, &place, &prices(entry, tier, rates(Some(off_peak))), entry.source());
            }
        }
        Err(message) => sheet.remarks.push(format!("{}: off_peak_pricing: {message}", entry.key)),
    }
}

/// `_get_token_base_cost` and `_resolve_billed_reasoning_rate`.
fn generic(entry: &Entry<'_>, tier: Option<&str>, crossed: &[(i64, Vec<String>)], off_peak: Option<&Literal>) -> Rates {
    if is_dashscope(entry) {
        return overlay(flat(entry), off_peak);
    }
    let mut rates = Rates {
        input: entry.tier_rate("input_cost_per_token", tier),
        output: entry.tier_rate("output_cost_per_token", tier),
        cache_read: entry.tier_rate("cache_read_input_token_cost", tier),
        cache_write: entry.tier_rate("cache_creation_input_token_cost", tier),
        cache_write_1h: entry.rate("cache_creation_input_token_cost_above_1hr"),
        reasoning: None,
    };
    // Image models have one output price, and it is that of images.
    if rates.output.is_none_or(|rate| rate.is_zero()) {
        rates.output = entry.rate("output_cost_per_image_token").or(rates.output);
    }
    for spelt in crossed.iter().flat_map(|(_, spellings)| spellings) {
        let above = |field: &str| entry.tier_rate(&format!("{field}_above_{spelt}_tokens"), tier);
        rates.input = above("input_cost_per_token").or(rates.input);
        rates.output = above("output_cost_per_token").or(rates.output);
        rates.cache_write = above("cache_creation_input_token_cost").or(rates.cache_write);
        rates.cache_write_1h = above("cache_creation_input_token_cost_above_1hr").or(rates.cache_write_1h);
        rates.cache_read = above("cache_read_input_token_cost").or(rates.cache_read);
    }
    if entry.family == "fireworks_ai" && rates.cache_read.is_none() {
        // Fireworks publishes no cache price for most models and bills half; litellm's FIREWORKS_AI_DEFAULT_CACHE_READ_RATE_RATIO.
        let standard = off_peak.and_then(|block| own(block, "input_cost_per_token"));
        rates.cache_read = standard.or(entry.rate("input_cost_per_token")).map(|rate| rate / Decimal::TWO);
    }
    let mut rates = overlay(rates, off_peak);
    if entry.family == "xai" {
        return rates; // Reasoning is output like any other.
    }
    if rates.reasoning.is_none() {
        let of_tier = tier.and_then(|tier| entry.rate(&format!("output_cost_per_reasoning_token_{tier}")));
        let output_of_tier = tier.is_some_and(|tier| entry.rate(&format!("output_cost_per_token_{tier}")).is_some());
        rates.reasoning = of_tier.or_else(|| {
            let standard = || entry.rate("output_cost_per_reasoning_token");
            if output_of_tier { None } else { standard() }
        });
    }
    rates
}

/// Puts the rates of an open off-peak window in the place of the others.
fn overlay(rates: Rates, off_peak: Option<&Literal>) -> Rates {
    let Some(block) = off_peak else { return rates };
    let input = own(block, "input_cost_per_token").or(rates.input);
    Rates {
        input,
        output: own(block, "output_cost_per_token").or(rates.output),
        cache_read: own(block, "cache_read_input_token_cost").or(rates.cache_read),
        cache_write: own(block, "cache_creation_input_token_cost").or(rates.cache_write),
        cache_write_1h: rates.cache_write_1h,
        reasoning: own(block, "output_cost_per_reasoning_token").or(rates.reasoning),
    }
}

fn own(block: &Literal, field: &str) -> Option<Decimal> {
    block.get(field).and_then(Literal::digits).and_then(decimal)
}

/// The price of every token meter, with what stands in for those the entry does not price.
fn prices(entry: &Entry<'_>, tier: Option<&str>, rates: Rates) -> Prices {
    use Meter::*;
    let mut prices = Prices::default();
    prices.set(InputTextTokens, rates.input);
    prices.set(OutputTextTokens, rates.output);
    prices.set_or_like(CacheReadTextTokens, rates.cache_read, InputTextTokens);
    prices.set_or_like(CacheWrite5mTokens, rates.cache_write, InputTextTokens);
    prices.set_or_like(CacheWrite1hTokens, rates.cache_write_1h, CacheWrite5mTokens);
    prices.set_or_like(OutputReasoningTokens, rates.reasoning, OutputTextTokens);
    // Calculators of their own that know no other kind of token.
    let text_only = is_dashscope(entry);
    let input = |field: &str| if text_only { None } else { entry.tier_rate(field, tier) };
    prices.set_or_like(InputAudioTokens, input("input_cost_per_audio_token"), InputTextTokens);
    prices.set_or_like(InputImageTokens, input("input_cost_per_image_token"), InputTextTokens);
    prices.set_or_like(InputVideoTokens, input("input_cost_per_video_token"), InputTextTokens);
    prices.set_or_like(CacheReadAudioTokens, input("cache_read_input_audio_token_cost"), CacheReadTextTokens);
    prices.set_or_like(CacheReadImageTokens, input("cache_read_input_image_token_cost"), CacheReadTextTokens);
    let output = |field: &str| if text_only || entry.family == "xai" { None } else { entry.rate(field) };
    prices.set_or_like(OutputAudioTokens, output("output_cost_per_audio_token"), OutputTextTokens);
    prices.set_or_like(OutputImageTokens, output("output_cost_per_image_token"), OutputTextTokens);
    prices
}

fn is_dashscope(entry: &Entry<'_>) -> bool {
    matches!(entry.family, "dashscope" | "qwencloud" | "qwen_ai_platform")
}

/// `_flat_rates` of the Dashscope calculator.
fn flat(entry: &Entry<'_>) -> Rates {
    Rates {
        input: entry.rate("input_cost_per_token"),
        output: entry.rate("output_cost_per_token"),
        cache_read: entry.rate("cache_read_input_token_cost"),
        cache_write: entry.rate("cache_creation_input_token_cost"),
        cache_write_1h: None,
        reasoning: entry.rate("output_cost_per_reasoning_token"),
    }
}

/// The rows of `tiered_pricing`, by the first number of input tokens they are above.
fn tiers_of_input<'a>(entry: &Entry<'a>) -> Vec<(i64, i64, &'a Literal)> {
    let bound = |range: &Literal| {
        let whole = |literal: &Literal| i64::try_from(decimal(literal.digits()?)?.trunc()).ok();
        let [from, to] = range.items() else { return None };
        Some((whole(from)?, whole(to)?))
    };
    let tiers = entry.data.get("tiered_pricing").map(Literal::items).unwrap_or_default();
    let priced = tiers.iter().filter(|tier| tier.get("input_cost_per_token").is_some());
    let mut tiers: Vec<_> =
        priced.filter_map(|tier| tier.get("range").and_then(bound).map(|(from, to)| (from, to, tier))).collect();
    tiers.sort_by_key(|(from, ..)| *from);
    tiers
}

fn put_tiered(sheet: &mut Sheet, entry: &Entry<'_>, tiers: &[(i64, i64, &Literal)]) {
    let last = tiers.len() - 1;
    for (index, (from, to, tier)) in tiers.iter().enumerate() {
        let band = Band { above: Some(*from), up_to: (index < last).then_some(*to), ..Band::default() };
        let rates = |off_peak: Option<&Literal>| {
            let output = own(tier, "output_cost_per_token");
            let reasoning = own(tier, "output_cost_per_reasoning_token");
            let standard = flat(entry);
            let rates = Rates {
                input: own(tier, "input_cost_per_token"),
                output: output.or(standard.output),
                cache_read: own(tier, "cache_read_input_token_cost"),
                cache_write: own(tier, "cache_creation_input_token_cost"),
                cache_write_1h: if is_dashscope(entry) {
                    None
                } else {
                    own(tier, "cache_creation_input_token_cost_above_1hr")
                },
                reasoning: reasoning.or(if output.is_some() { None } else { standard.reasoning }),
            };
            overlay(rates, off_peak)
        };
        put_with_hours(sheet, entry, None, When { band: Some(band), ..whenever() }, 1, rates);
    }
    // A call without input tokens is in none of them.
    put_with_hours(sheet, entry, None, whenever(), 0, |off_peak| generic(entry, None, &[], off_peak));
}

/// `batch_cost_calculator`.
fn put_batch(sheet: &mut Sheet, entry: &Entry<'_>) {
    use Meter::*;
    let thresholds = thresholds(entry, |field| field.ends_with("_batches"));
    let standard = |field: &str| entry.rate(field);
    for (crossed, band) in bands(entry, &thresholds).into_iter().enumerate() {
        let batch = |field: &str| {
            let above = thresholds[..crossed].iter().rev().flat_map(|(_, spellings)| spellings);
            let mut above = above.map(|spelt| format!("{field}_above_{spelt}_tokens_batches"));
            // Each field looks at the highest threshold crossed that it names, or at none.
            above.find_map(|field| entry.rate(&field)).or_else(|| entry.rate(&format!("{field}_batches")))
        };
        let when = When { tier: any(), speed: any(), batch: Some(Batch::Only(true)), band, ..When::default() };
        let mut published = Prices::default();
        let mut halved = Prices::default();
        let half = |rate: Option<Decimal>| rate.map(|rate| rate / Decimal::TWO);
        if let Some(input) = batch("input_cost_per_token") {
            published.set(InputTextTokens, Some(input));
            published.set_or_like(CacheReadTextTokens, batch("cache_read_input_token_cost"), InputTextTokens);
            published.set_or_like(CacheReadAudioTokens, None, CacheReadTextTokens);
            published.set_or_like(CacheReadImageTokens, None, CacheReadTextTokens);
            let write = batch("cache_creation_input_token_cost");
            published.set_or_like(CacheWrite5mTokens, write, InputTextTokens);
            published.set_or_like(CacheWrite1hTokens, hour_write(entry, write), CacheWrite5mTokens);
            published.set_or_like(InputAudioTokens, batch("input_cost_per_audio_token"), InputTextTokens);
            published.set_or_like(InputImageTokens, batch("input_cost_per_image_token"), InputTextTokens);
            published.set_or_like(InputVideoTokens, batch("input_cost_per_video_token"), InputTextTokens);
        } else if let Some(input) = standard("input_cost_per_token") {
            halved.set(InputTextTokens, half(Some(input)));
            for meter in [InputAudioTokens, InputImageTokens, InputVideoTokens] {
                halved.set_or_like(meter, None, InputTextTokens);
            }
            let read = standard("cache_read_input_token_cost");
            halved.set(CacheReadTextTokens, half(read.or(Some(Decimal::ZERO))));
            halved.set_or_like(CacheReadAudioTokens, None, CacheReadTextTokens);
            halved.set_or_like(CacheReadImageTokens, None, CacheReadTextTokens);
            let write = standard("cache_creation_input_token_cost").filter(|rate| !rate.is_zero());
            halved.set(CacheWrite5mTokens, half(write.or(Some(input))));
            halved.set_or_like(CacheWrite1hTokens, None, CacheWrite5mTokens);
        }
        let output = batch("output_cost_per_token");
        let sheets = if output.is_some() { &mut published } else { &mut halved };
        sheets.set(OutputTextTokens, output.or_else(|| half(standard("output_cost_per_token"))));
        sheets.set_or_like(OutputReasoningTokens, None, OutputTextTokens);
        sheets.set_or_like(OutputAudioTokens, None, OutputTextTokens);
        let image = batch("output_cost_per_image_token").or_else(|| half(standard("output_cost_per_image_token")));
        sheets.set_or_like(OutputImageTokens, image, OutputTextTokens);
        for (prices, derived) in [(published, None), (halved, Some(HALVED))] {
            let place = Place { when: when.clone(), derived, ..Place::default() };
            sheet.rates(&entry.key.into(), &place, &prices, entry.source());
        }
    }
}

/// Writes that live an hour keep their distance to those of five minutes in a batch too: the multipliers stack
/// (https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing). litellm's data leave that price out.
fn hour_write(entry: &Entry<'_>, write: Option<Decimal>) -> Option<Decimal> {
    let hour = entry.rate("cache_creation_input_token_cost_above_1hr")?;
    let standard = entry.rate("cache_creation_input_token_cost")?;
    hour.checked_mul(write?)?.checked_div(standard)
}

/// Whether litellm prices each side of the call by that side's own size (`_handle_128k_pricing`).
fn vertex_halves(entry: &Entry<'_>) -> bool {
    let stated = |field: &str| entry.rate(field).is_some();
    entry.family == "vertex_ai"
        && (stated("input_cost_per_token_above_128k_tokens") || stated("output_cost_per_token_above_128k_tokens"))
}

fn put_by_side(sheet: &mut Sheet, entry: &Entry<'_>) {
    use crate::price::when::Measure;
    for (side, of) in [("input", Measure::InputTokens), ("output", Measure::OutputTokens)] {
        let field = format!("{side}_cost_per_token");
        let base = entry.rate(&field);
        let long = entry.rate(&format!("{field}_above_128k_tokens")).or(base);
        for (price, band) in [
            (base, Band { of: Some(of), up_to: Some(128_000), ..Band::default() }),
            (long, Band { of: Some(of), above: Some(128_000), ..Band::default() }),
        ] {
            let mut prices = Prices::default();
            let this_side = |meter: &&Meter| meter.is_tokens() && meter.is_input_tokens() == (side == "input");
            for meter in Meter::ALL.iter().filter(this_side) {
                prices.set(*meter, price);
            }
            let place = Place { when: When { band: Some(band), ..whenever() }, ..Place::default() };
            sheet.rates(&entry.key.into(), &place, &prices, entry.source());
        }
    }
    put_batch(sheet, entry);
}

/// Hours of `off_peak_pricing`: windows in UTC, weekdays by the calendar of a zone, of the instant itself.
fn hours(off_peak: &Literal) -> Result<Vec<Hours>, String> {
    let zone = off_peak.get("weekday_timezone").and_then(Literal::text).unwrap_or("UTC");
    let shift = match zone {
        "UTC" => 0,
        // No change of clocks since 1991, so hours in UTC are the same hours of the day there all year.
        "Asia/Shanghai" => 8 * 60,
        other => return Err(format!("weekdays in {other}, whose distance to UTC is not known to be fixed")),
    };
    let mut rules = Vec::new();
    let flat = off_peak.get("hours_utc").map(|windows| (windows, None));
    let weekly = off_peak.get("windows").map(Literal::items).unwrap_or_default();
    let weekly = weekly.iter().filter_map(|rule| Some((rule.get("hours_utc")?, rule.get("weekdays"))));
    for (windows, weekdays) in flat.into_iter().chain(weekly) {
        let texts: Vec<&str> = match windows {
            Literal::Text(text) => vec![text.as_str()],
            list => list.items().iter().filter_map(Literal::text).collect(),
        };
        let mut split = Vec::new();
        for text in texts {
            let minutes = |text: &str| {
                let (hour, minute) = text.trim().split_once(':')?;
                Some((hour.parse::<u32>().ok()? * 60 + minute.parse::<u32>().ok()? + shift) % (24 * 60))
            };
            let ends = text.split_once('-').and_then(|(start, end)| Some((minutes(start)?, minutes(end)?)));
            let (start, end) = ends.ok_or_else(|| format!("{text:?} is no window of time"))?;
            // A weekday is that of the instant, so a window across midnight is two.
            if start < end {
                split.push((start, end));
            } else {
                split.push((start, 24 * 60));
                split.push((0, end));
            }
        }
        let days = match weekdays {
            None => Vec::new(),
            Some(days) => {
                let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
                let name = |day: &Literal| {
                    let number = day.digits().and_then(|digits| digits.parse::<usize>().ok());
                    number.and_then(|number| names.get(number.checked_sub(1)?)).map(|name| Text::const_new(name))
                };
                let days: Option<Vec<Text>> = days.items().iter().map(name).collect();
                days.ok_or("a weekday is not one of 1 to 7")?
            }
        };
        let clock = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let windows = split.iter().filter(|(start, end)| start < end);
        let windows = windows.map(|(start, end)| format!("{}-{}", clock(*start), clock(*end)).into()).collect();
        rules.push(Hours { zone: zone.into(), days, windows, except: None });
    }
    Ok(rules)
}
