//! Patterns of model names, compiled.

use regex_lite::Regex;
use schemas::Text;

use super::row::Matcher;

/// Compiled [`Matcher`].
#[derive(Debug)]
pub(crate) enum Matching {
    Equals(Text),
    StartsWith(Text),
    EndsWith(Text),
    Contains(Text),
    Regex(Regex),
    Any(Vec<Matching>),
    All(Vec<Matching>),
    Not(Box<Matching>),
}

impl Matching {
    /// Compiles a matcher, its texts in lower case.
    ///
    /// # Errors
    /// What is wrong with a regular expression.
    pub fn compile(matcher: &Matcher) -> Result<Self, String> {
        let each = |matchers: &[Matcher]| matchers.iter().map(Self::compile).collect::<Result<_, _>>();
        Ok(match matcher {
            Matcher::Equals(text) => Matching::Equals(text.to_lowercase()),
            Matcher::StartsWith(text) => Matching::StartsWith(text.to_lowercase()),
            Matcher::EndsWith(text) => Matching::EndsWith(text.to_lowercase()),
            Matcher::Contains(text) => Matching::Contains(text.to_lowercase()),
            Matcher::Regex(text) => Matching::Regex(Regex::new(text).map_err(|error| format!("{text:?}: {error}"))?),
            Matcher::Any(matchers) => Matching::Any(each(matchers)?),
            Matcher::All(matchers) => Matching::All(each(matchers)?),
            Matcher::Not(matcher) => Matching::Not(Box::new(Self::compile(matcher)?)),
        })
    }

    /// Whether a name in lower case fits.
    pub fn fits(&self, name: &str) -> bool {
        match self {
            Matching::Equals(text) => name == text.as_str(),
            Matching::StartsWith(text) => name.starts_with(text.as_str()),
            Matching::EndsWith(text) => name.ends_with(text.as_str()),
            Matching::Contains(text) => name.contains(text.as_str()),
            Matching::Regex(regex) => regex.is_match(name),
            Matching::Any(matchings) => matchings.iter().any(|matching| matching.fits(name)),
            Matching::All(matchings) => matchings.iter().all(|matching| matching.fits(name)),
            Matching::Not(matching) => !matching.fits(name),
        }
    }
}
