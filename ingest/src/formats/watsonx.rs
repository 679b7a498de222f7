//! IBM's watsonx.ai where it does not speak like OpenAI: generation, whose results count themselves, and embeddings and
//! reranking, which count once (<https://ibm.github.io/watsonx-ai-node-sdk/interfaces/1_7_x.WatsonXAI.TextGenResponse.html>, read
//! 2026-11-29).

use std::borrow::Cow;

use schemas::{Flag, Meter, Text};
use smallvec::smallvec;

use crate::assemble::{Call, Part, precedence};
use crate::envelope::{self, time};
use crate::json::{Json, Object};
use crate::problem::Result;
use crate::usage::Counts;

/// True for an answer that names a model of watsonx beside results, and counts them.
pub(crate) fn is_answer(object: &Object<'_>) -> bool {
    let first = || object.first_of("results");
    object.has("model_id")
        && object.has("results")
        && (object.has("input_token_count") || first().is_some_and(|first| first.has("generated_token_count")))
}

/// A whole answer, or what its frames add up to.
pub(crate) fn answer<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let results: Vec<Object<'a>> =
        object.array("results").unwrap_or_default().into_iter().filter_map(Json::object).collect();
    let has = |name: &str| results.first().is_some_and(|first| first.has(name));
    let operation = match () {
        () if has("embedding") => "embeddings",
        () if has("score") => "rerank",
        () => "chat",
    };
    let mut call = Call::new("watsonx.generation", operation, precedence::PROVIDER);
    call.provider = Some(Text::const_new("ibm.watsonx.ai"));
    call.model = envelope::text(object, "model_id")?;
    call.time = time(object, "created_at")?;
    let counts = Counts::new(object, "");
    let (mut input, mut output) = (counts.or_zero("input_token_count")?, 0);
    for result in &results {
        let counts = Counts::new(result, "results");
        input += counts.or_zero("input_token_count")?;
        output += counts.or_zero("generated_token_count")?;
    }
    let mut part = Part::default();
    part.usage.add(Meter::InputTextTokens, input);
    part.usage.add(Meter::OutputTextTokens, output);
    if input + output == 0 {
        call.flags.set(Flag::UsageMissing);
    }
    call.raw_usage = Cow::Owned(format!("{{\"input_token_count\":{input},\"generated_token_count\":{output}}}"));
    call.parts = smallvec![part];
    Ok(call)
}

/// The frames of a stream as one answer: each counts what was generated so far, and one of them the input.
pub(crate) fn whole(frames: &[Object<'_>]) -> Option<String> {
    let last = frames.last()?;
    let (mut input, mut output) = (0, 0);
    for frame in frames {
        let first = frame.first_of("results").unwrap_or_default();
        let counts = Counts::new(&first, "results");
        input += counts.or_zero("input_token_count").ok()?;
        output = output.max(counts.or_zero("generated_token_count").ok()?);
    }
    let mut text = format!("{{\"results\":[{{\"input_token_count\":{input},\"generated_token_count\":{output}}}]");
    for name in ["model_id", "created_at"] {
        if let Some(value) = last.get(name) {
            text.push_str(&format!(",\"{name}\":{}", value.text()));
        }
    }
    text.push('}');
    Some(text)
}
