//! Images, transcriptions, speech and pages of text: counted by tokens, or by the piece, the second and the page.

use std::borrow::Cow;

use schemas::{Flag, Meter, Quantity, Text};
use smallvec::smallvec;

use super::{IMAGES, RESPONSES, SPEECH, call};
use crate::assemble::{Call, Part, precedence};
use crate::envelope;
use crate::formats::families;
use crate::json::{Json, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw};

/// Images: tokens, where the model bills by them; else pieces of a size and quality.
pub(crate) fn image<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut found = call(object, "openai.image", "image_generation", &IMAGES)?;
    // Vertex answers with the images of Imagen as predictions.
    let predictions = object.array("predictions");
    // OpenAI's images do not name their model; others' do, or say which filter saw them (Zhipu).
    let zhipu = object.array("content_filter").is_some();
    let ideogram = || object.first_of("data").is_some_and(|first| first.has("is_image_safe"));
    found.usual_provider = match (&predictions, found.model.as_deref()) {
        (Some(_), _) => "gcp.vertex_ai",
        (None, Some(model)) => families::family(model).unwrap_or("unknown"),
        (None, None) if zhipu => "zai",
        (None, None) if ideogram() => "ideogram",
        (None, None) => "openai",
    };
    // Grok's images state what they cost and no tokens; Seedream's how many they are, which is what is billed. LiteLLM writes zeros
    // where nobody counts tokens (answers that others published, read 2026-11-30).
    let counted = object.object("usage").is_some_and(|usage| usage.has("input_tokens"));
    let counted = counted && !found.parts[0].usage.is_empty();
    if let Some(usage) = object.object("usage").filter(|usage| !counted && usage.has("generated_images")) {
        let images = Counts::new(&usage, "usage").or_zero("generated_images")?;
        found.parts[0].usage.add(Meter::OutputImages, images);
    } else if !counted {
        // What was filtered is not billed.
        let images = match predictions {
            Some(predictions) => predictions.iter().filter(|prediction| is_prediction(prediction)).count(),
            None => object.array("data").unwrap_or_default().len(),
        };
        found.parts[0].usage.add(Meter::OutputImages, i64::try_from(images).unwrap_or(i64::MAX));
        found.raw_usage = Cow::Owned(format!("{{\"images\":{images}}}"));
        found.flags.clear(Flag::UsageMissing);
    }
    found.context.size = envelope::owned(object, "size")?;
    found.context.quality = envelope::owned(object, "quality")?;
    Ok(found)
}

/// True for an image among Vertex's predictions; others say why one was filtered, or how safe the prompt is
/// (<https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api>, documentation only).
pub(crate) fn is_prediction(prediction: &Json<'_>) -> bool {
    prediction.object().is_some_and(|image| {
        (image.has("bytesBase64Encoded") || image.has("gcsUri"))
            && image.string("mimeType").is_some_and(|kind| kind.starts_with("image/"))
    })
}

/// True for what Grok heard: its words are texts with a beginning and an end, in an answer without a task (answers that others published,
/// read 2026-11-30).
pub(crate) fn is_grok_heard(object: &Object<'_>) -> bool {
    const FIELDS: [&str; 4] = ["text", "language", "duration", "words"];
    FIELDS.iter().all(|name| object.has(name))
        && object.iter().all(|(name, _)| FIELDS.contains(&name))
        && object.first_of("words").is_none_or(|word| word.has("text") && word.has("start") && word.has("end"))
}

/// Transcriptions: tokens or seconds.
pub(crate) fn transcription<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let usage_object = object.object("usage").unwrap_or_default();
    if !usage_object.is_empty() && !usage_object.is("type", "duration") {
        let found = call(object, "openai.transcription", "transcription", &RESPONSES)?;
        return Ok(Call { usual_provider: "openai", ..found });
    }
    let mut found = Call::new("openai.transcription", "transcription", precedence::PROVIDER);
    found.usual_provider = if is_grok_heard(object) { "x_ai" } else { "openai" };
    found.model = envelope::text(object, "model")?;
    found.provider = families::by_fields(object, None).map(Text::const_new);
    if usage_object.is_empty() && object.get("duration").is_none() {
        // Groq says nothing but the text, unless it is asked for more.
        found.flags.set(Flag::UsageMissing);
        found.parts = smallvec![Part::default()];
        return Ok(found);
    }
    // Older and other servers state the length of the audio alone, which is not yet rounded as the provider bills it.
    let seconds = match usage_object.is_empty() {
        true => {
            let seconds = Counts::new(object, "").quantity("duration")?;
            found.raw_usage = Cow::Owned(format!("{{\"duration\":{}}}", raw(object.get("duration"))));
            seconds.ok_or_else(|| Problem::missing("duration", "send the length of the audio in seconds"))?
        }
        false => {
            let seconds = Counts::new(&usage_object, "usage").quantity("seconds")?;
            found.raw_usage = Cow::Borrowed(raw(object.get("usage")));
            seconds.ok_or_else(|| Problem::missing("usage.seconds", "send the billed duration"))?
        }
    };
    let mut part = Part { checked: "", ..Part::default() };
    part.usage.add_quantity(Meter::InputAudioSeconds, seconds);
    found.parts = smallvec![part];
    Ok(found)
}

/// Speech as a stream ends in an event with tokens: text in, audio out
/// (<https://platform.openai.com/docs/api-reference/audio/speech-audio-done-event>, checked 2026-11-22).
pub(crate) fn speech<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let found = call(object, "openai.speech", "speech", &SPEECH)?;
    Ok(Call { usual_provider: "openai", ..found })
}

/// Mistral's text recognition: pages, annotated or not (<https://docs.mistral.ai/api/#tag/ocr>, not opened).
pub(crate) fn ocr<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut found = Call::new("mistral.ocr", "ocr", precedence::PROVIDER);
    found.model = envelope::text(object, "model")?;
    // Upstage's parser of documents counts them in `usage` (<https://console.upstage.ai/api/document-digitization/document-parsing>,
    // not opened: written from knowledge of the service).
    let (name, pages) = match object.has("usage_info") {
        true => ("usage_info", "pages_processed"),
        false => ("usage", "pages"),
    };
    found.usual_provider = if name == "usage" { "upstage" } else { "mistral_ai" };
    found.raw_usage = Cow::Borrowed(raw(object.get(name)));
    let usage_info = object.object(name).unwrap_or_default();
    let counts = Counts::new(&usage_info, name);
    let pages = counts.need(pages)?;
    // Only some may be annotated, which newer answers count (answers that others published, read 2026-12-01). Others annotate all
    // or none.
    let annotated = match counts.count("pages_processed_annotation")?.filter(|annotated| *annotated > 0) {
        Some(annotated) => annotated.min(pages),
        None if object.get("document_annotation").is_some() => pages,
        None => 0,
    };
    let mut part = Part::default();
    part.usage.add(Meter::AnnotatedPages, annotated);
    part.usage.add(Meter::OcrPages, pages - annotated);
    found.parts = smallvec![part];
    Ok(found)
}

/// A session of GPT-Live, billed by the second from its start to its end: events before the last say how many there were so far. The
/// models it asks are calls of their own (<https://developers.openai.com/api/docs/guides/voice-latency-cost>, read in a copy; events
/// that others published, read 2026-11-30). Active and waiting seconds are not told apart.
pub(crate) fn live_session<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut found = Call::new("openai.live_session", "realtime", precedence::PROVIDER);
    found.usual_provider = "openai";
    found.raw_usage = Cow::Borrowed(raw(object.get("usage")));
    let usage = object.object("usage").unwrap_or_default();
    let seconds = Counts::new(&usage, "usage").quantity("seconds")?;
    let mut part = Part::default();
    part.usage.add_quantity(Meter::SessionAudioSeconds, seconds.unwrap_or(Quantity::ZERO));
    found.parts = smallvec![part];
    Ok(found)
}
