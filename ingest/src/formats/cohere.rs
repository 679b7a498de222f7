//! Cohere: the bill is `billed_units`, never `tokens`, which also counts what Cohere adds to a prompt
//! (<https://docs.cohere.com/docs/how-does-cohere-pricing-work>, checked 2026-11-22).

use std::borrow::Cow;

use schemas::{Flag, Meter};
use smallvec::smallvec;

use crate::assemble::{Call, Part, precedence};
use crate::envelope;
use crate::json::{NameSet, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw};

/// Chat, embed and rerank.
pub(crate) fn response<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("cohere.billed_units", "chat", precedence::PROVIDER);
    call.usual_provider = "cohere";
    call.model = envelope::text(object, "model")?;
    for name in ["id", "response_id", "generation_id"] {
        if call.response_id.is_none() {
            call.response_id = envelope::text(object, name)?;
        }
    }
    let outer = object.object("usage").or_else(|| object.object("meta")).unwrap_or_default();
    let value = outer.get("billed_units").ok_or_else(|| Problem::missing("billed_units", "it is what Cohere bills"))?;
    let units = value.object().ok_or_else(|| Problem::wrong_type("billed_units", value, "an object"))?;
    call.raw_usage = Cow::Borrowed(raw(object.get("usage").or_else(|| object.get("meta"))));
    let counts = Counts::new(&units, "billed_units");
    let mut part = Part::default();
    part.usage.add(Meter::InputTextTokens, counts.or_zero("input_tokens")?);
    part.usage.add(Meter::InputImageTokens, counts.or_zero("image_tokens")?);
    part.usage.add(Meter::OutputTextTokens, counts.or_zero("output_tokens")?);
    part.usage.add(Meter::RerankSearches, counts.or_zero("search_units")?);
    if units.has("search_units") && units.get("search_units").is_some() {
        call.operation = Cow::Borrowed("rerank");
    } else if object.has("embeddings") {
        call.operation = Cow::Borrowed("embeddings");
    }
    static FIELDS: NameSet = NameSet::new(&["input_tokens", "image_tokens", "output_tokens", "search_units"]);
    if counts.has_unknown(&FIELDS) {
        part.flags.set(Flag::UnknownUsageField);
        // Some embedders bill by the image (`images`), for which there is no meter.
        if part.usage.is_empty() {
            part.flags.set(Flag::UsageMissing);
        }
    }
    call.parts = smallvec![part];
    Ok(call)
}
