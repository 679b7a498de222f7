//! One module for each family of formats. Each turns a body into a [`Call`]: disjoint usage and what its price may
//! depend on. This module sends an object to the one that knows it.

mod ai_sdk;
pub(crate) mod anthropic;
pub(crate) mod bedrock;
pub(crate) mod bedrock_agent;
pub(crate) mod bedrock_stream;
pub(crate) mod bifrost;
pub(crate) mod billing;
pub(crate) mod codex;
mod cohere;
mod copilot;
pub(crate) mod dashscope;
pub(crate) mod event;
mod exports;
pub(crate) mod families;
mod gateway;
mod gemini;
pub(crate) mod gemini_cli;
pub(crate) mod house;
mod interaction;
pub(crate) mod kling;
pub(crate) mod kong;
pub(crate) mod langchain;
mod langfuse;
pub(crate) mod librechat;
pub(crate) mod log_lines;
pub(crate) mod mapping;
pub(crate) mod media;
pub(crate) mod notebook;
mod ollama;
pub(crate) mod openai;
pub(crate) mod opencode;
mod openrouter;
pub(crate) mod otlp;
pub(crate) mod pictures;
pub(crate) mod pydantic_ai;
pub(crate) mod replicate;
mod resource;
pub(crate) mod rows;
pub(crate) mod runs;
pub(crate) mod searches;
pub(crate) mod seats;
pub(crate) mod servers;
pub(crate) mod snowflake;
pub(crate) mod sparse;
pub(crate) mod speech;
pub(crate) mod stream;
pub(crate) mod sums;
pub(crate) mod table;
pub(crate) mod tgi;
pub(crate) mod tools;
mod transcript;
pub(crate) mod veo;
pub(crate) mod watsonx;
pub(crate) mod workers_ai;

use schemas::RejectReason;

use crate::assemble::Out;
use crate::envelope::{Envelope, provider_name};
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::problem::{Problem, Result};
use crate::recognise::Shape;

/// Wrappers within wrappers beyond this are refused: a CloudEvent around a recording of HTTP is five, as its list, its answer, its
/// body and the text of that are told one by one.
const WRAPPERS_MAX: u8 = 8;

/// Decodes one item whose shape must be told by itself, unless the operator's word is `hint`.
pub(crate) fn item<'a>(json: Json<'a>, hint: Option<Shape>, envelope: Envelope<'a>, wrappers: u8, out: &mut Out<'_>) {
    let object = json.object();
    let shape = object.as_ref().and_then(|object| stream::told(object, hint));
    read(json, object, shape, envelope, wrappers, out);
}

/// Decodes one item that was opened and recognised, as far as it could be.
pub(crate) fn read<'a>(
    json: Json<'a>,
    object: Option<Object<'a>>,
    shape: Option<(Shape, &'static str)>,
    envelope: Envelope<'a>,
    wrappers: u8,
    out: &mut Out<'_>,
) {
    let Some(object) = object else {
        // A document that was written down as text once more.
        let text = json.string().filter(|text| ["{", "data:", "event:"].iter().any(|start| text.starts_with(start)));
        if let Some(text) = text.filter(|_| wrappers < WRAPPERS_MAX) {
            if let Err(problem) = event::captured(&text, envelope, wrappers, out) {
                out.reject(problem, Some(json));
            }
            return;
        }
        if let Some((piece, about)) = langchain::piece_of_pair(json) {
            let mut envelope = envelope;
            let named = |name: &str| about.string(name).filter(|text| text.len() <= crate::TEXT_BYTES_MAX);
            envelope.provider = envelope.provider.or_else(|| Some(provider_name(&named("ls_provider")?)));
            envelope.model = envelope.model.or_else(|| Some(named("ls_model_name")?.into()));
            return item(piece, None, envelope, wrappers + 1, out);
        }
        let found = json.kind().as_str();
        let message = format!("the item is of type {found}; send a JSON object");
        return out.reject(Problem::new(RejectReason::UnknownFormat, "", message), Some(json));
    };
    // The operator's mappings come before any shape, but not before the operator's word for one.
    let config = out.config;
    if !matches!(shape, Some((_, stream::SETTING)))
        && let Some(mapping) = config.mappings.iter().find(|mapping| mapping.fits(out.record.topic, &object))
    {
        return mapping.read(json, &object, envelope, out);
    }
    let Some((shape, evidence)) = shape else {
        let message = "no known format: none of its fields mark one. Send `usage` with `provider` and `model`, or a \
                       provider's whole response; FORMATS.md lists what is recognised";
        return out.reject(Problem::new(RejectReason::UnknownFormat, "", message), Some(json));
    };
    if let Err(problem) = shaped(json, &object, shape, evidence, envelope, wrappers, out) {
        out.reject(problem, Some(json));
    }
}

/// Decodes an object of a known shape.
fn shaped<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    shape: Shape,
    evidence: &'static str,
    mut envelope: Envelope<'a>,
    wrappers: u8,
    out: &mut Out<'_>,
) -> Result<()> {
    if wrappers > WRAPPERS_MAX {
        let message = format!("more than {WRAPPERS_MAX} envelopes within one another");
        return Err(Problem::new(RejectReason::TooLarge, "", message));
    }
    match shape {
        Shape::CloudEvent => {
            envelope.pass("cloudevents/");
            return event::cloud_event(json, object, envelope, wrappers, out);
        }
        Shape::Envelope => {
            envelope.pass("envelope/");
            return event::wrapped(json, object, envelope, wrappers, out);
        }
        _ => out.recognised(&envelope.wrapped, shape.as_str(), evidence),
    }
    let call = match shape {
        Shape::Usage => return event::usage(json, object, envelope, out),
        Shape::FlatUsage => return event::flat(json, object, envelope, out),
        Shape::Status => {
            out.ignore(IgnoreReason::StatusOnly);
            return Ok(());
        }
        Shape::Error => {
            out.ignore(IgnoreReason::FailedCall);
            return Ok(());
        }
        Shape::Fragment => {
            out.ignore(IgnoreReason::StreamFragment);
            return Ok(());
        }
        Shape::OpenAiChat | Shape::OpenAiChatChunk | Shape::MistralEvent => openai::chat(object)?,
        Shape::OpenAiResponse => openai::response(object)?,
        Shape::OpenAiCompletion => openai::completion(object)?,
        Shape::OpenAiEmbedding => openai::embedding(object)?,
        Shape::OpenAiImage => openai::image(object)?,
        Shape::OpenAiTranscription => openai::transcription(object)?,
        Shape::OpenAiSpeech => openai::speech(object)?,
        Shape::OpenAiLive => openai::live_session(object)?,
        Shape::OpenAiSpeechRequest => return media::speech_request(json, object, envelope, out),
        Shape::OpenAiVideo => media::video(object)?,
        Shape::OpenAiModeration => openai::moderation(object)?,
        Shape::OpenAiBatchLine => return event::openai_batch_line(object, envelope, wrappers, out),
        Shape::AnthropicMessage => anthropic::message(object)?,
        Shape::AnthropicBatchLine => return event::anthropic_batch_line(object, envelope, wrappers, out),
        Shape::Gemini if gemini::is_agent_event(object) => return gemini::agent_event(json, object, envelope, out),
        Shape::Gemini => gemini::response(object)?,
        Shape::GeminiLive => match gemini::live(object)? {
            Some(call) => call,
            None => {
                out.ignore(IgnoreReason::StreamFragment);
                return Ok(());
            }
        },
        Shape::GeminiBatchLine => return event::gemini_batch_line(object, envelope, wrappers, out),
        Shape::GeminiInteraction => interaction::interaction(object)?,
        Shape::GeminiEmbedding => gemini::embedding(object)?,
        Shape::MistralOcr => openai::ocr(object)?,
        Shape::BedrockConverse => bedrock::converse(object)?,
        Shape::BedrockInvoke => bedrock::invoke(object)?,
        Shape::BedrockHeaders => bedrock::counted_in_headers(object)?,
        Shape::NovaSonic => match sparse::nova_sonic(object)? {
            Some(call) => call,
            None => {
                out.ignore(IgnoreReason::StreamFragment);
                return Ok(());
            }
        },
        Shape::TwelveLabs => sparse::twelve_labs(object)?,
        Shape::Palm => sparse::palm(object)?,
        Shape::Uncounted => sparse::uncounted(object)?,
        Shape::BedrockBatchLine => return event::bedrock_batch_line(object, envelope, wrappers, out),
        Shape::CloudWatchLogs => return bedrock::cloudwatch(object, &envelope, wrappers, out),
        Shape::BedrockChunk => {
            return bedrock_stream::read(std::slice::from_ref(object), envelope, wrappers, out);
        }
        Shape::BedrockAgent => return bedrock_agent::traced(json, object, envelope, out),
        Shape::BedrockLog => return bedrock::log(json, object, envelope, out),
        Shape::Cohere => cohere::response(object)?,
        Shape::Ollama => ollama::response(object)?,
        Shape::Watsonx => watsonx::answer(object)?,
        Shape::DashScope => dashscope::answer(object)?,
        Shape::Deepgram => speech::heard(object)?,
        Shape::AssemblyAi => speech::assemblyai(object)?,
        Shape::AzureSpeech => speech::azure(object)?,
        Shape::ElevenLabs => speech::elevenlabs(object)?,
        Shape::ElevenLabsSpeech if speech::is_aligned(object) => speech::aligned(object)?,
        Shape::ElevenLabsSpeech => speech::counted_in_headers(object)?,
        Shape::Pictures => pictures::answer(object)?,
        Shape::MiniMaxSpeech => speech::said(object)?,
        Shape::InworldSpeech => speech::inworld(object)?,
        Shape::GoogleSpeech => speech::google(object)?,
        Shape::Search => searches::answer(object)?,
        Shape::SgLang => servers::sglang(object)?,
        Shape::LlamaCpp => servers::llama_cpp(object)?,
        Shape::LmStudio => servers::lm_studio(object)?,
        Shape::LlamaApi => servers::llama(object)?,
        Shape::KoboldCpp => servers::kobold_cpp(object)?,
        Shape::Luma => media::luma(object)?,
        Shape::Runway => media::runway(object)?,
        Shape::FalVideo => media::fal_video(object)?,
        Shape::Kling => kling::made(object)?,
        Shape::LibreChat => return librechat::row(json, object, envelope, out),
        Shape::Snowflake => return snowflake::row(json, object, envelope, out),
        Shape::Replicate => return replicate::prediction(json, object, envelope, out),
        Shape::PydanticAi => return pydantic_ai::message(json, object, envelope, out),
        Shape::Bifrost => return bifrost::entry(json, object, envelope, out),
        Shape::Tgi | Shape::TgiFrame => tgi::response(object)?,
        Shape::WorkersAi | Shape::WorkersAiFrame => workers_ai::response(object, &envelope)?,
        Shape::GeminiVideo => return veo::operation(json, object, envelope, out),
        Shape::Kong => return kong::log(json, object, envelope, out),
        Shape::GeminiCliChat => return gemini_cli::chat(json, object, envelope, out),
        Shape::GeminiCliTelemetry => return gemini_cli::telemetry(json, object, envelope, out),
        Shape::Opencode => return opencode::stored(json, object, envelope, out),
        Shape::LiteLlm => return gateway::litellm(json, object, envelope, out),
        Shape::OpenRouterGeneration => return openrouter::generation(json, object, envelope, out),
        Shape::AiSdkResult => return ai_sdk::result(json, object, envelope, out),
        Shape::Records => {
            event::records(object, envelope, wrappers, out);
            return Ok(());
        }
        Shape::Langfuse => return langfuse::langfuse(json, object, envelope, out),
        Shape::LangChain => exports::langchain(object, &envelope)?,
        Shape::LangSmith => return exports::langsmith(json, object, envelope, out),
        Shape::Helicone => return exports::helicone(json, object, envelope, wrappers, out),
        Shape::Portkey => return exports::portkey(json, object, envelope, wrappers, out),
        Shape::AzureApim => return exports::apim(json, object, envelope, out),
        Shape::Keeptrusts => return exports::keeptrusts(json, object, envelope, out),
        Shape::RunPod => return billing::runpod(json, object, envelope, out),
        Shape::Modal => return billing::modal(json, object, envelope, out),
        Shape::OpenCost => return billing::opencost(json, object, envelope, out),
        Shape::GitHubUsage => return billing::github(json, object, envelope, out),
        Shape::Braintrust
        | Shape::DatadogSpan
        | Shape::NewRelic
        | Shape::PostHog
        | Shape::Opik
        | Shape::AgentsTrace
        | Shape::ToolLog
        | Shape::Metered
        | Shape::OpenRouterActivity
        | Shape::CursorUsage
        | Shape::Aider
        | Shape::Continue
        | Shape::KimiCli
        | Shape::CopilotCli
        | Shape::Pi
        | Shape::QwenCode
        | Shape::Cline => return tools::read(json, object, shape, envelope, out),
        Shape::LogLines => return log_lines::read(object, &envelope, wrappers, out),
        Shape::Rows => return rows::read(object, &envelope, wrappers, out),
        Shape::Notebook => return notebook::read(object, &envelope, wrappers, out),
        Shape::Sum => {
            out.ignore(IgnoreReason::RunSummary);
            return Ok(());
        }
        Shape::SkyPilot => return billing::skypilot(json, object, envelope, out),
        Shape::SeatList => return seats::row(json, object, envelope, out),
        Shape::OpenMeter => return event::openmeter(json, object, envelope, out),
        Shape::StripeMeter => return event::stripe(json, object, envelope, out),
        Shape::ClaudeTranscript => return transcript::claude_code(json, object, envelope, out),
        Shape::ClaudeResult => return transcript::claude_result(json, object, evidence, envelope, out),
        Shape::CodexExec => {
            let summed = object.is("type", "turn.completed");
            out.ignore(if summed { IgnoreReason::RunSummary } else { IgnoreReason::NotAModelCall });
            return Ok(());
        }
        Shape::CodexTranscript => return codex::line(json, object, envelope, out),
        Shape::OtelSpan => {
            otlp::printed::span(json, object, &envelope, out);
            return Ok(());
        }
        Shape::StoredSpan => {
            otlp::exported::entry(json, object, &envelope, out);
            return Ok(());
        }
        Shape::StoredTrace => {
            otlp::exported::trace(object, &envelope, out);
            return Ok(());
        }
        Shape::OtlpTraces => return otlp::json(object, otlp::Signal::Traces, &envelope, out),
        Shape::OtlpLogs => return otlp::json(object, otlp::Signal::Logs, &envelope, out),
        Shape::OtlpMetrics => return otlp::json(object, otlp::Signal::Metrics, &envelope, out),
        Shape::Gpu => return resource::gpu(json, object, envelope, out),
        Shape::Seat => return resource::seat(json, object, envelope, out),
        Shape::Credits => return resource::credits(json, object, envelope, out),
        Shape::Ledger => return resource::ledger(json, object, envelope, out),
        _ => {
            let message = format!("{shape} is not decoded by this release");
            return Err(Problem::new(RejectReason::UnknownFormat, "", message));
        }
    };
    out.call(call, envelope, json);
    Ok(())
}
