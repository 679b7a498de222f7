//! Answers that say little of what they are billed by: some count one side of a call, most count nothing. Rejecting them would hide
//! that they were paid for, so each is an event, with what is known of it (forms read in public code and documentation, 2026-11-30).

use std::borrow::Cow;

use schemas::{Flag, Meter};
use smallvec::smallvec;

use crate::assemble::{Call, Part, Tokens, precedence};
use crate::envelope;
use crate::formats::gemini;
use crate::json::{Json, Kind, Object};
use crate::problem::{Problem, Result};
use crate::usage::{Counts, raw};

/// An answer that counts nothing.
struct Uncounted {
    evidence: &'static str,
    provider: &'static str,
    operation: &'static str,
    is: fn(&Object<'_>) -> bool,
}

const UNCOUNTED: [Uncounted; 9] = [
    // What a guardrail stopped before a model read it: what Llama and others are said to have answered counts nothing (recordings
    // that others published, read 2026-12-01).
    Uncounted {
        evidence: "generation and amazon-bedrock-guardrailAction, and no counts",
        provider: "aws.bedrock",
        operation: "chat",
        is: |object| object.is("amazon-bedrock-guardrailAction", "INTERVENED") && object.has("generation"),
    },
    // Billed by units of a thousand characters, for which there is no meter.
    Uncounted {
        evidence: "usage.contentPolicyUnits and the like, and assessments",
        provider: "aws.bedrock",
        operation: "guardrail",
        is: |object| {
            let units = |usage: Object<'_>| usage.has("contentPolicyUnits") || usage.has("topicPolicyUnits");
            object.has("assessments") && object.object("usage").is_some_and(units)
        },
    },
    Uncounted {
        evidence: "sessionId, output.text and citations",
        provider: "aws.bedrock",
        operation: "chat",
        is: |object| {
            object.has("sessionId")
                && object.has("citations")
                && object.object("output").is_some_and(|output| output.has("text"))
        },
    },
    // Models of Mistral, of Cohere and of AI21 on Bedrock, which counts them in the head of the answer alone.
    Uncounted {
        evidence: "outputs of text with a stop_reason",
        provider: "aws.bedrock",
        operation: "chat",
        is: |object| {
            object.iter().all(|(name, _)| name == "outputs")
                && object
                    .first_of("outputs")
                    .is_some_and(|first| first.has("text") && first.get("stop_reason").is_some())
        },
    },
    Uncounted {
        evidence: "generations of text with a finish_reason, and the prompt",
        provider: "aws.bedrock",
        operation: "chat",
        is: |object| {
            object.has("prompt")
                && !object.has("meta")
                && object.first_of("generations").is_some_and(|first| first.has("text") && first.has("finish_reason"))
        },
    },
    Uncounted {
        evidence: "completions of data with a finishReason, and the prompt",
        provider: "ai21",
        operation: "chat",
        is: |object| {
            object.has("prompt")
                && object.first_of("completions").is_some_and(|first| first.has("data") && first.has("finishReason"))
        },
    },
    // Billed by the character, the image and the second of video.
    Uncounted {
        evidence: "predictions of textEmbedding, imageEmbedding or videoEmbeddings",
        provider: "gcp.vertex_ai",
        operation: "embeddings",
        is: |object| {
            const KINDS: [&str; 3] = ["textEmbedding", "imageEmbedding", "videoEmbeddings"];
            object.first_of("predictions").is_some_and(|first| KINDS.iter().any(|kind| first.has(kind)))
        },
    },
    // Lyria: billed by half a minute of music.
    Uncounted {
        evidence: "predictions of sound",
        provider: "gcp.vertex_ai",
        operation: "music_generation",
        is: |object| {
            let sound = |first: &Object<'_>| first.string("mimeType").is_some_and(|kind| kind.starts_with("audio/"));
            object
                .first_of("predictions")
                .is_some_and(|first| (first.has("audioContent") || first.has("bytesBase64Encoded")) && sound(&first))
        },
    },
    // Bedrock's Rerank: billed by the query, of up to a hundred documents; how many it was given is not told.
    Uncounted {
        evidence: "results with an index and a relevanceScore",
        provider: "aws.bedrock",
        operation: "rerank",
        is: |object| {
            // Models that are invoked spell it otherwise, as do others, who count.
            let alone = || object.iter().all(|(name, _)| name == "results");
            let scored = |first: Object<'_>| first.has("relevanceScore") || (first.has("relevance_score") && alone());
            object.first_of("results").is_some_and(|first| first.has("index") && scored(first))
        },
    },
];

fn told(object: &Object<'_>) -> Option<&'static Uncounted> {
    const MARKS: [&str; 8] =
        ["assessments", "citations", "outputs", "generations", "completions", "predictions", "results", "generation"];
    if !MARKS.iter().any(|name| object.has(name)) {
        return None;
    }
    UNCOUNTED.iter().find(|answer| (answer.is)(object))
}

/// The fields by which an answer that counts nothing is told.
pub(crate) fn evidence(object: &Object<'_>) -> Option<&'static str> {
    told(object).map(|answer| answer.evidence)
}

/// An answer that counts nothing: that it was given is known, and by whom.
pub(crate) fn uncounted<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let answer = told(object);
    let mut call = Call::new("uncounted", answer.map_or("chat", |answer| answer.operation), precedence::PROVIDER);
    call.usual_provider = answer.map_or("unknown", |answer| answer.provider);
    call.model = envelope::text(object, "model")?.map(gemini::last_segment);
    if let Some(metadata) = object.object("ResponseMetadata") {
        call.response_id = envelope::text(&metadata, "RequestId")?.map(|id| Cow::Owned(id.into_owned()));
    }
    call.raw_usage = Cow::Borrowed(object.get("usage").map_or("{}", |usage| raw(Some(usage))));
    call.flags.set(Flag::UsageMissing);
    if object.has("usage") {
        call.flags.set(Flag::UnknownUsageField);
    }
    call.parts = smallvec![Part::default()];
    Ok(call)
}

/// True for the text that TwelveLabs wrote about a video, or the end of a stream of it.
pub(crate) fn is_of_twelve_labs(object: &Object<'_>) -> bool {
    let written =
        |usage: Object<'_>| usage.has("output_tokens") && usage.iter().all(|(name, _)| name == "output_tokens");
    let whole = || {
        object.get("data").is_some_and(|data| data.kind() == Kind::String)
            && object.has("id")
            && object.object("usage").is_some_and(written)
    };
    let last = || object.object("metadata").and_then(|about| about.object("usage")).is_some_and(written);
    whole() || (object.is("event_type", "stream_end") && last())
}

/// True for a piece of a stream of TwelveLabs.
pub(crate) fn is_piece_of_twelve_labs(object: &Object<'_>) -> bool {
    (object.is("event_type", "stream_start") && object.has("metadata"))
        || (object.is("event_type", "text_generation") && object.has("text"))
}

/// What TwelveLabs wrote: its tokens are counted, and the video, which is billed by its length, is not
/// (<https://docs.twelvelabs.io/api-reference/analyze-videos>, not opened; its SDKs in public code).
pub(crate) fn twelve_labs<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("twelvelabs.analysis", "chat", precedence::PROVIDER);
    call.usual_provider = "twelvelabs";
    let about = object.object("metadata").unwrap_or_default();
    let value = object.get("usage").or_else(|| about.get("usage"));
    let usage = value.and_then(Json::object).unwrap_or_default();
    call.response_id = match envelope::text(object, "id")? {
        Some(id) => Some(id),
        None => envelope::text(&about, "generation_id")?.map(|id| Cow::Owned(id.into_owned())),
    };
    let output = Counts::new(&usage, "usage").or_zero("output_tokens")?;
    call.raw_usage = Cow::Borrowed(raw(value));
    call.flags.set(Flag::UsageMissing);
    call.parts = smallvec![Tokens { output, ..Tokens::default() }.part("")];
    Ok(call)
}

/// Counts of one way of a prediction of PaLM, and those beneath `metadata.tokenMetadata`.
fn palm_counts<'a>(object: &Object<'a>) -> Option<Object<'a>> {
    object.object("metadata")?.object("tokenMetadata").filter(|counts| counts.has("inputTokenCount"))
}

/// True for an answer of PaLM on Vertex.
pub(crate) fn is_of_palm(object: &Object<'_>) -> bool {
    object.has("predictions") && palm_counts(object).is_some()
}

/// An answer of PaLM on Vertex: tokens in and out; the characters it was billed by stand beside them.
pub(crate) fn palm<'a>(object: &Object<'a>) -> Result<Call<'a>> {
    let mut call = Call::new("vertex.prediction", "chat", precedence::PROVIDER);
    call.usual_provider = "gcp.vertex_ai";
    let counts = palm_counts(object).unwrap_or_default();
    let count = |way: &str| match counts.object(way) {
        Some(tokens) => Counts::new(&tokens, "metadata.tokenMetadata").or_zero("totalTokens"),
        None => Ok(0),
    };
    let (input, output) = (count("inputTokenCount")?, count("outputTokenCount")?);
    call.raw_usage = Cow::Owned(format!("{{\"inputTokenCount\":{input},\"outputTokenCount\":{output}}}"));
    call.parts = smallvec![Tokens { input, output, ..Tokens::default() }.part("")];
    Ok(call)
}

/// What Nova Sonic says of the tokens of a session, alone or as the event it is.
fn sonic_usage<'a>(object: &Object<'a>) -> Option<Object<'a>> {
    object.object("usageEvent").or_else(|| object.object("event")?.object("usageEvent"))
}

/// True for what Nova Sonic says of the tokens of a session.
pub(crate) fn is_of_nova_sonic(object: &Object<'_>) -> bool {
    sonic_usage(object).is_some_and(|usage| usage.has("totalInputTokens") || usage.has("totalTokens"))
}

/// True for another event of a session of Nova Sonic: what was said and heard.
pub(crate) fn is_piece_of_nova_sonic(object: &Object<'_>) -> bool {
    const EVENTS: [&str; 14] = [
        "sessionStart",
        "promptStart",
        "contentStart",
        "textInput",
        "audioInput",
        "toolResult",
        "contentEnd",
        "promptEnd",
        "sessionEnd",
        "completionStart",
        "textOutput",
        "audioOutput",
        "toolUse",
        "completionEnd",
    ];
    object
        .object("event")
        .is_some_and(|event| event.iter().all(|(name, _)| EVENTS.contains(&name)) && !event.is_empty())
}

/// What was used since the last such event: speech and text, both ways; `None` where nothing was. The totals beside it are those of the
/// session so far
/// (<https://docs.aws.amazon.com/nova/latest/userguide/output-events.html>, not opened; events in public code that reads them).
pub(crate) fn nova_sonic<'a>(object: &Object<'a>) -> Result<Option<Call<'a>>> {
    let mut call = Call::new("bedrock.speech_session", "realtime", precedence::PROVIDER);
    call.usual_provider = "aws.bedrock";
    let delta = sonic_usage(object).and_then(|usage| usage.object("details")?.get("delta"));
    if delta.is_none() {
        return Err(Problem::missing("usageEvent.details.delta", "the totals are those of the session so far"));
    }
    let mut part = Part::default();
    for (way, speech, text) in [
        ("input", Meter::InputAudioTokens, Meter::InputTextTokens),
        ("output", Meter::OutputAudioTokens, Meter::OutputTextTokens),
    ] {
        let Some(tokens) = delta.and_then(Json::object).and_then(|delta| delta.object(way)) else { continue };
        let counts = Counts::new(&tokens, "usageEvent.details.delta");
        part.usage.add(speech, counts.or_zero("speechTokens")?);
        part.usage.add(text, counts.or_zero("textTokens")?);
    }
    if part.usage.is_empty() {
        return Ok(None);
    }
    call.raw_usage = Cow::Borrowed(raw(delta));
    call.parts = smallvec![part];
    Ok(Some(call))
}
