//! Speech where others than OpenAI serve it: what Deepgram, AssemblyAI and ElevenLabs heard is billed by the second, what MiniMax said by the character
//! (<https://developers.deepgram.com/docs/pre-recorded-audio> and <https://platform.minimax.io/docs/api-reference/speech-t2a-http>, not
//! opened).

use std::borrow::Cow;

use schemas::{Flag, Meter, RejectReason, Text};
use smallvec::smallvec;

use crate::assemble::{Call, Part, precedence};
use crate::envelope::{self, time};
use crate::json::Object;
use crate::problem::{Problem, Result};
use crate::recognise::Shape;
use crate::usage::Counts;
use crate::{head, number};

/// True for a transcription of Deepgram: its metadata says what heard how much.
pub(crate) fn is_heard(object: &Object<'_>) -> bool {
    object.has("results")
        && object.object("metadata").is_some_and(|about| about.has("model_info") && about.has("duration"))
}

/// A transcription of Deepgram. Several channels may be billed one by one, which the answer does not say.
pub(crate) fn heard<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let about = object.object("metadata").unwrap_or_default();
    let mut call = Call::new("deepgram.transcription", "transcription", precedence::PROVIDER);
    call.provider = Some(Text::const_new("deepgram"));
    call.usual_provider = "deepgram";
    let model = about.object("model_info").and_then(|models| models.iter().next()?.1.object());
    call.model = model.and_then(|model| model.string("arch").or_else(|| model.string("name")));
    call.model = call.model.filter(|model| model.len() <= crate::TEXT_BYTES_MAX);
    call.time = time(&about, "created")?;
    let counts = Counts::new(&about, "metadata");
    let seconds = counts.quantity("duration")?;
    let seconds = seconds.ok_or_else(|| Problem::missing("metadata.duration", "it is what is billed"))?;
    call.raw_usage = Cow::Owned(format!("{{\"duration\":{seconds}}}"));
    let mut part = Part::default();
    part.usage.add_quantity(Meter::InputAudioSeconds, seconds);
    if counts.or_zero("channels")? > 1 {
        part.flags.set(Flag::UnknownUsageField);
    }
    call.parts = smallvec![part];
    Ok(call)
}

/// True for speech of MiniMax.
pub(crate) fn is_said(object: &Object<'_>) -> bool {
    object.has("base_resp") && object.object("extra_info").is_some_and(|about| about.has("usage_characters"))
}

/// Speech of MiniMax.
pub(crate) fn said<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let about = object.object("extra_info").unwrap_or_default();
    let mut call = Call::new("minimax.speech", "speech", precedence::PROVIDER);
    call.provider = Some(Text::const_new("minimax"));
    call.usual_provider = "minimax";
    let characters = Counts::new(&about, "extra_info").need("usage_characters")?;
    call.raw_usage = Cow::Owned(format!("{{\"usage_characters\":{characters}}}"));
    let mut part = Part::default();
    part.usage.add(Meter::InputCharacters, characters);
    call.parts = smallvec![part];
    Ok(call)
}

/// What a transcription is that is neither OpenAI's nor Deepgram's, or that it is not done.
pub(crate) fn transcribed(object: &Object<'_>) -> Option<(Shape, &'static str)> {
    if object.has("audio_url") && (object.has("audio_duration") || object.has("acoustic_model")) {
        return match object.string("status").as_deref() {
            Some("completed") => Some((Shape::AssemblyAi, "audio_url and audio_duration")),
            Some("error") => Some((Shape::Error, "audio_url and a status of error")),
            Some("queued" | "processing") => Some((Shape::Status, "audio_url and a status of what still runs")),
            _ => None,
        };
    }
    let heard = object.has("language_probability") && object.has("words") && object.has("text");
    heard.then_some((Shape::ElevenLabs, "language_probability and words"))
}

/// A transcription of AssemblyAI, billed by the second of sound (<https://www.assemblyai.com/docs/api-reference/transcripts/get>,
/// not opened; `speech_model_used` as in transcripts that others published, 2026-11-29).
pub(crate) fn assemblyai<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("assemblyai.transcription", "transcription", precedence::PROVIDER);
    call.provider = Some(Text::const_new("assemblyai"));
    call.usual_provider = "assemblyai";
    for name in ["speech_model_used", "speech_model"] {
        if call.model.is_none() {
            call.model = envelope::text(object, name)?;
        }
    }
    call.response_id = envelope::text(object, "id")?;
    seconds(call, Counts::new(object, "").quantity("audio_duration")?)
}

/// A transcription of ElevenLabs, billed by the time of sound, which newer answers state
/// (<https://elevenlabs.io/docs/api-reference/speech-to-text/convert>, not opened: written from knowledge).
pub(crate) fn elevenlabs<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("elevenlabs.transcription", "transcription", precedence::PROVIDER);
    call.provider = Some(Text::const_new("elevenlabs"));
    call.usual_provider = "elevenlabs";
    call.response_id = envelope::text(object, "transcription_id")?;
    seconds(call, Counts::new(object, "").quantity("audio_duration_secs")?)
}

/// A call that is billed by the length of a sound, where it is stated.
fn seconds(mut call: Call<'_>, length: Option<schemas::Quantity>) -> Result<Call<'_>> {
    let mut part = Part::default();
    match length {
        Some(length) => {
            call.raw_usage = Cow::Owned(format!("{{\"duration\":{length}}}"));
            part.usage.add_quantity(Meter::InputAudioSeconds, length);
        }
        None => call.flags.set(Flag::UsageMissing),
    }
    call.parts = smallvec![part];
    Ok(call)
}

/// True for speech with the times of its characters, which are those it is billed by.
pub(crate) fn is_aligned(object: &Object<'_>) -> bool {
    object.has("audio_base64") && object.object("alignment").is_some_and(|alignment| alignment.has("characters"))
}

/// Speech of ElevenLabs that says when each of its characters is heard
/// (<https://elevenlabs.io/docs/api-reference/text-to-speech/convert-with-timestamps>, not opened: written from knowledge).
pub(crate) fn aligned<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let alignment = object.object("alignment").unwrap_or_default();
    let characters = i64::try_from(alignment.array("characters").unwrap_or_default().len()).unwrap_or(i64::MAX);
    Ok(spoken(characters))
}

/// Speech that is billed by the character.
fn spoken<'a>(characters: i64) -> Call<'a> {
    let mut call = Call::new("elevenlabs.speech", "speech", precedence::PROVIDER);
    call.provider = Some(Text::const_new("elevenlabs"));
    call.usual_provider = "elevenlabs";
    call.raw_usage = Cow::Owned(format!("{{\"characters\":{characters}}}"));
    let mut part = Part::default();
    part.usage.add(Meter::InputCharacters, characters);
    call.parts = smallvec![part];
    call
}

/// True for an answer whose head says what ElevenLabs bills for it.
pub(crate) fn is_counted_in_headers(object: &Object<'_>) -> bool {
    object.has("headers") && head::headers(object).is_some_and(|headers| head::header(headers, CHARACTERS).is_some())
}

/// The header with the characters that were billed (<https://elevenlabs.io/docs/api-reference/introduction>, not opened: written
/// from knowledge of the service).
const CHARACTERS: &str = "character-cost";

/// Speech of ElevenLabs: the answer is sound, and its head counts the characters.
pub(crate) fn counted_in_headers<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let headers = head::headers(object).ok_or_else(|| Problem::missing("headers", "they have the count"))?;
    let digits = head::header(headers, CHARACTERS).unwrap_or_default();
    let invalid = || Problem::new(RejectReason::InvalidField, CHARACTERS, "character-cost is no whole number");
    let characters = number::count(&digits).map_err(|_| invalid())?;
    let mut call = spoken(characters);
    call.response_id = head::header(headers, "request-id");
    call.time = head::date(headers);
    Ok(call)
}
