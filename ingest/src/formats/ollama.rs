//! Ollama's own API: one's own hardware, so tokens add no marginal cost
//! (<https://github.com/ollama/ollama/blob/main/docs/api.md>, checked 2026-11-22).

use std::borrow::Cow;

use schemas::{CostBasis, Meter};
use smallvec::smallvec;

use crate::assemble::{Call, Part, precedence};
use crate::envelope::{self, time};
use crate::json::Object;
use crate::problem::Result;
use crate::usage::Counts;

/// The last (or only) object of `generate`, `chat` and `embed`.
pub(crate) fn response<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let operation = if object.has("embeddings") { "embeddings" } else { "chat" };
    let mut call = Call::new("ollama.generate", operation, precedence::PROVIDER);
    call.usual_provider = "ollama";
    call.cost_basis = Some(CostBasis::SelfHosted);
    call.model = envelope::text(object, "model")?;
    call.time = time(object, "created_at")?;
    let counts = Counts::new(object, "");
    let (input, output) = (counts.or_zero("prompt_eval_count")?, counts.or_zero("eval_count")?);
    call.raw_usage = Cow::Owned(format!("{{\"prompt_eval_count\":{input},\"eval_count\":{output}}}"));
    let mut part = Part::default();
    part.usage.add(Meter::InputTextTokens, input);
    part.usage.add(Meter::OutputTextTokens, output);
    call.parts = smallvec![part];
    Ok(call)
}
