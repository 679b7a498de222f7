//! Recordings of HTTP as YAML, the cassettes of VCR (Ruby), vcrpy (Python) and go-vcr. They are read as the JSON they would be
//! (recordings that others published, read 2026-11-30).

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::json::{self, Json};

/// What the first line of a recording begins with, after the mark of a document.
const BEGINNINGS: [&str; 4] = ["interactions:", "http_interactions:", "version:", "recorded_with:"];

/// JSON is at most so many times as long as the YAML it is made of. A name may stand for the same again and again there.
const GROWTH_MAX: usize = 4;

/// The recording as one JSON object; `None` if it is none.
pub(crate) fn json(text: &str) -> Option<String> {
    let first = text.lines().find(|line| !line.is_empty() && !line.starts_with(['#', '-', '%']))?;
    let begun = BEGINNINGS.iter().any(|beginning| first.starts_with(beginning));
    if !begun || !text.contains("interactions:") {
        return None;
    }
    let mut whole = String::with_capacity(text.len());
    let yaml = serde_yaml_ng::Deserializer::from_str(text);
    Written { out: &mut whole, most: text.len().saturating_mul(GROWTH_MAX), named: false }.deserialize(yaml).ok()?;
    let is_recording = Json::parse_object(&whole)
        .is_some_and(|(_, object)| object.first(&["interactions", "http_interactions"]).is_some());
    is_recording.then_some(whole)
}

/// Writes a value as JSON, without what that has not: tags (of binary texts, whose Base64 is told by itself), and names that are no
/// texts.
struct Written<'o> {
    out: &'o mut String,
    most: usize,
    /// Whether the value is the name of a field.
    named: bool,
}

impl Written<'_> {
    fn value(&mut self) -> Written<'_> {
        Written { out: &mut *self.out, most: self.most, named: false }
    }

    /// What was written, if it is not too much.
    fn bounded<E: Error>(self) -> Result<(), E> {
        match self.out.len() > self.most {
            true => Err(E::custom("names stand for too much")),
            false => Ok(()),
        }
    }

    fn text<E: Error>(self, text: &str) -> Result<(), E> {
        json::quote(self.out, text);
        self.bounded()
    }

    fn plain<E: Error>(self, value: &str) -> Result<(), E> {
        if self.named {
            return self.text(value);
        }
        self.out.push_str(value);
        Ok(())
    }

    fn end<E: Error>(self, bracket: char) -> Result<(), E> {
        if self.out.ends_with(',') {
            self.out.pop();
        }
        self.out.push(bracket);
        self.bounded()
    }
}

impl<'de> DeserializeSeed<'de> for Written<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Written<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has, too")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.plain("null")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.plain(if value { "true" } else { "false" })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.plain(&value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.plain(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        // What is no number becomes null.
        self.plain(&serde_json::Value::from(value).to_string())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.text(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        if self.named {
            return Err(A::Error::custom("a list is no name"));
        }
        self.out.push('[');
        while list.next_element_seed(self.value())?.is_some() {
            self.out.push(',');
        }
        self.end(']')
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        if self.named {
            return Err(A::Error::custom("an object is no name"));
        }
        self.out.push('{');
        while fields.next_key_seed(Written { named: true, ..self.value() })?.is_some() {
            self.out.push(':');
            fields.next_value_seed(self.value())?;
            self.out.push(',');
        }
        self.end('}')
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let (_, value) = tagged.variant::<IgnoredAny>()?;
        value.newtype_variant_seed(self)
    }
}
