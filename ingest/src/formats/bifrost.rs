//! Log entries of Bifrost: its own counts, those of OpenAI's chat with what was written to and read from a cache inside the prompt
//! (`framework/logstore/tables.go` of <https://github.com/maximhq/bifrost>, read 2026-11-29). Its id is that of the request, not of
//! the answer.

use std::borrow::Cow;

use schemas::CostBasis;
use smallvec::smallvec;

use crate::assemble::{Call, Out, precedence};
use crate::envelope::{self, Envelope, provider_name, time};
use crate::formats::openai;
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::problem::Result;

/// True for an entry: what was called stands beside how it ended and which key it took.
pub(crate) fn is_entry(object: &Object<'_>) -> bool {
    object.has("provider")
        && object.has("status")
        && object.has("timestamp")
        && (object.has("token_usage") || (object.has("selected_key_id") && object.has("number_of_retries")))
        && !object.has("usage")
}

pub(crate) fn entry<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    // Rows of its database hold it as text.
    let kept = object.get("token_usage").map(|value| value.string().unwrap_or(Cow::Borrowed(value.text())));
    let kept = kept.unwrap_or_default();
    let usage = Json::parse_object(&kept).map(|(_, usage)| usage).unwrap_or_default();
    if usage.is_empty() {
        let running = object.is("status", "processing");
        out.ignore(if running { IgnoreReason::StatusOnly } else { IgnoreReason::FailedCall });
        return Ok(());
    }
    let kind = object.string("object").or_else(|| object.string("object_type"));
    let operation = match kind.as_deref() {
        Some("embedding" | "list") => "embeddings",
        Some("text.completion" | "text_completion") => "text_completion",
        Some(kind) if kind.contains("speech") => "speech",
        Some(kind) if kind.contains("transcription") => "transcription",
        Some(kind) if kind.contains("image") => "image_generation",
        _ => "chat",
    };
    let mut call = Call::new("bifrost.log", operation, precedence::GATEWAY);
    call.provider = envelope::text(object, "provider")?.map(|name| provider_name(&name));
    call.model = envelope::text(object, "model")?;
    call.requested_model = envelope::owned(object, "alias")?;
    call.time = time(object, "timestamp")?;
    call.raw_usage = Cow::Owned(kept.clone().into_owned());
    call.parts = smallvec![openai::usage(&usage, &openai::CHAT, call.model.as_deref().unwrap_or(""))?];
    call.reported_cost = envelope::cost(object, "cost", "estimate_at_list_price")?;
    if object.object("cache_debug").is_some_and(|cache| cache.get("cache_hit").and_then(Json::boolean) == Some(true)) {
        call.cost_basis = Some(CostBasis::GatewayCache);
    }
    envelope.event_id = envelope::text(object, "id")?;
    envelope.source = Some(Cow::Borrowed("bifrost"));
    envelope.key_id = match envelope::owned(object, "virtual_key_name")? {
        Some(key) => Some(key),
        None => envelope::owned(object, "virtual_key_id")?,
    };
    envelope.claimed.team = envelope::owned(object, "team_name")?;
    envelope.claimed.customer = envelope::owned(object, "customer_name")?;
    envelope.claimed.business_unit = envelope::owned(object, "business_unit_name")?;
    if let Some(user) = envelope::text(object, "user_id")? {
        envelope.claim_user(&user, out.config);
    }
    out.call(call, envelope, json);
    Ok(())
}
