//! One entry of the file.

use rust_decimal::Decimal;

use crate::price::import::decimal;
use crate::price::import::literal::Literal;

/// What a tier is called in the fields, and the tiers of responses it stands for.
pub(super) const TIERS: [(&str, &[&str]); 4] = [
    ("priority", &["priority", "fast"]),
    ("flex", &["flex"]),
    ("balanced", &["balanced"]),
    ("ultrafast", &["ultrafast"]),
];

/// An entry: a model at a provider.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub key: &'a str,
    pub data: &'a Literal,
    /// As stated.
    pub provider: &'a str,
    /// As calls name it: the part that litellm tells apart by the maker of the model left out.
    pub family: &'a str,
    pub mode: &'a str,
}

impl<'a> Entry<'a> {
    /// An entry of the file, unless it is the explanation at its start or names no provider.
    pub fn new(key: &'a str, data: &'a Literal) -> Option<Self> {
        let provider = data.get("litellm_provider").and_then(Literal::text).filter(|_| key != "sample_spec")?;
        let family = match provider {
            "bedrock_converse" => "bedrock",
            _ if provider.starts_with("vertex_ai-") => "vertex_ai",
            _ if provider.starts_with("fireworks_ai-") => "fireworks_ai",
            other => other,
        };
        let mode = data.get("mode").and_then(Literal::text).unwrap_or_default();
        Some(Entry { key, data, provider, family, mode })
    }

    /// The number a field states.
    pub fn rate(&self, field: &str) -> Option<Decimal> {
        self.data.get(field).and_then(Literal::digits).and_then(decimal)
    }

    /// The field of a tier, or else that of the standard tier.
    pub fn tier_rate(&self, field: &str, tier: Option<&str>) -> Option<Decimal> {
        tier.and_then(|tier| self.rate(&format!("{field}_{tier}"))).or_else(|| self.rate(field))
    }

    /// Page the figures are from, where the entry names one.
    pub fn source(&self) -> &'a str {
        self.data.get("source").and_then(Literal::text).unwrap_or_default()
    }

    /// Names of the fields that state something.
    pub fn fields(&self) -> impl Iterator<Item = &'a str> {
        self.data.members().iter().filter(|(_, value)| *value != Literal::Null).map(|(name, _)| name.as_str())
    }

    /// Tiers that some field is about.
    pub fn tiers(&self) -> impl Iterator<Item = (&'static str, &'static [&'static str])> + '_ {
        let stated =
            |tier: &str| self.fields().any(|field| field.contains("cost") && field.ends_with(&format!("_{tier}")));
        TIERS.into_iter().filter(move |(tier, _)| stated(tier))
    }
}
