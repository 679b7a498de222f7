//! Recordings of HTTP as YAML, the cassettes of VCR (Ruby), vcrpy (Python) and go-vcr. They are read as the JSON they would be
//! (recordings that others published, read 2026-11-30).

use serde_yaml_ng::Value as Yaml;

/// What the first line of a recording begins with, after the mark of a document.
const BEGINNINGS: [&str; 4] = ["interactions:", "http_interactions:", "version:", "recorded_with:"];

/// The recording as one JSON object; `None` if it is none.
pub(crate) fn json(text: &str) -> Option<String> {
    let first = text.lines().find(|line| !line.is_empty() && !line.starts_with(['#', '-', '%']))?;
    let begun = BEGINNINGS.iter().any(|beginning| first.starts_with(beginning));
    if !begun || !text.contains("interactions:") {
        return None;
    }
    let yaml: Yaml = serde_yaml_ng::from_str(text).ok()?;
    let whole = plain(yaml);
    let listed = ["interactions", "http_interactions"].iter().any(|name| whole.get(name).is_some());
    listed.then(|| whole.to_string())
}

/// The same without what JSON has not: tags (of binary texts, whose Base64 is told by itself), and names that are no texts.
fn plain(yaml: Yaml) -> serde_json::Value {
    match yaml {
        Yaml::Tagged(tagged) => plain(tagged.value),
        Yaml::Sequence(list) => list.into_iter().map(plain).collect(),
        Yaml::Mapping(fields) => {
            let named = |(name, value)| match plain(name) {
                serde_json::Value::String(name) => (name, plain(value)),
                other => (other.to_string(), plain(value)),
            };
            fields.into_iter().map(named).collect::<serde_json::Map<_, _>>().into()
        }
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}
