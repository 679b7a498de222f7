//! OpenRouter's record of one generation: what it says about a call once the call is over.

use std::borrow::Cow;

use schemas::{CostBasis, Flag, Meter, Text};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, precedence};
use crate::envelope::{self, Envelope, time};
use crate::json::{Json, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, rest};

/// The answer of `/api/v1/generation?id=`, or what is in its `data`. Billed are the native counts, in which the cache is
/// inside the prompt, and reasoning and images inside the completion; `tokens_prompt` and `tokens_completion` are the
/// same texts in another tokenizer. Its id is that of the answer, so both are copies of one call; the answer tells cache
/// writes and audio apart, so it stands before this record. <https://openrouter.ai/docs/api-reference/get-a-generation>,
/// checked 2026-11-28.
pub(crate) fn generation<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let inner = object.object("data");
    let record = inner.as_ref().unwrap_or(object);
    let operation = match record.string("api_type").as_deref() {
        Some("embeddings") => "embeddings",
        Some("rerank") => "rerank",
        Some("tts") => "speech",
        Some("stt") => "transcription",
        Some("image") => "image_generation",
        _ => "chat",
    };
    let mut call = Call::new("openrouter.generation", operation, precedence::GATEWAY);
    // Vercel's gateway answers with the same record (<https://vercel.com/docs/ai-gateway/usage>, not opened; 2026-11-29).
    let vercel = record.string("id").is_some_and(|id| id.starts_with("gen_"));
    call.provider = Some(Text::const_new(if vercel { "vercel" } else { "openrouter" }));
    call.model = envelope::text(record, "model")?;
    call.response_id = envelope::text(record, "id")?;
    if vercel {
        envelope.event_id = call.response_id.as_ref().map(|id| Cow::Owned(id.clone().into_owned()));
        envelope.source = Some(Cow::Borrowed("vercel"));
    }
    if call.response_id.is_none() {
        return Err(Problem::missing("id", "send the whole record: its id says which call it is"));
    }
    call.time = time(record, "created_at")?;
    call.context.service_tier = envelope::owned(record, "service_tier")?;
    call.reported_cost = envelope::cost(record, "total_cost", "billed_by_provider")?;
    if record.get("is_byok").and_then(Json::boolean) == Some(true) {
        call.cost_basis = Some(CostBasis::BringYourOwnKey);
    }
    let part = usage(record)?;
    if part.usage.is_empty() {
        call.flags.set(Flag::UsageMissing);
    }
    call.parts = smallvec![part];
    // The counts stand among other fields, so the usage object that is kept is put together here.
    let counts = record.iter().filter(|(name, value)| name.contains("tokens_") && !value.is_null());
    let counts: Vec<String> = counts.map(|(name, value)| format!("\"{name}\":{}", value.text())).collect();
    call.raw_usage = Cow::Owned(format!("{{{}}}", counts.join(",")));
    if let Some(user) = envelope::text(record, "external_user")? {
        envelope.claim_user(&user, out.config);
    }
    out.call(call, envelope, json);
    Ok(())
}

fn usage(record: &Object<'_>) -> Result<Part> {
    const COUNTS: &[&str] = &[
        "tokens_prompt",
        "tokens_completion",
        "native_tokens_prompt",
        "native_tokens_completion",
        "native_tokens_completion_images",
        "native_tokens_reasoning",
        "native_tokens_cached",
    ];
    let counts = Counts::new(record, "");
    // Where there are no native counts, the others are all that is known.
    let either = |native: &'static str, other: &'static str| -> Result<(i64, &'static str)> {
        Ok(match counts.count(native)? {
            Some(count) => (count, native),
            None => (counts.or_zero(other)?, other),
        })
    };
    let (prompt, prompt_name) = either("native_tokens_prompt", "tokens_prompt")?;
    let (completion, completion_name) = either("native_tokens_completion", "tokens_completion")?;
    let cached = counts.or_zero("native_tokens_cached")?;
    let reasoning = counts.or_zero("native_tokens_reasoning")?;
    let images = counts.or_zero("native_tokens_completion_images")?;
    let mut part = Part { checked: "prompt = uncached + cached", ..Part::default() };
    let vector = &mut part.usage;
    vector.add(Meter::InputTextTokens, rest(prompt, prompt_name, &[(cached, "native_tokens_cached")])?);
    vector.add(Meter::CacheReadTextTokens, cached);
    // More reasoning than was written at all was counted otherwise; billed is what was written.
    let reasoning = if reasoning > completion {
        part.flags.set(Flag::TotalMismatch);
        0
    } else {
        reasoning
    };
    let vector = &mut part.usage;
    let inside = [(reasoning, "native_tokens_reasoning"), (images, "native_tokens_completion_images")];
    vector.add(Meter::OutputTextTokens, rest(completion, completion_name, &inside)?);
    vector.add(Meter::OutputReasoningTokens, reasoning);
    vector.add(Meter::OutputImageTokens, images);
    vector.add(Meter::WebFetches, counts.or_zero("num_fetches")?);
    // Searches are billed by the result, for which there is no meter; and a count of a new name may be billed too.
    let new = record.iter().any(|(name, value)| {
        name.contains("tokens_") && !COUNTS.contains(&name) && !matches!(value.text(), "0" | "null")
    });
    if new || counts.or_zero("num_search_results")? > 0 {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}
