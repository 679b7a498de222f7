//! Alibaba's own interface to Qwen and others (DashScope): an output beside its usage, and never the model. The cache is inside
//! the input, reasoning inside the output; images, sounds and videos are inside the input unless the total says that they stand
//! beside it, as with embeddings of several kinds (<https://www.alibabacloud.com/help/en/model-studio/qwen-api-via-dashscope>, not
//! opened; answers that others published, read 2026-11-29).

use std::borrow::Cow;

use schemas::{Flag, Meter, Quantity};
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
    // Newer ones tell what was drawn from what was read, which is not billed.
    "input_image_count",
    "output_image_count",
    "input_image_type",
    "output_image_type",
    "output_width",
    "output_height",
    "characters",
    // How often a search was made, and the cache under its older name, are read; the size of a picture decides no count.
    "cached_tokens",
    "plugins",
    "x_details",
    "width",
    "height",
    // How long a video or a sound is, and what it looks like.
    "duration",
    "seconds",
    "video_duration",
    "input_video_duration",
    "output_video_duration",
    "inputVideoDuration",
    "outputVideoDuration",
    "video_count",
    "videoCount",
    "video_ratio",
    "ratio",
    "size",
    "fps",
    "audio",
    "SR",
    "sr",
]);

/// True for an answer of DashScope: usage beside an output, under the id of a request.
pub(crate) fn is_answer(object: &Object<'_>, usage: &Object<'_>) -> bool {
    const COUNTS: [&str; 6] =
        ["input_tokens", "total_tokens", "image_tokens", "image_count", "output_image_count", "characters"];
    let counted = || COUNTS.iter().any(|name| usage.has(name)) || lasting(usage).is_some();
    // What was said or drawn at once is told by what it is, where nobody kept the id.
    let made = |output: &Object<'_>| output.object("audio").is_some_and(|audio| audio.has("url") || audio.has("data"));
    let asked = |output: &Object<'_>| object.has("request_id") || output.has("task_status") || made(output);
    object.object("output").is_some_and(|output| asked(&output)) && !object.has("object") && counted()
}

/// How long a video is that was made, or a sound that was heard. A video's length is all of it that is billed, with what was read
/// (<https://www.alibabacloud.com/help/en/model-studio/text-to-video-api-reference>, not opened; tasks that others published, read
/// 2026-11-30).
fn lasting(usage: &Object<'_>) -> Option<&'static str> {
    ["duration", "seconds", "video_duration", "output_video_duration"].into_iter().find(|name| usage.has(name))
}

/// True for the output of a task that made a video.
fn is_video(output: &Object<'_>) -> bool {
    ["video_url", "videoUrl", "results_url"].iter().any(|name| output.has(name))
        || output.object("results").is_some_and(|results| results.has("video_url"))
}

/// True for the output of what was heard: a sentence of a stream, or the transcripts of files.
fn is_heard(output: &Object<'_>) -> bool {
    let transcribed = |first: Object<'_>| first.has("transcription_url") || first.has("subtask_status");
    let spoken = |choice: Object<'_>| {
        let said = choice.object("message").and_then(|message| message.first_of("annotations"));
        said.is_some_and(|about| about.is("type", "audio_info"))
    };
    output.has("sentence")
        || output.first_of("choices").is_some_and(spoken)
        || output.first_of("results").is_some_and(transcribed)
        || output.object("result").is_some_and(transcribed)
        || output.iter().all(|(name, _)| matches!(name, "task_status" | "task_id"))
}

/// A whole answer, or the last frame of a stream, whose counts have grown to the whole.
pub(crate) fn answer<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let output = object.object("output").unwrap_or_default();
    let drawn = object.object("usage").is_some_and(|usage| usage.has("image_count") || usage.has("output_image_count"));
    let operation = match () {
        () if output.has("embeddings") => "embeddings",
        () if is_video(&output) => "video_generation",
        () if is_heard(&output) => "transcription",
        () if output.has("results") && !output.has("task_id") => "rerank",
        // MiniMax' speech is passed on as it came.
        () if output.has("audio") || output.object("data").is_some_and(|data| data.has("audio")) => "speech",
        () if output.has("task_id") || drawn => "image_generation",
        () => "chat",
    };
    let mut call = Call::new("dashscope.generation", operation, precedence::PROVIDER);
    call.usual_provider = "dashscope";
    call.model = envelope::text(object, "model")?;
    // A task is asked for until it is done, each time by another request.
    call.response_id = match envelope::text(&output, "task_id")? {
        Some(task) => Some(Cow::Owned(task.into_owned())),
        None => envelope::text(object, "request_id")?,
    };
    let value = object.get("usage");
    call.raw_usage = Cow::Borrowed(raw(value));
    let usage =
        value.and_then(|value| value.object()).ok_or_else(|| Problem::missing("usage", "it is what is billed"))?;
    let mut part = self::usage(&usage)?;
    if operation == "embeddings" {
        // The pictures are those it read, as tokens.
        part.usage.set(Meter::OutputImages, 0);
    }
    let timed = match operation {
        "video_generation" => Some(Meter::OutputVideoSeconds),
        "transcription" => Some(Meter::InputAudioSeconds),
        _ => None,
    };
    if let (Some(meter), Some(name)) = (timed, lasting(&usage)) {
        let seconds = Counts::new(&usage, "usage").quantity(name)?.unwrap_or(Quantity::ZERO);
        part.usage.add_quantity(meter, seconds);
        part.flags.clear(Flag::UsageMissing);
        let height =
            usage.first(&["SR", "sr"]).and_then(|(_, height)| height.number()).filter(|height| height.len() <= 4);
        call.context.resolution = height.map(|height| format!("{height}p").as_str().into());
    } else if lasting(&usage).is_some() && part.usage.is_empty() {
        part.flags.set(Flag::UsageMissing);
    }
    call.parts = smallvec![part];
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
    vector.add(Meter::OutputImages, counts.or_zero("image_count")?.max(counts.or_zero("output_image_count")?));
    vector.add(Meter::InputCharacters, counts.or_zero("characters")?);
    if let Some(search) = usage.object("plugins").and_then(|plugins| plugins.object("search")) {
        vector.add(Meter::WebSearches, Counts::new(&search, "usage.plugins.search").or_zero("count")?);
    }
    if counts.has_unknown(&FIELDS) {
        part.flags.set(Flag::UnknownUsageField);
    }
    Ok(part)
}
