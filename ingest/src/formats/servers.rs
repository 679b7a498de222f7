//! Servers one runs oneself, where they do not speak like OpenAI: tokens add no marginal cost.
//! SGLang's `/generate` (<https://docs.sglang.io/basic_usage/native_api.html>), llama.cpp's `/completion`
//! (<https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md>) and LM Studio's `/api/v1/chat`
//! (<https://lmstudio.ai/docs/developer/rest/chat>); none of the pages was opened, answers that others published were read
//! 2026-11-29. Meta's API of Llama counts in a way of its own, too, which Llama Stack took from it.

use std::borrow::Cow;

use schemas::{CostBasis, Flag, Meter};
use smallvec::smallvec;

use crate::assemble::{Call, Part, Tokens, precedence};
use crate::envelope;
use crate::json::{Json, Object};
use crate::problem::Result;
use crate::usage::{Counts, raw, rest};

/// SGLang counts in `meta_info`: the cache is inside the prompt, reasoning inside the completion.
pub(crate) fn sglang<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let about = object.object("meta_info").unwrap_or_default();
    let counts = Counts::new(&about, "meta_info");
    let (input, output) = (counts.need("prompt_tokens")?, counts.or_zero("completion_tokens")?);
    call(
        "sglang.generate",
        "sglang",
        None,
        [input, counts.or_zero("cached_tokens")?, output, counts.or_zero("reasoning_tokens")?],
    )
}

/// llama.cpp counts the prompt and what it predicted; what of the prompt came from its cache is in `timings` (`tokens_cached` is
/// where the cache ends, which is past the answer).
pub(crate) fn llama_cpp<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let counts = Counts::new(object, "");
    let timings = object.object("timings").unwrap_or_default();
    let cached = Counts::new(&timings, "timings").or_zero("cache_n")?;
    let counted = [counts.need("tokens_evaluated")?, cached, counts.or_zero("tokens_predicted")?, 0];
    call("llama_cpp.completion", "llama_cpp", envelope::text(object, "model")?, counted)
}

/// LM Studio counts in `stats`: reasoning is inside the output.
pub(crate) fn lm_studio<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let stats = object.object("stats").unwrap_or_default();
    let counts = Counts::new(&stats, "stats");
    let (output, reasoning) = (counts.or_zero("total_output_tokens")?, counts.or_zero("reasoning_output_tokens")?);
    let model = envelope::text(object, "model_instance_id")?;
    call("lm_studio.chat", "lm_studio", model, [counts.need("input_tokens")?, 0, output, reasoning])
}

/// True for an answer of Meta's API of Llama or of Llama Stack, whole or the last event of a stream.
pub(crate) fn is_llama(object: &Object<'_>) -> bool {
    (object.has("completion_message") || object.has("event"))
        && object.first_of("metrics").is_some_and(|first| first.has("metric") && first.has("value"))
}

/// Its counts are a list of metrics by name. Meta's API names no model; Llama Stack does with each of them, and who serves it
/// (<https://llama.developer.meta.com/docs/api/chat/>, not opened; answers others published, read 2026-11-30).
pub(crate) fn llama<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("llama.completion", "chat", precedence::PROVIDER);
    call.usual_provider = "meta_llama";
    call.response_id = envelope::text(object, "id")?;
    let mut tokens = Tokens::default();
    for metric in object.array("metrics").unwrap_or_default().into_iter().filter_map(Json::object) {
        let value = |slot: &mut i64| Counts::new(&metric, "metrics").need("value").map(|count| *slot = count);
        match metric.string("metric").as_deref() {
            Some("num_prompt_tokens" | "prompt_tokens") => value(&mut tokens.input)?,
            Some("num_completion_tokens" | "completion_tokens") => value(&mut tokens.output)?,
            _ => {}
        }
        if let Some(about) = metric.object("attributes").filter(|_| call.model.is_none()) {
            call.model = envelope::text(&about, "model_id")?;
            call.provider = envelope::text(&about, "provider_id")?.map(|name| envelope::provider_name(&name));
            call.time = envelope::time(&metric, "timestamp").unwrap_or(None);
        }
    }
    call.raw_usage = Cow::Borrowed(raw(object.get("metrics")));
    call.parts = smallvec![tokens.part("")];
    Ok(call)
}

/// True for what KoboldCpp generates: each of its results is counted.
pub(crate) fn is_kobold_cpp(object: &Object<'_>) -> bool {
    let first = object.first_of("results");
    first.is_some_and(|first| first.has("text") && first.has("prompt_tokens") && first.has("completion_tokens"))
}

/// KoboldCpp counts in its one result, and never names the model
/// (<https://lite.koboldai.net/koboldcpp_api>, not opened: from knowledge of it).
pub(crate) fn kobold_cpp<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let first = object.first_of("results").unwrap_or_default();
    let counts = Counts::new(&first, "results");
    let counted = [counts.or_zero("prompt_tokens")?, 0, counts.or_zero("completion_tokens")?, 0];
    call("koboldcpp.generate", "koboldcpp", None, counted)
}

/// Input, what of it came from a cache, output, and what of it was reasoning.
fn call<'a>(
    extractor: &'static str,
    server: &'static str,
    model: Option<Cow<'a, str>>,
    [input, cached, output, reasoning]: [i64; 4],
) -> Result<Call<'a>> {
    let mut call = Call::new(extractor, "chat", precedence::PROVIDER);
    call.usual_provider = server;
    call.cost_basis = Some(CostBasis::SelfHosted);
    call.model = model;
    call.raw_usage =
        Cow::Owned(format!("{{\"input\":{input},\"cached\":{cached},\"output\":{output},\"reasoning\":{reasoning}}}"));
    let mut part = Part::default();
    part.usage.add(Meter::InputTextTokens, rest(input, "the prompt", &[(cached, "what of it was cached")])?);
    part.usage.add(Meter::CacheReadTextTokens, cached);
    part.usage.add(Meter::OutputTextTokens, rest(output, "the output", &[(reasoning, "its reasoning")])?);
    part.usage.add(Meter::OutputReasoningTokens, reasoning);
    if input + output == 0 {
        call.flags.set(Flag::UsageMissing);
    }
    call.parts = smallvec![part];
    Ok(call)
}
