//! Text Generation Inference's own API (`/generate`, `/generate_stream`): hardware that is paid by the hour, so tokens add no
//! marginal cost. Fields: its published OpenAPI document (`docs/openapi.json` of huggingface/text-generation-inference,
//! `Details`), read 2026-11-29; `input_length` is not verified.

use std::borrow::Cow;

use schemas::{CostBasis, Flag, Meter};
use smallvec::smallvec;

use crate::assemble::{Call, Part, precedence};
use crate::json::Object;
use crate::problem::{Problem, Result};
use crate::usage::Counts;

/// True for a frame of a stream: one token, beside the text and the details that only the last frame has.
pub(crate) fn is_frame(object: &Object<'_>) -> bool {
    object.object("token").is_some_and(|token| token.has("id") && token.has("text"))
        && (object.has("generated_text") || object.has("details"))
}

/// True for a whole answer that was asked for its details.
pub(crate) fn is_answer(object: &Object<'_>) -> bool {
    object.has("generated_text") && object.object("details").is_some_and(|details| details.has("generated_tokens"))
}

/// A whole answer. What was generated is counted; the tokens of the prompt are stated as `input_length` by the end of a
/// stream, or listed in `prefill` where the request wanted them. Otherwise nobody states them: `usage_missing`.
pub(crate) fn response<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("tgi.generate", "text_completion", precedence::PROVIDER);
    call.usual_provider = "huggingface";
    call.cost_basis = Some(CostBasis::SelfHosted);
    let Some(value) = object.get("details") else {
        // A stream that was not asked for details.
        call.flags.set(Flag::UsageMissing);
        call.parts = smallvec![Part::default()];
        return Ok(call);
    };
    let details = value.object().ok_or_else(|| Problem::wrong_type("details", value, "an object"))?;
    let counts = Counts::new(&details, "details");
    let mut generated = counts.need("generated_tokens")?;
    // Of several attempts the best is the answer, and all of them were generated.
    for other in details.array("best_of_sequences").unwrap_or_default() {
        let other = other.object().ok_or_else(|| Problem::wrong_type("details.best_of_sequences", other, "objects"))?;
        generated += Counts::new(&other, "details.best_of_sequences").or_zero("generated_tokens")?;
    }
    let listed = || details.array("prefill").filter(|prefill| !prefill.is_empty());
    let input = match counts.count("input_length")? {
        Some(input) => Some(input),
        None => listed().map(|prefill| i64::try_from(prefill.len()).unwrap_or(i64::MAX)),
    };
    let mut part = Part::default();
    match input {
        Some(input) => part.usage.add(Meter::InputTextTokens, input),
        None => part.flags.set(Flag::UsageMissing),
    }
    part.usage.add(Meter::OutputTextTokens, generated);
    let stated = input.map_or(String::new(), |input| format!("\"input_length\":{input},"));
    call.raw_usage = Cow::Owned(format!("{{{stated}\"generated_tokens\":{generated}}}"));
    call.parts = smallvec![part];
    Ok(call)
}
