//! What a provider bills under a model's name.

use std::borrow::Cow;

use schemas::UsageEvent;

use super::book::{PriceBook, PriceList, SkuRates};

/// A model's SKU in a price book: found once, good for all calls of that model as long as its name means this SKU.
#[derive(Debug, Clone, Copy)]
pub struct Resolved<'a> {
    pub(super) book: &'a PriceBook,
    /// Of the provider that was named, which may sell the SKU under its own names of tiers.
    pub(super) list: &'a PriceList,
    pub(super) sku: &'a SkuRates,
    /// Whether another name stands for the model's.
    pub(super) aliased: bool,
}

impl Resolved<'_> {
    /// Name of the SKU.
    pub fn sku(&self) -> &str {
        &self.sku.name
    }
}

impl PriceBook {
    /// Finds what the event's provider bills its model as at the time of the call.
    pub fn resolve(&self, event: &UsageEvent) -> Option<Resolved<'_>> {
        let list = &self.providers[*self.provider_names.get(event.provider.as_str())? as usize];
        let (sku, aliased) = self.find(list, event)?;
        Some(Resolved { book: self, list, sku, aliased })
    }

    fn find<'a>(&'a self, list: &PriceList, event: &UsageEvent) -> Option<(&'a SkuRates, bool)> {
        let exact = |model: &str| {
            let meanings = list.models.get(model)?;
            let holds = meanings.iter().find(|m| m.from <= event.event_time && event.event_time < m.to)?;
            Some((&self.skus[holds.sku as usize], holds.aliased))
        };
        if let Some(found) = exact(&event.model) {
            return Some(found);
        }
        let mut model = Cow::Borrowed(event.model.as_str());
        if model.bytes().any(|byte| byte.is_ascii_uppercase()) {
            model = Cow::Owned(model.to_ascii_lowercase());
        }
        let stripped = list.strip.iter().find_map(|prefix| model.strip_prefix(prefix.as_str())).unwrap_or(&model);
        let dated = |model| {
            let (sku, _) = exact(without_date(model)?)?;
            sku.snapshots.then_some((sku, true))
        };
        let prefixed = |model: &str| {
            let (_, sku) = list.prefixes.iter().find(|(prefix, _)| model.starts_with(prefix.as_str()))?;
            Some((&self.skus[*sku as usize], true))
        };
        let pattern = |model: &str| {
            let (_, _, sku) = list.patterns.iter().find(|(_, pattern, _)| pattern.fits(model))?;
            Some((&self.skus[*sku as usize], true))
        };
        let found = exact(stripped).or_else(|| pattern(stripped));
        let found = found.or_else(|| dated(stripped)).or_else(|| prefixed(stripped));
        if found.is_some() || !list.dashed_dates {
            return found;
        }
        let dashed = with_dashed_date(stripped)?;
        exact(&dashed).or_else(|| pattern(&dashed))
    }
}

/// The name without a date at its end: `-2026-04-23`, `-20260423` or `@20260423`.
pub(super) fn without_date(model: &str) -> Option<&str> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (name, last) = model.rsplit_once(['-', '@'])?;
    if last.len() == 8 && digits(last) {
        return Some(name);
    }
    let (name, month) = name.rsplit_once('-').filter(|_| last.len() == 2 && digits(last))?;
    let (name, year) = name.rsplit_once('-').filter(|_| month.len() == 2 && digits(month))?;
    (year.len() == 4 && digits(year)).then_some(name)
}

/// The name with its first `-20260423` written as `-2026-04-23`.
fn with_dashed_date(model: &str) -> Option<String> {
    let at = model.match_indices("-20").map(|(at, _)| at).find(|at| {
        let Some(digits) = model.get(at + 1..at + 9) else { return false };
        let ends = matches!(model.as_bytes().get(at + 9), None | Some(b'-' | b':'));
        ends && chrono::NaiveDate::parse_from_str(digits, "%Y%m%d").is_ok()
    })?;
    let (year, month, day, rest) =
        (&model[at + 1..at + 5], &model[at + 5..at + 7], &model[at + 7..at + 9], &model[at + 9..]);
    Some(format!("{}-{year}-{month}-{day}{rest}", &model[..at]))
}
