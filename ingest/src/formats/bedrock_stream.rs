//! Bedrock's `InvokeModelWithResponseStream` as the API gives it: `{"chunk":{"bytes":"..."}}`, each the base64 of one event of
//! the model's own stream (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_PayloadPart.html>; that the
//! counts stand in the last event, read in public code that consumes them, 2026-11-29).

use schemas::{Flag, RejectReason};

use super::{WRAPPERS_MAX, event};
use crate::assemble::Out;
use crate::envelope::Envelope;
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::problem::{Problem, Result};
use crate::recognise::{Shape, recognise};

const METRICS: &str = "amazon-bedrock-invocationMetrics";

/// True for a chunk: as SDKs give it, or the payload alone as it is on the wire, beside its padding.
pub(crate) fn is_chunk(object: &Object<'_>) -> bool {
    if let Some(chunk) = object.object("chunk") {
        return chunk.string("bytes").is_some();
    }
    // Base64 of what begins like an object.
    let encoded = object.string("bytes").is_some_and(|bytes| bytes.starts_with("ey") || bytes.starts_with("ew"));
    encoded && object.iter().all(|(name, _)| matches!(name, "bytes" | "p"))
}

/// The event within a chunk. Who writes chunks down may have decoded it already.
fn decoded(chunk: &Object<'_>) -> Option<String> {
    let inner = chunk.object("chunk");
    let bytes = inner.as_ref().unwrap_or(chunk).string("bytes")?;
    if bytes.starts_with('{') {
        return Some(bytes.into_owned());
    }
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, bytes.as_bytes()).ok()?;
    String::from_utf8(bytes).ok()
}

/// Decodes the chunks of one call or several. Where Bedrock states its own counts outside a message, they are the bill, and
/// the events before them only contents; of the rest, what says nothing by itself is a piece of what does.
pub(crate) fn read(chunks: &[Object<'_>], mut envelope: Envelope<'_>, wrappers: u8, out: &mut Out<'_>) -> Result<()> {
    if wrappers > WRAPPERS_MAX {
        let message = format!("more than {WRAPPERS_MAX} envelopes within one another");
        return Err(Problem::new(RejectReason::TooLarge, "chunk.bytes", message));
    }
    let texts: Vec<String> = chunks.iter().filter_map(decoded).collect();
    let events = texts.iter().filter_map(|text| Json::parse_object(text.trim_ascii()));
    let events: Vec<_> = events.map(|(json, event)| (json, recognise(&event).map(|found| found.0), event)).collect();
    if events.is_empty() {
        let message = "chunk.bytes is not base64 of a JSON object";
        return Err(Problem::new(RejectReason::Malformed, "chunk.bytes", message));
    }
    if events.len() < chunks.len() {
        envelope.flags.set(Flag::PartialStream);
    }
    let metered =
        |shape: &Option<Shape>, event: &Object<'_>| *shape == Some(Shape::BedrockInvoke) && event.has(METRICS);
    let billed = events.iter().any(|(_, shape, event)| metered(shape, event));
    let kept = events.iter().filter(|(_, shape, event)| if billed { metered(shape, event) } else { shape.is_some() });
    // One a line: JSON holds no end of line but between its tokens.
    let lines: Vec<String> = kept.map(|(json, ..)| json.text().replace(['\r', '\n'], " ")).collect();
    if lines.is_empty() {
        out.recognised(&envelope.wrapped, Shape::BedrockChunk.as_str(), "chunk.bytes");
        chunks.iter().for_each(|_| out.ignore(IgnoreReason::StreamFragment));
        return Ok(());
    }
    envelope.provider.get_or_insert_with(|| "aws.bedrock".into());
    envelope.pass("bedrock.stream_chunk/");
    event::captured(&lines.join("\n"), envelope, wrappers, out)
}
