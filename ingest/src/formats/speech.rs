//! Speech where others than OpenAI serve it: what Deepgram heard is billed by the second, what MiniMax said by the character
//! (<https://developers.deepgram.com/docs/pre-recorded-audio> and <https://platform.minimax.io/docs/api-reference/speech-t2a-http>, not
//! opened).

use std::borrow::Cow;

use schemas::{Flag, Meter, Text};
use smallvec::smallvec;

use crate::assemble::{Call, Part, precedence};
use crate::envelope::time;
use crate::json::Object;
use crate::problem::{Problem, Result};
use crate::usage::Counts;

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
