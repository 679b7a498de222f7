//! The default book: what two packages say of the same models, and hand-checked rows before both.
//!
//! A price is taken for exactly the calls it is stated for. Where both packages state one and they agree, that is its
//! basis; where they differ, the first rule of [`precedence`] that fits decides, and the difference is listed. Dates come
//! from genai-prices, the only one that has them, where it agrees with the price that is taken.

mod cell;
mod genai;
mod litellm;
mod precedence;
mod shops;
#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemas::{Meter, ReferenceRow, Text};

use self::cell::{Cell, Kind, Listed, Series, Step, Table, Who};
use self::precedence::{Taken, decide};
use self::shops::{SHOPS, Shop};
use crate::finding::Finding;
use crate::price::row::Row;

/// What to merge.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// `model_prices_and_context_window_backup.json` of litellm.
    pub litellm: &'a str,
    /// Version of the package.
    pub litellm_version: &'a str,
    /// `data.py` of genai-prices.
    pub genai: &'a str,
    /// Version of the package.
    pub genai_version: &'a str,
    /// Day the prices are compared on, and written as checked.
    pub day: NaiveDate,
}

/// The files of a book, and what was decided in making them.
#[derive(Debug)]
pub struct Merged {
    /// Name and text of each file.
    pub files: Vec<(String, String)>,
    /// Every difference with its size, tab-separated.
    pub disagreements: String,
    /// What was left out, a sentence each.
    pub remarks: Vec<String>,
}

/// A difference between sources.
#[derive(Debug)]
struct Disagreement {
    shop: &'static str,
    model: Text,
    kind: Kind,
    meter: Meter,
    litellm: Option<Cell>,
    genai: Option<Cell>,
    taken: &'static str,
    taken_cell: Cell,
    why: &'static str,
}

/// A model of the book.
#[derive(Debug, Clone, PartialEq)]
struct Model {
    names: BTreeSet<Text>,
    series: Series,
    source: String,
    writes: bool,
    search_once: bool,
    uplifts: BTreeSet<(cell::Uplifted, Decimal)>,
}

/// Merges both packages' data. Models that `checked` rows name are theirs, and only compared.
///
/// # Errors
/// What is wrong with the data of a package.
pub fn merge(sources: &Sources<'_>, checked: &[ReferenceRow]) -> Result<Merged, Vec<Finding>> {
    let wrong = |message: String| {
        vec![Finding::error("", "", message, "give the file of that name from the package, unchanged")]
    };
    let litellm = litellm::read(sources.litellm).map_err(wrong)?;
    let genai = genai::read(sources.genai).map_err(wrong)?;
    let checked = Checked::read(checked);
    let mut merged = Merged { files: Vec::new(), disagreements: String::new(), remarks: Vec::new() };
    let mut disagreements = Vec::new();
    let mut passed_over = BTreeSet::new();
    for shop in SHOPS {
        let found = litellm::of(&litellm, shop);
        passed_over.extend(found.passed_over);
        let (mut others, left_out) = genai::of(&genai, shop.genai, shop.inclusive);
        if shop.file == "perplexity" {
            // The fee for a request depends on how much was searched; genai-prices has the highest of three for all.
            others.iter_mut().for_each(|other| other.series.retain(|(_, meter), _| *meter != Meter::Requests));
        }
        merged.remarks.extend(left_out);
        if found.models.is_empty() && others.is_empty() {
            return Err(wrong(format!("neither package has a model of {}", shop.file)));
        }
        let mut models = Vec::new();
        let mut known = BTreeSet::new();
        for (name, listed) in &found.models {
            let other = others.iter().find(|other| other.matching.fits(&name.to_lowercase()));
            if let Some(other) = other {
                known.insert(&other.id);
            }
            let series = other.map(|other| &other.series);
            if let Some(rows) = checked.rows(shop, name) {
                compare_checked(shop, name, rows, listed, series, sources.day, &mut disagreements);
                continue;
            }
            models.push(Model {
                names: names(shop, name, |other| {
                    found.models.contains_key(other) || checked.rows(shop, other).is_some()
                }),
                series: merge_model(shop, name, listed, series, sources.day, &mut disagreements),
                source: listed.source.clone(),
                writes: listed.writes,
                search_once: listed.search_once,
                uplifts: listed.uplifts.clone(),
            });
        }
        // Two shops share the list of Azure, whose names tell litellm's entries apart but not this one's.
        let alone = others.iter().filter(|other| shop.file != "azure-foundry" && !known.contains(&other.id));
        for other in alone {
            let mut names: BTreeSet<Text> = other.names.clone();
            names.retain(|name| checked.rows(shop, name).is_none() && !found.models.contains_key(name));
            if names.is_empty() {
                continue;
            }
            let taken = |name: &str| found.models.contains_key(name) || checked.rows(shop, name).is_some();
            let more: Vec<Text> = names.iter().flat_map(|name| self::names(shop, name, taken)).collect();
            names.extend(more);
            let mut series = other.series.clone();
            // A package's way of saying that it does not know; what is called free is free.
            let free = other.id.ends_with(":free");
            series.retain(|_, steps| {
                steps.retain(|step| free || !step.cell.price.is_zero());
                !steps.is_empty()
            });
            let writes = series.keys().any(|(_, meter)| *meter == Meter::OutputTextTokens);
            let (source, uplifts) = (String::new(), BTreeSet::new());
            if !series.is_empty() {
                models.push(Model { names, series, source, writes, search_once: false, uplifts });
            }
        }
        merged
            .files
            .push((format!("{}.imported.yaml", shop.file), write::file(shop, group(models), sources, &checked)));
    }
    merged.remarks.push(format!("litellm: fields that nothing was made of: {}", join(&passed_over)));
    merged.disagreements = write::disagreements(&disagreements, sources);
    Ok(merged)
}

fn join(texts: &BTreeSet<String>) -> String {
    texts.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// The names a model goes by where one is listed: Google writes the version of a Claude after an `@`, Claude's own answers after
/// a dash, and a version that is not stated as `@default`.
fn names(shop: &Shop, name: &Text, taken: impl Fn(&str) -> bool) -> BTreeSet<Text> {
    let mut names = BTreeSet::from([name.clone()]);
    if shop.file == "google" && name.starts_with("claude-") {
        let other = match name.split_once('@') {
            Some((model, version)) if version != "default" => format!("{model}-{version}"),
            Some(_) => return names,
            None => format!("{name}@default"),
        };
        names.extend((!taken(&other)).then(|| Text::from(other)));
    }
    names
}

/// One model's prices over time from what both say.
fn merge_model(
    shop: &'static Shop,
    name: &Text,
    listed: &Listed,
    other: Option<&Series>,
    day: NaiveDate,
    disagreements: &mut Vec<Disagreement>,
) -> Series {
    let empty = Series::new();
    let other = other.unwrap_or(&empty);
    // Days on which the standard price of a token changed: what is known of today alone is not known beyond them.
    let changes: BTreeSet<NaiveDate> = other
        .iter()
        .filter(|((kind, meter), _)| kind.is_standard() && meter.is_tokens())
        .flat_map(|(_, steps)| steps.iter().skip(1).filter_map(|step| step.from))
        .collect();
    let since = changes.iter().rev().find(|change| **change <= day).copied();
    let until = changes.iter().find(|change| **change > day).copied();
    let today_only = |place: &(Kind, Meter), cell: Cell| {
        let bounded = place.1.is_tokens() && !place.0.anyhow;
        vec![Step { from: since.filter(|_| bounded), to: until.filter(|_| bounded), cell }]
    };
    let mut series = Series::new();
    let places: BTreeSet<&(Kind, Meter)> = listed.table.keys().chain(other.keys()).collect();
    for place in places {
        let theirs = other.get(place);
        let now = theirs.and_then(|steps| {
            let holds = |step: &&Step| step.from.is_none_or(|from| from <= day) && step.to.is_none_or(|to| day < to);
            steps.iter().find(holds).map(|step| step.cell)
        });
        let steps = match (listed.table.get(place), now) {
            (Some(cell), None) => today_only(place, *cell),
            (Some(cell), Some(now)) if cell.unit() == now.unit() => {
                let mut steps = theirs.cloned().unwrap_or_default();
                steps.iter_mut().for_each(|step| step.cell.who = Who::Genai);
                for step in &mut steps {
                    if step.cell.unit() == cell.unit() {
                        step.cell.who = Who::Both;
                    }
                }
                // A list that begins when somebody first looked says nothing of the day before.
                if let [only] = &mut steps[..] {
                    only.from = since.filter(|_| place.1.is_tokens() && !place.0.is_standard() && !place.0.anyhow);
                }
                steps
            }
            (Some(cell), Some(now)) => {
                let (taken, why) = decide(shop, name, &place.0, place.1, *cell, now);
                let (taken_cell, steps) = match taken {
                    Taken::Litellm => (*cell, today_only(place, *cell)),
                    Taken::Genai => (now, theirs.cloned().unwrap_or_default()),
                };
                disagreements.push(Disagreement {
                    shop: shop.file,
                    model: name.clone(),
                    kind: place.0.clone(),
                    meter: place.1,
                    litellm: Some(*cell),
                    genai: Some(now),
                    taken: if taken == Taken::Litellm { "litellm" } else { "genai-prices" },
                    taken_cell,
                    why,
                });
                steps
            }
            // Nothing today; what is zero is not known.
            (None, _) => theirs.cloned().unwrap_or_default(),
        };
        let steps: Vec<Step> = steps.into_iter().filter(|step| !step.cell.price.is_zero()).collect();
        if !steps.is_empty() {
            series.insert(place.clone(), steps);
        }
    }
    series
}

/// Lists where a hand-checked row differs from what a package says today.
fn compare_checked(
    shop: &'static Shop,
    name: &Text,
    rows: &Table,
    listed: &Listed,
    other: Option<&Series>,
    day: NaiveDate,
    disagreements: &mut Vec<Disagreement>,
) {
    for (place, ours) in rows {
        let litellm = listed.table.get(place).copied();
        let genai = other.and_then(|series| series.get(place)).and_then(|steps| {
            let holds = |step: &&Step| step.from.is_none_or(|from| from <= day) && step.to.is_none_or(|to| day < to);
            steps.iter().find(holds).map(|step| step.cell)
        });
        let differs = |cell: &Option<Cell>| cell.is_some_and(|cell| cell.unit() != ours.unit());
        if differs(&litellm) || differs(&genai) {
            disagreements.push(Disagreement {
                shop: shop.file,
                model: name.clone(),
                kind: place.0.clone(),
                meter: place.1,
                litellm,
                genai,
                taken: "checked",
                taken_cell: *ours,
                why: "a row checked by hand goes before both",
            });
        }
    }
}

/// Models that are the same but for a date or a place in their names become one.
fn group(models: Vec<Model>) -> Vec<Model> {
    let mut grouped: Vec<(String, Model)> = Vec::new();
    for model in models {
        let stem = model.names.first().map(|name| stem(name)).unwrap_or_default();
        let same = |(other_stem, other): &&mut (String, Model)| {
            *other_stem == stem
                && Model { names: model.names.clone(), source: model.source.clone(), ..other.clone() } == model
        };
        match grouped.iter_mut().find(same) {
            Some((_, other)) => other.names.extend(model.names),
            None => grouped.push((stem, model)),
        }
    }
    grouped.into_iter().map(|(_, model)| model).collect()
}

/// A name without date, version of a date, and the place before it.
fn stem(name: &str) -> String {
    let places = ["us.", "eu.", "au.", "jp.", "apac.", "global.", "us-gov."];
    let rest = places.iter().find_map(|place| name.strip_prefix(place)).unwrap_or(name);
    let rest = rest.strip_suffix("@default").unwrap_or(rest);
    let mut rest = rest.strip_suffix("-latest").unwrap_or(rest);
    if let Some((before, version)) = rest.rsplit_once("-v")
        && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
    {
        rest = before;
    }
    crate::price::name::without_date(rest).unwrap_or(rest).to_lowercase()
}

/// Hand-checked rows: what they say of a model today, as far as packages could say it too.
struct Checked {
    /// By provider and model name.
    tables: BTreeMap<(Text, Text), Table>,
    providers: BTreeSet<Text>,
}

impl Checked {
    fn read(rows: &[ReferenceRow]) -> Self {
        let rows: Vec<Row> = rows.iter().filter_map(|row| serde_json::from_str(&row.body).ok()).collect();
        let mut by_sku: BTreeMap<&Text, Table> = BTreeMap::new();
        for row in &rows {
            let Row::Rate(rate) = row else { continue };
            let Some(kind) = Kind::of(&rate.when).filter(|_| rate.period.valid_to.is_none()) else { continue };
            for (meter, price) in rate.prices.iter().filter(|(meter, _)| !rate.derived.contains_key(*meter)) {
                let cell = Cell { price: price.0, per: rate.per, who: Who::Both };
                by_sku.entry(&rate.sku).or_default().insert((kind.clone(), *meter), cell);
            }
        }
        let mut tables = BTreeMap::new();
        let mut providers = BTreeSet::new();
        for row in &rows {
            match row {
                Row::Sku(sku) => {
                    for model in &sku.models {
                        let table = by_sku.get(&sku.sku).cloned().unwrap_or_default();
                        tables.insert((sku.provider.clone(), model.clone()), table);
                    }
                }
                Row::Alias(alias) => {
                    tables.insert((alias.provider.clone(), alias.model.clone()), Table::new());
                }
                Row::Provider(provider) => {
                    providers.insert(provider.provider.clone());
                }
                _ => {}
            }
        }
        Checked { tables, providers }
    }

    fn rows(&self, shop: &Shop, model: &str) -> Option<&Table> {
        self.tables.get(&(Text::const_new(shop.provider), Text::from(model)))
    }

    /// Whether a hand-made file states the provider's names and tiers.
    fn has(&self, provider: &str) -> bool {
        self.providers.contains(provider)
    }
}
