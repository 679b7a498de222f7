//! Any text, read by our reader of JSON and by `serde_json`: both must take the same texts and find the same in them.
#![no_main]

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

#[path = "../../src"]
#[allow(dead_code, reason = "the decoders use the rest of it")]
mod reader {
    pub(crate) mod json;
}

use reader::json::{self, Json, Kind, Object, Walk};

/// Levels that are gone into one by one; each is read again by `serde_json` from every level above it.
const LEVELS: usize = 12;

/// Deepest nesting that a record may have.
const DEPTH_MAX: usize = 128;

/// The fields of an object as `serde_json` reads them, in the order written.
struct Fields<'a>(Vec<(String, &'a str)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push((name, value.get()));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// How deep the brackets of a well-formed text nest, told byte by byte.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// Both take a text or refuse it, and cut the same document out of it.
fn same_acceptance(text: &str) {
    let ours = Json::parse(text).map(Json::text).map_err(|error| error.to_string());
    let theirs = serde_json::from_str::<&RawValue>(text).map(RawValue::get).map_err(|error| error.to_string());
    assert_eq!(ours, theirs, "{text:?}");
    // What ours refuses it asks `serde_json` about, save where the text is to be an object.
    let wrapped = format!("{{\"\":{text}}}");
    for text in [text, &wrapped] {
        let trimmed = text.trim_ascii();
        let ours = Object::of(text);
        let theirs = serde_json::from_str::<Fields<'_>>(trimmed).ok();
        assert_eq!(ours.as_ref().map(listed), theirs.map(|fields| fields.0), "{text:?}");
        let Some(object) = ours else { continue };
        let depth = depth(trimmed);
        for most in [depth - 1, depth, DEPTH_MAX] {
            assert_eq!(Json::parse_object_within(text, most).is_none(), depth > most, "{text:?} within {most}");
            assert_eq!(json::deeper_than(text.as_bytes(), most), depth > most, "{text:?} within {most}");
        }
        same_fields(&object);
    }
}

fn listed<'a>(object: &Object<'a>) -> Vec<(String, &'a str)> {
    object.fields().map(|(name, value)| (name.into_owned(), value.text())).collect()
}

/// A field is found by its name: of a repeated one the last.
fn same_fields(object: &Object<'_>) {
    let last: std::collections::BTreeMap<&str, Json<'_>> = object.iter().collect();
    for (name, value) in last {
        assert!(object.has(name) && !object.lacks(name), "{name:?} of {object:?}");
        assert_eq!(object.get(name), Some(value).filter(|value| !value.is_null()), "{name:?} of {object:?}");
    }
}

/// The same is found in a value, level by level.
fn same_content(json: Json<'_>, levels: usize) {
    let text = json.text();
    let object = json.object();
    assert_eq!(
        object.as_ref().map(listed),
        serde_json::from_str::<Fields<'_>>(text).ok().map(|fields| fields.0),
        "{text:?}"
    );
    let array = json.array();
    let texts: Option<Vec<&str>> = array.as_ref().map(|array| array.iter().map(|json| json.text()).collect());
    let theirs = serde_json::from_str::<Vec<&RawValue>>(text).ok();
    assert_eq!(texts, theirs.map(|array| array.into_iter().map(RawValue::get).collect()), "{text:?}");
    assert_eq!(json.boolean(), serde_json::from_str(text).ok(), "{text:?}");
    assert_eq!(json.is_null(), text == "null");
    let theirs = serde_json::from_str::<String>(text).ok();
    // A name or text that no string of Unicode is: both refuse it.
    assert_eq!(json.string().map(Cow::into_owned), theirs, "{text:?}");
    if let Some(opened) = json.opened() {
        let opened: Vec<_> = opened.map(|(json, object)| (json.text(), object.as_ref().map(listed))).collect();
        let within = array.iter().flatten().map(|json| (json.text(), json.object().as_ref().map(listed)));
        // It ends at an object with a name that no string is.
        let readable = within.take_while(|(text, object)| object.is_some() || !text.starts_with('{'));
        assert_eq!(opened, readable.collect::<Vec<_>>(), "{text:?}");
    }
    object.iter().for_each(same_fields);
    if levels > 0 {
        object.iter().flat_map(Object::iter).for_each(|(_, value)| same_content(value, levels - 1));
        array.into_iter().flatten().for_each(|value| same_content(value, levels - 1));
    }
}

/// The tree of a value, as walked through; `None` where a name in it is no string.
fn walked(walk: &mut Walk<'_>) -> Option<Value> {
    if walk.enter(b'[') {
        let mut elements = Vec::new();
        while walk.element() {
            elements.push(walked(walk)?);
        }
        return Some(Value::from(elements));
    }
    if walk.enter(b'{') {
        let mut fields = serde_json::Map::new();
        while let Some(name) = walk.field() {
            let value = walked(walk)?;
            fields.insert(name.into_owned(), value);
        }
        return Some(Value::from(fields));
    }
    let value = walk.value()?;
    match value.kind() {
        Kind::String => value.string().map(|text| Value::from(text.into_owned())),
        // Numbers are kept as they are written.
        _ => serde_json::from_str(value.text()).ok(),
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    same_acceptance(text);
    let mut quoted = String::new();
    json::quote(&mut quoted, text);
    assert_eq!(quoted, Value::from(text).to_string());
    let Ok(json) = Json::parse(text) else { return };
    same_content(json, LEVELS);
    // Refused are numbers beyond a double, what nests too deeply, and escapes that no string of Unicode has.
    if let Ok(tree) = serde_json::from_str::<Value>(text) {
        assert_eq!(walked(&mut Walk::new(json)), Some(tree), "{text:?}");
    }
});
