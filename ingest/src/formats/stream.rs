//! Captured streams: text of server-sent events, arrays of chunks, chunks one a line. Frames of one call are put
//! together first: a later count replaces an earlier one (they are cumulative), a frame without a count changes nothing.

use crate::assemble::Out;
use crate::envelope::Envelope;
use crate::formats::{self, bedrock_agent, codex, gemini_cli, opencode};
use crate::item::IgnoreReason;
use crate::json::{Json, Kind, Object};
use crate::problem::Result;
use crate::recognise::{Shape, captured, recognise};

mod documents;
mod frames;
mod whole;

pub use documents::is_table;
pub(crate) use documents::{
    Document, documents, documents_within, head_and_body, is_event_stream, joined, lines, logged, malformed,
    on_one_line,
};
use frames::{Family, Stream, frame};
pub(super) use whole::{overlay, overlay_counts};

/// True for a frame of no known type that holds nothing which could be usage.
fn is_filler(object: &Object<'_>) -> bool {
    let large = |(_, value): (&str, Json<'_>)| matches!(value.kind(), Kind::Object | Kind::Array);
    object.string("type").is_some() && !object.iter().any(large)
}

/// Decodes documents in order; runs of frames that belong together become one item.
pub(crate) fn items<'a>(
    documents: Vec<Result<Document<'a>>>,
    hint: Option<Shape>,
    envelope: Envelope<'a>,
    wrappers: u8,
    out: &mut Out<'_>,
) {
    let mut open: Option<Stream<'a>> = None;
    // What a document says about those after it: the model of a Realtime session, session and model of a transcript.
    let mut context = envelope;
    // The model that transcribes what is said in a session; it is another than the session's.
    let mut transcriber = None;
    let mut traced = false;
    // A workflow of Dify tells of each node that asked a model, and at its end adds them up.
    let mut of_a_workflow = false;
    let count = documents.len();
    let many = count > 1;
    for (index, document) in documents.into_iter().enumerate() {
        if let Err(problem) = out.room("") {
            return out.reject(problem, None);
        }
        let Document { json, object } = match document {
            Ok(document) => document,
            Err(_) if open.is_some() => {
                // The capture broke off within a frame.
                open.as_mut().into_iter().for_each(|stream| stream.cut = true);
                continue;
            }
            Err(problem) => {
                out.reject(problem, None);
                continue;
            }
        };
        let object = object.or_else(|| json.object());
        if many && let Some(object) = &object {
            of_a_workflow |= object.is("event", "workflow_started");
            if of_a_workflow && object.is("event", "message_end") {
                out.ignore(IgnoreReason::RunSummary);
                continue;
            }
        }
        let shape = object.as_ref().and_then(|object| told(object, hint));
        // Among the steps of a turn, what an agent says in the end counts nothing.
        if traced && object.as_ref().is_some_and(bedrock_agent::is_said) {
            out.ignore(IgnoreReason::StreamFragment);
            continue;
        }
        let frame = object.as_ref().and_then(|object| {
            let whole = || open.as_ref().is_some_and(|stream| stream.ends_in(object, shape));
            frame(object, shape, many).or_else(|| whole().then_some((Family::OpenAiChat, None)))
        });
        if let (Some(object), Some((shape, _))) = (&object, shape) {
            match shape {
                Shape::CodexTranscript => codex::context(object, &mut context),
                Shape::Opencode => opencode::context(object, &mut context),
                Shape::BedrockAgent => {
                    traced = true;
                    bedrock_agent::context(object, &mut context);
                }
                Shape::GeminiCliChat => gemini_cli::chat_context(object, &mut context),
                Shape::OpenAiResponseEvent if object.has("session") => {
                    transcriber = transcriber.or_else(|| transcribing(object));
                    context.model = context.model.or_else(|| session_model(object));
                }
                // Events that were logged in an envelope each.
                Shape::Envelope if many && json.text().contains("\"session.") => {
                    if let Some(event) = captured(object).and_then(|(_, event)| event.object()) {
                        transcriber = transcriber.or_else(|| transcribing(&event));
                        context.model = context.model.or_else(|| session_model(&event));
                    }
                }
                Shape::GeminiLive => {
                    let model = object.object("setup").and_then(|setup| setup.string("model"));
                    let model = model.filter(|model| model.len() <= crate::TEXT_BYTES_MAX);
                    let name = model.as_deref().and_then(|model| model.rsplit('/').next());
                    let name = name.filter(|name| !name.is_empty()).map(schemas::Text::from);
                    context.model = context.model.or(name);
                }
                _ => {}
            }
        }
        match (frame, object) {
            (Some((family, inner)), Some(object)) => {
                let object = inner.unwrap_or(object);
                let starts = open.as_ref().is_none_or(|stream| !stream.takes(family, &object));
                if starts && let Some(done) = open.take() {
                    done.finish(context.clone(), wrappers, out);
                }
                open.get_or_insert_with(|| Stream::new(family, json)).push(object);
            }
            // Keep-alives and whatever else a server puts between the frames of a call say nothing, and part nothing.
            (None, Some(object)) if shape.is_none() && open.is_some() && is_filler(&object) => {}
            (_, object) => {
                if let Some(done) = open.take() {
                    done.finish(context.clone(), wrappers, out);
                }
                let heard = object.as_ref().is_some_and(|object| is_of_transcriber(object, shape, many));
                if index + 1 == count {
                    // Nothing comes after the last document, so what surrounds it need not be kept.
                    if heard {
                        context.model = transcriber;
                    }
                    return formats::read(json, object, shape, context, wrappers, out);
                }
                let mut own = context.clone();
                if heard {
                    own.model = transcriber.clone();
                }
                formats::read(json, object, shape, own, wrappers, out);
            }
        }
    }
    if let Some(done) = open {
        done.finish(context, wrappers, out);
    }
}

/// The model of a Realtime session.
fn session_model(object: &Object<'_>) -> Option<schemas::Text> {
    let model = object.object("session")?.string("model")?;
    (1..=crate::TEXT_BYTES_MAX).contains(&model.len()).then(|| schemas::Text::from(model))
}

/// True for a transcription of a session, also within an envelope of its own: another model made it than the session's.
fn is_of_transcriber(object: &Object<'_>, shape: Option<(Shape, &'static str)>, many: bool) -> bool {
    match shape {
        Some((Shape::OpenAiTranscription, _)) => object.has("item_id"),
        Some((Shape::Envelope, _)) if many => {
            captured(object).and_then(|(_, event)| event.object()).is_some_and(|event| {
                event.has("item_id") && matches!(recognise(&event), Some((Shape::OpenAiTranscription, _)))
            })
        }
        _ => false,
    }
}

/// The model of a Realtime session's transcriptions, in the spelling of the API and of its beta.
fn transcribing(object: &Object<'_>) -> Option<schemas::Text> {
    let session = object.object("session")?;
    let audio = || session.object("audio")?.object("input")?.object("transcription");
    let model = session.object("input_audio_transcription").or_else(audio)?.string("model")?;
    (1..=crate::TEXT_BYTES_MAX).contains(&model.len()).then(|| schemas::Text::from(model))
}

/// Evidence of what the operator, or what stands around an item, says it is.
pub(crate) const SETTING: &str = "setting";

/// What an object is and by which evidence: the operator's word first.
pub(crate) fn told(object: &Object<'_>, hint: Option<Shape>) -> Option<(Shape, &'static str)> {
    match hint {
        Some(shape) => Some((shape, SETTING)),
        None => recognise(object),
    }
}
