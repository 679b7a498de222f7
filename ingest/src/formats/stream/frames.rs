//! Which frames belong together: those of one family, as long as none begins another call.

use schemas::{Flag, RejectReason};

use super::documents::malformed;
use super::whole::{RESPONSE_ID, is_final, is_finished, overlay};
use crate::assemble::Out;
use crate::envelope::Envelope;
use crate::formats::{self, bedrock_stream, gemini, watsonx, workers_ai};
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::problem::Problem;
use crate::recognise::{Shape, captured, recognise};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    OpenAiChat,
    OpenAiCompletion,
    OpenAiResponse,
    Anthropic,
    Gemini,
    Interaction,
    Conversation,
    Converse,
    Cohere,
    Invoke,
    Watsonx,
    DashScope,
    SgLang,
    /// Chunks of Bedrock, each around an event that is told when all are there.
    Chunks,
    Tgi,
    WorkersAi,
}

/// The family of a frame, and the frame within the wrapper that the Gemini CLI puts around each. A Gemini frame looks
/// like a whole response, so it is a frame only among others.
pub(super) fn frame<'a>(
    object: &Object<'a>,
    shape: Option<(Shape, &'static str)>,
    many: bool,
) -> Option<(Family, Option<Object<'a>>)> {
    let family = match shape?.0 {
        Shape::OpenAiChatChunk => Family::OpenAiChat,
        // A frame of a streamed completion calls itself what the whole does.
        Shape::OpenAiCompletion if many => Family::OpenAiCompletion,
        // GPT-Live passes on the events of the responses it asked for.
        Shape::OpenAiResponseEvent if object.is("type", "response.event") => {
            return Some((Family::OpenAiResponse, object.object("event")));
        }
        Shape::OpenAiResponseEvent => Family::OpenAiResponse,
        Shape::AnthropicEvent => Family::Anthropic,
        Shape::BedrockConverseEvent => Family::Converse,
        Shape::CohereEvent => Family::Cohere,
        Shape::BedrockInvoke if many => Family::Invoke,
        Shape::Watsonx if many => Family::Watsonx,
        Shape::DashScope if many => Family::DashScope,
        Shape::SgLang if many => Family::SgLang,
        Shape::BedrockChunk => Family::Chunks,
        Shape::TgiFrame => Family::Tgi,
        Shape::WorkersAiFrame => Family::WorkersAi,
        Shape::WorkersAi if many && object.has("response") => Family::WorkersAi,
        Shape::Envelope if many && workers_ai::is_piece(object) => Family::WorkersAi,
        Shape::GeminiInteractionEvent => Family::Interaction,
        Shape::MistralEvent => Family::Conversation,
        // Events of an agent look like frames, and each is a call of its own.
        Shape::Gemini if many && !gemini::is_agent_event(object) => Family::Gemini,
        Shape::Envelope if many => {
            if let Some((_, inner)) = captured(object).filter(|_| !object.has("response")) {
                // Each frame was logged in an envelope of its own. The counts of Anthropic's are spread over two of them.
                let inner = inner.object()?;
                // Chunks of xAI's own interface, each under the name of what it is.
                if inner.first_of("outputs").is_some_and(|output| output.has("delta")) {
                    return Some((Family::OpenAiChat, Some(inner)));
                }
                let anthropic = recognise(&inner).is_some_and(|(shape, _)| shape == Shape::AnthropicEvent);
                return anthropic.then_some((Family::Anthropic, Some(inner)));
            }
            let inner = object.object("response")?;
            let gemini = recognise(&inner).is_some_and(|(shape, _)| shape == Shape::Gemini);
            // With an id of its own it is an envelope around a whole response.
            return (gemini && !object.has("id")).then_some((Family::Gemini, Some(inner)));
        }
        _ => return None,
    };
    Some((family, None))
}

/// Frames of one call.
pub(super) struct Stream<'a> {
    pub(super) family: Family,
    /// The first frame as it came, for the skeleton of a rejection.
    first: Json<'a>,
    pub(super) frames: Vec<Object<'a>>,
    pub(super) cut: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(family: Family, first: Json<'a>) -> Self {
        Stream { family, first, frames: Vec::new(), cut: false }
    }

    pub(super) fn push(&mut self, frame: Object<'a>) {
        self.frames.push(frame);
    }

    /// True for the whole answer that MiniMax sends after its chunks, under their id.
    pub(super) fn ends_in(&self, whole: &Object<'a>, shape: Option<(Shape, &'static str)>) -> bool {
        let id = || self.frames.last().and_then(|last| last.string("id")).filter(|id| !id.is_empty());
        self.family == Family::OpenAiChat
            && matches!(shape, Some((Shape::OpenAiChat, _)))
            && id().is_some_and(|id| whole.is("id", &id))
    }

    /// True when a frame goes on with this call rather than beginning another.
    pub(super) fn takes(&self, family: Family, frame: &Object<'a>) -> bool {
        // Cloudflare ends streams of every shape in a frame of its own, with the counts.
        if (self.family, family) == (Family::OpenAiChat, Family::WorkersAi) {
            return frame.has("usage");
        }
        let Some(last) = self.frames.last().filter(|_| family == self.family) else { return false };
        // Frames of Azure's content filters have an empty id: they belong to whatever stands around them.
        let stated = |frame: &Object<'a>, name: &str| frame.string(name).filter(|text| !text.is_empty());
        let same = |name: &str| match (self.frames.iter().find_map(|ours| stated(ours, name)), stated(frame, name)) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        match family {
            Family::OpenAiChat => same("id"),
            Family::OpenAiCompletion => stated(frame, "id").is_some() && stated(last, "id") == stated(frame, "id"),
            Family::OpenAiResponse => !last.string("type").is_some_and(|kind| is_final(&kind)),
            Family::Anthropic => {
                // Some servers begin a message twice.
                let id = |frame: &Object<'a>| frame.object("message").and_then(|message| message.string("id"));
                !frame.is("type", "message_start")
                    || (id(frame).is_some() && self.frames.iter().find_map(id) == id(frame))
            }
            Family::Conversation => !frame.is("type", "conversation.response.started"),
            Family::Converse => !frame.has("messageStart"),
            Family::Cohere => !frame.is("type", "message-start") && !frame.is("event_type", "stream-start"),
            Family::Invoke => !last.has("amazon-bedrock-invocationMetrics") && frame.object("results").is_none(),
            Family::Watsonx => {
                let reason = |frame: &Object<'a>| frame.first_of("results")?.string("stop_reason");
                same("model_id") && reason(last).is_some_and(|reason| reason.eq_ignore_ascii_case("not_finished"))
            }
            Family::DashScope => stated(frame, "request_id").is_some() && same("request_id"),
            Family::SgLang => {
                let id = |frame: &Object<'a>| frame.object("meta_info")?.string("id");
                id(frame).is_some() && id(last) == id(frame)
            }
            Family::Chunks => true,
            Family::Tgi => last.get("generated_text").is_none(),
            // Some models count in each frame, and pad it; what is not padded and counts is whole.
            Family::WorkersAi => !last.has("usage") || last.has("p"),
            Family::Interaction => {
                let kind = frame.string("event_type").or_else(|| frame.string("type"));
                !matches!(kind.as_deref(), Some("interaction.created" | "interaction.start"))
            }
            Family::Gemini => {
                let id = |frame: &Object<'a>| RESPONSE_ID.iter().find_map(|name| stated(frame, name));
                let ours = self.frames.iter().find_map(id);
                match (ours, id(frame)) {
                    (Some(ours), Some(theirs)) => ours == theirs,
                    _ => !(is_finished(last) && frame.has("candidates")),
                }
            }
        }
    }

    pub(super) fn finish(self, mut envelope: Envelope<'a>, wrappers: u8, out: &mut Out<'_>) {
        if self.family == Family::Chunks {
            if let Err(problem) = bedrock_stream::read(&self.frames, envelope, wrappers, out) {
                out.reject(problem, Some(self.first));
            }
            return;
        }
        if self.family == Family::WorkersAi && self.frames.iter().all(workers_ai::is_unproven) {
            let message = "pieces of an answer, and nothing that says whose";
            return out.reject(Problem::new(RejectReason::UnknownFormat, "response", message), Some(self.first));
        }
        let whole = match self.family {
            Family::OpenAiChat => self.chat(),
            Family::OpenAiCompletion => self.completion(),
            Family::OpenAiResponse => self.response(),
            Family::Anthropic => self.anthropic(),
            Family::Gemini => self.gemini(),
            Family::Interaction => self.interaction(),
            Family::Conversation => self.conversation(),
            Family::Converse => self.converse(),
            Family::Cohere => self.cohere(),
            Family::Invoke => Some((Shape::BedrockInvoke, overlay(self.frames.iter()), true)),
            Family::Watsonx => watsonx::whole(&self.frames).map(|text| (Shape::Watsonx, text, true)),
            // Their counts grow from frame to frame.
            Family::DashScope => self.frames.last().map(|last| (Shape::DashScope, overlay([last].into_iter()), true)),
            Family::SgLang => self.frames.last().map(|last| (Shape::SgLang, overlay([last].into_iter()), true)),
            Family::Tgi => self.tgi(),
            Family::WorkersAi => self.workers_ai(),
            Family::Chunks => None,
        };
        let Some((shape, text, complete)) = whole else {
            let name = match self.family {
                Family::OpenAiChat => Shape::OpenAiChatChunk,
                Family::OpenAiCompletion => Shape::OpenAiCompletion,
                Family::OpenAiResponse => Shape::OpenAiResponseEvent,
                Family::Anthropic => Shape::AnthropicEvent,
                Family::Gemini => Shape::Gemini,
                Family::Interaction => Shape::GeminiInteractionEvent,
                Family::Conversation => Shape::MistralEvent,
                Family::Converse => Shape::BedrockConverseEvent,
                Family::Cohere => Shape::CohereEvent,
                Family::Invoke => Shape::BedrockInvoke,
                Family::Watsonx => Shape::Watsonx,
                Family::DashScope => Shape::DashScope,
                Family::SgLang => Shape::SgLang,
                Family::Tgi => Shape::TgiFrame,
                Family::WorkersAi => Shape::WorkersAiFrame,
                Family::Chunks => Shape::BedrockChunk,
            };
            out.recognised(&envelope.wrapped, name.as_str(), "type");
            return self.frames.iter().for_each(|_| out.ignore(IgnoreReason::StreamFragment));
        };
        if !complete || self.cut {
            envelope.flags.set(Flag::PartialStream);
        }
        match Json::parse(&text) {
            Ok(json) => {
                let evidence = Some((shape, "frames of a stream"));
                formats::read(json, json.object(), evidence, envelope, wrappers, out);
            }
            // Pieces of well-formed JSON were joined, so this cannot be; the record is still accounted for.
            Err(error) => out.reject(malformed(&error), Some(self.first)),
        }
    }
}
