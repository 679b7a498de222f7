//! Videos of Veo, which are made by a long-running operation
//! (<https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/veo-video-generation> and
//! <https://ai.google.dev/gemini-api/docs/video>; shapes read in public code that polls them, 2026-11-29).

use std::borrow::Cow;

use schemas::{Flag, Meter};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, precedence};
use crate::envelope::{self, Envelope};
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::number::COUNT_MAX;
use crate::problem::Result;
use crate::usage::Counts;

/// True for an operation of a model: its name ends in that of the model and an id.
pub(crate) fn is_operation(object: &Object<'_>) -> bool {
    let named = object.string("name").is_some_and(|name| model(&name).is_some());
    named
        && object
            .iter()
            .all(|(name, _)| matches!(name, "name" | "done" | "response" | "metadata" | "error" | "request"))
}

/// The model in the name of an operation.
fn model(name: &str) -> Option<&str> {
    let (before, _) = name.split_once("/operations/")?;
    let model = before.rsplit_once("models/")?.1;
    model.starts_with("veo-").then_some(model)
}

/// An operation. What is billed is the second, which the answer does not state: only what was asked for says how long a video
/// is. Without that, how many there are is all that is known.
pub(crate) fn operation<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let response = object.object("response").unwrap_or_default();
    let videos = videos(&response);
    if videos == 0 {
        let done = object.get("done").and_then(Json::boolean) == Some(true);
        out.ignore(if done { IgnoreReason::FailedCall } else { IgnoreReason::StatusOnly });
        return Ok(());
    }
    let mut call = Call::new("gemini.video", "video_generation", precedence::PROVIDER);
    let name = envelope::text(object, "name")?.unwrap_or_default();
    call.usual_provider = if name.starts_with("projects/") { "gcp.vertex_ai" } else { "gcp.gemini" };
    call.model = model(&name).map(|model| Cow::Owned(model.to_owned()));
    let mut part = Part::default();
    let parameters = object.object("request").and_then(|request| request.object("parameters")).unwrap_or_default();
    match Counts::new(&parameters, "request.parameters").count("durationSeconds")? {
        Some(seconds) => part.usage.add(Meter::OutputVideoSeconds, seconds.saturating_mul(videos).min(COUNT_MAX)),
        None => part.flags.set(Flag::UsageMissing),
    }
    call.context.resolution = envelope::owned(&parameters, "resolution")?;
    call.raw_usage = Cow::Owned(format!("{{\"videos\":{videos}}}"));
    call.parts = smallvec![part];
    envelope.event_id = Some(name);
    envelope.source = Some(Cow::Borrowed("veo"));
    out.call(call, envelope, json);
    Ok(())
}

/// How many videos an answer holds, where the two APIs put them. What was filtered is not billed.
fn videos(response: &Object<'_>) -> i64 {
    let samples = response.object("generateVideoResponse").and_then(|inner| inner.array("generatedSamples"));
    let found = samples.or_else(|| response.array("videos")).or_else(|| response.array("generatedVideos"));
    i64::try_from(found.unwrap_or_default().len()).unwrap_or(i64::MAX)
}
