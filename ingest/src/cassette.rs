//! Recordings of HTTP as YAML: the cassettes of VCR (Ruby), vcrpy (Python), go-vcr and php-vcr, documents of httpmock (Rust), archives
//! that Polly writes (JavaScript), and what `responses` records (Python). They are read as the JSON they would be (recordings that others
//! published, read 2026-11-30; those of php-vcr and `responses` from knowledge of them).

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::json::{self, Json, Object};

/// What the first line of a recording begins with, after the marks of documents and lists, and what stands further on.
const BEGINNINGS: [(&str, &str); 11] = [
    ("interactions:", "interactions:"),
    // What Pydantic AI records of xAI's own interface.
    ("version:", "stream_chunks_json:"),
    ("version:", "responses_json:"),
    ("stream_chunks:", "stream_chunks_json:"),
    ("http_interactions:", "interactions:"),
    ("version:", "interactions:"),
    ("recorded_with:", "interactions:"),
    ("when:", "then:"),
    ("log:", "entries:"),
    ("responses:", "response:"),
    ("request:", "response:"),
];

/// JSON is at most so many times as long as the YAML it is made of. A name may stand for the same again and again there.
const GROWTH_MAX: usize = 4;

/// The recording as one JSON object; `None` if it is none.
pub(crate) fn json(text: &str) -> Option<String> {
    let mut lines = text.lines().map(|line| line.trim_start_matches(['-', ' ']));
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(['#', '%']))?;
    let mut told = BEGINNINGS.iter().filter(|(beginning, _)| first.starts_with(beginning));
    if !told.any(|(_, further)| text.contains(further)) {
        return None;
    }
    let most = text.len().saturating_mul(GROWTH_MAX);
    let (mut documents, mut length) = (Vec::new(), 0);
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        let mut whole = String::new();
        Written { out: &mut whole, most, named: false }.deserialize(document).ok()?;
        length += whole.len();
        if length > most {
            return None;
        }
        documents.push(whole);
    }
    match &documents[..] {
        [whole] => recording(whole),
        several => listed(several.iter().map(|document| exchange(&Object::of(document)?))),
    }
}

/// A document as the recording it is.
fn recording(whole: &str) -> Option<String> {
    let Some(object) = Object::of(whole) else {
        let exchanges = Json::parse(whole).ok()?.array()?;
        let answered = exchanges.first()?.object().is_some_and(|first| first.has("response"));
        return answered.then(|| format!("{{\"interactions\":{whole}}}"));
    };
    let archive = object.object("log").is_some_and(|log| log.has("entries"));
    if archive || object.first(&["interactions", "http_interactions"]).is_some() {
        return Some(whole.to_owned());
    }
    if let Some(streams) = object.array("stream_chunks_json") {
        return listed(streams.iter().map(|stream| Some(format!("{{\"response\":{{\"chunks\":{}}}}}", stream.text()))));
    }
    if let Some(answers) = object.array("responses_json") {
        return listed(answers.iter().map(|answer| Some(format!("{{\"response\":{}}}", answer.text()))));
    }
    match object.array("responses") {
        Some(answers) => listed(answers.into_iter().map(|answer| Some(answer.text().to_owned()))),
        None => listed(std::iter::once(exchange(&object))),
    }
}

/// Exchanges as one recording.
fn listed(exchanges: impl Iterator<Item = Option<String>>) -> Option<String> {
    let exchanges: Vec<String> = exchanges.collect::<Option<_>>()?;
    (!exchanges.is_empty()).then(|| format!("{{\"interactions\":[{}]}}", exchanges.join(",")))
}

/// What httpmock answers to what was asked, in the words of the others.
fn exchange(mock: &Object<'_>) -> Option<String> {
    let (asked, answered) = (mock.object("when")?, mock.object("then")?);
    let mut whole = String::from("{");
    for (name, side) in [("request", asked), ("response", answered)] {
        json::put_field(&mut whole, name, "{");
        for (name, value) in side.iter() {
            let name = match name {
                "header" => "headers",
                "path" => "url",
                name => name,
            };
            json::put_field(&mut whole, name, value.text());
        }
        whole.push('}');
    }
    whole.push('}');
    Some(whole)
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
