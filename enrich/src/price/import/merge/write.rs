//! A merged list as a file people can read and compare: one line a rate.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemas::{Meter, Text};

use super::cell::{Kind, Step, Uplifted, Who};
use super::shops::Shop;
use super::{Checked, Disagreement, Model, Sources};

/// What costs what where a row does not say: output is output, and pictures are counted in tokens of text.
const FALLBACKS: &str = "  output_reasoning_tokens: output_text_tokens
  input_image_tokens: input_text_tokens
  cache_read_image_tokens: cache_read_text_tokens
";

/// Between economy and standard, and between standard and premium: (3 x input + output) / 4 in dollars a million
/// tokens. Frozen with the book: natural breaks of the prices of November 2026.
pub(super) const CUTS: [Decimal; 2] =
    [Decimal::from_parts(75, 0, 0, false, 2), Decimal::from_parts(525, 0, 0, false, 2)];

/// Writes the file of a shop.
pub(super) fn file(shop: &Shop, models: Vec<Model>, sources: &Sources<'_>, checked: &Checked) -> String {
    let mut out = String::new();
    let (l, g) = (sources.litellm_version, sources.genai_version);
    let _ = writeln!(
        out,
        "# Made by `spendstream prices build` of the data of litellm {l} and genai-prices {g} (both MIT, see NOTICE.md).
# Do not edit: rows of your own belong in a file without `imported` in its name, and go before these.
provider: {}",
        shop.provider
    );
    if !checked.has(shop.provider) {
        if !shop.also.is_empty() {
            let _ = writeln!(out, "also: [{}]", shop.also.join(", "));
        }
        if !shop.strip.is_empty() {
            let strip: Vec<String> = shop.strip.iter().map(|prefix| format!("{prefix:?}")).collect();
            let _ = writeln!(out, "strip: [{}]", strip.join(", "));
        }
    }
    let _ = writeln!(
        out,
        "currency: USD\nsource: {}\nchecked: {}\nbasis: litellm {l} and genai-prices {g} data",
        shop.page, sources.day
    );
    let _ = write!(out, "fallbacks:\n{FALLBACKS}");
    if shop.file == "google" {
        out.push_str("  input_video_tokens: input_text_tokens\n");
    }
    out.push_str("skus:\n");
    let mut uplifts: BTreeMap<(Uplifted, Decimal), Vec<String>> = BTreeMap::new();
    for model in &models {
        let Some(name) = shortest(&model.names) else { continue };
        let sku = format!("{}/{name}", shop.file);
        for uplift in &model.uplifts {
            uplifts.entry(*uplift).or_default().push(sku.clone());
        }
        sku_lines(&mut out, shop, &sku, model, sources);
    }
    alias_lines(&mut out, shop, &models, checked);
    if !uplifts.is_empty() {
        out.push_str("uplifts:\n");
    }
    for ((what, factor), skus) in uplifts {
        let when = match what {
            Uplifted::Residency(residency) => format!("residency: {residency}"),
            Uplifted::NotGlobal => "region: {except: [global]}".to_string(),
            Uplifted::Fast => "speed: fast, batch: false".to_string(),
        };
        let skus: Vec<String> = skus.iter().map(|sku| plain(sku)).collect();
        let _ = writeln!(
            out,
            "  - {{factor: {factor}, when: {{{when}}}, basis: litellm {l} data, skus: [{}]}}",
            skus.join(", ")
        );
    }
    out
}

/// Bodies of Claude on Bedrock name Anthropic's model, and not what was asked: a call of which nothing else is known is taken
/// to have been kept in its region, as one that names no place is, and says that its model is an alias.
fn alias_lines(out: &mut String, shop: &Shop, models: &[Model], checked: &Checked) {
    if shop.file != "bedrock" {
        return;
    }
    let mut aliases: BTreeMap<String, String> = BTreeMap::new();
    for model in models {
        let Some(shortest) = shortest(&model.names) else { continue };
        for name in &model.names {
            let Some(bare) = name.strip_prefix("anthropic.").filter(|bare| bare.starts_with("claude-")) else {
                continue;
            };
            let version = |(_, version): &(&str, &str)| {
                !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
            };
            let bare = bare.rsplit_once("-v").filter(version).map_or(bare, |(bare, _)| bare).replace('@', "-");
            let undated = crate::price::name::without_date(&bare).map(str::to_owned);
            for name in [Some(bare), undated].into_iter().flatten() {
                if checked.rows(shop, &name).is_none()
                    && !models.iter().any(|model| model.names.contains(name.as_str()))
                {
                    aliases.entry(name).or_insert_with(|| format!("{}/{shortest}", shop.file));
                }
            }
        }
    }
    if !aliases.is_empty() {
        out.push_str("aliases:\n");
    }
    for (name, sku) in aliases {
        let _ = writeln!(
            out,
            "  - {{model: {}, sku: {}, basis: \"assumed: kept in its region\"}}",
            plain(&name),
            plain(&sku)
        );
    }
}

fn shortest(names: &BTreeSet<Text>) -> Option<&Text> {
    names.iter().min_by_key(|name| (name.len(), name.as_str()))
}

fn sku_lines(out: &mut String, shop: &Shop, sku: &str, model: &Model, sources: &Sources<'_>) {
    let mut names: Vec<&Text> = model.names.iter().collect();
    names.sort_by_key(|name| (name.len(), name.as_str()));
    let names: Vec<String> = names.into_iter().map(|name| plain(name)).collect();
    let _ = writeln!(out, "  - sku: {}\n    models: [{}]", plain(sku), names.join(", "));
    // A name of a fine-tuned model begins with that of its base: https://developers.openai.com/api/docs/guides/supervised-fine-tuning.
    let tuned: Vec<String> = model
        .names
        .iter()
        .filter(|name| name.starts_with("ft:"))
        .map(|name| format!("{:?}", format!("{name}:")))
        .collect();
    if !tuned.is_empty() {
        let _ = writeln!(out, "    prefixes: [{}]", tuned.join(", "));
    }
    if shop.file == "google" && model.names.iter().any(|name| name.starts_with("claude-")) {
        out.push_str("    snapshots: true\n");
    }
    if let Some(class) = class(model, sources.day) {
        let _ = writeln!(out, "    class: {class}");
    }
    if !model.source.is_empty() && model.source != shop.page {
        let _ = writeln!(out, "    source: {}", plain(&model.source));
    }
    let priced = |meter: Meter| model.series.keys().any(|(_, other)| *other == meter);
    let once: Vec<String> = [Meter::WebSearches, Meter::MapsGroundings]
        .into_iter()
        .filter(|meter| model.search_once && priced(*meter))
        .map(|meter| format!("{meter}: {{maximum: 1}}"))
        .collect();
    // https://groq.com/pricing: a request is at least ten seconds.
    if shop.file == "groq" && priced(Meter::InputAudioSeconds) {
        out.push_str("    quantities: {input_audio_seconds: {minimum: 10}}\n");
    } else if !once.is_empty() {
        let _ = writeln!(out, "    quantities: {{{}}}", once.join(", "));
    }
    out.push_str("    rates:\n");
    // Fetching a page costs nothing but its tokens:
    // https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-fetch-tool#usage-and-pricing.
    if shop.file == "anthropic" && priced(Meter::WebSearches) {
        let _ = writeln!(
            out,
            "      - {{per: 1000, when: {{tier: any, speed: any, batch: any}}, basis: \"published, for models of litellm {} and \
             genai-prices {}\", prices: {{web_fetches: 0}}}}",
            sources.litellm_version, sources.genai_version
        );
    }
    let mut kinds: BTreeMap<(&Kind, i64), BTreeMap<Meter, &Vec<Step>>> = BTreeMap::new();
    for ((kind, meter), steps) in &model.series {
        let per = steps.first().map_or(1, |step| step.cell.per);
        kinds.entry((kind, per)).or_default().insert(*meter, steps);
    }
    let standard: BTreeSet<i64> =
        model.series.keys().filter(|(kind, _)| kind.is_standard()).map(|(kind, _)| kind.above).collect();
    for ((kind, per), meters) in &kinds {
        let own: BTreeSet<i64> = kinds
            .keys()
            .filter(|(other, _)| other.of_any_size() == kind.of_any_size())
            .map(|(other, _)| other.above)
            .collect();
        let next = own.iter().find(|above| **above > kind.above).copied();
        // A tier without a price for long context has none, even where its price for the rest says nothing of size.
        let alone = own.len() == 1 && kind.above == 0 && !kind.is_standard() && !kind.anyhow && *per == 1_000_000;
        let up_to = match (kind.above > 0, alone) {
            (true, _) => next,
            (false, true) => standard.iter().find(|above| **above > 0).copied(),
            // Above the first of several, the row for that is the more specific one.
            (false, false) => None,
        };
        let when = when(shop, kind, up_to);
        for (from, to, prices, who) in rows(meters) {
            let mut line = format!("{{per: {per}");
            if let Some(from) = from {
                let _ = write!(line, ", valid_from: {from}");
            }
            if let Some(to) = to {
                let _ = write!(line, ", valid_to: {to}");
            }
            if !when.is_empty() {
                let _ = write!(line, ", when: {{{when}}}");
            }
            match who {
                Who::Both => {}
                Who::Litellm => {
                    let _ = write!(line, ", basis: litellm {} data", sources.litellm_version);
                }
                Who::Genai => {
                    let _ = write!(line, ", basis: genai-prices {} data", sources.genai_version);
                }
            }
            let _ = writeln!(out, "      - {line}, prices: {{{}}}}}", prices.join(", "));
        }
    }
}

/// The rows of one kind of call: one for every stretch in which no price of it changes.
type Stretch = (Option<NaiveDate>, Option<NaiveDate>, Vec<String>, Who);

fn rows(meters: &BTreeMap<Meter, &Vec<Step>>) -> Vec<Stretch> {
    let edges: BTreeSet<NaiveDate> =
        meters.values().flat_map(|steps| steps.iter()).flat_map(|step| [step.from, step.to]).flatten().collect();
    let edges: Vec<NaiveDate> = edges.into_iter().collect();
    let mut rows: Vec<Stretch> = Vec::new();
    for index in 0..=edges.len() {
        let from = index.checked_sub(1).map(|index| edges[index]);
        let to = edges.get(index).copied();
        let holds = |step: &&Step| {
            step.from.is_none_or(|start| from.is_some_and(|from| start <= from))
                && step.to.is_none_or(|end| to.is_some_and(|to| to <= end))
        };
        let mut prices = Vec::new();
        let mut who = BTreeSet::new();
        for (meter, steps) in meters {
            if let Some(step) = steps.iter().find(holds) {
                prices.push(format!("{meter}: {}", step.cell.price));
                who.insert(step.cell.who);
            }
        }
        if prices.is_empty() {
            continue;
        }
        let who = match (who.len(), who.first()) {
            (1, Some(who)) => *who,
            // Some of it by one of them alone: the weaker basis is said.
            _ if !who.contains(&Who::Genai) => Who::Litellm,
            _ => Who::Genai,
        };
        rows.push((from, to, prices, who));
    }
    // A row that is followed by one that prices the same meters ends by itself.
    let meters = |row: &Stretch| {
        row.2.iter().filter_map(|price| price.split(':').next().map(str::to_string)).collect::<Vec<_>>()
    };
    for index in 0..rows.len() {
        let follows =
            rows.get(index + 1).is_some_and(|next| next.0 == rows[index].1 && meters(next) == meters(&rows[index]));
        if follows {
            rows[index].1 = None;
        }
    }
    rows
}

fn when(shop: &Shop, kind: &Kind, up_to: Option<i64>) -> String {
    let mut said = Vec::new();
    if kind.anyhow {
        said.push("tier: any, speed: any, batch: any".to_string());
    }
    for (name, value) in [
        ("tier", &kind.tier),
        ("speed", &kind.speed),
        ("region", &kind.region),
        ("residency", &kind.residency),
        ("resolution", &kind.resolution),
        ("size", &kind.size),
        ("quality", &kind.quality),
        ("search_context", &kind.search_context),
    ] {
        said.extend(value.as_ref().map(|value| format!("{name}: {}", plain(value))));
    }
    if kind.batch {
        said.push("batch: true".to_string());
    }
    let (lower, upper) = if shop.inclusive { ("from", "below") } else { ("above", "up_to") };
    let lower = (kind.above > 0).then(|| format!("{lower}: {}", kind.above));
    let upper = up_to.map(|up_to| format!("{upper}: {up_to}"));
    let band: Vec<String> = lower.into_iter().chain(upper).collect();
    if !band.is_empty() {
        said.push(format!("band: {{{}}}", band.join(", ")));
    }
    said.join(", ")
}

/// Premium, standard or economy, of models that write text.
fn class(model: &Model, day: NaiveDate) -> Option<&'static str> {
    let price = |meter: Meter| {
        let steps = model.series.get(&(Kind::default(), meter))?;
        let holds = |step: &&Step| step.from.is_none_or(|from| from <= day) && step.to.is_none_or(|to| day < to);
        Some(steps.iter().find(holds)?.cell.unit() * Decimal::from(1_000_000))
    };
    let (input, output) = (price(Meter::InputTextTokens)?, price(Meter::OutputTextTokens)?);
    let blended = (input * Decimal::from(3) + output) / Decimal::from(4);
    model.writes.then(|| match CUTS {
        [low, _] if blended < low => "economy",
        [_, high] if blended < high => "standard",
        _ => "premium",
    })
}

/// A text as YAML takes it, in quotes where it needs them.
fn plain(text: &str) -> String {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/' | b':' | b'@');
    let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let word = matches!(text, "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    let safe = starts && text.bytes().all(harmless) && !text.ends_with(':') && !word;
    if safe { text.to_string() } else { format!("{text:?}") }
}

/// The list of differences: largest first within each shop.
pub(super) fn disagreements(list: &[Disagreement], sources: &Sources<'_>) -> String {
    let mut out = format!(
        "# Where litellm {} and genai-prices {} differ on {}, or from a row checked by hand: dollars for `per` of the meter.\n\
         # Made by `spendstream prices build`. Off is how far the price not taken is from the one taken.\n\
         seller\tmodel\tmeter\tcall\tper\tlitellm\tgenai-prices\ttaken\tprice\toff\twhy\n",
        sources.litellm_version, sources.genai_version, sources.day
    );
    for row in list {
        let per = Decimal::from(row.taken_cell.per);
        let shown = |cell: Option<super::Cell>| {
            cell.map_or("-".to_string(), |cell| (cell.unit() * per).round_dp(9).normalize().to_string())
        };
        let off = |cell: Option<super::Cell>| {
            let cell = cell?;
            let hundred = Decimal::from(100);
            let off = ((cell.unit() - row.taken_cell.unit()) * hundred).checked_div(row.taken_cell.unit())?;
            (!off.is_zero()).then_some(off)
        };
        let off = [row.litellm, row.genai].into_iter().filter_map(off).max_by_key(|off| off.abs());
        let off = off.map_or("-".to_string(), |off| format!("{:+}%", off.round_dp(2).normalize()));
        let _ = writeln!(
            out,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{off}\t{}",
            row.shop,
            row.model,
            row.meter,
            row.kind.words(),
            row.taken_cell.per,
            shown(row.litellm),
            shown(row.genai),
            row.taken,
            row.taken_cell.price.normalize(),
            row.why
        );
    }
    out
}
