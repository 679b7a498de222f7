//! Alibaba's own interface to Qwen and others (DashScope): an output beside its usage, and never the model. The cache is inside
//! the input, reasoning inside the output; images, sounds and videos are inside the input unless the total says that they stand
//! beside it, as with embeddings of several kinds (<https://www.alibabacloud.com/help/en/model-studio/qwen-api-via-dashscope>, not
//! opened; answers that others published, read 2026-11-29).

use std::borrow::Cow;

use schemas::{Flag, Meter};
use smallvec::smallvec;

use crate::assemble::{Call, Part, precedence};
use crate::envelope;
use crate::json::{NameSet, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw, rest};

static FIELDS: NameSet = NameSet::new(&[
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "input_tokens_details",
    "output_tokens_details",
    "prompt_tokens_details",
    "image_tokens",
    "audio_tokens",
    "video_tokens",
    "image_count",
    "characters",
    // How often a search was made, and the cache under its older name, are read; the size of a picture decides no count.
    "cached_tokens",
    "plugins",
    "width",
    "height",
]);

/// True for an answer of DashScope: usage beside an output, under the id of a request.
pub(crate) fn is_answer(object: &Object<'_>, usage: &Object<'_>) -> bool {
    const COUNTS: [&str; 5] = ["input_tokens", "total_tokens", "image_tokens", "image_count", "characters"];
    object.has("request_id")
        && object.object("output").is_some()
        && !object.has("object")
        && COUNTS.iter().any(|name| usage.has(name))
}

/// A whole answer, or the last frame of a stream, whose counts have grown to the whole.
pub(crate) fn answer<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let output = object.object("output").unwrap_or_default();
    let operation = match () {
        () if output.has("embeddings") => "embeddings",
        () if output.has("results") && !output.has("task_id") => "rerank",
        () if output.has("audio") => "speech",
        () if output.has("task_id") => "image_generation",
        () => "chat",
    };
    let mut call = Call::new("dashscope.generation", operation, precedence::PROVIDER);
    call.usual_provider = "dashscope";
    call.model = envelope::text(object, "model")?;
    call.response_id = envelope::text(object, "request_id")?;
    let value = object.get("usage");
    call.raw_usage = Cow::Borrowed(raw(value));
    let usage =
        value.and_then(|value| value.object()).ok_or_else(|| Problem::missing("usage", "it is what is billed"))?;
    call.parts = smallvec![self::usage(&usage)?];
    Ok(call)
}

fn usage(usage: &Object<'_>) -> Result<Part> {
    let counts = Counts::new(usage, "usage");
    let mut part = Part::default();
    let details = |name: &'static str| counts.inner(name).map(|found| found.unwrap_or_default());
    let (read, prompt) = (details("input_tokens_details")?, details("prompt_tokens_details")?);
    let written = details("output_tokens_details")?;
    let (read, prompt) =
        (Counts::new(&read, "usage.input_tokens_details"), Counts::new(&prompt, "usage.prompt_tokens_details"));
    let written = Counts::new(&written, "usage.output_tokens_details");
    let either = |name: &'static str| -> Result<i64> {
        Ok(counts.or_zero(name)?.max(read.or_zero(name)?).max(prompt.or_zero(name)?))
    };
    let (image, audio, video) = (either("image_tokens")?, either("audio_tokens")?, either("video_tokens")?);
    let cached = either("cached_tokens")?;
    let output = counts.or_zero("output_tokens")?;
    let total = counts.count("total_tokens")?.filter(|total| *total > 0);
    let stated = counts.count("input_tokens")?;
    let others = image + audio + video;
    // Embeddings of texts state the total alone.
    let input = match (stated, total) {
        (Some(input), Some(total)) if total == input + output + others && others > 0 => {
            part.checked = "total = input + images, sounds and videos + output";
            input + others
        }
        (Some(input), Some(total)) if total == input + output => {
            part.checked = "total = input + output";
            input
        }
        (Some(input), Some(total)) => {
            let message = format!(
                "usage.total_tokens is {total} but input_tokens {input} + output_tokens {output} is {}",
                input + output
            );
            return Err(Problem::contradiction("usage.total_tokens", message));
        }
        (Some(input), None) if others > input => input + others,
        (Some(input), None) => input,
        (None, total) => total.unwrap_or(others),
    };
    let parts = [(cached, "cached_tokens"), (image, "image_tokens"), (audio, "audio_tokens"), (video, "video_tokens")];
    let plain = rest(input, "usage.input_tokens", &parts)?;
    let (reasoning, spoken) = (written.or_zero("reasoning_tokens")?, written.or_zero("audio_tokens")?);
    let text = rest(output, "usage.output_tokens", &[(reasoning, "reasoning_tokens"), (spoken, "audio_tokens")])?;
    let vector = &mut part.usage;
    vector.add(Meter::InputTextTokens, plain);
    vector.add(Meter::CacheReadTextTokens, cached);
    vector.add(Meter::InputImageTokens, image);
    vector.add(Meter::InputAudioTokens, audio);
    vector.add(Meter::InputVideoTokens, video);
    vector.add(Meter::OutputTextTokens, text);
    vector.add(Meter::OutputReasoningTokens, reasoning);
    vector.add(Meter::OutputAudioTokens, spoken);
    vector.add(Meter::OutputImages, counts.or_zero("image_count")?);
    vector.add(Meter::InputCharacters, counts.or_zero("characters")?);
    if let Some(search) = usage.object("plugins").and_then(|plugins| plugins.object("search")) {
        vector.add(Meter::WebSearches, Counts::new(&search, "usage.plugins.search").or_zero("count")?);
    }
    if counts.has_unknown(&FIELDS) {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}
