//! What every decoder owes to every record, whatever bytes it holds.

extern crate spendstream_ingest as ingest;
extern crate spendstream_schemas as schemas;

use std::sync::{Arc, OnceLock};

use ingest::users::Keys;
use ingest::{Config, Item, Mapping, RawRecord, Shape, decode};
use schemas::Timestamp;

/// A mapping of a house format, so that mappings are reached too.
pub const HOUSE: &str = "formats:
- name: house
  when: {$.kind: llm_call}
  fields: {id: $.id, source: house, provider: openai, model: \"$.m['n.o']\", usage.input_text_tokens: \"$.t[0]\"}
";

/// The configuration in which records of a shape are told by their topic; built once, as most of an execution would go
/// into building it.
fn config(shape: Option<Shape>) -> &'static Config {
    static CONFIGS: OnceLock<Vec<Config>> = OnceLock::new();
    let configs = CONFIGS.get_or_init(|| {
        let plain = Config {
            users: Some(Arc::new(Keys::new(|| *b"sixteen byte key"))),
            mappings: Mapping::parse("formats.yaml", HOUSE).expect("the mapping above is valid"),
            ..Config::default()
        };
        let told = Shape::ALL.iter().map(|shape| {
            let mut told = plain.clone();
            told.formats.insert("usage.raw".into(), *shape);
            told
        });
        told.chain([plain.clone()]).collect()
    });
    let place = shape.and_then(|shape| Shape::ALL.iter().position(|known| *known == shape));
    &configs[place.unwrap_or(Shape::ALL.len())]
}

/// Decodes a record and checks that it is accounted for: items are numbered without a gap, every one of them is an event,
/// a fact, a rejection or not billable, and events hold what the rest of the pipeline relies on.
///
/// # Panics
/// When it is not.
pub fn check(payload: &[u8], shape: Option<Shape>, headers: &[(&str, &[u8])]) {
    let record = RawRecord {
        topic: "usage.raw",
        partition: 3,
        offset: 42,
        timestamp: Timestamp::from_millis(1_785_578_400_000),
        key: None,
        headers,
        payload: Some(payload),
    };
    let decoded = decode(&record, config(shape));
    let mut places: Vec<i32> = Vec::new();
    for item in &decoded.items {
        match item {
            Item::Event(event) => {
                assert!(
                    event.usage.iter().all(|used| used.quantity.picos() > 0),
                    "a quantity below or of zero: {event:?}"
                );
                assert!(!event.model.is_empty() && !event.call_key.is_empty(), "nameless: {event:?}");
                assert!(event.raw_usage.len() <= ingest::RAW_USAGE_BYTES_MAX && event.tags.len() <= ingest::TAGS_MAX);
                places.push(event.position.item);
            }
            Item::Fact(fact) => places.push(fact.position.item),
            Item::Rejected(rejection) => {
                assert!(rejection.skeleton.len() <= ingest::SKELETON_BYTES_MAX && !rejection.message.is_empty());
                places.push(rejection.position.item);
            }
            Item::Ignored { item, .. } => places.push(*item),
            Item::Link(link) => assert_ne!(link.weaker, link.stronger),
            Item::Correction(_) => return,
        }
    }
    places.sort_unstable();
    places.dedup();
    let numbered = places.iter().enumerate().all(|(index, place)| usize::try_from(*place) == Ok(index));
    assert!(!places.is_empty() && numbered, "items {places:?} of {decoded:?}");
    assert!(decoded.items.len() <= 60_000, "{} items", decoded.items.len());
}
