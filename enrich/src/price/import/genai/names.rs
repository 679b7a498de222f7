//! Which model a name means: the first, in the order of the file, whose tree of clauses fits it.

use std::collections::{BTreeMap, BTreeSet};

use schemas::Text;

use crate::price::import::Sheet;
use crate::price::import::literal::Literal;
use crate::price::matching::Matching;
use crate::price::row::{Matcher, Pattern, Row};

/// Writes what the names of a provider mean: patterns in order and, so that most calls need none of them, every name that
/// is stated whole.
pub(super) fn put<'a>(
    sheet: &mut Sheet,
    provider: &str,
    models: impl Iterator<Item = (String, &'a Literal)>,
) -> Result<(), String> {
    let mut patterns: Vec<(String, Matcher, Matching)> = Vec::new();
    let mut whole = BTreeSet::new();
    for (sku, model) in models {
        let clauses = model.get("match").ok_or_else(|| format!("{sku} has no match"))?;
        let matcher = matcher(clauses).map_err(|message| format!("{sku}: {message}"))?;
        let matching = Matching::compile(&matcher).map_err(|message| format!("{sku}: {message}"))?;
        names(&matcher, &mut whole);
        patterns.push((sku, matcher, matching));
    }
    let mut meant: BTreeMap<&str, Vec<Text>> = BTreeMap::new();
    for name in whole {
        if let Some((sku, ..)) = patterns.iter().find(|(_, _, matching)| matching.fits(&name)) {
            meant.entry(sku).or_default().push(name.into());
        }
    }
    for (_, row) in &mut sheet.rows {
        if let Row::Sku(row) = row
            && let Some(names) = meant.get_mut(row.sku.as_str())
        {
            row.models.append(names);
        }
    }
    for (order, (sku, matches, _)) in patterns.into_iter().enumerate() {
        if is_whole(&matches) {
            continue;
        }
        let order = u32::try_from(order).unwrap_or(u32::MAX);
        let row = Pattern { provider: provider.into(), order, sku: sku.as_str().into(), matches };
        sheet.put(&format!("sku {sku}"), Row::Pattern(row));
    }
    Ok(())
}

/// Whether a matcher fits nothing but names that it states whole.
fn is_whole(matcher: &Matcher) -> bool {
    match matcher {
        Matcher::Equals(_) => true,
        Matcher::Any(matchers) => matchers.iter().all(is_whole),
        _ => false,
    }
}

fn names(matcher: &Matcher, found: &mut BTreeSet<String>) {
    match matcher {
        Matcher::Equals(name) => {
            found.insert(name.to_lowercase().into_string());
        }
        Matcher::Any(matchers) | Matcher::All(matchers) => matchers.iter().for_each(|matcher| names(matcher, found)),
        _ => {}
    }
}

/// Which names a clause fits.
pub(super) fn matcher(clause: &Literal) -> Result<Matcher, String> {
    let Literal::Call(kind, _, arguments) = clause else { return Err("a clause of no kind".to_string()) };
    let Some((_, argument)) = arguments.first() else { return Err(format!("{kind} of nothing")) };
    let text = || argument.text().map(Text::from).ok_or_else(|| format!("{kind} of no text"));
    let each = || argument.items().iter().map(matcher).collect::<Result<Vec<_>, _>>();
    Ok(match kind.as_str() {
        "ClauseEquals" => Matcher::Equals(text()?),
        "ClauseStartsWith" => Matcher::StartsWith(text()?),
        "ClauseEndsWith" => Matcher::EndsWith(text()?),
        "ClauseContains" => Matcher::Contains(text()?),
        "ClauseRegex" => regex(&text()?),
        "ClauseOr" => Matcher::Any(each()?),
        "ClauseAnd" => Matcher::All(each()?),
        other => return Err(format!("{other} is no clause known here")),
    })
}

/// A regular expression; one that only says what must not follow is the opposite of what it looks for.
fn regex(text: &str) -> Matcher {
    match text.strip_prefix("^(?!").and_then(|rest| rest.strip_suffix(')')) {
        Some(unwanted) => Matcher::Not(Box::new(Matcher::Regex(format!("^(?:{unwanted})").into()))),
        None => Matcher::Regex(text.into()),
    }
}
