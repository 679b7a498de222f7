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
use crate::usage::{Counts, raw};
use crate::{head, number};

/// True for a transcription of Deepgram: its metadata says what heard how much. They are also the last message of a stream.
pub(crate) fn is_heard(object: &Object<'_>) -> bool {
    let timed = |about: &Object<'_>| about.has("model_info") && about.has("duration");
    (object.has("results") && object.object("metadata").is_some_and(|about| timed(&about)))
        || (object.is("type", "Metadata") && timed(object))
}

/// True for what Deepgram has heard so far: how long all of it is stands in the last message of the stream.
fn is_piece(object: &Object<'_>) -> bool {
    object.is("type", "Results")
        && object.has("channel_index")
        && object.object("metadata").is_some_and(|about| about.has("model_info"))
}

/// A transcription of Deepgram. Several channels may be billed one by one, which the answer does not say.
pub(crate) fn heard<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let about = object.object("metadata").unwrap_or_else(|| object.clone());
    let mut call = Call::new("deepgram.transcription", "transcription", precedence::PROVIDER);
    call.provider = Some(Text::const_new("deepgram"));
    call.usual_provider = "deepgram";
    let model = about.object("model_info").and_then(|models| models.iter().next()?.1.object());
    call.model = model.and_then(|model| model.string("arch").or_else(|| model.string("name")));
    call.model = call.model.filter(|model| model.len() <= crate::TEXT_BYTES_MAX);
    call.response_id = envelope::text(&about, "request_id")?.map(|id| Cow::Owned(id.into_owned()));
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

/// Speech of Inworld, which says how many characters it is billed by (answers that others published, read 2026-11-30).
pub(crate) fn inworld<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let usage = object.object("usage").unwrap_or_default();
    let mut call = Call::new("inworld.speech", "speech", precedence::PROVIDER);
    call.usual_provider = "inworld";
    call.model = envelope::text(&usage, "modelId")?;
    call.raw_usage = Cow::Borrowed(raw(object.get("usage")));
    let mut part = Part::default();
    part.usage.add(Meter::InputCharacters, Counts::new(&usage, "usage").need("processedCharactersCount")?);
    call.parts = smallvec![part];
    Ok(call)
}

/// True for speech of Inworld; of a stream its first piece counts all characters.
pub(crate) fn is_of_inworld(object: &Object<'_>) -> bool {
    object.object("usage").is_some_and(|usage| usage.has("processedCharactersCount"))
}

/// A transcription of Google's Speech-to-Text, which states the time it is billed by as `15s`, in its second version in `metadata`
/// (answers that others published, read 2026-11-30; the second version's from knowledge of it).
pub(crate) fn google<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("google.transcription", "transcription", precedence::PROVIDER);
    call.usual_provider = "gcp.speech";
    let about = object.object("metadata").unwrap_or_default();
    call.response_id = match envelope::text(object, "requestId")? {
        Some(id) => Some(id),
        None => envelope::text(&about, "requestId")?,
    };
    let billed = object.string("totalBilledTime").or_else(|| about.string("totalBilledDuration"));
    let invalid = || Problem::new(RejectReason::InvalidField, "totalBilledTime", "the time is no number of seconds");
    let seconds = match billed {
        Some(text) => Some(number::quantity(text.strip_suffix('s').unwrap_or(&text)).map_err(|_| invalid())?),
        None => None,
    };
    seconds_of(call, seconds)
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
    if is_piece(object) {
        return Some((Shape::Fragment, "a piece of what Deepgram heard"));
    }
    if object.has("totalBilledTime") || object.object("metadata").is_some_and(|about| about.has("totalBilledDuration"))
    {
        return Some((Shape::GoogleSpeech, "totalBilledTime or metadata.totalBilledDuration"));
    }
    if object.has("durationMilliseconds") && object.has("combinedPhrases") {
        return Some((Shape::AzureSpeech, "durationMilliseconds and combinedPhrases"));
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
    seconds_of(call, Counts::new(object, "").quantity("audio_duration")?)
}

/// A transcription of Azure's Speech, billed by the time of sound (answers that others published, read 2026-12-01).
pub(crate) fn azure<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("azure.transcription", "transcription", precedence::PROVIDER);
    call.usual_provider = "azure.ai.speech";
    let milliseconds = Counts::new(object, "").need("durationMilliseconds")?;
    let seconds = number::quantity(&format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000));
    let invalid = || Problem::new(RejectReason::InvalidField, "durationMilliseconds", "the time is no number");
    seconds_of(call, Some(seconds.map_err(|_| invalid())?))
}

/// A transcription of ElevenLabs, billed by the time of sound, which newer answers state
/// (<https://elevenlabs.io/docs/api-reference/speech-to-text/convert>, not opened: written from knowledge).
pub(crate) fn elevenlabs<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("elevenlabs.transcription", "transcription", precedence::PROVIDER);
    call.provider = Some(Text::const_new("elevenlabs"));
    call.usual_provider = "elevenlabs";
    call.response_id = envelope::text(object, "transcription_id")?;
    seconds_of(call, Counts::new(object, "").quantity("audio_duration_secs")?)
}

/// A call that is billed by the length of a sound, where it is stated.
fn seconds_of(mut call: Call<'_>, length: Option<schemas::Quantity>) -> Result<Call<'_>> {
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
