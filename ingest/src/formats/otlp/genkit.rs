//! Genkit's spans: a step of type `model` has its answer as JSON in `genkit:output`, with counts in Genkit's own names. Flows, tools
//! and the helpers around a model are steps of other types (<https://genkit.dev/docs/observability/telemetry-collection/>, not opened;
//! what reads the spans in public code, 2026-11-29).

use std::borrow::Cow;

use schemas::Text;
use smallvec::smallvec;

use super::batch::{Attributes, Value};
use super::names::{self, names};
use crate::assemble::{Call, Part, Tokens, precedence};
use crate::envelope::{self, provider_name};
use crate::json::{Json, Object};
use crate::problem::Result;
use crate::usage::{Counts, rest};

/// The call in a span of a model; `None` for other spans, and where the span says what it used in the names of the conventions, too.
pub(super) fn call(attributes: &Attributes<'_>) -> Result<Option<Call<'static>>> {
    if attributes.text(names!["genkit:metadata:subtype"]).as_deref() != Some("model") || attributes.has(names::INPUT) {
        return Ok(None);
    }
    let Some((_, Value::Text(output))) = attributes.get(names!["genkit:output"]) else { return Ok(None) };
    let Some(answer) = Json::parse(output).ok().and_then(Json::object) else { return Ok(None) };
    let Some(usage) = answer.object("usage").filter(|usage| usage.has("inputTokens")) else { return Ok(None) };
    let mut call = Call::new("otlp.traces", "chat", precedence::SPAN);
    // `googleai/gemini-2.5-flash`: the plugin that serves a model, and its name there.
    let name = attributes.text(names!["genkit:name"]).unwrap_or_default();
    let (plugin, model) = name.split_once('/').unwrap_or(("", &name));
    call.provider = Some(plugin).filter(|plugin| !plugin.is_empty()).map(provider_name);
    call.requested_model = Some(Text::from(model)).filter(|model| !model.is_empty());
    let native = answer.object("custom").or_else(|| answer.object("raw")).unwrap_or_default();
    let said = |field: &str| envelope::text(&native, field).ok().flatten().map(|text| Cow::Owned(text.into_owned()));
    call.model = said("modelVersion").or_else(|| said("model")).or_else(|| Some(Cow::Owned(model.to_owned())));
    call.response_id = said("responseId").or_else(|| said("id"));
    call.raw_usage = Cow::Owned(answer.get("usage").map(|usage| usage.text().to_owned()).unwrap_or_default());
    call.parts = smallvec![part(&usage)?];
    Ok(Some(call))
}

/// The cache is inside the input, thoughts are beside the output unless the total says otherwise.
fn part(usage: &Object<'_>) -> Result<Part> {
    let counts = Counts::new(usage, "usage");
    let (input, output) = (counts.or_zero("inputTokens")?, counts.or_zero("outputTokens")?);
    let (cache_read, reasoning) = (counts.or_zero("cachedContentTokens")?, counts.or_zero("thoughtsTokens")?);
    let inside = counts.count("totalTokens")? == Some(input + output) && reasoning <= output;
    let output = if inside { output - reasoning } else { output };
    let input = rest(input, "usage.inputTokens", &[(cache_read, "usage.cachedContentTokens")])?;
    Ok(Tokens { input, cache_read, output, reasoning, ..Tokens::default() }.part("input = uncached + cache read"))
}
