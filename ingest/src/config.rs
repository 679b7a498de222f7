//! What an operator can set about decoding, and the bounds nobody needs to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemas::{Dimensions, Text, Timestamp, topics};

use crate::formats::mapping::Mapping;
use crate::identity;
use crate::recognise::Shape;
use crate::users::Keys;

/// Deepest nesting of a JSON document.
pub const DEPTH_MAX: usize = 128;
/// Most tags kept per event.
pub const TAGS_MAX: usize = 64;
/// Longest tag name or value in bytes; a longer one is dropped, never cut, since a cut value could match a wrong rule.
pub const TAG_BYTES_MAX: usize = 256;
/// Longest identifier, model, provider or dimension in bytes.
pub const TEXT_BYTES_MAX: usize = 512;
/// Most of an original usage object that is kept, in bytes.
pub const RAW_USAGE_BYTES_MAX: usize = 16 * 1024;
/// Longest skeleton of a rejected item in bytes.
pub const SKELETON_BYTES_MAX: usize = 16 * 1024;

/// True for a text that can be kept as an identifier.
pub(crate) fn is_identifier(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len())
}

/// Whom customers are: LiteLLM's `end_user` is a company to one who resells calls, and a colleague to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Customers {
    /// Kept as they are stated.
    Companies,
    /// E-mail addresses, and what Claude Code calls its user, are people; everybody else is a company.
    #[default]
    Mixed,
    /// Nobody is kept as stated.
    People,
}

/// Settings of decoding. The same configuration gives the same items for the same record.
#[derive(Debug, Clone)]
pub struct Config {
    /// Tenant all records belong to.
    pub tenant: Text,
    /// What the records of a topic are, where the operator says so; headers still come first.
    pub formats: BTreeMap<Text, Shape>,
    /// House formats, tried in order before any shape.
    pub mappings: Vec<Mapping>,
    /// Topic whose `spend-format: correction` records are trusted. On any other topic they are rejected.
    pub corrections_topic: Text,
    /// Provider of bodies that do not name one.
    pub provider: Option<Text>,
    /// Time of events that state none; without it the Kafka timestamp stands in.
    pub time: Option<Timestamp>,
    /// Keys that users are pseudonymised with. Without them user ids are dropped.
    pub users: Option<Arc<Keys>>,
    /// Whom customers are: those who are people are treated as users are.
    pub customers: Customers,
    /// Tag names that are kept; `None` keeps all (within the bounds).
    pub tag_keys: Option<BTreeSet<Text>>,
    /// Largest record in bytes.
    pub record_bytes_max: usize,
    /// Most items in one record; the rest of a longer one is rejected as one item.
    pub items_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            tenant: "default".into(),
            formats: BTreeMap::new(),
            mappings: Vec::new(),
            corrections_topic: topics::CORRECTIONS.into(),
            provider: None,
            time: None,
            users: None,
            customers: Customers::default(),
            tag_keys: None,
            record_bytes_max: 1024 * 1024,
            items_max: 10_000,
        }
    }
}

impl Config {
    /// Puts a pseudonym in place of a customer who is a person, as in place of a user, or nothing where there are no keys. True
    /// for such a customer.
    pub(crate) fn conceal(&self, claimed: &mut Dimensions) -> bool {
        let is_person = |customer: &str| match self.customers {
            Customers::Companies => false,
            Customers::Mixed => identity::names_person(customer),
            Customers::People => !customer.is_empty(),
        };
        let Some(person) = claimed.customer.take_if(|customer| is_person(customer)) else { return false };
        claimed.customer = self.users.as_ref().map(|keys| keys.pseudonym(&person));
        true
    }
}
