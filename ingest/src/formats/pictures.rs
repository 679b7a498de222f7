//! Images of those who count no tokens: what is billed are the pictures. The forms are those of Stability (also on Bedrock), Nova
//! Canvas, fal and Black Forest Labs (<https://platform.stability.ai/docs/api-reference>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-stability-diffusion.html>,
//! <https://fal.ai/models/fal-ai/flux/dev/api>, <https://docs.bfl.ai/>; not opened: written from knowledge).

use std::borrow::Cow;

use schemas::Meter;
use smallvec::smallvec;

use crate::assemble::{Call, Part, precedence};
use crate::envelope;
use crate::json::{Json, Kind, Object};
use crate::problem::Result;

/// How many pictures an answer holds, who makes answers of that form, and by which fields it was told.
fn told(object: &Object<'_>) -> Option<(usize, &'static str, &'static str)> {
    if object.has("seeds") && object.has("finish_reasons") {
        return Some((texts(object, "images")?, "aws.bedrock", "images, seeds and finish_reasons"));
    }
    if object.has("images") && object.iter().all(|(name, _)| matches!(name, "images" | "maskImage" | "error")) {
        // A list of objects is another's.
        if let Some(images) = texts(object, "images") {
            let encoded = object.array("images")?.iter().all(is_picture);
            return encoded.then_some((images, "aws.bedrock", "images of text"));
        }
    }
    if let Some(artifacts) = object.array("artifacts") {
        let made = |artifact: &Json<'_>| artifact.object().is_some_and(|made| made.has("base64") && made.has("seed"));
        let count = artifacts.iter().filter(|artifact| made(artifact)).count();
        return (count > 0).then_some((count, "stability", "artifacts with base64 and seed"));
    }
    if object.string("image").is_some() && object.has("finish_reason") && object.has("seed") {
        return Some((1, "stability", "image, finish_reason and seed"));
    }
    if object.is("status", "Ready") && object.object("result").is_some_and(|result| result.string("sample").is_some()) {
        return Some((1, "black_forest_labs", "status Ready and result.sample"));
    }
    // Whoever sells things has pictures, too: only what made them says how, or keeps them at fal.
    let made = ["seed", "timings", "has_nsfw_concepts"].iter().any(|name| object.has(name));
    let kept = |image: &Object<'_>| image.string("url").is_some_and(|url| url.contains("fal.media/"));
    let linked = |image: &Json<'_>| {
        let image = image.object().filter(|image| image.has("url"));
        image.is_some_and(|image| kept(&image) || (made && image.has("content_type")))
    };
    let count = object.array("images")?.iter().filter(|image| linked(image)).count();
    (count > 0).then_some((count, "fal", "images with url and content_type"))
}

/// True for a picture in Base64, and not for the name of one (PNG, JPEG, WebP).
fn is_picture(image: &Json<'_>) -> bool {
    ["\"iVBOR", "\"/9j/", "\"\\/9j", "\"UklGR"].iter().any(|beginning| image.text().starts_with(beginning))
}

/// How many elements of a list are texts, if any.
fn texts(object: &Object<'_>, name: &str) -> Option<usize> {
    let count = object.array(name)?.iter().filter(|image| image.kind() == Kind::String).count();
    (count > 0).then_some(count)
}

/// The fields by which pictures are told.
pub(crate) fn evidence(object: &Object<'_>) -> Option<&'static str> {
    const NAMES: [&str; 4] = ["images", "artifacts", "image", "result"];
    NAMES.iter().any(|name| object.has(name)).then(|| told(object))?.map(|(_, _, evidence)| evidence)
}

/// An answer with pictures.
pub(crate) fn answer<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("pictures", "image_generation", precedence::PROVIDER);
    let (count, maker, _) = told(object).unwrap_or((0, "unknown", ""));
    call.usual_provider = maker;
    call.response_id = envelope::text(object, "id")?;
    call.model = envelope::text(object, "model")?;
    let mut part = Part::default();
    part.usage.add(Meter::OutputImages, i64::try_from(count).unwrap_or(i64::MAX));
    call.parts = smallvec![part];
    call.raw_usage = Cow::Owned(format!("{{\"images\":{count}}}"));
    Ok(call)
}
