//! Media that are billed by what was asked for or how long they are: speech and video.

use std::borrow::Cow;

use schemas::{Flag, Meter};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, precedence};
use crate::envelope::{self, Envelope, time};
use crate::json::{Json, Object};
use crate::problem::{Problem, Result};
use crate::usage::Counts;

/// A captured request for speech. The answer is sound and states no usage: what is billed are the characters of the input
/// (<https://platform.openai.com/docs/api-reference/audio/createSpeech>, checked 2026-11-27). They are counted, not kept.
pub(crate) fn speech_request<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    // The request stands alone, within `request`, or there within its `body`.
    let request = object.object("request");
    let body = request.as_ref().and_then(|request| request.object("body"));
    let text = request.as_ref().and_then(posted).unwrap_or_default();
    let body = Json::parse_object(&text).map(|(_, body)| body).or(body);
    let spoken = body.or(request).unwrap_or_else(|| object.clone());
    let mut call = Call::new("openai.speech_request", "speech", precedence::PROVIDER);
    call.usual_provider = "openai";
    call.model = envelope::text(&spoken, "model")?.map(|model| Cow::Owned(model.into_owned()));
    let input = spoken.string("input").ok_or_else(|| Problem::missing("input", "its characters are what is billed"))?;
    let characters = i64::try_from(input.chars().count()).unwrap_or(i64::MAX);
    let mut part = Part::default();
    part.usage.add(Meter::InputCharacters, characters);
    call.parts = smallvec![part];
    call.raw_usage = Cow::Owned(format!("{{\"characters\":{characters}}}"));
    let envelope = match object.has("request") {
        true => envelope.read(object, out.config)?,
        false => envelope,
    };
    out.call(call, envelope, json);
    Ok(())
}

/// What a recorder keeps of the body of a request for speech, as a text.
pub(crate) fn posted<'a>(request: &Object<'a>) -> Option<Cow<'a, str>> {
    let body = request.get("body")?;
    let text = body.string().or_else(|| body.object()?.string("string"))?;
    (text.starts_with('{') && text.contains("\"voice\"")).then_some(text)
}

/// A generation of Luma's: a video is billed by the second and its resolution, which its request states; a picture by itself
/// (<https://docs.lumalabs.ai/docs/api>, not opened: from knowledge of it).
pub(crate) fn luma<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let picture = object.is("generation_type", "image");
    let operation = if picture { "image_generation" } else { "video_generation" };
    let mut call = Call::new("luma.generation", operation, precedence::PROVIDER);
    call.usual_provider = "luma";
    call.model = envelope::text(object, "model")?;
    call.response_id = envelope::text(object, "id")?;
    call.time = time(object, "created_at")?;
    let asked = object.object("request").unwrap_or_default();
    call.context.resolution = envelope::owned(&asked, "resolution")?;
    let seconds = asked.string("duration").and_then(|text| text.strip_suffix('s')?.parse::<u16>().ok());
    let mut part = Part::default();
    match seconds {
        _ if picture => part.usage.add(Meter::OutputImages, 1),
        Some(seconds) => part.usage.add(Meter::OutputVideoSeconds, seconds.into()),
        None => part.flags.set(Flag::UsageMissing),
    }
    call.raw_usage = Cow::Owned(format!("{{\"seconds\":{}}}", seconds.unwrap_or(0)));
    call.parts = smallvec![part];
    Ok(call)
}

/// A task of Runway's that made something. Neither model nor seconds are told: both were only asked for
/// (<https://docs.dev.runwayml.com/api/>, not opened; tasks that others published, read 2026-11-30).
pub(crate) fn runway<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("runway.task", "video_generation", precedence::PROVIDER);
    call.usual_provider = "runway";
    call.response_id = envelope::text(object, "id")?;
    call.time = time(object, "createdAt")?;
    call.raw_usage = Cow::Borrowed("{}");
    call.flags.set(Flag::UsageMissing);
    call.parts = smallvec![Part::default()];
    Ok(call)
}

/// True for the answer of a model at fal that made a video: it is kept there, and nothing says that it was asked of another
/// (answers that others published, read 2026-11-30).
pub(crate) fn is_fal_video(object: &Object<'_>) -> bool {
    let kept = |video: Object<'_>| video.string("url").is_some_and(|url| url.contains("fal.media/"));
    object.has("video")
        && !["id", "status", "usage", "choices", "images"].iter().any(|name| object.has(name))
        && object.object("video").is_some_and(kept)
}

/// A video that was made at fal. Only some of its models say how long it is; which of them made it is told by the request.
pub(crate) fn fal_video<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("fal.video", "video_generation", precedence::PROVIDER);
    call.usual_provider = "fal";
    call.response_id = envelope::text(object, "request_id")?;
    let video = object.object("video").unwrap_or_default();
    let mut part = Part::default();
    match Counts::new(&video, "video").quantity("duration")? {
        Some(seconds) => {
            part.usage.add_quantity(Meter::OutputVideoSeconds, seconds);
            call.raw_usage = Cow::Owned(format!("{{\"seconds\":\"{seconds}\"}}"));
        }
        None => {
            call.flags.set(Flag::UsageMissing);
            call.raw_usage = Cow::Borrowed("{}");
        }
    }
    call.parts = smallvec![part];
    Ok(call)
}

/// The state of a task of Runway's: its fields are few, and its states are written large.
pub(crate) fn runway_state<'a>(object: &Object<'a>) -> Option<Cow<'a, str>> {
    const FIELDS: [&str; 8] =
        ["id", "status", "createdAt", "output", "progress", "progressRatio", "failure", "failureCode"];
    let told = object.has("createdAt") && object.iter().all(|(name, _)| FIELDS.contains(&name));
    object.string("status").filter(|_| told && object.has("id"))
}

/// A video that is done: billed by the second and its size
/// (<https://platform.openai.com/docs/api-reference/videos/object>, not opened).
pub(crate) fn video<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("openai.video", "video_generation", precedence::PROVIDER);
    call.usual_provider = "openai";
    call.model = envelope::text(object, "model")?;
    call.response_id = envelope::text(object, "id")?;
    call.time = time(object, "created_at")?;
    call.context.size = envelope::owned(object, "size")?;
    let mut part = Part::default();
    // Grok's videos are done with a length and a cost (answers that others published, read 2026-11-29).
    let seconds = match object.object("video") {
        Some(video) => {
            call.usual_provider = "x_ai";
            let usage = object.object("usage").unwrap_or_default();
            call.reported_cost = super::openai::reported_cost(&usage)?;
            Counts::new(&video, "video").quantity("duration")?
        }
        None => Counts::new(object, "").quantity("seconds")?,
    };
    match seconds {
        Some(seconds) => {
            part.usage.add_quantity(Meter::OutputVideoSeconds, seconds);
            call.raw_usage = Cow::Owned(format!("{{\"seconds\":\"{seconds}\"}}"));
        }
        None => call.flags.set(Flag::UsageMissing),
    }
    call.parts = smallvec![part];
    Ok(call)
}
